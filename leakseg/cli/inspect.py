"""`leakseg inspect`: which series would be analysed, which not, and why. Reads headers only."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from leakseg.cli import EXIT_TOLD
from leakseg.cli.run import check_scans
from leakseg.readers import Inventory, SeriesEntry, take_inventory

_IGNORED_SHOWN = 20


def inspect(scans: Sequence[Path], *, as_json: bool) -> int:
    """List what lies under SCANS; 1 where no study can be analysed, else 0.

    A table goes to stdout; with ``as_json`` one JSON document does, and nothing else.
    """
    check_scans(scans)
    from leakseg.criteria import ReadingCriteria

    inventory = take_inventory(tuple(scans), ReadingCriteria())
    if as_json:
        json.dump(document(inventory), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        print_inventory(inventory, sys.stdout)
    return 0 if any(entry.analysable for entry in inventory.cases()) else EXIT_TOLD


def document(inventory: Inventory) -> dict[str, Any]:
    """The inventory as contract.md's JSON; more fields than it names may be there."""
    return {
        "studies": [
            {
                "study_instance_uid": study.study_instance_uid,
                "path": str(study.path),
                "series": [_series(entry) for entry in study.series],
            }
            for study in inventory.studies
        ],
        "ignored": [{"path": str(one.path), "reason": one.reason} for one in inventory.ignored],
    }


def _series(entry: SeriesEntry) -> dict[str, Any]:
    source = entry.source
    return {
        "series_instance_uid": source.series_instance_uid,
        "path": str(_place(entry)),
        "modality": entry.modality,
        "slices": entry.slices,
        "spacing_mm": list(entry.spacing_mm) if entry.spacing_mm else None,
        "analysable": entry.analysable,
        "reason": entry.reason,
        "chosen": entry.chosen,
        "choice": entry.choice or None,
        "case_id": source.case_id or None,
        "notes": [note.message for note in entry.notes],
    }


def _place(entry: SeriesEntry) -> Path:
    return entry.source.folder if entry.source.kind == "dicom" else entry.source.files[0]


def print_inventory(inventory: Inventory, stream: TextIO) -> None:
    """The table for people: a line a series, what would happen to it, and what was passed over."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, highlight=False, width=None if stream.isatty() else 120)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, fold in (("case", 2), ("series", 3), ("slices", 0), ("spacing mm", 0), ("what would happen", 5)):
        table.add_column(column, overflow="fold", ratio=fold or None, no_wrap=not fold)
    count = 0
    for study in inventory.studies:
        for entry in study.series:
            count += 1
            spacing = " x ".join(f"{length:.2f}" for length in entry.spacing_mm) if entry.spacing_mm else "-"
            cells = (
                entry.source.case_id or "-",
                entry.source.relative_path,
                str(entry.slices),
                spacing,
                _verdict(entry),
            )
            table.add_row(*(Text(_shown(cell)) for cell in cells))
    if count:
        console.print(table)
    else:
        console.print("No series found.")
    if inventory.ignored:
        console.print(f"\nPassed over ({len(inventory.ignored)}):")
        for one in inventory.ignored[:_IGNORED_SHOWN]:
            console.print(Text(f"  {_shown(str(one.path))}: {one.reason}"), soft_wrap=True)
        if len(inventory.ignored) > _IGNORED_SHOWN:
            console.print("  … (the rest with --json)")
    analysed = sum(entry.analysable for entry in inventory.cases())
    refused = len(inventory.cases()) - analysed
    console.print(f"\n{analysed} would be analysed" + (f", {refused} refused." if refused else "."))


def _verdict(entry: SeriesEntry) -> str:
    notes = " ".join(note.message for note in entry.notes)
    if not entry.analysable:
        return f"not analysed: {entry.reason}"
    if not entry.chosen:
        return "not analysed: another series of the study is better (--all-series analyses it too)"
    return " ".join(part for part in ("analysed.", entry.choice, notes) if part)


def _shown(text: str) -> str:
    """Text that cannot break the table: control characters and broken names are written out."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode("ascii", "replace")
        for letter in text
    )
