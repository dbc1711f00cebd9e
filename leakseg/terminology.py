"""Codes for the things leakseg names: plain ``(scheme, value, meaning)`` tuples, no DICOM library.

SNOMED CT values as the DICOM concept tables (PS3.16) and TotalSegmentator's SNOMED mapping give them. No table
searched holds a code for bone cement or for its leaks; those stand in a private scheme.
"""

from __future__ import annotations

from typing import TypeAlias

from leakseg.anatomy import VertebraLevel
from leakseg.findings import LeakRoute, LeakSubtype, LeakType, Side

Code: TypeAlias = tuple[str, str, str]
"""Coding scheme designator, code value, code meaning."""

_LEVEL_VALUES = {
    "C1": "14806007",
    "C2": "39976000",
    "C3": "113205007",
    "C4": "5329002",
    "C5": "36978003",
    "C6": "36054005",
    "C7": "87391001",
    "T1": "64864005",
    "T2": "53733008",
    "T3": "1626008",
    "T4": "73071006",
    "T5": "56401006",
    "T6": "45296009",
    "T7": "62487009",
    "T8": "11068009",
    "T9": "82687006",
    "T10": "7610001",
    "T11": "12989004",
    "T12": "23215003",
    "L1": "66794005",
    "L2": "14293000",
    "L3": "36470004",
    "L4": "11994002",
    "L5": "49668003",
    "S1": "65985001",
}

LEVEL_CODES: dict[VertebraLevel, Code] = {
    VertebraLevel(level): ("SCT", value, f"{level} vertebra") for level, value in _LEVEL_VALUES.items()
}
"""Vertebrae by level; T13, L6 and S2 have no code in the tables searched."""

SACRUM: Code = ("SCT", "54735007", "Sacrum")
VERTEBRA: Code = ("SCT", "51282000", "Vertebra")
BONE: Code = ("SCT", "272673000", "Bone")
VERTEBRAL_BODY: Code = ("SCT", "3572006", "Vertebral body")
VERTEBRAL_CANAL: Code = ("SCT", "61853006", "Vertebral canal")
SPINAL_CORD: Code = ("SCT", "2748008", "Spinal cord")
INTERVERTEBRAL_DISC: Code = ("SCT", "360499006", "Intervertebral disc")

PHYSICAL_OBJECT: Code = ("SCT", "260787004", "Physical object")
ANATOMICAL_STRUCTURE: Code = ("SCT", "123037004", "Anatomical structure")
PRESENT: Code = ("SCT", "52101004", "Present")
ABSENT: Code = ("SCT", "272519000", "Absent")
YES: Code = ("SCT", "373066001", "Yes")
NO: Code = ("SCT", "373067005", "No")
SIDE_CODES: dict[Side, Code] = {
    Side.LEFT: ("SCT", "7771000", "Left"),
    Side.RIGHT: ("SCT", "24028007", "Right"),
    Side.MIDLINE: ("SCT", "373099004", "Median"),
    Side.BILATERAL: ("SCT", "51440002", "Right and left"),
}
"""The patient's sides (PS3.16 CID 244 and CID 2)."""

PRIVATE_SCHEME = "99LEAKSEG"
"""Coding scheme designator of leakseg's own codes (PS3.16 8.2: private ones begin with 99)."""


def private(value: str, meaning: str) -> Code:
    """A code of leakseg's own; DICOM allows a value 16 characters and a meaning 64."""
    if len(value) > 16 or len(meaning) > 64:
        raise ValueError(f"The code {value!r} or its meaning is too long for DICOM.")
    return PRIVATE_SCHEME, value, meaning


BONE_CEMENT = private("CEMENT", "Bone cement")
CEMENT_IN_BONE = private("CEMENT-IN-BONE", "Bone cement inside bone")
LEAK_TYPE_CODES: dict[LeakType, Code] = {
    LeakType.EPIDURAL: private("LEAK-EPIDURAL", "Bone cement leak into the spinal canal (epidural)"),
    LeakType.FORAMINAL: private("LEAK-FORAMINAL", "Bone cement leak into an intervertebral foramen"),
    LeakType.VENOUS: private("LEAK-VENOUS", "Bone cement leak into a vein outside bone and canal"),
    LeakType.INTRADISCAL: private("LEAK-INTRADISCAL", "Bone cement leak into an intervertebral disc"),
    LeakType.PARAVERTEBRAL: private("LEAK-PARAVERT", "Bone cement leak into paravertebral tissue"),
    LeakType.UNDETERMINED: private("LEAK-UNDETERM", "Bone cement leak of undetermined place"),
}
LEAK_SUBTYPE_CODES: dict[LeakSubtype, Code] = {
    LeakSubtype.CENTRAL: private("CENTRAL", "Central, in front of the dural sac"),
    LeakSubtype.PARACENTRAL: private("PARACENTRAL", "Paracentral, in front of the dural sac"),
    LeakSubtype.PEDICLE_BREACH: private("PEDICLE-BREACH", "Against a breached medial pedicle wall"),
    LeakSubtype.SEGMENTAL: private("V-SEGMENTAL", "Segmental vein"),
    LeakSubtype.ANTERIOR_EXTERNAL: private("V-ANT-EXTERNAL", "Anterior external venous plexus"),
    LeakSubtype.ASCENDING_LUMBAR: private("V-ASC-LUMBAR", "Ascending lumbar vein"),
    LeakSubtype.CAVAL: private("V-CAVAL", "Inferior vena cava"),
    LeakSubtype.OTHER: private("V-OTHER", "Other vein"),
    LeakSubtype.NEEDLE_TRACK: private("NEEDLE-TRACK", "Along the needle's track"),
    LeakSubtype.SOFT_TISSUE: private("SOFT-TISSUE", "In soft tissue"),
}
LEAK_ROUTE_CODES: dict[LeakRoute, Code] = {
    LeakRoute.BASIVERTEBRAL: private("ROUTE-B", "Basivertebral vein (type B)"),
    LeakRoute.SEGMENTAL: private("ROUTE-S", "Segmental vein (type S)"),
    LeakRoute.CORTICAL: private("ROUTE-C", "Cortical defect (type C)"),
    LeakRoute.DISC: private("ROUTE-D", "Endplate, into the disc (type D)"),
    LeakRoute.NEEDLE: private("ROUTE-NEEDLE", "Needle's track"),
}
"""Yeom et al. 2003, J Bone Joint Surg Br 85:83-9, and its extension D."""


def level_code(level: VertebraLevel) -> Code:
    """The vertebra of that level; a vertebra as such where the tables have no code for it."""
    return LEVEL_CODES.get(level, VERTEBRA)
