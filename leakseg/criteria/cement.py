"""Criteria of cement in the spine and beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from leakseg.criteria.marks import CONVENTION, Source, Unit


@dataclass(frozen=True, kw_only=True)
class CementCriteria:
    """Which voxels are cement. No HU here separates cement: the scan's own densities do (see anatomy)."""

    search_margin_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 45.0
    """Leaks are looked for this far around the vertebrae."""
    deep_mm: Annotated[float, Gt(0), Unit("mm"), Source("measured here: cement-free verse005, cortex ends at 5 mm")] = (
        5.0
    )
    """Bone deeper than this under the vertebra's surface is cancellous: the place to tell cement from bone."""
    deep_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.6
    """A crushed body is nowhere so deep: there bone deeper than this share of its greatest depth is looked at ..."""
    min_deep_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 2.5
    """... and nothing under this depth."""
    seed_above_cancellous_hu: Annotated[
        float, Gt(0), Unit("HU"), Source("measured here: cement-free verse005 and totalsegmentator_ct reach 480 HU")
    ] = 550.0
    """Cement is sought where deep bone lies this far above the scan's cancellous bone."""
    min_seed_hu: Annotated[float, Gt(0), Unit("HU"), CONVENTION] = 700.0
    """Deep bone under this is no cement in any scan."""
    min_seed_volume_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 40.0
    """Smaller deep dense pieces are bone islands or noise."""
    min_seed_voxels: Annotated[int, Ge(1), Unit("1"), CONVENTION] = 8
    """Deep dense pieces of fewer voxels are noise, ..."""
    few_seed_voxels: Annotated[int, Ge(1), Unit("1"), CONVENTION] = 5
    """... unless they have so many and are plainly denser than cortex (see beyond_bone)."""
    small_seed_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 250.0
    """A deep dense piece up to this size ..."""
    small_seed_share: Annotated[
        float,
        Gt(0),
        Le(1),
        Unit("1"),
        Source("measured here: marrow at pedicles' roots in sharpened verse005 to 0.76"),
    ] = 0.8
    """... is cement where its median is this share of cortex: in a sharpened scan marrow passes the density asked."""
    bone_top_percentile: Annotated[float, Gt(0), Le(100), Unit("%"), CONVENTION] = 99.5
    """This percentile of a vertebra, and the median of all vertebrae, stands for their densest bone: ..."""
    beyond_bone: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 1.2
    """... what is this many times as dense in a body that holds no deep cement is cement that lies nowhere deep, ..."""
    beyond_bone_mm3: Annotated[
        float,
        Gt(0),
        Unit("mm3"),
        Source("measured here: untreated vertebrae of 39 phantoms to 21 mm3, of totalsegmentator_ct none"),
    ] = 100.0
    """... where a piece is as large as this ..."""
    beyond_bone_voxels: Annotated[int, Ge(1), Unit("1"), CONVENTION] = 5
    """... and of so many voxels."""
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
    thick_voxel_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 2.0
    """From this spacing on, in any direction, large pieces are blurred as well: their median tells nothing."""
    coarse_core_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.38
    """... and its dense end reaches only this share, for every voxel of it is blurred: in canal and foramina, where it
    touches inner cement and is denser than the bone's blur explains, any that a strand may have."""
    coarse_contact_voxels: Annotated[float, Gt(0), Unit("1"), CONVENTION] = 2.7
    """The rim of bone between inner cement and a leak may be this many voxels wide."""
    near_bone_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 1.0
    """Voxels outside bone this near to a mask may be blurred cortex and need the cortical threshold."""
    halo_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 2.0
    """Blur reaches this far: bone's, within which a voxel denser than it explains stands out from the bone, and that of
    leaked cement, whose volume is counted up to here."""
    halo_blur_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 1.0
    """The masks' inside is blurred by a Gaussian of this width, then scaled to what the scan shows ..."""
    halo_percentile: Annotated[float, Gt(0), Le(100), Unit("%"), CONVENTION] = 99.0
    """... at this percentile of each layer round the bone ..."""
    halo_away_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 8.0
    """... farther than this from cement inside bone."""
    min_over_halo_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 5.0
    """A piece that hugs the bone is no rim of a mask where this much of it is denser than blur explains."""
    away_mm: Annotated[
        float, Gt(0), Unit("mm"), Source("measured here: such leaks in three real scans to 3.4, spurs from 5.3, ribs 7")
    ] = 4.0
    """Outside canal and foramina a piece no nearer to cement than to cortex at its dense end is none where the median
    of its voxels is so far from bone, touching inner cement or not, but for needles' tracks."""
    max_spread_touching: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 10.0
    """Less dense matter hanging together with a piece that touches inner cement: at most this many times its size."""
    large_piece_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 400.0
    """A piece larger than this is thick somewhere, and its median is not blurred: ..."""
    large_middle_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.55
    """... it must reach this share of the cement's density, else it is unlabelled bone ..."""
    strand_core_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.7
    """... or it is a long vein, blurred all along (see strand_max_section_mm2). The dense end of a bare strand, and of
    what is cement in a piece that as a whole is none, reaches this share at least."""
    blurred_piece_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 100.0
    """Only a piece up to this size may be so thin that blur takes half its density all over: ..."""
    blurred_core_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.55
    """... the dense end of a larger one reaches this share, else it is bone without a mask, such as a rib."""
    strand_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.3
    """Strands thinner than a few voxels are followed down to this share of the cement's density; with voxels from
    thick_voxel_mm on to that of cortex where it is less, ..."""
    channel_above_cancellous_hu: Annotated[
        float,
        Gt(0),
        Unit("HU"),
        Source("measured here: bone that hangs together with cement, deeper than rim_mm, both scans at 3 mm: to 340"),
    ] = 450.0
    """... and within bone, deeper than cortex, to this far above cancellous bone where it is less."""
    hang_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.18
    """Matter above this share hangs together with a piece (see max_spread) ..."""
    hang_over_canal: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.1
    """... or, beside a canal that holds contrast, above the share of three quarters of the canal by this much."""
    min_core_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.42
    """The dense end (90th percentile) of a piece outside bone reaches this share of the cement's density."""
    contact_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 5.0
    """A piece outside bone touches cement inside bone where the gap is at most this."""
    gap_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 2.5
    """Across a wider gap to inner cement only thin strands touch it: a thick piece would show its channel ..."""
    gap_max_mm3: Annotated[
        float, Gt(0), Unit("mm3"), Source("measured here: phantom veins to 89, osteophytes of verse005 from 379")
    ] = 120.0
    """... and thin strands are no sheets and no larger than this above their threshold, ..."""
    strand_max_section_mm2: Annotated[
        float,
        Gt(0),
        Unit("mm2"),
        Source("measured here: phantom veins across a gap to 9.7, osteophytes of verse005 to 11"),
    ] = 10.0
    """... or, nearer to cement than to cortex, long: their volume over their length is at most this, ..."""
    strand_max_flat: Annotated[
        float, Gt(0), Le(1), Unit("1"), Source("measured here: long phantom veins to 0.12, spurs of verse005 from 0.22")
    ] = 0.18
    """... and they are as round as this (see `max_flat`); others are as dense as a drop at their dense end."""
    track_max_section_mm2: Annotated[
        float,
        Gt(0),
        Unit("mm2"),
        Source("measured here: needles' tracks put into three real scans, blurred, to 14.4; ribs of thoracic_dicom 20"),
    ] = 17.0
    """A round strand behind the posterior walls is a needle's track up to this volume over length, however blurred,
    where it comes out of the bone, ends, and is beyond_bone times as dense as cortex at its dense end."""
    bare_max_spread: Annotated[
        float,
        Gt(0),
        Unit("1"),
        Source("measured here: veins put into three real scans to 1.05; their spurs from 1.37, calcified vessels 1.6"),
    ] = 1.2
    """A strand as thin and round counts wherever it is denser than cortex and less dense matter hanging together with
    it is at most this many times its size ..."""
    bare_off_mm: Annotated[
        float, Gt(0), Unit("mm"), Source("measured here: the same veins to 1.9, spurs from 3.5, vessels from 8")
    ] = 2.5
    """... and the median of its voxels this near to bone."""
    fine_max_section_mm2: Annotated[
        float,
        Gt(0),
        Unit("mm2"),
        Source("measured here: veins put into three real scans to 5.3; parts of ribs and processes from 5.9"),
    ] = 5.5
    """However dense cortex is, a strand before the posterior walls counts where it is so thin, whole in view, off bone
    (see rooted_max_walled, max_rooted), ..."""
    fine_max_spread: Annotated[
        float, Gt(0), Unit("1"), Source("measured here: the same veins to 1.6, strands of calcified vessels from 1.7")
    ] = 1.65
    """... hardly more hangs on it, as on a needle's track that lies farther from bone than bare_off_mm, ..."""
    fine_min_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 30.0
    """... it is so large, ..."""
    fine_core_share: Annotated[
        float, Gt(0), Le(1), Unit("1"), Source("measured here: the same veins from 0.57, processes of ribs to 0.53")
    ] = 0.55
    """... and its dense end has this share of the cement's density."""
    detached_reach_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 25.0
    """Detached pieces outside canal and foramina count only this near to cement inside bone, ..."""
    across_reach_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 45.0
    """... or this near behind the posterior wall, where a needle's track goes on behind the pedicle and nothing but
    metal is as dense, and large pieces denser than bone throughout: cement at one side leaks at the other; ..."""
    detached_bone_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 3.0
    """... this near to bone, as the veins of the vertebrae run, and whole within the view or as dense to their middle
    as a drop's dense end (ureters, vessels with contrast and calcified walls lie farther out), ..."""
    detached_off_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 6.0
    """... the median of their voxels so near to it, ..."""
    detached_root_mm: Annotated[
        float, Gt(0), Unit("mm"), Source("measured here: detached phantom leaks to 0.8, a ureter on the sacrum 1.8")
    ] = 1.5
    """... or one end (with thick voxels half a voxel): what lies on no bone comes out of it, or passes by as ureters
    and vessels do ..."""
    detached_reach_canal_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 60.0
    """... in canal and foramina, where nothing else is dense, and needles' tracks, this near."""
    detached_core_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.8
    """The dense end of a detached piece reaches this share of the cement's density, or lies nearer to cement than to
    cortex where cement is plainly denser (half way between them lies no higher than this share) ..."""
    detached_max_core_share: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 1.15
    """... and not more than this, or than as much of the dense end of the cement inside bone where that is denser than
    its plateau: denser ones are calcification, clips or teeth."""
    detached_middle_share: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.7
    """Outside canal and foramina the median of a detached piece reaches this share: plaques are less even ..."""
    detached_solid_share: Annotated[
        float, Gt(0), Le(1), Unit("1"), Source("measured here: ribs of thoracic_dicom to 0.69, drops from 0.86")
    ] = 0.77
    """... and this share of its dense end: a rib has a shell."""
    detached_strand_share: Annotated[
        float, Gt(0), Le(1), Unit("1"), Source("measured here: osteophytes of verse005 to 0.46, veins from 0.51")
    ] = 0.5
    """... or this share alone where its dense end is nearer to cement than to cortex, in scans whose cement is plainly
    denser than cortex."""
    flat_reach_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 4.0
    """A detached piece whose median is no denser than a drop's dense end is no sheet: of the variances of its voxels
    within this reach of each other ..."""
    max_flat: Annotated[
        float,
        Gt(0),
        Le(1),
        Unit("1"),
        Source("measured here: detached strands and lumps to 0.41, plaques in the aorta's wall from 0.46"),
    ] = 0.43
    """... the second less the third is at most this share of the first: a plaque is a patch of a vessel's wall."""
    drop_core_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 15.0
    """Of a piece that hangs together with bone, a core in canal or foramina is at least so large in scans whose cement
    is hardly denser than cortex, and to its middle nearer to cement than to cortex."""
    lone_max_spread: Annotated[
        float, Gt(1), Unit("1"), Source("measured here: cores of leaks to 5.5, of ribs and processes from 10.4")
    ] = 7.0
    """Such a core counts on any bone where less dense matter hanging on it is at most so many times its size."""
    shell_max_section_mm2: Annotated[
        float, Gt(0), Unit("mm2"), Source("measured here: parts of ribs' shells on vertebrae to 7.6, lumps from 10.5")
    ] = 9.0
    """A core that a bone lies against is no part of that bone's thin shell from this volume over length on."""
    far_beyond_bone: Annotated[
        float, Gt(1), Unit("1"), Source("measured here: osteophytes of verse005 averaged to 3 mm, to 1.36")
    ] = 1.45
    """A strand, and with such thick voxels any detached piece, is cement where its dense end is this many times as
    dense as cortex (both over soft tissue), in scans whose cement is plainly denser: blur takes its median."""
    far_drop_mm3: Annotated[float, Gt(0), Unit("mm3"), Source("measured here: bone of three real scans, to 20")] = 35.0
    """So is what is as large in canal and foramina, ..."""
    far_drop_max_rooted: Annotated[
        float, Gt(0), Unit("1"), Source("measured here: leaks put into three real scans to 3.8, a sclerotic pars 6.6")
    ] = 5.0
    """... though it goes on into bone as dense, up to this many times its denser half: a pars outside its mask does."""
    no_bone: Annotated[
        float, Gt(1), Unit("1"), Source("measured here: spurs of verse005 to 1.6, their cores of 8 to 16 mm3 to 2.2")
    ] = 2.0
    """No bone's dense end is this many times as dense as cortex (both over soft tissue), nor its middle far_beyond_bone
    times, whatever bone surrounds a piece or goes on from it."""
    max_spread: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 3.0
    """Less dense matter hanging together with a detached piece: at most this many times its size ..."""
    max_spread_neural: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 5.0
    """... and in canal and foramina this many times; unlabelled bone goes on, a drop of cement ends."""
    max_rooted: Annotated[
        float, Gt(0), Unit("1"), Source("measured here: detached phantom leaks to 0.02, facets of verse005 from 0.5")
    ] = 0.3
    """Dense bone that a detached piece in canal or foramina goes on into: at most this share of the piece; a facet that
    a mask cuts goes on."""
    touching_max_rooted: Annotated[
        float, Gt(0), Unit("1"), Source("measured here: leaks put into three real scans to 0.1, a rib's head 3.3")
    ] = 1.0
    """... of one that touches inner cement this much, where cement is hardly denser than cortex and it no denser."""
    rooted_max_walled: Annotated[
        float,
        Gt(0),
        Le(1),
        Unit("1"),
        Source("measured here: phantom_study.toml, 5 mm slices: leaks that go on so far to 0.27, endplates from 0.39"),
    ] = 0.35
    """With thick voxels a piece outside canal and foramina that goes on into more bone than that is bone, where more
    than this share of what lies round it is."""
    free_max_walled: Annotated[
        float,
        Ge(0),
        Le(1),
        Unit("1"),
        Source("measured here: leaks put into the canal of two real scans to 0.06, facets and laminae from 0.16"),
    ] = 0.1
    """A drop in canal or foramina denser than cortex that is hardly denser stands free of bone up to this share of its
    surroundings, ..."""
    large_drop_mm3: Annotated[float, Gt(0), Unit("mm3"), Source("measured here: facets that masks cut, to 37")] = 50.0
    """What in canal or foramina is as large, denser than cortex, and ends there is a drop, however blurred."""
    max_walled: Annotated[
        float,
        Gt(0),
        Le(1),
        Unit("1"),
        Source("measured here: detached leaks to 0.42, facets a mask leaves out from 0.54"),
    ] = 0.5
    """... and of what lies round any detached piece at most this share is bone: else it is bone that the mask leaves
    out (unless thick voxels show it denser than bone, and a strand through the bone leads to it)."""
    unexplained_min_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 30.0
    """Where no vertebra holds cement, so much in canal or foramina as dense as that in deep bone is told, ..."""
    unexplained_percentile: Annotated[float, Gt(0), Le(100), Unit("%"), CONVENTION] = 99.9
    """... and in a disc as much that is denser than all but the densest of the vertebrae's bone."""
    metal_min_hu: Annotated[float, Gt(0), Unit("HU"), Source("titanium exceeds a 12-bit CT's range (3071 HU)")] = 3000.0
    """Metal is sought from here up (or at the stored range's upper end, where that is lower) ..."""
    metal_unbroken_share: Annotated[
        float,
        Gt(0),
        Le(1),
        Unit("1"),
        Source("measured here: phantom screws and rods 0.98, noisy cement of 3000 HU 0.36"),
    ] = 0.6
    """... in pieces of whose inside, their holes closed, this share lies within dense voxels alone, ..."""
    metal_min_length_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 20.0
    """... in straight, even pieces at least this long ..."""
    metal_max_radius_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 4.5
    """... and at most this thick."""
    metal_head_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 7.5
    """A screw's head or a rod's clamp hangs on it this near."""
    metal_halo_mm: Annotated[float, Ge(0), Unit("mm"), CONVENTION] = 2.0
    """Blur round metal counts as metal this far ..."""
    metal_halo_hu: Annotated[float, Gt(0), Unit("HU"), CONVENTION] = 300.0
    """... where it is denser than this."""
