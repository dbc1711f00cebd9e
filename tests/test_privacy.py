"""No patient's name, number or date in anything a run leaves or says, whatever the files and folders are called.

DICOM SEG and SR are the exception: they go back to the patient's own study.
"""

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

SAMPLE = Path(__file__).parents[1] / "sample_dicom"
PLANTED = {
    "PatientName": "Planted^Marker",
    "PatientID": "PLANTED471109362258",
    "PatientBirthDate": "19330401",
    "AccessionNumber": "PLANTED081527440",
    "OtherPatientNames": "Planted^Other",
    "PatientAddress": "Planted Street 5",
    "ReferringPhysicianName": "Planted^Doctor",
    "InstitutionName": "Planted Hospital",
    "PatientComments": "planted comment",
    "StudyDescription": "Spine of Planted Marker",
    "SeriesDescription": "planted series",
}
DICOM_RESULTS = {"leaks.seg.dcm", "report.sr.dcm"}
# Eight digits and more: a short number stands in digests and seconds by chance.
MARKS = (b"planted", b"19330401", b"471109362258", b"081527440", b"marker")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SAMPLE.is_dir(), reason="sample_dicom is not there"),
]


def plant(source, target):
    """The sample's slices with marked values in every place that names a patient."""
    target.mkdir(parents=True)
    for path in sorted(source.glob("*.dcm")):
        header = pydicom.dcmread(path)
        for keyword in ("PatientIdentityRemoved", "DeidentificationMethod"):
            if keyword in header:
                delattr(header, keyword)
        for keyword, value in PLANTED.items():
            setattr(header, keyword, value)
        header.save_as(target / path.name)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    """Two studies in folders named after the patient, masks likewise; the second lacks slices."""
    folder = tmp_path_factory.mktemp("hospital")
    plant(SAMPLE / "scans" / "three-leaks", folder / "scans" / "Planted_Marker_PLANTED471109362258" / "CT")
    plant(SAMPLE / "scans" / "missing-slices", folder / "scans" / "Marker, Planted 19330401")
    shutil.copytree(SAMPLE / "masks" / "three-leaks", folder / "masks of Planted Marker")
    return folder


@pytest.fixture(scope="module")
def ran(hospital):
    """What the run said, with logs of every level, and its results folder; `-B`: compiled modules are no results."""
    out = hospital / "out"
    scans, masks = hospital / "scans", hospital / "masks of Planted Marker"
    watched = [sys.executable, "-B", Path(__file__).with_name("watched.py"), hospital / "exposed.json"]
    arguments = ["run", scans, "-o", out, "--masks", masks, "--workers", "0"]
    done = subprocess.run([*watched, *arguments], capture_output=True, check=False, timeout=200)
    assert done.returncode == 1, done.stderr
    return done, out


def amended(out, hospital):
    """A reader's corrections, from a file named after the patient; what the command says."""
    (case,) = (path.parent for path in out.glob("*/report.json"))
    edits = hospital / "edits of Planted Marker.toml"
    edits.write_text('reader = "A. Reader"\n[leaks.1]\nstrike = "in bone"\n', encoding="utf-8")
    arguments = [sys.executable, "-m", "leakseg", "amend", case, "--edits", edits]
    done = subprocess.run(arguments, capture_output=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_what_is_not_finished_is_open_to_the_user_alone(ran, hospital):
    """Of what others may read while it is written, nothing is of one patient alone."""
    exposed = {Path(name) for name in json.loads((hospital / "exposed.json").read_text(encoding="utf-8"))}
    whole = {f".{name}.tmp" for name in ("run.json", "leaks.csv", "summary.csv", "index.html")}
    assert {path.parent for path in exposed} == {ran[1]}
    assert {path.name for path in exposed} == whole | {"ledger.jsonl", ".leakseg.lock"}
    assert not list(ran[1].glob(".tmp*"))


def test_nothing_of_the_patient_leaves_the_scans(ran, hospital):
    done, out = ran
    left = {"stdout": done.stdout, "stderr": done.stderr, "amend": amended(out, hospital)}
    for path in out.rglob("*"):
        name = str(path.relative_to(out))
        data = path.read_bytes() if path.is_file() else b""
        left[name] = name.encode() + (gzip.decompress(data) if name.endswith(".gz") else data)
    assert any(name.endswith("report.json") for name in left)
    results = {name: left.pop(name) for name in list(left) if Path(name).name in DICOM_RESULTS}
    assert {Path(name).name for name in results} == DICOM_RESULTS
    assert len(results) == 4, "as the program found it, and as the reader amended it"
    assert all(b"Planted^Marker" in data and b"PLANTED471109362258" in data for data in results.values())
    assert not any(mark in name.lower().encode() for mark in MARKS for name in results)
    found = {(name, mark) for name, data in left.items() for mark in MARKS if mark in data.lower()}
    assert not found
