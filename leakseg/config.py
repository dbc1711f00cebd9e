"""What a run is asked to do: a recipe from TOML, with the command line's own choices on top."""

from __future__ import annotations

import ast
import difflib
import hashlib
import inspect
import json
import math
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from annotated_types import Ge, MinLen

from leakseg import criteria as criteria_table
from leakseg.criteria import Criteria
from leakseg.errors import ConfigError
from leakseg.providers.totalsegmentator import TotalSegmentator
from leakseg.writers import check_names, default_names

_EXAMPLES = {
    "label_scheme": '# label_scheme = "verse"',
    "workers": "# workers = 4",
    "device": '# device = "gpu"',
    "cache": '# cache = "/shared/totalsegmentator"',
    "scheduler": '# scheduler = "tcp://host:8786"',
}
"""What stands in a complete recipe for keys that have no value of their own."""


@dataclass(frozen=True, kw_only=True)
class AnalysisConfig:
    """A recipe: which masks, which rules, which outputs, on how many processes."""

    masks: Annotated[tuple[str, ...], MinLen(1)] = ("auto",)
    """Where vertebra and canal masks come from: "auto", files, a folder, or role=path."""
    label_scheme: str | None = None
    """What label numbers mean: verse, totalsegmentator, totalsegmentator_v1, spineps, cads, or a TOML file."""
    classifier: str = "rules"
    """Leak classifier: a name (`leakseg show plugins` lists them) or MODULE:CLASS."""
    write: Annotated[tuple[str, ...], MinLen(1)] = field(default_factory=default_names)
    """Outputs; report.json is always written, for it marks a case complete."""
    all_series: bool = False
    """Analyse every fit series of a study, not only the best."""
    workers: Annotated[int, Ge(0)] | None = None
    """Processes on this machine; all cores where not given, 0 for none but the command's own. With a scheduler:
    cases handed over at a time."""
    scheduler: str | None = None
    """Address of a running Dask scheduler that the cases go to instead of local processes."""
    totalsegmentator: TotalSegmentator = field(default_factory=TotalSegmentator)
    """How TotalSegmentator is run, where it draws the masks."""
    criteria: Criteria = field(default_factory=Criteria)
    """Thresholds of the method, by group."""

    def digest(self) -> str:
        """``sha256:...`` over all that may change a result; ``workers`` and ``scheduler`` may not."""
        parts: dict[str, Any] = {
            "masks": self.masks,
            "label_scheme": self.label_scheme,
            "classifier": self.classifier,
            "write": sorted(self.write),
            "criteria": criteria_table.digest(self.criteria),
        }
        if self.masks == ("totalsegmentator",):
            parts["totalsegmentator"] = self.totalsegmentator.choices
        return "sha256:" + hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def load_config(recipe: Path | None = None, choices: Mapping[str, Any] | None = None) -> AnalysisConfig:
    """The recipe in a TOML file, with choices that win over it (None: not chosen).

    Raises
    ------
    ConfigError
        Where the file cannot be read, a key is unknown, or a value has the wrong type or is out of bounds.
    """
    data = _read_toml(recipe) if recipe else {}
    for key, value in (choices or {}).items():
        if isinstance(value, Mapping) and isinstance(data.get(key, {}), Mapping):
            data[key] = data.get(key, {}) | {name: one for name, one in value.items() if one is not None}
        elif value is not None:
            data[key] = value
    where = "The recipe" if recipe else "The configuration"
    for path, message in _unknown_keys(AnalysisConfig, data, ()):
        raise ConfigError(f"{where} has {message} at '{'.'.join(path)}'; `leakseg show config` prints every key.")
    config = _validate(data, where)
    check_names(config.write)
    return config


def config_toml(config: AnalysisConfig | None = None) -> str:
    """A complete recipe as TOML: every key with its meaning, unit, bound and source as comments."""
    config = config or AnalysisConfig()
    lines = ["# A leakseg recipe: keep what you change, delete the rest.", ""]
    lines += _toml_keys(config)
    lines += ["[totalsegmentator]", f"# {docstrings(AnalysisConfig)['totalsegmentator']}", ""]
    lines += _toml_keys(config.totalsegmentator)
    rows = {(row.group, row.name): row for row in criteria_table.table(config.criteria)}
    for group in fields(config.criteria):
        kind = type(getattr(config.criteria, group.name))
        lines += [f"[criteria.{group.name}]", f"# {(inspect.getdoc(kind) or '').splitlines()[0]}"]
        for name, text in docstrings(kind).items():
            row = rows[group.name, name]
            lines += [f"# {text}", f"{name} = {_toml_value(row.value)}  # unit: {row.unit}; source: {row.source}"]
        lines.append("")
    return "\n".join(lines)


def _toml_keys(values: Any) -> list[str]:
    """A line for each plain value, with its meaning above it."""
    told = docstrings(type(values))
    lines = []
    for item in fields(values):
        value = getattr(values, item.name)
        if not is_dataclass(value):
            plain = f"{item.name} = {_toml_value(value)}" if value is not None else _EXAMPLES[item.name]
            lines += [f"# {told[item.name]}", plain, ""]
    return lines


def docstrings(kind: type) -> dict[str, str]:
    """The string under each field of a dataclass, on one line, in order of definition."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    told = {}
    for line, below in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            text = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
            told[line.target.id] = " ".join(str(text).split())
    return told


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The recipe {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"The recipe {path} is not UTF-8 text.") from error
    except (ValueError, RecursionError) as error:  # no TOML, a number of thousands of digits, nested without end
        raise ConfigError(f"The recipe {path} is not valid TOML: {error}.") from error


def _unknown_keys(kind: type, data: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    hints = get_type_hints(kind)
    for key, value in data.items():
        here = (*path, key)
        if key not in hints:
            near = _nearest(here, hints)
            yield here, "an unknown key" + (f" (did you mean '{near}'?)" if near else "")
        elif is_dataclass(hints[key]) and isinstance(value, Mapping):
            yield from _unknown_keys(hints[key], value, here)
        elif isinstance(value, float) and not math.isfinite(value):
            yield here, "a number that is not finite"


def _nearest(path: tuple[str, ...], beside: Iterable[str]) -> str | None:
    """The key that may have been meant: one of that name elsewhere, a like one there, or a like one elsewhere."""
    elsewhere = {places[-1]: ".".join(places) for places in _places(AnalysisConfig, ())}
    if path[-1] in elsewhere:
        return elsewhere[path[-1]]
    near = difflib.get_close_matches(path[-1], beside, n=1) or difflib.get_close_matches(path[-1], elsewhere, n=1)
    return near[0] if near and near[0] in beside else elsewhere[near[0]] if near else None


def _places(kind: type, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every key that a recipe may hold, with the tables it stands in."""
    hints = get_type_hints(kind)
    for key in hints:
        if is_dataclass(hints[key]):
            yield from _places(hints[key], (*path, key))
        else:
            yield (*path, key)


def _validate(data: dict[str, Any], where: str) -> AnalysisConfig:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(AnalysisConfig).validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{where} says {path} = {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}."
        ) from error


def _toml_value(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)
