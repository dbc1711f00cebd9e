"""Recipes: read strictly, flags win, every mistake told with its place; classifiers found by name."""

import sys
from dataclasses import replace
from importlib.metadata import entry_points

import pytest

from leakseg.config import AnalysisConfig, config_toml, load_config
from leakseg.errors import ConfigError, PluginError
from leakseg.plugins import LEAK_CLASSIFIERS, list_plugins, load_classifier


def recipe(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_asked_is_the_default():
    assert load_config() == AnalysisConfig()


def test_a_recipe_overrides_criteria_group_by_group(tmp_path):
    config = load_config(recipe(tmp_path, "workers = 3\n[criteria.leaks]\nmin_leak_volume_mm3 = 5\n"))
    assert config.workers == 3
    assert config.criteria.leaks.min_leak_volume_mm3 == 5.0
    assert config.criteria.leaks.min_treated_volume_mm3 == AnalysisConfig().criteria.leaks.min_treated_volume_mm3


def test_choices_win_over_the_recipe_and_none_is_no_choice(tmp_path):
    path = recipe(tmp_path, 'masks = ["one.nii.gz"]\nall_series = true\n')
    config = load_config(path, {"masks": ["two.nii.gz"], "all_series": None})
    assert config.masks == ("two.nii.gz",)
    assert config.all_series is True


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("colour = 1", ["colour", "unknown key"]),
        ("[criteria]\nmin_leak_volume_mm3 = 5", ["did you mean 'criteria.leaks.min_leak_volume_mm3'?"]),
        ("[criteria.cement]\nmin_leak_volume_mm3 = 5", ["did you mean 'criteria.leaks.min_leak_volume_mm3'?"]),
        ("[criteria.leaks]\nmin_leek_volume_mm3 = 5", ["did you mean 'min_leak_volume_mm3'?"]),
        ("[criteria.leaks]\nmin_leak_volum_mm3 = 5", ["criteria.leaks.min_leak_volum_mm3", "min_leak_volume_mm3'?"]),
        ("[criteria.leak]\nx = 5", ["criteria.leak", "'leaks'?"]),
        ("[criteria.leaks]\nmin_leak_volume_mm3 = -5", ["criteria.leaks.min_leak_volume_mm3", "greater than 0"]),
        ('[criteria.leaks]\nmin_leak_volume_mm3 = "5"', ["criteria.leaks.min_leak_volume_mm3", "number"]),
        ("[criteria.leaks]\nmin_leak_volume_mm3 = inf", ["criteria.leaks.min_leak_volume_mm3", "not finite"]),
        ("[criteria.leaks]\nmin_leak_volume_mm3 = nan", ["criteria.leaks.min_leak_volume_mm3", "not finite"]),
        ("[criteria]\nleaks = 3", ["criteria.leaks"]),
        ("criteria = 3", ["criteria"]),
        ("workers = -1", ["workers", "greater than or equal to 0"]),
        ("workers = 1.5", ["workers", "integer"]),
        ("masks = []", ["masks"]),
        ('masks = "auto"', ["masks"]),
        ("masks = 1979-05-27", ["masks"]),
        ('write = ["json", "pdf"]', ["pdf"]),
        ("x = = 1", ["TOML"]),
    ],
)
def test_a_mistake_is_told_in_one_sentence_with_its_place(tmp_path, text, told):
    with pytest.raises(ConfigError) as caught:
        load_config(recipe(tmp_path, text))
    for words in told:
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recipe_that_is_not_there_or_no_text_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(tmp_path / "binary.toml")


def test_the_printed_recipe_is_complete_and_reads_back_as_itself(tmp_path):
    text = config_toml()
    assert load_config(recipe(tmp_path, text)) == AnalysisConfig()
    changed = load_config(
        recipe(tmp_path, "all_series = true\nworkers = 2\n[criteria.leaks]\nmin_leak_volume_mm3 = 5\n")
    )
    assert load_config(recipe(tmp_path, config_toml(changed))) == changed
    assert "label_scheme" in text


def test_the_digest_follows_what_may_change_a_result(tmp_path):
    base = AnalysisConfig()
    assert replace(base, workers=7).digest() == base.digest()
    leaner = load_config(recipe(tmp_path, "[criteria.leaks]\nmin_leak_volume_mm3 = 5\n"))
    others = [replace(base, masks=("a",)), replace(base, label_scheme="verse"), replace(base, classifier="m:C"), leaner]
    assert len({base.digest(), *(other.digest() for other in others)}) == 5


# --- classifiers ---------------------------------------------------------------------------------------


MINE = """
from leakseg.findings import Judgement, LeakType

class Mine:
    name, version = "mine", "2.1"
    def classify(self, candidate):
        return Judgement(LeakType.UNDETERMINED)

class Broken:
    def __init__(self):
        raise RuntimeError("no weights here")

class NoClassifier:
    pass
"""


@pytest.fixture
def my_module(tmp_path, monkeypatch):
    (tmp_path / "my_study.py").write_text(MINE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "my_study"
    sys.modules.pop("my_study", None)


def test_the_built_in_classifier_comes_through_the_door_that_others_use():
    assert [entry.name for entry in entry_points(group=LEAK_CLASSIFIERS)].count("rules") == 1
    loaded = load_classifier("rules")
    assert loaded.classifier.name == "rules"
    assert loaded.identity == f"rules {loaded.classifier.version}"
    assert [plugin.problem for plugin in list_plugins() if plugin.name == "rules"] == [None]


def test_a_class_of_a_module_in_the_working_directory_is_found(my_module):
    assert load_classifier("my_study:Mine").identity == "mine 2.1"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none", "Choose one of: rules"),
        ("my_study:Broken", "no weights here"),
        ("my_study:NoClassifier", "no leak classifier"),
        ("my_study:Absent", "Absent"),
        ("not_there:Mine", "not_there"),
        ("my study:x y", "MODULE:CLASS"),
        (":Mine", "MODULE:CLASS"),
    ],
)
def test_a_classifier_that_cannot_be_used_is_told_in_one_sentence(my_module, name, told):
    with pytest.raises(PluginError, match=told) as caught:
        load_classifier(name)
    assert "\n" not in str(caught.value)


def test_a_plugin_that_fails_names_its_distribution(tmp_path, monkeypatch):
    (tmp_path / "needy_plugin.py").write_text("import a_library_that_is_not_here\n", encoding="utf-8")
    info = tmp_path / "leakseg_needy-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: leakseg-needy\nVersion: 0.3\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{LEAK_CLASSIFIERS}]\nneedy = needy_plugin:Needy\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        PluginError, match=r"leakseg-needy 0\.3.*a_library_that_is_not_here.*Install what leakseg-needy"
    ):
        load_classifier("needy")
    problems = {plugin.name: plugin.problem for plugin in list_plugins()}
    assert problems["needy"] is not None
    assert problems["rules"] is None
