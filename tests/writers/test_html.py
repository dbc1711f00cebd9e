"""Pages as text: nothing unescaped, nothing fetched, not too large, every case in its place."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.findings import (
    CaseFindings,
    CaseReport,
    CaseResult,
    CementReport,
    Leak,
    LeakType,
    LevelReport,
    MasksReport,
    PatientPattern,
    Provenance,
    QualityNote,
    SeriesReport,
    Side,
)
from leakseg.geometry import Grid
from leakseg.volume import LabelMap, Volume
from leakseg.writers import html
from leakseg.writers.csv_tables import TableCase
from leakseg.writers.json_report import report_json

HOSTILE = "<script>alert(1)</script>\"'><img src=http://x.example>"
MAX_BYTES = 6_000_000


def a_leak(number, kind=LeakType.EPIDURAL, canal=0.1, **changes):
    leak = Leak(
        number, kind, None, None, VertebraLevel.L1, "L1", None, Side.LEFT, 50.0, (0.0, 0.0, 0.0), 1, (5.0, 5.0, 5.0),
        1500.0, canal, None, None, 0.0, 0.9,
    )  # fmt: skip
    return replace(leak, **changes)


def a_report(leaks=(), **changes):
    report = CaseReport(
        case_id="case-1",
        needs_review=False,
        series=SeriesReport("CT", 120.0, "B31s", (1.0, 1.0, 1.0), 100, None, None, None),
        masks=MasksReport("precomputed", "1", None, "mask"),
        levels=(LevelReport(VertebraLevel.L1, "whole", True, 900.0, None, None, None, None),),
        cement=CementReport(1000.0, 900.0, sum(leak.volume_mm3 for leak in leaks), 800.0, "half maximum", 0.0, 0.0),
        leaks=tuple(leaks),
        patient_pattern=PatientPattern((), False, False, False),
        surgical_note=None,
        quality=(),
        criteria={"min_confidence": 0.7},
        provenance=Provenance("0", "rules", "", ""),
    )
    return replace(report, **changes)


def a_result(report, shape=(40, 48, 44)):
    affine = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], float)
    grid = Grid(shape, affine)
    hu = np.random.default_rng(1).normal(100, 400, shape).astype(np.int16)
    vertebrae = np.zeros(shape, np.uint8)
    vertebrae[5:-5, 10:-10, 10:-10] = VertebraLevel.L1.number
    cement, found = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    cement[18:22, 20:24, 20:24] = 1
    for leak in report.leaks:
        at = 3 + 4 * (leak.id % 8), 4 + 4 * (leak.id // 8)
        found[15:18, at[0] : at[0] + 3, at[1] : at[1] + 3] = leak.id
    cement[found > 0] = 2
    findings = CaseFindings(
        report.masks, report.levels, report.cement, report.leaks, report.patient_pattern, (), False,
        LabelMap(grid, cement), LabelMap(grid, found),
    )  # fmt: skip
    return CaseResult(report, Volume(grid, hu), SpineMasks(grid, vertebrae), findings)


class Tags(HTMLParser):
    """Every tag with its attributes, and the text outside scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._quiet = [], "", False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._quiet = tag in {"script", "style"}

    def handle_endtag(self, tag):
        self._quiet = False

    def handle_data(self, data):
        self.text += "" if self._quiet else data


def test_whatever_a_report_says_is_text_and_nothing_else(tmp_path):
    notes = (QualityNote(HOSTILE, "warning", HOSTILE), QualityNote("x", "info", HOSTILE))
    report = a_report([a_leak(1)], quality=notes, series=replace(a_report().series, kernel=HOSTILE))
    (page, _) = html.write(a_result(report), tmp_path)
    case = TableCase("case-1", "done", None, None, None, 1.0, json.loads(report_json(report)))
    refused = TableCase(HOSTILE, "refused", HOSTILE, None, None, 0.0, None)
    (index,) = html.write_index([case, refused], tmp_path)
    for path in (page, index):
        told = Tags(path.read_text(encoding="utf-8"))
        assert HOSTILE in told.text or path == index
        assert not [attrs for _, attrs in told.tags if "x.example" in str(attrs.get("src"))]
        assert sum(tag == "script" for tag, _ in told.tags) == (5 if path == page else 2)
    assert HOSTILE in Tags(index.read_text(encoding="utf-8")).text


def test_a_page_names_nothing_outside_itself(tmp_path):
    (page, thumbnail) = html.write(a_result(a_report([a_leak(1)])), tmp_path)
    tags = Tags(page.read_text(encoding="utf-8")).tags
    policy = next(attrs["content"] for tag, attrs in tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert "unsafe-eval" not in policy
    addresses = [attrs[key] for _, attrs in tags for key in ("src", "href") if attrs.get(key)]
    assert {address.partition(":")[0] for address in addresses if ":" in address} == {"data"}
    assert {address for address in addresses if ":" not in address} == {"#main", "../index.html"}
    assert thumbnail.stat().st_size < 30_000


@pytest.mark.slow
def test_a_page_stays_small_however_large_the_scan_and_many_the_leaks(tmp_path):
    report = a_report([a_leak(number) for number in range(1, 41)])
    (page, _) = html.write(a_result(report, (200, 160, 170)), tmp_path)
    assert page.stat().st_size <= MAX_BYTES
    text = page.read_text(encoding="utf-8")
    assert text.count('src="data:image/jpeg') == 42
    assert len(json.loads(re.search(r'id="scene">(.*?)</script>', text, re.DOTALL)[1])["leaks"]) == 40


def test_the_same_result_gives_the_same_page(tmp_path):
    pages = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        pages.append([path.read_bytes() for path in html.write(a_result(a_report([a_leak(1)])), tmp_path / name)])
    assert pages[0] == pages[1]


def test_doubts_stand_before_the_findings(tmp_path):
    sure = a_report([a_leak(1)])
    doubted = a_report([a_leak(1, confidence=0.55)], needs_review=True)
    (page, _) = html.write(a_result(sure), tmp_path)
    assert "Needs review" not in page.read_text(encoding="utf-8")
    (page, _) = html.write(a_result(doubted), tmp_path)
    text = page.read_text(encoding="utf-8")
    assert text.index("confidence in the type is 55 %, under 70 %") < text.index("<main")


def test_a_case_without_cement_has_a_page(tmp_path):
    cement = CementReport(0.0, 0.0, 0.0, None, "no cement", 0.0, 0.0)
    (page, _) = html.write(a_result(a_report(cement=cement)), tmp_path)
    assert "<h1>No cement found</h1>" in page.read_text(encoding="utf-8")


def test_an_index_of_a_thousand_cases_is_small_and_has_the_worst_first(tmp_path):
    cases = []
    for number in range(1000):
        canal = number / 2000
        leaks = [a_leak(1, canal=canal)] if number % 2 else [a_leak(1, LeakType.VENOUS, None)] if number % 4 else []
        report = a_report(leaks, case_id=f"case-{number:04}")
        cases.append(TableCase(report.case_id, "done", None, None, None, 1.0, json.loads(report_json(report))))
    cases.append(TableCase("bad", "failed", "A fault in leakseg itself.", None, None, 0.0, None))
    (index,) = html.write_index(cases, tmp_path)
    text = index.read_text(encoding="utf-8")
    assert len(text) < 2_000_000
    order = re.findall(r'data-case="(case-\d+)"', text)
    assert order[:3] == ["case-0999", "case-0997", "case-0995"]
    assert len(order) == 1000
    leakless = {f"case-{number:04}" for number in range(0, 1000, 4)}
    assert set(order[-250:]) == leakless
    assert "A fault in leakseg itself." in Tags(text).text
