"""Scikit-learn estimators as learners of a mixture: predictions of rows they have not seen, and last fits."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from lightgbm.basic import LightGBMError
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from permagrid.errors import PermagridError
from permagrid.grid import Float

Named = Sequence[tuple[str, Any]]
Pairs = list[tuple[NDArray[np.intp], NDArray[np.intp]]]

_FOLDS = 5
_FAILURES = (ArithmeticError, AttributeError, LightGBMError, LookupError, RuntimeError, TypeError, ValueError)


class OutOfFold(NamedTuple):
    """Predictions of rows by learners that were not trained with them."""

    rows: NDArray[np.intp]
    """Row of each prediction, shape ``(r,)``: a row as often as folds tested it."""
    predictions: Float
    """Shape ``(r, K, ...)``."""
    counts: Float
    """How much each counts, shape ``(r,)``: the predictions of a row make its weight together."""


def checked_estimators(estimators: Named) -> Named:
    """Return named estimators.

    Raises
    ------
    PermagridError
        If there are none, or names are missing or repeated.
    """
    pairs = list(estimators)
    if not pairs or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise PermagridError("estimators must be one or more pairs (name, estimator)")
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise PermagridError(f"estimators: names are repeated among {', '.join(map(str, names))}")
    return pairs


def fold_pairs(
    cv: Any, X: Any, y: NDArray[Any], groups: ArrayLike | None, *, classes: bool, seed: int | None
) -> Pairs:
    """Return pairs of training and test rows.

    Parameters
    ----------
    cv
        Number of folds (None: 5), a splitter of scikit-learn, or an iterable of pairs.
    X, y
        Features and target of all rows.
    groups
        Rows of one group are never on both sides, if `cv` is a number.
    classes
        Whether folds keep the shares of classes.
    seed
        Of the draw of folds, if `cv` is a number.

    Raises
    ------
    PermagridError
        If rows cannot be split so, a fold lacks rows, or shares rows with its training.
    """
    splitter = cv
    if cv is None or (isinstance(cv, int) and not isinstance(cv, bool)):
        many = _FOLDS if cv is None else cv
        kind = StratifiedKFold if classes else KFold
        try:
            splitter = GroupKFold(many) if groups is not None else kind(many, shuffle=True, random_state=seed)
        except ValueError as error:
            raise PermagridError(f"cv: {error}") from error
    try:
        found = list(check_cv(splitter, y, classifier=classes).split(X, y, groups))
    except ValueError as error:
        raise PermagridError(f"cv: {error}") from error
    pairs = [(_row_numbers(train, len(y)), _row_numbers(test, len(y))) for train, test in found]
    for number, (train, test) in enumerate(pairs):
        if len(train) == 0 or len(test) == 0:
            raise PermagridError(
                f"cv: fold {number + 1} of {len(pairs)} has no rows to train or to test with"
            )
        if len(np.intersect1d(train, test)):
            raise PermagridError(f"cv: fold {number + 1} tests rows that it trains with")
    return pairs


def out_of_fold(
    estimators: Named,
    X: Any,
    y: NDArray[Any],
    pairs: Pairs,
    *,
    sample_weight: Float | None,
    predict: Callable[[Any, Any], Float],
) -> OutOfFold:
    """Return what clones of estimators predict for test rows of folds, being trained with the others.

    Parameters
    ----------
    estimators
        Names and estimators, none of which is changed.
    X, y
        Features and target of all rows.
    pairs
        Training and test rows.
    sample_weight
        Of the rows, for training and in the mixture.
    predict
        ``predict(fitted, X)``, with results of any shape ``(n, ...)``.

    Raises
    ------
    PermagridError
        If a learner fails, or predicts what is not a number; it is named.
    """
    rows = np.concatenate([test for _, test in pairs])
    times = np.bincount(rows, minlength=len(y))[rows]
    counts = (np.ones(len(y)) if sample_weight is None else sample_weight)[rows] / times
    columns = []
    for name, estimator in estimators:
        parts = []
        for number, (train, test) in enumerate(pairs):
            part = None if sample_weight is None else sample_weight[train]
            where = f"in fold {number + 1} of {len(pairs)}"
            fitted = fit_clone(name, estimator, _taken(X, train), y[train], part, where=where)
            parts.append(_predicted(name, fitted, _taken(X, test), predict, where))
        columns.append(np.concatenate(parts))
    return OutOfFold(rows, np.stack(columns, axis=1), counts)


def fit_clone(
    name: str, estimator: Any, X: Any, y: NDArray[Any], sample_weight: Float | None, *, where: str
) -> Any:
    """Return a fitted clone of an estimator.

    Raises
    ------
    PermagridError
        If it fails or takes no weights of rows although there are some.
    """
    keywords = {}
    if sample_weight is not None:
        keyword = weight_keyword(estimator)
        if keyword is None:
            raise PermagridError(f"learner {name!r} takes no sample_weight; leave weights out or the learner")
        keywords = {keyword: sample_weight}
    try:
        return clone(estimator).fit(X, y, **keywords)
    except _FAILURES as error:
        raise PermagridError(f"learner {name!r} failed {where}: {error}") from error


def weight_keyword(estimator: Any) -> str | None:
    """Return the keyword of `fit` by which an estimator takes weights of rows, if any.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> weight_keyword(make_pipeline(StandardScaler(), Ridge()))
    'ridge__sample_weight'
    """
    if isinstance(estimator, Pipeline):
        last, step = estimator.steps[-1]
        inner = weight_keyword(step)
        return None if inner is None else f"{last}__{inner}"
    if isinstance(estimator, TransformedTargetRegressor):
        return "sample_weight" if estimator.regressor is None else weight_keyword(estimator.regressor)
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None


def _predicted(name: str, fitted: Any, X: Any, predict: Callable[[Any, Any], Float], where: str) -> Float:
    try:
        found = np.asarray(predict(fitted, X), dtype=float)
    except _FAILURES as error:
        raise PermagridError(f"learner {name!r} failed to predict {where}: {error}") from error
    if not np.all(np.isfinite(found)):
        many = int(np.sum(~np.isfinite(found)))
        raise PermagridError(f"learner {name!r} predicted {many} values {where} that are missing or infinite")
    return found


def _taken(X: Any, rows: NDArray[np.intp]) -> Any:
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _row_numbers(rows: Iterable[int], total: int) -> NDArray[np.intp]:
    found = np.asarray(rows)
    return np.flatnonzero(found) if found.dtype == bool and len(found) == total else found.astype(np.intp)
