"""Out-of-fold predictions are honest, the same for any number of workers, and scored when pooled."""

import time
from dataclasses import replace

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
from permagrid.learners import build_learner
from permagrid.validation import (
    FOLDS,
    Candidate,
    Choice,
    Folds,
    Problem,
    compare,
    fit,
    out_of_fold,
    predict_all,
)
from permagrid.validation.out_of_fold import NoMemory

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
        name: Candidate.of(build_learner(name, task, 0, keywords), ("cold", "wet"))
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
    (mine,) = out_of_fold(Candidate.of(linear, seen, ("soil",)), rows, folds)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(("passthrough", ["cold"]), (encoder, ["soil"]))
    theirs = make_pipeline(columns, StandardScaler(), LinearRegression())
    expected = cross_val_predict(theirs, rows[["cold", "soil"]], rows["value"], cv=folds)
    np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-9)
    candidates = {"kept apart": Candidate.of(linear, seen, ("soil",)), "as codes": Candidate.of(linear, seen)}
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
            Candidate.of(Remembers(), ("cold", "wet")), rows, FOLDS[method](rows, **keywords)
        )
        assert (predicted == -1.0).all()


def test_predictions_of_values_are_those_of_scikit_learn():
    rows = table()
    folds = FOLDS["site"](rows, n_folds=5)
    (mine,) = out_of_fold(Candidate.of(LinearRegression(), ("cold", "wet")), rows, folds)
    theirs = cross_val_predict(LinearRegression(), rows[["cold", "wet"]].to_numpy(), rows["value"], cv=folds)
    np.testing.assert_allclose(mine, theirs)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_predictions_of_classes_are_those_of_scikit_learn(n_classes):
    rows = table(classes=n_classes)
    folds = FOLDS["site"](rows, n_folds=5)
    forest = RandomForestClassifier(10, random_state=0)
    codes = np.unique(rows["value"].to_numpy())
    (mine,) = out_of_fold(Candidate.of(forest, ("cold", "wet")), rows, folds, classes=codes)
    X = rows[["cold", "wet"]].to_numpy()
    theirs = cross_val_predict(forest, X, rows["value"], cv=folds, method="predict_proba")
    np.testing.assert_allclose(mine, theirs)


def test_a_class_that_a_fold_never_saw_has_probability_zero():
    rows = table(classes=2).iloc[:9].reset_index(drop=True)
    rows["value"] = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    folds = FOLDS["site"](rows, n_folds=3)
    (raw,) = out_of_fold(
        Candidate.of(RandomForestClassifier(5, random_state=0), ("cold", "wet")),
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
    (raw,) = out_of_fold(candidates("class")["climate_linear"], rows, folds, classes=np.array([0.0, 1.0]))
    assert raw.tolist() == [[0.0, 1.0]] * 3 + [[1.0, 0.0]] * 3


@pytest.mark.parametrize("name", list(SMALL))
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
            "forest": Candidate.of(
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


def test_what_is_kept_is_not_computed_again():
    rows, memory = table(), NoMemory()
    schemes = [FOLDS["site"](rows, n_folds=12)]
    first = predict_all(candidates("value"), rows, schemes, memory=memory)
    assert list(memory.pieces) == [(name, "site", piece) for name in SMALL for piece in (0, 1)]
    fails = {name: Candidate(fails_to_build, ("cold", "wet")) for name in SMALL}
    told = []
    again = predict_all(fails, rows, schemes, memory=memory, advance=lambda *counts: told.append(counts))
    assert {key: found.values.tobytes() for key, found in first.items()} == {
        key: found.values.tobytes() for key, found in again.items()
    }
    assert told == [(36, 36)]
    del memory.pieces["random_forest", "site", 1]
    with pytest.raises(PermagridError, match="not to be built"):
        predict_all(fails, rows, schemes, memory=memory)


def fails_to_build(keywords, covariates):
    raise PermagridError("not to be built")


def chooses_the_better(candidate, rows):
    """Choose the covariate that goes with the value, and note which rows were shown."""
    strength = {name: abs(np.corrcoef(rows[name], rows["value"])[0, 1]) for name in candidate.covariates}
    best = max(strength, key=strength.get)
    return Choice({"fit_intercept": len(rows) % 2 == 0}, (best,), pd.DataFrame({"sites": [len(rows)]}))


def test_a_learner_chooses_anew_in_every_fold_and_sees_only_what_it_chose():
    rows = table().assign(noise=np.random.default_rng(3).normal(size=240))
    whole = Candidate.of(LinearRegression(), ("noise", "cold"))
    candidate = replace(whole, choose=chooses_the_better)
    folds = FOLDS["site"](rows, n_folds=7)
    found = predict_all({"it": candidate}, rows, [folds])["it", "site"]
    assert len(found.choices) == 7
    assert {tuple(choice["covariates"]) for choice in found.choices} == {("cold",)}
    for (train, test), choice in zip(folds, found.choices, strict=True):
        model = LinearRegression(fit_intercept=choice["keywords"]["fit_intercept"])
        assert choice["keywords"]["fit_intercept"] == (len(train) % 2 == 0)
        model.fit(rows[["cold"]].to_numpy()[train], rows["value"].to_numpy()[train])
        np.testing.assert_allclose(found.values[0, test], model.predict(rows[["cold"]].to_numpy()[test]))


def test_weights_of_training_rows_reach_the_estimator():
    rows = table()
    doubled = rows["wet"] > 0
    weighed = replace(
        Candidate.of(LinearRegression(), ("cold", "wet")), weigh=lambda t: np.where(t["wet"] > 0, 2.0, 1.0)
    )
    twice = pd.concat([rows, rows[doubled]], ignore_index=True)
    expected = fit(Candidate.of(LinearRegression(), ("cold", "wet")), twice).predict(rows)
    np.testing.assert_allclose(fit(weighed, rows).predict(rows), expected)
    with pytest.raises(PermagridError, match="5 of them not above 0"):
        fit(replace(weighed, weigh=lambda t: np.arange(len(t)) - 4.0), rows)


def test_repeats_are_scored_one_by_one_and_averaged():
    rows = table()
    parts = [FOLDS["site"](rows, n_folds=4, seed=seed) for seed in (0, 1)]
    twice = Folds("twice", "by hand", sum((p.pairs for p in parts), ()), parts[0].groups, repeats=2)
    chosen = {"linear": Candidate.of(LinearRegression(), ("cold", "wet"))}
    found = compare(rows, chosen, [twice], problem=VALUE, draws=50)
    alone = [compare(rows, chosen, [part], problem=VALUE, draws=50) for part in parts]
    assert found.raw["linear", "twice"].values.shape == (2, len(rows))
    expected = np.mean([float(each.scores["rmse"].iloc[0]) for each in alone])
    assert float(found.scores["rmse"].iloc[0]) == pytest.approx(expected)
    for number, each in enumerate(alone):
        mine = found.predictions[found.predictions["repeat"] == number]
        np.testing.assert_allclose(mine["predicted"], each.predictions["predicted"])


def test_rows_that_no_fold_tests_are_neither_scored_nor_listed():
    rows = table()
    train, test = np.arange(60, 240), np.arange(30)
    half = Folds("half", "by hand", ((train, test),), rows["site_group"].to_numpy())
    found = compare(
        rows, {"linear": Candidate.of(LinearRegression(), ("cold",))}, [half], problem=VALUE, draws=50
    )
    assert len(found.predictions) == 30
    assert found.scores[["n", "n_sites"]].to_numpy().tolist() == [[30, 10]]
    mine = found.predictions
    assert float(found.scores["rmse"].iloc[0]) == pytest.approx(
        root_mean_squared_error(mine["observed"], mine["predicted"])
    )


def test_after_a_failure_the_folds_that_wait_are_not_fitted():
    rows, fitted = table(), []

    class Fails(Remembers):
        def fit(self, X, y):
            fitted.append(len(y))
            time.sleep(0.02)
            raise PermagridError("cannot be fitted")

    folds = FOLDS["site"](rows, n_folds=40)
    with pytest.raises(PermagridError, match="cannot be fitted"):
        out_of_fold(Candidate.of(Fails(), ("cold", "wet")), rows, folds, workers=2)
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


def test_folds_of_other_rows_are_refused():
    rows = table()
    folds = FOLDS["site"](rows.iloc[:120])
    with pytest.raises(PermagridError, match="site is of 120 rows, and there are 240"):
        out_of_fold(Candidate.of(LinearRegression(), ("cold",)), rows, folds)


def test_candidates_that_cannot_be_compared_are_refused_by_name():
    rows = table(30)
    folds = [FOLDS["site"](rows, n_folds=3)]
    with pytest.raises(PermagridError, match="no candidates"):
        compare(rows, {}, folds, problem=VALUE)
    wrong = {"line": Candidate.of(LinearRegression(), ["cold", "wett"])}
    with pytest.raises(PermagridError, match="line: the rows have no covariate 'wett': did you mean 'wet'"):
        compare(rows, wrong, folds, problem=VALUE)
    with pytest.raises(PermagridError, match=r"ridge: unknown keyword 'alpa'.*alpha"):
        build_learner("ridge", "value", 0, {"alpa": 1.0})
