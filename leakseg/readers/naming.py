"""The name a case goes by: from its path, unless the path names the patient."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Container
from pathlib import Path

from leakseg.nifti import NIFTI_ENDINGS, NRRD_ENDINGS
from leakseg.readers.headers import Identity

_RESERVED = frozenset({"index.html", "summary.csv", "leaks.csv", "run.json", "ledger.jsonl", ".", ".."})
_LONGEST = 120
_SHORTEST_ID = 4
_SHORTEST_NAME = 3
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae", "œ": "oe"})


def relative_path(place: Path, root: Path) -> str:
    """The scan's path relative to SCANS, with ``/``, a file without its ending; SCANS itself by its own name."""
    name = str(place.relative_to(root)) if place != root else (place.name or place.resolve().name)
    if name in {"", ".", ".."}:
        name = place.resolve().name
    lower = name.lower()
    ending = next((one for one in (".nii.gz", *NIFTI_ENDINGS, *NRRD_ENDINGS) if lower.endswith(one)), "")
    return name[: len(name) - len(ending)] if ending and not place.is_dir() else name


def case_id(relative: str, series_uid: str | None, identity: Identity | None, taken: Container[str]) -> str:
    """A case_id that is not taken yet.

    The relative path with ``/`` as ``-``; ``case-`` and eight hex digits of the series UID's SHA-256
    where the path holds what identifies the patient.
    """
    name = "".join(letter if letter.isprintable() else "_" for letter in relative.replace("/", "-"))
    name = "_" + name[1:] if name.startswith(".") else name
    key = series_uid or relative
    if (identity is not None and names_patient(relative, identity)) or not name or len(name.encode()) > _LONGEST:
        name = "case-" + hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    unique, number = name, 1
    while unique in taken or unique in _RESERVED:
        number += 1
        unique = f"{name}-{number}"
    return unique


def names_patient(path: str, identity: Identity) -> bool:
    """Whether a path holds the patient's name, or an id, birth date or accession number of four characters or more.

    Case, accents, separators and the order of a name's parts make no difference. One part of a name
    alone (the family name) counts as the name.
    """
    if identity.removed:
        return False
    spellings = _spellings(path)
    return (
        any(_holds_name(spelling, name) for spelling in spellings for name in _spellings(identity.name))
        or any(
            _holds_number(spelling, number)
            for spelling in spellings
            for number in (identity.patient_id, identity.accession)
        )
        or _holds_date(path, identity.birth_date)
    )


def _spellings(text: str) -> set[str]:
    """Lower case without accents, umlauts both as one letter and as two."""
    text = unicodedata.normalize("NFC", text).casefold()
    return {_plain(text), _plain(text.translate(_UMLAUTS))}


def _plain(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def _holds_name(path: str, name: str) -> bool:
    words = set(re.findall(r"[^\W_0-9]+", path))
    squashed = "".join(re.findall(r"[^\W_]+", path))
    for spelling in name.split("="):
        parts = [part for part in re.split(r"[^\w]+|_", spelling) if part and not part.isdigit()]
        if any(_is_word(part, words, squashed) for part in parts):
            return True
        joined = {"".join(parts[:2]), "".join(reversed(parts[:2])), "".join(parts)}
        if any(len(one) >= _SHORTEST_NAME and one in squashed for one in joined):
            return True
        if len(parts) > 1 and set(parts[:2]) <= words:
            return True
    return False


def _is_word(part: str, words: set[str], squashed: str) -> bool:
    """Long parts count anywhere (``MuellerSpine``), short ones as a word of their own."""
    if not part.isascii():
        return len(part) > 1 and part in squashed
    return len(part) >= _SHORTEST_NAME and (part in words or (len(part) > _SHORTEST_NAME + 1 and part in squashed))


def _holds_number(path: str, number: str) -> bool:
    plain = "".join(re.findall(r"[^\W_]+", _plain(number.casefold())))
    if len(number.strip()) < _SHORTEST_ID or not plain:
        return False
    squashed = "".join(re.findall(r"[^\W_]+", path))
    short = plain.lstrip("0")
    return plain in squashed or (len(short) >= _SHORTEST_ID and short in squashed)


def _holds_date(path: str, date: str) -> bool:
    found = re.fullmatch(r"(\d{4})[.\-/]?(\d\d)[.\-/]?(\d\d)", date.strip())
    if not found:
        return False
    year, month, day = found.groups()
    short = year[2:]
    orders = [
        (one, two, three)
        for y in (year, short)
        for one, two, three in ((y, month, day), (day, month, y), (month, day, y), (y, day, month))
    ]
    return any(re.search(rf"(?<!\d){a}\D?{b}\D?{c}(?!\d)", path) for a, b, c in orders)
