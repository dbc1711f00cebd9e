"""Cement on its way through the analysis: densities, the map of all cement, its parts by place, their measures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import VertebraLevel
from leakseg.findings import Point, QualityNote, Side
from leakseg.geometry import Grid
from leakseg.reach import Window, within

Hounsfield = TypeVar("Hounsfield", float, NDArray[Any])
INSIDE, OUTSIDE, METAL = 1, 2, 3
"""Labels of a cement map: cement inside bone, cement outside bone, metal."""
LEVELS_TO_COMPARE = 3
"""With fewer vertebrae nothing tells whose bone is the usual one."""


@dataclass(frozen=True, eq=False)
class ScanDensities:
    """What the scan itself says of its tissues, HU, in a window round the vertebrae.

    ``seeds`` ``(k, j, i)`` is cement beyond doubt; ``plateau`` its density; ``metal`` screws, rods and needles with
    the blur round them. Without cement ``plateau`` and ``cortex`` are NaN.
    """

    window: Window
    grid: Grid
    soft: float
    cancellous: float
    cortex: float
    plateau: float
    seeds: NDArray[np.bool_]
    metal: NDArray[np.bool_]

    def edge(self, background_hu: float, share: float) -> float:
        """HU at that share of the way from a background to the cement's plateau."""
        return background_hu + share * (self.plateau - background_hu)

    def share(self, hu: Hounsfield) -> Hounsfield:
        """Share of the way from soft tissue to the cement's plateau at which a density lies."""
        return (hu - self.soft) / (self.plateau - self.soft)

    def crop(self, block: Window) -> ScanDensities:
        """The same of a block of the window."""
        grid, seeds, metal = self.grid.crop(block), self.seeds[block], self.metal[block]
        return replace(self, window=within(block, self.window), grid=grid, seeds=seeds, metal=metal)

    @property
    def has_cement(self) -> bool:
        """Whether any cement was seen deep in a vertebra."""
        return bool(np.isfinite(self.plateau))


@dataclass(frozen=True, eq=False)
class LeakedCement:
    """Cement outside bone: mask in the window, the gap up to which it touches inner cement, doubts.

    ``channels`` are the ends of the strands through bone that led to it.
    """

    mask: NDArray[np.bool_]
    contact_mm: float
    notes: tuple[QualityNote, ...]
    channels: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class CementMap:
    """Cement and metal of one scan, in a window round the spine.

    Parameters
    ----------
    window
        Where the arrays lie in the scan's own array.
    grid
        The window's grid.
    labels
        ``(k, j, i)`` uint8: 0 none, 1 cement inside bone, 2 cement outside bone, 3 metal.
    fraction
        float32, the share of each voxel outside bone that is cement, corrected for partial volume at the rim.
    bone_fraction
        The same for the voxels inside bone.
    plateau_hu
        Density of undiluted cement in this scan; None where there is no cement.
    soft_hu
        Density of the soft tissue round the spine.
    threshold_hu, threshold_method
        What separated cement from soft tissue and cancellous bone.
    contact_mm
        Gap up to which a piece touches cement inside bone: the criterion, or two voxels where they are coarser.
    clipped_voxel_fraction
        Share of the cement's voxels at the upper end of the stored range.
    notes
        What a reader must know of the segmentation.
    """

    window: Window
    grid: Grid
    labels: NDArray[np.uint8]
    fraction: NDArray[np.float32]
    bone_fraction: NDArray[np.float32]
    plateau_hu: float | None
    soft_hu: float
    threshold_hu: float | None
    threshold_method: str
    contact_mm: float = 0.0
    clipped_voxel_fraction: float = 0.0
    notes: tuple[QualityNote, ...] = ()


@dataclass(frozen=True, eq=False)
class CementPart:
    """Cement outside bone in one place: the part of one connected piece that lies there.

    Parameters
    ----------
    component
        Number of the connected piece of cement, inside and outside bone together.
    place, gap
        `leakseg.anatomy.Place` and, for foramen and disc, 1 + index of the motion segment (else 0).
    index
        ``(N, 3)`` voxels in the cement map's window.
    rim_index
        ``(M, 3)`` voxels beside them that hold some of their cement.
    piece
        ``(P, 3)`` voxels of all cement outside bone that this part hangs together with.
    volume_mm3
        Corrected for partial volume at the rim.
    """

    component: int
    place: int
    gap: int
    index: NDArray[np.int64]
    rim_index: NDArray[np.int64]
    piece: NDArray[np.int64]
    volume_mm3: float


@dataclass(frozen=True, eq=False)
class PartMeasures:
    """What a report says of one part besides its class; fields as in `Leak`."""

    level: VertebraLevel
    segment: str
    exiting_root: str | None
    side: Side
    centroid_mm: Point
    extent_mm: Point
    mean_hu: float
    canal_encroachment_fraction: float | None
    max_sagittal_diameter_mm: float | None
    foraminal_occupation_fraction: float | None
    distance_to_canal_mm: float | None
    contact_mm3: dict[VertebraLevel, float]
    """Inner cement of each treated vertebra that the part's piece touches."""
