"""Truth and results made by hand: boxes of voxels whose volumes and overlaps are known."""

import json

import numpy as np
import pytest

from leakseg.evaluate.folders import read_cohort
from leakseg.evaluate.scoring import score
from leakseg.geometry import Grid
from leakseg.nifti import write_nifti


def axial_grid(shape=(30, 30, 30), spacing_mm=1.0, origin_mm=(0.0, 0.0, 0.0)):
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, ::-1] * spacing_mm
    affine[:3, 3] = origin_mm
    return Grid(shape, affine)


def told_leak(number, kind="epidural", level="L1", **fields):
    return {"id": number, "type": kind, "level": level, **fields}


class Bench:
    """A folder with ``truth/`` and ``results/`` to fill."""

    grid = staticmethod(axial_grid)

    def __init__(self, folder):
        self.truth, self.results = folder / "truth", folder / "results"

    def truth_case(self, case_id, leaks, boxes=None, **more):
        self._case(self.truth / case_id, "truth.json", "truth_leaks.nii.gz", leaks, boxes, more)

    def told_case(self, case_id, leaks, boxes=None, *, into=None, **more):
        self._case((into or self.results) / case_id, "report.json", "leaks.nii.gz", leaks, boxes, more)

    def _case(self, folder, document, labelmap, leaks, boxes, more):
        grid = more.pop("grid", axial_grid())
        folder.mkdir(parents=True)
        (folder / document).write_text(json.dumps({"case_id": folder.name, "leaks": leaks, **more}))
        if boxes is not None:
            write_nifti(folder / labelmap, grid, boxed(grid, boxes))

    def score(self):
        return score(read_cohort(self.truth, "truth"), read_cohort(self.results, "results"))

    def cement(self, path, labels, grid=None):
        write_nifti(path, grid or axial_grid(), labels)


def boxed(grid, boxes):
    """An array with number n in the box ``((k0, k1), (j0, j1), (i0, i1))`` of each n."""
    labels = np.zeros(grid.shape, np.uint8)
    for number, box in boxes.items():
        labels[tuple(slice(*ends) for ends in box)] = number
    return labels


@pytest.fixture
def leak():
    """Makes a leak as a document tells it."""
    return told_leak


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)
