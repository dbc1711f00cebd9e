"""One scanner as it looks at one patient: kernel, grid, dose, lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from leakseg.phantom.kernels import KERNELS, Kernel
from leakseg.volume import SeriesInfo

KernelName: TypeAlias = Literal["gaussian", "soft", "standard", "bone"]
"""``gaussian`` is a plain point spread of ``psf_sigma_mm``; the others are those of `leakseg.phantom.kernels`."""
Position: TypeAlias = Literal["HFS", "HFP", "HFDR", "HFDL", "FFS", "FFP", "FFDR", "FFDL"]
"""Patient Position (PS3.3 C.7.3.1.1.2): head or feet first; supine, prone, or lying on the right or left side."""
_WATER_PER_MM = 0.0193
"""Linear attenuation of water at about 70 keV (NIST XCOM), the mean energy of a 120 kVp beam."""


@dataclass(frozen=True, kw_only=True)
class ScannerLook:
    """A scanner's settings; lengths in mm.

    ``moves`` are ``(share of the stack below, backward, leftward)``: from there up the patient lies shifted.
    """

    kernel_name: KernelName = "gaussian"
    psf_sigma_mm: float = 0.6
    noise_hu: float = 15.0
    clip_hu: float | None = 3071.0
    kvp: float = 120.0
    slice_mm: float = 1.0
    increment_mm: float = 1.0
    pixel_mm: float = 0.8
    field_mm: tuple[float, float] = (115.0, 100.0)
    margin_mm: float = 6.0
    streak_strength: float = 0.0
    tilt_deg: float = 0.0
    position: Position = "HFS"
    turn_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    off_centre_mm: tuple[float, float] = (0.0, 0.0)
    moves: tuple[tuple[float, float, float], ...] = ()

    @property
    def kernel(self) -> Kernel:
        """The reconstruction kernel with the slice profile that belongs to slices this thick and this far apart.

        Voxels are averages over the increment already; what is left of the slice's profile is laid over them as
        a bell of the variance that is lacking, the shape of a spiral scan's profile.
        """
        named = KERNELS.get(self.kernel_name)
        own = named or Kernel(self.psf_sigma_mm, self.psf_sigma_mm)
        lacking = max(self.slice_mm**2 - self.increment_mm**2, 0.0) / 12
        return own.with_profile(
            float(np.hypot(own.along_sigma_mm, np.sqrt(lacking))) if lacking else own.along_sigma_mm
        )

    def series(self) -> SeriesInfo:
        """What the series' headers say."""
        named = KERNELS.get(self.kernel_name)
        return SeriesInfo(kvp=self.kvp, kernel=named.label if named else "PHANTOM", slice_thickness_mm=self.slice_mm)


def noise_of(*, tube_mas: float, patient_mm: float, slice_mm: float, kvp: float, gain: float = 1.0) -> float:
    """Standard deviation in HU by dose and patient size.

    12 HU at 150 mAs, 300 mm of water, 1 mm slices, 120 kVp and a standard kernel [convention]; from there by the law
    of counted photons: noise rises with the square root of what the patient takes away, and falls with that of
    dose and slice thickness; tube output rises with about kVp squared and a half.

    References
    ----------
    Brooks & Di Chiro 1976, doi 10.1118/1.594240, for the law; the anchor is a convention.
    """
    photons = (tube_mas / 150) * slice_mm * (kvp / 120) ** 2.5 * np.exp(-_WATER_PER_MM * (patient_mm - 300))
    return float(12.0 * gain / np.sqrt(photons))
