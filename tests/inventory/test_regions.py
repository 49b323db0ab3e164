"""Regions of polygons on grids: centres, borders, the antimeridian, the pole, and files that do not do."""

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import LineString, Point, Polygon, box

from permagrid.errors import PermagridError
from permagrid.grid import make_geobox
from permagrid.inventory import Regions


def written(folder, shapes, crs="EPSG:4326", field="NAME"):
    path = folder / "regions.gpkg"
    gpd.GeoDataFrame({field: list(shapes)}, geometry=list(shapes.values()), crs=crs).to_file(path)
    return path


DEGREES = make_geobox("EPSG:4326", 1, bounds=(0, 60, 6, 64))


def test_cells_belong_where_their_centres_lie_and_border_cells_to_the_first(tmp_path):
    path = written(tmp_path, {"a": box(0, 60, 2.5, 64), "b": box(2.5, 60, 4.4, 64)})
    regions = Regions.read(path, "NAME")
    assert regions.index(DEGREES)[0].tolist() == [0, 0, 0, 1, -1, -1]
    assert regions.index(DEGREES, (slice(1, 3), slice(2, 5))).tolist() == [[0, 1, -1]] * 2
    assert regions.check(DEGREES) == {"a": 12, "b": 4}


def test_parts_of_one_name_are_one_region(tmp_path):
    path = tmp_path / "regions.gpkg"
    gpd.GeoDataFrame(
        {"NAME": ["a", "b", "a"]},
        geometry=[box(0, 60, 1, 64), box(1, 60, 2, 64), box(4, 60, 5, 64)],
        crs=4326,
    ).to_file(path)
    assert Regions.read(path, "NAME").index(DEGREES)[0].tolist() == [0, 1, -1, -1, 0, -1]


@pytest.mark.parametrize("bounds", [[(170, 180), (-180, -170)], [(170, 190)], [(-190, -170)]])
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3995"])
def test_the_antimeridian_may_be_drawn_in_any_way(tmp_path, bounds, crs):
    shapes = [box(west, 60, east, 70) for west, east in bounds]
    path = tmp_path / "regions.gpkg"
    gpd.GeoDataFrame({"NAME": ["Chukotka"] * len(shapes)}, geometry=shapes, crs=4326).to_file(path)
    regions = Regions.read(path, "NAME")
    if crs == "EPSG:4326":
        grid = make_geobox(crs, 1, bounds=(165, 60, 195, 61))
        assert np.flatnonzero(regions.index(grid)[0] == 0).tolist() == list(range(5, 25))
    else:
        grid = make_geobox(crs, 50_000, bounds=(-1e6, 1e6, 1e6, 4e6))
        inside = regions.index(grid) == 0
        np.testing.assert_array_equal(inside, inside[:, ::-1])
        assert inside.sum() > 100


def test_the_pole_lies_in_its_cap(tmp_path):
    path = written(tmp_path, {"cap": box(-180, 80, 180, 90)})
    grid = make_geobox("EPSG:3995", 100_000, bounds=(-2e6, -2e6, 2e6, 2e6))
    index = Regions.read(path, "NAME").index(grid)
    np.testing.assert_array_equal(index, index.T)
    assert index[19:21, 19:21].tolist() == [[0, 0], [0, 0]]
    odd = make_geobox("EPSG:3995", 100_000, bounds=(-50_000, -50_000, 50_000, 50_000))
    assert Regions.read(path, "NAME").index(odd).tolist() == [[0]]


def test_polygons_may_have_a_crs_of_their_own_and_bow_ties_are_mended(tmp_path):
    tie = Polygon([(0, 0), (4e5, 4e5), (4e5, 0), (0, 4e5)])
    path = written(tmp_path, {"tie": tie}, crs="EPSG:3995")
    grid = make_geobox("EPSG:3995", 100_000, bounds=(0, 0, 4e5, 4e5))
    found = Regions.read(path, "NAME").index(grid) == 0
    assert found.tolist()[1] == [True, True, True, True]
    assert found.sum() == 12


def test_cells_nowhere_on_the_globe_lie_in_no_region(tmp_path):
    path = written(tmp_path, {"all of it": box(-180, -90, 180, 90)})
    grid = make_geobox("EPSG:6931", 2e6, bounds=(-14e6, -14e6, 14e6, 14e6))
    index = Regions.read(path, "NAME").index(grid)
    assert index[0, 0] == -1
    assert index[7, 7] == 0


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"a": box(0, 60, 3, 64), "far": box(50, 60, 51, 61)}, "far holds the centre of no cell"),
        ({"a": box(0, 60, 3, 64), "tiny": box(4.1, 60.1, 4.2, 60.2)}, "smaller than a cell"),
        ({"a": box(0, 60, 3, 64), "b": box(2, 60, 5, 64)}, "a and b overlap: 4 cells"),
        ({"a": Point(0, 60)}, "a .feature 1 of .* is no polygon"),
        ({"a": LineString([(0, 60), (1, 61)])}, "no polygon"),
        ({None: box(0, 60, 3, 64)}, "feature 1 of .* has no NAME"),
        ({" ": box(0, 60, 3, 64)}, "has no NAME"),
        ({"all": box(0, 60, 3, 64)}, "may be named 'all'"),
    ],
)
def test_polygons_that_do_not_do_are_named(tmp_path, shapes, message):
    path = written(tmp_path, shapes)
    with pytest.raises(PermagridError, match=message):
        Regions.read(path, "NAME").check(DEGREES)


def test_files_that_do_not_do_are_named(tmp_path):
    with pytest.raises(PermagridError, match="no such file"):
        Regions.read(tmp_path / "none.gpkg", "NAME")
    text = tmp_path / "text.gpkg"
    text.write_text("no polygons")
    with pytest.raises(PermagridError, match="no polygons can be read"):
        Regions.read(text, "NAME")
    path = written(tmp_path, {"a": box(0, 60, 3, 64)}, field="REGION")
    with pytest.raises(PermagridError, match="no field 'NAME'"):
        Regions.read(path, "NAME")
    bare = tmp_path / "bare.gpkg"
    with pytest.warns(UserWarning, match="'crs' was not provided"):
        gpd.GeoDataFrame({"NAME": ["a"]}, geometry=[box(0, 0, 1, 1)]).to_file(bare)
    with pytest.raises(PermagridError, match="with a CRS"):
        Regions.read(bare, "NAME")
