"""Series of a study that cannot be used, told beside the one that is: they may be the finer or the longer ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from leakseg.criteria import ReadingCriteria
from leakseg.errors import InputError
from leakseg.findings import QualityNote
from leakseg.readers.headers import SliceHeader
from leakseg.readers.stack import Stack

OUTSIDE_MM = 50.0
"""So much more of the patient's height in another series is worth a look."""
_TOLD = 3


@dataclass(frozen=True, eq=False)
class Unusable:
    """A CT series that is refused though it is meant to be a volume (no localizer, no screen capture)."""

    slices: Sequence[SliceHeader]
    refusal: InputError


def unusable_beside(used: Stack, others: Iterable[Unusable], criteria: ReadingCriteria) -> list[QualityNote]:
    """A note for each series of the study that could not be analysed, three at the most.

    A warning where it lies in another frame, reaches farther, or holds more slices than the one that is used: a
    reader must know that the thin slices were there. Series of fewer places than a volume needs (test slices, the
    watch on a bolus) are passed over.
    """
    return list(_notes(used, others, criteria))[:_TOLD]


def _notes(used: Stack, others: Iterable[Unusable], criteria: ReadingCriteria) -> Iterator[QualityNote]:
    low, high = used.z_range_mm()
    for other in others:
        heights = {one.position for one in other.slices if one.position is not None}
        places = len(heights) or len(other.slices)
        if places < criteria.min_slices:
            continue
        z_mm = [position[2] for position in heights]
        beyond = max(low - min(z_mm), max(z_mm) - high) if z_mm else 0.0
        image = other.slices[0].image
        elsewhere = image.frame_uid != used.slices[0].image.frame_uid
        worse = elsewhere or beyond > OUTSIDE_MM or places > len(used.slices)
        number = "without a number" if image.series_number is None else str(image.series_number)
        yield QualityNote(
            "series_unusable",
            "warning" if worse else "info",
            f"Series {number} of this study ({len(other.slices)} images) could not be analysed: {other.refusal}",
        )
