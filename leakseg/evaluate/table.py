"""One table of an evaluation, before anyone decides how it looks."""

from __future__ import annotations

from dataclasses import dataclass

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """One table; ``name`` is its CSV file's, ``figure`` the plot that belongs to it."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    figure: str | None = None
