"""NIfTI and NRRD files as scans: which are scans, and what their values mean."""

import numpy as np
import pytest
import SimpleITK as sitk

from leakseg.criteria import ReadingCriteria
from leakseg.errors import InputError
from leakseg.geometry import Grid
from leakseg.nifti import write_nifti
from leakseg.readers import read_volume

AFFINE = np.array([[0, 0, 2.0, -20], [0, 3.0, 0, -160], [2.5, 0, 0, -540], [0, 0, 0, 1]])
GRID = Grid((24, 20, 22), AFFINE)


def painted(bench):
    return bench.paint(GRID.to_patient(np.stack(np.indices(GRID.shape), axis=-1)))


def nrrd(path, array):
    image = sitk.GetImageFromArray(array)
    image.SetOrigin(AFFINE[:3, 3])
    image.SetSpacing((2.0, 3.0, 2.5))
    sitk.WriteImage(image, str(path))


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nii", "scan.nrrd"])
@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64])
def test_scans_are_read_in_patient_space(bench, tmp_path, name, kind):
    hu = painted(bench).astype(kind)
    (nrrd if name.endswith("nrrd") else lambda path, array: write_nifti(path, GRID, array))(tmp_path / name, hu)
    case = bench.only_case(tmp_path)
    assert (case.source.case_id, case.source.kind) == ("scan", "nrrd" if name.endswith("nrrd") else "nifti")
    scan = read_volume(case.source, ReadingCriteria())
    assert scan.volume.hu.dtype == np.int16
    assert bench.wrong(scan) == 0
    assert scan.volume.series.slices == case.slices == 24


def test_densities_that_are_no_whole_numbers_stay_so(bench, tmp_path):
    write_nifti(tmp_path / "scan.nii", GRID, painted(bench).astype(np.float32) + np.float32(0.25))
    volume = bench.read(tmp_path).volume
    assert volume.hu.dtype == np.float32
    np.testing.assert_array_equal(volume.hu, painted(bench) + 0.25)


def test_what_is_no_number_is_padding(bench, tmp_path):
    hu = painted(bench).astype(np.float32)
    hu[0, 0, :5] = np.nan
    write_nifti(tmp_path / "scan.nii", GRID, hu)
    scan = bench.read(tmp_path)
    assert scan.volume.padding.sum() == 5
    assert (scan.volume.hu[scan.volume.padding] == -1024).all()
    assert "pixel_padding" in [note.code for note in scan.notes]


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("highest", [1, 28, 120])
def test_label_images_are_never_scans(bench, tmp_path, kind, highest):
    labels = np.zeros(GRID.shape, kind)
    labels[8:16, 5:15, 5:15] = np.arange(8 * 100).reshape(8, 10, 10) % (highest + 1)
    write_nifti(tmp_path / "seg.nii.gz", GRID, labels)
    nrrd(tmp_path / "seg.nrrd", labels)
    inventory = bench.inventory(tmp_path)
    assert inventory.cases() == ()
    assert all("label image" in one.reason for one in inventory.ignored)
    assert len(inventory.ignored) == 2


def test_images_without_hounsfield_units_are_refused(bench, tmp_path):
    values = np.random.default_rng(0).integers(0, 1400, GRID.shape)
    write_nifti(tmp_path / "mr.nii.gz", GRID, values.astype(np.int16))
    case = bench.only_case(tmp_path)
    assert not case.analysable
    with pytest.raises(InputError) as raised:
        read_volume(case.source, ReadingCriteria())
    assert str(raised.value) == case.reason
    assert "no voxel is below 0" in case.reason


def test_small_images_are_refused(bench, tmp_path):
    write_nifti(
        tmp_path / "few.nii", GRID.crop((slice(0, 9), slice(None), slice(None))), painted(bench)[:9].astype(np.int16)
    )
    assert "Too few slices: 9" in bench.only_case(tmp_path).reason


@pytest.mark.parametrize("data", [b"nothing of the kind", b"\x1f\x8b\x08" + bytes(40), bytes(400)])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd"])
def test_broken_images_are_refused_in_a_sentence(bench, tmp_path, data, ending):
    (tmp_path / f"Quux Zyxw{ending}").write_bytes(data)
    case = bench.only_case(tmp_path)
    assert not case.analysable
    assert "Quux" not in case.reason
    assert "\n" not in case.reason
    with pytest.raises(InputError):
        read_volume(case.source, ReadingCriteria())


def test_an_image_cut_short(bench, tmp_path):
    noise = np.random.default_rng(0).integers(-1000, 1000, GRID.shape).astype(np.int16)
    write_nifti(tmp_path / "scan.nii.gz", GRID, noise)
    data = (tmp_path / "scan.nii.gz").read_bytes()
    (tmp_path / "scan.nii.gz").write_bytes(data[: len(data) // 2])
    case = bench.only_case(tmp_path)
    with pytest.raises(InputError, match="cut short"):
        read_volume(case.source, ReadingCriteria())
