"""Cells of a block are predicted in any order, with the same result."""

import numpy as np
import pytest
import xarray as xr
from sklearn.ensemble import ExtraTreesClassifier, RandomForestRegressor

from permagrid.compiled import patch_order
from permagrid.learners import build_learner
from permagrid.models import map_predictor
from permagrid.prediction.blocks import Prediction, read_cells

WINDOW = slice(3, 40), slice(5, 58)


@pytest.fixture(scope="module")
def stack() -> xr.Dataset:
    random = np.random.default_rng(1)
    layers = random.normal(size=(4, 48, 60)).cumsum(axis=1).cumsum(axis=2).astype("float32")
    layers[0, 10:20, 7:30] = np.nan
    layers[1] = np.where(random.random((48, 60)) < 0.2, np.nan, layers[1])
    return xr.Dataset({name: (("y", "x"), layer) for name, layer in zip("abcd", layers, strict=True)})


def test_cells_along_a_curve_are_the_same_cells(stack):
    cells = read_cells(stack, list("abcd"), WINDOW)
    along = cells.along(patch_order(cells.shape))
    order = np.argsort(along.places)
    assert (along.places != cells.places).any()
    np.testing.assert_array_equal(along.places[order], cells.places)
    np.testing.assert_array_equal(along.rows[order], cells.rows)


@pytest.mark.parametrize("name", ["random_forest", "lightgbm", "support_vectors", "additive_model", "ridge"])
def test_maps_are_what_the_learner_says_in_any_order(stack, name):
    random = np.random.default_rng(2)
    rows = random.normal(size=(200, 4)) * 50.0
    values = rows[:, 0] / 10.0 + np.sin(rows[:, 1] / 20.0)
    keywords = {"n_estimators": 20} if name in ("random_forest", "lightgbm") else {}
    learner = build_learner(name, "value", 3, keywords, covariates=tuple("abcd")).fit(rows, values)
    predict = map_predictor(learner, task="value")
    found = [
        Prediction(predict, stack, tuple("abcd"), order=order).block(WINDOW).values
        for order in (None, patch_order, lambda shape: np.arange(shape[0] * shape[1])[::-1])
    ]
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
    cells = read_cells(stack, list("abcd"), WINDOW)
    said = np.full(cells.shape[0] * cells.shape[1], np.nan, dtype="float32")
    said[cells.places] = learner.predict(cells.rows.astype(float))
    np.testing.assert_allclose(found[0][0].ravel(), said, rtol=0, atol=2e-6 * values.std())


def test_forests_are_told_by_their_compiled_form():
    rows = np.random.default_rng(4).normal(size=(80, 3))
    forest = RandomForestRegressor(5, random_state=0).fit(rows, rows[:, 0])
    trees = ExtraTreesClassifier(5, random_state=0).fit(rows, rows[:, 0] > 0)
    for estimator, task, said in ((forest, "value", "predict"), (trees, "class", "predict_proba")):
        predict = map_predictor(estimator, task=task)
        assert predict != getattr(estimator, said)
        np.testing.assert_array_equal(predict(rows), getattr(estimator, said)(rows))
