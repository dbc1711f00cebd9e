"""`leakseg compare` on phantom patients: removal, resection, healing and motion are known, and the scans differ in all.

Bounds: removed volume within 5 %, resected within 10 %, registration within half a voxel, with the patient turned by up
to 15 degrees and the spine bent by up to 10.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pydicom
import pytest

from leakseg.anatomy import VertebraLevel
from leakseg.nifti import read_image, write_nifti

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
VOXEL_MM = 0.8


def leakseg(*arguments, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "leakseg", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    out = tmp_path_factory.mktemp("patients")
    leakseg("phantom", "surgery", out, "--count", 3, "--seed", 5)
    return out


@pytest.fixture(scope="module", params=[("case-002", "post", "followup"), ("case-003", "post")], ids="-".join)
def compared(request, patients):
    """A foraminal leak wholly removed through the pedicle, and a pedicle breach removed in part, not followed up."""
    case, *later = request.param
    out = patients / f"compared-{case}"
    leakseg("compare", *(patients / "scans" / f"{case}-{name}" for name in ("pre", *later)), "-o", out)
    truth = json.loads((patients / "truth" / case / "surgery.json").read_text(encoding="utf-8"))
    document = json.loads((out / "compare.json").read_text(encoding="utf-8"))
    assert list(document["registration"]) == later
    return document, truth, out, case


def leak_of(document, truth):
    wanted = truth["leaks"][0]
    return next(leak for leak in document["leaks"] if leak["type"] == wanted["type"])


def test_removed_cement_is_the_truths(compared):
    document, truth, _, _ = compared
    leak, true = leak_of(document, truth), truth["leaks"][0]
    for name in document["registration"]:
        share = leak[f"removed_{name}_mm3"] / leak["volume_pre_mm3"]
        assert share == pytest.approx(true["removed_mm3"] / true["volume_pre_mm3"], abs=0.05)
        assert leak[f"volume_{name}_mm3"] == pytest.approx(true["volume_post_mm3"], abs=0.1 * true["volume_pre_mm3"])
    assert document["new_cement"] == {name: [] for name in document["registration"]}


def test_resected_and_healed_bone_are_the_truths(compared):
    document, truth, _, _ = compared
    bone = {one["level"]: one for one in document["bone"]}
    true = truth["bone"]
    own = bone.pop(true["level"])
    assert own["resected_mm3"] == pytest.approx(true["resected_mm3"], rel=0.10)
    if "followup" in document["registration"]:
        assert own["healed_percent"] == pytest.approx(true["healed_percent"], abs=12)
    assert all(one["resected_mm3"] == 0 for one in bone.values())
    side = max(true["regions"], key=lambda part: part["resected_mm3"])
    told = max(own["regions"], key=lambda part: part["resected_mm3"])
    assert (told["region"], told["side"]) == (side["region"], side["side"])


def test_every_vertebra_is_found_within_half_a_voxel(compared, patients):
    document, truth, _, case = compared
    grid, labels = read_image(patients / "masks" / f"{case}-pre" / "vertebrae.nii.gz")
    names = (patients / "masks" / f"{case}-pre" / "labels.toml").read_text(encoding="utf-8")
    for name, matches in document["registration"].items():
        for match in matches:
            number = next(int(line.split("=")[0]) for line in names.splitlines() if f'"{match["level"]}"' in line)
            bone = grid.to_patient(np.argwhere(labels == number)[::50])
            found, true = (np.array(m) for m in (match["matrix"], truth["poses"][name][match["level"]]))
            away = bone @ found[:3, :3].T + found[:3, 3] - (bone @ true[:3, :3].T + true[:3, 3])
            assert np.sqrt((away**2).sum(axis=1).mean()) < VOXEL_MM / 2
            assert match["refused"] is None
            assert match["residual_mm"] < VOXEL_MM


def test_files_lie_in_the_frame_of_the_first_scan(compared, patients):
    document, truth, out, case = compared
    pre, _ = read_image(patients / "masks" / f"{case}-pre" / "vertebrae.nii.gz")
    grid, resected = read_image(out / "resected.nii.gz")
    assert np.allclose(np.rint(pre.to_index(grid.to_patient([0, 0, 0]))), pre.to_index(grid.to_patient([0, 0, 0])))
    volume = np.count_nonzero(resected) * grid.voxel_volume_mm3
    assert volume == pytest.approx(sum(one["resected_mm3"] for one in document["bone"]), abs=1.0)
    page = (out / "compare.html").read_text(encoding="utf-8")
    assert "data:image/png" in page
    assert "not a medical device" in page
    assert truth["leaks"][0]["type"] in page


def test_the_same_scan_twice_has_lost_nothing(patients, tmp_path):
    scan = patients / "scans" / "case-002-pre"
    leakseg("compare", scan, scan, "-o", tmp_path / "out")
    document = json.loads((tmp_path / "out/compare.json").read_text(encoding="utf-8"))
    assert all(abs(leak["removed_post_percent"]) < 1 for leak in document["leaks"])
    assert all(one["resected_mm3"] == 0 for one in document["bone"])


def test_another_patients_scan_is_refused(patients, tmp_path):
    scans = patients / "scans"
    done = leakseg("compare", scans / "case-001-pre", scans, "-o", tmp_path / "out", code=2)
    assert "expected one usable CT study there, found 9" in done.stderr
    assert not (tmp_path / "out").exists()


def test_scans_whose_headers_name_two_patients_or_another_order_are_told(patients, tmp_path):
    """Numbers of two patients compared would pass for a result: the same shape of spine is no proof."""
    for name, patient, date in (("pre", "KEY-4711", "20240301"), ("post", "KEY-4712", "20240201")):
        masks = patients / "masks" / "case-002-pre"
        shutil.copytree(masks, tmp_path / "masks" / name)
        (tmp_path / "scans" / name).mkdir(parents=True)
        for path in sorted((patients / "scans" / "case-002-pre").iterdir()):
            header = pydicom.dcmread(path)
            header.PatientID, header.StudyDate, header.PatientIdentityRemoved = patient, date, "NO"
            header.save_as(tmp_path / "scans" / name / path.name)
    done = leakseg("compare", tmp_path / "scans" / "pre", tmp_path / "scans" / "post", "-o", tmp_path / "out", code=1)
    assert "The headers of the pre and the post scan hold different patient IDs: check" in done.stdout
    assert "the post scan was taken before the pre scan" in done.stdout
    assert "KEY" not in (tmp_path / "out" / "compare.json").read_text(encoding="utf-8") + done.stdout + done.stderr


def test_levels_that_do_not_match_are_told(patients, tmp_path):
    masks = patients / "masks" / "case-002-post"
    grid, labels = read_image(masks / "vertebrae.nii.gz")
    shifted = tmp_path / "masks"
    shifted.mkdir()
    wrong = np.where(labels > 0, labels + 2, 0).astype(np.uint8)
    write_nifti(shifted / "vertebrae.nii.gz", grid, wrong)
    levels = [VertebraLevel(f"L{n - 19}") for n in np.unique(wrong) if 20 <= n <= 25]
    lines = [f'{19 + int(level[1])} = "{level}"' for level in levels]
    lines += [f'{n} = "S{n - 25}"' for n in np.unique(wrong) if n > 25]
    (shifted / "labels.toml").write_text("[labels]\n" + "\n".join(lines) + "\n", encoding="utf-8")
    scans = patients / "scans"
    both = (scans / "case-002-pre", scans / "case-002-post")
    done = leakseg("compare", *both, "--masks-post", shifted, "-o", tmp_path / "out", code=1)
    said = done.stderr + done.stdout
    assert "did not come to lie on itself" in said or "is not seen" in said or "check that the same vertebra" in said
