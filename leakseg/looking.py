"""What is looked at in each dense piece outside bone: how dense, large and near it is, and what it hangs on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, spatial

from leakseg.anatomy import Place, SpineAnatomy
from leakseg.criteria import CementCriteria
from leakseg.dense_pieces import DensePiece, Yardstick
from leakseg.geometry import FloatArray, bounding_box, half_voxel_mm, voxels_of
from leakseg.halo import Halo
from leakseg.pieces import ScanDensities
from leakseg.reach import Window, cut_out, deeper, grown, hanging_together, near, pieces_with, start_of, widened, within

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
    halo: Halo

    def share(self, room: tuple[slice, ...]) -> NDArray[np.floating[Any]]:
        """Share of the way from soft tissue to the cement's plateau."""
        return self.densities.share(self.hu[room])

    def hanging(self, room: Window, above: float) -> NDArray[np.bool_]:
        """Less dense matter, above a share, that pieces may hang together with."""
        free = deeper(self.vertebrae[room] == 0, 0.5 * min(self.spacing_mm), self.spacing_mm)
        return free & (self.share(room) > np.maximum(self.halo.within(room), above))

    def walled(self, own: NDArray[np.bool_], box: Window) -> float:
        """Share of the voxels round a piece that are bone."""
        room = widened(box, self.hu.shape, 0.0, self.spacing_mm)
        piece = cut_out(own, box, room)
        round_it = ndimage.binary_dilation(piece) & ~piece
        return float((self.vertebrae[room][round_it] > 0).mean()) if round_it.any() else 1.0

    def rooted(self, own: NDArray[np.bool_], box: Window, inner: NDArray[np.bool_]) -> float:
        """Bone as dense as a piece's median that it goes on into, over the piece's denser half."""
        room = widened(box, self.hu.shape, _ROOT_MM, self.spacing_mm)
        piece = cut_out(own, box, room)
        hu = self.hu[room]
        bone = (self.vertebrae[room] > 0) & ~(inner[room] | self.densities.metal[room])
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
    spine: SpineAnatomy
    criteria: CementCriteria
    yardstick: Yardstick
    canal_hang_share: float
    coarse: bool
    stands_out_mm: float

    def at(self, matter: Matter) -> DensePiece | None:
        """One piece; None where it is a mask's rim, noise or faint."""
        piece, criteria, voxel_mm3 = _SeenPiece(self, matter), self.criteria, self.scene.densities.grid.voxel_volume_mm3
        if piece.size_mm3 < LEAST_MM3:
            return None
        over_halo = matter.own & (matter.share > matter.halo)
        standing_out_mm3 = float((matter.from_bone_mm[matter.own] > self.stands_out_mm).sum()) * voxel_mm3
        # Where cement is hardly denser than cortex, bone hides it: the bone's blur cannot tell them apart.
        over_halo_mm3 = float(over_halo.sum()) * voxel_mm3 * self.yardstick.plainly_denser(criteria)
        if standing_out_mm3 < _STANDING_OUT_MM3 and over_halo_mm3 < criteria.min_over_halo_mm3:
            return None
        if piece.faint and (not self._may_be_strand(over_halo, matter.block) or piece.in_disc):
            return None
        return piece

    def _may_be_strand(self, over_halo: NDArray[np.bool_], block: Window) -> bool:
        """Whether voxels are so thick that they blur a strand to what this piece is, which no other blur explains.

        What lies one voxel from inner cement is its own blur in thick sections.
        """
        may_be = (self.coarse or self.yardstick.thick) and self.yardstick.plainly_denser(self.criteria)
        clear = np.count_nonzero(over_halo & ~self._beside_inner[block]) if may_be else 0
        return float(clear * self.scene.densities.grid.voxel_volume_mm3) >= self.criteria.min_over_halo_mm3

    @cached_property
    def inner_rim(self) -> Any:
        """The rim of inner cement, to ask for the nearest of its points (mm)."""
        return _rim_of(self.inner, self.scene.spacing_mm)

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
            found[bone] = pieces_with((strands & ~densities.metal[bone]) | self.inner[bone], self.inner[bone])
        return found

    def follow(self, own: NDArray[np.bool_], whole: Window, led: NDArray[np.bool_]) -> None:
        """Add to ``led`` the strands through bone that end at a piece, as far as it touches them (in place)."""
        reach_mm, spacing = self.yardstick.touching_mm, self.scene.spacing_mm
        room = widened(whole, led.shape, reach_mm + max(spacing), spacing)
        piece = cut_out(own, whole, room)
        led[room] |= near(piece, reach_mm, spacing, half_voxel_mm(spacing)) & self.channels[room]


@dataclass(frozen=True, eq=False)
class _SeenPiece:
    """A `leakseg.dense_pieces.DensePiece` in the scan: each measure is taken when it is first asked for."""

    look: Look
    matter: Matter

    @cached_property
    def size_mm3(self) -> float:
        return float(self.matter.own.sum()) * self.look.scene.densities.grid.voxel_volume_mm3

    @cached_property
    def middle(self) -> float:
        return float(np.percentile(self._share, 50))

    @cached_property
    def dense_end(self) -> float:
        return float(np.percentile(self._share, DENSE_END_PERCENTILE))

    @cached_property
    def faint(self) -> bool:
        criteria = self.look.criteria
        return self.dense_end < (criteria.coarse_core_share if self.look.coarse else criteria.min_core_share)

    @cached_property
    def spread(self) -> float:
        scene, criteria = self.look.scene, self.look.criteria
        in_canal = (self._place == Place.CANAL).any()
        hanging = partial(scene.hanging, above=self.look.canal_hang_share if in_canal else criteria.hang_share)
        most = max(criteria.max_spread_touching, criteria.max_spread_neural, criteria.max_spread)
        own, block = self.matter.own, self.matter.block
        spread = hanging_together(own, block, scene.hu.shape, scene.spacing_mm, hanging, most)
        return 1.0 if spread is None else spread

    @cached_property
    def to_inner_mm(self) -> float:
        return self._away_mm(self.look.inner_rim)

    @cached_property
    def to_channel_mm(self) -> float:
        if self.to_inner_mm <= self.look.yardstick.touching_mm:
            return math.inf
        return self._away_mm(_rim_of(self.look.channels, self.look.scene.spacing_mm))

    @cached_property
    def to_bone_mm(self) -> float:
        return float(self._from_bone_mm.min())

    @cached_property
    def off_bone_mm(self) -> float:
        return float(np.median(self._from_bone_mm))

    @cached_property
    def cut_off(self) -> bool:
        sides = zip(self.matter.block, self.look.scene.hu.shape, strict=True)
        return any(part.start == 0 or part.stop == size for part, size in sides)

    @cached_property
    def neural(self) -> bool:
        return float(between_bones(self.look.spine, self._suv).mean()) > _MOST

    @cached_property
    def in_disc(self) -> bool:
        return float((self._place == Place.DISC).mean()) > _MOST

    @cached_property
    def behind(self) -> bool:
        return bool(np.median(self.look.spine.behind_wall_mm(self._suv)) > 0)

    @cached_property
    def rooted(self) -> float:
        return self.look.scene.rooted(self.matter.own, self.matter.block, self.look.inner)

    @cached_property
    def walled(self) -> float:
        return self.look.scene.walled(self.matter.own, self.matter.block)

    @cached_property
    def flat(self) -> float:
        criteria = self.look.criteria
        if self.to_inner_mm <= criteria.gap_mm or self.neural:
            return 0.0
        core = self._index[self._share > criteria.edge_share * self.dense_end]
        return _flatness(core, self.look.scene.spacing_mm, criteria.flat_reach_mm)

    @cached_property
    def section_mm2(self) -> float:
        return self.size_mm3 / _length_mm(self._index, self.look.scene.spacing_mm)

    def _away_mm(self, rim: Any) -> float:
        """Shortest way from any of its voxels to the surface of what has that rim."""
        spacing_mm = self.look.scene.spacing_mm
        return float(max(rim.query(self._index * np.array(spacing_mm))[0].min() - half_voxel_mm(spacing_mm), 0.0))

    @cached_property
    def _index(self) -> NDArray[np.int64]:
        return np.asarray(np.argwhere(self.matter.own) + start_of(self.matter.block))

    @cached_property
    def _suv(self) -> FloatArray:
        return self.look.spine.axis.to_canal(self.look.scene.densities.grid.to_patient(self._index))

    @cached_property
    def _place(self) -> NDArray[np.uint8]:
        return self.look.spine.lattice.lookup(self.look.spine.place, self._suv)

    @cached_property
    def _share(self) -> NDArray[np.floating[Any]]:
        return self.matter.share[self.matter.own]

    @cached_property
    def _from_bone_mm(self) -> FloatArray:
        return self.matter.from_bone_mm[self.matter.own]


def between_bones(spine: SpineAnatomy, suv: FloatArray) -> NDArray[np.bool_]:
    """Which points ``(N, 3)`` lie in the canal, or in a foramen between two vertebrae of the masks.

    Beyond the masks' ends a foramen is half seen, and bone without a mask may lie there: the sacrum's, a rib's. So it
    may round the canal beyond the last vertebra whose pedicles are both seen.
    """
    ringed = [vertebra for vertebra in spine.vertebrae if len(vertebra.pedicles) == _SIDES] or spine.vertebrae
    first_mm = min(vertebra.s_bottom_mm for vertebra in ringed) - _DISC_MM
    last_mm = max(vertebra.s_top_mm for vertebra in ringed) + _DISC_MM
    seen = {vertebra.level for vertebra in spine.vertebrae if vertebra.pedicles}
    closed = [number for number, levels in enumerate(spine.gaps, start=1) if seen.issuperset(levels)]
    place, gap = spine.lattice.lookup(spine.place, suv), spine.lattice.lookup(spine.gap, suv)
    canal = (place == Place.CANAL) & (suv[:, 0] >= first_mm) & (suv[:, 0] <= last_mm)
    return np.asarray(canal | ((place == Place.FORAMEN) & np.isin(gap, closed)))


def _rim_of(mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> Any:
    """A tree of a mask's voxels with a neighbour outside it, in mm: the nearest to whatever lies outside."""
    box = bounding_box(mask, 1)
    assert box is not None
    own = mask[box]
    return spatial.cKDTree((voxels_of(own & ~ndimage.binary_erosion(own)) + start_of(box)) * np.array(spacing_mm))


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
