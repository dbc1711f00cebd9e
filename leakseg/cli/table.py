"""The closing table: what was found in each case, and which cases need a look."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

_ROWS = 40
"""Longer batches show the cases that were refused or failed, and leave the rest to summary.csv."""
_REASONS = 8
_OTHER_SERIES = "other_series_set_aside"
"""`leakseg.replaced.OTHER_SERIES`, which takes long to import."""
_REPLACED = "; took the place of another series, whose results are kept in the hidden folder .superseded or .amended"


def closing_table(document: Mapping[str, Any], out: Path, stream: TextIO) -> None:
    """Print run.json's cases with their leaks."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cases = document["cases"]
    console = Console(file=stream, highlight=False, width=None if stream.isatty() else 110)
    passed_over = document.get("passed_over", {})
    if not cases:
        console.print(_nothing(document), markup=False, soft_wrap=True)
        return
    shown = cases if len(cases) <= _ROWS else [case for case in cases if case["status"] in {"refused", "failed"}]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("case", "status", "leaks"):
        table.add_column(column, overflow="fold")
    for case in shown[:_ROWS]:
        table.add_row(*(Text(text) for text in (case["case_id"], case["status"], _found(case, out))))
    if shown:
        console.print(table)
    counts = ", ".join(f"{number} {status}" for status, number in document["counts"].items() if number)
    console.print(f"{len(cases)} case{'s' * (len(cases) != 1)}: {counts}. Results: {out}", markup=False, soft_wrap=True)
    if earlier := _earlier(cases, out):
        verb = "lies" if earlier == 1 else "lie"
        told = f"{earlier} case{'s' * (earlier != 1)} of earlier runs {verb} in {out} too"
        console.print(f"{told}; index.html and the tables tell of this run's alone.", markup=False, soft_wrap=True)
    if passed_over:
        count = sum(passed_over.values())
        files = f"{count} file{'s' * (count != 1)} or folder{'s' * (count != 1)}"
        console.print(f"Passed over: {files}; `leakseg inspect` says why.", markup=False)


def _nothing(document: Mapping[str, Any]) -> str:
    """Why there is no case, with what was seen instead."""
    if not document["complete"]:
        return "No case had ended yet."
    if document.get("shard"):
        return f"No case falls to the shard {document['shard']}."
    passed_over: dict[str, int] = document.get("passed_over", {})
    if not passed_over:
        return "No CT study found: the folders given hold no file."
    told = "".join(f"\n  {count} x {reason}" for reason, count in list(passed_over.items())[:_REASONS])
    return f"No CT study found. Passed over:{told}\n`leakseg inspect` names every file."


def _found(case: Mapping[str, Any], out: Path) -> str:
    if case["status"] in {"refused", "failed"}:
        return str(case["reason"])
    report = json.loads((out / case["case_id"] / "report.json").read_text(encoding="utf-8"))
    leaks = "; ".join(
        f"{leak['level']} {leak['type']} {leak['side']} {leak['volume_mm3']:.0f} mm³" for leak in report["leaks"]
    )
    treated = ", ".join(level["level"] for level in report["levels"] if level["treated"])
    nothing = f"no leak (cement in {treated})" if treated else "no leak, no treated level"
    review = " (needs review)" if report["needs_review"] else ""
    replaced = any(note["code"] == _OTHER_SERIES for note in report["quality"])
    return (leaks or nothing) + review + (_REPLACED if replaced and case["status"] == "done" else "")


def _earlier(cases: Sequence[Mapping[str, Any]], out: Path) -> int:
    """How many cases of earlier runs stand in OUT that are none of this run's."""
    told = {case["case_id"] for case in cases}
    try:
        others = [path for path in out.iterdir() if path.name not in told and not path.name.startswith(".")]
    except OSError:
        return 0
    return sum((path / "report.json").is_file() for path in others)
