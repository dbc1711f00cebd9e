"""Results in a reader's words: titles, verdicts, measures and evidence as sentences. Nothing here is advice."""

from __future__ import annotations

from collections.abc import Iterable

from leakseg.amendments import Edit
from leakseg.findings import CaseReport, Evidence, Leak, LeakRoute, LeakType, Side

NOT_MEASURABLE = "not measurable"
SEVERITY = (
    LeakType.EPIDURAL,
    LeakType.FORAMINAL,
    LeakType.VENOUS,
    LeakType.INTRADISCAL,
    LeakType.PARAVERTEBRAL,
    LeakType.UNDETERMINED,
)
"""Types in the order in which a reader wants to see them: next to nerves first."""
COLOURS = {
    LeakType.EPIDURAL: "#D55E00",
    LeakType.FORAMINAL: "#E69F00",
    LeakType.VENOUS: "#56B4E9",
    LeakType.INTRADISCAL: "#CC79A7",
    LeakType.PARAVERTEBRAL: "#009E73",
    LeakType.UNDETERMINED: "#999999",
}
"""Okabe and Ito's palette (2008, jfly.uni-koeln.de/color): told apart by the colour-blind too."""
_ROUTES = {
    LeakRoute.BASIVERTEBRAL: "through the basivertebral vein (B)",
    LeakRoute.SEGMENTAL: "through a segmental vein (S)",
    LeakRoute.CORTICAL: "through a defect of the cortex (C)",
    LeakRoute.DISC: "through an endplate into the disc (D)",
    LeakRoute.NEEDLE: "along the needle's track",
}
_FEATURES = {
    "canal_fraction": "share of it inside the spinal canal",
    "foramen_fraction": "share of it inside the foramen",
    "disc_fraction": "share of it inside the disc space",
    "outside_fraction": "share of it outside canal, foramina and discs",
    "front_half_fraction": "share of it in the front half of the canal",
    "middle_third_fraction": "share of it in the middle third of the canal, beside that in the fuller lateral third",
    "lateral_third_fraction": "share of it in the fuller lateral third of the canal",
    "behind_wall_mm": "its distance behind the posterior wall",
    "pedicle_height_share": "share of it at the height of its side's pedicle",
    "medial_of_pedicle_share": "share of it inward of the pedicle",
    "distance_to_canal_mm": "its distance to the canal",
    "span_lengthwise_mm": "its rise along the spine",
    "behind_wall_fraction": "share of it behind the posterior wall",
    "elongation": "its length as a multiple of its width",
    "width_mm": "its width",
    "lengthwise_fraction": "its rise along the spine as a share of its length",
    "body_angle_deg": "its angle round the vertebral body (0 in front, 90 beside, 180 behind)",
    "body_radius_ratio": "its distance from the body's centre in body radii",
    "waist_fraction": "share of it at the body's waist, away from both endplates",
    "exit_area_mm2": "the area over which it meets cement inside the bone",
    "exit_voxels": "the number of voxels over which it meets cement inside the bone",
    "exit_breadth_ratio": "the breadth of its exit as a multiple of its own width",
    "exit_height_fraction": "height of its exit from the body (0 lower, 1 upper endplate)",
    "exit_endplate_mm": "distance of its exit from the nearer endplate",
    "exit_behind_wall_mm": "distance of its exit behind the posterior wall",
    "exit_beside_mm": "distance of its exit from the midline",
    "exit_medial_of_pedicle_mm": "distance of its exit inward of the pedicle's medial wall",
    "exit_lateral_of_pedicle_mm": "distance of its exit outward of the pedicle's lateral wall",
    "exit_pedicle_height_fraction": "height of its exit on the pedicle (0 lower, 1 upper edge)",
}
_ASKED = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


def severity_rank(leak_type: str) -> int:
    """Place of a type in `SEVERITY`, 0 first."""
    return SEVERITY.index(LeakType(leak_type))


def worst_first(leaks: Iterable[Leak]) -> list[Leak]:
    """Leaks next to nerves first, then by share of the canal, then by volume."""
    return sorted(
        leaks,
        key=lambda leak: (severity_rank(leak.type), -(leak.canal_encroachment_fraction or 0.0), -leak.volume_mm3),
    )


def plain(name: str | None) -> str:
    """A value of an enum as a reader says it: ``pedicle_breach`` is "pedicle breach"."""
    return "" if name is None else str(name).replace("_", " ")


def place(leak: Leak) -> str:
    """Finer place and side: "paracentral left", "left", "midline"."""
    side = "both sides" if leak.side == Side.BILATERAL else str(leak.side)
    return f"{plain(leak.subtype)} {side}".strip()


def leak_title(leak: Leak) -> str:
    """E.g. "Leak 1: epidural, paracentral left, L1"."""
    return f"Leak {leak.id}: {plain(leak.type)}, {place(leak)}, {_where(leak)}"


def leak_phrase(leak: Leak) -> str:
    """E.g. "epidural leak at L1, left paracentral, 27 % of the canal"."""
    side = "on both sides" if leak.side == Side.BILATERAL else str(leak.side)
    kind = "leak of undetermined place" if leak.type == LeakType.UNDETERMINED else f"{plain(leak.type)} leak"
    parts = [f"{kind} at {_where(leak)}", f"{side} {plain(leak.subtype)}".strip()]
    if leak.canal_encroachment_fraction:
        parts.append(f"{percent(leak.canal_encroachment_fraction)} of the canal")
    elif leak.foraminal_occupation_fraction:
        parts.append(f"{percent(leak.foraminal_occupation_fraction)} of the foramen")
    return ", ".join(parts)


def verdict(report: CaseReport) -> str:
    """The case in one sentence, the worst leak first."""
    leaks = worst_first(report.leaks)
    if leaks:
        more = len(leaks) - 1
        told = _capital(leak_phrase(leaks[0]))
        return told if not more else f"{told}; {more} more leak{'s' if more > 1 else ''}"
    if report.cement.total_volume_mm3 <= 0:
        return "No cement found"
    treated = [str(level.level) for level in report.levels if level.treated]
    return f"Cement in {', '.join(treated) if treated else 'the scan, in no vertebra for sure'}; no leak found"


def measures(leak: Leak) -> list[tuple[str, str]]:
    """Names and values of what a reader is told of a leak; "not measurable" is said, never zero."""
    rows = [
        ("Volume", f"{leak.volume_mm3:.0f} mm³"),
        ("From vertebra", str(leak.level)),
        ("Lies at", _where(leak)),
        ("Side (the patient's)", plain(leak.side)),
        ("Way out of the bone", _ROUTES[leak.route] if leak.route else "undetermined"),
        ("Extent left-right, front-back, up-down", " by ".join(f"{value:.0f}" for value in leak.extent_mm) + " mm"),
        ("Mean density", f"{leak.mean_hu:.0f} HU"),
    ]
    if leak.type in (LeakType.EPIDURAL, LeakType.FORAMINAL) or leak.canal_encroachment_fraction is not None:
        rows.append(("Share of the canal's area", percent(leak.canal_encroachment_fraction)))
        rows.append(("Largest depth in the canal", _mm(leak.max_sagittal_diameter_mm)))
    if leak.type == LeakType.FORAMINAL:
        rows.append(("Share of the foramen", percent(leak.foraminal_occupation_fraction)))
        rows.append(("Root that leaves there", leak.exiting_root or NOT_MEASURABLE))
    rows.append(("Distance to the canal", _mm(leak.distance_to_canal_mm)))
    rows.append(("Confidence in the type", percent(leak.confidence) if leak.confidence is not None else "not stated"))
    return rows


def evidence_row(evidence: Evidence) -> tuple[str, str, str, bool]:
    """One criterion in plain words: what, measured, asked for, met."""
    name, relation, _ = (*evidence.criterion.split(" "), "", "")[:3]
    what = _FEATURES.get(name) or plain(evidence.criterion.partition(" ")[0])
    asked = (
        "" if evidence.limit is None else f"{_ASKED.get(relation, '')} {_value(evidence.limit, evidence.unit, name)}"
    )
    return _capital(what), _value(evidence.measured, evidence.unit, name), asked.strip(), evidence.met


def amendments(report: CaseReport) -> list[str]:
    """What each reader changed and when, a text an amendment, oldest first; empty where nobody did."""
    history = report.amended.history() if report.amended else ()
    return [
        f"{one.who}, {one.when[:16].replace('T', ' ')}: {'; '.join(edit_phrase(edit) for edit in one.edits)}"
        for one in history
    ]


def edit_phrase(edit: Edit) -> str:
    """E.g. "leak 2, type: epidural, now foraminal"."""
    of = "" if edit.of == "case" else f"{edit.of}, "
    was, now = (plain(value) if value else "none" for value in (edit.was, edit.now))
    if edit.was is None and edit.what in {"comment", "reviewed", "from the first result"}:
        return f"{of}{edit.what}: {(edit.now or '').rstrip('.')}"
    if edit.what == "level" and edit.of.startswith("level "):
        return f"level {edit.was} is now {edit.now}"
    if edit.what == "struck out":
        return f"{of}struck out as {edit.now}: {edit.was}"
    return f"{of}{plain(edit.what)}: {was}, now {now}"


def percent(fraction: float | None) -> str:
    """A share in per cent."""
    if fraction is None:
        return NOT_MEASURABLE
    return "under 1 %" if 0 < fraction < 0.005 else f"{100 * fraction:.0f} %"


def _value(value: float | None, unit: str, name: str) -> str:
    if value is None:
        return NOT_MEASURABLE
    if name.endswith("_fraction") and "height" not in name:
        return percent(value)
    return f"{value:.3g}" if unit in {"", "1"} else f"{value:.3g} {unit.replace('mm2', 'mm²').replace('deg', '°')}"


def _where(leak: Leak) -> str:
    return leak.segment or str(leak.level)


def _mm(value: float | None) -> str:
    return NOT_MEASURABLE if value is None else f"{value:.1f} mm"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
