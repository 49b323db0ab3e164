"""Distance to the nearest point, line or polygon of a vector layer, true on the ellipsoid."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Literal
from weakref import WeakValueDictionary

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS, Geod

from permagrid.covariates.lazy import shown
from permagrid.covariates.surface.nearest import Tree, make_tree, nearest_feet
from permagrid.covariates.surface.outline import from_space, in_space, pieces_of, seamless
from permagrid.covariates.surface.vector_layer import (
    Shapes,
    VectorLayer,
    files_of_layer,
    find_layer,
    main_files,
    read_layer,
)
from permagrid.covariates.table import COVARIATES, Request, pointwise
from permagrid.covariates.traits import Years, traits
from permagrid.errors import PermagridError
from permagrid.grid import Float, transformed

Inside = Literal["zero", "signed"]

_GEOD = Geod(ellps="WGS84")
_POINTS_AT_A_TIME = 65_536
_MIXED = ("Unknown", "GeometryCollection")


def _path(pattern: str, epoch: Years | None, root: Path) -> Path:
    return root / (pattern if epoch is None else pattern.replace("{epoch}", f"{epoch[0]}-{epoch[1]}"))


def _files(settings: Mapping[str, Any], epochs: Sequence[Years], root: Path) -> list[Path]:
    if "://" in settings["path"]:
        return []
    paths = {_path(settings["path"], epoch, root) for epoch in epochs}
    return [file for path in sorted(paths) for file in files_of_layer(path)]


def _faults(settings: Mapping[str, Any], files: Sequence[Path]) -> Iterator[str]:
    try:
        _check_keywords(settings["path"], settings["maximum"])
        for path in main_files(files):
            layer = find_layer(path, **{key: settings[key] for key in ("layer", "where", "crs")})
            _check_sign(layer, settings["inside"])
    except PermagridError as error:
        yield str(error)


def _check_keywords(path: str, maximum: float | None) -> None:
    if "://" in path:
        raise PermagridError(f"{shown(path)}: vector layers are read from local files; download it first")
    if maximum is not None and not maximum > 0:
        raise PermagridError(f"maximum is a distance above 0 km, found {maximum:g}")


def _check_sign(layer: VectorLayer, inside: Inside) -> None:
    if inside == "signed" and not ("Polygon" in layer.kind or layer.kind in _MIXED):
        raise PermagridError(
            f"{layer.path}: layer {layer.layer} holds no polygons ({layer.kind}), so that nothing is inside; "
            "leave out inside: signed"
        )


class Outlines:
    """The outlines of a layer, read when they are first needed, and the distance to them.

    Parameters
    ----------
    layer
        The layer.
    inside
        What places within polygons get.
    """

    def __init__(self, layer: VectorLayer, inside: Inside) -> None:
        self._layer, self._inside = layer, inside
        self._lock = Lock()
        self._loaded: tuple[Tree, Shapes] | None = None

    def _content(self) -> tuple[Tree, Shapes]:
        with self._lock:
            if self._loaded is None:
                layer, signed = self._layer, self._inside == "signed"
                features = seamless(read_layer(layer), layer.crs)
                pieces = pieces_of(features, layer.crs, boundary_of_union=signed)
                if not len(pieces.start):
                    raise PermagridError(f"{layer.path}: layer {layer.layer} has no edge to be far from")
                shapely.prepare(features.polygons)
                self._loaded = make_tree(*pieces), features.polygons
            return self._loaded

    def distance(self, longitude: Float, latitude: Float, farthest: float) -> Float:
        """Return the distance [m] of places to the nearest outline, NaN for places that are nowhere.

        Parameters
        ----------
        longitude, latitude
            Arrays of one shape [degree].
        farthest
            What places get that are farther away [m].
        """
        tree, polygons = self._content()
        places = np.stack([longitude.ravel(), latitude.ravel()], axis=1)
        out = np.full(len(places), np.nan)
        known = np.flatnonzero(np.isfinite(places).all(axis=1))
        for start in range(0, len(known), _POINTS_AT_A_TIME):
            part = known[start : start + _POINTS_AT_A_TIME]
            within = self._within(places[part], polygons)
            out[part[within]] = 0.0
            sought = part if self._inside == "signed" else part[~within]
            out[sought] = _to_nearest(tree, places[sought], farthest)
            if self._inside == "signed":
                out[part[within]] *= -1.0
        return out.reshape(longitude.shape)

    def _within(self, places: Float, polygons: Shapes) -> NDArray[np.bool_]:
        """Return which places lie in a polygon, on its edge included."""
        inside = np.zeros(len(places), dtype=bool)
        if not len(polygons):
            return inside
        crs = CRS.from_user_input(self._layer.crs)
        x, y = transformed(places[:, 0], places[:, 1], "EPSG:4326", self._layer.crs)
        left, _, right, _ = shapely.total_bounds(polygons)
        for turn in (-360.0, 0.0, 360.0) if crs.is_geographic else (0.0,):
            if turn and (left > turn + 180.0 or right < turn - 180.0):
                continue
            here = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
            tree = shapely.STRtree(shapely.points(x[here] + turn, y[here]))
            # What is prepared of a polygon is completed when it is first asked, by one thread at a time.
            with self._lock:
                _, found = tree.query(polygons, predicate="intersects")
            inside[here[found]] = True
        return inside


def _to_nearest(tree: Tree, places: Float, farthest: float) -> Float:
    feet = nearest_feet(tree, in_space(places[:, 0], places[:, 1]), farthest)
    near = np.flatnonzero(np.isfinite(feet[:, 0]))
    away = np.full(len(places), farthest)
    longitude, latitude = from_space(feet[near])
    _, _, metres = _GEOD.inv(places[near, 0], places[near, 1], longitude, latitude)
    away[near] = np.minimum(metres, farthest)
    return away


_KEPT: WeakValueDictionary[tuple[object, ...], Outlines] = WeakValueDictionary()
_KEPT_LOCK = Lock()


def _outlines(layer: VectorLayer, inside: Inside) -> Outlines:
    """Return the outlines of a layer: the same ones for every covariate that is alive."""
    stamps = tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in files_of_layer(layer.path))
    with _KEPT_LOCK:
        found = _KEPT.get((layer, inside, stamps))
        if found is None:
            found = _KEPT[layer, inside, stamps] = Outlines(layer, inside)
        return found


@COVARIATES.register
@traits(unit="km", rasters=False, files=_files, faults=_faults)
def distance_to(
    request: Request,
    *,
    path: str,
    layer: str | None = None,
    where: str | None = None,
    inside: Inside = "zero",
    maximum: float | None = None,
    crs: str | None = None,
) -> xr.DataArray:
    """Return the distance to the nearest feature of a vector layer, such as a coast or rivers [km].

    The distance is that of the shortest way on the ellipsoid to the nearest place on any point, line or
    polygon. That place is found in space, along straight pieces that follow the lines to within 1 m: the
    distance is right to 2 m and 0.05 % up to 5000 km, and to 0.3 % up to 10 000 km. Neither the
    antimeridian nor a pole is in the way. The layer is held in memory, some 300 bytes for each of its
    vertices, whatever the size of the grid.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    path
        GeoPackage, Shapefile or GeoJSON; ``{epoch}`` in it stands for the epoch.
    layer
        Name of the layer; may be left out where there is only one.
    where
        Which features count, as a condition of SQL on their attributes, such as ``scalerank <= 4``.
    inside
        What cells within polygons get: ``zero``, or with ``signed`` the distance to the edge of all polygons
        together, below zero.
    maximum
        What cells get that are farther away [km]. A small one saves time.
    crs
        The CRS, where the file does not say.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [km].

    Raises
    ------
    PermagridError
        If the file cannot be read, has no such layer or no CRS, or holds no feature that meets the
        condition; if ``signed`` is asked of a layer without polygons.

    Notes
    -----
    Lines run straight between their vertices in the CRS of the layer. In longitudes and latitudes, one that
    jumps by more than 180 degrees goes the short way. Edges of polygons along the antimeridian, where a map
    of the whole globe is cut open, are no edges.
    """
    try:
        _check_keywords(path, maximum)
        file = _path(path, request.epoch, request.root)
        found = find_layer(file, layer=layer, where=where, crs=crs)
        _check_sign(found, inside)
    except PermagridError as error:
        raise PermagridError(f"covariate {request.covariate.name}: {error}") from error
    outlines = _outlines(found, inside)
    farthest = np.inf if maximum is None else 1000.0 * maximum

    def kilometres(longitude: Float, latitude: Float) -> Float:
        return outlines.distance(longitude, latitude, farthest) / 1000.0

    return pointwise(request.geobox, kilometres, whole=request.whole)
