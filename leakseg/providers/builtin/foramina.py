"""Cement beside and behind the canal that drawn bone would take in, told by the patient's other levels and other side.

In the foramina, before the facets; and behind the pedicles, where a needle leaves a track through the muscle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leakseg.providers.builtin.unlike import Known, Room, unlike_its_place

FORAMINA = Room(np.arange(0.0, 16.0), np.arange(-4.0, 9.0), least_share=0.6, muscle=False)
"""Farther back the facets of one patient differ from level to level."""
BEHIND_PEDICLES = Room(np.arange(-6.0, 36.0), np.arange(6.0, 62.0), least_share=0.5, muscle=True)
"""In a pedicle cement has not leaked; in muscle nothing is dense, and a needle's track there is thin and blurred."""


def cement_beside_arch(known: Known) -> NDArray[np.bool_]:
    """Voxels of the block in foramina and behind pedicles that are cement, known to have left the bone."""
    return cement_in_foramina(known) | needle_tracks(known)


def cement_in_foramina(known: Known) -> NDArray[np.bool_]:
    """Voxels of the block in the foramina that are too dense for their place."""
    return unlike_its_place(known, FORAMINA)


def needle_tracks(known: Known) -> NDArray[np.bool_]:
    """Voxels of the block behind the pedicles, in muscle, that are too dense for their place."""
    return unlike_its_place(known, BEHIND_PEDICLES)
