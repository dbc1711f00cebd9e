"""Contrast medium in the thecal sac: found as a bright, even, broad tube, and dimmed to soft tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_opening, uniform_filter

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.working import Block, Image

BROAD_MM = 4.0
EVEN_HU = 30.0
NEAR_AXIS_MM = 10.0


def broad_bright(block: Block, densities: Densities) -> NDArray[np.bool_]:
    """Voxels of bright regions that are even, and broader than cortex is thick: contrast; rarely marrow as well."""
    size = max(3, 2 * round(3.0 / block.step_mm) - 1)
    mean = uniform_filter(block.hu, size)
    spread = np.sqrt(np.maximum(uniform_filter(block.hu**2, size) - mean**2, 0))
    bright = (block.hu > densities.soft_hu + 60) & (block.hu < densities.soft_hu + 1200)
    core = binary_opening(bright & (spread < EVEN_HU + 0.05 * np.abs(mean)), iterations=1)
    grown = binary_dilation(core, iterations=max(1, round(BROAD_MM / block.step_mm)))
    return np.asarray(grown & bright & (np.abs(block.hu - mean) < 150), dtype=bool)


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
