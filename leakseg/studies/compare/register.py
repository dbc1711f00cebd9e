"""Rigid registration of single vertebrae between two scans: spines bend, vertebrae do not.

Each is started from its own level in the other scan and refined on its densities (SimpleITK: correlation, a rigid
transform, two resolutions), cement left out of both sides and, in a second round, whatever changed between the scans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineAnatomy, Vertebra, VertebraLevel
from leakseg.criteria.compare import CompareCriteria
from leakseg.geometry import FloatArray, Grid
from leakseg.reach import Window
from leakseg.studies.compare.scans import ScanAtTime

_ROOM_MM = 12.0
_WINDOW_HU = (-150.0, 1200.0)
_CEMENT_ROOM_MM = 2.5
_MASK_ROOM_MM = 2.0
_CHANGED_HU = 250.0
"""Densities that differ by more than this after the first round belong to cement or to resected bone."""
_SURFACE_SHARE = 0.8
"""The nearer share of the surface is compared: the rest may be what surgery took."""


@dataclass(frozen=True, eq=False)
class LevelMatch:
    """One vertebra of the first scan found again in another.

    ``matrix`` ``(4, 4)`` takes patient points of the first scan to the other's; ``problem`` says why it is refused.
    """

    level: VertebraLevel
    matrix: FloatArray
    residual_mm: float
    correlation: float
    problem: str | None = None

    def to_other(self, points_mm: FloatArray) -> FloatArray:
        """Points of the first scan in the other."""
        return np.asarray(points_mm @ self.matrix[:3, :3].T + self.matrix[:3, 3], dtype=np.float64)

    def to_first(self, points_mm: FloatArray) -> FloatArray:
        """Points of the other scan in the first."""
        inverse = np.linalg.inv(self.matrix)
        return np.asarray(points_mm @ inverse[:3, :3].T + inverse[:3, 3], dtype=np.float64)


def register_level(first: ScanAtTime, other: ScanAtTime, level: VertebraLevel, criteria: CompareCriteria) -> LevelMatch:
    """Find a vertebra of the first scan in the other.

    Returns
    -------
    LevelMatch
        With ``problem`` set where the level is not in both scans or they do not come to lie on each other.
    """
    missing = [scan.name for scan in (first, other) if _vertebra(scan.anatomy, level) is None]
    if missing:
        return LevelMatch(level, np.eye(4), float("inf"), 0.0, f"{level} is not seen whole in the {missing[0]} scan")
    start = _start(first.anatomy, other.anatomy, level)
    window = _window(first, level)
    fixed, fixed_mask = _part(first, window, first.masks.vertebrae[window] == level.number)
    other_window = _window(other, level)
    moving, moving_mask = _part(other, other_window, np.ones(other.volume.grid.crop(other_window).shape, bool))
    grids = first.volume.grid.crop(window), other.volume.grid.crop(other_window)
    matrix, _ = _refine(fixed, fixed_mask, grids[0], moving, moving_mask, grids[1], start)
    seen = _sample(moving, grids[1], _apply(matrix, grids[0].to_patient(np.argwhere(fixed_mask))))
    index = np.argwhere(fixed_mask)
    changed = np.abs(seen - fixed[tuple(index.T)]) > _CHANGED_HU
    calm = fixed_mask.copy()
    calm[tuple(index[changed].T)] = False
    matrix, correlation = _refine(fixed, calm, grids[0], moving, moving_mask, grids[1], matrix)
    residual = _residual(first, other, level, matrix)
    problem = None
    if residual > criteria.max_residual_mm or correlation < criteria.min_correlation:
        problem = (
            f"{level} did not come to lie on itself in the {other.name} scan (surfaces {residual:.1f} mm apart, "
            f"at most {criteria.max_residual_mm:g} asked for; densities agree to {correlation:.2f}, at least "
            f"{criteria.min_correlation:g} asked for)"
        )
    return LevelMatch(level, matrix, residual, correlation, problem)


def _vertebra(anatomy: SpineAnatomy, level: VertebraLevel) -> Vertebra | None:
    return next((one for one in anatomy.vertebrae if one.level == level), None)


def _start(first: SpineAnatomy, other: SpineAnatomy, level: VertebraLevel) -> FloatArray:
    """Body on body, axes on axes."""
    (centre, axes), (aim, turned) = _frame(first, level), _frame(other, level)
    rotation = turned.T @ axes
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = aim - rotation @ centre
    return matrix


def _frame(anatomy: SpineAnatomy, level: VertebraLevel) -> tuple[FloatArray, FloatArray]:
    """Patient point of the body's centre; rows superior, posterior, left there."""
    body = np.array(anatomy.vertebra(level).body_centre_suv_mm)
    row = int(np.clip(round(float(body[0])), 0, len(anatomy.axis.points_mm) - 1))
    axes = np.stack([anatomy.axis.superior[row], anatomy.axis.posterior[row], anatomy.axis.left[row]])
    return anatomy.axis.to_patient(body[None])[0], axes


def _window(scan: ScanAtTime, level: VertebraLevel) -> Window:
    from scipy.ndimage import find_objects

    box = find_objects((scan.masks.vertebrae == level.number).astype(np.uint8))[0]
    room = [int(np.ceil(_ROOM_MM / mm)) for mm in scan.volume.grid.spacing_mm]
    first, second, third = (
        slice(max(side.start - extra, 0), min(side.stop + extra, size))
        for side, extra, size in zip(box, room, scan.volume.grid.shape, strict=True)
    )
    return (first, second, third)


def _part(scan: ScanAtTime, window: Window, mask: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Densities without their extremes, and where they may be compared: round the bone, away from cement."""
    import edt

    spacing = scan.volume.grid.spacing_mm
    hu = np.clip(scan.volume.hu[window], *_WINDOW_HU).astype(np.float32)
    whole = np.zeros(scan.volume.grid.shape, bool)
    whole[scan.cement.window] = scan.cement.labels > 0
    cement = whole[window]
    near = edt.edt(~mask, anisotropy=spacing) <= _MASK_ROOM_MM if not mask.all() else mask
    if cement.any():
        near = near & (edt.edt(~cement, anisotropy=spacing) > _CEMENT_ROOM_MM)
    return hu, near


def _refine(
    fixed: NDArray[np.float32],
    fixed_mask: NDArray[np.bool_],
    fixed_grid: Grid,
    moving: NDArray[np.float32],
    moving_mask: NDArray[np.bool_],
    moving_grid: Grid,
    start: FloatArray,
) -> tuple[FloatArray, float]:
    """The rigid transform near ``start`` under which densities correlate best, and that correlation."""
    import SimpleITK as sitk

    centre = fixed_grid.to_patient(np.argwhere(fixed_mask).mean(axis=0))
    rigid = sitk.Euler3DTransform()
    rigid.SetCenter(centre.tolist())
    rigid.SetMatrix(_orthogonal(start[:3, :3]).ravel().tolist(), 1e-6)
    rigid.SetTranslation((_apply(start, centre[None])[0] - centre).tolist())
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetMetricFixedMask(_image(fixed_mask.astype(np.uint8), fixed_grid))
    method.SetMetricMovingMask(_image(moving_mask.astype(np.uint8), moving_grid))
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 150, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([1.5, 0.7])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(rigid, inPlace=True)
    try:
        method.Execute(_image(fixed, fixed_grid), _image(moving, moving_grid))
    except RuntimeError:  # too little of both overlaps: ITK says so by an error
        return start, 0.0
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(rigid.GetMatrix()).reshape(3, 3)
    turned = matrix[:3, :3] @ centre
    matrix[:3, 3] = centre + np.array(rigid.GetTranslation()) - turned
    return matrix, float(-method.GetMetricValue())


def _image(array: NDArray[Any], grid: Grid) -> Any:
    """A SimpleITK image: its axes are the array's in reverse."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    columns = grid.affine[:3, :3][:, ::-1]
    spacing = np.linalg.norm(columns, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((columns / spacing).ravel().tolist())
    image.SetOrigin(grid.affine[:3, 3].tolist())
    return image


def _orthogonal(matrix: FloatArray) -> FloatArray:
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ right, dtype=np.float64)


def _apply(matrix: FloatArray, points_mm: FloatArray) -> FloatArray:
    return np.asarray(points_mm @ matrix[:3, :3].T + matrix[:3, 3], dtype=np.float64)


def _sample(values: NDArray[np.float32], grid: Grid, points_mm: FloatArray) -> NDArray[np.float32]:
    from scipy.ndimage import map_coordinates

    return np.asarray(map_coordinates(values, grid.to_index(points_mm).T, order=1, mode="nearest"), dtype=np.float32)


def _residual(first: ScanAtTime, other: ScanAtTime, level: VertebraLevel, matrix: FloatArray) -> float:
    """Mean distance, mm, of the bone's surface in the first scan to that in the other, the farthest fifth left out."""
    import edt
    from scipy.ndimage import binary_erosion, map_coordinates

    window, other_window = _window(first, level), _window(other, level)
    bone = first.masks.vertebrae[window] == level.number
    surface = np.argwhere(bone & ~binary_erosion(bone))
    points = _apply(matrix, first.volume.grid.crop(window).to_patient(surface))
    there = other.masks.vertebrae[other_window] == level.number
    grid = other.volume.grid.crop(other_window)
    outward = edt.edt(~there, anisotropy=grid.spacing_mm) - edt.edt(there, anisotropy=grid.spacing_mm)
    half = 0.5 * float(np.prod(grid.spacing_mm)) ** (1 / 3)
    away = np.abs(map_coordinates(outward.astype(np.float32), grid.to_index(points).T, order=1, mode="nearest"))
    away = np.sort(np.maximum(away - half, 0.0))
    return float(away[: max(1, int(_SURFACE_SHARE * len(away)))].mean())
