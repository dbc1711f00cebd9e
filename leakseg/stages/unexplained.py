"""Dense matter in canal and foramina of a scan whose vertebrae hold no cement: told, for nothing explains it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from leakseg.anatomy import SpineAnatomy, SpineMasks
from leakseg.criteria import CementCriteria
from leakseg.findings import QualityNote
from leakseg.looking import between_bones
from leakseg.pieces import ScanDensities
from leakseg.reach import connected_pieces, pieces_of
from leakseg.volume import Volume, denser_than


def doubt_unexplained_matter(
    volume: Volume, masks: SpineMasks, densities: ScanDensities, spine: SpineAnatomy, criteria: CementCriteria
) -> tuple[QualityNote, ...]:
    """A note for each piece in canal or foramina that is too dense for what lies there.

    Where no cement is found in any vertebra its density is unknown, and no leak is looked for. The cemented vertebra
    may lie beyond the scan all the same, or hold too little to be seen in thick sections.
    """
    window, grid = densities.window, densities.grid
    limit = max(criteria.min_seed_hu, densities.cancellous + criteria.seed_above_cancellous_hu)
    dense = denser_than(volume.hu[window], limit)
    dense &= (masks.vertebrae[window] == 0) & ~densities.metal
    index = np.argwhere(dense)
    dense[tuple(index[~between_bones(spine, spine.axis.to_canal(grid.to_patient(index)))].T)] = False
    pieces = connected_pieces(pieces_of(dense, criteria.unexplained_min_mm3, grid.voxel_volume_mm3))
    notes = []
    for number, box in enumerate(ndimage.find_objects(pieces.astype(np.int32)), start=1):
        own = np.argwhere(pieces[box] == number) + [part.start for part in box]
        x, y, z = grid.to_patient(own).mean(axis=0)
        notes.append(
            QualityNote(
                "dense_matter_unexplained",
                "warning",
                f"{len(own) * grid.voxel_volume_mm3:.0f} mm3 denser than {limit:.0f} HU lie in the canal or a foramen "
                f"at x {x:.0f}, y {y:.0f}, z {z:.0f} mm (LPS), but no cement was found in any vertebra, so that no "
                "leak was looked for: cement, calcification and contrast look alike; look at it.",
            )
        )
    return tuple(notes)
