"""Names of masks: what a label's name, a segment's name or a file's name says about it.

Names are read strictly: a word too many (``L1 nerve root``, ``L1_cement``) is no vertebra.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TypeAlias

from leakseg.anatomy import VertebraLevel


class Structure(StrEnum):
    """What else than a vertebra a mask may show."""

    CANAL = "canal"
    CORD = "cord"
    BODY = "bodies"
    DISC = "discs"
    OTHER = "other"
    """Known, and of no use here (a rib, the liver, the background)."""


Meaning: TypeAlias = VertebraLevel | Structure
"""What one label stands for."""

VERTEBRAE = "vertebrae"
"""Role of a labelmap whose numbers mean levels."""
PARTS = "parts"
"""Role of a SPINEPS semantic labelmap: parts of vertebrae without a level, canal, cord, discs."""
ROLES = (VERTEBRAE, PARTS, "canal", "cord", "bodies", "discs", *(level.value for level in VertebraLevel))
"""Roles that may be given outright as ``role=path``."""

MASK_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".dcm")

_REGIONS = {"cervical": "C", "thoracic": "T", "lumbar": "L", "sacral": "S"}
_ORDINALS: tuple[str, ...] = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
)
_ORDINALS += ("eleventh", "twelfth", "thirteenth")
_REGION = "cervical|thoracic|lumbar|sacral"
_LEVEL_FORMS = (
    re.compile(r"(?:vertebrae? )?(?P<letter>[ctls]) ?(?P<number>\d{1,2})(?: vertebrae?)?"),
    re.compile(rf"(?:vertebrae? )?(?P<region>{_REGION})(?: vertebrae?)? (?P<number>\d{{1,2}})(?: vertebrae?)?"),
    re.compile(rf"(?P<ordinal>{'|'.join(_ORDINALS)}|\d{{1,2}}(?:st|nd|rd|th)) (?P<region>{_REGION}) vertebrae?"),
)
_PLAIN: dict[str, Meaning] = {
    "background": Structure.OTHER,
    "sacrum": VertebraLevel.S1,
    **dict.fromkeys(("canal", "spinal canal", "vertebral canal", "bony canal", "spinalcanal"), Structure.CANAL),
    **dict.fromkeys(("spinal channel", "bony spinal canal", "vertebral canal structure"), Structure.CANAL),
    **dict.fromkeys(("cord", "spinal cord", "spinalcord", "spinal cord structure"), Structure.CORD),
    **dict.fromkeys(("bodies", "corpus", "vertebral body", "vertebral bodies"), Structure.BODY),
    **dict.fromkeys(("vertebra body", "vertebrae body", "vertebrae bodies"), Structure.BODY),
}
_DISC = {"disc", "discs", "disk", "disks", "ivd"}
_DISC_COMPANY = re.compile(r"intervertebral|vertebra|vertebrae|structure|of|[ctls]\d{1,2}")

_STRANGERS = {"cement", "leak", "leaks", "rib", "ribs", "root", "roots", "nerve", "pedicle", "pedicles", "foramen"}
_STRANGERS |= {"endplate", "endplates", "ct", "scan", "image"}
_FILE_FORMS = (
    (re.compile(r"(?:spinal_?)?canal"), "canal"),
    (re.compile(r"(?:spinal_?)?cord"), "cord"),
    (re.compile(r"vertebra(?:e|l)?_bod(?:y|ies)|bodies"), "bodies"),
    (re.compile(r"sacrum"), "S1"),
)
_FILE_LEVEL = re.compile(r"(?:vertebrae?_?)?([ctls]\d{1,2})(?![0-9a-z])")


def meaning_of(text: str) -> Meaning | None:
    """What a label's name stands for; None where it says nothing that leakseg knows.

    >>> meaning_of("vertebrae_L1"), meaning_of("L1 nerve root")
    (<VertebraLevel.L1: 'L1'>, None)
    """
    words = " ".join(_words(text))
    if words in _PLAIN:
        return _PLAIN[words]
    name = _level_name(words)
    if name is not None:
        return VertebraLevel(name) if name in VertebraLevel.__members__ else None
    parts = set(words.split())
    if parts & _DISC and all(_DISC_COMPANY.fullmatch(word) for word in parts - _DISC):
        return Structure.DISC
    return None


def looks_like_level(text: str) -> bool:
    """Whether a name is written as a vertebra's, be there such a vertebra or not (``L9``)."""
    return _level_name(" ".join(_words(text))) is not None


def role_of_file(name: str) -> str | None:
    """Role that a mask file's name gives; None where it gives none.

    >>> role_of_file("vertebrae_L1.nii.gz"), role_of_file("canal_derived.nii.gz"), role_of_file("ct.nii.gz")
    ('L1', 'canal', None)
    """
    stem = stem_of(name).lower()
    words = set(_words(stem))
    if stem.startswith("truth") or words & _STRANGERS:
        return None
    if re.search(r"(?:^|_)seg-vert(?:_|$)", stem):
        return VERTEBRAE
    if re.search(r"(?:^|_)seg-spine(?:_|$)", stem):
        return PARTS
    if words & _DISC:
        return "discs"
    plain = stem.replace("-", "_").replace(" ", "_")
    for form, role in _FILE_FORMS:
        if form.match(plain):
            return role
    return _level_role(plain, words)


def stem_of(name: str) -> str:
    """A file's name without its image ending."""
    lower = name.lower()
    return next((name[: -len(ending)] for ending in MASK_ENDINGS if lower.endswith(ending)), name)


def _level_role(stem: str, words: set[str]) -> str | None:
    named = _FILE_LEVEL.match(stem)
    if named:
        others = {word for word in words if re.fullmatch(r"[ctls]\d{1,2}", word)} - {named[1]}
        level = named[1].upper()
        return level if level in VertebraLevel.__members__ and not others else None
    return VERTEBRAE if re.match(r"vertebrae?(?![a-z])", stem) else None


def _level_name(words: str) -> str | None:
    for form in _LEVEL_FORMS:
        found = form.fullmatch(words)
        if not found:
            continue
        parts = found.groupdict()
        letter = parts.get("letter") or _REGIONS[parts["region"]]
        ordinal = parts.get("ordinal")
        if ordinal in _ORDINALS:
            number = _ORDINALS.index(ordinal) + 1
        else:
            number = int(re.sub(r"\D", "", ordinal or parts["number"]))
        return f"{letter.upper()}{number}"
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())
