"""Dense things that are no cement: metal, spurs, calcified and contrast-filled vessels, the table.

Each kind is a function from a `Place` (the survey's frames, so made spines and real scans are alike) to items with a
solid and a density; densities follow `anatomy.md` and common radiology texts where no source is named, and every size
is [convention] within what CT shows.
"""

from __future__ import annotations

from leakseg.phantom.distractors.add import KINDS, Scene, add_distractors, draw_distractors

__all__ = ["KINDS", "Scene", "add_distractors", "draw_distractors"]
