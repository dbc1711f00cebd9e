"""The conformance test for plug-in authors: good classifiers pass, each broken promise is named."""

import itertools
from dataclasses import dataclass, replace

import pytest

from leakseg.errors import PluginError
from leakseg.findings import Judgement, LeakSubtype, LeakType
from leakseg.stages.classify import RuleClassifier
from leakseg.testing import check_classifier, phantom_candidates


def test_the_candidates_cover_every_place_with_measured_and_unmeasured_features():
    candidates = phantom_candidates()
    assert {one.place for one in candidates} == {"canal", "foramen", "disc", "outside"}
    assert all(one.mask.any() and one.hu.shape == one.mask.shape for one in candidates)


def test_the_built_in_classifier_keeps_the_contract():
    check_classifier(RuleClassifier())


def test_one_that_never_knows_keeps_the_contract():
    check_classifier(Classifier(lambda _: Judgement(LeakType.UNDETERMINED)))


@dataclass
class Classifier:
    """A classifier that answers by a function; picklable because it travels by its number in a register."""

    answer: object
    name: str = "mine"
    version: str = "1"

    def classify(self, candidate):
        return self.answer(candidate)

    def __reduce__(self):
        REGISTER.append(self)
        return _fetch, (len(REGISTER) - 1,)


REGISTER = []


def _fetch(number):
    return REGISTER[number]


def by_volume(candidate):
    return Judgement(LeakType.VENOUS if candidate.features["volume_mm3"] > 1 else LeakType.FORAMINAL)


def scribble(candidate):
    candidate.features["mine"] = 1.0
    return Judgement(LeakType.VENOUS)


def always_foraminal(_candidate):
    return Judgement(LeakType.FORAMINAL)


class Unpicklable(Classifier):
    def __reduce__(self):
        raise TypeError("it holds a lock")


class Forgetful(Classifier):
    def __reduce__(self):
        return Classifier, (always_foraminal,)


COUNTER = itertools.count()


@pytest.mark.parametrize(
    ("classifier", "told"),
    [
        (RuleClassifier, "is a class"),
        (object(), "needs name, version and classify"),
        (Classifier(lambda _: Judgement(LeakType.VENOUS), name=" "), "name must be text"),
        (Classifier(lambda _: "venous"), "returned str"),
        (Classifier(lambda _: Judgement("sideways")), "'sideways', not a LeakType"),
        (Classifier(lambda _: Judgement(LeakType.VENOUS, LeakSubtype.CENTRAL)), "no venous leak has"),
        (Classifier(lambda _: Judgement(LeakType.VENOUS, confidence=1.5)), "confidence 1.5"),
        (Classifier(lambda _: Judgement(LeakType.VENOUS, confidence=float("nan"))), "confidence nan"),
        (Classifier(lambda _: Judgement(LeakType.VENOUS, evidence=["because"])), "no tuple of Evidence"),
        (Classifier(by_volume), "raised TypeError for an ordinary candidate"),
        (Classifier(scribble), "changed the candidate"),
        (Classifier(lambda _: Judgement(LeakType.VENOUS, confidence=next(COUNTER) / 1e6)), "must be pure"),
        (Unpicklable(lambda _: Judgement(LeakType.VENOUS)), "does not survive pickling"),
        (Forgetful(lambda _: Judgement(LeakType.VENOUS)), "differently after pickling"),
    ],
    ids=itertools.count(),
)
def test_a_broken_promise_is_named(classifier, told):
    with pytest.raises(PluginError, match=told):
        check_classifier(classifier, [replace(phantom_candidates()[0])])
