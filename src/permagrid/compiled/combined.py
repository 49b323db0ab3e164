"""Means of several compiled estimators, each of which sees some of the covariates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from permagrid.compiled.asked import asked_rows
from permagrid.compiled.nodes import Float, Index
from permagrid.errors import PermagridError


class Compiled(Protocol):
    """What predicts as an estimator does, many times faster."""

    def predict(self, rows: NDArray[np.floating[Any]], order: Index | None = None) -> Float:
        """Return values, shape ``(n,)``, or probabilities of classes, shape ``(n, classes)``."""


@dataclass(frozen=True, eq=False)
class CompiledMean:
    """The mean of what compiled estimators say, added up in their order as the learner `average` does.

    Raises
    ------
    PermagridError
        If there are none, one of them reads other columns than it is given, or one gives other outputs than
        the first.
    """

    raw: int
    """Covariates of a row."""
    members: tuple[Compiled, ...]
    columns: tuple[tuple[int, ...] | None, ...]
    """Places of the covariates that each sees; None for all."""

    def __post_init__(self) -> None:
        if not self.members or len(self.members) != len(self.columns):
            raise PermagridError("a compiled estimator does not fit together: members of a mean")
        shapes = {
            outputs(member, self.raw, columns)
            for member, columns in zip(self.members, self.columns, strict=True)
        }
        if len(shapes) > 1:
            raise PermagridError("a compiled estimator does not fit together: outputs of a mean's members")

    def predict(self, rows: NDArray[np.floating[Any]], order: Index | None = None) -> Float:
        """Return predictions, shape ``(n,)``, or probabilities of classes, shape ``(n, classes)``.

        Rows with a missing value get none, also where no member sees it.

        Parameters
        ----------
        rows
            Shape ``(n, covariates)``, in any layout.
        order
            In which order rows are taken in hand; no prediction depends on it.

        Raises
        ------
        PermagridError
            If rows have another number of columns than there are covariates.
        """
        rows, places = asked_rows(rows, self.raw, order)
        total = self.members[0].predict(seen(rows, self.columns[0]), order)
        for member, columns in zip(self.members[1:], self.columns[1:], strict=True):
            total += member.predict(seen(rows, columns), order)
        total /= len(self.members)
        return none_elsewhere(total, places)


def none_elsewhere(said: Float, places: Index) -> Float:
    """Return predictions that are missing but at some places, written over those given."""
    if len(places) < len(said):
        lacking = np.ones(len(said), dtype=bool)
        lacking[places] = False
        said[lacking] = np.nan
    return said


def seen(rows: NDArray[np.floating[Any]], columns: Sequence[int] | None) -> NDArray[np.floating[Any]]:
    """Return some columns of rows; all for None."""
    return rows if columns is None else np.ascontiguousarray(rows[:, list(columns)])


def outputs(member: Compiled, raw: int, columns: Sequence[int] | None) -> tuple[int, ...]:
    """Return the shape of what a compiled estimator says of one row, which it tells when asked of none.

    Raises
    ------
    PermagridError
        If it reads other columns than those, or these are not among the covariates.
    """
    if columns is not None and not all(0 <= column < raw for column in columns):
        raise PermagridError("a compiled estimator does not fit together: columns of a member")
    many = raw if columns is None else len(columns)
    return member.predict(np.zeros((0, many))).shape[1:]
