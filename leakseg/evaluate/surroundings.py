"""What can be measured round a leak that was missed, or told where there is none: where to begin asking why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leakseg.evaluate.values import LeakEntry, LeakRow
from leakseg.evaluate.voxels import Labels, values_at
from leakseg.geometry import FloatArray

_CEMENT_PARTS = {1: "inside bone", 2: "outside bone", 3: "metal"}
"""Values of a cement labelmap."""


@dataclass(frozen=True, eq=False)
class Maps:
    """One side's labelmaps of leaks and of cement; None where there is none."""

    leaks: Labels | None
    cement: Labels | None


def surroundings(row: LeakRow, truth: Maps, told: Maps) -> str:
    """The nearest leak of the other side, and what its cement map holds in this leak's place; empty where unknown."""
    if row.outcome == "missed":
        return _round(row.truth, truth, told, "told")
    if row.outcome == "false_positive":
        return _round(row.told, told, truth, "true")
    return ""


def _round(leak: LeakEntry | None, own: Maps, other: Maps, word: str) -> str:
    if leak is None or own.leaks is None or leak.id not in own.leaks.volumes_mm3:
        return ""
    points = own.leaks.grid.to_patient(np.argwhere(own.leaks.array == leak.id))
    said = []
    if other.leaks is not None:
        number, apart = _nearest(points, other.leaks)
        said.append(f"no {word} leak" if number is None else f"nearest {word} leak {number}, {apart:.1f} mm away")
    if other.cement is not None:
        values = values_at(other.cement, points)
        shares = {name: float((values == value).mean()) for value, name in _CEMENT_PARTS.items()}
        held = ", ".join(f"{share:.0%} {name}" for name, share in shares.items() if share)
        said.append(f"{word} cement there: {held or 'none'}")
    return "; ".join(said)


def _nearest(points: FloatArray, labels: Labels) -> tuple[int | None, float]:
    """The leak nearest to any of the points, and how far away its nearest voxel lies, mm."""
    from scipy.spatial import cKDTree

    index = np.argwhere(labels.array)
    if not len(index):
        return None, np.inf
    apart, at = cKDTree(labels.grid.to_patient(index)).query(points)
    first = int(np.argmin(apart))
    return int(labels.array[tuple(index[at[first]])]), float(apart[first])
