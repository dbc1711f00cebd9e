"""A page that was written before, taken apart again: its pictures and its scene, under new names."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping
from typing import Any

from leakseg.anatomy import VertebraLevel
from leakseg.errors import OutputError
from leakseg.findings import CaseReport
from leakseg.wording import COLOURS, leak_title, worst_first
from leakseg.writers.html.case_page import Parts

_PICTURE = re.compile(r'<img data-picture="([a-z]+(?:-\d+)?)" src="data:image/jpeg;base64,([A-Za-z0-9+/=]+)"')
_SCENE = re.compile(r'<script type="application/json" id="scene">(.*?)</script>', re.DOTALL)
_IN_BONE = {"kind": "cement", "name": "cement", "colour": "#FFFFFF"}


def stored_parts(page: str) -> Parts:
    """Pictures and scene of a page.

    Raises
    ------
    OutputError
        Where the page is none of this version's.
    """
    from PIL import Image

    found = _SCENE.search(page)
    pictures = {name: Image.open(io.BytesIO(base64.b64decode(data))) for name, data in _PICTURE.findall(page)}
    if found is None or not {"levels", "solid"} <= set(pictures):
        raise OutputError("The case's report.html is not as this version of leakseg writes it; run the case again.")
    return Parts({name: picture.convert("RGB") for name, picture in pictures.items()}, json.loads(found[1]))


def renamed_scene(
    scene: Mapping[str, Any],
    first: CaseReport,
    report: CaseReport,
    names: Mapping[VertebraLevel, VertebraLevel],
    struck: Mapping[int, str],
) -> dict[str, Any]:
    """The first result's scene with the report's leaks and levels; no voxel changes."""
    old = {leak_title(leak): leak.id for leak in first.leaks}
    new = {leak.id: leak for leak in report.leaks}
    levels = {str(was): str(now) for was, now in names.items()}
    legend, surfaces = [], []
    for entry in scene["legend"]:
        number = old.get(entry["name"])
        if number is None:
            legend.append(entry | {"name": levels.get(entry["name"], entry["name"])})
        elif number in new:
            legend.append(entry | {"name": leak_title(new[number]), "colour": COLOURS[new[number].type]})
        elif struck.get(number) == "in bone":
            legend.append(entry | _IN_BONE)
    for entry in scene["surfaces"]:
        number = old.get(entry["name"])
        if number is None:
            surfaces.append(entry)
        elif number in new:
            surfaces.append(entry | {"name": leak_title(new[number]), "colour": COLOURS[new[number].type]})
        elif struck.get(number) == "in bone":
            surfaces.append(entry | {"name": "cement in bone", "colour": _IN_BONE["colour"]})
    places = {entry["id"]: entry["at"] for entry in scene["leaks"]}
    return dict(scene) | {
        "legend": legend,
        "surfaces": surfaces,
        "names": [entry | {"name": levels.get(entry["name"], entry["name"])} for entry in scene["names"]],
        "leaks": [
            {"id": leak.id, "title": leak_title(leak), "at": places[leak.id]}
            for leak in worst_first(report.leaks)
            if leak.id in places
        ],
    }
