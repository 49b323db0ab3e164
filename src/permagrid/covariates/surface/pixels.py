"""Variables made of several bands of one scene, cell by cell, before anything is averaged."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from permagrid.covariates.lazy import Key, lazy_grid
from permagrid.errors import PermagridError
from permagrid.grid import Float

Formula = Callable[[Mapping[str, Float]], Float]

_CELLS_AT_A_TIME = 1_000_000
_APART = 1e-3
"""Farthest that the corners of bands of one grid may lie apart [cell]."""


def pixels(
    bands: Mapping[str, xr.DataArray], formula: Formula, *, like: Sequence[str], name: str
) -> xr.DataArray:
    """Return what a formula makes of the bands of a scene, lazily, on the scene's own grid.

    That grid is that of the coarsest band among `like`. The cells of a finer band that lie in one of its
    cells are averaged, and are nodata where one of them is; a coarser band is repeated.

    Parameters
    ----------
    bands
        Name -> lazy band of dimensions ``(y, x)``. All must begin at one corner, and their cells be multiples
        of one another.
    formula
        From the values of the bands by name, all of one shape, to those of the variable.
    like
        Names of the bands that decide on the grid.
    name
        What messages call the scene.

    Raises
    ------
    PermagridError
        If the bands do not share a grid.
    """
    own = max((bands[each].odc.geobox for each in like), key=lambda box: float(box.affine.a))
    shares = {each: _share(band.odc.geobox, own, name, each) for each, band in bands.items()}

    def read(key: Key) -> Float:
        rows, columns = (
            np.atleast_1d(np.arange(size)[part]) for part, size in zip(key, own.shape, strict=True)
        )
        kept = tuple(0 if isinstance(part, int | np.integer) else slice(None) for part in key)
        if rows.size == 0 or columns.size == 0:
            return np.empty((rows.size, columns.size))[kept]
        left, right = int(columns.min()), int(columns.max()) + 1
        out = np.empty((rows.size, columns.size))
        most = max(1, _CELLS_AT_A_TIME // (right - left))
        for start in range(0, rows.size, most):
            some = rows[start : start + most]
            top, bottom = int(some.min()), int(some.max()) + 1
            values = formula(
                {
                    each: _window(band, shares[each], (top, bottom), (left, right))
                    for each, band in bands.items()
                }
            )
            out[start : start + most] = values[np.ix_(some - top, columns - left)]
        return out[kept]

    return lazy_grid(read, own, {})


def _share(band: GeoBox, own: GeoBox, name: str, key: str) -> float:
    """Return how many cells of a band lie along the side of a cell: below one where the band is coarser."""
    share = float(own.affine.a / band.affine.a)
    whole = round(share) if share >= 1 else 1 / round(1 / share)
    apart = (band.affine.c - own.affine.c, band.affine.f - own.affine.f)
    fits = (
        band.crs == own.crs
        and abs(share - whole) < _APART * whole
        and abs(band.affine.e / band.affine.a - own.affine.e / own.affine.a) < _APART
        and max(map(abs, apart)) < _APART * abs(own.affine.a)
        and all(at >= size * whole - 1e-9 for at, size in zip(band.shape, own.shape, strict=True))
    )
    if not fits:
        raise PermagridError(f"{name}: band {key} does not lie on the grid of the others")
    return float(whole)


def _window(band: xr.DataArray, share: float, rows: tuple[int, int], columns: tuple[int, int]) -> Float:
    """Return a band in a window of rows and columns of the scene's grid."""
    if share >= 1:
        times = round(share)
        part = tuple(slice(first * times, last * times) for first, last in (rows, columns))
        fine = np.asarray(band.variable[part].values, dtype=float)
        if times == 1:
            return fine
        height, width = rows[1] - rows[0], columns[1] - columns[0]
        return np.asarray(fine.reshape(height, times, width, times).mean(axis=(1, 3)))
    times = round(1 / share)
    part = tuple(slice(first // times, -(-last // times)) for first, last in (rows, columns))
    coarse = np.asarray(band.variable[part].values, dtype=float)
    places = [np.arange(*span) // times - span[0] // times for span in (rows, columns)]
    return coarse[np.ix_(*places)]
