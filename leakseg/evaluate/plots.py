"""FROC, confusion matrix, Bland-Altman and reliability as PNG and SVG; the same figures give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leakseg.evaluate.statistics import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "leakseg",
    "svg.fonttype": "none",
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.family": ["DejaVu Sans"],
}
_COLOUR = "#1f5fa8"


def draw_plots(document: Json, volumes: Sequence[tuple[float, float]]) -> dict[str, tuple[bytes, str]]:
    """By name, each plot as PNG bytes and SVG text; a plot that would be empty is left out.

    Parameters
    ----------
    volumes
        (truth, told) in mm3 of every detected leak.
    """
    drawn: dict[str, Callable[[Axes], None]] = {}
    froc = [one for one in document["detection"]["froc"] if one["sensitivity"] is not None]
    if froc and froc[0]["false_positives_per_case"] is not None:
        drawn["froc"] = lambda axes: _froc(axes, froc)
    if any(any(line) for line in document["naming"]["confusion"]["counts"]):
        drawn["confusion"] = lambda axes: _confusion(axes, document["naming"]["confusion"])
    if volumes:
        drawn["volume"] = lambda axes: _bland_altman(axes, volumes, document["measures"]["volume_mm3"])
    bins = [one for one in document["calibration"]["bins"] if one["n"]]
    if bins:
        drawn["reliability"] = lambda axes: _reliability(axes, bins)
    return {name: _alone(draw) for name, draw in drawn.items()}


def _alone(draw: Callable[[Axes], None]) -> tuple[bytes, str]:
    return render(lambda figure: draw(figure.add_subplot()))


def render(draw: Callable[[Figure], None], size_inches: tuple[float, float] = (5.2, 4.2)) -> tuple[bytes, str]:
    """A drawing as PNG bytes and SVG text, the same every time."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=size_inches, layout="constrained")
        draw(figure)
        png, svg = io.BytesIO(), io.StringIO()
        figure.savefig(png, format="png", metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    text = svg.getvalue()
    return png.getvalue(), text[text.index("<svg") :]


def _froc(axes: Axes, points: Sequence[Json]) -> None:
    along = [0.0, *(one["false_positives_per_case"] for one in points)]
    up = [0.0, *(one["sensitivity"] for one in points)]
    axes.step(along, up, where="post", color=_COLOUR, marker="o", markersize=3)
    axes.set_xlabel("False positives per case")
    axes.set_ylabel("Sensitivity, all truth leaks")
    axes.set_ylim(0, 1.02)
    axes.set_xlim(left=-0.01 * max(1.0, *along))


def _confusion(axes: Axes, confusion: Json) -> None:
    counts = np.array(confusion["counts"])
    totals = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.pcolormesh(counts / totals, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1)
    axes.invert_yaxis()
    axes.set_xticks(np.arange(counts.shape[1]) + 0.5, confusion["columns_told"], rotation=35, ha="right")
    axes.set_yticks(np.arange(counts.shape[0]) + 0.5, confusion["rows_truth"])
    axes.set_xlabel("Told")
    axes.set_ylabel("Truth")
    for row, column in np.argwhere(counts):
        dark = counts[row, column] / totals[row, 0] > 0.5
        where = (column + 0.5, row + 0.5)
        colour = "white" if dark else "black"
        axes.text(*where, str(counts[row, column]), ha="center", va="center", color=colour)


def _bland_altman(axes: Axes, volumes: Sequence[tuple[float, float]], told: Json) -> None:
    pairs = np.array(volumes)
    axes.scatter(pairs.mean(axis=1), pairs[:, 1] - pairs[:, 0], s=14, color=_COLOUR)
    low, high = told["limits_of_agreement"]
    for value, style in ((told["bias"]["value"], "-"), (low, "--"), (high, "--")):
        if value is not None:
            axes.axhline(value, color="0.35", linestyle=style, linewidth=1)
    axes.set_xlabel("Mean of told and truth, mm³")
    axes.set_ylabel("Told minus truth, mm³")


def _reliability(axes: Axes, bins: Sequence[Json]) -> None:
    along = np.array([one["mean_confidence"] for one in bins])
    up = np.array([one["value"] for one in bins])
    below = np.maximum(up - np.array([one["low"] for one in bins]), 0)
    above = np.maximum(np.array([one["high"] for one in bins]) - up, 0)
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    axes.errorbar(along, up, yerr=np.stack([below, above]), fmt="o", color=_COLOUR, capsize=3)
    for x, y, one in zip(along, up - below, bins, strict=True):
        text = f"n={one['n']}"
        axes.annotate(text, (x, y), textcoords="offset points", xytext=(0, -11), ha="center", fontsize=8)
    axes.set_xlabel("Confidence")
    axes.set_ylabel("Share right (95 % Wilson)")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
