"""One scan of the patient: read, analysed, and kept with what a comparison needs of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg import criteria as criteria_table
from leakseg.anatomy import SpineAnatomy, SpineMasks
from leakseg.case import CaseRequest, analyse_case
from leakseg.config import AnalysisConfig
from leakseg.errors import ConfigError, InputError
from leakseg.findings import CaseReport
from leakseg.nifti import read_image
from leakseg.pieces import CementMap
from leakseg.providers import plan_masks
from leakseg.readers import take_inventory
from leakseg.studies.compare.patient import Taken, taken
from leakseg.tracing import trace_cement
from leakseg.volume import Volume


@dataclass(frozen=True, eq=False)
class ScanAtTime:
    """One scan with its report.

    ``leaks`` are the report's leaks as plain data, ``leak_labels`` ``(K, J, I)`` their ids; both from an earlier
    run where one was found, so that a reader's corrections count.
    """

    name: str
    volume: Volume
    masks: SpineMasks
    report: CaseReport
    anatomy: SpineAnatomy
    cement: CementMap
    leaks: tuple[dict[str, Any], ...]
    leak_labels: NDArray[np.uint16]
    from_run: bool
    taken: Taken


def read_scan(
    name: str,
    path: Path,
    masks: Sequence[str],
    label_scheme: str | None,
    config: AnalysisConfig,
    results: Sequence[Path] = (),
) -> ScanAtTime:
    """Read and analyse the one CT under a path.

    Parameters
    ----------
    name
        ``pre``, ``post`` or ``followup``.
    results
        Folders of earlier runs: where one holds this series, its leaks are taken as they stand there.

    Raises
    ------
    InputError
        Where there is not exactly one usable study, or the scan or its masks cannot be used.
    """
    inventory = take_inventory([path], config.criteria.reading)
    sources = [entry.source for entry in inventory.cases() if entry.analysable]
    if len(sources) != 1:
        reasons = [entry.reason for entry in inventory.cases() if entry.reason]
        why = f" ({reasons[0]})" if reasons and not sources else ""
        raise InputError(f"The {name} scan: expected one usable CT study there, found {len(sources)}{why}.")
    plan = plan_masks(tuple(masks) or ("auto",), sources[0], label_scheme)
    request = CaseRequest(replace(sources[0], case_id=name), plan, config, Path(), "", config.digest())
    try:
        result = analyse_case(request)
    except InputError as error:
        raise InputError(f"The {name} scan: {error}") from error
    traced = trace_cement(result.volume, result.masks, config.criteria)
    leaks = tuple(json.loads(json.dumps(_plain(leak), default=str)) for leak in result.report.leaks)
    labels = np.asarray(result.findings.leak_labels.labels, dtype=np.uint16)
    earlier = _earlier(results, result.report.series.series_instance_uid, result.volume)
    if earlier is not None:
        leaks, labels = earlier
    return ScanAtTime(
        name=name,
        volume=result.volume,
        masks=traced.masks,
        report=result.report,
        anatomy=traced.anatomy,
        cement=traced.cement,
        leaks=leaks,
        leak_labels=labels,
        from_run=earlier is not None,
        taken=taken(sources[0]),
    )


def criteria_values(config: AnalysisConfig) -> dict[str, float | int | str | bool]:
    """The effective criteria of the analysis of every scan."""
    return criteria_table.values(config.criteria)


def _plain(leak: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(leak)


def _earlier(
    results: Sequence[Path], series_uid: str | None, volume: Volume
) -> tuple[tuple[dict[str, Any], ...], NDArray[np.uint16]] | None:
    """The leaks and their voxels out of an earlier run of the same series; None where there is none.

    Raises
    ------
    ConfigError
        Where a folder named holds no finished case, or its voxels do not lie on this scan.
    """
    for folder in results:
        reports = sorted((*folder.glob("report.json"), *folder.glob("*/report.json")))
        if not reports:
            raise ConfigError(f"No finished case was found in '{folder}'; name the OUT of a run.")
        for path in reports:
            try:
                report = json.loads(path.read_text(encoding="utf-8"))
                same = series_uid is not None and report["series"]["series_instance_uid"] == series_uid
                leaks = tuple(report["leaks"])
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise ConfigError(f"{path.parent.name}/report.json is damaged; run that case again.") from error
            voxels = path.with_name("leaks.nii.gz")
            if not same or not voxels.is_file():
                continue
            grid, labels = read_image(voxels)
            if not grid.same_as(volume.grid):
                raise ConfigError(f"{path.parent.name}/leaks.nii.gz does not lie on the scan of its series; run again.")
            return leaks, np.asarray(labels, dtype=np.uint16)
    return None
