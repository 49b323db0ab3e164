"""Change between epochs by paired members, trends of series, and false discoveries on maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import false_discovery_control, kendalltau, norm, theilslopes

from permagrid.errors import PermagridError
from permagrid.inventory import (
    MemberTotals,
    cell_change,
    change_records,
    false_discovery,
    mann_kendall,
    total_change,
)


def test_errors_that_both_epochs_share_fall_out():
    random = np.random.default_rng(2)
    before = 20.0 * random.normal(size=(50, 200))
    after = before + 1.0 + 0.2 * random.normal(size=before.shape)
    found = cell_change(before, after)
    np.testing.assert_allclose(found.mean, 1.0, atol=0.1)
    assert (found.low > 0).all()
    assert (found.increase > 0.99).all()
    # 200 members cannot tell a p below 2 in 201.
    assert found.p.min() == pytest.approx(2 / 201)
    unpaired = cell_change(before, after[:, ::-1])
    assert (unpaired.low < 0).all()


def test_cells_without_a_value_stay_so_and_equal_values_count_half():
    before = np.array([[1.0, 1.0], [np.nan, np.nan], [1.0, 2.0]])
    found = cell_change(before, np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 3.0]]))
    np.testing.assert_array_equal(found.increase, [0.5, np.nan, 0.75])
    np.testing.assert_array_equal(found.p, [1.0, np.nan, 1.0])


@settings(max_examples=30, deadline=None)
@given(arrays(float, (4, 9), elements=st.floats(-5, 5)), arrays(float, (4, 9), elements=st.floats(-5, 5)))
def test_time_turned_back_turns_the_change(before, after):
    there, back = cell_change(before, after), cell_change(after, before)
    np.testing.assert_allclose(there.mean, -back.mean, atol=1e-12)
    np.testing.assert_allclose(there.low, -back.high, atol=1e-12)
    np.testing.assert_allclose(there.increase, 1.0 - back.increase)
    np.testing.assert_array_equal(there.p, back.p)


def made_totals(values):
    totals = MemberTotals(["a"], 3)
    totals.add(values, np.full(len(values), 10.0), region=np.zeros(len(values), dtype=int))
    return totals


def test_records_of_change_pair_the_members():
    before, after = made_totals(np.array([[1.0, 5.0, 9.0]])), made_totals(np.array([[0.5, 4.0, 9.5]]))
    records = change_records(
        before, after, quantity="x", title="X", unit="km2", epochs=("2000-2004", "2010-2014")
    )
    assert [r["region"] for r in records] == ["all", "a"]
    assert (records[0]["mean"], records[0]["increase"]) == (pytest.approx(-10 / 3), pytest.approx(1 / 3))
    assert records[0]["share"] == pytest.approx(-1 / 15)
    with pytest.raises(PermagridError, match="same cells"):
        change_records(
            before,
            made_totals(np.array([[0.5, 4.0, 9.5], [0.5, 4.0, 9.5]])),
            quantity="x",
            title="X",
            unit="km2",
            epochs=("a", "b"),
        )


def test_epochs_that_do_not_pair_are_refused():
    with pytest.raises(PermagridError, match="same cells and members"):
        cell_change(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(PermagridError, match="same members"):
        total_change(np.ones(3), np.ones(4))


@settings(max_examples=30, deadline=None)
@given(arrays(float, 12, elements=st.integers(-4, 4).map(float)))
def test_tau_and_slope_are_those_of_scipy(series):
    times = np.array([0, 1, 2, 4, 5, 7, 8, 9, 12, 13, 15, 20.0])
    found = mann_kendall(series, times)
    assert found.slope[0] == pytest.approx(theilslopes(series, times).slope, abs=1e-12)
    # tau-a: ties of values count as no pair at all
    signs = np.sign(np.subtract.outer(series, series))[np.tril_indices(12, -1)]
    assert found.tau[0] == pytest.approx(signs.sum() / 66)
    assert 0.0 <= found.p[0] <= 1.0
    assert found.correction[0] >= 1.0


def test_p_without_correlation_is_that_of_the_normal_approximation():
    series = np.array([3.0, 1.0, 4.0, 1.5, 5.0, 9.0, 2.0, 6.0, 5.5, 3.5])
    found = mann_kendall(series, np.arange(10.0))
    score = kendalltau(np.arange(10), series).statistic * 45
    variance = 10 * 9 * 25 / 18
    assert found.correction[0] == 1.0
    assert found.p[0] == pytest.approx(2 * norm.sf((abs(score) - 1) / np.sqrt(variance)))


def test_series_that_hang_together_are_less_sure():
    random = np.random.default_rng(5)
    noise = random.normal(size=(60, 300))
    series = np.zeros_like(noise)
    for step in range(1, 60):
        series[step] = 0.7 * series[step - 1] + noise[step]
    found = mann_kendall(series[20:], np.arange(40.0))
    plain = 2 * norm.sf(norm.isf(found.p / 2) * np.sqrt(found.correction))
    assert (plain < 0.05).mean() > 0.2
    assert (found.p < 0.05).mean() < 0.8 * (plain < 0.05).mean()
    independent = mann_kendall(noise[20:], np.arange(40.0))
    assert (independent.p < 0.05).mean() < 0.09


def test_ties_take_from_the_variance():
    # Kendall (1975): n = 8 with groups of 3 and 2 equal values.
    series = np.array([1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 5.0])
    found = mann_kendall(series, np.arange(8.0))
    variance = (8 * 7 * 21 - 3 * 2 * 11 - 2 * 1 * 9) / 18
    assert found.p[0] == pytest.approx(2 * norm.sf((24 - 1) / np.sqrt(variance * found.correction[0])))


def test_few_epochs_have_no_trend_and_missing_values_no_p():
    with pytest.raises(PermagridError, match=r"5 values .* below 0.017 .* 8 are needed"):
        mann_kendall(np.arange(5.0), np.arange(5.0))
    with pytest.raises(PermagridError, match="times that rise"):
        mann_kendall(np.arange(8.0), np.zeros(8))
    series = np.stack([np.arange(8.0), np.arange(8.0)], axis=1)
    series[3, 1] = np.nan
    found = mann_kendall(series, np.arange(8.0))
    assert np.isnan(found.p[1])
    assert np.isnan(found.slope[1])
    assert found.slope[0] == 1.0
    flat = mann_kendall(np.ones(9), np.arange(9.0))
    assert (flat.p[0], flat.slope[0]) == (1.0, 0.0)


@settings(max_examples=50, deadline=None)
@given(arrays(float, st.integers(1, 40), elements=st.floats(0, 1)), st.sampled_from([0.05, 0.1, 0.2]))
def test_discoveries_are_those_of_adjusted_p_values(p, rate):
    found = false_discovery(p, rate)
    adjusted = false_discovery_control(p)
    clear = np.abs(adjusted - rate) > 1e-9
    np.testing.assert_array_equal(found.found[clear], (adjusted <= rate)[clear])
    assert not found.found[p > found.threshold].any()


def test_maps_keep_their_shape_and_chance_finds_little():
    random = np.random.default_rng(0)
    p = random.uniform(0, 1, (40, 50))
    p[0, 0] = np.nan
    found = false_discovery(p)
    assert found.found.shape == p.shape
    assert found.tested == 1999
    assert found.found.sum() <= 2 < (p < 0.05).sum()
    with pytest.raises(PermagridError, match="p values lie"):
        false_discovery(np.array([1.2]))
