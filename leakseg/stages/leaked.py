"""Cement outside every bone: which dense pieces there are cement, and which are bone or calcification."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.allocator import untouched
from leakseg.anatomy import SpineAnatomy, SpineMasks
from leakseg.cores import is_core_of_cement, is_dense_as_cement, may_be_a_leak, may_go_on
from leakseg.criteria import CementCriteria
from leakseg.dense_pieces import DensePiece, PieceInScan, Yardstick
from leakseg.findings import QualityNote
from leakseg.geometry import bounding_box, distance_to_surface_mm, half_voxel_mm, voxels_of
from leakseg.halo import bone_halo
from leakseg.judging import is_cement
from leakseg.looking import DENSE_END_PERCENTILE, LEAST_MM3, Look, Matter, Scene
from leakseg.pieces import LeakedCement, ScanDensities
from leakseg.reach import (
    Window,
    boxes_of,
    connected_pieces,
    cut_out,
    grown,
    near,
    start_of,
    widened,
    window_round,
    within,
)
from leakseg.telling import looks_like_cement
from leakseg.volume import Volume, denser_than

_CANAL_STEP, _CANAL_PERCENTILE = 17, 75
_TOLD_EACH = 3
"""Dense pieces that are none are told one by one up to this number."""


class _Doubted(NamedTuple):
    """A dense piece that may be cement and was not taken: how far from inner cement, where and how large it is."""

    away_mm: float
    at: tuple[float, float, float]
    size_mm3: float


def find_leaked_cement(
    volume: Volume,
    masks: SpineMasks,
    densities: ScanDensities,
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
    spacing = grid.spacing_mm
    yardstick = _yardstick(hu[inner], densities, criteria)
    coarse = float(np.cbrt(grid.voxel_volume_mm3)) >= criteria.coarse_voxel_mm
    stands_out_mm = 0.45 * float(np.cbrt(grid.voxel_volume_mm3)) if coarse else criteria.bone_edge_mm
    scene = Scene(hu, vertebrae, densities, spacing, bone_halo(hu, vertebrae, inner, densities, criteria))
    canal_hang_share = _canal_hang_share(scene, spine, criteria)
    taken, channels = untouched(hu.shape), untouched(hu.shape)
    doubted: list[_Doubted] = []
    look = Look(scene, inner, spine, criteria, yardstick, canal_hang_share, coarse, stands_out_mm)
    thin_share = min(criteria.strand_share, yardstick.cortex) if yardstick.thick else criteria.strand_share
    for room, loose in _loose_pieces(look, thin_share):
        share = scene.share(room)
        near_bone = near(vertebrae[room] > 0, criteria.near_bone_mm, spacing, half_voxel_mm(spacing))
        halo = scene.halo.within(room)
        cap = max(yardstick.cortex_edge, criteria.edge_share)
        hidden = np.minimum(halo, cap) if yardstick.plainly_denser(criteria) else np.full_like(halo, cap)
        over = loose & (share > np.where(near_bone, hidden, 0.0))
        if not over.any():
            continue
        pieces = cc3d.connected_components(over, connectivity=26)
        from_bone = distance_to_surface_mm(vertebrae[room] == 0, spacing)
        for number, box in enumerate(ndimage.find_objects(pieces), start=1):
            own = pieces[box] == number
            whole = within(box, room)
            matter = Matter(own, whole, share[box], from_bone[box], halo[box])
            piece = look.at(matter)
            if piece is not None and is_cement(piece, yardstick, criteria):
                own = _without_what_stands_alone(matter, look)
                taken[whole] |= own
                if PieceInScan(piece, yardstick, criteria).led_to:
                    look.follow(own, whole, channels)
                continue
            cores, refused = _cores(matter, piece, look)
            taken[whole] |= cores
            if piece is not None and not cores.any() and looks_like_cement(piece, yardstick, criteria):
                doubted.append(_doubted(piece, own, whole, scene))
            else:
                doubted += [_doubted(core, part, within(block, whole), scene) for block, part, core in refused]
    mask = _mask_of(taken, scene, criteria)
    return LeakedCement(mask, yardstick.touching_mm, _notes(sorted(doubted)), channels)


def _yardstick(inner_hu: NDArray[Any], densities: ScanDensities, criteria: CementCriteria) -> Yardstick:
    """What the scan holds its dense pieces against.

    Such a gap lets a piece touch inner cement: the rim of bone between them may be two voxels of any size.
    """
    spacing = densities.grid.spacing_mm
    return Yardstick(
        touching_mm=max(criteria.contact_mm, criteria.coarse_contact_voxels * max(spacing)),
        root_mm=max(criteria.detached_root_mm, 1.01 * half_voxel_mm(spacing)),
        thick=max(spacing) >= criteria.thick_voxel_mm,
        cortex=densities.share(densities.cortex),
        cortex_edge=densities.share(densities.edge(densities.cortex, criteria.edge_share)),
        densest=_densest_share(inner_hu, densities, criteria),
    )


def _densest_share(inner_hu: NDArray[Any], densities: ScanDensities, criteria: CementCriteria) -> float:
    """How dense leaked cement may be, as a share of the plateau: somewhat denser than the dense end of inner cement.

    Where inner cement is thin for the voxels, uneven, or sharpened by the kernel, its plateau lies below its own end.
    """
    dense_end = float(np.percentile(inner_hu, DENSE_END_PERCENTILE)) if inner_hu.size else densities.plateau
    return criteria.detached_max_core_share * max(1.0, densities.share(dense_end))


def _without_what_stands_alone(matter: Matter, look: Look) -> NDArray[np.bool_]:
    """A piece that is cement without those of its parts that are none by themselves.

    A faint bridge may lead from a leak to a plaque or an osteophyte beside it: what is left of the piece above its
    threshold stands apart there, and would be told as a leak of its own.
    """
    own, criteria = matter.own, look.criteria
    closed = (look.scene.vertebrae[matter.block] > 0) | look.scene.densities.metal[matter.block]
    parts = connected_pieces(_kept(own, closed, matter.share, criteria)).astype(np.int32)
    if parts.max() < 2:
        return own
    doubtful, least = np.zeros_like(own), LEAST_MM3 / look.scene.densities.grid.voxel_volume_mm3
    for number, box in enumerate(ndimage.find_objects(parts), start=1):
        part = parts[box] == number
        if np.count_nonzero(part) < least:
            continue
        piece = look.at(matter.part(part, box))
        if piece is None or not is_cement(piece, look.yardstick, criteria):
            doubtful[box] |= part
    return own & ~doubtful if ((parts > 0) & ~doubtful).any() else own


def _doubted(piece: DensePiece, own: NDArray[np.bool_], whole: Window, scene: Scene) -> _Doubted:
    index = np.argwhere(own) + start_of(whole)
    x, y, z = scene.densities.grid.to_patient(index).mean(axis=0)
    return _Doubted(piece.to_inner_mm, (float(x), float(y), float(z)), piece.size_mm3)


def _cores(
    matter: Matter, whole: DensePiece | None, look: Look
) -> tuple[NDArray[np.bool_], list[tuple[Window, NDArray[np.bool_], DensePiece]]]:
    """What is cement of a piece that as a whole is none: its cores, and what is denser than cortex within blur of them.

    Cores are denser than any bone or contrast that the piece hangs together with may be; those near to one that
    counts go on from it, but the shell of a rib does not. Those that are none and must be told come second.
    """
    scan, criteria, spacing = look.yardstick, look.criteria, look.scene.spacing_mm
    own, share = matter.own, matter.share
    found = np.zeros_like(own)
    clear = own & (share > scan.cortex_edge)
    if scan.cortex >= 1.0 or not clear.any():  # cement no denser than cortex
        return found, []
    parts = cc3d.connected_components(own & (share > max(scan.cortex, criteria.edge_share)), connectivity=26)
    blocks = ndimage.find_objects(parts)
    others, refused = [], []
    for number in np.unique(parts[clear]):
        block = blocks[number - 1]
        part = parts[block] == number
        core = look.at(matter.part(part, block))
        if core is None or not is_dense_as_cement(core, scan, criteria):
            continue
        if is_core_of_cement(core, whole, scan, criteria):
            found[block] |= part
            continue
        if may_go_on(core, scan, criteria):
            others.append((block, part))
        if may_be_a_leak(core, criteria):
            refused.append((block, part, core))
    half_voxel = half_voxel_mm(spacing)
    while found.any():
        reached = near(found, scan.touching_mm, spacing, half_voxel)
        going_on = [(block, part) for block, part in others if reached[block][part].any()]
        if not going_on:
            apart = [(block, part, core) for block, part, core in refused if not found[block][part].any()]
            return own & (share > scan.cortex) & near(found, criteria.halo_mm, spacing, half_voxel), apart
        for block, part in going_on:
            found[block] |= part
        others = [(block, part) for block, part in others if not found[block][part].any()]
    return found, refused


def _canal_hang_share(scene: Scene, spine: SpineAnatomy, criteria: CementCriteria) -> float:
    """Above which share matter hangs together with pieces in the canal: contrast that fills the sac is none of it."""
    nodes = np.argwhere(spine.canal)[::_CANAL_STEP].astype(np.float64)
    grid = scene.densities.grid
    at = np.rint(grid.to_index(spine.axis.to_patient(spine.lattice.to_suv(nodes)))).astype(int)
    at = at[((at >= 0) & (at < np.array(grid.shape))).all(axis=1)]
    if not len(at):
        return criteria.hang_share
    filled = scene.densities.share(float(np.percentile(scene.hu[tuple(at.T)], _CANAL_PERCENTILE)))
    return max(criteria.hang_share, filled + criteria.hang_over_canal)


def _loose_pieces(look: Look, thin_share: float) -> Iterator[tuple[Window, NDArray[np.bool_]]]:
    """Rooms with room to the bone that counts, and in each a piece outside bone that a strand may be part of.

    In the canal, up to ``canal_share`` is what fills the canal: contrast round the cord joins no pieces to one.
    """
    scene, criteria, canal_share = look.scene, look.criteria, look.canal_hang_share
    reach_mm, spacing = criteria.detached_reach_canal_mm, scene.spacing_mm
    around = window_round(look.inner, reach_mm + max(spacing), spacing)
    if around is None:
        return
    edge = scene.densities.edge(scene.densities.soft, thin_share)
    loose = denser_than(scene.hu[around], edge - 1.0)
    for section, bone, iron in zip(loose, scene.vertebrae[around], scene.densities.metal[around], strict=True):
        np.logical_and(section, (bone == 0) & ~iron, out=section)
    if canal_share > thin_share:
        faint = voxels_of(loose & (scene.share(around) <= canal_share))
        at = scene.densities.grid.to_patient(faint + start_of(around))
        fills = look.spine.lattice.lookup(look.spine.canal, look.spine.axis.to_canal(at))
        loose[tuple(faint[fills.astype(bool)].T)] = False
    pieces = cc3d.connected_components(loose, connectivity=26)
    sizes, least = np.bincount(pieces[loose]), LEAST_MM3 / scene.densities.grid.voxel_volume_mm3
    room_mm = criteria.detached_off_mm + 2 * max(spacing)
    for number, box in enumerate(boxes_of(pieces, loose), start=1):
        if sizes[number] < least:
            continue
        own = pieces[box] == number
        whole = within(box, around)
        own &= scene.share(whole) > thin_share
        index = np.argwhere(own)
        points = (index + start_of(whole)) * np.array(spacing)
        half_voxel = 0.5 * float(np.prod(spacing)) ** (1 / 3)
        far = look.inner_rim.query(points, distance_upper_bound=reach_mm + half_voxel + 1e-4)[0] - half_voxel > reach_mm
        own[tuple(index[far].T)] = False
        room = widened(whole, scene.hu.shape, room_mm, spacing)
        piece = cut_out(own, whole, room)
        yield room, piece


def _mask_of(taken: NDArray[np.bool_], scene: Scene, criteria: CementCriteria) -> NDArray[np.bool_]:
    """The voxels of the pieces that are cement, and those at their rim that belong to them."""
    mask = untouched(taken.shape)
    room = bounding_box(taken, 4)
    if room is not None:
        closed = (scene.vertebrae[room] > 0) | scene.densities.metal[room]
        mask[room][_kept(taken[room], closed, scene.share(room), criteria)] = True
    return mask


def _kept(
    taken: NDArray[np.bool_], closed: NDArray[np.bool_], share: NDArray[np.floating[Any]], criteria: CementCriteria
) -> NDArray[np.bool_]:
    core = taken & (share > criteria.edge_share)
    return core | _thin(taken, core, closed, share, criteria)


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
    strands = kept & ~grown(thick, 3)
    beside = grown(core, 1) & ~closed & (share > criteria.edge_share)
    return np.asarray((strands | beside) & ~core)


def _notes(doubted: list[_Doubted]) -> tuple[QualityNote, ...]:
    """A note for each of the pieces nearest to the cement, and one for all farther ones: ribs look alike."""
    each = [
        f"A dense piece of {size_mm3:.0f} mm3 at x {at[0]:.0f}, y {at[1]:.0f}, z {at[2]:.0f} mm (LPS), "
        f"{away_mm:.0f} mm from the cement, was taken for calcification or bone, not for a leak: look at it."
        for away_mm, at, size_mm3 in doubted[:_TOLD_EACH]
    ]
    if farther := doubted[_TOLD_EACH:]:
        where = "; ".join(f"{at[0]:.0f}, {at[1]:.0f}, {at[2]:.0f}" for _, at, _ in farther)
        each.append(
            f"Up to {farther[-1][0]:.0f} mm from the cement {len(farther)} more of this kind, as ribs look too, at "
            f"x, y, z {where} mm (LPS)."
        )
    return tuple(QualityNote("dense_piece_not_cement", "warning", message) for message in each)
