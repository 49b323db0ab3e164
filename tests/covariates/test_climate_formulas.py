"""Degree days of one year: hand-worked sums, integrals, and what holds for every year."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.stats import norm

from permagrid.covariates.climate.index_formulas import (
    MONTH_DAYS,
    degree_days,
    degree_days_of_sinusoid,
    degree_days_with_scatter,
    sinusoid_of_months,
)
from permagrid.errors import PermagridError

LENGTHS = np.array([31.0, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
TEMPERATURE = st.floats(-60, 40)
MONTHS = arrays(float, 12, elements=TEMPERATURE)
SPREAD = st.floats(0, 15)


def test_they_add_up_by_sign():
    monthly = np.array([[-10.0, 2.0], [5.0, np.nan]])
    np.testing.assert_array_equal(degree_days(monthly, [31.0, 28.0], sign=-1), [310.0, np.nan])
    np.testing.assert_array_equal(degree_days(monthly, [31.0, 28.0], sign=1), [140.0, np.nan])
    assert MONTH_DAYS.sum() == 365.25


def test_days_count_one_each():
    assert degree_days([-3.0, -0.5, 2.0], sign=-1) == 3.5
    assert degree_days([-3.0, -0.5, 2.0], sign=1) == 2.0


@given(MONTHS, SPREAD, TEMPERATURE, st.floats(0, 40))
def test_thawing_less_freezing_is_the_mean_times_the_days(months, spread, mean, amplitude):
    """Each day is on one side of zero, in every approximation."""
    total = float((months * LENGTHS).sum())
    for formula, expected in (
        (lambda sign: degree_days(months, LENGTHS, sign=sign), total),
        (lambda sign: degree_days_with_scatter(months, LENGTHS, spread, sign=sign), total),
        (lambda sign: degree_days_of_sinusoid(mean, amplitude, 365.0, sign=sign), mean * 365.0),
    ):
        thawing, freezing = float(formula(1)), float(formula(-1))
        assert thawing >= 0
        assert freezing >= 0
        assert thawing - freezing == pytest.approx(expected, abs=1e-7)


@given(MONTHS, SPREAD, SPREAD)
def test_more_scatter_never_makes_less(months, one, other):
    less, more = sorted((one, other))
    low, high = (degree_days_with_scatter(months, LENGTHS, spread, sign=1) for spread in (less, more))
    assert degree_days(months, LENGTHS, sign=1) <= low <= high + 1e-9


@given(arrays(float, (9, 12), elements=TEMPERATURE), st.sampled_from([-1, 1]))
def test_the_index_of_the_mean_climate_is_never_the_larger(years, sign):
    indices = [degree_days(year, LENGTHS, sign=sign) for year in years]
    assert degree_days(years.mean(axis=0), LENGTHS, sign=sign) <= np.mean(indices) + 1e-7


@pytest.mark.parametrize("spread", [0.5, 4.5, 12.0])
@pytest.mark.parametrize("mean", [-30.0, -4.0, 0.0, 1.5, 25.0])
@pytest.mark.parametrize("sign", [-1, 1])
def test_scatter_is_the_integral_over_the_normal_distribution(mean, spread, sign):
    integral, _ = quad(
        lambda t: max(sign * t, 0.0) * norm.pdf(t, mean, spread),
        mean - 12 * spread,
        mean + 12 * spread,
        points=[0.0, mean] if abs(mean) < 12 * spread else [mean],
        limit=200,
    )
    found = degree_days_with_scatter([mean], [30.0], spread, sign=sign)
    assert found == pytest.approx(30 * integral, rel=1e-7, abs=1e-9)


def test_scatter_may_differ_from_month_to_month():
    months, spread = np.linspace(-20, 15, 12), np.linspace(2, 9, 12)
    each = [
        degree_days_with_scatter([t], [d], s, sign=1) for t, d, s in zip(months, LENGTHS, spread, strict=True)
    ]
    assert degree_days_with_scatter(months, LENGTHS, spread, sign=1) == pytest.approx(sum(each))
    assert np.isnan(degree_days_with_scatter([np.nan], [30.0], 4.0, sign=1))


def test_scatter_far_from_zero_is_no_scatter():
    """Nothing is lost to rounding, nor does anything become negative."""
    frozen = np.array([-300.0, -60.0])
    assert degree_days_with_scatter(frozen, [30.0, 30.0], 1.0, sign=1) == 0.0
    assert degree_days_with_scatter(frozen, [30.0, 30.0], 1.0, sign=-1) == 30.0 * 360.0


@pytest.mark.parametrize(("mean", "amplitude"), [(-10, 25), (3, 8), (0, 12), (-5, 5.0001), (7, 7)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_sinusoid_is_the_integral_over_the_year(mean, amplitude, sign):
    days = (np.arange(400_000) + 0.5) / 400_000
    curve = mean + amplitude * np.cos(2 * np.pi * days)
    found = degree_days_of_sinusoid(mean, amplitude, 365.0, sign=sign)
    assert found == pytest.approx(365.0 * np.maximum(sign * curve, 0).mean(), abs=1e-4)


def test_a_year_that_never_crosses_zero_is_on_one_side():
    mean, amplitude = np.array([10.0, -10.0, 10.0, -10.0, 0.0]), np.array([4.0, 4.0, 10.0, 10.0, 0.0])
    np.testing.assert_allclose(
        degree_days_of_sinusoid(mean, amplitude, 100.0, sign=1), [1000, 0, 1000, 0, 0], atol=1e-9
    )
    np.testing.assert_allclose(
        degree_days_of_sinusoid(mean, amplitude, 100.0, sign=-1), [0, 1000, 0, 1000, 0], atol=1e-9
    )


def test_what_is_no_sinusoid_is_nodata():
    found = degree_days_of_sinusoid([np.nan, 1.0, 1.0], [2.0, np.nan, -2.0], sign=1)
    assert np.isnan(found).all()


@given(TEMPERATURE, st.floats(0, 40), st.floats(0, 2 * np.pi))
def test_the_months_of_a_sinusoid_give_it_back(mean, amplitude, phase):
    ends = 2 * np.pi * np.cumsum([0.0, *LENGTHS]) / LENGTHS.sum()
    months = mean + amplitude * np.diff(np.sin(ends - phase)) / np.diff(ends)
    found = sinusoid_of_months(months, LENGTHS)
    np.testing.assert_allclose(found, [mean, amplitude], atol=1e-9)


def test_the_sinusoid_keeps_the_mean_of_all_days():
    months = np.array([-20.0, -18, -10, -2, 4, 9, 12, 8, 3, -5, -12, -17])
    mean, amplitude = sinusoid_of_months(months, LENGTHS)
    assert mean == pytest.approx((months * LENGTHS).sum() / 365)
    assert 14 < amplitude < 16


@given(arrays(float, (12, 3, 2), elements=TEMPERATURE))
def test_the_last_digit_does_not_hang_on_the_shape(months):
    for formula in (
        lambda values: degree_days(values, LENGTHS, sign=-1),
        lambda values: degree_days_with_scatter(values, LENGTHS, 4.5, sign=-1),
        lambda values: degree_days_of_sinusoid(*sinusoid_of_months(values, LENGTHS), sign=-1),
    ):
        whole = formula(months)
        for row in range(3):
            for column in range(2):
                np.testing.assert_array_equal(whole[row, column], formula(months[:, row, column]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: degree_days_with_scatter([1.0], [30.0], -1.0, sign=1), "0 or more, found -1"),
        (lambda: degree_days_with_scatter([1.0], [30.0], np.nan, sign=1), "0 or more, found nan"),
        (lambda: degree_days([1.0, 2.0], [30.0], sign=1), "one number for each of 2 steps"),
        (lambda: degree_days(1.0, sign=1), "found a single temperature"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, message):
    with pytest.raises(PermagridError, match=message):
        wrong()
