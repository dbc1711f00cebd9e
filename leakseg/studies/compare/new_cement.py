"""Cement of a later scan that was not there before: new, or moved from where it is missing now."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import VertebraLevel
from leakseg.criteria.compare import CompareCriteria
from leakseg.studies.compare.cement_change import CementCloud, nearest_level
from leakseg.studies.compare.scans import ScanAtTime

_SAME_SIZE = (0.5, 1.5)
"""Moved cement is about as large as what is missing [convention]."""


def new_pieces(
    scan: ScanAtTime, cloud: CementCloud, pre: ScanAtTime, before: CementCloud, criteria: CompareCriteria
) -> list[dict[str, Any]]:
    """Every piece with its place; ``moved_from`` is a leak that is gone from near by, where its size fits."""
    found = []
    for chosen in _pieces(scan, cloud, criteria):
        volume = float(cloud.volume_mm3[chosen].sum())
        centre = np.average(cloud.points_mm[chosen], axis=0, weights=cloud.volume_mm3[chosen])
        level = VertebraLevel.from_number(int(nearest_level(pre.anatomy, centre[None])[0]))
        found.append(
            {
                "volume_mm3": round(volume, 2),
                "centroid_mm": [round(float(value), 2) for value in centre],
                "nearest_level": str(level),
                "type": _type_there(scan, cloud, chosen),
                "moved_from": _moved_from(volume, centre, cloud, pre, before, criteria),
            }
        )
    return sorted(found, key=lambda piece: -piece["volume_mm3"])


def _pieces(scan: ScanAtTime, cloud: CementCloud, criteria: CompareCriteria) -> list[NDArray[np.bool_]]:
    """Connected cement without an owner, as choices of the cloud's points."""
    import cc3d

    new = (cloud.owner == 0) & cloud.known
    field = np.zeros(scan.cement.grid.shape, np.uint8)
    field[tuple(cloud.index[new].T)] = 1
    labels, count = cc3d.connected_components(field, connectivity=26, return_N=True)
    mine = np.where(new, labels[tuple(cloud.index.T)], 0)
    chosen = [mine == number for number in range(1, count + 1)]
    return [one for one in chosen if cloud.volume_mm3[one].sum() >= criteria.min_piece_mm3]


def _type_there(scan: ScanAtTime, cloud: CementCloud, chosen: NDArray[np.bool_]) -> str | None:
    """The later scan's own leak type there; None where it lies inside bone or is no leak."""
    ids = scan.leak_labels[scan.cement.window][tuple(cloud.index[chosen].T)]
    ids = ids[ids > 0]
    if not len(ids):
        return None
    number = int(np.bincount(ids).argmax())
    return next((str(leak["type"]) for leak in scan.leaks if leak["id"] == number), None)


def _moved_from(
    volume: float,
    centre: NDArray[np.float64],
    cloud: CementCloud,
    pre: ScanAtTime,
    before: CementCloud,
    criteria: CompareCriteria,
) -> int | None:
    best, nearest = None, criteria.moved_within_mm
    for leak in pre.leaks:
        own = before.owner == leak["id"]
        was = float(before.volume_mm3[own].sum())
        gone = was - float(cloud.volume_mm3[(cloud.owner == leak["id"]) & cloud.known].sum())
        away = float(np.linalg.norm(np.array(leak["centroid_mm"]) - centre))
        fits = gone >= criteria.moved_volume_share * volume and _SAME_SIZE[0] * was <= volume <= _SAME_SIZE[1] * was
        if fits and away <= nearest:
            best, nearest = int(leak["id"]), away
    return best
