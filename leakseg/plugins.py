"""Leak classifiers by name or by import path; the built-in one comes through the same door."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from leakseg.errors import PluginError
from leakseg.protocols import LeakClassifier

LEAK_CLASSIFIERS = "leakseg.leak_classifiers"
"""Entry-point group; its entries point to classes that are called without arguments."""


@dataclass(frozen=True)
class PluginInfo:
    """One plugin on offer; ``problem`` says why it cannot be loaded, where it cannot."""

    group: str
    name: str
    target: str
    distribution: str
    version: str | None
    problem: str | None


@dataclass(frozen=True)
class LoadedClassifier:
    """A classifier ready for use, and who it is as a report says it."""

    classifier: LeakClassifier
    identity: str


def load_classifier(name: str) -> LoadedClassifier:
    """The classifier of that name, or the class at ``MODULE:CLASS``.

    Raises
    ------
    PluginError
        Where there is none of that name, it cannot be loaded, or it is no leak classifier.
    """
    if ":" in name:
        entry, origin = _by_path(name), ""
    else:
        entry = _find(name)
        origin = _distribution(entry)
    classifier = _make(entry, origin)
    foreign = f" ({origin})" if origin and not origin.startswith("leakseg ") else ""
    return LoadedClassifier(classifier, f"{classifier.name} {classifier.version}{foreign}")


def list_plugins() -> tuple[PluginInfo, ...]:
    """Every leak classifier installed, loadable or not."""
    found = []
    for entry in sorted(entry_points(group=LEAK_CLASSIFIERS), key=lambda one: one.name):
        version, problem = None, None
        origin = _distribution(entry)
        try:
            version = _make(entry, origin).version
        except PluginError as error:
            problem = str(error)
        found.append(PluginInfo(LEAK_CLASSIFIERS, entry.name, entry.value, origin, version, problem))
    return tuple(found)


def _find(name: str) -> EntryPoint:
    entries = entry_points(group=LEAK_CLASSIFIERS)
    chosen = [entry for entry in entries if entry.name == name]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        owners = " and ".join(sorted(_distribution(entry) or "an unknown package" for entry in chosen))
        raise PluginError(f"Two packages offer a leak classifier '{name}': {owners}. Uninstall one of them.")
    offered = ", ".join(sorted({entry.name for entry in entries})) or "none (install leakseg itself: pip install .)"
    raise PluginError(f"There is no leak classifier '{name}'. Choose one of: {offered}; or give MODULE:CLASS.")


def _by_path(target: str) -> EntryPoint:
    """An entry for ``MODULE:CLASS``; modules in the working directory count, as with ``python -m``."""
    parts = target.replace(":", ".").split(".")
    if target.count(":") != 1 or not all(part.isidentifier() for part in parts):
        raise PluginError(f"The classifier {target!r} is not of the form MODULE:CLASS, such as my_study.rules:Mine.")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    return EntryPoint(target, target, LEAK_CLASSIFIERS)


def _make(entry: EntryPoint, origin: str) -> LeakClassifier:
    who = f"Leak classifier '{entry.name}'" + (f" ({origin})" if origin else "")
    package = origin.partition(" ")[0]
    advice = f"Install what {package} needs" if package else "Check that its module can be imported here"
    try:
        with redirect_stdout(sys.stderr):  # what it prints has no place in the document of --json
            made = entry.load()()
    except (Exception, SystemExit) as error:
        first = (str(error).splitlines() or [""])[0].rstrip(".") or type(error).__name__
        raise PluginError(f"{who} failed to load: {first}. {advice}, or choose another.") from error
    if not isinstance(made, LeakClassifier):
        raise PluginError(f"{who} is no leak classifier: it needs name, version and classify(candidate).")
    return made


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else ""
