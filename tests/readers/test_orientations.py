"""One painted scan, written lying in every way: the patient's left stays left."""

import itertools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

ALL_AXES = ["".join(one) for order in itertools.permutations(("LR", "AP", "IS")) for one in itertools.product(*order)]
POSITIONS = {
    "HFS": ("SPL", [1, 0, 0, 0, 1, 0]),
    "HFP": ("SAR", [-1, 0, 0, 0, -1, 0]),
    "FFS": ("IPR", [-1, 0, 0, 0, 1, 0]),
    "FFP": ("IAL", [1, 0, 0, 0, -1, 0]),
    "HFDR": ("SRP", [0, 1, 0, -1, 0, 0]),
    "HFDL": ("SLA", [0, -1, 0, 1, 0, 0]),
    "FFDR": ("ILP", [0, 1, 0, 1, 0, 0]),
    "FFDL": ("IRA", [0, -1, 0, -1, 0, 0]),
}


@pytest.fixture(scope="module")
def straight(bench, tmp_path_factory):
    return bench.read(bench.save(bench.Painted().datasets(), tmp_path_factory.mktemp("straight")))


def markers(volume):
    """Where the densest, the second and the third marker lie, patient mm."""
    return [volume.grid.to_patient(np.argwhere(volume.hu == hu).mean(axis=0)) for hu in (500, 700, 900)]


@pytest.mark.parametrize("axes", ALL_AXES)
def test_every_way_of_storing_gives_the_same_volume(bench, straight, tmp_path, axes):
    order = ["LR", "AP", "IS"]
    sizes = {"LR": (22, 2.0), "AP": (20, 3.0), "IS": (24, 2.5)}
    kinds = [next(pair for pair in order if letter in pair) for letter in axes]
    shape, spacing = zip(*(sizes[kind] for kind in kinds), strict=True)
    turned = bench.read(
        bench.save(bench.Painted(shape=shape, spacing=spacing, axes=axes).datasets(), tmp_path / "turned")
    )
    assert turned.volume.grid.orientation == "SPL"
    assert turned.volume.grid.same_as(straight.volume.grid)
    np.testing.assert_array_equal(turned.volume.hu, straight.volume.hu)
    left, behind, above = markers(turned.volume)
    middle = (np.add(left, behind) + above) / 3
    assert left[0] > middle[0] + 10
    assert behind[1] > middle[1] + 7
    assert above[2] > middle[2] + 10


@pytest.mark.parametrize("position", POSITIONS)
def test_patient_positions_change_nothing(bench, tmp_path, position):
    axes, orientation = POSITIONS[position]
    datasets = bench.Painted(axes=axes, shape=(24, 24, 24), spacing=(2.5, 2.5, 2.5)).datasets()
    for dataset in datasets:
        dataset.PatientPosition = position
    assert [round(value) for value in datasets[0].ImageOrientationPatient] == orientation
    scan = bench.read(bench.save(datasets, tmp_path / "scan"))
    assert bench.wrong(scan) == 0
    assert markers(scan.volume)[0][0] > 15


@pytest.mark.parametrize("angles", [(12, 0, 0), (0, -17, 5), (8, 11, -20)])
@pytest.mark.parametrize("axes", ["SPL", "IPR", "LSP", "PIR"])
def test_oblique_stacks_keep_their_obliquity_in_the_affine(bench, tmp_path, angles, axes):
    painted = bench.Painted(axes=axes, turn=Rotation.from_euler("xyz", angles, degrees=True).as_matrix())
    scan = bench.read(bench.save(painted.datasets(), tmp_path / "scan"))
    assert scan.volume.grid.orientation == "SPL"
    cosines = np.abs(scan.volume.grid.affine[:3, :3] / scan.volume.grid.spacing_mm).max(axis=0)
    assert cosines.min() < 0.99
    assert bench.wrong(scan) == 0


def test_slice_numbers_locations_and_thicknesses_are_not_asked(bench, tmp_path):
    datasets = bench.Painted().datasets()
    numbers = np.random.default_rng(1).permutation(len(datasets))
    for dataset, number in zip(datasets, numbers, strict=True):
        dataset.InstanceNumber = int(number)
        dataset.SliceLocation = float(-number)
        dataset.SpacingBetweenSlices = 123.0
    scan = bench.read(bench.save(datasets, tmp_path / "scan"))
    assert bench.wrong(scan) == 0
    assert scan.volume.grid.spacing_mm == pytest.approx((2.5, 3.0, 2.0))
    assert scan.volume.series.slices == 24
