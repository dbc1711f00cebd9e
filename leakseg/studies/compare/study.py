"""Scans of one patient over time, compared: every leak, every level, and the bone between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import leakseg
from leakseg.anatomy import VertebraLevel
from leakseg.config import AnalysisConfig
from leakseg.criteria.compare import CompareCriteria
from leakseg.errors import InputError
from leakseg.findings import DISCLAIMER
from leakseg.studies.compare.bone_change import REGIONS, ResectedBone, resected_bone
from leakseg.studies.compare.cement_change import INNER, CementCloud, canal_shares, first_cloud, later_cloud
from leakseg.studies.compare.new_cement import new_pieces
from leakseg.studies.compare.patient import doubts as patient_doubts
from leakseg.studies.compare.register import LevelMatch, register_level
from leakseg.studies.compare.scans import ScanAtTime, criteria_values, read_scan

SCHEMA_VERSION = "1.0"
_INNER_MM3, _INNER_KEPT = 200.0, 0.5
"""From this much cement inside bone on, at least this share of it should be seen in every later scan [convention]."""
Json = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Later:
    """A later scan: where each vertebra of the first went, and its cement brought to the first."""

    scan: ScanAtTime
    matches: Mapping[VertebraLevel, LevelMatch]
    cloud: CementCloud


@dataclass(frozen=True, eq=False)
class Comparison:
    """`compare.json` as plain data, and the voxels behind it, all on the first scan's grid."""

    document: Json
    pre: ScanAtTime
    later: tuple[Later, ...]
    resected: tuple[ResectedBone, ...]


def compare(
    paths: Sequence[Path],
    masks: Sequence[Sequence[str]],
    config: AnalysisConfig,
    *,
    label_scheme: str | None = None,
    results: Sequence[Path] = (),
    criteria: CompareCriteria | None = None,
) -> Comparison:
    """Compare two or three scans of one patient.

    Parameters
    ----------
    paths, masks
        Before surgery, after it and, where there is one, at follow-up; masks as for ``leakseg run``.
    results
        Folders of earlier runs, whose leaks are taken as they stand there.

    Raises
    ------
    InputError
        Where a scan or its masks cannot be used, no cement was found before surgery, or no vertebra of
        the first scan was found again.
    """
    criteria = criteria or CompareCriteria()
    names = ("pre", "post", "followup")
    scans = [
        read_scan(name, path, spec, label_scheme, config, results)
        for name, path, spec in zip(names, paths, masks, strict=False)
    ]
    pre = scans[0]
    if not (pre.cement.labels > 0).any():
        raise InputError("No cement was found in the pre scan: there is nothing that could have been removed.")
    wanted = _levels(pre)
    later = []
    for scan in scans[1:]:
        matches = {level: register_level(pre, scan, level, criteria) for level in wanted}
        if all(match.problem for match in matches.values()):
            problems = "; ".join(dict.fromkeys(str(match.problem) for match in matches.values()))
            raise InputError(f"No vertebra of the pre scan was found again in the {scan.name} scan: {problems}.")
        later.append(Later(scan, matches, later_cloud(scan, pre, dict(matches), criteria)))
    before = first_cloud(pre)
    followup = later[1] if len(later) > 1 else None
    resected = tuple(
        resected_bone(
            pre, later[0].scan, match, criteria, None if followup is None else (followup.scan, followup.matches[level])
        )
        for level, match in later[0].matches.items()
        if match.problem is None
    )
    levels = [_level(level, pre, before, later) for level in wanted]
    document: Json = {
        "schema_version": SCHEMA_VERSION,
        "disclaimer": DISCLAIMER,
        "doubts": [*patient_doubts([(scan.name, scan.taken) for scan in scans]), *_doubts(levels, later)],
        "scans": {scan.name: _scan(scan) for scan in scans},
        "registration": {one.scan.name: [_match(match) for match in one.matches.values()] for one in later},
        "leaks": [_leak(leak, pre, before, later) for leak in pre.leaks],
        "levels": levels,
        "new_cement": {one.scan.name: new_pieces(one.scan, one.cloud, pre, before, criteria) for one in later},
        "bone": [_bone(bone) for bone in resected],
        "criteria": _criteria(criteria) | criteria_values(config),
        "provenance": {"leakseg": leakseg.__version__, "classifier": pre.report.provenance.classifier},
    }
    return Comparison(document, pre, tuple(later), resected)


def _doubts(levels: Sequence[Json], later: Sequence[Later]) -> list[str]:
    """Surgery leaves cement inside bone where it is: where most of that is gone, the levels may be misnamed."""
    told = []
    for one in later:
        name = f"inside_{one.scan.name}_mm3"
        for level in levels:
            was, now = level["inside_pre_mm3"], level[name]
            if now is not None and was >= _INNER_MM3 and now < _INNER_KEPT * was:
                told.append(
                    f"Of {was:.0f} mm³ of cement inside {level['level']} only {now:.0f} mm³ are seen there in the "
                    f"{one.scan.name} scan: check that the same vertebra goes by that name in both."
                )
    return told


def _levels(pre: ScanAtTime) -> tuple[VertebraLevel, ...]:
    """Levels with cement and their neighbours: those that surgery can have touched."""
    named = {level.level for level in pre.report.levels if level.treated}
    named |= {VertebraLevel(leak["level"]) for leak in pre.leaks}
    named |= {VertebraLevel(part) for leak in pre.leaks for part in leak["segment"].split("/")}
    inner = [level.level for level in pre.report.levels if level.cement_volume_mm3 > 0]
    order = [vertebra.level for vertebra in sorted(pre.anatomy.vertebrae, key=lambda one: -one.s_middle_mm)]
    chosen = named or set(inner)
    near = {place + step for place, level in enumerate(order) if level in chosen for step in (-1, 0, 1)}
    return tuple(order[place] for place in sorted(near) if 0 <= place < len(order))


def _scan(scan: ScanAtTime) -> Json:
    series = scan.report.series
    return {
        "study_instance_uid": series.study_instance_uid,
        "series_instance_uid": series.series_instance_uid,
        "kvp": series.kvp,
        "kernel": series.kernel,
        "spacing_mm": list(series.spacing_mm),
        "slices": series.slices,
        "masks": scan.report.masks.provider,
        "leaks_from_earlier_run": scan.from_run,
        "cement_volume_mm3": scan.report.cement.total_volume_mm3,
        "leaked_volume_mm3": scan.report.cement.leaked_volume_mm3,
        "needs_review": scan.report.needs_review,
        "quality": [
            {"code": note.code, "severity": note.severity, "message": note.message}
            for note in scan.report.quality
            if note.severity != "info"
        ],
    }


def _match(match: LevelMatch) -> Json:
    found = np.isfinite(match.residual_mm)
    turn = np.degrees(np.arccos(np.clip((np.trace(match.matrix[:3, :3]) - 1) / 2, -1, 1)))
    return {
        "level": str(match.level),
        "residual_mm": round(match.residual_mm, 3) if found else None,
        "correlation": round(match.correlation, 4) if found else None,
        "rotation_deg": round(float(turn), 2) if found else None,
        "matrix": [[round(float(value), 6) for value in row] for row in match.matrix] if found else None,
        "refused": match.problem,
    }


def _leak(leak: Mapping[str, Any], pre: ScanAtTime, before: CementCloud, later: Sequence[Later]) -> Json:
    """One leak of the first scan and what is left of it; None where its vertebra was not found again."""
    own = before.owner == leak["id"]
    volume = float(before.volume_mm3[own].sum())
    in_canal = leak["canal_encroachment_fraction"] is not None
    told: Json = {
        **{name: leak[name] for name in ("id", "type", "subtype", "route", "level", "segment", "side")},
        "volume_pre_mm3": round(volume, 2),
        "canal_encroachment_pre_fraction": leak["canal_encroachment_fraction"],
        "foraminal_occupation_pre_fraction": leak["foraminal_occupation_fraction"],
    }
    for one in later:
        name = one.scan.name
        if not _seen(leak["segment"], one):
            told |= dict.fromkeys(
                (f"volume_{name}_mm3", f"removed_{name}_mm3", f"removed_{name}_percent", f"remains_{name}_mm",
                 f"canal_encroachment_{name}_fraction", f"foraminal_occupation_{name}_fraction")
            )  # fmt: skip
            continue
        left = (one.cloud.owner == leak["id"]) & one.cloud.known
        rest = float(one.cloud.volume_mm3[left].sum())
        occupied = leak["foraminal_occupation_fraction"]
        told |= {
            f"volume_{name}_mm3": round(rest, 2),
            f"removed_{name}_mm3": round(volume - rest, 2),
            f"removed_{name}_percent": round(100 * (volume - rest) / volume, 1) if volume else None,
            f"remains_{name}_mm": _centroid(one.cloud, left),
            f"canal_encroachment_{name}_fraction": (
                round(float(canal_shares(one.cloud, left, pre).max(initial=0.0)), 4) if in_canal else None
            ),
            f"foraminal_occupation_{name}_fraction": (
                None if occupied is None or not volume else round(occupied * rest / volume, 4)
            ),
        }
    return told


def _seen(segment: str, later: Later) -> bool:
    """Whether a vertebra of the leak's segment was found again."""
    return any(later.matches[VertebraLevel(part)].problem is None for part in segment.split("/"))


def _centroid(cloud: CementCloud, chosen: NDArray[np.bool_]) -> list[float] | None:
    if not chosen.any():
        return None
    point = np.average(cloud.points_mm[chosen], axis=0, weights=cloud.volume_mm3[chosen])
    return [round(float(value), 2) for value in point]


def _level(level: VertebraLevel, pre: ScanAtTime, before: CementCloud, later: Sequence[Later]) -> Json:
    """Cement inside and outside one vertebra's bone, and its canal, before and after."""
    leaks = [leak["id"] for leak in pre.leaks if leak["level"] == str(level)]
    in_canal = [leak["id"] for leak in pre.leaks if leak["canal_encroachment_fraction"] is not None]
    rows = _rows(pre, level)
    canal_mm2 = pre.anatomy.canal.sum(axis=(1, 2)) * pre.anatomy.lattice.step_mm**2
    taken = canal_shares(before, np.isin(before.owner, in_canal), pre)
    told: Json = {
        "level": str(level),
        "inside_pre_mm3": _of(before, [INNER + level.number]),
        "leaked_pre_mm3": _of(before, leaks),
        "canal_encroachment_pre_fraction": round(float(taken[rows].max()), 4) if rows.any() else None,
    }
    for one in later:
        name, known = one.scan.name, one.matches[level].problem is None
        left = canal_shares(one.cloud, np.isin(one.cloud.owner, in_canal) & one.cloud.known, pre)
        regained = (taken - left) * canal_mm2
        told |= {
            f"inside_{name}_mm3": _of(one.cloud, [INNER + level.number]) if known else None,
            f"leaked_{name}_mm3": _of(one.cloud, leaks) if known else None,
            f"canal_encroachment_{name}_fraction": (
                round(float(left[rows].max()), 4) if known and rows.any() else None
            ),
            f"canal_area_regained_{name}_mm2": (
                round(float(regained[rows].max()), 2) if known and rows.any() else None
            ),
        }
    return told


def _rows(pre: ScanAtTime, level: VertebraLevel) -> NDArray[np.bool_]:
    """Sections of the canal that are nearest to that vertebra and seen."""
    s = np.arange(pre.anatomy.lattice.shape[0], dtype=np.float64)
    middles = np.array([vertebra.s_middle_mm for vertebra in pre.anatomy.vertebrae])
    nearest = np.argmin(np.abs(s[:, None] - middles), axis=1)
    own = [vertebra.level == level for vertebra in pre.anatomy.vertebrae]
    return np.asarray(np.array(own)[nearest] & pre.anatomy.wall.certain, dtype=np.bool_)


def _of(cloud: CementCloud, owners: Sequence[int]) -> float:
    return round(float(cloud.volume_mm3[np.isin(cloud.owner, list(owners)) & cloud.known].sum()), 2)


def _bone(bone: ResectedBone) -> Json:
    """Resected and healed volumes of one vertebra, by region and side."""
    parts = []
    for number, region in enumerate(REGIONS):
        for side, on_left in (("left", True), ("right", False)):
            chosen = (bone.region == number) & (bone.left == on_left)
            if chosen.any():
                parts.append({"region": region, "side": side, **_healing(bone, chosen)})
    return {"level": str(bone.level), **_healing(bone, np.ones(len(bone.index), bool)), "regions": parts}


def _healing(bone: ResectedBone, chosen: NDArray[np.bool_]) -> Json:
    volume = bone.volume_mm3(chosen)
    told: Json = {"resected_mm3": round(volume, 2), "healed_mm3": None, "healed_percent": None}
    if bone.healed is not None and chosen.any():
        healed = bone.volume_mm3(chosen & bone.healed)
        told |= {"healed_mm3": round(healed, 2), "healed_percent": round(100 * healed / volume, 1)}
    return told


def _criteria(criteria: CompareCriteria) -> dict[str, float]:
    from dataclasses import asdict

    return asdict(criteria)
