"""Members of a learner are what refits would say, all at once, and the learner itself for weights of one."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.svm import SVR
from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError
from permagrid.learners import build_learner
from permagrid.learners.resampled import resampled
from permagrid.learners.resampled_rows import kernel_members

NAMES = ("air", "snow", "slope", "soil")
CLASSES = ("soil",)


@pytest.fixture(autouse=True)
def on_one_core():
    """Learners that start a thread for every core wait for each other where cores are busy."""
    with threadpool_limits(1, user_api="openmp"):
        yield


def made(*, n=160, seed=0, is_class=False):
    random = np.random.default_rng(seed)
    rows = np.column_stack([random.normal(size=(n, 3)), random.integers(0, 4, n) * 10.0])
    values = rows[:, 0] + np.sin(2 * rows[:, 1]) + 0.5 * (rows[:, 3] == 20) + random.normal(0, 0.5, n)
    return rows, (values > 0.3).astype(float) + 3.0 if is_class else values


def fitted(name, task, rows, target, *, weights=None, encoding=None, classes=CLASSES, **keywords):
    model = build_learner(name, task, 0, keywords, covariates=NAMES, classes=classes, encoding=encoding)
    return model.fit(rows, target) if weights is None else model.fit(rows, target, sample_weight=weights)


def says(model, rows, task):
    return model.predict(rows) if task == "value" else model.predict_proba(rows)[:, 1]


@pytest.mark.parametrize("gamma", [1e-3, 0.03, 1.0])
def test_sums_of_wide_kernels_are_exact_enough_in_single_precision(gamma):
    random = np.random.default_rng(0)
    rows, vectors = random.normal(size=(20, 12)), random.normal(size=(700, 12))
    coefficients = random.choice([-9.0, -3.0, 0.0, 3.0, 9.0], (700, 5))
    coefficients[-1] -= coefficients.sum(axis=0)
    found = kernel_members(
        rows.astype(np.float32),
        np.ascontiguousarray(vectors.T, dtype=np.float32),
        np.float32(gamma),
        coefficients.astype(np.float32),
        np.arange(5.0),
        coefficients.sum(axis=0),
    )
    near = np.exp(-gamma * ((rows[:, np.newaxis] - vectors) ** 2).sum(axis=2))
    assert (
        np.abs(found - (near @ coefficients + np.arange(5.0))).max() < 3e-8 * np.abs(coefficients).sum() / 5
    )


QUICK = {
    "random_forest": {"n_estimators": 30},
    "extra_trees": {"n_estimators": 20},
    "decision_tree": {},
    "support_vectors": {"C": 2.0},
    "additive_model": {},
    "gradient_boosting": {"max_iter": 40},
    "lightgbm": {"n_estimators": 40},
}


@pytest.mark.parametrize("task", ["value", "class"])
@pytest.mark.parametrize("name", [*QUICK, "climate_linear"])
def test_weights_of_one_are_the_learner_itself(name, task):
    rows, target = made(is_class=task == "class")
    model = fitted(name, task, rows, target, **QUICK.get(name, {}))
    asked = made(seed=1)[0]
    found = resampled(model, rows, target, np.ones((len(rows), 2)))
    said = found.predict(asked)
    assert said.shape == (len(asked), 2)
    assert said.dtype == np.float32
    np.testing.assert_allclose(said[:, 1], says(model, asked, task), rtol=1e-5, atol=2e-5)
    np.testing.assert_array_equal(said[:, 0], said[:, 1])
    assert ("refit" in found.scheme) == (name not in QUICK)


def drawn(n, members, *, least=0, seed=5):
    random = np.random.default_rng(seed)
    return np.maximum(random.multinomial(n, np.full(n, 1.0 / n), size=members).T, least).astype(float)


@pytest.mark.parametrize("task", ["value", "class"])
@pytest.mark.parametrize("name", [*QUICK, "nearest_neighbours"])
def test_a_row_is_the_same_bits_whatever_is_beside_it_and_a_member_whoever_is(name, task):
    rows, target = made(n=90, is_class=task == "class")
    model = fitted(name, task, rows, target, **QUICK.get(name, {}))
    weights, asked = drawn(len(rows), 9), made(n=41, seed=1)[0]
    whole = resampled(model, rows, target, weights)
    said = whole.predict(asked)
    for size in (1, 7, 16, 40):
        parts = [whole.predict(asked[at : at + size]) for at in range(0, len(asked), size)]
        assert np.concatenate(parts).tobytes() == said.tobytes()
    assert whole.predict(asked[::-1])[::-1].tobytes() == said.tobytes()
    few = resampled(model, rows, target, weights[:, [4, 2]]).predict(asked)
    assert few.tobytes() == np.ascontiguousarray(said[:, [4, 2]]).tobytes()


def test_support_vectors_of_a_member_are_those_of_a_refit():
    rows, target = made()
    model = fitted("support_vectors", "value", rows, target, C=3.0, epsilon=0.05)
    weights, asked = drawn(len(rows), 4), made(seed=1)[0]
    said = resampled(model, rows, target, weights).predict(asked)
    through = model[:-1].transform
    scaled, machine = model[-1], model[-1].regressor_
    for member in range(4):
        kept = weights[:, member] > 0
        again = SVR(C=3.0, epsilon=0.05, gamma=machine._gamma).fit(
            through(rows[kept]),
            (target[kept] - scaled.centre_) / scaled.spread_,
            sample_weight=weights[kept, member],
        )
        refit = again.predict(through(asked)) * scaled.spread_ + scaled.centre_
        np.testing.assert_allclose(said[:, member], refit, atol=2e-5)


def test_many_support_vectors_with_large_coefficients_are_added_in_double_precision():
    rows, target = made(n=50)
    model = fitted("support_vectors", "value", rows, target, C=1e5, gamma=0.01)
    said = resampled(model, rows, target, np.ones((len(rows), 1))).predict(rows)
    np.testing.assert_allclose(said[:, 0], model.predict(rows), atol=2e-6)


@pytest.mark.parametrize("task", ["value", "class"])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_an_additive_member_is_a_refit_with_the_same_penalty(task, class_weight):
    if task == "value" and class_weight:
        pytest.skip("for classes only")
    rows, target = made(is_class=task == "class")
    keywords = {} if class_weight is None else {"class_weight": class_weight}
    model = fitted("additive_model", task, rows, target, smoothing=2.0, **keywords)
    # Every row is drawn, or a refit would have other knots.
    weights, asked = drawn(len(rows), 3, least=1), made(seed=1)[0]
    said = resampled(model, rows, target, weights).predict(asked)
    for member in range(3):
        refit = clone(model).fit(rows, target, sample_weight=weights[:, member])
        # Straight parts of classes have a slight penalty in units of their spread, which weights change.
        tolerance = 1e-5 if task == "value" else 2e-4
        np.testing.assert_allclose(said[:, member], says(refit, asked, task), atol=tolerance)


def test_an_additive_model_goes_on_straight_beyond_its_ends_and_knows_no_new_class():
    rows, target = made()
    model = fitted("additive_model", "value", rows, target)
    far = np.array([[9.0, -7.0, 0.0, 10.0], [0.0, 0.0, 0.0, 77.0], [-1e3, 1e3, 1.0, 0.0]])
    said = resampled(model, rows, target, np.ones((len(rows), 1))).predict(far)
    np.testing.assert_allclose(said[:, 0], model.predict(far), rtol=1e-5)


def refits(model, rows, target, weights, asked):
    """Return what refits say, with rows repeated as often as drawn."""
    said = []
    for column in weights.T.astype(int):
        said.append(
            clone(model).fit(np.repeat(rows, column, axis=0), np.repeat(target, column)).predict(asked)
        )
    return np.stack(said, axis=1)


@pytest.mark.parametrize(
    ("name", "keywords", "least", "size"),
    [("random_forest", {"n_estimators": 60}, 0.3, 0.6), ("lightgbm", {"n_estimators": 60}, 0.4, 0.8)],
)
def test_trees_spread_their_members_as_far_as_refits_do_and_where(name, keywords, least, size):
    rows, target = made(n=200)
    model = fitted(name, "value", rows, target, **keywords)
    weights, asked = drawn(len(rows), 25), made(n=200, seed=1)[0]
    said = resampled(model, rows, target, weights).predict(asked)
    again = refits(model, rows, target, weights, asked)
    assert spearmanr(said.std(axis=1), again.std(axis=1)).statistic > least
    assert size < said.std(axis=1).mean() / again.std(axis=1).mean() < 1.25


@pytest.mark.parametrize("name", ["gradient_boosting", "lightgbm"])
@pytest.mark.parametrize("task", ["value", "class"])
def test_the_first_members_of_boosted_trees_are_refits(name, task):
    rows, target = made(is_class=task == "class")
    model = fitted(name, task, rows, target, **QUICK[name])
    weights, asked = drawn(len(rows), 5), made(seed=1)[0]
    found = resampled(model, rows, target, weights, structures=3)
    assert found.scheme.startswith("3 structures of trees")
    said = found.predict(asked)
    for member in range(3):
        kept = weights[:, member] > 0
        again = clone(model[-1]).fit(
            model[:-1].transform(rows)[kept], target[kept], sample_weight=weights[kept, member]
        )
        expected = says(again, model[:-1].transform(asked), task)
        np.testing.assert_allclose(said[:, member], expected, rtol=1e-5, atol=2e-5)


def test_a_forest_of_one_tree_weighs_the_rows_of_its_leaves():
    rows, target = made()
    model = fitted("decision_tree", "value", rows, target, max_depth=2, classes=())
    weights, leaf = drawn(len(rows), 6), model.apply(rows)
    # One leaf is drawn by all members but the last, which says there what the tree says.
    weights[leaf == leaf[0], 5] = 0.0
    said = resampled(model, rows, target, weights).predict(rows)
    for one in np.unique(leaf):
        inside = leaf == one
        for member in range(6):
            drawn_here = weights[inside, member]
            mean = np.average(target[inside], weights=drawn_here if drawn_here.sum() else None)
            np.testing.assert_allclose(said[inside, member], mean, rtol=1e-5, atol=1e-6)


def test_weights_with_which_a_learner_was_fitted_belong_to_its_members():
    rows, target = made()
    base = np.random.default_rng(2).uniform(0.5, 2.0, len(rows))
    asked, ones = made(seed=1)[0], np.ones((len(rows), 1))
    for name, keywords in QUICK.items():
        model = fitted(name, "value", rows, target, weights=base, **keywords)
        said = resampled(model, rows, target, ones, sample_weight=base).predict(asked)
        np.testing.assert_allclose(said[:, 0], model.predict(asked), rtol=1e-5, atol=2e-5)


def test_missing_classes_and_directions_are_as_in_the_learner():
    rows, target = made()
    asked = made(seed=1)[0]
    asked[::3, 3] = 99.0
    ones = np.ones((len(rows), 1))
    for name in ("lightgbm", "gradient_boosting", "random_forest", "extra_trees"):
        for encoding in (None, "one_hot", "codes"):
            keywords = {**QUICK[name], "monotone": {"air": 1}}
            model = fitted(name, "value", rows, target, encoding=encoding, **keywords)
            said = resampled(model, rows, target, ones).predict(asked)
            np.testing.assert_allclose(said[:, 0], model.predict(asked), rtol=1e-5, atol=2e-5)


def test_missing_values_go_the_way_that_trees_know():
    rows, target = made()
    rows[::7, 1] = np.nan
    asked = made(seed=1)[0]
    asked[::5, :3] = np.nan
    for name in ("lightgbm", "gradient_boosting", "decision_tree"):
        model = fitted(name, "value", rows, target, **QUICK[name])
        said = resampled(model, rows, target, np.ones((len(rows), 1))).predict(asked)
        np.testing.assert_allclose(said[:, 0], model.predict(asked), rtol=1e-5, atol=2e-5)


def test_means_and_residuals_of_process_models_go_by_their_learners():
    rows, target = made(n=80)
    rows[:, :2] = 500.0 + 50.0 * rows[:, :2]
    asked, ones = rows[::3], np.ones((len(rows), 2))
    forest = {"name": "random_forest", "n_estimators": 12, "covariates": ["air", "slope"]}
    both = fitted("average", "value", rows, target, learners=[forest, {"name": "additive_model"}])
    found = resampled(both, rows, target, ones)
    np.testing.assert_allclose(found.predict(asked)[:, 0], both.predict(asked), rtol=1e-5, atol=1e-5)
    assert found.scheme.startswith("the mean of members of 2 learners (random_forest: trees as fitted")
    process = {"name": "ttop", "freezing_index": "air", "thawing_index": "snow"}
    for use in ("residual", "feature"):
        model = fitted("process_residual", "value", rows, target, process=process, learner=forest, use=use)
        found = resampled(model, rows, target, ones)
        assert found.scheme.startswith("the process model as calibrated; ")
        np.testing.assert_allclose(found.predict(asked)[:, 1], model.predict(asked), rtol=1e-5, atol=1e-5)


def test_a_refit_repeats_rows_where_weights_are_not_taken():
    rows, target = made(n=60)
    model = fitted("nearest_neighbours", "value", rows, target, n_neighbors=4)
    weights, asked = drawn(60, 2), made(seed=1)[0]
    found = resampled(model, rows, target, weights)
    assert found.scheme == "a refit for each member with rows repeated as often as drawn"
    np.testing.assert_allclose(found.predict(asked), refits(model, rows, target, weights, asked), rtol=1e-5)


def test_a_member_that_has_drawn_one_class_says_that_class():
    rows, target = made(is_class=True)
    weights = drawn(len(rows), 3)
    weights[:, 1] = target == 3.0
    weights[:, 2] = target == 4.0
    for name in ("lightgbm", "support_vectors", "climate_linear"):
        model = fitted(name, "class", rows, target, **QUICK.get(name, {}))
        said = resampled(model, rows, target, weights).predict(rows)
        assert (said[:, 1] == 0.0).all()
        assert (said[:, 2] == 1.0).all()
        assert 0.0 < said[:, 0].min() < said[:, 0].max() < 1.0


def test_bad_weights_and_failures_are_told_with_the_learner():
    rows, target = made(n=40)
    model = fitted("nearest_neighbours", "value", rows, target, n_neighbors=30)
    few = np.zeros((40, 2))
    few[:, 0], few[:5, 1] = 1.0, 1.0
    line = fitted("climate_linear", "class", rows, (target > 0).astype(float))
    line.steps[-1][1].set_params(C=-1.0)
    with pytest.raises(PermagridError, match="members of RowWiseLogisticRegression: member 0: "):
        resampled(line, rows, (target > 0).astype(float), np.ones((40, 2)))
    with pytest.raises(PermagridError, match="member 1 has drawn no row"):
        resampled(model, rows, target, few * [1.0, 0.0])
    with pytest.raises(PermagridError, match="at least 0"):
        resampled(model, rows, target, -few)
    with pytest.raises(PermagridError, match="do not go together"):
        resampled(model, rows, target[:9], few)
    forest = fitted("random_forest", "value", rows, target, n_estimators=5)
    with pytest.raises(PermagridError, match="QuickForestRegressor: the trees were not grown of these rows"):
        resampled(forest, rows[::-1], target, np.ones((40, 1)))
    three = fitted("random_forest", "class", rows, np.arange(40) % 3, n_estimators=5)
    with pytest.raises(PermagridError, match="two classes, and the target has 3"):
        resampled(three, rows, np.arange(40) % 3, np.ones((40, 1)))
    with pytest.raises(PermagridError, match="learner of 4 columns, found rows"):
        resampled(forest, rows, target, np.ones((40, 1))).predict(rows[:, :3])
