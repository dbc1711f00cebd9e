"""Cement outside every bone: which dense pieces there are cement, and which are bone or calcification."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, spatial

from leakseg.anatomy import Place, SpineAnatomy, SpineMasks
from leakseg.criteria import CementCriteria
from leakseg.findings import QualityNote
from leakseg.geometry import Grid, bounding_box, distance_to_surface_mm
from leakseg.halo import bone_halo
from leakseg.judging import DensePiece, Yardstick, is_cement, looks_like_cement
from leakseg.pieces import LeakedCement, ScanDensities
from leakseg.reach import Window, cut_out, deeper, hanging_together, widened, window_round, within
from leakseg.volume import Volume, denser_than

_LEAST_MM3 = 2.0
_MOST = 0.5
_STANDING_OUT_MM3 = 1.5
_CANAL_STEP, _CANAL_PERCENTILE = 17, 75
_ROOT_MM = 8.0
"""How far dense bone that goes on from a piece is followed."""


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
    vertebrae = masks.vertebrae[densities.window]
    spacing, touching_mm = grid.spacing_mm, contact_mm(grid, criteria)
    cortex, cortex_edge = (
        (hounsfield - densities.soft) / (densities.plateau - densities.soft)
        for hounsfield in (densities.cortex, densities.edge(densities.cortex, criteria.edge_share))
    )
    yardstick = Yardstick(touching_mm, max(spacing) >= criteria.thick_voxel_mm, cortex, cortex_edge)
    # Where cement is hardly denser than cortex, bone hides it: the bone's blur cannot tell them apart.
    denser_than_cortex = cortex_edge <= criteria.detached_core_share
    coarse = float(np.cbrt(grid.voxel_volume_mm3)) >= criteria.coarse_voxel_mm
    stands_out_mm = 0.45 * float(np.cbrt(grid.voxel_volume_mm3)) if coarse else criteria.bone_edge_mm
    scene = _Scene(hu, vertebrae, densities, spacing, bone_halo(hu, vertebrae, metal, inner, densities, criteria))
    canal_hang_share = _canal_hang_share(scene, spine, criteria)
    most_spread = max(criteria.max_spread_touching, criteria.max_spread_neural, criteria.max_spread)
    taken = np.zeros(hu.shape, bool)
    notes: list[tuple[int, QualityNote]] = []
    for room, loose in _loose_pieces(scene, metal, inner, criteria):
        share = scene.share(room)
        from_bone = distance_to_surface_mm(vertebrae[room] == 0, spacing)
        halo = cut_out(*scene.halo, room)
        cap = max(cortex_edge, criteria.edge_share)
        hidden = np.minimum(halo, cap) if denser_than_cortex else np.full_like(halo, cap)
        limit = np.where(from_bone <= criteria.near_bone_mm, hidden, 0.0)
        pieces = cc3d.connected_components(loose & (share > limit), connectivity=26)
        for number, box in enumerate(ndimage.find_objects(pieces), start=1):
            own = pieces[box] == number
            size_mm3 = float(own.sum()) * grid.voxel_volume_mm3
            standing_out_mm3 = float((from_bone[box][own] > stands_out_mm).sum()) * grid.voxel_volume_mm3
            over_halo_mm3 = float((share[box] > halo[box])[own].sum()) * grid.voxel_volume_mm3 * denser_than_cortex
            stands_out = standing_out_mm3 >= _STANDING_OUT_MM3 or over_halo_mm3 >= criteria.min_over_halo_mm3
            if size_mm3 < _LEAST_MM3 or not stands_out:
                continue
            middle, dense_end = np.percentile(share[box][own], [50, 90])
            faint = dense_end < (criteria.coarse_core_share if coarse else criteria.min_core_share)
            if faint and not (coarse and over_halo_mm3 >= criteria.min_over_halo_mm3):
                continue
            whole = within(box, room)
            index = np.argwhere(own) + [part.start for part in whole]
            place = spine.lattice.lookup(spine.place, spine.axis.to_canal(grid.to_patient(index)))
            in_canal = (place == Place.CANAL).any()
            hanging = partial(scene.hanging, above=canal_hang_share if in_canal else criteria.hang_share)
            spread = hanging_together(own, whole, hu.shape, spacing, hanging, most_spread)
            piece = DensePiece(
                size_mm3=size_mm3,
                middle=float(middle),
                dense_end=float(dense_end),
                spread=1.0 if spread is None else spread,
                to_inner_mm=_distance_mm(index, inner, spacing),
                to_bone_mm=float(from_bone[box][own].min()),
                cut_off=any(part.start == 0 or part.stop == size for part, size in zip(whole, hu.shape, strict=True)),
                neural=float(np.isin(place, (Place.CANAL, Place.FORAMEN)).mean()) > _MOST,
                rooted=scene.rooted(own, whole, (inner, metal)),
                walled=scene.walled(own, whole),
            )
            if faint and not (piece.neural and piece.to_inner_mm <= touching_mm):
                continue
            if is_cement(piece, yardstick, criteria):
                taken[whole] |= own
            elif looks_like_cement(piece, criteria):
                first = int(np.ravel_multi_index(tuple(index[0]), hu.shape))
                notes.append((first, _dense_piece(grid.to_patient(index).mean(axis=0), piece)))
    mask = _mask_of(taken, scene, metal, criteria)
    return LeakedCement(mask, touching_mm, tuple(note for _, note in sorted(notes, key=lambda told: told[0])))


@dataclass(frozen=True, eq=False)
class _Scene:
    """The window round the spine: its densities and bones, of which each step looks at a part."""

    hu: NDArray[Any]
    vertebrae: NDArray[np.uint8]
    densities: ScanDensities
    spacing_mm: tuple[float, float, float]
    halo: tuple[NDArray[np.float32], Window | None]

    def share(self, room: tuple[slice, ...]) -> NDArray[np.floating[Any]]:
        """Share of the way from soft tissue to the cement's plateau."""
        soft = self.densities.soft
        return np.asarray((self.hu[room] - soft) / (self.densities.plateau - soft))

    def hanging(self, room: Window, above: float) -> NDArray[np.bool_]:
        """Less dense matter, above a share, that pieces may hang together with."""
        free = deeper(self.vertebrae[room] == 0, 0.5 * min(self.spacing_mm), self.spacing_mm)
        return free & (self.share(room) > np.maximum(cut_out(*self.halo, room), above))

    def walled(self, own: NDArray[np.bool_], box: Window) -> float:
        """Share of the voxels round a piece that are bone."""
        room = widened(box, self.hu.shape, 0.0, self.spacing_mm)
        piece = cut_out(own, box, room)
        round_it = ndimage.binary_dilation(piece) & ~piece
        return float((self.vertebrae[room][round_it] > 0).mean()) if round_it.any() else 1.0

    def rooted(self, own: NDArray[np.bool_], box: Window, no_bone: tuple[NDArray[np.bool_], ...]) -> float:
        """Bone as dense as a piece's median that it goes on into, over the piece's denser half."""
        room = widened(box, self.hu.shape, _ROOT_MM, self.spacing_mm)
        piece = cut_out(own, box, room)
        hu = self.hu[room]
        bone = (self.vertebrae[room] > 0) & ~np.logical_or.reduce([mask[room] for mask in no_bone])
        dense = hu >= np.median(hu[piece])
        numbers = cc3d.connected_components((piece | bone) & dense, connectivity=6)
        held = np.isin(numbers, np.unique(numbers[piece & dense]))
        return float(np.count_nonzero(held & bone) / np.count_nonzero(piece & dense))


def _canal_hang_share(scene: _Scene, spine: SpineAnatomy, criteria: CementCriteria) -> float:
    """Above which share matter hangs together with pieces in the canal: contrast that fills the sac is none of it."""
    nodes = np.argwhere(spine.canal)[::_CANAL_STEP].astype(np.float64)
    grid = scene.densities.grid
    at = np.rint(grid.to_index(spine.axis.to_patient(spine.lattice.to_suv(nodes)))).astype(int)
    at = at[((at >= 0) & (at < np.array(grid.shape))).all(axis=1)]
    if not len(at):
        return criteria.hang_share
    soft, plateau = scene.densities.soft, scene.densities.plateau
    filled = (float(np.percentile(scene.hu[tuple(at.T)], _CANAL_PERCENTILE)) - soft) / (plateau - soft)
    return max(criteria.hang_share, filled + criteria.hang_over_canal)


def _loose_pieces(
    scene: _Scene, metal: NDArray[np.bool_], inner: NDArray[np.bool_], criteria: CementCriteria
) -> Iterator[tuple[Window, NDArray[np.bool_]]]:
    """Rooms with room to the bone that counts, and in each a piece outside bone that a strand may be part of."""
    reach_mm, spacing = criteria.detached_reach_canal_mm, scene.spacing_mm
    around = window_round(inner, reach_mm + max(spacing), spacing)
    if around is None:
        return
    edge = scene.densities.edge(scene.densities.soft, criteria.strand_share)
    loose = denser_than(scene.hu[around], edge - 1.0) & (scene.vertebrae[around] == 0) & ~metal[around]
    pieces = cc3d.connected_components(loose, connectivity=26)
    sizes, least = np.bincount(pieces[loose]), _LEAST_MM3 / scene.densities.grid.voxel_volume_mm3
    room_mm = criteria.detached_bone_mm + 2 * max(spacing)
    tree: Any = None
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        if sizes[number] < least:
            continue
        own = pieces[box] == number
        whole = within(box, around)
        own &= scene.share(whole) > criteria.strand_share
        if tree is None:
            tree = spatial.cKDTree(_rim(inner) * np.array(spacing))
        index = np.argwhere(own)
        points = (index + [part.start for part in whole]) * np.array(spacing)
        half_voxel = 0.5 * float(np.prod(spacing)) ** (1 / 3)
        far = tree.query(points, distance_upper_bound=reach_mm + half_voxel + 1e-4)[0] - half_voxel > reach_mm
        own[tuple(index[far].T)] = False
        room = widened(whole, scene.hu.shape, room_mm, spacing)
        piece = np.zeros([side.stop - side.start for side in room], bool)
        piece[tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(whole, room, strict=True))] = own
        yield room, piece


def _rim(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """``(N, 3)`` voxels of a mask with a neighbour outside it: the nearest to whatever lies outside."""
    box = bounding_box(mask, 1)
    assert box is not None
    own = mask[box]
    return np.asarray(np.argwhere(own & ~ndimage.binary_erosion(own)) + [part.start for part in box])


def _distance_mm(index: NDArray[np.int64], mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> float:
    """Shortest way from any of the voxels to the mask's surface."""
    scale = np.array(spacing_mm)
    nearest = spatial.cKDTree(_rim(mask) * scale).query(index * scale)[0].min()
    return float(max(nearest - 0.5 * float(np.prod(spacing_mm)) ** (1 / 3), 0.0))


def _mask_of(
    taken: NDArray[np.bool_], scene: _Scene, metal: NDArray[np.bool_], criteria: CementCriteria
) -> NDArray[np.bool_]:
    """The voxels of the pieces that are cement, and those at their rim that belong to them."""
    mask = np.zeros(taken.shape, bool)
    room = bounding_box(taken, 4)
    if room is not None:
        share = scene.share(room)
        core = taken[room] & (share > criteria.edge_share)
        mask[room] = core | _thin(taken[room], core, (scene.vertebrae[room] > 0) | metal[room], share, criteria)
    return mask


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


def _dense_piece(centre: NDArray[np.float64], piece: DensePiece) -> QualityNote:
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
