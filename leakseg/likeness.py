"""What a vertebra's bone is like where its own mask is not trusted: its other side, and its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import edt
import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineAnatomy, Vertebra
from leakseg.geometry import FloatArray
from leakseg.reach import Window, widened

T = TypeVar("T", bound=np.generic)
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
    is less likely than that its cement is in its bone. Where a point lies in one of them, how far it lies from the
    others is not asked.
    """
    own = trusted[number]
    laid = [(own, own.bone, suv * np.array([1.0, 1.0, -1.0])), *_over_neighbours(suv, number, trusted, spine)]
    inside = np.any([_found(bone, model, at, spine, elsewhere=False) for model, bone, at in laid], axis=0)
    nearest = np.where(inside, 0.0, _FAR_MM).astype(np.float32)
    for model, bone, at in [] if inside.all() else laid:
        to_bone_mm = model.distance_mm if bone is model.bone else model.to_masked_mm
        nearest = np.minimum(nearest, _found(to_bone_mm, model, at, spine, elsewhere=_FAR_MM))
    return nearest


def _over_neighbours(
    suv: FloatArray, number: int, trusted: dict[int, TrustedBone], spine: SpineAnatomy
) -> Iterator[tuple[TrustedBone, NDArray[np.bool_], FloatArray]]:
    """The vertebrae beside one, all their bone, and points brought into each as it is and mirrored."""
    own = trusted[number].vertebra
    order = [vertebra.level.number for vertebra in spine.vertebrae]
    place = order.index(number)
    for other in order[max(0, place - 1) : place] + order[place + 1 : place + 2]:
        model = trusted[other]
        scale = (model.vertebra.s_top_mm - model.vertebra.s_bottom_mm) / max(own.s_top_mm - own.s_bottom_mm, 1.0)
        moved = suv.copy()
        moved[:, 0] = model.vertebra.s_middle_mm + (suv[:, 0] - own.s_middle_mm) * np.clip(scale, 0.8, 1.25)
        for sign in (1.0, -1.0):
            yield model, model.masked, moved * np.array([1.0, 1.0, sign])


def _found(
    values: NDArray[T], model: TrustedBone, suv: FloatArray, spine: SpineAnatomy, *, elsewhere: float
) -> NDArray[T]:
    """What an array of the model holds at points, and what is taken beyond it."""
    at = np.rint(spine.lattice.to_index(suv)).astype(np.int64) - model.low
    inside = ((at >= 0) & (at < np.array(model.bone.shape))).all(axis=1)
    at[~inside] = 0
    return np.where(inside, values[tuple(at.T)], values.dtype.type(elsewhere))
