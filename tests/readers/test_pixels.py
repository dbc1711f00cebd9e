"""Stored values to Hounsfield units, whatever the transfer syntax, the sign, the rescale and the padding."""

from base64 import b64decode

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from leakseg.criteria import ReadingCriteria
from leakseg.errors import SeriesError
from leakseg.readers import read_volume
from leakseg.readers.header_reader import read_headers
from leakseg.readers.pixels import PixelReader


def codes(scan):
    return [note.code for note in scan.notes]


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
@pytest.mark.parametrize("signed", [False, True])
def test_uncompressed_transfer_syntaxes(bench, tmp_path, syntax, signed):
    datasets = bench.Painted(shape=(12, 9, 8)).datasets(signed=signed)
    for dataset in datasets:
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, np.uint16).byteswap().tobytes()
    scan = bench.read(bench.save(datasets, tmp_path / "scan", syntax))
    assert bench.wrong(scan) == 0


def test_rle(bench, tmp_path):
    datasets = bench.Painted(shape=(12, 9, 8)).datasets()
    for dataset in datasets:
        dataset.compress(RLELossless, generate_instance_uid=False)
    assert bench.wrong(bench.read(bench.save(datasets, tmp_path / "scan"))) == 0


@pytest.mark.parametrize(
    ("slope", "intercept", "signed", "kind"),
    [
        (1, -1024, False, np.int16),
        (1, -1000, False, np.int16),
        (1, -8192, False, np.int16),
        (1, 0, True, np.int16),
        (1, -1024.5, False, np.float32),
        (0.5, -1024, False, np.float32),
        (2, -1000, True, np.float32),
    ],
)
def test_rescale(bench, tmp_path, slope, intercept, signed, kind):
    painted = bench.Painted(shape=(12, 9, 8))
    datasets = painted.datasets(slope=slope, intercept=intercept, signed=signed, bits=16)
    scan = bench.read(bench.save(datasets, tmp_path / "scan"))
    assert scan.volume.hu.dtype == kind
    assert np.abs(scan.volume.hu - painted.hu()).max() <= slope / 2


def test_each_slice_has_its_own_rescale(bench, tmp_path):
    one = bench.Painted(shape=(12, 9, 8))
    versions = [one.datasets(intercept=-1024), one.datasets(intercept=-1000)]
    scan = bench.read(bench.save([versions[k % 2][k] for k in range(12)], tmp_path / "scan"))
    assert scan.volume.hu.dtype == np.int16
    assert bench.wrong(scan) == 0


@pytest.mark.parametrize("signed", [False, True])
def test_bits_above_the_stored_ones_are_not_read(bench, tmp_path, signed):
    datasets = bench.Painted(shape=(12, 9, 8)).datasets(signed=signed, intercept=0 if signed else -1024)
    for dataset in datasets:
        stored = np.frombuffer(dataset.PixelData, np.uint16)
        dataset.PixelData = ((stored & 0x0FFF) | 0xA000).tobytes()
    assert bench.wrong(bench.read(bench.save(datasets, tmp_path / "scan"))) == 0


def test_values_stored_in_the_upper_bits(bench, tmp_path):
    datasets = bench.Painted(shape=(12, 9, 8)).datasets()
    for dataset in datasets:
        dataset.HighBit = 15
        dataset.PixelData = (np.frombuffer(dataset.PixelData, np.uint16) << 4).tobytes()
    assert bench.wrong(bench.read(bench.save(datasets, tmp_path / "scan"))) == 0


@pytest.mark.parametrize(
    ("value", "limit", "stored", "written"),
    [(-2000, None, [-2000], "SS"), (63536, None, [-2000], "US"), (-2000, -1990, [-2000, -1995, -1990], "SS")],
)
def test_padding_is_told_from_what_was_measured(bench, tmp_path, value, limit, stored, written):
    datasets = bench.Painted(shape=(12, 9, 8)).datasets(signed=True, intercept=0, bits=16)
    for dataset in datasets:
        pixels = np.frombuffer(dataset.PixelData, np.int16).reshape(9, 8).copy()
        pixels[0, : len(stored)] = stored
        dataset.PixelData = pixels.tobytes()
        dataset.add_new("PixelPaddingValue", written, value)
        if limit is not None:
            dataset.add_new("PixelPaddingRangeLimit", written, limit)
    scan = bench.read(bench.save(datasets, tmp_path / "scan"))
    assert scan.volume.padding.sum() == 12 * len(stored)
    assert scan.volume.padding[:, 0, : len(stored)].all()
    assert (scan.volume.hu[scan.volume.padding] == -1024).all()
    assert codes(scan) == ["pixel_padding"]


def test_no_padding_no_mask(bench, tmp_path):
    assert bench.read(bench.save(bench.Painted(shape=(12, 9, 8)).datasets(), tmp_path / "scan")).volume.padding is None


@pytest.mark.parametrize(("intercept", "clip"), [(-1024, 3071.0), (-1000, 3095.0)])
def test_the_twelve_bit_clip_is_noted(bench, tmp_path, intercept, clip):
    def dense(points):
        return np.where(np.abs(points - bench.header.__globals__["CENTRE"]).max(axis=-1) < 4, clip, 40)

    datasets = bench.Painted(shape=(12, 9, 8), pattern=dense).datasets(intercept=intercept)
    scan = bench.read(bench.save(datasets, tmp_path / "scan"))
    assert scan.volume.series.clip_hu == clip
    assert codes(scan) == ["hu_clipped"]
    free = bench.read(bench.save(bench.Painted(shape=(12, 9, 8)).datasets(), tmp_path / "free"))
    assert free.volume.series.clip_hu is None


@pytest.mark.parametrize(
    ("keyword", "value", "code"),
    [("LossyImageCompression", "01", "lossy_compression"), ("RescaleType", "HU_MOD", "hu_modified")],
)
def test_densities_that_are_not_as_measured_are_told(bench, tmp_path, keyword, value, code):
    datasets = bench.Painted(shape=(12, 9, 8)).datasets()
    for dataset in datasets:
        setattr(dataset, keyword, value)
    scan = bench.read(bench.save(datasets, tmp_path / "scan"))
    assert [(note.code, note.severity) for note in scan.notes] == [(code, "warning")]


def test_values_beyond_sixteen_bits_are_cut_off_and_told(bench, tmp_path):
    datasets = bench.Painted(shape=(12, 9, 8)).datasets(bits=16)
    pixels = np.frombuffer(datasets[3].PixelData, np.uint16).copy()
    pixels[:2] = 65000
    datasets[3].PixelData = pixels.tobytes()
    scan = bench.read(bench.save(datasets, tmp_path / "scan"))
    assert (scan.volume.hu == 32767).sum() == 2
    assert codes(scan) == ["hu_out_of_range"]


def test_enhanced_multi_frame(bench, tmp_path):
    datasets = bench.Painted(axes="IPR").datasets()
    datasets = [datasets[k] for k in np.random.default_rng(2).permutation(24)]
    scan = bench.read(bench.save([bench.enhanced(datasets)], tmp_path / "scan"))
    assert bench.wrong(scan) == 0
    assert scan.volume.series.slices == 24
    assert (scan.volume.series.kernel, scan.volume.series.kvp) == ("Br40", 100.0)


def test_enhanced_multi_frame_compressed(bench, tmp_path):
    whole = bench.enhanced(bench.Painted(shape=(12, 9, 8)).datasets())
    whole.compress(RLELossless, generate_instance_uid=False)
    assert bench.wrong(bench.read(bench.save([whole], tmp_path / "scan"))) == 0


def test_enhanced_without_positions(bench, tmp_path):
    whole = bench.enhanced(bench.Painted().datasets())
    for group in whole.PerFrameFunctionalGroupsSequence:
        del group.PlanePositionSequence
    case = bench.only_case(bench.save([whole], tmp_path / "scan"))
    assert "enhanced CT without plane positions" in case.reason


def test_truncated_pixels(bench, tmp_path):
    folder = bench.save(bench.Painted().datasets(), tmp_path / "scan")
    for victim in sorted(folder.iterdir())[3:5]:
        victim.write_bytes(victim.read_bytes()[:-100])
    case = bench.only_case(folder)
    assert not case.analysable
    assert case.reason.startswith("The pixel data of 2 of 24 slices are cut short")
    with pytest.raises(SeriesError, match="2 of 24 slices are cut short"):
        read_volume(case.source, ReadingCriteria())


def test_pixels_cut_short_after_the_headers_were_read(bench, tmp_path):
    folder = bench.save(bench.Painted().datasets(), tmp_path / "scan")
    header = read_headers(sorted(folder.iterdir())[3])[0]
    data = header.path.read_bytes()
    header.path.write_bytes(data[:-100])
    with pytest.raises(SeriesError, match="cut short"):
        PixelReader().read(header)


def test_damaged_compressed_pixels(bench, tmp_path, caplog):
    datasets = bench.Painted().datasets()
    for dataset in datasets:
        dataset.compress(RLELossless, generate_instance_uid=False)
    folder = bench.save(datasets, tmp_path / "scan")
    victim = sorted(folder.iterdir())[3]
    data = victim.read_bytes()
    victim.write_bytes(data[:-60] + bytes(60))
    case = bench.only_case(folder)
    with pytest.raises(SeriesError, match="cut short"):
        read_volume(case.source, ReadingCriteria())
    assert not caplog.text  # pydicom would name the file, and with it perhaps the patient


def test_a_transfer_syntax_nobody_here_decodes(bench, tmp_path):
    folder = bench.save(bench.Painted().datasets(), tmp_path / "scan")
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
        dataset.PixelData = pydicom.encaps.encapsulate([bytes(200)])
        dataset["PixelData"].is_undefined_length = True
        dataset["PixelData"].VR = "OB"
        dataset.save_as(path)
    case = bench.only_case(folder)
    with pytest.raises(SeriesError, match=r"transfer syntax 1\.2\.840\.10008\.1\.2\.4\.100"):
        read_volume(case.source, ReadingCriteria())


def test_no_pixel_data(bench, tmp_path):
    datasets = bench.Painted().datasets()
    del datasets[5].PixelData
    case = bench.only_case(bench.save(datasets, tmp_path / "scan"))
    assert "1 of 24 slices are cut short or absent" in case.reason


def test_files_without_a_meta_header(bench, tmp_path):
    folder = tmp_path / "scan"
    folder.mkdir()
    for number, dataset in enumerate(bench.Painted().datasets()):
        del dataset.file_meta
        pydicom.dcmwrite(folder / f"{number}", dataset, implicit_vr=True, little_endian=True)
    scan = bench.read(folder)
    assert codes(scan) == ["no_transfer_syntax"]
    assert bench.wrong(scan) == 0


def stored(path):
    return PixelReader().read(read_headers(path)[0])


LOSSLESS = ("4.57", "4.70", "4.80", "4.90", "1.2.5.", "1.2.2.", "1.99.", "1.2.1.", "1.2.dcm")


def test_every_transfer_syntax_of_the_zoo_decodes(shared_data):
    folder = shared_data / "dicom_zoo" / "compressed"
    truth = pydicom.dcmread(folder / "CTImage.dcm").pixel_array - 1024.0
    seen = set()
    for path in sorted(folder.iterdir()):
        header = read_headers(path)[0]
        pixels = stored(path) * header.image.slope + header.image.intercept
        seen.add(header.image.transfer_syntax.removeprefix("1.2.840.10008.1.2"))
        off = np.abs(pixels - truth)
        if any(part in path.name for part in LOSSLESS):
            assert off.max() == 0, path.name
        else:
            assert off.mean() <= 33, path.name  # lossy; 8-bit JPEG steps by 32
    assert seen == {
        "", ".1", ".2", ".1.99", ".5", ".4.50", ".4.51", ".4.53", ".4.55", ".4.57", ".4.70", ".4.80", ".4.81", ".4.90",
        ".4.91",
    }  # fmt: skip


def test_a_j2k_sign_that_contradicts_the_header(shared_data):
    pixels = stored(shared_data / "dicom_zoo" / "odd" / "J2K_pixelrep_mismatch.dcm")
    assert (pixels.min(), pixels.max()) == (-2000, 1896)


RAMP = (np.arange(16 * 24).reshape(16, 24) * 7 - 1000).astype(np.int16)
HIGH_THROUGHPUT = b64decode(
    b"/0//UQApQAAAAAAYAAAAEAAAAAAAAAAAAAAAGAAAABAAAAAAAAAAAAABjwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
    b"kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAJEAAf+TwAAlWwGHdADAABKA7gEHdADAABHA"
    b"ABOAJ3MA/uu/AMI0AMAAEsAAFUC+gAt0APzlj78AGMB3VgDAABPAABXg7u7Yp8J1APLKkydPnrzgIPZCAey4AMAAKuAAFuAkSZLz"
    b"8Kenp0J4AE6dnJycnJycnJycnP7/EAMYHv2MYHv2MYHsvwD/2Q=="
)
"""`RAMP` as a high-throughput JPEG 2000 codestream without loss, by OpenJPH."""


@pytest.mark.parametrize("kind", ["201", "202", "203"])
def test_high_throughput_jpeg_2000(bench, tmp_path, kind):
    """What some archives in the cloud give out, unless they are asked for something else."""
    image = bench.Painted(shape=(3, *RAMP.shape)).datasets(signed=True, bits=16)[1]
    image.PixelData = pydicom.encaps.encapsulate([HIGH_THROUGHPUT])
    image["PixelData"].is_undefined_length = True
    folder = bench.save([image], tmp_path, f"1.2.840.10008.1.2.4.{kind}")
    np.testing.assert_array_equal(stored(next(folder.iterdir())), RAMP)
