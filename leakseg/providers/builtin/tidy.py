"""One whole piece a vertebra: stray bone dropped, pores and marrow filled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from leakseg.balls import grown_by, worn_by

CLOSING_VOXELS = 2
WALL_REACH_VOXELS = 7
WALLS = 5
"""Cement is inside bone where it meets it within reach in this many of six directions."""


def tidy_labels(labels: NDArray[np.uint8], barred: NDArray[np.bool_], cement: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Each label's largest piece, closed and filled; nothing grows into ``barred`` or another label.

    It grows into ``cement`` only where the label's own bone encloses that: cement beside bone has leaked.
    """
    import cc3d

    out = np.zeros_like(labels)
    boxes = find_objects(labels)
    kept: list[tuple[int, tuple[slice, ...], NDArray[np.bool_]]] = []
    for number, box in enumerate(boxes, start=1):
        if box is None:
            continue
        window = tuple(
            slice(max(part.start - 4, 0), min(part.stop + 4, size))
            for part, size in zip(box, labels.shape, strict=True)
        )
        mask = _opened_piece(labels[window] == number, cement[window], cc3d)
        if mask is not None:
            kept.append((number, window, mask))
            out[window][mask] = number
    for number, window, mask in kept:
        filled = _fill_in_plane(_fill_in_plane(_close(mask), 0), 2)  # axial, then sagittal: transverse processes
        if cement[window].any():
            filled &= ~cement[window] | _enclosed(mask)
        view = out[window]
        view[filled & (view == 0) & ~barred[window]] = number
    return out


def _opened_piece(mask: NDArray[np.bool_], cement: NDArray[np.bool_], cc3d: object) -> NDArray[np.bool_] | None:
    """The largest 6-connected piece; cement connects, for it may fill a pedicle."""
    pieces = cc3d.connected_components(mask | cement, connectivity=6)  # type: ignore[attr-defined]  # untyped
    sizes = np.bincount(pieces[mask])
    if not len(sizes):
        return None
    return np.asarray(mask & (pieces == sizes.argmax()))


def _enclosed(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Voxels from which bone is met within reach in at least `WALLS` of the six directions of the grid."""
    met = np.zeros(mask.shape, np.uint8)
    for axis in range(3):
        for towards in (1, -1):
            bone = np.flip(mask, axis) if towards > 0 else mask
            place = np.arange(bone.shape[axis]).reshape([-1 if number == axis else 1 for number in range(3)])
            last = np.maximum.accumulate(np.where(bone, place, -WALL_REACH_VOXELS - 1), axis=axis)
            near = place - last <= WALL_REACH_VOXELS
            met += np.flip(near, axis) if towards > 0 else near
    return np.asarray(met >= WALLS)


def _close(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Closing by a ball."""
    ball = (CLOSING_VOXELS, (1.0, 1.0, 1.0))
    closed = worn_by(grown_by(np.pad(mask, 3), *ball), *ball)
    return closed[3:-3, 3:-3, 3:-3] | mask


def _fill_in_plane(mask: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """The mask with what it encloses in any section square to ``axis``."""
    in_plane = np.zeros((3, 3, 3), bool)
    in_plane[1, 1, 1] = True
    for other in {0, 1, 2} - {axis}:
        ends = [1, 1, 1]
        for end in (0, 2):
            ends[other] = end
            in_plane[tuple(ends)] = True
    padded = np.pad(mask, [(0, 0) if number == axis else (1, 1) for number in range(3)])
    empty, count = label(~padded, in_plane)
    outside = np.zeros(count + 1, bool)
    outside[0] = True
    for other in {0, 1, 2} - {axis}:
        outside[np.unique(np.take(empty, [0, -1], axis=other))] = True
    inner = tuple(slice(None) if number == axis else slice(1, -1) for number in range(3))
    return np.asarray(mask | ~outside[empty[inner]], dtype=bool)
