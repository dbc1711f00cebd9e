"""What pictures are drawn from, and how they are stored."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from leakseg.pictures import canvas
from leakseg.pictures.overview import _counts
from leakseg.pictures.png import write_png
from leakseg.pictures.region import levels_in, picked
from leakseg.pictures.solid import _field, _first_met, _lit, _lit_part
from leakseg.writers.html.scene import HU_OF_CODE, _codes


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


def test_voxels_are_picked_where_slices_rows_and_columns_cross():
    array = np.random.default_rng(3).integers(0, 99, (7, 8, 9), np.uint8)[:, ::2]
    picks = [np.array([0, 2, 6]), np.array([1, 1, 3]), np.array([0, 8])]
    assert np.array_equal(picked(array, picks), array[np.ix_(*picks)])
    assert levels_in(array) == [number for number in np.unique(array) if number]
    for axis in (0, 1):
        assert np.array_equal(_counts(array, axis), (array > 0).sum(axis=axis + 1))


def test_a_density_has_one_code_whole_or_not():
    hu = np.arange(-(1 << 15), 1 << 15, dtype=np.int16)
    edges = (HU_OF_CODE[1:] + HU_OF_CODE[:-1]) / 2
    assert np.array_equal(_codes(hu), np.searchsorted(edges.astype(np.float32), hu))
    assert np.array_equal(_codes(hu), _codes(hu.astype(np.float32)))


@pytest.mark.parametrize("dashed", [False, True])
@pytest.mark.parametrize("thickness", [1, 2])
@pytest.mark.parametrize(
    "view",
    [
        canvas.View(0.0, 0.0, (0.31, 0.47), (150, 190)),
        canvas.View(-7.25, 11.5, (0.625, 0.5), (90, 80)),
        canvas.View(20.0, 30.0, (2.9, 3.7), (12, 9)),
    ],
)
def test_a_mask_is_outlined_as_in_the_picture_as_a_whole(view, thickness, dashed):
    shape = (60, 70)
    for share in (0.0, 0.2, 0.4, 0.6):
        mask = np.random.default_rng(3).random(shape) < share
        mask[:25, :30] = mask[44:, 61:] = False
        picture, plain = (Image.new("RGB", view.size, "#101010") for _ in range(2))
        canvas.contour(picture, mask, view, "#F0E442", thickness, dashed=dashed)
        inside = np.asarray(view.sample(Image.fromarray(mask.astype(np.uint8) * 255), Image.Resampling.BILINEAR)) >= 128
        line = inside & ~ndimage.binary_erosion(inside, iterations=thickness)
        if dashed:
            rows, columns = np.indices(line.shape)
            line &= (rows // 5 + columns // 5) % 2 == 1
        plain.paste((0xF0, 0xE4, 0x42), mask=Image.fromarray(line.astype(np.uint8) * 255))
        assert np.array_equal(np.asarray(picture), np.asarray(plain))


def test_a_stored_picture_is_read_by_others_pixel_by_pixel(tmp_path):
    for shape in ((1, 1, 3), (37, 50, 3)):
        pixels = np.random.default_rng(5).integers(0, 256, shape, dtype=np.uint8)
        write_png(Image.fromarray(pixels), tmp_path / "x.png")
        with Image.open(tmp_path / "x.png") as picture:
            picture.verify()
        assert np.array_equal(np.asarray(Image.open(tmp_path / "x.png")), pixels)
