"""Filling depressions: the lowest surface that drains, against the equation that defines it."""

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from permagrid.covariates.terrain.fill import RISE, fill, ringed

STEPS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]

HEIGHTS = st.integers(0, 12) | st.floats(0, 12, width=32) | st.just(float("nan"))
DEMS = hnp.arrays("float32", hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=HEIGHTS)


def neighbours(padded, row, column):
    for y, x in STEPS:
        yield (row + y, column + x), padded[row + y, column + x], np.hypot(y, x)


def lowest_draining(ground, rise):
    """Lower a surface that stands as high as it can until nothing moves any more."""
    inside = np.isfinite(ground)
    level = np.where(inside, np.inf, np.nan)
    for row, column in np.argwhere(inside):
        if any(np.isnan(height) for _, height, _ in neighbours(ground, row, column)):
            level[row, column] = ground[row, column]
    moved = True
    while moved:
        moved = False
        for row, column in np.argwhere(inside):
            if np.isfinite(level[row, column]) and level[row, column] == ground[row, column]:
                continue
            step = {1.0: rise, np.hypot(1, 1): rise * np.sqrt(2.0)}
            ways = [height + step[far] for _, height, far in neighbours(level, row, column)]
            wanted = max(float(ground[row, column]), min(ways))
            if wanted < level[row, column]:
                level[row, column], moved = wanted, True
    return level


@given(DEMS, st.sampled_from([0.0, RISE, 0.7]))
@settings(max_examples=60, deadline=None)
def test_it_is_the_lowest_surface_that_drains(dem, rise):
    ground = ringed(dem)
    np.testing.assert_array_equal(fill(ground, rise=rise), lowest_draining(ground, rise))


@given(DEMS)
@settings(max_examples=60, deadline=None)
def test_water_finds_a_way_down_from_every_cell(dem):
    ground = ringed(dem)
    surface = fill(ground)
    for row, column in np.argwhere(np.isfinite(ground)):
        around = list(neighbours(surface, row, column))
        if any(np.isnan(height) for _, height, _ in around):
            assert surface[row, column] == ground[row, column]
        else:
            fall = max((surface[row, column] - height) / far for _, height, far in around)
            assert fall >= RISE * (1.0 - 1e-9)


@given(DEMS)
@settings(max_examples=60, deadline=None)
def test_turning_and_mirroring_the_ground_turns_and_mirrors_the_surface(dem):
    surface = fill(ringed(dem))
    for turns in range(1, 4):
        np.testing.assert_array_equal(fill(ringed(np.rot90(dem, turns))), np.rot90(surface, turns))
    np.testing.assert_array_equal(fill(ringed(dem[:, ::-1])), surface[:, ::-1])


@given(DEMS)
@settings(max_examples=60, deadline=None)
def test_filling_level_first_leads_to_the_same_surface(dem):
    ground = ringed(dem)
    level = fill(ground, rise=0.0)
    np.testing.assert_array_equal(level.astype("float32"), level)
    np.testing.assert_array_equal(fill(level.astype("float32")), fill(ground))


def test_a_large_lake_is_filled_as_by_the_textbook():
    rng = np.random.default_rng(4)
    ground = ringed(rng.normal(size=(120, 90)).cumsum(axis=0).cumsum(axis=1))
    ground[30:70, 20:60] = ground[30:70, 20:60].min() - 50
    expected = textbook(ground)
    np.testing.assert_array_equal(fill(ground, rise=0.0), expected)


def textbook(ground):
    """Priority flood as Barnes et al. (2014) print it, level."""
    level, done = np.full(ground.shape, np.nan), np.isnan(ground)
    heap = []
    for row, column in np.argwhere(~done):
        if any(np.isnan(height) for _, height, _ in neighbours(ground, row, column)):
            heapq.heappush(heap, (float(ground[row, column]), row, column))
    for _, row, column in heap:
        done[row, column] = True
    while heap:
        height, row, column = heapq.heappop(heap)
        level[row, column] = height
        for place, ground_there, _ in neighbours(ground, row, column):
            if not done[place]:
                done[place] = True
                heapq.heappush(heap, (max(height, float(ground_there)), *place))
    return level


@pytest.mark.parametrize("base", [0.0, 8000.0, -400.0, 900_000.0])
def test_the_rise_survives_at_any_elevation(base):
    lake = np.full((5, 2000), base, dtype="float32")
    lake[[0, -1], :], lake[:, 0] = base + 100, base + 100
    surface = fill(ringed(lake))[3, 1:-1]
    # The way out is at the right end.
    np.testing.assert_allclose(surface[1:] - base, np.arange(1998, -1, -1) * RISE, atol=1e-6)


def test_water_leaves_into_nodata():
    ground = np.full((7, 7), 9.0)
    ground[3, 3], ground[2, 4] = 1.0, np.nan
    assert fill(ringed(ground))[4, 4] == 1.0
    ground[2, 4] = 9.0
    assert fill(ringed(ground))[4, 4] > 9.0
