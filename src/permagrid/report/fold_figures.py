"""Folds as figures: where each fold lies, and how far its test sites are from what was trained on."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from permagrid.report.canvas import INK, QUIET, lowest, new_figure, plain, small_multiples, styled, wrapped
from permagrid.report.fold_names import fold_colours, fold_order, fold_title
from permagrid.report.map_frame import SitePoints, draw_frame, draw_mapped, project_points
from permagrid.report.raster import MapImage

_MANY_FOLDS = 10
_TICKS = (0, 10, 100, 1_000, 10_000)
_FOLD_MARKS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"),
    *("#56b4e9", "#7b3f00", "#5c5c5c", "#b8a800", "#a6003c"),
)


@styled
def distance_figure(curves: pd.DataFrame, *, quote: str | None = None) -> Figure:
    """Return the distribution of distances under each scheme beside that of the map, one panel each, as PNG.

    Parameters
    ----------
    curves
        ``folds``, ``kind``, ``distance_km`` and ``share`` of the distances that are no longer.
    quote
        The scheme whose score is to be quoted.
    """
    schemes = sorted(curves["folds"].unique(), key=fold_order)
    columns = min(len(schemes), 3)
    figure = new_figure(3.35 * columns + 0.3, 2.5 * -(-len(schemes) // columns) + 0.75)
    panels = small_multiples(figure, len(schemes), columns=columns, sharex=True, sharey=True)
    colours = fold_colours(schemes)
    far = float(curves.loc[curves["share"] >= 0.99].groupby(["folds", "kind"])["distance_km"].min().max())
    for axes, folds in zip(panels, schemes, strict=True):
        plain(axes)
        mine = curves[curves["folds"] == folds]
        for kind, colour, style, width in (
            ("sample_to_sample", QUIET, ":", 1.3),
            ("prediction_to_sample", INK, "-", 1.6),
            ("test_to_train", colours[folds], "-", 2.0),
        ):
            line = mine[mine["kind"] == kind].sort_values("distance_km", kind="stable")
            axes.step(line["distance_km"], line["share"], where="post", color=colour, ls=style, lw=width)
        wasserstein = float(mine["wasserstein_km"].iloc[0])
        said = f"W = {wasserstein:.0f} km{', to quote' if folds == quote else ''}"
        axes.set_title(f"{wrapped(fold_title(folds), 38)}\n{said}")
        # Most sites have a neighbour within tens of km, and the map ends at thousands.
        axes.set_xscale("symlog", linthresh=10.0, linscale=0.5)
        axes.set(xlim=(0.0, 1.2 * max(far, 20.0)), ylim=(0.0, 1.02))
        ticks = [tick for tick in _TICKS if tick <= 1.2 * max(far, 20.0)]
        axes.set_xticks(ticks, labels=[f"{tick:,}".replace(",", "\N{THIN SPACE}") for tick in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
    for axes in lowest(panels, columns):
        axes.set_xlabel("Distance to the nearest [km]")
    for axes in panels[::columns]:
        axes.set_ylabel("Share no farther [1]")
    handles = [
        Line2D([], [], color=INK, lw=1.6, label="from the map to a site"),
        Line2D(
            [], [], color=colours[schemes[-1]], lw=2.0, label="from a test site to a training site (by folds)"
        ),
        Line2D([], [], color=QUIET, lw=1.3, ls=":", label="from a site to another site"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3)
    return figure


@styled
def fold_map_figure(predictions: pd.DataFrame, image: MapImage, *, coasts: bool = True) -> Figure:
    """Return where the folds of each scheme lie, one map for each, as PNG.

    Parameters
    ----------
    predictions
        Out-of-fold predictions of one learner: ``folds``, ``fold``, ``site_id``, ``longitude``, ``latitude``.
    image
        A map of the run, whose cells are shaded.
    coasts
        Whether to draw coastlines and borders.
    """
    schemes = sorted(predictions["folds"].unique(), key=fold_order)
    columns = min(len(schemes), 3)
    height = 3.4 * min(max(image.aspect, 0.4), 1.4)
    figure = new_figure(3.4 * columns, (height + 0.45) * -(-len(schemes) // columns))
    panels = small_multiples(figure, len(schemes), columns=columns)
    for axes, folds in zip(panels, schemes, strict=True):
        mine = predictions[predictions["folds"] == folds].drop_duplicates("site_id")
        draw_mapped(axes, image, edge=not coasts)
        draw_frame(axes, image, labels=False, coasts=coasts)
        places = SitePoints(mine["longitude"].to_numpy(float), mine["latitude"].to_numpy(float))
        x, y = project_points(places, image.crs, image.bounds)
        colours = np.array(_FOLD_MARKS)[mine["fold"].to_numpy(int) % len(_FOLD_MARKS)]
        axes.scatter(x, y, s=11, c=colours, edgecolors="#10181f", linewidths=0.3, zorder=5)
        number = _folds_of(predictions, folds)
        axes.set_title(wrapped(f"{fold_title(folds)}: {number} fold{'' if number == 1 else 's'}", 38))
    return figure


def _folds_of(predictions: pd.DataFrame, folds: str) -> int:
    return int(predictions.loc[predictions["folds"] == folds, "fold"].nunique())


def many_folds(predictions: pd.DataFrame) -> bool:
    """Return whether a scheme has more folds than there are colours, which then repeat."""
    return bool((predictions.groupby("folds")["fold"].nunique() > _MANY_FOLDS).any())
