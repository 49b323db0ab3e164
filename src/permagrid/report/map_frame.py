"""One map on its axes: cells, coastlines, borders, labelled graticule, scale bar and sites."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyproj
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnchoredOffsetbox, AuxTransformBox, TextArea, VPacker
from matplotlib.patches import Patch
from numpy.typing import NDArray

from permagrid.products.legend import Legend
from permagrid.report.basemap import Bounds, Line, basemap, graticule, kilometres_per_unit
from permagrid.report.canvas import INK, NODATA, QUIET, colormap
from permagrid.report.raster import MapImage

MAPPED = "#e3e8dc"
"""Colour of cells with data where their values are not shown."""
_HALO = [patheffects.withStroke(linewidth=2.0, foreground="white", alpha=0.85)]


@dataclass(frozen=True)
class SitePoints:
    """Sites to draw on a map."""

    longitude: NDArray[np.float64]
    """[degree]"""
    latitude: NDArray[np.float64]
    """[degree]"""
    values: NDArray[np.float64] | None = None
    """Observed values, coloured as the map; None draws open circles."""


def site_points(sites: pd.DataFrame) -> SitePoints:
    """Return the kept sites of a table, or all where it has no ``kept``, with their mean values.

    Examples
    --------
    >>> table = pd.DataFrame({"site_id": ["a", "a"], "longitude": [10.0, 10.0],
    ...                       "latitude": [70.0, 70.0], "value": [-1.0, -3.0]})
    >>> site_points(table).values.tolist()
    [-2.0]
    """
    table = sites[sites["kept"].astype(bool)] if "kept" in sites else sites
    names = [name for name in ("longitude", "latitude", "value") if name in table]
    means = table.dropna(subset=["longitude", "latitude"]).groupby("site_id", sort=True)[names].mean()
    values = means["value"].to_numpy(dtype=float) if "value" in means else None
    return SitePoints(means["longitude"].to_numpy(float), means["latitude"].to_numpy(float), values)


def draw_map(
    axes: Axes,
    image: MapImage,
    legend: Legend,
    *,
    sites: SitePoints | None = None,
    labels: bool = True,
    coasts: bool = True,
) -> None:
    """Draw `image` with everything a reader needs to find a place on it.

    Parameters
    ----------
    axes
        Where to draw.
    image
        The map.
    legend
        Colours of its values.
    sites
        Sites to draw over it.
    labels
        Whether to label the graticule and to draw a scale bar.
    coasts
        Whether to draw coastlines and borders; without them the edge of the data is drawn.
    """
    cmap, norm = colormap(legend)
    left, bottom, right, top = image.bounds
    axes.imshow(
        np.ma.masked_invalid(image.values), cmap=cmap, norm=norm, extent=(left, right, bottom, top), zorder=0
    )
    draw_frame(axes, image, labels=labels, coasts=coasts)
    if not coasts:
        _data_edge(axes, image, 0.6 if labels else 0.4)
    if sites is not None:
        x, y = project_points(sites, image.crs, image.bounds)
        inside = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
        colours = cmap(norm(sites.values[inside])) if sites.values is not None else "none"
        axes.scatter(
            x[inside],
            y[inside],
            s=13,
            c=colours,
            edgecolors="#10181f",
            linewidths=0.6,
            zorder=5,
            clip_on=True,
        )


def draw_frame(axes: Axes, image: MapImage, *, labels: bool = True, coasts: bool = True) -> None:
    """Draw coastlines, borders and graticule over `image`, and set the extent and aspect of the axes."""
    crs, bounds = image.crs, image.bounds
    weight = 1.0 if labels else 0.55
    meridians, parallels = graticule(crs, bounds)
    grid = [line for lines in (*meridians.values(), *parallels.values()) for line in lines]
    strokes: list[tuple[Sequence[Line], str, float, float]] = [(grid, "#44525e", 0.4, 0.45)]
    if coasts:
        coast, borders = (basemap(layer, crs, bounds) for layer in ("coastlines", "borders"))
        strokes += [
            (coast, "white", 1.5, 0.5),
            (borders, "#3c4650", 0.4, 0.7),
            (coast, "#1d262e", 0.6, 0.95),
        ]
    for lines, colour, width, alpha in strokes:
        drawn = LineCollection(lines, colors=colour, linewidths=weight * width, alpha=alpha, zorder=3)
        axes.add_collection(drawn, autolim=False)
    if labels:
        _label_graticule(axes, meridians, parallels, bounds)
        _scale_bar(axes, crs, bounds)
    axes.set_xlim(bounds.left, bounds.right)
    axes.set_ylim(bounds.bottom, bounds.top)
    axes.set_aspect(image.stretch)
    axes.set_xticks([])
    axes.set_yticks([])


def draw_mapped(axes: Axes, image: MapImage, *, edge: bool) -> None:
    """Shade the cells of `image` that hold data, with a line around them or without."""
    left, bottom, right, top = image.bounds
    shade = np.where(np.isfinite(image.values), 0.0, np.nan)
    axes.imshow(
        np.ma.masked_invalid(shade),
        cmap=ListedColormap([MAPPED]),
        extent=(left, right, bottom, top),
        zorder=0,
    )
    if edge:
        _data_edge(axes, image, 0.6)


def _data_edge(axes: Axes, image: MapImage, width: float) -> None:
    """Draw a line around the cells that hold data: the coast of a world that is not the Earth."""
    missing = ~np.isfinite(image.values)
    if not missing.any() or missing.all() or min(missing.shape) < 2:
        return
    left, bottom, right, top = image.bounds
    height, across = missing.shape
    x = left + (np.arange(across) + 0.5) * (right - left) / across
    y = top - (np.arange(height) + 0.5) * (top - bottom) / height
    axes.contour(x, y, missing, levels=[0.5], colors="#1d262e", linewidths=width, zorder=3)


def add_legend(
    figure: Figure,
    axes: list[Axes],
    legend: Legend,
    values: NDArray[np.float64],
    *,
    more: Sequence[Patch] = (),
) -> None:
    """Add one legend with unit below `axes`: a colour bar, or named patches for zones and classes.

    Parameters
    ----------
    figure
        The figure.
    axes
        The maps that share the legend.
    legend
        Colours of the values.
    values
        All values drawn; they decide whether the bar gets arrows and "no data" its patch.
    more
        What else is drawn, to stand beside "no data".
    """
    finite = values[np.isfinite(values)]
    grey = Patch(facecolor=NODATA, edgecolor="#9aa5ae", linewidth=0.5, label="no data")
    missing = [*more, *([grey] if finite.size < values.size else [])]
    if legend.kind == "continuous":
        bar = _colour_bar(figure, axes, legend, finite)
        beside = bar.ax.legend(
            handles=missing, loc="center left", bbox_to_anchor=(1.1, 0.5), handlelength=1.2, borderpad=0
        )
        beside.set_in_layout(False)
        return
    patches = [
        Patch(facecolor=stop.colour, edgecolor="#9aa5ae", linewidth=0.5, label=stop.label)
        for stop in legend.stops
    ]
    alone = len(axes) == len(figure.axes)
    below = (
        {"loc": "outside lower center"} if alone else {"loc": "upper left", "bbox_to_anchor": (0.0, -0.02)}
    )
    (figure if alone else axes[0]).legend(
        handles=[*patches, *missing],
        title=legend.label,
        title_fontproperties={"weight": "bold", "size": 8.5},
        alignment="left" if not alone else "center",
        ncols=2 if legend.kind == "zones" and len(axes) == 1 else len(patches) + len(more) + 1,
        handlelength=1.2,
        columnspacing=1.2,
        borderpad=0.2,
        **below,
    )


def _colour_bar(figure: Figure, axes: list[Axes], legend: Legend, finite: NDArray[np.float64]) -> Colorbar:
    cmap, norm = colormap(legend)
    low = finite.size > 0 and finite.min() < legend.stops[0].value
    high = finite.size > 0 and finite.max() > legend.stops[-1].value
    low, high = low or legend.open_ends in ("min", "both"), high or legend.open_ends in ("max", "both")
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get((low, high), "neither")
    one_of_many = len(axes) == 1 and len(figure.axes) > 1
    bar = figure.colorbar(
        ScalarMappable(norm, cmap),
        ax=axes,
        orientation="horizontal",
        extend=extend,
        shrink=0.85 if one_of_many else 0.62,
        aspect=24 if one_of_many else 34,
        pad=0.05,
        panchor=False,
        label=legend.label,
    )
    bar.set_ticks([stop.value for stop in legend.stops], labels=[stop.label for stop in legend.stops])
    bar.outline.set_linewidth(0.5)
    bar.ax.tick_params(length=2.5, width=0.6)
    return bar


def project_points(
    sites: SitePoints, crs: str, bounds: Bounds
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y of sites on a map whose longitudes may run beyond 180."""
    target = pyproj.CRS.from_user_input(crs)
    to_map = pyproj.Transformer.from_crs("EPSG:4326", target, always_xy=True)
    x, y = (np.asarray(a, dtype=float) for a in to_map.transform(sites.longitude, sites.latitude))
    if target.is_geographic:
        x = np.where(x < bounds.left, x + 360.0, x)
        x = np.where(x > bounds.right, x - 360.0, x)
    return x, y


def _label_graticule(
    axes: Axes, meridians: dict[float, list[Line]], parallels: dict[float, list[Line]], bounds: Bounds
) -> None:
    """Write degrees where lines leave the frame, and on the parallels that never do."""
    taken: dict[str, list[float]] = {"left": [], "right": [], "bottom": [], "top": []}
    rings = {degree: lines for degree, lines in parallels.items() if not _exits(lines, bounds)}
    for degree, lines in sorted(meridians.items(), key=lambda item: abs(item[0])):
        for side, share in _exits(lines, bounds):
            if rings or side in ("bottom", "top"):
                _edge_label(axes, side, share, _degrees(degree, "E", "W"), taken)
    for degree, lines in sorted(({} if rings else parallels).items()):
        for side, share in _exits(lines, bounds):
            if side in ("left", "right"):
                _edge_label(axes, side, share, _degrees(degree, "N", "S"), taken)
    for degree, lines in rings.items():
        _ring_label(axes, max(lines, key=len), _degrees(degree, "N", "S"))


def _ring_label(axes: Axes, ring: Line, text: str) -> None:
    """Label a parallel that closes within the map, at its lower right."""
    x, y = ring[int(np.argmin(ring[:, 1] - ring[:, 0]))]
    axes.text(
        x,
        y,
        text,
        fontsize=6.5,
        color=INK,
        ha="center",
        va="center",
        path_effects=_HALO,
        zorder=6,
        clip_on=True,
    )


def _exits(lines: list[Line], bounds: Bounds) -> list[tuple[str, float]]:
    """Return the sides, and the shares along them from 0 to 1, at which lines leave the map."""
    found = []
    width, height = bounds.right - bounds.left, bounds.top - bounds.bottom
    for line in lines:
        for x, y in (line[0], line[-1]):
            along, up = (x - bounds.left) / width, (y - bounds.bottom) / height
            near = {"left": along, "right": 1 - along, "bottom": up, "top": 1 - up}
            side = min(near, key=lambda name: near[name])
            if near[side] < 1e-6:
                found.append((side, float(up if side in ("left", "right") else along)))
    return found


def _edge_label(axes: Axes, side: str, share: float, text: str, taken: dict[str, list[float]]) -> None:
    upright = side in ("left", "right")
    room = 0.045 if upright else 0.075
    if any(abs(share - other) < room for other in taken[side]) or not 0.01 < share < 0.99:
        return
    taken[side].append(share)
    place = {"left": (0.0, share), "right": (1.0, share), "bottom": (share, 0.0), "top": (share, 1.0)}[side]
    shift = {"left": (-4, 0), "right": (4, 0), "bottom": (0, -4), "top": (0, 4)}[side]
    axes.annotate(
        text,
        place,
        xycoords="axes fraction",
        xytext=shift,
        textcoords="offset points",
        fontsize=7.0,
        color=QUIET,
        ha={"left": "right", "right": "left"}.get(side, "center"),
        va={"bottom": "top", "top": "bottom"}.get(side, "center"),
        annotation_clip=False,
    )


def _degrees(value: float, positive: str, negative: str) -> str:
    if value == 0 or abs(value) == 180:
        return f"{abs(value):g}°"
    return f"{abs(value):g}° {positive if value > 0 else negative}"


def _scale_bar(axes: Axes, crs: str, bounds: Bounds) -> None:
    """Draw a bar of a round length, true at the centre of the map, into the lower left corner."""
    per_unit = kilometres_per_unit(crs, bounds)
    width = bounds.right - bounds.left
    if not np.isfinite(per_unit) or per_unit <= 0:
        return
    wanted = 0.22 * width * per_unit
    magnitude = 10.0 ** np.floor(np.log10(wanted))
    length = max(step * magnitude for step in (1, 2, 5) if step * magnitude <= wanted)
    drawn = AuxTransformBox(axes.transData)
    bar = Line2D([0.0, length / per_unit], [0.0, 0.0], color=INK, linewidth=2.4)
    bar.set_solid_capstyle("butt")
    drawn.add_artist(bar)
    text = TextArea(f"{length:g} km", textprops={"fontsize": 7.0})
    packed = VPacker(children=[text, drawn], align="center", pad=0, sep=2.5)
    box = AnchoredOffsetbox("lower left", child=packed, pad=0.45, borderpad=0.5, frameon=True)
    box.patch.set(facecolor="white", edgecolor="none", alpha=0.85)
    box.set_zorder(6)
    axes.add_artist(box)
