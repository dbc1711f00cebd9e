"""Masks that err as real ones do; what is written beside the scan, never the truth.

Kinds after `leakseg`'s list of known traps: networks that never saw cement swallow it, leave holes for it, or leave
it out of the canal; neighbours are mixed (TotalSegmentator issues 291 and 394).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import VertebraLevel
from leakseg.geometry import Grid

if TYPE_CHECKING:  # plans import recipes, which name these faults
    from leakseg.phantom.plan import Phantom

REACH_MM = 6.0
"""How far from its bone a mask swallows a leak."""
MARGIN_MM = 1.0
"""How much a mask takes in round what it swallows, and leaves out round what it leaves out."""
COARSE_MM = 3.0
"""Voxels of coarse masks: those of TotalSegmentator's fast model."""


class MaskFault(StrEnum):
    """How masks err."""

    SWALLOWS_LEAK = "swallows_leak"
    CEMENT_HOLE = "cement_hole"
    CANAL_LEAVES_OUT = "canal_leaves_out"
    WIDE = "wide"
    NARROW = "narrow"
    MIXED_NEIGHBOURS = "mixed_neighbours"
    MISSING_LEVEL = "missing_level"
    COARSE = "coarse"


@dataclass(frozen=True, eq=False)
class WrittenMasks:
    """Masks as they are written: ``vertebrae`` holds `VertebraLevel.number`; both ``(K, J, I)`` on ``grid``."""

    grid: Grid
    vertebrae: NDArray[np.uint8]
    canal: NDArray[np.bool_]

    def levels(self) -> tuple[VertebraLevel, ...]:
        """Levels that the mask holds, cranial to caudal."""
        return tuple(VertebraLevel.from_number(int(number)) for number in np.unique(self.vertebrae) if number)


def masks_of(phantom: Phantom) -> WrittenMasks:
    """The masks without fault."""
    return WrittenMasks(phantom.masks.grid, phantom.masks.vertebrae, phantom.canal)


def with_fault(phantom: Phantom, fault: MaskFault, rng: np.random.Generator) -> WrittenMasks:
    """The phantom's masks with a fault."""
    faults: dict[MaskFault, Callable[[Phantom, np.random.Generator], WrittenMasks]] = {
        MaskFault.SWALLOWS_LEAK: _swallow,
        MaskFault.CEMENT_HOLE: _hole,
        MaskFault.CANAL_LEAVES_OUT: _leave_out,
        MaskFault.WIDE: _widen,
        MaskFault.NARROW: _narrow,
        MaskFault.MIXED_NEIGHBOURS: _mix,
        MaskFault.MISSING_LEVEL: _miss,
        MaskFault.COARSE: _coarsen,
    }
    return faults[fault](phantom, rng)


def _swallow(phantom: Phantom, _rng: np.random.Generator) -> WrittenMasks:
    """Each leak within reach of its vertebra becomes bone of that vertebra, with a margin; the canal gives way."""
    grid, vertebrae = phantom.masks.grid, phantom.masks.vertebrae.copy()
    for leak in phantom.leaks:
        own = vertebrae == leak.level.number
        near = _within(own, grid, REACH_MM) & (phantom.leak_labels == leak.id)
        vertebrae[_within(near, grid, MARGIN_MM) & (vertebrae == 0)] = leak.level.number
    return WrittenMasks(grid, vertebrae, phantom.canal & (vertebrae == 0))


def _hole(phantom: Phantom, _rng: np.random.Generator) -> WrittenMasks:
    """Cement inside bone is no bone."""
    vertebrae = phantom.masks.vertebrae.copy()
    vertebrae[phantom.cement_labels == 1] = 0
    return WrittenMasks(phantom.masks.grid, vertebrae, phantom.canal)


def _leave_out(phantom: Phantom, _rng: np.random.Generator) -> WrittenMasks:
    """Cement in the canal is no canal, nor is what lies close round it."""
    grid = phantom.masks.grid
    left_out = _within(phantom.cement_labels > 0, grid, MARGIN_MM)
    return WrittenMasks(grid, phantom.masks.vertebrae, phantom.canal & ~left_out)


def _widen(phantom: Phantom, _rng: np.random.Generator) -> WrittenMasks:
    """One voxel more all round each vertebra; where two meet, neither gains on the other."""
    from scipy.ndimage import grey_dilation

    vertebrae = phantom.masks.vertebrae
    wider = grey_dilation(vertebrae, footprint=_cross())
    vertebrae = np.where(vertebrae > 0, vertebrae, wider).astype(np.uint8)
    return WrittenMasks(phantom.masks.grid, vertebrae, phantom.canal & (vertebrae == 0))


def _narrow(phantom: Phantom, _rng: np.random.Generator) -> WrittenMasks:
    """One voxel less all round each vertebra."""
    from scipy.ndimage import binary_erosion

    vertebrae = np.zeros_like(phantom.masks.vertebrae)
    for level in phantom.masks.levels():
        kept = binary_erosion(phantom.masks.vertebrae == level.number, _cross(), border_value=1)
        vertebrae[kept] = level.number
    return WrittenMasks(phantom.masks.grid, vertebrae, phantom.canal)


def _mix(phantom: Phantom, rng: np.random.Generator) -> WrittenMasks:
    """A slab of one vertebra beside its neighbour, a sixth to a third of its height, carries the neighbour's name."""
    vertebrae, levels = phantom.masks.vertebrae.copy(), phantom.masks.levels()
    if len(levels) > 1:
        upper = int(rng.integers(len(levels) - 1))
        pair = (levels[upper], levels[upper + 1])
        giver, taker = pair if rng.random() < 0.5 else pair[::-1]
        own = np.argwhere(vertebrae == giver.number)
        height = phantom.masks.grid.to_patient(own)[:, 2]
        share = rng.uniform(1 / 6, 1 / 3)
        low = giver is pair[0]
        cut = np.quantile(height, share if low else 1 - share)
        lost = own[height < cut if low else height > cut]
        vertebrae[tuple(lost.T)] = taker.number
    return WrittenMasks(phantom.masks.grid, vertebrae, phantom.canal)


def _miss(phantom: Phantom, rng: np.random.Generator) -> WrittenMasks:
    """One level is not there; an untreated one, for without the treated one nothing is left to measure from."""
    treated = set(phantom.cement.inside_by_level_mm3)
    free = [level for level in phantom.masks.levels() if level not in treated]
    vertebrae = phantom.masks.vertebrae.copy()
    if free:
        vertebrae[vertebrae == free[int(rng.integers(len(free)))].number] = 0
    return WrittenMasks(phantom.masks.grid, vertebrae, phantom.canal)


def _coarsen(phantom: Phantom, _rng: np.random.Generator) -> WrittenMasks:
    """Masks on a grid of their own with voxels of 3 mm; each voxel is what fills the most of it, half at least."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    grid = phantom.masks.grid
    spacing = np.asarray(grid.spacing_mm)
    shape = np.maximum(np.ceil(np.asarray(grid.shape) * spacing / COARSE_MM), 1).astype(int)
    affine = grid.affine.copy()
    affine[:3, :3] = grid.affine[:3, :3] / spacing * COARSE_MM
    affine[:3, 3] = grid.to_patient((COARSE_MM / spacing - 1) / 2)
    coarse = Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine, grid.frame_of_reference_uid)
    places = np.indices(coarse.shape, dtype=np.float64).reshape(3, -1)
    places = (places + 0.5) * (COARSE_MM / spacing)[:, None] - 0.5

    def cover(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        smooth = gaussian_filter(mask.astype(np.float32), COARSE_MM / spacing / np.sqrt(12.0), mode="nearest")
        return np.asarray(map_coordinates(smooth, places, order=1, mode="nearest"), np.float32).reshape(coarse.shape)

    vertebrae, strongest = np.zeros(coarse.shape, np.uint8), np.full(coarse.shape, 0.5, np.float32)
    for level in phantom.masks.levels():
        share = cover(phantom.masks.vertebrae == level.number)
        wins = share > strongest
        vertebrae[wins], strongest[wins] = level.number, share[wins]
    return WrittenMasks(coarse, vertebrae, (cover(phantom.canal) >= 0.5) & (vertebrae == 0))


def _within(mask: NDArray[np.bool_], grid: Grid, reach_mm: float) -> NDArray[np.bool_]:
    """Voxels whose centre lies at most that far from one of the mask's."""
    from edt import edt

    if not mask.any():
        return mask
    return np.asarray(edt(~mask, anisotropy=grid.spacing_mm, black_border=False) <= reach_mm)


def _cross() -> NDArray[Any]:
    from scipy.ndimage import generate_binary_structure

    return np.asarray(generate_binary_structure(3, 1))
