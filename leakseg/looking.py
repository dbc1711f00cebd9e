"""What is looked at in each dense piece outside bone: how dense, large and near it is, and what it hangs on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, spatial

from leakseg.anatomy import Place, SpineAnatomy
from leakseg.criteria import CementCriteria
from leakseg.geometry import FloatArray, bounding_box, half_voxel_mm, voxels_of
from leakseg.judging import DensePiece, Yardstick, is_led_to
from leakseg.pieces import ScanDensities
from leakseg.reach import Window, cut_out, deeper, grown, hanging_together, near, pieces_with, widened, within

LEAST_MM3 = 2.0
"""Smaller pieces are noise."""
DENSE_END_PERCENTILE = 90
"""A piece's dense end: most of it is no denser."""
_MOST = 0.5
_STANDING_OUT_MM3 = 1.5
_SAMPLE, _FEWEST = 150, 8
"""Of so many of a piece's voxels it is asked whether they lie in a sheet, where so many lie round them."""
_SIDES, _DISC_MM = 2, 10.0
"""Pedicles that a vertebra has; and so far beyond its ends the canal is still its disc's."""
_ROOT_MM = 8.0
"""How far dense bone that goes on from a piece is followed."""


@dataclass(frozen=True, eq=False)
class Scene:
    """The window round the spine: its densities and bones, of which each step looks at a part."""

    hu: NDArray[Any]
    vertebrae: NDArray[np.uint8]
    densities: ScanDensities
    spacing_mm: tuple[float, float, float]
    halo: tuple[NDArray[np.float32], Window | None]

    def share(self, room: tuple[slice, ...]) -> NDArray[np.floating[Any]]:
        """Share of the way from soft tissue to the cement's plateau."""
        soft = self.densities.soft
        return np.asarray((self.hu[room] - soft) / (self.densities.plateau - soft))

    def hanging(self, room: Window, above: float) -> NDArray[np.bool_]:
        """Less dense matter, above a share, that pieces may hang together with."""
        free = deeper(self.vertebrae[room] == 0, 0.5 * min(self.spacing_mm), self.spacing_mm)
        return free & (self.share(room) > np.maximum(cut_out(*self.halo, room), above))

    def walled(self, own: NDArray[np.bool_], box: Window) -> float:
        """Share of the voxels round a piece that are bone."""
        room = widened(box, self.hu.shape, 0.0, self.spacing_mm)
        piece = cut_out(own, box, room)
        round_it = ndimage.binary_dilation(piece) & ~piece
        return float((self.vertebrae[room][round_it] > 0).mean()) if round_it.any() else 1.0

    def rooted(self, own: NDArray[np.bool_], box: Window, no_bone: tuple[NDArray[np.bool_], ...]) -> float:
        """Bone as dense as a piece's median that it goes on into, over the piece's denser half."""
        room = widened(box, self.hu.shape, _ROOT_MM, self.spacing_mm)
        piece = cut_out(own, box, room)
        hu = self.hu[room]
        bone = (self.vertebrae[room] > 0) & ~np.logical_or.reduce([mask[room] for mask in no_bone])
        dense = hu >= np.median(hu[piece])
        numbers = cc3d.connected_components((piece | bone) & dense, connectivity=6)
        held = np.isin(numbers, np.unique(numbers[piece & dense]))
        return float(np.count_nonzero(held & bone) / np.count_nonzero(piece & dense))


@dataclass(frozen=True, eq=False)
class Matter:
    """A piece in a block of the window: its voxels and, for each voxel of the block, what is asked of it.

    ``share`` is of the way from soft tissue to the cement's plateau, ``halo`` the share that the bone's blur explains.
    """

    own: NDArray[np.bool_]
    block: Window
    share: NDArray[np.floating[Any]]
    from_bone_mm: FloatArray
    halo: NDArray[np.float32]

    def part(self, own: NDArray[np.bool_], box: tuple[slice, ...]) -> Matter:
        """A part of the piece, in a box of its block."""
        return Matter(own, within(box, self.block), self.share[box], self.from_bone_mm[box], self.halo[box])


@dataclass(frozen=True, eq=False)
class Look:
    """What is looked at in each piece, and how."""

    scene: Scene
    inner: NDArray[np.bool_]
    metal: NDArray[np.bool_]
    spine: SpineAnatomy
    criteria: CementCriteria
    yardstick: Yardstick
    canal_hang_share: float
    coarse: bool
    stands_out_mm: float

    def at(self, matter: Matter) -> DensePiece | None:
        """One piece measured; None where it is a mask's rim, noise or faint."""
        own, whole, share, from_bone = matter.own, matter.block, matter.share, matter.from_bone_mm
        over_halo = share > matter.halo
        scene, criteria, grid = self.scene, self.criteria, self.scene.densities.grid
        size_mm3 = float(own.sum()) * grid.voxel_volume_mm3
        standing_out_mm3 = float((from_bone[own] > self.stands_out_mm).sum()) * grid.voxel_volume_mm3
        # Where cement is hardly denser than cortex, bone hides it: the bone's blur cannot tell them apart.
        over_halo_mm3 = float(over_halo[own].sum()) * grid.voxel_volume_mm3
        over_halo_mm3 *= self.yardstick.plainly_denser(criteria)
        stands_out = standing_out_mm3 >= _STANDING_OUT_MM3 or over_halo_mm3 >= criteria.min_over_halo_mm3
        if size_mm3 < LEAST_MM3 or not stands_out:
            return None
        middle, dense_end = np.percentile(share[own], [50, DENSE_END_PERCENTILE])
        faint = bool(dense_end < (criteria.coarse_core_share if self.coarse else criteria.min_core_share))
        if faint and not self._may_be_strand(own, whole, over_halo):
            return None
        index = np.argwhere(own) + [part.start for part in whole]
        suv = self.spine.axis.to_canal(grid.to_patient(index))
        place = self.spine.lattice.lookup(self.spine.place, suv)
        if faint and (place == Place.DISC).mean() > _MOST:  # an endplate that thick voxels share with the disc
            return None
        in_canal = (place == Place.CANAL).any()
        hanging = partial(scene.hanging, above=self.canal_hang_share if in_canal else criteria.hang_share)
        most = max(criteria.max_spread_touching, criteria.max_spread_neural, criteria.max_spread)
        spread = hanging_together(own, whole, scene.hu.shape, scene.spacing_mm, hanging, most)
        piece = DensePiece(
            size_mm3=size_mm3,
            middle=float(middle),
            dense_end=float(dense_end),
            spread=1.0 if spread is None else spread,
            to_inner_mm=_distance_mm(index, self.inner, scene.spacing_mm),
            to_bone_mm=float(from_bone[own].min()),
            cut_off=any(part.start == 0 or part.stop == size for part, size in zip(whole, scene.hu.shape, strict=True)),
            neural=float(between_bones(self.spine, suv).mean()) > _MOST,
            rooted=scene.rooted(own, whole, (self.inner, self.metal)),
            walled=scene.walled(own, whole),
            behind=bool(np.median(self.spine.behind_wall_mm(suv)) > 0),
            off_bone_mm=float(np.median(from_bone[own])),
            section_mm2=size_mm3 / _length_mm(index, scene.spacing_mm),
            faint=faint,
        )
        if piece.to_inner_mm > criteria.gap_mm and not piece.neural:
            core = index[share[own] > criteria.edge_share * dense_end]
            piece = replace(piece, flat=_flatness(core, scene.spacing_mm, criteria.flat_reach_mm))
        may_be_led_to = is_led_to(replace(piece, to_channel_mm=0.0), self.yardstick, criteria)
        if may_be_led_to and piece.to_inner_mm > self.yardstick.touching_mm:
            piece = replace(piece, to_channel_mm=_distance_mm(index, self.channels, scene.spacing_mm))
        return piece

    def _may_be_strand(self, own: NDArray[np.bool_], whole: Window, over_halo: NDArray[np.bool_]) -> bool:
        """Whether voxels are so thick that they blur a strand to what this piece is, which no other blur explains.

        What lies one voxel from inner cement is its own blur in thick sections.
        """
        may_be = (self.coarse or self.yardstick.thick) and self.yardstick.plainly_denser(self.criteria)
        clear = np.count_nonzero(own & over_halo & ~self._beside_inner[whole])
        clear_mm3 = float(clear * self.scene.densities.grid.voxel_volume_mm3)
        return may_be and clear_mm3 >= self.criteria.min_over_halo_mm3

    @cached_property
    def _beside_inner(self) -> NDArray[np.bool_]:
        return grown(self.inner, 3)

    @cached_property
    def channels(self) -> NDArray[np.bool_]:
        """Inner cement, and the strands through bone that hang together with it, too thin for the cement's threshold.

        Only deeper than cortex, which is as dense.
        """
        scene, densities = self.scene, self.scene.densities
        found = self.inner.copy()
        bone = bounding_box(scene.vertebrae, 1)
        if bone is not None:
            deep = deeper(scene.vertebrae[bone] > 0, self.criteria.rim_mm, scene.spacing_mm)
            least_hu = densities.edge(densities.cancellous, self.criteria.strand_share)
            if self.yardstick.thick:
                least_hu = min(least_hu, densities.cancellous + self.criteria.channel_above_cancellous_hu)
            strands = deep & (scene.hu[bone] > least_hu)
            found[bone] = pieces_with((strands & ~self.metal[bone]) | self.inner[bone], self.inner[bone])
        return found

    def follow(self, own: NDArray[np.bool_], whole: Window, led: NDArray[np.bool_]) -> None:
        """Add to ``led`` the strands through bone that end at a piece, as far as it touches them (in place)."""
        reach_mm, spacing = self.yardstick.touching_mm, self.scene.spacing_mm
        room = widened(whole, led.shape, reach_mm + max(spacing), spacing)
        piece = np.zeros([side.stop - side.start for side in room], bool)
        piece[tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(whole, room, strict=True))] = own
        led[room] |= near(piece, reach_mm, spacing, half_voxel_mm(spacing)) & self.channels[room]


def between_bones(spine: SpineAnatomy, suv: FloatArray) -> NDArray[np.bool_]:
    """Which points ``(N, 3)`` lie in the canal, or in a foramen between two vertebrae of the masks.

    Beyond the masks' ends a foramen is half seen, and bone without a mask may lie there: the sacrum's, a rib's. So it
    may round the canal beyond the last vertebra whose pedicles are both seen.
    """
    ringed = [vertebra for vertebra in spine.vertebrae if len(vertebra.pedicles) == _SIDES] or spine.vertebrae
    first_mm = min(vertebra.s_bottom_mm for vertebra in ringed) - _DISC_MM
    last_mm = max(vertebra.s_top_mm for vertebra in ringed) + _DISC_MM
    seen = {vertebra.level for vertebra in spine.vertebrae}
    closed = [number for number, levels in enumerate(spine.gaps, start=1) if seen.issuperset(levels)]
    place, gap = spine.lattice.lookup(spine.place, suv), spine.lattice.lookup(spine.gap, suv)
    canal = (place == Place.CANAL) & (suv[:, 0] >= first_mm) & (suv[:, 0] <= last_mm)
    return np.asarray(canal | ((place == Place.FORAMEN) & np.isin(gap, closed)))


def rim_of(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """``(N, 3)`` voxels of a mask with a neighbour outside it: the nearest to whatever lies outside."""
    box = bounding_box(mask, 1)
    assert box is not None
    own = mask[box]
    return np.asarray(voxels_of(own & ~ndimage.binary_erosion(own)) + [part.start for part in box])


def _flatness(index: NDArray[np.int64], spacing_mm: tuple[float, float, float], reach_mm: float) -> float:
    """How much voxels ``(N, 3)`` are a sheet: 0 of strands and balls, 1 of a thin wide sheet.

    The second principal variance less the third, over the first, of those within reach of one; the median of all.
    """
    points, voxel = index * np.array(spacing_mm), np.diag(np.square(spacing_mm)) / 12
    near_by = spatial.cKDTree(points).query_ball_point(points[:: max(1, len(points) // _SAMPLE)], reach_mm)
    spreads = [np.linalg.eigvalsh(np.cov(points[own].T) + voxel) for own in near_by if len(own) >= _FEWEST]
    flat = [(spread[1] - spread[0]) / spread[2] for spread in spreads]
    return float(np.median(flat)) if flat else 0.0


def _length_mm(index: NDArray[np.int64], spacing_mm: tuple[float, float, float]) -> float:
    """How far voxels ``(N, 3)`` reach, end to end: from the one farthest off their middle to the farthest from it."""
    points = index * np.array(spacing_mm)
    end = points[np.square(points - points.mean(axis=0)).sum(axis=1).argmax()]
    return float(np.sqrt(np.square(points - end).sum(axis=1).max()) + min(spacing_mm))


def _distance_mm(index: NDArray[np.int64], mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> float:
    """Shortest way from any of the voxels to the mask's surface."""
    scale = np.array(spacing_mm)
    nearest = spatial.cKDTree(rim_of(mask) * scale).query(index * scale)[0].min()
    return float(max(nearest - 0.5 * float(np.prod(spacing_mm)) ** (1 / 3), 0.0))
