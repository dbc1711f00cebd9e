"""The tables of a cohort, before anyone decides how they look."""

from __future__ import annotations

from leakseg.evaluate.statistics import Json
from leakseg.evaluate.table import Table
from leakseg.studies.cohort.comparisons import TIMES
from leakseg.studies.cohort.joined import Joined

_FOUND = "from leakseg's reports"


def make_tables(document: Json, joined: Joined) -> tuple[Table, ...]:
    """Counts, groups, tests, rates, agreement and the joined rows."""
    return (
        _counts(document),
        _groups(document),
        _categories(document),
        _tests(document),
        _rates(document),
        _agreement(document),
        _patients(joined),
        _left_out(document),
    )


def _counts(document: Json) -> Table:
    counts, n = document["counts"], document["patients"]["n"]
    rows: list[tuple[str | int | float | None, ...]] = [
        ("patients", name, k, n, None, None, None) for name, k in counts["patients_by_group"].items()
    ]
    for kind, k in (counts["leaks_by_type"] or {}).items():
        rows.append(("leaks found", kind, k, sum(counts["leaks_by_type"].values()), None, None, None))
    for what, told in (("patients with such a leak", "patients_by_type"), ("patients with the pattern", "patterns")):
        for name, one in (counts[told] or {}).items():
            rows.append((what, name, one["k"], one["n"], one["value"], one["low"], one["high"]))
    columns = ("what", "name", "k", "n", "share", "low", "high")
    note = "Staged: the founding study staged surgery of such leaks; what was done here is the clinical table's to say."
    return Table("counts", "Patients and leaks by type and pattern", columns, tuple(rows), note)


def _groups(document: Json) -> Table:
    rows = []
    for group, columns in document["groups"].items():
        for column, one in columns.items():
            stem, _, time = column.rpartition("_")
            measure, when = (stem, time) if time in TIMES else (column, None)
            spread = None if one["mean"] is None else _mean_sd(one["mean"], one["sd"])
            between = None if one["median"] is None else f"{one['median']:.2f} ({one['min']:g} to {one['max']:g})"
            rows.append((measure, when, group, one["n"], one["missing"], spread, between))
    rows.sort(key=lambda row: list(document["groups"]).index(str(row[2])))
    columns = ("measure", "time", "group", "n", "missing", "mean ± SD", "median (range)")
    return Table("groups", "Measures by group and time", columns, tuple(rows), figure="course")


def _categories(document: Json) -> Table:
    rows = tuple(
        (column, group, entry, k, sum(k for name, k in entries.items() if name != "missing"), entries["missing"])
        for column, groups in document["categories"].items()
        for group, entries in groups.items()
        for entry, k in entries.items()
        if entry != "missing"
    )
    return Table("categories", "Entries in words by group", ("column", "group", "entry", "k", "n", "missing"), rows)


def _mean_sd(mean: float, sd: float | None) -> str:
    return f"{mean:.2f}" if sd is None else f"{mean:.2f} ± {sd:.2f}"


def _tests(document: Json) -> Table:
    rows = tuple(
        (
            test["column"],
            test.get("to"),
            ", ".join(test["groups"]),
            test["test"],
            test["n"],
            test["statistic"],
            test["p"],
            test.get("change_mean"),
        )
        for test in document["tests"]
    )
    columns = ("column", "to", "groups", "test", "n", "statistic", "p", "mean change")
    note = "No statistic: all values are alike, and there is nothing to test."
    return Table("tests", "Tests", columns, rows, note)


def _rates(document: Json) -> Table:
    named = {"followed up": "followup", "Macnab good or excellent": "macnab_good_excellent"}
    rows = tuple(
        (
            title,
            one["k"],
            one["n"],
            None if one["value"] is None else round(100 * one["value"], 1),
            one["low"],
            one["high"],
        )
        for title, one in ((title, document["rates"][name]) for title, name in named.items())
    )
    return Table("rates", "Rates", ("rate", "k", "n", "%", "low", "high"), rows, "n: patients for whom it is known.")


def _agreement(document: Json) -> Table:
    rows = tuple(
        (" / ".join(one["raters"]), one["statistic"], one["agreed"], one["n"], one["value"], one["low"], one["high"])
        for one in document["agreement"]
    )
    columns = ("raters", "statistic", "agreed", "n", "kappa", "low", "high")
    note = "Patients that every rater named. No kappa: all always gave one and the same name."
    return Table("agreement", "Agreement on the leak type", columns, rows, note)


def _patients(joined: Joined) -> Table:
    texts = dict.fromkeys(name for row in joined.rows for name in row.patient.texts)
    names = [name for name in texts if name not in joined.numeric]
    rows = tuple(
        (
            row.group,
            row.found_group,
            *(row.patient.texts.get(name) for name in names),
            *(row.numbers.get(name) for name in joined.numeric),
        )
        for row in joined.rows
    )
    columns = ("group", "leakseg", *names, *joined.numeric)
    return Table("patients", "Patients", columns, rows, f"leakseg and the last columns: {_FOUND}.")


def _left_out(document: Json) -> Table:
    told = document["patients"]
    rows = (
        *((f"line {line}", "no result of this patient was found") for line in told["lines_without_result"]),
        *((case, "no row of the clinical table names this case") for case in told["cases_without_row"]),
        *((name, "column left out: its name tells who a patient is") for name in told["columns_left_out"]),
    )
    return Table("left_out", "Left out", ("what", "why"), rows)
