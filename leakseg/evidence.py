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
        """Whether the scan's cement is so much denser than cortex that density tells them apart."""
        return self.cortex_edge <= criteria.detached_core_share
