"""`leakseg phantom make` from a recipe and `implant`: whose seed counts, what is said, and what is left alone."""

import json
from pathlib import Path

import pytest

from leakseg.cli import run_command
from leakseg.nifti import read_image, write_nifti

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


def listed(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_second_making_leaves_nothing_of_the_first_among_its_slices(tmp_path, capsys):
    made(tmp_path, UNTREATED.format("seed = 5\n"))
    first = listed(tmp_path / "out")
    (tmp_path / "out" / "scans" / "untreated" / "9999.dcm").write_bytes(b"a slice of a longer spine")
    made(tmp_path, UNTREATED.format("seed = 5\n"))
    assert listed(tmp_path / "out") == first
    assert "untreated: an earlier one is replaced" in capsys.readouterr().err
    made(tmp_path, UNTREATED.format("seed = 5\n") + '[[case]]\nid = "other"\ntreated = []\n')
    capsys.readouterr()
    made(tmp_path, UNTREATED.format("seed = 5\n"))
    assert "made before (1): other" in capsys.readouterr().err


def test_a_scan_of_ones_own_is_not_written_over(tmp_path, capsys):
    own = tmp_path / "out" / "scans" / "untreated"
    own.mkdir(parents=True)
    (own / "0001.dcm").write_bytes(b"my only copy")
    (tmp_path / "recipe.toml").write_text(UNTREATED.format(""), encoding="utf-8")
    command = ["phantom", "make", str(tmp_path / "out"), "--recipe", str(tmp_path / "recipe.toml")]
    assert run_command(command) == 2
    assert "a scan of your own" in capsys.readouterr().err
    assert listed(tmp_path / "out") == {own.relative_to(tmp_path / "out") / "0001.dcm": b"my only copy"}


def test_an_implant_says_which_masks_it_used_and_what_is_to_be_known_of_them(tmp_path, capsys):
    samples = Path(__file__).parents[2] / "sample_dicom"
    scan, masks = (samples / part / "treated-no-leak" for part in ("scans", "masks"))
    grid, labels = read_image(masks / "vertebrae.nii.gz")
    labels[:, :, 0] = 99
    write_nifti(tmp_path / "vertebrae.nii.gz", grid, labels)
    files = [f"vertebrae={tmp_path / 'vertebrae.nii.gz'}", f"canal={masks / 'canal.nii.gz'}"]
    told = ["--masks", files[0], "--masks", files[1], "--label-scheme", str(masks / "labels.toml")]
    wanted = ["--leaks", "none", "--levels", "L3", "--count", "1", "-o", str(tmp_path / "out")]
    assert run_command(["phantom", "implant", str(scan), *told, *wanted]) == 0
    said = capsys.readouterr().err
    assert "masks: precomputed" in said
    assert "warning: The vertebrae mask holds numbers that its scheme does not name: 99" in said
