"""``edits.toml``: what a reader wants corrected, read and checked against itself."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from leakseg.anatomy import VertebraLevel
from leakseg.errors import ConfigError
from leakseg.findings import LeakRoute, LeakSubtype, LeakType, Side

NONE = "none"
"""What a reader writes to say that a leak has no subtype, or that its route is not known."""
Strike = Literal["not cement", "in bone"]
STRIKES: tuple[Strike, ...] = ("not cement", "in bone")
_LONGEST_NAME = 64
_CASE_KEYS = ("reader", "when", "comment", "reviewed", "from_first", "shift_levels", "levels", "leaks")
_LEAK_KEYS = ("type", "subtype", "route", "side", "level", "segment", "strike", "comment")


@dataclass(frozen=True)
class LeakEdits:
    """Changes of one leak; None: as it is."""

    type: LeakType | None = None
    subtype: LeakSubtype | Literal["none"] | None = None
    route: LeakRoute | Literal["none"] | None = None
    side: Side | None = None
    level: VertebraLevel | None = None
    segment: str | None = None
    strike: Strike | None = None
    comment: str | None = None


@dataclass(frozen=True)
class Edits:
    """A reader's corrections of one case.

    Parameters
    ----------
    reader
        Who says so, as the reader gives it.
    when
        When, as the file says; None where it does not.
    reviewed
        The reader has looked at the whole case.
    from_first
        The corrections are of the first result, earlier ones are dropped.
    shift_levels
        Every level so many places down the spine; up where negative.
    levels
        New names of single levels.
    """

    reader: str
    when: datetime | None = None
    comment: str | None = None
    reviewed: bool = False
    from_first: bool = False
    shift_levels: int = 0
    levels: Mapping[VertebraLevel, VertebraLevel] = field(default_factory=dict)
    leaks: Mapping[int, LeakEdits] = field(default_factory=dict)


def read_edits(path: Path) -> Edits:
    """The corrections in a file.

    Raises
    ------
    ConfigError
        Where it cannot be read, names something unknown, or does not say who the reader is.
    """
    try:
        return parse_edits(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"The edits file '{path}' cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"The edits file '{path}' is not UTF-8 text; save it as UTF-8.") from error


def parse_edits(text: str) -> Edits:
    """The corrections in a TOML text; raises as `read_edits`."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # no TOML, a number of thousands of digits, nested without end
        raise ConfigError(f"The edits file is not valid TOML: {error}.") from error
    _known(data, _CASE_KEYS, "")
    reader = _text(data, "reader", "")
    if not reader:
        raise ConfigError('The edits file does not say who the reader is; begin it with a line such as reader = "…".')
    if len(reader) > _LONGEST_NAME or set(reader) & set("\\^="):
        raise ConfigError(
            f"The reader's name must be at most {_LONGEST_NAME} characters without \\, ^ and =, as DICOM asks for."
        )
    both = data.get("shift_levels") and data.get("levels")
    if both:
        raise ConfigError("The edits file gives both shift_levels and [levels]; rename levels in one way.")
    return Edits(
        reader=reader,
        when=_when(data.get("when")),
        comment=_text(data, "comment", ""),
        reviewed=_flag(data, "reviewed"),
        from_first=_flag(data, "from_first"),
        shift_levels=_whole(data.get("shift_levels", 0)),
        levels={_level(old, "[levels]"): _level(new, "[levels]") for old, new in _table(data, "levels").items()},
        leaks={_leak_id(name): _leak(name, entry) for name, entry in _table(data, "leaks").items()},
    )


def _leak(name: str, entry: Any) -> LeakEdits:
    where = f"[leaks.{name}]"
    if not isinstance(entry, Mapping):
        raise ConfigError(f'The edits file has no table {where}; write {where} on a line and below it type = "…".')
    _known(entry, _LEAK_KEYS, f" in {where}")
    edits = LeakEdits(
        type=_member(LeakType, entry, "type", where),
        subtype=_or_none(LeakSubtype, entry, "subtype", where),
        route=_or_none(LeakRoute, entry, "route", where),
        side=_member(Side, entry, "side", where),
        level=None if "level" not in entry else _level(entry["level"], where),
        segment=_text(entry, "segment", where),
        strike=_strike(entry, where),
        comment=_text(entry, "comment", where),
    )
    changed = {key for key in entry if key not in {"strike", "comment"}}
    if edits.strike and changed:
        raise ConfigError(f"{where} strikes the leak out and changes its {_listed(sorted(changed))}; do one of both.")
    return edits


def _strike(entry: Mapping[str, Any], where: str) -> Strike | None:
    value = entry.get("strike")
    if value is None:
        return None
    found = next((one for one in STRIKES if one == value), None)
    if found is None:
        raise ConfigError(
            f"{where} has strike = {_shown(value)}; a leak is struck out as {_listed(_quoted(STRIKES), 'or')}."
        )
    return found


def _member(kind: Any, entry: Mapping[str, Any], key: str, where: str, more: tuple[str, ...] = ()) -> Any:
    value = entry.get(key)
    if value is None:
        return None
    names = [*(str(one) for one in kind), *more]
    if value not in names:
        raise ConfigError(f"{where} has {key} = {_shown(value)}; it must be {_listed(_quoted(names), 'or')}.")
    return value if value in more else kind(value)


def _or_none(kind: Any, entry: Mapping[str, Any], key: str, where: str) -> Any:
    return _member(kind, entry, key, where, (NONE,))


def _level(name: Any, where: str) -> VertebraLevel:
    if name not in set(VertebraLevel):
        raise ConfigError(f"{where} names the level {_shown(name)}; levels are written C1 to C7, T1 to T13, L1 to S2.")
    return VertebraLevel(name)


def _leak_id(name: str) -> int:
    if not name.isdecimal():
        raise ConfigError(f"[leaks.{name}] is no leak: write the leak's number, such as [leaks.1].")
    return int(name)


def _when(value: Any) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise ConfigError("The edits file's 'when' is no date and time; write it as 2026-01-31T15:30:00, unquoted.")
    return value.astimezone()


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"The edits file has shift_levels = {_shown(value)}; write a whole number, such as 1 or -1.")
    return value


def _flag(data: Mapping[str, Any], key: str) -> bool:
    value = data.get(key, False)
    if not isinstance(value, bool):
        raise ConfigError(f"The edits file has {key} = {_shown(value)}; write true or false, unquoted.")
    return value


def _text(data: Mapping[str, Any], key: str, where: str) -> str | None:
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ConfigError(f"{where or 'The edits file'} has {key} = {_shown(value)}; write it in quotes.")
    return " ".join(value.split()) or None


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key, {})
    if not isinstance(value, Mapping):
        raise ConfigError(f"The edits file's '{key}' is no table; see the page of the case for how to write it.")
    return value


def _known(data: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in data:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {_listed(keys)}."
            raise ConfigError(f"The edits file has an unknown key '{key}'{where}; {hint}")


def _quoted(names: Iterable[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def _shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return " ".join(text.split())


def _listed(names: Iterable[str], word: str = "and") -> str:
    *most, last = names
    return f"{', '.join(most)} {word} {last}" if most else last
