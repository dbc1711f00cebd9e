"""Values of DICOM attributes as plain Python; what is absent or malformed is ``None`` or empty."""

from __future__ import annotations

import math
from typing import Any

_MALFORMED = (ValueError, TypeError, AttributeError, OSError, OverflowError, NotImplementedError)
"""What pydicom raises of a value that is not what its attribute should hold."""


def sequence(dataset: Any, keyword: str) -> list[Any]:
    """Items of a sequence; none where it is absent."""
    value = dataset.get(keyword)
    return list(value) if value else []


def parts(value: Any) -> list[str]:
    """A value of one or several parts as strings."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(part) for part in value]


def text(items: Any, keyword: str) -> str:
    """A value as text, empty where it is absent or malformed."""
    try:
        value = items.get(keyword)
        return "" if value is None else str(value).strip()
    except _MALFORMED:
        return ""


def numbers(items: Any, keyword: str, count: int) -> tuple[float, ...] | None:
    """So many finite numbers, else None."""
    try:
        values = tuple(float(value) for value in items.get(keyword) or ())
    except _MALFORMED:
        return None
    return values if len(values) == count and all(map(math.isfinite, values)) else None


def number(items: Any, keyword: str) -> float | None:
    """A finite number, else None."""
    try:
        value = float(items.get(keyword))
    except _MALFORMED:
        return None
    return value if math.isfinite(value) else None


def whole(items: Any, keyword: str) -> int | None:
    """A number cut to a whole one, else None."""
    value = number(items, keyword)
    return None if value is None else int(value)
