"""Distances are those of brute force on the ellipsoid, whatever the projection, the seam, or the pole."""

import re
import time
import tracemalloc

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rasters import made
from made_vectors import GEOD, brute_force, write_layer

from permagrid.check import check_study
from permagrid.covariates import Covariate, build, resample
from permagrid.covariates.surface.nearest import make_tree, nearest_feet
from permagrid.covariates.surface.outline import from_space, in_space
from permagrid.covariates.surface.vector_layer import files_of_layer
from permagrid.errors import PermagridError
from permagrid.grid import lonlat, make_geobox
from permagrid.report.basemap import world_lines
from permagrid.steps.inputs import files_for
from permagrid.study import parse_study
from small_study import small_study

POLAR = make_geobox("EPSG:3995", 100_000, bounds=(-1_500_000, -1_500_000, 1_500_000, 1_500_000))
CHUKCHI = make_geobox("EPSG:4326", 0.5, bounds=(170, 64, 196, 73))


def distance(path, geobox, **keywords):
    covariate = Covariate("away", "distance_to", keywords.pop("unit", "km"), {"path": path.name, **keywords})
    return made(covariate, geobox, path.parent).values.astype(float)


def some(geobox, values, n=40, seed=0):
    """Return places of some cells, and the values there."""
    longitude, latitude = (axis.ravel() for axis in lonlat(geobox))
    chosen = np.random.default_rng(seed).choice(longitude.size, min(n, longitude.size), replace=False)
    return np.stack([longitude[chosen], latitude[chosen]], axis=1), values.ravel()[chosen]


ARC = np.stack([np.linspace(150, 215, 40), 66 + 5 * np.sin(np.linspace(0, 9, 40))], axis=1)
RING = np.stack([np.linspace(-180, 180, 25), np.full(25, 84.0) + np.tile([0, 1.5], 13)[:25]], axis=1)


@pytest.mark.parametrize("geobox", [POLAR, CHUKCHI], ids=["polar", "lon/lat beyond 180"])
@pytest.mark.parametrize("line", [ARC, RING], ids=["over the antimeridian", "round the pole"])
def test_distance_to_lines_is_that_of_brute_force(geobox, line, tmp_path):
    wrapped = np.stack([np.where(line[:, 0] > 180, line[:, 0] - 360, line[:, 0]), line[:, 1]], axis=1)
    path = write_layer(tmp_path / "line.geojson", shapely.LineString(wrapped))
    places, found = some(geobox, distance(path, geobox, unit="m"))
    expected = brute_force(places, [line], step=0.005)
    # Points of the brute force lie up to 800 m apart: its nearest one may be 400 m from the foot.
    assert (found <= expected + 2 + 4e-4 * expected).all()
    assert (expected <= np.hypot(found, 400) + 2 + 4e-4 * found).all()
    assert np.median(np.abs(found - expected)) < 2


@settings(max_examples=25, deadline=None)
@given(
    points=st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=1, max_size=20),
    place=st.tuples(st.floats(-180, 180), st.floats(-90, 90)),
)
def test_the_nearest_of_points_anywhere_on_the_globe_is_found(points, place):
    known = in_space(*np.array(points).T)
    foot = nearest_feet(make_tree(known, known), in_space(*np.array([place]).T), np.inf)
    away = GEOD.inv(*np.array([place]).T, *from_space(foot))[2][0]
    others = GEOD.inv(np.full(len(points), place[0]), np.full(len(points), place[1]), *np.array(points).T)[2]
    nearest = others.min()
    within = 5e-4 if nearest < 5e6 else 3e-3
    # Near the antipodes a straight line in space no longer tells which way is shorter.
    assert away - nearest < 1e-3 + within * nearest or nearest > 1e7


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 200))
def test_the_tree_finds_what_looking_at_every_piece_finds(seed, count):
    random = np.random.default_rng(seed)
    start = random.normal(0, 1, (count, 3)).round(1)
    end = start + random.normal(0, 0.3, (count, 3)).round(1) * random.integers(0, 2, (count, 1))
    points = random.normal(0, 1.5, (30, 3))
    feet = nearest_feet(make_tree(start, end), points, np.inf)
    along = end - start
    squares = np.maximum((along**2).sum(axis=1), 1e-300)
    for point, foot in zip(points, feet, strict=True):
        share = np.clip((((point - start) * along).sum(axis=1)) / squares, 0, 1)
        nearest = np.linalg.norm(start + share[:, None] * along - point, axis=1).min()
        assert np.linalg.norm(foot - point) == pytest.approx(nearest, abs=1e-12)
    limit = float(np.median(np.linalg.norm(feet - points, axis=1)))
    limited = nearest_feet(make_tree(start, end), points, limit)
    far = np.linalg.norm(feet - points, axis=1) > limit
    assert np.isnan(limited[far]).all()
    np.testing.assert_array_equal(limited[~far], feet[~far])


def test_distance_to_points_and_in_another_unit(tmp_path):
    places = [(0.0, 90.0), (179.9, 70.0), (-45.0, 65.0)]
    path = write_layer(tmp_path / "points.gpkg", *(shapely.Point(p) for p in places))
    found = distance(path, POLAR)
    where, values = some(POLAR, found, n=200)
    expected = [min(GEOD.inv(lon, lat, *p)[2] for p in places) / 1000 for lon, lat in where]
    np.testing.assert_allclose(values, expected, rtol=1e-4)
    np.testing.assert_allclose(distance(path, POLAR, unit="m"), 1000 * found, rtol=1e-6)


def test_a_line_in_a_projection_is_straight_there_and_not_in_longitude_and_latitude(tmp_path):
    ends = np.array([[-1_400_000.0, 900_000.0], [1_300_000.0, 700_000.0]])
    path = write_layer(tmp_path / "line.gpkg", shapely.LineString(ends), crs="EPSG:3995")
    between = np.linspace(0, 1, 4001)[:, None]
    line = gpd.GeoSeries(gpd.points_from_xy(*(ends[0] + between * (ends[1] - ends[0])).T), crs=3995).to_crs(
        4326
    )
    places, found = some(POLAR, distance(path, POLAR, unit="m"))
    expected = brute_force(places, [np.array([point]) for point in shapely.get_coordinates(line)])
    assert (np.abs(found - expected) < 30 + 4e-4 * expected).all()
    across = write_layer(tmp_path / "lonlat.gpkg", shapely.LineString(shapely.get_coordinates(line)[[0, -1]]))
    assert np.abs(distance(across, POLAR, unit="m") - distance(path, POLAR, unit="m")).max() > 50_000


def square(west, south, east, north):
    return shapely.Polygon([(west, south), (east, south), (east, north), (west, north)])


def test_cells_within_polygons_are_at_no_distance_or_below_it(tmp_path):
    hole = shapely.Polygon(square(172, 66, 186, 71).exterior, [square(176, 68, 179, 69).exterior])
    path = write_layer(tmp_path / "land.gpkg", hole)
    zero, signed = (distance(path, CHUKCHI, inside=inside) for inside in ("zero", "signed"))
    longitude, latitude = lonlat(CHUKCHI)
    longitude = longitude % 360
    within = (longitude > 172) & (longitude < 186) & (latitude > 66) & (latitude < 71)
    within &= ~((longitude > 176) & (longitude < 179) & (latitude > 68) & (latitude < 69))
    assert (zero[within] == 0).all()
    assert (zero[~within] > 0).all()
    np.testing.assert_array_equal(signed[~within], zero[~within])
    assert (signed[within] < 0).all()
    edges = [np.array(ring.coords) for ring in (hole.exterior, *hole.interiors)]
    places, values = some(CHUKCHI, signed, n=30)
    np.testing.assert_allclose(np.abs(values) * 1000, brute_force(places, edges), rtol=1e-3, atol=50)


def test_a_border_between_polygons_is_no_edge_of_both_together(tmp_path):
    one = write_layer(tmp_path / "one.gpkg", square(172, 66, 186, 71))
    two = write_layer(tmp_path / "two.gpkg", square(172, 66, 179, 71), square(179, 66, 186, 71))
    overlapping = write_layer(tmp_path / "three.gpkg", square(172, 66, 181, 71), square(178, 66, 186, 71))
    first, *others = (distance(p, CHUKCHI, inside="signed") for p in (one, two, overlapping))
    assert first.min() < -200
    for other in others:
        np.testing.assert_allclose(other, first, atol=0.01)


@pytest.mark.parametrize(
    "shapes",
    [
        [square(172, 66, 180, 71), square(-180, 66, -174, 71)],
        [shapely.Polygon([(172, 66), (-174, 66), (-174, 71), (172, 71)])],
        [shapely.Polygon([(-174, 71), (172, 71), (172, 66), (-174, 66)])],
    ],
    ids=["cut at the antimeridian", "jumping over it", "jumping the other way round"],
)
def test_a_polygon_over_the_antimeridian_is_one(shapes, tmp_path):
    whole = write_layer(tmp_path / "whole.gpkg", square(172, 66, 186, 71))
    path = write_layer(tmp_path / "land.gpkg", *shapes)
    for inside in ("zero", "signed"):
        one, other = distance(whole, CHUKCHI, inside=inside), distance(path, CHUKCHI, inside=inside)
        np.testing.assert_allclose(other, one, atol=0.01)


CAP = [(lon, 80.0 + 2 * (lon % 60 == 0)) for lon in range(-170, 171, 10)]


@pytest.mark.parametrize(
    "cap",
    [
        shapely.Polygon([*CAP, CAP[0]]),
        shapely.Polygon([*CAP[20:], *CAP[:20]]),
        shapely.Polygon([*CAP, CAP[0]][::-1]),
        shapely.Polygon([(-180, 90), (-180, 81), *CAP, (180, 81), (180, 90)]),
    ],
    ids=["round the pole", "from elsewhere", "westward", "cut open along the pole"],
)
def test_a_polygon_that_holds_the_pole_holds_it(cap, tmp_path):
    if len(cap.exterior.coords) > len(CAP) + 2:
        at = 80.0 + 2 * (180 % 60 == 0)
        cap = shapely.Polygon([(-180, 90), (-180, at), *CAP, (180, at), (180, 90)])
        line = np.array([(-180, at), *CAP, (180, at)])
    else:
        line = np.array([*CAP, (190.0, 80.0)])
    path = write_layer(tmp_path / "ice.gpkg", cap)
    signed = distance(path, POLAR, inside="signed", unit="m")
    _, latitude = lonlat(POLAR)
    assert (signed[latitude > 82.1] < 0).all()
    assert (signed[latitude < 79.9] > 0).all()
    places, values = some(POLAR, signed, n=30)
    np.testing.assert_allclose(np.abs(values), brute_force(places, [line]), rtol=1e-3, atol=50)


def test_what_is_farther_than_the_maximum_gets_it(tmp_path):
    path = write_layer(tmp_path / "point.gpkg", shapely.Point(10, 80))
    free, bounded = distance(path, POLAR), distance(path, POLAR, maximum=700.0)
    assert free.max() > 1000
    np.testing.assert_array_equal(bounded, np.minimum(free, 700.0))


def test_some_features_of_some_layer(tmp_path):
    path = tmp_path / "rivers.gpkg"
    lines = [shapely.LineString([(170 + n, 65), (172 + n, 72)]) for n in (0, 10)]
    write_layer(path, *lines, layer="rivers", order=[5, 2])
    write_layer(path, shapely.Point(180, 68), layer="towns")
    all_, large = (
        distance(path, CHUKCHI, layer="rivers"),
        distance(path, CHUKCHI, layer="rivers", where='"order" > 4'),
    )
    alone = distance(write_layer(tmp_path / "one.gpkg", lines[0]), CHUKCHI)
    np.testing.assert_array_equal(large, alone)
    assert (all_ < large).any()
    with pytest.raises(PermagridError, match="has several layers; name one with layer: rivers, towns"):
        distance(path, CHUKCHI)
    with pytest.raises(PermagridError, match="no layer 'river': did you mean 'rivers'"):
        distance(path, CHUKCHI, layer="river")
    with pytest.raises(PermagridError, match='layer rivers where "order" > 40 holds no feature'):
        distance(path, CHUKCHI, layer="rivers", where='"order" > 40')


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson"])
@pytest.mark.parametrize("where", ["rank <= 4", "scalerank <", "label = 'x", "scalerank == 4 AND ("])
def test_a_condition_that_cannot_be_asked_names_the_attributes(tmp_path, suffix, where):
    path = write_layer(tmp_path / f"rivers{suffix}", shapely.Point(180, 68), scalerank=[1], label=["a"])
    with pytest.raises(PermagridError) as told:
        distance(path, CHUKCHI, where=where)
    assert str(told.value) == (
        f"covariate away: {path}: where {where!r} is no condition of SQL on layer rivers, such as scalerank "
        "<= 4; its attributes are scalerank, label"
    )
    bare = write_layer(tmp_path / "bare.shp", shapely.Point(180, 68))
    with pytest.raises(PermagridError, match=r"its attributes are FID|it has no attributes"):
        distance(bare, CHUKCHI, where=where)


def faulty(tmp_path, what):
    if what == "no CRS":
        return write_layer(tmp_path / "bare.gpkg", shapely.Point(0, 80), crs=None)
    if what == "empty":
        path = tmp_path / "empty.gpkg"
        gpd.GeoDataFrame(geometry=[], crs=4326).to_file(path)
        return path
    if what == "no polygons":
        return write_layer(tmp_path / "line.shp", shapely.LineString([(0, 80), (10, 80)]))
    whole = write_layer(tmp_path / "whole.gpkg", shapely.Point(0, 80))
    if what == "a maximum of nothing":
        return whole
    path = tmp_path / {"KML": "coast.kml", "not a package": "coast.gpkg", "cut": "cut.gpkg"}.get(
        what, "gone.gpkg"
    )
    content = {"KML": b"<kml/>", "not a package": b"nothing of the kind", "cut": whole.read_bytes()[:3000]}
    if what in content:
        path.write_bytes(content[what])
    return path


FAULTS = {
    "no CRS": ({}, "layer bare has no CRS; state it with the keyword crs"),
    "empty": ({}, "holds no feature"),
    "no polygons": ({"inside": "signed"}, r"holds no polygons \(LineString\)"),
    "KML": ({}, r"format \.kml is not read; allowed: \.gpkg, \.shp, \.geojson, \.json"),
    "not a package": ({}, r"is no \.gpkg file, or damaged"),
    "cut": ({}, "the file is damaged or incomplete"),
    "missing": ({}, "no such file"),
    "a maximum of nothing": ({"maximum": 0}, "maximum is a distance above 0 km, found 0"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_what_cannot_be_measured_is_named_when_the_covariate_is_built_and_by_check(
    what, tmp_path, small_world
):
    path, (keywords, message) = faulty(tmp_path, what), FAULTS[what]
    covariate = Covariate("away", "distance_to", "km", {"path": path.name, **keywords})
    with pytest.raises(PermagridError, match=message):
        build("away", {"away": covariate}, POLAR, epoch=None, root=tmp_path)
    study = small_study(lean=True)
    study["covariates"].append({"name": "away", "method": "distance_to", "path": str(path), **keywords})
    faults = check_study(parse_study(study), small_world)
    assert [str(fault.place) for fault in faults if "away" in str(fault.place)]
    if what != "missing":
        assert any(re.search(message, fault.message) for fault in faults)


def test_a_layer_whose_features_have_no_geometry_is_told_when_it_is_read(tmp_path):
    path = tmp_path / "void.gpkg"
    gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.LineString()], crs=4326).to_file(path)
    with pytest.raises(PermagridError, match="no feature of layer void has a geometry"):
        distance(path, POLAR)


def test_a_crs_may_be_stated_where_the_file_has_none(tmp_path):
    bare = write_layer(tmp_path / "bare.gpkg", shapely.Point(0, 80), crs=None)
    whole = write_layer(tmp_path / "whole.gpkg", shapely.Point(0, 80))
    np.testing.assert_array_equal(distance(bare, POLAR, crs="EPSG:4326"), distance(whole, POLAR))


def test_every_format_gives_the_same(tmp_path):
    line = shapely.LineString([(-20, 80), (30, 83)])
    first, *others = (
        distance(write_layer(tmp_path / f"line{suffix}", line), POLAR)
        for suffix in (".gpkg", ".shp", ".geojson")
    )
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_the_files_of_a_shapefile_are_all_named(tmp_path):
    path = write_layer(tmp_path / "line.shp", shapely.LineString([(-20, 80), (30, 83)]))
    covariate = Covariate("away", "distance_to", "km", {"path": "line.shp"})
    names = {file.name for file in files_for(covariate, [(1980, 1984)], tmp_path)}
    assert names == {"line.shp", "line.shx", "line.dbf", "line.prj", "line.cpg"}
    path.with_suffix(".shx").unlink()
    assert path.with_suffix(".shx") in files_of_layer(path)
    with pytest.raises(PermagridError, match=r"line\.shx: no such file"):
        distance(path, POLAR)


def test_an_epoch_has_a_layer_of_its_own(tmp_path):
    for epoch, latitude in {"1980-1984": 75, "2015-2019": 80}.items():
        write_layer(tmp_path / f"glaciers_{epoch}.gpkg", shapely.Point(0, latitude))
    covariate = Covariate("away", "distance_to", "km", {"path": "glaciers_{epoch}.gpkg"}, years=(1980, 2019))
    one, other = (
        made(covariate, POLAR, tmp_path, epoch=epoch).values for epoch in ((1980, 1984), (2015, 2019))
    )
    assert np.abs(one - other).max() > 400
    assert {file.name for file in files_for(covariate, [(1980, 1984), (2015, 2019)], tmp_path)} == {
        "glaciers_1980-1984.gpkg",
        "glaciers_2015-2019.gpkg",
    }


def test_the_layer_is_read_once_for_all_blocks_and_memory_does_not_grow_with_the_grid(tmp_path, monkeypatch):
    lines = [shapely.LineString(line) for line in world_lines("coastlines")]
    path = write_layer(tmp_path / "coast.gpkg", *lines)
    covariate = {"away": Covariate("away", "distance_to", "km", {"path": path.name})}
    monkeypatch.setattr(resample, "CHUNK", 64)
    large = make_geobox("EPSG:3995", 20_000, bounds=(-3_000_000, -3_000_000, 3_000_000, 3_000_000))
    lazy = build("away", covariate, large, epoch=None, root=tmp_path)
    lazy[:1, :1].compute(scheduler="synchronous")
    path.unlink()
    tracemalloc.start()
    begun = time.perf_counter()
    for row in range(0, 300, 64):
        lazy[row : row + 64, :64].compute(scheduler="synchronous")
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    assert time.perf_counter() - begun < 20


def test_positions_are_those_of_the_cells(tmp_path):
    longitude, latitude = lonlat(CHUKCHI)
    named = {
        "longitude": longitude,
        "latitude": latitude,
        "sine_of_longitude": np.sin(np.radians(longitude)),
        "cosine_of_longitude": np.cos(np.radians(longitude)),
    }
    for name, expected in named.items():
        unit = "1" if "_of_" in name else "degree"
        found = made(Covariate(name, name, unit), CHUKCHI, tmp_path).values
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
    seam = made(Covariate("s", "sine_of_longitude", "1"), CHUKCHI, tmp_path).values
    assert np.abs(np.diff(seam, axis=1)).max() < 0.01
