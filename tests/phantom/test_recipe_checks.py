"""A recipe's mistakes are told, each in one sentence, and nothing that it says is passed over."""

import pytest

from leakseg.anatomy import VertebraLevel
from leakseg.cli.phantom import implant
from leakseg.errors import ConfigError
from leakseg.phantom.jobs import jobs_of, make_job
from leakseg.phantom.recipe import override, read_recipe

GROUPS = '[[group]]\nname = "a"\ncount = 1\n'
CASE = '[[case]]\nid = "a"\ntreated = ["L3"]\n'
LEAK = f'{CASE}[[case.leak]]\nlevel = "L3"\n'


@pytest.fixture
def recipe(tmp_path):
    def read(text):
        path = tmp_path / "recipe.toml"
        path.write_text(text, encoding="utf-8")
        return read_recipe(path)

    return read


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[scanner]\nslice_mm = '1.5'", "wrong at scanner.slice_mm"),
        ("[spine]\nribs = 'yes'", "wrong at spine.ribs: Input should be a valid boolean"),
        ("[scanner]\nslise_mm = 1.5", "wrong at scanner.slise_mm: there is no such key"),
        ("[scanner]\nslice_mm = 0.0", "wrong at scanner.slice_mm: 0 does not do; the value lies above 0"),
        ("[scanner]\nstreak_strength = nan", "nan is no finite number"),
        ("[scanner]\nnoise_hu = [30.0, 10.0]", "a range goes from its lower end .* not from 30 to 10"),
        ("[scanner]\nnoise_hu = [-30.0, 10.0]", "noise_hu: -30 does not do; the value is at least 0"),
        ("[scanner]\nturn_deg = [[5.0, -5.0], 0.0, 0.0]", "wrong at scanner.turn_deg: a range"),
        ("[scanner]\nkernels = { soft = 0.0, bone = 0.0 }", "kernels: weights are at least 0, and one of them more"),
        ("[scanner]\nkernels = {}", "kernels: name at least one"),
        ("[scanner]\nkvps = { 0 = 1.0 }", "a tube voltage lies above 0"),
        ("mask_fault.weights = { wide = -1, none = 2 }", "mask_fault.weights: weights"),
        ("[spine]\nfracture_share = 5.0", "fracture_share: 5 does not do; the value lies between 0 and 1"),
        ("[distractors]\nclips = 20", "clips: 20 does not do; the value lies between 0 and 1"),
        ("[draw]\nleaks = []", "draw.leaks: name at least one"),
        ("[draw]\nlevels = []", "draw.levels: name at least one"),
        ("[draw]\nleaks_per_case = [3, 1]", "leaks_per_case: a range"),
        ("[draw]\ntreated_levels = [0, 0]", "treated_levels: 0 does not do; the value is at least 1"),
        ("[draw]\nleak_volume_mm3 = [0.0, 9.0]", "leak_volume_mm3: 0 does not do"),
        (f'{GROUPS}draw.leaks = ["venos"]', "no leak type 'venos'"),
        (f"{GROUPS}seed = 3", "'seed' in group 'a': it belongs to the whole cohort"),
        (f"{GROUPS}draw.count = 3", "draw.count in group 'a'"),
        (f"draw.count = 3\n{GROUPS}", "draw.count beside groups"),
        ('[[group]]\nname = "a"\ncount = 0', "a group has at least one case, not 0"),
        ('[[case]]\nid = "../a"\ntreated = ["L3"]', "no name for a folder"),
        ('[[case]]\nid = ""\ntreated = ["L3"]', "no name for a folder"),
        (f"{CASE}missing_slices = [-1]", "missing_slices: -1 does not do"),
        (f'{LEAK}type = "undetermined"', "case.0.leak.0.type: no undetermined leak can be made"),
        (f'{LEAK}type = "venous"\nvolume_mm3 = -3.0', "volume_mm3: -3 does not do"),
    ],
)
def test_a_mistake_is_told_where_it_stands(recipe, text, sentence):
    with pytest.raises(ConfigError, match=sentence):
        recipe(text)


def test_two_cases_of_one_name_are_refused(recipe):
    with pytest.raises(ConfigError, match="Two cases of the recipe have the name 'a'"):
        jobs_of(recipe(CASE + CASE))
    with pytest.raises(ConfigError, match="the name 'case-001'"):
        jobs_of(recipe(CASE.replace('"a"', '"case-001"') + GROUPS))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("missing_slices = [0, 99]\n", "Case 'a' is to lack slice 99, and has"),
        (
            '[[case.leak]]\nlevel = "L3"\ntype = "venous"\nside = "midline"\n',
            "only an epidural one lies on the midline",
        ),
    ],
)
def test_what_shows_only_when_a_case_is_made_is_told(recipe, more, sentence):
    (job,) = jobs_of(recipe(f"[scanner]\nslice_mm = 4.0\npixel_mm = 1.5\nmargin_mm = 2.0\n{CASE}{more}"))
    with pytest.raises(ConfigError, match=sentence):
        list(make_job(job))


def test_leaks_and_levels_of_the_command_line_reach_groups(recipe):
    told = recipe(f'{GROUPS}draw.leaks = ["venous"]\n[[group]]\nname = "b"\ncount = 1\n')
    chosen = override(told, leaks=("foraminal",), levels=(VertebraLevel.T12,))
    assert [group.recipe.draw.leaks for group in chosen.group] == [("foraminal",)] * 2
    assert [group.recipe.draw.levels for group in chosen.group] == [(VertebraLevel.T12,)] * 2
    assert override(told).group == told.group


def test_leaks_for_cases_named_outright_are_refused(recipe):
    with pytest.raises(ConfigError, match="names all its cases outright"):
        override(recipe(CASE), leaks=("venous",))
    assert override(recipe(CASE), leaks=("venous",), count=2).draw.count == 2


@pytest.mark.parametrize("group", ["a/../../b", "..", "", "a\\b"])
def test_an_implants_group_stays_in_its_folder(tmp_path, group):
    with pytest.raises(ConfigError, match="begins the names of folders"):
        implant(tmp_path, masks=None, out=tmp_path / "out", group=group)
    assert not (tmp_path / "out").exists()
