"""What classifiers see of a part: its shape, its course round the vertebra, and where it left the bone.

Every value is a plain number with its unit in the name; None where it cannot be measured. Heights are
fractions of the vertebra's body (0 lower, 1 upper endplate); angles run round the body's centre from 0
(in front) over 90 (beside) to 180 degrees (behind).
"""

from __future__ import annotations

import edt
import numpy as np
from scipy import sparse, spatial
from scipy.sparse import csgraph

from leakseg.anatomy import Place, SpineAnatomy, SpineMasks, Vertebra
from leakseg.geometry import FloatArray
from leakseg.pieces import INSIDE, CementMap, CementPart, PartMeasures
from leakseg.reach import block_of, start_of, widened

_CELL_MM = 1.5
_WAIST = 0.12
_ROOMS_MM = (5.0, 20.0)
"""Rooms round a part in which the nearest bone is looked for."""

Features = dict[str, float | None]


def describe_part(
    part: CementPart,
    measures: PartMeasures,
    cement: CementMap,
    spine: SpineAnatomy,
    masks: SpineMasks,
) -> Features:
    """All features of one part, by name."""
    points = cement.grid.to_patient(part.index)
    suv = spine.axis.to_canal(points)
    origin = spine.vertebra(measures.level)
    beside = _vertebra_at(spine, float(suv[:, 0].mean()))
    exit_points = _exit(part, cement, masks, measures)
    features: Features = {
        "volume_mm3": part.volume_mm3,
        "mean_hu": measures.mean_hu,
        "coarsest_spacing_mm": max(cement.grid.spacing_mm),
    }
    features |= _shape(points, suv, part, cement)
    features |= _course(suv, beside, origin, spine)
    features |= _canal_share(suv, spine)
    features |= _place_shares(suv, spine)
    features |= _bone_gap(part, cement, masks)
    features |= _beside_pedicle(suv, beside)
    features |= _exit_features(exit_points, origin, spine, cement)
    features["exit_breadth_ratio"] = _exit_breadth(features)
    features["distance_to_canal_mm"] = measures.distance_to_canal_mm
    return features


def _vertebra_at(spine: SpineAnatomy, s_mm: float) -> Vertebra:
    return min(spine.vertebrae, key=lambda vertebra: abs(vertebra.s_middle_mm - s_mm))


def _shape(points: FloatArray, suv: FloatArray, part: CementPart, cement: CementMap) -> Features:
    """Length along the part's own course, and the width of a tube of that length and volume.

    Thick voxels leave of a thin strand a few that are mostly cement: it is no shorter than its cement is spread.
    """
    voxel = float(np.cbrt(cement.grid.voxel_volume_mm3))
    length = _path_length(points, max(_CELL_MM, 1.05 * max(cement.grid.spacing_mm))) + voxel
    length = max(length, _spread_length_mm(part, cement))
    width = 2.0 * float(np.sqrt(part.volume_mm3 / (np.pi * length)))
    spans = np.ptp(suv, axis=0) + voxel
    return {
        "length_mm": length,
        "width_mm": width,
        "elongation": length / width,
        "thickness_mm": _thickness(part, cement),
        "span_lengthwise_mm": float(spans[0]),
        "span_sagittal_mm": float(spans[1]),
        "span_across_mm": float(spans[2]),
        "lengthwise_fraction": float(min(1.0, spans[0] / length)),
    }


def _path_length(points: FloatArray, cell_mm: float) -> float:
    """Longest shortest path through the cloud of points, mm."""
    cells, inverse = np.unique(np.floor(points / cell_mm).astype(int), axis=0, return_inverse=True)
    inverse = inverse.ravel()
    counts = np.bincount(inverse)[:, None]
    centres = np.stack([np.bincount(inverse, weights=points[:, axis]) for axis in range(3)], axis=1) / counts
    if len(centres) < 2:
        return 0.0
    pairs = spatial.cKDTree(cells).query_pairs(1.8, output_type="ndarray").astype(np.int32)  # as graphs are asked for
    steps = np.linalg.norm(centres[pairs[:, 0]] - centres[pairs[:, 1]], axis=1)
    graph = sparse.coo_array(
        (np.maximum(steps, 1e-6), (pairs[:, 0], pairs[:, 1])), shape=(len(cells), len(cells))
    ).tocsr()
    _, cluster = csgraph.connected_components(graph, directed=False)
    in_largest = cluster == np.argmax(np.bincount(cluster))
    start = int(np.argmax(np.where(in_largest, np.linalg.norm(centres - centres.mean(axis=0), axis=1), -1)))
    first = csgraph.dijkstra(graph, directed=False, indices=start)
    first[~np.isfinite(first)] = -1
    second = csgraph.dijkstra(graph, directed=False, indices=int(np.argmax(first)))
    return float(second[np.isfinite(second)].max())


def _spread_length_mm(part: CementPart, cement: CementMap) -> float:
    """Length of the straight rod that is spread as the part's cement with its rim is.

    The voxels' own spread is taken off it, and as much again for the blur between them.
    """
    index = np.vstack([part.index, part.rim_index])
    weight = cement.fraction[tuple(index.T)].astype(np.float64)
    if weight.sum() <= 0:
        return 0.0
    steps = cement.grid.affine[:3, :3]
    spread = np.cov(index @ steps.T, rowvar=False, aweights=weight, ddof=0) - steps @ steps.T / 6
    return float(np.sqrt(12 * max(0.0, np.linalg.eigvalsh(spread)[-1])))


def _thickness(part: CementPart, cement: CementMap) -> float:
    """Diameter of the largest ball inside the part."""
    low = part.index.min(axis=0)
    own = np.zeros(part.index.max(axis=0) - low + 3, bool)
    own[tuple((part.index - low + 1).T)] = True
    return float(2 * edt.edt(own, anisotropy=cement.grid.spacing_mm).max() - np.cbrt(cement.grid.voxel_volume_mm3))


def _course(suv: FloatArray, beside: Vertebra, origin: Vertebra, spine: SpineAnatomy) -> Features:
    """Where the part runs, seen from the vertebra it lies beside."""
    centre = np.array(beside.body_centre_suv_mm)
    behind = spine.behind_wall_mm(suv)
    across = np.abs(suv[:, 2] - centre[2])
    angle = np.degrees(np.arctan2(across, centre[1] - suv[:, 1]))
    height = beside.height_fraction(suv)
    from_origin = origin.height_fraction(suv)
    ellipse = np.hypot(
        (suv[:, 2] - centre[2]) / beside.body_half_width_mm, (suv[:, 1] - centre[1]) / (beside.body_depth_mm / 2)
    )
    lateral = [pedicle.lateral_mm for pedicle in beside.pedicles.values()]
    return {
        "height_fraction": float(height.mean()),
        "height_at_origin_fraction": float(from_origin.mean()),
        "waist_fraction": float(((height > _WAIST) & (height < 1 - _WAIST)).mean()),
        "behind_wall_mm": float(behind.mean()),
        "behind_wall_fraction": float((behind > 0).mean()),
        "beside_mm": float(across.mean()),
        "body_angle_deg": float(np.median(angle)),
        "body_radius_ratio": float(np.median(ellipse)),
        "body_radius_ratio_max": float(np.percentile(ellipse, 95)),
        "lateral_of_pedicle_fraction": float((across > np.mean(lateral)).mean()) if lateral else None,
    }


def _beside_pedicle(suv: FloatArray, beside: Vertebra) -> Features:
    """Where the part lies against the pedicle of its own side."""
    pedicle = beside.pedicles.get("left" if float(np.median(suv[:, 2])) > 0 else "right")
    if pedicle is None:
        return {"pedicle_height_share": None, "medial_of_pedicle_share": None}
    high = (suv[:, 0] >= pedicle.s_bottom_mm) & (suv[:, 0] <= pedicle.s_top_mm)
    medial = np.abs(suv[:, 2]) < pedicle.medial_mm
    return {"pedicle_height_share": float(high.mean()), "medial_of_pedicle_share": float(medial.mean())}


def _exit_breadth(features: Features) -> float | None:
    """Diameter of the exit as a multiple of the part's width: a defect is broader than the strand behind it."""
    area, width = features["exit_area_mm2"], features["width_mm"]
    return None if area is None or not width else 2.0 * float(np.sqrt(area / np.pi)) / width


def _canal_share(suv: FloatArray, spine: SpineAnatomy) -> Features:
    """How the part lies across the canal."""
    rows = np.clip(np.rint(suv[:, 0]).astype(int), 0, len(spine.canal_half_width_mm) - 1)
    third = spine.canal_half_width_mm[rows] / 3
    return {
        "middle_third_fraction": float((np.abs(suv[:, 2]) <= third).mean()),
        "left_third_fraction": float((suv[:, 2] > third).mean()),
        "right_third_fraction": float((suv[:, 2] < -third).mean()),
        "lateral_third_fraction": float(max((suv[:, 2] > third).mean(), (suv[:, 2] < -third).mean())),
        "front_half_fraction": float((suv[:, 1] < 0).mean()),
    }


def _place_shares(suv: FloatArray, spine: SpineAnatomy) -> Features:
    """Share of the part in each place as geometry alone gives it."""
    place = spine.lattice.lookup(spine.place, suv)
    names = {Place.CANAL: "canal", Place.FORAMEN: "foramen", Place.DISC: "disc", Place.OUTSIDE: "outside"}
    return {f"{name}_fraction": float((place == number).mean()) for number, name in names.items()}


def _bone_gap(part: CementPart, cement: CementMap, masks: SpineMasks) -> Features:
    """Distance of the part's voxels to the nearest bone."""
    for room_mm in _ROOMS_MM:
        box = widened(block_of(part.index), cement.grid.shape, room_mm, cement.grid.spacing_mm, spare=0)
        free = masks.vertebrae[cement.window][box] == 0
        if free.all():
            continue
        distance = edt.edt(free, anisotropy=cement.grid.spacing_mm, black_border=False)
        distance = distance[tuple((part.index - start_of(box)).T)]
        if distance.max() <= room_mm or room_mm == _ROOMS_MM[-1]:  # no bone beyond the room is nearer
            return {"bone_gap_mm": float(np.median(distance)), "bone_gap_max_mm": float(np.percentile(distance, 95))}
    return {"bone_gap_mm": None, "bone_gap_max_mm": None}


def _exit(
    part: CementPart,
    cement: CementMap,
    masks: SpineMasks,
    measures: PartMeasures,
) -> FloatArray:
    """Patient points of the piece's voxels where it leaves the bone of its vertebra of origin."""
    if measures.level not in measures.contact_mm3:
        return np.empty((0, 3))
    spacing = np.array(cement.grid.spacing_mm)
    box = widened(block_of(part.piece), cement.grid.shape, cement.contact_mm, cement.grid.spacing_mm)
    own = masks.vertebrae[cement.window][box] == measures.level.number
    inner = np.argwhere((cement.labels[box] == INSIDE) & own) + start_of(box)
    distance, _ = spatial.cKDTree(inner * spacing).query(part.piece * spacing)
    nearest = max(float(distance.min()) + 0.6 * float(spacing.min()), 1.01 * float(spacing.max()))
    return cement.grid.to_patient(part.piece[distance <= min(nearest, cement.contact_mm + 0.5 * float(spacing.min()))])


def _exit_features(points: FloatArray, origin: Vertebra, spine: SpineAnatomy, cement: CementMap) -> Features:
    names = (
        "exit_voxels",
        "exit_area_mm2",
        "exit_height_fraction",
        "exit_endplate_mm",
        "exit_behind_wall_mm",
        "exit_beside_mm",
        "exit_angle_deg",
        "exit_radius_ratio",
        "exit_pedicle_height_fraction",
        "exit_medial_of_pedicle_mm",
        "exit_lateral_of_pedicle_mm",
    )
    if len(points) == 0:
        return dict.fromkeys(names)
    suv = spine.axis.to_canal(points)
    middle = np.median(suv, axis=0)
    centre = np.array(origin.body_centre_suv_mm)
    row = int(np.clip(np.rint(middle[0]), 0, len(spine.posterior_wall_u_mm) - 1))
    side = "left" if middle[2] > 0 else "right"
    pedicle = origin.pedicles.get(side)
    across = float(np.abs(middle[2]))
    values = (
        float(len(points)),
        _exit_area_mm2(points, cement),
        float(origin.height_fraction(middle)),
        float(min(middle[0] - origin.lower_endplate.s_at(middle), origin.upper_endplate.s_at(middle) - middle[0])),
        float(middle[1] - spine.posterior_wall_u_mm[row]),
        float(np.abs(middle[2] - centre[2])),
        float(np.degrees(np.arctan2(np.abs(middle[2] - centre[2]), centre[1] - middle[1]))),
        float(
            np.hypot(
                (middle[2] - centre[2]) / origin.body_half_width_mm,
                (middle[1] - centre[1]) / (origin.body_depth_mm / 2),
            )
        ),
        float((middle[0] - pedicle.s_bottom_mm) / (pedicle.s_top_mm - pedicle.s_bottom_mm)) if pedicle else None,
        pedicle.medial_mm - across if pedicle else None,
        across - pedicle.lateral_mm if pedicle else None,
    )
    return dict(zip(names, values, strict=True))


def _exit_area_mm2(points: FloatArray, cement: CementMap) -> float:
    """The smaller of what an exit's voxels cover, each with one face, and of the ellipse that they spread over.

    Between thick slices several voxels lie one behind the other, which covers too much; two exits far apart
    spread too far.
    """
    steps = cement.grid.affine[:3, :3]
    spread = np.linalg.eigvalsh(np.cov(points.T, bias=True) + steps @ steps.T / 12)
    ellipse = float(4 * np.pi * np.sqrt(spread[2] * spread[1]))
    covered = float(len(points) * cement.grid.voxel_volume_mm3 ** (2 / 3))
    return min(covered, ellipse)
