"""What a compressed frame says of itself, read before a decoder in native code is handed it.

Decoders believe the frame, not the DICOM header, and some of them crash the whole process over one that lies.
"""

from __future__ import annotations

from leakseg.errors import SeriesError
from leakseg.readers.headers import ImageHeader

_START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""JPEG's markers that give the size (ITU-T T.81 table B.1), and JPEG-LS's (ITU-T T.87 C.2.2)."""
_START_OF_SCAN = 0xDA
_SEGMENTS = {*range(0xC0, 0xD0), *range(0xDB, 0xF0), 0xF7, 0xF8, 0xFE}
"""Markers before a scan that a length and as many bytes follow; no other may stand there."""
_JPEG2000_SIZE = b"\xff\x4f\xff\x51"


def check_frame(frame: bytes, image: ImageHeader) -> None:
    """Whether the frame has the size and the bits that the DICOM header says.

    Raises
    ------
    SeriesError
        Where it has not, or does not say.
    """
    told = _jpeg2000(frame) if frame.startswith(_JPEG2000_SIZE) else _jpeg(frame)
    if told is None:
        raise SeriesError("The pixel data of a slice are damaged: the compressed image does not say how large it is.")
    bits, rows, columns, samples = told
    if (rows, columns) != (image.rows, image.columns) or samples != 1 or not 2 <= bits <= image.bits_allocated:
        raise SeriesError(
            f"The compressed image of a slice is {rows} x {columns} pixels of {samples} x {bits} bits where its header "
            f"says {image.rows} x {image.columns} of 1 x {image.bits_allocated} at the most. Export the series again."
        )


def _jpeg(frame: bytes) -> tuple[int, int, int, int] | None:
    """Bits, rows, columns and samples of a JPEG or JPEG-LS frame; None where its segments do not lead to its scan.

    GDCM passes over stray bytes between segments, and then ends the process over some of them.
    """
    told = None
    at = 2 if frame.startswith(b"\xff\xd8") else len(frame)
    while at + 10 <= len(frame):
        if frame[at] != 0xFF:
            return None
        marker = frame[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        if marker == _START_OF_SCAN:
            return told
        if marker not in _SEGMENTS:
            return None
        if marker in _START_OF_FRAME:
            rows, columns = (int.from_bytes(frame[at + 5 + k : at + 7 + k], "big") for k in (0, 2))
            told = frame[at + 4], rows, columns, frame[at + 9]
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None


def _jpeg2000(frame: bytes) -> tuple[int, int, int, int] | None:
    """The same of a JPEG 2000 codestream (ITU-T T.800 A.5.1)."""
    if len(frame) < 43:
        return None
    right, bottom, left, top = (int.from_bytes(frame[8 + 4 * k : 12 + 4 * k], "big") for k in range(4))
    samples = int.from_bytes(frame[40:42], "big")
    return (frame[42] & 0x7F) + 1, bottom - top, right - left, samples
