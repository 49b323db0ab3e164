"""True areas of the cells of a grid in any CRS, on the ellipsoid of that CRS."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer

from permagrid.errors import PermagridError
from permagrid.grid import Float, Window
from permagrid.inventory.ellipsoid import Ellipsoid

Mask = NDArray[np.bool_]

_EQUAL_AREA = frozenset(
    {
        "albers equal area",
        "lambert azimuthal equal area",
        "lambert cylindrical equal area",
        "equal earth",
        "sinusoidal",
    }
)
"""Methods that keep areas on the ellipsoid as PROJ does them."""
_EQUAL_AREA_ON_SPHERE = frozenset(
    {
        "lambert azimuthal equal area (spherical)",
        "lambert cylindrical equal area (spherical)",
        "mollweide",
        "eckert iv",
        "eckert vi",
        "interrupted goode homolosine",
    }
)
"""Methods that keep areas only where the ellipsoid is a sphere."""
_TILE = 64
"""Cells in a row and a column of the tiles, counted from the grid's first cell, that are done at once."""
_STRIDE = 8
"""Cells between the points of a tile at which it is found whether it leaves the domain of the projection."""
_LONGEST = 50e3
"""Side of a cell above which it is divided [m]."""
_LATTICE, _TURN = 987, 610
"""Points in a cell that straddles the edge of the domain, and the step of their Fibonacci lattice, of which
no two lie in one row or one column: an edge along the grid is met as closely as any other."""
_NEAR = 1e-3
"""How near to its beginning the way to the globe and back must end [m]."""
_METRES_PER_RADIAN = 6_371_008.8


def cell_areas(geobox: GeoBox, window: Window | None = None) -> Float:
    """Return the area on the ellipsoid of each cell of a grid.

    Parameters
    ----------
    geobox
        The grid, in any CRS.
    window
        Rows and columns of the grid, all if left out. The area of a cell is the same to the last digit
        whichever window it is asked for with.

    Returns
    -------
    array
        Shape ``(rows, columns)`` of the window [m2]. What lies outside the domain of the projection, beyond a
        pole, or more than once around the globe from the first column has no area.

    Raises
    ------
    PermagridError
        If the grid has no CRS.

    Notes
    -----
    In longitudes and latitudes the closed form of the authalic latitude (Snyder 1987, Map projections: a
    working manual, eq. 3-11). In a projection the corners, middles of sides and centre of a cell are brought
    to the authalic sphere (Karney 2024, doi:10.1080/00396265.2023.2217604), where neither pole nor
    antimeridian is a special place; the solid angle of the biquadratic patch through these nine points errs
    by the fourth power of its size over the Earth's radius, 1e-11 of cells of 12.5 km. Where the method of
    the CRS keeps areas, a cell has that of its square. A cell that the edge of the domain crosses has the
    share of it that 987 points tell, each with its own scale.

    Examples
    --------
    >>> from permagrid.grid import make_geobox
    >>> globe = make_geobox("EPSG:4326", 10, bounds=(-180, -90, 180, 90))
    >>> round(cell_areas(globe).sum() / 1e6)
    510065622
    >>> arctic = make_geobox("EPSG:3995", 1000, bounds=(0, 0, 2000, 2000))
    >>> (cell_areas(arctic) / 1e6).round(4).tolist()
    [[1.0568, 1.0568], [1.0568, 1.0568]]
    """
    if geobox.crs is None:
        raise PermagridError("cell areas: the grid has no CRS")
    rows, columns = window or (slice(0, geobox.shape[0]), slice(0, geobox.shape[1]))
    crs = CRS(str(geobox.crs))
    if crs.is_geographic and geobox.affine.b == 0.0 and geobox.affine.d == 0.0:
        return _in_degrees(geobox, crs, rows, columns)
    return _projected(_Frame(geobox), rows, columns)


def _in_degrees(geobox: GeoBox, crs: CRS, rows: slice, columns: slice) -> Float:
    """Return areas in a grid of longitudes and latitudes: those of a row are alike."""
    ellipsoid, affine, unit = Ellipsoid.of(crs), geobox.affine, _unit(crs)
    edges = (affine.f + affine.e * np.arange(rows.start, rows.stop + 1)) * unit
    latitude = ellipsoid.authalic(np.clip(edges, -np.pi / 2.0, np.pi / 2.0))
    middle, half = (latitude[:-1] + latitude[1:]) / 2.0, np.abs(np.diff(latitude)) / 2.0
    # Products in place of a difference of sines, which would lose digits in small cells near the poles.
    height = 2.0 * np.cos(middle) * np.sin(half)
    place = np.arange(columns.start, columns.stop + 1) * affine.a * unit
    around = np.clip(place, -2.0 * np.pi, 2.0 * np.pi)
    # A width is a whole cell's unless it is cut, so that those of a row are alike to the last digit.
    width = np.where(around[1:] == place[1:], abs(affine.a) * unit, np.abs(np.diff(around)))
    return np.asarray(ellipsoid.radius**2 * height[:, np.newaxis] * width)


def _projected(frame: "_Frame", rows: slice, columns: slice) -> Float:
    out = np.zeros((rows.stop - rows.start, columns.stop - columns.start))
    for tile, part in _tiles(rows, columns):
        here = (
            slice(part[0].start - rows.start, part[0].stop - rows.start),
            slice(part[1].start - columns.start, part[1].stop - columns.start),
        )
        out[here] = _whole(frame, part) if _all_inside(frame, tile) else _at_edge(frame, part)
    return out


def _tiles(rows: slice, columns: slice) -> Iterator[tuple[Window, Window]]:
    """Yield tiles, counted from the first cell of the grid, and the part of each that is in the window."""
    for row in range(rows.start // _TILE * _TILE, rows.stop, _TILE):
        for column in range(columns.start // _TILE * _TILE, columns.stop, _TILE):
            tile = slice(row, row + _TILE), slice(column, column + _TILE)
            yield (
                tile,
                (
                    slice(max(row, rows.start), min(row + _TILE, rows.stop)),
                    slice(max(column, columns.start), min(column + _TILE, columns.stop)),
                ),
            )


@dataclass(frozen=True)
class _Frame:
    """A grid, and the way from its places to the ellipsoid and back."""

    geobox: GeoBox

    @cached_property
    def crs(self) -> CRS:
        return CRS(str(self.geobox.crs))

    @cached_property
    def ellipsoid(self) -> Ellipsoid:
        return Ellipsoid.of(self.crs)

    @cached_property
    def cell(self) -> float:
        """Area of a cell on the map [CRS unit squared]."""
        affine = self.geobox.affine
        return float(abs(affine.a * affine.e - affine.b * affine.d))

    @cached_property
    def equal_area(self) -> bool:
        return is_equal_area(self.wkt)

    @cached_property
    def true_area(self) -> float:
        """Area of a cell of a map that keeps areas [m2]."""
        return self.cell * self.unit**2

    @cached_property
    def parts(self) -> int:
        """Into how many parts each side of a cell is divided."""
        affine = self.geobox.affine
        side = max(np.hypot(affine.a, affine.d), np.hypot(affine.b, affine.e))
        length = side * self.unit * (_METRES_PER_RADIAN if self.crs.is_geographic else 1.0)
        return max(1, int(np.ceil(length / _LONGEST)))

    def places(self, row: Float, column: Float) -> tuple[Float, Float]:
        """Return x and y [CRS unit] of fractional rows and columns."""
        affine = self.geobox.affine
        return (
            affine.a * column + affine.b * row + affine.c,
            affine.d * column + affine.e * row + affine.f,
        )

    @cached_property
    def wkt(self) -> str:
        return self.crs.to_wkt()

    @cached_property
    def unit(self) -> float:
        """Length of a unit of the grid [m, or radian]."""
        return _unit(self.crs)

    @cached_property
    def angle(self) -> float:
        """Size of a unit of longitude and latitude [radian]."""
        return _unit(_geodetic(self.crs))

    def angles(self, x: Float, y: Float) -> tuple[Float, Float]:
        """Return longitude and latitude [radian], not finite where the projection has no place."""
        if self.crs.is_geographic:
            longitude, latitude = x * self.unit, y * self.unit
            return longitude, np.where(np.abs(latitude) <= np.pi / 2.0 + 1e-12, latitude, np.inf)
        longitude, latitude = _to_angles(self.wkt).transform(x, y)
        return np.asarray(longitude) * self.angle, np.asarray(latitude) * self.angle

    def inside(self, x: Float, y: Float) -> Mask:
        """Return whether places lie in the domain: the way there and back ends where it began."""
        found = self.angles(x, y)
        finite = np.isfinite(found[0]) & np.isfinite(found[1])
        if self.crs.is_geographic:
            return np.asarray(finite)
        longitude, latitude = (np.where(finite, angle, 0.0) / self.angle for angle in found)
        back = _to_angles(self.wkt).transform(longitude, latitude, direction="INVERSE")
        near = max(_NEAR / self.unit, 1e-5 * np.sqrt(self.cell))
        with np.errstate(invalid="ignore"):
            return np.asarray(finite & (np.abs(back[0] - x) < near) & (np.abs(back[1] - y) < near))


def _all_inside(frame: _Frame, tile: Window) -> bool:
    row, column = (np.arange(part.start, part.stop + 1, _STRIDE, dtype=float) for part in tile)
    return bool(frame.inside(*frame.places(*np.meshgrid(row, column, indexing="ij"))).all())


def _whole(frame: _Frame, part: Window) -> Float:
    """Return areas of cells that lie in the domain."""
    shape = part[0].stop - part[0].start, part[1].stop - part[1].start
    if frame.equal_area:
        return np.full(shape, frame.true_area)
    steps = 2 * frame.parts
    row, column = (np.arange(p.start * steps, p.stop * steps + 1) / steps for p in part)
    longitude, latitude = frame.angles(*frame.places(*np.meshgrid(row, column, indexing="ij")))
    angles: Float = _solid_angles(longitude, latitude, frame.ellipsoid.coefficients, frame.parts)
    return frame.ellipsoid.radius**2 * angles


def _at_edge(frame: _Frame, part: Window) -> Float:
    """Return areas of cells of which some lie outside the domain or across its edge."""
    row, column = (np.arange(2 * p.start, 2 * p.stop + 1) / 2.0 for p in part)
    inside = frame.inside(*frame.places(*np.meshgrid(row, column, indexing="ij")))
    nine = [inside[i : i - 2 or None : 2, j : j - 2 or None : 2] for i in range(3) for j in range(3)]
    known = np.sum(nine, axis=0)
    out = np.where(known == 9, _whole(frame, part), 0.0)
    rows, columns = np.nonzero((known > 0) & (known < 9))
    for cell in range(0, len(rows), _TILE):
        some = slice(cell, cell + _TILE)
        out[rows[some], columns[some]] = _shares(
            frame, rows[some] + part[0].start, columns[some] + part[1].start
        )
    return out


def _shares(frame: _Frame, row: NDArray[np.intp], column: NDArray[np.intp]) -> Float:
    """Return areas of cells by the scale at a lattice of points, those outside the domain left out."""
    number = np.arange(_LATTICE)
    down, along = (number + 0.5) / _LATTICE, (number * _TURN % _LATTICE + 0.5) / _LATTICE
    rows, columns = row[:, np.newaxis] + down, column[:, np.newaxis] + along
    inside = frame.inside(*frame.places(rows, columns))
    if frame.equal_area:
        return np.asarray(inside.mean(axis=1) * frame.true_area)
    scale = np.zeros(inside.shape)
    scale[inside] = _cell_density(frame, rows[inside], columns[inside])
    return np.asarray(scale.mean(axis=1))


def _cell_density(frame: _Frame, row: Float, column: Float) -> Float:
    """Return the area that a cell would have if the scale were everywhere as at these points [m2]."""
    step = 1e-3
    here = _vectors(frame, row, column)
    sides = []
    for down, along in ((step, 0.0), (0.0, step)):
        after, before = (_vectors(frame, row + sign * down, column + sign * along) for sign in (1.0, -1.0))
        # Beyond the edge of the domain there may be nothing: then one side must do.
        ahead, back = np.isfinite(after).all(axis=0), np.isfinite(before).all(axis=0)
        length = step * (ahead.astype(float) + back)
        with np.errstate(invalid="ignore", divide="ignore"):
            sides.append((np.where(ahead, after, here) - np.where(back, before, here)) / length)
    normal = np.cross(sides[0], sides[1], axis=0)
    return np.asarray(
        frame.ellipsoid.radius**2 * np.abs(np.nan_to_num(normal * here, posinf=0.0).sum(axis=0))
    )


def _vectors(frame: _Frame, row: Float, column: Float) -> Float:
    """Return unit vectors on the authalic sphere, shape ``(3, n)``; what lies nowhere is not finite."""
    longitude, latitude = frame.angles(*frame.places(row, column))
    with np.errstate(invalid="ignore"):
        authalic = frame.ellipsoid.authalic(latitude)
        return np.stack(
            [
                np.cos(authalic) * np.cos(longitude),
                np.cos(authalic) * np.sin(longitude),
                np.sin(authalic),
            ]
        )


@lru_cache(maxsize=64)
def is_equal_area(crs: str) -> bool:
    """Return whether the method of a CRS keeps areas on its own ellipsoid.

    Parameters
    ----------
    crs
        Anything that PROJ reads.

    Examples
    --------
    >>> is_equal_area("EPSG:6931"), is_equal_area("EPSG:3995")
    (True, False)
    >>> is_equal_area("+proj=moll +datum=WGS84"), is_equal_area("+proj=moll +R=6371000")
    (False, True)
    """
    parsed = CRS(crs)
    operation = parsed.coordinate_operation
    if operation is None:
        return False
    name = operation.method_name.lower()
    return name in _EQUAL_AREA or (name in _EQUAL_AREA_ON_SPHERE and Ellipsoid.of(parsed).flattening == 0.0)


def _geodetic(crs: CRS) -> CRS:
    return crs.geodetic_crs or CRS("EPSG:4326")


def _unit(crs: CRS) -> float:
    """Return the length of a unit of the first axis [m, or radian]."""
    return float(crs.axis_info[0].unit_conversion_factor)


@lru_cache(maxsize=64)
def _to_angles(crs: str) -> Transformer:
    """Return the way to longitudes and latitudes of the same datum, so that nothing is shifted."""
    parsed = CRS(crs)
    return Transformer.from_crs(parsed, _geodetic(parsed), always_xy=True)


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _solid_angles(longitude: Float, latitude: Float, coefficients: Float, parts: int) -> Float:
    """Return the solid angle [steradian] of cells from lattices with ``2 * parts`` steps in each."""
    height, width = longitude.shape
    points = np.empty((height, width, 3))
    for i in range(height):
        for j in range(width):
            angle = latitude[i, j]
            twice = 2.0 * np.cos(2.0 * angle)
            after, last = 0.0, 0.0
            for k in range(len(coefficients) - 1, -1, -1):
                after, last = coefficients[k] + twice * after - last, after
            beta = angle + after * np.sin(2.0 * angle)
            points[i, j, 0] = np.cos(beta) * np.cos(longitude[i, j])
            points[i, j, 1] = np.cos(beta) * np.sin(longitude[i, j])
            points[i, j, 2] = np.sin(beta)
    steps = 2 * parts
    out = np.zeros(((height - 1) // steps, (width - 1) // steps))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            total = 0.0
            for down in range(parts):
                for along in range(parts):
                    total += _patch(points, i * steps + 2 * down, j * steps + 2 * along)
            out[i, j] = abs(total)
    return out


@njit(inline="always", error_model="numpy")  # type: ignore[untyped-decorator]
def _patch(points: Float, row: int, column: int) -> float:
    """Return the solid angle of the biquadratic patch through nine points, with its sign."""
    # Lagrange's parabolas through -1, 0 and 1, and their slopes, at the two points of Gauss.
    gauss = 1.0 / np.sqrt(3.0)
    total = 0.0
    for u in (-gauss, gauss):
        value_u = (u * (u - 1.0) / 2.0, 1.0 - u * u, u * (u + 1.0) / 2.0)
        slope_u = (u - 0.5, -2.0 * u, u + 0.5)
        for v in (-gauss, gauss):
            value_v = (v * (v - 1.0) / 2.0, 1.0 - v * v, v * (v + 1.0) / 2.0)
            slope_v = (v - 0.5, -2.0 * v, v + 0.5)
            x = y = z = xu = yu = zu = xv = yv = zv = 0.0
            for i in range(3):
                for j in range(3):
                    here = value_u[i] * value_v[j]
                    by_u = slope_u[i] * value_v[j]
                    by_v = value_u[i] * slope_v[j]
                    px, py, pz = (
                        points[row + i, column + j, 0],
                        points[row + i, column + j, 1],
                        points[row + i, column + j, 2],
                    )
                    x, y, z = x + here * px, y + here * py, z + here * pz
                    xu, yu, zu = xu + by_u * px, yu + by_u * py, zu + by_u * pz
                    xv, yv, zv = xv + by_v * px, yv + by_v * py, zv + by_v * pz
            volume = x * (yu * zv - zu * yv) + y * (zu * xv - xu * zv) + z * (xu * yv - yu * xv)
            total += volume / (x * x + y * y + z * z) ** 1.5
    return total
