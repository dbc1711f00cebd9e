"""Criteria of the masks given, the masks drawn, and the spine read from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from leakseg.criteria.marks import CONVENTION, Source, Unit


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
class BuiltinCriteria:
    """What the built-in segmentation must see before it believes in a spine."""

    min_centreline_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 15.0
    """A shorter canal is no spine."""
    min_body_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 1500.0
    """A vertebra of which less body than this is in view is left out, ..."""
    min_body_bone_fraction: Annotated[
        float, Gt(0), Le(1), Unit("1"), Source("measured here: bodies of marrow at -40 HU from 0.08, soft tissue 0.00")
    ] = 0.04
    """... and what holds less bone and cement than this share of its body."""
    min_wall_seen_fraction: Annotated[
        float, Gt(0), Le(1), Unit("1"), Source("measured here: 0.55 and more at every level of verse005")
    ] = 0.4
    """A level whose canal wall is met by fewer of the rays is told."""
    max_cut_off_fraction: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.15
    """A vertebra of which more lies beyond the side, front or back of the scan is told."""


@dataclass(frozen=True, kw_only=True)
class SpineCriteria:
    """How the canal, the bodies, the pedicles and the foramina are read from the masks."""

    coarse_block: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 1.4
    """A mask is built of blocks where along an axis this many planes come to one in which its surface goes on,"""
    coarse_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 2.0
    """and these blocks are at least so long: masks of finer voxels are as good as the scan's own ..."""
    coarse_smoothing: Annotated[float, Gt(0), Unit("1"), CONVENTION] = 0.5
    """... and is smoothed along that axis by this share of a block (a standard deviation);"""
    coarse_dense_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.6
    """what lies half a block outside it is bone where it is this share of the way from soft tissue ..."""
    coarse_soft_hu: Annotated[float, Ge(-100), Unit("HU"), CONVENTION] = 60.0
    """... (so dense) to what lies in its rim."""
    cavity_crack_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 1.5
    """Cracks up to twice as wide in the shell of a cavity in a vertebra's mask are bridged."""
    cavity_dense_percentile: Annotated[float, Gt(0), Le(100), Unit("%"), CONVENTION] = 95.0
    """Wider cracks are bridged where a cavity's matter is denser than this percentile of the vertebra's own bone."""
    hole_min_closed_share: Annotated[
        float,
        Gt(0),
        Le(1),
        Unit("1"),
        Source("measured on phantoms: cement in bone from 0.5, leaks to 0.35"),
    ] = 0.5
    """Dense matter fills a hole in a mask where this share of lines of sight meets the vertebra both ways ..."""
    hole_max_open_share: Annotated[float, Ge(0), Le(1), Unit("1"), CONVENTION] = 0.05
    """... and at most this share neither way, as in the canal or in a foramen."""
    hole_canal_play_mm: Annotated[float, Ge(0), Unit("mm"), CONVENTION] = 0.5
    """The canal's walls are as sure as this: what lies nearer to it is in no hole of the bone."""
    min_hole_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 4.0
    """Smaller holes are left as they are."""
    min_cavity_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 20.0
    """Smaller cavities of a mask are left as they are."""
    doubtful_cavity_mm3: Annotated[
        float, Gt(0), Unit("mm3"), Source("measured here: masks of bone without cement to 270, cement from 1000")
    ] = 500.0
    """A cavity that was filled is doubtful where it is so large ..."""
    doubtful_cavity_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.5
    """... and the cement found in its vertebra is less than this share of it."""
    mixed_bridge_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 4.5
    """A bridge up to twice as wide does not join a piece of a level's mask to the rest of it ..."""
    mixed_min_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 100.0
    """... if the piece, that much taken off all round, holds at least this."""
    mixed_min_contact_mm2: Annotated[float, Gt(0), Unit("mm2"), CONVENTION] = 250.0
    """It is a neighbour's where it is grown onto it by at least this area (a body's cut; arches touch by less) ..."""
    mixed_contact_ratio: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 2.0
    """... and this many times as broadly as onto the rest of its own level."""
    min_axis_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 10.0
    """The canal must be followed at least this far."""
    axis_smoothing_mm: Annotated[float, Ge(5), Unit("mm"), CONVENTION] = 15.0
    """Half window of the quadratic that smooths the canal's centreline."""
    axis_margin_mm: Annotated[float, Ge(0), Unit("mm"), CONVENTION] = 8.0
    """The axis is continued this far beyond the vertebrae in view."""
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
    wall_dent_mm: Annotated[float, Ge(0), Unit("mm"), CONVENTION] = 1.0
    """Bone dents the wall carried over by this at the most: cement that a vertebra's mask took in dents it farther."""
    pedicle_depth_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 6.0
    """Pedicles are looked for in this depth behind the posterior wall."""
    min_pedicle_height_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 4.0
    """Lower runs of bone beside the canal are no pedicle."""
    max_pedicle_width_mm: Annotated[float, Gt(0), Unit("mm"), Source("Zindrick 1987, Spine 12:160-166")] = 29.0
    """Bone farther lateral of the medial pedicle wall is transverse process."""
    max_disc_height_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 22.0
    """A wider space between two bodies is no disc: a level is missing from the masks."""
    foramen_depth_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 16.0
    """A foramen reaches at most this far behind the posterior wall where no facet closes it ..."""
    open_foramen_depth_mm: Annotated[float, Gt(0), Unit("mm"), Source("measured here: facets close them so")] = 9.0
    """... this far where the masks end and lack the vertebra whose facet would ..."""
    foramen_play_mm: Annotated[float, Ge(0), Unit("mm"), CONVENTION] = 2.0
    """... and this far beside the pedicles' height, up to the bone: their borders are as sure as a mask's rim."""


@dataclass(frozen=True, kw_only=True)
class OutlineCriteria:
    """When cement inside a vertebra's mask lies beyond the bone: the mask swallowed a leak."""

    open_wall_min_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 100.0
    """Beside so large a hole in a vertebra's mask, filled before, ..."""
    open_wall_reach_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 6.0
    """... and at most this far from it, dense matter within the body's outline is bone: the hole took the wall. ..."""
    open_wall_endplate_share: Annotated[float, Ge(0), Lt(0.5), Unit("1"), CONVENTION] = 0.1
    """... So much of the height, below and above, is left to the endplates: a leak into the disc goes through them."""

    denser_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.15
    """Cement in a mask is looked for this share of the way from dense cortex to the cement's density."""
    alone_mm3: Annotated[
        float,
        Gt(0),
        Unit("mm3"),
        Source(
            "measured here: bone before the canal denser than cortex in verse005 to 13, totalsegmentator_ct 81, "
            "thoracic_dicom 24; arches half way to cement of 1500 HU to 90, 54 and 159 (there not plainly denser)"
        ),
    ] = 100.0
    """... and, far from other cement, where at least this much of it hangs together before the canal ..."""
    alone_denser_mm3: Annotated[
        float,
        Gt(0),
        Unit("mm3"),
        Source("measured here: bone half way to cement of 1500 to 2000 HU in verse005 to 11, in thoracic_dicom 2"),
    ] = 25.0
    """... or this much that is nearer to cement than to cortex, anywhere where cement is plainly denser (see
    `detached_core_share`), else in the canal; with thick voxels as much as before the canal."""
    trust_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 2.5
    """A mask's outline within this of anything as dense as cement is not trusted but rebuilt."""
    min_trusted_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.4
    """Where less than this share of a vertebra is trusted its outline cannot be rebuilt: its mask stands as it is."""
    min_endplate_share: Annotated[
        float,
        Gt(0),
        Le(1),
        Unit("1"),
        Source(
            "measured: phantom_study.toml; from 0.43 of its columns on a surface missed whole endplates by 3 to 11 mm"
        ),
    ] = 0.5
    """An endplate of which less than this share is trusted cannot be rebuilt: its mask stands as it is."""
    carried_away_mm: Annotated[
        float,
        Gt(0),
        Unit("mm"),
        Source(
            "measured: phantom_study.toml, seed 61, and implants in verse005: to 6 mm the carried surface errs "
            "by 0.5 mm (root mean square), from there on by 0.8 mm and more"
        ),
    ] = 6.0
    """The outline is carried over this far from where it is trusted ..."""
    carried_beyond_mm: Annotated[
        float,
        Gt(0),
        Unit("mm"),
        Source("measured, as carried_away_mm: twice the error; at 0.3 wedge fractures gave false leaks"),
    ] = 0.9
    """... and cement this far beyond it, or half a voxel's longest side where that is more, was swallowed ..."""
    carried_play_share: Annotated[float, Ge(0), Unit("1"), CONVENTION] = 0.1
    """... and farther by this share of the way to where it is trusted ..."""
    carried_wall_play_mm: Annotated[float, Ge(0), Unit("mm"), CONVENTION] = 1.2
    """... and by this in the posterior wall, of which pedicles leave little to carry it from."""
    side_play_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 1.5
    """One side of a body may reach this much farther than the other."""
    likeness_play_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 1.0
    """An arch may differ this much from its other side and from its neighbours'."""
    swallowed_beyond_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 1.0
    """Cement this far beyond the rebuilt outline, or half a voxel's longest side and half a step of the lattice that it
    is rebuilt on where that is more, was swallowed ..."""
    min_swallowed_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 4.0
    """... where at least this much of it hangs together, and as much of what is cut off is nearer to cement than to
    cortex (osteophytes are not) ..."""
    swallowed_margin_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 3.0
    """... the mask is cut back this far round it ..."""
    freed_beyond_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 0.25
    """... where it lies this far beyond the rebuilt outline ..."""
    bony_away_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 1.2
    """... and is no bone: farther than this from anything as dense as cement ..."""
    bony_min_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 4.0
    """... (at least this much of it ..."""
    bony_min_share: Annotated[
        float,
        Gt(0),
        Unit("1"),
        Source("measured: phantom_study.toml, seed 51; bulging bone 0.58 to 6, swallowed leaks 0.02 to 0.84"),
    ] = 0.5
    """... and this many times as much as cement in it, as far out as half of the cement) ..."""
    bony_share: Annotated[
        float,
        Gt(0),
        Le(1),
        Unit("1"),
        Source("measured: phantom_study.toml; bone 0.55 to 0.85, swallowed leaks to 0.32"),
    ] = 0.45
    """... bone still lies this share of the way from soft tissue to cortex, soft tissue does not."""
    soft_max_hu: Annotated[float, Gt(0), Unit("HU"), CONVENTION] = 120.0
    """Soft tissue lies under this."""
    wide_share: Annotated[
        float,
        Gt(0),
        Lt(1),
        Unit("1"),
        Source(
            "half maximum: the edge of a blurred step; measured: masks a voxel wide to 0.46, true ones from 0.79 "
            "(phantom_study.toml, verse005, totalsegmentator_ct)"
        ),
    ] = 0.5
    """Masks are too wide whose outermost layer of voxels is less than this share as dense as the denser of the two
    layers under it, soft tissue 0."""
    narrow_share: Annotated[
        float,
        Gt(0),
        Le(1),
        Unit("1"),
        Source(
            "measured: phantom_study.toml, seed 61: a voxel narrow 0.91 and more, true masks 0.1 to 0.45; "
            "verse005 0.03 and totalsegmentator_ct 0 (a surface itself lies at 0.5)"
        ),
    ] = 0.75
    """Masks are too narrow whose next layer of voxels is by this share as dense as their densest, soft tissue 0."""


@dataclass(frozen=True, kw_only=True)
class MissingCriteria:
    """When a vertebra that the masks lack is drawn after a neighbour's shape."""

    min_room_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 22.0
    """Between two vertebrae, of which a name is skipped, at least this much room must be without a label."""
    pitch_play: Annotated[float, Gt(0), Le(0.5), Unit("1"), CONVENTION] = 0.35
    """Beyond the last vertebra the next lies one pitch on, give or take this share of it."""
    min_in_view_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.35
    """At least this share of the vertebra's surface must lie within the scan."""
    min_likeness: Annotated[
        float,
        Gt(0),
        Le(1),
        Unit("1"),
        Source(
            "measured here, one level left out at a time: 0.49 to 0.74 on verse005 and totalsegmentator_ct (L5 of "
            "verse005: 0.37); half a level off at most 0.37"
        ),
    ] = 0.45
    """The neighbour's surface must stand out by at least this share of what it does in its own place."""
    surface_play_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 3.0
    """Cement within this of the drawn surface ..."""
    min_outside_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.2
    """... is no part of the vertebra where at least this share of it lies outside the surface."""
    lump_min_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 200.0
    """One is missing where a lump as dense as cement of at least this volume lies outside all vertebrae, ..."""
    lump_before_wall_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 30.0
    """... at most this far before the posterior wall of the bodies, ..."""
    lump_beyond_mm: Annotated[float, Ge(0), Unit("mm"), CONVENTION] = 60.0
    """... at most this far beyond the end of the canal that is known ..."""
    lump_beside_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 15.0
    """... and at most this far beside the canal's middle: ribs and most vessels lie farther."""
