"""The additive model against mgcv, pyGAM and closed forms: curves, smoothness, tails, classes, weights."""

import numpy as np
import pytest
from scipy.interpolate import make_lsq_spline
from scipy.optimize import approx_fprime
from sklearn.linear_model import LinearRegression, LogisticRegression
from threadpoolctl import threadpool_limits

from permagrid.learners import additive, build_learner
from permagrid.learners.additive import AdditiveClassifier, AdditiveRegressor
from permagrid.learners.additive_terms import design_of
from permagrid.learners.smoothing import Binomial, Gaussian, chosen, natural_level
from permagrid.learners.splines import basis_of

EQUAL = {"knots": "equal", "categorical_features": [2]}


@pytest.fixture(autouse=True)
def one_core():
    """Keep linear algebra from starting threads for a handful of rows."""
    with threadpool_limits(1):
        yield


def made(n=120):
    """Return covariates and a soil class, values, classes and weights, by formulas that any tool knows."""
    i = np.arange(1.0, n + 1)
    x0, x1 = i * 0.6180339887498949 % 1, i * 0.7548776662466927 % 1
    soil = np.floor(i * 0.5698402909980532 % 1 * 4)
    noise = np.sin(i * 12.9898) * 43.5453 % 1 - 0.5
    score = np.sin(6 * x0) + x1 + np.array([0.3, -0.2, 0.0, 0.4])[soil.astype(int)]
    weights = 0.5 + (i * 0.3 % 1)
    return np.stack([x0, x1, soil], axis=1), score + noise, (score + 3 * noise > 0.6) * 1.0, weights


# gam(y ~ s(x0, bs="ps", k=10) + s(x1, bs="ps", k=10) + s(soil, bs="re"), knots = those of basis_of(...)) of
# mgcv 1.8-41 in R 4.2.2, weights of mean 1 for values; predictions of every tenth row, from the fifth.
MGCV = {
    ("value", "gcv"): (
        "4.86640 5.15130 2.88858",
        "1.61573 1.35405 1.55151 .27947 .17411 -.18710 1.15283 1.58409 -.01375 .20206 -.17351 1.22654",
    ),
    ("value", "reml"): (
        "5.56564 1.00005 2.89957",
        "1.67533 1.39266 1.60819 .29988 .09189 -.21341 1.19685 1.53632 -.08876 .18009 -.19526 1.30833",
    ),
    ("class", "gcv"): (
        "4.40942 5.85744 1.49009",
        "1.74176 1.89713 1.15431 -.49330 1.82795 -.83423 1.08725 3.77089 -.33328 .35006 -1.65427 .86732",
    ),
    ("class", "reml"): (
        "3.80153 1.00007 1.50691",
        "2.14729 2.08562 2.10294 -.15876 .58419 -1.52712 .94357 2.44517 -.94574 -.00715 -1.38131 1.85586",
    ),
}
"""Task and criterion -> effective degrees of freedom of the terms, and predictions (of classes: log odds)."""


@pytest.mark.parametrize(("task", "criterion"), list(MGCV))
def test_smoothness_and_curves_are_those_of_mgcv(task, criterion, monkeypatch):
    monkeypatch.setattr(additive, "_STEADY", 0.0)
    X, y, is_one, weights = made()
    new = X[4:115:10]
    if task == "value":
        model = AdditiveRegressor(criterion=criterion, **EQUAL)
        model.fit(X, y, sample_weight=weights / weights.mean())
        found = model.predict(new)
    else:
        model = AdditiveClassifier(criterion=criterion, **EQUAL).fit(X, is_one)
        found = model.decision_function(new)
    edf, predicted = (np.array(text.split(), dtype=float) for text in MGCV[task, criterion])
    np.testing.assert_allclose(model.edf_, edf, atol=1e-3)
    np.testing.assert_allclose(found, predicted, atol=3e-4)


def test_gcv_is_that_of_mgcv(monkeypatch):
    monkeypatch.setattr(additive, "_STEADY", 0.0)
    X, y, is_one, weights = made()
    values = AdditiveRegressor(criterion="gcv", **EQUAL).fit(X, y, sample_weight=weights / weights.mean())
    assert values.score_ == pytest.approx(0.0913739281, rel=1e-6)
    # mgcv leaves out a constant of 1.
    assert AdditiveClassifier(criterion="gcv", **EQUAL).fit(X, is_one).score_ - 1 == pytest.approx(
        0.0289464564, rel=1e-5
    )


def test_curves_of_a_given_penalty_are_those_of_pygam_within_and_beyond_the_rows(monkeypatch):
    monkeypatch.setattr(additive, "_STEADY", 0.0)
    X, y, is_one, weights = made()
    new = np.array([[-0.3], [0.1], [0.5], [0.9], [1.4]])
    # LinearGAM and LogisticGAM(s(0, n_splines=10, lam=2), fit_intercept=False) of pyGAM 0.12, whose penalty
    # is that of second differences, not divided by the distances of knots.
    penalty = 2.0 / 7**3
    values = AdditiveRegressor(knots="equal", smoothing=penalty).fit(X[:, :1], y, sample_weight=weights)
    expected = [-0.62444357, 1.23569951, 0.81490857, -0.26814797, 0.65919933]
    np.testing.assert_allclose(values.predict(new), expected, atol=1e-6)
    classes = AdditiveClassifier(knots="equal", smoothing=penalty).fit(X[:, :1], is_one)
    expected = [-1.58455175, 1.18007827, 0.68330831, -1.04963919, -2.45863641]
    np.testing.assert_allclose(classes.decision_function(new), expected, atol=1e-6)


@pytest.mark.parametrize("knots", ["quantile", "equal"])
def test_an_endless_penalty_leaves_straight_lines(knots, monkeypatch):
    monkeypatch.setattr(additive, "_STEADY", 1e-6)
    X, y, is_one, weights = made()
    # Far from evenly spread.
    X = np.exp(3 * X[:, :2])
    new = np.linspace(-5, 40, 20)[:, np.newaxis] * [1, 0.7]
    model = AdditiveRegressor(knots=knots, smoothing=1e12).fit(X, y, sample_weight=weights)
    straight = LinearRegression().fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(model.predict(new), straight.predict(new), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.edf_, 1.0, atol=1e-6)
    odds = AdditiveClassifier(knots=knots, smoothing=1e9).fit(X, is_one, sample_weight=weights)
    spread = X.std(axis=0)
    logistic = LogisticRegression(C=1e6, tol=1e-10, max_iter=10000).fit(
        X / spread, is_one, sample_weight=weights
    )
    expected = logistic.decision_function(new / spread)
    np.testing.assert_allclose(odds.decision_function(new), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("knots", ["quantile", "equal"])
def test_hardly_a_penalty_leaves_the_spline_of_least_squares(knots):
    X, y, _, weights = made()
    x = np.sort(X[:, 0])
    basis = basis_of(x, 10, knots)
    spline = make_lsq_spline(x, y, basis.knots, 3, w=np.sqrt(weights))
    model = AdditiveRegressor(knots=knots, smoothing=1e-12).fit(x[:, np.newaxis], y, sample_weight=weights)
    np.testing.assert_allclose(model.predict(x[:, np.newaxis]), spline(x), atol=1e-6)
    # The constant is the intercept's.
    assert model.edf_[0] == pytest.approx(9, abs=1e-5)


@pytest.mark.parametrize("penalty", [1e-4, 0.01, 3.0])
def test_gcv_and_freedom_are_as_defined(penalty):
    X, y, _, weights = made(60)
    model = AdditiveRegressor(criterion="gcv", smoothing=penalty, categorical_features=[2])
    fit = model.fit(X, y, sample_weight=weights).predict(X)
    # The hat matrix, column by column: what a change of one observation does to all.
    hat = np.stack(
        [model.fit(X, y + (np.arange(60) == i), sample_weight=weights).predict(X) - fit for i in range(60)], 1
    )
    n, edf = weights.sum(), np.trace(hat)
    model.fit(X, y, sample_weight=weights)
    assert model.edf_.sum() + 1 == pytest.approx(edf, rel=1e-6)
    assert model.score_ == pytest.approx(n * (weights @ (y - fit) ** 2) / (n - edf) ** 2, rel=1e-6)


@pytest.mark.parametrize("criterion", ["gcv", "reml"])
@pytest.mark.parametrize("is_class", [False, True])
@pytest.mark.parametrize("shrink", [False, True])
def test_the_search_ends_where_no_smoothing_nearby_is_better(criterion, is_class, shrink):
    X, y, is_one, weights = made()
    model = AdditiveRegressor(categorical_features=[2])
    parts, target = model._parts(X, weights), is_one if is_class else y - y.mean()
    design, _, numbers = design_of(parts, target, weights, shrink=shrink, steady=0.01)
    assert design.groups == (5 if shrink else 3)
    assert len(set(numbers)) == 3
    family = (Binomial if is_class else Gaussian)(design, criterion)
    random = np.random.default_rng(3)
    for _ in range(3):
        place = natural_level(design) + random.normal(0, 2, design.groups)
        numeric = approx_fprime(place, lambda at: family(at).score, 1e-5)
        np.testing.assert_allclose(family(place).gradient, numeric, rtol=2e-3, atol=2e-5)
    best, solution = chosen(family, design)
    for step in np.vstack([np.eye(design.groups), -np.eye(design.groups)]):
        assert family(best + 0.3 * step).score >= solution.score - 2e-6 * abs(solution.score)


def test_a_sine_and_a_line_are_found_and_noise_is_left():
    random = np.random.default_rng(0)
    X = random.uniform(0, 1, (600, 3))
    truth = np.sin(2 * np.pi * X[:, 0]) + 2 * X[:, 1]
    for criterion in ("gcv", "reml"):
        model = AdditiveRegressor(criterion=criterion, shrink=True).fit(X, truth + random.normal(0, 0.3, 600))
        assert np.sqrt(np.mean((model.predict(X) - truth) ** 2)) < 0.06
        sine, line, nothing = model.edf_
        assert sine > 4
        assert 0.9 < line < 3
        assert nothing < 1.5
        for term, centred in zip(model.terms_, (np.sin(2 * np.pi * X[:, 0]), 2 * X[:, 1]), strict=False):
            np.testing.assert_allclose(term(X[:, term.column]), centred - centred.mean(), atol=0.3)


@pytest.mark.parametrize("knots", ["quantile", "equal"])
def test_curves_go_on_straight_beyond_the_rows_without_a_jump_or_a_kink(knots):
    X, y, _, _ = made()
    model = AdditiveRegressor(knots=knots).fit(X[:, :1], y)
    ends = X[:, 0].min(), X[:, 0].max()
    for end, away in zip(ends, (-1.0, 1.0), strict=True):
        beyond = model.predict((end + away * np.array([0.0, 1.0, 2.0, 50.0]))[:, np.newaxis])
        slope = beyond[1] - beyond[0]
        np.testing.assert_allclose(beyond - beyond[0], slope * np.array([0, 1, 2, 50]), rtol=1e-9)
        near = model.predict((end + away * np.array([-1e-6, 0.0, 1e-6]))[:, np.newaxis])
        np.testing.assert_allclose(np.diff(near) / 1e-6, slope, rtol=1e-3, atol=1e-3)


def test_rows_that_say_the_same_several_times_ask_for_smoother_curves():
    X, y, is_one, _ = made(60)
    same, times = np.repeat(X, 5, axis=0), {"value": np.repeat(y, 5), "class": np.repeat(is_one, 5)}
    for task, once in (("value", y), ("class", is_one)):
        keywords = {"n_splines": 8, "criterion": "gcv"}
        kinds = {"covariates": ("a", "b", "soil"), "classes": ("soil",)}
        one = build_learner("additive_model", task, 0, {**keywords, "gamma": 1.0}, **kinds).fit(X, once)
        five = build_learner("additive_model", task, 0, {**keywords, "gamma": 5.0}, **kinds)
        five.fit(same, times[task])
        ask = "predict" if task == "value" else "predict_proba"
        np.testing.assert_allclose(getattr(five, ask)(X), getattr(one, ask)(X), atol=2e-3)
        penalties = [term.smoothing for term in five[-1].terms_]
        np.testing.assert_allclose(penalties[:2], [5 * t.smoothing for t in one[-1].terms_[:2]], rtol=0.2)


def test_effects_of_classes_are_drawn_towards_their_mean_and_strangers_have_none():
    random = np.random.default_rng(1)
    soil = np.repeat([1.0, 2.0, 3.0, 4.0], [100, 100, 100, 2])[:, np.newaxis]
    y = soil[:, 0] + random.normal(0, 0.5, len(soil))
    model = AdditiveRegressor(categorical_features=[0]).fit(soil, y)
    effects = dict(zip(model.terms_[0].codes, model.terms_[0].effects, strict=True))
    means = [y[soil[:, 0] == code].mean() for code in (1.0, 2.0, 3.0, 4.0)]
    predicted = model.predict([[1.0], [2.0], [3.0], [4.0]])
    np.testing.assert_allclose(predicted[:3], means[:3], atol=0.02)
    # Two rows are not taken at their word.
    assert 0.02 < means[3] - predicted[3] < 0.5
    assert sum(effects.values()) == pytest.approx(0, abs=1e-6)
    stranger, missing = model.predict([[9.0], [np.nan]])
    assert stranger == missing == pytest.approx(model.intercept_)


def test_columns_that_say_little_are_lines_or_nothing():
    X, y, is_one, _ = made()
    few = np.stack(
        [X[:, 0], np.full(120, 7.0), (X[:, 1] > 0.5) * 1.0, np.round(2 * X[:, 1]), X[:, 0]], axis=1
    )
    for model, target in ((AdditiveRegressor(), y), (AdditiveClassifier(), is_one)):
        kinds = [term.kind for term in model.fit(few, target).terms_]
        assert kinds == ["curve", "constant", "line", "line", "curve"]
        assert model.edf_[1] == 0
        # The same column twice shares one effect.
        alone = type(model)().fit(few[:, :4], target)
        np.testing.assert_allclose(model.predict(few), alone.predict(few[:, :4]), atol=0.02)


def test_classes_that_a_covariate_tells_apart_have_finite_odds():
    x = np.linspace(-1, 1, 60)[:, np.newaxis]
    model = AdditiveClassifier().fit(x, x[:, 0] > 0.1)
    assert np.abs(model.decision_function(x)).max() < 100
    assert model.score(x, x[:, 0] > 0.1) == 1.0


def test_several_classes_each_have_curves_and_share_the_probability():
    X, y, _, _ = made(300)
    classes = np.digitize(y, np.quantile(y, [0.33, 0.67]))
    model = AdditiveClassifier(n_splines=6, categorical_features=[2]).fit(X, classes)
    assert model.edf_.shape == (3, 3)
    assert len(model.terms_) == 3
    odds = model.decision_function(X)
    shares = 1 / (1 + np.exp(-odds))
    np.testing.assert_allclose(model.predict_proba(X), shares / shares.sum(axis=1, keepdims=True))
    for number in range(3):
        alone = AdditiveClassifier(n_splines=6, categorical_features=[2]).fit(X, classes == number)
        np.testing.assert_allclose(alone.decision_function(X), odds[:, number], rtol=1e-6, atol=1e-6)
    far = model.predict_proba([[1e4, -1e4, 0.0], [-1e4, 1e4, 9.0]])
    np.testing.assert_allclose(far.sum(axis=1), 1.0)


def test_missing_values_are_for_classes_only():
    X, y, _, _ = made()
    X[3, 2] = np.nan
    AdditiveRegressor(categorical_features=[2]).fit(X, y)
    X[3, 0] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        AdditiveRegressor(categorical_features=[2]).fit(X, y)
