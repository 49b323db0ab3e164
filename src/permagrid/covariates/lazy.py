"""Arrays that stay on disk: windows of them are read when they are needed, without nodata."""

import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from xarray.backends import BackendArray
from xarray.core import indexing

from permagrid.grid import Float

DAMAGE = (OSError, RuntimeError, ValueError, KeyError, IndexError, EOFError, zlib.error)
"""What the libraries raise for a file that is damaged; they have no error in common."""

Key = tuple[int | slice, ...]
Read = Callable[[Key], Float]
"""Gives the values at integers and slices, one per axis; safe to call from any thread."""

_NO_QUANTITY = 1e30
"""Larger than anything that is measured: a fill value, declared or not."""


class _OnDisk(BackendArray):
    """An array of known shape that is read window by window, in the form that xarray asks for."""

    def __init__(self, read: Read, shape: tuple[int, ...]) -> None:
        self.read, self.shape = read, shape
        self.dtype = np.dtype("float64")

    def __getitem__(self, key: indexing.ExplicitIndexer) -> NDArray[Any]:
        basic = indexing.IndexingSupport.BASIC
        return np.asarray(indexing.explicit_indexing_adapter(key, self.shape, basic, self.read))


def lazy_grid(
    read: Read, geobox: GeoBox, attrs: dict[str, Any], *, axis: xr.Variable | None = None
) -> xr.DataArray:
    """Return a georeferenced array whose values are read when they are needed.

    Parameters
    ----------
    read
        Reads a part.
    geobox
        Its grid.
    attrs
        Its attributes.
    axis
        Coordinates of a first dimension before rows and columns, where it has one.

    Examples
    --------
    >>> from permagrid.grid import make_geobox
    >>> box = make_geobox("EPSG:3995", 10, bounds=(0, 0, 40, 30))
    >>> grid = lazy_grid(lambda key: np.arange(12.0).reshape(3, 4)[key], box, {"units": "m"})
    >>> grid[1:, -1].values
    array([ 7., 11.])
    """
    coords: dict[Any, Any] = dict(xr_coords(geobox))
    dims: tuple[Any, ...] = geobox.dimensions
    shape: tuple[int, ...] = tuple(geobox.shape)
    if axis is not None:
        coords[axis.dims[0]] = axis
        dims, shape = (axis.dims[0], *dims), (axis.size, *shape)
    data = indexing.LazilyIndexedArray(_OnDisk(read, shape))
    return xr.DataArray(xr.Variable(dims, data, attrs), coords=coords)


def without_nodata(values: Float, nodata: float | None) -> Float:
    """Return `values` with NaN for `nodata`, and for what is no number of any quantity.

    Parameters
    ----------
    values
        Changed in place.
    nodata
        A value that means "no data", compared as precisely as 32 bits tell.

    Examples
    --------
    >>> without_nodata(np.array([1.0, -9999.0, np.inf, -3.4e38]), -9999.0)
    array([ 1., nan, nan, nan])
    """
    with np.errstate(invalid="ignore", over="ignore"):
        values[~(np.abs(values) < _NO_QUANTITY)] = np.nan
        if nodata is not None:
            values[values.astype("float32") == np.float32(nodata)] = np.nan
    return values


def shown(path: str) -> str:
    """Return a path or URL as it may be printed: without a password or a signature.

    Examples
    --------
    >>> shown("https://me:secret@example.org/dem.tif?signature=abc")
    'https://example.org/dem.tif'
    """
    if "://" not in path:
        return path
    parts = urlsplit(path)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def sentence(error: BaseException) -> str:
    """Return the last line of an error's message, or its name if it has none.

    Examples
    --------
    >>> sentence(OSError("first line; second line"))
    'first line; second line'
    """
    text = str(error).strip()
    return text.splitlines()[-1] if text else type(error).__name__
