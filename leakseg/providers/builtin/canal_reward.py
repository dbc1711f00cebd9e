"""How much each voxel looks like the middle of the canal: a dark region ringed by bone, behind a body.

Works on the coarse block of the whole scan, in its voxels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, uniform_filter, uniform_filter1d

from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.working import Block, Image

RAYS = 16
RAY_MM = 26.0
MIN_CHORD_MM, MAX_CHORD_MM, MAX_AP_CHORD_MM = 8.0, 34.0, 28.0
NEAR_MM = 18.0
DARKEST_HU = -40.0
"""Above soft tissue: fat before the canal and marrow speak no more against a body than this. From 0, noise passes for
bone."""
BLOCKED, CROSSED = -30.0, 0.0
CEMENT_HU, RIM_VOXELS = 1000.0, 5
"""Cement with the rim to which it fades (the second, across it) speaks neither for nor against a canal there."""
MIDDLE_MM, ASIDE_COST, DEAREST_ASIDE = 30.0, 0.04, 2.0
"""Farther from the middle of the patient each mm costs the second, up to the third: marrow of the hip and the thigh is
dark and ringed by bone as well. Convention: the spine of a scoliosis stays within some 3 cm of there."""
FLESH_HU, EDGE_SHARE = -250.0, 0.1
"""Where the columns at both sides of the scan hold less flesh than this share of the fullest, all of the patient is in
view."""


def canal_reward(coarse: Block, densities: Densities, tube: Block | None = None) -> Image:
    """How much each voxel looks like the middle of the canal; `BLOCKED` in bone and air.

    ``tube``: the block in which the canal is dark, where that is not the scan itself.
    """
    bright = np.clip(coarse.hu, -300, 1100)
    hu = gaussian_filter(bright if tube is None else np.clip(tube.hu, -300, 1100), 0.5)
    soft = densities.soft_hu
    bone = hu > soft + 90
    step = coarse.step_mm
    features = _ray_features(bone, step)
    z16 = max(1, round(16 / step))
    near = (features.chords + features.near) / 2
    near = (near + uniform_filter1d(maximum_filter(near, (z16, 1, 1)), 3, axis=0)) / 2
    centred = uniform_filter1d(features.centring, z16, axis=0) * features.chords
    front = _box_mean(np.clip(bright - soft, DARKEST_HU, 350), (32, 24, 22), -21, step)
    behind = _box_mean(np.clip(bright - soft - 60, 0, 300), (24, 16, 16), 18, step)
    plausible = (near > 0.6) & ~bone & (hu > soft - 200)
    if plausible.sum() < 50:
        plausible = ~bone
    front /= float(np.clip(np.percentile(front[plausible], 60), 15, 120))
    behind /= float(np.clip(np.percentile(behind[plausible], 60), 10, 90))
    np.clip(behind, 0, 1, out=behind)
    tone = np.clip((gaussian_filter(hu, 2 / step) - soft - 15) / 60, 0, 1.2)
    reward = near + 0.4 * behind + 0.3 * features.behind + centred
    reward *= 0.3 + 0.7 * np.clip(front / 0.6, 0, 1)
    reward *= 0.5 + 0.5 * behind
    reward += 0.4 * np.clip(front, -1, 1) - 1.8 * tone - 0.7 - _cost_aside(coarse)[:, None]
    reward[bone | (hu < soft - 250)] = BLOCKED
    cement = maximum_filter(coarse.hu >= CEMENT_HU, RIM_VOXELS) & bone
    reward[cement] = np.maximum(reward[cement], CROSSED)
    out: Image = uniform_filter(reward, (1, 3, 3))
    out[bone & ~cement] = BLOCKED
    return out


def _cost_aside(coarse: Block) -> Image:
    """``(K, I)`` what lying far from the patient's middle costs; nothing where the patient's sides are nowhere in view.

    Slices that cut off a side have their middle from those that do not.
    """
    flesh = (coarse.hu > FLESH_HU).sum(axis=1, dtype=np.float32)  # (K, I)
    flesh = uniform_filter1d(flesh, max(1, round(MIDDLE_MM / coarse.step_mm)), axis=0, mode="nearest")
    across = np.arange(flesh.shape[1], dtype=np.float32)
    whole = np.flatnonzero(np.maximum(flesh[:, 0], flesh[:, -1]) < EDGE_SHARE * np.maximum(flesh.max(axis=1), 1))
    if len(whole) == 0:
        return np.zeros_like(flesh)
    middle = (flesh * across).sum(axis=1) / np.maximum(flesh.sum(axis=1), 1)
    middle = np.interp(np.arange(len(flesh)), whole, middle[whole])
    aside_mm = np.abs(across - middle[:, None]) * coarse.step_mm
    return np.asarray(np.clip(ASIDE_COST * (aside_mm - MIDDLE_MM), 0, DEAREST_ASIDE), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class _RayFeatures:
    chords: Image
    centring: Image
    near: Image
    behind: Image


def _ray_features(bone: NDArray[np.bool_], step_mm: float) -> _RayFeatures:
    """In-plane rays to the nearest bone, taken together: chords, their centring, near hits, hits behind."""
    reach = int(RAY_MM / step_mm)
    near_steps = int(NEAR_MM / step_mm)
    distances: list[NDArray[np.uint8]] = []
    for ray in range(RAYS):
        angle = 2 * np.pi * ray / RAYS  # 0 points backward
        distance = np.zeros(bone.shape, np.uint8)
        for radius in range(reach, 0, -1):
            dy, dx = round(radius * np.cos(angle)), round(radius * np.sin(angle))
            target, source = shifted(bone.shape, dy, dx)
            np.copyto(distance[target], np.uint8(radius), where=bone[source])
        distances.append(distance)
    chords = np.zeros(bone.shape, np.float32)
    centring = np.zeros(bone.shape, np.float32)
    for ray in range(RAYS // 2):
        one, other = distances[ray], distances[ray + RAYS // 2]
        length = one + other
        longest = MAX_AP_CHORD_MM if ray in {0, 1, RAYS // 2 - 1} else MAX_CHORD_MM
        hit = (one > 0) & (other > 0) & (length >= MIN_CHORD_MM / step_mm) & (length <= longest / step_mm)
        chords += hit
        gap = np.maximum(one, other) - np.minimum(one, other)
        centring += hit * (1 - gap / np.maximum(length, 1).astype(np.float32))
    np.divide(centring, np.maximum(chords, 1), out=centring)
    chords /= RAYS // 2
    near = np.zeros(bone.shape, np.float32)
    for distance in distances:
        near += (distance > 0) & (distance <= near_steps)
    near /= RAYS
    behind = np.zeros(bone.shape, np.float32)
    for ray in (-2, -1, 0, 1, 2):
        behind += distances[ray] > 0
    behind /= 5
    return _RayFeatures(chords, centring, near, behind)


def shifted(shape: tuple[int, ...], dy: int, dx: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices of the voxels that have a neighbour at ``(dy, dx)``, and of those neighbours."""
    J, I = shape[1:]  # noqa: E741  the axis is named so throughout
    target = (slice(None), slice(max(0, -dy), J - max(0, dy)), slice(max(0, -dx), I - max(0, dx)))
    source = (slice(None), slice(max(0, dy), J - max(0, -dy)), slice(max(0, dx), I - max(0, -dx)))
    return target, source


def _box_mean(values: Image, size_mm: tuple[float, float, float], behind_mm: float, step_mm: float) -> Image:
    """Mean in a box whose centre lies ``behind_mm`` behind each voxel."""
    size = [max(1, round(length / step_mm)) for length in size_mm]
    mean = uniform_filter(values, size, mode="nearest")
    shift = round(behind_mm / step_mm)
    out: Image = np.zeros_like(mean)
    target, source = shifted(mean.shape, shift, 0)
    out[target] = mean[source]
    return out
