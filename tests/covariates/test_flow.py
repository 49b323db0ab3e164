"""Flow directions and catchment areas: planes, cones, what is conserved, and what must not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pyproj import Geod

from permagrid.covariates.terrain.channels import strahler_order
from permagrid.covariates.terrain.fill import fill, ringed
from permagrid.covariates.terrain.flow import (
    NOWHERE,
    cell_areas,
    drained_area,
    spread_area,
    steepest_descent,
)
from permagrid.covariates.terrain.frame import frame_of
from permagrid.covariates.terrain.wetness import water_index
from permagrid.grid import make_geobox

CELL = 30.0
STEPS = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]


def plane_frame(shape, cell=CELL):
    bounds = (0, 0, shape[1] * cell, shape[0] * cell)
    return frame_of(make_geobox("EPSG:3995", cell, bounds=bounds), distances="plane")


def rough(seed, shape=(30, 40)):
    """Return ground without two cells of one height, with nodata here and there."""
    rng = np.random.default_rng(seed)
    height = rng.normal(size=shape).cumsum(axis=0).cumsum(axis=1) + 5 * rng.normal(size=shape)
    height[rng.random(shape) < 0.01] = np.nan
    return height.astype("float32")


def test_areas_add_up_down_a_plane():
    ground = ringed(np.arange(20.0)[:, np.newaxis] * np.ones((1, 7)))
    frame = plane_frame((20, 7))
    directions = steepest_descent(ground.astype(float), frame)
    assert (directions[2:-2, 2:-2] == 0).all()
    single = drained_area(directions, frame)[1:-1, 1:-1] / CELL**2
    # Water of the lowest and highest rows and of the columns at the edge leaves at once.
    np.testing.assert_array_equal(single[1:-1, 1:-1], np.arange(18, 0, -1)[:, np.newaxis] * np.ones((1, 5)))
    many = spread_area(ground.astype(float), frame)[1:-1, 1:-1]
    wide = np.arange(60.0)[:, np.newaxis] * np.ones((1, 301))
    middle = spread_area(ringed(wide, dtype="float64"), plane_frame(wide.shape))[1:-1, 151] / CELL**2
    # Far from the edge as much comes from the sides as goes there.
    np.testing.assert_allclose(middle, np.arange(60, 0, -1), rtol=1e-6)
    assert many.max() < 20 * CELL**2


def test_the_specific_area_of_a_cone_grows_with_the_distance_from_its_top():
    row, column = np.mgrid[-60:61, -60:61] * CELL
    distance = np.hypot(row, column)
    surface = ringed(1000.0 - 0.3 * distance, dtype="float64")
    frame = plane_frame((121, 121))
    area = spread_area(surface, frame)[1:-1, 1:-1].astype("float32")
    specific = water_index(surface, area, frame, "specific_catchment_area")
    ratio = specific / np.maximum(distance / 2.0, CELL)
    near, far = ((distance > least) & (distance < 1.2 * least) for least in (600.0, 1500.0))
    # It is half the distance where water goes straight down; that it spreads makes it a little less.
    assert 0.8 < ratio[near].mean() < 1.0
    assert ratio[near].std() < 0.1
    assert ratio[far].mean() == pytest.approx(ratio[near].mean(), rel=0.04)


@pytest.mark.parametrize("seed", range(3))
def test_all_areas_leave_the_grid(seed):
    surface = fill(ringed(rough(seed)))
    frame = plane_frame((30, 40))
    land = np.isfinite(surface)
    directions = steepest_descent(surface, frame)
    area = drained_area(directions, frame)
    assert area[land & (directions == NOWHERE)].sum() == pytest.approx(land.sum() * CELL**2)
    areas, left = spread_slowly(surface, CELL)
    np.testing.assert_allclose(spread_area(surface, frame)[land], areas[land], rtol=1e-5)
    assert left == pytest.approx(land.sum() * CELL**2)


def spread_slowly(surface, cell):
    """Return the areas of multiple flow, cell by cell from the highest, and what leaves the grid."""
    areas, left = np.where(np.isfinite(surface), cell**2, 0.0), 0.0
    cells = np.argwhere(np.isfinite(surface))
    for row, column in cells[np.argsort(-surface[np.isfinite(surface)])]:
        here, shares = surface[row, column], []
        for y, x in STEPS:
            fall = here - surface[row + y, column + x]
            if np.isnan(fall):
                fall = surface[row - y, column - x] - here
            fall = 0.0 if np.isnan(fall) else fall
            shares.append((max(fall, 0.0) / np.hypot(y, x)) ** 1.1)
        total = sum(shares)
        if total == 0.0:
            left += areas[row, column]
        for (y, x), share in zip(STEPS, shares, strict=True):
            if share > 0.0:
                flow = areas[row, column] * share / total
                if np.isnan(surface[row + y, column + x]):
                    left += flow
                else:
                    areas[row + y, column + x] += flow
    return areas, left


@given(st.integers(0, 10_000), st.sampled_from(["single", "multiple"]), st.integers(1, 3), st.booleans())
@settings(max_examples=25, deadline=None)
def test_turning_and_mirroring_the_ground_turns_and_mirrors_the_areas(seed, flow, turns, mirrored):
    ground = rough(seed, (12, 17))

    def areas(dem):
        surface, frame = fill(ringed(dem)), plane_frame(dem.shape)
        if flow == "single":
            return drained_area(steepest_descent(surface, frame), frame)
        return spread_area(surface, frame)

    def changed(values):
        return np.rot90(values[:, ::-1] if mirrored else values, turns)

    found, expected = areas(np.ascontiguousarray(changed(ground))), changed(areas(ground))
    if flow == "single":
        # In filled lakes there may be two ways down that are equally steep.
        assert np.isclose(found, expected).mean() > 0.9
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_directions_mind_how_long_cells_are():
    # Half as steep to the right in cells, but these are three times as narrow.
    ground = np.array([[9.0, 9, 9], [9, 5, 4.5], [9, 4, 9]])
    tall = make_geobox("EPSG:4326", 0.01, bounds=(0, 70.5, 0.03, 70.53))
    square = make_geobox("EPSG:4326", 0.01, bounds=(0, 0, 0.03, 0.03))
    for grid, expected in ((square, 4), (tall, 2)):
        directions = steepest_descent(ringed(ground, dtype="float64"), frame_of(grid))
        assert directions[2, 2] == expected
        # At the edge water leaves.
        assert (directions == NOWHERE).sum() == 24


def test_areas_are_those_on_the_ellipsoid():
    grid = make_geobox("EPSG:4326", 0.5, bounds=(0, 60, 10, 70))
    areas = cell_areas(frame_of(grid), (22, 22))[1:-1, 1:-1]
    longitude = np.linspace(0, 10, 1001)
    outline = [*longitude, *longitude[::-1]], [60.0] * 1001 + [70.0] * 1001
    zone, _ = Geod(ellps="WGS84").polygon_area_perimeter(*outline)
    assert areas.sum() == pytest.approx(zone, rel=1e-4)
    stereographic = make_geobox("EPSG:3995", 5000, bounds=(0, -2_500_000, 500_000, -2_000_000))
    true = cell_areas(frame_of(stereographic), (102, 102))[1:-1, 1:-1]
    equal_area = make_geobox("EPSG:6931", 5000, bounds=(0, -2_500_000, 500_000, -2_000_000))
    flat = cell_areas(frame_of(equal_area), (102, 102))[1:-1, 1:-1]
    np.testing.assert_allclose(flat, 25e6, rtol=1e-4)
    assert np.abs(true / 25e6 - 1).max() > 0.01


@given(hnp.arrays("float32", (9, 9), elements=st.integers(0, 6)))
@settings(max_examples=40, deadline=None)
def test_orders_are_those_that_the_rule_gives(dem):
    surface = fill(ringed(dem))
    directions = steepest_descent(surface, plane_frame(dem.shape))
    found = strahler_order(directions)

    def order(row, column):
        donors = [
            order(row - y, column - x)
            for way, (y, x) in enumerate(STEPS)
            if 0 < row - y < 10 and 0 < column - x < 10 and directions[row - y, column - x] == way
        ]
        if not donors:
            return 1
        return max(donors) + (donors.count(max(donors)) > 1)

    for row, column in np.argwhere(np.isfinite(surface)):
        assert found[row, column] == order(row, column)


def test_the_way_up_is_the_way_down_of_the_ground_upside_down():
    surface = fill(ringed(rough(1)))
    frame = plane_frame((30, 40))
    upward = steepest_descent(surface, frame, upward=True)
    np.testing.assert_array_equal(upward, steepest_descent(-surface, frame))


def test_the_width_of_a_cell_is_its_shadow_along_the_slope():
    frame = frame_of(make_geobox("EPSG:32632", CELL, bounds=(0, 0, 90, 90)), distances="plane")
    area = np.full((3, 3), 9e4, dtype="float32")
    x, y = np.meshgrid(np.arange(3), -np.arange(3))
    for angle in (0, 30, 45, 90, 200):
        along, up = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        surface = ringed(x * along + y * up, dtype="float64")
        specific = water_index(surface, area, frame, "specific_catchment_area")[1, 1]
        assert specific == pytest.approx(9e4 / (CELL * (abs(along) + abs(up))), rel=1e-6)
    level = water_index(ringed(0.0 * x, dtype="float64"), area, frame, "specific_catchment_area")[1, 1]
    assert level == pytest.approx(9e4 / (CELL * 4 / np.pi), rel=1e-6)


def test_the_wetness_of_level_ground_is_bounded():
    frame = plane_frame((3, 3))
    area = np.full((3, 3), CELL**2, dtype="float32")
    level = ringed(np.zeros((3, 3)), dtype="float64")
    wet = water_index(level, area, frame, "topographic_wetness_index", least_slope=0.01)
    assert wet[1, 1] == pytest.approx(np.log(CELL * np.pi / 4 / 0.01), rel=1e-6)
    assert (water_index(level, area, frame, "ls_factor") == 0).all()


def test_the_factor_of_slope_length_is_that_of_the_formula():
    frame = plane_frame((3, 3))
    surface = ringed(np.array([[0.0, 6, 12]] * 3), dtype="float64")
    area = np.full((3, 3), 2212.0 * CELL, dtype="float32")
    sine = np.sin(np.arctan(0.2))
    expected = 1.4 * (2212.0 / 22.13) ** 0.4 * (sine / 0.0896) ** 1.3
    assert water_index(surface, area, frame, "ls_factor")[1, 1] == pytest.approx(expected, rel=1e-5)
