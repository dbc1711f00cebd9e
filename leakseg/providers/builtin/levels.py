"""Where one vertebra ends and the next begins: cuts at the discs, found by dynamic programming.

Works on the straightened scan. A disc is a dark band between two brighter ones in front of the canal; a
level has pedicles beside the canal in its upper half; neighbouring levels are of like height.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, percentile_filter

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.discs import look_for_discs, nan_mean
from leakseg.providers.builtin.frames import Straight
from leakseg.providers.builtin.hidden import with_halo

SMALLEST_GAP_MM, LARGEST_GAP_MM = 13, 52
TOLERANCE = 0.8
"""An odd height costs no more than this: fractures make vertebrae low."""
OVERLONG = 1.5
"""An end without a cut for this many heights of its neighbours holds more than one level."""
WEAK = 0.4
"""Clearness of a cut that only the spacing tells, at the most."""
LEAST_CLOSING = 0.4
"""Sides of the canal whose share of bone varies less along it tell nothing."""
CLOSED_COST = 1.5
"""Marrow darker than the discs makes the middle of a body look like a disc; but the canal is closed there."""
DEEP_VALLEY, VALLEY_COST, VALLEY_RIM = 0.6, 4.0, 0.12
"""Sides of the canal that open by more than the first, between two places where they are closed, are a foramen between
two vertebrae; no such is looked for within the last, a share of the height, of a level's ends."""
ABOVE_PEDICLES, IN_CHEST, EDGE_MM = 1.0, 2.5, 5
CHEST_MM = (17.0, 20.0)
"""In the chest, where bodies are as narrow to a side as the first of `CHEST_MM`, a disc lies at the upper edge of the
pedicles below it, so far from where the canal is closed and open; elsewhere it is open on both hands, and more than 1
makes false cuts. In thoracic_dicom with cement 466 of 519 discs have a cut within 5 mm at 1, 511 to 514 at 2 to 3."""
DARK_HU = 30.0
"""Above soft tissue: marrow less dense tells nothing of a body's width, but the cortex at its sides does."""
PLATE_SHARE_OF_WIDTH, PLATE_MM = 0.3, (4.0, 7.0)
"""A disc's bright plates lie no farther from its middle than this share of half the body's width, within these bounds:
farther, in low thoracic bodies of weak bone, the body's own plates make its marrow look like a disc."""
THICK_SLICE_MM, LEAST_DISC = (4.0, 5.0), (-0.5, -0.1)
"""In slices so thick a thoracic disc is lost between its plates: that a place looks like none speaks no more against
one there than the second. On thoracic_dicom in slices of 5 mm: 12 discs of 12 found, 1 without it."""
CLOSE_MM = 8
"""Nearer to a cut, a second disc signal is the same disc."""


@dataclass(frozen=True, eq=False)
class Signals:
    """Signals along the axis, ``(N,)`` each.

    How much a place looks like a disc (about 0 to 1), with its tilt; how much it looks like pedicles (0 to 1), and
    how far the canal's sides are closed there as among its neighbours (0 to 1); and half the width of the bodies in mm.
    """

    disc: FloatArray
    tilt_deg: FloatArray
    pedicle: FloatArray
    closed: FloatArray
    half_width_mm: FloatArray


@dataclass(frozen=True, eq=False)
class Cuts:
    """Discs from caudal to cranial: ``s_mm`` ``(C,)``, sagittal ``tilt_deg`` and ``clearness`` (about 0 to 1)."""

    s_mm: FloatArray
    tilt_deg: FloatArray
    clearness: FloatArray
    total: float


def measure_signals(
    straight: Straight, wall: Wall, densities: Densities, cement: NDArray[np.bool_], slice_mm: float = 1.0
) -> Signals:
    """Disc and pedicle signals along the axis; what cement (shaped as the straightened scan) hides tells nothing."""
    relative = np.clip(straight.hu - densities.soft_hu, -60, 350)
    hidden = with_halo(cement)
    relative[hidden] = np.nan
    half_width = _half_width(relative, straight, wall)
    reach = np.clip(PLATE_SHARE_OF_WIDTH * half_width, *PLATE_MM)
    contrast, tilt = look_for_discs(relative, hidden, straight, wall, reach)
    disc = contrast / np.maximum(_running_percentile(contrast, 93, 61), 15)
    beside = _beside_canal(straight, wall, densities, hidden)
    low, high = _running_percentile(beside, 12, 75), _running_percentile(beside, 88, 75)
    pedicle = (beside - low) / np.maximum(high - low, 40)
    closed = gaussian_filter1d(wall.closed, 1.0)
    low, high = _running_percentile(closed, 10, 75), _running_percentile(closed, 90, 75)
    closed = np.clip((closed - low) / np.maximum(high - low, LEAST_CLOSING), 0, 1)
    least = float(np.interp(slice_mm, THICK_SLICE_MM, LEAST_DISC))
    return Signals(np.clip(disc, least, 1.5), tilt, np.clip(pedicle, 0, 1.2), closed, half_width)


def find_cuts(signals: Signals, largest_gap_mm: int = LARGEST_GAP_MM) -> Cuts:
    """The best sequence of cuts: second-order dynamic programming over (position, gap to the cut below)."""
    N = len(signals.disc)
    at_cut = 1.3 * disc_in_open(signals) - 0.7 * signals.pedicle - 0.4
    at_cut += np.interp(signals.half_width_mm, CHEST_MM, (IN_CHEST, ABOVE_PEDICLES)) * _closed_below(signals)
    gaps = np.arange(SMALLEST_GAP_MM, largest_gap_mm + 1)
    change = -np.minimum(0.006 * (gaps[:, None] - gaps[None, :]) ** 2 * (25 / gaps[:, None]) ** 2, TOLERANCE)
    total = np.full((N, len(gaps)), -np.inf)
    came = np.full((N, len(gaps)), -1, np.int32)  # number of the gap before; -1: the cut below is the first
    score, middle = _interval_maxima(signals, gaps)  # of each level, by its upper half's pedicles first
    foramen = VALLEY_COST * np.maximum(_deepest_valley(signals, gaps) - DEEP_VALLEY, 0)
    for number, gap in enumerate(gaps):
        width = 1.05 * signals.half_width_mm
        level = 0.8 * (score[:, number] - 0.7) - np.maximum(middle[:, number] - 0.45, 0)
        level -= 0.0015 * float(np.maximum(gap - 40, 0)) ** 2 + 0.015 * float(np.maximum(18 - gap, 0)) ** 2
        level -= np.minimum(0.02 * np.maximum(width - gap, 0) ** 2, TOLERANCE) + foramen[:, number]
        score[:, number] = level
    for position in range(SMALLEST_GAP_MM, N):
        usable = gaps <= position
        below = position - gaps[usable]
        options = total[below] + change[: usable.sum()]  # (gap, gap before)
        best = options.argmax(axis=1)
        carried = options[np.arange(len(best)), best]
        first = at_cut[below]
        came[position, usable] = np.where(carried > first, best, -1)
        total[position, usable] = np.maximum(carried, first) + score[position, usable] + at_cut[position]
    if not np.isfinite(total).any():
        peak = int(at_cut.argmax())
        return _cuts([peak] if at_cut[peak] > 0 else [], signals, float(max(at_cut[peak], 0)))
    position, number = (int(value) for value in np.unravel_index(int(total.argmax()), total.shape))
    best_total = float(total[position, number])
    if float(at_cut.max()) > best_total:
        return _cuts([int(at_cut.argmax())], signals, float(at_cut.max()))
    positions = [position]
    while number >= 0:
        before = int(came[position, number])
        position -= int(gaps[number])
        positions.append(position)
        number = before
    return _cuts(positions[::-1], signals, best_total)


def continue_cuts(cuts: Cuts, signals: Signals) -> Cuts:
    """The cuts, and weak ones beyond both ends where the axis goes on for more than a level without any.

    They keep levels and ribs beyond a disc that was hardly seen from being taken for the last level's; their
    low clearness makes every name beyond them doubtful.
    """
    positions = [int(s) for s in cuts.s_mm]
    clearness = list(cuts.clearness)
    gaps = np.diff(cuts.s_mm)
    if len(gaps) == 0:
        return cuts
    looks = disc_in_open(signals) - 0.5 * signals.pedicle
    for upward in (True, False):
        gap = float(np.median(gaps[-3:] if upward else gaps[:3]))
        while True:
            end = positions[-1] if upward else positions[0]
            left = len(looks) - end if upward else end
            if left < OVERLONG * gap:
                break
            offset = np.arange(round(0.75 * gap), min(round(1.25 * gap), left - CLOSE_MM) + 1)
            at = end + offset if upward else end - offset
            best = int(at[(looks[at] - 2 * (offset / gap - 1) ** 2).argmax()])
            positions.insert(len(positions) if upward else 0, best)
            clearness.insert(len(clearness) if upward else 0, min(float(np.clip(signals.disc[best], 0, 1)), WEAK))
    index = np.array(positions)
    return Cuts(index.astype(np.float64), signals.tilt_deg[index], np.array(clearness), cuts.total)


def _cuts(positions: list[int], signals: Signals, total: float) -> Cuts:
    index = np.array(positions, dtype=np.int64)
    return Cuts(index.astype(np.float64), signals.tilt_deg[index], np.clip(signals.disc[index], 0, 1), total)


def disc_in_open(signals: Signals) -> FloatArray:
    """``(N,)`` how much a place looks like a disc, less what a canal closed there speaks against one."""
    return np.asarray(signals.disc - CLOSED_COST * np.maximum(signals.closed - 0.5, 0), dtype=np.float64)


def _closed_below(signals: Signals) -> FloatArray:
    """``(N,)`` how much more pedicles close the canal's sides just below each place than just above it, -1 to 1."""
    sides = np.pad(np.clip((signals.pedicle + signals.closed) / 2, 0, 1), EDGE_MM, mode="edge")
    return np.asarray(sides[: -2 * EDGE_MM] - sides[2 * EDGE_MM :], dtype=np.float64)


def _interval_maxima(signals: Signals, gaps: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """For the level of each gap below each position: best pedicle of its upper half, best disc of its middle."""
    N = len(signals.disc)
    pedicle, disc = np.zeros((N, len(gaps))), np.zeros((N, len(gaps)))
    for number, gap in enumerate(gaps):
        for out, values, near, far in (
            (pedicle, signals.pedicle, 0.12, 0.55),
            (disc, disc_in_open(signals), 0.32, 0.70),
        ):
            start, stop = round(near * gap), max(round(far * gap), round(near * gap) + 1)
            size = stop - start + 1
            running = maximum_filter1d(values, size, mode="nearest", origin=-(size // 2))
            # running[i] is the maximum over i ... i + size - 1
            index = np.clip(np.arange(N) - stop, 0, N - 1)
            out[:, number] = running[index]
    return pedicle, disc


def _deepest_valley(signals: Signals, gaps: NDArray[np.int64]) -> FloatArray:
    """``(N, G)`` how far the sides open between two closed places of the level of each gap below each position."""
    sides = np.clip(np.maximum(signals.pedicle, signals.closed), 0, 1)
    N = len(sides)
    out = np.zeros((N, len(gaps)))
    for number, gap in enumerate(gaps):
        rim = round(VALLEY_RIM * gap)
        if gap >= N:
            break
        inner = np.lib.stride_tricks.sliding_window_view(sides, int(gap) + 1)[:, rim : gap + 1 - rim]
        below = np.maximum.accumulate(inner, axis=1)
        above = np.maximum.accumulate(inner[:, ::-1], axis=1)[:, ::-1]
        out[gap:, number] = (np.minimum(below, above) - inner).max(axis=1)
    return out


def _beside_canal(straight: Straight, wall: Wall, densities: Densities, cement: NDArray[np.bool_]) -> FloatArray:
    """``(N,)`` mean HU in the 8 mm beside the canal's front half, the better-seen side counting as much."""
    rows = (straight.u_mm >= -9) & (straight.u_mm <= -2)
    hu = np.where(cement[:, rows], np.nan, np.clip(straight.hu[:, rows], -100, 900))
    section = nan_mean(np.moveaxis(hu, 1, 2))  # (N, V)
    out = []
    for side, angle in ((1, np.pi / 2), (-1, -np.pi / 2)):
        start = wall.towards(angle)
        distance = side * straight.v_mm[None, :] - start[:, None]
        weight = ((distance >= 0) & (distance <= 8) & np.isfinite(section)).astype(float)
        out.append((np.nan_to_num(section) * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1))
    return np.asarray(gaussian_filter1d(np.mean(out, axis=0), 1.0) - densities.soft_hu, dtype=np.float64)


def _half_width(relative: NDArray[np.float32], straight: Straight, wall: Wall) -> FloatArray:
    """``(N,)`` half the width of the bodies, from the bright plateau across the midline, smoothed."""
    N = len(relative)
    depths = np.arange(8.0, 21.0, 2.0)
    u = -wall.front_mm[:, None] - depths
    index = np.clip(np.rint(u - straight.u_mm[0]).astype(np.int64), 0, relative.shape[1] - 1)
    profile = nan_mean(np.moveaxis(relative[np.arange(N)[:, None], index], 1, 2))  # (N, V)
    profile = gaussian_filter1d(np.nan_to_num(profile), 12, axis=0)
    profile = gaussian_filter1d((profile + profile[:, ::-1]) / 2, 1.5, axis=1)
    centre = profile.shape[1] // 2
    half = profile[:, centre:]
    inner = half[:, :10].mean(axis=1, keepdims=True)
    steepest = np.gradient(half, axis=1)[:, 8:42].argmin(axis=1) + 8
    falls = (half < 0.5 * inner)[:, 8:42]
    crossing = np.where(falls.any(axis=1), falls.argmax(axis=1) + 8, steepest)
    peak = half[:, 8:42].max(axis=1, keepdims=True)
    beyond = np.maximum.accumulate(half[:, 8:42] == peak, axis=1) & (half[:, 8:42] < 0.5 * peak)
    shell = (inner[:, 0] < DARK_HU) & beyond.any(axis=1)
    crossing = np.where(shell, beyond.argmax(axis=1) + 8, crossing)
    return np.asarray(gaussian_filter1d(np.clip(crossing, 9, 36).astype(float), 15, mode="nearest"), dtype=np.float64)


def _running_percentile(values: FloatArray, percent: float, size: int) -> FloatArray:
    window = min(size, 2 * (len(values) // 2) + 1)
    return np.asarray(percentile_filter(values, percent, window, mode="reflect"), dtype=np.float64)
