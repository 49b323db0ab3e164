"""Cloud-Optimised GeoTIFFs: valid, complete, the same bytes for the same pixels, or nothing at all."""

import subprocess
import sys
from itertools import product

import numpy as np
import pytest
import rasterio
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import wrap_xr
from rasterio.windows import Window
from rio_cogeo import cog_validate

from permagrid.errors import PermagridError
from permagrid.files import sha256_of
from permagrid.products.geotiff import check_same_pixels, write_cog
from permagrid.products.legend import LEGENDS, legend_for
from permagrid.products.scratch import open_scratch

TEMPERATURE = LEGENDS["mean_annual_ground_temperature"]
PRESENCE = LEGENDS["permafrost_presence"]
GRID = GeoBox.from_bbox((-2_100_000, -1_300_000, 2_100_000, 1_300_000), "EPSG:3995", resolution=3000)
WORDS = {"epoch": "2010-2014", "description": "A made-up map.", "tags": {"study": "made_up"}}


def temperatures(grid=GRID):
    rows, columns = np.indices(grid.shape)
    values = (np.sin(rows / 90) * 8 + np.cos(columns / 70) * 5).astype("float32")
    values[:40, :300] = np.nan
    values[100::7, 60::5] = np.nan
    return values


def presence():
    values = temperatures()
    return np.where(np.isnan(values), 255, values < 0).astype("uint8")


def write(path, source, legend=TEMPERATURE, valid_range=(-30.0, 30.0), **other):
    write_cog(path, source, legend=legend, valid_range=valid_range, **{**WORDS, **other})


def test_a_float_map_is_a_valid_cog_with_all_its_words(tmp_path):
    path = tmp_path / "map.tif"
    write(path, wrap_xr(temperatures(), GRID))
    valid, errors, warnings = cog_validate(path, strict=True, quiet=True)
    assert (valid, errors, warnings) == (True, [], [])
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), temperatures())
        assert dataset.crs.to_epsg() == 3995
        assert dataset.transform == GRID.affine
        assert dataset.dtypes == ("float32",)
        assert np.isnan(dataset.nodata)
        assert dataset.units == ("degC",)
        assert dataset.descriptions == ("mean_annual_ground_temperature [degC]",)
        assert dataset.block_shapes == [(512, 512)]
        assert dataset.scales == (1.0,)
        assert dataset.overviews(1) == [2, 4]
        assert dataset.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == "3"
        assert float(dataset.tags(1)["STATISTICS_MEAN"]) == pytest.approx(
            np.nanmean(temperatures()), abs=1e-4
        )
        words = dataset.tags()
    assert words["standard_name"] == "temperature_in_ground"
    assert (words["units"], words["epoch"], words["study"]) == ("degC", "2010-2014", "made_up")
    assert words["TIFFTAG_IMAGEDESCRIPTION"] == "A made-up map."
    assert "TIFFTAG_DATETIME" not in words
    assert [item.name for item in tmp_path.iterdir()] == ["map.tif"]


def test_overviews_average_the_cells_that_have_data(tmp_path):
    path = tmp_path / "map.tif"
    write(path, wrap_xr(temperatures(), GRID))
    values = temperatures()
    rows, columns = (size // 2 * 2 for size in values.shape)
    quads = values[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2).swapaxes(1, 2).reshape(-1, 4)
    full = np.isfinite(quads)
    with rasterio.open(path, overview_level=0) as overview:
        found = overview.read(1)[: rows // 2, : columns // 2].ravel()
    assert (np.isnan(found) == ~full.any(axis=1)).all()
    some = full.any(axis=1)
    np.testing.assert_allclose(found[some], np.nanmean(quads[some], axis=1), atol=1e-5)


def test_classes_have_a_colour_table_nodata_and_mode_overviews(tmp_path):
    path = tmp_path / "classes.tif"
    write(path, wrap_xr(presence(), GRID, nodata=255), legend=PRESENCE, valid_range=(0, 1))
    assert cog_validate(path, strict=True, quiet=True)[0]
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), presence())
        assert (dataset.dtypes, dataset.nodata) == (("uint8",), 255)
        assert dataset.colormap(1)[1] == (0x1F, 0x5F, 0x99, 255)
        assert dataset.colormap(1)[255][3] == 0
        assert dataset.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == "2"
    with rasterio.open(path, overview_level=1) as overview:
        assert set(np.unique(overview.read(1))) <= {0, 1, 255}


def test_classes_may_come_as_floats_with_nan(tmp_path):
    values = np.where(presence() == 255, np.nan, presence()).astype("float32")
    write(tmp_path / "floats.tif", wrap_xr(values, GRID), legend=PRESENCE, valid_range=(0, 1))
    write(tmp_path / "codes.tif", wrap_xr(presence(), GRID), legend=PRESENCE, valid_range=(0, 1))
    assert sha256_of(tmp_path / "floats.tif") == sha256_of(tmp_path / "codes.tif")


@pytest.mark.parametrize("legend", [TEMPERATURE, PRESENCE], ids=["floats", "classes"])
def test_bytes_do_not_depend_on_shape_or_order_of_the_blocks(tmp_path, legend):
    floats = legend is TEMPERATURE
    values = temperatures() if floats else presence()
    nodata = np.nan if floats else 255
    valid_range = (-30, 30) if floats else (0, 1)
    write(tmp_path / "whole.tif", wrap_xr(values, GRID, nodata=nodata), legend, valid_range)
    height, width = values.shape
    for number, (tall, wide, backwards) in enumerate(
        [(512, 512, True), (97, 311, False), (height, 64, True)]
    ):
        scratch = tmp_path / f"scratch_{number}.tif"
        corners = list(product(range(0, height, tall), range(0, width, wide)))
        with open_scratch(scratch, GRID, str(values.dtype), nodata) as dataset:
            for row, column in reversed(corners) if backwards else corners:
                block = values[row : row + tall, column : column + wide]
                dataset.write(block, 1, window=Window(column, row, block.shape[1], block.shape[0]))
        write(tmp_path / "blocks.tif", scratch, legend, valid_range)
        assert sha256_of(tmp_path / "blocks.tif") == sha256_of(tmp_path / "whole.tif")


@pytest.mark.parametrize(
    "crs",
    ["EPSG:4326", "EPSG:6931", "+proj=aea +lat_1=25 +lat_2=47 +lat_0=0 +lon_0=105 +datum=WGS84 +units=m"],
)
def test_grids_in_any_crs_come_back(tmp_path, crs):
    resolution = 0.5 if crs == "EPSG:4326" else 25_000
    grid = GeoBox.from_bbox(
        (100 * resolution, 100 * resolution, 160 * resolution, 150 * resolution), crs, resolution=resolution
    )
    write(tmp_path / "map.tif", wrap_xr(temperatures(grid), grid))
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert dataset.crs == rasterio.crs.CRS.from_user_input(crs)
        assert dataset.transform.almost_equals(grid.affine, 1e-9)


def test_cells_never_written_hold_no_data(tmp_path):
    with open_scratch(tmp_path / "scratch.tif", GRID, "float32", np.nan) as dataset:
        dataset.write(np.ones((10, 10), "float32"), 1, window=Window(700, 500, 10, 10))
    write(tmp_path / "map.tif", tmp_path / "scratch.tif")
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert np.nansum(dataset.read(1)) == 100


def test_a_map_without_any_data_is_written_without_statistics(tmp_path):
    write(tmp_path / "map.tif", wrap_xr(np.full(GRID.shape, np.nan, "float32"), GRID))
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert "STATISTICS_MEAN" not in dataset.tags(1)


def test_reading_back_detects_a_changed_pixel(tmp_path):
    write(tmp_path / "map.tif", wrap_xr(temperatures(), GRID))
    changed = temperatures()
    changed[600, 700] = np.nextafter(changed[600, 700], np.float32(99))
    write(tmp_path / "changed.tif", wrap_xr(changed, GRID))
    with pytest.raises(PermagridError, match="block at column 512, row 512 reads back different"):
        check_same_pixels(tmp_path / "changed.tif", tmp_path / "map.tif")


def test_reading_back_detects_damaged_bytes(tmp_path):
    write(tmp_path / "map.tif", wrap_xr(temperatures(), GRID))
    content = bytearray((tmp_path / "map.tif").read_bytes())
    content[-2000:-1000] = bytes(1000)
    (tmp_path / "damaged.tif").write_bytes(content)
    with pytest.raises(PermagridError, match="read"):
        check_same_pixels(tmp_path / "damaged.tif", tmp_path / "map.tif")


def faulty(kind):
    values = temperatures().astype("float64" if kind == "integers" else "float32")
    if kind in ("too warm", "infinite"):
        values[700, 800] = 31 if kind == "too warm" else np.inf
    if kind == "integers":
        return wrap_xr(np.nan_to_num(values).astype("int32"), GRID)
    return wrap_xr(values, GRID)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("too warm", r"-?\d.*\.\.31 degC, outside its valid range -30\.\.30"),
        ("infinite", "infinite"),
        ("integers", "must hold floats, found int32"),
    ],
)
def test_illegal_values_leave_the_old_map_and_nothing_else(tmp_path, kind, message):
    (tmp_path / "map.tif").write_bytes(b"old")
    with pytest.raises(PermagridError, match=message):
        write(tmp_path / "map.tif", faulty(kind))
    assert [item.name for item in tmp_path.iterdir()] == ["map.tif"]
    assert (tmp_path / "map.tif").read_bytes() == b"old"


def test_a_class_that_the_legend_does_not_know_is_refused(tmp_path):
    codes = presence()
    codes[5, 500] = 7
    with pytest.raises(PermagridError, match=r"holds class 7; the legend knows 0 \(no permafrost\)"):
        write(tmp_path / "map.tif", wrap_xr(codes, GRID), legend=PRESENCE, valid_range=None)
    with pytest.raises(PermagridError, match=r"whole numbers 0\.\.254, found 0\.5"):
        write(
            tmp_path / "map.tif", wrap_xr(np.full(GRID.shape, 0.5), GRID), legend=PRESENCE, valid_range=None
        )
    assert list(tmp_path.iterdir()) == []


def test_scratch_types_and_legends_must_fit(tmp_path):
    with (
        pytest.raises(PermagridError, match="found float32 with nodata 0"),
        open_scratch(tmp_path / "a.tif", GRID, "float32", 0),
    ):
        pass
    with open_scratch(tmp_path / "codes.tif", GRID, "uint8", 255):
        pass
    with pytest.raises(PermagridError, match="found uint8 for a legend of kind continuous"):
        write(tmp_path / "map.tif", tmp_path / "codes.tif")


def test_a_failing_body_removes_the_scratch_file(tmp_path):
    with pytest.raises(KeyError), open_scratch(tmp_path / "a.tif", GRID, "float32", np.nan):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_an_array_without_crs_is_refused(tmp_path):
    bare = xr.DataArray(temperatures(), dims=("y", "x"))
    with pytest.raises(PermagridError, match="two dimensions with a CRS"):
        write(tmp_path / "map.tif", bare)


@pytest.mark.parametrize("place", ["absent/map.tif", "file/map.tif"])
def test_an_unusable_folder_is_named(tmp_path, place):
    (tmp_path / "file").write_text("x")
    with pytest.raises(PermagridError, match="is not a folder"):
        write(tmp_path / place, wrap_xr(temperatures(), GRID))


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on file size")
@pytest.mark.parametrize("limit", [200_000, 1_000_000])
def test_a_full_disk_is_one_sentence_and_leaves_nothing_behind(tmp_path, limit):
    script = f"""
import resource, signal, sys
sys.path.insert(0, {str(__file__.rsplit("/", 1)[0])!r})
from test_geotiff import *
from pathlib import Path
folder = Path({str(tmp_path)!r})
with open_scratch(folder / "scratch.tif", GRID, "float32", np.nan) as dataset:
    dataset.write(np.random.default_rng(1).uniform(-9, 9, GRID.shape).astype("float32"), 1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
for source in (folder / "scratch.tif", wrap_xr(temperatures(), GRID)):
    try:
        write(folder / "map.tif", source)
    except PermagridError as error:
        print(error)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    said = ran.stdout.strip().splitlines()
    assert len(said) == 2
    assert all(line.startswith("cannot write") for line in said)
    assert [item.name for item in tmp_path.iterdir()] == ["scratch.tif"]


def test_a_stale_auxiliary_file_goes_with_the_old_map(tmp_path):
    (tmp_path / "map.tif.aux.xml").write_text("<PAMDataset/>")
    write(tmp_path / "map.tif", wrap_xr(temperatures(), GRID))
    assert not (tmp_path / "map.tif.aux.xml").exists()


def test_sha256_of_an_absent_file_is_a_sentence(tmp_path):
    with pytest.raises(PermagridError, match="cannot read"):
        sha256_of(tmp_path / "absent.tif")


def test_an_uncertainty_map_carries_its_own_name(tmp_path):
    legend = legend_for("active_layer_thickness_standard_error", unit="cm")
    grid = GeoBox.from_bbox((0, 60, 40, 80), "EPSG:4326", resolution=0.5)
    write(tmp_path / "map.tif", wrap_xr(np.ones(grid.shape, "float32"), grid), legend, None)
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert dataset.tags()["long_name"] == "Active-layer thickness: standard error"
