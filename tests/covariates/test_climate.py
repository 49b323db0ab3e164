"""Freezing and thawing indices against numbers worked out by hand, and zonal anomalies."""

import numpy as np
import pytest
import xarray as xr
from made_rasters import made, write_tif

from permagrid.covariates import Covariate
from permagrid.covariates.climate.degree_days import MONTH_DAYS, degree_days
from permagrid.errors import PermagridError
from permagrid.grid import lonlat, make_geobox

GRID = make_geobox("EPSG:3995", 100_000, bounds=(-400_000, -400_000, 400_000, 400_000))
YEAR = np.array([-20.0, -18, -10, -2, 4, 9, 12, 8, 3, -5, -12, -17])
COMMON = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
LEAP = np.where(COMMON == 28, 29, COMMON)


def _monthly(path, values, first="2000-01", *, unit="degC", step=1):
    """Write a file of months; each is constant over the globe."""
    stored = np.asarray(values, dtype=float) + (273.15 if unit == "K" else 0.0)
    time = np.arange(len(values)) * step
    coarse = make_geobox("EPSG:4326", 10, bounds=(-180, -90, 180, 90))
    coords = {
        "time": ("time", time, {"units": f"months since {first}-15"}),
        "lat": coarse.coords["latitude"].values,
        "lon": coarse.coords["longitude"].values,
    }
    data = stored[:, None, None] * np.ones(coarse.shape)
    xr.Dataset({"t": (("time", "lat", "lon"), data)}, coords).to_netcdf(path)


def _index(method, root, epoch=None, *, years=(1990, 2020), static=False, **keywords):
    keywords = {"path": "t.nc", **keywords}
    covariate = Covariate(method, method, "degC day", keywords, years=years if epoch else None, static=static)
    values = made(covariate, GRID, root, epoch=epoch).values
    assert np.ptp(values) < 1e-3
    return float(values[0, 0])


def _freezing(temperatures, days):
    return float((np.maximum(-np.asarray(temperatures), 0) * days).sum())


def test_degree_days_add_up_by_sign():
    monthly = np.array([[-10.0, 2.0], [5.0, np.nan]])
    np.testing.assert_array_equal(degree_days(monthly, np.array([31.0, 28.0]), sign=-1), [310.0, np.nan])
    np.testing.assert_array_equal(degree_days(monthly, np.array([31.0, 28.0]), sign=1), [140.0, np.nan])
    assert MONTH_DAYS.sum() == 365.25


@pytest.mark.parametrize("unit", ["degC", "K"])
def test_of_a_climatology(tmp_path, unit):
    _monthly(tmp_path / "t.nc", YEAR, unit=unit)
    # By hand: 31*20 + 28.25*18 + 31*10 + 30*2 + 31*5 + 30*12 + 31*17, and 31*4 + 30*9 + 31*12 + 31*8 + 30*3.
    assert _index("freezing_index", tmp_path, stored_unit=unit) == pytest.approx(2540.5, abs=0.01)
    assert _index("thawing_index", tmp_path, stored_unit=unit) == pytest.approx(1104, abs=0.01)


def test_of_twelve_files(tmp_path):
    for month, value in enumerate(YEAR, start=1):
        write_tif(tmp_path / f"t{month:02d}.tif", np.full(GRID.shape, value * 10, "int16"), GRID)
    path, unit = "t{month}.tif", "0.1 degC"
    assert _index("freezing_index", tmp_path, path=path, stored_unit=unit) == pytest.approx(2540.5)
    (tmp_path / "t07.tif").unlink()
    with pytest.raises(PermagridError, match=r"t07\.tif: no such file"):
        _index("freezing_index", tmp_path, path=path, stored_unit=unit)


def test_a_freezing_season_runs_from_july_to_june(tmp_path):
    """The winter 2000/2001 is warmer by 5 degC than the one before: the index of 2001 must show it alone."""
    months = np.concatenate([YEAR, YEAR, YEAR])
    months[18:30] += 5.0
    _monthly(tmp_path / "t.nc", months, "1999-01")
    season = np.concatenate([months[18:24], months[24:30]])
    by_hand = _freezing(season, np.concatenate([LEAP[6:], COMMON[:6]]))
    assert _index("freezing_index", tmp_path, (2001, 2001)) == pytest.approx(by_hand)
    before = _freezing(np.concatenate([YEAR[6:], YEAR[:6]]), np.concatenate([COMMON[6:], LEAP[:6]]))
    assert _index("freezing_index", tmp_path, (2000, 2000)) == pytest.approx(before)
    with pytest.raises(PermagridError, match="0 complete seasons, July to June, of 1999-1999"):
        _index("freezing_index", tmp_path, (1999, 1999))


def test_a_thawing_season_is_a_calendar_year(tmp_path):
    months = np.concatenate([YEAR, YEAR + 2, YEAR])
    _monthly(tmp_path / "t.nc", months, "1999-01")
    by_hand = float((np.maximum(YEAR + 2, 0) * LEAP).sum())
    assert _index("thawing_index", tmp_path, (2000, 2000)) == pytest.approx(by_hand)


def test_an_epoch_has_the_mean_of_its_indices_not_the_index_of_its_mean(tmp_path):
    """A month at +6 and at -6 degC freezes every second year, though its mean is 0."""
    one, other = np.full(12, 6.0), np.full(12, -6.0)
    _monthly(tmp_path / "t.nc", np.concatenate([one, other]), "2001-01")
    assert _index("thawing_index", tmp_path, (2001, 2002)) == pytest.approx(6 * 365 / 2)
    assert _index("thawing_index", tmp_path, (2001, 2001)) == pytest.approx(6 * 365)


def test_incomplete_years_are_left_out_and_counted(tmp_path):
    _monthly(tmp_path / "t.nc", np.concatenate([YEAR, YEAR, YEAR[:5]]), "2000-01")
    assert _index("thawing_index", tmp_path, (2000, 2004)) == pytest.approx(1104, abs=0.1)
    message = r"2 complete years of 2000-2004 in t\.nc, minimum_years is 3"
    with pytest.raises(PermagridError, match=message):
        _index("thawing_index", tmp_path, (2000, 2004), minimum_years=3)


def test_what_is_no_series_of_months_is_refused(tmp_path):
    _monthly(tmp_path / "t.nc", YEAR[:7])
    with pytest.raises(PermagridError, match="a climatology needs 12 months"):
        _index("freezing_index", tmp_path)
    _monthly(tmp_path / "twice.nc", np.repeat(YEAR, 2), step=0.5)
    with pytest.raises(PermagridError, match="2000-01 stands twice"):
        _index("thawing_index", tmp_path, (2000, 2000), path="twice.nc")
    write_tif(tmp_path / "flat.tif", np.zeros(GRID.shape, "f4"), GRID)
    with pytest.raises(PermagridError, match="needs a time axis"):
        _index("thawing_index", tmp_path, (2000, 2000), path="flat.tif")


def test_a_series_in_files_of_years_reaches_back_for_its_first_winter(tmp_path):
    for year in (1999, 2000, 2001):
        _monthly(tmp_path / f"t{year}.nc", YEAR + (year == 1999), f"{year}-01")
    season = np.concatenate([YEAR[6:] + 1, YEAR[:6]])
    first = _freezing(season, np.concatenate([COMMON[6:], LEAP[:6]]))
    assert _index("freezing_index", tmp_path, (2000, 2000), path="t{year}.nc") == pytest.approx(first)
    (tmp_path / "t1999.nc").unlink()
    alone = _freezing(np.concatenate([YEAR[6:], YEAR[:6]]), np.concatenate([LEAP[6:], COMMON[:6]]))
    assert _index("freezing_index", tmp_path, (2000, 2001), path="t{year}.nc") == pytest.approx(alone)


def test_a_series_in_files_of_months(tmp_path):
    for year in (2000, 2001):
        for month, value in enumerate(YEAR, start=1):
            path = tmp_path / f"t{year}{month:02d}.tif"
            write_tif(path, np.full(GRID.shape, value + (year == 2001), "f4"), GRID)
    path = "t{year}{month}.tif"
    warm = float((np.maximum(YEAR + 1, 0) * COMMON).sum())
    assert _index("thawing_index", tmp_path, (2001, 2001), path=path) == pytest.approx(warm)
    season = _freezing(np.concatenate([YEAR[6:], YEAR[:6] + 1]), np.concatenate([LEAP[6:], COMMON[:6]]))
    assert _index("freezing_index", tmp_path, (2001, 2001), path=path) == pytest.approx(season)


def test_a_cell_that_lacks_a_month_is_nodata(tmp_path):
    for month, value in enumerate(YEAR, start=1):
        values = np.full(GRID.shape, value, "f4")
        values[0, 0] = np.nan if month == 3 else value
        write_tif(tmp_path / f"t{month:02d}.tif", values, GRID)
    covariate = Covariate("f", "freezing_index", "degC day", {"path": "t{month}.tif"})
    assert np.isnan(made(covariate, GRID, tmp_path).values).sum() == 1


BANDS = ["64N-90N", "44N-64N", "24N-44N"]
CHINA_TO_POLE = make_geobox("EPSG:4326", 1, bounds=(100, 20, 104, 90))


def _table(path, rows):
    lines = ["Year,Glob,64N-90N,44N-64N,24N-44N,EQU-24N"]
    path.write_text("\n".join([*lines, *(",".join(map(str, row)) for row in rows)]) + "\n")


def _anomaly(root, epoch, **keywords):
    covariate = Covariate(
        "a", "zonal_anomaly", "delta degC", {"path": "z.csv", **keywords}, years=(1880, 2022)
    )
    return made(covariate, CHINA_TO_POLE, root, epoch=epoch).values


@pytest.fixture
def zones(tmp_path):
    rows = [[year, 0, year - 1990, (year - 1990) / 2, 1.0, -1.0] for year in range(1980, 2001)]
    _table(tmp_path / "z.csv", rows)
    return tmp_path


def test_an_anomaly_is_constant_in_a_band_or_blends_between_their_middles(zones):
    latitude = lonlat(CHINA_TO_POLE)[1]
    stepped = _anomaly(zones, (1996, 2000), blend=False)
    np.testing.assert_allclose(stepped, np.select([latitude > 64, latitude > 44], [8.0, 4.0], 1.0))
    blended = _anomaly(zones, (1996, 2000))
    np.testing.assert_allclose(blended, np.interp(latitude, [34, 54, 77], [1.0, 4.0, 8.0]), atol=1e-6)
    assert np.abs(np.diff(blended[:, 0])).max() < 0.25


def test_bands_may_stand_in_any_order(zones):
    np.testing.assert_array_equal(
        _anomaly(zones, (1996, 2000), bands=BANDS[::-1]), _anomaly(zones, (1996, 2000))
    )


def test_an_anomaly_counts_from_its_reference(zones):
    np.testing.assert_allclose(_anomaly(zones, (1996, 2000), reference=(1980, 1990), blend=False)[0], 13.0)


@pytest.mark.parametrize(
    ("epoch", "keywords", "message"),
    [
        ((1998, 2002), {}, "years 2001, 2002 of 1998-2002 are not there; it covers 1980-2000"),
        ((1990, 1994), {"reference": (1970, 1980)}, "years 1970, 1971.* are not there"),
        ((1990, 1994), {"bands": ["60N-90N"]}, "missing column 60N-90N"),
        ((1990, 1994), {"bands": ["64N-90N", "north"]}, "latitude band 'north' is not written like 64N-90N"),
        ((1990, 1994), {"bands": ["64N-90N", "24N-90N"]}, "overlap"),
        ((1990, 1994), {"path": "none.csv"}, r"none\.csv: cannot be read as a table"),
    ],
)
def test_a_table_that_does_not_suffice_is_refused(zones, epoch, keywords, message):
    with pytest.raises(PermagridError, match=message):
        _anomaly(zones, epoch, **keywords)


def test_a_year_without_a_number_is_refused_not_skipped(zones):
    _table(zones / "z.csv", [[1990, 0, 1, 1, 1, 1], [1991, 0, "***", 1, 1, 1]])
    with pytest.raises(PermagridError, match="years 1991 of 1990-1991 are not there"):
        _anomaly(zones, (1990, 1991))


def test_an_anomaly_needs_years(zones):
    with pytest.raises(PermagridError, match="needs years and epochs"):
        made(Covariate("a", "zonal_anomaly", "delta degC", {"path": "z.csv"}), CHINA_TO_POLE, zones)
