"""What cannot matter must not: the same patient, stored, placed, cut or sampled in another way, has the same leaks."""

from dataclasses import dataclass, replace
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from leakseg.analysis import analyse
from leakseg.anatomy import SpineMasks
from leakseg.criteria import Criteria
from leakseg.geometry import Grid, canonical
from leakseg.nifti import write_nifti
from leakseg.providers import load_masks, plan_masks
from leakseg.readers import read_volume, take_inventory
from leakseg.stages.classify import RuleClassifier
from leakseg.volume import Volume

SAMPLE = Path(__file__).parents[1] / "sample_dicom"
CRITERIA = Criteria()
SWAPPED = {"left": "right", "right": "left"}
SAME_VOXELS, OTHER_SURROUNDINGS, FINER_VOXELS = 0.005, 0.03, 0.08
"""How far volumes may stray, as a fraction: the same voxels elsewhere, more soft tissue in view, finer pixels."""
MOVED_MASKS, ALL_CEMENT = 0.2, 0.03
"""The same where masks move by half a voxel against the cement: of one leak, and of all cement."""
SOFT_TISSUE_HU = 40
AXES = sorted("".join(codes) for names in permutations(("LR", "AP", "SI")) for codes in product(*names))
"""The 48 ways in which a file's three axes can run through a patient."""


@dataclass(frozen=True, eq=False)
class Patient:
    """A scan and its masks."""

    volume: Volume
    masks: SpineMasks

    def on(self, grid, move):
        """The same voxels, moved by `move`, on another grid; canonical order is made of any."""
        straight, hu = canonical(grid, move(self.volume.hu))
        masks = {name: canonical(grid, move(getattr(self.masks, name)))[1] for name in ("vertebrae", "canal")}
        return Patient(
            replace(self.volume, grid=straight, hu=np.ascontiguousarray(hu)),
            replace(self.masks, grid=straight, **{name: np.ascontiguousarray(one) for name, one in masks.items()}),
        )

    def findings(self):
        return analyse(self.volume, self.masks, CRITERIA, RuleClassifier())


def read(scan, masks=("auto",)):
    """The one scan there and its masks, as a run reads them."""
    (entry,) = take_inventory([scan], CRITERIA.reading).cases()
    volume = read_volume(entry.source, CRITERIA.reading).volume
    return Patient(volume, load_masks(plan_masks(masks, entry.source), volume).masks)


@pytest.fixture(scope="module")
def patient():
    return read(SAMPLE / "scans" / "three-leaks", (str(SAMPLE / "masks" / "three-leaks"),))


@pytest.fixture(scope="module")
def expected(patient):
    found = patient.findings()
    assert len(found.leaks) == 3
    return found


def words(leak):
    return (leak.level, leak.type, leak.subtype, leak.route, leak.segment, leak.exiting_root, leak.side)


def assert_same(found, expected, tolerance):
    """The same leaks in words, and the same volumes within a fraction; leaks are told apart by their words."""
    assert sorted(map(words, found.leaks)) == sorted(map(words, expected.leaks))
    for leak, same in zip(sorted(found.leaks, key=words), sorted(expected.leaks, key=words), strict=True):
        assert leak.volume_mm3 == pytest.approx(same.volume_mm3, rel=tolerance), words(leak)
    for name in ("total_volume_mm3", "inside_volume_mm3"):
        assert getattr(found.cement, name) == pytest.approx(getattr(expected.cement, name), rel=tolerance), name
    assert [(one.level, one.treated) for one in found.levels] == [(one.level, one.treated) for one in expected.levels]


def moved(grid, matrix, offset_mm=(0.0, 0.0, 0.0)):
    """The grid turned and shifted in patient space."""
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = matrix, offset_mm
    return Grid(grid.shape, motion @ grid.affine, grid.frame_of_reference_uid)


def write_axes(path, grid, array, axes):
    """Write NIfTI with its axes running as told, by another library than the one that reads."""
    write_nifti(path, grid, array)
    image = nib.load(path)
    turn = nib.orientations.ornt_transform(nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(tuple(axes)))
    image = image.as_reoriented(turn)
    assert "".join(nib.aff2axcodes(image.affine)) == axes
    nib.save(image, path)


@pytest.mark.parametrize(
    ("scan_axes", "mask_axes"), [("RAS", "LAS"), ("RSP", "RAS"), ("LPS", "PIR"), ("ASL", "LPI"), ("IPR", "SAR")]
)
def test_axes_of_files_are_read_to_the_same_voxels(patient, tmp_path, scan_axes, mask_axes):
    """Supine, prone, on a side, feet first: it is all a matter of which way the file's axes run."""
    write_axes(tmp_path / "scan.nii.gz", patient.volume.grid, patient.volume.hu, scan_axes)
    (tmp_path / "masks").mkdir()
    vertebrae = patient.masks.vertebrae
    write_axes(tmp_path / "masks" / "vertebrae.nii.gz", patient.masks.grid, vertebrae, mask_axes)
    write_axes(tmp_path / "masks" / "canal.nii.gz", patient.masks.grid, patient.masks.canal.astype(np.uint8), "LAS")
    lines = [f'{level.number} = "{level}"' for level in patient.masks.levels()]
    (tmp_path / "masks" / "labels.toml").write_text("\n".join(["[labels]", *lines]), encoding="utf-8")
    again = read(tmp_path)
    assert again.volume.grid.same_as(patient.volume.grid)
    np.testing.assert_array_equal(again.volume.hu, patient.volume.hu)
    np.testing.assert_array_equal(again.masks.vertebrae, vertebrae)
    np.testing.assert_array_equal(again.masks.canal, patient.masks.canal)


def test_numbers_of_masks_are_only_names(patient, expected, tmp_path):
    """Through files with axes and numbers of their own, the whole analysis gives the same."""
    numbers = np.zeros(256, np.uint8)
    levels = patient.masks.levels()
    for level, number in zip(levels, (200, 3, 77), strict=True):
        numbers[level.number] = number
    write_axes(tmp_path / "scan.nii.gz", patient.volume.grid, patient.volume.hu, "RSP")
    (tmp_path / "masks").mkdir()
    write_axes(tmp_path / "masks" / "vertebrae.nii.gz", patient.masks.grid, numbers[patient.masks.vertebrae], "LAS")
    write_axes(tmp_path / "masks" / "canal.nii.gz", patient.masks.grid, patient.masks.canal.astype(np.uint8), "ASL")
    lines = [f'{numbers[level.number]} = "{level}"' for level in levels]
    (tmp_path / "masks" / "labels.toml").write_text("\n".join(["[labels]", *lines]), encoding="utf-8")
    assert_same(read(tmp_path).findings(), expected, SAME_VOXELS)


@settings(max_examples=5, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    scan_axes=st.sampled_from(AXES),
    mask_axes=st.sampled_from(AXES),
    canal_axes=st.sampled_from(AXES),
    turn=st.tuples(*[st.floats(-15, 15)] * 3),
    mirrored=st.booleans(),
)
def test_however_files_and_patient_lie_the_told_side_is_the_patients(
    patient, expected, tmp_path_factory, scan_axes, mask_axes, canal_axes, turn, mirrored
):
    """Only a patient who is mirrored himself has his leaks on the other side."""
    folder = tmp_path_factory.mktemp("lies")
    grid = moved(patient.volume.grid, Rotation.from_euler("xyz", turn, degrees=True).as_matrix())
    step = -1 if mirrored else 1
    write_axes(folder / "scan.nii.gz", grid, patient.volume.hu[:, :, ::step], scan_axes)
    (folder / "masks").mkdir()
    write_axes(folder / "masks" / "vertebrae.nii.gz", grid, patient.masks.vertebrae[:, :, ::step], mask_axes)
    write_axes(folder / "masks" / "canal.nii.gz", grid, patient.masks.canal[:, :, ::step].astype(np.uint8), canal_axes)
    lines = [f'{level.number} = "{level}"' for level in patient.masks.levels()]
    (folder / "masks" / "labels.toml").write_text("\n".join(["[labels]", *lines]), encoding="utf-8")
    found = read(folder).findings()
    wanted = {(leak.level, leak.type, SWAPPED[leak.side] if mirrored else leak.side) for leak in expected.leaks}
    assert {(leak.level, leak.type, leak.side) for leak in found.leaks} == wanted


def test_where_the_scanner_puts_its_origin_moves_the_centroids_along(patient, expected):
    offset = np.array([37.0, -112.0, 800.0])
    found = patient.on(moved(patient.volume.grid, np.eye(3), offset), np.asarray).findings()
    assert_same(found, expected, SAME_VOXELS)
    for leak, same in zip(found.leaks, expected.leaks, strict=True):
        np.testing.assert_allclose(np.subtract(leak.centroid_mm, offset), same.centroid_mm, atol=0.05)


@pytest.mark.parametrize(("axis", "degrees"), [("x", 15), ("y", 15), ("z", 40)], ids=["pitched", "tilted", "rolled"])
def test_a_patient_who_lies_turned_keeps_sides_and_levels(patient, expected, axis, degrees):
    turn = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
    assert_same(patient.on(moved(patient.volume.grid, turn), np.asarray).findings(), expected, SAME_VOXELS)


def test_mirrored_left_is_right(patient, expected):
    found = patient.on(patient.volume.grid, lambda array: array[:, :, ::-1]).findings()
    mirrored = [replace(leak, side=SWAPPED.get(leak.side, leak.side)) for leak in expected.leaks]
    assert {leak.side for leak in expected.leaks} == {"left", "right"}
    assert_same(found, replace(expected, leaks=tuple(mirrored)), SAME_VOXELS)


def test_margin_round_the_spine_does_not_matter(patient, expected):
    margin = 10
    grid = patient.volume.grid
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_patient([-margin] * 3)
    wide = Grid(tuple(size + 2 * margin for size in grid.shape), affine, grid.frame_of_reference_uid)
    noise = np.random.default_rng(3).normal(SOFT_TISSUE_HU, 12, wide.shape).astype(patient.volume.hu.dtype)
    inner = tuple(slice(margin, margin + size) for size in grid.shape)

    def pad(array):
        padded = noise.copy() if array is patient.volume.hu else np.zeros(wide.shape, array.dtype)
        padded[inner] = array
        return padded

    assert_same(patient.on(wide, pad).findings(), expected, OTHER_SURROUNDINGS)


def resampled(array, hu, places):
    """The scan by cubic interpolation, masks by nearest neighbour; a tie goes to the higher index."""
    if array is not hu:
        nearest = np.floor(places + 0.5).astype(int)
        return array[tuple(np.clip(axis, 0, size - 1) for axis, size in zip(nearest, array.shape, strict=True))]
    return np.rint(ndimage.map_coordinates(array.astype(np.float32), places, order=3, mode="nearest")).astype(hu.dtype)


def test_a_grid_shifted_by_half_a_voxel_sees_the_same(patient, expected):
    """All but the vein: few of its voxels stand out of the bone's edge, and masks half a voxel off take them."""
    grid, hu = patient.volume.grid, patient.volume.hu
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_patient([0.5] * 3)
    shifted = Grid(tuple(size - 1 for size in grid.shape), affine, grid.frame_of_reference_uid)
    places = np.stack(np.indices(shifted.shape)) + 0.5
    found = patient.on(shifted, lambda array: resampled(array, hu, places)).findings()
    clear = [
        replace(one, leaks=tuple(leak for leak in one.leaks if leak.type != "venous")) for one in (found, expected)
    ]
    assert len(clear[1].leaks) == 2
    assert sorted(map(words, clear[0].leaks)) == sorted(map(words, clear[1].leaks))
    volumes = [{words(leak): leak.volume_mm3 for leak in one.leaks} for one in clear]
    assert volumes[0] == pytest.approx(volumes[1], rel=MOVED_MASKS)
    assert found.cement.total_volume_mm3 == pytest.approx(expected.cement.total_volume_mm3, rel=ALL_CEMENT)


def test_finer_pixels_see_the_same(patient, expected):
    grid, hu = patient.volume.grid, patient.volume.hu
    affine = grid.affine.copy()
    affine[:3, 1:3] /= 2
    affine[:3, 3] = grid.to_patient([0.0, -0.25, -0.25])
    fine = Grid((grid.shape[0], 2 * grid.shape[1], 2 * grid.shape[2]), affine, grid.frame_of_reference_uid)
    places = np.stack([fine_index / step for fine_index, step in zip(np.indices(fine.shape), (1, 2, 2), strict=True)])
    places[1:] -= 0.25
    found = patient.on(fine, lambda array: resampled(array, hu, places)).findings()
    assert_same(found, expected, FINER_VOXELS)
