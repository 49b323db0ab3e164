"""What groups of covariates bring, as a figure: the change of the score with its interval."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from permagrid.products.legend import unit_label
from permagrid.report.canvas import INK, new_figure, plain, styled, words
from permagrid.report.fold_names import fold_colours, fold_label, fold_order
from permagrid.report.metrics import LOWER_IS_BETTER, METRICS


@styled
def gain_figure(gains: Sequence[Mapping[str, Any]], *, metric: str, unit: str) -> Figure:
    """Return the change of a score that each group of covariates brings, one row per group, as PNG.

    Parameters
    ----------
    gains
        Entries ``covariate_groups`` of a summary, of one target.
    metric
        The score that is shown.
    unit
        Unit of the target.
    """
    rows = [item for item in gains if item["metric"] == metric]
    groups = list(dict.fromkeys(item["group"] for item in rows))
    schemes = sorted({str(item["folds"]) for item in rows}, key=fold_order)
    colours = fold_colours(["random", *schemes])
    figure = new_figure(7.2, 1.1 + 0.42 * len(groups))
    axes = figure.subplots()
    plain(axes)
    offsets = np.linspace(-0.18, 0.18, len(schemes)) if len(schemes) > 1 else np.zeros(1)
    for scheme, offset in zip(schemes, offsets, strict=True):
        mine = [item for item in rows if item["folds"] == scheme]
        places = np.array([groups.index(item["group"]) for item in mine]) + offset
        ends = np.array([item["change_interval"] for item in mine], dtype=float).reshape(-1, 2)
        axes.hlines(places, ends[:, 0], ends[:, 1], color=colours[scheme], linewidth=1.6)
        changes = [np.nan if item["change"] is None else item["change"] for item in mine]
        axes.plot(changes, places, "o", color=colours[scheme], markersize=5, label=fold_label(scheme))
    axes.axvline(0.0, color=INK, linewidth=1.0)
    axes.set_yticks(range(len(groups)), [words(group) for group in groups])
    axes.set_ylim(len(groups) - 0.5, -0.5)
    name, bears_unit = METRICS[metric]
    shown = f" [{unit_label(unit)}]" if bears_unit and unit_label(unit) else ""
    better = "left: better" if metric in LOWER_IS_BETTER else "right: better"
    axes.set_xlabel(f"Change of {name} when the group is added{shown} ({better})")
    axes.legend(loc="best", title="Folds", title_fontsize=8.5)
    return figure
