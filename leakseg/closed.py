"""What a mask closes in: voxels outside it from which no way over faces leads to the array's border.

Such a voxel sees the mask whichever way it looks along the axes. Few others do: only those are gone through piece by
piece.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leakseg.bits import WORD, Bits
from leakseg.reach import Window

_WAYS = (slice(None), slice(None, None, -1))


def closed_in(mask: Bits) -> NDArray[np.bool_] | None:
    """The voxels ``(K, J, I)`` that a mask closes in; None where there are none."""
    found = _seeing_no_border(mask)
    if found is None:
        return None
    box, unseen, here = found
    reached = _touching(~(here | unseen)) & unseen
    if reached.any():
        import cc3d

        pieces = cc3d.connected_components(unseen, connectivity=6)
        is_open = np.zeros(int(pieces.max()) + 1, np.bool_)
        is_open[pieces[reached]] = True
        if is_open[1:].all():
            return None
        unseen &= ~is_open[pieces]
    closed = np.zeros(mask.shape, np.bool_)
    closed[box] = unseen
    return closed


def _seeing_no_border(mask: Bits) -> tuple[Window, NDArray[np.bool_], NDArray[np.bool_]] | None:
    """A block, where in it voxels outside the mask see it along all axes, both ways, and where the mask is."""
    between = ~mask.words
    for axis in (0, 1):
        for way in _WAYS:
            turned = (way, slice(None)) if axis == 0 else (slice(None), way)
            between &= np.bitwise_or.accumulate(mask.words[turned], axis)[turned]
    rows = np.nonzero(between.any(axis=2))
    some = Bits(mask.words[rows][None], mask.length)  # few rows are left to be looked along
    left = between[rows] & (some.upward() & some.downward()).words[0]
    between[rows] = left
    k, j = (along[left.any(axis=1)] for along in rows)
    if not len(k):
        return None
    word = np.flatnonzero(left.any(axis=0))
    box = (slice(int(k[0]) - 1, int(k[-1]) + 2), slice(int(j.min()) - 1, int(j.max()) + 2), slice(None))
    unseen, here = (Bits(words[box[:2]], mask.length).mask() for words in (between, mask.words))
    columns = slice(max(0, int(word[0]) * WORD - 1), int(word[-1] + 1) * WORD + 1)
    return (*box[:2], columns), unseen[..., columns], here[..., columns]


def _touching(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The voxels beside a mask's, over faces."""
    beside = np.zeros_like(mask)
    for axis in range(3):
        there, moved = np.moveaxis(beside, axis, 0), np.moveaxis(mask, axis, 0)
        there[1:] |= moved[:-1]
        there[:-1] |= moved[1:]
    return beside
