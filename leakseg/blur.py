"""What lies in a mask blurred, and values looked up, at a few of an array's voxels: nothing is made of the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import bounding_box

T = TypeVar("T", bound=np.generic)
_ENDS = 3.0
"""Where the weights end, in standard deviations."""
_SLICES = 48
"""Slices that are blurred at a time."""


def blurred_at(
    values: NDArray[Any],
    mask: NDArray[np.bool_],
    wanted: NDArray[np.int64],
    sigma: Sequence[float],
    meaning: Callable[[NDArray[Any]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """What a Gaussian blur of the values in a mask, 0 outside it, gives at some voxels.

    The same numbers as over the whole array; blurred is, a few slices at a time, what lies round the mask in them.

    Parameters
    ----------
    values, mask
        ``(K, J, I)``.
    wanted
        Voxels by their flat place, rising; those farther from the mask than the weights reach are 0.
    sigma
        Standard deviation along each axis, in voxels.
    meaning
        What is blurred, of values in the mask.
    """
    from scipy import ndimage

    reach = [int(_ENDS * part + 0.5) for part in sigma]
    blurred, size = np.zeros(len(wanted), np.float32), mask[0].size
    sections = np.zeros((min(_SLICES, len(mask)), *mask.shape[1:]), np.float32)
    for first in range(0, len(mask), _SLICES):
        more = slice(max(0, first - reach[0]), first + _SLICES + reach[0])
        box = bounding_box(mask[more])
        if box is None:
            continue
        rows, columns = (
            slice(max(0, side.start - far), side.stop + far) for side, far in zip(box[1:], reach[1:], strict=True)
        )
        there = mask[more, rows, columns]
        part = np.zeros(there.shape, np.float32)
        part[there] = meaning(values[more, rows, columns][there])
        ndimage.gaussian_filter1d(part, sigma[0], 0, truncate=_ENDS, output=part)
        part = part[first - more.start :][:_SLICES]
        for axis in (1, 2):
            ndimage.gaussian_filter1d(part, sigma[axis], axis, truncate=_ENDS, output=part)
        sections[...] = 0.0
        sections[: len(part), rows, columns] = part
        low, high = np.searchsorted(wanted, [first * size, (first + len(part)) * size])
        blurred[low:high] = sections.ravel()[wanted[low:high] - first * size]
    return blurred


def values_at(array: NDArray[T], wanted: NDArray[np.int64]) -> NDArray[T]:
    """Values at flat places, rising, of a block of a larger array, which is not copied for them as a whole."""
    values, size = np.empty(len(wanted), array.dtype), array[0].size
    ends = np.searchsorted(wanted, np.arange(len(array) + 1) * size)
    for number, section in enumerate(array):
        there = slice(ends[number], ends[number + 1])
        values[there] = section.ravel()[wanted[there] - number * size]
    return values
