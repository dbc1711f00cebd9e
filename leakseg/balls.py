"""Masks grown by a ball of millimetres, 64 voxels of a row in one machine word.

The answers are those of a distance map held against a reach, at a small part of its cost: whether is asked, not how
far.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from leakseg.bits import WORD, Bits

_ONE, _REST = np.uint64(1), np.uint64(WORD - 1)
_AT_ONCE = 1 << 14
"""Words that are grown at a time."""


def grown_by(
    mask: NDArray[np.bool_], reach_mm: float, spacing_mm: tuple[float, float, float], surface_mm: float = 0.0
) -> NDArray[np.bool_]:
    """Whether a voxel's distance to the mask's voxels, less ``surface_mm``, is at most ``reach_mm``.

    What lies beyond the array is not in the mask.
    """
    return grown_bits(Bits.of(mask), reach_mm, spacing_mm, surface_mm).mask()


def worn_by(
    mask: NDArray[np.bool_], reach_mm: float, spacing_mm: tuple[float, float, float], surface_mm: float = 0.0
) -> NDArray[np.bool_]:
    """The mask without what `grown_by` makes of the voxels outside it.

    What lies beyond the array is not outside: its border wears nothing away.
    """
    return worn_bits(Bits.of(mask), reach_mm, spacing_mm, surface_mm).mask()


def grown_bits(mask: Bits, reach_mm: float, spacing_mm: tuple[float, float, float], surface_mm: float = 0.0) -> Bits:
    """As `grown_by`."""
    widths = _half_widths(reach_mm, spacing_mm, surface_mm)
    words = mask.words.shape[2]
    lacking = max(0, -(-(mask.length + int(widths.max())) // WORD) - words)
    roomy = np.pad(mask.words, ((0, 0), (0, 0), (0, lacking))) if lacking else mask.words
    return Bits(_grown(roomy, widths)[..., :words], mask.length) & mask.whole()


def worn_bits(mask: Bits, reach_mm: float, spacing_mm: tuple[float, float, float], surface_mm: float = 0.0) -> Bits:
    """As `worn_by`."""
    return ~grown_bits(~mask, reach_mm, spacing_mm, surface_mm)


def _grown(rows: NDArray[np.uint64], widths: NDArray[np.signedinteger]) -> NDArray[np.uint64]:
    """A few slices at a time, which stay in the processor's cache with all that is made of them."""
    grown = np.zeros_like(rows)
    size = max(1, _AT_ONCE // max(1, rows[:1].size))
    for first in range(0, len(rows), size):
        some = rows[first : first + size]
        if not some.any():
            continue
        wider = [some]
        for _ in range(int(widths.max())):
            wider.append(_one_wider(wider[-1]))
        layer = np.empty_like(some)
        for far, row_widths in enumerate(widths):
            np.copyto(layer, wider[row_widths[0]])
            for aside, width in enumerate(row_widths[row_widths >= 0][1:], start=1):
                layer[:, aside:] |= wider[width][:, :-aside]
                layer[:, :-aside] |= wider[width][:, aside:]
            for start in {first - far, first + far}:
                there = slice(max(0, start), max(0, start + len(some)))
                grown[there] |= layer[there.start - start :][: max(0, len(grown) - there.start)]
    return grown


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


def _one_wider(rows: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every voxel with its two neighbours in the row; what leaves a row stays in the room between it and the next."""
    line = rows.ravel()
    wider = line << _ONE
    wider |= line
    wider |= line >> _ONE
    wider[1:] |= line[:-1] >> _REST
    wider[:-1] |= line[1:] << _REST
    return wider.reshape(rows.shape)
