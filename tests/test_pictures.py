"""What the 3-D look is drawn from."""

import numpy as np
from scipy import ndimage

from leakseg.pictures.solid import _field, _first_met, _lit, _lit_part


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


def test_what_lies_alone_in_a_look_is_drawn_as_in_the_look_as_a_whole():
    hit = np.zeros((60, 70), np.bool_)
    hit[20:31, 40:44] = hit[25, 47] = hit[0:3, 60] = True
    depth = np.random.default_rng(3).random(hit.shape).astype(np.float32) * 20
    found, whole = _lit(depth, hit), _lit_part(depth, hit)
    assert np.array_equal(found.depth, whole.depth, equal_nan=True)
    seen = np.isfinite(whole.depth)
    assert seen.any()
    assert np.array_equal(found.light[seen], whole.light[seen])


def test_a_small_thing_is_softened_as_in_the_whole_block():
    mask = np.zeros((30, 40, 50), np.bool_)
    mask[9:12, 20, 31:35] = mask[0, 22, 33] = True
    soft = ndimage.gaussian_filter(mask.astype(np.float32), 0.8, truncate=2.0)
    assert np.allclose(_field(mask), soft / max(0.5, min(1.0, 2 * float(soft[mask].mean()))), rtol=1e-6, atol=0)


def test_nothing_makes_no_look():
    assert not np.isfinite(_lit(np.zeros((5, 6), np.float32), np.zeros((5, 6), np.bool_)).depth).any()
    assert _field(np.zeros((3, 4, 5), np.bool_)).size == 0
