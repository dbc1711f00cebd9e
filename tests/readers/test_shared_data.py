"""Real and malformed public data: read as others read them, or refused for the true reason."""

import numpy as np
import pydicom
import pytest

from leakseg.criteria import ReadingCriteria
from leakseg.errors import InputError
from leakseg.readers import read_volume

ZOO = {
    "bad_geometry/gantrytilting": ("Too few slices: 4", "Gantry tilt: the slices stand 14.0°"),
    "bad_geometry/notavolume": ("All 4 slices lie at one position (z = 61.50 mm)",),
    "bad_geometry/sliceincrement/001": ("Slice missing between z = 28.11 mm and z = 38.11 mm: the gap is 10.00 mm",),
    "bad_geometry/sliceincrement/002": ("Too few slices: 4", "Slice missing", "the gap is 1.56 mm", "Gantry tilt"),
    "compressed": ("All 16 slices lie at one position",),
    "missing_and_double": ("Uneven spacing", "from 7.50 to 115.00 mm", "Double position as well", "z = -90.00 mm"),
    "tilt_GE_varspacing": ("Uneven spacing", "4.00 mm 13 times", "1.08 mm once", "tilted as well, by 18.5°"),
}
ODD = {
    "J2K_pixelrep_mismatch.dcm": "A single slice",
    "MR_truncated.dcm": "Not CT: its modality is MR",
    "UN_sequence.dcm": "no SeriesInstanceUID",
    "badVR.dcm": "Not CT: its modality is RTDOSE",
    "bad_sequence.dcm": "A single slice",
    "eCT_Supplemental.dcm": "not Hounsfield units: RescaleType is US. Too few slices: 2",
    "explicit_VR-UN.dcm": "A single slice",
    "meta_missing_tsyntax.dcm": "no SeriesInstanceUID",
    "no_meta.dcm": "Not DICOM (no DICM mark",
}


@pytest.mark.parametrize("folder", ZOO)
def test_the_zoo_is_refused_for_the_true_reason(bench, shared_data, folder):
    cases = [one for one in bench.inventory(shared_data / "dicom_zoo" / folder).cases() if one.source.kind == "dicom"]
    assert len(cases) == 1
    for part in ZOO[folder]:
        assert part in cases[0].reason
    with pytest.raises(InputError) as raised:
        read_volume(cases[0].source, ReadingCriteria())
    assert str(raised.value) == cases[0].reason


def test_every_odd_file_has_its_reason(bench, shared_data):
    inventory = bench.inventory(shared_data / "dicom_zoo" / "odd")
    told = {one.path.name: one.reason for one in inventory.ignored}
    for study in inventory.studies:
        for entry in study.series:
            told |= dict.fromkeys((path.name for path in entry.source.files), entry.reason)
    assert told.keys() == ODD.keys()
    for name, part in ODD.items():
        assert part in told[name], name


def test_with_the_limits_lowered_the_mendable_ones_are_read(bench, shared_data):
    criteria = ReadingCriteria(min_slices=2, min_coverage_mm=1.0)
    folder = shared_data / "dicom_zoo" / "bad_geometry"
    for name, codes, slices in (
        ("gantrytilting", ["gantry_tilt"], 4),
        ("sliceincrement/002", ["slice_bridged", "gantry_tilt"], 5),
    ):
        (case,) = (one for one in bench.inventory(folder / name).cases() if one.source.kind == "dicom")
        scan = read_volume(case.source, criteria)
        assert [note.code for note in scan.notes] == codes
        assert scan.volume.grid.shape[0] == slices


def test_a_real_series_reads_as_itk_and_pydicom_read_it(bench, shared_data):
    import SimpleITK as sitk

    folder = shared_data / "thoracic_dicom"
    case = bench.only_case(folder)
    assert case.analysable
    assert case.source.case_id == "thoracic_dicom"
    scan = read_volume(case.source, ReadingCriteria())
    volume = scan.volume
    assert volume.hu.dtype == np.int16
    assert volume.series.slices == 275

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume.hu)
    corners = [
        image.TransformContinuousIndexToPhysicalPoint(point) for point in [(0, 0, 0), (511, 511, 274), (511, 0, 9)]
    ]
    ours = volume.grid.to_patient([(0, 0, 0), (274, 511, 511), (9, 0, 511)])
    np.testing.assert_allclose(ours, corners, atol=1e-3)

    places = {}
    for path in case.source.files:
        dataset = pydicom.dcmread(path)
        k, j, i = volume.grid.to_index([float(value) for value in dataset.ImagePositionPatient])
        assert (abs(j), abs(i)) < (1e-6, 1e-6)
        places[round(k)] = abs(k - round(k))
        hu = dataset.pixel_array.astype(np.int32) * int(dataset.RescaleSlope) + int(dataset.RescaleIntercept)
        np.testing.assert_array_equal(volume.hu[round(k)], hu)
    assert sorted(places) == list(range(275))
    assert max(places.values()) < 1e-3


@pytest.mark.parametrize(("name", "spacing"), [("verse005", 1.0), ("totalsegmentator_ct", 3.0)])
def test_real_nifti_scans_beside_their_masks(bench, shared_data, name, spacing):
    inventory = bench.inventory(shared_data / name)
    (case,) = inventory.cases()
    assert case.source.case_id == "ct"
    assert len(inventory.ignored) == 2
    scan = read_volume(case.source, ReadingCriteria())
    assert scan.volume.grid.spacing_mm == pytest.approx((spacing,) * 3, rel=1e-5)
    assert scan.volume.hu.min() < -900
    assert scan.volume.hu.max() > 1000
