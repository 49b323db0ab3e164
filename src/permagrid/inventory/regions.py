"""Which region of a file of polygons each cell of a grid lies in."""

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from permagrid.errors import PermagridError, did_you_mean
from permagrid.grid import Float, Window, blocks, positions, transformed, wrapped
from permagrid.inventory.totals import ALL, ELSEWHERE

Numbers = NDArray[np.int32]

_BLOCK = 1024
_POLYGONS = ("Polygon", "MultiPolygon")


@dataclass(frozen=True)
class Regions:
    """Named polygons, of which one region may have several.

    A cell belongs to the region in which its centre lies. On a border that two regions share it belongs to
    the one that comes first in the file; within two of them it belongs to neither, which is an error.
    Polygons in longitudes and latitudes may end at the antimeridian or run on beyond it, to 190 or from -190.
    """

    names: tuple[str, ...]
    """Their names, in the order of the file."""
    crs: str
    """CRS of the polygons."""
    polygons: tuple[BaseGeometry, ...]
    """One geometry for each name."""

    @classmethod
    def read(cls, path: Path | str, name: str) -> "Regions":
        """Return the regions of a file.

        Parameters
        ----------
        path
            Any vector file that GDAL reads.
        name
            Field that names the region of a polygon.

        Raises
        ------
        PermagridError
            If the file cannot be read, has no CRS or no such field, or a feature is no polygon or has no name
            or one that is taken.
        """
        table = _read(Path(path), name)
        found: dict[str, list[BaseGeometry]] = {}
        for number, (label, shape) in enumerate(zip(table[name], table.geometry, strict=True), start=1):
            if pd.isna(label) or not str(label).strip():
                raise PermagridError(f"regions: feature {number} of {path} has no {name}")
            if str(label) in (ALL, ELSEWHERE):
                raise PermagridError(f"regions: no region of {path} may be named {label!r}")
            if shape is None or shape.is_empty or shape.geom_type not in _POLYGONS:
                raise PermagridError(f"regions: {label} (feature {number} of {path}) is no polygon")
            found.setdefault(str(label), []).append(shape if shape.is_valid else shapely.make_valid(shape))
        if not found:
            raise PermagridError(f"regions: {path} holds no polygons")
        shapes = tuple(each[0] if len(each) == 1 else shapely.union_all(each) for each in found.values())
        return cls(tuple(found), table.crs.to_wkt(), shapes)

    def index(self, geobox: GeoBox, window: Window | None = None) -> Numbers:
        """Return the number of the region of each cell, -1 where it lies in none.

        Parameters
        ----------
        geobox
            The grid, in any CRS.
        window
            Rows and columns, all if left out.

        Returns
        -------
        array
            Shape ``(rows, columns)``.

        Raises
        ------
        PermagridError
            If the centre of a cell lies within two regions.
        """
        rows, columns = geobox.shape
        x, y = positions(geobox, window or (slice(0, rows), slice(0, columns)))
        x, y = transformed(x, y, geobox.crs, self.crs)
        crs = CRS(self.crs)
        turn = 360.0 if crs.is_geographic else 0.0
        if turn:
            x = wrapped(x)
        out, within = np.full(x.shape, -1, dtype=np.int32), np.full(x.shape, -1, dtype=np.int32)
        for number, polygon in enumerate(self.polygons):
            touched, inside = _cells_in(polygon, x, y, turn)
            twice = inside & (within >= 0)
            if twice.any():
                other = self.names[within[twice][0]]
                raise PermagridError(
                    f"regions: {other} and {self.names[number]} overlap: {int(twice.sum())} cells lie in both"
                )
            within[inside] = number
            out[touched & (out < 0)] = number
        return out

    def check(self, geobox: GeoBox) -> dict[str, int]:
        """Return how many cells of a grid each region has.

        Raises
        ------
        PermagridError
            If a region holds no cell of the grid, or two overlap.
        """
        counts = np.zeros(len(self.names) + 1, dtype=np.int64)
        for window in blocks((int(geobox.shape[0]), int(geobox.shape[1])), _BLOCK):
            counts += np.bincount(self.index(geobox, window).ravel() + 1, minlength=len(counts))
        empty = [name for name, count in zip(self.names, counts[1:], strict=True) if count == 0]
        if empty:
            raise PermagridError(
                f"regions: {', '.join(empty)} hold{'s' if len(empty) == 1 else ''} the centre of no cell: "
                "outside the grid, or smaller than a cell"
            )
        return {name: int(count) for name, count in zip(self.names, counts[1:], strict=True)}


def _read(path: Path, name: str) -> gpd.GeoDataFrame:
    if not path.exists():
        raise PermagridError(f"regions: no such file: {path}")
    try:
        table = gpd.read_file(path, engine="pyogrio")
    except (OSError, RuntimeError) as error:
        raise PermagridError(f"regions: no polygons can be read from {path}") from error
    if not isinstance(table, gpd.GeoDataFrame) or table.crs is None:
        raise PermagridError(f"regions: {path} must hold polygons with a CRS")
    fields = [str(field) for field in table.columns if field != table.geometry.name]
    if name not in fields:
        raise PermagridError(f"regions: {path} has no field {name!r}: {did_you_mean(name, fields)}")
    return table


def _cells_in(
    polygon: BaseGeometry, x: Float, y: Float, turn: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which centres a polygon touches, and which lie within it; `turn` is a whole turn, or 0."""
    left, bottom, right, top = polygon.bounds
    shapely.prepare(polygon)
    touched, inside = np.zeros(x.shape, dtype=bool), np.zeros(x.shape, dtype=bool)
    for shift in (0.0, turn, -turn) if turn else (0.0,):
        moved = x + shift
        with np.errstate(invalid="ignore"):
            near = (moved >= left) & (moved <= right) & (y >= bottom) & (y <= top)
        touched[near] |= shapely.intersects_xy(polygon, moved[near], y[near])
        inside[near] |= shapely.contains_xy(polygon, moved[near], y[near])
    return touched, inside
