"""Where a learner may be believed: dissimilarity index, area of applicability, local point density."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from permagrid.errors import PermagridError, did_you_mean
from permagrid.grid import Float
from permagrid.prediction.applicability_space import Space, euclidean_space, usable_weights
from permagrid.prediction.applicability_tree import Tree, all_sums, make_tree, nearest_sums
from permagrid.prediction.gower import gower_space

Pair = tuple[NDArray[np.int_], NDArray[np.int_]]
"""Row numbers of the training and of the test set of a fold."""
Distance = Literal["euclidean", "gower"]

_ROWS_AT_A_TIME = 64


class Neighbours(NamedTuple):
    """How a row lies among training rows."""

    di: Float
    """Dissimilarity index: distance to the nearest training row over the mean distance between them."""
    density: Float
    """Local point density: training rows nearer than the threshold."""


@dataclass(frozen=True, eq=False)
class Applicability:
    """Dissimilarity index, area of applicability and local point density of a fitted learner.

    Build it by `fit_applicability`. What it says of a row depends on no other row.
    """

    covariates: tuple[str, ...]
    """Names of the columns."""
    classes: tuple[str, ...]
    """Those that hold class codes."""
    distance: Distance
    """How rows are compared."""
    weights: Float
    """Of the covariates, the largest 1; 0 where one does not count."""
    constant: tuple[str, ...]
    """Covariates that do not vary over the training rows, and so tell nothing of nearness."""
    mean_distance: float
    """Mean over the training rows of the mean distance to all others, by which the index is divided."""
    threshold: float
    """Largest dissimilarity index within the area of applicability."""
    training: Neighbours = field(repr=False)
    """Of each training row among those that trained the fold which tested it; NaN where none did."""
    _space: Space = field(repr=False)
    _tree: Tree = field(repr=False)
    _places: tuple[Float, Float] = field(repr=False)

    def neighbours(self, rows: Float) -> Neighbours:
        """Return dissimilarity index and local point density of rows, shape ``(n,)`` each.

        Parameters
        ----------
        rows
            Shape ``(n, covariates)``, in the order of `covariates`.

        Raises
        ------
        PermagridError
            If a value is missing, or the columns are not those of the training rows.
        """
        points, codes = self._space.place(_checked(rows, self.covariates))
        nearest, near = nearest_sums(self._tree, points, codes, most=self._most())
        return Neighbours(self._space.distance(nearest) / self.mean_distance, near.astype(float))

    def di(self, rows: Float) -> Float:
        """Return the dissimilarity index; parameters and errors as `neighbours`."""
        return self.neighbours(rows).di

    def inside(self, rows: Float) -> NDArray[np.bool_]:
        """Return whether rows lie in the area of applicability; parameters and errors as `neighbours`."""
        return np.asarray(self.neighbours(rows).di <= self.threshold)

    def density(self, rows: Float) -> Float:
        """Return the local point density; parameters and errors as `neighbours`.

        It is above 0 just where the dissimilarity index is below the threshold: a row that lies exactly on
        the threshold is inside the area of applicability, and its density is 0.
        """
        return self.neighbours(rows).density

    def across(self, pairs: Iterable[Pair]) -> Neighbours:
        """Return how the training rows that some folds test lie among the rows that train for them.

        Parameters
        ----------
        pairs
            Train and test rows of one round of folds of any kind, not only those of the threshold.

        Returns
        -------
        Neighbours
            Shape ``(n,)`` each; NaN where no fold tests a row.

        Raises
        ------
        PermagridError
            If a row is tested twice, trains for itself, or is none of the training rows.
        """
        folds = _checked_pairs(pairs, len(self._places[0]))
        return _across(self._space, self._tree, self._places, folds, (self.mean_distance, self.threshold))

    def _most(self) -> float:
        """Return the largest sum of differences whose index is below the threshold, to the last bit."""

        def is_below(total: float) -> bool:
            index = float(self._space.distance(np.array([total]))[0]) / self.mean_distance
            return index < self.threshold

        reach = self.threshold * self.mean_distance
        most = reach * reach if self._space.squared else reach
        while most >= 0.0 and not is_below(most):
            most = float(np.nextafter(most, -np.inf))
        while most >= 0.0 and is_below(float(np.nextafter(most, np.inf))):
            most = float(np.nextafter(most, np.inf))
        return most


def fit_applicability(
    rows: Float,
    weights: Float | None,
    pairs: Sequence[Pair] | None,
    *,
    covariates: Sequence[str],
    classes: Sequence[str] = (),
    distance: Distance | None = None,
) -> Applicability:
    """Return where a learner that was fitted to some rows may be believed.

    The rule is that of Meyer and Pebesma (2021, doi:10.1111/2041-210X.13650), as their R package CAST
    has it. Covariates are scaled by the training rows and multiplied by the learner's importances; the
    dissimilarity index of a row is its distance to the nearest training row over the mean distance between
    training rows; and the threshold comes from the index of the training rows, each among those that
    trained the fold which tested it. The local point density (Schumacher et al. 2025,
    doi:10.5194/gmd-18-10185-2025) is the number of training rows whose distance, over the same mean, is
    below the threshold.

    Parameters
    ----------
    rows
        Training rows, shape ``(n, covariates)``.
    weights
        Importance of each covariate, in any unit: negative ones count as 0, and if none is above 0, or it
        is left out, all covariates count alike.
    pairs
        Train and test row numbers of the folds in which the learner was validated; of several rounds the
        first is used. If it is left out, each row is compared with all others.
    covariates
        Names of the columns.
    classes
        Those that hold class codes.
    distance
        ``gower`` (as `gower_space`) or ``euclidean`` (as `euclidean_space`); if left out, the first where
        there are classes, and else the second.

    Raises
    ------
    PermagridError
        If a value is missing, there are fewer than two rows, every covariate is constant, or the folds
        test no row.

    Examples
    --------
    >>> rows = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> pairs = [(np.array([0, 1]), np.array([2, 3])), (np.array([2, 3]), np.array([0, 1]))]
    >>> fitted = fit_applicability(rows, None, pairs, covariates=["cold"])
    >>> fitted.training.di.tolist(), fitted.threshold
    ([1.2, 0.6, 0.6, 1.2], 1.2)
    >>> new = np.array([[2.0], [5.5], [6.0]])
    >>> fitted.di(new).round(6).tolist(), fitted.inside(new).tolist(), fitted.density(new).tolist()
    ([0.0, 1.5, 1.8], [True, False, False], [3.0, 0.0, 0.0])
    """
    names = tuple(covariates)
    known = _checked(rows, names)
    if len(known) < 2:
        raise PermagridError(f"applicability: at least 2 training rows are needed, found {len(known)}")
    for name in classes:
        if name not in names:
            raise PermagridError(f"applicability: class covariate {name}: {did_you_mean(name, names)}")
    used = usable_weights(weights, known, names)
    columns = [names.index(name) for name in classes]
    chosen: Distance = distance or ("gower" if columns else "euclidean")
    space = (gower_space if chosen == "gower" else euclidean_space)(known, used, columns)
    places = space.place(known)
    tree = make_tree(*places, space.penalties, squared=space.squared)
    mean = _mean_distance(space, tree, places)
    folds = None if pairs is None else _checked_pairs(_first_round(pairs), len(known))
    di = _across(space, tree, places, folds, (mean, 0.0)).di
    threshold = threshold_of(di)
    training = _across(space, tree, places, folds, (mean, threshold))
    constant = tuple(name for name, extent in zip(names, np.ptp(known, axis=0), strict=True) if extent == 0.0)
    return Applicability(
        names, tuple(classes), chosen, used, constant, mean, threshold, training, space, tree, places
    )


def threshold_of(di: Float) -> float:
    """Return the dissimilarity index above which a row is outside the area of applicability.

    It is the upper quartile plus 1.5 times the range between the quartiles, or the largest index if that is
    less; quartiles by linear interpolation (R's type 7). R's CAST has had it so since 0.9.0. The paper can
    also be read as the largest index that is not above that value, which is a little less and which CAST
    took up to 0.7.0; the value taken here follows the quartiles and hangs on no single row.

    Parameters
    ----------
    di
        Dissimilarity indices of training rows; NaN are left out.

    Raises
    ------
    PermagridError
        If there are none.

    Examples
    --------
    >>> threshold_of(np.array([1.0, 2.0, 3.0, 4.0, 100.0]))
    7.0
    >>> threshold_of(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    5.0
    """
    known = di[~np.isnan(di)]
    if not known.size:
        raise PermagridError("applicability: the folds test no row, so there is no threshold")
    lower, upper = np.quantile(known, [0.25, 0.75])
    return float(min(upper + 1.5 * (upper - lower), known.max()))


def _mean_distance(space: Space, tree: Tree, places: tuple[Float, Float]) -> float:
    means: list[Float] = []
    for part in _parts(np.arange(len(places[0]))):
        distances = space.distance(all_sums(tree, places[0][part], places[1][part]))
        # Added by size, so that the order of the rows changes no bit; the distance of a row to itself is 0.
        means.append(np.sort(distances, axis=1).sum(axis=1) / (distances.shape[1] - 1))
    return float(np.sort(np.concatenate(means)).mean())


def _across(
    space: Space,
    tree: Tree,
    places: tuple[Float, Float],
    pairs: Sequence[Pair] | None,
    measures: tuple[float, float],
) -> Neighbours:
    """Return test rows among their training rows; all others where there are no folds."""
    mean, threshold = measures
    everything = np.arange(len(places[0]))
    found = Neighbours(*(np.full(everything.size, np.nan) for _ in range(2)))
    for train, test in [(everything, everything)] if pairs is None else pairs:
        for part in _parts(test):
            indices = space.distance(all_sums(tree, places[0][part], places[1][part])) / mean
            if pairs is None:
                indices[np.arange(len(part)), part] = np.inf
            found.di[part] = indices[:, train].min(axis=1)
            found.density[part] = (indices[:, train] < threshold).sum(axis=1)
    return found


def _parts(rows: NDArray[np.int_]) -> Iterator[NDArray[np.int_]]:
    for start in range(0, len(rows), _ROWS_AT_A_TIME):
        yield rows[start : start + _ROWS_AT_A_TIME]


def _first_round(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the folds up to the first that tests a row for the second time."""
    first: list[Pair] = []
    tested: set[int] = set()
    for train, test in pairs:
        again = tested.intersection(test.tolist())
        if again:
            break
        tested.update(test.tolist())
        first.append((train, test))
    return first


def _checked_pairs(pairs: Iterable[Pair], n_rows: int) -> list[Pair]:
    checked, tested = list(pairs), np.zeros(n_rows, dtype=int)
    for number, (train, test) in enumerate(checked):
        together = np.concatenate([train, test])
        if not len(train):
            raise PermagridError(f"applicability: fold {number} trains on no row")
        if together.min() < 0 or together.max() >= n_rows:
            raise PermagridError(f"applicability: fold {number} names rows beyond the {n_rows} training rows")
        if np.intersect1d(train, test).size:
            raise PermagridError(f"applicability: fold {number} trains and tests on one row")
        tested[test] += 1
    if (tested > 1).any():
        raise PermagridError("applicability: these folds test a row twice; give them round by round")
    return checked


def _checked(rows: Float, covariates: Sequence[str]) -> Float:
    values = np.asarray(rows, dtype=float)
    if values.ndim != 2 or values.shape[1] != len(covariates):
        raise PermagridError(
            f"applicability: rows of shape {values.shape}, and {len(covariates)} covariates are needed"
        )
    missing = ~np.isfinite(values)
    if missing.any():
        column = int(missing.any(axis=0).argmax())
        raise PermagridError(
            f"applicability: covariate {covariates[column]} has no value in {missing[:, column].sum()} rows"
        )
    return values
