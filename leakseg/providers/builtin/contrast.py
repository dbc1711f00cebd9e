"""Contrast medium in the thecal sac: found as a bright, even, broad tube, and dimmed to soft tissue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_opening, grey_closing, maximum_filter, uniform_filter

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.working import Block, Image

BROAD_MM = 4.0
EVEN_HU, EVEN_SHARE = 30.0, 0.08
NEAR_AXIS_MM = 10.0
PLAY_HU = 150.0
"""Contrast is as dense as the mean round it, to this or to `RING_SHARE` of how far that is above soft tissue."""
BRIGHT_ABOVE_SOFT_HU = (60.0, 1500.0)
SAC_EVEN_SHARE = 0.10
"""The core of a narrow sac is even to this share of its density: 0.08 loses its ends, 0.12 parts of its sides."""
SAC_ABOVE_SOFT_HU = (80.0, 120.0, 180.0, 270.0, 400.0, 600.0, 900.0)
SAC_BAND = (0.7, 1.6)
"""A sac about as dense as one of these is as dense throughout, to these shares."""
SAC_LENGTH_MM, SAC_SHARE = 60.0, 0.7
"""A sac goes on for so long, or for this share of a shorter scan; marrow ends at the next endplate."""
CORD_MM = 5.0
"""Contrast goes round the cord, dark and up to twice as wide."""
RING_SHARE = 0.35
"""The ring is as dense as the contrast to this share of how far that is above soft tissue: cortex is denser."""
BREAK_ASIDE_MM = 10.0
"""Where a sac is broken, its ends lie no farther apart sideways than this and the length of the break."""


@dataclass(frozen=True, eq=False)
class Tube:
    """Its voxels ``(M, 3)`` and its median density."""

    index: NDArray[np.int64]
    hu: float

    def mask(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """The voxels of a block of that shape."""
        out = np.zeros(shape, bool)
        out[tuple(self.index.T)] = True
        return out


def broad_bright(block: Block, densities: Densities) -> NDArray[np.bool_]:
    """Voxels of bright regions that are even, and broader than cortex is thick: contrast; rarely marrow as well."""
    mean, spread = _mean_and_spread(block)
    bright = _bright(block, densities)
    core = binary_opening(bright & (spread < EVEN_HU + EVEN_SHARE * np.abs(mean)), iterations=1)
    grown = binary_dilation(core, iterations=max(1, round(BROAD_MM / block.step_mm)))
    play = np.maximum(PLAY_HU, RING_SHARE * (mean - densities.soft_hu))
    return np.asarray(grown & bright & (np.abs(block.hu - mean) < play), dtype=bool)


def _bright(block: Block, densities: Densities) -> NDArray[np.bool_]:
    above = block.hu - densities.soft_hu
    return np.asarray((above > BRIGHT_ABOVE_SOFT_HU[0]) & (above < BRIGHT_ABOVE_SOFT_HU[1]), dtype=bool)


def _mean_and_spread(block: Block) -> tuple[Image, Image]:
    """Mean and standard deviation of HU in a cube round each voxel."""
    size = max(3, 2 * round(3.0 / block.step_mm) - 1)
    mean: Image = uniform_filter(block.hu, size)
    return mean, np.sqrt(np.maximum(uniform_filter(block.hu**2, size) - mean**2, 0))


def tubes_of_contrast(
    block: Block, densities: Densities, *, round_cord: bool = False, beyond: Sequence[Tube] = ()
) -> Iterator[Tube]:
    """Upright even tubes as long as a thecal sac, without their rims; a vessel full of contrast is one as well.

    Sought at one density after another: of all that is even and about as dense, what goes on without a break from slice
    to slice, each voxel beside one of the slice before. Cortex and discs break marrow, and no bone beside the canal is
    even. With ``round_cord`` what is dark in their middle counts as they do. Of what lies beside those of ``beyond``
    nothing is told.
    """
    import cc3d

    seen = without_cord(block) if round_cord else block
    mean, spread = _mean_and_spread(seen)
    even = spread < EVEN_HU + SAC_EVEN_SHARE * np.abs(mean - densities.soft_hu)
    longest = min(SAC_LENGTH_MM, SAC_SHARE * len(seen.hu) * seen.step_mm) / seen.step_mm
    above = seen.hu - densities.soft_hu
    for above_hu in SAC_ABOVE_SOFT_HU:
        core = even & (above > SAC_BAND[0] * above_hu) & (above < SAC_BAND[1] * above_hu)
        long = _run_below(core) + _run_below(core[::-1])[::-1] > longest
        for tube in beyond:
            long[tube.index[:, 0].min() : tube.index[:, 0].max() + 1] = False
        pieces = cc3d.connected_components(long, connectivity=26)
        index = np.argwhere(long)
        owner = pieces[long]
        for number in range(1, int(pieces.max()) + 1):
            own = index[owner == number]
            yield Tube(own, float(np.median(seen.hu[tuple(own.T)])))


def without_cord(block: Block) -> Block:
    """The block with what is dark in a slice, narrow and ringed by what is bright as bright as the ring."""
    reach = max(1, round(CORD_MM / block.step_mm))
    across = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1])
    hu: Image = grey_closing(block.hu, footprint=(across < reach + 0.5)[None])
    return Block(hu, block.origin_mm, block.step_mm)


def with_rim(tubes: NDArray[np.bool_], block: Block, densities: Densities) -> NDArray[np.bool_]:
    """Tubes with what is bright beside them."""
    grown = binary_dilation(tubes, iterations=max(1, round(BROAD_MM / block.step_mm)))
    return np.asarray(grown & _bright(block, densities), dtype=bool)


def one_canal(tubes: Sequence[Tube], rewards: Sequence[float], step_mm: float) -> list[Tube]:
    """Those of the tubes in which the canal seems to run: the best rewarded, and what goes on above and below it."""
    kept: list[Tube] = []
    for number in np.argsort(-np.asarray(rewards), kind="stable"):
        if all(_goes_on(tubes[number].index, other.index, step_mm) for other in kept):
            kept.append(tubes[number])
    return kept


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


def dim_sac(block: Block, densities: Densities, points_mm: FloatArray, round_cord_hu: float | None = None) -> Block:
    """The block with the contrast round a canal's path dimmed; of ``round_cord_hu`` it goes round the cord."""
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
    sac = wanted[pieces]
    if round_cord_hu is not None:
        sac |= near & (np.abs(block.hu - round_cord_hu) < RING_SHARE * (round_cord_hu - densities.soft_hu))
    return dimmed(block, densities, binary_dilation(sac))
