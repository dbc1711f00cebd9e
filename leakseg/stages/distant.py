"""Distant cement: detached dense pieces away from the spine, anywhere in the scan, before any cropping."""

from __future__ import annotations

from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.allocator import untouched
from leakseg.anatomy import SpineAnatomy, SpineMasks
from leakseg.criteria import CementCriteria, DistantCriteria
from leakseg.findings import QualityNote
from leakseg.geometry import bounding_box
from leakseg.pieces import CementMap
from leakseg.reach import Window, grown, hanging_together, start_of, within
from leakseg.volume import Volume, denser_than


def find_distant_cement(
    volume: Volume,
    masks: SpineMasks,
    cement: CementMap,
    spine: SpineAnatomy,
    cement_criteria: CementCriteria,
    criteria: DistantCriteria,
) -> tuple[QualityNote, ...]:
    """One note for each dense piece in front of or beside the spine that is no bone and no leak.

    Cement can travel through the azygos vein or the vena cava to the heart and the lungs. Pieces behind
    the vertebral bodies (the table, the ribs' rear) are passed over. Nothing is looked for where the scan
    holds no cement at all: its density is then unknown.
    """
    if cement.plateau_hu is None:
        return ()
    soft, span, hu = cement.soft_hu, cement.plateau_hu - cement.soft_hu, volume.hu
    dense = _dense_elsewhere(hu, soft + cement_criteria.edge_share * span, masks, cement)
    window = bounding_box(dense)
    if window is None:
        return ()

    def hanging(room: Window) -> NDArray[np.bool_]:
        return np.asarray(
            denser_than(hu[room], soft + cement_criteria.hang_share * span) & (masks.vertebrae[room] == 0)
        )

    pieces = cc3d.connected_components(dense[window], connectivity=26)
    notes = []
    for number, inner_box in enumerate(ndimage.find_objects(pieces), start=1):
        own = pieces[inner_box] == number
        box = within(inner_box, window)
        size_mm3 = float(own.sum()) * volume.grid.voxel_volume_mm3
        if not criteria.distant_min_volume_mm3 <= size_mm3 <= criteria.distant_max_volume_mm3:
            continue
        middle, dense_end = np.percentile((hu[box][own].astype(np.float32) - soft) / span, [50, 90])
        if (
            middle < criteria.distant_middle_share
            or not criteria.distant_core_share <= dense_end <= criteria.distant_max_core_share
        ):
            continue
        spread = hanging_together(own, box, hu.shape, volume.grid.spacing_mm, hanging, criteria.distant_max_spread)
        if spread is not None and spread > criteria.distant_max_spread:
            continue
        points = volume.grid.to_patient(np.argwhere(own) + start_of(box))
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


def _dense_elsewhere(hu: NDArray[Any], least_hu: float, masks: SpineMasks, cement: CementMap) -> NDArray[np.bool_]:
    """Where the scan is denser than that and holds neither bone nor the cement that is known, with its rim."""
    dense = untouched(hu.shape)
    known = grown(grown(cement.labels > 0, 1), 1)
    upright, *across = cement.window
    for number, section in enumerate(hu):
        here = denser_than(section, least_hu)
        if not here.any():
            continue
        if upright.start <= number < upright.stop:
            here[tuple(across)] &= ~known[number - upright.start]
        here &= masks.vertebrae[number] == 0
        if here.any():
            dense[number] = here
    return dense


def _before_the_spine(centre: NDArray[np.float64], spine: SpineAnatomy, criteria: DistantCriteria) -> bool:
    """In front of the vertebrae and well away from them: what lies beside them is judged as a leak."""
    s, u, v = spine.axis.to_canal(centre[None])[0]
    row = int(np.clip(round(s), 0, len(spine.posterior_wall_u_mm) - 1))
    beside = spine.lattice.lookup(spine.bone, np.array([[s, u, v]]))[0] > 0
    away = float(np.hypot(u, v)) >= criteria.distant_min_reach_mm
    return bool(u < spine.posterior_wall_u_mm[row] and abs(v) <= criteria.lateral_reach_mm and away and not beside)
