"""NetCDF files and Zarr stores opened so that several threads may open, read and close them at once."""

from threading import RLock

import xarray as xr
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

ENGINES = {".nc": "netcdf4", ".nc4": "netcdf4", ".cdf": "netcdf4", ".zarr": "zarr"}
"""Suffix of a path -> engine of xarray."""


class _Turns:
    """A lock that one thread may take several times, and that keeps out all who read NetCDF by xarray.

    The NetCDF library crashes where two threads are in it at once, be it in two files. xarray locks what it
    reads of values, but not what it learns of variables when it opens a file; its own lock cannot be held
    around that, as it can be taken only once.
    """

    def __init__(self) -> None:
        self._own = RLock()
        self._depth = 0

    def acquire(self, blocking: bool = True) -> bool:
        """Take the lock; return whether it was had."""
        if not self._own.acquire(blocking):
            return False
        if self._depth == 0 and not NETCDF4_PYTHON_LOCK.acquire(blocking):
            self._own.release()
            return False
        self._depth += 1
        return True

    def release(self) -> None:
        """Give the lock back once."""
        self._depth -= 1
        if self._depth == 0:
            NETCDF4_PYTHON_LOCK.release()
        self._own.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()


_TURNS = _Turns()


def open_dataset(path: str, engine: str) -> xr.Dataset:
    """Return a dataset whose values are read when they are needed, and whose times are not decoded.

    Parameters
    ----------
    path
        A file, a folder or a URL.
    engine
        One of `ENGINES`.
    """
    if engine != "netcdf4":
        return xr.open_dataset(path, engine=engine, chunks=None, decode_times=False, cache=False)
    with _TURNS:
        return xr.open_dataset(path, engine=engine, chunks=None, decode_times=False, cache=False, lock=_TURNS)
