"""Files in which scans are sent but that hold none to be read as they are: archives and images of discs."""

from __future__ import annotations

from typing import BinaryIO

_ARCHIVES = {b"PK\x03\x04": "ZIP", b"7z\xbc\xaf": "7z", b"Rar!": "RAR", b"\x1f\x8b": "gzip"}
"""First bytes of archives, and by what name people know them."""
_DISC_AT, _DISCS = 32769, frozenset({b"CD001", b"BEA01"})
"""Where the image of a disc says what it is, and how (ISO 9660, UDF)."""


def what_it_is(head: bytes, stream: BinaryIO) -> str:
    """What a file is that is no scan, and what to do; ``head`` are its first bytes."""
    archive = next((name for mark, name in _ARCHIVES.items() if head.startswith(mark)), None)
    if archive:
        return f"A packed archive ({archive}): unpack it, and name the folder that comes out of it."
    stream.seek(_DISC_AT)
    if stream.read(5) in _DISCS:
        return "The image of a disc (ISO): open (mount) it, and name the drive or folder that comes out of it."
    return "Not DICOM (no DICM mark, and no header at its start), NIfTI or NRRD."
