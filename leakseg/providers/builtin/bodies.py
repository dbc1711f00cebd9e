"""The outline of bodies and discs round their own middle, and the endplates between them.

The outline is a star: a closed optimal path over angle (dynamic programming), first for each level as a
whole, then section by section near it. Endplates are height maps over each cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d, median_filter

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.ends import End
from leakseg.providers.builtin.frames import Frames, Straight
from leakseg.providers.builtin.levels import DEPTHS_MM, Cuts, Signals
from leakseg.providers.builtin.working import Block

RAYS = 48
STEP_MM = 0.5
PLAY_MM = 4.0
EDGE_INSET_MM = 0.4
"""The steepest place lies half a step within the ray sample that shows it, and blur carries it outward."""
MIDDLE_DEPTH_MM = float(DEPTHS_MM.mean())
REACH = 14
CURVING_MM = 5.0
"""An endplate dips and rises this far from its median at the most: a biconcave fracture."""
PLATE_SHARE = 0.6
"""An endplate begins at this share of the way from the disc to its densest."""
PLATE_SPREAD = 0.3
"""The dense plate makes a slice bright that lies mostly in the disc: it shows farther into the disc by this share of
what is unsure. Measured on slices of 3 and 5 mm of verse005 and totalsegmentator_ct: 0.000 to 0.004 of Dice gained."""
LEAST_FOUND, OFF_QUADRIC_MM = 200, 2.5
"""Square millimetres of endplate that tell its curvature, and what is taken for no part of it."""
BESIDE_CEMENT_MM = 2
"""A first rise so near before cement may be the cement's own."""
UNSEEN_EDGE = 0.8
"""Reward of a place where cement hides whether there is an edge: less than an edge, more than none."""


@dataclass(frozen=True, eq=False)
class Outline:
    """``radius_mm`` ``(N, A)`` from the column's middle, ``middle_u_mm`` ``(N,)``; angle 0 points backward."""

    middle_u_mm: FloatArray
    radius_mm: FloatArray

    def contains(self, suv: NDArray[np.floating], margin_mm: float = 0.0) -> NDArray[np.bool_]:
        """Whether points ``(M, 3)`` in canal coordinates lie inside."""
        return np.asarray(self.depth(suv) > -margin_mm)

    def depth(self, suv: NDArray[np.floating]) -> NDArray[np.floating]:
        """``(M,)`` mm that points lie inside the outline along their ray (negative: outside)."""
        N, A = self.radius_mm.shape
        row = np.clip(np.rint(suv[:, 0]).astype(np.int64), 0, N - 1)
        du = suv[:, 1] - self.middle_u_mm[row]
        turn = np.arctan2(suv[:, 2], du) / (2 * np.pi) * A
        radius = self.radius_mm.astype(np.float32)[row, np.rint(turn).astype(np.int64) % A]
        return np.asarray(radius - np.hypot(du, suv[:, 2]))


@dataclass(frozen=True, eq=False)
class Endplates:
    """For every cut, the surface of the body below and above it as ``s`` over ``(U, V)``.

    ``lowest`` and ``highest`` are the far surfaces of the two open levels, where they are in view.
    """

    u_mm: FloatArray
    v_mm: FloatArray
    below: FloatArray
    above: FloatArray
    lowest: FloatArray | None = None
    highest: FloatArray | None = None

    def at(self, surface: FloatArray, suv: NDArray[np.floating]) -> FloatArray:
        """``(M,)`` s of one ``(U, V)`` surface over points ``(M, 3)``."""
        row = np.clip(np.rint(suv[:, 1] - self.u_mm[0]).astype(np.int64), 0, len(self.u_mm) - 1)
        column = np.clip(np.rint(suv[:, 2] - self.v_mm[0]).astype(np.int64), 0, len(self.v_mm) - 1)
        return np.asarray(surface[row, column])


def trace_outline(
    block: Block,
    cement: NDArray[np.bool_],
    frames: Frames,
    wall: Wall,
    signals: Signals,
    cuts: Cuts,
    densities: Densities,
) -> Outline:
    """The star-shaped outline of the column of bodies and discs; cement on the block neither draws nor repels it."""
    half = signals.half_width_mm
    depth = gaussian_filter1d(np.clip(0.55 * half, 7, 15), 10)
    middle = -gaussian_filter1d(wall.front_mm, 3) - depth
    angles = 2 * np.pi * np.arange(RAYS) / RAYS
    radii = np.arange(2.0, 40.0, STEP_MM)
    u = middle[:, None, None] + np.outer(np.cos(angles), radii)
    v = np.broadcast_to(np.outer(np.sin(angles), radii), u.shape)
    places = frames.place(u, v)
    hu = np.clip(block.sample(places) - densities.soft_hu, -120, 400)
    hidden = block.sample(places, cement.astype(np.float32)) > 0.3 if cement.any() else np.zeros(hu.shape, bool)
    edge = _edge(hu, ~hidden)  # (N, A, R)
    expected = _expected_radius(angles, half, depth)
    edge = edge / 150 - 0.012 * (radii - expected[..., None]) ** 2 / 4
    N = len(frames)
    radius = np.empty((N, RAYS))
    borders = np.concatenate([[0], cuts.s_mm, [N]]).astype(int)
    for start, stop in pairwise(borders):
        if stop <= start:
            continue
        shape = _closed_paths(_mean_seen(edge[start:stop])[None], 2)
        radius[start:stop] = radii[shape[0]]
    radius = gaussian_filter(radius, (3, 0.7), mode=("nearest", "wrap"))
    prior = -0.012 * (radii - expected[..., None]) ** 2 / 4
    local = gaussian_filter1d(np.where(np.isfinite(edge), edge, UNSEEN_EDGE + prior), 1.0, axis=0)
    local = np.where(np.abs(radii - radius[..., None]) <= PLAY_MM, local - 0.02 * (radii - radius[..., None]) ** 2, -9)
    fine = radii[_closed_paths(local, 3)]
    fine = gaussian_filter(median_filter(fine, (3, 3), mode="nearest"), (0.8, 0.6), mode=("nearest", "wrap"))
    return Outline(middle, np.asarray(fine - EDGE_INSET_MM, dtype=np.float64))


def find_endplates(
    straight: Straight,
    cement: NDArray[np.bool_],
    wall: Wall,
    outline: Outline,
    cuts: Cuts,
    densities: Densities,
    ends: tuple[End | None, End | None] = (None, None),
    unsure_mm: float = 0.0,
) -> Endplates:
    """Height maps of the endplates: the first rise from the disc toward the bright plate.

    Where ``cement`` (same shape as the straightened scan) hides them, they are carried over from around, and that
    farther into the disc by ``unsure_mm`` (what a thick slice leaves open): cement that fills a body up to its endplate
    is commoner than a thin leak.
    """
    rows = straight.u_mm <= 0
    u, v = straight.u_mm[rows], straight.v_mm
    hu = np.where(np.isfinite(straight.hu), straight.hu, densities.soft_hu)[:, rows]
    hu = np.clip(hu, densities.soft_hu - 100, densities.soft_hu + 500)
    hidden = cement[:, rows].astype(np.float32)
    grid_u, grid_v = np.meshgrid(u, v, indexing="ij")

    def beside(s: float, tilt: float) -> tuple[FloatArray, FloatArray]:
        """Surface of the body below and of that above."""
        plane = cut_plane(s, tilt, wall, grid_u)
        columns = _columns(hu, plane)  # (U, V, 2 REACH + 1), caudal to cranial
        columns = gaussian_filter(columns, (0.8, 0.8, 0))
        flat = np.stack([np.full(grid_u.size, s), grid_u.ravel(), grid_v.ravel()], axis=1)
        inside = outline.depth(flat).reshape(grid_u.shape) > 1.5
        inside &= grid_u < -wall.front_mm[int(s)]
        disc = np.median(columns[:, :, REACH - 1 : REACH + 2], axis=2)
        typical = float(np.median(disc[inside])) if inside.any() else densities.soft_hu
        disc = np.clip(gaussian_filter(disc, 2), typical - 60, typical + 60)
        masked = _columns(hidden, plane) > 0.3
        above = plane + _surface(columns[:, :, REACH:], disc, inside, masked[:, :, REACH:], unsure_mm)
        below = plane - _surface(columns[:, :, REACH::-1], disc, inside, masked[:, :, REACH::-1], unsure_mm)
        return below, above

    each = [beside(s, tilt) for s, tilt in zip(cuts.s_mm, cuts.tilt_deg, strict=True)]
    surfaces = np.array(each).reshape(-1, 2, *grid_u.shape)
    lowest, highest = (None if end is None else beside(end.s_mm, end.tilt_deg) for end in ends)
    far = (None if lowest is None else lowest[1], None if highest is None else highest[0])
    return Endplates(u, v, surfaces[:, 0], surfaces[:, 1], *far)


def cut_plane(s: float, tilt_deg: float, wall: Wall, u_mm: NDArray[np.floating]) -> FloatArray:
    """``s`` of a cut at each ``u``: tilted in front of the canal's middle, level behind it."""
    ahead = np.maximum(-u_mm - float(wall.front_mm[int(s)]), -6.0) - MIDDLE_DEPTH_MM
    return np.asarray(s + ahead * np.tan(np.radians(tilt_deg)), dtype=np.float64)


def _edge(hu: NDArray[np.float32], seen: NDArray[np.bool_]) -> FloatArray:
    """Mean of the inner 2 mm minus mean of the outer 3 mm along the last axis; NaN where half of either is unseen."""
    inner, outer = round(2 / STEP_MM), round(3 / STEP_MM)
    start = np.zeros((*hu.shape[:2], 1), np.float32)
    total = np.concatenate([start, np.cumsum(hu * seen, axis=2)], axis=2)
    count = np.concatenate([start, np.cumsum(seen, axis=2, dtype=np.float32)], axis=2)
    R = hu.shape[2]
    here = np.arange(R)
    low, high = np.maximum(here - inner, 0), np.minimum(here + outer, R)
    inside, outside = count[:, :, here] - count[:, :, low], count[:, :, high] - count[:, :, here]
    before = (total[:, :, here] - total[:, :, low]) / np.maximum(inside, 1)
    after = (total[:, :, high] - total[:, :, here]) / np.maximum(outside, 1)
    enough = (2 * inside >= here - low) & (2 * outside >= high - here)
    return np.where(enough, before - after, np.nan).astype(np.float64)


def _mean_seen(edge: FloatArray) -> FloatArray:
    """Mean over the sections in which each place was seen."""
    found = np.isfinite(edge)
    total = np.where(found, edge, 0).sum(axis=0)
    return np.where(found.any(axis=0), total / np.maximum(found.sum(axis=0), 1), UNSEEN_EDGE)


def _expected_radius(angles: FloatArray, half: FloatArray, depth: FloatArray) -> FloatArray:
    """``(N, A)`` a rounded body's outline as a prior: as wide as measured, three quarters as deep."""
    side = np.abs(np.sin(angles))[None, :]
    ahead = np.where(np.cos(angles) < 0, -np.cos(angles), np.cos(angles))[None, :]
    front = np.maximum(1.45 * half - depth, 0.6 * half)[:, None]
    along = np.where(np.cos(angles)[None, :] < 0, front, depth[:, None])
    return np.asarray(((side / half[:, None]) ** 2.5 + (ahead / along) ** 2.5) ** (-1 / 2.5))


def _closed_paths(reward: FloatArray, largest_step: int) -> NDArray[np.int64]:
    """The closed path of highest reward over each ``(A, R)`` of ``(M, A, R)``: dynamic programming over 1.5 turns."""
    M, A, R = reward.shape
    extra = A // 4
    order = np.arange(-extra, A + extra) % A
    total = reward[:, order[0]].copy()
    came = np.zeros((len(order), M, R), np.int16)
    steps = np.arange(-largest_step, largest_step + 1)
    rows = np.arange(R)
    for number, angle in enumerate(order[1:], start=1):
        padded = np.pad(total, ((0, 0), (largest_step, largest_step)), constant_values=-np.inf)
        best = np.full((M, R), -np.inf)
        for step in steps:
            offered = padded[:, largest_step + step : largest_step + step + R] - 0.03 * step**2
            better = offered > best
            best[better] = offered[better]
            came[number][better] = np.broadcast_to(rows + step, (M, R))[better]
        total = best + reward[:, angle]
    path = np.empty((len(order), M), np.int64)
    path[-1] = total.argmax(axis=1)
    each = np.arange(M)
    for number in range(len(order) - 1, 0, -1):
        path[number - 1] = came[number, each, path[number]]
    return path[extra : extra + A].T


def _columns(hu: NDArray[np.float32], plane: FloatArray) -> NDArray[np.float32]:
    """HU at every mm from ``REACH`` below the plane to as far above it, ``(U, V, 2 REACH + 1)``."""
    s = plane[..., None] + np.arange(-REACH, REACH + 1)
    index = np.clip(s, 0, len(hu) - 1.001)
    lower = index.astype(np.int64)
    weight = (index - lower).astype(np.float32)
    row, column = np.ogrid[: hu.shape[1], : hu.shape[2]]
    row, column = row[..., None], column[..., None]
    return np.asarray(hu[lower, row, column] * (1 - weight) + hu[lower + 1, row, column] * weight)


def _surface(
    columns: NDArray[np.float32],
    disc: FloatArray,
    inside: NDArray[np.bool_],
    cement: NDArray[np.bool_],
    unsure_mm: float,
) -> FloatArray:
    """``(U, V)`` mm from the plane to the endplate, smoothed over what lies inside the outline.

    Where ``cement``, shaped as the columns, may be what rises first, the endplate is carried over from around,
    nearer to the plane by ``unsure_mm``; where it is seen, it lies farther by `PLATE_SPREAD` of that.
    """
    plate = columns[:, :, 1:REACH].max(axis=2)
    level = disc + PLATE_SHARE * np.clip(plate - disc, 60, 400)
    dense = columns > level[..., None]
    first = dense.argmax(axis=2)
    before = np.take_along_axis(columns, np.maximum(first - 1, 0)[..., None], axis=2)[..., 0]
    at = np.take_along_axis(columns, first[..., None], axis=2)[..., 0]
    height = first - np.where(first > 0, np.clip((at - level) / np.maximum(at - before, 1), 0, 1), 0)
    masked = cement.any(axis=2) & (cement.argmax(axis=2) <= first + BESIDE_CEMENT_MM)
    found = inside & dense.any(axis=2) & ~masked
    if not found.any():
        return np.full(disc.shape, 3.0)
    middle = float(np.median(height[found]))
    low, high = middle - CURVING_MM, middle + CURVING_MM
    height = np.clip(height, low, high)
    weight = found.astype(float)
    around = _spread(np.where(found, height, 0), weight, middle)
    hidden = inside & ~found
    if hidden.any():  # by cement: the plate goes on as it curves, not as high as it is around
        curved = _quadric(height, found)
        carried = curved + _spread(np.where(found, height - curved, 0), weight, 0.0)
        around = np.where(hidden, np.clip(carried, low, high), around)
    height = np.where(found, height, around) + unsure_mm * np.where(inside & masked, -1.0, PLATE_SPREAD)
    height = median_filter(height, 5, mode="nearest")
    return np.asarray(gaussian_filter(height, 1.0), dtype=np.float64)


def _quadric(height: FloatArray, found: NDArray[np.bool_]) -> FloatArray:
    """The quadric surface through the heights where they were found, everywhere; a plain mean where these are few."""
    if found.sum() < LEAST_FOUND:
        return np.full(height.shape, float(height[found].mean()))
    u, v = np.meshgrid(*(np.linspace(-1, 1, size) for size in height.shape), indexing="ij")
    basis = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)
    rows, values = basis[found], height[found]
    for _ in range(2):  # once more without what lies far off
        factors = np.linalg.lstsq(rows, values, rcond=None)[0]
        near = np.abs(rows @ factors - values) < OFF_QUADRIC_MM
        if near.sum() >= LEAST_FOUND:
            rows, values = rows[near], values[near]
    return np.asarray(basis @ factors, dtype=np.float64)


def _spread(values: FloatArray, weight: FloatArray, fallback: float) -> FloatArray:
    """Values carried outward from where they are known (normalised convolution)."""
    total = gaussian_filter(weight, 6)
    return np.asarray(np.where(total > 1e-4, gaussian_filter(values * weight, 6) / np.maximum(total, 1e-4), fallback))
