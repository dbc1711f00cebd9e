"""Ribs: bone that starts beside a level and reaches outward, farther than any transverse process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.levels import Cuts, Signals
from leakseg.providers.builtin.posterior import level_heights
from leakseg.providers.builtin.working import Block, Image

RIB_START_MM, RIB_REACH_MM = 24.0, 75.0
BESIDE_BODY_MM, FARTHEST_START_MM = 2.0, 32.0
"""Ribs are looked for so far beyond a broad body's side, no farther out than the second."""
SMALLEST_PIECE_MM3, LARGEST_RIB_MM3 = 150.0, 15000.0
ROOT_MM, LEAST_ROOT_VOXELS = 6.0, 4
RIB_ABOVE_DISC = 0.15
"""A rib may begin this share of a level's height above the level's upper disc."""
NOT_AIR_HU = -250.0
LEAST_FLESH = 0.5
"""Less of what lies beside and behind the spine is air in any patient; beyond the edge of a turned scan all is."""
WIDE_VIEW_MM, LEAST_VIEW_MM, VIEW_STEP_MM = 62.0, 44.0, 2.0
"""A scan that shows this much to the side shows a rib's length; down to the second, that bone goes on out of view."""
EDGE_VOXELS = 2
"""Bone that comes so near to the scan's own side goes on beyond it."""
PLAIN_HEAD, NO_HEAD, HEAD_TO_ROOT_MM = 0.2, 0.05, 9.0
"""Bone beside the posterior corner that is a rib's head, or none; and how far a rib runs from there before its reach
is measured."""
LONG_PROCESS_MM = 24.0
"""Bone that leaves the view nearer may be a transverse process. Those of phantoms' L1 to L3 leave views of 90 to 120 mm
after 12 to 22 mm, verse005's L4 after 24 to 26, ribs after 24 to 57."""
RIB_ZONE, LEAST_RIB_MM = (0.5, 0.9), 38.0
"""Where in a level's height its rib leaves it: a level cut off there shows no rib shorter than this, and yet may bear
one."""


@dataclass(frozen=True, eq=False)
class Reaches:
    """How far bone reaches outward on one side, ``(L,)`` each.

    ``rib_mm`` is NaN where one cannot tell, and infinite where bone leaves the view after it is as long as a process
    and before it is as long as a rib; where it leaves before either, it ``leaves``. ``narrow``: the patient's flesh
    ends so near that one cannot tell.
    """

    rib_mm: FloatArray
    leaves: NDArray[np.bool_]
    narrow: NDArray[np.bool_]


def rib_reaches(
    block: Block, suv: Image, bone: NDArray[np.bool_], side: int, cuts: Cuts, signals: Signals, head: FloatArray
) -> Reaches:
    """Bone that starts beside each level and reaches outward.

    A transverse process that a rib from the level above touches on its way down has no ``head`` ``(L,)``.
    """
    import cc3d

    lateral = side * suv[..., 2]
    row = np.clip(np.rint(suv[..., 0]).astype(np.int64), 0, len(signals.half_width_mm) - 1)
    start = np.clip(signals.half_width_mm + BESIDE_BODY_MM, RIB_START_MM, FARTHEST_START_MM)[row]
    zone = (lateral > start) & (lateral < RIB_REACH_MM) & (suv[..., 1] > -45) & (suv[..., 1] < 50)
    pieces = cc3d.connected_components(zone & bone, connectivity=6)
    ends = cc3d.connected_components(zone & bone & (lateral < start + ROOT_MM), connectivity=6).ravel()
    heights = level_heights(cuts)
    highest = cuts.s_mm[-1] + RIB_ZONE[1] * heights[-1]
    view_mm, narrow = _view_to_side(block, suv, lateral, cuts)
    out = np.where(np.isfinite(view_mm), 0.0, np.nan)
    leaves = np.zeros(len(out), bool)
    per_section = block.hu.shape[1] * block.hu.shape[2]
    for group in _large_pieces(pieces, SMALLEST_PIECE_MM3 / block.step_mm**3):
        roots = group[ends[group] > 0]
        points = suv.reshape(-1, 3)
        height = group // per_section
        cut_off = height.min() <= 1 or height.max() >= block.hu.shape[0] - 2
        at_edge = _at_edge(group, block.hu.shape)
        touched = set()
        massive = len(group) * block.step_mm**3 > LARGEST_RIB_MM3
        for end in np.unique(ends[roots]):  # one root, one level: a drooping rib is not also the next level's
            at_root = roots[ends[roots] == end]
            root = points[at_root]
            if len(root) < LEAST_ROOT_VOXELS:
                continue
            number = _level_of(root, cuts, heights)
            beyond = number == len(cuts.s_mm) and float(np.median(root[:, 0])) > highest
            if beyond or at_root.max() // per_section >= block.hu.shape[0] - 2:
                out[number] = np.nan  # it may as well come from the vertebra above, which is not in view
                continue
            touched.add(number)
            reach = float(np.linalg.norm(points[group] - root.mean(axis=0), axis=1).max()) + 3  # from inside the root
            at_side = lateral.ravel()[group].max() > view_mm[number] - 1.5 * VIEW_STEP_MM
            gone = (at_side and view_mm[number] < WIDE_VIEW_MM) or at_edge
            if massive or (cut_off and reach < 40 and not gone):  # ilium, or ribs fused; or an end out of view
                out[number] = np.nan
            elif gone and reach + HEAD_TO_ROOT_MM * (head[number] >= PLAIN_HEAD) < LONG_PROCESS_MM:
                leaves[number] |= not np.isnan(out[number])
            elif not np.isnan(out[number]):
                out[number] = max(out[number], np.inf if gone and reach < LEAST_RIB_MM else reach)
        if any(head[number] >= PLAIN_HEAD for number in touched):
            out[[number for number in touched if head[number] < NO_HEAD]] = np.nan
    out[leaves & ~(out >= LEAST_RIB_MM)] = np.nan
    return Reaches(out, leaves & np.isnan(out), narrow)


def _large_pieces(pieces: NDArray[np.unsignedinteger], least_voxels: float) -> Iterator[NDArray[np.int64]]:
    """Flat indices of each numbered piece that is large enough."""
    at = np.flatnonzero(pieces)
    label = pieces.ravel()[at]
    order = np.argsort(label, kind="stable")
    groups = np.split(at[order], np.flatnonzero(np.diff(label[order])) + 1)
    return (group for group in groups if len(group) and len(group) >= least_voxels)


def _level_of(root: FloatArray, cuts: Cuts, heights_mm: FloatArray) -> int:
    """The level that a rib's root, points ``(M, 3)`` along the axis, leaves."""
    level = np.searchsorted(cuts.s_mm, root[:, 0] - RIB_ABOVE_DISC * float(np.median(heights_mm)))
    return int(np.bincount(level).argmax())


def _at_edge(voxels: NDArray[np.int64], shape: tuple[int, ...]) -> bool:
    """Whether some of the voxels (flat indices) lie at the sides, the front or the back of a block."""
    _, *across = np.unravel_index(voxels, shape)
    return any(
        bool(((index < EDGE_VOXELS) | (index >= size - EDGE_VOXELS)).any())
        for index, size in zip(across, shape[1:], strict=True)
    )


def _view_to_side(block: Block, suv: Image, lateral: Image, cuts: Cuts) -> tuple[FloatArray, NDArray[np.bool_]]:
    """``(L,)`` mm to which the scan reaches sideways at each level and shows flesh, not its own padding.

    `WIDE_VIEW_MM` at the most; NaN where that is too little to tell a rib. And ``(L,)`` whether it is because flesh
    ends there, or padding begins, though the scan goes on.
    """
    level = np.searchsorted(cuts.s_mm, suv[..., 0])
    count = len(cuts.s_mm) + 1
    beside = np.abs(suv[..., 1]) < 20
    behind = (suv[..., 1] > 0) & (suv[..., 1] < 45)
    out = np.full(count, np.nan)
    reached = np.ones(count, bool)
    narrow = np.zeros(count, bool)
    for view in np.arange(LEAST_VIEW_MM, WIDE_VIEW_MM + 0.5 * VIEW_STEP_MM, VIEW_STEP_MM):
        shell = (lateral > view - VIEW_STEP_MM) & (lateral <= view)
        in_scan = np.bincount(level[shell & beside], minlength=count) > 30
        back = shell & behind
        flesh = np.bincount(level[back & (block.hu > NOT_AIR_HU)], minlength=count)
        fleshy = flesh > LEAST_FLESH * np.bincount(level[back], minlength=count)
        if view == LEAST_VIEW_MM:
            narrow = in_scan & ~fleshy
        reached &= in_scan & fleshy
        out[reached] = view
    return out, narrow
