"""Sampled sites are realistic, true to their world, and faults are recorded exactly."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scipy.spatial import cKDTree
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GroupKFold, cross_val_predict

from permagrid.errors import PermagridError
from permagrid.sites.table import site_table
from permagrid.world import default_geobox, make_world, plant_faults, sample_sites
from permagrid.world.faults import RECORD

EPOCHS = ("1990-1994", "2000-2004", "2010-2014")


@pytest.fixture(scope="module")
def world() -> xr.Dataset:
    return make_world(default_geobox(150, 10_000.0), seed=4, epochs=EPOCHS)


@pytest.fixture(scope="module")
def sites(world) -> pd.DataFrame:
    return sample_sites(world, seed=4)


def cells_of(sites: pd.DataFrame, world: xr.Dataset) -> tuple[np.ndarray, ...]:
    """Return epoch, row and column of each row of a table."""
    to_grid = Transformer.from_crs("EPSG:4326", str(world.odc.geobox.crs), always_xy=True)
    x, y = to_grid.transform(sites["longitude"].to_numpy(), sites["latitude"].to_numpy())
    affine = world.odc.geobox.affine
    column, row = (np.asarray(x) - affine.c) / affine.a, (np.asarray(y) - affine.f) / affine.e
    starts = np.array([int(epoch[:4]) for epoch in world["epoch"].values])
    epoch = np.searchsorted(starts, sites["year"].to_numpy(dtype=int), side="right") - 1
    return epoch, np.floor(row).astype(int), np.floor(column).astype(int)


def test_the_table_is_a_site_table(sites):
    table = site_table(sites)
    assert list(sites.columns) == [name for name in table.columns if name != "geometry"]
    assert not table["site_id"].duplicated().all()
    assert set(table["licence"]) == {"CC0-1.0"}


def test_there_are_as_many_sites_as_asked_for(world):
    few = sample_sites(world, seed=1, n_boreholes=7, n_active_layer=3, n_stations=2)
    first = few.drop_duplicates("site_id")["variable"]
    assert first.value_counts().to_dict() == {
        "ground_temperature": 7,
        "active_layer_thickness": 3,
        "air_temperature": 2,
    }
    assert sample_sites(world, n_boreholes=0, n_active_layer=0, n_stations=0).empty


def test_sites_stand_on_land_in_their_years(sites, world):
    _, row, column = cells_of(sites, world)
    elevation = world["elevation"].values[row, column]
    assert np.isfinite(elevation).all()
    assert np.abs(elevation - sites["elevation"]).max() < 60.0
    years = {year for epoch in EPOCHS for year in range(int(epoch[:4]), int(epoch[-4:]) + 1)}
    assert set(sites["year"]) <= years


def test_sites_crowd_together(sites, world):
    first = sites.drop_duplicates("site_id")
    _, row, column = cells_of(first, world)
    rows, columns = np.nonzero(world["elevation"].notnull().values)
    pick = np.random.default_rng(0).choice(rows.size, size=len(first), replace=False)
    spread = np.column_stack([rows[pick], columns[pick]])
    distances = [
        cKDTree(at).query(at, k=4)[0][:, 3].mean() for at in (np.column_stack([row, column]), spread)
    ]
    assert distances[0] < 0.7 * distances[1]


def test_values_are_the_truth_with_error(sites, world):
    for variable, truth, low, high in (
        ("ground_temperature", "truth_mean_annual_ground_temperature", 0.3, 0.9),
        ("active_layer_thickness", "truth_active_layer_thickness", 3.0, 40.0),
        ("volumetric_ice_content", "truth_volumetric_ice_content", 3.0, 7.0),
    ):
        rows = sites[(sites["variable"] == variable) & (sites["limit"] == "exact")]
        rows = rows[(rows["depth"] >= 3.0) | (variable != "ground_temperature")]
        epoch, row, column = cells_of(rows, world)
        error = rows["value"].to_numpy() - world[truth].values[epoch, row, column]
        assert low < np.nanstd(error) < high, variable


def test_censored_values_end_at_the_probe(sites):
    layers = sites[sites["variable"] == "active_layer_thickness"]
    above = layers[layers["limit"] == "above"]
    assert 0 < len(above) < len(layers) / 2
    np.testing.assert_allclose(above["value"], 100.0 * above["observation_limit"])
    exact = layers[(layers["limit"] == "exact") & layers["observation_limit"].notna()]
    assert (exact["value"] <= 100.0 * exact["observation_limit"]).all()


def test_shallow_sensors_feel_the_thermal_offset(sites):
    rows = sites[(sites["variable"] == "ground_temperature") & sites["depth"].isin([0.4, 3.2])]
    means = rows.groupby(["site_id", "year", "depth"])["value"].mean().unstack()
    assert (means[0.4] - means[3.2]).mean() > 0.1


def test_stations_warm_as_the_world_does(sites, world):
    stations = sites[sites["variable"] == "air_temperature"]
    epoch, row, column = cells_of(stations, world)
    error = stations["value"].to_numpy() - world["bio1"].values[epoch, row, column]
    assert abs(error.mean()) < 0.4
    assert 0.2 < error.std() < 1.5


def test_same_seed_same_sites(world, sites):
    pd.testing.assert_frame_equal(sites, sample_sites(world, seed=4))
    assert not sites["value"].equals(sample_sites(world, seed=5)["value"])


def test_a_forest_has_skill_but_is_not_perfect(sites, world):
    rows = sites[(sites["variable"] == "ground_temperature") & (sites["depth"] >= 1.6)]
    epoch, row, column = cells_of(rows, world)
    rows = rows.assign(epoch=epoch, grid_row=row, grid_column=column)
    means = rows.groupby(["site_id", "epoch", "grid_row", "grid_column"])["value"].mean().reset_index()
    at = (means["grid_row"].to_numpy(), means["grid_column"].to_numpy())
    names = ("elevation", "bio1", "bio10", "bio11", "bio12", "snow_depth", "ndvi", "soil_sand", "geology")
    columns = [
        world[name].values[means["epoch"].to_numpy(), *at]
        if "epoch" in world[name].dims
        else world[name].values[at]
        for name in names
    ]
    forest = RandomForestRegressor(60, min_samples_leaf=2, random_state=0, n_jobs=1)
    value = means["value"].to_numpy()
    guess = cross_val_predict(
        forest, np.column_stack(columns), value, groups=means["site_id"], cv=GroupKFold(6)
    )
    skill = 1.0 - ((guess - value) ** 2).mean() / value.var()
    assert 0.5 < skill < 0.97


def test_worlds_without_land_or_numbers_are_refused(world):
    sea = world.copy(deep=True)
    sea["truth_permafrost_presence"].values[:] = 255
    with pytest.raises(PermagridError, match="no land"):
        sample_sites(sea)
    warm = world.copy(deep=True)
    warm["truth_permafrost_presence"].values[warm["truth_permafrost_presence"].values == 1] = 0
    with pytest.raises(PermagridError, match="no permafrost"):
        sample_sites(warm)
    with pytest.raises(PermagridError, match="0 or more"):
        sample_sites(world, n_boreholes=-1)


def test_sites_of_a_degree_grid_have_degrees():
    geobox = GeoBox.from_bbox((165, 58, 200, 74), "EPSG:4326", shape=(32, 35))
    sites = sample_sites(make_world(geobox, seed=1, epochs=EPOCHS), n_boreholes=20)
    assert sites["longitude"].between(-180.0, 180.0).all()
    assert (sites["longitude"] < 0.0).any()
    assert (sites["longitude"] > 0.0).any()


@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), share=st.floats(0.0, 0.2))
def test_the_record_holds_every_difference_and_nothing_else(sites, seed, share):
    clean = sites.copy(deep=True)
    faulty, record = plant_faults(sites, seed=seed, share=share)
    pd.testing.assert_frame_equal(sites, clean)
    assert list(record.columns) == list(RECORD)
    assert list(faulty.dtypes) == list(sites.dtypes)
    same = faulty.iloc[: len(sites)]
    changed = (same != sites) & ~(same.isna() & sites.isna())
    found = {(row, column) for column in sites for row in np.flatnonzero(changed[column].fillna(True))}
    copies = record["fault"] == "near_duplicate"
    assert found == set(zip(record["row"][~copies], record["column"][~copies], strict=True))
    assert sorted(record["row"][copies]) == list(range(len(sites), len(faulty)))
    for row, column, original, planted in record[["row", "column", "original", "planted"]][~copies].values:
        assert original == ("" if pd.isna(sites.at[row, column]) else str(sites.at[row, column]))
        assert planted == ("" if pd.isna(faulty.at[row, column]) else str(faulty.at[row, column]))
    assert record.groupby("site_id")["fault"].nunique().max() == 1 if len(record) else share < 0.05


def test_each_kind_of_fault_is_what_it_says(sites):
    faulty, record = plant_faults(sites, seed=3, share=0.2)

    def pairs(fault: str, column: str) -> tuple[pd.Series, pd.Series]:
        rows = record[(record["fault"] == fault) & (record["column"] == column)]["row"]
        assert len(rows)
        return sites.loc[rows, column], faulty.loc[rows, column]

    rows = record[record["fault"] == "swapped_coordinates"]["row"].unique()
    np.testing.assert_array_equal(faulty.loc[rows, "latitude"], sites.loc[rows, "longitude"])
    before, after = pairs("flipped_longitude", "longitude")
    np.testing.assert_array_equal(after, -before)
    assert pairs("missing_coordinates", "latitude")[1].isna().all()
    before, after = pairs("kelvin_for_celsius", "value")
    np.testing.assert_allclose(after - before, 273.15)
    before, after = pairs("metres_for_centimetres", "value")
    np.testing.assert_allclose(after, before / 100.0, atol=0.006)
    assert set(pairs("impossible_value", "value")[1].abs()) <= {999.0, 9999.0}
    before, after = pairs("infrastructure", "value")
    assert (after > before + 1.9).all()
    assert (pairs("infrastructure", "site_flags")[1] == "infrastructure").all()
    before, after = pairs("elevation_mismatch", "elevation")
    assert (after - before >= 900.0).all()
    copied = record[record["fault"] == "near_duplicate"]
    originals = sites.set_index("site_id").loc[copied["original"].unique()]
    copies = faulty.loc[copied["row"]]
    assert np.abs(copies["latitude"].to_numpy() - originals["latitude"].to_numpy()).max() < 2e-4
    np.testing.assert_array_equal(copies["value"], originals["value"])


def test_no_share_no_fault_and_shares_are_checked(sites):
    faulty, record = plant_faults(sites, share=0.0)
    pd.testing.assert_frame_equal(faulty, sites)
    assert record.empty
    with pytest.raises(PermagridError, match="0-1"):
        plant_faults(sites, share=1.5)


def test_faults_come_from_their_seed(sites):
    one, again, other = (plant_faults(sites, seed=seed)[1] for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, again)
    assert not one.equals(other)
