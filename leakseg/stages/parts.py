"""Cement outside bone, cut by place: which connected pieces there are, and which part of each lies where."""

from __future__ import annotations

import cc3d
import edt
import numpy as np
from numpy.typing import NDArray
from scipy import spatial

from leakseg.anatomy import Place, SpineAnatomy
from leakseg.balls import grown_by
from leakseg.criteria import LeakCriteria
from leakseg.geometry import FloatArray, voxels_of
from leakseg.pieces import INSIDE, OUTSIDE, CementMap, CementPart
from leakseg.reach import grown, widened, window_round

_PLACE_FACTOR = 256
_ROOMS_MM = (15.0, 10_000.0)
"""Rooms round the cement in which borders are looked for."""


def split_by_place(cement: CementMap, spine: SpineAnatomy, criteria: LeakCriteria) -> tuple[CementPart, ...]:
    """Every part of cement outside bone that is large enough to be a leak, in order from the head down.

    One connected piece that reaches into two places gives two parts, where each holds the minimum volume
    and reaches far enough across the border; a smaller part goes with the larger one.
    """
    outside = cement.labels == OUTSIDE
    if not outside.any():
        return ()
    components = cc3d.connected_components((cement.labels == INSIDE) | outside, connectivity=26)
    index = voxels_of(outside)
    suv = spine.axis.to_canal(cement.grid.to_patient(index))
    territory = _territory(spine, suv)
    reach, open_foramina = _reach(spine, suv), _open_foramina(spine)
    rim, rim_owner = _rim(cement, index)
    weight = _weights(cement, index, rim, rim_owner)
    found = []
    for members in _pieces(cement, outside, index, criteria):
        own = territory[members].copy()
        _settle(own, reach[members], weight[members], open_foramina, criteria)
        for code in np.unique(own):
            part = members[own == code]
            volume = float(weight[part].sum())
            if volume < criteria.min_leak_volume_mm3:
                continue
            own_rim = rim[np.isin(rim_owner, part)]
            found.append(
                CementPart(
                    component=_component(components, index[part]),
                    place=int(code) // _PLACE_FACTOR,
                    gap=int(code) % _PLACE_FACTOR,
                    index=index[part],
                    rim_index=own_rim,
                    piece=index[members],
                    volume_mm3=volume,
                )
            )
    return tuple(
        sorted(found, key=lambda part: (-part.index[:, 0].mean(), part.index[:, 1].mean(), part.index[:, 2].mean()))
    )


def _territory(spine: SpineAnatomy, suv: FloatArray) -> NDArray[np.int32]:
    """Place and motion segment of each point as one number."""
    place = spine.lattice.lookup(spine.place, suv).astype(np.int32)
    gap = spine.lattice.lookup(spine.gap, suv).astype(np.int32)
    return np.asarray(place * _PLACE_FACTOR + np.where(place == Place.CANAL, 0, gap), dtype=np.int32)


def _reach(spine: SpineAnatomy, suv: FloatArray) -> NDArray[np.float32]:
    """How far each point lies from the border of its place."""
    step = (spine.lattice.step_mm,) * 3
    distance = np.zeros(spine.place.shape, np.float32)
    nodes = np.clip(np.rint(spine.lattice.to_index(suv)), 0, np.array(distance.shape) - 1).astype(np.int64)
    own = tuple(slice(low, high + 1) for low, high in zip(nodes.min(axis=0), nodes.max(axis=0), strict=True))
    for room_mm in _ROOMS_MM:
        room = widened(own, distance.shape, room_mm, step)
        codes = spine.place[room].astype(np.uint16) * _PLACE_FACTOR + spine.gap[room] + 1
        distance[room] = edt.edt(codes, anisotropy=step, black_border=False)
        if distance[tuple(nodes.T)].max() <= room_mm:  # no border beyond the room is nearer
            break
    return spine.lattice.lookup(distance, suv, outside=99.0)


def _rim(cement: CementMap, index: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Voxels round the pieces that hold some of their cement, and for each the nearest voxel of a piece."""
    rim = voxels_of((cement.labels == 0) & (cement.fraction > 0))
    if len(rim) == 0:
        return rim, np.empty(0, np.int64)
    spacing = np.array(cement.grid.spacing_mm)
    _, owner = spatial.cKDTree(index * spacing).query(rim * spacing)
    return rim, np.asarray(owner, dtype=np.int64)


def _weights(
    cement: CementMap, index: NDArray[np.int64], rim: NDArray[np.int64], owner: NDArray[np.int64]
) -> FloatArray:
    """Volume in mm3 that each voxel of a piece stands for, its share of the rim included."""
    voxel = cement.grid.voxel_volume_mm3
    weight = cement.fraction[tuple(index.T)].astype(np.float64)
    np.add.at(weight, owner, cement.fraction[tuple(rim.T)])
    return np.asarray(weight * voxel, dtype=np.float64)


def _joined(cement: CementMap, outside: NDArray[np.bool_], criteria: LeakCriteria) -> list[NDArray[np.int64]]:
    """Voxels of each piece, by their position in `numpy.argwhere`; pieces with a small gap are taken together.

    So are pieces of so few voxels that they show no shape where a trail of fainter voxels joins them.
    """
    spacing_mm = cement.grid.spacing_mm
    join_mm = max(criteria.join_mm, *spacing_mm)
    box = window_round(outside, 0.0, spacing_mm)
    assert box is not None
    own = outside[box]
    near = grown_by(own, join_mm / 2, spacing_mm)
    groups = cc3d.connected_components(near, connectivity=26).astype(np.int64)
    few = (np.bincount(groups[own]) <= criteria.trail_max_voxels)[groups] & near
    trail = few | ((cement.labels[box] == 0) & (cement.fraction[box] >= criteria.trail_fraction))
    by_trail = cc3d.connected_components(trail, connectivity=26) + groups.max()
    numbers = np.where(few, by_trail, groups)[own]
    return [np.flatnonzero(numbers == number) for number in np.unique(numbers)]


def _pieces(
    cement: CementMap, outside: NDArray[np.bool_], index: NDArray[np.int64], criteria: LeakCriteria
) -> list[NDArray[np.int64]]:
    """Voxels of each piece, by their position in `numpy.argwhere`.

    Pieces with a small gap are taken together, but not such as left the bone by exits of their own: two veins may
    run side by side.
    """
    spacing = np.array(cement.grid.spacing_mm)
    leaving = grown(cement.labels == INSIDE, 1)[tuple(index.T)]
    connected = cc3d.connected_components(outside, connectivity=26)[tuple(index.T)]
    least = criteria.min_leak_volume_mm3 / cement.grid.voxel_volume_mm3
    found = []
    for members in _joined(cement, outside, criteria):
        own = connected[members]
        numbers, counts = np.unique(own, return_counts=True)
        roots = [number for number in numbers[counts >= least] if leaving[members[own == number]].any()]
        exits = np.array([(index[members[(own == root) & leaving[members]]] * spacing).mean(axis=0) for root in roots])
        if len(roots) < 2 or spatial.distance.pdist(exits).min() < criteria.exits_apart_mm:
            found.append(members)
            continue
        of_root = np.isin(own, roots)
        points = index[members] * spacing
        _, nearest = spatial.cKDTree(points[of_root]).query(points)
        belongs = own[of_root][nearest]
        found.extend(members[belongs == root] for root in roots)
    return found


def _open_foramina(spine: SpineAnatomy) -> set[int]:
    """The numbers, as `_territory` has them, of foramina beyond the ends of the masks."""
    seen = {vertebra.level for vertebra in spine.vertebrae}
    gaps = (number for number, levels in enumerate(spine.gaps, start=1) if not seen.issuperset(levels))
    return {Place.FORAMEN * _PLACE_FACTOR + number for number in gaps}


def _settle(
    territory: NDArray[np.int32],
    reach: NDArray[np.float32],
    weight: FloatArray,
    open_foramina: set[int],
    criteria: LeakCriteria,
) -> None:
    """Give parts too small, or that hardly cross a border, to the largest part of their piece (in place).

    So is what lies beside the larger part in a foramen beyond the masks' end: some of its borders are seen by no one.
    """
    codes = np.unique(territory)
    volume = {int(code): float(weight[territory == code].sum()) for code in codes}
    largest = max(volume, key=lambda code: (volume[code], -code))
    for code in codes:
        own = territory == code
        crosses = float(np.percentile(reach[own], 95)) >= criteria.min_reach_mm
        crosses &= not (largest in open_foramina and code // _PLACE_FACTOR == Place.OUTSIDE)
        if code != largest and (volume[int(code)] < criteria.min_leak_volume_mm3 or not crosses):
            territory[own] = largest


def _component(components: NDArray[np.integer], index: NDArray[np.int64]) -> int:
    """Number of the connected piece of cement that most of these voxels belong to."""
    numbers = components[tuple(index.T)]
    return int(np.bincount(numbers).argmax())
