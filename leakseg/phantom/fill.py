"""Cement inside bone: an irregular blob between trabeculae, kept off the cortex, of a wanted volume."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from leakseg.errors import AnatomyError
from leakseg.geometry import Grid
from leakseg.phantom.plan import FillPlan
from leakseg.phantom.raster import Window, cover
from leakseg.phantom.site import Site
from leakseg.phantom.solids import Blend, Solid, Tube, ball, roughen

_CORTEX_MM = 1.2


def fill_solid(site: Site, fill: FillPlan, rng: np.random.Generator) -> Solid:
    """Blob of melted balls with a rough surface; where it reaches to is the plan's."""
    frame = site.frame
    s, u, v = frame.centre
    depth, half = frame.wall_u_mm - frame.front_u_mm, frame.half_width_mm
    if fill.reach == "posterior_wall":
        u = frame.wall_u_mm - 0.28 * depth
    if fill.reach == "endplate":
        s += float(rng.choice([-1.0, 1.0])) * 0.28 * frame.height_mm
    v += {"left": 0.28, "right": -0.28, "none": float(rng.uniform(-0.08, 0.08))}[fill.lean] * half
    parts: list[Solid] = [ball(site.point(s, u, v), 6.0)]
    for _ in range(int(rng.integers(4, 7))):
        shift = rng.uniform(-1, 1, size=3) * (0.22 * frame.height_mm, 0.25 * depth, 0.3 * half)
        parts.append(ball(site.point(s + shift[0], u + shift[1], v + shift[2]), rng.uniform(3.0, 6.0)))
    blob: Solid = Blend(tuple(parts), 4.0)
    if fill.reach == "pedicle":
        side = str(rng.choice(["left", "right"])) if fill.lean == "none" else str(fill.lean)
        pedicle, sign = frame.pedicles[side], 1.0 if side == "left" else -1.0
        middle = sign * (pedicle.medial_mm + pedicle.lateral_mm) / 2
        stops = [(s, u, v), (pedicle.middle_mm, frame.wall_u_mm - 4, 0.9 * middle)]
        stops.append((pedicle.middle_mm, frame.wall_u_mm + rng.uniform(6.0, 10.0), middle))
        blob = Blend((blob, Tube(np.array([site.point(*stop) for stop in stops]), np.array([4.0, 2.8, 2.5]))), 2.0)
    return roughen(blob, float(rng.uniform(0.8, 1.3)), float(rng.uniform(4.0, 7.0)), rng)


def fill_cover(solid: Solid, own_bone: NDArray[np.bool_], grid: Grid, volume_mm3: float) -> NDArray[np.float32]:
    """Cover of the blob grown or shrunk until it has the volume, cut 1.2 mm inside the bone.

    Parameters
    ----------
    own_bone
        ``(k, j, i)`` bone of this vertebra on ``grid``.

    Raises
    ------
    AnatomyError
        Where the vertebra has not that much room.
    """
    import edt

    found = np.zeros(own_bone.shape, np.float32)
    part = _box(own_bone)
    found[part] = _fill_part(solid, own_bone[part], grid.crop(part), volume_mm3, edt.edt)
    return found


def _box(mask: NDArray[np.bool_]) -> Window:
    """The smallest window that holds a mask."""
    from scipy.ndimage import find_objects

    found = find_objects(mask.astype(np.uint8))
    if not found:
        raise AnatomyError("A vertebra that is to be filled is not in these masks.")
    first, second, third = found[0]
    return (first, second, third)


def _fill_part(
    solid: Solid, own_bone: NDArray[np.bool_], grid: Grid, volume_mm3: float, edt: Callable[..., NDArray[np.float32]]
) -> NDArray[np.float32]:
    depth = edt(own_bone, anisotropy=grid.spacing_mm, black_border=True, parallel=1)
    room = np.nonzero(depth > _CORTEX_MM)
    wanted = round(volume_mm3 / grid.voxel_volume_mm3)
    if wanted >= 0.8 * len(room[0]):
        raise AnatomyError(f"A vertebra in these masks has no room for {volume_mm3:.0f} mm3 of cement; ask for less.")
    blob = solid.distance_mm(grid.to_patient(np.stack(room, axis=-1)))
    level = float(np.partition(blob, wanted)[wanted])
    found = np.zeros(own_bone.shape, np.float32)
    found[room] = cover(np.maximum(blob - level, _CORTEX_MM - depth[room]), grid)
    return found
