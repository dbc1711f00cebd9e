"""The canal's centreline: the best path of dark regions ringed by bone, slice by slice (Viterbi).

Works on the coarse block of the whole scan, in its voxels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.canal_reward import BLOCKED, canal_reward, shifted
from leakseg.providers.builtin.contrast import Tube, dimmed, one_canal, tubes_of_contrast, with_rim
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.working import Block, Image

PLAIN_SHARE, PLAIN_SCORE = 0.6, 1.2
"""A canal found in this share of the slices, with this reward a slice, needs no second look. Measured here: canals of
real scans, changed and with cement, from 1.2; ways beside a canal full of contrast to 1.16."""
CORD_SHARE = 0.2
"""Contrast goes round the cord where so much of the way lies in what is dark."""
SEEN_ROUND_MM = (16.0, 40.0, 40.0)
"""What lies so far round a tube tells whether it is the canal."""
CLEARLY_BETTER = 1.2
"""A way through contrast is believed where its reward is so many times that of the best way without, and `PLAIN_SCORE`
a slice: measured here, real scans with contrast from 1.36; a ring of cortex round a small canal of a dense spine
with the marrow before it, has 1.04."""
RUN_MM, LONGEST_BRIDGE_MM = 24.0, 100.0
GOOD_SCORE, POOR_SCORE = 0.3, -0.6
STEEPEST_BRIDGE = 0.7
"""Sideways, a share of the way up: a canal between two stretches of itself bends no more, not in a scoliosis of 70°."""
END_MM, STRAY_MM = (20.0, 50.0), (4.0, 8.0)
"""The canal's line near its end is that of so far from there; what ends farther before it than the last has left the
canal, from where it is farther than the third on. A canal along an arc of 100 mm radius, as few lordoses, ends 6 mm
off."""


@dataclass(frozen=True, eq=False)
class Centreline:
    """``points_mm`` ``(N, 3)`` grid mm from caudal to cranial, one a coarse slice, with its ``score`` ``(N,)``.

    ``contrast_hu`` is the density of what fills the canal where it was only found with that dimmed, and ``round_cord``
    is true where that goes round the cord.
    """

    points_mm: FloatArray
    score: FloatArray
    contrast_hu: float | None = None
    round_cord: bool = False


def find_centreline(coarse: Block, densities: Densities) -> Centreline | None:
    """The canal's course through the scan, or None where nothing looks like a canal.

    Where it covers little of the scan, or hardly looks like one, a canal full of contrast medium is looked for as well.
    """
    plain = _best_path(coarse, canal_reward(coarse, densities))
    if plain is not None and _needs_no_second_look(plain, len(coarse.hu)):
        return plain
    other = _through_contrast(coarse, densities)
    if other is None or plain is None:
        return plain or other
    return other if believed(other, plain) else plain


def believed(through_contrast: Centreline, plain: Centreline) -> bool:
    """Whether a way through contrast is the canal rather than the best way without."""
    better = through_contrast.score.sum() >= CLEARLY_BETTER * plain.score.sum()
    return bool(better and through_contrast.score.mean() > PLAIN_SCORE)


def _through_contrast(coarse: Block, densities: Densities) -> Centreline | None:
    """The best way through a sac full of contrast, which may go round the cord all along it or from some height on."""
    full = _canal_of(tubes_of_contrast(coarse, densities), coarse, densities)
    ring = _canal_of(tubes_of_contrast(coarse, densities, round_cord=True), coarse, densities)
    both = (
        _canal_of((*full, *tubes_of_contrast(coarse, densities, round_cord=True, beyond=full)), coarse, densities)
        if full
        else []
    )
    ways = [way for sac in (full, ring, both) if sac and (way := _way_through(sac, coarse, densities)) is not None]
    return max(ways, key=lambda way: float(way.score.sum()), default=None)


def _canal_of(tubes: Iterable[Tube], coarse: Block, densities: Densities) -> list[Tube]:
    """Those of the tubes in which the canal seems to run; none where they would be a poor canal."""
    every = list(tubes)
    rewards = [_reward_along(tube, coarse, densities) for tube in every]
    good = [number for number, reward in enumerate(rewards) if reward > 0]
    return one_canal([every[number] for number in good], [rewards[number] for number in good], coarse.step_mm)


def _way_through(sac: list[Tube], coarse: Block, densities: Densities) -> Centreline | None:
    inside = np.logical_or.reduce([tube.mask(coarse.hu.shape) for tube in sac])
    dark = dimmed(coarse, densities, with_rim(inside, coarse, densities))
    path = _best_path(coarse, canal_reward(coarse, densities, dark))
    if path is None:
        return None
    index = np.rint(coarse.to_index(path.points_mm)).astype(np.int64)
    index = index[inside.any(axis=(1, 2))[index[:, 0]]]
    if len(index) == 0:
        return None
    in_cord = coarse.hu[tuple(index.T)] < (densities.soft_hu + sac[0].hu) / 2
    return replace(path, contrast_hu=sac[0].hu, round_cord=float(in_cord.mean()) > CORD_SHARE)


def _reward_along(tube: Tube, coarse: Block, densities: Densities) -> float:
    """The best reward in a tube, slice by slice, together: how much a canal it would be if it were dark."""
    around = np.ceil(np.array(SEEN_ROUND_MM) / coarse.step_mm).astype(int)
    low = np.maximum(tube.index.min(axis=0) - around, 0)
    high = np.minimum(tube.index.max(axis=0) + around + 1, coarse.hu.shape)
    part = Block(coarse.hu[tuple(map(slice, low, high))], coarse.origin_mm, coarse.step_mm)
    own = Tube(tube.index - low, tube.hu).mask(part.hu.shape)
    reward = canal_reward(part, densities, dimmed(part, densities, with_rim(own, part, densities)))
    best = np.where(own, reward, BLOCKED).max(axis=(1, 2))[own.any(axis=(1, 2))]
    return float(np.maximum(best, POOR_SCORE).sum())


def _needs_no_second_look(plain: Centreline, slices: int) -> bool:
    return len(plain.points_mm) > PLAIN_SHARE * slices and float(plain.score.mean()) > PLAIN_SCORE


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
            target, source = shifted((1, J, I), -dy, -dx)
            offered[target[1:]] = total[source[1:]] - 0.06 * (dy * dy + 3 * dx * dx)
            if abs(dy) == 2:
                middle, at = shifted((1, J, I), -dy // 2, 0)
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
