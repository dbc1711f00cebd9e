"""What of a shape lies in the places that it claims, grown or shrunk to the volume that is wanted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import Grid
from leakseg.phantom.plan import LeakPlan
from leakseg.phantom.raster import cover
from leakseg.phantom.site import Ground, LeakShape, Unplaceable
from leakseg.phantom.survey import ELSEWHERE

_SHIFT_MM = {"plain": 1.5, "flow": 0.3}
"""How far a shape's surface may be moved to give the wanted volume; a flow is drawn anew in another size instead."""


class OffSize(Unplaceable):
    """The draw has another volume than wanted."""

    def __init__(self, ratio: float) -> None:
        super().__init__()
        self.ratio = ratio


def claims_of(ground: Ground, shape: LeakShape, grid: Grid, free: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], ...]:
    """For each place that the shape claims, the voxels of it."""
    suv = ground.survey.line.suv_on(grid)
    places, gaps = ground.survey.lookup(ground.survey.place, suv), None
    found = []
    for place, gap in ((shape.place, shape.gap), *shape.also):
        claimed = (places == place) & free
        if gap is not None:
            gaps = ground.survey.lookup(ground.survey.gap, suv) if gaps is None else gaps
            claimed &= gaps == gap + 1
        found.append(np.asarray(claimed))
    if shape.also:
        seam = _seam(found[0], found[1]) & (places == ELSEWHERE) & free
        inner = np.abs(suv[..., 2]) < _medial_mm(ground, shape.also[0][1])
        found[0] |= seam & inner
        found[1] |= seam & ~inner
    return tuple(found)


def _seam(one: NDArray[np.bool_], other: NDArray[np.bool_], steps: int = 4) -> NDArray[np.bool_]:
    """What lies between two places that touch by their definition, where the lattice leaves a strip between them."""
    from scipy.ndimage import binary_dilation

    if not (one.any() and other.any()):
        raise Unplaceable
    return np.asarray(binary_dilation(one, iterations=steps) & binary_dilation(other, iterations=steps))


def _medial_mm(ground: Ground, gap: int | None) -> float:
    """Where the canal ends and a motion segment's foramina begin: at the medial walls of its pedicles."""
    if gap is None:
        raise Unplaceable
    frames = [ground.survey.vertebrae[level] for level in ground.survey.gaps[gap]]
    return min(pedicle.medial_mm for frame in frames for pedicle in frame.pedicles.values())


def to_volume(
    distance: NDArray[Any],
    free: NDArray[np.bool_],
    claims: tuple[NDArray[np.bool_], ...],
    grid: Grid,
    plan: LeakPlan,
) -> tuple[NDArray[np.float32], float]:
    """Cover of the shape in its places, grown or shrunk a little to the wanted volume, and its share there."""
    claimed = claims[0] if len(claims) == 1 else np.logical_or.reduce(claims)
    level = 0.0
    if plan.volume_mm3 is not None:
        number = round(plan.volume_mm3 / grid.voxel_volume_mm3)
        values = distance[claimed]
        have = max(int(np.count_nonzero(values < 0)), 1)
        if number >= len(values):
            raise OffSize(have / number)
        level = float(np.partition(values, number)[number])
        if abs(level) > _SHIFT_MM[plan.form]:
            raise OffSize(have / number)
    whole = cover(distance - level, grid)
    found = np.where(claimed, whole, 0.0).astype(np.float32)
    outside = float(whole[free].sum(dtype=np.float64))
    return found, float(found.sum(dtype=np.float64)) / outside if outside > 0 else 0.0
