"""The rules classifier: place from geometry, vein or lump from shape and course, route from the exit.

Each decision is told by its criteria: measured value, limit, met or not. Definitions: Yeom et al. 2003
(J Bone Joint Surg Br 85:83-9) and its extension D for routes, Lee zones for foramina.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from leakseg.criteria import ClassifyCriteria
from leakseg.findings import Evidence, Judgement, LeakCandidate, LeakRoute, LeakSubtype, LeakType

_PLACE_TYPES = {"canal": LeakType.EPIDURAL, "foramen": LeakType.FORAMINAL, "disc": LeakType.INTRADISCAL}
_OVERRULED = -1.5
"""Margin where the place by the masks is overruled: under the border, so that a reader is asked."""


@dataclass
class _Rules:
    """One candidate's measured values, and the criteria asked of them so far."""

    features: dict[str, float | None]
    evidence: list[Evidence] = field(default_factory=list)

    def get(self, name: str) -> float:
        value = self.features.get(name)
        return math.nan if value is None else value

    def at_least(self, name: str, limit: float, unit: str) -> bool:
        """Ask ``name >= limit`` and keep the answer; not measurable is not met."""
        return self._ask(f"{name} >= limit", name, limit, unit, self.get(name) >= limit)

    def at_most(self, name: str, limit: float, unit: str) -> bool:
        """Ask ``name <= limit`` and keep the answer; not measurable is not met."""
        return self._ask(f"{name} <= limit", name, limit, unit, self.get(name) <= limit)

    def _ask(self, text: str, name: str, limit: float, unit: str, met: bool) -> bool:
        self.evidence.append(Evidence(text, self.features.get(name), limit, unit, bool(met)))
        return bool(met)


@dataclass(frozen=True)
class RuleClassifier:
    """Names leaks by stated rules on measured values."""

    criteria: ClassifyCriteria = field(default_factory=ClassifyCriteria)
    name: str = "rules"
    version: str = "1.0"

    def classify(self, candidate: LeakCandidate) -> Judgement:
        """Judge one candidate."""
        rules = _Rules(candidate.features)
        if candidate.place in _PLACE_TYPES:
            share = rules.get(f"{candidate.place}_fraction")
            rules.at_least(f"{candidate.place}_fraction", 0.5, "1")
            kind, subtype, margin = _PLACE_TYPES[candidate.place], None, 2.0 * (share - 0.5)
            if kind == LeakType.EPIDURAL:
                subtype = self._epidural_subtype(rules)
        else:
            kind, subtype, margin = self._outside(rules)
        route = self._route(rules, kind, subtype)
        return Judgement(kind, subtype, route, self._confidence(rules, margin), tuple(rules.evidence))

    def _confidence(self, rules: _Rules, margin: float) -> float:
        """Probability that the type is right: a logistic of four signs (see `ClassifyCriteria`)."""
        limit = self.criteria
        touches = rules.features.get("exit_area_mm2") is not None
        spacing = rules.get("coarsest_spacing_mm")
        logit = (
            limit.confidence_at_border
            + limit.confidence_by_margin * (min(max(margin, _OVERRULED), 1.0) if math.isfinite(margin) else 0.0)
            - limit.confidence_detached * (not touches)
            - limit.confidence_coarse_per_mm * max(0.0, spacing - 1.0 if math.isfinite(spacing) else 0.0)
        )
        return round(1.0 / (1.0 + math.exp(-logit)), 4)

    def _epidural_subtype(self, rules: _Rules) -> LeakSubtype | None:
        if self._through_medial_pedicle_wall(rules):
            return LeakSubtype.PEDICLE_BREACH
        if not rules.at_least("front_half_fraction", self.criteria.central_share, "1"):
            return None
        lateral = max(rules.get("left_third_fraction"), rules.get("right_third_fraction"))
        central = rules.at_least("middle_third_fraction", lateral, "1")
        return LeakSubtype.CENTRAL if central else LeakSubtype.PARACENTRAL

    def _through_medial_pedicle_wall(self, rules: _Rules) -> bool:
        """Cement left a pedicle inward: behind the posterior wall, at pedicle height, at the medial wall."""
        if rules.features.get("exit_area_mm2") is None:
            share = self.criteria.breach_min_share
            return (
                rules.at_least("behind_wall_mm", self.criteria.breach_behind_wall_mm, "mm")
                and rules.at_least("pedicle_height_share", share, "1")
                and rules.at_least("lateral_third_fraction", share, "1")
            )
        return (
            rules.at_least("exit_behind_wall_mm", self.criteria.breach_behind_wall_mm, "mm")
            and rules.at_least("exit_medial_of_pedicle_mm", -self.criteria.wall_mm, "mm")
            and rules.at_most("exit_medial_of_pedicle_mm", self.criteria.wall_mm, "mm")
            and rules.at_least("exit_pedicle_height_fraction", self.criteria.breach_pedicle_margin, "1")
            and rules.at_most("exit_pedicle_height_fraction", 1 + self.criteria.breach_pedicle_margin, "1")
        )

    def _outside(self, rules: _Rules) -> tuple[LeakType, LeakSubtype | None, float]:
        """Vein, needle track or lump: by shape and by the course round the body."""
        limit = self.criteria
        behind = rules.at_least("behind_wall_fraction", limit.track_min_behind_fraction, "1")
        if behind and self._between_the_pedicles(rules):
            return LeakType.EPIDURAL, self._epidural_subtype(rules), _OVERRULED
        least = limit.vein_min_elongation if rules.get("width_mm") <= limit.vein_thin_mm else limit.wide_vein_elongation
        strand = rules.at_least("elongation", least, "1")
        thin = rules.at_most("width_mm", limit.vein_max_width_mm, "mm")
        away = min(
            math.log(max(rules.get("elongation"), 0.1) / least),
            2 * math.log(limit.vein_max_width_mm / max(rules.get("width_mm"), 0.1)),
        )
        if behind:
            if rules.at_least("elongation", limit.track_min_elongation, "1") or rules.at_most(
                "width_mm", limit.track_max_width_mm, "mm"
            ):
                return LeakType.PARAVERTEBRAL, LeakSubtype.NEEDLE_TRACK, 2.0 * (rules.get("behind_wall_fraction") - 0.5)
            return LeakType.PARAVERTEBRAL, LeakSubtype.SOFT_TISSUE, -away
        if strand and thin:
            return LeakType.VENOUS, self._venous_subtype(rules), away
        if self._stump(rules):
            return LeakType.VENOUS, self._venous_subtype(rules), -0.5
        return LeakType.PARAVERTEBRAL, LeakSubtype.SOFT_TISSUE, -away

    def _between_the_pedicles(self, rules: _Rules) -> bool:
        """A canal mask that leaves cement out puts it outside: no needle runs between canal and pedicle."""
        return rules.at_most("distance_to_canal_mm", self.criteria.in_canal_max_gap_mm, "mm") and rules.at_least(
            "medial_of_pedicle_share", 0.5, "1"
        )

    def _stump(self, rules: _Rules) -> bool:
        """The first millimetres of a vein: thin, and out of the bone by an exit no broader than itself."""
        return rules.at_most("width_mm", self.criteria.stump_max_width_mm, "mm") and rules.at_most(
            "exit_breadth_ratio", self.criteria.stump_max_breadth, "1"
        )

    def _venous_subtype(self, rules: _Rules) -> LeakSubtype:
        limit = self.criteria
        front = rules.at_most("body_angle_deg", limit.front_max_angle_deg, "deg")
        away = rules.at_least("body_radius_ratio", limit.away_min_radius_ratio, "1")
        if away and rules.at_least("lengthwise_fraction", limit.away_min_rise, "1"):
            return LeakSubtype.CAVAL if front else LeakSubtype.ASCENDING_LUMBAR
        lengthwise = rules.at_least("lengthwise_fraction", limit.lengthwise_min_rise, "1")
        if lengthwise and front:
            return LeakSubtype.ANTERIOR_EXTERNAL
        if lengthwise:
            return LeakSubtype.ASCENDING_LUMBAR
        beside = rules.at_least("body_angle_deg", limit.rear_min_angle_deg, "deg")
        if (
            beside
            and rules.at_least("span_lengthwise_mm", limit.ascending_min_rise_mm, "mm")
            and rules.at_least("lengthwise_fraction", limit.ascending_min_rise, "1")
        ):
            return LeakSubtype.ASCENDING_LUMBAR
        if rules.at_most("lengthwise_fraction", limit.segmental_max_rise, "1"):
            return LeakSubtype.SEGMENTAL
        return LeakSubtype.ANTERIOR_EXTERNAL if front else LeakSubtype.OTHER

    def _route(self, rules: _Rules, kind: LeakType, subtype: LeakSubtype | None) -> LeakRoute | None:
        if subtype == LeakSubtype.NEEDLE_TRACK:
            return LeakRoute.NEEDLE
        if kind == LeakType.INTRADISCAL:
            return LeakRoute.DISC
        if rules.features.get("exit_area_mm2") is None:
            return None
        if kind == LeakType.EPIDURAL:
            basivertebral = self._out_of_the_wall(rules) and self._narrow_as_basivertebral(rules)
            return LeakRoute.BASIVERTEBRAL if basivertebral else LeakRoute.CORTICAL
        segmental = (kind == LeakType.VENOUS and self._narrow_as_segmental(rules)) or (
            kind == LeakType.FORAMINAL and self._segmental_into_foramen(rules)
        )
        return LeakRoute.SEGMENTAL if segmental else LeakRoute.CORTICAL

    def _out_of_the_wall(self, rules: _Rules) -> bool:
        """Where the basivertebral vein leaves: near the middle of the posterior wall."""
        limit = self.criteria
        middle = self._between(rules, limit.basivertebral_height_margin)
        midline = rules.at_most("exit_beside_mm", limit.basivertebral_max_beside_mm, "mm")
        at_wall = rules.at_most("exit_behind_wall_mm", limit.wall_mm, "mm")
        return middle and midline and at_wall

    def _narrow_as_basivertebral(self, rules: _Rules) -> bool:
        limit = self.criteria
        return (
            rules.at_most("exit_area_mm2", limit.basivertebral_exit_mm2, "mm2")
            or rules.at_most("exit_voxels", limit.least_exit_voxels, "1")
            or (self._no_broader(rules) and rules.at_most("exit_area_mm2", limit.narrow_exit_mm2, "mm2"))
        )

    def _narrow_as_segmental(self, rules: _Rules) -> bool:
        """A vein's shape tells the vein: it need not leave at the waist, as that of a crushed body lies at its ends."""
        return rules.at_most("exit_area_mm2", self.criteria.narrow_exit_mm2, "mm2") or self._no_broader(rules)

    def _segmental_into_foramen(self, rules: _Rules) -> bool:
        limit = self.criteria
        narrow = rules.at_most("exit_area_mm2", limit.narrow_exit_mm2, "mm2")
        waist = self._between(rules, limit.segmental_height_margin)
        strand = rules.at_least("elongation", limit.vein_min_elongation, "1")
        return waist and narrow and strand

    def _no_broader(self, rules: _Rules) -> bool:
        """Whether the exit is hardly broader than the strand behind it: no defect that a vein happens to meet."""
        return rules.at_most("exit_breadth_ratio", self.criteria.basivertebral_max_breadth, "1")

    def _between(self, rules: _Rules, margin: float) -> bool:
        """Whether the exit lies away from both endplates by that share of the height."""
        return rules.at_least("exit_height_fraction", margin, "1") and rules.at_most(
            "exit_height_fraction", 1 - margin, "1"
        )
