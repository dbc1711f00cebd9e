"""`leakseg phantom make` from a recipe: whose seed counts, and a spine that nobody treated."""

import json

import pytest

from leakseg.cli import run_command

UNTREATED = '{}[[case]]\nid = "untreated"\ntreated = []\n[scanner]\nslice_mm = 3.0\npixel_mm = 1.5\n'


def made(tmp_path, recipe, *options):
    (tmp_path / "recipe.toml").write_text(recipe, encoding="utf-8")
    out = tmp_path / "out"
    assert run_command(["phantom", "make", str(out), "--recipe", str(tmp_path / "recipe.toml"), *options]) == 0
    return json.loads((out / "truth" / "untreated" / "truth.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("own", "options", "seed"), [("seed = 5\n", (), 5), ("seed = 5\n", ("--seed", "7"), 7), ("", (), 1)]
)
def test_the_recipes_seed_counts_where_the_command_names_none(tmp_path, own, options, seed):
    assert made(tmp_path, UNTREATED.format(own), *options)["origin"]["seed"] == seed


def test_an_untreated_spine_has_no_cement(tmp_path):
    truth = made(tmp_path, UNTREATED.format(""))
    assert truth["leaks"] == []
    assert truth["cement"]["total_volume_mm3"] == 0
    assert truth["origin"]["spine"]["levels"] == ["L2", "L3", "L4"]
