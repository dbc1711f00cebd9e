"""A scan's masks mended, the spine that they show, and all its cement: before anything is told of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from leakseg.anatomy import SpineAnatomy, SpineMasks
from leakseg.coordinates import CanalSpace
from leakseg.criteria import Criteria
from leakseg.findings import QualityNote
from leakseg.pieces import CementMap, ScanDensities
from leakseg.stages import (
    axis,
    canal,
    cement,
    coarse,
    densities,
    foramina,
    holes,
    leaked,
    levels,
    metal,
    missing,
    mixed,
    outline,
    places,
    repair,
    unexplained,
    vertebrae,
    walls,
    width,
)
from leakseg.swallowed import doubt_dense_matter
from leakseg.unlabelled import unlabelled_lumps
from leakseg.volume import Volume


@dataclass(frozen=True, eq=False)
class TracedCement:
    """Masks as they were used, the spine they show, its cement, and what was mended or found in the masks."""

    masks: SpineMasks
    anatomy: SpineAnatomy
    cement: CementMap
    notes: tuple[QualityNote, ...]


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
    masks, opened = foramina.leave_foramina_open(volume, hollow, masks, space, criteria.cement)
    whole = masks
    anatomy = describe_anatomy(masks, criteria, traced=None if open_holes or opened else space)
    read = read_scan(volume, masks, anatomy, criteria)
    masks, closings = walls.close_open_walls(volume, masks, hollow.vertebrae, anatomy, read, criteria.outline)
    if closings:
        anatomy = describe_anatomy(masks, criteria)
        read = read_scan(volume, masks, anatomy, criteria)
    cut_back, freed = outline.free_swallowed_cement(
        volume, masks, anatomy, read, hollow.vertebrae, closed.vertebrae, criteria.cement, criteria.outline
    )
    lumps = unlabelled_lumps(volume, cut_back, read, anatomy, criteria.cement, criteria.missing)
    mended, rebuilt = missing.rebuild_missing_levels(volume, cut_back, anatomy, read, lumps, criteria.missing)
    if freed or rebuilt:
        masks = mended
        anatomy = describe_anatomy(masks, criteria)
        read = read_scan(volume, masks, anatomy, criteria)
        lumps = unlabelled_lumps(volume, masks, read, anatomy, criteria.cement, criteria.missing)
    found = find_cement(volume, masks, anatomy, read, criteria)
    unnamed = unexplained.doubt_cement_without_vertebra(lumps, found)
    inside_mm3 = levels.cement_by_level(found, masks)
    empty = repair.doubt_empty_cavities(hollow, whole, inside_mm3, criteria.spine)
    mends = (*smoothed, *resized, *renamed, *repairs, *open_holes, *opened, *closings, *freed, *rebuilt)
    return TracedCement(masks, anatomy, found, (*mends, *empty, *unnamed))


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
