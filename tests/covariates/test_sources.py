"""Opening rasters: formats, nodata, axes of any name, and files that are wrong or damaged."""

from concurrent.futures import ThreadPoolExecutor

import netCDF4
import numpy as np
import pytest
import xarray as xr
from made_rasters import GLOBE, grid_of, smooth, smooth_grid, write_tif
from odc.geo.xr import xr_coords

from permagrid.covariates.resample import onto
from permagrid.covariates.sources import decimated, open_grid, undeclared_sentinel
from permagrid.covariates.times import years_and_months
from permagrid.errors import PermagridError
from permagrid.grid import lonlat, make_geobox

GRID = make_geobox("EPSG:3995", 1000, bounds=(0, 0, 60_000, 40_000))
COUNT = np.arange(40 * 60).reshape(40, 60)


def _dataset(geobox=GLOBE, *, names=("lat", "lon"), values=None, attrs=None, axes=None, **extra):
    """Return a dataset on a grid, with the names and attributes that a test wants."""
    longitude, latitude = lonlat(geobox)
    values = smooth(longitude, latitude) if values is None else values
    y, x = geobox.coords[geobox.dimensions[0]].values, geobox.coords[geobox.dimensions[1]].values
    dims = names if values.ndim == 2 else ("time", *names)
    axes = axes or ({}, {})
    coords = {names[0]: (names[0], y, axes[0]), names[1]: (names[1], x, axes[1])}
    return xr.Dataset({"field": (dims, values, attrs or {})}, coords={**coords, **extra})


@pytest.mark.parametrize(("driver", "suffix", "dtype"), [
    ("GTiff", ".tif", "int16"),
    ("GTiff", ".tif", "uint8"),
    ("GTiff", ".tif", "float32"),
    ("EHdr", ".bil", "int16"),
    ("ENVI", ".img", "float32"),
    ("HFA", ".img", "float64"),
])  # fmt: skip
def test_formats_give_the_same_numbers(tmp_path, driver, suffix, dtype):
    values = (COUNT % 250).astype(dtype)
    path = write_tif(tmp_path / f"field{suffix}", values, GRID, nodata=7, driver=driver)
    grid = open_grid(path, crs="EPSG:3995")
    expected = np.where(values == 7, np.nan, values.astype(float))
    np.testing.assert_array_equal(grid.values, expected)
    assert grid.odc.geobox.affine == GRID.affine
    # Windows, strides and single cells are those of the whole.
    np.testing.assert_array_equal(grid[3:17, 50:].values, expected[3:17, 50:])
    np.testing.assert_array_equal(grid[::7, 2::5].values, expected[::7, 2::5])
    np.testing.assert_array_equal(grid[-1, 4:9].values, expected[-1, 4:9])
    np.testing.assert_array_equal(grid[::-1, 11].values, expected[::-1, 11])


def test_stored_numbers_are_scaled_and_nodata_is_meant_as_stored(tmp_path):
    values = np.where(COUNT % 11 == 0, -9999, COUNT).astype("int16")
    path = write_tif(tmp_path / "scaled.tif", values, GRID, scale=0.1, offset=-5.0)
    expected = np.where(values == -9999, np.nan, values * 0.1 - 5.0)
    np.testing.assert_allclose(open_grid(path, nodata=-9999).values, expected)


def test_packed_netcdf_is_scaled_and_nodata_is_meant_as_stored(tmp_path):
    stored = np.where(COUNT % 11 == 0, -32767, COUNT).astype("int16")
    dataset = _dataset(
        GRID, names=("y", "x"), values=stored.astype("int16"), attrs={"scale_factor": 0.5, "add_offset": 2.0}
    )
    dataset.to_netcdf(tmp_path / "packed.nc")
    grid = open_grid(tmp_path / "packed.nc", nodata=-32767, crs="EPSG:3995")
    np.testing.assert_allclose(grid.values, np.where(stored == -32767, np.nan, stored * 0.5 + 2.0))


@pytest.mark.parametrize("fill", [-3.4028234663852886e38, 9.969209968386869e36, np.inf])
def test_what_is_no_number_of_anything_is_nodata(tmp_path, fill):
    values = np.where(COUNT % 5 == 0, fill, 1.0).astype("float32")
    grid = open_grid(write_tif(tmp_path / "filled.tif", values, GRID))
    np.testing.assert_array_equal(np.isnan(grid.values), COUNT % 5 == 0)


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        (("lat", "lon"), None),
        (("Latitude", "Longitude"), None),
        (("ETOPO20Y", "ETOPO20X1_1081"), ({"units": "degrees_north"}, {"units": "degrees_east"})),
        (("j", "i"), ({"axis": "Y", "units": "degrees"}, {"axis": "X", "units": "degrees"})),
        (
            ("rows", "cols"),
            (
                {"standard_name": "latitude", "units": "degree_north"},
                {"standard_name": "longitude", "units": "degree_east"},
            ),
        ),
    ],
)
@pytest.mark.parametrize("format_", ["nc", "zarr"])
def test_axes_are_found_by_name_or_by_meaning(tmp_path, names, axes, format_):
    dataset = _dataset(names=names, axes=axes)
    path = tmp_path / f"field.{format_}"
    dataset.to_netcdf(path) if format_ == "nc" else dataset.to_zarr(path, consolidated=True)
    grid = open_grid(path)
    np.testing.assert_allclose(grid.values, smooth_grid(GLOBE).values)
    assert grid.odc.geobox == GLOBE


def test_rows_from_south_columns_from_east_and_axes_in_any_order(tmp_path):
    dataset = _dataset().isel(lat=slice(None, None, -1), lon=slice(None, None, -1)).transpose("lon", "lat")
    dataset.to_netcdf(tmp_path / "turned.nc")
    np.testing.assert_allclose(open_grid(tmp_path / "turned.nc").values, smooth_grid(GLOBE).values)


def test_longitudes_that_jump_from_180_to_minus_180_go_on(tmp_path):
    dataset = _dataset(make_geobox("EPSG:4326", 1, bounds=(90, 40, 270, 80)))
    dataset = dataset.assign_coords(lon=(dataset["lon"] + 180) % 360 - 180)
    dataset.to_netcdf(tmp_path / "pacific.nc")
    target = make_geobox("EPSG:4326", 0.5, region=(170, 50, -170, 70))
    brought = onto(open_grid(tmp_path / "pacific.nc"), target).compute(scheduler="synchronous")
    np.testing.assert_allclose(brought, smooth(*lonlat(target)), atol=1e-3)


def test_a_repeated_meridian_does_no_harm(tmp_path):
    wide = make_geobox("EPSG:4326", 1, bounds=(20, -90, 381, 90))
    _dataset(wide).to_netcdf(tmp_path / "repeated.nc")
    target = make_geobox("EPSG:4326", 0.5, bounds=(15, 50, 25, 70))
    brought = onto(open_grid(tmp_path / "repeated.nc"), target).compute(scheduler="synchronous")
    np.testing.assert_allclose(brought, smooth(*lonlat(target)), atol=1e-3)


def test_coordinates_rounded_to_32_bits_are_even(tmp_path):
    grid = make_geobox("EPSG:4326", 1 / 120, bounds=(170, 60, 180, 60.5))
    dataset = _dataset(grid, values=np.zeros(grid.shape))
    dataset.assign_coords(lat=dataset["lat"].astype("f4"), lon=dataset["lon"].astype("f4")).to_netcdf(
        tmp_path / "f4.nc"
    )
    assert abs(open_grid(tmp_path / "f4.nc").odc.geobox.affine.a - 1 / 120) < 1e-7


def test_projected_netcdf_in_kilometres_by_cf_parameters_alone(tmp_path):
    cf = {
        "grid_mapping_name": "polar_stereographic",
        "latitude_of_projection_origin": 90.0,
        "standard_parallel": 71.0,
        "straight_vertical_longitude_from_pole": 0.0,
        "false_easting": 0.0,
        "false_northing": 0.0,
        "semi_major_axis": 6378137.0,
        "inverse_flattening": 298.257223563,
    }
    dataset = _dataset(GRID, names=("y", "x"), attrs={"grid_mapping": "polar"})
    kilometres = {name: (name, dataset[name].values / 1000, {"units": "km"}) for name in ("y", "x")}
    dataset.assign_coords(kilometres).assign(polar=((), 0, cf)).to_netcdf(tmp_path / "polar.nc")
    grid = open_grid(tmp_path / "polar.nc")
    brought = onto(grid, GRID, resampling="nearest").compute(scheduler="synchronous")
    np.testing.assert_array_equal(brought, smooth(*lonlat(GRID)).astype("float32"))


def test_bounds_and_single_levels_are_no_hindrance(tmp_path):
    values = np.zeros((3, *GLOBE.shape))
    dataset = _dataset(
        values=values, time=("time", [0, 1, 2], {"units": "days since 2000-01-15", "bounds": "time_bnds"})
    )
    dataset["time_bnds"] = (("time", "nv"), np.zeros((3, 2)))
    dataset["field"] = dataset["field"].expand_dims(height=[2.0]).transpose("time", "height", "lat", "lon")
    dataset.to_netcdf(tmp_path / "levels.nc")
    grid = open_grid(tmp_path / "levels.nc")
    assert grid.dims == ("time", *GLOBE.dimensions)
    np.testing.assert_array_equal(years_and_months(grid, "levels.nc")[0], [2000, 2000, 2000])


@pytest.mark.parametrize(
    ("values", "units", "years", "months"),
    [
        ([0, 31], "days since 1999-12-31", [1999, 2000], [12, 1]),
        ([0, 13], "months since 1999-12-01", [1999, 2001], [12, 1]),
        ([-20000, 0], "years since 1950-01-01 00:00:00", [-18050, 1950], [0, 0]),
        ([2014.0, 2015.0], "Year", [2014, 2015], [0, 0]),
        ([1980, 1981], "", [1980, 1981], [0, 0]),
        ([0, 744], "hours since 1-1-1 00:00:0.0", [1, 1], [1, 2]),
    ],
)
def test_time_axes_tell_years_and_months(values, units, years, months):
    grid = grid_of(np.zeros((2, *GRID.shape)), GRID).assign_coords(time=("time", values, {"units": units}))
    found = years_and_months(grid, "file.nc")
    assert (found[0].tolist(), found[1].tolist()) == (years, months)


@pytest.mark.parametrize(("values", "units"), [([1, 2], "level"), ([0, 1], ""), ([0.5, 1.5], "m")])
def test_an_axis_that_tells_no_years_is_refused(values, units):
    grid = grid_of(np.zeros((2, *GRID.shape)), GRID).assign_coords(time=("time", values, {"units": units}))
    with pytest.raises(PermagridError, match=r"file.nc: its axis 'time' does not tell years"):
        years_and_months(grid, "file.nc")


def _spoiled(path, what):
    data = path.read_bytes()
    if what == "truncated":
        path.write_bytes(data[: len(data) * 2 // 3])
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "header only":
        path.write_bytes(data[:200])
    else:
        path.write_bytes(b"station;depth;temperature\n1;2;3\n")
    return path


@pytest.mark.parametrize("what", ["truncated", "empty", "header only", "a table"])
@pytest.mark.parametrize("format_", ["tif", "nc"])
def test_a_damaged_file_is_named_at_once_or_when_it_is_read(tmp_path, what, format_):
    random = np.random.default_rng(0).normal(size=(600, 800)).astype("float32")
    geobox = make_geobox("EPSG:4326", 0.1, bounds=(0, 20, 80, 80))
    path = tmp_path / f"broken.{format_}"
    if format_ == "tif":
        write_tif(path, random, geobox, compress="deflate", tiled=True)
    else:
        _dataset(geobox, values=random).to_netcdf(
            path, encoding={"field": {"zlib": True, "chunksizes": (100, 100)}}
        )
    _spoiled(path, what)
    target = make_geobox("EPSG:3995", 50_000, bounds=(0, -4_000_000, 3_000_000, 0))
    with pytest.raises(PermagridError, match=rf"broken\.{format_}"):
        onto(open_grid(path), target).compute(scheduler="synchronous")


def test_damage_within_a_file_shows_only_when_that_part_is_read(tmp_path):
    values = np.random.default_rng(0).normal(size=(256, 256)).astype("float32")
    grid = make_geobox("EPSG:3995", 1000, bounds=(0, 0, 256_000, 256_000))
    path = write_tif(
        tmp_path / "late.tif", values, grid, compress="deflate", tiled=True, blockxsize=64, blockysize=64
    )
    data = path.read_bytes()
    path.write_bytes(data[:-9000])
    opened = open_grid(path)
    np.testing.assert_array_equal(opened[:64, :64].values, values[:64, :64])
    with pytest.raises(PermagridError, match=r"late\.tif: cannot be read; the file is damaged"):
        onto(opened, grid).compute(scheduler="synchronous")


def test_a_damaged_chunk_of_zarr_is_named(tmp_path):
    path = tmp_path / "field.zarr"
    _dataset().to_zarr(path)
    chunk = max((p for p in (path / "field").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    chunk.write_bytes(chunk.read_bytes()[: chunk.stat().st_size // 2])
    with pytest.raises(PermagridError, match=r"field\.zarr: field cannot be read; the file is damaged"):
        open_grid(path).values  # noqa: B018


def test_wrong_files_are_told_with_what_is_allowed(tmp_path):
    plain = write_tif(tmp_path / "plain.tif", COUNT.astype("int16"), GRID, crs=None)
    nowhere = write_tif(tmp_path / "nowhere.tif", COUNT.astype("int16"), GRID, transform=None)
    south = write_tif(
        tmp_path / "south.tif", COUNT.astype("int16"), GRID, transform=GRID.affine * GRID.affine.scale(1, -1)
    )
    turned = write_tif(
        tmp_path / "turned.tif", COUNT.astype("int16"), GRID, transform=GRID.affine.rotation(20)
    )
    (tmp_path / "many.vrt").write_text(f'<VRTDataset rasterXSize="1" rasterYSize="1">{plain}</VRTDataset>')
    _dataset().rename(field="one").assign(two=_dataset()["field"]).to_netcdf(tmp_path / "two.nc")
    uneven = _dataset()
    uneven.assign_coords(lat=uneven["lat"] ** 3).to_netcdf(tmp_path / "uneven.nc")
    for path, options, message in (
        (tmp_path / "none.tif", {}, "no such file"),
        (plain, {}, "has no CRS; state it with the keyword crs"),
        (plain, {"crs": "EPSG:0"}, "CRS is not understood"),
        (plain, {"variable": 3, "crs": "EPSG:3995"}, "has no band 3; bands: 1 to 1"),
        (plain, {"variable": "dem"}, "number of a band here"),
        (nowhere, {}, "no place on the globe"),
        (south, {}, "rows must run from north to south"),
        (turned, {}, "rotated"),
        (tmp_path / "many.vrt", {}, "format VRT is not read; allowed: GTiff"),
        (tmp_path / "two.nc", {}, "variable None not found among those on a grid: one, two"),
        (tmp_path / "two.nc", {"variable": "three"}, "variable 'three' not found"),
        (tmp_path / "uneven.nc", {}, "the y coordinates are not evenly spaced"),
    ):
        with pytest.raises(PermagridError, match=message) as caught:
            open_grid(path, **options)
        assert path.name in str(caught.value)


def test_a_virtual_raster_under_another_name_is_not_followed(tmp_path):
    write_tif(tmp_path / "secret.tif", COUNT.astype("int16"), GRID)
    source = '<SimpleSource><SourceFilename relativeToVRT="1">secret.tif</SourceFilename></SimpleSource>'
    band = f'<VRTRasterBand dataType="Int16" band="1">{source}</VRTRasterBand>'
    disguised = tmp_path / "harmless.tif"
    disguised.write_text(f'<VRTDataset rasterXSize="60" rasterYSize="40">{band}</VRTDataset>')
    with pytest.raises(PermagridError, match="VRT is not read"):
        open_grid(disguised)


@pytest.mark.parametrize("format_", ["nc", "tif", "zarr"])
def test_threads_read_one_file_together(tmp_path, format_):
    random = np.random.default_rng(3).normal(size=(400, 600)).astype("float32")
    geobox = make_geobox("EPSG:4326", 0.1, bounds=(0, 30, 60, 70))
    path = tmp_path / f"shared.{format_}"
    if format_ == "tif":
        write_tif(path, random, geobox, compress="deflate", tiled=True, blockxsize=64, blockysize=64)
    else:
        dataset = _dataset(geobox, values=random)
        options = {"field": {"zlib": True, "chunksizes": (37, 41)}}
        dataset.to_netcdf(path, encoding=options) if format_ == "nc" else dataset.chunk(
            lat=37, lon=41
        ).to_zarr(path)
    grids = [open_grid(path) for _ in range(3)]

    def read(number):
        start = (number * 37) % 350
        return start, grids[number % 3][start : start + 50, start : start + 200].values

    with ThreadPoolExecutor(8) as pool:
        for start, values in pool.map(read, range(200)):
            np.testing.assert_array_equal(values, random[start : start + 50, start : start + 200])


def test_nothing_is_read_before_it_is_wanted(tmp_path):
    grid = make_geobox("EPSG:4326", 0.01, bounds=(0, 0, 300, 80))
    with netCDF4.Dataset(tmp_path / "huge.nc", "w") as file:
        for name, size, step, start in (("lat", 8000, 0.01, 0.005), ("lon", 30000, 0.01, 0.005)):
            file.createDimension(name, size)
            file.createVariable(name, "f8", (name,))[:] = start + step * np.arange(size)
        file.createVariable("field", "f4", ("lat", "lon"), zlib=True, chunksizes=(500, 500), fill_value=-1.0)
        file["field"][:500, :500] = 3.0
    opened = open_grid(tmp_path / "huge.nc")
    assert opened.shape == grid.shape
    # Two gigabytes if it were read whole; nodata= must not read it either.
    assert open_grid(tmp_path / "huge.nc", nodata=-5).shape == grid.shape
    assert (opened[-500:, :500].values == 3.0).all()
    assert decimated(opened).size <= 400_000


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([-9999, 200, 300, 250], -9999),
        ([-9999, -9999, -9999], -9999),
        ([-999, -300, 200, 10], -999),
        ([65535, 0, 4000, 4001], 65535),
        ([-9999, -9990, -5000, 2000, -9000], None),
        ([-99, -98, -60, 10], None),
        ([0, 100, 255], None),
        ([np.nan, np.nan], None),
    ],
)
def test_an_undeclared_sentinel_is_known_by_its_distance(values, found):
    cells = np.resize(np.array(values, dtype=float), GRID.shape)
    assert undeclared_sentinel(decimated(grid_of(cells, GRID))) == found


def test_an_opened_grid_says_where_it_lies(tmp_path):
    beyond = make_geobox("EPSG:4326", 0.1, region=(170, 60, -170, 70))
    path = write_tif(tmp_path / "beyond.tif", np.ones(beyond.shape, "float32"), beyond)
    assert open_grid(path).odc.geobox == beyond
    assert set(open_grid(path).coords) == set(xr_coords(beyond))
