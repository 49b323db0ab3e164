"""The section of the report on sites: a figure whose every mark has a name, and counts that are explained."""

from functools import partial

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from permagrid.products.legend import LEGENDS
from permagrid.report.basemap import Bounds
from permagrid.report.map_frame import MAPPED
from permagrid.report.raster import MapImage, read_map
from permagrid.report.site_figures import site_map_figure
from permagrid.report.site_text import site_counts

TEMPERATURE = LEGENDS["mean_annual_ground_temperature"]
PRESENCE = LEGENDS["permafrost_presence"]
draw = partial(site_map_figure.__wrapped__, coasts=False)
"""The figure itself instead of its image."""


def keys(axes):
    """Return the labels of the legend below a map."""
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.fixture(scope="module")
def table():
    """Return six sites: two used, one only kept, one suspect, one failed, one without coordinates."""
    rows = pd.DataFrame(
        {
            "site_id": list("abcdef"),
            "longitude": [100.0, 105.0, 110.0, 115.0, 120.0, np.nan],
            "latitude": [60.0, 62.0, 64.0, 66.0, 68.0, np.nan],
            "value": [-1.0, -3.0, np.nan, -5.0, 99.0, 1.0],
            "flag_range": [1, 1, 1, 3, 4, 1],
            "flag_place": [1, 1, 1, 3, 1, 9],
            "kept": [True, True, True, True, False, False],
        }
    )
    return gpd.GeoDataFrame(rows, geometry=gpd.points_from_xy(rows["longitude"], rows["latitude"]))


@pytest.fixture(scope="module")
def used(table):
    return pd.DataFrame(table[["site_id", "longitude", "latitude", "value"]].iloc[:2])


def test_every_mark_of_the_site_figure_is_named_with_its_number(table, used):
    mapped = MapImage(np.array([[1.0, np.nan]]), Bounds(90, 55, 130, 70), "EPSG:4326")
    left, right, *_ = draw(table, TEMPERATURE, used=used, mapped=mapped).axes
    assert keys(left) == ["used for training (2)", "passed the tests, not used (2)", "mapped area"]
    assert keys(right) == [
        "place (2, 1 on this map)",
        "range (2, 1 on this map)",
        "not flagged (3)",
        "mapped area",
    ]
    assert right.get_legend().get_title().get_text().startswith("Filled: failed. Open: suspect")
    assert right.get_title() == "Flagged: 3 sites, by test"


def test_marks_that_are_not_drawn_are_not_named(table):
    clean = table.iloc[:2].assign(flag_range=1, flag_place=1)
    left, right, *_ = draw(clean, TEMPERATURE).axes
    assert keys(left) == ["passed the tests (2)"]
    assert keys(right) == ["not flagged (2)"]
    assert right.get_title() == "No site was flagged"


def test_sites_without_a_value_are_named(table):
    left, *_ = draw(table, TEMPERATURE).axes
    assert keys(left) == ["passed the tests (3)", "no value (1)"]


def test_sites_of_classes_are_named_by_class_with_no_colour_bar(table):
    figure = draw(table.assign(value=[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]), PRESENCE)
    assert len(figure.axes) == 2
    by_class = dict(zip([stop.label for stop in PRESENCE.stops], [1, 3], strict=True))
    assert keys(figure.axes[0]) == [f"{label} ({n})" for label, n in by_class.items()]
    assert figure.axes[0].get_legend().get_title().get_text() == PRESENCE.label
    assert figure.axes[0].get_title().endswith("coloured by class")


def test_marks_of_one_site_stand_side_by_side_and_the_rarest_test_on_top(table):
    often = table.assign(flag_range=3, flag_place=[4, 1, 1, 1, 1, 1])
    figure = draw(often, TEMPERATURE)
    figure.canvas.draw()
    right = figure.axes[1]
    marks = {}
    for drawn in right.collections:
        for place in drawn.get_offsets():
            x, _ = drawn.get_offset_transform().transform(place)
            marks.setdefault(to_hex(drawn.get_edgecolor()[0]), []).append((x, drawn.get_zorder()))
    place, some = marks["#d55e00"], marks["#0072b2"]
    assert (len(place), len(some)) == (1, 4)
    assert place[0][1] > max(height for _, height in some)
    nearest = min(abs(place[0][0] - x) for x, _ in some)
    assert nearest == pytest.approx(0.075 * figure.dpi)


def test_cells_with_data_are_shaded_and_have_an_edge_where_there_are_no_coasts(value_run):
    mapped = read_map(value_run.maps[0].path)
    drawn = [
        site_map_figure(value_run.sites, TEMPERATURE, mapped=image, coasts=coasts)
        for image, coasts in ((mapped, True), (mapped, False), (None, False))
    ]
    assert len(set(drawn)) == 3
    figure = draw(value_run.sites, TEMPERATURE, mapped=mapped)
    shade = figure.axes[0].images[0]
    assert shade.get_cmap().colors == [MAPPED]
    assert np.array_equal(shade.get_array().mask, np.isnan(mapped.values))


SUMMARY = {
    "sites": {"read": 396, "kept": 3, "site_epochs": 5, "not_used": {"censored value": 2}},
    "scores": [{"n_sites": 2}],
}
STUDY = {
    "target": {"variable": "t"},
    "sites": {"same_place": 100.0, "reduce": {"depth_range": [1.6, 30.0], "depth_rule": "deepest"}},
}
PREDICTIONS = pd.DataFrame(
    {
        "target": "t",
        "site_id": ["a", "b", "c", "a", "b"] * 2,
        "epoch": ["1980-1984", "1980-1984", "1980-1984", "1985-1989", "1985-1989"] * 2,
        "subset": "all",
    }
)


def test_counts_that_differ_between_sections_are_explained_in_one_sentence(table):
    assert site_counts(SUMMARY, table, PREDICTIONS, STUDY) == (
        "396 sites were read, 4 have observations that passed the quality tests, and 3 have what the study "
        "asks for (a depth of 1.6 to 30 m, a year in an epoch, covariates) and were used for training and "
        "scoring.",
        "Left out: 2 site-epochs (censored value).",
        "Other sections count otherwise: 5 site-epochs are the values of one site in one epoch each; 2 "
        "places are the sites, with those nearer than 100 m to each other taken as one; an epoch has only "
        "the sites that were observed in it (1980–1984 3, 1985–1989 2).",
    )


def test_counts_that_are_equal_need_no_explanation(table):
    same = {"sites": {"read": 3, "kept": 3, "site_epochs": 3}, "scores": [{"n_sites": 3}]}
    one_epoch = PREDICTIONS[PREDICTIONS["epoch"] == "1980-1984"]
    assert len(site_counts(same, table, one_epoch, STUDY)) == 1
    assert site_counts({}, table, one_epoch, STUDY) == ()


def test_a_row_for_each_depth_is_said():
    study = {"sites": {"reduce": {"depth_rule": "each"}}}
    said = site_counts(SUMMARY, gpd.GeoDataFrame(), pd.DataFrame(), study)
    assert "one site in one epoch and at one depth each" in said[-1]
