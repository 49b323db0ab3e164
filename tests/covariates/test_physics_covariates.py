"""Process models as covariates: the formulas in every cell, in any unit, and their faults."""

import numpy as np
import pytest
from made_rasters import made, write_tif

from permagrid.covariates import COVARIATES, Covariate, build
from permagrid.covariates.traits import traits_of
from permagrid.errors import PermagridError
from permagrid.grid import make_geobox
from permagrid.physics import (
    LATENT_HEAT,
    Cover,
    Soil,
    Wave,
    active_layer_depth,
    amplitude_of_quarters,
    below_cover,
    degree_days,
    edaphic_depth,
    frost_number,
    permafrost_temperature,
    snow_n_factor,
    stefan_depth,
    ttop,
)

GRID = make_geobox("EPSG:3995", 50_000, bounds=(0, -500_000, 400_000, 0))
RANDOM = np.random.default_rng(4)
FIELDS = {
    "mean": ("degC", RANDOM.uniform(-16, 6, GRID.shape)),
    "kelvin": ("K", None),
    "swing": ("delta degC", RANDOM.uniform(8, 24, GRID.shape)),
    "frost": ("degC day", RANDOM.uniform(0, 5000, GRID.shape)),
    "thaw": ("degC day", RANDOM.uniform(0, 3000, GRID.shape)),
    "snow": ("cm", RANDOM.uniform(0, 90, GRID.shape)),
    "rain": ("mm", RANDOM.uniform(0, 200, GRID.shape)),
    "warm": ("degC", RANDOM.uniform(2, 16, GRID.shape)),
    "cold": ("degC", RANDOM.uniform(-35, -5, GRID.shape)),
    "water": ("%", RANDOM.uniform(5, 60, GRID.shape)),
}
FIELDS["kelvin"] = ("K", FIELDS["mean"][1] + 273.15)
OTHERS = tuple(Covariate(name, "raster", unit, {"path": f"{name}.tif"}) for name, (unit, _) in FIELDS.items())
V = {name: values.astype("float32").astype(float) for name, (_, values) in FIELDS.items()}
WAVE = {"air_temperature_input": "mean", "temperature_amplitude_input": "swing"}
INDICES = {"freezing_index_input": "frost", "thawing_index_input": "thaw"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("physics")
    for name, (_, values) in FIELDS.items():
        write_tif(path / f"{name}.tif", values.astype("float32"), GRID, nodata=-9999.0)
    return path


def values_of(folder, method, unit, keywords):
    return made(Covariate("x", method, unit, keywords), GRID, folder, *OTHERS).values


def below(snow):
    covered = below_cover(Wave(V["mean"], V["swing"]), winter=Cover(snow, 4e-7))
    return below_cover(covered, winter=Cover(0.05, 1.4e-6), summer=Cover(0.05, 1.2e-7))


CASES = {
    "frost number of indices": (
        "frost_number",
        "1",
        {**INDICES, "edaphic_factor": 1.3},
        lambda: frost_number(V["frost"], V["thaw"], edaphic=1.3),
    ),
    "frost number of a sinusoid": (
        "frost_number",
        "%",
        {"air_temperature_input": "kelvin", "temperature_amplitude_input": "swing"},
        lambda: 100.0 * frost_number(*degree_days(Wave(V["mean"], V["swing"]))),
    ),
    "one index of a sinusoid": (
        "frost_number",
        "1",
        {**WAVE, "freezing_index_input": "frost"},
        lambda: frost_number(V["frost"], degree_days(Wave(V["mean"], V["swing"])).thawing),
    ),
    "ttop below snow": (
        "ttop",
        "degC",
        {**INDICES, "snow_depth_input": "snow", "thawing_n_factor": 0.8, "offset": 0.5},
        lambda: (
            ttop(
                V["frost"],
                V["thaw"],
                freezing_n_factor=snow_n_factor(V["snow"] / 100.0, bare=0.7, deep=0.15, scale=0.3),
                thawing_n_factor=0.8,
                conductivity_ratio=0.8,
            )
            + 0.5
        ),
    ),
    "ttop in kelvin": (
        "ttop",
        "K",
        {**INDICES, "freezing_n_factor": 0.5, "conductivity_ratio": 0.6},
        lambda: (
            ttop(V["frost"], V["thaw"], freezing_n_factor=0.5, thawing_n_factor=0.9, conductivity_ratio=0.6)
            + 273.15
        ),
    ),
    "stefan by one factor": (
        "stefan_active_layer",
        "cm",
        {"thawing_index_input": "thaw", "edaphic_factor": 0.02},
        lambda: edaphic_depth(V["thaw"], edaphic=2.0),
    ),
    "stefan by heat and water": (
        "stefan_active_layer",
        "m",
        {"thawing_index_input": "thaw", "conductivity": 1.1, "water_content_input": "water"},
        lambda: stefan_depth(V["thaw"], conductivity=1.1, water_content=V["water"] / 100.0),
    ),
    "kudryavtsev's temperature": (
        "kudryavtsev_temperature",
        "degC",
        {**WAVE, "winter_precipitation_input": "rain", "snow_density": 200.0},
        lambda: permafrost_temperature(
            below(V["rain"] / 200.0), thawed_conductivity=0.8, frozen_conductivity=1.0
        ),
    ),
    "of two quarters": (
        "kudryavtsev_temperature",
        "degC",
        {
            "air_temperature_input": "mean",
            "warmest_quarter_input": "warm",
            "coldest_quarter_input": "cold",
            "vegetation_thickness": 0.0,
        },
        lambda: permafrost_temperature(
            Wave(V["mean"], amplitude_of_quarters(V["warm"], V["cold"])),
            thawed_conductivity=0.8,
            frozen_conductivity=1.0,
        ),
    ),
    "kudryavtsev's active layer": (
        "kudryavtsev_active_layer",
        "cm",
        {**WAVE, "snow_depth_input": "snow", "water_content": 0.25},
        lambda: (
            100.0
            * active_layer_depth(
                below(V["snow"] / 100.0),
                np.minimum(
                    permafrost_temperature(
                        below(V["snow"] / 100.0), thawed_conductivity=0.8, frozen_conductivity=1.0
                    ),
                    0.0,
                ),
                Soil(1.0, 1.25, 2.5e6, LATENT_HEAT * 0.25),
            )
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_formula_in_every_cell(folder, case):
    method, unit, keywords, expected = CASES[case]
    np.testing.assert_allclose(values_of(folder, method, unit, keywords), expected(), rtol=2e-6, atol=2e-6)


def test_a_cell_that_lacks_something_is_nodata(folder, tmp_path):
    hole = V["frost"].copy()
    hole[2, 3] = -9999.0
    write_tif(tmp_path / "frost.tif", hole.astype("float32"), GRID, nodata=-9999.0)
    write_tif(tmp_path / "thaw.tif", V["thaw"].astype("float32"), GRID)
    for method in ("frost_number", "ttop"):
        missing = np.isnan(values_of(tmp_path, method, "1" if method == "frost_number" else "degC", INDICES))
        assert np.argwhere(missing).tolist() == [[2, 3]]


WRONG = {
    "no climate": (
        "frost_number",
        {},
        "climate is missing; set freezing_index_input and thawing_index_input",
    ),
    "half a climate": ("ttop", {"freezing_index_input": "frost"}, "or air_temperature_input with"),
    "two amplitudes": ("ttop", {**WAVE, "warmest_quarter_input": "warm"}, "say the same; one of them"),
    "two snows": (
        "ttop",
        {**WAVE, "snow_depth_input": "snow", "winter_precipitation_input": "rain"},
        "both stand for snow",
    ),
    "a wild factor": (
        "ttop",
        {**WAVE, "thawing_n_factor": 7.0},
        "thawing_n_factor must be 0.2 to 1.8, found 7",
    ),
    "no amplitude": (
        "kudryavtsev_temperature",
        {"air_temperature_input": "mean"},
        "set air_temperature_input with temperature_amplitude_input",
    ),
    "no form": (
        "stefan_active_layer",
        {"thawing_index_input": "thaw"},
        "set edaphic_factor, or conductivity",
    ),
    "both forms": (
        "stefan_active_layer",
        {"thawing_index_input": "thaw", "edaphic_factor": 0.02, "conductivity": 1.0},
        "one form is allowed",
    ),
    "two waters": (
        "stefan_active_layer",
        {
            "thawing_index_input": "thaw",
            "conductivity": 1.0,
            "water_content": 0.3,
            "water_content_input": "water",
        },
        "water_content and water_content_input say the same",
    ),
    "a strange unit": (
        "frost_number",
        {"freezing_index_input": "mean", "thawing_index_input": "thaw"},
        "freezing_index_input mean: unit 'degC'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_fault_is_told_before_any_value_is_computed(folder, case):
    method, keywords, message = WRONG[case]
    unit = traits_of(method).unit
    everything = {one.name: one for one in (Covariate("x", method, unit, keywords), *OTHERS)}
    with pytest.raises(PermagridError, match=message) as error:
        build("x", everything, GRID, epoch=None, root=folder)
    assert "covariate x" in str(error.value)


def test_faults_of_keywords_are_told_without_building(folder):
    for method, keywords, message in WRONG.values():
        if "strange" not in message and "unit" not in message:
            settings = Covariate("x", method, "1", keywords).settings
            if not COVARIATES.faults(method, keywords):
                told = list(traits_of(method).faults(settings, ()))
                assert any(message.split(";")[0].split(",")[0] in each for each in told), told
