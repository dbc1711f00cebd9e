"""``features.csv``: what classifiers see of each candidate of a case, a row a candidate."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from leakseg.findings import CaseResult

NAME = "features.csv"
HEAD = ("case_id", "id", "component", "told_type", "place", "level", "segment", "side", "exiting_root")
"""Columns before the features: who the candidate is, and what the classifier said."""


def write(result: CaseResult, folder: Path) -> tuple[Path, ...]:
    """Write the table: features to six digits under their own names, empty where not measurable."""
    told = {leak.id: leak.type for leak in result.report.leaks}
    candidates = result.findings.candidates
    names = tuple(dict.fromkeys(name for candidate in candidates for name in candidate.features))
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow((*HEAD, *names))
    for one in candidates:
        who = (result.report.case_id, one.id, one.component, told.get(one.id, ""), one.place, one.level)
        values = (one.features.get(name) for name in names)
        table.writerow(
            (*who, one.segment, one.side, one.exiting_root or "", *("" if v is None else f"{v:.6g}" for v in values))
        )
    path = folder / NAME
    path.write_text(stream.getvalue(), encoding="utf-8")
    return (path,)
