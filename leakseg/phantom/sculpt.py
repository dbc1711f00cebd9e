"""Cement of one vertebra on a fine grid: the fill, then each leak, drawn again until it is what was asked.

Every leak must lie outside the bone masks and outside metal, and at least nine tenths of it in the place it claims;
what is left is cut off. It must hang together, touch its vertebra's inner cement (unless detached), lie inside the
scan, clear of other leaks and clear of the borders of the definitions. After `TRIES` draws it is told, never fudged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import VertebraLevel
from leakseg.errors import AnatomyError
from leakseg.findings import LeakType
from leakseg.geometry import Grid
from leakseg.phantom.attach import feed, grow, pieces, touch, whole_leak, within
from leakseg.phantom.attach import near as near_to
from leakseg.phantom.claims import OffSize, claims_of, to_volume
from leakseg.phantom.fill import fill_cover, fill_shape
from leakseg.phantom.measure import Measured, is_clear, measure
from leakseg.phantom.plan import FillPlan, LeakPlan
from leakseg.phantom.raster import Window, distance_near, fine_grid, points_of, window_of
from leakseg.phantom.shapes import draw_shape, drawn_route, scale_for, seen_from
from leakseg.phantom.site import Ground, LeakShape, Site, Unplaceable
from leakseg.phantom.survey import FORAMEN

TRIES = 60
MIN_IN_PLACE = 0.9
MIN_LEAK_MM3 = 15.0
MIN_FLOW_MM3 = 10.0
"""Less cement is no leak by the usual criterion; it is made where a smaller volume is asked for outright."""
_PIECE_SHARE = 0.12


@dataclass(frozen=True, eq=False)
class PlacedLeak:
    """A leak as it came out; ``cover`` is on the block's fine grid; leaks of one ``piece`` are one body of cement."""

    plan: LeakPlan
    cover: NDArray[np.float32]
    volume_mm3: float
    in_place: float
    measured: Measured
    piece: int = 0


@dataclass(frozen=True, eq=False)
class Block:
    """One vertebra's cement: cover fractions on the fine grid of a window of the scan.

    ``free`` is where a leak may be: neither bone nor metal.
    """

    fill: FillPlan
    window: Window
    factors: tuple[int, int, int]
    grid: Grid
    bone: NDArray[np.uint8]
    free: NDArray[np.bool_]
    site: Site
    inside: NDArray[np.float32]
    leaks: tuple[PlacedLeak, ...]


def sculpt(
    ground: Ground,
    fill: FillPlan,
    leaks: tuple[LeakPlan, ...],
    step_mm: float,
    rng: np.random.Generator,
    window: Window,
    treated: Sequence[VertebraLevel] = (),
    foreign: Sequence[Block] = (),
) -> Block:
    """Draw one vertebra's cement.

    Parameters
    ----------
    window
        The part of the scan that it may lie in.
    treated
        All levels with cement inside: a detached leak must be nearest to its own.
    foreign
        Other vertebrae's cement, which these leaks must keep off.

    Raises
    ------
    AnatomyError
        Where the vertebra cannot take the fill, or a leak could not be placed.
    """
    grid, factors = fine_grid(ground.grid.crop(window), step_mm)
    points = points_of(grid)
    bone = ground.bone_at(points)
    free = (bone == 0) & ~ground.taken_at(points)
    site = Site(ground, ground.survey.vertebrae[fill.level], 0.0, 1.0)
    solid, hearts = fill_shape(site, fill, rng)
    site = replace(site, hearts=hearts)
    inside = fill_cover(solid, bone == fill.level.number, grid, fill.volume_mm3)
    block = Block(fill, window, factors, grid, bone, free, site, inside, ())
    others = on_block(block, foreign)
    for plan in leaks:
        block, _bridged = add_leak(block, plan, rng, treated, others)
    return block


def on_block(block: Block, foreign: Sequence[Block], *, leaks: bool = True) -> NDArray[np.float32] | None:
    """Cover of other blocks' cement on a block's grid; None where none of it lies there."""
    found = np.zeros(block.inside.shape, np.float32)
    for other in foreign:
        mine, theirs = [], []
        for own, far, factor in zip(block.window, other.window, block.factors, strict=True):
            start, stop = max(own.start, far.start), min(own.stop, far.stop)
            mine.append(slice((start - own.start) * factor, max(stop - own.start, 0) * factor))
            theirs.append(slice((start - far.start) * factor, max(stop - far.start, 0) * factor))
        if any(side.stop <= side.start for side in mine):
            continue
        here, there = (mine[0], mine[1], mine[2]), (theirs[0], theirs[1], theirs[2])
        for cover_there in (other.inside, *(leak.cover for leak in other.leaks if leaks)):
            found[here] = np.maximum(found[here], cover_there[there])
    return found if found.any() else None


def add_leak(
    block: Block,
    plan: LeakPlan,
    rng: np.random.Generator,
    treated: Sequence[VertebraLevel] = (),
    others: NDArray[np.float32] | None = None,
    bridged: Block | None = None,
) -> tuple[Block, Block | None]:
    """The block with one more leak, and the neighbour it bridges to with the channel that leads there.

    Raises
    ------
    AnatomyError
        Where it fits nowhere in many draws.
    """
    bulk = scale_for(plan)
    for _ in range(TRIES):
        site = seen_from(block.site, plan, rng)
        try:
            return _try(block, replace(site, size=site.size * bulk), plan, rng, treated, others, bridged)
        except OffSize as off:
            if plan.form == "flow":
                bulk *= float(np.clip((1 / off.ratio) ** (1 / 3), 0.7, 1.4))
        except Unplaceable:
            continue
    asked = f"{plan.type} leak ({plan.subtype}, side {plan.side})"
    raise AnatomyError(
        f"No {asked} from {plan.level} fits this spine and field of view in {TRIES} draws; "
        f"choose another subtype, side or level."
    )


def _try(
    block: Block,
    site: Site,
    plan: LeakPlan,
    rng: np.random.Generator,
    treated: Sequence[VertebraLevel],
    others: NDArray[np.float32] | None,
    bridged: Block | None,
) -> tuple[Block, Block | None]:
    ground, grid, bone, free = site.ground, block.grid, block.bone, block.free
    route = drawn_route(plan, rng)
    shape = draw_shape(site, plan, route, rng, bridged.site.frame if bridged else None)
    part = window_of(grid, shape.solid)
    if part is None or not within(ground.grid if plan.form == "plain" else grid, shape.solid):
        raise Unplaceable
    claims = claims_of(ground, shape, grid.crop(part), free[part])
    found, in_place = to_volume(_distance(shape, plan, grid, part), free[part], claims, grid, plan)
    if in_place < MIN_IN_PLACE:
        raise Unplaceable
    fed = block.inside if plan.detached else feed(shape.channels, grid, bone, site.frame.level.number, block.inside)
    leak = np.zeros(bone.shape, np.float32)
    leak[part] = found
    near = grow(part, 4, bone.shape)
    leak[near], core = whole_leak(leak[near])
    own = int(np.count_nonzero(near_to(core) & pieces(fed)[near]))
    if (own > 0) == plan.detached:
        raise Unplaceable
    further = None
    if bridged is not None:
        further = _bridge(block, shape, bridged, core, near, own)
    elif others is not None and touch(leak[near], others[near]):
        raise Unplaceable
    if any(touch(leak[near], other.cover[near]) for other in block.leaks):
        raise Unplaceable
    piece = 1 + max((other.piece for other in block.leaks), default=0)
    settled = replace(plan, route=None if plan.detached else route)
    placed = tuple(
        _piece(site, settled, leak, part, claim, place, grid, in_place, piece)
        for place, claim in zip(((shape.place, shape.gap), *shape.also), claims, strict=True)
    )
    _check(placed, plan, ground, treated)
    return replace(block, inside=fed, leaks=block.leaks + placed), further


def _piece(
    site: Site,
    plan: LeakPlan,
    leak: NDArray[np.float32],
    part: Window,
    claim: NDArray[np.bool_],
    place: tuple[int, int | None],
    grid: Grid,
    in_place: float,
    piece: int,
) -> PlacedLeak:
    """The part of a leak in one place, measured."""
    own = np.zeros(leak.shape, np.float32)
    own[part] = np.where(claim, leak[part], 0.0)
    where = own[part] > 0
    if not where.any():
        raise Unplaceable
    weights = own[part][where].astype(np.float64) * grid.voxel_volume_mm3
    points = points_of(grid, part)[where]
    measured = measure(site.ground.survey, points, weights, place[0], place[1], plan.level)
    if place[0] == FORAMEN and plan.type is not LeakType.FORAMINAL:
        plan = replace(plan, type=LeakType.FORAMINAL, subtype=None, route=None, into_foramen=False)
    return PlacedLeak(plan, own, float(weights.sum()), in_place, measured, piece)


def _check(placed: tuple[PlacedLeak, ...], plan: LeakPlan, ground: Ground, treated: Sequence[VertebraLevel]) -> None:
    """Each part is large enough and clear of the borders of the definitions, and lies on the wanted side."""
    total = sum(leak.volume_mm3 for leak in placed)
    least = MIN_LEAK_MM3 if plan.form == "plain" else MIN_FLOW_MM3
    if plan.volume_mm3 is not None and plan.form == "flow":
        least = min(least, 0.9 * plan.volume_mm3)
        if abs(total / plan.volume_mm3 - 1) > 0.1:
            raise OffSize(total / plan.volume_mm3)
    for leak in placed:
        if leak.volume_mm3 < max(least, _PIECE_SHARE * total if len(placed) > 1 else 0.0):
            raise Unplaceable
        if not is_clear(leak.measured, leak.plan.subtype, plan.side):
            raise Unplaceable
        if plan.side is not None and leak.measured.side is not plan.side:
            raise Unplaceable
    if plan.detached:
        x, y, z = placed[0].measured.centroid_mm
        s = float(ground.survey.line.to_suv(np.array([[x, y, z]]))[0, 0])
        off = {level: abs(ground.survey.vertebrae[level].middle_mm - s) for level in treated}
        if any(far < off[plan.level] + 5.0 for level, far in off.items() if level != plan.level):
            raise Unplaceable


def _bridge(block: Block, shape: LeakShape, bridged: Block, core: NDArray[np.bool_], near: Window, own: int) -> Block:
    """The neighbour with a channel to the leak, which must touch it, but less than its own vertebra's cement."""
    inside = on_block(block, [bridged], leaks=False)
    if inside is None:
        raise Unplaceable
    fed = feed(shape.further, block.grid, block.bone, bridged.fill.level.number, inside)
    theirs = int(np.count_nonzero(near_to(core) & pieces(fed)[near]))
    if not 0 < theirs < 0.8 * own:
        raise Unplaceable
    grown = bridged.inside.copy()
    mine, there = [], []
    for own_side, far, factor in zip(block.window, bridged.window, block.factors, strict=True):
        start, stop = max(own_side.start, far.start), min(own_side.stop, far.stop)
        mine.append(slice((start - own_side.start) * factor, (stop - own_side.start) * factor))
        there.append(slice((start - far.start) * factor, (stop - far.start) * factor))
    grown[tuple(there)] = np.maximum(grown[tuple(there)], fed[tuple(mine)])
    return replace(bridged, inside=grown)


def _distance(shape: LeakShape, plan: LeakPlan, grid: Grid, part: Window) -> NDArray[Any]:
    if plan.form == "flow":
        return distance_near(shape.solid, grid, part)
    return shape.solid.distance_mm(points_of(grid, part))
