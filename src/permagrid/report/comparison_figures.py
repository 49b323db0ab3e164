"""Learners against the one that made the maps, as a figure: differences on the same folds with intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from permagrid.products.legend import unit_label
from permagrid.report.canvas import (
    INK,
    lowest,
    new_figure,
    plain,
    small_multiples,
    styled,
    words,
    wrapped,
)
from permagrid.report.comparison_words import VERDICTS, better_sign, verdict
from permagrid.report.fold_names import fewer_folds, fold_title
from permagrid.report.metrics import METRICS
from permagrid.report.score_marks import without_strays

_MOST_SCHEMES = 6
_COLOURS = {
    "better": "#0072b2",
    "worse": "#d55e00",
    "leans_better": "#0072b2",
    "leans_worse": "#d55e00",
    "alike": "#8d99a3",
    "untold": "#8d99a3",
}
_FILLED = ("better", "worse")
"""Verdicts that interval and test agree on."""


@styled
def difference_figure(
    pairs: Sequence[Mapping[str, Any]], *, metric: str, unit: str, quote: str | None = None
) -> Figure:
    """Return how much the score of each learner differs from the reference, one panel per scheme, as PNG.

    Parameters
    ----------
    pairs
        Entries ``paired`` of a summary.
    metric
        The score that is shown.
    unit
        Unit of the target.
    quote
        The scheme to quote, whose differences order the learners.
    """
    rows = [item for item in pairs if item["metric"] == metric and item["difference"] is not None]
    schemes = fewer_folds([str(item["folds"]) for item in rows], quote, _MOST_SCHEMES)
    learners = ordered_learners(rows, metric, quote)
    columns = -(-len(schemes) // -(-len(schemes) // 3))
    lines = -(-len(schemes) // columns)
    figure = new_figure(min(3.3 * columns + 1.4, 11.0), lines * (0.2 * len(learners) + 0.75) + 0.6)
    panels = small_multiples(figure, len(schemes), columns=columns, sharey=True)
    for axes, folds in zip(panels, schemes, strict=True):
        mine = {str(item["learner"]): item for item in rows if item["folds"] == folds}
        plain(axes)
        axes.tick_params(axis="y", length=0)
        axes.axvline(0.0, color=INK, linewidth=1.0, zorder=1)
        axes.set_xlim(_limits(list(mine.values())))
        for place, learner in enumerate(learners):
            if learner in mine:
                _mark(axes, mine[learner], place)
        axes.set_title(wrapped(fold_title(folds) + (" (to quote)" if folds == quote else ""), 36))
    panels[0].set_yticks(range(len(learners)), [words(name) for name in learners])
    panels[0].set_ylim(len(learners) - 0.5, -0.5)
    name, bears_unit = METRICS[metric]
    shown = f" [{unit_label(unit)}]" if bears_unit and unit_label(unit) else " [1]"
    for axes in lowest(panels, columns):
        axes.set_xlabel(f"Difference of {name}{shown}")
    figure.legend(
        handles=_handles(metric, {verdict(item) for item in rows}),
        loc="outside upper left",
        ncols=3,
        handletextpad=0.2,
    )
    return figure


def ordered_learners(rows: Sequence[Mapping[str, Any]], metric: str, quote: str | None) -> list[str]:
    """Return the learners from the best to the worst under the scheme to quote, or their mean over all."""
    found: dict[str, list[float]] = {}
    for item in rows:
        found.setdefault(str(item["learner"]), [])
        if item["difference"] is not None and (quote is None or item["folds"] == quote):
            found[str(item["learner"])].append(float(item["difference"]))
    sign = better_sign(metric)
    return sorted(found, key=lambda name: -sign * np.mean(found[name]) if found[name] else np.inf)


def _limits(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    centres = np.array([item["difference"] for item in rows] + [0.0], dtype=float)
    ends = [[e for e in item["difference_interval"] if e is not None] or [0.0] for item in rows]
    return without_strays(centres, np.array([[min(e), max(e)] for e in ends] + [[0.0, 0.0]]))


def _mark(axes: Axes, item: Mapping[str, Any], place: int) -> None:
    found = verdict(item)
    colour, value = _COLOURS[found], float(item["difference"])
    left, right = axes.get_xlim()
    if None not in item["difference_interval"]:
        axes.plot(item["difference_interval"], [place, place], color=colour, linewidth=1.8, alpha=0.6)
    if left <= value <= right:
        face = colour if found in _FILLED else "white"
        axes.plot(value, place, "o", markersize=5.5, color=colour, markerfacecolor=face)
    else:
        edge, marker = (left, "<") if value < left else (right, ">")
        axes.plot(edge, place, marker, markersize=6.0, color=colour, clip_on=False)


def _handles(metric: str, shown: set[str]) -> list[Line2D]:
    side = "right" if better_sign(metric) > 0 else "left"
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            color=_COLOURS[found],
            markerfacecolor=_COLOURS[found] if found in _FILLED else "white",
            label=f"{VERDICTS[found]}{f' ({side} of the line)' if found == 'better' else ''}",
        )
        for found in VERDICTS
        if found in shown
    ]
