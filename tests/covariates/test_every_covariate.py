"""What every covariate method promises, asked of each on the files of a small virtual world."""

from functools import cache

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from made_climate import CLIMATE, write_climate
from made_physics import PHYSICS
from made_scenes import SCENES, write_scenes
from made_soil import SOIL, write_soil
from made_terrain_local import TERRAIN_LOCAL
from made_terrain_whole import TERRAIN_WHOLE
from made_vectors import DISTANCES, write_vectors

from permagrid.covariates import COVARIATES, Covariate, build, resample, varies
from permagrid.grid import make_geobox
from permagrid.world import write_world

EPOCH = (1980, 1984)

SPECIFICATIONS = (
    Covariate("elevation", "raster", "m", {"path": "dem.tif"}),
    Covariate("geology", "raster", "class", {"path": "geology.tif"}, kind="class"),
    Covariate("ndvi", "raster", "1", {"path": "ndvi.tif"}),
    Covariate("soil_sand", "raster", "%", {"path": "soil_sand.tif"}),
    Covariate("bio1", "raster", "degC", {"path": "bio1_{epoch}.tif"}, years=(1980, 2019)),
    *(
        Covariate(
            name,
            name,
            "degC day",
            {"path": "air_temperature_monthly.nc", "stored_unit": "K", **more},
            years=(1979, 2019),
        )
        for name, more in (
            ("air_freezing_index", {}),
            ("air_thawing_index", {"window": 9, "minimum_years": 7}),
            ("surface_freezing_index", {"approximation": "sinusoid"}),
            (
                "surface_thawing_index",
                {"approximation": "monthly_variance", "standard_deviation": 4.5},
            ),
        )
    ),
    Covariate("valid_years", "valid_years", "1", {"input": "air_thawing_index"}),
    *TERRAIN_LOCAL,
    *TERRAIN_WHOLE,
    Covariate("zonal_anomaly", "zonal_anomaly", "delta degC", {"path": "zones.csv"}, years=(1980, 2019)),
    Covariate("sum_of", "sum_of", "degC", {"inputs": ["bio1", "zonal_anomaly"]}),
    Covariate("filled", "filled", "1", {"input": "ndvi", "distance": 60_000.0}),
    Covariate(
        "class_values", "class_values", "%", {"input": "geology", "values": {1: 5.0, 3: 20.0}, "other": 0.0}
    ),
    Covariate("observation", "observation", "m", {"column": "depth", "at": 10.0}),
    *CLIMATE,
    *SCENES,
    *SOIL,
    *DISTANCES,
    *PHYSICS,
)
NAMED = {one.name: one for one in SPECIFICATIONS}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = write_world(tmp_path_factory.mktemp("world"), seed=3, size=40, resolution=25_000)
    years = np.arange(1980, 2020)
    bands = {"64N-90N": 2.0, "44N-64N": 1.0, "24N-44N": 0.5}
    pd.DataFrame({"Year": years, **{k: v * (years - 1980) / 40 for k, v in bands.items()}}).to_csv(
        folder / "zones.csv", index=False
    )
    write_climate(folder)
    write_scenes(folder)
    write_soil(folder)
    write_vectors(folder)
    return folder


@pytest.fixture(scope="module")
def geobox():
    return make_geobox("EPSG:3995", 25_000, bounds=(-1_200_000, 1_810_000, -200_000, 2_810_000))


@pytest.fixture(scope="module")
def on_all_of_it(world, geobox):
    """Return name -> values on the whole grid in the first epoch, computed once by one thread."""

    @cache
    def values(name):
        return build(name, NAMED, geobox, epoch=EPOCH, root=world).compute(scheduler="synchronous").values

    return values


def test_no_method_is_without_an_example():
    assert {one.method for one in SPECIFICATIONS} == set(COVARIATES.names())


@pytest.mark.parametrize("name", NAMED)
def test_it_is_lazy_and_says_what_it_is(world, geobox, on_all_of_it, name):
    array = build(name, NAMED, geobox, epoch=EPOCH, root=world)
    assert isinstance(array.data, da.Array)
    assert array.dims == geobox.dimensions
    assert array.odc.geobox == geobox
    assert (array.name, array.dtype) == (name, np.dtype("float32"))
    said = {"units": NAMED[name].unit, "long_name": name, "kind": NAMED[name].kind}
    if "path" in NAMED[name].keywords:
        said["source"] = NAMED[name].keywords["path"]
    if NAMED[name].years is not None:
        said["years"] = "{}-{}".format(*NAMED[name].years)
    assert said.items() <= array.attrs.items()
    values = on_all_of_it(name)
    assert values.dtype == np.float32
    assert not np.isinf(values).any()
    assert np.isfinite(values).mean() > 0.2


@pytest.mark.parametrize("name", NAMED)
def test_its_values_do_not_depend_on_chunks_or_on_how_often_it_is_made(
    world, geobox, on_all_of_it, name, monkeypatch
):
    first = on_all_of_it(name)
    monkeypatch.setattr(resample, "CHUNK", 14)
    again = build(name, NAMED, geobox, epoch=EPOCH, root=world)
    assert again.data.numblocks == (3, 3)
    np.testing.assert_array_equal(again.compute(scheduler="threads", num_workers=4).values, first)


@pytest.mark.parametrize("name", NAMED)
def test_a_part_has_the_values_of_the_whole(world, geobox, on_all_of_it, name):
    whole = on_all_of_it(name)
    part = build(name, NAMED, geobox[5:25, 8:31], epoch=EPOCH, root=world, whole=geobox)
    np.testing.assert_array_equal(part.compute(scheduler="synchronous").values, whole[5:25, 8:31])


@pytest.mark.parametrize("name", NAMED)
def test_it_differs_between_epochs_if_it_says_so(world, geobox, on_all_of_it, name):
    other = build(name, NAMED, geobox, epoch=(2015, 2019), root=world).compute(scheduler="synchronous").values
    assert (not np.array_equal(on_all_of_it(name), other, equal_nan=True)) == varies(name, NAMED)


def test_the_world_is_told_truly(world, geobox):
    """The indices made of its monthly file agree with the mean temperature of its own rasters."""
    freezing, thawing, mean = (
        build(name, NAMED, geobox, epoch=EPOCH, root=world).values
        for name in ("air_freezing_index", "air_thawing_index", "bio1")
    )
    # Thawing minus freezing degree days of a year are its mean times its days, but for the shift of seasons.
    np.testing.assert_allclose(
        ((thawing - freezing) / 365.25)[np.isfinite(mean)], mean[np.isfinite(mean)], atol=4.0
    )
    assert np.nanmedian(np.abs((thawing - freezing) / 365.25 - mean)) < 1.0
