"""The project's own estimators keep the rules of scikit-learn."""

import pytest
from sklearn.utils.estimator_checks import check_estimator
from threadpoolctl import threadpool_limits

from permagrid.learners.additive import AdditiveClassifier, AdditiveRegressor
from permagrid.learners.boosted import (
    LightGBMClassifier,
    LightGBMRegressor,
    XGBoostClassifier,
    XGBoostRegressor,
)
from permagrid.learners.discriminant import Discriminant
from permagrid.learners.gaussian_process import GaussianProcess
from permagrid.learners.network import NetworkClassifier, NetworkRegressor
from permagrid.learners.platt import PlattScaled
from permagrid.learners.quantile_forest import QuantileForest
from permagrid.learners.support_vectors import RowWiseLinearSVC, RowWiseSVR, ScaledTarget

TWICE = "check_sample_weight_equivalence_on_dense_data"
SEARCHED = {TWICE: "where the search ends is a matter of rounding"}
CASES = {
    "additive values": (AdditiveRegressor(5), SEARCHED),
    "additive values of one smoothness": (AdditiveRegressor(5, smoothing=1.0, shrink=True), {}),
    "additive classes": (AdditiveClassifier(5, smoothing=1.0), {}),
    "linear discriminant": (Discriminant(shrinkage=0.01), {}),
    "quadratic discriminant": (Discriminant("own", shrinkage=0.1), {}),
    "naive Bayes": (Discriminant("diagonal", shrinkage=0.01), {}),
    "Platt": (PlattScaled(RowWiseLinearSVC()), {TWICE: "folds are drawn"}),
    "scaled target": (ScaledTarget(RowWiseSVR()), {TWICE: "the machine stops within its tolerance"}),
    "network of values": (NetworkRegressor(alpha=0.1, max_iter=100), SEARCHED),
    "network of classes": (NetworkClassifier(alpha=0.1, max_iter=100), SEARCHED),
    "Gaussian process": (GaussianProcess(), {TWICE: "two rows say more of the noise than one of weight 2"}),
    "quantile forest": (QuantileForest(n_estimators=5, min_samples_leaf=1), {TWICE: "rows are drawn"}),
    "LightGBM values": (LightGBMRegressor(n_estimators=10), {TWICE: "leaves count rows"}),
    "LightGBM classes": (
        LightGBMClassifier({"min_data_in_leaf": 1}, n_estimators=10),
        {TWICE: "leaves count rows"},
    ),
    "XGBoost values": (XGBoostRegressor(n_estimators=10), {TWICE: "bins are found with rounding"}),
    "XGBoost classes": (XGBoostClassifier(n_estimators=10), {TWICE: "bins are found with rounding"}),
}
"""Name -> estimator, and the checks that it cannot pass with the reason."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", list(CASES))
def test_an_estimator_keeps_the_rules(case):
    if "XGBoost" in case:
        pytest.importorskip("xgboost")
    estimator, expected = CASES[case]
    with threadpool_limits(1):
        check_estimator(estimator, expected_failed_checks=expected, on_skip=None)
