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
BRIGHT_ABOVE_SOFT_HU = (60.0, 1500.0)
SAC_EVEN_SHARE = 0.10
"""The core of a narrow sac is even to this share of its density: 0.08 loses its ends, 0.12 parts of its sides."""
SAC_MM2 = (12.0, 450.0)
"""Area of the sac's even core in one slice; vertebral bodies, whose marrow may be as even, are larger."""
SAC_ABOVE_SOFT_HU = (120.0, 180.0, 270.0, 400.0, 600.0)
FULL_SHARE = 0.5
"""The sac fills this share of the rectangle round it in a slice."""
SAC_LENGTH_MM = 25.0


def broad_bright(block: Block, densities: Densities) -> NDArray[np.bool_]:
    """Voxels of bright regions that are even, and broader than cortex is thick: contrast; rarely marrow as well."""
    mean, spread = _mean_and_spread(block)
    bright = _bright(block, densities)
    core = binary_opening(bright & (spread < EVEN_HU + EVEN_SHARE * np.abs(mean)), iterations=1)
    grown = binary_dilation(core, iterations=max(1, round(BROAD_MM / block.step_mm)))
    return np.asarray(grown & bright & (np.abs(block.hu - mean) < 150), dtype=bool)


def _bright(block: Block, densities: Densities) -> NDArray[np.bool_]:
    above = block.hu - densities.soft_hu
    return np.asarray((above > BRIGHT_ABOVE_SOFT_HU[0]) & (above < BRIGHT_ABOVE_SOFT_HU[1]), dtype=bool)


def _mean_and_spread(block: Block) -> tuple[Image, Image]:
    """Mean and standard deviation of HU in a cube round each voxel."""
    size = max(3, 2 * round(3.0 / block.step_mm) - 1)
    mean: Image = uniform_filter(block.hu, size)
    return mean, np.sqrt(np.maximum(uniform_filter(block.hu**2, size) - mean**2, 0))


def sac_like(block: Block, densities: Densities) -> NDArray[np.bool_]:
    """Upright even tubes as narrow as a thecal sac, with their rims; a vessel full of contrast is one as well.

    Sought as all that is broad and bright, and its even core above one density after another: at each the tube may
    be grown together with bone round it.
    """
    mean, spread = _mean_and_spread(block)
    even = spread < EVEN_HU + SAC_EVEN_SHARE * np.abs(mean - densities.soft_hu)
    broad = broad_bright(block, densities) & (block.hu > densities.soft_hu + SAC_ABOVE_SOFT_HU[0])
    tubes = _upright_tubes(broad, block.step_mm)
    for above_hu in SAC_ABOVE_SOFT_HU:
        tubes |= _upright_tubes(even & (block.hu > densities.soft_hu + above_hu), block.step_mm)
    grown = binary_dilation(tubes, iterations=max(1, round(BROAD_MM / block.step_mm)))
    return np.asarray(grown & _bright(block, densities), dtype=bool)


def _upright_tubes(core: NDArray[np.bool_], step_mm: float) -> NDArray[np.bool_]:
    """Those pieces of ``core`` whose sections are as large and as compact as a thecal sac's and that are tall."""
    import cc3d

    in_plane = np.zeros((3, 3, 3), bool)
    in_plane[1, 1, :] = in_plane[1, :, 1] = True
    sections, _ = label(core, in_plane)
    area = np.bincount(sections.ravel()) * step_mm**2
    box = np.array([1.0, *(_rectangle_voxels(part) for part in find_objects(sections))]) * step_mm**2
    kept = (area >= SAC_MM2[0]) & (area <= SAC_MM2[1]) & (area >= FULL_SHARE * box)
    kept[0] = False
    pieces = cc3d.connected_components(kept[sections], connectivity=26)
    length = np.array([0, *(part[0].stop - part[0].start for part in find_objects(pieces))]) * step_mm
    return np.asarray((length >= SAC_LENGTH_MM)[pieces], dtype=bool)


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
