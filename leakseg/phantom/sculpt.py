"""Cement of one vertebra on a fine grid: the fill, then each leak, drawn again until it is what was asked.

Every leak must lie outside the bone masks and at least nine tenths of it in the place it claims; what is left
is cut off. It must hang together, touch its vertebra's inner cement (unless detached), lie inside the scan,
clear of other leaks and clear of the borders of the definitions. After `TRIES` draws it is told, never fudged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.errors import AnatomyError
from leakseg.findings import LeakRoute, LeakSubtype, LeakType, Side
from leakseg.geometry import Grid
from leakseg.phantom import leaks_inside, leaks_outside
from leakseg.phantom.fill import fill_cover, fill_solid
from leakseg.phantom.measure import Measured, is_clear, measure
from leakseg.phantom.plan import PLANNABLE, FillPlan, LeakPlan
from leakseg.phantom.raster import Window, cover, fine_grid, points_of, window_of
from leakseg.phantom.site import Ground, LeakShape, Site, Unplaceable
from leakseg.phantom.solids import Solid

TRIES = 60
MIN_IN_PLACE = 0.9
MIN_LEAK_MM3 = 15.0
_ROOM_MM = 24.0


@dataclass(frozen=True, eq=False)
class PlacedLeak:
    """A leak as it came out; ``cover`` is on the block's fine grid."""

    plan: LeakPlan
    cover: NDArray[np.float32]
    volume_mm3: float
    in_place: float
    measured: Measured


@dataclass(frozen=True, eq=False)
class Block:
    """One vertebra's cement: cover fractions on the fine grid of a window of the scan."""

    fill: FillPlan
    window: Window
    factors: tuple[int, int, int]
    grid: Grid
    inside: NDArray[np.float32]
    leaks: tuple[PlacedLeak, ...]


def sculpt(
    ground: Ground, fill: FillPlan, leaks: tuple[LeakPlan, ...], step_mm: float, rng: np.random.Generator
) -> Block:
    """Draw one vertebra's cement.

    Raises
    ------
    AnatomyError
        Where the vertebra cannot take the fill, or a leak could not be placed.
    """
    frame = ground.survey.vertebrae.get(fill.level)
    if frame is None:
        raise AnatomyError(f"{fill.level} is not seen whole in these masks: no cement can be put into it.")
    window = _window(ground, fill)
    grid, factors = fine_grid(ground.grid.crop(window), step_mm)
    bone = ground.bone_at(points_of(grid))
    site = Site(ground, frame, 0.0, 1.0)
    inside = fill_cover(fill_solid(site, fill, rng), bone == fill.level.number, grid, fill.volume_mm3)
    placed: list[PlacedLeak] = []
    for plan in leaks:
        for _ in range(TRIES):
            try:
                leak, inside = _try(ground, replace_side(site, plan, rng), plan, grid, bone, inside, placed, rng)
            except Unplaceable:
                continue
            placed.append(leak)
            break
        else:
            raise AnatomyError(
                f"No {plan.type} leak ({plan.subtype}, side {plan.side}) from {plan.level} fits this spine and field "
                f"of view in {TRIES} draws; choose another subtype, side or level."
            )
    return Block(fill, window, factors, grid, inside, tuple(placed))


def replace_side(site: Site, plan: LeakPlan, rng: np.random.Generator) -> Site:
    """The site seen from the side that the plan wants."""
    signs = {Side.LEFT: 1.0, Side.RIGHT: -1.0, Side.MIDLINE: 0.0}
    sign = signs[plan.side] if plan.side in signs else float(rng.choice([-1.0, 1.0]))
    if plan.side is None and (plan.type is LeakType.INTRADISCAL or plan.subtype is LeakSubtype.CENTRAL):
        sign = 0.0
    return replace(site, sign=sign, size=plan.size)


def _draw(  # noqa: PLR0911 - a table of shapes, one line each
    site: Site, plan: LeakPlan, route: LeakRoute, rng: np.random.Generator
) -> LeakShape:
    match plan.type, plan.subtype:
        case LeakType.EPIDURAL, LeakSubtype.PEDICLE_BREACH:
            return leaks_inside.pedicle_breach(site, rng)
        case LeakType.EPIDURAL, _:
            return leaks_inside.epidural_strand(site, rng, route)
        case LeakType.FORAMINAL, _:
            return leaks_inside.foraminal_blob(site, rng, plan.below)
        case LeakType.INTRADISCAL, _:
            return leaks_inside.disc_pool(site, rng, plan.below)
        case LeakType.VENOUS, LeakSubtype.ANTERIOR_EXTERNAL:
            return leaks_outside.anterior_external_vein(site, rng)
        case LeakType.VENOUS, LeakSubtype.ASCENDING_LUMBAR:
            return leaks_outside.ascending_lumbar_vein(site, rng)
        case LeakType.VENOUS, _:
            return leaks_outside.segmental_vein(site, rng)
        case _, LeakSubtype.NEEDLE_TRACK:
            return leaks_outside.needle_track(site, rng)
        case _:
            return leaks_outside.soft_tissue_lump(site, rng)


def _try(
    ground: Ground,
    site: Site,
    plan: LeakPlan,
    grid: Grid,
    bone: NDArray[np.uint8],
    inside: NDArray[np.float32],
    others: list[PlacedLeak],
    rng: np.random.Generator,
) -> tuple[PlacedLeak, NDArray[np.float32]]:
    routes = PLANNABLE[plan.type, plan.subtype]
    route = plan.route or routes[int(rng.integers(len(routes)))]
    shape = _draw(site, plan, route, rng)
    part = window_of(grid, shape.solid)
    if part is None or not _within(ground.grid, shape.solid):
        raise Unplaceable
    points = points_of(grid, part)
    free = bone[part] == 0
    claimed = _claimed(ground, shape, grid.crop(part)) & free
    found, in_place = _to_volume(shape.solid.distance_mm(points), free, claimed, grid, plan.volume_mm3)
    if in_place < MIN_IN_PLACE:
        raise Unplaceable
    fed = inside if plan.detached else _feed(shape.channels, grid, bone, site.frame.level.number, inside)
    leak = np.zeros(bone.shape, np.float32)
    leak[part] = found
    leak = _hanging_together(leak, fed, detached=plan.detached)
    volume = float(leak.sum(dtype=np.float64)) * grid.voxel_volume_mm3
    if volume < MIN_LEAK_MM3 or any(_touch(leak, other.cover) for other in others):
        raise Unplaceable
    where = leak[part] > 0
    weights = leak[part][where].astype(np.float64) * grid.voxel_volume_mm3
    measured = measure(ground.survey, points[where], weights, shape.place, shape.gap, plan.level)
    if not is_clear(measured, plan.subtype) or (plan.side is not None and measured.side is not plan.side):
        raise Unplaceable
    settled = replace(plan, route=None if plan.detached else route)
    return PlacedLeak(settled, leak, volume, in_place, measured), fed


def _claimed(ground: Ground, shape: LeakShape, grid: Grid) -> NDArray[np.bool_]:
    suv = ground.survey.line.suv_on(grid)
    claimed = ground.survey.lookup(ground.survey.place, suv) == shape.place
    if shape.gap is not None:
        claimed &= ground.survey.lookup(ground.survey.gap, suv) == shape.gap + 1
    return np.asarray(claimed)


def _to_volume(
    distance: NDArray[Any], free: NDArray[np.bool_], claimed: NDArray[np.bool_], grid: Grid, wanted_mm3: float | None
) -> tuple[NDArray[np.float32], float]:
    """Cover of the shape in its place, grown or shrunk by up to 1.5 mm to the wanted volume, and its share there."""
    level = 0.0
    if wanted_mm3 is not None:
        number = round(wanted_mm3 / grid.voxel_volume_mm3)
        values = distance[claimed]
        if number >= len(values):
            raise Unplaceable
        level = float(np.partition(values, number)[number])
        if abs(level) > 1.5:
            raise Unplaceable
    whole = cover(distance - level, grid)
    found = np.where(claimed, whole, 0.0).astype(np.float32)
    outside = float(whole[free].sum(dtype=np.float64))
    return found, float(found.sum(dtype=np.float64)) / outside if outside > 0 else 0.0


def _feed(
    channels: tuple[Solid, ...], grid: Grid, bone: NDArray[np.uint8], number: int, inside: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Inner cement with the channels that lead to the leak, as far as they run in the vertebra's own bone."""
    fed = inside.copy()
    for channel in channels:
        part = window_of(grid, channel)
        if part is not None:
            lead = cover(channel.distance_mm(points_of(grid, part)), grid) * (bone[part] == number)
            fed[part] = np.maximum(fed[part], lead)
    return fed


def _hanging_together(leak: NDArray[np.float32], inside: NDArray[np.float32], *, detached: bool) -> NDArray[np.float32]:
    """The leak without crumbs; its main piece must hold 0.92 of it and touch the inner cement, or not at all."""
    import cc3d

    labels = cc3d.connected_components(leak > 0.5, connectivity=26)
    sizes = np.bincount(labels.ravel(), weights=leak.ravel())
    sizes[0] = 0
    main = int(np.argmax(sizes))
    if sizes[main] == 0:
        raise Unplaceable
    kept = np.where((labels == main) | ((labels == 0) & _near(labels == main)), leak, 0.0).astype(np.float32)
    if kept.sum() < 0.92 * leak.sum():
        raise Unplaceable
    body = cc3d.largest_k(inside > 0.5, k=1, connectivity=26).astype(bool)
    touches = bool((_near(labels == main) & body).any())
    if touches == detached:
        raise Unplaceable
    return kept


def _near(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask and its 26 neighbours."""
    from scipy.ndimage import find_objects

    grown = np.zeros_like(mask)
    box = find_objects(mask.astype(np.uint8))[0]
    part = tuple(slice(max(side.start - 2, 0), side.stop + 2) for side in box)
    block = mask[part]
    for axis in range(3):
        near = block.copy()
        lower: list[slice] = [slice(None)] * 3
        upper: list[slice] = [slice(None)] * 3
        lower[axis], upper[axis] = slice(None, -1), slice(1, None)
        near[tuple(lower)] |= block[tuple(upper)]
        near[tuple(upper)] |= block[tuple(lower)]
        block = near
    grown[part] = block
    return grown


def _touch(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    return bool((_near(_near(_near(one > 0))) & (other > 0)).any())


def _within(grid: Grid, solid: Solid) -> bool:
    low, high = solid.box()
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    index = grid.to_index(corners)
    return bool((index.min(axis=0) >= 0).all() and (index.max(axis=0) <= np.array(grid.shape) - 1).all())


def _window(ground: Ground, fill: FillPlan) -> Window:
    """The part of the scan round the vertebra in which its cement and leaks may lie."""
    frame = ground.survey.vertebrae[fill.level]
    wide = frame.half_width_mm + 18.0
    corners = [
        ground.survey.line.to_patient(np.asarray(s), np.asarray(u), np.asarray(frame.middle_v_mm + v))
        for s in (frame.bottom_mm - _ROOM_MM, frame.middle_mm, frame.top_mm + _ROOM_MM)
        for u in (frame.front_u_mm - 10.0, frame.wall_u_mm + 45.0)
        for v in (-wide, wide)
    ]
    index = ground.grid.to_index(np.array(corners))
    start = np.clip(np.floor(index.min(axis=0)), 0, np.array(ground.grid.shape) - 1).astype(int)
    stop = np.clip(np.ceil(index.max(axis=0)) + 1, start + 1, ground.grid.shape).astype(int)
    return (slice(start[0], stop[0]), slice(start[1], stop[1]), slice(start[2], stop[2]))
