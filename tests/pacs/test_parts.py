"""What stands between network and disk: names, the inbox, the outbox, answers of a DICOMweb server."""

from pathlib import Path

import pydicom
import pytest

from leakseg.errors import ConfigError, InputError
from leakseg.pacs.dicomweb import _only_part
from leakseg.pacs.inbox import Inbox
from leakseg.pacs.outbox import Outbox
from leakseg.pacs.peers import Peer, TlsFiles, client_tls, parse_peer, server_tls


@pytest.mark.parametrize(
    "text", ["PACS", "PACS@host", "PACS@host:0", "PACS@host:70000", "@host:104", "A" * 17 + "@host:104", "Ä@host:104"]
)
def test_a_peer_written_wrong_is_told(text):
    with pytest.raises(ConfigError):
        parse_peer(text)


def test_a_peer_by_address():
    assert parse_peer("MY PACS@[2001:db8::7]:104") == Peer("MY PACS", "2001:db8::7", 104)


def test_tls_files_that_cannot_be_used_are_told(tmp_path):
    (tmp_path / "no.pem").write_text("nothing", encoding="ascii")
    with pytest.raises(ConfigError, match="--tls-key"):
        server_tls(TlsFiles(authority=tmp_path / "no.pem"))
    with pytest.raises(ConfigError, match="PEM"):
        client_tls(TlsFiles(authority=tmp_path / "no.pem"))
    assert server_tls(TlsFiles()) is client_tls(TlsFiles()) is None


def test_the_inbox_knows_what_is_new_and_what_is_done(tmp_path):
    inbox = Inbox(tmp_path / "inbox")
    study, new = inbox.keep(b"first", study_uid="1.2.3", instance_uid="1.2.3.1")
    assert new
    assert not inbox.keep(b"first", study_uid="1.2.3", instance_uid="1.2.3.1")[1]
    assert inbox.keep(b"other", study_uid="1.2.3", instance_uid="1.2.3.1")[1]
    assert [path.read_bytes() for path in (inbox.folder / study).iterdir()] == [b"other"]
    assert inbox.done_since(study) is None
    inbox.set_done(study, inbox.state(study))
    again = Inbox(tmp_path / "inbox")
    assert again.is_done(study)
    assert again.done_since(study) < 60
    again.keep(b"late", study_uid="1.2.3", instance_uid="1.2.3.2")
    assert not again.is_done(study)
    assert not again.remove(study)
    again.set_done(study, again.state(study))
    assert again.remove(study)
    assert not list(again.studies())
    assert not list(again.folder.iterdir())


def test_uids_never_name_a_file(tmp_path):
    inbox = Inbox(tmp_path / "inbox")
    inbox.keep(b"x", study_uid="../../planted", instance_uid="/etc/planted")
    assert [path for path in tmp_path.rglob("*") if "planted" in str(path)] == []
    assert all(inbox.folder in path.parents or path == inbox.folder for path in tmp_path.rglob("*"))


def minimal(path, sop_class, uid):
    dataset = pydicom.Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, uid
    dataset.StudyInstanceUID, dataset.Manufacturer = "1.2.3", "leakseg"
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)


def test_what_the_peer_does_not_take_stays_in_the_outbox(idle, tmp_path):
    """The peer is a listener of leakseg: it takes a SEG, and no SR."""
    case = tmp_path / "study-0"
    case.mkdir()
    minimal(case / "leaks.seg.dcm", pydicom.uid.SegmentationStorage, "1.2.3.1")
    minimal(case / "report.sr.dcm", pydicom.uid.Comprehensive3DSRStorage, "1.2.3.2")
    outbox = Outbox(tmp_path / "outbox", "STORESCU", Peer("LEAKSEG", "127.0.0.1", idle.port), TlsFiles())
    outbox.add(case)
    assert outbox.holds("study-0")
    assert outbox.send_due() == 1
    (entry,) = outbox.waiting()
    assert [path.name for path in entry.iterdir()] == ["report.sr.dcm"]
    assert outbox.send_due() == 0
    stranger = Outbox(tmp_path / "outbox", "STRANGER", Peer("LEAKSEG", "127.0.0.1", idle.port), TlsFiles())
    assert stranger.send_due() == 0
    assert stranger.holds("study-0")


def test_a_case_without_results_leaves_nothing_in_the_outbox(tmp_path):
    outbox = Outbox(tmp_path / "outbox", "LEAKSEG", Peer("PACS", "127.0.0.1", 9), TlsFiles())
    (tmp_path / "case").mkdir()
    outbox.add(tmp_path / "case")
    assert outbox.waiting() == []


def test_a_multipart_answer_gives_its_part_or_is_told():
    body = b"\r\n--b1\r\nContent-Type: application/dicom\r\n\r\nDATA\r\n\r\nMORE\r\n--b1--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary='
    assert _only_part(body, f"{kind}b1") == _only_part(body, f'{kind}"b1"') == b"DATA\r\n\r\nMORE"
    with pytest.raises(InputError, match="broke off"):
        _only_part(body[:50], f"{kind}b1")
    with pytest.raises(InputError, match="multipart"):
        _only_part(body, "text/html")


def test_the_folder_of_a_listener_holds_no_scans(idle):
    from leakseg.criteria import ReadingCriteria
    from leakseg.readers import take_inventory

    assert (Path(idle.out) / "inbox").is_dir()
    assert take_inventory([idle.out], ReadingCriteria()).cases() == ()
