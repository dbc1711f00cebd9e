"""Grids hold their promises for every orientation and any obliquity."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from leakseg.errors import GeometryError
from leakseg.geometry import Grid, canonical, counted, voxels_of

VECTORS = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
ALL_AXES = ["".join(one) for order in itertools.permutations(("LR", "AP", "IS")) for one in itertools.product(*order)]


def grid_of(axes, shape=(3, 4, 5), spacing=(2.5, 0.7, 0.5), turn=None, origin=(10.0, -20.0, 30.0), frame=""):
    columns = np.array([VECTORS[letter] for letter in axes], dtype=float).T * spacing
    affine = np.eye(4)
    affine[:3, :3] = columns if turn is None else turn @ columns
    affine[:3, 3] = origin
    return Grid(shape, affine, frame)


def places(grid, array):
    """Patient place by value, for an array of different values."""
    index = np.stack(np.indices(grid.shape), axis=-1).reshape(-1, 3)
    order = np.argsort(array.reshape(-1))
    return grid.to_patient(index)[order]


small = st.floats(-14, 14)
grids = st.builds(
    lambda axes, shape, spacing, angles, origin: grid_of(
        axes, shape, spacing, Rotation.from_euler("xyz", angles, degrees=True).as_matrix(), origin
    ),
    st.sampled_from(ALL_AXES),
    st.tuples(*[st.integers(1, 6)] * 3),
    st.tuples(*[st.floats(0.2, 6.0)] * 3),
    st.tuples(small, small, small),
    st.tuples(*[st.floats(-900, 900)] * 3),
)


def test_there_are_48_orientations():
    assert len(set(ALL_AXES)) == 48


@pytest.mark.parametrize("axes", ALL_AXES)
def test_the_orientation_is_named_and_turned_to_canonical(axes):
    grid = grid_of(axes, frame="1.2.3")
    assert grid.orientation == axes
    array = np.arange(60).reshape(grid.shape)
    turned, moved = canonical(grid, array)
    assert turned.orientation == "SPL"
    assert turned.frame_of_reference_uid == "1.2.3"
    assert np.linalg.det(turned.affine[:3, :3]) < 0
    np.testing.assert_allclose(places(turned, moved), places(grid, array), atol=1e-9)
    assert moved.base is array or moved.base is array.base
    again, same = canonical(turned, moved)
    assert again.same_as(turned)
    np.testing.assert_array_equal(same, moved)


@given(grids)
@settings(max_examples=150, deadline=None)
def test_turning_moves_no_voxel(grid):
    array = np.arange(np.prod(grid.shape)).reshape(grid.shape)
    turned, moved = canonical(grid, array)
    assert turned.orientation == "SPL"
    assert sorted(turned.shape) == sorted(grid.shape)
    np.testing.assert_allclose(places(turned, moved), places(grid, array), atol=1e-6)
    assert turned.voxel_volume_mm3 == pytest.approx(grid.voxel_volume_mm3)


@given(grids, st.tuples(*[st.floats(-50, 50)] * 3))
@settings(max_examples=100, deadline=None)
def test_index_and_patient_are_each_others_inverse(grid, point):
    np.testing.assert_allclose(grid.to_patient(grid.to_index(point)), point, atol=1e-6)
    assert grid.voxel_volume_mm3 == pytest.approx(np.prod(grid.spacing_mm))


@given(grids, st.data())
@settings(max_examples=100, deadline=None)
def test_a_crop_keeps_its_place(grid, data):
    starts = [data.draw(st.integers(0, size - 1)) for size in grid.shape]
    stops = [data.draw(st.integers(start + 1, size)) for start, size in zip(starts, grid.shape, strict=True)]
    window = tuple(slice(start, stop) for start, stop in zip(starts, stops, strict=True))
    array = np.arange(np.prod(grid.shape)).reshape(grid.shape)
    part = grid.crop(window)
    assert part.shape == array[window].shape
    np.testing.assert_allclose(part.to_patient((0, 0, 0)), grid.to_patient(starts), atol=1e-6)
    np.testing.assert_allclose(part.affine[:3, :3], grid.affine[:3, :3])


def test_arrays_with_a_fourth_axis_keep_it_last():
    grid = grid_of("LAI")
    turned, moved = canonical(grid, np.zeros((*grid.shape, 2)))
    assert moved.shape == (*turned.shape, 2)


@pytest.mark.parametrize("window", [(slice(0, 3, 2),) * 3, (slice(2, 1),) * 3, (slice(5, 9), slice(None), slice(None))])
def test_windows_that_are_none(window):
    with pytest.raises(GeometryError):
        grid_of("SPL").crop(window)


@pytest.mark.parametrize(
    ("affine", "sentence"),
    [
        (np.full((4, 4), np.nan), "finite"),
        (np.eye(3), "4 x 4"),
        (np.diag([1.0, 0, 1, 1]), "zero length"),
        (np.array([[1, 0, 0.1, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "sheared"),
    ],
)
def test_grids_that_are_none(affine, sentence):
    with pytest.raises(GeometryError, match=sentence):
        Grid((2, 2, 2), affine)


@pytest.mark.parametrize("shape", [(0, 2, 2), (2, 2), (2, -1, 2)])
def test_shapes_that_are_none(shape):
    with pytest.raises(GeometryError):
        Grid(shape, np.eye(4))


def test_grids_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        grid_of("SPL").affine[0, 0] = 9


def test_the_same_place_in_the_same_frame():
    one = grid_of("SPL", frame="1.2")
    assert one.same_as(grid_of("SPL", frame="1.2"))
    assert one.same_as(grid_of("SPL", frame=""))
    assert not one.same_as(grid_of("SPL", frame="1.3"))
    assert not one.same_as(grid_of("SPL", frame="1.2", origin=(10.02, -20, 30)))
    assert one.same_as(grid_of("SPL", frame="1.2", origin=(10.005, -20, 30)))
    assert not one.same_as(grid_of("SPL", frame="1.2", shape=(3, 4, 6)))
    assert not one.same_as(grid_of("IPL", frame="1.2"))
    assert not one.same_as(grid_of("SPL", frame="1.2", spacing=(2.5, 0.7, 0.51)))


def test_voxels_are_listed_as_numpy_lists_them():
    mask = np.random.default_rng(2).random((6, 7, 9)) > 0.8
    for array in (mask, mask[:, ::2, 1:], mask.astype(np.uint8) * 3, np.zeros((2, 3, 4), bool)):
        assert np.array_equal(voxels_of(array), np.argwhere(array))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_what_is_counted_along_an_axis_is_the_sum(axis):
    mask = np.random.default_rng(2).random((300, 300, 280)) < 0.98
    for part in (mask[:, :5, :6], mask[:4, :, :7], mask[:3, :2], mask[::2, 3:5, ::3], mask[:0, :2, :2]):
        assert np.array_equal(counted(part, axis), part.sum(axis=axis))
