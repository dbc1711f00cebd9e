"""What every part of a recipe shares."""

from __future__ import annotations

Range = tuple[float, float]
"""Lowest and highest value of what is drawn evenly in between."""
STRICT = {"extra": "forbid"}
"""Every key must be known."""
