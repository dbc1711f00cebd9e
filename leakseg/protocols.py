"""The seams where others plug in their own: each with its contract in the docstring."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from leakseg.anatomy import SpineMasks
from leakseg.findings import Judgement, LeakCandidate
from leakseg.volume import Volume


@runtime_checkable
class LeakClassifier(Protocol):
    """Names the type, subtype and route of one leak.

    Contract
        - `classify` is pure: same candidate, same answer; it reads no file and no clock.
        - It returns a `Judgement`; confidence in [0, 1] or None.
        - It may answer `LeakType.UNDETERMINED`; it does not raise for an ordinary candidate.
        - It survives pickling, for it travels to worker processes.
    """

    name: str
    version: str

    def classify(self, candidate: LeakCandidate) -> Judgement:
        """Judge one candidate."""
        ...


@runtime_checkable
class MaskProvider(Protocol):
    """Draws vertebrae and canal for one volume.

    Contract
        - The masks stand on the volume's own grid (`SpineMasks.grid.same_as(volume.grid)`).
        - Raises `InputError` with one clear sentence where it cannot; it never falls back in silence.
    """

    name: str
    version: str

    def masks(self, volume: Volume) -> SpineMasks:
        """Masks for that volume."""
        ...
