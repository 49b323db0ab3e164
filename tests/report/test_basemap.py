"""Coastlines and graticules: complete, clipped, and without lines that jump across the map."""

from importlib.resources import files

import numpy as np
import pyproj
import pytest

from permagrid.report.basemap import Bounds, graticule, kilometres_per_unit, project_lines, world_lines

ALBERS = "+proj=aea +lat_1=25 +lat_2=47 +lat_0=0 +lon_0=105 +datum=WGS84 +units=m"
MAPS = {
    "polar stereographic": ("EPSG:3995", Bounds(-5e6, -5e6, 5e6, 5e6)),
    "polar stereographic, turned": ("EPSG:3413", Bounds(-4e6, -4e6, 4e6, 4e6)),
    "polar equal-area, hemisphere": ("EPSG:6931", Bounds(-9e6, -9e6, 9e6, 9e6)),
    "longitude and latitude": ("EPSG:4326", Bounds(-180, -90, 180, 90)),
    "across the antimeridian": ("EPSG:4326", Bounds(150, 50, 230, 80)),
    "Albers, the whole globe": (ALBERS, Bounds(-2e7, -2e7, 2e7, 2e7)),
    "Albers, China": (ALBERS, Bounds(-3e6, 1.8e6, 3e6, 6.4e6)),
    "Mercator": ("EPSG:3857", Bounds(-2e7, -1e7, 2e7, 2e7)),
}


def longest_piece(lines):
    return max(float(np.hypot(*np.diff(line, axis=0).T).max()) for line in lines)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("layer", ["coastlines", "borders"])
def test_no_line_jumps_across_the_map(name, layer):
    crs, bounds = MAPS[name]
    lines = project_lines(world_lines(layer), crs, bounds)
    # a quarter of a degree is 28 km on the ground; projections stretch it up to tenfold before it is cut,
    # and near the south pole that is some degrees of longitude
    limit = 3.0 if crs == "EPSG:4326" else 300_000
    assert longest_piece(lines) < limit
    points = np.concatenate(lines)
    assert np.isfinite(points).all()
    assert (points >= np.array(bounds[:2]) - 1e-6).all()
    assert (points <= np.array(bounds[2:]) + 1e-6).all()


def test_coastlines_stand_where_they_are():
    to_map = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3995", always_xy=True)
    lines = np.concatenate(project_lines(world_lines("coastlines"), *MAPS["polar stereographic"]))
    for place, longitude, latitude in (
        ("Cape Chelyuskin", 104.30, 77.72),
        ("Point Barrow", -156.48, 71.38),
        ("Wrangel Island, east", -177.5, 71.2),
        ("North Cape", 25.78, 71.17),
    ):
        x, y = to_map.transform(longitude, latitude)
        assert np.hypot(*(lines - (x, y)).T).min() < 30_000, place


def test_coasts_run_on_across_the_antimeridian():
    # mainland Chukotka and Wrangel Island cross 180 degrees, x = 0 on this map, twice each
    crossings = 0
    for line in project_lines(world_lines("coastlines"), *MAPS["polar stereographic"]):
        east = line[:, 0] >= -1.0
        beyond_the_pole = (line[1:, 1] > 0) & (line[1:, 1] < 3e6)
        crossings += int(((east[1:] != east[:-1]) & beyond_the_pole).sum())
    assert crossings >= 4


def test_a_map_across_the_antimeridian_shows_both_sides():
    points = np.concatenate(project_lines(world_lines("coastlines"), *MAPS["across the antimeridian"]))
    assert (points[:, 0] < 179).any()
    assert (points[:, 0] > 181).any()


def test_a_border_along_a_parallel_becomes_an_arc():
    parallel = np.array([[-123.0, 49.0], [-95.0, 49.0]])
    (line,) = project_lines([parallel], *MAPS["polar stereographic"])
    radius = np.hypot(*line.T)
    assert np.ptp(radius) < 1.0
    assert len(line) > 50


def test_polar_graticule_holds_meridians_all_round_and_parallels_as_rings():
    meridians, parallels = graticule(*MAPS["polar stereographic"])
    assert len(meridians) == 12
    assert {60.0, 70.0, 80.0} <= set(parallels)
    assert all(np.hypot(*line.T).min() > 500_000 for lines in meridians.values() for line in lines)
    lines = [line for lines in (*meridians.values(), *parallels.values()) for line in lines]
    assert longest_piece(lines) < 300_000


def test_graticule_across_the_antimeridian_names_degrees_within_180():
    meridians, _ = graticule(*MAPS["across the antimeridian"])
    assert {160.0, -180.0, -160.0} <= set(meridians)
    assert all(-180 <= degree < 180 for degree in meridians)


def test_scale_is_true_on_the_ground():
    assert kilometres_per_unit("EPSG:6931", Bounds(-1e5, -1e5, 1e5, 1e5)) == pytest.approx(0.001, rel=1e-3)
    assert kilometres_per_unit("EPSG:3857", Bounds(-1e5, 8.3e6, 1e5, 8.5e6)) == pytest.approx(
        0.0005, rel=0.02
    )


def test_the_data_are_small_and_their_origin_is_told():
    folder = files("permagrid.report").joinpath("data")
    assert len(folder.joinpath("natural_earth_50m.npz").read_bytes()) < 400_000
    said = folder.joinpath("ATTRIBUTION.txt").read_text(encoding="utf-8")
    assert "Natural Earth" in said
    assert "public domain" in said
