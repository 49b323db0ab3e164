"""Reader of a map as if it were observed at a few of its cells: for the emulation of a published map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from rasterio.errors import RasterioError

from permagrid.errors import PermagridError
from permagrid.grid import Float, inside_region
from permagrid.sites.readers.reader import READERS, Provenance, observations
from permagrid.sites.table import VARIABLES

_LARGEST = 100_000_000  # cells


@dataclass(frozen=True)
class KnownCells:
    """The cells of a map that hold a value, in the order of rows and columns."""

    row: NDArray[np.int64]
    """Row of each cell in the raster, from 0."""
    column: NDArray[np.int64]
    """Column of each cell, from 0."""
    longitude: Float
    """Of the middle of the cell [degree]."""
    latitude: Float
    """Of the middle of the cell [degree]."""
    value: Float
    """What the map says there."""

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.value)


@READERS.register
def raster_cells(  # noqa: PLR0913 - a study sets these keywords, and they are what its file needs
    path: Path,
    *,
    variable: str,
    n: int,
    seed: int = 0,
    values: Mapping[int, float] | None = None,
    exclude: Sequence[int] = (),
    stratified: bool = False,
    region: tuple[float, float, float, float] | None = None,
    crs: str | None = None,
    source: str = "",
    citation: str = "",
    licence: str = "",
) -> gpd.GeoDataFrame:
    """Read a few cells of a map as if they had been observed: this emulates the map, not the ground.

    A study of such rows learns how a published map follows from covariates. Its scores say how well the map
    is reproduced, never how true it is. All other cells of the map are there to be compared with.

    Parameters
    ----------
    path
        A raster with one band of numbers, or of codes of classes.
    variable
        What the map shows, by its name in the site table.
    n
        How many cells are drawn, none twice.
    seed
        Of the draw.
    values
        Code of the raster -> value or class it stands for, such as ``{1: 25, 5: 15, 9: 5}``; cells of other
        codes are left out. The numbers of the raster as they are if left out.
    exclude
        Codes to leave out, where all others stand for themselves.
    stratified
        Whether as many cells are drawn of each different value (all of those that have fewer), rather than
        in proportion to their area.
    region
        ``[west, south, east, north]`` [degree] from which cells are drawn; west > east crosses the
        antimeridian.
    crs
        The CRS, where the file does not say.
    source
        Name of the map, that of the file if left out.
    citation
        How to cite it.
    licence
        Its licence.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table without years, at the middles of cells; ``method`` says that it is a map.

    Raises
    ------
    PermagridError
        If the raster cannot be read, has no CRS, the variable is unknown, or fewer cells than asked for
        hold a value.
    """
    path = Path(path)
    if variable not in VARIABLES:
        raise PermagridError(f"{path.name}: unknown variable {variable!r}; allowed: {', '.join(VARIABLES)}")
    cells = known_cells(path, values=values, exclude=exclude, region=region, crs=crs)
    drawn = drawn_cells(cells, n, seed=seed, stratified=stratified, name=path.name)
    row, column = cells.row[drawn], cells.column[drawn]
    frame = pd.DataFrame(
        {
            "original_id": [f"row {r} column {c}" for r, c in zip(row + 1, column + 1, strict=True)],
            "latitude": cells.latitude[drawn],
            "longitude": cells.longitude[drawn],
            "value": cells.value[drawn],
            "row": row + 1,
        }
    )
    name = source or path.name.split(".")[0]
    terms = Provenance("map", name, citation or f"{name}, a map", licence or "that of the map")
    return observations(frame, terms, path, variable=variable, method="cell of a map, not an observation")


def known_cells(
    path: Path,
    *,
    values: Mapping[int, float] | None = None,
    exclude: Sequence[int] = (),
    region: tuple[float, float, float, float] | None = None,
    crs: str | None = None,
) -> KnownCells:
    """Return all cells of a map that hold a value; keywords as of `raster_cells`.

    Raises
    ------
    PermagridError
        If the raster cannot be read, has no CRS, or no cell holds a value.
    """
    if values is not None and exclude:
        raise PermagridError(f"{path.name}: give values or exclude; codes without a value are left out")
    band, affine, stated = _read(path)
    found = _valued(band, values, exclude)
    row, column = np.nonzero(np.isfinite(found))
    longitude, latitude = _middles(row, column, affine, crs or stated, path.name)
    keep = np.isfinite(longitude) & np.isfinite(latitude)
    if region is not None:
        keep &= inside_region(longitude, latitude, region)
    if not keep.any():
        where = "" if region is None else f" in region {', '.join(f'{edge:g}' for edge in region)}"
        raise PermagridError(f"{path.name}: no cell{where} holds a value; the codes may be others")
    row, column = row[keep], column[keep]
    return KnownCells(row, column, longitude[keep], latitude[keep], found[row, column])


def drawn_cells(
    cells: KnownCells, n: int, *, seed: int, stratified: bool, name: str = "map"
) -> NDArray[np.int64]:
    """Return the positions of `n` cells drawn at random, in ascending order.

    Raises
    ------
    PermagridError
        If there are fewer cells, or `n` or the seed makes no sense.

    Examples
    --------
    >>> place = np.arange(6)
    >>> cells = KnownCells(place, place, place / 1.0, place / 1.0, np.array([5.0, 5, 5, 5, 5, 25]))
    >>> sorted(cells.value[drawn_cells(cells, 4, seed=1, stratified=True)].tolist())
    [5.0, 5.0, 5.0, 25.0]
    """
    if not 0 < n <= len(cells) or seed < 0:
        raise PermagridError(
            f"{name}: n must be 1 to {len(cells)}, the cells that hold a value, and seed 0 or more; found "
            f"{n} and {seed}"
        )
    random = np.random.default_rng([seed, len(cells)])
    if not stratified:
        return np.sort(random.choice(len(cells), size=n, replace=False))
    different, stratum, sizes = np.unique(cells.value, return_inverse=True, return_counts=True)
    shares = _even_shares(sizes, n)
    parts = [
        random.choice(np.flatnonzero(stratum == k), size=shares[k], replace=False)
        for k in range(len(different))
    ]
    return np.sort(np.concatenate(parts))


def _even_shares(sizes: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return how many are drawn of each stratum: as even as their sizes allow, `n` together."""
    shares = np.zeros(len(sizes), dtype=np.int64)
    for _ in range(n):
        open_strata = np.flatnonzero(shares < sizes)
        shares[open_strata[np.argmin(shares[open_strata])]] += 1
    return shares


def _read(path: Path) -> tuple[Float, Affine, str | None]:
    """Return the band with NaN for nodata, where its cells lie, and the CRS that the file states."""
    if not path.exists():
        raise PermagridError(f"file not found: {path}")
    try:
        with rasterio.open(path) as raster:
            if raster.count != 1 or raster.width * raster.height > _LARGEST:
                raise PermagridError(
                    f"{path.name}: needs one band of at most {_LARGEST} cells, found {raster.count} of "
                    f"{raster.width * raster.height}"
                )
            band = raster.read(1, masked=True).astype(float)
            stated = raster.crs.to_wkt() if raster.crs is not None else None
            return np.ma.filled(band, np.nan), raster.transform, stated
    except (RasterioError, OSError) as error:
        raise PermagridError(f"{path.name}: cannot be read as a raster ({error})") from error


def _valued(band: Float, values: Mapping[int, float] | None, exclude: Sequence[int]) -> Float:
    if values is None:
        return np.where(np.isin(band, [float(code) for code in exclude]), np.nan, band)
    found = np.full(band.shape, np.nan)
    for code, value in values.items():
        # YAML keeps codes as numbers, JSON as texts.
        found[band == float(code)] = value
    return found


def _middles(
    row: NDArray[np.int64], column: NDArray[np.int64], affine: Affine, crs: str | None, name: str
) -> tuple[Float, Float]:
    """Return longitude and latitude of the middles of cells."""
    if crs is None:
        raise PermagridError(f"{name}: states no CRS; set crs, such as EPSG:4326")
    x = affine.a * (column + 0.5) + affine.b * (row + 0.5) + affine.c
    y = affine.d * (column + 0.5) + affine.e * (row + 0.5) + affine.f
    try:
        to_degrees = Transformer.from_crs(CRS.from_user_input(crs), "EPSG:4326", always_xy=True)
    except CRSError as error:
        raise PermagridError(f"{name}: unknown coordinate reference system {crs!r}") from error
    longitude, latitude = to_degrees.transform(x, y)
    return np.asarray(longitude, dtype=float), np.asarray(latitude, dtype=float)
