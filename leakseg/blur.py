"""What lies in a mask blurred, in the blocks that hold what is asked for: nothing is made of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from leakseg.bits import Bits
from leakseg.geometry import bounding_box
from leakseg.reach import Window

Meaning: TypeAlias = Callable[[NDArray[Any]], NDArray[np.float32]]
_ENDS = 3.0
"""Where the weights end, in standard deviations."""
_SLICES = 24
"""Slices that are blurred at a time."""


def blurred_blocks(
    values: NDArray[Any], mask: NDArray[np.bool_], wanted: Bits, sigma: Sequence[float], meaning: Meaning
) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    """A Gaussian blur of the values in a mask, 0 outside it: each block that holds wanted voxels, and the blur there.

    At those voxels the same numbers as over the whole array.

    Parameters
    ----------
    values, mask
        ``(K, J, I)``.
    sigma
        Standard deviation along each axis, in voxels.
    meaning
        What is blurred, of values in the mask.
    """
    from scipy import ndimage

    reach = [int(_ENDS * part + 0.5) for part in sigma]
    for first in range(0, len(mask), _SLICES):
        box = bounding_box(wanted.sections(slice(first, first + _SLICES)).mask())
        if box is None:
            continue
        more = slice(max(0, first - reach[0]), first + _SLICES + reach[0])
        rows, columns = (
            slice(max(0, side.start - far), side.stop + far) for side, far in zip(box[1:], reach[1:], strict=True)
        )
        part = _blurred_upward(values[more, rows, columns], mask[more, rows, columns], sigma[0], meaning)
        part = part[first - more.start :][:_SLICES]
        for axis in (1, 2):
            ndimage.gaussian_filter1d(part, sigma[axis], axis, truncate=_ENDS, output=part)
        yield (slice(first, first + len(part)), rows, columns), part


def _blurred_upward(
    values: NDArray[Any], mask: NDArray[np.bool_], sigma: float, meaning: Meaning
) -> NDArray[np.float32]:
    """The values in a mask blurred from slice to slice, only where a line that way meets the mask."""
    from scipy import ndimage

    lines = np.flatnonzero(mask.any(axis=0))
    there = mask.reshape(len(mask), -1).take(lines, axis=1)
    part = np.zeros(there.shape, np.float32)
    part[there] = meaning(values[mask])
    ndimage.gaussian_filter1d(part, sigma, 0, truncate=_ENDS, output=part)
    blurred = np.zeros(mask.shape, np.float32)
    blurred.reshape(len(mask), -1)[:, lines] = part
    return blurred
