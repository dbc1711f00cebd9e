"""What is said of slices that do not follow one another evenly: one sentence a fault, with its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leakseg.findings import QualityNote
from leakseg.geometry import FloatArray
from leakseg.readers.headers import SliceHeader


def uneven(positions: FloatArray, axis: int, gaps: FloatArray, even: tuple[float, float], total: int) -> str:
    """Gaps of several sizes; ``even`` is the commonest spacing and how far a gap may differ from it."""
    parts = _even_parts(gaps, *even)
    if len(parts) == 2 and min(stop - start for start, stop in parts) >= 2:
        (start, stop), (second, end) = parts
        return (
            f"Two stacks in one series: {stop - start + 1} slices from {where(positions[start], axis)} to "
            f"{where(positions[stop], axis)} and {end - second + 1} from {where(positions[second], axis)} to "
            f"{where(positions[end], axis)}. Export each as a series of its own."
        )
    counted = Counter(round(float(gap), 2) for gap in gaps)
    common = ", ".join(f"{gap:.2f} mm {_times(times)}" for gap, times in counted.most_common(3))
    return (
        f"Uneven spacing: the gaps between slices run from {gaps.min():.2f} to {gaps.max():.2f} mm "
        f"({common}{', …' * (len(counted) > 3)}; {total} slices). Slices are missing, or several stacks are mixed. "
        "Export the whole series again."
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _even_parts(gaps: FloatArray, spacing: float, tolerance: float) -> list[tuple[int, int]]:
    """Runs (first slice, last slice) within which every gap is the spacing, the gaps between them left out."""
    even = np.abs(gaps - spacing) <= 2 * tolerance
    if (~even).sum() != 1:
        return []
    at = int(np.flatnonzero(~even)[0])
    return [(0, at), (at + 1, len(gaps))]


def missing(positions: FloatArray, axis: int, gaps: FloatArray, steps: NDArray[np.int64], total: int) -> str:
    """One gap or more that is a multiple (``steps``) of the spacing."""
    at = int(np.flatnonzero(steps > 1)[0])
    absent = int(steps[at]) - 1
    what = "Slice missing" if absent == 1 else f"{absent} slices missing"
    spacing = float(np.median(gaps / steps))
    places = int((steps > 1).sum())
    more = f" There are {places} such gaps." if places > 1 else ""
    between = f"{where(positions[at], axis)} and {where(positions[at + 1], axis)}"
    gap = f"the gap is {gaps[at]:.2f} mm where the spacing is {spacing:.2f} mm"
    return f"{what} between {between}: {gap} ({total} slices).{more} Export the whole series again."


def as_well(
    positions: FloatArray,
    normal: FloatArray,
    axis: int,
    doubles: dict[int, tuple[SliceHeader, ...]],
    kept: Sequence[SliceHeader],
) -> str:
    """What else is wrong with slices that are refused for their spacing."""
    told = ""
    if doubles:
        place = where(np.array(kept[min(doubles)].position), axis)
        told += f" Double position as well: {len(doubles)} held by more than one slice (first at {place})."
    along = positions[-1] - positions[0]
    tilt = np.degrees(np.arccos(min(1.0, float(along @ normal / np.linalg.norm(along)))))
    if tilt > 0.1:
        told += f" The gantry is tilted as well, by {tilt:.1f}°."
    return told


def where(position: FloatArray, axis: int) -> str:
    """Where a slice lies along the patient axis that the stack follows."""
    return f"{'xyz'[axis]} = {position[axis]:.2f} mm"


def bridges(positions: FloatArray, axis: int, index: Sequence[int]) -> list[QualityNote]:
    """Notes of slices put in by interpolation."""
    return [
        QualityNote(
            "slice_bridged",
            "warning",
            f"Slice missing between {where(positions[at], axis)} and {where(positions[at + 1], axis)}: the gap is "
            f"{np.linalg.norm(positions[at + 1] - positions[at]):.2f} mm; it was bridged by interpolation.",
        )
        for at in np.flatnonzero(np.diff(index) > 1)
    ]


def double_notes(
    doubles: dict[int, tuple[SliceHeader, ...]], kept: Sequence[SliceHeader], axis: int
) -> list[QualityNote]:
    """Notes of slices that lie at one place."""
    if not doubles:
        return []
    extra = sum(len(others) for others in doubles.values())
    first = kept[min(doubles)].position
    assert first is not None
    return [
        QualityNote(
            "slices_double",
            "info",
            f"{extra} slice{'s' * (extra > 1)} found twice at one position (first at {where(np.array(first), axis)}); "
            "used once, where the pixels are identical.",
        )
    ]
