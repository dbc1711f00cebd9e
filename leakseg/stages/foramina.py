"""Cement in a foramen left outside the bone, where the notch that it lies in was taken for a hole in a mask.

Narrow foramina, as in the thorax, are closed in by one vertebra nearly as a hole is that a mask has where cement lies
inside bone. But seen from the side they are open to the canal, and what lies in them is bone at most as dense as bone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks
from leakseg.coordinates import CanalSpace
from leakseg.criteria import CementCriteria
from leakseg.findings import QualityNote
from leakseg.geometry import voxels_of
from leakseg.looking import DENSE_END_PERCENTILE
from leakseg.pieces import LEVELS_TO_COMPARE
from leakseg.reach import connected_pieces, start_of
from leakseg.volume import Volume, percentile_hu

_MOST, _LOOKS = 0.5, 60
"""Of a piece so much sees the canal, looked for at so many places on the way."""


def leave_foramina_open(
    volume: Volume, hollow: SpineMasks, whole: SpineMasks, space: CanalSpace, criteria: CementCriteria
) -> tuple[SpineMasks, tuple[QualityNote, ...]]:
    """The masks without what was filled in them that is cement in a foramen, and a note where there was some.

    Parameters
    ----------
    hollow, whole
        The masks before and after their cavities and holes were filled.
    """
    block = whole.block
    if whole is hollow or block is None or len(hollow.windows) < LEVELS_TO_COMPARE:
        return whole, ()
    filled = (hollow.vertebrae[block] == 0) & (whole.vertebrae[block] > 0)
    hu, index = volume.hu[block][filled], voxels_of(filled)
    owner = connected_pieces(filled)[filled]
    least_hu = criteria.beyond_bone * _densest_bone_hu(volume, hollow, criteria)
    freed = np.zeros(len(index), np.bool_)
    for piece in np.unique(owner[hu >= least_hu]):
        own = owner == piece
        if np.percentile(hu[own], DENSE_END_PERCENTILE) >= least_hu:
            freed[own] = _beside_canal(hollow, space, index[own] + start_of(block)).mean() >= _MOST
    if not freed.any():
        return whole, ()
    vertebrae = whole.to_relabel()
    vertebrae[tuple((index[freed] + start_of(block)).T)] = 0
    volume_mm3 = np.count_nonzero(freed) * whole.grid.voxel_volume_mm3
    note = QualityNote(
        "foramen_left_open",
        "info",
        f"Of what was filled in the masks, {volume_mm3:.0f} mm3 are open to the canal and denser than any bone: "
        "they were taken for cement in a foramen, not for bone.",
    )
    return whole.filled(vertebrae), (note,)


def _densest_bone_hu(volume: Volume, masks: SpineMasks, criteria: CementCriteria) -> float:
    """How dense the densest bone of most vertebrae is."""
    tops = [
        percentile_hu(volume.hu[box][masks.vertebrae[box] == level.number], criteria.bone_top_percentile)
        for level, box in masks.windows.items()
    ]
    return float(np.median(tops))


def _beside_canal(masks: SpineMasks, space: CanalSpace, index: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which voxels ``(N, 3)`` lie behind the canal's front and no bone between them and its middle."""
    points = masks.grid.to_patient(index)
    s, u, _ = space.axis.to_canal(points).T
    sections = np.clip(np.rint(s), 0, len(space.wall.radius_mm) - 1).astype(int)
    middle = space.axis.sections_to_patient(np.clip(s, 0, space.axis.length_mm), np.zeros(len(s)), np.zeros(len(s)))
    sees: Any = u > -space.wall.radius_mm[sections, len(space.wall.angles_rad) // 2]
    for share in np.arange(1, _LOOKS) / _LOOKS:
        at = np.rint(masks.grid.to_index(points + share * (middle - points))).astype(int)
        at = np.clip(at, 0, np.array(masks.grid.shape) - 1)
        sees &= masks.vertebrae[tuple(at.T)] == 0
    return np.asarray(sees, dtype=np.bool_)
