"""The spines that there are, and how likely each kind of vertebra shows ribs, sacral wings and a given width.

And how likely C2 lies where it does below the skull.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import VertebraLevel
from leakseg.geometry import FloatArray
from leakseg.providers.builtin.axis import AXIS_MM, AXIS_SD_MM
from leakseg.providers.builtin.landmarks import Landmarks

RIB_STEPS_MM = (24.0, 31.0, 38.0, 48.0, np.inf)
"""Bone reaches outward: hardly, as a transverse process, doubtfully, as a short rib, as a rib; beyond a narrow scan."""
WING_STEPS = (0.05, 0.12, 0.20, 0.32)
"""Share of bone beside the body: none, some, doubtful, a wing, a broad wing."""

_RIB: dict[str, tuple[float, ...]] = {
    "sacral": (0.2, 0.2, 0.2, 0.2, 0.2, 0.2),
    "S1": (0.2, 0.2, 0.2, 0.2, 0.2, 0.2),
    "L5": (0.30, 0.15, 0.15, 0.15, 0.25, 0.25),  # the ilium may be taken for a rib
    "L4": (0.50, 0.25, 0.12, 0.08, 0.05, 0.1),
    "lumbar": (0.62, 0.25, 0.09, 0.025, 0.015, 0.07),
    "T12": (0.05, 0.06, 0.12, 0.17, 0.60, 0.6),
    "ribbed": (0.02, 0.02, 0.05, 0.08, 0.83, 0.83),
    "cervical": (0.65, 0.15, 0.10, 0.05, 0.05, 0.05),
    "head": (0.2, 0.2, 0.2, 0.2, 0.2, 0.2),
}
_LEAVES: dict[str, tuple[float, ...]] = {
    "sacral": (0.2,), "S1": (0.2,), "L5": (0.25,), "L4": (0.12,), "lumbar": (0.1,), "T12": (0.25,), "ribbed": (0.25,),
    "cervical": (0.05,), "head": (0.2,),
}  # fmt: skip
"""Bone leaves the view no longer than a process: L5's broad ones do, and ribs at the side of a very narrow view
[convention]."""
_WING: dict[str, tuple[float, ...]] = {
    "sacral": (0.20, 0.20, 0.20, 0.20, 0.20),
    "S1": (0.01, 0.04, 0.15, 0.35, 0.45),
    "L5": (0.50, 0.30, 0.14, 0.05, 0.01),
    "L4": (0.80, 0.15, 0.03, 0.01, 0.01),
    "lumbar": (0.90, 0.07, 0.015, 0.01, 0.005),
    "T12": (0.85, 0.10, 0.03, 0.01, 0.01),
    "ribbed": (0.85, 0.10, 0.03, 0.01, 0.01),
    "cervical": (0.80, 0.15, 0.03, 0.01, 0.01),
    "head": (0.20, 0.20, 0.20, 0.20, 0.20),
}
HEAD_STEPS = (0.08, 0.2)
"""Share of bone where a rib's head would lie: none, doubtful, a head."""
_HEAD: dict[str, tuple[float, ...]] = {
    "sacral": (0.33, 0.33, 0.33),
    "S1": (0.20, 0.30, 0.50),
    "L5": (0.30, 0.35, 0.35),  # transverse processes that spring from the side of the body
    "L4": (0.65, 0.20, 0.15),
    "lumbar": (0.93, 0.05, 0.02),
    "T12": (0.06, 0.14, 0.80),
    "ribbed": (0.10, 0.20, 0.70),
    "cervical": (0.33, 0.33, 0.33),
    "head": (0.33, 0.33, 0.33),
}
for _table in (_RIB, _WING, _HEAD, _LEAVES):
    _table["C2"] = _table["cervical"]
_LOG_AXIS, _LOG_NO_AXIS = 5.0, -4.0
"""What a level just so far below the skull as C2 speaks for being it, and one that lies elsewhere against it."""
SURELY_NECK_MM, _LOG_FAR_KIND = 100.0, -4.0
_NEAR_SKULL = ("cervical", "C2", "head")
"""Nearer below the skull than a small patient's C7 the second speaks against every other kind of vertebra."""
BOTH_SIDES = 1.4
"""Both sides tell more than one, and less than two that were independent."""
_KINDS = tuple(_RIB)
_RIB_BEARING = [_KINDS.index("T12"), _KINDS.index("ribbed")]
_LOG_PRIOR = {(5, 12): np.log(0.90), (6, 12): np.log(0.04), (4, 12): np.log(0.04), (5, 13): np.log(0.02)}
"""Lumbar and rib-bearing vertebrae; convention, after the 8 to 12 % of unusual counts that series report."""
_UNSEEN_RIBS = 0.05
"""Share of scans in which no rib can be told, for weak bone, thick slices or noise; convention."""
_LOG_BEYOND, _SACRAL_PIECES, _LOG_ASTRAY = np.log(0.6), 4, np.log(0.2)
"""Price of every level below the first sacral one, or above C1: the canal is rarely followed so far; and what each
below so many sacral ones costs on top: the path went astray there."""
MOST_ABOVE_C1, ABSURD = 2, 50.0
"""Above C1 lies the skull: more levels than a canal followed into it may show cost so much each."""
_SACRAL = 9
"""Levels from S1 down that a path may have: the sacrum's own, the coccyx', and what it meets astray in the pelvis."""
_USUAL_HALF_WIDTH_MM = (
    *(26, 24.5, 23.5, 22, 21),
    *(20, 18.5, 17, 16, 15, 14, 13.5, 13, 13, 13.5, 14.5, 15),
    *(13, 11.5, 11, 10.5, 10.5, 11, 11),
)  # fmt: skip
"""Half the width of the bodies from L5 up to C1, rounded from Panjabi et al. 1991 and 1992 (Spine 16:888, 17:299);
the cervical ones, with the bone beside them, are convention, near C2 to C7 of the same authors (Spine 16:861)."""
_WIDTH_SD, _SCALE_SD, _WIDTH_WEIGHT = 0.10, 0.12, 0.4
"""Relative spread of one body's width and of whole patients; widths of neighbours are not independent."""
_ODDEST = 6.0
"""A width measured wrong costs no more than this."""


@dataclass(frozen=True)
class Hypothesis:
    """One spine (how many ``lumbar`` and ``ribbed`` vertebrae), and where in it the lowest level lies."""

    lumbar: int
    ribbed: int
    start: int
    sequence: tuple[tuple[VertebraLevel | None, str], ...]
    """Name and kind of every vertebra, from below the sacrum up to the head."""

    @property
    def unusual(self) -> bool:
        """Not the usual count of vertebrae."""
        return (self.lumbar, self.ribbed) != (5, 12)

    @property
    def prior(self) -> float:
        """Logarithm of its share among spines."""
        return float(_LOG_PRIOR[self.lumbar, self.ribbed])

    def names(self, count: int) -> tuple[VertebraLevel | None, ...]:
        """Names of ``count`` levels; None below the sacrum and above C1."""
        return tuple(
            self.sequence[self.start + level][0] if self.start + level < len(self.sequence) else None
            for level in range(count)
        )

    def explain(self, evidence: FloatArray) -> float:
        """Log-likelihood of the evidence of every level, ``(L, kinds)``.

        Ribs are missed all at once rather than one by one, so that many levels without any tell little more than one
        does: some share of the scans shows rib-bearing vertebrae as it shows lumbar ones.
        """
        unseen = evidence.copy()
        unseen[:, _RIB_BEARING] = evidence[:, [_KINDS.index("lumbar")]]
        seen = np.log(1 - _UNSEEN_RIBS) + self._explain(evidence)
        return float(np.logaddexp(seen, np.log(_UNSEEN_RIBS) + self._explain(unseen)))

    def _explain(self, evidence: FloatArray) -> float:
        too_many = max(self.start + len(evidence) - len(self.sequence) - MOST_ABOVE_C1, 0)
        total = -ABSURD * too_many + float(_LOG_ASTRAY) * max(_SACRAL - _SACRAL_PIECES - self.start, 0)
        for level, row in enumerate(evidence):
            at = self.start + level
            kind = self.sequence[at][1] if at < len(self.sequence) else "head"
            total += float(row[_KINDS.index(kind)])
            total += float(_LOG_BEYOND) if kind in {"sacral", "head"} else 0.0
        return total


def _spine(lumbar: int, ribbed: int) -> tuple[tuple[VertebraLevel | None, str], ...]:
    out: list[tuple[VertebraLevel | None, str]] = [(None, "sacral")] * (_SACRAL - 1)
    out += [(VertebraLevel.S2, "sacral"), (VertebraLevel.S1, "S1")]
    for number in range(lumbar, 0, -1):
        kind = {lumbar: "L5", lumbar - 1: "L4"}.get(number, "lumbar")
        out.append((VertebraLevel(f"L{number}"), kind))
    out += [(VertebraLevel(f"T{number}"), "T12" if number == ribbed else "ribbed") for number in range(ribbed, 0, -1)]
    out += [(VertebraLevel(f"C{number}"), "C2" if number == 2 else "cervical") for number in range(7, 0, -1)]
    return tuple(out)


HYPOTHESES: tuple[Hypothesis, ...] = tuple(
    Hypothesis(lumbar, ribbed, start, spine)
    for lumbar, ribbed in _LOG_PRIOR
    for spine in [_spine(lumbar, ribbed)]
    for start in range(1, len(spine))
)


def level_evidence(landmarks: Landmarks) -> FloatArray:
    """``(L, kinds)`` log-likelihood of ribs, wings and skull at every level; zero where nothing can be told."""
    out = np.zeros((len(landmarks.rib_mm), len(_KINDS)))
    for values, steps, table in (
        (landmarks.rib_mm, RIB_STEPS_MM, _RIB),
        (np.where(landmarks.leaves, 0.0, np.nan), (), _LEAVES),
        (landmarks.wing, WING_STEPS, _WING),
        (landmarks.head, HEAD_STEPS, _HEAD),
    ):
        odds = np.log(np.array([table[kind] for kind in _KINDS])).T  # (steps, kinds)
        for level, sides in enumerate(values):
            seen = sides[~np.isnan(sides)]
            if len(seen):
                weight = 1.0 if len(seen) == 1 else BOTH_SIDES
                out[level] += weight * odds[np.searchsorted(steps, seen, side="right")].mean(axis=0)
    fit = _LOG_AXIS - 0.5 * ((landmarks.to_skull_mm - AXIS_MM) / AXIS_SD_MM) ** 2
    out[:, _KINDS.index("C2")] += np.nan_to_num(np.maximum(fit, _LOG_NO_AXIS))
    far_kind = np.array([kind not in _NEAR_SKULL for kind in _KINDS])
    out += _LOG_FAR_KIND * np.outer(landmarks.to_skull_mm < SURELY_NECK_MM, far_kind)
    return out


def width_evidence(half_width_mm: FloatArray, trusted: NDArray[np.bool_]) -> FloatArray:
    """``(H,)`` log-likelihood of the bodies' widths under every hypothesis, the patient's size being free.

    Of the trusted ones, or of all where none is.
    """
    if not trusted.any():
        trusted = np.ones_like(trusted)  # a guess from doubtful bodies is better than the first of all names
    out = np.zeros(len(HYPOTHESES))
    lowest = _SACRAL + 1
    for number, hypothesis in enumerate(HYPOTHESES):
        rank = np.flatnonzero(trusted) + hypothesis.start - lowest - (hypothesis.lumbar - 5)
        usual = np.take(_USUAL_HALF_WIDTH_MM, np.clip(rank, 0, len(_USUAL_HALF_WIDTH_MM) - 1))
        ratio = np.log(half_width_mm[trusted] / usual)
        scale = float(np.median(ratio)) if len(ratio) else 0.0
        odd = np.minimum(((ratio - scale) / _WIDTH_SD) ** 2, _ODDEST)
        out[number] = -0.5 * (_WIDTH_WEIGHT * odd.sum() + (scale / _SCALE_SD) ** 2)
    return out
