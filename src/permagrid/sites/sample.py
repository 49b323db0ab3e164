"""Values of a covariate stack at points: by cell, bilinearly, or from the nearest valid cell."""

from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Geod

from permagrid.errors import PermagridError
from permagrid.grid import Float, cells_of, is_global, lonlat_of

Rule = Literal["cell", "bilinear", "nearest"]
Index = NDArray[np.int_]

OUTSIDE, NODATA = "outside the grid", "nodata"

_FIRST_REACH = 2
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
        If a point's epoch is not in the stack, or the distance is no length.
    """
    if not 0 <= distance < np.inf:
        raise PermagridError(f"sampling: distance is a length of at least 0 m, found {distance}")
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
    if "epoch" not in points:
        raise PermagridError("sampling: the stack has epochs, so the points need a column epoch")
    strange = sorted({str(name) for name in points["epoch"].unique()} - set(known))
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
    geobox = stack.odc.geobox
    rows, columns = geobox.shape
    row, column = np.where(np.isfinite(row), row, 0.0), np.where(np.isfinite(column), column, 0.0)
    top, left = np.floor(row - 0.5), np.floor(column - 0.5)
    down, across = row - 0.5 - top, column - 0.5 - left
    total, weight = np.zeros_like(own), np.zeros_like(own)
    for d_row, d_column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = (down if d_row else 1.0 - down) * (across if d_column else 1.0 - across)
        r, c = top + d_row, left + d_column
        c = np.mod(c, columns) if is_global(geobox) else np.clip(c, 0, columns - 1)
        value = _take(stack, epoch, np.clip(r, 0, rows - 1).astype(int), c.astype(int))
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
        sides = _cell_sides(geobox, places, index)
        searched = _FIRST_REACH * max(sides)
        while True:
            reach = _reach(geobox, float(places.latitude[index]), sides, min(searched, distance))
            row, column, away = _cells_within(geobox, places, index, reach, distance)
            there = _window_values(stack, int(places.epoch[index]), row, column)
            whole = np.flatnonzero(np.isfinite(there).all(axis=1))
            # A cell that was not looked at may be nearer than one found beyond the radius searched.
            if whole.size and away[whole[0]] <= min(searched, distance):
                found[index], moved[index] = there[whole[0]], away[whole[0]]
                break
            if searched >= distance:
                break
            searched *= 2
    return found, moved


def _reach(geobox: GeoBox, latitude: float, sides: tuple[float, float], radius: float) -> tuple[int, int]:
    """Return how many rows and columns away the cells may lie whose centres are within a radius [m]."""
    # A tenth more, as the scale of a projection changes; a cell more, as a point is not at its cell's centre.
    rows, columns = (int(np.ceil(1.1 * radius / max(side, 1e-9))) + 1 for side in sides)
    if geobox.crs.geographic:
        # Meridians meet: as far as the circle reaches in longitude, or all the way round the pole.
        angle = np.sin(min(1.01 * radius / _GEOD.b, np.pi / 2)) / max(np.cos(np.radians(latitude)), 1e-12)
        turn = np.degrees(np.arcsin(angle)) if angle < 1 else 180.0
        columns = int(np.ceil(turn / abs(geobox.affine.a))) + 1
    return min(rows, geobox.shape[0]), min(columns, geobox.shape[1])


def _cells_within(
    geobox: GeoBox, places: _Places, index: int, reach: tuple[int, int], distance: float
) -> tuple[Index, Index, Float]:
    """Return cells whose centres lie within `distance` of a place, nearest first."""
    row, column = (
        np.arange(at - far, at + far + 1)
        for at, far in zip((places.row[index], places.column[index]), reach, strict=True)
    )
    row = row[(row >= 0) & (row < geobox.shape[0])]
    around = is_global(geobox)
    column = np.unique(column % geobox.shape[1]) if around else column
    column = column[(column >= 0) & (column < geobox.shape[1])]
    row, column = (axis.ravel() for axis in np.meshgrid(row, column))
    longitude, latitude = lonlat_of(geobox, row + 0.5, column + 0.5)
    origin = np.full(row.shape, places.longitude[index]), np.full(row.shape, places.latitude[index])
    somewhere = np.isfinite(longitude) & np.isfinite(latitude)
    away = np.full(row.shape, np.inf)
    away[somewhere] = _GEOD.inv(
        origin[0][somewhere], origin[1][somewhere], longitude[somewhere], latitude[somewhere]
    )[2]
    near = np.flatnonzero(away <= distance)
    near = near[np.lexsort((column[near], row[near], away[near]))]
    return row[near], column[near], away[near]


def _window_values(stack: xr.Dataset, epoch: int, row: Index, column: Index) -> Float:
    """Return values at cells near each other, shape ``(n, variables)``, by reading the window they span."""
    out = np.empty((len(row), len(stack.data_vars)))
    if not len(row):
        return out
    y, x = stack.odc.spatial_dims
    top, left = row.min(), column.min()
    window = {y: slice(top, row.max() + 1), x: slice(left, column.max() + 1)}
    for index, name in enumerate(stack.data_vars):
        variable = stack[name].variable
        variable = variable.isel(epoch=epoch) if "epoch" in variable.dims else variable
        out[:, index] = variable.isel(window).values[row - top, column - left]
    return out


def _cell_sides(geobox: GeoBox, places: _Places, index: int) -> tuple[float, float]:
    """Return the length of a step down and of a step to the right [m]."""
    row, column = places.row[index] + 0.5, places.column[index] + 0.5
    corners = np.array([row, row + 1, row]), np.array([column, column, column + 1])
    longitude, latitude = lonlat_of(geobox, *corners)
    sides = _GEOD.inv(longitude[[0, 0]], latitude[[0, 0]], longitude[1:], latitude[1:])[2]
    return float(sides[0]), float(sides[1])
