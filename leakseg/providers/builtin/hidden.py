"""What cement hides of the straightened scan, carried over along the spine's axis.

Left out of a mean, hidden voxels leave rows of other depths to be compared, and a plate that is seen on one side of
cement alone passes for a disc's. Carried over, they are neither bright nor dark.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

HALO_MM = 2
"""Cement brightens so much round what is taken for it: a bright rim beside dark marrow is no plate."""


def with_halo(cement: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What cement hides of the straightened scan ``(N, U, V)``, of steps of 1 mm."""
    return np.asarray(binary_dilation(cement, iterations=HALO_MM), dtype=bool) if cement.any() else cement


def carried_past(hidden: NDArray[np.bool_], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """``values`` ``(N, U, V)``, each line along the axis straight from where what is hidden begins to where it ends.

    Lines that are hidden or out of view throughout stay as they are.
    """
    out, place = values.copy(), np.arange(len(values))
    for u, v in np.argwhere(hidden.any(axis=0)):
        line, over = out[:, u, v], hidden[:, u, v]
        seen = ~over & np.isfinite(line)
        if seen.any():
            line[over] = np.interp(place[over], place[seen], line[seen])
    return out
