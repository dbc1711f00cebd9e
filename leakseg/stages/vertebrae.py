"""The vertebrae in canal coordinates: bone straightened along the canal, bodies and pedicles told apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import BonySpine, Endplate, Pedicle, SpineMasks, Vertebra, VertebraLevel
from leakseg.coordinates import CanalAxis, CanalSpace, CanalWall, Lattice
from leakseg.criteria import SpineCriteria
from leakseg.errors import AnatomyError
from leakseg.geometry import FloatArray, bounding_box
from leakseg.reach import Window, start_of

_SIDES = {"left": 1, "right": -1}
_SACRAL_BODY_MM = 30.0
_CUT_SHARE = 0.003
_MIN_COLUMN, _MIN_COLUMNS, _EDGE = 5, 30, 3
_TILT_PLAY = 10
_LEAST_FILLED = 0.35
"""Share of the room beside the canal that bone fills at a pedicle's height, and half of its highest share there: in the
chest the heads of ribs and the laminae's roots fill less of it below."""


def find_vertebrae(masks: SpineMasks, space: CanalSpace, criteria: SpineCriteria) -> BonySpine:
    """The bone on the canal's lattice, and each vertebra's body and pedicles.

    Raises
    ------
    AnatomyError
        Where no vertebral body lies in front of the canal.
    """
    axis, wall, lattice = space.axis, space.wall, space.lattice
    bone = _straighten(masks, axis, lattice)
    posterior_wall = -_anterior_radius(wall)
    bodies = _body_nodes(lattice, bone, posterior_wall)
    vertebrae = _vertebrae(masks, lattice, bone, bodies, posterior_wall, wall, criteria)
    if not vertebrae:
        raise AnatomyError(
            "No vertebral body lies in front of the canal: do the vertebra and canal masks belong to this scan?"
        )
    return BonySpine(axis, wall, lattice, space.canal, bone, bodies, posterior_wall, _lateral_radius(wall), vertebrae)


def _straighten(masks: SpineMasks, axis: CanalAxis, lattice: Lattice) -> NDArray[np.uint8]:
    """The vertebra labels at the lattice's nodes (nearest voxel)."""
    u, v = lattice.sections()
    inverse = masks.grid.inverse
    start = (axis.points_mm @ inverse[:3, :3].T + inverse[:3, 3]).astype(np.float32)
    backward = (axis.posterior @ inverse[:3, :3].T).astype(np.float32)
    left = (axis.left @ inverse[:3, :3].T).astype(np.float32)
    bone = np.zeros(lattice.shape, np.uint8)
    if masks.block is None:
        return bone
    labels = masks.vertebrae.ravel()
    for s in range(lattice.shape[0]):
        voxel, inside = np.zeros(lattice.shape[1:], np.int64), np.ones(lattice.shape[1:], np.bool_)
        for way, (size, held) in enumerate(zip(masks.grid.shape, masks.block, strict=True)):
            place = start[s, way] + u[0] * backward[s, way] + v[0] * left[s, way]
            index = np.rint(place, out=place).astype(np.int64)
            inside &= (index >= held.start) & (index < held.stop)
            voxel *= size
            voxel += index
        bone[s][inside] = labels[voxel[inside]]
    return bone


def _sector(wall: CanalWall, centre_rad: float, half_width_rad: float) -> NDArray[np.bool_]:
    offset = np.angle(np.exp(1j * (wall.angles_rad - centre_rad)))
    return np.asarray(np.abs(offset) <= half_width_rad)


def _anterior_radius(wall: CanalWall) -> FloatArray:
    """``(S,)`` distance from the axis to the posterior wall of bodies and discs."""
    sector = _sector(wall, np.pi, np.deg2rad(30))
    depth = -wall.radius_mm[:, sector] * np.cos(wall.angles_rad[sector])
    return np.asarray(np.median(depth, axis=1), dtype=np.float64)


def _lateral_radius(wall: CanalWall) -> FloatArray:
    """``(S,)`` half the canal's width."""
    return np.asarray(
        np.mean([_side_radius(wall, sign) for sign in (1, -1)], axis=0),
        dtype=np.float64,
    )


def _side_radius(wall: CanalWall, sign: int) -> FloatArray:
    sector = _sector(wall, sign * np.pi / 2, np.deg2rad(50))
    return np.asarray(np.max(np.abs(wall.radius_mm[:, sector] * np.sin(wall.angles_rad[sector])), axis=1))


def _body_nodes(lattice: Lattice, bone: NDArray[np.uint8], posterior_wall: FloatArray) -> NDArray[np.bool_]:
    """Bone in front of the posterior wall."""
    u, _ = lattice.sections()
    return np.asarray((bone > 0) & (u <= posterior_wall[:, None, None] + 0.5), dtype=np.bool_)


def _vertebrae(
    masks: SpineMasks,
    lattice: Lattice,
    bone: NDArray[np.uint8],
    bodies: NDArray[np.bool_],
    posterior_wall: FloatArray,
    wall: CanalWall,
    criteria: SpineCriteria,
) -> tuple[Vertebra, ...]:
    found = []
    half = lattice.shape[2] // 2
    middle = slice(half - 10, half + 11)
    for level in masks.levels():
        own = bone == level.number
        body = own & bodies
        profile = body[:, :, middle].sum(axis=(1, 2))
        if profile.max() < 60:
            continue
        tall = np.flatnonzero(profile >= 0.5 * np.percentile(profile[profile > 0], 80))
        bottom, top = float(tall[0]) - 0.5, float(tall[-1]) + 0.5
        sacral = level in (VertebraLevel.S1, VertebraLevel.S2)
        if sacral:
            bottom = max(bottom, top - _SACRAL_BODY_MM)
        tall_body = slice(max(0, int(bottom) - _TILT_PLAY), int(top) + _TILT_PLAY)
        box = bounding_box(body[tall_body])
        assert box is not None
        ends = (tall_body, box[1], box[2])
        if body[ends].sum(axis=0).max() < _MIN_COLUMN:  # a sliver at the scan's end shows no endplate
            continue
        section = body[int(bottom + 0.5) : int(top + 0.5)]
        centre = lattice.to_suv(_centroid(section) + np.array([int(bottom + 0.5), 0, 0]))
        width_mm, depth_mm = _body_size(lattice, section, float(centre[1]))
        pedicles = {}
        for side, sign in _SIDES.items():
            pedicle = _pedicle(lattice, own, sign, (bottom, top), posterior_wall, wall, width_mm / 2, criteria)
            if pedicle is not None:
                pedicles[side] = pedicle
        found.append(
            Vertebra(
                level=level,
                in_view_whole=not _touches_border(masks, level),
                s_bottom_mm=bottom,
                s_top_mm=top,
                body_centre_suv_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
                body_half_width_mm=width_mm / 2,
                body_depth_mm=depth_mm,
                body_volume_mm3=None if sacral else float(np.count_nonzero(body)) * lattice.step_mm**3,
                pedicles=_evened(pedicles),
                lower_endplate=_endplate(lattice, body[ends], ends, upper=False),
                upper_endplate=_endplate(lattice, body[ends], ends, upper=True),
            )
        )
    return tuple(sorted(found, key=lambda vertebra: -vertebra.s_middle_mm))


def _evened(pedicles: dict[str, Pedicle]) -> dict[str, Pedicle]:
    """No pedicle ends nearer to the canal's middle than the two of its vertebra do on the average.

    A mask's notch, a hole beside cement, takes its side from one of them, and with it the foramina's border.
    """
    if not pedicles:
        return pedicles
    least_mm = float(np.mean([pedicle.lateral_mm for pedicle in pedicles.values()]))
    return {side: replace(one, lateral_mm=max(one.lateral_mm, least_mm)) for side, one in pedicles.items()}


def _centroid(section: NDArray[np.bool_]) -> FloatArray:
    """Mean index ``(3,)`` of the nodes."""
    counts = (section.sum(axis=axes) for axes in ((1, 2), (0, 2), (0, 1)))
    return np.array([np.average(np.arange(len(count)), weights=count) for count in counts])


def _body_size(lattice: Lattice, section: NDArray[np.bool_], centre_u_mm: float) -> tuple[float, float]:
    """Width and depth of the body: of the width in front of its centre, where no process widens it."""
    rows = np.flatnonzero(section.any(axis=(1, 2)))
    half = section[rows[len(rows) // 4] : rows[max(len(rows) // 4, 3 * len(rows) // 4)] + 1]
    front = int(lattice.to_index(np.array([0.0, centre_u_mm, 0.0]))[1]) + 1
    columns = np.flatnonzero(half[:, :front].any(axis=(0, 1)))
    middle = half[:, :, half.shape[2] // 2 - 8 : half.shape[2] // 2 + 9].any(axis=(0, 2))
    depths = np.flatnonzero(middle)
    width = float(columns[-1] - columns[0] + 1) if len(columns) else float("nan")
    depth = float(depths[-1] - depths[0] + 1) if len(depths) else float("nan")
    return width * lattice.step_mm, depth * lattice.step_mm


def _endplate(lattice: Lattice, body: NDArray[np.bool_], box: Window, *, upper: bool) -> Endplate:
    """The plane through the end of a body in its block, fitted to the columns inside its outline, outliers left out."""
    end = body.shape[0] - 1 - np.argmax(body[::-1], axis=0) if upper else np.argmax(body, axis=0)
    known = body.sum(axis=0) >= _MIN_COLUMN
    inner = ndimage.binary_erosion(known, iterations=_EDGE)
    at = np.argwhere(inner if inner.sum() >= _MIN_COLUMNS else known)
    suv = lattice.to_suv((np.column_stack([end[tuple(at.T)], at]) + start_of(box)).astype(np.float64))
    table = np.column_stack([suv[:, 1], suv[:, 2], np.ones(len(suv))])
    keep = np.ones(len(suv), bool)
    plane = np.array([0.0, 0.0, float(np.median(suv[:, 0]))])
    for _ in range(3):
        plane = np.linalg.lstsq(table[keep], suv[keep, 0], rcond=None)[0]
        error = np.abs(suv[:, 0] - table @ plane)
        keep = error <= max(2.0, 2.0 * float(np.median(error)))
    return Endplate(float(plane[0]), float(plane[1]), float(plane[2]) + (0.5 if upper else -0.5))


def _touches_border(masks: SpineMasks, level: VertebraLevel) -> bool:
    """Whether the vertebra is cut by the border of the scan."""
    window = masks.windows[level]
    labels = masks.vertebrae[window]
    cut = []
    for axis, (part, size) in enumerate(zip(window, masks.grid.shape, strict=True)):
        cut += [labels.take(0, axis)] if part.start == 0 else []
        cut += [labels.take(-1, axis)] if part.stop == size else []
    largest = max((np.count_nonzero(face == level.number) for face in cut), default=0)
    return bool(cut) and bool(largest >= _CUT_SHARE * np.count_nonzero(labels == level.number))


def _pedicle(
    lattice: Lattice,
    own: NDArray[np.bool_],
    sign: int,
    ends: tuple[float, float],
    posterior_wall: FloatArray,
    wall: CanalWall,
    half_width_mm: float,
    criteria: SpineCriteria,
) -> Pedicle | None:
    """The run of bone that leaves the body backward beside the canal; None where the masks show none."""
    u, v = lattice.sections()
    low, high = max(0, int(ends[0] - 3)), int(ends[1] + 8)
    seen = slice(max(0, low - 1), high + 1)
    medial_edge, behind = _side_radius(wall, sign)[seen], posterior_wall[seen]
    deep = ((u > behind.min()) & (u <= behind.max() + criteria.pedicle_depth_mm)).ravel()
    depth = u[:, deep] - behind[:, None, None]
    room = (depth > 0.5) & (depth <= criteria.pedicle_depth_mm) & (sign * v > 3.0)
    slab = own[seen, deep] & room
    beside = np.abs(sign * v - medial_edge[:, None, None] - 3.0) <= 4.0
    filled = (slab & beside).sum(axis=(1, 2)) / np.maximum(1, (beside & room).sum(axis=(1, 2)))
    filled = ndimage.uniform_filter1d(filled, 3)
    within = np.zeros(len(filled), bool)
    within[low - seen.start : high - seen.start] = True
    least = max(_LEAST_FILLED, float(filled[within].max(initial=0.0)) / 2)
    runs, count = ndimage.label((filled >= least) & within)
    if not count:
        return None
    sizes = ndimage.sum_labels(np.ones_like(filled), runs, np.arange(1, count + 1))
    rows = np.flatnonzero(runs == int(np.argmax(sizes)) + 1)
    if len(rows) * lattice.step_mm < criteria.min_pedicle_height_mm:
        return None
    core = rows[len(rows) // 4 : max(len(rows) // 4 + 1, 3 * len(rows) // 4)]
    across = np.abs(v[0, 0])
    medial, lateral = [], []
    for row in core:
        held = slab[row].sum(axis=0)
        reach = np.flatnonzero(held >= 2)
        if len(reach) == 0:
            continue
        reach = reach[np.argsort(across[reach])]
        parts = np.split(reach, np.flatnonzero(np.diff(across[reach]) > 2.0) + 1)
        largest = max(parts, key=lambda part: int(held[part].sum()))  # slivers of facet and lamina lie beside it
        medial.append(across[largest[0]] - 0.5)
        lateral.append(across[largest[-1]] + 0.5)
    if not medial:
        return None
    inner = float(np.median(medial))
    outer = min(float(np.percentile(lateral, 25)), inner + criteria.max_pedicle_width_mm, half_width_mm + 2.0)
    bottom, top = float(rows[0] + seen.start) - 0.5, float(rows[-1] + seen.start) + 0.5
    return Pedicle(bottom, top, inner, max(outer, inner + 4.0))
