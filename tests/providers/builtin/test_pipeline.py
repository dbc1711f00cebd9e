"""Which of the levels drawn are vertebrae."""

from __future__ import annotations

import numpy as np

from leakseg.criteria import BuiltinCriteria
from leakseg.providers.builtin.pipeline import _body_mm3
from leakseg.providers.builtin.vertebrae import Shapes


def test_a_body_of_soft_tissue_beyond_the_last_vertebra_is_none_but_one_full_of_cement_is() -> None:
    levels = np.repeat(np.arange(1, 5, dtype=np.uint8), 20)[:, None, None] * np.ones((1, 20, 20), np.uint8)
    shell = np.zeros(levels.shape, bool)
    shell[20:40, 0] = True  # weak marrow behind a wall
    shell[40:60] = True
    filling = levels == 4
    shapes = Shapes(levels, shell, np.ones(levels.shape, bool), shell, shell)
    bodies_mm3 = _body_mm3(shapes, filling, 1.0, BuiltinCriteria(), 4)
    assert bodies_mm3[1:5].tolist() == [0.0, 8000.0, 8000.0, 8000.0]
