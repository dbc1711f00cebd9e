"""What became of each piece of cement: removed, remaining, new or moved; canal and foramina before and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineAnatomy, VertebraLevel
from leakseg.criteria.compare import CompareCriteria
from leakseg.geometry import FloatArray
from leakseg.pieces import INSIDE
from leakseg.stages.measure import encroachment
from leakseg.studies.compare.register import LevelMatch
from leakseg.studies.compare.scans import ScanAtTime

INNER, SMALL = 1000, 2000
"""Owners besides leak ids: inner cement (plus the level's number), pieces outside bone too small to be leaks."""


@dataclass(frozen=True, eq=False)
class CementCloud:
    """Cement of one scan as points: patient points of the first scan ``(N, 3)``, mm3 each stands for, and its owner.

    ``owner`` is a leak id, `INNER` plus a level's number, `SMALL`, or 0 for cement that was not there before;
    ``index`` are the voxels in the scan's cement window; ``known`` is false where no vertebra near was found again.
    """

    points_mm: FloatArray
    volume_mm3: FloatArray
    owner: NDArray[np.int64]
    index: NDArray[np.int64]
    known: NDArray[np.bool_]


def first_cloud(scan: ScanAtTime) -> CementCloud:
    """The cement of the first scan with its owners: rim voxels go with their nearest cement."""
    index, volume = _cement_voxels(scan)
    owner = _owners(scan)[tuple(index.T)]
    points = scan.cement.grid.to_patient(index)
    return CementCloud(points, volume, owner, index, np.ones(len(index), bool))


def later_cloud(
    scan: ScanAtTime, first: ScanAtTime, matches: dict[VertebraLevel, LevelMatch], criteria: CompareCriteria
) -> CementCloud:
    """The cement of a later scan, each voxel brought to the first by its nearest vertebra and given its owner there.

    Cement inside bone goes with inner cement where that is in reach; all other with the nearest.
    """
    from scipy.spatial import cKDTree

    index, volume = _cement_voxels(scan)
    points, known = to_first(scan, matches, scan.cement.grid.to_patient(index))
    owner = np.zeros(len(index), np.int64)
    before = np.argwhere(first.cement.labels > 0)
    before = before[first.cement.labels[tuple(before.T)] != 3]
    if len(before) and len(index):
        owners = _owners(first)[tuple(before.T)]
        places = first.cement.grid.to_patient(before)
        distance, nearest = cKDTree(places).query(points, distance_upper_bound=criteria.same_place_mm)
        reached = np.isfinite(distance)
        owner[reached] = owners[nearest[reached]]
        inner = (owners >= INNER) & (owners < SMALL)
        in_bone = scan.cement.bone_fraction[tuple(index.T)] > scan.cement.fraction[tuple(index.T)]
        if inner.any() and in_bone.any():
            distance, nearest = cKDTree(places[inner]).query(points, distance_upper_bound=criteria.same_place_mm)
            taken = np.isfinite(distance) & in_bone
            owner[taken] = owners[inner][nearest[taken]]
    return CementCloud(points, volume, owner, index, known)


def to_first(
    scan: ScanAtTime, matches: dict[VertebraLevel, LevelMatch], points_mm: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Patient points of a later scan in the first one; false where the nearest vertebra was not found again."""
    moved, known = points_mm.copy(), np.zeros(len(points_mm), bool)
    if not len(points_mm):
        return moved, known
    nearest = nearest_level(scan.anatomy, points_mm)
    for number in np.unique(nearest):
        match = matches.get(VertebraLevel.from_number(int(number)))
        if match is not None and match.problem is None:
            here = nearest == number
            moved[here], known[here] = match.to_first(points_mm[here]), True
    return moved, known


def nearest_level(anatomy: SpineAnatomy, points_mm: FloatArray) -> NDArray[np.int64]:
    """Number of the vertebra whose mid-height is nearest, ``(N,)``."""
    s = anatomy.axis.to_canal(points_mm)[:, 0]
    middles = np.array([vertebra.s_middle_mm for vertebra in anatomy.vertebrae])
    numbers = np.array([vertebra.level.number for vertebra in anatomy.vertebrae])
    return np.asarray(numbers[np.argmin(np.abs(s[:, None] - middles), axis=1)], dtype=np.int64)


def canal_shares(cloud: CementCloud, chosen: NDArray[np.bool_], first: ScanAtTime) -> FloatArray:
    """``(S,)`` share of the first scan's canal that the chosen points take, section by section."""
    suv = first.anatomy.axis.to_canal(cloud.points_mm[chosen])
    section = max(2.0, *first.volume.grid.spacing_mm)
    return encroachment(suv, cloud.volume_mm3[chosen], first.anatomy, section)


def _cement_voxels(scan: ScanAtTime) -> tuple[NDArray[np.int64], FloatArray]:
    """Voxels that hold cement, ``(N, 3)`` in the cement's window, and the mm3 in each."""
    share = np.minimum(scan.cement.fraction + scan.cement.bone_fraction, 1.0)
    index = np.argwhere(share > 0)
    return index, share[tuple(index.T)].astype(np.float64) * scan.cement.grid.voxel_volume_mm3


def _owners(scan: ScanAtTime) -> NDArray[np.int64]:
    """``(k, j, i)`` owner of every voxel of the cement's window, the nearest cement's where there is none."""
    from scipy.ndimage import distance_transform_edt

    window = scan.cement.window
    leaks = scan.leak_labels[window].astype(np.int64)
    levels = scan.masks.vertebrae[window].astype(np.int64)
    inner = scan.cement.labels == INSIDE
    owner = np.where(leaks > 0, leaks, np.where(inner, INNER + levels, np.where(scan.cement.labels == 2, SMALL, 0)))
    if not owner.any():
        return np.asarray(owner, dtype=np.int64)
    nearest = distance_transform_edt(
        owner == 0, sampling=scan.cement.grid.spacing_mm, return_distances=False, return_indices=True
    )
    return np.asarray(owner[tuple(nearest)], dtype=np.int64)
