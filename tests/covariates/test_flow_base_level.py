"""The level between channels: the equation that it solves, and the ground that it stays below."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from permagrid.covariates.terrain.base_level import base_level
from permagrid.covariates.terrain.fill import ringed
from permagrid.covariates.terrain.frame import Frame, frame_of
from permagrid.grid import make_geobox

STEPS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


def frame_with(width, height):
    one = np.ones((1, 1))
    return Frame(0, 0, 1, 1, width * one, height * one, 0 * one, 0 * one, one)


def ground(seed, shape, share=0.02):
    """Return rough ground with nodata in places, and channels here and there."""
    rng = np.random.default_rng(seed)
    height = 3.0 * rng.normal(size=shape).cumsum(axis=0).cumsum(axis=1) ** 1.0
    height = ringed(height + 30 * rng.random(shape), dtype="float64")
    height[1:-1, 1:-1][rng.random(shape) < 0.03] = np.nan
    channels = np.zeros(height.shape, dtype=bool)
    channels[1:-1, 1:-1] = rng.random(shape) < share
    channels[1 + shape[0] // 2, 1 + shape[1] // 2] = True
    height[1 + shape[0] // 2, 1 + shape[1] // 2] = 0.0
    return height, channels & np.isfinite(height)


def means(level):
    """Return the mean of the neighbours there are, weighted by one over the distance."""
    total, weight = np.zeros(level.shape), np.zeros(level.shape)
    for y, x in STEPS:
        moved = np.roll(level, (-y, -x), (0, 1))
        there = np.isfinite(moved)
        total += np.where(there, moved, 0.0) / np.hypot(y, x)
        weight += there / np.hypot(y, x)
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / weight


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_mean_of_its_neighbours_or_the_ground(seed):
    surface, channels = ground(seed, (45, 61))
    level = base_level(surface, channels, frame_with(30.0, 30.0), tolerance=1e-7)
    land = np.isfinite(surface)
    np.testing.assert_array_equal(np.isfinite(level), land)
    np.testing.assert_array_equal(level[channels], surface[channels])
    free = land & ~channels
    assert (level[free] <= surface[free]).all()
    wanted = means(level)
    below = free & (level < surface)
    # Parts of the land without a channel are held at their lowest cell.
    held = below & (np.abs(level - wanted) > 1e-4)
    assert held.sum() == 0
    on_the_ground = free & (level == surface)
    alone = ~np.isfinite(wanted)
    assert (wanted[on_the_ground & ~alone] >= surface[on_the_ground & ~alone] - 1e-4).mean() > 0.99
    assert 0.05 < on_the_ground.sum() / free.sum() < 0.9


def test_without_the_ground_it_is_what_a_direct_solver_finds():
    surface, channels = ground(11, (30, 37))
    surface[~channels & np.isfinite(surface)] = 1e6
    frame = frame_with(30.0, 30.0)
    found = base_level(surface, channels, frame, tolerance=1e-8)
    land = np.argwhere(np.isfinite(surface))
    number = {tuple(cell): n for n, cell in enumerate(land)}
    matrix, right = lil_matrix((len(land), len(land))), np.zeros(len(land))
    for n, (row, column) in enumerate(land):
        matrix[n, n] = 1.0
        if channels[row, column] or found[row, column] == 1e6:
            right[n] = surface[row, column]
            continue
        around = [(number.get((row + y, column + x)), 1.0 / np.hypot(y, x)) for y, x in STEPS]
        weight = sum(w for m, w in around if m is not None)
        for m, w in around:
            if m is not None:
                matrix[n, m] = -w / weight
    expected = spsolve(matrix.tocsr(), right)
    np.testing.assert_allclose(found[np.isfinite(surface)], expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("width", "height"), [(30.0, 30.0), (30.0, 90.0), (320.0, 930.0), (50.0, 20.0)])
def test_it_solves_the_equation_of_laplace_on_cells_of_any_shape(width, height):
    rows, columns = 48, 53
    y, x = np.mgrid[0:rows, 0:columns].astype(float)
    x, y = (x - columns / 2) * width, (y - rows / 2) * height
    # Three functions whose second derivatives along x and y cancel.
    for harmonic in (x + 2 * y, (x**2 - y**2) / 500, x * y / 500):
        true = ringed(harmonic, dtype="float64")
        channels = np.zeros(true.shape, dtype=bool)
        channels[1, 1:-1] = channels[-2, 1:-1] = channels[1:-1, 1] = channels[1:-1, -2] = True
        surface = np.where(channels, true, true + 1e6)
        level = base_level(surface, channels, frame_with(width, height), tolerance=1e-7)
        error = np.abs(level - true)[1:-1, 1:-1].max()
        assert error < 1e-5 * np.ptp(harmonic)


def test_it_comes_to_rest_where_cells_narrow_towards_a_pole():
    grid = make_geobox("EPSG:4326", 0.05, bounds=(0, 60, 12, 88))
    surface, channels = ground(3, tuple(grid.shape), share=0.004)
    surface[np.isnan(surface)] = 5.0
    surface = ringed(surface[1:-1, 1:-1], dtype="float64")
    frame = frame_of(grid)
    level = base_level(surface, channels, frame)
    better = base_level(surface, channels, frame, tolerance=1e-4)
    assert np.nanmax(np.abs(level - better)) < 0.5


@given(st.integers(0, 1000), st.integers(1, 3))
@settings(max_examples=10, deadline=None)
def test_turning_the_ground_turns_the_level(seed, turns):
    surface, channels = ground(seed, (23, 31))
    level = base_level(surface, channels, frame_with(30.0, 30.0), tolerance=1e-6)
    turned = base_level(
        np.rot90(surface, turns).copy(),
        np.rot90(channels, turns).copy(),
        frame_with(30.0, 30.0),
        tolerance=1e-6,
    )
    np.testing.assert_allclose(turned, np.rot90(level, turns), atol=1e-4)


def test_what_is_left_at_rest_is_small():
    surface, channels = ground(5, (200, 150), share=0.002)
    frame = frame_with(30.0, 30.0)
    error = base_level(surface, channels, frame) - base_level(surface, channels, frame, tolerance=1e-7)
    assert np.nanmax(np.abs(error)) < 0.3


def test_a_part_of_the_land_without_a_channel_is_held_at_its_lowest_cell():
    surface = ringed(np.array([[5.0, 6, np.nan, 20, 30], [4, 8, np.nan, 25, 12], [5, 9, np.nan, 40, 50]]))
    channels = np.zeros(surface.shape, dtype=bool)
    channels[2, 1] = True
    level = base_level(surface.astype(float), channels, frame_with(30.0, 30.0))[1:-1, 1:-1]
    np.testing.assert_allclose(level[:, :2], 4.0, atol=0.1)
    np.testing.assert_allclose(level[:, 3:], 12.0, atol=0.1)


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (3, 3), (2, 77)])
def test_grids_of_any_shape_have_one(shape):
    surface = ringed(np.arange(np.prod(shape), dtype=float).reshape(shape), dtype="float64")
    channels = np.zeros(surface.shape, dtype=bool)
    channels[1, 1] = channels[-2, -2] = True
    level = base_level(surface, channels, frame_with(30.0, 30.0), tolerance=1e-6)[1:-1, 1:-1]
    assert np.isfinite(level).all()
    assert (level >= 0).all()
    assert (level <= surface[1:-1, 1:-1]).all()
