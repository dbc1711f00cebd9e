"""Headers of a series' slices, told by their bytes: what a slice has of its own, and the rest in one value.

The slices of a series agree in all but a few attributes. Where one of them has been made sense of, another whose
rest is the same, byte by byte, needs no more than its own values read. Whatever is not written as plainly as scanners
write it (explicit VR, little endian, attributes in order, numbers as numbers) is left to the reader of everything.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_PIXELS, _ITEM, _ITEM_END, _SEQUENCE_END = 0x7FE00010, 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_ELEMENT = struct.Struct("<HH2sH").unpack_from
_SHORT = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
"""Value representations by the size of their length field (PS3.5 7.1.2)."""
_SOP_UID, _POSITION = 0x00080018, 0x00200032
_UID = re.compile(rb"[0-9.]{1,64}\0?")
_NUMBER = rb" *[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)? *"
_POINT = re.compile(rb"\\".join([_NUMBER] * 3))


@dataclass(frozen=True, slots=True)
class PlainHeader:
    """The beginning of one file, up to its pixels: its own values, and those it may share with others."""

    sop_uid: str
    position: tuple[float, float, float]
    pixel_offset: int
    shared: tuple[tuple[int, bytes, bytes], ...]
    """Tag, value representation and value, as they stand in the file."""


def plain_header(head: bytes, own: frozenset[int], shared: frozenset[int]) -> PlainHeader | None:
    """What a file's first bytes say; None where they are not plain, or end before its pixels.

    Parameters
    ----------
    own
        Tags that a slice has of its own.
    shared
        Tags that are asked for besides; no other says anything.
    """
    if head[128:132] != b"DICM":
        return None
    mine: dict[int, bytes] = {}
    others: list[tuple[int, bytes, bytes]] = []
    last = 0
    try:
        for tag, kind, start, end in _elements(head, 132):
            if tag <= last:
                return None
            if tag == _PIXELS:
                return _told(mine, tuple(others), start)
            if tag in own:
                mine[tag] = head[start:end]
            elif tag in shared:
                if kind == b"SQ":
                    return None
                others.append((tag, kind, head[start:end]))
            last = tag
    except (struct.error, ValueError):
        pass
    return None


def _told(own: dict[int, bytes], shared: tuple[tuple[int, bytes, bytes], ...], offset: int) -> PlainHeader | None:
    uid, point = own.get(_SOP_UID, b""), own.get(_POSITION, b"")
    if not _UID.fullmatch(uid) or not _POINT.fullmatch(point):
        return None
    x, y, z = map(float, point.split(b"\\"))
    if not all(map(math.isfinite, (x, y, z))):
        return None
    return PlainHeader(uid.rstrip(b"\0").decode("ascii"), (x, y, z), offset, shared)


def _elements(head: bytes, at: int) -> Iterator[tuple[int, bytes, int, int]]:
    """Tag, value representation, begin and end of each value; of the pixels where their element begins.

    Raises
    ------
    ValueError
        Where the bytes are no such elements.
    struct.error
        Where they end.
    """
    while True:
        group, element, kind, length = _ELEMENT(head, at)
        tag = group << 16 | element
        if tag == _PIXELS:
            yield tag, kind, at, at
            return
        if tag == _ITEM_END:
            yield tag, kind, at, at + 8
            return
        start = at + 8
        if kind in _LONG:
            (length,) = struct.unpack_from("<I", head, start)
            start += 4
        elif kind not in _SHORT:
            raise ValueError(kind)
        at = _after_items(head, start) if length == _UNDEFINED else start + length
        if at > len(head):
            raise ValueError(at)
        yield tag, kind, start, at


def _after_items(head: bytes, at: int) -> int:
    """Where a sequence of undefined length ends."""
    while True:
        group, element, length = struct.unpack_from("<HHI", head, at)
        tag, at = group << 16 | element, at + 8
        if tag == _SEQUENCE_END:
            return at
        if tag != _ITEM:
            raise ValueError(tag)
        if length == _UNDEFINED:
            *_, (tag, _, _, at) = _elements(head, at)
            if tag != _ITEM_END:
                raise ValueError(tag)
        else:
            at += length
