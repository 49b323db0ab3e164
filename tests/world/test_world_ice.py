"""The hemisphere with ground ice: realistic, reproducible, its total known, its boreholes clustered."""

import json

import numpy as np
import pandas as pd
import pytest
import rasterio
from pyproj import Transformer
from scipy.spatial import cKDTree
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold, cross_val_predict

from permagrid.errors import PermagridError
from permagrid.sites.readers import READERS
from permagrid.sites.table import site_table
from permagrid.world import IceWorld, make_ice_world, write_ice_world
from permagrid.world.ice import ice_geobox
from permagrid.world.kinds import write_kind

TRUTH = "truth_volumetric_ice_content"
SIDE = 100_000.0


@pytest.fixture(scope="module")
def world() -> IceWorld:
    return make_ice_world(seed=2, n_boreholes=600, resolution=SIDE)


def cells_of(sites: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    to_grid = Transformer.from_crs("EPSG:4326", "EPSG:6931", always_xy=True)
    x, y = to_grid.transform(sites["longitude"].to_numpy(), sites["latitude"].to_numpy())
    affine = ice_geobox(SIDE).affine
    return np.floor((y - affine.f) / affine.e).astype(int), np.floor((x - affine.c) / affine.a).astype(int)


def test_same_seed_same_world_another_seed_another(world):
    again = make_ice_world(seed=2, n_boreholes=600, resolution=SIDE)
    assert again.grid.identical(world.grid)
    pd.testing.assert_frame_equal(again.boreholes, world.boreholes)
    assert again.storage == world.storage
    assert make_ice_world(seed=3, n_boreholes=10, resolution=SIDE).storage != world.storage


def test_the_truth_lies_where_permafrost_is_and_within_bounds(world):
    ice, share = world.grid[TRUTH].values, world.grid["permafrost_fraction"].values
    assert ((ice >= 0) & (ice <= 100)).sum() == np.isfinite(ice).sum()
    np.testing.assert_array_equal(np.isfinite(ice), share > 0)
    np.testing.assert_array_equal(np.isfinite(share), world.grid["elevation"].notnull().values)
    assert np.isfinite(world.grid["ndwi"].values[share > 0]).all()


def test_area_and_ice_are_those_of_a_hemisphere(world):
    share, ice = world.grid["permafrost_fraction"].values, world.grid[TRUTH].values
    assert 14e6 < np.nansum(share) * (SIDE / 1000) ** 2 < 30e6
    assert 12 < np.nanstd(ice) < 26
    assert 25_000 < world.storage < 60_000


def test_the_total_is_the_sum_over_equal_cells(world):
    share, ice = world.grid["permafrost_fraction"].values, world.grid[TRUTH].values
    cells = np.nan_to_num(share.astype(float) * ice.astype(float) / 100)
    assert world.storage == pytest.approx(cells.sum() * 5 * SIDE * SIDE / 1e9, rel=1e-12)


def test_no_permafrost_beyond_the_grid():
    share = make_ice_world(seed=4, n_boreholes=8, resolution=SIDE).grid["permafrost_fraction"].values
    edge = np.concatenate([share[0], share[-1], share[:, 0], share[:, -1]])
    assert np.nanmax(edge, initial=0.0) == 0.0


def test_boreholes_are_a_site_table_in_permafrost(world):
    sites = site_table(world.boreholes)
    assert len(sites) == 600 == sites["site_id"].nunique()
    row, column = cells_of(sites)
    share = world.grid["permafrost_fraction"].values[row, column]
    assert (share > 0).all()
    assert share.mean() > 0.6
    error = sites["value"].to_numpy() - world.grid[TRUTH].values[row, column]
    assert 2.0 < error.std() < 5.0
    assert abs(error.mean()) < 1.0


def test_boreholes_crowd_in_a_few_fields(world):
    sites = world.boreholes
    shares = sites["source"].value_counts(normalize=True)
    assert 4 <= len(shares) <= 8
    assert shares["elsewhere"] < 0.05
    assert shares["field 1"] > 0.2
    row, column = cells_of(sites)
    frozen = np.argwhere(world.grid["permafrost_fraction"].values > 0)
    far = cKDTree(np.column_stack([row, column])).query(frozen)[0] * SIDE
    near = cKDTree(np.column_stack([row, column])).query(np.column_stack([row, column]), k=4)[0][:, 3] * SIDE
    assert np.median(far) > 5 * np.median(near)
    assert np.quantile(far, 0.75) > 700_000


def test_a_forest_has_skill_but_is_not_perfect(world):
    row, column = cells_of(world.boreholes)
    names = [n for n in world.grid.data_vars if n not in (TRUTH, "permafrost_fraction")]
    covariates = np.column_stack([world.grid[name].values[row, column] for name in names])
    value = world.boreholes["value"].to_numpy()
    forest = RandomForestRegressor(60, max_features=0.5, random_state=0, n_jobs=1)
    guess = cross_val_predict(forest, covariates, value, cv=KFold(5, shuffle=True, random_state=0))
    assert 0.7 < 1 - ((guess - value) ** 2).mean() / value.var() < 0.97


def test_what_is_written_is_what_was_made(world, tmp_path):
    write_ice_world(tmp_path, seed=2, n_boreholes=600, resolution=SIDE)
    with rasterio.open(tmp_path / "truth" / "volumetric_ice_content.tif") as raster:
        np.testing.assert_array_equal(raster.read(1), world.grid[TRUTH].values)
        assert raster.crs.to_epsg() == 6931
    with rasterio.open(tmp_path / "permafrost.tif") as raster:
        np.testing.assert_array_equal(raster.read(1) == 1, np.isfinite(world.grid[TRUTH].values))
    sites = READERS["table"](tmp_path / "ground_ice.csv")
    np.testing.assert_allclose(sites["value"], world.boreholes["value"])
    assert set(sites["source"]) == set(world.boreholes["source"])
    stored = json.loads((tmp_path / "truth" / "storage.json").read_text())
    assert stored["total_ice_km3"] == pytest.approx(world.storage, abs=1e-3)
    listed = (tmp_path / "README.txt").read_text()
    for file in tmp_path.rglob("*.*"):
        assert file.name == "README.txt" or file.relative_to(tmp_path).as_posix() in listed
    with pytest.raises(PermagridError, match="another folder"):
        write_ice_world(tmp_path, seed=3, n_boreholes=600, resolution=SIDE)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"resolution": 10.0}, "1000 to 1000000 m"),
        ({"n_boreholes": -1}, "0 or more"),
        ({"seed": -1}, "seed"),
    ],
)
def test_nonsense_is_refused(keywords, message):
    with pytest.raises(PermagridError, match=message):
        make_ice_world(**{"resolution": 400_000.0, **keywords})


def test_kinds_know_their_settings(tmp_path):
    with pytest.raises(PermagridError, match="ground_ice has no size; allowed: seed"):
        write_kind(tmp_path, "ground_ice", size=20)
    with pytest.raises(PermagridError, match="did you mean 'region'"):
        write_kind(tmp_path, "regio")
    said = write_kind(tmp_path, "ground_ice", resolution=400_000.0, boreholes=8, size=None)
    assert said.endswith("a hemisphere in cells of 400000 m")
