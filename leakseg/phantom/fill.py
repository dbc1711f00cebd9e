"""Cement inside bone: blobs between trabeculae, or a cleft's lens, kept off the cortex, of a wanted volume."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from leakseg.errors import AnatomyError
from leakseg.geometry import Grid
from leakseg.phantom.plan import FillPlan
from leakseg.phantom.raster import Window, cover
from leakseg.phantom.site import Site
from leakseg.phantom.solids import Blend, Cut, Ellipsoid, Solid, Tube, ball, roughen

_CORTEX_MM = 1.2
_ASIDE = 0.45
"""How far to the side a blob lies that was injected through one pedicle, of half the body's width."""


class Fill(NamedTuple):
    """Inner cement as drawn: its solid and the middles of its blobs, canal coordinates."""

    solid: Solid
    hearts: tuple[tuple[float, float, float], ...] = ()


def fill_shape(site: Site, fill: FillPlan, rng: np.random.Generator) -> Fill:
    """Blobs of melted balls with a rough surface, as the plan's pattern, reach, edge and bubbles want them."""
    shape = _pattern(site, fill, rng)
    solid = shape.solid
    if fill.edge == "diffuse":
        solid = roughen(solid, float(rng.uniform(0.9, 1.4)), float(rng.uniform(2.2, 3.2)), rng)
    if fill.bubbles:
        middles = shape.hearts or (site.frame.centre,)
        voids: list[Solid] = []
        for _ in range(fill.bubbles):
            s, u, v = middles[int(rng.integers(len(middles)))]
            shift = rng.normal(size=3) * 4.5
            voids.append(ball(site.point(s + shift[0], u + shift[1], v + shift[2]), float(rng.uniform(0.5, 1.5))))
        solid = Cut(solid, Blend(tuple(voids)))
    return Fill(solid, shape.hearts)


def _pattern(site: Site, fill: FillPlan, rng: np.random.Generator) -> Fill:
    frame = site.frame
    if fill.pattern == "single":
        return Fill(fill_solid(site, fill, rng))
    s, u, v = frame.centre
    if fill.pattern == "cleft":
        return _cleft(site, rng)
    leans = {"left": (1.0,), "right": (-1.0,), "none": (1.0, -1.0)}[fill.lean]
    hearts, blobs = [], []
    for sign in leans:
        place = (s + rng.uniform(-0.1, 0.1) * frame.height_mm, u, v + sign * _ASIDE * frame.half_width_mm)
        hearts.append(place)
        blobs.append(_blob(site, fill, place, 0.75, rng))
    solid: Solid = Blend(tuple(blobs), 2.0) if len(blobs) > 1 else blobs[0]
    return Fill(roughen(solid, float(rng.uniform(0.8, 1.3)), float(rng.uniform(4.0, 7.0)), rng), tuple(hearts))


def _cleft(site: Site, rng: np.random.Generator) -> Fill:
    """The fracture's cleft where the ground knows it; else a flat lens under the upper endplate, to the front."""
    frame = site.frame
    known = site.ground.clefts.get(frame.level)
    if known is not None:
        low, high = known.box()
        s, u, v = site.ground.survey.line.to_suv((low + high)[None] / 2)[0]
        return Fill(known, ((float(s), float(u), float(v)),))
    depth = frame.wall_u_mm - frame.front_u_mm
    heart = (
        frame.top_mm - rng.uniform(0.25, 0.35) * frame.height_mm,
        frame.front_u_mm + rng.uniform(0.38, 0.48) * depth,
        frame.middle_v_mm + rng.uniform(-2.0, 2.0),
    )
    radii = (rng.uniform(2.5, 4.0), 0.36 * depth, 0.6 * frame.half_width_mm)
    return Fill(roughen(Ellipsoid(site.point(*heart), radii, site.axes()), 0.4, 8.0, rng), (heart,))


def fill_solid(site: Site, fill: FillPlan, rng: np.random.Generator) -> Solid:
    """One blob with a rough surface; where it reaches to is the plan's."""
    frame = site.frame
    s, u, v = frame.centre
    depth, half = frame.wall_u_mm - frame.front_u_mm, frame.half_width_mm
    if fill.reach == "posterior_wall":
        u = frame.wall_u_mm - 0.28 * depth
    if fill.reach == "endplate":
        s += float(rng.choice([-1.0, 1.0])) * 0.28 * frame.height_mm
    v += {"left": 0.28, "right": -0.28, "none": float(rng.uniform(-0.08, 0.08))}[fill.lean] * half
    blob = _blob(site, fill, (s, u, v), 1.0, rng)
    return roughen(blob, float(rng.uniform(0.8, 1.3)), float(rng.uniform(4.0, 7.0)), rng)


def _blob(
    site: Site, fill: FillPlan, heart: tuple[float, float, float], size: float, rng: np.random.Generator
) -> Solid:
    """Balls melted together round a place, with an arm into a pedicle where the plan reaches there."""
    frame, (s, u, v) = site.frame, heart
    depth, half = frame.wall_u_mm - frame.front_u_mm, frame.half_width_mm
    parts: list[Solid] = [ball(site.point(s, u, v), 6.0 * size)]
    for _ in range(int(rng.integers(4, 7))):
        shift = rng.uniform(-1, 1, size=3) * (0.22 * frame.height_mm, 0.25 * depth, 0.3 * half * size**2)
        parts.append(ball(site.point(s + shift[0], u + shift[1], v + shift[2]), rng.uniform(3.0, 6.0) * size))
    blob: Solid = Blend(tuple(parts), 4.0)
    if fill.reach == "pedicle":
        toward = "left" if v > frame.middle_v_mm else "right"
        drawn = str(rng.choice(["left", "right"])) if fill.lean == "none" else str(fill.lean)
        side = drawn if fill.pattern == "single" else toward
        pedicle, sign = frame.pedicles[side], 1.0 if side == "left" else -1.0
        middle = sign * (pedicle.medial_mm + pedicle.lateral_mm) / 2
        stops = [(s, u, v), (pedicle.middle_mm, frame.wall_u_mm - 4, 0.9 * middle)]
        stops.append((pedicle.middle_mm, frame.wall_u_mm + rng.uniform(6.0, 10.0), middle))
        blob = Blend((blob, Tube(np.array([site.point(*stop) for stop in stops]), np.array([4.0, 2.8, 2.5]))), 2.0)
    return blob


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
