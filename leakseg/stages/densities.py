"""What a scan itself says of its tissues: soft tissue, cancellous bone, cortex, and the cement's plateau.

No published HU separates vertebral PMMA from cortex. The cement's own density is seen deep inside the
bodies, where no cortex lies; cortex is seen in the rims of vertebrae that hold no cement.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.allocator import untouched
from leakseg.anatomy import SpineAnatomy, SpineMasks
from leakseg.criteria import CementCriteria
from leakseg.geometry import Grid, bounding_box, distance_to_surface_mm, voxels_of
from leakseg.pieces import ScanDensities
from leakseg.reach import Window, deeper, pieces_of, window_round
from leakseg.volume import Volume, denser_than

_SECTIONS = 2
"""Sections that are counted at a time."""


def read_densities(
    volume: Volume,
    masks: SpineMasks,
    spine: SpineAnatomy,
    window: Window,
    metal: NDArray[np.bool_],
    criteria: CementCriteria,
) -> ScanDensities:
    """Densities in a window round the vertebrae, and the cement that is beyond doubt.

    Cement is sought in the bodies only: in a vertebra's arch, cortex lies as deep as cancellous bone.

    Parameters
    ----------
    volume, masks
        On the same grid.
    window
        From `search_window`.
    metal
        ``(k, j, i)`` metal in the window: a screw in a body is no cement.
    """
    grid = volume.grid.crop(window)
    hu = volume.hu[window]
    soft = _soft_tissue_hu(hu, masks.vertebrae[window])
    box = bounding_box(masks.vertebrae[window], 1)  # a border of the block would be no surface
    assert box is not None
    hu, vertebrae = hu[box], masks.vertebrae[window][box]
    grid_there, iron = grid.crop(box), metal[box]
    sure, cancellous, plateau = _seeds(hu, vertebrae, iron, grid_there, spine, criteria)
    cortex = _cortex_hu(hu, vertebrae, iron, sure, grid_there, criteria) if np.isfinite(plateau) else float("nan")
    seeds = untouched(grid.shape)
    seeds[box][sure] = True
    return ScanDensities(window, grid, soft, cancellous, cortex, plateau, seeds, metal)


def search_window(masks: SpineMasks, margin_mm: float) -> Window:
    """The part of the scan in which leaks are looked for: all vertebrae with a margin."""
    box = masks.block
    assert box is not None
    parts = []
    for part, size, step in zip(box, masks.grid.shape, masks.grid.spacing_mm, strict=True):
        reach = int(np.ceil(margin_mm / step))
        parts.append(slice(max(0, part.start - reach), min(size, part.stop + reach)))
    return (parts[0], parts[1], parts[2])


def _soft_tissue_hu(hu: NDArray[Any], vertebrae: NDArray[np.uint8]) -> float:
    """Mode of the soft tissue between fat and contrast (-20 to 120 HU), smoothed."""
    counts = np.zeros(256)
    for first in range(0, len(hu), _SECTIONS):
        there = slice(first, first + _SECTIONS)
        section = hu[there]
        values = (section[(section > -40) & (section < 140) & (vertebrae[there] == 0)] + 40).astype(np.uint8)
        even = len(values) // 2 * 2
        pairs = np.bincount(values[:even].view(np.uint16), minlength=1 << 16).reshape(256, 256)  # two in one look
        counts += pairs.sum(axis=0) + pairs.sum(axis=1) + np.bincount(values[even:], minlength=256)
    counts = counts[:180]
    if counts.sum() < 100:
        return 40.0
    smooth = ndimage.gaussian_filter1d(counts, 10.0)
    return float(np.argmax(smooth[20:160])) - 20.0


def _seeds(
    hu: NDArray[Any],
    vertebrae: NDArray[np.uint8],
    metal: NDArray[np.bool_],
    grid: Grid,
    spine: SpineAnatomy,
    criteria: CementCriteria,
) -> tuple[NDArray[np.bool_], float, float]:
    """Cement that is beyond doubt, the cancellous bone's density, and the cement's plateau (NaN without cement)."""
    bone = vertebrae > 0
    deep = deeper(bone, criteria.deep_mm, grid.spacing_mm)
    deep[metal] = False
    quartiles = [np.percentile(values, 40) for values in _by_level(hu, vertebrae, deep) if values.size >= 30]
    cancellous = float(np.clip(np.min(quartiles), -100, 600)) if quartiles else 150.0
    limit = max(criteria.min_seed_hu, cancellous + criteria.seed_above_cancellous_hu)
    dense = denser_than(hu, limit)
    dense &= bone
    dense[metal] = False
    dense &= deep | _deep_in_crushed(vertebrae, dense, deep, metal, grid, criteria)
    index = voxels_of(dense)
    in_body = spine.lattice.lookup(spine.body, spine.axis.to_canal(grid.to_patient(index)))
    dense[tuple(index[~in_body].T)] = False
    voxel_mm3 = grid.voxel_volume_mm3
    smallest_mm3 = max(criteria.min_seed_volume_mm3, criteria.min_seed_voxels * voxel_mm3)
    seeds = pieces_of(dense, smallest_mm3, voxel_mm3)
    box = bounding_box(seeds, 1)
    if box is None:
        return seeds, cancellous, float("nan")
    core = ndimage.binary_erosion(seeds[box])
    values = hu[box][core if core.sum() >= 20 else seeds[box]]
    return seeds, cancellous, float(np.percentile(values, 70))


def _deep_in_crushed(
    vertebrae: NDArray[np.uint8],
    asked: NDArray[np.bool_],
    deep: NDArray[np.bool_],
    metal: NDArray[np.bool_],
    grid: Grid,
    criteria: CementCriteria,
) -> NDArray[np.bool_]:
    """Which of the voxels asked for lie in the middle of a vertebra that a fracture left too flat to be deep anywhere.

    A vertebra's depth is measured where such a voxel may lie deep enough, and where the vertebra is too flat: in few.
    """
    bone, spacing = vertebrae > 0, grid.spacing_mm
    asked = asked & ~deep
    asked &= deeper(bone, criteria.min_deep_mm, spacing)
    middle = np.zeros(asked.shape, np.bool_)
    deep_enough_mm = criteria.deep_mm / criteria.deep_share
    for number in np.unique(vertebrae[asked]):
        room = window_round(vertebrae == number, deep_enough_mm, spacing, spare=2)
        assert room is not None
        own = (vertebrae[room] == number) & ~metal[room]
        core = window_round(own & deep[room], deep_enough_mm, spacing, spare=2)
        if core is not None and (deeper(bone[room][core], deep_enough_mm, spacing) & own[core]).any():
            continue
        depth = distance_to_surface_mm(bone[room], spacing)
        wanted = np.clip(criteria.deep_share * depth[own].max(), criteria.min_deep_mm, criteria.deep_mm)
        middle[room] |= own & asked[room] & (depth >= np.float32(wanted))
    return middle


def _by_level(hu: NDArray[Any], vertebrae: NDArray[np.uint8], where: NDArray[np.bool_]) -> list[NDArray[Any]]:
    values, levels = hu[where], vertebrae[where]
    return [values[levels == level] for level in np.unique(levels)]


def _cortex_hu(
    hu: NDArray[Any],
    vertebrae: NDArray[np.uint8],
    metal: NDArray[np.bool_],
    seeds: NDArray[np.bool_],
    grid: Grid,
    criteria: CementCriteria,
) -> float:
    """Density of dense cortex: from the vertebra whose rim is least touched by cement; screws are no cortex."""
    bone = vertebrae > 0
    rim = bone & ~deeper(bone, criteria.rim_mm, grid.spacing_mm)
    clear = rim & ~metal
    rim = clear if clear.any() else rim
    owner, values = vertebrae[rim], hu[rim]
    untreated = ~np.isin(owner, np.unique(vertebrae[seeds]))
    return float(np.percentile(values[untreated] if untreated.any() else values, criteria.cortex_percentile))
