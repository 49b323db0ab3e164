"""Intervals as figures: coverage against what is stated, PIT histograms, CRPS, and conformal methods."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from permagrid.products.legend import unit_label
from permagrid.report.canvas import (
    INK,
    QUIET,
    lowest,
    new_figure,
    plain,
    small_multiples,
    styled,
    words,
    wrapped,
)
from permagrid.report.fold_names import FOLD_COLOURS, fewer_folds, fold_title

Records = Sequence[Mapping[str, Any]]

_MOST_SCHEMES = 6
_MOST_LEARNERS = len(FOLD_COLOURS) - 1
_REFERENCE = FOLD_COLOURS[1]
_BAR = "#a9c9de"
_OTHER = "#b4bcc3"


@styled
def coverage_figure(coverage: Records, *, reference: str, quote: str | None = None) -> Figure:
    """Return measured against nominal coverage of learners, one panel per fold scheme, as PNG.

    Parameters
    ----------
    coverage
        Records of `permagrid.report.interval_sections.interval_section`; those of all rows are drawn.
    reference
        The learner whose marks stand out.
    quote
        The scheme to quote.
    """
    rows = [item for item in coverage if item["by"] == "all" and item["coverage"] is not None]
    schemes = fewer_folds([str(item["folds"]) for item in rows], quote, _MOST_SCHEMES)
    learners = _ordered([str(item["learner"]) for item in rows], reference)[:_MOST_LEARNERS]
    levels = sorted({float(item["level"]) for item in rows})
    columns = _columns(len(schemes))
    figure = new_figure(min(3.3 * columns + 0.6, 11.0), 3.1 * -(-len(schemes) // columns) + 0.5)
    panels = small_multiples(figure, len(schemes), columns=columns, sharey=True)
    # Of sorted levels, marks of learners beside each other must not reach the next level.
    step = min(0.72 / len(learners), 0.2)
    for axes, folds in zip(panels, schemes, strict=True):
        plain(axes)
        axes.grid(False, axis="x")
        for place, level in enumerate(levels):
            axes.plot([place - 0.45, place + 0.45], [100 * level] * 2, color=INK, linewidth=1.1, zorder=1)
        for number, learner in enumerate(learners):
            for item in rows:
                if item["folds"] == folds and item["learner"] == learner:
                    at = levels.index(float(item["level"])) + (number - (len(learners) - 1) / 2) * step
                    _mark(axes, item, at, number == 0, _learner_colour(number))
        axes.set_xticks(range(len(levels)), [f"{100 * level:g}" for level in levels])
        axes.set_xlim(-0.6, len(levels) - 0.4)
        axes.set_ylim(top=102.0)
        axes.set_title(wrapped(fold_title(folds) + (" (to quote)" if folds == quote else ""), 36))
    for axes in lowest(panels, columns):
        axes.set_xlabel("Stated coverage [%]")
    for axes in panels[::columns]:
        axes.set_ylabel("Measured coverage [%]")
    handles = [Line2D([], [], color=INK, linewidth=1.1, label="as stated")]
    handles += [
        Line2D([], [], linestyle="none", marker="o", color=_learner_colour(number), label=words(name))
        for number, name in enumerate(learners)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=4, handletextpad=0.3)
    return figure


@styled
def pit_figure(pit: Records, *, by: str, shown: Sequence[str], titles: Sequence[str]) -> Figure:
    """Return histograms of the probability integral transform, as PNG.

    Parameters
    ----------
    pit
        Records of `permagrid.report.interval_sections.interval_section` of one learner under several
        schemes, or of several learners under one scheme.
    by
        ``folds`` or ``learner``: what the panels differ by.
    shown
        The schemes or learners, one panel each.
    titles
        What stands above them.
    """
    columns = min(len(shown), 4) if len(shown) != 5 else 3
    lines = -(-len(shown) // columns)
    figure = new_figure(min(2.65 * columns + 0.6, 11.0), 2.1 * lines + 0.35)
    panels = small_multiples(figure, len(shown), columns=columns, sharex=True, sharey=True)
    highest = max(
        [2.0, *(float(item["density"]) for item in pit), *(float(item["high"] or 0.0) for item in pit)]
    )
    for axes, name, title in zip(panels, shown, titles, strict=True):
        plain(axes)
        axes.grid(False, axis="x")
        for item in (item for item in pit if item[by] == name):
            left, right = float(item["left"]), float(item["right"])
            axes.bar(left, float(item["density"]), right - left, align="edge", color=_BAR, edgecolor="white")
            if item["low"] is not None:
                middle = (left + right) / 2
                axes.plot([middle] * 2, [item["low"], item["high"]], color=QUIET, linewidth=1.0)
        axes.axhline(1.0, color=INK, linewidth=1.1)
        axes.set_xlim(0.0, 1.0)
        axes.set_ylim(0.0, min(highest, 4.0) * 1.04)
        axes.set_title(wrapped(title, 28))
    for axes in lowest(panels, columns):
        axes.set_xlabel("PIT [1]")
    for axes in panels[::columns]:
        axes.set_ylabel("Density [1]")
    return figure


@styled
def crps_figure(crps: Records, *, reference: str, unit: str, quote: str | None = None) -> Figure:
    """Return the CRPS of learners as bars with intervals, one panel per fold scheme, as PNG.

    Parameters
    ----------
    crps
        Records of `permagrid.report.interval_sections.interval_section`; those of all rows are drawn.
    reference
        The learner whose bar stands out.
    unit
        Unit of the target.
    quote
        The scheme to quote, whose scores order the learners.
    """
    rows = [item for item in crps if item["by"] == "all" and item["crps"] is not None]
    schemes = fewer_folds([str(item["folds"]) for item in rows], quote, _MOST_SCHEMES)
    first = quote if quote in schemes else schemes[-1]
    scores = {str(item["learner"]): float(item["crps"]) for item in rows if item["folds"] == first}
    others = [str(item["learner"]) for item in rows if str(item["learner"]) not in scores]
    learners = [*sorted(scores, key=lambda name: scores[name]), *dict.fromkeys(others)]
    columns = _columns(len(schemes))
    lines = -(-len(schemes) // columns)
    figure = new_figure(min(3.1 * columns + 1.4, 11.0), lines * (0.26 * len(learners) + 0.75) + 0.25)
    panels = small_multiples(figure, len(schemes), columns=columns, sharey=True)
    for axes, folds in zip(panels, schemes, strict=True):
        plain(axes)
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        for item in (item for item in rows if item["folds"] == folds):
            at, own = learners.index(str(item["learner"])), item["learner"] == reference
            axes.barh(at, float(item["crps"]), 0.62, color=_REFERENCE if own else _OTHER)
            if item["low"] is not None:
                axes.plot([item["low"], item["high"]], [at, at], color=INK, linewidth=1.2)
        axes.set_xlim(left=0.0)
        axes.set_title(wrapped(fold_title(folds) + (" (to quote)" if folds == quote else ""), 36))
    panels[0].set_yticks(range(len(learners)), [words(name) for name in learners])
    panels[0].set_ylim(len(learners) - 0.5, -0.5)
    for axes in lowest(panels, columns):
        axes.set_xlabel(f"CRPS [{unit_label(unit) or '1'}]")
    return figure


@styled
def conformal_figure(
    conformal: Records, *, names: Mapping[str, str], parts: Mapping[tuple[str, str], str], unit: str
) -> Figure:
    """Return coverage and width of intervals by the method that made them, part by part, as PNG.

    Parameters
    ----------
    conformal
        Records of `permagrid.report.interval_sections.interval_section` of one level under one scheme.
    names
        Method -> what it is called.
    parts
        ``(by, part)`` -> what it is called, from top to bottom.
    unit
        Unit of the target.
    """
    figure = new_figure(9.4, (0.15 * len(names) + 0.2) * len(parts) + 1.25)
    panels = small_multiples(figure, 2, columns=2, sharey=True)
    step = 0.74 / max(len(names), 1)
    for number, method in enumerate(names):
        colour, mine = _learner_colour(number), [item for item in conformal if item["method"] == method]
        panels[0].plot([], [], "o", color=colour, label=names[method])
        for item in mine:
            if (item["by"], item["part"]) not in parts:
                continue
            at = list(parts).index((item["by"], item["part"])) + (number - (len(names) - 1) / 2) * step
            if item["low"] is not None:
                ends = [100.0 * item["low"], 100.0 * item["high"]]
                panels[0].plot(ends, [at, at], color=colour, linewidth=1.7, alpha=0.55)
            panels[0].plot(100.0 * item["coverage"], at, "o", markersize=5.0, color=colour)
            if item["width"] is not None:
                panels[1].barh(at, item["width"], 0.8 * step, color=colour)
    for axes in panels:
        plain(axes)
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        for place in range(1, len(parts), 2):
            axes.axhspan(place - 0.5, place + 0.5, color="#f4f6f8", zorder=0)
    if conformal:
        panels[0].axvline(100.0 * conformal[0]["level"], color=INK, linewidth=1.1, zorder=1)
    panels[0].set_yticks(range(len(parts)), [wrapped(name, 26) for name in parts.values()])
    panels[0].set_ylim(len(parts) - 0.5, -0.5)
    panels[0].set_xlabel("Measured coverage [%]")
    panels[1].set_xlabel(f"Mean full width [{unit_label(unit) or '1'}]")
    panels[1].set_xlim(left=0.0)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=4)
    return figure


def _mark(axes: Axes, item: Mapping[str, Any], at: float, own: bool, colour: str) -> None:
    if item["low"] is not None:
        ends = [100.0 * item["low"], 100.0 * item["high"]]
        axes.plot([at, at], ends, color=colour, linewidth=2.2 if own else 1.3, alpha=0.55)
    axes.plot(at, 100.0 * item["coverage"], "o", markersize=6.0 if own else 3.8, color=colour)


def _ordered(learners: Sequence[str], reference: str) -> list[str]:
    """Return learners once each, the reference first."""
    every = list(dict.fromkeys(learners))
    return [name for name in every if name == reference] + [name for name in every if name != reference]


def _learner_colour(number: int) -> str:
    return FOLD_COLOURS[1 + number % _MOST_LEARNERS]


def _columns(panels: int) -> int:
    return int(np.ceil(panels / np.ceil(panels / 3)))
