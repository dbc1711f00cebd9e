"""Groups, masks that err, masks as DICOM SEG: what a study rests on."""

import hashlib
import json

import numpy as np
import pytest

from leakseg.anatomy import VertebraLevel
from leakseg.cli import run_command
from leakseg.errors import ConfigError
from leakseg.findings import LeakType, Side
from leakseg.nifti import read_image
from leakseg.phantom.implant import implant_on
from leakseg.phantom.jobs import jobs_of
from leakseg.phantom.mask_faults import MaskFault, masks_of, with_fault
from leakseg.phantom.plan import FillPlan, ImplantPlan, LeakPlan
from leakseg.phantom.recipe import read_recipe

L2, L3, L4 = (VertebraLevel(name) for name in ("L2", "L3", "L4"))
STUDY = """
[scanner]
slice_mm = 2.0
pixel_mm = 1.2
[draw]
levels = ["L3"]
leaks = ["venous", "none"]
[[group]]
name = "plain"
count = 2
[[group]]
name = "seg"
same_as = "plain"
count = 1
masks_as = "seg"
mask_fault.weights = { coarse = 1 }
"""


@pytest.fixture(scope="module")
def phantom(made_scan):
    volume, masks, ground = made_scan
    leaks = (
        LeakPlan(level=L3, type=LeakType.EPIDURAL, subtype="paracentral", side=Side.LEFT),
        LeakPlan(level=L3, type=LeakType.PARAVERTEBRAL, subtype="soft_tissue", side=Side.RIGHT),
    )
    plan = ImplantPlan(fills=(FillPlan(level=L3),), leaks=leaks)
    return implant_on(volume, masks, ground, plan, np.random.default_rng(4))


@pytest.fixture
def erring(phantom):
    return lambda fault: with_fault(phantom, fault, np.random.default_rng(1))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The same study made by one process and by two."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    for workers in ("1", "2"):
        words = ["--recipe", str(folder / "study.toml"), "--seed", "3", "--workers", workers]
        assert run_command(["phantom", "make", str(folder / workers), *words]) == 0
    return folder / "1", folder / "2"


def digests(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def truth(root, case):
    return json.loads((root / "truth" / case / "truth.json").read_text(encoding="utf-8"))


def test_the_truth_never_errs(phantom, erring):
    before = [array.copy() for array in (phantom.masks.vertebrae, phantom.canal, phantom.leak_labels)]
    for fault in MaskFault:
        told = erring(fault)
        sound = masks_of(phantom)
        same = told.grid.shape == sound.grid.shape and np.array_equal(told.vertebrae, sound.vertebrae)
        assert not same or not np.array_equal(told.canal, sound.canal), fault
    for array, now in zip(before, (phantom.masks.vertebrae, phantom.canal, phantom.leak_labels), strict=True):
        assert np.array_equal(array, now)


def test_a_swallowed_leak_is_bone_of_its_vertebra_and_no_canal(phantom, erring):
    told = erring(MaskFault.SWALLOWS_LEAK)
    for leak in phantom.leaks:
        inside = told.vertebrae[phantom.leak_labels == leak.id] == L3.number
        assert inside.mean() > 0.5, leak.type
    assert not (told.canal & (told.vertebrae > 0)).any()


def test_a_cement_hole_is_where_inner_cement_is(phantom, erring):
    told = erring(MaskFault.CEMENT_HOLE)
    lost = (phantom.masks.vertebrae > 0) & (told.vertebrae == 0)
    assert np.array_equal(lost, (phantom.cement_labels == 1) & (phantom.masks.vertebrae > 0))


def test_the_canal_leaves_cement_out(phantom, erring):
    told = erring(MaskFault.CANAL_LEAVES_OUT)
    assert not told.canal[phantom.cement_labels > 0].any()
    assert 0.5 * phantom.canal.sum() < told.canal.sum() < phantom.canal.sum()


def test_wide_and_narrow_masks_hold_one_another(phantom, erring):
    wide, narrow = erring(MaskFault.WIDE), erring(MaskFault.NARROW)
    sound = phantom.masks.vertebrae
    assert np.array_equal(wide.vertebrae[sound > 0], sound[sound > 0])
    assert np.array_equal(narrow.vertebrae[narrow.vertebrae > 0], sound[narrow.vertebrae > 0])
    assert (narrow.vertebrae > 0).sum() < 0.9 * (sound > 0).sum() < 0.9 * (wide.vertebrae > 0).sum()


def test_mixed_neighbours_keep_their_bone(phantom, erring):
    told = erring(MaskFault.MIXED_NEIGHBOURS)
    sound = phantom.masks.vertebrae
    assert np.array_equal(told.vertebrae > 0, sound > 0)
    wrong = told.vertebrae != sound
    (giver,), (taker,) = np.unique(sound[wrong]), np.unique(told.vertebrae[wrong])
    assert abs(int(giver) - int(taker)) == 1
    assert 0.1 < wrong.sum() / (sound == giver).sum() < 0.4


def test_the_missing_level_is_not_the_treated_one(erring):
    told = erring(MaskFault.MISSING_LEVEL)
    assert L3 in told.levels()
    assert len(told.levels()) == 2


def test_coarse_masks_lie_where_the_fine_ones_do(phantom, erring):
    told = erring(MaskFault.COARSE)
    assert told.grid.spacing_mm == pytest.approx((3.0, 3.0, 3.0))
    for level in (L2, L3, L4):
        centres, volumes = [], []
        for masks in (masks_of(phantom), told):
            where = np.argwhere(masks.vertebrae == level.number)
            centres.append(masks.grid.to_patient(where).mean(axis=0))
            volumes.append(len(where) * masks.grid.voxel_volume_mm3)
        assert np.linalg.norm(centres[0] - centres[1]) < 1.0
        assert volumes[1] == pytest.approx(volumes[0], rel=0.15)


def test_the_number_of_processes_does_not_change_a_byte(study):
    one, two = study
    assert digests(one) == digests(two)


def test_a_group_shows_the_phantoms_of_another(study):
    root, _ = study
    base, again = truth(root, "case-001"), truth(root, "case-003")
    assert base["leaks"] == again["leaks"]
    assert again["study_instance_uid"] != base["study_instance_uid"]
    assert (base["group"], again["group"]) == ("plain", "seg")
    assert again["strata"] == {**base["strata"], "mask_fault": "coarse", "same_as": "case-001"}
    labels = [(root / "truth" / case / "truth_cement.nii.gz").read_bytes() for case in ("case-001", "case-003")]
    assert labels[0] == labels[1]
    assert truth(root, "case-002")["leaks"] == []


def test_masks_as_seg_are_read_by_highdicom_and_by_a_run(study, tmp_path):
    import highdicom as hd

    root, _ = study
    path = root / "masks" / "case-003" / "masks.dcm"
    seg = hd.seg.segread(path)
    labels = [seg.get_segment_description(number).segment_label for number in seg.segment_numbers]
    assert labels == ["L2 vertebra", "L3 vertebra", "L4 vertebra", "spinal canal"]
    volume = seg.get_volume(combine_segments=False)
    grid, fine = read_image(root / "masks" / "case-001" / "vertebrae.nii.gz")
    middle = grid.to_patient(np.argwhere(fine == 22)).mean(axis=0)
    lies = np.argwhere(volume.array[..., 1] > 0)
    assert np.linalg.norm(volume.map_indices_to_reference(lies.astype(float)).mean(axis=0) - middle) < 1.0
    scan = root / "scans" / "case-003"
    words = ["--masks", str(path), "-o", str(tmp_path / "out"), "--write", "json", "--workers", "0"]
    assert run_command(["run", str(scan), *words]) == 0
    (report,) = (tmp_path / "out").glob("*/report.json")
    assert [level["level"] for level in json.loads(report.read_text())["levels"]] == ["L2", "L3", "L4"]


def test_a_small_study_is_the_beginning_of_the_whole(tmp_path):
    from leakseg.phantom.recipe import scaled

    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    recipe = read_recipe(tmp_path / "study.toml")
    whole, half = jobs_of(recipe, 3), jobs_of(scaled(recipe, 0.5), 3)
    assert [len(job.shown) for job in whole] == [2, 1]
    assert [job.seeds for job in half] == [whole[0].seeds]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[[group]]\nname = "a"\ncount = 1\n[[group]]\nname = "a"\ncount = 1', "two groups 'a'"),
        ('[[group]]\nname = "b"\nsame_as = "a"\ncount = 1', "must stand before it"),
        ('[[group]]\nname = "a"\ncount = 1\nscanner.slise_mm = 3', "wrong at group.0.recipe.scanner.slise_mm"),
        ('[[group]]\nname = "a"\ncount = 1\nmask_fault.weights = { wrong = 1 }', "mask_fault"),
    ],
)
def test_wrong_groups_are_told(tmp_path, text, sentence):
    (tmp_path / "recipe.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=sentence):
        read_recipe(tmp_path / "recipe.toml")
