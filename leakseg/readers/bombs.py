"""DICOM files that would take minutes or gigabytes to parse, told before anybody parses them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

LARGEST_BYTES = 1 << 30
"""More than any deflated CT object holds; deflate packs zeros a thousandfold, so that 10 MB may become 10 GB."""
MOST_ITEMS = 200_000
"""Sequence items in a file; an enhanced CT of 5000 frames has 50,000, and a million take minutes to parse."""
_ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
"""The tag that begins an item (PS3.5 7.5), little and big endian."""
_ITEM_BYTES = 8
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_DEFLATE_RATIO = 1032
_HEAD_BYTES = 1024
_CHUNK_BYTES = 1 << 20


def bomb_in(stream: BinaryIO) -> str | None:
    """What makes this file too much to parse, in one sentence; leaves the stream at its start."""
    stream.seek(0, 2)
    size = stream.tell()
    stream.seek(0)
    if size <= LARGEST_BYTES // _DEFLATE_RATIO:  # neither can be: nothing more is read
        return None
    deflated = _DEFLATED in stream.read(_HEAD_BYTES)
    stream.seek(0)
    if size <= MOST_ITEMS * _ITEM_BYTES and not deflated:
        return None
    unpacked = items = 0
    for chunk in _unpacked(stream) if deflated else _chunks(stream):
        unpacked += len(chunk) if deflated else 0
        items += max(chunk.count(tag) for tag in _ITEMS)
        if unpacked > LARGEST_BYTES:
            return f"Deflated data that become larger than {LARGEST_BYTES >> 20} MB: no CT, or damaged."
        if items > MOST_ITEMS:
            return f"More than {MOST_ITEMS} items in its sequences: no CT, or damaged."
    stream.seek(0)
    return None


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


def _unpacked(stream: BinaryIO) -> Iterator[bytes]:
    """What stands behind the meta header, which is never deflated (PS3.10 7.1)."""
    from pydicom.filereader import data_element_generator, read_preamble

    read_preamble(stream, force=False)
    for _ in data_element_generator(stream, False, True, stop_when=lambda tag, *_: tag >> 16 != 2):
        pass
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    chunk = stream.read(_CHUNK_BYTES)
    while chunk and not unpacker.eof:
        yield unpacker.decompress(chunk, _CHUNK_BYTES)
        chunk = unpacker.unconsumed_tail or stream.read(_CHUNK_BYTES)
