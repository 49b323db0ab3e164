"""What is kept of a copula's correction of its learner: as much as holds in parts it was not learned from."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permagrid.ensemble import CopulaMixture, fit_copula_mixture, keep_what_holds
from permagrid.ensemble.anchoring import anchored, shares_kept
from permagrid.errors import PermagridError


def clustered(seed: int, *, slope: float = 1.0, start: float = 0.0, apart: float = 1.0):
    """Return predictions of one learner, observations and clusters that share an error."""
    random = np.random.default_rng(seed)
    parts = np.repeat(np.arange(15), 20)
    truth = 40.0 + 8.0 * random.normal(size=15)[parts] + 5.0 * random.normal(size=300)
    said = truth + apart * random.normal(size=15)[parts] + random.normal(size=300)
    return (start + slope * said)[:, None], truth, parts


def test_a_learner_that_is_far_off_is_corrected_whole():
    predictions, observed, parts = clustered(1, slope=0.5, start=30.0)
    assert shares_kept(predictions, observed, np.ones(300), parts)[0] > 0.98


def test_of_a_learner_that_is_not_off_little_is_corrected():
    shares = [shares_kept(p, y, np.ones(300), g)[0] for p, y, g in (clustered(s, apart=4) for s in range(20))]
    assert np.median(shares) < 0.5


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 2.0), st.floats(-20.0, 20.0))
def test_shares_are_shares_and_do_not_depend_on_the_order_of_rows(seed, slope, start):
    predictions, observed, parts = clustered(seed, slope=slope, start=start)
    weights, order = np.ones(300), np.random.default_rng(seed).permutation(300)
    found = shares_kept(predictions, observed, weights, parts)
    assert 0.0 <= found[0] <= 1.0
    again = shares_kept(predictions[order], observed[order], weights, parts[order])
    np.testing.assert_allclose(again, found, atol=1e-9)


def test_one_part_alone_tells_nothing():
    predictions, observed, _ = clustered(2)
    assert shares_kept(predictions, observed, np.ones(300), np.zeros(300)).tolist() == [1.0]


def test_a_learner_that_always_says_the_same_does_no_harm():
    _, observed, parts = clustered(3)
    share = shares_kept(np.full((300, 1), 7.0), observed, np.ones(300), parts)[0]
    assert share == pytest.approx(1.0, abs=0.02)


@pytest.fixture(scope="module")
def fitted() -> CopulaMixture:
    predictions, observed, _ = clustered(4, slope=0.7, start=20.0)
    return fit_copula_mixture(predictions, observed, lower=0.0, upper=100.0)


@pytest.mark.parametrize("kept", [0.0, 0.25, 0.8])
def test_the_mean_lies_where_it_was_asked_for(fitted, kept):
    asked = np.linspace(35.0, 60.0, 60)[:, None]
    placed = replace(fitted, members=(anchored(fitted, 0, kept),))
    wanted = kept * fitted.mean(asked) + (1.0 - kept) * asked[:, 0]
    np.testing.assert_allclose(placed.mean(asked), wanted, atol=0.02)
    assert placed.describe()["learners"][0]["correction_kept"] == kept


def test_kept_whole_it_is_the_same_member(fitted):
    assert anchored(fitted, 0, 1.0) is fitted.members[0]


@pytest.mark.parametrize("kept", [0.0, 0.6])
def test_tables_and_what_is_stored_agree_with_it(fitted, kept):
    placed = replace(fitted, members=(anchored(fitted, 0, kept),))
    asked, levels = np.linspace(0.0, 100.0, 150)[:, None], [0.025, 0.5, 0.975]
    tables = placed.tables()
    spread = placed.marginal.ppf(np.array([0.84]))[0] - placed.marginal.ppf(np.array([0.5]))[0]
    assert np.abs(tables.quantiles(asked, levels) - placed.quantiles(asked, levels)).max() < 0.02 * spread
    assert np.abs(tables.mean(asked) - placed.mean(asked)).max() < 0.01 * spread
    again = CopulaMixture.of(placed.plain())
    np.testing.assert_array_equal(again.quantiles(asked, levels), placed.quantiles(asked, levels))


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_a_greater_prediction_never_means_less(fitted, kept):
    placed = replace(fitted, members=(anchored(fitted, 0, kept),))
    means = placed.mean(np.linspace(-50.0, 150.0, 400)[:, None])
    assert (np.diff(means) >= -1e-9).all()


def test_weights_are_learned_anew_and_lie_on_the_simplex():
    one, observed, parts = clustered(5, slope=0.6, start=10.0)
    other = clustered(6)[0]
    both = np.hstack([one, other])
    mixture = fit_copula_mixture(both, observed, lower=0.0, upper=100.0)
    kept = keep_what_holds(mixture, both, observed, parts)
    assert kept.weights.sum() == pytest.approx(1.0)
    assert (kept.weights >= 0.0).all()
    assert kept.copulas == mixture.copulas


def test_learners_with_many_ties_at_a_bound_are_left_as_they_are():
    predictions, observed, parts = clustered(7, slope=2.0, start=-75.0)
    predictions = np.maximum(predictions, 0.0)
    mixture = fit_copula_mixture(predictions, observed, lower=0.0, upper=100.0)
    assert mixture.members[0].marginal.atom_lower > 0.0
    assert keep_what_holds(mixture, predictions, observed, parts).members == mixture.members


def test_parts_must_be_as_many_as_rows(fitted):
    predictions, observed, parts = clustered(4, slope=0.7, start=20.0)
    with pytest.raises(PermagridError, match="there are 299 parts of 300 rows; needed is one each"):
        keep_what_holds(fitted, predictions, observed, parts[:-1])
