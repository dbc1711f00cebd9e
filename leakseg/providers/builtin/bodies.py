"""The outline of bodies and discs round their own middle.

It is a star: a closed optimal path over angle (dynamic programming), first for each level as a whole, then
section by section near it.
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
from leakseg.providers.builtin.frames import Frames
from leakseg.providers.builtin.levels import Cuts, Signals
from leakseg.providers.builtin.working import Block

RAYS = 48
STEP_MM = 0.5
PLAY_MM = 4.0
EDGE_INSET_MM = 0.4
"""The steepest place lies half a step within the ray sample that shows it, and blur carries it outward."""
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
