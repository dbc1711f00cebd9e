"""One fault at a time: made exact and told, or refused with a sentence of its own."""

import numpy as np
import pydicom
import pytest

from leakseg.criteria import ReadingCriteria
from leakseg.errors import GeometryError, InputError
from leakseg.readers import read_volume


def refusal(bench, datasets, folder):
    """What the inventory says; the reader must say the same."""
    case = bench.only_case(bench.save(datasets, folder))
    assert not case.analysable
    with pytest.raises(InputError) as raised:
        read_volume(case.source, ReadingCriteria())
    assert str(raised.value) == case.reason
    return case.reason


def move(dataset, **by):
    for axis, offset in by.items():
        position = list(dataset.ImagePositionPatient)
        position["xyz".index(axis)] += offset
        dataset.ImagePositionPatient = position


def codes(scan):
    return [note.code for note in scan.notes]


@pytest.fixture
def slices(bench):
    return bench.Painted().datasets()


def test_a_missing_slice_with_a_small_gap_is_bridged(bench, tmp_path):
    whole = bench.Painted(spacing=(1.25, 3.0, 2.0), pattern=bench.ramp)
    datasets = whole.datasets()
    del datasets[9]
    scan = bench.read(bench.save(datasets, tmp_path / "scan"))
    assert scan.volume.grid.shape[0] == 24
    assert scan.volume.series.slices == 23
    assert codes(scan) == ["slice_bridged"]
    assert scan.notes[0].severity == "warning"
    assert "the gap is 2.50 mm" in scan.notes[0].message
    index = np.stack(np.indices(scan.volume.grid.shape), axis=-1)
    assert np.abs(bench.ramp(scan.volume.grid.to_patient(index)) - scan.volume.hu).max() <= 1


@pytest.mark.parametrize(
    ("gone", "spacing", "sentence"),
    [
        (
            [9],
            2.5,
            "Slice missing between z = -521.25 mm and z = -516.25 mm: the gap is 5.00 mm where the spacing is 2.50",
        ),
        ([9, 14], 1.25, "There are 2 such gaps. Export the whole series again."),
        ([9, 10], 0.9, "2 slices missing between"),
    ],
)
def test_other_missing_slices_are_refused(bench, tmp_path, gone, spacing, sentence):
    datasets = bench.Painted(spacing=(spacing, 3.0, 2.0)).datasets()
    kept = [dataset for number, dataset in enumerate(datasets) if number not in gone]
    reason = refusal(bench, kept, tmp_path / "scan")
    assert "missing between" in reason
    assert sentence in reason


def test_the_same_slice_twice_is_used_once(bench, tmp_path, slices):
    copy = pydicom.dcmread(bench.save([slices[4]], tmp_path / "made") / "im0000")
    copy.SOPInstanceUID += ".77"
    scan = bench.read(bench.save([*slices, copy], tmp_path / "scan"))
    assert codes(scan) == ["slices_double"]
    assert scan.volume.series.slices == 24
    assert bench.wrong(scan) == 0


def test_two_different_slices_in_one_place_are_refused(bench, tmp_path, slices):
    other = bench.Painted(pattern=bench.ramp).datasets()[4]
    other.SOPInstanceUID += ".77"
    case = bench.only_case(bench.save([*slices, other], tmp_path / "scan"))
    with pytest.raises(GeometryError, match=r"Double position: different slices .*\(1 place, first at z = "):
        read_volume(case.source, ReadingCriteria())


def test_two_passes_over_the_same_places_are_two_stacks(bench, tmp_path, slices):
    second = bench.Painted(pattern=bench.ramp).datasets()
    for dataset in second:
        dataset.SOPInstanceUID += ".77"
    case = bench.only_case(bench.save([*slices, *second], tmp_path / "scan"))
    with pytest.raises(GeometryError, match=r"Two stacks in one series: .* \(24 places"):
        read_volume(case.source, ReadingCriteria())


def test_two_stacks_apart_are_refused(bench, tmp_path, slices):
    for dataset in slices[12:]:
        move(dataset, z=31.3)
    reason = refusal(bench, slices, tmp_path / "scan")
    assert reason.startswith("Two stacks in one series: 12 slices from z = -541.25 mm to z = -513.75 mm and 12 from")


def test_uneven_spacing_is_refused(bench, tmp_path, slices):
    for number, dataset in enumerate(slices):
        move(dataset, z=0.03 * number * number)
    assert refusal(bench, slices, tmp_path / "scan").startswith("Uneven spacing: the gaps between slices run from")


def test_one_slice_out_of_place_is_refused(bench, tmp_path, slices):
    move(slices[7], z=0.4)
    assert refusal(bench, slices, tmp_path / "scan").startswith("Uneven spacing")


def test_positions_rounded_by_the_scanner_are_read_and_told(bench, tmp_path):
    datasets = bench.Painted().datasets()
    for number, dataset in enumerate(datasets):
        move(dataset, z=0.04 * (-1) ** number)
    assert codes(bench.read(bench.save(datasets, tmp_path / "scan"))) == ["slice_positions"]


def test_slices_shifted_sideways_are_refused(bench, tmp_path, slices):
    for dataset in slices[12:]:
        move(dataset, x=5.0)
    reason = refusal(bench, slices, tmp_path / "scan")
    assert "sideways" in reason


@pytest.mark.parametrize(("axis", "angle"), [("row", 18.5), ("row", -12.0), ("column", 9.0)])
def test_a_tilted_gantry_is_straightened_exactly_in_patient_space(bench, tmp_path, axis, angle):
    slope = np.tan(np.radians(angle)) * 2.5
    shear = (slope / 3.0, 0.0) if axis == "row" else (0.0, slope / 2.0)
    painted = bench.Painted(shear=shear, pattern=bench.ramp)
    scan = bench.read(bench.save(painted.datasets(), tmp_path / "scan"))
    assert codes(scan)[0] == "gantry_tilt"
    assert f"{abs(angle):.1f}°" in scan.notes[0].message
    volume = scan.volume
    assert volume.grid.spacing_mm == pytest.approx((2.5, 3.0, 2.0))
    measured = ~volume.padding
    assert measured.mean() > 0.4
    index = np.argwhere(measured)
    assert np.abs(bench.ramp(volume.grid.to_patient(index)) - volume.hu[measured]).max() <= 1.0
    assert (volume.hu[volume.padding] == -1024).all()
    assert (measured.sum(axis=(1, 2)) >= 19 * 21).all()  # all of every slice, but for a rim of one pixel


def test_tilt_and_obliquity_together(bench, tmp_path):
    turn = np.array([[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1.0]])
    painted = bench.Painted(shear=(0.25, 0.1), turn=turn, pattern=bench.ramp, axes="IPR")
    volume = bench.read(bench.save(painted.datasets(), tmp_path / "scan")).volume
    measured = ~volume.padding
    index = np.argwhere(measured)
    assert np.abs(bench.ramp(volume.grid.to_patient(index)) - volume.hu[measured]).max() <= 1.0


def test_mixed_orientations(bench, tmp_path, slices):
    sagittal = bench.Painted(axes="LIP", shape=(12, 20, 22)).datasets()
    for dataset in sagittal:
        dataset.SOPInstanceUID += ".5"
    assert refusal(bench, [*slices, *sagittal], tmp_path / "scan").startswith("Mixed orientations")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"FrameOfReferenceUID": "1.2.3.4"}, "Two frames of reference"),
        ({"PixelSpacing": [3.0, 2.1]}, "different pixel spacings in one series: 3 x 2 and 3 x 2.1 mm"),
        ({"ImagePositionPatient": None}, "12 of 24 slices do not say where they lie"),
        ({"ImagePositionPatient": [1.0, 2.0]}, "12 of 24 slices do not say where they lie"),
        ({"ImageOrientationPatient": None}, "ImageOrientationPatient"),
        ({"ImageOrientationPatient": [1, 0, 0, 0.5, 0.5, 0]}, "orientations"),
        ({"PixelSpacing": None}, "no usable PixelSpacing"),
        ({"RescaleSlope": None}, "no usable RescaleSlope"),
        ({"RescaleIntercept": None}, "no usable RescaleIntercept"),
        ({"RescaleType": "US"}, "not Hounsfield units: RescaleType is US"),
        ({"BitsStored": 0}, "pixel format"),
    ],
)
def test_faults_that_half_of_the_headers_have(bench, tmp_path, slices, change, sentence):
    for dataset in slices[12:]:
        for keyword, value in change.items():
            setattr(dataset, keyword, value)
            if value is None:
                delattr(dataset, keyword)
    assert sentence in refusal(bench, slices, tmp_path / "scan")


def test_different_sizes(bench, tmp_path, slices):
    small = bench.Painted(shape=(24, 10, 22)).datasets()
    assert "different sizes in one series: 10 x 22 and 20 x 22" in refusal(
        bench, [*slices[:12], *small[12:]], tmp_path / "scan"
    )


def test_an_orientation_that_is_none(bench, tmp_path, slices):
    for dataset in slices:
        dataset.ImageOrientationPatient = [1, 0, 0, 0.6, 0.8, 0]
    assert "unit vectors at right angles" in refusal(bench, slices, tmp_path / "scan")


def test_too_few_and_too_short(bench, tmp_path):
    assert "Too few slices: 9 where at least 10" in refusal(
        bench, bench.Painted(shape=(9, 20, 22), spacing=(5.0, 3, 2)).datasets(), tmp_path / "few"
    )
    assert "cover 19.5 mm where at least 20 mm" in refusal(
        bench, bench.Painted(shape=(13, 20, 22), spacing=(1.5, 3, 2)).datasets(), tmp_path / "short"
    )


def test_all_at_one_position(bench, tmp_path, slices):
    for dataset in slices:
        dataset.ImagePositionPatient = slices[0].ImagePositionPatient
    assert refusal(bench, slices, tmp_path / "scan").startswith("All 24 slices lie at one position")


def test_a_frame_of_reference_for_every_slice_tells_nothing(bench, tmp_path, slices):
    for number, dataset in enumerate(slices):
        dataset.FrameOfReferenceUID = f"1.2.3.{number + 1}"
    scan = bench.read(bench.save(slices, tmp_path / "scan"))
    assert codes(scan) == ["frame_of_reference"]
    assert scan.volume.grid.frame_of_reference_uid == ""
    assert bench.wrong(scan) == 0


def test_messages_tell_nothing_of_the_patient(bench, tmp_path, slices):
    for dataset in slices[12:]:
        dataset.FrameOfReferenceUID = "1.2.3.4"
    reason = refusal(bench, slices, tmp_path / "Quux_Zyxw")
    assert not any(word in reason for word in ("Quux", "Zyxw", "99172", str(tmp_path)))
