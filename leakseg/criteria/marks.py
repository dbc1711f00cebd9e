"""What stands beside every criterion: its unit and its source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """Unit of a criterion; ``"1"`` for plain ratios and counts."""

    symbol: str


@dataclass(frozen=True)
class Source:
    """Where a criterion's value comes from."""

    text: str


CONVENTION = Source("convention")


CONVENTION = Source("convention")
