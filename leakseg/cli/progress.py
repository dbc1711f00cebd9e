"""How a batch goes, on stderr: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from leakseg.case import CaseOutcome

if TYPE_CHECKING:
    from rich.progress import Progress

    from leakseg.batch.job import Watcher


@contextmanager
def watching() -> Iterator[Watcher]:
    """A watcher for the kind of stderr there is."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress)


class _Lines:
    """One line a case."""

    def __init__(self) -> None:
        self._total, self._ended = 0, 0

    def found(self, cases: int) -> None:
        self._total = cases
        self._say(f"{cases} case{'s' * (cases != 1)} found")

    def ended(self, outcome: CaseOutcome) -> None:
        self._ended += 1
        self._say(f"[{self._ended}/{self._total}] {one_line(outcome)}")

    @staticmethod
    def _say(line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


class _Bar:
    """A bar; cases that were refused or failed stand above it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("Looking for scans", total=None)

    def found(self, cases: int) -> None:
        self._progress.update(self._task, description="Analysing", total=cases)

    def ended(self, outcome: CaseOutcome) -> None:
        if outcome.status in {"refused", "failed"}:
            self._progress.console.print(one_line(outcome), markup=False, highlight=False)
        self._progress.advance(self._task)


def one_line(outcome: CaseOutcome) -> str:
    """One case in one line; a name with a line break in it stays one line."""
    case_id = outcome.case_id if outcome.case_id.isprintable() else repr(outcome.case_id)
    told = f": {outcome.reason}" if outcome.reason else f" ({outcome.seconds:.1f} s)" * (outcome.status == "done")
    return f"{case_id} {outcome.status}{told}"
