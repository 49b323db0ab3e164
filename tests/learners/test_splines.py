"""B-splines: they sum to one, straight lines have no bends, and curves are what their coefficients say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.interpolate import BSpline

from permagrid.learners.splines import basis_of, curve_of

KNOTS = ["quantile", "equal"]
sets = st.lists(st.integers(-1000, 1000), min_size=4, max_size=60, unique=True)


@given(values=sets, size=st.integers(4, 15), knots=st.sampled_from(KNOTS))
def test_columns_are_shares_and_straight_lines_have_no_bends(values, size, knots):
    values = np.array(values) * 0.37
    basis = basis_of(values, size, knots)
    assert basis.size == min(size, len(values))
    columns = basis.columns(values)
    np.testing.assert_allclose(columns.sum(axis=1), 1.0)
    assert (columns >= 0).all()
    np.testing.assert_allclose(columns @ basis.centres, values, atol=1e-8)
    bends = basis.bends()
    assert bends.shape == (basis.size - 2, basis.size)
    scale = np.abs(bends).max()
    np.testing.assert_allclose(bends @ np.ones(basis.size) / scale, 0.0, atol=1e-9)
    straight = (basis.centres - basis.lower) / (basis.upper - basis.lower)
    np.testing.assert_allclose(bends @ straight / scale, 0.0, atol=1e-9)
    assert np.linalg.matrix_rank(bends) == basis.size - 2


def test_equal_knots_penalise_second_differences():
    basis = basis_of(np.linspace(2, 9, 50), 10, "equal")
    np.testing.assert_allclose(basis.bends(), np.diff(np.eye(10), 2, axis=0) * 7**1.5, atol=1e-9)


@pytest.mark.parametrize("knots", KNOTS)
def test_the_penalty_is_near_the_integral_of_squared_curvature(knots):
    values = np.linspace(0, 1, 80) ** 2 * 30
    basis = basis_of(values, 40, knots)
    # A smooth curve: its spline's coefficients are near its values at the centres.
    coefficients = np.sin(basis.centres / 10)
    integral = quad(lambda u: (9 * np.sin(3 * u)) ** 2, 0, 1)[0]
    assert ((basis.bends() @ coefficients) ** 2).sum() == pytest.approx(integral, rel=0.1)


@given(values=sets, size=st.integers(4, 12), knots=st.sampled_from(KNOTS), seed=st.integers(0, 99))
def test_a_curve_is_its_spline_within_and_straight_beyond(values, size, knots, seed):
    basis = basis_of(np.array(values, dtype=float), size, knots)
    coefficients = np.random.default_rng(seed).normal(0, 1, basis.size)
    curve, spline = curve_of(basis, coefficients), BSpline(basis.knots, coefficients, 3)
    inside = np.linspace(basis.lower, basis.upper, 57)
    np.testing.assert_allclose(curve(inside), spline(inside), atol=1e-6)
    slope = spline.derivative()
    width = basis.upper - basis.lower
    for end, away in ((basis.lower, -width), (basis.upper, width)):
        expected = spline(end) + away * slope(end)
        np.testing.assert_allclose(curve(np.array([end + away])), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("knots", KNOTS)
def test_three_values_make_no_curve_and_repeated_ones_move_no_knot(knots):
    assert basis_of(np.array([1.0, 2.0, 2.0, 3.0]), 10, knots) is None
    once, often = np.arange(20.0), np.repeat(np.arange(20.0), 5)
    np.testing.assert_array_equal(basis_of(once, 10, knots).knots, basis_of(often, 10, knots).knots)
