"""Pictures after a reader's corrections: the first result's, with what changed told in them.

Outlines are drawn in pure colours, so a leak's outline changes its colour exactly where no other leak has it
too. What cannot be changed in a picture, such as level names, is said in a strip below it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor

from leakseg.anatomy import VertebraLevel
from leakseg.findings import CaseReport, Leak
from leakseg.pictures import canvas
from leakseg.pictures.key_image import draw_head
from leakseg.wording import COLOURS, plain

STRUCK_COLOUR = "#6A6A6A"
_LINE, _SIZE = 20, 14


def stored_pictures(first: Path) -> dict[str, Image.Image]:
    """The first result's PNG pictures by name (``leak-1``, ``levels``, ``solid``)."""
    paths = [*sorted(first.glob("leak-*.png")), first / "levels.png", first / "solid.png"]
    found = {}
    for path in paths:
        if path.is_file():
            with Image.open(path) as picture:
                found[path.stem] = picture.convert("RGB")
    return found


def corrected_pictures(
    pictures: Mapping[str, Image.Image],
    first: CaseReport,
    report: CaseReport,
    names: Mapping[VertebraLevel, VertebraLevel],
    struck: Mapping[int, str],
) -> dict[str, Image.Image]:
    """The pictures of leaks that are left, of the levels and in three dimensions, as the report has it now."""
    assert report.amended is not None
    new = {f"leak-{leak.id}": leak for leak in report.leaks}
    recoloured, told = _changes(first, report, struck)
    if renamed := [f"{old} is {now}" for old, now in names.items() if old != now]:
        told.append("level names in the picture are the first result's: " + ", ".join(renamed))
    # Not by whom: the font that pictures are drawn with has few letters beyond ASCII.
    strip = f"Amended by a reader, {report.amended.when[:10]}: {'; '.join(told)}" if told else ""
    drawn = {}
    for name, picture in pictures.items():
        if name.startswith("leak-") and name not in new:
            continue
        changed = _recoloured(picture, recoloured)
        if name in new:
            draw_head(changed, new[name])
        drawn[name] = _with_strip(changed, strip)
    return drawn


def _changes(first: CaseReport, report: CaseReport, struck: Mapping[int, str]) -> tuple[dict[str, str], list[str]]:
    """Outline colours that change, old to new, and what is to be told of leaks."""
    new = {leak.id: leak for leak in report.leaks}
    colours = [COLOURS[leak.type] for leak in first.leaks]
    recoloured: dict[str, str] = {}
    told = []
    for leak in first.leaks:
        old, now = COLOURS[leak.type], _colour(new.get(leak.id))
        if old == now:
            continue
        alone = colours.count(old) == 1
        what = f"leak {leak.id} ({plain(leak.type)} at first) "
        what += f"was struck out as {struck[leak.id]}" if leak.id in struck else f"is {plain(new[leak.id].type)}"
        told.append(what if alone else f"{what}, outlined in its first colour")
        if alone:
            recoloured[old] = now
    return recoloured, told


def _colour(leak: Leak | None) -> str:
    return STRUCK_COLOUR if leak is None else COLOURS[leak.type]


def _recoloured(picture: Image.Image, colours: Mapping[str, str]) -> Image.Image:
    before = np.asarray(picture.convert("RGB"))
    after = before.copy()
    for old, new in colours.items():
        after[(before == ImageColor.getrgb(old)).all(axis=2)] = ImageColor.getrgb(new)
    return Image.fromarray(after)


def _with_strip(picture: Image.Image, text: str) -> Image.Image:
    if not text:
        return picture
    lines = textwrap.wrap(text, max(20, int(picture.width / (0.52 * _SIZE))))
    page = Image.new("RGB", (picture.width, picture.height + _LINE * len(lines) + 8), canvas.PAPER)
    page.paste(picture, (0, 0))
    for number, line in enumerate(lines):
        canvas.write(page, (8, picture.height + 4 + number * _LINE), line, _SIZE)
    return page
