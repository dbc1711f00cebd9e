"""Masks grown by a ball of millimetres, 64 voxels of a row in one machine word.

The answers are those of a distance map held against a reach, at a small part of its cost: whether is asked, not how
far.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from leakseg.bits import WORD, Bits

_AT_ONCE = 1 << 15
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

    A few slices at a time, and of them the rows and the words that matter, which stay in the processor's cache with
    all that is made of them. The first words of all rows lie together, then the second ones: bits leave no row.
    """
    slices, rows, words = mask.words.shape
    grown = np.zeros((words, slices, rows), np.uint64)
    far_most, aside_most, wide_most = len(widths) - 1, widths.shape[1] - 1, int(widths.max())
    size = max(1, _AT_ONCE // max(1, rows * words))
    for first in range(0, slices, size):
        held = np.bitwise_or.reduce(asked.words[max(0, first - far_most) : first + size + far_most], axis=0)
        j, i = np.flatnonzero(held.any(axis=1)), _bits_of(np.bitwise_or.reduce(held, axis=0))
        if not len(j):
            continue
        across = slice(max(0, int(j[0]) - aside_most), min(rows, int(j[-1]) + 1 + aside_most))
        along = slice(max(0, int(i[0]) - wide_most) // WORD, min(words, (int(i[-1]) + wide_most) // WORD + 1))
        some = np.moveaxis(mask.words[first : first + size, across, along], 2, 0)
        block = np.zeros((*some.shape[:2], some.shape[2] + aside_most), np.uint64)  # a gap from slice to slice
        block[..., : some.shape[2]] = some
        wider = _widened(block, widths)
        layer = np.zeros_like(block)
        flat = layer.ravel()
        for far, row_widths in reversed(tuple(enumerate(widths))):  # each layer holds all of the one farther out
            flat |= wider[row_widths[0]]
            farther = widths[far + 1] if far < far_most else -1
            for aside in (1 + np.flatnonzero((row_widths > farther)[1:])).tolist():
                flat[aside:] |= wider[row_widths[aside]][:-aside]
                flat[:-aside] |= wider[row_widths[aside]][aside:]
            for start in {first - far, first + far}:
                there = slice(max(0, start), max(0, start + some.shape[1]))
                into = grown[along, there, across]
                into |= layer[:, there.start - start :, : some.shape[2]][:, : into.shape[1]]
    return np.ascontiguousarray(np.moveaxis(grown, 0, 2))


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


def _bits_of(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Which bits of a row are set."""
    return np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little"))


def _widened(block: NDArray[np.uint64], widths: NDArray[np.signedinteger]) -> dict[int, NDArray[np.uint64]]:
    """Every voxel with so many neighbours in its row to either side, by their number, for all that are asked for.

    Each laid out in one line.
    """
    wider, width = {0: block.ravel()}, 0
    for wanted in np.unique(widths[widths > 0]).tolist():
        while width < wanted:  # what is 2 n + 1 voxels long goes on without a gap when it is moved by as many
            step = min(wanted - width, 2 * width + 1, WORD - 1)
            block, width = _moved_both_ways(block, step), width + step
        wider[wanted] = block.ravel()
    return wider


def _moved_both_ways(block: NDArray[np.uint64], step: int) -> NDArray[np.uint64]:
    """A block of words with what comes of it when it is moved by so many bits, one way and the other."""
    ahead, rest = np.uint64(step), np.uint64(WORD - step)
    moved = block << ahead
    moved |= block
    moved |= block >> ahead
    moved[1:] |= block[:-1] >> rest
    moved[:-1] |= block[1:] << rest
    return moved
