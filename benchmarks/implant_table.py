"""The examination: known cement in a real scan, `leakseg run` on it, and the table of what came back.

    python benchmarks/implant_table.py ../shared/data/verse005/ct.nii.gz \\
        --masks vertebrae=../shared/data/verse005/vertebrae.nii.gz \\
        --masks canal=../shared/data/verse005/canal_derived.nii.gz --label-scheme verse

Seeds: 901 and above are the examination's; whoever tunes the classifier or the segmentation uses seeds under 900, so
that no case of the examination has been seen. A case counts as found where the report has any leak with a centroid
within 8 mm of the true one or within the leak's own size; type, level and side are then that leak's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXAM_SEED = 901
REACH_MM = 8.0
CONTROL = "control"


@dataclass
class Row:
    """Counts of one type."""

    cases: int = 0
    found: int = 0
    type: int = 0
    level: int = 0
    side: int = 0
    all_right: int = 0
    extra: int = 0
    misses: list[str] = field(default_factory=list)


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="implant-table-") as folder:
        work = Path(options.keep or folder)
        _leakseg(
            *("phantom", "implant", str(options.scan)),
            *(word for mask in options.masks for word in ("--masks", mask)),
            *(("--label-scheme", options.label_scheme) if options.label_scheme else ()),
            *("--levels", options.levels, "--seed", str(options.seed), "-o", str(work / "cohort")),
            *(("--count", str(options.count)) if options.count else ()),
        )
        results = work / "results"
        _leakseg(
            *("run", str(work / "cohort" / "scans"), "--masks", str(work / "cohort" / "masks")),
            *("-o", str(results), "--workers", str(options.workers), "--write", "json"),
            allowed=(0, 1),
        )
        rows = score(work / "cohort" / "truth", results)
    _print(rows, options.seed)
    return 0


def score(truth: Path, results: Path) -> dict[str, Row]:
    """Join reports with truth by study UID."""
    reports = {}
    for path in results.glob("*/report.json"):
        report = json.loads(path.read_text(encoding="utf-8"))
        reports[report["series"]["study_instance_uid"]] = report
    rows: dict[str, Row] = {}
    for path in sorted(truth.glob("*/truth.json")):
        true = json.loads(path.read_text(encoding="utf-8"))
        report = reports.get(true["study_instance_uid"])
        told = [] if report is None else report["leaks"]
        if not true["leaks"]:
            row = rows.setdefault(CONTROL, Row())
            row.cases += 1
            row.all_right += report is not None and not told
            row.extra += len(told)
            if report is None or told:
                row.misses.append(f"{true['case_id']}: {_told(told) if report else 'no report'}")
            continue
        for leak in true["leaks"]:
            _score_leak(
                rows.setdefault(leak["type"], Row()), true["case_id"], leak, told, have_report=report is not None
            )
    return rows


def _score_leak(row: Row, case_id: str, leak: dict[str, Any], told: list[dict[str, Any]], *, have_report: bool) -> None:
    row.cases += 1
    near = sorted((_apart(leak, other), number) for number, other in enumerate(told))
    reach = max(REACH_MM, 0.8 * leak["volume_mm3"] ** (1 / 3) * 2)
    hits = [told[number] for distance, number in near if distance <= reach]
    row.extra += len(told) - bool(hits)
    if not hits:
        row.misses.append(f"{case_id}: {_told([leak])} not found; told {_told(told) if have_report else 'no report'}")
        return
    best = hits[0]
    right = {name: best[name] == leak[name] for name in ("type", "level", "side")}
    row.found += 1
    row.type += right["type"]
    row.level += right["level"]
    row.side += right["side"]
    row.all_right += all(right.values())
    if not all(right.values()):
        row.misses.append(f"{case_id}: {_told([leak])} was told as {_told([best])}")


def _apart(one: dict[str, Any], other: dict[str, Any]) -> float:
    pairs = zip(one["centroid_mm"], other["centroid_mm"], strict=True)
    return float(sum((a - b) ** 2 for a, b in pairs) ** 0.5)


def _told(leaks: list[dict[str, Any]]) -> str:
    def words(leak: dict[str, Any]) -> str:
        parts = (leak["type"], leak["subtype"], leak["route"], leak["level"], leak["side"])
        return " ".join(str(part) for part in parts if part) + f" {leak['volume_mm3']:.0f} mm3"

    return "; ".join(words(leak) for leak in leaks) or "nothing"


def _print(rows: dict[str, Row], seed: int) -> None:
    print(f"seed {seed}")
    print(f"{'type':<14}{'n':>4}{'found':>7}{'type':>6}{'level':>7}{'side':>6}{'all':>5}{'extra':>7}")
    leaks = {name: row for name, row in rows.items() if name != CONTROL}
    for name, row in sorted(leaks.items()):
        print(_line(name, row))
    total = Row()
    for row in leaks.values():
        for count in ("cases", "found", "type", "level", "side", "all_right", "extra"):
            setattr(total, count, getattr(total, count) + getattr(row, count))
    print(_line("all leaks", total))
    if total.cases:
        print(f"all right: {total.all_right}/{total.cases} = {total.all_right / total.cases:.3f}")
    if CONTROL in rows:
        control = rows[CONTROL]
        print(f"controls with a leak: {control.cases - control.all_right}/{control.cases}")
    for line in _misses(rows):
        print(line)


def _line(name: str, row: Row) -> str:
    counts = f"{row.cases:>4}{row.found:>7}{row.type:>6}{row.level:>7}{row.side:>6}{row.all_right:>5}{row.extra:>7}"
    return f"{name:<14}{counts}"


def _misses(rows: dict[str, Row]) -> Iterator[str]:
    for row in rows.values():
        yield from (f"  {miss}" for miss in row.misses)


def _leakseg(*arguments: str, allowed: tuple[int, ...] = (0,)) -> None:
    done = subprocess.run([sys.executable, "-m", "leakseg", *arguments], check=False, stdout=sys.stderr)
    if done.returncode not in allowed:
        raise SystemExit(f"leakseg {arguments[0]} ended with {done.returncode}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--masks", action="append", required=True)
    parser.add_argument("--label-scheme")
    parser.add_argument("--levels", default="L2,L3,L4")
    parser.add_argument("--seed", type=int, default=EXAM_SEED)
    parser.add_argument("--count", type=int, default=None, help="cases; default: the whole grid once")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for cohort and results instead of a temporary one")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
