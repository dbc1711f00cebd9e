"""Joining the parts of a run: amended cases keep what a reader did, and no shard may be missing."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from leakseg.batch.merge import merge
from leakseg.errors import ConfigError

REPORT = Path(__file__).parents[1] / "sample_dicom" / "expected" / "scans-three-leaks" / "report.json"
CASE = {"status": "done", "reason": None, "seconds": 1.0, "input_digest": "sha256:a",
        "study_instance_uid": "1.2", "series_instance_uid": "1.3"}  # fmt: skip


@pytest.fixture
def part(tmp_path):
    """Makes the OUT of one shard, with one finished case (none where it had none)."""
    if not REPORT.is_file():
        pytest.skip("sample_dicom is not there")

    def made(shard, case_id=None):
        folder = tmp_path / f"part-{shard.replace('/', '-')}"
        folder.mkdir()
        cases = [CASE | {"case_id": case_id}] if case_id else []
        document = {
            "leakseg": "0", "recipe_digest": "sha256:r", "recipe": {"write": ["json", "csv"]}, "shard": shard,
            "started": "2026-01-01", "ended": "2026-01-02", "complete": True, "cases": cases,
            "counts": {"done": len(cases), "refused": 0, "failed": 0, "skipped": 0},
        }  # fmt: skip
        (folder / "run.json").write_text(json.dumps(document), encoding="utf-8")
        if case_id:
            (folder / case_id).mkdir()
            shutil.copy2(REPORT, folder / case_id / "report.json")
        return folder

    return made


def test_an_amended_case_is_joined_with_what_the_reader_did_and_the_first_result(part, tmp_path):
    amended, plain = part("1/2", "case-1"), part("2/2", "case-2")
    report = json.loads((amended / "case-1" / "report.json").read_text(encoding="utf-8"))
    struck = report | {"leaks": report["leaks"][1:]}
    (amended / "case-1" / "original").mkdir()
    (amended / "case-1" / "report.json").rename(amended / "case-1" / "original" / "report.json")
    (amended / "case-1" / "report.json").write_text(json.dumps(struck), encoding="utf-8")
    out = tmp_path / "out"
    merge([amended, plain], out)
    assert json.loads((out / "case-1" / "report.json").read_text(encoding="utf-8")) == struck
    assert json.loads((out / "case-1" / "original" / "report.json").read_text(encoding="utf-8")) == report
    with (out / "summary.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["case_id"]: int(row["leaks"]) for row in csv.DictReader(stream)}
    assert rows == {"case-1": len(report["leaks"]) - 1, "case-2": len(report["leaks"])}


def test_shards_that_are_missing_are_named(part, tmp_path):
    parts = [part("1/5", "case-1"), part("4/5", "case-2")]
    with pytest.raises(ConfigError, match=r"2/5, 3/5, 5/5 are not among the parts"):
        merge(parts, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_shard_without_a_case_is_a_part_all_the_same(part, tmp_path):
    result = merge([part("1/2", "case-1"), part("2/2")], tmp_path / "out")
    assert [one.case_id for one in result.outcomes] == ["case-1"]


def test_shards_of_two_splits_are_not_mixed(part, tmp_path):
    with pytest.raises(ConfigError, match="not among the parts"):
        merge([part("1/2", "case-1"), part("2/3", "case-2")], tmp_path / "out")
