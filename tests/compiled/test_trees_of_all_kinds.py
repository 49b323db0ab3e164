"""Forests and boosted trees of any depth, weights and ties, asked at their thresholds and beside them."""

import lightgbm
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from permagrid.compiled import compile_trees

QUIET = {"n_jobs": 1, "verbose": -1, "n_estimators": 8, "min_child_samples": 5}


def said(estimator, rows: np.ndarray) -> np.ndarray:
    return np.asarray((getattr(estimator, "predict_proba", None) or estimator.predict)(rows))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    classes=st.integers(0, 5),
    depth=st.one_of(st.none(), st.integers(1, 6)),
    leaf=st.integers(1, 5),
    levels=st.sampled_from([2, 5, 50, 0]),
    weighed=st.booleans(),
    extra=st.booleans(),
)
def test_forests_of_all_kinds(seed, classes, depth, leaf, levels, weighed, extra):
    random = np.random.default_rng(seed)
    rows = random.normal(0, 10.0 ** random.integers(-3, 4), (80, 3))
    if levels:
        rows = np.floor(rows / np.abs(rows).max() * levels)
    kinds = (
        (ExtraTreesClassifier, ExtraTreesRegressor)
        if extra
        else (RandomForestClassifier, RandomForestRegressor)
    )
    model = kinds[classes == 0](4, max_depth=depth, min_samples_leaf=leaf, random_state=seed % 2**31)
    target = random.integers(0, classes, len(rows)) if classes else random.normal(size=len(rows))
    model.fit(rows, target, random.uniform(0, 2, len(rows)) if weighed else None)
    asked = at_thresholds([(tree.tree_.feature, tree.tree_.threshold) for tree in model.estimators_], rows)
    assert np.array_equal(compile_trees(model).predict(asked), said(model, asked))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    classes=st.sampled_from([0, 2, 3]),
    leaves=st.integers(2, 31),
    levels=st.sampled_from([2, 5, 50, 0]),
)
def test_boosted_trees_of_all_kinds(seed, classes, leaves, levels):
    random = np.random.default_rng(seed)
    rows = random.normal(0, 10.0 ** random.integers(-3, 4), (80, 3))
    if levels:
        rows = np.floor(rows / np.abs(rows).max() * levels)
    target = np.arange(len(rows)) % classes if classes else random.normal(size=len(rows))
    kind = lightgbm.LGBMClassifier if classes else lightgbm.LGBMRegressor
    model = kind(**QUIET, num_leaves=leaves).fit(rows, target)
    table = model.booster_.trees_to_dataframe().dropna(subset="threshold")
    places = table["split_feature"].str.removeprefix("Column_").to_numpy(int)
    asked = at_thresholds([(places, table["threshold"].to_numpy(float))], rows)
    assert np.array_equal(compile_trees(model).predict(asked), said(model, asked))


def at_thresholds(pairs, rows: np.ndarray) -> np.ndarray:
    """Return rows with values at thresholds, just below and above them, in single and double precision."""
    found = [rows]
    for features, thresholds in pairs:
        own = features >= 0
        for towards in (-np.inf, np.inf):
            for kind in (np.float32, np.float64):
                near = rows[np.arange(own.sum()) % len(rows)].copy()
                near[np.arange(own.sum()), features[own]] = np.nextafter(
                    thresholds[own].astype(kind), kind(towards)
                )
                same = near.copy()
                same[np.arange(own.sum()), features[own]] = thresholds[own].astype(kind)
                found += [near, same]
    return np.concatenate(found)
