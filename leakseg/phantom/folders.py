"""A phantom on disk: ``scans/<case>/``, ``masks/<case>/`` and ``truth/<case>/``, the same bytes every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from leakseg.anatomy import VertebraLevel
from leakseg.findings import SCHEMA_VERSION
from leakseg.nifti import write_nifti
from leakseg.phantom.dicom_ct import uid_of, write_series
from leakseg.phantom.plan import LeakTruth, Phantom

LABEL_NUMBERS: dict[VertebraLevel, int] = {
    **{VertebraLevel(f"C{n}"): n for n in range(1, 8)},
    **{VertebraLevel(f"T{n}"): n + 7 for n in range(1, 13)},
    **{VertebraLevel(f"L{n}"): n + 19 for n in range(1, 7)},
    VertebraLevel.S1: 26,
    VertebraLevel.S2: 27,
    VertebraLevel.T13: 28,
}
"""Numbers in the vertebra masks written here; ``labels.toml`` beside them names them."""


def write_phantom(phantom: Phantom, out: Path, case_id: str, *, seed_text: str, skip: tuple[int, ...] = ()) -> None:
    """Write scan, masks and truth of one case under OUT.

    Parameters
    ----------
    seed_text
        What the UIDs are made from: the same text, the same UIDs.
    skip
        As in `leakseg.phantom.dicom_ct.write_series`.
    """
    description = "Phantom with cement" if phantom.cement.total_volume_mm3 else "Phantom"
    write_series(
        out / "scans" / case_id,
        phantom.volume,
        case_id=case_id,
        seed_text=seed_text,
        description=description,
        skip=skip,
    )
    _write_masks(phantom, out / "masks" / case_id)
    _write_truth(phantom, out / "truth" / case_id, case_id, seed_text)


def truth_document(phantom: Phantom, case_id: str, seed_text: str) -> dict[str, Any]:
    """truth.json as plain data."""
    cement = phantom.cement
    return {
        "schema_version": SCHEMA_VERSION,
        "case_id": case_id,
        "study_instance_uid": uid_of("study", seed_text),
        "series_instance_uid": uid_of("series", seed_text),
        "leaks": [_leak(leak) for leak in phantom.leaks],
        "cement": {
            "total_volume_mm3": _round(cement.total_volume_mm3),
            "inside_volume_mm3": _round(cement.inside_volume_mm3),
            "leaked_volume_mm3": _round(cement.leaked_volume_mm3),
            "inside_by_level_mm3": {str(k): _round(v) for k, v in cement.inside_by_level_mm3.items()},
            "density_hu_by_level": {str(k): _round(v) for k, v in cement.density_hu_by_level.items()},
        },
        "origin": phantom.origin,
    }


def _write_masks(phantom: Phantom, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    numbers = np.zeros(256, np.uint8)
    for level, number in LABEL_NUMBERS.items():
        numbers[level.number] = number
    grid = phantom.masks.grid
    write_nifti(folder / "vertebrae.nii.gz", grid, numbers[phantom.masks.vertebrae])
    write_nifti(folder / "canal.nii.gz", grid, phantom.canal.astype(np.uint8))
    lines = [f'{LABEL_NUMBERS[level]} = "{level}"' for level in phantom.masks.levels()]
    (folder / "labels.toml").write_text("\n".join(["[labels]", *lines]) + "\n", encoding="utf-8")


def _write_truth(phantom: Phantom, folder: Path, case_id: str, seed_text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    grid = phantom.masks.grid
    write_nifti(folder / "truth_leaks.nii.gz", grid, phantom.leak_labels)
    write_nifti(folder / "truth_cement.nii.gz", grid, phantom.cement_labels)
    document = truth_document(phantom, case_id, seed_text)
    (folder / "truth.json").write_text(json.dumps(document, indent=2, default=str) + "\n", encoding="utf-8")


def _leak(leak: LeakTruth) -> dict[str, Any]:
    return {
        "id": leak.id,
        "type": str(leak.type),
        "subtype": leak.subtype and str(leak.subtype),
        "route": leak.route and str(leak.route),
        "level": str(leak.level),
        "segment": leak.segment,
        "side": str(leak.side),
        "volume_mm3": _round(leak.volume_mm3),
        "centroid_mm": [_round(value) for value in leak.centroid_mm],
        "canal_encroachment_fraction": (
            None if leak.canal_encroachment_fraction is None else round(leak.canal_encroachment_fraction, 4)
        ),
        "connected": leak.connected,
        "fraction_in_place": round(leak.fraction_in_place, 4),
    }


def _round(value: float) -> float:
    return round(float(value), 2)
