"""Digital numbers as they are stored in a file, whatever scale the file declares for them."""

import numpy as np
import rasterio
import xarray as xr
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from permagrid.covariates.bands import DRIVERS
from permagrid.covariates.datasets import ENGINES, open_dataset
from permagrid.covariates.lazy import DAMAGE, Key, lazy_grid, sentence, shown
from permagrid.covariates.sources import decimated, open_grid
from permagrid.errors import PermagridError
from permagrid.grid import Float


def digital_numbers(
    path: str, *, variable: str | int | None = None, crs: str | None = None, whole: bool = True
) -> xr.DataArray:
    """Return the numbers that a file of a satellite product stores, lazily, NaN where it declares nodata.

    Files say of a scale what they like: those made of MODIS's HDF files often declare 10000, by which the
    numbers are to be divided and not multiplied. So it is undone, and the product's own is applied later.

    Parameters
    ----------
    path, variable, crs
        As `permagrid.covariates.sources.open_grid`.
    whole
        Whether the numbers must be whole ones.

    Raises
    ------
    PermagridError
        As `open_grid`; and if numbers are wanted whole, and the file holds fractions: it is scaled already.
    """
    if path.lower().endswith((".hdf", ".h4", ".hdf4")):
        raise PermagridError(
            f"{shown(path)}: HDF4 files are not read; order the layers as GeoTIFF or NetCDF, as AppEEARS "
            "gives them, or turn each into a GeoTIFF with the gdal_translate of a GDAL that has HDF4"
        )
    grid = open_grid(path, variable=variable, crs=crs)
    kind, scale, offset = _declared(path, variable, grid)
    if whole and np.issubdtype(kind, np.floating):
        sample = (decimated(grid if grid.ndim == 2 else grid[0]) - offset) / scale
        seen = sample[np.isfinite(sample)]
        fractions = seen[seen != np.round(seen)]
        if fractions.size:
            raise PermagridError(
                f"{shown(path)}: holds fractions such as {fractions[0]:g} where the product has whole "
                "numbers: it is scaled already"
            )
    if (scale, offset) == (1.0, 0.0):
        return grid
    values = grid.variable

    def read(key: Key) -> Float:
        numbers = (np.asarray(values[key].values, dtype=float) - offset) / scale
        return np.asarray(np.rint(numbers) if np.issubdtype(kind, np.integer) else numbers)

    axis = grid[grid.dims[0]].variable if grid.ndim == 3 else None
    return lazy_grid(read, grid.odc.geobox, dict(grid.attrs), axis=axis)


def _declared(path: str, variable: str | int | None, grid: xr.DataArray) -> tuple[np.dtype, float, float]:
    """Return type, scale and offset that a file, known to be sound, declares for its numbers."""
    engine = next((name for suffix, name in ENGINES.items() if path.lower().endswith(suffix)), None)
    try:
        if engine is None:
            band = variable if isinstance(variable, int) else 1
            with rasterio.Env(), DatasetReader(path, driver=list(DRIVERS)) as raster:
                return (
                    np.dtype(raster.dtypes[band - 1]),
                    float(raster.scales[band - 1]),
                    float(raster.offsets[band - 1]),
                )
        with open_dataset(path, engine) as dataset:
            alike = [key for key, array in dataset.data_vars.items() if set(array.shape) >= set(grid.shape)]
            stored = dataset[variable if variable is not None else alike[0]]
            said = stored.encoding
            scale, offset = said.get("scale_factor", 1.0), said.get("add_offset", 0.0)
            return np.dtype(said.get("dtype", stored.dtype)), float(scale), float(offset)
    except (RasterioError, *DAMAGE) as error:
        raise PermagridError(f"{shown(path)}: cannot be read ({sentence(error)})") from error
