"""CRPS, PIT and tables of coverage: exact where a closed form is known, honest where little is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, norm

from permagrid.errors import PermagridError
from permagrid.validation.distribution_tables import coverage_table, crps_table, paired_crps, pit_histogram
from permagrid.validation.distributions import LEVELS, NOMINAL, central_intervals, crps, pit
from permagrid.validation.folds import Folds
from permagrid.validation.interval_evidence import (
    DI_BIN,
    conformal_intervals,
    conformal_table,
    index_bins,
    index_edges,
    interval_evidence,
)
from permagrid.validation.paired import corrected_t

N = 400


def normal(mean, sd):
    return np.asarray(mean)[:, np.newaxis] + np.asarray(sd)[:, np.newaxis] * norm.ppf(LEVELS)


def zero_inflated(rng, n):
    """Return observations of which three tenths are 0, and the quantiles of their distribution."""
    y = np.where(rng.uniform(size=n) < 0.3, 0.0, rng.exponential(10.0, n))
    quantiles = np.where(LEVELS <= 0.3, 0.0, -10.0 * np.log1p(-(np.maximum(LEVELS, 0.3) - 0.3) / 0.7))
    return y, np.broadcast_to(quantiles, (n, len(LEVELS)))


def halves(n=N, groups=None):
    first, last = np.arange(n // 2), np.arange(n // 2, n)
    groups = np.arange(n) if groups is None else groups
    return Folds("site", "two halves", ((last, first), (first, last)), groups)


def test_levels_hold_the_ends_of_the_usual_intervals():
    for level in (0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.995):
        assert np.abs(LEVELS - level).min() < 1e-12
    assert (np.diff(LEVELS) > 0).all()


def test_crps_of_normal_distributions_is_that_of_the_closed_form():
    rng = np.random.default_rng(0)
    mean, sd = rng.normal(0, 5, 5000), rng.uniform(0.1, 8, 5000)
    y = rng.normal(mean, sd)
    z = (y - mean) / sd
    closed = sd * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
    found = crps(normal(mean, sd), y)
    assert np.abs((found - closed) / sd).max() < 5e-4
    assert abs(found.mean() / closed.mean() - 1) < 1e-5


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.floats(0, 3), min_size=4, max_size=4),
    start=st.floats(-5, 5),
    value=st.floats(-10, 20),
)
def test_crps_is_the_integral_of_the_pinball_loss(steps, start, value):
    levels, quantiles = np.array([0.1, 0.3, 0.5, 0.9]), start + np.cumsum(steps)
    # The line through the two outermost quantiles goes on to levels 0 and 1.
    ends = [quantiles[0] - (quantiles[1] - quantiles[0]) / 2, quantiles[-1] + steps[-1] / 4]
    fine = (np.arange(100_000) + 0.5) / 100_000
    curve = np.interp(fine, [0.0, *levels, 1.0], [ends[0], *quantiles, ends[1]])
    pinball = np.where(value >= curve, fine * (value - curve), (1 - fine) * (curve - value))
    found = crps(quantiles[np.newaxis], np.array([value]), levels).item()
    assert found == pytest.approx(2 * pinball.mean(), abs=1e-4)


def test_crps_of_a_single_value_is_its_absolute_error():
    y = np.array([1.0, -4.0, 0.0])
    np.testing.assert_allclose(crps(np.zeros((3, len(LEVELS))), y), np.abs(y))


@given(factor=st.floats(0.01, 100), offset=st.floats(-100, 100))
def test_crps_has_the_unit_of_the_target(factor, offset):
    y = np.array([0.3, -2.0])
    quantiles = normal([0.0, 1.0], [1.0, 2.0])
    np.testing.assert_allclose(
        crps(factor * quantiles + offset, factor * y + offset), factor * crps(quantiles, y), atol=1e-9
    )


def test_quantiles_that_cross_are_put_in_order_and_missing_ones_are_missing():
    quantiles, y = normal([0.0, 0.0, 0.0], [1.0, 1.0, 1.0]), np.array([0.5, np.nan, 0.5])
    crossed = quantiles.copy()
    crossed[0] = crossed[0, ::-1]
    crossed[2, 7] = np.nan
    for score in (crps, pit):
        found = score(crossed, y)
        assert found[0] == score(quantiles, y)[0]
        assert np.isnan(found[1:]).all()


def test_pit_is_uniform_where_distributions_are_right_and_not_where_they_are_too_sure():
    rng = np.random.default_rng(1)
    mean = rng.normal(0, 3, 4000)
    y = rng.normal(mean, 2.0)
    assert kstest(pit(normal(mean, np.full(4000, 2.0)), y), "uniform").pvalue > 0.01
    assert kstest(pit(normal(mean, np.full(4000, 1.5)), y), "uniform").pvalue < 1e-6


def test_pit_is_uniform_though_much_of_the_distribution_is_one_value():
    y, quantiles = zero_inflated(np.random.default_rng(2), 4000)
    found = pit(quantiles, y, seed=5)
    assert kstest(found, "uniform").pvalue > 0.01
    assert found[y == 0.0].max() < 0.31
    assert found.tobytes() == pit(quantiles, y, seed=5).tobytes()
    assert found.tobytes() != pit(quantiles, y, seed=6).tobytes()


def test_pit_of_an_observation_on_a_quantile_is_its_level():
    levels, quantiles = np.array([0.25, 0.5, 0.75]), np.array([[1.0, 2.0, 4.0]] * 4)
    found = pit(quantiles, np.array([2.0, 3.0, 0.0, 9.0]), levels=levels)
    np.testing.assert_allclose(found[:2], [0.5, 0.625])
    assert 0.0 < found[2] < 0.25
    assert 0.75 < found[3] < 1.0


@pytest.mark.parametrize(
    ("quantiles", "levels", "said"),
    [
        (np.zeros((2, 3)), np.array([0.1, 0.5, 0.9]), "needed are 3 rows of 3 levels"),
        (np.zeros((3, 3)), np.array([0.5, 0.1, 0.9]), "rise"),
        (np.zeros((3, 3)), np.array([0.0, 0.1, 0.9]), "above 0"),
    ],
)
def test_shapes_and_levels_that_do_not_fit_are_refused(quantiles, levels, said):
    with pytest.raises(PermagridError, match=said):
        crps(quantiles, np.zeros(3), levels)


def test_an_interval_without_its_levels_is_refused():
    with pytest.raises(PermagridError, match=r"interval of 0\.123 needs quantiles at 0\.4385"):
        central_intervals(np.zeros((1, len(LEVELS))), [0.123])


def test_coverage_is_that_of_the_distribution_and_its_interval_is_wider_where_sites_err_together():
    rng = np.random.default_rng(3)
    sites = np.repeat(np.arange(80), 10)
    together = np.repeat(rng.normal(0, 1, 80), 10)
    quantiles = normal(np.zeros(800), np.ones(800))
    tables = {
        name: coverage_table(y, central_intervals(quantiles), sites, draws=300).set_index("level")
        for name, y in {"alone": rng.normal(0, 1, 800), "together": together}.items()
    }
    for table in tables.values():
        np.testing.assert_allclose(table["coverage"], NOMINAL, atol=0.11)
        np.testing.assert_allclose(table["width"], 2 * norm.ppf(0.5 + np.array(NOMINAL) / 2))
        assert ((table["low"] <= table["coverage"]) & (table["coverage"] <= table["high"])).all()
        assert (table["groups"] == 80).all()
    spread = {name: float(table.loc[0.8, "high"] - table.loc[0.8, "low"]) for name, table in tables.items()}
    assert spread["together"] > 2 * spread["alone"]


def test_coverage_by_part_counts_each_row_once_and_leaves_out_what_has_no_label():
    y, ends = np.array([0.0, 5.0, 0.5, 5.0]), {0.5: (np.full(4, -1.0), np.full(4, 1.0))}
    parts = {"region": ["east", "west", None, "west"], DI_BIN: np.array([1, 2, 10, 10])}
    table = coverage_table(y, ends, np.arange(4), parts, learner="ridge", folds="site")
    assert table[["by", "part", "n", "coverage"]].values.tolist() == [
        ["all", "all", 4, 0.5],
        ["region", "east", 1, 1.0],
        ["region", "west", 2, 0.0],
        [DI_BIN, "1", 1, 1.0],
        [DI_BIN, "2", 1, 0.0],
        [DI_BIN, "10", 2, 0.5],
    ]
    assert table["low"].isna().tolist() == [False, True, False, True, True, False]


def test_where_all_rows_are_inside_the_interval_still_tells_how_few_groups_there_are():
    ends = {0.9: (np.full(60, -1.0), np.full(60, 1.0))}
    for y, groups, low, high in (
        (np.zeros(60), np.arange(60), 0.025 ** (1 / 60), 1.0),
        (np.zeros(60), np.repeat([0, 1, 2], 20), 0.025 ** (1 / 3), 1.0),
        (np.full(60, 5.0), np.repeat([0, 1, 2], 20), 0.0, 1 - 0.025 ** (1 / 3)),
    ):
        row = coverage_table(y, ends, groups, draws=50).iloc[0]
        assert (row["low"], row["high"]) == pytest.approx((low, high))


def test_endless_intervals_are_counted_and_do_not_spoil_the_width():
    lower, upper = np.array([0.0, -np.inf, 0.0, np.nan]), np.array([2.0, np.inf, 4.0, 1.0])
    row = coverage_table(np.ones(4), {0.9: (lower, upper)}, np.arange(4), draws=20).iloc[0]
    assert (row["n"], row["width"], row["coverage"]) == (3, 3.0, 1.0)
    assert row["unbounded"] == pytest.approx(1 / 3)


def test_labels_for_other_rows_are_refused():
    with pytest.raises(PermagridError, match="region: 2 labels for 3 rows"):
        coverage_table(np.zeros(3), {0.5: (np.zeros(3), np.ones(3))}, np.arange(3), {"region": ["a", "b"]})


def test_crps_of_each_learner_and_part_is_the_mean_of_its_rows():
    losses = {"forest": np.array([1.0, 2.0, np.nan, 5.0]), "ridge": np.full(4, 3.0)}
    table = crps_table(losses, np.arange(4), {"region": list("aabb")}, draws=50)
    told = table.set_index(["learner", "part"])["crps"]
    assert told.to_dict() == {
        ("forest", "all"): pytest.approx(8 / 3),
        ("forest", "a"): 1.5,
        ("forest", "b"): 5.0,
        ("ridge", "all"): 3.0,
        ("ridge", "a"): 3.0,
        ("ridge", "b"): 3.0,
    }


def test_paired_crps_is_narrower_than_the_scores_and_points_to_the_better_one():
    rng = np.random.default_rng(4)
    hard = rng.exponential(2.0, N)
    losses = {"bma": hard, "forest": hard + rng.normal(0.2, 0.3, N), "same": hard}
    scheme = halves(groups=np.repeat(np.arange(N // 4), 4))
    table = paired_crps({k: v[np.newaxis] for k, v in losses.items()}, scheme, "bma").set_index("learner")
    forest = table.loc["forest"]
    assert 0.1 < forest["difference_low"] < forest["difference"] < forest["difference_high"] < 0.3
    assert forest["difference"] == pytest.approx(forest["crps"] - forest["reference_crps"])
    scores = crps_table(losses, scheme.groups).set_index("learner")
    assert forest["difference_high"] - forest["difference_low"] < 0.3 * (
        scores.loc["forest", "high"] - scores.loc["forest", "low"]
    )
    apart = losses["forest"] - hard
    p = corrected_t(np.array([apart[: N // 2].mean(), apart[N // 2 :].mean()]), 1.0)
    assert forest["p"] == pytest.approx(p)
    assert (forest["p_holm"], table.loc["same", "p_holm"]) == (pytest.approx(min(2 * p, 1.0)), 1.0)
    with pytest.raises(PermagridError, match="did you mean 'bma'"):
        paired_crps(losses, scheme, "bmx")


def test_histograms_are_flat_where_distributions_are_right():
    rng = np.random.default_rng(5)
    table = pit_histogram(rng.uniform(size=4000), np.arange(4000), bins=10, draws=200)
    assert (table["n"].sum(), table["density"].mean()) == (4000, pytest.approx(1.0))
    assert ((table["low"] < 1.0) & (table["high"] > 1.0)).sum() >= 8
    sure = pit_histogram(rng.beta(0.5, 0.5, 4000), np.arange(4000), bins=10, draws=200)
    assert sure["low"].iloc[[0, -1]].min() > 1.5
    assert pit_histogram(np.array([1.0, 0.0, np.nan]), np.arange(3), bins=4)["n"].tolist() == [1, 0, 0, 1]


def evidence(seed=0, repeats=1):
    rng = np.random.default_rng(seed)
    mean, index = rng.normal(0, 2, N), rng.uniform(0, 1, N)
    y = rng.normal(mean, 1 + 2 * (index > 0.6))
    first, last = np.arange(N // 2), np.arange(N // 2, N)
    pairs = ((last, first), (first, last)) * repeats
    scheme = Folds("site", "two halves", pairs, np.arange(N), repeats=repeats)
    quantiles = {
        ("good", "site"): np.stack([normal(mean, 1 + 2 * (index > 0.6))] * repeats),
        ("sure", "site"): np.stack([normal(mean, np.full(N, 0.5))] * repeats),
    }
    return y, quantiles, scheme, {"site": {DI_BIN: index_bins(index, index_edges(index, 0.6, bins=2))}}


def test_all_tables_at_once_tell_the_right_learner_from_the_one_that_is_too_sure():
    y, quantiles, scheme, parts = evidence()
    found = interval_evidence(y, quantiles, [scheme], reference="good", parts=parts, draws=200)
    coverage = found.coverage.query("by == 'all' and level == 0.9").set_index("learner")["coverage"]
    assert coverage["good"] == pytest.approx(0.9, abs=0.05)
    assert coverage["sure"] < 0.6
    assert set(found.coverage.query("by == 'di_bin'")["learner"]) == {"good"}
    assert found.crps.set_index("learner")["crps"].idxmin() == "good"
    assert (found.paired["difference_low"] > 0).all()
    plain = found.plain()
    assert {len(plain["pit"]), len(plain["coverage"])} == {40, 4 * (2 + 3)}
    assert all(
        isinstance(value, str | int | float | None) for row in plain["coverage"] for value in row.values()
    )


def test_a_second_round_of_the_same_changes_nothing_but_the_number_of_rows():
    one, two = (evidence(repeats=repeats) for repeats in (1, 2))
    tables = [interval_evidence(y, q, [s], reference="good", parts=p, draws=100) for y, q, s, p in (one, two)]
    for name in ("coverage", "crps", "paired"):
        first, second = (getattr(table, name).drop(columns="p", errors="ignore") for table in tables)
        assert (second["n"] == 2 * first["n"]).all()
        left = [c for c in first if c not in ("n", "p_holm")]
        pd.testing.assert_frame_equal(first[left], second[left])


def test_a_reference_without_quantiles_is_refused():
    y, quantiles, scheme, _ = evidence()
    with pytest.raises(PermagridError, match="reference bma has no quantiles under site folds"):
        interval_evidence(y, quantiles, [scheme], reference="bma")


def test_conformal_methods_side_by_side_mend_what_was_stated():
    y, quantiles, scheme, parts = evidence(seed=7)
    labels = parts["site"][DI_BIN]
    intervals = conformal_intervals(y, quantiles["sure", "site"], scheme, nominal=(0.8,), bins=labels)
    table = conformal_table(y, intervals, scheme, {DI_BIN: labels}, draws=100)
    whole = table[table["by"] == "all"].set_index("method")["coverage"]
    assert whole["stated"] < 0.5
    assert (abs(whole[["split", "cqr", "mondrian"]] - 0.8) < 0.05).all()
    far = table[table["part"] == "above 0.60"].set_index("method")["coverage"]
    assert far["cqr"] < 0.7
    assert far["mondrian"] == pytest.approx(0.8, abs=0.07)


def test_bins_of_the_index_hold_as_many_rows_each_and_what_is_beyond():
    index = np.append(np.linspace(0, 1, 90), [2.0, np.nan])
    labels = index_bins(index, index_edges(index, 1.0))
    assert pd.Series(labels[:-1]).value_counts().to_dict() == {
        "0.00 to 0.33": 30,
        "0.33 to 0.67": 30,
        "0.67 to 1.00": 30,
        "above 1.00": 1,
    }
    assert labels[-1] is None
    tied = index_edges(np.zeros(9), 0.5)
    assert index_bins(np.array([0.0, 0.4, 0.6]), tied).tolist() == ["0.00 to 0.50"] * 2 + ["above 0.50"]
    assert index_edges(np.array([np.nan, 3.0]), 0.5).tolist() == [0.0, 0.5]
