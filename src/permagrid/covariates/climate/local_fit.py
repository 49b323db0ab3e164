"""Lapse rates fitted to the cells around each cell of a coarse grid."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from permagrid.grid import Float, chord, is_global, lonlat_of

_EARTH_RADIUS = 6_371_000.0
_SAMPLE = 16
_SAFETY = 0.9
_NO_PLANE = 1e-9
"""Determinant of places in one line, to which no plane can be fitted, x and y counted in radii."""


class Reach(NamedTuple):
    """How many cells on each side of a cell a window may hold."""

    rows: int
    """Up and down."""
    columns: NDArray[np.int64]
    """To the left and at most to the right, of each row of the grid."""
    turn: int
    """Columns around the globe, none of which a window holds twice; more than any reach on other grids."""


class Fit(NamedTuple):
    """What the windows around some cells say; arrays of the shape of these."""

    rate: Float
    """Lapse rate; NaN where the window does not suffice [degC/m]."""
    cells: NDArray[np.int64]
    """Cells with data in the window."""
    spread: Float
    """Weighted standard deviation of their elevations from a plane [m]."""


def places_of(grid: GeoBox, row: Any, column: Any) -> Float:
    """Return places on a sphere of cells, by fractional row and column, shape ``(..., 3)`` [m]."""
    longitude, latitude = lonlat_of(grid, row, column)
    nowhere = ~(np.isfinite(longitude) & np.isfinite(latitude))
    lon, lat = (np.where(nowhere, np.nan, angle) for angle in (longitude, latitude))
    return _EARTH_RADIUS * chord(lon, lat)


def cell_size(grid: GeoBox, row: Any, column: Any) -> tuple[Float, Float]:
    """Return height and width of cells on the ground, by fractional row and column [m]."""
    down = places_of(grid, row + 0.5, column) - places_of(grid, row - 0.5, column)
    across = places_of(grid, row, column + 0.5) - places_of(grid, row, column - 0.5)
    return np.asarray(np.sqrt((down**2).sum(-1))), np.asarray(np.sqrt((across**2).sum(-1)))


def reach_of(grid: GeoBox, radius: float) -> Reach:
    """Return how far windows of a radius [m] reach on a grid.

    Examples
    --------
    >>> from permagrid.grid import make_geobox
    >>> reach = reach_of(make_geobox("EPSG:4326", 1, region=(-180, 40, 180, 80)), 150_000)
    >>> reach.rows, int(reach.columns[-1]), int(reach.columns[0])
    (2, 2, 8)
    """
    rows, columns = grid.shape
    most, turn = (columns // 2, columns) if is_global(grid) else (columns, 4 * columns)
    if grid.crs.geographic:
        every = np.arange(rows) + 0.5
        height, width = cell_size(grid, every, np.full(rows, 0.5))
        up_down = min(rows, int(np.ceil(radius / height.min())))
        # The window also holds cells of the rows beside, which are narrower towards the pole.
        padded = np.pad(width, up_down, mode="edge")
        narrowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * up_down + 1).min(axis=1)
        wide = np.ceil(radius / np.maximum(narrowest, radius / (most + 1)))
        # Beyond a pole the window holds cells at any longitude.
        _, latitude = lonlat_of(grid, every, np.full(rows, 0.5))
        over_pole = _EARTH_RADIUS * np.radians(90.0 - np.abs(latitude)) < radius
        return Reach(up_down, np.where(over_pole, most, np.minimum(wide, most)).astype(np.int64), turn)
    at = [np.linspace(0.5, size - 0.5, _SAMPLE) for size in (rows, columns)]
    column, row = np.meshgrid(at[1], at[0])
    least = [float(np.nanmin(size)) * _SAFETY for size in cell_size(grid, row, column)]
    up_down, sideways = (int(np.ceil(radius / size)) for size in least)
    return Reach(min(rows, up_down), np.full(rows, min(most, sideways), dtype=np.int64), turn)


def fit_lapse_rates(
    temperature: Float,
    elevation: Float,
    places: Float,
    core: tuple[slice, slice],
    reach: Reach,
    radius: float,
    needed: tuple[int, float],
) -> Fit:
    """Return the lapse rates of the cells in the core of some part of a grid.

    To the temperatures of the cells nearer than the radius a plane plus a rate times their elevations is
    fitted by least squares. A cell at distance d has the weight ``(1 - (d / radius)**2)**2``.

    Parameters
    ----------
    temperature, elevation
        Of the part, NaN as nodata [degC, m].
    places
        Of its cells, shape ``(rows, columns, 3)`` [m].
    core
        Rows and columns of the part that are wanted.
    reach
        Of the windows; its columns are those of the rows of the core.
    radius
        Of the windows [m].
    needed
        Fewest cells, and least spread of their elevations [m].
    """
    rows, columns = core
    shape = rows.stop - rows.start, columns.stop - columns.start
    rate, spread = np.full(shape, np.nan), np.zeros(shape)
    cells = np.zeros(shape, dtype=np.int64)
    around = reach.rows, np.ascontiguousarray(reach.columns), reach.turn
    found = rate, cells, spread
    _fit(temperature, elevation, places, (rows.start, columns.start), around, radius, needed, found)
    return Fit(rate, cells, spread)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fit(
    temperature: Any,
    elevation: Any,
    places: Any,
    corner: Any,
    reach: Any,
    radius: float,
    needed: Any,
    found: Any,
) -> None:
    """Fill the arrays of a fit."""
    rate, cells, spread = found
    sums = np.zeros(15)
    for i in range(rate.shape[0]):
        for j in range(rate.shape[1]):
            row, column = corner[0] + i, corner[1] + j
            if np.isnan(temperature[row, column]):
                continue
            sums[:] = 0.0
            around = reach[0], reach[1][i], min(reach[1][i], reach[2] - 1 - reach[1][i])
            cells[i, j] = _add_window(temperature, elevation, places, row, column, around, radius, sums)
            variance, slope = _beyond_plane(sums)
            spread[i, j] = np.sqrt(variance)
            if cells[i, j] >= needed[0] and variance > 0.0 and spread[i, j] >= needed[1]:
                rate[i, j] = slope


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_window(
    temperature: Any,
    elevation: Any,
    places: Any,
    row: int,
    column: int,
    reach: Any,
    radius: float,
    sums: Any,
) -> int:
    """Add the products of 1, x, y, height and temperature in a window; return its number of cells."""
    count = 0
    a, b, c = places[row, column, 0], places[row, column, 1], places[row, column, 2]
    # Axes along the ground towards east and north; at a pole any two do.
    flat, long = np.hypot(a, b), np.sqrt(a * a + b * b + c * c)
    east_a, east_b = (-b / flat, a / flat) if flat > 1.0 else (1.0, 0.0)
    north_a, north_b, north_c = -c * east_b / long, c * east_a / long, (a * east_b - b * east_a) / long
    terms = np.ones(5)
    for r in range(max(0, row - reach[0]), min(temperature.shape[0], row + reach[0] + 1)):
        for s in range(max(0, column - reach[1]), min(temperature.shape[1], column + reach[2] + 1)):
            d, e, f = places[r, s, 0] - a, places[r, s, 1] - b, places[r, s, 2] - c
            ratio = (d * d + e * e + f * f) / radius**2
            if not ratio < 1.0 or np.isnan(temperature[r, s]):
                continue
            count += 1
            weight = (1.0 - ratio) ** 2
            terms[1] = (d * east_a + e * east_b) / radius
            terms[2] = (d * north_a + e * north_b + f * north_c) / radius
            terms[3] = elevation[r, s] - elevation[row, column]
            terms[4] = temperature[r, s] - temperature[row, column]
            place = 0
            for one in range(5):
                for other in range(one, 5):
                    sums[place] += weight * terms[one] * terms[other]
                    place += 1
    return count


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _beyond_plane(sums: Any) -> Any:
    """Return the variance of height beyond a plane, and the change of temperature with that height."""
    total = sums[0]
    if total <= 0.0:
        return 0.0, 0.0
    x, y, z, t = sums[1] / total, sums[2] / total, sums[3] / total, sums[4] / total
    xx, xy = sums[5] / total - x * x, sums[6] / total - x * y
    xz, xt = sums[7] / total - x * z, sums[8] / total - x * t
    yy, yz, yt = sums[9] / total - y * y, sums[10] / total - y * z, sums[11] / total - y * t
    zz, zt = sums[12] / total - z * z, sums[13] / total - z * t
    determinant = xx * yy - xy * xy
    if determinant <= _NO_PLANE:
        return 0.0, 0.0
    slope_x, slope_y = (xz * yy - yz * xy) / determinant, (yz * xx - xz * xy) / determinant
    variance = zz - slope_x * xz - slope_y * yz
    if variance <= 0.0:
        return 0.0, 0.0
    return variance, (zt - slope_x * xt - slope_y * yt) / variance
