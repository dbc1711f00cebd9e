"""A made neck: C1 with its arches, C2 with its dens, bodies, discs, ribs, the skull above; no real one is at hand.

Plain solids from an atlas' proportions. It shows how the canal opens into the skull and what lies between that and the
first disc; it shows nothing of how necks differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from leakseg.anatomy import VertebraLevel
from leakseg.geometry import Grid
from leakseg.volume import Volume

AIR, FAT, MUSCLE, BRAIN, FLUID, CORD, LUNG = -1000, -90, 55, 35, 12, 40, -830
CORTEX, SPONGY, PETROUS = 650, 260, 1100
ORDER = [f"C{n}" for n in range(1, 8)] + [f"T{n}" for n in range(1, 13)] + [f"L{n}" for n in range(1, 6)] + ["S1"]
OPENING_MM = 43.0
"""The foramen magnum lies so far above the disc of C2 and C3."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Neck:
    """What to draw: mm of ``scale`` 1 from the disc of C2 and C3, upward, from ``low_mm`` to ``high_mm``."""

    low_mm: float = -190.0
    high_mm: float = 120.0
    half_mm: float = 105.0
    scale: float = 1.0
    slice_mm: int = 1
    lordosis_mm: float = 6.0
    disc_mm: float = 5.0
    noise_hu: float = 15.0
    spongy_hu: float = SPONGY
    skull: bool = True
    ribs: bool = True
    first_ribbed: str = "T1"
    fused: tuple[str, ...] = ()
    """Levels whose lower disc is bone."""
    missing: tuple[str, ...] = ()
    """Levels that are not there: two grown to one, whose place the others take."""
    tilt_deg: float = 0.0
    seed: int = 1


@dataclass(frozen=True, eq=False)
class MadeNeck:
    """The scan, and what is true of it."""

    volume: Volume
    bodies: dict[str, tuple[int, int, int]]
    """Middle of every body in view, in voxels."""
    opening: int
    """Slice of the foramen magnum."""
    canal: Mask

    def names_at_bodies(self, masks: Any) -> dict[str, str]:
        """True name to drawn one (``""`` where none is drawn)."""
        numbers = {level.number: str(level) for level in VertebraLevel}
        return {name: numbers.get(int(masks.vertebrae[at]), "") for name, at in self.bodies.items()}


@dataclass(frozen=True, eq=False)
class _Picture:
    hu: NDArray[np.float32]
    """Views of one scan: HU, mm upward, behind the scan's middle, behind the canal's, and to the left."""
    z: NDArray[Any]
    y: NDArray[Any]
    u: NDArray[Any]
    v: NDArray[Any]
    canal: Mask

    def window(self, low: float, high: float, reach: float = 1e9) -> _Picture:
        """The slices from ``low`` to ``high``, and of these what lies so near to the middle."""
        rows, lines, columns = (
            _span((values.ravel() >= start) & (values.ravel() <= stop))
            for values, start, stop in ((self.z, low, high), (self.y, -reach, reach), (self.v, -reach, reach))
        )
        part = (rows, lines, columns)
        return _Picture(
            self.hu[part], self.z[rows], self.y[:, lines], self.u[rows, lines], self.v[:, :, columns], self.canal[part]
        )


def _span(kept: NDArray[np.bool_]) -> slice:
    at = np.flatnonzero(kept)
    return slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, 0)


def _size(name: str) -> tuple[float, float, float, float, float]:
    """Height, width and depth of a body, width and depth of the canal."""
    number, rank = int(name[1:]), ORDER.index(name)
    if name[0] == "C":
        return 14.5, 19.0 + max(0, number - 4), 15.5, 24.0, 15.0
    if name[0] == "T":
        grow = (rank - 7) / 11
        return 16 + 8 * grow, (27 if number == 1 else 25) + 15 * grow**1.5, 17 + 13 * grow, 20.0, 16.0
    return 26.0, 43 + 1.5 * (rank - 19), 33.0, 24.0, 17.0


def _disc(name: str, cervical: float) -> float:
    return {"C": cervical, "T": 4.5, "L": 9.0, "S": 9.0}[name[0]]


def _places(neck: Neck) -> Iterator[tuple[str, float, float]]:
    """Name, bottom and height of every body from C3 down."""
    bottom = -neck.disc_mm / 2
    for name in ORDER[2:]:
        if name in neck.missing:
            continue
        height = _size(name)[0]
        bottom -= height
        yield name, bottom, height
        bottom -= _disc(name, neck.disc_mm)


def draw_neck(neck: Neck) -> MadeNeck:
    """The scan and its truth."""
    half = neck.half_mm
    spans = ((neck.low_mm, neck.high_mm), (-half - 25, half - 25), (-half, half))
    axes = [np.arange(low * neck.scale, high * neck.scale, dtype=np.float32) / neck.scale for low, high in spans]
    z, y, x = axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]
    curve = neck.lordosis_mm * np.cos(z / 55) + np.tan(np.radians(neck.tilt_deg)) * z
    shape = (z.shape[0], y.shape[1], x.shape[2])
    picture = _Picture(np.full(shape, AIR, np.float32), z, y, y - curve, x, np.zeros(shape, bool))
    _flesh(picture)
    for name, bottom, height in _places(neck):
        _vertebra(picture, neck, name, bottom, height)
    if neck.high_mm > 0:
        _axis_and_atlas(picture, neck)
    if neck.skull:
        _skull(picture.window(OPENING_MM - 60, 1e9))
    _cord(picture, neck)
    blurred = gaussian_filter(picture.hu, 0.6)
    step = neck.slice_mm
    count = len(blurred) // step
    hu = blurred[: count * step].reshape(count, step, *blurred.shape[1:]).mean(axis=1)
    hu = hu + np.random.default_rng(neck.seed).normal(0, neck.noise_hu, hu.shape)
    affine = np.array([[0.0, 0, 1, 0], [0, 1, 0, 0], [step, 0, 0, 0], [0, 0, 0, 1]])
    volume = Volume(Grid((hu.shape[0], hu.shape[1], hu.shape[2]), affine), np.rint(hu).astype(np.int16))
    bodies = {}
    for name, bottom, height in [("C2", neck.disc_mm / 2, 15.0), *_places(neck)]:
        middle = bottom + height / 2
        row = round((middle - z[0, 0, 0]) * neck.scale)
        if bottom - 1 > z[0, 0, 0] and bottom + height + 1 < z[-1, 0, 0]:
            depth = _size(name)[4] / 2 + _size(name)[2] / 2
            column = int(np.abs(picture.u[row, :, 0] + depth).argmin())
            bodies[name] = (row // step, column, int(np.abs(x).argmin()))
    opening = round((OPENING_MM - z[0, 0, 0]) * neck.scale / step)
    return MadeNeck(volume, bodies, opening, picture.canal[: count * step : step])


def _flesh(picture: _Picture) -> None:
    z, u, v = picture.z, picture.u, picture.v
    wide = 62 + 130 / (1 + np.exp((z + 115) / 10))
    deep = 58 + 45 / (1 + np.exp((z + 130) / 15))
    inside = (v / wide) ** 2 + ((u + 25) / deep) ** 2
    picture.hu[inside < 1] = FAT
    picture.hu[inside < 0.86] = MUSCLE
    head = (v / 82) ** 2 + ((u + 40) / 105) ** 2 + np.maximum((z - 95) / 90, 0) ** 2
    picture.hu[(head < 1) & (z > 35)] = MUSCLE
    lung = ((np.abs(v) - 75) / 50) ** 2 + ((u + 35) / 55) ** 2 + np.maximum((z + 150) / 25, 0) ** 2
    picture.hu[(lung < 1) & (z > -420)] = LUNG
    airway = (v / 9) ** 2 + ((u + 44) / 6) ** 2
    picture.hu[(airway < 1) & (z < 60) & (z > -200)] = AIR


def _canal_distance(u: NDArray[Any], v: NDArray[Any], wide: float, deep: float) -> NDArray[Any]:
    """About how far outside a three-cornered canal, mm; negative inside."""
    side = (np.abs(v) - wide / 2 * (1 - 0.65 * (u + deep / 2) / deep)) * 0.85
    return np.maximum(np.maximum(-(u + deep / 2), side), u - deep / 2)


def _bone(picture: _Picture, solid: Mask, hu: float = CORTEX) -> None:
    picture.hu[solid] = hu


def _body(picture: _Picture, neck: Neck, bottom: float, height: float, size: tuple[float, ...]) -> None:
    _, width, depth, _, canal_deep = size
    z, u, v = picture.z - bottom, picture.u, picture.v
    out = (np.abs(v) / (width / 2)) ** 2.5 + (np.abs(u + canal_deep / 2 + depth / 2) / (depth / 2)) ** 2.5
    waist = out * (1 + 0.12 * (1 - (2 * z / height - 1) ** 2))
    _bone(picture, (waist < 1) & (z > 0) & (z < height))
    _bone(picture, (waist < 0.72) & (z > 1.2) & (z < height - 1.2), neck.spongy_hu)


def _vertebra(whole: _Picture, neck: Neck, name: str, bottom: float, height: float) -> None:
    size = _size(name)
    _, width, _, wide, deep = size
    disc = _disc(name, neck.disc_mm)
    pitch = height + disc
    picture = whole.window(bottom - 20, bottom + height + 12, 75)
    if picture.hu.size == 0:
        return
    z, u, v, side = picture.z - bottom, picture.u, picture.v, np.abs(picture.v)
    if name == "S1":
        _bone(picture, (side < 52) & (u < 6 - 0.1 * side) & (u > -34) & (z > -40) & (z < height), SPONGY)
        _bone(picture, (side > 54) & (side < 66) & (u < 12) & (u > -60) & (z > -50) & (z < height + 12), SPONGY + 150)
        _bone(picture, (side < 12) & (u > 6) & (u < 16) & (z > -40) & (z < height - 4))
        return
    _body(picture, neck, bottom, height, size)
    if name in neck.fused:
        _body(picture, neck, bottom - disc - 2, disc + 4, size)
    away = _canal_distance(u, v, wide, deep)
    pedicle = (side > wide / 2 - 4) & (side < wide / 2 + 4) & (u > -deep / 2 - 5) & (u < 1) & (away > 0)
    _bone(picture, pedicle & (z > 0.45 * height) & (z < 0.95 * height), 450)
    _bone(picture, (away > 0) & (away < 5) & (u > -2) & (z > -0.15 * pitch) & (z < 0.6 * pitch))
    slope = 0.9 if name[0] == "C" else 0.2
    facet = z + slope * (u - 4)
    pillar = (side > wide / 2 - 2) & (side < wide / 2 + 9) & (u > -4) & (u < 9) & (away > 0)
    _bone(picture, pillar & (facet > -0.2 * pitch) & (facet < 0.8 * pitch - 1.5), 450)
    length = {"C": 18 if name != "C7" else 30, "T": 32, "L": 28}[name[0]]
    along = u - deep / 2
    _bone(picture, (side < 3) & (along > 2) & (along < length) & (z + 0.4 * along > 0) & (z + 0.4 * along < 9), 450)
    if name[0] == "C":
        rim = (side > width / 2 - 4) & (side < width / 2) & (u < -deep / 2 - 2) & (u > -deep / 2 - 11)
        _bone(picture, rim & (z > height - 1) & (z < height + 3))  # uncinate processes
        ring = np.hypot(side - width / 2 - 5.5, u + deep / 2 + 2)
        _bone(picture, (ring < 6) & (ring > 3) & (z > 0.3 * height) & (z < 0.8 * height), 450)
    else:
        reach = 34 if name[0] == "T" else 40
        _bone(picture, (side > 12) & (side < reach) & (np.hypot(u - 5, z - 0.6 * height) < 4.5), 450)
    if neck.ribs and name[0] in "CT" and ORDER.index(name) >= ORDER.index(neck.first_ribbed):
        _rib(
            whole.window(bottom - 55, bottom + height + 20),
            name,
            (width / 2 + 3, -deep / 2 - 3),
            bottom + 0.75 * height,
        )


def _rib(picture: _Picture, name: str, start: tuple[float, float], top: float) -> None:
    """A bar that follows a way of ``(side, u)`` from its head, drooping by 0.3 mm a mm."""
    rest = [(32, 6), (50, -4), (58, -28), (45, -60)] if name == "T1" else [(38, 10), (62, 6), (92, -25), (100, -60)]
    side, gone = np.abs(picture.v), 0.0
    for (v0, u0), (v1, u1) in pairwise([start, *rest]):
        length = float(np.hypot(v1 - v0, u1 - u0))
        along = np.clip(((side - v0) * (v1 - v0) + (picture.u - u0) * (u1 - u0)) / length**2, 0, 1)
        flat = np.hypot(side - v0 - along * (v1 - v0), picture.u - u0 - along * (u1 - u0))
        height = top - 0.3 * (gone + along * length)
        _bone(picture, (flat / 4) ** 2 + ((picture.z - height) / 5.5) ** 2 < 1, 500)
        gone += length


def _axis_and_atlas(whole: _Picture, neck: Neck) -> None:
    """C2 with its dens, C1 about it; z from the disc below C2."""
    bottom = neck.disc_mm / 2
    _body(whole, neck, bottom, 16.0, (0, 19.0, 16.0, 24.0, 16.0))
    picture = whole.window(-15, 60, 75)
    if picture.hu.size == 0:
        return
    z, u, v, side = picture.z, picture.u, picture.v, np.abs(picture.v)
    dens = np.hypot(v, u + 15) / np.where(z < 22, 4.8, 5.6)
    tip = dens**2 + (np.maximum(z - 33, 0) / 4) ** 2
    _bone(picture, (tip < 1) & (z > 15))
    _bone(picture, (tip < 0.6) & (z > 14) & (z < 35), neck.spongy_hu)
    away = _canal_distance(u, v, 24, 16)
    _bone(picture, (side > 6) & (side < 21) & (u > -18) & (u < -3) & (away > 0) & (z > 11) & (z < 21), 450)
    _bone(picture, (away > 0) & (away < 6) & (u > -4) & (z > 0) & (z < 14))
    _bone(picture, (side < 6 - 0.1 * u) & (u > 9) & (u < 28) & (z > -5) & (z < 10), 450)
    facet = z + 0.9 * (u - 4)
    _bone(picture, (side > 10) & (side < 21) & (u > -4) & (u < 9) & (away > 0) & (facet > -4) & (facet < 14), 450)
    _bone(picture, (side > 13 - 0.15 * (z - 22)) & (side < 23) & (u > -19) & (u < -2) & (z > 22.5) & (z < 36), 450)
    ring = np.hypot(side - 28, u + 8)
    _bone(picture, (ring < 7) & (ring > 3.5) & (z > 26) & (z < 32), 450)
    arch = np.hypot(v / 1.1, u + 6)
    _bone(picture, (arch > 16.5) & (arch < 22) & (u > -4) & (z > 25) & (z < 32), 550)
    front = np.hypot(v, u + 8)
    _bone(picture, (front > 14.5) & (front < 20) & (u < -17) & (z > 24) & (z < 35), 550)


def _skull(picture: _Picture) -> None:
    z, u, v, side = picture.z - OPENING_MM, picture.u, picture.v, np.abs(picture.v)
    floor = np.clip((-14 - u) * 1.1, 0, 38) + 0 * z
    reach = np.sqrt((v / 68) ** 2 + ((u + 35) / 88) ** 2 + ((z - 62) / 68) ** 2)
    outer = np.sqrt((v / 74) ** 2 + ((u + 35) / 94) ** 2 + ((z - 62) / 74) ** 2)
    inner = (reach < 1) & (z > floor)
    _bone(picture, (outer < 1) & (z > floor - 7) & ~inner, 800)
    face = (side < 42) & (u < -48) & (u > -112) & (z > -6) & (z < 45) & ~inner
    _bone(picture, face & ((side > 36) | (u < -108) | (np.abs(side - 12) < 1.2) | (z < -2)), 500)
    picture.hu[face & (side < 34) & (u > -106) & (z > 0) & (np.abs(side - 12) > 3)] = AIR
    jaw = np.hypot(v, (u + 55) * 0.9)
    _bone(picture, (jaw > 38) & (jaw < 47) & (u < -40) & (z < -14) & (z > -42), 700)
    cheek = (side > 40) & (side < 47) & (u > -55) & (u < -35) & (z < 2) & (z > -42)
    _bone(picture, cheek, 700)
    _bone(picture, (side > 13) & (side < 22) & (u > -14) & (u < 4) & (z > -6.5) & (z < 1), 500)
    picture.hu[inner] = BRAIN
    picture.hu[inner & (reach > 0.95)] = FLUID
    along = side - 20
    petrous = (along > 0) & (along < 48) & (np.hypot(u + 28 - 0.45 * along, z - 20 - 0.1 * along) < 7 + 0.1 * along)
    _bone(picture, petrous & (outer < 1), PETROUS)
    opening = (v / 15) ** 2 + (u / 17.5) ** 2 < 1
    picture.hu[opening & (z > -9) & (z < 6) & ~inner] = FLUID


def _cord(picture: _Picture, neck: Neck) -> None:
    """What is in the canal, up to the opening of the skull."""
    z, u, v = picture.z, picture.u, picture.v
    spans = [(low - 12, low + height, *_size(name)[3:]) for name, low, height in _places(neck)]
    for low, high, wide, deep in [*spans, (-2, OPENING_MM, 24.0, 16.0)]:
        part = picture.window(low, high, 40)
        if part.hu.size:
            part.canal[(_canal_distance(part.u, part.v, wide, deep) < 0) & np.isfinite(part.z)] = True
    picture.hu[picture.canal] = FLUID
    picture.hu[picture.canal & ((u / 4.5) ** 2 + (v / 7) ** 2 < 1) & np.isfinite(z)] = CORD


@pytest.fixture(scope="session")
def made_neck() -> Callable[..., MadeNeck]:
    """Draws a neck from the fields of `Neck`."""
    return lambda **fields: draw_neck(Neck(**fields))
