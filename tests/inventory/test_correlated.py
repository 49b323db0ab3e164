"""Bounds of totals, and their standard deviation for errors that are alike by distance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permagrid.errors import PermagridError
from permagrid.inventory import effective_samples, implied_deviation, sigma_of_total
from permagrid.inventory.correlated import ErrorSums


def field(cells=40, step=0.25):
    """Return cells about 60 N whose sides are nearly alike, and one term for each."""
    lon, lat = np.meshgrid(100 + 2 * step * np.arange(cells), 60 + step * np.arange(cells) - cells * step / 2)
    return lon.ravel(), lat.ravel(), np.cos(np.radians(lat.ravel()))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_bounds_enclose_one_another_and_do_not_know_the_order(deviations, shuffle):
    first, second = ErrorSums([]), ErrorSums([])
    first.add(np.array(deviations), np.full(len(deviations), 2.0))
    shuffle.shuffle(deviations)
    for one in deviations:
        part = ErrorSums([])
        part.add(np.array([one]), np.array([2.0]))
        second.merge(part)
    assert (first.independent(), first.correlated()) == (second.independent(), second.correlated())
    assert first.independent() <= first.correlated() * (1 + 1e-12)


def test_bounds_by_region_leave_out_what_is_not_known():
    sums = ErrorSums(["a", "b"])
    sums.add(
        np.array([3.0, 4.0, 5.0, np.nan]),
        np.full(4, 2.0),
        presence=np.array([1.0, 1.0, 0.5, 1.0]),
        region=np.array([0, 0, 1, -1]),
    )
    assert (sums.independent("a"), sums.correlated("a")) == (10.0, 14.0)
    assert (sums.independent("b"), sums.correlated("b")) == (5.0, 5.0)
    assert (sums.correlated(), sums.correlated("elsewhere")) == (19.0, 0.0)


def test_samples_that_a_deviation_implies():
    terms = np.full(25, 3.0)
    sums = ErrorSums([])
    sums.add(terms, np.ones(25))
    assert effective_samples(sums.correlated(), sums.independent()) == pytest.approx(25.0)
    assert effective_samples(sums.correlated(), sums.correlated()) == 1.0
    assert effective_samples(1.0, 0.0) == np.inf
    assert np.isnan(effective_samples(0.0, 0.0))


def test_the_published_range_of_system_a_implies_one_to_six_samples():
    # Fault 18 of the published records: 54 600 km3 (47 800 to 62 300) from a map of 1 km whose 95 % interval
    # has a width, or a half-width, of 16.08 %.
    deviation = implied_deviation(47_800, 62_300)
    found, alone = [], []
    for area in (14.77e6, 22.79e6):
        for half in (8.04, 16.08):
            cell = 0.005 * half / 1.96 / 100
            found.append(effective_samples(area * cell, deviation))
            alone.append(1.96 * np.sqrt(area) * cell)
    assert min(found) == pytest.approx(0.7, abs=0.1)
    assert max(found) == pytest.approx(6.4, abs=0.1)
    assert max(alone) == pytest.approx(3.8, abs=0.1)


def test_a_short_range_agrees_with_the_integral_of_the_correlation():
    # Rolstad et al. (2009): cells within a spherical range r count as pi r2 / 5 of the area together.
    lon, lat, terms = field(60)
    reach = 150e3

    def spherical(apart):
        part = np.minimum(apart / reach, 1.0)
        return 1.0 - 1.5 * part + 0.5 * part**3

    found = sigma_of_total(lon, lat, terms, spherical)
    side = 2 * np.pi * 6_371_008.8 / 360 * 0.25
    area = 2 * side**2 * terms.sum()
    assert found.samples == pytest.approx(area / (np.pi * reach**2 / 5), rel=0.12)
    exact = sigma_of_total(lon, lat, terms, spherical, centres=len(terms), partners=len(terms))
    assert exact.standard_error == 0.0
    assert abs(found.deviation - exact.deviation) < 4 * found.standard_error
    assert found.standard_error < 0.05 * found.deviation


@pytest.mark.parametrize("draws", [30, 10_000])
def test_ends_are_the_bounds(draws):
    lon, lat, terms = field(20)
    alike = sigma_of_total(lon, lat, terms, np.ones_like, centres=draws, partners=draws)
    alone = sigma_of_total(lon, lat, terms, np.zeros_like, centres=draws, partners=draws)
    assert alike.deviation == pytest.approx(terms.sum(), rel=0.03 if draws == 30 else 1e-9)
    assert alone.deviation == pytest.approx(np.sqrt((terms**2).sum()), rel=1e-12)
    assert alone.samples == pytest.approx(terms.sum() ** 2 / (terms**2).sum())


def test_a_longer_range_is_never_surer():
    lon, lat, terms = field(30)
    found = [
        sigma_of_total(
            lon, lat, terms, lambda d, r=r: np.exp(-3 * d / r), centres=100, partners=300
        ).deviation
        for r in (1e4, 1e5, 3e5, 1e6, 1e7)
    ]
    assert np.diff(found).min() > 0


def test_nothing_to_sum_and_faults():
    none = sigma_of_total(np.zeros(2), np.zeros(2), np.zeros(2), np.ones_like)
    assert none.deviation == 0.0
    with pytest.raises(PermagridError, match="not negative"):
        sigma_of_total(np.zeros(1), np.zeros(1), np.array([-1.0]), np.ones_like)
    with pytest.raises(PermagridError, match="no place"):
        sigma_of_total(np.array([np.nan]), np.zeros(1), np.ones(1), np.ones_like)
    with pytest.raises(PermagridError, match="low to high"):
        implied_deviation(2, 1)
    with pytest.raises(PermagridError, match="negative"):
        ErrorSums([]).add(np.array([-1.0]), np.ones(1))
    with pytest.raises(PermagridError, match="of \\(2,\\) cells"):
        ErrorSums([]).add(np.ones((2, 2)), np.ones(2))
