from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from leakseg.anatomy import VertebraLevel
from leakseg.errors import AnatomyError, InputError
from leakseg.geometry import Grid, canonical
from leakseg.nifti import write_nifti
from leakseg.providers import MasksRead, load_masks, plan_masks
from leakseg.volume import ScanSource, Volume

L1, L2, L3, L4 = (VertebraLevel(name) for name in ("L1", "L2", "L3", "L4"))
VERSE = {L1: 20, L2: 21, L3: 22, L4: 23}


def codes(read: MasksRead) -> set[str]:
    return {note.code for note in read.notes}


def load(scan: ScanSource, volume: Volume, *specs: object, scheme: str | None = None) -> MasksRead:
    return load_masks(plan_masks([str(spec) for spec in specs], scan, scheme), volume)


@pytest.mark.parametrize(
    ("scheme", "numbers"),
    [
        ("verse", VERSE),
        ("totalsegmentator", {L1: 31, L2: 30, L3: 29, L4: 28}),
        ("totalsegmentator_v1", {L1: 22, L2: 21, L3: 20, L4: 19}),
        ("spineps", VERSE),
        ("cads", {L1: 22, L2: 21, L3: 20, L4: 19}),
    ],
)
def test_every_scheme_gives_the_same_masks(spine, scan, tmp_path, scheme, numbers) -> None:
    write_nifti(tmp_path / "v.nii.gz", spine.volume.grid, spine.numbered(numbers))
    read = load(scan, spine.volume, tmp_path / "v.nii.gz", scheme=scheme)
    np.testing.assert_array_equal(read.masks.vertebrae, spine.vertebrae)
    assert read.masks.levels() == (L1, L2, L3, L4)
    assert read.masks.scheme == scheme
    assert read.masks.canal is None
    assert read.masks.levels() == (L1, L2, L3, L4)
    assert not read.masks.label_confidence
    assert read.notes == ()


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "LAS", "PIR", "SLA", "AIL", "IRP"])
@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd"])
def test_the_order_of_the_axes_does_not_matter(spine, scan, tmp_path, orientation, ending) -> None:
    write_nifti(tmp_path / "plain.nii.gz", spine.volume.grid, spine.numbered(VERSE))
    image = sitk.DICOMOrient(sitk.ReadImage(str(tmp_path / "plain.nii.gz")), orientation)
    sitk.WriteImage(image, str(tmp_path / f"turned{ending}"))
    read = load(scan, spine.volume, tmp_path / f"turned{ending}", scheme="verse")
    np.testing.assert_array_equal(read.masks.vertebrae, spine.vertebrae)
    assert read.notes == ()


def test_one_file_per_structure_and_two_files_that_overlap(spine, scan, tmp_path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    for level in VERSE:
        mask = spine.vertebrae == level.number
        if level == L2:
            mask |= np.roll(spine.vertebrae == L1.number, -6, axis=0)
        write_nifti(folder / f"vertebrae_{level}.nii.gz", spine.volume.grid, mask.astype(np.uint8))
    write_nifti(folder / "spinal_canal.nii.gz", spine.volume.grid, spine.canal.astype(np.uint8) * 255)
    read = load(scan, spine.volume, folder)
    np.testing.assert_array_equal(read.masks.canal, spine.canal)
    np.testing.assert_array_equal(read.masks.vertebrae == L1.number, spine.vertebrae == L1.number)
    (note,) = (note for note in read.notes if note.code == "mask_overlap")
    assert "L1 and L2 (" in note.message
    assert read.masks.scheme == "file names"


def test_single_masks_that_are_empty_or_beyond_the_scan_cost_nothing(spine, scan, tmp_path) -> None:
    """TotalSegmentator writes a file for every structure, in view or not."""
    grid = spine.volume.grid
    above = grid.affine.copy()
    above[2, 3] += 300
    for level in VERSE:
        write_nifti(tmp_path / f"vertebrae_{level}.nii.gz", grid, (spine.vertebrae == level.number).astype(np.uint8))
    write_nifti(tmp_path / "vertebrae_C1.nii.gz", grid, np.zeros(grid.shape, np.uint8))
    write_nifti(tmp_path / "vertebrae_T6.nii.gz", Grid(grid.shape, above), (spine.vertebrae > 0).astype(np.uint8))
    write_nifti(tmp_path / "spinal_cord.nii.gz", grid, np.zeros(grid.shape, np.uint8))
    read = load(scan, spine.volume, tmp_path)
    np.testing.assert_array_equal(read.masks.vertebrae, spine.vertebrae)
    assert read.masks.cord is None
    assert codes(read) == {"mask_empty", "mask_outside_scan"}


def test_a_whole_sacrum_and_an_s1_of_its_own_are_one_level(spine, scan, tmp_path) -> None:
    labels = spine.numbered({L1: 29, L2: 28, L3: 27, L4: 26})
    slab = (labels == 26) & (np.arange(labels.shape[0]) < 12)[:, None, None]
    labels[slab] = 25
    assert slab.any()
    write_nifti(tmp_path / "v.nii.gz", spine.volume.grid, labels)
    read = load(scan, spine.volume, tmp_path / "v.nii.gz", scheme="totalsegmentator")
    np.testing.assert_array_equal(read.masks.vertebrae == VertebraLevel.S1.number, spine.vertebrae == L4.number)


def test_numbers_nobody_names_are_told(spine, scan, tmp_path) -> None:
    labels = spine.numbered(VERSE)
    labels[0, 0, :7] = 44
    write_nifti(tmp_path / "v.nii.gz", spine.volume.grid, labels)
    read = load(scan, spine.volume, tmp_path / "v.nii.gz", scheme="verse")
    (note,) = read.notes
    assert (note.code, note.severity) == ("mask_unknown_labels", "warning")
    assert "44 (7 voxels)" in note.message


def test_canal_cord_bodies_and_discs_of_a_spineps_pair(spine, scan, tmp_path) -> None:
    parts = np.zeros(spine.vertebrae.shape, np.uint8)
    parts[spine.canal] = 61
    body = spine.vertebrae.astype(bool) & (np.arange(parts.shape[1]) < 20)[None, :, None]
    parts[body] = 50
    write_nifti(tmp_path / "x_seg-spine_msk.nii.gz", spine.volume.grid, parts)
    write_nifti(tmp_path / "x_seg-vert_msk.nii.gz", spine.volume.grid, spine.numbered(VERSE))
    read = load(scan, spine.volume, tmp_path, scheme="spineps")
    np.testing.assert_array_equal(read.masks.canal, spine.canal)
    np.testing.assert_array_equal(read.masks.bodies, body)
    assert read.masks.cord is None


def finer(grid: Grid, factor: int) -> Grid:
    """A grid of ``factor`` times as many voxels over the same block."""
    affine = grid.affine.copy()
    affine[:3, :3] /= factor
    affine[:3, 3] = grid.to_patient(np.full(3, (1 / factor - 1) / 2))
    return Grid(tuple(n * factor for n in grid.shape), affine)


def test_a_finer_mask_of_the_same_block_comes_out_exact(spine, scan, tmp_path) -> None:
    labels = spine.numbered(VERSE).repeat(3, 0).repeat(3, 1).repeat(3, 2)
    write_nifti(tmp_path / "v.nii.gz", finer(spine.volume.grid, 3), labels)
    read = load(scan, spine.volume, tmp_path / "v.nii.gz", scheme="verse")
    np.testing.assert_array_equal(read.masks.vertebrae, spine.vertebrae)
    assert codes(read) == {"mask_other_grid"}


def test_a_mask_on_an_oblique_grid_keeps_its_place(spine, scan, tmp_path) -> None:
    """Nearest neighbour through the affines, beside SimpleITK's resampling of the same file."""
    angle = np.deg2rad(17)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    grid = spine.volume.grid
    write_nifti(tmp_path / "scan.nii.gz", grid, spine.numbered(VERSE))
    reference = sitk.ReadImage(str(tmp_path / "scan.nii.gz"))
    centre = grid.corners_mm().mean(axis=0)
    oblique = sitk.Image([140, 160, 160], sitk.sitkUInt8)
    oblique.SetSpacing((1.0, 1.0, 1.0))
    oblique.SetDirection(turn.ravel().tolist())
    oblique.SetOrigin((centre - turn @ np.array([70.0, 80.0, 80.0])).tolist())
    drawn = sitk.Resample(reference, oblique, sitk.Transform(), sitk.sitkNearestNeighbor)
    sitk.WriteImage(drawn, str(tmp_path / "v.nii.gz"))
    back = sitk.GetArrayFromImage(sitk.Resample(drawn, reference, sitk.Transform(), sitk.sitkNearestNeighbor))
    affine = np.diag([2.0, 2.0, 2.0, 1.0])[:, [2, 1, 0, 3]]
    affine[:3, 3] = reference.GetOrigin()
    assert reference.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    expected = canonical(Grid(back.shape, affine), back)[1]
    read = load(scan, spine.volume, tmp_path / "v.nii.gz", scheme="verse")
    found = read.masks.vertebrae
    numbered = np.where(found > 0, found.astype(int) - L1.number + 20, 0)
    assert np.mean(numbered != expected) < 1e-4  # ties at voxel borders may fall either way
    overlap = np.count_nonzero((found > 0) & (found == spine.vertebrae)) / np.count_nonzero(spine.vertebrae)
    assert overlap > 0.9


def test_masks_of_a_part_of_the_field_are_fine_and_a_larger_one_is_told(spine, scan, tmp_path) -> None:
    grid = spine.volume.grid
    window = (slice(20, 70), slice(0, 45), slice(0, 36))
    write_nifti(tmp_path / "part.nii.gz", grid.crop(window), spine.numbered(VERSE)[window])
    read = load(scan, spine.volume, tmp_path / "part.nii.gz", scheme="verse")
    np.testing.assert_array_equal(read.masks.vertebrae[window], spine.vertebrae[window])
    assert not read.masks.vertebrae[:20].any()
    (note,) = (note for note in read.notes if note.code == "mask_part_of_field")
    assert "covers z -361 to -261 mm of the scan's -401 to -251" in note.message
    small = Volume(grid.crop(window), spine.volume.hu[window].copy())
    write_nifti(tmp_path / "whole.nii.gz", grid, spine.numbered(VERSE))
    read = load(scan, small, tmp_path / "whole.nii.gz", scheme="verse")
    np.testing.assert_array_equal(read.masks.vertebrae, spine.vertebrae[window])
    assert "mask_beyond_scan" in codes(read)


def written(tmp_path: Path, spine, fault: str) -> tuple[Path, str | None]:
    """A mask file with one fault, and the scheme to read it with."""
    grid, labels, scheme = spine.volume.grid, spine.numbered(VERSE), "verse"
    path = tmp_path / "SURNAME_v.nii.gz"
    if fault == "empty":
        labels = np.zeros_like(labels)
    elif fault == "fractions":
        labels = labels * np.float32(0.37)
    elif fault == "negative":
        labels = labels.astype(np.int16) - 1000
    elif fault == "elsewhere":
        affine = grid.affine.copy()
        affine[2, 3] += 900
        grid = Grid(grid.shape, affine)
    elif fault == "scheme":
        labels[labels > 0] += 40
    elif fault == "organs":
        scheme = "totalsegmentator"
    elif fault == "no orientation":
        image = nib.Nifti1Image(labels, None)
        image.set_sform(None, 0)
        image.set_qform(None, 0)
        nib.save(image, path)
        return path, scheme
    elif fault == "sheared":
        affine = np.diag([2.0, 2.0, 2.0, 1.0])
        affine[1, 2] = 0.6
        nib.save(nib.Nifti1Image(labels, affine), path)
        return path, scheme
    elif fault == "no image":
        path.write_bytes(b"no image")
        return path, scheme
    write_nifti(path, grid, labels)
    return path, scheme


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("empty", "vertebrae mask is empty"),
        ("fractions", "fractions where whole label numbers"),
        ("negative", "looks like an image, not a mask"),
        ("elsewhere", r"lies outside the scan: it spans x .* the scan x"),
        ("scheme", r"None of the numbers in the vertebrae mask \(60, 61, 62, 63\) is named by the scheme verse"),
        ("organs", "no vertebra within the scan"),
        ("no orientation", "does not say how it lies"),
        ("sheared", "vertebrae mask cannot be used: The grid is sheared"),
        ("no image", "cannot be read as an image"),
    ],
)
def test_each_fault_has_its_own_sentence(spine, scan, tmp_path, fault, sentence) -> None:
    path, scheme = written(tmp_path, spine, fault)
    with pytest.raises(InputError, match=sentence) as caught:
        load(scan, spine.volume, path, scheme=scheme)
    assert "SURNAME" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_single_structure_with_several_numbers_is_refused(spine, scan, tmp_path) -> None:
    write_nifti(tmp_path / "v.nii.gz", spine.volume.grid, spine.numbered(VERSE))
    write_nifti(tmp_path / "canal.nii.gz", spine.volume.grid, spine.canal + np.uint8(2) * (spine.vertebrae > 0))
    with pytest.raises(AnatomyError, match="canal mask holds 2 different numbers"):
        load(scan, spine.volume, tmp_path / "v.nii.gz", tmp_path / "canal.nii.gz", scheme="verse")


def test_whole_numbers_stored_as_floats_are_labels(spine, scan, tmp_path) -> None:
    write_nifti(tmp_path / "v.nii.gz", spine.volume.grid, spine.numbered(VERSE).astype(np.float32))
    read = load(scan, spine.volume, tmp_path / "v.nii.gz", scheme="verse")
    np.testing.assert_array_equal(read.masks.vertebrae, spine.vertebrae)


def test_a_slicer_segmentation_names_its_own_segments(spine, scan, tmp_path) -> None:
    write_nifti(tmp_path / "v.nii.gz", spine.volume.grid, spine.numbered({L1: 1, L2: 2, L3: 3, L4: 4}))
    image = sitk.ReadImage(str(tmp_path / "v.nii.gz"))
    for number, level in enumerate((L1, L2, L3, L4)):
        image.SetMetaData(f"Segment{number}_Name", f"{level} vertebra")
        image.SetMetaData(f"Segment{number}_LabelValue", str(number + 1))
    sitk.WriteImage(image, str(tmp_path / "Segmentation.seg.nrrd"))
    read = load(scan, spine.volume, tmp_path / "Segmentation.seg.nrrd")
    np.testing.assert_array_equal(read.masks.vertebrae, spine.vertebrae)
    assert read.masks.scheme == "names in the file"


def test_the_plans_notes_are_kept(spine, scan, tmp_path) -> None:
    for level in VERSE:
        write_nifti(tmp_path / f"{level}.nii.gz", spine.volume.grid, (spine.vertebrae == level.number).astype(np.uint8))
    (tmp_path / "liver.nii.gz").write_bytes(b"")
    plan = plan_masks([str(tmp_path)], scan)
    assert load_masks(plan, spine.volume).notes == plan.notes != ()
    assert load_masks(replace(plan, notes=()), spine.volume).notes == ()
