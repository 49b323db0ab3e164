"""COP-BMA as an estimator: scikit-learn's contract, folds never in-sample, groups, weights, failures."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from permagrid.ensemble import CopulaBMARegressor, CopulaMixture, GaussianMixture
from permagrid.ensemble.defaults import default_regressors
from permagrid.ensemble.out_of_fold import weight_keyword
from permagrid.errors import PermagridError

LEARNERS = [("line", LinearRegression()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]
QUICK = {"families": ("gaussian",), "cv": 3}


def rows(count: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    features = draw.random((count, 3))
    ice = 40.0 * features[:, 0] + 15.0 * np.sin(6.0 * features[:, 1]) + 4.0 * draw.normal(size=count)
    return features, np.clip(ice, 0.0, 100.0)


@parametrize_with_checks([CopulaBMARegressor(LEARNERS, method="gaussian", cv=3)])
def test_the_contract_of_scikit_learn_holds(estimator, check):
    check(estimator)


@pytest.mark.parametrize("method", ["copula", "gaussian"])
def test_it_predicts_distributions_within_bounds(method):
    features, ice = rows()
    model = CopulaBMARegressor(LEARNERS, method=method, lower=0.0, upper=100.0, **QUICK).fit(features, ice)
    asked, truth = rows(200, seed=1)
    quantiles = model.predict_quantiles(asked, [0.05, 0.5, 0.95])
    assert quantiles.shape == (200, 3)
    assert quantiles.min() >= 0.0
    np.testing.assert_allclose(model.predict_interval(asked, 0.9), quantiles[:, [0, 2]], atol=1e-9)
    inside = np.mean((truth >= quantiles[:, 0]) & (truth <= quantiles[:, 2]))
    assert 0.8 < inside < 0.98
    np.testing.assert_allclose(
        model.predict_cdf(asked, quantiles[:, 1])[quantiles[:, 1] > 0.0], 0.5, atol=1e-3
    )
    assert np.mean((model.predict(asked) - truth) ** 2) < 0.4 * truth.var()
    assert model.score(asked, truth) > 0.6
    assert model.weights_.sum() == pytest.approx(1.0)
    assert isinstance(model.mixture_, CopulaMixture if method == "copula" else GaussianMixture)
    assert len(model.copulas_) == (2 if method == "copula" else 0)
    assert [told["name"] for told in model.describe()["learners"]] == ["line", "tree"]
    exact = clone(model).set_params(exact=True).fit(features, ice)
    np.testing.assert_allclose(exact.predict(asked), model.predict(asked), atol=0.03)
    np.testing.assert_allclose(exact.predict_quantiles(asked, [0.05, 0.5, 0.95]), quantiles, atol=0.05)


def test_the_mixture_learns_from_rows_that_clones_have_not_seen():
    features, ice = rows()
    folds = KFold(4)
    model = CopulaBMARegressor(LEARNERS, cv=folds, method="gaussian").fit(features, ice)
    order = np.argsort(model.out_of_fold_rows_)
    for k, (_, learner) in enumerate(LEARNERS):
        expected = cross_val_predict(clone(learner), features, ice, cv=folds)
        np.testing.assert_allclose(model.out_of_fold_[order, k], expected)
        # The last fit is of all rows.
        np.testing.assert_allclose(
            model.predict_learners(features)[:, k], clone(learner).fit(features, ice).predict(features)
        )
        assert not hasattr(learner, "n_features_in_")
    memory = CopulaBMARegressor([*LEARNERS, ("memory", KNeighborsRegressor(1))], cv=folds).fit(features, ice)
    # In-sample a learner that remembers would be perfect.
    assert memory.weights_[2] < 0.3


def test_groups_stay_whole_and_pairs_of_rows_are_taken_as_they_are():
    features, ice = rows()
    groups = np.repeat(np.arange(15), 6)
    seen = []

    class Watching(LinearRegression):
        def fit(self, X, y, sample_weight=None):
            seen.append(set(X[:, 0]))
            return super().fit(X, y)

    CopulaBMARegressor([("line", Watching())], cv=5, method="gaussian").fit(features, ice, groups=groups)
    assert len(seen) == 6
    for trained in seen[:5]:
        inside = np.array([value in trained for value in features[:, 0]])
        assert all(len(set(inside[groups == group])) == 1 for group in range(15))
    by_number = CopulaBMARegressor(LEARNERS, cv=5, method="gaussian").fit(features, ice, groups=groups)
    splits = list(GroupKFold(5).split(features, ice, groups))
    by_pairs = CopulaBMARegressor(LEARNERS, cv=splits, method="gaussian").fit(features, ice)
    np.testing.assert_array_equal(by_number.weights_, by_pairs.weights_)
    part = CopulaBMARegressor(LEARNERS, cv=splits[:2], method="gaussian").fit(features, ice)
    assert sorted(part.out_of_fold_rows_) == sorted(np.concatenate([test for _, test in splits[:2]]))
    twice = CopulaBMARegressor(LEARNERS, cv=splits * 2, method="gaussian").fit(features, ice)
    np.testing.assert_allclose(twice.weights_, by_pairs.weights_, atol=1e-6)


def test_parameters_stay_as_they_were_given_and_learners_are_reached_by_name():
    model = CopulaBMARegressor(LEARNERS, cv=3, families=["gaussian"])
    assert model.get_params(deep=False)["estimators"] is LEARNERS
    assert model.get_params()["tree__max_depth"] == 3
    changed = clone(model).set_params(tree__max_depth=2, line=Ridge())
    assert changed.get_params()["tree__max_depth"] == 2
    assert isinstance(changed.estimators[0][1], Ridge)
    assert LEARNERS[1][1].max_depth == 3
    assert CopulaBMARegressor().get_params()["estimators"] is None


def test_data_frames_reach_learners_that_pick_columns_by_name():
    features, ice = rows()
    frame = pd.DataFrame(features, columns=["slope", "ndvi", "snow"])
    picky = make_pipeline(make_column_transformer((StandardScaler(), ["slope", "ndvi"])), LinearRegression())
    model = CopulaBMARegressor([("picky", picky)], method="gaussian", cv=3).fit(frame, ice)
    assert list(model.feature_names_in_) == ["slope", "ndvi", "snow"]
    assert model.predict(frame.iloc[:4]).shape == (4,)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["ndvi", "slope", "snow"]])


def test_weights_reach_every_learner_and_the_mixture():
    features, ice = rows()
    spoilt = np.r_[ice, np.full(30, 99.0)]
    wide = np.r_[features, features[:30]]
    weights = np.r_[np.ones(90), np.full(30, 1e-9)]
    learners = [("line", make_pipeline(StandardScaler(), Ridge())), LEARNERS[1]]
    pairs = list(KFold(3, shuffle=True, random_state=0).split(wide))
    model = CopulaBMARegressor(learners, method="gaussian", cv=pairs)
    weighted = model.fit(wide, spoilt, sample_weight=weights).predict(features)
    careless = clone(model).fit(wide, spoilt).predict(features)
    assert np.mean((weighted - ice) ** 2) < 0.5 * np.mean((careless - ice) ** 2)
    with pytest.raises(PermagridError, match="learner 'near' takes no sample_weight"):
        CopulaBMARegressor([("near", KNeighborsRegressor())]).fit(features, ice, sample_weight=np.ones(90))
    with pytest.raises(PermagridError, match="90 finite numbers"):
        model.fit(features, ice, sample_weight=-np.ones(90))


def test_default_learners_take_weights_and_repeat_themselves():
    assert all(weight_keyword(learner) for _, learner in default_regressors(0))
    features, ice = rows(60)
    small = [
        (name, learner.set_params(n_estimators=10) if "n_estimators" in learner.get_params() else learner)
        for name, learner in default_regressors(0)
    ]
    assert [name for name, _ in small] == ["support_vectors", "additive", "random_forest", "lightgbm"]
    models = [CopulaBMARegressor(small, cv=3).fit(features, ice, sample_weight=np.ones(60)) for _ in range(2)]
    np.testing.assert_array_equal(models[0].predict(features), models[1].predict(features))
    assert models[0].score(*rows(60, seed=2)) > 0.5


class Broken(RegressorMixin, BaseEstimator):
    """Fails to fit, or predicts no number."""

    def __init__(self, how="fit"):
        self.how = how

    def fit(self, X, y):
        if self.how == "fit":
            raise RuntimeError("no convergence")
        self.fitted_ = True
        return self

    def predict(self, X):
        if self.how == "predict":
            raise ValueError("lost")
        return np.full(len(X), np.nan)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("fit", "learner 'bad' failed in fold 1 of 3: no convergence"),
        ("predict", "learner 'bad' failed to predict in fold 1 of 3: lost"),
        ("nan", "learner 'bad' predicted 30 values in fold 1 of 3 that are missing"),
    ],
)
def test_a_learner_that_fails_is_named(how, message):
    with pytest.raises(PermagridError, match=message):
        CopulaBMARegressor([*LEARNERS, ("bad", Broken(how))], cv=3).fit(*rows())


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"estimators": []}, "one or more pairs"),
        ({"estimators": [("a", Ridge()), ("a", Ridge())]}, "names are repeated among a, a"),
        ({"method": "magic"}, "neither copula nor gaussian"),
        ({"cv": 1}, "cv: "),
        ({"cv": 100}, "cv: "),
        ({"cv": [(np.arange(50), np.arange(40, 60))]}, "cv: fold 1 tests rows that it trains with"),
        ({"cv": [(np.arange(50), np.arange(0))]}, "fold 1 of 1 has no rows"),
        ({"upper": 1.0}, "beyond -inf to 1"),
        ({"families": ("gauss",)}, "gauss"),
    ],
)
def test_wrong_settings_are_told(keywords, message):
    with pytest.raises(PermagridError, match=message):
        CopulaBMARegressor(**{"estimators": LEARNERS, "cv": 3, **keywords}).fit(*rows())


def test_wrong_questions_are_told():
    features, ice = rows()
    model = CopulaBMARegressor(LEARNERS, **QUICK).fit(features, ice)
    with pytest.raises(PermagridError, match="interval of level 95"):
        model.predict_interval(features, 95)
    with pytest.raises(PermagridError, match="all 90 observed values are 0"):
        clone(model).fit(features, np.zeros(90))
    groups = np.repeat(np.arange(2), 45)
    with pytest.raises(PermagridError, match=r"cv: .*3.*groups"):
        clone(model).fit(features, ice, groups=groups)
