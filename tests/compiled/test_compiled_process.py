"""Compiled process models, alone and with a learner, say what their learners say, to the last digit."""

import json
from pathlib import Path

import numpy as np
import pytest

from learners.made_process import INDICES, NAMES, QUARTERS, SNOWY, WAVE, climate, ground_temperature
from permagrid.compiled import (
    CompiledProcess,
    CompiledWithProcess,
    compile_estimator,
    compiled_of,
    plain,
)
from permagrid.errors import PermagridError
from permagrid.learners import build_learner

FOREST = {"name": "random_forest", "n_estimators": 6, "covariates": ["air", "noise", "soil"]}
PROCESSES = {
    "frost number": ("frost_number", {**INDICES, "soil_class": "soil"}),
    "ttop": ("ttop", {**SNOWY, "soil_class": "soil", "freezing_n_factor": 0.9, "conductivity_ratio": 0.7}),
    "ttop of rain": ("ttop", {**QUARTERS, "winter_precipitation": "rain"}),
    "stefan": ("stefan", {**INDICES, "unit": "cm"} | {"freezing_index": None}),
    "stefan by heat": ("stefan", {**WAVE, "form": "physical", "water_content": 0.3, "unit": "m"}),
    "kudryavtsev": ("kudryavtsev", {**SNOWY, "vegetation_thickness": 0.05, "snow_diffusivity": 4e-7}),
    "active layer": ("kudryavtsev", {**WAVE, "output": "active_layer", "vegetation_thickness": 0.1}),
}
LEARNED = {
    "residual": ("value", {"learner": FOREST}),
    "feature": ("value", {"learner": {"name": "additive_model"}, "use": "feature"}),
    "classes": ("class", {"learner": FOREST}),
    "three classes": ("class", {"learner": {"name": "random_forest", "n_estimators": 6}}),
}


def target(task: str, rows: np.ndarray, classes: int = 2) -> np.ndarray:
    warm = ground_temperature(rows, by_soil=True) + np.random.default_rng(1).normal(0, 0.5, len(rows))
    return np.digitize(warm, [0.0, 3.0][: classes - 1]).astype(float) if task == "class" else warm


def asked() -> np.ndarray:
    rows = climate(500, seed=5)
    rows[:20, 3] = 9.0
    rows[20:40, 2] = -0.1
    return rows


def said(estimator, task: str, rows: np.ndarray) -> np.ndarray:
    return np.asarray(estimator.predict_proba(rows) if task == "class" else estimator.predict(rows))


def alone(name: str, task: str, classes: int = 2):
    model, keywords = PROCESSES[name]
    rows = climate(120)
    given = {key: value for key, value in keywords.items() if value is not None}
    learner = build_learner(model, task, 0, given, covariates=NAMES, classes=("soil",))
    return learner.fit(rows, target(task, rows, classes))


def joined(name: str):
    task, keywords = LEARNED[name]
    rows = climate(120)
    process = {"name": "ttop", **SNOWY, "soil_class": "soil", "freezing_n_factor": 0.9}
    whole = {"process": process, **keywords}
    learner = build_learner("process_residual", task, 0, whole, covariates=NAMES, classes=("soil",))
    return learner.fit(rows, target(task, rows, 3 if name.startswith("three") else 2)), task


def check(estimator, task: str, kind: type, tmp_path: Path) -> tuple[dict, dict]:
    """Ask that the compiled form says the same bits, anywhere and after it was stored."""
    compiled, rows = compile_estimator(estimator, task), asked()
    assert isinstance(compiled, kind)
    whole = compiled.predict(rows)
    assert np.array_equal(whole, said(estimator, task, rows))
    single = rows.astype(np.float32)
    assert np.array_equal(compiled.predict(single), said(estimator, task, single.astype(float)))
    order = np.random.default_rng(3).permutation(len(rows))
    assert np.array_equal(compiled.predict(rows, order), whole)
    assert np.array_equal(compiled.predict(np.asfortranarray(rows[order])), whole[order])
    assert np.array_equal(
        np.concatenate([compiled.predict(rows[k : k + 7]) for k in range(0, 500, 7)]), whole
    )
    holed = rows.copy()
    holed[::7, 4], holed[3::11, 0] = np.nan, np.nan
    lacking, found = np.isnan(holed).any(axis=1), compiled.predict(holed)
    assert np.isnan(found[lacking]).all()
    assert np.array_equal(found[~lacking], whole[~lacking])
    assert compiled.predict(rows[:0]).shape == (0, *whole.shape[1:])
    with pytest.raises(PermagridError, match="columns"):
        compiled.predict(rows[:, :3])
    header, arrays = plain(compiled)
    np.savez(tmp_path / "compiled.npz", **arrays)
    with np.load(tmp_path / "compiled.npz", allow_pickle=False) as stored:
        back = compiled_of(json.loads(json.dumps(header)), dict(stored))
    assert np.array_equal(back.predict(rows), whole)
    for name in arrays:
        with pytest.raises(PermagridError, match="lack "):
            compiled_of(header, {key: array for key, array in arrays.items() if key != name})
    return header, arrays


@pytest.mark.parametrize("name", PROCESSES)
def test_values_of_a_process_model(name, tmp_path):
    check(alone(name, "value"), "value", CompiledProcess, tmp_path)


@pytest.mark.parametrize(("name", "classes"), [("frost number", 2), ("ttop", 3), ("kudryavtsev", 2)])
def test_probabilities_of_a_process_model(name, classes, tmp_path):
    check(alone(name, "class", classes), "class", CompiledProcess, tmp_path)


@pytest.mark.parametrize("name", LEARNED)
def test_with_a_learner(name, tmp_path):
    estimator, task = joined(name)
    check(estimator, task, CompiledWithProcess, tmp_path)


def test_a_learner_without_a_form_leaves_the_whole_without():
    rows = climate(100)
    keywords = {"process": {"name": "ttop", **WAVE}, "learner": {"name": "nearest_neighbours"}}
    learner = build_learner("process_residual", "value", 0, keywords, covariates=NAMES)
    assert compile_estimator(learner.fit(rows, rows[:, 0]), "value") is None


def test_parts_that_do_not_fit_are_refused(tmp_path):
    header, arrays = check(alone("ttop", "value"), "value", CompiledProcess, tmp_path)
    by_class = header["by_class"]
    for wrong in (
        {"law": "magic_law"},
        {"columns": {}},
        {"columns": {**header["columns"], "air_temperature": 10}},
        {"columns": {"snow_depth": 2}},
        {"values": {}},
        {"by_class": {**by_class, "source": -1}},
        {"by_class": {**by_class, "factors": [1.0]}},
        {"by_class": {**by_class, "codes": list(by_class["codes"])[::-1]}},
        {"by_class": {**by_class, "parameter": "magic"}},
    ):
        with pytest.raises(PermagridError, match="law of a process model"):
            compiled_of({**header, **wrong}, arrays)
    with pytest.raises(PermagridError, match="compiled process lack line"):
        compiled_of({key: value for key, value in header.items() if key != "line"}, arrays)
    header, arrays = plain(compile_estimator(joined("residual")[0], "value"))
    for wrong in (
        {"use": "magic"},
        {"use": "feature"},
        {"columns": [0, 1]},
        {"columns": [0, 1, 10]},
        {"process": header["learner"]},
    ):
        with pytest.raises(PermagridError, match=r"fit together|are read|lack"):
            compiled_of({**header, **wrong}, arrays)
