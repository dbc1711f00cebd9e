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
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from leakseg.anatomy import VertebraLevel
from leakseg.errors import ConfigError, InputError
from leakseg.evaluate.strata import checked_strata
from leakseg.evaluate.values import CaseEntry, Cohort, LeakEntry, Problem
from leakseg.findings import LeakType

_DOCUMENTS = {
    "results": ("report.json", "leaks.json", "truth.json"),
    "truth": ("truth.json", "leaks.json", "report.json"),
}
_TABLE = "leaks.csv"
_RUN = "run.json"
_ENDINGS = (".nii.gz", ".nii", ".nrrd")
_MOST_DIGITS = 10
_MOST_TOLD = 40
_NUMBERS = ("volume_mm3", "canal_encroachment_fraction", "confidence")
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
    if not isinstance(document.get("leaks"), list):
        raise InputError(f"{path.name} has no list 'leaks'.")
    series = document.get("series")
    uids: Mapping[str, Any] = {**document, **(series if isinstance(series, dict) else {})}
    named = document.get("case_id")
    return CaseEntry(
        case_id=named if isinstance(named, str) and named else case_id,
        study_instance_uid=_text(uids, "study_instance_uid"),
        series_instance_uid=_text(uids, "series_instance_uid"),
        leaks=_leaks(document["leaks"], path.name),
        leaks_file=_labelmap(path.parent, "leaks"),
        cement_file=_labelmap(path.parent, "cement"),
        group=_text(document, "group"),
        strata=checked_strata(document.get("strata"), path.name),
        notes=_codes(document.get("quality")),
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
            leaks = _leaks(told, _TABLE)
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
    for name in _NUMBERS:
        if told.get(name) is not None:
            told[name] = _number(told[name])
    return told


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _leaks(items: list[Any], where: str) -> tuple[LeakEntry, ...]:
    leaks = tuple(_leak(item, position, where) for position, item in enumerate(items, start=1))
    if len({leak.id for leak in leaks}) < len(leaks):
        raise InputError(f"{where} gives two leaks the same id.")
    return leaks


def _leak(item: Any, position: int, where: str) -> LeakEntry:
    if not isinstance(item, dict):
        raise InputError(f"Leak {position} in {where} is no object with id, type and level.")
    number = item.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise InputError(f"Leak {position} in {where} has {_told(number, 'id')}; expected a whole number from 1.")
    try:
        kind = LeakType(str(item.get("type")))
    except ValueError:
        raise InputError(
            f"Leak {number} in {where} has {_told(item.get('type'), 'type')}; expected one of {', '.join(LeakType)}."
        ) from None
    try:
        level = VertebraLevel(str(item.get("level")))
    except ValueError:
        raise InputError(
            f"Leak {number} in {where} has {_told(item.get('level'), 'level')}; expected a name such as L1."
        ) from None
    for name in _NUMBERS:
        value = item.get(name)
        if value is not None and (not _is_number(value)):
            raise InputError(f"Leak {number} in {where}: {name} is not a number.")
    if not 0 <= (item.get("confidence") or 0) <= 1:
        raise InputError(f"Leak {number} in {where}: confidence is not between 0 and 1.")
    return LeakEntry(number, kind, level, item)


def _told(value: Any, name: str) -> str:
    """What was found in place of a field's value, in a few words of one line."""
    if value is None:
        return f"no {name}"
    text = repr(value)
    return f"the {name} {text[:_MOST_TOLD]}{'…' * (len(text) > _MOST_TOLD)}"


def _is_number(value: Any) -> bool:
    """Whether it is a finite number; JSON's whole numbers may be larger than any float."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    except OverflowError:
        return False


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
