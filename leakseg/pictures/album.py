"""All pictures of one case, drawn once however many writers want them."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from PIL import Image

from leakseg.findings import CaseResult
from leakseg.pictures.key_image import key_image
from leakseg.pictures.overview import levels_picture
from leakseg.pictures.region import spine_region
from leakseg.pictures.solid import solid_picture


@dataclass(frozen=True, eq=False)
class Album:
    """Pictures of a case: key images by leak id, the levels, and the 3-D look."""

    leaks: dict[int, Image.Image]
    levels: Image.Image
    solid: Image.Image


_drawn: WeakKeyDictionary[CaseResult, Album] = WeakKeyDictionary()


def album(result: CaseResult) -> Album:
    """The case's pictures; drawn at the first call, kept as long as the result is."""
    found = _drawn.get(result)
    if found is None:
        region = spine_region(result)
        leaks = {leak.id: key_image(result, region, leak) for leak in result.report.leaks}
        found = Album(
            {number: picture for number, picture in leaks.items() if picture is not None},
            levels_picture(result, region),
            solid_picture(result, region),
        )
        _drawn[result] = found
    return found
