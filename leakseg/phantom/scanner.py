"""What a scanner makes of cement: partial volume, blur by its point spread, texture, noise, the 12-bit clip."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import Grid


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
    psf_sigma_mm: float,
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
    share = np.clip(blur(cover, grid, psf_sigma_mm), 0.0, 1.0)
    grain = 1.0 + 0.05 * texture(hu.shape, grid, 3.0, rng)
    noise = noise_hu * texture(hu.shape, grid, 1.0, rng)
    mixed = hu * (1.0 - share) + share * (density_hu * grain + noise)
    return np.where(share > 1e-3, mixed, hu).astype(np.float32)


def to_stored(hu: NDArray[Any], clip_hu: float | None) -> NDArray[np.int16]:
    """Whole Hounsfield units, cut at the scanner's upper end."""
    upper = 32767 - 1024 if clip_hu is None else clip_hu
    return np.asarray(np.clip(np.rint(hu), -8192, upper), dtype=np.int16)
