"""Which dense pieces outside every bone are cement: the less they hang together with inner cement, the more is asked.

`RULES` is the whole of it, in the order in which the rules are asked: the first that is about a piece decides.
Densities are shares of the way from soft tissue to the cement's plateau.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from leakseg.criteria import CementCriteria
from leakseg.dense_pieces import DensePiece, PieceInScan, Yardstick


@dataclass(frozen=True)
class Rule:
    """Which pieces a rule is about, and which of them are cement, with the reason."""

    name: str
    about: Callable[[PieceInScan], bool]
    cement: Callable[[PieceInScan], bool]
    why: str


def is_cement(piece: DensePiece, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether a piece counts as cement."""
    it = PieceInScan(piece, scan, criteria)
    return rule_for(it).cement(it)


def rule_for(it: PieceInScan) -> Rule:
    """The rule that decides on a piece: the first that is about it."""
    return next(rule for rule in RULES if rule.about(it))


def _any(_: PieceInScan) -> bool:
    return True


def _none(_: PieceInScan) -> bool:
    return False


def _is_denser_than_any_bone(it: PieceInScan) -> bool:
    """On the bone and whole, nearer to cement than to cortex, and far denser than bone to its middle; no plaque."""
    lies = it.on_bone and it.within_reach and not it.piece.cut_off and not it.sheet
    dense = it.denser_throughout and it.nearer_to_cement and it.no_denser_than_cement
    return dense and lies and it.piece.size_mm3 >= it.criteria.drop_core_mm3


def _is_rim_of_bone(it: PieceInScan) -> bool:
    piece, criteria = it.piece, it.criteria
    beside_bone = it.scan.thick and not piece.neural and piece.walled > criteria.rooted_max_walled
    return beside_bone and piece.rooted > criteria.touching_max_rooted


def _is_faint(it: PieceInScan) -> bool:
    return it.piece.faint


def _hangs_on_cement_alone(it: PieceInScan) -> bool:
    """Between bones by touching it; where bone may lie too only if denser than cortex, or at the end of a channel."""
    piece, criteria = it.piece, it.criteria
    touches = piece.to_inner_mm <= it.scan.touching_mm
    if touches and piece.neural:
        return piece.spread <= criteria.max_spread_touching
    led = (touches and piece.dense_end > it.scan.cortex) or it.led_to
    return led and not piece.cut_off and piece.spread <= criteria.max_spread


def _is_faint_away_from_bone(it: PieceInScan) -> bool:
    """No nearer to cement than to cortex even at its dense end, most of it off the bone, and no needle's track.

    Nor what comes out of the bone far denser than any bone, as blurred leaks do. Where cement is hardly denser than
    cortex, the dense end of a rib passes for cement's: twice as far off, the middle of what is large tells.
    """
    piece, criteria = it.piece, it.criteria
    away = not piece.neural and piece.off_bone_mm > criteria.away_mm
    large = not it.plainly_denser and piece.size_mm3 > criteria.large_piece_mm3
    rib = large and piece.off_bone_mm > 2 * criteria.away_mm and piece.middle < it.scan.cortex
    leaves = it.denser_throughout and piece.to_bone_mm <= it.scan.root_mm
    return away and not (it.track or leaves) and (rib or piece.dense_end < it.scan.cortex_edge)


def _touches(it: PieceInScan) -> bool:
    return it.touches


def _is_no_bone_without_a_mask(it: PieceInScan) -> bool:
    """As dense as its size lets it be; and it goes on into no bone as dense, nor into much that is less dense.

    Where cement is hardly denser than cortex, outside canal and foramina a lump across a gap is none where it is
    nearer to cortex, a strand where it is no denser than that.
    """
    piece, criteria = it.piece, it.criteria
    goes_on = piece.middle < it.scan.cortex and piece.rooted > criteria.touching_max_rooted
    least = it.scan.cortex if it.thin else it.scan.cortex_edge
    rim = piece.dense_end < least and piece.to_inner_mm > criteria.gap_mm and not piece.neural
    bone = not it.plainly_denser and (goes_on or rim)
    return (it.scan.thick or _is_even(it)) and not bone and piece.spread <= criteria.max_spread_touching


def _is_even(it: PieceInScan) -> bool:
    """Whether a piece is as dense as its size lets it be."""
    piece, criteria = it.piece, it.criteria
    if piece.size_mm3 > criteria.blurred_piece_mm3 and piece.dense_end < criteria.blurred_core_share:
        return False
    return it.vein or piece.size_mm3 <= criteria.large_piece_mm3 or piece.middle >= criteria.large_middle_share


def _is_led_to(it: PieceInScan) -> bool:
    return it.led_to and not it.piece.cut_off and it.piece.spread <= it.criteria.max_spread


def _is_led_to_beyond_bone(it: PieceInScan) -> bool:
    return it.beyond_bone and _is_led_to(it)


def _is_walled_in(it: PieceInScan) -> bool:
    lump = it.nearer_to_its_middle and it.piece.size_mm3 > it.criteria.large_piece_mm3
    dense = it.nearer_to_cement and it.denser_than_any_bone
    return it.piece.walled > it.criteria.max_walled and not (lump or dense)


def _is_bare_strand(it: PieceInScan) -> bool:
    """However little denser than cortex, and even where the view cuts it off; far denser, it may be blurred as well.

    Thinner than anything that bone leaves beside it, and free of bone, it may be less dense than cortex.
    """
    piece, criteria = it.piece, it.criteria
    bare = (
        piece.dense_end > max(it.scan.cortex, criteria.strand_core_share) and piece.spread <= criteria.bare_max_spread
    )
    far_denser = it.far_denser_than_bone and piece.spread <= criteria.max_spread
    follows = piece.off_bone_mm <= criteria.bare_off_mm
    return (
        (bare or far_denser or it.fine_vein)
        and (it.no_denser_than_cement and follows and it.within_reach and it.thin)
        and piece.rooted <= criteria.max_rooted
    )


def _is_track_of_a_needle(it: PieceInScan) -> bool:
    """From the bone on backward, out of its blur, denser than bone though blurred, and it goes on into none.

    Farther from bone than veins lie it may be less dense where it is free: ribs and processes go on, or are cut off.
    """
    piece, criteria = it.piece, it.criteria
    comes_out = piece.to_bone_mm <= criteria.detached_bone_mm and piece.off_bone_mm > criteria.halo_mm
    starts = comes_out and piece.rooted <= criteria.max_rooted
    dense = piece.dense_end > criteria.beyond_bone * it.scan.cortex or (
        it.free and piece.walled <= criteria.free_max_walled and piece.off_bone_mm > criteria.bare_off_mm
    )
    dense = dense and it.no_denser_than_cement
    near = piece.to_inner_mm <= criteria.detached_reach_canal_mm
    return it.track and starts and dense and near and piece.spread <= criteria.max_spread


def _is_between_bones(it: PieceInScan) -> bool:
    return it.piece.neural


def _is_drop_between_bones(it: PieceInScan) -> bool:
    """As dense as cement there may be; and it goes on into no bone, unless no bone is so dense to its middle.

    What is far denser than bone at its dense end may be blurred, and is no bone where it is no speck. Where
    cement is hardly denser than cortex, what is denser than that is dense enough as far from bone as no blur of it
    reaches, or with hardly any bone round it.
    """
    piece, criteria = it.piece, it.criteria
    blurred = it.scan.thick and it.plainly_denser and piece.dense_end >= criteria.edge_share
    blurred = blurred or it.far_denser_than_bone
    free = piece.off_bone_mm > 2 * it.scan.root_mm or piece.walled <= criteria.free_max_walled
    free = free and not it.plainly_denser and piece.dense_end > it.scan.cortex
    dense = it.dense_as_a_drop or it.nearer_to_cement or blurred or free
    large = it.far_denser_than_bone and piece.size_mm3 >= criteria.far_drop_mm3 and not it.blurred
    large = large and piece.rooted <= criteria.far_drop_max_rooted
    apart = large or it.nearer_to_its_middle or it.denser_than_any_bone or piece.rooted <= criteria.max_rooted
    return (dense and apart and piece.spread <= criteria.max_spread_neural) or _ends_between_bones(it)


def _ends_between_bones(it: PieceInScan) -> bool:
    """Whether it is larger than what masks leave out of facets, denser than bone, and hardly anything hangs on it."""
    piece, criteria = it.piece, it.criteria
    dense = piece.dense_end > max(it.scan.cortex, criteria.edge_share)
    large = dense and piece.size_mm3 >= criteria.large_drop_mm3
    bare = piece.spread <= criteria.bare_max_spread and piece.rooted <= criteria.touching_max_rooted
    return large and bare and it.near and it.no_denser_than_cement


def _is_lump_or_strand_on_bone(it: PieceInScan) -> bool:
    """Nearer to cement than to cortex, or where that tells nothing as even as a drop; whole in view, and it ends.

    What is no larger than a third of the bone as dense that it goes on into is that bone's tip.
    """
    piece, criteria = it.piece, it.criteria
    strand = it.nearer_to_cement and piece.middle >= criteria.detached_strand_share
    even = max(criteria.detached_middle_share, criteria.detached_solid_share * piece.dense_end)
    lump = it.dense_as_a_drop and piece.middle >= even
    return (
        (strand or lump or it.beyond_bone)
        and it.no_denser_than_cement
        and (it.within_reach and it.on_bone)
        and not it.sheet
        and (not piece.cut_off or is_solid_cement(it))
        and max(piece.spread, piece.rooted) <= criteria.max_spread
    )


def is_solid_cement(it: PieceInScan) -> bool:
    """Whether a piece is nearer to cement than to cortex to its middle, and goes on into no bone.

    Ribs, spurs and plaques that the view cuts off are none; what is so dense all through is a lump of cement there too,
    and a broad one where it lies against the bone.
    """
    piece, criteria = it.piece, it.criteria
    dense = piece.middle >= it.scan.cortex_edge
    plaque = it.sheet or (piece.flat > criteria.max_flat and piece.off_bone_mm > criteria.bare_off_mm)
    return dense and not plaque and piece.rooted <= criteria.max_rooted


RULES = (
    Rule(
        "denser than any bone",
        _is_denser_than_any_bone,
        _any,
        "Nothing on the bone is as dense, whatever hangs on it and wherever bone goes on from it.",
    ),
    Rule(
        "bone's rim",
        _is_rim_of_bone,
        _none,
        "In thick voxels, what bone surrounds and goes on into more bone than it holds is shared with that bone.",
    ),
    Rule(
        "blurred strand",
        _is_faint,
        _hangs_on_cement_alone,
        "Thick voxels blur strands all over: such a one hangs together with inner cement, and with nothing else.",
    ),
    Rule(
        "away from bone",
        _is_faint_away_from_bone,
        _none,
        "Bone's blur hides no density so far from it: ribs and bridging spurs lie there, however near inner cement.",
    ),
    Rule(
        "touches inner cement",
        _touches,
        _is_no_bone_without_a_mask,
        "What touches inner cement is cement, unless it is a bone that has no mask.",
    ),
    Rule(
        "led to, denser than bone",
        _is_led_to_beyond_bone,
        _any,
        "A strand through the bone leads there, and no bone is as dense: bone may surround it.",
    ),
    Rule(
        "walled in",
        _is_walled_in,
        _none,
        "What has bone round most of it is bone that a mask leaves out, unless no bone is as dense.",
    ),
    Rule(
        "led to",
        _is_led_to,
        _any,
        "A strand through the bone leads there from inner cement.",
    ),
    Rule(
        "bare strand",
        _is_bare_strand,
        _any,
        "A thin round strand that follows the bone and goes on into nothing is a vein: ribs, spurs and vessels go on.",
    ),
    Rule(
        "needle's track",
        _is_track_of_a_needle,
        _any,
        "Behind the pedicles nothing but metal is as dense, a round strand and whole: ribs are thick, processes go on.",
    ),
    Rule(
        "between bones",
        _is_between_bones,
        _is_drop_between_bones,
        "In canal and foramina nothing else is dense, but a facet that a mask cuts: it goes on into bone.",
    ),
    Rule(
        "beside bones",
        _any,
        _is_lump_or_strand_on_bone,
        "Elsewhere drops and veins lie on the bone; spurs are less dense, plaques sheets, ureters pass by, ribs go on.",
    ),
)
"""Asked in this order; the last is about every piece that no other is about."""
