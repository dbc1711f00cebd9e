"""From scans found to requests: masks looked up, inputs fingerprinted, anchors given to their cases."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from leakseg.anchor import Anchor
from leakseg.case import CaseOutcome, CaseRequest
from leakseg.config import AnalysisConfig
from leakseg.errors import ConfigError, InputError
from leakseg.findings import QualityNote
from leakseg.providers import plan_masks
from leakseg.providers.schemes import read_scheme
from leakseg.providers.totalsegmentator import find_program
from leakseg.readers import SeriesEntry
from leakseg.readers.walk import FoundFile
from leakseg.spelt import spelt
from leakseg.volume import ScanSource


@dataclass(frozen=True)
class Shard:
    """Every ``count``-th case, beginning with the ``index``-th (1-based)."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def of(self, entries: Sequence[SeriesEntry]) -> Sequence[SeriesEntry]:
        """The cases of this shard."""
        return entries[self.index - 1 :: self.count]


def parse_shard(text: str) -> Shard:
    """The shard written as ``I/N``.

    Examples
    --------
    >>> parse_shard("2/8")
    Shard(index=2, count=8)
    """
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise ConfigError(f"The shard {text!r} is not of the form I/N with I from 1 to N, such as 3/8.")
    return Shard(int(index), int(count))


def anchors_by_case(anchors: Iterable[Anchor], case_ids: Sequence[str]) -> dict[str, Anchor]:
    """Each anchor under the case it is meant for.

    Raises
    ------
    ConfigError
        Where it names no case of this run, names none though there are several, or is the second of its case.
    """
    found: dict[str, Anchor] = {}
    for anchor in anchors:
        case_id = anchor.case_id
        if case_id is None and len(case_ids) == 1:
            case_id = case_ids[0]
        if case_id is None:
            raise ConfigError(
                f"The anchor {anchor} does not say which of the {len(case_ids)} cases it is for; "
                f"write CASE:{anchor}, with a case from `leakseg inspect`."
            )
        if case_id not in case_ids:
            raise ConfigError(
                f"The anchor {anchor} is for a case that is not among those found; see `leakseg inspect`."
            )
        if case_id in found:
            raise ConfigError(f"Case {case_id} has two anchors, {found[case_id]} and {anchor}; give one.")
        found[case_id] = anchor
    return found


def check_masks(config: AnalysisConfig) -> None:
    """Whether the choice of masks makes sense at all, before any case is looked at.

    Later a broken labels file is one case's own misfortune; a misspelt option is everyone's.

    Raises
    ------
    ConfigError
        Where the specs contradict each other, the scheme is unknown, or TotalSegmentator is not on this machine.
    """
    if config.label_scheme is not None:
        read_scheme(config.label_scheme)
    if config.masks == ("totalsegmentator",) and config.scheduler is None:
        find_program(config.totalsegmentator.command)
    if config.masks != ("auto",):
        nowhere = ScanSource("", "", Path(os.devnull), (), "nifti")
        with contextlib.suppress(InputError, OSError):
            plan_masks(config.masks, nowhere, config.label_scheme)


def plan_case(
    entry: SeriesEntry,
    config: AnalysisConfig,
    out: Path,
    anchor: Anchor | None,
    recipe_digest: str,
    seen: Mapping[str, FoundFile] | None = None,
) -> CaseRequest | CaseOutcome:
    """The request for one case, or its refusal where its series or masks cannot be used.

    ``seen`` are files by name as they were found; see `input_digest`.
    """
    source = entry.source
    recipe_digest = _with_anchor(recipe_digest, anchor)
    reason = None if entry.analysable else entry.reason or "The series cannot be analysed."
    files = spelt(source.files)
    if reason is None:
        try:
            plan = plan_masks(config.masks, source, config.label_scheme)
            files = (*files, *map(str, plan.files))
            digest = input_digest(files, source.folder, seen)
            notes = (*((_choice_note(entry.choice),) if entry.choice else ()), *entry.notes)
            return CaseRequest(source, plan, config, out, digest, recipe_digest, anchor, notes)
        except (InputError, ConfigError) as error:
            reason = str(error)
        except OSError as error:
            reason = f"A file of this case cannot be read: {error.strerror}."
    return CaseOutcome(
        source.case_id,
        "refused",
        reason,
        0.0,
        _digest_or_nothing(files, source.folder),
        recipe_digest,
        source.study_instance_uid,
        source.series_instance_uid,
    )


def from_anywhere(request: CaseRequest) -> CaseRequest:
    """The request with whole paths: a worker elsewhere has another working directory."""
    source, plan = request.source, request.plan
    return replace(
        request,
        source=replace(source, folder=source.folder.absolute(), files=tuple(path.absolute() for path in source.files)),
        plan=replace(plan, masks=tuple(replace(mask, path=mask.path.absolute()) for mask in plan.masks)),
        out=request.out.absolute(),
    )


def input_digest(files: Iterable[Path | str], folder: Path, seen: Mapping[str, FoundFile] | None = None) -> str:
    """``sha256:...`` over the sorted relative paths, sizes and modification times; no file is opened.

    A file among those ``seen`` is not asked again: where it changed since, its digest is that of the file before, and
    the next run does the case anew.
    """
    lines = []
    folders: dict[str, str] = {}
    seen = seen or {}
    for path in set(map(str, files)):  # in a third of the time that paths take, for every slice
        parent, slash, name = path.rpartition(os.sep)
        parent += slash
        if parent not in folders:
            folders[parent] = os.path.relpath(parent or os.curdir, folder)
        if found := seen.get(path):
            size, changed_ns = found.size, found.changed_ns
        else:
            state = os.stat(path)  # noqa: PTH116 - a third of the time of Path.stat
            size, changed_ns = state.st_size, state.st_mtime_ns
        name = name if folders[parent] == "." else f"{folders[parent]}{os.sep}{name}"
        lines.append(f"{name}\0{size}\0{changed_ns}\n")
    return "sha256:" + hashlib.sha256("".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()


def _digest_or_nothing(files: Iterable[str], folder: Path) -> str:
    try:
        return input_digest(files, folder)
    except OSError:
        return ""


def _with_anchor(recipe_digest: str, anchor: Anchor | None) -> str:
    if anchor is None:
        return recipe_digest
    text = f"{recipe_digest} {anchor.level}@{anchor.z_mm!r}"
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _choice_note(choice: str) -> QualityNote:
    return QualityNote("series_choice", "info", choice)
