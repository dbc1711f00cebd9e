"""What a scan itself says of its tissues: soft tissue, cancellous bone, cortex, and the cement's plateau.

No published HU separates vertebral PMMA from cortex. The cement's own density is seen deep inside the
bodies, where no cortex lies; cortex is seen in the rims of vertebrae that hold no cement.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.allocator import untouched
from leakseg.anatomy import SpineAnatomy, SpineMasks, VertebraLevel
from leakseg.balls import worn_bits
from leakseg.bits import Bits
from leakseg.criteria import CementCriteria
from leakseg.geometry import Grid, bounding_box, distance_to_surface_mm, half_voxel_mm, voxels_of
from leakseg.pieces import LEVELS_TO_COMPARE, ScanDensities
from leakseg.reach import Window, connected_pieces, deeper, pieces_of, relative_to, widened, window_round, within
from leakseg.volume import Volume, denser_inside, percentile_hu

_SECTIONS = 2
"""Sections that are counted at a time."""


def read_densities(
    volume: Volume,
    masks: SpineMasks,
    spine: SpineAnatomy,
    window: Window,
    metal: NDArray[np.bool_],
    criteria: CementCriteria,
) -> ScanDensities:
    """Densities in a window round the vertebrae, and the cement that is beyond doubt.

    Cement is sought in the bodies only: in a vertebra's arch, cortex lies as deep as cancellous bone.

    Parameters
    ----------
    volume, masks
        On the same grid.
    window
        From `search_window`.
    metal
        ``(k, j, i)`` metal in the window: a screw in a body is no cement.
    """
    grid = volume.grid.crop(window)
    hu = volume.hu[window]
    soft = _soft_tissue_hu(hu, masks.vertebrae[window])
    box = relative_to(masks.block, window, 1)  # a border of the block would be no surface
    there = within(box, window)
    windows = {level.number: relative_to(filled, there) for level, filled in masks.windows.items()}
    bony = _Bone(volume.hu[there], masks.vertebrae[there], metal[box], masks.grid.crop(there), windows)
    sure, cancellous, plateau = _seeds(bony, spine, criteria)
    cortex = _cortex_hu(bony, sure, criteria) if np.isfinite(plateau) else float("nan")
    seeds = untouched(grid.shape)
    seeds[box][sure] = True
    return ScanDensities(window, grid, soft, cancellous, cortex, plateau, seeds, metal)


def search_window(masks: SpineMasks, margin_mm: float) -> Window:
    """The part of the scan in which leaks are looked for: all vertebrae with a margin."""
    box = masks.block
    assert box is not None
    parts = []
    for part, size, step in zip(box, masks.grid.shape, masks.grid.spacing_mm, strict=True):
        reach = int(np.ceil(margin_mm / step))
        parts.append(slice(max(0, part.start - reach), min(size, part.stop + reach)))
    return (parts[0], parts[1], parts[2])


def _soft_tissue_hu(hu: NDArray[Any], vertebrae: NDArray[np.uint8]) -> float:
    """Mode of the soft tissue between fat and contrast (-20 to 120 HU), smoothed."""
    pairs = np.zeros((256, 256), np.int64)
    for first in range(0, len(hu), _SECTIONS):
        there = slice(first, first + _SECTIONS)
        values = np.clip(hu[there] + 40, 0, 180).astype(np.uint8)
        values *= vertebrae[there] == 0
        even = np.append(values, np.zeros(values.size % 2, np.uint8))
        pairs += np.bincount(even.view(np.uint16), minlength=1 << 16).reshape(256, 256)  # two in one look
    counts = (pairs.sum(axis=0) + pairs.sum(axis=1))[:180].astype(np.float64)
    counts[0] = 0  # bone, and what is no denser than -40 HU
    if counts.sum() < 100:
        return 40.0
    smooth = ndimage.gaussian_filter1d(counts, 10.0)
    return float(np.argmax(smooth[20:160])) - 20.0


@dataclass(frozen=True, eq=False)
class _Bone:
    """The vertebrae with a border round them, in densities, level numbers and metal, each ``(k, j, i)``.

    ``windows`` are the blocks that they fill, by level number.
    """

    hu: NDArray[Any]
    vertebrae: NDArray[np.uint8]
    iron: NDArray[np.bool_]
    grid: Grid
    windows: dict[int, Window]

    @cached_property
    def metal(self) -> Bits:
        return Bits.of(self.iron)

    @cached_property
    def bits(self) -> Bits:
        return Bits.of(self._inside[0])

    @cached_property
    def _inside(self) -> tuple[NDArray[np.bool_], NDArray[Any], NDArray[np.uint8]]:
        there = self.vertebrae > 0
        return there, self.hu[there], self.vertebrae[there]

    def found(self, where: Bits) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Densities and level numbers of some voxels of the bone."""
        there, values, levels = self._inside
        some = where.mask()[there]
        return values[some], levels[some]

    @cached_property
    def _worn(self) -> dict[float, Bits]:
        return {}

    def deeper(self, depth_mm: float) -> Bits:
        """Bone farther than that from its surface."""
        if depth_mm not in self._worn:
            spacing = self.grid.spacing_mm
            self._worn[depth_mm] = worn_bits(self.bits, depth_mm, spacing, half_voxel_mm(spacing))
        return self._worn[depth_mm]


def _seeds(bony: _Bone, spine: SpineAnatomy, criteria: CementCriteria) -> tuple[NDArray[np.bool_], float, float]:
    """Cement that is beyond doubt, the cancellous bone's density, and the cement's plateau (NaN without cement)."""
    hu, grid = bony.hu, bony.grid
    deep = bony.deeper(criteria.deep_mm) - bony.metal
    quartiles = [percentile_hu(values, 40) for values in _by_level(bony, deep) if values.size >= 30]
    cancellous = float(np.clip(np.min(quartiles), -100, 600)) if quartiles else 150.0
    limit = max(criteria.min_seed_hu, cancellous + criteria.seed_above_cancellous_hu)
    asked = Bits.of(denser_inside(hu, limit, bony.vertebrae, bony.iron))
    dense = (asked & deep).mask() | _deep_in_crushed(bony, asked - deep, deep, criteria)
    voxel_mm3 = grid.voxel_volume_mm3
    smallest_mm3 = max(criteria.min_seed_volume_mm3, criteria.few_seed_voxels * voxel_mm3)
    seeds = pieces_of(_in_bodies(dense, grid, spine), smallest_mm3, voxel_mm3)
    seeds = _without_dense_marrow(bony, seeds, criteria)
    shallow = _beyond_bone(bony, spine, seeds, criteria)
    if not seeds.any():
        seeds, shallow = shallow, seeds
    box = bounding_box(seeds, 1)
    if box is None:
        return seeds, cancellous, float("nan")
    core = ndimage.binary_erosion(seeds[box])
    values = hu[box][core if core.sum() >= 20 else seeds[box]]
    return seeds | shallow, cancellous, percentile_hu(values, 70)


def _without_dense_marrow(bony: _Bone, seeds: NDArray[np.bool_], criteria: CementCriteria) -> NDArray[np.bool_]:
    """Seeds without small pieces far less dense than cortex: marrow at a pedicle's root in a sharpened scan.

    Of few voxels, they are none unless plainly denser than cortex.
    """
    voxel_mm3 = bony.grid.voxel_volume_mm3
    larger_mm3 = max(criteria.small_seed_mm3, (criteria.min_seed_voxels - 1) * voxel_mm3)
    small = seeds & ~pieces_of(seeds, float(np.nextafter(larger_mm3, np.inf)), voxel_mm3)
    if not small.any():
        return seeds
    cortex_hu = _cortex_hu(bony, seeds, criteria)
    index = voxels_of(small)
    owner, hu = connected_pieces(small)[tuple(index.T)], bony.hu[tuple(index.T)]
    for piece in np.unique(owner):
        own = owner == piece
        few = np.count_nonzero(own) < criteria.min_seed_voxels
        if np.median(hu[own]) < (criteria.beyond_bone if few else criteria.small_seed_share) * cortex_hu:
            seeds[tuple(index[own].T)] = False
    return seeds


def _in_bodies(dense: NDArray[np.bool_], grid: Grid, spine: SpineAnatomy) -> NDArray[np.bool_]:
    """A mask without what lies in no vertebral body (changed in place)."""
    index = voxels_of(dense)
    in_body = spine.lattice.lookup(spine.body, spine.axis.to_canal(grid.to_patient(index)))
    dense[tuple(index[~in_body].T)] = False
    return dense


def _beyond_bone(
    bony: _Bone, spine: SpineAnatomy, seeds: NDArray[np.bool_], criteria: CementCriteria
) -> NDArray[np.bool_]:
    """Cement that lies nowhere deep: in bodies without other seeds, denser than the densest bone of most vertebrae."""
    clear = _by_level(bony, bony.bits - bony.metal)
    tops = [percentile_hu(hu, criteria.bone_top_percentile) for hu in clear if hu.size >= 30]
    if len(tops) < LEVELS_TO_COMPARE:
        return np.zeros(bony.hu.shape, np.bool_)
    limit = max(criteria.min_seed_hu, criteria.beyond_bone * float(np.median(tops)))
    dense = denser_inside(bony.hu, limit, bony.vertebrae, bony.iron)
    index = voxels_of(dense)
    treated = np.isin(bony.vertebrae[tuple(index.T)], np.unique(bony.vertebrae[seeds]))
    dense[tuple(index[treated].T)] = False
    voxel_mm3 = bony.grid.voxel_volume_mm3
    smallest_mm3 = max(criteria.beyond_bone_mm3, criteria.beyond_bone_voxels * voxel_mm3)
    return pieces_of(_in_bodies(dense, bony.grid, spine), smallest_mm3, voxel_mm3)


def _deep_in_crushed(bony: _Bone, asked: Bits, deep: Bits, criteria: CementCriteria) -> NDArray[np.bool_]:
    """Which of the voxels asked for lie in the middle of a vertebra that a fracture left too flat to be deep anywhere.

    A vertebra's depth is measured where such a voxel may lie deep enough, and where the vertebra is too flat: in few.
    """
    vertebrae, spacing = bony.vertebrae, bony.grid.spacing_mm
    middle = untouched(vertebrae.shape)
    if asked.any():
        asked &= bony.deeper(criteria.min_deep_mm)
    deep_enough_mm = criteria.deep_mm / criteria.deep_share
    for number in np.unique(asked.values(vertebrae)).tolist():
        room = widened(bony.windows[number], vertebrae.shape, deep_enough_mm, spacing, spare=2)
        own = (vertebrae[room] == number) & ~bony.iron[room]
        bone = vertebrae[room] > 0
        core = window_round(own & deep.block(room), deep_enough_mm, spacing, spare=2)
        if core is not None and (deeper(bone[core], deep_enough_mm, spacing) & own[core]).any():
            continue
        depth = distance_to_surface_mm(bone, spacing)
        wanted = np.clip(criteria.deep_share * depth[own].max(), criteria.min_deep_mm, criteria.deep_mm)
        middle[room] |= own & asked.block(room) & (depth >= np.float32(wanted))
    return middle


def _by_level(bony: _Bone, where: Bits) -> list[NDArray[Any]]:
    values, levels = bony.found(where)
    return [values[levels == level] for level in np.unique(levels)]


def _cortex_hu(bony: _Bone, seeds: NDArray[np.bool_], criteria: CementCriteria) -> float:
    """Density of dense cortex: from the vertebra whose rim is least touched by cement; screws are no cortex."""
    rim = bony.bits - bony.deeper(criteria.rim_mm)
    clear = rim - bony.metal
    values, owner = bony.found(clear if clear.any() else rim)
    treated = np.zeros(len(VertebraLevel) + 1, np.bool_)
    treated[bony.vertebrae[seeds]] = True
    untreated = values[~treated[owner]]
    return percentile_hu(untreated if len(untreated) else values, criteria.cortex_percentile)
