"""Headers that DICOM results refer to: what is read once for a series is what every file says."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian

from leakseg.source_headers import source_headers, uid_of
from leakseg.volume import ScanSource

SAMPLE = Path(__file__).parents[1] / "sample_dicom" / "scans" / "three-leaks"


@pytest.fixture
def paths(tmp_path):
    return sorted(shutil.copytree(SAMPLE, tmp_path / "series").iterdir())[:8]


def changed(path, **values):
    dataset = pydicom.dcmread(path)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def asked_of_every_slice(dataset):
    uids = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
    return [uid_of(dataset, keyword) for keyword in uids], np.array(dataset.ImagePositionPatient, float).tolist()


def test_every_slice_is_told_as_if_read_alone(paths):
    changed(paths[2], FrameOfReferenceUID="1.2.3.4")
    changed(paths[3], ImagePositionPatient=[1.5, "-2e1", "7.123456789012"])
    changed(paths[4], SOPInstanceUID="1.2.3.5", SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    implicit = pydicom.dcmread(paths[5])
    implicit.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    pydicom.dcmwrite(paths[5], implicit, implicit_vr=True, little_endian=True)
    changed(paths[6], SeriesInstanceUID="1.2.3.6")
    changed(paths[7], ICCProfile=bytes(20_000))
    source = ScanSource("x", "x", paths[0].parent, tuple(paths), "dicom")
    found = [asked_of_every_slice(dataset) for dataset in source_headers(source)]
    assert found == [asked_of_every_slice(pydicom.dcmread(path, stop_before_pixels=True)) for path in paths]


def test_files_of_another_series_are_left_out(paths):
    changed(paths[0], SeriesInstanceUID="1.2.3.6")
    uid = str(pydicom.dcmread(paths[1], stop_before_pixels=True).SeriesInstanceUID)
    source = ScanSource("x", "x", paths[0].parent, tuple(paths), "dicom", series_instance_uid=uid)
    first, *others = source_headers(source)
    assert first.PatientName == pydicom.dcmread(paths[1]).PatientName
    assert len(others) == len(paths) - 2
