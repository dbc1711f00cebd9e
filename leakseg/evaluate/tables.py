"""The evaluation as tables: one list that CSV, Markdown and HTML are all written from."""

from __future__ import annotations

from collections.abc import Iterable

from leakseg.evaluate.compare import COMPARISON
from leakseg.evaluate.figures import ATTRIBUTES, CONFIDENCE_BINS, MIN_MEASURED_MM3, MIN_SCORED_MM3
from leakseg.evaluate.listings import case_listing, cases_not_done, leak_listings
from leakseg.evaluate.scoring import Scores
from leakseg.evaluate.statistics import Json
from leakseg.evaluate.table import Cell, Table

_SHARE = ("value", "k", "n", "low_95", "high_95")


def make_tables(document: Json, scores: Scores) -> tuple[Table, ...]:
    """Every table, in the order of reading."""
    tables = [
        _headline(document),
        *([_groups(document["groups"])] if document["groups"] else []),
        cases_not_done(document["cases"]),
        *_detection(document["detection"]),
        *_naming(document["naming"]),
        *_measures(document["measures"]),
        _calibration(document["calibration"]),
    ]
    if document["comparisons"]:
        tables.append(_comparisons(document["comparisons"]))
    return (*tables, *leak_listings(scores), case_listing(scores))


def _headline(document: Json) -> Table:
    rows = tuple((text, *_share(figure)) for text, figure in _headlines(document))
    return Table("summary", "Summary", ("figure", *_SHARE), rows)


def _groups(groups: Json) -> Table:
    rows = [(name, text, *_share(figure)) for name, document in groups.items() for text, figure in _headlines(document)]
    return Table("groups", "Summary by group", ("group", "figure", *_SHARE), tuple(rows))


def _headlines(document: Json) -> list[tuple[str, Json]]:
    size = f"{MIN_SCORED_MM3:g}_mm3"
    found, named, measured = document["detection"], document["naming"], document["measures"]
    large = measured[f"volume_mm3_from_{MIN_MEASURED_MM3:g}_mm3"]
    return [
        (f"sensitivity, leaks ≥ {MIN_SCORED_MM3:g} mm³", found["sensitivity"][f"from_{size}"]),
        ("false positives per case", found["false_positives_per_case"]),
        ("extra pieces per case", found["extra_pieces_per_case"]),
        ("leak-free cases told so", found["leak_free_cases_told_so"]),
        ("type accuracy, detected leaks", named["accuracy"]),
        ("Cohen's kappa of the type", named["kappa"]),
        *((f"{name} accuracy, detected leaks", named["fields"][name]) for name in ATTRIBUTES[1:-1]),
        (
            f"type, level, segment and side all right, leaks ≥ {MIN_SCORED_MM3:g} mm³",
            named["all_right"][f"of_truth_leaks_from_{size}"],
        ),
        (
            f"volume, median absolute error relative to truth, leaks ≥ {MIN_MEASURED_MM3:g} mm³",
            large["median_relative_error"],
        ),
        (
            "canal encroachment, median absolute error",
            measured["canal_encroachment_fraction"]["median_absolute_error"],
        ),
        ("cement, median Dice", measured["cement"]["all"]["median_dice"]),
        ("confidence, expected calibration error", document["calibration"]["expected_calibration_error"]),
    ]


def _detection(found: Json) -> tuple[Table, ...]:
    sensitivity = found["sensitivity"]
    return (
        Table(
            "sensitivity_by_size",
            "Sensitivity by size of the truth leak",
            ("truth_leaks", *_SHARE),
            (
                *((name.replace("_", " "), *_share(one)) for name, one in sensitivity.items()),
                *((_bin(one["from_mm3"], one["below_mm3"]), *_share(one)) for one in found["by_size"]),
                *((one["type"], *_share(one)) for one in found["by_type"] if one["n"]),
            ),
        ),
        Table(
            "froc",
            "FROC: sensitivity against false positives, by confidence",
            ("min_confidence", "sensitivity", "false_positives_per_case"),
            tuple(
                (one["min_confidence"], one["sensitivity"], one["false_positives_per_case"]) for one in found["froc"]
            ),
            "Matches are kept as they are while the threshold moves; leaks without a confidence count at every one.",
            "froc",
        ),
    )


def _naming(named: Json) -> tuple[Table, ...]:
    confusion = named["confusion"]
    return (
        Table(
            "confusion",
            "Types: truth (rows) against told (columns)",
            ("truth", *confusion["columns_told"]),
            tuple((name, *counts) for name, counts in zip(confusion["rows_truth"], confusion["counts"], strict=True)),
            "Extra pieces are left out.",
            "confusion",
        ),
        Table(
            "per_type",
            "Recall and precision by type",
            ("type", "measure", *_SHARE),
            tuple(
                (one["type"], measure, *_share(one[measure]))
                for one in named["per_type"]
                for measure in ("recall", "precision")
                if one[measure]["n"]
            ),
            "Recall is over truth leaks (a missed one is not named), precision over told leaks without extra pieces.",
        ),
        Table(
            "fields",
            "Accuracy of each field, detected leaks",
            ("field", *_SHARE),
            tuple((name, *_share(one)) for name, one in named["fields"].items()),
        ),
    )


def _measures(measured: Json) -> tuple[Table, ...]:
    rows: list[tuple[Cell, ...]] = []
    for name in (key for key in measured if key != "cement"):
        one = measured[name]
        low, high = one["limits_of_agreement"]
        rows += [
            (name, figure, *_share(one[figure]))
            for figure in ("bias", "icc", "median_absolute_error", "median_relative_error")
        ]
        rows.append((name, "limits of agreement", None, None, one["n"], low, high))
    cement: list[tuple[Cell, ...]] = [
        (part, figure, *_share(one[figure]), one["both_empty"])
        for part, one in measured["cement"].items()
        for figure in ("median_dice", "median_surface_distance_mm", "median_hausdorff95_mm")
    ]
    return (
        Table(
            "measures",
            "Volume and canal encroachment, told minus truth",
            ("measure", "figure", *_SHARE),
            tuple(rows),
            "Bland and Altman's limits stand in the interval's columns. ICC(2,1): absolute agreement.",
            "volume",
        ),
        Table(
            "cement",
            "Cement masks",
            ("part", "figure", *_SHARE, "cases_both_empty"),
            tuple(cement),
            "Distances in mm between the masks' borders: mean of both directions, and the 95th percentile.",
        ),
    )


def _calibration(calibrated: Json) -> Table:
    return Table(
        "calibration",
        "Calibration of the confidence",
        ("confidence", "mean_confidence", "share_right", "k", "n", "low_95", "high_95"),
        tuple((f"{one['from']:g}-{one['to']:g}", one["mean_confidence"], *_share(one)) for one in calibrated["bins"]),
        f"{CONFIDENCE_BINS} bins of equal width; {calibrated['without_confidence']} told leaks have no confidence. "
        "Right: of the type of the truth leak it stands for; a false positive is wrong.",
        "reliability",
    )


def _comparisons(entries: Iterable[Json]) -> Table:
    return Table(
        "comparisons",
        "Against other results",
        (
            "against",
            "others_cases_done",
            "question",
            "these_k",
            "others_k",
            "n",
            "only_these_right",
            "only_others_right",
            "p",
            "p_holm",
        ),
        tuple(
            (
                one["against"],
                one["others_cases_done"],
                one["question"],
                one["these"]["k"],
                one["others"]["k"],
                one["these"]["n"],
                one["only_these_right"],
                one["only_others_right"],
                one["p"],
                one["p_holm"],
            )
            for one in entries
        ),
        COMPARISON,
    )


def _share(one: Json) -> tuple[Cell, ...]:
    return (one["value"], one.get("k"), one["n"], one["low"], one["high"])


def _bin(low: float, high: float | None) -> str:
    return f"{low:g} mm³ and more" if high is None else f"{low:g} to under {high:g} mm³"
