"""Each part of leaked cement measured: level of origin, where it lies, side, canal and foramen taken."""

from __future__ import annotations

import numpy as np
from scipy import spatial

from leakseg.anatomy import Place, SpineAnatomy, SpineMasks, Vertebra, VertebraLevel
from leakseg.criteria import LeakCriteria
from leakseg.findings import Side
from leakseg.geometry import FloatArray
from leakseg.pieces import INSIDE, CementMap, CementPart, PartMeasures
from leakseg.reach import block_of, start_of, widened
from leakseg.volume import Volume

_SECTION_MM = 2.0


def measure_part(
    part: CementPart,
    cement: CementMap,
    spine: SpineAnatomy,
    masks: SpineMasks,
    volume: Volume,
    treated: tuple[VertebraLevel, ...],
    criteria: LeakCriteria,
) -> PartMeasures:
    """Everything the report says of one part, its class apart."""
    points, weight = _cement_points(part, cement)
    suv = spine.axis.to_canal(points)
    centroid = np.average(points, axis=0, weights=weight)
    contact, closest = _contact(part, cement, masks, treated)
    level = _level_of_origin(part, cement, spine, masks, treated, closest)
    segment_vertebra = _nearest_by_height(spine, float(np.average(suv[:, 0], weights=weight)))
    segment, root = segment_vertebra.level.value, None
    if part.place in (Place.FORAMEN, Place.DISC) and part.gap:
        upper, lower = spine.gaps[part.gap - 1]
        segment = f"{upper.value}/{lower.value}"
        root = exiting_root(upper, lower) if part.place == Place.FORAMEN else None
    core = cement.grid.to_patient(part.index)
    extent = np.ptp(core, axis=0) + np.abs(cement.grid.affine[:3, :3]).max(axis=1)
    in_canal = part.place == Place.CANAL
    return PartMeasures(
        level=level,
        segment=segment,
        exiting_root=root,
        side=_side(suv, weight, in_canal, spine, criteria),
        centroid_mm=(float(centroid[0]), float(centroid[1]), float(centroid[2])),
        extent_mm=(float(extent[0]), float(extent[1]), float(extent[2])),
        mean_hu=float(volume.hu[cement.window][tuple(part.index.T)].mean()),
        canal_encroachment_fraction=float(encroachment(suv, weight, spine, _section_mm(cement)).max())
        if in_canal
        else None,
        max_sagittal_diameter_mm=_sagittal_diameter(part, cement, spine) if in_canal else None,
        foraminal_occupation_fraction=_occupation(part, suv, weight, spine),
        distance_to_canal_mm=_distance_to_canal(part, cement, spine),
        contact_mm3=contact,
    )


def exiting_root(upper: VertebraLevel, lower: VertebraLevel) -> str:
    """The root that leaves between two neighbouring vertebrae.

    Thoracic and lumbar roots leave below the pedicle of the same number, cervical ones above; C8 leaves
    between C7 and T1.
    """
    if upper.value.startswith("C"):
        return "C8" if upper == VertebraLevel.C7 else lower.value
    return upper.value


def encroachment(
    suv: FloatArray, weight_mm3: FloatArray, spine: SpineAnatomy, section_mm: float = _SECTION_MM
) -> FloatArray:
    """``(S,)`` share of the bony canal taken by cement, over the sections square to the canal.

    Each section is a slab, at least as thick as a slice: cement volume over canal volume in it. Sections
    beyond the masks count as zero: the canal is not seen there.
    """
    rows = spine.lattice.shape[0]
    inside = spine.near_canal(suv, 1.0)
    height = np.clip(np.rint(suv[inside, 0]).astype(int), 0, rows - 1)
    area = np.bincount(height, weights=weight_mm3[inside], minlength=rows)[:rows]
    canal = spine.canal.sum(axis=(1, 2)) * spine.lattice.step_mm**2
    reach = int(np.ceil(section_mm / 2))
    window = np.ones(2 * reach + 1)
    window[[0, -1]] = section_mm / 2 - reach + 0.5
    window /= window.sum()
    taken = np.convolve(area, window, mode="same") / np.maximum(np.convolve(canal, window, mode="same"), 1.0)
    return np.asarray(np.clip(np.where(spine.wall.certain, taken, 0.0), 0.0, 1.0), dtype=np.float64)


def cement_in_canal(
    parts: tuple[CementPart, ...], cement: CementMap, spine: SpineAnatomy
) -> dict[VertebraLevel, float]:
    """Canal encroachment of each level, all its leaks together; 0 where the canal is free."""
    taken = np.zeros(spine.lattice.shape[0])
    canal_parts = [part for part in parts if part.place == Place.CANAL]
    if canal_parts:
        clouds = [_cement_points(part, cement) for part in canal_parts]
        points = np.vstack([cloud[0] for cloud in clouds])
        weight = np.concatenate([cloud[1] for cloud in clouds])
        taken = encroachment(spine.axis.to_canal(points), weight, spine, _section_mm(cement))
    nearest = [_nearest_by_height(spine, float(row)).level for row in range(len(taken))]
    result = {}
    for vertebra in spine.vertebrae:
        rows = [row for row, level in enumerate(nearest) if level == vertebra.level and spine.wall.certain[row]]
        if rows:
            result[vertebra.level] = float(taken[rows].max())
    return result


def _section_mm(cement: CementMap) -> float:
    return max(_SECTION_MM, *cement.grid.spacing_mm)


def _cement_points(part: CementPart, cement: CementMap) -> tuple[FloatArray, FloatArray]:
    """Patient points of the part and its rim, and the cement volume that each stands for."""
    index = np.vstack([part.index, part.rim_index])
    weight = cement.fraction[tuple(index.T)].astype(np.float64) * cement.grid.voxel_volume_mm3
    keep = weight > 0
    return cement.grid.to_patient(index[keep]), weight[keep]


def _contact(
    part: CementPart,
    cement: CementMap,
    masks: SpineMasks,
    treated: tuple[VertebraLevel, ...],
) -> tuple[dict[VertebraLevel, float], dict[VertebraLevel, float]]:
    """Inner cement of treated vertebrae within reach of the piece, mm3 by level; and of it what lies closest."""
    spacing, contact_mm = np.array(cement.grid.spacing_mm), cement.contact_mm
    box = widened(block_of(part.piece), cement.grid.shape, contact_mm, cement.grid.spacing_mm)
    inner = np.argwhere(cement.labels[box] == INSIDE) + start_of(box)
    if len(inner) == 0:
        return {}, {}
    distance, _ = spatial.cKDTree(part.piece * spacing).query(
        inner * spacing, distance_upper_bound=contact_mm + spacing.max()
    )
    level_numbers = masks.vertebrae[cement.window][tuple(inner.T)]

    def within(reach_mm: float) -> dict[VertebraLevel, float]:
        counts = np.bincount(level_numbers[distance <= reach_mm], minlength=64) * cement.grid.voxel_volume_mm3
        return {level: float(counts[level.number]) for level in treated if counts[level.number] > 0}

    contact = within(contact_mm + 0.5 * float(spacing.min()))
    of_treated = distance[np.isin(level_numbers, [level.number for level in contact])]
    return contact, within(float(of_treated.min() + spacing.max())) if contact else {}


def _level_of_origin(
    part: CementPart,
    cement: CementMap,
    spine: SpineAnatomy,
    masks: SpineMasks,
    treated: tuple[VertebraLevel, ...],
    closest: dict[VertebraLevel, float],
) -> VertebraLevel:
    """The treated vertebra whose inner cement the piece touches most, else the nearest treated vertebra.

    Where it touches, it touches closely: cement of a neighbour a few millimetres away is no contact.
    """
    if closest:
        return max(closest, key=lambda level: closest[level])
    candidates = treated or tuple(vertebra.level for vertebra in spine.vertebrae)
    points = cement.grid.to_patient(part.index[:: max(1, len(part.index) // 500)])
    nearest, best = candidates[0], np.inf
    for level in candidates:
        window = masks.windows.get(level)
        if window is None:
            continue
        bone = np.argwhere(masks.vertebrae[window] == level.number)
        distance, _ = spatial.cKDTree(masks.grid.crop(window).to_patient(bone)).query(points)
        if float(distance.mean()) < best:
            nearest, best = level, float(distance.mean())
    return nearest


def _nearest_by_height(spine: SpineAnatomy, s_mm: float) -> Vertebra:
    return min(spine.vertebrae, key=lambda vertebra: abs(vertebra.s_middle_mm - s_mm))


def _side(
    suv: FloatArray,
    weight: FloatArray,
    in_canal: bool,
    spine: SpineAnatomy,
    criteria: LeakCriteria,
) -> Side:
    """Left or right of the midline of the canal (for leaks in it) or of the bodies."""
    across = suv[:, 2] - (0.0 if in_canal else _middle_of_bodies(suv[:, 0], spine))
    left = float(weight[across > 0].sum() / weight.sum())
    if left >= criteria.side_share:
        return Side.LEFT
    if left <= 1 - criteria.side_share:
        return Side.RIGHT
    if in_canal:
        rows = np.clip(np.rint(suv[:, 0]).astype(int), 0, len(spine.canal_half_width_mm) - 1)
        third = spine.canal_half_width_mm[rows] / 3
        lateral = [float(weight[sign * suv[:, 2] > third].sum() / weight.sum()) for sign in (1, -1)]
        if min(lateral) >= criteria.bilateral_share:
            return Side.BILATERAL
    return Side.MIDLINE


def _middle_of_bodies(s_mm: FloatArray, spine: SpineAnatomy) -> FloatArray:
    """Where the bodies' midline lies across at each height; it runs straight from one body's centre to the next."""
    upward = sorted(spine.vertebrae, key=lambda vertebra: vertebra.s_middle_mm)
    heights = [vertebra.s_middle_mm for vertebra in upward]
    return np.interp(s_mm, heights, [vertebra.body_centre_suv_mm[2] for vertebra in upward])


def _sagittal_diameter(part: CementPart, cement: CementMap, spine: SpineAnatomy) -> float | None:
    """Largest front-to-back extent of the part in a section of the canal."""
    suv = spine.axis.to_canal(cement.grid.to_patient(part.index))
    voxel = float(np.abs(cement.grid.affine[:3, :3].T @ spine.axis.posterior[len(spine.axis.posterior) // 2]).max())
    sections = np.rint(suv[:, 0] / max(_SECTION_MM, cement.grid.spacing_mm[0])).astype(int)
    extents = [float(np.ptp(suv[sections == section, 1])) for section in np.unique(sections)]
    return max(extents) + voxel


def _occupation(part: CementPart, suv: FloatArray, weight: FloatArray, spine: SpineAnatomy) -> float | None:
    if part.place != Place.FORAMEN or not part.gap:
        return None
    side = "left" if float(np.average(suv[:, 2], weights=weight)) > 0 else "right"
    volume = spine.foramen_volume_mm3.get((part.gap - 1, side))
    return None if not volume else float(min(1.0, weight.sum() / volume))


def _distance_to_canal(part: CementPart, cement: CementMap, spine: SpineAnatomy) -> float | None:
    """Shortest distance to the canal's border, 0 inside; None where the part lies beyond the lattice."""
    suv = spine.axis.to_canal(cement.grid.to_patient(part.index))
    distance = spine.lattice.shortest_way_mm(spine.canal, suv)
    return (
        None if not np.isfinite(distance) else max(0.0, distance - spine.lattice.step_mm / 2) if distance > 0 else 0.0
    )
