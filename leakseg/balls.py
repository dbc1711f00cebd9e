"""Masks grown by a ball of millimetres, 64 voxels of a row in one machine word.

The answers are those of a distance map held against a reach, at a small part of its cost: whether is asked, not how
far.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_WORD = 64
_WORDS = np.dtype(np.uint64).newbyteorder("<")


def grown_by(
    mask: NDArray[np.bool_], reach_mm: float, spacing_mm: tuple[float, float, float], surface_mm: float = 0.0
) -> NDArray[np.bool_]:
    """Whether a voxel's distance to the mask's voxels, less ``surface_mm``, is at most ``reach_mm``.

    What lies beyond the array is not in the mask.
    """
    widths = _half_widths(reach_mm, spacing_mm, surface_mm)
    rows = _packed(mask)
    wider = [rows]
    for _ in range(int(widths.max())):
        wider.append(_one_wider(wider[-1]))
    grown = np.zeros_like(rows)
    for far, row_widths in enumerate(widths):
        layer = np.zeros_like(rows)
        for aside, width in enumerate(row_widths[row_widths >= 0]):
            _add_moved(layer, wider[width], aside, axis=1)
        _add_moved(grown, layer, far, axis=0)
    return np.unpackbits(grown.view(np.uint8), axis=-1, count=mask.shape[2], bitorder="little").view(np.bool_)


@lru_cache(maxsize=64)
def _half_widths(
    reach_mm: float, spacing_mm: tuple[float, float, float], surface_mm: float
) -> NDArray[np.signedinteger]:
    """How far the ball reaches along a row, by the row's distance over slices and rows; -1 where it does not."""
    import edt

    size = [int(np.ceil((reach_mm + surface_mm) / step)) + 2 for step in spacing_mm]
    elsewhere = np.ones(size, np.bool_)
    elsewhere[0, 0, 0] = False
    distance = edt.edt(elsewhere, anisotropy=spacing_mm, black_border=False)  # a distance map's own rounding
    within = np.maximum(distance - np.float32(surface_mm), 0.0) <= np.float32(reach_mm)
    widths = within.sum(axis=2) - 1
    return np.asarray(widths[widths.max(axis=1) >= 0])


def _packed(mask: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """``(K, J, words)``: the first voxel of a row is the first word's lowest bit."""
    packed = np.packbits(mask, axis=-1, bitorder="little")
    words = -(-mask.shape[2] // _WORD)
    rows = np.zeros((*mask.shape[:2], words * 8), np.uint8)
    rows[..., : packed.shape[2]] = packed
    return rows.view(_WORDS)


def _one_wider(rows: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every voxel with its two neighbours in the row."""
    one, rest = np.uint64(1), np.uint64(_WORD - 1)
    wider = (rows << one) | (rows >> one) | rows
    wider[..., 1:] |= rows[..., :-1] >> rest
    wider[..., :-1] |= rows[..., 1:] << rest
    return wider


def _add_moved(rows: NDArray[np.uint64], more: NDArray[np.uint64], steps: int, *, axis: int) -> None:
    """Add ``more``, moved by so many steps to both sides along an axis."""
    if steps == 0:
        rows |= more
        return
    front, rear = [slice(None)] * 3, [slice(None)] * 3
    front[axis], rear[axis] = slice(None, -steps), slice(steps, None)
    rows[tuple(rear)] |= more[tuple(front)]
    rows[tuple(front)] |= more[tuple(rear)]
