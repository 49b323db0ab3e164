"""Marginals: between 0 and 1, rising, inverted by their quantiles, true to samples, ties and tails."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import genpareto, kstest, lognorm, norm, t

from permagrid.ensemble.marginals import Marginal, NormalMarginal, distribution_of
from permagrid.errors import PermagridError


def sample(kind, count, seed):
    """Return values and their bounds."""
    generator = np.random.default_rng(seed)
    ice = np.where(generator.random(count) < 0.61, 0.0, 100.0 * generator.beta(1.2, 3.0, count))
    ice[:2] = 1.0, 60.0
    values = {
        "normal": generator.normal(-3.0, 4.0, count),
        "skewed": np.exp(generator.normal(0.0, 1.0, count)),
        "ice": ice,
        "censored": np.minimum(100.0, 30.0 * generator.gamma(2.0, 1.0, count)),
        "rounded": np.round(generator.uniform(0.0, 100.0, count) / 5.0) * 5.0,
        "two clusters": np.concatenate(
            [generator.normal(0.0, 0.1, count // 2), generator.normal(50.0, 0.1, count - count // 2)]
        ),
        "long tail": generator.standard_t(2.0, count),
    }[kind]
    bounds = {"skewed": (0.0, np.inf), "ice": (0.0, 100.0), "rounded": (0.0, 100.0), "censored": (0.0, 100.0)}
    return values, *bounds.get(kind, (-np.inf, np.inf))


KINDS = ("normal", "skewed", "ice", "censored", "rounded", "two clusters", "long tail")
kinds = st.sampled_from(KINDS)


@settings(max_examples=40, deadline=None)
@given(kind=kinds, count=st.integers(12, 400), seed=st.integers(0, 9999))
def test_the_distribution_rises_from_0_below_the_bound_to_1_at_it(kind, count, seed):
    values, lower, upper = sample(kind, count, seed)
    found = Marginal.fit(values, lower=lower, upper=upper)
    y = np.sort(np.concatenate([values, np.linspace(values.min() - 9.0, values.max() + 9.0, 301)]))
    below, at = found.cdf_below(y), found.cdf(y)
    assert (np.diff(at) >= 0.0).all()
    assert (np.diff(below) >= 0.0).all()
    assert ((at >= 0.0) & (at <= 1.0) & (below <= at)).all()
    assert (at[y < lower] == 0.0).all()
    assert (at[y >= upper] == 1.0).all()
    assert (found.pdf(y) >= 0.0).all()
    if np.isfinite(lower):
        assert found.cdf(lower) - found.cdf_below(lower) == pytest.approx(found.atom_lower, abs=1e-12)
    if np.isfinite(upper):
        assert found.cdf(upper) - found.cdf_below(upper) == pytest.approx(found.atom_upper, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(kind=kinds, count=st.integers(12, 400), seed=st.integers(0, 9999))
def test_quantiles_and_distribution_undo_each_other(kind, count, seed):
    values, lower, upper = sample(kind, count, seed)
    found = Marginal.fit(values, lower=lower, upper=upper)
    u = np.linspace(1e-6, 1.0 - 1e-6, 1001)
    y = found.ppf(u)
    assert (np.diff(y) >= 0.0).all()
    assert ((y >= lower) & (y <= upper)).all()
    inner = (y > lower) & (y < upper)
    assert found.cdf(y[inner]) == pytest.approx(u[inner], rel=1e-9)
    assert (found.cdf(y) >= u - 1e-12).all()
    assert (found.cdf_below(y) <= u + 1e-12).all()
    # Where there is all but no density, a quantile is told no better than a number near 1 is.
    dense = inner & (found.pdf(y) > 1e-4 / np.ptp(values))
    assert found.ppf(found.cdf(y[dense])) == pytest.approx(y[dense], rel=1e-9, abs=1e-9 * np.ptp(values))


@pytest.mark.parametrize("kind", KINDS)
def test_the_density_is_the_slope_and_holds_what_point_masses_leave(kind):
    values, lower, upper = sample(kind, 300, 1)
    found = Marginal.fit(values, lower=lower, upper=upper)
    middles = (found.nodes[1:] + found.nodes[:-1]) / 2.0
    total = np.sum(found.pdf(middles) * np.diff(found.nodes))
    assert total == pytest.approx(1.0 - found.atom_lower - found.atom_upper, abs=1e-9)
    y = found.ppf(np.linspace(0.05, 0.95, 19))
    y = y[(y > lower) & (y < upper)]
    step = 1e-7 * np.ptp(values)
    slope = (found.cdf(y + step) - found.cdf(y - step)) / (2.0 * step)
    assert np.median(np.abs(found.pdf(y) / slope - 1.0)) < 1e-6


@pytest.mark.parametrize(
    ("truth", "bounds"),
    [
        (norm(-3.0, 4.0), (-np.inf, np.inf)),
        (lognorm(1.2), (0.0, np.inf)),
        (t(3.0), (-np.inf, np.inf)),
        (genpareto(-0.5, scale=20.0), (0.0, 40.0)),
    ],
)
def test_it_is_nearer_to_the_truth_than_the_sample_itself(truth, bounds):
    grid = truth.ppf(np.linspace(0.005, 0.995, 400))
    smooth, steps = [], []
    for seed in range(20):
        values = np.sort(truth.rvs(300, random_state=seed))
        found = Marginal.fit(values, lower=bounds[0], upper=bounds[1])
        smooth.append(np.mean((found.cdf(grid) - truth.cdf(grid)) ** 2))
        steps.append(np.mean((np.searchsorted(values, grid) / 300.0 - truth.cdf(grid)) ** 2))
    assert np.mean(smooth) < np.mean(steps)


def test_reflection_keeps_the_density_at_a_bound():
    values = np.random.default_rng(0).uniform(0.0, 100.0, 2000)
    bounded = Marginal.fit(values, lower=0.0, upper=100.0)
    assert bounded.pdf(np.array([0.5, 99.5])) == pytest.approx(0.01, rel=0.25)
    assert Marginal.fit(values).pdf(0.0) < 0.7 * bounded.pdf(0.5)
    assert bounded.cdf(np.array([-1e-9, 0.0, 100.0])).tolist() == [0.0, 0.0, 1.0]


def test_many_ties_at_a_bound_are_a_point_mass_and_rounding_is_not():
    values, lower, upper = sample("ice", 500, 0)
    ice = Marginal.fit(values, lower=lower, upper=upper)
    assert ice.atom_lower == pytest.approx(np.mean(values == 0.0))
    assert ice.atom_upper == 0.0
    assert ice.cdf_below(0.0) == 0.0
    assert ice.ppf(np.array([0.01, ice.atom_lower])).tolist() == [0.0, 0.0]
    assert ice.ppf(ice.atom_lower + 0.01) > 0.0
    censored = Marginal.fit(sample("censored", 500, 0)[0], lower=0.0, upper=100.0)
    assert censored.atom_lower == 0.0
    assert 0.02 < censored.atom_upper < 0.3
    assert censored.ppf(np.array([1.0 - censored.atom_upper / 2.0, 1.0])).tolist() == [100.0, 100.0]
    assert censored.cdf(np.nextafter(100.0, 0.0)) == pytest.approx(1.0 - censored.atom_upper)
    rounded = Marginal.fit(sample("rounded", 500, 0)[0], lower=0.0, upper=100.0)
    assert (rounded.atom_lower, rounded.atom_upper) == (0.0, 0.0)
    few = np.concatenate([[0.0, 0.0, 0.0], np.random.default_rng(0).uniform(0.0, 9.0, 97)])
    assert Marginal.fit(few, lower=0.0).atom_lower == 0.0


def test_excess_ice_of_real_cores_has_its_zeros_as_a_point_mass(real_data):
    folder = real_data / "castagner2022-excess-ice"
    ice = 100.0 * pd.read_csv(next(folder.rglob("SentinelBHdata.csv")))["EI"].dropna().to_numpy()
    found = Marginal.fit(ice, lower=0.0, upper=100.0)
    assert found.atom_lower == pytest.approx(0.61, abs=0.01)
    assert found.atom_upper == 0.0
    assert kstest(found.pseudo(ice, seed=0), "uniform").pvalue > 0.2
    assert found.cdf(np.array([20.0, 60.0])) == pytest.approx(
        [np.mean(ice <= 20.0), np.mean(ice <= 60.0)], abs=0.03
    )


def test_rounding_does_not_show_in_the_density():
    values = np.round(np.random.default_rng(0).normal(50.0, 20.0, 5000).clip(0.0, 100.0) / 5.0) * 5.0
    found = Marginal.fit(values, lower=0.0, upper=100.0)
    at, between = found.pdf(np.arange(30.0, 75.0, 5.0)), found.pdf(np.arange(32.5, 72.5, 5.0))
    assert between == pytest.approx((at[1:] + at[:-1]) / 2.0, rel=0.1)


def test_ranks_of_the_sample_are_uniform_even_with_point_masses():
    for kind in ("ice", "censored", "normal", "long tail"):
        values, lower, upper = sample(kind, 800, 3)
        found = Marginal.fit(values, lower=lower, upper=upper)
        ranks = found.pseudo(values, seed=1)
        assert kstest(ranks, "uniform").pvalue > 0.2
        edge = 0.5 / 801.0
        assert ranks.min() >= edge
        assert ranks.max() <= 1.0 - edge
        assert np.array_equal(ranks, found.pseudo(values, seed=1))
    assert not np.array_equal(ranks_of_zeros(1), ranks_of_zeros(2))


def ranks_of_zeros(seed):
    values, lower, upper = sample("ice", 200, 3)
    return Marginal.fit(values, lower=lower, upper=upper).pseudo(np.zeros(50), seed)


def test_heavy_tails_are_found_and_drawn_and_light_ones_left_to_the_kernels():
    heavy, light = 0, 0
    for seed in range(10):
        generator = np.random.default_rng(seed)
        found = Marginal.fit(generator.standard_t(2.0, 1000))
        heavy += found.lower_tail.heavy + found.upper_tail.heavy
        found = Marginal.fit(generator.normal(size=1000))
        light += found.lower_tail.heavy + found.upper_tail.heavy
    assert heavy >= 18
    assert light <= 3
    truth = t(2.0)
    found = Marginal.fit(truth.rvs(1000, random_state=5))
    # The kernels alone would end soon after the largest of a thousand values.
    assert found.ppf(1.0 - 1e-5) == pytest.approx(truth.ppf(1.0 - 1e-5), rel=0.9)
    assert found.ppf(1e-5) == pytest.approx(truth.ppf(1e-5), rel=0.9)
    assert found.cdf(found.ppf(1.0 - 1e-6)) == pytest.approx(1.0 - 1e-6, abs=1e-12)


def test_a_side_with_a_bound_has_no_tail_and_few_values_tell_of_none():
    assert np.isnan(Marginal.fit(np.arange(200.0), lower=0.0).lower_tail.shape)
    assert np.isnan(Marginal.fit(np.arange(50.0)).upper_tail.shape)
    assert Marginal.fit(np.arange(200.0), lower=0.0).upper_tail.shape < 0.0


def test_weights_count_as_rows_given_as_often():
    values, lower, upper = sample("ice", 150, 2)
    often = np.random.default_rng(2).integers(0, 4, 150)
    weighted = Marginal.fit(values, lower=lower, upper=upper, weights=often.astype(float))
    repeated = Marginal.fit(np.repeat(values, often), lower=lower, upper=upper)
    assert weighted.atom_lower == pytest.approx(repeated.atom_lower)
    y = np.linspace(0.0, 90.0, 50)
    assert weighted.cdf(y) == pytest.approx(repeated.cdf(y), abs=0.02)
    assert weighted.count == np.sum(often > 0)
    same = Marginal.fit(values, lower=lower, upper=upper, weights=np.full(150, 7.0))
    assert same.cdf(y) == pytest.approx(Marginal.fit(values, lower=lower, upper=upper).cdf(y), abs=1e-9)


def test_the_order_of_rows_and_the_values_beside_one_do_not_matter():
    values, lower, upper = sample("ice", 200, 4)
    found = Marginal.fit(values, lower=lower, upper=upper)
    turned = Marginal.fit(values[::-1], lower=lower, upper=upper)
    y = np.random.default_rng(0).uniform(-5.0, 105.0, 5000)
    for ask in ("cdf", "cdf_below", "pdf"):
        together = getattr(found, ask)(y)
        assert np.array_equal(together[:3], getattr(found, ask)(y[:3]))
        assert np.array_equal(together, getattr(turned, ask)(y))
    assert np.array_equal(found.ppf(y[:4000] / 105.0)[:3], found.ppf(y[:3] / 105.0))
    assert np.isnan(found.cdf(np.nan))
    assert np.isnan(found.pdf(np.nan))


@pytest.mark.parametrize("kind", KINDS)
def test_plain_values_make_the_same_distribution(kind):
    values, lower, upper = sample(kind, 200, 6)
    found = Marginal.fit(values, lower=lower, upper=upper)
    again = distribution_of(json.loads(json.dumps(found.plain(), allow_nan=False)))
    y = np.linspace(values.min(), values.max(), 99)
    assert np.array_equal(again.cdf(y), found.cdf(y))
    assert np.array_equal(again.pseudo(y, 1), found.pseudo(y, 1))
    assert json.dumps(again.plain()) == json.dumps(found.plain())


def test_the_normal_marginal_is_the_normal_distribution():
    found = NormalMarginal(-2.0, 3.0)
    truth = norm(-2.0, 3.0)
    y = np.linspace(-20.0, 20.0, 41)
    assert found.cdf(y) == pytest.approx(truth.cdf(y), rel=1e-12)
    assert found.cdf_below(y) == pytest.approx(truth.cdf(y), rel=1e-12)
    assert found.pdf(y) == pytest.approx(truth.pdf(y), rel=1e-12)
    u = np.linspace(0.001, 0.999, 41)
    assert found.ppf(u) == pytest.approx(truth.ppf(u), rel=1e-12)
    assert np.array_equal(found.pseudo(y, 0), found.cdf(y))
    assert (found.atom_lower, found.atom_upper) == (0.0, 0.0)
    assert distribution_of(json.loads(json.dumps(found.plain()))) == found
    with pytest.raises(PermagridError, match="standard deviation above 0, not 1 and 0"):
        NormalMarginal(1.0, 0.0)


@pytest.mark.parametrize(
    ("values", "keywords", "said"),
    [
        (np.zeros(40), {"lower": 0.0}, "all 40 values are 0: two .* and there are none"),
        (np.array([1.0, np.nan, 2.0]), {}, "1 of 3 values are NaN"),
        (np.array([]), {}, "there are none"),
        (
            np.array([5.0, 120.0]),
            {"lower": 0.0, "upper": 100.0},
            "1 of 2 values lie beyond the bounds 0 to 100",
        ),
        (np.arange(9.0), {"lower": 1.0, "upper": 1.0}, "lower bound 1 is not below"),
        (np.arange(9.0), {"weights": np.ones(8)}, "weights of the 9 values"),
        (np.arange(9.0), {"weights": np.zeros(9)}, "one above 0"),
        (np.r_[np.zeros(20), 5.0], {"lower": 0.0}, "marginal: two different values .* and there is one"),
        (1.0 + np.arange(20) * 1e-16, {}, "all 20 values are 1: "),
    ],
)
def test_what_cannot_be_smoothed_is_refused_in_one_sentence(values, keywords, said):
    with pytest.raises(PermagridError, match=said):
        Marginal.fit(values, **keywords)
