"""Whatever a header, a name, a reader or a truth file says is text on every page, and never markup or a script."""

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pydicom
import pytest

from leakseg.cli import run_command

SAMPLE = Path(__file__).parents[2] / "sample_dicom"
HOSTILE = "</script></style><xss onxss=1>\"'><xss><!--"
KEYWORDS = ("SeriesDescription", "StudyDescription", "ProtocolName", "Manufacturer", "ConvolutionKernel")
FOLDER = "<xss onxss=1>\"'><xss>"
"""The same as far as a name can hold it; it stands in the name of the case."""
READER = "<xss>\"'"

pytestmark = pytest.mark.skipif(not SAMPLE.is_dir(), reason="sample_dicom is not there")


class Page(HTMLParser):
    """Names of tags and attributes as a browser sees them, where addresses lead, and the texts."""

    def __init__(self, path):
        super().__init__()
        self.names, self.addresses, self.texts = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.names |= {tag, *(name for name, _ in attrs)}
        self.addresses += [value for name, value in attrs if name in {"src", "href"} and value]
        self.texts += [value for _, value in attrs if value]

    def handle_data(self, data):
        self.texts.append(data)


def plant(name, target):
    shutil.copytree(SAMPLE / "scans" / name, target)
    for path in target.glob("*.dcm"):
        header = pydicom.dcmread(path)
        with pydicom.config.disable_value_validation():
            for keyword in KEYWORDS:
                setattr(header, keyword, HOSTILE)
            header.save_as(path)


def assert_harmless(path):
    page = Page(path)
    assert not {name for name in page.names if "xss" in name}, path.name
    assert [one for one in page.addresses if one.lower().startswith(("http", "javascript", "//"))] == [], path.name
    return "".join(page.texts)


def test_pages_of_a_run_and_of_a_reader_show_it_as_text(tmp_path):
    scans, out = tmp_path / "scans", tmp_path / "out"
    plant("three-leaks", scans / f"{FOLDER}1")
    plant("missing-slices", scans / f"{FOLDER}2")
    masks = tmp_path / FOLDER
    shutil.copytree(SAMPLE / "masks" / "three-leaks", masks)
    choices = ["--masks", str(masks), "--write", "json,csv,html,png", "--workers", "0"]
    assert run_command(["run", str(scans), "-o", str(out), *choices]) == 1
    (case,) = (path.parent for path in out.glob("*/report.json"))
    edits = tmp_path / "edits.toml"
    said = json.dumps(HOSTILE)
    lines = [
        f"reader = {json.dumps(READER)}",
        f"comment = {said}",
        "[leaks.1]",
        'strike = "in bone"',
        f"comment = {said}",
    ]
    edits.write_text("\n".join(lines) + "\n", encoding="utf-8")
    before = assert_harmless(case / "report.html")
    assert run_command(["amend", str(case), "--edits", str(edits)]) == 0
    after = assert_harmless(case / "report.html")
    assert HOSTILE in after, "what the reader says is shown as it was written"
    assert READER in after
    assert "xss" in before, "the scanner's words are shown"
    assert_harmless(out / "index.html")


def test_pages_of_an_evaluation_show_it_as_text(tmp_path):
    truth, results = tmp_path / "truth", tmp_path / "results"
    told = {truth: "truth/three-leaks/truth.json", results: "expected/scans-three-leaks/report.json"}
    for folder, name in told.items():
        (folder / "a").mkdir(parents=True)
        document = json.loads((SAMPLE / name).read_text(encoding="utf-8"))
        document |= {"case_id": FOLDER, "group": HOSTILE, "strata": {HOSTILE: HOSTILE}}
        (folder / "a" / Path(name).name).write_text(json.dumps(document), encoding="utf-8")
    code = run_command(["evaluate", str(results), str(truth), "-o", str(tmp_path / "scores")])
    assert code in {0, 1}
    assert "xss" in assert_harmless(tmp_path / "scores" / "evaluation.html")
