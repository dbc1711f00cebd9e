"""A small made-up spine: four vertebrae with arches round a canal, denser than what surrounds them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from leakseg.anatomy import VertebraLevel
from leakseg.geometry import Grid
from leakseg.volume import ScanSource, Volume

LEVELS = (VertebraLevel.L1, VertebraLevel.L2, VertebraLevel.L3, VertebraLevel.L4)


@dataclass(frozen=True, eq=False)
class Spine:
    """The scan, and what is true of it: ``vertebrae`` holds `VertebraLevel.number`."""

    volume: Volume
    vertebrae: np.ndarray
    canal: np.ndarray

    def numbered(self, numbers: dict[VertebraLevel, int]) -> np.ndarray:
        """The vertebrae as a labelmap in someone's numbers."""
        labels = np.zeros(self.vertebrae.shape, np.uint8)
        for level, number in numbers.items():
            labels[self.vertebrae == level.number] = number
        return labels


@pytest.fixture(scope="session")
def spine() -> Spine:
    affine = np.array([[0, 0, 2.0, -35.0], [0, 2.0, 0, -60.0], [2.0, 0, 0, -400.0], [0, 0, 0, 1]])
    grid = Grid((75, 50, 36), affine, "1.2.3.4.100")
    z, y, x = np.meshgrid(*(np.arange(n) * 2.0 for n in grid.shape), indexing="ij")
    x = x - 35.0 - 1.5 * np.sin(z / 20)
    vertebrae = np.zeros(grid.shape, np.uint8)
    for position, level in enumerate(LEVELS):
        height = z - (131 - 34 * position)
        body = (np.abs(height) < 13) & (((x / 20) ** 2 + ((y - 32) / 15) ** 2) < 1)
        ring = (np.abs(height) < 8) & (((x / 15) ** 2 + ((y - 55) / 13) ** 2) < 1)
        process = (np.abs(height) < 6) & (np.abs(x) < 4) & (y > 60) & (y < 86)
        wing = (np.abs(height) < 5) & (np.abs(y - 52) < 5) & (x > 0) & (x < 30)
        vertebrae[body | ring | process | wing] = level.number
    canal = (((x / 10) ** 2 + ((y - 55) / 8) ** 2) < 1) & (z > 12)
    vertebrae[canal] = 0
    noise = np.random.default_rng(1).normal(0, 25, grid.shape)
    hu = np.where(vertebrae > 0, 300, 40) + noise
    return Spine(Volume(grid, hu.astype(np.int16)), vertebrae, canal)


@pytest.fixture
def scan(tmp_path: Path) -> ScanSource:
    """A NIfTI scan in a folder of its own; planning never opens it."""
    folder = tmp_path / "work" / "case-a"
    folder.mkdir(parents=True)
    image = folder / "ct.nii.gz"
    image.write_bytes(b"")
    return ScanSource("case-a-ct", "case-a/ct", folder, (image,), "nifti")
