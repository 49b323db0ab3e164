"""A process model with a learner: the sum of both, or the one as a covariate of the other."""

import numpy as np
import pytest
from made_process import NAMES, SNOWY, WAVE, climate, column, ground_temperature, thaw_depth
from sklearn.base import clone, is_classifier, is_regressor

from permagrid.errors import PermagridError
from permagrid.learners import (
    LEARNERS,
    build_learner,
)

ROWS, FRESH = climate(300), climate(300, seed=9)
TTOP = {"name": "ttop", **SNOWY}
FOREST = {"name": "random_forest", "n_estimators": 20, "min_samples_leaf": 5}
LINEAR = {"name": "climate_linear"}


def truth(rows):
    """Return TTOP with a linear part that it does not know of."""
    return ground_temperature(rows) + 1.2 * column(rows, "noise")


def built(keywords, task="value", *, seed=0):
    return build_learner("process_residual", task, seed, keywords, covariates=NAMES, classes=["soil"])


CASES = [
    ({"process": TTOP, "learner": FOREST}, "value"),
    ({"process": TTOP, "learner": LINEAR, "use": "feature"}, "value"),
    ({"process": {"name": "frost_number", **WAVE}, "learner": FOREST, "use": "residual"}, "value"),
    ({"process": TTOP, "learner": FOREST}, "class"),
    ({"process": {"name": "frost_number", **WAVE}, "learner": LINEAR, "use": "feature"}, "class"),
]


def target(task, rows=ROWS):
    return truth(rows) if task == "value" else (truth(rows) <= 0).astype(float)


@pytest.mark.parametrize(("keywords", "task"), CASES)
def test_it_learns_is_repeated_and_predicts_row_by_row(keywords, task):
    model = built(keywords, task)
    assert is_classifier(model) if task == "class" else is_regressor(model)
    first, again = (clone(model).fit(ROWS, target(task)) for _ in range(2))
    assert first.score(FRESH, target(task, FRESH)) > 0.8
    ask = "predict_proba" if task == "class" else "predict"
    whole = getattr(first, ask)(FRESH)
    assert getattr(again, ask)(FRESH).tobytes() == whole.tobytes()
    for size in (1, 3, 7, 299):
        parts = [getattr(first, ask)(FRESH[at : at + size]) for at in range(0, len(FRESH), size)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()
    if task == "class":
        assert first.classes_.tolist() == [0.0, 1.0]


def test_the_sum_is_that_of_process_and_learner_made_by_hand():
    y = truth(ROWS)
    model = built({"process": TTOP, "learner": FOREST}, seed=4).fit(ROWS, y)
    alone = build_learner("ttop", "value", 4, SNOWY, covariates=NAMES).fit(ROWS, y)
    keywords = {key: value for key, value in FOREST.items() if key != "name"}
    forest = build_learner("random_forest", "value", 4, keywords, covariates=NAMES, classes=["soil"])
    forest.fit(ROWS, y - alone.predict(ROWS))
    np.testing.assert_array_equal(model.predict(FRESH), alone.predict(FRESH) + forest.predict(FRESH))


@pytest.mark.parametrize("task", ["value", "class"])
def test_as_a_feature_it_is_one_more_column(task):
    y = target(task)
    model = built({"process": TTOP, "learner": LINEAR, "use": "feature"}, task).fit(ROWS, y)
    alone = build_learner("ttop", task, 0, SNOWY, covariates=NAMES).fit(ROWS, y)
    more = [np.column_stack([rows, alone.say(rows)]) for rows in (ROWS, FRESH)]
    names = [*NAMES, "process_ttop"]
    linear = build_learner("climate_linear", task, 0, {}, covariates=names, classes=["soil"]).fit(more[0], y)
    np.testing.assert_array_equal(model.predict(FRESH), linear.predict(more[1]))


def test_both_together_beat_each_alone():
    y, fresh = truth(ROWS), truth(FRESH)

    def error(model):
        return np.sqrt(np.mean((model.fit(ROWS, y).predict(FRESH) - fresh) ** 2))

    keywords = {key: value for key, value in FOREST.items() if key != "name"}
    together = error(built({"process": TTOP, "learner": FOREST}))
    forest = error(build_learner("random_forest", "value", 0, keywords, covariates=NAMES, classes=["soil"]))
    ttop = error(build_learner("ttop", "value", 0, SNOWY, covariates=NAMES))
    assert together < 0.7 * ttop
    assert together < 0.7 * forest


def test_far_outside_the_training_rows_the_process_goes_on_where_a_forest_stands_still():
    colder = ROWS.copy()
    colder[:, NAMES.index("air")] -= 12.0
    y = ground_temperature(ROWS)
    keywords = {key: value for key, value in FOREST.items() if key != "name"}
    forest = build_learner("random_forest", "value", 0, keywords, covariates=NAMES[:3]).fit(ROWS[:, :3], y)
    both = build_learner(
        "process_residual", "value", 0, {"process": TTOP, "learner": FOREST}, covariates=NAMES[:3]
    ).fit(ROWS[:, :3], y)
    alone = build_learner("ttop", "value", 0, SNOWY, covariates=NAMES[:3]).fit(ROWS[:, :3], y)
    expected = alone.predict(colder[:, :3])
    assert np.abs(both.predict(colder[:, :3]) - expected).max() < 0.5
    assert np.abs(forest.predict(colder[:, :3]) - expected).mean() > 1.0


def test_the_learner_may_see_a_part_of_the_covariates():
    y = truth(ROWS)
    few = built({"process": TTOP, "learner": {**LINEAR, "covariates": ["noise"]}}).fit(ROWS, y)
    assert few.columns == (NAMES.index("noise"),)
    assert few.learner_.n_features_in_ == 1
    other = FRESH.copy()
    other[:, NAMES.index("rain")] += 100.0
    np.testing.assert_array_equal(few.predict(other), few.predict(FRESH))
    assert np.sqrt(np.mean((few.predict(FRESH) - truth(FRESH)) ** 2)) < 0.25


def test_classes_enter_the_learner_as_elsewhere():
    y = thaw_depth(ROWS, by_soil=True)
    stefan = {"name": "stefan", **WAVE}
    hot, codes = (
        built({"process": stefan, "learner": {**LINEAR, "classes": how}}).fit(ROWS, y).score(ROWS, y)
        for how in ("one_hot", "codes")
    )
    assert hot > codes


def test_weights_reach_both():
    y = truth(ROWS)
    wrong = y.copy()
    wrong[:100] += 30.0
    weights = np.where(np.arange(len(y)) < 100, 1e-9, 1.0)
    keywords = {"process": TTOP, "learner": FOREST}
    heard = built(keywords).fit(ROWS, wrong, sample_weight=weights).predict(FRESH)
    unheard = built(keywords).fit(ROWS, wrong).predict(FRESH)
    assert np.sqrt(np.mean((heard - truth(FRESH)) ** 2)) < 1.5
    assert np.sqrt(np.mean((unheard - truth(FRESH)) ** 2)) > 3.0


WRONG = [
    (
        {"process": TTOP, "learner": {"n_estimators": 3}},
        "value",
        "learner is a learner, such as .* name is missing",
    ),
    (
        {"process": TTOP, "learner": {"name": "random_forst"}},
        "value",
        "learner: unknown learner 'random_forst'",
    ),
    ({"process": TTOP, "learner": {**FOREST, "trees": 3}}, "value", "learner: unknown keyword 'trees'"),
    ({"process": TTOP, "learner": {**FOREST, "max_depth": 0}}, "value", "learner: random_forest: max_depth"),
    (
        {"process": FOREST, "learner": FOREST},
        "value",
        "process must be frost_number, ttop, .* found random_forest",
    ),
    ({"process": {"name": "ttop"}, "learner": FOREST}, "value", "process: ttop: climate is missing"),
    ({"process": {**TTOP, "covariates": ["air"]}, "learner": FOREST}, "value", "not by covariates"),
    ({"process": TTOP, "learner": FOREST, "use": "residual"}, "class", "use: residual is for values"),
    ({"process": {"name": "stefan", **WAVE}, "learner": FOREST}, "class", "process: stefan is for values"),
    ({"process": TTOP, "learner": {**FOREST, "covariates": ["airs"]}}, "value", "covariates names 'airs'"),
    ({"process": TTOP, "learner": {**FOREST, "covariates": []}}, "value", "learner sees no covariate"),
    (
        {"process": TTOP, "learner": {**LINEAR, "classes": "native"}},
        "value",
        "climate_linear has no way of its own",
    ),
    (
        {"process": TTOP, "learner": {**LINEAR, "classes": "hot"}},
        "value",
        "classes is one_hot, native or codes",
    ),
]


@pytest.mark.parametrize(("keywords", "task", "message"), WRONG)
def test_a_mistake_is_told_in_one_sentence(keywords, task, message):
    assert LEARNERS.faults("process_residual", keywords) == []
    with pytest.raises(PermagridError, match=message) as error:
        built(keywords, task)
    assert str(error.value).startswith("process_residual: ")
