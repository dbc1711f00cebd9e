"""Every recipe says whom it is for, is in the table, and reads as the configuration it claims to be."""

import csv
import json
from pathlib import Path

import pytest

from leakseg.cli import run_command
from leakseg.config import AnalysisConfig, load_config
from leakseg.phantom.mask_faults import MaskFault
from leakseg.phantom.recipe import read_recipe

FOLDER = Path(__file__).parents[1] / "pipelines"
SAMPLES = FOLDER.with_name("sample_dicom")
STUDY = FOLDER / "phantom_study.toml"
RECIPES = sorted(path for path in FOLDER.glob("*.toml") if path != STUDY)


def test_there_are_recipes():
    assert RECIPES


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_a_recipe_reads_and_changes_what_it_says(path):
    config = load_config(path)
    assert isinstance(config, AnalysisConfig)
    assert path.read_text(encoding="utf-8").startswith("# For ")


def test_the_study_asks_for_three_hundred_phantoms():
    recipe = read_recipe(STUDY)
    assert sum(group.count for group in recipe.group) == 300
    assert recipe.seed is not None
    assert recipe.seed > 900, "seeds up to 900 are for tuning"
    asked = {fault for group in recipe.group for fault in group.recipe.mask_fault.weights}
    assert asked == set(MaskFault)
    assert STUDY.read_text(encoding="utf-8").startswith("# For ")


@pytest.mark.parametrize("path", [*RECIPES, STUDY], ids=lambda path: path.name)
def test_a_recipe_stands_in_the_table(path):
    assert f"]({path.name})" in (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(not SAMPLES.is_dir(), reason="sample_dicom is not there")
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_a_recipe_analyses_the_sample_studies(path, tmp_path):
    arguments = ["run", str(SAMPLES), "-o", str(tmp_path / "out"), "--pipeline", str(path), "--workers", "0"]
    assert run_command(arguments) == 1, "one of the samples must be refused"
    document = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert document["counts"] == {"done": 2, "refused": 1, "failed": 0, "skipped": 0}
    asked = load_config(path)
    assert bool(list((tmp_path / "out").glob("*/cement.nii.gz"))) is ("nifti" in asked.write)
    with (tmp_path / "out" / "leaks.csv").open(encoding="utf-8", newline="") as stream:
        assert len(list(csv.DictReader(stream))) >= 3
