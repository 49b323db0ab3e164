"""Freezing and thawing indices against numbers worked out by hand: seasons, files, years and their gaps."""

import dask.array as da
import numpy as np
import pytest
from made_months import (
    COARSE,
    COMMON,
    GRID,
    LEAP,
    YEAR,
    by_hand,
    index,
    index_covariate,
    index_map,
    write_days,
    write_months,
    write_series,
)
from made_rasters import made, write_tif

from permagrid.covariates import COVARIATES, Covariate, build, resample
from permagrid.covariates.climate.index_formulas import (
    MONTH_DAYS,
    degree_days,
    degree_days_of_sinusoid,
    degree_days_with_scatter,
    sinusoid_of_months,
)
from permagrid.covariates.traits import traits_of
from permagrid.errors import PermagridError

FREEZING, THAWING = "air_freezing_index", "air_thawing_index"
METHODS = {FREEZING: -1, THAWING: 1, "surface_freezing_index": -1, "surface_thawing_index": 1}
SEASON_2000 = np.concatenate([COMMON[6:], LEAP[:6]])
SEASON_2001 = np.concatenate([LEAP[6:], COMMON[:6]])
WINTER = np.concatenate([YEAR[6:], YEAR[:6]])


@pytest.mark.parametrize("unit", ["degC", "K"])
def test_of_a_climatology(tmp_path, unit):
    write_months(tmp_path / "t.nc", YEAR, unit=unit)
    # By hand: 31*20 + 28.25*18 + 31*10 + 30*2 + 31*5 + 30*12 + 31*17, and 31*4 + 30*9 + 31*12 + 31*8 + 30*3.
    assert index(FREEZING, tmp_path, stored_unit=unit) == pytest.approx(2540.5, abs=0.01)
    assert index(THAWING, tmp_path, stored_unit=unit) == pytest.approx(1104, abs=0.01)


def test_of_twelve_files(tmp_path):
    for month, value in enumerate(YEAR, start=1):
        for name in (f"t{month:02d}.tif", f"u{month}.tif"):
            write_tif(tmp_path / name, np.full(GRID.shape, value * 10, "int16"), GRID)
    for path in ("t{month}.tif", "u{m}.tif"):
        assert index(FREEZING, tmp_path, path=path, stored_unit="0.1 degC") == pytest.approx(2540.5)
    (tmp_path / "t07.tif").unlink()
    with pytest.raises(PermagridError, match=r"t07\.tif: no such file"):
        index(FREEZING, tmp_path, path="t{month}.tif", stored_unit="0.1 degC")


def test_a_climatology_may_begin_in_any_month(tmp_path):
    write_months(tmp_path / "t.nc", WINTER, "2000-07")
    assert index(FREEZING, tmp_path) == pytest.approx(2540.5, abs=0.01)
    write_series(tmp_path / "t.nc", YEAR, [1, 1, *range(3, 13)], units="months since 1999-12-15")
    with pytest.raises(PermagridError, match="each month once, found months 1, 1, 3"):
        index(FREEZING, tmp_path)


@pytest.mark.parametrize("method", METHODS)
def test_a_surface_has_the_indices_of_its_own_temperature(tmp_path, method):
    write_months(tmp_path / "t.nc", YEAR)
    found = index_map(method, tmp_path)
    assert float(found[0, 0]) == pytest.approx(2540.5 if METHODS[method] == -1 else 1104, abs=0.01)
    assert found.attrs["units"] == "degC day"
    assert found.attrs["season"] == ("July-June" if METHODS[method] == -1 else "January-December")
    assert found.attrs["approximation"] == "monthly"
    assert "valid_years" not in found.attrs


def test_a_freezing_season_runs_from_july_to_june(tmp_path):
    """The winter 2000/2001 is warmer by 5 degC than the one before: the index of 2001 must show it alone."""
    months = np.concatenate([YEAR, YEAR, YEAR])
    months[18:30] += 5.0
    write_months(tmp_path / "t.nc", months, "1999-01")
    assert index(FREEZING, tmp_path, (2001, 2001)) == pytest.approx(by_hand(months[18:30], SEASON_2001))
    assert index(FREEZING, tmp_path, (2000, 2000)) == pytest.approx(by_hand(WINTER, SEASON_2000))
    message = r"0 of the 1 seasons July-June 1999 are complete, missing are 1999 \(1999 lacks 6 of 12 months"
    with pytest.raises(PermagridError, match=message):
        index(FREEZING, tmp_path, (1999, 1999))


def test_a_thawing_season_is_a_calendar_year(tmp_path):
    write_months(tmp_path / "t.nc", np.concatenate([YEAR, YEAR + 2, YEAR]), "1999-01")
    assert index(THAWING, tmp_path, (2000, 2000)) == pytest.approx(by_hand(YEAR + 2, LEAP, 1))


def test_an_epoch_has_the_mean_of_its_indices_not_the_index_of_its_mean(tmp_path):
    """A month at +6 and at -6 degC freezes every second year, though its mean is 0."""
    one, other = np.full(12, 6.0), np.full(12, -6.0)
    write_months(tmp_path / "t.nc", np.concatenate([one, other]), "2001-01")
    assert index(THAWING, tmp_path, (2001, 2002)) == pytest.approx(6 * 365 / 2)
    assert index(THAWING, tmp_path, (2001, 2001)) == pytest.approx(6 * 365)


def test_all_years_are_needed_unless_the_study_says_how_many_suffice(tmp_path):
    write_months(tmp_path / "t.nc", np.concatenate([YEAR, YEAR + 1, YEAR[:5]]), "2000-01")
    message = (
        r"air_thawing_index: t\.nc: 2 of the 5 years 2000-2004 are complete, missing are 2002-2004 "
        r"\(2002 lacks 7 of 12 months, the first 2002-06\); all are needed unless the study sets "
        "minimum_years: 2"
    )
    with pytest.raises(PermagridError, match=message):
        index(THAWING, tmp_path, (2000, 2004))
    with pytest.raises(PermagridError, match=r"missing are 2002-2004 .*; minimum_years is 3"):
        index(THAWING, tmp_path, (2000, 2004), minimum_years=3)
    found = index_map(THAWING, tmp_path, (2000, 2004), minimum_years=2)
    assert found.attrs["valid_years"] == "2 of 5: 2000-2001"
    expected = (by_hand(YEAR, LEAP, 1) + by_hand(YEAR + 1, COMMON, 1)) / 2
    np.testing.assert_allclose(found.values, expected, rtol=1e-6)


@pytest.fixture
def twenty_years(tmp_path):
    """Months of 1990 to 2009, each year warmer by a degree than the one before."""
    write_months(tmp_path / "t.nc", np.concatenate([YEAR + i for i in range(20)]), "1990-01")
    return tmp_path


def _year(year, sign=1):
    if sign == 1:
        return by_hand(YEAR + year - 1990, LEAP if year % 4 == 0 else COMMON, 1)
    lengths = np.concatenate([COMMON[6:], (LEAP if year % 4 == 0 else COMMON)[:6]])
    return by_hand(np.concatenate([YEAR[6:] + year - 1991, YEAR[:6] + year - 1990]), lengths)


@pytest.mark.parametrize(("epoch", "window"), [((1998, 2002), 9), ((2000, 2000), 9), ((1999, 2001), 1)])
def test_a_window_is_centred_on_the_middle_year(twenty_years, epoch, window):
    years = range(2000 - window // 2, 2000 + window // 2 + 1)
    for method, sign in ((FREEZING, -1), (THAWING, 1)):
        found = index_map(method, twenty_years, epoch, window=window)
        expected = np.mean([_year(year, sign) for year in years])
        np.testing.assert_allclose(found.values, expected, rtol=1e-6)
        span = f"{years[0]}-{years[-1]}" if window > 1 else "2000"
        assert found.attrs["valid_years"] == f"{window} of {window}: {span}"


def test_a_window_with_a_hole_names_the_missing_years(twenty_years):
    with pytest.raises(PermagridError, match=r"8 of the 9 years 2002-2010 .* missing are 2010 \(2010 lacks"):
        index(THAWING, twenty_years, (2006, 2006), window=9)
    values = np.concatenate([YEAR + i for i in range(20)])
    kept = [i for i in range(240) if i not in (124, 125)]
    write_series(twenty_years / "hole.nc", values[kept], kept, units="months since 1990-01-15")
    message = r"missing are 2000 \(2000 lacks 2 of 12 months, the first 2000-05\).*sets minimum_years: 8"
    with pytest.raises(PermagridError, match=message):
        index(THAWING, twenty_years, (1998, 2002), window=9, path="hole.nc")
    found = index_map(THAWING, twenty_years, (1998, 2002), window=9, path="hole.nc", minimum_years=7)
    assert found.attrs["valid_years"] == "8 of 9: 1996-1999, 2001-2004"
    eight = np.mean([_year(year) for year in (1996, 1997, 1998, 1999, 2001, 2002, 2003, 2004)])
    np.testing.assert_allclose(found.values, eight, rtol=1e-6)


def test_each_cell_counts_its_own_years(tmp_path):
    months = np.concatenate([YEAR + i for i in range(5)])[:, None, None] * np.ones(COARSE.shape)
    east = COARSE.coords["longitude"].values > 0
    months[14][:, east] = np.nan
    months[3][:, ~east] = months[26][:, ~east] = np.nan
    write_series(tmp_path / "t.nc", months, range(60), units="months since 1990-01-15")
    epoch, options = (1990, 1994), {"resampling": "nearest"}
    mean = index_covariate(THAWING, {**options, "minimum_years": 4}, (1990, 1994))
    number = Covariate("number", "valid_years", "1", {"input": THAWING})
    found = made(mean, GRID, tmp_path, epoch=epoch)
    count = made(number, GRID, tmp_path, mean, epoch=epoch)
    assert found.attrs["valid_years"] == count.attrs["valid_years"] == "5 of 5: 1990-1994"
    assert set(np.unique(count)) == {3.0, 4.0}
    four = np.mean([_year(year) for year in (1990, 1992, 1993, 1994)])
    np.testing.assert_allclose(found.values[count.values == 4], four, rtol=1e-6)
    assert np.isnan(found.values[count.values == 3]).all()
    assert np.isnan(index_map(THAWING, tmp_path, epoch, **options)).all()
    everywhere = index_map(THAWING, tmp_path, epoch, minimum_years=3, **options)
    three = np.mean([_year(year) for year in (1991, 1993, 1994)])
    np.testing.assert_allclose(everywhere.values[count.values == 3], three, rtol=1e-6)


def test_where_there_is_nothing_no_years_are_counted(tmp_path):
    months = np.full((12, *COARSE.shape), np.nan)
    write_series(tmp_path / "t.nc", months, range(12), units="months since 1990-01-15")
    mean = index_covariate(THAWING, {}, (1990, 1990))
    number = Covariate("number", "valid_years", "1", {"input": THAWING})
    assert np.isnan(made(number, GRID, tmp_path, mean, epoch=(1990, 1990))).all()


def test_a_cell_that_lacks_a_month_is_nodata(tmp_path):
    for month, value in enumerate(YEAR, start=1):
        values = np.full(GRID.shape, value, "f4")
        values[0, 0] = np.nan if month == 3 else value
        write_tif(tmp_path / f"t{month:02d}.tif", values, GRID)
    for approximation in ("monthly", "sinusoid"):
        found = made(
            Covariate("f", FREEZING, "degC day", {"path": "t{month}.tif", "approximation": approximation}),
            GRID,
            tmp_path,
        )
        assert np.isnan(found.values).sum() == 1


def test_a_series_in_files_of_years_reaches_back_for_its_first_winter(tmp_path):
    for year in (1999, 2000, 2001):
        write_months(tmp_path / f"t{year}.nc", YEAR + (year == 1999), f"{year}-01")
    first = by_hand(np.concatenate([YEAR[6:] + 1, YEAR[:6]]), SEASON_2000)
    assert index(FREEZING, tmp_path, (2000, 2000), path="t{year}.nc") == pytest.approx(first)
    (tmp_path / "t1999.nc").unlink()
    alone = by_hand(WINTER, SEASON_2001)
    found = index(FREEZING, tmp_path, (2000, 2001), path="t{year}.nc", minimum_years=1)
    assert found == pytest.approx(alone)
    message = r"missing are 2000 \(2000 lacks 6 of 12 months, the first 1999-07; no such file: .*t1999\.nc\)"
    with pytest.raises(PermagridError, match=message):
        index(FREEZING, tmp_path, (2000, 2001), path="t{year}.nc")


def test_a_series_in_files_of_months(tmp_path):
    for year in (2000, 2001):
        for month, value in enumerate(YEAR, start=1):
            path = tmp_path / f"t{year}{month:02d}.tif"
            write_tif(path, np.full(GRID.shape, value + (year == 2001), "f4"), GRID)
    path = "t{year}{month}.tif"
    warm = by_hand(YEAR + 1, COMMON, 1)
    assert index(THAWING, tmp_path, (2001, 2001), path=path) == pytest.approx(warm)
    season = by_hand(np.concatenate([YEAR[6:], YEAR[:6] + 1]), SEASON_2001)
    # What lies outside its season, a freezing index does not ask for.
    for outside in ("t200001.tif", "t200106.tif", "t200107.tif", "t200112.tif"):
        if outside != "t200106.tif":
            (tmp_path / outside).unlink()
    assert index(FREEZING, tmp_path, (2001, 2001), path=path) == pytest.approx(season)


def test_minima_and_maxima_make_means(tmp_path):
    for name, shift in (("low", -7.0), ("high", 9.0)):
        months = np.concatenate([YEAR + shift, YEAR + shift])
        write_months(tmp_path / f"{name}.nc", months[: 24 if name == "low" else 12], "2001-01")
    paths = {"path": "low.nc", "with_path": "high.nc"}
    found = index(THAWING, tmp_path, (2001, 2001), **paths)
    assert found == pytest.approx(by_hand(YEAR + 1, COMMON, 1))
    with pytest.raises(PermagridError, match=r"low\.nc and high\.nc: 1 of the 2 years .* missing are 2002"):
        index(THAWING, tmp_path, (2001, 2002), **paths)


DEVIATION = list(np.linspace(7, 3, 12))


@pytest.mark.parametrize(("method", "sign", "days"), [(FREEZING, -1, SEASON_2001), (THAWING, 1, COMMON)])
def test_of_each_approximation_the_formula_is_used(tmp_path, method, sign, days):
    write_months(tmp_path / "t.nc", np.concatenate([YEAR, YEAR]), "2000-01")
    months, deviation = (YEAR, DEVIATION) if sign == 1 else (WINTER, [*DEVIATION[6:], *DEVIATION[:6]])
    epoch = (2001, 2001)
    monthly = degree_days(months, days, sign=sign)
    assert index(method, tmp_path, epoch, approximation="monthly") == pytest.approx(monthly)
    for stated, used in ((4.5, 4.5), (DEVIATION, deviation)):
        found = index(method, tmp_path, epoch, approximation="monthly_variance", standard_deviation=stated)
        assert found == pytest.approx(degree_days_with_scatter(months, days, used, sign=sign))
    mean, amplitude = sinusoid_of_months(months, days)
    found = index(method, tmp_path, epoch, approximation="sinusoid")
    assert found == pytest.approx(degree_days_of_sinusoid(mean, amplitude, float(days.sum()), sign=sign))


def test_a_sinusoid_of_two_other_covariates(tmp_path):
    rows = np.arange(GRID.shape[0])[:, None] + np.zeros(GRID.shape)
    write_tif(tmp_path / "mean.tif", (273.15 - 8 + rows).astype("f8"), GRID)
    write_tif(tmp_path / "swing.tif", np.full(GRID.shape, 20.0), GRID)
    mean = Covariate("mean", "raster", "K", {"path": "mean.tif"})
    for unit in ("delta degC", "K", "degC"):
        swing = Covariate("swing", "raster", unit, {"path": "swing.tif"})
        for method, sign in METHODS.items():
            keywords = {"approximation": "sinusoid", "mean_input": "mean", "amplitude_input": "swing"}
            sinusoid = Covariate("s", method, "degC day", keywords)
            found = made(sinusoid, GRID, tmp_path, mean, swing)
            expected = degree_days_of_sinusoid(rows - 8.0, 20.0, 365.25, sign=sign)
            np.testing.assert_allclose(found.values, expected, rtol=1e-5)
            assert "season" not in found.attrs
    rain = Covariate("swing", "raster", "mm", {"path": "swing.tif"})
    with pytest.raises(PermagridError, match="amplitude_input 'swing' is in 'mm', which is no temperature"):
        made(sinusoid, GRID, tmp_path, mean, rain)
    with pytest.raises(PermagridError, match="mean_input 'mean' is in 'mm', which is no temperature"):
        made(sinusoid, GRID, tmp_path, Covariate("mean", "raster", "mm", {"path": "mean.tif"}), swing)
    with pytest.raises(PermagridError, match="no covariate 'swing' to build from"):
        made(sinusoid, GRID, tmp_path, mean)


def _days(start, length):
    times = np.arange(np.datetime64(start), np.datetime64(start) + length)
    day = (times - times.astype("datetime64[Y]")).astype(int)
    return np.round(-8 + 25 * np.cos(2 * np.pi * (day - 200) / 365.25), 3) + np.sin(np.arange(length))


def test_daily_means_are_summed_day_by_day(tmp_path):
    values = _days("1999-07-01", 731 + 184)
    write_days(tmp_path / "t.nc", values, "1999-07-01")
    # 1 July 1999 to 30 June 2000 has 366 days, 1 July 2000 to 30 June 2001 has 365.
    for year, part in ((2000, values[:366]), (2001, values[366:731])):
        found = index(FREEZING, tmp_path, (year, year), approximation="daily")
        assert found == pytest.approx(np.maximum(-part, 0).sum(), rel=1e-6)
    found = index_map(FREEZING, tmp_path, (2000, 2001), approximation="daily")
    np.testing.assert_allclose(found.values, np.maximum(-values[:731], 0).sum() / 2, rtol=1e-6)
    leap = values[184 : 184 + 366]
    found = index(THAWING, tmp_path, (2000, 2000), approximation="daily")
    assert found == pytest.approx(np.maximum(leap, 0).sum(), rel=1e-6)
    assert "calendar" not in index_map(THAWING, tmp_path, (2000, 2000), approximation="daily").attrs


def test_a_day_that_is_missing_or_stands_twice_is_named(tmp_path):
    values = _days("2000-01-01", 366)
    kept = [i for i in range(366) if i != 59]
    write_series(tmp_path / "t.nc", values[kept], kept, units="days since 2000-01-01")
    with pytest.raises(PermagridError, match="2000 lacks 1 of 366 days, the first 2000-02-29"):
        index(THAWING, tmp_path, (2000, 2000), approximation="daily")
    write_series(tmp_path / "t.nc", values, np.arange(366) // 2, units="days since 2000-01-01")
    with pytest.raises(PermagridError, match="2000-01-01 stands twice; daily means are needed, one a day"):
        index(THAWING, tmp_path, (2000, 2000), approximation="daily")


@pytest.mark.parametrize(
    ("calendar", "length"), [("noleap", 365), ("365_day", 365), ("360_day", 360), ("all_leap", 366)]
)
def test_a_calendar_of_a_climate_model_has_its_own_days(tmp_path, calendar, length):
    """A year of 360 days has an index of 360 days: what is read is said, not stretched."""
    values = np.arange(3 * length) % 40 - 25.0
    write_days(tmp_path / "d.nc", values, "1999-01-01", calendar=calendar)
    found = index_map(THAWING, tmp_path, (2000, 2000), path="d.nc", approximation="daily")
    np.testing.assert_allclose(found.values, np.maximum(values[length : 2 * length], 0).sum(), rtol=1e-6)
    assert found.attrs["calendar"] == ("noleap" if calendar == "365_day" else calendar)
    write_months(tmp_path / "m.nc", np.ones(36), "1999-01", calendar=calendar)
    assert index(THAWING, tmp_path, (2000, 2000), path="m.nc") == pytest.approx(length)
    assert index(THAWING, tmp_path, (2001, 2001), path="m.nc") == pytest.approx(length)


def test_a_daily_climatology_has_a_leap_day_every_fourth_year(tmp_path):
    values = np.ones(365)
    values[58] = 5.0
    write_days(tmp_path / "t.nc", values)
    assert index(THAWING, tmp_path, approximation="daily") == pytest.approx(364 + 5 * 1.25)
    values = np.ones(366)
    values[59] = 9.0
    write_days(tmp_path / "t.nc", values)
    assert index(THAWING, tmp_path, approximation="daily") == pytest.approx(365 + 9 * 0.25)
    write_days(tmp_path / "t.nc", np.ones(300))
    with pytest.raises(PermagridError, match="a climatology needs 365 or 366 days, found shape"):
        index(THAWING, tmp_path, approximation="daily")


@pytest.mark.parametrize(
    "keywords",
    [
        {"approximation": "daily", "path": "days.nc"},
        {"approximation": "monthly_variance", "standard_deviation": 4.5},
        {"approximation": "sinusoid"},
        {"approximation": "sinusoid", "path": None, "mean_input": "mean", "amplitude_input": "swing"},
    ],
)
def test_chunks_and_parts_change_no_bit(tmp_path, keywords, monkeypatch):
    random = np.random.default_rng(5)
    months = YEAR[:, None, None] + 4 * random.standard_normal((24, *COARSE.shape)).reshape(2, 12, 18, 36)
    write_series(tmp_path / "t.nc", months.reshape(24, 18, 36), range(24), units="months since 2000-01-15")
    days = _days("2000-01-01", 731)[:, None, None] + 4 * random.standard_normal((731, *COARSE.shape))
    write_series(tmp_path / "days.nc", days, range(731), units="days since 2000-01-01")
    write_tif(tmp_path / "mean.tif", 9 * random.standard_normal(GRID.shape) - 3, GRID)
    write_tif(tmp_path / "swing.tif", 15 + random.standard_normal(GRID.shape), GRID)
    asked = index_covariate(FREEZING, keywords, (2000, 2001))
    others = [
        Covariate("mean", "raster", "degC", {"path": "mean.tif"}),
        Covariate("swing", "raster", "delta degC", {"path": "swing.tif"}),
    ]
    named = {one.name: one for one in (asked, *others)}

    def compute(box, **more):
        lazy = build(FREEZING, named, box, epoch=(2001, 2001), root=tmp_path, **more)
        assert isinstance(lazy.data, da.Array)
        return lazy.compute(scheduler="threads", num_workers=2).values

    whole = compute(GRID)
    assert np.isfinite(whole).all()
    np.testing.assert_array_equal(compute(GRID[2:6, 1:5], whole=GRID), whole[2:6, 1:5])
    monkeypatch.setattr(resample, "CHUNK", 3)
    np.testing.assert_array_equal(compute(GRID), whole)
    monkeypatch.setattr(resample, "CHUNK", 1)
    np.testing.assert_array_equal(compute(GRID), whole)


def test_what_is_no_series_is_refused(tmp_path):
    write_months(tmp_path / "t.nc", YEAR[:7])
    with pytest.raises(PermagridError, match="a climatology needs 12 months"):
        index(FREEZING, tmp_path)
    write_series(
        tmp_path / "twice.nc", np.repeat(YEAR, 2), np.arange(24) / 2, units="months since 2000-01-15"
    )
    with pytest.raises(PermagridError, match=r"twice\.nc: 2000-01 stands twice; monthly means are needed"):
        index(THAWING, tmp_path, (2000, 2000), path="twice.nc")
    write_tif(tmp_path / "flat.tif", np.zeros(GRID.shape, "f4"), GRID)
    with pytest.raises(PermagridError, match="needs a time axis"):
        index(THAWING, tmp_path, (2000, 2000), path="flat.tif")
    with pytest.raises(PermagridError, match="a daily series needs a time axis"):
        index(THAWING, tmp_path, (2000, 2000), path="flat.tif", approximation="daily")
    write_months(tmp_path / "t.nc", np.tile(YEAR, 2), "2000-01")
    with pytest.raises(PermagridError, match="axis tells months but no days"):
        index(THAWING, tmp_path, (2000, 2000), approximation="daily")
    write_series(tmp_path / "years.nc", [1.0, 2.0], [2000, 2001], units="year")
    with pytest.raises(PermagridError, match="axis tells years but no months"):
        index(THAWING, tmp_path, (2000, 2000), path="years.nc")
    write_days(tmp_path / "martian.nc", np.ones(800), calendar="darian")
    with pytest.raises(PermagridError, match=r"martian\.nc: "):
        index(THAWING, tmp_path, (2000, 2000), path="martian.nc", approximation="daily")


def test_months_in_two_files_are_named(tmp_path):
    write_months(tmp_path / "t1999.nc", np.tile(YEAR, 2)[:14], "1999-01")
    write_months(tmp_path / "t2000.nc", YEAR, "2000-01")
    message = r"2000-01 stands twice: in .*t1999\.nc and in .*t2000\.nc"
    with pytest.raises(PermagridError, match=message):
        index(FREEZING, tmp_path, (2000, 2000), path="t{year}.nc")


def test_a_season_of_two_calendars_is_refused(tmp_path):
    write_months(tmp_path / "t1999.nc", YEAR, "1999-01", calendar="noleap")
    write_months(tmp_path / "t2000.nc", YEAR, "2000-01")
    with pytest.raises(PermagridError, match="2000 has steps of two calendars, noleap and standard"):
        index(FREEZING, tmp_path, (2000, 2000), path="t{year}.nc")


INPUTS = {
    name: Covariate(name, "observation", "delta degC", {"column": name, "at": 1.0}) for name in ("m", "a")
}


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"window": 8}, "window must be an odd number of years.*; found 8"),
        ({"window": -1}, "window must be an odd number of years"),
        ({"window": 9, "minimum_years": 10}, "minimum_years must be 1 to 9, the years of the window"),
        ({"minimum_years": 0}, "minimum_years must be 1 or more; found 0"),
        ({"minimum_years": 6}, "minimum_years is 6, of 5 years"),
        ({"approximation": "monthly_variance"}, "standard_deviation is missing"),
        ({"standard_deviation": 4.5}, "belongs to approximation: monthly_variance, found monthly"),
        (
            {"approximation": "monthly_variance", "standard_deviation": [4.0, 5.0]},
            r"must be one number of 0 or more, or twelve, found \[4\.0, 5\.0\]",
        ),
        ({"approximation": "monthly_variance", "standard_deviation": -1.0}, "0 or more, or twelve"),
        ({"approximation": "sinusoid", "path": None, "mean_input": "m"}, "amplitude_input is missing"),
        ({"approximation": "sinusoid", "path": None, "amplitude_input": "a"}, "mean_input is missing"),
        ({"mean_input": "m", "path": None}, "mean_input belongs to approximation: sinusoid"),
        (
            {"approximation": "sinusoid", "mean_input": "m", "amplitude_input": "a"},
            "path and mean_input are both set",
        ),
        (
            {
                "approximation": "sinusoid",
                "path": None,
                "mean_input": "m",
                "amplitude_input": "a",
                "window": 3,
            },
            "window is for a series of years",
        ),
        ({"path": None}, "path is missing"),
        ({"path": "t{month}.nc", "window": 9}, "window is for a series of years"),
        ({"with_path": "t{month}.nc"}, "path and with_path differ in kind"),
        ({"stored_unit": "mm"}, r"unit 'mm' \(length\) cannot be turned into 'degC'"),
    ],
)
def test_keywords_that_contradict_each_other(tmp_path, keywords, message):
    """At once, before any value is made, and where the files do not matter in a check of the study, too."""
    write_months(tmp_path / "t.nc", np.tile(YEAR, 6), "2000-01")
    covariate = index_covariate(THAWING, keywords, (2000, 2004))
    assert COVARIATES.faults(THAWING, covariate.keywords) == []
    with pytest.raises(PermagridError, match=message):
        build(THAWING, {THAWING: covariate, **INPUTS}, GRID, epoch=(2000, 2004), root=tmp_path)
    known = traits_of(THAWING).faults
    assert known is not None
    if not {"stored_unit"} & set(keywords) and keywords != {"minimum_years": 6}:
        assert any(known(covariate.settings, []))
    assert list(known(index_covariate(THAWING, {}, (2000, 2004)).settings, [])) == []


def test_an_epoch_without_a_middle_year_has_no_window(twenty_years):
    with pytest.raises(PermagridError, match="middle year of the epoch, and 2000-2003 has none"):
        index(THAWING, twenty_years, (2000, 2003), window=3)


def test_a_climatology_has_no_years(tmp_path):
    write_months(tmp_path / "t.nc", YEAR)
    with pytest.raises(PermagridError, match="minimum_years is for a series of years"):
        index(THAWING, tmp_path, minimum_years=1)
    mean = index_covariate(THAWING, {}, None)
    with pytest.raises(PermagridError, match="of one mean year, there are no years to count"):
        made(Covariate("n", "valid_years", "1", {"input": THAWING}), GRID, tmp_path, mean)
    with pytest.raises(PermagridError, match="no covariate 'thawing' to build from"):
        made(Covariate("n", "valid_years", "1", {"input": "thawing"}), GRID, tmp_path, mean)
    slope = Covariate("n", "valid_years", "1", {"input": "o"})
    other = Covariate("o", "observation", "m", {"column": "depth", "at": 1.0})
    with pytest.raises(PermagridError, match="o is made by observation; years are counted of"):
        made(slope, GRID, tmp_path, other)


@pytest.mark.parametrize(("unit", "shown"), [("K", "'K'"), ("mm", "'mm'")])
def test_a_file_that_says_it_is_not_in_degrees_is_refused(tmp_path, unit, shown):
    """Kelvin taken for degrees thaw all year."""
    write_months(tmp_path / "t.nc", YEAR, unit=unit)
    with pytest.raises(PermagridError, match=f"gives its unit as {shown}, not as temperature in degC"):
        index(THAWING, tmp_path)
    if unit == "mm":
        assert index(THAWING, tmp_path, stored_unit="degC") == pytest.approx(1104, abs=0.01)


def test_its_files_are_those_of_the_window_and_the_winter_before(tmp_path):
    files = traits_of(FREEZING).files, traits_of(THAWING).files
    settings = index_covariate(FREEZING, {"path": "t{year}.nc", "window": 3}, (1990, 2010)).settings

    def years(listed):
        return [int(path.name[1:5]) for path in listed]

    epochs = [(2000, 2000), (2004, 2006)]
    assert years(files[0](settings, epochs, tmp_path)) == [1998, 1999, 2000, 2001, 2003, 2004, 2005, 2006]
    assert years(files[1](settings, epochs, tmp_path)) == [1999, 2000, 2001, 2004, 2005, 2006]
    months = {**settings, "path": "t{year}-{m}.nc", "window": None}
    found = [path.name for path in files[0](months, [(2000, 2000)], tmp_path)]
    assert sorted(found) == sorted(
        f"t{year}-{month}.nc"
        for year, month in [(1999, m) for m in range(7, 13)] + [(2000, m) for m in range(1, 7)]
    )
    # Where fewer years suffice, those that are there are enough.
    for year in (1999, 2001):
        (tmp_path / f"t{year}.nc").touch()
    some = {**settings, "minimum_years": 1}
    assert years(files[0](some, epochs, tmp_path)) == [1999, 2001, 2003, 2004, 2005, 2006]
    assert years(files[0](some, epochs[:1], tmp_path)) == [1999, 2001]
    both = {**settings, "path": "low.nc", "with_path": "high.nc"}
    assert [path.name for path in files[0](both, epochs, tmp_path)] == ["high.nc", "low.nc"]
    assert files[0]({**settings, "path": "https://example.org/t{year}.nc"}, epochs, tmp_path) == []
    assert files[0]({**settings, "path": None}, epochs, tmp_path) == []
    climatology = {**settings, "path": "t{month}.nc", "window": None}
    assert len(files[0](climatology, [], tmp_path)) == 12


def test_a_path_that_varies_needs_years(tmp_path):
    with pytest.raises(PermagridError, match=r"path 't\{year\}\.nc' varies, but years are not stated"):
        index(FREEZING, tmp_path, path="t{year}.nc")
    assert MONTH_DAYS.sum() == 365.25
