"""Grids: a GeoBox from a few plain numbers, its blocks, and where its cells lie on the globe."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from permagrid.errors import PermagridError

Float = NDArray[np.float64]
Window = tuple[slice, slice]

_SAMPLES = 181
"""Points per side when a lon/lat box is outlined in another CRS."""


def make_geobox(
    crs: str | int,
    resolution: float,
    *,
    bounds: Sequence[float] | None = None,
    region: Sequence[float] | None = None,
) -> GeoBox:
    """Return the grid that covers `bounds`, or a lon/lat `region`, in the given CRS.

    Parameters
    ----------
    crs
        Anything that PROJ reads, such as ``EPSG:3995``.
    resolution
        Side of a cell [CRS unit].
    bounds
        ``(left, bottom, right, top)`` [CRS unit].
    region
        ``(west, south, east, north)`` [degree]; west > east crosses the antimeridian. In a CRS of
        longitudes and latitudes such a grid runs on beyond 180 degrees.

    Raises
    ------
    PermagridError
        If the CRS is unknown, not exactly one extent is given, or the extent is empty.

    Examples
    --------
    >>> make_geobox("EPSG:3995", 100_000, region=(-180, 60, 180, 90)).shape
    Shape2d(x=68, y=68)
    >>> make_geobox("EPSG:4326", 0.5, region=(170, 60, -170, 70)).boundingbox.right
    190.0
    """
    try:
        parsed = CRS.from_user_input(crs)
    except CRSError as error:
        raise PermagridError(f"grid: unknown CRS {crs!r}; use an EPSG code such as EPSG:3995") from error
    if (bounds is None) == (region is None):
        raise PermagridError("grid: give either bounds (in the CRS) or region (lon/lat), not both or none")
    extent = _region_bounds(parsed, region) if region is not None else tuple(bounds or ())
    left, bottom, right, top = (float(value) for value in extent)
    if not (right > left and top > bottom and resolution > 0):
        raise PermagridError(f"grid: empty extent {extent} at resolution {resolution}")
    snapped = (
        np.floor(left / resolution + 1e-9) * resolution,
        np.floor(bottom / resolution + 1e-9) * resolution,
        np.ceil(right / resolution - 1e-9) * resolution,
        np.ceil(top / resolution - 1e-9) * resolution,
    )
    shape = (round((snapped[3] - snapped[1]) / resolution), round((snapped[2] - snapped[0]) / resolution))
    code = parsed.to_epsg()
    name = parsed.to_wkt() if code is None else f"EPSG:{code}"
    # Without tight, the library moves the grid to its own lattice.
    return GeoBox.from_bbox(snapped, crs=name, shape=shape, tight=True)


def _region_bounds(crs: CRS, region: Sequence[float]) -> tuple[float, float, float, float]:
    west, south, east, north = (float(value) for value in region)
    if east <= west:
        east += 360.0
    if crs.is_geographic:
        return west, south, east, north
    longitude, latitude = np.meshgrid(np.linspace(west, east, _SAMPLES), np.linspace(south, north, _SAMPLES))
    to_crs = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = to_crs.transform((longitude + 180.0) % 360.0 - 180.0, latitude)
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        raise PermagridError(f"grid: region {tuple(region)} cannot be projected to {crs.name}")
    x, y = x[finite], y[finite]
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def blocks(shape: tuple[int, int], size: int) -> Iterator[Window]:
    """Yield row and column slices that tile a grid, row by row.

    Examples
    --------
    >>> [(r.stop, c.stop) for r, c in blocks((3, 5), 4)]
    [(3, 4), (3, 5)]
    """
    rows, columns = shape
    for row in range(0, rows, size):
        for column in range(0, columns, size):
            yield slice(row, min(row + size, rows)), slice(column, min(column + size, columns))


def centres(geobox: GeoBox, *, subcells: int = 1) -> tuple[Float, Float]:
    """Return x and y [CRS unit] of the cell centres, or of a lattice of points within each cell.

    Parameters
    ----------
    geobox
        The grid, of ``(rows, columns)`` cells.
    subcells
        Points per cell and direction.

    Returns
    -------
    tuple of arrays
        Shape ``(rows * subcells, columns * subcells)``.
    """
    rows, columns = geobox.shape
    column = (np.arange(columns * subcells) + 0.5) / subcells
    row = (np.arange(rows * subcells) + 0.5) / subcells
    affine = geobox.affine
    grid_column, grid_row = np.meshgrid(column, row)
    return (
        affine.a * grid_column + affine.b * grid_row + affine.c,
        affine.d * grid_column + affine.e * grid_row + affine.f,
    )


def lonlat(geobox: GeoBox) -> tuple[Float, Float]:
    """Return longitude (-180..180) and latitude [degree] of the cell centres.

    Cells that lie nowhere on the globe, as in the corners of some projections, are infinite.
    """
    rows, columns = geobox.shape
    column, row = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    return lonlat_of(geobox, row, column)


def lonlat_of(geobox: GeoBox, row: Float, column: Float) -> tuple[Float, Float]:
    """Return longitude and latitude [degree] of fractional (row, column); 0.5 is a first cell's centre."""
    affine = geobox.affine
    x = affine.a * column + affine.b * row + affine.c
    y = affine.d * column + affine.e * row + affine.f
    longitude, latitude = Transformer.from_crs(geobox.crs, "EPSG:4326", always_xy=True).transform(x, y)
    return wrapped(np.asarray(longitude)), np.asarray(latitude)


def wrapped(longitude: Float) -> Float:
    """Return longitudes brought to -180..180, leaving infinite ones as they are."""
    finite = np.isfinite(longitude)
    return np.where(finite, (np.where(finite, longitude, 0.0) + 180.0) % 360.0 - 180.0, longitude)


def inside_region(longitude: Float, latitude: Float, region: Sequence[float]) -> NDArray[np.bool_]:
    """Return True where points lie in the box ``(west, south, east, north)`` [degree].

    Examples
    --------
    >>> inside_region(np.array([175.0, -175.0, 0.0]), np.array([65.0, 65.0, 65.0]), (170, 60, -170, 70))
    array([ True,  True, False])
    """
    west, south, east, north = region
    eastward = np.mod(longitude - west, 360.0)
    width = east - west if east > west else east - west + 360.0
    across = (eastward <= width) | (width >= 360.0)
    return np.asarray(across & (latitude >= south) & (latitude <= north))


def cells_of(geobox: GeoBox, longitude: Float, latitude: Float) -> tuple[Float, Float]:
    """Return fractional (row, column) of points on the grid; integers are the upper left cell corners.

    Longitudes are wrapped into the grid's own range, so a point at -175 falls on a grid that runs
    from 170 to 190. Points that cannot be projected give NaN.
    """
    transformer = Transformer.from_crs("EPSG:4326", geobox.crs, always_xy=True)
    x, y = transformer.transform(longitude, latitude)
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if geobox.crs is not None and geobox.crs.geographic:
        left = geobox.boundingbox.left
        x = np.where(np.isfinite(x), (np.where(np.isfinite(x), x, 0.0) - left) % 360.0 + left, np.nan)
    inverse = ~geobox.affine
    column = inverse.a * x + inverse.b * y + inverse.c
    row = inverse.d * x + inverse.e * y + inverse.f
    lost = ~(np.isfinite(row) & np.isfinite(column))
    return np.where(lost, np.nan, row), np.where(lost, np.nan, column)


def chord(longitude: Float, latitude: Float) -> Float:
    """Return points as unit vectors, shape ``(n, 3)``: straight distances without pole or antimeridian.

    Examples
    --------
    >>> chord(np.array([180.0]), np.array([0.0])).round(6).tolist()
    [[-1.0, 0.0, 0.0]]
    """
    lon, lat = np.radians(longitude), np.radians(latitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
