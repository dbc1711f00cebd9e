"""Headers of files, one after another: what the slices of a series have in common is made sense of once."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from leakseg.plain_header import plain_header
from leakseg.readers.bombs import bomb_in
from leakseg.readers.headers import (
    OWN_TAGS,
    ImageHeader,
    SliceHeader,
    UnreadableError,
    asked_for,
    quiet,
    read_dataset,
    slices_of,
)

_HEAD_BYTES = 1 << 14
_MOST_HEAD_BYTES = 1 << 20
"""What is read of a file to look for its header at first, and at most."""
_BESIDES = frozenset({0x00020002, 0x00020010, 0x00080005})
"""What else bears on the meaning of a header: media storage class, transfer syntax, character set."""


class HeaderReader:
    """Reads header after header.

    Two files whose bytes agree in every attribute but a slice's own share one `ImageHeader`.
    """

    def __init__(self) -> None:
        self._images: dict[tuple[Any, ...], ImageHeader] = {}
        self._alike: dict[tuple[Any, ...], SliceHeader] = {}
        self._head_bytes = _HEAD_BYTES

    def read(self, path: Path) -> list[SliceHeader]:
        """The slices of one DICOM file, pixels unread.

        Raises
        ------
        UnreadableError
            Where the file is not DICOM, or its header does not say which series it belongs to.
        """
        try:
            with path.open("rb") as stream:
                return self._slices(stream, path)
        except UnreadableError:
            raise
        except OSError as error:
            told = error.strerror or "its header is damaged"
            raise UnreadableError(f"Cannot be read: {told}.") from error
        except Exception as error:
            raise UnreadableError("Not readable as DICOM: its header is damaged.") from error

    def _slices(self, stream: BinaryIO, path: Path) -> list[SliceHeader]:
        size = os.fstat(stream.fileno()).st_size
        plain = plain_header(stream.read(self._head_bytes), OWN_TAGS, _shared_tags())
        like = self._alike.get(plain.shared) if plain else None
        if plain and like and not bomb_in(stream):
            offset = None if like.pixel_offset is None else plain.pixel_offset
            return [SliceHeader(like.image, path, 0, 1, plain.sop_uid, plain.position, offset, size)]
        stream.seek(0)
        with quiet():
            dataset = read_dataset(stream)
            offset = stream.tell() if not stream.closed else None
            slices = slices_of(dataset, path, offset, size, self._images)
        if plain and len(slices) == 1:
            self._alike[plain.shared] = slices[0]
        self._head_bytes = min(max(self._head_bytes, (offset or 0) + _HEAD_BYTES), _MOST_HEAD_BYTES)
        return slices


def read_headers(path: Path) -> list[SliceHeader]:
    """The slices of one DICOM file by itself; see `HeaderReader.read`."""
    return HeaderReader().read(path)


@cache
def _shared_tags() -> frozenset[int]:
    return frozenset(map(int, asked_for())) - OWN_TAGS | _BESIDES
