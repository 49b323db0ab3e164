"""Figures of maps: one map, all epochs under one legend, and truth, map and error side by side."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from permagrid.errors import PermagridError
from permagrid.products.legend import Legend, LegendStop, difference_legend
from permagrid.report.canvas import new_figure, styled
from permagrid.report.map_frame import add_legend, draw_map, site_points
from permagrid.report.raster import MapImage, read_map

Map = Path | xr.DataArray
"""A GeoTIFF on disk, or an array with a geobox."""


@styled
def map_figure(
    source: Map,
    legend: Legend,
    *,
    title: str,
    sites: pd.DataFrame | None = None,
    coasts: bool = True,
    max_pixels: int = 900_000,
) -> Figure:
    """Return a map with coastlines, graticule, scale bar and legend as PNG.

    Parameters
    ----------
    source
        The map.
    legend
        Colours of its values.
    title
        What the map shows, with the epoch.
    sites
        Site table; the kept sites, or all in a table without ``kept``, are drawn in the colours of
        their values.
    coasts
        Whether to draw coastlines and borders, which mean nothing on a virtual world.
    max_pixels
        Upper bound of the cells that are read.

    Raises
    ------
    PermagridError
        If the map cannot be read, or has no CRS.
    """
    image = read_map(source, max_pixels=max_pixels)
    width = 7.6 if image.aspect <= 1.25 else 7.6 * 1.25 / image.aspect
    figure = new_figure(
        width, (width - 0.95) * image.aspect + (1.45 if legend.kind == "continuous" else 1.25)
    )
    axes = figure.add_subplot()
    draw_map(axes, image, legend, sites=None if sites is None else site_points(sites), coasts=coasts)
    axes.set_title(title, pad=17, fontsize=11)
    add_legend(figure, [axes], legend, image.values)
    return figure


@styled
def epoch_maps_figure(
    sources: Mapping[str, Map],
    legend: Legend,
    *,
    title: str,
    coasts: bool = True,
    max_pixels: int = 160_000,
) -> Figure:
    """Return the maps of all epochs as small multiples under one legend, as PNG.

    Parameters
    ----------
    sources
        Epoch -> its map, in the order to draw.
    legend
        Colours shared by all maps.
    title
        What the maps show.
    coasts
        Whether to draw coastlines and borders.
    max_pixels
        Upper bound of the cells that are read from each map.

    Raises
    ------
    PermagridError
        If there is no map, or one cannot be read.
    """
    if not sources:
        raise PermagridError("no maps to draw: at least one epoch is needed")
    images = {epoch: read_map(source, max_pixels=max_pixels) for epoch, source in sources.items()}
    aspect = max(image.aspect for image in images.values())
    columns = min(len(images), 4 if aspect > 0.6 else 3)
    if len(images) > columns:
        columns = math.ceil(len(images) / math.ceil(len(images) / columns))
    rows = math.ceil(len(images) / columns)
    panel = min(10.4 / columns, 4.6)
    figure = new_figure(
        max(panel * columns, 6.5),
        rows * (panel * aspect + 0.28) + (1.15 if legend.kind == "continuous" else 0.75),
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, (epoch, image) in zip(grid.flat, images.items(), strict=False):
        draw_map(axes, image, legend, labels=False, coasts=coasts)
        axes.set_title(epoch.replace("-", "–"), fontsize=9.5, pad=4)
    for axes in list(grid.flat)[len(images) :]:
        axes.set_axis_off()
    figure.suptitle(title, fontweight="bold", fontsize=11, x=0.01, ha="left")
    values = np.concatenate([image.values.ravel() for image in images.values()])
    add_legend(figure, list(grid.flat), legend, values)
    return figure


@styled
def truth_figure(truth: Map, estimate: Map, legend: Legend, *, title: str, coasts: bool = True) -> Figure:
    """Return the truth, the map and its error side by side as PNG.

    Parameters
    ----------
    truth
        The known truth, as on the virtual world.
    estimate
        The map, on the same grid.
    legend
        Colours shared by truth and map; the error gets a diverging scale that holds 98 % of it.
    title
        What is compared, with the epoch.
    coasts
        Whether to draw coastlines and borders.

    Raises
    ------
    PermagridError
        If one cannot be read, or they lie on different grids.
    """
    known, mapped = read_map(truth, max_pixels=250_000), read_map(estimate, max_pixels=250_000)
    if known.values.shape != mapped.values.shape or not np.allclose(known.bounds, mapped.bounds):
        raise PermagridError(f"truth and map lie on different grids: {known.bounds} and {mapped.bounds}")
    error = mapped.values - known.values
    if legend.kind == "classes":
        error, scale = np.sign(error) + 1.0, _miss_legend()
    else:
        scale = difference_legend(legend, limit=_limit(error))
    figure = new_figure(10.6, 3.4 * known.aspect + 1.35)
    panels = figure.subplots(1, 3)
    for axes, image, colours, name in (
        (panels[0], known, legend, "Truth"),
        (panels[1], mapped, legend, "Map"),
        (panels[2], MapImage(error, known.bounds, known.crs), scale, "Error (map − truth)"),
    ):
        draw_map(axes, image, colours, labels=False, coasts=coasts)
        axes.set_title(name, fontsize=9.5, pad=4)
    add_legend(figure, list(panels[:2]), legend, np.concatenate([known.values, mapped.values], axis=None))
    add_legend(figure, [panels[2]], scale, error[np.isfinite(error)])
    figure.suptitle(title, fontweight="bold", fontsize=11, x=0.01, ha="left")
    return figure


def _limit(error: np.ndarray) -> float:
    """Return a round number that 98 % of the absolute errors stay below."""
    size = np.abs(error[np.isfinite(error)])
    most = float(np.quantile(size, 0.98)) if size.size else 1.0
    if most <= 0:
        return 1.0
    magnitude = 10.0 ** math.floor(math.log10(most))
    return float(min(step * magnitude for step in (1.5, 3.0, 6.0, 9.0, 15.0) if step * magnitude >= most))


def _miss_legend() -> Legend:
    return Legend(
        "permafrost_presence_difference",
        "Error",
        "1",
        "classes",
        (
            LegendStop(0, "#d0730f", "missed"),
            LegendStop(1, "#f1f1f1", "right"),
            LegendStop(2, "#70589f", "false alarm"),
        ),
    )
