"""What a reader must know of masks drawn by leakseg itself."""

from __future__ import annotations

from collections.abc import Sequence

from leakseg.anatomy import VertebraLevel
from leakseg.criteria import BuiltinCriteria, ReviewCriteria
from leakseg.findings import QualityNote
from leakseg.providers.builtin.naming import Naming
from leakseg.volume import Volume

THICK_MM = 3.5


def describe(
    naming: Naming,
    confidence: dict[VertebraLevel, float | None],
    volume: Volume,
    *,
    seen: dict[VertebraLevel, tuple[float, float]],
    contrast: bool,
    hidden_discs: Sequence[tuple[VertebraLevel, VertebraLevel]],
    limits: BuiltinCriteria,
) -> tuple[QualityNote, ...]:
    """Notes on the levels' names and on the scan's fitness.

    ``seen``: by level, the share of rays that met the canal's wall, and the share cut off by the scan's edge.
    ``hidden_discs``: the vertebrae above and below each disc that cement hides.
    """
    notes = _canal(seen, contrast=contrast, limits=limits)
    notes += [
        QualityNote(
            "disc_hidden",
            "warning",
            f"Cement hides the disc between {upper} and {lower}: where it ends was carried over from the discs around, "
            "and whether the cement there lies in the disc or in the vertebrae is not sure.",
        )
        for upper, lower in hidden_discs
    ]
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
                f"Neither the skull nor the last rib nor the sacrum is in view: the names {span} are a guess from the "
                "size of the bodies. Pin one level with --anchor LEVEL@Z.",
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


def _canal(
    seen: dict[VertebraLevel, tuple[float, float]], *, contrast: bool, limits: BuiltinCriteria
) -> list[QualityNote]:
    """How sure the canal is, from its wall in the image; and vertebrae that the scan cuts lengthwise."""
    notes = []
    wall = {level: share for level, (share, _) in seen.items() if level is not VertebraLevel.S1}
    poor = sorted((level for level in wall if wall[level] < limits.min_wall_seen_fraction), key=lambda one: one.number)
    least = min(wall, key=lambda level: wall[level])
    notes.append(
        QualityNote(
            "canal_confidence",
            "info",
            f"The canal's bony wall was met where it was expected by {sum(wall.values()) / len(wall):.0%} of the rays, "
            f"least at {least} ({wall[least]:.0%}); elsewhere (foramina, discs, gaps of bone) it was carried over.",
        )
    )
    if poor:
        notes.append(
            QualityNote(
                "canal_uncertain",
                "warning",
                f"The canal's wall is hardly seen at {', '.join(poor)}; it was carried over from around.",
            )
        )
    if contrast:
        notes.append(
            QualityNote(
                "canal_contrast",
                "warning",
                "The canal seems to be full of contrast medium; its outline is less sure, and it may hide cement.",
            )
        )
    cut = sorted((level for level in wall if seen[level][1] > limits.max_cut_off_fraction), key=lambda one: one.number)
    if cut:
        notes.append(
            QualityNote(
                "spine_cut_off",
                "warning",
                f"The edge of the scan cuts {', '.join(cut)} lengthwise: only a part of the spine is in view there.",
            )
        )
    return notes
