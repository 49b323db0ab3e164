"""Covariates that process models make of climate: frost number, TTOP, Stefan and Kudryavtsev."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.xr import xr_coords

from permagrid.covariates.table import COVARIATES, Request
from permagrid.covariates.traits import traits, traits_of
from permagrid.errors import PermagridError
from permagrid.physics.climate import READS, Climate
from permagrid.physics.laws import (
    RANGES,
    Law,
    Values,
    frost_number_law,
    in_range,
    kudryavtsev_depth_law,
    kudryavtsev_temperature_law,
    stefan_law,
    ttop_law,
)
from permagrid.units import conversion

Faults = Callable[[Mapping[str, Any], Sequence[Path]], Iterator[str]]


def _faults(model: str, *needs: str) -> Faults:
    """Return a function that yields what contradicts itself in the keywords of a model's covariate."""

    def found(settings: Mapping[str, Any], files: Sequence[Path] = ()) -> Iterator[str]:
        del files
        yield from _climate(settings).faults(needs=needs, suffix="_input")
        for name in RANGES[model]:
            fault = in_range(model, name, settings.get(name))
            if fault is not None:
                yield fault

    return found


def _stefan_faults(settings: Mapping[str, Any], files: Sequence[Path] = ()) -> Iterator[str]:
    yield from _faults("stefan", "thawing_index")(settings, files)
    water = settings["water_content"], settings["water_content_input"]
    if settings["edaphic_factor"] is None:
        if settings["conductivity"] is None or not any(each is not None for each in water):
            yield "set edaphic_factor, or conductivity with water_content or water_content_input"
    elif settings["conductivity"] is not None or any(each is not None for each in water):
        yield "edaphic_factor stands for conductivity and water_content; one form is allowed"
    if None not in water:
        yield "water_content and water_content_input say the same; one of them is allowed"


@COVARIATES.register
@traits(unit="1", rasters=False, faults=_faults("frost_number", "freezing_index", "thawing_index"))
def frost_number(
    request: Request,
    *,
    freezing_index_input: str | None = None,
    thawing_index_input: str | None = None,
    air_temperature_input: str | None = None,
    temperature_amplitude_input: str | None = None,
    warmest_quarter_input: str | None = None,
    coldest_quarter_input: str | None = None,
    edaphic_factor: float = RANGES["frost_number"]["edaphic_factor"].usual,
) -> xr.DataArray:
    """Return the frost number, 0 without frost to 1 without thaw; from 0.5 it says permafrost [1].

    ``sqrt(DDF) / (sqrt(DDF) + E sqrt(DDT))`` of the freezing and the thawing index (Nelson and Outcalt 1987,
    doi:10.2307/1551363).

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    freezing_index_input, thawing_index_input
        Covariates of the indices.
    air_temperature_input
        In place of an index: covariate of mean annual air temperature, which with
        `temperature_amplitude_input` or the two quarters tells the sinusoid of the year.
    temperature_amplitude_input
        Covariate of half the range of the year's temperature.
    warmest_quarter_input, coldest_quarter_input
        In its place: covariates of the mean temperature of these quarters, as BIO10 and BIO11.
    edaphic_factor
        Factor E of the ground, 0.2 to 5 [1].

    Raises
    ------
    PermagridError
        If the climate is not told or told twice, its units do not fit, or a number is out of its range.
    """
    return _made(request, frost_number_law)


@COVARIATES.register
@traits(unit="degC", rasters=False, faults=_faults("ttop", "freezing_index", "thawing_index"))
def ttop(  # noqa: PLR0913
    request: Request,
    *,
    freezing_index_input: str | None = None,
    thawing_index_input: str | None = None,
    air_temperature_input: str | None = None,
    temperature_amplitude_input: str | None = None,
    warmest_quarter_input: str | None = None,
    coldest_quarter_input: str | None = None,
    snow_depth_input: str | None = None,
    winter_precipitation_input: str | None = None,
    snow_density: float = RANGES["ttop"]["snow_density"].usual,
    freezing_n_factor: float = RANGES["ttop"]["freezing_n_factor"].usual,
    deep_snow_n_factor: float = RANGES["ttop"]["deep_snow_n_factor"].usual,
    snow_scale: float = RANGES["ttop"]["snow_scale"].usual,
    thawing_n_factor: float = RANGES["ttop"]["thawing_n_factor"].usual,
    conductivity_ratio: float = RANGES["ttop"]["conductivity_ratio"].usual,
    offset: float = 0.0,
) -> xr.DataArray:
    """Return the mean temperature at the top of permafrost, or below seasonal frost, by TTOP [degC].

    Smith and Riseborough (2002), doi:10.1002/ppp.410; the learner of this name calibrates its numbers.

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    freezing_index_input, thawing_index_input
        Covariates of the indices of the air.
    air_temperature_input, temperature_amplitude_input, warmest_quarter_input, coldest_quarter_input
        Covariates of the year's sinusoid in place of an index, as of `frost_number`.
    snow_depth_input
        Covariate of the mean depth of the winter's snow: the freezing n-factor then falls with it.
    winter_precipitation_input
        In its place: covariate of precipitation that lies as snow.
    snow_density
        What such snow weighs, 50 to 600 [kg m-3].
    freezing_n_factor
        Freezing n-factor, of bare ground where there is a covariate of snow, 0.02 to 1.2 [1].
    deep_snow_n_factor
        With snow: freezing n-factor under deep snow, 0.02 to 0.6 [1].
    snow_scale
        With snow: depth at which the factor has gone 63 % of the way, 0.02 to 3 [m].
    thawing_n_factor
        Thawing n-factor, 0.2 to 1.8 [1].
    conductivity_ratio
        Thermal conductivity of thawed over that of frozen ground, 0.3 to 1.2 [1].
    offset
        What is added to the temperature, -5 to 5 [delta degC].

    Raises
    ------
    PermagridError
        As `frost_number`.
    """
    return _made(request, ttop_law)


@COVARIATES.register
@traits(unit="m", rasters=False, faults=_stefan_faults)
def stefan_active_layer(  # noqa: PLR0913
    request: Request,
    *,
    thawing_index_input: str | None = None,
    air_temperature_input: str | None = None,
    temperature_amplitude_input: str | None = None,
    warmest_quarter_input: str | None = None,
    coldest_quarter_input: str | None = None,
    edaphic_factor: float | None = None,
    conductivity: float | None = None,
    water_content: float | None = None,
    water_content_input: str | None = None,
    thawing_n_factor: float = 1.0,
) -> xr.DataArray:
    """Return the depth of thaw by the Stefan equation [m].

    ``E sqrt(DDT)``, or ``sqrt(2 k nt DDT 86400 / (L w))`` of conductivity k and volumetric water content w
    (Nelson et al. 1997, doi:10.2307/1551985).

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    thawing_index_input
        Covariate of the thawing index of the air.
    air_temperature_input, temperature_amplitude_input, warmest_quarter_input, coldest_quarter_input
        Covariates of the year's sinusoid in its place, as of `frost_number`.
    edaphic_factor
        E, 0.002 to 0.3 [m (degC day)-0.5].
    conductivity
        In its place: thermal conductivity of thawed ground, 0.05 to 4 [W m-1 K-1].
    water_content
        With `conductivity`: share of the ground's volume that freezes and thaws, 0.01 to 0.95 [1].
    water_content_input
        Covariate of it.
    thawing_n_factor
        With `conductivity`: thawing index of the surface over that of the air, 0.2 to 1.8 [1].

    Raises
    ------
    PermagridError
        As `frost_number`, or if both forms are given, or none.
    """
    return _made(request, stefan_law)


@COVARIATES.register
@traits(unit="degC", rasters=False, faults=_faults("kudryavtsev", "wave"))
def kudryavtsev_temperature(  # noqa: PLR0913
    request: Request,
    *,
    air_temperature_input: str,
    temperature_amplitude_input: str | None = None,
    warmest_quarter_input: str | None = None,
    coldest_quarter_input: str | None = None,
    snow_depth_input: str | None = None,
    winter_precipitation_input: str | None = None,
    snow_density: float = RANGES["kudryavtsev"]["snow_density"].usual,
    snow_diffusivity: float = RANGES["kudryavtsev"]["snow_diffusivity"].usual,
    vegetation_thickness: float = RANGES["kudryavtsev"]["vegetation_thickness"].usual,
    frozen_vegetation_diffusivity: float = RANGES["kudryavtsev"]["frozen_vegetation_diffusivity"].usual,
    thawed_vegetation_diffusivity: float = RANGES["kudryavtsev"]["thawed_vegetation_diffusivity"].usual,
    conductivity_ratio: float = RANGES["kudryavtsev"]["conductivity_ratio"].usual,
    offset: float = 0.0,
) -> xr.DataArray:
    """Return the mean temperature at the top of permafrost by Kudryavtsev's model [degC].

    The year's sinusoid goes through snow and vegetation into the ground (Romanovsky and Osterkamp 1997,
    Permafrost and Periglacial Processes 8, 1-22).

    Parameters
    ----------
    request
        Grid, epoch and root folder.
    air_temperature_input
        Covariate of mean annual air temperature.
    temperature_amplitude_input
        Covariate of half the range of the year's temperature.
    warmest_quarter_input, coldest_quarter_input
        In its place: covariates of the mean temperature of these quarters, as BIO10 and BIO11.
    snow_depth_input
        Covariate of the mean depth of the winter's snow; no snow if left out.
    winter_precipitation_input
        In its place: covariate of precipitation that lies as snow.
    snow_density
        What such snow weighs, 50 to 600 [kg m-3].
    snow_diffusivity
        Thermal diffusivity of snow, 1e-8 to 5e-6 [m2 s-1].
    vegetation_thickness
        Thickness of moss and litter, 0 to 1 [m].
    frozen_vegetation_diffusivity, thawed_vegetation_diffusivity
        Their thermal diffusivities in winter and summer, 1e-8 to 5e-6 [m2 s-1].
    conductivity_ratio
        Thermal conductivity of thawed over that of frozen ground, 0.3 to 1.2 [1].
    offset
        What is added to the temperature, -5 to 5 [delta degC].

    Raises
    ------
    PermagridError
        As `frost_number`.
    """
    return _made(request, kudryavtsev_temperature_law)


@COVARIATES.register
@traits(unit="m", rasters=False, faults=_faults("kudryavtsev", "wave"))
def kudryavtsev_active_layer(  # noqa: PLR0913
    request: Request,
    *,
    air_temperature_input: str,
    temperature_amplitude_input: str | None = None,
    warmest_quarter_input: str | None = None,
    coldest_quarter_input: str | None = None,
    snow_depth_input: str | None = None,
    winter_precipitation_input: str | None = None,
    snow_density: float = RANGES["kudryavtsev"]["snow_density"].usual,
    snow_diffusivity: float = RANGES["kudryavtsev"]["snow_diffusivity"].usual,
    vegetation_thickness: float = RANGES["kudryavtsev"]["vegetation_thickness"].usual,
    frozen_vegetation_diffusivity: float = RANGES["kudryavtsev"]["frozen_vegetation_diffusivity"].usual,
    thawed_vegetation_diffusivity: float = RANGES["kudryavtsev"]["thawed_vegetation_diffusivity"].usual,
    conductivity_ratio: float = RANGES["kudryavtsev"]["conductivity_ratio"].usual,
    thawed_conductivity: float = RANGES["kudryavtsev"]["thawed_conductivity"].usual,
    water_content: float = RANGES["kudryavtsev"]["water_content"].usual,
    heat_capacity: float = RANGES["kudryavtsev"]["heat_capacity"].usual,
    offset: float = 0.0,
) -> xr.DataArray:
    """Return the thickness of the active layer by Kudryavtsev's model [m].

    Where the model finds no permafrost it is that of ground at 0 °C.

    Parameters and errors as `kudryavtsev_temperature`.

    Parameters
    ----------
    thawed_conductivity
        Thermal conductivity of thawed ground, 0.05 to 4 [W m-1 K-1].
    water_content
        Share of the ground's volume that freezes and thaws, 0.01 to 0.95 [1].
    heat_capacity
        Heat capacity of thawed ground, 5e5 to 5e6 [J m-3 K-1].
    """
    return _made(request, kudryavtsev_depth_law)


def _climate(settings: Mapping[str, Any]) -> Climate:
    known = {name: settings.get(f"{name}_input") for name in Climate.__dataclass_fields__}
    return Climate(**known)


def _made(request: Request, law: Law) -> xr.DataArray:
    """Return what a law makes of the covariates and numbers that the keywords of a covariate name."""
    covariate, box = request.covariate, request.geobox
    settings = covariate.settings
    faults = traits_of(covariate.method).faults
    for fault in faults(settings, ()) if faults is not None else ():
        raise PermagridError(f"covariate {covariate.name}: {fault}")
    names = [name for name in READS if settings.get(f"{name}_input") is not None]
    layers, conversions = [], []
    for name in names:
        other = settings[f"{name}_input"]
        layers.append(request.build(other, box).data)
        try:
            conversions.append(conversion(request.others[other].unit, READS[name]))
        except PermagridError as error:
            raise PermagridError(f"covariate {covariate.name}: {name}_input {other}: {error}") from error
    values = {
        name: value
        for name, value in settings.items()
        if isinstance(value, int | float) and not name.endswith("_input")
    }
    one = partial(_said, law=law, names=names, conversions=conversions, values=values)
    data = da.map_blocks(one, *layers, dtype="float32", meta=np.empty((0, 0), dtype="float32"))
    return xr.DataArray(data, coords=xr_coords(box), dims=box.dimensions)


def _said(
    *layers: NDArray[np.float32],
    law: Law,
    names: Sequence[str],
    conversions: Sequence[tuple[float, float]],
    values: Values,
) -> NDArray[np.float32]:
    columns = {
        name: layer.astype(float) * factor + offset
        for name, layer, (factor, offset) in zip(names, layers, conversions, strict=True)
    }
    # A cell that lacks one is nodata, whatever a formula makes of it.
    lacks = np.zeros(layers[0].shape, dtype=bool)
    for column in columns.values():
        lacks |= np.isnan(column)
    with np.errstate(invalid="ignore"):
        said = np.asarray(law(columns, values))
    return np.where(lacks | ~np.isfinite(said), np.nan, said).astype("float32")
