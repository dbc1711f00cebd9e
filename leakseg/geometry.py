"""Where voxels lie: a grid of voxel centres in DICOM patient space.

World coordinates are DICOM's LPS in millimetres: x to the patient's Left, y to Posterior, z to
Superior. Array axes are ``(k, j, i)``; the affine maps ``(k, j, i, 1)`` to the centre of that voxel.
The canonical orientation is ``"SPL"``: axis 0 runs to Superior, 1 to Posterior, 2 to Left. Such a grid
is left-handed (the affine's determinant is negative); volumes use the determinant's magnitude.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from leakseg.errors import GeometryError

FloatArray: TypeAlias = NDArray[np.float64]
"""Double-precision array; points have the shape ``(..., 3)``."""

CANONICAL_ORIENTATION = "SPL"
_DIRECTIONS = (("R", "L"), ("A", "P"), ("I", "S"))
_ORTHOGONALITY = 1e-3
_BYTE_COUNTS = 255
MOST_VOXELS = 2**31
"""Five times the longest scan of today (1600 slices of 512 x 512): a header that claims more is damaged."""


def too_large(shape: Iterable[int]) -> str:
    """The sentence for a grid of more than `MOST_VOXELS`."""
    return (
        f"The header claims {' x '.join(str(size) for size in shape)} voxels, more than any scan has "
        f"({MOST_VOXELS}): it is damaged."
    )


@dataclass(frozen=True, eq=False)
class Grid:
    """Shape and place of a block of voxels.

    Parameters
    ----------
    shape
        Number of voxels along ``(k, j, i)``.
    affine
        ``(4, 4)``, index to patient millimetres. Its three columns must stand at right angles: a
        sheared grid (gantry tilt) is straightened by the reader before it becomes a `Grid`.
    frame_of_reference_uid
        DICOM frame of reference; empty where unknown.

    Raises
    ------
    GeometryError
        Where the affine is not finite, flat, or sheared.
    """

    shape: tuple[int, int, int]
    affine: FloatArray
    frame_of_reference_uid: str = ""

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise GeometryError("The grid's affine must be a finite 4 x 4 matrix.")
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise GeometryError(f"A grid needs three axes of at least one voxel, not {self.shape}.")
        columns = affine[:3, :3]
        if math.prod(self.shape) > MOST_VOXELS:
            raise GeometryError(too_large(self.shape))
        lengths = np.linalg.norm(columns, axis=0)
        if lengths.min() <= 0:
            raise GeometryError("The grid's affine has an axis of zero length.")
        cosines = (columns / lengths).T @ (columns / lengths)
        if np.abs(cosines - np.eye(3)).max() > _ORTHOGONALITY:
            raise GeometryError("The grid is sheared (its axes are not at right angles).")
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along ``(k, j, i)``."""
        lengths = np.linalg.norm(self.affine[:3, :3], axis=0)
        return (float(lengths[0]), float(lengths[1]), float(lengths[2]))

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @cached_property
    def inverse(self) -> FloatArray:
        """``(4, 4)``, patient millimetres to index."""
        return np.asarray(np.linalg.inv(self.affine), dtype=np.float64)

    @property
    def orientation(self) -> str:
        """Three letters: where each array axis runs to, e.g. ``"SPL"``."""
        order, signs = _axis_order(self.affine)
        return "".join(_DIRECTIONS[axis][1 if sign > 0 else 0] for axis, sign in zip(order, signs, strict=True))

    def to_patient(self, index: Any) -> FloatArray:
        """Patient millimetres ``(..., 3)`` of (fractional) indices ``(..., 3)`` in ``(k, j, i)``."""
        points = np.asarray(index, dtype=np.float64)
        return points @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, point_mm: Any) -> FloatArray:
        """Fractional indices ``(..., 3)`` in ``(k, j, i)`` of patient points ``(..., 3)``."""
        points = np.asarray(point_mm, dtype=np.float64)
        return points @ self.inverse[:3, :3].T + self.inverse[:3, 3]

    def corners_mm(self) -> FloatArray:
        """Centres of the eight corner voxels, ``(8, 3)``."""
        ends = [(0, n - 1) for n in self.shape]
        return self.to_patient([(k, j, i) for k in ends[0] for j in ends[1] for i in ends[2]])

    def crop(self, window: tuple[slice, slice, slice]) -> Grid:
        """The grid of ``array[window]``; slices must have step one and lie inside."""
        starts, stops = [], []
        for part, size in zip(window, self.shape, strict=True):
            start, stop, step = part.indices(size)
            if step != 1 or stop <= start:
                raise GeometryError(f"Cannot crop a grid of shape {self.shape} to {window}.")
            starts.append(start)
            stops.append(stop)
        affine = self.affine.copy()
        affine[:3, 3] = self.to_patient(starts)
        shape = tuple(stop - start for start, stop in zip(starts, stops, strict=True))
        return Grid((shape[0], shape[1], shape[2]), affine, self.frame_of_reference_uid)

    def same_as(self, other: Grid, tolerance_mm: float = 0.01) -> bool:
        """Whether both grids have the same voxels in the same places of the same frame.

        An unknown frame of reference (``""``) agrees with any: files such as NIfTI carry none.
        """
        frames = {self.frame_of_reference_uid, other.frame_of_reference_uid} - {""}
        if self.shape != other.shape or len(frames) > 1:
            return False
        return bool(np.abs(self.corners_mm() - other.corners_mm()).max() <= tolerance_mm)


def canonical(grid: Grid, array: NDArray[Any]) -> tuple[Grid, NDArray[Any]]:
    """The same voxels in canonical ``SPL`` order, as a view: nothing is resampled.

    Parameters
    ----------
    grid
        Any right-angled grid.
    array
        Array whose first three axes are the grid's.
    """
    order, signs = _axis_order(grid.affine)
    wanted = (2, 1, 0)
    axes = [order.index(axis) for axis in wanted]
    affine = grid.affine.copy()
    affine[:3, :3] = grid.affine[:3, axes]
    array = np.transpose(array, (*axes, *range(3, array.ndim)))
    for position, axis in enumerate(axes):
        if signs[axis] < 0:
            affine[:3, 3] += affine[:3, position] * (array.shape[position] - 1)
            affine[:3, position] *= -1
            array = np.flip(array, axis=position)
    return Grid((array.shape[0], array.shape[1], array.shape[2]), affine, grid.frame_of_reference_uid), array


def distance_to_surface_mm(mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> NDArray[np.float32]:
    """Distance of each voxel in a mask to the mask's surface, 0 outside (float32, the mask's shape).

    The surface lies half a voxel before the first voxel outside; the array's border is no surface.
    """
    import edt

    result = np.zeros(mask.shape, np.float32)
    box = bounding_box(mask, 1)
    if box is not None:
        distance = edt.edt(np.ascontiguousarray(mask[box]), anisotropy=spacing_mm, black_border=False)
        np.maximum(distance - np.float32(half_voxel_mm(spacing_mm)), 0.0, out=result[box])
    return result


def half_voxel_mm(spacing_mm: tuple[float, float, float]) -> float:
    """How far a mask's surface lies outside its outermost voxels' centres, the axes taken together."""
    return float(0.5 * float(np.prod(spacing_mm)) ** (1 / 3))


def bounding_box(mask: NDArray[Any], margin: int = 0) -> tuple[slice, slice, slice] | None:
    """The smallest window that holds a ``(K, J, I)`` mask or its label numbers, grown by a margin; None if empty."""
    first = next((k for k in range(len(mask)) if mask[k].any()), None)
    if first is None:
        return None
    last = next(k for k in reversed(range(len(mask))) if mask[k].any())
    seen_from_above = (np.logical_or if mask.dtype == np.bool_ else np.maximum).reduce(mask[first : last + 1], axis=0)
    rows, columns = (np.flatnonzero(seen_from_above.any(axis=axis)) for axis in (1, 0))
    ends = ((first, last), (rows[0], rows[-1]), (columns[0], columns[-1]))
    k, j, i = (
        slice(max(int(low) - margin, 0), min(int(high) + 1 + margin, size))
        for (low, high), size in zip(ends, mask.shape, strict=True)
    )
    return k, j, i


def counted(mask: NDArray[np.bool_], axis: int) -> NDArray[np.int64]:
    """How many voxels of a mask lie along each line of an axis, as ``mask.sum(axis)``.

    Counted in single bytes for as many voxels as a byte can count: a fifth of the time.
    """
    ones = np.moveaxis(mask, axis, 0).view(np.uint8)
    total = np.zeros(ones.shape[1:], np.int64)
    for first in range(0, len(ones), _BYTE_COUNTS):
        total += np.add.reduce(ones[first : first + _BYTE_COUNTS], axis=0, dtype=np.uint8)
    return total


def voxels_of(mask: NDArray[Any]) -> NDArray[np.int64]:
    """``(N, 3)`` voxels of a mask or a labelmap, as `numpy.argwhere` lists them, quickly where they are few."""
    return np.asarray(np.unravel_index(np.flatnonzero(mask), mask.shape), dtype=np.int64).T


def _axis_order(affine: FloatArray) -> tuple[list[int], list[int]]:
    """For each array axis, the patient axis nearest to it (each taken once) and its sign."""
    columns = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    remaining = np.abs(columns)
    order, signs = [0, 0, 0], [1, 1, 1]
    for _ in range(3):
        patient_axis, array_axis = np.unravel_index(int(np.argmax(remaining)), (3, 3))
        order[array_axis] = int(patient_axis)
        signs[array_axis] = 1 if columns[patient_axis, array_axis] > 0 else -1
        remaining[patient_axis, :] = -1
        remaining[:, array_axis] = -1
    return order, signs
