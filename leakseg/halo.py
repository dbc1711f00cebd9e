"""The bone's halo: how dense a voxel just outside bone may be by the blur of the scan alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from leakseg.balls import grown_bits
from leakseg.bits import Bits
from leakseg.blur import Index, blurred_at
from leakseg.criteria import CementCriteria
from leakseg.geometry import half_voxel_mm
from leakseg.pieces import ScanDensities
from leakseg.reach import Window, start_of, window_round
from leakseg.volume import denser_than

if TYPE_CHECKING:
    from scipy import sparse

_LAYER_MM, _MIN_LAYER, _FAINT = 0.5, 500, 0.02
"""Layers in which the bone's halo is measured: thickness, least voxels; a share that noise has anywhere."""


@dataclass(frozen=True, eq=False)
class Halo:
    """The share that voxels just outside bone may have by the blur of the bone and the cement in it alone.

    Zero elsewhere; infinite where too little of a layer is in view. ``rows`` are those of all slices, one after the
    other: few voxels are near bone.
    """

    rows: sparse.csr_array
    shape: tuple[int, ...]

    def within(self, room: Window) -> NDArray[np.float32]:
        """The share at each voxel of a block."""
        k, j, i = room
        numbers = np.add.outer(np.arange(k.start, k.stop) * self.shape[1], np.arange(j.start, j.stop))
        found = self.rows[numbers.ravel(), i.start : i.stop].toarray()
        return np.asarray(found.reshape(*numbers.shape, -1), dtype=np.float32)


def bone_halo(
    hu: NDArray[Any],
    vertebrae: NDArray[np.uint8],
    inner: NDArray[np.bool_],
    densities: ScanDensities,
    criteria: CementCriteria,
) -> Halo:
    """The bone's halo in the window of the densities.

    What lies inside the masks is blurred once more; how much of that is seen outside is measured in this scan
    itself, layer by layer, where no cement is near: masks drawn too narrow have a wide halo, and say so.
    """
    from scipy import sparse

    shape = (hu.shape[0] * hu.shape[1], hu.shape[2])
    room = window_round(vertebrae, criteria.halo_mm + max(densities.grid.spacing_mm), densities.grid.spacing_mm)
    if room is None:
        return Halo(sparse.csr_array(shape, dtype=np.float32), hu.shape)
    hu_there, own, iron = hu[room], vertebrae[room] > 0, densities.metal[room]
    layers = _layers(hu_there, own, Bits.of(iron), Bits.of(inner[room]), densities, criteria)
    index = layers.voxels.index()
    seen_through = _blur_of_bone(hu_there, own & ~iron if iron.any() else own, index, densities, criteria)
    known = (_share(hu_there[index], densities) / seen_through)[layers.quiet]
    number = layers.number[layers.quiet]
    seen = [_most_seen(known[number == one], less, criteria) for one, less in enumerate(layers.no_denser)]
    (k, j, i), start = index, start_of(room)
    ends = np.zeros(shape[0] + 1, np.int32)
    np.cumsum(np.bincount((k + start[0]) * hu.shape[1] + j + start[1], minlength=shape[0]), out=ends[1:])
    share = seen_through * np.array(seen, np.float32)[layers.number]
    return Halo(sparse.csr_array((share, (i + start[2]).astype(np.int32), ends), shape), hu.shape)


class _Layers(NamedTuple):
    """Voxels just outside bone: in which layer each lies, all equally far from bone, and whether nothing else is near.

    By layer ``no_denser`` counts the quiet voxels that are not among them.
    """

    voxels: Bits
    number: NDArray[np.uint8]
    quiet: NDArray[np.bool_]
    no_denser: list[int]


def _layers(
    hu: NDArray[Any],
    own: NDArray[np.bool_],
    iron: Bits,
    inner: Bits,
    densities: ScanDensities,
    criteria: CementCriteria,
) -> _Layers:
    """The voxels just outside bone, layer by layer; those no denser than soft tissue count as 0 and are not looked at.

    Nobody asks whether they are denser than the halo, and of what is found in a layer only the dense end is taken.
    """
    spacing = densities.grid.spacing_mm
    half_voxel = half_voxel_mm(spacing)
    bone, dense = Bits.of(own), Bits.of(denser_than(hu, densities.soft))
    noisy = grown_bits(inner, criteria.halo_away_mm, spacing, half_voxel) | iron
    ends = np.arange(0.0, criteria.halo_mm, _LAYER_MM) + _LAYER_MM
    reached = [grown_bits(bone, reach_mm, spacing, half_voxel) for reach_mm in (0.0, *ends)]
    no_denser = [(outer - nearer - noisy - dense).count() for nearer, outer in pairwise(reached)]
    shell = (reached[-1] - reached[0]) & dense
    loud, *within = shell.held_by((noisy, *reached[1:]))
    number = len(within) - np.add.reduce(within, axis=0, dtype=np.uint8)
    return _Layers(shell, number, ~loud, no_denser)


def _most_seen(known: NDArray[np.float32], no_denser: int, criteria: CementCriteria) -> float:
    """How much more than the blur of the bone is seen in a layer: infinite where too little of it is in view."""
    if no_denser + len(known) < _MIN_LAYER:
        return np.inf
    return float(np.percentile(np.append(known, np.zeros(no_denser, np.float32)), criteria.halo_percentile))


def _blur_of_bone(
    hu: NDArray[Any], own: NDArray[np.bool_], index: Index, densities: ScanDensities, criteria: CementCriteria
) -> NDArray[np.float32]:
    """What of the bone's density is seen at some voxels, by its blur and by what is faint anywhere."""
    blur_mm = (max(criteria.halo_blur_mm, 0.5 * step) for step in densities.grid.spacing_mm)
    sigma = [mm / step for mm, step in zip(blur_mm, densities.grid.spacing_mm, strict=True)]
    return blurred_at(hu, own, index, sigma, partial(_inside_share, densities=densities)) + np.float32(_FAINT)


def _inside_share(hu: NDArray[Any], densities: ScanDensities) -> NDArray[np.float32]:
    return _share(hu, densities).clip(0)


def _share(hu: NDArray[Any], densities: ScanDensities) -> NDArray[np.float32]:
    return densities.share(hu).astype(np.float32)
