"""``report.json``: everything leakseg says of one case, in the order of its JSON Schema."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from leakseg.errors import OutputError
from leakseg.findings import CaseReport, CaseResult

NAME = "report.json"
_DECIMALS = {"mm": 2, "mm2": 2, "mm3": 2, "hu": 1, "fraction": 4, "confidence": 4, "measured": 4}
"""Decimals by the unit that ends a field's name: more would claim what no CT can measure."""
_EXACT = ("series", "criteria")
"""Parts whose numbers are not measures of ours."""
_ROOTS = tuple(f"{part}{n}" for part, last in (("C", 8), ("T", 13), ("L", 6), ("S", 5)) for n in range(1, last + 1))
"""Nerve roots: one more than vertebrae in the neck."""
_OPTIONAL = "amended"
"""Stands in a report only where a reader corrected the case."""
_FIRST = ("schema_version", "case_id", "status", "needs_review", "disclaimer")


def write(result: CaseResult, folder: Path) -> tuple[Path, ...]:
    """Write ``report.json``; the same report gives the same bytes."""
    path = folder / NAME
    path.write_text(report_json(result.report), encoding="utf-8", errors="backslashreplace")
    return (path,)


def report_json(report: CaseReport) -> str:
    """The report as JSON text, its measures rounded by unit (0.01 mm, 0.01 mm3, 0.1 HU).

    Raises
    ------
    OutputError
        Where a value is not finite: "not measurable" is null, and a report never holds NaN.
    """
    document = asdict(report)
    if report.amended is None:
        del document[_OPTIONAL]
    for where, value in _numbers(document, ""):
        if not math.isfinite(value):
            raise OutputError(f"The report's {where[1:]} is {value}: a measure must be finite, or null.")
    rounded = {key: value if key in _EXACT else _rounded(value, key) for key, value in document.items()}
    ordered = {key: rounded[key] for key in _FIRST} | rounded
    return json.dumps(ordered, indent=2, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"


def report_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of ``report.json``."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(CaseReport).json_schema(mode="serialization")
    for part in (schema, *schema.get("$defs", {}).values()):
        if part.get("type") == "object" and "properties" in part:
            part["required"] = list(part["properties"])
    leak = schema["$defs"]["Leak"]["properties"]
    leak["exiting_root"]["anyOf"][0]["enum"] = list(_ROOTS)
    leak["confidence"]["anyOf"][0] |= {"minimum": 0, "maximum": 1}
    ordered = {key: schema["properties"][key] for key in _FIRST} | schema["properties"]
    schema |= {"properties": ordered, "required": [key for key in ordered if key != _OPTIONAL]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "leakseg report.json",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _numbers(value: Any, where: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, float):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from _numbers(item, f"{where}[{position}]")


def _rounded(value: Any, name: str) -> Any:
    if isinstance(value, float):
        decimals = _DECIMALS.get(name.rpartition("_")[2])
        return value if decimals is None else round(float(value), decimals) + 0.0
    if isinstance(value, dict):
        return {key: _rounded(item, key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item, name) for item in value]
    return value


def _plain(value: Any) -> Any:
    """NumPy's own integers and booleans as Python's."""
    return value.item()
