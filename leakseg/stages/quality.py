"""What a reader of the report must know: limits of the scan, of the masks, and doubt about levels."""

from __future__ import annotations

import numpy as np

from leakseg.anatomy import Place, SpineAnatomy, VertebraLevel
from leakseg.criteria import QualityCriteria
from leakseg.findings import QualityNote
from leakseg.pieces import INSIDE, METAL, CementMap, CementPart, PartMeasures
from leakseg.volume import Volume


def assess_quality(
    volume: Volume,
    spine: SpineAnatomy,
    cement: CementMap,
    parts: tuple[CementPart, ...],
    measures: tuple[PartMeasures, ...],
    treated: tuple[VertebraLevel, ...],
    criteria: QualityCriteria,
) -> tuple[QualityNote, ...]:
    """Notes on the scan, the cement, the masks and the leaks' levels, in that order."""
    return (
        *_scan(volume, criteria),
        *_cement(volume, cement, treated, bool(parts), criteria),
        *_anatomy(spine, parts, measures),
        *_levels(measures, treated, criteria),
        *_endplates(parts, cement, criteria),
        *_borders(parts, volume, cement),
    )


def _scan(volume: Volume, criteria: QualityCriteria) -> list[QualityNote]:
    gap = max(volume.grid.spacing_mm[0], volume.series.slice_thickness_mm or 0.0)
    if gap < criteria.thick_slices_mm:
        return []
    return [
        QualityNote(
            "slice_thickness",
            "warning",
            f"Slices are {gap:.1f} mm thick: thin leaks are blurred to a part of their density and may be missed, "
            "and volumes are less exact. A thinner reconstruction is better.",
        )
    ]


def _cement(
    volume: Volume, cement: CementMap, treated: tuple[VertebraLevel, ...], leaks: bool, criteria: QualityCriteria
) -> list[QualityNote]:
    notes = []
    if cement.clipped_voxel_fraction > criteria.clipped_share:
        notes.append(
            QualityNote(
                "clipped",
                "info",
                f"{100 * cement.clipped_voxel_fraction:.0f} % of the cement lies at the upper end of the stored range "
                f"({volume.series.clip_hu:.0f} HU): its true density is unknown.",
            )
        )
    metal = int(np.count_nonzero(cement.labels == METAL))
    if metal:
        notes.append(
            QualityNote(
                "metal",
                "warning",
                f"{metal * cement.grid.voxel_volume_mm3:.0f} mm3 of metal by its shape (straight and long): "
                "streaks beside it may hide or feign cement.",
            )
        )
    if leaks and not treated:
        notes.append(
            QualityNote(
                "no_treated_level",
                "warning",
                "Cement outside bone, but no vertebra holds enough cement to count as treated: "
                "the level of origin is the nearest vertebra's.",
            )
        )
    return notes


def _anatomy(
    spine: SpineAnatomy, parts: tuple[CementPart, ...], measures: tuple[PartMeasures, ...]
) -> list[QualityNote]:
    notes = []
    told = {
        "cord": "The canal was rebuilt from the cord's mask and the vertebrae's rings.",
        "vertebrae": "The canal was rebuilt from the vertebrae's rings alone.",
    }
    if spine.canal_from in told:
        notes.append(QualityNote("canal_rebuilt", "info", told[spine.canal_from]))
    blind = [
        vertebra.level.value
        for vertebra in spine.vertebrae
        if len(vertebra.pedicles) < 2 and not vertebra.level.value.startswith("S")
    ]
    if blind:
        notes.append(
            QualityNote(
                "pedicles_not_seen",
                "warning",
                f"The masks show no pedicle on one or both sides of {', '.join(blind)}: "
                "the foramina there were told by the other side or by the neighbours' pedicles: look at them.",
            )
        )
    if any(
        part.place == Place.CANAL and measured.canal_encroachment_fraction == 0.0
        for part, measured in zip(parts, measures, strict=True)
    ):
        notes.append(
            QualityNote(
                "canal_not_seen",
                "warning",
                "Cement lies where the masks do not show the canal; its wall was continued there.",
            )
        )
    return notes


def _levels(
    measures: tuple[PartMeasures, ...], treated: tuple[VertebraLevel, ...], criteria: QualityCriteria
) -> list[QualityNote]:
    notes = []
    for number, measured in enumerate(measures, start=1):
        contacts = sorted(measured.contact_mm3.items(), key=lambda item: -item[1])
        if len(contacts) > 1 and contacts[1][1] >= criteria.bridging_share * contacts[0][1]:
            notes.append(
                QualityNote(
                    "bridged_levels",
                    "warning",
                    f"Leak {number} touches the cement of {contacts[0][0].value} and of {contacts[1][0].value}: "
                    f"it is counted to {contacts[0][0].value}, the larger contact.",
                )
            )
        if not contacts and treated:
            notes.append(
                QualityNote(
                    "detached_leak",
                    "info",
                    f"Leak {number} touches no cement inside bone: it is counted to {measured.level.value}, "
                    "the nearest treated vertebra.",
                )
            )
    return notes


def _endplates(parts: tuple[CementPart, ...], cement: CementMap, criteria: QualityCriteria) -> list[QualityNote]:
    """Leaks into a disc that lie flat on a vertebra's cement: masks, and drawn ones above all, err by as much."""
    notes = []
    for number, part in enumerate(parts, start=1):
        area = _lies_on_mm2(part, cement) if part.place == Place.DISC else 0.0
        if area and part.volume_mm3 <= criteria.flat_on_endplate_mm * area:
            notes.append(
                QualityNote(
                    "leak_at_endplate",
                    "warning",
                    f"Leak {number} lies on cement of a vertebra ({area:.0f} mm2) and reaches "
                    f"{part.volume_mm3 / area:.1f} mm into the disc on the average: masks may be off by as much at an "
                    "endplate. It may lie in the vertebra; look at it.",
                )
            )
    return notes


def _lies_on_mm2(part: CementPart, cement: CementMap) -> float:
    """Of the faces between a part and cement inside bone, those that look along one axis of the scan: the most."""
    spacing = np.array(cement.grid.spacing_mm)
    areas = []
    for axis in range(3):
        faces = 0
        for step in (1, -1):
            beside = part.index.copy()
            beside[:, axis] += step
            seen = (beside[:, axis] >= 0) & (beside[:, axis] < cement.labels.shape[axis])
            faces += int(np.count_nonzero(cement.labels[tuple(beside[seen].T)] == INSIDE))
        areas.append(faces * float(np.prod(np.delete(spacing, axis))))
    return max(areas)


def _borders(parts: tuple[CementPart, ...], volume: Volume, cement: CementMap) -> list[QualityNote]:
    notes = []
    for number, part in enumerate(parts, start=1):
        start = [piece.start for piece in cement.window]
        low, high = part.index.min(axis=0) + start, part.index.max(axis=0) + start
        if (low == 0).any() or (high == [size - 1 for size in volume.grid.shape]).any():
            notes.append(
                QualityNote(
                    "leak_cut_off",
                    "warning",
                    f"Leak {number} reaches the border of the scan: its volume and extent are lower bounds.",
                )
            )
    return notes
