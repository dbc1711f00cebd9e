"""Where masks lack a vertebra: a name is skipped, the spine goes on beyond cement, or cement lies where no body is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import SpineAnatomy, SpineMasks, Vertebra, VertebraLevel
from leakseg.criteria import CementCriteria, MissingCriteria
from leakseg.geometry import FloatArray
from leakseg.pieces import ScanDensities
from leakseg.reach import connected_pieces, pieces_of, relative_to, start_of
from leakseg.volume import Volume

_PLATEAU_PERCENTILE = 75
_OPTIONAL = (VertebraLevel.T13, VertebraLevel.L6)


@dataclass(frozen=True, eq=False)
class Lump:
    """Points of a lump, a millimetre apart, ``(N, 3)`` patient mm; its place along the canal, and how dense it is."""

    points_mm: FloatArray
    s_mm: float
    denser_than_hu: float
    plateau_hu: float

    @property
    def size_mm3(self) -> float:
        """Its volume."""
        return float(len(self.points_mm))


@dataclass(frozen=True)
class Gap:
    """A level that the masks lack, the vertebrae beside it, and where its middle may lie along the canal."""

    level: VertebraLevel
    beside: tuple[Vertebra, ...]
    low_mm: float
    high_mm: float


def unlabelled_lumps(
    volume: Volume,
    masks: SpineMasks,
    densities: ScanDensities,
    spine: SpineAnatomy,
    cement: CementCriteria,
    criteria: MissingCriteria,
) -> tuple[Lump, ...]:
    """Lumps before the canal, outside the masks' vertebrae, as dense as cement deep in bone is: cortex is thin.

    Looked for on nodes a millimetre apart, along the canal and some way beyond its ends.
    """
    least_hu = max(cement.min_seed_hu, densities.cancellous + cement.seed_above_cancellous_hu)
    s = np.arange(-criteria.lump_beyond_mm, spine.axis.length_mm + criteria.lump_beyond_mm)
    v = np.arange(-criteria.lump_beside_mm, criteria.lump_beside_mm + 1)
    ahead = np.arange(1.0, criteria.lump_before_wall_mm)
    u = -ahead - spine.behind_wall_mm(np.column_stack([s, np.zeros((len(s), 2))]))[:, None]
    points = spine.axis.sections_to_patient(s[:, None, None], u[..., None], v)
    index = np.rint(volume.grid.to_index(points)).astype(np.int64)
    seen = ((index >= 0) & (index < np.array(volume.hu.shape))).all(axis=-1)
    hu = np.full(seen.shape, np.float32(-np.inf))
    hu[seen] = volume.hu[tuple(index[seen].T)]
    free = np.argwhere(hu > least_hu)
    voxels = index[tuple(free.T)]
    free = free[(masks.vertebrae[tuple(voxels.T)] == 0) & ~_metal_at(densities, voxels)]
    if not len(free):
        return ()
    dense = np.zeros(seen.shape, np.bool_)
    dense[tuple(free.T)] = True
    times = max(1, math.ceil(max(volume.grid.spacing_mm) / 2))
    thick = ndimage.binary_opening(dense, ndimage.generate_binary_structure(3, 1), iterations=times)
    pieces = connected_pieces(pieces_of(thick, criteria.lump_min_mm3, 1.0))
    found = []
    for number in range(1, int(pieces.max()) + 1):
        own = pieces == number
        plateau_hu = float(np.percentile(hu[own], _PLATEAU_PERCENTILE))
        found.append(Lump(points[own], float(s[np.nonzero(own)[0]].mean()), least_hu, plateau_hu))
    return tuple(found)


def _metal_at(densities: ScanDensities, index: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the scan's voxels ``(N, 3)`` are metal; beyond the window none is known to be."""
    index = index - start_of(densities.window)
    inside = ((index >= 0) & (index < np.array(densities.metal.shape))).all(axis=1)
    metal = np.zeros(len(index), np.bool_)
    metal[inside] = densities.metal[tuple(index[inside].T)]
    return metal


def missing_levels(
    masks: SpineMasks,
    spine: SpineAnatomy,
    densities: ScanDensities,
    lumps: tuple[Lump, ...],
    criteria: MissingCriteria,
) -> Iterator[Gap]:
    """Names skipped between two vertebrae with room for them, and the next beyond an end that holds cement.

    And the next where a lump lies; where no vertebra holds cement, those alone.
    """
    order = spine.vertebrae
    if not order:
        return
    for upper, lower in itertools.pairwise(order):
        names = _between(upper.level, lower.level)
        room = upper.s_bottom_mm - lower.s_top_mm
        each = room / max(len(names), 1)
        if each < criteria.min_room_mm:
            continue
        for number, level in enumerate(names):
            middle = upper.s_bottom_mm - (number + 0.5) * each
            if densities.has_cement or _hold(lumps, middle, each / 2):
                yield Gap(level, (upper, lower), middle - each / 4, middle + each / 4)
    for end, step in ((order[0], -1), (order[-1], 1)):
        name = _next(end.level, step)
        pitch = _pitch(order, end)
        middle = end.s_middle_mm - step * pitch
        if name is None or not (_seeded(masks, densities, end.level) or _hold(lumps, middle, pitch / 2)):
            continue
        near = tuple(sorted(order, key=lambda one: abs(one.s_middle_mm - end.s_middle_mm)))[:3]
        yield Gap(name, near, middle - criteria.pitch_play * pitch, middle + criteria.pitch_play * pitch)


def _seeded(masks: SpineMasks, densities: ScanDensities, level: VertebraLevel) -> bool:
    """Whether the mask of a level holds cement beyond doubt."""
    box = masks.windows.get(level)
    if box is None:
        return False
    seeds = densities.seeds[relative_to(box, densities.window)]
    return bool((seeds & (masks.vertebrae[box] == level.number)).any())


def _hold(lumps: tuple[Lump, ...], middle_mm: float, reach_mm: float) -> bool:
    return any(abs(lump.s_mm - middle_mm) < reach_mm for lump in lumps)


def _between(upper: VertebraLevel, lower: VertebraLevel) -> list[VertebraLevel]:
    return [one for one in VertebraLevel if upper.number < one.number < lower.number and one not in _OPTIONAL]


def _next(level: VertebraLevel, step: int) -> VertebraLevel | None:
    """The next name up (-1) or down (1); None beyond C2 and L5, where no neighbour is alike."""
    name = level.usual_neighbour(step)
    return name if name is not None and VertebraLevel.C2.number < name.number < VertebraLevel.S1.number else None


def _pitch(order: tuple[Vertebra, ...], end: Vertebra) -> float:
    """Distance along the canal from one vertebra's middle to the next: the neighbours', else from the height."""
    steps = [
        upper.s_middle_mm - lower.s_middle_mm
        for upper, lower in itertools.pairwise(order)
        if not _between(upper.level, lower.level)
    ]
    return float(np.median(steps)) if steps else 1.3 * (end.s_top_mm - end.s_bottom_mm)
