"""How the slices of one series lie: sorted along their normal, measured, every fault by its own name.

Positions come from ImagePositionPatient and ImageOrientationPatient alone (PS3.3 C.7.6.2.1.1);
SliceThickness, SpacingBetweenSlices, InstanceNumber and SliceLocation are never asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leakseg.criteria import ReadingCriteria
from leakseg.errors import GeometryError
from leakseg.findings import QualityNote
from leakseg.geometry import FloatArray
from leakseg.readers import faults
from leakseg.readers.headers import ImageHeader, SliceHeader

_SAME_PLACE_MM = 0.01
_STRAIGHT = 1e-3
"""Largest cosine between a stack's direction and its slices that still counts as a right angle."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices of one grid, in order along their normal.

    Parameters
    ----------
    slices
        The acquired ones, one a position.
    index
        Place of each on the grid; a number left out is a missing slice to be bridged.
    doubles
        For a slice of that number in `slices`, others found at the very same place.
    origin_mm, rows, columns, step_mm
        Centre of the first voxel; vectors to the next row, the next column and the next slice (mm).
    tilt_deg
        Angle between `step_mm` and the slices' normal; None where they are parallel.
    """

    slices: tuple[SliceHeader, ...]
    index: tuple[int, ...]
    doubles: dict[int, tuple[SliceHeader, ...]]
    origin_mm: FloatArray
    rows: FloatArray
    columns: FloatArray
    step_mm: FloatArray
    tilt_deg: float | None
    notes: tuple[QualityNote, ...]

    @property
    def count(self) -> int:
        """Slices on the grid, bridged ones included."""
        return self.index[-1] + 1

    @property
    def normal(self) -> FloatArray:
        """Unit vector square to the slices, toward rising index."""
        normal = np.cross(self.columns, self.rows)
        return np.asarray(normal / np.linalg.norm(normal), dtype=np.float64)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between slices (along their normal), rows and columns."""
        lengths = (
            float(self.step_mm @ self.normal),
            float(np.linalg.norm(self.rows)),
            float(np.linalg.norm(self.columns)),
        )
        return round(lengths[0], 6), round(lengths[1], 6), round(lengths[2], 6)

    @property
    def coverage_mm(self) -> float:
        """Thickness of the whole stack."""
        return self.count * self.spacing_mm[0]

    def z_range_mm(self) -> tuple[float, float]:
        """Patient heights of the lowest and the highest voxel centre."""
        image = self.slices[0].image
        ends = [
            self.origin_mm + self.step_mm * k + self.rows * j + self.columns * i
            for k in (0, self.count - 1)
            for j in (0, image.rows - 1)
            for i in (0, image.columns - 1)
        ]
        heights = [float(end[2]) for end in ends]
        return min(heights), max(heights)


def stack_of(slices: Sequence[SliceHeader], criteria: ReadingCriteria) -> Stack:
    """The stack these slices make.

    Preconditions, each with its own sentence: positions known, one size, one pixel spacing, one frame of
    reference, one orientation (of unit vectors at right angles), one stack, even spacing, none missing
    but one that may be bridged.

    Raises
    ------
    GeometryError
        Naming the precondition that is broken, and where.
    """
    images = list(dict.fromkeys(one.image for one in slices))
    if any(one.position is None for one in slices):
        missing = sum(one.position is None for one in slices)
        enhanced = " (enhanced CT without plane positions)" if slices[0].frames > 1 else ""
        raise GeometryError(
            f"{missing} of {len(slices)} slices do not say where they lie: no usable ImagePositionPatient{enhanced}."
        )
    _agree(images)
    row, column = _directions(images[0])
    normal = np.cross(row, column)
    axis = int(np.argmax(np.abs(normal)))
    positions = np.array([one.position for one in slices], dtype=np.float64)
    order = np.lexsort((np.arange(len(slices)), positions @ normal))
    ordered = [slices[number] for number in order]
    kept, doubles = _one_a_place(ordered, positions[order], normal, axis)
    unique = np.array([one.position for one in kept], dtype=np.float64)
    try:
        index = _places_on_grid(unique, normal, axis, criteria, total=len(slices))
    except GeometryError as error:
        raise GeometryError(f"{error}{faults.as_well(unique, normal, axis, doubles, kept)}") from None
    origin, step = _line_through(unique, index)
    notes = [
        *faults.double_notes(doubles, kept, axis),
        *_frame_notes(images),
        *_evenness(unique, normal, index, criteria),
        *faults.bridges(unique, axis, index),
    ]
    cosine = float(np.linalg.norm(step - (step @ normal) * normal) / np.linalg.norm(step))
    tilt = float(np.degrees(np.arcsin(min(cosine, 1.0)))) if cosine > _STRAIGHT else None
    if tilt is not None:
        notes.append(
            QualityNote(
                "gantry_tilt",
                "warning",
                f"Gantry tilt: the slices stand {tilt:.1f}° off square to the direction in which they "
                "follow one another; each was shifted onto a straight grid by linear interpolation within its plane.",
            )
        )
    spacing = images[0].pixel_spacing
    assert spacing is not None
    return Stack(
        tuple(kept),
        tuple(index),
        doubles,
        origin,
        column * spacing[0],
        row * spacing[1],
        step,
        tilt,
        tuple(notes),
    )


def one_frame(images: Sequence[ImageHeader]) -> str | None:
    """The frame of reference of all images; "" where each of many names its own; None where they differ.

    Some de-identifiers give every slice a new frame of reference: that tells nothing, so it is unknown.
    """
    frames = {image.frame_uid for image in images}
    if len(frames) == 1:
        return next(iter(frames))
    return "" if len(frames) == len(images) > 2 else None


def _agree(images: Sequence[ImageHeader]) -> None:
    if one_frame(images) is None:
        raise GeometryError(
            f"Two frames of reference in one series ({len({image.frame_uid for image in images})} found): "
            "its slices do not share one space. "
            "Export the scans apart."
        )
    sizes = sorted({(image.rows, image.columns) for image in images})
    if len(sizes) > 1:
        raise GeometryError(
            f"Slices of different sizes in one series: {' and '.join(f'{rows} x {columns}' for rows, columns in sizes)}"
            " pixels."
        )
    spacings = np.array([image.pixel_spacing for image in images], dtype=np.float64)
    if np.ptp(spacings, axis=0).max() > 1e-4:
        found = " and ".join(sorted({f"{row:.4g} x {column:.4g}" for row, column in spacings}))
        raise GeometryError(f"Slices of different pixel spacings in one series: {found} mm.")
    orientations = np.array([image.orientation for image in images], dtype=np.float64)
    if np.abs(orientations - orientations[0]).max() > _STRAIGHT:
        count = len({tuple(np.round(one, 2)) for one in orientations})
        raise GeometryError(
            f"Mixed orientations: the slices of this series lie in {max(count, 2)} different directions, "
            "which make no one volume. Export each stack as a series of its own."
        )
    stacks = {image.stack_id for image in images}
    if len(stacks) > 1:
        raise GeometryError(f"Two stacks in one series: its frames name {len(stacks)} stacks (StackID).")


def _directions(image: ImageHeader) -> tuple[FloatArray, FloatArray]:
    """Unit vectors along a row and down a column."""
    values = np.array(image.orientation, dtype=np.float64)
    row, column = values[:3], values[3:]
    lengths = float(np.linalg.norm(row)), float(np.linalg.norm(column))
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(float(row @ column))) > _STRAIGHT:
        raise GeometryError(
            "ImageOrientationPatient does not hold two unit vectors at right angles; the series cannot be placed."
        )
    return row / lengths[0], column / lengths[1]


def _one_a_place(
    ordered: Sequence[SliceHeader], positions: FloatArray, normal: FloatArray, axis: int
) -> tuple[list[SliceHeader], dict[int, tuple[SliceHeader, ...]]]:
    kept: list[SliceHeader] = []
    others: dict[int, tuple[SliceHeader, ...]] = {}
    last = np.full(3, np.inf)
    for one, position in zip(ordered, positions, strict=True):
        if kept and abs(float((position - last) @ normal)) <= _SAME_PLACE_MM:
            if np.abs(position - last).max() > _SAME_PLACE_MM:
                raise GeometryError(
                    f"Two stacks in one series: two slices share one plane at {faults.where(position, axis)} but lie "
                    f"{np.abs(position - last).max():.2f} mm apart in it."
                )
            number = len(kept) - 1
            others[number] = (*others.get(number, ()), one)
            continue
        kept.append(one)
        last = position
    if len(kept) == 1 and len({one.sop_uid for one in ordered}) == 1 < len({one.path for one in ordered}):
        raise GeometryError(
            f"All {len(ordered)} files hold one and the same slice ({faults.where(positions[0], axis)}), not a volume."
        )
    if len(kept) == 1 and others:
        raise GeometryError(
            f"All {len(ordered)} slices lie at one position ({faults.where(positions[0], axis)}): "
            "a monitoring or perfusion series, not a volume."
        )
    if len(kept) == 1:
        raise GeometryError("A single slice: the distance between slices cannot be known, and it is not guessed.")
    return kept, others


def _places_on_grid(
    positions: FloatArray, normal: FloatArray, axis: int, criteria: ReadingCriteria, *, total: int
) -> list[int]:
    """Number of each slice on an even grid; one left out means a slice that may be bridged."""
    offsets = positions @ normal
    gaps = np.diff(offsets)
    spacing = float(np.sort(gaps)[(len(gaps) - 1) // 2])
    steps = np.rint(gaps / spacing).astype(int)
    tolerance = _tolerance_mm(spacing, criteria)
    if (steps < 1).any() or np.abs(gaps - steps * spacing).max() > 2 * tolerance:
        raise GeometryError(faults.uneven(positions, axis, gaps, (spacing, tolerance), total))
    missing = np.flatnonzero(steps > 1)
    bridged = len(missing) == 1 and steps[missing[0]] == 2 and gaps[missing[0]] < criteria.max_bridged_gap_mm
    if len(missing) and not bridged:
        raise GeometryError(faults.missing(positions, axis, gaps, steps, total))
    return [0, *np.cumsum(steps).tolist()]


def _line_through(positions: FloatArray, index: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    """Least-squares origin and step of slices that follow one another evenly."""
    design = np.stack([np.ones(len(index)), np.array(index, dtype=np.float64)], axis=1)
    solution, *_ = np.linalg.lstsq(design, positions, rcond=None)
    origin, step = solution.round(9)
    return origin, step


def _evenness(
    positions: FloatArray, normal: FloatArray, index: Sequence[int], criteria: ReadingCriteria
) -> list[QualityNote]:
    axis = int(np.argmax(np.abs(normal)))
    origin, step = _line_through(positions, index)
    residual = positions - (origin + np.outer(index, step))
    off = np.linalg.norm(residual, axis=1)
    worst = int(np.argmax(off))
    spacing = float(step @ normal)
    if off[worst] > _tolerance_mm(spacing, criteria):
        place = faults.where(positions[worst], axis)
        if abs(float(residual[worst] @ normal)) < off[worst] / 2:
            raise GeometryError(
                f"Slices are shifted sideways against one another (at {place} by {off[worst]:.2f} mm): they make no "
                "straight stack. Export each acquisition as a series of its own."
            )
        raise GeometryError(
            f"Uneven spacing: the slice at {place} lies {off[worst]:.2f} mm off the even grid of {spacing:.2f} mm "
            "through the others."
        )
    if off[worst] <= _SAME_PLACE_MM:
        return []
    return [
        QualityNote(
            "slice_positions", "info", f"Slice positions lie up to {off[worst]:.3f} mm off an even grid (rounding)."
        )
    ]


def _frame_notes(images: Sequence[ImageHeader]) -> list[QualityNote]:
    if len({image.frame_uid for image in images}) == 1:
        return []
    sentence = (
        "Every slice names a frame of reference of its own (some de-identifiers write them so); "
        "the positions were taken to share one, which is not known by name."
    )
    return [QualityNote("frame_of_reference", "info", sentence)]


def _tolerance_mm(spacing: float, criteria: ReadingCriteria) -> float:
    return min(criteria.max_slice_jitter_mm, criteria.max_slice_jitter_fraction * spacing)
