"""``report.html``: the verdict first, then each leak with its pictures, its measures and why it is called so."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leakseg import wording
from leakseg.findings import CaseReport, CaseResult, Leak
from leakseg.writers.html.amendment import about, argument, both_versions, starter
from leakseg.writers.html.library import plotly_js, script, template

if TYPE_CHECKING:
    from PIL import Image

NAME, THUMBNAIL = "report.html", "thumbnail.jpg"
MAX_PICTURE_BYTES = 1_500_000
"""Pictures inside the page, before base64; more of them are stored with less quality, to keep a page under 6 MB."""
_QUALITIES = ((85, 1.0), (70, 1.0), (55, 0.75), (45, 0.5), (35, 0.35), (30, 0.25))
_THUMBNAIL = 200
_PATTERNS = ("combined", "bilateral", "profuse")


@dataclass(frozen=True, eq=False)
class Parts:
    """What a page shows besides the report: pictures by name (``leak-1``, ``levels``, ``solid``), and the scene."""

    pictures: dict[str, Image.Image]
    scene: dict[str, Any]


def write(result: CaseResult, folder: Path) -> tuple[Path, ...]:
    """Write the page and the thumbnail that the run's index shows; the same result gives the same bytes."""
    return write_page(result.report, _parts(result), folder)


def write_page(report: CaseReport, parts: Parts, folder: Path, first: CaseReport | None = None) -> tuple[Path, ...]:
    """Write page and thumbnail of a report; ``first`` is the program's own where a reader amended it."""
    page = folder / NAME
    page.write_text(page_text(report, parts, first), encoding="utf-8", errors="backslashreplace")
    thumbnail = folder / THUMBNAIL
    thumbnail.write_bytes(_jpeg(_thumbnail(report, parts.pictures), 80, 1.0))
    return page, thumbnail


def case_page(result: CaseResult) -> str:
    """The page's HTML: one text that needs nothing else."""
    return page_text(result.report, _parts(result))


def _parts(result: CaseResult) -> Parts:
    from leakseg.pictures import album  # drawing takes a second to import: the page of all cases draws nothing
    from leakseg.writers.html.scene import scene

    pictures = album(result)
    named = {f"leak-{number}": picture for number, picture in pictures.leaks.items()}
    return Parts(named | {"levels": pictures.levels, "solid": pictures.solid}, scene(result))


def page_text(report: CaseReport, parts: Parts, first: CaseReport | None = None) -> str:
    """The page's HTML for a report, with both versions where ``first`` is the program's own."""
    embedded = _embedded(parts.pictures)
    scripts = {name: script(f"{name}.js") for name in ("viewer", "theme", "copy")}
    return template("report.html.j2").render(
        report=report,
        title=wording.verdict(report),
        more=[wording.leak_phrase(leak) for leak in wording.worst_first(report.leaks)[1:]],
        pattern=[name for name in _PATTERNS if getattr(report.patient_pattern, name)],
        leaks=[_leak(leak, embedded, report) for leak in wording.worst_first(report.leaks)],
        doubts=_doubts(report),
        remarks=[note.message for note in report.quality if note.severity == "info"],
        levels=report.levels,
        percent=wording.percent,
        levels_picture=embedded["levels"],
        solid_picture=embedded["solid"],
        criteria=sorted(report.criteria.items()),
        canal=next((entry["name"] for entry in parts.scene["legend"] if entry["kind"] == "canal"), None),
        amended=wording.amendments(report),
        first_title=wording.verdict(first) if first else "",
        versions=both_versions(first, report) if first else [],
        edits=starter(report),
        case_argument=argument(report.case_id),
        scene=json.dumps(parts.scene, separators=(",", ":")),
        plotly=plotly_js(),
        hashes=tuple(digest for _, digest in scripts.values()),
        **{name: text for name, (text, _) in scripts.items()},
    )


def _leak(leak: Leak, embedded: dict[str, str], report: CaseReport) -> dict[str, Any]:
    title = wording.leak_title(leak)
    return {
        "id": leak.id,
        "title": title,
        "colour": wording.COLOURS[leak.type],
        "picture": embedded.get(f"leak-{leak.id}"),
        "alt": f"{title}: axial slice in bone and in soft-tissue window, sagittal and coronal slice through the leak, "
        "outlined in the colour of its type; the patient's left is on the picture's right.",
        "measures": wording.measures(leak),
        "evidence": [wording.evidence_row(evidence) for evidence in leak.evidence],
        **about(leak, report),
    }


def _doubts(report: CaseReport) -> list[str]:
    """Why a person must look, each in a sentence; empty where leakseg has no doubt."""
    limit = report.criteria.get("min_confidence")
    doubts = [note.message for note in report.quality if note.severity != "info"]
    if isinstance(limit, int | float):
        doubts += [
            f"{wording.leak_title(leak)}: confidence in the type is {wording.percent(leak.confidence)}, "
            f"under {wording.percent(float(limit))}."
            for leak in report.leaks
            if leak.confidence is not None and leak.confidence < limit
        ]
    named = report.criteria.get("min_label_confidence")
    if isinstance(named, int | float):
        doubts += [
            f"The name of level {level.level} is sure to {wording.percent(level.label_confidence)} only."
            for level in report.levels
            if level.label_confidence is not None and level.label_confidence < named
        ]
    if report.needs_review and not doubts:
        doubts.append("The analysis asks for a review of this case.")
    return doubts


def _embedded(named: dict[str, Image.Image]) -> dict[str, str]:
    """All pictures as data URLs, as good as their number allows."""
    files: dict[str, bytes] = {}
    for quality, scale in _QUALITIES:
        files = {name: _jpeg(picture, quality, scale) for name, picture in named.items()}
        if sum(map(len, files.values())) <= MAX_PICTURE_BYTES:
            break
    return {name: "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii") for name, data in files.items()}


def _thumbnail(report: CaseReport, pictures: dict[str, Image.Image]) -> Image.Image:
    """The worst leak's axial slice, or the levels."""
    from leakseg.pictures.key_image import axial_panel

    shown = [leak for leak in wording.worst_first(report.leaks) if f"leak-{leak.id}" in pictures]
    picture = axial_panel(pictures[f"leak-{shown[0].id}"]) if shown else pictures["levels"]
    small = picture.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return small


def _jpeg(picture: Image.Image, quality: int, scale: float) -> bytes:
    if scale < 1:
        picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality, subsampling=0)
    return stream.getvalue()
