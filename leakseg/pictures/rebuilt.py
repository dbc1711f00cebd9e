"""The canal that leakseg rebuilt where no mask shows one, on the voxels of a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import SpineAnatomy
from leakseg.geometry import Grid


def rebuilt_canal(anatomy: SpineAnatomy, grid: Grid) -> NDArray[np.bool_]:
    """``(K, J, I)`` inside the canal as the analysis saw it: lattice nodes brought onto voxels, gaps closed."""
    canal = np.zeros(grid.shape, bool)
    nodes = np.argwhere(anatomy.canal).astype(np.float64)
    if not len(nodes):
        return canal
    finer = max(1, int(np.ceil(anatomy.lattice.step_mm / min(grid.spacing_mm))))
    between = (np.arange(finer) + 0.5) / finer - 0.5
    steps = np.stack(np.meshgrid(between, between, between, indexing="ij"), axis=-1).reshape(-1, 3)
    limits = np.array(grid.shape)
    for step in steps:
        points = anatomy.axis.to_patient(anatomy.lattice.to_suv(nodes + step))
        index = np.rint(grid.to_index(points)).astype(np.int64)
        index = index[((index >= 0) & (index < limits)).all(axis=1)]
        canal[tuple(index.T)] = True
    found = ndimage.find_objects(canal.astype(np.uint8))
    if found and found[0] is not None:
        canal[found[0]] = ndimage.binary_closing(canal[found[0]], np.ones((3, 3, 3))) | canal[found[0]]
    return canal
