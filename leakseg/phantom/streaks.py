"""Streaks of cement and metal: what the beam loses in dense things, reconstructed from the error alone.

Slice by slice (one about every 2 mm, the rest in between), the dense part of a slice is projected in parallel on a
coarse grid, the error that the scanner makes of those rays is worked out, and the error is back-projected with the
ramp filter. A ray of dense path ``p`` (mu times mm beyond water) is measured too low, for the beam hardens:
``-0.05 p**2``, flattening where hardly a photon is left, and unsteady as ``exp(p / 2)``: photon starvation. Both
figures are [convention], chosen so that cement of 2000 HU has dark bands of some tens of HU beside it and screws have
hundreds, as clinical scans show; ``strength`` scales them. Only slices near dense things change. Things beyond the
field of view throw no streaks into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import Grid

DENSE_HU = 1000.0
"""What lies above this makes streaks with its excess over it."""
_WATER_PER_MM = 0.0193
_VIEWS, _STEP_MM, _EVERY_MM = 90, 1.6, 2.0
_HARDENING, _MOST, _STARVATION = 0.05, 6.0, 0.012
_NEAR_MM = 2.0


def streaks(
    dense_hu: NDArray[Any], grid: Grid, strength: float, rng: np.random.Generator
) -> tuple[slice, NDArray[np.float32]] | None:
    """What streaks add to a scan.

    Parameters
    ----------
    dense_hu
        ``(K, J, I)`` density of cement and metal, not clipped, 0 elsewhere.

    Returns
    -------
    slices, added
        The slices that change and what is added to them, HU; None where nothing is dense enough.
    """
    rows = np.flatnonzero((dense_hu > DENSE_HU).any(axis=(1, 2)))
    if strength <= 0 or len(rows) == 0:
        return None
    reach = max(1, round(_NEAR_MM / grid.spacing_mm[0]))
    part = slice(max(int(rows[0]) - reach, 0), min(int(rows[-1]) + reach + 1, grid.shape[0]))
    every = max(1, round(_EVERY_MM / grid.spacing_mm[0]))
    excess = np.maximum(np.asarray(dense_hu[part], dtype=np.float32) - np.float32(DENSE_HU), 0)
    coarse, rebuild = _coarse(excess, grid, every)
    images = _artefact(coarse, strength, rng)
    return part, rebuild(images)


def _coarse(excess: NDArray[np.float32], grid: Grid, every: int) -> tuple[NDArray[np.float32], Any]:
    """Means over blocks of about the coarse step (square ones), and the way back by linear interpolation."""
    depth = excess.shape[0]
    count = -(-depth // every)
    shapes = [max(2, round(size * mm / _STEP_MM)) for size, mm in zip(grid.shape[1:], grid.spacing_mm[1:], strict=True)]
    down, across = (_averages(size, new) for size, new in zip(grid.shape[1:], shapes, strict=True))
    groups = np.add.reduceat(excess, np.arange(0, depth, every), axis=0)
    sizes = np.diff([*range(0, depth, every), depth]).astype(np.float32)
    coarse = down @ (groups / sizes[:, None, None]) @ across.T

    def rebuild(images: NDArray[np.float32]) -> NDArray[np.float32]:
        fine = _hats(grid.shape[1], shapes[0]) @ images @ _hats(grid.shape[2], shapes[1]).T
        at = np.clip((np.arange(depth) + 0.5) / every - 0.5, 0, count - 1)
        low = np.minimum(at.astype(int), max(count - 2, 0))
        high = np.minimum(low + 1, count - 1)
        weight = (at - low).astype(np.float32)[:, None, None]
        return np.asarray(fine[low] * (1 - weight) + fine[high] * weight, dtype=np.float32)

    return np.asarray(coarse, dtype=np.float32), rebuild


def _artefact(images: NDArray[np.float32], strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """The reconstructed error of each coarse image ``(S, j, i)``, HU."""
    count, rows, columns = images.shape
    matrix, bins = _projector(rows, columns)
    path = matrix @ (images.reshape(count, -1).T * np.float32(_WATER_PER_MM / 1000 * _STEP_MM))
    hard = np.minimum(path, _MOST)
    shaky = rng.standard_normal(path.shape, dtype=np.float32)
    error = _STARVATION * np.sqrt(np.expm1(hard)) * shaky - _HARDENING * hard**2
    sinogram = error.reshape(_VIEWS, bins, count)
    filtered = _ramped(sinogram, bins)
    back = matrix.T @ filtered.reshape(_VIEWS * bins, count)
    added = back.T.reshape(images.shape) * (np.pi / _VIEWS * 1000 / _WATER_PER_MM * strength)
    return np.asarray(added, dtype=np.float32)


def _projector(rows: int, columns: int) -> tuple[Any, int]:
    """Sparse ``(views * bins, pixels)``: each pixel falls on the two nearest bins of each view."""
    from scipy.sparse import csr_matrix

    bins = int(np.ceil(np.hypot(rows, columns))) + 3
    y, x = np.meshgrid(np.arange(rows) - (rows - 1) / 2, np.arange(columns) - (columns - 1) / 2, indexing="ij")
    angles = (np.arange(_VIEWS) + 0.5) * np.pi / _VIEWS
    t = np.cos(angles)[:, None] * x.ravel() + np.sin(angles)[:, None] * y.ravel() + (bins - 1) / 2
    low = np.floor(t).astype(np.int32)
    weight = (t - low).astype(np.float32)
    view = np.arange(_VIEWS, dtype=np.int32)[:, None] * bins
    where = np.concatenate([(view + low).ravel(), (view + low + 1).ravel()])
    pixel = np.tile(np.arange(rows * columns, dtype=np.int32), 2 * _VIEWS)
    values = np.concatenate([(1 - weight).ravel(), weight.ravel()])
    return csr_matrix((values, (where, pixel)), shape=(_VIEWS * bins, rows * columns)), bins


def _ramped(sinogram: NDArray[np.float32], bins: int) -> NDArray[np.float32]:
    """The ramp filter of parallel back-projection (Kak & Slaney 1988, eq. 61) along the bins."""
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(2 * bins)
    n = np.minimum(np.arange(size), size - np.arange(size))
    odd = n % 2 == 1
    ramp = np.where(odd, -1.0 / np.where(odd, n * np.pi, 1.0) ** 2, 0.0)
    ramp[0] = 0.25
    gain = rfft(ramp / _STEP_MM).astype(np.complex64)
    spectrum = rfft(sinogram, n=size, axis=1) * gain[None, :, None]
    return np.asarray(irfft(spectrum, n=size, axis=1)[:, :bins], dtype=np.float32)


def _averages(size: int, new: int) -> NDArray[np.float32]:
    """``(new, size)``: each new pixel the mean over its stretch of the old ones."""
    edges = np.linspace(0, size, new + 1)
    old = np.arange(size)
    overlap = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
    weights = np.maximum(overlap, 0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def _hats(size: int, coarse: int) -> NDArray[np.float32]:
    """``(size, coarse)``: linear interpolation between the coarse pixels' middles."""
    at = np.clip((np.arange(size) + 0.5) * coarse / size - 0.5, 0, coarse - 1)
    return np.asarray(np.maximum(1 - np.abs(at[:, None] - np.arange(coarse)), 0.0), dtype=np.float32)
