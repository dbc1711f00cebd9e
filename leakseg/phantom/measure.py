"""What a leak truly is: side, subtype, segment and canal encroachment from its finely sampled shape.

Definitions are the project's (one page shared by classifier, phantoms and evaluator): a side needs four fifths
of the volume; central and paracentral go by the larger share in the thirds of the canal; encroachment is
the largest share of a section square to the canal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leakseg.anatomy import VertebraLevel
from leakseg.findings import LeakSubtype, Side
from leakseg.geometry import FloatArray
from leakseg.phantom.frames import STEP_MM
from leakseg.phantom.survey import CANAL, DISC, FORAMEN, Survey

SIDE_SHARE = 0.8
_SECTION_MM = 1.0


@dataclass(frozen=True)
class Measured:
    """Truth measures of one leak; the shares say how far it lies from the borders of the definitions."""

    side: Side
    left_share: float
    middle_share: float
    segment: str
    encroachment: float | None
    centroid_mm: tuple[float, float, float]


def measure(
    survey: Survey, points: FloatArray, weights_mm3: FloatArray, place: int, gap: int | None, level: VertebraLevel
) -> Measured:
    """Measure a leak.

    Parameters
    ----------
    points
        ``(N, 3)`` patient points of its fine voxels.
    weights_mm3
        ``(N,)`` cement volume of each.
    """
    suv = survey.line.to_suv(points)
    total = weights_mm3.sum()
    middle_v = 0.0 if place in {CANAL, FORAMEN} else survey.vertebrae[level].middle_v_mm
    v = suv[:, 2] - middle_v
    left = float(weights_mm3[v > 0].sum() / total)
    rows = np.clip(np.rint(suv[:, 0] / STEP_MM).astype(int), 0, len(survey.canal_half_width_mm) - 1)
    third = survey.canal_half_width_mm[rows] / 3
    lateral_left = float(weights_mm3[v > third].sum() / total)
    lateral_right = float(weights_mm3[v < -third].sum() / total)
    if left >= SIDE_SHARE:
        side = Side.LEFT
    elif left <= 1 - SIDE_SHARE:
        side = Side.RIGHT
    elif place == CANAL and min(lateral_left, lateral_right) >= 0.2:
        side = Side.BILATERAL
    else:
        side = Side.MIDLINE
    centre_s = float(np.average(suv[:, 0], weights=weights_mm3))
    if gap is not None and place in {FORAMEN, DISC}:
        segment = "/".join(survey.gaps[gap])
    else:
        segment = str(min(survey.vertebrae.values(), key=lambda frame: abs(frame.middle_mm - centre_s)).level)
    x, y, z = np.average(points, axis=0, weights=weights_mm3)
    return Measured(
        side,
        left,
        1 - lateral_left - lateral_right,
        segment,
        encroachment(survey, suv[:, 0], weights_mm3) if place == CANAL else None,
        (float(x), float(y), float(z)),
    )


def encroachment(survey: Survey, s_mm: FloatArray, weights_mm3: FloatArray) -> float:
    """Largest share of the canal's section that cement takes, over sections 1 mm thick."""
    canal_s = np.nonzero(survey.canal)[0] * STEP_MM
    length = survey.line.length_mm
    edges = np.arange(0.0, length + 2 * _SECTION_MM, _SECTION_MM)
    canal = np.histogram(canal_s, edges)[0] * STEP_MM**3
    cement = np.histogram(s_mm, edges, weights=weights_mm3)[0]
    kernel = np.ones(3) / 3
    canal, cement = np.convolve(canal, kernel, "same"), np.convolve(cement, kernel, "same")
    whole = canal > 0.6 * np.median(canal[canal > 0])
    if not (whole & (cement > 0)).any():
        return 0.0
    return float(min(1.0, (cement[whole] / canal[whole]).max()))


def is_clear(measured: Measured, subtype: LeakSubtype | None, side: Side | None = None) -> bool:
    """Whether the leak lies clear of the borders of the definitions, so that truth has one answer."""
    if side is Side.BILATERAL and not 0.35 < measured.left_share < 0.65:
        return False
    if 0.70 < measured.left_share < 0.87 or 0.13 < measured.left_share < 0.30:
        return False
    if subtype is LeakSubtype.CENTRAL:
        return measured.middle_share > 0.62
    if subtype is LeakSubtype.PARACENTRAL:
        return measured.middle_share < 0.38
    return True
