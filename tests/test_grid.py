"""Grids: their extent, where their cells lie on the globe, and points on them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from permagrid.errors import PermagridError
from permagrid.grid import (
    block_text,
    blocks,
    cells_of,
    chord,
    inside_region,
    is_global,
    lonlat,
    lonlat_of,
    make_geobox,
    parse_block,
    place_in,
    positions,
    sides,
    transformed,
    wrapped,
)

PROJECTIONS = ("EPSG:3995", "EPSG:3413", "EPSG:6931", "EPSG:3576", "EPSG:4326")


def test_bounds_are_met_or_exceeded_by_less_than_a_cell():
    grid = make_geobox("EPSG:3995", 3000, bounds=(-10_000, -5_000, 12_000, 7_000))
    assert tuple(grid.boundingbox) == (-12_000, -6_000, 12_000, 9_000)
    assert grid.shape == (5, 8)


def test_bounds_of_whole_cells_are_kept():
    coarse = make_geobox("EPSG:3995", 3000, bounds=(-10_000, -5_000, 11_000, 7_000))
    assert tuple(coarse.boundingbox) == (-10_000, -5_000, 11_000, 7_000)
    exact = make_geobox("EPSG:3995", 1000, bounds=(-10_000, -5_000, 11_000, 7_000))
    assert tuple(exact.boundingbox) == (-10_000, -5_000, 11_000, 7_000)


def test_a_resolution_that_binary_numbers_cannot_write_makes_no_extra_cell():
    grid = make_geobox("EPSG:4326", 0.1, bounds=(0.3, 60.1, 0.7, 60.3))
    assert grid.shape == (2, 4)
    assert grid.affine.a == 0.1


@pytest.mark.parametrize("crs", PROJECTIONS)
@pytest.mark.parametrize(
    "region", [(-180, 60, 180, 90), (170, 60, -150, 75), (25, 45, -169, 84), (70, 28, 105, 40)]
)
def test_a_region_lies_within_its_grid(crs, region):
    resolution = 0.25 if crs == "EPSG:4326" else 20_000
    grid = make_geobox(crs, resolution, region=region)
    west, south, east, north = region
    east += 360.0 if east <= west else 0.0
    random = np.random.default_rng(0)
    # Along the edges, where it matters.
    along = np.concatenate([random.uniform(west, east, 2000), np.full(500, west), np.full(500, east)])
    across = np.concatenate([random.choice([south, north - 1e-9], 2000), random.uniform(south, north, 1000)])
    row, column = cells_of(grid, wrapped(along), across)
    slack = 1e-3
    on_grid = (
        (row > -slack) & (row < grid.shape[0] + slack) & (column > -slack) & (column < grid.shape[1] + slack)
    )
    # A full circle of longitudes begins where it ends.
    assert (on_grid | (column >= grid.shape[1]) * is_global(grid)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either bounds .* or region"),
        ({"bounds": (0, 0, 1, 1), "region": (0, 60, 10, 70)}, "either bounds .* or region"),
        ({"bounds": (0, 0, 0, 1)}, "empty extent"),
        ({"bounds": (0, 0, 1)}, "four numbers"),
        ({"bounds": (0, 0, float("nan"), 1)}, "four numbers"),
        ({"region": (0, 70, 10, 60)}, "must run from west, south"),
        ({"region": (0, 60, 10, 95)}, "must run from west, south"),
    ],
)
def test_an_extent_that_is_none_is_refused(options, message):
    with pytest.raises(PermagridError, match=message):
        make_geobox("EPSG:3995", 1000, **options)


def test_a_wrong_crs_or_resolution_is_refused():
    with pytest.raises(PermagridError, match="unknown CRS 'EPSG:1'"):
        make_geobox("EPSG:1", 1000, bounds=(0, 0, 1, 1))
    for resolution in (0, -5, float("inf")):
        with pytest.raises(PermagridError, match="grid:"):
            make_geobox("EPSG:3995", resolution, bounds=(0, 0, 1, 1))


@given(
    crs=st.sampled_from(PROJECTIONS),
    longitude=st.floats(-180, 180, exclude_max=True),
    latitude=st.floats(50, 89.999),
)
@settings(deadline=None)
def test_points_come_back_from_their_cell(crs, longitude, latitude):
    grid = make_geobox(crs, 0.5 if crs == "EPSG:4326" else 50_000, region=(-180, 45, 180, 90))
    row, column = cells_of(grid, np.array([longitude]), np.array([latitude]))
    back = lonlat_of(grid, row, column)
    there, here = chord(*back), chord(np.array([longitude]), np.array([latitude]))
    assert np.abs(there - here).max() < 1e-9


@pytest.mark.parametrize("crs", ["EPSG:3995", "EPSG:6931", "EPSG:3413"])
def test_the_pole_is_on_the_grid_whatever_its_longitude(crs):
    grid = make_geobox(crs, 1000, bounds=(-5000, -5000, 5000, 5000))
    row, column = cells_of(grid, np.array([-180.0, 0.0, 77.0]), np.full(3, 90.0))
    np.testing.assert_allclose([row, column], 5.0, atol=1e-6)
    _, latitude = lonlat(grid)
    assert latitude.max() > 89.99
    assert np.isfinite(latitude).all()


def test_longitudes_are_wrapped_into_a_grid_that_crosses_180():
    grid = make_geobox("EPSG:4326", 1, region=(170, 60, -170, 70))
    row, column = cells_of(grid, np.array([175.5, -184.5, -175.5, 184.5, 160.0]), np.full(5, 65.5))
    np.testing.assert_allclose(column, [5.5, 5.5, 14.5, 14.5, 350.0])
    np.testing.assert_allclose(row, 4.5)
    longitude, _ = lonlat(grid)
    assert longitude.min() >= -180
    assert longitude.max() < 180


def test_points_that_cannot_be_projected_are_nowhere():
    grid = make_geobox("EPSG:3995", 1000, bounds=(0, 0, 1000, 1000))
    row, column = cells_of(grid, np.array([np.nan, 10.0, 10.0]), np.array([80.0, np.nan, 95.0]))
    assert np.isnan(row).all()
    assert np.isnan(column).all()


def test_cells_nowhere_on_the_globe_are_in_no_region():
    grid = make_geobox("EPSG:6931", 1e6, bounds=(-20e6, -20e6, 20e6, 20e6))
    longitude, latitude = lonlat(grid)
    assert not np.isfinite(latitude[0, 0])
    assert np.isfinite(longitude[20, 20])
    inside = inside_region(longitude, latitude, (-180, -90, 180, 90))
    assert not inside[0, 0]
    assert inside[20, 20]


@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    size=st.integers(1, 50) | st.tuples(st.integers(1, 50), st.integers(1, 50)),
)
def test_blocks_cover_a_grid_once(rows, columns, size):
    seen = np.zeros((rows, columns), dtype=int)
    for window in blocks((rows, columns), size):
        seen[window] += 1
    assert (seen == 1).all()


@given(size=st.integers(16, 9999) | st.tuples(st.integers(16, 9999), st.integers(16, 9999)))
def test_sizes_of_blocks_are_read_as_they_are_written(size):
    assert sides(parse_block(block_text(size))) == sides(size)


@pytest.mark.parametrize(
    "text", ["", "15", "x", "16x", "x16", "-512", "2x100", "1e3", "0x99999", "512x512x2"]
)
def test_sizes_that_are_none_are_refused(text):
    with pytest.raises(
        PermagridError, match=r"--block .*allowed are cells per side, such as 512, or rows and"
    ):
        parse_block(text)


@pytest.mark.parametrize("resolution", [0.1, 1 / 3, 1000.0])
def test_a_cell_has_the_same_place_whichever_window_it_is_asked_for_with(resolution):
    crs = "EPSG:4326" if resolution < 1 else "EPSG:3995"
    grid = make_geobox(crs, resolution, bounds=(10, 50, 10 + 40 * resolution, 50 + 30 * resolution))
    whole = positions(grid, (slice(0, 30), slice(0, 40)), subcells=3)
    part = positions(grid, (slice(7, 12), slice(31, 38)), subcells=3)
    for all_of_it, some in zip(whole, part, strict=True):
        np.testing.assert_array_equal(some, all_of_it[21:36, 93:114])
    longitude, latitude = lonlat(grid)
    np.testing.assert_array_equal(lonlat(grid, (slice(7, 12), slice(31, 38)))[0], longitude[7:12, 31:38])
    np.testing.assert_array_equal(lonlat(grid, (slice(7, 12), slice(31, 38)))[1], latitude[7:12, 31:38])


def test_a_part_knows_its_place():
    grid = make_geobox("EPSG:4326", 0.1, bounds=(0, 50, 30, 80))
    assert place_in(grid[7:30, 100:], grid) == (7, 100)
    assert place_in(grid.pad(2), grid) == (-2, -2)
    assert place_in(grid, grid) == (0, 0)
    shifted = GeoBox(grid.shape, grid.affine * grid.affine.translation(0.5, 0), grid.crs)
    for other in (shifted, make_geobox("EPSG:4326", 0.2, bounds=(0, 50, 30, 80))):
        with pytest.raises(PermagridError, match="must share cells"):
            place_in(other, grid)


@pytest.mark.parametrize(
    ("region", "inside"),
    [
        ((170, 60, -170, 70), [True, True, False, False]),
        ((170, 60, 190, 70), [True, True, False, False]),
        ((-180, 60, 180, 90), [True, True, True, False]),
        ((0, 60, 360, 90), [True, True, True, False]),
        ((-10, 60, 10, 70), [False, False, True, False]),
    ],
)
def test_a_region_may_cross_180(region, inside):
    longitude, latitude = np.array([175.0, -175.0, 0.0, 0.0]), np.array([65.0, 65.0, 65.0, 40.0])
    assert inside_region(longitude, latitude, region).tolist() == inside


def test_only_grids_that_meet_themselves_are_global():
    assert is_global(make_geobox("EPSG:4326", 1, bounds=(0, 0, 360, 10)))
    assert is_global(make_geobox("EPSG:4326", 0.7, bounds=(0, 0, 360, 10)))
    assert not is_global(make_geobox("EPSG:4326", 1, bounds=(0, 0, 359, 10)))
    assert not is_global(make_geobox("EPSG:3995", 1e5, bounds=(-1e7, -1e7, 1e7, 1e7)))


def test_the_same_crs_by_another_name_needs_no_transformation():
    x, y = np.array([190.0]), np.array([65.0])
    there = transformed(x, y, "EPSG:4326", "OGC:CRS84")
    assert (there[0][0], there[1][0]) == (190.0, 65.0)
