"""How a leak hangs on inner cement: channels that feed it, what touches what, crumbs cut off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import Grid
from leakseg.phantom.raster import Window, cover, points_of, window_of
from leakseg.phantom.site import Unplaceable
from leakseg.phantom.solids import Solid


def feed(
    channels: tuple[Solid, ...], grid: Grid, bone: NDArray[np.uint8], number: int, inside: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Inner cement with the channels that lead to the leak, as far as they run in the vertebra's own bone."""
    fed = inside.copy()
    for channel in channels:
        part = window_of(grid, channel)
        if part is not None:
            lead = cover(channel.distance_mm(points_of(grid, part)), grid) * (bone[part] == number)
            fed[part] = np.maximum(fed[part], lead)
    return fed


def whole_leak(leak: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The leak without crumbs, and its core; its main piece must hold 0.92 of it."""
    import cc3d

    labels = cc3d.connected_components(leak > 0.5, connectivity=26)
    sizes = np.bincount(labels.ravel(), weights=leak.ravel())
    sizes[0] = 0
    main = int(np.argmax(sizes))
    if sizes[main] == 0:
        raise Unplaceable
    core = labels == main
    kept = np.where(core | ((labels == 0) & near(core)), leak, 0.0).astype(np.float32)
    if kept.sum() < 0.92 * leak.sum():
        raise Unplaceable
    return kept, core


def pieces(inside: NDArray[np.float32], least: int = 400) -> NDArray[np.bool_]:
    """Inner cement without pieces of fewer than ``least`` voxels, such as a channel that leads nowhere."""
    import cc3d

    found = np.zeros(inside.shape, np.bool_)
    part = box_of(inside > 0.5)
    found[part] = cc3d.dust(inside[part] > 0.5, threshold=least, connectivity=26)
    return found


def touch(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether two covers come within three voxels of each other."""
    return bool((near(near(near(one > 0))) & (other > 0)).any())


def near(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask and its 26 neighbours."""
    grown = np.zeros_like(mask)
    part = grow(box_of(mask), 2, mask.shape)
    block = mask[part]
    for axis in range(3):
        wide = block.copy()
        lower: list[slice] = [slice(None)] * 3
        upper: list[slice] = [slice(None)] * 3
        lower[axis], upper[axis] = slice(None, -1), slice(1, None)
        wide[tuple(lower)] |= block[tuple(upper)]
        wide[tuple(upper)] |= block[tuple(lower)]
        block = wide
    grown[part] = block
    return grown


def box_of(mask: NDArray[np.bool_]) -> Window:
    """The smallest window that holds a mask."""
    sides = []
    for axis in range(3):
        seen = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if len(seen) == 0:
            raise Unplaceable
        sides.append(slice(int(seen[0]), int(seen[-1]) + 1))
    return (sides[0], sides[1], sides[2])


def grow(part: Window, by: int, shape: tuple[int, ...]) -> Window:
    """A window wider by some voxels, within a shape."""
    first, second, third = (
        slice(max(side.start - by, 0), min(side.stop + by, size)) for side, size in zip(part, shape, strict=True)
    )
    return (first, second, third)


def within(grid: Grid, solid: Solid) -> bool:
    """Whether a solid lies inside a grid."""
    low, high = solid.box()
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    index = grid.to_index(corners)
    return bool((index.min(axis=0) >= 0).all() and (index.max(axis=0) <= np.array(grid.shape) - 1).all())
