"""The part of a scan that pictures show: a box round the spine, in the scan's canonical ``(k, j, i)`` axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import VertebraLevel
from leakseg.findings import CaseResult, Leak
from leakseg.geometry import Grid, bounding_box
from leakseg.pictures.rebuilt import rebuilt_canal
from leakseg.reach import Window, within

T = TypeVar("T", bound=np.generic)
MARGIN_MM = 30.0
"""Of tissue round the vertebrae; key images show 100 mm."""
_DIRECTIONS = ("RL", "AP", "IS")
_SLANTED = 0.35
"""A direction is named by every patient axis of which it holds this share (20 degrees)."""


@dataclass(frozen=True, eq=False)
class Region:
    """A box of the scan with all that is drawn there; arrays are ``(k, j, i)`` views on the result's own.

    ``cement`` holds 1 inside bone, 2 outside, 3 metal; ``leaks`` leak ids; ``canal`` is None where none is known,
    and ``canal_rebuilt`` true where it is leakseg's own and no mask's.
    """

    grid: Grid
    hu: NDArray[Any]
    vertebrae: NDArray[np.uint8]
    canal: NDArray[np.bool_] | None
    cement: NDArray[np.uint8]
    leaks: NDArray[Any]
    canal_rebuilt: bool = False

    @cached_property
    def leaks_box(self) -> Window | None:
        """The smallest box that holds all leaks; None where there are none."""
        return bounds(self.leaks)

    def crop(self, window: Window) -> Region:
        """A smaller box."""
        canal = None if self.canal is None else self.canal[window]
        return Region(
            self.grid.crop(window),
            self.hu[window],
            self.vertebrae[window],
            canal,
            self.cement[window],
            self.leaks[window],
            self.canal_rebuilt,
        )

    def thinned(self, picks: Sequence[NDArray[np.int64]]) -> Region:
        """The voxels where some slices, rows and columns cross; the grid stays the box's own."""
        return replace(
            self,
            hu=picked(self.hu, picks),
            vertebrae=picked(self.vertebrae, picks),
            canal=None if self.canal is None else picked(self.canal, picks),
            cement=picked(self.cement, picks),
            leaks=picked(self.leaks, picks),
        )


def picked(array: NDArray[T], picks: Sequence[NDArray[np.int64]]) -> NDArray[T]:
    """``array[numpy.ix_(*picks)]``, a slice at a time: rows are copied whole before columns are picked."""
    slices, rows, columns = picks
    return np.stack([array[number][rows][:, columns] for number in slices])


def levels_in(vertebrae: NDArray[np.uint8]) -> list[int]:
    """Label numbers present, rising, 0 apart."""
    return [int(number) for number in np.flatnonzero(np.bincount(vertebrae.ravel())) if number]


def spine_region(result: CaseResult, margin_mm: float = MARGIN_MM) -> Region:
    """The box round all vertebrae and leaks of the result, with a margin."""
    findings = result.findings
    whole = Region(
        result.volume.grid,
        result.volume.hu,
        result.masks.vertebrae,
        result.masks.canal,
        findings.cement_labels.labels,
        findings.leak_labels.labels,
    )
    boxes = [result.masks.block, bounds(findings.leak_labels.labels)]
    region = whole.crop(widened([box for box in boxes if box], whole.grid, margin_mm))
    if region.canal is not None or findings.anatomy is None:
        return region
    return replace(region, canal=rebuilt_canal(findings.anatomy, region.grid), canal_rebuilt=True)


def bounds(labels: NDArray[Any]) -> Window | None:
    """The smallest box that holds all labelled voxels; None where there are none."""
    return bounding_box(labels)


def widened(boxes: list[Window], grid: Grid, margin_mm: float) -> Window:
    """The box round boxes with a margin, inside the grid; the whole grid where there is no box."""
    if not boxes:
        return (slice(0, grid.shape[0]), slice(0, grid.shape[1]), slice(0, grid.shape[2]))
    parts = []
    for axis in range(3):
        margin = round(margin_mm / grid.spacing_mm[axis])
        low = min(box[axis].start for box in boxes) - margin
        high = max(box[axis].stop for box in boxes) + margin
        parts.append(slice(max(0, low), min(grid.shape[axis], high)))
    return (parts[0], parts[1], parts[2])


def level_boxes(vertebrae: NDArray[np.uint8]) -> dict[VertebraLevel, Window]:
    """The box of each vertebra present."""
    found = ndimage.find_objects(vertebrae)
    return {VertebraLevel.from_number(number): box for number, box in enumerate(found, 1) if box is not None}


def leak_centre(region: Region, leak: Leak) -> tuple[int, int, int] | None:
    """Where the planes through a leak cross: on each axis the slice that shows most of it."""
    around = region.leaks_box
    if around is None:
        return None
    own = region.leaks[around] == leak.id
    box = bounds(own)
    if box is None:
        return None
    part, box = own[box], within(box, around)
    sums = [part.sum(axis=tuple(other for other in range(3) if other != axis)) for axis in range(3)]
    at = [int(np.argmax(total)) + box[axis].start for axis, total in enumerate(sums)]
    return (at[0], at[1], at[2])


def letters(grid: Grid, axis: int, *, forward: bool) -> str:
    """The patient direction an array axis runs to: "L", or "LP" where it runs slanted."""
    column = grid.affine[:3, axis] / np.linalg.norm(grid.affine[:3, axis]) * (1 if forward else -1)
    named = [part for part in np.argsort(-np.abs(column)) if abs(column[part]) > _SLANTED]
    return "".join(_DIRECTIONS[part][1 if column[part] > 0 else 0] for part in named)


def tilt_deg(grid: Grid, axis: int) -> float:
    """Angle between an array axis and the patient axis nearest to it."""
    column = np.abs(grid.affine[:3, axis] / np.linalg.norm(grid.affine[:3, axis]))
    return float(np.degrees(np.arccos(min(1.0, column.max()))))
