"""A phantom on disk: ``scans/<case>/``, ``masks/<case>/`` and ``truth/<case>/``, the same bytes every time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from leakseg.anatomy import VertebraLevel
from leakseg.findings import SCHEMA_VERSION
from leakseg.nifti import write_nifti
from leakseg.phantom.dicom_ct import uid_of, write_series
from leakseg.phantom.made import Made
from leakseg.phantom.mask_faults import WrittenMasks, masks_of
from leakseg.phantom.plan import LeakTruth, Phantom
from leakseg.phantom.seg_masks import write_seg

LABEL_NUMBERS: dict[VertebraLevel, int] = {
    **{VertebraLevel(f"C{n}"): n for n in range(1, 8)},
    **{VertebraLevel(f"T{n}"): n + 7 for n in range(1, 13)},
    **{VertebraLevel(f"L{n}"): n + 19 for n in range(1, 7)},
    VertebraLevel.S1: 26,
    VertebraLevel.S2: 27,
    VertebraLevel.T13: 28,
}
"""Numbers in the vertebra masks written here; ``labels.toml`` beside them names them."""


def write_phantom(
    phantom: Phantom,
    out: Path,
    case_id: str,
    *,
    seed_text: str,
    skip: tuple[int, ...] = (),
    masks: WrittenMasks | None = None,
    masks_as: str = "nifti",
    group: str | None = None,
    strata: Mapping[str, Any] | None = None,
) -> None:
    """Write scan, masks and truth of one case under OUT.

    Parameters
    ----------
    seed_text
        What the UIDs are made from: the same text, the same UIDs.
    skip
        As in `leakseg.phantom.dicom_ct.write_series`.
    masks
        What is written as masks; None: the phantom's own, without fault.
    masks_as
        ``nifti``, or ``seg``: one DICOM SEG.
    group, strata
        What an evaluation groups the case by, for truth.json.
    """
    description = "Phantom with cement" if phantom.cement.total_volume_mm3 else "Phantom"
    scans = write_series(
        out / "scans" / case_id,
        phantom.volume,
        case_id=case_id,
        seed_text=seed_text,
        description=description,
        skip=skip,
        look=phantom.look,
    )
    folder = out / "masks" / case_id
    folder.mkdir(parents=True, exist_ok=True)
    if masks_as == "seg":
        write_seg(masks or masks_of(phantom), folder / "masks.dcm", scans, seed_text=seed_text)
    else:
        _write_masks(masks or masks_of(phantom), folder)
    document = truth_document(phantom, case_id, seed_text, group=group, strata=strata)
    _write_truth(phantom, out / "truth" / case_id, document)


def write_made(made: Made, out: Path) -> None:
    """Write one case of a cohort."""
    write_phantom(
        made.phantom,
        out,
        made.case_id,
        seed_text=made.seed_text,
        skip=made.skip,
        masks=made.masks,
        masks_as=made.masks_as,
        group=made.group,
        strata=made.strata,
    )


def truth_document(
    phantom: Phantom,
    case_id: str,
    seed_text: str,
    *,
    group: str | None = None,
    strata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """truth.json as plain data."""
    cement = phantom.cement
    return {
        "schema_version": SCHEMA_VERSION,
        "case_id": case_id,
        "study_instance_uid": uid_of("study", seed_text),
        "series_instance_uid": uid_of("series", seed_text),
        **({} if group is None else {"group": group}),
        **({} if strata is None else {"strata": dict(strata)}),
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


def _write_masks(masks: WrittenMasks, folder: Path) -> None:
    numbers = np.zeros(256, np.uint8)
    for level, number in LABEL_NUMBERS.items():
        numbers[level.number] = number
    write_nifti(folder / "vertebrae.nii.gz", masks.grid, numbers[masks.vertebrae])
    write_nifti(folder / "canal.nii.gz", masks.grid, masks.canal.astype(np.uint8))
    lines = [f'{LABEL_NUMBERS[level]} = "{level}"' for level in masks.levels()]
    (folder / "labels.toml").write_text("\n".join(["[labels]", *lines]) + "\n", encoding="utf-8")


def _write_truth(phantom: Phantom, folder: Path, document: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    grid = phantom.masks.grid
    write_nifti(folder / "truth_leaks.nii.gz", grid, phantom.leak_labels)
    write_nifti(folder / "truth_cement.nii.gz", grid, phantom.cement_labels)
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
