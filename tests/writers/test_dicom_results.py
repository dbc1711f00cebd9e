"""DICOM SEG and SR of painted findings on series that lie and are written in every way, read without highdicom."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.case import CaseRequest, publish
from leakseg.config import AnalysisConfig
from leakseg.criteria import ReadingCriteria
from leakseg.findings import (
    CaseFindings,
    CaseReport,
    CaseResult,
    CementReport,
    Leak,
    LeakRoute,
    LeakSubtype,
    LeakType,
    LevelReport,
    MasksReport,
    PatientPattern,
    Provenance,
    QualityNote,
    SeriesReport,
    Side,
)
from leakseg.readers import read_volume, take_inventory
from leakseg.volume import LabelMap

CENTRE = np.array([3.0, -140.0, -512.5])
SHAPE, SPACING = (16, 20, 24), (2.5, 1.2, 1.0)
VECTORS = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
STRAIGHT = np.eye(3)
ROOT = Path(__file__).parents[2]
DATA, SAMPLE = ROOT / ".." / "shared" / "data", ROOT / "sample_dicom"
UID = "1.2.826.0.1.3680043.8.498.77"
turn = np.radians(17)
TURNED = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
LEANING = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])


def paint(grid, centre=CENTRE):
    """1 and 2: two leaks, 3: cement inside bone, balls in patient mm; no mirror image of itself."""
    labels = np.zeros(grid.shape, np.uint8)
    near = np.abs(grid.to_index(centre + np.array(list(np.ndindex(2, 2, 2))) * 40 - 20) - grid.to_index(centre)).max(0)
    first = np.maximum(np.floor(grid.to_index(centre) - near), 0).astype(int)
    last = np.minimum(np.ceil(grid.to_index(centre) + near) + 1, grid.shape).astype(int)
    window = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    index = np.stack(np.indices(last - first), axis=-1) + first
    off = grid.to_patient(index) - centre
    for value, place in ((1, (4, 6, 3)), (2, (-5, 4, -8)), (3, (1, -5, 9))):
        labels[window][np.linalg.norm(off - place, axis=-1) < 4.1] = value
    return labels


def affine_of(axes, rotation=STRAIGHT):
    columns = rotation @ (np.array([VECTORS[letter] for letter in axes], float).T * SPACING)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = columns, CENTRE - columns @ ((np.array(SHAPE) - 1) / 2)
    return affine


def slices(axes="SPL", rotation=STRAIGHT, shear=0.0, **more):
    """One CT image a slice; SpacingBetweenSlices says something else than the positions."""
    affine = affine_of(axes, rotation)
    row, column = affine[:3, 2] / SPACING[2], affine[:3, 1] / SPACING[1]
    made = []
    for k in range(SHAPE[0]):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"{UID}.3.{k + 1}"
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = (f"{UID}.{n}" for n in (1, 2, 4))
        image.ImageType, image.Modality = ["ORIGINAL", "PRIMARY", "AXIAL"], "CT"
        image.PatientName, image.PatientID, image.PatientSex = "Quux^Zyxw", "QX-99172", "F"
        image.PatientBirthDate, image.StudyDate, image.StudyTime = "19440203", "20240506", "070809"
        image.StudyID, image.AccessionNumber, image.ReferringPhysicianName = "S1", "A1", "Ref^Phys"
        image.SeriesNumber, image.InstanceNumber = 2, k + 1
        position = affine[:3, 3] + affine[:3, 0] * k + column * shear * k
        image.ImagePositionPatient = [float(f"{value:.7f}") for value in position]
        image.ImageOrientationPatient = [float(f"{value:.9f}") for value in (*row, *column)]
        image.PixelSpacing, image.SpacingBetweenSlices, image.SliceThickness = [SPACING[1], SPACING[2]], 5.0, 3.0
        image.Rows, image.Columns = SHAPE[1], SHAPE[2]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, -1024, "HU"
        image.PixelData = np.full(SHAPE[1:], 1064 + k, np.uint16).tobytes()
        image["PixelData"].VR = "OW"
        for keyword, value in more.items():
            setattr(image, keyword, value)
        made.append(image)
    return made


def save(images, folder):
    folder.mkdir(parents=True)
    with pydicom.config.disable_value_validation():
        for number, image in enumerate(images):
            pydicom.dcmwrite(folder / f"{(number * 7) % 53:02d}.dcm", image, enforce_file_format=True)
    return folder


def a_leak(number, grid, **changes):
    leak = Leak(
        number, LeakType.EPIDURAL, LeakSubtype.PARACENTRAL, LeakRoute.BASIVERTEBRAL, VertebraLevel.L1, "L1", None,
        Side.LEFT, 214.6, tuple(CENTRE + np.array([4, 6, 3])), 2, (9.1, 6.4, 14.0), 1714.0, 0.27, 5.2, None, 0.0, 0.93,
    )  # fmt: skip
    return replace(leak, **changes)


def analysed(folder, *, cement=True, builtin=False, centre=CENTRE):
    """What an analysis of the series would hand to the writers, its labels painted in patient mm."""
    (entry,) = take_inventory((folder,), ReadingCriteria()).cases()
    assert entry.reason is None, entry.reason
    scan = read_volume(entry.source, ReadingCriteria())
    grid = scan.volume.grid
    centre = grid.to_patient(np.array(grid.shape) / 2) if centre is None else centre
    labels = paint(grid, centre) * cement
    leaks = (a_leak(1, grid), a_leak(2, grid, type=LeakType.VENOUS, subtype=None, route=None, side=Side.RIGHT))
    vertebrae = np.zeros(grid.shape, np.uint8)
    vertebrae[:, : grid.shape[1] // 2] = VertebraLevel.L1.number
    canal = np.zeros(grid.shape, bool)
    canal[:, grid.shape[1] // 2 :] = True
    report = CaseReport(
        "case-7", True, SeriesReport("CT", 120.0, None, SPACING, SHAPE[0], None, None, None),
        MasksReport("builtin", "0.1.0", None, "mask"),
        (LevelReport(VertebraLevel.L1, "whole", cement, 3120.4, 31840.0, 0.098, None, 0.27),),
        CementReport(3340.0 * cement, 3120.4 * cement, 219.6 * cement, 842.0, "between two peaks", 0.0, 0.0),
        leaks if cement else (), PatientPattern((), False, False, False), None,
        (QualityNote("slice_thickness", "warning", "Slices are 3 mm thick; ≥ 2 leaks may be one."),), {},
        Provenance("0.1.0", "rules 1.0", "sha256:a", "sha256:b"),
    )  # fmt: skip
    findings = CaseFindings(
        report.masks, report.levels, report.cement, report.leaks, report.patient_pattern, report.quality, True,
        LabelMap(grid, np.choose(labels, [0, 2, 2, 1]).astype(np.uint8)), LabelMap(grid, labels * (labels < 3)),
    )  # fmt: skip
    return entry.source, CaseResult(
        report, scan.volume, SpineMasks(grid, vertebrae, canal, from_builtin=builtin), findings
    )


def written(folder, out, **more):
    source, result = analysed(folder, **more)
    out.mkdir(parents=True, exist_ok=True)
    return result, publish(result, CaseRequest(source, None, AnalysisConfig(), out, "sha256:b", "sha256:c"))


def points_of(seg):
    """By segment label the patient points of its voxels, from the SEG's own words alone (PS3.3 C.7.6.2.1.1)."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    orientation = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    spacing = np.array(shared.PixelMeasuresSequence[0].PixelSpacing, float)
    labels = {segment.SegmentNumber: segment.SegmentLabel for segment in seg.SegmentSequence}
    found = {}
    frames = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    for group, frame in zip(seg.PerFrameFunctionalGroupsSequence, frames, strict=True):
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber if len(labels) > 1 else 1
        origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        rows, columns = np.nonzero(frame)
        assert len(rows), "empty frames are left out"
        points = origin + np.outer(columns * spacing[1], orientation[:3]) + np.outer(rows * spacing[0], orientation[3:])
        found.setdefault(labels[number], []).append(points)
    return {label: np.concatenate(parts) for label, parts in found.items()}


def painted_points(result):
    grid, inside = result.volume.grid, result.findings.cement_labels.labels == 1
    labels = np.where(inside, 3, result.findings.leak_labels.labels)
    names = {1: "L1 epidural left", 2: "L1 venous right", 3: "cement inside bone"}
    return {name: grid.to_patient(np.argwhere(labels == value)) for value, name in names.items()}


def same_points(found, expected):
    assert found.keys() == expected.keys()
    for name, points in expected.items():
        assert len(found[name]) == len(points) > 0
        gaps = np.linalg.norm(found[name][:, None] - points[None], axis=-1).min(axis=0)
        assert gaps.max() < 0.01, name


def dciodvfy(path):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian's dicom3tools) is not installed")
    done = subprocess.run(["dciodvfy", path], capture_output=True, check=False, timeout=100)
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    assert any(line in {"Segmentation", "Comprehensive3DSR"} for line in lines)
    return [line for line in lines if line.startswith(("Error", "Abort"))]


def enhanced(images):
    """The same slices as one multi-frame object, in an order of its own."""
    images = [*images[1::2], *images[::2]]
    whole = images[0].copy()
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    whole.NumberOfFrames = len(images)
    whole.PixelData = b"".join(image.PixelData for image in images)
    shared, groups = Dataset(), []
    for macro, keywords in {
        "PlaneOrientationSequence": ["ImageOrientationPatient"],
        "PixelMeasuresSequence": ["PixelSpacing", "SliceThickness", "SpacingBetweenSlices"],
        "PixelValueTransformationSequence": ["RescaleSlope", "RescaleIntercept"],
    }.items():
        setattr(shared, macro, Sequence([Dataset({whole[key].tag: whole[key] for key in keywords})]))
    for image in images:
        group = Dataset()
        group.PlanePositionSequence = Sequence(
            [Dataset({image["ImagePositionPatient"].tag: image["ImagePositionPatient"]})]
        )
        groups.append(group)
    for keyword in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "SpacingBetweenSlices",
        "SliceThickness",
    ):
        delattr(whole, keyword)
    whole.SharedFunctionalGroupsSequence, whole.PerFrameFunctionalGroupsSequence = Sequence([shared]), Sequence(groups)
    return [whole]


def odd(images):
    """Headers as badly kept archives have them."""
    for image in images:
        for keyword in ("StudyID", "AccessionNumber", "ReferringPhysicianName", "SliceThickness"):
            delattr(image, keyword)
        with pydicom.config.disable_value_validation():
            image.add_new("PatientSex", "CS", "female")
            image.add_new("StudyDate", "DA", "20240230")
            image.add_new("StudyTime", "TM", "256199")
            image.add_new("ContentDate", "DA", "20241350")
            image.add_new("PatientBirthDate", "DA", "3.2.1944")
            image.add_new("PatientName", "PN", "Grün^Zoë".encode("latin-1"))
        image.PatientIdentityRemoved = "YES"
        image.add_new(0x00091001, "LO", "a private value")
        image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return images


def doubled(images):
    twin = images[5].copy()
    twin.SOPInstanceUID = f"{UID}.3.99"
    return [*images, twin]


def among_others(images):
    """A scout and a picture of a screen in the same series, of which the picture lies nowhere in the patient."""
    scout, screen = slices("LIP")[0], slices()[3]
    scout.SOPInstanceUID, scout.ImageType = f"{UID}.3.97", ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    screen.SOPInstanceUID, screen.SOPClassUID = f"{UID}.3.98", "1.2.840.10008.5.1.4.1.1.7"
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(screen, keyword)
    return [screen, *images, scout]


def endless(images):
    with pydicom.config.disable_value_validation():
        for image in images:
            image.add_new("SliceThickness", "DS", "1e999")
    return images


def run_length(images):
    for image in images:
        image.compress(RLELossless, encoding_plugin="pydicom")
    return images


SOURCES = {
    **{axes: (lambda axes=axes: slices(axes)) for axes in ("SPL", "IPL", "SAR", "IAL", "LIP", "PIL", "ASR")},
    "turned": lambda: slices("SPL", TURNED),
    "leaning": lambda: slices("IPL", LEANING),
    "enhanced": lambda: enhanced(slices("IPL")),
    "enhanced-sagittal": lambda: enhanced(slices("LIP", TURNED)),
    "odd": lambda: odd(slices()),
    "double": lambda: doubled(slices()),
    "among-others": lambda: among_others(slices()),
    "endless": lambda: endless(slices()),
    "run-length": lambda: run_length(slices("IPL")),
}


@pytest.mark.parametrize("name", SOURCES)
def test_segments_lie_where_they_were_found_in_patient_mm(name, tmp_path):
    result, folder = written(save(SOURCES[name](), tmp_path / "scan"), tmp_path / "out")
    seg = pydicom.dcmread(folder / "leaks.seg.dcm")
    same_points(points_of(seg), painted_points(result))
    assert float(seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices) == pytest.approx(
        2.5
    )
    assert not [*dciodvfy(folder / "leaks.seg.dcm"), *dciodvfy(folder / "report.sr.dcm")]


@pytest.mark.parametrize("name", ["SPL", "LIP", "leaning", "enhanced"])
def test_frames_lie_as_the_sources_slices_do_and_name_them(name, tmp_path):
    images = SOURCES[name]()
    _, folder = written(save(images, tmp_path / "scan"), tmp_path / "out")
    seg = pydicom.dcmread(folder / "leaks.seg.dcm")
    source = images[0]
    by_frame = [image.ImagePositionPatient for image in images] if len(images) > 1 else [
        group.PlanePositionSequence[0].ImagePositionPatient for group in source.PerFrameFunctionalGroupsSequence
    ]  # fmt: skip
    positions = {f"{source.SOPInstanceUID if len(images) == 1 else images[n].SOPInstanceUID}/{n}": where
                 for n, where in enumerate(by_frame)}  # fmt: skip
    instances = [image.SOPInstanceUID for image in images]
    assert (seg.Rows, seg.Columns, seg.FrameOfReferenceUID) == (source.Rows, source.Columns, source.FrameOfReferenceUID)
    for group in seg.PerFrameFunctionalGroupsSequence:
        told = group.DerivationImageSequence[0].SourceImageSequence[0]
        uid = told.ReferencedSOPInstanceUID
        number = told.ReferencedFrameNumber - 1 if len(images) == 1 else instances.index(uid)
        assert np.allclose(group.PlanePositionSequence[0].ImagePositionPatient, positions[f"{uid}/{number}"], atol=1e-6)


def test_patient_and_study_are_the_sources(tmp_path):
    images = slices()
    _, folder = written(save(images, tmp_path / "scan"), tmp_path / "out")
    for name in ("leaks.seg.dcm", "report.sr.dcm"):
        made = pydicom.dcmread(folder / name)
        for keyword in (
            "PatientName", "PatientID", "PatientSex", "PatientBirthDate", "StudyInstanceUID", "StudyDate", "StudyTime",
            "StudyID", "AccessionNumber", "ReferringPhysicianName",
        ):  # fmt: skip
            assert made[keyword].value == images[0][keyword].value, keyword
        assert made.ManufacturerModelName == "leakseg"
        assert made.SeriesInstanceUID != images[0].SeriesInstanceUID


def test_odd_values_are_left_empty_and_names_keep_their_letters(tmp_path):
    _, folder = written(save(odd(slices()), tmp_path / "scan"), tmp_path / "out")
    made = pydicom.dcmread(folder / "report.sr.dcm")
    assert str(made.PatientName) == "Grün^Zoë"
    assert not any(made[key].value for key in ("PatientSex", "PatientBirthDate", "StudyDate", "StudyID"))


def test_a_patient_of_two_names_is_told_by_the_number_alone(tmp_path):
    """One name is allowed (PS3.3 C.7.1.1), and which of them is the patient's is not guessed."""
    _, folder = written(save(slices(PatientName=["Quux^Zyxw", "Quux^Z"]), tmp_path / "scan"), tmp_path / "out")
    for name in ("leaks.seg.dcm", "report.sr.dcm"):
        found = pydicom.dcmread(folder / name)
        assert (str(found.PatientName), found.PatientID) == ("", "QX-99172")


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SOPInstanceUID"])
def test_what_has_two_uids_cannot_be_referred_to_and_a_note_says_so(keyword, tmp_path):
    images = slices(**{keyword: [f"{UID}.7", f"{UID}.8"]})
    _, folder = written(save(images, tmp_path / "scan"), tmp_path / "out")
    assert not (folder / "report.sr.dcm").exists()
    assert "does not name its study and its instances" in note_of(folder)["no_dicom_results"]["message"]


def test_segments_say_what_they_are(tmp_path):
    _, folder = written(save(slices(), tmp_path / "scan"), tmp_path / "out", builtin=True)
    seg = pydicom.dcmread(folder / "leaks.seg.dcm")
    labels = [segment.SegmentLabel for segment in seg.SegmentSequence]
    assert labels == ["L1 epidural left", "L1 venous right", "cement inside bone", "L1 vertebra", "spinal canal"]
    leak, venous, _, vertebra, canal = seg.SegmentSequence
    assert leak.SegmentedPropertyTypeCodeSequence[0].CodingSchemeDesignator == "99LEAKSEG"
    region = leak.AnatomicRegionSequence[0]
    assert (region.CodingSchemeDesignator, region.CodeValue) == ("SCT", "66794005")
    assert region.AnatomicRegionModifierSequence[0].CodeValue == "7771000"
    assert vertebra.SegmentedPropertyTypeCodeSequence[0].CodeValue == "66794005"
    assert canal.SegmentedPropertyTypeCodeSequence[0].CodeValue == "61853006"
    assert leak.RecommendedDisplayCIELabValue != venous.RecommendedDisplayCIELabValue
    found = points_of(seg)
    assert sum(map(len, found.values())) == np.prod(SHAPE), "every voxel belongs to one segment"
    assert not dciodvfy(folder / "leaks.seg.dcm")


def test_a_missing_slice_that_was_bridged_has_no_frame(tmp_path):
    images = slices()
    del images[9]
    for image in images:
        x, y, z = image.ImagePositionPatient
        image.ImagePositionPatient = [x, y, (z + CENTRE[2]) / 2]
    result, folder = written(save(images, tmp_path / "scan"), tmp_path / "out")
    assert result.volume.grid.shape[0] == SHAPE[0]
    filled = result.volume.grid.to_patient([9, 0, 0])[2]
    expected = {name: points[np.abs(points[:, 2] - filled) > 0.01] for name, points in painted_points(result).items()}
    same_points(points_of(pydicom.dcmread(folder / "leaks.seg.dcm")), expected)
    assert sum(map(len, expected.values())) < sum(map(len, painted_points(result).values()))
    assert not dciodvfy(folder / "leaks.seg.dcm")


def note_of(folder):
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return {note["code"]: note for note in report["quality"] if note["code"].startswith("no_dicom")}


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (lambda: slices(shear=0.4), "resampled"),
        (lambda: [one for k, one in enumerate(slices()) if not setattr(one, "FrameOfReferenceUID", f"{UID}.5.{k}")],
         "frame of reference"),
        (lambda: slices(FrameOfReferenceUID=[f"{UID}.5", f"{UID}.6"]), "frame of reference"),
    ],
)  # fmt: skip
def test_a_seg_that_cannot_be_exact_is_not_written_and_a_note_says_so(images, told, tmp_path):
    _, folder = written(save(images(), tmp_path / "scan"), tmp_path / "out")
    assert not (folder / "leaks.seg.dcm").exists()
    note = note_of(folder)["no_dicom_seg"]
    assert note["severity"] == "info"
    assert told in note["message"]
    assert not dciodvfy(folder / "report.sr.dcm")
    assert len(groups_of(pydicom.dcmread(folder / "report.sr.dcm"))) == 4


def groups_of(document):
    (measurements,) = (item for item in document.ContentSequence if code_of(item) == "126010")
    return {text(group, "112039"): group for group in measurements.ContentSequence}


def code_of(item):
    return item.ConceptNameCodeSequence[0].CodeValue


def find(group, code):
    return [item for item in group.ContentSequence if code_of(item) == code]


def text(group, code):
    return find(group, code)[0].TextValue


def number(group, code):
    measured = find(group, code)[0].MeasuredValueSequence[0]
    return float(measured.NumericValue), measured.MeasurementUnitsCodeSequence[0].CodeValue


def answer(group, code):
    return find(group, code)[0].ConceptCodeSequence[0].CodeValue


def test_the_sr_tells_each_leak_with_its_segment_and_its_place(tmp_path):
    result, folder = written(save(slices(), tmp_path / "scan"), tmp_path / "out")
    document, seg = (pydicom.dcmread(folder / name) for name in ("report.sr.dcm", "leaks.seg.dcm"))
    assert document.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    groups = groups_of(document)
    assert list(groups) == ["case", "treated L1", "leak 1", "leak 2"]
    leak = groups["leak 1"]
    assert number(leak, "118565006") == (214.6, "mm3")
    assert number(leak, "ENCROACHMENT") == (27.0, "%")
    assert number(leak, "MAX-SAG-DIAM") == (5.2, "mm")
    assert number(leak, "CONFIDENCE") == (93.0, "%")
    assert (answer(leak, "LEAK-TYPE"), answer(leak, "LEAK-ROUTE")) == ("LEAK-EPIDURAL", "ROUTE-B")
    assert not find(groups["leak 2"], "LEAK-ROUTE"), "not known is absent, never a guess"
    site = find(leak, "363698007")[0]
    assert site.ConceptCodeSequence[0].CodeValue == "66794005"
    assert site.ContentSequence[0].ConceptCodeSequence[0].CodeValue == "7771000"
    place = find(leak, "128138")[0]
    assert place.GraphicData == pytest.approx(result.report.leaks[0].centroid_mm, abs=1e-4)
    assert place.ReferencedFrameOfReferenceUID == seg.FrameOfReferenceUID
    reference = find(leak, "121191")[0].ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == seg.SOPInstanceUID
    segments = {segment.SegmentNumber: segment for segment in seg.SegmentSequence}
    segment = segments[reference.ReferencedSegmentNumber]
    assert segment.SegmentLabel == "L1 epidural left"
    assert [item.UID for item in find(leak, "112040")] == [segment.TrackingUID]
    evidence = {
        instance.ReferencedSOPInstanceUID
        for series in document.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    assert seg.SOPInstanceUID in evidence
    assert len(evidence) == SHAPE[0] + 1


def test_the_sr_tells_doubts_disclaimer_and_maker(tmp_path):
    result, folder = written(save(slices(), tmp_path / "scan"), tmp_path / "out")
    document = pydicom.dcmread(folder / "report.sr.dcm")
    assert answer(groups_of(document)["case"], "NEEDS-REVIEW") == "373066001"
    assert text(document, "DISCLAIMER") == result.report.disclaimer
    assert text(document, "QUALITY-NOTE") == "warning: Slices are 3 mm thick; ≥ 2 leaks may be one."
    assert all(part in text(document, "MADE-BY") for part in ("leakseg 0.1.0", "rules 1.0", "sha256:a"))
    assert (document.CompletionFlag, document.VerificationFlag) == ("COMPLETE", "UNVERIFIED")


def test_a_case_without_cement_gets_an_sr_that_says_so_and_no_seg(tmp_path):
    _, folder = written(save(slices(), tmp_path / "scan"), tmp_path / "out", cement=False, builtin=True)
    assert not (folder / "leaks.seg.dcm").exists()
    case = groups_of(pydicom.dcmread(folder / "report.sr.dcm"))["case"]
    assert answer(case, "CEMENT") == answer(case, "LEAK-FOUND") == "272519000"
    assert not dciodvfy(folder / "report.sr.dcm")


def test_the_same_scan_gives_the_same_bytes_wherever_it_lies_and_other_findings_another_object(tmp_path):
    first = written(save(slices("IPL"), tmp_path / "a"), tmp_path / "out-a")[1]
    again = written(save(slices("IPL"), tmp_path / "b"), tmp_path / "out-b")[1]
    for name in ("leaks.seg.dcm", "report.sr.dcm"):
        assert (first / name).read_bytes() == (again / name).read_bytes()
    more = written(tmp_path / "a", tmp_path / "out-c", builtin=True)[1]
    uids = {pydicom.dcmread(folder / "leaks.seg.dcm").SOPInstanceUID for folder in (first, more)}
    assert len(uids) == 2


JPEG = {"lossless": "JPEGLosslessProcess14_1", "jpeg-2000": "JPEG2000Lossless"}


@pytest.mark.parametrize("name", JPEG)
def test_compressed_sources(name, tmp_path):
    gdcm = pytest.importorskip("gdcm")
    folder = save(slices("IPL"), tmp_path / "scan")
    for path in folder.iterdir():
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(str(path))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, JPEG[name])))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(str(path))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID.is_compressed
    result, out = written(folder, tmp_path / "out")
    same_points(points_of(pydicom.dcmread(out / "leaks.seg.dcm")), painted_points(result))
    assert not [*dciodvfy(out / "leaks.seg.dcm"), *dciodvfy(out / "report.sr.dcm")]


@pytest.mark.parametrize("named", [True, False], ids=["one-frame", "a-frame-a-slice"])
def test_a_real_scanners_headers(named, tmp_path):
    """The public scan names a frame of reference a slice, as some de-identifiers write them; so no exact SEG."""
    folder = DATA / "thoracic_dicom"
    if not folder.is_dir():
        pytest.skip("the shared public data are not beside the project")
    heights = {path: pydicom.dcmread(path, stop_before_pixels=True).SliceLocation for path in folder.glob("*.dcm")}
    images = [pydicom.dcmread(path) for path in sorted(heights, key=heights.__getitem__)[100:140]]
    for image in images:
        image.FrameOfReferenceUID = f"{UID}.4" if named else image.FrameOfReferenceUID
    result, out = written(save(images, tmp_path / "scan"), tmp_path / "out", centre=None)
    assert not dciodvfy(out / "report.sr.dcm")
    if not named:
        assert "frame of reference" in note_of(out)["no_dicom_seg"]["message"]
        return
    same_points(points_of(pydicom.dcmread(out / "leaks.seg.dcm")), painted_points(result))
    assert not dciodvfy(out / "leaks.seg.dcm")


@pytest.mark.slow
def test_all_sample_cases(tmp_path):
    if not SAMPLE.is_dir():
        pytest.skip("sample_dicom is not there")
    arguments = ["run", SAMPLE, "-o", tmp_path / "out", "--workers", "1"]
    done = subprocess.run([sys.executable, "-m", "leakseg", *arguments], capture_output=True, check=False, timeout=250)
    assert done.returncode == 1, "one of the three is to be refused"
    made = sorted((tmp_path / "out").rglob("*.dcm"))
    assert {path.name for path in made} == {"leaks.seg.dcm", "report.sr.dcm"}
    assert len(made) == 4
    for path in made:
        assert not dciodvfy(path)
    (entry,) = take_inventory((SAMPLE / "scans" / "three-leaks",), ReadingCriteria()).cases()
    grid = read_volume(entry.source, ReadingCriteria()).volume.grid
    (case,) = (path.parent for path in made if "three-leaks" in str(path) and path.name == "leaks.seg.dcm")
    leaks, cement = (sitk.GetArrayFromImage(sitk.ReadImage(case / f"{name}.nii.gz")) for name in ("leaks", "cement"))
    found = points_of(pydicom.dcmread(case / "leaks.seg.dcm"))
    assert sum(map(len, found.values())) == np.count_nonzero(leaks) + np.count_nonzero(cement == 1)
    report = json.loads((case / "report.json").read_text(encoding="utf-8"))
    for leak in report["leaks"]:
        centre = found[f"{leak['level']} {leak['type']} {leak['side']}"].mean(axis=0)
        assert np.linalg.norm(centre - leak["centroid_mm"]) < 1.5 * max(grid.spacing_mm)


@pytest.mark.slow
def test_an_implant_in_a_real_scan(tmp_path):
    """The way of every implant of the study: a real scan with cement, written as DICOM, and its results."""
    scan = DATA / "totalsegmentator_ct" / "ct.nii.gz"
    if not scan.is_file():
        pytest.skip("the real scans lie in ../shared/data, which is not here")
    masks = f"vertebrae={scan.parent / 'seg_total_v2.nii.gz'}"
    made = ["phantom", "implant", scan, "--masks", masks, "--label-scheme", "totalsegmentator", "--levels", "L2"]
    made += ["--leaks", "epidural", "--sides", "left", "--count", "1", "-o", tmp_path / "study"]
    ran = ["run", tmp_path / "study/scans", "--masks", tmp_path / "study/masks", "-o", tmp_path / "out"]
    for arguments in (made, [*ran, "--write", "json,seg,sr", "--workers", "0"]):
        subprocess.run([sys.executable, "-m", "leakseg", *map(str, arguments)], check=True, capture_output=True)
    files = sorted((tmp_path / "out").rglob("*.dcm"))
    assert [path.name for path in files] == ["leaks.seg.dcm", "report.sr.dcm"]
    for path in files:
        assert not dciodvfy(path)


def test_a_nifti_scan_gets_neither_and_a_note_says_so(tmp_path):
    source, result = analysed(save(slices(), tmp_path / "scan"))
    (tmp_path / "out").mkdir()
    request = CaseRequest(replace(source, kind="nifti"), None, AnalysisConfig(), tmp_path / "out", "", "")
    folder = publish(result, request)
    assert not list(folder.glob("*.dcm"))
    assert note_of(folder)["no_dicom_results"]["severity"] == "info"


def test_a_plugins_numpy_numbers_make_the_same_sr_as_plain_ones(tmp_path):
    source, result = analysed(save(slices(), tmp_path / "scan"))
    made = []
    for number in (float, np.float64):
        leaks = tuple(replace(leak, confidence=number(leak.confidence)) for leak in result.report.leaks)
        told = replace(result, report=replace(result.report, leaks=leaks))
        (tmp_path / number.__name__).mkdir()
        request = CaseRequest(source, None, AnalysisConfig(), tmp_path / number.__name__, "sha256:b", "sha256:c")
        made.append((publish(told, request) / "report.sr.dcm").read_bytes())
    assert made[0] == made[1]
