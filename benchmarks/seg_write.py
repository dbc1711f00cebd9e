"""Time of our DICOM SEG beside a highdicom-only write of the same frames: ratio 1.3 at most.

Both read the headers of a synthetic 400-slice series from disk, make the object and write it; runs are
interleaved and medians compared. ``python benchmarks/seg_write.py [SLICES] [RUNS]``
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.dicom_series import read_series
from leakseg.findings import (
    CaseFindings,
    CaseReport,
    CaseResult,
    CementReport,
    Leak,
    LeakType,
    MasksReport,
    PatientPattern,
    Provenance,
    SeriesReport,
    Side,
)
from leakseg.geometry import Grid
from leakseg.volume import LabelMap, ScanSource, Volume
from leakseg.writers import dicom_seg

SIDE = 512
LEVELS = (VertebraLevel.L4, VertebraLevel.L3, VertebraLevel.L2, VertebraLevel.L1, VertebraLevel.T12)
LIMIT = 1.3


def series(folder: Path, count: int) -> tuple[Path, ...]:
    paths = []
    for k in range(count):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["bench", str(k)])
        for position, keyword in enumerate(("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")):
            setattr(image, keyword, f"1.2.826.0.1.3680043.8.498.5.{position}")
        image.Modality, image.PatientName, image.PatientID, image.PatientSex = "CT", "Bench^Mark", "B1", "O"
        image.PatientBirthDate = image.StudyID = image.AccessionNumber = image.ReferringPhysicianName = ""
        image.StudyDate, image.StudyTime, image.InstanceNumber = "20240101", "120000", k + 1
        image.Rows = image.Columns = SIDE
        image.PixelSpacing, image.SliceThickness = [0.7, 0.7], 1.0
        image.ImagePositionPatient, image.ImageOrientationPatient = [-180, -180, k * 1.0], [1, 0, 0, 0, 1, 0]
        path = folder / f"{k:04d}.dcm"
        pydicom.dcmwrite(path, image, enforce_file_format=True)
        paths.append(path)
    return tuple(paths)


def findings(count: int, *, builtin: bool) -> CaseResult:
    """Three treated vertebrae, three leaks, and vertebrae and canal where they are ours."""
    grid = Grid((count, SIDE, SIDE), np.array([[0, 0, 0.7, -180], [0, 0.7, 0, -180], [1.0, 0, 0, 0], [0, 0, 0, 1]]))
    cement, leaks, vertebrae = (np.zeros(grid.shape, np.uint8) for _ in range(3))
    canal = np.zeros(grid.shape, bool)
    canal[:, 300:330, 240:270] = True
    told = []
    for position, level in enumerate(LEVELS):
        low = 10 + position * (count - 20) // len(LEVELS)
        vertebrae[low : low + 30, 220:300, 200:310] = level.number
        if 0 < position < 4:
            cement[low + 5 : low + 25, 240:280, 220:290] = 1
            leaks[low + 8 : low + 22, 300:312, 250:262] = position
            told.append(
                Leak(
                    position, LeakType.EPIDURAL, None, None, level, str(level), None, Side.LEFT, 900.0, (0.0, 0.0, 0.0),
                    1, (9.0, 9.0, 9.0), 1500.0, 0.2, 4.0, None, 0.0, 0.9,
                )
            )  # fmt: skip
    cement[leaks > 0] = 2
    masks = MasksReport("builtin", "0", None, "builtin")
    report = CaseReport(
        "bench", False, SeriesReport("CT", 120.0, None, grid.spacing_mm, count, None, None, None), masks, (),
        CementReport(1.0, 1.0, 0.0, None, "", 0.0, 0.0), tuple(told), PatientPattern((), False, False, False), None, (),
        {}, Provenance("0", "rules", "sha256:", "sha256:"),
    )  # fmt: skip
    found = CaseFindings(
        masks, (), report.cement, report.leaks, report.patient_pattern, (), False, LabelMap(grid, cement),
        LabelMap(grid, leaks),
    )  # fmt: skip
    hu = np.broadcast_to(np.int16(0), grid.shape)
    return CaseResult(report, Volume(grid, hu), SpineMasks(grid, vertebrae, canal, from_builtin=builtin), found)


def ours(result: CaseResult, source: ScanSource, folder: Path) -> None:
    dicom_seg.write(result, read_series(source, result.volume.grid), folder)


def plain(frames: np.ndarray[Any, Any], places: np.ndarray[Any, Any], source: ScanSource, folder: Path) -> None:
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in source.files]
    algorithm = highdicom.AlgorithmIdentificationSequence("plain", codes.cid7162.MorphologicalOperations, "1")
    segments = [
        highdicom.seg.SegmentDescription(
            number, f"segment {number}", codes.SCT.PhysicalObject, codes.SCT.Bone, "AUTOMATIC", algorithm
        )
        for number in range(1, int(frames.max()) + 1)
    ]
    seg = highdicom.seg.Segmentation(
        [headers[place] for place in places], frames, "BINARY", segments, generate_uid(), 1, generate_uid(), 1,
        "plain", "plain", "1", "1",
    )  # fmt: skip
    seg.save_as(folder / "plain.seg.dcm")


def same_frames(folder: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """What our SEG holds, as the labelmap that a user of highdicom alone would start from."""
    seg = highdicom.seg.segread(folder / dicom_seg.NAME)
    groups = seg.PerFrameFunctionalGroupsSequence
    heights = [float(group.PlanePositionSequence[0].ImagePositionPatient[2]) for group in groups]
    places = np.unique(np.rint(heights).astype(int))
    frames = np.zeros((len(places), SIDE, SIDE), np.uint8)
    for group, height, pixels in zip(groups, heights, seg.pixel_array, strict=True):
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        frames[np.searchsorted(places, round(height))][pixels > 0] = number
    return frames, places


def main() -> int:
    count, runs = (int(value) for value in sys.argv[1:3]) if len(sys.argv) == 3 else (400, 5)
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = ScanSource("bench", "bench", folder, series(folder, count), "dicom")
        for what, builtin in (("leaks and cement", False), ("with vertebrae and canal", True)):
            result = findings(count, builtin=builtin)
            ours(result, source, folder)
            frames, places = same_frames(folder)
            seconds: dict[str, list[float]] = {"leakseg": [], "highdicom": []}
            for _ in range(runs):
                start = time.perf_counter()
                ours(result, source, folder)
                middle = time.perf_counter()
                plain(frames, places, source, folder)
                seconds["leakseg"].append(middle - start)
                seconds["highdicom"].append(time.perf_counter() - middle)
            medians = {who: statistics.median(times) for who, times in seconds.items()}
            ratio = medians["leakseg"] / medians["highdicom"]
            worst = max(worst, ratio)
            size = (folder / dicom_seg.NAME).stat().st_size / 1e6
            print(
                f"{what}: {count} slices, {len(places)} of them shown, {int(frames.max())} segments, {size:.1f} MB: "
                f"leakseg {medians['leakseg']:.2f} s, highdicom alone {medians['highdicom']:.2f} s, ratio {ratio:.2f}"
            )
    print(f"Worst ratio {worst:.2f}; the limit is {LIMIT}.")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
