"""Holes that cement left in a vertebra's mask and a leak opens to one side: told by lines of sight, and filled.

Dense matter with walls of one vertebra on both sides, whichever way one looks, lies inside its bone. A leak beside
the bone, in a disc or in a foramen has no such walls; the canal has, and is known by its own walls.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.bits import Bits
from leakseg.closed import closed_in
from leakseg.coordinates import CanalSpace
from leakseg.criteria import SpineCriteria
from leakseg.findings import QualityNote
from leakseg.geometry import voxels_of
from leakseg.reach import near
from leakseg.volume import Volume, denser_than, percentile_hu

_LINES, _SIGHT_MM, _STEP_MM = 49, 30.0, 1.0
"""Lines of sight through a voxel, how far one looks along them, and in which steps."""
_STEPS, _RAYS = 6, 4000
"""Steps along a line that are looked at together, and lines, counted for each voxel."""
_CREVICE_MM = 3.0
"""What lies between fingers of cement is looked at this far from them."""
_SACRUM = (VertebraLevel.S1, VertebraLevel.S2)
"""Its canal and foramina lie between walls of its own, and are not known one by one."""


def fill_holes(
    volume: Volume, masks: SpineMasks, space: CanalSpace, criteria: SpineCriteria
) -> tuple[SpineMasks, tuple[QualityNote, ...]]:
    """The masks with open holes filled where they hold dense matter, and a note for each vertebra that had one."""
    filled: NDArray[np.uint8] | None = None
    notes = []
    for level, box in masks.windows.items():
        if level in _SACRUM:
            continue
        own, free = masks.vertebrae[box] == level.number, masks.vertebrae[box] == 0
        dense_hu = percentile_hu(volume.hu[box][own], criteria.cavity_dense_percentile)
        dense = voxels_of(free & denser_than(volume.hu[box], dense_hu))
        start = np.array([part.start for part in box])
        dense = dense[_outside_canal(masks, space, dense + start, criteria)]
        hole = np.zeros(own.shape, np.bool_)
        hole[tuple(_enclosed(own, dense, masks.grid.spacing_mm, criteria).T)] = True
        if not hole.any():
            continue
        rest = voxels_of(near(hole, _CREVICE_MM, masks.grid.spacing_mm) & free & ~hole)
        rest = rest[_outside_canal(masks, space, rest + start, criteria)]
        hole[tuple(_enclosed(own | hole, rest, masks.grid.spacing_mm, criteria).T)] = True
        pinholes = closed_in(Bits.of(own | hole))
        if pinholes is not None:
            pinholes &= free
            hole |= pinholes if masks.canal is None else pinholes & ~masks.canal[box]
        volume_mm3 = float(np.count_nonzero(hole)) * masks.grid.voxel_volume_mm3
        if volume_mm3 < criteria.min_hole_mm3:
            continue
        filled = masks.to_relabel() if filled is None else filled
        filled[box][hole] = level.number
        notes.append(
            QualityNote(
                "mask_hole_filled",
                "info",
                f"The mask of {level.value} had an open hole of {volume_mm3:.0f} mm3, "
                "as masks have where cement lies: it was counted as bone.",
            )
        )
    return (masks if filled is None else masks.filled(filled)), tuple(notes)


def _outside_canal(
    masks: SpineMasks, space: CanalSpace, index: NDArray[np.int64], criteria: SpineCriteria
) -> NDArray[np.bool_]:
    """Which voxels ``(N, 3)`` lie neither in the canal's mask nor near the canal that was traced."""
    suv = space.axis.to_canal(masks.grid.to_patient(index))
    outside = ~space.near_canal(suv, criteria.hole_canal_play_mm)
    return outside if masks.canal is None else outside & ~masks.canal[tuple(index.T)]


def _enclosed(
    own: NDArray[np.bool_],
    index: NDArray[np.int64],
    spacing_mm: tuple[float, float, float],
    criteria: SpineCriteria,
) -> NDArray[np.int64]:
    """Those of the voxels ``(N, 3)`` that a hole holds: most lines of sight meet bone both ways, few neither way.

    A hole is open to one side, a canal or a foramen to two opposite ones.
    """
    not_closed, opened = np.zeros(len(index)), np.zeros(len(index))
    lines = _lines_of_sight() / np.array(spacing_mm)
    while len(index) and len(lines):
        some, lines = np.split(lines, [max(1, _RAYS // len(index))])
        ahead, behind = (_meets(own, index, ways) for ways in (some, -some))
        not_closed += np.count_nonzero(~(ahead & behind), axis=0)
        opened += np.count_nonzero(~(ahead | behind), axis=0)
        may_be = (not_closed <= _LINES - criteria.hole_min_closed_share * _LINES) & (
            opened <= criteria.hole_max_open_share * _LINES
        )
        index, not_closed, opened = index[may_be], not_closed[may_be], opened[may_be]
    return index


def _meets(own: NDArray[np.bool_], index: NDArray[np.int64], steps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether one meets the vertebra within sight, by line and voxel, going on by ``steps`` voxels a millimetre.

    A few places on each line are looked at together; lines that have met bone or left the array are left behind.
    """
    met = np.zeros(len(steps) * len(index), np.bool_)
    flat, going = own.ravel(), np.arange(len(met))
    far_mm = np.arange(_STEP_MM, _SIGHT_MM, _STEP_MM)[:, None]
    for first in range(0, len(far_mm), _STEPS):
        line, voxel = np.divmod(going, len(index))
        inside: Any = True
        at: Any = 0
        for along, step, size in zip(index.T, steps.T, own.shape, strict=True):
            ahead = np.rint(along[voxel] + far_mm[first : first + _STEPS] * step[line]).astype(np.int64)
            inside &= ahead.view(np.uint64) < size  # what is negative is large
            at = at * size + ahead
        met[going] = (flat[np.where(inside, at, 0)] & inside).any(axis=0)
        going = going[~met[going] & inside[-1]]
        if not len(going):
            break
    return met.reshape(len(steps), len(index))


def _lines_of_sight() -> NDArray[np.float64]:
    """Directions spread evenly over half a sphere, ``(N, 3)`` (a Fibonacci lattice)."""
    place = np.arange(_LINES) + 0.5
    height, turn = place / _LINES, np.pi * (1 + np.sqrt(5)) * place
    flat = np.sqrt(1 - height**2)
    return np.stack([height, flat * np.cos(turn), flat * np.sin(turn)], axis=1)
