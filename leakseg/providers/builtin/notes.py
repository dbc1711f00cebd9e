"""What a reader must know of masks drawn by leakseg itself."""

from __future__ import annotations

from leakseg.anatomy import VertebraLevel
from leakseg.criteria import ReviewCriteria
from leakseg.findings import QualityNote
from leakseg.providers.builtin.naming import Naming
from leakseg.volume import Volume

THICK_MM = 3.5


def describe(naming: Naming, confidence: dict[VertebraLevel, float | None], volume: Volume) -> tuple[QualityNote, ...]:
    """Notes on the levels' names and on the scan's fitness."""
    notes = []
    levels = sorted(confidence, key=lambda level: level.number)
    span = f"{levels[0]} to {levels[-1]}" if len(levels) > 1 else str(levels[0])
    least = min(value for value in confidence.values() if value is not None)
    if naming.doubts:
        notes.append(QualityNote("level_uncertain", "warning", " ".join(naming.doubts)))
    elif not naming.landmarks:
        notes.append(
            QualityNote(
                "level_uncertain",
                "warning",
                f"Neither the sacrum nor the last rib is in view: the names {span} are a guess from the size of the "
                "bodies. Pin one level with --anchor LEVEL@Z.",
            )
        )
    elif least < ReviewCriteria().min_label_confidence:
        notes.append(
            QualityNote(
                "level_uncertain",
                "warning",
                f"The names {span} rest on unclear evidence ({', '.join(naming.landmarks)}). Check them, or pin one "
                "level with --anchor LEVEL@Z.",
            )
        )
    thickest = max(volume.grid.spacing_mm)
    if thickest > THICK_MM:
        notes.append(
            QualityNote(
                "builtin_thick_slices",
                "info",
                f"The masks were drawn on slices {thickest:.1f} mm apart: their outlines are coarse.",
            )
        )
    return tuple(notes)
