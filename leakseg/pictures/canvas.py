"""Drawing on pictures: grey slices at true aspect, contours, text with a halo, a scale bar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

BONE_WINDOW = (500.0, 2000.0)
"""Level and width, HU: cancellous bone and cement stay apart, soft tissue is still seen."""
SOFT_WINDOW = (50.0, 400.0)
"""Level and width, HU, for soft tissue."""
_DASH = 5
"""Length of dashes and of the gaps between them, in pixels."""
PAPER, INK, FAINT = "#000000", "#FFFFFF", "#B8B8B8"


@dataclass(frozen=True, eq=False)
class View:
    """How a 2-D slice (rows down, columns right) becomes a picture.

    ``top`` and ``left`` are edges in pixels of the slice (0 is the outer edge of the first); ``step`` is slice pixels a
    picture pixel, down and right; ``size`` the picture's width and height.
    """

    top: float
    left: float
    step: tuple[float, float]
    size: tuple[int, int]

    def to_picture(self, row: float, column: float) -> tuple[float, float]:
        """Picture ``(x, y)`` of the centre of a slice pixel."""
        return ((column + 0.5 - self.left) / self.step[1], (row + 0.5 - self.top) / self.step[0])

    def seen(self, mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
        """Left, top, right and bottom of the picture's part that a mask of the slice may be seen in; None for none."""
        ends: list[int] = []
        for axis, start in ((1, self.left), (0, self.top)):
            places = np.flatnonzero(mask.any(axis=1 - axis))
            if not len(places):
                return None
            low, high = (places[0] - 1 - start) / self.step[axis], (places[-1] + 2 - start) / self.step[axis]
            ends += [max(math.floor(low), 0), min(math.ceil(high), self.size[1 - axis])]
        left, right, top, bottom = ends
        return (left, top, right, bottom) if left < right and top < bottom else None

    def part(self, box: tuple[int, int, int, int]) -> View:
        """The view of a part of the picture."""
        left, top, right, bottom = box
        start = (self.top + top * self.step[0], self.left + left * self.step[1])
        return View(*start, self.step, (right - left, bottom - top))

    def sample(self, image: Image.Image, smooth: Image.Resampling) -> Image.Image:
        """The slice seen so; black where it ends."""
        matrix = (self.step[1], 0.0, self.left, 0.0, self.step[0], self.top)
        return image.transform(self.size, Image.Transform.AFFINE, matrix, resample=smooth)


def grey(hu: NDArray[Any], view: View, window: tuple[float, float]) -> Image.Image:
    """A slice of HU in a display window (DICOM PS3.3 C.11.2.1.2: level and width), as RGB."""
    level, width = window
    scaled = np.clip((hu.astype(np.float32) - (level - width / 2)) * (255.0 / width), 0, 255).astype(np.uint8)
    return view.sample(Image.fromarray(scaled), Image.Resampling.BICUBIC).convert("RGB")


def contour(
    picture: Image.Image,
    mask: NDArray[np.bool_],
    view: View,
    colour: str,
    thickness: int = 2,
    *,
    dashed: bool = False,
) -> None:
    """Draw the outline of a mask of the slice, smooth between its pixels; dashed for what no mask shows."""
    box = view.seen(mask)
    if box is None:
        return
    left, top, _, _ = box
    seen = view.part(box).sample(Image.fromarray(mask.astype(np.uint8) * 255), Image.Resampling.BILINEAR)
    inside = np.asarray(seen) >= 128
    core = inside
    for _ in range(thickness):
        core = _eroded(core)
    line = inside & ~core
    if dashed:
        rows, columns = np.indices(line.shape)
        line &= (((rows + top) // _DASH + (columns + left) // _DASH) % 2).astype(bool)
    picture.paste(ImageColor.getrgb(colour), (left, top), Image.fromarray(line.astype(np.uint8) * 255))


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = np.zeros_like(mask)
    inner[1:-1, 1:-1] = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    return inner


def write(
    picture: Image.Image, at: tuple[float, float], text: str, size: int, anchor: str = "la", ink: str = INK
) -> None:
    """Text with a dark halo, legible on any grey."""
    ImageDraw.Draw(picture).text(at, text, font=font(size), fill=ink, anchor=anchor, stroke_width=2, stroke_fill=PAPER)


def side_letters(picture: Image.Image, left: str, right: str, top: str, bottom: str) -> None:
    """The patient's directions at the picture's four edges."""
    width, height = picture.size
    write(picture, (8, height / 2), left, 20, "lm")
    write(picture, (width - 8, height / 2), right, 20, "rm")
    write(picture, (width / 2, 6), top, 20, "ma")
    write(picture, (width / 2, height - 6), bottom, 20, "md")


def scale_bar(picture: Image.Image, mm_per_pixel: float, length_mm: float = 20.0) -> None:
    """A bar of known length in the lower right corner."""
    width, height = picture.size
    length = length_mm / mm_per_pixel
    draw = ImageDraw.Draw(picture)
    draw.rectangle((width - 15 - length, height - 14, width - 11, height - 9), fill=PAPER)
    draw.rectangle((width - 13 - length, height - 13, width - 13, height - 10), fill=INK)
    write(picture, (width - 13 - length / 2, height - 17), f"{length_mm:g} mm", 13, "md")


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that Pillow brings along: the same on every machine."""
    return ImageFont.load_default(size)
