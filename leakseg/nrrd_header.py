"""The text at the head of an NRRD file, read before ITK is handed it.

ITK's parser crashes the whole process over some damaged headers, and opens whatever file a detached header names.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from leakseg.errors import InputError
from leakseg.geometry import MOST_VOXELS, too_large

_HEAD_BYTES = 65536
_LONGEST_FIELD = 255
"""Characters; ITK writes a field that it does not understand into a buffer of a fixed size."""
_FIELD = re.compile(r"([^:]+): *(.*?) *")
_SPACES = {
    "right-anterior-superior",
    "ras",
    "left-anterior-superior",
    "las",
    "left-posterior-superior",
    "lps",
}
"""The patient spaces of the NRRD format that ITK turns into LPS."""
_DAMAGED = "The NRRD header is damaged; export the image again."


def check_nrrd(path: Path) -> None:
    """Whether the header is whole, says where the image lies, and names no file but one beside it.

    Raises
    ------
    InputError
        Where it is not, does not, or does.
    OSError
        Where the file cannot be read.
    """
    fields = _fields(path)
    if not re.fullmatch(r"[1-9]\d{0,2}", fields.get("dimension", "")) or "type" not in fields:
        raise InputError(_DAMAGED)
    if not re.fullmatch(r"[1-9]\d{0,9}(\s+[1-9]\d{0,9})*", fields.get("sizes", "")):
        raise InputError(_DAMAGED)
    sizes = [int(size) for size in fields["sizes"].split()]
    if math.prod(sizes) > MOST_VOXELS:
        raise InputError(too_large(sizes))
    if "space directions" not in fields or fields.get("space") not in _SPACES:
        raise InputError(
            "The image does not say how it lies in the patient (no 'space directions' in a patient 'space'); "
            "export it again with an orientation."
        )
    beside = fields.get("data file", fields.get("datafile"))
    if beside is not None and not _is_beside(path, beside):
        raise InputError(
            "The voxels of the NRRD header lie in another file, and that is no file beside it; "
            "export the image as one file (.nrrd)."
        )


def _fields(path: Path) -> dict[str, str]:
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES).replace(b"\r\n", b"\n").split(b"\n\n", 1)[0]
    lines = head.decode("latin-1").split("\n")
    if not lines[0].startswith("NRRD000"):
        raise InputError(_DAMAGED)
    fields: dict[str, str] = {}
    for line in lines[1:]:
        if line.startswith("#") or ":=" in line or not line.strip():
            continue
        found = _FIELD.fullmatch(line)
        if found is None or len(line) > _LONGEST_FIELD or not line.isprintable():
            raise InputError(_DAMAGED)
        name = found[1].strip().lower()
        if name in fields:
            raise InputError(_DAMAGED)
        fields[name] = found[2] if name in {"data file", "datafile"} else found[2].lower()
    return fields


def _is_beside(path: Path, name: str) -> bool:
    told = Path(name)
    return told.name == name and path.with_name(name).is_file()
