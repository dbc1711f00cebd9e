"""What a scanner makes of cement: partial volume, its kernel's spread, texture and noise, streaks, motion, the clip."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import Grid
from leakseg.phantom.kernels import Kernel
from leakseg.phantom.look import ScannerLook
from leakseg.phantom.streaks import streaks


def blur(array: NDArray[Any], grid: Grid, sigma_mm: float) -> NDArray[np.float32]:
    """Gaussian point spread of that sigma along every axis."""
    from scipy.ndimage import gaussian_filter

    if sigma_mm <= 0:
        return array.astype(np.float32)
    sigma = [sigma_mm / mm for mm in grid.spacing_mm]
    return np.asarray(gaussian_filter(array.astype(np.float32), sigma, mode="nearest"), dtype=np.float32)


def texture(shape: tuple[int, ...], grid: Grid, scale_mm: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Smooth noise of mean 0 and standard deviation 1 whose grains are about ``scale_mm`` wide."""
    grains = blur(rng.standard_normal(shape, dtype=np.float32), grid, scale_mm / 2)
    return np.asarray(grains / max(float(grains.std()), 1e-6), dtype=np.float32)


def put_cement(
    hu: NDArray[Any],
    grid: Grid,
    cover: NDArray[np.float32],
    density_hu: NDArray[np.float32],
    *,
    kernel: Kernel,
    noise_hu: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """A scan with cement in it.

    Parameters
    ----------
    hu
        ``(K, J, I)`` the scan without cement, blurred and noisy already.
    cover
        Share of each voxel that is cement, before the scanner's blur.
    density_hu
        Density of undiluted cement at each voxel.
    """
    share = kernel.spread(cover, grid)
    if not kernel.edge:
        share = np.clip(share, 0.0, 1.0)
    grain = 1.0 + 0.05 * texture(hu.shape, grid, 3.0, rng)
    noise = noise_hu * kernel.noise(hu.shape, grid, rng)
    mixed = hu * (1.0 - share) + share * (density_hu * grain + noise)
    return np.where(np.abs(share) > 1e-3, mixed, hu).astype(np.float32)


def see(object_hu: NDArray[Any], grid: Grid, look: ScannerLook, rng: np.random.Generator) -> NDArray[np.float32]:
    """What the scanner shows of an object whose voxels are honest averages: its kernel's spread, and noise."""
    shown = look.kernel.spread(object_hu, grid)
    return np.asarray(shown + np.float32(look.noise_hu) * look.kernel.noise(grid.shape, grid, rng), dtype=np.float32)


def spoil(
    hu: NDArray[np.float32], grid: Grid, dense_hu: NDArray[np.float32], look: ScannerLook, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Streaks of what is dense, then the patient's motion: the last things before the clip; ``hu`` is kept as it is.

    Motion shifts the scan only: masks and truth stay where the anatomy was before it moved, as those of a reader who
    does not know of the motion. That is an error of theirs by up to the step's length (about 1 mm), and honest.
    """
    out = hu
    added = streaks(dense_hu, grid, look.streak_strength, rng)
    if added is not None:
        part, error = added
        out = hu.copy()
        out[part] += error
    return moved(out, grid, look.moves)


def moved(hu: NDArray[np.float32], grid: Grid, moves: tuple[tuple[float, float, float], ...]) -> NDArray[np.float32]:
    """The scan of a patient who moved: from each move's slice upward shifted in the plane, mm backward and leftward."""
    out = hu
    for share, *steps in moves:
        first = round(share * hu.shape[0])
        if out is hu:
            out = hu.copy()
        for axis, step in enumerate(steps, start=1):
            out[first:] = shift(out[first:], -step / grid.spacing_mm[axis], axis)
    return out


def shift(array: NDArray[np.float32], by: float, axis: int) -> NDArray[np.float32]:
    """Values ``by`` voxels further along an axis, by cubic convolution (Keys 1981); borders are carried on.

    >>> shift(np.arange(6, dtype=np.float32), 0.5, 0)[1:4].tolist()
    [1.5, 2.5, 3.5]
    """
    whole = int(np.floor(by))
    t = by - whole
    weights = (
        -0.5 * t + t**2 - 0.5 * t**3,
        1 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2 * t**2 - 1.5 * t**3,
        -0.5 * t**2 + 0.5 * t**3,
    )
    index = np.arange(array.shape[axis])
    out = np.zeros_like(array)
    for offset, weight in zip(range(-1, 3), weights, strict=True):
        if weight:
            rows = np.clip(index + whole + offset, 0, len(index) - 1)
            out += np.float32(weight) * np.take(array, rows, axis=axis)
    return out


def to_stored(hu: NDArray[Any], clip_hu: float | None) -> NDArray[np.int16]:
    """Whole Hounsfield units, cut at the scanner's upper end."""
    upper = 32767 - 1024 if clip_hu is None else clip_hu
    return np.asarray(np.clip(np.rint(hu), -8192, upper), dtype=np.int16)
