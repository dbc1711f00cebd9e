"""The rim of the vertebrae, judged again on the scan's own voxels where these are finer than the block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from leakseg.balls import grown_by
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.working import Block, Image
from leakseg.reach import window_round, within
from leakseg.volume import Volume

RIM_MM = 1.3
"""A voxel of the block and its blur carry bone no farther out than this."""
BLUR_MM, CORTEX_NEAR_MM = 0.5, 2.0
RIM_SHARE, MOST_CORTEX_HU = 0.35, 900.0
"""Bone begins at this share of the rise to the densest cortex near by; expert outlines lie under half of it."""
MARGIN_MM, SEEN_MM = 3.0, 5.0
"""Room round all vertebrae; no voxel is judged by what lies farther from it in its section."""
SLAB = 48
FINER = 0.95
"""A scan whose voxels are narrower than this share of the block's is finer."""


def bone_floor(smooth: Image, hidden: NDArray[np.bool_], densities: Densities, spacing_mm: tuple[float, ...]) -> Image:
    """The least HU of bone at each place: near dense cortex its blurred rim is as bright as weak bone elsewhere.

    What is ``hidden`` (cement) is no cortex.
    """
    reach = [round(CORTEX_NEAR_MM / spacing) for spacing in spacing_mm]
    peak = highest_near(np.where(hidden, np.float32(densities.soft_hu), smooth), reach)
    rise = np.clip(peak - np.float32(densities.soft_hu), 0, MOST_CORTEX_HU)
    return np.asarray(np.maximum(densities.bone_hu, densities.soft_hu + RIM_SHARE * rise), dtype=np.float32)


def highest_near(values: Image, reach: Sequence[int]) -> Image:
    """The highest value at most so many voxels away along each axis, in a box."""
    for axis, far in enumerate(reach):
        ahead = np.moveaxis(values, axis, 0).copy()
        seen = 0  # each place holds the highest of itself and of so many ahead
        while seen < far:
            step = min(seen + 1, far - seen)
            np.maximum(ahead[:-step], ahead[step:], out=ahead[:-step])
            seen += step
        both = np.maximum(ahead, ahead[:1])  # near the start all that lies behind is in the first
        np.maximum(ahead[far:], ahead[: max(0, len(ahead) - far)], out=both[far:])
        values = np.moveaxis(both, 0, axis)
    return values


def trim_rim(
    vertebrae: NDArray[np.uint8],
    bone: NDArray[np.bool_],
    cement: NDArray[np.bool_],
    volume: Volume,
    block: Block,
    densities: Densities,
) -> NDArray[np.uint8]:
    """The vertebrae without the rim that only the block's coarser voxels took for bone.

    All arrays are shaped as the scan: the labels, what the block took for ``bone`` by its density (not what was filled
    in), and ``cement``, near which nothing is judged anew. A scan no finer than the block keeps its labels.
    """
    spacing = volume.grid.spacing_mm
    room = window_round(vertebrae, MARGIN_MM, spacing, spare=0)
    if min(spacing) > FINER * block.step_mm or room is None:
        return vertebrae
    margin = int(np.ceil(MARGIN_MM / spacing[0]))
    out = vertebrae.copy()
    for start in range(room[0].start, room[0].stop, SLAB):
        stop = min(start + SLAB, room[0].stop)
        first, last = max(start - margin, 0), min(stop + margin, vertebrae.shape[0])
        part = (slice(first, last), *room[1:])
        box = window_round(vertebrae[part], SEEN_MM, spacing)
        if box is None:
            continue
        window = (part[0], *within(box, part)[1:])
        smooth = gaussian_filter(volume.hu[window].astype(np.float32), [BLUR_MM / step for step in spacing])
        hidden = cement[window]
        floor = bone_floor(smooth, hidden, densities, spacing)
        outer = grown_by(vertebrae[window] == 0, RIM_MM, spacing)
        drop = outer & bone[window] & ~hidden & (smooth < floor)
        out[start:stop, *window[1:]][drop[start - first : stop - first]] = 0
    return out
