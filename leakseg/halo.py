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
from leakseg.blur import blurred_blocks
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

    spacing, shape = densities.grid.spacing_mm, (hu.shape[0] * hu.shape[1], hu.shape[2])
    room = window_round(vertebrae, criteria.halo_mm + max(spacing), spacing)
    if room is None:
        return Halo(sparse.csr_array(shape, dtype=np.float32), hu.shape)
    shares, rows, columns = [], [], []
    for layer in _layers(hu[room], vertebrae[room] > 0, densities.metal[room], inner[room], densities, criteria):
        known = np.concatenate(layer.known)
        seen = np.percentile(known, criteria.halo_percentile) if len(known) >= _MIN_LAYER else np.inf
        k, j, i = np.concatenate(layer.places, axis=1) + start_of(room).astype(np.int32)[:, None]
        rows.append(k * hu.shape[1] + j)
        columns.append(i)
        shares.append(np.concatenate(layer.seen_through) * np.float32(seen))
    at = np.concatenate(rows), np.concatenate(columns)
    return Halo(sparse.csr_array((np.concatenate(shares), at), shape), hu.shape)


class _Layer(NamedTuple):
    """Voxels equally far from bone, part by part: where they lie, and what of the bone's density is seen there.

    ``known`` is the share that is found over that, of all those of which the blur is known to explain it.
    """

    places: list[NDArray[np.int32]]
    seen_through: list[NDArray[np.float32]]
    known: list[NDArray[np.float32]]


def _layers(
    hu: NDArray[Any],
    own: NDArray[np.bool_],
    iron: NDArray[np.bool_],
    inner: NDArray[np.bool_],
    densities: ScanDensities,
    criteria: CementCriteria,
) -> list[_Layer]:
    """The voxels just outside bone, layer by layer; those no denser than soft tissue count as 0 and are not looked at.

    Nobody asks whether they are denser than the halo, and of what is found in a layer only the dense end is taken.
    """
    spacing = densities.grid.spacing_mm
    half_voxel = half_voxel_mm(spacing)
    bone, dense = Bits.of(own), Bits.of(denser_than(hu, densities.soft))
    noisy = grown_bits(Bits.of(inner), criteria.halo_away_mm, spacing, half_voxel) | Bits.of(iron)
    ends = np.arange(0.0, criteria.halo_mm, _LAYER_MM) + _LAYER_MM
    reached = [grown_bits(bone, reach_mm, spacing, half_voxel) for reach_mm in (0.0, *ends)]
    rings = [outer - nearer for nearer, outer in pairwise(reached)]
    no_denser = [np.zeros((ring - noisy - dense).count(), np.float32) for ring in rings]
    layers = [_Layer([np.empty((3, 0), np.int32)], [np.empty(0, np.float32)], [known]) for known in no_denser]
    blur_mm = (max(criteria.halo_blur_mm, 0.5 * step) for step in spacing)
    sigma = [mm / step for mm, step in zip(blur_mm, spacing, strict=True)]
    inside = partial(_inside_share, densities=densities)
    blurred = own & ~iron if iron.any() else own
    shell = (reached[-1] - reached[0]) & dense
    for (upright, rows, columns), blur in blurred_blocks(hu, blurred, shell, sigma, inside):
        asked, loud = shell.sections(upright), noisy.sections(upright)
        for ring, layer in zip(rings, layers, strict=True):
            there = ring.sections(upright) & asked
            for quiet, some in ((True, there - loud), (False, there & loud)):
                k, j, i = some.index()
                seen_through = blur[k, j - rows.start, i - columns.start] + np.float32(_FAINT)
                layer.places.append(np.array([k + upright.start, j, i], np.int32))
                layer.seen_through.append(seen_through)
                if quiet:
                    layer.known.append(_share(hu[upright][k, j, i], densities) / seen_through)
    return layers


def _inside_share(hu: NDArray[Any], densities: ScanDensities) -> NDArray[np.float32]:
    return _share(hu, densities).clip(0)


def _share(hu: NDArray[Any], densities: ScanDensities) -> NDArray[np.float32]:
    return densities.share(hu).astype(np.float32)
