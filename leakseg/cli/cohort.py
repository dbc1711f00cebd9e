"""`leakseg cohort`: leaks found, joined with a clinical table: the tables of a paper."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leakseg.cli import EXIT_TOLD
from leakseg.cli.options import Json

if TYPE_CHECKING:
    from leakseg.studies.cohort import CohortStudy


def cohort(
    results: Annotated[str, typer.Argument(metavar="RESULTS", help="Results of a run, or none.")],
    clinical: Annotated[Path, typer.Argument(metavar="CLINICAL.csv", help="One row a patient.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Folder for tables, plots and the page.")],
    by: Annotated[
        str, typer.Option("--by", metavar="COLUMN", help="Column whose entries are the groups.")
    ] = "leak_type",
    as_json: Json = False,
) -> int:
    """Join leaks with a clinical table: groups, tests, rates, agreement."""
    from leakseg.studies import cohort as studies

    study = studies.cohort(None if results == studies.NO_RESULTS else Path(results), clinical, by)
    studies.write_cohort(study, out)
    if as_json:
        sys.stdout.write(studies.document_text(study.document))
    _tell(study, out, sys.stderr if as_json else sys.stdout)
    told = study.document["patients"]
    return EXIT_TOLD if told["lines_without_result"] or told["cases_without_row"] else 0


def _tell(study: CohortStudy, out: Path, stream: object) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, highlight=False, width=None if sys.stdout.isatty() else 110)  # type: ignore[arg-type] # a text stream
    for table in study.tables():
        if table.name == "patients" or not table.rows:
            continue
        shown = Table(title=table.title, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for name in table.columns:
            shown.add_column(name, overflow="fold")
        for row in table.rows:
            shown.add_row(*(Text(_text(cell)) for cell in row))
        console.print(shown)
    console.print(f"{study.document['patients']['n']} patients. All tables: {out}", markup=False, soft_wrap=True)


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)
