"""What a vertebra's bone is like where its own mask is not trusted: its other side, and its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import edt
import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineAnatomy, Vertebra
from leakseg.geometry import FloatArray
from leakseg.reach import Window, widened

_FAR_MM = 99.0
_ROOM_MM = 6.0


@dataclass(frozen=True, eq=False)
class TrustedBone:
    """Bone of one vertebra that no cement lies near, on the part of the lattice from ``low`` on.

    ``masked`` is all its bone, that beside its cement too.
    """

    vertebra: Vertebra
    low: NDArray[np.int64]
    masked: NDArray[np.bool_]
    bone: NDArray[np.bool_]
    body: NDArray[np.bool_]
    step_mm: float
    share: float

    @cached_property
    def distance_mm(self) -> NDArray[np.float32]:
        """Distance of each node to the surface of the trusted bone, half a step before its outermost nodes."""
        return self._distance_mm(self.bone)

    @cached_property
    def to_masked_mm(self) -> NDArray[np.float32]:
        """The same to the surface of all its bone."""
        return self._distance_mm(self.masked)

    def _distance_mm(self, bone: NDArray[np.bool_]) -> NDArray[np.float32]:
        to_nodes = edt.edt(~bone, anisotropy=(self.step_mm,) * 3, black_border=False)
        return np.asarray(np.maximum(to_nodes - np.float32(self.step_mm / 2), 0))

    @property
    def box(self) -> Window:
        """The part of the lattice that the arrays stand on."""
        parts = [slice(int(start), int(start) + size) for start, size in zip(self.low, self.bone.shape, strict=True)]
        return (parts[0], parts[1], parts[2])


def trusted_bone(
    vertebra: Vertebra, box: tuple[slice, slice, slice], wet: NDArray[np.bool_], spine: SpineAnatomy
) -> TrustedBone:
    """One vertebra's bone without the nodes that are not trusted; ``box`` is the part of the lattice that it fills."""
    box = widened(box, wet.shape, _ROOM_MM, (spine.lattice.step_mm,) * 3, spare=0)
    own = spine.bone[box] == vertebra.level.number
    bone = own & ~wet[box]
    return TrustedBone(
        vertebra,
        np.array([part.start for part in box]),
        own,
        bone,
        bone & spine.body[box],
        spine.lattice.step_mm,
        float(bone.sum() / own.sum()),
    )


def beyond_likeness(
    suv: FloatArray, number: int, trusted: dict[int, TrustedBone], spine: SpineAnatomy
) -> NDArray[np.float32]:
    """Distance from the trusted bone of the other side, and from the neighbours laid over this vertebra.

    Of a neighbour all its bone counts: cement in it hides its outline, and that it swallowed a leak at the same place
    is less likely than that its cement is in its bone.
    """
    own = trusted[number]
    mirrored = suv * np.array([1.0, 1.0, -1.0])
    nearest = _distance_at(mirrored, own, own.distance_mm, spine)
    order = [vertebra.level.number for vertebra in spine.vertebrae]
    place = order.index(number)
    for other in order[max(0, place - 1) : place] + order[place + 1 : place + 2]:
        model = trusted[other]
        scale = (model.vertebra.s_top_mm - model.vertebra.s_bottom_mm) / max(
            own.vertebra.s_top_mm - own.vertebra.s_bottom_mm, 1.0
        )
        moved = suv.copy()
        moved[:, 0] = model.vertebra.s_middle_mm + (suv[:, 0] - own.vertebra.s_middle_mm) * np.clip(scale, 0.8, 1.25)
        for sign in (1.0, -1.0):
            laid = moved * np.array([1.0, 1.0, sign])
            nearest = np.minimum(nearest, _distance_at(laid, model, model.to_masked_mm, spine))
    return nearest.astype(np.float32)


def _distance_at(
    suv: FloatArray, model: TrustedBone, distance_mm: NDArray[np.float32], spine: SpineAnatomy
) -> NDArray[np.float32]:
    at = np.rint(spine.lattice.to_index(suv)).astype(np.int64) - model.low
    inside = ((at >= 0) & (at < np.array(model.bone.shape))).all(axis=1)
    at[~inside] = 0
    return np.where(inside, distance_mm[tuple(at.T)], _FAR_MM).astype(np.float32)
