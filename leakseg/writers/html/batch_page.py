"""``index.html`` of a run: every case, worst first, with counts and plots; refused and failed ones with reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from leakseg import wording
from leakseg.anatomy import VertebraLevel
from leakseg.findings import DISCLAIMER, CaseReport, LeakType
from leakseg.writers.html.case_page import NAME as CASE_PAGE
from leakseg.writers.html.case_page import THUMBNAIL
from leakseg.writers.html.library import script, template

if TYPE_CHECKING:
    from pydantic import TypeAdapter

NAME = "index.html"
_BAR_WIDTH, _BAR_HEIGHT, _BAR_GAP, _NAME_WIDTH = 220, 16, 4, 110


class IndexCase(Protocol):
    """One case of a run; ``report`` is its report.json, where it has one."""

    @property
    def case_id(self) -> str:
        """Also the name of its folder."""

    @property
    def status(self) -> str:
        """``done``, ``refused``, ``failed`` or ``skipped``."""

    @property
    def reason(self) -> str | None:
        """Why there is no result."""

    @property
    def report(self) -> Mapping[str, Any] | None:
        """The case's report.json."""


def write(cases: Iterable[IndexCase], folder: Path, *, complete: bool = True) -> tuple[Path, ...]:
    """Write the page at once whole; it names files in the cases' folders by relative links.

    Of each report only its row and what the plots count are kept, so that thousands need little memory.
    """
    rows, missing = [], []
    totals = _Totals()
    for case in cases:
        if case.report is None:
            missing.append({"case_id": case.case_id, "status": case.status, "reason": case.reason or ""})
        else:
            report = _parsed(case.report)
            totals.add(report)
            rows.append((_rank(report), _row(report, folder)))
    rows.sort(key=lambda row: (row[0], row[1]["case_id"]))
    for position, (_, row) in enumerate(rows):
        row["rank"] = position
    table, table_hash = script("table.js")
    theme, theme_hash = script("theme.js")
    text = template("index.html.j2").render(
        complete=complete,
        rows=[row for _, row in rows],
        missing=sorted(missing, key=lambda case: (case["status"], case["case_id"])),
        counts=totals.counts(len(missing)),
        plots=totals.plots(),
        types=[str(kind) for kind in wording.SEVERITY],
        levels=sorted(
            {level for _, row in rows for level in row["levels"]}, key=lambda name: VertebraLevel(name).number
        ),
        disclaimer=DISCLAIMER,
        table=table,
        theme=theme,
        hashes=(table_hash, theme_hash),
    )
    path = folder / NAME
    unfinished = folder / f".{NAME}.tmp"
    unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")
    unfinished.replace(path)
    return (path,)


def _parsed(document: Mapping[str, Any]) -> CaseReport:
    return _report_type().validate_python(dict(document))


@cache
def _report_type() -> TypeAdapter[CaseReport]:
    """Made once: it takes as long as a hundred reports to read."""
    from pydantic import TypeAdapter

    return TypeAdapter(CaseReport)


def _rank(report: CaseReport) -> tuple[float, ...]:
    """Sorts worst first: leaks next to nerves by share of the canal, other leaks by volume, then doubt."""
    leaks = wording.worst_first(report.leaks)
    canal = max((leak.canal_encroachment_fraction or 0.0 for leak in leaks), default=0.0)
    worst = wording.severity_rank(leaks[0].type) if leaks else len(wording.SEVERITY)
    neural = worst <= wording.severity_rank(LeakType.FORAMINAL)
    return (0 if neural else 1, -canal, worst, -report.cement.leaked_volume_mm3, 0 if report.needs_review else 1)


def _row(report: CaseReport, folder: Path) -> dict[str, Any]:
    leaks = wording.worst_first(report.leaks)
    address = quote(report.case_id)
    case = folder / report.case_id
    canal = [leak.canal_encroachment_fraction for leak in leaks if leak.canal_encroachment_fraction is not None]
    return {
        "case_id": report.case_id,
        "verdict": wording.verdict(report),
        "page": f"{address}/{CASE_PAGE}" if (case / CASE_PAGE).is_file() else f"{address}/report.json",
        "thumbnail": f"{address}/{THUMBNAIL}" if (case / THUMBNAIL).is_file() else None,
        "types": list(dict.fromkeys(str(leak.type) for leak in leaks)),
        "colours": [wording.COLOURS[kind] for kind in dict.fromkeys(leak.type for leak in leaks)],
        "levels": list(dict.fromkeys(str(leak.level) for leak in leaks))
        or [str(level.level) for level in report.levels if level.treated],
        "leaks": len(leaks),
        "volume": report.cement.leaked_volume_mm3,
        "canal": max(canal) if canal else None,
        "review": report.needs_review,
        "amended": f"amended by {report.amended.who}" if report.amended else "",
        "notes": [note.message for note in report.quality if note.severity != "info"],
    }


class _Totals:
    """What is counted over all cases."""

    def __init__(self) -> None:
        self._cases: Counter[str] = Counter()
        self._types: Counter[LeakType] = Counter()
        self._levels: Counter[VertebraLevel] = Counter()
        self._canal: Counter[int] = Counter()

    def add(self, report: CaseReport) -> None:
        """Count one case."""
        cement = report.cement.total_volume_mm3 > 0
        self._cases["cases"] += 1
        self._cases["with leaks"] += bool(report.leaks)
        self._cases["cement, no leak"] += not report.leaks and cement
        self._cases["no cement"] += not cement
        self._cases["need review"] += report.needs_review
        self._types.update(leak.type for leak in report.leaks)
        self._levels.update(leak.level for leak in report.leaks)
        self._canal.update(
            min(4, int(leak.canal_encroachment_fraction * 10))
            for leak in report.leaks
            if leak.type == LeakType.EPIDURAL and leak.canal_encroachment_fraction is not None
        )

    def counts(self, missing: int) -> list[tuple[str, int]]:
        """Cases by how they ended; ``missing`` of them have no report."""
        named = ("with leaks", "cement, no leak", "no cement", "need review")
        told = [(name, self._cases[name]) for name in named]
        return [("cases", self._cases["cases"] + missing), *told, ("not analysed", missing)]

    def plots(self) -> list[dict[str, Any]]:
        """Bars by type and by level, as numbers that the template draws."""
        if not self._types:
            return []
        levels = sorted(self._levels, key=lambda level: level.number)
        types = [(str(kind), self._types[kind], wording.COLOURS[kind]) for kind in wording.SEVERITY]
        plots = [
            _bars("Leaks by type", types),
            _bars("Leaks by vertebra of origin", [(str(level), self._levels[level], "#0072B2") for level in levels]),
        ]
        if self._canal:
            colour = wording.COLOURS[LeakType.EPIDURAL]
            shares = ("under 10 %", "10 to 20 %", "20 to 30 %", "30 to 40 %", "40 % and more")
            bars = [(name, self._canal[n], colour) for n, name in enumerate(shares)]
            plots.append(_bars("Epidural leaks by share of the canal", bars))
        return plots


def _bars(title: str, values: list[tuple[str, int, str]]) -> dict[str, Any]:
    most = max(count for _, count, _ in values)
    step = _BAR_HEIGHT + _BAR_GAP
    bars = [
        {"name": name, "count": count, "colour": colour, "y": n * step, "width": round(_BAR_WIDTH * count / most, 1)}
        for n, (name, count, colour) in enumerate(values)
    ]
    return {
        "title": title,
        "bars": bars,
        "width": _NAME_WIDTH + _BAR_WIDTH + 50,
        "height": len(bars) * step,
        "left": _NAME_WIDTH,
        "bar": _BAR_HEIGHT,
    }
