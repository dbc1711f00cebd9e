"""``cement.nii.gz`` and ``leaks.nii.gz``: what was found, voxel by voxel, on the analysed scan's grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from leakseg.findings import CaseResult
from leakseg.nifti import write_nifti
from leakseg.volume import LabelMap

CEMENT = "cement.nii.gz"
"""1 = cement inside bone, 2 = cement outside bone, 3 = metal."""
LEAKS = "leaks.nii.gz"
"""Voxel value = leak id of the report."""


def write(result: CaseResult, folder: Path) -> tuple[Path, ...]:
    """Write both labelmaps in the smallest unsigned type that holds them."""
    labelmaps = {CEMENT: result.findings.cement_labels, LEAKS: result.findings.leak_labels}
    for name, labelmap in labelmaps.items():
        _write(folder / name, labelmap)
    return tuple(folder / name for name in labelmaps)


def _write(path: Path, labelmap: LabelMap) -> None:
    highest = int(labelmap.block.max(initial=0))
    write_nifti(path, labelmap.grid, labelmap.labels.astype(np.min_scalar_type(highest), copy=False))
