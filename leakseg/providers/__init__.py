"""Masks of vertebrae and canal for one scan, by whatever means: planned first, read later.

`plan_masks` decides from file names and headers which files serve a case; `load_masks` reads them onto
the scan's own grid and checks that they fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leakseg.criteria import BuiltinCriteria, MaskCriteria
from leakseg.providers.plan import plan_masks
from leakseg.providers.values import MaskPlan, MasksRead
from leakseg.volume import Volume

if TYPE_CHECKING:
    from leakseg.providers.totalsegmentator import TotalSegmentator

__all__ = ["MaskPlan", "MasksRead", "load_masks", "plan_masks"]


def load_masks(
    plan: MaskPlan,
    volume: Volume,
    criteria: MaskCriteria | None = None,
    *,
    builtin: BuiltinCriteria | None = None,
    totalsegmentator: TotalSegmentator | None = None,
) -> MasksRead:
    """The masks of a plan, on the volume's own grid, and what must be known of them.

    Parameters
    ----------
    plan
        From `plan_masks`.
    volume
        The scan.
    criteria, builtin
        Limits of the checks of given masks, and of the built-in segmentation.
    totalsegmentator
        How that program is run, where the plan asks for it.

    Returns
    -------
    MasksRead
        ``.masks`` (`SpineMasks`) and ``.notes``; the plan's notes come first.

    Raises
    ------
    InputError
        Where a file cannot be read or does not fit this scan; masks given outright never fall back.
    """
    if plan.provider == "builtin":
        from leakseg.providers.builtin import segment

        drawn = segment(volume, builtin)
        return MasksRead(drawn.masks, (*plan.notes, *drawn.notes))
    if plan.provider == "totalsegmentator":
        from leakseg.providers.totalsegmentator import TotalSegmentator as Options
        from leakseg.providers.totalsegmentator import read_totalsegmentator

        return read_totalsegmentator(volume, totalsegmentator or Options(), criteria or MaskCriteria())
    from leakseg.providers.precomputed import read_precomputed

    return read_precomputed(plan, volume, criteria or MaskCriteria())
