"""Codes for the things leakseg names: plain ``(scheme, value, meaning)`` tuples, no DICOM library.

SNOMED CT values as the DICOM concept tables (PS3.16) and TotalSegmentator's SNOMED mapping give them.
"""

from __future__ import annotations

from typing import TypeAlias

from leakseg.anatomy import VertebraLevel

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
