"""Results as files: one module, one format; `write_case` writes a case's files, report.json last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from leakseg.errors import ConfigError

if TYPE_CHECKING:
    from leakseg.dicom_series import DicomSeries
    from leakseg.findings import CaseResult

CaseWriter: TypeAlias = "Callable[[CaseResult, Path], tuple[Path, ...]]"
"""Writes one case's files of one format into a folder."""

CASE_WRITERS = ("nifti", "csv", "seg", "sr", "json")
"""Formats of one case, in the order of writing: the SR after the SEG that it refers to, and report.json last,
for it marks the case complete."""
BATCH_WRITERS = ("csv",)
"""Formats of a whole run; ``csv`` leaves a table in each case's folder too."""
DICOM_WRITERS = ("seg", "sr")
"""Formats that refer to the DICOM series they are about, and are not written where there is none."""
_PLANNED = ("html", "png")


def default_names() -> tuple[str, ...]:
    """Every writer there is."""
    return ("json", "csv", "nifti", "seg", "sr")


def check_names(names: Sequence[str]) -> None:
    """Whether there is a writer of each name.

    Raises
    ------
    ConfigError
        Where there is none.
    """
    for name in names:
        if name in _PLANNED:
            raise ConfigError(f"This version of leakseg does not write '{name}' yet; it writes {_listed()}.")
        if name not in (*CASE_WRITERS, *BATCH_WRITERS):
            raise ConfigError(f"There is no writer '{name}'; leakseg writes {_listed()}.")


def write_case(
    result: CaseResult, folder: Path, names: Sequence[str], series: DicomSeries | None = None
) -> tuple[Path, ...]:
    """Write the case's files of those formats into an existing folder; report.json always, and last.

    ``series`` is the DICOM series that the result is about; without it there is no SEG and no SR.
    """
    written: list[Path] = []
    for name in CASE_WRITERS:
        if name in names or name == "json":
            written += _case_writer(name, series)(result, folder)
    return tuple(written)


def _listed() -> str:
    *most, last = default_names()
    return f"{', '.join(most)} and {last}"


def _case_writer(name: str, series: DicomSeries | None) -> CaseWriter:
    if name == "seg":
        from leakseg.writers import dicom_seg

        return lambda result, folder: dicom_seg.write(result, series, folder)
    if name == "sr":
        from leakseg.writers import dicom_sr

        return lambda result, folder: dicom_sr.write(result, series, folder)
    if name == "nifti":
        from leakseg.writers import nifti_masks

        return nifti_masks.write
    if name == "csv":
        from leakseg.writers import features_csv

        return features_csv.write
    from leakseg.writers import json_report

    return json_report.write
