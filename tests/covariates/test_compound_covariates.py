"""Indices of whole catchments as covariates: one analysis for all who ask, its resolution, and faults."""

import gc
import os

import dask
import numpy as np
import pytest
from made_rasters import made, write_tif
from made_valleys import CHANNEL_ORDER, RIDGE_ORDER, VALLEYS_GRID, valleys

from permagrid.covariates import Covariate, build, resample, store_layers
from permagrid.covariates.terrain import shared
from permagrid.covariates.terrain.compound import compound_analysis
from permagrid.errors import PermagridError
from permagrid.grid import make_geobox

DEM = Covariate("elevation", "raster", "m", {"path": "dem.tif"})
COARSE = make_geobox("EPSG:32632", 240, bounds=(400_000, 5_100_000, 401_440, 5_101_920))

UNITS = {
    "total_catchment_area": "m2",
    "specific_catchment_area": "m",
    "topographic_wetness_index": "1",
    "ls_factor": "1",
    "convergence_index": "%",
    "closed_depressions": "m",
    "strahler_order": "1",
    "channel_network_distance": "m",
    "valley_depth": "m",
    "relative_slope_position": "1",
}
ORDERS = {
    "channel_network_distance": {"channel_order": CHANNEL_ORDER},
    "valley_depth": {"ridge_order": RIDGE_ORDER},
    "relative_slope_position": {"channel_order": CHANNEL_ORDER, "ridge_order": RIDGE_ORDER},
}


def index(method, **keywords):
    return Covariate(method, method, UNITS[method], {**ORDERS.get(method, {}), **keywords})


@pytest.fixture
def folder(tmp_path):
    write_tif(tmp_path / "dem.tif", valleys(), VALLEYS_GRID)
    return tmp_path


@pytest.fixture
def analyses(monkeypatch):
    """Return a list that grows with each analysis that is made."""
    made_here = []

    def counted(*args, **keywords):
        made_here.append(args)
        return real(*args, **keywords)

    real = shared.TerrainAnalysis
    monkeypatch.setattr(shared, "TerrainAnalysis", counted)
    return made_here


@pytest.mark.parametrize("method", UNITS)
def test_it_is_the_index_of_the_whole_grid(folder, method):
    expected = compound_analysis(
        valleys(),
        VALLEYS_GRID,
        only=[method],
        channel_order=CHANNEL_ORDER,
        ridge_order=RIDGE_ORDER,
    )[method]
    found = made(index(method), VALLEYS_GRID, folder, DEM)
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.attrs["units"] == expected.units
    assert found.attrs["analysis"] == "analysed on the study grid"


def test_one_analysis_serves_all_layers_chunks_and_threads(folder, analyses, monkeypatch):
    monkeypatch.setattr(resample, "CHUNK", 16)
    everything = {"elevation": DEM, **{method: index(method) for method in UNITS}}
    layers = {name: build(name, everything, VALLEYS_GRID, epoch=None, root=folder).data for name in UNITS}
    assert analyses == []
    dask.compute(*layers.values(), scheduler="threads", num_workers=4)
    assert len(analyses) == 1
    part = build(
        "ls_factor", everything, VALLEYS_GRID[10:40, 5:30], epoch=None, root=folder, whole=VALLEYS_GRID
    )
    np.testing.assert_array_equal(part.values, layers["ls_factor"][10:40, 5:30].compute())
    assert len(analyses) == 1


def test_the_stack_is_written_by_threads_from_one_analysis(folder, analyses, monkeypatch):
    monkeypatch.setattr(resample, "CHUNK", 512)
    everything = {"elevation": DEM, **{method: index(method) for method in UNITS}}
    layers = {
        folder / f"{name}.zarr": build(name, everything, VALLEYS_GRID, epoch=None, root=folder)
        for name in UNITS
    }
    store_layers(layers, VALLEYS_GRID, workers=3)
    assert all(path.exists() for path in layers)
    assert len(analyses) == 1


def test_other_settings_and_other_files_make_other_analyses(folder, analyses):
    first = made(index("total_catchment_area"), VALLEYS_GRID, folder, DEM)
    made(index("total_catchment_area", distances="plane"), VALLEYS_GRID, folder, DEM)
    assert len(analyses) == 2
    everything = {"elevation": DEM, "total_catchment_area": index("total_catchment_area")}
    kept = build("total_catchment_area", everything, VALLEYS_GRID, epoch=None, root=folder)
    kept.compute(scheduler="synchronous")
    assert len(analyses) == 3
    np.testing.assert_array_equal(made(index("total_catchment_area"), VALLEYS_GRID, folder, DEM), first)
    assert len(analyses) == 3
    write_tif(folder / "dem.tif", valleys()[::-1], VALLEYS_GRID)
    os.utime(folder / "dem.tif", ns=(1, 1))
    changed = made(index("total_catchment_area"), VALLEYS_GRID, folder, DEM)
    assert len(analyses) == 4
    assert not np.array_equal(changed, first)


def test_an_analysis_goes_when_the_last_layer_goes(folder):
    gc.collect()
    before = len(shared._KNOWN)
    lazy = build(
        "ls_factor",
        {"elevation": DEM, "ls_factor": index("ls_factor")},
        VALLEYS_GRID,
        epoch=None,
        root=folder,
    )
    assert len(shared._KNOWN) == before + 1
    lazy.compute(scheduler="synchronous")
    del lazy
    gc.collect()
    assert len(shared._KNOWN) == before


@pytest.mark.parametrize("method", ["topographic_wetness_index", "relative_slope_position"])
def test_an_index_of_the_dem_itself_is_averaged(folder, method):
    own = made(index(method), VALLEYS_GRID, folder, DEM).values
    found = made(index(method, analysis="source"), COARSE, folder, DEM)
    assert found.attrs["analysis"] == "analysed at the DEM's own resolution, then averaged"
    np.testing.assert_allclose(found, own.reshape(8, 8, 6, 8).mean(axis=(1, 3)), rtol=1e-5)


def test_heights_in_feet_make_the_same_water(folder):
    write_tif(folder / "feet.tif", valleys() / np.float32(0.3048), VALLEYS_GRID)
    feet = Covariate("elevation", "raster", "ft", {"path": "feet.tif"})
    for method in ("closed_depressions", "channel_network_distance"):
        found, expected = (made(index(method), VALLEYS_GRID, folder, dem) for dem in (feet, DEM))
        assert np.isclose(found, expected, atol=0.05).mean() > 0.99


def test_cells_beyond_the_whole_grid_are_nodata(folder):
    around = build(
        "ls_factor",
        {"elevation": DEM, "ls_factor": index("ls_factor")},
        VALLEYS_GRID.pad(3),
        epoch=None,
        root=folder,
        whole=VALLEYS_GRID,
    ).values
    inside = made(index("ls_factor"), VALLEYS_GRID, folder, DEM).values
    np.testing.assert_array_equal(around[3:-3, 3:-3], inside)
    assert np.isnan(around).sum() == around.size - inside.size


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (
            {"memory": 1e-6},
            r"covariate ls_factor: the terrain analysis of a whole grid of 64 x 48 cells needs",
        ),
        (
            {"convergence": 0.0},
            r"covariate ls_factor: convergence is an exponent of the slope, above 0; found 0",
        ),
        ({"memory": -1.0}, r"covariate ls_factor: memory is a size \[GiB\], above 0; found -1"),
        ({"input": "eleva"}, "no covariate 'eleva' to build from: did you mean 'elevation'"),
    ],
)
def test_faults_are_told_before_any_value_is_computed(folder, keywords, message):
    everything = {"elevation": DEM, "ls_factor": index("ls_factor", **keywords)}
    with pytest.raises(PermagridError, match=message):
        build("ls_factor", everything, VALLEYS_GRID, epoch=None, root=folder)


@pytest.mark.parametrize(
    ("method", "keywords", "message"),
    [
        ("valley_depth", {"ridge_order": 0}, "ridge_order is a Strahler order, at least 2; found 0"),
        ("channel_network_distance", {"channel_order": 1}, "channel_order is a Strahler order, at least 2"),
        ("relative_slope_position", {"ridge_order": 1}, "ridge_order is a Strahler order, at least 2"),
        ("valley_depth", {"ridge_order": 12}, "ridge_order is 12, .* 64 x 48 cells .* at most 11"),
        ("channel_network_distance", {"channel_order": 99}, "channel_order is 99, .* at most 11"),
        ("relative_slope_position", {"channel_order": 99}, "channel_order is 99, .* at most 11"),
        ("convergence_index", {"smoothing": 33.0}, "smoothing of 33 cells .* DEM, 64 cells; .* at most 32"),
        (
            "convergence_index",
            {"smoothing": 0.5},
            "smoothing is the radius of a disk of cells, 0 for none or",
        ),
        ("topographic_wetness_index", {"least_slope": 0.0}, r"least_slope is a slope \[m/m\], above 0"),
    ],
)
def test_keywords_out_of_their_range_are_told(folder, method, keywords, message):
    with pytest.raises(PermagridError, match=f"covariate {method}: {message}"):
        made(index(method, **keywords), VALLEYS_GRID, folder, DEM)


def test_faults_of_the_ground_name_the_covariate(folder):
    with pytest.raises(PermagridError, match=r"covariate valley_depth: no ridge .* the highest is 4"):
        made(index("valley_depth", ridge_order=6), VALLEYS_GRID, folder, DEM)
    heights = valleys()
    heights[30, 20] = -9999
    write_tif(folder / "dem.tif", heights, VALLEYS_GRID, nodata=-9999)
    with pytest.raises(PermagridError, match=r"covariate ls_factor: the elevation has 1 voids"):
        made(index("ls_factor", voids="refuse"), VALLEYS_GRID, folder, DEM)
    assert np.isnan(made(index("ls_factor"), VALLEYS_GRID, folder, DEM).values[30, 20])
    write_tif(folder / "dem.tif", np.full(VALLEYS_GRID.shape, -9999.0), VALLEYS_GRID, nodata=-9999)
    with pytest.raises(PermagridError, match=r"covariate ls_factor: the elevation has no data in any cell"):
        made(index("ls_factor"), VALLEYS_GRID, folder, DEM)


def test_a_dem_of_one_row_and_one_that_is_no_height_are_told(folder):
    row = VALLEYS_GRID[:1]
    write_tif(folder / "dem.tif", valleys()[:1], row)
    with pytest.raises(PermagridError, match=r"covariate ls_factor: .*1 x 48 cells"):
        made(index("ls_factor"), VALLEYS_GRID, folder, DEM)
    write_tif(folder / "dem.tif", valleys(), VALLEYS_GRID)
    greenness = Covariate("elevation", "raster", "1", {"path": "dem.tif"})
    with pytest.raises(PermagridError, match="covariate ls_factor: elevation is in '1'"):
        made(index("ls_factor"), VALLEYS_GRID, folder, greenness)
