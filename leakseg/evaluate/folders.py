"""Reads truth and results from a folder: leakseg's own, a phantom's truth, or anybody's in the contract's minimum.

A case is a folder with a document (``report.json``, ``truth.json`` or ``leaks.json``) that holds ``leaks``, each with
``id``, ``type`` and ``level``; beside it a labelmap whose voxel values are the ids. A table ``leaks.csv`` with the
columns ``case_id``, ``id``, ``type`` and ``level`` (commas, semicolons or tabs between) does instead of the documents;
a row without ``id`` names a case without leaks. Truth may give each case a ``group`` (such as a slice thickness),
scored on its own too, and ``strata``.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from leakseg.errors import ConfigError, InputError
from leakseg.evaluate.entries import NUMBERS, leak_entries
from leakseg.evaluate.strata import checked_strata
from leakseg.evaluate.values import CaseEntry, Cohort, Problem
from leakseg.findings import SCHEMA_VERSION

_DOCUMENTS = {
    "results": ("report.json", "leaks.json", "truth.json"),
    "truth": ("truth.json", "leaks.json", "report.json"),
}
_TABLE = "leaks.csv"
_RUN = "run.json"
_ENDINGS = (".nii.gz", ".nii", ".nrrd")
_MOST_DIGITS = 10
_RUN_FIELDS = ("case_id", "status", "reason")
_UIDS = ("study_instance_uid", "series_instance_uid")
_REFUSALS = {"refused", "failed"}

Role = Literal["results", "truth"]


def read_cohort(folder: Path, role: Role) -> Cohort:
    """Every case under a folder, in the order of their ids.

    Raises
    ------
    ConfigError
        Where there is no folder, or no case in it.
    """
    if not folder.is_dir():
        raise ConfigError(f"There is no folder '{folder}' with {role}.")
    cases: list[CaseEntry] = []
    problems: list[Problem] = []
    for entry in _entries(folder, role):
        if isinstance(entry, Problem):
            problems.append(entry)
        else:
            cases.append(entry)
    named = {case.case_id for case in cases} | {problem.case_id for problem in problems}
    cases += [case for case in _not_done(folder) if case.case_id not in named]
    if not cases and not problems:
        names = ", ".join(_DOCUMENTS[role])
        raise ConfigError(
            f"No case was found in '{folder}': {role} are folders with one of {names}, or a table {_TABLE}."
        )
    return Cohort(
        tuple(sorted(cases, key=lambda case: case.case_id)),
        tuple(sorted(problems, key=lambda problem: problem.case_id)),
    )


def _entries(folder: Path, role: Role) -> Iterator[CaseEntry | Problem]:
    found = list(_documents(folder, role))
    if not found and (folder / _TABLE).is_file():
        yield from _from_table(folder)
        return
    seen: set[str] = set()
    for path in found:
        relative = path.parent.relative_to(folder).parts
        case_id = "-".join(relative) or folder.resolve().name
        try:
            entry = _from_document(path, case_id)
        except InputError as error:
            yield Problem(case_id, str(error))
            continue
        if entry.case_id in seen:
            yield Problem(case_id, f"Another folder names its case '{entry.case_id}' too; the first is used.")
            continue
        seen.add(entry.case_id)
        yield entry


def _documents(folder: Path, role: Role) -> Iterator[Path]:
    """One document a folder, hidden folders passed over; links are followed, and each folder is entered once."""
    chosen: dict[Path, Path] = {}
    entered: set[Path] = set()
    for place, inner, names in os.walk(folder, followlinks=True):
        if Path(place).resolve() in entered:
            inner.clear()
            continue
        entered.add(Path(place).resolve())
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        found = next((name for name in _DOCUMENTS[role] if name in names), None)
        if found is not None:
            chosen[Path(place)] = Path(place) / found
    yield from (chosen[parent] for parent in sorted(chosen))


def _from_document(path: Path, case_id: str) -> CaseEntry:
    document = _json(path)
    _check_version(document, path.name)
    if not isinstance(document.get("leaks"), list):
        raise InputError(f"{path.name} has no list 'leaks'.")
    series = document.get("series")
    uids: Mapping[str, Any] = {**document, **(series if isinstance(series, dict) else {})}
    named = document.get("case_id")
    return CaseEntry(
        case_id=named if isinstance(named, str) and named else case_id,
        study_instance_uid=_text(uids, "study_instance_uid"),
        series_instance_uid=_text(uids, "series_instance_uid"),
        leaks=leak_entries(document["leaks"], path.name),
        leaks_file=_labelmap(path.parent, "leaks"),
        cement_file=_labelmap(path.parent, "cement"),
        group=_text(document, "group"),
        strata=checked_strata(document.get("strata"), path.name),
        notes=_codes(document.get("quality")),
    )


def _check_version(document: Mapping[str, Any], where: str) -> None:
    """Refuse a document of leakseg's whose fields may mean something else; others tell no version."""
    told = document.get("schema_version")
    if isinstance(told, str) and told.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        raise InputError(
            f"{where} is of schema version {told}, and this leakseg reads {SCHEMA_VERSION}: score it with the leakseg "
            "that wrote it."
        )


def _codes(notes: Any) -> tuple[str, ...]:
    """Codes of a report's quality notes, each once."""
    told = [note.get("code") for note in notes if isinstance(note, dict)] if isinstance(notes, list) else []
    return tuple(dict.fromkeys(code for code in told if isinstance(code, str)))


def _text(told: Mapping[str, Any], name: str) -> str | None:
    value = told.get(name)
    return str(value) if isinstance(value, str | int | float) and value != "" else None


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path.name} cannot be read as JSON.") from error
    if not isinstance(document, dict):
        raise InputError(f"{path.name} holds no JSON object.")
    return document


def _from_table(folder: Path) -> Iterator[CaseEntry | Problem]:
    try:
        text = (folder / _TABLE).read_bytes().decode("utf-8-sig")
        delimiter = max(",;\t", key=text.partition("\n")[0].count)
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"{_TABLE} in '{folder}' cannot be read as a table in UTF-8.") from error
    if rows and not {"case_id", "id", "type", "level"} <= set(rows[0]):
        found = ", ".join(str(name) for name in rows[0])
        raise ConfigError(f"{_TABLE} in '{folder}' needs the columns case_id, id, type and level; it has {found}.")
    if not all(row["case_id"] for row in rows):
        raise ConfigError(f"{_TABLE} in '{folder}' has a row without case_id.")
    for case_id in sorted({row["case_id"] for row in rows}):
        told = [_from_row(row) for row in rows if row["case_id"] == case_id and row["id"]]
        uids = next(row for row in rows if row["case_id"] == case_id)
        try:
            leaks = leak_entries(told, _TABLE)
        except InputError as error:
            yield Problem(case_id, str(error))
            continue
        beside = folder / case_id
        yield CaseEntry(
            case_id,
            study_instance_uid=_text(uids, "study_instance_uid"),
            series_instance_uid=_text(uids, "series_instance_uid"),
            leaks=leaks,
            leaks_file=_labelmap(beside, "leaks") or _first(folder / f"{case_id}{ending}" for ending in _ENDINGS),
            cement_file=_labelmap(beside, "cement"),
            group=_text(uids, "group"),
        )


def _from_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row's fields: empty means none; ids are whole numbers."""
    told: dict[str, Any] = {name: value or None for name, value in row.items() if name and name != "case_id"}
    told["id"] = int(told["id"]) if str(told["id"]).isdecimal() and len(told["id"]) < _MOST_DIGITS else told["id"]
    for name in NUMBERS:
        if told.get(name) is not None:
            told[name] = _number(told[name])
    return told


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _not_done(folder: Path) -> Iterator[CaseEntry]:
    """Cases that a run of leakseg refused or failed."""
    if not (folder / _RUN).is_file():
        return
    try:
        listed = _json(folder / _RUN)["cases"]
        listed = [{name: case[name] for name in (*_RUN_FIELDS, *_UIDS)} for case in listed]
    except (InputError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{_RUN} in '{folder}' is damaged: which cases were refused or failed cannot be told. Run leakseg again."
        ) from error
    for case in listed:
        if case["status"] in _REFUSALS:
            yield CaseEntry(
                case["case_id"],
                status=case["status"],
                reason=case["reason"],
                study_instance_uid=_text(case, "study_instance_uid"),
                series_instance_uid=_text(case, "series_instance_uid"),
            )


def _labelmap(folder: Path, what: str) -> Path | None:
    return _first(folder / f"{prefix}{what}{ending}" for prefix in ("truth_", "") for ending in _ENDINGS)


def _first(paths: Iterable[Path]) -> Path | None:
    with contextlib.suppress(OSError):  # a case_id of a table may be longer than any name of a file
        return next((path for path in paths if path.is_file()), None)
    return None
