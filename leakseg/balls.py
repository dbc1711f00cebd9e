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
    return Bits(_grown(mask, mask, widths), mask.length) & mask.whole()


def worn_bits(mask: Bits, reach_mm: float, spacing_mm: tuple[float, float, float], surface_mm: float = 0.0) -> Bits:
    """As `worn_by`."""
    return mask - Bits(_grown(~mask, mask, _half_widths(reach_mm, spacing_mm, surface_mm)), mask.length)


def _grown(mask: Bits, asked: Bits, widths: NDArray[np.signedinteger]) -> NDArray[np.uint64]:
    """A mask's words grown, right wherever ``asked`` has a voxel or is within reach.

    A few slices at a time, and of them the rows that matter, which stay in the processor's cache with all that is made
    of them.
    """
    words = mask.words.shape[2]
    lacking = max(0, -(-(mask.length + int(widths.max())) // WORD) - words)
    rows = np.pad(mask.words, ((0, 0), (0, 0), (0, lacking))) if lacking else mask.words
    grown = np.zeros_like(rows)
    far_most, aside_most = len(widths) - 1, widths.shape[1] - 1
    size = max(1, _AT_ONCE // max(1, rows[:1].size))
    for first in range(0, len(rows), size):
        held = np.bitwise_or.reduce(asked.words[max(0, first - far_most) : first + size + far_most], axis=0)
        held = np.flatnonzero(held.any(axis=1))
        if not len(held):
            continue
        across = slice(max(0, int(held[0]) - aside_most), int(held[-1]) + 1 + aside_most)
        wider = [rows[first : first + size, across]]
        for _ in range(int(widths.max())):
            wider.append(_one_wider(wider[-1]))
        layer = np.zeros_like(wider[0])
        for far, row_widths in reversed(tuple(enumerate(widths))):  # each layer holds all of the one farther out
            layer |= wider[row_widths[0]]
            farther = widths[far + 1] if far < far_most else -1
            for aside in (1 + np.flatnonzero((row_widths > farther)[1:])).tolist():
                layer[:, aside:] |= wider[row_widths[aside]][:, :-aside]
                layer[:, :-aside] |= wider[row_widths[aside]][:, aside:]
            for start in {first - far, first + far}:
                there = slice(max(0, start), max(0, start + len(layer)))
                into = grown[there, across]
                into |= layer[there.start - start :][: len(into)]
    return grown[..., :words]


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
