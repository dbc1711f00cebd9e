"""A whole evaluation: two folders in, one document with its tables and plots out, and its files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leakseg.errors import ConfigError, OutputError
from leakseg.evaluate import figures
from leakseg.evaluate.compare import COMPARISON, compare
from leakseg.evaluate.folders import read_cohort
from leakseg.evaluate.matching import RULE
from leakseg.evaluate.pages import csv_text, html_page, markdown
from leakseg.evaluate.plots import draw_plots
from leakseg.evaluate.scoring import Scores, score
from leakseg.evaluate.statistics import INTERVALS, Json
from leakseg.evaluate.study_table import study_tables
from leakseg.evaluate.table import Table
from leakseg.evaluate.tables import make_tables

SCHEMA_VERSION = "1.0"
HEADING = "Evaluation of cement leaks against truth"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The figures as plain data (`evaluation.json`), and the scores they were counted from."""

    document: Json
    scores: Scores

    def tables(self) -> tuple[Table, ...]:
        """Every table, in the order of reading."""
        return make_tables(self.document, self.scores)

    def study_tables(self) -> tuple[Table, ...]:
        """The study's own table and its misses, where truth tells strata; else nothing."""
        return study_tables(self.scores)


def evaluate(results: Path, truth: Path, against: Sequence[Path] = ()) -> Evaluation:
    """Score results against truth, and against other results on the same truth.

    Raises
    ------
    ConfigError
        Where a folder is missing or holds no case.
    """
    known = read_cohort(truth, "truth")
    scores = score(known, read_cohort(results, "results"))
    others = {name: score(known, read_cohort(path, "results")) for name, path in _names(against).items()}
    return Evaluation(summarise(scores, others), scores)


def summarise(scores: Scores, others: dict[str, Scores] | None = None) -> Json:
    """Every figure of one cohort as plain data; the rules it was counted by stand first."""
    groups = sorted({case.group for case in scores.cases if case.group is not None})
    return {
        "schema_version": SCHEMA_VERSION,
        "rules": {"matching": RULE, "policy": figures.POLICY, "intervals": INTERVALS, "comparison": COMPARISON},
        **_figures(scores),
        "groups": {name: _figures(scores.group(name)) for name in groups},
        "comparisons": compare(scores, others or {}),
    }


def _figures(scores: Scores) -> Json:
    return {
        "cases": figures.cases_told(scores),
        "detection": figures.detection(scores),
        "naming": figures.naming(scores),
        "measures": figures.measures(scores),
        "calibration": figures.calibration(scores),
    }


def write_evaluation(evaluation: Evaluation, out: Path) -> tuple[Path, ...]:
    """Write evaluation.json, .md, .html, tables/*.csv and plots/*.png and *.svg; the same input, the same bytes.

    Where truth tells strata: study_table and misses as .csv, .md and .json too.

    Raises
    ------
    ConfigError
        Where OUT is a folder of results.
    OutputError
        Where the disk does not take it.
    """
    refuse_results_folder(out)
    tables = evaluation.tables()
    volumes = [pair for group in figures.measured_pairs(evaluation.scores, "volume_mm3") for pair in group]
    plots = draw_plots(evaluation.document, volumes)
    rules = {name.capitalize(): text for name, text in evaluation.document["rules"].items() if name != "comparison"}
    files: dict[str, bytes] = {f"tables/{table.name}.csv": csv_text(table).encode() for table in tables}
    for name, (png, svg) in plots.items():
        files |= {f"plots/{name}.png": png, f"plots/{name}.svg": svg.encode()}
    pictures = {name: svg for name, (_, svg) in plots.items()}
    files |= {
        "evaluation.md": markdown(tables, HEADING, rules, tuple(plots)).encode(),
        "evaluation.html": html_page(tables, HEADING, rules, pictures).encode(),
        "evaluation.json": (document_text(evaluation.document)).encode(),
    }
    for table in evaluation.study_tables():
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        files |= {
            f"{table.name}.csv": csv_text(table).encode(),
            f"{table.name}.md": markdown((table,), HEADING, {}, ()).encode(),
            f"{table.name}.json": document_text({"note": table.note, "rows": rows}).encode(),
        }
    write_files(out, files, "The evaluation")
    return tuple(out / name for name in files)


def refuse_results_folder(out: Path) -> None:
    """Keep tables out of a folder that holds the results of a run.

    Raises
    ------
    ConfigError
        Where OUT is such a folder.
    """
    if (out / "run.json").exists():
        raise ConfigError(f"'{out}' holds the results of a run; name another folder with -o.")


def write_files(out: Path, files: Mapping[str, bytes], what: str) -> None:
    """Write files by their paths under OUT.

    Raises
    ------
    OutputError
        Where the disk does not take them; ``what`` begins the sentence.
    """
    try:
        for name, data in files.items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(data)
    except OSError as error:
        raise OutputError(f"{what} could not be written: {error.strerror or type(error).__name__}.") from error


def document_text(document: Json) -> str:
    """The document as JSON text."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _names(paths: Sequence[Path]) -> dict[str, Path]:
    """The other results by the names of their folders; a name taken already gets a number."""
    named: dict[str, Path] = {}
    for path in paths:
        name, number = path.resolve().name, 2
        while name in named:
            name, number = f"{path.resolve().name}-{number}", number + 1
        named[name] = path
    return named
