"""The place of every point round the canal: canal, foramen, disc, or outside.

On a lattice straightened along the canal, "behind the posterior wall", "between the pedicles" and
"between the endplates" are plain inequalities. Where places meet, the order of `Place` decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import BonySpine, CanalSource, Place, SpineAnatomy, Vertebra, VertebraLevel
from leakseg.criteria import SpineCriteria
from leakseg.geometry import FloatArray, bounding_box
from leakseg.pedicles import with_unseen_pedicles

_SIDES = {"left": 1, "right": -1}
_ENDPLATE_PLAY = 2.0


def assign_places(bony: BonySpine, canal_from: CanalSource, criteria: SpineCriteria) -> SpineAnatomy:
    """Discs, foramina and canal on the lattice."""
    lattice, bone, bodies, vertebrae = bony.lattice, bony.bone, bony.body, bony.vertebrae
    canal = bony.canal
    gaps = tuple(
        (upper.level, lower.level)
        for upper, lower in itertools.pairwise(vertebrae)
        if -2.0 <= upper.s_bottom_mm - lower.s_top_mm <= criteria.max_disc_height_mm
    )
    place = np.zeros(lattice.shape, np.uint8)
    gap = np.zeros(lattice.shape, np.uint8)
    foramen_volumes: dict[tuple[int, str], float] = {}
    seen = {vertebra.level: vertebra.pedicles.keys() for vertebra in vertebrae}
    by_level = {vertebra.level: vertebra for vertebra in with_unseen_pedicles(vertebrae)}
    for number, (upper_level, lower_level) in enumerate(gaps):
        upper, lower = by_level[upper_level], by_level[lower_level]
        rows = _rows_of(bony, upper_level, lower_level)
        disc = _disc_nodes(bony, rows, upper, lower)
        place[rows][disc] = Place.DISC
        gap[rows][disc] = number + 1
        front = bodies[rows] | disc
        for side, sign in _SIDES.items():
            foramen = _foramen_nodes(bony, front, rows, upper, lower, side, sign, criteria)
            if foramen is None:
                continue
            foramen &= ~canal[rows]
            place[rows][foramen] = Place.FORAMEN
            gap[rows][foramen] = number + 1
            if side in seen[upper_level] & seen[lower_level]:
                free = np.count_nonzero(foramen & (bone[rows] == 0))
                foramen_volumes[number, side] = float(free) * lattice.step_mm**3
    for upper, lower in _open_ends(tuple(by_level.values()), gaps):
        gaps = (*gaps, (upper.level, lower.level))
        for side in upper.pedicles:
            rows, foramen = _open_foramen(bony, upper, lower, side, criteria)
            foramen &= place[rows] == Place.OUTSIDE
            place[rows][foramen] = Place.FORAMEN
            gap[rows][foramen] = len(gaps)
    place[canal] = Place.CANAL
    gap[canal] = 0
    for array in (bone, bodies, place, gap, canal):
        array.setflags(write=False)
    return SpineAnatomy(
        axis=bony.axis,
        wall=bony.wall,
        lattice=lattice,
        canal=canal,
        bone=bone,
        body=bodies,
        posterior_wall_u_mm=bony.posterior_wall_u_mm,
        canal_half_width_mm=bony.canal_half_width_mm,
        vertebrae=vertebrae,
        place=place,
        gap=gap,
        gaps=gaps,
        foramen_volume_mm3=foramen_volumes,
        canal_from=canal_from,
    )


def _open_ends(
    vertebrae: tuple[Vertebra, ...], gaps: tuple[tuple[VertebraLevel, VertebraLevel], ...]
) -> Iterator[tuple[Vertebra, Vertebra]]:
    """Beyond the first and the last vertebra, each with one as high as stands beside it, and the usual name.

    Masks end before the spine does, and leave vertebrae out: half of such a foramen's borders are seen all the same.
    """
    by_level = {vertebra.level: vertebra for vertebra in vertebrae}
    heights = [
        by_level[upper].pedicles[side].s_bottom_mm - by_level[lower].pedicles[side].s_top_mm
        for upper, lower in gaps
        for side in by_level[upper].pedicles.keys() & by_level[lower].pedicles.keys()
    ]
    height = float(np.median(heights)) if heights else 0.0
    if height <= 0:
        return
    for end, step in ((vertebrae[0], -1), (vertebrae[-1], 1)):
        name = end.level.usual_neighbour(step)
        if name is None:
            continue
        moved = {
            side: replace(one, s_top_mm=one.s_bottom_mm - height)
            if step > 0
            else replace(one, s_bottom_mm=one.s_top_mm + height)
            for side, one in end.pedicles.items()
        }
        other = replace(end, level=name, pedicles=moved)
        yield (end, other) if step > 0 else (other, end)


def _open_foramen(
    bony: BonySpine, upper: Vertebra, lower: Vertebra, side: str, criteria: SpineCriteria
) -> tuple[slice, NDArray[np.bool_]]:
    """Rows of the lattice, and nodes in them between a pedicle and where the next vertebra's is to be.

    No facet is seen to close such a foramen: it ends where facets mostly do.
    """
    play = criteria.foramen_play_mm + 1.0
    ends = np.array([lower.pedicles[side].s_top_mm - play, upper.pedicles[side].s_bottom_mm + play])
    first, last = np.clip(np.rint(ends / bony.lattice.step_mm).astype(int), 0, bony.lattice.shape[0])
    rows = slice(int(first), int(last))
    shallow = replace(criteria, foramen_depth_mm=criteria.open_foramen_depth_mm)
    foramen = _foramen_nodes(bony, bony.body[rows], rows, upper, lower, side, _SIDES[side], shallow)
    return rows, np.zeros_like(bony.body[rows]) if foramen is None else foramen


def _rows_of(bony: BonySpine, upper: VertebraLevel, lower: VertebraLevel) -> slice:
    """The lattice's rows that two vertebrae reach into."""
    held = [bony.blocks[level.number][0] for level in (upper, lower)]
    return slice(min(one.start for one in held), max(one.stop for one in held))


def _disc_nodes(bony: BonySpine, rows: slice, above: Vertebra, below: Vertebra) -> NDArray[np.bool_]:
    """Nodes of some rows between the facing endplates, inside the outline of the two bodies.

    The lower vertebra's pedicles spring from its body just under the endplate, the upper one's do not: so
    the lower outline counts only where the upper one is near. Behind the bodies' middle both must be there: what
    one of them leaves uncovered at the back is foramen or canal.
    """
    disc = np.zeros(bony.body[rows].shape, np.bool_)
    box = bounding_box(bony.body[rows])
    if box is None:
        return disc
    inside = (slice(None), box[1], box[2])
    body = np.where(bony.body[rows][inside], bony.bone[rows][inside], 0)
    upper, lower = (body == one.level.number for one in (above, below))
    row = np.arange(rows.start, rows.stop)
    bottom = np.where(upper.any(axis=0), row[0] + np.argmax(upper, axis=0), -1)
    top = np.where(lower.any(axis=0), row[-1] - np.argmax(lower[::-1], axis=0), -1)
    upper_print = (bottom >= 0) & (bottom <= np.percentile(bottom[bottom >= 0], 50) + 8)
    lower_print = (top >= 0) & (top >= np.percentile(top[top >= 0], 50) - 8)
    u, v = (along[0] for along in bony.lattice.sections())
    u, v = u[box[1]], v[:, box[2]]
    ahead = u < (above.body_centre_suv_mm[1] + below.body_centre_suv_mm[1]) / 2
    near_upper = ndimage.binary_dilation(upper_print)
    outline = np.where(ahead, (upper_print | lower_print) & near_upper, upper_print & lower_print)
    outline = ndimage.binary_closing(np.pad(outline, 8), iterations=3)[8:-8, 8:-8]
    outline = ndimage.binary_opening(ndimage.binary_fill_holes(outline), iterations=2)
    columns = np.stack(np.broadcast_arrays(np.zeros((1, 1)), u, v), axis=-1)
    bottom = np.minimum(_spread(bottom, upper_print), above.lower_endplate.s_at(columns) + _ENDPLATE_PLAY)
    top = np.maximum(_spread(top, lower_print), below.upper_endplate.s_at(columns) - _ENDPLATE_PLAY)
    disc[inside] = outline & (row[:, None, None] > top) & (row[:, None, None] < bottom)
    return disc


def _spread(values: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[Any]:
    """Values outside ``known`` from the nearest known column."""
    index = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(values[index[0], index[1]])


def _foramen_nodes(
    bony: BonySpine,
    front: NDArray[np.bool_],
    rows: slice,
    upper: Vertebra,
    lower: Vertebra,
    side: str,
    sign: int,
    criteria: SpineCriteria,
) -> NDArray[np.bool_] | None:
    """Nodes of some rows between the two pedicles of one side, behind body and disc, in front of the facet joint.

    A mask's rim is as sure as a voxel: what lies free right under the upper pedicle, or over the lower one, is foramen.
    """
    above, below = upper.pedicles.get(side), lower.pedicles.get(side)
    if above is None or below is None or above.s_bottom_mm <= below.s_top_mm:
        return None
    lattice, bone, posterior_wall = bony.lattice, bony.bone, bony.posterior_wall_u_mm
    u, v = lattice.sections()
    u, across = u[0], (sign * v)[0, 0]
    nodes = np.zeros(front.shape, bool)
    first, last = int(np.ceil(below.s_top_mm)), int(np.floor(above.s_bottom_mm))
    play = int(criteria.foramen_play_mm / lattice.step_mm)
    for row in range(max(first - play, rows.start), min(last + 1 + play, rows.stop)):
        share = np.clip((row - below.s_top_mm) / (above.s_bottom_mm - below.s_top_mm), 0.0, 1.0)
        medial = below.medial_mm + share * (above.medial_mm - below.medial_mm)
        lateral = below.lateral_mm + share * (above.lateral_mm - below.lateral_mm)
        columns, wall = (across >= medial - 0.5) & (across <= lateral + 0.5), float(posterior_wall[row])
        start = _behind_front(front[row - rows.start][:, columns], u, wall)
        behind = (u > start) & (u <= wall + criteria.foramen_depth_mm)
        facet = behind & (bone[row][:, columns] > 0) & (u > wall + 3.0)
        stop = np.where(facet.any(axis=0), u[facet.argmax(axis=0), 0], np.inf)
        nodes[row - rows.start][:, columns] = behind & (u < stop)
    _drop_what_bone_parts(nodes, bone[rows] > 0, first - rows.start, last - rows.start)
    return nodes


def _drop_what_bone_parts(nodes: NDArray[np.bool_], bone: NDArray[np.bool_], first: int, last: int) -> None:
    """Leave out what bone parts from the rows ``first`` to ``last``, column by column (in place).

    Where none of those is seen, nothing is left.
    """
    if first >= len(nodes) or last < 0:
        nodes[:] = False
        return
    for start, stop, step in ((last + 1, len(nodes), 1), (first - 1, -1, -1)):
        for row in range(start, stop, step):
            nodes[row] &= nodes[row - step] & ~bone[row - step]


def _behind_front(front: NDArray[np.bool_], u: FloatArray, wall_u: float) -> FloatArray:
    """For each column of ``(U, V)``, u ``(U, 1)`` of the rear surface of body and disc, not 12 mm before the wall."""
    before = front & (u <= wall_u + 1.0)
    known = np.flatnonzero(before.any(axis=0))
    if not len(known):
        return np.full(front.shape[1], wall_u)
    rear = len(u) - 1 - before[::-1].argmax(axis=0)
    starts = np.interp(np.arange(front.shape[1]), known, u[rear[known], 0])
    return np.asarray(np.clip(starts, wall_u - 12.0, wall_u + 1.0), dtype=np.float64)
