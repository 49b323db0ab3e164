"""Figures: right colours at right places, the same bytes each time, and clear refusals."""

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from odc.geo.geobox import GeoBox
from odc.geo.xr import wrap_xr
from PIL import Image

from permagrid.errors import PermagridError
from permagrid.products.geotiff import write_cog
from permagrid.products.legend import LEGENDS
from permagrid.products.scratch import open_scratch
from permagrid.report.canvas import NODATA
from permagrid.report.figures import (
    confusion_figure,
    epoch_maps_figure,
    map_figure,
    roc_figure,
    scatter_figure,
    score_figure,
    site_map_figure,
    truth_figure,
)
from permagrid.report.raster import read_map

TEMPERATURE = LEGENDS["mean_annual_ground_temperature"]
PRESENCE = LEGENDS["permafrost_presence"]


def colours_in(png):
    image = Image.open(io.BytesIO(png)).convert("RGB")
    return {"#{:02x}{:02x}{:02x}".format(*colour) for n, colour in image.getcolors(2**24) if n > 200}


def one(table):
    return table[table["learner"] == "random_forest"]


def dark_pixels(png):
    return int((np.asarray(Image.open(io.BytesIO(png)).convert("L")) < 75).sum())


def test_a_class_map_shows_its_classes_and_no_data_in_their_colours(class_run):
    png = map_figure(class_run.maps[0].path, PRESENCE, title="Permafrost")
    assert {stop.colour for stop in PRESENCE.stops} | {NODATA} <= colours_in(png)


@pytest.fixture(scope="module")
def sited(value_run):
    return map_figure(value_run.maps[0].path, TEMPERATURE, title="MAGT", sites=value_run.sites)


def test_bytes_are_the_same_each_time_and_free_of_the_users_settings(value_run, sited):
    before = dict(mpl.rcParams)
    with mpl.rc_context({"axes.facecolor": "red", "font.size": 20.0}):
        again = map_figure(value_run.maps[0].path, TEMPERATURE, title="MAGT", sites=value_run.sites)
    assert again == sited
    assert dict(mpl.rcParams) == before
    assert b"Software" not in sited


def test_figures_have_a_palette_that_holds_every_colour_of_the_legend():
    grid = GeoBox.from_bbox((0, 60, 40, 80), "EPSG:4326", resolution=0.1)
    values = np.linspace(-10, 6, grid.shape[0] * grid.shape[1]).reshape(grid.shape)
    png = map_figure(wrap_xr(values, grid), TEMPERATURE, title="x")
    assert Image.open(io.BytesIO(png)).mode == "P"
    assert {stop.colour for stop in TEMPERATURE.stops} <= colours_in(png)


def test_a_virtual_world_has_no_coasts_but_the_edge_of_its_data():
    grid = GeoBox.from_bbox((5, 55, 30, 72), "EPSG:4326", resolution=0.25)
    whole = np.zeros(grid.shape)
    holed = whole.copy()
    holed[20:50, 30:70] = np.nan
    earth, bare, edged = (
        map_figure(wrap_xr(values, grid), TEMPERATURE, title="x", coasts=coasts)
        for values, coasts in ((whole, True), (whole, False), (holed, False))
    )
    assert dark_pixels(earth) > dark_pixels(edged) + 500 > dark_pixels(bare) + 1000


def test_titles_are_text_and_never_formulas(class_run):
    assert map_figure(class_run.maps[0].path, PRESENCE, title=r"costs $1 \frac{ $")[:4] == b"\x89PNG"


def test_sites_are_drawn_on_the_map(value_run, sited):
    assert sited != map_figure(value_run.maps[0].path, TEMPERATURE, title="MAGT")


@pytest.mark.parametrize(
    ("crs", "box", "resolution", "variable"),
    [
        ("EPSG:4326", (-180, 45, 180, 84), 1.0, "permafrost_probability"),
        ("EPSG:4326", (160, 60, 200, 75), 0.25, "active_layer_thickness"),
        ("EPSG:6931", (-9e6, -9e6, 9e6, 9e6), 150_000, "active_layer_thickness"),
        (
            "+proj=aea +lat_1=25 +lat_2=47 +lon_0=105 +datum=WGS84 +units=m",
            (-3e6, 1.8e6, 3e6, 6e6),
            50_000,
            "permafrost_probability",
        ),
    ],
)
def test_any_grid_and_kind_of_legend_can_be_drawn(crs, box, resolution, variable):
    grid = GeoBox.from_bbox(box, crs, resolution=resolution)
    values = np.linspace(0, 1, grid.shape[0] * grid.shape[1]).reshape(grid.shape)
    png = map_figure(wrap_xr(values, grid), LEGENDS[variable], title="A map")
    assert png[:4] == b"\x89PNG"


def test_a_map_without_any_data_can_be_drawn():
    grid = GeoBox.from_bbox((0, 60, 40, 80), "EPSG:4326", resolution=1)
    assert NODATA in colours_in(
        map_figure(wrap_xr(np.full(grid.shape, np.nan), grid), TEMPERATURE, title="x")
    )


def test_maps_are_read_through_overviews_and_the_right_way_up(tmp_path):
    grid = GeoBox.from_bbox((0, 0, 2_000_000, 1_000_000), "EPSG:6931", resolution=1000)
    values = np.repeat(np.linspace(10, 0, 1000, dtype="float32")[:, None], 2000, axis=1)
    write_cog(
        tmp_path / "map.tif",
        wrap_xr(values, grid),
        legend=TEMPERATURE,
        epoch="2000-2004",
        description="",
        valid_range=None,
        tags={},
    )
    image = read_map(tmp_path / "map.tif", max_pixels=50_000)
    assert image.values.size <= 50_000
    assert image.values[0].mean() > 9.9
    assert image.bounds == (0, 0, 2_000_000, 1_000_000)


def test_a_south_up_array_is_turned():
    grid = GeoBox.from_bbox((0, 60, 40, 80), "EPSG:4326", resolution=1)
    values = np.repeat(np.arange(20.0)[:, None], 40, axis=1)
    upright, turned = read_map(wrap_xr(values, grid)), read_map(wrap_xr(values[::-1], grid.flipy()))
    np.testing.assert_array_equal(upright.values, turned.values)
    assert upright.bounds == turned.bounds


def test_unreadable_and_unplaced_maps_are_refused(tmp_path):
    (tmp_path / "bad.tif").write_bytes(b"no map")
    with pytest.raises(PermagridError, match="cannot read the map"):
        map_figure(tmp_path / "bad.tif", TEMPERATURE, title="x")
    grid = GeoBox((10, 10), GeoBox.from_bbox((0, 0, 10, 10), "EPSG:4326", resolution=1).affine, None)
    with open_scratch(tmp_path / "bare.tif", grid, "float32", np.nan):
        pass
    with pytest.raises(PermagridError, match="no CRS"):
        map_figure(tmp_path / "bare.tif", TEMPERATURE, title="x")


def test_truth_and_map_must_share_a_grid(value_run, class_run):
    grid = GeoBox.from_bbox((0, 60, 40, 80), "EPSG:4326", resolution=1)
    other = wrap_xr(np.zeros(grid.shape), grid)
    with pytest.raises(PermagridError, match="different grids"):
        truth_figure(value_run.maps[0].path, other, TEMPERATURE, title="x")
    with pytest.raises(PermagridError, match="at least one epoch"):
        epoch_maps_figure({}, TEMPERATURE, title="x")


def test_errors_of_classes_are_missed_or_false_alarms(class_run):
    early, late = (layer.path for layer in class_run.maps)
    assert "#d0730f" in colours_in(truth_figure(early, late, PRESENCE, title="it warmed: missed"))
    assert "#70589f" in colours_in(truth_figure(late, early, PRESENCE, title="it cooled: false alarms"))


def test_site_maps_tell_used_sites_from_kept_ones_and_need_a_place(value_run):
    used = value_run.sites.iloc[10:40][["site_id", "longitude", "latitude", "value"]]
    kept_only = site_map_figure(value_run.sites, TEMPERATURE)
    assert kept_only[:4] == b"\x89PNG"
    assert site_map_figure(value_run.sites, TEMPERATURE, used=used) != kept_only
    with pytest.raises(PermagridError, match="no site to draw"):
        site_map_figure(value_run.sites.assign(latitude=999.0), TEMPERATURE)


def test_a_single_site_can_be_drawn(value_run):
    assert site_map_figure(value_run.sites.iloc[:1], TEMPERATURE)[:4] == b"\x89PNG"


def test_prediction_figures_refuse_what_they_cannot_show(value_run, class_run):
    with pytest.raises(PermagridError, match="no row has both"):
        scatter_figure(one(value_run.predictions).assign(predicted=np.nan), TEMPERATURE)
    with pytest.raises(PermagridError, match="'probability' is missing"):
        roc_figure(one(value_run.predictions))
    with pytest.raises(PermagridError, match="one class only"):
        roc_figure(one(class_run.predictions).assign(observed=1))
    with pytest.raises(PermagridError, match="no scores to draw"):
        score_figure(pd.DataFrame({"learner": ["a"], "folds": ["site"]}), unit="1")


def test_dense_scatter_becomes_a_density(value_run):
    few = one(value_run.predictions)
    many = pd.concat([few] * 12)
    assert scatter_figure(many, TEMPERATURE) != scatter_figure(few, TEMPERATURE)


def test_confusion_and_scores_are_drawn(value_run, class_run):
    for png in (
        confusion_figure(one(class_run.predictions), PRESENCE),
        roc_figure(one(class_run.predictions)),
        score_figure(class_run.scores, unit="1"),
        score_figure(value_run.scores.drop(columns=["rmse_low", "rmse_high"]), unit="degC"),
    ):
        assert png[:4] == b"\x89PNG"
