"""What the check of a study says of climate covariates before a run; a sound study with them runs."""

import json
import shutil

import numpy as np
import pytest
from made_months import COARSE, YEAR, write_months, write_series

from command_line import call, made_up_study, write_data, write_study
from permagrid import check_study
from permagrid.study import parse_study

YEARS = "2000-2009"
RAIN = {
    "name": "rain",
    "method": "annual_precipitation",
    "path": "rain.nc",
    "stored_unit": "m/day",
    "years": YEARS,
}
COLD_RAIN = {
    **RAIN,
    "name": "cold_rain",
    "method": "snow_season_precipitation",
    "temperature_path": "warm.nc",
}
WARM = {"name": "warm", "method": "mean_annual_air_temperature", "path": "warm.nc", "years": YEARS}
SNOW = {
    "name": "snow",
    "method": "snow_cover_days",
    "path": "snow_{year}.nc",
    "snow": [200],
    "unknown": [50],
    "years": YEARS,
}
DOWN = {
    "name": "down",
    "method": "lapse_rate_downscaling",
    "temperature_input": "warm",
    "coarse_elevation_input": "coarse",
    "lapse_rate": "local",
    "window_radius": 3_000_000.0,
    "fallback": -0.0065,
}
COARSE_LAYER = {"name": "coarse", "path": "coarse.nc", "unit": "m"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("climate")
    write_data(tmp_path)
    random = np.random.default_rng(1)
    write_months(
        tmp_path / "warm.nc", np.tile(YEAR, 11) + np.repeat(np.arange(11) / 10, 12), "1999-01", unit="degC"
    )
    write_months(tmp_path / "rain.nc", np.full(132, 0.001), "1999-01", unit="m")
    write_series(tmp_path / "coarse.nc", random.uniform(0, 2000, (1, *COARSE.shape)), [0])
    for year in range(1999, 2010):
        codes = np.where(np.arange(365) % 2 == 0, 200, 25)
        write_series(tmp_path / f"snow_{year}.nc", codes, np.arange(365), units=f"days since {year}-01-01")
    return tmp_path


def _said(folder, *parts, epochs=None):
    study = made_up_study()
    study["covariates"] += [dict(part) for part in parts]
    if epochs is not None:
        study["epochs"] = epochs
        study["covariates"][0] |= {"path": "air_2000-2004.tif", "static": True}
    return [finding.message for finding in check_study(parse_study(study), folder)]


def test_a_sound_study_has_no_fault(folder):
    assert _said(folder, RAIN, COLD_RAIN, WARM, SNOW, COARSE_LAYER, DOWN) == []


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (
            {**RAIN, "stored_unit": None},
            "gives its unit as 'm', not 'mm'; set stored_unit: m, or m/day if it is",
        ),
        ({**RAIN, "stored_unit": "K"}, "unit 'K' (temperature) cannot be turned into 'mm' (length)"),
        ({**RAIN, "stored_unit": "km/day"}, "unknown unit 'km/day'"),
        ({**RAIN, "unit": "degC"}, "unit 'mm' (length) cannot be turned into 'degC'"),
        ({**COLD_RAIN, "temperature_unit": "mm"}, "temperature_unit: unit 'mm' (length) cannot be turned"),
        ({**WARM, "stored_unit": "K"}, "do not fit unit 'degC'"),
        ({**WARM, "window": 4}, "window must be an odd number"),
        ({**WARM, "minimum_years": 0}, "minimum_years must be 1 or more; found 0"),
        ({**WARM, "path": "warm{m}.nc"}, "no such file"),
        ({**WARM, "path": "warm_{year}-{month}.nc"}, "no such file"),
        ({**WARM, "path": "warm_{month}.nc", "window": 9}, "no such file"),
        (
            {
                "name": "s",
                "method": "summer_precipitation",
                "path": "rain.nc",
                "stored_unit": "m/day",
                "months": [6, 8],
            },
            "months must be some of 1 to 12 that follow one another",
        ),
        ({**SNOW, "snow": None}, "needs either snow, the codes of snow, or minimum"),
        ({**SNOW, "window": 4}, "window must be an odd number"),
        ({**SNOW, "minimum_days": 0}, "minimum_days must be 1 to 365"),
        ({**SNOW, "path": "A{year}{day}.tif"}, "no such file"),
        ({**DOWN, "window_radius": None}, "lapse_rate: local needs window_radius"),
        ({**DOWN, "lapse_rate": "steep"}, "keyword 'lapse_rate'"),
        ({**DOWN, "lapse_rate": -6.5, "window_radius": None, "fallback": None}, "lapse_rate is in degC/m"),
        ({**DOWN, "temperature_input": "cold"}, "is made from 'cold', which is no covariate"),
        ({"name": "d", "method": "difference_of", "inputs": ["warm"], "unit": "delta degC"}, "inputs"),
    ],
)
def test_each_fault_is_told(folder, part, message):
    part = {key: value for key, value in part.items() if value is not None}
    others = [other for other in (COARSE_LAYER, WARM) if other["name"] != part["name"]]
    said = _said(folder, *others, part)
    assert len(said) == 1, said
    assert message in said[0]


def test_a_window_asks_for_the_files_of_its_years(folder, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "copy")
    by_year = {**WARM, "path": "warm_{year}.nc", "window": 3}
    for year in range(1999, 2010):
        write_months(folder / f"warm_{year}.nc", YEAR, f"{year}-01", unit="degC")
    assert _said(folder, by_year, epochs=["2002-2002", "2007-2007"]) == []
    (folder / "warm_2008.nc").unlink()
    said = _said(folder, by_year, epochs=["2002-2002", "2007-2007"])
    assert len(said) == 1
    assert "no such file" in said[0]
    assert "warm_2008.nc" in said[0]
    assert _said(folder, {**by_year, "minimum_years": 2}, epochs=["2002-2002", "2007-2007"]) == []


WINDOWED = (WARM, RAIN, SNOW, {**WARM, "method": "air_thawing_index"})


@pytest.mark.parametrize("part", WINDOWED)
def test_a_window_lies_within_the_years_that_are_stated(folder, part):
    epochs = ["2002-2002", "2007-2007"]
    told = (
        "window: {} reads {} for the epoch {}, but years says that the data cover {}{}; set years to what "
        "they cover, or if that is all, a shorter window, or minimum_years: {}"
    )
    assert _said(folder, {**part, "window": 5}, epochs=epochs) == []
    beyond = told.format(7, "2010", "2007-2007", YEARS, "", 6)
    assert _said(folder, {**part, "window": 7}, epochs=epochs[1:]) == [beyond]
    short = {**part, "window": 5, "years": "2001-2008"}
    beyond = told.format(5, "2000", "2002-2002", "2001-2008", " (1 more epochs likewise)", 4)
    assert _said(folder, short, epochs=epochs) == [beyond]
    # The files end with 2009, so that the last window has no more than its six years.
    assert _said(folder, {**part, "window": 7, "minimum_years": 6}, epochs=epochs[1:]) == []


@pytest.mark.parametrize("part", WINDOWED)
def test_a_window_that_need_not_be_full_reads_no_years_but_those_stated(folder, part):
    part = {**part, "window": 5, "minimum_years": 3, "years": "2002-2009"}
    assert _said(folder, part, epochs=["2002-2002"]) == [
        "window: 5 reads 2000-2001 for the epoch 2002-2002, but years says that the data cover 2002-2009; "
        "set years: 2000-2009, or a shorter window"
    ]


def test_a_window_of_the_wrong_type_is_told_once(folder):
    for part in (WARM, SNOW):
        said = _said(folder, {**part, "window": "nine"})
        assert len(said) == 1
        assert "keyword 'window'" in said[0]


@pytest.mark.usefixtures("unpainted")
def test_a_study_with_them_runs(folder, capsys):
    study = made_up_study()
    study["covariates"] += [dict(part) for part in (RAIN, WARM, SNOW, COARSE_LAYER, DOWN)]
    outcome = call(capsys, "run", write_study(folder, study), "--out", folder / "out")
    assert outcome.status == 0, outcome.err
    summaries = list((folder / "out").rglob("summary.json"))
    assert len(summaries) == 1
    assert "down" in json.dumps(json.loads(summaries[0].read_text()))
