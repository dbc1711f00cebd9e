"""A spine as a scan and its masks: solids sampled finely, averaged into voxels, blurred, made noisy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks
from leakseg.geometry import Grid
from leakseg.phantom.body import CanalTube
from leakseg.phantom.canal_section import close_in_plane
from leakseg.phantom.look import ScannerLook
from leakseg.phantom.raster import Window, coarsen, cover, fine_grid, points_of, window_of
from leakseg.phantom.scanner import see, texture
from leakseg.phantom.solids import Solid
from leakseg.phantom.spine import Spine, vertebra_solids

RENDER_STEP_MM = 0.6
MUSCLE_HU, DISC_HU, FAT_HU, SAC_HU = 55.0, 85.0, -80.0, 25.0
_FAR_MM = 9.0


@dataclass(frozen=True, kw_only=True)
class TissueLook:
    """Densities and cortex of one spine."""

    cancellous_hu: float
    cortex_hu: float
    cortex_mm: float


@dataclass(frozen=True, eq=False)
class Rendered:
    """A scan without cement, still in floating point, its masks, and its bone at the fine grid."""

    hu: NDArray[np.float32]
    masks: SpineMasks
    fine: Grid
    fine_bone: NDArray[np.uint8]


def render(spine: Spine, grid: Grid, look: TissueLook, scanner: ScannerLook, rng: np.random.Generator) -> Rendered:
    """Render a spine on any grid, as that scanner sees it."""
    fine, factors = fine_grid(grid, RENDER_STEP_MM)
    hu = np.full(fine.shape, MUSCLE_HU, np.float32)
    canal, sac = _along_line((spine.canal, spine.sac), fine)
    for disc in spine.discs:
        part = window_of(fine, disc, margin_mm=2.0)
        if part is not None:
            _mix(hu[part], cover(disc.distance_mm(points_of(fine, part)), fine), DISC_HU)
    _mix(hu, cover(canal, fine), FAT_HU)
    _mix(hu, cover(sac, fine), SAC_HU)
    labels, nearest = np.zeros(fine.shape, np.uint8), np.zeros(fine.shape, np.float32)
    vertebrae, strongest = np.zeros(grid.shape, np.uint8), np.full(grid.shape, 0.5, np.float32)
    for pose in spine.poses:
        solids = vertebra_solids(pose)
        coarse = _window_of_all(grid, solids)
        part = _refined(coarse, factors)
        bone = _union(solids, fine.crop(part))
        np.maximum(bone, -canal[part], out=bone)
        grain = texture(bone.shape, fine, 1.6, rng)
        own = hu[part]
        _mix(own, cover(bone, fine), look.cortex_hu)
        own += cover(bone + np.float32(look.cortex_mm), fine) * (look.cancellous_hu * (1.0 + 0.3 * grain) - own)
        mine = bone < nearest[part]
        labels[part][mine] = pose.level.number
        nearest[part][mine] = bone[mine]
        share = coarsen(cover(bone, fine), factors)
        wins = share > strongest[coarse]
        vertebrae[coarse][wins] = pose.level.number
        strongest[coarse][wins] = share[wins]
    hollow = (coarsen(cover(canal, fine), factors) >= 0.5) & (vertebrae == 0)
    hollow = close_in_plane(hollow, vertebrae > 0, min(grid.spacing_mm[1:]))
    scan = see(coarsen(hu, factors), grid, scanner, rng)
    masks = SpineMasks(grid, vertebrae, hollow, provider="phantom", scheme="labels.toml")
    return Rendered(scan, masks, fine, labels)


def _union(solids: tuple[Solid, ...], fine: Grid) -> NDArray[np.float32]:
    """Distance to the nearest of the solids, each sampled in its own box only; far elsewhere."""
    out = np.full(fine.shape, _FAR_MM, np.float32)
    for solid in solids:
        part = window_of(fine, solid, margin_mm=2.0)
        if part is not None:
            out[part] = np.minimum(out[part], solid.distance_mm(points_of(fine, part)).astype(np.float32))
    return out


def _along_line(tubes: tuple[CanalTube, CanalTube], fine: Grid) -> list[NDArray[np.float32]]:
    """Distances to two tubes on one line, slab by slab in a box round the line there; far elsewhere."""
    out = [np.full(fine.shape, _FAR_MM, np.float32) for _ in tubes]
    line = tubes[0].line
    reach = float(tubes[0].width_mm.max()) / 2 + 4.0
    rows = fine.to_index(line.points)
    room = reach / np.asarray(fine.spacing_mm)
    step = max(1, round(8.0 / fine.spacing_mm[0]))
    for k in range(0, fine.shape[0], step):
        near = (rows[:, 0] > k - room[0]) & (rows[:, 0] < k + step + room[0])
        if not near.any():
            continue
        low = np.maximum(np.floor(rows[near].min(axis=0) - room), 0).astype(int)
        high = np.minimum(np.ceil(rows[near].max(axis=0) + room) + 1, fine.shape).astype(int)
        slab = (slice(k, min(k + step, fine.shape[0])), slice(low[1], high[1]), slice(low[2], high[2]))
        if (high > low).all():
            suv = line.suv_on(fine.crop(slab))
            for tube, distance in zip(tubes, out, strict=True):
                distance[slab] = tube.distance_of(suv)
    return out


def _window_of_all(grid: Grid, solids: tuple[Solid, ...]) -> Window:
    """The part of the scan that holds all the solids; at least one voxel of it."""
    parts = [part for solid in solids if (part := window_of(grid, solid, margin_mm=2.0)) is not None]
    if not parts:
        return (slice(0, 1), slice(0, 1), slice(0, 1))
    first, second, third = (
        slice(min(part[axis].start for part in parts), max(part[axis].stop for part in parts)) for axis in range(3)
    )
    return (first, second, third)


def _refined(window: Window, factors: tuple[int, int, int]) -> Window:
    first, second, third = (
        slice(side.start * factor, side.stop * factor) for side, factor in zip(window, factors, strict=True)
    )
    return (first, second, third)


def _mix(hu: NDArray[np.float32], share: NDArray[np.float32], value: float) -> None:
    hu += share * (np.float32(value) - hu)
