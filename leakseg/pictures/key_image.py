"""The key image of one leak: axial in two windows, sagittal and coronal, through the slices that show most of it."""

from __future__ import annotations

from PIL import Image, ImageDraw

from leakseg.findings import CaseResult, Leak
from leakseg.pictures import canvas
from leakseg.pictures.planes import PlaneName, draw_plane, plane_view
from leakseg.pictures.region import Region, leak_centre
from leakseg.wording import COLOURS, leak_title

_PANEL, _HEAD, _GAP = 400, 34, 4
_FIELD_MM = 100.0
_ROOM = 1.3
"""The field grows where a leak is longer than it leaves room for."""
_PANELS: tuple[tuple[PlaneName, tuple[float, float]], ...] = (
    ("axial", canvas.BONE_WINDOW),
    ("axial", canvas.SOFT_WINDOW),
    ("sagittal", canvas.BONE_WINDOW),
    ("coronal", canvas.BONE_WINDOW),
)


def key_image(result: CaseResult, region: Region, leak: Leak) -> Image.Image | None:
    """The picture of one leak, 2 by 2 panels; None where no voxel of the leak is left to show."""
    centre = leak_centre(region, leak)
    if centre is None:
        return None
    field_mm = max(_FIELD_MM, _ROOM * max(leak.extent_mm))
    size = (2 * _PANEL + _GAP, _HEAD + 2 * _PANEL + _GAP)
    page = Image.new("RGB", size, canvas.PAPER)
    draw_head(page, leak)
    for position, (plane, window) in enumerate(_PANELS):
        view = plane_view(region, plane, centre, field_mm, _PANEL)
        index = centre[{"axial": 0, "coronal": 1, "sagittal": 2}[plane]]
        panel = draw_plane(region, plane, index, view, window, result.report.leaks)
        told = "bone" if window == canvas.BONE_WINDOW else "soft tissue"
        canvas.write(panel, (_PANEL - 8, 6), f"{told} {window[0]:.0f}/{window[1]:.0f}", 13, "ra", canvas.FAINT)
        across, down = position % 2, position // 2
        page.paste(panel, (across * (_PANEL + _GAP), _HEAD + down * (_PANEL + _GAP)))
    return page


def draw_head(page: Image.Image, leak: Leak) -> None:
    """Write the leak's title, with the colour of its type, over whatever stands at the head of a key image."""
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, page.width, _HEAD - 1), fill=canvas.PAPER)
    draw.rectangle((10, 9, 26, 25), fill=COLOURS[leak.type])
    draw.text((34, _HEAD / 2), leak_title(leak), font=canvas.font(19), fill=canvas.INK, anchor="lm")


def axial_panel(page: Image.Image) -> Image.Image:
    """The axial slice in the bone window, out of a key image."""
    return page.crop((0, _HEAD, _PANEL, _HEAD + _PANEL))
