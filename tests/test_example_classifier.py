"""The example package does what its docstring says: phantoms, features, training, a run, a comparison."""

import json
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from leakseg.cli import run_command
from leakseg.plugins import load_classifier
from leakseg.testing import check_classifier

EXAMPLE = Path(__file__).parent / "example_classifier"
RECIPE = """
[scanner]
slice_mm = 1.25
pixel_mm = 1.0
[draw]
count = 0
[[case]]
id = "all-types"
treated = ["L2", "L3"]
leak = [
  {level = "L2", type = "venous"}, {level = "L2", type = "epidural"}, {level = "L2", type = "intradiscal"},
  {level = "L3", type = "foraminal"}, {level = "L3", type = "paravertebral"},
]
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder with the example, trained on one phantom that holds every type, as its docstring tells."""
    folder = tmp_path_factory.mktemp("study")
    for path in EXAMPLE.glob("*.*"):
        shutil.copy(path, folder)
    (folder / "recipe.toml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [str(folder), *sys.path])
        for command in (
            "phantom make cohort --seed 3 --recipe recipe.toml",
            "run cohort/scans --masks cohort/masks -o rules --workers 0",
            "evaluate rules cohort/truth -o scores",
        ):
            assert run_command(command.split()) == 0, command
        import forest_classifier

        assert forest_classifier.train(Path("rules"), Path("scores")) >= 5
        yield folder
    sys.modules.pop("forest_classifier", None)


def test_a_researcher_starts_from_less_than_80_lines():
    assert len((EXAMPLE / "forest_classifier.py").read_text(encoding="utf-8").splitlines()) < 80


def test_its_entry_point_keeps_the_contract(study):
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    target = project["entry-points"]["leakseg.leak_classifiers"]["forest"]
    loaded = load_classifier(target)
    assert loaded.identity == "forest 0.1"
    check_classifier(loaded.classifier)


def test_a_run_uses_it_and_the_evaluator_compares_it_with_the_rules(study, capsys):
    chosen = "--classifier forest_classifier:ForestClassifier"
    assert run_command(f"run cohort/scans --masks cohort/masks -o mine {chosen}".split()) == 0
    report = json.loads((study / "mine" / "all-types" / "report.json").read_text(encoding="utf-8"))
    assert report["provenance"]["classifier"] == "forest 0.1"
    capsys.readouterr()
    assert run_command(["evaluate", "mine", "cohort/truth", "--against", "rules", "-o", "comparison", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["naming"]["accuracy"]["value"] == 1.0, "it has seen these very leaks"
    assert {entry["against"] for entry in document["comparisons"]} == {"rules"}


def test_show_features_prints_the_table_it_was_trained_on(study, capsys):
    assert run_command(["show", "features", "rules/all-types"]) == 0
    assert capsys.readouterr().out == (study / "rules" / "all-types" / "features.csv").read_text(encoding="utf-8")
    assert run_command(["show", "features", "rules/all-types", "--json"]) == 0
    candidates = json.loads(capsys.readouterr().out)["candidates"]
    report = json.loads((study / "rules" / "all-types" / "report.json").read_text(encoding="utf-8"))
    assert [one["id"] for one in candidates] == [leak["id"] for leak in report["leaks"]]
    assert [one["told_type"] for one in candidates] == [leak["type"] for leak in report["leaks"]]
    for one, leak in zip(candidates, report["leaks"], strict=True):
        assert one["volume_mm3"] == pytest.approx(leak["volume_mm3"], rel=1e-3)
    assert any(None in one.values() for one in candidates), "what cannot be measured is null"


def test_show_features_of_no_case_is_one_sentence(study, capsys):
    assert run_command(["show", "features", "cohort"]) == 2
    assert "There is no features.csv" in capsys.readouterr().err
