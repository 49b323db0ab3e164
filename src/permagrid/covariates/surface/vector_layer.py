"""Points, lines and polygons of one layer of a GeoPackage, Shapefile or GeoJSON."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from permagrid.covariates.lazy import DAMAGE, sentence
from permagrid.errors import PermagridError, did_you_mean

Shapes = NDArray[Any]
"""An array of geometries."""

FORMATS = (".gpkg", ".shp", ".geojson", ".json")
"""Suffixes of the formats that are read: GeoPackage, Shapefile, GeoJSON."""

_BEGINNINGS = {".gpkg": b"SQLite format 3\0", ".shp": b"\x00\x00\x27\x0a"}
_SIDE_FILES, _SIDE_FILES_IF_THERE = (".shx", ".dbf"), (".prj", ".cpg")


class VectorLayer(NamedTuple):
    """A layer that is known to be there."""

    path: Path
    """Its file."""
    layer: str
    """Its name in the file."""
    where: str | None
    """Which of its features count; all if None."""
    crs: str
    """Its CRS, as well-known text."""
    kind: str
    """Type of its geometries, ``Unknown`` where the file does not say."""


class Features(NamedTuple):
    """What a layer holds."""

    points: Shapes
    """Points."""
    lines: Shapes
    """Lines."""
    polygons: Shapes
    """Polygons."""


def files_of_layer(path: Path) -> list[Path]:
    """Return the files that make up a vector file: a Shapefile needs others beside it.

    Examples
    --------
    >>> [file.name for file in files_of_layer(Path("rivers.shp"))]
    ['rivers.shp', 'rivers.shx', 'rivers.dbf']
    """
    if path.suffix.lower() != ".shp":
        return [path]
    there = [path.with_suffix(suffix) for suffix in _SIDE_FILES_IF_THERE]
    return [path, *(path.with_suffix(s) for s in _SIDE_FILES), *(file for file in there if file.exists())]


def main_files(files: Sequence[Path]) -> list[Path]:
    """Return the files that a study may name, without those beside a Shapefile."""
    return [file for file in files if file.suffix.lower() not in (*_SIDE_FILES, *_SIDE_FILES_IF_THERE)]


def find_layer(
    path: Path, *, layer: str | None = None, where: str | None = None, crs: str | None = None
) -> VectorLayer:
    """Return a layer of a file, once it is sure that it can be read.

    Parameters
    ----------
    path
        The file.
    layer
        Its name; may be left out where there is only one.
    where
        A condition of SQL on the attributes of features, such as ``scalerank <= 4``.
    crs
        The CRS, where the file does not say.

    Raises
    ------
    PermagridError
        If the file is of another format, damaged, or has no such layer; if the layer has no CRS, or no
        feature that meets the condition.
    """
    for file in files_of_layer(path):
        if not file.is_file():
            raise PermagridError(f"{file}: no such file")
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise PermagridError(
            f"{path}: format {suffix or 'unknown'} is not read; allowed: {', '.join(FORMATS)}"
        )
    beginning = _BEGINNINGS.get(suffix, b"")
    with path.open("rb") as opened:
        if opened.read(len(beginning)) != beginning:
            raise PermagridError(f"{path}: is no {suffix} file, or damaged")
    try:
        listed = gpd.list_layers(path)
    except DAMAGE as error:
        raise _damaged(path, error) from error
    names = [str(name) for name in listed.loc[listed["geometry_type"].notna(), "name"]]
    if layer is None and len(names) > 1:
        raise PermagridError(f"{path}: has several layers; name one with layer: {', '.join(names)}")
    layer = layer or next(iter(names), "of geometries")
    if layer not in names:
        raise PermagridError(f"{path}: has no layer {layer!r}: {did_you_mean(layer, names)}")
    first = _read(path, layer, where, rows=slice(0, 1))
    if first.empty:
        raise PermagridError(f"{path}: {_called(layer, where)} holds no feature")
    declared = crs or first.crs
    if declared is None:
        raise PermagridError(
            f"{path}: layer {layer} has no CRS; state it with the keyword crs, such as crs: EPSG:4326"
        )
    kind = str(listed.loc[listed["name"] == layer, "geometry_type"].iloc[0])
    try:
        return VectorLayer(path, layer, where, CRS.from_user_input(declared).to_wkt(), kind)
    except CRSError as error:
        raise PermagridError(f"{path}: its CRS is not understood ({sentence(error)})") from error


def read_layer(layer: VectorLayer) -> Features:
    """Return the points, lines and polygons of a layer; parts of collections each for itself.

    Raises
    ------
    PermagridError
        If the file is damaged, or no feature has a geometry.
    """
    table = _read(layer.path, layer.layer, layer.where)
    shapes = shapely.force_2d(np.asarray(table.geometry.values))
    while (shapely.get_type_id(shapes) > _LAST_SIMPLE_TYPE).any():
        shapes = shapely.get_parts(shapes)
    shapes = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    if not len(shapes):
        raise PermagridError(
            f"{layer.path}: no feature of {_called(layer.layer, layer.where)} has a geometry"
        )
    kinds = shapely.get_type_id(shapes)
    return Features(
        shapes[kinds == _POINT], shapes[(kinds == _LINE) | (kinds == _RING)], shapes[kinds == _POLYGON]
    )


_POINT, _LINE, _RING, _POLYGON = 0, 1, 2, 3
_LAST_SIMPLE_TYPE = _POLYGON


def _read(path: Path, layer: str, where: str | None, *, rows: slice | None = None) -> gpd.GeoDataFrame:
    try:
        with warnings.catch_warnings():
            # Of columns that are not read, and of rings that are wound the other way.
            warnings.simplefilter("ignore")
            return gpd.read_file(path, layer=layer, where=where, columns=[], rows=rows, engine="pyogrio")
    except DAMAGE as error:
        if where is None:
            raise _damaged(path, error) from error
        # What the library says of it quotes a query that nobody wrote.
        raise PermagridError(
            f"{path}: where {where!r} is no condition of SQL on layer {layer}, such as scalerank <= 4; "
            f"{_attributes(path, layer)}"
        ) from error


def _attributes(path: Path, layer: str) -> str:
    try:
        first = gpd.read_file(path, layer=layer, rows=slice(0, 1), engine="pyogrio")
    except DAMAGE as error:
        raise _damaged(path, error) from error
    names = [str(name) for name in first.columns if name != "geometry"]
    return f"its attributes are {', '.join(names)}" if names else "it has no attributes"


def _called(layer: str, where: str | None) -> str:
    return f"layer {layer}" if where is None else f"layer {layer} where {where}"


def _damaged(path: Path, error: BaseException) -> PermagridError:
    return PermagridError(f"{path}: cannot be read; the file is damaged or incomplete ({sentence(error)})")
