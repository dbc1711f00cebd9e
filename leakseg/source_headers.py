"""Headers of the files that DICOM results refer to; what the slices of a series have in common is read once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from leakseg.plain_header import PlainHeader, plain_header
from leakseg.volume import ScanSource

_HEAD_BYTES, _MORE_BYTES = 1 << 14, 3 << 14
"""What is read of a file to look for its header: of most it is enough, of the rest so much more is."""
_NAMES_ONE = re.compile(r"[\w.-]*", re.ASCII)
_SOP_UID, _POSITION = 0x00080018, 0x00200032
_OWN = frozenset({_SOP_UID, _POSITION})
"""What a slice has of its own, its UID and its position ..."""
_SHARED = frozenset({0x00080016, 0x0020000E, 0x00200052, 0x52009229, 0x52009230})
"""... and what else is asked of every slice: its class, series, frame of reference and functional groups."""


def source_headers(source: ScanSource) -> Iterator[Any]:
    """Headers of the series' files, pixels unread.

    A file that agrees with one before it in all that is asked of every slice has no more than that.
    """
    import pydicom

    known: dict[Any, Any] = {}
    for path in source.files:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
            plain = plain_header(head, _OWN, _SHARED)
            plain = plain or plain_header(head + stream.read(_MORE_BYTES), _OWN, _SHARED)
        like = known.get(plain.shared) if plain else None
        if plain and like is not None:
            dataset = _slice_like(like, plain)
        else:
            dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            if plain:
                known[plain.shared] = dataset
        if source.series_instance_uid in {None, uid_of(dataset, "SeriesInstanceUID")}:
            yield dataset


def _slice_like(dataset: Any, plain: PlainHeader) -> Any:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    own = (
        DataElement(_SOP_UID, "UI", plain.sop_uid),
        DataElement(_POSITION, "DS", list(plain.position), already_converted=True),
    )
    shared = (element for tag in _SHARED if (element := dataset.get_item(tag)) is not None)
    return Dataset({element.tag: element for element in (*own, *shared)})


def uid_of(dataset: Any, keyword: str) -> str:
    """A UID as text, empty where it is absent, several, or in letters that no UID has.

    Without the cost of pydicom's conversions: it is asked of every slice.
    """
    element = dataset.get_item(keyword)
    value = None if element is None else element.value
    text = (value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")).strip(" \0")
    return text if _NAMES_ONE.fullmatch(text) else ""
