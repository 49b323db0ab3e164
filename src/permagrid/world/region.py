"""A virtual region on any grid: covariates and truth as a dataset, from one seed."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from permagrid.errors import PermagridError, did_you_mean
from permagrid.world.climate import (
    EPOCHS,
    air_temperature,
    bioclimate,
    climate,
    epoch_years,
    freezing_index,
    thawing_index,
)
from permagrid.world.drainage import drain
from permagrid.world.noise import Array, Places, places_of
from permagrid.world.surface import CLASS_NODATA, GEOLOGY, snow_depth, surface
from permagrid.world.terrain import Terrain, terrain
from permagrid.world.truth import Truth, ground, truth

VARIABLES: dict[str, tuple[str, str]] = {
    "elevation": ("m", "height above the sea"),
    "air_temperature": ("degC", "monthly mean air temperature"),
    "precipitation": ("mm", "monthly precipitation"),
    "bio1": ("degC", "annual mean air temperature"),
    "bio4": ("K", "seasonality of the air temperature, standard deviation times 100"),
    "bio5": ("degC", "air temperature of the warmest month"),
    "bio6": ("degC", "air temperature of the coldest month"),
    "bio7": ("K", "annual range of the air temperature"),
    "bio10": ("degC", "air temperature of the warmest quarter"),
    "bio11": ("degC", "air temperature of the coldest quarter"),
    "bio12": ("mm", "annual precipitation"),
    "freezing_index": ("K d", "freezing degree-days of the air"),
    "thawing_index": ("K d", "thawing degree-days of the air"),
    "snow_depth": ("m", "mean depth of the winter's snow"),
    "ndvi": ("1", "normalised difference vegetation index in summer"),
    "soil_sand": ("%", "sand in the fine earth"),
    "soil_silt": ("%", "silt in the fine earth"),
    "soil_clay": ("%", "clay in the fine earth"),
    "soil_organic_carbon": ("%", "organic carbon in the topsoil"),
    "geology": ("1", "surficial geology"),
    "palaeo_temperature": ("degC", "annual mean air temperature at the Last Glacial Maximum"),
    "flow_accumulation": ("1", "cells that drain through a cell, itself included"),
    "truth_mean_annual_ground_surface_temperature": ("degC", "mean annual ground surface temperature"),
    "truth_mean_annual_ground_temperature": ("degC", "mean annual ground temperature at 10 m depth"),
    "truth_active_layer_thickness": ("cm", "active-layer thickness, missing without permafrost"),
    "truth_permafrost_presence": ("1", "permafrost, 1 where the ground temperature is at most 0 degC"),
    "truth_volumetric_ice_content": ("%", "volumetric ice content of the upper permafrost"),
}
"""Variable -> unit and long name."""

CLASSES: dict[str, dict[int, str]] = {
    "geology": GEOLOGY,
    "truth_permafrost_presence": {0: "no_permafrost", 1: "permafrost"},
}
"""Class variable -> code -> label."""

COVARIATES = (
    *(
        "elevation",
        "bio1",
        "bio4",
        "bio10",
        "bio11",
        "bio12",
        "freezing_index",
        "thawing_index",
        "snow_depth",
    ),
    *("ndvi", "soil_sand", "soil_silt", "soil_clay", "soil_organic_carbon", "geology", "palaeo_temperature"),
)
"""What `world_covariates` gives unless told otherwise."""

_BLOCK = 200_000  # cells that are worked on at a time: a few tens of MB

Layer = tuple[str, int | None, Array]
"""A variable, the place of its epoch (none when it has no epochs), and its values."""


def make_world(geobox: GeoBox, *, seed: int = 0, epochs: Sequence[str] = EPOCHS) -> xr.Dataset:
    """Return a virtual permafrost region: drained terrain, covariates, and the truth.

    Parameters
    ----------
    geobox
        Grid, in any CRS. Fields are evaluated from coordinates, so any two grids show the same world;
        only rivers depend on the grid, as cutting them takes whole catchments.
    seed
        What the world is made from, 0 or more.
    epochs
        Periods written as first and last year, such as `1980-1984`.

    Returns
    -------
    xarray.Dataset
        Dimensions ``epoch``, ``month`` and the grid's own. `VARIABLES` but bio5-bio7, each with ``units``
        and ``long_name``; ``truth_*`` is the truth. The sea is NaN, in classes ``_FillValue``.

    Raises
    ------
    PermagridError
        If the seed is negative, the grid has no CRS, or an epoch cannot be read or is given twice.

    Examples
    --------
    >>> from permagrid.world import default_geobox
    >>> world = make_world(default_geobox(30, 50_000.0), seed=1, epochs=["1980-1984", "2015-2019"])
    >>> magt = world["truth_mean_annual_ground_temperature"].mean(("y", "x"))
    >>> bool(magt[1] > magt[0])
    True
    """
    periods = _periods(epochs)
    places = places_of(geobox)
    lie = terrain(places, seed=seed)
    drained = drain(lie.elevation, lie.land)
    lie = lie._replace(elevation=drained.elevation)
    names = [name for name in VARIABLES if name not in ("bio5", "bio6", "bio7", "flow_accumulation")]
    world = _empty(geobox, names, tuple(epochs), seed)
    for name, epoch, values in layers(places, lie, periods, seed=seed):
        if name in world:
            _put(world[name].values, epoch, values, lie.land, slice(None))
    area = np.where(lie.land, drained.area, np.nan).astype(np.float32)
    world["flow_accumulation"] = (geobox.dimensions, area, _attributes("flow_accumulation"))
    return world


def world_covariates(
    geobox: GeoBox, *, seed: int = 0, epochs: Sequence[str] = EPOCHS[-1:], names: Sequence[str] | None = None
) -> xr.Dataset:
    """Return covariates only, in blocks: what 16 million cells need is little more than the result.

    Parameters
    ----------
    geobox
        Grid, in any CRS; a tile of a grid gives the same bits as the whole grid. The terrain is that
        before rivers are cut, so it differs a little from `make_world`'s.
    seed
        What the world is made from, 0 or more.
    epochs
        Periods written as first and last year, such as `1980-1984`.
    names
        Variables, of `VARIABLES` without truth; `COVARIATES` unless told otherwise.

    Returns
    -------
    xarray.Dataset
        As of `make_world`.

    Raises
    ------
    PermagridError
        If a name is unknown, or as of `make_world`.

    Examples
    --------
    >>> from permagrid.world import default_geobox
    >>> list(world_covariates(default_geobox(10, 50_000.0), seed=1, names=["ndvi"]).data_vars)
    ['ndvi']
    """
    names = COVARIATES if names is None else names
    known = [name for name in VARIABLES if not name.startswith("truth_") and name != "flow_accumulation"]
    for name in names:
        if name not in known:
            raise PermagridError(
                f"unknown covariate {name!r} of a virtual world: {did_you_mean(name, known)}"
            )
    periods = _periods(epochs)
    world = _empty(geobox, names, tuple(epochs), seed)
    height, width = geobox.shape
    step = max(1, _BLOCK // width)
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        places = places_of(geobox[rows, :])
        lie = terrain(places, seed=seed)
        for name, epoch, values in layers(places, lie, periods, seed=seed, with_truth=False):
            if name in world:
                _put(world[name].values, epoch, values, lie.land, rows)
    return world


def layers(
    places: Places, lie: Terrain, periods: Sequence[range], *, seed: int, with_truth: bool = True
) -> Iterator[Layer]:
    """Yield every variable of a world at some places, unmasked, one epoch after the other."""
    weather = climate(places, lie.elevation, lie.continentality, seed=seed)
    cover = surface(places, lie, weather, seed=seed)
    yield "elevation", None, lie.elevation
    yield "precipitation", None, weather.precipitation
    yield "ndvi", None, cover.ndvi
    yield "soil_sand", None, cover.sand
    yield "soil_silt", None, cover.silt
    yield "soil_clay", None, cover.clay
    yield "soil_organic_carbon", None, cover.organic
    yield "geology", None, cover.geology.astype(np.float64)
    yield "palaeo_temperature", None, cover.palaeo
    below = ground(places, cover, seed=seed) if with_truth else None
    for epoch, years in enumerate(periods):
        temperature = air_temperature(weather, years, seed=seed)
        freezing, thawing = freezing_index(temperature), thawing_index(temperature)
        snow = snow_depth(temperature, weather.precipitation, cover.drift)
        yield "air_temperature", epoch, temperature
        yield "freezing_index", epoch, freezing
        yield "thawing_index", epoch, thawing
        yield "snow_depth", epoch, snow
        for name, values in bioclimate(temperature, weather.precipitation).items():
            yield name, None if name == "bio12" else epoch, values
        if below is not None:
            yield from _truth_layers(epoch, truth(freezing, thawing, snow, cover, below))


def _truth_layers(epoch: int, state: Truth) -> Iterator[Layer]:
    yield "truth_mean_annual_ground_surface_temperature", epoch, state.surface_temperature
    yield "truth_mean_annual_ground_temperature", epoch, state.temperature
    yield "truth_active_layer_thickness", epoch, state.active_layer
    yield "truth_permafrost_presence", epoch, state.presence.astype(np.float64)
    yield "truth_volumetric_ice_content", epoch, state.ice


def _periods(epochs: Sequence[str]) -> list[range]:
    if isinstance(epochs, str) or not len(epochs) or len(set(epochs)) < len(epochs):
        raise PermagridError(f"epochs must be a list of one or more different periods, found {epochs!r}")
    return [epoch_years(epoch) for epoch in epochs]


def dimensions(name: str, grid: tuple[str, ...]) -> tuple[str, ...]:
    """Return the dimensions of a variable on a grid with the dimensions `grid`.

    Examples
    --------
    >>> dimensions("air_temperature", ("y", "x"))
    ('epoch', 'month', 'y', 'x')
    """
    monthly = ("month",) if name in ("air_temperature", "precipitation") else ()
    steady = ("elevation", "precipitation", "ndvi", "geology", "palaeo_temperature", "bio12")
    slow = name in steady or name.startswith("soil_")
    return (*(() if slow else ("epoch",)), *monthly, *grid)


def _empty(geobox: GeoBox, names: Sequence[str], epochs: tuple[str, ...], seed: int) -> xr.Dataset:
    """Return a dataset of nodata on a grid."""
    grid = tuple(geobox.dimensions)
    coordinates = {**xr_coords(geobox), "epoch": np.array(epochs), "month": np.arange(1, 13)}
    sizes = {"epoch": len(epochs), "month": 12, **dict(zip(grid, geobox.shape, strict=True))}
    variables = {}
    for name in names:
        dims = dimensions(name, grid)
        fill, dtype = (CLASS_NODATA, np.uint8) if name in CLASSES else (np.nan, np.float32)
        values: npt.NDArray[np.generic] = np.full([sizes[d] for d in dims], fill, dtype=dtype)
        variables[name] = (dims, values, _attributes(name))
    used = {d for dims, _, _ in variables.values() for d in dims}
    kept = {name: c for name, c in coordinates.items() if name in used or name not in ("epoch", "month")}
    world = xr.Dataset(variables, kept, {"title": "permagrid virtual world", "seed": seed})
    for name in names:
        world[name].encoding["grid_mapping"] = "spatial_ref"
    return world


def _attributes(name: str) -> dict[str, object]:
    units, long_name = VARIABLES[name]
    attributes: dict[str, object] = {"units": units, "long_name": long_name}
    if name in CLASSES:
        attributes["flag_values"] = np.array(list(CLASSES[name]), dtype=np.uint8)
        attributes["flag_meanings"] = " ".join(CLASSES[name].values())
        attributes["_FillValue"] = np.uint8(CLASS_NODATA)
    return attributes


def _put(
    target: npt.NDArray[np.generic],
    epoch: int | None,
    values: Array,
    land: npt.NDArray[np.bool_],
    rows: slice,
) -> None:
    """Write values on land into a variable; the sea keeps its nodata."""
    part = target[..., rows, :] if epoch is None else target[epoch][..., rows, :]
    np.copyto(part, values, where=land, casting="unsafe")
