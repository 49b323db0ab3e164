"""Compiled means say what the learner `average` says, and are kept as their members are."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from permagrid.compiled import CompiledMean, compile_estimator, compiled_of, plain
from permagrid.errors import PermagridError
from permagrid.learners import build_learner
from permagrid.models import map_predictor

NAMES = ("air", "snow", "soil", "slope")
FOREST = {"name": "random_forest", "n_estimators": 6, "covariates": ["air", "soil"]}
MEMBERS = [FOREST, {"name": "additive_model"}, {"name": "lightgbm", "n_estimators": 5, "classes": "one_hot"}]
INNER = {"name": "average", "learners": [FOREST, {"name": "support_vectors", "covariates": ["snow"]}]}
CASES = {
    "values": ("value", 0, MEMBERS, 0.0),
    "two classes": ("class", 2, MEMBERS, 1e-15),
    "three classes": ("class", 3, MEMBERS, 1e-15),
    "a mean within a mean": ("value", 0, [INNER, FOREST], 1e-10),
}


def covariates(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    rows = random.normal(0, 1, (count, len(NAMES))) * [8.0, 0.3, 1.0, 20.0]
    rows[:, 2] = random.choice([3.0, 7.0, 12.0], count)
    return rows


def learned(task: str, classes: int, members):
    rows = covariates(200, 0)
    values = rows[:, 0] + 9 * np.sin(6 * rows[:, 1]) + 4 * (rows[:, 2] == 7)
    if classes:
        values = np.digitize(values, np.quantile(values, np.arange(1, classes) / classes))
    mean = build_learner("average", task, 0, {"learners": members}, covariates=NAMES, classes=("soil",))
    return mean.fit(rows, values)


@pytest.fixture(scope="module", params=CASES, ids=lambda name: name.replace(" ", "-"))
def case(request):
    task, classes, members, apart = CASES[request.param]
    return learned(task, classes, members), task, apart


def said(estimator, task: str, rows: np.ndarray) -> np.ndarray:
    return np.asarray(estimator.predict_proba(rows) if task == "class" else estimator.predict(rows))


def test_they_say_what_the_mean_says_of_any_row_in_any_order(case):
    (estimator, task, apart), rows = case, covariates(500, 5)
    compiled = compile_estimator(estimator, task)
    assert isinstance(compiled, CompiledMean)
    whole = compiled.predict(rows)
    assert np.abs(whole - said(estimator, task, rows)).max() <= apart
    order = np.random.default_rng(3).permutation(len(rows))
    assert np.array_equal(compiled.predict(rows, order), whole)
    assert np.array_equal(compiled.predict(np.asfortranarray(rows[order])), whole[order])
    parts = [slice(at, at + 37) for at in range(0, len(rows), 37)]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda part: compiled.predict(rows[part]), parts))
    assert np.array_equal(np.concatenate(found), whole)


def test_rows_that_lack_a_value_get_none_even_if_no_member_sees_it(case):
    (estimator, task, _), rows = case, covariates(60, 5)
    compiled = compile_estimator(estimator, task)
    whole, holed = compiled.predict(rows), rows.copy()
    holed[::7, 3], holed[3::11, 0] = np.nan, np.nan
    lacking, found = np.isnan(holed).any(axis=1), compiled.predict(holed)
    assert np.isnan(found[lacking]).all()
    assert np.array_equal(found[~lacking], whole[~lacking])
    assert compiled.predict(rows[:0]).shape == (0, *whole.shape[1:])
    with pytest.raises(PermagridError, match="columns"):
        compiled.predict(rows[:, :2])


def test_they_are_kept_as_arrays_and_text(case, tmp_path):
    (estimator, task, _), rows = case, covariates(60, 5)
    compiled = compile_estimator(estimator, task)
    header, arrays = plain(compiled)
    np.savez(tmp_path / "compiled.npz", **arrays)
    with np.load(tmp_path / "compiled.npz", allow_pickle=False) as stored:
        back = compiled_of(json.loads(json.dumps(header)), dict(stored))
    assert np.array_equal(back.predict(rows), compiled.predict(rows))
    for name in arrays:
        with pytest.raises(PermagridError, match=r"member \d: .* lack ") as refused:
            compiled_of(header, {key: array for key, array in arrays.items() if key != name})
        assert name.endswith(str(refused.value).rsplit(maxsplit=1)[-1])
        if len(arrays[name]):
            with pytest.raises(PermagridError, match="fit together"):
                compiled_of(header, {**arrays, name: arrays[name][:-1]})


def test_parts_that_do_not_fit_are_refused():
    header, arrays = plain(compile_estimator(learned("value", 0, MEMBERS[:2]), "value"))
    for wrong in (
        {"members": []},
        {"members": header["members"][:1]},
        {"columns": [[0, 9], None]},
        {"columns": [[0], None]},
        {"raw": 7},
    ):
        with pytest.raises(PermagridError, match=r"fit together|are read"):
            compiled_of({**header, **wrong}, arrays)
    with pytest.raises(PermagridError, match="compiled mean lack members"):
        compiled_of({key: value for key, value in header.items() if key != "members"}, arrays)
    classes, others = plain(compile_estimator(learned("class", 2, MEMBERS[:2]), "class"))
    mixed = {**header, "members": [header["members"][0], classes["members"][1]]}
    kept = {name: (others if name.startswith("member_1") else arrays)[name] for name in {**arrays, **others}}
    with pytest.raises(PermagridError, match="outputs of a mean's members"):
        compiled_of(mixed, kept)


def test_of_a_mean_with_a_member_that_predicts_by_itself_the_others_are_compiled():
    members = [FOREST, {"name": "nearest_neighbours"}]
    for task, classes in (("value", 0), ("class", 3)):
        estimator, rows = learned(task, classes, members), covariates(300, 5)
        assert compile_estimator(estimator, task) is None
        assert np.array_equal(map_predictor(estimator, task=task)(rows), said(estimator, task, rows))
