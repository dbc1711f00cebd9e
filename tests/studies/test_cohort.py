"""`leakseg cohort`: the figures printed in the founding study, the joins, the checks, and what is left out.

The paper: Pain Physician 2020;23:E377-E388, twelve patients with intraspinal cement after vertebroplasty. Its table
prints VAS of eight patients before surgery (with leg pain; the paper calls them "foraminal"), JOA-29 of twelve, mean
operative times of its two groups, the follow-up and Macnab's grades. The values below are those printed there.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest
from scipy import stats

VAS = [5, 6, 6, 6, 7, 7, 7, 8]
JOA = [21, 20, 19, 19, 19, 19, 18, 18, 19, 18, 18, 17]
MINUTES = [53.60] * 5 + [74.00] * 7
MACNAB = ["excellent"] * 3 + ["good"] * 5 + ["fair"] * 2


def run(*arguments, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "leakseg", "cohort", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done


def table(path, columns):
    """A clinical table of twelve patients; shorter columns end in empty entries."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["case_id", *columns])
        for number in range(12):
            rows.writerow([f"p{number + 1}", *(v[number] if number < len(v) else "" for v in columns.values())])
    return path


@pytest.fixture
def paper(tmp_path):
    return table(
        tmp_path / "clinical.csv",
        {
            "leak_type": ["foraminal"] * 5 + ["epidural"] * 7,
            "vas_preop": VAS,
            "joa29_preop": JOA,
            "operative_time_min": MINUTES,
            "macnab": MACNAB,
            "followup_months": [12] * 10,
        },
    )


def document(out):
    return json.loads((out / "cohort.json").read_text(encoding="utf-8"))


def test_the_papers_figures(paper, tmp_path):
    run("none", paper, "-o", tmp_path / "out")
    told = document(tmp_path / "out")
    everybody = told["groups"]["all"]
    vas, joa = everybody["vas_preop"], everybody["joa29_preop"]
    assert (vas["n"], vas["missing"], round(vas["mean"], 2), round(vas["sd"], 2)) == (8, 4, 6.50, 0.93)
    assert (joa["n"], round(joa["mean"], 2), round(joa["sd"], 2)) == (12, 18.75, 1.06)
    minutes = {name: told["groups"][name]["operative_time_min"] for name in ("foraminal", "epidural", "all")}
    assert [(m["n"], round(m["mean"], 2)) for m in minutes.values()] == [(5, 53.60), (7, 74.00), (12, 65.50)]
    followup, macnab = told["rates"]["followup"], told["rates"]["macnab_good_excellent"]
    assert (followup["k"], followup["n"], round(100 * followup["value"], 1)) == (10, 12, 83.3)
    assert (macnab["k"], macnab["n"], macnab["value"]) == (8, 10, 0.8)
    assert told["categories"]["macnab"]["all"] == {"excellent": 3, "good": 5, "fair": 2, "poor": 0, "missing": 2}


def test_tables_and_pages_say_the_same(paper, tmp_path):
    run("none", paper, "-o", tmp_path / "out")
    groups = list(csv.DictReader((tmp_path / "out/tables/groups.csv").read_text(encoding="utf-8").splitlines()))
    vas = next(row for row in groups if (row["measure"], row["time"], row["group"]) == ("vas", "preop", "all"))
    assert (vas["mean ± SD"], vas["median (range)"], vas["n"], vas["missing"]) == (
        "6.50 ± 0.93",
        "6.50 (5 to 8)",
        "8",
        "4",
    )
    for name in ("cohort.md", "cohort.html"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert "6.50 ± 0.93" in text
        assert "not a medical device" in text


def test_the_same_table_gives_the_same_bytes(paper, tmp_path):
    for name in ("one", "two"):
        run("none", paper, "-o", tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert files
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in files)


def test_two_groups_by_mann_whitney(paper, tmp_path):
    run("none", paper, "-o", tmp_path / "out")
    tests = [one for one in document(tmp_path / "out")["tests"] if one["column"] == "joa29_preop"]
    assert [one["test"] for one in tests] == ["Mann-Whitney U"]
    expected = stats.mannwhitneyu(JOA[5:], JOA[:5])
    assert tests[0]["groups"] == ["epidural", "foraminal"]
    assert tests[0]["statistic"] == pytest.approx(expected.statistic)
    assert tests[0]["p"] == pytest.approx(expected.pvalue, rel=1e-3)
    assert tests[0]["n"] == 12


def test_three_groups_by_anova_and_kruskal_and_time_by_pairs(tmp_path):
    before, after = [6, 7, 8, 5, 6, 7, 8, 9, 7, 6, 5, 8], [2, 3, 2, 1, 2, 4, 3, 3, 2, 1]
    path = table(
        tmp_path / "c.csv",
        {"symptom": ["pain"] * 4 + ["weakness"] * 4 + ["both"] * 4, "vas_preop": before, "vas_last": after},
    )
    run("none", path, "-o", tmp_path / "out", "--by", "symptom")
    tests = document(tmp_path / "out")["tests"]
    named = {one["test"]: one for one in tests if one["column"] == "vas_preop" and len(one["groups"]) == 3}
    groups = [before[8:], before[:4], before[4:8]]
    assert named["one-way ANOVA"]["statistic"] == pytest.approx(stats.f_oneway(*groups).statistic, abs=1e-6)
    assert named["Kruskal-Wallis"]["p"] == pytest.approx(stats.kruskal(*groups).pvalue, rel=1e-3)
    paired = {one["test"]: one for one in tests if one.get("to") == "vas_last" and one["groups"] == ["all"]}
    assert paired["paired t"]["n"] == 10
    assert paired["paired t"]["statistic"] == pytest.approx(stats.ttest_rel(after, before[:10]).statistic, abs=1e-6)
    assert paired["Wilcoxon signed-rank"]["p"] < 0.01
    assert (tmp_path / "out/plots/course.png").is_file()


def report(folder, case_id, kinds, *, bilateral=False, volume=100.0):
    leaks = [{"type": kind, "canal_encroachment_fraction": 0.2 if kind == "epidural" else None} for kind in kinds]
    folder.joinpath(case_id).mkdir(parents=True)
    told = {
        "case_id": case_id,
        "series": {"study_instance_uid": f"2.25.{case_id[1:]}"},
        "leaks": leaks,
        "levels": [{"treated": True, "canal_encroachment_fraction": None}],
        "cement": {"leaked_volume_mm3": volume},
        "patient_pattern": {"bilateral": bilateral, "combined": False, "profuse": False},
        "surgical_note": {"approach": "B", "staged": bilateral} if "epidural" in kinds else None,
    }
    folder.joinpath(case_id, "report.json").write_text(json.dumps(told), encoding="utf-8")


def test_joined_with_results_by_case_or_by_study(tmp_path):
    results = tmp_path / "results"
    report(results, "p1", ["epidural"], bilateral=True, volume=300.0)
    report(results, "p2", ["epidural", "foraminal"])
    report(results, "p3", [])
    report(results, "p9", ["venous"])
    path = tmp_path / "c.csv"
    path.write_text(
        "case_id,study_instance_uid,leak_type,leak_type_second,blood_loss_ml,patient_name\n"
        "p1,,epidural,epidural,10,Doe\n"
        ",2.25.2,epidural+foraminal,epidural,20,Roe\n"
        "p3,,,none,30,Poe\n"
        "p4,,venous,venous,40,Moe\n",
        encoding="utf-8",
    )
    run(results, path, "-o", tmp_path / "out", code=1)
    told = document(tmp_path / "out")
    assert told["counts"]["patients_by_group"] == {"epidural": 1, "venous": 1, "combined": 1, "none": 1}
    assert told["counts"]["leaks_by_type"] == {"epidural": 2, "foraminal": 1}
    assert told["counts"]["patterns"]["bilateral"]["k"] == told["counts"]["patterns"]["staged"]["k"] == 1
    assert told["groups"]["all"]["leaked_volume_mm3"]["n"] == 3
    assert told["groups"]["all"]["leaked_volume_mm3"]["missing"] == 1
    assert told["groups"]["epidural"]["leaked_volume_mm3"]["max"] == 300.0
    assert told["patients"]["lines_without_result"] == [5]
    assert told["patients"]["cases_without_row"] == ["p9"]
    kappas = {tuple(one["raters"]): one for one in told["agreement"]}
    assert kappas["leak_type", "leakseg"]["n"] == 2
    assert kappas["leak_type_second", "leakseg"]["agreed"] == 2
    assert kappas["leak_type", "leak_type_second", "leakseg"]["statistic"] == "Fleiss' kappa"
    whole = "".join(file.read_text("utf-8", "replace") for file in (tmp_path / "out").rglob("*.*"))
    assert "Doe" not in whole
    assert told["patients"]["columns_left_out"] == ["patient_name"]


def test_kappa_of_two_readers_is_cohens(tmp_path):
    one = ["epidural"] * 6 + ["foraminal"] * 6
    other = ["epidural"] * 4 + ["foraminal"] * 8
    path = table(tmp_path / "c.csv", {"leak_type": one, "leak_type_b": other})
    run("none", path, "-o", tmp_path / "out")
    told = document(tmp_path / "out")["agreement"][0]
    agreed, chance = 10 / 12, (6 * 4 + 6 * 8) / 144
    assert told["value"] == pytest.approx((agreed - chance) / (1 - chance), abs=1e-6)
    assert told["low"] < told["value"] < told["high"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,age\nx,3\n", "no column case_id"),
        ("case_id,age\n", "no patient"),
        ("", "empty"),
        ("case_id,age\np1,old\n", "column age: found 'old'"),
        ("case_id,age\np1,61\np2,200\n", "Line 3 of the clinical table, column age: found '200'"),
        ("case_id,vas_preop\np1,11\n", "from 0 to 10"),
        ("case_id,vas_preop\np1,6;5\n", "a point in decimals"),
        ("case_id,macnab\np1,great\n", "excellent, good, fair, poor"),
        ("case_id,leak_type\np1,spinal\n", "epidural, foraminal"),
        ("case_id,treated_levels\np1,L9\n", "names such as L1"),
        ("case_id,age\np1,61\np1,62\n", "Lines 2 and 3"),
        ("case_id,age\np1,61,7\n", "Line 2 of the clinical table has 3 entries"),
        ("case_id,age\n,61\n", "neither case_id nor study_instance_uid"),
        ("case_id,age,age\np1,6,6\n", "two of one name"),
    ],
)
def test_a_wrong_table_is_told_in_one_sentence(tmp_path, text, words):
    path = tmp_path / "c.csv"
    path.write_text(text, encoding="utf-8")
    done = run("none", path, "-o", tmp_path / "out", code=2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_semicolons_and_a_byte_order_mark_are_read(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("case_id;age;sex\np1;61;F\np2;;m\n", encoding="utf-8-sig")
    run("none", path, "-o", tmp_path / "out")
    told = document(tmp_path / "out")
    assert (told["groups"]["all"]["age"]["n"], told["groups"]["all"]["age"]["missing"]) == (1, 1)
    assert told["categories"]["sex"]["all"] == {"female": 1, "male": 1, "missing": 0}


def test_results_that_are_none_are_told(tmp_path):
    path = table(tmp_path / "c.csv", {"age": [61]})
    (tmp_path / "empty").mkdir()
    assert "No finished case" in run(tmp_path / "empty", path, "-o", tmp_path / "out", code=2).stderr
    assert "There is no results folder" in run(tmp_path / "gone", path, "-o", tmp_path / "out", code=2).stderr
