"""Lumps: what is dense through a cube of 3 mm. Bone so dense is thin, but for facets and the roots of pedicles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_opening, find_objects

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.frames import Frames, to_canal
from leakseg.providers.builtin.levels import Signals
from leakseg.providers.builtin.mirrored import alike_on_both_sides
from leakseg.providers.builtin.working import Block

OPEN_ABOVE_SOFT_HU, OPEN_BONE_SHARE = 850.0, 0.65
"""Before the canal and inside it a lump is cement that is denser than both: so much above soft tissue, and this share
of the densest hundredth of the bone. Measured, verse005, thoracic_dicom and totalsegmentator_ct: no lump of bone there
is denser than 670, 850 and 650 above soft tissue."""
ANYWHERE_ABOVE_SOFT_HU, ANYWHERE_BONE_SHARE = 1250.0, 1.05
"""The same anywhere, measured likewise: no facet is a lump of 1200 above soft tissue in any of the three."""
PLAINLY_DENSER = 1.4
"""What is so much denser than the densest hundredth of the bone is none, though it lies alike on both sides: sclerotic
facets are as dense as cement with little barium. Those of totalsegmentator_ct reach 1.35 times that hundredth."""
BEHIND_WALL_MM = 1.0
"""So far before the canal's front wall a lump is sought as before it: the wall is drawn as exactly as that."""
CLOSE_MM = 12.0
"""Farther beside or before the bodies are ribs, and calcified vessels."""
FORAMEN_MM = 9.0
"""So far behind the canal's front wall, beside the canal, are pedicles and foramina: a lump is cement there that is
dense through a ball of 5 mm; measured likewise, bone there is so nowhere above 800, facets farther back to 1050."""
BALL = np.sum((np.indices((5, 5, 5)) - 2) ** 2, axis=0) <= 5
LEAST_MM3 = 15.0


def thick(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask opened by a cube of three voxels."""
    out = mask.copy()
    for axis in range(3):
        out = _beside(out, axis, np.logical_and)
    for axis in range(3):
        out = _beside(out, axis, np.logical_or)
    return out


def _beside(mask: NDArray[np.bool_], axis: int, join: np.ufunc) -> NDArray[np.bool_]:
    """Every voxel joined with the one before and the one after it; nothing lies beyond the rim."""
    view = np.moveaxis(mask, axis, 0)
    out = np.zeros_like(mask) if join is np.logical_and else mask.copy()
    into = np.moveaxis(out, axis, 0)
    if join is np.logical_and:
        into[1:-1] = view[:-2] & view[1:-1] & view[2:]
    else:
        into[1:] |= view[:-1]
        into[:-1] |= view[1:]
    return out


def _rounded(lumps: NDArray[np.bool_], dense: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Few and small lumps, with what is ``dense`` at their faces, opened by a ball of five voxels."""
    import cc3d

    pieces = cc3d.connected_components(lumps, connectivity=6)
    out = np.zeros_like(lumps)
    for number, box in enumerate(find_objects(pieces.astype(np.int32)), start=1):
        window = tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in box)
        whole = binary_dilation(pieces[window] == number) & dense[window]
        if min(whole.shape) >= len(BALL):
            out[window] |= binary_opening(whole, BALL)
    return out


def places_without_facets(
    points_mm: FloatArray, frames: Frames, wall: Wall, signals: Signals
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """``(M,)`` whether points ``(M, 3)`` lie before or inside the canal, and with what lies beside its front half."""
    suv = to_canal(frames, points_mm)
    row = np.clip(np.rint(suv[:, 0]).astype(np.int64), 0, len(frames) - 1)
    half, ahead = signals.half_width_mm[row], -suv[:, 1] - wall.front_mm[row]
    beside = (ahead < 1.5 * half + CLOSE_MM) & (np.abs(suv[:, 2]) < half + CLOSE_MM)
    in_open = (beside & (ahead > -BEHIND_WALL_MM)) | (wall.depth(suv) > 0)
    return in_open, beside & (ahead > -FORAMEN_MM)


def cement_lumps(
    block: Block,
    frames: Frames,
    wall: Wall,
    signals: Signals,
    densities: Densities,
    least_hu: float,
    bone_reaches_hu: float,
) -> NDArray[np.bool_]:
    """Lumps on the block of at least ``least_hu`` and too dense for the bone of their place.

    ``bone_reaches_hu`` is how dense this scan's densest bone is.
    """
    import cc3d

    open_hu = max(least_hu, densities.soft_hu + OPEN_ABOVE_SOFT_HU, OPEN_BONE_SHARE * bone_reaches_hu)
    dense = block.hu > open_hu
    lumps = thick(dense)
    index = np.argwhere(lumps)
    if not len(index):
        return lumps
    in_open, in_foramen = places_without_facets(index * block.step_mm + block.origin_mm, frames, wall, signals)
    lumps[tuple(index[~in_open].T)] = False
    rounded = np.zeros_like(lumps)
    rounded[tuple(index[in_foramen].T)] = True
    lumps |= _rounded(rounded, dense)
    anywhere_hu = max(least_hu, densities.soft_hu + ANYWHERE_ABOVE_SOFT_HU, ANYWHERE_BONE_SHARE * bone_reaches_hu)
    anywhere = thick(block.hu > anywhere_hu) & ~lumps
    bone_hu = PLAINLY_DENSER * bone_reaches_hu
    lumps |= anywhere & ~alike_on_both_sides(anywhere, block, frames, densities.soft_hu, bone_hu)
    pieces = cc3d.connected_components(lumps, connectivity=26)
    kept = np.bincount(pieces.ravel()) * block.step_mm**3 >= LEAST_MM3
    kept[0] = False
    return np.asarray(kept[pieces], dtype=bool)
