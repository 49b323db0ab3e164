"""Made rows, and learners that keep a record of what they were fitted to, for the tests of choices."""

from functools import partial

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression

from permagrid.learners import build_learner
from permagrid.validation import Candidate

FITTED = []
"""Rows of each fit of a `Recorder`, by their numbers in column ``number``."""


def rows(n=120, *, noise=8, classes=None, seed=0, rows_per_site=2):
    """Return sites whose value rests on ``cold`` and ``wet`` alone, beside covariates that say nothing."""
    random = np.random.default_rng(seed)
    site = np.repeat(np.arange(n // rows_per_site), rows_per_site)
    table = pd.DataFrame(
        {
            "site_group": site,
            "site_id": [f"s{number}" for number in site],
            "longitude": random.uniform(-180, 180, n // rows_per_site)[site],
            "latitude": random.uniform(60, 80, n // rows_per_site)[site],
            "epoch": np.tile([f"{1980 + 5 * turn}" for turn in range(rows_per_site)], n // rows_per_site),
            "number": np.arange(n, dtype=float),
            **{f"noise_{index}": random.normal(0, 1, n) for index in range(noise)},
            "cold": random.normal(0, 1, n),
            "wet": random.normal(0, 1, n),
        }
    )
    value = 2 * table["cold"] - 1.5 * table["wet"] + random.normal(0, 0.5, n)
    if classes is not None:
        value = np.searchsorted(np.quantile(value, np.arange(1, classes) / classes), value).astype(float)
    return table.assign(value=value)


def covariates(table):
    return tuple(name for name in table if name in ("cold", "wet") or name.startswith("noise"))


def learner(name, task, keywords, seen):
    return build_learner(name, task, 0, dict(keywords), covariates=list(seen))


def candidate(name, task, seen, keywords=None, **other):
    """Return a learner of the table as a candidate; it can be sent to another process."""
    return Candidate(partial(learner, name, task), tuple(seen), keywords or {}, **other)


class Recorder(RegressorMixin, BaseEstimator):
    """Least squares that is off by a stated amount, and tells `FITTED` which rows it saw."""

    def __init__(self, off=0.0, trees=1, kind="a"):
        self.off, self.trees, self.kind = off, trees, kind

    def fit(self, X, y, sample_weight=None):
        if self.kind == "broken":
            raise ValueError("it is broken\nfor good")
        FITTED.append((self.get_params(), X[:, 0].astype(int), sample_weight))
        self.model_ = LinearRegression().fit(X[:, 1:], y, sample_weight=sample_weight)
        return self

    def predict(self, X):
        return np.full(len(X), np.nan) if self.kind == "lost" else self.model_.predict(X[:, 1:]) + self.off

    def staged_predict(self, X):
        for tree in range(1, self.trees + 1):
            yield self.predict(X) + 1.0 / tree


def recorder(keywords, seen):
    assert seen[0] == "number"
    return Recorder(**keywords)


class Wrapped(BaseEstimator):
    """An estimator within another that says nothing of what it is made of."""

    def __init__(self, inner):
        self.inner = inner

    def fit(self, X, y, sample_weight=None):
        self.inner.fit(X, y, sample_weight)
        return self

    @property
    def classes_(self):
        return self.inner.classes_

    def predict(self, X):
        return self.inner.predict(X)

    def predict_proba(self, X):
        return self.inner.predict_proba(X)
