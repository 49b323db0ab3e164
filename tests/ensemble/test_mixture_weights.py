"""Weights by EM: on the simplex, at the optimum, the same for like members, and bad densities are named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize

from permagrid.ensemble import em_weights
from permagrid.ensemble.weights import log_likelihood
from permagrid.errors import PermagridError


def densities(count: int, members: int, spread: float, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    observed = draw.normal(size=(count, 1))
    told = 0.8 * observed + spread * draw.normal(size=(count, members)) + 0.2 * np.arange(members) * spread
    return np.exp(-2.0 * (observed - told) ** 2)


def optimum(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, float]:
    """Return weights and log likelihood by sequential quadratic programming."""
    share = counts / counts.sum()
    found = minimize(
        lambda w: -float(share @ np.log(values @ w)),
        np.full(values.shape[1], 1.0 / values.shape[1]),
        jac=lambda w: -(share[:, None] * values / (values @ w)[:, None]).sum(axis=0),
        bounds=[(0.0, 1.0)] * values.shape[1],
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    return found.x, -found.fun * counts.sum()


@pytest.mark.parametrize(
    ("count", "members", "spread"),
    [(5, 4, 1.0), (60, 2, 1.0), (1178, 4, 1.0), (1178, 4, 0.05), (500, 8, 0.3)],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_weights_are_those_of_a_constrained_optimiser(count, members, spread, weighted):
    values = densities(count, members, spread)
    counts = np.random.default_rng(1).integers(0, 4, count) + (0.0 if count > 5 else 1.0)
    counts = counts if weighted else np.ones(count)
    weights = em_weights(values, row_weights=counts if weighted else None)
    best, highest = optimum(values, counts)
    assert log_likelihood(values, weights, row_weights=counts) >= highest - 1e-6
    np.testing.assert_allclose(weights, best, atol=2e-6)


@settings(max_examples=60, deadline=None)
@given(arrays(float, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=st.floats(0.0, 1e6)))
def test_weights_lie_on_the_simplex_and_no_other_weights_are_better(values):
    weights = em_weights(values)
    assert weights.min() >= 0.0
    assert weights.sum() == pytest.approx(1.0)
    told = values[values.max(axis=1) > 0.0]
    if len(told):
        told = told / told.max(axis=1, keepdims=True)
        mixed = told @ weights
        assert np.mean(told / mixed[:, None], axis=0).max() <= 1.0 + 1e-6


def test_members_alike_share_evenly_and_the_scale_of_rows_does_not_matter():
    values = densities(100, 3, 0.5)
    scales = np.exp(np.linspace(-300.0, 300.0, 100))[:, None]
    np.testing.assert_array_equal(em_weights(np.repeat(values[:, :1], 4, axis=1)), np.full(4, 0.25))
    np.testing.assert_allclose(em_weights(values * scales), em_weights(values), atol=1e-7)


def test_whole_weights_of_rows_are_repetitions():
    values, counts = densities(80, 3, 0.7), np.arange(80) % 3
    np.testing.assert_allclose(
        em_weights(values, row_weights=counts), em_weights(np.repeat(values, counts, axis=0)), atol=1e-6
    )


@pytest.mark.parametrize(
    ("values", "counts", "message"),
    [
        (np.ones((0, 2)), None, r"shape \(0, 2\)"),
        (np.ones(3), None, r"shape \(3,\)"),
        (np.array([[1.0, -1.0]]), None, "negative or not finite"),
        (np.array([[1.0, np.nan]]), None, "negative or not finite"),
        (np.ones((2, 2)), np.array([1.0, -1.0]), "2 finite numbers"),
        (np.ones((2, 2)), np.ones(3), "2 finite numbers"),
    ],
)
def test_bad_densities_are_refused(values, counts, message):
    with pytest.raises(PermagridError, match=message):
        em_weights(values, row_weights=counts)
