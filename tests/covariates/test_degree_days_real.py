"""Freezing and thawing indices of real stations: daily truth against each approximation, as the page says."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from made_months import GRID, index_map, write_days, write_months

from permagrid.covariates import Covariate, build
from permagrid.sites.readers import READERS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "degree-days.md"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("degree_days", ROOT / "benchmarks" / "degree_days.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def daily(benchmark, real_data):
    return benchmark.daily_air_temperature(real_data / benchmark.ARCHIVE)


@pytest.fixture(scope="module")
def rows(benchmark, daily):
    return benchmark.rows(daily)


def _numbers(text):
    return [float(number) for number in re.findall(r"[-+]?\d+(?:\.\d+)?", text)]


def _shown(head):
    """Return the rows of the table of the page that begins with a line."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = lines.index(head) + 2
    return lines[start : next(i for i in range(start, len(lines)) if not lines[i].startswith("|"))]


def test_the_page_shows_what_is_found(benchmark, daily, rows):
    tables = [
        (benchmark.HEAD[0], [row.written() for row in rows]),
        *((lines[0], lines[2:]) for lines in (benchmark.deviations(daily), benchmark.climates(daily))),
    ]
    for head, found in tables:
        shown = _shown(head)
        assert len(shown) == len(found) > 2
        for one, other in zip(shown, found, strict=True):
            assert re.sub(r"[-+]?[\d.]+", "0", one) == re.sub(r"[-+]?[\d.]+", "0", other)
            np.testing.assert_allclose(_numbers(one), _numbers(other), rtol=2e-3, atol=0.11)


def test_the_advice_of_the_page_follows(rows):
    for station in ("Yakutsk", "Oymyakon", "Verkhoyansk"):
        for index in ("freezing", "thawing"):
            own = {row.approximation: row for row in rows if (row.station, row.index) == (station, index)}
            monthly, usual, fitted, of_months, harmonic, half_range = own.values()
            assert monthly.years > 70
            low, high = (0.006, 0.01) if index == "freezing" else (0.016, 0.043)
            assert low <= -monthly.bias / monthly.mean <= high
            assert abs(usual.bias) <= 0.26 * abs(monthly.bias)
            assert usual.rmse < 0.47 * monthly.rmse
            assert fitted.rmse < usual.rmse + 0.1
            assert of_months.bias > 0
            low, high = (0.01, 0.015) if index == "freezing" else (0.035, 0.06)
            assert low < harmonic.rmse / harmonic.mean < high
            assert half_range.rmse > 1.9 * harmonic.rmse


@pytest.mark.parametrize("station", ["24959", "24688", "24266"])
def test_the_days_are_those_of_the_reader(benchmark, daily, real_data, station):
    """Read by other code, for another purpose: annual means agree."""
    table = READERS["rihmi_air"](real_data / benchmark.ARCHIVE, min_days=365)
    theirs = table[table["site_id"] == f"rihmi:{station}"].set_index("year")["value"]
    ours = daily[station].groupby(daily.index.year).agg(["mean", "count"])
    ours = ours.loc[ours["count"] >= 365, "mean"]
    assert theirs.index.tolist() == ours.index.tolist()
    np.testing.assert_allclose(theirs.to_numpy(), ours.to_numpy(), atol=1e-6)


METHODS = [("air_freezing_index", -1), ("air_thawing_index", 1)]


@pytest.mark.parametrize(("method", "sign"), METHODS)
def test_the_covariate_of_a_gridded_station_is_its_truth(benchmark, daily, tmp_path, method, sign):
    """From the daily file to the nine-year mean, by way of the grid."""
    yakutsk = daily["24959"]
    part = yakutsk["1994-07-01":"2006-12-31"]
    truth = benchmark.complete_years(yakutsk, sign)
    window = [truth.years.index(year) for year in range(1996, 2005)]
    write_days(tmp_path / "days.nc", part.to_numpy(), "1994-07-01")
    found = index_map(method, tmp_path, (1998, 2002), path="days.nc", approximation="daily", window=9)
    np.testing.assert_allclose(found.values, truth.truth[window].mean(), rtol=1e-6)
    assert found.attrs["valid_years"] == "9 of 9: 1996-2004"
    months = part.resample("MS").mean().to_numpy()
    write_months(tmp_path / "months.nc", months, "1994-07")
    expected = benchmark.approximations(truth, sign)
    for approximation, keywords in (
        ("`monthly`", {"approximation": "monthly"}),
        ("`monthly_variance`, 4.5 °C", {"approximation": "monthly_variance", "standard_deviation": 4.5}),
        ("`sinusoid`, first harmonic", {"approximation": "sinusoid"}),
    ):
        found = index_map(method, tmp_path, (1998, 2002), path="months.nc", window=9, **keywords)
        np.testing.assert_allclose(found.values, expected[approximation][window].mean(), rtol=1e-6)


def test_a_season_with_a_lost_day_is_nodata_where_it_is_lost(benchmark, daily, tmp_path):
    """Verkhoyansk lacks days of three winters: a cell lacks those years, though the file has all dates."""
    verkhoyansk = daily["24266"]
    complete = benchmark.complete_years(verkhoyansk, -1)
    held = [year for year in range(1994, 2005) if year in complete.years]
    assert len(held) == 8
    part = verkhoyansk["1993-07-01":"2004-06-30"]
    write_days(tmp_path / "days.nc", part.to_numpy(), "1993-07-01")
    keywords = {"path": "days.nc", "approximation": "daily", "minimum_years": 8}
    index = Covariate("index", "air_freezing_index", "degC day", keywords, years=(1994, 2004))
    number = Covariate("number", "valid_years", "1", {"input": "index"})
    named = {"index": index, "number": number}
    mean, count = (
        build(name, named, GRID, epoch=(1994, 2004), root=tmp_path).compute(scheduler="synchronous")
        for name in named
    )
    assert mean.attrs["valid_years"] == "11 of 11: 1994-2004"
    assert set(np.unique(count)) == {8.0}
    truth = np.mean([complete.truth[complete.years.index(year)] for year in held])
    np.testing.assert_allclose(mean.values, truth, rtol=1e-6)
