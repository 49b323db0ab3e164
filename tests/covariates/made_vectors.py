"""Small vector layers for the tests."""

import warnings
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod

from permagrid.covariates import Covariate

GEOD = Geod(ellps="WGS84")

DISTANCES = (
    Covariate("distance_to", "distance_to", "km", {"path": "coast.gpkg"}),
    Covariate("distance_to_land_edge", "distance_to", "m", {"path": "land.shp", "inside": "signed"}),
    *(Covariate(name, name, "degree") for name in ("longitude", "latitude")),
    *(Covariate(name, name, "1") for name in ("sine_of_longitude", "cosine_of_longitude")),
)


def write_layer(
    path: Path, *shapes: Any, crs: Any = "EPSG:4326", layer: str | None = None, **columns: Any
) -> Path:
    """Write shapes as one layer of a file, whose format its suffix says."""
    table = gpd.GeoDataFrame(columns, geometry=list(shapes), crs=crs)
    with warnings.catch_warnings():
        # A layer without a CRS is what some tests want.
        warnings.simplefilter("ignore", UserWarning)
        table.to_file(path, **({} if layer is None else {"layer": layer}))
    return path


def write_vectors(folder: Path) -> None:
    """Write the layers of `DISTANCES`: a wavy coast over the antimeridian, and land beside it."""
    turn = np.linspace(0, 60, 121)
    longitude, latitude = 150 + turn, 66 + 4 * np.sin(np.radians(turn * 9))
    wrapped = (longitude + 180) % 360 - 180
    write_layer(folder / "coast.gpkg", shapely.LineString(np.stack([wrapped, latitude], axis=1)))
    polygon = shapely.Polygon([(-175, 62), (-160, 60), (-150, 68), (-170, 72)])
    write_layer(folder / "land.shp", polygon)


def brute_force(
    places: NDArray[np.float64], lines: list[NDArray[np.float64]], *, step: float = 0.01
) -> NDArray[np.float64]:
    """Return geodesic distances [m] of places to the nearest of many points along lines in lon/lat.

    Parameters
    ----------
    places
        Longitude and latitude, shape ``(n, 2)``.
    lines
        Vertices of lines; longitudes may run beyond 180.
    step
        Farthest that points along a line lie apart [degree].
    """
    along = np.concatenate([_dense(np.asarray(line, dtype=float), step) for line in lines])
    return np.array(
        [
            GEOD.inv(np.full(len(along), lon), np.full(len(along), lat), along[:, 0], along[:, 1])[2].min()
            for lon, lat in places
        ]
    )


def _dense(line: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    counts = np.maximum(np.ceil(np.abs(np.diff(line, axis=0)).max(axis=1) / step), 1).astype(int)
    pieces = [
        a + (b - a) * np.linspace(0, 1, count, endpoint=False)[:, np.newaxis]
        for a, b, count in zip(line[:-1], line[1:], counts, strict=True)
    ]
    return np.concatenate([*pieces, line[-1:]])
