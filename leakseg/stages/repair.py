"""Vertebra masks made whole where cement left a hole in them, before anything is compared with them.

Deep-learning masks may leave out cement that lies inside bone. A cavity closed in by one vertebra is bone.
"""

from __future__ import annotations

from dataclasses import replace

import cc3d
import edt
import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks
from leakseg.criteria import SpineCriteria
from leakseg.findings import QualityNote


def fill_cavities(masks: SpineMasks, criteria: SpineCriteria) -> tuple[SpineMasks, tuple[QualityNote, ...]]:
    """The masks with closed cavities filled, and a note for each vertebra that had one.

    Cracks up to twice ``cavity_crack_mm`` in the shell round a cavity are bridged; the canal, open above
    and below, is no cavity.
    """
    spacing = masks.grid.spacing_mm
    reach = [int(np.ceil(criteria.cavity_crack_mm / step)) + 2 for step in spacing]
    filled: NDArray[np.uint8] | None = None
    notes = []
    for level, box in masks.windows.items():
        number = level.number
        own = np.pad(masks.vertebrae[box] == number, [(pad, pad) for pad in reach])
        inner = tuple(slice(pad, -pad) for pad in reach)
        cavity = _cavities(own, spacing, criteria.cavity_crack_mm)[inner] & (masks.vertebrae[box] == 0)
        if masks.canal is not None:
            cavity &= ~masks.canal[box]
        volume = float(cavity.sum()) * masks.grid.voxel_volume_mm3
        if volume < criteria.min_cavity_mm3:
            continue
        filled = masks.vertebrae.copy() if filled is None else filled
        filled[box][cavity] = number
        notes.append(
            QualityNote(
                "mask_cavity_filled",
                "info",
                f"The mask of {level.value} had a cavity of {volume:.0f} mm3, "
                "as masks have where cement lies: it was counted as bone.",
            )
        )
    return (masks if filled is None else replace(masks, vertebrae=filled)), tuple(notes)


def _cavities(own: NDArray[np.bool_], spacing_mm: tuple[float, float, float], crack_mm: float) -> NDArray[np.bool_]:
    """Voxels closed in by the mask, the cracks in its shell bridged."""
    wide = edt.edt(~own, anisotropy=spacing_mm, black_border=False) <= crack_mm
    open_space = cc3d.connected_components(~wide, connectivity=6)
    hollow = ~wide & (open_space != open_space[0, 0, 0])
    if not hollow.any():
        return np.zeros(own.shape, np.bool_)
    near = edt.edt(~hollow, anisotropy=spacing_mm, black_border=False) <= crack_mm + max(spacing_mm)
    return np.asarray((near & ~own) & (wide | hollow))
