"""The expected error rises with dissimilarity, is right where the truth is known, and is not extrapolated."""

import statistics
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsRegressor

from permagrid.errors import PermagridError
from permagrid.prediction.applicability import fit_applicability, threshold_of
from permagrid.prediction.error_model import HeldOut, fit_error_model


def growing(n=4000, seed=0, most=1.0):
    """Return rows whose error has a standard deviation of 0.5 + 2 di."""
    random = np.random.default_rng(seed)
    di = random.uniform(0, most, n)
    predicted = random.normal(0, 5, n)
    return HeldOut(predicted + random.normal(0, 0.5 + 2 * di), predicted, di)


def rising(values, weights=None):
    """Return the rising sequence nearest to some values, by pooling neighbours that fall."""
    blocks = []
    for value in values:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (one, n), (other, m) = blocks[-2:]
            blocks[-2:] = [[(one * n + other * m) / (n + m), n + m]]
    return [value for value, n in blocks for _ in range(n)]


def test_it_is_the_rising_sequence_nearest_to_windows_of_squared_errors():
    random = np.random.default_rng(5)
    di = np.sort(random.uniform(0, 1, 60))
    error = random.normal(0, 0.2 + di)
    model = fit_error_model([HeldOut(error, np.zeros(60), di)], window=12)
    parts = [slice(k, k + 12) for k in range(49)]
    centres = [statistics.fmean(di[part]) for part in parts]
    squares = rising([statistics.fmean(error[part] ** 2) for part in parts])
    np.testing.assert_allclose(model.expected_error(np.array(centres)), np.sqrt(squares), rtol=1e-12)
    np.testing.assert_allclose(model.windows[:, 0], centres, rtol=1e-12)
    np.testing.assert_allclose(model.windows[:, 1] ** 2, [statistics.fmean(error[p] ** 2) for p in parts])
    ends = model.expected_error(np.array([0.0, di[-1]]))
    np.testing.assert_allclose(ends, np.sqrt([squares[0], squares[-1]]), rtol=1e-12)
    assert (model.rows, model.reach) == (60, di[-1])


def test_a_known_growth_of_the_error_is_found():
    model = fit_error_model([growing()])
    at = np.linspace(0.1, 0.9, 9)
    np.testing.assert_allclose(model.expected_error(at), 0.5 + 2 * at, rtol=0.1)


def test_a_known_share_of_wrong_classes_is_found():
    random = np.random.default_rng(1)
    di = random.uniform(0, 1, 6000)
    wrong = random.random(6000) < 0.05 + 0.4 * di
    model = fit_error_model([HeldOut(wrong * 1.0, np.zeros(6000), di)], measure="misclassification")
    at = np.linspace(0.1, 0.9, 9)
    np.testing.assert_allclose(model.expected_error(at), 0.05 + 0.4 * at, atol=0.04)
    assert 0.0 <= model.errors.min() <= model.errors.max() <= 1.0


def test_by_density_the_error_falls():
    random = np.random.default_rng(2)
    density = random.integers(0, 40, 5000).astype(float)
    error = random.normal(0, 3 - density / 20)
    model = fit_error_model([HeldOut(error, np.zeros(5000), density)], by="density")
    at = np.array([3.0, 10.0, 20.0, 30.0, 36.0])
    np.testing.assert_allclose(model.expected_error(at), 3 - at / 20, rtol=0.1)
    assert (np.diff(model.expected_error(np.arange(1.0, 60.0))) <= 0).all()
    assert model.reach == 1.0
    assert np.isnan(model.expected_error(np.array([0.0]))).all()
    assert model.rows == (density > 0).sum()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(10, 120),
    measure=st.sampled_from(["rmse", "misclassification"]),
    by=st.sampled_from(["di", "density"]),
    coarse=st.booleans(),
)
def test_it_is_monotone_stays_within_what_was_seen_and_knows_no_order_of_rows(seed, n, measure, by, coarse):
    random = np.random.default_rng(seed)
    near = random.exponential(1, n)
    near = np.ceil(near * 3) if coarse or by == "density" else near
    tested = HeldOut(random.integers(0, 3, n) * 1.0, random.integers(0, 3, n) * 1.0, near)
    # What is left out leaves at least this many rows.
    window = min(5, int((near <= threshold_of(near)).sum()))
    model = fit_error_model([tested], measure=measure, by=by, window=window)
    at = np.sort(np.concatenate([random.uniform(0, near.max() * 1.2, 200), near]))
    error = model.expected_error(at)
    known = at <= model.reach if by == "di" else at >= model.reach
    assert (np.isfinite(error) == known).all()
    steps = np.diff(error[known])
    assert (steps >= 0).all() if by == "di" else (steps <= 0).all()
    assert model.windows[:, 1].min() - 1e-12 <= error[known].min()
    assert error[known].max() <= model.windows[:, 1].max() + 1e-12
    order = random.permutation(n)
    again = fit_error_model(
        [HeldOut(*(part[order] for part in tested))], measure=measure, by=by, window=window
    )
    assert again.expected_error(at).tobytes() == error.tobytes()
    alone = np.concatenate([model.expected_error(at[k : k + 1]) for k in range(0, len(at), 7)])
    assert alone.tobytes() == error[::7].tobytes()


def test_rows_as_near_as_each_other_have_no_order_of_their_own():
    error = np.tile([0.0, 4.0], 50)
    model = fit_error_model([HeldOut(error, np.zeros(100), np.full(100, 0.5))])
    np.testing.assert_allclose(model.expected_error(np.array([0.0, 0.4, 0.5])), np.sqrt(8.0), rtol=1e-12)
    assert np.isnan(model.expected_error(np.array([0.6]))).all()


def test_no_window_takes_the_better_ones_of_rows_as_near_as_each_other():
    error, di = np.tile([0.0, 4.0], 40), np.repeat([0.2, 0.4, 0.5, 0.6], 20)
    model = fit_error_model([HeldOut(error, np.zeros(80), di)])
    np.testing.assert_allclose(model.windows[:, 1], np.sqrt(8.0), rtol=1e-12)
    np.testing.assert_allclose(model.expected_error(di), np.sqrt(8.0), rtol=1e-12)


def test_folds_that_are_further_apart_reach_further():
    near, far = growing(600, 1, most=0.3), growing(600, 2, most=1.2)
    alone, together = fit_error_model([near]), fit_error_model([near, far])
    assert alone.reach == threshold_of(near.nearness) < 0.31
    assert together.reach == threshold_of(far.nearness) > 1.1
    assert np.isnan(alone.expected_error(np.array([0.9]))).all()
    assert together.expected_error(np.array([0.9]))[0] == pytest.approx(2.3, rel=0.2)
    assert together.rows == 1200


def test_the_few_rows_that_lie_apart_say_nothing():
    tested = growing(500)
    outliers = HeldOut(np.full(3, 1e6), np.zeros(3), np.array([20.0, 30.0, 50.0]))
    model = fit_error_model([HeldOut(*(np.concatenate(pair) for pair in zip(tested, outliers, strict=True)))])
    assert model.rows == 500
    assert model.reach < 2.0
    assert model.errors.max() < 4.0


def test_rows_that_were_not_tested_are_left_out():
    tested = growing(300)
    gaps = HeldOut(*(np.append(part, [np.nan, 1.0]) for part in tested))
    gaps.predicted[-1] = np.nan
    first, again = fit_error_model([tested]), fit_error_model([gaps])
    assert again.rows == first.rows
    assert (again.errors == first.errors).all()


def test_the_error_of_a_map_is_foretold():
    """A learner of clustered points, its map, and the truth: the error of each range of dissimilarity."""
    random, noise = np.random.default_rng(4), 0.2
    centres = random.uniform(-2, 2, (30, 2))
    member = np.repeat(np.arange(30), 12)
    rows = centres[member] + random.normal(0, 0.15, (360, 2))
    cells = random.uniform(-2, 2, (4000, 2))

    def truth(x):
        return 3 * np.sin(2 * x[:, 0]) + 2 * np.cos(3 * x[:, 1])

    value = truth(rows) + random.normal(0, noise, 360)
    pairs = [(np.flatnonzero(member % 10 != k), np.flatnonzero(member % 10 == k)) for k in range(10)]
    applicability = fit_applicability(rows, None, pairs, covariates=["cold", "wet"])
    predicted = np.empty(360)
    for train, test in pairs:
        learner = KNeighborsRegressor(3).fit(rows[train], value[train])
        predicted[test] = learner.predict(rows[test])
    model = fit_error_model([HeldOut(value, predicted, applicability.training.di)])
    error = KNeighborsRegressor(3).fit(rows, value).predict(cells) - truth(cells)
    di = applicability.di(cells)
    expected = model.expected_error(di)
    inside = applicability.inside(cells)
    assert (np.isfinite(expected) == inside).all()
    assert inside.mean() > 0.9
    thirds = np.quantile(di[inside], [0.0, 1 / 3, 2 / 3, 1.0])
    found: list[float] = []
    for low, high in pairwise(thirds):
        part = inside & (di >= low) & (di <= high)
        # What is foretold is the error at an observation, with what is wrong with the observation.
        found.append(np.sqrt(np.mean(error[part] ** 2) + noise**2))
        assert np.sqrt(np.mean(expected[part] ** 2)) == pytest.approx(found[-1], rel=0.35)
    assert found[2] > 2 * found[0]


@pytest.mark.parametrize(
    ("tested", "keywords", "message"),
    [
        ([], {}, "0 tested rows are fewer than a window of 10"),
        ([growing(9)], {}, "9 tested rows are fewer than a window of 10"),
        ([growing(50)], {"window": 51}, "fewer than a window of 51"),
        ([growing(50)], {"window": 0}, "window must be 1 or more rows, found 0"),
        ([growing(50)._replace(predicted=np.zeros(49))], {}, "50 observed, 49 predicted values and 50"),
        ([growing(50)._replace(nearness=np.zeros(50))], {"by": "density"}, "0 tested rows"),
    ],
)
def test_bad_input_is_named(tested, keywords, message):
    with pytest.raises(PermagridError, match=message):
        fit_error_model(tested, **keywords)
