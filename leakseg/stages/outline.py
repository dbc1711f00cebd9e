"""Vertebra masks cut back where they swallow cement that lies outside bone, before anything is compared with them.

A mask drawn by a model may follow the bulge of a leak. The bone's own outline is rebuilt from what no cement
lies near: the surface beside it carried on smoothly; and farther from any such surface, section by section the hull
of the vertebra's body, the endplates as smooth surfaces, the canal's wall carried over from the neighbouring sections,
and behind the body the other side and the neighbouring vertebrae.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import edt
import numpy as np
from numpy.typing import NDArray

from leakseg.allocator import untouched
from leakseg.anatomy import SpineAnatomy, SpineMasks, VertebraLevel
from leakseg.criteria import CementCriteria, OutlineCriteria
from leakseg.endplates import beyond_endplates, end_surface
from leakseg.findings import QualityNote
from leakseg.geometry import FloatArray, Grid, bounding_box, voxels_of
from leakseg.hull import ANGLES_RAD, along_directions, hull_support
from leakseg.likeness import TrustedBone, beyond_likeness, trusted_bone
from leakseg.pieces import ScanDensities
from leakseg.reach import (
    Window,
    block_of,
    connected_pieces,
    near,
    pieces_going_on,
    pieces_of,
    pieces_with,
    relative_to,
    start_of,
    widened,
)
from leakseg.surface import CarriedSurface, carry_surface
from leakseg.swallowed import cement_in_masks
from leakseg.volume import Volume

_ROOM_MM = 6.0
_WALL_MM = 5.0


@dataclass(frozen=True, eq=False)
class _Rebuilt:
    """What the outlines are rebuilt from: trusted bone by label number, and the depth inside the canal."""

    trusted: dict[int, TrustedBone]
    spine: SpineAnatomy
    canal_depth_mm: NDArray[np.float32]
    criteria: OutlineCriteria


def free_swallowed_cement(
    volume: Volume,
    masks: SpineMasks,
    spine: SpineAnatomy,
    densities: ScanDensities,
    hollow: NDArray[np.uint8],
    closed: NDArray[np.uint8],
    cement_criteria: CementCriteria,
    criteria: OutlineCriteria,
) -> tuple[SpineMasks, tuple[QualityNote, ...]]:
    """The masks without the swallowed cement and its margin, and a note for each vertebra that swallowed some.

    ``hollow`` and ``closed`` are the vertebrae before and after their cavities were filled: what bone encloses on all
    sides is inside it, wherever outlines rebuilt from little are carried. But built-in masks leave out what they take
    for leaked cement, also between two parts of a vertebra. Behind the canal, laminae pass for faint cement.
    """
    if not densities.has_cement:
        return masks, ()
    block = relative_to(masks.block, densities.window)
    densities = densities.crop(widened(block, densities.grid.shape, _ROOM_MM, densities.grid.spacing_mm))
    labels = masks.vertebrae[densities.window]
    cement = cement_in_masks(volume, labels, densities, spine, cement_criteria, criteria)
    index = voxels_of(cement)
    suv = spine.axis.to_canal(densities.grid.to_patient(index))
    rebuilt = _rebuild(suv, densities, spine, criteria)
    owner = labels[tuple(index.T)]
    with_cement = [VertebraLevel.from_number(number) for number in np.unique(owner).tolist()]
    boxes = {level.number: relative_to(masks.windows[level], densities.window) for level in with_cement}
    surfaces = _carried_surfaces(labels, boxes, cement, densities.grid, criteria)
    beyond = _beyond_all(suv, owner, rebuilt, criteria.likeness_play_mm)
    height, away = _carried(index, suv, owner, surfaces, rebuilt)
    half_mm = max(densities.grid.spacing_mm) / 2
    play_mm = max(criteria.carried_beyond_mm, half_mm) + criteria.carried_play_share * away
    least_mm = max(criteria.swallowed_beyond_mm, half_mm + spine.lattice.step_mm / 2)
    filled = None if masks.from_builtin else (hollow[densities.window], closed[densities.window])
    swallowed = ((beyond >= least_mm) | (height >= play_mm)) & ~_in_cavity(index, filled)
    as_laminae = cement_criteria.far_beyond_bone * densities.share(densities.cortex) > 1
    swallowed &= (suv[:, 1] <= 0) | (not as_laminae)
    seeds = untouched(labels.shape)
    seeds[tuple(index[swallowed].T)] = True
    _drop_contradicted(seeds, index[swallowed], height[swallowed])
    seeds = pieces_of(seeds, criteria.min_swallowed_mm3, densities.grid.voxel_volume_mm3)
    if not seeds.any():
        return masks, ()
    around = voxels_of(near(cement, criteria.swallowed_margin_mm, densities.grid.spacing_mm) & (labels > 0))
    suv, owner = spine.axis.to_canal(densities.grid.to_patient(around)), labels[tuple(around.T)]
    beyond = _beyond_all(suv, owner, rebuilt, 0.0)
    beyond = np.maximum(beyond, _carried(around, suv, owner, surfaces, rebuilt)[0])
    out = np.full(labels.shape, -np.inf, np.float32)
    out[tuple(around.T)] = np.where(_in_cavity(around, filled), -np.inf, beyond)
    loose = out >= criteria.freed_beyond_mm
    loose &= near(pieces_with(loose & cement, seeds), criteria.swallowed_margin_mm, densities.grid.spacing_mm)
    loose = pieces_with(loose, seeds)
    hu = volume.hu[densities.window]
    loose &= ~_bony(loose & (out >= criteria.swallowed_beyond_mm), out, hu, densities, criteria)
    dense = hu > densities.edge(densities.cortex, cement_criteria.edge_share)
    loose = pieces_of(loose, criteria.min_swallowed_mm3, densities.grid.voxel_volume_mm3, dense)
    free = voxels_of(pieces_with(loose, seeds & loose))
    vertebrae = masks.to_relabel()
    window = vertebrae[densities.window]
    notes = _notes(window[tuple(free.T)], densities.grid.voxel_volume_mm3)
    window[tuple(free.T)] = 0
    return replace(masks, vertebrae=vertebrae), notes


def _in_cavity(
    index: NDArray[np.int64], filled: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None
) -> NDArray[np.bool_]:
    """Which voxels ``(N, 3)`` bone encloses: none before and some after its cavities were filled."""
    if filled is None:
        return np.zeros(len(index), np.bool_)
    before, after = (labels[tuple(index.T)] > 0 for labels in filled)
    return np.asarray(after & ~before, dtype=np.bool_)


def _drop_contradicted(seeds: NDArray[np.bool_], index: NDArray[np.int64], height: NDArray[np.float32]) -> None:
    """Take off pieces that the surface carried over, where it is near enough to tell, has inside the bone (in place).

    Hull and endplates are carried farther than that surface, and lead astray where cement fills a body's corner.
    """
    if not len(index):
        return
    box = block_of(index)
    owner = connected_pieces(seeds[box])[tuple((index - start_of(box)).T)]
    for piece in np.unique(owner):
        own = owner == piece
        told = height[own & np.isfinite(height)]
        if len(told) and np.median(told) < 0:
            seeds[tuple(index[own].T)] = False


def _bony(
    loose: NDArray[np.bool_], out: NDArray[np.float32], hu: NDArray[Any], read: ScanDensities, criteria: OutlineCriteria
) -> Any:
    """Bone that a fracture pushed out: bone goes on beyond its cement, a swallowed leak ends in soft tissue."""
    bony_hu = read.soft + criteria.bony_share * (read.cortex - read.soft)
    least = (criteria.bony_min_mm3, criteria.bony_min_share)
    dense, spacing = hu > read.edge(read.soft, 0.5), read.grid.spacing_mm
    return pieces_going_on(loose, dense, hu, bony_hu, criteria.bony_away_mm, *least, spacing, out)


def _carried_surfaces(
    labels: NDArray[np.uint8],
    boxes: dict[int, Window],
    cement: NDArray[np.bool_],
    grid: Grid,
    criteria: OutlineCriteria,
) -> dict[int, tuple[NDArray[np.int64], CarriedSurface]]:
    """By label number the surface of each vertebra that holds cement, and where the array that it stands on starts.

    ``boxes`` are the blocks of their masks, by number too.
    """
    surfaces, reach = {}, criteria.trust_mm + 0.5 * max(grid.spacing_mm)
    for number, filled in boxes.items():
        box = widened(filled, labels.shape, _ROOM_MM, grid.spacing_mm)
        surface = carry_surface(labels[box] == number, near(cement[box], reach, grid.spacing_mm), grid.spacing_mm)
        if surface is not None:
            surfaces[number] = start_of(box), surface
    return surfaces


def _carried(
    index: NDArray[np.int64],
    suv: FloatArray,
    owner: NDArray[np.uint8],
    surfaces: dict[int, tuple[NDArray[np.int64], CarriedSurface]],
    rebuilt: _Rebuilt,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How far voxels inside the masks lie outside the surface carried over, and how far from trusted surface.

    Outside by -inf where that is too far away. Of the posterior wall less is believed: what lies between it and the
    pedicles is too narrow to tell a flat wall from a round one.
    """
    height, away = np.full(len(index), -np.inf, np.float32), np.full(len(index), np.inf, np.float32)
    spine, criteria = rebuilt.spine, rebuilt.criteria
    rows = np.clip(np.rint(suv[:, 0]).astype(int), 0, len(spine.posterior_wall_u_mm) - 1)
    before_mm = spine.posterior_wall_u_mm[rows] - suv[:, 1]
    in_wall = (np.abs(suv[:, 2]) <= spine.canal_half_width_mm[rows]) & (
        np.abs(before_mm - _WALL_MM / 2) <= _WALL_MM / 2
    )
    in_wall &= ~spine.near_canal(suv, 0.0)
    unsure = _at_unsure_ends(suv, owner, rebuilt)
    for number, (start, surface) in surfaces.items():
        own = np.flatnonzero((owner == number) & ~unsure)
        away[own] = surface.away_mm(index[own] - start, criteria.carried_away_mm)
        own = own[away[own] <= criteria.carried_away_mm]
        if len(own):
            height[own] = surface.height_mm(index[own] - start) - criteria.carried_wall_play_mm * in_wall[own]
    return height, away


def _at_unsure_ends(suv: FloatArray, owner: NDArray[np.uint8], rebuilt: _Rebuilt) -> NDArray[np.bool_]:
    """Points in the upper or lower quarter of a body whose end cannot be rebuilt: a step in it is no smooth surface."""
    unsure = np.zeros(len(suv), np.bool_)
    for number in np.unique(owner).tolist():
        if number not in rebuilt.trusted:
            continue
        own = rebuilt.trusted[number]
        vertebra, body = own.vertebra, rebuilt.spine.body[own.box] & (rebuilt.spine.bone[own.box] == number)
        quarter = (vertebra.s_top_mm - vertebra.s_bottom_mm) / 4
        for upper, sign in ((True, 1.0), (False, -1.0)):
            if not body.any() or end_surface(
                own, body, rebuilt.spine, rebuilt.criteria.min_endplate_share, upper=upper
            ):
                continue
            at_end = (owner == number) & (sign * (suv[:, 0] - vertebra.s_middle_mm) > quarter)
            unsure |= at_end & (suv[:, 1] < vertebra.body_centre_suv_mm[1] + vertebra.body_depth_mm / 2)
    return unsure


def _rebuild(
    cement_suv: FloatArray, densities: ScanDensities, spine: SpineAnatomy, criteria: OutlineCriteria
) -> _Rebuilt:
    wet = _wet(cement_suv, densities, spine, criteria)
    step = (spine.lattice.step_mm,) * 3
    canal_depth_mm = np.zeros(spine.canal.shape, np.float32)
    canal = bounding_box(spine.canal, 1)
    if canal is not None:
        canal_depth_mm[canal] = edt.edt(spine.canal[canal], anisotropy=step, black_border=False)
    return _Rebuilt(
        trusted={
            vertebra.level.number: trusted_bone(vertebra, spine.blocks[vertebra.level.number], wet, spine)
            for vertebra in spine.vertebrae
        },
        spine=spine,
        canal_depth_mm=canal_depth_mm,
        criteria=criteria,
    )


def _wet(
    suv: FloatArray, densities: ScanDensities, spine: SpineAnatomy, criteria: OutlineCriteria
) -> NDArray[np.bool_]:
    """Lattice nodes that hold cement or lie so near to it that the mask there is not trusted."""
    lattice = spine.lattice
    at = np.rint(lattice.to_index(suv)).astype(np.int64)
    at = at[((at >= 0) & (at < np.array(lattice.shape))).all(axis=1)]
    holds = np.zeros(lattice.shape, bool)
    holds[tuple(at.T)] = True
    reach = criteria.trust_mm + 0.5 * max(densities.grid.spacing_mm)
    return near(holds, reach, (lattice.step_mm,) * 3)


def _beyond_all(
    suv: FloatArray, owner: NDArray[np.uint8], rebuilt: _Rebuilt, arch_play_mm: float
) -> NDArray[np.float32]:
    """How far voxels inside the masks lie beyond the rebuilt outline of the vertebra they are counted to, mm."""
    beyond = rebuilt.spine.lattice.lookup(rebuilt.canal_depth_mm, suv)
    for number in np.unique(owner):
        own = owner == number
        if number in rebuilt.trusted and rebuilt.trusted[int(number)].share >= rebuilt.criteria.min_trusted_share:
            beyond[own] = np.maximum(beyond[own], _beyond(int(number), suv[own], rebuilt, arch_play_mm))
    return np.asarray(beyond, dtype=np.float32)


def _beyond(number: int, suv: FloatArray, rebuilt: _Rebuilt, arch_play_mm: float) -> NDArray[np.float32]:
    """How far points lie beyond one vertebra's bone, mm: before the posterior wall its body, else its arch."""
    spine, own = rebuilt.spine, rebuilt.trusted[number]
    rows = np.clip(np.rint(suv[:, 0]).astype(int), 0, len(spine.posterior_wall_u_mm) - 1)
    front = suv[:, 1] <= spine.posterior_wall_u_mm[rows] + 0.5
    beyond = np.zeros(len(suv), np.float32)
    if front.any():
        beside = beyond_likeness(suv[front], number, rebuilt.trusted, spine)
        apart = beside > 0
        if apart.any():
            beyond_hull = _beyond_hull(suv[front][apart], own, spine, rebuilt.criteria)
            beside[apart] = np.minimum(beyond_hull, beside[apart])
        above_or_below = beyond_endplates(suv[front], own, spine, rebuilt.criteria.min_endplate_share)
        beyond[front] = np.maximum(beside, above_or_below)
    if not front.all():
        unlike = beyond_likeness(suv[~front], number, rebuilt.trusted, spine)
        beyond[~front] = np.maximum(unlike - arch_play_mm, 0)
    return beyond


def _beyond_hull(
    suv: FloatArray, own: TrustedBone, spine: SpineAnatomy, criteria: OutlineCriteria
) -> NDArray[np.float32]:
    """Distance beyond the hull of the trusted body in the section square to the canal."""
    rows = np.flatnonzero(own.body.any(axis=(1, 2)))
    if not len(rows):
        return np.zeros(len(suv), np.float32)
    index = np.arange(own.body.shape[1]) + own.low[1], np.arange(own.body.shape[2]) + own.low[2]
    u = index[0][:, None] * spine.lattice.step_mm + spine.lattice.u_start_mm
    v = index[1][None, :] * spine.lattice.step_mm + spine.lattice.v_start_mm
    at = np.clip(np.rint(suv[:, 0] / spine.lattice.step_mm).astype(int) - own.low[0], rows[0], rows[-1]) - rows[0]
    support = hull_support(own.body[rows[0] : rows[-1] + 1], u, v) + spine.lattice.step_mm / 2
    middle = own.vertebra.body_centre_suv_mm[2]
    other_side = support[-np.arange(len(ANGLES_RAD))] + 2 * middle * np.sin(ANGLES_RAD)[:, None]
    support = np.minimum(support, other_side + criteria.side_play_mm)
    return np.asarray(np.maximum(along_directions(suv) - support[:, at], 0).max(axis=0), dtype=np.float32)


def _notes(levels: NDArray[np.uint8], voxel_mm3: float) -> tuple[QualityNote, ...]:
    return tuple(
        QualityNote(
            "mask_swallowed_cement",
            "warning",
            f"The mask of {VertebraLevel.from_number(int(number)).value} took in cement beyond the outline of the bone "
            f"({float((levels == number).sum()) * voxel_mm3:.0f} mm3 with its margin): it was counted as outside bone.",
        )
        for number in np.unique(levels)
    )
