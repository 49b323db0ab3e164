"""The learner of a small neural network, whose answer for a row does not depend on the rows beside it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from permagrid.learners.chain import scaled
from permagrid.learners.ranges import Balance, above_zero, at_least, for_classes_only, whole_numbers
from permagrid.learners.row_wise import layer, softmax
from permagrid.learners.setting import LEARNERS, Setting
from permagrid.learners.support_vectors import ScaledTarget
from permagrid.learners.training import asked, training
from permagrid.learners.traits import traits

Float = NDArray[np.float64]


@LEARNERS.register
@traits(space={"hidden": ((8,), (32,), (16, 8)), "alpha": (1.0, 10.0, 100.0)}, weights=True)
def multilayer_perceptron(
    setting: Setting,
    *,
    hidden: Sequence[int] = (16,),
    alpha: float = 10.0,
    max_iter: int = 300,
    class_weight: Balance = None,
) -> Any:
    """Return a neural network of hyperbolic tangents (Rumelhart et al. 1986, doi:10.1038/323533a0).

    Covariates and values have mean 0 and standard deviation 1 within it.

    Parameters
    ----------
    setting
        What it is built for.
    hidden
        Units of each hidden layer.
    alpha
        Penalty of half the sum of squared weights, against the sum of the losses of rows.
    max_iter
        Most steps of the optimisation (L-BFGS), which may well end before it has settled.
    class_weight
        ``balanced`` weighs classes by their inverse frequency; for classes only.

    Raises
    ------
    PermagridError
        If a keyword is out of its range, or `class_weight` is given for values.
    """
    learner = "multilayer_perceptron"
    whole_numbers(learner, 1, hidden=hidden)
    above_zero(learner, alpha=alpha)
    at_least(learner, 1, max_iter=max_iter)
    for_classes_only(learner, setting, class_weight=class_weight)
    shared: dict[str, Any] = {"alpha": alpha, "max_iter": max_iter, "random_state": setting.seed}
    if setting.task == "value":
        return scaled(ScaledTarget(NetworkRegressor(tuple(hidden), **shared)))
    return scaled(NetworkClassifier(tuple(hidden), class_weight=class_weight, **shared))


class _Network(BaseEstimator):  # type: ignore[misc]
    """A network of fully joined layers.

    Parameters
    ----------
    hidden
        Units of each hidden layer.
    alpha
        Penalty of half the sum of squared weights.
    max_iter
        Most steps of the optimisation.
    class_weight
        ``balanced`` weighs classes by their inverse frequency; for classes only.
    random_state
        Seed of the first weights.

    Attributes
    ----------
    layers_
        Weights, shape ``(inputs, outputs)``, and intercepts of each layer.
    loss_
        Loss at the end.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (16,),
        *,
        alpha: float = 10.0,
        max_iter: int = 300,
        class_weight: Balance = None,
        random_state: int = 0,
    ) -> None:
        self.hidden, self.alpha, self.max_iter = hidden, alpha, max_iter
        self.class_weight, self.random_state = class_weight, random_state

    def _train(self, X: Float, target: Float, weights: Float, *, is_class: bool) -> None:
        sizes = (X.shape[1], *self.hidden, target.shape[1])
        random = np.random.default_rng(self.random_state)
        # Glorot and Bengio (2010): the spread of values stays as it is from layer to layer.
        first = [
            np.concatenate(
                [random.uniform(-1, 1, before * after) * (6 / (before + after)) ** 0.5, np.zeros(after)]
            )
            for before, after in pairwise(sizes)
        ]
        loss = Loss(X, target, weights, sizes, alpha=self.alpha, is_class=is_class)
        settings = {"maxiter": self.max_iter, "maxfun": 2 * self.max_iter}
        found = minimize(loss, np.concatenate(first), jac=True, method="L-BFGS-B", options=settings)
        self.layers_, self.loss_, self.n_iter_ = loss.layers(found.x), float(found.fun), int(found.nit)

    def _outputs(self, X: Float) -> Float:
        values = asked(self, X)
        for number, (weights, intercepts) in enumerate(self.layers_):
            values = layer(np.tanh(values) if number else values, weights, intercepts)
        return np.asarray(values)


class NetworkRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    """A network of values, by half the squared error; parameters as in `_Network`."""

    def fit(self, X: Float, y: Float, sample_weight: Float | None = None) -> "NetworkRegressor":
        """Find the weights of the network."""
        X, y, weights = training(self, X, y, sample_weight)
        self._train(X, y[:, np.newaxis], weights, is_class=False)
        return self

    def predict(self, X: Float) -> Float:
        """Return predictions, shape ``(n,)``."""
        return self._outputs(X)[:, 0]


class NetworkClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """A network of classes, by their log-likelihood; parameters as in `_Network`."""

    def fit(self, X: Float, y: NDArray[Any], sample_weight: Float | None = None) -> "NetworkClassifier":
        """Find the weights of the network."""
        X, y, weights = training(self, X, y, sample_weight)
        self._train(X, (y[:, np.newaxis] == self.classes_).astype(float), weights, is_class=True)
        return self

    def predict_proba(self, X: Float) -> Float:
        """Return probabilities of the classes, shape ``(n, classes)``."""
        return softmax(self._outputs(X))

    def predict(self, X: Float) -> NDArray[Any]:
        """Return the likeliest classes, shape ``(n,)``."""
        likeliest = self._outputs(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])


class Loss:
    """The penalised loss of a network, with its gradient by back-propagation.

    Parameters
    ----------
    rows, target, weights
        What is to be learned; of classes the target holds a column of 0 and 1 for each.
    sizes
        Numbers of inputs, of the units of each hidden layer, and of outputs.
    alpha
        Penalty of half the sum of squared weights.
    is_class
        Whether the loss is the negative log-likelihood of classes, instead of half the squared error.
    """

    def __init__(
        self,
        rows: Float,
        target: Float,
        weights: Float,
        sizes: Sequence[int],
        *,
        alpha: float,
        is_class: bool,
    ) -> None:
        self._rows, self._target, self._weights = rows, target, weights[:, np.newaxis]
        self._sizes, self._alpha, self._is_class = sizes, alpha, is_class

    def layers(self, numbers: Float) -> list[tuple[Float, Float]]:
        """Return weights and intercepts of each layer from all of them in a row."""
        found, at = [], 0
        for before, after in pairwise(self._sizes):
            weights = numbers[at : at + before * after].reshape(before, after)
            at += before * after
            found.append((weights, numbers[at : at + after]))
            at += after
        return found

    def __call__(self, numbers: Float) -> tuple[float, Float]:
        """Return the loss and its gradient."""
        layers, values = self.layers(numbers), [self._rows]
        for weights, intercepts in layers[:-1]:
            values.append(np.tanh(values[-1] @ weights + intercepts))
        outputs = values[-1] @ layers[-1][0] + layers[-1][1]
        if self._is_class:
            apart = outputs - outputs.max(axis=1, keepdims=True)
            logs = apart - np.log(np.exp(apart).sum(axis=1, keepdims=True))
            loss = -float((self._weights * self._target * logs).sum())
            error = self._weights * (np.exp(logs) - self._target)
        else:
            loss = 0.5 * float((self._weights * (outputs - self._target) ** 2).sum())
            error = self._weights * (outputs - self._target)
        gradient: list[Float] = []
        for (weights, _), inputs in zip(reversed(layers), reversed(values), strict=True):
            loss += 0.5 * self._alpha * float((weights**2).sum())
            slopes = inputs.T @ error + self._alpha * weights
            gradient = [slopes.ravel(), error.sum(axis=0), *gradient]
            error = (error @ weights.T) * (1.0 - inputs**2)
        return loss, np.concatenate(gradient)
