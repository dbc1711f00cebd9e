"""A study goes from a real PACS to leakseg, its results come back to it, and nothing accepted is ever lost."""

import io
import json
import os
import shutil
import signal
import subprocess
import threading
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


def storescu(port, *files, title="LEAKSEG", caller="STORESCU", options=()):
    program = shutil.which("storescu")
    if program is None:
        pytest.skip("storescu (dcmtk) is not installed")
    arguments = [program, *options, "-aet", caller, "-aec", title, "127.0.0.1", str(port), *map(str, files)]
    return subprocess.run(arguments, capture_output=True, check=False, timeout=120)


def echoscu(port, *, title="LEAKSEG", caller="STORESCU", options=()):
    program = shutil.which("echoscu")
    if program is None:
        pytest.skip("echoscu (dcmtk) is not installed")
    arguments = [program, *options, "-aet", caller, "-aec", title, "127.0.0.1", str(port)]
    return subprocess.run(arguments, capture_output=True, check=False, timeout=60)


def dciodvfy(path):
    if shutil.which("dciodvfy") is None:
        return []
    done = subprocess.run(["dciodvfy", path], capture_output=True, check=False, timeout=100)
    lines = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    assert {"SCImage", "Segmentation", "Comprehensive3DSR"} & set(lines)
    return [line for line in lines if line.startswith(("Error", "Abort"))]


def test_a_study_goes_there_and_its_results_come_back(pacs, listening, until, recipe, tmp_path):
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


def test_results_wait_for_a_pacs_that_is_down_and_tables_keep_earlier_studies(pacs, listening, until, recipe, tmp_path):
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
    assert storescu(listener.port, *sorted(OTHER.glob("*.dcm"))).returncode == 0
    until(lambda: len(list(out.glob("*/report.json"))) == 2)
    assert len(pacs.instances(study_uid(SCAN), "SEG")) == 1
    until(lambda: len((out / "summary.csv").read_text(encoding="utf-8").splitlines()) == 3)
    assert listener.stop()[0] == 0
    listening(out, "--pipeline", recipe, "--keep-received", "0").wait("received images removed")


def test_a_listener_killed_amid_receipt_loses_no_accepted_instance(listening, until, tmp_path):
    from pydicom.uid import CTImageStorage
    from pynetdicom import AE

    out = tmp_path / "out"
    listener = listening(out, quiet=600)
    files = sorted(SCAN.glob("*.dcm"))
    accepted = []

    def send():
        ae = AE(ae_title="STORESCU")
        ae.add_requested_context(CTImageStorage)
        association = ae.associate("127.0.0.1", listener.port, ae_title="LEAKSEG")
        for path in files:
            dataset = pydicom.dcmread(path)
            try:
                status = association.send_c_store(dataset)
            except RuntimeError:
                return
            if status.get("Status") != 0:
                return
            accepted.append(str(dataset.SOPInstanceUID))

    sender = threading.Thread(target=send)
    sender.start()
    until(lambda: len(accepted) >= 20)
    listener.kill()
    sender.join(60)
    assert 20 <= len(accepted) < len(files)
    (out / "inbox" / ".part-left").write_bytes(b"torn")
    listener = listening(out, quiet=2)
    assert set(accepted) <= received(out)
    assert not list(out.glob("inbox/.part-*"))
    listener.wait("1 studies received before are gone on with")
    assert storescu(listener.port, *files).returncode == 0
    listener.wait(r"study-\w+: (done|refused)")
    assert len(received(out)) == len(files)


def test_a_full_disk_is_told_and_the_listener_goes_on(listening, until, tmp_path):
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
        full = storescu(listener.port, *files, options=["-v"])
        told = (full.stdout + full.stderr).decode()
        assert "0xa700" in told.lower() or "OutOfResources" in told, told
        kept = received(out)
        assert 0 < len(kept) < len(files)
        assert not list(out.glob("inbox/.part-*"))
        assert listener.has_said("cannot be written")
        assert echoscu(listener.port).returncode == 0
        filler.unlink()
        assert storescu(listener.port, *files).returncode == 0
        assert len(received(out)) == len(files)
        assert kept <= received(out)
        assert listener.stop()[0] == 0
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_only_known_callers_and_ct_are_taken(listening, tmp_path):
    listener = listening(tmp_path / "out", quiet=600)
    assert echoscu(listener.port).returncode == 0
    assert echoscu(listener.port, caller="STRANGER").returncode != 0
    assert echoscu(listener.port, title="OTHER").returncode != 0
    assert listener.has_said("Refused the association of 'STRANGER'")
    picture = pydicom.dcmread(next(SCAN.glob("*.dcm")))
    picture.SOPClassUID = picture.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    picture.save_as(tmp_path / "mr.dcm")
    assert storescu(listener.port, tmp_path / "mr.dcm", options=["-R"]).returncode != 0
    assert not received(tmp_path / "out")


def test_compressed_images_stay_as_they_came(listening, tmp_path):
    compressed = tmp_path / "rle.dcm"
    image = pydicom.dcmread(next(SCAN.glob("*.dcm")))
    image.compress(pydicom.uid.RLELossless)
    image.save_as(compressed)
    listener = listening(tmp_path / "out", quiet=600)
    assert storescu(listener.port, compressed, options=["-R", "-xr"]).returncode == 0
    (path,) = (tmp_path / "out").glob("inbox/study-*/*.dcm")
    came = pydicom.dcmread(path)
    assert came.file_meta.TransferSyntaxUID == pydicom.uid.RLELossless
    assert came.PixelData == image.PixelData


def test_tls(listening, tmp_path):
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
    assert echoscu(listener.port, options=known).returncode == 0
    assert echoscu(listener.port, options=["+tla", "-ic"]).returncode != 0
    assert echoscu(listener.port, options=["-to", "3", "-ta", "3"]).returncode != 0
    assert echoscu(listener.port, options=known).returncode == 0


def test_a_listener_without_a_list_of_callers_does_not_start(capfd):
    from leakseg.cli import run_command

    assert run_command(["listen", "-o", "nowhere"]) == 2
    assert "--allow" in capfd.readouterr().err
    assert run_command(["listen", "-o", "nowhere", "--allow", "A TITLE THAT IS TOO LONG"]) == 2
    assert run_command(["listen", "-o", "nowhere", "--allow", "PACS", "--return", "PACS"]) == 2


def test_two_listeners_do_not_share_a_folder(listening, tmp_path):
    listening(tmp_path / "out")
    second = listening(tmp_path / "out")
    code, _ = second.stop()
    assert code == 2
    assert second.has_said("Another listener")


def test_ctrl_c_ends_it_cleanly(listening, tmp_path):
    listener = listening(tmp_path / "out")
    listener._process.send_signal(signal.SIGINT)
    code, printed = listener.stop()
    assert code == 0
    assert json.loads(printed)["received"] == 0
    assert not listener.has_said("Traceback")
