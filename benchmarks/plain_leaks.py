"""Leaks of five kinds that grow through what is open to them in a `plain_scene`, after the places of Lee and Yeom.

Nothing here is leakseg's: places are told by distances from the canal, the bodies and the pedicles alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from changed_scans import Array
from plain_scene import Scene, ball, grown, largest, near, noise
from scipy.ndimage import binary_erosion, maximum_filter1d
from skimage.graph import MCP_Geometric

from leakseg.anatomy import VertebraLevel

GAP_MM, LEAST_MM3 = 3.5, 25.0
"""Two leaks of a case lie so far apart; a smaller one is not put in."""
KINDS = ("epidural", "foraminal", "venous", "intradiscal", "paravertebral")


@dataclass(frozen=True, eq=False)
class Leak:
    """Where cement left the bone, and of which vertebra."""

    kind: str
    level: int
    mask: Array


@dataclass(frozen=True, eq=False)
class Site:
    """A treated vertebra in its scene, seen from its body."""

    scene: Scene
    number: int
    side: int
    rng: np.random.Generator

    @property
    def above_mm(self) -> Array:
        return (self.scene.height - self.scene.bodies[self.number].middle) * self.scene.mm

    @property
    def height_mm(self) -> float:
        body = self.scene.bodies[self.number]
        return (body.top - body.bottom) * self.scene.mm

    @property
    def aside_mm(self) -> Array:
        return self.side * self.scene.left_mm

    def beside_body(self, within_mm: float) -> Array:
        return near(self.scene.bodies[self.number].mask, within_mm, self.scene.mm)

    def volume_mm3(self, low: float, high: float) -> float:
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def one_of(self, mask: Array) -> Array | None:
        """One voxel of a mask."""
        points = np.argwhere(mask)
        if len(points) < 5:
            return None
        seed = np.zeros(mask.shape, bool)
        seed[tuple(points[self.rng.integers(len(points))])] = True
        return seed


def treat(scene: Scene, number: int, rng: np.random.Generator) -> Array:
    """Cement within a body: a lump, two of them, or sponge."""
    body, mm = scene.bodies[number].mask, scene.mm
    core = binary_erosion(body, ball(1.6, mm))
    points = np.argwhere(core)
    middle = points.mean(axis=0) + rng.normal(0, 3 / mm, 3)
    form = rng.choice(("lump", "lump", "sponge", "two"))
    seeds = np.zeros(body.shape, bool)
    for aside_mm in (-9, 9) if form == "two" else (0,):
        goal = middle + np.array([0, 0, aside_mm / mm])
        seeds[tuple(points[np.square(points - goal).sum(axis=1).argmin()])] = True
    thorax = number <= VertebraLevel.T12.number
    volume = min(rng.uniform(1200, 4500) * (0.5 if thorax else 1), 0.6 * core.sum() * mm**3)
    rough, grain_mm = (1.6, 1.8) if form == "sponge" else (0.7, 4.0)
    return grown(rng, core, seeds, volume, mm, rough=rough, grain_mm=grain_mm)


def put_leaks(scene: Scene, numbers: list[int], rng: np.random.Generator) -> list[Leak]:
    """None to three leaks a treated vertebra, apart from each other."""
    taken = scene.levels > 0
    leaks: list[Leak] = []
    for number in numbers:
        for kind in rng.permutation(KINDS)[: rng.choice((0, 1, 2, 2, 3))]:
            site = Site(scene, number, int(rng.choice((-1, 1))), rng)
            mask = MAKERS[str(kind)](site)
            if mask is None:
                continue
            mask = largest(mask & ~taken)
            if mask.sum() * scene.mm**3 >= LEAST_MM3:
                leaks.append(Leak(str(kind), number, mask))
                taken = taken | near(mask, GAP_MM, scene.mm)
    return leaks


def channel(scene: Scene, number: int, inside: Array, leak: Array, rng: np.random.Generator) -> Array:
    """A strand of cement through the vertebra, from the cement inside to a leak; empty where there is no way."""
    out = np.zeros(leak.shape, bool)
    bone = scene.levels == number
    start = inside & scene.bodies[number].mask
    if not start.any():
        return out
    at = np.argwhere(start | leak)
    box = tuple(slice(max(low - 3, 0), high + 4) for low, high in zip(at.min(axis=0), at.max(axis=0), strict=True))
    ways = MCP_Geometric(np.where((bone | leak)[box], 1.0, -1.0))
    costs, _ = ways.find_costs(np.argwhere(start[box]))
    ends = np.argwhere(leak[box])
    end = tuple(ends[costs[tuple(ends.T)].argmin()])
    if not np.isfinite(costs[end]):
        return out
    line = np.zeros(costs.shape, bool)
    line[tuple(np.array(ways.traceback(end)).T)] = True
    out[box] = near(line, rng.uniform(0.6, 1.3), scene.mm)
    return out & bone


def _epidural(site: Site) -> Array | None:
    """From the front wall of the canal: in its middle, to a side, or as a sleeve along the wall."""
    scene, rng = site.scene, site.rng
    form = rng.choice(("central", "lateral", "sleeve"))
    off_mm = {"central": 0.0, "lateral": 6.0, "sleeve": 3.0}[form]
    room = scene.canal & (np.abs(site.above_mm) < 0.9 * site.height_mm)
    start_mm = rng.uniform(-0.3, 0.3) * site.height_mm
    seeds = room & (scene.before_mm > -2.5) & (np.abs(site.aside_mm - off_mm) < 2)
    seeds &= np.abs(site.above_mm - start_mm) < 2
    if form == "sleeve":
        room = room & (scene.before_mm > -4.5)
    return grown(rng, room, seeds, site.volume_mm3(60, 900), scene.mm, upright=0.5)


def _foraminal(site: Site) -> Array | None:
    """Beside the canal, below the pedicle, before the facets and within the pedicles' outer borders."""
    scene, mm = site.scene, site.scene.mm
    body = scene.bodies[site.number]
    below = scene.bodies.get(site.number + 1)
    hand = 0 if site.side < 0 else 1
    borders = [one.pedicle_mm[hand] for one in (body, below) if one is not None and np.isfinite(one.pedicle_mm[hand])]
    if not borders:
        return None
    over_mm = (scene.height - body.bottom) * mm
    room = near(scene.canal, 11, mm) & ~near(scene.canal, 1.2, mm) & (scene.levels == 0)
    room &= (site.aside_mm > 0) & (site.aside_mm < min(borders)) & (scene.before_mm < 3) & (scene.before_mm > -11)
    room &= (over_mm < 0.42 * site.height_mm) & (over_mm > -9)
    own = ((scene.levels == site.number) & (site.aside_mm > 4)).astype(np.uint8)
    room &= maximum_filter1d(own, int(32 / mm) | 1, axis=0) > 0
    room &= ~near(scene.discs, 1.0, mm) & ~near(body.mask, 0.5, mm)
    facet = (scene.levels == site.number + 1) & (scene.before_mm < 2)
    room &= ~np.maximum.accumulate(facet, axis=1)
    room = largest(room)
    seeds = site.one_of(room & near(scene.levels == site.number, 1.5, mm))
    return None if seeds is None else grown(site.rng, room, seeds, site.volume_mm3(60, 500), mm)


def _intradiscal(site: Site) -> Array | None:
    """Between the endplates, column by column, within both bodies' outlines."""
    scene, rng, mm = site.scene, site.rng, site.scene.mm
    other = site.number - 1 if rng.random() < 0.5 else site.number + 1
    if other not in scene.bodies:
        return None
    upper, lower = scene.bodies[min(site.number, other)].mask, scene.bodies[max(site.number, other)].mask
    outline = binary_erosion(upper.any(axis=0) & lower.any(axis=0), iterations=max(1, int(2.5 / mm)))
    floor, roof = upper.argmax(axis=0), len(lower) - 1 - lower[::-1].argmax(axis=0)
    room = largest(outline & (scene.height > roof) & (scene.height < floor) & (scene.levels == 0))
    seeds = site.one_of(room & site.beside_body(1.6))
    return None if seeds is None else grown(rng, room, seeds, site.volume_mm3(80, 1500), mm)


def _paravertebral(site: Site) -> Array | None:
    """A lump beside or before the body, or what a needle left behind the pedicle."""
    form = site.rng.choice(("side", "front", "needle"))
    if form == "needle":
        return _needle(site)
    scene, mm = site.scene, site.scene.mm
    room = (scene.levels == 0) & ~near(scene.canal, 7, mm) & (scene.before_mm > 3)
    room &= (np.abs(site.above_mm) < 0.6 * site.height_mm) & ~near(scene.discs, 1.5, mm)
    for number, body in scene.bodies.items():
        if number != site.number:
            room &= ~near(body.mask, 3, mm)
    start = site.beside_body(1.6) & (np.abs(site.above_mm) < 0.4 * site.height_mm)
    if form == "side":
        room &= site.aside_mm > 0.25 * scene.bodies[site.number].width_mm
        start &= scene.before_mm < 28
    else:
        room &= scene.before_mm > 10
        start &= (np.abs(site.aside_mm) < 12) & (scene.before_mm > 14)
    seeds = site.one_of(start & room)
    if seeds is None:
        return None
    return grown(site.rng, room & near(seeds, 14, mm), seeds, site.volume_mm3(100, 2000), mm, rough=0.6, grain_mm=3.5)


def _needle(site: Site) -> Array | None:
    """From the pedicle backward and somewhat outward, from where that line leaves the bone."""
    scene, rng, mm = site.scene, site.rng, site.scene.mm
    bone = scene.levels == site.number
    pedicle = bone & (site.aside_mm > 7) & (scene.before_mm < 0) & (scene.before_mm > -7)
    pedicle &= (site.above_mm > -0.1 * site.height_mm) & (site.above_mm < 0.55 * site.height_mm)
    points = np.argwhere(pedicle)
    if len(points) < 5:
        return None
    way = np.array([rng.uniform(-0.05, 0.25), 1.0, site.side * rng.uniform(0.15, 0.45)])
    steps = np.arange(0, 45 / mm, 0.5)[:, None]
    line = np.rint(points.mean(axis=0) + steps * way / np.linalg.norm(way)).astype(int)
    line = line[((line >= 2) & (line < np.array(bone.shape) - 2)).all(axis=1)]
    within = np.flatnonzero(bone[tuple(line.T)])
    if not len(within):
        return None
    broken = np.flatnonzero(np.diff(within) * 0.5 * mm > 4)
    leaves = within[broken[0]] if len(broken) else within[-1]
    outside = line[leaves : leaves + int(2 * rng.uniform(8, 25) / mm)]
    return _tube(bone.shape, outside, rng.uniform(1.2, 1.8, len(outside)), mm)


def _venous(site: Site) -> Array | None:
    """A strand along the bone from the body's waist: along its side, or up and down its front."""
    scene, rng, mm = site.scene, site.rng, site.scene.mm
    bone = scene.levels > 0
    shell = near(bone, rng.uniform(2, 4), mm) & ~bone & ~near(scene.canal, 6, mm) & (scene.before_mm > 2)
    start = shell & site.beside_body(2) & (np.abs(site.above_mm) < 0.25 * site.height_mm)
    if rng.random() < 0.5:
        start &= (site.aside_mm > 0.3 * scene.bodies[site.number].width_mm) & (scene.before_mm < 25)
        goal_mm = (rng.uniform(-14, 14), rng.uniform(8, 22), 0.0)
    else:
        start &= (np.abs(site.aside_mm) < 8) & (scene.before_mm > 15)
        goal_mm = (rng.choice((-1, 1)) * rng.uniform(14, 38), 0.0, rng.uniform(-8, 8))
    seed = site.one_of(start)
    if seed is None:
        return None
    first = np.argwhere(seed)[0]
    points = np.argwhere(shell)
    last = points[np.square(points - first - np.array(goal_mm) / mm).sum(axis=1).argmin()]
    low = np.maximum(np.minimum(first, last) - int(12 / mm), 0)
    box = tuple(map(slice, low, np.maximum(first, last) + int(12 / mm)))
    room = shell[box]
    ways = MCP_Geometric(np.where(room, np.exp(0.7 * noise(rng, room.shape, 3, mm)), -1))
    costs, _ = ways.find_costs([tuple(first - low)])
    end = tuple(last - low)
    if not np.isfinite(costs[end]):
        return None
    line = np.array(ways.traceback(end)) + low
    along = np.arange(len(line))
    radius_mm = rng.uniform(0.8, 1.9) * (1 - 0.5 * along / len(line)) * (1 + 0.2 * np.sin(along / 3))
    return _tube(bone.shape, line, np.maximum(radius_mm, 0.75 * mm), mm)


def _tube(shape: tuple[int, ...], line: Array, radius_mm: Array, mm: float) -> Array:
    out = np.zeros(shape, bool)
    for at, radius in zip(line, radius_mm, strict=True):
        part = ball(radius, mm)
        half = len(part) // 2
        if (at >= half).all() and (at + half < shape).all():
            out[tuple(slice(k - half, k + half + 1) for k in at)] |= part
    return out


MAKERS: dict[str, Callable[[Site], Array | None]] = {
    "epidural": _epidural,
    "foraminal": _foraminal,
    "venous": _venous,
    "intradiscal": _intradiscal,
    "paravertebral": _paravertebral,
}
