"""Temporary tiled GeoTIFFs, into which maps larger than memory are written block by block."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage
from typing import Any

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.windows import Window

from permagrid.errors import PermagridError, RunError
from permagrid.products.legend import CLASS_NODATA

BLOCK = 512
"""Side of the blocks of every raster written [cells]."""
CACHE_MB = 64
"""Upper bound of GDAL's block cache while maps are written [MB]."""
_LEAST_FREE = 2 * BLOCK * BLOCK * 8
"""Free bytes below which a disk is taken for full: one that holds no further blocks."""


@contextmanager
def open_scratch(path: Path, geobox: GeoBox, dtype: str, nodata: float) -> Iterator[Any]:
    """Create a tiled, uncompressed GeoTIFF for writing and yield it; remove it if the body fails.

    Blocks of any shape may be written with ``dataset.write(values, 1, window=...)`` in any order;
    cells that are never written hold `nodata`.

    Parameters
    ----------
    path
        The file to create.
    geobox
        Grid of the map.
    dtype
        ``float32``, ``float64``, or ``uint8`` for classes.
    nodata
        NaN for floats, 255 for classes.

    Raises
    ------
    PermagridError
        If the type or nodata value is not one of those, or the file cannot be written.
    """
    check_dtype(dtype, nodata, place=str(path))
    check_folder(Path(path))
    profile = {
        "driver": "GTiff",
        "width": geobox.width,
        "height": geobox.height,
        "count": 1,
        "dtype": dtype,
        "crs": CRS.from_wkt(geobox.crs.to_wkt()) if geobox.crs else None,
        "transform": geobox.affine,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "bigtiff": "IF_SAFER",
        "sparse_ok": True,
    }
    with rasterio.Env(GDAL_CACHEMAX=CACHE_MB):
        try:
            dataset = rasterio.open(path, "w", **profile)
        except RasterioError as error:
            raise RunError(f"cannot write {path}: {first_line(error)}") from error
        finished = False
        try:
            with dataset:
                yield dataset
            finished = True
        except RasterioError as error:
            # the body may also fail to read something, which is not for this place to explain
            if str(error).startswith("Write failed"):
                raise RunError(f"cannot write {path}: {reason(error, Path(path))}") from error
            raise
        finally:
            if not finished:
                Path(path).unlink(missing_ok=True)


def check_dtype(dtype: str, nodata: float | None, *, place: str) -> None:
    """Raise `PermagridError` unless floats have nodata NaN, or uint8 has nodata 255."""
    floats = dtype in ("float32", "float64") and nodata is not None and bool(np.isnan(nodata))
    if not floats and not (dtype == "uint8" and nodata == CLASS_NODATA):
        raise PermagridError(
            f"{place}: found {dtype} with nodata {nodata}; allowed: float32 or float64 with NaN, "
            f"uint8 with {CLASS_NODATA}"
        )


def check_folder(path: Path) -> None:
    """Raise `PermagridError` unless the folder of `path` is there and may be written to."""
    folder = path.parent
    if not folder.is_dir():
        raise RunError(f"cannot write {path}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RunError(f"cannot write {path}: the folder {folder} is not writable")


def windows(width: int, height: int) -> Iterator[Window]:
    """Yield the blocks of a raster, row by row from the top left.

    Examples
    --------
    >>> [(w.col_off, w.row_off, w.width, w.height) for w in windows(600, 100)]
    [(0, 0, 512, 100), (512, 0, 88, 100)]
    """
    for row in range(0, height, BLOCK):
        for column in range(0, width, BLOCK):
            yield Window(column, row, min(BLOCK, width - column), min(BLOCK, height - row))


def reason(error: BaseException, path: Path) -> str:
    """Return why a file cannot be written; of a full disk GDAL only says that a block was dirty."""
    is_full = disk_usage(path.parent).free < _LEAST_FREE
    return os.strerror(errno.ENOSPC) if is_full else first_line(error)


def first_line(error: BaseException) -> str:
    """Return the first line of what `error` says, and of what caused it, as one sentence part."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = str(error.__cause__ or error).strip() or type(error).__name__
    return said.splitlines()[0]
