"""Where the canal opens into the skull: upward, the ring of bone round it widens to the cranial cavity.

Works on the coarse block of the whole scan, slice by slice. A cavity of so many cm2 ringed by bone, with neither fat
nor air in it and no canal above it, is found nowhere else in the body.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.centreline import Centreline
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.working import Block, Image

RAYS = 48
FARTHEST_MM = 120.0
BONE_ABOVE_SOFT_HU, FAT_BELOW_SOFT_HU = 90.0, 120.0
CLOSED_SHARE = 0.85
"""A cavity is ringed by bone where so many of the rays meet it through soft tissue alone."""
CAVITY_MM2, LEAST_CAVITY_MM = 2500.0, 8.0
"""Ten times the canal's area in so many mm on end is the cranial cavity: beyond doubt the canal has opened."""
OPENING_MM2 = 1300.0
"""The foramen magnum is narrower in every adult; the posterior fossa wider within a few mm above it."""
FARTHEST_ON_MM, RECENTRE_MM = 60.0, 16.0
"""Beyond the path's end the cavity is looked for so far upward; its middle among walls no farther than the second."""
DRAWN_ASIDE_MM = 20.0
"""So far below the skull its walls draw the path aside, and it is centred anew."""
CANAL_MM = 30.0
"""Below so much canal in all no cavity is the skull's: a pelvis that holds neither fat nor air is such a cavity."""


@dataclass(frozen=True, eq=False)
class Upper:
    """The centreline as far as the skull, and ``opening_mm`` ``(3,)`` grid mm, where the canal opens into it.

    None where that is not plainly in view; the centreline is then as it was.
    """

    line: Centreline
    opening_mm: FloatArray | None


def up_to_skull(coarse: Block, densities: Densities, line: Centreline) -> Upper:
    """The centreline, cut off at the skull, for the brain is no canal; or carried on to it, where it ends below."""
    rays = _Rays.of(coarse, densities)
    centres = list(coarse.to_index(line.points_mm))
    sights = [rays.look(centre) for centre in centres]
    for _ in range(round(FARTHEST_ON_MM / coarse.step_mm)):
        centre = centres[-1] + np.array([1.0, *sights[-1].middle])
        if not rays.inside(centre):
            break
        centres.append(centre)
        sights.append(rays.look(centre))
    opening = _opening(np.array([s.area_mm2 for s in sights]), np.array([s.closed for s in sights]), coarse.step_mm)
    if opening is None:
        return Upper(line, None)
    for place in range(max(opening - round(DRAWN_ASIDE_MM / coarse.step_mm), 0), opening):
        centre = centres[place] + np.array([1.0, *rays.look(centres[place]).middle])
        centres[place + 1] = centre if rays.inside(centre) else centres[place + 1]
    points = coarse.origin_mm + np.array(centres[: opening + 1]) * coarse.step_mm
    score = np.append(line.score, np.zeros(len(centres) - len(line.score)))[: opening + 1]
    return Upper(replace(line, points_mm=points, score=score), np.asarray(points[-1], dtype=np.float64))


def _opening(area_mm2: FloatArray, closed: FloatArray, step_mm: float) -> int | None:
    """The last place along the way upward that is narrow, below the first long cavity with no canal above it."""
    narrow = area_mm2 < OPENING_MM2
    ringed = narrow & (area_mm2 > 0)
    wide = (area_mm2 > CAVITY_MM2) & (closed > CLOSED_SHARE)
    for start, stop in _runs(wide, round(LEAST_CAVITY_MM / step_mm)):
        if np.count_nonzero(ringed[stop:]) * step_mm < CANAL_MM:
            below = np.flatnonzero(narrow[:start])
            return int(below[-1]) if len(below) else None
    return None


def _runs(state: NDArray[np.bool_], least: int) -> list[tuple[int, int]]:
    """Start and stop of every run of True that is so long at least."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], state.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2) if b - a >= least]


@dataclass(frozen=True)
class _Sight:
    """What is seen from one place, in its slice.

    Share of rays that meet bone through soft tissue, the area these span, and the way to the middle of what lies near,
    ``(j, i)`` in voxels.
    """

    closed: float
    area_mm2: float
    middle: tuple[float, float]


@dataclass(frozen=True, eq=False)
class _Rays:
    bone: NDArray[np.bool_]
    foreign: NDArray[np.bool_]
    """Fat and air."""
    step_mm: float
    ways: FloatArray
    """``(RAYS, R, 2)`` voxels from the middle."""

    @classmethod
    def of(cls, coarse: Block, densities: Densities) -> _Rays:
        hu: Image = gaussian_filter(coarse.hu, 0.5)
        angles = 2 * np.pi * np.arange(RAYS) / RAYS
        radii = np.arange(1, FARTHEST_MM / coarse.step_mm)
        ways = np.stack([np.outer(np.cos(angles), radii), np.outer(np.sin(angles), radii)], axis=-1)
        soft = densities.soft_hu
        return cls(hu > soft + BONE_ABOVE_SOFT_HU, hu < soft - FAT_BELOW_SOFT_HU, coarse.step_mm, ways)

    def inside(self, centre: FloatArray) -> bool:
        """Whether a place lies in the scan, and not in bone."""
        at = np.rint(centre).astype(np.int64)
        return bool(np.all((at >= 0) & (at < self.bone.shape))) and not self.bone[tuple(at)]

    def look(self, centre: FloatArray) -> _Sight:
        """In the plane of a place, all round."""
        k = round(float(centre[0]))
        at = np.rint(centre[1:] + self.ways).astype(np.int64)
        within = np.all((at >= 0) & (at < np.array(self.bone.shape[1:])), axis=-1)
        j, i = np.clip(at, 0, np.array(self.bone.shape[1:]) - 1).reshape(-1, 2).T
        bone = self.bone[k, j, i].reshape(within.shape) & within
        foreign = self.foreign[k, j, i].reshape(within.shape) | ~within
        far = bone.shape[1]
        wall = np.where(bone.any(axis=1), bone.argmax(axis=1), far)
        end = np.where(foreign.any(axis=1), foreign.argmax(axis=1), far)
        meets = wall < end
        radius_mm = (wall + 0.5) * self.step_mm
        area = np.pi * float(np.mean(radius_mm[meets] ** 2)) if meets.mean() > 0.5 else 0.0
        near = np.minimum(np.minimum(wall, end) * self.step_mm, RECENTRE_MM)
        angles = 2 * np.pi * np.arange(RAYS) / RAYS
        weight = max(float((near**2).sum()), 1e-6) * self.step_mm
        middle = (
            2 / 3 * float((near**3 * np.cos(angles)).sum()) / weight,
            2 / 3 * float((near**3 * np.sin(angles)).sum()) / weight,
        )
        return _Sight(float(meets.mean()), area, middle)
