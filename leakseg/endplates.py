"""A body's ends, rebuilt as smooth surfaces from the columns that no cement lies near."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import SpineAnatomy
from leakseg.geometry import FloatArray
from leakseg.likeness import TrustedBone
from leakseg.surface import second_order_surface

_MIN_COLUMNS = 40


def beyond_endplates(suv: FloatArray, own: TrustedBone, spine: SpineAnatomy, min_share: float) -> NDArray[np.float32]:
    """How far points ``(N, 3)`` lie beyond a body's ends, mm: each a smooth surface through its trusted columns."""
    beyond = np.zeros(len(suv), np.float32)
    whole = spine.body[own.box] & (spine.bone[own.box] == own.vertebra.level.number)
    for upper in (True, False):
        surface = end_surface(own, whole, spine, min_share, upper=upper)
        if surface is not None:
            beyond = np.maximum(beyond, (suv[:, 0] - surface(suv)) if upper else (surface(suv) - suv[:, 0]))
    return beyond.astype(np.float32)


def end_surface(
    own: TrustedBone, whole: NDArray[np.bool_], spine: SpineAnatomy, min_share: float, *, upper: bool
) -> Any:
    """A second-order surface ``s(u, v)`` through the ends of the columns that no cement lies near; None of too few."""
    flip = slice(None, None, -1) if upper else slice(None)
    first = np.argmax(whole[flip], axis=0)
    safe = np.take_along_axis(own.body[flip], first[None], axis=0)[0] & (whole.sum(axis=0) >= 5)
    inner = ndimage.binary_erosion(whole.any(axis=0), iterations=2)
    at = np.argwhere(safe & inner)
    if len(at) < max(_MIN_COLUMNS, min_share * np.count_nonzero(inner)):
        return None
    row = first[tuple(at.T)]
    row = whole.shape[0] - 1 - row if upper else row
    ends = spine.lattice.to_suv(np.column_stack([row, at]) + own.low)
    ends[:, 0] += (0.5 if upper else -0.5) * spine.lattice.step_mm
    return second_order_surface(ends)
