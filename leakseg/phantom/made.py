"""One case as it is made, before it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from leakseg.phantom.mask_faults import WrittenMasks
from leakseg.phantom.plan import Phantom


@dataclass(frozen=True, eq=False)
class Made:
    """One phantom with its name, its masks, the text its UIDs come from, and the slices not to be written.

    ``strata`` says what sets the case apart: what an evaluation tells figures by.
    """

    case_id: str
    seed_text: str
    phantom: Phantom
    masks: WrittenMasks
    masks_as: str = "nifti"
    skip: tuple[int, ...] = ()
    group: str | None = None
    strata: dict[str, Any] | None = None


def strata_of(
    cohort: str, phantom: Phantom, *, mask_fault: str | None = None, same_as: str | None = None
) -> dict[str, Any]:
    """What sets a case apart, as `leakseg.evaluate` reads it."""
    grid, series = phantom.volume.grid, phantom.volume.series
    return {
        "cohort": cohort,
        "slice_mm": round(max(series.slice_thickness_mm or 0.0, *grid.spacing_mm), 3),
        "distractors": bool(phantom.origin.get("distractors")),
        "mask_fault": mask_fault,
        "same_as": same_as,
    }
