"""The main job on real scans: what holds no cement is told to hold none, and cement put in is named right."""

import importlib.util
import json
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from leakseg.cli import run_command

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
VERSE005 = DATA / "verse005"
VERSE005_MASKS = (
    *("--masks", f"vertebrae={VERSE005 / 'vertebrae.nii.gz'}"),
    *("--masks", f"canal={VERSE005 / 'canal_derived.nii.gz'}"),
    *("--label-scheme", "verse"),
)
TRUNK = DATA / "totalsegmentator_ct"
TRUNK_MASKS = ("--masks", str(TRUNK / "seg_total_v2.nii.gz"), "--label-scheme", "totalsegmentator")
SEED = 871
"""One of those that anybody may tune on; the examination's begin at 901."""
RIGHT_AT_LEAST = 0.9

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="The real scans are not at ../shared/data: they never come with the project."
)


@pytest.mark.parametrize(
    ("scan", "masks", "canal_from", "levels"),
    [
        (VERSE005, VERSE005_MASKS, "mask", ["L1", "L2", "L3", "L4", "L5"]),
        (TRUNK, TRUNK_MASKS, "cord", ["T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]),
    ],
    ids=["verse005", "totalsegmentator_ct"],
)
def test_a_spine_that_nobody_treated_has_no_cement_and_no_leak(tmp_path, scan, masks, canal_from, levels):
    arguments = ["run", str(scan / "ct.nii.gz"), *masks, "-o", str(tmp_path), "--write", "json", "--workers", "0"]
    assert run_command(arguments) == 0
    (path,) = tmp_path.glob("*/report.json")
    report = json.loads(path.read_text(encoding="utf-8"))
    assert report["leaks"] == []
    assert report["cement"]["total_volume_mm3"] == 0
    assert report["cement"]["metal_volume_mm3"] == 0
    assert not any(level["treated"] for level in report["levels"])
    assert [level["level"] for level in report["levels"]] == levels
    assert report["masks"]["canal_from"] == canal_from
    assert "dense_matter_unexplained" not in [note["code"] for note in report["quality"]]


def test_the_sacrum_without_a_mask_is_no_leak_of_cement_hardly_denser_than_cortex(tmp_path):
    """VerSe's masks end at L5: dense bone of the sacrum lies where the next foramen is to be."""
    scan = nibabel.load(VERSE005 / "ct.nii.gz")
    masks = np.asarray(nibabel.load(VERSE005 / "vertebrae.nii.gz").dataobj)
    depth = ndimage.distance_transform_edt(masks == 23)  # L4, in voxels of 1 mm
    deepest = np.unravel_index(depth.argmax(), depth.shape)
    ball = sum((axis - at) ** 2 for axis, at in zip(np.indices(masks.shape), deepest, strict=True)) <= 7.0**2
    hu = np.where(ball, 1100.0, scan.get_fdata()).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(hu, scan.affine), tmp_path / "weak.nii.gz")
    out = tmp_path / "out"
    arguments = ["run", str(tmp_path / "weak.nii.gz"), *VERSE005_MASKS, "-o", str(out), "--write", "json"]
    assert run_command([*arguments, "--workers", "0"]) == 0
    report = json.loads((out / "weak" / "report.json").read_text(encoding="utf-8"))
    assert [level["level"] for level in report["levels"] if level["treated"]] == ["L4"]
    assert report["leaks"] == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_cement_put_into_a_real_scan_is_named_right(tmp_path, capsys):
    """Every type at L2, L3 and L4 on every side it has, and controls; the table stands in a failure's output."""
    table = load_benchmark("implant_table")
    cohort, results = tmp_path / "cohort", tmp_path / "results"
    choices = ("--levels", "L2,L3,L4", "--seed", str(SEED))
    made = ["phantom", "implant", str(VERSE005 / "ct.nii.gz"), *VERSE005_MASKS, *choices, "-o", str(cohort)]
    assert run_command(made) == 0
    run = ["run", str(cohort / "scans"), "--masks", str(cohort / "masks"), "-o", str(results)]
    assert run_command([*run, "--write", "json", "--workers", "1"]) == 0
    capsys.readouterr()
    rows = table.score(cohort / "truth", results)
    table._print(rows, SEED)
    told = capsys.readouterr().out
    controls = rows.pop(table.CONTROL)
    assert controls.cases >= 9, told
    assert controls.all_right == controls.cases, told
    assert sum(row.all_right for row in rows.values()) >= RIGHT_AT_LEAST * sum(row.cases for row in rows.values()), told
    assert set(rows) == {"epidural", "foraminal", "venous", "intradiscal", "paravertebral"}


def load_benchmark(name):
    """A script of benchmarks/ as a module; it is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
