"""Step: totals that finished maps tell by themselves: of the truth, and thresholds that keep an area."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window as RasterWindow

from permagrid.covariates import at_epoch
from permagrid.errors import PermagridError
from permagrid.grid import Window, blocks
from permagrid.inventory import ALL, AreaMatch, MemberTotals, cell_areas
from permagrid.steps.layers import Map
from permagrid.steps.maps import PROBABILITY
from permagrid.steps.tallies import Tally, Worlds
from permagrid.study import Study

Float = NDArray[np.float64]
Plain = dict[str, Any]

_BLOCK = 1024


def area_thresholds(maps: Sequence[Map], geobox: GeoBox) -> list[Plain]:
    """Return the probability from which on a map of presence has the area that is to be expected."""
    found = []
    for made in maps:
        if made.variable != PROBABILITY:
            continue
        match = AreaMatch()
        with rasterio.open(made.path) as raster:
            for window in _windows(geobox):
                match.add(_read(raster, window).ravel(), cell_areas(geobox, window).ravel())
        found.append({"epoch": made.epoch, "threshold": match.threshold()})
    return found


def true_totals(
    study: Study, tally: Tally, maps: Sequence[Map], stack: xr.Dataset, root: Path
) -> list[Plain]:
    """Return what a tally would have counted of the true maps of a virtual world, in the cells mapped.

    Parameters
    ----------
    study, tally
        The study, and what was counted of its members.
    maps, stack
        Finished maps, and the covariates, for the fraction of a cell whose ice is counted.
    root
        Folder from which the study's paths start.

    Raises
    ------
    PermagridError
        If a true map lies on another grid.
    """
    if study.truth is None:
        return []
    found: list[Plain] = []
    for made in maps:
        if made.variable == study.target.variable:
            path = root / study.truth.path.replace("{epoch}", made.epoch)
            totals = _true_totals(study, tally, made, path, at_epoch(stack, made.epoch))
            found += [
                {"quantity": name, "epoch": made.epoch, "region": ALL, "value": float(each.of()[0])}
                for name, each in totals.items()
            ]
    return found


def _true_totals(
    study: Study, tally: Tally, made: Map, path: Path, stack: xr.Dataset
) -> dict[str, MemberTotals]:
    geobox = stack.odc.geobox
    storage = study.inventory.storage if study.inventory else None
    share = stack[storage.presence] if storage and storage.presence else None
    counted = Tally(tally.storage, tally.threshold, tally.counts_permafrost, (), 1)
    with rasterio.open(made.path) as mapped, rasterio.open(path) as truth:
        if mapped.shape != truth.shape:
            raise PermagridError(f"{path}: the truth has {truth.shape} cells and the map {mapped.shape}")
        for window in _windows(geobox):
            real = _read(truth, window)
            held = np.isfinite(_read(mapped, window)) & np.isfinite(real)
            presence = None
            if share is not None:
                presence = np.asarray(share.data[window].compute(), dtype=float)
                held &= np.isfinite(presence)
                presence = presence[held]
            worlds = Worlds(real[held][:, np.newaxis].astype(np.float32), None)
            counted.add(made.epoch, worlds, cell_areas(geobox, window)[held], presence, None)
    return {name: totals for (name, _), totals in counted.totals.items()}


def _windows(geobox: GeoBox) -> Iterator[Window]:
    return blocks((int(geobox.shape[0]), int(geobox.shape[1])), _BLOCK)


def _read(raster: Any, window: Window) -> Float:
    values = raster.read(1, window=RasterWindow.from_slices(*window), masked=True)
    return np.asarray(np.ma.filled(values.astype(float), np.nan))
