"""Criteria of comparing scans of one patient over time; they change no report of a single scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from leakseg.criteria.marks import CONVENTION, Unit


@dataclass(frozen=True, kw_only=True)
class CompareCriteria:
    """When two scans of a vertebra lie on each other, and what counts as gone, new, resected or healed."""

    max_residual_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 1.5
    """A registration whose bone surfaces stay farther apart than this is refused."""
    min_correlation: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.5
    """A registration whose densities agree less than this is refused."""
    same_place_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 2.5
    """Cement this near to cement of the first scan is what remains of it; farther cement is new or has moved."""
    min_piece_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 10.0
    """Smaller pieces of new cement or of resected bone are not told one by one."""
    moved_volume_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.5
    """New cement may be moved cement where at least this share of its volume is missing elsewhere."""
    moved_within_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 40.0
    """... within this distance."""
    min_density_loss_hu: Annotated[float, Gt(0), Unit("HU"), CONVENTION] = 60.0
    """Bone was resected where its smoothed density fell by at least this ..."""
    max_density_kept: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.5
    """... to at most this share of what it stood above soft tissue."""
    min_loss_beyond_mask_hu: Annotated[float, Gt(0), Unit("HU"), CONVENTION] = 25.0
    """... or where it fell by this and the later scan's own mask has no bone there."""
    bone_hu: Annotated[float, Gt(0), Unit("HU"), CONVENTION] = 150.0
    """New bone is at least this dense where it is whole ..."""
    healed_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.5
    """... and resected bone has healed where its density went this share of the way to that of whole new bone."""
    smooth_mm: Annotated[float, Ge(0), Unit("mm"), CONVENTION] = 0.7
    """Densities are smoothed by this sigma before they are compared, against noise."""
