"""What tells one vertebra from another: ribs, and the wings of the sacrum; measured level by level.

Works on the coarse block of the whole scan, for ribs reach farther than the fine one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.frames import Frames, canal_field
from leakseg.providers.builtin.levels import Cuts, Signals
from leakseg.providers.builtin.posterior import level_heights
from leakseg.providers.builtin.working import Block, Image

RIB_START_MM, RIB_REACH_MM = 24.0, 75.0
SMALLEST_PIECE_MM3, LARGEST_RIB_MM3 = 150.0, 15000.0
ROOT_MM, LEAST_ROOT_VOXELS = 6.0, 4
RIB_ABOVE_DISC = 0.15
"""A rib may begin this share of a level's height above the level's upper disc."""
NOT_AIR_HU = -250.0
LEAST_FLESH = 0.5
"""Less of what lies beside and behind the spine is air in any patient; beyond the edge of a turned scan all is."""
SIDES = (1, -1)


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Per level (``(L,)``, caudal first) and side (``(L, 2)``: left, right).

    ``rib_mm`` is how far bone reaches outward from the transverse process; NaN where the scan does not
    reach far enough sideways to tell. ``wing`` is the share of bone beside the body; NaN where not in view.
    """

    rib_mm: FloatArray
    wing: FloatArray


def measure_landmarks(
    coarse: Block,
    frames: Frames,
    wall: Wall,
    signals: Signals,
    cuts: Cuts,
    densities: Densities,
    cement: tuple[Block, NDArray[np.bool_]],
) -> Landmarks:
    """Ribs and sacral wings of every level, the two open ones at the ends included.

    ``cement``: where it lies, on the fine block; beside a vertebra it is no rib.
    """
    window = _round_axis(coarse, frames)
    block = Block(coarse.hu[window], coarse.origin_mm + np.array([part.start for part in window]) * coarse.step_mm, 2.0)
    suv = canal_field(block, frames, 8)
    bone = block.hu > densities.bone_hu - 0.3 * (densities.bone_hu - densities.soft_hu)
    bone &= ~_at_voxels(*cement, block)
    tops = np.append(cuts.s_mm, cuts.s_mm[-1] + level_heights(cuts)[-1])
    bottoms = tops - level_heights(cuts)
    rib = np.stack([_ribs(block, suv, bone, side, cuts) for side in SIDES], axis=1)
    wing = np.stack(
        [_wing(block, suv, bone, side, wall, signals, bottoms, tops, len(frames)) for side in SIDES], axis=1
    )
    return Landmarks(rib, wing)


def _round_axis(coarse: Block, frames: Frames) -> tuple[slice, slice, slice]:
    index = coarse.to_index(frames.points_mm)
    margin = np.array([8, 90, 90]) / coarse.step_mm
    low = np.maximum(np.floor(index.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(index.max(axis=0) + margin) + 1, coarse.hu.shape).astype(int)
    return (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))


def _at_voxels(fine: Block, mask: NDArray[np.bool_], block: Block) -> NDArray[np.bool_]:
    """A mask of the fine block at the voxels of another; False beyond it."""
    if not mask.any():
        return np.zeros(block.hu.shape, bool)
    points = np.argwhere(mask) * fine.step_mm + fine.origin_mm
    index = np.rint(block.to_index(points)).astype(np.int64)
    index = index[np.all((index >= 0) & (index < np.array(block.hu.shape)), axis=1)]
    out = np.zeros(block.hu.shape, bool)
    out[tuple(index.T)] = True
    return out


def _ribs(block: Block, suv: Image, bone: NDArray[np.bool_], side: int, cuts: Cuts) -> FloatArray:
    """``(L,)`` how far, in mm, bone that starts beside each level reaches outward; NaN where one cannot tell."""
    import cc3d

    lateral = side * suv[..., 2]
    zone = (lateral > RIB_START_MM) & (lateral < RIB_REACH_MM) & (suv[..., 1] > -45) & (suv[..., 1] < 50)
    pieces = cc3d.connected_components(zone & bone, connectivity=6)
    ends = cc3d.connected_components(zone & bone & (lateral < RIB_START_MM + ROOT_MM), connectivity=6).ravel()
    heights = level_heights(cuts)
    out = np.where(_side_in_view(block, suv, lateral, cuts), 0.0, np.nan)
    at = np.flatnonzero(pieces)
    if len(at) == 0:
        return out
    label = pieces.ravel()[at]
    order = np.argsort(label, kind="stable")
    for group in np.split(at[order], np.flatnonzero(np.diff(label[order])) + 1):
        roots = group[ends[group] > 0]
        if len(group) * block.step_mm**3 < SMALLEST_PIECE_MM3 or len(roots) == 0:
            continue
        points = suv.reshape(-1, 3)
        height = group // (block.hu.shape[1] * block.hu.shape[2])
        cut_off = height.min() <= 1 or height.max() >= block.hu.shape[0] - 2
        massive = len(group) * block.step_mm**3 > LARGEST_RIB_MM3
        for end in np.unique(ends[roots]):  # one root, one level: a drooping rib is not also the next level's
            root = points[roots[ends[roots] == end]]
            if len(root) < LEAST_ROOT_VOXELS:
                continue
            level = np.searchsorted(cuts.s_mm, root[:, 0] - RIB_ABOVE_DISC * float(np.median(heights)))
            number = int(np.bincount(level).argmax())
            reach = np.linalg.norm(points[group] - root.mean(axis=0), axis=1).max() + 3  # from inside the root
            if massive or (cut_off and reach < 40):  # ilium, or several ribs fused; or an end out of view
                out[number] = np.nan
            elif np.isfinite(out[number]):
                out[number] = max(out[number], float(reach))
    return out


def _side_in_view(block: Block, suv: Image, lateral: Image, cuts: Cuts) -> NDArray[np.bool_]:
    """``(L,)`` whether the scan reaches 60 mm sideways at each level, and shows flesh there, not its own padding."""
    level = np.searchsorted(cuts.s_mm, suv[..., 0])
    count = len(cuts.s_mm) + 1
    shell = (lateral > 58) & (lateral < 62) & (np.abs(suv[..., 1]) < 20)
    behind = (lateral > 44) & (lateral < 62) & (suv[..., 1] > 0) & (suv[..., 1] < 45)
    reached = np.bincount(level[shell], minlength=count) > 30
    flesh = np.bincount(level[behind & (block.hu > NOT_AIR_HU)], minlength=count)
    return np.asarray(reached & (flesh > LEAST_FLESH * np.bincount(level[behind], minlength=count)))


def _wing(
    block: Block,
    suv: Image,
    bone: NDArray[np.bool_],
    side: int,
    wall: Wall,
    signals: Signals,
    bottoms: FloatArray,
    tops: FloatArray,
    length: int,
) -> FloatArray:
    """``(L,)`` share of bone in the box beside the upper part of each body, where muscle should be."""
    row = np.clip(np.rint(suv[..., 0]).astype(np.int64), 0, length - 1)
    beside = side * suv[..., 2] - np.clip(signals.half_width_mm, 18, 30)[row]
    ahead = -suv[..., 1] - wall.front_mm[row]
    box = (beside > 5) & (beside < 20) & (ahead > 0) & (ahead < 18) & (suv[..., 0] >= 0) & (suv[..., 0] <= length - 1)
    box &= block.hu > NOT_AIR_HU
    s = suv[..., 0][box]
    dense = bone[box]
    out = np.full(len(tops), np.nan)
    for level, (low, high) in enumerate(zip(bottoms, tops, strict=True)):
        here = (s < high - 0.2 * (high - low)) & (s > low + 0.2 * (high - low))
        if here.sum() > 40:
            out[level] = dense[here].mean()
    return out
