"""The whole method on one screen: a volume and its masks in, every leak with type, level and measures out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from leakseg.allocator import in_huge_pages
from leakseg.anatomy import Place, SpineAnatomy, SpineMasks, VertebraLevel
from leakseg.answers import judged_by
from leakseg.coordinates import CanalSpace
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
from leakseg.pieces import METAL, CementMap, CementPart, PartMeasures, ScanDensities
from leakseg.protocols import LeakClassifier
from leakseg.reach import block_of, start_of, widened
from leakseg.stages import (
    axis,
    canal,
    cement,
    coarse,
    densities,
    distant,
    features,
    holes,
    leaked,
    levels,
    measure,
    metal,
    missing,
    mixed,
    outline,
    parts,
    pattern,
    places,
    quality,
    repair,
    unexplained,
    vertebrae,
    walls,
    width,
)
from leakseg.swallowed import doubt_dense_matter
from leakseg.volume import LabelMap, Volume

_SEEN_ROUND_MM = 10.0
"""So much of the scan round a candidate is shown to its classifier."""


@dataclass(frozen=True, eq=False)
class TracedCement:
    """Masks as they were used, the spine they show, its cement, and what was mended or found in the masks."""

    masks: SpineMasks
    anatomy: SpineAnatomy
    cement: CementMap
    notes: tuple[QualityNote, ...]


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


def trace_cement(volume: Volume, masks: SpineMasks, criteria: Criteria) -> TracedCement:
    """The spine and all cement of a scan, before anything is told of it: what measures and comparisons stand on.

    Raises
    ------
    AnatomyError
        Where the masks show no vertebra or no canal.
    """
    masks, smoothed = coarse.smooth_coarse_masks(volume, masks, criteria.spine)
    masks, resized = width.bring_to_bone(volume, masks, criteria.outline)
    masks, renamed = mixed.unmix_neighbours(masks, criteria.spine)
    hollow = masks
    masks, repairs = repair.fill_cavities(volume, hollow, criteria.spine)
    closed = masks
    space = trace_canal(masks, criteria)
    masks, open_holes = holes.fill_holes(volume, masks, space, criteria.spine)
    whole = masks
    anatomy = describe_anatomy(masks, criteria, traced=None if open_holes else space)
    read = read_scan(volume, masks, anatomy, criteria)
    masks, closings = walls.close_open_walls(volume, masks, hollow.vertebrae, anatomy, read, criteria.outline)
    if closings:
        anatomy = describe_anatomy(masks, criteria)
        read = read_scan(volume, masks, anatomy, criteria)
    cut_back, freed = outline.free_swallowed_cement(
        volume, masks, anatomy, read, hollow.vertebrae, closed.vertebrae, criteria.cement, criteria.outline
    )
    mended, rebuilt = missing.rebuild_missing_levels(volume, cut_back, anatomy, read, criteria.cement, criteria.missing)
    if freed or rebuilt:
        masks = mended
        anatomy = describe_anatomy(masks, criteria)
        read = read_scan(volume, masks, anatomy, criteria)
    found = find_cement(volume, masks, anatomy, read, criteria)
    lumps = unexplained.doubt_cement_without_vertebra(
        volume, masks, read, anatomy, found, criteria.cement, criteria.missing
    )
    inside_mm3 = levels.cement_by_level(found, masks)
    empty = repair.doubt_empty_cavities(hollow, whole, inside_mm3, criteria.spine)
    mends = (*smoothed, *resized, *renamed, *repairs, *open_holes, *closings, *freed, *rebuilt)
    return TracedCement(masks, anatomy, found, (*mends, *empty, *lumps))


def trace_canal(masks: SpineMasks, criteria: Criteria) -> CanalSpace:
    """The canal in its own coordinates; its axis is moved once to the middle of the traced wall."""
    tube = masks.canal if axis.canal_source(masks) in ("mask", "builtin") else None
    columns = axis.columns_of(masks)
    line = axis.find_canal_axis(masks, columns, criteria.spine)
    wall = canal.trace_canal_wall(masks, line, tube, criteria.spine)
    line = axis.recentre(line, wall, columns)
    return canal.space_round(line, canal.trace_canal_wall(masks, line, tube, criteria.spine))


def describe_anatomy(masks: SpineMasks, criteria: Criteria, traced: CanalSpace | None = None) -> SpineAnatomy:
    """The spine round its canal, which is traced anew where it was not traced in these masks."""
    space = trace_canal(masks, criteria) if traced is None else traced
    bony = vertebrae.find_vertebrae(masks, space, criteria.spine)
    return places.assign_places(bony, axis.canal_source(masks), criteria.spine)


def read_scan(volume: Volume, masks: SpineMasks, anatomy: SpineAnatomy, criteria: Criteria) -> ScanDensities:
    """What the scan says of metal, soft tissue, bone and cement in a window round the spine."""
    window = densities.search_window(masks, criteria.cement.search_margin_mm)
    vertebrae, clip_hu = masks.vertebrae[window], volume.series.clip_hu
    metals = metal.find_metal(volume.hu[window], vertebrae, volume.grid.crop(window), clip_hu, criteria.cement)
    return densities.read_densities(volume, masks, anatomy, window, metals, criteria.cement)


def find_cement(
    volume: Volume, masks: SpineMasks, anatomy: SpineAnatomy, read: ScanDensities, criteria: Criteria
) -> CementMap:
    """All cement and metal of the scan in a window round the spine."""
    if not read.has_cement:
        doubts = unexplained.doubt_unexplained_matter(volume, masks, read, anatomy, criteria.cement)
        return replace(cement.no_cement(read), notes=doubts)
    inner = cement.segment_inner_cement(volume, masks, read, criteria.cement)
    leaked_cement = leaked.find_leaked_cement(volume, masks, read, inner, anatomy, criteria.cement)
    found = cement.map_cement(volume, masks, read, inner, leaked_cement, criteria.cement)
    doubts = doubt_dense_matter(volume, masks, read, anatomy, inner, criteria.cement, criteria.outline)
    return replace(found, notes=(*found.notes, *doubts))


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
    judgement = judged_by(classifier, candidate)
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
    labels = in_huge_pages(volume.grid.shape, np.uint8)
    labels[found.window] = found.labels
    legend = {1: "cement inside bone", 2: "cement outside bone", 3: "metal"}
    return LabelMap(volume.grid, labels, legend)


def _leak_labels(volume: Volume, found: CementMap, pieces: tuple[CementPart, ...]) -> LabelMap:
    labels = in_huge_pages(volume.grid.shape, np.min_scalar_type(len(pieces)).type)
    window = labels[found.window]
    for number, part in enumerate(pieces, start=1):
        window[tuple(part.index.T)] = number
    return LabelMap(volume.grid, labels, {number: f"leak {number}" for number in range(1, len(pieces) + 1)})
