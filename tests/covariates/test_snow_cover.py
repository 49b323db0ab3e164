"""Days with snow from daily maps, counted by hand."""

from datetime import date, timedelta

import numpy as np
import pytest
import xarray as xr
from made_rasters import made, write_tif

from permagrid.covariates import Covariate
from permagrid.covariates.climate import snow_cover
from permagrid.covariates.climate.snow_days import dates_of_season, expected_files
from permagrid.covariates.traits import traits_of
from permagrid.errors import PermagridError
from permagrid.grid import make_geobox

GRID = make_geobox("EPSG:3995", 1000, bounds=(0, 0, 4_000, 3_000))
CODES = {"snow": [200], "unknown": [50]}
SNOW, BARE, CLOUD = 200, 25, 50


def _map(root, epoch=(2001, 2001), *, grid=GRID, **keywords):
    given = {"path": "s.nc", **CODES, **keywords}
    given = {key: value for key, value in given.items() if value is not None}
    covariate = Covariate("snow", "snow_cover_days", "day", given, years=(1980, 2020))
    return made(covariate, grid, root, epoch=epoch)


def _value(root, epoch=(2001, 2001), **keywords):
    values = _map(root, epoch, **keywords).values
    assert np.ptp(values) < 1e-4
    return float(values[0, 0])


def _year(snow=100, cloud=0, year=2001):
    """Codes of the days of a snow year: snow first, then clouds, then bare."""
    days = len(dates_of_season(year))
    return np.array([SNOW] * snow + [CLOUD] * cloud + [BARE] * (days - snow - cloud), dtype="uint8")


def _write(path, codes, first="2000-09-01", times=None):
    """Write a file with a step a day; codes are one a day, or ``(day, y, x)``."""
    codes = np.asarray(codes)
    if codes.ndim == 1:
        codes = codes[:, None, None] * np.ones(GRID.shape, dtype=codes.dtype)
    times = np.arange(len(codes)) if times is None else times
    coords = {
        "time": ("time", times, {"units": f"days since {first}"}),
        "y": ("y", GRID.coords["y"].values, {"units": "metre"}),
        "x": ("x", GRID.coords["x"].values, {"units": "metre"}),
        "spatial_ref": ((), 0, {"crs_wkt": str(GRID.crs.proj.to_wkt())}),
    }
    xr.Dataset({"s": (("time", "y", "x"), codes, {"grid_mapping": "spatial_ref"})}, coords).to_netcdf(path)


def test_days_of_a_snow_year(tmp_path):
    _write(tmp_path / "s.nc", _year(snow=180))
    array = _map(tmp_path)
    assert (array.values == 180).all()
    assert array.attrs["valid_years"] == "1 of 1: 2001"
    assert array.attrs["season"] == "September-August"


def test_a_snow_year_ends_in_august_of_the_year_that_names_it(tmp_path):
    """Snow from 25 August to 10 September 2000: its days belong to two snow years."""
    times = np.arange(2 * 365 + 1)
    day = np.array([date(1999, 9, 1) + timedelta(int(t)) for t in times])
    snow = (day >= date(2000, 8, 25)) & (day <= date(2000, 9, 10))
    _write(tmp_path / "s.nc", np.where(snow, SNOW, BARE), "1999-09-01")
    assert _value(tmp_path, (2000, 2000)) == pytest.approx(7 * 365 / 366)
    assert _value(tmp_path, (2001, 2001)) == pytest.approx(10)
    assert _value(tmp_path, (2000, 2001)) == pytest.approx((7 * 365 / 366 + 10) / 2)


@pytest.mark.parametrize("cloud", [0, 20, 35])
def test_days_are_scaled_by_those_that_are_known(tmp_path, cloud):
    _write(tmp_path / "s.nc", _year(snow=150, cloud=cloud))
    assert _value(tmp_path) == pytest.approx(150 * 365 / (365 - cloud))
    assert _value(tmp_path, statistic="valid_days") == 365 - cloud


def test_a_cell_with_too_few_known_days_has_none(tmp_path):
    codes = _year(snow=100)[:, None, None] * np.ones(GRID.shape, dtype="uint8")
    codes[:36, 0, 0], codes[:35, 0, 1] = CLOUD, CLOUD
    _write(tmp_path / "s.nc", codes)
    found = _map(tmp_path).values
    assert np.isnan(found[0, 0])
    assert found[0, 1] == pytest.approx(65 * 365 / 330)
    assert (found[1:] == 100).all()
    assert _map(tmp_path, statistic="valid_days").values[0, :2].tolist() == [329, 330]
    assert _map(tmp_path, minimum_days=329).values[0, 0] == pytest.approx(64 * 365 / 329)


def test_shares_of_snow_count_from_a_minimum_and_codes_above_them_do_not(tmp_path):
    stored = np.array([60] * 100 + [40] * 30 + [39] * 100 + [0] * 110 + [250] * 20 + [211] * 5)
    _write(tmp_path / "s.nc", stored.astype("uint8"))
    shares = {"snow": None, "unknown": None, "minimum": 40.0, "maximum": 100.0}
    assert _value(tmp_path, **shares) == pytest.approx(130 * 365 / 340)
    assert _value(tmp_path, **{**shares, "unknown": [39]}, minimum_days=200) == pytest.approx(130 * 365 / 240)
    assert _value(tmp_path, **shares, statistic="valid_days") == 340


@pytest.mark.parametrize(
    "pattern", ["s_{date}.tif", "A{year}{day}.tif", "{year}-{month}-{day}.tif", "d{m}_{day}_{year}.tif"]
)
def test_a_file_a_day(tmp_path, pattern):
    """Days may be missing; names tell day of year, or month and day."""
    days = dates_of_season(2001)[100:140]
    for place, when in enumerate(days):
        if place % 10 == 0:
            continue
        of_year = f"{when.timetuple().tm_yday:03d}"
        name = {
            "s": f"s_{when:%Y%m%d}.tif",
            "A": f"A{when.year}{of_year}.tif",
            "{": f"{when:%Y-%m-%d}.tif",
            "d": f"d{when.month}_{when.day:02d}_{when.year}.tif",
        }[pattern[0]]
        code = SNOW if place < 15 else BARE
        write_tif(tmp_path / name, np.full(GRID.shape, code, "uint8"), GRID)
    few = {"path": pattern, "minimum_days": 36}
    assert _value(tmp_path, **few) == pytest.approx(13 * 365 / 36)
    assert _value(tmp_path, **few, statistic="valid_days") == 36


def test_a_file_a_calendar_year(tmp_path):
    both = np.concatenate([_year(snow=100, year=2001), _year(snow=50, year=2002)])
    _write(tmp_path / "s2000.nc", both[:122], "2000-09-01")
    _write(tmp_path / "s2001.nc", both[122 : 122 + 365], "2001-01-01")
    _write(tmp_path / "s2002.nc", both[122 + 365 :], "2002-01-01")
    assert _value(tmp_path, (2001, 2002), path="s{year}.nc") == 75
    (tmp_path / "s2000.nc").unlink()
    with pytest.raises(PermagridError, match=r"1 of the 2 snow years .* missing are 2001 \(2001 has 243\)"):
        _value(tmp_path, (2001, 2002), path="s{year}.nc")
    assert _value(tmp_path, (2001, 2002), path="s{year}.nc", minimum_years=1) == 50


def test_a_cell_needs_as_many_snow_years_as_the_study_says(tmp_path):
    codes = np.concatenate([_year(snow=n, year=2000 + i) for i, n in enumerate((90, 60, 30), start=1)])
    codes = codes[:, None, None] * np.ones(GRID.shape, dtype="uint8")
    codes[:365, 0, 0] = CLOUD
    _write(tmp_path / "s.nc", codes)
    found = _map(tmp_path, (2001, 2003)).values
    assert np.isnan(found[0, 0])
    assert found[1, 1] == pytest.approx(60)
    found = _map(tmp_path, (2002, 2002), window=3, minimum_years=2).values
    assert found[0, 0] == pytest.approx(45)
    assert found[1, 1] == pytest.approx(60)
    assert np.isnan(_map(tmp_path, (2001, 2001)).values[0, 0])


def test_days_are_counted_in_the_cells_of_the_maps(tmp_path):
    """Of four cells, three with 100 and one with 20 days, the mean is 80; the most frequent code says 100."""
    codes = np.stack(
        [
            np.array([[SNOW, SNOW], [SNOW, SNOW if t < 20 else BARE]]) if t < 100 else np.full((2, 2), BARE)
            for t in range(365)
        ]
    )
    _write(tmp_path / "s.nc", np.tile(codes, (1, 2, 2))[:, :3, :])
    coarse = make_geobox("EPSG:3995", 2000, bounds=(0, 1_000, 4_000, 3_000))
    np.testing.assert_allclose(_map(tmp_path, grid=coarse).values, 80.0)


def test_few_days_are_in_memory_at_a_time(tmp_path, monkeypatch):
    random = np.random.default_rng(2)
    _write(tmp_path / "s.nc", random.choice([SNOW, BARE, BARE, CLOUD], (365, *GRID.shape)).astype("uint8"))
    whole = _map(tmp_path, minimum_days=200).values
    most = []
    counted = snow_cover._Rule.__call__

    def watched(rule, stored):
        most.append(stored.size)
        return counted(rule, stored)

    monkeypatch.setattr(snow_cover._Rule, "__call__", watched)
    monkeypatch.setattr(snow_cover, "_CELLS_AT_A_TIME", 100)
    np.testing.assert_array_equal(_map(tmp_path, minimum_days=200).values, whole)
    assert max(most) <= 100
    assert sum(most) == 365 * GRID.shape[0] * GRID.shape[1]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"snow": None}, "needs either snow, .* or minimum"),
        ({"minimum": 40.0, "maximum": 100.0}, "needs either snow"),
        ({"snow": None, "minimum": 40.0}, "minimum and maximum stand together"),
        ({"snow": None, "minimum": 40.0, "maximum": 30.0}, "minimum must be above 0 and at most maximum"),
        ({"unknown": [200, 1]}, "snow and unknown share the code 200"),
        ({"minimum_days": 366}, "minimum_days must be 1 to 365"),
        ({"window": 2}, "window must be an odd number"),
    ],
)
def test_keywords_that_contradict_each_other(tmp_path, keywords, message):
    _write(tmp_path / "s.nc", _year())
    with pytest.raises(PermagridError, match=message):
        _map(tmp_path, **keywords)


def test_files_that_do_not_suffice(tmp_path):
    _write(tmp_path / "s.nc", _year()[:300])
    with pytest.raises(
        PermagridError, match=r"0 of the 1 snow years 2001 have maps on 330 days or more in s\.nc"
    ):
        _map(tmp_path)
    _write(tmp_path / "twice.nc", _year(), times=np.maximum(0, np.arange(365) - 1))
    with pytest.raises(PermagridError, match=r"2000-09-01 stands twice"):
        _map(tmp_path, path="twice.nc")
    _write(tmp_path / "months.nc", _year()[:12])
    write_tif(tmp_path / "flat.tif", np.zeros(GRID.shape, "uint8"), GRID)
    with pytest.raises(PermagridError, match="a daily series needs a time axis"):
        _map(tmp_path, path="flat.tif")
    with pytest.raises(PermagridError, match="0 of the 1 snow years"):
        _map(tmp_path, path="none_{date}.tif")
    with pytest.raises(PermagridError, match="needs years and epochs"):
        made(Covariate("s", "snow_cover_days", "day", {"path": "s.nc", **CODES}), GRID, tmp_path)


def test_maps_of_another_grid_are_told(tmp_path):
    other = make_geobox("EPSG:3995", 1000, bounds=(1_000, 0, 5_000, 3_000))
    for when in dates_of_season(2001):
        grid = other if when == date(2001, 3, 1) else GRID
        write_tif(tmp_path / f"s_{when:%Y%m%d}.tif", np.full(GRID.shape, SNOW, "uint8"), grid)
    with pytest.raises(PermagridError, match=r"s_20010301\.tif: its grid is not that of .*s_20000901\.tif"):
        _map(tmp_path, path="s_{date}.tif")


def test_the_files_of_days_are_known_before_a_run(tmp_path):
    settings = Covariate("s", "snow_cover_days", "day", {"path": "s_{date}.tif", **CODES}).settings
    days = dates_of_season(2001)
    for when in days[:340]:
        (tmp_path / f"s_{when:%Y%m%d}.tif").touch()
    assert traits_of("snow_cover_days").files is expected_files
    assert len(expected_files(settings, [(2001, 2001)], tmp_path)) == 340
    # Where days are too few, those that are missing are asked for.
    assert len(expected_files({**settings, "minimum_days": 350}, [(2001, 2001)], tmp_path)) == 365
    by_year = {**settings, "path": "s{year}.nc"}
    assert [p.name for p in expected_files(by_year, [(2001, 2001)], tmp_path)] == ["s2000.nc", "s2001.nc"]
