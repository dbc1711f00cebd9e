"""``summary.csv`` (a row a case) and ``leaks.csv`` (a row a leak) of a run."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUMMARY = "summary.csv"
LEAKS = "leaks.csv"
SUMMARY_COLUMNS = (
    "case_id",
    "status",
    "reason",
    "needs_review",
    "study_instance_uid",
    "series_instance_uid",
    "treated_levels",
    "leaks",
    "types",
    "leaked_volume_mm3",
    "cement_volume_mm3",
    "notes",
    "seconds",
)
LEAK_COLUMNS = (
    "case_id",
    "id",
    "type",
    "subtype",
    "route",
    "level",
    "segment",
    "exiting_root",
    "side",
    "volume_mm3",
    "component",
    "mean_hu",
    "canal_encroachment_fraction",
    "max_sagittal_diameter_mm",
    "foraminal_occupation_fraction",
    "distance_to_canal_mm",
    "confidence",
)


@dataclass(frozen=True)
class TableCase:
    """One case of a run, as the tables tell of it; ``report`` is its report.json, where it has one."""

    case_id: str
    status: str
    reason: str | None
    study_instance_uid: str | None
    series_instance_uid: str | None
    seconds: float
    report: Mapping[str, Any] | None


def write(cases: Iterable[TableCase], folder: Path) -> tuple[Path, ...]:
    """Write both tables, each at once whole: UTF-8, commas, an empty field for what is not known."""
    for _ in passing(cases, folder):
        pass
    return folder / SUMMARY, folder / LEAKS


def passing(cases: Iterable[TableCase], folder: Path) -> Iterator[TableCase]:
    """The cases, each written into both tables as it passes; the tables stand there once the last one has."""
    with _table(folder / SUMMARY, SUMMARY_COLUMNS) as summary, _table(folder / LEAKS, LEAK_COLUMNS) as leaks:
        for case in cases:
            summary.writerow(_summary(case))
            for leak in case.report["leaks"] if case.report else ():
                leaks.writerow({"case_id": case.case_id} | {key: leak[key] for key in LEAK_COLUMNS[1:]})
            yield case


def _summary(case: TableCase) -> dict[str, Any]:
    row: dict[str, Any] = {
        "case_id": case.case_id,
        "status": case.status,
        "reason": case.reason,
        "study_instance_uid": case.study_instance_uid,
        "series_instance_uid": case.series_instance_uid,
        "seconds": round(case.seconds, 2),
    }
    if case.report is None:
        return row
    report = case.report
    return row | {
        "needs_review": str(report["needs_review"]).lower(),
        "treated_levels": ";".join(level["level"] for level in report["levels"] if level["treated"]),
        "leaks": len(report["leaks"]),
        "types": ";".join(dict.fromkeys(leak["type"] for leak in report["leaks"])),
        "leaked_volume_mm3": report["cement"]["leaked_volume_mm3"],
        "cement_volume_mm3": report["cement"]["total_volume_mm3"],
        "notes": ";".join(note["code"] for note in report["quality"] if note["severity"] != "info"),
    }


@contextmanager
def _table(path: Path, columns: Sequence[str]) -> Iterator[csv.DictWriter[str]]:
    unfinished = path.with_name(f".{path.name}.tmp")
    with unfinished.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        table = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        table.writeheader()
        yield table
    unfinished.replace(path)
