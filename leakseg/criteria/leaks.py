"""Criteria of leaks: which count, how they are named, when a human reader is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from leakseg.criteria.marks import CONVENTION, Source, Unit


@dataclass(frozen=True, kw_only=True)
class LeakCriteria:
    """Which cement outside bone counts as a leak."""

    min_leak_volume_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 10.0
    """Smaller pieces outside bone are counted in the leaked volume but are no leaks."""
    min_reach_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 2.5
    """Cement counts in a second place only where it reaches this far across the border into it."""
    join_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 1.3
    """Pieces in one place with a smaller gap between them, or one of less than a slice or pixel, are one leak ..."""
    trail_max_voxels: Annotated[int, Ge(1), Unit("1"), CONVENTION] = 2
    """... or such of so few voxels that they show no shape, joined by a trail of voxels ..."""
    trail_fraction: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.15
    """... of which cement fills at least this share each ..."""
    exits_apart_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 5.0
    """... but not where each is large enough to be a leak and left the bone by itself, with exits this far apart."""
    min_treated_volume_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 200.0
    """A vertebra with at least this much cement inside its bone counts as treated."""
    treated_rim_mm: Annotated[float, Ge(0), Unit("mm"), CONVENTION] = 2.0
    """Cement this near to a vertebra's outline that goes on outside does not make it treated."""
    side_share: Annotated[float, Gt(0.5), Le(1), Unit("1"), CONVENTION] = 0.8
    """A leak lies left or right where at least this share of its volume does."""
    bilateral_share: Annotated[float, Gt(0), Le(0.5), Unit("1"), CONVENTION] = 0.2
    """A canal leak is bilateral where each lateral third of the canal holds this share of it."""
    profuse_volume_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 1000.0
    """Cement in canal and foramina over this volume is called profuse."""


_CALIBRATED = Source("calibrated here: phantom_study.toml, seed 31, --fraction 0.3; checked on another seed")


@dataclass(frozen=True, kw_only=True)
class ClassifyCriteria:
    """How the rules name type, subtype and route of a leak (definitions and literature: Yeom 2003, Lee zones)."""

    vein_min_elongation: Annotated[float, Gt(0), Unit("1"), CONVENTION] = 2.5
    """A strand is at least this many times as long as wide, ..."""
    vein_thin_mm: Annotated[
        float,
        Gt(0),
        Unit("mm"),
        Source("lumbar veins are 2 to 4 mm wide; measured here: phantom veins but the cava to 4.3"),
    ] = 4.5
    """... or, wider than this, as only the large veins before and beside the spine are, ..."""
    wide_vein_elongation: Annotated[
        float, Gt(0), Unit("1"), Source("measured here: phantom veins as wide from 7; lumps put into real scans to 4.3")
    ] = 5.0
    """... this many times: short and thick is a lump."""
    vein_max_width_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 7.0
    """Wider cement is a lump, no vein."""
    segmental_max_rise: Annotated[float, Gt(0), Unit("1"), CONVENTION] = 0.6
    """A segmental vein runs along the side: its rise is at most this share of its length."""
    lengthwise_min_rise: Annotated[float, Gt(0), Unit("1"), CONVENTION] = 0.65
    """Lengthwise veins rise by at least this share of their length ..."""
    away_min_rise: Annotated[float, Gt(0), Unit("1"), Source("measured here: phantom_study.toml, seed 31")] = 0.5
    """... or this share where they run away from the body: the vein that leads there runs across."""
    front_max_angle_deg: Annotated[float, Gt(0), Unit("deg"), CONVENTION] = 55.0
    """Up to this angle round the body counts as its front."""
    rear_min_angle_deg: Annotated[float, Gt(0), Unit("deg"), CONVENTION] = 80.0
    """From this angle round the body on, a strand that rises is the ascending lumbar vein, not a segmental one ..."""
    ascending_min_rise_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 7.0
    """... where it rises at least this far ..."""
    ascending_min_rise: Annotated[float, Gt(0), Unit("1"), Source("measured here: phantom_study.toml, seed 31")] = 0.5
    """... and at least this share of its length."""
    away_min_radius_ratio: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 1.45
    """Strands farther from the body's centre than this many body radii run away from the body."""
    track_min_behind_fraction: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.7
    """A needle's track lies behind the posterior wall with at least this share."""
    track_min_elongation: Annotated[float, Gt(0), Unit("1"), CONVENTION] = 2.0
    """A needle's track is at least this many times as long as wide, or no wider than a needle leaves it:"""
    track_max_width_mm: Annotated[float, Gt(0), Unit("mm"), Source("11 gauge needles are 3 mm wide")] = 3.5
    """cement behind the pedicle up to this width is a track, however short."""
    basivertebral_max_beside_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 5.0
    """The basivertebral vein leaves the posterior wall within this of the midline ..."""
    basivertebral_height_margin: Annotated[
        float, Ge(0), Le(0.5), Unit("1"), Source("anatomy: middle third of the height")
    ] = 0.3
    """... and at least this share of the height away from both endplates ..."""
    basivertebral_max_breadth: Annotated[
        float,
        Gt(0),
        Unit("1"),
        Source("measured: phantom_study.toml, seed 31; veins to 1.2, defects 1.1 to 2.8"),
    ] = 1.25
    """... by an exit at most this many times as broad as the strand behind it ..."""
    basivertebral_exit_mm2: Annotated[
        float, Gt(0), Unit("mm2"), Source("measured: phantom_study.toml, seed 31; veins to 6.6, defects from 10.2")
    ] = 8.0
    """... or no broader than this ..."""
    least_exit_voxels: Annotated[int, Ge(1), Unit("1"), CONVENTION] = 2
    """... or of so few voxels that a coarse scan could show no narrower one."""
    stump_max_width_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 3.0
    """Cement too short to show a course is a vein's stump where it is no wider than this ..."""
    stump_max_breadth: Annotated[float, Gt(0), Unit("1"), CONVENTION] = 1.0
    """... and no wider still where it leaves the bone."""
    segmental_height_margin: Annotated[float, Ge(0), Le(0.5), Unit("1"), CONVENTION] = 0.0
    """What reached a foramen by a segmental vein left the body at least this share of its height away from both
    endplates; in a crushed body they lie beside them."""
    narrow_exit_mm2: Annotated[float, Gt(0), Unit("mm2"), Source("measured here: implants in verse005")] = 22.0
    """Broader contact with inner cement is a defect of the cortex, no segmental vein, unless the strand behind it is
    hardly less broad (`basivertebral_max_breadth`)."""
    breach_behind_wall_mm: Annotated[
        float, Gt(0), Unit("mm"), Source("measured here: phantom_study.toml, seed 31: walls to 2.0, pedicles from 3.9")
    ] = 2.7
    """Cement breached a pedicle's medial wall where its exit lies this far behind the posterior wall ..."""
    breach_pedicle_margin: Annotated[float, Ge(0), Unit("1"), Source("measured here: implants in verse005")] = 0.25
    """... and at the pedicle's height: above its lowest quarter, up to a quarter over its top."""
    breach_min_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.8
    """Without an exit: cement that far behind the wall, this share at the pedicle's height and in a lateral third."""
    in_canal_max_gap_mm: Annotated[float, Ge(0), Unit("mm"), CONVENTION] = 1.0
    """Cement behind the wall and mostly between the pedicles, this near to the canal as masked, lies in it."""
    wall_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 4.0
    """Cement left through a wall where its exit lies within this of it."""
    central_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.5
    """Cement in front of the sac has at least this share in the front half of the canal."""
    confidence_at_border: Annotated[float, Ge(0), Unit("1"), _CALIBRATED] = 2.2
    """Log odds that a type is right on the border of its rule, for cement that touches inner cement, fine voxels."""
    confidence_by_margin: Annotated[float, Ge(0), Unit("1"), _CALIBRATED] = 1.2
    """Added to them far from the border: all of the cement in one place, a shape of twice the limit or half of it."""
    confidence_detached: Annotated[float, Ge(0), Unit("1"), _CALIBRATED] = 1.0
    """Taken off for cement that touches no inner cement."""
    confidence_coarse_per_mm: Annotated[float, Ge(0), Unit("1"), _CALIBRATED] = 0.45
    """Taken off for each mm that slices or pixels are coarser than 1 mm."""


@dataclass(frozen=True, kw_only=True)
class ReviewCriteria:
    """When a case asks for a human reader."""

    min_confidence: Annotated[float, Ge(0), Le(1), Unit("1"), CONVENTION] = 0.7
    """A leak whose confidence is under this asks for a review."""
    min_label_confidence: Annotated[float, Ge(0), Le(1), Unit("1"), CONVENTION] = 0.7
    """A level whose name is less sure than this asks for a review."""
