"""Folds of regions: a country, a box or a polygon held out at a time."""

from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely import STRtree, points

from permagrid.errors import PermagridError, did_you_mean
from permagrid.grid import Float, inside_region, transformed
from permagrid.validation.folds import FOLDS, Folds, enough, of_labels
from permagrid.validation.places import Index, places_of

Box = tuple[float, float, float, float]

ELSEWHERE = "elsewhere"
"""Name of the region of sites that lie in none of those that are given."""


@FOLDS.register
def region(
    sites: pd.DataFrame,
    domain: pd.DataFrame | None = None,
    *,
    column: str | None = None,
    boxes: Mapping[str, Box] | None = None,
    path: str | None = None,
    field: str | None = None,
    seed: int = 0,
) -> Folds:
    """Return folds of whole regions, each held out in turn.

    The score says how a map does where it has no data at all, at the price of few and large folds. Sites in
    none of the regions are one more, `elsewhere`. A site lies in the region of its mean position, or of its
    first row where a column tells, with all its rows.

    Parameters
    ----------
    sites
        One row per site and epoch, with coordinates and ``site_group``.
    domain
        Not used.
    column
        Column of the sites that names the region, such as a country.
    boxes
        Name -> ``[west, south, east, north]`` [degree]; west > east crosses the antimeridian. The first box
        that holds a site counts.
    path
        File of polygons with a CRS; the first one that holds a site counts.
    field
        Field of the file that names the region, which may have several polygons.
    seed
        Not used; there is nothing to draw.

    Raises
    ------
    PermagridError
        If regions are given in no way or in several, all sites lie in one, a box is not one, or the file
        cannot be read or lacks the field or a CRS.

    Examples
    --------
    >>> rows = pd.DataFrame({"site_group": ["a", "b"], "longitude": [25.0, -150.0], "latitude": [69.0, 65.0]})
    >>> folds = region(rows, boxes={"Alaska": (-170, 50, -140, 72)})
    >>> folds.method
    '2 regions held out in turn: Alaska (1 site), elsewhere (1 site)'
    """
    del domain, seed
    ways = {"column": column, "boxes": boxes, "path": path}
    given = [name for name, value in ways.items() if value]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise PermagridError(f"folds: regions need one of column, boxes and path, found {found}")
    if (field is None) != (path is None):
        raise PermagridError("folds: path and field, which names the regions in the file, go together")
    places = places_of(sites, located=column is None)
    if column is not None:
        names = _told(sites, column, places.first)
    elif boxes is not None:
        names = _in_boxes(places.longitude, places.latitude, boxes)
    else:
        names = _in_polygons(places.longitude, places.latitude, Path(path or ""), field or "")
    numbers, labels = pd.factorize(np.array(names, dtype=object), sort=True)
    enough(len(labels), 2, "regions")
    counts = np.bincount(numbers)
    written = ", ".join(
        f"{label} ({count} site{'s' if count > 1 else ''})"
        for label, count in zip(labels, counts, strict=True)
    )
    method = f"{len(labels)} regions held out in turn: {written}"
    rows = np.asarray(numbers)[places.place]
    return Folds("region" if column is None else f"region_{column}", method, of_labels(rows), rows)


def _told(sites: pd.DataFrame, column: str, rows: Index) -> list[str]:
    if column not in sites:
        raise PermagridError(f"folds: no column {column!r}: {did_you_mean(column, list(sites.columns))}")
    told = sites[column].iloc[rows]
    return [ELSEWHERE if missing else str(name) for name, missing in zip(told, told.isna(), strict=True)]


def _in_boxes(longitude: Float, latitude: Float, boxes: Mapping[str, Box]) -> list[str]:
    names = np.full(len(longitude), ELSEWHERE, dtype=object)
    for name, box in reversed(list(boxes.items())):
        if len(box) != 4 or not -90.0 <= box[1] < box[3] <= 90.0:
            raise PermagridError(f"folds: box {name} must be [west, south, east, north], found {list(box)}")
        names[inside_region(longitude, latitude, box)] = name
    return [str(name) for name in names]


def _in_polygons(longitude: Float, latitude: Float, path: Path, field: str) -> list[str]:
    if not path.exists():
        raise PermagridError(f"folds: no such file: {path}")
    try:
        polygons = gpd.read_file(path, engine="pyogrio")
    except (OSError, RuntimeError) as error:
        raise PermagridError(f"folds: no polygons can be read from {path}") from error
    if not isinstance(polygons, gpd.GeoDataFrame) or polygons.crs is None:
        raise PermagridError(f"folds: {path} must hold polygons with a CRS")
    if field not in polygons:
        known = [str(name) for name in polygons.columns if name != polygons.geometry.name]
        raise PermagridError(f"folds: {path} has no field {field!r}: {did_you_mean(field, known)}")
    # Points are brought to the polygons: outlines across the antimeridian do not survive the other way.
    x, y = transformed(longitude, latitude, "EPSG:4326", polygons.crs)
    finite = np.isfinite(x) & np.isfinite(y)
    where = points(np.where(finite, x, 0.0), np.where(finite, y, 0.0))
    site, polygon = STRtree(polygons.geometry.to_numpy()).query(where, predicate="intersects")
    first = np.full(len(longitude), len(polygons))
    np.minimum.at(first, site, polygon)
    names = [*polygons[field].fillna(ELSEWHERE).astype(str), ELSEWHERE]
    return [names[number] if known else ELSEWHERE for number, known in zip(first, finite, strict=True)]
