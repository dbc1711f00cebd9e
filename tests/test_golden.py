"""The reports of sample_dicom/expected are what a run of sample_dicom gives, within the tolerances stated here.

After a change that is meant to change results, look at what this test says, then write them anew::

    python -m pytest tests/test_golden.py --update-golden
"""

import csv
import json
import shutil
from pathlib import Path

import pytest

from leakseg.cli import run_command

SAMPLE = Path(__file__).parents[1] / "sample_dicom"
EXPECTED = SAMPLE / "expected"
FILES = ("summary.csv", "leaks.csv", "scans-three-leaks/report.json", "scans-treated-no-leak/report.json")
LEFT_OUT = {"provenance", "version", "seconds"}
"""What made the report and how long it took."""
EXACT = {"series", "criteria"}
"""Numbers that are not measured."""
TOLERANCES = {
    "_mm3": {"rel": 0.02, "abs": 0.5},
    "_mm": {"abs": 0.3},
    "_fraction": {"abs": 0.01},
    "_hu": {"abs": 5.0},
    "_deg": {"abs": 1.0},
    "_1": {"rel": 0.02, "abs": 0.01},
    "confidence": {"abs": 0.02},
}
"""By the end of a number's name; a criterion's measured value goes by its unit. Any other number must be the same."""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    out = tmp_path_factory.mktemp("golden") / "results"
    assert run_command(["run", str(SAMPLE), "-o", str(out), "--workers", "0"]) == 1, "one study must be refused"
    return out


@pytest.mark.parametrize("name", FILES)
def test_a_run_gives_the_expected(results, name, request):
    unlike = list(differences(read(EXPECTED / name), read(results / name)))
    if unlike and request.config.getoption("--update-golden"):
        (EXPECTED / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(results / name, EXPECTED / name)
        return
    assert not unlike, "\n".join(unlike)


def test_nothing_else_is_expected():
    assert sorted(str(path.relative_to(EXPECTED)) for path in EXPECTED.rglob("*") if path.is_file()) == sorted(FILES)


@pytest.mark.parametrize(
    ("old", "new", "alike"),
    [
        ({"volume_mm3": 100.0}, {"volume_mm3": 101.9}, True),
        ({"volume_mm3": 100.0}, {"volume_mm3": 102.1}, False),
        ({"centroid_mm": [1.0, 2.0]}, {"centroid_mm": [1.0, 2.31]}, False),
        ({"centroid_mm": [1.0, 2.0]}, {"centroid_mm": [1.0, 2.0, 3.0]}, False),
        ({"fill_fraction": 0.2}, {"fill_fraction": None}, False),
        ({"id": 1}, {"id": True}, False),
        ({"id": 1}, {}, False),
        ({"side": "left"}, {"side": "right"}, False),
        ({"measured": 9.0, "unit": "deg"}, {"measured": 9.9, "unit": "deg"}, True),
        ({"criteria": {"contact_mm": 4.5}}, {"criteria": {"contact_mm": 4.6}}, False),
        ({"provenance": {"leakseg": "0.1.0"}}, {"provenance": {"leakseg": "0.2.0"}}, True),
    ],
)
def test_the_comparison_itself(old, new, alike):
    assert (not list(differences(old, new))) is alike


def read(path):
    """A report, or a table's rows with numbers as numbers; None where there is no file."""
    if not path.is_file():
        return None
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8"))
    with path.open(encoding="utf-8", newline="") as stream:
        return [{name: number(text) for name, text in row.items()} for row in csv.DictReader(stream)]


def number(text):
    try:
        return float(text)
    except ValueError:
        return text


def differences(old, new, name="", place=""):
    """One line for each value that is not as expected."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new} - LEFT_OUT):
            if key not in old or key not in new:
                yield f"{place}/{key}: {'not expected' if key in new else 'missing'}"
                continue
            named = f"_{old.get('unit')}".lower() if key == "measured" else key
            named = "exact" if key in EXACT or name == "exact" else named
            yield from differences(old[key], new[key], named, f"{place}/{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for position, pair in enumerate(zip(old, new, strict=True)):
            yield from differences(*pair, name, f"{place}/{position}")
    elif type(old) is not type(new) or old != within(new, name):
        yield f"{place}: expected {old!r}, found {new!r}"


def within(value, name):
    """What equals the value within its tolerance; the value itself where it has none."""
    ends = [end for end in TOLERANCES if name.endswith(end)]
    return pytest.approx(value, **TOLERANCES[ends[0]]) if ends and isinstance(value, float) else value
