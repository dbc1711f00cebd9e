"""Vertebra masks made whole where cement left a hole in them, before anything is compared with them.

Deep-learning masks may leave out cement that lies inside bone. A cavity closed in by one vertebra is bone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.balls import grown_bits, worn_bits
from leakseg.bits import Bits
from leakseg.closed import closed_in
from leakseg.criteria import SpineCriteria
from leakseg.findings import QualityNote
from leakseg.geometry import bounding_box
from leakseg.reach import cut_out, near
from leakseg.volume import Volume, denser_than, percentile_hu

_WIDE_CRACKS_MM = (2.5, 3.5)
_CREVICE_MM = 3.0
"""Half widths of the cracks that dense cavities may have, and of the crevices between fingers of cement."""


def fill_cavities(
    volume: Volume, masks: SpineMasks, criteria: SpineCriteria
) -> tuple[SpineMasks, tuple[QualityNote, ...]]:
    """The masks with cavities filled, and a note for each vertebra that had one.

    Cracks up to twice ``cavity_crack_mm`` in the shell round a cavity are bridged; the canal, open above and
    below, is no cavity. Cement that left the bone opens its cavity farther: wider cracks are bridged for what is
    denser than nearly all of the vertebra's own bone.
    """
    spacing = masks.grid.spacing_mm
    filled: NDArray[np.uint8] | None = None
    notes = []
    for level, box in masks.windows.items():
        own = masks.vertebrae[box] == level.number
        free = masks.vertebrae[box] == 0
        if masks.canal is not None:
            free &= ~masks.canal[box]
        dense = free & denser_than(volume.hu[box], percentile_hu(volume.hu[box][own], criteria.cavity_dense_percentile))
        least = criteria.min_cavity_mm3 / masks.grid.voxel_volume_mm3
        cavity = _fill(own, free, dense, spacing, criteria.cavity_crack_mm, least)
        volume_mm3 = float(np.count_nonzero(cavity)) * masks.grid.voxel_volume_mm3
        if volume_mm3 < criteria.min_cavity_mm3:
            continue
        filled = masks.to_relabel() if filled is None else filled
        filled[box][cavity] = level.number
        notes.append(
            QualityNote(
                "mask_cavity_filled",
                "info",
                f"The mask of {level.value} had a cavity of {volume_mm3:.0f} mm3, "
                "as masks have where cement lies: it was counted as bone.",
            )
        )
    return (masks if filled is None else masks.filled(filled)), tuple(notes)


def doubt_empty_cavities(
    given: SpineMasks, whole: SpineMasks, cement_mm3: Mapping[VertebraLevel, float], criteria: SpineCriteria
) -> tuple[QualityNote, ...]:
    """A note for each vertebra whose mask had a large cavity that hardly any cement was found for.

    Parameters
    ----------
    given, whole
        The masks before and after their cavities and holes were filled.
    cement_mm3
        Cement found inside each vertebra's bone.
    """
    notes = []
    for level, box in given.windows.items():
        filled = (given.vertebrae[box] == 0) & (whole.vertebrae[box] == level.number)
        cavity_mm3 = float(np.count_nonzero(filled)) * given.grid.voxel_volume_mm3
        found_mm3 = cement_mm3.get(level, 0.0)
        if cavity_mm3 < criteria.doubtful_cavity_mm3 or found_mm3 >= criteria.doubtful_cavity_share * cavity_mm3:
            continue
        notes.append(
            QualityNote(
                "cavity_without_cement",
                "warning",
                f"The mask of {level.value} had a cavity of {cavity_mm3:.0f} mm3, as masks have where cement lies, "
                f"but only {found_mm3:.0f} mm3 of cement was found in the vertebra: look at it.",
            )
        )
    return tuple(notes)


def _fill(
    own: NDArray[np.bool_],
    free: NDArray[np.bool_],
    dense: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
    crack_mm: float,
    least: float,
) -> NDArray[np.bool_]:
    """What one vertebra's mask lacks: closed cavities, then dense ones with wider cracks, then what those leave.

    Where nothing is closed in, and what is dense has fewer voxels than the ``least`` of a cavity, there is none.
    """
    whole = own.copy()
    rounds = ((crack_mm, free), *((wide, dense) for wide in _WIDE_CRACKS_MM), (crack_mm, free))
    found, nothing_found_at = False, set[float]()
    for crack, may_be in rounds if dense.any() else rounds[:1]:
        if crack in nothing_found_at:
            continue
        cavity = _cavities(whole, spacing_mm, crack)
        if cavity is None:
            nothing_found_at.add(crack)
            if not found and np.count_nonzero(dense) < least:
                break
            continue
        found = True
        nothing_found_at.clear()
        whole |= cavity & may_be
    if not found:
        return np.zeros_like(own)
    cavity = whole & ~own
    beside = near(cavity, _CREVICE_MM + 1.0, spacing_mm) & dense & ~whole
    cavity |= _in_crevices(beside, whole, spacing_mm)
    if cavity.any():  # pinholes between its voxels, narrower than any crack
        pinholes = closed_in(Bits.of(own | cavity))
        if pinholes is not None:
            cavity |= free & pinholes
    return cavity


def _in_crevices(
    mask: NDArray[np.bool_], bone: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> NDArray[np.bool_]:
    """Those voxels of a mask that lie in crevices of the bone, of which there is none beyond the array."""
    crevices, box = np.zeros_like(mask), bounding_box(mask)
    if box is not None:
        pads = [int(np.ceil(2 * _CREVICE_MM / step)) + 1 for step in spacing_mm]
        whole = (slice(0, bone.shape[0]), slice(0, bone.shape[1]), slice(0, bone.shape[2]))
        k, j, i = (slice(side.start - pad, side.stop + pad) for side, pad in zip(box, pads, strict=True))
        around = cut_out(bone, whole, (k, j, i))
        near_bone = grown_bits(Bits.of(around), _CREVICE_MM, spacing_mm)
        closed = worn_bits(near_bone, _CREVICE_MM, spacing_mm).mask()
        crevices[box] = mask[box] & closed[tuple(slice(pad, -pad) for pad in pads)]
    return crevices


def _cavities(
    own: NDArray[np.bool_], spacing_mm: tuple[float, float, float], crack_mm: float
) -> NDArray[np.bool_] | None:
    """Voxels closed in by the mask, the cracks in its shell bridged; None where it closes nothing in.

    It closes nothing in beyond the block that it fills: what is near to it out there is so further in too.
    """
    wide = grown_bits(Bits.of(own), crack_mm, spacing_mm)
    hollow = closed_in(wide)
    if hollow is None:
        return None
    beside = near(hollow, crack_mm + max(spacing_mm), spacing_mm)
    return np.asarray(beside & ~own & (wide.mask() | hollow))
