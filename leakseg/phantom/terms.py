"""Words that plans and recipes share."""

from __future__ import annotations

from typing import Literal

FillReach = Literal["centre", "posterior_wall", "pedicle", "endplate"]
FillPattern = Literal["single", "unilateral", "bilateral", "cleft"]
FillEdge = Literal["rough", "diffuse"]
LeakForm = Literal["plain", "flow"]
