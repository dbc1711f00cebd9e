"""One whole piece a vertebra: stray bone dropped, pores and marrow filled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, find_objects

CLOSING_VOXELS = 2


def tidy_labels(labels: NDArray[np.uint8], barred: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Each label's largest piece, closed and filled; nothing grows into ``barred`` or another label."""
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
        mask = _opened_piece(labels[window] == number, cc3d)
        if mask is not None:
            kept.append((number, window, mask))
            out[window][mask] = number
    for number, window, mask in kept:
        filled = _fill(_close(mask))
        view = out[window]
        view[filled & (view == 0) & ~barred[window]] = number
    return out


def _opened_piece(mask: NDArray[np.bool_], cc3d: object) -> NDArray[np.bool_] | None:
    """The largest 6-connected piece."""
    pieces, count = cc3d.connected_components(mask, connectivity=6, return_N=True)  # type: ignore[attr-defined]  # untyped
    if count == 0:
        return None
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray(pieces == sizes.argmax())


def _close(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Closing by a ball, through distances."""
    import edt

    grown = edt.edt(~np.pad(mask, 3)) <= CLOSING_VOXELS
    closed = edt.edt(grown) > CLOSING_VOXELS
    return np.asarray(closed[3:-3, 3:-3, 3:-3]) | mask


def _fill(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    out = mask.copy()
    for index in range(len(mask)):
        if mask[index].any():
            out[index] = binary_fill_holes(mask[index])
    return out
