"""Names that stand in a labelmap's own header: NIfTI label tables and NRRD segments; no voxel is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from leakseg.anatomy import VertebraLevel
from leakseg.nifti import NIFTI_ENDINGS, NRRD_ENDINGS
from leakseg.providers.names import meaning_of

_TABLE_ROW = re.compile(r'<Label\s+[^>]*Key="(\d+)"[^>]*>\s*(?:<!\[CDATA\[)?([^\]<]*)')
_SEGMENT_FIELD = re.compile(r"^segment(\d+)_(name|labelvalue):=(.*)$", re.IGNORECASE | re.MULTILINE)
_BARE_LEVEL = re.compile(r"\s*L\d+\s*")


def names_in_file(path: Path) -> dict[int, str]:
    """Names by number from the file's header; empty where it holds none that speak of the spine.

    A table of nothing but bare ``L<number>`` is not taken for lumbar vertebrae: TotalSegmentator's
    writer fills in ``L1, L2, ...`` for "label 1, label 2" where it was given no names.
    """
    name = path.name.lower()
    try:
        if name.endswith(NRRD_ENDINGS):
            names = _nrrd_names(path)
        elif name.endswith(NIFTI_ENDINGS):
            names = _nifti_names(path)
        else:
            return {}
    except Exception:  # a header that cannot be read has no names; reading the image tells why
        return {}
    if not any(isinstance(meaning_of(text), VertebraLevel) for text in names.values()):
        return {}
    return names


def _nifti_names(path: Path) -> dict[int, str]:
    import nibabel as nib

    header: Any = nib.load(path).header
    names: dict[int, str] = {}
    for extension in header.extensions:
        content = extension.get_content()
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else str(content)
        names.update({int(number): label.strip() for number, label in _TABLE_ROW.findall(text)})
    return {} if all(_BARE_LEVEL.fullmatch(label) for label in names.values()) else names


def _nrrd_names(path: Path) -> dict[int, str]:
    with path.open("rb") as stream:
        head = stream.read(1 << 20).replace(b"\r\n", b"\n").split(b"\n\n", 1)[0].decode("utf-8", "replace")
    fields: dict[str, dict[str, str]] = {}
    for segment, field, value in _SEGMENT_FIELD.findall(head):
        fields.setdefault(segment, {})[field.lower()] = value.strip()
    return {
        int(found["labelvalue"]): found["name"]
        for found in fields.values()
        if found.get("labelvalue", "").isdecimal() and "name" in found
    }
