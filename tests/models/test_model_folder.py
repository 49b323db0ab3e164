"""Folders of models: a stored one predicts the same bits, and nothing of a hostile one is run."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import FunctionTransformer

from every_learner import EVERY, FEW
from permagrid.compiled import compile_estimator
from permagrid.ensemble import fit_class_mixture, fit_copula_mixture, fit_gaussian_mixture
from permagrid.errors import PermagridError
from permagrid.files import sha256_of
from permagrid.learners import build_learner
from permagrid.models import Column, Model, Target, load_model, save_model
from permagrid.models.estimators import read_estimator, write_estimator
from permagrid.models.forms import learner_of

NAMES = ("air_temperature", "temperature_amplitude", "snow_depth", "soil")
RANDOM = np.random.default_rng(5)
ROWS = np.column_stack(
    [
        RANDOM.uniform(-15.0, 3.0, 90),
        RANDOM.uniform(5.0, 25.0, 90),
        RANDOM.uniform(0.0, 1.0, 90),
        RANDOM.choice([1.0, 2.0, 7.0], 90),
    ]
)
VALUES = ROWS[:, 0] + 4.0 * ROWS[:, 2] + RANDOM.normal(0.0, 0.5, 90)
CLASSES = np.digitize(VALUES, [-8.0, -2.0]).astype(float)
NAMED = [
    ("average", "value", {"learners": [{"name": "ridge"}, {"name": "decision_tree"}]}),
    ("average", "class", {"learners": [{"name": "naive_bayes"}, {"name": "decision_tree"}]}),
    (
        "ttop",
        "value",
        {"air_temperature": "air_temperature", "temperature_amplitude": "temperature_amplitude"},
    ),
    (
        "regression_kriging",
        "value",
        {"learner": {"name": "ridge"}, "coordinates": ["temperature_amplitude", "air_temperature"]},
    ),
    (
        "process_residual",
        "value",
        {
            "process": {
                "name": "ttop",
                "air_temperature": "air_temperature",
                "temperature_amplitude": "temperature_amplitude",
            },
            "learner": {"name": "random_forest", "n_estimators": 5},
        },
    ),
]


def fitted(name: str, task: str, keywords: dict, target: np.ndarray):
    return build_learner(name, task, 0, keywords, covariates=NAMES, classes=("soil",)).fit(ROWS, target)


def model_of(*estimators, task: str = "value", mixture=None) -> Model:
    """Return a model of fitted estimators that see all columns, of which the last holds classes."""
    columns = (
        *(Column(name, "degC", "continuous") for name in NAMES[:-1]),
        Column("soil", "class", "class", "Soil", (1.0, 2.0, 7.0)),
    )
    target = (
        Target("mean_annual_ground_temperature", "value", "degC", (-25.0, 15.0), 10.0)
        if task == "value"
        else Target("ground_ice_class", "class", "1", (0.0, 2.0), classes=(0.0, 1.0, 2.0))
    )
    learners = [learner_of(f"learner_{n}", NAMES, each, task=task) for n, each in enumerate(estimators)]
    return Model("made_up", target, columns, tuple(learners), mixture, {"study": "made_up"})


@pytest.fixture(scope="module")
def forest():
    return fitted("random_forest", "value", {"n_estimators": 5}, VALUES)


@pytest.fixture
def stored(forest, tmp_path) -> Path:
    """Return the folder of a model."""
    save_model(tmp_path / "model", model_of(forest))
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("name", "task", "keywords"),
    [*((name, task, FEW.get(name, {})) for name, task, count in EVERY if count != 2), *NAMED],
)
def test_every_learner_predicts_the_same_bits_from_its_folder(name, task, keywords, tmp_path):
    estimator = fitted(name, task, keywords, VALUES if task == "value" else CLASSES)
    made = model_of(estimator, task=task)
    save_model(tmp_path / "model", made)
    read = load_model(tmp_path / "model")
    assert read.predict(ROWS).tobytes() == made.predict(ROWS).tobytes()
    if task == "class":
        assert read.predict_proba(ROWS).tobytes() == made.predict_proba(ROWS).tobytes()
    assert (read.target, read.columns, read.origin) == (made.target, made.columns, made.origin)
    has_arrays = (tmp_path / "model" / "learner_0.npz").exists()
    assert has_arrays == (compile_estimator(estimator, task) is not None)
    # Another fit of the same, at other places in memory, leaves the same bytes.
    again = fitted(name, task, keywords, VALUES if task == "value" else CLASSES)
    save_model(tmp_path / "again", model_of(again, task=task))
    assert sha256_of(tmp_path / "again") == sha256_of(tmp_path / "model")


def test_ensembles_of_values_keep_mean_and_quantiles(forest, tmp_path):
    ridge = fitted("ridge", "value", {}, VALUES)
    said = np.column_stack([VALUES + RANDOM.normal(0, 1.0, 90), VALUES + RANDOM.normal(0, 1.5, 90)])
    for fit in (fit_copula_mixture, fit_gaussian_mixture):
        mixture = fit(said, VALUES, lower=-25.0, upper=15.0)
        made = model_of(forest, ridge, mixture=mixture)
        save_model(tmp_path / "model", made)
        read = load_model(tmp_path / "model")
        assert read.predict(ROWS).tobytes() == made.predict(ROWS).tobytes()
        low, high = read.quantiles(ROWS, [0.025, 0.975]).T
        assert (
            read.quantiles(ROWS, [0.025, 0.975]).tobytes() == made.quantiles(ROWS, [0.025, 0.975]).tobytes()
        )
        assert (low < read.predict(ROWS)).all()
        assert (read.predict(ROWS) < high).all()


def test_ensembles_of_classes_keep_probabilities(tmp_path):
    estimators = [fitted("random_forest", "class", {"n_estimators": 5}, CLASSES)]
    estimators.append(fitted("naive_bayes", "class", {}, CLASSES))
    given_to = np.full((90, 2, 3), 0.2)
    given_to[np.arange(90), :, CLASSES.astype(int)] = 0.6
    mixture = fit_class_mixture(given_to, CLASSES, [0.0, 1.0, 2.0])
    made = model_of(*estimators, task="class", mixture=mixture)
    save_model(tmp_path / "model", made)
    read = load_model(tmp_path / "model")
    assert read.predict_proba(ROWS).tobytes() == made.predict_proba(ROWS).tobytes()
    assert set(read.predict(ROWS)) <= {0.0, 1.0, 2.0}
    np.testing.assert_allclose(read.predict_proba(ROWS).sum(axis=1), 1.0)


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(12)), missing=st.sets(st.integers(0, 11)))
def test_rows_are_predicted_by_themselves_and_those_that_lack_something_are_not(forest, order, missing):
    model, rows = model_of(forest), ROWS[:12].copy()
    whole = model.predict(rows)
    for row in missing:
        rows[row, row % 3] = np.nan
    told = model.predict(rows[list(order)])
    wanted = np.where([row in missing for row in range(12)], np.nan, whole)[list(order)]
    np.testing.assert_array_equal(told, wanted)


def test_tables_are_read_by_name_and_unknown_classes_are_left_out(forest):
    model = model_of(forest)
    table = pd.DataFrame(ROWS, columns=NAMES)[list(reversed(NAMES))]
    assert model.predict(table).tobytes() == model.predict(ROWS).tobytes()
    table.loc[3, "soil"] = 9.0
    assert np.flatnonzero(np.isnan(model.predict(table))).tolist() == [3]
    with pytest.raises(PermagridError, match="the table lacks soil, which made_up reads"):
        model.predict(table.drop(columns="soil"))
    with pytest.raises(PermagridError, match=r"reads 4 covariates; found an array of shape \(90, 3\)"):
        model.predict(ROWS[:, :3])
    with pytest.raises(PermagridError, match="which has no classes"):
        model.predict_proba(ROWS)
    with pytest.raises(PermagridError, match="quantiles need an ensemble of a value"):
        model.quantiles(ROWS, [0.5])


def test_values_stay_within_the_valid_range(forest):
    model = model_of(forest)
    narrow = Target("mean_annual_ground_temperature", "value", "degC", (-5.0, -1.0))
    told = Model("narrow", narrow, model.columns, model.learners).predict(ROWS)
    assert told.min() == -5.0
    assert told.max() == -1.0


def test_a_model_takes_the_place_of_another_and_a_failure_leaves_it(forest, stored):
    before = sha256_of(stored)
    up = replace(model_of(forest), learners=(replace(model_of(forest).learners[0], label="../up"),))
    with pytest.raises(PermagridError, match="cannot name a file"):
        save_model(stored, up)
    assert sha256_of(stored) == before
    save_model(stored, model_of(fitted("ridge", "value", {}, VALUES)))
    assert sorted(path.name for path in stored.iterdir()) == ["learner_0.skops", "model.json"]
    assert [path.name for path in stored.parent.iterdir()] == ["model"]


def described(folder: Path, **changes) -> None:
    """Change the description of a model."""
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_damage_is_named(stored):
    path = stored / "learner_0.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(PermagridError, match=r"learner_0\.npz: is damaged or was changed"):
        load_model(stored)
    path.unlink()
    with pytest.raises(PermagridError, match=r"cannot read .*learner_0\.npz: No such file"):
        load_model(stored)
    with pytest.raises(PermagridError, match=r"nowhere/model\.json: cannot be read \(No such file"):
        load_model(stored.parent / "nowhere")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "has the format 2 of models; this version reads 1"),
        ({"learners": []}, "learners and covariates do not fit together"),
        ({"files": {"../../etc/passwd": ""}}, r"a file '\.\./\.\./etc/passwd'"),
        ({"target": {"variable": "x"}}, "valid_range is missing"),
        ({"is_joined": True}, r"mixture\.json: cannot be read"),
        ({"covariates": [{"name": "snow_depth"}]}, "classes is missing"),
        ({"origin": {"fitted_to": {"interval": 0.95}}}, "the interval is described by no mapping"),
    ],
)
def test_descriptions_that_do_not_hold_together_are_refused(stored, changes, message):
    described(stored, **changes)
    with pytest.raises(PermagridError, match=message):
        load_model(stored)


def test_labels_of_a_description_name_no_other_file(stored):
    learner = json.loads((stored / "model.json").read_text())["learners"][0]
    described(stored, learners=[learner | {"label": "../../learner_0"}])
    with pytest.raises(PermagridError, match="names no file"):
        load_model(stored)


def test_an_estimator_of_another_scikit_learn_is_refused_and_compiled_ones_are_not(forest, tmp_path):
    for number, estimator in enumerate([fitted("ridge", "value", {}, VALUES), forest]):
        made = model_of(estimator)
        old = Model(
            "old", made.target, made.columns, made.learners, None, {"versions": {"scikit-learn": "0.20.1"}}
        )
        save_model(tmp_path / str(number), old)
    with pytest.raises(PermagridError, match=r"fitted by scikit-learn 0\.20\.1 and has no compiled form"):
        load_model(tmp_path / "0")
    assert load_model(tmp_path / "1").predict(ROWS).tobytes() == model_of(forest).predict(ROWS).tobytes()


def touched(path: str) -> None:
    """Leave a trace of having been run."""
    Path(path).touch()


def test_a_hostile_estimator_is_refused_before_anything_of_it_runs(stored, tmp_path):
    trace = tmp_path / "trace"
    hostile = FunctionTransformer(touched, kw_args={"path": str(trace)})
    with pytest.raises(PermagridError, match=r"asks for types that are not allowed: .*touched"):
        write_estimator(tmp_path / "hostile.skops", hostile)
    skops.io.dump(hostile, tmp_path / "hostile.skops")
    with pytest.raises(PermagridError, match=r"asks for types that are not allowed: .*touched"):
        read_estimator(tmp_path / "hostile.skops")
    shutil.copy(tmp_path / "hostile.skops", stored / "learner_0.skops")
    learner = json.loads((stored / "model.json").read_text())["learners"][0]
    described(stored, learners=[learner | {"compiled": None}], files={})
    with pytest.raises(PermagridError, match="asks for types that are not allowed"):
        load_model(stored)
    assert not trace.exists()


def test_what_is_no_estimator_is_named(tmp_path):
    (tmp_path / "broken.skops").write_bytes(b"not a zip file")
    with pytest.raises(PermagridError, match=r"broken\.skops: cannot be read as a fitted estimator"):
        read_estimator(tmp_path / "broken.skops")
