"""Where a map may be believed, as figures: what lies outside, nearness to training rows, expected error."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from permagrid.errors import PermagridError
from permagrid.products.legend import Legend, unit_label
from permagrid.report.canvas import INK, QUIET, new_figure, plain, styled
from permagrid.report.map_figures import Map
from permagrid.report.map_frame import add_legend, draw_map
from permagrid.report.raster import MapImage, read_map

_VEIL = (1.0, 1.0, 1.0, 0.62)
_HATCH = "#3a444d"


@styled
def believed_map_figure(
    source: Map, area: Map, legend: Legend, *, title: str, coasts: bool = True, max_pixels: int = 900_000
) -> Figure:
    """Return a map on which cells outside the area of applicability are pale and hatched, as PNG.

    Parameters
    ----------
    source
        The map.
    area
        1 inside the area of applicability and 0 outside it, on the same grid.
    legend
        Colours of the values of the map.
    title
        What the map shows, with the epoch.
    coasts
        Whether to draw coastlines and borders.
    max_pixels
        Upper bound of the cells that are read.

    Raises
    ------
    PermagridError
        If one cannot be read, or they lie on different grids.
    """
    image, inside = read_map(source, max_pixels=max_pixels), read_map(area, max_pixels=max_pixels)
    if image.values.shape != inside.values.shape or not np.allclose(image.bounds, inside.bounds):
        raise PermagridError(
            f"map and area of applicability lie on different grids: {image.bounds} and {inside.bounds}"
        )
    width = 7.6 if image.aspect <= 1.25 else 7.6 * 1.25 / image.aspect
    figure = new_figure(width, (width - 0.95) * image.aspect + 1.45)
    axes = figure.add_subplot()
    draw_map(axes, image, legend, coasts=coasts)
    _veil(axes, image, inside.values == 0.0)
    axes.set_title(title, pad=17, fontsize=11)
    outside = Patch(facecolor="white", edgecolor=_HATCH, hatch="/////", linewidth=0.5, label="outside")
    add_legend(figure, [axes], legend, image.values, more=[outside])
    return figure


def _veil(axes: Axes, image: MapImage, outside: Any) -> None:
    """Make cells pale and lay hatching over them."""
    if not outside.any():
        return
    left, bottom, right, top = image.bounds
    veil = np.zeros((*outside.shape, 4))
    veil[outside] = _VEIL
    axes.imshow(veil, extent=(left, right, bottom, top), zorder=1)
    # Cells as corners of a mesh: their edges stay straight, and the last row and column keep theirs.
    padded = np.pad(outside.astype(float), 1)
    height, across = outside.shape
    x = left + (np.arange(-1, across + 1) + 0.5) * (right - left) / across
    y = top - (np.arange(-1, height + 1) + 0.5) * (top - bottom) / height
    hatched = axes.contourf(x, y, padded, levels=[0.5, 1.5], colors="none", hatches=["/////"], zorder=2)
    hatched.set(edgecolor=_HATCH, linewidth=0.0)


@styled
def nearness_figure(layers: Sequence[tuple[Map, Legend]], *, title: str, coasts: bool = True) -> Figure:
    """Return several maps of one epoch side by side, each with its own legend, as PNG.

    Parameters
    ----------
    layers
        Maps and their legends.
    title
        What they show.
    coasts
        Whether to draw coastlines and borders.

    Raises
    ------
    PermagridError
        If a map cannot be read.
    """
    images = [(read_map(source, max_pixels=250_000), legend) for source, legend in layers]
    aspect = max(image.aspect for image, _ in images)
    figure = new_figure(max(3.5 * len(images), 4.6), 3.4 * aspect + 1.35)
    panels = figure.subplots(1, len(images), squeeze=False)[0]
    for axes, (image, legend) in zip(panels, images, strict=True):
        draw_map(axes, image, legend, labels=False, coasts=coasts)
        axes.set_title(legend.title.removesuffix(" [1]"), fontsize=9.5, pad=4)
        add_legend(figure, [axes], legend, image.values[np.isfinite(image.values)])
    figure.suptitle(title, fontweight="bold", fontsize=11, x=0.01, ha="left")
    return figure


@styled
def error_curve_figure(told: Mapping[str, Any], *, unit: str) -> Figure:
    """Return the error that is to be expected by dissimilarity, and that of the training rows, as PNG.

    Parameters
    ----------
    told
        Entry ``applicability`` of a summary: ``error_model``, ``error_name``, ``threshold`` and quantiles
        of the index of training rows, ``training_di``.
    unit
        Unit of the target.
    """
    corners = sorted((float(item["di"]), float(item["error"])) for item in told["error_model"])
    threshold, name = float(told["threshold"]), error_title(told)
    quantiles = {float(share): float(di) for share, di in (told.get("training_di") or {}).items()}
    # Of rows that all have a double nothing is known beyond 0.
    reach = max(threshold, corners[-1][0]) or 1.0
    figure = new_figure(7.6, 4.2)
    axes = figure.subplots()
    plain(axes)
    line = [(0.0, corners[0][1]), *corners]
    axes.plot(*zip(*line, strict=True), color="#0072b2", linewidth=2.2, label="expected error")
    axes.axvline(threshold, color="#c2502e", linewidth=1.4, label="edge of the area of applicability")
    highest = max(error for _, error in corners) * 1.12 or 1.0
    axes.set(xlim=(0.0, 1.12 * reach), ylim=(-0.1 * highest, highest))
    _draw_quantiles(axes, quantiles, -0.05 * highest)
    axes.set_xlabel("Dissimilarity index [1]")
    shown = unit_label(unit) if name == "RMSE" else ""
    axes.set_ylabel(f"{name} [{shown or '1'}]")
    axes.set_yticks([tick for tick in axes.get_yticks() if 0.0 <= tick <= highest])
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def error_title(told: Mapping[str, Any]) -> str:
    """Return the name of the error that is expected.

    Examples
    --------
    >>> error_title({"error_name": "rmse"}), error_title({"error_name": "misclassification"})
    ('RMSE', 'Share of wrong classes')
    """
    return "RMSE" if str(told["error_name"]) == "rmse" else "Share of wrong classes"


def _draw_quantiles(axes: Axes, quantiles: Mapping[float, float], at: float) -> None:
    """Draw nine tenths of the training rows as a line, their middle half as a bar, the median as a stroke."""
    ends = [quantiles.get(share) for share in (0.05, 0.95, 0.25, 0.75, 0.5)]
    if any(end is None for end in ends):
        return
    first, last, low, high, middle = (float(end) for end in ends if end is not None)
    axes.plot([first, last], [at, at], color=QUIET, linewidth=1.2, label="90 % of the training rows")
    axes.plot([low, high], [at, at], color=QUIET, linewidth=6.0, solid_capstyle="butt")
    axes.plot(middle, at, "|", color=INK, markersize=10, markeredgewidth=1.6)
