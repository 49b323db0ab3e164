"""Model averaging of classifiers: scikit-learn's contract, weights of unseen rows, classes folds lack."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from permagrid.ensemble import BMAClassifier, ClassMixture, em_weights
from permagrid.ensemble.defaults import default_classifiers
from permagrid.ensemble.out_of_fold import weight_keyword
from permagrid.errors import PermagridError

LEARNERS = [("bayes", GaussianNB()), ("tree", DecisionTreeClassifier(max_depth=3, random_state=0))]


def rows(count: int = 150, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    features = draw.random((count, 3))
    score = 4.0 * features[:, 0] + 2.0 * features[:, 1] + 0.7 * draw.normal(size=count)
    return features, np.array(["poor", "rich", "ice"])[np.digitize(score, [2.2, 3.8])]


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@parametrize_with_checks([BMAClassifier(LEARNERS, cv=2)])
def test_the_contract_of_scikit_learn_holds(estimator, check):
    check(estimator)


def test_probabilities_are_the_weighted_mean_of_those_of_the_learners():
    features, ice = rows()
    model = BMAClassifier(LEARNERS, cv=4).fit(features, ice)
    asked, truth = rows(200, seed=1)
    proba = model.predict_proba(asked)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    each = [clone(learner).fit(features, ice).predict_proba(asked) for _, learner in LEARNERS]
    np.testing.assert_allclose(proba, model.weights_[0] * each[0] + model.weights_[1] * each[1], atol=1e-12)
    assert list(model.classes_) == ["ice", "poor", "rich"]
    assert np.mean(model.predict(asked) == truth) > 0.6
    assert isinstance(model.mixture_, ClassMixture)
    assert [told["name"] for told in model.describe()["learners"]] == ["bayes", "tree"]
    assert log_loss(truth, proba, labels=model.classes_) < max(
        log_loss(truth, one, labels=model.classes_) for one in each
    )


def test_weights_are_those_of_probabilities_of_unseen_rows():
    features, ice = rows()
    pairs = [(np.arange(75), np.arange(75, 150)), (np.arange(75, 150), np.arange(75))]
    learners = [*LEARNERS, ("memory", KNeighborsClassifier(1)), ("shares", DummyClassifier(strategy="prior"))]
    model = BMAClassifier(learners, cv=pairs).fit(features, ice)
    codes = np.unique(ice, return_inverse=True)[1]
    densities = np.empty((150, 4))
    for train, test in pairs:
        for k, (_, learner) in enumerate(learners):
            said = clone(learner).fit(features[train], codes[train]).predict_proba(features[test])
            densities[test, k] = said[np.arange(75), codes[test]]
    np.testing.assert_allclose(model.weights_, em_weights(np.maximum(densities, 1e-9)), atol=1e-7)
    # In-sample the learner that remembers would have all the weight.
    assert model.weights_[2] < 0.3


def test_a_class_that_a_fold_cannot_learn_has_no_probability_there():
    features, ice = rows()
    rare = ice.copy()
    rare[:10] = "massive"
    pairs = [(np.arange(10, 150), np.arange(10)), (np.arange(75), np.arange(75, 150))]
    model = BMAClassifier(LEARNERS, cv=pairs).fit(features, rare)
    assert model.predict_proba(features).shape == (150, 4)
    assert model.weights_.sum() == pytest.approx(1.0)


def test_groups_and_weights_are_kept():
    features, ice = rows()
    groups = np.repeat(np.arange(3), 50)
    model = BMAClassifier(LEARNERS, cv=3)
    by_groups = clone(model).fit(features, ice, groups=groups).weights_
    pairs = [(np.flatnonzero(groups != g), np.flatnonzero(groups == g)) for g in range(3)]
    np.testing.assert_allclose(by_groups, clone(model).set_params(cv=pairs).fit(features, ice).weights_)
    counts = np.where(np.arange(150) < 100, 1.0, 0.0)
    told = clone(model).fit(features, ice, sample_weight=counts).predict_proba(features)
    assert np.all(np.isfinite(told))
    with pytest.raises(PermagridError, match="learner 'near' takes no sample_weight"):
        BMAClassifier([("near", KNeighborsClassifier())]).fit(features, ice, sample_weight=counts)


def test_default_learners_work_together():
    features, ice = rows(90)
    small = [
        (name, learner.set_params(n_estimators=10) if "n_estimators" in learner.get_params() else learner)
        for name, learner in default_classifiers(0)
    ]
    assert all(weight_keyword(learner) for _, learner in small)
    model = BMAClassifier(small, cv=3).fit(features, ice)
    assert np.mean(model.predict(features) == ice) > 0.6


@pytest.mark.parametrize(
    ("learner", "message"),
    [
        (LinearSVC(), "learner 'bad' failed to predict in fold 1 of 3: .*predict_proba"),
        (LogisticRegression(C=-1.0), "learner 'bad' failed in fold 1 of 3: .*C"),
    ],
)
def test_a_learner_that_fails_is_named(learner, message):
    with pytest.raises(PermagridError, match=message):
        BMAClassifier([*LEARNERS, ("bad", learner)], cv=3).fit(*rows())


def test_one_class_is_none():
    features, _ = rows(20)
    with pytest.raises(PermagridError, match="one class only, ice"):
        BMAClassifier(LEARNERS).fit(features, np.repeat("ice", 20))
