"""sample_dicom is what its recipe makes: built again, it is the same."""

import gzip
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest

from leakseg.phantom.folders import write_phantom
from leakseg.phantom.jobs import make_cohort
from leakseg.phantom.recipe import read_recipe

SAMPLE = Path(__file__).parents[1] / "sample_dicom"
PARTS = ("scans", "masks", "truth")


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory):
    out = tmp_path_factory.mktemp("rebuilt")
    for made in make_cohort(read_recipe(SAMPLE / "recipe.toml")):
        write_phantom(made.phantom, out, made.case_id, seed_text=made.seed_text, skip=made.skip)
    return out


def files(root):
    return sorted(str(path.relative_to(root)) for part in PARTS for path in (root / part).rglob("*") if path.is_file())


def test_same_files(rebuilt):
    assert files(rebuilt) == files(SAMPLE)


def test_same_bytes(rebuilt):
    """Bytes where no arithmetic of another numpy or zlib can differ; else one HU in a few voxels is let pass."""
    for name in files(SAMPLE):
        old, new = (root / name for root in (SAMPLE, rebuilt))
        if old.read_bytes() == new.read_bytes():
            continue
        if name.endswith(".gz"):
            assert gzip.decompress(old.read_bytes()) == gzip.decompress(new.read_bytes()), name
        elif name.endswith(".dcm"):
            one, other = pydicom.dcmread(old), pydicom.dcmread(new)
            apart = np.abs(one.pixel_array.astype(int) - other.pixel_array.astype(int))
            assert apart.max() <= 1, name
            assert np.count_nonzero(apart) <= 10, name
            del one.PixelData, other.PixelData
            assert one == other, name
        else:
            pytest.fail(f"{name} differs")


def test_small_and_nobody():
    paths = [SAMPLE / name for name in files(SAMPLE)]
    assert sum(path.stat().st_size for path in paths) < 6_000_000
    names = {str(pydicom.dcmread(p, stop_before_pixels=True).PatientName) for p in paths if p.suffix == ".dcm"}
    assert names == {"Phantom^three-leaks", "Phantom^treated-no-leak", "Phantom^missing-slices"}


def test_truth_is_what_the_readme_says():
    truth = {
        path.parent.name: [
            (leak["type"], leak["level"], leak["side"]) for leak in json.loads(path.read_text())["leaks"]
        ]
        for path in (SAMPLE / "truth").glob("*/truth.json")
    }
    assert truth["three-leaks"] == [
        ("venous", "L2", "right"),
        ("epidural", "L3", "left"),
        ("paravertebral", "L4", "left"),
    ]
    assert truth["treated-no-leak"] == []
