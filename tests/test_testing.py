"""The conformance test for plug-in authors: good classifiers pass, each broken promise is named."""

import itertools
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from leakseg.cli import run_command
from leakseg.errors import PluginError
from leakseg.findings import Judgement, LeakSubtype, LeakType
from leakseg.stages.classify import RuleClassifier
from leakseg.testing import check_classifier, phantom_candidates

SAMPLES = Path(__file__).parents[1] / "sample_dicom"


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


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("Judgement(LeakType.VENOUS, confidence=7.0)", "Classifier 'loud' gave the confidence 7.0; expected a number"),
        ("Judgement(LeakType.VENOUS, LeakSubtype.CENTRAL)", "which no venous leak has"),
        ("'venous'", "returned str, not a Judgement"),
        ("{}['Doe^Jane']", "Classifier 'loud' raised KeyError for an ordinary candidate"),
    ],
)
def test_a_run_blames_the_classifier_and_writes_no_report(tmp_path, monkeypatch, answer, told):
    (tmp_path / "loud.py").write_text(
        "from leakseg.findings import Judgement, LeakSubtype, LeakType\n"
        f"class Loud:\n    name, version = 'loud', '1'\n    def classify(self, candidate):\n        return {answer}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "loud", raising=False)
    out = tmp_path / "out"
    scan, choice = str(SAMPLES / "scans" / "three-leaks"), ["--classifier", "loud:Loud", "--workers", "0"]
    assert run_command(["run", scan, "-o", str(out), "--write", "json", *choice]) == 1
    (case,) = json.loads((out / "run.json").read_text(encoding="utf-8"))["cases"]
    assert case["status"] == "failed"
    assert told in case["reason"]
    assert "Doe" not in case["reason"]
    assert not (out / "three-leaks").exists()


CHATTY = """
from leakseg.findings import Judgement, LeakType
print("loaded")
class Chatty:
    name, version = "chatty", "1"
    def classify(self, candidate):
        print("thinking")
        candidate.features["volume_mm3"] = -1.0
        return Judgement(LeakType.VENOUS)
class Quitter(Chatty):
    def classify(self, candidate):
        raise SystemExit(3)
"""


@pytest.fixture
def chatty(tmp_path, monkeypatch):
    (tmp_path / "chatty.py").write_text(CHATTY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "chatty", raising=False)
    scan = str(SAMPLES / "scans" / "three-leaks")
    return lambda name, out: run_command(
        [
            "run",
            scan,
            "-o",
            str(out),
            "--write",
            "json,csv",
            "--workers",
            "0",
            "--json",
            "--classifier",
            f"chatty:{name}",
        ]
    )


def test_what_a_classifier_prints_or_writes_stays_out_of_the_results(chatty, tmp_path, capsys):
    assert chatty("Chatty", tmp_path / "out") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["cases"][0]["status"] == "done"
    assert "loaded" in told.err
    assert "thinking" in told.err
    (features,) = (tmp_path / "out").glob("*/features.csv")
    assert "-1.0" not in features.read_text(encoding="utf-8")


def test_a_classifier_that_leaves_fails_its_case_and_not_the_run(chatty, tmp_path, capsys):
    assert chatty("Quitter", tmp_path / "out") == 1
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    assert "Classifier 'chatty' raised SystemExit for an ordinary candidate" in case["reason"]
