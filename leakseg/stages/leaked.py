"""Cement outside every bone: which dense pieces there are cement, and which are bone or calcification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import Place, SpineAnatomy, SpineMasks
from leakseg.criteria import CementCriteria
from leakseg.findings import QualityNote
from leakseg.geometry import Grid, distance_to_surface_mm
from leakseg.pieces import LeakedCement, ScanDensities
from leakseg.volume import Volume

_TOLD_MM3 = 10.0
_LEAST_MM3 = 2.0
_MOST = 0.5
_STANDING_OUT_MM3 = 1.5


@dataclass(frozen=True)
class _Piece:
    """One dense piece outside bone; densities as shares of the way from soft tissue to the cement's plateau."""

    size_mm3: float
    middle: float
    dense_end: float
    spread: float
    to_inner_mm: float
    to_bone_mm: float
    cut_off: bool
    neural: bool


def find_leaked_cement(
    volume: Volume,
    masks: SpineMasks,
    densities: ScanDensities,
    metal: NDArray[np.bool_],
    inner: NDArray[np.bool_],
    spine: SpineAnatomy,
    criteria: CementCriteria,
) -> LeakedCement:
    """Pieces outside every bone that are as dense as cement and stand out from the bone.

    A piece that touches inner cement is taken; one that touches none may be calcification or unlabelled
    bone, and must look the more like cement. What looks like cement but is not taken is told in a note.
    """
    grid, hu = densities.grid, volume.hu[densities.window]
    bone = masks.vertebrae[densities.window] > 0
    spacing, touching_mm = grid.spacing_mm, contact_mm(grid, criteria)
    from_bone = distance_to_surface_mm(~bone, spacing)
    to_inner = distance_to_surface_mm(~inner, spacing)
    share = (hu - densities.soft) / (densities.plateau - densities.soft)
    near = from_bone <= criteria.near_bone_mm
    cortex_edge = (densities.edge(densities.cortex, criteria.edge_share) - densities.soft) / (
        densities.plateau - densities.soft
    )
    limit = np.where(near, max(cortex_edge, criteria.edge_share), criteria.strand_share)
    candidate = ~bone & ~metal & (share > limit) & (to_inner <= criteria.detached_reach_canal_mm)
    pieces = cc3d.connected_components(candidate, connectivity=26)
    hang = cc3d.connected_components((from_bone > 0.5 * min(spacing)) & (share > criteria.hang_share))
    hang_sizes = np.bincount(hang.ravel())
    coarse = float(np.cbrt(grid.voxel_volume_mm3)) >= criteria.coarse_voxel_mm
    stands_out_mm = 0.45 * float(np.cbrt(grid.voxel_volume_mm3)) if coarse else criteria.bone_edge_mm
    keep = np.zeros(int(pieces.max()) + 1, bool)
    notes = []
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        own = pieces[box] == number
        size_mm3 = float(own.sum()) * grid.voxel_volume_mm3
        standing_out_mm3 = float((from_bone[box][own] > stands_out_mm).sum()) * grid.voxel_volume_mm3
        if size_mm3 < _LEAST_MM3 or standing_out_mm3 < _STANDING_OUT_MM3:
            continue
        middle, dense_end = np.percentile(share[box][own], [50, 90])
        if dense_end < (criteria.coarse_core_share if coarse else criteria.min_core_share):
            continue
        around = hang[box][own]
        around = np.unique(around[around > 0])
        index = np.argwhere(own) + [part.start for part in box]
        place = spine.lattice.lookup(spine.place, spine.axis.to_canal(grid.to_patient(index)))
        piece = _Piece(
            size_mm3=size_mm3,
            middle=float(middle),
            dense_end=float(dense_end),
            spread=float(hang_sizes[around].sum() / own.sum()) if len(around) else 1.0,
            to_inner_mm=float(to_inner[box][own].min()),
            to_bone_mm=float(from_bone[box][own].min()),
            cut_off=any(part.start == 0 or part.stop == size for part, size in zip(box, pieces.shape, strict=True)),
            neural=float(np.isin(place, (Place.CANAL, Place.FORAMEN)).mean()) > _MOST,
        )
        keep[number] = _is_cement(piece, touching_mm, max(spacing), cortex_edge, criteria)
        if not keep[number] and _looks_like_cement(piece, criteria):
            notes.append(_dense_piece(grid.to_patient(index).mean(axis=0), piece))
    kept = keep[pieces]
    core = kept & (share > criteria.edge_share)
    mask = core | _thin(kept, core, bone | metal, share, criteria)
    return LeakedCement(mask, touching_mm, tuple(notes))


def _is_cement(
    piece: _Piece, touching_mm: float, coarsest_mm: float, cortex_edge: float, criteria: CementCriteria
) -> bool:
    """Whether a piece counts as cement; the less it hangs together with cement inside bone, the more is asked."""
    across_gap = piece.to_inner_mm > criteria.gap_mm and coarsest_mm < criteria.thick_voxel_mm
    if piece.to_inner_mm <= touching_mm and (not across_gap or piece.size_mm3 <= criteria.gap_max_mm3):
        thick = coarsest_mm >= criteria.thick_voxel_mm
        even = thick or piece.size_mm3 <= criteria.large_piece_mm3 or piece.middle >= criteria.large_middle_share
        return even and piece.spread <= criteria.max_spread_touching
    dense = piece.dense_end >= criteria.detached_core_share
    if piece.neural:
        return dense and piece.spread <= criteria.max_spread_neural
    return (
        dense
        and not piece.cut_off
        and piece.to_inner_mm <= criteria.detached_reach_mm
        and piece.to_bone_mm <= criteria.detached_bone_mm
        and piece.dense_end <= criteria.detached_max_core_share
        and (piece.middle >= criteria.detached_middle_share or _hugs_bone(piece, cortex_edge, criteria))
        and piece.spread <= criteria.max_spread
    )


def _hugs_bone(piece: _Piece, cortex_edge: float, criteria: CementCriteria) -> bool:
    """A strand on the bone, as veins run: thin, so blurred, but its dense end nearer to cement than to cortex."""
    return (
        piece.to_bone_mm <= criteria.near_bone_mm
        and piece.middle >= criteria.detached_strand_share
        and cortex_edge <= criteria.detached_core_share
    )


def _looks_like_cement(piece: _Piece, criteria: CementCriteria) -> bool:
    """Whether a piece that was not taken must be told: beside the cement, or as even as cement is (a plaque is not)."""
    return (
        piece.size_mm3 >= _TOLD_MM3
        and (piece.to_inner_mm <= criteria.contact_mm or piece.middle >= criteria.detached_strand_share)
        and piece.dense_end >= criteria.detached_core_share
        and piece.to_inner_mm <= criteria.detached_reach_mm
        and piece.spread <= criteria.max_spread_touching
    )


def _thin(
    kept: NDArray[np.bool_],
    core: NDArray[np.bool_],
    closed: NDArray[np.bool_],
    share: NDArray[np.floating[Any]],
    criteria: CementCriteria,
) -> NDArray[np.bool_]:
    """Voxels under half maximum that are cement all the same: thin strands, and the side against the bone.

    The blurred halo of thick cement is none: it lies beside a core at least three voxels thick.
    """
    cross = ndimage.generate_binary_structure(3, 1)
    thick = ndimage.binary_opening(core, cross)
    strands = kept & ~ndimage.binary_dilation(thick, ndimage.generate_binary_structure(3, 3))
    beside = ndimage.binary_dilation(core, cross) & ~closed & (share > criteria.edge_share)
    return np.asarray((strands | beside) & ~core)


def _dense_piece(centre: NDArray[np.float64], piece: _Piece) -> QualityNote:
    return QualityNote(
        "dense_piece_not_cement",
        "warning",
        f"A dense piece of {piece.size_mm3:.0f} mm3 at x {centre[0]:.0f}, y {centre[1]:.0f}, z {centre[2]:.0f} mm "
        f"(LPS), {piece.to_inner_mm:.0f} mm from the cement, was taken for calcification or bone, not for a leak: "
        "look at it.",
    )


def contact_mm(grid: Grid, criteria: CementCriteria) -> float:
    """Gap up to which a piece touches inner cement: the rim of bone between them may be two voxels of any size."""
    return max(criteria.contact_mm, criteria.coarse_contact_voxels * max(grid.spacing_mm))
