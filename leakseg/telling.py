"""Which dense pieces that were not taken for cement a reader must be told of."""

from __future__ import annotations

from leakseg.criteria import CementCriteria
from leakseg.dense_pieces import DensePiece, PieceInScan, Yardstick

_TOLD_MM3, _TOLD_FAR_MM3 = 10.0, 100.0
_TOLD_FAINT_MM3, _TOLD_BETWEEN_BONES_SHARE = 20.0, 0.5
_TOLD_STRAND_SHARE, _TOLD_STRAND_FLAT, _TOLD_STRAND_SPREAD = 0.55, 0.25, 2.0
"""What is less dense than a drop is told from this size and these shares on. Measured here on cement put into three
real scans 152 times, masks given, some of them faulty: of 26 leaks of which a piece was refused and none taken 1 was
told, and with these 17; and 18 things that were none, in 16 of the scans."""


def looks_like_cement(piece: DensePiece, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether a piece that was not taken must be told: beside the cement, or as even as cement is (a plaque is not).

    So must what blur may have taken the density of: between bones, and thin strands on the bone. Beyond the reach of
    leaks only what lies by the bone, denser than it throughout and nearer to cement than to cortex, and no speck; what
    lies away from the spine is told as distant.
    """
    it = PieceInScan(piece, scan, criteria)
    if it.near and (_may_be_blurred_drop(it) or _may_be_blurred_strand(it)):
        return True
    if not it.dense_as_a_drop or piece.spread > criteria.max_spread_touching:
        return False
    if it.near:
        even = piece.to_inner_mm <= criteria.contact_mm or piece.middle >= criteria.large_middle_share
        return even and piece.size_mm3 >= _TOLD_MM3
    by_bone = piece.to_bone_mm <= criteria.detached_bone_mm
    return it.denser_than_bone and it.no_denser_than_cement and by_bone and piece.size_mm3 >= _TOLD_FAR_MM3


def _may_be_blurred_drop(it: PieceInScan) -> bool:
    """Whether what lies in canal or foramina ends there, however little dense: a bone hardly ever does."""
    piece = it.piece
    ends = piece.size_mm3 >= _TOLD_FAINT_MM3 and piece.spread <= it.criteria.max_spread_neural
    return piece.neural and ends and piece.dense_end >= _TOLD_BETWEEN_BONES_SHARE


def _may_be_blurred_strand(it: PieceInScan) -> bool:
    """Whether a thin strand, nearly round, goes on into nothing, as veins and needles' tracks do."""
    piece, criteria = it.piece, it.criteria
    ends = piece.spread <= _TOLD_STRAND_SPREAD and piece.rooted <= criteria.max_rooted
    free = ends and piece.walled <= criteria.max_walled and it.no_denser_than_cement
    thin = piece.section_mm2 <= criteria.strand_max_section_mm2 and piece.flat <= _TOLD_STRAND_FLAT
    return free and thin and piece.size_mm3 >= _TOLD_FAINT_MM3 and piece.dense_end >= _TOLD_STRAND_SHARE
