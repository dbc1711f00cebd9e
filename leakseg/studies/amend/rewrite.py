"""A finished case with a reader's corrections, written again beside the first result, and put in place at once.

Everything comes from the case's own folder: the first result's files hold all voxels and pictures, and every
amendment starts from them, so that no correction is stacked on another's pictures.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import secrets
import shutil
import stat
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leakseg.anatomy import VertebraLevel
from leakseg.errors import ConfigError, OutputError
from leakseg.findings import CaseReport
from leakseg.pictures.png import write_png
from leakseg.replaced import AMENDED, ORIGINAL, REPORT, TEMPORARY
from leakseg.studies.amend.correct import corrected, struck_out
from leakseg.studies.amend.edits import Edits
from leakseg.studies.amend.pictures import corrected_pictures, stored_pictures
from leakseg.studies.amend.seg import rewrite_seg
from leakseg.studies.amend.sr import rewrite_sr
from leakseg.writers import dicom_seg, dicom_sr, html, nifti_masks
from leakseg.writers.json_report import report_json

FIRST_REPORT = "first-report.json"
"""The first result's report.json: under another name, so that who looks for reports finds each case once."""
_MADE = (REPORT, html.NAME, "thumbnail.jpg", dicom_seg.NAME, dicom_sr.NAME, nifti_masks.CEMENT, nifti_masks.LEAKS)


def amend_case(case: Path, edits: Edits) -> CaseReport:
    """Write the case again with the corrections; the report as it stands now.

    Raises
    ------
    ConfigError
        Where the folder is no finished case, or the corrections do not fit it; nothing is changed then.
    OutputError
        Where the disk does not take it, or the case was written by another version; nothing is changed then.
    """
    case = _place_of(case)
    now = read_report(case / REPORT)
    kept = case / ORIGINAL
    first = read_report(kept / FIRST_REPORT) if now.amended else now
    base = replace(first, amended=now.amended) if edits.from_first else now
    when = (edits.when or datetime.now(UTC)).isoformat(timespec="seconds")
    report = corrected(base, edits, when, ORIGINAL)
    unfinished = case.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
    try:
        unfinished.mkdir(mode=0o700)
        _keep_first(case, unfinished / ORIGINAL, amended=now.amended is not None)
        _write(unfinished, first, report)
        unfinished.chmod(stat.S_IMODE(case.stat().st_mode))
        _swap(unfinished, case)
    except OSError as error:
        raise OutputError(f"The case could not be written: {error.strerror or type(error).__name__}.") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return report


def read_report(path: Path) -> CaseReport:
    """A report.json as leakseg wrote it.

    Raises
    ------
    ConfigError
        Where it is none.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(CaseReport).validate_python(json.loads(path.read_text(encoding="utf-8")))
    except OSError:
        raise ConfigError("This is no folder of a finished case: it holds no report.json.") from None
    except (ValueError, ValidationError, RecursionError):
        raise ConfigError("The case's report.json is not as leakseg writes it; run the case again.") from None


def _place_of(case: Path) -> Path:
    """The case's folder; one that a power cut left between two names is brought back first."""
    case = case.resolve()
    waiting = _waiting(case)
    if not case.exists() and (waiting / REPORT).is_file():
        waiting.rename(case)
    return case


def _waiting(case: Path) -> Path:
    return case.parent / AMENDED / f"{case.name}.amending"


def _swap(new: Path, case: Path) -> None:
    """Put the new folder in the case's place; at no moment is the reader's work in neither."""
    waiting = _waiting(case)
    waiting.parent.mkdir(exist_ok=True)
    shutil.rmtree(waiting, ignore_errors=True)
    case.rename(waiting)
    try:
        new.rename(case)
    except OSError:
        waiting.rename(case)
        raise
    shutil.rmtree(waiting, ignore_errors=True)


def _keep_first(case: Path, target: Path, *, amended: bool) -> None:
    if amended:
        shutil.copytree(case / ORIGINAL, target)
        return
    shutil.copytree(case, target)
    (target / REPORT).rename(target / FIRST_REPORT)


def _write(folder: Path, first: CaseReport, report: CaseReport) -> None:
    """All files of the case, report.json last; formats that the first result lacks are not made up."""
    kept = folder / ORIGINAL
    names = {old.level: new.level for old, new in zip(first.levels, report.levels, strict=True)}
    struck = struck_out(report)
    _write_masks(kept, folder, struck)
    rewrite_seg(kept, folder, report, names, struck)
    rewrite_sr(kept, folder, report)
    pictures = _write_pages(kept, folder, first, report, names, struck)
    for path in sorted(kept.iterdir()):
        left_out = path.name in {*_MADE, FIRST_REPORT} or path.stem in pictures or path.stem.startswith("leak-")
        if path.is_file() and not left_out:
            shutil.copy2(path, folder / path.name)
    (folder / REPORT).write_text(report_json(report), encoding="utf-8", errors="backslashreplace")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())


def _write_pages(
    kept: Path,
    folder: Path,
    first: CaseReport,
    report: CaseReport,
    names: Mapping[VertebraLevel, VertebraLevel],
    struck: Mapping[int, str],
) -> set[str]:
    """Pictures and page; the names of the pictures that the first result has as files."""
    stored = stored_pictures(kept)
    page = kept / html.NAME
    parts = html.stored_parts(page.read_text(encoding="utf-8")) if page.is_file() else None
    pictures = corrected_pictures((parts.pictures if parts else {}) | stored, first, report, names, struck)
    for name, picture in pictures.items():
        if name in stored:
            write_png(picture, folder / f"{name}.png")
    if parts is not None:
        scene = html.renamed_scene(parts.scene, first, report, names, struck)
        html.write_page(report, html.Parts(pictures, scene), folder, first)
    return set(stored)


def _write_masks(kept: Path, folder: Path, struck: Mapping[int, str]) -> None:
    """Both labelmaps without what was struck out; cement "in bone" is that from now on."""
    import nibabel as nib
    import numpy as np

    if not (kept / nifti_masks.LEAKS).is_file():
        return
    arrays: dict[str, Any] = {}
    for name in (nifti_masks.CEMENT, nifti_masks.LEAKS):
        image = nib.Nifti1Image.from_bytes(gzip.decompress((kept / name).read_bytes()))
        arrays[name] = (image, np.array(np.asanyarray(image.dataobj)))
    leaks, cement = arrays[nifti_masks.LEAKS][1], arrays[nifti_masks.CEMENT][1]
    for number, instead in struck.items():
        own = leaks == number
        cement[own] = 1 if instead == "in bone" else 0
        leaks[own] = 0
    for name, (image, array) in arrays.items():
        data = nib.Nifti1Image(array, image.affine, image.header).to_bytes()
        stream = io.BytesIO()
        with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=6, mtime=0) as packed:
            packed.write(data)
        (folder / name).write_bytes(stream.getvalue())
