"""Where the sites lie: those kept, in the colours of their values, and those that a test flagged."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from permagrid.errors import PermagridError
from permagrid.products.legend import Legend
from permagrid.report.basemap import Bounds
from permagrid.report.canvas import INK, QUIET, colormap, new_figure, styled, words
from permagrid.report.map_frame import SitePoints, add_legend, draw_frame, project_points
from permagrid.report.page import count
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
    coasts: bool = True,
) -> Figure:
    """Return two maps as PNG: the sites by value, and the flagged ones by test.

    Parameters
    ----------
    sites
        Site table with ``kept`` and ``flag_<test>`` columns; without them all sites count as kept.
    legend
        Colours of ``value``.
    crs
        CRS to draw in; by default an equal-area one that suits the sites.
    used
        The sites that were used for training: ``site_id``, ``longitude``, ``latitude``, ``value``. They
        are coloured instead of the kept ones, which become small grey circles.
    coasts
        Whether to draw coastlines and borders, which mean nothing on a virtual world.

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
    crs = crs or suitable_crs(shown)
    frame = _empty_map(shown, crs)
    figure = new_figure(10.6, 4.45 * min(max(frame.aspect, 0.5), 1.3) + 2.2)
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        axes.set_anchor("N")
        draw_frame(axes, frame, coasts=coasts)
    table = sites[on_globe & kept]
    if used is not None:
        _draw_unused(left, table[~table["site_id"].isin(set(used["site_id"]))], frame)
    _draw_coloured(figure, left, table if used is None else used, legend, frame)
    named = count(int((table if used is None else used)["site_id"].nunique()), "site")
    left.set_title(f"{'Kept' if used is None else 'Used'}: {named}, coloured by mean value", pad=16)
    _draw_flagged(right, flags_by_site(sites), frame)
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


def _draw_unused(axes: Axes, sites: pd.DataFrame, frame: MapImage) -> None:
    places = sites.groupby("site_id", sort=True)[["longitude", "latitude"]].mean()
    points = SitePoints(places["longitude"].to_numpy(float), places["latitude"].to_numpy(float))
    x, y = project_points(points, frame.crs, frame.bounds)
    axes.scatter(x, y, s=9, facecolors="none", edgecolors=QUIET, linewidths=0.6, zorder=4)


def _draw_coloured(figure: Figure, axes: Axes, sites: pd.DataFrame, legend: Legend, frame: MapImage) -> None:
    means = sites.groupby("site_id", sort=True)[["longitude", "latitude", "value"]].mean()
    points = SitePoints(means["longitude"].to_numpy(float), means["latitude"].to_numpy(float))
    x, y = project_points(points, frame.crs, frame.bounds)
    cmap, norm = colormap(legend)
    values = means["value"].to_numpy(dtype=float)
    axes.scatter(x, y, c=cmap(norm(values)), s=22, edgecolors="#10181f", linewidths=0.5, zorder=5)
    add_legend(figure, [axes], legend, values[np.isfinite(values)])


def _draw_flagged(axes: Axes, flagged: pd.DataFrame, frame: MapImage) -> None:
    unplaced = 0
    for number, (test, rows) in enumerate(flagged.groupby("test", sort=True)):
        mark, colour = _MARKS[number % len(_MARKS)]
        points = SitePoints(rows["longitude"].to_numpy(float), rows["latitude"].to_numpy(float))
        on_globe = (np.abs(points.latitude) <= 90) & (np.abs(points.longitude) <= 180)
        at = SitePoints(np.where(on_globe, points.longitude, 0), np.where(on_globe, points.latitude, 0))
        x, y = project_points(at, frame.crs, frame.bounds)
        left, bottom, right, top = frame.bounds
        inside = on_globe & (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
        unplaced += int((~inside).sum())
        failed = (rows["code"] == FAIL).to_numpy()
        for which, face in ((failed, colour), (~failed, "white")):
            axes.scatter(
                x[inside & which],
                y[inside & which],
                marker=mark,
                facecolors=face,
                edgecolors=colour,
                s=30,
                linewidths=1.1,
                zorder=5,
            )
        axes.scatter([], [], marker=mark, color=colour, s=30, label=f"{words(str(test))} ({len(rows)})")
    sites = flagged["site_id"].nunique()
    axes.set_title(f"Flagged: {count(sites, 'site')}, by test" if sites else "No site was flagged", pad=16)
    notes = ["filled: failed, open: suspect"] + ([f"{unplaced} beyond the map"] if unplaced else [])
    if sites:
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(0.0, -0.07),
            ncols=2,
            labelcolor=INK,
            handletextpad=0.2,
            title="; ".join(notes),
            title_fontproperties={"family": "sans-serif", "size": 8},
            alignment="left",
        )
