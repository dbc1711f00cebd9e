"""Contrast medium in the thecal sac: found as a bright, even, broad tube, and dimmed to soft tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_opening, find_objects, label, uniform_filter

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.working import Block, Image

BROAD_MM = 4.0
EVEN_HU, EVEN_SHARE = 30.0, 0.08
NEAR_AXIS_MM = 10.0
SAC_MM2 = (20.0, 450.0)
"""Area of the sac's even core in one slice; vertebral bodies, whose marrow may be as even, are larger."""
SAC_ABOVE_SOFT_HU = 120.0
FULL_SHARE = 0.5
"""The sac fills this share of the rectangle round it in a slice."""
SAC_LENGTH_MM = 25.0


def broad_bright(block: Block, densities: Densities) -> NDArray[np.bool_]:
    """Voxels of bright regions that are even, and broader than cortex is thick: contrast; rarely marrow as well."""
    size = max(3, 2 * round(3.0 / block.step_mm) - 1)
    mean = uniform_filter(block.hu, size)
    spread = np.sqrt(np.maximum(uniform_filter(block.hu**2, size) - mean**2, 0))
    bright = (block.hu > densities.soft_hu + 60) & (block.hu < densities.soft_hu + 1200)
    core = binary_opening(bright & (spread < EVEN_HU + EVEN_SHARE * np.abs(mean)), iterations=1)
    grown = binary_dilation(core, iterations=max(1, round(BROAD_MM / block.step_mm)))
    return np.asarray(grown & bright & (np.abs(block.hu - mean) < 150), dtype=bool)


def sac_like(block: Block, densities: Densities) -> NDArray[np.bool_]:
    """Of `broad_bright`, the upright tubes as narrow as a thecal sac; a vessel full of contrast is one as well."""
    import cc3d

    bright = broad_bright(block, densities) & (block.hu > densities.soft_hu + SAC_ABOVE_SOFT_HU)
    in_plane = np.zeros((3, 3, 3), bool)
    in_plane[1, 1, :] = in_plane[1, :, 1] = True
    sections, _ = label(bright, in_plane)
    area = np.bincount(sections.ravel()) * block.step_mm**2
    box = np.array([1.0, *(_rectangle_voxels(part) for part in find_objects(sections))]) * block.step_mm**2
    kept = (area >= SAC_MM2[0]) & (area <= SAC_MM2[1]) & (area >= FULL_SHARE * box)
    kept[0] = False
    pieces = cc3d.connected_components(kept[sections], connectivity=26)
    length = np.array([0, *(part[0].stop - part[0].start for part in find_objects(pieces))]) * block.step_mm
    tall = length >= SAC_LENGTH_MM
    return np.asarray(binary_dilation(tall[pieces]), dtype=bool)  # with its blurred rim


def _rectangle_voxels(part: tuple[slice, ...]) -> int:
    return int(part[1].stop - part[1].start) * int(part[2].stop - part[2].start)


def dimmed(block: Block, densities: Densities, where: NDArray[np.bool_]) -> Block:
    """The block with soft tissue there."""
    hu: Image = np.where(where, np.float32(densities.soft_hu), block.hu)
    return Block(hu, block.origin_mm, block.step_mm)


def dim_sac(block: Block, densities: Densities, points_mm: FloatArray) -> Block:
    """The block with the contrast round a canal's path dimmed."""
    import cc3d
    import edt

    seeds = np.ones(block.hu.shape, bool)
    index = np.rint(block.to_index(points_mm)).astype(np.int64)
    index = index[np.all((index >= 0) & (index < np.array(block.hu.shape)), axis=1)]
    seeds[tuple(index.T)] = False
    near = edt.edt(seeds, anisotropy=(block.step_mm,) * 3) < NEAR_AXIS_MM
    pieces = cc3d.connected_components(broad_bright(block, densities) & near, connectivity=6)
    wanted = np.zeros(int(pieces.max()) + 1, bool)
    wanted[np.unique(pieces[tuple(index.T)])] = True
    wanted[0] = False
    return dimmed(block, densities, binary_dilation(wanted[pieces]))
