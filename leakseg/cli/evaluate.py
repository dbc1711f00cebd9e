"""`leakseg evaluate`: results scored against truth, told in one table and left on disk."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leakseg.cli import EXIT_TOLD
from leakseg.errors import ConfigError
from leakseg.evaluate import Evaluation, document_text, evaluate, write_evaluation
from leakseg.evaluate.listings import results_passed_over
from leakseg.evaluate.table import Cell
from leakseg.evaluate.table import Table as StudyTable

_NAMED = 5

if TYPE_CHECKING:
    from rich.table import Table


def evaluate_results(results: Path, truth: Path, out: Path, against: Sequence[Path], *, as_json: bool) -> int:
    """Score, write and tell; 1 where a case could not be scored or has no result, else 0."""
    if out.resolve() in {path.resolve() for path in (results, truth, *against)}:
        raise ConfigError(f"'{out}' is what is to be scored; name another folder with -o.")
    evaluation = evaluate(results, truth, against)
    write_evaluation(evaluation, out)
    if as_json:
        sys.stdout.write(document_text(evaluation.document))
    _tell(evaluation, out, sys.stderr if as_json else sys.stdout)
    told = evaluation.document["cases"]
    return EXIT_TOLD if told["not_done"] or told["bad_truth"] or told["bad_results"] else 0


def _tell(evaluation: Evaluation, out: Path, stream: object) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, highlight=False, width=None if sys.stdout.isatty() else 110)  # type: ignore[arg-type] # a text stream
    told = evaluation.document["cases"]
    for kind in ("bad_truth", "not_done"):
        for case in told[kind]:
            status = case.get("status", "truth unusable").replace("_", " ")
            console.print(f"{case['case_id']}: {status}: {case['reason']}", markup=False, soft_wrap=True)
    for case in results_passed_over(told):
        console.print(f"{case['case_id']}: result unusable: {case['reason']}", markup=False, soft_wrap=True)
    if alone := told["without_truth"]:
        names = ", ".join(alone[:_NAMED]) + (", …" if len(alone) > _NAMED else "")
        console.print(f"results without truth, not scored ({len(alone)}): {names}", markup=False, soft_wrap=True)
    tables = {table.name: table for table in evaluation.tables()}
    for study in evaluation.study_tables()[:1]:
        console.print(_study(study))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("figure", "value", "of", "95 %"):
        table.add_column(name, overflow="fold")
    for row in tables["summary"].rows:
        figure, value, count, total, low, high = row
        cells = (figure, _number(value), _of(count, total), _interval(low, high))
        table.add_row(*(Text(str(cell)) for cell in cells))
    console.print(table)
    console.print(f"{tables['cases'].note.partition('. ')[0]}. All tables: {out}", markup=False, soft_wrap=True)


def _study(study: StudyTable) -> Table:
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=study.title, box=None, pad_edge=False, header_style="bold")
    for name in ("cohort", "figure", "reach", "value", "of", "95 %", "reached"):
        shown.add_column(name, overflow="fold")
    for cohort, figure, reach, value, count, total, low, high, reached in study.rows:
        cells = (cohort, figure, reach, _number(value), _of(count, total), _interval(low, high), reached)
        shown.add_row(*(Text(str(cell)) for cell in cells))
    return shown


def _number(value: Cell) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "-"


def _of(count: Cell, total: Cell) -> str:
    return f"{total}" if count is None else f"{count}/{total}"


def _interval(low: Cell, high: Cell) -> str:
    return f"{low:.3f} to {high:.3f}" if isinstance(low, float) and isinstance(high, float) else ""
