"""Out-of-fold predictions are honest, the same for any number of workers, and scored when pooled."""

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from permagrid.errors import PermagridError
from permagrid.learners import LEARNERS, build_learner
from permagrid.validation import FOLDS, Candidate, Folds, Problem, compare, out_of_fold

SMALL = {
    "random_forest": {"n_estimators": 12},
    "gradient_boosting": {"max_iter": 15, "min_samples_leaf": 5},
    "climate_linear": {},
}
VALUE, CLASS = Problem("temperature", "value"), Problem("presence", "class")


def table(n=240, *, classes=None, seed=0):
    random = np.random.default_rng(seed)
    site = np.repeat(np.arange(n // 3), 3)
    cold, wet = random.normal(0, 1, n // 3)[site], random.normal(0, 1, n)
    value = 2 * cold + wet + random.normal(0, 0.5, n)
    if classes is not None:
        value = np.searchsorted(np.quantile(value, np.arange(1, classes) / classes), value).astype(float)
    return pd.DataFrame(
        {
            "site_id": [f"s{number}" for number in site],
            "site_group": site,
            "epoch": np.tile(["1980-1984", "1985-1989", "1990-1994"], n // 3),
            "longitude": random.uniform(-180, 180, n // 3)[site],
            "latitude": random.uniform(60, 80, n // 3)[site],
            "cold": cold,
            "wet": wet,
            "value": value,
        }
    )


def candidates(task):
    return {
        name: Candidate(build_learner(name, task, 0, keywords), ("cold", "wet"))
        for name, keywords in SMALL.items()
    }


def soils(rows, seed=1):
    """Return rows with a class covariate, one class of which a single place has to itself."""
    codes = np.random.default_rng(seed).choice([3.0, 7.0, 8.0], rows["site_group"].max() + 1)
    codes[5] = 99.0
    return rows.assign(soil=codes[rows["site_group"]])


@pytest.mark.parametrize("method", ["random", "site"])
def test_a_class_that_is_held_out_is_unknown_to_the_learner_and_counted(method):
    rows = soils(table())
    folds = FOLDS[method](rows, n_folds=5)
    seen = ("cold", "soil")
    linear = build_learner("climate_linear", "value", 0, {}, covariates=seen, classes=("soil",))
    mine = out_of_fold(Candidate(linear, seen, ("soil",)), rows, folds)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(("passthrough", ["cold"]), (encoder, ["soil"]))
    theirs = make_pipeline(columns, StandardScaler(), LinearRegression())
    expected = cross_val_predict(theirs, rows[["cold", "soil"]], rows["value"], cv=folds)
    np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-9)
    candidates = {"kept apart": Candidate(linear, seen, ("soil",)), "as codes": Candidate(linear, seen)}
    scores = compare(rows, candidates, [FOLDS["site"](rows, n_folds=5)], problem=VALUE, draws=50).scores
    assert scores["n_unseen_class"].tolist() == [3, 0]


class Remembers(RegressorMixin, BaseEstimator):
    """Knows by heart what it was shown, and says -1 for all else."""

    def fit(self, X, y):
        self.known_ = {row.tobytes(): value for row, value in zip(X, y, strict=True)}
        return self

    def predict(self, X):
        return np.array([self.known_.get(row.tobytes(), -1.0) for row in X])


def test_a_model_never_sees_the_rows_that_it_is_tested_on():
    rows = table().assign(value=1.0)
    for method, keywords in {"random": {}, "site": {}, "block": {"size": 1e6}}.items():
        predicted = out_of_fold(
            Candidate(Remembers(), ("cold", "wet")), rows, FOLDS[method](rows, **keywords)
        )
        assert (predicted == -1.0).all()


def test_predictions_of_values_are_those_of_scikit_learn():
    rows = table()
    folds = FOLDS["site"](rows, n_folds=5)
    mine = out_of_fold(Candidate(LinearRegression(), ("cold", "wet")), rows, folds)
    theirs = cross_val_predict(LinearRegression(), rows[["cold", "wet"]].to_numpy(), rows["value"], cv=folds)
    np.testing.assert_allclose(mine, theirs)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_predictions_of_classes_are_those_of_scikit_learn(n_classes):
    rows = table(classes=n_classes)
    folds = FOLDS["site"](rows, n_folds=5)
    forest = RandomForestClassifier(10, random_state=0)
    codes = np.unique(rows["value"].to_numpy())
    mine = out_of_fold(Candidate(forest, ("cold", "wet")), rows, folds, classes=codes)
    X = rows[["cold", "wet"]].to_numpy()
    theirs = cross_val_predict(forest, X, rows["value"], cv=folds, method="predict_proba")
    np.testing.assert_allclose(mine, theirs)


def test_a_class_that_a_fold_never_saw_has_probability_zero():
    rows = table(classes=2).iloc[:9].reset_index(drop=True)
    rows["value"] = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    folds = FOLDS["site"](rows, n_folds=3)
    raw = out_of_fold(
        Candidate(RandomForestClassifier(5, random_state=0), ("cold", "wet")),
        rows,
        folds,
        classes=np.array([0.0, 1.0, 2.0]),
    )
    # Each site is a class of its own: the class of a row is never known to its model.
    assert (raw[np.arange(9), rows["value"].astype(int)] == 0.0).all()
    np.testing.assert_allclose(raw.sum(axis=1), 1.0)


def test_a_fold_trained_on_one_class_says_that_class():
    rows = table(classes=2).iloc[:6].reset_index(drop=True)
    rows["value"] = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    folds = FOLDS["site"](rows, n_folds=2)
    raw = out_of_fold(candidates("class")["climate_linear"], rows, folds, classes=np.array([0.0, 1.0]))
    assert raw.tolist() == [[0.0, 1.0]] * 3 + [[1.0, 0.0]] * 3


@pytest.mark.parametrize("name", LEARNERS.names())
@pytest.mark.parametrize("n_classes", [None, 2, 3])
def test_workers_change_no_bit(name, n_classes):
    rows = table(classes=n_classes)
    chosen = candidates("value" if n_classes is None else "class")[name]
    folds = FOLDS["site"](rows, n_folds=6)
    codes = None if n_classes is None else np.unique(rows["value"].to_numpy())
    one, two, four = (out_of_fold(chosen, rows, folds, classes=codes, workers=w) for w in (1, 2, 4))
    assert one.tobytes() == two.tobytes() == four.tobytes()
    assert np.isfinite(one).all()


def test_scores_are_pooled_over_folds():
    rows = table()
    schemes = [FOLDS["random"](rows), FOLDS["site"](rows), FOLDS["block"](rows, size=1.5e6)]
    found = compare(rows, candidates("value"), schemes, problem=VALUE, draws=100)
    assert len(found.scores) == 9
    assert len(found.predictions) == 9 * len(rows)
    for _, score in found.scores.iterrows():
        mine = found.predictions
        mine = mine[(mine["learner"] == score["learner"]) & (mine["folds"] == score["folds"])]
        assert score["rmse"] == pytest.approx(root_mean_squared_error(mine["observed"], mine["predicted"]))
        assert score["r2"] == pytest.approx(r2_score(mine["observed"], mine["predicted"]))
        assert score["rmse_low"] <= score["rmse"] <= score["rmse_high"]
        assert (score["n"], score["n_sites"]) == (240, 80)
    numbers = found.predictions.groupby("folds")["fold"].nunique()
    assert numbers.to_dict() == {scheme.name: len(scheme) for scheme in schemes}


def test_random_folds_flatter_where_rows_of_a_site_are_alike():
    rows = table()
    schemes = [FOLDS["random"](rows), FOLDS["site"](rows)]
    found = compare(
        rows,
        {
            "forest": Candidate(
                build_learner("random_forest", "value", 0, {"n_estimators": 40}), ("longitude", "latitude")
            )
        },
        schemes,
        problem=VALUE,
        draws=50,
    )
    by_folds = found.scores.set_index("folds")["rmse"]
    assert by_folds["random"] < 0.8 * by_folds["site"]


@pytest.mark.parametrize(
    ("n_classes", "columns"), [(2, ["probability"]), (3, [f"probability_{k}" for k in range(3)])]
)
def test_class_predictions_carry_probabilities(n_classes, columns):
    rows = table(classes=n_classes)
    found = compare(rows, candidates("class"), [FOLDS["site"](rows)], problem=CLASS, draws=50)
    shares = found.predictions[columns].to_numpy()
    assert ((shares >= 0) & (shares <= 1)).all()
    guess = shares.argmax(axis=1) if n_classes == 3 else (shares[:, 0] > 0.5)
    assert (found.predictions["predicted"] == guess).mean() > 0.99
    assert (found.scores["accuracy"] > 1.2 / n_classes).all()
    assert {"kappa", "roc_auc", "brier_low", "mcc_high"} <= set(found.scores)


def test_what_is_remembered_is_not_computed_again():
    rows = table()
    asked = []

    def remember(learner, folds, make):
        asked.append((learner, folds))
        return np.zeros(len(rows))

    compare(rows, candidates("value"), [FOLDS["site"](rows)], problem=VALUE, draws=50, remember=remember)
    assert asked == [(name, "site") for name in SMALL]


def test_after_a_failure_the_folds_that_wait_are_not_fitted():
    rows, fitted = table(), []

    class Fails(Remembers):
        def fit(self, X, y):
            fitted.append(len(y))
            time.sleep(0.02)
            raise PermagridError("cannot be fitted")

    folds = FOLDS["site"](rows, n_folds=40)
    with pytest.raises(PermagridError, match="cannot be fitted"):
        out_of_fold(Candidate(Fails(), ("cold", "wet")), rows, folds, workers=2)
    assert len(fitted) < 40


def test_random_folds_alone_are_refused():
    rows = table()
    with pytest.raises(PermagridError, match="random folds never stand alone"):
        compare(rows, candidates("value"), [FOLDS["random"](rows)], problem=VALUE)


def test_schemes_of_one_name_are_refused():
    rows = table()
    schemes = [FOLDS["block"](rows, size=1e6), FOLDS["block"](rows, size=1e6, n_folds=3)]
    with pytest.raises(PermagridError, match="two schemes have one name among block_1000km, block_1000km"):
        compare(rows, candidates("value"), schemes, problem=VALUE)


def test_one_class_is_refused():
    rows = table().assign(value=1.0)
    with pytest.raises(PermagridError, match="all 240 rows are of class 1; two are needed"):
        compare(rows, candidates("class"), [FOLDS["site"](rows)], problem=CLASS)


def test_folds_that_miss_a_row_are_refused():
    rows = table().iloc[:4]
    pairs = ((np.array([2, 3]), np.array([0])), (np.array([0]), np.array([2, 3])))
    scheme = Folds("own", "by hand", pairs, np.array([0, 0, 1, 1]))
    with pytest.raises(PermagridError, match="own must test each of 4 rows exactly once"):
        out_of_fold(Candidate(LinearRegression(), ("cold",)), rows, scheme)
