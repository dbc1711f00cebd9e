"""The course of every measure by group, as PNG and SVG; the same figures give the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leakseg.evaluate.plots import render
from leakseg.evaluate.statistics import Json
from leakseg.studies.cohort.comparisons import TIMES, stems
from leakseg.studies.cohort.joined import Joined

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#000000", "#D55E00", "#E69F00", "#56B4E9", "#CC79A7", "#009E73", "#0072B2", "#999999")
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")


def draw_plots(document: Json, joined: Joined) -> dict[str, tuple[bytes, str]]:
    """Mean and SD over time, a panel a measure; no plot where nothing stands at two times."""
    measures = stems(joined.numeric)
    if not measures:
        return {}

    def draw(figure: Figure) -> None:
        for axes, stem in zip(figure.subplots(1, len(measures), squeeze=False)[0], measures, strict=True):
            _course(axes, document["groups"], stem)

    return {"course": render(draw, (4.6 * len(measures), 4.2))}


def _course(axes: Axes, groups: Json, stem: str) -> None:
    for number, (group, columns) in enumerate(groups.items()):
        told = [(place, columns.get(f"{stem}_{time}")) for place, time in enumerate(TIMES)]
        points = [(place, one["mean"], one["sd"] or 0.0) for place, one in told if one and one["mean"] is not None]
        if points:
            along, means, spreads = zip(*points, strict=True)
            axes.errorbar(
                [place + 0.05 * number for place in along],
                means,
                yerr=spreads,
                marker=_MARKS[number % len(_MARKS)],
                color=_COLOURS[number % len(_COLOURS)],
                capsize=3,
                label=f"{group} (n = {columns[f'{stem}_{TIMES[along[0]]}']['n']})",
            )
    axes.set_xticks(range(len(TIMES)), TIMES)
    axes.set_ylabel(f"{stem}, mean ± SD")
    axes.legend(frameon=False, fontsize=8)
