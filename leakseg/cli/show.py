"""`leakseg show`: criteria, schema, plugins, a recipe to start from, label schemes, a case's features."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from leakseg.errors import ConfigError


def criteria(recipe: Path | None, *, as_json: bool) -> None:
    """Print every criterion with value, unit and source."""
    from leakseg.config import load_config
    from leakseg.criteria import table

    rows = table(load_config(recipe).criteria)
    if as_json:
        _print_json({"criteria": [asdict(row) for row in rows]})
        return
    _print_table(
        ("criterion", "value", "unit", "source"),
        [(f"{row.group}.{row.name}", f"{row.value}", row.unit, row.source) for row in rows],
    )


def schema(*, as_json: bool) -> None:
    """Print the JSON Schema of report.json; it is JSON with --json and without."""
    from leakseg.writers.json_report import report_schema

    del as_json
    _print_json(report_schema())


def plugins(*, as_json: bool) -> None:
    """Print the leak classifiers installed."""
    from leakseg.plugins import list_plugins

    found = list_plugins()
    if as_json:
        _print_json({"plugins": [asdict(plugin) for plugin in found]})
        return
    _print_table(
        ("leak classifier", "version", "from", "problem"),
        [(plugin.name, plugin.version or "-", plugin.distribution, plugin.problem or "") for plugin in found],
    )


def config(recipe: Path | None, *, as_json: bool) -> None:
    """Print a complete recipe."""
    from leakseg.config import config_toml, load_config

    effective = load_config(recipe)
    if as_json:
        _print_json(asdict(effective))
        return
    sys.stdout.write(config_toml(effective))


def features(case: Path, *, as_json: bool) -> None:
    """Print the features.csv of a finished case; with ``as_json`` as objects, null where not measurable."""
    from leakseg.writers.features_csv import HEAD, NAME

    path = case / NAME
    if not path.is_file():
        done = (case / "report.json").is_file()
        advice = "run it again with --write json,csv" if done else "name a case's folder in the results of a run"
        raise ConfigError(f"There is no {NAME} in '{case}'; {advice}.")
    text = path.read_text(encoding="utf-8")
    if not as_json:
        sys.stdout.write(text)
        return
    rows = [
        {name: value or None if name in HEAD else float(value) if value else None for name, value in row.items()}
        | {name: int(row[name]) for name in ("id", "component")}
        for row in csv.DictReader(text.splitlines())
    ]
    _print_json({"candidates": rows})


def labels(scheme: str | None, *, as_json: bool) -> None:
    """Print label schemes."""
    from leakseg.providers.schemes import SCHEMES

    if scheme is not None and scheme not in SCHEMES:
        raise ConfigError(f"There is no label scheme '{scheme}'. Choose one of: {', '.join(SCHEMES)}.")
    chosen = {name: one for name, one in SCHEMES.items() if scheme in {None, name}}
    named = {
        name: {number: str(meaning) for number, meaning in sorted(one.numbers.items()) if str(meaning) != "other"}
        for name, one in chosen.items()
    }
    if as_json:
        _print_json({"schemes": named})
        return
    _print_table(
        ("scheme", "number", "structure"),
        [(name, str(number), meaning) for name, numbers in named.items() for number, meaning in numbers.items()],
    )


def _print_json(document: Any) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns padded with spaces: readable, and easy to cut with awk."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")
