"""Distant cement: detached dense pieces away from the spine, anywhere in the scan, before any cropping."""

from __future__ import annotations

import cc3d
import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import SpineAnatomy, SpineMasks
from leakseg.criteria import DistantCriteria
from leakseg.findings import QualityNote
from leakseg.pieces import CementMap
from leakseg.volume import Volume

_DENSE_SHARE = 0.5
_CORE_SHARE = 0.65
_TISSUE_SHARE = 0.2


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
    threshold = cement.soft_hu + _DENSE_SHARE * (cement.plateau_hu - cement.soft_hu)
    dense = volume.hu > threshold
    dense[cement.window] &= (cement.labels == 0) & ~_halo(cement) & (masks.vertebrae[cement.window] == 0)
    pieces = cc3d.connected_components(dense, connectivity=26)
    sizes = np.bincount(pieces.ravel()) * volume.grid.voxel_volume_mm3
    notes = []
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        if box is None or not criteria.distant_min_volume_mm3 <= sizes[number] <= criteria.distant_max_volume_mm3:
            continue
        own = pieces[box] == number
        index = np.argwhere(own) + [part.start for part in box]
        if np.percentile(volume.hu[box][own], 90) < _CORE_SHARE * cement.plateau_hu:
            continue
        centre = volume.grid.to_patient(index).mean(axis=0)
        if not _before_the_spine(centre, spine, criteria) or not _alone(volume, pieces, number, box, cement, criteria):
            continue
        size = np.ptp(volume.grid.to_patient(index), axis=0) + np.abs(volume.grid.affine[:3, :3]).max(axis=1)
        notes.append(
            QualityNote(
                "distant_dense_object",
                "warning",
                "A detached piece as dense as cement lies away from the spine at "
                f"x {centre[0]:.0f}, y {centre[1]:.0f}, z {centre[2]:.0f} mm (LPS): {sizes[number]:.0f} mm3, "
                f"{size[0]:.0f} x {size[1]:.0f} x {size[2]:.0f} mm. "
                "Cement may have travelled by vein; calcification, contrast and clips look alike.",
            )
        )
    return tuple(notes)


def _halo(cement: CementMap) -> NDArray[np.bool_]:
    return np.asarray(ndimage.binary_dilation(cement.labels > 0, iterations=2))


def _before_the_spine(centre: NDArray[np.float64], spine: SpineAnatomy, criteria: DistantCriteria) -> bool:
    s, u, v = spine.axis.to_canal(centre[None])[0]
    row = int(np.clip(round(s), 0, len(spine.posterior_wall_u_mm) - 1))
    return bool(u < spine.posterior_wall_u_mm[row] and abs(v) <= criteria.lateral_reach_mm)


def _alone(
    volume: Volume,
    pieces: NDArray[np.integer],
    number: int,
    box: tuple[slice, ...],
    cement: CementMap,
    criteria: DistantCriteria,
) -> bool:
    """Whether the piece ends in soft tissue or air all round: a rib's dense core does not."""
    wide = tuple(
        slice(max(0, part.start - int(np.ceil(6 / step))), min(size, part.stop + int(np.ceil(6 / step))))
        for part, step, size in zip(box, volume.grid.spacing_mm, volume.grid.shape, strict=True)
    )
    distance = edt.edt(pieces[wide] != number, anisotropy=volume.grid.spacing_mm, black_border=False)
    reach = max(2.0, 1.5 * max(volume.grid.spacing_mm))
    shell = (distance > reach) & (distance <= reach + 3.0)
    if not shell.any() or cement.plateau_hu is None:
        return False
    tissue = cement.soft_hu + _TISSUE_SHARE * (cement.plateau_hu - cement.soft_hu)
    return float((volume.hu[wide][shell] > tissue).mean()) <= criteria.distant_max_bony_shell_fraction
