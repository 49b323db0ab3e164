"""Mean, swing and extremes of temperature, and sums of precipitation, against numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_months import COARSE, COMMON, GRID, LEAP, YEAR, write_days, write_months, write_series
from made_rasters import made, write_tif

from permagrid.covariates import Covariate, resample
from permagrid.covariates.climate.index_formulas import MONTH_DAYS
from permagrid.covariates.climate.temperature import half_range, harmonic_amplitude, mean_of_months
from permagrid.errors import PermagridError
from permagrid.grid import lonlat, make_geobox

UNITS = {
    "mean_annual_air_temperature": "degC",
    "warmest_month_temperature": "degC",
    "coldest_month_temperature": "degC",
    "annual_temperature_amplitude": "delta degC",
    "continentality": "%",
}
RAIN = np.array([10.0, 8, 9, 12, 30, 50, 70, 60, 40, 25, 15, 12])


def _map(method, root, epoch=None, *, grid=GRID, unit=None, **keywords):
    given_ = {"path": "t.nc", **keywords}
    covariate = Covariate(
        method, method, unit or UNITS.get(method, "mm"), given_, years=(1900, 2100) if epoch else None
    )
    return made(covariate, grid, root, epoch=epoch)


def _value(method, root, epoch=None, **keywords):
    values = _map(method, root, epoch, **keywords).values
    assert np.ptp(values) < 1e-3
    return float(values[0, 0])


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("mean_annual_air_temperature", (YEAR * MONTH_DAYS).sum() / 365.25),
        ("warmest_month_temperature", 12.0),
        ("coldest_month_temperature", -20.0),
        ("annual_temperature_amplitude", 16.0),
    ],
)
@pytest.mark.parametrize("unit", ["degC", "K"])
def test_of_a_climatology(tmp_path, method, expected, unit):
    write_months(tmp_path / "t.nc", YEAR, unit=unit)
    assert _value(method, tmp_path, stored_unit=unit) == pytest.approx(expected, abs=1e-4)


def test_a_climatology_may_begin_in_any_month(tmp_path):
    write_months(tmp_path / "t.nc", YEAR)
    write_months(tmp_path / "december.nc", np.roll(YEAR, 1), "1999-12")
    one, other = (_value("mean_annual_air_temperature", tmp_path, path=p) for p in ("t.nc", "december.nc"))
    assert one == pytest.approx(other, abs=1e-5)
    summer = [_value("summer_precipitation", tmp_path, path=p) for p in ("t.nc", "december.nc")]
    assert summer == pytest.approx([29.0, 29.0])
    write_months(tmp_path / "half.nc", YEAR[:6])
    with pytest.raises(PermagridError, match=r"half\.nc: a climatology needs 12 months, found shape \(6"):
        _value("mean_annual_air_temperature", tmp_path, path="half.nc")
    write_series(tmp_path / "odd.nc", YEAR, [0, 0, *range(2, 12)], units="months since 2000-01-15")
    with pytest.raises(PermagridError, match="needs each month once, found months 1, 1, 3"):
        _value("mean_annual_air_temperature", tmp_path, path="odd.nc")


def test_an_epoch_has_the_mean_of_its_years(tmp_path):
    """The warmest month is July in one year and August in the next: the extremes of each year count."""
    one, other = YEAR.copy(), YEAR.copy()
    one[6], other[7] = 20.0, 16.0
    write_months(tmp_path / "t.nc", np.concatenate([one, other]), "2000-01")
    assert _value("warmest_month_temperature", tmp_path, (2000, 2001)) == pytest.approx(18.0)
    assert _value("annual_temperature_amplitude", tmp_path, (2000, 2001)) == pytest.approx(19.0)
    mean = ((one * LEAP).sum() / 366 + (other * COMMON).sum() / 365) / 2
    array = _map("mean_annual_air_temperature", tmp_path, (2000, 2001))
    assert float(array[0, 0]) == pytest.approx(mean, abs=1e-4)
    assert array.attrs["valid_years"] == "2 of 2: 2000-2001"


def test_a_window_is_centred_on_the_epoch(tmp_path):
    levels = np.arange(9.0)
    write_months(tmp_path / "t.nc", np.repeat(levels, 12), "1996-01")
    name = "mean_annual_air_temperature"
    assert _value(name, tmp_path, (2000, 2000), window=9) == pytest.approx(4.0)
    assert _value(name, tmp_path, (2000, 2000), window=3) == pytest.approx(4.0)
    assert _value(name, tmp_path, (1997, 1997), window=5, minimum_years=4) == pytest.approx(1.5)
    with pytest.raises(PermagridError, match="4 of the 5 years 1995-1999 are complete, missing are 1995"):
        _value(name, tmp_path, (1997, 1997), window=5)
    with pytest.raises(PermagridError, match="window must be an odd number"):
        _value(name, tmp_path, (2000, 2000), window=4)
    write_months(tmp_path / "mean.nc", YEAR)
    with pytest.raises(PermagridError, match="window is for a series of years"):
        _value(name, tmp_path, (2000, 2000), path="mean{month}.nc", window=9)


def test_a_year_that_lacks_a_month_is_named(tmp_path):
    months = np.delete(np.arange(24), 18)
    write_series(tmp_path / "t.nc", np.tile(YEAR, 2)[months], months, units="months since 2000-01-15")
    with pytest.raises(PermagridError, match=r"2001 lacks 1 of 12 months, the first 2001-07"):
        _value("mean_annual_air_temperature", tmp_path, (2000, 2001))
    alone = _map("mean_annual_air_temperature", tmp_path, (2000, 2001), minimum_years=1)
    assert alone.attrs["valid_years"] == "1 of 2: 2000"
    assert float(alone[0, 0]) == pytest.approx((YEAR * LEAP).sum() / 366, abs=1e-4)


def test_months_that_overlap_are_named(tmp_path):
    write_series(
        tmp_path / "twice.nc",
        np.repeat(YEAR, 2),
        np.repeat(np.arange(12), 2),
        units="months since 2000-01-15",
    )
    with pytest.raises(PermagridError, match=r"twice\.nc: 2000-01 stands twice"):
        _value("annual_precipitation", tmp_path, (2000, 2000), path="twice.nc")
    for year in (2000, 2001):
        write_months(tmp_path / f"t{year}.nc", np.tile(YEAR, 2), f"{year}-01")
    with pytest.raises(PermagridError, match=r"2001-01 stands twice: in .*t2000\.nc and in .*t2001\.nc"):
        _value("annual_precipitation", tmp_path, (2000, 2001), path="t{year}.nc")


def test_a_cell_needs_as_many_years_as_the_study_says(tmp_path):
    values = np.tile(YEAR, 3)[:, None, None] * np.ones(COARSE.shape)
    values[3, :, :] = np.nan
    write_series(tmp_path / "t.nc", values, np.arange(36), units="months since 2000-01-15")
    name = "coldest_month_temperature"
    assert np.isnan(_map(name, tmp_path, (2000, 2002)).values).all()
    assert _value(name, tmp_path, (2000, 2002), minimum_years=2) == pytest.approx(-20.0)


def test_minima_and_maxima_make_means_month_by_month(tmp_path):
    """As in the monthly series of WorldClim 2.1, which has no means."""
    write_months(tmp_path / "tmin.nc", YEAR - 5.0)
    write_months(tmp_path / "tmax.nc", YEAR + 7.0)
    pair = {"path": "tmin.nc", "with_path": "tmax.nc"}
    warmest = _value("warmest_month_temperature", tmp_path, (2000, 2000), **pair)
    assert warmest == pytest.approx(13.0)
    harmonic = _value("annual_temperature_amplitude", tmp_path, (2000, 2000), definition="harmonic", **pair)
    write_months(tmp_path / "mean.nc", YEAR + 1.0)
    alone = {"path": "mean.nc", "definition": "harmonic"}
    assert harmonic == pytest.approx(_value("annual_temperature_amplitude", tmp_path, (2000, 2000), **alone))


def test_the_two_amplitudes_of_a_true_sinusoid(tmp_path):
    """Half the range of monthly means is 1.1 % short of a sinusoid, and more where no month has its peak."""
    edges = 2 * np.pi * np.cumsum([0.0, *COMMON]) / 365.0
    months = -10.0 + 25.0 * np.diff(np.sin(edges - 0.3)) / np.diff(edges)
    write_months(tmp_path / "t.nc", months, "2001-01")
    name = "annual_temperature_amplitude"
    assert _value(name, tmp_path, (2001, 2001), definition="harmonic") == pytest.approx(25.0, abs=1e-4)
    assert 24.0 < _value(name, tmp_path, (2001, 2001)) < 24.75


@given(
    level=st.floats(-40, 30),
    swing=st.floats(0, 40),
    noise=st.lists(st.floats(-3, 3), min_size=12, max_size=12),
)
def test_measures_of_a_year_keep_their_order(level, swing, noise):
    months = level + swing * np.cos(2 * np.pi * np.arange(12) / 12) + np.array(noise)
    mean = float(mean_of_months(months, MONTH_DAYS))
    assert months.min() - 1e-9 <= mean <= months.max() + 1e-9
    # A shift moves the mean alone; a scale both.
    assert float(mean_of_months(months + 5.0, MONTH_DAYS)) == pytest.approx(mean + 5.0)
    for amplitude in (half_range, harmonic_amplitude):
        one = float(amplitude(months, MONTH_DAYS))
        assert float(amplitude(months + 5.0, MONTH_DAYS)) == pytest.approx(one, abs=1e-9)
        assert float(amplitude(2.0 * months, MONTH_DAYS)) == pytest.approx(2.0 * one, abs=1e-9)


@pytest.mark.parametrize(("index", "shift", "less"), [("conrad", 10.0, 14.0), ("gorczynski", 0.0, 20.4)])
def test_continentality_by_hand(tmp_path, index, shift, less):
    write_months(tmp_path / "t.nc", YEAR)
    grid = make_geobox("EPSG:4326", 1, bounds=(100, -60, 102, 80))
    found = _map("continentality", tmp_path, index=index, grid=grid).values
    latitude = np.abs(lonlat(grid)[1])
    np.testing.assert_allclose(
        found, 1.7 * 32.0 / np.sin(np.radians(latitude + shift)) - less, rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize(("place", "coldest", "warmest"), [(67.5, -48.6, 15.2), (62.0, 3.2, 11.0)])
def test_the_most_continental_and_the_most_oceanic_place(tmp_path, place, coldest, warmest):
    """Verkhoyansk and Torshavn, to which the index of Conrad gives about 100 and 0."""
    write_months(tmp_path / "t.nc", np.linspace(coldest, warmest, 12))
    grid = make_geobox("EPSG:4326", 0.5, bounds=(130, place - 0.25, 130.5, place + 0.25))
    found = float(_map("continentality", tmp_path, grid=grid).values.mean())
    assert found == pytest.approx(100.0 if warmest > 15 else 0.0, abs=4.0)


@pytest.mark.parametrize(
    ("unit", "stored"),
    [
        ("mm", RAIN),
        ("0.1 mm", RAIN * 10),
        ("m", RAIN / 1000),
        ("mm/day", RAIN / COMMON),
        ("m/day", RAIN / COMMON / 1000),
        ("kg/m2/s", RAIN / COMMON / 86400),
    ],
)
def test_sums_and_rates_give_the_same_precipitation(tmp_path, unit, stored):
    write_months(tmp_path / "t.nc", np.concatenate([stored, stored]), "2001-01")
    options = {"stored_unit": unit}
    assert _value("annual_precipitation", tmp_path, (2002, 2002), **options) == pytest.approx(341, rel=1e-5)
    assert _value("summer_precipitation", tmp_path, (2002, 2002), **options) == pytest.approx(180, rel=1e-5)
    assert _value("winter_precipitation", tmp_path, (2002, 2002), **options) == pytest.approx(30, rel=1e-5)


def test_a_rate_counts_the_days_of_its_own_month(tmp_path):
    write_months(tmp_path / "t.nc", np.ones(24), "2000-01")
    options = {"stored_unit": "mm/day"}
    assert _value("annual_precipitation", tmp_path, (2000, 2000), **options) == pytest.approx(366)
    assert _value("annual_precipitation", tmp_path, (2001, 2001), **options) == pytest.approx(365)
    write_months(tmp_path / "mean.nc", np.ones(12))
    assert _value("annual_precipitation", tmp_path, path="mean.nc", **options) == pytest.approx(365.25)


def test_a_winter_is_named_after_the_year_in_which_it_ends(tmp_path):
    months = np.tile(RAIN, 2)
    months[11] = 100.0
    write_months(tmp_path / "t.nc", months, "2000-01")
    assert _value("winter_precipitation", tmp_path, (2001, 2001)) == pytest.approx(100 + 10 + 8)
    half_year = {"months": [10, 11, 12, 1, 2, 3]}
    assert _value("winter_precipitation", tmp_path, (2001, 2001), **half_year) == pytest.approx(167)
    with pytest.raises(PermagridError, match="0 of the 1 seasons December-November 2000 are complete"):
        _value("winter_precipitation", tmp_path, (2000, 2000))
    # Months that do not cross the year are those of the calendar year.
    assert _value("winter_precipitation", tmp_path, (2000, 2000), months=[1, 2]) == pytest.approx(18)


@pytest.mark.parametrize("months", [[], [0, 1], [11, 13], [6, 8], [8, 7], [6, 6], [*range(1, 13), 1]])
def test_months_of_a_season_follow_one_another(tmp_path, months):
    write_months(tmp_path / "t.nc", RAIN)
    with pytest.raises(PermagridError, match="months must be some of 1 to 12 that follow one another"):
        _value("summer_precipitation", tmp_path, months=months)


def test_precipitation_of_months_that_freeze(tmp_path):
    write_months(tmp_path / "p.nc", np.tile(RAIN, 2), "2000-01")
    write_months(tmp_path / "k.nc", np.tile(YEAR, 2), "2000-01", unit="K")
    keywords = {"path": "p.nc", "temperature_path": "k.nc", "temperature_unit": "K"}
    cold = RAIN[[9, 10, 11, 0, 1, 2, 3]].sum()
    assert _value("snow_season_precipitation", tmp_path, (2001, 2001), **keywords) == pytest.approx(cold)
    colder = RAIN[[10, 11, 0, 1, 2]].sum()
    found = _value("snow_season_precipitation", tmp_path, (2001, 2001), threshold=-6.0, **keywords)
    assert found == pytest.approx(colder)
    # A month at the threshold is not below it.
    write_months(tmp_path / "c.nc", np.tile(YEAR, 2), "2000-01")
    keywords = {"path": "p.nc", "temperature_path": "c.nc", "threshold": -2.0}
    found = _value("snow_season_precipitation", tmp_path, (2001, 2001), **keywords)
    assert found == pytest.approx(cold - RAIN[3])


def test_a_season_without_a_temperature_is_not_guessed(tmp_path):
    write_months(tmp_path / "p.nc", np.tile(RAIN, 2), "2000-01")
    write_months(tmp_path / "k.nc", YEAR, "2000-01")
    with pytest.raises(PermagridError, match=r"p\.nc and k\.nc: 0 of the 1 seasons July-June 2001"):
        _value("snow_season_precipitation", tmp_path, (2001, 2001), path="p.nc", temperature_path="k.nc")


def test_wrong_units_are_told(tmp_path):
    write_months(tmp_path / "t.nc", RAIN)
    with pytest.raises(PermagridError, match=r"'degC' is neither a sum of precipitation.* nor a rate"):
        _value("annual_precipitation", tmp_path, stored_unit="degC")
    with pytest.raises(PermagridError, match=r"unit 'mm' .* cannot be turned into 'degC'"):
        _value("mean_annual_air_temperature", tmp_path, stored_unit="mm")
    with pytest.raises(PermagridError, match="unknown unit 'mm/week'"):
        _value("annual_precipitation", tmp_path, stored_unit="mm/week")


def test_a_file_that_gives_another_unit_is_not_taken_at_its_default(tmp_path):
    write_months(tmp_path / "k.nc", YEAR, unit="K")
    with pytest.raises(PermagridError, match=r"k\.nc: gives its unit as 'K', not 'degC'; state its unit: K"):
        _value("mean_annual_air_temperature", tmp_path, path="k.nc")
    for declared, hint in (("m", "m, or m/day if it is a mean rate"), ("kg m-2 s-1", "kg m-2 s-1")):
        write_months(tmp_path / "p.nc", RAIN, unit=declared)
        with pytest.raises(PermagridError, match=f"gives its unit as '{declared}', not 'mm'; .*: {hint}"):
            _value("annual_precipitation", tmp_path, path="p.nc")
    write_months(tmp_path / "p.nc", RAIN, unit="mm")
    with pytest.raises(PermagridError, match=r"k\.nc: gives its unit as 'K'"):
        _value("snow_season_precipitation", tmp_path, path="p.nc", temperature_path="k.nc")


def test_a_covariate_comes_in_the_unit_of_the_study(tmp_path):
    write_months(tmp_path / "t.nc", RAIN)
    assert _value("annual_precipitation", tmp_path, unit="m") == pytest.approx(0.341, abs=1e-5)


def test_files_of_months_and_years(tmp_path):
    for year in (2000, 2001):
        for month, value in enumerate(RAIN, start=1):
            name = tmp_path / f"chelsa_{month:02d}_{year}.tif"
            write_tif(name, np.full(GRID.shape, value + (year == 2001), "f4"), GRID)
    path = "chelsa_{month}_{year}.tif"
    assert _value("annual_precipitation", tmp_path, (2001, 2001), path=path) == pytest.approx(353)
    assert _value("winter_precipitation", tmp_path, (2001, 2001), path=path) == pytest.approx(32)
    (tmp_path / "chelsa_02_2001.tif").unlink()
    with pytest.raises(PermagridError, match=r"no such file: .*chelsa_02_2001\.tif"):
        _value("winter_precipitation", tmp_path, (2001, 2001), path=path)
    with pytest.raises(PermagridError, match="varies, but years are not stated"):
        _value("winter_precipitation", tmp_path, path=path)


def test_daily_values_are_no_months(tmp_path):
    write_days(tmp_path / "t.nc", np.zeros(366))
    with pytest.raises(PermagridError, match="2000-01 stands twice; monthly means are needed"):
        _value("mean_annual_air_temperature", tmp_path, (2000, 2000))


@settings(max_examples=5, deadline=None)
@given(chunk=st.integers(1, 9), seed=st.integers(0, 100))
def test_values_do_not_depend_on_chunks(tmp_path_factory, chunk, seed):
    folder = tmp_path_factory.mktemp("chunks")
    random = np.random.default_rng(seed)
    values = random.normal(size=(24, *COARSE.shape)) * 20.0
    write_series(folder / "t.nc", values, np.arange(24), units="months since 2000-01-15")
    write_series(folder / "p.nc", np.abs(values), np.arange(24), units="months since 2000-01-15")
    cases = (
        ("mean_annual_air_temperature", {}),
        ("annual_temperature_amplitude", {"definition": "harmonic"}),
        ("continentality", {}),
        ("winter_precipitation", {"path": "p.nc", "stored_unit": "mm/day"}),
        ("snow_season_precipitation", {"path": "p.nc", "temperature_path": "t.nc"}),
    )
    whole = [_map(method, folder, (2001, 2001), **more).values for method, more in cases]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resample, "CHUNK", chunk)
        parts = [_map(method, folder, (2001, 2001), **more).values for method, more in cases]
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)
