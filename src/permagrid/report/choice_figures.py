"""Which covariates learners chose, as a figure: one column per learner, one row per covariate."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from permagrid.report.canvas import INK, new_figure, styled, words, wrapped

_COLOUR = "#0072b2"
_LARGEST = 110.0
_UPRIGHT = 7


def differing(choices: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the learners that did not choose the same covariates in every fold.

    Examples
    --------
    >>> same = {"learner": "a", "covariates": [{"name": "slope", "share": 1.0}]}
    >>> other = {"learner": "b", "covariates": [{"name": "slope", "share": 0.6}]}
    >>> [item["learner"] for item in differing([same, other])]
    ['b']
    """
    return [item for item in choices if any(float(one["share"]) < 1.0 for one in item["covariates"])]


@styled
def selection_figure(choices: Sequence[Mapping[str, Any]]) -> Figure:
    """Return in which share of the folds learners chose each covariate, as PNG.

    Parameters
    ----------
    choices
        Entries ``choices`` of a summary, of one fold scheme; rings mark what is in ``final``.
    """
    names = _ordered(choices)
    few = len(choices) <= _UPRIGHT
    labels = [wrapped(words(str(item["learner"])), 16 if few else 24) for item in choices]
    width = 2.4 + (0.95 if few else 0.5) * len(choices)
    figure = new_figure(max(width, 5.2), (1.5 if few else 2.3) + 0.235 * len(names))
    axes = figure.subplots()
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    axes.grid(True, color="#e6eaed", linewidth=0.7)
    axes.set_axisbelow(True)
    for column, item in enumerate(choices):
        shares = {str(one["name"]): float(one["share"]) for one in item["covariates"]}
        places = [names.index(name) for name in shares]
        # Areas, not widths, are compared.
        sizes = _LARGEST * np.array(list(shares.values()))
        axes.scatter(np.full(len(places), column), places, s=sizes, color=_COLOUR, linewidths=0)
        final = [names.index(name) for name in (item.get("final") or {}).get("covariates") or []]
        rings = np.full(len(final), column)
        axes.scatter(rings, final, s=1.7 * _LARGEST, facecolors="none", edgecolors=INK, linewidths=1.1)
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(labels)), labels)
    if not few:
        axes.tick_params(axis="x", rotation=60)
        for label in axes.get_xticklabels():
            label.set(ha="left", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), [words(name) for name in names])
    axes.set_xlim(-0.6, len(choices) - 0.4)
    axes.set_ylim(len(names) - 0.4, -0.7)
    rings_drawn = any((item.get("final") or {}).get("covariates") for item in choices)
    figure.legend(
        handles=_handles(rings_drawn),
        loc="outside lower left",
        ncols=2 if width < 7.0 else 4,
        handletextpad=0.4,
    )
    return figure


def _ordered(choices: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the covariates that any learner chose, the one chosen most often first."""
    total: dict[str, float] = {}
    for item in choices:
        for one in item["covariates"]:
            total[str(one["name"])] = total.get(str(one["name"]), 0.0) + float(one["share"])
        for name in (item.get("final") or {}).get("covariates") or []:
            total.setdefault(str(name), 0.0)
    return sorted(total, key=lambda name: (-total[name], name))


def _handles(rings: bool) -> list[Line2D]:
    dots = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            color=_COLOUR,
            markeredgewidth=0,
            markersize=size,
            label=f"{share:.0%} of the folds".replace("%", " %"),
        )
        for share, size in (
            (1.0, _LARGEST**0.5),
            (0.5, (0.5 * _LARGEST) ** 0.5),
            (0.2, (0.2 * _LARGEST) ** 0.5),
        )
    ]
    ring = Line2D(
        [],
        [],
        linestyle="none",
        marker="o",
        markerfacecolor="none",
        color=INK,
        markersize=(1.7 * _LARGEST) ** 0.5,
        label="chosen from all rows",
    )
    return [*dots, ring] if rings else dots
