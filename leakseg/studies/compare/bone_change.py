"""Bone that surgery took, by region and side, and how much of it is back at bone density at follow-up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineAnatomy, Vertebra, VertebraLevel
from leakseg.criteria.compare import CompareCriteria
from leakseg.geometry import FloatArray
from leakseg.studies.compare.register import LevelMatch
from leakseg.studies.compare.scans import ScanAtTime

REGIONS = ("pedicle", "facet_joint", "posterior_wall", "lamina", "other")
"""Where bone was resected; `other`: the rest of the body, the transverse and spinous processes."""
_POSTERIOR_WALL_MM = 8.0
"""The posterior wall: bone of the body this near to the canal, between the pedicles [convention]."""
_FACET_SHARE = 0.5
"""Articular processes lie lateral of this share of the canal's half width [convention]."""
_CEMENT_ROOM_MM = 1.5
_WHOLE_PERCENT = 90.0
"""New bone is whole where the density rose most: in this percentile of the resected voxels and above."""


@dataclass(frozen=True, eq=False)
class ResectedBone:
    """Bone of one vertebra that is gone.

    ``index`` ``(N, 3)`` voxels of the first scan, ``region`` and ``left`` of each, ``healed`` at follow-up (None
    without one).
    """

    level: VertebraLevel
    index: NDArray[np.int64]
    region: NDArray[np.int64]
    left: NDArray[np.bool_]
    voxel_volume_mm3: float
    healed: NDArray[np.bool_] | None = None

    def volume_mm3(self, chosen: NDArray[np.bool_] | None = None) -> float:
        """Volume of all of it, or of the chosen voxels."""
        count = len(self.index) if chosen is None else int(chosen.sum())
        return count * self.voxel_volume_mm3


def resected_bone(
    first: ScanAtTime,
    post: ScanAtTime,
    match: LevelMatch,
    criteria: CompareCriteria,
    followup: tuple[ScanAtTime, LevelMatch] | None = None,
) -> ResectedBone:
    """Bone of a vertebra whose density is gone after surgery, and what of it is back at follow-up.

    Bone that held cement before is left out: taking cement out of bone resects no bone.
    """
    import cc3d
    from scipy.ndimage import binary_closing, binary_erosion, find_objects

    level = match.level
    box = find_objects((first.masks.vertebrae == level.number).astype(np.uint8))[0]
    window = tuple(slice(max(side.start - 2, 0), side.stop + 2) for side in box)
    grid = first.volume.grid.crop((window[0], window[1], window[2]))
    bone = (first.masks.vertebrae[window] == level.number) & ~_near_cement(first)[window]
    index = np.argwhere(bone)
    points = grid.to_patient(index)
    before = _densities(first, np.eye(4), points, criteria)
    after = _densities(post, match.matrix, points, criteria)
    soft = min(first.cement.soft_hu, post.cement.soft_hu)
    fell = before - after >= criteria.min_density_loss_hu
    gone = fell & (after - soft <= criteria.max_density_kept * np.maximum(before - soft, 0.0))
    gone |= (before - after >= criteria.min_loss_beyond_mask_hu) & ~_in_bone(post, level, match, points)
    field = np.zeros(grid.shape, bool)
    field[tuple(index[gone].T)] = True
    field = binary_closing(field, iterations=1) & bone
    pieces, count = cc3d.connected_components(field.astype(np.uint8), connectivity=6, return_N=True)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1) * grid.voxel_volume_mm3
    solid = binary_erosion(field)
    # Slivers along a border that is half a voxel off have no voxel inside.
    keep = [n for n in range(1, count + 1) if sizes[n] >= criteria.min_piece_mm3 and solid[pieces == n].any()]
    found = np.argwhere(np.isin(pieces, keep)) if keep else np.zeros((0, 3), np.int64)
    points = grid.to_patient(found)
    region, left = name_regions(first.anatomy, level, points)
    healed = None
    if followup is not None and followup[1].problem is None:
        now = _densities(followup[0], followup[1].matrix, points, criteria)
        healed = _healed(now, _densities(post, match.matrix, points, criteria), criteria)
    offset = np.array([side.start for side in window])
    return ResectedBone(level, found + offset, region, left, grid.voxel_volume_mm3, healed)


def _healed(now: NDArray[np.float32], after: NDArray[np.float32], criteria: CompareCriteria) -> NDArray[np.bool_]:
    """Where new bone fills at least half a voxel: its density went half the way from then to that of whole new bone.

    What lies round a voxel blurs into both scans alike and so drops out.
    """
    if not len(now):
        return np.zeros(0, bool)
    rise = now - after
    new_bone_hu = float(np.median(now[rise >= np.percentile(rise, _WHOLE_PERCENT)]))
    if new_bone_hu < criteria.bone_hu:
        return np.zeros(len(now), bool)
    way = np.maximum(new_bone_hu - after, criteria.min_density_loss_hu)
    return np.asarray(rise >= criteria.healed_share * way, dtype=np.bool_)


def name_regions(
    anatomy: SpineAnatomy, level: VertebraLevel, points_mm: FloatArray
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Region (index into `REGIONS`) and side (true: left) of points in a vertebra."""
    suv = anatomy.axis.to_canal(points_mm)
    vertebra = anatomy.vertebra(level)
    rows = np.clip(np.rint(suv[:, 0]).astype(int), 0, len(anatomy.canal_half_width_mm) - 1)
    wall, half = anatomy.posterior_wall_u_mm[rows], anatomy.canal_half_width_mm[rows]
    s, u, across = suv[:, 0], suv[:, 1], np.abs(suv[:, 2])
    back = _canal_back(anatomy)[rows]
    region = np.full(len(suv), REGIONS.index("other"))
    behind = u > wall
    pedicle = behind & (u <= back) & (across >= 0.6 * half) & _at_pedicle(vertebra, s, suv[:, 2])
    region[behind & (across < half + 2.0) & (u > (wall + back) / 2)] = REGIONS.index("lamina")
    facet = behind & ~pedicle & (across >= _FACET_SHARE * half) & _off_pedicle(vertebra, s) & (across < half + 16.0)
    region[facet] = REGIONS.index("facet_joint")
    region[pedicle] = REGIONS.index("pedicle")
    region[~behind & (u > wall - _POSTERIOR_WALL_MM) & (across <= half + 1.0)] = REGIONS.index("posterior_wall")
    spinous = behind & (u > back + 10.0) & (across < 0.5 * half)
    region[spinous] = REGIONS.index("other")
    return region, suv[:, 2] > 0


def _canal_back(anatomy: SpineAnatomy) -> FloatArray:
    """``(S,)`` u of the canal's back wall in the midline."""
    u, _ = anatomy.lattice.sections()
    has: NDArray[np.bool_] = np.asarray(anatomy.canal.any(axis=2), dtype=np.bool_)
    last = has.shape[1] - 1 - np.argmax(has[:, ::-1], axis=1)
    back = np.where(has.any(axis=1), u[0, :, 0][last], np.nan)
    return np.where(np.isfinite(back), back, np.nanmedian(back) if np.isfinite(back).any() else 0.0)


def _at_pedicle(vertebra: Vertebra, s: FloatArray, v: FloatArray) -> NDArray[np.bool_]:
    inside = np.zeros(len(s), bool)
    for side, sign in (("left", 1), ("right", -1)):
        pedicle = vertebra.pedicles.get(side)
        if pedicle is not None:
            inside |= (sign * v > 0) & (s >= pedicle.s_bottom_mm - 1.0) & (s <= pedicle.s_top_mm + 1.0)
    return inside


def _off_pedicle(vertebra: Vertebra, s: FloatArray) -> NDArray[np.bool_]:
    """Above or below the pedicles' heights: where articular processes stand."""
    if not vertebra.pedicles:
        return np.abs(s - vertebra.s_middle_mm) > 0.25 * (vertebra.s_top_mm - vertebra.s_bottom_mm)
    bottom = min(pedicle.s_bottom_mm for pedicle in vertebra.pedicles.values())
    top = max(pedicle.s_top_mm for pedicle in vertebra.pedicles.values())
    return np.asarray((s < bottom) | (s > top), dtype=np.bool_)


def _near_cement(scan: ScanAtTime) -> NDArray[np.bool_]:
    import edt

    cement = np.zeros(scan.volume.grid.shape, bool)
    cement[scan.cement.window] = scan.cement.labels > 0
    if not cement.any():
        return cement
    near = edt.edt(~cement, anisotropy=scan.volume.grid.spacing_mm) <= _CEMENT_ROOM_MM
    return np.asarray(near, dtype=np.bool_)


def _densities(
    scan: ScanAtTime, matrix: FloatArray, points_mm: FloatArray, criteria: CompareCriteria
) -> NDArray[np.float32]:
    """Smoothed densities at points of the first scan, ``(N,)``; ``matrix`` takes them to this scan."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    if not len(points_mm):
        return np.zeros(0, np.float32)
    grid = scan.volume.grid
    index = grid.to_index(points_mm @ matrix[:3, :3].T + matrix[:3, 3])
    low = np.clip(np.floor(index.min(axis=0)).astype(int) - 4, 0, np.array(grid.shape) - 1)
    high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 5, low + 1, grid.shape)
    part = scan.volume.hu[low[0] : high[0], low[1] : high[1], low[2] : high[2]].astype(np.float32)
    smooth = gaussian_filter(part, [criteria.smooth_mm / mm for mm in grid.spacing_mm])
    return np.asarray(map_coordinates(smooth, (index - low).T, order=1, mode="nearest"), dtype=np.float32)


def _in_bone(scan: ScanAtTime, level: VertebraLevel, match: LevelMatch, points_mm: FloatArray) -> NDArray[np.bool_]:
    """Whether the later scan's own mask holds bone of that vertebra there."""
    index = np.rint(scan.volume.grid.to_index(match.to_other(points_mm))).astype(int)
    index = np.clip(index, 0, np.array(scan.volume.grid.shape) - 1)
    return np.asarray(scan.masks.vertebrae[tuple(index.T)] == level.number, dtype=np.bool_)
