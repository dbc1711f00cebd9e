"""The clinical table: one row a patient, every known column checked, other columns kept."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from leakseg.anatomy import VertebraLevel
from leakseg.errors import ConfigError
from leakseg.findings import LeakType

KEYS = ("case_id", "study_instance_uid")
GROUP = "leak_type"
MACNAB = ("excellent", "good", "fair", "poor")
"""Macnab's grades, best first (Macnab 1971, J Bone Joint Surg Am 53:891-903)."""
GROUPS = (*(str(kind) for kind in LeakType), "combined", "none")
"""What a patient's leaks may be called; `combined`: epidural and foraminal both."""
NUMBERS: dict[str, tuple[float, float]] = {
    "age": (0, 130),
    "vas_preop": (0, 10),
    "vas_postop": (0, 10),
    "vas_last": (0, 10),
    "joa29_preop": (-6, 29),
    "joa29_postop": (-6, 29),
    "joa29_last": (-6, 29),
    "operative_time_min": (0, 1440),
    "blood_loss_ml": (0, 20000),
    "hospital_days": (0, 3650),
    "followup_months": (0, 1200),
}
"""Columns of numbers with the range that can be true; JOA's 29 points have six to lose for the bladder."""
_SEXES = {"f": "female", "female": "female", "m": "male", "male": "male", "other": "other"}
_EMPTY = {"", "na", "n/a", "nan", "-", "."}
"""Entries that mean a missing value."""
_IDENTIFYING = re.compile(
    r"(^|_)(name|surname|forename|mrn|dob|birth|birthday|birthdate|accession|address|phone|email|ssn)(_|$)"
    r"|patient_?id|date_of_birth|patientname",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Patient:
    """One row: ``texts`` as they stand, ``numbers`` of the known and of every wholly numeric column."""

    line: int
    texts: dict[str, str]
    numbers: dict[str, float]

    def text(self, column: str) -> str | None:
        """The entry; None where it is empty."""
        return self.texts.get(column)


@dataclass(frozen=True)
class ClinicalTable:
    """All patients; ``dropped`` are columns left out, since their names tell who a patient is."""

    patients: tuple[Patient, ...]
    columns: tuple[str, ...]
    numeric: tuple[str, ...]
    dropped: tuple[str, ...]


def read_clinical(path: Path) -> ClinicalTable:
    """Read and check CLINICAL.csv: UTF-8; commas, or semicolons or tabs throughout; a point in decimals.

    Raises
    ------
    ConfigError
        For the first thing that is wrong: its line and column, what was found, what was expected.
    """
    columns, rows = _cells(path)
    if not any(key in columns for key in KEYS):
        raise ConfigError(f"The clinical table has no column case_id or study_instance_uid; it has {_list(columns)}.")
    if not rows:
        raise ConfigError("The clinical table has no patient: expected one row for each below the header.")
    dropped = tuple(column for column in columns if column not in KEYS and _IDENTIFYING.search(column))
    kept = tuple(column for column in columns if column not in dropped)
    texts = [(line, {c: v for c, v in row.items() if c in kept and v.lower() not in _EMPTY}) for line, row in rows]
    numeric = tuple(c for c in kept if c in NUMBERS or _is_numeric(c, [told for _, told in texts]))
    patients = tuple(_patient(line, told, numeric) for line, told in texts)
    _check_keys(patients)
    return ClinicalTable(patients, kept, numeric, dropped)


def _cells(path: Path) -> tuple[tuple[str, ...], list[tuple[int, dict[str, str]]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError("The clinical table is no text in UTF-8; save it as 'CSV UTF-8'.") from error
    except OSError as error:
        raise ConfigError(f"The clinical table cannot be read: {error.strerror or type(error).__name__}.") from error
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    try:
        lines = list(csv.reader(text.splitlines(), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise ConfigError(f"The clinical table is no valid CSV: {error}.") from error
    if not lines:
        raise ConfigError("The clinical table is empty: expected a header and one row for each patient.")
    columns = tuple(name.strip() for name in lines[0])
    if len(set(columns)) < len(columns) or not all(columns):
        raise ConfigError("The clinical table has a column without a name or two of one name in its header.")
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            raise ConfigError(
                f"Line {number} of the clinical table has {len(cells)} entries; the header has {len(columns)} columns."
            )
        rows.append((number, {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}))
    return columns, rows


def _patient(line: int, texts: dict[str, str], numeric: tuple[str, ...]) -> Patient:
    told = dict(texts)
    numbers = {}
    for column, value in texts.items():
        if column in numeric:
            numbers[column] = _number(line, column, value)
        elif column == "sex":
            told[column] = _one_of(line, column, value, _SEXES)
        elif column == "macnab":
            told[column] = _one_of(line, column, value, {grade: grade for grade in MACNAB})
        elif column.startswith(GROUP):
            told[column] = leak_group(line, column, value)
        elif column == "treated_levels":
            _check_levels(line, value)
    return Patient(line, told, numbers)


def leak_group(line: int, column: str, value: str) -> str:
    """A reader's leak type, or several joined by ``+``, ``;``, ``/`` or ``and``, as one group's name.

    Raises
    ------
    ConfigError
        Where a name is no leak type.
    """
    names = {part.strip().lower() for part in re.split(r"[+;/&]|\band\b", value) if part.strip()}
    for name in names:
        if name not in GROUPS:
            raise ConfigError(_wrong(line, column, value, f"one of {', '.join(GROUPS)}, or several joined by '+'"))
    return group_of(names)


def group_of(kinds: set[str]) -> str:
    """One name for a patient's leak types: those next to nerves first, both of them `combined`."""
    if "combined" in kinds or {LeakType.EPIDURAL, LeakType.FORAMINAL} <= kinds:
        return "combined"
    order = ("epidural", "foraminal", "venous", "intradiscal", "paravertebral", "undetermined")
    return next((kind for kind in order if kind in kinds), "none")


def _number(line: int, column: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    low, high = NUMBERS.get(column, (float("-inf"), float("inf")))
    if not isfinite(number) or not low <= number <= high:
        expected = f"a number from {low:g} to {high:g}" if column in NUMBERS else "a number"
        raise ConfigError(_wrong(line, column, value, f"{expected}, with a point in decimals, or nothing"))
    return number


def _one_of(line: int, column: str, value: str, names: dict[str, str]) -> str:
    if value.lower() not in names:
        raise ConfigError(_wrong(line, column, value, f"one of {', '.join(names)}, or nothing"))
    return names[value.lower()]


def _check_levels(line: int, value: str) -> None:
    for name in re.split(r"[;,\s+/]+", value):
        if name and name.upper() not in set(VertebraLevel):
            raise ConfigError(_wrong(line, "treated_levels", value, "names such as L1, several joined by ';'"))


def _check_keys(patients: tuple[Patient, ...]) -> None:
    for key in KEYS:
        seen: dict[str, int] = {}
        for patient in patients:
            value = patient.text(key)
            if value is not None and value in seen:
                raise ConfigError(
                    f"Lines {seen[value]} and {patient.line} of the clinical table have the same {key}; "
                    "expected one row a patient."
                )
            if value is not None:
                seen[value] = patient.line
    for patient in patients:
        if not any(patient.text(key) for key in KEYS):
            raise ConfigError(f"Line {patient.line} of the clinical table has neither case_id nor study_instance_uid.")


def _is_numeric(column: str, rows: list[dict[str, str]]) -> bool:
    """Whether every entry of another column is a number, and there is one."""
    if column in KEYS or column in ("sex", "macnab", "treated_levels", "symptom") or column.startswith(GROUP):
        return False
    values = [row[column] for row in rows if column in row]
    try:
        return bool(values) and all(isfinite(float(value)) for value in values)
    except ValueError:
        return False


def _wrong(line: int, column: str, value: str, expected: str) -> str:
    shown = value if len(value) <= 30 else value[:27] + "..."
    return f"Line {line} of the clinical table, column {column}: found '{shown}', expected {expected}."


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
