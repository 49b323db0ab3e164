"""A learner within a learner: built from a mapping in the study file, for some of the columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from permagrid.errors import PermagridError, did_you_mean
from permagrid.learners.setting import LEARNERS, Setting
from permagrid.learners.table import build_learner

Float = NDArray[np.float64]


def seen(X: ArrayLike, columns: Sequence[int] | None) -> Float:
    """Return the columns of rows that a learner sees; all for None."""
    rows = np.asarray(X, dtype=float)
    return rows if columns is None else np.ascontiguousarray(rows[:, list(columns)])


def fitted(estimator: Any, X: Float, y: Float, sample_weight: ArrayLike | None) -> Any:
    """Return a copy of an estimator, fitted to rows.

    Raises
    ------
    PermagridError
        If there are weights, and it takes none.
    """
    copy = clone(estimator)
    if sample_weight is None:
        return copy.fit(X, y)
    if not has_fit_parameter(copy, "sample_weight"):
        raise PermagridError(f"{type(copy).__name__} takes no weights of rows")
    return copy.fit(X, y, sample_weight=np.asarray(sample_weight, dtype=float))


def nested(
    outer: str,
    key: str,
    given: Mapping[str, Any],
    setting: Setting,
    *,
    without: Sequence[str] = (),
    more: Sequence[str] = (),
) -> tuple[Any, tuple[int, ...] | None]:
    """Return the learner that a mapping describes as a study describes its learners.

    Parameters
    ----------
    outer, key
        The learner that it is part of, and the keyword whose value the mapping is, for messages.
    given
        ``name``, keywords, and if wanted ``covariates``, names of those that it sees, and ``classes``, how
        classes enter it.
    setting
        What the outer learner is built for.
    without
        Covariates that it must not see.
    more
        Names of columns that are put behind those of the covariates.

    Returns
    -------
    tuple
        The estimator, not yet fitted, and the places of its columns among those of the rows, None for all.

    Raises
    ------
    PermagridError
        If the table has no such learner, or a keyword is unknown or out of its range.
    """
    if "name" not in given:
        raise PermagridError(
            f"{outer}: {key} is a learner, such as {{name: random_forest}}; its name is missing"
        )
    keywords = dict(given)
    name, encoding = keywords.pop("name"), keywords.pop("classes", None)
    chosen = keywords.pop("covariates", None)
    faults = LEARNERS.faults(name, keywords)
    if faults:
        raise PermagridError(f"{outer}: {key}: {faults[0]}")
    if encoding not in (None, "one_hot", "native", "codes"):
        raise PermagridError(f"{outer}: {key}: classes is one_hot, native or codes, found {encoding!r}")
    able = [each for each in setting.covariates if each not in without]
    for each in chosen or ():
        if setting.covariates and each not in able:
            hint = did_you_mean(each, able)
            raise PermagridError(f"{outer}: {key}: covariates names {each!r}, which it does not see: {hint}")
    kept = able if chosen is None else [each for each in able if each in chosen]
    if setting.covariates and not kept and not more:
        raise PermagridError(f"{outer}: {key} sees no covariate")
    every = chosen is None and len(able) == len(setting.covariates)
    places = None if every else tuple(setting.covariates.index(each) for each in kept)
    try:
        estimator = build_learner(
            name,
            setting.task,
            setting.seed,
            keywords,
            covariates=[*kept, *more] if setting.covariates else (),
            classes=[each for each in kept if each in setting.classes],
            encoding=encoding,
        )
    except PermagridError as error:
        raise PermagridError(f"{outer}: {key}: {error}") from error
    return estimator, places


def named_covariates(keywords: Mapping[str, Any], covariates: Sequence[str]) -> tuple[str, ...]:
    """Return the covariates that keywords of a learner name, those of learners within it too.

    A learner that addresses covariates by name cannot do without them: a search for covariates keeps them.

    Examples
    --------
    >>> named_covariates({"process": {"name": "ttop", "air_temperature": "bio1"}}, ["bio1", "slope"])
    ('bio1',)
    """
    said: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, str):
            said.add(value)
        elif isinstance(value, Mapping):
            for each in value.values():
                collect(each)
        elif isinstance(value, list | tuple):
            for each in value:
                collect(each)

    collect(keywords)
    return tuple(name for name in covariates if name in said)
