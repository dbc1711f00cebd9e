"""The arch behind a body: pedicles, laminae, and the spinous, transverse and articular processes.

Lumbar arches have sagittal facets and flat transverse processes; thoracic ones have coronal facets, transverse
processes that run backward to the ribs' tubercles, and spinous processes that slope down, most at T5 to T8. T11
and T12 stand between. Proportions are [convention] within what CT shows. Offsets ``(s, u, v)`` as in the pose.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leakseg.anatomy import VertebraLevel
from leakseg.phantom.morphometry import VertebraSize
from leakseg.phantom.pose import VertebraPose
from leakseg.phantom.solids import Brick, Ellipsoid, Solid, Tube

Offset = tuple[float, float, float]
_SLOPE_DEG = {"T5": 52.0, "T6": 56.0, "T7": 56.0, "T8": 50.0, "T9": 42.0, "T10": 32.0}
"""How steeply a spinous process falls behind the arch."""


def arch_solids(pose: VertebraPose) -> tuple[Solid, ...]:
    """The arch's solids; the canal is still to be cut out of them."""
    if pose.level in _SLOPE_DEG:
        return (*_thoracic_spinous(pose), *_thoracic_side(pose, 1.0), *_thoracic_side(pose, -1.0))
    return (_lumbar_spinous(pose), *_lumbar_side(pose, 1.0), *_lumbar_side(pose, -1.0))


def pedicle_height_offset(pose: VertebraPose) -> float:
    """Mid-height of the pedicles: they hang from the upper end of the healthy body and sink with a crushed one."""
    size = pose.size
    high = size.body_height_mm / 2 - size.pedicle_height_mm / 2 - 0.04 * size.body_height_mm
    return high - 0.5 * (size.body_height_mm / 2 - pose.top_mm)


def transverse_tip(pose: VertebraPose, sign: float) -> Offset:
    """End of the transverse process; a rib's tubercle lies before it."""
    size, high = pose.size, pedicle_height_offset(pose)
    wall = -size.canal_depth_mm / 2
    if pose.level in _SLOPE_DEG:
        return high + 2.0, wall + 24.0, sign * (size.transverse_width_mm / 2 - 4.0)
    return high - 2.0, wall + 14.0, sign * size.transverse_width_mm / 2


def tube(
    pose: VertebraPose, stops: Sequence[Offset], radii: Sequence[float], axis: int = 0, squash: float = 1.0
) -> Tube:
    """A tube through offsets of a pose."""
    return Tube(np.array([pose.at(*stop) for stop in stops]), np.array(radii), pose.axes[axis], squash)


def pedicle(pose: VertebraPose, sign: float) -> Tube:
    """The pedicle: an upright oval."""
    size = pose.size
    wall, radius = -size.canal_depth_mm / 2, size.pedicle_height_mm / 2
    middle = sign * (size.canal_width_mm / 2 + size.pedicle_width_mm / 2)
    high = pedicle_height_offset(pose)
    inner = min(0.97 * abs(middle), size.body_width_mm / 2 - size.pedicle_width_mm / 2 + 1.5)
    front = (high, wall - 4.0 + max(radius - 7.0, 0.0), sign * inner)
    stops = [front, (high, wall + 2.0, middle), (high, wall + 8.0, middle)]
    return tube(pose, stops, [radius, radius, radius], 2, size.pedicle_height_mm / size.pedicle_width_mm)


def _lumbar_spinous(pose: VertebraPose) -> Solid:
    size: VertebraSize = pose.size
    tall, back = size.body_height_mm, size.canal_depth_mm / 2
    return Brick(
        pose.at(-0.28 * tall, back + 3 + size.spinous_length_mm * 0.2, 0),
        (0.36 * tall, size.spinous_length_mm * 0.2 + 3, 3.2),
        pose.axes,
        2.0,
    )


def _lumbar_side(pose: VertebraPose, sign: float) -> list[Solid]:
    size = pose.size
    wall, back, half = -size.canal_depth_mm / 2, size.canal_depth_mm / 2, size.canal_width_mm / 2
    tall, high = size.body_height_mm, pedicle_height_offset(pose)
    middle, facet_v = sign * (half + size.pedicle_width_mm / 2), sign * (half + 1.5)
    transverse = (3.6, 3.0) if pose.level in {VertebraLevel.T11, VertebraLevel.T12} else (4.2, 2.8)
    return [
        pedicle(pose, sign),
        tube(pose, [(0.0, 1.5, sign * (half + 2.5)), (-0.22 * tall, back + 3.5, sign * 1.5)], [3.3, 3.3], 0, 0.42),
        tube(pose, [(high - 1.0, wall + 10.0, middle), transverse_tip(pose, sign)], transverse),
        tube(pose, [(high, wall + 9.0, middle), (tall / 2 + 5.5, 5.5, sign * (half + 6.8))], [4.4, 4.0]),
        tube(pose, [(high - 4.0, 4.0, sign * (half + 2.5)), (-tall / 2 + 1.0, back - 0.5, facet_v)], [3.8, 3.2]),
        Ellipsoid(pose.at(-tall / 2 - 5.5, back + 1.0, sign * (half - 0.5)), (8.0, 3.4, 3.8), pose.axes),
    ]


def _thoracic_spinous(pose: VertebraPose) -> list[Solid]:
    size = pose.size
    tall, back = size.body_height_mm, size.canal_depth_mm / 2
    slope = np.deg2rad(_SLOPE_DEG[pose.level])
    length = 0.55 * size.spinous_length_mm
    start = (-0.15 * tall, back + 3.0, 0.0)
    end = (start[0] - length * float(np.sin(slope)), start[1] + length * float(np.cos(slope)), 0.0)
    return [tube(pose, [start, end], [5.0, 3.6], 2, 1.5)]


def _thoracic_side(pose: VertebraPose, sign: float) -> list[Solid]:
    size = pose.size
    wall, back, half = -size.canal_depth_mm / 2, size.canal_depth_mm / 2, size.canal_width_mm / 2
    tall, high = size.body_height_mm, pedicle_height_offset(pose)
    middle = sign * (half + size.pedicle_width_mm / 2)
    lamina = [(0.0, back - 2.5, sign * (half + 1.5)), (-0.18 * tall, back + 2.5, sign * 1.0)]
    joint_v = sign * 0.72 * half
    return [
        pedicle(pose, sign),
        tube(pose, [(high, wall + 8.0, middle), (0.5 * high, back - 1.0, sign * (half + 1.5))], [3.4, 3.2], 0, 0.7),
        tube(pose, lamina, [2.6, 2.6], 0, 0.28),
        tube(pose, [(high, back - 3.0, 1.05 * middle), transverse_tip(pose, sign)], [3.6, 4.2]),
        tube(
            pose,
            [(0.5 * high, back - 0.5, sign * (half + 0.5)), (tall / 2 + 4.5, back - 0.8, joint_v)],
            [3.0, 2.8],
            1,
            1.3,
        ),
        tube(pose, [(-0.2 * tall, back + 2.8, joint_v), (-tall / 2 - 3.0, back + 2.8, joint_v)], [3.6, 3.2], 1, 1.3),
    ]
