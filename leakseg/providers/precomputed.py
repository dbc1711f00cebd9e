"""Masks already on disk -> `SpineMasks` on the scan's own grid, and everything that was noticed on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import leakseg
from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.criteria import MaskCriteria
from leakseg.errors import AnatomyError
from leakseg.findings import QualityNote
from leakseg.geometry import Grid
from leakseg.providers.checks import check_masks
from leakseg.providers.dicom_seg import read_seg
from leakseg.providers.labelmap import read_labelmap
from leakseg.providers.names import VERTEBRAE, Structure
from leakseg.providers.placing import place, share_inside
from leakseg.providers.values import Drawing, MaskFile, MaskPlan, MasksRead
from leakseg.reach import Window
from leakseg.volume import Volume

_EDGE_MM = 0.01


def read_precomputed(plan: MaskPlan, volume: Volume, criteria: MaskCriteria) -> MasksRead:
    """Read every file of the plan, lay them over one another on the scan's grid, and check them.

    Raises
    ------
    AnatomyError
        Where a file is unfit or stands in another frame of reference, where no vertebra lies within the
        scan, or where the masks together fail a check that would make the comparison wrong.
    """
    notes: list[QualityNote] = list(plan.notes)
    vertebrae = np.zeros(volume.grid.shape, np.uint8)
    laid: list[Window] = []
    parts: dict[Structure, NDArray[np.bool_]] = {}
    overlaps: dict[tuple[int, int], int] = {}
    for mask in plan.masks:
        if mask.role == "names":
            continue
        drawing, told = read_seg(mask) if mask.role == "seg" else read_labelmap(mask)
        notes.extend(told)
        notes.extend(_check_place(drawing, mask, volume.grid))
        _lay(drawing, volume.grid, vertebrae, laid, parts, overlaps)
    notes.extend(_told_overlaps(overlaps))
    if not any(section.any() for section in vertebrae):
        outside = next((f" {note.message}" for note in notes if note.code == "mask_outside_scan"), "")
        raise AnatomyError(
            f"The masks show no vertebra within the scan (names taken from: {plan.scheme}).{outside} "
            "Give vertebra masks of this scan, with the scheme they were made with (--label-scheme)."
        )
    masks = SpineMasks(
        grid=volume.grid,
        vertebrae=vertebrae,
        canal=parts.get(Structure.CANAL),
        cord=parts.get(Structure.CORD),
        bodies=parts.get(Structure.BODY),
        discs=parts.get(Structure.DISC),
        provider="precomputed",
        version=leakseg.__version__,
        scheme=plan.scheme,
    )
    masks = masks.lying_in(_around(laid))
    notes.extend(check_masks(masks, volume, criteria))
    return MasksRead(masks, tuple(dict.fromkeys(notes)))


def _around(blocks: list[Window]) -> Window:
    """The block round all of them."""
    k, j, i = (
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*blocks, strict=True)
    )
    return k, j, i


def _lay(
    drawing: Drawing,
    grid: Grid,
    vertebrae: NDArray[np.uint8],
    laid: list[Window],
    parts: dict[Structure, NDArray[np.bool_]],
    overlaps: dict[tuple[int, int], int],
) -> None:
    """Put one drawing onto the scan's grid; a voxel that has a level already keeps it.

    ``laid`` are the blocks into which levels were put before.
    """
    if drawing.levels is not None:
        placed = place(drawing.grid, drawing.levels, grid)
        if placed is not None:
            window, levels = placed
            there = vertebrae[window]
            if laid:
                clash = (levels != 0) & (there != 0) & (levels != there)
                pairs, counts = np.unique(np.stack([there[clash], levels[clash]]), axis=1, return_counts=True)
                for (first, second), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
                    overlaps[first, second] = overlaps.get((first, second), 0) + count
                np.copyto(there, levels, where=there == 0)
            else:  # not read before it is written: memory would be mapped twice
                there[...] = levels
            laid.append(window)
    for structure, part in drawing.parts.items():
        placed = place(drawing.grid, part, grid)
        if placed is not None and placed[1].any():
            if structure in parts:
                parts[structure][placed[0]] |= placed[1]
            else:
                parts[structure] = np.zeros(grid.shape, np.bool_)
                parts[structure][placed[0]] = placed[1]


def _check_place(drawing: Drawing, mask: MaskFile, grid: Grid) -> list[QualityNote]:
    """Notes on where the drawing lies; refuses what lies in another frame of reference."""
    what = "The DICOM SEG" if mask.role == "seg" else f"The {mask.role} mask"
    frames = {drawing.grid.frame_of_reference_uid, grid.frame_of_reference_uid} - {""}
    if len(frames) > 1:
        raise AnatomyError(
            f"{what} stands in another frame of reference than the scan (...{_tail(drawing.grid)} against "
            f"...{_tail(grid)}); give masks drawn on this series."
        )
    shown: list[NDArray[Any]] = [*([drawing.levels] if drawing.levels is not None else []), *drawing.parts.values()]
    if not shown:
        return []
    shares = [share_inside(drawing.grid, part, grid) for part in shown if part.any()]
    if max(shares) == 0.0:
        low, high = drawing.grid.corners_mm().min(axis=0), drawing.grid.corners_mm().max(axis=0)
        scan_low, scan_high = grid.corners_mm().min(axis=0), grid.corners_mm().max(axis=0)
        text = f"{what} lies outside the scan: it spans {_box(low, high)}, the scan {_box(scan_low, scan_high)} mm."
        return [QualityNote("mask_outside_scan", "info" if mask.role in VertebraLevel.__members__ else "warning", text)]
    share = min(shares)
    notes = []
    if share < 1.0:
        text = f"{what} reaches beyond the scan: {1 - share:.0%} of it lies outside and was left out."
        notes.append(QualityNote("mask_beyond_scan", "info", text))
    notes.extend(_part_of_field(drawing, mask, grid))
    if not _same_lattice(drawing.grid, grid):
        spacing = " x ".join(f"{value:.2f}" for value in drawing.grid.spacing_mm)
        text = f"{what} stands on another grid ({spacing} mm) and was brought onto the scan's by nearest neighbour."
        notes.append(QualityNote("mask_other_grid", "info", text))
    return notes


def _part_of_field(drawing: Drawing, mask: MaskFile, grid: Grid) -> list[QualityNote]:
    """A labelmap that ends before the scan does, up or down: nothing is known of the vertebrae beyond."""
    if drawing.field is None or mask.role != VERTEBRAE:
        return []
    low, high = _heights(drawing.field)
    scan_low, scan_high = _heights(grid)
    if low - scan_low < grid.spacing_mm[0] and scan_high - high < grid.spacing_mm[0]:
        return []
    text = f"The vertebrae mask covers z {low:.0f} to {high:.0f} mm of the scan's {scan_low:.0f} to {scan_high:.0f}."
    return [QualityNote("mask_part_of_field", "info", text)]


def _heights(grid: Grid) -> tuple[float, float]:
    """Lower and upper edge of the outermost voxels along z."""
    heights = grid.corners_mm()[:, 2]
    half = float(np.abs(grid.affine[2, :3]).sum() / 2)
    return float(heights.min()) - half, float(heights.max()) + half


def _same_lattice(source: Grid, target: Grid) -> bool:
    """Whether the source's voxel centres are voxel centres of the target's lattice."""
    index = target.to_index(source.corners_mm())
    steps = target.inverse[:3, :3] @ source.affine[:3, :3]
    offset_mm = np.abs(index - np.rint(index)) * target.spacing_mm
    return bool(np.abs(steps - np.eye(3)).max() < 0.01 and offset_mm.max() < _EDGE_MM * 5)


def _told_overlaps(overlaps: dict[tuple[int, int], int]) -> list[QualityNote]:
    if not overlaps:
        return []
    listed = ", ".join(
        f"{VertebraLevel.from_number(first)} and {VertebraLevel.from_number(second)} ({count} voxels)"
        for (first, second), count in sorted(overlaps.items())
    )
    text = f"Masks of single levels overlap: {listed}. The voxels stayed with the first named."
    return [QualityNote("mask_overlap", "warning", text)]


def _tail(grid: Grid) -> str:
    return grid.frame_of_reference_uid[-6:]


def _box(low: NDArray[np.float64], high: NDArray[np.float64]) -> str:
    return ", ".join(f"{axis} {a:.0f} to {b:.0f}" for axis, a, b in zip("xyz", low, high, strict=True))
