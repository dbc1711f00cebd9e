"""A comparison on disk: JSON, tables, masks and the later scans in the first one's frame, pictures, one page."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leakseg.errors import OutputError
from leakseg.evaluate.pages import csv_text, html_page, markdown
from leakseg.evaluate.study import document_text, refuse_results_folder, write_files
from leakseg.findings import DISCLAIMER
from leakseg.geometry import Grid
from leakseg.nifti import write_nifti
from leakseg.studies.compare.pictures import leak_pictures, on_first
from leakseg.studies.compare.study import Comparison, Later
from leakseg.studies.compare.tables import make_tables, verdict

HEADING = "Before and after surgery"
_ROOM_MM = 15.0
_METHOD = (
    "Every vertebra is registered by itself (rigid, on densities, cement left out): spines bend between scans. Cement "
    "of a later scan counts as what remains where it lies within the stated distance of cement before; volumes are "
    "each scan's own, corrected for partial volume. The canal is the one before surgery throughout."
)


def write_comparison(comparison: Comparison, out: Path) -> tuple[Path, ...]:
    """Write compare.json, .md, .html, tables/*.csv, pictures and NIfTI in the first scan's frame.

    Raises
    ------
    ConfigError
        Where OUT is a folder of results.
    OutputError
        Where the disk does not take it.
    """
    refuse_results_folder(out)
    window, grid = _window(comparison)
    middles = {vertebra.level: vertebra.s_middle_mm for vertebra in comparison.pre.anatomy.vertebrae}
    scans: dict[str, NDArray[np.int16]] = {"pre": np.asarray(comparison.pre.volume.hu[window], dtype=np.int16)}
    for later in comparison.later:
        found = {level: middles[level] for level, match in later.matches.items() if match.problem is None}
        scans[later.scan.name] = on_first(later, grid, found, comparison.pre.anatomy.axis.to_canal)
    offset = np.array([side.start for side in window])
    pictures = {name: _png(picture) for name, picture in leak_pictures(comparison, scans, grid, offset).items()}
    tables = make_tables(comparison.document, tuple(pictures))
    paragraphs = {"Result": verdict(comparison.document), "Method": _METHOD, "Use": DISCLAIMER}
    shown = {name: f'<img alt="{name} in every scan" src="{_data_uri(data)}">' for name, data in pictures.items()}
    files: dict[str, bytes] = {f"tables/{table.name}.csv": csv_text(table).encode() for table in tables}
    files |= {f"plots/{name}.png": data for name, data in pictures.items()}
    files |= {
        "compare.md": markdown(tables, HEADING, paragraphs, tuple(pictures)).encode(),
        "compare.html": html_page(tables, HEADING, paragraphs, shown).encode(),
        "compare.json": document_text(comparison.document).encode(),
    }
    write_files(out, files, "The comparison")
    try:
        for name, later_hu in scans.items():
            if name != "pre":
                write_nifti(out / f"{name}_on_pre.nii.gz", grid, later_hu)
        for later in comparison.later:
            write_nifti(out / f"remaining_{later.scan.name}.nii.gz", grid, _remaining(later, grid))
        write_nifti(out / "resected.nii.gz", grid, _resected(comparison, offset, grid))
    except OSError as error:
        raise OutputError(f"The comparison could not be written: {error.strerror or type(error).__name__}.") from error
    return tuple(out / name for name in files)


def _window(comparison: Comparison) -> tuple[tuple[slice, slice, slice], Grid]:
    """The part of the first scan that holds the vertebrae compared."""
    pre = comparison.pre
    numbers = [level.number for level in comparison.later[0].matches]
    where = np.argwhere(np.isin(pre.masks.vertebrae, numbers))
    room = np.ceil(_ROOM_MM / np.array(pre.volume.grid.spacing_mm)).astype(int)
    low = np.maximum(where.min(axis=0) - room, 0)
    high = np.minimum(where.max(axis=0) + room + 1, pre.volume.grid.shape)
    window = (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])), slice(int(low[2]), int(high[2])))
    return window, pre.volume.grid.crop(window)


def _remaining(later: Later, grid: Grid) -> NDArray[np.uint16]:
    """Cement of a later scan by the leak it belonged to; 1000: inner cement; 2000: small pieces; 3000: new cement."""
    labels = np.zeros(grid.shape, np.uint16)
    cloud = later.cloud
    index = np.rint(grid.to_index(cloud.points_mm)).astype(int)
    inside = np.all((index >= 0) & (index < np.array(grid.shape)), axis=1) & cloud.known
    value = np.where(cloud.owner == 0, 3000, np.where((cloud.owner >= 1000) & (cloud.owner < 2000), 1000, cloud.owner))
    labels[tuple(index[inside].T)] = value[inside]
    return labels


def _resected(comparison: Comparison, offset: NDArray[Any], grid: Grid) -> NDArray[np.uint8]:
    """Resected bone: 1 + place in `REGIONS`, and 10 more on the right; 100 more where it has healed."""
    labels = np.zeros(grid.shape, np.uint8)
    for bone in comparison.resected:
        index = bone.index - offset
        inside = np.all((index >= 0) & (index < np.array(grid.shape)), axis=1)
        value = 1 + bone.region + np.where(bone.left, 0, 10)
        if bone.healed is not None:
            value = value + np.where(bone.healed, 100, 0)
        labels[tuple(index[inside].T)] = value[inside]
    return labels


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _data_uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()
