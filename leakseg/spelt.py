"""Paths that are kept as text: what is looked at by the hundred thousand and opened by the few."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload


class SpeltPaths(Sequence[Path]):
    """A sequence of paths that makes each of them when it is asked for.

    The files of a thousand cases that are done already are looked up and never opened: making the paths of their
    slices takes as long as asking the disk for them, and they fill four times as much memory.

    Examples
    --------
    >>> SpeltPaths(["a/1.dcm", "a/2.dcm"])[1].name
    '2.dcm'
    """

    __slots__ = ("names",)

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        """Each as `Path` would spell it."""

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, at: int) -> Path: ...

    @overload
    def __getitem__(self, at: slice) -> SpeltPaths: ...

    def __getitem__(self, at: int | slice) -> Path | SpeltPaths:
        return SpeltPaths(self.names[at]) if isinstance(at, slice) else Path(self.names[at])

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, (SpeltPaths, tuple)) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))


def spelt(paths: Sequence[Path]) -> Sequence[str]:
    """The paths as text."""
    return paths.names if isinstance(paths, SpeltPaths) else list(map(str, paths))
