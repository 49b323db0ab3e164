"""A written world is a folder of honest files: complete, described, and the same bytes each time."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import rasterio.warp
import xarray as xr

from permagrid.errors import PermagridError
from permagrid.world import default_geobox, make_world, write_world
from permagrid.world.files import TABLES

EPOCHS = ("1995-1999", "2010-2014")
ARGUMENTS = {"seed": 3, "size": 50, "resolution": 30_000.0, "epochs": EPOCHS, "n_boreholes": 60}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_world(tmp_path_factory.mktemp("world") / "new", **ARGUMENTS)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_arguments_same_bytes_and_nothing_left_over(folder, tmp_path):
    first, again = digests(folder), digests(write_world(tmp_path, **ARGUMENTS))
    assert first == again
    assert not [name for name in first if name.endswith((".part", ".xml"))]
    assert digests(write_world(tmp_path, **ARGUMENTS)) == first


def test_every_file_is_listed_with_its_unit(folder):
    readme = (folder / "README.txt").read_text(encoding="utf-8")
    listed = {line.split()[0]: line.split()[1] for line in readme.splitlines()[5:] if line.strip()}
    expanded = {name.replace("{epoch}", epoch) for name in listed for epoch in EPOCHS}
    assert expanded == set(digests(folder)) - {"README.txt"}
    assert listed["dem.tif"] == "m"
    assert listed["truth/active_layer_thickness_{epoch}.tif"] == "cm"


def test_rasters_state_crs_nodata_and_unit(folder):
    systems = set()
    for path in folder.rglob("*.tif"):
        with rasterio.open(path) as raster:
            values = raster.read(1, masked=True)
            assert raster.nodata is not None, path
            assert raster.units[0], path
            assert raster.descriptions[0], path
            assert values.count() > 0, path
            assert path.name.startswith("palaeo") or values.mask.any(), path
            systems.add(raster.crs.to_epsg())
            if raster.dtypes[0] == "uint8":
                assert raster.nodata == 255
                assert "1=" in raster.tags(1)["classes"]
    assert systems == {3995, 6931, 4326}


def test_rasters_hold_the_world(folder):
    world = make_world(default_geobox(50, 30_000.0), seed=3, epochs=EPOCHS)
    ground = world["truth_mean_annual_ground_temperature"]
    for file, values in (
        ("dem.tif", world["elevation"]),
        ("bio1_2010-2014.tif", world["bio1"][1]),
        ("truth/mean_annual_ground_temperature_1995-1999.tif", ground[0]),
        ("truth/permafrost_presence_2010-2014.tif", world["truth_permafrost_presence"][1]),
    ):
        with rasterio.open(folder / file) as raster:
            np.testing.assert_array_equal(raster.read(1), values, err_msg=file)
            assert raster.transform == world.odc.geobox.affine


def test_other_grids_show_the_same_places(folder):
    world = make_world(default_geobox(50, 30_000.0), seed=3, epochs=EPOCHS)
    rows, columns = np.nonzero(world["elevation"].notnull().values)
    x, y = world["x"].values[columns], world["y"].values[rows]
    for file, name, least in (
        ("ndvi.tif", "ndvi", 0.8),
        ("soil_sand.tif", "soil_sand", 0.5),
        ("palaeo_temperature.tif", "palaeo_temperature", 0.8),
    ):
        with rasterio.open(folder / file) as raster:
            east, north = rasterio.warp.transform("EPSG:3995", raster.crs, x, y)
            east = np.array(east)
            if name == "ndvi":
                east = np.mod(east, 360.0)
                assert raster.bounds.left < 180.0 < raster.bounds.right
            read = np.array(list(raster.sample(zip(east, north, strict=True)))).ravel()
        valid = np.isfinite(read)
        assert valid.mean() > 0.9, name
        assert np.corrcoef(read[valid], world[name].values[rows, columns][valid])[0, 1] > least, name


def test_monthly_series_is_cf_and_whole(folder):
    with xr.open_dataset(folder / "air_temperature_monthly.nc", decode_coords="all") as series:
        variable = series["air_temperature"]
        assert variable.attrs["units"] == "K"
        assert variable.dims == ("time", "y", "x")
        assert series.odc.geobox.crs.epsg == 3995
        assert series["time"].dt.year.values[[0, -1]].tolist() == [1994, 2014]
        assert series.sizes["time"] == 12 * 21
        assert series["time"].dt.month.values[:12].tolist() == list(range(1, 13))
        assert 230.0 < float(variable.mean()) < 290.0
        july, january = (variable[variable["time"].dt.month == month].mean() for month in (7, 1))
        assert july > january + 10.0


def test_tables_hold_their_variable_and_marks(folder):
    for name, variable in TABLES.items():
        table = pd.read_csv(folder / name)
        assert set(table["variable"]) == {variable}, name
    text = pd.read_csv(folder / "active_layer.csv", dtype=str)["value"]
    assert text.str.startswith(">").any()
    assert pd.to_numeric(text.str.lstrip(">")).gt(0.0).mean() > 0.9


def test_recorded_faults_stand_where_the_record_says(folder):
    record = pd.read_csv(folder / "planted_faults.csv", dtype=str, keep_default_na=False)
    tables = {name: pd.read_csv(folder / name, dtype=str, keep_default_na=False) for name in TABLES}
    assert record["fault"].nunique() == 9
    for file, line, site, column, planted in record[["file", "line", "site_id", "column", "planted"]].values:
        row = tables[file].iloc[int(line) - 2]
        assert row["site_id"] == site
        found = row[column].lstrip(">")
        assert found == planted or float(found) == pytest.approx(float(planted))


def test_unwritable_folders_and_bad_sizes_are_refused(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(PermagridError, match="cannot be written"):
        write_world(blocker, **ARGUMENTS)
    with pytest.raises(PermagridError, match="above 0"):
        write_world(tmp_path, size=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_another_world_is_not_written_over(folder):
    before = digests(folder)
    with pytest.raises(PermagridError, match=r"holds something else already .*seed.*; choose another folder"):
        write_world(folder, **{**ARGUMENTS, "seed": 12345})
    assert digests(folder) == before
