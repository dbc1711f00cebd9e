"""Dense matter that nothing explains is told: between bones without cement, and where the masks show no vertebra."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import Place, SpineAnatomy, SpineMasks
from leakseg.criteria import CementCriteria
from leakseg.findings import QualityNote
from leakseg.looking import between_bones
from leakseg.pieces import CementMap, ScanDensities
from leakseg.reach import connected_pieces, pieces_of, start_of
from leakseg.unlabelled import Lump
from leakseg.volume import Volume, denser_than

_LEAST_VOXELS = 2


def doubt_unexplained_matter(
    volume: Volume, masks: SpineMasks, densities: ScanDensities, spine: SpineAnatomy, criteria: CementCriteria
) -> tuple[QualityNote, ...]:
    """A note for each piece in canal, foramina or discs that is too dense for what lies there.

    Where no cement is found in any vertebra its density is unknown, and no leak is looked for. The cemented vertebra
    may lie beyond the scan all the same, or hold too little to be seen in thick sections. Discs calcify, and endplates
    reach into them: matter there is told where it is denser than the vertebrae.
    """
    hu, bone = volume.hu[densities.window], masks.vertebrae[densities.window] > 0
    seeds_hu = max(criteria.min_seed_hu, densities.cancellous + criteria.seed_above_cancellous_hu)
    # Screws in the vertebrae are no bone: with them nothing in a disc would be denser.
    bone_hu = float(np.percentile(hu[bone & ~densities.metal], criteria.unexplained_percentile))
    dense = denser_than(hu, seeds_hu)
    dense &= ~bone & ~densities.metal
    index = np.argwhere(dense)
    at = spine.axis.to_canal(densities.grid.to_patient(index))
    between = between_bones(spine, at)
    disc = (spine.lattice.lookup(spine.place, at) == Place.DISC) & (hu[tuple(index.T)] > bone_hu)
    return (
        *_notes(index[between], "the canal or a foramen", seeds_hu, densities, criteria),
        *_notes(index[disc], "a disc", max(seeds_hu, bone_hu), densities, criteria),
    )


def doubt_cement_without_vertebra(lumps: tuple[Lump, ...], found: CementMap) -> tuple[QualityNote, ...]:
    """A note for each lump as dense as cement where a body belongs and the masks show none, unless it was ``found``."""
    notes = []
    for lump in lumps:
        index = np.rint(found.grid.to_index(lump.points_mm)).astype(np.int64)
        inside = ((index >= 0) & (index < np.array(found.labels.shape))).all(axis=1)
        if np.count_nonzero(found.labels[tuple(index[inside].T)]) > len(index) / 2:
            continue
        x, y, z = lump.points_mm.mean(axis=0)
        notes.append(
            QualityNote(
                "cement_without_vertebra",
                "warning",
                f"{lump.size_mm3:.0f} mm3 denser than {lump.denser_than_hu:.0f} HU lie before the canal at x {x:.0f}, "
                f"y {y:.0f}, z {z:.0f} mm (LPS), where the masks show no vertebra: if it is cement they lack one, and "
                "what leaked from it was not looked for; look at it.",
            )
        )
    return tuple(notes)


def _notes(
    index: NDArray[np.int64], place: str, limit_hu: float, densities: ScanDensities, criteria: CementCriteria
) -> tuple[QualityNote, ...]:
    grid = densities.grid
    dense = np.zeros(grid.shape, np.bool_)
    dense[tuple(index.T)] = True
    least_mm3 = max(criteria.unexplained_min_mm3, _LEAST_VOXELS * grid.voxel_volume_mm3)
    pieces = connected_pieces(pieces_of(dense, least_mm3, grid.voxel_volume_mm3))
    notes = []
    for number, box in enumerate(ndimage.find_objects(pieces.astype(np.int32)), start=1):
        own = np.argwhere(pieces[box] == number) + start_of(box)
        x, y, z = grid.to_patient(own).mean(axis=0)
        notes.append(
            QualityNote(
                "dense_matter_unexplained",
                "warning",
                f"{len(own) * grid.voxel_volume_mm3:.0f} mm3 denser than {limit_hu:.0f} HU lie in {place} "
                f"at x {x:.0f}, y {y:.0f}, z {z:.0f} mm (LPS), but no cement was found in any vertebra, so that no "
                "leak was looked for: cement, calcification and contrast look alike; look at it.",
            )
        )
    return tuple(notes)
