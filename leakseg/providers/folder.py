"""Mask files in a folder or given one by one: each with the role its name says and its numbers' names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from leakseg.anatomy import VertebraLevel
from leakseg.errors import AnatomyError, ConfigError, InputError
from leakseg.findings import QualityNote
from leakseg.nifti import is_image_file
from leakseg.providers.embedded import names_in_file
from leakseg.providers.names import VERTEBRAE, role_of_file
from leakseg.providers.schemes import SCHEMES, Scheme, read_labels_file, scheme_of_names
from leakseg.providers.segments import read_seg_header
from leakseg.providers.values import MaskFile, all_beside, links_to, own_files
from leakseg.volume import ScanSource

LABELS_FILE = "labels.toml"
_LEVELS = tuple(level.value for level in VertebraLevel)
_SINGLE_ENDINGS = (".nii.gz", ".nrrd", ".dcm", ".nii")


def masks_of_file(path: Path, scheme: Scheme | None, role: str | None) -> list[MaskFile]:
    """One file given outright: a DICOM SEG, or an image in the role given, its name's, or ``vertebrae``.

    Raises
    ------
    InputError
        Where it is neither image nor DICOM SEG.
    AnatomyError
        Where it is a labelmap whose numbers nothing names.
    """
    if is_image_file(path):
        return with_names(path, role or role_of_file(path.name) or VERTEBRAE, scheme)
    if read_seg_header(path) is None:
        raise InputError("A file given as masks is neither NIfTI, NRRD nor DICOM SEG.")
    return [MaskFile(path, "seg")]


def masks_of_folder(
    folder: Path, scan: ScanSource, scheme: Scheme | None
) -> tuple[list[MaskFile], tuple[QualityNote, ...]]:
    """The case's masks in a folder given outright: by the case's path or id, its folder's, else the folder's own files.

    Raises
    ------
    InputError
        Where it holds nothing for this case.
    """
    for name in dict.fromkeys((scan.relative_path, scan.case_id)):
        if name not in ("", ".") and (folder / name).is_dir():
            return _case_folder(folder / name, scan, scheme, lone=True)
    for ending in _SINGLE_ENDINGS:
        path = folder / f"{scan.case_id}{ending}"
        if path.is_file():
            return masks_of_file(path, scheme, None), ()
    counterpart = folder / PurePosixPath(scan.relative_path).parent
    if counterpart != folder and counterpart.is_dir() and _alone(scan):
        return _case_folder(counterpart, scan, scheme, lone=False)
    return _case_folder(folder, scan, scheme, lone=False)


def role_named(beside: Sequence[Path], own: set[str], scheme: Scheme | None) -> list[MaskFile]:
    """Role-named images among `all_beside` the scan's own, by their names; single levels from the head down.

    The sacrum and an S1 of its own are both level S1; any other role is taken once.

    Raises
    ------
    AnatomyError
        Where a labelmap among them has numbers that nothing names, or two files claim one role.
    """
    named: dict[str, list[Path]] = {}
    for path in beside:
        role = role_of_file(path.name) if is_image_file(path) and path.is_file() else None
        if role is None or links_to(path, own):
            continue
        if role in named and role != VertebraLevel.S1:
            raise AnatomyError(
                f"Two mask files beside one another both go by the role {role}; keep one, or say {role}=FILE."
            )
        named.setdefault(role, []).append(path)
    levels = [level for level in _LEVELS if level in named]
    if VERTEBRAE in named and levels:
        raise AnatomyError(
            f"Found a labelmap of vertebrae and a mask of {levels[0]} alone; keep one kind, or say which by ROLE=FILE."
        )
    order = [*levels, *(role for role in named if role not in levels)]
    return [mask for role in order for path in named[role] for mask in with_names(path, role, scheme)]


def with_names(path: Path, role: str, scheme: Scheme | None) -> list[MaskFile]:
    """The file, and what names its numbers: the scheme given, a labels.toml beside it, or its own header.

    Raises
    ------
    AnatomyError
        Where it is a labelmap and nothing names its numbers, or what names them is wrong.
    """
    if role != VERTEBRAE:
        return [MaskFile(path, role)]
    if scheme is not None:
        return [MaskFile(path, role, scheme)]
    beside = path.with_name(LABELS_FILE)
    try:
        if beside.is_file():
            return [MaskFile(path, role, read_labels_file(beside)), MaskFile(beside, "names")]
        names = names_in_file(path)
        if names:
            return [MaskFile(path, role, scheme_of_names(names, "names in the file"))]
    except ConfigError as error:  # the case's own data, not the run's options: it costs this case alone
        raise AnatomyError(f"The names of the vertebrae mask's numbers are wrong: {error}") from error
    raise AnatomyError(
        "Nothing says what the numbers of the vertebrae mask mean, and they are not guessed (26 is S1, L6 or sacrum); "
        f"give --label-scheme {'|'.join(SCHEMES)}, a TOML file, or put a {LABELS_FILE} beside it."
    )


def _alone(scan: ScanSource) -> bool:
    """Whether a scan is an image and the only one in its folder: what bears the folder's name is then its own."""
    if scan.kind == "dicom":
        return False
    own = own_files(scan)
    images = (path for path in scan.folder.iterdir() if is_image_file(path) and role_of_file(path.name) is None)
    return all(os.path.realpath(path) in own for path in images)


def _case_folder(
    folder: Path, scan: ScanSource, scheme: Scheme | None, *, lone: bool
) -> tuple[list[MaskFile], tuple[QualityNote, ...]]:
    own = own_files(scan)
    beside = all_beside(folder, own)
    named = role_named(beside, own, scheme)
    if named:
        return named, _strangers(folder, own)
    files = [path for path in beside if path.is_file() and not links_to(path, own)]
    segs = [path for path in files if not is_image_file(path) and read_seg_header(path) is not None]
    images = [path for path in files if is_image_file(path) and not path.name.lower().startswith("truth")]
    if len(segs) == 1:
        return [MaskFile(segs[0], "seg")], ()
    if len(segs) > 1:
        raise InputError(f"The masks folder holds {len(segs)} DICOM SEG for this case; name the one to use.")
    if lone and len(images) == 1:
        return with_names(images[0], VERTEBRAE, scheme), ()
    raise InputError(
        "The masks folder holds nothing for this case: neither a folder by its path, its folder's or case_id, nor "
        "<case_id>.nii.gz (.nrrd, .dcm), nor files named by role (vertebrae..., canal..., vertebrae_L1...)."
    )


def _strangers(folder: Path, own: set[str]) -> tuple[QualityNote, ...]:
    count = sum(
        1
        for path in folder.iterdir()
        if is_image_file(path) and role_of_file(path.name) is None and os.path.realpath(path) not in own
    )
    if not count:
        return ()
    text = f"{count} files in the masks folder have names that give no role; they were left out."
    return (QualityNote("mask_files_left_out", "info", text),)
