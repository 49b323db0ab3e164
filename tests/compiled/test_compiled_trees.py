"""Compiled trees say to the last bit what their estimators say, whatever cells lie beside a cell."""

import json
from concurrent.futures import ThreadPoolExecutor

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from permagrid.compiled import CompiledForest, compile_trees, patch_order
from permagrid.errors import PermagridError
from permagrid.learners import build_learner

QUIET = {"n_jobs": 1, "verbose": -1, "n_estimators": 30, "min_child_samples": 5}
FORESTS = {
    "classes": (RandomForestClassifier(20, random_state=0), 2),
    "three classes": (RandomForestClassifier(20, random_state=0), 3),
    "soft leaves": (RandomForestClassifier(20, min_samples_leaf=4, random_state=0), 3),
    "weighed classes": (ExtraTreesClassifier(20, class_weight="balanced", random_state=0), 4),
    "values": (RandomForestRegressor(20, random_state=0), 0),
    "values, extra trees": (ExtraTreesRegressor(20, random_state=0), 0),
    "boosted values": (lightgbm.LGBMRegressor(**QUIET), 0),
    "boosted classes": (lightgbm.LGBMClassifier(**QUIET), 2),
    "boosted, three classes": (lightgbm.LGBMClassifier(**QUIET), 3),
    "boosted absolute error": (lightgbm.LGBMRegressor(objective="mae", **QUIET), 0),
}


def field(shape: tuple[int, int], columns: int, seed: int = 0) -> np.ndarray:
    """Return covariates of a block that change slowly from cell to cell, row by row."""
    random = np.random.default_rng(seed)
    down, across = np.mgrid[: shape[0], : shape[1]] / 64.0
    waves = random.normal(0, 1.5, (3, columns, 4))
    angles = waves[0] * down[..., None, None] + waves[1] * across[..., None, None] + 9 * waves[2]
    noise = random.normal(0, 0.02, (*shape, columns))
    return (np.sin(angles).sum(axis=-1) + noise).reshape(-1, columns)


def targets(rows: np.ndarray, classes: int) -> np.ndarray:
    values = rows[:, 0] + np.sin(2 * rows[:, 1]) + np.random.default_rng(1).normal(0, 0.5, len(rows))
    if classes == 0:
        return values
    names = np.array(["a", "b", "c", "d"])
    return names[np.digitize(values, np.quantile(values, np.arange(1, classes) / classes))]


def said(estimator, rows: np.ndarray) -> np.ndarray:
    return np.asarray((getattr(estimator, "predict_proba", None) or estimator.predict)(rows))


@pytest.fixture(scope="module")
def block() -> np.ndarray:
    return field((90, 110), 6)


@pytest.fixture(scope="module", params=FORESTS)
def fitted(request, block):
    estimator, classes = FORESTS[request.param]
    rows = block[np.random.default_rng(2).choice(len(block), 300, replace=False)]
    return estimator.fit(rows, targets(rows, classes))


def test_they_say_what_the_estimator_says(fitted, block):
    compiled, expected = compile_trees(fitted), said(fitted, block)
    assert np.array_equal(compiled.predict(block, patch_order((90, 110))), expected)
    single = block.astype(np.float32)
    assert np.array_equal(compiled.predict(single), said(fitted, single))
    assert np.array_equal(compiled.predict(np.asfortranarray(single)), said(fitted, single))


def test_leaves_are_those_of_the_estimator(fitted, block):
    expected = fitted.apply(block) if hasattr(fitted, "apply") else fitted.predict(block, pred_leaf=True)
    assert np.array_equal(compile_trees(fitted).leaves(block, patch_order((90, 110))), expected)


def test_no_cell_depends_on_those_beside_it(fitted, block):
    compiled = compile_trees(fitted)
    expected = compiled.predict(block)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(block))
        assert np.array_equal(compiled.predict(block[order]), expected[order])
        assert np.array_equal(compiled.predict(block, order), expected)
    for size in (1, 63, 64, 65, 4095, 4096, 4097):
        assert np.array_equal(compiled.predict(block[:size]), expected[:size])
    with ThreadPoolExecutor(3) as threads:
        parts = list(threads.map(compiled.predict, np.array_split(block, 7)))
    assert np.array_equal(np.concatenate(parts), expected)


def test_rows_that_lack_a_value_get_none(fitted, block):
    compiled, rows = compile_trees(fitted), block.copy()
    lacking = np.random.default_rng(4).random(rows.shape) < 0.1
    rows[lacking] = np.nan
    found, expected = compiled.predict(rows), compiled.predict(block)
    missing = lacking.any(axis=1)
    assert np.isnan(found[missing]).all()
    assert np.array_equal(found[~missing], expected[~missing])
    leaves = compiled.leaves(rows)
    assert (leaves[missing] == -1).all()
    assert (leaves[~missing] >= 0).all()
    assert len(compiled.predict(rows[:0])) == 0
    assert np.isnan(compiled.predict(np.full((5, 6), np.nan))).all()


def test_they_are_kept_as_arrays_and_text(fitted, block, tmp_path):
    compiled = compile_trees(fitted)
    header, arrays = compiled.plain()
    np.savez(tmp_path / "trees.npz", **arrays)
    with np.load(tmp_path / "trees.npz", allow_pickle=False) as stored:
        back = CompiledForest.of(json.loads(json.dumps(header)), dict(stored))
    assert np.array_equal(back.predict(block), compiled.predict(block))
    assert back.nbytes == compiled.nbytes == sum(array.nbytes for array in arrays.values())


@pytest.mark.parametrize("name", ["nodes", "roots", "first", "leaves", "named", "columns"])
def test_arrays_that_do_not_fit_together_are_refused(name, block):
    grown = RandomForestClassifier(5, random_state=0).fit(block[::40], targets(block[::40], 2))
    header, arrays = compile_trees(grown).plain()
    spoilt = {**arrays, name: arrays[name][:-1]}
    with pytest.raises(PermagridError, match="compiled trees do not fit together"):
        CompiledForest.of(header, spoilt)
    del spoilt[name]
    with pytest.raises(PermagridError, match=f"compiled trees lack {name}"):
        CompiledForest.of(header, spoilt)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), column=st.integers(0, 3), value=st.integers(-5, 10**6))
def test_no_spoilt_node_leads_out_of_the_arrays(seed, column, value):
    random = np.random.default_rng(0)
    rows = random.normal(size=(40, 3))
    header, arrays = compile_trees(RandomForestRegressor(3, random_state=0).fit(rows, rows[:, 0])).plain()
    nodes = arrays["nodes"].copy()
    nodes[seed % len(nodes), column] = value
    try:
        spoilt = CompiledForest.of(header, {**arrays, "nodes": nodes})
    except PermagridError:
        return
    assert np.isfinite(spoilt.predict(random.normal(size=(200, 3)))).all()


@pytest.mark.parametrize("task", ["value", "class"])
@pytest.mark.parametrize("name", ["random_forest", "extra_trees", "lightgbm"])
def test_learners_of_the_table(name, task, block):
    rows = block[::30]
    learner = build_learner(name, task, 0, {"n_estimators": 12})
    learner.fit(rows, targets(rows, 0) if task == "value" else (targets(rows, 2) == "b").astype(int))
    compiled = compile_trees(learner)
    assert np.array_equal(compiled.predict(block), said(learner, block))


def test_a_booster_predicts_by_its_best_rounds(block):
    rows = block[::30]
    data = lightgbm.Dataset(rows, targets(rows, 0))
    settings = {"verbose": -1, "num_threads": 1, "learning_rate": 0.5}
    stopped = lightgbm.train(settings, data, 40)
    stopped.best_iteration = 7
    assert np.array_equal(compile_trees(stopped).predict(block), stopped.predict(block))


def test_more_thresholds_than_a_code_can_tell_apart():
    random = np.random.default_rng(0)
    rows = np.stack([random.uniform(size=9000), np.zeros(9000)], axis=1)
    grown = ExtraTreesRegressor(9, random_state=0, max_features=None).fit(rows, random.normal(size=9000))
    compiled = compile_trees(grown)
    assert len(compiled.forest.thresholds) > 65536
    asked = np.stack([random.uniform(size=6000), np.zeros(6000)], axis=1)
    assert np.array_equal(compiled.predict(asked), grown.predict(asked))
    assert np.array_equal(compiled.leaves(asked), grown.apply(asked))
    near = np.sort(asked[:, 0])[:4096, np.newaxis] / 100 * [[1, 0]]
    both = np.concatenate([asked, near])
    assert np.array_equal(compiled.predict(both), grown.predict(both))
    told = ExtraTreesClassifier(9, random_state=0, max_features=None).fit(rows, random.integers(0, 3, 9000))
    assert np.array_equal(compile_trees(told).predict(both), told.predict_proba(both))


def test_numbers_beyond_all_thresholds(block):
    grown = RandomForestRegressor(5, random_state=0).fit(block[::40], targets(block[::40], 0))
    compiled = compile_trees(grown)
    asked = np.array([[value] * 6 for value in (-3e38, -1e30, 0.0, -0.0, 1e30, 3e38)])
    assert np.array_equal(compiled.predict(asked), grown.predict(asked))
    infinite = compiled.predict(np.array([[-np.inf] * 6, [np.inf] * 6]))
    assert np.array_equal(infinite, grown.predict(asked)[[0, 5]])


def test_what_is_not_compiled_predicts_by_itself(block):
    rows, target = block[::40], targets(block[::40], 0)
    zero = lightgbm.LGBMRegressor(**QUIET, zero_as_missing=True)
    lines = lightgbm.LGBMRegressor(**QUIET, linear_tree=True)
    counts = lightgbm.LGBMRegressor(**QUIET, objective="poisson")
    averaged = lightgbm.LGBMRegressor(**QUIET, boosting_type="rf", bagging_freq=1, bagging_fraction=0.5)
    for model in (GradientBoostingRegressor(n_estimators=3), zero, lines, averaged):
        assert compile_trees(model.fit(rows, target)) is None
    assert compile_trees(counts.fit(rows, target - target.min())) is None
    two = RandomForestRegressor(3).fit(rows, np.stack([target, target], axis=1))
    assert compile_trees(two) is None


def test_rows_of_another_width_are_refused(block):
    compiled = compile_trees(RandomForestRegressor(3).fit(block[::40], targets(block[::40], 0)))
    with pytest.raises(PermagridError, match="6 columns are read; found an array of shape"):
        compiled.predict(block[:, :5])
    with pytest.raises(PermagridError, match="an order of 9900 rows"):
        compiled.predict(block, np.arange(3))
