"""Totals with their ranges and bounds, areas of zones, and changes between epochs, as figures."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from permagrid.report.canvas import INK, QUIET, capitalised, new_figure, plain, styled, wrapped
from permagrid.report.inventory_words import (
    Record,
    Records,
    largest_first,
    level_text,
    row_names,
    years,
)
from permagrid.report.page import number

_RANGE = "#0072b2"
_ALIKE = "#e3d7ba"
_ALONE = "#d55e00"
_EPOCHS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
_MOST_ROWS = 16
_GROUPED = 10_000
_SURE = 0.005


@styled
def totals_figure(records: Records, truth: Mapping[tuple[str, str], float] | None = None) -> Figure:
    """Return totals of one quantity with their ranges and both bounds, as PNG.

    Parameters
    ----------
    records
        Entries ``totals`` of an inventory, of one quantity.
    truth
        Region and epoch -> the true total, where it is known.
    """
    whole = [item for item in records if item["region"] == "all"]
    panels = [rows for rows in (whole, largest_first(records, _MOST_ROWS)) if rows]
    heights = [len(rows) for rows in panels]
    figure = new_figure(8.6, 0.32 * sum(heights) + 0.5 * len(panels) + 0.75)
    every = figure.subplots(len(panels), 1, squeeze=False, height_ratios=[size + 0.6 for size in heights])
    known = truth or {}
    for axes, rows in zip(every[:, 0], panels, strict=True):
        _rows(axes, row_names(rows))
        for place, item in enumerate(rows):
            _total(axes, item, place, known.get((str(item["region"]), str(item["epoch"]))))
        axes.use_sticky_edges = False
        axes.autoscale_view()
        _group_digits(axes)
    every[-1, 0].set_xlabel(f"{records[0]['title']} [{records[0]['unit']}]")
    figure.legend(
        handles=_handles(records, bool(known)), loc="outside upper left", ncols=4, handletextpad=0.5
    )
    return figure


@styled
def zones_figure(records: Records, zones: Sequence[str]) -> Figure:
    """Return the areas of permafrost zones by epoch with their ranges, as PNG.

    Parameters
    ----------
    records
        Entries ``zones`` of an inventory, of the whole map.
    zones
        Those that are shown, from top to bottom.
    """
    epochs = sorted({str(item["epoch"]) for item in records})
    found = {(str(item["zone"]), str(item["epoch"])): item for item in records}
    figure = new_figure(7.6, 0.2 * len(zones) * max(len(epochs), 2) + 1.2)
    axes = figure.subplots()
    _rows(axes, [capitalised(zone) for zone in zones])
    step = min(0.24, 0.76 / len(epochs))
    for turn, epoch in enumerate(epochs):
        colour, shift = _EPOCHS[turn % len(_EPOCHS)], (turn - (len(epochs) - 1) / 2.0) * step
        rows = [(place, found[zone, epoch]) for place, zone in enumerate(zones) if (zone, epoch) in found]
        for place, item in rows:
            axes.plot(_ends(item), [place + shift] * 2, color=colour, linewidth=2.4, alpha=0.55)
            axes.plot(item["mean"], place + shift, "o", markersize=5.5, color=colour, clip_on=False)
        axes.plot([], [], "o", color=colour, label=years(epoch))
    axes.set_xlim(left=0.0)
    _group_digits(axes)
    axes.set_xlabel(f"Area [{records[0]['unit']}]")
    if len(epochs) > 1:
        figure.legend(loc="outside upper left", ncols=min(len(epochs), 6), handletextpad=0.2)
    return figure


@styled
def change_figure(records: Records) -> Figure:
    """Return changes of one quantity between epochs with their ranges, as PNG.

    Parameters
    ----------
    records
        Entries ``changes`` of an inventory, of one quantity.
    """
    whole = [item for item in records if item["region"] == "all"]
    rows = [*whole, *largest_first(records, _MOST_ROWS)]
    figure = new_figure(8.6, 0.34 * len(rows) + 1.0)
    axes = figure.subplots()
    _rows(axes, row_names(rows))
    axes.axvline(0.0, color=INK, linewidth=1.0, zorder=1)
    beside = axes.secondary_yaxis("right")
    beside.set_yticks(range(len(rows)), [_probability(float(item["increase"])) for item in rows])
    beside.tick_params(length=0, labelcolor=QUIET)
    beside.spines["right"].set_visible(False)
    for place, item in enumerate(rows):
        low, high = _ends(item)
        face = _RANGE if low > 0.0 or high < 0.0 else "white"
        axes.plot([low, high], [place, place], color=_RANGE, linewidth=2.6, alpha=0.6)
        axes.plot(item["mean"], place, "o", markersize=5.5, color=_RANGE, markerfacecolor=face)
    _group_digits(axes)
    axes.set_xlabel(f"Change [{records[0]['unit']}]")
    return figure


def _rows(axes: Axes, names: Sequence[str]) -> None:
    plain(axes)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_yticks(range(len(names)), [wrapped(name, 38) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)


def _group_digits(axes: Axes) -> None:
    """Write large numbers along the axis as the tables do."""
    if max(map(abs, axes.get_xlim())) >= _GROUPED:
        axes.xaxis.set_major_formatter(lambda value, _: number(round(value)))


def _ends(item: Record) -> tuple[float, float]:
    low, high = item["low"], item["high"]
    return (item["mean"], item["mean"]) if low is None or high is None else (low, high)


def _total(axes: Axes, item: Record, place: int, truth: float | None) -> None:
    if item.get("correlated_low") is not None:
        # Nothing is less than nothing: the normal bound is cut where amounts end.
        left, right = max(item["correlated_low"], 0.0), item["correlated_high"]
        axes.barh(place, right - left, left=left, height=0.62, color=_ALIKE, zorder=1)
    axes.plot(_ends(item), [place, place], color=_RANGE, linewidth=3.2, solid_capstyle="butt", zorder=2)
    axes.plot(item["mean"], place, "o", markersize=6.0, color=_RANGE, zorder=3)
    if item.get("independent_low") is not None:
        ends = [item["independent_low"], item["independent_high"]]
        axes.plot(ends, [place, place], "|", color=_ALONE, markersize=10.0, markeredgewidth=1.3, zorder=4)
    if truth is not None:
        axes.plot(truth, place, "D", markersize=5.0, color=INK, markerfacecolor="white", zorder=5)


def _probability(increase: float) -> str:
    if increase < _SURE or increase > 1.0 - _SURE:
        return f"P(more) {'> 0.99' if increase > 0.5 else '< 0.01'}"
    return f"P(more) {increase:.2f}"


def _handles(records: Records, truth: bool) -> list[Line2D]:
    ranged = f"mean and {level_text(records[0])} range"
    out = [Line2D([], [], color=_RANGE, marker="o", linewidth=3.2, label=ranged)]
    if any(item.get("correlated_low") is not None for item in records):
        out.append(Line2D([], [], color=_ALIKE, linewidth=8.0, label="if all errors were alike"))
        out.append(_mark(_ALONE, "|", "if they were independent", markersize=9.0, markeredgewidth=1.3))
    if truth:
        out.append(_mark(INK, "D", "truth", markerfacecolor="white"))
    return out


def _mark(colour: str, marker: str, label: str, **look: float | str) -> Line2D:
    return Line2D([], [], color=colour, linestyle="none", marker=marker, label=label, **look)  # type: ignore[arg-type]
