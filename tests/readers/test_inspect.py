"""`leakseg inspect`: what it prints for people and for programs."""

import json

from leakseg.cli.inspect import inspect


def test_json_is_the_contracts(bench, tmp_path, capsys):
    bench.save(bench.Painted().datasets(), tmp_path / "a")
    bench.save(bench.Painted(shape=(5, 9, 8), series_uid="1.2.7", study_uid="1.2.8").datasets(), tmp_path / "b")
    (tmp_path / "notes.txt").write_text("x")
    assert inspect([tmp_path], as_json=True) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    document = json.loads(printed.out)
    assert set(document) == {"studies", "ignored"}
    good, few = document["studies"]
    assert {"study_instance_uid", "path", "series"} <= set(good)
    (series,) = good["series"]
    assert series["path"] == str(tmp_path / "a")
    assert (series["modality"], series["slices"], series["spacing_mm"]) == ("CT", 24, [2.5, 3.0, 2.0])
    assert (series["analysable"], series["reason"], series["case_id"]) == (True, None, "a")
    assert few["series"][0]["analysable"] is False
    assert few["series"][0]["reason"].startswith("Too few slices")
    assert document["ignored"] == [
        {"path": str(tmp_path / "notes.txt"), "reason": document["ignored"][0]["reason"]},
    ]


def test_people_see_every_series_and_what_happens_to_it(bench, tmp_path, capsys):
    bench.save(bench.Painted().datasets(), tmp_path / "good")
    bench.save(bench.Painted(shape=(5, 9, 8), series_uid="1.2.7", study_uid="1.2.8").datasets(), tmp_path / "[b]\n")
    (tmp_path / "bad\nname").write_text("x")
    assert inspect([tmp_path], as_json=False) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "good good 24 2.50 x 3.00 x 2.00 analysed." in text
    assert "Too few slices: 5" in text
    assert "[b]\\n" in text
    assert "bad\\nname" in text
    assert "1 would be analysed, 1 refused." in text


def test_nothing_to_analyse_is_told_by_the_exit_code(tmp_path, capsys):
    assert inspect([tmp_path], as_json=False) == 1
    assert "No series found." in capsys.readouterr().out
