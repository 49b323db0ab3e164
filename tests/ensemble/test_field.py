"""Fields have variance 1 and the stated correlation all over the sphere, and the same bits in any block."""

import numpy as np
import pytest
from scipy.stats import kstest, norm

from permagrid.ensemble.field import RADIUS, CorrelatedField, _normal
from permagrid.errors import PermagridError

REACH = 800e3
MODELS = ("exponential", "gaussian")
STARTS = {
    "mid-latitude": (100.0, 45.0),
    "across the antimeridian": (179.9, 65.0),
    "across the pole": (20.0, 89.9),
    "far south": (-60.0, -75.0),
}


def moved(start, distance, bearing):
    """Return longitude and latitude at straight distances from a start, along a great circle."""
    angle = 2.0 * np.arcsin(distance / (2.0 * RADIUS))
    lon, lat = np.radians(start)
    up = np.arcsin(np.sin(lat) * np.cos(angle) + np.cos(lat) * np.sin(angle) * np.cos(bearing))
    across = np.arctan2(
        np.sin(bearing) * np.sin(angle) * np.cos(lat), np.cos(angle) - np.sin(lat) * np.sin(up)
    )
    return np.degrees(lon + across), np.degrees(up)


def a_field(members=40, model="exponential", nugget=0.2, seed=0, **keywords):
    shares = [((1.0 - nugget) * 0.75, REACH), ((1.0 - nugget) * 0.25, 4 * REACH)]
    return CorrelatedField.of(shares, nugget, members=members, seed=seed, model=model, **keywords)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("place", STARTS)
def test_the_correlation_over_members_is_the_stated_one(model, place):
    members, bearings = 3000, np.linspace(0, 2 * np.pi, 12, endpoint=False)
    field = a_field(members, model)
    distances = np.array([0.0, 60e3, 200e3, 500e3, 1200e3])
    where = [STARTS[place], *[moved(STARTS[place], d, b) for d in distances[1:] for b in bearings]]
    z = field.normal([p[0] for p in where], [p[1] for p in where], np.arange(len(where)))
    np.testing.assert_allclose(z.var(axis=1), 1.0, atol=5 * np.sqrt(2 / members))
    np.testing.assert_allclose(z.mean(axis=1), 0.0, atol=5 / np.sqrt(members))
    found = (z[1:] * z[0]).mean(axis=1).reshape(len(distances) - 1, -1)
    stated = field.correlation(distances[1:])
    # Sampling error of the members, and that of the waves, which averages over bearings.
    np.testing.assert_allclose(found.mean(axis=1), stated, atol=4 / np.sqrt(members))
    np.testing.assert_allclose(found, stated[:, np.newaxis] * np.ones(12), atol=4.5 / np.sqrt(members) + 0.09)
    assert kstest(z[0], norm.cdf).pvalue > 1e-3


def test_any_split_and_order_of_cells_gives_the_same_bits():
    field, random = a_field(37), np.random.default_rng(1)
    where = random.uniform(-180, 180, 2100), random.uniform(-90, 90, 2100), random.integers(0, 10**12, 2100)
    whole = field.normal(*where)
    for size in (1, 17, 1000):
        parts = [field.normal(*(x[at : at + size] for x in where)) for at in range(0, 300, size)]
        assert np.concatenate(parts)[:300].tobytes() == whole[:300].tobytes()
    order = random.permutation(2100)
    assert field.normal(*(x[order] for x in where)).tobytes() == whole[order].tobytes()


def test_a_member_is_the_same_however_many_there_are():
    where = [10.0, 20.0, 30.0], [60.0, 70.0, 80.0], [1, 2, 3]
    many, few = a_field(50).normal(*where), a_field(3).normal(*where)
    assert few.tobytes() == np.ascontiguousarray(many[:, :3]).tobytes()
    assert (a_field(3, seed=1).normal(*where) != few).all()


def test_all_nugget_is_white_and_belongs_to_the_cell():
    field = CorrelatedField.of([], 1.0, members=200, seed=0)
    z = field.normal(np.zeros(500), np.zeros(500), np.arange(500))
    assert kstest(z.ravel(), norm.cdf).pvalue > 1e-3
    assert abs(np.corrcoef(z[:-1].ravel(), z[1:].ravel())[0, 1]) < 4 / np.sqrt(z.size)
    assert abs(np.corrcoef(z[:, :-1].ravel(), z[:, 1:].ravel())[0, 1]) < 4 / np.sqrt(z.size)
    again = field.normal(np.full(2, 9.0), np.full(2, 9.0), [7, 499])
    np.testing.assert_array_equal(again, z[[7, 499]])


def test_normal_quantiles_are_those_of_scipy():
    levels = np.concatenate([np.linspace(1e-6, 1 - 1e-6, 2001), [1e-13, 1 - 1e-13]])
    np.testing.assert_allclose([_normal(u - 0.5) for u in levels], norm.ppf(levels), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("structures", "nugget", "found"),
    [
        ([(0.5, 1e5)], 0.2, "add up to 1"),
        ([(1.2, 1e5)], -0.2, "at least 0"),
        ([(1.0, 0.0)], 0.0, "ranges must be above 0 m"),
    ],
)
def test_shares_and_ranges_that_make_no_sense_are_refused(structures, nugget, found):
    with pytest.raises(PermagridError, match=found):
        CorrelatedField.of(structures, nugget, members=2, seed=0)
