"""Which levels are beyond doubt: their discs are clear, nothing was passed over, and their height is a vertebra's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.levels import CLOSE_MM, Cuts, Signals, disc_in_open

LEAST_CLEARNESS, LEAST_WITH_FORAMINA = 0.5, 0.3
OPEN_SIDES, CLOSED_SIDES, BESIDE_CUT_MM, TO_PEDICLE_MM = 0.3, 0.6, 3, 25
"""A faint disc is clear enough where pedicles and the closing of the canal fall below the first so near to it, and rise
above the second so near to that on both hands: foramina."""
LEAST_HEIGHT = 0.85
BODY_WIDTHS_MM, GREATEST_HEIGHT = (15.0, 20.0), (2.3, 1.65)
"""A level with its disc, as a share of half its body's width, at the most: for narrow and for broad bodies."""
NEIGHBOUR_RATIO = 0.77
USUAL_TO_TALL, PASSED_OVER = (1.0, 1.15), (0.8, 0.5)
"""A place between foramina that looks so much like a disc is one that no cut was put through, in a level as high as its
neighbours and in one so much higher, which may hold a vertebra plana too. On verse005 with a body 5 to 7 mm high
between discs too near together to be cut both: 0.69 at 1.14, 0.72 at 1.28; the plain scan's levels show 0.33 at the
most."""
CLEARER = 0.1
"""A place within a level that looks more like a disc than both of its own, by this much, may be the disc they are not:
in weak bone the middle of a body is dark between bright plates as well."""
CRUSHED_HEIGHT, CRUSHED_RATIO = 0.6, 0.5
"""A level between foramina on both ends may be so low: no cut was put through the middle of a vertebra there."""
TALLEST_PEDICLE_MM = 18


def trusted_levels(cuts: Cuts, signals: Signals) -> NDArray[np.bool_]:
    """``(C + 1,)`` whether each level's discs are clear and its height fits the bodies' width and its neighbours.

    A cut too many or too few makes every name beyond it wrong; this is where one would show.
    """
    trusted = np.ones(len(cuts.s_mm) + 1, bool)
    foramina = _between_foramina(cuts, signals)
    unclear = cuts.clearness < np.where(foramina, LEAST_WITH_FORAMINA, LEAST_CLEARNESS)
    at_start, at_end = cuts.s_mm < CLOSE_MM, cuts.s_mm > len(signals.disc) - 1 - CLOSE_MM
    trusted[:-1] &= ~unclear | at_end  # a whole level is not doubtful for what the scan's edge does to its outer disc
    trusted[1:] &= ~unclear | at_start
    gaps = np.diff(cuts.s_mm)
    for number, gap in enumerate(gaps):
        beside = np.delete(gaps[max(0, number - 2) : number + 3], min(number, 2))
        width = signals.half_width_mm[int(cuts.s_mm[number] + gap / 2)]
        greatest = float(np.interp(width, BODY_WIDTHS_MM, GREATEST_HEIGHT))
        crushed = foramina[number] and foramina[number + 1]  # low, yet beyond doubt a vertebra
        least, ratio = (CRUSHED_HEIGHT, CRUSHED_RATIO) if crushed else (LEAST_HEIGHT, NEIGHBOUR_RATIO)
        trusted[number + 1] &= least * width <= gap <= greatest * width
        trusted[number + 1] &= _one_row_of_pedicles(signals.pedicle, cuts.s_mm[number], cuts.s_mm[number + 1])
        inner = slice(int(cuts.s_mm[number]) + CLOSE_MM, int(cuts.s_mm[number + 1]) - CLOSE_MM + 1)
        height = gap / float(np.median(beside)) if len(beside) else 1.0
        like_disc = float(np.interp(height, USUAL_TO_TALL, PASSED_OVER))
        passed_over = (disc_in_open(signals)[inner] > like_disc) & (signals.pedicle[inner] < 0.35)
        trusted[number + 1] &= not passed_over.any()
        at_cuts = signals.disc[cuts.s_mm[number : number + 2].astype(int)].max()
        trusted[number + 1] &= signals.disc[inner].max(initial=0.0) < at_cuts + CLEARER
        trusted[number + 1] &= ratio <= height <= 1 / NEIGHBOUR_RATIO
    return trusted


def _between_foramina(cuts: Cuts, signals: Signals) -> NDArray[np.bool_]:
    """``(C,)`` whether the canal's sides are open at each cut and close on both hands, as between two vertebrae."""
    sides = np.maximum(signals.pedicle, signals.closed)
    out = np.zeros(len(cuts.s_mm), bool)
    for number, s in enumerate(cuts.s_mm.astype(int)):
        here, below, above = (
            sides[max(s + start, 0) : s + stop + 1]
            for start, stop in ((-BESIDE_CUT_MM, BESIDE_CUT_MM), (-TO_PEDICLE_MM, 0), (0, TO_PEDICLE_MM))
        )
        out[number] = here.min() < OPEN_SIDES and min(below.max(), above.max()) > CLOSED_SIDES
    return out


def _one_row_of_pedicles(pedicle: FloatArray, low: float, high: float) -> bool:
    """Whether one row of pedicles lies between two cuts; its upper and lower cortex may peak apart."""
    peaks, _ = find_peaks(pedicle[int(low) : int(high) + 1], height=0.6, prominence=0.3)
    return len(peaks) == 0 or int(np.ptp(peaks)) <= TALLEST_PEDICLE_MM
