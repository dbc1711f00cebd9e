"""From stored values to Hounsfield units: rescale slice by slice, padding, and the end of the range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.allocator import in_huge_pages
from leakseg.errors import GeometryError
from leakseg.findings import QualityNote
from leakseg.readers.headers import ImageHeader
from leakseg.readers.pixels import PixelReader
from leakseg.readers.stack import Stack

AIR_HU = -1024
"""Value given to voxels in which nothing was measured."""
_INT16 = np.iinfo(np.int16)
_TWELVE_BIT_TOP = 4095


@dataclass(frozen=True, eq=False)
class Densities:
    """``(count, rows, columns)`` HU in the stack's order, missing slices not yet filled."""

    hu: NDArray[Any]
    padding: NDArray[np.bool_] | None
    clip_hu: float | None
    notes: tuple[QualityNote, ...]


def densities_of(stack: Stack) -> Densities:
    """Read all slices of a stack.

    HU = slope * stored + intercept, for each slice its own (PS3.3 C.11.1.1.2). The array is int16 where
    every slope is 1 and every intercept a whole number, else float32.

    Raises
    ------
    SeriesError
        Where a slice cannot be decoded.
    GeometryError
        Where two slices at one place differ.
    """
    images = {one.image for one in stack.slices}
    whole = all(image.slope == 1 and float(image.intercept or 0).is_integer() for image in images)
    first = stack.slices[0].image
    hu = in_huge_pages((stack.count, first.rows, first.columns), np.int16 if whole else np.float32)
    padding = np.zeros(hu.shape, dtype=np.bool_) if any(image.padding for image in images) else None
    reader = PixelReader()
    out_of_range = 0
    tops = np.full(stack.count, np.nan)
    reached = np.zeros(stack.count, dtype=np.int64)
    for number, (one, place) in enumerate(zip(stack.slices, stack.index, strict=True)):
        stored = reader.read(one)
        _same_as_doubles(stack, number, stored)
        out_of_range += _rescale(stored, one.image, hu[place])
        if padding is not None and one.image.padding:
            low, high = one.image.padding
            padding[place] = (stored >= low) & (stored <= high)
            hu[place][padding[place]] = AIR_HU
        tops[place], reached[place] = _at_the_top(stored, one.image)
    notes = []
    if padding is not None and padding.any():
        notes.append(_padding_note(padding, images))
    elif padding is not None:
        padding = None
    if out_of_range:
        cut_off = f"Densities beyond {_INT16.max} HU were cut off there (voxels: {out_of_range})."
        notes.append(QualityNote("hu_out_of_range", "warning", cut_off))
    clip = float(np.nanmin(tops[reached > 0])) if reached.any() else None
    if clip is not None:
        notes.append(
            QualityNote(
                "hu_clipped",
                "info",
                f"The densities reach the upper end of the stored range ({clip:g} HU, voxels: {int(reached.sum())}); "
                "what is denser cannot be told from it.",
            )
        )
    return Densities(hu, padding, clip, tuple(notes))


def _rescale(stored: NDArray[Any], image: ImageHeader, out: NDArray[Any]) -> int:
    """Write HU into ``out``; how many voxels did not fit."""
    slope, intercept = float(image.slope or 0), float(image.intercept or 0)
    if out.dtype == np.float32:
        np.multiply(stored, slope, out=out, casting="unsafe", dtype=np.float32)
        out += np.float32(intercept)
        return 0
    if int(stored.min()) + intercept >= _INT16.min and int(stored.max()) + intercept <= _INT16.max:
        if stored.dtype.itemsize == _INT16.dtype.itemsize:  # the sum fits, so the sign bit may pass for one
            np.add(stored.view(np.int16), np.int16(intercept), out=out)
        else:
            np.add(stored, np.int16(intercept), out=out, casting="unsafe", dtype=np.int16)
        return 0
    wide = stored.astype(np.int64) + int(intercept)
    np.copyto(out, np.clip(wide, _INT16.min, _INT16.max), casting="unsafe")
    return int((wide > _INT16.max).sum())


def _at_the_top(stored: NDArray[Any], image: ImageHeader) -> tuple[float, int]:
    """HU at the end of the range that the slice reaches, and how many voxels do.

    Many scanners keep 12-bit values in 16 bits; their end is 4095 as stored, or 3071 HU.
    """
    slope, intercept = float(image.slope or 0), float(image.intercept or 0)
    highest = int(stored.max())
    ends = {_stored_range(image)[1], _TWELVE_BIT_TOP, round((3071 - intercept) / slope)}
    if highest not in ends or slope <= 0:
        return np.nan, 0
    return slope * highest + intercept, int((stored == highest).sum())


def _stored_range(image: ImageHeader) -> tuple[int, int]:
    bits = image.bits_stored
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if image.signed else (0, (1 << bits) - 1)


def _same_as_doubles(stack: Stack, number: int, stored: NDArray[Any]) -> None:
    one = stack.slices[number]
    for other in stack.doubles.get(number, ()):
        same = (other.image.slope, other.image.intercept) == (one.image.slope, one.image.intercept)
        if same and np.array_equal(PixelReader().read(other), stored):
            continue
        axis = int(np.argmax(np.abs(stack.normal)))
        position = (one.position or (0.0, 0.0, 0.0))[axis]
        places = len(stack.doubles)
        what = "Two stacks in one series" if places * 2 >= len(stack.slices) else "Double position"
        raise GeometryError(
            f"{what}: different slices lie at the same place ({places} place{'s' * (places > 1)}, first at "
            f"{'xyz'[axis]} = {position:.2f} mm). Export each acquisition as a series of its own."
        )


def _padding_note(padding: NDArray[np.bool_], images: Sequence[ImageHeader] | set[ImageHeader]) -> QualityNote:
    values = [
        float(image.slope or 0) * image.padding[1] + float(image.intercept or 0) for image in images if image.padding
    ]
    tissue = max(values) > -900
    return QualityNote(
        "pixel_padding",
        "warning" if tissue else "info",
        f"{padding.mean():.1%} of the voxels are padding (nothing measured there), set to {AIR_HU} HU"
        + (f"; the padding value would be {max(values):g} HU, which tissue may have too." if tissue else "."),
    )
