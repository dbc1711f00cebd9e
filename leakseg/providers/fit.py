"""Do the masks lie on this scan's bone? Measured by moving them about.

The rim of true masks is denser than the tissue round them, and more so where they are than a few
millimetres away. Masks of another scan, or shifted by a wrong origin, have a better place near by or
none at all. The measure is the chance that a voxel of the rim is denser than one of the surroundings
(the area under the ROC curve), so it needs no bone density and bears noise and osteoporosis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks
from leakseg.balls import grown_by
from leakseg.geometry import voxels_of
from leakseg.volume import Volume

_STRIDE_MM = 1.2
_SMOOTHING_MM = 3.0
_RIM_MM = 3.5
_SHELL_MM = (2.0, 6.0)
_SHIFTS_MM = (3.0, 6.0, 10.0, 15.0)
_MIRROR_STEP_MM = 2.0
_POINTS = 8_000
_FEWEST = 100
_WAYS = (("down", "up"), ("forward", "backward"), ("to the right", "to the left"))


@dataclass(frozen=True)
class Fit:
    """Contrast of the masks' rim against its surroundings, 0.5 (none) to 1.

    ``here`` where the masks lie; ``near`` and ``far`` the best place 3 mm and 6 to 15 mm away (in whole
    voxels), with the way there in words; ``mirrored`` where the masks are turned left to right.
    """

    here: float
    near: float
    near_way: str
    far: float
    far_way: str
    mirrored: float


def measure_fit(masks: SpineMasks, volume: Volume) -> Fit | None:
    """How well the masks fit the scan; None where too little of them lies in view to tell.

    Parameters
    ----------
    masks
        On the volume's grid, with a vertebra at least.
    volume
        The scan.
    """
    from scipy import ndimage

    strides = [max(1, round(_STRIDE_MM / step)) for step in volume.grid.spacing_mm]
    spacing = np.array([step * stride for step, stride in zip(volume.grid.spacing_mm, strides, strict=True)])
    window = _window(masks, strides, spacing)
    mask = np.ascontiguousarray(masks.vertebrae[window] != 0)
    size = [max(1, round(_SMOOTHING_MM / step)) for step in spacing]
    hu = ndimage.uniform_filter(volume.hu[window].astype(np.float32), size)
    steps = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
    rim = _some(voxels_of(mask & grown_by(~mask, _RIM_MM, steps)))
    shell = _some(voxels_of(grown_by(mask, _SHELL_MM[1], steps) & ~grown_by(mask, _SHELL_MM[0], steps)))
    here = _contrast(hu, rim, shell, np.zeros(3, int))
    if here is None:
        return None
    near, far = (0.0, ""), (0.0, "")
    for shift_mm in _SHIFTS_MM:
        for axis in range(3):
            for sign in (-1, 1):
                offset = np.zeros(3, int)
                offset[axis] = sign * max(1, round(shift_mm / spacing[axis]))
                moved_mm = abs(offset[axis]) * spacing[axis]
                value = _contrast(hu, rim, shell, offset) or 0.0
                found = (value, f"{moved_mm:.0f} mm {_WAYS[axis][sign > 0]}")
                if shift_mm == _SHIFTS_MM[0]:
                    near = max(near, found)
                else:
                    far = max(far, found)
    return Fit(here, *near, *far, _mirrored(hu, rim, shell, spacing))


def _window(masks: SpineMasks, strides: list[int], spacing: NDArray[np.float64]) -> tuple[slice, slice, slice]:
    """Every so many voxels of the block round the masks, with room for the shifts."""
    parts = []
    box = masks.block
    assert box is not None
    for axis in range(3):
        room = int((_SHIFTS_MM[-1] + _SHELL_MM[1]) / spacing[axis] + 1) * strides[axis]
        parts.append(slice(max(0, box[axis].start - room), box[axis].stop + room, strides[axis]))
    return parts[0], parts[1], parts[2]


def _mirrored(
    hu: NDArray[np.float32], rim: NDArray[np.int64], shell: NDArray[np.int64], spacing: NDArray[np.float64]
) -> float:
    """Best contrast of the masks turned left to right about their own middle, within 15 mm of it."""
    turn = int(rim[:, 2].min() + rim[:, 2].max())
    rim, shell = (np.stack([part[:, 0], part[:, 1], turn - part[:, 2]], axis=-1) for part in (rim, shell))
    stride = max(1, round(_MIRROR_STEP_MM / spacing[2]))
    reach = int(_SHIFTS_MM[-1] / (spacing[2] * stride))
    steps = range(-reach * stride, reach * stride + 1, stride)
    return max(_contrast(hu, rim, shell, np.array([0, 0, step])) or 0.0 for step in steps)


def _contrast(
    hu: NDArray[np.float32], rim: NDArray[np.int64], shell: NDArray[np.int64], offset: NDArray[Any]
) -> float | None:
    """Chance that a rim voxel is denser than a shell voxel, both moved by so many voxels."""
    values = []
    for points in (rim, shell):
        inside, place = np.ones(len(points), np.bool_), np.zeros(len(points), np.int64)
        for along, step, size in zip(points.T, offset, hu.shape, strict=True):
            moved = along + step
            inside &= (moved >= 0) & (moved < size)
            place *= size
            place += moved
        if np.count_nonzero(inside) < max(_FEWEST, len(points) // 3):
            return None
        values.append(hu.ravel()[place[inside]])
    higher, lower = np.sort(values[0]), np.sort(values[1])  # what is sorted is looked up quickly
    ranks = np.searchsorted(lower, higher, "left") + np.searchsorted(lower, higher, "right")
    return float(ranks.mean() / (2 * len(lower)))


def _some(points: NDArray[np.int64]) -> NDArray[np.int64]:
    return points[:: max(1, len(points) // _POINTS)]
