"""The year as a sinusoid: integrals, hand-worked sums, and agreement with the climate covariates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from permagrid.covariates.climate.index_formulas import degree_days_of_sinusoid
from permagrid.physics import YEAR_DAYS, Wave, amplitude_of_quarters, degree_days

MEANS, SWINGS = st.floats(-40, 30), st.floats(0, 45)


@pytest.mark.parametrize(("mean", "swing"), [(-10, 25), (3, 8), (0, 12), (-5, 5.001), (7, 7), (-9, 4)])
def test_indices_are_integrals_over_the_year(mean, swing):
    def year(day):
        return mean + swing * np.cos(2 * np.pi * day / 365.0)

    crossing = 365.0 * np.arccos(np.clip(-mean / swing, -1, 1)) / (2 * np.pi)
    points = [crossing, 365.0 - crossing]
    thawing, _ = quad(lambda day: max(year(day), 0.0), 0, 365, points=points)
    freezing, _ = quad(lambda day: max(-year(day), 0.0), 0, 365, points=points)
    found = degree_days(Wave(mean, swing), days=365.0)
    assert found.thawing == pytest.approx(thawing, abs=1e-6)
    assert found.freezing == pytest.approx(freezing, abs=1e-6)


@given(MEANS, SWINGS)
def test_thawing_less_freezing_is_the_mean(mean, swing):
    freezing, thawing = degree_days(Wave(mean, swing))
    assert freezing >= 0
    assert thawing >= 0
    assert thawing - freezing == pytest.approx(mean * YEAR_DAYS, abs=1e-8)


@given(MEANS, SWINGS, st.floats(0, 10), st.floats(0, 10))
def test_a_warmer_year_thaws_more_and_a_wider_one_thaws_and_freezes_more(mean, swing, warmer, wider):
    first, warm, wide = (
        degree_days(Wave(*w)) for w in ((mean, swing), (mean + warmer, swing), (mean, swing + wider))
    )
    assert warm.thawing >= first.thawing - 1e-9
    assert warm.freezing <= first.freezing + 1e-9
    assert wide.thawing >= first.thawing - 1e-9
    assert wide.freezing >= first.freezing - 1e-9


@given(MEANS, SWINGS)
def test_climate_covariates_take_the_same_sinusoid(mean, swing):
    freezing, thawing = degree_days(Wave(mean, swing))
    assert freezing == pytest.approx(float(degree_days_of_sinusoid(mean, swing, sign=-1)), abs=1e-9)
    assert thawing == pytest.approx(float(degree_days_of_sinusoid(mean, swing, sign=1)), abs=1e-9)


def test_a_year_worked_by_hand():
    """Of a mean of 0 °C and an amplitude of pi, each half of the year has days times 1 degree days."""
    found = degree_days(Wave(0.0, np.pi), days=360.0)
    np.testing.assert_allclose(found, [360.0, 360.0])


def test_what_is_no_year_is_nan():
    found = degree_days(Wave([np.nan, 1.0, 1.0], [2.0, np.nan, -2.0]))
    assert np.isnan(found).all()


@given(MEANS, SWINGS)
def test_the_quarters_of_a_sinusoid_give_its_amplitude_back(mean, swing):
    quarter = np.linspace(-np.pi / 4, np.pi / 4, 20_001)
    share = np.trapezoid(np.cos(quarter), quarter) / (np.pi / 2)
    found = amplitude_of_quarters(mean + swing * share, mean - swing * share)
    assert found == pytest.approx(swing, abs=1e-6)
