"""Scores agree with scikit-learn, weights count as repeated rows, and the bootstrap draws whole groups."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from permagrid.validation.scores import (
    CLASS_METRICS,
    UNDEFINED,
    VALUE_METRICS,
    bootstrap_weights,
    class_scores,
    repeated_scores,
    value_scores,
    with_intervals,
)


def class_problem(n_classes, *, seed=0, n=200, ties=False):
    random = np.random.default_rng(seed)
    observed = random.integers(0, n_classes, n)
    probability = random.random((n, n_classes)) + 0.5 * np.eye(n_classes)[observed]
    probability /= probability.sum(axis=1, keepdims=True)
    if ties:
        # Votes of eight trees: many rows share a score.
        votes = np.stack([random.multinomial(8, row) for row in probability])
        probability = votes / 8
    return observed, probability.argmax(axis=1), probability


def by_scikit_learn(observed, predicted, probability, rows=None):
    rows = np.arange(len(observed)) if rows is None else rows
    y, p, q = observed[rows], predicted[rows], probability[rows]
    binary = probability.shape[1] == 2
    average = "binary" if binary else "macro"
    kinds = [1] if binary else range(probability.shape[1])
    classes = np.arange(probability.shape[1])
    return {
        "accuracy": metrics.accuracy_score(y, p),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, p),
        "precision": metrics.precision_score(y, p, average=average, zero_division=0),
        "recall": metrics.recall_score(y, p, average=average, zero_division=0),
        "f1": metrics.f1_score(y, p, average=average, zero_division=0),
        "kappa": metrics.cohen_kappa_score(y, p),
        "mcc": metrics.matthews_corrcoef(y, p),
        "roc_auc": np.mean([metrics.roc_auc_score(y == k, q[:, k]) for k in kinds]),
        "pr_auc": np.mean([metrics.average_precision_score(y == k, q[:, k]) for k in kinds]),
        "brier": metrics.brier_score_loss(y, q[:, 1])
        if binary
        else ((q - (y[:, None] == classes)) ** 2).sum(axis=1).mean(),
    }


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_class_scores_are_those_of_scikit_learn(n_classes, ties):
    observed, predicted, probability = class_problem(n_classes, ties=ties)
    found = class_scores(observed, predicted, probability)
    wanted = by_scikit_learn(observed, predicted, probability)
    assert set(found) == set(wanted) == set(CLASS_METRICS)
    for name, value in wanted.items():
        assert found[name].item() == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("n_classes", [2, 3])
def test_class_weights_count_as_repeated_rows(n_classes):
    observed, predicted, probability = class_problem(n_classes, ties=True)
    counts = np.random.default_rng(1).integers(0, 4, len(observed))
    found = class_scores(observed, predicted, probability, counts[None, :].astype(float))
    rows = np.repeat(np.arange(len(observed)), counts)
    for name, value in by_scikit_learn(observed, predicted, probability, rows).items():
        assert found[name].item() == pytest.approx(value, abs=1e-12), name


def test_macro_means_leave_out_only_classes_that_nobody_named():
    # Class 2 is predicted but not observed, class 3 neither.
    observed, predicted = np.array([0, 0, 1, 1, 1]), np.array([0, 2, 1, 1, 0])
    found = class_scores(observed, predicted, np.eye(4)[predicted])
    macro = {"average": "macro", "zero_division": 0}
    assert found["precision"].item() == pytest.approx(metrics.precision_score(observed, predicted, **macro))
    assert found["recall"].item() == pytest.approx(metrics.recall_score(observed, predicted, **macro))
    assert found["f1"].item() == pytest.approx(metrics.f1_score(observed, predicted, **macro))
    with warnings.catch_warnings():
        # It warns that class 2 is predicted only, which is what is tested.
        warnings.simplefilter("ignore")
        assert found["balanced_accuracy"].item() == metrics.balanced_accuracy_score(observed, predicted)


def test_a_draw_of_one_class_has_no_roc_and_no_kappa():
    observed, predicted = np.array([1, 1, 0]), np.array([1, 1, 0])
    probability = np.array([[0.2, 0.8], [0.3, 0.7], [0.9, 0.1]])
    drawn = class_scores(observed, predicted, probability, np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]))
    assert np.isnan(drawn["roc_auc"]).tolist() == [True, False]
    assert np.isnan(drawn["kappa"]).tolist() == [True, False]
    assert drawn["mcc"].tolist() == [0.0, 1.0]


def of_table(confusion):
    """Return observed and predicted classes of a table, rows observed."""
    size = len(confusion)
    observed, predicted = np.divmod(np.repeat(np.arange(size**2), np.ravel(confusion)), size)
    return observed, predicted


@pytest.mark.parametrize(
    ("confusion", "wanted"),
    [
        (
            # Agreement 35/50, by chance (25 x 30 + 25 x 20) / 50**2 = 0.5.
            [[20, 5], [10, 15]],
            {
                "accuracy": 0.7,
                "balanced_accuracy": (20 / 25 + 15 / 25) / 2,
                "precision": 15 / 20,
                "recall": 15 / 25,
                "f1": 2 / 3,
                "kappa": 0.4,
                "mcc": (15 * 20 - 5 * 10) / np.sqrt(20 * 25 * 25 * 30),
                "brier": 0.3,
            },
        ),
        (
            # Agreement 7/10, by chance (3 x 3 + 3 x 3 + 4 x 4) / 10**2 = 0.34.
            [[2, 1, 0], [0, 2, 1], [1, 0, 3]],
            {
                "accuracy": 0.7,
                "balanced_accuracy": (2 / 3 + 2 / 3 + 3 / 4) / 3,
                "precision": (2 / 3 + 2 / 3 + 3 / 4) / 3,
                "recall": (2 / 3 + 2 / 3 + 3 / 4) / 3,
                "f1": (2 / 3 + 2 / 3 + 3 / 4) / 3,
                "kappa": 0.36 / 0.66,
                "mcc": (7 * 10 - 34) / (100 - 34),
                "brier": 2 * 0.3,
            },
        ),
    ],
)
def test_scores_of_tables_worked_out_by_hand(confusion, wanted):
    observed, predicted = of_table(confusion)
    found = class_scores(observed, predicted, np.eye(len(confusion))[predicted])
    for name, value in wanted.items():
        assert found[name].item() == pytest.approx(value, abs=1e-12), name


def test_curves_worked_out_by_hand():
    observed, one = np.array([0, 0, 1, 1, 0]), np.array([0.1, 0.6, 0.4, 0.9, 0.4])
    found = class_scores(observed, (one > 0.5).astype(int), np.stack([1 - one, one], axis=1))
    # Of six pairs of presence and absence four are in order, one is level, one is not.
    assert found["roc_auc"].item() == pytest.approx(4.5 / 6)
    # Half of the hits at precision 1, the rest at 2 of 4.
    assert found["pr_auc"].item() == pytest.approx(0.5 * 1.0 + 0.5 * 2 / 4)
    assert found["brier"].item() == pytest.approx((0.01 + 0.36 + 0.36 + 0.01 + 0.16) / 5)


@pytest.mark.parametrize(
    ("observed", "predicted", "missing"),
    [
        ([1, 1, 1], [1, 1, 1], {"kappa", "roc_auc"}),
        ([1, 1, 1], [1, 0, 1], {"roc_auc"}),
        ([0, 0, 0], [0, 0, 0], {"kappa", "roc_auc", "pr_auc", "precision", "recall", "f1"}),
        ([0, 0, 0], [0, 1, 0], {"roc_auc", "pr_auc", "recall"}),
        ([0, 1, 0], [0, 0, 0], set()),
    ],
)
def test_folds_of_one_class_have_the_scores_that_can_be_told_and_reasons_for_the_others(
    observed, predicted, missing
):
    observed, predicted = np.array(observed), np.array(predicted)
    probability = 0.1 + 0.8 * np.eye(2)[predicted]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = class_scores(observed, predicted, probability)
    assert {name for name, value in found.items() if np.isnan(value).any()} == missing
    assert missing <= set(UNDEFINED)
    assert found["accuracy"].item() == np.mean(observed == predicted)
    assert found["brier"].item() == pytest.approx(np.mean((probability[:, 1] - observed) ** 2))
    if (observed == 1).all():
        # Whatever is ranked first is a presence.
        assert found["pr_auc"].item() == 1.0
        assert found["recall"].item() == np.mean(predicted)
    with warnings.catch_warnings():
        # Of one class it warns that there is nothing to tell.
        warnings.simplefilter("ignore")
        wanted = by_scikit_learn(observed, predicted, probability)
    told = set(CLASS_METRICS) - missing
    assert {name: found[name].item() for name in told} == pytest.approx({name: wanted[name] for name in told})


def test_three_classes_of_which_one_is_missing_have_all_scores_but_its_curves():
    observed, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    found = class_scores(observed, predicted, 0.1 + 0.7 * np.eye(3)[predicted])
    assert {name for name, value in found.items() if np.isnan(value).any()} == {"roc_auc", "pr_auc"}
    assert found["recall"].item() == pytest.approx((1 / 2 + 1) / 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.integers(2, 30))
def test_scores_lie_within_their_bounds_and_no_order_of_rows_changes_them(seed, n_classes, n):
    observed, predicted, probability = class_problem(n_classes, seed=seed, n=n, ties=True)
    found = class_scores(observed, predicted, probability)
    order = np.random.default_rng(seed).permutation(n)
    mixed = class_scores(observed[order], predicted[order], probability[order])
    for name, value in found.items():
        lowest = -1.0 if name in ("kappa", "mcc") else 0.0
        highest = 2.0 if name == "brier" else 1.0
        assert np.isnan(value).all() or lowest - 1e-12 <= value.item() <= highest + 1e-12
        assert mixed[name].item() == pytest.approx(value.item(), abs=1e-12, nan_ok=True)


def test_rounds_are_pooled_each_by_itself_and_then_averaged():
    observed, _, probability = class_problem(2, n=60)
    other = class_problem(2, seed=5, n=60)[2]
    other[:7] = np.nan
    found = repeated_scores(observed + 3.0, np.stack([probability, other]), np.array([3.0, 4.0]))
    one = class_scores(observed, probability.argmax(axis=1), probability)
    two = class_scores(observed[7:], other[7:].argmax(axis=1), other[7:])
    for name in CLASS_METRICS:
        assert found[name].item() == pytest.approx((one[name].item() + two[name].item()) / 2)


def test_value_scores_are_those_of_scikit_learn():
    random = np.random.default_rng(2)
    observed = random.normal(-5, 3, 300)
    predicted = observed + random.normal(0.4, 1, 300)
    counts = random.integers(0, 5, 300)
    found = value_scores(observed, predicted, np.stack([np.ones(300), counts]).astype(float))
    assert set(found) == set(VALUE_METRICS)
    for draw, times in enumerate((np.ones(300, dtype=int), counts)):
        y, p = np.repeat(observed, times), np.repeat(predicted, times)
        assert found["rmse"][draw] == pytest.approx(metrics.root_mean_squared_error(y, p))
        assert found["mae"][draw] == pytest.approx(metrics.mean_absolute_error(y, p))
        assert found["r2"][draw] == pytest.approx(metrics.r2_score(y, p))
        assert found["bias"][draw] == pytest.approx(np.mean(p - y))


def test_r2_keeps_its_digits_far_from_zero():
    observed = np.array([0.0, 1.0, 2.0, 5.0]) + 1e8
    predicted = observed + np.array([0.5, -0.5, 0.0, 0.25])
    r2 = metrics.r2_score(observed - 1e8, predicted - 1e8)
    assert value_scores(observed, predicted)["r2"].item() == pytest.approx(r2, abs=1e-9)


def test_value_scores_worked_out_by_hand():
    # Errors 1, -1, 2, 0; observed values 1, 2, 3, 6 with mean 3 and squares 4 + 1 + 0 + 9 about it.
    found = value_scores(np.array([1.0, 2.0, 3.0, 6.0]), np.array([2.0, 1.0, 5.0, 6.0]))
    assert found["rmse"].item() == pytest.approx(np.sqrt(6 / 4))
    assert found["mae"].item() == pytest.approx(1.0)
    assert found["bias"].item() == pytest.approx(0.5)
    assert found["r2"].item() == pytest.approx(1 - 6 / 14)


def test_r2_of_equal_values_is_not_a_number():
    observed = np.array([0.1, 0.1, 0.1, 7.3])
    weights = np.array([[1.0, 1.0, 1.0, 0.0]])
    found = value_scores(observed, observed + 0.1, weights)
    assert {name for name, value in found.items() if np.isnan(value).any()} == {"r2"}
    assert "r2" in UNDEFINED


def test_bootstrap_draws_whole_groups_and_as_many_as_there_are():
    groups = np.array([5, 5, 9, 9, 9, 2])
    weights = bootstrap_weights(groups, 500, seed=3)
    for group in (2, 5, 9):
        members = weights[:, groups == group]
        assert (members == members[:, :1]).all()
    first = [weights[:, groups == group][:, 0] for group in (2, 5, 9)]
    assert (np.sum(first, axis=0) == 3).all()
    assert np.mean(first) == pytest.approx(1.0, abs=0.1)
    assert (bootstrap_weights(groups, 500, seed=3) == weights).all()
    assert not (weights[:250] == weights[250:]).all()


def test_intervals_of_clustered_errors_are_wider_when_clusters_are_drawn_whole():
    random = np.random.default_rng(4)
    site = np.repeat(np.arange(40), 10)
    observed = random.normal(0, 3, 400)
    predicted = observed + random.normal(0, 1, 40)[site]

    def width(groups):
        found = with_intervals(lambda w: value_scores(observed, predicted, w), groups, draws=400, seed=0)
        assert found["bias_low"] < found["bias"] < found["bias_high"]
        return found["bias_high"] - found["bias_low"]

    assert width(site) > 2 * width(np.arange(400))


def test_interval_covers_the_truth_about_as_often_as_it_says():
    hits = 0
    for seed in range(60):
        error = np.random.default_rng(seed).normal(0.0, 1.0, 80)
        found = with_intervals(
            lambda w, error=error: value_scores(0 * error, error, w), np.arange(80), draws=300, seed=seed
        )
        hits += found["bias_low"] <= 0.0 <= found["bias_high"]
    assert hits >= 52
