"""Grids: a GeoBox from a few plain numbers, its blocks, and where its cells lie on the globe."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from permagrid.errors import PermagridError

Float = NDArray[np.float64]
Window = tuple[slice, slice]
BlockSize = int | tuple[int, int]
"""Cells per side of a block, or its rows and columns."""

_FEWEST = 256
"""Cells of the smallest block that may be asked for."""
_OUTLINE = (91, 1441)
"""Points from south to north and from west to east when a lon/lat box is brought to another CRS."""


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
        ``(left, bottom, right, top)`` [CRS unit]; kept as they are where they hold whole cells, and
        widened to multiples of the resolution otherwise.
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
    given = [float(value) for value in (region if region is not None else bounds or ())]
    if len(given) != 4 or not np.isfinite([*given, resolution]).all():
        raise PermagridError(f"grid: an extent is four numbers, found {given} at resolution {resolution}")
    left, bottom, right, top = _region_bounds(parsed, given) if region is not None else given
    if not (right > left and top > bottom and resolution > 0):
        raise PermagridError(f"grid: empty extent {given} at resolution {resolution}")
    cells = np.array([(right - left) / resolution, (top - bottom) / resolution])
    if region is not None or np.abs(cells - np.round(cells)).max() > 1e-6 * max(1.0, cells.max()):
        west, south = (np.floor(edge / resolution + 1e-9) for edge in (left, bottom))
        east, north = (np.ceil(edge / resolution - 1e-9) for edge in (right, top))
        left, top = west * resolution, north * resolution
        cells = np.array([east - west, north - south])
    code = parsed.to_epsg()
    name = parsed.to_wkt() if code is None else f"EPSG:{code}"
    columns, rows = (round(float(size)) for size in cells)
    return GeoBox((rows, columns), Affine(resolution, 0.0, left, 0.0, -resolution, top), name)


def _region_bounds(crs: CRS, region: Sequence[float]) -> tuple[float, float, float, float]:
    west, south, east, north = region
    if not -90.0 <= south < north <= 90.0:
        raise PermagridError(f"grid: region {tuple(region)} must run from west, south to east, north")
    if east <= west:
        east += 360.0
    if crs.is_geographic:
        return west, south, east, north
    longitude, latitude = np.meshgrid(
        np.linspace(west, east, _OUTLINE[1]), np.linspace(south, north, _OUTLINE[0])
    )
    to_crs = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = to_crs.transform(wrapped(longitude), latitude)
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        raise PermagridError(f"grid: region {tuple(region)} cannot be projected to {crs.name}")
    x, y = x[finite], y[finite]
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


@lru_cache(maxsize=64)
def _same_crs(one: str, other: str) -> bool:
    return one == other or bool(CRS(one).equals(CRS(other), ignore_axis_order=True))


def transformed(x: Float, y: Float, source: object, target: object) -> tuple[Float, Float]:
    """Return x and y [unit of the CRS] in another CRS; what cannot be brought there is not finite.

    Parameters
    ----------
    x, y
        Positions, longitude before latitude.
    source, target
        The CRS they are in, and the one that is wanted.
    """
    if _same_crs(str(source), str(target)):
        return x, y
    there = _transformer(str(source), str(target)).transform(x, y)
    return np.asarray(there[0], dtype=float), np.asarray(there[1], dtype=float)


@lru_cache(maxsize=64)
def is_interrupted(crs: str) -> bool:
    """Return whether a projection cuts the globe into lobes, as the homolosine of SoilGrids does.

    Examples
    --------
    >>> is_interrupted("+proj=igh +datum=WGS84"), is_interrupted("EPSG:3995")
    (True, False)
    """
    operation = CRS.from_user_input(crs).coordinate_operation
    name = "" if operation is None else operation.method_name.lower()
    return "interrupted" in name or name.startswith(("proj igh", "proj imoll"))


def is_global(geobox: GeoBox) -> bool:
    """Return whether a lon/lat grid runs right around the globe, so that its first and last columns meet.

    Examples
    --------
    >>> is_global(make_geobox("EPSG:4326", 1, region=(-180, 60, 180, 90)))
    True
    >>> is_global(make_geobox("EPSG:4326", 1, region=(-180, 60, 170, 90)))
    False
    """
    if geobox.crs is None or not geobox.crs.geographic:
        return False
    return bool(abs(geobox.shape[1] * geobox.affine.a) >= 360.0 - 0.5 * abs(geobox.affine.a))


def blocks(shape: tuple[int, int], size: BlockSize) -> Iterator[Window]:
    """Yield row and column slices that tile a grid, row by row.

    Examples
    --------
    >>> [(r.stop, c.stop) for r, c in blocks((3, 5), 4)]
    [(3, 4), (3, 5)]
    >>> [(r.stop, c.stop) for r, c in blocks((3, 5), (2, 100))]
    [(2, 5), (3, 5)]
    """
    rows, columns = shape
    high, wide = sides(size)
    for row in range(0, rows, high):
        for column in range(0, columns, wide):
            yield slice(row, min(row + high, rows)), slice(column, min(column + wide, columns))


def sides(size: BlockSize) -> tuple[int, int]:
    """Return rows and columns of a block.

    Examples
    --------
    >>> sides(512), sides((16, 4000))
    ((512, 512), (16, 4000))
    """
    return (size, size) if isinstance(size, int) else size


def block_text(size: BlockSize) -> str:
    """Return the size of a block as it is asked for.

    Examples
    --------
    >>> block_text(512), block_text((16, 4000))
    ('512', '16x4000')
    """
    return str(size) if isinstance(size, int) else f"{size[0]}x{size[1]}"


def parse_block(text: str) -> BlockSize:
    """Return the size of a block that a text names.

    Raises
    ------
    PermagridError
        If it names none, or one of fewer than 256 cells.

    Examples
    --------
    >>> parse_block("512"), parse_block("16x4000"), parse_block("300x300")
    (512, (16, 4000), 300)
    """
    high, by, wide = text.strip().partition("x")
    parts = (high, wide if by else high)
    size = (int(parts[0]), int(parts[1])) if all(part.isdecimal() for part in parts) else (0, 0)
    if size[0] * size[1] < _FEWEST:
        raise PermagridError(
            f"--block {text}: allowed are cells per side, such as 512, or rows and columns, such as 16x4000, "
            f"of {_FEWEST} cells at least"
        )
    return size[0] if size[0] == size[1] else size


def place_in(geobox: GeoBox, whole: GeoBox) -> tuple[int, int]:
    """Return the (row, column) of `whole` at which `geobox` begins: negative where it begins before it.

    Raises
    ------
    PermagridError
        If the two are not parts of one lattice.

    Examples
    --------
    >>> grid = make_geobox("EPSG:3995", 10, bounds=(0, 0, 100, 100))
    >>> place_in(grid[2:5, 3:], grid)
    (2, 3)
    """
    back, x, y = ~whole.affine, geobox.affine.c, geobox.affine.f
    column, row = back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f
    same = np.allclose(geobox.affine[:6:3] + geobox.affine[1:6:3], whole.affine[:6:3] + whole.affine[1:6:3])
    if not (same and abs(row - round(row)) < 1e-3 and abs(column - round(column)) < 1e-3):
        raise PermagridError("a grid and the whole it is part of must share cells")
    return round(row), round(column)


def positions(geobox: GeoBox, window: Window, *, subcells: int = 1) -> tuple[Float, Float]:
    """Return x and y [CRS unit] of cell centres, or of a lattice of points within each cell.

    Parameters
    ----------
    geobox
        The grid that rows and columns are counted in. A position depends on nothing else, so that a cell
        has the same one, to the last digit, whichever window it is asked for with.
    window
        Rows and columns; they may lie outside the grid.
    subcells
        Points per cell and direction.

    Returns
    -------
    tuple of arrays
        Shape ``(rows * subcells, columns * subcells)``.
    """
    row, column = (
        (np.arange(part.start * subcells, part.stop * subcells) + 0.5) / subcells for part in window
    )
    affine = geobox.affine
    column, row = np.meshgrid(column, row)
    return affine.a * column + affine.b * row + affine.c, affine.d * column + affine.e * row + affine.f


def lonlat(geobox: GeoBox, window: Window | None = None) -> tuple[Float, Float]:
    """Return longitude (-180..180) and latitude [degree] of the cell centres of a grid or a part of it.

    Of cells that lie nowhere on the globe, as in the corners of some projections, one or both are not finite.
    """
    rows, columns = geobox.shape
    x, y = positions(geobox, window or (slice(0, rows), slice(0, columns)))
    longitude, latitude = transformed(x, y, geobox.crs, "EPSG:4326")
    return wrapped(longitude), latitude


def lonlat_of(geobox: GeoBox, row: Float, column: Float) -> tuple[Float, Float]:
    """Return longitude and latitude [degree] of fractional (row, column); 0.5 is a first cell's centre."""
    affine = geobox.affine
    x = affine.a * column + affine.b * row + affine.c
    y = affine.d * column + affine.e * row + affine.f
    longitude, latitude = transformed(x, y, geobox.crs, "EPSG:4326")
    return wrapped(longitude), latitude


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
    with np.errstate(invalid="ignore"):
        eastward = np.mod(longitude - west, 360.0)
    width = east - west if east > west else east - west + 360.0
    across = (eastward <= width) | (width >= 360.0)
    return np.asarray(across & (latitude >= south) & (latitude <= north))


def cells_of(geobox: GeoBox, longitude: Float, latitude: Float) -> tuple[Float, Float]:
    """Return fractional (row, column) of points on the grid; integers are the upper left cell corners.

    Longitudes are wrapped into the grid's own range, so a point at -175 falls on a grid that runs
    from 170 to 190. Points that cannot be projected give NaN.
    """
    x, y = transformed(longitude, latitude, "EPSG:4326", geobox.crs)
    if geobox.crs is not None and geobox.crs.geographic:
        left = geobox.boundingbox.left
        x = np.where(np.isfinite(x), (np.where(np.isfinite(x), x, 0.0) - left) % 360.0 + left, np.nan)
    inverse = ~geobox.affine
    with np.errstate(invalid="ignore"):
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
