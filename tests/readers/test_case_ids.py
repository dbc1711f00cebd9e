"""Names of cases: from the path, never from the patient."""

import hashlib

import pytest

from leakseg.readers.headers import Identity
from leakseg.readers.naming import case_id, names_patient

SMALL = {"shape": (12, 9, 8), "spacing": (2.5, 3.0, 2.0)}


def write(bench, folder, uid="1.2.3.4", **change):
    made = bench.Painted(**SMALL, series_uid=uid, study_uid=uid + ".1").datasets()
    for dataset in made:
        for keyword, value in change.items():
            setattr(dataset, keyword, value)
    return bench.save(made, folder)


@pytest.mark.parametrize(
    ("path", "name"),
    [("a", "a"), ("a/b c/d", "a-b c-d"), ("a\nb", "a_b"), (".hidden/x", "_hidden-x"), ("run.json", "run.json-2")],
)
def test_the_path_gives_the_name(path, name):
    assert case_id(path, "1.2", Identity(), set()) == name


def test_a_name_taken_gets_a_number():
    taken = set()
    names = []
    for path in ("a/b", "a-b", "a-b-2", "a/b"):
        names.append(case_id(path, "1.2", None, taken))
        taken.add(names[-1])
    assert names == ["a-b", "a-b-2", "a-b-2-2", "a-b-3"]


def test_scans_itself_goes_by_its_own_name(bench, tmp_path, monkeypatch):
    folder = write(bench, tmp_path / "spine 7")
    assert bench.only_case(folder).source.case_id == "spine 7"
    monkeypatch.chdir(folder)
    assert bench.only_case(type(folder)(".")).source.case_id == "spine 7"


@pytest.mark.parametrize(
    "path",
    [
        "Müller^Anna-Lena", "mueller/2020", "MULLER_anna", "anna lena müller", "x/MuellerAnna-Lena_CT",
        "ANNALENAMUELLER", "id 00778812", "778812x", "AB-778812/scan", "1962-03-09", "x/09.03.1962", "19620309_ct",
        "090362", "acc/RIS4455",
    ],
)  # fmt: skip
def test_paths_that_name_the_patient(path):
    identity = Identity("Müller^Anna-Lena", "00778812", "19620309", "RIS-4455")
    assert names_patient(path, identity)
    assert not names_patient(path, Identity("Müller^Anna-Lena", "00778812", "19620309", "RIS-4455", removed=True))


@pytest.mark.parametrize("path", ["case-007", "lumbar/series 2", "2020/ct", "anatomy", "1.2.840.113619.2.55"])
def test_paths_that_do_not(path):
    assert not names_patient(path, Identity("Müller^Anna-Lena", "007", "19620309", "77"))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Li^Na", "li_na"),
        ("Li^Na", "x/NaLi"),
        ("Yamada^Tarou=山田^太郎", "山田太郎_CT"),
        ("Doe^Jane", "jane/doe/scan"),
        ("O'Neil^P", "ONEIL"),
    ],
)
def test_short_and_foreign_names(name, path):
    assert names_patient(path, Identity(name))


def test_a_short_name_within_a_word_is_no_name():
    assert not names_patient("lining/national", Identity("Li^Na^^^"))


@pytest.mark.parametrize(
    ("change", "hidden"),
    [
        ({"PatientName": "Smith^John"}, True),
        ({"PatientName": "Smith^John", "PatientIdentityRemoved": "YES"}, False),
        ({"PatientName": "Smith^John", "PatientIdentityRemoved": "NO"}, True),
        ({"PatientName": "Case^Nobody", "PatientID": "777"}, False),
        ({"PatientName": "Case^Nobody", "PatientID": "7777"}, True),
    ],
)
def test_series_in_folders_named_after_patients(bench, tmp_path, change, hidden):
    write(bench, tmp_path / "in" / "john SMITH 7777" / "ct", **change)
    case = bench.only_case(tmp_path / "in")
    digest = "case-" + hashlib.sha256(b"1.2.3.4").hexdigest()[:8]
    assert case.source.case_id == (digest if hidden else "john SMITH 7777-ct")
    assert case.source.relative_path == "john SMITH 7777/ct"


def test_the_patient_is_in_no_repr(bench, tmp_path):
    write(bench, tmp_path / "in" / "a")
    assert "Quux" not in repr(bench.inventory(tmp_path / "in"))
    assert "Quux" not in repr(Identity("Quux^Zyxw", "QX"))
