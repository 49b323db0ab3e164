"""Where the sites lie: those kept, in the colours of their values, and those that a test flagged."""

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import ScaledTranslation
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.products.legend import Legend
from permagrid.report.basemap import Bounds
from permagrid.report.canvas import INK, NODATA, QUIET, colormap, new_figure, styled, words
from permagrid.report.map_frame import (
    MAPPED,
    SitePoints,
    add_legend,
    draw_frame,
    draw_mapped,
    project_points,
)
from permagrid.report.page import count, number
from permagrid.report.raster import MapImage
from permagrid.sites.quality import FAIL, MISSING, SUSPECT, tests_of

_MARKS = (
    ("o", "#d55e00"),
    ("s", "#0072b2"),
    ("^", "#009e73"),
    ("D", "#cc79a7"),
    ("v", "#e69f00"),
    ("P", "#56b4e9"),
    ("X", "#7b3f00"),
    ("*", "#111111"),
)
_RIM = "#10181f"
"""Colour of the rim of coloured circles."""
_BESIDE = 0.075
"""How far apart the marks of one site are drawn [inch]."""


def flags_by_site(sites: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return one row for each test and site that it flagged, with the worst code and the rows flagged.

    Parameters
    ----------
    sites
        Site table with ``flag_<test>`` columns of QARTOD codes.

    Returns
    -------
    pandas.DataFrame
        ``test``, ``site_id``, ``code`` (3 suspect, 4 fail, 9 missing), ``rows``, ``reason`` (of one of
        the worst rows), ``longitude``, ``latitude``.

    Examples
    --------
    >>> table = gpd.GeoDataFrame({"site_id": ["a", "a", "b"], "longitude": [1.0, 1.0, 2.0],
    ...                           "latitude": [70.0, 70.0, 71.0], "flag_range": [3, 4, 1]})
    >>> flags_by_site(table)[["test", "site_id", "code", "rows"]].values.tolist()
    [['range', 'a', 4, 2]]
    """
    found = []
    for test in tests_of(sites):
        codes = sites[f"flag_{test}"].fillna(MISSING).astype(int)
        hit = sites.loc[codes.isin((SUSPECT, FAIL, MISSING)), ["site_id", "longitude", "latitude"]]
        hit = pd.DataFrame(hit).assign(test=test, code=codes, severity=codes.replace(MISSING, 3.5))
        found.append(hit.assign(reason=_reasons(sites.loc[hit.index], test)))
    columns = ["test", "site_id", "code", "rows", "reason", "longitude", "latitude"]
    if not found or not sum(map(len, found)):
        return pd.DataFrame(columns=columns)
    worst_first = pd.concat(found).sort_values("severity", ascending=False, kind="stable")
    grouped = worst_first.groupby(["test", "site_id"], sort=False)
    table = grouped.agg(
        code=("code", "first"),
        rows=("code", "size"),
        reason=("reason", "first"),
        longitude=("longitude", "first"),
        latitude=("latitude", "first"),
    )
    return pd.DataFrame(table.reset_index()[columns])


def _reasons(rows: pd.DataFrame, test: str) -> list[str]:
    """Return what `test` said about each row."""
    if "flag_reason" not in rows:
        return [""] * len(rows)
    parts = (str(text).split(" | ") for text in rows["flag_reason"])
    return [
        next((p.removeprefix(f"{test}: ") for p in said if p.startswith(f"{test}: ")), "") for said in parts
    ]


@styled
def site_map_figure(
    sites: gpd.GeoDataFrame,
    legend: Legend,
    *,
    crs: str | None = None,
    used: pd.DataFrame | None = None,
    mapped: MapImage | None = None,
    coasts: bool = True,
) -> Figure:
    """Return two maps as PNG: the sites by value, and the flagged ones by test; a legend names every mark.

    Parameters
    ----------
    sites
        Site table with ``kept`` and ``flag_<test>`` columns; without them all sites count as kept.
    legend
        Colours of ``value``.
    crs
        CRS to draw in; by default that of `mapped`, or an equal-area one that suits the sites.
    used
        The sites that were used for training: ``site_id``, ``longitude``, ``latitude``, ``value``. They
        are coloured instead of the kept ones, which become small grey circles.
    mapped
        A map of the run, in the CRS that is drawn in: its cells with data are shaded.
    coasts
        Whether to draw coastlines and borders, which mean nothing on a virtual world; without them a line
        runs around the cells with data.

    Raises
    ------
    PermagridError
        If no site has coordinates on the globe.
    """
    on_globe = sites["latitude"].between(-90.0, 90.0) & sites["longitude"].between(-180.0, 180.0)
    kept = sites["kept"].astype(bool) if "kept" in sites else pd.Series(True, index=sites.index)
    shown = sites[on_globe & kept] if (on_globe & kept).any() else sites[on_globe]
    if shown.empty:
        raise PermagridError("no site to draw: none has a latitude of -90..90 and a longitude of -180..180")
    crs = crs or (suitable_crs(shown) if mapped is None else mapped.crs)
    frame = _empty_map(shown, crs)
    figure = new_figure(10.6, 4.45 * min(max(frame.aspect, 0.5), 1.3) + 2.2)
    left, right = figure.subplots(1, 2)
    ground: list[Artist] = []
    for axes in (left, right):
        axes.set_anchor("N")
        if mapped is not None:
            draw_mapped(axes, mapped, edge=not coasts)
            ground = [Patch(facecolor=MAPPED, edgecolor=QUIET, linewidth=0.5, label="mapped area")]
        draw_frame(axes, frame, coasts=coasts)
    table = sites[on_globe & kept]
    named = count(int((table if used is None else used)["site_id"].nunique()), "site")
    by = "class" if legend.kind == "classes" else "mean value"
    left.set_title(f"{'Kept' if used is None else 'Used'}: {named}, coloured by {by}", pad=16)
    others: list[Artist] = []
    if used is not None:
        unused = table[~table["site_id"].isin(set(used["site_id"]))]
        others = _draw_quiet(left, unused, frame, "passed the tests, not used")
    coloured = _draw_coloured(left, table if used is None else used, legend, frame)
    role = "passed the tests" if used is None else "used for training"
    key = _value_key(coloured, legend, role)
    _add_key(left, [*key, *others, *ground], legend.label if legend.kind != "continuous" else "")
    if legend.kind == "continuous":
        add_legend(figure, [left], legend, coloured[np.isfinite(coloured)])
    flagged = flags_by_site(sites)
    clear = sites[on_globe & ~sites["site_id"].isin(set(flagged["site_id"]))]
    quiet = _draw_quiet(right, clear, frame, "not flagged")
    _draw_flagged(right, flagged, frame, [*quiet, *ground])
    return figure


def suitable_crs(sites: gpd.GeoDataFrame) -> str:
    """Return an equal-area CRS that shows all sites, or longitude and latitude for the whole globe.

    Examples
    --------
    >>> table = gpd.GeoDataFrame({"longitude": [100.0, 110.0], "latitude": [50.0, 60.0]})
    >>> suitable_crs(table)
    '+proj=laea +lat_0=55 +lon_0=105 +datum=WGS84 +units=m'
    """
    latitude, longitude = sites["latitude"].to_numpy(float), sites["longitude"].to_numpy(float)
    turned = np.sort(longitude % 360.0)
    gaps = np.diff(turned, append=turned[0] + 360.0)
    width = 360.0 - float(gaps.max())
    if width > 120.0:
        if latitude.min() > 20.0:
            return "EPSG:6931"
        return "EPSG:6932" if latitude.max() < -20.0 else "EPSG:4326"
    middle = (turned[(int(np.argmax(gaps)) + 1) % turned.size] + width / 2 + 180.0) % 360.0 - 180.0
    centre = (latitude.min() + latitude.max()) / 2
    return f"+proj=laea +lat_0={centre:.6g} +lon_0={middle:.6g} +datum=WGS84 +units=m"


def _empty_map(sites: gpd.GeoDataFrame, crs: str) -> MapImage:
    """Return a map without cells that holds `sites` with a margin."""
    to_map = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = to_map.transform(sites["longitude"].to_numpy(float), sites["latitude"].to_numpy(float))
    inside = np.isfinite(x) & np.isfinite(y)
    x, y = x[inside], y[inside]
    least = 2.0 if pyproj.CRS.from_user_input(crs).is_geographic else 100_000.0
    margin = 0.06 * max(np.ptp(x), np.ptp(y), least)
    bounds = Bounds(x.min() - margin, y.min() - margin, x.max() + margin, y.max() + margin)
    # a map much narrower than tall, or the reverse, has no room for its labels
    short = 0.5 * max(bounds.right - bounds.left, bounds.top - bounds.bottom)
    dx = max(short - (bounds.right - bounds.left), 0.0) / 2
    dy = max(short - (bounds.top - bounds.bottom), 0.0) / 2
    bounds = Bounds(bounds.left - dx, bounds.bottom - dy, bounds.right + dx, bounds.top + dy)
    return MapImage(np.zeros((1, 1)), bounds, pyproj.CRS.from_user_input(crs).to_wkt())


def _draw_quiet(axes: Axes, sites: pd.DataFrame, frame: MapImage, label: str) -> list[Artist]:
    """Draw sites as small grey circles, and return their mark for the legend, if there are any."""
    places = sites.groupby("site_id", sort=True)[["longitude", "latitude"]].mean()
    if places.empty:
        return []
    points = SitePoints(places["longitude"].to_numpy(float), places["latitude"].to_numpy(float))
    x, y = project_points(points, frame.crs, frame.bounds)
    axes.scatter(x, y, s=9, facecolors="none", edgecolors=QUIET, linewidths=0.6, zorder=4)
    return [_mark("o", "none", QUIET, f"{label} ({number(len(places))})", size=3.0)]


def _draw_coloured(axes: Axes, sites: pd.DataFrame, legend: Legend, frame: MapImage) -> NDArray[np.float64]:
    """Draw sites in the colours of their mean values, which are returned."""
    means = sites.groupby("site_id", sort=True)[["longitude", "latitude", "value"]].mean()
    points = SitePoints(means["longitude"].to_numpy(float), means["latitude"].to_numpy(float))
    x, y = project_points(points, frame.crs, frame.bounds)
    cmap, norm = colormap(legend)
    values = means["value"].to_numpy(dtype=float)
    axes.scatter(x, y, c=cmap(norm(values)), s=22, edgecolors=_RIM, linewidths=0.5, zorder=5)
    return values


def _value_key(values: NDArray[np.float64], legend: Legend, role: str) -> list[Artist]:
    """Return the marks of coloured sites: one for all beside a colour bar, or one for each class or zone."""
    cmap, norm = colormap(legend)
    finite = values[np.isfinite(values)]
    marks: list[Artist] = []
    if legend.kind != "continuous":
        drawn = [tuple(colour) for colour in cmap(norm(finite))]
        for stop in legend.stops:
            n = drawn.count(to_rgba(stop.colour))
            marks.append(_mark("o", stop.colour, _RIM, f"{stop.label} ({number(n)})"))
    elif finite.size:
        face = cmap(norm(float(np.median(finite))))
        marks.append(_mark("o", face, _RIM, f"{role} ({number(finite.size)})"))
    if finite.size < values.size:
        marks.append(_mark("o", NODATA, _RIM, f"no value ({number(values.size - finite.size)})"))
    return marks


def _draw_flagged(axes: Axes, flagged: pd.DataFrame, frame: MapImage, others: list[Artist]) -> None:
    """Draw one mark for each test and site that it flagged, the rarest test on top, and the legend."""
    tests = sorted(set(flagged["test"]))
    styles = {test: _MARKS[place % len(_MARKS)] for place, test in enumerate(tests)}
    by_number = sorted(tests, key=lambda test: (-int((flagged["test"] == test).sum()), test))
    of_site = flagged.groupby("site_id", sort=False)["test"]
    beside = flagged.assign(shift=of_site.cumcount() - (of_site.transform("size") - 1) / 2)
    keys = {}
    for layer, test in enumerate(by_number):
        rows, (mark, colour) = beside[beside["test"] == test], styles[test]
        shown = 0
        for _, alike in rows.groupby("shift", sort=True):
            shown += _draw_marks(axes, alike, frame, styles[test], 5 + 0.1 * layer / len(tests))
        where = "" if shown == len(rows) else f", {number(shown) if shown else 'none'} on this map"
        keys[test] = _mark(mark, colour, colour, f"{words(test)} ({number(len(rows))}{where})")
    sites = int(flagged["site_id"].nunique())
    axes.set_title(f"Flagged: {count(sites, 'site')}, by test" if sites else "No site was flagged", pad=16)
    note = "Filled: failed. Open: suspect, or a value is missing." if sites else ""
    _add_key(axes, [*(keys[test] for test in tests), *others], note)


def _draw_marks(
    axes: Axes, rows: pd.DataFrame, frame: MapImage, style: tuple[str, str], height: float
) -> int:
    """Draw the marks of a test at sites, beside those of other tests, and return how many lie on the map."""
    x, y, inside = _places(rows, frame)
    failed, (mark, colour) = (rows["code"] == FAIL).to_numpy(), style
    scale = axes.figure.dpi_scale_trans
    aside = ScaledTranslation(_BESIDE * float(rows["shift"].iloc[0]), 0.0, scale)
    for which, face in ((failed, colour), (~failed, "white")):
        axes.scatter(
            x[inside & which],
            y[inside & which],
            marker=mark,
            facecolors=face,
            edgecolors=colour,
            s=30,
            linewidths=1.1,
            zorder=height,
            transform=axes.transData + aside,
        )
    return int(inside.sum())


def _places(
    rows: pd.DataFrame, frame: MapImage
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return x and y of sites, and whether they lie on the map; not all have coordinates on the globe."""
    longitude, latitude = (rows[name].to_numpy(float) for name in ("longitude", "latitude"))
    on_globe = (np.abs(latitude) <= 90) & (np.abs(longitude) <= 180)
    points = SitePoints(np.where(on_globe, longitude, 0), np.where(on_globe, latitude, 0))
    x, y = project_points(points, frame.crs, frame.bounds)
    left, bottom, right, top = frame.bounds
    return x, y, on_globe & (x >= left) & (x <= right) & (y >= bottom) & (y <= top)


def _mark(shape: str, face: Any, edge: str, label: str, *, size: float = 5.5) -> Line2D:
    """Return a mark for a legend."""
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=shape,
        markersize=size,
        markerfacecolor=face,
        markeredgecolor=edge,
        markeredgewidth=0.7,
        label=label,
    )


def _add_key(axes: Axes, marks: list[Artist], note: str = "") -> None:
    """Name the marks below a map."""
    if marks:
        axes.legend(
            handles=marks,
            loc="upper left",
            bbox_to_anchor=(0.0, -0.07),
            ncols=2,
            labelcolor=INK,
            handlelength=1.2,
            handletextpad=0.5,
            title=note or None,
            title_fontproperties={"family": "sans-serif", "size": 8},
            alignment="left",
        )
