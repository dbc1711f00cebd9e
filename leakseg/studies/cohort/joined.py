"""Clinical rows joined with the leaks found in the same patients."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakseg.errors import ConfigError
from leakseg.studies.cohort.clinical import GROUP, KEYS, ClinicalTable, Patient, group_of

FOUND = ("leaks_found", "leaked_volume_mm3", "max_canal_encroachment_fraction", "treated_levels_found")
"""Numbers that a patient's report adds to his row."""
LEAKSEG = "leakseg"


@dataclass(frozen=True)
class Row:
    """One patient: his clinical row, and his report where there is one.

    ``group`` is what he is counted under: the column asked for, else the reader's leak type, else leakseg's.
    """

    patient: Patient
    case_id: str | None
    group: str | None
    found_group: str | None
    numbers: dict[str, float]
    leaks: tuple[dict[str, Any], ...]
    pattern: dict[str, bool]


@dataclass(frozen=True)
class Joined:
    """All patients; ``without_result`` are lines of the table, ``without_row`` cases of the results."""

    rows: tuple[Row, ...]
    numeric: tuple[str, ...]
    by: str
    has_results: bool
    without_result: tuple[int, ...] = ()
    without_row: tuple[str, ...] = ()


def join(table: ClinicalTable, reports: dict[str, dict[str, Any]] | None, by: str = GROUP) -> Joined:
    """Join on case_id, else on the study's UID; a patient without a report stays, and is told.

    Raises
    ------
    ConfigError
        Where the column to group by does not exist, or two rows mean the same report.
    """
    if by != GROUP and by not in table.columns:
        raise ConfigError(f"The clinical table has no column '{by}' to group by; it has {', '.join(table.columns)}.")
    by_uid = {report["series"]["study_instance_uid"]: case for case, report in (reports or {}).items()}
    rows, taken = [], dict[str, int]()
    for patient in table.patients:
        case_id = _case_of(patient, reports or {}, by_uid)
        if case_id is not None and case_id in taken:
            raise ConfigError(
                f"Lines {taken[case_id]} and {patient.line} of the clinical table mean the same case, '{case_id}'."
            )
        if case_id is not None:
            taken[case_id] = patient.line
        rows.append(_row(patient, case_id, None if case_id is None else (reports or {})[case_id], by))
    added = FOUND if any(row.case_id for row in rows) else ()
    return Joined(
        tuple(rows),
        (*table.numeric, *added),
        by,
        reports is not None,
        tuple(row.patient.line for row in rows if row.case_id is None) if reports is not None else (),
        tuple(sorted(set(reports or {}) - set(taken))),
    )


def read_reports(folder: Path) -> dict[str, dict[str, Any]]:
    """Every finished case's report.json under a results folder, by case id.

    Raises
    ------
    ConfigError
        Where there is no such folder, no finished case, or a report that cannot be read.
    """
    if not folder.is_dir():
        raise ConfigError(f"There is no results folder '{folder}'; name the OUT of a run, or 'none'.")
    reports: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*/report.json")):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            case_id = str(report["case_id"])
            _ = report["series"]["study_instance_uid"], report["leaks"], report["patient_pattern"], report["cement"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigError(
                f"{path.parent.name}/report.json is damaged or no report of leakseg; run that case again."
            ) from error
        reports[case_id] = report
    if not reports:
        raise ConfigError(f"No finished case was found in '{folder}'; name the OUT of a run, or 'none'.")
    return reports


def _case_of(patient: Patient, reports: dict[str, dict[str, Any]], by_uid: dict[str, str]) -> str | None:
    named, uid = (patient.text(key) for key in KEYS)
    if named is not None and named in reports:
        return named
    return by_uid.get(uid) if uid is not None else None


def _row(patient: Patient, case_id: str | None, report: dict[str, Any] | None, by: str) -> Row:
    found = None if report is None else group_of({leak["type"] for leak in report["leaks"]})
    group = patient.text(by)
    if group is None and by == GROUP:
        group = found
    if report is None:
        return Row(patient, None, group, None, dict(patient.numbers), (), {})
    values = [leak["canal_encroachment_fraction"] for leak in report["leaks"]]
    values += [level["canal_encroachment_fraction"] for level in report["levels"]]
    encroachment = [value for value in values if value is not None]
    numbers = {
        "leaks_found": float(len(report["leaks"])),
        "leaked_volume_mm3": float(report["cement"]["leaked_volume_mm3"]),
        "treated_levels_found": float(sum(bool(level["treated"]) for level in report["levels"])),
        **({"max_canal_encroachment_fraction": float(max(encroachment))} if encroachment else {}),
    }
    pattern = {name: bool(report["patient_pattern"][name]) for name in ("bilateral", "combined", "profuse")}
    pattern["staged"] = bool((report.get("surgical_note") or {}).get("staged", False))
    return Row(patient, case_id, group, found, patient.numbers | numbers, tuple(report["leaks"]), pattern)
