"""Cement inside bone by Hounsfield thresholding, and the map of all cement of a scan.

The thresholds lie half way between the scan's own densities: cancellous bone and cement deep in bone,
cortex and cement near its surface, soft tissue and cement outside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.allocator import untouched
from leakseg.anatomy import SpineMasks
from leakseg.criteria import CementCriteria
from leakseg.findings import QualityNote
from leakseg.geometry import bounding_box
from leakseg.pieces import INSIDE, METAL, OUTSIDE, CementMap, LeakedCement, ScanDensities
from leakseg.reach import (
    Window,
    boxes_of,
    connected_pieces,
    deeper,
    grown,
    near,
    pieces_with,
    relative_to,
    widened,
    window_round,
    within,
)
from leakseg.volume import Volume, denser_inside

_NO_CEMENT = "no cement found: nothing deep in a vertebra is denser than bone"
_HARDLY_DENSER_HU = 200.0
_ROOM_MM = 22.0
_LEAST_SHELL = 30
"""Voxels from which the density round a piece is told ..."""
_SHELL_FROM, _SHELL_TO = 1.5, 2.5
"""... which is looked for between these multiples of the blur's reach."""


def no_cement(densities: ScanDensities) -> CementMap:
    """The map of a scan without cement: of its metal alone."""
    shape = densities.grid.shape
    labels = np.zeros(shape, np.uint8)
    labels[densities.metal] = METAL
    return CementMap(
        window=densities.window,
        grid=densities.grid,
        labels=labels,
        fraction=np.zeros(shape, np.float32),
        bone_fraction=np.zeros(shape, np.float32),
        plateau_hu=None,
        soft_hu=densities.soft,
        threshold_hu=None,
        threshold_method=_NO_CEMENT,
    )


def segment_inner_cement(
    volume: Volume, masks: SpineMasks, densities: ScanDensities, criteria: CementCriteria
) -> NDArray[np.bool_]:
    """Cement inside bone: connected to a seed, above the threshold of its depth.

    Where cortex is as dense as cement it is followed within a vertebra only: facets touch, and lead up the spine.
    """
    inner = untouched(densities.grid.shape)
    spine = relative_to(masks.block, densities.window, 1)  # a border of the block would be no surface
    deep = densities.edge(densities.cancellous, criteria.edge_share)
    rim = max(deep, densities.edge(densities.cortex, criteria.edge_share))
    seeds, spacing = densities.seeds[spine], densities.grid.spacing_mm
    window = within(spine, densities.window)
    dense = denser_inside(volume.hu[window], deep, masks.vertebrae[window], densities.metal[spine])
    dense = pieces_with(dense, seeds)
    room = window_round(dense, criteria.rim_mm, spacing, spare=2)
    if room is not None:
        inside = deeper(masks.vertebrae[window][room] > 0, criteria.rim_mm, spacing)
        sure = dense[room] & (volume.hu[window][room] > np.where(inside, deep, rim))
        parted = sure * masks.vertebrae[window][room] if _hardly_denser(densities) else sure
        inner[within(room, spine)][pieces_with(parted, seeds[room])] = True
    return inner


def map_cement(
    volume: Volume,
    masks: SpineMasks,
    densities: ScanDensities,
    inner: NDArray[np.bool_],
    leaked: LeakedCement,
    criteria: CementCriteria,
) -> CementMap:
    """All cement and metal of the scan, with the share of each voxel that is cement."""
    box = _room(inner, leaked.mask, densities.metal, densities.grid.spacing_mm)
    window, inner, outer = within(box, densities.window), inner[box] | leaked.channels[box], leaked.mask[box]
    hu, bone = volume.hu[window], masks.vertebrae[window] > 0
    labels = np.zeros(hu.shape, np.uint8)
    labels[inner] = INSIDE
    labels[outer] = OUTSIDE
    labels[densities.metal[box]] = METAL
    cement = inner | outer
    clip = volume.series.clip_hu
    around = _surroundings(hu, outer, bone | (labels > 0), densities, criteria.halo_mm)
    return CementMap(
        window=window,
        grid=densities.grid.crop(box),
        labels=labels,
        fraction=_share(hu, labels, OUTSIDE, ~bone, around, densities, criteria.halo_mm),
        bone_fraction=_share(hu, labels, INSIDE, bone, densities.cancellous, densities, 0.0),
        plateau_hu=densities.plateau,
        soft_hu=densities.soft,
        threshold_hu=densities.edge(densities.soft, criteria.edge_share),
        threshold_method=(
            f"half maximum between soft tissue ({densities.soft:.0f} HU) and this scan's own cement "
            f"({densities.plateau:.0f} HU, deep in the bodies); inside bone from cancellous bone "
            f"({densities.cancellous:.0f} HU), within {criteria.rim_mm:g} mm of its surface "
            f"from cortex ({densities.cortex:.0f} HU)"
        ),
        contact_mm=leaked.contact_mm,
        clipped_voxel_fraction=float((hu[cement] >= clip).mean()) if clip is not None and cement.any() else 0.0,
        notes=(*_notes(densities), *leaked.notes),
    )


def _room(
    inner: NDArray[np.bool_], outer: NDArray[np.bool_], metal: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> Window:
    """All cement and metal, with as much round it as is looked at later."""
    boxes = [box for mask in (inner, outer, metal) if (box := bounding_box(mask)) is not None]
    if not boxes:
        return (slice(0, inner.shape[0]), slice(0, inner.shape[1]), slice(0, inner.shape[2]))
    union = [
        slice(min(one.start for one in parts), max(one.stop for one in parts)) for parts in zip(*boxes, strict=True)
    ]
    return widened(tuple(union), inner.shape, _ROOM_MM, spacing_mm)


def _share(
    hu: NDArray[Any],
    labels: NDArray[np.uint8],
    label: int,
    where: NDArray[np.bool_],
    background_hu: float | NDArray[np.float32],
    densities: ScanDensities,
    blur_mm: float,
) -> NDArray[np.float32]:
    """Share of cement in the voxels of one label and round them: HU between the surroundings and the plateau."""
    at = near(labels == label, blur_mm, densities.grid.spacing_mm) | grown(labels == label, 2)
    at &= where & (labels != METAL)
    background = np.broadcast_to(np.float32(background_hu), hu.shape)[at]
    share = np.zeros(hu.shape, np.float32)
    share[at] = np.clip((hu[at] - background) / np.maximum(densities.plateau - background, 1.0), 0.0, 1.0)
    return share


def _surroundings(
    hu: NDArray[Any], outer: NDArray[np.bool_], other: NDArray[np.bool_], densities: ScanDensities, blur_mm: float
) -> NDArray[np.float32]:
    """HU of what lies round each piece outside bone, beyond its blur: soft tissue, or what is denser (contrast)."""
    spacing = densities.grid.spacing_mm
    background = np.full(hu.shape, densities.soft, np.float32)
    pieces = connected_pieces(outer)
    for number, box in enumerate(boxes_of(pieces, outer), start=1):
        room = widened(box, hu.shape, _SHELL_TO * blur_mm, spacing)
        own = pieces[room] == number
        blurred = near(own, blur_mm, spacing) | grown(own, 2)
        shell = near(own, _SHELL_TO * blur_mm, spacing) & ~near(own, _SHELL_FROM * blur_mm, spacing)
        shell &= ~blurred & ~other[room]
        if np.count_nonzero(shell) >= _LEAST_SHELL:
            background[room][blurred] = max(densities.soft, float(np.median(hu[room][shell])))
    return background


def _hardly_denser(densities: ScanDensities) -> bool:
    return densities.plateau < densities.cortex + _HARDLY_DENSER_HU


def _notes(densities: ScanDensities) -> tuple[QualityNote, ...]:
    if _hardly_denser(densities):
        return (
            QualityNote(
                "cement_like_bone",
                "warning",
                f"Cement ({densities.plateau:.0f} HU) is hardly denser than cortical bone "
                f"({densities.cortex:.0f} HU) in this scan: cement next to cortex cannot be told from it.",
            ),
        )
    return ()
