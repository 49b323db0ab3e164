"""Compiled support vectors, additive models and encoded trees say what their learners say, in any order."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC, SVR

from permagrid.compiled import (
    CompiledAdditive,
    CompiledForest,
    CompiledSupportVectors,
    EncodedTrees,
    compile_estimator,
    compiled_of,
    plain,
)
from permagrid.compiled.columns import NONE_OF
from permagrid.errors import PermagridError
from permagrid.learners import build_learner

NAMES = ("air", "snow", "soil", "slope", "ndvi", "water")
SUMS = 1e-10
"""Of the target's standard deviation, or of a probability: by which support vectors may differ."""
CASES = {
    ("support_vectors", "value", 0): (CompiledSupportVectors, SUMS),
    ("support_vectors", "class", 2): (CompiledSupportVectors, SUMS),
    ("support_vectors", "class", 4): (CompiledSupportVectors, SUMS),
    ("additive_model", "value", 0): (CompiledAdditive, 0.0),
    ("additive_model", "class", 2): (CompiledAdditive, 1e-15),
    ("additive_model", "class", 3): (CompiledAdditive, 1e-15),
    ("random_forest", "value", 0): (CompiledForest, 0.0),
    ("random_forest", "class", 3): (CompiledForest, 0.0),
    ("lightgbm", "value", 0): (CompiledForest, 0.0),
    ("lightgbm", "class", 2): (CompiledForest, 0.0),
    ("lightgbm", "class", 3): (CompiledForest, 1e-15),
}
KEYWORDS = {
    "support_vectors": {"C": 10.0, "gamma": 0.03},
    "random_forest": {"n_estimators": 10},
    "lightgbm": {"n_estimators": 12},
}


def covariates(count: int, seed: int) -> np.ndarray:
    """Return covariates, the third of which holds class codes."""
    random = np.random.default_rng(seed)
    rows = random.normal(0, 1, (count, len(NAMES))) * [8.0, 0.3, 1.0, 20.0, 0.1, 1.0] + [
        -5,
        0.4,
        0,
        30,
        0.3,
        0,
    ]
    rows[:, 2] = random.choice([3.0, 7.0, 12.0], count)
    rows[:, 5] = rows[:, 5] > 0
    return rows


def learned(name: str, task: str, classes: int, *, encoded: bool = True):
    rows = covariates(240, 0)
    values = rows[:, 0] + 9 * np.sin(6 * rows[:, 1]) + 4 * (rows[:, 2] == 7)
    values += np.random.default_rng(1).normal(0, 2, len(rows))
    if classes:
        values = np.digitize(values, np.quantile(values, np.arange(1, classes) / classes))
    keywords, kept = KEYWORDS.get(name, {}), ("soil",) if encoded else ()
    return build_learner(name, task, 0, keywords, covariates=NAMES, classes=kept).fit(rows, values)


def said(estimator, task: str, rows: np.ndarray) -> np.ndarray:
    return np.asarray(estimator.predict_proba(rows) if task == "class" else estimator.predict(rows))


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(map(str, case)))
def case(request):
    return request.param, learned(*request.param)


def asked() -> np.ndarray:
    """Return rows like the training rows, far beyond them, and with a class that none of them had."""
    rows = covariates(700, 5)
    rows[:100, 0] *= 30.0
    rows[100:200, 2] = 99.0
    rows[200:203] = [[1e9, 0.4, 3, 0, 0, 0], [-5, -1e7, 7, 0, 0, 1], [0, 0, 12, 0, 0, 0]]
    return rows


def test_they_say_what_the_learner_says(case):
    (name, task, classes), estimator = case
    kind, apart = CASES[name, task, classes]
    compiled, rows = compile_estimator(estimator, task), asked()
    assert isinstance(compiled, EncodedTrees if kind is CompiledForest else kind)
    spread = 10.0 if task == "value" else 1.0
    expected = said(estimator, task, rows)
    assert np.abs(compiled.predict(rows) - expected).max() <= apart * spread
    single = rows.astype(np.float32)
    expected = said(estimator, task, single.astype(float))
    assert np.abs(compiled.predict(single) - expected).max() <= apart * spread


def test_a_row_says_the_same_bits_anywhere(case):
    (_, task, _), estimator = case
    compiled, rows = compile_estimator(estimator, task), asked()
    whole = compiled.predict(rows)
    order = np.random.default_rng(3).permutation(len(rows))
    assert np.array_equal(compiled.predict(rows, order), whole)
    assert np.array_equal(compiled.predict(rows[order]), whole[order])
    assert np.array_equal(compiled.predict(np.asfortranarray(rows)), whole)
    parts = [slice(at, at + 37) for at in range(0, len(rows), 37)]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda part: compiled.predict(rows[part]), parts))
    assert np.array_equal(np.concatenate(found), whole)


def test_rows_that_lack_a_value_get_none_and_disturb_nobody(case):
    (_, task, _), estimator = case
    compiled, rows = compile_estimator(estimator, task), asked()
    whole, holed = compiled.predict(rows), rows.copy()
    holed[::7, 2], holed[3::11, 0] = np.nan, np.nan
    lacking = np.isnan(holed).any(axis=1)
    found = compiled.predict(holed)
    assert np.isnan(found[lacking]).all()
    assert np.array_equal(found[~lacking], whole[~lacking])
    assert compiled.predict(rows[:0]).shape == (0, *whole.shape[1:])


def test_they_refuse_rows_and_orders_that_do_not_fit(case):
    (_, task, _), estimator = case
    compiled = compile_estimator(estimator, task)
    with pytest.raises(PermagridError, match="columns"):
        compiled.predict(np.zeros((4, 2)))
    with pytest.raises(PermagridError, match="order"):
        compiled.predict(asked(), np.arange(3))


def test_they_are_kept_as_arrays_and_text(case, tmp_path):
    (_, task, _), estimator = case
    compiled, rows = compile_estimator(estimator, task), asked()
    header, arrays = plain(compiled)
    np.savez(tmp_path / "compiled.npz", **arrays)
    with np.load(tmp_path / "compiled.npz", allow_pickle=False) as stored:
        back = compiled_of(json.loads(json.dumps(header)), dict(stored))
    assert np.array_equal(back.predict(rows), compiled.predict(rows))
    for name in arrays:
        with pytest.raises(PermagridError, match=f"lack {name}"):
            compiled_of(header, {key: array for key, array in arrays.items() if key != name})
        if len(arrays[name]):
            with pytest.raises(PermagridError, match="fit together"):
                compiled_of(header, {**arrays, name: arrays[name][:-1]})
    with pytest.raises(PermagridError, match="form 'magic' of a compiled estimator: allowed are trees"):
        compiled_of({**header, "form": "magic"}, arrays)


@pytest.mark.parametrize("name", ["support_vectors", "additive_model", "random_forest"])
def test_without_classes_too(name):
    estimator = learned(name, "value", 0, encoded=False)
    rows = asked()
    compiled = compile_estimator(estimator, "value")
    assert np.abs(compiled.predict(rows) - estimator.predict(rows)).max() <= SUMS * 10
    assert isinstance(compiled, CompiledForest) == (name == "random_forest")


@pytest.mark.parametrize("many", [3, 12, 45])
def test_boosted_trees_that_split_by_sets_of_classes(many):
    random = np.random.default_rng(2)
    rows, other = random.normal(size=(900, 3)), random.normal(size=(700, 3))
    rows[:, 1], other[:, 1] = random.integers(0, many, 900) * 3.0, random.integers(0, many + 2, 700) * 3.0
    values = random.normal(size=3 * many)[rows[:, 1].astype(int)] * 3.0 + rows[:, 0]
    learner = build_learner("lightgbm", "value", 0, {}, covariates=("a", "b", "c"), classes=("b",))
    compiled = compile_estimator(learner.fit(rows, values), "value")
    sets = [column.known for column in compiled.recipe.columns if column.kind == NONE_OF and column.known]
    assert len(sets) > 1 or many == 3
    assert np.array_equal(compiled.predict(other), learner.predict(other))
    header, arrays = plain(compiled)
    assert np.array_equal(compiled_of(header, arrays).predict(other), learner.predict(other))


def test_support_vectors_of_scikit_learn():
    rows, other = covariates(200, 0), asked()
    values = rows[:, 0] + 5 * rows[:, 1]
    chain = make_pipeline(StandardScaler(), SVR(C=10.0))
    wrapped = TransformedTargetRegressor(chain, transformer=StandardScaler())
    for estimator in (SVR(gamma=0.001, C=5.0), chain, wrapped):
        estimator.fit(rows, values)
        found = compile_estimator(estimator, "value").predict(other)
        assert np.abs(found - estimator.predict(other)).max() <= SUMS * values.std()


def test_kernels_reach_from_one_to_nothing():
    machine = SVR(gamma=1.0, C=100.0, epsilon=0.0).fit([[0.0], [1.0], [3.0]], [5.0, 1.0, 2.0])
    rows = np.concatenate([np.linspace(-40, 40, 2001), [0.0, 1.0, 3.0, 1e150, np.inf]])[:, np.newaxis]
    found, finite = compile_estimator(machine, "value").predict(rows), np.isfinite(rows[:, 0])
    assert np.abs(found[finite] - machine.predict(rows[finite])).max() < 1e-12
    assert found[-1] == machine.intercept_[0]


def test_others_predict_by_themselves():
    rows = covariates(60, 0)
    values, known = rows[:, 0], rows[:, 0] > -5
    for estimator, task in (
        (LinearRegression().fit(rows, values), "value"),
        (SVR(kernel="linear", C=1e-3).fit(rows, values), "value"),
        (SVC().fit(rows, known), "class"),
        (make_pipeline(MinMaxScaler(), SVR()).fit(rows, values), "value"),
        (make_pipeline(StandardScaler(), RandomForestRegressor(3)).fit(rows, values), "value"),
        (build_learner("linear_support_vectors", "class", 0, {}).fit(rows, known), "class"),
        (build_learner("linear_support_vectors", "value", 0, {}).fit(rows, values), "value"),
        (RandomForestRegressor(3).fit(rows, values), "class"),
    ):
        assert compile_estimator(estimator, task) is None
