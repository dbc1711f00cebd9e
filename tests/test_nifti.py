"""NIfTI and NRRD: read and written to the same place of the patient as other libraries read and write them."""

import gzip
import itertools

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from leakseg.errors import InputError
from leakseg.geometry import Grid
from leakseg.nifti import is_image_file, read_grid, read_image, read_sample, write_nifti

ALL_RAS = ["".join(one) for order in itertools.permutations(("LR", "AP", "IS")) for one in itertools.product(*order)]
VECTORS = {"R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
VALUES = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)


def nibabel_image(codes="RAS", values=VALUES, turn=None, unit="mm", scale=1.0):
    """An image whose axes run to the letters of ``codes``, in nibabel's RAS world."""
    columns = np.array([VECTORS[letter] for letter in codes], dtype=float).T * [2.0, 3.0, 2.5]
    affine = np.eye(4)
    affine[:3, :3] = (columns if turn is None else turn @ columns) * scale
    affine[:3, 3] = np.array([5.0, -7.0, 11.0]) * scale
    image = nib.Nifti1Image(values, affine)
    image.header.set_xyzt_units(unit)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    return image


def same_places(path, grid, array, tolerance=1e-4):
    """Every voxel lies where SimpleITK, which did not write the file, says that value lies."""
    image = sitk.ReadImage(str(path))
    other = sitk.GetArrayFromImage(image)
    assert sorted(array.reshape(-1).tolist()) == sorted(other.reshape(-1).tolist())
    for value in (0, 1, 7, 31, 59):
        (index,) = np.argwhere(other == value)
        theirs = image.TransformContinuousIndexToPhysicalPoint([float(one) for one in index[::-1]])
        (index,) = np.argwhere(array == value)
        np.testing.assert_allclose(grid.to_patient(index), theirs, atol=tolerance)


@pytest.mark.parametrize("codes", ALL_RAS)
def test_every_orientation_is_read_where_itk_sees_it(tmp_path, codes):
    path = tmp_path / "x.nii.gz"
    nib.save(nibabel_image(codes), path)
    grid, array = read_image(path)
    assert grid.orientation == "SPL"
    assert array.dtype == np.int16
    assert array.flags.c_contiguous
    same_places(path, grid, array)
    assert read_grid(path).same_as(grid)


def test_oblique(tmp_path):
    path = tmp_path / "x.nii"
    nib.save(nibabel_image("LPI", turn=Rotation.from_euler("xyz", (9, -14, 5), degrees=True).as_matrix()), path)
    same_places(path, *read_image(path))


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("turn", [(0, 0, 0), (9, -14, 5)])
def test_what_is_written_is_read_by_others_in_the_same_place(tmp_path, ending, turn):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() @ np.array(
        [[0, 0, 2.0], [0, 3.0, 0], [2.5, 0, 0]]
    )
    affine[:3, 3] = (-30, 40, -700.25)
    grid = Grid(VALUES.shape, affine)
    path = tmp_path / f"x{ending}"
    write_nifti(path, grid, VALUES)
    same_places(path, grid, VALUES)
    back, array = read_image(path)
    assert back.same_as(grid)
    np.testing.assert_array_equal(array, VALUES)
    assert nib.load(path).header.get_xyzt_units()[0] == "mm"


def test_the_same_input_gives_the_same_bytes(tmp_path):
    grid = Grid(VALUES.shape, np.array([[0, 0, 1.0, 0], [0, 1.0, 0, 0], [1.0, 0, 0, 0], [0, 0, 0, 1]]))
    for name in ("a", "b"):
        write_nifti(tmp_path / f"{name}.nii.gz", grid, VALUES)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_scaling_is_applied(tmp_path):
    image = nibabel_image(values=VALUES)
    image.header.set_slope_inter(2.0, -1024.0)
    nib.save(image, tmp_path / "x.nii")
    _, array = read_image(tmp_path / "x.nii")
    expected = nib.load(tmp_path / "x.nii").get_fdata()
    assert sorted(array.reshape(-1)) == sorted(expected.reshape(-1))
    assert read_sample(tmp_path / "x.nii").min() == expected[:, :, :2].min()


@pytest.mark.parametrize(("unit", "scale"), [("mm", 1.0), ("meter", 0.001), ("micron", 1000.0), ("unknown", 1.0)])
def test_the_files_unit_of_length_is_honoured(tmp_path, unit, scale):
    nib.save(nibabel_image(unit=unit, scale=scale), tmp_path / "x.nii")
    grid, _ = read_image(tmp_path / "x.nii")
    assert grid.spacing_mm == pytest.approx((2.5, 3.0, 2.0), rel=1e-5)


def test_a_fourth_axis_of_one_is_dropped_and_more_are_refused(tmp_path):
    nib.save(nibabel_image(values=VALUES[..., None]), tmp_path / "one.nii")
    assert read_image(tmp_path / "one.nii")[1].ndim == 3
    assert len(read_grid(tmp_path / "one.nii").shape) == 3
    nib.save(nibabel_image(values=np.stack([VALUES, VALUES], axis=-1)), tmp_path / "two.nii")
    for reader in (read_image, read_grid):
        with pytest.raises(InputError, match="4 dimensions"):
            reader(tmp_path / "two.nii")


def test_an_image_that_does_not_say_where_it_lies_is_refused(tmp_path):
    image = nibabel_image()
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nib.save(image, tmp_path / "x.nii")
    for reader in (read_image, read_grid):
        with pytest.raises(InputError, match="sform and qform codes are both 0"):
            reader(tmp_path / "x.nii")


def test_nrrd_from_itk(tmp_path):
    image = sitk.GetImageFromArray(VALUES)
    image.SetDirection(Rotation.from_euler("xyz", (5, 170, 8), degrees=True).as_matrix().reshape(-1).tolist())
    image.SetSpacing((2.0, 3.0, 2.5))
    image.SetOrigin((4.0, 5.0, -600.0))
    sitk.WriteImage(image, str(tmp_path / "x.nrrd"))
    grid, array = read_image(tmp_path / "x.nrrd")
    same_places(tmp_path / "x.nrrd", grid, array)
    assert read_grid(tmp_path / "x.nrrd").same_as(grid)


def nrrd(path, *lines):
    fields = ["NRRD0004", "type: int16", "dimension: 3", "sizes: 5 4 3", "encoding: raw", "endian: little", *lines]
    path.write_bytes("\n".join(fields).encode() + b"\n\n" + VALUES.tobytes())
    return path


def test_nrrd_in_ras_is_turned(tmp_path):
    lines = ("space directions: (2,0,0) (0,3,0) (0,0,2.5)", "space origin: (10,20,30)")
    ras, _ = read_image(nrrd(tmp_path / "ras.nrrd", "space: right-anterior-superior", *lines))
    lps, _ = read_image(nrrd(tmp_path / "lps.nrrd", "space: LPS", *lines))
    np.testing.assert_allclose(sorted(ras.corners_mm()[:, 0])[::7], [-18, -10])
    np.testing.assert_allclose(sorted(lps.corners_mm()[:, 0])[::7], [10, 18])


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("spacings: 2 3 2.5",),
        ("space dimension: 3", "space directions: (2,0,0) (0,3,0) (0,0,2.5)", "space origin: (0,0,0)"),
        ("space: scanner-xyz", "space directions: (2,0,0) (0,3,0) (0,0,2.5)", "space origin: (0,0,0)"),
    ],
)
def test_nrrd_without_a_patient_space_is_refused(tmp_path, lines):
    path = nrrd(tmp_path / "x.nrrd", *lines)
    for reader in (read_image, read_grid):
        with pytest.raises(InputError, match="patient 'space'"):
            reader(path)


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz", "x.nrrd"])
def test_what_is_no_image_is_told_in_one_sentence_without_its_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"nothing of the kind")
    for reader in (read_image, read_grid, read_sample):
        with pytest.raises(InputError) as raised:
            reader(tmp_path / name)
        assert name not in str(raised.value)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.nii", True), ("A.NII.GZ", True), ("a.nrrd", True), ("a.nhdr", True), ("a.gz", False), ("nii", False)],
)
def test_image_files_by_name(tmp_path, name, expected):
    assert is_image_file(tmp_path / name) is expected


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.float32])
def test_a_file_written_a_slice_at_a_time_is_what_nibabel_writes_of_the_whole(tmp_path, kind):
    grid = Grid(VALUES.shape, np.array([[0, 0, 2.0, -30], [0, 3.0, 0, 40], [2.5, 0, 0, -700.25], [0, 0, 0, 1]]))
    for array in (VALUES.astype(kind), VALUES.astype(kind)[:, ::-1]):
        write_nifti(tmp_path / "x.nii", grid, array)
        write_nifti(tmp_path / "x.nii.gz", grid, array)
        written = (tmp_path / "x.nii").read_bytes()
        assert gzip.decompress((tmp_path / "x.nii.gz").read_bytes()) == written
        assert nib.Nifti1Image.from_bytes(written).to_bytes() == written


def test_a_packed_file_whose_header_carries_a_long_extension_is_read(tmp_path):
    """What unpacks must find its way back to the first byte: an ISA-L of before 1.9 lost it in such a file."""
    values = np.random.default_rng(1).integers(0, 119, (60, 61, 62), dtype=np.uint8)
    image = nibabel_image(values=values)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"<Label/>" * 1600))
    path = tmp_path / "labels.nii.gz"
    nib.save(image, path)
    _, array = read_image(path)
    assert sorted(array.reshape(-1).tolist()) == sorted(values.reshape(-1).tolist())
    assert read_sample(path).size
    assert read_grid(path).shape == array.shape
