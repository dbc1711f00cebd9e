"""Checks of given masks: order, gaps, pieces, sizes, canal, and whether they lie on this spine at all.

Masks drawn by a model mix neighbouring vertebrae now and then and say nothing of it; masks of another
scan, or of another scheme, look like masks. What makes the comparison wrong is refused, the rest is
told. Masks mirrored left to right cannot always be seen, for a spine is nearly symmetrical.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.criteria import MaskCriteria
from leakseg.errors import AnatomyError
from leakseg.findings import QualityNote
from leakseg.geometry import voxels_of
from leakseg.providers.fit import measure_fit
from leakseg.providers.levels import LevelShape, level_shapes
from leakseg.reach import start_of
from leakseg.volume import Volume

_POINTS = 5000
_STRIDE_MM = 1.5
_OPTIONAL = {VertebraLevel.T13, VertebraLevel.L6}


def check_masks(masks: SpineMasks, volume: Volume, criteria: MaskCriteria) -> tuple[QualityNote, ...]:
    """Everything about the masks that a reader of the report must know.

    Raises
    ------
    AnatomyError
        Where the masks hold no vertebra, name levels in the wrong order, or do not lie on this spine.
    """
    shapes = level_shapes(masks)
    if not shapes:
        raise AnatomyError("The masks hold no vertebra: nothing to compare cement with.")
    large = [shape for shape in shapes if shape.volume_mm3 >= criteria.min_level_volume_mm3]
    _refuse_wrong_order(large)
    return (
        *_specks(shapes, criteria),
        *_skipped(large),
        *_pieces(large, criteria),
        *_sizes(large, criteria),
        *_place(masks, volume, criteria),
        *_tube(masks.canal, "canal", masks, criteria),
        *_tube(masks.cord, "cord", masks, criteria),
    )


def _refuse_wrong_order(shapes: list[LevelShape]) -> None:
    """Levels come cranial to caudal; each must lie below the one before."""
    wrong = [(upper, lower) for upper, lower in pairwise(shapes) if lower.centroid_mm[2] >= upper.centroid_mm[2]]
    if not wrong:
        return
    if len(wrong) == len(shapes) - 1 and len(wrong) > 1:
        raise AnatomyError(
            "The masks name the vertebrae upside down, every level above the one that should be over it: "
            "the labels' scheme or the masks' orientation is wrong; give the right --label-scheme or export them again."
        )
    listed = ", ".join(f"{upper.level} below {lower.level}" for upper, lower in wrong)
    raise AnatomyError(
        f"The masks name vertebrae in the wrong order along the spine ({listed}); "
        "correct the labels, or give the scheme they were made with (--label-scheme)."
    )


def _specks(shapes: list[LevelShape], criteria: MaskCriteria) -> list[QualityNote]:
    specks = [shape for shape in shapes if shape.volume_mm3 < criteria.min_level_volume_mm3]
    return [
        QualityNote(
            "mask_speck",
            "warning",
            f"The mask of {shape.level} holds only {shape.volume_mm3:.0f} mm³; it may be a stray piece or cut off.",
        )
        for shape in specks
    ]


def _skipped(shapes: list[LevelShape]) -> list[QualityNote]:
    notes = []
    for upper, lower in pairwise(shapes):
        between = [
            level
            for level in VertebraLevel
            if upper.level.number < level.number < lower.level.number and level not in _OPTIONAL
        ]
        if between:
            missing = ", ".join(between)
            text = f"The masks go from {upper.level} to {lower.level} without {missing}: missing, or the names are off."
            notes.append(QualityNote("mask_level_skipped", "warning", text))
    return notes


def _pieces(shapes: list[LevelShape], criteria: MaskCriteria) -> list[QualityNote]:
    notes = []
    for shape in shapes:
        far = [
            piece
            for piece in shape.pieces[1:]
            if piece.distance_mm > criteria.far_piece_mm and piece.share >= criteria.min_piece_fraction
        ]
        if far:
            listed = ", ".join(f"{piece.share:.0%} of it {piece.distance_mm:.0f} mm away" for piece in far[:4])
            text = f"The mask of {shape.level} falls into pieces that lie apart ({listed}); vertebrae may be mixed."
            notes.append(QualityNote("mask_in_pieces", "warning", text))
    return notes


def _sizes(shapes: list[LevelShape], criteria: MaskCriteria) -> list[QualityNote]:
    """Compare each whole level with the middle one of its whole neighbours, two up and two down.

    The sacrum, C1 and C2 are of a size of their own.
    """
    notes = []
    own = {VertebraLevel.S1, VertebraLevel.S2, VertebraLevel.C1, VertebraLevel.C2}
    comparable = [shape for shape in shapes if not shape.touches_edge and shape.level not in own]
    for position, shape in enumerate(comparable):
        near = [
            other.volume_mm3
            for other in comparable[max(0, position - 2) : position + 3]
            if other is not shape and abs(other.level.number - shape.level.number) <= 3
        ]
        if not near:
            continue
        ratio = shape.volume_mm3 / float(np.median(near))
        if ratio > criteria.max_size_ratio or ratio < 1 / criteria.max_size_ratio:
            text = (
                f"The mask of {shape.level} is {ratio:.1f} times as large as its neighbours' "
                f"({shape.volume_mm3:.0f} mm³); vertebrae may be mixed, or part of it is missing."
            )
            notes.append(QualityNote("mask_size_jump", "warning", text))
    return notes


def _place(masks: SpineMasks, volume: Volume, criteria: MaskCriteria) -> list[QualityNote]:
    fit = measure_fit(masks, volume)
    if fit is None:
        text = "Too little of the masks lies within the scan to tell whether they lie on its bone."
        return [QualityNote("mask_place_unknown", "warning", text)]
    if fit.mirrored - fit.here > criteria.max_mirror_gain and fit.mirrored - fit.far > criteria.min_place_margin:
        raise AnatomyError(
            f"The masks do not lie on this spine: they fit better when mirrored left to right (contrast "
            f"{fit.mirrored:.2f} against {fit.here:.2f}; 0.50 is none); export them again with their orientation."
        )
    better, way = max((fit.near, fit.near_way), (fit.far, fit.far_way))
    if fit.here - fit.far < criteria.min_place_margin:
        elsewhere = f", {better:.2f} when moved {way}" if better > fit.here else ""
        raise AnatomyError(
            f"The masks do not lie on this spine: their rim does not stand out from its surroundings as bone does "
            f"(contrast {fit.here:.2f}{elsewhere}; 0.50 is none); give masks drawn on this scan."
        )
    if fit.near - fit.here > criteria.max_near_gain:
        text = (
            f"The masks fit the scan better when moved {fit.near_way} (contrast {fit.near:.2f} against "
            f"{fit.here:.2f}); they may be displaced."
        )
        return [QualityNote("mask_displaced", "warning", text)]
    return []


def _tube(tube: NDArray[np.bool_] | None, name: str, masks: SpineMasks, criteria: MaskCriteria) -> list[QualityNote]:
    """A canal or cord mask runs beside the vertebrae, not through them and not far from them."""
    if tube is None:
        return []
    assert masks.block is not None
    heights, *sides = masks.block
    strides = [max(1, round(_STRIDE_MM / step)) for step in masks.grid.spacing_mm]
    points = _every(strides, tube, (heights, slice(0, tube.shape[1]), slice(0, tube.shape[2])))
    beside = [
        slice(-(-side.start // stride) * stride, side.stop) for side, stride in zip(sides, strides[1:], strict=True)
    ]
    bone = _every(strides, masks.vertebrae, (heights, *beside))
    if not len(points) or not len(bone):
        text = f"The {name} mask does not reach the height of the vertebrae; it is of no use there."
        return [QualityNote("mask_canal_elsewhere", "warning", text)]
    bone_mm = masks.grid.to_patient(bone)
    points_mm = masks.grid.to_patient(points[:: max(1, len(points) // _POINTS)])
    distance, _ = KDTree(bone_mm, compact_nodes=False, balanced_tree=False).query(points_mm)
    middle_mm = float(np.median(distance))
    if middle_mm > criteria.max_canal_distance_mm:
        raise AnatomyError(
            f"The {name} mask lies {middle_mm:.0f} mm from the vertebrae (its middle voxel); it belongs to another "
            "scan or structure."
        )
    within = float(np.count_nonzero(masks.vertebrae[tuple(points.T)]) / len(points))
    if within > criteria.max_canal_bone_fraction:
        text = (
            f"{within:.0%} of the {name} mask lies inside vertebra masks: one of them is off, and cement in the bone "
            "may be called a leak into the canal. Look at both, and give masks drawn on this scan."
        )
        return [QualityNote("mask_canal_in_bone", "warning", text)]
    return []


def _every(strides: list[int], mask: NDArray[Any], block: tuple[slice, ...]) -> NDArray[np.int64]:
    """Every so many voxels of a mask in a block, ``(N, 3)``."""
    sparse = tuple(slice(side.start, side.stop, stride) for side, stride in zip(block, strides, strict=True))
    return voxels_of(mask[sparse]) * strides + start_of(block)
