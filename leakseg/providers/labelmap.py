"""A labelmap or single mask (NIfTI, NRRD) -> `Drawing`: numbers become names here, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import VertebraLevel
from leakseg.errors import AnatomyError, InputError
from leakseg.findings import QualityNote
from leakseg.geometry import Grid, bounding_box
from leakseg.nifti import read_shown
from leakseg.providers.names import PARTS, VERTEBRAE, Meaning, Structure
from leakseg.providers.schemes import BODY_AND_DISC, SPINEPS_PARTS
from leakseg.providers.values import Drawing, MaskFile


def read_labelmap(mask: MaskFile) -> tuple[Drawing, tuple[QualityNote, ...]]:
    """What the file shows, cropped to it, and the numbers it holds that nothing names.

    Raises
    ------
    AnatomyError
        Where it is an empty labelmap, or holds no whole numbers, several structures where one is expected, or no number
        that its scheme names.
    InputError
        Where it cannot be read.
    """
    what = f"the {mask.role} mask"
    try:
        field, shown = read_shown(mask.path)
    except InputError as error:
        raise type(error)(_without_path(str(error), mask, what)) from error
    cropped = None if shown is None else _cropped(shown[0], _whole_numbers(shown[1], what))
    if cropped is None:
        return Drawing(field), _told_empty(mask, what)
    grid, labels = cropped
    size = int(labels.max()) + 1
    counts = np.sum([np.bincount(section[section > 0], minlength=size) for section in labels], axis=0)
    present = np.flatnonzero(counts).tolist()
    meanings = _meanings(mask, present, what)
    unknown = [number for number in present if number not in meanings]
    if len(unknown) == len(present):
        scheme = f"the scheme {mask.scheme.name}" if mask.scheme else "its role"
        raise AnatomyError(
            f"None of the numbers in {what} ({_listed(present)}) is named by {scheme}; "
            "give the scheme it was made with (--label-scheme)."
        )
    return replace(_draw(grid, labels, present, meanings), field=field), _told(unknown, counts, what)


def _meanings(mask: MaskFile, present: list[int], what: str) -> dict[int, Meaning]:
    if mask.role == VERTEBRAE:
        assert mask.scheme is not None
        return {number: mask.scheme.numbers[number] for number in present if number in mask.scheme.numbers}
    if mask.role == PARTS:
        return {number: SPINEPS_PARTS.numbers[number] for number in present if number in SPINEPS_PARTS.numbers}
    if mask.role == Structure.BODY and len(present) > 1:
        return {number: BODY_AND_DISC[number] for number in present if number in BODY_AND_DISC}
    if len(present) > 1:
        raise AnatomyError(
            f"{what.capitalize()} holds {len(present)} different numbers ({_listed(present)}) where one structure is "
            "expected; give a labelmap as vertebrae=FILE with its scheme."
        )
    meaning: Meaning = VertebraLevel(mask.role) if mask.role in VertebraLevel.__members__ else Structure(mask.role)
    return {present[0]: meaning}


def _draw(grid: Grid, labels: NDArray[Any], present: list[int], meanings: dict[int, Meaning]) -> Drawing:
    size = int(labels.max()) + 1
    to_level = np.zeros(size, np.uint8)
    parts: dict[Structure, list[int]] = {}
    for number, meaning in meanings.items():
        if isinstance(meaning, VertebraLevel):
            to_level[number] = meaning.number
        elif meaning is not Structure.OTHER:
            parts.setdefault(meaning, []).append(number)
    masks = {}
    for structure, numbers in parts.items():
        chosen = np.zeros(size, np.bool_)
        chosen[numbers] = True
        masks[structure] = _looked_up(chosen.view(np.uint8), labels, present).view(np.bool_)
    return Drawing(grid, _looked_up(to_level, labels, present) if to_level.any() else None, masks)


def _looked_up(table: NDArray[np.uint8], numbers: NDArray[Any], present: list[int]) -> NDArray[np.uint8]:
    """``table[numbers]``, of single bytes without an index of eight for each, a section at a time.

    The numbers themselves where each that is ``present`` means itself.
    """
    if numbers.dtype == np.uint8 and (table[present] == present).all():
        return numbers
    if numbers.dtype != np.uint8:
        return np.asarray(table[numbers])
    every, found = bytes(table).ljust(256, b"\0"), np.empty_like(numbers)
    for section, own in zip(found, numbers, strict=True):
        section[...] = np.frombuffer(own.tobytes().translate(every), np.uint8).reshape(own.shape)
    return found


def _whole_numbers(array: NDArray[Any], what: str) -> NDArray[Any]:
    if array.dtype == np.bool_:
        return array.astype(np.uint8)
    if np.issubdtype(array.dtype, np.floating):
        rounded = np.rint(array)
        if not np.isfinite(array).all() or np.abs(array - rounded).max(initial=0) > 1e-3:
            raise AnatomyError(
                f"{what.capitalize()} holds fractions where whole label numbers are expected; "
                "if it is a probability map, export it as a labelmap."
            )
        array = rounded.astype(np.int32)
    if array.dtype != np.uint8 and array.size and (array.min() < 0 or array.max() > 65535):
        raise AnatomyError(
            f"{what.capitalize()} holds values from {array.min()} to {array.max()}, which are no label numbers; "
            "it looks like an image, not a mask."
        )
    return array


def _cropped(grid: Grid, array: NDArray[Any]) -> tuple[Grid, NDArray[Any]] | None:
    """The block that holds anything; None where nothing does."""
    window = bounding_box(array)
    return None if window is None else (grid.crop(window), np.ascontiguousarray(array[window]))


def _without_path(text: str, mask: MaskFile, what: str) -> str:
    """The sentence with the mask's role in place of its path or name, which may hold a patient's name."""
    for name in (str(mask.path), str(mask.path.absolute()), mask.path.name):
        text = text.replace(name, what)
    text = text if what in text else f"{what} cannot be used: {text}"
    return text[:1].upper() + text[1:]


def _told_empty(mask: MaskFile, what: str) -> tuple[QualityNote, ...]:
    """An empty single mask is nothing in view (TotalSegmentator writes one for every structure)."""
    if mask.role in (VERTEBRAE, PARTS):
        raise AnatomyError(f"{what.capitalize()} is empty: it holds no voxel other than 0.")
    if mask.role in VertebraLevel.__members__:
        return ()
    return (QualityNote("mask_empty", "info", f"{what.capitalize()} is empty and was taken as missing."),)


def _told(unknown: list[int], counts: NDArray[np.int64], what: str) -> tuple[QualityNote, ...]:
    if not unknown:
        return ()
    listed = ", ".join(f"{number} ({int(counts[number])} voxels)" for number in unknown[:8])
    more = f" and {len(unknown) - 8} more" if len(unknown) > 8 else ""
    return (
        QualityNote(
            "mask_unknown_labels",
            "warning",
            f"{what.capitalize()} holds numbers that its scheme does not name: {listed}{more}. They were left out.",
        ),
    )


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")
