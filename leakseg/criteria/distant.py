"""Criteria of cement far from the spine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, Le

from leakseg.criteria.marks import CONVENTION, Unit


@dataclass(frozen=True, kw_only=True)
class DistantCriteria:
    """What counts as a distant dense piece: cement that may have travelled by vein."""

    distant_min_volume_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 10.0
    """Smaller dense pieces are calcified plaque or noise."""
    distant_max_volume_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 10000.0
    """Larger dense pieces are implants or contrast."""
    distant_core_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.8
    """The dense end of a distant piece reaches this share of the cement's density ..."""
    distant_max_core_share: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 1.15
    """... and not more than this."""
    distant_middle_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.7
    """The median of a distant piece reaches this share: cement is even, a calcified plaque is not."""
    distant_max_spread: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 4.0
    """Less dense matter hanging together with it: at most this many times its size; bone goes on."""
    distant_min_reach_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 45.0
    """Nearer to the canal than this a piece lies beside the vertebrae and is judged as a leak."""
    lateral_reach_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 160.0
    """Looked for up to this far to both sides of the canal (arms lie farther out)."""
