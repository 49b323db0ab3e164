"""Classes are learned within the estimator, as scikit-learn would, and unknown ones are none of the known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from every_learner import ANY_COLUMNS, EVERY, FEW
from permagrid.errors import PermagridError
from permagrid.learners import LEARNERS, ClassEncoder, Setting, build_learner, traits, traits_of
from permagrid.learners.traits import _TRAITS

COVARIATES, CLASSES = ("cold", "geology", "wet"), ("geology",)


@pytest.fixture(autouse=True)
def one_core():
    """Keep OpenMP from starting threads for a handful of rows."""
    with threadpool_limits(1):
        yield


def problem(n=300, *, seed=3, classes=(3.0, 5.0, 40.0, 41.0)):
    """Return rows whose value depends on the class, in no order of the codes."""
    random = np.random.default_rng(seed)
    geology = random.choice(classes, n)
    effect = dict(zip(classes, random.permutation(len(classes)) * 3.0, strict=True))
    X = np.stack([random.normal(0, 1, n), geology, random.normal(0, 1, n)], axis=1)
    y = X[:, 0] + np.array([effect[code] for code in geology]) + random.normal(0, 0.2, n)
    return X, y


def built(name, task="value", encoding=None):
    keywords = FEW.get(name, {})
    return build_learner(name, task, 0, keywords, covariates=COVARIATES, classes=CLASSES, encoding=encoding)


def reference(estimator):
    """Return the same estimator on the columns that scikit-learn's own encoder makes."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer([("a", "passthrough", [0]), ("b", encoder, [1]), ("c", "passthrough", [2])])
    return make_pipeline(columns, estimator)


def rows_with_strangers():
    X, y = problem()
    other, _ = problem(200, seed=8, classes=(3.0, 5.0, 6.0, 99.0))
    return X, y, other


@pytest.mark.parametrize(
    ("name", "estimator"),
    [
        (
            "random_forest",
            RandomForestRegressor(15, max_features=1 / 3, min_samples_leaf=1, random_state=0),
        ),
        ("climate_linear", make_pipeline(StandardScaler(), LinearRegression())),
    ],
)
def test_one_hot_is_that_of_scikit_learn(name, estimator):
    X, y, other = rows_with_strangers()
    mine = built(name).fit(X, y)
    theirs = reference(estimator).fit(X, y)
    for rows in (X, other):
        np.testing.assert_allclose(mine.predict(rows), theirs.predict(rows), rtol=1e-9, atol=1e-9)


def test_native_is_that_of_scikit_learn():
    X, y, other = rows_with_strangers()
    settings = {
        "max_iter": 20,
        "learning_rate": 0.2,
        "max_leaf_nodes": 15,
        "l2_regularization": 1.0,
        "early_stopping": False,
        "random_state": 0,
    }
    theirs = HistGradientBoostingRegressor(categorical_features=[1], **settings).fit(X, y)
    mine = built("gradient_boosting").fit(X, y)
    for rows in (X, other):
        np.testing.assert_array_equal(mine.predict(rows), theirs.predict(rows))


@pytest.mark.parametrize(("name", "task"), [(name, task) for name, task, count in EVERY if count != 3])
def test_only_codes_care_which_number_a_class_has(name, task):
    X, y = problem()
    y = y if task == "value" else (y > np.median(y)).astype(float)
    renamed = X.copy()
    # The same classes in the same order, at other distances: one-hot and native cannot tell.
    for code, other in {3.0: 1.0, 5.0: 2.0, 40.0: 3000.0, 41.0: 60000.0}.items():
        renamed[X[:, 1] == code, 1] = other
    for encoding in ("one_hot", None):
        one, two = (built(name, task, encoding).fit(rows, y) for rows in (X, renamed))
        ask = "predict_proba" if task == "class" else "predict"
        assert getattr(one, ask)(X).tobytes() == getattr(two, ask)(renamed).tobytes()
    numbers = [built(name, task, "codes").fit(rows, y).predict(X) for rows in (X, renamed)]
    assert (numbers[0] != numbers[1]).any() or name not in ("climate_linear", "support_vectors")


def test_a_linear_model_learns_classes_that_codes_hide():
    X, y = problem()
    one_hot, codes = (
        built("climate_linear", encoding=how).fit(X, y).score(X, y) for how in ("one_hot", "codes")
    )
    assert one_hot > 0.98
    assert codes < 0.9


@pytest.mark.parametrize("encoding", ["one_hot", None, "codes"])
@pytest.mark.parametrize(("name", "task", "n_classes"), EVERY)
def test_a_row_is_predicted_alike_alone_and_among_others(name, task, n_classes, encoding):
    X, y, other = rows_with_strangers()
    if n_classes:
        y = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes)).astype(float)
    model = built(name, task, encoding).fit(X, y)
    predict = model.predict_proba if task == "class" else model.predict
    whole = predict(other)
    other, whole = other[:60], whole[:60]
    assert np.isfinite(whole).all()
    for size in (1, 3, 7, 33):
        parts = np.concatenate([predict(other[at : at + size]) for at in range(0, len(other), size)])
        assert parts.tobytes() == whole.tobytes()


def test_which_classes_there_are_is_learned_from_the_training_rows_alone():
    X, y = problem()
    few = X[:, 1] != 41.0
    model = built("climate_linear").fit(X[few], y[few])
    assert model.named_steps["classes"].categories_[1].tolist() == [3.0, 5.0, 40.0]
    encoded = model.named_steps["classes"].transform(X[~few])
    assert (encoded[:, 1:4] == 0.0).all()
    np.testing.assert_array_equal(encoded[:, [0, 4]], X[~few][:, [0, 2]])
    assert is_classifier(clone(built("climate_linear", "class")))


@given(
    codes=st.lists(st.integers(0, 500), min_size=1, max_size=40),
    asked=st.lists(st.integers(0, 500), min_size=1, max_size=40),
)
def test_the_encoder_agrees_with_its_definition(codes, asked):
    train = np.stack([np.arange(len(codes), dtype=float), codes], axis=1)
    rows = np.stack([np.arange(len(asked), dtype=float), asked], axis=1)
    known = sorted(set(codes))
    hot = ClassEncoder((1,)).fit(train).transform(rows)
    native = ClassEncoder((1,), encoding="native").fit(train).transform(rows)
    np.testing.assert_array_equal(hot[:, 0], rows[:, 0])
    for row, number, code in zip(hot, native[:, 1], asked, strict=True):
        assert row[1:].tolist() == [float(code == one) for one in known]
        assert number == known.index(code) if code in known else np.isnan(number)


def test_more_classes_than_a_learner_has_room_for_are_named():
    X = np.stack([np.zeros(600), np.arange(600) % 300, np.ones(600)], axis=1).astype(float)
    with pytest.raises(
        PermagridError, match="geology has 300 classes at the sites, and the learner takes at most 255"
    ):
        built("gradient_boosting").fit(X, X[:, 1])
    assert built("gradient_boosting", encoding="one_hot").fit(X, X[:, 1]).predict(X).shape == (600,)


@pytest.mark.parametrize("name", ["random_forest", "climate_linear"])
def test_a_learner_without_a_way_of_its_own_says_so(name):
    with pytest.raises(
        PermagridError, match=f"{name} has no way of its own for classes; allowed .*: one_hot, codes"
    ):
        built(name, encoding="native")


def test_a_learner_of_another_package_gets_its_classes_too(monkeypatch):
    def boosted_elsewhere(setting, *, trees: int = 5):
        return HistGradientBoostingRegressor(max_iter=trees, random_state=setting.seed)

    def linear_elsewhere(setting):
        return LinearRegression()

    for learner in (boosted_elsewhere, linear_elsewhere):
        monkeypatch.setitem(LEARNERS._functions, learner.__name__, learner)
    X, y = problem()
    boosted = built("boosted_elsewhere").fit(X, y)
    assert boosted.named_steps["learner"].get_params()["categorical_features"] == [1]
    assert built("linear_elsewhere").fit(X, y).named_steps["learner"].coef_.shape == (6,)


def test_without_classes_the_estimator_is_what_it_was():
    plain = build_learner("random_forest", "value", 0, {}, covariates=COVARIATES)
    assert isinstance(plain, RandomForestRegressor)
    assert isinstance(built("random_forest", encoding="codes"), RandomForestRegressor)


NATIVE = ["additive_model", "gradient_boosting", "lightgbm", "xgboost"]


@pytest.mark.parametrize("name", [name for name in NATIVE if name in ANY_COLUMNS])
def test_a_way_of_its_own_learns_classes_and_gives_strangers_an_answer(name):
    X, y, other = rows_with_strangers()
    model = built(name).fit(X, y)
    assert model.named_steps["classes"].encoding == "native"
    assert model.score(X, y) > 0.9
    predicted = model.predict(other)
    assert np.isfinite(predicted).all()
    # Two classes that are both unknown are alike.
    one, two = other.copy(), other.copy()
    one[:, 1], two[:, 1] = 6.0, 99.0
    assert model.predict(one).tobytes() == model.predict(two).tobytes()


@pytest.mark.parametrize("name", [name for name in ANY_COLUMNS if name not in NATIVE])
def test_the_others_say_that_they_have_none(name):
    task = "value" if (name, "value", None) in EVERY else "class"
    with pytest.raises(PermagridError, match="has no way of its own"):
        built(name, task, "native")


def test_a_learner_that_knows_its_covariates_by_name_is_told_of_classes_and_left_alone(monkeypatch):
    @traits(by_name=True)
    def knows(setting):
        return setting

    monkeypatch.setitem(LEARNERS._functions, "knows", knows)
    monkeypatch.setitem(_TRAITS, "knows", traits_of("knows"))
    assert built("knows") == Setting("value", 0, COVARIATES, CLASSES)
    assert built("knows", encoding="codes").classes == ()
    with pytest.raises(PermagridError, match=r"knows has its own way for classes; allowed .*: native, codes"):
        built("knows", encoding="one_hot")
