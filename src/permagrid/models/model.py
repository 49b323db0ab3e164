"""A fitted learner, or several and their mixture, with all that must be known to predict by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from permagrid.ensemble import ClassMixture
from permagrid.ensemble.mixture import Mixture
from permagrid.errors import PermagridError
from permagrid.prediction.blocks import Predict

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """A covariate that a model reads."""

    name: str
    """Its name."""
    unit: str
    """Its unit; ``class`` for codes of classes."""
    kind: str
    """``continuous`` or ``class``."""
    long_name: str = ""
    """What it is, in words."""
    classes: tuple[float, ...] | None = None
    """The classes that training rows had, where the learner keeps classes apart; others are unknown to it."""


@dataclass(frozen=True)
class Target:
    """What a model predicts."""

    variable: str
    """Its name."""
    kind: str
    """``value`` or ``class``."""
    unit: str
    """Its unit."""
    valid_range: tuple[float, float]
    """What it can be."""
    depth: float | None = None
    """Depth below the surface [m], where it has one."""
    classes: tuple[float, ...] = ()
    """Codes of the classes, rising; none for values."""


@dataclass(frozen=True, eq=False)
class Learner:
    """A fitted learner."""

    label: str
    """Its name in the study."""
    covariates: tuple[str, ...]
    """Columns that it sees, in order."""
    fitted: Any
    """Its compiled form or, where it has none, the fitted estimator."""
    predict: Predict
    """Rows of these columns to values, shape ``(n,)``, or to probabilities of classes."""


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted learner, or the learners of an ensemble and the mixture that joins what they say."""

    name: str
    """The learner's or ensemble's name in the study."""
    target: Target
    """What it predicts."""
    columns: tuple[Column, ...]
    """The covariates that it reads, in order."""
    learners: tuple[Learner, ...]
    """One, or those that are joined."""
    mixture: Mixture | ClassMixture | None = None
    """What joins them; None for a learner by itself."""
    origin: Mapping[str, Any] = field(default_factory=dict)
    """Where it comes from, as plain values: study, rows, licence, versions."""

    @cached_property
    def covariates(self) -> tuple[str, ...]:
        """Names of the covariates, in order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def known(self) -> dict[str, Float]:
        """Covariate -> the classes that the model knows, where it keeps them apart."""
        return {each.name: np.array(each.classes) for each in self.columns if each.classes is not None}

    def said(self, rows: Float) -> Float:
        """Return what each learner says of complete rows.

        Parameters
        ----------
        rows
            Shape ``(n, covariates)``.

        Returns
        -------
        array
            Values, shape ``(n, learners)``, or probabilities, shape ``(n, learners, classes)``.
        """
        found = [each.predict(self._seen(rows, each)) for each in self.learners]
        return np.stack(found, axis=1).astype(float)

    def alone(self, rows: Float) -> Float:
        """Return what the only learner says of complete rows: values, or probabilities of classes."""
        return self.learners[0].predict(self._seen(rows, self.learners[0]))

    def predict(self, rows: pd.DataFrame | ArrayLike) -> Float:
        """Return the target of rows: values within its valid range, or the most probable class.

        Parameters
        ----------
        rows
            A table with the covariates among its columns, in their units; or an array of shape
            ``(n, covariates)``, in the order of `covariates`.

        Returns
        -------
        array
            Shape ``(n,)``; of an ensemble of values the mean of its distribution. NaN where a covariate is
            missing, or of a class that no training row had.

        Raises
        ------
        PermagridError
            If a covariate is missing from the table, or the array has another number of columns.
        """
        if self.target.kind == "class":
            chance = self.predict_proba(rows)
            codes = np.array(self.target.classes)[np.nan_to_num(chance).argmax(axis=1)]
            return np.asarray(np.where(np.isnan(chance[:, 0]), np.nan, codes), dtype=float)
        told = self._told(rows, 1, lambda complete: self._values(complete)[:, None])[:, 0]
        return np.clip(told, *self.target.valid_range)

    def predict_proba(self, rows: pd.DataFrame | ArrayLike) -> Float:
        """Return probabilities of the target's classes, shape ``(n, classes)``; see `predict`.

        Raises
        ------
        PermagridError
            If the target is a value, or rows do not fit.
        """
        if self.target.kind != "class":
            raise PermagridError(
                f"{self.name} predicts values of {self.target.variable}, which has no classes"
            )
        return self._told(rows, len(self.target.classes), self.probabilities)

    def quantiles(self, rows: pd.DataFrame | ArrayLike, levels: Sequence[float]) -> Float:
        """Return quantiles of the predictive distribution, shape ``(n, levels)``; see `predict`.

        Parameters
        ----------
        rows
            As in `predict`.
        levels
            Probabilities from 0 to 1; 0.025 and 0.975 are the ends of a 95 % interval.

        Raises
        ------
        PermagridError
            If the model is no ensemble of values, or rows do not fit.
        """
        mixture = self.mixture
        if mixture is None or isinstance(mixture, ClassMixture):
            raise PermagridError(
                f"{self.name} gives no distribution of values; quantiles need an ensemble of a value"
            )
        wanted = np.asarray(levels, dtype=float)
        return self._told(rows, len(wanted), lambda complete: mixture.quantiles(self.said(complete), wanted))

    def probabilities(self, rows: Float) -> Float:
        """Return probabilities of classes of complete rows, shape ``(n, classes)``."""
        if isinstance(self.mixture, ClassMixture):
            return self.mixture.proba(self.said(rows))
        return self.alone(rows)

    def _values(self, rows: Float) -> Float:
        if self.mixture is None or isinstance(self.mixture, ClassMixture):
            return self.alone(rows)
        return self.mixture.mean(self.said(rows))

    def _told(self, rows: pd.DataFrame | ArrayLike, width: int, tell: Predict) -> Float:
        """Return what is told of complete rows of known classes, and NaN of the others."""
        values = self._columns(rows)
        able = np.isfinite(values).all(axis=1)
        for name, codes in self.known.items():
            able &= np.isin(values[:, self.covariates.index(name)], codes)
        out = np.full((len(values), width), np.nan)
        if able.any():
            out[able] = tell(values[able])
        return out

    def _columns(self, rows: pd.DataFrame | ArrayLike) -> Float:
        if isinstance(rows, pd.DataFrame):
            absent = [name for name in self.covariates if name not in rows]
            if absent:
                raise PermagridError(f"the table lacks {', '.join(absent)}, which {self.name} reads")
            return rows[list(self.covariates)].to_numpy(float)
        values = np.asarray(rows, dtype=float)
        if values.ndim != 2 or values.shape[1] != len(self.columns):
            raise PermagridError(
                f"{self.name} reads {len(self.columns)} covariates; found an array of shape {values.shape}"
            )
        return values

    def _seen(self, rows: Float, learner: Learner) -> Float:
        if learner.covariates == self.covariates:
            return rows
        places = [self.covariates.index(name) for name in learner.covariates]
        return np.ascontiguousarray(rows[:, places])
