"""Bone cement, told by what fills the bodies: it must not count as bone where it lies outside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_opening

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.frames import Frames, Straight
from leakseg.providers.builtin.levels import Cuts, Signals
from leakseg.providers.builtin.lumps import PLAINLY_DENSER, cement_lumps, places_without_facets, thick
from leakseg.providers.builtin.working import Block
from leakseg.reach import pieces_of
from leakseg.volume import Volume

Places = Callable[[FloatArray], NDArray[np.bool_]]
"""Which of points ``(M, 3)`` in grid mm lie in some place."""

SEED_ABOVE_SOFT_HU = 650.0
LEAST_PLATEAU_ABOVE_SOFT_HU = 800.0
LEAST_SEED_MM3 = 60.0
LEAST_PIECE_MM3 = 15.0
STRONG_SHARE = 0.7
"""Cement is followed through what is this share as dense: facets that touch it are seldom so."""
CORE_DENSITY, CORE_SHARE = 0.85, 0.3
"""A detached piece is cement where this share of it is nearly as dense as cement in the bodies, and that is
`PLAINLY_DENSER` than the densest hundredth of the bone."""
DENSEST_PERCENT, BEYOND_BONE = 99.0, 1.3
"""What is so much denser than the densest hundredth of the bone is cement, however thin.

Of verse005's bone, 1 voxel in 15,000 is so dense; of totalsegmentator_ct's, none."""
BEYOND_FACETS = 1.8
"""The same where facets are; pieces of 15 mm3 and more reach 1.7 in those of totalsegmentator_ct."""
LEAST_THICK_VOXELS = 3
"""So many of the scan's own voxels that hang together are cement if as dense; single ones of 3 mm are cortex, too."""
LUMP_SHARE = 0.55
"""A lump that no cement joins is cement of at least this share of the density of the cement in the bodies."""
STRAND_SHARE = 0.9
"""Thin cement is followed from lump to lump where cement is denser than this share of the densest hundredth of the
bone: less dense, cortex would be followed as well (thoracic_dicom with cement of 1100 HU: 88 mL of it)."""
MOST_STRANDS = 1.4
"""Less dense cement is followed where the whole piece holds no more than this many times its lumps."""
LUMP_RIM_VOXELS = 2
BLOOM_VOXELS = 3
CLEAR_OF_DISC_MM = 6.0
MARROW_ABOVE_SOFT_HU = 120.0


def find_bone_cement(
    block: Block,
    straight: Straight,
    frames: Frames,
    wall: Wall,
    signals: Signals,
    cuts: Cuts,
    densities: Densities,
    volume: Volume,
) -> NDArray[np.bool_]:
    """Cement on the fine block, wherever it lies, with the rim that its blur brightens; empty where none was given.

    Cement is sought deep in the bodies, where no cortex is, and followed out of them; what is as dense elsewhere is
    cement too where no bone of this scan is. ``volume`` is the scan that the block is made of.
    """
    N = len(frames)
    s, u, v = np.arange(N)[:, None, None], straight.u_mm[None, :, None], straight.v_mm[None, None, :]
    half = signals.half_width_mm[:, None, None]
    ahead = -u - wall.front_mm[:, None, None]
    deep = (np.abs(v) < 0.65 * half) & (ahead > 5) & (ahead < 1.1 * half)
    for cut in cuts.s_mm:
        deep &= np.abs(s - cut) > CLEAR_OF_DISC_MM
    seeds = deep & (np.nan_to_num(straight.hu, nan=-1000) > densities.soft_hu + SEED_ABOVE_SOFT_HU)
    seeds = binary_opening(seeds, np.ones((3, 3, 3), bool))  # lumps, no endplates where a disc was missed
    none = np.zeros(block.hu.shape, bool)
    if seeds.sum() < LEAST_SEED_MM3:
        return none
    plateau = float(np.percentile(straight.hu[seeds], 75))
    if plateau < densities.soft_hu + LEAST_PLATEAU_ABOVE_SOFT_HU:
        return none  # an ivory vertebra, a bone island: as cement, all dense bone would be
    rows, over, across = np.nonzero(seeds)
    places = frames.points_mm[rows] + straight.u_mm[over, None] * frames.back[rows]
    index = np.rint(block.to_index(places + straight.v_mm[across, None] * frames.left[rows])).astype(np.int64)
    index = np.clip(index, 0, np.array(block.hu.shape) - 1)
    strong_hu = densities.soft_hu + STRONG_SHARE * (plateau - densities.soft_hu)
    found = _joined_lumps(block, index, strong_hu)
    least_hu = densities.soft_hu + LUMP_SHARE * (plateau - densities.soft_hu)
    plain = found | cement_lumps(block, frames, wall, signals, densities, least_hu, 0.0)
    reached_hu = _bone_reaches(block, plain, densities)
    found |= cement_lumps(block, frames, wall, signals, densities, least_hu, reached_hu)
    found |= _with_strands(block, index, strong_hu, found, limited=strong_hu < STRAND_SHARE * reached_hu)
    if CORE_DENSITY * plateau > PLAINLY_DENSER * reached_hu:
        found |= _dense_pieces(block, strong_hu, CORE_DENSITY * plateau)
    beyond_bone_hu = max(densities.soft_hu + SEED_ABOVE_SOFT_HU, BEYOND_BONE * reached_hu)
    if beyond_bone_hu < strong_hu:
        facets_hu = max(beyond_bone_hu, BEYOND_FACETS * reached_hu)

        def no_facets(points_mm: FloatArray) -> NDArray[np.bool_]:
            return places_without_facets(points_mm, frames, wall, signals)[0]

        found |= _beyond_bone(block, beyond_bone_hu, facets_hu, no_facets)
        found |= _thick_voxels(volume, block, beyond_bone_hu, no_facets)
    dense = block.hu > (plateau + densities.soft_hu + 250) / 2
    rim = dense & binary_dilation(found, iterations=2)
    return np.asarray(binary_dilation(found | rim), dtype=bool)


def _joined_lumps(block: Block, seeds: NDArray[np.int64], least_hu: float) -> NDArray[np.bool_]:
    """Lumps as dense as ``least_hu`` that hold seeds ``(M, 3)``, with what is as dense at their rim."""
    import cc3d

    dense = block.hu > least_hu
    pieces = cc3d.connected_components(thick(dense), connectivity=6)
    held = _with_seeds(pieces, seeds, block)[pieces]
    return np.asarray(binary_dilation(held, iterations=LUMP_RIM_VOXELS) & dense, dtype=bool)


def _with_strands(
    block: Block, seeds: NDArray[np.int64], least_hu: float, lumps: NDArray[np.bool_], *, limited: bool
) -> NDArray[np.bool_]:
    """Pieces as dense as ``least_hu`` that hold seeds ``(M, 3)``; if ``limited``, none that is far more than lumps."""
    import cc3d

    pieces = cc3d.connected_components(block.hu > least_hu, connectivity=26)
    kept = _with_seeds(pieces, seeds, block)
    if limited:
        kept &= np.bincount(pieces.ravel()) <= MOST_STRANDS * np.bincount(pieces[lumps], minlength=len(kept))
    return np.asarray(kept[pieces], dtype=bool)


def _with_seeds(pieces: NDArray[np.unsignedinteger], seeds: NDArray[np.int64], block: Block) -> NDArray[np.bool_]:
    """``(count,)`` which of the numbered pieces hold enough of the seeds."""
    held = np.bincount(pieces[tuple(seeds.T)], minlength=int(pieces.max()) + 1)
    kept = held * block.step_mm**3 >= LEAST_SEED_MM3 / 4
    kept[0] = False
    return np.asarray(kept, dtype=bool)


def _dense_pieces(block: Block, least_hu: float, core_hu: float) -> NDArray[np.bool_]:
    """Pieces as dense as ``least_hu`` that hold enough of what is as dense as ``core_hu``."""
    import cc3d

    pieces = cc3d.connected_components(block.hu > least_hu, connectivity=26)
    size = np.bincount(pieces.ravel())
    core = np.bincount(pieces[block.hu > core_hu], minlength=len(size))
    kept = (core * block.step_mm**3 >= LEAST_PIECE_MM3) & (core >= CORE_SHARE * size)
    kept[0] = False
    return np.asarray(kept[pieces], dtype=bool)


def _beyond_bone(block: Block, least_hu: float, facets_hu: float, no_facets: Places) -> NDArray[np.bool_]:
    """Pieces as dense as ``least_hu``, and where facets may be as ``facets_hu``."""
    dense = block.hu > least_hu
    index = np.argwhere(dense & (block.hu <= facets_hu))
    dense[tuple(index.T)] = no_facets(index * block.step_mm + block.origin_mm)
    return pieces_of(dense, LEAST_PIECE_MM3 / block.step_mm**3, 1.0)


def _thick_voxels(volume: Volume, block: Block, least_hu: float, no_facets: Places) -> NDArray[np.bool_]:
    """Pieces as dense as ``least_hu`` by the scan's own voxels, where no facets are.

    Of a thick voxel, interpolation leaves little that is so dense, and it parts those that touch by a corner.
    """
    spacing = volume.grid.spacing_mm
    window, onto = [], []
    for axis, size in enumerate(block.hu.shape):
        at = np.rint((block.origin_mm[axis] + np.arange(size) * block.step_mm) / spacing[axis]).astype(np.int64)
        at = np.clip(at, 0, volume.grid.shape[axis] - 1)
        window.append(slice(int(at[0]), int(at[-1]) + 1))
        onto.append(at - at[0])
    dense = volume.hu[tuple(window)] > least_hu
    index = np.argwhere(dense)
    dense[tuple(index.T)] = no_facets((index + [part.start for part in window]) * np.array(spacing))
    least = max(LEAST_THICK_VOXELS, LEAST_PIECE_MM3 / volume.grid.voxel_volume_mm3)
    return pieces_of(dense, least, 1.0)[np.ix_(*onto)]


def _bone_reaches(block: Block, cement: NDArray[np.bool_], densities: Densities) -> float:
    """Density, HU, of this scan's densest bone, from what lies apart from the cement found so far."""
    apart = (block.hu > densities.bone_hu) & ~binary_dilation(cement, iterations=BLOOM_VOXELS)
    return float(np.percentile(block.hu[apart], DENSEST_PERCENT)) if apart.any() else float("inf")


def without_cement(block: Block, cement: NDArray[np.bool_], densities: Densities) -> Block:
    """The block with something like marrow in place of cement."""
    return replace(block, hu=np.where(cement, np.float32(densities.soft_hu + MARROW_ABOVE_SOFT_HU), block.hu))
