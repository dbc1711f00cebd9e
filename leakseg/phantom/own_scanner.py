"""The scanner that a real scan was seen by, as far as the scan itself tells: cement put into it is to look alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks
from leakseg.phantom.look import ScannerLook
from leakseg.volume import Volume

_AGAIN_MM = 1.0
_EDGES, _REACH_MM = 0.02, 6.0
_SOFT_HU = (-20.0, 130.0)
_PSF_MM, _PATCH_MM = (0.3, 1.5), 5.0


def look_of(volume: Volume, masks: SpineMasks, *, streak_strength: float = 0.0) -> ScannerLook:
    """A plain scanner with the scan's own blur, noise and clip.

    Blur is measured at the steepest places near bone: blurred again by a known Gaussian, an edge of sigma ``s`` keeps
    ``s / sqrt(s**2 + known**2)`` of its slope (Zhuo & Sim 2011, doi 10.1016/j.patcog.2011.03.009), a thin line the
    square of that; cortex lies between, so the geometric mean of both answers is taken, and what voxels average is
    taken off again: good to about a fifth. Noise is the lowest tenth of standard deviations over patches of soft
    tissue 5 mm wide.
    """
    hu = np.asarray(volume.hu, dtype=np.float32)
    bone = masks.vertebrae > 0
    found = np.argwhere(bone)
    room = [round(_REACH_MM / mm) for mm in volume.grid.spacing_mm]
    window = tuple(
        slice(max(int(low) - more, 0), int(high) + more + 1)
        for low, high, more in zip(found.min(axis=0), found.max(axis=0), room, strict=True)
    )
    pixel = float(np.mean(volume.grid.spacing_mm[1:]))
    return ScannerLook(
        psf_sigma_mm=_psf(hu[window], pixel),
        noise_hu=_noise(hu[window], bone[window], pixel),
        clip_hu=volume.series.clip_hu or 3071.0,
        kvp=volume.series.kvp or 120.0,
        slice_mm=max(volume.series.slice_thickness_mm or 0.0, volume.grid.spacing_mm[0]),
        increment_mm=volume.grid.spacing_mm[0],
        pixel_mm=pixel,
        streak_strength=streak_strength,
    )


def _psf(hu: NDArray[np.float32], pixel: float) -> float:
    """Sigma in the plane, mm, without the pixels' own averaging."""
    from scipy.ndimage import gaussian_filter

    again = np.asarray(gaussian_filter(hu, (0.0, _AGAIN_MM / pixel, _AGAIN_MM / pixel), mode="nearest"))
    first, second = _slope(hu), _slope(again)
    steep = first >= np.quantile(first, 1 - _EDGES)
    ratio = np.maximum(first[steep] / np.maximum(second[steep], 1e-3), 1.0 + 1e-3)
    edge, line = _AGAIN_MM / np.sqrt(ratio**2 - 1), _AGAIN_MM / np.sqrt(ratio - 1)
    seen = float(np.median(np.sqrt(edge * line)))
    return float(np.clip(np.sqrt(max(seen**2 - pixel**2 / 12, 0.0)), *_PSF_MM))


def _slope(hu: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(np.hypot(np.gradient(hu, axis=1), np.gradient(hu, axis=2)), dtype=np.float32)


def _noise(hu: NDArray[np.float32], bone: NDArray[np.bool_], pixel: float) -> float:
    from scipy.ndimage import uniform_filter

    wide = max(3, round(_PATCH_MM / pixel))
    size = (1, wide, wide)
    mean = np.asarray(uniform_filter(hu, size), dtype=np.float64)
    spread = np.sqrt(np.maximum(np.asarray(uniform_filter(hu.astype(np.float64) ** 2, size)) - mean**2, 0.0))
    away = np.asarray(uniform_filter(bone.astype(np.float32), size)) < 1e-3
    soft = away & (mean > _SOFT_HU[0]) & (mean < _SOFT_HU[1])
    return float(np.quantile(spread[soft], 0.1)) if soft.any() else 15.0
