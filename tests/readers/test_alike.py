"""Slices whose headers agree, byte by byte, in all but their own values: read as by the reader of everything."""

import shutil
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from leakseg.plain_header import plain_header
from leakseg.readers.header_reader import HeaderReader, read_headers
from leakseg.readers.headers import OWN_TAGS

SAMPLE = Path(__file__).parents[2] / "sample_dicom"


@pytest.fixture
def series(tmp_path):
    folder = shutil.copytree(SAMPLE / "scans" / "three-leaks", tmp_path / "series")
    return sorted(folder.iterdir())[:6]


def changed(path, **values):
    dataset = pydicom.dcmread(path)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def request():
    item = Dataset()
    item.AccessionNumber = "7"
    inner = Dataset()
    inner.CodeValue = "x"
    item.ProcedureCodeSequence = Sequence([inner])
    item.is_undefined_length_sequence_item = True
    sequence = Sequence([item, item])
    sequence.is_undefined_length = True
    return sequence


def both(paths):
    """As one after another by one reader, and each by a reader of its own, which knows no other."""
    reader = HeaderReader()
    return [reader.read(path) for path in paths], [read_headers(path) for path in paths]


def test_a_series_is_read_as_slice_by_slice(series):
    together, alone = both(series)
    assert together == alone
    assert len({id(slices[0].image) for slices in together}) == 1


def test_a_slice_that_differs_is_read_anew(series):
    changed(series[2], RescaleIntercept=-1000)
    changed(series[3], ImagePositionPatient=[1.5, "-2e1", 7])
    changed(series[4], SOPInstanceUID="1.2.3", InstanceNumber=4000)
    together, alone = both(series)
    assert together == alone
    assert together[2][0].image.intercept == -1000
    assert together[3][0].position == (1.5, -20.0, 7.0)


def test_sequences_of_undefined_length_are_stepped_over(series):
    for path in series:
        changed(path, RequestAttributesSequence=request(), WindowCenter=[40, 300])
    together, alone = both(series)
    assert together == alone
    assert plain_header(series[0].read_bytes(), OWN_TAGS, frozenset()) is not None


def test_a_slice_without_a_place_has_none(series):
    dataset = pydicom.dcmread(series[1])
    del dataset.ImagePositionPatient
    dataset.save_as(series[1])
    together, alone = both(series)
    assert together == alone
    assert together[1][0].position is None


@pytest.mark.parametrize("end", [0, 131, 140, 300, 700])
def test_a_header_that_ends_early_is_not_plain(series, end):
    assert plain_header(series[0].read_bytes()[:end], OWN_TAGS, frozenset()) is None


def test_a_long_header_is_looked_for_farther_on(series):
    for path in series:
        dataset = pydicom.dcmread(path)
        dataset.add_new((0x0019, 0x0010), "LO", "MAKER")
        dataset.add_new((0x0019, 0x1001), "OB", bytes(40_000))
        dataset.save_as(path)
    together, alone = both(series)
    assert together == alone
