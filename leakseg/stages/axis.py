"""The canal's centreline, from a canal mask, a cord mask, or the rings of the vertebrae (patient mm)."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import CanalSource, SpineMasks, VertebraLevel
from leakseg.coordinates import CanalAxis, CanalWall
from leakseg.criteria import SpineCriteria
from leakseg.errors import AnatomyError
from leakseg.geometry import FloatArray, bounding_box, counted

_PIXEL_MM = 1.5
_MAX_TURN_DEG = 60.0
_MIN_OFFSET_MM = 3.0
Columns: TypeAlias = tuple[tuple[FloatArray, NDArray[np.int64]], ...]
"""For each vertebra where voxels of it lie, ``(N, 3)`` patient mm, and how many at each place."""


def canal_source(masks: SpineMasks) -> CanalSource:
    """Which of the masks the canal is taken from: the canal's own, else the cord, else the vertebrae's rings."""
    if masks.from_builtin and masks.canal is not None:
        return "builtin"
    if masks.canal is not None and masks.canal.any():
        return "mask"
    if masks.cord is not None and masks.cord.any():
        return "cord"
    return "vertebrae"


def find_canal_axis(masks: SpineMasks, columns: Columns, criteria: SpineCriteria) -> CanalAxis:
    """The canal's centreline over all vertebrae in view, with a frame at every millimetre.

    Raises
    ------
    AnatomyError
        Where the canal can be followed over less than ``min_axis_mm``.
    """
    source = canal_source(masks)
    tube = {"mask": masks.canal, "builtin": masks.canal, "cord": masks.cord}.get(source)
    points = masks.grid.to_patient(_tube_sections(tube)) if tube is not None else _ring_points(masks, criteria)
    if len(points) < 2:
        raise AnatomyError(
            "The vertebra masks close no ring round a canal, and there is no canal or cord mask: "
            "the canal cannot be rebuilt. Add a canal mask (--masks canal=FILE)."
        )
    points = points[np.argsort(points[:, 2])]
    length = float(np.ptp(points[:, 2]))
    if length < criteria.min_axis_mm:
        raise AnatomyError(
            f"The canal can be followed over {length:.0f} mm only; at least {criteria.min_axis_mm:.0f} mm are needed."
        )
    low, high = _extent_along_z(masks)
    line = _smooth_line(points, criteria.axis_smoothing_mm)
    line = _extend(line, low - criteria.axis_margin_mm, high + criteria.axis_margin_mm)
    line = _resample(line)
    return _with_frames(line, columns)


def recentre(axis: CanalAxis, wall: CanalWall, columns: Columns) -> CanalAxis:
    """The axis moved to the middle of the canal traced round it: a cord or a ring may lie off it."""
    x = wall.radius_mm * np.cos(wall.angles_rad)
    y = wall.radius_mm * np.sin(wall.angles_rad)
    weight = wall.radius_mm**2
    u = (2 / 3) * (x * weight).sum(axis=1) / weight.sum(axis=1)
    v = (2 / 3) * (y * weight).sum(axis=1) / weight.sum(axis=1)
    u, v = (ndimage.gaussian_filter1d(part, 8.0, mode="nearest") for part in (u, v))
    line = axis.points_mm + u[:, None] * axis.posterior + v[:, None] * axis.left
    return _with_frames(_resample(line[np.argsort(line[:, 2])]), columns)


def _tube_sections(tube: NDArray[np.bool_]) -> FloatArray:
    """Centres of the tube's sections, ``(N, 3)`` index."""
    box = bounding_box(tube)
    assert box is not None
    low = np.array([part.start for part in box])
    tube = tube[box]
    by_row, by_column = counted(tube, 2), counted(tube, 1)
    counts = by_row.sum(axis=1)
    smallest = 0.25 * np.median(counts[counts > 0])
    sections = np.flatnonzero(counts >= smallest)
    middles = [(along @ np.arange(along.shape[1]))[sections] / counts[sections] for along in (by_row, by_column)]
    return np.asarray(np.column_stack([sections, *middles]) + low, dtype=np.float64)


def _ring_points(masks: SpineMasks, criteria: SpineCriteria) -> FloatArray:
    """Points on the canal's line, ``(N, 3)`` patient mm, from the vertebrae alone.

    Seen along its own canal a vertebra shows a hole: the direction with the widest hole is the canal's.
    """
    from scipy import interpolate

    stations = []
    for level in masks.levels():
        if level == VertebraLevel.S2:
            continue
        seen = _widest_hole(_solid_points(masks, level), criteria)
        if seen is not None:
            stations.append(seen)
    if not stations:
        return np.empty((0, 3))
    centres = np.array([centre for centre, _ in stations])
    slopes = np.array([direction[:2] / direction[2] for _, direction in stations])
    order = np.argsort(centres[:, 2])
    centres, slopes = centres[order], slopes[order]
    if len(centres) == 1:
        z = centres[0, 2] + np.arange(-10.0, 11.0)
        xy = centres[0, :2] + (z - centres[0, 2])[:, None] * slopes[0]
    else:
        z = np.arange(centres[0, 2] - 8.0, centres[-1, 2] + 8.5, 1.0)
        xy = interpolate.CubicHermiteSpline(centres[:, 2], centres[:, :2], slopes)(
            np.clip(z, centres[0, 2], centres[-1, 2])
        )
        xy += np.minimum(z - centres[0, 2], 0)[:, None] * slopes[0]
        xy += np.maximum(z - centres[-1, 2], 0)[:, None] * slopes[-1]
    return np.column_stack([xy, z])


def _solid_points(masks: SpineMasks, level: VertebraLevel) -> FloatArray:
    """The vertebra as a cloud of points dense enough to cast a shadow without gaps at `_PIXEL_MM`."""
    index = _voxels(masks, level).astype(np.float64)
    parts = [np.linspace(-0.5, 0.5, int(np.ceil(size / _PIXEL_MM)) + 1)[:-1] for size in masks.grid.spacing_mm]
    offsets = np.stack(np.meshgrid(*parts, indexing="ij"), axis=-1).reshape(-1, 3)
    return masks.grid.to_patient((index[:, None, :] + offsets[None]).reshape(-1, 3))


def _widest_hole(points: FloatArray, criteria: SpineCriteria) -> tuple[FloatArray, FloatArray] | None:
    """Centre of the canal at the vertebra's height and its direction; None where no ring closes."""
    if len(points) < 50:
        return None
    centre = points.mean(axis=0)
    best: tuple[float, FloatArray, FloatArray] | None = None
    for pitch in np.deg2rad(np.arange(-40, 51, 10)):
        for roll in np.deg2rad(np.arange(-30, 31, 15)):
            direction = np.array([np.sin(roll), np.sin(pitch), 1.0])
            direction /= np.linalg.norm(direction)
            across = np.cross([0.0, 1.0, 0.0], direction)
            across /= np.linalg.norm(across)
            along = np.cross(direction, across)
            flat = np.stack([(points - centre) @ along, (points - centre) @ across], axis=1)
            low = flat.min(axis=0) - 2 * _PIXEL_MM
            cell = ((flat - low) / _PIXEL_MM).astype(int)
            shadow = np.zeros(cell.max(axis=0) + 4, bool)
            shadow[cell[:, 0], cell[:, 1]] = True
            holes, count = ndimage.label(ndimage.binary_fill_holes(shadow) & ~shadow)
            if not count:
                continue
            areas = ndimage.sum_labels(np.ones_like(holes), holes, np.arange(1, count + 1)) * _PIXEL_MM**2
            largest = int(np.argmax(areas))
            area = float(areas[largest])
            if criteria.min_canal_area_mm2 <= area <= criteria.max_canal_area_mm2 and (best is None or area > best[0]):
                place = np.array(ndimage.center_of_mass(holes == largest + 1)) * _PIXEL_MM + low
                best = (area, centre + place[0] * along + place[1] * across, direction)
    return None if best is None else (best[1], best[2])


def _voxels(masks: SpineMasks, level: VertebraLevel) -> NDArray[np.int64]:
    """``(N, 3)`` index of the vertebra's voxels."""
    window = masks.windows[level]
    return np.asarray(np.argwhere(masks.vertebrae[window] == level.number) + [part.start for part in window])


def columns_of(masks: SpineMasks) -> Columns:
    """Where the bone of each vertebra above the sacrum lies."""
    sacrum = (VertebraLevel.S1, VertebraLevel.S2)
    return tuple(_columns(masks, level) for level in masks.levels() if level not in sacrum)


def _columns(masks: SpineMasks, level: VertebraLevel) -> tuple[FloatArray, NDArray[np.int64]]:
    """Where the vertebra's voxels lie, ``(N, 3)`` patient mm, and how many lie there.

    Where the slices lie square to z, voxels over one another are taken together, at the vertebra's middle height.
    """
    window = masks.windows[level]
    own = masks.vertebrae[window] == level.number
    grid = masks.grid.crop(window)
    if grid.affine[:2, 0].any():
        points = grid.to_patient(np.argwhere(own))
        return points, np.ones(len(points), np.int64)
    count = counted(own, 0)
    columns = np.argwhere(count)
    height = np.average(np.arange(len(own)), weights=[np.count_nonzero(section) for section in own])
    return grid.to_patient(np.insert(columns.astype(np.float64), 0, height, axis=1)), count[tuple(columns.T)]


def _extent_along_z(masks: SpineMasks) -> tuple[float, float]:
    """Lowest and highest patient z of any vertebra (its bounding box)."""
    box = masks.block
    assert box is not None
    corners = masks.grid.crop(box).corners_mm()
    return float(corners[:, 2].min()), float(corners[:, 2].max())


def _smooth_line(points: FloatArray, smoothing_mm: float) -> FloatArray:
    """The points at every millimetre of z, outliers out, smoothed (Savitzky-Golay, ends kept)."""
    z = points[:, 2]
    for _ in range(2):
        fit = np.stack(
            [np.polyval(np.polyfit(z - z.mean(), points[:, a], min(4, len(z) - 1)), z - z.mean()) for a in (0, 1)], 1
        )
        error = np.linalg.norm(points[:, :2] - fit, axis=1)
        keep = error <= max(6.0, 4.0 * float(np.median(error)))
        points, z = points[keep], z[keep]
    unique, index = np.unique(z, return_index=True)
    level = np.arange(unique[0], unique[-1] + 1e-6, 1.0)
    xy = np.stack([np.interp(level, unique, points[index, a]) for a in (0, 1)], axis=1)
    window = 2 * int(smoothing_mm) + 1
    for _ in range(2):
        if len(level) > window:
            xy = _savitzky_golay(xy, window)
        else:
            xy = np.stack([np.polyval(np.polyfit(level, xy[:, a], 1), level) for a in (0, 1)], axis=1)
    return np.column_stack([xy, level])


def _savitzky_golay(values: FloatArray, window: int) -> FloatArray:
    """Parabolas fitted round each row; as `scipy.signal.savgol_filter`, whose import takes as long as a case."""
    half = window // 2
    powers = np.arange(half, -half - 1, -1.0) ** np.arange(3)[:, None]
    weights = np.linalg.lstsq(powers, np.array([1.0, 0.0, 0.0]), rcond=None)[0]
    smooth = ndimage.convolve1d(values, weights, axis=0, mode="constant")
    for end, rows in ((slice(0, window), np.arange(half)), (slice(-window, None), np.arange(half + 1, window))):
        smooth[end][rows] = np.polyval(np.polyfit(np.arange(window), values[end], 2), rows[:, None])
    return np.asarray(smooth, dtype=np.float64)


def _extend(line: FloatArray, low_z: float, high_z: float) -> FloatArray:
    """The line continued straight to both ends of the vertebrae."""
    reach = min(len(line) - 1, 15)
    parts = [line]
    if low_z < line[0, 2]:
        slope = (line[reach] - line[0]) / (line[reach, 2] - line[0, 2])
        parts.insert(0, line[0] + np.arange(np.floor(low_z - line[0, 2]), 0)[:, None] * slope)
    if high_z > line[-1, 2]:
        slope = (line[-1] - line[-1 - reach]) / (line[-1, 2] - line[-1 - reach, 2])
        parts.append(line[-1] + np.arange(1, np.ceil(high_z - line[-1, 2]) + 1)[:, None] * slope)
    return np.vstack(parts)


def _resample(line: FloatArray) -> FloatArray:
    """The line at every millimetre of its arc."""
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.arange(0.0, arc[-1], 1.0)
    return np.stack([np.interp(at, arc, line[:, a]) for a in range(3)], axis=1)


def _with_frames(line: FloatArray, columns: Columns) -> CanalAxis:
    """Frames along the line: backward runs from the body's side to the canal, so that a turned spine turns them."""
    superior = _unit(ndimage.gaussian_filter1d(np.gradient(line, axis=0), 6.0, axis=0, mode="nearest"))
    backward = _backward(line, columns)
    backward = _unit(backward - np.sum(backward * superior, axis=1, keepdims=True) * superior)
    left = np.cross(superior, -backward)
    return CanalAxis(line, superior, backward, _unit(left))


def _backward(line: FloatArray, columns: Columns) -> FloatArray:
    """Backward direction at each point, smooth along the line, from each vertebra's centre of mass to the canal.

    The bodies outweigh the arch, so the centre of a vertebra lies in front of the canal.
    """
    stations, directions, middles = [], [], []
    for points, count in columns:
        if count.sum() < 50:
            continue
        middle = np.average(points, axis=0, weights=count)
        nearest = int(np.argmin(np.abs(line[:, 2] - middle[2])))
        middles.append(middle[:2] - line[nearest, :2])
        offset = points[:, :2] - line[nearest, :2]
        before = offset[:, 1] < 0
        if count[before].sum() < 20:
            continue
        direction = -np.average(offset[before], axis=0, weights=count[before])
        stations.append(float(nearest))
        directions.append(direction / np.linalg.norm(direction))
    _check_bodies_in_front(middles)
    base = np.tile(np.array([0.0, 1.0, 0.0]), (len(line), 1))
    if stations:
        order = np.argsort(stations)
        angle = np.array([np.arctan2(directions[n][0], directions[n][1]) for n in order])
        smooth = np.interp(np.arange(len(line)), np.array(stations)[order], angle)
        smooth = ndimage.gaussian_filter1d(smooth, 12.0, mode="nearest")
        base = np.stack([np.sin(smooth), np.cos(smooth), np.zeros_like(smooth)], axis=1)
    return base


def _check_bodies_in_front(middles: list[FloatArray]) -> None:
    """Refuse a spine whose bodies do not lie in front of its canal: left and right could not be trusted.

    Raises
    ------
    AnatomyError
        Where the vertebrae's middles lie, all together, more than ``_MAX_TURN_DEG`` from the front.
    """
    if not middles:
        return
    x, y = np.mean(middles, axis=0)
    turn = float(np.degrees(np.arctan2(abs(x), -y)))
    if np.hypot(x, y) > _MIN_OFFSET_MM and turn > _MAX_TURN_DEG:
        raise AnatomyError(
            f"The vertebral bodies lie {turn:.0f} degrees away from the front of the canal: the scan's orientation "
            "does not fit the patient (a prone scan written as supine?), so left and right cannot be trusted. "
            "Correct the orientation in the header and export the scan again."
        )


def _unit(vectors: NDArray[Any]) -> FloatArray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), dtype=np.float64)
