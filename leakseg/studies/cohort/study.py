"""A cohort's document, tables, plots and pages from results and a clinical table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from leakseg.evaluate.pages import csv_text, html_page, markdown
from leakseg.evaluate.statistics import INTERVALS, Json, share
from leakseg.evaluate.study import document_text, refuse_results_folder, write_files
from leakseg.evaluate.table import Table
from leakseg.findings import DISCLAIMER
from leakseg.studies.cohort.agreement import agreement
from leakseg.studies.cohort.clinical import GROUP, GROUPS, KEYS, MACNAB, read_clinical
from leakseg.studies.cohort.comparisons import METHODS, between_groups, describe, over_time, stems
from leakseg.studies.cohort.joined import Joined, Row, join, read_reports
from leakseg.studies.cohort.plots import draw_plots
from leakseg.studies.cohort.tables import make_tables

SCHEMA_VERSION = "1.0"
HEADING = "Cement leaks and clinical course"
ALL = "all"
NO_RESULTS = "none"
_GROUPING = (
    "Patients are grouped by the reader's leak type where the table gives one, else by leakseg's; 'combined' has "
    "leaks in canal and foramen, other mixtures go by the type first named of epidural, foraminal, venous, "
    "intradiscal, paravertebral."
)
MAX_CATEGORIES = 8
"""Columns of words with more different entries are kept, and not counted [convention]."""
_PATTERNS = ("bilateral", "combined", "profuse", "staged")


@dataclass(frozen=True, eq=False)
class CohortStudy:
    """`cohort.json` as plain data, and the joined rows behind it."""

    document: Json
    joined: Joined

    def tables(self) -> tuple[Table, ...]:
        """Every table, in the order of reading."""
        return make_tables(self.document, self.joined)


def cohort(results: Path | None, clinical: Path, by: str = GROUP) -> CohortStudy:
    """Join, count, describe and test.

    Parameters
    ----------
    results
        OUT of a run; None: the clinical table alone.
    by
        Column whose entries are the groups.

    Raises
    ------
    ConfigError
        Where the table or the results cannot be used.
    """
    table = read_clinical(clinical)
    joined = join(table, None if results is None else read_reports(results), by)
    members = _members(joined)
    rated = [row for row in joined.rows if row.patient.text("macnab")]
    document: Json = {
        "schema_version": SCHEMA_VERSION,
        "disclaimer": DISCLAIMER,
        "rules": {"grouping": _grouping(by), "methods": METHODS, "intervals": INTERVALS},
        "patients": {
            "n": len(joined.rows),
            "with_result": sum(row.case_id is not None for row in joined.rows) if joined.has_results else None,
            "without_group": sum(row.group is None for row in joined.rows),
            "lines_without_result": list(joined.without_result),
            "cases_without_row": list(joined.without_row),
            "columns_left_out": list(table.dropped),
        },
        "counts": _counts(joined, members),
        "groups": {
            name: {column: _described(column, rows) for column in joined.numeric} for name, rows in members.items()
        },
        "categories": _categories(joined, members),
        "tests": _tests(joined, members),
        "rates": {
            "followup": _followup(joined.rows, table.columns),
            "macnab_good_excellent": share(sum(row.patient.text("macnab") in MACNAB[:2] for row in rated), len(rated)),
        },
        "agreement": agreement(joined),
    }
    return CohortStudy(document, joined)


def write_cohort(study: CohortStudy, out: Path) -> tuple[Path, ...]:
    """Write cohort.json, .md, .html, tables/*.csv and plots/*.png and *.svg; the same input, the same bytes.

    Raises
    ------
    ConfigError
        Where OUT is a folder of results.
    OutputError
        Where the disk does not take it.
    """
    refuse_results_folder(out)
    tables = study.tables()
    plots = draw_plots(study.document, study.joined)
    rules = {name.capitalize(): text for name, text in study.document["rules"].items()} | {"Use": DISCLAIMER}
    files: dict[str, bytes] = {f"tables/{table.name}.csv": csv_text(table).encode() for table in tables}
    for name, (png, svg) in plots.items():
        files |= {f"plots/{name}.png": png, f"plots/{name}.svg": svg.encode()}
    pictures = {name: svg for name, (_, svg) in plots.items()}
    files |= {
        "cohort.md": markdown(tables, HEADING, rules, tuple(plots)).encode(),
        "cohort.html": html_page(tables, HEADING, rules, pictures).encode(),
        "cohort.json": document_text(study.document).encode(),
    }
    write_files(out, files, "The cohort")
    return tuple(out / name for name in files)


def _grouping(by: str) -> str:
    return _GROUPING if by == GROUP else f"Patients are grouped by the column '{by}' of the clinical table."


def _members(joined: Joined) -> dict[str, list[Row]]:
    """All patients, then each group that has any: leak types in their order, other names by the alphabet."""
    found = {row.group for row in joined.rows if row.group is not None}
    order = [name for name in GROUPS if name in found] if joined.by == GROUP else sorted(found)
    named = {name: [row for row in joined.rows if row.group == name] for name in order if name != ALL}
    return {ALL: list(joined.rows)} | named


def _described(column: str, rows: list[Row]) -> Json:
    values = [row.numbers[column] for row in rows if column in row.numbers]
    return describe(values, len(rows) - len(values))


def _categories(joined: Joined, members: dict[str, list[Row]]) -> Json:
    """How often each entry of a column of words stands, by group; columns where nearly every entry differs are text."""
    texts = dict.fromkeys(name for row in joined.rows for name in row.patient.texts)
    found: Json = {}
    for column in texts:
        values = [row.patient.text(column) for row in joined.rows]
        entries = list(MACNAB) if column == "macnab" else sorted({value for value in values if value is not None})
        if column in (*KEYS, *joined.numeric) or len(entries) > MAX_CATEGORIES:
            continue
        found[column] = {
            group: {entry: sum(row.patient.text(column) == entry for row in rows) for entry in entries}
            | {"missing": sum(row.patient.text(column) is None for row in rows)}
            for group, rows in members.items()
        }
    return found


def _tests(joined: Joined, members: dict[str, list[Row]]) -> list[Json]:
    groups = {name: rows for name, rows in members.items() if name != ALL}
    found = []
    for column in joined.numeric:
        values = {name: [row.numbers[column] for row in rows if column in row.numbers] for name, rows in groups.items()}
        found += between_groups(column, values)
    for stem in stems(joined.numeric):
        for name, rows in members.items():
            found += over_time(stem, name, [row.numbers for row in rows])
    return found


def _counts(joined: Joined, members: dict[str, list[Row]]) -> Json:
    """Patients by group; with results, leaks and patients by leak type, and patterns."""
    told: Json = {"patients_by_group": {name: len(rows) for name, rows in members.items() if name != ALL}}
    known = [row for row in joined.rows if row.case_id is not None]
    if not joined.has_results:
        return told | {"leaks_by_type": None, "patients_by_type": None, "patterns": None}
    leaks = Counter(leak["type"] for row in known for leak in row.leaks)
    patients = Counter(kind for row in known for kind in {leak["type"] for leak in row.leaks})
    kinds = [kind for kind in GROUPS if kind in leaks]
    return told | {
        "leaks_by_type": {kind: leaks[kind] for kind in kinds},
        "patients_by_type": {kind: share(patients[kind], len(known)) for kind in kinds},
        "patterns": {name: share(sum(row.pattern[name] for row in known), len(known)) for name in _PATTERNS},
    }


def _followup(rows: tuple[Row, ...], columns: tuple[str, ...]) -> Json:
    """Patients seen again of all; nothing is known where the column is missing."""
    if "followup_months" not in columns:
        return share(0, 0)
    return share(sum("followup_months" in row.numbers for row in rows), len(rows))
