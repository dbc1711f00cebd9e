"""Reconstruction kernels: point spread with or without edge enhancement, and the texture of noise each leaves.

In the plane a kernel's transfer is ``g(f) (1 + edge (1 - h(f)))``: a Gaussian, and a boost of the middle frequencies
that makes edges swing over and under as bone kernels do. Noise of filtered back-projection has the power
``f * transfer(f)**2`` (Riederer, Pelc & Chesler 1978, doi 10.1088/0031-9155/23/3/008). The widths stand for what
clinical kernels measure (half of the contrast at about 0.28, 0.35 and 0.75 line pairs per mm) [convention].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import Grid


@dataclass(frozen=True)
class Kernel:
    """Sigma in the plane and along the slices' normal, mm; ``edge`` 0 is a plain Gaussian in every way.

    ``ramp`` gives noise the texture of back-projection; without it noise is a Gaussian's, as wide as a millimetre.
    """

    sigma_mm: float
    along_sigma_mm: float
    edge: float = 0.0
    edge_sigma_mm: float = 1.0
    noise_gain: float = 1.0
    """Noise at one dose, beside the standard kernel's."""
    label: str = "PHANTOM"
    """ConvolutionKernel in the headers."""
    ramp: bool = False

    def with_profile(self, along_sigma_mm: float) -> Kernel:
        """The same with another width along the slices' normal."""
        return replace(self, along_sigma_mm=along_sigma_mm)

    def spread(self, array: NDArray[Any], grid: Grid) -> NDArray[np.float32]:
        """The array as this kernel shows it."""
        from scipy.ndimage import gaussian_filter

        sharp = array.astype(np.float32)
        sigma = [mm / step for mm, step in zip(self._sigmas(), grid.spacing_mm, strict=True)]
        if not any(sigma):
            return sharp
        shown = np.asarray(gaussian_filter(sharp, sigma, mode="nearest"), dtype=np.float32)
        if self.edge:
            wide = [0.0, *(self.edge_sigma_mm / mm for mm in grid.spacing_mm[1:])]
            smooth = np.asarray(gaussian_filter(shown, wide, mode="nearest"), dtype=np.float32)
            shown = shown + np.float32(self.edge) * (shown - smooth)
        return shown

    def noise(self, shape: tuple[int, ...], grid: Grid, rng: np.random.Generator) -> NDArray[np.float32]:
        """Noise of mean 0 and standard deviation 1 with this kernel's texture."""
        from scipy.fft import irfft2, rfft2
        from scipy.ndimage import gaussian_filter, gaussian_filter1d

        grains = rng.standard_normal(shape, dtype=np.float32)
        if not self.ramp:
            sigma = [0.5 / mm for mm in grid.spacing_mm]
            grains = np.asarray(gaussian_filter(grains, sigma, mode="nearest"), dtype=np.float32)
        else:
            power = self._transfer(shape, grid)
            grains = np.asarray(irfft2(rfft2(grains) * power, s=shape[1:]), dtype=np.float32)
            along = self.along_sigma_mm / grid.spacing_mm[0]
            grains = np.asarray(gaussian_filter1d(grains, along, axis=0, mode="nearest"), dtype=np.float32)
        return np.asarray(grains / max(float(grains.std()), 1e-6), dtype=np.float32)

    def _sigmas(self) -> tuple[float, float, float]:
        return max(self.along_sigma_mm, 0.0), max(self.sigma_mm, 0.0), max(self.sigma_mm, 0.0)

    def _transfer(self, shape: tuple[int, ...], grid: Grid) -> NDArray[np.float32]:
        down = np.fft.fftfreq(shape[1], grid.spacing_mm[1])[:, None]
        across = np.fft.rfftfreq(shape[2], grid.spacing_mm[2])[None, :]
        f = np.hypot(down, across)
        gauss = np.exp(-2 * (np.pi * f * self.sigma_mm) ** 2)
        boost = 1 + self.edge * (1 - np.exp(-2 * (np.pi * f * self.edge_sigma_mm) ** 2))
        return np.asarray(np.sqrt(f) * gauss * boost, dtype=np.float32)


KERNELS: dict[str, Kernel] = {
    "soft": Kernel(0.66, 0.3, noise_gain=0.75, label="PH20s", ramp=True),
    "standard": Kernel(0.54, 0.3, noise_gain=1.0, label="PH30s", ramp=True),
    "bone": Kernel(0.36, 0.3, edge=0.7, edge_sigma_mm=0.6, noise_gain=2.6, label="PH70h", ramp=True),
}
"""Kernels by their recipe name."""
