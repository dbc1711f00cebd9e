"""What lies on disk, read back by libraries that did not write it."""

import hashlib
import json
import shutil
import subprocess
import tomllib

import numpy as np
import pydicom
import pytest

from leakseg.anatomy import VertebraLevel
from leakseg.errors import ConfigError
from leakseg.findings import LeakSubtype, LeakType, Side
from leakseg.geometry import Grid
from leakseg.phantom.dicom_ct import write_series
from leakseg.phantom.folders import write_phantom
from leakseg.phantom.implant import implant_on
from leakseg.phantom.jobs import make_cohort
from leakseg.phantom.plan import FillPlan, ImplantPlan, LeakPlan
from leakseg.phantom.recipe import default_recipe, override, read_recipe
from leakseg.volume import Volume

L3 = VertebraLevel.L3


@pytest.fixture(scope="module")
def case(made_scan, tmp_path_factory):
    volume, masks, ground = made_scan
    leak = LeakPlan(level=L3, type=LeakType.EPIDURAL, subtype=LeakSubtype.PARACENTRAL, side=Side.RIGHT)
    plan = ImplantPlan(fills=(FillPlan(level=L3),), leaks=(leak,))
    phantom = implant_on(volume, masks, ground, plan, np.random.default_rng(8))
    out = tmp_path_factory.mktemp("phantom")
    write_phantom(phantom, out, "case-001", seed_text="test 8 1")
    return out, phantom


def sitk_series(folder):
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def test_dicom_reads_back_with_simpleitk(case):
    import SimpleITK as sitk

    out, phantom = case
    image = sitk_series(out / "scans" / "case-001")
    assert np.array_equal(sitk.GetArrayFromImage(image), phantom.volume.hu)
    grid = phantom.volume.grid
    for index in ((0, 0, 0), (5, 7, 11), tuple(n - 1 for n in grid.shape)):
        there = image.TransformIndexToPhysicalPoint([int(n) for n in index[::-1]])
        assert np.allclose(there, grid.to_patient(index), atol=1e-3)


def test_oblique_grid_keeps_its_place(tmp_path):
    import SimpleITK as sitk

    turn = np.array([[np.cos(0.2), -np.sin(0.2), 0], [np.sin(0.2), np.cos(0.2), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[0, 0, 0.7], [0, 0.6, 0], [1.5, 0, 0]])
    affine[:3, 3] = [-31.23456, 8.5, -412.125]
    hu = np.random.default_rng(1).integers(-1000, 3000, (12, 9, 8)).astype(np.int16)
    volume = Volume(Grid(hu.shape, affine), hu)
    write_series(tmp_path, volume, case_id="oblique", seed_text="oblique", description="test")
    image = sitk_series(tmp_path)
    assert np.array_equal(sitk.GetArrayFromImage(image), hu)
    assert np.allclose(image.TransformIndexToPhysicalPoint([7, 8, 11]), volume.grid.to_patient([11, 8, 7]), atol=1e-3)


def test_dciodvfy_finds_no_error(case):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian's dicom3tools) is not installed.")
    out, _phantom = case
    path = sorted((out / "scans" / "case-001").iterdir())[3]
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    told = [line for line in (done.stdout + done.stderr).splitlines() if "Error" in line or "Warning" in line]
    assert told == []


def test_nobody_is_named(case):
    out, _phantom = case
    header = pydicom.dcmread(next((out / "scans" / "case-001").iterdir()), stop_before_pixels=True)
    assert str(header.PatientName) == "Phantom^case-001"
    assert header.PatientIdentityRemoved == "YES"
    assert header.PatientBirthDate == ""


def test_masks_and_truth_agree(case):
    import SimpleITK as sitk

    out, phantom = case
    names = tomllib.loads((out / "masks" / "case-001" / "labels.toml").read_text())["labels"]
    assert set(names.values()) == {"L2", "L3", "L4"}
    vertebrae = sitk.GetArrayFromImage(sitk.ReadImage(str(out / "masks" / "case-001" / "vertebrae.nii.gz")))
    assert {int(number) for number in names} == set(np.unique(vertebrae)) - {0}
    truth = json.loads((out / "truth" / "case-001" / "truth.json").read_text())
    (leak,) = truth["leaks"]
    assert {"id", "type", "subtype", "route", "level", "segment", "side", "volume_mm3"} <= set(leak)
    header = pydicom.dcmread(next((out / "scans" / "case-001").iterdir()), stop_before_pixels=True)
    assert truth["study_instance_uid"] == header.StudyInstanceUID
    labels = sitk.ReadImage(str(out / "truth" / "case-001" / "truth_leaks.nii.gz"))
    voxels = np.argwhere(sitk.GetArrayFromImage(labels) == leak["id"])
    middle = np.mean([labels.TransformIndexToPhysicalPoint([int(n) for n in v[::-1]]) for v in voxels], axis=0)
    assert np.abs(middle - leak["centroid_mm"]).max() < 1.0
    scan = sitk_series(out / "scans" / "case-001")
    assert np.allclose(labels.TransformIndexToPhysicalPoint([0, 0, 0]), scan.GetOrigin(), atol=1e-3)
    cement = truth["cement"]
    parts = cement["inside_volume_mm3"] + cement["leaked_volume_mm3"]
    assert cement["total_volume_mm3"] == pytest.approx(parts, abs=0.02)
    assert cement["leaked_volume_mm3"] == pytest.approx(phantom.leaks[0].volume_mm3, abs=0.01)


def test_same_phantom_same_bytes(case, tmp_path):
    out, phantom = case
    write_phantom(phantom, tmp_path, "case-001", seed_text="test 8 1")

    def digests(root):
        return {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in root.rglob("*")
            if path.is_file()
        }

    assert digests(out) == digests(tmp_path)


def test_recipe_and_seed_give_the_same_phantom():
    recipe = override(default_recipe(), count=1, leaks=("intradiscal",), levels=(L3,))
    one, two = (next(make_cohort(recipe, 5)).phantom for _ in range(2))
    assert np.array_equal(one.volume.hu, two.volume.hu)
    assert one.leaks == two.leaks
    other = next(make_cohort(recipe, 6)).phantom
    assert one.volume.hu.shape != other.volume.hu.shape or not np.array_equal(one.volume.hu, other.volume.hu)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sede = 3", "wrong at sede"),
        ("[scanner]\nslice_mm = 'thin'", "wrong at scanner.slice_mm"),
        ("seed = ", "no valid TOML"),
        ("[[case]]\nid = 'a'\ntreated = ['L9']", "wrong at case.0.treated"),
    ],
)
def test_wrong_recipe_is_told_where(tmp_path, text, sentence):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        read_recipe(path)


def test_unknown_leak_type_is_told():
    with pytest.raises(ConfigError, match="no leak type 'arterial'"):
        override(default_recipe(), leaks=("arterial",))
