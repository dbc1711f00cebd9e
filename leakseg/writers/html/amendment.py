"""What a page says of a reader's corrections: both versions, comments, and an edits file to start from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from leakseg import wording
from leakseg.findings import CaseReport, Leak

_SAFE = re.compile(r"[\w.+-]+", re.ASCII)


def argument(name: str) -> str:
    """A name as it may stand on a command line."""
    return name if _SAFE.fullmatch(name) and not name.startswith("-") else f'"./{name}"'


def about(leak: Leak, report: CaseReport) -> dict[str, Any]:
    """Who named the leak's type, where it was not the program, and what readers say of it."""
    history = report.amended.history() if report.amended else ()
    own = [(one, edit) for one in history for edit in one.edits if edit.of == f"leak {leak.id}"]
    judges = [one.who for one, edit in own if edit.what in {"type", "subtype", "route"}]
    return {
        "reader": f"So named by {judges[-1]}; the program's reasons stand in the first result." if judges else "",
        "comments": [f"{edit.now} ({one.who})" for one, edit in own if edit.what == "comment"],
    }


def both_versions(first: CaseReport, now: CaseReport) -> list[tuple[str, str, str]]:
    """Rows of what differs: name, in the first result, as amended."""
    rows = []
    kept = {leak.id: leak for leak in now.leaks}
    for leak in first.leaks:
        was = wording.leak_phrase(leak)
        told = wording.leak_phrase(kept[leak.id]) if leak.id in kept else "struck out"
        rows.append((f"Leak {leak.id}", f"{was}; from {leak.level}", _from(told, kept.get(leak.id))))
    renamed = [(old.level, new.level) for old, new in zip(first.levels, now.levels, strict=True)]
    if any(old != new for old, new in renamed):
        rows.append(("Levels", ", ".join(old for old, _ in renamed), ", ".join(new for _, new in renamed)))
    volumes = [f"{one.cement.leaked_volume_mm3:.0f} mm³ outside bone" for one in (first, now)]
    reviews = ["yes" if one.needs_review else "no" for one in (first, now)]
    for name, (was, is_now) in (("Leaked cement", volumes), ("Needs review", reviews)):
        if was != is_now:
            rows.append((name, was, is_now))
    return rows


def _from(told: str, leak: Leak | None) -> str:
    return told if leak is None else f"{told}; from {leak.level}"


def starter(report: CaseReport) -> str:
    """An edits file with this case's leaks and levels, every change commented out."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: CaseReport) -> Iterator[str]:
    yield 'reader = ""  # your name, as it is to stand in the results'
    yield "# reviewed = true  # you have looked at the whole case: it needs no further review"
    yield '# comment = "…"  # on the whole case'
    if report.amended:
        yield "# from_first = true  # begin again from the program's first result"
    yield ""
    yield "# shift_levels = 1  # every level one further down (T12 becomes L1); -1: one further up"
    yield "# [levels]  # or name single ones"
    for level in report.levels:
        yield f'# {level.level} = "{level.level}"'
    for leak in report.leaks:
        yield ""
        yield f"[leaks.{leak.id}]  # {wording.leak_phrase(leak)}"
        yield f'# type = "{leak.type}"  # {", ".join(wording.SEVERITY)}'
        yield f'# subtype = "{leak.subtype or "none"}"'
        yield f'# route = "{leak.route or "none"}"  # B, S, C, D, needle or none'
        yield f'# side = "{leak.side}"  # the patient\'s: left, right, midline, bilateral'
        yield f'# level = "{leak.level}"  # the vertebra that the cement came from'
        yield f'# segment = "{leak.segment}"  # where it lies: a level; between two in a foramen or disc, such as L1/L2'
        yield '# strike = "not cement"  # no leak at all: "not cement", or "in bone"'
        yield f"# comment = {json.dumps('…', ensure_ascii=False)}"
