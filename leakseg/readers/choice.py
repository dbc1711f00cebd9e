"""Which reconstruction of a study is best for cement: axial, the whole length, thin, a soft kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from leakseg.criteria import ReadingCriteria
from leakseg.findings import QualityNote
from leakseg.readers.beside import OUTSIDE_MM
from leakseg.readers.fitness import SOFT, is_reformat, kernel_kind
from leakseg.readers.inventory import SeriesEntry
from leakseg.readers.stack import Stack


@dataclass(frozen=True, eq=False)
class Candidate:
    """A series that can be analysed, with its stack."""

    entry: SeriesEntry
    stack: Stack
    order: int

    @property
    def axial(self) -> bool:
        """Whether the slices follow one another mainly from foot to head."""
        normal = abs(self.stack.normal)
        return bool(normal[2] >= max(normal[0], normal[1]))

    @property
    def reformat(self) -> bool:
        """Whether it was computed from another series."""
        return is_reformat(self.stack.slices[0].image)

    @property
    def length_mm(self) -> float:
        """Patient height covered."""
        low, high = self.stack.z_range_mm()
        return high - low

    @property
    def thickness_mm(self) -> float:
        """What one slice blurs over: its thickness, or the spacing where that is larger or it is not told."""
        return max(self.stack.slices[0].image.slice_thickness_mm or 0.0, self.stack.spacing_mm[0])

    @property
    def kernel(self) -> str:
        """Name of the reconstruction kernel."""
        return self.stack.slices[0].image.kernel


def choose(candidates: Sequence[Candidate], criteria: ReadingCriteria) -> list[SeriesEntry]:
    """The entries of one study's analysable series, exactly one of them chosen, with the reason why."""
    longest = max(one.length_mm for one in candidates if one.axial == any(other.axial for other in candidates))
    enough = criteria.whole_coverage_fraction * longest

    def rank(one: Candidate) -> tuple[float, ...]:
        return (
            not one.axial,
            one.reformat,
            one.length_mm < enough,
            round(one.thickness_mm, 1),
            kernel_kind(one.kernel) != SOFT,
            round(one.stack.spacing_mm[0], 2),
            -one.length_mm,
            one.order,
        )

    best = min(candidates, key=rank)
    sentence = _why(best, candidates) if len(candidates) > 1 else ""
    extra = _left_out(best, candidates)
    return [
        replace(one.entry, chosen=True, choice=sentence, notes=(*one.entry.notes, *extra)) if one is best else one.entry
        for one in candidates
    ]


def _why(best: Candidate, candidates: Sequence[Candidate]) -> str:
    others = [one for one in candidates if one is not best]
    told = [
        "axial" if best.axial else "no axial series is there",
        f"{best.length_mm:.0f} mm long",
        f"{best.thickness_mm:.2f} mm thick",
    ]
    kind = kernel_kind(best.kernel)
    if best.kernel:
        told.append(f"{kind + ' ' if kind else ''}kernel {best.kernel}")
    passed = "; ".join(_what(one) for one in others[:3]) + ("; …" if len(others) > 3 else "")
    return (
        f"Series {_number(best)} was chosen of {len(candidates)} that can be analysed: {', '.join(told)} "
        f"(not {passed}). Order of preference: axial, not a reformat, whole length, thin slices, soft kernel."
    )


def _what(one: Candidate) -> str:
    plane = "axial" if one.axial else "not axial"
    reformat = ", a reformat" if one.reformat else ""
    kernel = f", kernel {one.kernel}" if one.kernel else ""
    return f"series {_number(one)}: {plane}{reformat}, {one.length_mm:.0f} mm, {one.thickness_mm:.2f} mm thick{kernel}"


def _number(one: Candidate) -> str:
    number = one.stack.slices[0].image.series_number
    return "without a number" if number is None else str(number)


def _left_out(best: Candidate, candidates: Sequence[Candidate]) -> list[QualityNote]:
    """A warning where another series of the same frame shows a stretch that the chosen one does not."""
    low, high = best.stack.z_range_mm()
    frame = best.stack.slices[0].image.frame_uid
    for one in candidates:
        other_low, other_high = one.stack.z_range_mm()
        same = one.stack.slices[0].image.frame_uid == frame
        beyond = max(low - other_low, other_high - high)
        if one is not best and (not same or beyond > OUTSIDE_MM):
            where = "in another frame of reference" if not same else f"reaching {beyond:.0f} mm farther"
            return [
                QualityNote(
                    "series_left_out",
                    "warning",
                    f"Series {_number(one)} of this study, {where}, was not analysed; --all-series analyses it too.",
                )
            ]
    return []
