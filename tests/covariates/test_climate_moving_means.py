"""Centred moving means of annual indices: what they are of, and that indices are averaged, not climates."""

import cftime
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from permagrid.covariates.climate import centred_mean
from permagrid.covariates.climate.index_formulas import degree_days
from permagrid.covariates.climate.moving_means import mean_of_valid, valid_count, window_of
from permagrid.covariates.times import as_ranges, days_in_month
from permagrid.errors import PermagridError


def _series(values, first=2000, **attrs):
    values = np.asarray(values, dtype=float)
    return xr.DataArray(
        values,
        dims=("year", "x")[: values.ndim],
        coords={"year": np.arange(first, first + len(values))},
        attrs=attrs,
    )


def test_it_is_the_mean_of_the_years_around_each():
    found = centred_mean(_series(np.arange(11.0) ** 2, units="degC day"), 9)
    assert found["valid_years"].values.tolist() == [5, 6, 7, 8, 9, 9, 9, 8, 7, 6, 5]
    expected = [np.mean(np.arange(at - 4, at + 5) ** 2.0) for at in (4, 5, 6)]
    np.testing.assert_allclose(found["mean"].values[4:7], expected)
    assert np.isnan(found["mean"].values[[0, 1, 2, 3, 7, 8, 9, 10]]).all()
    assert found["mean"].attrs["units"] == "degC day"
    assert found["mean"].attrs["window"] == "centred mean of 9 years, of at least 9"


def test_indices_are_averaged_not_climates():
    """Nine Octobers about 0 °C: in four of them it thaws, though their mean does not thaw."""
    octobers = np.array([-4.0, 2.0, -3.0, 3.0, -1.0, 1.0, -5.0, 4.0, -2.0])
    days = np.full(1, 31.0)
    annual = _series([degree_days([t], days, sign=1) for t in octobers])
    found = float(centred_mean(annual, 9)["mean"][4])
    assert found == pytest.approx(31 * (2 + 3 + 1 + 4) / 9)
    assert degree_days([octobers.mean()], days, sign=1) == 0.0


def test_a_hole_is_counted_and_refused_below_the_minimum():
    whole = _series(np.arange(2.0, 11.0))
    holed = whole.drop_sel(year=2003)
    found = centred_mean(holed, 9, 8)
    assert found["year"].values.tolist() == list(range(2000, 2009))
    assert int(found["valid_years"].sel(year=2004)) == 8
    assert float(found["mean"].sel(year=2004)) == pytest.approx((54 - 5) / 8)
    assert np.isnan(centred_mean(holed, 9)["mean"]).all()
    # A year that is there as nodata is a hole as well.
    blank = centred_mean(whole.where(whole["year"] != 2003), 9, 8)
    xr.testing.assert_identical(blank, found)


YEARS = arrays(float, (12, 3), elements=st.floats(0, 1e4) | st.just(np.nan))


@settings(max_examples=30, deadline=None)
@given(YEARS, st.sampled_from([1, 3, 5, 9]), st.integers(1, 9))
def test_it_is_what_the_covariates_do_lazy_or_not(values, window, minimum):
    minimum = min(minimum, window)
    series = _series(values)
    found = centred_mean(series, window, minimum)
    lazy = centred_mean(series.chunk({"year": 5, "x": 1}), window, minimum).compute()
    xr.testing.assert_identical(lazy, found)
    half = window // 2
    for at in range(half, 12 - half):
        part = list(values[at - half : at + half + 1])
        np.testing.assert_array_equal(found["mean"].values[at], mean_of_valid(*part, minimum=minimum))
        np.testing.assert_array_equal(found["valid_years"].values[at], valid_count(*part))


@pytest.mark.parametrize(
    ("series", "options", "message"),
    [
        (_series([1.0, 2.0]), {"window": 8}, "window must be an odd number of years.*found 8"),
        (_series([1.0, 2.0]), {"window": 0}, "window must be an odd number"),
        (_series([1.0, 2.0]), {"window": 3, "minimum_years": 4}, "must be 1 to 3, the years of the window"),
        (_series([1.0, 2.0]), {"window": 3, "minimum_years": 0}, "must be 1 to 3"),
        (
            _series(np.ones(5)),
            {"window": 9},
            "a window of 9 years is longer than the series, which has 5, 2000-2004; allowed are a window of "
            "up to 5 years, or minimum_years of up to 5",
        ),
        (_series(np.ones(4)), {"window": 9, "minimum_years": 5}, "9 years of which 5 must be there.*up to 3"),
        (_series([1.0, 2.0]), {"window": 3, "dim": "time"}, "need a dimension 'time' with its years"),
        (_series([1.0, 2.0]).assign_coords(year=[2000, 2000]), {"window": 3}, "year 2000 stands twice"),
        (_series([1.0, 2.0]).assign_coords(year=[2000, 2000.5]), {"window": 3}, "must hold whole years"),
        (_series([1.0]).assign_coords(year=["2000"]), {"window": 3}, "must hold whole years"),
        (xr.DataArray(1.0), {"window": 3}, "dimensions are: none"),
    ],
)
def test_what_has_no_centred_mean_is_refused(series, options, message):
    with pytest.raises(PermagridError, match=message):
        centred_mean(series, **options)


def test_a_series_as_long_as_the_years_needed_has_a_mean():
    assert centred_mean(_series(np.ones(9)), 9)["mean"].notnull().sum() == 1
    assert centred_mean(_series(np.ones(5)), 9, 5)["mean"].notnull().all()


def test_a_window_surrounds_the_middle_year():
    assert window_of((1998, 2002), 9) == (1996, 2004)
    assert window_of((1998, 2002), 3) == (1999, 2001)
    with pytest.raises(PermagridError, match="1998-2001 has none"):
        window_of((1998, 2001), 9)


CALENDARS = ("standard", "proleptic_gregorian", "noleap", "all_leap", "360_day", "julian")


@pytest.mark.parametrize("calendar", CALENDARS)
@pytest.mark.parametrize("year", [4, 1500, 1582, 1600, 1900, 1999, 2000, 2024, 2100])
def test_months_are_as_long_as_their_calendar_says(calendar, year):
    for month in range(1, 13):
        if (calendar, year, month) == ("standard", 1582, 10):
            continue
        expected = cftime.datetime(year, month, 1, calendar=calendar).daysinmonth
        assert days_in_month(year, month, calendar) == expected


@given(st.sets(st.integers(1900, 2100), min_size=1))
def test_ranges_of_years_say_every_year_once(years):
    said = []
    for part in as_ranges(sorted(years)).split(", "):
        first, _, last = part.partition("-")
        said += range(int(first), int(last or first) + 1)
    assert said == sorted(years)
