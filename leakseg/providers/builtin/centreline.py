"""The canal's centreline: the best path of dark regions ringed by bone, slice by slice (Viterbi).

Works on the coarse block of the whole scan, in its voxels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter, uniform_filter, uniform_filter1d

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.contrast import dimmed, one_canal, sac_like, with_rim
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
PLAIN_SHARE = 0.6
"""A canal found in this share of the slices needs no second look."""
CLEARLY_BETTER = 1.2
"""A way through contrast is believed where its reward is so many times that of the best way without."""
RUN_MM, LONGEST_BRIDGE_MM = 24.0, 100.0
GOOD_SCORE, POOR_SCORE = 0.3, -0.6
STEEPEST_BRIDGE = 0.7
"""Sideways, a share of the way up: a canal between two stretches of itself bends no more, not in a scoliosis of 70°."""
END_MM, STRAY_MM = (20.0, 50.0), (4.0, 8.0)
"""The canal's line near its end is that of so far from there; what ends farther before it than the last has left the
canal, from where it is farther than the third on. A canal along an arc of 100 mm radius, as few lordoses, ends 6 mm
off."""
MIDDLE_MM, ASIDE_COST, DEAREST_ASIDE = 30.0, 0.04, 2.0
"""Farther from the middle of the patient each mm costs the second, up to the third: marrow of the hip and the thigh is
dark and ringed by bone as well. Convention: the spine of a scoliosis stays within some 3 cm of there."""
FLESH_HU, EDGE_SHARE = -250.0, 0.1
"""Where the columns at both sides of the scan hold less flesh than this share of the fullest, all of the patient is in
view."""


@dataclass(frozen=True, eq=False)
class Centreline:
    """``points_mm`` ``(N, 3)`` grid mm from caudal to cranial, one a coarse slice, with its ``score`` ``(N,)``.

    ``through_contrast`` is true where the canal was only found with bright, broad regions dimmed.
    """

    points_mm: FloatArray
    score: FloatArray
    through_contrast: bool = False


def find_centreline(coarse: Block, densities: Densities) -> Centreline | None:
    """The canal's course through the scan, or None where nothing looks like a canal.

    Where it covers little of the scan, a canal full of contrast medium is looked for as well.
    """
    plain = _best_path(coarse, canal_reward(coarse, densities))
    if plain is not None and len(plain.points_mm) > PLAIN_SHARE * len(coarse.hu):
        return plain
    tubes = sac_like(coarse, densities)
    if not tubes.any():
        return plain
    bright = with_rim(tubes, coarse, densities)
    reward = canal_reward(coarse, densities, dimmed(coarse, densities, bright))
    sac = one_canal(tubes, reward, coarse.step_mm)
    reward[bright & ~with_rim(sac, coarse, densities)] = BLOCKED
    other = _best_path(coarse, reward)
    if other is None or (plain is not None and other.score.sum() < CLEARLY_BETTER * plain.score.sum()):
        return plain
    return replace(other, through_contrast=True)


def _best_path(coarse: Block, reward: Image) -> Centreline | None:
    path = viterbi(reward, blocked=reward <= BLOCKED / 2)
    score = np.array([reward[z, y, x] for z, y, x in path])
    kept = _best_run(np.maximum(score, -2.0), path[:, 2].astype(np.float64) * coarse.step_mm, coarse.step_mm)
    if kept is None:
        return None
    path, score = path[kept], score[kept]
    points_mm = np.asarray(coarse.origin_mm + path * coarse.step_mm, dtype=np.float64)
    return Centreline(_with_straight_ends(_with_straight_ends(points_mm)[::-1])[::-1], score)


def _with_straight_ends(points_mm: FloatArray) -> FloatArray:
    """The path with its last points on the line of those before, where it turns forward farther than a canal bends.

    Near the scan's end no endplate bars the way from the canal into a body of weak bone.
    """
    before_end_mm = np.abs(points_mm[-1, 0] - points_mm[:, 0])
    fit = (before_end_mm >= END_MM[0]) & (before_end_mm <= END_MM[1])
    if before_end_mm[0] < END_MM[1]:
        return points_mm
    line = np.polynomial.polynomial.polyfit(before_end_mm[fit], points_mm[fit, 1:], 1)
    straight = np.polynomial.polynomial.polyval(before_end_mm, line).T
    off_mm = straight[:, 0] - points_mm[:, 1]
    last = before_end_mm < END_MM[0]
    if off_mm[-1] < STRAY_MM[1]:
        return points_mm
    out = points_mm.copy()
    from_here = np.flatnonzero(~last | (off_mm < STRAY_MM[0]))[-1] + 1
    out[from_here:, 1:] = straight[from_here:]
    return out


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
            target, source = _shifted(bone.shape, dy, dx)
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


def _shifted(shape: tuple[int, ...], dy: int, dx: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
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
    target, source = _shifted(mean.shape, shift, 0)
    out[target] = mean[source]
    return out


def viterbi(reward: Image, *, blocked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The path of highest total reward along axis 0, with free ends: ``(N, 3)`` voxels, caudal to cranial.

    A step may go two voxels forward or back and one sideways; it pays for bending away from straight up
    and for jumping over bone.

    References
    ----------
    Viterbi 1967, doi 10.1109/TIT.1967.1054010
    """
    moves = [(dy, dx) for dy in (-2, -1, 0, 1, 2) for dx in (-1, 0, 1)]
    depth, J, I = reward.shape  # noqa: E741  the axis is named so throughout
    total = reward[0].copy()
    came = np.full((depth, J, I), -1, np.int8)
    best_end, best_total = (0, int(total.argmax())), float(total.max())
    for z in range(1, depth):
        best = np.zeros((J, I), np.float32)  # a path may begin anywhere
        for number, (dy, dx) in enumerate(moves):
            offered = np.full((J, I), -np.inf, np.float32)
            target, source = _shifted((1, J, I), -dy, -dx)
            offered[target[1:]] = total[source[1:]] - 0.06 * (dy * dy + 3 * dx * dx)
            if abs(dy) == 2:
                middle, at = _shifted((1, J, I), -dy // 2, 0)
                jumped = np.zeros((J, I), np.float32)
                jumped[middle[1:]] = np.where(blocked[z - 1][at[1:]] & blocked[z][at[1:]], BLOCKED, 0)
                offered += jumped
            better = offered > best
            came[z][better] = number
            np.copyto(best, offered, where=better)
        total = best + reward[z]
        peak = int(total.argmax())
        if total.flat[peak] > best_total:
            best_total, best_end = float(total.flat[peak]), (z, peak)
    z, (y, x) = best_end[0], divmod(best_end[1], I)
    path = [(z, y, x)]
    while z > 0 and came[z, y, x] >= 0:
        dy, dx = moves[came[z, y, x]]
        z, y, x = z - 1, y - dy, x - dx
        path.append((z, y, x))
    return np.array(path[::-1])


def _best_run(score: FloatArray, x_mm: FloatArray, step_mm: float) -> slice | None:
    """The run of highest total score whose running mean stays high; None where there is none.

    Two such runs are one where the way between them is not too poor or too long, as at a laminectomy, and goes up
    rather than sideways (``x_mm``): a steep one leads from the canal to the marrow of another bone.
    """
    size = max(1, int(RUN_MM / step_mm))
    mean = uniform_filter1d(score, size, mode="nearest")
    beyond = np.pad(x_mm, size // 2, mode="edge")
    sideways = np.abs(beyond[2 * (size // 2) :] - beyond[: len(x_mm)]) / RUN_MM
    high = np.flatnonzero(mean > GOOD_SCORE)
    if len(high) == 0:
        return None
    runs = [[int(high[0]), int(high[0]) + 1]]
    for position in high[1:]:
        start = runs[-1][1]
        near = (position - start) * step_mm <= LONGEST_BRIDGE_MM
        way = slice(start, position)
        if near and bool(np.all(mean[way] > POOR_SCORE)) and bool(np.all(sideways[way] < STEEPEST_BRIDGE)):
            runs[-1][1] = int(position) + 1
        else:
            runs.append([int(position), int(position) + 1])
    start, stop = max(runs, key=lambda run: float((mean[run[0] : run[1]] - GOOD_SCORE).sum()))
    return slice(start, stop)
