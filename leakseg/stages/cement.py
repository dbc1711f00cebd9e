"""Cement by Hounsfield thresholding, with the threshold taken from the scan itself.

No published HU separates vertebral PMMA from cortex, so the scan's own densities decide: cancellous bone
and soft tissue on one side, the cement's plateau (seen deep inside the bodies, where no cortex lies) on
the other. Near bone surfaces the cortex of untreated vertebrae stands in for cancellous bone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cc3d
import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import Place, SpineAnatomy, SpineMasks
from leakseg.criteria import CementCriteria
from leakseg.findings import CementMap, QualityNote
from leakseg.geometry import Grid
from leakseg.volume import Volume

INSIDE, OUTSIDE, METAL = 1, 2, 3
_TOLD_MM3 = 10.0
_NO_CEMENT = "no cement found: nothing deep in a vertebra is denser than bone"


@dataclass(frozen=True)
class _Densities:
    """What the scan itself says of its tissues, HU."""

    soft: float
    cancellous: float
    cortex: float
    plateau: float

    def edge(self, background: float, share: float) -> float:
        return background + share * (self.plateau - background)


def segment_cement(volume: Volume, masks: SpineMasks, spine: SpineAnatomy, criteria: CementCriteria) -> CementMap:
    """Cement and metal in a window round the vertebrae.

    Parameters
    ----------
    volume, masks
        On the same grid.
    """
    window = _window(masks, criteria.search_margin_mm)
    grid = volume.grid.crop(window)
    hu = volume.hu[window]
    vertebrae = masks.vertebrae[window]
    bone = vertebrae > 0
    spacing = grid.spacing_mm
    depth = _distance(bone, spacing)
    soft = _soft_tissue_hu(hu, bone)
    seeds, cancellous, plateau = _seeds(hu, vertebrae, depth, grid.voxel_volume_mm3, criteria)
    if plateau is None:
        labels = np.zeros(grid.shape, np.uint8)
        return CementMap(window, grid, labels, np.zeros(grid.shape, np.float32), None, soft, None, _NO_CEMENT)
    densities = _Densities(soft, cancellous, _cortex_hu(hu, vertebrae, depth, seeds, criteria), plateau)
    metal = _metal(hu, densities, spacing, volume.series.clip_hu, criteria)
    inner = _inner_cement(hu, bone, depth, seeds, metal, densities, criteria)
    outer, doubts = _outer_cement(hu, bone, inner, metal, grid, spine, densities, criteria)
    labels = np.zeros(grid.shape, np.uint8)
    labels[inner] = INSIDE
    labels[outer] = OUTSIDE
    labels[metal] = METAL
    fraction = _fraction(hu, labels, bone, densities)
    cement = inner | outer
    clip = volume.series.clip_hu
    clipped = float((hu[cement] >= clip).mean()) if clip is not None else 0.0
    threshold = densities.edge(soft, criteria.edge_share)
    method = (
        f"half maximum between soft tissue ({soft:.0f} HU) and this scan's own cement "
        f"({plateau:.0f} HU, deep in the bodies); inside bone from cancellous bone ({cancellous:.0f} HU), "
        f"within {criteria.rim_mm:g} mm of its surface from cortex ({densities.cortex:.0f} HU)"
    )
    return CementMap(
        window,
        grid,
        labels,
        fraction,
        plateau,
        soft,
        threshold,
        method,
        contact_mm(grid, criteria),
        clipped,
        (*_notes(densities), *doubts),
    )


def contact_mm(grid: Grid, criteria: CementCriteria) -> float:
    """Gap up to which a piece touches inner cement: the rim of bone between them may be two voxels of any size."""
    return max(criteria.contact_mm, criteria.coarse_contact_voxels * max(grid.spacing_mm))


def _distance(mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> NDArray[np.float32]:
    """Distance of each voxel in the mask to the mask's surface (half a voxel before the first one outside)."""
    half_voxel = 0.5 * float(np.prod(spacing_mm)) ** (1 / 3)
    distance = edt.edt(mask, anisotropy=spacing_mm, black_border=False)
    return np.asarray(np.maximum(distance - half_voxel, 0.0), dtype=np.float32)


def _window(masks: SpineMasks, margin_mm: float) -> tuple[slice, slice, slice]:
    box = ndimage.find_objects((masks.vertebrae > 0).astype(np.uint8))[0]
    parts = []
    for part, size, step in zip(box, masks.grid.shape, masks.grid.spacing_mm, strict=True):
        reach = int(np.ceil(margin_mm / step))
        parts.append(slice(max(0, part.start - reach), min(size, part.stop + reach)))
    return (parts[0], parts[1], parts[2])


def _soft_tissue_hu(hu: NDArray[Any], bone: NDArray[np.bool_]) -> float:
    """Mode of the soft tissue between fat and contrast (-20 to 120 HU), smoothed."""
    values = hu[(hu > -40) & (hu < 140) & ~bone]
    if values.size < 100:
        return 40.0
    counts = np.bincount((values + 40).astype(np.int64), minlength=180).astype(float)
    smooth = ndimage.gaussian_filter1d(counts, 10.0)
    return float(np.argmax(smooth[20:160])) - 20.0


def _seeds(
    hu: NDArray[Any],
    vertebrae: NDArray[np.uint8],
    depth: NDArray[np.float32],
    voxel_mm3: float,
    criteria: CementCriteria,
) -> tuple[NDArray[np.bool_], float, float | None]:
    """Cement that is beyond doubt, the cancellous bone's density, and the cement's plateau."""
    deep = (vertebrae > 0) & (depth >= criteria.deep_mm)
    quartiles = [np.percentile(values, 40) for values in _by_level(hu, vertebrae, deep) if values.size >= 30]
    cancellous = float(np.clip(np.min(quartiles), -100, 600)) if quartiles else 150.0
    limit = max(criteria.min_seed_hu, cancellous + criteria.seed_above_cancellous_hu)
    dense = deep & (hu > limit)
    pieces = cc3d.connected_components(dense, connectivity=26)
    sizes = np.bincount(pieces.ravel()) * voxel_mm3
    sizes[0] = 0
    smallest = max(criteria.min_seed_volume_mm3, criteria.min_seed_voxels * voxel_mm3)
    seeds = (sizes >= smallest)[pieces]
    if not seeds.any():
        return seeds, cancellous, None
    core = ndimage.binary_erosion(seeds)
    values = hu[core] if core.sum() >= 20 else hu[seeds]
    return seeds, cancellous, float(np.percentile(values, 70))


def _by_level(hu: NDArray[Any], vertebrae: NDArray[np.uint8], where: NDArray[np.bool_]) -> list[NDArray[Any]]:
    values, levels = hu[where], vertebrae[where]
    return [values[levels == level] for level in np.unique(levels)]


def _cortex_hu(
    hu: NDArray[Any],
    vertebrae: NDArray[np.uint8],
    depth: NDArray[np.float32],
    seeds: NDArray[np.bool_],
    criteria: CementCriteria,
) -> float:
    """Density of dense cortex: from the vertebra whose rim is least touched by cement."""
    rim = (vertebrae > 0) & (depth <= criteria.rim_mm)
    seeded = np.unique(vertebrae[seeds])
    levels = [level for level in np.unique(vertebrae[rim]) if level not in seeded]
    untreated = rim & np.isin(vertebrae, levels)
    chosen = untreated if untreated.any() else rim
    return float(np.percentile(hu[chosen], criteria.cortex_percentile))


def _metal(
    hu: NDArray[Any],
    densities: _Densities,
    spacing_mm: tuple[float, float, float],
    clip_hu: float | None,
    criteria: CementCriteria,
) -> NDArray[np.bool_]:
    """Straight, long, even pieces denser than cement: screws, rods, needles (by shape, never by HU alone)."""
    ceiling = min(densities.plateau * 1.3, clip_hu if clip_hu is not None else np.inf)
    dense = hu >= max(ceiling, 2000.0)
    metal = np.zeros(hu.shape, bool)
    if not dense.any():
        return metal
    pieces = cc3d.connected_components(dense, connectivity=26)
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        if box is None:
            continue
        own = pieces[box] == number
        if own.sum() < 20:
            continue
        points = np.argwhere(own) * np.array(spacing_mm)
        points -= points.mean(axis=0)
        _, _, axes = np.linalg.svd(points[:: max(1, len(points) // 20000)], full_matrices=False)
        along = points @ axes[0]
        across = np.linalg.norm(points - along[:, None] * axes[0], axis=1)
        if np.ptp(along) >= criteria.metal_min_length_mm and np.percentile(across, 90) <= criteria.metal_max_radius_mm:
            metal[box] |= own
    if metal.any():
        halo = ndimage.binary_dilation(metal, iterations=2)
        metal = halo & (hu > densities.edge(densities.soft, criteria.edge_share))
    return metal


def _inner_cement(
    hu: NDArray[Any],
    bone: NDArray[np.bool_],
    depth: NDArray[np.float32],
    seeds: NDArray[np.bool_],
    metal: NDArray[np.bool_],
    densities: _Densities,
    criteria: CementCriteria,
) -> NDArray[np.bool_]:
    """Cement inside bone: connected to a seed, above the threshold of its depth."""
    deep = densities.edge(densities.cancellous, criteria.edge_share)
    rim = max(deep, densities.edge(densities.cortex, criteria.edge_share))
    candidate = bone & ~metal & (hu > np.where(depth > criteria.rim_mm, deep, rim))
    pieces = cc3d.connected_components(candidate, connectivity=26)
    keep = np.zeros(int(pieces.max()) + 1, bool)
    keep[np.unique(pieces[seeds & candidate])] = True
    keep[0] = False
    return np.asarray(keep[pieces])


def _outer_cement(
    hu: NDArray[Any],
    bone: NDArray[np.bool_],
    inner: NDArray[np.bool_],
    metal: NDArray[np.bool_],
    grid: Grid,
    spine: SpineAnatomy,
    densities: _Densities,
    criteria: CementCriteria,
) -> tuple[NDArray[np.bool_], tuple[QualityNote, ...]]:
    """Pieces outside every bone that are as dense as cement and stand out from the bone.

    A piece that touches inner cement is taken; one that touches none may be calcification or unlabelled
    bone, and must look the more like cement. What looks like cement but is not taken is told in a note.
    """
    spacing = grid.spacing_mm
    from_bone = _distance(~bone, spacing)
    to_inner = _distance(~inner, spacing)
    share = (hu - densities.soft) / (densities.plateau - densities.soft)
    near = from_bone <= criteria.near_bone_mm
    cortex_edge = (densities.edge(densities.cortex, criteria.edge_share) - densities.soft) / (
        densities.plateau - densities.soft
    )
    limit = np.where(near, max(cortex_edge, criteria.edge_share), criteria.strand_share)
    candidate = ~bone & ~metal & (share > limit) & (to_inner <= criteria.detached_reach_canal_mm)
    pieces = cc3d.connected_components(candidate, connectivity=26)
    hang = cc3d.connected_components((from_bone > 0.5 * min(spacing)) & (share > criteria.hang_share))
    hang_sizes = np.bincount(hang.ravel())
    coarse = float(np.cbrt(grid.voxel_volume_mm3)) >= criteria.coarse_voxel_mm
    stands_out_mm = 0.45 * float(np.cbrt(grid.voxel_volume_mm3)) if coarse else criteria.bone_edge_mm
    keep = np.zeros(int(pieces.max()) + 1, bool)
    notes = []
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        own = pieces[box] == number
        volume = float(own.sum()) * grid.voxel_volume_mm3
        if volume < 2.0 or from_bone[box][own].max() <= stands_out_mm:
            continue
        middle, dense_end = np.percentile(share[box][own], [50, 90])
        if dense_end < (criteria.coarse_core_share if coarse else criteria.min_core_share):
            continue
        around = hang[box][own]
        around = np.unique(around[around > 0])
        spread = float(hang_sizes[around].sum() / own.sum()) if len(around) else 1.0
        distance = float(to_inner[box][own].min())
        if distance <= contact_mm(grid, criteria):
            keep[number] = spread <= criteria.max_spread_touching
            continue
        index = np.argwhere(own) + [part.start for part in box]
        where = spine.lattice.lookup(spine.place, spine.axis.to_canal(grid.to_patient(index)))
        neural = float(np.isin(where, (Place.CANAL, Place.FORAMEN)).mean()) > 0.5
        dense = dense_end >= criteria.detached_core_share
        if neural:
            keep[number] = dense and spread <= criteria.max_spread_neural
            continue
        nearby = dense and distance <= criteria.detached_reach_mm and spread <= criteria.max_spread_neural
        keep[number] = (
            nearby
            and dense_end <= criteria.detached_max_core_share
            and middle >= criteria.detached_middle_share
            and spread <= criteria.max_spread
        )
        if nearby and not keep[number] and volume >= _TOLD_MM3:
            notes.append(_dense_piece(grid.to_patient(index).mean(axis=0), volume, distance))
    kept = keep[pieces]
    core = kept & (share > criteria.edge_share)
    return np.asarray(core | _thin(kept, core, bone | metal, share, criteria)), tuple(notes)


def _thin(
    kept: NDArray[np.bool_],
    core: NDArray[np.bool_],
    closed: NDArray[np.bool_],
    share: NDArray[np.floating[Any]],
    criteria: CementCriteria,
) -> NDArray[np.bool_]:
    """Voxels under half maximum that are cement all the same: thin strands, and the side against the bone.

    The blurred halo of thick cement is none: it lies beside a core at least three voxels thick.
    """
    cross = ndimage.generate_binary_structure(3, 1)
    thick = ndimage.binary_opening(core, cross)
    strands = kept & ~ndimage.binary_dilation(thick, ndimage.generate_binary_structure(3, 3))
    beside = ndimage.binary_dilation(core, cross) & ~closed & (share > criteria.edge_share)
    return np.asarray((strands | beside) & ~core)


def _dense_piece(centre: NDArray[np.float64], volume_mm3: float, distance_mm: float) -> QualityNote:
    return QualityNote(
        "dense_piece_not_cement",
        "warning",
        f"A dense piece of {volume_mm3:.0f} mm3 at x {centre[0]:.0f}, y {centre[1]:.0f}, z {centre[2]:.0f} mm (LPS), "
        f"{distance_mm:.0f} mm from the cement, was taken for calcification or bone, not for a leak: look at it.",
    )


def _fraction(
    hu: NDArray[Any], labels: NDArray[np.uint8], bone: NDArray[np.bool_], densities: _Densities
) -> NDArray[np.float32]:
    """Share of cement in each voxel of the cement and its rim: HU between the surroundings and the plateau."""
    cement = (labels == INSIDE) | (labels == OUTSIDE)
    rim = ndimage.binary_dilation(cement, ndimage.generate_binary_structure(3, 2)) & (labels != METAL)
    inside_rim = (labels == INSIDE) & bone
    outside_rim = ndimage.binary_dilation(labels == OUTSIDE, ndimage.generate_binary_structure(3, 2)) & ~bone
    fraction = np.zeros(hu.shape, np.float32)
    for where, background in ((inside_rim, densities.cancellous), (outside_rim, densities.soft)):
        at = where & rim
        span = max(densities.plateau - background, 1.0)
        fraction[at] = np.clip((hu[at] - background) / span, 0.0, 1.0)
    return fraction


def _notes(densities: _Densities) -> tuple[QualityNote, ...]:
    if densities.plateau < densities.cortex + 200.0:
        return (
            QualityNote(
                "cement_like_bone",
                "warning",
                f"Cement ({densities.plateau:.0f} HU) is hardly denser than cortical bone "
                f"({densities.cortex:.0f} HU) in this scan: cement next to cortex cannot be told from it.",
            ),
        )
    return ()
