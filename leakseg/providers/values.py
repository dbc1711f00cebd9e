"""What the providers hand on: the plan of a case's masks, a drawing on its own grid, and the masks read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks
from leakseg.findings import QualityNote
from leakseg.geometry import Grid
from leakseg.providers.names import Structure
from leakseg.providers.schemes import Scheme
from leakseg.spelt import spelt
from leakseg.volume import ScanSource

ProviderName = Literal["precomputed", "builtin", "totalsegmentator"]


@dataclass(frozen=True)
class MaskFile:
    """One file of a case's masks: its role (see `leakseg.providers.names.ROLES`) and its numbers' names.

    The role ``"seg"`` is a DICOM SEG, which names its own segments; ``"names"`` is a labels.toml, kept
    so that a changed name changes the case's digest.
    """

    path: Path
    role: str
    scheme: Scheme | None = None


@dataclass(frozen=True)
class MaskPlan:
    """Where one case's masks come from, decided from file names and headers alone.

    Parameters
    ----------
    provider
        ``"precomputed"``, ``"builtin"`` or ``"totalsegmentator"``.
    masks
        The files, in the order they are laid over one another; empty where they are still to be drawn.
    scheme
        What gave the numbers their names: a scheme's name, ``labels.toml``, ``names in the file``,
        ``file names`` or ``segment names``; None where they are still to be drawn.
    notes
        What the choice left aside.
    """

    provider: ProviderName
    masks: tuple[MaskFile, ...] = ()
    scheme: str | None = None
    notes: tuple[QualityNote, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file the masks depend on, for the case's digest."""
        return tuple(mask.path for mask in self.masks)

    @property
    def roles(self) -> tuple[str, ...]:
        """The role of each of `files`."""
        return tuple(mask.role for mask in self.masks)


@dataclass(frozen=True, eq=False)
class Drawing:
    """What one file shows, on its own grid (canonical orientation).

    ``levels`` is ``(K, J, I)`` uint8 of `VertebraLevel.number`, None where the file shows no vertebra;
    ``parts`` holds bool masks of the same shape. ``field`` is the file's whole grid where ``grid`` is
    cropped to what it shows; None where the file leaves empty slices out.
    """

    grid: Grid
    levels: NDArray[np.uint8] | None = None
    parts: dict[Structure, NDArray[np.bool_]] = dataclass_field(default_factory=dict)
    field: Grid | None = None


@dataclass(frozen=True, eq=False)
class MasksRead:
    """Masks on the scan's own grid, and what must be known of them."""

    masks: SpineMasks
    notes: tuple[QualityNote, ...] = ()


def own_files(scan: ScanSource) -> set[str]:
    """Where the scan's files lie, links followed: a folder of masks may hold them too.

    As `os.path.realpath` of each, which asks for every folder on the way; here once for those of one folder.
    """
    names: dict[str, list[str]] = {}
    for path in spelt(scan.files):
        folder, slash, name = path.rpartition(os.sep)
        names.setdefault(folder + slash, []).append(name)
    found: set[str] = set()
    for folder, inside in names.items():
        place = os.path.realpath(folder)
        try:
            links = {entry.name for entry in os.scandir(place) if entry.is_symlink()}
        except OSError:  # what is gone, or may not be listed, is told where it is read
            links = set(inside)
        start = place + os.sep
        found.update([start + name for name in inside if name not in links])
        found.update(os.path.realpath(start + name) for name in links.intersection(inside))
    return found


def links_to(path: Path, own: set[str]) -> bool:
    """Whether one of `all_beside` is a link to one of the scan's `own_files`: another file is none of them."""
    return path.is_symlink() and os.path.realpath(path) in own


def all_beside(folder: Path, own: set[str]) -> list[Path]:
    """What lies in a folder besides the scan's `own_files`, in the order of names; links to them are still there.

    For a folder of slices they are all but a few: none of them is asked what it is.
    """
    start = os.path.realpath(folder) + os.sep
    names = sorted(os.listdir(folder))  # noqa: PTH208 - paths are made of the few that are left
    return [folder / name for name in names if start + name not in own]
