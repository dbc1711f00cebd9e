"""What lies in a mask blurred, where it is asked for: little is made of the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Meaning: TypeAlias = Callable[[NDArray[Any]], NDArray[np.float32]]
Index: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
_ENDS = 3.0
"""Where the weights end, in standard deviations."""
_SLICES = 24
"""Slices that are blurred at a time."""
_AT_ONCE = 1 << 12
"""Voxels whose rows are weighed at a time."""


def blurred_at(
    values: NDArray[Any], mask: NDArray[np.bool_], index: Index, sigma: Sequence[float], meaning: Meaning
) -> NDArray[np.float32]:
    """A Gaussian blur of the values in a mask, 0 outside it, at some voxels: the same numbers as of the whole array.

    Parameters
    ----------
    values, mask
        ``(K, J, I)``.
    index
        The voxels, slice after slice.
    sigma
        Standard deviation along each axis, in voxels.
    meaning
        What is blurred, of values in the mask.
    """
    from scipy import ndimage

    reach = [int(_ENDS * part + 0.5) for part in sigma]
    blurred = np.empty(len(index[0]), np.float32)
    for first in range(0, len(mask), _SLICES):
        some = slice(*np.searchsorted(index[0], (first, first + _SLICES)).tolist())
        if some.start == some.stop:
            continue
        k, j, i = (along[some] for along in index)
        upright = slice(max(0, first - reach[0]), first + _SLICES + reach[0])
        rows, columns = (
            slice(max(0, int(along.min()) - far), int(along.max()) + 1 + far)
            for along, far in zip((j, i), reach[1:], strict=True)
        )
        own = slice(first - upright.start, first - upright.start + _SLICES)
        part = _blurred_upward(values[upright, rows, columns], mask[upright, rows, columns], sigma[0], meaning, own)
        ndimage.gaussian_filter1d(part, sigma[1], 1, truncate=_ENDS, output=part)
        blurred[some] = _blurred_along_rows(part, (k - first, j - rows.start, i - columns.start), sigma[2], reach[2])
    return blurred


def _blurred_upward(
    values: NDArray[Any], mask: NDArray[np.bool_], sigma: float, meaning: Meaning, wanted: slice
) -> NDArray[np.float32]:
    """The values in a mask blurred from slice to slice, in the slices wanted: only where a line meets the mask."""
    from scipy import ndimage

    lines = np.flatnonzero(mask.any(axis=0))
    there = mask.reshape(len(mask), -1).take(lines, axis=1)
    part = np.zeros(there.shape, np.float32)
    part[there] = meaning(values[mask])
    ndimage.gaussian_filter1d(part, sigma, 0, truncate=_ENDS, output=part)
    part = part[wanted]
    blurred = np.zeros((len(part), *mask.shape[1:]), np.float32)
    blurred.reshape(len(part), -1)[:, lines] = part
    return blurred


def _blurred_along_rows(part: NDArray[np.float32], index: Index, sigma: float, reach: int) -> NDArray[np.float32]:
    """The blur along rows at some voxels, weighed and summed as `scipy.ndimage.gaussian_filter1d` does it."""
    from scipy import ndimage

    impulse = np.zeros(2 * reach + 1)
    impulse[reach] = 1.0
    weights = ndimage.gaussian_filter1d(impulse, sigma, truncate=_ENDS, mode="constant")
    k, j, i = index
    before, after = max(0, reach - int(i.min())), max(0, int(i.max()) + reach + 1 - part.shape[2])
    if before or after:
        part = np.pad(part, ((0, 0), (0, 0), (before, after)), mode="symmetric")
    at = np.ravel_multi_index((k, j, i + before - reach), part.shape)
    rows = np.lib.stride_tricks.sliding_window_view(part.ravel(), len(weights))
    blurred = np.empty(len(at), np.float32)
    for first in range(0, len(at), _AT_ONCE):
        row = rows[at[first : first + _AT_ONCE]].T.astype(np.float64)
        total = row[reach] * weights[reach]
        for one, other, weight in zip(row[:reach], row[:reach:-1], weights[:reach], strict=True):
            total += (one + other) * weight
        blurred[first : first + _AT_ONCE] = total
    return blurred
