"""Take the inventory of scan folders: find files, read headers, group, judge, choose, name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from leakseg.criteria import ReadingCriteria
from leakseg.errors import ConfigError, InputError
from leakseg.nifti import NRRD_ENDINGS, is_image_name, read_grid
from leakseg.readers.beside import Unusable, unusable_beside
from leakseg.readers.choice import Candidate, choose
from leakseg.readers.header_reader import HeaderReader
from leakseg.readers.headers import Identity, ImageHeader, SliceHeader, UnreadableError
from leakseg.readers.images import NOT_HOUNSFIELD, fault_of, meaning_of_values
from leakseg.readers.inventory import IgnoredFile, Inventory, SeriesEntry, StudyEntry
from leakseg.readers.naming import case_id, relative_path
from leakseg.readers.series import judge
from leakseg.readers.walk import FoundFile, walk
from leakseg.volume import ScanSource


@dataclass
class _Found:
    """What the walk brings together; grows while files are read."""

    series: dict[tuple[str, str], list[tuple[FoundFile, SliceHeader]]] = field(default_factory=dict)
    images: list[FoundFile] = field(default_factory=list)
    ignored: list[IgnoredFile] = field(default_factory=list)


def take_inventory(scans: Sequence[Path], criteria: ReadingCriteria, *, all_series: bool = False) -> Inventory:
    """Everything under SCANS: studies and series, what would be analysed, and what was passed over and why.

    Parameters
    ----------
    scans
        Folders, of any depth, or files.
    criteria
        What makes a series fit.
    all_series
        Whether every analysable series becomes a case, not only the best of each study.

    Raises
    ------
    ConfigError
        Where one of the paths is not there.
    """
    for path in scans:
        if not os.path.lexists(path):
            raise ConfigError(f"There is no file or folder '{path}'.")
    found = _read_all(scans)
    studies: list[StudyEntry] = []
    cases: list[tuple[tuple[object, ...], SeriesEntry, Identity | None]] = []
    by_study: dict[str, list[list[tuple[FoundFile, SliceHeader]]]] = {}
    for (study_uid, _), slices in found.series.items():
        by_study.setdefault(study_uid, []).append(slices)
    for study_uid, members in by_study.items():
        entries, orders = _study(members, criteria)
        entries = [replace(entry, chosen=entry.analysable) for entry in entries] if all_series else entries
        studies.append(
            StudyEntry(study_uid or None, _common([entry.source.folder for entry in entries]), tuple(entries))
        )
        cases += [
            (orders[position], _refused_whole(entries, position), members[position][0][1].image.identity)
            for position in _cases_of(entries)
        ]
    for image in found.images:
        entry = _image_entry(image, criteria)
        if isinstance(entry, IgnoredFile):
            found.ignored.append(entry)
            continue
        studies.append(StudyEntry(None, entry.source.folder, (entry,)))
        cases.append(((image.order, entry.source.relative_path, 0, ""), entry, None))
    return _named(studies, found.ignored, cases)


def _read_all(scans: Sequence[Path]) -> _Found:
    found = _Found()
    same: dict[ImageHeader, ImageHeader] = {}
    reader = HeaderReader()
    for one in walk(scans):
        if isinstance(one, IgnoredFile):
            found.ignored.append(one)
        elif is_image_name(one.name):
            found.images.append(one)
        else:
            path = one.path
            try:
                slices = reader.read(path)
            except UnreadableError as error:
                found.ignored.append(IgnoredFile(path, str(error)))
                continue
            for header in slices:
                shared = replace(header, image=same.setdefault(header.image, header.image))
                key = (shared.image.study_uid, shared.image.series_uid)
                found.series.setdefault(key, []).append((one, shared))
    return found


def _study(
    members: Sequence[list[tuple[FoundFile, SliceHeader]]], criteria: ReadingCriteria
) -> tuple[list[SeriesEntry], list[tuple[object, ...]]]:
    """The entries of one study's series with the chosen one marked, and what to sort each by."""
    entries: list[SeriesEntry] = []
    orders: list[tuple[object, ...]] = []
    candidates: dict[int, Candidate] = {}
    unusable: list[Unusable] = []
    for number, member in enumerate(members):
        judged = judge([header for _, header in member], criteria)
        image = member[0][1].image
        source = _source(member)
        stack = judged.stack
        entry = SeriesEntry(
            source,
            image.modality,
            len(member),
            stack.spacing_mm if stack else None,
            analysable=judged.refusal is None,
            reason=str(judged.refusal) if judged.refusal else None,
            notes=judged.notes,
            z_range_mm=stack.z_range_mm() if stack else None,
        )
        entries.append(entry)
        orders.append((member[0][0].order, source.relative_path, _number(image), image.series_uid))
        if stack is not None and entry.analysable:
            candidates[number] = Candidate(entry, stack, number)
        if judged.refusal is not None and judged.meant_as_scan and image.modality == "CT":
            unusable.append(Unusable([header for _, header in member], judged.refusal))
    if candidates:
        for number, entry in zip(candidates, choose(list(candidates.values()), criteria), strict=True):
            told = unusable_beside(candidates[number].stack, unusable, criteria) if entry.chosen else []
            entries[number] = replace(entry, notes=(*entry.notes, *told))
    return entries, orders


def _cases_of(entries: Sequence[SeriesEntry]) -> list[int]:
    """Which of a study's entries are cases: those chosen, else one CT series for the refusal, else none."""
    chosen = [number for number, entry in enumerate(entries) if entry.chosen]
    if chosen:
        return chosen
    refused = [number for number, entry in enumerate(entries) if entry.modality == "CT"]
    return sorted(refused, key=lambda number: -entries[number].slices)[:1]


def _refused_whole(entries: Sequence[SeriesEntry], position: int) -> SeriesEntry:
    """The entry, which tells the reasons of its study's other CT series too where none can be analysed."""
    entry = entries[position]
    if entry.analysable:
        return entry
    others = {one.reason for one in entries if one.modality == "CT" and one.reason} - {entry.reason}
    if not others:
        return entry
    return replace(
        entry, reason=f"{entry.reason} The study's other CT series: {' '.join(sorted(filter(None, others)))}"
    )


def _named(
    studies: Sequence[StudyEntry],
    ignored: Iterable[IgnoredFile],
    cases: list[tuple[tuple[object, ...], SeriesEntry, Identity | None]],
) -> Inventory:
    """The inventory with its cases in order, each under a name of its own."""
    taken: set[str] = set()
    named: dict[tuple[str | None, Sequence[Path]], str] = {}
    ordered: list[SeriesEntry] = []
    for _, entry, identity in sorted(cases, key=lambda case: case[0]):
        source = entry.source
        name = case_id(source.relative_path, source.series_instance_uid, identity, taken)
        taken.add(name)
        named[source.series_instance_uid, source.files] = name
        ordered.append(replace(entry, source=replace(source, case_id=name)))

    def with_name(entry: SeriesEntry) -> SeriesEntry:
        name = named.get((entry.source.series_instance_uid, entry.source.files), "")
        return replace(entry, source=replace(entry.source, case_id=name))

    return Inventory(
        tuple(replace(study, series=tuple(with_name(entry) for entry in study.series)) for study in studies),
        tuple(ignored),
        tuple(ordered),
    )


def _source(member: Sequence[tuple[FoundFile, SliceHeader]]) -> ScanSource:
    found, header = member[0]
    files = tuple(dict.fromkeys(header.path for _, header in member))
    folder = _common([path.parent for path in files])
    if not folder.is_relative_to(found.root):
        folder = found.root if found.root.is_dir() else found.root.parent
    place = found.root if found.path == found.root else folder
    return ScanSource(
        "",
        relative_path(place, found.root),
        folder,
        files,
        "dicom",
        header.image.study_uid or None,
        header.image.series_uid or None,
    )


def _image_entry(found: FoundFile, criteria: ReadingCriteria) -> SeriesEntry | IgnoredFile:
    path = found.path
    kind = "nrrd" if path.name.lower().endswith(NRRD_ENDINGS) else "nifti"
    source = ScanSource("", relative_path(path, found.root), path.parent, (path,), kind)  # type: ignore[arg-type]  # one of two
    try:
        grid = read_grid(path)
        meaning = meaning_of_values(path)
        if meaning == "labels":
            return IgnoredFile(path, "A label image (whole numbers, few of them, none negative), not a scan.")
    except InputError as error:
        return SeriesEntry(source, "", 0, None, analysable=False, reason=str(error))
    reason = fault_of(grid, criteria) or (NOT_HOUNSFIELD if meaning == "unknown" else None)
    low, high = grid.corners_mm()[:, 2].min(), grid.corners_mm()[:, 2].max()
    return SeriesEntry(
        source,
        "CT",
        grid.shape[0],
        grid.spacing_mm,
        analysable=reason is None,
        reason=reason,
        chosen=reason is None,
        z_range_mm=(float(low), float(high)),
    )


def _common(folders: Sequence[Path]) -> Path:
    """The folder that holds them all; the first where they have none in common."""
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:
        return folders[0]


def _number(image: ImageHeader) -> float:
    return float("inf") if image.series_number is None else float(image.series_number)
