"""What groups of covariates bring, on problems where it is known."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from permagrid.validation import Candidate, group_gains, out_of_fold, site, without_groups
from permagrid.validation.scores import CLASS_METRICS, VALUE_METRICS


@pytest.fixture(scope="module")
def table():
    generator = np.random.default_rng(4)
    n = 240
    rows = pd.DataFrame({name: generator.normal(size=n) for name in ("air", "snow", "noise")})
    rows["value"] = 2.0 * rows["air"] + rows["snow"] + generator.normal(scale=0.3, size=n)
    rows["site_id"] = rows["site_group"] = np.arange(n) // 2
    rows["longitude"], rows["latitude"] = generator.uniform(0, 90, n), generator.uniform(60, 75, n)
    return rows


def gains_of(table, estimator, groups, task):
    seen = ("air", "snow", "noise")
    rest = {None: list(seen), **without_groups(seen, groups)}
    classes = np.unique(table["value"]) if task == "class" else None
    scheme = site(table, n_folds=4)

    def predicted(group, folds):
        return out_of_fold(Candidate.of(estimator, tuple(rest[group])), table, folds, classes=classes)

    names = [name for name in rest if name is not None]
    return group_gains(
        table["value"].to_numpy(float), names, [scheme], predicted, task=task, draws=200, seed=1
    )


def test_a_group_that_matters_lowers_the_error_and_noise_does_not(table):
    gains = gains_of(table, LinearRegression(), {"snow": ["snow"], "noise": ["noise"]}, "value")
    assert set(gains["metric"]) == set(VALUE_METRICS)
    rmse = gains[gains["metric"] == "rmse"].set_index("group")
    assert rmse.loc["snow", "change_high"] < -0.4
    assert rmse.loc["noise", "change_low"] < 0.02
    assert rmse.loc["noise", "change_high"] > -0.02
    np.testing.assert_allclose(rmse["with"] - rmse["without"], rmse["change"])
    assert rmse["with"].nunique() == 1
    assert rmse.loc["all of them", "change"] < rmse.loc["noise", "change"]


def test_classes_are_scored_by_their_own_metrics(table):
    presence = table.assign(value=(table["value"] > 0).astype(float))
    gains = gains_of(presence, LogisticRegression(), {"snow": ["snow"]}, "class")
    assert set(gains["metric"]) == set(CLASS_METRICS)
    found = gains.set_index("metric")["change"]
    assert found["accuracy"] > 0.02
    assert found["brier"] < -0.01


def test_nothing_changes_where_nothing_is_left_out(table):
    gains = gains_of(table, LinearRegression(), {"none": []}, "value")
    assert (gains[["change", "change_low", "change_high"]].abs().max() == 0).all()
