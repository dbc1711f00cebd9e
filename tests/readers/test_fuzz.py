"""Whatever stands in the headers: a volume or one sentence, never anything else."""

import struct

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.tag import Tag

from leakseg.criteria import ReadingCriteria
from leakseg.errors import InputError
from leakseg.readers import read_volume, take_inventory

CRITERIA = ReadingCriteria(min_slices=2, min_coverage_mm=1.0)
KEYWORDS = [
    "SOPClassUID", "Modality", "ImageType", "SeriesNumber", "FrameOfReferenceUID", "Rows", "Columns", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelSpacing",
    "ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept", "RescaleType",
    "SamplesPerPixel", "NumberOfFrames", "ConvolutionKernel", "KVP", "PatientName", "PatientBirthDate",
    "StudyInstanceUID", "PerFrameFunctionalGroupsSequence",
]  # fmt: skip
values = st.one_of(
    st.none(),
    st.sampled_from(
        [b"", b"0", b"-1", b"1", b"3", b"1e999", b"nan", b"0.5\\0.5", b"1\\0\\0\\0\\1\\0", b"CT", b"\xff\xfe"]
    ),
    st.binary(max_size=12),
    st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=6).map(
        lambda many: "\\".join(f"{one:.5g}" for one in many).encode()
    ),
)


def file_of(dataset, changes):
    """A file in implicit VR, some elements' bytes as given, or left out where that is None."""
    elements = {}
    for element in dataset:
        stream = DicomBytesIO()
        stream.is_implicit_VR, stream.is_little_endian = True, True
        write_data_element(stream, element)
        elements[element.tag] = stream.getvalue()
    for keyword, value in changes.items():
        tag = Tag(keyword)
        elements.pop(tag, None)
        if value is not None:
            even = value + b" " * (len(value) % 2)
            elements[tag] = struct.pack("<HHI", tag.group, tag.element, len(even)) + even
    syntax = b"1.2.840.10008.1.2\0"
    meta = struct.pack("<HH2sH", 2, 16, b"UI", len(syntax)) + syntax
    meta = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta)) + meta
    return bytes(128) + b"DICM" + meta + b"".join(elements[tag] for tag in sorted(elements))


def outcome(source):
    """The scan, or the sentence that refuses it."""
    try:
        return read_volume(source, CRITERIA), None
    except InputError as error:
        return None, str(error)


@given(changes=st.dictionaries(st.sampled_from(KEYWORDS), values, min_size=1, max_size=3), half=st.booleans())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(changes={"ConvolutionKernel": b"u\xb2"}, half=False)
def test_mutated_headers(bench, tmp_path_factory, changes, half):
    folder = tmp_path_factory.mktemp("fuzz")
    for number, dataset in enumerate(bench.Painted(shape=(4, 6, 5)).datasets()):
        (folder / f"{number}").write_bytes(file_of(dataset, changes if number > 1 or not half else {}))
    inventory = take_inventory([folder], CRITERIA)
    assert (
        sum(len(one.source.files) for study in inventory.studies for one in study.series) + len(inventory.ignored) >= 4
    )
    for case in inventory.cases():
        assert case.analysable or case.reason
        scan, sentence = outcome(case.source)
        if scan is None:
            assert sentence
            assert "\n" not in sentence
            assert case.reason in {None, sentence}
            continue
        assert case.analysable
        assert np.isfinite(scan.volume.hu).all()
        assert scan.volume.grid.orientation == "SPL"


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_bytes(bench, tmp_path_factory, data):
    folder = bench.save(bench.Painted(shape=(4, 6, 5)).datasets(), tmp_path_factory.mktemp("fuzz"))
    victim = sorted(folder.iterdir())[data.draw(st.integers(0, 3))]
    content = bytearray(victim.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    victim.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    for case in take_inventory([folder], CRITERIA).cases():
        scan, sentence = outcome(case.source)
        assert scan is not None or sentence
