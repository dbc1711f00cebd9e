"""Dense pieces outside bone: what osteophytes, ureters and plaques look like is none of it cement, its strands are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest

from leakseg.cores import is_core_of_cement, may_be_a_leak, may_go_on
from leakseg.criteria import CementCriteria
from leakseg.dense_pieces import PieceInScan, Yardstick
from leakseg.judging import RULES, is_cement, rule_for
from leakseg.telling import looks_like_cement


@dataclass(frozen=True)
class DensePiece:
    """Of a detached vein on the bone, unless told otherwise."""

    size_mm3: float = 90.0
    middle: float = 0.55
    dense_end: float = 0.75
    faint: bool = False
    spread: float = 1.4
    to_inner_mm: float = 12.0
    to_channel_mm: float = math.inf
    to_bone_mm: float = 0.5
    off_bone_mm: float = 0.0
    cut_off: bool = False
    neural: bool = False
    behind: bool = False
    rooted: float = 0.0
    walled: float = 0.2
    flat: float = 0.0
    section_mm2: float = math.inf


FINE = Yardstick(touching_mm=5.0, root_mm=1.5, thick=False, cortex=0.35, cortex_edge=0.675, densest=1.15)
THICK = replace(FINE, touching_mm=8.1, root_mm=1.53, thick=True, cortex=0.4, cortex_edge=0.7)
DENSE_BONE = replace(FINE, cortex=0.55, cortex_edge=0.775)
FAINT_CEMENT = replace(FINE, cortex=0.7, cortex_edge=0.85)
VEIN = DensePiece()


def judged(piece: DensePiece, scan: Yardstick = FINE, **other: float) -> bool:
    return is_cement(replace(piece, **other), scan, CementCriteria())


def test_a_detached_vein_on_the_bone_is_cement_and_an_osteophyte_is_not():
    assert judged(VEIN)
    assert not judged(VEIN, middle=0.43, dense_end=0.7)  # as measured in verse005


def test_where_cement_is_hardly_denser_than_cortex_a_blurred_strand_tells_nothing():
    assert not judged(VEIN, FAINT_CEMENT)


@pytest.mark.parametrize("off_bone_mm", [3.5, 12.0])
def test_what_lies_off_the_bone_is_a_ureter_or_a_vessel_however_even(off_bone_mm):
    even = replace(VEIN, middle=0.85, dense_end=1.0, to_bone_mm=2.0)
    assert judged(even)
    assert not judged(even, to_bone_mm=off_bone_mm)


def test_thick_voxels_take_a_detached_strand_for_cement_where_no_bone_is_as_dense():
    strand = replace(VEIN, size_mm3=81.0, middle=0.41, dense_end=0.59, to_bone_mm=1.5)
    assert judged(strand, THICK)
    assert not judged(strand, THICK, dense_end=0.55)  # 1.36 times cortex: osteophytes of verse005 averaged to 3 mm
    assert not judged(strand, FINE)
    assert not judged(strand, replace(THICK, cortex_edge=0.85))


def test_a_rib_or_a_bridging_spur_beside_inner_cement_is_none_however_much_thick_voxels_blur_it():
    spur = replace(VEIN, size_mm3=279.0, middle=0.49, dense_end=0.63, to_inner_mm=3.5, to_bone_mm=1.5, off_bone_mm=5.5)
    assert not judged(spur, THICK, flat=0.3)  # an osteophyte of verse005
    assert not judged(spur, THICK, flat=0.35, off_bone_mm=14.8, to_channel_mm=7.5)  # a rib of thoracic_dicom
    assert judged(spur, THICK, flat=0.3, off_bone_mm=3.4)  # blurred, but on the bone
    assert judged(spur, THICK, flat=0.3, dense_end=0.8)  # nearer to cement than to cortex
    assert judged(spur, THICK, neural=True)
    assert judged(spur, THICK, behind=True, flat=0.1, section_mm2=12.0)  # a needle's track


def test_a_thick_piece_across_a_gap_counts_where_it_is_plainly_cement():
    lump = replace(VEIN, size_mm3=150.0, middle=0.6, dense_end=0.9, to_inner_mm=3.5, to_bone_mm=2.0)
    assert judged(lump)
    assert not judged(lump, dense_end=0.6)


def test_a_sheet_before_the_bone_is_a_plaque_as_dense_as_it_may_be_and_one_on_the_bone_is_cement():
    patch = replace(VEIN, size_mm3=177.0, middle=0.82, dense_end=0.9, to_inner_mm=3.0, to_bone_mm=1.3, flat=0.57)
    assert not is_core_of_cement(replace(patch, off_bone_mm=4.6), None, FINE, CementCriteria())
    assert is_core_of_cement(replace(patch, off_bone_mm=1.0), None, FINE, CementCriteria())
    assert is_core_of_cement(replace(patch, off_bone_mm=4.6, flat=0.2), None, FINE, CementCriteria())


def test_a_drop_with_hardly_any_bone_round_it_counts_in_the_canal_though_cement_is_hardly_denser_than_cortex():
    """As an epidural leak of 87 mm3 in 2 mm slices, cement of 1,980 HU, and a facet's edge."""
    scan = replace(THICK, cortex=0.65, cortex_edge=0.82)
    drop = replace(VEIN, size_mm3=86.0, dense_end=0.79, to_inner_mm=9.8, off_bone_mm=1.9, neural=True, walled=0.01)
    assert judged(drop, scan)
    assert not judged(drop, scan, walled=0.16)
    assert not judged(drop, scan, rooted=8.2)
    assert not judged(drop, scan, dense_end=0.6)
    assert not judged(drop, scan, neural=False)


def test_a_needles_track_counts_however_blurred_and_ribs_and_processes_do_not():
    """Measured on tracks of 1.2 to 1.8 mm radius put into thoracic_dicom, and on its ribs."""
    track = replace(VEIN, size_mm3=326.0, middle=0.55, dense_end=0.78, to_inner_mm=28.0, off_bone_mm=11.4, flat=0.13)
    track = replace(track, to_bone_mm=1.4, walled=0.02, section_mm2=11.7, behind=True)
    scan = replace(THICK, cortex=0.62, cortex_edge=0.81)
    assert judged(track, scan)
    assert not judged(track, scan, behind=False)
    assert not judged(track, scan, section_mm2=20.6)  # a rib
    assert not judged(track, scan, flat=0.23)
    assert not judged(track, scan, rooted=20.0)  # a process that the mask cuts
    assert judged(track, scan, to_inner_mm=55.0)  # behind the pedicle across from the cement
    assert not judged(track, scan, to_inner_mm=65.0)
    assert not judged(track, scan, spread=4.7)
    assert judged(track, scan, dense_end=0.7)  # as dense as bone may be, which is cut off or has bone beside it
    for bone in ({"cut_off": True}, {"walled": 0.2}, {"spread": 1.7}, {"off_bone_mm": 2.1}):
        assert not judged(track, scan, dense_end=0.7, **bone)
    assert not judged(track, scan, dense_end=0.45)
    assert judged(track, scan, to_bone_mm=2.6)  # masks drawn from the scan end short of the facets
    assert not judged(track, scan, to_bone_mm=4.0)
    assert not judged(track, scan, off_bone_mm=0.9)  # the rim of a process whose mask is too small


def test_what_no_bone_is_as_dense_as_is_cement_in_a_foramen_whatever_bone_lies_round_it():
    scan = replace(THICK, cortex=0.17, cortex_edge=0.59)  # 2,900 HU in the 3 mm scan
    drop = replace(VEIN, size_mm3=336.0, middle=0.42, dense_end=0.73, walled=0.53, to_inner_mm=26.0, behind=True)
    assert judged(drop, scan)
    assert not judged(drop, replace(scan, cortex=0.4, cortex_edge=0.7))  # a facet may be as dense
    grown = replace(drop, size_mm3=180.0, middle=0.35, dense_end=0.57, walled=0.24, rooted=0.41, neural=True)
    assert judged(grown, scan)
    assert not judged(grown, replace(scan, cortex=0.4, cortex_edge=0.7))


def test_a_sclerotic_pars_that_a_narrow_mask_leaves_out_goes_on_into_far_more_bone_than_a_drop():
    """The 3 mm scan with narrow masks: 72 mm3 of a pars twice as dense as the vertebrae's cortex; a leak of 97 mm3."""
    pars = replace(VEIN, size_mm3=72.0, middle=0.41, dense_end=0.6, spread=0.57, rooted=6.6, walled=0.27, neural=True)
    assert not judged(pars, THICK)
    assert judged(pars, THICK, size_mm3=97.0, middle=0.57, dense_end=0.78, spread=0.87, rooted=3.8, walled=0.14)


def test_a_core_that_goes_on_from_inner_cement_may_be_denser_and_a_clip_apart_is_none():
    clump = replace(VEIN, middle=0.84, dense_end=1.2, to_inner_mm=0.4)
    assert is_core_of_cement(clump, None, FINE, CementCriteria())
    assert not is_core_of_cement(replace(clump, to_inner_mm=3.0), None, FINE, CementCriteria())


def test_what_thick_voxels_share_with_an_endplate_is_no_leak():
    rim = replace(VEIN, size_mm3=33.0, middle=0.41, dense_end=0.43, to_inner_mm=4.0, rooted=34.0, walled=0.51)
    assert not judged(rim, THICK)
    assert judged(rim, THICK, rooted=0.2)
    assert judged(rim, THICK, walled=0.25)
    assert judged(rim, THICK, neural=True)


def test_a_long_strand_across_a_gap_is_a_vein_however_much_it_holds_and_a_lump_is_none():
    vein = replace(VEIN, size_mm3=293.0, middle=0.47, dense_end=0.69, to_inner_mm=4.0, section_mm2=6.2)
    assert judged(vein)
    assert not judged(vein, section_mm2=14.0)
    assert not judged(vein, dense_end=0.48)  # hardly denser than cortex: a spur
    assert judged(vein, FAINT_CEMENT, dense_end=0.9)
    assert not judged(vein, FAINT_CEMENT, dense_end=0.8)


@pytest.mark.parametrize("piece", [(2480.0, 0.75, 1.14), (2098.0, 0.71, 1.12), (379.0, 0.71, 1.1)])
def test_bone_as_dense_as_the_cement_is_told_by_its_marrow(piece):
    size_mm3, middle, dense_end = piece  # ribs of thoracic_dicom, an osteophyte of verse005; cement of 1100 HU
    rib = replace(VEIN, size_mm3=size_mm3, middle=middle, dense_end=dense_end)
    no_denser = replace(FAINT_CEMENT, cortex=0.97, cortex_edge=0.985)
    assert not judged(rib, no_denser)
    assert not judged(rib, no_denser, to_inner_mm=4.9)
    assert judged(rib, no_denser, middle=0.9, dense_end=1.0)


def test_across_a_gap_a_piece_no_denser_than_cortex_is_the_rim_of_a_bone_without_a_mask():
    rim = replace(VEIN, size_mm3=29.0, middle=0.36, dense_end=0.43, to_inner_mm=3.7)
    rib = replace(FINE, cortex=0.63, cortex_edge=0.8)  # a rib's head of thoracic_dicom, cement of 2000 HU
    assert not judged(rim, rib)
    assert judged(rim, rib, to_inner_mm=2.0)
    assert not judged(rim, FAINT_CEMENT)
    assert judged(rim, FINE)


def test_a_long_vein_that_blur_takes_half_of_is_no_unlabelled_bone():
    vein = replace(VEIN, size_mm3=900.0, middle=0.5, to_inner_mm=0.5, section_mm2=9.0)
    assert judged(vein)
    assert not judged(vein, dense_end=0.62)
    assert not judged(vein, section_mm2=43.0)  # a lump that touches a rib of thoracic_dicom, taken with the rib


def test_a_lump_that_the_view_cuts_is_cement_where_no_bone_is_so_dense_to_its_middle():
    lump = replace(VEIN, size_mm3=860.0, middle=0.77, dense_end=1.02, to_inner_mm=6.8, cut_off=True, flat=0.2)
    assert judged(lump, FINE)
    assert not judged(lump, FINE, middle=0.6)


def test_a_drop_in_the_canal_is_cement_where_it_is_nearer_to_cement_than_to_cortex():
    drop = replace(VEIN, middle=0.45, dense_end=0.7, to_inner_mm=20.0, neural=True)
    assert judged(drop)
    assert judged(drop, dense_end=0.55)  # 1.57 times cortex, though blurred
    assert not judged(drop, dense_end=0.5)
    assert not judged(drop, neural=False)


def test_away_from_bone_a_drop_in_the_canal_need_not_be_denser_than_cortex_by_much():
    """Blur takes a fifth of a small drop's density; no bone, and in such scans no contrast, is as dense there."""
    drop = replace(VEIN, neural=True, middle=0.5, dense_end=0.73, off_bone_mm=4.0, to_bone_mm=3.0)
    assert judged(drop, FAINT_CEMENT)
    assert not judged(drop, FAINT_CEMENT, off_bone_mm=1.6)
    assert not judged(drop, FAINT_CEMENT, dense_end=0.68)
    assert not judged(drop, FAINT_CEMENT, spread=6.0)
    assert not judged(drop, dense_end=0.5)  # contrast may be so dense where cement is far denser


def test_what_goes_on_into_dense_bone_is_a_facet_that_a_mask_cuts_unless_it_touches_cement():
    drop = replace(VEIN, middle=0.8, dense_end=0.95, to_inner_mm=20.0, neural=True)
    assert judged(drop, FAINT_CEMENT)
    assert not judged(drop, FAINT_CEMENT, rooted=0.5)  # as measured in verse005
    assert judged(drop, FAINT_CEMENT, rooted=0.5, to_inner_mm=1.0)


def test_a_blurred_drop_in_a_foramen_larger_than_what_masks_leave_out_of_facets_is_cement():
    """In 3 mm slices, in two of the real scans: 63 and 91 mm3; pieces of facets reached 37 mm3."""
    drop = replace(VEIN, neural=True, middle=0.47, dense_end=0.66, spread=1.1, rooted=0.83, walled=0.39)
    scan = replace(THICK, cortex=0.6, cortex_edge=0.8)
    assert judged(drop, scan, size_mm3=63.0)
    assert not judged(drop, scan, size_mm3=37.0)
    assert not judged(drop, scan, size_mm3=63.0, dense_end=0.58)  # no denser than cortex, as contrast
    assert not judged(drop, scan, size_mm3=63.0, spread=1.9)
    assert not judged(drop, scan, size_mm3=63.0, rooted=2.8)


def told(piece: DensePiece, scan: Yardstick = FAINT_CEMENT, **other: float) -> bool:
    return looks_like_cement(replace(piece, **other), scan, CementCriteria())


def test_what_blur_may_have_taken_the_density_of_is_told_between_bones():
    drop = replace(VEIN, neural=True, size_mm3=41.0, middle=0.42, dense_end=0.57, rooted=1.6)
    assert not judged(drop, FAINT_CEMENT)
    assert told(drop)
    assert not told(drop, neural=False)
    assert not told(drop, dense_end=0.48)
    assert not told(drop, size_mm3=12.0)
    assert may_be_a_leak(drop, CementCriteria())
    assert not may_be_a_leak(replace(drop, neural=False), CementCriteria())


def test_a_thin_strand_on_the_bone_is_told_where_it_goes_on_into_nothing():
    """A vein along T11 was missed and nothing said, in thoracic_dicom with cement of 1,935 HU and cortex of 1,330."""
    vein = replace(VEIN, size_mm3=78.0, middle=0.51, dense_end=0.66, spread=1.2, section_mm2=3.8, flat=0.19)
    assert not judged(vein, FAINT_CEMENT)
    assert told(vein)
    assert not told(vein, dense_end=0.5)
    assert not told(vein, spread=2.5)
    assert not told(vein, rooted=0.5)
    assert not told(vein, section_mm2=14.0)
    assert not told(vein, to_inner_mm=30.0)


@pytest.mark.parametrize("neural", [True, False])
def test_a_detached_piece_with_bone_round_most_of_it_is_bone_that_the_mask_leaves_out(neural):
    even = replace(VEIN, middle=0.85, dense_end=1.0, neural=neural)
    assert judged(even, DENSE_BONE)
    assert not judged(even, DENSE_BONE, walled=0.6)
    assert judged(even, DENSE_BONE, walled=0.6, to_inner_mm=1.0)


def test_a_strand_that_a_channel_through_the_bone_leads_to_is_cement_where_it_is_denser_than_cortex():
    faint = replace(VEIN, middle=0.4, dense_end=0.5)
    assert not judged(faint)
    assert judged(faint, to_channel_mm=3.0)
    assert not judged(faint, to_channel_mm=3.0, dense_end=0.34)
    assert not judged(faint, to_channel_mm=3.0, spread=4.0)
    assert not judged(faint, FAINT_CEMENT, to_channel_mm=3.0)


def test_a_plaque_beside_the_bone_is_a_sheet_and_no_strand():
    assert judged(VEIN, flat=0.2)
    assert not judged(VEIN, flat=0.5)
    assert not judged(VEIN, flat=0.5, middle=0.4, to_channel_mm=3.0)
    assert judged(VEIN, flat=0.5, middle=0.85, dense_end=1.0)  # too dense for one
    assert not judged(VEIN, flat=0.5, middle=0.75, dense_end=0.85)
    near = replace(VEIN, size_mm3=60.0, middle=0.42, dense_end=0.5, to_inner_mm=3.5)
    assert judged(near)
    assert not judged(near, flat=0.5)


def test_a_long_vein_comes_out_of_the_bone_that_a_ureter_passes():
    even = replace(VEIN, middle=0.85, dense_end=1.0, off_bone_mm=9.0)
    assert judged(even)
    assert not judged(even, to_bone_mm=1.8)
    assert judged(even, to_bone_mm=1.8, off_bone_mm=3.0)


def test_a_needles_track_lies_behind_the_pedicle_far_from_the_cement():
    track = replace(VEIN, middle=0.62, dense_end=0.9, to_inner_mm=29.0, behind=True)
    assert judged(track)
    assert not judged(track, behind=False)
    assert not judged(track, dense_end=0.6)
    assert not judged(track, to_inner_mm=50.0)


def test_what_a_drop_nearer_to_cement_than_to_cortex_goes_on_into_is_no_bone():
    drop = replace(VEIN, middle=0.85, dense_end=1.0, to_inner_mm=14.0, neural=True, rooted=0.35)
    assert judged(drop, DENSE_BONE)
    assert judged(drop, DENSE_BONE, middle=0.6)
    assert not judged(drop, DENSE_BONE, middle=0.6, size_mm3=30.0)
    assert not judged(drop, DENSE_BONE, middle=0.6, dense_end=0.78)


def test_a_strand_that_thick_voxels_blur_all_over_is_cement_where_it_hangs_on_cement_and_is_denser_than_cortex():
    faint = replace(VEIN, middle=0.38, dense_end=0.41, spread=1.0, to_bone_mm=1.5, faint=True)
    assert not judged(faint, THICK)
    for near in ({"to_inner_mm": 7.0}, {"to_channel_mm": 3.0}):
        assert judged(faint, THICK, **near)
        assert not judged(faint, THICK, dense_end=0.39, **near)
        assert not judged(faint, THICK, spread=4.0, **near)
        assert judged(faint, THICK, dense_end=0.3, neural=True, **near)


def test_a_needles_track_lies_farther_from_the_cement_than_a_vein_may():
    even = replace(VEIN, middle=0.85, dense_end=1.0, to_inner_mm=30.0)
    assert not judged(even)
    assert judged(even, behind=True)
    assert not judged(even, behind=True, to_inner_mm=50.0)


def test_a_lump_that_no_bone_is_as_dense_as_may_lie_across_the_body_from_its_cement():
    lump = replace(VEIN, size_mm3=1946.0, middle=0.98, dense_end=1.07, to_inner_mm=29.0)
    assert judged(lump)
    assert not judged(lump, FAINT_CEMENT)
    assert not judged(lump, middle=0.5, dense_end=0.7)  # as a plaque in a vessel before L5, in a real scan
    assert not judged(lump, size_mm3=90.0)  # as clips and plaques are
    assert not judged(lump, to_inner_mm=46.0)


def test_where_cement_is_hardly_denser_than_cortex_only_a_strand_out_of_inner_cement_counts_beside_bone():
    core = replace(VEIN, size_mm3=141.0, middle=1.0, dense_end=1.1, spread=13.0, to_inner_mm=0.3, section_mm2=4.2)
    criteria = CementCriteria()
    assert is_core_of_cement(core, None, FAINT_CEMENT, criteria)
    assert not is_core_of_cement(replace(core, to_inner_mm=4.0), None, FAINT_CEMENT, criteria)
    assert not is_core_of_cement(replace(core, section_mm2=14.0), None, FAINT_CEMENT, criteria)  # a rib's shell
    assert not is_core_of_cement(replace(core, dense_end=0.8), None, FAINT_CEMENT, criteria)
    assert not is_core_of_cement(replace(core, neural=True, to_inner_mm=9.0, rooted=0.5), None, FAINT_CEMENT, criteria)


def test_few_thick_voxels_between_bones_are_cement_where_a_strand_leads_to_what_no_bone_is_as_dense_as():
    breach = replace(VEIN, size_mm3=81.0, middle=0.59, dense_end=0.62, spread=1.0, neural=True, walled=0.54)
    led = replace(breach, to_inner_mm=13.5, to_bone_mm=1.5, behind=True, to_channel_mm=2.7)
    assert judged(led, THICK)
    assert not judged(led, THICK, to_channel_mm=20.0)  # a facet that the mask leaves out
    assert not judged(led, THICK, dense_end=0.5)
    assert not judged(led, FINE)


def test_a_channel_across_a_gap_leads_to_strands_and_not_to_a_spur():
    spur = replace(VEIN, size_mm3=168.0, middle=0.38, dense_end=0.44, to_inner_mm=5.4, to_channel_mm=4.9)
    assert not judged(spur, section_mm2=8.0)
    assert judged(spur, to_channel_mm=2.0)
    assert judged(spur, size_mm3=60.0)


def test_a_bare_strand_along_the_bone_is_a_vein_though_hardly_denser_than_cortex():
    vein = replace(VEIN, middle=0.6, spread=1.0, section_mm2=8.0, off_bone_mm=1.9)
    assert judged(vein, FAINT_CEMENT)
    assert judged(vein, FAINT_CEMENT, cut_off=True)  # the view ends in front of the body
    assert not judged(vein, FAINT_CEMENT, dense_end=0.68)  # no denser than cortex
    assert not judged(vein, FAINT_CEMENT, spread=1.4)  # a spur goes on
    assert not judged(vein, FAINT_CEMENT, off_bone_mm=3.5)
    assert not judged(vein, FAINT_CEMENT, section_mm2=14.0)
    assert not judged(vein, FAINT_CEMENT, flat=0.3)
    rim = replace(vein, middle=0.45, dense_end=0.55, size_mm3=40.0)  # of bone, where a mask of 3 mm voxels ends
    assert not judged(rim, replace(FINE, cortex=0.47, cortex_edge=0.735))


def test_a_strand_finer_than_bone_leaves_is_a_vein_though_cortex_is_denser():
    """Measured in thoracic_dicom with cement of 1,865 HU and cortex of 1,450, and on what refused pieces look like."""
    vein = replace(VEIN, size_mm3=51.0, middle=0.43, dense_end=0.66, spread=0.9, section_mm2=2.6, off_bone_mm=1.4)
    vein = replace(vein, to_bone_mm=1.0, flat=0.08, walled=0.0)
    scan = replace(FINE, cortex=0.77, cortex_edge=0.885)
    assert judged(vein, scan)
    assert judged(vein, replace(scan, thick=True))
    for other in (
        {"section_mm2": 5.9},
        {"flat": 0.2},
        {"spread": 1.7},  # a calcified vessel
        {"off_bone_mm": 2.8},
        {"walled": 0.4},
        {"dense_end": 0.53},
        {"size_mm3": 20.0},
        {"behind": True},  # processes and ribs
        {"cut_off": True},
        {"rooted": 0.5},
        {"to_inner_mm": 27.0},
    ):
        assert not judged(vein, scan, **other), other


def test_a_thin_strand_far_denser_than_any_bone_is_a_vein_however_blurred():
    """Beside cement of 2,900 HU a thin vein of 1,400 HU is faint, and twice as dense as cortex."""
    dense = replace(FINE, cortex=0.26, cortex_edge=0.63)
    vein = replace(VEIN, size_mm3=59.0, middle=0.42, dense_end=0.49, spread=1.7, section_mm2=2.8, off_bone_mm=2.0)
    assert judged(vein, dense)
    assert not judged(vein, dense, dense_end=0.36)  # as spurs are
    assert not judged(vein, dense, flat=0.23)
    assert not judged(vein, dense, section_mm2=14.0)
    assert not judged(vein, dense, off_bone_mm=4.8)
    assert not judged(vein, dense, spread=3.5)


def test_what_is_walled_in_by_bone_counts_where_no_bone_is_as_dense():
    """A disc full of cement lies between two endplates; a facet that the masks leave out lies between two others."""
    lump = replace(VEIN, size_mm3=1000.0, middle=0.93, dense_end=1.0, spread=0.3, walled=0.55)
    assert judged(lump, DENSE_BONE)
    assert not judged(lump, DENSE_BONE, middle=0.6)
    assert not judged(lump, DENSE_BONE, size_mm3=90.0)
    assert not judged(lump, FAINT_CEMENT)


def test_a_ribs_head_beside_inner_cement_is_bone_where_cement_is_hardly_denser_than_cortex():
    head = replace(VEIN, size_mm3=258.0, middle=0.585, dense_end=0.878, to_inner_mm=1.3, spread=0.7, rooted=3.3)
    weak = replace(FAINT_CEMENT, cortex=0.85, cortex_edge=0.93)
    assert not judged(head, weak)  # as measured beside T8 of thoracic_dicom
    assert judged(head, weak, rooted=0.1)
    assert judged(head, weak, middle=0.88)
    assert judged(head, FINE)


LUMP = replace(VEIN, size_mm3=700.0, middle=0.95, dense_end=1.0, flat=0.3, section_mm2=45.0, off_bone_mm=4.5)
"""Of a lump before the body, apart from the cement in it."""


def test_a_lump_that_the_view_cuts_off_counts_where_it_is_as_dense_as_cement_to_its_middle():
    assert judged(LUMP, FAINT_CEMENT)
    assert judged(LUMP, FAINT_CEMENT, cut_off=True)
    assert not judged(LUMP, FAINT_CEMENT, cut_off=True, middle=0.75)  # a rib: its shell is denser than its marrow
    assert not judged(LUMP, FAINT_CEMENT, cut_off=True, flat=0.5)  # a plaque in the aorta's wall
    assert judged(LUMP, FAINT_CEMENT, cut_off=True, flat=0.5, off_bone_mm=1.8)  # spread out on the bone
    assert not judged(LUMP, FAINT_CEMENT, cut_off=True, rooted=0.6)  # bone that the mask leaves out


def test_a_lump_may_be_as_dense_as_the_densest_cement_inside_bone():
    denser = replace(LUMP, dense_end=1.3)
    assert not judged(denser)
    assert judged(denser, replace(FINE, densest=1.4))


def test_a_large_lump_counts_where_it_lies_on_the_bone_within_half_a_thick_voxel():
    large = replace(LUMP, off_bone_mm=8.0, to_bone_mm=1.65)
    assert judged(large, replace(THICK, root_mm=1.67))
    assert not judged(large, THICK)


def test_a_core_in_a_foramen_counts_beside_a_rib_where_it_is_nearer_to_cement_than_to_cortex_to_its_middle():
    scan = replace(FAINT_CEMENT, cortex=0.865, cortex_edge=0.9325)
    core = replace(VEIN, size_mm3=27.0, middle=0.943, dense_end=0.998, spread=13.7, neural=True, rooted=0.0, walled=0.0)
    assert is_core_of_cement(core, None, scan, CementCriteria())
    for other in ({"neural": False}, {"middle": 0.9}, {"size_mm3": 8.0}, {"rooted": 0.5}, {"walled": 0.6}):
        assert not is_core_of_cement(replace(core, **other), None, scan, CementCriteria())


def test_a_grainy_lump_counts_by_its_solid_core_where_it_ends_and_goes_on_into_no_bone():
    """Where cement is hardly denser than cortex only evenness tells it from bone, and grain or thick voxels take it."""
    whole = replace(VEIN, size_mm3=382.0, middle=0.78, dense_end=1.07, spread=1.1, section_mm2=21.0)
    core = replace(whole, size_mm3=198.0, middle=0.95, dense_end=1.11, spread=12.0)

    def counts(core: DensePiece, whole: DensePiece | None) -> bool:
        return is_core_of_cement(core, whole, FAINT_CEMENT, CementCriteria())

    assert not judged(whole, FAINT_CEMENT)
    assert counts(core, whole)
    assert not counts(core, None)  # the rim of a mask
    assert not counts(core, replace(whole, spread=4.0))  # a rib goes on
    assert not counts(core, replace(whole, rooted=0.6))
    assert not counts(replace(core, middle=0.8), whole)  # no denser than cortex to its middle
    assert not counts(replace(core, size_mm3=60.0), whole)


def test_a_core_that_little_hangs_on_counts_on_the_bone():
    """Beside L2 of verse005, cement of 1,290 HU: 39 mm3 of a leak of 91; far more hangs on the cores of ribs."""
    scan = replace(FINE, cortex=0.63, cortex_edge=0.815)
    whole = replace(VEIN, size_mm3=87.0, middle=0.6, dense_end=0.87, to_inner_mm=5.1, section_mm2=9.2)
    core = replace(whole, size_mm3=39.0, middle=0.82, dense_end=0.92, spread=3.1, off_bone_mm=1.7, section_mm2=5.2)

    def counts(core: DensePiece, whole: DensePiece | None = whole) -> bool:
        return is_core_of_cement(core, whole, scan, CementCriteria())

    assert not judged(whole, scan)
    assert counts(core)
    assert not counts(replace(core, spread=10.4))  # a rib
    assert not counts(replace(core, to_bone_mm=1.8, off_bone_mm=7.0))
    for other in ({"middle": 0.75}, {"rooted": 0.6}, {"walled": 0.6}, {"dense_end": 1.3}, {"cut_off": True}):
        assert not counts(replace(core, **other))
    assert not counts(replace(core, size_mm3=10.0))
    assert not counts(core, None)  # the rim of a mask


def test_the_shell_of_a_rib_beside_a_leak_is_no_part_of_it():
    """Beside T10 of thoracic_dicom in 3 mm slices: 243 mm3 of a rib went on from a leak of 1,631 mm3."""
    shell = replace(VEIN, size_mm3=243.0, middle=0.8, dense_end=0.88, spread=14.3, off_bone_mm=12.0)
    assert not may_go_on(shell, replace(THICK, cortex=0.72, cortex_edge=0.86), CementCriteria())
    assert may_go_on(replace(shell, spread=3.0), replace(THICK, cortex=0.72, cortex_edge=0.86), CementCriteria())
    assert may_go_on(shell, THICK, CementCriteria())


def test_a_solid_lump_counts_though_a_rib_lies_against_it():
    """Beside T7 of thoracic_dicom in 3 mm slices, cement of 1,800 HU: the two are one dense piece, 2,022 mm3."""
    scan = replace(THICK, cortex=0.55, cortex_edge=0.775)
    both = replace(VEIN, size_mm3=2022.0, middle=0.43, dense_end=0.62, spread=2.2, off_bone_mm=6.6, flat=0.4)
    lump = replace(VEIN, size_mm3=209.0, middle=0.78, dense_end=1.01, spread=19.3, to_inner_mm=18.0, flat=0.17)

    def counts(core: DensePiece, whole: DensePiece = both) -> bool:
        return is_core_of_cement(core, whole, scan, CementCriteria())

    assert not judged(both, scan)
    assert counts(lump)
    assert not counts(replace(lump, middle=0.7))  # a rib's cortex
    assert not counts(replace(lump, to_bone_mm=4.0))
    assert not counts(replace(lump, dense_end=1.3))  # a clip
    assert not counts(lump, replace(both, rooted=0.5))


def test_where_cement_is_hardly_denser_than_cortex_a_lump_against_a_rib_is_thick_and_on_the_vertebra():
    """Beside T2 of thoracic_dicom, cement of 1,600 HU; the densest parts of its ribs are thin or lie away."""
    scan = replace(FAINT_CEMENT, cortex=0.75, cortex_edge=0.88)
    both = replace(VEIN, size_mm3=1726.0, middle=0.42, dense_end=0.74, spread=1.8, off_bone_mm=5.6)
    lump = replace(VEIN, size_mm3=171.0, middle=0.99, dense_end=1.1, spread=16.6, off_bone_mm=2.8, section_mm2=18.2)
    assert is_core_of_cement(lump, both, scan, CementCriteria())
    for other in ({"section_mm2": 8.5}, {"off_bone_mm": 6.0}, {"middle": 0.8}):
        assert not is_core_of_cement(replace(lump, **other), both, scan, CementCriteria())


def test_a_large_lump_that_touches_inner_cement_counts_though_the_shoulder_hangs_on_it():
    """Beside T1 of thoracic_dicom in 2 mm slices: 877 mm3 of cement in one dense piece with ribs and more, not told."""
    scan = replace(THICK, cortex=0.65, cortex_edge=0.83)
    whole = replace(VEIN, size_mm3=9000.0, middle=0.5, dense_end=0.8, spread=4.0, off_bone_mm=20.0, cut_off=True)
    lump = replace(VEIN, size_mm3=622.0, middle=0.9, dense_end=1.05, spread=32.0, to_inner_mm=2.8, off_bone_mm=3.4)
    lump = replace(lump, walled=0.06, flat=0.26, section_mm2=39.0)
    assert is_core_of_cement(lump, whole, scan, CementCriteria())
    for other in (
        {"to_inner_mm": 23.0},
        {"size_mm3": 140.0},
        {"section_mm2": 8.0},
        {"middle": 0.8},
        {"off_bone_mm": 8.0},
    ):
        assert not is_core_of_cement(replace(lump, **other), whole, scan, CementCriteria())


def test_a_core_that_no_bone_is_as_dense_as_counts_though_a_rib_that_goes_on_lies_against_it():
    scan = replace(FINE, cortex=0.48, cortex_edge=0.74)
    rib = replace(VEIN, size_mm3=1060.0, middle=0.38, dense_end=0.72, spread=2.7, rooted=1.1)
    core = replace(VEIN, size_mm3=133.0, middle=0.89, dense_end=1.13, spread=16.9, rooted=0.33)
    assert is_core_of_cement(core, rib, scan, CementCriteria())
    assert not is_core_of_cement(replace(core, dense_end=0.9), rib, scan, CementCriteria())
    assert not is_core_of_cement(replace(core, size_mm3=8.0), rib, scan, CementCriteria())


def test_across_a_gap_what_is_less_dense_than_cortex_is_none_where_cement_is_hardly_denser():
    scan = replace(THICK, cortex=0.86, cortex_edge=0.93)
    rim = replace(VEIN, size_mm3=107.0, middle=0.37, dense_end=0.57, to_inner_mm=6.8, off_bone_mm=2.1, flat=0.29)
    assert not judged(rim, scan)
    assert judged(rim, scan, neural=True)
    assert judged(rim, scan, to_inner_mm=2.0)
    assert judged(rim, THICK)


def test_across_a_gap_a_lump_nearer_to_cortex_than_to_cement_is_bone_and_a_strand_is_none():
    """In the disc L3/L4 of verse005 in 2 mm slices, cement of 1,410 HU: bone, and no voxel of it cement."""
    scan = replace(THICK, cortex=0.69, cortex_edge=0.845)
    bone = replace(VEIN, size_mm3=288.0, middle=0.54, dense_end=0.82, to_inner_mm=3.4, off_bone_mm=3.4, flat=0.18)
    bone = replace(bone, section_mm2=15.6)
    assert not judged(bone, scan)
    assert judged(bone, scan, dense_end=0.88)
    assert judged(bone, scan, size_mm3=70.0, section_mm2=5.0)
    assert judged(bone, scan, to_inner_mm=2.0)


def test_the_tip_of_a_bone_that_a_mask_cuts_is_none_however_dense_thick_voxels_show_it():
    tip = replace(VEIN, size_mm3=30.0, middle=0.52, dense_end=0.72, to_inner_mm=20.0)
    assert judged(tip, THICK)
    assert judged(tip, THICK, rooted=2.1)
    assert not judged(tip, THICK, rooted=21.0)


def test_what_is_far_denser_than_any_bone_is_cement_whatever_hangs_on_it():
    """Measured in plain implants of the 3 mm scan: cement in a hole of the arch's mask, and beside bare bone."""
    scan = replace(THICK, cortex=0.21, cortex_edge=0.61)
    rim = replace(VEIN, size_mm3=145.0, middle=0.43, dense_end=0.8, rooted=6.1, walled=0.46, behind=True)
    hung = replace(VEIN, size_mm3=264.0, middle=0.45, dense_end=0.69, spread=17.5, to_inner_mm=4.2, behind=True)
    for piece in (rim, hung):
        assert judged(piece, scan)
        assert not judged(piece, scan, middle=0.28, flat=0.3)  # bone, with a dense end
    assert not judged(rim, replace(THICK, cortex=0.42, cortex_edge=0.71))
    assert not judged(rim, scan, size_mm3=8.0)
    assert not judged(rim, scan, cut_off=True)  # a screw's or a rib's end
    assert not judged(rim, scan, dense_end=1.3)  # a clip


def test_a_blurred_lump_that_leaves_the_bone_is_cement_where_no_bone_is_half_as_dense():
    """Measured in a plain implant of 273 mm3 in slices of 3 mm; contrast and a bridging spur lie so far off as well."""
    lump = replace(VEIN, size_mm3=531.0, middle=0.31, dense_end=0.48, to_inner_mm=23.8, off_bone_mm=9.9, behind=True)
    lump = replace(lump, spread=0.95, walled=0.03, flat=0.24, section_mm2=20.4)
    scan = replace(THICK, cortex=0.176, cortex_edge=0.588)
    assert judged(lump, scan)
    assert not judged(lump, scan, middle=0.23)  # with the sacrum's edge, which the mask leaves out
    assert not judged(lump, scan, to_bone_mm=8.9)
    assert not judged(lump, replace(scan, cortex=0.26))


def test_the_rule_that_decided_on_a_piece_is_told_by_name():
    def rule(scan: Yardstick = FINE, **other: float) -> str:
        return rule_for(PieceInScan(replace(VEIN, **{"middle": 0.5, **other}), scan, CementCriteria())).name

    assert rule(middle=0.6) == "denser than any bone"
    assert rule(to_inner_mm=1.0) == "touches inner cement"
    assert rule(DENSE_BONE, walled=0.6) == "walled in"
    assert rule(to_channel_mm=3.0) == "led to"
    assert rule(behind=True, section_mm2=12.0, off_bone_mm=3.0) == "needle's track"
    assert rule(neural=True) == "between bones"
    assert rule() == "beside bones"
    assert all(rule.why for rule in RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_a_rib_by_cement_as_dense_as_cortex_is_none_though_its_head_touches_inner_cement():
    """As measured in thoracic_dicom in 3 mm: its dense end is as dense as the cement."""
    scan = replace(THICK, cortex=0.97, cortex_edge=0.985)
    rib = DensePiece(3743, 0.67, 1.0, False, 1.3, 4.3, to_bone_mm=0.2, off_bone_mm=14.0, rooted=0.1, walled=0.04)
    assert not judged(rib, scan)
    assert judged(rib, scan, middle=1.0)
    assert judged(rib, scan, off_bone_mm=3.0)
