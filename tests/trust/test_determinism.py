"""The same input gives the same bytes, whatever the number of workers and the order in which cases come."""

import csv
import json
import os
from pathlib import Path

import pytest

from leakseg.batch.job import Job, run_job
from leakseg.config import load_config

SAMPLE = Path(__file__).parents[2] / "sample_dicom"
CASES = ("missing-slices", "three-leaks", "treated-no-leak")
TIMES = {"run.json", "ledger.jsonl", ".leakseg.lock", ".inventory.json"}
"""They say when and where, or what the files' times were."""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not SAMPLE.is_dir(), reason="sample_dicom is not there")]


class Order:
    """Notes in which order cases end."""

    def __init__(self):
        self.cases = []

    def found(self, cases):
        pass

    def ended(self, outcome):
        self.cases.append(outcome.case_id)


def run(out, names, workers):
    config = load_config(None, {"masks": (str(SAMPLE / "masks"),), "workers": workers})
    order = Order()
    run_job(Job(scans=tuple(SAMPLE / "scans" / name for name in names), out=out, config=config), order)
    return order.cases


def contents(out):
    """Every file's bytes; of the summary all but the seconds."""
    found = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    rows = list(csv.DictReader(found.pop("summary.csv").decode().splitlines()))
    found["summary.csv"] = json.dumps([row | {"seconds": ""} for row in rows]).encode()
    return {name: data for name, data in found.items() if name not in TIMES}


def test_workers_and_order_change_no_byte(tmp_path, monkeypatch):
    """Once here case after case, once in two processes, from the other end and with another hash seed."""
    first = run(tmp_path / "one", CASES, 0)
    monkeypatch.setitem(os.environ, "PYTHONHASHSEED", "7")
    second = run(tmp_path / "two", CASES[::-1], 2)
    assert sorted(first) == sorted(second) == sorted(CASES)
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert {"three-leaks/leaks.seg.dcm", "three-leaks/report.html", "three-leaks/leak-1.png"} <= one.keys()
    assert {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)} == set()
