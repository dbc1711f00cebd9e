"""Working copies of a scan: a coarse one of everything, a fine one of the spine.

Coordinates of this package are *grid millimetres*: ``(z, y, x)`` to Superior, Posterior, Left, zero at the
centre of the scan's first voxel, along the scan's own axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import FloatArray

Image = NDArray[np.float32]

LOWEST_HU, HIGHEST_HU = -300.0, 3071.0
MAD_TO_SIGMA = 1.4826
PADDING_SHARE, PADDING_PEAK = 0.05, 20.0
"""One density that so many voxels have, and this many times as many as have the next ones, is no tissue's."""
LOUD_HU, LOUD_BLUR_VOXELS = 30.0, 1.0
"""Noise of the coarse block (from neighbours) beyond which its histogram's mode is no tissue's; the blur against it.

On totalsegmentator_ct, 26 with noise of 60 HU and 44 with 115, which moved soft tissue from 23 to -29 HU."""


@dataclass(frozen=True, eq=False)
class Block:
    """Equally spaced voxels in grid millimetres: HU at ``origin_mm + index * step_mm``."""

    hu: Image
    origin_mm: FloatArray
    step_mm: float

    def to_index(self, points_mm: FloatArray) -> FloatArray:
        """Fractional indices of points ``(..., 3)`` in grid millimetres."""
        return np.asarray((points_mm - self.origin_mm) / self.step_mm, dtype=np.float64)

    def sample(
        self, points_mm: FloatArray, array: NDArray[Any] | None = None, *, outside: float | None = None
    ) -> Image:
        """HU (or another array on this block) at points ``(..., 3)``, linearly interpolated.

        Beyond the rim: ``outside``, or the nearest voxel's value.
        """
        from scipy.ndimage import map_coordinates

        index = np.moveaxis(self.to_index(points_mm), -1, 0).astype(np.float32)
        values = self.hu if array is None else array
        mode, fill = ("nearest", 0.0) if outside is None else ("constant", outside)
        found: Image = map_coordinates(values, index, order=1, mode=mode, cval=fill, output=np.float32, prefilter=False)
        return found


def resample(
    hu: NDArray[Any], spacing_mm: tuple[float, ...], step_mm: float, start: tuple[int, ...] = (0, 0, 0)
) -> Block:
    """An isotropic copy of a scan (or of a window of it that begins at ``start``), linear interpolation.

    Voxels finer than half a step are averaged first, so that noise is not sampled.
    """
    import SimpleITK as sitk

    factors = [max(1, int(step_mm / spacing + 0.25)) for spacing in spacing_mm]
    factors = [min(factor, size) for factor, size in zip(factors, hu.shape, strict=True)]
    image = sitk.GetImageFromArray(np.ascontiguousarray(hu))
    image.SetSpacing([float(value) for value in reversed(spacing_mm)])
    image = sitk.BinShrink(image, [int(factor) for factor in reversed(factors)])
    extent = [(size - 1) * spacing for size, spacing in zip(hu.shape, spacing_mm, strict=True)]
    size = [max(2, int(length / step_mm + 1e-6) + 1) for length in extent]
    array = sitk.GetArrayFromImage(
        sitk.Resample(
            image,
            [int(n) for n in reversed(size)],
            sitk.Transform(),
            sitk.sitkLinear,
            [0.0, 0.0, 0.0],
            [step_mm] * 3,
            image.GetDirection(),
            0.0,
            sitk.sitkFloat32,
            True,  # the nearest voxel's value beyond the outermost centres
        )
    )
    np.clip(array, LOWEST_HU, HIGHEST_HU, out=array)
    return Block(array, np.array(start) * np.array(spacing_mm), step_mm)


def noise_hu(hu: Image) -> float:
    """Standard deviation of the noise, from neighbours along the last axis: the half of them that differ less.

    Air, which is all alike once clipped, tells nothing.
    """
    beside = np.abs(np.diff(hu, axis=-1))[(hu[..., 1:] > LOWEST_HU) & (hu[..., :-1] > LOWEST_HU)]
    return float(np.median(beside)) * MAD_TO_SIGMA / float(np.sqrt(2)) if beside.size else 0.0


def quieter(block: Block) -> Block:
    """The block, blurred where its noise would smear the densities of tissues."""
    from scipy.ndimage import gaussian_filter

    some = block.hu[:: max(1, block.hu.size // 2_000_000)]  # of a long scan, slices enough
    if noise_hu(some) < LOUD_HU:
        return block
    return Block(gaussian_filter(block.hu, LOUD_BLUR_VOXELS), block.origin_mm, block.step_mm)


def without_padding(block: Block) -> Block:
    """The block with air where its scan was filled up with one density of its own, as 0 HU after resampling."""
    step = max(1, block.hu.size // 2_000_000)
    near = np.rint(block.hu.ravel()[::step] - LOWEST_HU).astype(np.int64)
    count = np.bincount(near[near > 0], minlength=1)
    peak = int(count.argmax())
    beside = np.delete(count[max(peak - 5, 0) : peak + 6], min(peak, 5))
    if count[peak] < max(PADDING_SHARE * len(near), PADDING_PEAK * int(beside.max(initial=0)), 1):
        return block
    padding = np.abs(block.hu - LOWEST_HU - peak) < 0.5
    return Block(np.where(padding, np.float32(LOWEST_HU), block.hu), block.origin_mm, block.step_mm)
