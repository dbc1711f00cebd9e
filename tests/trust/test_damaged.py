"""Damaged and hostile files: one sentence, in little time and memory; many were found by `benchmarks/fuzz.py`."""

import contextlib
import gzip
import os
import re
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from leakseg.criteria import ReadingCriteria
from leakseg.errors import ConfigError, InputError, SeriesError
from leakseg.geometry import Grid
from leakseg.nifti import read_grid, read_image, write_nifti
from leakseg.readers import bombs, read_volume, take_inventory

ROOT = Path(__file__).parents[2]
FUZZ = ROOT / "benchmarks" / "fuzz.py"
CRITERIA = ReadingCriteria(min_slices=2, min_coverage_mm=1.0)
NRRD = (
    "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 4 4 4\n"
    "space directions: (1,0,0) (0,1,0) (0,0,1)\nkinds: domain domain domain\nendian: little\nencoding: raw\n"
    "space origin: (0,0,0)\n\n"
)


@pytest.fixture(scope="module")
def fuzz():
    import importlib.util

    spec = importlib.util.spec_from_file_location("fuzz_for_tests", FUZZ)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "kinds",
    [("dicom", "later", "deflated", "rle", "jpeg", "jpegls", "jpeg2000"), ("nifti", "gzip", "nrrd", "seg"),
     ("recipe", "labels", "edits", "phantom", "clinical", "truth", "table", "run", "report", "reports", "ledger")],
    ids=["dicom", "images", "texts"],
)  # fmt: skip
def test_damaged_files_make_a_result_or_a_sentence(kinds):
    arguments = [sys.executable, FUZZ, "--runs", "40", "--seed", "5", "--kinds", *kinds]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" 0 faults") == len(kinds)


def series(folder, files):
    folder.mkdir()
    for number, data in enumerate(files):
        (folder / f"{number}.dcm").write_bytes(data)
    (case,) = take_inventory([folder], CRITERIA).cases()
    return case


def damaged(files, tag, value):
    """The files with an element of two bytes changed, explicit VR."""
    found = struct.pack("<HH2sH", *tag, b"US", 2)
    assert all(found in data for data in files)
    return [re.sub(re.escape(found) + b"..", lambda m: m[0][:-2] + struct.pack("<H", value), data, flags=re.DOTALL)
            for data in files]  # fmt: skip


@pytest.mark.parametrize("syntax", ["dicom", "rle", "deflated", "jpegls", "jpeg2000"])
def test_slices_that_claim_sixty_thousand_squared(fuzz, tmp_path, syntax):
    files = fuzz.dicom_series(syntax)
    if syntax == "deflated":
        start = 144 + int.from_bytes(files[0][140:144], "little")
        inner = damaged([zlib.decompress(data[start:], -15) for data in files], (0x28, 0x10), 60000)
        inner = damaged(inner, (0x28, 0x11), 60000)
        packers = [zlib.compressobj(9, zlib.DEFLATED, -15) for _ in inner]
        files = [files[0][:start] + p.compress(data) + p.flush() for p, data in zip(packers, inner, strict=True)]
    else:
        files = damaged(damaged(files, (0x28, 0x10), 60000), (0x28, 0x11), 60000)
    case = series(tmp_path / "a", files)
    assert not case.analysable
    assert "damaged" in case.reason or "cut short" in case.reason
    with pytest.raises(SeriesError):
        read_volume(case.source, CRITERIA)


@pytest.mark.parametrize(
    ("syntax", "wound", "by"),
    [
        ("jpegls", b"\xff\xf7\x00\x0b\x10", b"\xff\xf7\x00\x0b\xf3"),
        ("jpegls", b"\x00\x08\x00\x09\x01", b"\x7f\xff\x00\x09\x01"),
        ("jpeg", b"\x00\x08\x00\x09\x01", b"\x00\x08\x00\x09\x09"),
        ("jpeg", b"\x11\x00\xff\xc4", b"\x11\x5c\x00\xff\xc4"),
        ("jpeg", b"\x11\x00\xff\xc4", b"\x11\x00\xff\xd1"),
    ],
)
def test_compressed_frames_that_lie_never_reach_the_decoder(fuzz, tmp_path, syntax, wound, by):
    """GDCM crashed the process over the first and the last two."""
    files = fuzz.dicom_series(syntax)
    assert wound in files[1]
    case = series(tmp_path / "a", [files[0], files[1].replace(wound, by), files[2]])
    with pytest.raises(SeriesError, match="compressed image"):
        read_volume(case.source, CRITERIA)


@pytest.mark.parametrize("syntax", ["dicom", "jpeg"])
@pytest.mark.parametrize("bit", [14, 16, 45327])
def test_bits_that_do_not_lie_within_a_pixel(fuzz, tmp_path, syntax, bit):
    files = damaged(fuzz.dicom_series(syntax), (0x28, 0x102), bit)
    case = series(tmp_path / "a", files)
    with pytest.raises(SeriesError, match=f"up to bit {bit}|bits"):
        read_volume(case.source, CRITERIA)


def test_rle_that_makes_the_decoder_panic(fuzz, tmp_path):
    files = fuzz.dicom_series("rle")
    at = files[1].rindex(struct.pack("<HH", 0xFFFE, 0xE000)) + 8
    for value in range(0, 256, 5):  # every kind of literal and run where the first segment begins
        data = bytearray(files[1])
        data[at + 64] = value
        case = series(tmp_path / f"{value}", [files[0], bytes(data), files[2]])
        with contextlib.suppress(SeriesError):
            read_volume(case.source, CRITERIA)


@pytest.mark.parametrize("undefined", [False, True])
def test_a_quarter_of_a_million_items_are_not_parsed(fuzz, tmp_path, undefined):
    data = fuzz.dicom_series("dicom")[0]
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 250_000
    head = struct.pack("<HH2sHI", 0x40, 0x275, b"SQ", 0, 0xFFFFFFFF if undefined else len(items))
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) if undefined else b""
    pixels = data.index(struct.pack("<HH", 0x7FE0, 0x10))
    (tmp_path / "a").write_bytes(data[:pixels] + head + items + end + data[pixels:])
    (ignored,) = take_inventory([tmp_path], CRITERIA).ignored
    assert "items" in ignored.reason


def test_a_deflated_bomb_is_not_unpacked(fuzz, tmp_path, monkeypatch):
    monkeypatch.setattr(bombs, "LARGEST_BYTES", 1 << 22)
    data = fuzz.dicom_series("deflated")[0]
    start = 144 + int.from_bytes(data[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = data[:start] + packer.compress(zlib.decompress(data[start:], -15) + bytes(1 << 24)) + packer.flush()
    (tmp_path / "a").write_bytes(bomb)
    (ignored,) = take_inventory([tmp_path], CRITERIA).ignored
    assert "Deflated" in ignored.reason


@pytest.mark.parametrize("shape", [(30000, 30000, 30000), (32767, 32767, 2)])
def test_nifti_that_claims_more_than_it_holds(tmp_path, shape):
    path = tmp_path / "a.nii.gz"
    write_nifti(path, Grid((4, 4, 4), np.eye(4)), np.zeros((4, 4, 4), np.int16))
    data = bytearray(gzip.decompress(path.read_bytes()))
    data[42:48] = struct.pack("<3h", *shape)
    path.write_bytes(gzip.compress(bytes(data)))
    for read in (read_grid, read_image) if np.prod(shape, dtype=float) > 2**31 else (read_image,):
        with pytest.raises(InputError):
            read(path)


@pytest.mark.parametrize(
    "change",
    [
        ("kinds: domain", "kinds: d" + "9" * 400),
        ("space origin: (0,0,0)", "space origin: (" + "[" * 300),
        ("sizes: 4 4 4", "sizes: 60000 60000 60000"),
        ("sizes: 4 4 4", "sizes: 4 4 -4"),
        ("encoding: raw", "encoding: raw\ndata file: /dev/zero"),
        ("encoding: raw", "encoding: raw\ndata file: ../elsewhere.raw"),
        ("dimension: 3", "dimension: 3\ndimension: 4"),
    ],
)
def test_nrrd_headers_over_which_itk_crashes_or_looks_elsewhere(tmp_path, change):
    (tmp_path / "a.nrrd").write_bytes(NRRD.encode() + bytes(128))
    assert read_image(tmp_path / "a.nrrd")[1].shape == (4, 4, 4)
    (tmp_path / "b.nrrd").write_bytes(NRRD.replace(*change).encode() + bytes(128))
    for read in (read_grid, read_image):
        with pytest.raises(InputError):
            read(tmp_path / "b.nrrd")


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 3000, "a = " + "9" * 5000, '"²" = "L1"', '"' + "1" * 5000 + '" = "L1"']
)
def test_texts_nested_without_end_or_with_endless_numbers(tmp_path, text):
    from leakseg.config import load_config
    from leakseg.evaluate.folders import read_cohort
    from leakseg.phantom.recipe import read_recipe
    from leakseg.providers.schemes import read_labels_file
    from leakseg.studies.amend.edits import read_edits

    path = tmp_path / "a.toml"
    path.write_text(text, encoding="utf-8")
    for read in (load_config, read_labels_file, read_edits, read_recipe):
        with pytest.raises(ConfigError):
            read(path)
    (tmp_path / "truth.json").write_text(text.removeprefix("a = "), encoding="utf-8")
    assert len(read_cohort(tmp_path, "truth").problems) == 1


def test_a_scan_folder_full_of_traps(fuzz, tmp_path, monkeypatch):
    """Pipes, sockets, devices, circles, and names that no one would type: passed over or told, the case done."""
    folder = tmp_path / "scans"
    odd = folder / ("n\new\nline 🦴 " + "x" * 200)
    odd.mkdir(parents=True)
    for number, data in enumerate(fuzz.dicom_series("dicom")):
        (odd / (f"{number}" + "é" * 120)).write_bytes(data)
    os.mkfifo(folder / "pipe.dcm")
    (folder / "circle").symlink_to(folder)
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "gone").symlink_to(folder / "nothing")
    (folder / "...").mkdir()
    (folder / "..." / "note.txt").write_text("no scan", encoding="utf-8")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.nii")
        inventory = take_inventory([folder], CRITERIA)
    (case,) = inventory.cases()
    assert read_volume(case.source, CRITERIA).volume.grid.shape == fuzz.SHAPE
    assert "/" not in case.source.case_id
    assert case.source.case_id.isprintable()
    assert len(os.fsencode(case.source.case_id)) <= 255
    told = {one.path.name: one.reason for one in inventory.ignored}
    assert {"pipe.dcm", "zero", "gone", "socket.nii", "circle", "note.txt"} <= told.keys()
    assert all("device or a pipe" in told[name] for name in ("pipe.dcm", "zero", "socket.nii"))


def test_a_folder_that_changes_while_it_is_read(fuzz, tmp_path):
    case = series(tmp_path / "a", fuzz.dicom_series("dicom"))
    case.source.files[1].unlink()
    with pytest.raises(SeriesError, match="no longer"):
        read_volume(case.source, CRITERIA)
    case = series(tmp_path / "b", fuzz.dicom_series("dicom"))
    whole = case.source.files[1].read_bytes()
    case.source.files[1].write_bytes(whole[: len(whole) - 40])
    with pytest.raises(SeriesError, match="cut short"):
        read_volume(case.source, CRITERIA)
