"""What lies within reach of a mask: the same answers as over the whole array, from a window round the mask."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import bounding_box

Window: TypeAlias = tuple[slice, slice, slice]
"""A block of an array."""


def window_round(
    mask: NDArray[Any], reach_mm: float, spacing_mm: tuple[float, float, float], spare: int = 1
) -> Window | None:
    """The block that holds a mask and everything within reach of it; None where the mask is empty."""
    box = bounding_box(mask)
    return None if box is None else widened(box, mask.shape, reach_mm, spacing_mm, spare)


def widened(
    box: tuple[slice, ...],
    shape: tuple[int, ...],
    reach_mm: float,
    spacing_mm: tuple[float, float, float],
    spare: int = 1,
) -> Window:
    """A block and everything within reach of it, within an array of that shape."""
    sides = []
    for part, size, step in zip(box, shape, spacing_mm, strict=True):
        reach = int(np.ceil(reach_mm / step)) + spare
        sides.append(slice(max(0, part.start - reach), min(size, part.stop + reach)))
    return (sides[0], sides[1], sides[2])


def within(window: tuple[slice, ...], outer: tuple[slice, ...]) -> Window:
    """The place in the whole array of a block of a block."""
    sides = [slice(big.start + part.start, big.start + part.stop) for part, big in zip(window, outer, strict=True)]
    return (sides[0], sides[1], sides[2])


def near(mask: NDArray[np.bool_], reach_mm: float, spacing_mm: tuple[float, float, float]) -> NDArray[np.bool_]:
    """Whether a voxel lies at most that far from a voxel of the mask (its own voxels included)."""
    import edt

    result = np.zeros(mask.shape, np.bool_)
    window = window_round(mask, reach_mm, spacing_mm)
    if window is not None:
        result[window] = edt.edt(~mask[window], anisotropy=spacing_mm, black_border=False) <= reach_mm
    return result


def grown(mask: NDArray[np.bool_], connectivity: int) -> NDArray[np.bool_]:
    """The mask and its neighbours over faces (1), edges (2) or corners (3)."""
    from scipy import ndimage

    result = np.zeros(mask.shape, np.bool_)
    window = bounding_box(mask, 1)
    if window is not None:
        structure = ndimage.generate_binary_structure(3, connectivity)
        result[window] = ndimage.binary_dilation(mask[window], structure)
    return result
