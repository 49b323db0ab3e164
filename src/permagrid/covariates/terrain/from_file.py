"""A terrain index of a whole DEM, from file to file, strip by strip."""

import os
from pathlib import Path
from typing import get_args

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from permagrid.covariates.lazy import sentence
from permagrid.covariates.sources import DRIVERS, open_grid
from permagrid.covariates.terrain.bending import Curvature, curvature
from permagrid.covariates.terrain.frame import Distances, Frame, frame_of
from permagrid.covariates.terrain.local import Direction, Formula, direction, roughness
from permagrid.errors import PermagridError, did_you_mean
from permagrid.files import replacing
from permagrid.units import conversion

_CELLS_AT_A_TIME = 2_000_000
_CURVATURES = {f"{name}_curvature": name for name in get_args(Curvature)}
_DIRECTIONS = {name: name for name in get_args(Direction)}
INDICES: dict[str, str] = {
    **dict.fromkeys(_DIRECTIONS, "1"),
    **{"slope": "degree", "aspect": "degree", "roughness": "m"},
    **dict.fromkeys(_CURVATURES, "1/m"),
}
"""Index -> its unit."""


def analyse_file(
    source: str | Path,
    target: str | Path,
    index: str,
    *,
    unit: str = "m",
    formula: Formula = "zevenbergen_thorne",
    distances: Distances = "ellipsoid",
) -> None:
    """Write an index of the cells of a DEM and their neighbours as a GeoTIFF, in memory of a few rows.

    Parameters
    ----------
    source
        The DEM: a GeoTIFF or another raster that GDAL opens, its first band.
    target
        GeoTIFF to write, float32 with NaN as nodata; it appears under its name when it is complete.
    index
        A name in `INDICES`, such as ``slope`` or ``plan_curvature``.
    unit
        Unit of the heights in the file.
    formula
        Of slope and aspect, see `permagrid.covariates.terrain.local.direction`.
    distances
        ``ellipsoid`` for true distances, ``plane`` for those that the grid's coordinates say.

    Raises
    ------
    PermagridError
        If the index is unknown, the unit is no length, or a file cannot be read or written.
    """
    if index not in INDICES:
        raise PermagridError(f"no terrain index {index!r}: {did_you_mean(index, INDICES)}")
    factor = conversion(unit, "m")[0]
    whole: GeoBox = open_grid(source).odc.geobox
    rows, columns = whole.shape
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "nodata": float("nan")}
    profile |= {"height": rows, "width": columns, "crs": str(whole.crs), "transform": whole.affine}
    step = max(1, _CELLS_AT_A_TIME // columns)
    try:
        with (
            replacing(Path(target)) as temporary,
            DatasetReader(os.fspath(source), driver=list(DRIVERS)) as dem,
            rasterio.open(temporary, "w", BIGTIFF="IF_SAFER", **profile) as out,
        ):
            out.set_band_unit(1, INDICES[index])
            out.set_band_description(1, index)
            for top in range(0, rows, step):
                bottom = min(top + step, rows)
                # Rows beside those that are wanted, for what is made of the way they change.
                frame = frame_of(whole, (slice(top - 1, bottom + 1), slice(0, columns)), distances=distances)
                heights = _surrounded(dem, top, bottom, factor)
                values = _index(heights, frame, index, top, formula)
                out.write(values, 1, window=Window(0, top, columns, bottom - top))
    except (RasterioError, OSError) as error:
        raise PermagridError(f"{index} of {source} into {target}: {sentence(error)}") from error


def _surrounded(dem: DatasetReader, top: int, bottom: int, factor: float) -> NDArray[np.float32]:
    """Return rows of a DEM with a ring around them, NaN for what it lacks [m]."""
    first, last = max(top - 1, 0), min(bottom + 1, dem.height)
    around = np.full((bottom - top + 2, dem.width + 2), np.nan, dtype="float32")
    inside = around[first - top + 1 : last - top + 1, 1:-1]
    inside[...] = dem.read(1, window=Window(0, first, dem.width, last - first), out_dtype="float32")
    for nodata in {dem.nodata, -np.inf, np.inf} - {None}:
        inside[inside == np.float32(nodata)] = np.nan
    scale, offset = dem.scales[0] * factor, dem.offsets[0] * factor
    if (scale, offset) != (1.0, 0.0):
        inside[...] = inside * scale + offset
    return around


def _index(
    heights: NDArray[np.float32], frame: Frame, index: str, row: int, formula: Formula
) -> NDArray[np.float32]:
    if index in _CURVATURES:
        return curvature(heights, frame, _CURVATURES[index], row=row)
    if index in _DIRECTIONS:
        return direction(heights, frame, _DIRECTIONS[index], row=row, formula=formula)
    return roughness(heights)
