"""Mixtures: the linear special case, bounds, point masses, inverses, likelihood, storage, bad rows."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_mixtures import icy_mixture, icy_normal, icy_rows, plain_rows
from scipy.special import ndtr
from scipy.stats import norm

from permagrid.ensemble import (
    ClassMixture,
    Copula,
    GaussianMixture,
    Marginal,
    NormalMarginal,
    em_weights,
    fit_class_mixture,
    fit_copula,
    fit_copula_mixture,
    fit_gaussian_mixture,
)
from permagrid.ensemble.copula_ties import drawn_ranks, fit_tied_copula
from permagrid.errors import PermagridError

LEVELS = np.array([0.001, 0.025, 0.25, 0.5, 0.75, 0.975, 0.999])
MIXTURES = {"copula": icy_mixture(), "gaussian": icy_normal()}
BOTH = pytest.mark.parametrize("mixture", MIXTURES.values(), ids=MIXTURES)


@pytest.fixture(scope="module")
def linear():
    predictions, observed = plain_rows()
    joined = fit_copula_mixture(predictions, observed, families=("gaussian",), marginal="normal")
    return predictions, observed, joined, fit_gaussian_mixture(predictions, observed)


def test_gaussian_copulas_of_normal_marginals_are_linear_model_averaging(linear):
    predictions, observed, joined, plain = linear
    spread = observed.std()
    np.testing.assert_allclose(joined.weights, plain.weights, atol=1e-6)
    np.testing.assert_allclose(joined.cdf(predictions, observed), plain.cdf(predictions, observed), atol=1e-6)
    np.testing.assert_allclose(joined.mean(predictions) / spread, plain.mean(predictions) / spread, atol=1e-6)
    quantiles = [mixture.quantiles(predictions, LEVELS) / spread for mixture in (joined, plain)]
    np.testing.assert_allclose(*quantiles, atol=1e-6)
    densities = [mixture.log_density(predictions, observed) for mixture in (joined, plain)]
    np.testing.assert_allclose(*densities, atol=1e-6)


def test_members_of_the_linear_mixture_are_the_regressions_on_each_learner(linear):
    predictions, observed, joined, plain = linear
    for k, column in enumerate(predictions.T):
        slope, intercept = np.polyfit(column, observed, 1)
        assert plain.slopes[k] == pytest.approx(slope)
        assert plain.intercepts[k] == pytest.approx(intercept)
        left = observed - intercept - slope * column
        assert plain.deviations[k] == pytest.approx(left.std())
        correlation = np.corrcoef(column, observed)[0, 1]
        assert joined.members[k].copula.parameters[0] == pytest.approx(correlation, abs=1e-6)


@pytest.mark.parametrize("fit", [fit_copula_mixture, fit_gaussian_mixture])
def test_one_learner_gives_its_own_calibrated_distribution(fit):
    predictions, observed = plain_rows(600)
    alone = fit(predictions[:300, :1], observed[:300])
    assert alone.weights == [1.0]
    ranks = alone.cdf(predictions[300:, :1], observed[300:])
    assert abs(ranks.mean() - 0.5) < 0.05
    assert abs(ranks.std() - 12.0**-0.5) < 0.04
    low, high = alone.quantiles(predictions[300:, :1], [0.05, 0.95]).T
    assert 0.86 < np.mean((observed[300:] >= low) & (observed[300:] <= high)) < 0.94


def test_one_learner_alone_is_its_conditional_copula():
    predictions, observed = plain_rows()
    alone = fit_copula_mixture(predictions[:, :1], observed)
    (member,) = alone.members
    v = np.clip(member.marginal.cdf(predictions[:, 0]), member.edge, 1.0 - member.edge)
    np.testing.assert_array_equal(
        alone.cdf(predictions[:, :1], observed), member.copula.h(alone.marginal.cdf(observed), v)
    )


@pytest.mark.parametrize("fit", [fit_copula_mixture, fit_gaussian_mixture])
def test_learners_alike_give_their_common_prediction(fit):
    predictions, observed = plain_rows()
    alone = fit(predictions[:, :1], observed)
    same = np.repeat(predictions[:, :1], 3, axis=1)
    alike = fit(same, observed)
    np.testing.assert_allclose(alike.weights, 1.0 / 3.0)
    np.testing.assert_allclose(
        alike.quantiles(same, LEVELS), alone.quantiles(predictions[:, :1], LEVELS), atol=1e-6
    )
    np.testing.assert_allclose(alike.mean(same), alone.mean(predictions[:, :1]))


@BOTH
@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(-50.0, 150.0, width=32), min_size=4, max_size=4),
    st.lists(st.floats(-20.0, 120.0), min_size=2, max_size=8),
    st.lists(st.floats(0.0, 1.0), min_size=2, max_size=6),
)
def test_the_distribution_rises_within_its_bounds_and_quantiles_are_its_inverse(
    mixture, said, values, levels
):
    ordered = np.sort(values)
    rows = np.repeat([said], len(ordered), axis=0)
    heights = mixture.cdf(rows, ordered)
    assert np.all(np.diff(heights) >= 0.0)
    assert heights.min() >= 0.0
    assert heights.max() <= 1.0
    assert np.all(heights[ordered < 0.0] == 0.0)
    assert np.all(heights[ordered >= 100.0] == 1.0)
    asked = np.sort(levels)
    quantiles = mixture.quantiles([said], asked)[0]
    assert np.all(np.diff(quantiles) >= -1e-9)
    assert quantiles.min() >= 0.0
    assert quantiles.max() <= 100.0
    rows = np.repeat([said], len(asked), axis=0)
    # A quantile is the least value whose probability reaches the level.
    assert np.all(mixture.cdf(rows, quantiles + 1e-7) >= asked - 1e-6)
    assert np.all(mixture.cdf_below(rows, quantiles - 1e-7) <= asked + 1e-6)
    np.testing.assert_array_equal(mixture.quantile_at(rows, asked), quantiles)


@BOTH
def test_quantiles_below_the_mass_at_zero_are_zero_itself(mixture):
    predictions, _ = icy_rows()
    mass = mixture.cdf(predictions, 0.0)
    assert 0.1 < mass.mean() < 0.5
    assert np.all(mixture.cdf_below(predictions, 0.0) == 0.0)
    assert np.all(mixture.quantile_at(predictions, 0.999 * mass) == 0.0)
    assert np.all(mixture.quantile_at(predictions, np.minimum(mass + 1e-3, 1.0)) > 0.0)
    np.testing.assert_array_equal(mixture.quantiles(predictions[:3], [0.0, 1.0]), [[0.0, 100.0]] * 3)


@BOTH
def test_quantiles_meet_the_distribution_where_it_is_smooth(mixture):
    predictions, _ = icy_rows()
    levels = np.linspace(0.02, 0.98, len(predictions))
    found = mixture.quantile_at(predictions, levels)
    inside = found > 0.0
    np.testing.assert_allclose(mixture.cdf(predictions, found)[inside], levels[inside], atol=1e-7)


@BOTH
def test_the_mean_is_the_integral_of_the_distribution(mixture):
    predictions, _ = icy_rows()
    for row in predictions[[0, 7, 21]]:
        edges = np.linspace(0.0, 100.0, 20_001)
        middles = 0.5 * (edges[1:] + edges[:-1])
        area = 0.005 * np.sum(1.0 - mixture.cdf(np.repeat([row], 20_000, axis=0), middles))
        assert mixture.mean([row])[0] == pytest.approx(area, abs=1e-4)


@BOTH
def test_density_and_mass_make_up_the_distribution(mixture):
    predictions, _ = icy_rows()
    row = predictions[[5]]
    y = np.linspace(1e-6, 99.999, 6001)
    density = np.exp(mixture.log_density(np.repeat(row, len(y), axis=0), y))
    total = np.sum(0.5 * (density[1:] + density[:-1]) * np.diff(y))
    mass = np.exp(mixture.log_density(row, 0.0))[0]
    assert mass == pytest.approx(mixture.cdf(row, 0.0)[0])
    assert total + mass + np.exp(mixture.log_density(row, 100.0))[0] == pytest.approx(1.0, abs=0.01)
    assert mixture.log_density(row, -1.0)[0] == -np.inf


@BOTH
def test_weights_are_those_under_which_the_rows_were_most_probable(mixture):
    predictions, observed = icy_rows()
    densities = mixture.component_densities(predictions, observed)
    np.testing.assert_allclose(em_weights(densities), mixture.weights, atol=1e-6)
    relative = np.log(densities @ mixture.weights) - mixture.log_density(predictions, observed)
    # Those of copulas are told by the marginal density, which all learners share.
    height = 0.0 if isinstance(mixture, GaussianMixture) else np.log(mixture.marginal.pdf(observed))
    np.testing.assert_allclose((relative + height)[observed > 0.0], 0.0, atol=1e-9)


def test_a_prediction_that_many_rows_share_stands_for_all_their_ranks():
    mixture = MIXTURES["copula"]
    member = mixture.members[0]
    shared = member.marginal.atom_lower
    assert shared > 0.1
    u = np.array([0.3, 0.6, 0.9])
    found = member.below(u, member.ranks(np.zeros(3)))
    ranks = np.linspace(member.edge, shared, 4001)
    expected = [np.mean(member.copula.h(one, ranks)) for one in u]
    np.testing.assert_allclose(found, expected, atol=2e-3)


@BOTH
def test_a_row_is_the_same_alone_and_where_predictions_are_missing_so_is_the_result(mixture):
    predictions, observed = icy_rows(40)
    whole = (
        mixture.quantiles(predictions, LEVELS),
        mixture.mean(predictions),
        mixture.cdf(predictions, observed),
    )
    order = np.random.default_rng(3).permutation(40)
    np.testing.assert_array_equal(mixture.quantiles(predictions[order], LEVELS), whole[0][order])
    for row in range(0, 40, 13):
        one = predictions[[row]]
        np.testing.assert_array_equal(mixture.quantiles(one, LEVELS)[0], whole[0][row])
        assert mixture.mean(one)[0] == whole[1][row]
        assert mixture.cdf(one, observed[row])[0] == whole[2][row]
    gap = predictions.copy()
    gap[3, np.argmax(mixture.weights)] = np.nan
    for found in (mixture.mean(gap), mixture.cdf(gap, 5.0), mixture.quantile_at(gap, 0.5)):
        assert np.flatnonzero(np.isnan(found)).tolist() == [3]
    assert np.flatnonzero(np.isnan(mixture.log_density(gap, observed))).tolist() == [3]


@BOTH
def test_a_mixture_outlives_storage_as_text(mixture):
    predictions, observed = icy_rows(30)
    again = type(mixture).of(json.loads(json.dumps(mixture.plain())))
    np.testing.assert_array_equal(again.cdf(predictions, observed), mixture.cdf(predictions, observed))
    np.testing.assert_array_equal(again.mean(predictions), mixture.mean(predictions))
    told = json.loads(json.dumps(again.describe(["svr", "gam", "forest", "boosted"])))
    assert told == mixture.describe(["svr", "gam", "forest", "boosted"])
    assert [learner["name"] for learner in told["learners"]] == ["svr", "gam", "forest", "boosted"]
    assert sum(learner["weight"] for learner in told["learners"]) == pytest.approx(1.0)


def test_learners_that_tell_nothing_have_no_weight_or_no_slope_and_are_told_all_the_same():
    predictions, observed = plain_rows()
    observed = np.maximum(observed, 0.0)
    noise = np.random.default_rng(5).normal(size=len(observed))
    columns = np.stack([predictions[:, 0], np.full(len(observed), 7.0), noise], axis=1)
    for fit in (fit_copula_mixture, fit_gaussian_mixture):
        mixture = fit(columns, observed)
        assert mixture.weights[0] > 0.95
        assert len(mixture.describe()["learners"]) == 3
        assert np.all(np.isfinite(mixture.mean(columns)))
    constant = fit_gaussian_mixture(columns[:, 1:2], observed)
    assert constant.mean(columns[:1, 1:2])[0] == pytest.approx(observed.mean())
    step = np.where(observed > 30.0, 20.0, 0.0)[:, None]
    low, high = fit_copula_mixture(step, observed, lower=0.0, upper=100.0).mean([[0.0], [20.0]])
    assert low < observed.mean() < high
    climate = fit_copula_mixture(columns[:, 1:2], observed)
    np.testing.assert_allclose(climate.cdf(columns[:, 1:2], observed), climate.marginal.cdf(observed))


def test_weighted_rows_count_as_often_as_they_weigh():
    predictions, observed = plain_rows(120)
    counts = np.arange(120) % 3
    for fit in (fit_copula_mixture, fit_gaussian_mixture):
        keywords = {"families": ("gaussian",), "marginal": "normal"} if fit is fit_copula_mixture else {}
        weighted = fit(predictions, observed, row_weights=counts, **keywords)
        repeated = fit(np.repeat(predictions, counts, axis=0), np.repeat(observed, counts), **keywords)
        np.testing.assert_allclose(
            weighted.cdf(predictions, 30.0), repeated.cdf(predictions, 30.0), atol=1e-5
        )


def test_bounds_hold_with_normal_marginals_too():
    predictions, observed = plain_rows()
    mixture = fit_copula_mixture(
        predictions, np.clip(observed, 25.0, 40.0), lower=25.0, upper=40.0, marginal="normal"
    )
    quantiles = mixture.quantiles(predictions, [0.001, 0.5, 0.999])
    assert quantiles.min() == 25.0
    assert quantiles.max() == 40.0
    assert isinstance(mixture.marginal, NormalMarginal)
    assert np.all(mixture.cdf(predictions, 25.0) > 0.0)


def test_the_mean_of_a_normal_member_is_that_of_the_censored_distribution():
    mixture = GaussianMixture(
        np.ones(1), np.zeros(1), np.ones(1), np.full(1, 4.0), np.array([[0.0, 9.0]]), lower=0.0
    )
    draws = np.clip(1.0 + 4.0 * norm.ppf((np.arange(200_000) + 0.5) / 200_000), 0.0, None)
    assert mixture.mean([[1.0]])[0] == pytest.approx(draws.mean(), abs=1e-3)
    assert mixture.cdf([[1.0]], 0.0)[0] == pytest.approx(ndtr(-0.25))


def test_goodness_of_fit_is_told_of_each_learner():
    predictions, observed = plain_rows(60)
    mixture = fit_copula_mixture(predictions[:, :2], observed, families=("gaussian", "frank"))
    found = mixture.goodness(predictions[:, :2], observed, draws=19)
    assert len(found) == 2
    assert all(0.0 < p < 1.0 for p in found)


def _rows(**changes):
    predictions, observed = plain_rows(30)
    return {"predictions": predictions, "observed": observed, **changes}


@pytest.mark.parametrize("fit", [fit_copula_mixture, fit_gaussian_mixture])
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (_rows(observed=np.zeros(30)), "all 30 observed values are 0"),
        (_rows(observed=np.full(30, np.nan)), "30 of 30 observed values are missing"),
        (_rows(predictions=np.full((30, 2), np.inf)), "learner 1 of 2 has no finite prediction for 30 of 30"),
        (_rows(predictions=np.zeros(30)), r"shape \(30,\)"),
        (_rows(lower=0.0, upper=10.0), "beyond 0 to 10"),
        (_rows(lower=10.0, upper=0.0), "lower bound 10 is not below the upper bound 0"),
        (_rows(row_weights=np.full(30, -1.0)), "30 finite numbers of 0 or more"),
        (_rows(predictions=np.zeros((1, 2)), observed=np.zeros(1)), "at least 2 rows"),
    ],
)
def test_rows_that_nothing_can_be_learned_from_are_refused(fit, rows, message):
    with pytest.raises(PermagridError, match=message):
        fit(**rows)


@BOTH
def test_what_cannot_be_asked_is_refused(mixture):
    predictions, _ = icy_rows(20)
    with pytest.raises(PermagridError, match="of 4 learners"):
        mixture.mean(predictions[:, :3])
    with pytest.raises(PermagridError, match="between 0 and 1"):
        mixture.quantiles(predictions, [0.5, 1.5])
    with pytest.raises(PermagridError, match="levels have the shape"):
        mixture.quantile_at(predictions, [0.5, 0.6])
    with pytest.raises(PermagridError, match="y has the shape"):
        mixture.cdf(predictions, [1.0, 2.0])
    with pytest.raises(PermagridError, match="3 names for 4 learners"):
        mixture.describe(["a", "b", "c"])


def test_unknown_marginals_are_refused():
    with pytest.raises(PermagridError, match="neither smoothed nor normal"):
        fit_copula_mixture(*plain_rows(20), marginal="gamma")


def test_class_mixtures_weigh_by_the_probability_of_what_was_observed():
    draw = np.random.default_rng(0)
    observed = draw.integers(0, 3, 400)
    good = np.full((400, 3), 0.2)
    good[np.arange(400), np.where(draw.random(400) < 0.6, observed, draw.integers(0, 3, 400))] = 0.6
    even = np.full((400, 3), 1.0 / 3.0)
    wrong = np.eye(3)[(observed + 1) % 3]
    given = np.stack([good, even, wrong], axis=1)
    codes = np.array([2.0, 5.0, 7.0])
    mixture = fit_class_mixture(given, codes[observed], codes)
    assert isinstance(mixture, ClassMixture)
    assert mixture.weights[0] > 0.9
    assert mixture.weights[2] == 0.0
    proba = mixture.proba(given)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    np.testing.assert_allclose(proba, np.einsum("nkc,k->nc", given, mixture.weights), atol=1e-12)
    np.testing.assert_array_equal(mixture.proba(given[5:6])[0], proba[5])
    again = ClassMixture.of(json.loads(json.dumps(mixture.plain())))
    np.testing.assert_array_equal(again.proba(given), proba)
    told = mixture.describe(["forest", "even", "wrong"])
    assert told["log_score"] >= max(learner["log_score"] for learner in told["learners"])
    with pytest.raises(PermagridError, match=r"observed class 3\.0 is none of the classes"):
        fit_class_mixture(given, np.full(400, 3.0), codes)
    with pytest.raises(PermagridError, match=r"needed is \(n, 3, 3\)"):
        mixture.proba(given[:, :2])


@pytest.mark.parametrize(
    "copula",
    [
        Copula("gaussian", 0, (0.8,)),
        Copula("clayton", 180, (3.0,)),
        Copula("gumbel", 90, (2.0,)),
        Copula("frank", 0, (8.0,)),
    ],
    ids=str,
)
def test_zeros_on_both_sides_do_not_weaken_the_copula(copula):
    u, v = copula.draw(800, seed=1)
    ice, said = np.maximum(100.0 * u - 40.0, 0.0), np.maximum(80.0 * v - 30.0, 0.0)
    sides = [(Marginal.fit(values, lower=0.0, upper=100.0), values) for values in (ice, said)]
    keywords = {"weights": np.ones(800), "edge": 0.5 / 801.0, "seed": 0}
    found = fit_tied_copula(*sides, families=(copula.family,), **keywords)
    assert found.copula.rotation == copula.rotation
    assert found.copula.tau == pytest.approx(copula.tau, abs=0.04)
    assert found.aic == found.tried["aic"].min()
    if copula.family in ("gaussian", "gumbel"):
        # Ranks drawn evenly within the zeros lose part of the relation.
        even = [marginal.pseudo(values, seed) for seed, (marginal, values) in enumerate(sides)]
        assert abs(fit_copula(*even, families=(copula.family,)).copula.tau) < 0.92 * abs(copula.tau)
    ranks = drawn_ranks(found.copula, *sides, edge=0.5 / 801.0, seed=0)
    again = fit_copula(*ranks, families=(copula.family,)).copula
    assert again.tau == pytest.approx(found.copula.tau, abs=0.03)


def test_pairs_without_ties_are_fitted_as_ever():
    predictions, observed = plain_rows(100)
    sides = [(Marginal.fit(values), values) for values in (observed, predictions[:, 0])]
    keywords = {"families": ("gaussian", "frank"), "weights": np.ones(100)}
    found = fit_tied_copula(*sides, **keywords, edge=0.5 / 101.0, seed=3)
    ranks = [marginal.pseudo(values, 0) for marginal, values in sides]
    assert found.copula == fit_copula(*ranks, **keywords).copula


def test_copulas_beat_the_best_learner_and_the_linear_mixture_where_ice_is_often_zero():
    predictions, observed = icy_rows(1000, seed=9)
    error = {name: np.mean((mixture.mean(predictions) - observed) ** 2) for name, mixture in MIXTURES.items()}
    assert error["copula"] < error["gaussian"]
    assert error["copula"] < np.mean((predictions - observed[:, None]) ** 2, axis=0).min()
