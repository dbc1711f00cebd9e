"""The leaks of one patient taken together."""

from __future__ import annotations

from leakseg.criteria import LeakCriteria
from leakseg.findings import Leak, LeakType, PatientPattern, Side


def patient_pattern(leaks: tuple[Leak, ...], criteria: LeakCriteria) -> PatientPattern:
    """Types present, and whether they are bilateral, combined or profuse.

    Bilateral: epidural or foraminal leaks on both sides, or one bilateral leak. Combined: epidural and
    foraminal both present. Profuse: cement in canal and foramina over a stated volume (a convention).
    """
    neural = [leak for leak in leaks if leak.type in (LeakType.EPIDURAL, LeakType.FORAMINAL)]
    sides = {leak.side for leak in neural}
    present = {leak.type for leak in leaks}
    return PatientPattern(
        types=tuple(kind for kind in LeakType if kind in present),
        bilateral=Side.BILATERAL in sides or {Side.LEFT, Side.RIGHT} <= sides,
        combined={LeakType.EPIDURAL, LeakType.FORAMINAL} <= present,
        profuse=sum(leak.volume_mm3 for leak in neural) > criteria.profuse_volume_mm3,
    )
