"""How much each place along the spine looks like a disc: a dark band between two brighter ones before the canal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.frames import Straight
from leakseg.providers.builtin.hidden import carried_past

TILTS_DEG = np.arange(-28.0, 29.0, 4.0)
DEPTHS_MM = np.arange(3.0, 27.0)
HALF_WIDTH_MM = 11.0
TILT_COST = 0.06
"""HU for every square degree of a cut's tilt."""
UNSEEN_HU = -60.0
LEAST_CONTRAST_HU = -100.0
SMOOTH_MM = 0.6
BESIDE_MM = (2, 8)
"""A disc's plates lie so far from its middle, in whole millimetres; the last is none."""
LEAST_SEEN, LEAST_DEPTHS = 1 / 3, 6
"""A depth is seen where cement leaves that share of its width; rows are compared by so many depths seen in both."""


def look_for_discs(
    relative: NDArray[np.float32], hidden: NDArray[np.bool_], straight: Straight, wall: Wall, reach_mm: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """``(N,)`` contrast in HU, and tilt in degrees, of the band most like a disc at each place.

    ``relative`` are densities over soft tissue of the straightened scan, ``hidden`` what cement hides of it; plates are
    sought as far as ``reach_mm`` ``(N,)`` from a band's middle.
    """
    if not hidden.any():
        return _best(_contrasts(midline_front(np.maximum(relative, 0), straight, wall), reach_mm))
    seen = midline_front((~hidden).astype(np.float32), straight, wall) >= LEAST_SEEN
    front = midline_front(np.maximum(carried_past(hidden, relative), 0), straight, wall)
    front = gaussian_filter1d(np.where(np.isfinite(front), front, UNSEEN_HU), SMOOTH_MM, axis=0)
    contrasts = []
    for angle in TILTS_DEG:
        sheared, known = _sheared(front, angle), _sheared(seen.astype(np.float64), angle) > 0.5
        contrasts.append(np.minimum(*(_brighter_beside(sheared, known, side, reach_mm) for side in (1, -1))))
    return _best(np.array(contrasts))


def midline_front(relative: NDArray[np.float32], straight: Straight, wall: Wall) -> FloatArray:
    """``(N, D)`` mean over the midline at each depth in front of the canal; NaN where nothing is in view."""
    central = np.abs(straight.v_mm) <= HALF_WIDTH_MM
    image = nan_mean(relative[:, :, central])
    u = -wall.front_mm[:, None] - DEPTHS_MM[None, :]
    index = (u - straight.u_mm[0]) / (straight.u_mm[1] - straight.u_mm[0])
    lower = np.clip(np.floor(index).astype(np.int64), 0, image.shape[1] - 2)
    weight = index - lower
    rows = np.arange(len(image))[:, None]
    return np.asarray(image[rows, lower] * (1 - weight) + image[rows, lower + 1] * weight, dtype=np.float64)


def _contrasts(front: FloatArray, reach_mm: FloatArray) -> FloatArray:
    """``(T, N)`` by how much each place is darker than the brightest on both hands of it, at every tilt."""
    return np.array(
        [
            np.minimum(*(brightest_beside(mean, side, reach_mm) for side in (1, -1))) - mean
            for mean in tilted_means(front)
        ]
    )


def _best(contrasts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Of ``(T, N)`` contrasts the greatest at each place, what is tilted counting less, and its tilt."""
    worth = contrasts - TILT_COST * TILTS_DEG[:, None] ** 2
    best = worth.max(axis=0)
    tilt = np.where(best > LEAST_CONTRAST_HU, TILTS_DEG[worth.argmax(axis=0)], 0.0)
    return np.maximum(best, LEAST_CONTRAST_HU), tilt


def tilted_means(front: FloatArray) -> FloatArray:
    """``(T, N)`` mean of ``(N, D)`` over the section at each place, for every tilt of `TILTS_DEG`."""
    means = np.array([nan_mean(_sheared(front, angle)) for angle in TILTS_DEG])
    return np.asarray(gaussian_filter1d(np.where(np.isfinite(means), means, UNSEEN_HU), SMOOTH_MM, axis=1))


def _brighter_beside(sheared: FloatArray, known: NDArray[np.bool_], side: int, reach_mm: FloatArray) -> FloatArray:
    """``(N,)`` by how much the brightest row of `brightest_beside` is brighter, over the depths seen in both rows.

    Where cement leaves too few, over all, which are carried past it.
    """
    N = len(sheared)
    means = nan_mean(sheared)
    means = np.where(np.isfinite(means), means, UNSEEN_HU)
    out = UNSEEN_HU - means
    for k in range(*BESIDE_MM):
        at = np.arange(max(0, -side * k), min(N, N - side * k))
        at = at[k <= np.rint(reach_mm[at])]
        other = at + side * k
        both = known[at] & known[other]
        more = np.where(both, sheared[other] - sheared[at], 0).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
        more = np.where(both.sum(axis=1) >= LEAST_DEPTHS, more, means[other] - means[at])
        out[at] = np.maximum(out[at], more)
    return out


def _sheared(front: FloatArray, angle_deg: float) -> FloatArray:
    """``(N, D)`` with every row level that lay at that angle; NaN beyond its ends."""
    N, D = front.shape
    s = np.arange(N, dtype=np.float64)
    out = np.full((N, D), np.nan)
    for column, offset in enumerate(np.arange(D) - (D - 1) / 2):
        at = s + offset * np.tan(np.radians(angle_deg))
        inside = (at >= 0) & (at <= N - 1)
        out[inside, column] = np.interp(at[inside], s, front[:, column])
    return out


def brightest_beside(mean: FloatArray, side: int, reach_mm: FloatArray | float = 7.0) -> FloatArray:
    """``(N,)`` the brightest of what lies 2 to ``reach_mm`` above each place (``side`` 1) or below it (-1)."""
    most = BESIDE_MM[1] - 1
    padded = np.pad(mean, most, constant_values=UNSEEN_HU)
    beside = [
        np.where(k <= np.rint(reach_mm), padded[most + side * k :][: len(mean)], UNSEEN_HU) for k in range(*BESIDE_MM)
    ]
    return np.asarray(np.max(beside, axis=0), dtype=np.float64)


def nan_mean(values: NDArray[np.floating]) -> FloatArray:
    """Mean over the last axis of the finite values; NaN where there are none."""
    finite = np.isfinite(values)
    count = finite.sum(axis=-1)
    total = np.where(finite, values, 0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
