"""The endplates between bodies and discs: height maps over each cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, median_filter

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.bodies import Outline
from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.discs import DEPTHS_MM
from leakseg.providers.builtin.ends import End
from leakseg.providers.builtin.frames import Straight
from leakseg.providers.builtin.levels import Cuts

MIDDLE_DEPTH_MM = float(DEPTHS_MM.mean())
REACH = 14
CURVING_MM = 5.0
"""An endplate dips and rises this far from its median at the most: a biconcave fracture."""
PLATE_SHARE = 0.6
"""An endplate begins at this share of the way from the disc to its densest."""
PLATE_SPREAD = 0.3
"""The dense plate makes a slice bright that lies mostly in the disc: it shows farther into the disc by this share of
what is unsure. Measured on slices of 3 and 5 mm of verse005 and totalsegmentator_ct: 0.000 to 0.004 of Dice gained."""
LEAST_FOUND, OFF_QUADRIC_MM = 200, 2.5
"""Square millimetres of endplate that tell its curvature, and what is taken for no part of it."""
BESIDE_CEMENT_MM = 2
"""A first rise so near before cement may be the cement's own."""
MUCH_HIDDEN, MOSTLY_HIDDEN, CLEAR_BESIDE_CEMENT = 0.4, 0.6, 0.7
"""A disc of whose section cement hides the first share, and that is no clearer than the third, may lie elsewhere, as
may one of which it hides the second. Then cement in a body is told as in the disc, or the other way round. Of 243
discs in 39 scans with cement put into some, nine are such: eight hold cement or were put in a wrong place."""
NEAR_DISCS, MOST_UNLIKE_MM, USUAL_SMOOTH_MM, LEAST_WEIGHT_MM = 2, 3.0, 2.0, 0.01
"""What cement hides of a disc is as high as so many discs below and above it, and by what is seen of it higher or lower
than they are by so much at the most."""


@dataclass(frozen=True, eq=False)
class Endplates:
    """For every cut, the surface of the body below and above it as ``s`` over ``(U, V)``.

    ``lowest`` and ``highest`` are the far surfaces of the two open levels, where they are in view.
    """

    u_mm: FloatArray
    v_mm: FloatArray
    below: FloatArray
    above: FloatArray
    lowest: FloatArray | None = None
    highest: FloatArray | None = None
    hidden_share: FloatArray = field(default_factory=lambda: np.zeros(0))
    """``(C,)`` how much of each disc's section cement hides."""

    def unsure_discs(self, cuts: Cuts) -> list[int]:
        """Numbers of the cuts at which cement hides most, or much and what it leaves in view is no clear disc."""
        faint = (self.hidden_share > MUCH_HIDDEN) & (cuts.clearness < CLEAR_BESIDE_CEMENT)
        return np.flatnonzero(faint | (self.hidden_share > MOSTLY_HIDDEN)).tolist()

    def at(self, surface: FloatArray, suv: NDArray[np.floating]) -> FloatArray:
        """``(M,)`` s of one ``(U, V)`` surface over points ``(M, 3)``."""
        row = np.clip(np.rint(suv[:, 1] - self.u_mm[0]).astype(np.int64), 0, len(self.u_mm) - 1)
        column = np.clip(np.rint(suv[:, 2] - self.v_mm[0]).astype(np.int64), 0, len(self.v_mm) - 1)
        return np.asarray(surface[row, column])


@dataclass(frozen=True, eq=False)
class Rise:
    """``(U, V)`` mm from a cut to the first rise toward a body; where that was found, and what hid it."""

    height: FloatArray
    found: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    masked: NDArray[np.bool_]


def find_endplates(
    straight: Straight,
    cement: NDArray[np.bool_],
    wall: Wall,
    outline: Outline,
    cuts: Cuts,
    densities: Densities,
    ends: tuple[End | None, End | None] = (None, None),
    unsure_mm: float = 0.0,
) -> Endplates:
    """Height maps of the endplates: the first rise from the disc toward the bright plate.

    Where ``cement`` (same shape as the straightened scan) hides them, they are carried over from around, and that
    farther into the disc by ``unsure_mm`` (what a thick slice leaves open): cement that fills a body up to its endplate
    is commoner than a thin leak.
    """
    rows = straight.u_mm <= 0
    u, v = straight.u_mm[rows], straight.v_mm
    hu = np.where(np.isfinite(straight.hu), straight.hu, densities.soft_hu)[:, rows]
    hu = np.clip(hu, densities.soft_hu - 100, densities.soft_hu + 500)
    hidden = cement[:, rows].astype(np.float32)
    grid_u, grid_v = np.meshgrid(u, v, indexing="ij")

    def rises(s: float, tilt: float) -> tuple[Rise, Rise]:
        """Toward the body below and toward that above."""
        plane = cut_plane(s, tilt, wall, grid_u)
        columns = _columns(hu, plane)  # (U, V, 2 REACH + 1), caudal to cranial
        columns = gaussian_filter(columns, (0.8, 0.8, 0))
        flat = np.stack([np.full(grid_u.size, s), grid_u.ravel(), grid_v.ravel()], axis=1)
        inside = outline.depth(flat).reshape(grid_u.shape) > 1.5
        inside &= grid_u < -wall.front_mm[int(s)]
        masked = _columns(hidden, plane) > 0.3
        middle = slice(REACH - 1, REACH + 2)
        disc = np.median(columns[:, :, middle], axis=2)
        seen = inside & ~masked[:, :, middle].any(axis=2)
        typical = float(np.median(disc[seen])) if seen.any() else densities.soft_hu
        disc = np.clip(gaussian_filter(disc, 2), typical - 60, typical + 60)
        below, above = slice(REACH, None, -1), slice(REACH, None)
        return (
            find_rise(columns[:, :, below], disc, inside, masked[:, :, below]),
            find_rise(columns[:, :, above], disc, inside, masked[:, :, above]),
        )

    def surface(place: tuple[float, float], rise: Rise, side: int, near: Sequence[Rise] = ()) -> FloatArray:
        height = carry(rise, unsure_mm, _usual(near) if rise.masked.any() else None)
        return cut_plane(*place, wall, grid_u) + (height if side else -height)

    places = list(zip(cuts.s_mm, cuts.tilt_deg, strict=True))
    each = [rises(*place) for place in places]
    beside = [[*each[max(0, at - NEAR_DISCS) : at], *each[at + 1 : at + 1 + NEAR_DISCS]] for at in range(len(each))]
    below, above = (
        np.array(
            [
                surface(place, pair[side], side, [other[side] for other in near])
                for place, pair, near in zip(places, each, beside, strict=True)
            ]
        ).reshape(-1, *grid_u.shape)
        for side in (0, 1)
    )
    lowest, highest = (
        None if end is None else surface((end.s_mm, end.tilt_deg), rises(end.s_mm, end.tilt_deg)[side], side)
        for end, side in zip(ends, (1, 0), strict=True)
    )
    hidden_share = np.array([_hidden_share(*pair) for pair in each])
    return Endplates(u, v, below, above, lowest, highest, hidden_share)


def cut_plane(s: float, tilt_deg: float, wall: Wall, u_mm: NDArray[np.floating]) -> FloatArray:
    """``s`` of a cut at each ``u``: tilted in front of the canal's middle, level behind it."""
    ahead = np.maximum(-u_mm - float(wall.front_mm[int(s)]), -6.0) - MIDDLE_DEPTH_MM
    return np.asarray(s + ahead * np.tan(np.radians(tilt_deg)), dtype=np.float64)


def _columns(hu: NDArray[np.float32], plane: FloatArray) -> NDArray[np.float32]:
    """HU at every mm from ``REACH`` below the plane to as far above it, ``(U, V, 2 REACH + 1)``."""
    s = plane[..., None] + np.arange(-REACH, REACH + 1)
    index = np.clip(s, 0, len(hu) - 1.001)
    lower = index.astype(np.int64)
    weight = (index - lower).astype(np.float32)
    row, column = np.ogrid[: hu.shape[1], : hu.shape[2]]
    row, column = row[..., None], column[..., None]
    return np.asarray(hu[lower, row, column] * (1 - weight) + hu[lower + 1, row, column] * weight)


def find_rise(
    columns: NDArray[np.float32], disc: FloatArray, inside: NDArray[np.bool_], cement: NDArray[np.bool_]
) -> Rise:
    """Where ``columns`` ``(U, V, REACH + 1)`` first rise from the ``disc`` toward the bright plate.

    Where ``cement``, shaped as the columns, may be what rises first, nothing is seen.
    """
    plate = columns[:, :, 1:REACH].max(axis=2)
    level = disc + PLATE_SHARE * np.clip(plate - disc, 60, 400)
    dense = columns > level[..., None]
    first = dense.argmax(axis=2)
    before = np.take_along_axis(columns, np.maximum(first - 1, 0)[..., None], axis=2)[..., 0]
    at = np.take_along_axis(columns, first[..., None], axis=2)[..., 0]
    height = first - np.where(first > 0, np.clip((at - level) / np.maximum(at - before, 1), 0, 1), 0)
    masked = cement.any(axis=2) & (cement.argmax(axis=2) <= first + BESIDE_CEMENT_MM)
    found = inside & dense.any(axis=2) & ~masked
    return Rise(height, found, inside, inside & masked)


def carry(rise: Rise, unsure_mm: float, usual: FloatArray | None = None) -> FloatArray:
    """``(U, V)`` mm from the plane to the endplate, smoothed over what lies inside the outline.

    Where cement hides it, it is carried over from around and from the ``usual`` endplate, nearer to the plane by
    ``unsure_mm``; where it is seen, it lies farther by `PLATE_SPREAD` of that.
    """
    height, found = rise.height, rise.found
    if not found.any():
        return np.full(height.shape, 3.0) if usual is None else usual
    middle = float(np.median(height[found]))
    low, high = middle - CURVING_MM, middle + CURVING_MM
    height = np.clip(height, low, high)
    weight = found.astype(float)
    around = _spread(np.where(found, height, 0), weight, middle)
    hidden = rise.inside & ~found
    if hidden.any():  # by cement: the plate goes on as it curves, not as high as it is around
        curved = _quadric(height, found)
        carried = curved + _spread(np.where(found, height - curved, 0), weight, 0.0)
        carried = np.clip(carried, low, high)
        if usual is not None:  # the less of it is seen, the more it is like its neighbours
            seen = float(found.sum())
            weights = np.maximum(usual[found], LEAST_WEIGHT_MM)  # a rim low in them all tells nothing
            higher = np.clip(np.average((height - usual)[found], weights=weights), -MOST_UNLIKE_MM, MOST_UNLIKE_MM)
            like = usual + higher * seen / (seen + LEAST_FOUND)
            own = (seen / (seen + hidden.sum())) ** 2
            carried = own * carried + (1 - own) * like
        around = np.where(hidden, carried, around)
    height = np.where(found, height, around) + unsure_mm * np.where(rise.masked, -1.0, PLATE_SPREAD)
    height = median_filter(height, 5, mode="nearest")
    return np.asarray(gaussian_filter(height, 1.0), dtype=np.float64)


def _hidden_share(*rises: Rise) -> float:
    """How much of a disc's section cement hides, of the endplate that is hidden more."""
    return max(float(rise.masked.sum() / max(1, rise.inside.sum())) for rise in rises)


def _usual(near: Sequence[Rise]) -> FloatArray | None:
    """The median height of ``near`` endplates where they are seen, a little smoothed; None where none is seen."""
    heights = np.array([np.where(rise.found, rise.height, np.nan) for rise in near])
    if not np.isfinite(heights).any():
        return None
    middle = float(np.nanmedian(heights))
    seen = np.isfinite(heights).any(axis=0)
    usual = np.zeros(seen.shape)
    usual[seen] = np.clip(np.nanmedian(heights[:, seen], axis=0), middle - CURVING_MM, middle + CURVING_MM)
    return _spread(usual, seen.astype(float), middle, USUAL_SMOOTH_MM)


def _quadric(height: FloatArray, found: NDArray[np.bool_]) -> FloatArray:
    """The quadric surface through the heights where they were found, everywhere; a plain mean where these are few."""
    if found.sum() < LEAST_FOUND:
        return np.full(height.shape, float(height[found].mean()))
    u, v = np.meshgrid(*(np.linspace(-1, 1, size) for size in height.shape), indexing="ij")
    basis = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)
    rows, values = basis[found], height[found]
    for _ in range(2):  # once more without what lies far off
        factors = np.linalg.lstsq(rows, values, rcond=None)[0]
        near = np.abs(rows @ factors - values) < OFF_QUADRIC_MM
        if near.sum() >= LEAST_FOUND:
            rows, values = rows[near], values[near]
    return np.asarray(basis @ factors, dtype=np.float64)


def _spread(values: FloatArray, weight: FloatArray, fallback: float, reach_mm: float = 6.0) -> FloatArray:
    """Values carried outward from where they are known (normalised convolution)."""
    total = gaussian_filter(weight, reach_mm)
    carried = gaussian_filter(values * weight, reach_mm) / np.maximum(total, 1e-4)
    return np.asarray(np.where(total > 1e-4, carried, fallback))
