"""What a distractor is made of, and where it may be put."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from leakseg.anatomy import VertebraLevel
from leakseg.geometry import FloatArray
from leakseg.phantom.frames import VertebraFrame
from leakseg.phantom.look import ScannerLook
from leakseg.phantom.solids import Solid
from leakseg.phantom.survey import Survey

Room = Literal["anywhere", "outside_bone", "inside_bone", "canal", "sac", "outside_bone_and_canal"]
"""What an item is cut to: nothing of it is drawn beyond."""


@dataclass(frozen=True, eq=False)
class Item:
    """A union of solids of one density.

    ``mask_level`` makes it bone of that vertebra in the masks too. ``metal`` lies over everything, cement included.
    """

    solids: tuple[Solid, ...]
    hu: float
    room: Room = "anywhere"
    metal: bool = False
    mask_level: VertebraLevel | None = None
    step_mm: float = 0.8
    """How finely it is sampled; large things need less."""


@dataclass(frozen=True, eq=False)
class Place:
    """The spine that distractors are put round: frames by level, head first, and the scanner."""

    survey: Survey
    treated: tuple[VertebraLevel, ...]
    look: ScannerLook

    @property
    def frames(self) -> tuple[VertebraFrame, ...]:
        """Vertebrae in view, cranial first."""
        return tuple(sorted(self.survey.vertebrae.values(), key=lambda frame: -frame.middle_mm))

    def points(self, suv: FloatArray) -> FloatArray:
        """Patient points of canal coordinates ``(N, 3)``."""
        suv = np.asarray(suv, dtype=np.float64)
        return self.survey.line.to_patient(suv[..., 0], suv[..., 1], suv[..., 2])

    def point(self, s: float, u: float, v: float) -> FloatArray:
        """Patient point of canal coordinates."""
        return self.points(np.array([s, u, v]))

    def axes(self, s: float) -> FloatArray:
        """Rows superior, posterior, left at ``s``."""
        return np.stack(self.survey.line.frame(s))

    def front_u(self, s: float) -> float:
        """How far forward the bodies reach at ``s``, between the vertebrae by interpolation."""
        known = sorted(self.frames, key=lambda frame: frame.middle_mm)
        return float(np.interp(s, [frame.middle_mm for frame in known], [frame.front_u_mm for frame in known]))

    def half_width(self, s: float) -> float:
        """Half the bodies' width at ``s``."""
        known = sorted(self.frames, key=lambda frame: frame.middle_mm)
        return float(np.interp(s, [frame.middle_mm for frame in known], [frame.half_width_mm for frame in known]))

    def heights(self, step_mm: float = 8.0) -> FloatArray:
        """Places along the whole spine in view and a bit beyond, caudal first."""
        low, high = self.frames[-1].bottom_mm - 15.0, self.frames[0].top_mm + 15.0
        return np.linspace(low, high, max(4, round((high - low) / step_mm)))

    def is_thoracic(self, s: float) -> bool:
        """Whether the nearest vertebra is a thoracic one."""
        return min(self.frames, key=lambda frame: abs(frame.middle_mm - s)).level.startswith("T")

    def iodine_hu(self, at_120_kvp: float) -> float:
        """Iodine is brighter at a low tube voltage: about 1.6 times at 80 kVp, 0.8 at 140 [convention]."""
        return float(at_120_kvp * (120.0 / self.look.kvp) ** 1.2)
