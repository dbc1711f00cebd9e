"""Distant cement: detached dense pieces away from the spine, anywhere in the scan, before any cropping."""

from __future__ import annotations

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import SpineAnatomy, SpineMasks
from leakseg.criteria import DistantCriteria
from leakseg.findings import QualityNote
from leakseg.pieces import CementMap
from leakseg.volume import Volume

_DENSE_SHARE = 0.5
_HANG_SHARE = 0.18


def find_distant_cement(
    volume: Volume, masks: SpineMasks, cement: CementMap, spine: SpineAnatomy, criteria: DistantCriteria
) -> tuple[QualityNote, ...]:
    """One note for each dense piece in front of or beside the spine that is no bone and no leak.

    Cement can travel through the azygos vein or the vena cava to the heart and the lungs. Pieces behind
    the vertebral bodies (the table, the ribs' rear) are passed over. Nothing is looked for where the scan
    holds no cement at all: its density is then unknown.
    """
    if cement.plateau_hu is None:
        return ()
    share = (volume.hu.astype(np.float32) - cement.soft_hu) / (cement.plateau_hu - cement.soft_hu)
    dense = share > _DENSE_SHARE
    dense[cement.window] &= ~ndimage.binary_dilation(cement.labels > 0, iterations=2)
    dense &= masks.vertebrae == 0
    pieces = cc3d.connected_components(dense, connectivity=26)
    hang = cc3d.connected_components((share > _HANG_SHARE) & (masks.vertebrae == 0), connectivity=26)
    hang_sizes = np.bincount(hang.ravel())
    notes = []
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        own = pieces[box] == number
        size_mm3 = float(own.sum()) * volume.grid.voxel_volume_mm3
        if not criteria.distant_min_volume_mm3 <= size_mm3 <= criteria.distant_max_volume_mm3:
            continue
        middle, dense_end = np.percentile(share[box][own], [50, 90])
        spread = float(hang_sizes[np.unique(hang[box][own])].sum() / own.sum())
        if (
            middle < criteria.distant_middle_share
            or not criteria.distant_core_share <= dense_end <= criteria.distant_max_core_share
            or spread > criteria.distant_max_spread
        ):
            continue
        points = volume.grid.to_patient(np.argwhere(own) + [part.start for part in box])
        centre = points.mean(axis=0)
        if not _before_the_spine(centre, spine, criteria):
            continue
        size = np.ptp(points, axis=0) + np.abs(volume.grid.affine[:3, :3]).max(axis=1)
        notes.append(
            QualityNote(
                "distant_dense_object",
                "warning",
                "A detached piece as dense as cement lies away from the spine at "
                f"x {centre[0]:.0f}, y {centre[1]:.0f}, z {centre[2]:.0f} mm (LPS): {size_mm3:.0f} mm3, "
                f"{size[0]:.0f} x {size[1]:.0f} x {size[2]:.0f} mm. "
                "Cement may have travelled by vein; calcification, contrast and clips look alike.",
            )
        )
    return tuple(notes)


def _before_the_spine(centre: NDArray[np.float64], spine: SpineAnatomy, criteria: DistantCriteria) -> bool:
    """In front of the vertebrae and well away from them: what lies beside them is judged as a leak."""
    s, u, v = spine.axis.to_canal(centre[None])[0]
    row = int(np.clip(round(s), 0, len(spine.posterior_wall_u_mm) - 1))
    beside = spine.lattice.lookup(spine.bone, np.array([[s, u, v]]))[0] > 0
    away = float(np.hypot(u, v)) >= criteria.distant_min_reach_mm
    return bool(u < spine.posterior_wall_u_mm[row] and abs(v) <= criteria.lateral_reach_mm and away and not beside)
