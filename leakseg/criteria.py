"""Every threshold of the method, once: value, unit, bound and source.

One frozen dataclass a stage, one field a number. The source says which kind it is: a publication (with
DOI), a standard (DICOM part), *measured here* (with the command that measures it) or *convention*.
A recipe may override any of them; the effective values and their digest go into every report.
`leakseg show criteria` prints the table.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Annotated, Any, get_args, get_type_hints

from annotated_types import Ge, Gt, Le


@dataclass(frozen=True)
class Unit:
    """Unit of a criterion; ``"1"`` for plain ratios and counts."""

    symbol: str


@dataclass(frozen=True)
class Source:
    """Where a criterion's value comes from."""

    text: str


CONVENTION = Source("convention")


@dataclass(frozen=True, kw_only=True)
class ReadingCriteria:
    """What makes a series fit for analysis, and what a reader may make exact."""

    min_slices: Annotated[int, Ge(1), Unit("1"), CONVENTION] = 10
    """Series with fewer slices are refused."""
    min_coverage_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 20.0
    """Series that cover less than this are refused."""
    max_bridged_gap_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 3.0
    """A single missing slice is bridged by interpolation where the gap stays under this."""
    max_slice_jitter_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 0.1
    """Slices may lie this far off an even grid (scanners round positions) ..."""
    max_slice_jitter_fraction: Annotated[float, Gt(0), Le(0.5), Unit("1"), CONVENTION] = 0.1
    """... and at most this share of the spacing."""
    whole_coverage_fraction: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.9
    """Reconstructions that cover this share of the longest one's length count as whole."""


@dataclass(frozen=True, kw_only=True)
class SpineCriteria:
    """How the canal, the bodies, the pedicles and the foramina are read from the masks."""

    min_axis_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 10.0
    """The canal must be followed at least this far."""
    axis_smoothing_mm: Annotated[float, Ge(5), Unit("mm"), CONVENTION] = 15.0
    """Half window of the quadratic that smooths the canal's centreline."""
    axis_margin_mm: Annotated[float, Ge(0), Unit("mm"), CONVENTION] = 8.0
    """The axis is continued this far beyond the vertebrae in view."""
    ring_closing_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 3.0
    """Gaps of the bony ring up to twice this are closed when the canal is looked for in the vertebra masks."""
    min_canal_area_mm2: Annotated[
        float, Gt(0), Unit("mm2"), Source("convention; normal bony canals measure 150 mm2 and more")
    ] = 60.0
    """Smaller holes of the vertebrae are no canal."""
    max_canal_area_mm2: Annotated[float, Gt(0), Unit("mm2"), CONVENTION] = 1200.0
    """Larger holes of the vertebrae are no canal."""
    min_canal_radius_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 2.5
    """Bone nearer to the axis is no wall."""
    max_canal_radius_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 24.0
    """Bone farther from the axis is no wall."""
    min_ring_fraction: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.6
    """A section whose rays meet bone in at least this share shows the canal."""
    far_hit_ratio: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 1.7
    """Bone farther than this many times the section's middle radius is seen through a foramen."""
    canal_memory_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 20.0
    """The wall is carried over from sections up to this far away."""
    wall_play_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 3.0
    """Bone counts as the wall where it lies within this of the wall carried over."""
    pedicle_depth_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 6.0
    """Pedicles are looked for in this depth behind the posterior wall."""
    min_pedicle_height_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 4.0
    """Lower runs of bone beside the canal are no pedicle."""
    max_pedicle_width_mm: Annotated[float, Gt(0), Unit("mm"), Source("Zindrick 1987, Spine 12:160-166")] = 29.0
    """Bone farther lateral of the medial pedicle wall is transverse process."""
    max_disc_height_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 22.0
    """A wider space between two bodies is no disc: a level is missing from the masks."""
    foramen_depth_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 16.0
    """A foramen reaches at most this far behind the posterior wall where no facet closes it."""


@dataclass(frozen=True, kw_only=True)
class BuiltinCriteria:
    """What the built-in segmentation must see before it believes in a spine."""

    min_centreline_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 15.0
    """A shorter canal is no spine."""
    min_body_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 1500.0
    """A vertebra of which less body than this is in view is left out."""


@dataclass(frozen=True, kw_only=True)
class CementCriteria:
    """Which voxels are cement. No HU here separates cement: the scan's own densities do (see anatomy)."""

    search_margin_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 45.0
    """Leaks are looked for this far around the vertebrae."""
    deep_mm: Annotated[float, Gt(0), Unit("mm"), Source("measured here: cement-free verse005, cortex ends at 5 mm")] = (
        5.0
    )
    """Bone deeper than this under the vertebra's surface is cancellous: the place to tell cement from bone."""
    seed_above_cancellous_hu: Annotated[
        float, Gt(0), Unit("HU"), Source("measured here: cement-free verse005 and totalsegmentator_ct reach 480 HU")
    ] = 550.0
    """Cement is sought where deep bone lies this far above the scan's cancellous bone."""
    min_seed_hu: Annotated[float, Gt(0), Unit("HU"), CONVENTION] = 700.0
    """Deep bone under this is no cement in any scan."""
    min_seed_volume_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 40.0
    """Smaller deep dense pieces are bone islands or noise."""
    min_seed_voxels: Annotated[int, Ge(1), Unit("1"), CONVENTION] = 8
    """Deep dense pieces of fewer voxels are noise."""
    edge_share: Annotated[float, Gt(0), Le(1), Unit("1"), Source("half maximum: the edge of a blurred step")] = 0.5
    """The threshold lies this share of the way from the surroundings to the cement's own density."""
    rim_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 2.5
    """Bone this near to the vertebra's surface may be cortex and needs the cortical threshold."""
    cortex_percentile: Annotated[float, Gt(0), Le(100), Unit("%"), CONVENTION] = 97.0
    """This percentile of the rim of untreated vertebrae stands for cortex."""
    bone_edge_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 1.5
    """A piece outside bone must stand out from every bone mask by more than this (a mask's rim is no leak)."""
    coarse_voxel_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 1.5
    """From this voxel size on a leak may be a single voxel thick: it need not stand out by more ..."""
    coarse_core_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.38
    """... and its dense end reaches only this share, for every voxel of it is blurred."""
    coarse_contact_voxels: Annotated[float, Gt(0), Unit("1"), CONVENTION] = 2.7
    """The rim of bone between inner cement and a leak may be this many voxels wide."""
    near_bone_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 1.0
    """Voxels outside bone this near to a mask may be blurred cortex and need the cortical threshold."""
    max_spread_touching: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 10.0
    """Less dense matter hanging together with a piece that touches inner cement: at most this many times its size."""
    large_piece_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 400.0
    """A piece larger than this is thick somewhere, and its median is not blurred: ..."""
    large_middle_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.55
    """... it must reach this share of the cement's density, else it is unlabelled bone."""
    strand_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.3
    """Strands thinner than a few voxels are followed down to this share of the cement's density."""
    hang_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.18
    """Matter above this share hangs together with a piece (see max_spread)."""
    min_core_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.5
    """The dense end (90th percentile) of a piece outside bone reaches this share of the cement's density."""
    contact_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 4.5
    """A piece outside bone touches cement inside bone where the gap is at most this."""
    detached_reach_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 25.0
    """Detached pieces outside canal and foramina count only this near to cement inside bone ..."""
    detached_bone_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 8.0
    """... this near to bone, and whole within the view (vessel walls calcify farther out) ..."""
    detached_reach_canal_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 60.0
    """... in canal and foramina, where nothing else is dense, this near."""
    detached_core_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.8
    """The dense end of a detached piece reaches this share of the cement's density ..."""
    detached_max_core_share: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 1.15
    """... and not more than this: denser ones are calcification, clips or teeth."""
    detached_middle_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.7
    """The median of a detached piece reaches this share: a drop is even, a plaque is not."""
    max_spread: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 3.0
    """Less dense matter hanging together with a detached piece: at most this many times its size ..."""
    max_spread_neural: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 5.0
    """... and in canal and foramina this many times; unlabelled bone goes on, a drop of cement ends."""
    metal_min_length_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 25.0
    """Metal: straight dense pieces at least this long ..."""
    metal_max_radius_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 4.5
    """... and at most this thick."""


@dataclass(frozen=True, kw_only=True)
class LeakCriteria:
    """Which cement outside bone counts as a leak."""

    min_leak_volume_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 10.0
    """Smaller pieces outside bone are counted in the leaked volume but are no leaks."""
    min_reach_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 2.0
    """Cement counts in a second place only where it reaches this far across the border into it."""
    join_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 2.0
    """Pieces in one place with a smaller gap between them are one leak."""
    touch_canal_mm: Annotated[
        float, Ge(0), Unit("mm"), Source("convention; the wall between sections is interpolated")
    ] = 1.5
    """Cement outside bone within this of the canal's interpolated wall touches the canal."""
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


@dataclass(frozen=True, kw_only=True)
class ClassifyCriteria:
    """How the rules name type, subtype and route of a leak (definitions and literature: Yeom 2003, Lee zones)."""

    vein_min_elongation: Annotated[float, Gt(0), Unit("1"), CONVENTION] = 2.5
    """A strand is at least this many times as long as wide."""
    vein_max_width_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 7.0
    """Wider cement is a lump, no vein."""
    segmental_max_rise: Annotated[float, Gt(0), Unit("1"), CONVENTION] = 0.6
    """A segmental vein runs along the side: its rise is at most this share of its length."""
    lengthwise_min_rise: Annotated[float, Gt(0), Unit("1"), CONVENTION] = 0.65
    """Lengthwise veins rise by at least this share of their length."""
    front_max_angle_deg: Annotated[float, Gt(0), Unit("deg"), CONVENTION] = 55.0
    """Up to this angle round the body counts as its front."""
    away_min_radius_ratio: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 1.45
    """Strands farther from the body's centre than this many body radii run away from the body."""
    track_min_behind_fraction: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.7
    """A needle's track lies behind the posterior wall with at least this share."""
    track_min_elongation: Annotated[float, Gt(0), Unit("1"), CONVENTION] = 2.0
    """A needle's track is at least this many times as long as wide."""
    basivertebral_max_beside_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 7.0
    """The basivertebral vein leaves the posterior wall within this of the midline ..."""
    basivertebral_height_margin: Annotated[
        float, Ge(0), Le(0.5), Unit("1"), Source("anatomy: middle third of the height")
    ] = 0.3
    """... and at least this share of the height away from both endplates."""
    narrow_exit_mm2: Annotated[float, Gt(0), Unit("mm2"), Source("measured here: implants in verse005")] = 22.0
    """Broader contact with inner cement is a defect of the cortex, no vein."""
    breach_behind_wall_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 1.0
    """Cement breached a pedicle's medial wall where its exit lies this far behind the posterior wall ..."""
    breach_pedicle_margin: Annotated[float, Ge(0), Unit("1"), Source("measured here: implants in verse005")] = 0.25
    """... and at the pedicle's height: above its lowest quarter, up to a quarter over its top."""
    wall_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 4.0
    """Cement left through a wall where its exit lies within this of it."""
    central_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.5
    """Cement in front of the sac has at least this share in the front half of the canal."""


@dataclass(frozen=True, kw_only=True)
class DistantCriteria:
    """What counts as a distant dense piece: cement that may have travelled by vein."""

    distant_min_volume_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 10.0
    """Smaller dense pieces are calcified plaque or noise."""
    distant_max_volume_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 10000.0
    """Larger dense pieces are implants or contrast."""
    distant_core_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.8
    """The dense end of a distant piece reaches this share of the cement's density ..."""
    distant_max_core_share: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 1.15
    """... and not more than this."""
    distant_middle_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.7
    """The median of a distant piece reaches this share: cement is even, a calcified plaque is not."""
    distant_max_spread: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 4.0
    """Less dense matter hanging together with it: at most this many times its size; bone goes on."""
    distant_min_reach_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 45.0
    """Nearer to the canal than this a piece lies beside the vertebrae and is judged as a leak."""
    lateral_reach_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 160.0
    """Looked for up to this far to both sides of the canal (arms lie farther out)."""


@dataclass(frozen=True, kw_only=True)
class QualityCriteria:
    """When the scan itself limits what can be said."""

    thick_slices_mm: Annotated[
        float, Gt(0), Unit("mm"), Source("convention; 3-5 mm slices blur a thin leak to half its density")
    ] = 2.5
    """Slices at least this far apart are told as a warning."""
    clipped_share: Annotated[float, Ge(0), Le(1), Unit("1"), CONVENTION] = 0.01
    """More cement than this at the upper end of the stored range is told."""
    bridging_share: Annotated[float, Ge(0), Le(0.5), Unit("1"), CONVENTION] = 0.05
    """Cement that touches two treated levels, the smaller contact at least this share, may come from either."""


@dataclass(frozen=True, kw_only=True)
class MaskCriteria:
    """When given masks are told as doubtful, and when they cannot be this spine's."""

    min_level_volume_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 300.0
    """Smaller levels are specks: they count in no check of order, size or gaps."""
    far_piece_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 10.0
    """A piece of a level farther than this from its largest piece is told ..."""
    min_piece_fraction: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.02
    """... where it holds at least this share of the level."""
    max_size_ratio: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 1.8
    """A level this many times larger or smaller than its neighbours is told."""
    min_place_margin: Annotated[
        float,
        Ge(0),
        Le(1),
        Unit("1"),
        Source("measured here: true masks 0.06 and more on verse005 and totalsegmentator_ct, displaced ones under 0"),
    ] = 0.02
    """The masks' contrast with their surroundings beats that of any place 6 to 15 mm away by at least this."""
    max_near_gain: Annotated[
        float,
        Ge(0),
        Le(1),
        Unit("1"),
        Source("measured here, as min_place_margin: true masks 0, 3 mm off 0.02 and more"),
    ] = 0.005
    """Masks whose contrast grows by more than this when moved by 3 mm are told."""
    max_mirror_gain: Annotated[
        float, Ge(0), Le(1), Unit("1"), Source("measured here, as min_place_margin: mirrored masks gain 0.1 and more")
    ] = 0.03
    """Masks whose contrast grows by more than this when mirrored left to right are refused."""
    max_canal_distance_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 15.0
    """A canal mask whose middle voxel is farther than this from every vertebra lies elsewhere."""
    max_canal_bone_fraction: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.2
    """A canal mask that shares more than this of its voxels with vertebrae is told."""


@dataclass(frozen=True, kw_only=True)
class ReviewCriteria:
    """When a case asks for a human reader."""

    min_confidence: Annotated[float, Ge(0), Le(1), Unit("1"), CONVENTION] = 0.7
    """A leak whose confidence is under this asks for a review."""
    min_label_confidence: Annotated[float, Ge(0), Le(1), Unit("1"), CONVENTION] = 0.7
    """A level whose name is less sure than this asks for a review."""


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """All criteria of an analysis, one group a stage."""

    reading: ReadingCriteria = field(default_factory=ReadingCriteria)
    masks: MaskCriteria = field(default_factory=MaskCriteria)
    spine: SpineCriteria = field(default_factory=SpineCriteria)
    builtin: BuiltinCriteria = field(default_factory=BuiltinCriteria)
    cement: CementCriteria = field(default_factory=CementCriteria)
    leaks: LeakCriteria = field(default_factory=LeakCriteria)
    classify: ClassifyCriteria = field(default_factory=ClassifyCriteria)
    distant: DistantCriteria = field(default_factory=DistantCriteria)
    quality: QualityCriteria = field(default_factory=QualityCriteria)
    review: ReviewCriteria = field(default_factory=ReviewCriteria)


@dataclass(frozen=True)
class CriterionRow:
    """One line of `leakseg show criteria`."""

    group: str
    name: str
    value: float | int | str | bool
    unit: str
    source: str
    default: float | int | str | bool


def table(criteria: Criteria | None = None) -> tuple[CriterionRow, ...]:
    """Every criterion with its effective value, unit and source, in order of definition.

    >>> [row.value for row in table() if row.name == "min_leak_volume_mm3"]
    [10.0]
    """
    effective = criteria or Criteria()
    rows = []
    for group_field in fields(effective):
        group = getattr(effective, group_field.name)
        assert is_dataclass(group)
        hints = get_type_hints(type(group), include_extras=True)
        for item in fields(group):
            marks = get_args(hints[item.name])[1:]
            unit = next((mark.symbol for mark in marks if isinstance(mark, Unit)), "")
            source = next((mark.text for mark in marks if isinstance(mark, Source)), "")
            default: Any = item.default
            rows.append(CriterionRow(group_field.name, item.name, getattr(group, item.name), unit, source, default))
    return tuple(rows)


def values(criteria: Criteria) -> dict[str, float | int | str | bool]:
    """Effective values by name, as they stand in a report; names are unique over all groups."""
    return {row.name: row.value for row in table(criteria)}


def digest(criteria: Criteria) -> str:
    """``sha256:...`` over the effective values: equal digests, equal criteria."""
    text = json.dumps({f"{row.group}.{row.name}": row.value for row in table(criteria)}, sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
