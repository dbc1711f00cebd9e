"""The hull of a body, section by section: how far it reaches in each direction square to the canal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.geometry import FloatArray

_DIRECTIONS, _MEMORY = 36, 15
ANGLES_RAD: FloatArray = np.asarray(np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS), dtype=np.float64)
"""The directions ``(D,)``, from straight back to the left; the next ones mirrored are the last ones."""


def hull_support(body: NDArray[np.bool_], u_mm: FloatArray, v_mm: FloatArray) -> FloatArray:
    """How far a body ``(S, U, V)`` reaches in each direction, ``(D, S)``, mm, from nodes at ``u_mm`` and ``v_mm``.

    Bumps shorter than the sections that are looked at together are left out; sections without the body get what
    their neighbours reach.
    """
    return np.stack([_support(body, u_mm * np.cos(angle) + v_mm * np.sin(angle)) for angle in ANGLES_RAD])


def along_directions(suv: FloatArray) -> FloatArray:
    """How far points ``(N, 3)`` lie in each direction, ``(D, N)``, mm."""
    return np.asarray(np.outer(np.cos(ANGLES_RAD), suv[:, 1]) + np.outer(np.sin(ANGLES_RAD), suv[:, 2]))


def _support(body: NDArray[np.bool_], along_mm: FloatArray) -> FloatArray:
    support = np.where(body, along_mm, -np.inf).max(axis=(1, 2))
    known = np.isfinite(support)
    support = np.interp(np.arange(len(support)), np.flatnonzero(known), support[known])
    return np.asarray(ndimage.median_filter(support, _MEMORY, mode="nearest"), dtype=np.float64)
