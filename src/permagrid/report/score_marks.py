"""The scores of all learners under several fold schemes as marks with intervals."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.products.legend import unit_label
from permagrid.report.canvas import new_figure, plain, styled, words, wrapped
from permagrid.report.fold_names import fewer_folds, fold_colours, fold_order, fold_title, is_random
from permagrid.report.metrics import METRICS

_MOST_MARKS = 42
"""Above this number of learners times schemes only some of the schemes are drawn."""
_FEWER_SCHEMES = 4


def drawn_folds(scores: pd.DataFrame, quote: str | None = None) -> list[str]:
    """Return the fold schemes that `score_figure` draws: all, or some where that would be too many marks.

    Parameters
    ----------
    scores
        Scores of one target and one subset.
    quote
        The scheme to quote, which is always drawn.
    """
    schemes = [str(name) for name in scores["folds"].unique()]
    if len(schemes) * scores["learner"].nunique() > _MOST_MARKS:
        return fewer_folds(schemes, quote, _FEWER_SCHEMES)
    return sorted(schemes, key=fold_order)


@styled
def score_figure(
    scores: pd.DataFrame, *, unit: str, published: str | None = None, quote: str | None = None
) -> Figure:
    """Return the scores of each learner under each fold scheme, with 95 % intervals, as PNG.

    Parameters
    ----------
    scores
        Scores of one target and one subset.
    unit
        Unit of the target.
    published
        The learner that made the maps, which is marked.
    quote
        The scheme to quote, whose marks are the largest.

    Raises
    ------
    PermagridError
        If no score can be drawn.
    """
    found = [name for name in METRICS if name in scores and scores[name].notna().any()]
    chosen = [name for name in ("rmse", "r2", "accuracy", "kappa", "roc_auc") if name in found] or found[:2]
    if scores.empty or not chosen:
        raise PermagridError(f"no scores to draw: none of {', '.join(METRICS)} is in the table")
    schemes = drawn_folds(scores, quote)
    drawn = scores[scores["folds"].isin(schemes)]
    learners = list(dict.fromkeys(scores["learner"]))
    colours = fold_colours([str(name) for name in scores["folds"].unique()])
    step = min(0.22, 0.78 / len(schemes))
    each = max(0.24 * len(schemes), 0.45) if len(learners) < 6 else 0.155 * len(schemes) + 0.1
    figure = new_figure(10.6, max(len(learners) * each + 1.5, 2.3))
    panels = figure.subplots(1, len(chosen), squeeze=False, sharey=True)[0]
    for axes, metric in zip(panels, chosen, strict=True):
        plain(axes)
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(_limits(drawn, metric))
        for row, learner in enumerate(learners):
            if row % 2:
                axes.axhspan(row - 0.5, row + 0.5, color="#f4f6f8", zorder=0)
            for place, folds in enumerate(schemes):
                at = row + (place - (len(schemes) - 1) / 2) * step
                rows = drawn[(drawn["learner"] == learner) & (drawn["folds"] == folds)]
                _score_mark(axes, rows, metric, at, (colours[folds], is_random(folds), folds == quote))
        name, has_unit = METRICS[metric]
        axes.set_xlabel(f"{name} [{unit_label(unit) or '1'}]" if has_unit else f"{name} [1]")
    names = [f"{words(name)}\n(made the maps)" if name == published else words(name) for name in learners]
    panels[0].set_yticks(range(len(learners)), names)
    panels[0].set_ylim(len(learners) - 0.5, -0.5)
    for folds in schemes:
        face = "white" if is_random(folds) else colours[folds]
        label = wrapped(fold_title(folds) + (" (to quote)" if folds == quote else ""), 34)
        panels[0].plot([], [], "o", color=colours[folds], markerfacecolor=face, label=label)
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside upper left",
        ncols=min(len(schemes), 4),
        handletextpad=0.2,
    )
    return figure


def _score_mark(axes: Axes, rows: pd.DataFrame, metric: str, at: float, look: tuple[str, bool, bool]) -> None:
    """Draw one score; `look` is its colour, and whether it is hollow and to be quoted."""
    if rows.empty or not math.isfinite(float(rows[metric].iloc[0])):
        return
    colour, hollow, quoted = look
    value, (left, right) = float(rows[metric].iloc[0]), axes.get_xlim()
    if f"{metric}_low" in rows and rows[f"{metric}_low"].notna().all():
        bounds = [float(rows[f"{metric}_low"].iloc[0]), float(rows[f"{metric}_high"].iloc[0])]
        width = 2.6 if quoted else 1.7
        axes.plot(bounds, [at, at], color=colour, linewidth=width, alpha=0.55, solid_capstyle="butt")
    if left <= value <= right:
        size, face = 6.5 if quoted else 5.0, "white" if hollow else colour
        axes.plot(value, at, "o", markersize=size, color=colour, markerfacecolor=face)
    else:
        edge, marker = (left, "<") if value < left else (right, ">")
        axes.plot(edge, at, marker, markersize=6.0, color=colour, clip_on=False)


def _limits(table: pd.DataFrame, metric: str) -> tuple[float, float]:
    scores = table[metric].to_numpy(float)
    names = [f"{metric}_low", f"{metric}_high"]
    return without_strays(scores, table[names].to_numpy(float) if set(names) <= set(table) else None)


def without_strays(
    values: NDArray[np.float64], ends: NDArray[np.float64] | None = None
) -> tuple[float, float]:
    """Return limits of an axis that hold all values and intervals, save those that would squeeze the others.

    Parameters
    ----------
    values
        What is drawn; NaN is left out.
    ends
        Ends of the intervals, shape ``(n, 2)``.

    Examples
    --------
    >>> low, high = without_strays(np.array([1.0, 1.2, 1.1, 1.3, 900.0]))
    >>> low < 1.0 and 1.3 < high < 2.0
    True
    """
    low, middle, high = np.nanquantile(values, [0.25, 0.5, 0.75])
    # As far as nothing at all: that random folds score a third of the error must be seen, not pointed to.
    reach = max(4.0 * (high - low), abs(middle), 1e-9)
    with np.errstate(invalid="ignore"):
        near = (values >= low - reach) & (values <= high + reach)
        every = np.concatenate([values[near], [] if ends is None else ends[near].ravel()])
        # An interval may reach twice as far as a value before it is cut off.
        inside = every[(every >= low - 2.0 * reach) & (every <= high + 2.0 * reach)]
    margin = 0.05 * (inside.max() - inside.min()) or reach / 8.0
    return float(inside.min() - margin), float(inside.max() + margin)
