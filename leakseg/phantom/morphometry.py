"""Sizes of vertebrae by level, millimetres.

Means of adult specimens, rounded to half a millimetre: lumbar after Panjabi 1992 (doi
10.1097/00007632-199203000-00010), thoracic after Panjabi 1991 (doi 10.1097/00007632-199108000-00006; bodies between
its upper and lower endplates), thoracic pedicles after Zindrick 1987 (doi 10.1097/00007632-198703000-00012), all as
gathered by Kunkel 2010 (doi 10.1111/j.1469-7580.2009.01187.x). L5's pedicles are 17 mm wide and 15 mm tall, between
Panjabi's, which take in the root of the transverse process (19.5 mm tall), and later series (13.9 to 16.7 mm tall
from T11 to L5: Lien 2007, doi 10.1007/s00586-006-0245-2). The sacrum's height and breadth follow dry bones (98 mm tall,
109 mm between the auricular surfaces: PMC5799488); its endplate, canal, alae and lower segments are [convention].
T13 and L6 are [convention]: between or like their neighbours. Disc heights, and how far endplates sink and waists
narrow, are [convention] within what CT shows. The recipe scales and varies them; no result hangs on a single figure.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from leakseg.anatomy import VertebraLevel


@dataclass(frozen=True)
class VertebraSize:
    """One vertebra, mm: whole widths, depths and heights; heights are those of the posterior wall."""

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

    def stretched(self, factors: tuple[float, ...]) -> VertebraSize:
        """Each length times a factor of its own, in the order of the fields."""
        return VertebraSize(
            *(getattr(self, field.name) * factor for field, factor in zip(fields(self), factors, strict=True))
        )


SIZES: dict[VertebraLevel, VertebraSize] = {
    VertebraLevel.T5: VertebraSize(26.0, 25.0, 16.0, 17.5, 16.0, 4.5, 12.0, 62.0, 48.0, 4.0),
    VertebraLevel.T6: VertebraSize(27.0, 26.5, 17.5, 17.5, 16.5, 5.0, 12.0, 61.0, 52.0, 4.0),
    VertebraLevel.T7: VertebraSize(28.5, 28.0, 18.0, 17.5, 16.0, 5.5, 12.0, 60.0, 52.0, 4.5),
    VertebraLevel.T8: VertebraSize(30.0, 28.5, 18.5, 17.5, 16.0, 6.0, 12.5, 60.0, 52.0, 4.5),
    VertebraLevel.T9: VertebraSize(32.0, 30.0, 19.5, 18.0, 15.5, 6.0, 14.0, 59.0, 51.0, 5.0),
    VertebraLevel.T10: VertebraSize(33.5, 31.0, 20.0, 18.0, 15.5, 6.5, 15.0, 58.0, 50.0, 5.5),
    VertebraLevel.T11: VertebraSize(37.0, 32.0, 21.5, 19.5, 16.5, 8.0, 17.0, 52.0, 49.0, 6.0),
    VertebraLevel.T12: VertebraSize(39.0, 33.0, 22.5, 22.0, 18.0, 8.0, 16.5, 47.0, 50.0, 6.5),
    VertebraLevel.T13: VertebraSize(40.0, 33.5, 23.0, 22.5, 18.5, 8.5, 16.0, 54.0, 58.0, 7.5),
    VertebraLevel.L1: VertebraSize(41.0, 34.0, 24.0, 23.5, 19.0, 8.5, 16.0, 71.0, 67.5, 8.0),
    VertebraLevel.L2: VertebraSize(42.5, 34.5, 24.5, 24.0, 18.0, 8.5, 15.0, 76.0, 70.0, 9.0),
    VertebraLevel.L3: VertebraSize(44.0, 35.0, 24.0, 24.5, 17.5, 10.0, 14.5, 85.5, 70.0, 10.0),
    VertebraLevel.L4: VertebraSize(46.5, 35.5, 24.0, 25.5, 18.5, 14.0, 15.5, 79.0, 67.0, 11.0),
    VertebraLevel.L5: VertebraSize(47.5, 34.5, 23.0, 27.0, 19.5, 17.0, 15.0, 92.0, 61.0, 10.0),
    VertebraLevel.L6: VertebraSize(48.0, 34.0, 23.0, 28.0, 18.5, 17.0, 15.0, 90.0, 52.0, 9.5),
    VertebraLevel.S1: VertebraSize(50.0, 33.0, 30.0, 30.0, 16.0, 20.0, 24.0, 104.0, 30.0, 0.0),
}
"""Levels that can be built; S1 stands for the whole sacrum, whose first segment it sizes."""
SACRAL_SEGMENTS: tuple[tuple[float, float, float, float, float], ...] = (
    (40.0, 27.0, 26.0, 26.0, 13.0),
    (30.0, 21.0, 22.0, 21.0, 9.0),
    (24.0, 16.0, 19.0, 16.0, 6.0),
)
"""S2 to S4: width, depth and height of the body, width and depth of the canal."""
VARIANTS = (VertebraLevel.T13, VertebraLevel.L6)
"""Levels that most people have not."""
ENDPLATE_SINK_MM = 1.8
WAIST_FRACTION = 0.11
"""How much narrower the body is at mid-height than at its endplates."""
