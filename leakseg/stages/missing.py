"""Vertebrae that the masks lack, drawn after their neighbours, so that the discs and foramina beside them are seen.

A model may leave a vertebra out. Where a name is skipped, or where the spine goes on beyond a vertebra that holds
cement, or on to cement itself, a neighbour's shape is moved along the canal to where the scan shows its like: bright
inside its surface and darker outside. It is drawn only where it fits the scan nearly as well as in its own place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cc3d
import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import SpineAnatomy, SpineMasks, Vertebra
from leakseg.coordinates import Pose
from leakseg.criteria import MissingCriteria
from leakseg.findings import QualityNote
from leakseg.geometry import FloatArray, distance_to_surface_mm
from leakseg.pieces import ScanDensities
from leakseg.reach import Window
from leakseg.unlabelled import Gap, Lump, missing_levels
from leakseg.volume import Volume

_ROOM_S_MM = 75.0
_MOST_SAMPLES = 2500
_COARSE = 4
_HEIGHTS = (0.85, 0.92, 1.0, 1.08, 1.16)
_PITCHES = (-0.15, 0.0, 0.15)


@dataclass(frozen=True, eq=False)
class _Scene:
    """What the scan shows near a gap on nodes a millimetre apart: brightness 0 to 1 (NaN beyond it), and labels."""

    start: FloatArray
    bright: NDArray[np.float32]
    taken: NDArray[np.uint8]

    def at(self, suv: FloatArray) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        index = np.rint(suv - self.start).astype(np.int64)
        inside = ((index >= 0) & (index < np.array(self.bright.shape))).all(axis=-1)
        index[~inside] = 0
        bright = np.where(inside, self.bright[tuple(index.T)], np.nan).astype(np.float32)
        return bright, np.where(inside, self.taken[tuple(index.T)], 0).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class _Model:
    """One vertebra's shape, ``(N, 3)`` canal coordinates about its middle: nodes just inside and just outside it."""

    vertebra: Vertebra
    solid: NDArray[np.bool_]
    low: FloatArray
    middle: FloatArray
    inner: FloatArray
    outer: FloatArray


def rebuild_missing_levels(
    volume: Volume,
    masks: SpineMasks,
    spine: SpineAnatomy,
    densities: ScanDensities,
    lumps: tuple[Lump, ...],
    criteria: MissingCriteria,
) -> tuple[SpineMasks, tuple[QualityNote, ...]]:
    """The masks with missing levels drawn where the scan shows them, and a warning for each.

    Where the masks' vertebrae hold no cement, only those levels are drawn in whose place one of the `unlabelled_lumps`
    lies: else nothing has to be told from anything.
    """
    gaps = list(missing_levels(masks, spine, densities, lumps, criteria))
    if lumps and not densities.has_cement:
        largest = max(lumps, key=lambda lump: lump.size_mm3)
        densities = replace(densities, plateau=largest.plateau_hu, cortex=largest.denser_than_hu)
    vertebrae: NDArray[np.uint8] | None = None
    notes = []
    for gap in gaps:
        scene = _scene(volume, masks, spine, densities, gap)
        drawn = _best(scene, [_model(vertebra, spine) for vertebra in gap.beside], gap, criteria)
        if drawn is None:
            continue
        window, solid = _rasterise(masks, spine, *drawn)
        vertebrae = masks.to_relabel() if vertebrae is None else vertebrae
        free = vertebrae[window] == 0
        if masks.canal is not None:
            free &= ~masks.canal[window]
        solid &= free
        solid &= ~_leaked(volume, window, solid, free, densities, criteria)
        vertebrae[window][solid] = gap.level.number
        notes.append(
            QualityNote(
                "mask_level_rebuilt",
                "warning",
                f"The masks lack a vertebra where the scan shows one beside {gap.beside[0].level.value}: it was drawn "
                f"after {drawn[0].vertebra.level.value}'s shape and called {gap.level.value} by its place. "
                "Discs and foramina beside it are less exact, and cement of its own may be told as a leak.",
            )
        )
    return (masks if vertebrae is None else replace(masks, vertebrae=vertebrae)), tuple(notes)


def _scene(volume: Volume, masks: SpineMasks, spine: SpineAnatomy, densities: ScanDensities, gap: Gap) -> _Scene:
    """The scan on nodes round the gap and round the vertebrae beside it."""
    marks = [gap.low_mm, gap.high_mm, *(one.s_middle_mm for one in gap.beside)]
    s = np.arange(np.floor(min(marks) - _ROOM_S_MM / 2), max(marks) + _ROOM_S_MM / 2)
    u = np.arange(spine.lattice.u_start_mm, spine.lattice.u_start_mm + spine.lattice.shape[1])
    v = np.arange(spine.lattice.v_start_mm, spine.lattice.v_start_mm + spine.lattice.shape[2])
    inverse = masks.grid.inverse
    line = np.column_stack([s, np.zeros((len(s), 2))])
    origin = spine.axis.to_patient(line)
    backward, left = (
        ((spine.axis.to_patient(line + np.eye(3)[way]) - origin) @ inverse[:3, :3].T).astype(np.float32)
        for way in (1, 2)
    )
    start = (origin @ inverse[:3, :3].T + inverse[:3, 3]).astype(np.float32)
    bright = np.full((len(s), len(u), len(v)), np.nan, np.float32)
    taken = np.zeros(bright.shape, np.uint8)
    span = densities.edge(densities.soft, 0.5) - densities.soft
    span = min(span, max(densities.cortex - densities.soft, 100.0))
    for row in range(len(s)):
        index = start[row] + u.astype(np.float32)[:, None, None] * backward[row]
        index = np.rint(index + v.astype(np.float32)[None, :, None] * left[row]).astype(np.int32)
        inside = ((index >= 0) & (index < np.array(masks.grid.shape))).all(axis=-1)
        k, j, i = np.moveaxis(index[inside], -1, 0)
        bright[row][inside] = np.clip((volume.hu[k, j, i] - densities.soft) / span, 0.0, 1.0)
        taken[row][inside] = masks.vertebrae[k, j, i]
    return _Scene(np.array([s[0], u[0], v[0]]), bright, taken)


def _model(vertebra: Vertebra, spine: SpineAnatomy) -> _Model:
    own = spine.bone == vertebra.level.number
    box = ndimage.find_objects(own.astype(np.uint8))[0]
    pad = 5
    box = tuple(slice(max(0, part.start - pad), part.stop + pad) for part in box)
    solid = own[box]
    low = spine.lattice.to_suv(np.array([[part.start for part in box]], dtype=np.float64))[0]
    middle = np.array([vertebra.s_middle_mm, vertebra.body_centre_suv_mm[1], 0.0])
    step = (spine.lattice.step_mm,) * 3
    depth = edt.edt(solid, anisotropy=step, black_border=False)
    height = edt.edt(~solid, anisotropy=step, black_border=False)
    rng = np.random.default_rng(0)
    inner, outer = (
        _some(np.argwhere(shell), rng) * spine.lattice.step_mm + low - middle
        for shell in ((depth > 0) & (depth <= 2.0), (height > 1.5) & (height <= 3.5))
    )
    return _Model(vertebra, solid, low, middle, inner, outer)


def _some(index: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    if len(index) <= _MOST_SAMPLES:
        return index
    return np.asarray(index[np.sort(rng.choice(len(index), _MOST_SAMPLES, replace=False))])


def _fit(scene: _Scene, model: _Model, pose: Pose, own: int, criteria: MissingCriteria) -> float:
    """How much brighter the scan is just inside the model's surface than just outside; bone with a label is not."""
    inside, taken_inside = scene.at(pose.place(model.inner, model.middle))
    outside, taken_outside = scene.at(pose.place(model.outer, model.middle))
    seen = np.isfinite(inside)
    if seen.mean() < criteria.min_in_view_share:
        return -1.0
    inside = np.where((taken_inside > 0) & (taken_inside != own), 0.0, inside)
    free = np.isfinite(outside) & ((taken_outside == 0) | (taken_outside == own))
    if not free.any():
        return -1.0
    return float(inside[seen].mean() - outside[free].mean())


def _best(scene: _Scene, models: list[_Model], gap: Gap, criteria: MissingCriteria) -> tuple[_Model, Pose] | None:
    """The model and the pose that fit best; None where none fits nearly as well as in its own place."""
    found: list[tuple[float, _Model, Pose]] = []
    for model in models:
        at_home = _fit(scene, model, Pose(0.0), model.vertebra.level.number, criteria)
        middle = model.vertebra.s_middle_mm
        poses = [
            Pose(s - middle, height=height, pitch=pitch)
            for s in np.arange(gap.low_mm, gap.high_mm + 1)
            for height in _HEIGHTS
            for pitch in _PITCHES
        ]
        pose = max(poses, key=lambda one: _fit(scene, model, one, 0, criteria))
        for _ in range(3):
            pose = _refined(scene, model, pose, criteria)
        fit = _fit(scene, model, pose, 0, criteria)
        if at_home > 0 and fit >= criteria.min_likeness * at_home:
            found.append((fit, model, pose))
    if not found:
        return None
    _, model, pose = max(found, key=lambda one: one[0])
    return model, pose


def _refined(scene: _Scene, model: _Model, pose: Pose, criteria: MissingCriteria) -> Pose:
    """The pose with each of its numbers in turn set to the best of a few near it."""
    for name, changes in (
        ("s_mm", np.arange(-2.0, 2.5, 0.5)),
        ("u_mm", np.arange(-3.0, 3.5, 1.0)),
        ("v_mm", np.arange(-3.0, 3.5, 1.0)),
        ("pitch", np.arange(-0.12, 0.13, 0.04)),
        ("width", np.arange(-0.06, 0.07, 0.03)),
        ("height", np.arange(-0.06, 0.07, 0.03)),
        ("roll", np.arange(-0.06, 0.07, 0.03)),
    ):
        near = [replace(pose, **{name: getattr(pose, name) + float(change)}) for change in changes]
        pose = max(near, key=lambda one: _fit(scene, model, one, 0, criteria))
    return pose


def _rasterise(masks: SpineMasks, spine: SpineAnatomy, model: _Model, pose: Pose) -> tuple[Window, NDArray[np.bool_]]:
    """The model in its pose on the voxels of a window."""
    nodes = np.argwhere(model.solid) * spine.lattice.step_mm + model.low
    points = spine.axis.to_patient(pose.place(nodes - model.middle, model.middle))
    inverse = masks.grid.inverse
    index = points @ inverse[:3, :3].T + inverse[:3, 3]
    low = np.clip(np.floor(index.min(axis=0)).astype(int) - 2, 0, np.array(masks.grid.shape) - 1)
    high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 3, low + 1, masks.grid.shape)
    window = (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])), slice(int(low[2]), int(high[2])))
    shape = tuple(int(size) for size in high - low)
    sparse = [np.arange(0, size + _COARSE, _COARSE, dtype=np.float64) for size in shape]
    corners = np.stack(np.meshgrid(*sparse, indexing="ij"), axis=-1)
    home = pose.home(spine.axis.to_canal(masks.grid.to_patient(corners.reshape(-1, 3) + low)), model.middle)
    home = ((home - model.low) / spine.lattice.step_mm).reshape(corners.shape)
    every = np.stack(np.meshgrid(*(np.arange(size) / _COARSE for size in shape), indexing="ij"))
    at = [ndimage.map_coordinates(home[..., axis], every, order=1, mode="nearest") for axis in range(3)]
    solid = ndimage.map_coordinates(model.solid.astype(np.float32), at, order=1, mode="constant") >= 0.5
    return window, np.asarray(solid)


def _leaked(
    volume: Volume,
    window: Window,
    solid: NDArray[np.bool_],
    free: NDArray[np.bool_],
    densities: ScanDensities,
    criteria: MissingCriteria,
) -> NDArray[np.bool_]:
    """Cement near the drawn surface that goes on outside: a leak that the neighbour's shape would take in."""
    dense = free & (volume.hu[window] > densities.edge(densities.cortex, 0.5))
    if not dense.any():
        return dense
    depth = distance_to_surface_mm(solid, volume.grid.spacing_mm)
    pieces = cc3d.connected_components(dense & (depth <= criteria.surface_play_mm), connectivity=26)
    size = np.bincount(pieces.ravel())
    beyond = np.bincount(pieces[~solid], minlength=len(size))
    goes_on = beyond >= criteria.min_outside_share * size
    goes_on[0] = False
    return np.asarray(goes_on[pieces])
