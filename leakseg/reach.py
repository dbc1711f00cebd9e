"""What lies within reach of a mask: the same answers as over the whole array, from a window round the mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from leakseg.allocator import untouched
from leakseg.balls import grown_by, worn_by
from leakseg.geometry import bounding_box, half_voxel_mm

Window: TypeAlias = tuple[slice, slice, slice]
"""A block of an array."""
T = TypeVar("T", bound=np.generic)
_BARELY = 0.1
"""A neighbour over faces, edges and corners is 1, 1.41 and 1.73 voxels away; nothing else lies so little farther."""
_ROOMS_MM = (3.0, 12.0, 40.0, 10_000.0)


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


def block_of(index: NDArray[np.int64]) -> Window:
    """The block that voxels ``(N, 3)`` fill."""
    k, j, i = (slice(int(low), int(high) + 1) for low, high in zip(index.min(axis=0), index.max(axis=0), strict=True))
    return k, j, i


def start_of(block: tuple[slice, ...]) -> NDArray[np.int64]:
    """The first voxel of a block."""
    return np.array([side.start for side in block])


def within(window: tuple[slice, ...], outer: tuple[slice, ...]) -> Window:
    """The place in the whole array of a block of a block."""
    sides = [slice(big.start + part.start, big.start + part.stop) for part, big in zip(window, outer, strict=True)]
    return (sides[0], sides[1], sides[2])


def relative_to(block: Window | None, outer: tuple[slice, ...], margin: int = 0) -> Window:
    """A block of the whole array as a block of another that holds it, with a margin as far as that goes.

    What `bounding_box` finds there of all that the block holds, without going through it.
    """
    assert block is not None
    k, j, i = (
        slice(max(side.start - big.start - margin, 0), min(side.stop + margin, big.stop) - big.start)
        for side, big in zip(block, outer, strict=True)
    )
    return k, j, i


def cut_out(array: NDArray[T], lies: Window | None, room: tuple[slice, ...]) -> NDArray[T]:
    """What a block of the whole array holds, of which ``array`` is the part that ``lies`` there; zero elsewhere."""
    result = np.zeros([side.stop - side.start for side in room], array.dtype)
    if lies is not None:
        start = [max(one.start, other.start) for one, other in zip(lies, room, strict=True)]
        stop = [max(low, min(one.stop, other.stop)) for low, one, other in zip(start, lies, room, strict=True)]
        from_, to = (
            tuple(
                slice(low - side.start, high - side.start) for low, high, side in zip(start, stop, block, strict=True)
            )
            for block in (lies, room)
        )
        result[to] = array[from_]
    return result


def near(
    mask: NDArray[np.bool_], reach_mm: float, spacing_mm: tuple[float, float, float], surface_mm: float = 0.0
) -> NDArray[np.bool_]:
    """Whether a voxel lies at most that far from a voxel of the mask (its own voxels included).

    With ``surface_mm`` the way is measured from so far outside the voxels' centres: see `half_voxel_mm`.
    """
    result = untouched(mask.shape)
    window = window_round(mask, reach_mm + surface_mm, spacing_mm)
    if window is not None:
        result[window] = grown_by(mask[window], reach_mm, spacing_mm, surface_mm)
    return result


def deeper(mask: NDArray[np.bool_], depth_mm: float, spacing_mm: tuple[float, float, float]) -> NDArray[np.bool_]:
    """Whether a voxel lies in the mask, and farther than that from its surface.

    As `leakseg.geometry.distance_to_surface_mm` has it: the surface lies half a voxel before the first voxel
    outside, and the array's border is no surface.
    """
    result = untouched(mask.shape)
    window = bounding_box(mask, 1)
    if window is not None:
        result[window] = worn_by(mask[window], depth_mm, spacing_mm, half_voxel_mm(spacing_mm))
    return result


def grown(mask: NDArray[np.bool_], connectivity: int) -> NDArray[np.bool_]:
    """The mask and its neighbours over faces (1), edges (2) or corners (3)."""
    result = untouched(mask.shape)
    window = bounding_box(mask, 1)
    if window is not None:
        result[window] = grown_by(mask[window], connectivity**0.5 + _BARELY, (1.0, 1.0, 1.0))
    return result


def connected_pieces(mask: NDArray[np.bool_ | np.uint8]) -> NDArray[np.unsignedinteger[Any]]:
    """Number of each voxel's piece, 0 outside the mask; pieces hang together over faces, edges and corners.

    Of a mask with several numbers, no piece goes on from one number to another.
    """
    import cc3d

    padded = np.pad(mask, 1)  # cc3d gives up on some blocks of a few voxels whose border their pieces touch
    return np.asarray(cc3d.connected_components(padded, connectivity=26)[1:-1, 1:-1, 1:-1])


def boxes_of(pieces: NDArray[np.integer[Any]], mask: NDArray[np.bool_]) -> list[Window]:
    """The blocks that the pieces of a mask fill, from number 1 on; quick where the mask has few voxels."""
    index = np.unravel_index(np.flatnonzero(mask), mask.shape)
    numbers = pieces[index]
    count = int(numbers.max(initial=0)) + 1
    low, high = np.full((3, count), np.iinfo(np.int64).max), np.full((3, count), -1)
    for axis, places in enumerate(index):
        np.minimum.at(low[axis], numbers, places)
        np.maximum.at(high[axis], numbers, places)
    return [
        (slice(k, last_k + 1), slice(j, last_j + 1), slice(i, last_i + 1))
        for (k, j, i), (last_k, last_j, last_i) in zip(low.T[1:].tolist(), high.T[1:].tolist(), strict=True)
    ]


def boxes_of_labels(labels: NDArray[np.uint8]) -> dict[int, Window]:
    """The block that each number of a labelmap fills, in the numbers' order.

    As `scipy.ndimage.find_objects` has it, from the ends of the runs that a number makes along a row.
    """
    rows, columns = labels.shape[1:]
    line = np.zeros(rows * (columns + 1) + 1, np.uint8)  # a 0 before each row and after the last
    inner = line[:-1].reshape(rows, columns + 1)[:, 1:]
    numbers, places = [], []
    for k, section in enumerate(labels):
        inner[...] = section
        last = np.flatnonzero(line[1:] != line[:-1])
        for ends in (last, last + 1):
            numbers.append(line[ends])
            places.append(ends + k * (len(line) - 1))
    number, place = np.concatenate(numbers), np.concatenate(places)
    order = np.argsort(number, kind="stable")
    order = order[np.searchsorted(number[order], 1) :]
    found, first = np.unique(number[order], return_index=True)
    if not len(found):
        return {}
    index = np.unravel_index(place[order], (len(labels), rows, columns + 1))
    low, high = (np.array([end.reduceat(along, first) for along in index]).T for end in (np.minimum, np.maximum))
    return {
        number: (slice(k, last_k + 1), slice(j, last_j + 1), slice(i - 1, last_i))
        for number, (k, j, i), (last_k, last_j, last_i) in zip(found.tolist(), low.tolist(), high.tolist(), strict=True)
    }


@dataclass(frozen=True, eq=False)
class Pieces:
    """The `connected_pieces` of a mask of that shape: where its voxels lie, flat, and in which piece each of them."""

    shape: tuple[int, ...]
    index: NDArray[np.int64]
    numbers: NDArray[np.unsignedinteger[Any]]

    @classmethod
    def of(cls, mask: NDArray[np.bool_ | np.uint8]) -> Pieces:
        """The pieces of a mask; of one with several numbers, none goes on from one number to another."""
        index, window = np.flatnonzero(mask), bounding_box(mask)
        if window is None:
            return cls(mask.shape, index, np.zeros(0, np.uint8))
        return cls(mask.shape, index, connected_pieces(mask[window])[mask[window] > 0])

    def values(self, array: NDArray[T]) -> NDArray[T]:
        """What an array of the mask's shape holds at its voxels."""
        return array[np.unravel_index(self.index, self.shape)]

    def holding(self, seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of the mask's voxels lie in a piece that holds a seed."""
        keep = np.zeros(int(self.numbers.max(initial=0)) + 1, np.bool_)
        keep[self.numbers[self.values(seeds)]] = True
        return np.asarray(keep[self.numbers])

    def mask(self, some: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Some of the mask's voxels as a mask."""
        result = untouched(self.shape)
        result.ravel()[self.index[some]] = True
        return result


def pieces_with(mask: NDArray[np.bool_ | np.uint8], seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The `connected_pieces` of a mask that hold a seed."""
    pieces = Pieces.of(mask)
    return pieces.mask(pieces.holding(seeds))


def pieces_of(
    mask: NDArray[np.bool_], least_mm3: float, voxel_mm3: float, core: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """The connected pieces of a mask that hold at least so much, or at least so much of a core."""
    result = untouched(mask.shape)
    window = bounding_box(mask)
    if window is not None:
        pieces = connected_pieces(mask[window])
        numbers = pieces[mask[window]]
        counts = np.bincount(numbers, weights=None if core is None else core[window][mask[window]])
        result[window][mask[window]] = (counts * voxel_mm3 >= least_mm3)[numbers]
    return result


def hanging_together(
    own: NDArray[np.bool_],
    box: Window,
    shape: tuple[int, ...],
    spacing_mm: tuple[float, float, float],
    matter: Callable[[Window], NDArray[np.bool_]],
    most: float,
) -> float | None:
    """How many times as large as a piece the matter is that hangs together with it; None where it holds none.

    Looked at in wider and wider rooms, until the matter ends or is more than ``most`` times as large.

    Parameters
    ----------
    own, box
        The piece, and where it lies in an array of that shape.
    matter
        Where there is matter in a room.
    """
    import cc3d

    ratio = 0.0
    for reach_mm in _ROOMS_MM:
        room = widened(box, shape, reach_mm, spacing_mm)
        numbers = cc3d.connected_components(matter(room), connectivity=26)
        there = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, room, strict=True))
        around = np.unique(numbers[there][own])
        around = around[around > 0]
        if not len(around):
            return None
        held = np.isin(numbers, around)
        ratio = float(np.count_nonzero(held) / own.sum())
        if ratio > most or not _goes_on(held, room, shape):
            break
    return ratio


def _goes_on(held: NDArray[np.bool_], room: Window, shape: tuple[int, ...]) -> bool:
    """Whether the matter reaches a side of the room behind which there is more of the array."""
    for axis, (side, size) in enumerate(zip(room, shape, strict=True)):
        if side.start > 0 and held.take(0, axis).any():
            return True
        if side.stop < size and held.take(-1, axis).any():
            return True
    return False


def pieces_going_on(
    mask: NDArray[np.bool_],
    core: NDArray[np.bool_],
    hu: NDArray[Any],
    least_hu: float,
    away_mm: float,
    least_mm3: float,
    least_share: float,
    spacing_mm: tuple[float, float, float],
    height: NDArray[np.floating[Any]],
) -> NDArray[np.bool_]:
    """The pieces of a mask whose part farther than that from a core is, by its median, still at least so dense.

    Only what lies as far out (``height``) as half of the core does tells: what lies deeper goes on from below. A piece
    of which less than ``least_mm3``, or than that share of its core, lies so far away tells nothing.
    """
    import cc3d
    from scipy import ndimage

    going_on = np.zeros(mask.shape, np.bool_)
    pieces = cc3d.connected_components(mask, connectivity=26)
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        room = widened(box, mask.shape, away_mm, spacing_mm)
        own = pieces[room] == number
        held = own & core[room]
        out = height[room] >= (np.median(height[room][held]) if held.any() else -np.inf)
        away = own & out & ~grown_by(core[room], away_mm, spacing_mm)
        least = max(least_mm3, least_share * float(held.sum() * np.prod(spacing_mm)))
        if float(away.sum() * np.prod(spacing_mm)) >= least and float(np.median(hu[room][away])) >= least_hu:
            going_on[room] |= own
    return going_on
