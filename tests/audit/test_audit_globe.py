"""Distances, blocks and ranges on the globe, as the audit counts them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permagrid.audit.spheres import EARTH_RADIUS, beside, blocks_at, correlation_range, points_of


@settings(max_examples=40, deadline=None)
@given(st.floats(-180, 180), st.floats(-85, 85), st.floats(0, 360), st.floats(10.0, 2e6), st.floats(0.9, 1.1))
def test_a_point_is_beside_another_up_to_the_distance(longitude, latitude, azimuth, distance, part):
    angle, turn = part * distance / EARTH_RADIUS, np.radians(azimuth)
    north = np.radians(latitude)
    there = np.arcsin(np.sin(north) * np.cos(angle) + np.cos(north) * np.sin(angle) * np.cos(turn))
    east = np.arctan2(
        np.sin(turn) * np.sin(angle) * np.cos(north), np.cos(angle) - np.sin(north) * np.sin(there)
    )
    test = points_of(np.array([longitude + np.degrees(east)]), np.array([np.degrees(there)]))
    train = points_of(np.array([longitude]), np.array([latitude]))
    if abs(part - 1.0) * distance > 0.1:
        assert beside(test, train, distance)[0] == (part < 1.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(50e3, 2e6), st.floats(-180, 180))
def test_blocks_do_not_depend_on_the_meridian_or_the_order(seed, size, turn):
    random = np.random.default_rng(seed)
    longitude, latitude = random.uniform(-40, 40, 60), random.uniform(50, 85, 60)
    order = random.permutation(60)
    first = blocks_at(longitude, latitude, size)
    moved = blocks_at(longitude[order], latitude[order], size)
    pairs = {(a, b) for a, b in zip(first[order], moved, strict=True)}
    assert len(pairs) == len(set(first)) == len(set(moved))
    # The centre is rounded to a tenth of a degree: a turn by whole tenths moves nothing.
    turned = blocks_at(longitude + np.round(turn, 1), latitude, size)
    assert abs(len(set(turned)) - len(set(first))) <= max(2, 0.1 * len(set(first)))


def fields(scale: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return places and a Gaussian field whose covariance is spherical, with this range [m]."""
    random = np.random.default_rng(seed)
    longitude, latitude = random.uniform(60, 120, 400), random.uniform(58, 72, 400)
    points = points_of(longitude, latitude)
    away = np.linalg.norm(points[:, None] - points[None], axis=2) / scale
    covariance = np.where(away < 1, 1 - 1.5 * away + 0.5 * away**3, 0.0) + 1e-6 * np.eye(400)
    return longitude, latitude, np.linalg.cholesky(covariance) @ random.normal(size=400)


@pytest.mark.parametrize("scale", [300e3, 600e3])
def test_the_range_of_a_spherical_field_is_found(scale: float) -> None:
    found = [correlation_range(*fields(scale, seed)) for seed in range(5)]
    assert 0.5 * scale < np.median(found) < 2.0 * scale


def test_an_outlier_does_not_hide_the_range() -> None:
    longitude, latitude, values = fields(500e3)
    values[7] = 1000.0
    assert 200e3 < correlation_range(longitude, latitude, values) < 1500e3


def test_noise_has_a_short_range() -> None:
    longitude, latitude, _ = fields(300e3)
    found = [
        correlation_range(longitude, latitude, np.random.default_rng(seed).normal(size=400))
        for seed in range(5)
    ]
    assert np.median(found) < 100e3


@pytest.mark.parametrize("n", [0, 1, 2, 19])
def test_of_few_places_nothing_is_known(n: int) -> None:
    longitude, latitude, values = fields(300e3)
    assert correlation_range(longitude[:n], latitude[:n], values[:n]) == 0.0


def test_places_at_one_spot_have_no_range() -> None:
    same = np.zeros(50)
    assert correlation_range(same, same, np.arange(50.0)) == 0.0
