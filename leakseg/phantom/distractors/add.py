"""Distractors drawn into a scan: items sampled finely in their own boxes, spread by the scanner's kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.geometry import Grid, distance_to_surface_mm
from leakseg.phantom.distractors import contrast, metal, spurs, vessels
from leakseg.phantom.distractors.items import Item, Place, Room
from leakseg.phantom.look import ScannerLook
from leakseg.phantom.raster import Window, coarsen, cover, fine_grid, points_of, window_of
from leakseg.phantom.recipe.distractors import DistractorRecipe
from leakseg.phantom.survey import Survey
from leakseg.volume import Volume

_SPREAD_MM, _DURA_MM = 4.0, 1.8
Draw = Callable[[Place, np.random.Generator], Iterator[Item]]
KINDS: dict[str, Draw] = {
    "table": contrast.table,
    "bowel_contrast": contrast.bowel_contrast,
    "kidneys": contrast.kidneys,
    "caval_contrast": vessels.caval_contrast,
    "arterial_contrast": vessels.arterial_contrast,
    "aortic_calcification": vessels.aortic_calcification,
    "intrathecal_contrast": contrast.intrathecal_contrast,
    "epidural_contrast": vessels.epidural_contrast,
    "bone_islands": spurs.bone_islands,
    "facet_arthrosis": spurs.facet_arthrosis,
    "osteophytes": spurs.osteophytes,
    "clips": metal.clips,
    "screws_and_rods": metal.screws_and_rods,
    "augmented_screws": metal.augmented_screws,
}
"""Every kind by its recipe name, in the order in which they are drawn over one another."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A scan with distractors.

    ``metal_hu`` is metal as the scanner shows it, not clipped, and ``metal`` the voxels it fills by half or more, both
    ``(K, J, I)``; None where there is none.
    """

    volume: Volume
    masks: SpineMasks
    metal_hu: NDArray[np.float32] | None
    metal: NDArray[np.bool_] | None
    kinds: tuple[str, ...]


def draw_distractors(recipe: DistractorRecipe, rng: np.random.Generator) -> tuple[str, ...]:
    """Which kinds are there; kinds that are never or always there take nothing from the source of chance."""
    found = []
    for field in fields(recipe):
        chance = float(getattr(recipe, field.name))
        if chance >= 1 or (chance > 0 and rng.random() < chance):
            found.append(field.name)
    return tuple(kind for kind in KINDS if kind in found)


def add_distractors(
    volume: Volume,
    masks: SpineMasks,
    survey: Survey,
    kinds: Iterable[str],
    treated: tuple[VertebraLevel, ...],
    look: ScannerLook,
    rng: np.random.Generator,
) -> Scene:
    """Draw these kinds into a scan.

    Parameters
    ----------
    volume
        The scan before cement, made or real.
    survey
        Of these masks: it says where the vertebrae are.
    look
        The scanner: its kernel spreads the items, its voltage sets the brightness of iodine.

    Returns
    -------
    Scene
        The scan, the masks (osteophytes and facets may have grown them), and the metal apart.
    """
    chosen = tuple(kinds)
    if not chosen:
        return Scene(volume, masks, None, None, ())
    canvas = _Canvas(np.array(volume.hu, dtype=np.float32), masks, look)
    place = Place(survey, treated, look)
    for kind in chosen:
        for item in KINDS[kind](place, rng):
            canvas.draw(item)
    grown = replace(masks, vertebrae=canvas.vertebrae)
    return Scene(replace(volume, hu=canvas.hu), grown, canvas.metal_hu, canvas.metal, chosen)


class _Canvas:
    """A scan being drawn on."""

    def __init__(self, hu: NDArray[np.float32], masks: SpineMasks, look: ScannerLook) -> None:
        self.hu, self.masks, self.look, self.grid = hu, masks, look, masks.grid
        self.vertebrae = masks.vertebrae.copy()
        self.metal_hu: NDArray[np.float32] | None = None
        self.metal: NDArray[np.bool_] | None = None
        self._sac: NDArray[np.bool_] | None = None

    def draw(self, item: Item) -> None:
        """Mix an item into the scan, or lay it down as metal."""
        window = _window(self.grid, item)
        if window is None:
            return
        whole, factors = fine_grid(self.grid, item.step_mm)
        share = np.zeros(tuple(part.stop - part.start for part in window), np.float32)
        for solid in item.solids:
            own = window_of(self.grid, solid, margin_mm=1.0)
            if own is None:
                continue
            fine = whole.crop(_scaled(own, factors))
            part = coarsen(cover(solid.distance_mm(points_of(fine)), fine), factors)
            inner = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(own, window, strict=True))
            share[inner] = np.maximum(share[inner], part)
        share = share * self._room(item.room, window)
        if item.mask_level is not None:
            new = (share >= 0.5) & (self.vertebrae[window] == 0)
            self.vertebrae[window][new] = item.mask_level.number
        shown = self.look.kernel.spread(share, self.grid)
        if item.metal:
            if self.metal_hu is None or self.metal is None:
                self.metal_hu = np.full(self.hu.shape, -32768.0, np.float32)
                self.metal = np.zeros(self.hu.shape, np.bool_)
            self.metal[window] |= share >= 0.5
            here = self.hu[window] + shown * (np.float32(item.hu) - self.hu[window])
            lit = np.abs(shown) > 0.01
            self.metal_hu[window][lit] = np.maximum(self.metal_hu[window], here)[lit]
        else:
            self.hu[window] += shown * (np.float32(item.hu) - self.hu[window])

    def _room(self, room: Room, window: Window) -> NDArray[np.bool_]:
        bone = self.masks.vertebrae[window] > 0
        canal = np.zeros(bone.shape, np.bool_) if self.masks.canal is None else self.masks.canal[window]
        if room == "anywhere":
            return np.ones(bone.shape, np.bool_)
        if room == "inside_bone":
            return bone
        if room == "outside_bone":
            return ~bone
        if room == "outside_bone_and_canal":
            return ~bone & ~canal
        if room == "canal":
            return canal & ~bone
        if self._sac is None:
            whole = self.masks.canal if self.masks.canal is not None else np.zeros(self.hu.shape, np.bool_)
            self._sac = distance_to_surface_mm(whole.copy(), self.grid.spacing_mm) > _DURA_MM
        return self._sac[window]


def _window(grid: Grid, item: Item) -> Window | None:
    """The part of the scan that holds an item with room for the kernel's spread."""
    found = [own for solid in item.solids if (own := window_of(grid, solid, margin_mm=_SPREAD_MM)) is not None]
    if not found:
        return None
    first, second, third = (
        slice(min(own[axis].start for own in found), max(own[axis].stop for own in found)) for axis in range(3)
    )
    return first, second, third


def _scaled(window: Window, factors: tuple[int, int, int]) -> Window:
    first, second, third = (
        slice(part.start * factor, part.stop * factor) for part, factor in zip(window, factors, strict=True)
    )
    return first, second, third
