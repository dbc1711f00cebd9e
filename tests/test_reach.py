"""Windows give the answers of the whole array."""

import cc3d
import edt
import numpy as np
import pytest
from scipy import ndimage

from leakseg.reach import (
    boxes_of,
    boxes_of_labels,
    connected_pieces,
    grown,
    hanging_together,
    near,
    pieces_going_on,
    pieces_of,
    pieces_with,
)

SPACING = (1.3, 0.6, 0.8)


@pytest.fixture
def dots():
    return np.random.default_rng(4).random((18, 40, 36)) > 0.9995


@pytest.mark.parametrize("reach_mm", [0.0, 0.7, 2.0, 5.5])
def test_near_is_the_distance_map_of_the_whole(dots, reach_mm):
    whole = edt.edt(~dots, anisotropy=SPACING, black_border=False) <= reach_mm
    assert dots.sum() > 3
    assert np.array_equal(near(dots, reach_mm, SPACING), whole)


@pytest.mark.parametrize("connectivity", [1, 2, 3])
def test_neighbours_are_those_over_faces_edges_and_corners(dots, connectivity):
    structure = ndimage.generate_binary_structure(3, connectivity)
    assert np.array_equal(grown(dots, connectivity), ndimage.binary_dilation(dots, structure))


def test_nothing_is_near_nothing():
    assert not near(np.zeros((4, 5, 6), bool), 3.0, SPACING).any()
    assert not grown(np.zeros((4, 5, 6), bool), 2).any()


@pytest.mark.parametrize("most", [2.0, 1e9])
def test_what_hangs_together_is_found_however_far_it_reaches(most):
    matter = np.zeros((20, 30, 120), bool)
    matter[10, 10:14, :] = True  # one long strand, beside it a piece apart
    matter[2:5, 20:24, 5:9] = True
    box = (slice(10, 11), slice(11, 13), slice(50, 54))
    own = np.ones((1, 2, 4), bool)
    ratio = hanging_together(own, box, matter.shape, SPACING, lambda room: matter[room], most)
    whole = cc3d.connected_components(matter, connectivity=26)
    true_ratio = (whole == whole[10, 11, 50]).sum() / own.sum()
    assert ratio == true_ratio if most > true_ratio else ratio > most


def test_a_piece_without_such_matter_hangs_together_with_none():
    box = (slice(1, 2), slice(1, 2), slice(1, 2))
    empty = np.zeros((3, 3, 3), bool)
    assert hanging_together(np.ones((1, 1, 1), bool), box, empty.shape, SPACING, lambda room: empty[room], 3.0) is None


def test_pieces_of_a_few_voxels_are_told_apart():
    assert connected_pieces(np.array([[[True, False, True]]])).tolist() == [[[1, 0, 2]]]


def test_pieces_are_kept_by_a_seed_in_them_or_by_their_size(dots):
    mask = grown(dots, 1)
    mask[3:9, 3:9, 3:9] = True
    seeds = np.zeros(mask.shape, bool)
    seeds[5, 5, 5] = True
    numbers = cc3d.connected_components(mask, connectivity=26)
    block = numbers == numbers[5, 5, 5]
    assert np.array_equal(pieces_with(mask, seeds), block)
    assert np.array_equal(pieces_of(mask, 100.0, 0.5), block)
    assert not pieces_with(~mask & mask, seeds).any()
    assert not pieces_of(~mask & mask, 1.0, 0.5).any()


def test_the_pieces_blocks_are_those_of_the_whole_array(dots):
    mask = grown(dots, 2)
    pieces = connected_pieces(mask)
    assert pieces.max() > 3
    assert boxes_of(pieces, mask) == ndimage.find_objects(pieces.astype(np.int32))
    assert boxes_of(np.zeros((3, 4, 5), np.uint8), np.zeros((3, 4, 5), bool)) == []


@pytest.mark.parametrize(("bone_goes_on", "is_bone"), [("outside", True), ("beneath", False)])
def test_bone_goes_on_beyond_its_cement_and_what_lies_beneath_it_tells_nothing(bone_goes_on, is_bone):
    piece, core = np.zeros((2, 20, 20, 20), bool)
    piece[2:18, 8:12, 8:12] = True
    core[8:12, 8:12, 8:12] = True
    height = np.broadcast_to(np.arange(20.0)[:, None, None], piece.shape)
    outside = height > 11 if bone_goes_on == "outside" else height < 8
    hu = np.where(core, 1500, np.where(outside, 500, 0))
    lies_on = piece & (core | outside)
    found = pieces_going_on(lies_on, core, hu, 300.0, 1.2, 4.0, 0.5, (1.0, 1.0, 1.0), height)
    assert found.any() == is_bone


def test_blocks_of_labels_are_those_of_scipy():
    rng = np.random.default_rng(6)
    for _ in range(40):
        shape = rng.integers(1, 9, 3)
        labels = np.where(rng.random(shape) < rng.random(), rng.integers(0, 7, shape), 0).astype(np.uint8)
        labels[labels == 3] = 0
        found = {number: box for number, box in enumerate(ndimage.find_objects(labels), start=1) if box is not None}
        assert boxes_of_labels(labels) == found
        assert list(boxes_of_labels(labels)) == list(found)
