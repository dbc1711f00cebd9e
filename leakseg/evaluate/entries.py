"""Leaks as a document tells them, checked: a value that is none of its kind is refused, never scored as wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from math import inf, isfinite
from typing import Any

from leakseg.anatomy import VertebraLevel
from leakseg.errors import InputError
from leakseg.evaluate.values import LeakEntry
from leakseg.findings import LeakRoute, LeakSubtype, LeakType, Side

NUMBERS: Mapping[str, tuple[float, str]] = {
    "volume_mm3": (inf, "a volume of 0 mm³ or more"),
    "canal_encroachment_fraction": (1.0, "a fraction between 0 and 1"),
    "confidence": (1.0, "between 0 and 1"),
}
"""Fields that hold numbers from 0: the greatest that each can be, and what it is."""
_WORDS: Mapping[str, type[StrEnum]] = {"side": Side, "route": LeakRoute, "subtype": LeakSubtype}
_MOST_TOLD = 40


def leak_entries(items: Sequence[Any], where: str) -> tuple[LeakEntry, ...]:
    """The leaks that a document lists.

    Raises
    ------
    InputError
        Where one cannot be used, or two have the same id.
    """
    leaks = tuple(_leak(item, position, where) for position, item in enumerate(items, start=1))
    if len({leak.id for leak in leaks}) < len(leaks):
        raise InputError(f"{where} gives two leaks the same id.")
    return leaks


def _leak(item: Any, position: int, where: str) -> LeakEntry:
    if not isinstance(item, dict):
        raise InputError(f"Leak {position} in {where} is no object with id, type and level.")
    number = item.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise InputError(f"Leak {position} in {where} has {_told(number, 'id')}; expected a whole number from 1.")
    leak = f"Leak {number} in {where}"
    try:
        kind = LeakType(str(item.get("type")))
    except ValueError:
        raise InputError(
            f"{leak} has {_told(item.get('type'), 'type')}; expected one of {', '.join(LeakType)}."
        ) from None
    try:
        level = VertebraLevel(str(item.get("level")))
    except ValueError:
        raise InputError(f"{leak} has {_told(item.get('level'), 'level')}; expected a name such as L1.") from None
    _check_words(item, leak)
    _check_numbers(item, leak)
    return LeakEntry(number, kind, level, item)


def _check_words(item: Mapping[str, Any], leak: str) -> None:
    """A reader's ``Left`` or ``L1-L2`` would count as a wrong answer by whoever says ``left`` or ``L1/L2``."""
    for name, kind in _WORDS.items():
        value = item.get(name)
        if value is not None and value not in tuple(kind):
            raise InputError(f"{leak} has {_told(value, name)}; expected one of {', '.join(kind)}.")
    segment = item.get("segment")
    parts = segment.split("/") if isinstance(segment, str) else [segment]
    if segment is not None and (len(parts) > 2 or any(part not in tuple(VertebraLevel) for part in parts)):
        raise InputError(f"{leak} has {_told(segment, 'segment')}; expected L1, or L1/L2 in a foramen or a disc.")


def _check_numbers(item: Mapping[str, Any], leak: str) -> None:
    for name, (most, words) in NUMBERS.items():
        value = item.get(name)
        if value is None:
            continue
        if not _is_number(value):
            raise InputError(f"{leak}: {name} is not a number.")
        if not 0 <= value <= most:
            raise InputError(f"{leak}: {name} is not {words}.")


def _told(value: Any, name: str) -> str:
    """What was found in place of a field's value, in a few words of one line."""
    if value is None:
        return f"no {name}"
    text = repr(value)
    return f"the {name} {text[:_MOST_TOLD]}{'…' * (len(text) > _MOST_TOLD)}"


def _is_number(value: Any) -> bool:
    """Whether it is a finite number; JSON's whole numbers may be larger than any float."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    except OverflowError:
        return False
