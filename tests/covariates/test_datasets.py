"""NetCDF files opened by several threads: the library is never entered by two at once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK, NetCDF4DataStore

from permagrid.covariates.sources import open_grid
from permagrid.covariates.surface.stored import digital_numbers


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "field.nc"
    y, x = np.arange(80.5, 40, -1.0), np.arange(0.5, 60)
    values = np.arange(y.size * x.size, dtype="int16").reshape(y.size, x.size)
    dataset = xr.Dataset({"field": (("lat", "lon"), values)}, coords={"lat": y, "lon": x})
    dataset.to_netcdf(path, encoding={"field": {"zlib": True, "chunksizes": (7, 7)}})
    return path


@pytest.mark.parametrize("opened", [open_grid, lambda path: digital_numbers(str(path))])
def test_what_a_file_says_of_its_variables_is_read_under_the_lock_of_all_readers(file, monkeypatch, opened):
    """Unlocked, one run in six of a covariate that opens its file block by block ended in a crash."""
    told, held = NetCDF4DataStore.open_store_variable, []

    def watched(self, name, var):
        got = NETCDF4_PYTHON_LOCK.acquire(blocking=False)
        if got:
            NETCDF4_PYTHON_LOCK.release()
        held.append(not got)
        return told(self, name, var)

    monkeypatch.setattr(NetCDF4DataStore, "open_store_variable", watched)
    opened(file)
    assert held
    assert all(held)
    assert not NETCDF4_PYTHON_LOCK.locked()


def test_threads_open_and_read_one_file_together(file):
    expected = open_grid(file).values

    def read(start):
        part = open_grid(file)[start : start + 9, start : start + 20].values
        return np.array_equal(part, expected[start : start + 9, start : start + 20])

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(read, [i % 20 for i in range(60)]))
    assert not NETCDF4_PYTHON_LOCK.locked()


def test_a_file_that_cannot_be_opened_leaves_the_lock_free(tmp_path):
    broken = tmp_path / "broken.nc"
    broken.write_bytes(b"no NetCDF")
    with pytest.raises(Exception, match="cannot be opened as netcdf4"):
        open_grid(broken)
    assert not NETCDF4_PYTHON_LOCK.locked()
