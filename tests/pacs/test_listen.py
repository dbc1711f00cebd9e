"""A study goes from a real PACS to leakseg, its results come back to it, and nothing accepted is ever lost."""

import csv
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pydicom
import pytest

ROOT = Path(__file__).parents[2]
SCANS = ROOT / "sample_dicom" / "scans"
SCAN = SCANS / "three-leaks"
OTHER = SCANS / "treated-no-leak"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SCAN.is_dir(), reason="sample_dicom is not there"),
]


def headers(folder):
    return [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(folder.glob("*.dcm"))]


def study_uid(folder):
    return str(pydicom.dcmread(next(folder.glob("*.dcm")), stop_before_pixels=True).StudyInstanceUID)


def received(out):
    """SOP instance UIDs in the inbox."""
    return {
        str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in out.glob("inbox/study-*/*.dcm")
    }


def dciodvfy(path):
    if shutil.which("dciodvfy") is None:
        return []
    done = subprocess.run(["dciodvfy", path], capture_output=True, check=False, timeout=100)
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    assert {"SCImage", "Segmentation", "Comprehensive3DSR"} & set(lines)
    return [line for line in lines if line.startswith(("Error", "Abort"))]


def test_a_study_goes_there_and_its_results_come_back(pacs, listening, storescu, recipe, tmp_path):
    pacs.upload(SCAN)
    uid = study_uid(SCAN)
    source = headers(SCAN)
    out = tmp_path / "out"
    listener = listening(
        out, "--pipeline", recipe, "--return", f"ORTHANC@127.0.0.1:{pacs.port}", port=pacs.listener_port
    )
    assert pacs.send(uid) == len(source)
    listener.wait(r"objects sent to ORTHANC")
    results = {modality: pacs.instances(uid, modality) for modality in ("SEG", "SR", "OT")}
    assert {modality: len(found) for modality, found in results.items()} == {"SEG": 1, "SR": 1, "OT": 4}
    for number, data in enumerate(data for found in results.values() for data in found.values()):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(data)
        assert not dciodvfy(path)
        result = pydicom.dcmread(path)
        for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "AccessionNumber", "StudyDate"):
            assert result[keyword].value == source[0][keyword].value, keyword
    seg = pydicom.dcmread(io.BytesIO(*results["SEG"].values()))
    assert seg.FrameOfReferenceUID == source[0].FrameOfReferenceUID
    assert {segment.SegmentLabel for segment in seg.SegmentSequence} >= {"L3 epidural left"}
    pictures = [pydicom.dcmread(io.BytesIO(data)) for data in results["OT"].values()]
    assert {picture.SeriesDescription for picture in pictures} == {"leakseg key images"}
    assert len({picture.SeriesInstanceUID for picture in pictures}) == 1
    assert all(picture.pixel_array.std() > 10 for picture in pictures)

    if pacs.has_dicomweb:
        base = f"http://127.0.0.1:{pacs.http}/dicom-web/studies/{uid}"
        with urllib.request.urlopen(f"{base}/series?Modality=SR", timeout=60) as answer:
            (series,) = json.load(answer)
        with urllib.request.urlopen(f"{base}/series/{series['0020000E']['Value'][0]}/metadata", timeout=60) as answer:
            (report,) = json.load(answer)
        assert report["0020000D"]["Value"] == [uid]
        assert report["00080060"]["Value"] == ["SR"]

    (case,) = [path.parent for path in out.glob("*/report.json")]
    assert {"leaks.seg.dcm", "report.sr.dcm", "leak-1.png"} <= {path.name for path in case.iterdir()}
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["counts"]["done"] == 1
    assert not list((out / "outbox").iterdir())
    assert storescu(listener.port, case / "leaks.seg.dcm", options=["-R"]).returncode == 0
    assert listener.has_said("A segmentation by leakseg came back")
    assert len(received(out)) == len(source)
    code, printed = listener.stop()
    assert code == 0
    assert json.loads(printed) == {"received": len(source), "studies": 1, "cases": {"done": 1}, "sent": 6}

    said = "".join(listener.said) + printed
    names = " ".join(str(path.relative_to(out)) for path in out.rglob("*"))
    for value in (str(source[0].PatientName), str(source[0].PatientID)):
        assert value not in said + names
    for path in (out / "inbox", out / "outbox"):
        assert path.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in out.glob("inbox/study-*/*.dcm"))


def test_results_wait_for_a_pacs_that_is_down_and_tables_keep_earlier_studies(
    pacs, listening, until, storescu, recipe, tmp_path
):
    out = tmp_path / "out"
    returns = ("--pipeline", recipe, "--return", f"ORTHANC@127.0.0.1:{pacs.port}")
    pacs.stop()
    try:
        listener = listening(out, *returns)
        assert storescu(listener.port, *sorted(SCAN.glob("*.dcm"))).returncode == 0
        listener.wait("cannot be reached")
        listener.kill()
    finally:
        pacs.start()
    waiting = list(out.glob("outbox/*/*.dcm"))
    assert len(waiting) == 6
    listener = listening(out, *returns, "--keep-received", "0")
    listener.wait("objects sent to ORTHANC")
    assert len(pacs.instances(study_uid(SCAN), "SEG")) == 1
    assert storescu(listener.port, *sorted(OTHER.glob("*.dcm"))[:5]).returncode == 0
    listener.wait("refused")
    with (out / "summary.csv").open(encoding="utf-8", newline="") as stream:
        assert sorted(row["status"] for row in csv.DictReader(stream)) == ["refused", "skipped"]
    until(lambda: not list(out.glob("inbox/study-*")))
    assert listener.has_said("received images removed")
    assert listener.stop()[0] == 0


def test_a_listener_killed_amid_receipt_loses_no_accepted_instance(listening, storescu, recipe, tmp_path):
    out = tmp_path / "out"
    listener = listening(out, quiet=600)
    files = sorted(SCAN.glob("*.dcm"))
    accepted = 0
    with storescu(listener.port, *files, options=["-v"], start=subprocess.Popen) as sender:
        for line in sender.stdout:
            accepted += b"Received Store Response (Success)" in line
            if accepted == 20:
                listener.kill()
                break
        accepted += sender.stdout.read().count(b"Received Store Response (Success)")
    assert 20 <= accepted < len(files)
    (out / "inbox" / ".part-left").write_bytes(b"torn")
    listener = listening(out, "--pipeline", recipe, quiet=2)
    sent = {str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in files[:accepted]}
    assert sent <= received(out)
    assert not list(out.glob("inbox/.part-*"))
    assert listener.has_said("Going on with studies received before: 1")
    assert storescu(listener.port, *files).returncode == 0
    listener.wait(r"study-\w+: done")
    assert len(received(out)) == len(files)


def test_a_full_disk_is_told_and_the_listener_goes_on(listening, storescu, echoscu, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here: no permission")
    try:
        out = disk / "out"
        listener = listening(out, quiet=600)
        filler = disk / "filler"
        filler.write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - 200_000))
        files = sorted(SCAN.glob("*.dcm"))
        told = storescu(listener.port, *files, options=["-v", "-nh"]).stdout.decode()
        assert "Refused: OutOfResources" in told
        kept = received(out)
        assert 0 < len(kept) < len(files)
        assert not list(out.glob("inbox/.part-*"))
        assert listener.has_said("cannot be written")
        assert echoscu(listener.port) == 0
        filler.unlink()
        assert storescu(listener.port, *files).returncode == 0
        assert len(received(out)) == len(files)
        assert kept <= received(out)
        assert listener.stop()[0] == 0
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_only_known_callers_and_ct_are_taken(idle, storescu, echoscu, tmp_path):
    assert echoscu(idle.port) == 0
    assert echoscu(idle.port, caller="STRANGER") != 0
    assert echoscu(idle.port, title="OTHER") != 0
    assert idle.has_said("Refused the association of 'STRANGER'")
    picture = pydicom.dcmread(next(SCAN.glob("*.dcm")))
    picture.SOPClassUID = picture.file_meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
    picture.save_as(tmp_path / "mr.dcm")
    assert b"No presentation context for: (MR)" in storescu(idle.port, tmp_path / "mr.dcm").stdout
    assert str(picture.SOPInstanceUID) not in received(idle.out)


@pytest.mark.parametrize(
    ("syntax", "option"),
    [(pydicom.uid.RLELossless, "-xr"), (pydicom.uid.JPEGLSLossless, "-xt"), (pydicom.uid.JPEG2000Lossless, "-xv")],
)
def test_compressed_images_stay_as_they_came(syntax, option, idle, storescu, tmp_path):
    image = pydicom.dcmread(next(SCAN.glob("*.dcm")))
    image.compress(syntax)
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    image.save_as(tmp_path / "image.dcm")
    assert storescu(idle.port, tmp_path / "image.dcm", options=[option]).returncode == 0
    came = [pydicom.dcmread(path) for path in idle.out.glob("inbox/study-*/*.dcm")]
    (same,) = [one for one in came if one.SOPInstanceUID == image.SOPInstanceUID]
    assert same.file_meta.TransferSyntaxUID == syntax
    assert same.PixelData == image.PixelData


def test_tls_and_ctrl_c(listening, echoscu, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"],
        check=True, capture_output=True,
    )  # fmt: skip
    listener = listening(
        tmp_path / "out", "--tls-cert", certificate, "--tls-key", key, "--tls-ca", certificate, quiet=600
    )
    known = ["+tls", key, certificate, "+cf", certificate]
    assert echoscu(listener.port, options=known) == 0
    assert echoscu(listener.port, options=["+tla", "-ic"]) != 0
    assert echoscu(listener.port, options=["-to", "2", "-ta", "2"]) != 0
    with socket.create_connection(("127.0.0.1", listener.port)):
        assert echoscu(listener.port, options=known) == 0
    listener._process.send_signal(signal.SIGINT)
    code, printed = listener.stop()
    assert code == 0
    assert json.loads(printed)["received"] == 0
    assert not listener.has_said("Traceback")


def test_a_listener_without_a_list_of_callers_does_not_start(capfd):
    from leakseg.cli import run_command

    assert run_command(["listen", "-o", "nowhere"]) == 2
    assert "--allow" in capfd.readouterr().err
    assert run_command(["listen", "-o", "nowhere", "--allow", "A TITLE THAT IS TOO LONG"]) == 2
    assert run_command(["listen", "-o", "nowhere", "--allow", "PACS", "--return", "PACS"]) == 2


def test_two_listeners_do_not_share_a_folder(idle, listening):
    second = listening(idle.out)
    code, _ = second.stop()
    assert code == 2
    assert second.has_said("Another listener")
