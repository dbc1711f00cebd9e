from __future__ import annotations

from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from leakseg.anatomy import VertebraLevel
from leakseg.errors import AnatomyError, GeometryError, InputError
from leakseg.providers import load_masks, plan_masks
from leakseg.volume import ScanSource

L1, L2, L3, L4 = (VertebraLevel(name) for name in ("L1", "L2", "L3", "L4"))
STUDY, FRAME = "1.2.3.4.1", "1.2.3.4.100"
SCT = {L1: "66794005", L2: "14293000", L3: "36470004", L4: "11994002"}
VERTEBRA = Code("51282000", "SCT", "Vertebra")


@pytest.fixture
def series(spine, tmp_path: Path) -> ScanSource:
    """The scan as a CT series, head first, its slices written from the head down."""
    folder = tmp_path / "scans" / "study" / "series"
    folder.mkdir(parents=True)
    grid, uid = spine.volume.grid, generate_uid()
    for number, k in enumerate(reversed(range(grid.shape[0]))):
        slice_ = Dataset()
        slice_.file_meta = FileMetaDataset()
        slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        slice_.SOPClassUID, slice_.SOPInstanceUID = CTImageStorage, generate_uid()
        slice_.file_meta.MediaStorageSOPClassUID = CTImageStorage
        slice_.file_meta.MediaStorageSOPInstanceUID = slice_.SOPInstanceUID
        slice_.StudyInstanceUID, slice_.SeriesInstanceUID, slice_.FrameOfReferenceUID = STUDY, uid, FRAME
        slice_.PatientName, slice_.PatientID, slice_.PatientBirthDate, slice_.PatientSex = "Phantom^", "0", "", "O"
        slice_.StudyID, slice_.StudyDate, slice_.StudyTime, slice_.AccessionNumber = "1", "20260101", "120000", ""
        slice_.Modality, slice_.SeriesNumber, slice_.InstanceNumber = "CT", 1, number + 1
        slice_.ReferringPhysicianName, slice_.PositionReferenceIndicator, slice_.Manufacturer = "", "", ""
        slice_.ImagePositionPatient = [float(x) for x in grid.to_patient((k, 0, 0))]
        slice_.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
        slice_.PixelSpacing, slice_.SliceThickness = [2.0, 2.0], 2.0
        slice_.Rows, slice_.Columns = grid.shape[1], grid.shape[2]
        slice_.SamplesPerPixel, slice_.PhotometricInterpretation, slice_.PixelRepresentation = 1, "MONOCHROME2", 1
        slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit = 16, 16, 15
        slice_.RescaleSlope, slice_.RescaleIntercept = 1, 0
        slice_.PixelData = np.ascontiguousarray(spine.volume.hu[k]).tobytes()
        slice_.save_as(folder / f"{number:03}.dcm", enforce_file_format=True)
    files = tuple(sorted(folder.iterdir()))
    return ScanSource("study-series", "study/series", folder, files, "dicom", STUDY, str(uid))


def segment(number: int, label: str, kind: Code) -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        number,
        label,
        codes.SCT.AnatomicalStructure,
        kind,
        hd.seg.SegmentAlgorithmTypeValues.MANUAL,
    )


def write_seg(path: Path, series: ScanSource, spine, *, kind: str = "BINARY", named: str = "label", **changes) -> Path:
    """A SEG of the four vertebrae and the canal, named by label or by SNOMED code."""
    images = [pydicom.dcmread(file) for file in series.files]
    order = [spine.volume.grid.shape[0] - 1 - k for k in range(len(images))]
    masks = [spine.vertebrae == level.number for level in SCT] + [spine.canal]
    pixels = np.stack(masks, axis=-1)[order].astype(np.uint8)
    segments = []
    for position, (level, code) in enumerate(SCT.items()):
        by_code = named == "code"
        label = f"Segment {position}" if by_code else f"vertebrae_{level}"
        segments.append(segment(position + 1, label, Code(code, "SCT", "x") if by_code else VERTEBRA))
    canal = Code("61853006", "SCT", "Vertebral canal") if named == "code" else Code("85756007", "SCT", "Tissue")
    segments.append(segment(5, "Segment 4" if named == "code" else "spinal_canal", canal))
    if kind == "LABELMAP":
        pixels = (pixels * np.arange(1, 6, dtype=np.uint8)).max(axis=-1)
    seg = hd.seg.Segmentation(
        source_images=images,
        pixel_array=pixels.astype(np.float32) if kind == "FRACTIONAL" else pixels,
        segmentation_type=kind,
        segment_descriptions=segments,
        series_instance_uid=generate_uid(),
        series_number=7,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Somebody",
        manufacturer_model_name="A workstation",
        software_versions="1",
        device_serial_number="1",
        content_label="SPINE",
    )
    for keyword, value in changes.items():
        setattr(seg, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    seg.save_as(path)
    return path


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
@pytest.mark.parametrize("named", ["label", "code"])
def test_a_seg_comes_out_exact_whatever_its_kind(spine, series, tmp_path, kind, named) -> None:
    """The first slices are empty and their frames left out; the SEG's slices run the other way."""
    path = write_seg(tmp_path / "given" / "seg.dcm", series, spine, kind=kind, named=named)
    plan = plan_masks([str(path)], series)
    assert plan.roles == ("seg",)
    read = load_masks(plan, spine.volume)
    np.testing.assert_array_equal(read.masks.vertebrae, spine.vertebrae)
    np.testing.assert_array_equal(read.masks.canal, spine.canal)
    assert read.masks.scheme == "segment names"
    assert {note.code for note in read.notes} == ({"mask_fractional"} if kind == "FRACTIONAL" else set())


@pytest.mark.parametrize("place", ["series", "series/masks", "seg-series"])
def test_auto_finds_the_seg_of_the_study(spine, series, place) -> None:
    path = write_seg(series.folder.parent / place / "seg.dcm", series, spine)
    (series.folder / "vertebrae.nii.gz").write_bytes(b"")  # the SEG goes before role-named files
    plan = plan_masks([], series)
    assert [file.resolve() for file in plan.files] == [path.resolve()]


def test_auto_looks_into_a_studys_other_series_and_not_into_a_thousand_folders(spine, series) -> None:
    """A cohort's folders lie beside one another as a study's series do; each case would look into all."""
    study = series.folder.parent
    write_seg(study / "seg-series" / "seg.dcm", series, spine)
    for number in range(62):
        (study / f"series-{number}").mkdir()
    (study / "notes.txt").touch()
    assert plan_masks([], series).roles == ("seg",)
    for number in range(62, 70):
        (study / f"series-{number}").mkdir()
    assert plan_masks([], series).provider == "builtin"


@pytest.mark.parametrize(
    "changes",
    [
        {"StudyInstanceUID": "1.2.3.4.999"},
        {"FrameOfReferenceUID": "1.2.3.4.999"},
        {"ManufacturerModelName": "leakseg"},
    ],
)
def test_auto_passes_over_a_seg_of_another_study_frame_or_of_our_own(spine, series, changes) -> None:
    write_seg(series.folder / "seg.dcm", series, spine, **changes)
    (series.folder / "L1.nii.gz").write_bytes(b"")
    assert plan_masks([], series).roles == ("L1",)


def test_of_two_segs_the_newest_is_taken_and_told(spine, series) -> None:
    write_seg(series.folder / "b.dcm", series, spine, ContentDate="20200101")
    newest = write_seg(series.folder / "a.dcm", series, spine, ContentDate="20250101")
    plan = plan_masks([], series)
    assert plan.files[0].name == newest.name
    assert [note.code for note in plan.notes] == ["mask_seg_choice"]


def test_another_frame_of_reference_is_refused(spine, series, tmp_path) -> None:
    path = write_seg(tmp_path / "given.dcm", series, spine, FrameOfReferenceUID="1.2.3.4.999")
    with pytest.raises(AnatomyError, match="another frame of reference"):
        load_masks(plan_masks([str(path)], series), spine.volume)


def test_a_copied_slice_spacing_is_not_believed(spine, series, tmp_path) -> None:
    """Writers copy SpacingBetweenSlices from the source's header; the frames' positions decide."""
    path = write_seg(tmp_path / "given.dcm", series, spine)
    seg = pydicom.dcmread(path)
    seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices = 5.0
    seg.save_as(path)
    read = load_masks(plan_masks([str(path)], series), spine.volume)
    np.testing.assert_array_equal(read.masks.vertebrae, spine.vertebrae)


def spoil(path: Path, fault: str) -> None:
    seg = pydicom.dcmread(path)
    first = seg.SegmentSequence[0]
    frames = seg.PerFrameFunctionalGroupsSequence
    if fault == "label and code":
        kind = first.SegmentedPropertyTypeCodeSequence[0]
        kind.CodeValue, kind.CodeMeaning = SCT[L2], "L2 vertebra"
    elif fault == "no names":
        for item in seg.SegmentSequence:
            item.SegmentLabel = "Tumour"
    elif fault == "uneven":
        position = frames[3].PlanePositionSequence[0]
        x, y, z = position.ImagePositionPatient
        position.ImagePositionPatient = [x, y, float(z) + 0.7]
    elif fault == "tilt":
        position = frames[3].PlanePositionSequence[0]
        x, y, z = position.ImagePositionPatient
        position.ImagePositionPatient = [x, float(y) + 4, z]
    elif fault == "no place":
        del frames[3].PlanePositionSequence
    elif fault == "short":
        seg.PixelData = seg.PixelData[: len(seg.PixelData) // 2]
    elif fault == "no seg":
        seg.SOPClassUID = CTImageStorage
    seg.save_as(path)


@pytest.mark.parametrize(
    ("fault", "error", "sentence"),
    [
        ("label and code", AnatomyError, "labelled L1 but coded as L2"),
        ("no names", AnatomyError, "None of the 5 segments"),
        ("uneven", GeometryError, "unevenly spaced"),
        ("tilt", GeometryError, "shifted against one another"),
        ("no place", GeometryError, "do not say where they lie"),
        ("short", InputError, "cannot be decoded"),
        ("no seg", InputError, "neither NIfTI, NRRD nor DICOM SEG"),
    ],
)
@pytest.mark.filterwarnings("ignore:The number of bytes of pixel data")
def test_each_fault_has_its_own_sentence(spine, series, tmp_path, fault, error, sentence) -> None:
    path = write_seg(tmp_path / "given.dcm", series, spine)
    spoil(path, fault)
    with pytest.raises(error, match=sentence):
        load_masks(plan_masks([str(path)], series), spine.volume)


def test_other_segments_are_counted_not_read(spine, series, tmp_path) -> None:
    path = write_seg(tmp_path / "given.dcm", series, spine)
    seg = pydicom.dcmread(path)
    seg.SegmentSequence[4].SegmentLabel = "L1 nerve root"
    seg.save_as(path)
    read = load_masks(plan_masks([str(path)], series), spine.volume)
    assert read.masks.canal is None
    assert [note.code for note in read.notes] == ["mask_segments_left_out"]
