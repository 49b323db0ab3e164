"""Covariates from rasters: files of years and epochs, time axes, units, sums."""

import pickle
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from made_rasters import GLOBE, made, smooth, write_tif

from permagrid.covariates import Covariate, build, varies
from permagrid.errors import PermagridError
from permagrid.grid import lonlat, make_geobox

GRID = make_geobox("EPSG:3995", 1000, bounds=(0, 0, 8_000, 6_000))


def _constant(folder, name, value, dtype="float32"):
    return write_tif(folder / name, np.full(GRID.shape, value, dtype), GRID)


def _series(path, values, time, units):
    """Write a file whose layers are constant."""
    data = np.asarray(values, dtype=float)[:, None, None] * np.ones(GLOBE.shape)
    coords = {
        "time": ("time", time, {"units": units}),
        "lat": GLOBE.coords["latitude"].values,
        "lon": GLOBE.coords["longitude"].values,
    }
    xr.Dataset({"field": (("time", "lat", "lon"), data.astype("f4"))}, coords).to_netcdf(path)


@pytest.mark.parametrize(
    ("stored", "stored_unit", "unit", "value"),
    [(250, "K", "degC", -23.15), (-85, "0.1 degC", "degC", -8.5), (12, None, "mm", 12), (55, "%", "1", 0.55)],
)
def test_values_come_in_the_covariates_unit(tmp_path, stored, stored_unit, unit, value):
    _constant(tmp_path, "a.tif", stored, "int16")
    covariate = Covariate("a", "raster", unit, {"path": "a.tif", "stored_unit": stored_unit}, long_name="A")
    array = made(covariate, GRID, tmp_path)
    np.testing.assert_allclose(array, value, rtol=1e-5)
    assert array.dtype == "float32"
    assert array.attrs == {"units": unit, "long_name": "A", "kind": "continuous", "source": "a.tif"}


def test_files_of_years_are_averaged_and_files_of_epochs_chosen(tmp_path):
    for year in range(1980, 1985):
        _constant(tmp_path, f"y{year}.tif", year)
    _constant(tmp_path, "e1980-1984.tif", 7)
    by_year = Covariate("y", "raster", "m", {"path": "y{year}.tif"}, years=(1980, 1984))
    by_epoch = Covariate("e", "raster", "m", {"path": "e{epoch}.tif"}, years=(1980, 1984))
    assert (made(by_year, GRID, tmp_path, epoch=(1981, 1984)) == 1982.5).all()
    assert (made(by_epoch, GRID, tmp_path, epoch=(1980, 1984)) == 7).all()
    with pytest.raises(PermagridError, match=r"y1985\.tif: no such file"):
        made(by_year, GRID, tmp_path, epoch=(1981, 1985))
    with pytest.raises(PermagridError, match="years are not stated"):
        made(Covariate("y", "raster", "m", {"path": "y{year}.tif"}), GRID, tmp_path)


def test_a_cell_that_lacks_a_year_is_nodata(tmp_path):
    for year in (1980, 1981):
        values = np.full(GRID.shape, 1.0)
        values[0, 0] = np.nan if year == 1981 else 1.0
        write_tif(tmp_path / f"y{year}.tif", values, GRID)
    covariate = Covariate("y", "raster", "m", {"path": "y{year}.tif"}, years=(1980, 1981))
    assert np.isnan(made(covariate, GRID, tmp_path, epoch=(1980, 1981)).values).sum() == 1


def test_a_time_axis_is_averaged_over_the_epoch(tmp_path):
    _series(tmp_path / "s.nc", [10, 20, 40, 80], [2000, 2001, 2002, 2003], "Year")
    covariate = Covariate("s", "raster", "m", {"path": "s.nc"}, years=(2000, 2003))
    assert (made(covariate, GRID, tmp_path, epoch=(2001, 2002)) == 30).all()
    with pytest.raises(PermagridError, match="holds no data for 1999 of the epoch 1999-2001"):
        made(covariate, GRID, tmp_path, epoch=(1999, 2001))
    still = Covariate("s", "raster", "m", {"path": "s.nc"})
    assert (made(still, GRID, tmp_path) == 37.5).all()


def test_a_year_that_is_not_whole_is_told(tmp_path):
    months = np.arange(18)
    _series(tmp_path / "m.nc", months, months, "months since 2000-01-15")
    covariate = Covariate("m", "raster", "m", {"path": "m.nc"}, years=(2000, 2001))
    assert (made(covariate, GRID, tmp_path, epoch=(2000, 2000)) == 5.5).all()
    with pytest.raises(PermagridError, match=r"fewer than 12 steps: 2001 \(6\)"):
        made(covariate, GRID, tmp_path, epoch=(2000, 2001))


def test_one_time_may_be_named(tmp_path):
    _series(tmp_path / "p.nc", [-12, 3], [-20000, 0], "years since 1950")
    covariate = Covariate("p", "raster", "degC", {"path": "p.nc", "time": -20000})
    assert (made(covariate, GRID, tmp_path) == -12).all()
    wrong = Covariate("p", "raster", "degC", {"path": "p.nc", "time": -6000})
    with pytest.raises(PermagridError, match="no time -6000; it holds -20000, 0"):
        made(wrong, GRID, tmp_path)
    _constant(tmp_path, "a.tif", 1)
    with pytest.raises(PermagridError, match="has no time axis"):
        made(Covariate("a", "raster", "m", {"path": "a.tif", "time": 3}), GRID, tmp_path)


def test_codes_are_not_averaged(tmp_path):
    _series(tmp_path / "c.nc", [1, 2], [2000, 2001], "Year")
    covariate = Covariate("c", "raster", "class", {"path": "c.nc"}, kind="class")
    with pytest.raises(PermagridError, match="codes of 2 times have no mean"):
        made(covariate, GRID, tmp_path)


def test_static_covariates_are_the_same_in_every_epoch(tmp_path):
    """A climatology within a sum must not be asked for the epoch's years."""
    _series(tmp_path / "c.nc", [1, 3], [1960, 1961], "Year")
    _constant(tmp_path, "e1980-1984.tif", 10)
    climate = Covariate("c", "raster", "m", {"path": "c.nc"}, years=(1960, 1990), static=True)
    moving = Covariate("e", "raster", "m", {"path": "e{epoch}.tif"}, years=(1980, 1984))
    both = Covariate("both", "sum_of", "m", {"inputs": ["c", "e"]})
    assert (made(both, GRID, tmp_path, climate, moving, epoch=(1980, 1984)) == 12).all()
    named = {one.name: one for one in (climate, moving, both)}
    assert [varies(name, named) for name in named] == [False, True, True]


def test_a_sum_needs_covariates_that_are_there_and_not_itself(tmp_path):
    _constant(tmp_path, "a.tif", 1)
    a = Covariate("a", "raster", "m", {"path": "a.tif"})
    for inputs, message in (
        ([], "names no covariate"),
        (["a", "b"], "no covariate 'b'"),
        (["s"], "no covariate 's'"),
    ):
        with pytest.raises(PermagridError, match=message):
            made(Covariate("s", "sum_of", "m", {"inputs": inputs}), GRID, tmp_path, a)
    ring = [
        Covariate("p", "sum_of", "m", {"inputs": ["q"]}),
        Covariate("q", "sum_of", "m", {"inputs": ["p"]}),
    ]
    with pytest.raises(PermagridError, match="no covariate 'p'"):
        varies("p", {one.name: one for one in ring})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"unti": "m"}, "a covariate has no 'unti': did you mean 'unit'? Allowed: name, method, unit,"),
        ({"unit": "m", "keyword": {}}, "a covariate has no 'keyword': did you mean 'keywords'?"),
        ({"unit": "m", "kind": "classes"}, "covariate air: unknown kind 'classes': did you mean 'class'?"),
        (
            {"unit": "m", "years": "1980-2019"},
            "covariate air: years must be the first and the last year, such as (2000, 2004); found '1980",
        ),
        ({"unit": "m", "years": (2000,)}, "covariate air: years must be the first and the last year"),
        ({"unit": "m", "years": (2004, 2000)}, "covariate air: years must be the first and the last year"),
        ({"unit": "m", "keywords": "air.tif"}, "covariate air: keywords must be names with values, such as"),
    ],
)
def test_a_covariate_that_is_misspelt_is_refused(fields, message):
    with pytest.raises(PermagridError) as told:
        Covariate(name="air", method="raster", **fields)
    assert str(told.value).startswith(message)


def test_a_covariate_can_be_copied_replaced_and_stored():
    air = Covariate("air", "raster", "degC", {"path": "air.tif"}, years=(1980, 2019))
    for copy in (deepcopy(air), pickle.loads(pickle.dumps(air)), replace(air, unit="degC")):
        assert copy == air
    assert replace(air, years=[1990, 2000]).years == [1990, 2000]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"pth": "air.tif"}, "covariate air: unknown keyword 'pth' of covariate method raster: did you mean"),
        ({}, "covariate air: covariate method raster needs the keyword 'path'"),
        ({"path": 5}, "covariate air: keyword 'path' of covariate method raster: needs a text, found"),
        ({"path": "air.tif", "nodata": "none"}, "covariate air: keyword 'nodata' of covariate method"),
    ],
)
def test_keywords_that_the_method_does_not_know_are_refused(tmp_path, keywords, message):
    air = Covariate("air", "raster", "degC", keywords)
    with pytest.raises(PermagridError) as told:
        build("air", {"air": air}, GRID, epoch=None, root=tmp_path)
    assert str(told.value).startswith(message)
    total = Covariate("total", "sum_of", "degC", {"inputs": ["air", "air"]})
    with pytest.raises(PermagridError) as told:
        build("total", {"air": air, "total": total}, GRID, epoch=None, root=tmp_path)
    assert str(told.value).startswith(message)
    total = Covariate("total", "sum_of", "degC", {"inputs": "air"})
    with pytest.raises(PermagridError, match=r"total: keyword 'inputs' .* needs a list, found 'air'"):
        build("total", {"air": air, "total": total}, GRID, epoch=None, root=tmp_path)


def test_numbers_of_numpy_are_numbers(tmp_path):
    write_tif(tmp_path / "air.tif", np.full(GRID.shape, 5.0), GRID)
    keywords = {"path": "air.tif", "nodata": np.float32(5.0)}
    assert np.isnan(made(Covariate("air", "raster", "degC", keywords), GRID, tmp_path).values).all()


@pytest.mark.parametrize("epoch", ["2000-2004", 2000, (2000,), (2004, 2000), (2000.5, 2004.5)])
def test_an_epoch_that_is_no_span_of_years_is_refused(tmp_path, epoch):
    air = Covariate("air", "raster", "degC", {"path": "air_{epoch}.tif"}, years=(2000, 2004))
    with pytest.raises(PermagridError) as told:
        build("air", {"air": air}, GRID, epoch=epoch, root=tmp_path)
    needed = "epoch must be the first and the last year, such as (2000, 2004); found "
    assert str(told.value) == f"{needed}{epoch!r}"


def test_inputs_by_default_are_known():
    """What a layer is made from decides whether it is kept: the default of a method counts as well."""
    assert Covariate("slope", "slope", "degree").inputs == ("elevation",)
    assert Covariate("slope", "slope", "degree", {"input": "dem"}).inputs == ("dem",)
    assert Covariate("s", "sum_of", "m", {"inputs": ["a", "b"]}).inputs == ("a", "b")
    assert Covariate("r", "raster", "m", {"path": "a.tif"}).inputs == ()


def test_an_observations_covariate_is_constant_in_maps(tmp_path):
    covariate = Covariate("depth", "observation", "m", {"column": "depth", "at": 10.0})
    assert (made(covariate, GRID, tmp_path) == 10).all()


def test_paths_start_from_the_root_unless_they_are_whole(tmp_path):
    path = _constant(tmp_path, "a.tif", 3)
    covariate = Covariate("a", "raster", "m", {"path": str(path)})
    assert (made(covariate, GRID, tmp_path / "elsewhere") == 3).all()


def test_a_part_of_a_grid_is_built_as_in_the_whole(tmp_path):
    source = make_geobox("EPSG:4326", 0.3, region=(-180, 50, 180, 90))
    write_tif(tmp_path / "a.tif", smooth(*lonlat(source)).astype("f4"), source)
    covariate = Covariate("a", "raster", "m", {"path": "a.tif"})
    whole = make_geobox("EPSG:6931", 33_333, bounds=(-500_000, -500_000, 500_000, 500_000))
    part = build("a", {"a": covariate}, whole[3:9, 5:21], epoch=None, root=tmp_path, whole=whole)
    np.testing.assert_array_equal(part.values, made(covariate, whole, tmp_path).values[3:9, 5:21])
