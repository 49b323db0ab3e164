"""Room of the ensemble: several learners joined into one predictive distribution, and its members."""

from permagrid.ensemble.anchoring import keep_what_holds
from permagrid.ensemble.block_bootstrap import block_weights
from permagrid.ensemble.class_mixture import ClassMixture, fit_class_mixture
from permagrid.ensemble.classifier import BMAClassifier
from permagrid.ensemble.copula_fit import FittedCopula, fit_copula, goodness_of_fit
from permagrid.ensemble.copula_mixture import CopulaMixture, fit_copula_mixture
from permagrid.ensemble.copulas import FAMILIES, Copula
from permagrid.ensemble.field import CorrelatedField
from permagrid.ensemble.gaussian_mixture import GaussianMixture, fit_gaussian_mixture
from permagrid.ensemble.marginals import Marginal, NormalMarginal
from permagrid.ensemble.mixture import Mixture
from permagrid.ensemble.regressor import CopulaBMARegressor
from permagrid.ensemble.tables import MixtureTables
from permagrid.ensemble.weights import em_weights

__all__ = [
    "FAMILIES",
    "BMAClassifier",
    "ClassMixture",
    "Copula",
    "CopulaBMARegressor",
    "CopulaMixture",
    "CorrelatedField",
    "FittedCopula",
    "GaussianMixture",
    "Marginal",
    "Mixture",
    "MixtureTables",
    "NormalMarginal",
    "block_weights",
    "em_weights",
    "fit_class_mixture",
    "fit_copula",
    "fit_copula_mixture",
    "fit_gaussian_mixture",
    "goodness_of_fit",
    "keep_what_holds",
]
