"""The whole method on one screen: a volume and its masks in, every leak with type, level and measures out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leakseg.allocator import in_huge_pages
from leakseg.anatomy import Place, SpineAnatomy, SpineMasks, VertebraLevel
from leakseg.answers import judged_by
from leakseg.criteria import Criteria
from leakseg.errors import GeometryError
from leakseg.findings import (
    CaseFindings,
    CementReport,
    Leak,
    LeakCandidate,
    LevelReport,
    MasksReport,
    QualityNote,
)
from leakseg.pieces import METAL, CementMap, CementPart, PartMeasures
from leakseg.protocols import LeakClassifier
from leakseg.reach import block_of, start_of, widened
from leakseg.stages import (
    distant,
    features,
    levels,
    measure,
    parts,
    pattern,
    quality,
)
from leakseg.tracing import trace_cement
from leakseg.volume import LabelMap, Volume

_SEEN_ROUND_MM = 10.0
"""So much of the scan round a candidate is shown to its classifier."""


def analyse(volume: Volume, masks: SpineMasks, criteria: Criteria, classifier: LeakClassifier) -> CaseFindings:
    """Find, measure and classify cement leaks in one CT volume.

    Raises
    ------
    AnatomyError
        Where the masks show no vertebra or no canal.
    GeometryError
        Where the masks do not stand on the volume's grid.
    PluginError
        Where the classifier raises, or gives what is no answer.
    """
    if not masks.grid.same_as(volume.grid):
        raise GeometryError("The masks do not stand on the scan's own grid.")
    traced = trace_cement(volume, masks, criteria)
    masks, anatomy, found = traced.masks, traced.anatomy, traced.cement
    treated = levels.treated_levels(found, masks, criteria.leaks)
    pieces = parts.split_by_place(found, anatomy, criteria.leaks)
    measured = tuple(
        measure.measure_part(part, found, anatomy, masks, volume, treated, criteria.leaks) for part in pieces
    )
    candidates = tuple(
        _candidate(number, part, measures, found, anatomy, masks, volume)
        for number, (part, measures) in enumerate(zip(pieces, measured, strict=True), start=1)
    )
    leaks = tuple(
        _judged(classifier, candidate, part, measures)
        for candidate, part, measures in zip(candidates, pieces, measured, strict=True)
    )
    level_reports = _level_reports(found, masks, anatomy, treated, pieces)
    notes = (
        *traced.notes,
        *found.notes,
        *quality.assess_quality(volume, anatomy, found, pieces, measured, treated, criteria.quality),
        *distant.find_distant_cement(volume, masks, found, anatomy, criteria.cement, criteria.distant),
    )
    return CaseFindings(
        masks=MasksReport(masks.provider, masks.version, masks.scheme, anatomy.canal_from, masks.canal_confidence),
        levels=level_reports,
        cement=_cement_report(found),
        leaks=leaks,
        patient_pattern=pattern.patient_pattern(leaks, criteria.leaks),
        notes=notes,
        needs_review=needs_review(leaks, level_reports, notes, criteria),
        cement_labels=_cement_labels(volume, found),
        leak_labels=_leak_labels(volume, found, pieces),
        candidates=candidates,
        anatomy=anatomy,
    )


def needs_review(
    leaks: tuple[Leak, ...],
    level_reports: tuple[LevelReport, ...],
    notes: tuple[QualityNote, ...],
    criteria: Criteria,
) -> bool:
    """Whether a human reader is asked for: doubt in a leak, in a level's name, or a warning."""
    doubtful_leak = any(leak.confidence is None or leak.confidence < criteria.review.min_confidence for leak in leaks)
    doubtful_level = any(
        report.label_confidence is not None and report.label_confidence < criteria.review.min_label_confidence
        for report in level_reports
    )
    return doubtful_leak or doubtful_level or any(note.severity != "info" for note in notes)


def _candidate(
    number: int,
    part: CementPart,
    measures: PartMeasures,
    found: CementMap,
    anatomy: SpineAnatomy,
    masks: SpineMasks,
    volume: Volume,
) -> LeakCandidate:
    box = widened(block_of(part.index), found.grid.shape, _SEEN_ROUND_MM, found.grid.spacing_mm, spare=0)
    grid = found.grid.crop(box)
    mask = np.zeros(grid.shape, bool)
    mask[tuple((part.index - start_of(box)).T)] = True
    return LeakCandidate(
        id=number,
        component=part.component,
        place=Place(part.place).name.lower(),
        level=measures.level,
        segment=measures.segment,
        side=measures.side,
        exiting_root=measures.exiting_root,
        features=features.describe_part(part, measures, found, anatomy, masks),
        hu=volume.hu[found.window][box],
        mask=mask,
        grid=grid,
    )


def _judged(classifier: LeakClassifier, candidate: LeakCandidate, part: CementPart, measures: PartMeasures) -> Leak:
    own = replace(candidate, features=dict(candidate.features))  # what it writes there stays out of features.csv
    judgement = judged_by(classifier, own)
    return Leak(
        id=candidate.id,
        type=judgement.type,
        subtype=judgement.subtype,
        route=judgement.route,
        level=measures.level,
        segment=measures.segment,
        exiting_root=measures.exiting_root if judgement.type == "foraminal" else None,
        side=measures.side,
        volume_mm3=part.volume_mm3,
        centroid_mm=measures.centroid_mm,
        component=part.component,
        extent_mm=measures.extent_mm,
        mean_hu=measures.mean_hu,
        canal_encroachment_fraction=measures.canal_encroachment_fraction,
        max_sagittal_diameter_mm=measures.max_sagittal_diameter_mm,
        foraminal_occupation_fraction=measures.foraminal_occupation_fraction,
        distance_to_canal_mm=measures.distance_to_canal_mm,
        confidence=judgement.confidence,
        evidence=judgement.evidence,
    )


def _level_reports(
    found: CementMap,
    masks: SpineMasks,
    anatomy: SpineAnatomy,
    treated: tuple[VertebraLevel, ...],
    pieces: tuple[CementPart, ...],
) -> tuple[LevelReport, ...]:
    inside = levels.cement_by_level(found, masks)
    fill = levels.fill_by_level(found, masks, anatomy)
    taken = measure.cement_in_canal(pieces, found, anatomy)
    described = {vertebra.level: vertebra for vertebra in anatomy.vertebrae}
    reports = []
    for level in masks.levels():
        vertebra = described.get(level)
        report = LevelReport(
            level=level,
            in_view="part",
            treated=level in treated,
            cement_volume_mm3=inside[level],
            body_volume_mm3=None,
            fill_fraction=None,
            label_confidence=masks.label_confidence.get(level),
            canal_encroachment_fraction=taken.get(level),
        )
        if vertebra is not None:
            report = replace(
                report,
                in_view="whole" if vertebra.in_view_whole else "part",
                body_volume_mm3=vertebra.body_volume_mm3,
                fill_fraction=fill.get(level),
            )
        reports.append(report)
    return tuple(reports)


def _cement_report(found: CementMap) -> CementReport:
    voxel = found.grid.voxel_volume_mm3
    inside = float(found.bone_fraction.sum(dtype=np.float64)) * voxel
    leaked_mm3 = float(found.fraction.sum(dtype=np.float64)) * voxel
    return CementReport(
        total_volume_mm3=inside + leaked_mm3,
        inside_volume_mm3=inside,
        leaked_volume_mm3=leaked_mm3,
        threshold_hu=found.threshold_hu,
        threshold_method=found.threshold_method,
        clipped_voxel_fraction=found.clipped_voxel_fraction,
        metal_volume_mm3=float(np.count_nonzero(found.labels == METAL)) * voxel,
    )


def _cement_labels(volume: Volume, found: CementMap) -> LabelMap:
    legend = {1: "cement inside bone", 2: "cement outside bone", 3: "metal"}
    return LabelMap(volume.grid, found.labels, legend, found.window)


def _leak_labels(volume: Volume, found: CementMap, pieces: tuple[CementPart, ...]) -> LabelMap:
    labels = in_huge_pages(found.labels.shape, np.min_scalar_type(len(pieces)).type)
    for number, part in enumerate(pieces, start=1):
        labels[tuple(part.index.T)] = number
    legend = {number: f"leak {number}" for number in range(1, len(pieces) + 1)}
    return LabelMap(volume.grid, labels, legend, found.window)
