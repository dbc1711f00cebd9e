"""Vertebrae, canal, discs and levels from the CT alone, by classical means.

The canal comes first, as the path of dark regions ringed by bone; its coordinates straighten the spine, in
which discs, bodies, laminae and pedicles have their places; then bone is shared out among the levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.criteria import BuiltinCriteria
from leakseg.errors import AnatomyError
from leakseg.findings import QualityNote
from leakseg.geometry import FloatArray, bounding_box
from leakseg.providers.builtin.assemble import onto_grid
from leakseg.providers.builtin.axis import bridged_cuts, trust_axis
from leakseg.providers.builtin.bodies import trace_outline
from leakseg.providers.builtin.canal import Wall, carry_to_ends, find_cement, trace_wall
from leakseg.providers.builtin.cement import find_bone_cement, without_cement
from leakseg.providers.builtin.centreline import find_centreline
from leakseg.providers.builtin.contrast import dim_sac
from leakseg.providers.builtin.densities import Densities, measure_densities
from leakseg.providers.builtin.ends import find_ends
from leakseg.providers.builtin.fine import trim_rim
from leakseg.providers.builtin.foramina import cement_beside_arch
from leakseg.providers.builtin.frames import Frames, Straight, make_frames, robust_smooth, straighten
from leakseg.providers.builtin.landmarks import measure_landmarks, plain_sacra
from leakseg.providers.builtin.levels import Cuts, Signals, continue_cuts, find_cuts, measure_signals
from leakseg.providers.builtin.naming import Naming, name_levels, named_axis, rib_bearing
from leakseg.providers.builtin.notes import describe
from leakseg.providers.builtin.plates import find_endplates
from leakseg.providers.builtin.posterior import level_heights
from leakseg.providers.builtin.sight import Sight, measure_sight
from leakseg.providers.builtin.skull import up_to_skull
from leakseg.providers.builtin.strands import strands_on_bodies
from leakseg.providers.builtin.trust import trusted_levels
from leakseg.providers.builtin.unlike import Known
from leakseg.providers.builtin.vertebrae import Shapes, draw_vertebrae
from leakseg.providers.builtin.working import Block, quieter, resample, without_padding
from leakseg.volume import Volume

COARSE_MM, FINE_MM = 2.0, 1.0
SPILL_MM, SPILL_VOXELS = 1.0, 0.5
"""Cement brightens what lies beside it so far (standard deviation), or by this many of the scan's own voxels."""
MARGIN_MM = (26.0, 66.0, 62.0)
BACK_MARGIN_MM = 80.0
U_MM, V_MM = np.arange(-60.0, 72.0), np.arange(-50.0, 51.0)
VERSION = "1.0"


@dataclass(frozen=True, eq=False)
class BuiltinMasks:
    """The masks drawn, and what a reader must know of them."""

    masks: SpineMasks
    notes: tuple[QualityNote, ...]


def segment(volume: Volume, criteria: BuiltinCriteria | None = None) -> BuiltinMasks:
    """Draw vertebrae, canal, bodies and discs of one CT, and name the levels.

    Parameters
    ----------
    volume
        Any CT in canonical orientation; cement and metal may be in it.
    criteria
        What must be seen for a spine to be believed.

    Returns
    -------
    BuiltinMasks
        Masks on the volume's own grid. Levels whose name is not sure have a low ``label_confidence`` and
        a note ``level_uncertain``.

    Raises
    ------
    AnatomyError
        Where no spine can be found.
    """
    limits = criteria or BuiltinCriteria()
    coarse = without_padding(resample(volume.hu, volume.grid.spacing_mm, COARSE_MM))
    densities = measure_densities(quieter(coarse).hu)
    found = find_centreline(coarse, densities)
    upper = None if found is None else up_to_skull(coarse, densities, found)
    if upper is None or np.ptp(upper.line.points_mm[:, 0]) < limits.min_centreline_mm:
        raise AnatomyError(_NO_SPINE.format(f"less than {limits.min_centreline_mm:g} mm of a spinal canal"))
    line, opening_mm = upper.line, upper.opening_mm
    block = _window(volume, line.points_mm)
    if line.contrast_hu is not None:
        block = dim_sac(block, densities, line.points_mm, line.contrast_hu if line.round_cord else None)
    cement = find_cement(block)
    frames, wall = trace_wall(block, make_frames(robust_smooth(line.points_mm)), densities, cement)
    top_mm = (volume.grid.shape[0] - 1) * volume.grid.spacing_mm[0]
    highest_mm = top_mm if opening_mm is None else float(opening_mm[0])
    wall = carry_to_ends(wall, frames, 0.0, highest_mm)
    straight = straighten(block, frames, U_MM, V_MM)
    slice_mm = volume.grid.spacing_mm[0]
    signals, cuts = _find_levels(straight, wall, densities, _straight_cement(block, frames, cement), slice_mm)
    if len(cuts.s_mm) == 0:
        raise AnatomyError(_NO_SPINE.format("a canal, but no disc between two vertebral bodies"))
    filling = find_bone_cement(block, straight, frames, wall, signals, cuts, densities, volume)
    hidden = _straight_cement(block, frames, filling)
    if hidden.any():  # the first look hides only the densest cement, and what fills a disc hides its cut
        again = _find_levels(straight, wall, densities, hidden, slice_mm)
        signals, cuts = again if len(again[1].s_mm) else (signals, cuts)
    outline = trace_outline(without_cement(block, filling, densities), filling, frames, wall, signals, cuts, densities)
    beside = cement_beside_arch(Known(block, straight, frames, wall, cuts, densities, filling, hidden))
    if filling.any():
        thin = beside | strands_on_bodies(block, filling, frames, outline, cuts, densities)
        if (thin & ~filling).any():  # what was taken for bone
            filling = filling | thin
            bare = without_cement(block, filling, densities)
            outline = trace_outline(bare, filling, frames, wall, signals, cuts, densities)
    ends = find_ends(straight, wall, cuts, densities, hidden)
    unsure_mm = max(0.0, (slice_mm - FINE_MM) / 2)  # a slice half of bone, half of disc is in doubt
    endplates = find_endplates(straight, hidden, wall, outline, cuts, densities, ends, unsure_mm)
    landmarks = measure_landmarks(coarse, frames, wall, signals, cuts, densities, (block, filling), opening_mm)
    middle = np.clip(np.append(cuts.s_mm - 15, cuts.s_mm[-1] + 15), 0, len(frames) - 1).astype(int)
    trusted = trusted_levels(cuts, signals) | plain_sacra(landmarks, level_heights(cuts))
    trusted = trust_axis(trusted, landmarks, cuts, bridged_cuts(straight, wall, cuts, densities))
    naming = name_levels(landmarks, signals.half_width_mm[middle], trusted)
    ribbed, axis = rib_bearing(naming, landmarks), named_axis(naming, landmarks)
    blur_mm = tuple(max(SPILL_MM, SPILL_VOXELS * spacing) for spacing in volume.grid.spacing_mm)
    shapes = draw_vertebrae(
        block,
        filling,
        beside,
        blur_mm,
        straight,
        frames,
        wall,
        signals,
        cuts,
        outline,
        endplates,
        densities,
        ribbed,
        axis,
    )
    sight = measure_sight(straight, wall, signals, cuts, contrast=line.contrast_hu is not None)
    levels = onto_grid(shapes.levels, block, volume.grid)
    bone, cement = onto_grid(shapes.bone, block, volume.grid), onto_grid(filling, block, volume.grid)
    levels = trim_rim(levels, bone, cement, volume, block, densities)
    return _finish(volume, block, shapes, filling, levels, naming, sight, limits, axis, endplates.unsure_discs(cuts))


def _body_mm3(
    shapes: Shapes, filling: NDArray[np.bool_], step_mm: float, limits: BuiltinCriteria, levels: int
) -> FloatArray:
    """Volume of the body of each level, from 1; none where what was drawn holds neither bone nor cement."""
    voxels = np.bincount(shapes.levels[shapes.bodies], minlength=levels + 2)
    dense = np.bincount(shapes.levels[shapes.bodies & (shapes.bone | filling)], minlength=levels + 2)
    return np.where(dense >= limits.min_body_bone_fraction * voxels, voxels * step_mm**3, 0.0)


_NO_SPINE = (
    "No spine could be found in this scan by the built-in segmentation: it saw {}. Give masks with --masks, or "
    "check that the scan shows the spine."
)


def _window(volume: Volume, points_mm: FloatArray) -> Block:
    """The fine block round the centreline."""
    spacing = np.array(volume.grid.spacing_mm)
    margin = np.array(MARGIN_MM)
    low = np.maximum((points_mm.min(axis=0) - margin) / spacing, 0).astype(int)
    ahead = points_mm.max(axis=0) + np.array([MARGIN_MM[0], BACK_MARGIN_MM, MARGIN_MM[2]])
    high = np.minimum((ahead / spacing).astype(int) + 2, volume.grid.shape)
    part = volume.hu[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    return resample(part, volume.grid.spacing_mm, FINE_MM, tuple(int(start) for start in low))


def _find_levels(
    straight: Straight, wall: Wall, densities: Densities, hidden: NDArray[np.bool_], slice_mm: float
) -> tuple[Signals, Cuts]:
    """The cuts between levels, and their signals; what is ``hidden`` (as the straightened scan) tells nothing."""
    signals = measure_signals(straight, wall, densities, hidden, slice_mm)
    return signals, continue_cuts(find_cuts(signals), signals)


def _straight_cement(block: Block, frames: Frames, cement: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if not cement.any():
        return np.zeros((len(frames), len(U_MM), len(V_MM)), bool)
    inside = straighten(Block(cement.astype(np.float32), block.origin_mm, block.step_mm), frames, U_MM, V_MM)
    return np.asarray(np.nan_to_num(inside.hu) > 0.5)


def _finish(
    volume: Volume,
    block: Block,
    shapes: Shapes,
    filling: NDArray[np.bool_],
    drawn_levels: NDArray[np.uint8],
    naming: Naming,
    sight: Sight,
    limits: BuiltinCriteria,
    axis: int | None,
    unsure_discs: list[int],
) -> BuiltinMasks:
    """Numbers to names, block to grid, doubts to notes; the vertebrae ``drawn_levels`` are on the grid already."""
    number = np.zeros(256, np.uint8)
    confidence: dict[VertebraLevel, float | None] = {}
    drawn_mm3 = _body_mm3(shapes, filling, block.step_mm, limits, len(naming.levels))
    rows: dict[VertebraLevel, int] = {}
    sacrum = naming.levels.index(VertebraLevel.S1) if VertebraLevel.S1 in naming.levels else -1
    above = min(sacrum + 1, len(naming.levels) - 1)  # the sacrum, one piece here, is as sure as the vertebra above it
    levels = [VertebraLevel.S1 if index <= sacrum else level for index, level in enumerate(naming.levels)]
    sures = [naming.confidence[max(index, above)] for index in range(len(levels))]
    for index, (level, sure) in enumerate(zip(levels, sures, strict=True)):
        bodiless = index == sacrum or (axis is not None and index == axis + 1)  # C1 is a ring about the dens
        if level is None or level is VertebraLevel.S2 or (not bodiless and drawn_mm3[index + 1] < limits.min_body_mm3):
            continue
        number[index + 1] = level.number
        confidence[level] = sure
        rows[level] = index
    if not set(confidence) - {VertebraLevel.S1}:
        raise AnatomyError(_NO_SPINE.format("a canal, but no vertebral body above the sacrum"))
    vertebrae = np.zeros_like(drawn_levels)
    box = bounding_box(drawn_levels) or (slice(0, 0),) * 3
    vertebrae[box] = number[drawn_levels[box]]
    for ring in (VertebraLevel.S1, VertebraLevel.C1):
        if not (vertebrae[box] == ring.number).any():
            confidence.pop(ring, None)
    bodies = onto_grid(shapes.bodies, block, volume.grid)
    bodies &= vertebrae > 0
    masks = SpineMasks(
        grid=volume.grid,
        vertebrae=vertebrae,
        canal=onto_grid(shapes.canal, block, volume.grid),
        bodies=bodies,
        discs=onto_grid(shapes.discs, block, volume.grid),
        provider="builtin",
        version=VERSION,
        label_confidence=confidence,
        from_builtin=True,
        canal_confidence=sight.canal_confidence([row for level, row in rows.items() if level is not VertebraLevel.S1]),
    )
    seen = {level: (float(sight.wall_seen[row]), float(sight.cut_off[row])) for level, row in rows.items()}
    level_at = {row: level for level, row in rows.items()}
    hidden = [(level_at[at + 1], level_at[at]) for at in unsure_discs if at in level_at and at + 1 in level_at]
    notes = describe(naming, confidence, volume, seen=seen, contrast=sight.contrast, hidden_discs=hidden, limits=limits)
    return BuiltinMasks(masks, notes)
