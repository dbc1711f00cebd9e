"""Masks grown by a ball of millimetres, 64 voxels of a row in one machine word.

The answers are those of a distance map held against a reach, at a small part of its cost: whether is asked, not how
far.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_WORD = 64
_ONE, _REST = np.uint64(1), np.uint64(_WORD - 1)
_AT_ONCE = 1 << 14
"""Words that are grown at a time."""
_WORDS = np.dtype(np.uint64).newbyteorder("<")


def grown_by(
    mask: NDArray[np.bool_], reach_mm: float, spacing_mm: tuple[float, float, float], surface_mm: float = 0.0
) -> NDArray[np.bool_]:
    """Whether a voxel's distance to the mask's voxels, less ``surface_mm``, is at most ``reach_mm``.

    What lies beyond the array is not in the mask.
    """
    widths = _half_widths(reach_mm, spacing_mm, surface_mm)
    return _unpacked(_grown(_packed(mask, int(widths.max())), widths), mask.shape[2])


def worn_by(
    mask: NDArray[np.bool_], reach_mm: float, spacing_mm: tuple[float, float, float], surface_mm: float = 0.0
) -> NDArray[np.bool_]:
    """The mask without what `grown_by` makes of the voxels outside it.

    What lies beyond the array is not outside: its border wears nothing away.
    """
    widths = _half_widths(reach_mm, spacing_mm, surface_mm)
    room = int(widths.max())
    outside = ~_packed(mask, room)
    outside &= _packed(np.ones((1, 1, mask.shape[2]), np.bool_), room)
    grown = _grown(outside, widths)
    return _unpacked(np.invert(grown, out=grown), mask.shape[2])


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


def _packed(mask: NDArray[np.bool_], room: int) -> NDArray[np.uint64]:
    """``(K, J, words)``: the first voxel of a row is the first word's lowest bit; so many bits stay free at its end."""
    packed = np.packbits(mask, axis=-1, bitorder="little")
    words = -(-(mask.shape[2] + room) // _WORD)
    rows = np.zeros((*mask.shape[:2], words * 8), np.uint8)
    rows[..., : packed.shape[2]] = packed
    return rows.view(_WORDS)


def _unpacked(rows: NDArray[np.uint64], length: int) -> NDArray[np.bool_]:
    return np.unpackbits(rows.view(np.uint8), axis=-1, count=length, bitorder="little").view(np.bool_)


def _one_wider(rows: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every voxel with its two neighbours in the row; what leaves a row stays in the room between it and the next."""
    line = rows.ravel()
    wider = line << _ONE
    wider |= line
    wider |= line >> _ONE
    wider[1:] |= line[:-1] >> _REST
    wider[:-1] |= line[1:] << _REST
    return wider.reshape(rows.shape)
