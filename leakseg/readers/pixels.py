"""Stored pixel values of one slice: straight from the file where they lie there plainly, else decoded.

Which decoder reads what is fixed, not left to what happens to be installed: RLE by pylibjpeg-rle, JPEG 2000 and
its high-throughput kind by OpenJPEG, everything else by GDCM.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.errors import SeriesError
from leakseg.readers.codestream import check_frame
from leakseg.readers.headers import NATIVE, NATIVE_LITTLE, ImageHeader, SliceHeader, quiet

_RLE = "1.2.840.10008.1.2.5"
_JPEG_2000 = frozenset(f"1.2.840.10008.1.2.4.{kind}" for kind in (90, 91, 201, 202, 203))
"""With and without loss, and high-throughput, which GDCM does not read."""
_DEFLATED = "1.2.840.10008.1.2.1.99"
_GDCM_ALONE = ("1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55")
"""12-bit extended, spectral-selection and progressive JPEG, which pydicom's decoders leave out."""
_PANIC = "PanicException"
"""What the RLE decoder, written in Rust, raises of damaged data; it is no `Exception`."""
_LONG_VALUES = (b"OB", b"OW", b"OL", b"UN")


class PixelReader:
    """Reads slice after slice; keeps the last decoded multi-frame file, so that frames decode once."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._decoded: NDArray[Any] = np.empty((0, 0, 0))

    def read(self, one: SliceHeader) -> NDArray[Any]:
        """``(rows, columns)`` integers as stored, sign and unused bits settled.

        Raises
        ------
        SeriesError
            Where the pixel data are absent, cut short, damaged, or in a form that no decoder here reads.
        """
        image = one.image
        try:
            if one.pixel_offset is not None:
                return settled(_native(one), image)
            if self._path != one.path:
                self._decoded = _decoded(one.path, image)
                self._path = one.path
            frame = self._decoded[one.frame]
        except SeriesError:
            raise
        except OSError as error:
            raise SeriesError(f"A slice cannot be read: {error.strerror or type(error).__name__}.") from error
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__name__ != _PANIC:
                raise
            syntax = " ".join(image.transfer_syntax.split()) or "unknown"
            raise SeriesError(
                f"The pixel data of a slice cannot be decoded (transfer syntax {syntax}): the file is damaged, or "
                "of a kind that leakseg does not read. Export the series again, uncompressed."
            ) from error
        if frame.shape != (image.rows, image.columns):
            raise SeriesError(f"A slice decodes to {frame.shape} pixels where its header says {image.rows} rows.")
        return settled(frame, image)


def settled(pixels: NDArray[Any], image: ImageHeader) -> NDArray[Any]:
    """Only the bits stored, with the sign that the header says (PS3.5 8.1.1).

    Raises
    ------
    SeriesError
        Where they do not lie within a pixel.
    """
    allocated = pixels.dtype.itemsize * 8
    low = image.high_bit - image.bits_stored + 1
    if not 0 <= low <= image.high_bit < allocated:
        raise SeriesError(
            f"A slice stores {image.bits_stored} bits up to bit {image.high_bit}, and its pixels have {allocated}: "
            "the header is damaged. Export the series again."
        )
    if image.bits_stored == allocated and low == 0:
        return pixels
    wanted = np.dtype(f"i{pixels.dtype.itemsize}" if image.signed else f"u{pixels.dtype.itemsize}")
    shifted = pixels.astype(wanted) << (allocated - 1 - image.high_bit)
    settled: NDArray[Any] = shifted >> (allocated - image.bits_stored)
    return settled


def _native(one: SliceHeader) -> NDArray[Any]:
    image = one.image
    assert one.pixel_offset is not None
    order = "<" if image.transfer_syntax in NATIVE_LITTLE or not image.transfer_syntax else ">"
    kind = np.dtype(f"{order}{'i' if image.signed else 'u'}{image.bits_allocated // 8}")
    pixels = np.empty((image.rows, image.columns), dtype=kind)
    with one.path.open("rb") as stream:
        stream.seek(one.pixel_offset)
        length = _value_length(stream, "little" if order == "<" else "big")
        expected = pixels.nbytes * one.frames
        present = min(length, one.file_size - stream.tell())
        if present < expected:
            raise SeriesError(
                f"The pixel data of a slice are cut short: {max(present, 0)} bytes where {expected} are expected. "
                "Copy or export the series again."
            )
        if not image.transfer_syntax and length not in {expected, expected + 1}:
            raise SeriesError("A file does not say how its pixels are coded (no TransferSyntaxUID).")
        stream.seek(pixels.nbytes * one.frame, 1)
        if stream.readinto(pixels) != pixels.nbytes:  # type: ignore[arg-type]  # an array is a buffer
            raise SeriesError("The pixel data of a slice are cut short. Copy or export the series again.")
    return pixels if order == "<" else pixels.astype(kind.newbyteorder("<"))


def _value_length(stream: Any, order: Any) -> int:
    """Length of the Pixel Data element that begins here; leaves the stream at its value."""
    head = stream.read(8)
    if len(head) < 8:
        raise SeriesError("A file of the series holds no pixel data.")
    if head[4:6] in _LONG_VALUES:
        return int.from_bytes(stream.read(4), order)
    return int.from_bytes(head[4:8], order)


def _decoded(path: Path, image: ImageHeader) -> NDArray[Any]:
    """All frames of a file, ``(frames, rows, columns)``."""
    import pydicom
    from pydicom.pixels.decoders.base import get_decoder

    if image.transfer_syntax in _GDCM_ALONE:
        return _by_gdcm(path, image)
    with quiet():
        dataset = pydicom.dcmread(path)
        if "PixelData" not in dataset:
            raise SeriesError("A file of the series holds no pixel data, or they are cut short. Export it again.")
        if image.transfer_syntax in {*NATIVE, _DEFLATED}:
            pixels = dataset.pixel_array
        else:
            plugin = "pylibjpeg" if image.transfer_syntax in {_RLE, *_JPEG_2000} else "gdcm"
            decoder = get_decoder(image.transfer_syntax)
            if image.transfer_syntax != _RLE:
                _check_frames(dataset, image)
            pixels, _ = decoder.as_array(dataset, decoding_plugin=plugin)
    return pixels if pixels.ndim == 3 else pixels[np.newaxis]


def _check_frames(dataset: Any, image: ImageHeader) -> None:
    from pydicom.encaps import generate_frames

    for frame in generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1)):
        check_frame(frame, image)


def _by_gdcm(path: Path, image: ImageHeader) -> NDArray[Any]:
    import gdcm
    import pydicom

    with quiet():
        _check_frames(pydicom.dcmread(path), image)
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    if not reader.Read():
        raise SeriesError("The pixel data of a slice are damaged. Export the series again.")
    buffer = reader.GetImage().GetBuffer()
    data = buffer.encode("utf-8", "surrogateescape") if isinstance(buffer, str) else buffer
    kind = np.dtype(f"<{'i' if image.signed else 'u'}{image.bits_allocated // 8}")
    return np.frombuffer(data, dtype=kind).reshape(-1, image.rows, image.columns)
