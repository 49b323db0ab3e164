"""Sums by rows are what they stand for, and the same bits for any rows beside them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.special import softmax as softmax_of_scipy

from permagrid.learners.row_wise import layer, logistic, radial_sums, shares, softmax, weighted_sum

numbers = st.lists(st.floats(-800, 800), min_size=2, max_size=30)


@given(numbers, st.integers(1, 5))
def test_softmax_and_logistic_are_those_of_scipy(values, columns):
    scores = np.resize(np.array(values), (len(values), columns))
    np.testing.assert_allclose(softmax(scores), softmax_of_scipy(scores, axis=1), atol=1e-14)
    np.testing.assert_allclose(logistic(np.array(values)), expit(values), atol=1e-15)


def test_shares_are_of_each_row():
    np.testing.assert_allclose(
        shares([np.array([1.0, 3.0]), np.array([1.0, 1.0])]), [[0.5, 0.5], [0.75, 0.25]]
    )


@pytest.mark.parametrize("kind", ["squared_exponential", "matern_3_2", "matern_5_2"])
def test_radial_sums_and_layers_are_those_of_matrices_row_by_row(kind):
    random = np.random.default_rng(0)
    rows, centres, weights = (
        random.normal(0, 1, (50, 4)),
        random.normal(0, 1, (23, 4)),
        random.normal(0, 1, (2, 23)),
    )
    distance = np.sqrt(((rows[:, np.newaxis] - centres) ** 2).sum(axis=2))
    function = {
        "squared_exponential": lambda r: np.exp(-(r**2) / 2),
        "matern_3_2": lambda r: (1 + 3**0.5 * r) * np.exp(-(3**0.5) * r),
        "matern_5_2": lambda r: (1 + 5**0.5 * r + 5 * r**2 / 3) * np.exp(-(5**0.5) * r),
    }[kind]
    found = radial_sums(rows, centres, weights, kind=kind)
    np.testing.assert_allclose(found, function(distance) @ weights.T, atol=1e-12)
    matrix, intercepts = random.normal(0, 1, (4, 7)), random.normal(0, 1, 7)
    np.testing.assert_allclose(layer(rows, matrix, intercepts), rows @ matrix + intercepts, atol=1e-12)
    np.testing.assert_allclose(weighted_sum(rows, matrix[:, 0]), rows @ matrix[:, 0], atol=1e-12)
    for size in (1, 3, 8, 49):
        parts = [rows[at : at + size] for at in range(0, 50, size)]
        assert (
            np.concatenate([radial_sums(p, centres, weights, kind=kind) for p in parts]).tobytes()
            == found.tobytes()
        )
        whole = layer(rows, matrix, intercepts).tobytes()
        assert np.concatenate([layer(part, matrix, intercepts) for part in parts]).tobytes() == whole
