"""Every recipe says whom it is for, is in the table, and reads as the configuration it claims to be."""

from pathlib import Path

import pytest

from leakseg.config import AnalysisConfig, load_config

FOLDER = Path(__file__).parents[1] / "pipelines"
RECIPES = sorted(FOLDER.glob("*.toml"))


def test_there_are_recipes():
    assert RECIPES


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_a_recipe_reads_and_changes_what_it_says(path):
    config = load_config(path)
    assert isinstance(config, AnalysisConfig)
    assert path.read_text(encoding="utf-8").startswith("# For ")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_a_recipe_stands_in_the_table(path):
    assert f"]({path.name})" in (FOLDER / "README.md").read_text(encoding="utf-8")
