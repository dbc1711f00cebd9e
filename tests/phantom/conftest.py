"""One made spine and one case with three leaks, shared; the real scan where it is there."""

from pathlib import Path

import numpy as np
import pytest

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.geometry import Grid
from leakseg.nifti import read_image
from leakseg.phantom.lie import grid_for
from leakseg.phantom.look import ScannerLook
from leakseg.phantom.render import TissueLook, render
from leakseg.phantom.site import Ground, bone_from_mask
from leakseg.phantom.spine import SpineShape, build_spine
from leakseg.phantom.survey import survey
from leakseg.volume import Volume

VERSE = Path(__file__).parents[3] / "shared" / "data" / "verse005"
LOOK = TissueLook(cancellous_hu=150.0, cortex_hu=800.0, cortex_mm=1.2)
SCANNER = ScannerLook(psf_sigma_mm=0.6, noise_hu=15.0, pixel_mm=0.9)


@pytest.fixture(scope="session")
def made_spine():
    return build_spine(SpineShape(scoliosis_deg_per_level=3.0))


@pytest.fixture(scope="session")
def made_scan(made_spine):
    """``(volume, masks, ground)`` of a spine L2-L4 without cement."""
    grid = grid_for(made_spine, SCANNER)
    rendered = render(made_spine, grid, LOOK, SCANNER, np.random.default_rng(11))
    masks = rendered.masks
    ground = Ground(survey(masks), bone_from_mask(rendered.fine, rendered.fine_bone), masks.grid)
    return Volume(grid, rendered.hu), masks, ground


@pytest.fixture(scope="session")
def verse005():
    """``(volume, masks)`` of the real lumbar scan."""
    if not VERSE.is_dir():
        pytest.skip("The real scan verse005 is not at ../shared/data: it never comes with the project.")
    grid, hu = read_image(VERSE / "ct.nii.gz")
    _, numbers = read_image(VERSE / "vertebrae.nii.gz")
    _, canal = read_image(VERSE / "canal_derived.nii.gz")
    levels = np.zeros(numbers.shape, np.uint8)
    for number in range(20, 25):
        levels[numbers == number] = VertebraLevel(f"L{number - 19}").number
    return Volume(grid, hu), SpineMasks(grid, levels, canal > 0)


@pytest.fixture
def unit_grid():
    affine = np.eye(4)[:, [2, 1, 0, 3]]
    return Grid((8, 8, 8), affine)
