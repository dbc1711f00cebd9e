"""A smooth canal axis with a frame at every millimetre, and volumes straightened along it.

Canal coordinates ``(s, u, v)`` in mm: along the axis to the head, backward, to the patient's left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.working import Block, Image


@dataclass(frozen=True, eq=False)
class Frames:
    """``points_mm`` ``(N, 3)`` grid mm, one a millimetre of arc, with right-angled unit vectors ``(N, 3)``."""

    points_mm: FloatArray
    up: FloatArray
    back: FloatArray
    left: FloatArray

    def __len__(self) -> int:
        return len(self.points_mm)

    def place(self, u_mm: FloatArray, v_mm: FloatArray) -> FloatArray:
        """Grid mm ``(N, ..., 3)`` of section points ``u_mm``, ``v_mm``: ``(N, ...)``, or ``(1, ...)`` for every one."""
        shape = (len(self), *(1,) * (u_mm.ndim - 1), 3)
        return np.asarray(
            self.points_mm.reshape(shape)
            + u_mm[..., None] * self.back.reshape(shape)
            + v_mm[..., None] * self.left.reshape(shape),
            dtype=np.float64,
        )


def robust_smooth(points_mm: FloatArray, half_window_mm: float = 30.0) -> FloatArray:
    """A rough path freed of short detours (round cement in the canal): LOESS with bisquare weights.

    References
    ----------
    Cleveland 1979, doi 10.1080/01621459.1979.10481038
    """
    points = _arc_steps(points_mm)
    at = np.arange(len(points), dtype=np.float64)
    out = points.copy()
    trust = np.ones(len(points))
    for _ in range(4):
        for centre in range(len(points)):
            low, high = max(0, centre - int(half_window_mm)), min(len(points), centre + int(half_window_mm) + 1)
            x = (at[low:high] - centre) / half_window_mm
            weight = np.sqrt((1 - np.abs(x) ** 3).clip(0) ** 3 * trust[low:high] + 1e-9)
            basis = np.stack([np.ones_like(x), x, x * x], axis=1)
            out[centre] = np.linalg.lstsq(basis * weight[:, None], points[low:high] * weight[:, None], rcond=None)[0][0]
        away = np.linalg.norm(points - out, axis=1)
        trust = (1 - (away / np.maximum(6 * np.median(away), 2.0)) ** 2).clip(0) ** 2
    return out


def make_frames(points_mm: FloatArray, smooth_mm: float = 6.0) -> Frames:
    """Frames along a rough path: smoothed, one point a millimetre, facing straight backward."""
    points = _arc_steps(_smooth(_arc_steps(points_mm), smooth_mm))
    return _face_back(points, _tangents(points))


def recentre(frames: Frames, u_mm: FloatArray, v_mm: FloatArray, smooth_mm: float = 4.0) -> Frames:
    """Frames whose axis is moved by ``(u, v)`` ``(N,)`` in each section; their turn is kept."""
    moved = frames.points_mm + u_mm[:, None] * frames.back + v_mm[:, None] * frames.left
    fresh = make_frames(moved, smooth_mm)
    along = np.linspace(0, len(frames) - 1, len(fresh))
    roll = _roll(frames)
    return turn(fresh, np.interp(along, np.arange(len(frames)), roll) - _roll(fresh))


def turn(frames: Frames, angle_rad: FloatArray) -> Frames:
    """Frames turned about the axis: positive angles carry ``back`` toward ``left``."""
    cos, sin = np.cos(angle_rad)[:, None], np.sin(angle_rad)[:, None]
    back = cos * frames.back + sin * frames.left
    left = cos * frames.left - sin * frames.back
    return replace(frames, back=back, left=left)


@dataclass(frozen=True, eq=False)
class Straight:
    """HU ``(N, U, V)`` on the sections square to the axis; NaN where the scan does not reach."""

    hu: Image
    u_mm: FloatArray
    v_mm: FloatArray


def straighten(block: Block, frames: Frames, u_mm: FloatArray, v_mm: FloatArray) -> Straight:
    """Sections square to the axis, one a millimetre."""
    out = np.empty((len(frames), len(u_mm), len(v_mm)), np.float32)
    u, v = np.meshgrid(u_mm, v_mm, indexing="ij")
    for start in range(0, len(frames), 64):  # in slabs, for the sake of memory
        part = slice(start, start + 64)
        slab = Frames(frames.points_mm[part], frames.up[part], frames.back[part], frames.left[part])
        out[part] = block.sample(slab.place(u[None], v[None]), outside=np.nan)
    return Straight(out, u_mm, v_mm)


def canal_field(block: Block, frames: Frames, coarse_mm: int = 4) -> Image:
    """Canal coordinates of every voxel of a block, ``(k, j, i, 3)``.

    Solved on a lattice every ``coarse_mm`` and interpolated: the field is smooth.
    """
    step = coarse_mm / block.step_mm
    nodes = [np.arange(0, size - 1 + step, step) for size in block.hu.shape]
    index = np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1)
    suv = to_canal(frames, (index * block.step_mm + block.origin_mm).reshape(-1, 3)).reshape(index.shape)
    out = np.empty((*block.hu.shape, 3), np.float32)
    for axis in range(3):
        values = suv[..., axis]
        for along, size in enumerate(block.hu.shape):
            values = _interpolate(values, along, size, round(step))
        out[..., axis] = values
    return out


def _interpolate(values: Image, axis: int, size: int, step: int) -> Image:
    """Linear interpolation along one axis from every ``step``-th place to all of ``size``."""
    lower, rest = np.divmod(np.arange(size), step)
    shape = [1] * values.ndim
    shape[axis] = size
    weight = (rest / step).astype(np.float32).reshape(shape)
    below = np.take(values, lower, axis=axis)
    above = np.take(values, np.minimum(lower + 1, values.shape[axis] - 1), axis=axis)
    return np.asarray(below + weight * (above - below), dtype=np.float32)


def to_canal(frames: Frames, points_mm: FloatArray) -> Image:
    """Canal coordinates ``(M, 3)`` of grid points ``(M, 3)``.

    Solves ``(p - c(s)) . t(s) = 0`` by damped fixed-point steps from the point of equal height.
    """
    s = np.interp(points_mm[:, 0], frames.points_mm[:, 0], np.arange(len(frames), dtype=np.float64))
    last = len(frames) - 1.0
    for _ in range(8):
        c, t = _at(frames.points_mm, s), _at(frames.up, s)
        s = np.clip(s + 0.8 * np.einsum("ij,ij->i", points_mm - c, t), 0, last)
    offset = points_mm - _at(frames.points_mm, s)
    beyond = np.einsum("ij,ij->i", offset, _at(frames.up, s))
    out = np.empty(points_mm.shape, np.float32)
    out[:, 0] = s + np.where((s <= 0) | (s >= last), beyond, 0)
    out[:, 1] = np.einsum("ij,ij->i", offset, _at(frames.back, s))
    out[:, 2] = np.einsum("ij,ij->i", offset, _at(frames.left, s))
    return out


def symmetry_roll(block: Block, frames: Frames, largest_deg: float = 35.0) -> tuple[FloatArray, FloatArray]:
    """How far each section is turned, from its mirror symmetry about the canal, and how clear that is.

    The mirror axis is where the polar image agrees best with its own reflection: the peak of its circular
    self-convolution, summed over radii and smoothed along the axis.

    Returns
    -------
    angle_rad, clearness
        ``(N,)`` each; turn the frames by the angle.
    """
    count = 144
    angles = 2 * np.pi * np.arange(count) / count
    radii = np.arange(10.0, 46.0, 2.0)
    polar = block.sample(frames.place(np.outer(radii, np.cos(angles))[None], np.outer(radii, np.sin(angles))[None]))
    polar = gaussian_filter1d(np.clip(polar, -200, 700), 1.0, axis=2, mode="wrap")
    polar -= polar.mean(axis=2, keepdims=True)
    spectrum = np.fft.rfft(polar, axis=2)
    agreement = np.fft.irfft(spectrum * spectrum, n=count, axis=2).sum(axis=1)  # (N, 2 x angle)
    energy = (polar**2).sum(axis=(1, 2))[:, None]
    agreement = gaussian_filter1d(agreement, 15, axis=0) / np.maximum(gaussian_filter1d(energy, 15, axis=0), 1)
    reach = int(2 * largest_deg / 360 * count)
    shifts = np.arange(-reach, reach + 1)
    window = agreement[:, shifts % count] - 0.1 * (shifts / reach) ** 2
    best = window.argmax(axis=1)
    angle = shifts[best] * np.pi / count
    clearness = window.max(axis=1)
    weight = gaussian_filter1d(np.maximum(clearness, 1e-3), 20)
    return gaussian_filter1d(angle * np.maximum(clearness, 1e-3), 20) / weight, clearness


def _roll(frames: Frames) -> FloatArray:
    """Angle of ``back`` from the scan's own back, about the axis."""
    plain = _face_back(frames.points_mm, frames.up)
    cos = np.einsum("ij,ij->i", frames.back, plain.back)
    sin = np.einsum("ij,ij->i", frames.back, plain.left)
    return np.asarray(np.arctan2(sin, cos), dtype=np.float64)


def _tangents(points: FloatArray) -> FloatArray:
    up = gaussian_filter1d(np.gradient(points, axis=0), 8.0, axis=0, mode="nearest")
    return np.asarray(up / np.linalg.norm(up, axis=1, keepdims=True), dtype=np.float64)


def _face_back(points: FloatArray, up: FloatArray) -> Frames:
    back = np.array([0.0, 1.0, 0.0]) - up[:, 1:2] * up
    back /= np.linalg.norm(back, axis=1, keepdims=True)
    return Frames(points, up, back, np.cross(up, back))


def _smooth(points: FloatArray, sigma_mm: float) -> FloatArray:
    """Gaussian along the path with both ends continued in a straight line."""
    reach = min(len(points) - 1, int(3 * sigma_mm) + 1)
    span = min(len(points) - 1, max(4, int(2 * sigma_mm)))
    low = (points[span] - points[0]) / span
    high = (points[-1] - points[-1 - span]) / span
    before = points[0] - np.arange(reach, 0, -1)[:, None] * low
    after = points[-1] + np.arange(1, reach + 1)[:, None] * high
    padded = np.concatenate([before, points, after])
    return np.asarray(gaussian_filter1d(padded, sigma_mm, axis=0)[reach : reach + len(points)])


def _arc_steps(points: FloatArray) -> FloatArray:
    """The same path with one point a millimetre of arc."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.arange(0, length[-1] + 1e-9)
    return np.stack([np.interp(at, length, points[:, axis]) for axis in range(3)], axis=1)


def _at(values: FloatArray, s: FloatArray) -> FloatArray:
    lower = np.clip(s.astype(np.int64), 0, len(values) - 2)
    weight = (s - lower)[..., None]
    return np.asarray(values[lower] * (1 - weight) + values[lower + 1] * weight, dtype=np.float64)


def inside_block(block: Block, frames: Frames) -> NDArray[np.bool_]:
    """``(N,)`` whether the axis lies inside the block there."""
    index = block.to_index(frames.points_mm)
    return np.asarray(np.all((index >= -0.5) & (index <= np.array(block.hu.shape) - 0.5), axis=1))
