"""A spine of boxes whose every place is known by hand, for the stages' tests."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.geometry import Grid
from leakseg.volume import Volume

SOFT_HU, CANCELLOUS_HU, CORTEX_HU, CEMENT_HU = 40, 150, 700, 1800
PITCH_MM, BODY_HEIGHT_MM = 34.0, 24.0
HALF_CANAL_MM, CANAL_DEPTH_MM = 10.0, 16.0
BODY_DEPTH_MM, BODY_HALF_WIDTH_MM = 30.0, 20.0
PEDICLE_WIDTH_MM = 8.0


@dataclass
class BoxSpine:
    """Boxes in patient mm round the canal's centre (0, 0, z): x left, y posterior, z superior."""

    levels: tuple[str, ...] = ("L2", "L3", "L4")
    half_canal_mm: float = HALF_CANAL_MM
    canal_depth_mm: float = CANAL_DEPTH_MM
    body_half_width_mm: float = BODY_HALF_WIDTH_MM
    pedicle_width_mm: float = PEDICLE_WIDTH_MM
    step_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    points: np.ndarray = field(init=False)
    grid: Grid = field(init=False)

    def __post_init__(self) -> None:
        size_mm = (PITCH_MM * len(self.levels) + 10.0, 100.0, 110.0)
        shape = tuple(round(size / step) for size, step in zip(size_mm, self.step_mm, strict=True))
        affine = np.zeros((4, 4))
        affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = *self.step_mm, 1.0
        affine[:3, 3] = (-size_mm[2] / 2, -60.0, 0.0)
        self.grid = Grid(shape, affine, "1.2.3")
        self.points = self.grid.to_patient(np.stack(np.indices(shape), axis=-1))

    def middle_z(self, level: str) -> float:
        """Mid-height of a body."""
        return 5.0 + PITCH_MM * (len(self.levels) - 0.5 - self.levels.index(level))

    def box(self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]) -> np.ndarray:
        """Voxels in a box, patient mm."""
        low, high = np.array([x[0], y[0], z[0]]), np.array([x[1], y[1], z[1]])
        return ((self.points >= low) & (self.points < high)).all(axis=-1)

    def ball(self, centre: tuple[float, float, float], radius_mm: float) -> np.ndarray:
        """Voxels in a ball, patient mm."""
        return ((self.points - np.array(centre)) ** 2).sum(axis=-1) <= radius_mm**2

    def vertebra(self, level: str) -> np.ndarray:
        """Body, pedicles in the upper half, and an arch that closes the ring at pedicle height."""
        z = self.middle_z(level)
        half, wall = BODY_HEIGHT_MM / 2, -CANAL_DEPTH_MM / 2
        body = self.box((-BODY_HALF_WIDTH_MM, BODY_HALF_WIDTH_MM), (wall - BODY_DEPTH_MM, wall), (z - half, z + half))
        outer = HALF_CANAL_MM + PEDICLE_WIDTH_MM
        ring = self.box((-outer, outer), (wall, -wall + 8.0), (z, z + half))
        canal = self.box((-HALF_CANAL_MM, HALF_CANAL_MM), (wall, -wall), (z - 99, z + 99))
        spinous = self.box((-3, 3), (-wall + 6.0, -wall + 25.0), (z - 6, z + half))
        return body | (ring & ~canal) | spinous

    def masks(self, *, canal: bool = True) -> SpineMasks:
        """Vertebra labels and, if asked for, the canal's mask."""
        labels = np.zeros(self.grid.shape, np.uint8)
        for level in self.levels:
            labels[self.vertebra(level)] = VertebraLevel(level).number
        tube = self.box((-HALF_CANAL_MM, HALF_CANAL_MM), (-CANAL_DEPTH_MM / 2, CANAL_DEPTH_MM / 2), (-1.0, 1e3))
        return SpineMasks(self.grid, labels, canal=tube if canal else None)

    def volume(
        self, *cement: np.ndarray, hu: int = CEMENT_HU, other: tuple[tuple[np.ndarray, int], ...] = ()
    ) -> Volume:
        """Soft tissue, bone with a cortex of one voxel, and whatever is painted in."""
        from scipy import ndimage

        image = np.full(self.grid.shape, SOFT_HU, np.float32)
        bone = self.masks().vertebrae > 0
        image[bone] = CANCELLOUS_HU
        image[bone & ~ndimage.binary_erosion(bone)] = CORTEX_HU
        for mask, value in other:
            image[mask] = value
        for mask in cement:
            image[mask] = hu
        noise = np.random.default_rng(5).normal(0, 8, image.shape)
        return Volume(self.grid, np.rint(image + noise).astype(np.int16))

    def fill(self, level: str, radius_mm: float = 8.0) -> np.ndarray:
        """Cement in the middle of a body."""
        return self.ball((0.0, -CANAL_DEPTH_MM / 2 - BODY_DEPTH_MM / 2, self.middle_z(level)), radius_mm)


@pytest.fixture(scope="session")
def spine() -> BoxSpine:
    return BoxSpine()


@pytest.fixture(scope="session")
def coarse_spine() -> BoxSpine:
    return BoxSpine(step_mm=(3.0, 1.0, 1.0))


@pytest.fixture(scope="session")
def fine_spine() -> BoxSpine:
    """Its sagittal steps are so fine that a gap of one is no gap."""
    return BoxSpine(step_mm=(1.0, 0.6, 1.0))


@pytest.fixture(scope="session")
def two_levels() -> BoxSpine:
    """Nothing stands beyond L2 and L3."""
    return BoxSpine(levels=("L2", "L3"))


@pytest.fixture(scope="session")
def four_levels() -> BoxSpine:
    """Two vertebrae may be left out between two others."""
    return BoxSpine(levels=("L1", "L2", "L3", "L4"))


@pytest.fixture(scope="session")
def thick_spine() -> BoxSpine:
    return BoxSpine(step_mm=(3.0, 3.0, 3.0))
