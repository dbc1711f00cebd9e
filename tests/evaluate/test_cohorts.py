"""Cases paired, refused and broken ones told, and nothing lost on the way."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leakseg.errors import ConfigError
from leakseg.evaluate import evaluate, figures
from leakseg.evaluate.folders import read_cohort
from leakseg.evaluate.listings import case_listing, leak_listings
from leakseg.evaluate.scoring import score

BOX = ((2, 7), (2, 7), (2, 7))
NO_UIDS = {"study_instance_uid": None, "series_instance_uid": None}
FAR = ((20, 25), (20, 25), (20, 25))


def test_cases_pair_by_study_before_case_id(bench, leak):
    bench.truth_case("a", [leak(1)], {1: BOX}, study_instance_uid="1.2.3")
    bench.truth_case("b", [leak(1)], {1: FAR}, study_instance_uid="1.2.4")
    bench.told_case("b", [leak(1)], {1: BOX}, series={"study_instance_uid": "1.2.3"})
    bench.told_case("a", [leak(1)], {1: FAR}, series={"study_instance_uid": "1.2.4"})
    assert [row.outcome for row in bench.score().rows()] == ["detected", "detected"]


def test_a_case_id_of_another_study_is_no_pair(bench, leak):
    bench.truth_case("a", [leak(1)], {1: BOX}, study_instance_uid="1.2.3")
    bench.told_case("a", [leak(1)], {1: BOX}, series={"study_instance_uid": "9.9.9"})
    told = bench.score()
    assert [case.status for case in told.cases] == ["no_result"]
    assert told.without_truth == ("a",)


def test_two_truth_cases_do_not_share_a_result(bench, leak):
    bench.truth_case("a", [leak(1)], {1: BOX}, study_instance_uid="1.2.3")
    bench.truth_case("b", [leak(1)], {1: BOX}, study_instance_uid="1.2.3")
    bench.told_case("x", [leak(1)], {1: BOX}, series={"study_instance_uid": "1.2.3"})
    told = bench.score()
    assert [case.case_id for case in told.cases] == ["a"]
    assert [one.message for one in told.bad_truth] == ["Another truth case has the result 'x' already."]


def test_of_several_series_the_one_that_truth_was_drawn_on_is_scored(bench, leak):
    bench.truth_case("a", [leak(1)], {1: BOX}, study_instance_uid="1.2", series_instance_uid="1.2.2")
    bench.told_case("x", [], series={"study_instance_uid": "1.2", "series_instance_uid": "1.2.1"})
    bench.told_case("y", [leak(1)], {1: BOX}, series={"study_instance_uid": "1.2", "series_instance_uid": "1.2.2"})
    assert [row.outcome for row in bench.score().rows()] == ["detected"]


def test_refused_failed_and_missing_cases_count_and_are_listed(bench, leak):
    for case_id in ("refused", "failed", "gone", "done"):
        bench.truth_case(case_id, [leak(1, volume_mm3=125.0)], {1: BOX})
    bench.told_case("done", [leak(1)], {1: BOX})
    ended = [
        {"case_id": "refused", "status": "refused", "reason": "Slice missing.", **NO_UIDS},
        {"case_id": "failed", "status": "failed", "reason": "A fault.", **NO_UIDS},
        {"case_id": "done", "status": "done", "reason": None, **NO_UIDS},
    ]
    (bench.results / "run.json").write_text(json.dumps({"cases": ended}))
    document = evaluate(bench.results, bench.truth).document
    cases = document["cases"]
    assert [cases[status] for status in ("truth", "scored", "done", "refused", "failed", "no_result")] == [
        4, 4, 1, 1, 1, 1,
    ]  # fmt: skip
    assert [(case["case_id"], case["reason"]) for case in cases["not_done"]] == [
        ("failed", "A fault."),
        ("gone", "the results do not name this case"),
        ("refused", "Slice missing."),
    ]
    assert (document["detection"]["sensitivity"]["all"]["k"], document["detection"]["sensitivity"]["all"]["n"]) == (
        1,
        4,
    )
    assert document["detection"]["sensitivity"]["from_20_mm3_cases_done"]["n"] == 1
    assert document["naming"]["all_right"]["of_all_truth_leaks"]["n"] == 4
    assert document["detection"]["false_positives_per_case"]["n"] == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "holds no JSON object"),
        ("{}", "has no list 'leaks'"),
        ('{"leaks": [{"type": "venous", "level": "L1"}]}', "Leak 1 in truth.json has no id"),
        (
            '{"leaks": [{"id": 1, "type": "sideways", "level": "L1"}]}',
            "has the type 'sideways'; expected one of epidural",
        ),
        ('{"leaks": [{"id": 1, "type": "venous", "level": "26"}]}', "has the level '26'; expected a name such as L1"),
        ('{"leaks": [{"id": "one", "type": "venous", "level": "L1"}]}', "has the id 'one'; expected a whole number"),
        ('{"leaks": [{"id": 1, "type": "venous", "level": "L1", "volume_mm3": "big"}]}', "volume_mm3 is not a number"),
        (
            '{"leaks": [{"id": 1, "type": "venous", "level": "L1"}, {"id": 1, "type": "venous", "level": "L1"}]}',
            "same id",
        ),
    ],
)
def test_bad_truth_is_one_sentence_and_the_others_go_on(bench, leak, text, told):
    bench.truth_case("good", [leak(1)], {1: BOX})
    bench.truth_case("bad", [])
    (bench.truth / "bad" / "truth.json").write_text(text)
    bench.told_case("good", [leak(1)], {1: BOX})
    document = evaluate(bench.results, bench.truth).document
    (problem,) = document["cases"]["bad_truth"]
    assert problem["case_id"] == "bad"
    assert told in problem["reason"]
    assert problem["reason"].count(". ") == 0
    assert document["detection"]["sensitivity"]["all"]["n"] == 1


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"side": "Left"}, "has the side 'Left'; expected one of left, right, midline, bilateral"),
        ({"route": "basivertebral"}, "has the route 'basivertebral'; expected one of B"),
        ({"subtype": "soft"}, "has the subtype 'soft'; expected one of"),
        ({"segment": "L1-L2"}, "has the segment 'L1-L2'; expected L1, or L1/L2"),
        ({"segment": ["L1"]}, "has the segment"),
        ({"volume_mm3": -5.0}, "volume_mm3 is not a volume of 0 mm³ or more"),
        ({"canal_encroachment_fraction": 27.0}, "canal_encroachment_fraction is not a fraction between 0 and 1"),
        ({"confidence": 1.5}, "confidence is not between 0 and 1"),
    ],
)
def test_a_value_that_is_none_of_its_kind_is_told_and_not_scored_as_wrong(bench, leak, fields, told):
    bench.truth_case("a", [leak(1, **fields)], {1: BOX})
    bench.told_case("a", [leak(1)], {1: BOX})
    (problem,) = bench.score().bad_truth
    assert told in problem.message


def test_fields_that_are_null_are_no_fault(bench, leak):
    names = ("side", "route", "subtype", "segment", "volume_mm3", "canal_encroachment_fraction")
    bench.truth_case("a", [leak(1, **dict.fromkeys(names))], {1: BOX})
    bench.told_case("a", [leak(1, **dict.fromkeys((*names, "confidence")))], {1: BOX})
    assert [row.outcome for row in bench.score().rows()] == ["detected"]


def test_a_document_of_another_schema_version_is_refused(bench, leak):
    for case_id, version in (("a", "1.7"), ("b", "2.0")):
        bench.truth_case(case_id, [leak(1)], {1: BOX}, schema_version=version)
        bench.told_case(case_id, [leak(1)], {1: BOX}, schema_version="1.0")
    (problem,) = bench.score().bad_truth
    assert problem.case_id == "b"
    assert "truth.json is of schema version 2.0" in problem.message


def test_a_damaged_truth_labelmap_is_one_sentence_and_a_damaged_told_one_counts_as_missed(bench, leak):
    for case_id in ("a", "b", "c"):
        bench.truth_case(case_id, [leak(1)], {1: BOX})
        bench.told_case(case_id, [leak(1)], {1: BOX})
    (bench.truth / "a" / "truth_leaks.nii.gz").write_bytes(b"torn")
    (bench.results / "b" / "leaks.nii.gz").write_bytes(b"torn")
    told = bench.score()
    assert [problem.case_id for problem in told.bad_truth] == ["a"]
    assert [(case.case_id, case.status) for case in told.cases] == [("b", "unreadable"), ("c", "done")]
    assert [row.outcome for row in told.rows()] == ["missed", "detected"]


def test_a_damaged_result_counts_as_missed(bench, leak):
    bench.truth_case("a", [leak(1)], {1: BOX})
    bench.told_case("a", [])
    (bench.results / "a" / "report.json").write_text("torn")
    told = bench.score()
    assert [(case.status, case.reason) for case in told.cases] == [
        ("unreadable", "report.json cannot be read as JSON.")
    ]
    assert [row.outcome for row in told.rows()] == ["missed"]


def test_a_labelmap_with_a_leak_that_nobody_lists_is_told(bench, leak):
    bench.truth_case("a", [leak(1)], {1: BOX, 2: FAR})
    bench.truth_case("b", [leak(1)], {1: BOX})
    bench.told_case("b", [leak(1)], {1: BOX, 9: FAR})
    told = bench.score()
    assert [(one.case_id, "voxels of 2" in one.message) for one in told.bad_truth] == [("a", True)]
    assert [(one.case_id, "voxels of 9" in one.message) for one in told.bad_results] == [("b", True)]


def test_groups_of_the_truth_are_scored_on_their_own_too(bench, leak):
    for case_id, group in (("a", "thin"), ("b", "thick"), ("c", "thick")):
        bench.truth_case(case_id, [leak(1)], {1: BOX}, group=group)
    bench.told_case("a", [leak(1)], {1: BOX})
    bench.told_case("b", [leak(1, "venous")], {1: BOX})
    bench.told_case("c", [leak(1)], {1: BOX})
    evaluation = evaluate(bench.results, bench.truth)
    groups = evaluation.document["groups"]
    assert {name: (one["naming"]["accuracy"]["k"], one["cases"]["done"]) for name, one in groups.items()} == {
        "thick": (1, 2),
        "thin": (1, 1),
    }
    (table,) = [table for table in evaluation.tables() if table.name == "groups"]
    assert ("thick", "type accuracy, detected leaks", 0.5, 1, 2) in [row[:5] for row in table.rows]


def test_a_table_and_labelmaps_by_case_id_are_enough_for_a_third_party(bench, leak):
    bench.told_case("a", [leak(1, side="left")], {1: BOX})
    bench.told_case("b", [])
    bench.truth_case("a", [], {7: BOX})
    (bench.truth / "a" / "truth.json").unlink()
    (bench.truth / "leaks.csv").write_text("case_id,id,type,level,side\na,7,epidural,L1,left\nb,,,,\n")
    document = evaluate(bench.results, bench.truth).document
    assert document["cases"]["scored"] == 2
    assert document["naming"]["fields"]["side"]["k"] == 1
    assert document["naming"]["fields"]["route"]["n"] == 0, "nobody told a route"
    assert document["detection"]["leak_free_cases_told_so"]["k"] == 1


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["venous", "L1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = ["id", "type", "level", "side", "volume_mm3", "confidence", "centroid_mm", "canal_encroachment_fraction"]
LEAKS = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES) | st.fixed_dictionaries(
    {"id": st.integers(1, 3), "type": st.just("venous"), "level": st.just("L1")},
    optional=dict.fromkeys(NAMES[3:], VALUES),
) | VALUES, max_size=3)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    leaks=LEAKS | VALUES,
    more=st.dictionaries(st.sampled_from(["case_id", "series", "study_instance_uid", "group"]), VALUES),
)
def test_whatever_a_document_holds_it_is_scored_or_told(bench, leaks, more):
    for side in ("truth", "results"):
        folder = bench.truth.parent / "fuzz" / side / "a"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "leaks.json").write_text(json.dumps({"case_id": "a", "leaks": leaks, **more}))
    truth, results = (read_cohort(bench.truth.parent / "fuzz" / side, side) for side in ("truth", "results"))
    told = score(truth, results)
    assert len(told.cases) + len(told.bad_truth) == 1
    assert all(problem.message.endswith(".") for problem in (*told.bad_truth, *told.bad_results))
    case_listing(told), leak_listings(told)


@pytest.mark.parametrize("text", ["torn", "{}", '{"cases": [1]}', '{"cases": [{"status": "refused"}]}'])
def test_a_damaged_run_json_is_told_for_refused_cases_would_be_lost(bench, leak, text):
    bench.told_case("a", [])
    (bench.results / "run.json").write_text(text)
    with pytest.raises(ConfigError, match=r"run.json in .* is damaged"):
        read_cohort(bench.results, "results")


def test_linked_case_folders_are_read_and_a_link_into_itself_ends(bench, leak, tmp_path):
    bench.truth_case("a", [leak(1)], {1: BOX})
    elsewhere = tmp_path / "elsewhere"
    bench.truth.rename(elsewhere)
    bench.truth.mkdir()
    (bench.truth / "a").symlink_to(elsewhere / "a", target_is_directory=True)
    (elsewhere / "a" / "again").symlink_to(bench.truth, target_is_directory=True)
    assert [case.case_id for case in read_cohort(bench.truth, "truth").cases] == ["a"]


def test_folders_without_cases_are_told(bench, tmp_path):
    with pytest.raises(ConfigError, match="There is no folder"):
        read_cohort(tmp_path / "nowhere", "truth")
    bench.truth.mkdir()
    with pytest.raises(ConfigError, match="No case was found"):
        read_cohort(bench.truth, "truth")
    (bench.truth / "leaks.csv").write_text("case,kind\na,b\n")
    with pytest.raises(ConfigError, match="needs the columns case_id, id, type and level; it has case, kind"):
        read_cohort(bench.truth, "truth")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_readers_table_as_spreadsheets_save_it(bench, leak, delimiter):
    bench.truth.mkdir()
    rows = ["case_id,id,type,level,side", "a,1,venous,L1,left", '"b",,,,']
    text = "\ufeff" + "\r\n".join(rows).replace(",", delimiter) + "\r\n"
    (bench.truth / "leaks.csv").write_bytes(text.encode())
    a, b = read_cohort(bench.truth, "truth").cases
    assert [(one.id, one.type, one.level) for one in a.leaks] == [(1, "venous", "L1")]
    assert (b.case_id, b.leaks) == ("b", ())


def test_results_set_aside_are_not_results(bench, leak):
    bench.truth_case("a", [leak(1)], {1: BOX})
    bench.told_case("a", [leak(1)], {1: BOX}, into=bench.results / ".superseded")
    bench.told_case("b", [])
    assert [case.status for case in bench.score().cases] == ["no_result"]


def test_the_policy_names_every_way_a_case_can_end():
    assert all(word in figures.POLICY for word in ("refused", "failed", "unreadable", "not named", "without truth"))
