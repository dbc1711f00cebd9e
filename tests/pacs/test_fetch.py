"""Studies are fetched from a real PACS by C-MOVE and by DICOMweb: the same bytes, and each study told."""

import json
from pathlib import Path

import pydicom
import pytest

from leakseg.cli import run_command
from leakseg.pacs.fetching import Asked, read_list

ROOT = Path(__file__).parents[2]
SCAN = ROOT / "sample_dicom" / "scans" / "three-leaks"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SCAN.is_dir(), reason="sample_dicom is not there"),
]


@pytest.fixture(scope="module")
def stored(pacs, tmp_path_factory):
    """A study of 20 slices with an accession number, and one of another modality; their UIDs."""
    folder = tmp_path_factory.mktemp("stored")
    ct, mr, series = (pydicom.uid.generate_uid() for _ in range(3))
    for number, path in enumerate(sorted(SCAN.glob("*.dcm"))[:20]):
        image = pydicom.dcmread(path)
        image.StudyInstanceUID, image.AccessionNumber = ct, "A4711"
        image.SeriesInstanceUID = series
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        if number == 0:
            image.compress(pydicom.uid.RLELossless)
        image.save_as(folder / path.name)
    image = pydicom.dcmread(path)
    image.StudyInstanceUID, image.AccessionNumber, image.SeriesInstanceUID = mr, "A0815", mr
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
    image.Modality = "MR"
    image.save_as(folder / "mr.dcm")
    pacs.upload(folder)
    return str(ct), str(mr)


def source(pacs, way):
    if way == "dicomweb":
        if not pacs.has_dicomweb:
            pytest.skip("orthanc-dicomweb (Debian) is not installed")
        return ["--dicomweb", f"http://127.0.0.1:{pacs.http}/dicom-web"]
    return ["--from", f"ORTHANC@127.0.0.1:{pacs.port}", "--port", str(pacs.listener_port)]


@pytest.mark.parametrize("way", ["c-move", "dicomweb"])
def test_the_same_bytes_come_and_each_study_is_told(way, pacs, stored, tmp_path, capfd):
    ct, mr = stored
    out = tmp_path / "scans"
    listed = tmp_path / "list.txt"
    listed.write_text(f"# the second cohort\nA4711\n\n{mr}\n1.2.3.4\nA9999\n", encoding="utf-8")
    code = run_command(["fetch", "--list", str(listed), "-o", str(out), "--json", *source(pacs, way)])
    printed, said = capfd.readouterr()
    assert code == 1, said
    told = json.loads(printed)["studies"]
    assert [(one["item"], one["status"], one["instances"]) for one in told] == [
        (1, "fetched", 20), (2, "refused", 0), (3, "missing", 0), (4, "missing", 0),
    ]  # fmt: skip
    assert told[0]["study_instance_uid"] == ct
    assert "no CT" in told[1]["reason"]
    assert "A4711" not in printed + said + "".join(str(path) for path in out.rglob("*"))

    came = {pydicom.dcmread(path).SOPInstanceUID: path for path in (out / told[0]["folder"]).iterdir()}
    kept = pacs.instances(ct, "CT")
    assert len(came) == len(kept) == 20
    for data in kept.values():
        path = tmp_path / "kept.dcm"
        path.write_bytes(data)
        one = pydicom.dcmread(path)
        other = pydicom.dcmread(came[one.SOPInstanceUID])
        assert other.file_meta.TransferSyntaxUID == one.file_meta.TransferSyntaxUID
        assert other == one
        assert other.PixelData == one.PixelData
    assert [path.name for path in out.iterdir()] == [told[0]["folder"]]

    assert run_command(["fetch", ct, "-o", str(out), "--json", *source(pacs, way)]) == 0
    assert json.loads(capfd.readouterr().out)["studies"][0]["status"] == "present"
    assert run_command(["inspect", str(out), "--json"]) == 0
    (study,) = json.loads(capfd.readouterr().out)["studies"]
    assert study["series"][0]["slices"] == 20


def test_an_archive_that_is_not_there_or_does_not_know_us(pacs, stored, tmp_path, capfd, free):
    nobody = free()
    for where in (["--from", f"PACS@127.0.0.1:{nobody}"], ["--dicomweb", f"http://127.0.0.1:{nobody}/dicom-web"]):
        assert run_command(["fetch", "1.2.3", "-o", str(tmp_path / "x"), "--port", "0", *where]) == 1
        assert "cannot be reached" in capfd.readouterr().err
    stranger = ["--aet", "STRANGER", "--port", "0"]
    assert run_command(["fetch", stored[0], "-o", str(tmp_path / "x"), *stranger, *source(pacs, "c-move")[:2]]) == 1
    assert "is our AE title known there?" in capfd.readouterr().err


def test_a_list_is_read_line_by_line(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("\ufeff1.2.840.99\n# comment\n  A 12 \n1.2.840.99\n", encoding="utf-8")
    asked = read_list(["2024.17"], path)
    assert asked == [Asked(1, "2024.17"), Asked(2, "1.2.840.99"), Asked(3, "A 12")]
    assert [one.is_uid for one in asked] == [False, True, False]


@pytest.mark.parametrize("words", [["A*"], [], ["1.2.3", "--dicomweb", "ftp://x"], ["1.2.3"], ["1", "--from", "PACS"]])
def test_wrong_usage_is_told(words, tmp_path):
    assert run_command(["fetch", *words, "-o", str(tmp_path / "x")]) == 2
