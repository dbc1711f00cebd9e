"""The README tells the truth: its command reference is the program's, and its tour runs as it stands there."""

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from leakseg.cli import run_command
from leakseg.cli.app import app
from leakseg.providers.schemes import SCHEMES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHARED_OPTIONS = {"-h", "--help"}
SAMPLE_IS_REFUSED = 1


def walk(command, path=()):
    """Every command with the words that call it; groups only where they have options of their own."""
    subs = getattr(command, "commands", {})
    if not subs or options_of(command):
        yield path, command
    for name, sub in subs.items():
        yield from walk(sub, (*path, name))


def options_of(command):
    return {
        name
        for parameter in command.params
        if parameter.param_type_name == "option"
        for name in (*parameter.opts, *parameter.secondary_opts)
    } - SHARED_OPTIONS


PROGRAM = dict(walk(typer.main.get_command(app)))


def sections():
    """The reference: each command's words, with its arguments as written and its text."""
    found = {}
    for title, text in re.findall(r"^### `leakseg([^`]*)`\n(.*?)(?=^##)", README, re.MULTILINE | re.DOTALL):
        words = title.split()
        path = tuple(word for word in words if re.fullmatch(r"[a-z]+", word))
        found[path] = (words[len(path) :], text)
    return found


def calls(text):
    """Every call of leakseg in code of a text, as words."""
    fenced = [
        line
        for block in re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
        for line in block.split("\n")
    ]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL))
    code = [part.strip() for line in (*fenced, *inline) for part in line.split("&&")]
    return [
        shlex.split(line)[1:] for line in code if re.match(r"(?:\.venv/bin/|\.venv\\Scripts\\)?leakseg(?: |$)", line)
    ]


def test_every_command_has_its_section_and_no_other():
    assert sorted(sections()) == sorted(PROGRAM)


@pytest.mark.parametrize("path", PROGRAM, ids=" ".join)
def test_every_option_is_told_and_none_that_is_not_there(path):
    rows = re.findall(r"^\| (`-[^|]*(?:\\\|[^|]*)*) \|", sections()[path][1], re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row)}
    assert told == options_of(PROGRAM[path])


@pytest.mark.parametrize("path", PROGRAM, ids=" ".join)
def test_arguments_are_named_as_the_program_names_them(path):
    named = [
        (parameter.metavar or f"[{parameter.name}]").strip("{}")
        for parameter in PROGRAM[path].params
        if parameter.param_type_name == "argument"
    ]
    assert sections()[path][0] == named


def test_commands_and_options_named_anywhere_exist():
    seen = 0
    for words in calls(README):
        path = next(path for path in sorted(PROGRAM, key=len, reverse=True) if tuple(words[: len(path)]) == path)
        options = {word for word in words if word.startswith("-")}
        assert path or not words or set(words) <= options, f"no such command: {words}"
        assert options <= options_of(PROGRAM[path]), words
        seen += 1
    assert seen > 20


def test_every_label_scheme_is_in_the_table():
    table = re.findall(
        r"^\| `([a-z_0-9]+)` \| ", README.split("| `--label-scheme` |")[1].split("\n\n")[0], re.MULTILINE
    )
    assert sorted(table) == sorted(SCHEMES)


def anchors_of(text: str) -> set[str]:
    return {
        re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.*)", text, re.MULTILINE)
    }


@pytest.mark.parametrize("page", ["README.md", "benchmarks/README.md"])
def test_links_lead_somewhere(page):
    here = ROOT / page
    for target in re.findall(r"\]\(([^)]+)\)", here.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        there = (here.parent / path).resolve() if path else here
        assert there.is_file(), target
        if anchor:
            assert anchor in anchors_of(there.read_text(encoding="utf-8")), target


def test_the_second_command_is_the_one_that_the_checks_run():
    commands = re.findall(r"&& \.venv/bin/(\w+)$", README, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert commands == [re.search(r"^test:\n\t(.*)$", makefile, re.MULTILINE)[1]]


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    """A folder in which every line of the tour was run, with each line's exit code."""
    folder = tmp_path_factory.mktemp("tour")
    shutil.copytree(ROOT / "sample_dicom", folder / "sample_dicom")
    text = README.split("## A five-minute tour")[1].split("\n## ")[0]
    lines = re.findall(r"^leakseg .*", text, re.MULTILINE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        codes = [(line, run_command(shlex.split(line)[1:])) for line in lines]
    return folder, codes


def leaks(folder):
    with (folder / "leaks.csv").open(encoding="utf-8", newline="") as stream:
        return [(row["level"], row["type"], row["side"]) for row in csv.DictReader(stream)]


@pytest.mark.slow
def test_the_tour_runs(tour):
    _, codes = tour
    assert len(codes) >= 9
    for line, code in codes:
        refused = re.match(r"leakseg run sample_dicom(?:/scans)? ", line)
        assert code == (SAMPLE_IS_REFUSED if refused else 0), line


@pytest.mark.slow
def test_the_tour_ends_as_it_says(tour):
    folder, _ = tour
    found = leaks(folder / "results")
    assert found == leaks(folder / "results-folder") == leaks(folder / "results-files")
    shown = README.split("scans-three-leaks      done     ")[1].split("\n")[0]
    assert found == [tuple(leak.split()[:3]) for leak in shown.split(";")]
    truth = json.loads((ROOT / "sample_dicom/truth/three-leaks/truth.json").read_text(encoding="utf-8"))
    assert found == [(leak["level"], leak["type"], leak["side"]) for leak in truth["leaks"]]
    moved = {"L2": "L1", "L3": "L2", "L4": "L3"}
    assert leaks(folder / "results-anchored") == [(moved[level], kind, side) for level, kind, side in found]
    assert len(list((folder / "implanted" / "truth").iterdir())) == 1


@pytest.mark.slow
def test_the_run_leaves_what_the_table_says(tour):
    results = tour[0] / "results"
    left = {path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file()}
    left = {re.sub(r"^scans-[^/]*", "<case_id>", name) for name in left if not name.startswith(".")}
    left = {re.sub(r"leak-\d+", "leak-<id>", name) for name in left}
    table = README.split("| in the results folder |")[1].split("\n\n")[0]
    assert left == set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE))


@pytest.mark.slow
def test_the_protocols_comparison_counts_right(tour, tmp_path):
    """A reader who misses one of the three leaks and sees one more."""
    table = tmp_path / "reader.csv"
    table.write_text(
        "case_id,level,epidural,foraminal,venous,intradiscal,paravertebral\n"
        "scans-three-leaks,L2,0,0,1,0,0\n"
        "scans-three-leaks,L3,1,0,0,0,0\n"
        "scans-three-leaks,L4,1,0,0,0,0\n"
        "scans-treated-no-leak,L3,0,0,0,0,0\n",
        encoding="utf-8",
    )
    script = ROOT / "benchmarks" / "reader_kappa.py"
    command = [sys.executable, str(script), str(tour[0] / "results"), str(table)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8").stdout.splitlines()
    assert printed[0].startswith("2 cases and 4 vertebrae judged by both; 0 cases")
    rows = {line.split()[0]: line.split()[1:] for line in printed[2:]}
    assert rows["epidural"][:6] == ["1", "0", "1", "2", "0.75", "0.50"]
    assert rows["venous"][:6] == ["1", "0", "0", "3", "1.00", "1.00"]
    assert rows["paravertebral"][:6] == ["0", "1", "0", "3", "0.75", "0.00"]
    assert rows["foraminal"][:6] == ["0", "0", "0", "4", "1.00", "-"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (",", ";", "1 cases and 2 vertebrae judged by both"),
        ("1,0,0,0,0", "yes,0,0,0,0", "line 2: epidural is 'yes'; expected 1, 0 or nothing"),
        ("epidural", "peridural", "no column epidural"),
        ("L2", "L1", "line 3: judged twice: ('a', 'L1')"),
    ],
)
def test_the_protocols_comparison_takes_no_answer_for_a_no(tmp_path, old, new, told):
    table = (
        "case_id,level,epidural,foraminal,venous,intradiscal,paravertebral\n"
        "a,L1,1,0,0,0,0\n"
        "a,L2,0,,,,\n"
    )  # fmt: skip
    (tmp_path / "one.csv").write_text(table, encoding="utf-8")
    (tmp_path / "other.csv").write_text(table.replace(old, new), encoding="utf-8")
    script = ROOT / "benchmarks" / "reader_kappa.py"
    command = [sys.executable, str(script), str(tmp_path / "one.csv"), str(tmp_path / "other.csv")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, encoding="utf-8")
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
