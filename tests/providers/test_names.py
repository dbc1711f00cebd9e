from __future__ import annotations

from pathlib import Path

import pytest

from leakseg.anatomy import VertebraLevel
from leakseg.errors import ConfigError
from leakseg.providers.names import Structure, meaning_of, role_of_file
from leakseg.providers.schemes import SCHEMES, read_scheme


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("L1", "L1"),
        ("vertebrae_L1", "L1"),
        ("T12 vertebra", "T12"),
        ("Vertebra T13", "T13"),
        ("First lumbar vertebra", "L1"),
        ("12th thoracic vertebra", "T12"),
        ("Lumbar vertebra 5", "L5"),
        ("Sacrum", "S1"),
        ("spinal_canal", "canal"),
        ("Vertebral canal", "canal"),
        ("Spinal cord", "cord"),
        ("vertebrae_body", "bodies"),
        ("intervertebral_discs", "discs"),
        ("L4/L5 disc", "discs"),
    ],
)
def test_names_of_the_spine(text: str, meaning: str) -> None:
    assert meaning_of(text) == meaning


@pytest.mark.parametrize(
    "text",
    [
        "L1 nerve root",
        "L1 pedicle",
        "cement L1",
        "L9",
        "C8",
        "T14",
        "liver",
        "Segment_1",
        "L1/L2",
        "L1 epidural left",
        "",
    ],
)
def test_a_word_too_many_or_a_vertebra_too_many_is_no_vertebra(text: str) -> None:
    assert meaning_of(text) is None


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("vertebrae.nii.gz", "vertebrae"),
        ("vertebrae_lumbar.nrrd", "vertebrae"),
        ("vertebrae_L1.nii.gz", "L1"),
        ("L1_left_over.nii", "L1"),
        ("vertebrae_S1.nii.gz", "S1"),
        ("sacrum.nii.gz", "S1"),
        ("canal_derived.nii.gz", "canal"),
        ("spinal_canal.nrrd", "canal"),
        ("spinal_cord.nii.gz", "cord"),
        ("vertebrae_body.nii.gz", "bodies"),
        ("intervertebral_discs.nii.gz", "discs"),
        ("sub-verse005_seg-vert_msk.nii.gz", "vertebrae"),
        ("sub-005_seg-spine_msk.nii.gz", "parts"),
        ("ct.nii.gz", None),
        ("L1_L5.nii.gz", None),
        ("L1_cement.nii.gz", None),
        ("lung_left.nii.gz", None),
        ("rib_left_1.nii.gz", None),
        ("truth_vertebrae.nii.gz", None),
        ("vertebrae_L9.nii.gz", None),
    ],
)
def test_roles_of_files(name: str, role: str | None) -> None:
    assert role_of_file(name) == role


@pytest.mark.parametrize(
    ("scheme", "number", "meaning"),
    [
        ("verse", 8, "T1"),
        ("verse", 20, "L1"),
        ("verse", 25, "L6"),
        ("verse", 26, "S1"),
        ("verse", 28, "T13"),
        ("totalsegmentator", 25, "S1"),
        ("totalsegmentator", 26, "S1"),
        ("totalsegmentator", 27, "L5"),
        ("totalsegmentator", 32, "T12"),
        ("totalsegmentator", 50, "C1"),
        ("totalsegmentator", 79, "cord"),
        ("totalsegmentator_v1", 18, "L5"),
        ("totalsegmentator_v1", 41, "C1"),
        ("totalsegmentator_v1", 92, "S1"),
        ("spineps", 24, "L5"),
        ("spineps", 61, "canal"),
        ("spineps", 124, "discs"),
        ("cads", 22, "L1"),
        ("cads", 105, "canal"),
        ("cads", 167, "cord"),
    ],
)
def test_the_schemes_say_what_their_tools_say(scheme: str, number: int, meaning: str) -> None:
    assert SCHEMES[scheme].numbers[number] == meaning


def test_numbers_beyond_a_scheme_are_unknown() -> None:
    assert 29 not in SCHEMES["verse"].numbers
    assert 118 not in SCHEMES["totalsegmentator"].numbers


@pytest.mark.parametrize("text", ['20 = "L1"\n7 = "canal"\n0 = "background"', '[labels]\n20 = "L1"\n7 = "canal"'])
def test_a_users_toml_names_numbers(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    numbers = read_scheme(str(path)).numbers
    assert numbers[20] is VertebraLevel.L1
    assert numbers[7] is Structure.CANAL


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('20 = "L9"', "'L9', which is no vertebra"),
        ('L1 = "20"', "lines like"),
        ("20 = 1", "lines like"),
        ("", "names no numbers"),
        ('1 = "liver"', "names no vertebra"),
        ("20 = ", "cannot be read as TOML"),
    ],
)
def test_a_wrong_toml_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        read_scheme(str(path))


def test_an_unknown_scheme_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="choose one of verse, totalsegmentator"):
        read_scheme("verse2020")
    with pytest.raises(ConfigError, match="does not exist"):
        read_scheme("nowhere.toml")
