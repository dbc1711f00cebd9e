"""Real scans changed as other patients and other scanners differ, their masks with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from builtin_masks import DATA, LUMBAR, TRUNK
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_dilation,
    binary_erosion,
    distance_transform_edt,
    gaussian_filter,
    gaussian_filter1d,
    map_coordinates,
)

from leakseg.anatomy import VertebraLevel
from leakseg.geometry import Grid
from leakseg.nifti import read_image

Array = NDArray[Any]
CORD_MM = (3.2, 4.2)
"""Half the cord's depth and width."""


@dataclass(frozen=True, eq=False)
class Case:
    """A scan with its levels (numbers of `VertebraLevel`), its canal, and the ribs of its last rib-bearing level."""

    grid: Grid
    hu: Array
    levels: Array
    canal: Array
    ribs: Array

    @property
    def mm(self) -> Array:
        """Size of a voxel."""
        return np.array(self.grid.spacing_mm)


def lumbar() -> Case:
    grid, hu = read_image(DATA / "verse005/ct.nii.gz")
    _, truth = read_image(DATA / "verse005/vertebrae.nii.gz")
    _, canal = read_image(DATA / "verse005/canal_derived.nii.gz")
    return Case(grid, hu.astype(np.float32), _named(truth, LUMBAR), canal > 0, np.zeros(hu.shape, bool))


def trunk() -> Case:
    grid, hu = read_image(DATA / "totalsegmentator_ct/ct.nii.gz")
    _, truth = read_image(DATA / "totalsegmentator_ct/seg_total_v2.nii.gz")
    return Case(grid, hu.astype(np.float32), _named(truth, TRUNK), truth == 79, np.isin(truth, (103, 115)))


def _named(truth: Array, names: dict[int, str]) -> Array:
    out = np.zeros(truth.shape, np.uint8)
    for number, name in names.items():
        out[truth == number] = VertebraLevel(name).number
    return out


def warped(case: Case, source_mm: Array) -> Case:
    """The case with each voxel fetched from ``source_mm`` ``(3, k, j, i)``."""
    index = source_mm / case.mm[:, None, None, None]
    take = [
        map_coordinates(array, index, order=order, mode="nearest")
        for array, order in ((case.hu, 1), (case.levels, 0), (case.canal.astype(np.uint8), 0))
    ]
    return replace(case, hu=take[0], levels=take[1], canal=take[2] > 0)


def places(case: Case) -> Array:
    """``(3, k, j, i)`` mm."""
    return np.indices(case.hu.shape).astype(np.float32) * case.mm[:, None, None, None].astype(np.float32)


def body(case: Case, level: str) -> Array:
    """The part of a vertebra in front of the canal."""
    one = case.levels == VertebraLevel(level).number
    front = canal_front(case)
    return np.asarray(one & (np.arange(case.hu.shape[1])[None, :] < front[:, None])[:, :, None], dtype=bool)


def canal_front(case: Case) -> Array:
    rows = np.flatnonzero(case.canal.any(axis=(1, 2)))
    first = case.canal[rows].any(axis=2).argmax(axis=1)
    return np.asarray(np.interp(np.arange(len(case.hu)), rows, first))


def disc(case: Case, upper: str, lower: str) -> Array:
    """What lies between two bodies."""
    both = body(case, upper) | body(case, lower)
    reach = [max(1, round(9 / mm)) for mm in case.mm]
    tall = np.zeros((2 * reach[0] + 1, 3, 3), bool)
    tall[:, 1, 1] = True
    above = binary_dilation(body(case, lower), tall)
    return np.asarray(above & binary_dilation(body(case, upper), tall) & ~both & ~case.canal, dtype=bool)


def filled(case: Case, where: Array, hu: float, grain: float = 20.0) -> Case:
    texture = np.random.default_rng(1).normal(0, grain, case.hu.shape)
    share = gaussian_filter(where.astype(np.float32), 0.5 / case.mm)
    return replace(case, hu=case.hu * (1 - share) + share * (hu + texture))


def crushed(case: Case, level: str, front_loss: float, back_loss: float) -> Case:
    """A body that lost height under its upper endplate, the disc above taking the room."""
    inside = body(case, level)
    z, y, x = places(case)
    points = np.argwhere(inside) * case.mm
    low, high = np.percentile(points[:, 0], (2, 98))
    front, back = np.percentile(points[:, 1], (2, 98))
    loss = np.interp(y, (front, back), (front_loss, back_loss))
    middle = points[:, 2].mean()
    width = np.percentile(np.abs(points[:, 2] - middle), 98)
    beside = np.clip((width + 10 - np.abs(x - middle)) / 8, 0, 1)
    behind = np.clip((back + 2 - y) / 2, 0, 1)
    loss = loss * beside * behind
    ceiling = high + 6
    lowered = high - loss * (high - low)
    share = np.where(z < lowered, (z - low) / np.maximum(lowered - low, 1), 0)
    inner = low + share * (high - low)
    outer = high + (z - lowered) / np.maximum(ceiling - lowered, 1) * (ceiling - high)
    source = np.where((z <= low) | (z >= ceiling), z, np.where(z < lowered, inner, outer))
    return warped(case, np.stack([source, y, x]))


def bent(case: Case, sideways_mm: float, forward_mm: float, turn_deg: float) -> Case:
    """A scoliosis with its turn, a kyphosis."""
    z, y, x = places(case)
    height = z.max()
    phase = z / height * np.pi
    middle = (np.argwhere(case.canal) * case.mm).mean(axis=0)
    angle = np.radians(turn_deg) * np.sin(phase)
    x, y = x - sideways_mm * np.sin(phase), y + forward_mm * (np.sin(phase) - 0.5)
    dy, dx = y - middle[1], x - middle[2]
    turned = (middle[1] + np.cos(angle) * dy - np.sin(angle) * dx, middle[2] + np.sin(angle) * dy + np.cos(angle) * dx)
    return warped(case, np.stack([z, *turned]))


def arched(case: Case, angle_deg: float, *, sideways: bool) -> Case:
    """The spine along an arc of a circle, its vertebrae turned with it: so many degrees over the canal's length."""
    z, y, x = places(case)
    points = np.argwhere(case.canal) * case.mm
    middle, length = points.mean(axis=0), np.ptp(points[:, 0])
    aside = x - middle[2] if sideways else y - middle[1]
    radius = length / np.radians(abs(angle_deg))
    outward, up = np.sign(angle_deg) * aside + radius, z - (points[:, 0].min() + length / 2)
    height = points[:, 0].min() + length / 2 + np.arctan2(up, outward) * radius
    place = np.sign(angle_deg) * (np.hypot(outward, up) - radius)
    return warped(case, np.stack([height, y, place + middle[2]] if sideways else [height, place + middle[1], x]))


def cupped(case: Case, hu: float) -> Case:
    """Beam hardening: the middle of the patient darker than the rim."""
    _, y, x = places(case)
    far = np.hypot(y - y.max() / 2, x - x.max() / 2) / (max(y.max(), x.max()) / 2)
    return replace(case, hu=np.where(case.hu > -500, case.hu - hu * np.clip(1 - far**2, 0, 1), case.hu))


def in_round_field(case: Case, across_mm: float, padding_hu: float) -> Case:
    """A small round field of view round the spine, filled up beyond with one density."""
    _, y, x = places(case)
    middle = (np.argwhere(case.canal) * case.mm).mean(axis=0)
    return _beyond(case, np.hypot(y - middle[1] + 15, x - middle[2]) > across_mm / 2, padding_hu)


def cut_beside(case: Case, beside_mm: float, padding_hu: float) -> Case:
    """One side of the spine out of view."""
    middle = (np.argwhere(case.canal) * case.mm).mean(axis=0)
    return _beyond(case, places(case)[2] > middle[2] + beside_mm, padding_hu)


def _beyond(case: Case, out: Array, padding_hu: float) -> Case:
    levels = np.where(out, 0, case.levels)
    return replace(case, hu=np.where(out, padding_hu, case.hu), levels=levels, canal=case.canal & ~out)


def slipped(case: Case, level: str, by_mm: float) -> Case:
    """Everything from a level upward gone forward: a listhesis."""
    z, y, x = places(case)
    low = np.percentile(np.argwhere(body(case, level))[:, 0] * case.mm[0], 2)
    return warped(case, np.stack([z, y + by_mm * np.clip((z - low + 6) / 6, 0, 1), x]))


def without_arch(case: Case, levels: tuple[str, ...]) -> Case:
    """A laminectomy."""
    behind = np.arange(case.hu.shape[1])[None, :] > (canal_front(case) + 10 / case.mm[1])[:, None]
    middle = np.abs(np.arange(case.hu.shape[2]) * case.mm[2] - (np.argwhere(case.canal) * case.mm)[:, 2].mean()) < 16
    gone = np.isin(case.levels, [VertebraLevel(level).number for level in levels]) & behind[:, :, None] & middle
    return replace(filled(case, binary_dilation(gone), 40), levels=np.where(gone, 0, case.levels))


def screwed(case: Case, levels: tuple[str, ...]) -> Case:
    """Pedicle screws of 6 mm and two rods, with streaks in their slices."""
    z, y, x = places(case)
    metal = np.zeros(case.hu.shape, bool)
    axis = (np.argwhere(case.canal) * case.mm)[:, 2].mean()
    heads = []
    for level in levels:
        points = np.argwhere(body(case, level)) * case.mm
        height = np.percentile(points[:, 0], 70)
        back = points[:, 1].max()
        for side in (-1, 1):
            lateral = axis + side * (13 - 0.15 * np.clip(back - y, -30, 30))
            metal |= (np.hypot(z - height, x - lateral) < 3) & (y > back - 28) & (y < back + 32)
            heads.append((height, back + 30, axis + side * 17))
    for side in (0, 1):
        low, high = heads[side], heads[-2 + side]
        share = np.clip((z - low[0]) / (high[0] - low[0] or 1), 0, 1)
        metal |= (np.hypot(y - low[1] - share * (high[1] - low[1]), x - low[2]) < 3) & (
            (z - low[0]) * (z - high[0]) <= 0
        )
    rows = metal.any(axis=(1, 2))
    streak = gaussian_filter(np.random.default_rng(2).normal(0, 1, case.hu.shape), (0, 12, 0.7)) * 600
    return filled(replace(case, hu=case.hu + streak * rows[:, None, None]), metal, 3050)


def sized(case: Case, factor: float) -> Case:
    """The same patient larger or smaller."""
    affine = case.grid.affine.copy()
    affine[:3, :3] *= factor
    return replace(case, grid=Grid(case.grid.shape, affine))


def window(case: Case, levels: tuple[str, ...], margin_mm: float = 8.0, half_mm: float | None = None) -> Case:
    """Cut to some levels, and to so much on either side of the canal."""
    rows = np.flatnonzero(np.isin(case.levels, [VertebraLevel(level).number for level in levels]).any(axis=(1, 2)))
    margin = round(margin_mm / case.mm[0])
    part = [slice(max(rows[0] - margin, 0), rows[-1] + margin + 1), slice(None), slice(None)]
    if half_mm is not None:
        middle = np.argwhere(case.canal).mean(axis=0)
        for axis in (1, 2):
            reach = half_mm / case.mm[axis]
            part[axis] = slice(max(round(middle[axis] - reach), 0), round(middle[axis] + reach))
    return windowed(case, (part[0], part[1], part[2]))


def windowed(case: Case, part: tuple[slice, slice, slice]) -> Case:
    """What lies in a part of the scan's voxels."""
    arrays = {name: getattr(case, name)[part] for name in ("hu", "levels", "canal", "ribs")}
    return replace(case, grid=case.grid.crop(part), **arrays)


def denser(case: Case, factor: float) -> Case:
    return replace(case, hu=np.where(case.hu > 50, 50 + factor * (case.hu - 50), case.hu))


def marrow(case: Case, hu: float) -> Case:
    """Spongy bone at another density."""
    depth = distance_transform_edt(case.levels > 0, sampling=case.mm)
    usual = float(np.median(case.hu[depth > 3]))
    return replace(case, hu=case.hu + np.clip((depth - 1.5) / 1.5, 0, 1) * (hu - usual))


def noisy(case: Case, sigma_hu: float) -> Case:
    grain = np.random.default_rng(3).normal(0, 1, case.hu.shape)
    return replace(case, hu=case.hu + sigma_hu * grain)


def blurred(case: Case, sigma_mm: float) -> Case:
    return replace(case, hu=gaussian_filter(case.hu, sigma_mm / case.mm))


def sharpened(case: Case) -> Case:
    return replace(case, hu=case.hu + 1.2 * (case.hu - gaussian_filter(case.hu, 1.2 / case.mm)))


def sac(case: Case, hu: float) -> Case:
    """Contrast medium in the thecal sac."""
    return filled(case, distance_transform_edt(case.canal, sampling=case.mm) > 2, hu)


def myelogram(case: Case, hu: float) -> Case:
    """Contrast medium round the cord, a dark ellipse in the sac's middle."""
    rows = np.flatnonzero(case.canal.any(axis=(1, 2)))
    middle = gaussian_filter1d([np.argwhere(case.canal[k]).mean(axis=0) for k in rows], 4.0, axis=0)
    cord = np.zeros(case.canal.shape, bool)
    at = np.moveaxis(np.indices(cord.shape[1:]), 0, -1)
    for k, own in zip(rows, middle, strict=True):
        cord[k] = np.linalg.norm((at - own) * case.mm[1:] / CORD_MM, axis=-1) < 1
    return filled(case, (distance_transform_edt(case.canal, sampling=case.mm) > 2) & ~cord, hu)


def vessel(case: Case, hu: float) -> Case:
    """A vessel full of contrast that touches the bodies."""
    z, y, x = places(case)
    front = np.interp(np.arange(len(case.hu)) * case.mm[0], *_front_line(case))[:, None, None]
    axis = (np.argwhere(case.canal) * case.mm)[:, 2].mean()
    return filled(case, (np.hypot(y - front + 9, x - axis - 8) < 9) & (case.levels == 0) & (z >= 0), hu)


def _front_line(case: Case) -> tuple[Array, Array]:
    axis = np.argwhere(case.canal)[:, 2].mean()
    near = (case.levels > 0)[:, :, round(axis - 4) : round(axis + 5)].any(axis=2)
    rows = np.flatnonzero(near.any(axis=1))
    return rows * case.mm[0], near[rows].argmax(axis=1) * case.mm[1]


def mirrored(case: Case) -> Case:
    flip = (slice(None), slice(None), slice(None, None, -1))
    names = ("hu", "levels", "canal", "ribs")
    return replace(case, **{name: np.ascontiguousarray(getattr(case, name)[flip]) for name in names})


def changes(levels: list[str]) -> Iterator[tuple[str, Callable[[Case], Case]]]:
    """Titled changes; ``levels`` from caudal to cranial."""
    mid, low, high = levels[2], levels[1], levels[3]
    yield "as it is", lambda case: case
    yield "mirrored", mirrored
    for level in (low, mid, high):
        yield f"{level} wedged by half", lambda case, level=level: crushed(case, level, 0.5, 0.1)
        yield f"{level} crushed by half", lambda case, level=level: crushed(case, level, 0.5, 0.5)
        yield f"{level} crushed by 70 %", lambda case, level=level: crushed(case, level, 0.75, 0.65)
    yield "two neighbours crushed", lambda case: crushed(crushed(case, mid, 0.6, 0.4), high, 0.6, 0.4)
    for hu in (150, 200, 300, 500, 800, 1200):
        yield f"myelogram of {hu} HU", lambda case, hu=hu: sac(case, hu)
    yield "scoliosis", lambda case: bent(case, 22, 0, 15)
    yield "scoliosis, much turned", lambda case: bent(case, 30, 0, 30)
    yield "kyphosis", lambda case: bent(case, 0, -25, 0)
    yield "lordosis", lambda case: bent(case, 0, 25, 0)
    yield "listhesis of 8 mm", lambda case: slipped(case, low, 8)
    yield "listhesis of 14 mm", lambda case: slipped(case, levels[0], 14)
    yield "laminectomy, one", lambda case: without_arch(case, (mid,))
    yield "laminectomy, three", lambda case: without_arch(case, (low, mid, high))
    yield "screws and rods", lambda case: screwed(case, (low, mid))
    yield "long screws and rods", lambda case: screwed(case, tuple(levels[:4]))
    yield "one disc fused", lambda case: filled(case, disc(case, mid, low), 260)
    yield "two discs fused", lambda case: filled(filled(case, disc(case, mid, low), 260), disc(case, high, mid), 260)
    yield "vacuum in a disc", lambda case: filled(case, binary_erosion(disc(case, mid, low)), -500)
    yield (
        "cement through a disc",
        lambda case: filled(
            case, binary_erosion(body(case, mid) | disc(case, mid, low) | body(case, low), iterations=2), 1600, 150
        ),
    )
    yield "a body full of cement", lambda case: filled(case, binary_erosion(body(case, mid), iterations=1), 1800, 150)
    yield "an ivory vertebra", lambda case: filled(case, body(case, mid), 700, 60)
    yield "a lytic vertebra", lambda case: filled(case, binary_erosion(body(case, mid), iterations=2), 40)
    for hu in (-40, 20, 350):
        yield f"marrow at {hu} HU", lambda case, hu=hu: marrow(case, hu)
    yield "80 kVp", lambda case: denser(case, 1.4)
    yield "140 kVp and weak", lambda case: denser(marrow(case, 60), 0.75)
    yield "noise of 40 HU", lambda case: noisy(case, 40)
    yield "noise of 100 HU", lambda case: noisy(case, 100)
    yield "blurred", lambda case: blurred(case, 1.5)
    yield "sharp kernel and noise", lambda case: noisy(sharpened(case), 40)
    for factor in (0.6, 0.8, 1.2):
        yield f"size of {factor}", lambda case, factor=factor: sized(case, factor)
    yield "vessel with contrast", lambda case: vessel(case, 300)
    for count in (2, 3, 4):
        for start in range(len(levels) - count + 1):
            part = tuple(levels[start : start + count])
            yield f"only {part[0]} to {part[-1]}", lambda case, part=part: window(case, part)
    yield "field of 45 mm round the canal", lambda case: window(case, tuple(levels), 99, 45)
    yield "field of 30 mm round the canal", lambda case: window(case, tuple(levels), 99, 30)
    yield from bends_and_fields()
    yield "last ribs missing", lambda case: filled(case, binary_dilation(case.ribs), 40)


def bends_and_fields() -> Iterator[tuple[str, Callable[[Case], Case]]]:
    """Titled changes: arcs of circles, small fields of view, beam hardening."""
    for angle in (20, 40, -40):
        yield f"arched {angle} degrees sideways", lambda case, angle=angle: arched(case, angle, sideways=True)
    for angle in (25, 40, -25, -40):
        yield f"arched {angle} degrees forward", lambda case, angle=angle: arched(case, angle, sideways=False)
    for hu in (-1024, -3024, 0):
        yield f"round field of 120 mm in {hu} HU", lambda case, hu=hu: in_round_field(case, 120, hu)
    yield "one side out of view", lambda case: cut_beside(case, 25, -1024)
    for hu in (80, 150):
        yield f"cupping of {hu} HU", lambda case, hu=hu: cupped(case, hu)
