"""Painted scans: a pattern known at every point of patient space, written as DICOM in any way."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from leakseg.criteria import ReadingCriteria
from leakseg.readers import read_volume, take_inventory

CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
CENTRE = np.array([3.0, -140.0, -512.5])


def paint(points):
    """HU at patient points ``(..., 3)``: soft tissue in air, and a marker of its own left, behind and above."""
    off = np.asarray(points) - CENTRE
    hu = np.where(np.linalg.norm(off / [40.013, 30.017, 60.011], axis=-1) < 1, 40, -1000)
    for place, density in (((18, 0, 0), 500), ((0, 14, 0), 700), ((0, 0, 20), 900)):
        hu = np.where(np.abs(off - place).max(axis=-1) < 5.137, density, hu)
    return hu


def ramp(points):
    """HU that rise evenly in every direction: linear interpolation is exact on them."""
    return np.asarray(points) @ [1.5, -2.0, 1.0] + 300.0


@dataclass
class Painted:
    """A series to be written: a grid, what is painted on it, and how the files say so."""

    shape: tuple = (24, 20, 22)
    spacing: tuple = (2.5, 3.0, 2.0)
    axes: str = "SPL"
    turn: np.ndarray = field(default_factory=lambda: np.eye(3))
    shear: tuple = (0.0, 0.0)
    pattern: object = paint
    series_uid: str = "1.2.826.0.1.3680043.8.498.1"
    study_uid: str = "1.2.826.0.1.3680043.8.498.9"

    @property
    def affine(self):
        """Index ``(k, j, i)`` to patient mm; ``axes`` says where k, j and i run to."""
        vectors = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
        columns = np.array([vectors[letter] for letter in self.axes], dtype=float).T * self.spacing
        columns = self.turn @ columns
        columns[:, 0] += columns[:, 1] * self.shear[0] + columns[:, 2] * self.shear[1]
        affine = np.eye(4)
        affine[:3, :3] = columns
        affine[:3, 3] = CENTRE - columns @ ((np.array(self.shape) - 1) / 2)
        return affine

    def hu(self):
        index = np.stack(np.indices(self.shape), axis=-1)
        points = index @ self.affine[:3, :3].T + self.affine[:3, 3]
        return np.rint(self.pattern(points)).astype(np.int32)

    def datasets(self, slope=1, intercept=-1024, signed=False, bits=12):
        """One CT image a slice, in the order of k."""
        affine, hu = self.affine, self.hu()
        stored = np.rint((hu - intercept) / slope).astype(np.int16 if signed else np.uint16)
        row = affine[:3, 2] / self.spacing[2]
        column = affine[:3, 1] / self.spacing[1]
        return [
            header(
                stored[k],
                SeriesInstanceUID=self.series_uid,
                StudyInstanceUID=self.study_uid,
                SOPInstanceUID=f"{self.series_uid}.{k + 1}",
                InstanceNumber=k + 1,
                ImagePositionPatient=[float(f"{value:.6f}") for value in affine[:3, 3] + affine[:3, 0] * k],
                ImageOrientationPatient=[float(f"{value:.9f}") for value in (*row, *column)],
                PixelSpacing=[self.spacing[1], self.spacing[2]],
                RescaleSlope=slope,
                RescaleIntercept=intercept,
                BitsStored=bits,
                HighBit=bits - 1,
                PixelRepresentation=int(signed),
            )
            for k in range(self.shape[0])
        ]


def header(stored, **values):
    """A CT image as small as may be; ``None`` leaves an attribute out."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    standard = {
        "SOPClassUID": CT, "Modality": "CT", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "SeriesNumber": 2,
        "PatientName": "Quux^Zyxw", "PatientID": "QX-99172", "FrameOfReferenceUID": "1.2.826.0.1.3680043.8.498.7",
        "PatientPosition": "HFS", "Rows": stored.shape[-2], "Columns": stored.shape[-1], "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11,
        "PixelRepresentation": 0, "SliceThickness": 99.0, "SpacingBetweenSlices": 77.0, "SliceLocation": 0.0,
        "KVP": 120, "ConvolutionKernel": "B31s",
    }  # fmt: skip
    for keyword, value in (standard | values).items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = values.get("SOPInstanceUID", "1.2.3")
    dataset.add_new(0x7FE00010, "OW", stored.tobytes())
    return dataset


def enhanced(datasets):
    """The same slices as one enhanced multi-frame CT; pixel measures and orientation are shared."""
    first = datasets[0]
    whole = header(
        np.stack([np.frombuffer(one.PixelData, np.uint16).reshape(one.Rows, one.Columns) for one in datasets]),
        SOPClassUID=ENHANCED_CT, SeriesInstanceUID=first.SeriesInstanceUID, StudyInstanceUID=first.StudyInstanceUID,
        SOPInstanceUID=first.SeriesInstanceUID + ".1", NumberOfFrames=len(datasets), SliceThickness=None,
        SpacingBetweenSlices=None, ConvolutionKernel=None, KVP=None,
    )  # fmt: skip
    whole.SharedFunctionalGroupsSequence = Sequence(
        [
            item(
                PlaneOrientationSequence=[item(ImageOrientationPatient=first.ImageOrientationPatient)],
                PixelMeasuresSequence=[item(PixelSpacing=first.PixelSpacing, SliceThickness=99.0)],
                CTReconstructionSequence=[item(ConvolutionKernel="Br40")],
                CTXRayDetailsSequence=[item(KVP=100.0)],
            )
        ]
    )
    whole.PerFrameFunctionalGroupsSequence = Sequence(
        [
            item(
                PlanePositionSequence=[item(ImagePositionPatient=one.ImagePositionPatient)],
                PixelValueTransformationSequence=[
                    item(RescaleSlope=one.RescaleSlope, RescaleIntercept=one.RescaleIntercept, RescaleType="HU")
                ],
            )
            for one in datasets
        ]
    )
    return whole


def item(**values):
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, Sequence(value) if isinstance(value, list) and "Sequence" in keyword else value)
    return dataset


def save(datasets, folder, syntax=None, names=None):
    """Write files, named so that neither their order nor their numbers follow the positions."""
    folder.mkdir(parents=True, exist_ok=True)
    shuffled = np.random.default_rng(5).permutation(len(datasets))
    for number, dataset in enumerate(datasets):
        path = folder / (names[number] if names else f"im{shuffled[number]:04d}")
        syntax_uid = syntax or dataset.file_meta.TransferSyntaxUID
        dataset.file_meta.TransferSyntaxUID = syntax_uid
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return folder


class Bench:
    """What the tests work with."""

    Painted = Painted
    paint = staticmethod(paint)
    ramp = staticmethod(ramp)
    save = staticmethod(save)
    enhanced = staticmethod(enhanced)
    item = staticmethod(item)
    header = staticmethod(header)
    data = DATA

    @staticmethod
    def inventory(*folders, **more):
        return take_inventory(folders, ReadingCriteria(), **more)

    @staticmethod
    def only_case(*folders, **more):
        (case,) = take_inventory(folders, ReadingCriteria(), **more).cases()
        return case

    @classmethod
    def read(cls, *folders):
        case = cls.only_case(*folders)
        assert case.reason is None, case.reason
        return read_volume(case.source, ReadingCriteria())

    @classmethod
    def wrong(cls, scan, pattern=paint):
        """How many voxels of a scan read differ from what was painted at their place in the patient."""
        grid = scan.volume.grid
        index = np.stack(np.indices(grid.shape), axis=-1)
        return int((np.rint(pattern(grid.to_patient(index))) != scan.volume.hu).sum())


@pytest.fixture(scope="session")
def bench():
    return Bench


@pytest.fixture(scope="session")
def shared_data():
    if not DATA.is_dir():
        pytest.skip("the shared public data are not beside the project")
    return DATA
