"""The ledger of an OUT: one JSON line for each case that ended, appended by the parent only."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, replace
from io import FileIO
from pathlib import Path
from typing import Any

import leakseg
from leakseg.batch.output import writing
from leakseg.case import CaseOutcome, Status
from leakseg.replaced import REPORT

NAME = "ledger.jsonl"
_LAST_BYTES = 16


class Ledger:
    """What ended in an OUT so far; the last line of a case counts."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._lines = _read(out / NAME)
        self._stream: FileIO | None = None

    def done_before(self, case_id: str, input_digest: str, recipe_digest: str) -> CaseOutcome | None:
        """The earlier outcome where the case is done with that input, recipe and this version, and still there."""
        line = self._lines.get(case_id)
        wanted = ("done", input_digest, recipe_digest, leakseg.__version__)
        if line is None or wanted != tuple(
            line.get(key) for key in ("status", "input_digest", "recipe_digest", "leakseg")
        ):
            return None
        return self._earlier(case_id)

    def with_earlier(self, ended: Iterable[CaseOutcome]) -> list[CaseOutcome]:
        """Those cases and the ones that ended before, in order of case_id."""
        told = {one.case_id: one for one in ended}
        for case_id in self._lines.keys() - told.keys():
            if (earlier := self._earlier(case_id)) is not None:
                told[case_id] = earlier
        return [told[case_id] for case_id in sorted(told)]

    def _earlier(self, case_id: str) -> CaseOutcome | None:
        """How the case ended before; None where it was done and its results are gone or damaged."""
        line = self._lines[case_id]
        status: Status = "skipped" if line.get("status") == "done" else line.get("status", "failed")
        if status == "skipped" and not _is_whole(self._out / case_id / REPORT):
            return None
        return CaseOutcome(
            case_id,
            status,
            line.get("reason"),
            float(line.get("seconds", 0.0)),
            str(line.get("input_digest", "")),
            str(line.get("recipe_digest", "")),
            line.get("study_instance_uid"),
            line.get("series_instance_uid"),
        )

    def append(self, outcome: CaseOutcome) -> None:
        """Write one line, down to the disk."""
        line = asdict(replace(outcome, trace=())) | {"leakseg": leakseg.__version__, "trace": list(outcome.trace)}
        self._lines[outcome.case_id] = line
        with writing(NAME):
            if self._stream is None:
                self._stream = _open(self._out / NAME)
            self._stream.write((json.dumps(line, ensure_ascii=False) + "\n").encode(errors="backslashreplace"))
            os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _is_whole(report: Path) -> bool:
    """Whether a report is there to its end: one that a failing disk cut short or filled with zeros is not."""
    try:
        with report.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LAST_BYTES))
            return stream.read().rstrip().endswith(b"}")
    except OSError:
        return False


def _open(path: Path) -> FileIO:
    """The ledger at its end, unbuffered; a last line torn by a power cut is closed first."""
    stream = path.open("a+b", buffering=0)
    if stream.tell():
        stream.seek(-1, os.SEEK_END)
        if stream.read(1) != b"\n":
            stream.write(b"\n")
    return stream


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """Lines by case; one that is no JSON (torn by a power cut) tells nothing."""
    lines: dict[str, dict[str, Any]] = {}
    if not path.is_file():
        return lines
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and isinstance(line.get("case_id"), str):
            lines[line["case_id"]] = line
    return lines
