"""How good the predictions are: observed against predicted, classes, ROC curves and reliability."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from permagrid.errors import PermagridError
from permagrid.products.legend import Legend, unit_label
from permagrid.report.canvas import (
    INK,
    QUIET,
    lowest,
    new_figure,
    plain,
    small_multiples,
    styled,
    wrapped,
)
from permagrid.report.fold_names import fold_colours, fold_label, fold_order, fold_title
from permagrid.report.metrics import ScoreFormat, score_format

_MANY = 1500
"""Above this number of points their density is drawn instead of each one."""
_DENSITY = LinearSegmentedColormap.from_list("density", ["#d6e6f2", "#4b8dbd", "#16386b"])


@styled
def scatter_figure(predictions: pd.DataFrame, legend: Legend) -> Figure:
    """Return observed against predicted values, one panel per fold scheme, as PNG.

    Parameters
    ----------
    predictions
        Out-of-fold predictions of one target and one learner: ``folds``, ``observed``, ``predicted``.
    legend
        Gives name and unit of the target.

    Raises
    ------
    PermagridError
        If there is no finite pair.
    """
    table = _finite(predictions, "predicted")
    schemes = sorted(table["folds"].unique(), key=fold_order)
    low, high = _limits(table)
    columns = _columns(len(schemes))
    lines = -(-len(schemes) // columns)
    figure = new_figure(min(3.5 * columns + 0.5, 11.0), (4.0 if columns < 4 else 3.35) * lines)
    panels = small_multiples(figure, len(schemes), columns=columns, sharex=True, sharey=True)
    colours = fold_colours(schemes)
    errors = table["predicted"].astype(float) - table["observed"].astype(float)
    form = score_format(pd.DataFrame({"rmse": [math.sqrt((errors**2).mean())]}), legend.unit)
    for axes, folds in zip(panels, schemes, strict=True):
        rows = table[table["folds"] == folds]
        observed, predicted = rows["observed"].to_numpy(float), rows["predicted"].to_numpy(float)
        plain(axes)
        axes.plot([low, high], [low, high], color=INK, linewidth=1.0, zorder=3, label="1:1")
        if len(rows) > _MANY:
            axes.hexbin(
                observed,
                predicted,
                gridsize=46,
                extent=(low, high, low, high),
                bins="log",
                mincnt=1,
                cmap=_DENSITY,
                linewidths=0.1,
                zorder=2,
            )
        else:
            axes.scatter(observed, predicted, s=11, color=colours[folds], alpha=0.45, linewidths=0, zorder=2)
        _fit_text(axes, observed, predicted, form)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal", title=wrapped(fold_title(folds), 27))
    unit = f" [{unit_label(legend.unit)}]" if unit_label(legend.unit) else ""
    for axes in lowest(panels, columns):
        axes.set_xlabel(f"Observed{unit}")
    for axes in panels[::columns]:
        axes.set_ylabel(f"Predicted{unit}")
    panels[-1].legend(loc="lower right", handlelength=1.4)
    return figure


@styled
def confusion_figure(predictions: pd.DataFrame, legend: Legend) -> Figure:
    """Return the confusion matrix of each fold scheme as PNG.

    Parameters
    ----------
    predictions
        Out-of-fold predictions of one target and one learner: ``folds``, ``observed``, ``predicted``.
    legend
        Gives the classes and their names.

    Raises
    ------
    PermagridError
        If there is no finite pair.
    """
    table = _finite(predictions, "predicted")
    schemes = sorted(table["folds"].unique(), key=fold_order)
    names = [stop.label for stop in legend.stops]
    codes = [stop.value for stop in legend.stops]
    columns = _columns(len(schemes))
    lines = -(-len(schemes) // columns)
    figure = new_figure(min(3.3 * columns + 1.0, 11.0), (3.7 if columns < 4 else 3.5) * lines)
    panels = small_multiples(figure, len(schemes), columns=columns, sharey=True)
    for axes, folds in zip(panels, schemes, strict=True):
        rows = table[table["folds"] == folds]
        observed, predicted = rows["observed"].to_numpy(float), rows["predicted"].to_numpy(float)
        counts = np.array([[np.sum((observed == a) & (predicted == b)) for b in codes] for a in codes])
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap=_DENSITY, vmin=0.0, vmax=1.0)
        for (row, column), count in np.ndenumerate(counts):
            axes.text(
                column,
                row,
                f"{count:,}\n{shares[row, column]:.0%}".replace(",", "\N{THIN SPACE}"),
                ha="center",
                va="center",
                color="white" if shares[row, column] > 0.45 else INK,
                fontsize=10,
            )
        right = np.trace(counts) / max(counts.sum(), 1)
        axes.set_title(f"{wrapped(fold_title(folds), 27)}\naccuracy {right:.3f}, n = {counts.sum()}")
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names, rotation=90, va="center")
        axes.tick_params(length=0)
    for axes in lowest(panels, columns):
        axes.set_xlabel("Predicted")
    for axes in panels[::columns]:
        axes.set_ylabel("Observed")
    return figure


@styled
def roc_figure(predictions: pd.DataFrame) -> Figure:
    """Return ROC curves, and observed frequency against predicted probability, as PNG.

    Parameters
    ----------
    predictions
        Out-of-fold predictions of one target and one learner: ``folds``, ``observed`` (0 or 1) and
        ``probability``.

    Raises
    ------
    PermagridError
        If no fold scheme has probabilities for both classes.
    """
    table = _finite(predictions, "probability")
    both = [f for f in table["folds"].unique() if table.loc[table["folds"] == f, "observed"].nunique() == 2]
    if not both:
        raise PermagridError("no ROC curve: the observations of every fold scheme are of one class only")
    schemes = sorted(both, key=fold_order)
    colours = fold_colours(schemes)
    figure = new_figure(9.2, 4.4)
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        plain(axes)
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    for folds in schemes:
        rows = table[table["folds"] == folds]
        observed, probability = rows["observed"].to_numpy(int), rows["probability"].to_numpy(float)
        false_alarms, hits, _ = roc_curve(observed, probability)
        area = roc_auc_score(observed, probability)
        name = wrapped(fold_label(folds), 30)
        left.plot(false_alarms, hits, color=colours[folds], linewidth=1.8, label=f"{name}: AUC {area:.3f}")
        said, seen = _reliability(observed, probability)
        right.plot(said, seen, color=colours[folds], linewidth=1.4, marker="o", markersize=4, label=name)
    left.set(title="ROC curve", xlabel="False-alarm rate [1]", ylabel="Hit rate [1]")
    right.set(title="Reliability", xlabel="Predicted probability [1]", ylabel="Observed frequency [1]")
    left.legend(loc="lower right")
    if len(schemes) <= 4:  # of more, names would lie on the curves; the colours are those of the left
        right.legend(loc="upper left")
    return figure


def _columns(panels: int) -> int:
    """Return how many panels stand side by side: all of up to four, else rows as even as can be."""
    return -(-panels // -(-panels // 4))


def _finite(predictions: pd.DataFrame, column: str) -> pd.DataFrame:
    if column not in predictions:
        raise PermagridError(f"no figure of predictions: column {column!r} is missing")
    numbers = predictions[["observed", column]].astype(float)
    table = predictions[numbers.notna().all(axis=1)]
    if table.empty:
        raise PermagridError(f"no figure of predictions: no row has both an observed and a {column} value")
    return table


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    """Return axis limits that hold all but the outermost 0.1 % of values, with a margin."""
    values = table[["observed", "predicted"]].to_numpy(float)
    low, high = np.quantile(values, [0.001, 0.999])
    margin = 0.05 * max(high - low, 1e-6)
    return float(low - margin), float(high + margin)


def _fit_text(
    axes: Axes, observed: NDArray[np.float64], predicted: NDArray[np.float64], form: ScoreFormat
) -> None:
    error = predicted - observed
    spread = float(np.sum((observed - observed.mean()) ** 2))
    lines = [
        f"n = {observed.size}",
        f"RMSE {form.text(math.sqrt(float(np.mean(error**2))), 'rmse')}",
        f"bias {form.text(float(error.mean()), 'bias')}",
    ]
    if spread > 0:
        lines.append(f"R² {form.text(1.0 - float(np.sum(error**2)) / spread, 'r2')}")
    axes.text(
        0.03,
        0.97,
        "\n".join(lines),
        transform=axes.transAxes,
        va="top",
        fontsize=8.5,
        linespacing=1.35,
        bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 2.0},
        zorder=6,
    )


def _reliability(
    observed: NDArray[np.int_], probability: NDArray[np.float64]
) -> tuple[list[float], list[float]]:
    """Return mean probability and observed frequency in tenths of probability that hold 10 or more."""
    tenth = np.minimum((probability * 10).astype(int), 9)
    groups = [tenth == k for k in range(10) if np.sum(tenth == k) >= 10]
    return [float(probability[g].mean()) for g in groups], [float(observed[g].mean()) for g in groups]
