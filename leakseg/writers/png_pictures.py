"""``leak-<id>.png``, ``levels.png`` and ``solid.png``: what a reader looks at first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from leakseg.findings import CaseResult
from leakseg.pictures import album
from leakseg.pictures.png import write_png

if TYPE_CHECKING:
    from PIL import Image

LEVELS, SOLID = "levels.png", "solid.png"


def write(result: CaseResult, folder: Path) -> tuple[Path, ...]:
    """Write a key image of each leak, the levels at a glance, and the look in three dimensions."""
    pictures = album(result)
    named: dict[str, Image.Image] = {f"leak-{number}.png": picture for number, picture in pictures.leaks.items()}
    named |= {LEVELS: pictures.levels, SOLID: pictures.solid}
    for name, picture in named.items():
        write_png(picture, folder / name)
    return tuple(folder / name for name in named)
