"""A report with a reader's corrections: what follows from them is derived anew, the rest stays as measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from leakseg.amendments import Amended, Edit
from leakseg.anatomy import VertebraLevel
from leakseg.answers import SUBTYPES
from leakseg.criteria import LeakCriteria
from leakseg.errors import ConfigError
from leakseg.findings import (
    CaseReport,
    CementReport,
    Leak,
    LeakType,
    LevelReport,
)
from leakseg.stages.pattern import patient_pattern
from leakseg.stages.surgical import surgical_note
from leakseg.studies.amend.edits import NONE, Edits, LeakEdits
from leakseg.studies.amend.renaming import motion_segment, new_names, renamed_segment, root_of
from leakseg.wording import leak_phrase

_BETWEEN = (LeakType.FORAMINAL, LeakType.INTRADISCAL)
"""Types that lie in a motion segment."""
_FIELDS = ("type", "subtype", "route", "level", "segment", "exiting_root", "side")
_JUDGED = ("type", "subtype", "route")
STRUCK, REVIEWED, LEVEL, COMMENT, RESTART = "struck out", "reviewed", "level", "comment", "from the first result"
"""What an `Edit` may be about, besides a leak's fields."""


def corrected(report: CaseReport, edits: Edits, when: str, original: str) -> CaseReport:
    """The report with the corrections in it and with who made them, when, and what was before.

    Raises
    ------
    ConfigError
        Where an edit names a leak or a level that is not there, or makes no sense with the others.
    """
    names = new_names([level.level for level in report.levels], edits.shift_levels, edits.levels)
    _check_leaks(report, edits)
    found = tuple(_renamed(leak, names) for leak in report.leaks)
    struck = {number: one.strike for number, one in edits.leaks.items() if one.strike}
    kept = [leak for leak in found if leak.id not in struck]
    leaks = tuple(_leak(leak, edits.leaks.get(leak.id, LeakEdits()), tuple(names.values())) for leak in kept)
    gone = [leak for leak in found if leak.id in struck]
    levels = tuple(_level(level, names, gone, leaks, edits) for level in report.levels)
    restart = (Edit("case", RESTART, None, "earlier corrections dropped"),) if edits.from_first else ()
    made = (*restart, *_level_edits(names), *_leak_edits(report, leaks, edits), *_case_edits(report, edits))
    if not made:
        raise ConfigError("The edits file changes nothing: every value in it is as it is in the case already.")
    criteria = {item.name: report.criteria[item.name] for item in fields(LeakCriteria) if item.name in report.criteria}
    limits = replace(LeakCriteria(), **criteria)  # type: ignore[arg-type]  # values of the fields they are named after
    pattern = patient_pattern(leaks, limits)
    new = replace(
        report,
        levels=levels,
        cement=_cement(report.cement, gone, edits),
        leaks=leaks,
        patient_pattern=pattern,
        surgical_note=surgical_note(leaks, pattern, limits.profuse_volume_mm3),
        amended=Amended(edits.reader, when, made, original, report.amended.history() if report.amended else ()),
    )
    return replace(new, needs_review=needs_review(new))


def needs_review(report: CaseReport) -> bool:
    """As after an analysis, but nothing that a reader has set is doubtful, nor anything once the case is reviewed."""
    edits = standing(report)
    if any(edit.what == REVIEWED for edit in edits):
        return False
    read = {edit.of for edit in edits if edit.what in _JUDGED}
    limits = {name: report.criteria.get(name, 0.0) for name in ("min_confidence", "min_label_confidence")}
    doubtful_leak = any(
        leak.confidence is None or leak.confidence < float(limits["min_confidence"])
        for leak in report.leaks
        if f"leak {leak.id}" not in read
    )
    doubtful_level = any(
        level.label_confidence is not None and level.label_confidence < float(limits["min_label_confidence"])
        for level in report.levels
    )
    return doubtful_leak or doubtful_level or any(note.severity != "info" for note in report.quality)


def standing(report: CaseReport) -> list[Edit]:
    """Every edit that holds, oldest first: what came before a fresh start from the first result does not."""
    edits: list[Edit] = []
    for one in report.amended.history() if report.amended else ():
        if any(edit.what == RESTART for edit in one.edits):
            edits = []
        edits += one.edits
    return edits


def struck_out(report: CaseReport) -> dict[int, str]:
    """Leaks of the first result that readers struck out, by id, and what they are instead."""
    gone = [edit for edit in standing(report) if edit.what == STRUCK]
    return {int(edit.of.removeprefix("leak ")): edit.now or "" for edit in gone}


def _check_leaks(report: CaseReport, edits: Edits) -> None:
    known = [leak.id for leak in report.leaks]
    for number in edits.leaks:
        if number in known:
            continue
        if any(edit.of == f"leak {number}" and edit.what == STRUCK for edit in standing(report)):
            raise ConfigError(f"Leak {number} was struck out before; from_first = true starts from the first result.")
        has = f"its leaks are {', '.join(map(str, known))}" if known else "it has no leaks"
        raise ConfigError(f"The case has no leak {number}; {has}.")


def _renamed(leak: Leak, names: Mapping[VertebraLevel, VertebraLevel]) -> Leak:
    if all(old == new for old, new in names.items()):
        return leak
    segment = renamed_segment(leak.segment, names)
    root = root_of(segment) if leak.exiting_root else None
    return replace(leak, level=names.get(leak.level, leak.level), segment=segment, exiting_root=root)


def _leak(leak: Leak, edits: LeakEdits, levels: tuple[VertebraLevel, ...]) -> Leak:
    kind, level = edits.type or leak.type, edits.level or leak.level
    told = f"Leak {leak.id}"
    if level not in levels:
        raise ConfigError(f"{told} cannot come from {level}: the case has {', '.join(levels)}.")
    subtype = _chosen(edits.subtype, leak.subtype if kind == leak.type else None)
    if subtype is not None and subtype not in SUBTYPES.get(kind, ()):
        has = ", ".join(SUBTYPES.get(kind, ())) or "no subtypes"
        raise ConfigError(f"{told} cannot be {kind} with the subtype {subtype}; {kind} has {has}.")
    segment = edits.segment or _segment(leak, kind, level)
    _check_segment(segment, kind, levels, told)
    new = replace(
        leak,
        type=kind,
        subtype=subtype,
        route=_chosen(edits.route, leak.route),
        level=level,
        segment=segment,
        exiting_root=root_of(segment) if kind is LeakType.FORAMINAL else None,
        side=edits.side or leak.side,
    )
    # The program's confidence and reasons were for what it had named.
    same = (new.type, new.subtype, new.route) == (leak.type, leak.subtype, leak.route)
    return new if same else replace(new, confidence=None, evidence=())


def _chosen(asked: Any, before: Any) -> Any:
    return before if asked is None else None if asked == NONE else asked


def _segment(leak: Leak, kind: LeakType, level: VertebraLevel) -> str:
    """Where the leak lies if the reader does not say: as before where that still makes sense."""
    pair = motion_segment(leak.segment)
    if kind in _BETWEEN:
        return leak.segment if pair and level in pair else ""
    return level if pair or leak.segment == leak.level else leak.segment


def _check_segment(segment: str, kind: LeakType, levels: tuple[VertebraLevel, ...], told: str) -> None:
    if kind in _BETWEEN:
        pair = motion_segment(segment)
        if pair is None or not set(pair) & set(levels):
            upper = next((level for level in levels[:-1]), levels[0])
            raise ConfigError(
                f'{told} is {kind} now, between two vertebrae; say which, such as segment = "{upper}/…" with the '
                f"vertebra below it."
            )
    elif segment not in levels:
        raise ConfigError(f"{told} is {kind} and lies at one level; its segment must be one of {', '.join(levels)}.")


def _level(
    level: LevelReport,
    names: Mapping[VertebraLevel, VertebraLevel],
    gone: list[Leak],
    leaks: tuple[Leak, ...],
    edits: Edits,
) -> LevelReport:
    """The level under its name; a name that a reader gave is not the program's to doubt."""
    name = names[level.level]
    sure = None if name != level.level else level.label_confidence
    new = replace(level, level=name, label_confidence=sure)
    if any(leak.canal_encroachment_fraction and name in leak.segment.split("/") for leak in gone):
        left = any(leak.canal_encroachment_fraction for leak in leaks)
        new = replace(new, canal_encroachment_fraction=None if left else 0.0)
    regained = sum(leak.volume_mm3 for leak in gone if leak.level == name and edits.leaks[leak.id].strike == "in bone")
    if regained:
        new = replace(new, cement_volume_mm3=new.cement_volume_mm3 + regained, fill_fraction=None)
    return new


def _cement(cement: CementReport, gone: list[Leak], edits: Edits) -> CementReport:
    volumes = {leak.id: leak.volume_mm3 for leak in gone}
    in_bone = sum(volume for number, volume in volumes.items() if edits.leaks[number].strike == "in bone")
    nothing = sum(volumes.values()) - in_bone
    return replace(
        cement,
        total_volume_mm3=max(0.0, cement.total_volume_mm3 - nothing),
        inside_volume_mm3=cement.inside_volume_mm3 + in_bone,
        leaked_volume_mm3=max(0.0, cement.leaked_volume_mm3 - nothing - in_bone),
    )


def _level_edits(names: Mapping[VertebraLevel, VertebraLevel]) -> Iterator[Edit]:
    for old, new in names.items():
        if old != new:
            yield Edit(f"level {old}", LEVEL, old, new)


def _leak_edits(report: CaseReport, leaks: tuple[Leak, ...], edits: Edits) -> Iterator[Edit]:
    """Every field of a leak that differs, whether the reader named it or it followed."""
    now = {leak.id: leak for leak in leaks}
    for leak in report.leaks:
        asked, of = edits.leaks.get(leak.id, LeakEdits()), f"leak {leak.id}"
        if asked.strike:
            yield Edit(of, STRUCK, leak_phrase(leak), asked.strike)
        else:
            for name in _FIELDS:
                was, new = getattr(leak, name), getattr(now[leak.id], name)
                if was != new:
                    yield Edit(of, name, was and str(was), new and str(new))
        if asked.comment:
            yield Edit(of, COMMENT, None, asked.comment)


def _case_edits(report: CaseReport, edits: Edits) -> Iterator[Edit]:
    if edits.comment:
        yield Edit("case", COMMENT, None, edits.comment)
    if edits.reviewed:
        yield Edit("case", REVIEWED, "needs review" if report.needs_review else None, "reviewed by the reader")
