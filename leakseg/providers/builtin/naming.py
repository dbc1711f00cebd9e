"""Which vertebra is which: the names that explain ribs, sacral wings, the skull and body widths best.

Every way to name the levels is weighed by how likely it makes what is seen at each level (naive Bayes), the
rarer spines with 4 or 6 lumbar and 11 or 13 rib-bearing vertebrae among them. A name's confidence is its posterior
probability from ribs, wings and skull alone, through no doubtful disc.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from leakseg.anatomy import VertebraLevel
from leakseg.geometry import FloatArray
from leakseg.providers.builtin.axis import axis_level
from leakseg.providers.builtin.hypotheses import HYPOTHESES, Hypothesis, level_evidence, width_evidence
from leakseg.providers.builtin.landmarks import AS_HEADS, BROAD_WING, SOME_HEAD, SOME_WING, Landmarks
from leakseg.providers.builtin.ribs import LEAST_RIB_MM, NO_HEAD, PLAIN_HEAD

RIB_MM, NO_RIB_MM = LEAST_RIB_MM, 31.0
"""Bone that reaches farther is a rib (remnants under 4 cm do not count); nearer, a transverse process."""
HIGHEST, DOUBTFUL, GUESSED = 0.97, 0.5, 0.2
ALL_RIBS = 12
"""So many rib-bearing vertebrae one above the other tell their names by their count."""
LEVELS_OF_A_DISC = 2
UPPER_CHEST = frozenset(VertebraLevel(f"T{number}") for number in range(1, 11))
CLEAR = 0.8
"""Two stretches of the spine whose own landmarks give their names this surely bear out the count between them."""

SKULL_ALONE, COUNTED = 0.85, 0.98
"""Names that rest on the skull alone are no surer than the first, and less by the second with every disc counted."""


@dataclass(frozen=True)
class Naming:
    """Names and confidence of every level, caudal first; ``doubts`` say what speaks against them."""

    levels: tuple[VertebraLevel | None, ...]
    confidence: tuple[float, ...]
    landmarks: tuple[str, ...]
    doubts: tuple[str, ...]


def name_levels(landmarks: Landmarks, half_width_mm: FloatArray, trusted: NDArray[np.bool_]) -> Naming:
    """Names of the levels from what is in view.

    Parameters
    ----------
    landmarks
        Ribs, wings and distance to the skull of every level, caudal first.
    half_width_mm
        ``(L,)`` half the width of each body, the last resort.
    trusted
        ``(L,)`` whether the discs that bound each level, and its height, are beyond doubt.
    """
    evidence = level_evidence(landmarks)
    prior = np.array([hypothesis.prior for hypothesis in HYPOTHESES]) + width_evidence(half_width_mm, trusted)
    best = _best(evidence, prior)
    names = best.names(len(half_width_mm))
    seen = _landmarks_in_view(names, landmarks)
    if "all ribs" in seen:
        trusted = trusted | _one_doubt(names, trusted)
    confidence = _confidence(names, evidence, prior, trusted, rib_state(landmarks) == 0)
    axis = axis_level(landmarks)
    if seen == ("skull",) and axis is not None:
        confidence = np.minimum(confidence, SKULL_ALONE * COUNTED ** np.abs(np.arange(len(names)) - axis))
    if axis is not None and trusted[axis]:
        confidence[axis + 1 :] = confidence[axis]  # C1, beyond which nothing is counted
    doubts = _doubts(best, names, seen, landmarks, trusted)
    if best.unusual or doubts:
        confidence = np.minimum(confidence, DOUBTFUL)
    of_skull, firm = _doubt_of_skull(names, landmarks, prior, trusted)
    if of_skull:
        doubts += (of_skull,)
        confidence = np.where(np.arange(len(names)) < firm, confidence, np.minimum(confidence, DOUBTFUL))
    if not seen:
        confidence = np.minimum(confidence, GUESSED)
    return Naming(names, tuple(float(value) for value in confidence), seen, doubts)


def _doubts(
    best: Hypothesis,
    names: tuple[VertebraLevel | None, ...],
    seen: tuple[str, ...],
    landmarks: Landmarks,
    trusted: NDArray[np.bool_],
) -> tuple[str, ...]:
    """What makes names doubtful that have landmarks: a rare spine, or landmarks that themselves are in doubt."""
    if best.unusual and len(seen) > 1:
        return (_unusual(best),)
    if seen and "sacrum" not in seen and (_remnants(names, landmarks).any() or _heads_go_on(names, landmarks)):
        return (_REMNANTS,)
    if seen == ("sacrum",) and _lopsided(names, landmarks):
        return (_LOPSIDED,)
    if seen == ("last rib",) and landmarks.by_below[names.index(VertebraLevel.L1) + 1]:
        return (_BY_BELOW,)
    if seen == ("first rib",) or (set(seen) == {"first rib", "skull"} and not _unbroken(names, trusted)):
        return (_FIRST_RIB,)
    return ()


def _best(evidence: FloatArray, prior: FloatArray) -> Hypothesis:
    """The spine that explains the evidence best."""
    total = prior + np.array([hypothesis.explain(evidence) for hypothesis in HYPOTHESES])
    return HYPOTHESES[int(total.argmax())]


def _doubt_of_skull(
    names: tuple[VertebraLevel | None, ...], landmarks: Landmarks, prior: FloatArray, trusted: NDArray[np.bool_]
) -> tuple[str, int]:
    """What in the skull's place speaks against the names, and the first level that it makes doubtful; else no words.

    The names that the other landmarks give must put C2 where the skull does, and no rib in the neck. Those up to the
    last rib hold where sacrum and last rib agree on them: what is amiss then lies above.
    """
    if np.isnan(landmarks.to_skull_mm).all():
        return "", 0
    blind = replace(landmarks, to_skull_mm=np.full(len(trusted), np.nan))
    others = _best(level_evidence(blind), prior).names(len(trusted))
    seen, axis = _landmarks_in_view(others, blind), axis_level(landmarks)
    firm = others.index(VertebraLevel.L1) + 2 if {"sacrum", "last rib"} <= set(seen) else 0
    if seen and (axis is None or others[axis] is not VertebraLevel.C2):
        return _SKULL_AGAINST.format(" and ".join(seen)), firm
    if axis is None or names[axis] is not VertebraLevel.C2 or (not seen and not trusted[axis]):
        return _SKULL_UNCLEAR, firm
    if _ribs_amiss(names, landmarks):
        return _SKULL_AGAINST.format("ribs"), firm
    return "", 0


def _one_doubt(names: tuple[VertebraLevel | None, ...], trusted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``(L,)`` the doubtful levels among the ribs, if they share one disc: twelve ribs in a row bear its count out."""
    doubtful = ~trusted & np.array([name is not None and name.startswith("T") for name in names])
    at = np.flatnonzero(doubtful)
    return doubtful if len(at) and at[-1] - at[0] < len(at) <= LEVELS_OF_A_DISC else np.zeros_like(doubtful)


def _unbroken(names: tuple[VertebraLevel | None, ...], trusted: NDArray[np.bool_]) -> bool:
    """Whether every level from T1 to C2 is beyond doubt: a rib and a disc, both missed, would leave the count right."""
    return bool(trusted[names.index(VertebraLevel.T1) : names.index(VertebraLevel.C2) + 1].all())


def _ribs_amiss(names: tuple[VertebraLevel | None, ...], landmarks: Landmarks) -> bool:
    """Whether a vertebra of the neck bears a long rib, or one of the chest's upper part plainly none."""
    long = np.any(landmarks.rib_mm >= RIB_MM, axis=1)
    none = np.all(landmarks.rib_mm < NO_RIB_MM, axis=1) & ~np.all(landmarks.head >= PLAIN_HEAD, axis=1)
    cervical = np.array([name is not None and name.startswith("C") for name in names])
    upper = np.array([name in UPPER_CHEST for name in names])
    return bool((long & cervical).any() or (none & upper).any())


def _confidence(
    names: tuple[VertebraLevel | None, ...],
    evidence: FloatArray,
    prior: FloatArray,
    trusted: NDArray[np.bool_],
    ribless: NDArray[np.bool_],
) -> FloatArray:
    """``(L,)`` posterior of each level's name, from the evidence of the trusted run of levels it lies in.

    And of the level below it, if that bears no rib: whatever was cut or passed over there, the last rib is above it.
    """
    out = np.zeros(len(names))
    runs = np.split(np.arange(len(names)), np.flatnonzero(~trusted[1:] | ~trusted[:-1]) + 1)
    for run in runs:
        own = np.zeros_like(evidence)
        own[run] = evidence[run]
        if run[0] > 0 and ribless[run[0] - 1]:
            own[run[0] - 1] = evidence[run[0] - 1]
        out[run] = np.minimum(HIGHEST, _posterior(names, own, prior)[run])
    clear = np.flatnonzero(trusted & (out >= CLEAR))
    if len(clear):
        between = slice(clear[0], clear[-1] + 1)
        out[between] = np.maximum(out[between], min(out[clear[0]], out[clear[-1]]))
    borne_out = binary_dilation(trusted & (out >= CLEAR))  # one doubtful level's own look is no proof by itself
    out = np.where(trusted | (borne_out & (out >= CLEAR)), out, np.minimum(out, DOUBTFUL))
    return np.asarray(np.minimum(out, _posterior(names, evidence, prior)))  # what speaks against counts everywhere


def _posterior(names: tuple[VertebraLevel | None, ...], evidence: FloatArray, prior: FloatArray) -> FloatArray:
    """``(L,)`` posterior probability of each level's name."""
    score = prior + np.array([hypothesis.explain(evidence) for hypothesis in HYPOTHESES])
    weight = np.exp(score - score.max())
    same = np.array([[one == name for one, name in zip(h.names(len(names)), names, strict=True)] for h in HYPOTHESES])
    return np.asarray(weight @ same / weight.sum())


def rib_state(landmarks: Landmarks) -> NDArray[np.int8]:
    """``(L,)``: 1 bears a rib, 0 bears none, -1 not to be told."""
    reach, head = landmarks.rib_mm, landmarks.head
    unknown = np.isnan(reach)
    some = np.any(reach >= RIB_MM, axis=1) | (np.all(unknown, axis=1) & np.all(head >= PLAIN_HEAD, axis=1))
    short = np.all(reach < NO_RIB_MM, axis=1) & ~np.all(head >= PLAIN_HEAD, axis=1)
    none = short | np.all((head < NO_HEAD) & (unknown | (reach < NO_RIB_MM)), axis=1)
    return np.where(some, 1, np.where(none, 0, -1)).astype(np.int8)


def named_axis(naming: Naming, landmarks: Landmarks) -> int | None:
    """The level of C2, where it lies below the skull as it should and has that name."""
    level = axis_level(landmarks)
    return level if level is not None and naming.levels[level] is VertebraLevel.C2 else None


def rib_bearing(naming: Naming, landmarks: Landmarks) -> NDArray[np.bool_]:
    """``(L,)`` whether ribs must be kept from each vertebra: by its name, or by plain ribs where names are a guess."""
    if naming.landmarks:
        return np.array([level is not None and level.startswith("T") for level in naming.levels])
    plain = np.all(landmarks.head >= PLAIN_HEAD, axis=1) & ~np.any(landmarks.rib_mm < RIB_MM, axis=1)
    return np.asarray(plain | np.all(np.isfinite(landmarks.rib_mm) & (landmarks.rib_mm >= RIB_MM), axis=1))


def _remnants(names: tuple[VertebraLevel | None, ...], landmarks: Landmarks) -> NDArray[np.bool_]:
    """``(L,)`` whether vertebrae at the end of the ribs show ribs' heads, yet no rib that counts as one."""
    heads = np.all(landmarks.head >= PLAIN_HEAD, axis=1) & np.all(landmarks.rib_mm < RIB_MM, axis=1)
    end = np.array([name in {VertebraLevel.T12, VertebraLevel.T13, VertebraLevel.L1} for name in names])
    return np.asarray(heads & end)


def _heads_go_on(names: tuple[VertebraLevel | None, ...], landmarks: Landmarks) -> bool:
    """Whether L1 shows heads as the ribs' above it look: thick slices or noise may have broken its own ribs off."""
    ribs = np.all(landmarks.rib_mm >= RIB_MM, axis=1)
    heads = landmarks.head[ribs & ~np.isnan(landmarks.head).any(axis=1)]
    if VertebraLevel.L1 not in names or not heads.size:
        return False
    least = max(SOME_HEAD, AS_HEADS * float(np.median(heads)))
    return bool(np.all(landmarks.head[names.index(VertebraLevel.L1)] >= least))


def _lopsided(names: tuple[VertebraLevel | None, ...], landmarks: Landmarks) -> bool:
    """Whether S1 shows hardly a wing on one side where the level below shows both: it may be L5, broad."""
    level = names.index(VertebraLevel.S1)
    both_below = level > 0 and np.all(np.nan_to_num(landmarks.wing[level - 1]) >= BROAD_WING)
    return bool(both_below and np.any(landmarks.wing[level] < SOME_WING))


def _landmarks_in_view(names: tuple[VertebraLevel | None, ...], landmarks: Landmarks) -> tuple[str, ...]:
    """What in view bears the names out."""
    state, remnants = rib_state(landmarks), _remnants(names, landmarks)
    ribless = (state != 1) & np.any(np.isfinite(landmarks.rib_mm) | np.isfinite(landmarks.head), axis=1)
    wing = np.nan_to_num(landmarks.wing).max(axis=1)
    seen = []
    for level, name in enumerate(names):
        above = level + 1 < len(names)
        if name is VertebraLevel.S1 and above and wing[level] > 0.1 and wing[level] > wing[level + 1]:
            seen.append("sacrum")
        if name in {VertebraLevel.T12, VertebraLevel.T13, VertebraLevel.T11} and level > 0:
            below = names[level - 1]
            bears = state[level] == 1 or remnants[level]
            if below is VertebraLevel.L1 and bears and ribless[level - 1]:
                seen.append("last rib")
        if name is VertebraLevel.T1 and above and state[level] == 1 and ribless[level + 1]:
            seen.append("first rib")
    axis = axis_level(landmarks)
    if axis is not None and names[axis] is VertebraLevel.C2:
        seen.append("skull")
    thoracic = np.array([name is not None and name.startswith("T") for name in names])
    long = np.any(landmarks.rib_mm >= RIB_MM, axis=1)[thoracic]
    bears = state[thoracic] == 1
    if thoracic.sum() == ALL_RIBS and bears.all() and long[1:].all():  # a head alone may be a cervical process
        seen.append("all ribs")
    return tuple(seen)


_REMNANTS = (
    "The lowest ribs in view seem to be remnants of less than 4 cm, which count as ribs to some and not to others. The "
    "names may be wrong by one; pin one level with --anchor LEVEL@Z."
)


_LOPSIDED = (
    "The names rest on the sacrum, of which the uppermost level shows a wing on one side only and the next both: it "
    "may be L5. The names may be wrong by one; pin one level with --anchor LEVEL@Z."
)


_BY_BELOW = (
    "The names rest on ribs of which only the heads are seen, beside metal or at the scan's upper end, where the "
    "vertebra below shows hardly any bone. They may be wrong by one; pin one level with --anchor LEVEL@Z."
)


_FIRST_RIB = (
    "The names rest on the first rib alone: it is short, is easily missed behind the shoulders, and cervical ribs look "
    "like it. They may be wrong by one; pin one level with --anchor LEVEL@Z."
)


_SKULL_AGAINST = (
    "The skull does not bear out the names that rest on {}: counted from there, C2 does not lie below it as it should, "
    "for a block vertebra, a cervical rib, or a disc or a rib misjudged. Pin one level with --anchor LEVEL@Z."
)


_SKULL_UNCLEAR = (
    "The skull is in view, but no clear disc lies below it as that of C2 and C3 does. The names may be wrong by one or "
    "more; pin one level with --anchor LEVEL@Z."
)


def _unusual(best: Hypothesis) -> str:
    return (
        f"The spine seems to have {best.lumbar} lumbar and {best.ribbed} rib-bearing vertebrae, where 5 and 12 are "
        "usual: a transitional or supernumerary vertebra, or a rib or a disc misjudged. The names may be wrong by one; "
        "pin one level with --anchor LEVEL@Z."
    )
