"""The space of the covariates: how far rows are from each other in what a learner sees."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from permagrid.errors import PermagridError, did_you_mean
from permagrid.grid import Float
from permagrid.validation.places import Index

_NO_COVARIATES = ("longitude", "latitude", "epoch")


@dataclass(frozen=True, eq=False)
class FeatureSpace:
    """Covariates brought to one scale by the moments of the rows that train.

    Without classes each covariate is centred and divided by its standard deviation, and distances are
    Euclidean. With classes they are Gower's (1971, doi:10.2307/2528823): the mean over covariates of the
    difference in parts of the range, or of 1 where two classes differ. What lies beyond the range of the
    rows that train counts for more than 1. A covariate that is the same in all those rows is left out.
    """

    names: tuple[str, ...]
    """Covariates, those that hold a quantity first."""
    quantities: int
    """How many of them hold a quantity."""
    centre: Float
    """What is taken from each quantity."""
    scale: Float
    """What each quantity is divided by."""

    @property
    def by_classes(self) -> bool:
        """Whether distances are Gower's."""
        return self.quantities < len(self.names)

    @property
    def unit(self) -> str:
        """What distances are in."""
        return "Gower" if self.by_classes else "standard deviations"

    def coordinates(self, table: pd.DataFrame) -> Float:
        """Return rows as scaled quantities followed by codes of classes, shape ``(n, covariates)``."""
        values = table[list(self.names)].to_numpy(float, copy=True)
        values[:, : self.quantities] = (values[:, : self.quantities] - self.centre) / self.scale
        return values

    def distances(self, here: Float, there: Float) -> Float:
        """Return the distances of all pairs of `coordinates`, shape ``(n, m)``."""
        if not self.by_classes:
            return np.asarray(cdist(here, there))
        split = self.quantities
        apart = np.zeros((len(here), len(there)))
        if split:
            apart += cdist(here[:, :split], there[:, :split], "cityblock")
        for column in range(split, len(self.names)):
            apart += here[:, column, np.newaxis] != there[:, column]
        return apart / len(self.names)

    def dummies(self, coordinates: Float) -> Float:
        """Return coordinates with a column of 0 and 1 for each class in place of its code."""
        columns = [coordinates[:, : self.quantities]]
        for column in range(self.quantities, len(self.names)):
            codes = coordinates[:, column]
            columns.append((codes[:, np.newaxis] == np.unique(codes)).astype(float))
        return np.concatenate(columns, axis=1)

    def means(self, coordinates: Float, groups: Index) -> Float:
        """Return the mean of each group, and of classes the commonest, or the lowest of those as common."""
        counts = np.bincount(groups)
        out = np.empty((len(counts), len(self.names)))
        for column in range(len(self.names)):
            values = coordinates[:, column]
            if column < self.quantities:
                out[:, column] = np.bincount(groups, values) / counts
            else:
                codes, numbers = np.unique(values, return_inverse=True)
                table = np.zeros((len(counts), len(codes)))
                np.add.at(table, (groups, numbers.ravel()), 1.0)
                out[:, column] = codes[table.argmax(axis=1)]
        return out


def feature_space(
    sites: pd.DataFrame,
    domain: pd.DataFrame | None,
    *,
    covariates: Sequence[str] | None = None,
    classes: Iterable[str] = (),
) -> FeatureSpace:
    """Return the space of the covariates, with the moments of the rows in `sites`.

    Parameters
    ----------
    sites
        Rows with the covariates.
    domain
        Prediction points with the covariates.
    covariates
        Their names; if left out, all columns of `domain` beside longitude, latitude and epoch.
    classes
        Those that hold codes of classes.

    Raises
    ------
    PermagridError
        If a covariate is unknown, or missing or not finite in a row, or all are constant.

    Examples
    --------
    >>> rows = pd.DataFrame({"air": [-1.0, 0.0, 1.0], "soil": [1.0, 2.0, 2.0]})
    >>> space = feature_space(rows, rows, classes=["soil"])
    >>> space.distances(space.coordinates(rows[:1]), space.coordinates(rows)).tolist()
    [[0.0, 0.75, 1.0]]
    """
    if covariates is None:
        if domain is None:
            raise PermagridError("folds: the space of the covariates needs prediction points or their names")
        covariates = [str(name) for name in domain if name not in _NO_COVARIATES]
    for name in (*covariates, *classes):
        for table in (sites, sites if domain is None else domain):
            if name not in table:
                raise PermagridError(f"folds: no covariate {name!r}: {did_you_mean(name, list(covariates))}")
    values = sites[list(covariates)].to_numpy(float)
    lost = int((~np.isfinite(values)).any(axis=1).sum())
    if lost:
        raise PermagridError(
            f"folds: {lost} of {len(sites)} rows lack a covariate; none can be placed among others"
        )
    varying = [name for name, column in zip(covariates, values.T, strict=True) if column.min() < column.max()]
    if not varying:
        raise PermagridError("folds: all covariates are constant; they have no distances")
    apart = [name for name in varying if name in set(classes)]
    quantities = [name for name in varying if name not in apart]
    told = sites[quantities].to_numpy(float)
    centre, scale = told.mean(axis=0), told.std(axis=0, ddof=1)
    if apart:
        centre, scale = told.min(axis=0), np.ptp(told, axis=0)
    return FeatureSpace((*quantities, *apart), len(quantities), centre, scale)


def known_points(domain: pd.DataFrame, space: FeatureSpace | None) -> pd.DataFrame:
    """Return the prediction points that have all covariates: of others no map is made.

    Raises
    ------
    PermagridError
        If there is none.
    """
    names = ["longitude", "latitude"] if space is None else list(space.names)
    known: pd.DataFrame = domain[np.isfinite(domain[names].to_numpy(float)).all(axis=1)]
    if known.empty:
        raise PermagridError(f"folds: none of {len(domain)} prediction points has all of {', '.join(names)}")
    return known
