"""Contrast medium in the thecal sac: found as a bright, even, broad tube, and dimmed to soft tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_opening, maximum_filter, uniform_filter

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.working import Block, Image

BROAD_MM = 4.0
EVEN_HU, EVEN_SHARE = 30.0, 0.08
NEAR_AXIS_MM = 10.0
BRIGHT_ABOVE_SOFT_HU = (60.0, 1500.0)
SAC_EVEN_SHARE = 0.10
"""The core of a narrow sac is even to this share of its density: 0.08 loses its ends, 0.12 parts of its sides."""
SAC_ABOVE_SOFT_HU = (80.0, 120.0, 180.0, 270.0, 400.0, 600.0, 900.0)
SAC_BAND = (0.7, 1.6)
"""A sac about as dense as one of these is as dense throughout, to these shares."""
SAC_LENGTH_MM, SAC_SHARE = 60.0, 0.7
"""A sac goes on for so long, or for this share of a shorter scan; marrow ends at the next endplate."""
BREAK_ASIDE_MM = 10.0
"""Where a sac is broken, its ends lie no farther apart sideways than this and the length of the break."""


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
    """Upright even tubes as long as a thecal sac, without their rims; a vessel full of contrast is one as well.

    Sought at one density after another: of all that is even and about as dense, what goes on without a break from slice
    to slice, each voxel beside one of the slice before. Cortex and discs break marrow, and no bone beside the canal is
    even.
    """
    mean, spread = _mean_and_spread(block)
    even = spread < EVEN_HU + SAC_EVEN_SHARE * np.abs(mean - densities.soft_hu)
    longest = min(SAC_LENGTH_MM, SAC_SHARE * len(block.hu) * block.step_mm) / block.step_mm
    tubes = np.zeros(block.hu.shape, bool)
    above = block.hu - densities.soft_hu
    for above_hu in SAC_ABOVE_SOFT_HU:
        core = even & (above > SAC_BAND[0] * above_hu) & (above < SAC_BAND[1] * above_hu)
        tubes |= _run_below(core) + _run_below(core[::-1])[::-1] > longest
    return tubes


def with_rim(tubes: NDArray[np.bool_], block: Block, densities: Densities) -> NDArray[np.bool_]:
    """Tubes with what is bright beside them."""
    grown = binary_dilation(tubes, iterations=max(1, round(BROAD_MM / block.step_mm)))
    return np.asarray(grown & _bright(block, densities), dtype=bool)


def one_canal(tubes: NDArray[np.bool_], reward: Image, step_mm: float) -> NDArray[np.bool_]:
    """Those of the tubes in which the canal seems to run: the best rewarded, and what goes on above and below it."""
    import cc3d

    pieces = cc3d.connected_components(tubes, connectivity=26)
    index = np.argwhere(tubes)
    piece = pieces[tubes].astype(np.int64)
    best = np.zeros((int(pieces.max()) + 1, len(tubes)), np.float32)
    np.maximum.at(best, (piece, index[:, 0]), reward[tubes])
    kept: list[NDArray[np.int64]] = []
    wanted = np.zeros(len(best), bool)
    for number in np.argsort(-best.sum(axis=1)):
        own = index[piece == number]
        if len(own) and all(_goes_on(own, other, step_mm) for other in kept):
            kept.append(own)
            wanted[number] = True
    return np.asarray(wanted[pieces])


def _goes_on(one: NDArray[np.int64], other: NDArray[np.int64], step_mm: float) -> bool:
    """Whether one piece, ``(M, 3)`` voxels, ends where the other begins."""
    lower, upper = sorted((one, other), key=lambda piece: float(piece[:, 0].mean()))
    top, bottom = int(lower[:, 0].max()), int(upper[:, 0].min())
    ends = lower[lower[:, 0] == top, 1:].mean(axis=0), upper[upper[:, 0] == bottom, 1:].mean(axis=0)
    aside_mm = float(np.linalg.norm(ends[0] - ends[1])) * step_mm
    return bottom > top and aside_mm <= BREAK_ASIDE_MM + (bottom - top) * step_mm


def _run_below(core: NDArray[np.bool_]) -> NDArray[np.int16]:
    """Slices of the longest way down from each voxel of ``core`` within it, one voxel aside a slice at the most."""
    out = np.zeros(core.shape, np.int16)
    out[0] = core[0]
    for k in range(1, len(core)):
        if core[k].any():
            out[k] = np.where(core[k], 1 + maximum_filter(out[k - 1], 3), 0)
    return out


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
