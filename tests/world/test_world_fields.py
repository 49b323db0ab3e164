"""Fields are functions of the place alone: tiles, resolutions, the antimeridian and the pole agree."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from permagrid.errors import PermagridError
from permagrid.world import default_geobox, make_world, world_covariates
from permagrid.world.climate import bioclimate, epoch_years
from permagrid.world.noise import Field, places_at, places_of
from permagrid.world.region import COVARIATES, VARIABLES
from permagrid.world.surface import GEOLOGY

seeds = st.integers(0, 2**32)
fields = st.builds(
    Field,
    st.sampled_from(["one", "other"]),
    st.floats(60.0, 2000.0),
    octaves=st.integers(1, 6),
    ridged=st.booleans(),
)


@settings(max_examples=30, deadline=None)
@given(field=fields, seed=seeds, latitude=st.floats(-90.0, 90.0), longitude=st.floats(-180.0, 180.0))
def test_longitude_beyond_the_antimeridian_is_the_same_place(field, seed, latitude, longitude):
    here, wrapped = (
        places_at(np.array([east]), np.array([latitude]), cell=5.0) for east in (longitude, longitude + 360.0)
    )
    assert field(here, seed=seed) == pytest.approx(field(wrapped, seed=seed), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(field=fields, seed=seeds)
def test_pole_and_antimeridian_have_no_seam(field, seed):
    step = 0.001
    longitude = np.array([180.0 - step, -180.0 + step, 0.0, 90.0, 180.0])
    latitude = np.array([70.0, 70.0, 90.0, 90.0, 90.0])
    east, west, *pole = field(places_at(longitude, latitude, cell=5.0), seed=seed)
    assert east == pytest.approx(west, abs=0.1)
    assert pole == pytest.approx([pole[0]] * 3, abs=1e-9)


def test_smooth_field_has_unit_variance_and_ridges_stay_within_bounds():
    places = places_of(GeoBox.from_bbox((-4e6, -4e6, 4e6, 4e6), "EPSG:3995", shape=(200, 200)))
    deviations = [Field("a", 400.0)(places, seed=seed).std() for seed in range(8)]
    assert np.mean(deviations) == pytest.approx(1.0, abs=0.1)
    ridges = Field("b", 400.0, octaves=5, ridged=True)(places, seed=1)
    assert ridges.min() >= 0.0
    assert ridges.max() <= 1.0


def test_seeds_and_names_give_different_fields():
    places = places_of(default_geobox(20, 75_000.0))
    first, second, third = (
        Field("a", 500.0)(places, seed=1),
        Field("a", 500.0)(places, seed=2),
        Field("b", 500.0)(places, seed=1),
    )
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.6
    assert abs(np.corrcoef(first.ravel(), third.ravel())[0, 1]) < 0.6


@pytest.mark.parametrize(
    "geobox",
    [
        default_geobox(60, 25_000.0),
        GeoBox.from_bbox((170, 60, 200, 72), "EPSG:4326", resolution=0.5),
        GeoBox.from_bbox((-1e6, -1e6, 1e6, 1e6), "EPSG:6931", resolution=50_000.0),
    ],
    ids=["polar", "degrees", "equal_area"],
)
def test_a_tile_has_the_bits_of_the_whole(geobox):
    names = [name for name in VARIABLES if not name.startswith("truth_") and name != "flow_accumulation"]
    whole = world_covariates(geobox, seed=5, names=names)
    rows, columns = slice(7, 19), slice(11, 24)
    tile = world_covariates(geobox[rows, columns], seed=5, names=names)
    for name in names:
        np.testing.assert_array_equal(whole[name].values[..., rows, columns], tile[name].values, err_msg=name)


def test_what_does_not_depend_on_rivers_is_the_same_in_a_whole_world():
    geobox = default_geobox(40, 37_500.0)
    world, covariates = make_world(geobox, seed=3), world_covariates(geobox, seed=3)
    same = covariates["elevation"].notnull()
    np.testing.assert_array_equal(world["elevation"].notnull(), same)
    difference = (world["elevation"] - covariates["elevation"]).values[same.values]
    assert np.corrcoef(world["elevation"].values[same], covariates["elevation"].values[same])[0, 1] > 0.9
    assert np.abs(difference).max() > 1.0


def test_resolution_adds_detail_but_keeps_the_place():
    coarse = world_covariates(default_geobox(51, 30_000.0), seed=2)
    fine = world_covariates(default_geobox(153, 10_000.0), seed=2)
    fine = fine.isel(x=slice(1, None, 3), y=slice(1, None, 3))
    np.testing.assert_allclose(coarse["x"], fine["x"])
    for name in ("bio1", "palaeo_temperature", "bio12"):
        both = (coarse[name].notnull() & fine[name].notnull()).values
        assert np.corrcoef(coarse[name].values[both], fine[name].values[both])[0, 1] > 0.9, name


def test_longitude_and_polar_grids_show_one_world():
    degrees = GeoBox.from_bbox((170, 62, 190, 70), "EPSG:4326", resolution=0.25)
    east, west = degrees[:, :40], degrees[:, 40:]
    shifted = GeoBox.from_bbox((-180, 62, -170, 70), "EPSG:4326", resolution=0.25)
    across = world_covariates(west, seed=4)["bio1"]
    beyond = world_covariates(shifted, seed=4)["bio1"]
    np.testing.assert_allclose(across.values, beyond.values, atol=1e-4)
    within = world_covariates(east, seed=4)["bio1"].values[0]
    seam = np.nanmedian(np.abs(within[:, -1] - beyond.values[0, :, 0]))
    usual = np.nanmedian(np.abs(np.diff(within, axis=1)), axis=0)
    assert usual.min() / 2.0 < seam < 2.0 * usual.max()


def test_cells_beyond_the_globe_are_nodata():
    corners = GeoBox.from_bbox((-2e7, -2e7, 2e7, 2e7), "EPSG:6931", shape=(16, 16))
    assert np.isnan(world_covariates(corners, seed=1, names=["ndvi"])["ndvi"].values[0, 0])


def test_default_covariates_state_units_and_nodata():
    world = world_covariates(default_geobox(30, 50_000.0), seed=1)
    assert tuple(world.data_vars) == COVARIATES
    assert all(world[name].attrs["units"] and world[name].attrs["long_name"] for name in world.data_vars)
    assert world["geology"].dtype == np.uint8
    assert world["geology"].attrs["_FillValue"] == 255
    assert set(np.unique(world["geology"])) <= {*GEOLOGY, 255}
    assert world.odc.geobox == default_geobox(30, 50_000.0)


def test_bioclimate_agrees_with_its_months():
    world = world_covariates(
        default_geobox(30, 50_000.0),
        seed=6,
        epochs=["1990-1994"],
        names=["air_temperature", "precipitation", "bio1", "bio10", "bio11", "bio12"],
    )
    months = world["air_temperature"].values[0].astype(float)
    expected = bioclimate(months, world["precipitation"].values.astype(float))
    for name in ("bio1", "bio10", "bio11"):
        np.testing.assert_allclose(world[name].values[0], expected[name], atol=1e-4)
    np.testing.assert_allclose(world["bio12"].values, expected["bio12"], rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed"),
        ({"epochs": []}, "one or more"),
        ({"epochs": ["1980-1984", "1980-1984"]}, "different"),
        ({"epochs": "1980-1984"}, "list"),
        ({"epochs": ["1984-1980"]}, "first and last year"),
        ({"epochs": ["1980"]}, "first and last year"),
        ({"names": ["elevatoin"]}, "did you mean 'elevation'"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(PermagridError, match=message):
        world_covariates(default_geobox(4, 50_000.0), **arguments)


def test_a_grid_without_crs_is_refused():
    with pytest.raises(PermagridError, match="no CRS"):
        make_world(GeoBox((4, 4), Affine.identity(), None))


@given(first=st.integers(1000, 9000), length=st.integers(1, 100))
def test_epochs_hold_both_of_their_years(first, length):
    years = epoch_years(f"{first}-{first + length - 1}")
    assert (years[0], len(years)) == (first, length)
