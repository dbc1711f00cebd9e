"""However the patient lies and the gantry stands, what is read back lies where truth says."""

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.criteria import ReadingCriteria
from leakseg.findings import LeakType, Side
from leakseg.phantom.dicom_ct import write_series
from leakseg.phantom.lie import grid_for, settled, turn_of
from leakseg.phantom.look import ScannerLook
from leakseg.phantom.plan import CementTruth, LeakTruth, Phantom
from leakseg.phantom.raster import cover, points_of
from leakseg.phantom.solids import ball
from leakseg.readers import read_volume, take_inventory
from leakseg.volume import Volume

MIDDLES = np.array([[9.0, -24.0, 14.0], [-15.0, -10.0, -20.0], [3.0, 8.0, 30.0]])
RADIUS_MM = 4.0
BASE = ScannerLook(slice_mm=2.0, increment_mm=1.5, pixel_mm=1.0, field_mm=(90.0, 76.0))
LIES = {
    "HFS": {},
    **{name: {"position": name} for name in ("HFP", "HFDR", "HFDL", "FFS", "FFP", "FFDR", "FFDL")},
    "tilt up": {"tilt_deg": 17.0},
    "tilt down": {"tilt_deg": -11.0},
    "tilt, prone": {"tilt_deg": 8.0, "position": "HFP"},
    "turned": {"turn_deg": (14.0, -5.0, 7.0)},
    "turned, tilted, feet first": {"turn_deg": (-12.0, 3.0, 0.0), "tilt_deg": 6.0, "position": "FFS"},
    "off centre": {"off_centre_mm": (6.0, -5.0)},
}


def phantom_of(spine, look):
    """Three balls of 2000 HU in water; the first is the leak."""
    grid = grid_for(spine, look)
    points = points_of(grid)
    shares = [cover(ball(middle, RADIUS_MM).distance_mm(points), grid) for middle in MIDDLES]
    hu = (40 + 1960 * np.sum(shares, axis=0)).astype(np.int16)
    labels = np.zeros(grid.shape, np.uint8)
    for number, share in enumerate(shares, start=1):
        labels[share > 0.5] = number
    empty = np.zeros(grid.shape, np.uint8)
    leak = LeakTruth(
        id=1,
        type=LeakType.PARAVERTEBRAL,
        subtype=None,
        route=None,
        level=VertebraLevel.L3,
        segment="L3",
        side=Side.LEFT,
        volume_mm3=1.0,
        centroid_mm=tuple(MIDDLES[0].tolist()),
        canal_encroachment_fraction=None,
        connected=True,
        fraction_in_place=1.0,
    )
    cement = CementTruth(
        total_volume_mm3=1.0,
        inside_volume_mm3=0.0,
        leaked_volume_mm3=1.0,
        inside_by_level_mm3={},
        density_hu_by_level={},
    )
    masks = SpineMasks(grid, empty, empty > 0)
    made = Phantom(Volume(grid, hu, look.series()), masks, empty > 0, (leak,), cement, labels, labels, {})
    return settled(made, look)


@pytest.fixture(scope="module", params=LIES, ids=str)
def lying(request, made_spine, tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("lie")
    look = replace(BASE, **LIES[request.param])
    made = phantom_of(made_spine, look)
    write_series(tmp_path, made.volume, case_id="lie", seed_text="lie", description="lie", look=look)
    return look, made, tmp_path


def test_reading_brings_it_back(lying):
    look, made, folder = lying
    (case,) = take_inventory([folder], ReadingCriteria()).cases()
    scan = read_volume(case.source, ReadingCriteria()).volume
    wanted = MIDDLES @ turn_of(look).T
    assert made.leaks[0].centroid_mm == pytest.approx(wanted[0])
    points = points_of(scan.grid)
    for number, middle in enumerate(wanted, start=1):
        near = np.linalg.norm(points - middle, axis=-1) < 8.0
        weight = np.maximum(scan.hu[near].astype(float) - 200, 0)
        assert np.average(points[near], axis=0, weights=weight) == pytest.approx(middle, abs=0.15)
        voxels = np.argwhere(made.leak_labels == number)
        at = np.rint(scan.grid.to_index(made.masks.grid.to_patient(voxels))).astype(int)
        assert np.median(scan.hu[tuple(at.T)]) > 1900
    assert scan.series.slice_thickness_mm == 2.0


def test_headers_tell_how_it_lay(lying):
    look, _made, folder = lying
    slices = [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(folder.iterdir())]
    assert {one.PatientPosition for one in slices} == {look.position}
    assert float(slices[0].SpacingBetweenSlices) == pytest.approx(1.5)
    assert [int(one.InstanceNumber) for one in slices] == list(range(1, len(slices) + 1))
    heights = np.array([one.ImagePositionPatient for one in slices], dtype=float)
    step = np.diff(heights, axis=0).mean(axis=0)
    assert step == pytest.approx([0.0, 0.0, 1.5 if look.position.startswith("HF") else -1.5], abs=1e-3)
    right, down = np.array(slices[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    table = {"S": (0, 1), "P": (0, -1), "R": (-1, 0), "L": (1, 0)}[look.position[-1]]
    assert down[:2] @ table == pytest.approx(np.cos(np.deg2rad(look.tilt_deg)), abs=1e-6)
    assert np.cross(right, down)[2] > 0.9, "the picture is seen from the feet"


def test_dciodvfy_finds_no_error(lying):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian's dicom3tools) is not installed.")
    _look, _made, folder = lying
    done = subprocess.run(["dciodvfy", sorted(folder.iterdir())[3]], capture_output=True, text=True, check=False)
    assert "CTImage" in done.stdout + done.stderr
    assert [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("Error", "Warning"))] == []
