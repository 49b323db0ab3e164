"""Variograms find the range of simulated fields and none in noise, whatever rows and sites are called."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permagrid.errors import PermagridError
from permagrid.grid import chord
from permagrid.validation import Variogram, fit_variogram
from permagrid.validation.sphere import great_circles


def places(n, seed):
    """Return places over some 2700 km by 2400 km, half of them in clusters, east and west of 180 degrees."""
    random = np.random.default_rng([seed, 1])
    middles = np.stack([random.uniform(150, 210, 15), random.uniform(58, 80, 15)], axis=1)
    near = middles[random.integers(0, 15, n // 2)] + random.normal(0, [1.0, 0.4], (n // 2, 2))
    wide = np.stack([random.uniform(150, 210, n - n // 2), random.uniform(58, 80, n - n // 2)], axis=1)
    longitude, latitude = np.concatenate([near, wide]).T
    return (longitude + 180) % 360 - 180, latitude


def field(longitude, latitude, seed, *, reach, nugget=0.2, model="exponential", count=None):
    """Return a Gaussian field of variance 1 whose semivariance has done 95 % of its rise at `reach`."""
    points = chord(longitude, latitude)
    share = great_circles(points, points) / reach
    if model == "exponential":
        alike = np.exp(-3.0 * share)
    else:
        # 1.5 x - 0.5 x**3 is 0.95 at x = 0.8111.
        part = np.minimum(0.8111 * share, 1.0)
        alike = 1.0 - 1.5 * part + 0.5 * part**3
    covariance = (1.0 - nugget) * alike + (nugget + 1e-9) * np.eye(len(points))
    shape = len(points) if count is None else (len(points), count)
    return np.linalg.cholesky(covariance) @ np.random.default_rng([seed, 2]).normal(size=shape)


@pytest.mark.parametrize(
    ("model", "reach"), [("exponential", 300e3), ("exponential", 600e3), ("spherical", 500e3)]
)
def test_the_range_of_simulated_fields_is_found(model, reach):
    found = []
    for seed in range(16):
        longitude, latitude = places(240, seed)
        values = field(longitude, latitude, seed, reach=reach, model=model)
        found.append(fit_variogram(longitude, latitude, values, model=model))
    assert all(each.structured for each in found)
    # Of a single field the range is known to a third or so, of 16 fields to a tenth.
    assert np.mean([each.range_ for each in found]) == pytest.approx(reach, rel=0.2)
    assert np.mean([each.nugget for each in found]) == pytest.approx(0.2, abs=0.08)
    assert np.mean([each.sill for each in found]) == pytest.approx(1.0, abs=0.1)


def test_noise_has_no_structure_but_in_one_of_twenty_cases():
    longitude, latitude = places(120, 0)
    noise = np.random.default_rng(5).normal(size=(100, 120))
    found = [fit_variogram(longitude, latitude, values) for values in noise]
    assert sum(each.structured for each in found) <= 10
    plain = next(each for each in found if not each.structured)
    assert plain.range_ == plain.lags[0]
    assert plain.nugget == plain.sill == pytest.approx(1.0, abs=0.3)
    assert plain.correlation(np.array([0.0, 1.0])).tolist() == [1.0, 0.0]
    assert plain.effective_samples(longitude, latitude) == pytest.approx(120)
    assert "no structure" in str(plain)


def test_empirical_semivariances_are_those_of_all_pairs_counted_one_by_one():
    longitude, latitude = places(60, 3)
    values = np.random.default_rng(3).normal(size=60)
    found = fit_variogram(longitude, latitude, values)
    one, other = np.triu_indices(60, 1)
    points = chord(longitude, latitude)
    apart = great_circles(points, points)[one, other]
    order = np.argsort(apart)[: (apart <= apart.max() / 2).sum()]
    squares = 0.5 * (values[one] - values[other])[order] ** 2
    assert found.pairs.sum() == len(order)
    ends = np.cumsum(found.pairs)
    for end, pairs, lag, semivariance in zip(ends, found.pairs, found.lags, found.semivariances, strict=True):
        assert lag == pytest.approx(apart[order][end - pairs : end].mean())
        assert semivariance == pytest.approx(squares[end - pairs : end].mean())


def test_bins_hold_more_and_more_pairs_and_never_few():
    longitude, latitude = places(240, 1)
    pairs = fit_variogram(longitude, latitude, field(longitude, latitude, 1, reach=500e3)).pairs
    assert len(pairs) == 20
    assert pairs.min() >= 30
    assert (np.diff(pairs) > -0.02 * pairs[1:]).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_rows_in_any_order_and_sites_of_any_name_give_the_same_bits(seed):
    random = np.random.default_rng(seed)
    longitude, latitude = places(40, 4)
    sites = np.repeat(np.arange(40), 3)
    values = field(longitude, latitude, 4, reach=800e3)[sites] + random.normal(0, 0.1, 120)
    rows = longitude[sites], latitude[sites]
    plain = fit_variogram(*rows, values, sites)
    order, names = random.permutation(120), random.permutation(40)
    mixed = fit_variogram(*(row[order] for row in rows), values[order], names[sites][order].astype(str))
    for name in ("nugget", "sill", "range_", "structured"):
        assert getattr(plain, name) == getattr(mixed, name)
    assert (plain.semivariances == mixed.semivariances).all()
    assert plain.effective_samples(*rows) == plain.effective_samples(*(row[order] for row in rows))


def test_rows_of_a_site_stand_as_their_mean():
    longitude, latitude = places(80, 6)
    values = field(longitude, latitude, 6, reach=500e3)
    twice = np.concatenate([values - 3.0, values + 3.0])
    rows = np.tile(longitude, 2), np.tile(latitude, 2)
    plain = fit_variogram(longitude, latitude, values)
    for groups in (np.tile(np.arange(80), 2), None):
        averaged = fit_variogram(*rows, twice, groups)
        assert averaged.range_ == pytest.approx(plain.range_)
        assert averaged.pairs.tolist() == plain.pairs.tolist()


def test_values_scale_and_shift_and_their_variogram_with_them():
    longitude, latitude = places(100, 7)
    values = field(longitude, latitude, 7, reach=500e3)
    plain, other = (fit_variogram(longitude, latitude, each) for each in (values, 5.0 - 10.0 * values))
    assert other.range_ == pytest.approx(plain.range_, rel=1e-6)
    assert other.sill == pytest.approx(100 * plain.sill, rel=1e-6)
    assert other.nugget == pytest.approx(100 * plain.nugget, rel=1e-5, abs=1e-4)


def test_rows_without_a_value_are_left_out():
    longitude, latitude = places(50, 8)
    values = field(longitude, latitude, 8, reach=500e3)
    holes = np.where(np.arange(50) < 10, np.nan, values)
    assert fit_variogram(longitude, latitude, holes).range_ == (
        fit_variogram(longitude[10:], latitude[10:], values[10:]).range_
    )


def test_equal_values_have_no_structure():
    longitude, latitude = places(30, 9)
    flat = fit_variogram(longitude, latitude, np.full(30, 7.0))
    assert (flat.structured, flat.nugget, flat.sill) == (False, 0.0, 0.0)
    assert flat.range_ == flat.lags[0] > 0
    assert flat.effective_samples(longitude, latitude) == pytest.approx(30)


def test_a_field_that_varies_more_widely_than_the_sites_reach_has_the_longest_range_looked_at():
    longitude, latitude = places(150, 10)
    trend = fit_variogram(longitude, latitude, latitude)
    assert trend.structured
    assert trend.range_ == pytest.approx(trend.lags[-1], rel=0.01)


def test_correlation_falls_from_one_and_has_a_twentieth_left_at_the_range():
    longitude, latitude = places(240, 2)
    for model in ("exponential", "spherical"):
        found = fit_variogram(longitude, latitude, field(longitude, latitude, 2, reach=500e3), model=model)
        near, far = found.correlation(np.array([1e-6, found.range_]))
        assert far / near == pytest.approx(0.05, abs=0.001)
        assert near == pytest.approx(1.0 - found.nugget / found.sill)
        falling = found.correlation(np.linspace(0.0, 3.0 * found.range_, 50))
        assert (np.diff(falling) <= 0).all()
        assert found.semivariance(np.array([0.0, 1e9])) == pytest.approx([0.0, found.sill])


def test_effective_samples_are_many_when_far_apart_and_one_when_together():
    longitude, latitude = places(240, 2)
    found = fit_variogram(longitude, latitude, field(longitude, latitude, 2, reach=300e3, nugget=0.0))
    far = np.linspace(-180, 180, 12, endpoint=False)
    assert found.effective_samples(far, np.zeros(12)) == pytest.approx(12, rel=1e-3)
    assert found.effective_samples(np.full(12, 30.0), np.full(12, 70.0)) == pytest.approx(1.0)
    both = found.effective_samples(np.array([0.0, 2.0]), np.array([70.0, 70.0]))
    points = chord(np.array([0.0, 2.0]), np.array([70.0, 70.0]))
    alike = found.correlation(great_circles(points, points))[0, 1]
    assert both == pytest.approx(4.0 / (2.0 + 2.0 * alike))


def test_effective_samples_tell_how_well_the_mean_of_a_field_is_known():
    longitude, latitude = places(150, 11)
    fields = field(longitude, latitude, 1, reach=600e3, nugget=0.0, count=1000)
    # The variance of the mean of n values of variance 1 is one over their effective number.
    truth = 1.0 / fields.mean(axis=0).var()
    assert truth < 40
    bins = np.array([1.0])
    exact = Variogram("exponential", 0.0, 1.0, 600e3, bins, bins, bins.astype(int), structured=True)
    assert exact.effective_samples(longitude, latitude) == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize(
    ("rows", "values", "keywords", "said"),
    [
        (9, np.arange(9.0), {}, "9 places with values are too few"),
        (30, np.arange(30.0), {"groups": np.arange(30) // 4}, "8 places with values are too few"),
        (30, np.where(np.arange(30) == 3, np.inf, 1.0), {}, "1 of 30 rows"),
        (30, np.arange(30.0), {"model": "gaussian"}, "'gaussian' is neither"),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_one_sentence(rows, values, keywords, said):
    longitude, latitude = places(rows, 0)
    with pytest.raises(PermagridError, match=said):
        fit_variogram(longitude, latitude, values, **keywords)


def test_places_at_one_position_are_refused():
    with pytest.raises(PermagridError, match="all 12 places lie at one position"):
        fit_variogram(np.full(12, 30.0), np.full(12, 70.0), np.arange(12.0), np.arange(12))
