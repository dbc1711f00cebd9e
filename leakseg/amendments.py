"""What readers changed in a report: who, when, each value before and now; part of `report.json`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """One change by a reader: ``of`` a thing ("leak 2", "level L1", "case"), what, its value before and now."""

    of: str
    what: str
    was: str | None
    now: str | None


@dataclass(frozen=True)
class Amendment:
    """What one reader changed at one time."""

    who: str
    when: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Amended:
    """The latest amendment, those before it (oldest first), and where the first result is kept."""

    who: str
    when: str
    edits: tuple[Edit, ...]
    original: str
    earlier: tuple[Amendment, ...] = ()

    def history(self) -> tuple[Amendment, ...]:
        """All amendments, oldest first."""
        return (*self.earlier, Amendment(self.who, self.when, self.edits))
