"""`leakseg amend`: a reader's corrections of a case, and the run's tables and index with them."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from leakseg.errors import ConfigError


def amend(case: Path, edits_file: Path, *, as_json: bool) -> int:
    """Amend one case and tell what changed; the command's exit code."""
    from leakseg.batch.output import RUN, claimed
    from leakseg.studies.amend import amend_case, read_edits
    from leakseg.wording import amendments, verdict
    from leakseg.writers.json_report import report_json

    edits = read_edits(edits_file)
    if not case.is_dir() and not (case.parent / RUN).is_file():
        raise ConfigError(f"There is no folder '{case}'; name the folder of one case, such as results/{case.name}.")
    out = case.resolve().parent
    in_run = (out / RUN).is_file()
    with claimed(out) if in_run else nullcontext(out):
        report = amend_case(case, edits)
        if in_run:
            _write_batch(out)
    told = sys.stderr if as_json else sys.stdout
    if as_json:
        sys.stdout.write(report_json(report))
    told.write(f"{verdict(report)}{' (needs review)' if report.needs_review else ''}\n{amendments(report)[-1]}\n")
    if not in_run:
        told.write("The folder above holds no run.json: no tables and no index were written again.\n")
    return 0


def _write_batch(out: Path) -> None:
    """The tables and the index anew, from run.json and the cases' reports."""
    from leakseg.batch.job import write_batch
    from leakseg.batch.merge import outcome_of
    from leakseg.batch.output import RUN
    from leakseg.writers import csv_tables

    document: dict[str, Any] = json.loads((out / RUN).read_text(encoding="utf-8"))
    outcomes = [outcome_of(case, document["recipe_digest"]) for case in document["cases"]]
    tables = {"csv"} if (out / csv_tables.SUMMARY).is_file() else set()
    write_batch(outcomes, out, {*document["recipe"]["write"], *tables}, complete=document["complete"])
