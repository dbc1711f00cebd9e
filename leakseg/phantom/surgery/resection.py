"""Bone that surgery takes away: solids in a vertebra's frame, sampled finely, away from cement inside bone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import FloatArray
from leakseg.phantom.raster import coarsen, cover, points_of
from leakseg.phantom.sculpt import Block
from leakseg.phantom.solids import Solid, Tube
from leakseg.phantom.surgery.moved import point_of
from leakseg.phantom.survey import Survey

Approach = Literal["A", "B"]
"""A: through the pedicle; B: the trench, medial pedicle and part of the posterior wall."""
REGIONS = ("pedicle", "facet_joint", "posterior_wall", "lamina", "other")
_KEEP_OFF_MM = 2.5
_WALL_MM = 8.0


@dataclass(frozen=True, eq=False)
class Resection:
    """What is taken from one vertebra, on its block's fine grid; shares of each fine voxel, 0 to 1."""

    block: Block
    taken: NDArray[np.float32]
    healed: NDArray[np.float32]

    @property
    def resected_mm3(self) -> float:
        """Volume of bone taken."""
        return float(self.taken.sum(dtype=np.float64)) * self.block.grid.voxel_volume_mm3

    @property
    def healed_mm3(self) -> float:
        """Volume of it that is back at follow-up."""
        return float(self.healed.sum(dtype=np.float64)) * self.block.grid.voxel_volume_mm3

    def on_scan(self, share: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
        """A fine share as shares of the scan's voxels."""
        out = np.zeros(shape, np.float32)
        out[self.block.window] = coarsen(share, self.block.factors)
        return out

    def regions(self, found: Survey) -> dict[tuple[str, str], float]:
        """Volume by region and side."""
        where = np.argwhere(self.taken > 0)
        weight = self.taken[tuple(where.T)].astype(np.float64) * self.block.grid.voxel_volume_mm3
        suv = found.line.to_suv(self.block.grid.to_patient(where))
        names = _region(found, self.block, suv)
        sides = np.where(suv[:, 2] > 0, "left", "right")
        told: dict[tuple[str, str], float] = {}
        for number, region in enumerate(REGIONS):
            for side in ("left", "right"):
                volume = float(weight[(names == number) & (sides == side)].sum())
                if volume:
                    told[region, side] = volume
        return told


def resect(
    found: Survey,
    block: Block,
    bone: NDArray[np.bool_],
    approach: Approach,
    side: str,
    height_mm: float,
    heals: float,
) -> Resection:
    """Take bone on one side of a vertebra.

    Parameters
    ----------
    bone
        Bone of this vertebra on the block's fine grid.
    height_mm
        Where along the canal the leak lies: a trench is cut at its height.
    heals
        Share of what was taken that is back at follow-up, grown in from one end.
    """
    import edt

    points = points_of(block.grid)
    taken = np.zeros(bone.shape, np.float32)
    for solid in _solids(found, block, approach, side, height_mm):
        taken = np.maximum(taken, cover(solid.distance_mm(points), block.grid))
    near = edt.edt(block.inside <= 0, anisotropy=block.grid.spacing_mm) <= _KEEP_OFF_MM
    taken = np.where(bone & ~near, taken, 0).astype(np.float32)
    ahead = points @ lengthwise(found, block)
    order = np.argsort(ahead[taken > 0])
    volumes = taken[taken > 0][order]
    limit = np.searchsorted(np.cumsum(volumes), heals * volumes.sum()) if len(volumes) else 0
    edge = ahead[taken > 0][order][min(limit, len(volumes) - 1)] if len(volumes) else 0.0
    healed = np.where(ahead <= edge, taken, 0).astype(np.float32)
    return Resection(block, taken, healed)


def lengthwise(found: Survey, block: Block) -> FloatArray:
    """Unit vector along the canal at the block's vertebra: bone grows back along it."""
    frame = block.site.frame
    way = point_of(found, frame.top_mm, 0.0, 0.0) - point_of(found, frame.bottom_mm, 0.0, 0.0)
    return np.asarray(way / np.linalg.norm(way), dtype=np.float64)


def _solids(found: Survey, block: Block, approach: Approach, side: str, height_mm: float) -> list[Solid]:
    frame, sign = block.site.frame, 1.0 if side == "left" else -1.0
    pedicle = frame.pedicles[side]
    middle, wide = (pedicle.medial_mm + pedicle.lateral_mm) / 2, pedicle.lateral_mm - pedicle.medial_mm
    half = found.at_s(found.canal_half_width_mm, pedicle.middle_mm)

    def at(s: float, u: float, v: float) -> FloatArray:
        return point_of(found, s, u, sign * v)

    if approach == "A":
        stops = [
            at(pedicle.middle_mm, frame.wall_u_mm - 3.0, 0.9 * middle),
            at(pedicle.middle_mm, frame.wall_u_mm + 18.0, middle),
        ]
        return [Tube(np.array(stops), np.full(2, max(0.42 * wide, 3.0)))]
    s = float(np.clip(height_mm, pedicle.bottom_mm, pedicle.top_mm))
    trench = [at(s, frame.wall_u_mm - 2.0, 0.5 * half), at(s, frame.wall_u_mm + 1.0, pedicle.medial_mm + 2.5)]
    door = [at(s, frame.wall_u_mm + 6.0, pedicle.medial_mm + 1.0), at(s, frame.wall_u_mm + 24.0, 0.8 * half)]
    return [Tube(np.array(trench), np.full(2, 3.5)), Tube(np.array(door), np.full(2, 4.0))]


def _region(found: Survey, block: Block, suv: FloatArray) -> NDArray[np.int64]:
    frame = block.site.frame
    rows = suv[:, 0]
    half = np.array([found.at_s(found.canal_half_width_mm, float(s)) for s in rows])
    wall = np.array([found.at_s(found.wall_u_mm, float(s)) for s in rows])
    across = np.abs(suv[:, 2])
    names = np.full(len(suv), REGIONS.index("other"))
    behind = suv[:, 1] > wall
    names[behind] = REGIONS.index("lamina")
    names[behind & (across >= half)] = REGIONS.index("facet_joint")
    for side, sign in (("left", 1), ("right", -1)):
        pedicle = frame.pedicles.get(side)
        if pedicle is not None:
            high = (rows >= pedicle.bottom_mm) & (rows <= pedicle.top_mm)
            own = behind & high & (sign * suv[:, 2] > 0.6 * half) & (suv[:, 1] <= wall + 2 * half)
            names[own] = REGIONS.index("pedicle")
    names[~behind & (suv[:, 1] > wall - _WALL_MM) & (across <= half + 1.0)] = REGIONS.index("posterior_wall")
    return names
