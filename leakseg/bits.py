"""Masks of which 64 voxels of a row lie in one machine word: an eighth of the memory, and of the time to go through it.

Bits are numbered along a row from each word's lowest; those beyond the row's length are never set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORD = 64
_POWER = 6
_WORDS = np.dtype(np.uint64).newbyteorder("<")
_STEPS = tuple(np.uint64(1 << power) for power in range(6))
_ALL = ~np.uint64(0)
_SET_BITS = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)


@dataclass(frozen=True, eq=False)
class Bits:
    """A mask ``(K, J, length)`` as ``words`` ``(K, J, W)`` uint64."""

    words: NDArray[np.uint64]
    length: int

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Bits:
        """A mask packed."""
        packed = np.packbits(mask, axis=-1, bitorder="little")
        words = -(-mask.shape[2] // WORD)
        rows = np.zeros((*mask.shape[:2], words * 8), np.uint8)
        rows[..., : packed.shape[2]] = packed
        return cls(rows.view(_WORDS), mask.shape[2])

    @property
    def shape(self) -> tuple[int, int, int]:
        """The mask's shape."""
        slices, rows, _ = self.words.shape
        return slices, rows, self.length

    def mask(self) -> NDArray[np.bool_]:
        """One byte for each voxel."""
        rows = self.words.view(np.uint8)
        return np.unpackbits(rows, axis=-1, count=self.length, bitorder="little").view(np.bool_)

    def block(self, window: tuple[slice, slice, slice]) -> NDArray[np.bool_]:
        """One byte for each voxel of a block; rows beside it are not unpacked."""
        return Bits(self.words[window[:2]], self.length).mask()[..., window[2]]

    def sections(self, some: slice) -> Bits:
        """The mask's slices from one to another, as a view."""
        return Bits(self.words[some], self.length)

    def __and__(self, other: Bits) -> Bits:
        return Bits(self.words & other.words, self.length)

    def __or__(self, other: Bits) -> Bits:
        return Bits(self.words | other.words, self.length)

    def __sub__(self, other: Bits) -> Bits:
        return Bits(self.words & ~other.words, self.length)

    def __invert__(self) -> Bits:
        return self.whole() - self

    def whole(self) -> Bits:
        """All voxels of a row, ``(1, 1, length)``."""
        return Bits.of(np.ones((1, 1, self.length), np.bool_))

    def upward(self) -> Bits:
        """The mask's voxels and all that come after one in their row."""
        rows = self.words.copy()
        for step in _STEPS:
            rows |= rows << step
        later = np.logical_or.accumulate(rows != 0, axis=2)[..., :-1]
        rows[..., 1:][later] = _ALL
        return Bits(rows, self.length) & self.whole()

    def downward(self) -> Bits:
        """The mask's voxels and all that come before one in their row."""
        rows = self.words.copy()
        for step in _STEPS:
            rows |= rows >> step
        earlier = np.logical_or.accumulate(rows[..., ::-1] != 0, axis=2)[..., ::-1][..., 1:]
        rows[..., :-1][earlier] = _ALL
        return Bits(rows, self.length)

    def any(self) -> bool:
        """Whether the mask has a voxel."""
        return bool(self.words.any())

    def count(self) -> int:
        """How many voxels the mask has."""
        return int(_SET_BITS[self.words[self.words != 0].view(np.uint16)].sum(dtype=np.int64))

    def index(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The mask's voxels in the order of `numpy.nonzero`."""
        some = np.flatnonzero(self.words)
        bits = np.flatnonzero(_bits_of(self.words.ravel()[some]))
        row, word = np.divmod(some, self.words.shape[2])
        k, j = np.divmod(row, self.words.shape[1])
        at = bits >> _POWER
        return k[at], j[at], word[at] * WORD + (bits & WORD - 1)

    def held_by(self, others: Sequence[Bits]) -> NDArray[np.bool_]:
        """Which of the mask's voxels other masks of its shape hold too, ``(others, N)`` in the order of `index`."""
        some = np.flatnonzero(self.words)
        own = np.flatnonzero(_bits_of(self.words.ravel()[some]))
        held = np.empty((len(others), len(own)), np.bool_)
        for answer, other in zip(held, others, strict=True):
            _bits_of(other.words.ravel()[some]).take(own, out=answer)
        return held

    def values(self, array: NDArray[Any]) -> NDArray[Any]:
        """What an array of the mask's shape holds at its voxels, as ``array[mask]``."""
        return np.asarray(array[self.index()])


def _bits_of(words: NDArray[np.uint64]) -> NDArray[np.bool_]:
    return np.unpackbits(words.view(np.uint8), bitorder="little").view(np.bool_)
