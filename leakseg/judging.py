"""Which dense pieces outside every bone are cement: the less they hang together with inner cement, the more is asked.

Densities are shares of the way from soft tissue to the cement's plateau.
"""

from __future__ import annotations

from leakseg.criteria import CementCriteria
from leakseg.evidence import DensePiece, Yardstick

_TOLD_MM3 = 10.0


def is_cement(piece: DensePiece, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether a piece counts as cement; the less it hangs together with cement inside bone, the more is asked."""
    dense = piece.dense_end >= criteria.detached_core_share
    rim = scan.thick and _is_rim_of_bone(piece, criteria)
    if piece.faint or rim:
        return not rim and _is_faint_strand(piece, scan, criteria)
    # Nearer to cement than to cortex, which tells something where cement is plainly denser than cortex.
    plainly_denser = scan.plainly_denser(criteria)
    plain = plainly_denser and piece.dense_end >= scan.cortex_edge
    if piece.to_inner_mm <= scan.touching_mm and (
        scan.thick or not _across_gap(piece, piece.to_inner_mm, scan, criteria)
    ):
        even = scan.thick or _even(piece, criteria, plain=plain)
        return even and piece.spread <= criteria.max_spread_touching and not _goes_into_bone(piece, scan, criteria)
    beyond_bone = scan.thick and plainly_denser and piece.dense_end >= criteria.thick_beyond_bone * scan.cortex
    led = _is_led_to(piece, scan, criteria) and piece.spread <= criteria.max_spread and not piece.cut_off
    no_bone = plainly_denser and piece.middle >= scan.cortex_edge
    large = no_bone and piece.size_mm3 > criteria.large_piece_mm3
    if piece.walled > criteria.max_walled and not (large or (led and beyond_bone)):
        return False
    if led or _is_bare_strand(piece, scan, criteria):
        return True
    if piece.neural:
        blurred = scan.thick and plainly_denser and piece.dense_end >= criteria.edge_share
        drop = plain and piece.dense_end >= criteria.neural_core_share
        apart = no_bone or piece.rooted <= criteria.max_rooted
        return (dense or drop or blurred or beyond_bone) and apart and piece.spread <= criteria.max_spread_neural
    strand = (
        plain
        and piece.to_bone_mm <= criteria.halo_mm
        and piece.middle >= criteria.detached_strand_share
        and piece.dense_end >= criteria.strand_core_share
    )
    vein = strand and _is_long_strand(piece, scan, criteria)
    lump = dense and piece.middle >= criteria.detached_middle_share and (plainly_denser or _solid(piece, criteria))
    return (
        (strand or beyond_bone or lump)
        and (_is_solid_cement(piece, scan, criteria) or not piece.cut_off)
        and (scan.thick or not _is_sheet(piece, criteria))
        and piece.to_inner_mm <= (_reach_mm(piece, criteria) if plain else criteria.detached_reach_mm)
        and _on_bone(piece, scan, criteria)
        and piece.dense_end <= scan.densest
        and piece.spread <= (criteria.max_spread_touching if vein else criteria.max_spread)
    )


def _goes_into_bone(piece: DensePiece, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether a piece goes on into more bone than it holds, no denser than cortex that is as dense as the cement."""
    as_dense = not scan.plainly_denser(criteria) and piece.middle < scan.cortex
    return as_dense and piece.rooted > criteria.touching_max_rooted


def _is_rim_of_bone(piece: DensePiece, criteria: CementCriteria) -> bool:
    """Whether a piece lies between bones and goes on into more bone than it holds: thick voxels that bone shares."""
    more = piece.rooted > criteria.touching_max_rooted and piece.walled > criteria.rooted_max_walled
    return more and not piece.neural


def _reach_mm(piece: DensePiece, criteria: CementCriteria) -> float:
    """How far from inner cement a piece may lie: behind the bodies as far as a needle's way through one."""
    return criteria.track_reach_mm if piece.behind else criteria.detached_reach_mm


def _is_sheet(piece: DensePiece, criteria: CementCriteria) -> bool:
    """Whether a piece is a sheet, as a plaque in a vessel's wall is, and not so dense that it must be cement."""
    return piece.flat > criteria.max_flat and piece.middle < criteria.detached_core_share


def _is_solid_cement(piece: DensePiece, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether a piece is nearer to cement than to cortex to its middle, and goes on into no bone.

    Where cement is hardly denser than cortex it is as dense as cement there. Ribs, spurs and plaques that the view cuts
    off are none; what is so dense all through is a lump of cement there too.
    """
    middle = scan.cortex_edge if scan.plainly_denser(criteria) else max(scan.cortex_edge, criteria.detached_core_share)
    return piece.middle >= middle and piece.flat <= criteria.max_flat and piece.rooted <= criteria.max_rooted


def _on_bone(piece: DensePiece, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether a detached piece lies on the bone, or comes out of it: ureters and vessels only pass by."""
    leaves = piece.to_bone_mm <= scan.root_mm
    return piece.to_bone_mm <= criteria.detached_bone_mm and (leaves or piece.off_bone_mm <= criteria.detached_off_mm)


def _is_led_to(piece: DensePiece, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether a strand through the bone leads from inner cement to a piece on the bone that is denser than cortex."""
    return (
        scan.plainly_denser(criteria)
        and (scan.cortex < piece.dense_end or (scan.thick and piece.faint and piece.neural))
        and piece.dense_end <= scan.densest
        and piece.to_bone_mm <= criteria.detached_bone_mm
        and piece.to_inner_mm <= _reach_mm(piece, criteria)
        and not _is_sheet(piece, criteria)
        and piece.to_channel_mm <= scan.touching_mm
        and (scan.thick or not _across_gap(piece, piece.to_channel_mm, scan, criteria))
    )


def _is_faint_strand(piece: DensePiece, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether a piece that thick voxels blur all over hangs together with inner cement, and with nothing else.

    Where bone may lie too it is denser than cortex: no blur makes bone so dense.
    """
    touches = piece.to_inner_mm <= scan.touching_mm
    if touches and piece.neural:
        return piece.spread <= criteria.max_spread_touching
    led = (touches and piece.dense_end > scan.cortex) or _is_led_to(piece, scan, criteria)
    return led and piece.spread <= criteria.max_spread and not piece.cut_off


def is_core_of_cement(core: DensePiece, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether the densest part of a piece that is none as a whole counts: contrast, bone or streaks hang on it.

    Only beside inner cement, or in canal and foramina, and where it is nearer to cement than to cortex. Where cement
    is not plainly denser than cortex, only a strand that goes on from inner cement, and in canal and foramina what is
    nearer to cement than to cortex to its middle: a rib's head lies beside the foramen.
    """
    apart = core.neural and core.rooted <= criteria.max_rooted and core.walled <= criteria.max_walled
    if not scan.plainly_denser(criteria):
        goes_on = core.to_inner_mm <= criteria.gap_mm and _is_long_strand(core, scan, criteria)
        drop = apart and core.middle >= scan.cortex_edge and core.size_mm3 >= criteria.drop_core_mm3
        return is_dense_as_cement(core, scan, criteria) and (goes_on or drop)
    touches = core.to_inner_mm <= scan.touching_mm and not _across_gap(core, core.to_inner_mm, scan, criteria)
    return is_dense_as_cement(core, scan, criteria) and (touches or apart)


def is_dense_as_cement(core: DensePiece, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether a core is nearer to cement than to cortex, and no denser than cement, as clips are.

    What goes on from inner cement may be denser: barium lies in clumps.
    """
    least = max(scan.cortex_edge, criteria.strand_core_share)
    goes_on = core.to_inner_mm <= criteria.gap_mm
    return least <= core.dense_end and (goes_on or core.dense_end <= scan.densest)


def _across_gap(piece: DensePiece, gap_mm: float, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether across a gap to inner cement, or to a channel, a piece is no strand, or no denser than cortex.

    Unless it is so dense that it must be cement and no sheet away from the bone, as plaques in the aorta's wall are, or
    lies in canal or foramen, where faint strands are cement too.
    """
    if gap_mm <= criteria.gap_mm:
        return False
    clear_share = max(criteria.detached_core_share, scan.cortex_edge + criteria.clear_share)
    clear = scan.plainly_denser(criteria) and piece.dense_end >= clear_share
    faint = not piece.neural and piece.dense_end < min(scan.cortex, criteria.strand_core_share)
    large = piece.size_mm3 > criteria.gap_max_mm3 and not _is_long_strand(piece, scan, criteria)
    flat = piece.flat > criteria.max_flat
    plaque = flat and piece.off_bone_mm > criteria.bare_off_mm
    return faint or ((large or flat) and not clear) or plaque


def _is_bare_strand(piece: DensePiece, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether a thin round strand follows the bone, goes on into nothing else and is dense, denser than cortex: a vein.

    However little denser, and even where the view cuts it off: ribs, spurs and calcified vessels go on into less.
    """
    thin = piece.section_mm2 <= criteria.strand_max_section_mm2 and piece.flat <= criteria.strand_max_flat
    bare = piece.spread <= criteria.bare_max_spread and piece.rooted <= criteria.max_rooted
    follows = piece.to_bone_mm <= criteria.halo_mm and piece.off_bone_mm <= criteria.bare_off_mm
    least = max(scan.cortex, criteria.strand_core_share)
    dense = least < piece.dense_end <= scan.densest
    return thin and bare and follows and dense and piece.to_inner_mm <= criteria.detached_reach_mm


def _is_long_strand(piece: DensePiece, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether a piece is so thin for its length that it is a vein, and nearer to cement than to cortex."""
    thin = piece.section_mm2 <= criteria.strand_max_section_mm2 and piece.flat <= criteria.strand_max_flat
    return thin and piece.dense_end >= scan.cortex_edge


def _even(piece: DensePiece, criteria: CementCriteria, *, plain: bool) -> bool:
    """Whether a piece that touches inner cement is as dense as its size lets it be; bone without a mask is not."""
    if piece.size_mm3 > criteria.blurred_piece_mm3 and piece.dense_end < criteria.blurred_core_share:
        return False
    thin = piece.section_mm2 <= criteria.blurred_section_mm2
    vein = plain and thin and piece.dense_end >= criteria.strand_core_share
    return vein or piece.size_mm3 <= criteria.large_piece_mm3 or piece.middle >= criteria.large_middle_share


def _solid(piece: DensePiece, criteria: CementCriteria) -> bool:
    """Whether a piece is as dense within as at its densest: bone has a shell that is denser than its marrow."""
    return piece.middle >= criteria.detached_solid_share * piece.dense_end


def looks_like_cement(piece: DensePiece, criteria: CementCriteria) -> bool:
    """Whether a piece that was not taken must be told: beside the cement, or as even as cement is (a plaque is not)."""
    return (
        piece.size_mm3 >= _TOLD_MM3
        and (piece.to_inner_mm <= criteria.contact_mm or piece.middle >= criteria.large_middle_share)
        and piece.dense_end >= criteria.detached_core_share
        and piece.to_inner_mm <= _reach_mm(piece, criteria)
        and piece.spread <= criteria.max_spread_touching
    )
