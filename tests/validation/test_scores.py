"""Scores agree with scikit-learn, weights count as repeated rows, and the bootstrap draws whole groups."""

import warnings

import numpy as np
import pytest
from sklearn import metrics

from permagrid.validation.scores import (
    CLASS_METRICS,
    VALUE_METRICS,
    bootstrap_weights,
    class_scores,
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


def test_r2_of_equal_values_is_not_a_number():
    observed = np.array([0.1, 0.1, 0.1, 7.3])
    weights = np.array([[1.0, 1.0, 1.0, 0.0]])
    assert np.isnan(value_scores(observed, observed + 0.1, weights)["r2"]).all()


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
