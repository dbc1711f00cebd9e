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

CASE_WRITERS = ("nifti", "csv", "png", "seg", "sr", "html", "json")
"""Formats of one case, in the order of writing: the SR after the SEG that it refers to, and report.json last,
for it marks the case complete."""
BATCH_WRITERS = ("csv", "html")
"""Formats of a whole run; both leave a file in each case's folder too."""
DICOM_WRITERS = ("seg", "sr")
"""Formats that refer to the DICOM series they are about, and are not written where there is none."""


def default_names() -> tuple[str, ...]:
    """Every writer there is."""
    return ("json", "csv", "nifti", "seg", "sr", "html", "png")


def check_names(names: Sequence[str]) -> None:
    """Whether there is a writer of each name.

    Raises
    ------
    ConfigError
        Where there is none.
    """
    for name in names:
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
    if name in DICOM_WRITERS:
        return _dicom_writer(name, series)
    writer: CaseWriter
    if name == "png":
        from leakseg.writers.png_pictures import write as writer
    elif name == "html":
        from leakseg.writers.html import write as writer
    elif name == "nifti":
        from leakseg.writers.nifti_masks import write as writer
    elif name == "csv":
        from leakseg.writers.features_csv import write as writer
    else:
        from leakseg.writers.json_report import write as writer
    return writer


def _dicom_writer(name: str, series: DicomSeries | None) -> CaseWriter:
    if name == "seg":
        from leakseg.writers import dicom_seg

        return lambda result, folder: dicom_seg.write(result, series, folder)
    from leakseg.writers import dicom_sr

    return lambda result, folder: dicom_sr.write(result, series, folder)
