"""Sizes of vertebrae by level, millimetres.

Means of adult specimens, rounded to half a millimetre: lumbar after Panjabi 1992 (doi
10.1097/00007632-199203000-00010), T12 after Panjabi 1991 (doi 10.1097/00007632-199108000-00006), pedicles
compared with Zindrick 1987 (doi 10.1097/00007632-198703000-00012), all as gathered by Kunkel 2010 (doi
10.1111/j.1469-7580.2009.01187.x). Disc heights, and how far endplates sink and waists narrow, are [convention]
within what CT shows. The recipe scales and varies them; no result hangs on a single figure.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from leakseg.anatomy import VertebraLevel


@dataclass(frozen=True)
class VertebraSize:
    """One vertebra, mm: whole widths, depths and heights."""

    body_width_mm: float
    body_depth_mm: float
    body_height_mm: float
    canal_width_mm: float
    canal_depth_mm: float
    pedicle_width_mm: float
    pedicle_height_mm: float
    transverse_width_mm: float
    spinous_length_mm: float
    disc_below_mm: float

    def scaled(self, factor: float) -> VertebraSize:
        """All lengths times a factor."""
        return VertebraSize(*(getattr(self, field.name) * factor for field in fields(self)))


SIZES: dict[VertebraLevel, VertebraSize] = {
    VertebraLevel.T12: VertebraSize(39.0, 33.0, 22.5, 22.0, 18.0, 8.0, 16.5, 47.0, 50.0, 6.5),
    VertebraLevel.L1: VertebraSize(41.0, 34.0, 24.0, 23.5, 19.0, 8.5, 16.0, 71.0, 67.5, 8.0),
    VertebraLevel.L2: VertebraSize(42.5, 34.5, 24.5, 24.0, 18.0, 8.5, 15.0, 76.0, 70.0, 9.0),
    VertebraLevel.L3: VertebraSize(44.0, 35.0, 24.0, 24.5, 17.5, 10.0, 14.5, 85.5, 70.0, 10.0),
    VertebraLevel.L4: VertebraSize(46.5, 35.5, 24.0, 25.5, 18.5, 14.0, 15.5, 79.0, 67.0, 11.0),
    VertebraLevel.L5: VertebraSize(47.5, 34.5, 23.0, 27.0, 19.5, 18.5, 19.5, 92.0, 61.0, 10.0),
}
"""Levels that can be built so far."""
ENDPLATE_SINK_MM = 1.8
WAIST_FRACTION = 0.11
"""How much narrower the body is at mid-height than at its endplates."""
