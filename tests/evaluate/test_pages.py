"""What an evaluation leaves on disk and tells on the command line."""

import csv
import json
import re
from html.parser import HTMLParser

import pytest

from leakseg.cli import run_command
from leakseg.evaluate.pages import csv_text, markdown
from leakseg.evaluate.table import Table

BOX = ((2, 7), (2, 7), (2, 7))
FAR = ((20, 25), (20, 25), (20, 25))


@pytest.fixture
def cohort(bench, leak):
    fields = {"volume_mm3": 125.0, "segment": "L1", "side": "left"}
    for case_id in ("a", "b"):
        bench.truth_case(case_id, [leak(1, **fields)], {1: BOX})
    bench.told_case("a", [leak(1, "venous", confidence=0.8, **fields), leak(2, confidence=0.6)], {1: BOX, 2: FAR})
    bench.told_case("b", [leak(1, confidence=0.9, **fields)], {1: BOX})
    return bench


def run(bench, out, *more):
    return run_command(["evaluate", str(bench.results), str(bench.truth), "-o", str(out), *more])


def rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_json_is_the_one_document_on_stdout_and_the_file_too(cohort, tmp_path, capsys):
    assert run(cohort, tmp_path / "out", "--json") == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert "sensitivity" in told.err


def test_misses_and_wrong_names_are_listed_one_by_one(cohort, tmp_path):
    run(cohort, tmp_path / "out")
    (miss,) = rows(tmp_path / "out" / "tables" / "misses.csv")
    assert (miss["case_id"], miss["truth_id"], miss["truth_type"], miss["told_type"]) == (
        "a",
        "1",
        "epidural",
        "venous",
    )
    assert miss["note"] == "wrong type"
    (extra,) = rows(tmp_path / "out" / "tables" / "unmatched.csv")
    assert (extra["outcome"], extra["told_id"], extra["truth_id"]) == ("false_positive", "2", "")
    assert len(rows(tmp_path / "out" / "tables" / "leaks.csv")) == 3


def test_the_same_input_gives_the_same_bytes(cohort, tmp_path):
    def contents(out):
        run(cohort, out, "--against", str(cohort.results))
        return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}

    first = contents(tmp_path / "one")
    assert first == contents(tmp_path / "two")
    assert {name.rpartition(".")[2] for name in first} == {"csv", "json", "md", "html", "png", "svg"}
    assert {name for name in first if name.startswith("plots/")} == {
        f"plots/{plot}.{ending}" for plot in ("froc", "confusion", "volume", "reliability") for ending in ("png", "svg")
    }


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.fetched, self.headings, self.drawings = [], 0, 0

    def handle_starttag(self, tag, attrs):
        self.headings += tag == "h2"
        self.drawings += tag == "svg"
        self.fetched += [v for k, v in attrs if k in {"src", "href", "xlink:href"} and v and not v.startswith("#")]


def test_the_page_stands_alone_and_says_the_rules_first(cohort, tmp_path):
    run(cohort, tmp_path / "out")
    text = (tmp_path / "out" / "evaluation.html").read_text(encoding="utf-8")
    page = Links()
    page.feed(text)
    assert (page.fetched, page.drawings) == ([], 4)
    assert text.index("Matching.") < text.index("Policy.") < text.index("<h2")
    identifiers = re.findall(r' id="([^"]+)"', text)
    assert len(identifiers) > 20
    assert len(identifiers) == len(set(identifiers)), "drawings share no ids, or one would wear another's marks"


def test_markdown_shows_the_figures_with_their_denominators(cohort, tmp_path):
    run(cohort, tmp_path / "out")
    text = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    assert re.search(
        r"^\| type accuracy, detected leaks \| 0\.5 \| 1 \| 2 \| 0\.0945\d* \| 0\.905\d* \|$", text, re.MULTILINE
    )
    for picture in re.findall(r"\]\((plots/[^)]+)\)", text):
        assert (tmp_path / "out" / picture).is_file()


def test_a_case_that_could_not_be_scored_ends_with_1_and_is_told(cohort, tmp_path, capsys):
    (cohort.truth / "a" / "truth.json").write_text("torn")
    assert run(cohort, tmp_path / "out") == 1
    assert "a: truth unusable: truth.json cannot be read as JSON." in capsys.readouterr().out
    (cohort.results / "b" / "report.json").unlink()
    assert run(cohort, tmp_path / "out") == 1
    assert "b: no result: the results do not name this case" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("results", "out", "told"),
    [
        ("nowhere", "out", "There is no folder"),
        ("results", "results", "is what is to be scored"),
        ("results", "other", "holds the results of a run"),
    ],
)
def test_wrong_folders_are_one_sentence_and_end_with_2(cohort, tmp_path, capsys, results, out, told):
    (tmp_path / "other").mkdir()
    for folder in (cohort.results, tmp_path / "other"):
        (folder / "run.json").write_text('{"cases": []}')
    arguments = ["evaluate", str(tmp_path / results), str(cohort.truth), "-o", str(tmp_path / out)]
    assert run_command(arguments) == 2
    assert told in capsys.readouterr().err


def test_nothing_to_count_makes_tables_without_figures(bench, tmp_path):
    bench.truth_case("a", [])
    bench.told_case("a", [])
    assert run(bench, tmp_path / "out") == 0
    summary = {row["figure"]: row for row in rows(tmp_path / "out" / "tables" / "summary.csv")}
    assert summary["leak-free cases told so"]["value"] == "1.0"
    assert summary["type accuracy, detected leaks"]["value"] == ""
    assert summary["type accuracy, detected leaks"]["n"] == "0"


def test_cells_that_hold_marks_break_no_table():
    table = Table("t", "T", ("a", "b"), (("x|y", 1), (None, 0.12345)))
    assert "| x\\|y | 1 |\n|  | 0.1235 |" in markdown([table], "H", {}, ())
    assert csv_text(table) == "a,b\nx|y,1\n,0.12345\n"


def test_results_that_pair_with_no_truth_are_named(bench, leak, tmp_path, capsys):
    bench.truth_case("case-1", [leak(1)], {1: BOX})
    bench.told_case("scans-case-1", [leak(1)], {1: BOX})
    assert run(bench, tmp_path / "out") == 1
    told = capsys.readouterr().out
    assert "case-1: no result: the results do not name this case" in told
    assert "results without truth, not scored (1): scans-case-1" in told
    assert "1 truth case, 1 scored" in told


def test_what_is_scored_is_not_written_into(bench, leak, tmp_path, capsys):
    bench.truth_case("a", [leak(1)], {1: BOX})
    bench.told_case("a", [leak(1)], {1: BOX})
    for out in (bench.truth, bench.results):
        before = sorted(out.rglob("*"))
        assert run(bench, out) == 2
        assert sorted(out.rglob("*")) == before
    assert "name another folder with -o" in capsys.readouterr().err


def test_results_that_cannot_be_used_are_told_where_no_truth_case_lacks_them(bench, leak, tmp_path, capsys):
    bench.truth_case("a", [leak(1)], {1: BOX})
    bench.told_case("a", [leak(1)], {1: BOX})
    bench.told_case("b", [leak(1)], None)
    (bench.results / "b" / "report.json").write_text('{"case_id": "a", "leaks": []}', encoding="utf-8")
    assert run(bench, tmp_path / "out") == 1
    told = "Another folder names its case 'a' too"
    assert f"b: result unusable: {told}" in capsys.readouterr().out
    assert told in (tmp_path / "out" / "tables" / "cases.csv").read_text(encoding="utf-8")
