"""The cases found under SCANS, remembered in OUT: a resumed run opens no file that has not changed.

What is kept holds no path and nothing of a patient: files are told by their number in the walk, which the
next run takes again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import leakseg
from leakseg.batch.output import INVENTORY, write_json, writing
from leakseg.criteria import ReadingCriteria
from leakseg.findings import QualityNote
from leakseg.readers import IgnoredFile, Inventory, SeriesEntry, take_inventory
from leakseg.readers.naming import relative_path
from leakseg.readers.walk import FoundFile, walk
from leakseg.spelt import SpeltPaths, spelt
from leakseg.volume import ScanSource


@dataclass(frozen=True)
class FoundCases:
    """The cases under SCANS, and how many files were passed over for what reason, most often first."""

    cases: tuple[SeriesEntry, ...]
    passed_over: dict[str, int]
    seen: Mapping[str, FoundFile] = field(default_factory=dict, repr=False)
    """The files looked at, by name, as they were then."""


def find_cases(scans: Sequence[Path], criteria: ReadingCriteria, out: Path, *, all_series: bool) -> FoundCases:
    """The cases under SCANS, from the headers, or from what an earlier run into OUT read where no file changed.

    A file counts as unchanged by its path under SCANS, its size and its modification time, as everywhere
    in a run (see `leakseg.batch.plan.input_digest`).
    """
    seen = list(walk(scans))
    found = [one for one in seen if isinstance(one, FoundFile)]
    unopened = [one for one in seen if isinstance(one, IgnoredFile)]
    by_name = {one.name: one for one in found}
    key = _key(found, asdict(criteria) | {"all_series": all_series, "leakseg": leakseg.__version__})
    known = _read(out / INVENTORY)
    if known.get("key") == key:
        try:
            passed_over = _by_reason(unopened, known["passed_over"])
            return FoundCases(_entries(known["cases"], found), passed_over, by_name)
        except (LookupError, TypeError, ValueError):
            pass  # not as it was written: read the headers again
    inventory = take_inventory(scans, criteria, all_series=all_series)
    opened = _passed_over(inventory, {one.path for one in unopened})
    _keep(out / INVENTORY, key, inventory.cases(), found, opened)
    return FoundCases(inventory.cases(), _by_reason(unopened, opened), by_name)


def _passed_over(inventory: Inventory, unopened: set[Path]) -> dict[str, int]:
    """By reason, how many files were opened and passed over; series of studies without CT are among them."""
    counts = Counter(one.reason for one in inventory.ignored if one.path not in unopened)
    for study in inventory.studies:
        if all(entry.modality != "CT" and not entry.source.case_id for entry in study.series):
            for entry in study.series:
                counts[entry.reason or "Not CT."] += len(entry.source.files)
    return dict(counts)


def _by_reason(unopened: Iterable[IgnoredFile], opened: dict[str, int]) -> dict[str, int]:
    counts = Counter(one.reason for one in unopened) + Counter(opened)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _key(found: Sequence[FoundFile], about: dict[str, Any]) -> str:
    """SHA-256 over everything that what is found depends on."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode())
    for root in dict.fromkeys(one.root for one in found):
        digest.update(os.fsencode(f"{root}\0{root.absolute()}\n"))
    digest.update(os.fsencode("".join(f"{one.order}\0{one.name}\0{one.size}\0{one.changed_ns}\n" for one in found)))
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _keep(
    path: Path, key: str, entries: tuple[SeriesEntry, ...], found: Sequence[FoundFile], passed_over: dict[str, int]
) -> None:
    numbers = {one.name: number for number, one in enumerate(found)}
    try:
        cases = [_told(entry, numbers) for entry in entries]
        if _entries(json.loads(json.dumps(cases)), found) != entries:
            return
    except (LookupError, TypeError, ValueError):
        return
    with writing(path.name):
        path.unlink(missing_ok=True)
    write_json(path, {"key": key, "cases": cases, "passed_over": passed_over}, mode=0o600)


def _told(entry: SeriesEntry, numbers: dict[str, int]) -> dict[str, Any]:
    """The entry as JSON, its files as runs of numbers, its folder as steps up from the first of them."""
    source = entry.source
    files = [numbers[name] for name in spelt(source.files)]
    breaks = [0, *(at for at, (one, two) in enumerate(pairwise(files), start=1) if two != one + 1), len(files)]
    told = {name: getattr(entry, name) for name in _PLAIN}
    told["notes"] = [asdict(note) for note in entry.notes]
    told["source"] = {name: getattr(source, name) for name in _PLAIN_SOURCE}
    told["runs"] = [(files[start], files[stop - 1] + 1) for start, stop in pairwise(breaks)]
    told["up"] = list(source.files[0].parents).index(source.folder)
    return told


_PLAIN = ("modality", "slices", "spacing_mm", "analysable", "reason", "chosen", "choice", "z_range_mm")
_PLAIN_SOURCE = ("case_id", "kind", "study_instance_uid", "series_instance_uid")


def _entries(cases: list[dict[str, Any]], found: Sequence[FoundFile]) -> tuple[SeriesEntry, ...]:
    return tuple(_entry(told, found) for told in cases)


def _entry(told: dict[str, Any], found: Sequence[FoundFile]) -> SeriesEntry:
    members = [one for start, stop in told["runs"] for one in found[start:stop]]
    first = members[0]
    path = first.path
    folder = path.parents[told["up"]]
    place = path if path == first.root or told["source"]["kind"] != "dicom" else folder
    source = ScanSource(
        relative_path=relative_path(place, first.root),
        folder=folder,
        files=SpeltPaths(one.name for one in members),
        **told["source"],
    )
    entry = SeriesEntry(source, **{name: told[name] for name in _PLAIN})
    return replace(
        entry,
        spacing_mm=_tuple(entry.spacing_mm),
        z_range_mm=_tuple(entry.z_range_mm),
        notes=tuple(QualityNote(**note) for note in told["notes"]),
    )


def _tuple(values: Any) -> Any:
    return None if values is None else tuple(values)
