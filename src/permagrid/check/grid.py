"""Whether a study's grid can be made, and is one that maps are made on."""

from collections.abc import Iterator

from odc.geo.geobox import GeoBox
from pyproj import CRS
from pyproj.exceptions import CRSError

from permagrid.errors import PermagridError
from permagrid.grid import make_geobox
from permagrid.study import Finding, Grid, Study

_LARGEST_GRID = 4_000_000_000
_COARSEST_DEGREES = 10.0


def geobox_of(study: Study) -> GeoBox | None:
    """Return the grid of a study, or None where it is of a table.

    Raises
    ------
    PermagridError
        As `make_geobox`.
    """
    grid = study.grid
    return None if grid is None else _made(grid)


def _made(grid: Grid) -> GeoBox:
    return make_geobox(grid.crs, grid.resolution, bounds=grid.bounds, region=grid.region)


def sound_geobox(study: Study) -> GeoBox | None:
    """Return the grid of a study, or None where it has faults."""
    return None if list(grid_faults(study)) else geobox_of(study)


def grid_faults(study: Study) -> Iterator[Finding]:
    """Yield what is wrong with the grid of a study; nothing where it has none."""
    grid = study.grid
    if grid is None:
        return
    try:
        crs = CRS.from_user_input(grid.crs)
    except CRSError:
        yield Finding(("grid", "crs"), f"unknown CRS {grid.crs!r}; use an EPSG code such as EPSG:3995")
        return
    if not (crs.is_projected or crs.is_geographic) or len(crs.axis_info) > 2 or crs.is_compound:
        yield Finding(
            ("grid", "crs"), f"{grid.crs!r} ({crs.name}) is no CRS for maps; use a projected one or lon/lat"
        )
        return
    unit = crs.axis_info[0].unit_name
    if crs.is_geographic and grid.resolution > _COARSEST_DEGREES:
        yield Finding(
            ("grid", "resolution"),
            f"{grid.resolution:g} {unit} cannot be a cell; {grid.crs} is in degrees: is another crs meant?",
        )
        return
    try:
        rows, columns = _made(grid).shape
    except PermagridError as error:
        yield Finding(("grid",), str(error).removeprefix("grid: "))
        return
    made = f"makes {rows} x {columns} cells of {grid.resolution:g} {unit}"
    if rows * columns > _LARGEST_GRID:
        yield Finding(("grid", "resolution"), f"{made}; at most {_LARGEST_GRID:.0e} cells are allowed")
    elif min(rows, columns) < 2:
        extent = "bounds" if grid.bounds is not None else "region"
        yield Finding(
            ("grid", "resolution"),
            f"{made}; at least 2 x 2 are needed: do resolution and {extent} belong together?",
        )
