"""The tables of a comparison and its verdict in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leakseg.evaluate.table import Table

Json = Mapping[str, Any]
_TITLES = {"pre": "before", "post": "after", "followup": "at follow-up"}


def verdict(document: Json) -> str:
    """What became of the cement outside bone, the canal and the resected bone, in plain words."""
    later = list(document["registration"])
    leaks = document["leaks"]
    if not leaks:
        return "No cement outside bone was found before surgery."
    before = sum(leak["volume_pre_mm3"] for leak in leaks)
    words = []
    for name in later:
        told = [leak for leak in leaks if leak[f"volume_{name}_mm3"] is not None]
        if not told:
            words.append(f"{_TITLES[name]}: not measurable")
            continue
        rest, whole = sum(leak[f"volume_{name}_mm3"] for leak in told), sum(leak["volume_pre_mm3"] for leak in told)
        partly = "" if len(told) == len(leaks) else f" ({len(told)} of {len(leaks)} leaks measurable)"
        share = 100 * (whole - rest) / whole if whole else 0.0
        words.append(f"{_TITLES[name]} {rest:.0f} mm³ remain, {share:.0f} % is gone{partly}")
    text = f"{len(leaks)} leaks, {before:.0f} mm³ outside bone before; " + "; ".join(words) + "."
    resected = sum(bone["resected_mm3"] for bone in document["bone"])
    if resected:
        text += f" {resected:.0f} mm³ of bone were resected"
        healed = [bone["healed_mm3"] for bone in document["bone"] if bone["healed_mm3"] is not None]
        text += f", {100 * sum(healed) / resected:.0f} % is back at bone density." if healed else "."
    new = sum(len(pieces) for pieces in document["new_cement"].values())
    refused = sum(bool(match["refused"]) for name in later for match in document["registration"][name])
    text += f" {new} pieces of cement are new or have moved." if new else ""
    text += f" {refused} vertebrae could not be compared; see below." if refused else ""
    return " ".join([text, *document["doubts"]])


def make_tables(document: Json, pictures: tuple[str, ...]) -> tuple[Table, ...]:
    """Leaks, levels, new cement, bone, registration, scans; each leak's picture stands with a table of its own."""
    shown = tuple(
        Table(name, f"Leak {leak['id']}: {leak['type']} {leak['segment']} {leak['side']}", ("measure", "value"),
              tuple((key, _cell(value)) for key, value in leak.items() if "_" in key), figure=name)
        for leak in document["leaks"]
        if (name := f"leak-{leak['id']}") in pictures
    )  # fmt: skip
    bone = tuple(
        (one["level"], part["region"], part["side"], part["resected_mm3"], part["healed_mm3"], part["healed_percent"])
        for one in document["bone"]
        for part in one["regions"]
    )
    new = tuple(
        (name, piece["volume_mm3"], piece["nearest_level"], piece["type"], piece["moved_from"])
        for name, pieces in document["new_cement"].items()
        for piece in pieces
    )
    columns = ("level", "region", "side", "resected_mm3", "healed_mm3", "healed_percent")
    matches = [{"scan": name, **match} for name, told in document["registration"].items() for match in told]
    scans = [{"scan": name, **scan} for name, scan in document["scans"].items()]
    return (
        _rows("leaks", "Leaks before and after", document["leaks"]),
        *shown,
        _rows("levels", "Levels before and after", document["levels"]),
        Table("new_cement", "New or moved cement", ("scan", "volume_mm3", "near", "type", "moved from leak"), new),
        Table("bone", "Bone resected and healed", columns, bone),
        _rows("registration", "Vertebrae found again", matches, leave=("matrix",)),
        _rows("scans", "Scans", scans, leave=("quality",)),
    )


def _rows(name: str, title: str, items: list[Any], leave: tuple[str, ...] = ()) -> Table:
    columns = tuple(key for key in dict.fromkeys(key for item in items for key in item) if key not in leave)
    rows = tuple(tuple(_cell(item.get(key)) for key in columns) for item in items)
    return Table(name, title, columns, rows)


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in value)
    return str(value).lower() if isinstance(value, bool) else value
