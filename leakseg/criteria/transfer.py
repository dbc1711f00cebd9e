"""Criteria of receiving studies; they change no result, and so stand in no report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt

from leakseg.criteria.marks import CONVENTION, Source, Unit


@dataclass(frozen=True, kw_only=True)
class TransferCriteria:
    """When a received study is taken to be whole, and how long it is kept."""

    quiet_s: Annotated[
        float,
        Gt(0),
        Unit("s"),
        Source("convention, as Orthanc's StableAge; a PACS pauses for seconds between two series of one study"),
    ] = 60.0
    """A study is analysed when nothing of it came for this long: DICOM has no word for the end of a study."""
    keep_h: Annotated[
        float,
        Ge(0),
        Unit("h"),
        Source("convention; late series and reformats come within the day, and need the rest of the study"),
    ] = 24.0
    """Received images are removed this long after their study was analysed and its results were sent."""
    attempts: Annotated[int, Ge(1), Unit("1"), CONVENTION] = 3
    """A study whose analysis fails by our fault is tried so often, and again after a restart."""
