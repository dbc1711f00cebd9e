"""A classifier's answer, asked for and checked: whoever wrote the classifier, a report holds what its schema allows."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout

from leakseg.errors import PluginError
from leakseg.findings import Evidence, Judgement, LeakCandidate, LeakRoute, LeakSubtype, LeakType
from leakseg.protocols import LeakClassifier

SUBTYPES: Mapping[LeakType, tuple[LeakSubtype, ...]] = {
    LeakType.EPIDURAL: (LeakSubtype.CENTRAL, LeakSubtype.PARACENTRAL, LeakSubtype.PEDICLE_BREACH),
    LeakType.VENOUS: (
        LeakSubtype.SEGMENTAL,
        LeakSubtype.ANTERIOR_EXTERNAL,
        LeakSubtype.ASCENDING_LUMBAR,
        LeakSubtype.CAVAL,
        LeakSubtype.OTHER,
    ),
    LeakType.PARAVERTEBRAL: (LeakSubtype.NEEDLE_TRACK, LeakSubtype.SOFT_TISSUE),
}
"""Subtypes that a type can have; null is always allowed."""


def judged_by(classifier: LeakClassifier, candidate: LeakCandidate) -> Judgement:
    """What the classifier says of one candidate; what it prints goes to standard error, for ``--json`` owns the other.

    Raises
    ------
    PluginError
        Where it raises, or its answer is none: it names the classifier and what it did. Words of another's error may
        hold anything; they stay in its cause.
    """
    who = f"Classifier '{classifier.name}'"
    try:
        with redirect_stdout(sys.stderr):
            judgement = classifier.classify(candidate)
    except (Exception, SystemExit) as error:
        gaps = sum(value is None for value in candidate.features.values())
        raise PluginError(
            f"{who} raised {type(error).__name__} for an ordinary candidate ({candidate.place}, {gaps} of "
            f"{len(candidate.features)} features not measurable). Answer LeakType.UNDETERMINED instead."
        ) from error
    problem = _problem(judgement)
    if problem:
        raise PluginError(f"{who} {problem}.")
    return judgement


def _problem(judgement: object) -> str | None:
    """What is wrong with an answer."""
    if not isinstance(judgement, Judgement):
        return f"returned {type(judgement).__name__}, not a Judgement"
    said = judgement.confidence
    checks: tuple[tuple[bool, Callable[[], str]], ...] = (
        (isinstance(judgement.type, LeakType), lambda: f"gave the type {judgement.type!r}, not a LeakType"),
        (
            judgement.subtype is None or judgement.subtype in SUBTYPES.get(judgement.type, ()),
            lambda: f"gave the subtype {judgement.subtype!r}, which no {judgement.type} leak has",
        ),
        (
            judgement.route is None or isinstance(judgement.route, LeakRoute),
            lambda: f"gave the route {judgement.route!r}, neither a LeakRoute nor None",
        ),
        (
            said is None or (_is_number(said) and 0 <= said <= 1),
            lambda: f"gave the confidence {said!r}; expected a number from 0 to 1, or None",
        ),
        (
            isinstance(judgement.evidence, tuple) and all(isinstance(one, Evidence) for one in judgement.evidence),
            lambda: "gave evidence that is no tuple of Evidence",
        ),
    )
    return next((told() for holds, told in checks if not holds), None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
