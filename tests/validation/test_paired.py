"""Paired differences: none between twins, tests as often right as they say, a note where there is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from permagrid.errors import PermagridError
from permagrid.validation import Folds, Predicted, paired_differences
from permagrid.validation.folds import deal, of_labels
from permagrid.validation.paired import corrected_t, fold_losses, holm
from permagrid.validation.scores import CLASS_METRICS, VALUE_METRICS, class_scores, value_scores


def folds_of(n, n_folds=5, *, repeats=1, name="random", groups=None):
    pairs = tuple(pair for turn in range(repeats) for pair in of_labels(deal(n, n_folds, 0, turn)))
    groups = np.arange(n) if groups is None else groups
    return Folds(name, "shuffled and dealt", pairs, groups, spatial=False, repeats=repeats)


def values_of(n=120, *, repeats=1, seed=0):
    random = np.random.default_rng(seed)
    observed = random.normal(-4, 3, n)
    errors = {"good": 0.5, "fair": 1.0, "poor": 2.0}
    made = {name: observed + random.normal(0, size, (repeats, n)) for name, size in errors.items()}
    return observed, made


def under(scheme, made):
    return {(name, scheme.name): Predicted(values) for name, values in made.items()}


def test_differences_are_those_of_the_scores_and_point_the_right_way():
    observed, made = values_of()
    scheme = folds_of(120)
    found = paired_differences(observed, under(scheme, made), [scheme], "fair")
    assert list(found["learner"].unique()) == ["good", "poor"]
    assert set(found["metric"]) == set(VALUE_METRICS)
    table = found.set_index(["learner", "metric"])
    for name in ("good", "poor"):
        for metric, value in value_scores(observed, made[name][0]).items():
            row = table.loc[(name, metric)]
            assert row["score"] == pytest.approx(value.item())
            assert row["difference"] == pytest.approx(row["score"] - row["reference_score"])
            assert row["difference_low"] < row["difference"] < row["difference_high"]
    assert table.loc[("good", "rmse"), "difference_high"] < 0 < table.loc[("poor", "rmse"), "difference_low"]
    assert table.loc[("poor", "r2"), "difference_high"] < 0
    assert (table.xs("rmse", level="metric")["p"] < 0.05).all()


def test_a_learner_equal_to_the_reference_never_differs():
    observed, made = values_of()
    scheme = folds_of(120, repeats=1)
    raw = under(scheme, {"one": made["fair"], "twin": made["fair"].copy()})
    found = paired_differences(observed, raw, [scheme], "one")
    assert (found[["difference", "difference_low", "difference_high"]] == 0).all(axis=None)
    assert found.loc[found["metric"] == "rmse", "p"].tolist() == [1.0]


def test_the_same_draws_on_both_sides_make_the_interval_of_like_learners_narrow():
    observed, made = values_of(repeats=1)
    random = np.random.default_rng(1)
    near = made["poor"] + random.normal(0, 0.1, (1, 120))
    scheme = folds_of(120)
    found = paired_differences(observed, under(scheme, {"a": made["poor"], "b": near}), [scheme], "a")
    apart = paired_differences(observed, under(scheme, {"a": made["poor"], "b": made["fair"]}), [scheme], "a")

    def width(table):
        row = table[table["metric"] == "mae"].iloc[0]
        return row["difference_high"] - row["difference_low"]

    assert width(found) < 0.3 * width(apart)


def test_classes_are_told_by_their_metrics_and_tested_by_the_brier_score():
    random = np.random.default_rng(2)
    observed = random.integers(0, 3, 90).astype(float) + 1.0
    scheme = folds_of(90, repeats=2)

    def predicted(skill):
        raw = random.random((2, 90, 3)) + skill * np.eye(3)[observed.astype(int) - 1]
        return raw / raw.sum(axis=2, keepdims=True)

    made = {"sharp": predicted(2.0), "blunt": predicted(0.5)}
    classes = np.array([1.0, 2.0, 3.0])
    found = paired_differences(observed, under(scheme, made), [scheme], "blunt", classes=classes)
    assert found["metric"].tolist() == list(CLASS_METRICS)
    table = found.set_index("metric")
    assert table.loc["brier", "difference_high"] < 0 < table.loc["accuracy", "difference_low"]
    assert table["p"].notna().tolist() == [metric == "brier" for metric in CLASS_METRICS]
    each = [
        class_scores(observed.astype(int) - 1, turn.argmax(axis=1), turn)["brier"].item()
        for turn in made["sharp"]
    ]
    assert table.loc["brier", "score"] == pytest.approx(np.mean(each))
    # The mean over folds of one size is the mean over rows.
    losses = fold_losses(observed, made["sharp"], scheme, classes)
    assert losses.shape == (10,)
    assert losses.mean() == pytest.approx(np.mean(each))


def test_p_is_that_of_the_formula_written_out():
    observed, made = values_of(100, repeats=3)
    scheme = folds_of(100, 4, repeats=3)
    found = paired_differences(observed, under(scheme, made), [scheme], "fair", metrics=["rmse"])
    for _, row in found.iterrows():
        gaps = []
        for turn in range(3):
            for _, test in scheme.rounds[turn]:
                one, other = (made[name][turn][test] - observed[test] for name in (row["learner"], "fair"))
                gaps.append(np.mean(one**2) - np.mean(other**2))
        t = np.mean(gaps) / np.sqrt((1 / 12 + 25 / 75) * np.var(gaps, ddof=1))
        assert row["p"] == pytest.approx(2 * stats.t.cdf(-abs(t), df=11))
    # Without overlap of training sets the correction is gone: the paired t test of any textbook.
    plain = corrected_t(np.array(gaps), 0.0)
    assert plain == pytest.approx(stats.ttest_1samp(gaps, 0.0).pvalue)


def test_the_correction_keeps_the_error_that_plain_t_tests_of_repeated_folds_do_not():
    """Two learners that are equally good: half of the covariates each, all of them alike."""
    scheme = folds_of(60, 5, repeats=6)
    plain, corrected = [], []
    for world in range(150):
        random = np.random.default_rng(world)
        rows = random.normal(size=(60, 4))
        observed = rows.sum(axis=1) + random.normal(size=60)
        losses = []
        for columns in ((0, 1), (2, 3)):
            made = np.empty((6, 60))
            for turn, pairs in enumerate(scheme.rounds):
                for train, test in pairs:
                    seen = rows[:, columns]
                    slopes = np.linalg.lstsq(seen[train], observed[train], rcond=None)[0]
                    made[turn, test] = seen[test] @ slopes
            losses.append(fold_losses(observed, made, scheme))
        gaps = losses[0] - losses[1]
        plain.append(corrected_t(gaps, 0.0) < 0.05)
        corrected.append(corrected_t(gaps, 0.25) < 0.05)
    assert np.mean(plain) > 0.3
    assert np.mean(corrected) < 0.1


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.5: times 4, 3, 2, 1, never falling.
    assert holm([0.03, 0.01, 0.5, 0.02]).tolist() == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.randoms())
def test_holm_lies_between_each_p_and_bonferroni_in_any_order(p, shuffler):
    found = holm(p)
    assert (found >= np.array(p)).all()
    assert (found <= np.minimum(np.array(p) * len(p), 1.0)).all()
    order = list(range(len(p)))
    shuffler.shuffle(order)
    assert holm([p[index] for index in order]).tolist() == found[order].tolist()


def test_p_is_adjusted_for_the_learners_of_each_scheme():
    observed, made = values_of()
    one, other = folds_of(120, name="random"), folds_of(120, 3, name="site")
    raw = {**under(one, made), **under(other, {name: made[name] for name in ("fair", "poor")})}
    found = paired_differences(observed, raw, [one, other], "fair", metrics=["rmse"])
    table = found.set_index(["folds", "learner"])
    both = table.loc["random", "p"].to_numpy()
    assert table.loc["random", "p_holm"].tolist() == pytest.approx(holm(both).tolist())
    assert table.loc[("site", "poor"), "p_holm"] == table.loc[("site", "poor"), "p"]


def test_one_fold_has_an_interval_but_no_test():
    observed, made = values_of()
    train, test = np.arange(40, 120), np.arange(40)
    scheme = Folds("holdout", "a third", ((train, test),), np.arange(120))
    tested = {name: np.where(np.arange(120) < 40, values, np.nan) for name, values in made.items()}
    found = paired_differences(observed, under(scheme, tested), [scheme], "fair", metrics=["rmse", "mae"])
    assert found["p"].isna().all()
    assert found["difference_low"].notna().all()
    assert found["note"].tolist() == ["one fold does not tell how far folds differ", ""] * 2


def test_a_metric_that_cannot_be_told_says_why():
    train, test = np.arange(3, 12), np.arange(3)
    observed = np.array([1.0, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0])
    scheme = Folds("holdout", "three presences", ((train, test),), np.arange(12))
    made = {}
    for name, one in (("sure", 0.9), ("unsure", 0.6)):
        made[name] = np.full((1, 12, 2), np.nan)
        made[name][0, test] = [1 - one, one]
    found = paired_differences(
        observed, under(scheme, made), [scheme], "unsure", classes=np.array([0.0, 1.0])
    )
    notes = found.set_index("metric")["note"]
    assert notes["kappa"] == "all rows are observed and predicted to be of one class"
    assert notes["roc_auc"] == "rows of a class, or rows that are not of it, are missing"
    assert found.loc[found["difference"].notna() & (found["metric"] != "brier"), "note"].eq("").all()
    assert found.set_index("metric").loc["brier", "difference"] == pytest.approx(0.1**2 - 0.4**2)


def test_learners_that_were_tested_on_other_rows_are_not_compared():
    observed, made = values_of()
    scheme = folds_of(120)
    holes = made["poor"].copy()
    holes[0, :7] = np.nan
    found = paired_differences(observed, under(scheme, made | {"poor": holes}), [scheme], "fair")
    poor, good = (found[found["learner"] == name] for name in ("poor", "good"))
    assert poor[["difference", "difference_low", "p", "p_holm"]].isna().all(axis=None)
    assert (poor["note"] == "other rows were tested than those of the reference").all()
    assert poor["score"].notna().all()
    rmse = good[good["metric"] == "rmse"].iloc[0]
    assert rmse["p_holm"] == rmse["p"]


def test_intervals_of_rows_that_err_together_are_wider():
    random = np.random.default_rng(3)
    site = np.repeat(np.arange(30), 8)
    observed = random.normal(size=240)
    shift = random.normal(0, 1, 30)[site]
    made = {"a": (observed + shift)[np.newaxis], "b": (observed + random.normal(0, 1, 240))[np.newaxis]}

    def width(groups):
        scheme = folds_of(240, groups=groups)
        row = paired_differences(observed, under(scheme, made), [scheme], "b", metrics=["rmse"]).iloc[0]
        return row["difference_high"] - row["difference_low"]

    assert width(site) > 1.5 * width(np.arange(240))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_learners_changes_nothing(seed):
    observed, made = values_of(60, seed=seed)
    scheme = folds_of(60)
    plain, turned = (
        paired_differences(observed, under(scheme, each), [scheme], "fair", draws=50)
        .sort_values(["learner", "metric"])
        .reset_index(drop=True)
        for each in (made, dict(reversed(made.items())))
    )
    assert plain.equals(turned)


def test_a_reference_without_predictions_and_a_metric_that_is_none_are_refused():
    observed, made = values_of()
    scheme = folds_of(120)
    with pytest.raises(PermagridError, match="reference forest has no predictions under random folds"):
        paired_differences(observed, under(scheme, made), [scheme], "forest")
    with pytest.raises(PermagridError, match=r"unknown metric .rms. of a value: .*rmse"):
        paired_differences(observed, under(scheme, made), [scheme], "fair", metrics=["rms"])
