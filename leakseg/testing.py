"""For authors of plug-ins: whether a leak classifier keeps its contract, tried on candidates of a phantom.

Use it in your own tests::

    from leakseg.testing import check_classifier

    def test_my_classifier_keeps_the_contract():
        check_classifier(MyClassifier())
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from leakseg.answers import judged_by
from leakseg.errors import PluginError
from leakseg.findings import Judgement, LeakCandidate, LeakType
from leakseg.protocols import LeakClassifier


def check_classifier(classifier: object, candidates: Sequence[LeakCandidate] | None = None) -> None:
    """Whether a classifier keeps the contract of `leakseg.protocols.LeakClassifier`.

    Each candidate is judged as it is, with every second feature not measurable, and with none measurable. That the
    classifier reads no file and no clock cannot be seen from outside; that it answers the same again can.

    Parameters
    ----------
    classifier
        An instance.
    candidates
        What to try it on; those of `phantom_candidates` where not given.

    Raises
    ------
    PluginError
        With one sentence that names the first promise broken.
    """
    if isinstance(classifier, type):
        raise PluginError(f"{classifier.__name__} is a class; give check_classifier an instance of it.")
    if not isinstance(classifier, LeakClassifier):
        raise PluginError("This is no leak classifier: it needs name, version and classify(candidate).")
    for what in ("name", "version"):
        text = getattr(classifier, what)
        if not isinstance(text, str) or not text.strip():
            raise PluginError(f"The classifier's {what} must be text that is not empty; it is {text!r}.")
    tried = list(_with_gaps(phantom_candidates() if candidates is None else candidates))
    who = f"Classifier '{classifier.name}'"
    answers = [_judge(classifier, candidate, who) for candidate in tried]
    again = [_judge(classifier, candidate, who) for candidate in reversed(tried)][::-1]
    if again != answers:
        raise PluginError(f"{who} judged the same candidate differently the second time; classify must be pure.")
    travelled = _travel(classifier, who)
    if [_judge(travelled, candidate, who) for candidate in tried] != answers:
        raise PluginError(f"{who} judges differently after pickling; workers receive a pickled copy.")


@cache
def phantom_candidates() -> tuple[LeakCandidate, ...]:
    """Candidates of one phantom with a leak of every type, as the analysis measures them; some seconds, once."""
    from leakseg.analysis import analyse
    from leakseg.anatomy import VertebraLevel
    from leakseg.criteria import Criteria
    from leakseg.phantom.make import make
    from leakseg.phantom.recipe import CaseRecipe, LeakRecipe, PhantomRecipe, ScannerRecipe

    upper, lower = VertebraLevel.L2, VertebraLevel.L3
    wanted = (
        LeakRecipe(level=upper, type=LeakType.VENOUS),
        LeakRecipe(level=upper, type=LeakType.EPIDURAL),
        LeakRecipe(level=upper, type=LeakType.INTRADISCAL),
        LeakRecipe(level=lower, type=LeakType.FORAMINAL),
        LeakRecipe(level=lower, type=LeakType.PARAVERTEBRAL),
    )
    recipe = PhantomRecipe(scanner=ScannerRecipe(slice_mm=1.25, pixel_mm=1.0))
    case = CaseRecipe(id="conformance", treated=(upper, lower), leak=wanted)
    phantom = make(recipe, case, np.random.default_rng(1))
    return analyse(phantom.volume, phantom.masks, Criteria(), _Abstainer()).candidates


class _Abstainer:
    """Stands in where candidates are wanted and nobody's judgement."""

    name = "none"
    version = "1"

    def classify(self, candidate: LeakCandidate) -> Judgement:
        del candidate
        return Judgement(LeakType.UNDETERMINED)


def _with_gaps(candidates: Sequence[LeakCandidate]) -> Iterator[LeakCandidate]:
    for one in candidates:
        halved = {name: None if place % 2 else value for place, (name, value) in enumerate(one.features.items())}
        yield one
        yield replace(one, features=halved)
        yield replace(one, features=dict.fromkeys(one.features))


def _judge(classifier: LeakClassifier, candidate: LeakCandidate, who: str) -> Judgement:
    before = _print_of(candidate)
    try:
        judgement = judged_by(classifier, candidate)
    except PluginError as error:
        raise PluginError(f"{error} It said: {error.__cause__}." if error.__cause__ else str(error)) from error
    if _print_of(candidate) != before:
        raise PluginError(f"{who} changed the candidate it was given; classify must be pure.")
    return judgement


def _print_of(candidate: LeakCandidate) -> tuple[Any, ...]:
    return (dict(candidate.features), candidate.hu.tobytes(), candidate.mask.tobytes())


def _travel(classifier: LeakClassifier, who: str) -> LeakClassifier:
    try:
        travelled = pickle.loads(pickle.dumps(classifier))  # noqa: S301 # made here, a line ago
    except Exception as error:
        raise PluginError(f"{who} does not survive pickling, as it must to reach workers: {error}.") from error
    if not isinstance(travelled, LeakClassifier):
        raise PluginError(f"{who} comes back from pickling as {type(travelled).__name__}, which is no classifier.")
    return travelled
