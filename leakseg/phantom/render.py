"""A spine as a scan and its masks: solids sampled finely, averaged into voxels, then seen by a scanner.

Distances are sampled at `RENDER_STEP_MM` in the boxes of the solids only; what they fill of each voxel is averaged
there, and tissues are mixed by those shares on the scan's own grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks
from leakseg.geometry import Grid
from leakseg.phantom.canal_section import close_in_plane
from leakseg.phantom.look import ScannerLook
from leakseg.phantom.pose import VertebraPose
from leakseg.phantom.raster import Window, coarsen, cover, fine_grid, points_of, window_of
from leakseg.phantom.scanner import see, texture
from leakseg.phantom.solids import Solid
from leakseg.phantom.spine import (
    Spine,
    body_of,
    cleft_of,
    hollow_solids,
    retropulsed_bone,
    vertebra_solids,
)

RENDER_STEP_MM = 0.6
MUSCLE_HU, DISC_HU, FAT_HU, SAC_HU = 55.0, 85.0, -80.0, 25.0
GAS_HU, FLUID_HU = -750.0, 10.0
_FAR_MM = 9.0
_THIN_CORTEX = 0.8
"""Cortex of ribs and ilia against that of vertebrae."""


@dataclass(frozen=True, kw_only=True)
class TissueLook:
    """Densities and cortex of one spine."""

    cancellous_hu: float
    cortex_hu: float
    cortex_mm: float
    endplate_sclerosis_hu: float = 0.0
    trabecular_grain: float = 0.3
    trabecula_mm: float = 1.6


@dataclass(frozen=True, eq=False)
class Rendered:
    """A scan without cement, still in floating point, its masks, and its bone at the fine grid.

    The canal's mask is the whole canal: bone that a fracture pushed into it is bone in one mask and canal in the other.
    """

    hu: NDArray[np.float32]
    masks: SpineMasks
    fine: Grid
    fine_bone: NDArray[np.uint8]


def render(spine: Spine, grid: Grid, look: TissueLook, scanner: ScannerLook, rng: np.random.Generator) -> Rendered:
    """Render a spine on any grid, as that scanner sees it."""
    fine, factors = fine_grid(grid, RENDER_STEP_MM)
    hu = np.full(grid.shape, MUSCLE_HU, np.float32)
    for disc in spine.discs:
        part = window_of(grid, disc, margin_mm=2.0)
        if part is not None:
            _mix(hu[part], _share((disc,), fine.crop(_refined(part, factors)), factors), DISC_HU)
    canal, canal_share = _canal(spine, fine, factors, hu)
    _other_bone(spine, fine, factors, look, hu)
    labels, nearest = np.zeros(fine.shape, np.uint8), np.zeros(fine.shape, np.float32)
    vertebrae, strongest = np.zeros(grid.shape, np.uint8), np.full(grid.shape, 0.5, np.float32)
    pushed = np.zeros(grid.shape, np.bool_)
    for pose in spine.poses:
        coarse = _window_of_all(grid, vertebra_solids(pose))
        if coarse is None:
            continue
        part = _refined(coarse, factors)
        bone, fragment = _bone(pose, canal[part], fine.crop(part))
        share = coarsen(cover(bone, fine), factors)
        inner = coarsen(cover(bone + np.float32(look.cortex_mm), fine), factors)
        _mix_bone(hu[coarse], share, inner, _marrow(pose, grid.crop(coarse), look, rng), look.cortex_hu)
        _mix_cleft(pose, fine, factors, hu)
        mine = bone < nearest[part]
        labels[part][mine] = pose.level.number
        nearest[part][mine] = bone[mine]
        wins = share > strongest[coarse]
        vertebrae[coarse][wins] = pose.level.number
        strongest[coarse][wins] = share[wins]
        if fragment is not None:
            pushed[coarse] |= wins & (coarsen(cover(fragment, fine), factors) > 0.0)
    hollow = _hollow(canal_share, vertebrae, pushed, grid)
    scan = see(hu, grid, scanner, rng)
    masks = SpineMasks(grid, vertebrae, hollow, provider="phantom", scheme="labels.toml")
    return Rendered(scan, masks, fine, labels)


def _bone(
    pose: VertebraPose, canal: NDArray[np.float32], fine: Grid
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Distance to a vertebra's bone on a fine window, and to the fragment in its canal where there is one."""
    bone = _union(vertebra_solids(pose), fine)
    for hole in hollow_solids(pose):
        part = window_of(fine, hole, margin_mm=2.0)
        if part is not None:
            bone[part] = np.maximum(bone[part], -hole.distance_mm(points_of(fine, part)).astype(np.float32))
    np.maximum(bone, canal - np.float32(_FAR_MM), out=bone)
    pushed = retropulsed_bone(pose)
    if pushed is None:
        return bone, None
    fragment = _union((pushed,), fine)
    return np.minimum(bone, fragment), fragment


def _marrow(pose: VertebraPose, grid: Grid, look: TissueLook, rng: np.random.Generator) -> NDArray[np.float32]:
    """Density of cancellous bone: grainy, and denser under endplates that are sclerotic."""
    grain = texture(grid.shape, grid, look.trabecula_mm, rng)
    density = np.float32(look.cancellous_hu) * (1.0 + np.float32(look.trabecular_grain) * grain)
    if look.endplate_sclerosis_hu > 0 and not pose.below:
        part = window_of(grid, body_of(pose))
        upper, lower = rng.uniform(0.0, look.endplate_sclerosis_hu, size=2)
        if part is not None:
            height = (points_of(grid, part) - pose.origin) @ pose.axes[0]
            near_top = np.clip(1 - (pose.top_mm - 2.0 - height) / 5.0, 0.0, 1.0)
            near_bottom = np.clip(1 - (height - pose.bottom_mm - 2.0) / 5.0, 0.0, 1.0)
            density[part] += (upper * near_top + lower * near_bottom).astype(np.float32)
    return density


def _mix_bone(
    hu: NDArray[np.float32],
    share: NDArray[np.float32],
    inner: NDArray[np.float32],
    marrow: NDArray[np.float32] | float,
    cortex_hu: float,
) -> None:
    hu *= 1 - share
    hu += (share - inner) * np.float32(cortex_hu)
    hu += inner * marrow


def _mix_cleft(pose: VertebraPose, fine: Grid, factors: tuple[int, int, int], hu: NDArray[np.float32]) -> None:
    cleft = cleft_of(pose)
    part = None if cleft is None else _window_of_all(_coarse(fine, factors), (cleft,))
    if cleft is not None and part is not None and pose.fracture is not None:
        share = _share((cleft,), fine.crop(_refined(part, factors)), factors)
        _mix(hu[part], share, GAS_HU if pose.fracture.cleft == "gas" else FLUID_HU)


def _other_bone(
    spine: Spine, fine: Grid, factors: tuple[int, int, int], look: TissueLook, hu: NDArray[np.float32]
) -> None:
    """Ribs and ilia: bone that no vertebra's label holds."""
    if not spine.other_bone:
        return
    grid = _coarse(fine, factors)
    whole, inner = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
    touched: list[Window] = []
    for solid in spine.other_bone:
        part = window_of(grid, solid, margin_mm=1.0)
        if part is None:
            continue
        touched.append(part)
        distance = _union((solid,), fine.crop(_refined(part, factors)))
        np.maximum(whole[part], coarsen(cover(distance, fine), factors), out=whole[part])
        deep = cover(distance + np.float32(_THIN_CORTEX * look.cortex_mm), fine)
        np.maximum(inner[part], coarsen(deep, factors), out=inner[part])
    if touched:
        box = _hull(touched)
        _mix_bone(hu[box], whole[box], inner[box], 0.9 * look.cancellous_hu, 0.85 * look.cortex_hu)


def _canal(
    spine: Spine, fine: Grid, factors: tuple[int, int, int], hu: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mix fat and sac into the scan; how deep each fine voxel lies in the canal, 0 far from it, and the canal's share.

    Depths are kept as ``far - distance``: an array of zeros costs nothing where it is never touched.
    """
    grid = _coarse(fine, factors)
    depth, share = np.zeros(fine.shape, np.float32), np.zeros(grid.shape, np.float32)
    line = spine.canal.line
    reach = float(spine.canal.width_mm.max()) / 2 + 4.0
    rows = grid.to_index(line.points)
    room = reach / np.asarray(grid.spacing_mm)
    step = max(1, round(8.0 / grid.spacing_mm[0]))
    for k in range(0, grid.shape[0], step):
        near = (rows[:, 0] > k - room[0]) & (rows[:, 0] < k + step + room[0])
        if not near.any():
            continue
        low = np.maximum(np.floor(rows[near].min(axis=0) - room), 0).astype(int)
        high = np.minimum(np.ceil(rows[near].max(axis=0) + room) + 1, grid.shape).astype(int)
        if (high <= low).any():
            continue
        slab = (slice(k, min(k + step, grid.shape[0])), slice(low[1], high[1]), slice(low[2], high[2]))
        part = _refined(slab, factors)
        suv = line.suv_on(fine.crop(part))
        distance = spine.canal.distance_of(suv).astype(np.float32)
        depth[part] = np.maximum(np.float32(_FAR_MM) - distance, 0)
        share[slab] = coarsen(cover(distance, fine), factors)
        sac = coarsen(cover(spine.sac.distance_of(suv), fine), factors)
        hu[slab] = hu[slab] * (1 - share[slab]) + FAT_HU * (share[slab] - sac) + SAC_HU * sac
    return depth, share


def _hollow(
    share: NDArray[np.float32], vertebrae: NDArray[np.uint8], pushed: NDArray[np.bool_], grid: Grid
) -> NDArray[np.bool_]:
    """The canal's mask: corners between wall, pedicle and canal are the canal's, and so is bone pushed into it."""
    from scipy.ndimage import find_objects

    whole = share >= 0.5
    box = find_objects(whole.astype(np.uint8))
    hollow = np.zeros(grid.shape, np.bool_)
    if not box:
        return hollow
    room = round(4.0 / min(grid.spacing_mm[1:]))
    k, j, i = box[0]
    part = (k, slice(max(j.start - room, 0), j.stop + room), slice(max(i.start - room, 0), i.stop + room))
    bone = vertebrae[part] > 0
    hollow[part] = close_in_plane(whole[part] & ~bone, bone, min(grid.spacing_mm[1:])) | (pushed[part] & whole[part])
    return hollow


def _share(solids: tuple[Solid, ...], fine: Grid, factors: tuple[int, int, int]) -> NDArray[np.float32]:
    """What solids fill of each voxel of a window, which ``fine`` divides."""
    return coarsen(cover(_union(solids, fine), fine), factors)


def _union(solids: tuple[Solid, ...], fine: Grid) -> NDArray[np.float32]:
    """Distance to the nearest of the solids, each sampled in its own box only; far elsewhere."""
    out = np.full(fine.shape, _FAR_MM, np.float32)
    for solid in solids:
        part = window_of(fine, solid, margin_mm=2.0)
        if part is not None:
            out[part] = np.minimum(out[part], solid.distance_mm(points_of(fine, part)).astype(np.float32))
    return out


def _coarse(fine: Grid, factors: tuple[int, int, int]) -> Grid:
    """The scan's grid, of which ``fine`` divides each voxel."""
    affine = fine.affine.copy()
    affine[:3, :3] = fine.affine[:3, :3] * factors
    affine[:3, 3] = fine.to_patient([(factor - 1) / 2 for factor in factors])
    k, j, i = (size // factor for size, factor in zip(fine.shape, factors, strict=True))
    return Grid((k, j, i), affine, fine.frame_of_reference_uid)


def _window_of_all(grid: Grid, solids: tuple[Solid, ...]) -> Window | None:
    """The part of the scan that holds all the solids; None where they lie beside it."""
    parts = [part for solid in solids if (part := window_of(grid, solid, margin_mm=2.0)) is not None]
    return _hull(parts) if parts else None


def _hull(parts: list[Window]) -> Window:
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
