"""A real scan on fine voxels, with the places that plain implants need: bodies, discs, pedicles, the canal's course.

Shares no code with leakseg's phantom, its implanter or its classifier: it is to know nothing of what they take a leak
for. Arrays are ``(k, j, i)``, from caudal to cranial, from front to back, from the patient's right to the left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from changed_scans import Array, Case
from scipy.ndimage import (
    binary_closing,
    binary_opening,
    center_of_mass,
    distance_transform_edt,
    find_objects,
    gaussian_filter,
    gaussian_filter1d,
    label,
    zoom,
)
from skimage.graph import MCP_Geometric

from leakseg.anatomy import VertebraLevel

DENSE_HU = 120.0
LEAST_BODY_MM3 = 3000.0


@dataclass(frozen=True, eq=False)
class Body:
    """A vertebral body: its voxels, the slices of its endplates, and its width."""

    mask: Array
    bottom: int
    top: int
    width_mm: float
    pedicle_mm: tuple[float, float]
    """How far the pedicles' outer borders lie from the canal's middle, right and left; NaN where none is seen."""

    @property
    def middle(self) -> float:
        return (self.bottom + self.top) / 2


@dataclass(frozen=True, eq=False)
class Scene:
    """``left_mm`` from the canal's middle and ``before_mm`` from its front wall broadcast to the array's shape."""

    hu: Array
    levels: Array
    canal: Array
    mm: float
    left_mm: Array
    before_mm: Array
    bodies: dict[int, Body]
    discs: Array

    @property
    def height(self) -> Array:
        return np.arange(len(self.hu))[:, None, None]


def make_scene(case: Case, mm: float, rng: np.random.Generator) -> Scene:
    """The scan mirrored or not, of another size, with bone of another patient, on voxels of ``mm``."""
    if rng.random() < 0.5:
        flip = (slice(None), slice(None), slice(None, None, -1))
        case = replace(case, hu=case.hu[flip], levels=case.levels[flip], canal=case.canal[flip])
    factor = case.mm * rng.uniform(0.85, 1.15) / mm
    hu = zoom(case.hu, factor, order=1, grid_mode=True, mode="nearest")
    levels = resampled_labels(case.levels, factor, hu.shape)
    canal = (zoom(case.canal.astype(np.float32), factor, order=1, grid_mode=True, mode="nearest") > 0.5) & (levels == 0)
    hu = np.where(hu > DENSE_HU, DENSE_HU + (hu - DENSE_HU) * rng.uniform(0.85, 1.2), hu)
    if rng.random() < 0.3:
        hu[(levels > 0) & (hu < 300)] -= rng.uniform(20, 70)
    left_mm, before_mm = _canal_course(canal, mm)
    bare = Scene(hu, levels, canal, mm, left_mm, before_mm, {}, np.zeros(hu.shape, bool))
    names = [int(number) for number in np.unique(levels) if 0 < number < VertebraLevel.S1.number]
    bodies = {number: body for number in names if (body := _body(bare, number)) is not None}
    return replace(bare, bodies=bodies, discs=_discs(bodies, levels, mm))


def _canal_course(canal: Array, mm: float) -> tuple[Array, Array]:
    rows = np.flatnonzero(canal.any(axis=(1, 2)))
    every = np.arange(len(canal))
    middle = [center_of_mass(canal[k])[1] for k in rows]
    wall = [np.flatnonzero(canal[k].any(axis=1))[0] for k in rows]
    across = np.interp(every, rows, gaussian_filter1d(middle, 3 / mm))
    front = np.interp(every, rows, gaussian_filter1d(np.asarray(wall, float), 2 / mm))
    left = (np.arange(canal.shape[2])[None, :] - across[:, None]) * mm
    before = (front[:, None] - np.arange(canal.shape[1])[None, :]) * mm
    return left[:, None, :], before[:, :, None]


def _body(scene: Scene, number: int) -> Body | None:
    """What of a vertebra lies in front of the canal, without processes and ribs; None where it is cut or not there."""
    part = (scene.levels == number) & (scene.before_mm > 0)
    part &= np.abs(scene.left_mm) < (22 if number <= VertebraLevel.T12.number else 32)
    if part.sum() * scene.mm**3 < LEAST_BODY_MM3:
        return None
    mask = largest(binary_opening(part, ball(2.2, scene.mm)))
    area = mask.sum(axis=(1, 2))
    rows = np.flatnonzero(area > 0.4 * area.max())
    margin = 6 / scene.mm
    seen = np.flatnonzero(scene.canal.any(axis=(1, 2)))
    if not len(rows) or rows[0] < max(margin, seen[0]) or rows[-1] > min(len(mask) - margin, seen[-1]):
        return None
    width_mm = float(np.ptp(np.flatnonzero(mask.any(axis=(0, 1))))) * scene.mm
    borders = tuple(_pedicle_border_mm(scene, number, rows, side) for side in (-1, 1))
    return Body(mask, int(rows[0]), int(rows[-1]), width_mm, (borders[0], borders[1]))


def _pedicle_border_mm(scene: Scene, number: int, rows: Array, side: int) -> float:
    """Where bone ends to the side, beside the canal's front half and above the body's middle; the inner ones count."""
    left, before = scene.left_mm[:, 0], scene.before_mm[:, :, 0]
    found = []
    for k in range(int(rows.mean()), rows[-1]):
        for j in np.flatnonzero((before[k] < -1.5) & (before[k] > -6)):
            line = scene.levels[k, j] == number
            out = np.flatnonzero(line & (side * left[k] > 0) & (side * left[k] < 18))
            i = out[0] if side > 0 and len(out) else out[-1] if len(out) else None
            while i is not None and 0 <= i < len(line) and line[i]:
                i += side
            if i is not None:
                found.append(side * left[k, min(i, len(line) - 1)])
    return float(np.percentile(found, 40)) if len(found) > 5 else float("nan")


def _discs(bodies: dict[int, Body], levels: Array, mm: float) -> Array:
    """Between planes through the endplates of two neighbours, within their outlines."""
    found = np.zeros(levels.shape, bool)
    height = np.arange(len(levels))[:, None, None]
    for upper, lower in pairwise(sorted(bodies)):
        if lower != upper + 1:
            continue
        above, below = bodies[upper].mask, bodies[lower].mask
        floor = _plane(np.where(above.any(axis=0), above.argmax(axis=0), -1))
        roof = _plane(np.where(below.any(axis=0), len(below) - 1 - below[::-1].argmax(axis=0), -1))
        outline = binary_closing(above.any(axis=0) | below.any(axis=0), iterations=3)
        found |= outline & (height < floor + 2 / mm) & (height > roof - 2 / mm)
    return found & (levels == 0)


def _plane(height: Array) -> Array:
    at = np.argwhere(height >= 0)
    slope = np.linalg.lstsq(np.c_[at, np.ones(len(at))], height[height >= 0], rcond=None)[0]
    j, i = np.indices(height.shape)
    return np.asarray(slope[0] * j + slope[1] * i + slope[2])


def resampled_labels(labels: Array, factor: Array, shape: tuple[int, ...]) -> Array:
    """Each label's mask resampled, the largest share above a half winning."""
    out, most = np.zeros(shape, np.uint8), np.full(shape, 0.5, np.float32)
    for number in np.unique(labels[labels > 0]):
        share = zoom((labels == number).astype(np.float32), factor, order=1, grid_mode=True, mode="nearest")
        wins = share > most
        out[wins], most[wins] = number, share[wins]
    return out


def ball(radius_mm: float, mm: float) -> Array:
    reach = int(np.ceil(radius_mm / mm))
    return np.square(np.mgrid[(slice(-reach, reach + 1),) * 3] * mm).sum(axis=0) <= radius_mm**2


def near(mask: Array, radius_mm: float, mm: float) -> Array:
    """What lies so near to a mask, itself included."""
    out = np.zeros(mask.shape, bool)
    if (boxes := find_objects(mask.astype(np.uint8))) and boxes[0] is not None:
        room = tuple(
            slice(max(s.start - int(radius_mm / mm) - 2, 0), s.stop + int(radius_mm / mm) + 2) for s in boxes[0]
        )
        out[room] = distance_transform_edt(~mask[room], sampling=mm) <= radius_mm
    return out


def largest(mask: Array) -> Array:
    pieces, count = label(mask)
    return mask if count < 2 else np.asarray(pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:]))


def noise(rng: np.random.Generator, shape: tuple[int, ...], grain_mm: float, mm: float) -> Array:
    """Of standard deviation 1."""
    field = gaussian_filter(rng.standard_normal(shape), grain_mm / mm)
    return np.asarray(field / field.std())


def grown(
    rng: np.random.Generator,
    allowed: Array,
    seeds: Array,
    volume_mm3: float,
    mm: float,
    *,
    rough: float = 0.8,
    grain_mm: float = 2.5,
    upright: float = 1.0,
) -> Array:
    """What is reached first from the seeds, through what is allowed and unevenly easy, up to a volume."""
    out = np.zeros(allowed.shape, bool)
    if not (seeds & allowed).any():
        return out
    at = np.argwhere(allowed)
    box = tuple(slice(low, high + 1) for low, high in zip(at.min(axis=0), at.max(axis=0), strict=True))
    open_ = allowed[box]
    cost = np.where(open_, np.exp(rough * noise(rng, open_.shape, grain_mm, mm)), -1)
    way, _ = MCP_Geometric(cost, sampling=(upright, 1, 1)).find_costs(np.argwhere(seeds[box] & open_))
    reached = np.sort(way[np.isfinite(way) & open_])
    out[box] = open_ & (way <= reached[min(int(volume_mm3 / mm**3), len(reached) - 1)])
    return out
