"""What the 3-D look is drawn from."""

import numpy as np

from leakseg.pictures.solid import _first_met


def test_a_ray_meets_a_thing_where_it_first_reaches_the_half_level():
    rng = np.random.default_rng(3)
    values, rays = rng.random((4, 30)).astype(np.float32) ** 3, rng.integers(0, 31, (5, 12))
    depth, hit = _first_met(values, rays)
    for layer, row in enumerate(np.pad(values, ((0, 0), (0, 1)))):
        for ray, places in enumerate(rays):
            along = row[places]
            solid = np.flatnonzero(along >= 0.5)
            assert hit[layer, ray] == (len(solid) > 0)
            if len(solid) and solid[0]:
                here, before = along[solid[0]], along[solid[0] - 1]
                assert np.isclose(depth[layer, ray], solid[0] - (here - 0.5) / (here - before), atol=1e-5)
