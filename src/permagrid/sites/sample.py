"""Values of a covariate stack at points: by cell, bilinearly, or from the nearest valid cell."""

from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Geod

from permagrid.errors import PermagridError
from permagrid.grid import Float, cells_of, lonlat_of

Rule = Literal["cell", "bilinear", "nearest"]
Index = NDArray[np.int_]

OUTSIDE, NODATA = "outside the grid", "nodata"

_FARTHEST_CELLS = 50
_GEOD = Geod(ellps="WGS84")


def sample_stack(
    stack: xr.Dataset,
    points: pd.DataFrame,
    *,
    rule: Rule = "cell",
    distance: float = 0.0,
) -> pd.DataFrame:
    """Return the values of a stack at points.

    Parameters
    ----------
    stack
        Variables of dimensions ``(y, x)`` or ``(epoch, y, x)``; lazy or not.
    points
        Columns ``longitude`` and ``latitude`` [degree], and ``epoch`` when the stack has epochs.
    rule
        ``cell`` the cell that holds the point; ``bilinear`` the valid ones of the four nearest cell
        centres, weighted, where the point's own cell is valid; ``nearest`` the point's cell or, where
        that lacks any variable, the nearest cell that has them all.
    distance
        Farthest that rule ``nearest`` may look [m].

    Returns
    -------
    pandas.DataFrame
        Indexed as `points`: one column per variable, ``sampled_distance`` from the point to the
        centre of another cell whose values were taken [m], 0 for its own cell, and
        ``sampling_fault``: empty, ``outside the grid`` or ``nodata``.

    Raises
    ------
    PermagridError
        If a point's epoch is not in the stack.
    """
    geobox = stack.odc.geobox
    longitude, latitude = points["longitude"].to_numpy(float), points["latitude"].to_numpy(float)
    row, column = cells_of(geobox, longitude, latitude)
    rows, columns = geobox.shape
    with np.errstate(invalid="ignore"):
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    epoch = _epoch_index(stack, points)
    cell_row = np.where(inside, row, 0).astype(int)
    cell_column = np.where(inside, column, 0).astype(int)
    values = _take(stack, epoch, cell_row, cell_column)
    values[~inside] = np.nan
    moved = np.zeros(len(points))
    if rule == "bilinear":
        values = _bilinear(stack, epoch, row, column, values)
    elif rule == "nearest" and distance > 0:
        lost = np.flatnonzero(inside & ~np.isfinite(values).all(axis=1))
        places = _Places(longitude[lost], latitude[lost], cell_row[lost], cell_column[lost], epoch[lost])
        values[lost], moved[lost] = _nearest_valid(stack, places, values[lost], distance)
    sampled = pd.DataFrame(values, columns=[str(name) for name in stack.data_vars], index=points.index)
    fault = np.where(~inside, OUTSIDE, np.where(np.isfinite(values).all(axis=1), "", NODATA))
    return sampled.assign(sampled_distance=moved, sampling_fault=fault)


class _Places:
    """Points for which the nearest valid cell is wanted."""

    def __init__(self, longitude: Float, latitude: Float, row: Index, column: Index, epoch: Index) -> None:
        self.longitude, self.latitude = longitude, latitude
        self.row, self.column, self.epoch = row, column, epoch


def _epoch_index(stack: xr.Dataset, points: pd.DataFrame) -> Index:
    if "epoch" not in stack.dims:
        return np.zeros(len(points), dtype=int)
    known = {str(name): index for index, name in enumerate(stack["epoch"].values)}
    strange = sorted(set(points["epoch"]) - set(known))
    if strange:
        raise PermagridError(
            f"no covariates for epoch {', '.join(strange)}; the stack has {', '.join(known)}"
        )
    return np.asarray(points["epoch"].map(known), dtype=int)


def _take(stack: xr.Dataset, epoch: Index, row: Index, column: Index) -> Float:
    """Return values at cells, shape ``(n, variables)``, reading only the chunks that hold them."""
    out = np.empty((len(row), len(stack.data_vars)))
    y, x = stack.odc.spatial_dims
    picks = {y: xr.DataArray(row, dims="point"), x: xr.DataArray(column, dims="point")}
    for index, name in enumerate(stack.data_vars):
        variable = stack[name]
        here = {**picks, "epoch": xr.DataArray(epoch, dims="point")} if "epoch" in variable.dims else picks
        out[:, index] = variable.variable.isel({k: v.variable for k, v in here.items()}).values
    return out


def _bilinear(stack: xr.Dataset, epoch: Index, row: Float, column: Float, own: Float) -> Float:
    rows, columns = stack.odc.geobox.shape
    row, column = np.where(np.isfinite(row), row, 0.0), np.where(np.isfinite(column), column, 0.0)
    top, left = np.floor(row - 0.5), np.floor(column - 0.5)
    down, across = row - 0.5 - top, column - 0.5 - left
    total, weight = np.zeros_like(own), np.zeros_like(own)
    for d_row, d_column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = (down if d_row else 1.0 - down) * (across if d_column else 1.0 - across)
        r = np.clip(top + d_row, 0, rows - 1).astype(int)
        c = np.clip(left + d_column, 0, columns - 1).astype(int)
        value = _take(stack, epoch, r, c)
        seen = np.isfinite(value)
        total += np.where(seen, share[:, None] * np.where(seen, value, 0.0), 0.0)
        weight += np.where(seen, share[:, None], 0.0)
    classes = np.array([stack[name].attrs.get("kind") == "class" for name in stack.data_vars])
    mixed = np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), np.nan)
    return np.where(np.isfinite(own), np.where(classes, own, mixed), np.nan)


def _nearest_valid(stack: xr.Dataset, places: _Places, values: Float, distance: float) -> tuple[Float, Float]:
    """Return values and distance [m] of the nearest cell that has all variables."""
    geobox = stack.odc.geobox
    found, moved = values.copy(), np.zeros(len(values))
    for index in range(len(values)):
        row, column, away = _cells_within(geobox, places, index, distance)
        there = _take(stack, np.full(len(row), places.epoch[index]), row, column)
        whole = np.flatnonzero(np.isfinite(there).all(axis=1))
        if whole.size:
            found[index], moved[index] = there[whole[0]], away[whole[0]]
    return found, moved


def _cells_within(geobox: GeoBox, places: _Places, index: int, distance: float) -> tuple[Index, Index, Float]:
    """Return cells whose centres lie within `distance` of a place, nearest first."""
    side = _cell_side(geobox, places, index)
    reach = min(_FARTHEST_CELLS, int(np.ceil(distance / side)) + 1)
    rows, columns = geobox.shape
    lattice = np.meshgrid(
        np.arange(max(0, places.row[index] - reach), min(rows, places.row[index] + reach + 1)),
        np.arange(max(0, places.column[index] - reach), min(columns, places.column[index] + reach + 1)),
    )
    row, column = (axis.ravel() for axis in lattice)
    longitude, latitude = lonlat_of(geobox, row + 0.5, column + 0.5)
    origin = np.full(row.shape, places.longitude[index]), np.full(row.shape, places.latitude[index])
    away = np.asarray(_GEOD.inv(*origin, longitude, latitude)[2])
    near = np.flatnonzero(away <= distance)
    near = near[np.lexsort((column[near], row[near], away[near]))]
    return row[near], column[near], away[near]


def _cell_side(geobox: GeoBox, places: _Places, index: int) -> float:
    row, column = places.row[index] + 0.5, places.column[index] + 0.5
    corners = np.array([row, row + 1, row]), np.array([column, column, column + 1])
    longitude, latitude = lonlat_of(geobox, *corners)
    sides = _GEOD.inv(longitude[[0, 0]], latitude[[0, 0]], longitude[1:], latitude[1:])[2]
    return float(min(sides))
