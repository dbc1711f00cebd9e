"""Cement is what is denser than the scan's own bone and fills a body; a dense body alone is none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import Grid
from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.cement import find_bone_cement
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.frames import make_frames, straighten
from leakseg.providers.builtin.levels import Cuts, Signals
from leakseg.providers.builtin.working import resample
from leakseg.volume import Volume

DENSITIES = Densities(40.0, 170.0)
SHAPE = (100, 100, 100)
Z, Y, X = np.indices(SHAPE).astype(float) - np.array([0.0, 60.0, 50.0])[:, None, None, None]
"""Patient mm, the canal's axis at y = x = 0 and its wall 9 mm away."""
BODY = (np.hypot(Y + 26, X) < 17) & (np.abs(Z - 45) < 12)
LUMP = (np.hypot(Y + 26, X) < 7) & (np.abs(Z - 45) < 7)
STRAND = (np.hypot(Y + 26, X - 30) < 1.5) & (np.abs(Z - 45) < 10)
"""Beside the body, clear of it."""
ARCH = (np.abs(Y - 16) < 3) & (np.abs(X) < 15) & (np.abs(Z - 45) < 12)


CORTEX = BODY & ((np.hypot(Y + 26, X) > 14) | (np.abs(X) < 2))
"""A shell, with a plate that reaches the lump."""


BESIDE = np.sqrt((Y + 26) ** 2 + (X - 26) ** 2 + (Z - 45) ** 2) < 5
"""A lump beside the body, apart from the cement within it."""
FORAMEN = np.sqrt((Y + 5) ** 2 + (X + 15) ** 2 + (Z - 45) ** 2) < 3.5
"""A lump beside the canal, before the facets."""
SHEET = (np.abs(X) < 17) & (Y > -45) & (Y < 12) & (Z == 45)
"""Bone a millimetre thin that runs through the cement in the body and far beyond."""


def found(
    body_hu: float,
    arch_hu: float,
    lump_hu: float | None = None,
    *,
    cortex_hu: float | None = None,
    more: tuple[tuple[NDArray[np.bool_], float], ...] = (),
    voxel: int = 1,
) -> NDArray[np.bool_]:
    """Cement in a body, an arch behind the canal, a lump within the body, a strand of 1000 HU beside it, and more.

    Seen in voxels of so many mm.
    """
    hu = np.full(SHAPE, 40.0, np.float32)
    strand_hu = None if lump_hu is None else 1000.0
    for where, value in (
        (BODY, body_hu), (CORTEX, cortex_hu), (ARCH, arch_hu), (STRAND, strand_hu), *more, (LUMP, lump_hu),
    ):  # fmt: skip
        if value is not None:
            hu[where] = value
    scan = np.ascontiguousarray(hu[::voxel, ::voxel, ::voxel])
    affine = np.array([[0.0, 0, voxel, 0], [0, voxel, 0, 0], [voxel, 0, 0, 0], [0, 0, 0, 1]])
    volume = Volume(Grid(scan.shape, affine), scan)
    block = resample(scan, (float(voxel),) * 3, 1.0)
    last = block.hu.shape[0] - 1  # the scan's own zero lies at the corner
    frames = make_frames(np.stack([np.arange(float(last)), np.full(last, 60.0), np.full(last, 50.0)], axis=1))
    count = len(frames)
    wall = Wall(2 * np.pi * np.arange(72) / 72, np.full((count, 72), 9.0), np.ones(count), np.ones(count))
    flat = np.zeros(count)
    signals = Signals(flat, flat, flat, flat, np.full(count, 20.0))
    cuts = Cuts(np.array([30.0, 60.0]), np.zeros(2), np.ones(2), 0.0)
    straight = straighten(block, frames, np.arange(-50.0, 30.0), np.arange(-40.0, 41.0))
    return find_bone_cement(block, straight, frames, wall, signals, cuts, DENSITIES, volume)


def test_a_lump_and_a_thin_strand_denser_than_any_bone_are_cement() -> None:
    cement = found(200, 500, 1900)
    assert cement[LUMP].all()
    assert cement[STRAND].all()
    assert not cement[ARCH].any()


def test_a_strand_no_denser_than_the_scans_own_bone_is_left() -> None:
    cement = found(200, 1050, 1900)
    assert cement[LUMP].all()
    assert not cement[STRAND].any()
    assert not cement[ARCH].any()


def test_dense_cortex_that_touches_the_cement_is_still_bone() -> None:
    cement = found(200, 500, 1900, cortex_hu=900)
    assert cement[LUMP].all()
    assert cement[CORTEX & (np.hypot(Y + 26, X) > 12)].mean() < 0.05


def test_facets_as_dense_as_cement_with_little_barium_are_bone() -> None:
    cement = found(200, 1250, 1350)
    assert cement[LUMP].all()
    assert not cement[ARCH].any()


def test_lumps_before_the_facets_are_cement_though_facets_are_as_dense() -> None:
    cement = found(200, 1150, 1350, more=((BESIDE, 1100), (FORAMEN, 1100)))
    assert cement[BESIDE].all()
    assert cement[FORAMEN].mean() > 0.9
    assert not cement[ARCH].any()


def test_a_lump_half_as_dense_as_the_cement_in_the_body_is_left() -> None:
    assert not found(200, 500, 2800, more=((BESIDE, 1200),))[BESIDE].any()


def test_thin_bone_as_dense_as_cement_with_little_barium_is_not_followed_out_of_it() -> None:
    cement = found(200, 1300, 1200, more=((SHEET, 1000),))
    assert cement[LUMP].all()
    assert cement[SHEET & (np.hypot(Y + 26, X) > 11)].mean() < 0.05


def test_an_ivory_vertebra_holds_no_cement() -> None:
    assert not found(750, 600).any()


def test_plain_bone_holds_no_cement() -> None:
    assert not found(200, 600).any()


def test_single_thick_voxels_that_touch_by_a_corner_are_cement_before_the_canal_and_bone_behind_it() -> None:
    steps = [(45, 24, 69), (48, 27, 72), (51, 30, 75)]
    behind = [(k, j + 54, 51) for k, j, _ in steps]
    voxels = [tuple(slice(at - 1, at + 2) for at in centre) for centre in (*steps, *behind)]
    more = []
    for where in voxels:
        mask = np.zeros(SHAPE, bool)
        mask[where] = True
        more.append((mask, 1300.0))
    cement = found(200, 500, 1900, more=tuple(more), voxel=3)
    assert all(cement[where].mean() > 0.8 for where in voxels[:3])
    assert not any(cement[where].any() for where in voxels[3:])


def test_a_dense_lump_behind_the_canal_is_cement_unless_the_other_side_is_as_dense() -> None:
    """verse005, 1.2 times as dense, in 3 mm slices: both partes interarticulares of L4 were told as leaks."""
    left, right = (np.sqrt((Y - 14) ** 2 + (X - side * 17) ** 2 + (Z - 45) ** 2) < 4 for side in (1, -1))
    assert found(200, 1100, 1500, more=((left, 1380.0),))[left].all()
    both = found(200, 1100, 1500, more=((left, 1380.0), (right, 1350.0)))
    assert not both[left].any()
    assert not both[right].any()
    tracks = found(200, 1100, 2100, more=((left, 1900.0), (right, 1900.0)))
    assert tracks[left].all()
    assert tracks[right].all()
