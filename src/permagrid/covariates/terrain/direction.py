"""Slope and aspect of an elevation covariate, true on any grid and at any latitude."""

from collections.abc import Callable
from uuid import uuid4

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from permagrid.covariates.resample import BlockInfo, chunked
from permagrid.covariates.table import COVARIATES, Request
from permagrid.covariates.traits import traits
from permagrid.grid import Float, lonlat, place_in

_EQUATORIAL_RADIUS = 6378137.0
_ECCENTRICITY_SQUARED = 0.00669437999014


@COVARIATES.register
@traits(unit="degree", rasters=False)
def slope(request: Request, *, input: str = "elevation") -> xr.DataArray:
    """Return the slope of an elevation covariate [degree].

    Central differences (Zevenbergen and Thorne 1987, doi:10.1002/esp.3290120107) over true distances
    on the ellipsoid. Beside a missing neighbour the slope goes on as it is on the other side of the cell.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    input
        Name of the elevation covariate.
    """
    return _from_gradient(request, input, lambda east, north: np.degrees(np.arctan(np.hypot(east, north))))


@COVARIATES.register
@traits(unit="degree", rasters=False)
def aspect(request: Request, *, input: str = "elevation") -> xr.DataArray:
    """Return the direction a slope faces, clockwise from true north; nodata where it is level [degree].

    Parameters as `slope`.
    """

    def facing(east: Float, north: Float) -> Float:
        angle = np.mod(np.degrees(np.arctan2(-east, -north)), 360.0)
        return np.where((east == 0) & (north == 0), np.nan, angle)

    return _from_gradient(request, input, facing)


@COVARIATES.register
@traits(unit="1", rasters=False)
def northness(request: Request, *, input: str = "elevation") -> xr.DataArray:
    """Return the cosine of the aspect times the sine of the slope: 1 for a north wall, 0 where level [1].

    Parameters as `slope`.
    """

    def toward_north(east: Float, north: Float) -> Float:
        return -north / np.sqrt(1.0 + east**2 + north**2)

    return _from_gradient(request, input, toward_north)


@COVARIATES.register
@traits(unit="1", rasters=False)
def eastness(request: Request, *, input: str = "elevation") -> xr.DataArray:
    """Return the sine of the aspect times the sine of the slope: 1 for an east wall, 0 where level [1].

    Parameters as `slope`.
    """

    def toward_east(east: Float, north: Float) -> Float:
        return -east / np.sqrt(1.0 + east**2 + north**2)

    return _from_gradient(request, input, toward_east)


def _from_gradient(request: Request, name: str, measure: Callable[[Float, Float], Float]) -> xr.DataArray:
    geobox, whole = request.geobox, request.whole
    # Faults in the files show now, not when the first block is computed.
    coords = request.build(name, geobox).coords

    def one(block_info: BlockInfo | None = None) -> NDArray[np.float32]:
        if block_info is None:
            return np.empty((0, 0), dtype="float32")
        (top, bottom), (left, right) = block_info[None]["array-location"]
        # A ring of cells more, so that cells at the edge of the block have neighbours.
        ring = geobox[top:bottom, left:right].pad(1)
        elevation = request.build(name, ring).data.compute(scheduler="synchronous").astype(float)
        row, column = place_in(ring, whole)
        window = slice(row, row + ring.shape[0]), slice(column, column + ring.shape[1])
        return np.asarray(measure(*gradient(elevation, *lonlat(whole, window))), dtype="float32")

    data = da.map_blocks(
        one,
        chunks=(chunked(geobox.shape[0]), chunked(geobox.shape[1])),
        dtype="float32",
        meta=np.empty((0, 0), dtype="float32"),
        name=f"gradient-{uuid4().hex}",
    )
    return xr.DataArray(data, coords=coords, dims=geobox.dimensions)


def gradient(elevation: Float, longitude: Float, latitude: Float) -> tuple[Float, Float]:
    """Return the rise towards true east and true north of every cell that has a ring around it [1].

    Parameters
    ----------
    elevation
        Shape ``(rows, columns)``, NaN as nodata [m].
    longitude, latitude
        Of the cell centres of its grid, in any CRS [degree].

    Returns
    -------
    tuple of arrays
        East and north components, shape ``(rows - 2, columns - 2)``.

    Notes
    -----
    The cell's local axes come from the positions of its neighbours in space, so that scale,
    convergence, the pole and the antimeridian need no special case.

    Examples
    --------
    >>> from permagrid.grid import make_geobox
    >>> grid = make_geobox("EPSG:3413", 1000, bounds=(0, -2_003_000, 3_000, -2_000_000))
    >>> east, north = gradient(np.array([[0.0, 10, 20]] * 3), *lonlat(grid))
    >>> bool(0.0098 < np.hypot(east, north)[0, 0] < 0.0102)
    True
    """
    nowhere = ~(np.isfinite(longitude) & np.isfinite(latitude))
    longitude, latitude = np.where(nowhere, np.nan, longitude), np.where(nowhere, np.nan, latitude)
    position = _positions(longitude, latitude)
    lon, lat = np.radians(longitude[1:-1, 1:-1]), np.radians(latitude[1:-1, 1:-1])
    east_axis = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)], axis=-1)
    north_axis = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)], axis=-1)
    along_row = position[1:-1, 2:] - position[1:-1, :-2]
    along_column = position[2:, 1:-1] - position[:-2, 1:-1]
    rise_row, rise_column = _rises(elevation)
    row_east, row_north = (along_row * east_axis).sum(-1), (along_row * north_axis).sum(-1)
    column_east, column_north = (along_column * east_axis).sum(-1), (along_column * north_axis).sum(-1)
    area = row_east * column_north - row_north * column_east
    with np.errstate(invalid="ignore", divide="ignore"):
        east = (rise_row * column_north - rise_column * row_north) / area
        north = (rise_column * row_east - rise_row * column_east) / area
    return east, north


def _rises(elevation: Float) -> tuple[Float, Float]:
    """Return the rise over two cells along rows and along columns."""
    centre = elevation[1:-1, 1:-1]

    def rise(before: Float, after: Float) -> Float:
        onward, backward = after - centre, centre - before
        onward = np.where(np.isfinite(onward), onward, backward)
        backward = np.where(np.isfinite(backward), backward, onward)
        both = onward + backward
        return np.where(np.isfinite(centre), np.where(np.isfinite(both), both, 0.0), np.nan)

    return (
        rise(elevation[1:-1, :-2], elevation[1:-1, 2:]),
        rise(elevation[:-2, 1:-1], elevation[2:, 1:-1]),
    )


def _positions(longitude: Float, latitude: Float) -> Float:
    lon, lat = np.radians(longitude), np.radians(latitude)
    normal = _EQUATORIAL_RADIUS / np.sqrt(1.0 - _ECCENTRICITY_SQUARED * np.sin(lat) ** 2)
    return np.stack(
        [
            normal * np.cos(lat) * np.cos(lon),
            normal * np.cos(lat) * np.sin(lon),
            normal * (1.0 - _ECCENTRICITY_SQUARED) * np.sin(lat),
        ],
        axis=-1,
    )
