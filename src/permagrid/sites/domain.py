"""Points drawn from the map that is to be made, in proportion to area, with their covariates."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from permagrid.errors import PermagridError
from permagrid.grid import Float, chord, lonlat_of
from permagrid.sites.sample import sample_stack

SHARE = "share"
"""Attribute of drawn points: share of the map, by area, that has all covariates."""
_DRAWS = 60
"""Rounds of drawing, after which the points that were found must do."""


def draw_domain(stack: xr.Dataset, covariates: Sequence[str], n: int, *, seed: int = 0) -> pd.DataFrame:
    """Return points of the map, drawn at random in proportion to area.

    They stand for the whole map where distances from it to the sites are wanted (Linnenbrink et al. 2024,
    doi:10.5194/gmd-17-5897-2024), and where its covariates are compared with those of the sites.

    Parameters
    ----------
    stack
        Variables of dimensions ``(y, x)`` or ``(epoch, y, x)``; lazy or not.
    covariates
        Variables that a point must have.
    n
        Points to draw. A map with fewer cells that can be predicted gives each cell once.
    seed
        Seed of the draw.

    Returns
    -------
    pandas.DataFrame
        ``longitude`` and ``latitude`` of cell centres [degree], ``epoch`` where the stack has epochs, which
        take turns, and the covariates. Its attribute `SHARE` is the share of the map that has them all.

    Raises
    ------
    PermagridError
        If no cell has all covariates, or fewer than one point is asked for.
    """
    if n < 1:
        raise PermagridError(f"points of the map: at least 1 must be drawn, found {n}")
    geobox, generator = stack.odc.geobox, np.random.default_rng(seed)
    cells = int(np.prod(geobox.shape))
    epochs = [str(name) for name in stack["epoch"].values] if "epoch" in stack.dims else []
    largest = _largest_area(geobox, generator)
    seen = np.zeros(0, dtype=int)
    parts: list[pd.DataFrame] = []
    found = 0
    for _ in range(_DRAWS):
        drawn = generator.integers(0, cells, 4 * n)
        area = _areas(geobox, drawn)
        taken = drawn[generator.random(len(drawn)) < area / largest]
        taken = taken[np.sort(np.unique(taken, return_index=True)[1])]
        taken = taken[~np.isin(taken, seen)]
        seen = np.concatenate([seen, taken])
        points = _points(geobox, taken, epochs)
        sampled = sample_stack(stack[list(covariates)], points)
        whole = points.join(sampled[list(covariates)])[sampled["sampling_fault"] == ""]
        parts.append(whole)
        found += len(whole)
        if found >= n or len(seen) == cells:
            break
    if not found:
        raise PermagridError(
            f"points of the map: none of {len(seen)} cells that were drawn has all of {', '.join(covariates)}"
        )
    points = pd.concat(parts, ignore_index=True).iloc[:n]
    points.attrs[SHARE] = found / len(seen)
    return points


def _points(geobox: GeoBox, cells: NDArray[np.int_], epochs: Sequence[str]) -> pd.DataFrame:
    row, column = np.divmod(cells, geobox.shape[1])
    longitude, latitude = lonlat_of(geobox, row + 0.5, column + 0.5)
    points = pd.DataFrame({"longitude": longitude, "latitude": latitude})
    if epochs:
        # By the cell, so that the draw is the same whatever was drawn before.
        points["epoch"] = np.array(epochs)[cells % len(epochs)]
    return points


def _areas(geobox: GeoBox, cells: NDArray[np.int_]) -> Float:
    """Return areas of cells on the unit sphere; 0 for those that lie nowhere on the globe."""
    row, column = np.divmod(cells, geobox.shape[1])
    corners = [
        chord(*lonlat_of(geobox, row + down, column + right)) for down, right in ((0, 0), (1, 0), (0, 1))
    ]
    with np.errstate(invalid="ignore"):
        area = np.linalg.norm(np.cross(corners[1] - corners[0], corners[2] - corners[0]), axis=1)
    return np.asarray(np.nan_to_num(area, nan=0.0, posinf=0.0))


def _largest_area(geobox: GeoBox, generator: np.random.Generator) -> float:
    # A little more, as the largest of a sample is not the largest of all.
    drawn = generator.integers(0, int(np.prod(geobox.shape)), 20_000)
    return 1.05 * float(max(_areas(geobox, drawn).max(), 1e-30))
