"""Regions come from a column, from boxes or from polygons, and are held out whole."""

import geopandas as gpd
import numpy as np
import pytest
from made_sites import sites
from shapely.geometry import Point, box

from permagrid.errors import PermagridError
from permagrid.validation import FOLDS

BOXES = {"Alaska": (-170, 50, -130, 75), "Chukotka": (160, 50, -170, 75)}


def held_out(folds, table):
    return [set(table["site_group"].iloc[test]) for _, test in folds]


def test_boxes_may_cross_the_antimeridian_and_leave_sites_over():
    table = sites()
    folds = FOLDS["region"](table, boxes=BOXES)
    east = (table["longitude"] >= 160) | (table["longitude"] <= -170)
    alaska = table["longitude"].between(-170, -130)
    south = table["latitude"] <= 75
    expected = [
        set(table["site_group"][alaska & south]),
        set(table["site_group"][east & south]),
        set(table["site_group"][~((east | alaska) & south)]),
    ]
    assert held_out(folds, table) == expected
    assert "elsewhere (" in folds.method
    assert folds.name == "region"


def test_of_boxes_that_overlap_the_first_counts():
    table = sites()
    world = {"north": (-180, 75, 180, 90), "all": (-180, 0, 180, 90)}
    folds = FOLDS["region"](table, boxes=world)
    assert held_out(folds, table) == [
        set(table["site_group"][table["latitude"] < 75]),
        set(table["site_group"][table["latitude"] >= 75]),
    ]


def test_a_column_names_the_region_of_a_site_by_its_first_row():
    table = sites()
    country = np.array(["Norway", "Canada", None])[table["site_group"] % 3]
    table["country"] = country
    folds = FOLDS["region"](table, column="country")
    assert folds.name == "region_country"
    assert held_out(folds, table) == [
        set(table["site_group"][table["site_group"] % 3 == k]) for k in (1, 0, 2)
    ]
    # Another name in a later epoch does not tear the site apart.
    table.loc[table["epoch"] == "1995", "country"] = "Norway"
    assert held_out(FOLDS["region"](table, column="country"), table) == held_out(folds, table)


def test_polygons_may_be_in_another_projection_and_cover_the_pole(tmp_path):
    table = sites()
    names = ["cap", "cap", "ring"]
    pole, ring = Point(0, 0).buffer(1e6, 64), Point(0, 0).buffer(2e6, 64)
    shapes = [pole.intersection(box(0, -9e6, 9e6, 9e6)), pole.intersection(box(-9e6, -9e6, 0, 9e6)), ring]
    polygons = gpd.GeoDataFrame({"name": names}, geometry=shapes, crs="EPSG:3995")
    path = tmp_path / "regions.gpkg"
    polygons.to_file(path)
    folds = FOLDS["region"](table, path=str(path), field="name")
    places = gpd.points_from_xy(table["longitude"], table["latitude"], crs="EPSG:4326").to_crs("EPSG:3995")
    away = np.hypot(places.x, places.y)
    parts = [away < 0.999e6, away > 2.001e6, (away > 1.001e6) & (away < 1.999e6)]
    for (_, test), part in zip(folds, parts, strict=True):
        assert set(np.flatnonzero(part)) <= set(test)
    assert folds.method.startswith("3 regions held out in turn: cap (")


def test_regions_that_cannot_be_made_are_refused_in_one_sentence(tmp_path):
    table = sites()
    path = tmp_path / "regions.gpkg"
    gpd.GeoDataFrame({"name": ["a"]}, geometry=[box(0, 0, 1, 1)], crs="EPSG:4326").to_file(path)
    bare = tmp_path / "bare.geojson"
    bare.write_text("not a map", encoding="utf-8")
    faults = [
        ({}, "one of column, boxes and path, found none"),
        ({"column": "value", "boxes": BOXES}, "found column and boxes"),
        ({"boxes": BOXES, "field": "name"}, "path and field"),
        ({"path": str(path)}, "path and field"),
        ({"column": "countri"}, "no column 'countri'"),
        ({"boxes": {"all": (-180, -90, 180, 90)}}, "1 regions cannot make 2 folds"),
        ({"boxes": {"flat": (0, 50, 10, 50)}}, r"box flat must be \[west, south, east, north\]"),
        ({"path": str(path), "field": "land"}, "has no field 'land'"),
        ({"path": str(path), "field": "name"}, "1 regions cannot make 2 folds"),
        ({"path": str(bare), "field": "name"}, "no polygons can be read"),
        ({"path": str(tmp_path / "none.gpkg"), "field": "name"}, "no such file: .*none.gpkg"),
    ]
    for keywords, message in faults:
        with pytest.raises(PermagridError, match=message):
            FOLDS["region"](table, **keywords)
