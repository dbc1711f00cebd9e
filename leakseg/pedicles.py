"""Pedicles that the masks do not show, put where their neighbours tell that they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from leakseg.anatomy import Pedicle, Vertebra

_SIDES = ("left", "right")


def with_unseen_pedicles(vertebrae: tuple[Vertebra, ...]) -> tuple[Vertebra, ...]:
    """The vertebrae, cranial first, with the pedicles that they lack: as on the other side, else as a neighbour's.

    Masks leave pedicles out, and the view cuts them off; the foramina above and below are there all the same.
    A neighbour's pedicle keeps its distance from the endplate that the two vertebrae turn to each other, the one that
    is in view where a vertebra is cut off. A sacrum's is told by its other side alone.
    """
    return tuple(
        replace(vertebra, pedicles={**_unseen(vertebrae, at), **vertebra.pedicles})
        for at, vertebra in enumerate(vertebrae)
    )


def _unseen(vertebrae: tuple[Vertebra, ...], at: int) -> dict[str, Pedicle]:
    """By side; empty where nothing tells."""
    vertebra = vertebrae[at]
    if vertebra.pedicles:
        return dict.fromkeys(_SIDES, next(iter(vertebra.pedicles.values())))
    beside = next(_neighbours(vertebrae, at), None)
    if beside is None or vertebra.level.value.startswith("S"):
        return {}
    neighbour, above = beside
    return {side: _moved(pedicle, neighbour, vertebra, above) for side, pedicle in neighbour.pedicles.items()}


def _neighbours(vertebrae: tuple[Vertebra, ...], at: int) -> Iterator[tuple[Vertebra, bool]]:
    """Those beside it that show a pedicle, and whether they stand above it."""
    for index, above in ((at - 1, True), (at + 1, False)):
        shows = 0 <= index < len(vertebrae) and vertebrae[index].pedicles
        if shows and not vertebrae[index].level.value.startswith("S"):
            yield vertebrae[index], above


def _moved(pedicle: Pedicle, of: Vertebra, to: Vertebra, above: bool) -> Pedicle:
    moved_mm = to.s_top_mm - of.s_top_mm if above else to.s_bottom_mm - of.s_bottom_mm
    return replace(pedicle, s_bottom_mm=pedicle.s_bottom_mm + moved_mm, s_top_mm=pedicle.s_top_mm + moved_mm)
