"""Results as files: one module, one format; `write_case` writes a case's files, report.json last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from leakseg.errors import ConfigError

if TYPE_CHECKING:
    from leakseg.findings import CaseResult

CaseWriter: TypeAlias = "Callable[[CaseResult, Path], tuple[Path, ...]]"
"""Writes one case's files of one format into a folder."""

CASE_WRITERS = ("nifti", "csv", "json")
"""Formats of one case, in the order of writing: report.json last, for it marks the case complete."""
BATCH_WRITERS = ("csv",)
"""Formats of a whole run; ``csv`` leaves a table in each case's folder too."""
_PLANNED = ("seg", "sr", "html", "png")


def default_names() -> tuple[str, ...]:
    """Every writer there is."""
    return ("json", "csv", "nifti")


def check_names(names: Sequence[str]) -> None:
    """Whether there is a writer of each name.

    Raises
    ------
    ConfigError
        Where there is none.
    """
    for name in names:
        if name in _PLANNED:
            raise ConfigError(f"This version of leakseg does not write '{name}' yet; it writes json, csv and nifti.")
        if name not in (*CASE_WRITERS, *BATCH_WRITERS):
            raise ConfigError(f"There is no writer '{name}'; leakseg writes json, csv and nifti.")


def write_case(result: CaseResult, folder: Path, names: Sequence[str]) -> tuple[Path, ...]:
    """Write the case's files of those formats into an existing folder; report.json always, and last."""
    written: list[Path] = []
    for name in CASE_WRITERS:
        if name in names or name == "json":
            written += _case_writer(name)(result, folder)
    return tuple(written)


def _case_writer(name: str) -> CaseWriter:
    if name == "nifti":
        from leakseg.writers import nifti_masks

        return nifti_masks.write
    if name == "csv":
        from leakseg.writers import features_csv

        return features_csv.write
    from leakseg.writers import json_report

    return json_report.write
