"""Which densest parts of dense pieces are cement, where the piece as a whole is none: bone or contrast hangs on it."""

from __future__ import annotations

from leakseg.criteria import CementCriteria
from leakseg.dense_pieces import DensePiece, PieceInScan, Yardstick
from leakseg.judging import is_cement, is_solid_cement


def is_core_of_cement(core: DensePiece, whole: DensePiece | None, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether the densest part of a piece that is none as a whole counts: contrast, bone or streaks hang on it.

    Only beside inner cement, or in canal and foramina, and where it is nearer to cement than to cortex. Where cement
    is not plainly denser than cortex, only a strand that goes on from inner cement, and in canal and foramina what is
    nearer to cement than to cortex to its middle: a rib's head lies beside the foramen. Elsewhere a lump as solid
    whose whole ends and goes on into no bone: blur or grain takes its evenness, no more; or one that little hangs
    on; or a rib lies against it.
    """
    it = PieceInScan(core, scan, criteria)
    ends = whole is not None and whole.spread <= criteria.max_spread and whole.rooted <= criteria.max_rooted
    lump = is_solid_cement(it) and core.size_mm3 >= criteria.blurred_piece_mm3
    solid = ends and lump
    alone = whole is not None and _stands_alone(it)
    goes_on = it.touches and core.size_mm3 > criteria.large_piece_mm3
    if alone or _lies_against_bone(it, lump and (ends or goes_on)) or (solid and is_cement(core, scan, criteria)):
        return True
    apart = core.neural and core.rooted <= criteria.max_rooted and core.walled <= criteria.max_walled
    if it.plainly_denser:
        counts = it.touches or apart
    else:
        strand = core.to_inner_mm <= criteria.gap_mm and it.vein
        counts = strand or (apart and core.middle >= scan.cortex_edge and core.size_mm3 >= criteria.drop_core_mm3)
    return counts and is_dense_as_cement(core, scan, criteria)


def _stands_alone(it: PieceInScan) -> bool:
    """Whether a core on the bone is solid cement that little hangs on: far more hangs on what is dense in bone."""
    core, criteria = it.piece, it.criteria
    alone = core.spread <= criteria.lone_max_spread and core.walled <= criteria.max_walled and not core.cut_off
    lies = it.no_denser_than_cement and it.within_reach and it.on_bone
    return alone and lies and core.size_mm3 >= criteria.drop_core_mm3 and is_solid_cement(it)


def _lies_against_bone(it: PieceInScan, solid: bool) -> bool:
    """Whether a core is a lump that a rib, or another bone without a mask, lies against: no part of that bone.

    No bone is so dense; or it is solid and ends, or is large and touches inner cement. Where cortex is nearly as dense
    it is thick and on the vertebra: the densest parts of a rib are its thin shell, and most of them lie away.
    """
    core, criteria = it.piece, it.criteria
    dense = it.denser_than_any_bone and it.nearer_to_its_middle and core.size_mm3 >= criteria.drop_core_mm3
    thick = core.section_mm2 > criteria.shell_max_section_mm2 and core.off_bone_mm <= criteria.away_mm
    lies = it.no_denser_than_cement and it.within_reach and it.on_bone and core.flat <= criteria.max_flat
    return lies and (dense or (solid and (it.plainly_denser or thick)))


def is_dense_as_cement(core: DensePiece, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether a core is nearer to cement than to cortex, and no denser than cement, as clips are.

    What goes on from inner cement may be denser: barium lies in clumps.
    """
    least = max(scan.cortex_edge, criteria.strand_core_share)
    goes_on = core.to_inner_mm <= criteria.gap_mm
    return least <= core.dense_end and (goes_on or core.dense_end <= scan.densest)


def may_go_on(core: DensePiece, scan: Yardstick, criteria: CementCriteria) -> bool:
    """Whether a core near to one that counts is a part of the same leak, and not the shell of a rib beside it.

    Where cement is hardly denser than cortex, far more hangs on that shell.
    """
    return scan.plainly_denser(criteria) or core.spread <= criteria.lone_max_spread


def may_be_a_leak(core: DensePiece, criteria: CementCriteria) -> bool:
    """Whether a core as dense as cement that does not count must be told: a drop in canal or foramina."""
    return core.neural and core.size_mm3 >= criteria.drop_core_mm3
