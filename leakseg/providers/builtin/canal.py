"""The canal's bony wall in polar coordinates about its axis, carried across foramina and discs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_opening, gaussian_filter, gaussian_filter1d, median_filter

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.frames import Frames, recentre, symmetry_roll, turn
from leakseg.providers.builtin.working import Block, Image, noise_hu

RAYS = 72
RAY_STEP_MM = 0.5
LONGEST_RAY_MM = 20.0
SHORTEST_RAY_MM = 2.0
WALL_ABOVE_SOFT_HU = 80.0
"""The wall begins where rays first meet what is so much denser than soft tissue."""
BLUR_MM, NOISY_BLUR_MM = 0.4, 0.8
"""Against noise. The second where its standard deviation within the canal, after the first, is as much as the wall
rises: medians along the canal bear less. More fills the corners of the lateral recesses (0.7 mm: 0.003 of Dice on
verse005, whose noise is 64 HU)."""
NOISE_WITHIN_MM = 4.0
FORE_AFT_MM, SIDEWAYS_MM = 0.1, 0.6
"""Blur and smoothing draw the wall inward, most in the corners at the sides (measured: verse005, phantoms)."""
MET_LATE_MM = 0.2
"""Before and behind, the wall is met so much late: the canal's mask ends there, but no bone begins.

Measured: Dice on verse005 0.928 without, 0.932 with it; phantoms lose 0.004."""
MEMORY_MM = 20
FARTHEST_BEYOND_MM = 25.0
"""A scan that goes on farther than this beyond the last ring of bone shows the end of the canal, or another part."""
SIDEWAYS, FORWARD = 0.64, 0.26
"""Sine and cosine of the rays on which foramina lie: 75 to 140 degrees from straight back."""
INWARD_PLAY_MM, OUTWARD_PLAY_MM = 2.5, 2.5
BEHIND_PLAY_MM, BEHIND = 5.0, 0.3
"""Inward on rays whose cosine, from straight back, is more than the second: no cement leaks there, but the upper
laminae of the sacrum and thickened ligaments stand far into the canal."""


@dataclass(frozen=True, eq=False)
class Wall:
    """``radius_mm`` ``(N, A)`` from axis to wall at ``angles_rad`` ``(A,)`` (0 backward, then to the left).

    ``seen`` ``(N,)`` is the share of rays that met the wall where it was expected; ``closed`` ``(N,)`` that of the
    rays to the sides and forward of them, where pedicles close the canal and foramina open it. ``beyond_mm`` is how
    far the canal is drawn below and above the axis, straight on, for no ring of bone bears it out there.
    """

    angles_rad: FloatArray
    radius_mm: FloatArray
    seen: FloatArray
    closed: FloatArray
    beyond_mm: tuple[float, float] = (0.0, 0.0)

    def towards(self, angle_rad: float) -> FloatArray:
        """``(N,)`` radius in one direction."""
        number = round(angle_rad / (2 * np.pi) * len(self.angles_rad)) % len(self.angles_rad)
        return np.asarray(self.radius_mm[:, number], dtype=np.float64)

    def depth(self, suv: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(M,)`` mm that points in canal coordinates lie inside the wall; negative outside, or beyond the ends."""
        N, A = self.radius_mm.shape
        row = np.rint(suv[:, 0]).astype(np.int64)
        turn = np.arctan2(suv[:, 2], suv[:, 1]) / (2 * np.pi) * A
        lower = np.floor(turn).astype(np.int64)
        weight = turn - lower
        inside = np.clip(row, 0, N - 1)
        radius = self.radius_mm[inside, lower % A] * (1 - weight) + self.radius_mm[inside, (lower + 1) % A] * weight
        deep = radius - np.hypot(suv[:, 1], suv[:, 2])
        below, above = self.beyond_mm
        return np.where((row >= -1 - below) & (row <= N + above), deep, -1).astype(np.float32)

    @property
    def front_mm(self) -> FloatArray:
        """``(N,)`` distance from the axis to the posterior wall of the bodies (median of three rays)."""
        half = len(self.angles_rad) // 2
        return np.asarray(np.median(self.radius_mm[:, half - 1 : half + 2], axis=1), dtype=np.float64)


def met_late(suv: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(M,)`` mm by which the canal's mask ends before its wall, in the direction of points in canal coordinates."""
    u, v = suv[:, 1], suv[:, 2]
    return np.asarray(MET_LATE_MM * u**2 / np.maximum(u**2 + v**2, 1e-6), dtype=np.float32)


def carry_to_ends(wall: Wall, frames: Frames, lowest_mm: float, highest_mm: float) -> Wall:
    """The wall, carried on to the scan's lowest and highest slice (grid mm) where these are near: a canal goes on."""
    below = (frames.points_mm[0, 0] - lowest_mm) / frames.up[0, 0]
    above = (highest_mm - frames.points_mm[-1, 0]) / frames.up[-1, 0]
    reach = tuple(float(gap) if 0 < gap <= FARTHEST_BEYOND_MM else 0.0 for gap in (below, above))
    return replace(wall, beyond_mm=(reach[0], reach[1]))


def find_cement(block: Block) -> NDArray[np.bool_]:
    """Dense lumps too large and too dense for cortex, with a rim: cement or metal that must not steer."""
    import cc3d

    dense = binary_opening(block.hu > 900, iterations=1)
    out = np.zeros(dense.shape, bool)
    if not dense.any():
        return out
    labels = cc3d.connected_components(dense, connectivity=26)
    voxels = np.bincount(labels.ravel())
    bright = np.zeros(len(voxels), bool)
    bright[np.unique(labels[block.hu > 1250])] = True
    kept = bright & (voxels * block.step_mm**3 >= 60)
    kept[0] = False
    return np.asarray(binary_dilation(kept[labels], iterations=2), dtype=bool)


def trace_wall(block: Block, frames: Frames, densities: Densities, cement: NDArray[np.bool_]) -> tuple[Frames, Wall]:
    """Axis and wall of the bony canal; both are refined together."""
    smooth = _quiet_enough(block, frames)
    for _ in range(2):
        wall = _polar_wall(block, smooth, frames, densities, cement)
        u, v = _centroid(wall)
        frames = recentre(frames, gaussian_filter1d(u, 4), gaussian_filter1d(v, 4))
    roll, _ = symmetry_roll(block, frames)
    frames = turn(frames, roll)
    return frames, _polar_wall(block, smooth, frames, densities, cement, mirror=True)


def _quiet_enough(block: Block, frames: Frames) -> Image:
    """The block blurred, and more so where the noise round the axis would pass for the wall."""
    across = np.arange(-NOISE_WITHIN_MM, NOISE_WITHIN_MM + 1)
    places = frames.place(*(side[None] for side in np.meshgrid(across, across, indexing="ij")))
    index = np.clip(np.rint(block.to_index(places)), 0, np.array(block.hu.shape) - 1).astype(np.int64)
    smooth: Image = gaussian_filter(block.hu, BLUR_MM / block.step_mm)
    if noise_hu(smooth[tuple(np.moveaxis(index, -1, 0))]) > WALL_ABOVE_SOFT_HU:
        smooth = gaussian_filter(block.hu, NOISY_BLUR_MM / block.step_mm)
    return smooth


def _polar_wall(
    block: Block,
    smooth: Image,
    frames: Frames,
    densities: Densities,
    cement: NDArray[np.bool_],
    *,
    mirror: bool = False,
) -> Wall:
    """The wall in every section; with ``mirror``, where cement hides it, as the other side's."""
    angles = 2 * np.pi * np.arange(RAYS) / RAYS
    radii = np.arange(0, LONGEST_RAY_MM, RAY_STEP_MM)
    points = frames.place(np.outer(np.cos(angles), radii)[None], np.outer(np.sin(angles), radii)[None])
    hu = block.sample(points, smooth)
    level = densities.soft_hu + WALL_ABOVE_SOFT_HU
    dense = hu > level
    first = dense.argmax(axis=2)
    before = np.take_along_axis(hu, np.maximum(first - 1, 0)[..., None], axis=2)[..., 0]
    at = np.take_along_axis(hu, first[..., None], axis=2)[..., 0]
    hit = radii[first] - RAY_STEP_MM * np.clip((at - level) / np.maximum(at - before, 1), 0, 1)
    hit[~dense.any(axis=2)] = np.nan
    hit[hit < SHORTEST_RAY_MM] = np.nan
    hit[_too_dense(hu, first, densities)] = np.nan
    if cement.any():
        index = np.rint(block.to_index(points)).astype(np.int32)
        index = np.clip(index, 0, np.array(cement.shape) - 1)
        in_cement = cement[index[..., 0], index[..., 1], index[..., 2]]
        first_cement = np.where(in_cement.any(axis=2), in_cement.argmax(axis=2), len(radii))
        hidden = first_cement <= first
        hit[hidden] = np.nan
        if mirror:
            hit = np.where(hidden, hit[:, -np.arange(RAYS) % RAYS], hit)
    base = _base(hit)
    return _follow(angles, hit, base)


def _too_dense(hu: Image, first: NDArray[np.int64], densities: Densities) -> NDArray[np.bool_]:
    """Hits on something much denser than the wall in that direction is farther along the canal: a thin leak."""
    ahead = np.minimum(first[..., None] + np.arange(7), hu.shape[2] - 1)
    peak = np.take_along_axis(hu, ahead, axis=2).max(axis=2) - densities.soft_hu
    size = min(2 * (3 * MEMORY_MM) + 1, 2 * (len(peak) // 2) + 1)
    usual = median_filter(peak, (size, 1), mode="nearest")
    spread = median_filter(np.abs(peak - usual), (size, 1), mode="nearest")
    return np.asarray(peak > np.maximum(usual + 4 * spread, 2 * usual) + 200, dtype=bool)


def _base(hit: FloatArray) -> FloatArray:
    """The wall expected in each direction: the running median of the hits along the canal."""
    padded = np.pad(hit, ((MEMORY_MM, MEMORY_MM), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * MEMORY_MM + 1, axis=0)
    base = _nan_median(windows)
    overall = np.nanmedian(hit) if np.isfinite(hit).any() else 8.0
    section = _nan_median(base)
    base = np.where(np.isfinite(base), base, np.where(np.isfinite(section), section, overall)[:, None])
    limit = _wrapped_median(base, (1, 13)) + 4
    return np.asarray(gaussian_filter(np.minimum(base, limit), (4, 1), mode=("nearest", "wrap")), dtype=np.float64)


def _wrapped_median(values: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Median filter whose second axis is a circle."""
    rim = size[1] // 2
    padded = np.pad(values, ((0, 0), (rim, rim)), mode="wrap")
    return np.asarray(median_filter(padded, size, mode="nearest")[:, rim:-rim], dtype=np.float64)


def _nan_median(values: FloatArray) -> FloatArray:
    """Median over the last axis of the finite values; NaN where there are none."""
    ordered = np.sort(values, axis=-1)  # NaN sorts last
    count = np.isfinite(ordered).sum(axis=-1)
    middle = np.maximum(count - 1, 0)
    low = np.take_along_axis(ordered, (middle // 2)[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(ordered, ((middle + 1) // 2)[..., None], axis=-1)[..., 0]
    return np.where(count > 0, (low + high) / 2, np.nan)


def _follow(angles: FloatArray, hit: FloatArray, base: FloatArray) -> Wall:
    """The hit where it lies near the expected wall, else the expected wall."""
    found = np.isfinite(hit)
    offset = np.where(found, hit, 0) - base
    inward = np.where(np.cos(angles) > BEHIND, BEHIND_PLAY_MM, INWARD_PLAY_MM)
    usable = found & (offset >= -inward) & (offset <= OUTWARD_PLAY_MM)
    nearer = found & (offset < -inward)
    radius = np.where(usable, hit, np.where(nearer, base - 1, base))
    radius = _wrapped_median(radius, (3, 3))
    radius = gaussian_filter(radius, (0.7, 0.5), mode=("nearest", "wrap"))
    radius = radius + FORE_AFT_MM * np.cos(angles) ** 2 + SIDEWAYS_MM * np.sin(angles) ** 4
    beside = (np.abs(np.sin(angles)) > SIDEWAYS) & (np.cos(angles) < FORWARD)
    return Wall(angles, np.asarray(radius, dtype=np.float64), usable.mean(axis=1), usable[:, beside].mean(axis=1))


def _centroid(wall: Wall) -> tuple[FloatArray, FloatArray]:
    """``(u, v)`` ``(N,)`` of the centre of area of each section."""
    cube, square = wall.radius_mm**3, wall.radius_mm**2
    area = np.maximum(square.sum(axis=1), 1e-6)
    u = 2 / 3 * (cube * np.cos(wall.angles_rad)).sum(axis=1) / area
    v = 2 / 3 * (cube * np.sin(wall.angles_rad)).sum(axis=1) / area
    return u, v
