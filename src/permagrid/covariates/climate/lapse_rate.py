"""Coarse temperature brought down onto a fine terrain with a lapse rate, given or fitted around each cell."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from permagrid.covariates.climate.local_fit import Reach, cell_size, fit_lapse_rates, places_of, reach_of
from permagrid.covariates.lazy import Key, lazy_grid
from permagrid.covariates.table import COVARIATES, Request
from permagrid.covariates.traits import traits
from permagrid.errors import PermagridError
from permagrid.grid import Float, cells_of, is_global, lonlat_of
from permagrid.units import conversion

Span = tuple[int, int]

_STEEPEST = 0.05
"""No temperature changes faster with height over the size of a coarse cell [degC/m]."""


class _Window(NamedTuple):
    """How lapse rates are fitted around each coarse cell; see `lapse_rate_downscaling`."""

    radius: float
    cells: int
    spread: float
    limits: tuple[float, float]
    fallback: float | None


def lapse_faults(settings: Mapping[str, Any], files: Sequence[Path] = ()) -> Iterator[str]:
    """Yield what contradicts itself in the keywords of `lapse_rate_downscaling`."""
    del files
    rate, radius, fallback = (settings[key] for key in ("lapse_rate", "window_radius", "fallback"))
    for key, value in (("lapse_rate", rate), ("fallback", fallback)):
        if isinstance(value, int | float) and abs(value) > _STEEPEST:
            yield f"{key} is in degC/m, as -0.0065 is; found {value:g}"
    if rate == "local" and radius is None:
        yield "lapse_rate: local needs window_radius, within which cells of the coarse grid count [m]"
    elif rate == "local" and radius <= 0:
        yield f"window_radius must be above 0, found {radius:g}"
    elif rate != "local":
        for key, value in (("window_radius", radius), ("fallback", fallback)):
            if value is not None:
                yield f"{key} belongs to lapse_rate: local, found {rate:g}"
    low, high = settings["limits"]
    if not low < high:
        yield f"limits must be a lower and a higher lapse rate, found {low:g} and {high:g}"
    if settings["minimum_cells"] < 5:
        found = settings["minimum_cells"]
        yield f"minimum_cells must be 5 or more, as four numbers are fitted; found {found}"
    if settings["minimum_spread"] <= 0:
        yield f"minimum_spread must be above 0, found {settings['minimum_spread']:g}"


@COVARIATES.register
@traits(unit="degC", rasters=False, faults=lapse_faults)
def lapse_rate_downscaling(  # noqa: PLR0913
    request: Request,
    *,
    temperature_input: str,
    coarse_elevation_input: str,
    lapse_rate: float | Literal["local"],
    elevation_input: str = "elevation",
    window_radius: float | None = None,
    minimum_cells: int = 8,
    minimum_spread: float = 50.0,
    limits: tuple[float, float] = (-0.012, 0.006),
    fallback: float | None = None,
) -> xr.DataArray:
    """Return a coarse temperature at the elevation of each cell [degC].

    The coarse temperature and the coarse elevation that it belongs to are interpolated bilinearly, and the
    lapse rate times the difference of the true elevation from the interpolated one is added.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    temperature_input
        Covariate of temperature, such as the mean annual air temperature of a reanalysis.
    coarse_elevation_input
        Covariate of the elevation at which the coarse temperature holds, read from one raster (method
        ``raster``): its grid is the coarse grid. For a geopotential in m2/s2 set ``stored_unit: 0.101972 m``.
    lapse_rate
        Change of temperature with height [degC/m], such as -0.0065; or ``local``: fitted around each coarse
        cell, by least squares, to the temperatures of the cells around it as a plane plus a lapse rate times
        their elevations. Cells count less with distance (bisquare weights), and nothing from `window_radius`.
    elevation_input
        Covariate of the true elevation.
    window_radius
        For ``local``: radius of the window [m].
    minimum_cells
        Fewest cells with data in a window.
    minimum_spread
        Least spread of elevations in a window, as their weighted standard deviation from a plane [m]. Where
        relief is less, or is a slope in one direction only, it tells no lapse rate.
    limits
        Lowest and highest lapse rate [degC/m]; a fitted one outside is brought to the nearer.
    fallback
        Lapse rate where a window has too few cells or too little relief [degC/m]. Without it, such a window
        is an error.

    Returns
    -------
    xarray.DataArray
        Lazy, float32 [degC]; ``attrs["lapse_rate"]`` says which one.

    Raises
    ------
    PermagridError
        If keywords contradict each other, units are not of temperature and length, or the coarse elevation
        is not read from one raster; when values are computed, if a window tells no lapse rate and there is
        no fallback.
    """
    fault = next(lapse_faults(request.covariate.settings), None)
    if fault is not None:
        raise PermagridError(f"covariate {request.covariate.name}: {fault}")
    window = None
    said = f"{lapse_rate} degC/m"
    if isinstance(lapse_rate, str):
        window = _Window(float(window_radius or 0.0), minimum_cells, minimum_spread, limits, fallback)
        said = f"local within {window.radius / 1000:g} km"
        said += "" if fallback is None else f", else {fallback:g} degC/m"
    rate = None if isinstance(lapse_rate, str) else float(lapse_rate)
    coarse = _Coarse(request, temperature_input, coarse_elevation_input, rate, window)
    metres = _conversion(request, "elevation_input", elevation_input, "m")
    layers = lazy_grid(coarse.read, coarse.grid, {}, axis=xr.Variable("layer", np.arange(3)))
    data = da.map_blocks(
        _at_elevation,
        request.onto(layers, resampling="bilinear").data,
        request.build(elevation_input, request.geobox).data,
        metres=metres,
        drop_axis=0,
        dtype="float32",
        meta=np.empty((0, 0), dtype="float32"),
    )
    box = request.geobox
    return xr.DataArray(data, coords=xr_coords(box), dims=box.dimensions, attrs={"lapse_rate": said})


def _at_elevation(coarse: Float, elevation: Float, metres: tuple[float, float]) -> NDArray[np.float32]:
    temperature, below, rate = coarse.astype(float)
    height = elevation.astype(float) * metres[0] + metres[1]
    return np.asarray(temperature + rate * (height - below), dtype="float32")


def _conversion(request: Request, key: str, name: str, unit: str) -> tuple[float, float]:
    """Return factor and offset that bring another covariate to a unit."""
    try:
        return conversion(request.others[name].unit, unit)
    except PermagridError as error:
        raise PermagridError(f"covariate {request.covariate.name}: {key} {name}: {error}") from error


class _Coarse:
    """Temperature, elevation and lapse rate of the coarse grid, read where they are needed."""

    def __init__(
        self, request: Request, temperature: str, elevation: str, rate: float | None, window: _Window | None
    ) -> None:
        self.request, self.rate, self.window = request, rate, window
        self.inputs = {
            temperature: _conversion(request, "temperature_input", temperature, "degC"),
            elevation: _conversion(request, "coarse_elevation_input", elevation, "m"),
        }
        self.grid = request.native(elevation)
        # Faults in the files show now, not when the first block is computed.
        request.build(temperature, self.grid, whole=self.grid)
        self.reach = Reach(0, np.zeros(self.grid.shape[0], dtype=np.int64), self.grid.shape[1])
        if window is not None:
            self._check_size(window)
            self.reach = reach_of(self.grid, window.radius)

    def read(self, key: Key) -> Float:
        """Return layers 0 to 2, temperature [degC], elevation [m] and lapse rate [degC/m], of some cells."""
        layer, *cells = key
        sides = zip(cells, self.grid.shape, strict=True)
        rows, columns = (_span(range(size)[part]) for part, size in sides)
        above, below = (max(0, rows[0] - self.reach.rows), min(self.grid.shape[0], rows[1] + self.reach.rows))
        wide = int(self.reach.columns[rows[0] : rows[1]].max(initial=0))
        left, right = columns[0] - wide, columns[1] + wide
        if not is_global(self.grid):
            left, right = max(0, left), min(self.grid.shape[1], right)
        temperature, elevation = self._values((above, below), (left, right))
        core = (
            slice(rows[0] - above, rows[1] - above),
            slice(columns[0] - left, columns[1] - left),
        )
        if self.window is None:
            rates = np.full((rows[1] - rows[0], columns[1] - columns[0]), float(self.rate or 0.0))
        else:
            rates = self._fitted(self.window, temperature, elevation, (above, left), core)
        here, height = temperature[core], elevation[core]
        stacked = np.stack([here, height, np.where(np.isnan(here), np.nan, rates)])
        chosen = tuple(0 if isinstance(part, int) else slice(None, None, part.step) for part in cells)
        return np.asarray(stacked[(layer, *chosen)])

    def _values(self, rows: Span, columns: Span) -> tuple[Float, Float]:
        """Return temperature and elevation of a window that may run on beyond the seam of a globe."""
        shape = rows[1] - rows[0], columns[1] - columns[0]
        box = GeoBox(shape, self.grid.affine * Affine.translation(columns[0], rows[0]), self.grid.crs)
        lazy = [self.request.build(name, box, whole=self.grid).data for name in self.inputs]
        built = da.compute(*lazy, scheduler="synchronous")
        first, second = (
            part.astype(float) * factor + offset
            for part, (factor, offset) in zip(built, self.inputs.values(), strict=True)
        )
        # A cell counts with both or not at all, so that both are interpolated with the same weights.
        gap = np.isnan(first) | np.isnan(second)
        return np.where(gap, np.nan, first), np.where(gap, np.nan, second)

    def _fitted(
        self,
        window: _Window,
        temperature: Float,
        elevation: Float,
        corner: tuple[int, int],
        core: tuple[slice, slice],
    ) -> Float:
        column, row = np.meshgrid(
            np.arange(temperature.shape[1]) + corner[1] + 0.5,
            np.arange(temperature.shape[0]) + corner[0] + 0.5,
        )
        first = corner[0] + core[0].start
        columns = self.reach.columns[first : corner[0] + core[0].stop]
        reach = self.reach._replace(columns=columns)
        needed = window.cells, window.spread
        places = places_of(self.grid, row, column)
        fit = fit_lapse_rates(temperature, elevation, places, core, reach, window.radius, needed)
        unknown = np.isnan(fit.rate) & np.isfinite(temperature[core])
        rates = np.clip(fit.rate, *window.limits)
        if window.fallback is not None:
            return np.where(unknown, window.fallback, rates)
        if unknown.any():
            at = np.argwhere(unknown)[0]
            longitude, latitude = lonlat_of(
                self.grid, np.array(first + at[0] + 0.5), np.array(corner[1] + core[1].start + at[1] + 0.5)
            )
            raise PermagridError(
                f"covariate {self.request.covariate.name}: around {float(latitude):.2f} N "
                f"{float(longitude):.2f} E {fit.cells[tuple(at)]} coarse cells within "
                f"{window.radius / 1000:g} km differ by {fit.spread[tuple(at)]:.0f} m from a plane; a lapse "
                f"rate needs {window.cells} and {window.spread:g} m: set fallback, such as -0.0065"
            )
        return rates

    def _check_size(self, window: _Window) -> None:
        """Raise if a window in the middle of the study's grid cannot hold enough coarse cells."""
        whole = self.request.whole
        longitude, latitude = lonlat_of(whole, *(np.array([size / 2.0]) for size in whole.shape))
        row, column = cells_of(self.grid, longitude, latitude)
        height, width = (float(size[0]) for size in cell_size(self.grid, row, column))
        cells = np.pi * window.radius**2 / (height * width)
        if np.isfinite(cells) and cells < window.cells:
            raise PermagridError(
                f"covariate {self.request.covariate.name}: window_radius {window.radius / 1000:g} km holds "
                f"about {cells:.0f} cells of the coarse grid ({height / 1000:.0f} by {width / 1000:.0f} km), "
                f"minimum_cells is {window.cells}"
            )


def _span(cells: range | int) -> Span:
    """Return first and past-last of some ascending cells."""
    if isinstance(cells, int):
        return cells, cells + 1
    return cells.start, cells[-1] + 1 if len(cells) else cells.start
