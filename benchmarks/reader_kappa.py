"""How far two readers, or a reader and leakseg, agree: Cohen's kappa a leak type, with its 95 % interval.

    python benchmarks/reader_kappa.py FIRST SECOND

FIRST and SECOND are each the folder of a `leakseg run`, or a reader's table: a CSV with one row for each treated
vertebra and the columns case_id, level, epidural, foraminal, venous, intradiscal, paravertebral (1: such a leak came
from this vertebra; 0 or empty: none). Vertebrae of cases that only one of the two has judged are left out and counted.
A vertebra that one of them does not list within a case that both judged has no leak for him. Type and level of a leak
count; side, place and volume do not. The interval is a bootstrap over patients (percentiles), for vertebrae of one
patient are not independent. Where both say the same of every vertebra by chance alone, kappa is not defined: "-".

Nothing but Python itself is needed.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TYPES = ("epidural", "foraminal", "venous", "intradiscal", "paravertebral")
JUDGED = ("done", "skipped")
RESAMPLES = 2000


@dataclass(frozen=True)
class Reading:
    """What one reader said: the cases judged, the vertebrae listed, and the leaks as (case, level, type)."""

    cases: frozenset[str]
    vertebrae: frozenset[tuple[str, str]]
    leaks: frozenset[tuple[str, str, str]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    options = parser.parse_args()
    one, other = (read(path) for path in (options.first, options.second))
    both = sorted(one.cases & other.cases)
    units = sorted(unit for unit in one.vertebrae | other.vertebrae if unit[0] in one.cases & other.cases)
    print(
        f"{len(both)} cases and {len(units)} vertebrae judged by both; {len(one.cases ^ other.cases)} cases by one only"
    )
    print("type           both  first only  second only  neither  agreement  kappa  95 % interval")
    for kind in TYPES:
        pairs: dict[str, list[tuple[bool, bool]]] = {case: [] for case in both}
        for case, level in units:
            pairs[case].append(((case, level, kind) in one.leaks, (case, level, kind) in other.leaks))
        print(line(kind, list(pairs.values())))
    return 0


def read(path: Path) -> Reading:
    """A reader's table, or the tables of a run."""
    if path.is_dir():
        judged = [row for row in rows(path / "summary.csv") if row["status"] in JUDGED]
        leaks = {(row["case_id"], row["level"], row["type"]) for row in rows(path / "leaks.csv")}
        listed = {(row["case_id"], level) for row in judged for level in row["treated_levels"].split(";") if level}
        cases = frozenset(row["case_id"] for row in judged)
    else:
        table = rows(path)
        check(table, path)
        leaks = {(row["case_id"], row["level"], kind) for row in table for kind in TYPES if row[kind].strip() == "1"}
        listed = {(row["case_id"], row["level"]) for row in table}
        cases = frozenset(row["case_id"] for row in table)
    return Reading(cases, frozenset(listed | {leak[:2] for leak in leaks}), frozenset(leaks))


def rows(path: Path) -> list[dict[str, str]]:
    """A table's rows that are not empty: commas, semicolons (as German spreadsheets write) or tabs between."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        delimiter = max(",;\t", key=stream.readline().count)
        stream.seek(0)
        return [row for row in csv.DictReader(stream, delimiter=delimiter, restval="") if any(row.values())]


def check(table: list[dict[str, str]], path: Path) -> None:
    """End where a reader's table is not as it must be: "yes" or "x" would count as no leak."""
    missing = [name for name in ("case_id", "level", *TYPES) if table and name not in table[0]]
    if missing or not table:
        sys.exit(f"{path}: {'no column ' + ', '.join(missing) if missing else 'no row'}; see --help.")
    seen = set()
    for number, row in enumerate(table, start=2):
        for kind in TYPES:
            if row[kind].strip() not in {"", "0", "1"}:
                sys.exit(f"{path}, line {number}: {kind} is {row[kind]!r}; expected 1, 0 or nothing.")
        unit = (row["case_id"], row["level"])
        if unit in seen or not all(unit):
            sys.exit(f"{path}, line {number}: {'judged twice' if unit in seen else 'no case_id or level'}: {unit}.")
        seen.add(unit)


def line(kind: str, patients: list[list[tuple[bool, bool]]]) -> str:
    pairs = [pair for patient in patients for pair in patient]
    counts = [sum(pair == wanted for pair in pairs) for wanted in ((True, True), (True, False), (False, True))]
    same = sum(a == b for a, b in pairs) / len(pairs) if pairs else 0.0
    generator = random.Random(1)
    drawn = (
        sorted(
            value
            for _ in range(RESAMPLES)
            if (value := kappa(pair for patient in generator.choices(patients, k=len(patients)) for pair in patient))
            is not None
        )
        if patients
        else []
    )
    point = kappa(pairs)
    interval = f"{drawn[int(0.025 * len(drawn))]:.2f} to {drawn[int(0.975 * len(drawn))]:.2f}" if drawn else "-"
    return (
        f"{kind:13}  {counts[0]:4}  {counts[1]:10}  {counts[2]:11}  {len(pairs) - sum(counts):7}  "
        f"{same:9.2f}  {'-' if point is None else format(point, '.2f'):>5}  {'-' if point is None else interval}"
    )


def kappa(pairs: Iterable[tuple[bool, bool]]) -> float | None:
    """Cohen 1960, doi 10.1177/001316446002000104; None where chance alone would agree on everything."""
    listed = list(pairs)
    if not listed:
        return None
    n = len(listed)
    first, second = (sum(pair[place] for pair in listed) / n for place in (0, 1))
    chance = first * second + (1 - first) * (1 - second)
    if chance == 1:
        return None
    return (sum(a == b for a, b in listed) / n - chance) / (1 - chance)


if __name__ == "__main__":
    sys.exit(main())
