"""One case from files to files: read, find masks, analyse, report; a failed case is a value."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import leakseg
from leakseg import criteria as criteria_table
from leakseg.allocator import keep_freed_memory
from leakseg.anatomy import SpineMasks
from leakseg.anchor import Anchor, apply_anchor
from leakseg.config import AnalysisConfig
from leakseg.criteria import Criteria
from leakseg.dicom_series import DicomSeries, read_series
from leakseg.errors import InputError, LeaksegError, OutputError, PluginError
from leakseg.findings import (
    CaseFindings,
    CaseReport,
    CaseResult,
    Provenance,
    QualityNote,
    SeriesReport,
)
from leakseg.plugins import load_classifier
from leakseg.protocols import LeakClassifier
from leakseg.providers import MaskPlan, load_masks
from leakseg.readers import read_volume
from leakseg.replaced import TEMPORARY, make_room, notes_of_replaced, set_aside
from leakseg.stages.surgical import surgical_note
from leakseg.volume import ScanSource, Volume
from leakseg.writers import DICOM_WRITERS, write_case

Status: TypeAlias = Literal["done", "refused", "failed", "skipped"]
"""As in contract.md: refused = the data cannot be used; failed = our own fault; skipped = done before."""
Analysis: TypeAlias = Callable[[Volume, SpineMasks, Criteria, LeakClassifier], CaseFindings]
"""The method: what `leakseg.analysis.analyse` is."""


@dataclass(frozen=True)
class CaseRequest:
    """One case to analyse, as it travels to a worker: names and choices, no voxels."""

    source: ScanSource
    plan: MaskPlan
    config: AnalysisConfig
    out: Path
    input_digest: str
    recipe_digest: str
    anchor: Anchor | None = None
    notes: tuple[QualityNote, ...] = ()
    """What finding the scan already has to say, such as which series was chosen and why."""


@dataclass(frozen=True)
class CaseOutcome:
    """How a case ended; ``trace`` holds the places in our code where a failure passed, and no data."""

    case_id: str
    status: Status
    reason: str | None
    seconds: float
    input_digest: str
    recipe_digest: str
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None
    trace: tuple[str, ...] = ()


def run_case(request: CaseRequest, method: Analysis | None = None) -> CaseOutcome:
    """Analyse one case and write its folder; whatever goes wrong comes back as the outcome.

    The folder appears by one rename when everything stands in it. A case that is refused or fails has no
    folder; one from an earlier run is set aside.
    """
    start = time.perf_counter()
    trace: tuple[str, ...] = ()
    status: Status = "done"
    reason: str | None = None
    try:
        publish(analyse_case(request, method), request)
    except InputError as error:
        status, reason = "refused", str(error)
    except LeaksegError as error:
        status, reason, trace = "failed", str(error), _places(error)
    except MemoryError as error:
        status, trace = "failed", _places(error)
        reason = "Memory ran out: run fewer cases at a time (--workers 1) or on a machine with more memory."
    except Exception as error:
        # The rim of one case: whatever it is, it may not take the others with it.
        status, trace = "failed", _places(error)
        reason = f"A fault in leakseg itself ({type(error).__name__}); its place stands in ledger.jsonl."
    if status != "done":
        set_aside(request.out, request.source.case_id, request.source.series_instance_uid)
    return outcome(request, status, reason, time.perf_counter() - start, trace)


def outcome(
    request: CaseRequest, status: Status, reason: str | None, seconds: float, trace: tuple[str, ...] = ()
) -> CaseOutcome:
    """How that request ended."""
    source = request.source
    return CaseOutcome(
        source.case_id,
        status,
        reason,
        round(seconds, 3),
        request.input_digest,
        request.recipe_digest,
        source.study_instance_uid,
        source.series_instance_uid,
        trace,
    )


def analyse_case(request: CaseRequest, method: Analysis | None = None) -> CaseResult:
    """Read, find masks, analyse and report one case; nothing is written.

    Parameters
    ----------
    method
        What finds the leaks; `leakseg.analysis.analyse` where not given.

    Raises
    ------
    InputError
        Where the scan or its masks cannot be used.
    """
    keep_freed_memory()
    if method is None:
        from leakseg.analysis import analyse

        method = analyse
    config = request.config
    scan = read_volume(request.source, config.criteria.reading)
    read = load_masks(request.plan, scan.volume, config.criteria.masks, totalsegmentator=config.totalsegmentator)
    masks = read.masks
    anchored: tuple[QualityNote, ...] = ()
    if request.anchor is not None:
        masks, anchored = apply_anchor(masks, request.anchor), (_anchor_note(request.anchor),)
    loaded = load_classifier(config.classifier)
    findings = method(scan.volume, masks, config.criteria, loaded.classifier)
    notes = _unique((*request.notes, *scan.notes, *request.plan.notes, *read.notes, *anchored, *findings.notes))
    report = CaseReport(
        case_id=request.source.case_id,
        needs_review=findings.needs_review or any(note.severity != "info" for note in notes),
        series=_series(scan.volume, request.source),
        masks=findings.masks,
        levels=findings.levels,
        cement=findings.cement,
        leaks=findings.leaks,
        patient_pattern=findings.patient_pattern,
        surgical_note=surgical_note(findings.leaks, findings.patient_pattern, config.criteria.leaks.profuse_volume_mm3),
        quality=notes,
        criteria=criteria_table.values(config.criteria),
        provenance=Provenance(
            leakseg=leakseg.__version__,
            classifier=loaded.identity,
            criteria_digest=criteria_table.digest(config.criteria),
            input_digest=request.input_digest,
        ),
    )
    return CaseResult(report, scan.volume, masks, findings)


def publish(result: CaseResult, request: CaseRequest) -> Path:
    """Write the case's files into a folder beside its place, and give it its name when it is whole.

    Raises
    ------
    OutputError
        Where the disk does not take it; nothing is left behind.
    """
    case_id, series_uid = request.source.case_id, request.source.series_instance_uid
    unfinished = request.out / f"{TEMPORARY}{secrets.token_hex(8)}"
    try:
        unfinished.mkdir(mode=0o700)
        series, notes = _dicom_series(result, request)
        notes = (*notes, *notes_of_replaced(request.out / case_id, series_uid))
        report = result.report
        doubt = report.needs_review or any(note.severity != "info" for note in notes)
        told = replace(result, report=replace(report, quality=_unique((*report.quality, *notes)), needs_review=doubt))
        _to_disk(*write_case(told, unfinished, request.config.write, series))
        unfinished.chmod(stat.S_IMODE(request.out.stat().st_mode))
        make_room(request.out, case_id, series_uid)
        unfinished.rename(request.out / case_id)
    except OSError as error:
        why = error.strerror or "the disk did not take them, and may be full"  # image libraries name no cause
        raise OutputError(f"The results could not be written: {why}.") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return request.out / case_id


def _dicom_series(result: CaseResult, request: CaseRequest) -> tuple[DicomSeries | None, tuple[QualityNote, ...]]:
    """The series that a SEG and an SR refer to, where they are asked for, and which of them there cannot be."""
    if not set(request.config.write) & set(DICOM_WRITERS):
        return None, ()
    if request.source.kind != "dicom":
        sentence = "No DICOM SEG and no SR: the scan is no DICOM series that they could refer to."
        return None, (QualityNote("no_dicom_results", "info", sentence),)
    series = read_series(replace(request.source, files=result.volume.files), result.volume.grid)
    if series is None:
        sentence = "No DICOM SEG and no SR: the source does not name its study and its instances."
        return None, (QualityNote("no_dicom_results", "info", sentence),)
    if series.layout is None:
        return series, (QualityNote("no_dicom_seg", "info", f"No DICOM SEG: {series.why_not}."),)
    return series, ()


def _to_disk(*paths: Path) -> None:
    """Have the files' contents on the disk before their folder gets its name: a power cut leaves no empty report."""
    for path in paths:
        with path.open("rb") as stream:
            os.fsync(stream.fileno())


def _series(volume: Volume, source: ScanSource) -> SeriesReport:
    series = volume.series
    return SeriesReport(
        modality=series.modality,
        kvp=series.kvp,
        kernel=series.kernel,
        spacing_mm=series.spacing_mm if all(series.spacing_mm) else volume.grid.spacing_mm,
        slices=series.slices or volume.grid.shape[0],
        study_instance_uid=series.study_instance_uid or source.study_instance_uid,
        series_instance_uid=series.series_instance_uid or source.series_instance_uid,
        frame_of_reference_uid=series.frame_of_reference_uid,
    )


def _anchor_note(anchor: Anchor) -> QualityNote:
    return QualityNote(
        "level_anchored", "info", f"Levels are named after the anchor {anchor.level} at z = {anchor.z_mm:g} mm."
    )


def _unique(notes: Iterable[QualityNote]) -> tuple[QualityNote, ...]:
    return tuple(dict.fromkeys(notes))


def _places(error: BaseException) -> tuple[str, ...]:
    """Where the error passed: files, lines and functions; no message and no value, which may hold patient data."""
    places = [
        f"{frame.filename.rpartition(f'{os.sep}site-packages{os.sep}')[2]}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    deeper = _places(error.__cause__) if isinstance(error, PluginError) and error.__cause__ else ()
    return (*places, type(error).__qualname__, *deeper)
