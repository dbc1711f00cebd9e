"""What is measured of a dense piece outside bone, and what the scan holds it against.

Densities are shares of the way from soft tissue to the cement's plateau.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from leakseg.criteria import CementCriteria


class DensePiece(Protocol):
    """One dense piece outside bone; what is costly to measure is measured where a rule asks for it."""

    @property
    def size_mm3(self) -> float:
        """Volume of its voxels."""

    @property
    def middle(self) -> float:
        """Its median density."""

    @property
    def dense_end(self) -> float:
        """Its 90th percentile: most of it is no denser."""

    @property
    def faint(self) -> bool:
        """Whether it is too little dense to stand alone, as strands are that thick voxels blur all over."""

    @property
    def spread(self) -> float:
        """How many times as large as it the less dense matter is that hangs together with it."""

    @property
    def to_inner_mm(self) -> float:
        """Way to cement inside bone."""

    @property
    def to_channel_mm(self) -> float:
        """Way to a strand through deep bone that leads there from inner cement; infinite where it touches that."""

    @property
    def to_bone_mm(self) -> float:
        """Way from its nearest voxel to bone."""

    @property
    def off_bone_mm(self) -> float:
        """Median distance of its voxels from bone."""

    @property
    def cut_off(self) -> bool:
        """Whether the view cuts it off."""

    @property
    def neural(self) -> bool:
        """Whether most of it lies in the canal or in a foramen between two vertebrae of the masks."""

    @property
    def behind(self) -> bool:
        """Whether most of it lies behind the posterior walls, as a needle's track does."""

    @property
    def rooted(self) -> float:
        """Bone as dense as its median that it goes on into, over its denser half."""

    @property
    def walled(self) -> float:
        """Share of its surroundings that is bone."""

    @property
    def flat(self) -> float:
        """How much it is a sheet, no strand, 0 to 1; told of pieces across a gap outside canal and foramina."""

    @property
    def section_mm2(self) -> float:
        """Its volume over its length."""


def plainly_denser(cortex_edge: float, criteria: CementCriteria) -> bool:
    """Whether a scan's cement is so much denser than cortex that density tells them apart.

    ``cortex_edge`` is the density half way from cortex to cement, as a share.
    """
    return cortex_edge <= criteria.detached_core_share


@dataclass(frozen=True)
class Yardstick:
    """What pieces are held against: how near they touch, whether voxels blur them all, and densities in their shares.

    ``cortex_edge`` lies half way from cortex to cement; what is denser than ``densest`` is metal or calcification.
    What is no farther from bone than ``root_mm`` comes out of it.
    """

    touching_mm: float
    root_mm: float
    thick: bool
    cortex: float
    cortex_edge: float
    densest: float

    def plainly_denser(self, criteria: CementCriteria) -> bool:
        """Whether the scan's cement is `plainly_denser` than its cortex."""
        return plainly_denser(self.cortex_edge, criteria)


@dataclass(frozen=True, eq=False)
class PieceInScan:
    """A dense piece held against its scan: what the rules ask of it, in plain terms."""

    piece: DensePiece
    scan: Yardstick
    criteria: CementCriteria

    @property
    def plainly_denser(self) -> bool:
        """Whether the scan's cement is `plainly_denser` than its cortex."""
        return self.scan.plainly_denser(self.criteria)

    @property
    def nearer_to_cement(self) -> bool:
        """Whether it is nearer to cement than to cortex at its dense end, where that tells something."""
        return self.plainly_denser and self.piece.dense_end >= self.scan.cortex_edge

    @property
    def nearer_to_its_middle(self) -> bool:
        """Whether it is so to its middle: no bone is."""
        return self.plainly_denser and self.piece.middle >= self.scan.cortex_edge

    @property
    def denser_than_bone(self) -> bool:
        """Whether it is nearer to cement than to cortex, and denser than cortex throughout."""
        return self.nearer_to_cement and self.piece.middle > self.scan.cortex

    @property
    def dense_as_a_drop(self) -> bool:
        """Whether its dense end is what a drop of undiluted cement has."""
        return self.piece.dense_end >= self.criteria.detached_core_share

    @property
    def blurred(self) -> bool:
        """Whether even its dense end is nearer to soft tissue than to cement."""
        return self.piece.dense_end < self.criteria.edge_share

    @property
    def beyond_bone(self) -> bool:
        """Whether it is far denser than bone in thick voxels, which take the middle of what is thin."""
        return self.scan.thick and self.far_denser_than_bone

    @property
    def far_denser_than_bone(self) -> bool:
        """Whether it is denser than any bone at its dense end, however little dense for cement, as thin strands are."""
        return self.plainly_denser and self.piece.dense_end >= self.criteria.far_beyond_bone * self.scan.cortex

    @property
    def denser_than_any_bone(self) -> bool:
        """Whether its dense end is denser than even spurs and facets are, wherever bone lies and goes on round it."""
        return self.plainly_denser and self.piece.dense_end >= self.criteria.no_bone * self.scan.cortex

    @property
    def denser_throughout(self) -> bool:
        """Whether it is `denser_than_any_bone`, and to its middle far denser than bone: no bone hangs on it."""
        return self.denser_than_any_bone and self.piece.middle >= self.criteria.far_beyond_bone * self.scan.cortex

    @property
    def no_denser_than_cement(self) -> bool:
        """Whether it is no denser than leaked cement may be, as clips and calcification are."""
        return self.piece.dense_end <= self.scan.densest

    @property
    def thin(self) -> bool:
        """Whether it is thin for its length and round: a strand."""
        criteria, piece = self.criteria, self.piece
        return piece.section_mm2 <= criteria.strand_max_section_mm2 and piece.flat <= criteria.strand_max_flat

    @property
    def vein(self) -> bool:
        """Whether it is a strand nearer to cement than to cortex."""
        return self.piece.dense_end >= self.scan.cortex_edge and self.thin

    @property
    def track(self) -> bool:
        """Whether it is a round strand behind the posterior walls, as what a needle leaves behind the pedicle is."""
        criteria, piece = self.criteria, self.piece
        round_strand = piece.section_mm2 <= criteria.track_max_section_mm2 and piece.flat <= criteria.strand_max_flat
        return piece.behind and not piece.neural and round_strand

    @property
    def free(self) -> bool:
        """Whether it is whole in view and a thing of its own: it goes on into no bone, and hardly more hangs on it."""
        criteria, piece = self.criteria, self.piece
        whole = not piece.cut_off and not self.blurred
        return whole and piece.rooted <= criteria.max_rooted and piece.spread <= criteria.fine_max_spread

    @property
    def fine_vein(self) -> bool:
        """Whether it is a strand before the posterior walls, finer than what bone leaves there, bone on a side only."""
        criteria, piece = self.criteria, self.piece
        fine = piece.section_mm2 <= criteria.fine_max_section_mm2 and piece.flat <= criteria.strand_max_flat
        dense = piece.size_mm3 >= criteria.fine_min_mm3 and piece.dense_end >= criteria.fine_core_share
        beside = piece.walled <= criteria.rooted_max_walled and not piece.behind and not piece.neural
        return beside and fine and dense and self.free

    @property
    def sheet(self) -> bool:
        """Whether it is a sheet, as a plaque in a vessel's wall is, and not so dense that it must be cement."""
        return self.piece.middle < self.criteria.detached_core_share and self.piece.flat > self.criteria.max_flat

    @property
    def near(self) -> bool:
        """Whether it lies as near to inner cement as most leaks do: behind the bodies a needle's way through one."""
        reach_mm = self.criteria.across_reach_mm if self.piece.behind else self.criteria.detached_reach_mm
        return self.piece.to_inner_mm <= reach_mm

    @property
    def within_reach(self) -> bool:
        """Whether it is `near`, or a lump that no bone is as dense as and that may lie across the body."""
        piece, criteria = self.piece, self.criteria
        large = piece.size_mm3 > criteria.large_piece_mm3 and piece.middle >= criteria.large_middle_share
        return self.near or (large and self.denser_than_bone and piece.to_inner_mm <= criteria.across_reach_mm)

    @property
    def touches(self) -> bool:
        """Whether it touches cement inside bone."""
        gap_mm = self.piece.to_inner_mm
        return gap_mm <= self.scan.touching_mm and (self.scan.thick or self.goes_across(gap_mm))

    def goes_across(self, gap_mm: float) -> bool:
        """Whether it may hang together across a gap with inner cement, or with a channel: strands do, a lump would not.

        But what is so dense that it must be cement does, and is no sheet away from the bone, as plaques in the aorta's
        wall are. No denser than cortex it is a bone's rim, outside canal and foramina, where faint strands are cement.
        """
        piece, criteria = self.piece, self.criteria
        if gap_mm <= criteria.gap_mm:
            return True
        flat = piece.flat > criteria.max_flat
        rim = not piece.neural and piece.dense_end < self.scan.cortex
        plaque = flat and piece.off_bone_mm > criteria.bare_off_mm
        clear = self.plainly_denser and self.dense_as_a_drop
        strand = not flat and (piece.size_mm3 <= criteria.gap_max_mm3 or self.vein)
        return not rim and not plaque and (strand or clear)

    @property
    def led_to(self) -> bool:
        """Whether a strand through the bone leads from inner cement to it, on the bone and denser than cortex.

        Faint strands between bones may be less dense.
        """
        piece, scan = self.piece, self.scan
        return (
            self.plainly_denser
            and (piece.dense_end > scan.cortex or (piece.faint and piece.neural))
            and self.no_denser_than_cement
            and piece.to_bone_mm <= self.criteria.detached_bone_mm
            and self.within_reach
            and not self.sheet
            and piece.to_channel_mm <= scan.touching_mm
            and (scan.thick or self.goes_across(piece.to_channel_mm))
        )

    @property
    def on_bone(self) -> bool:
        """Whether it lies on the bone, or comes out of it: ureters and vessels only pass by."""
        to_bone_mm, criteria = self.piece.to_bone_mm, self.criteria
        lies = to_bone_mm <= self.scan.root_mm or self.piece.off_bone_mm <= criteria.detached_off_mm
        return to_bone_mm <= criteria.detached_bone_mm and lies
