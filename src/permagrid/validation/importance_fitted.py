"""What covariates are worth within a fitted learner: by Shapley values, and by what their splits brought."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError
from permagrid.validation.candidate import Fitted
from permagrid.validation.importance import Units, bootstrapped, canonical_order, ranked, units_of

Float = NDArray[np.float64]
Index = NDArray[np.int_]


def fitted_importance(
    fitted: Fitted,
    table: pd.DataFrame,
    *,
    groups: Units | None = None,
    rows: int = 100,
    background: int = 32,
    seed: int = 0,
) -> pd.DataFrame:
    """Return what covariates are worth to a fitted learner, in the rows that it was fitted to.

    It tells what the learner uses, not what it is right to use: of a learner that knows its rows by heart,
    noise is worth something too. What predictions of new places gain, `permutation_importance` tells.

    Parameters
    ----------
    fitted
        The learner.
    table
        The rows that it was fitted to, with ``site_group`` if the interval is to draw sites.
    groups
        Name -> covariates that are told together; each covariate by itself if left out. Those that the
        learner did not choose are left out.
    rows
        Most rows that are explained, spread evenly over all in the order of their positions.
    background
        Most rows that stand for not knowing a covariate, spread likewise.
    seed
        Seed of the orders in which covariates become known, and of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        As `permutation_importance`, with ``all rows`` for ``folds``. Method ``shap``: the mean absolute
        Shapley value, in the unit of the target or in probability (of the second of two classes; of more,
        the mean over classes), with its interval from draws of sites. Method ``impurity``, where the learner
        is made of trees that tell it: the share of a covariate in what all splits brought, which favours
        covariates of many values whether they say anything or not (Strobl et al. 2007,
        doi:10.1186/1471-2105-8-25); it has no interval.

    Raises
    ------
    PermagridError
        If a group is empty or names what the learner does not see, there are no rows, or `rows` or
        `background` is below 1.

    Notes
    -----
    Shapley values as `shapley_values` finds them, for any learner by one definition, so that learners can be
    compared.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from permagrid.validation.candidate import Candidate, fit
    >>> rows = pd.DataFrame({"air": [0.0, 1, 2, 3], "snow": [1.0, 0, 0, 1], "value": [0.0, 2, 4, 6]})
    >>> found = fitted_importance(fit(Candidate.of(LinearRegression(), ["air", "snow"]), rows), rows)
    >>> found[["group", "method", "rank"]].values.tolist(), found["importance"].round(6).tolist()
    ([['air', 'shap', 1], ['snow', 'shap', 2]], [2.0, 0.0])
    """
    if min(rows, background) < 1 or not len(table):
        raise PermagridError(
            f"importance: at least one row is to be explained by at least one other; found {len(table)} "
            f"rows, rows {rows} and background {background}"
        )
    units = units_of(fitted.covariates, groups)
    order = canonical_order(table, fitted.covariates)
    explained, others = _spread(order, rows), _spread(order, background)
    columns = table[list(fitted.covariates)].to_numpy(float)
    places = [[fitted.covariates.index(name) for name in members] for members in units.values()]
    with threadpool_limits(1):
        found, _ = shapley_values(_predictions(fitted), columns[explained], columns[others], places, seed)
    sites = table["site_group"].to_numpy() if "site_group" in table else np.arange(len(table))
    size = np.abs(found).mean(axis=2).T
    measure = "probability" if hasattr(fitted.estimator, "classes_") else "value"
    labels = {"folds": "all rows", "method": "shap", "measure": measure}
    parts = [ranked(units, *bootstrapped(size, list(units), sites[explained], seed), labels)]
    shares = impurity(fitted, table)
    if shares is not None:
        worth = {
            name: float(sum(shares[place] for place in at)) for name, at in zip(units, places, strict=True)
        }
        parts.append(ranked(units, worth, None, labels | {"method": "impurity", "measure": "share"}))
    return pd.concat(parts, ignore_index=True)


def shapley_values(
    predict: Callable[[Float], Float],
    rows: Float,
    background: Float,
    units: Sequence[Sequence[int]],
    seed: int,
) -> tuple[Float, Float]:
    """Return how the predictions of rows divide among what is known of them.

    Parameters
    ----------
    predict
        Gives predictions of rows, shape ``(n, outputs)``, of rows with their columns.
    rows
        Rows to be explained, shape ``(m, columns)``.
    background
        Rows whose values stand for what is not known, shape ``(b, columns)``.
    units
        Columns that become known together.
    seed
        Seed of the orders.

    Returns
    -------
    tuple
        Shapley values, shape ``(m, units, outputs)``, and the mean prediction of the background, shape
        ``(outputs,)``. The values of a row add up to its prediction less that mean, but for columns that
        are in no unit, which keep the background's values.

    Notes
    -----
    Štrumbelj and Kononenko (2014), doi:10.1007/s10115-013-0679-x, with antithetic orders (Mitchell et al.
    2022, Sampling permutations for Shapley value estimation, JMLR 23(43)): for each row of the background,
    units become known in an order drawn by chance and then in its reverse, for each row by itself. The
    change of the prediction at its turn is the value of a unit. The mean over all orders would be exact for
    this background; what chance is left falls with the root of the background's size.

    Examples
    --------
    >>> product = lambda rows: rows[:, :1] * rows[:, 1:]
    >>> values, mean = shapley_values(product, np.array([[2.0, 3.0]]), np.zeros((1, 2)), [[0], [1]], seed=0)
    >>> values[0, :, 0].tolist(), mean.tolist()
    ([3.0, 3.0], [0.0])
    """
    generator = np.random.default_rng(seed)
    count = len(units)
    member = np.zeros((count, rows.shape[1]), dtype=bool)
    for unit, columns in enumerate(units):
        member[unit, list(columns)] = True
    first = predict(background)
    total = np.zeros((len(rows), count, first.shape[1]))
    here = np.arange(len(rows))
    for other in background:
        forth = generator.permuted(np.tile(np.arange(count), (len(rows), 1)), axis=1)
        for turns in (forth, forth[:, ::-1]):
            known = np.zeros(rows.shape, dtype=bool)
            steps = [np.where(known, rows, other)]
            for turn in range(count):
                known = known | member[turns[:, turn]]
                steps.append(np.where(known, rows, other))
            # All steps at once, as most of the time of a prediction goes before its first row.
            predicted = predict(np.concatenate(steps)).reshape(count + 1, len(rows), -1)
            for turn in range(count):
                total[here, turns[:, turn]] += predicted[turn + 1] - predicted[turn]
    return total / (2.0 * len(background)), first.mean(axis=0)


def impurity(fitted: Fitted, table: pd.DataFrame) -> list[float] | None:
    """Return the share of each covariate in what the splits of trees brought, None of other learners.

    Parameters
    ----------
    fitted
        The learner.
    table
        The rows that it was fitted to: a covariate of classes has as many columns as it has classes there.
    """
    steps = [step for _, step in getattr(fitted.estimator, "steps", [("", fitted.estimator)])]
    told = getattr(steps[-1], "feature_importances_", None)
    if told is None:
        return None
    columns = table[list(fitted.covariates)].to_numpy(float)
    widths = [step.widths(columns) for step in steps[:-1] if hasattr(step, "widths")]
    starts = np.cumsum([0, *(widths[0] if widths else [1] * len(fitted.covariates))])
    shares = np.asarray(told, dtype=float) / max(float(np.sum(told)), 1e-300)
    return [float(shares[start:end].sum()) for start, end in pairwise(starts)]


def tells_importances(estimator: Any) -> bool:
    """Return whether an estimator, not yet fitted, will say what `impurity` asks of it.

    Examples
    --------
    >>> from sklearn.ensemble import ExtraTreesRegressor
    >>> from sklearn.linear_model import Ridge
    >>> tells_importances(ExtraTreesRegressor()), tells_importances(Ridge())
    (True, False)
    """
    last = getattr(estimator, "steps", [("", estimator)])[-1][1]
    return hasattr(type(last), "feature_importances_")


def _predictions(fitted: Fitted) -> Callable[[Float], Float]:
    names: list[Any] = list(fitted.covariates)
    classes = getattr(fitted.estimator, "classes_", None)

    def predict(rows: Float) -> Float:
        frame = pd.DataFrame(rows, columns=names)
        if classes is None:
            return fitted.predict(frame)[:, np.newaxis]
        probability = fitted.predict_proba(frame, np.asarray(classes))
        return probability[:, 1:] if probability.shape[1] == 2 else probability

    return predict


def _spread(order: Index, most: int) -> Index:
    """Return at most so many row numbers, evenly spread over an order, from the middle of each share."""
    count = min(most, len(order))
    return np.asarray(order[((np.arange(count) + 0.5) * len(order) / count).astype(int)])
