"""Metal told from cement by its shape, never by its density alone: dense cement reaches the clip too.

Screws, rods and needles are straight, long and even, and nothing as dense lies beside them; cement is none of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, spatial

from leakseg.allocator import untouched
from leakseg.criteria import CementCriteria
from leakseg.geometry import FloatArray, Grid, bounding_box
from leakseg.reach import connected_pieces, start_of, within

_SEED = 1
_PAIRS, _RODS = 240, 24
"""Lines tried through a piece, and rods looked for in it."""
_SAMPLE = 4000
_STEP_MM = 2.0
_INNER_VOXELS = 20
"""Fewer tell nothing of a piece's inside."""
_UNEVEN = 0.4
"""A rod goes on while its cross-section is more than this share of its median."""


@dataclass(frozen=True)
class Shape:
    """What a rod may look like: how uneven its cross-sections, how long against its width, how much lies beside it.

    ``spread`` is that of the cross-sections over their median, ``beside`` the points just beside it for each of its
    own.
    """

    spread: float
    slender: float
    beside: float


_ALONE = Shape(spread=0.7, slender=3.0, beside=0.45)
_IN_CEMENT = Shape(spread=0.35, slender=3.5, beside=0.3)
"""Where the dense piece bulges in bone, or hardly leaves it, it may be dense cement: a screw must be seen plainly."""
_INSIDE = 0.8
"""A piece with more than this share in bone hardly leaves it; screws have their heads and rods outside."""


@dataclass(frozen=True)
class Rod:
    """A straight run of dense points: its line and where it begins and ends on it."""

    point: FloatArray
    way: FloatArray
    start_mm: float
    stop_mm: float

    def near(self, points: FloatArray, radius_mm: float, beyond_mm: float) -> NDArray[np.bool_]:
        """Whether points lie within a radius of the rod, or so far beyond its ends."""
        along = (points - self.point) @ self.way
        across = np.linalg.norm(points - self.point - along[:, None] * self.way, axis=1)
        return np.asarray(
            (across <= radius_mm) & (along >= self.start_mm - beyond_mm) & (along <= self.stop_mm + beyond_mm),
            dtype=np.bool_,
        )


def find_metal(
    hu: NDArray[np.number],
    vertebrae: NDArray[Any],
    grid: Grid,
    clip_hu: float | None,
    criteria: CementCriteria,
) -> NDArray[np.bool_]:
    """Screws, rods and needles with the blur round them, ``(k, j, i)``; cement and clips are left.

    Parameters
    ----------
    hu, vertebrae
        ``(k, j, i)`` on ``grid``: densities, and the vertebrae's masks (0 is no bone).
    clip_hu
        The upper end of the stored range, where densities reach it.
    """
    metal = untouched(hu.shape)
    limit = criteria.metal_min_hu if clip_hu is None else min(criteria.metal_min_hu, 0.98 * clip_hu)
    if hu.max() < limit:
        return metal
    dense = hu >= limit
    window = bounding_box(dense)
    assert window is not None
    pieces = connected_pieces(dense[window])
    spacing = np.array(grid.spacing_mm)
    for number, part in enumerate(ndimage.find_objects(pieces), start=1):
        if part is None or np.linalg.norm([(s.stop - s.start) * mm for s, mm in zip(part, spacing, strict=True)]) < (
            criteria.metal_min_length_mm
        ):
            continue
        piece, box = pieces[part] == number, within(part, window)
        if _pierced(piece, spacing, criteria):
            continue
        index = np.argwhere(piece) + start_of(box)
        bone = vertebrae[box] > 0
        inside = float(bone[piece].mean()) > _INSIDE
        bulges = inside or _bulge_mm(piece, bone, spacing) > criteria.metal_max_radius_mm
        shape = _IN_CEMENT if bulges else _ALONE
        own = _metal_points(index * spacing, shape, criteria)
        metal[tuple(index[own].T)] = True
    return _with_halo(metal, hu, grid, criteria)


def _pierced(piece: NDArray[np.bool_], spacing_mm: FloatArray, criteria: CementCriteria) -> bool:
    """Whether a piece is full of holes: noisy cement passes metal's density here and there, metal all over.

    Not told of what is too thin to have an inside, nor with voxels so thick that metal is blurred within.
    """
    if spacing_mm.max() >= criteria.thick_voxel_mm:
        return False
    piece = np.pad(piece, 1)
    closed = ndimage.binary_closing(piece, ndimage.generate_binary_structure(3, 3))
    inside = np.count_nonzero(ndimage.binary_erosion(closed))
    unbroken = np.count_nonzero(ndimage.binary_erosion(piece))
    return bool(inside >= _INNER_VOXELS and unbroken < criteria.metal_unbroken_share * inside)


def _bulge_mm(piece: NDArray[np.bool_], bone: NDArray[np.bool_], spacing_mm: FloatArray) -> float:
    """Radius of the largest ball in a piece's part inside bone: cement bulges there, a screw does not."""
    import edt

    depth = edt.edt(np.pad(piece, 1), anisotropy=tuple(spacing_mm.tolist()))[1:-1, 1:-1, 1:-1]
    return float(depth[bone & piece].max(initial=0.0))


def _metal_points(points: FloatArray, shape: Shape, criteria: CementCriteria) -> NDArray[np.bool_]:
    """Which points of a connected dense piece are metal: its rods, and what hangs on them no thicker than a head."""
    left = np.ones(len(points), bool)
    own = np.zeros(len(points), bool)
    rng = np.random.default_rng(_SEED)
    sample = points[:: max(1, len(points) // _SAMPLE)]
    for _ in range(_RODS):
        rod = _find_rod(points[left], sample, rng, shape, criteria)
        if rod is None:
            break
        own |= rod.near(points, criteria.metal_max_radius_mm, _STEP_MM)
        left &= ~own
    if own.any() and not own.all():
        distance, _ = spatial.cKDTree(points[own]).query(points[~own])
        own[np.flatnonzero(~own)[distance <= criteria.metal_head_mm]] = True
    return own


def _find_rod(
    points: FloatArray, sample: FloatArray, rng: np.random.Generator, shape: Shape, criteria: CementCriteria
) -> Rod | None:
    """The longest rod through some of the points; ``sample`` are points of the whole piece, for what lies beside."""
    if len(points) < 20:
        return None
    mine = points[:: max(1, len(points) // _SAMPLE)]
    best: Rod | None = None
    for first, second in mine[rng.integers(len(mine), size=(_PAIRS, 2))]:
        length = float(np.linalg.norm(second - first))
        if length < 0.5 * criteria.metal_min_length_mm:
            continue
        rod = _run(first, (second - first) / length, mine, shape, criteria)
        if rod is not None:
            inside = mine[rod.near(mine, criteria.metal_max_radius_mm, 0.0)]
            middle = inside.mean(axis=0)
            way = np.linalg.svd(inside - middle, full_matrices=False)[2][0]
            rod = _run(middle, way, mine, shape, criteria)
        if rod is None or (best is not None and rod.stop_mm - rod.start_mm <= best.stop_mm - best.start_mm):
            continue
        inside_count = int(rod.near(sample, criteria.metal_max_radius_mm, 0.0).sum())
        beside = int(rod.near(sample, 2.0 * criteria.metal_max_radius_mm, 0.0).sum()) - inside_count
        if beside <= shape.beside * inside_count:
            best = rod
    return best


def _run(point: FloatArray, way: FloatArray, points: FloatArray, shape: Shape, criteria: CementCriteria) -> Rod | None:
    """The longest even stretch of points along a line; None where it is short, thick against its length, or uneven."""
    along = (points - point) @ way
    across = np.linalg.norm(points - point - along[:, None] * way, axis=1)
    near = across <= criteria.metal_max_radius_mm
    if near.sum() < 20:
        return None
    low = float(along[near].min())
    counts = np.bincount(((along[near] - low) / _STEP_MM).astype(int))
    labels, found = ndimage.label(counts > _UNEVEN * np.median(counts[counts > 0]))
    if not found:
        return None
    sizes = np.bincount(labels)[1:]
    steps = np.flatnonzero(labels == 1 + int(sizes.argmax()))
    start, stop = low + steps[0] * _STEP_MM, low + (steps[-1] + 1) * _STEP_MM
    inner = counts[steps[1:-1]]
    if stop - start < criteria.metal_min_length_mm or not len(inner):
        return None
    own = near & (along >= start) & (along <= stop)
    wide = 2.0 * float(np.percentile(across[own], 90))
    if stop - start < shape.slender * wide or _spread(inner) > shape.spread:
        return None
    return Rod(point, way, start, stop)


def _spread(counts: NDArray[np.int64]) -> float:
    """How uneven cross-sections are, their extremes left out: a head or a clamp is thicker than its shaft."""
    low, middle, high = np.percentile(counts, [20, 50, 80])
    return float((high - low) / middle)


def _with_halo(
    metal: NDArray[np.bool_], hu: NDArray[np.number], grid: Grid, criteria: CementCriteria
) -> NDArray[np.bool_]:
    """Metal with the blur round it, as far as that is denser than bone could be."""
    import edt

    box = bounding_box(metal, 1 + int(np.ceil(criteria.metal_halo_mm / min(grid.spacing_mm))))
    if box is None:
        return metal
    near = edt.edt(~metal[box], anisotropy=grid.spacing_mm) <= criteria.metal_halo_mm
    metal[box] |= near & (hu[box] > criteria.metal_halo_hu)
    return metal
