"""What tells one vertebra from another: ribs, the wings of the sacrum, the skull; measured level by level.

Works on the coarse block of the whole scan, for ribs reach farther than the fine one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.frames import Frames, canal_field, to_canal
from leakseg.providers.builtin.heads import borne_out_by_below
from leakseg.providers.builtin.levels import Cuts, Signals
from leakseg.providers.builtin.metal import levels_with_metal
from leakseg.providers.builtin.posterior import level_heights
from leakseg.providers.builtin.ribs import (
    HEAD_TO_ROOT_MM,
    LEAST_RIB_MM,
    LONG_PROCESS_MM,
    NO_HEAD,
    NOT_AIR_HU,
    PLAIN_HEAD,
    RIB_ZONE,
    rib_reaches,
)
from leakseg.providers.builtin.working import Block, Image, noise_hu

WIDEST_MM = 36.0
"""The greatest half width."""
FAINT_SHARE, FAINT_SIGMAS, FAINT_REACH_MM = 0.42, 3.0, 8.0
"""Thin ribs of weak bone fade between slices: so much of bone's rise over soft tissue, and of the scan's noise, links
what is bone, so far from it."""
NOISY_SIGMAS = 3.5
"""Noise that so often reaches bone's rise passes for bone; what is interpolated from thick slices shows less of it."""
SOME_HEAD, AS_HEADS, LEAST_PLAIN_RIBS = 0.08, 0.7, 2
"""Bone where a rib's head would lie may be one from the first on, and is one from this share of what the heads of so
many levels with plain ribs have."""
LEAST_BOX_MM3 = 200.0
SOME_WING = 0.12
"""Bone beside the body that may be a wing; with less, a level cut off there may be the sacrum yet."""
BROAD_WING, TALLEST_SACRAL_MM = 0.32, 46.0
"""This much bone beside the body on both sides is the sacrum; a taller piece of spine may hold a lumbar level too."""
AT_BASE_MM, NECK_MM = 39.0, 152.0
"""What begins nearer below the skull is C1, or the skull's own base, and what lies beside it tells nothing; down to the
second, between the lower discs of C7 and T1, it is the neck."""
SIDES = (1, -1)


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Per level (``(L,)``, caudal first) and side (``(L, 2)``: left, right).

    ``rib_mm`` is how far bone reaches outward from the transverse process; NaN where the scan does not reach far enough
    sideways to tell, or ends within the level, or where metal lies and the rib's head is not seen; infinite where that
    bone is longer than a process when it leaves the view, and where it is no longer then, it ``leaves``.
    ``wing`` is the share of bone beside the body, ``head`` that beside its posterior corner, where a rib's head lies
    and lumbar vertebrae have nothing; NaN where not in view. ``to_skull_mm`` ``(L,)`` is how far, along the axis, the
    canal opens into the skull above each level's lower disc; NaN where it is not in view, or that disc is not.
    ``by_below`` ``(L,)``: the heads lie beside metal or at the scan's upper end, and are believed only because the
    vertebra below shows hardly any bone there.
    """

    rib_mm: FloatArray
    leaves: NDArray[np.bool_]
    wing: FloatArray
    head: FloatArray
    to_skull_mm: FloatArray
    by_below: NDArray[np.bool_]


def plain_sacra(landmarks: Landmarks, heights_mm: FloatArray) -> NDArray[np.bool_]:
    """``(L,)`` levels with wings on both sides, and no taller than one: where the sacrum ends above is beyond doubt.

    How its own pieces are cut tells nothing of the levels above it.
    """
    broad = np.all(np.nan_to_num(landmarks.wing) >= BROAD_WING, axis=1)
    return np.asarray(broad & (heights_mm <= TALLEST_SACRAL_MM))


def measure_landmarks(
    coarse: Block,
    frames: Frames,
    wall: Wall,
    signals: Signals,
    cuts: Cuts,
    densities: Densities,
    cement: tuple[Block, NDArray[np.bool_]],
    opening_mm: FloatArray | None,
) -> Landmarks:
    """Ribs and sacral wings of every level, the two open ones at the ends included, and the way to the skull.

    ``cement``: where it lies, on the fine block; beside a vertebra it is no rib. ``opening_mm``: where the canal opens
    into the skull.
    """
    window = _round_axis(coarse, frames)
    block = Block(coarse.hu[window], coarse.origin_mm + np.array([part.start for part in window]) * coarse.step_mm, 2.0)
    suv = canal_field(block, frames, 8)
    rise_hu = 0.7 * (densities.bone_hu - densities.soft_hu)
    block = _quiet(block, rise_hu)
    bone = block.hu > densities.soft_hu + rise_hu
    filled = _at_voxels(*cement, block)
    bone &= ~filled
    tops = np.append(cuts.s_mm, cuts.s_mm[-1] + level_heights(cuts)[-1])
    bottoms = tops - level_heights(cuts)
    linked = _with_faint_links(block, bone, densities) & ~filled
    beside = _Beside(block, suv, bone, wall, signals, bottoms, tops)
    wing = np.stack([beside.share(side, WING) for side in SIDES], axis=1)
    head = np.stack([beside.share(side, RIB_HEAD) for side in SIDES], axis=1)
    found = [rib_reaches(block, suv, linked, side, cuts, signals, head[:, n]) for n, side in enumerate(SIDES)]
    rib, leaves = (np.stack([getattr(one, name) for one in found], axis=1) for name in ("rib_mm", "leaves"))
    no_rib, no_wing = (_cut_off(bottoms, tops, zone, len(frames)) for zone in (RIB_ZONE, WING.height))
    head *= _dimmer(head[~no_rib & np.all(rib >= LEAST_RIB_MM, axis=1)])
    rib += np.where(head >= PLAIN_HEAD, HEAD_TO_ROOT_MM, 0)
    metal = levels_with_metal(block, suv, bottoms, tops)
    streaked = metal[:, None] & ~((rib >= LEAST_RIB_MM) & (head >= PLAIN_HEAD))
    seen, by_below = head.copy(), _by_below(beside, head, rib, streaked, no_rib, metal)
    rib[streaked & (rib >= LONG_PROCESS_MM)] = np.nan
    head[streaked & (head >= NO_HEAD)] = np.nan
    leaves &= ~streaked
    rib[no_rib[:, None] & (rib < LEAST_RIB_MM)] = np.nan
    head[no_rib] = np.nan  # in part of its height a process looks like a head
    by_below &= ~np.any(rib >= LEAST_RIB_MM, axis=1) & ~np.any(np.nan_to_num(wing) >= BROAD_WING)
    head[by_below] = seen[by_below]
    wing[no_wing[:, None] & (wing < SOME_WING)] = np.nan
    to_skull = np.full(len(tops), np.nan)
    if opening_mm is not None:
        to_skull[1:] = float(to_canal(frames, opening_mm[None])[0, 0]) - cuts.s_mm
    for values in (rib, wing, head):
        values[to_skull < AT_BASE_MM] = np.nan
    far = np.append(to_skull[1] + tops[0] - bottoms[0], to_skull[1:])  # the lowest level's lower disc is not in view
    head[_in_neck(far, np.all([one.narrow for one in found], axis=0))] = np.nan
    return Landmarks(rib, leaves, wing, head, to_skull, by_below)


def _by_below(
    beside: _Beside,
    head: FloatArray,
    rib_mm: FloatArray,
    streaked: NDArray[np.bool_],
    no_rib: NDArray[np.bool_],
    metal: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """``(L,)`` levels beside metal, or the last one that the scan cuts off, whose heads the level below bears out."""
    whole = borne_out_by_below(head, rib_mm, streaked.any(axis=1) & ~no_rib, metal)
    shown = (len(beside.wall.front_mm) - 1 - beside.bottoms[-1]) / (beside.tops[-1] - beside.bottoms[-1])
    if not no_rib[-1] or shown >= RIB_HEAD.height[1]:
        return whole
    part = replace(RIB_HEAD, height=(RIB_HEAD.height[0], shown))
    same = np.stack([beside.share(side, part) for side in SIDES], axis=1)
    return whole | borne_out_by_below(same, rib_mm, np.append(no_rib[:-1] & False, True), ~metal)


def _dimmer(heads: FloatArray) -> float:
    """How many times less bone than usual plain ribs' heads ``(P, 2)`` show: thick slices, weak bone thin all alike."""
    seen = heads[~np.isnan(heads).any(axis=1)]
    if len(seen) < LEAST_PLAIN_RIBS:
        return 1.0
    return max(1.0, PLAIN_HEAD / max(SOME_HEAD, AS_HEADS * float(np.median(seen))))


def _in_neck(to_skull_mm: FloatArray, narrow: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``(L,)`` levels of the neck, where the roots of the transverse processes lie like ribs' heads.

    By their distance to the skull; without it, above levels whose sides show whether they bear ribs, those whose flesh
    ends too near to tell (``narrow``), but for the first, which may be the last thoracic one or the scan's edge.
    """
    second = np.append(False, narrow[1:] & narrow[:-1])
    above = second & np.logical_or.accumulate(~narrow)
    return np.asarray((to_skull_mm < NECK_MM) | above)


def _cut_off(bottoms: FloatArray, tops: FloatArray, zone: tuple[float, float], end_mm: int) -> NDArray[np.bool_]:
    """``(L,)`` whether part of a zone, in shares of a level's height, lies beyond the scan, where more may be."""
    low, high = (bottoms + share * (tops - bottoms) for share in zone)
    return np.asarray((low < 0) | (high > end_mm - 1))


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


def _quiet(block: Block, rise_hu: float) -> Block:
    """The block, smoothed where its noise would pass for what rises so much over soft tissue."""
    if noise_hu(block.hu) * NOISY_SIGMAS < rise_hu:
        return block
    return Block(gaussian_filter(block.hu, 1.0), block.origin_mm, block.step_mm)


def _with_faint_links(block: Block, bone: NDArray[np.bool_], densities: Densities) -> NDArray[np.bool_]:
    """The bone, and what is denser than soft tissue close to it: a thin rib stays one piece."""
    rise_hu = max(FAINT_SHARE * (densities.bone_hu - densities.soft_hu), FAINT_SIGMAS * noise_hu(block.hu))
    faint = block.hu > densities.soft_hu + rise_hu
    near = distance_transform_edt(~bone, sampling=block.step_mm) <= FAINT_REACH_MM
    return np.asarray(bone | (faint & near))


@dataclass(frozen=True)
class _Box:
    """Where bone is looked for beside a body.

    In mm outward from its half width and forward of the canal's front wall, and as shares of the level's height.
    """

    outward: tuple[float, float]
    ahead: tuple[float, float]
    height: tuple[float, float]
    narrowest_mm: float
    """Bodies count as at least this wide to each side."""


WING = _Box((5, 20), (0, 18), (0.2, 0.8), 18)
"""Beside the upper part of a body, where muscle should be."""
RIB_HEAD = _Box((1.5, 7), (-5, 6), (0.3, 0.9), 0)
"""Beside the pedicle and the body's posterior corner."""


@dataclass(frozen=True, eq=False)
class _Beside:
    """Bone beside the bodies, level by level."""

    block: Block
    suv: Image
    bone: NDArray[np.bool_]
    wall: Wall
    signals: Signals
    bottoms: FloatArray
    tops: FloatArray

    def share(self, side: int, where: _Box) -> FloatArray:
        """``(L,)`` share of bone in the box beside each body; NaN where the box is not in view."""
        suv, last = self.suv, len(self.wall.front_mm) - 1
        row = np.clip(np.rint(suv[..., 0]).astype(np.int64), 0, last)
        outward = side * suv[..., 2] - np.clip(self.signals.half_width_mm, where.narrowest_mm, WIDEST_MM)[row]
        ahead = -suv[..., 1] - self.wall.front_mm[row]
        box = (outward > where.outward[0]) & (outward < where.outward[1])
        box &= (ahead > where.ahead[0]) & (ahead < where.ahead[1]) & (suv[..., 0] >= 0) & (suv[..., 0] <= last)
        box &= self.block.hu > NOT_AIR_HU
        s = suv[..., 0][box]
        dense = self.bone[box]
        out = np.full(len(self.tops), np.nan)
        for level, (low, high) in enumerate(zip(self.bottoms, self.tops, strict=True)):
            start, stop = (low + share * (high - low) for share in where.height)
            here = (s < stop) & (s > start)
            if here.sum() * self.block.step_mm**3 > LEAST_BOX_MM3:
                out[level] = dense[here].mean()
        return out
