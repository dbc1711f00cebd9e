"""A leak classifier of one's own: a random forest on measured features, trained on phantoms. Start from here.

Make phantoms, measure them, pair what was found with the truth, train::

    leakseg phantom make cohort --count 100 --seed 7
    leakseg run cohort/scans --masks cohort/masks -o results
    leakseg evaluate results cohort/truth -o scores
    python forest_classifier.py results scores

Use it, and compare it with the rules on phantoms that it has not seen (another seed)::

    leakseg run unseen/scans --masks unseen/masks --classifier forest_classifier:ForestClassifier -o mine
    leakseg evaluate mine unseen/truth --against rules -o comparison
"""

import csv
import sys
from pathlib import Path

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier

from leakseg.findings import Judgement, LeakCandidate, LeakType

MODEL = Path(__file__).with_name("forest.joblib")


class ForestClassifier:
    """Names the type of a leak; subtype and route it leaves open."""

    name = "forest"
    version = "0.1"

    def __init__(self) -> None:
        self.columns, self.forest = joblib.load(MODEL)

    def classify(self, candidate: LeakCandidate) -> Judgement:
        """Judge one candidate; what cannot be measured is NaN, which the forest can take."""
        row = [candidate.features.get(column) for column in self.columns]
        shares = self.forest.predict_proba(np.array([row], dtype=float))[0]
        best = int(np.argmax(shares))
        return Judgement(LeakType(self.forest.classes_[best]), confidence=float(shares[best]))


def train(results: Path, scores: Path) -> int:
    """Train on the candidates of RESULTS that ``leakseg evaluate`` paired with a truth leak; how many there were."""
    truth = {
        (row["case_id"], row["told_id"]): row["truth_type"]
        for row in _rows(scores / "tables" / "leaks.csv")
        if row["truth_type"] and row["told_id"]
    }
    found = [row for path in sorted(results.glob("*/features.csv")) for row in _rows(path)]
    known = [row for row in found if (row["case_id"], row["id"]) in truth]
    columns = list(found[0])[list(found[0]).index("exiting_root") + 1 :]
    features = np.array([[float(row.get(column) or "nan") for column in columns] for row in known])
    types = [truth[row["case_id"], row["id"]] for row in known]
    forest = RandomForestClassifier(n_estimators=200, class_weight="balanced", random_state=0)
    joblib.dump((columns, forest.fit(features, types)), MODEL)
    return len(known)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


if __name__ == "__main__":
    print(train(Path(sys.argv[1]), Path(sys.argv[2])), "candidates learned from")
