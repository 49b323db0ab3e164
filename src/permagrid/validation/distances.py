"""How far test rows are from what was trained on, and how far the map is: which folds resemble its making."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from permagrid.errors import PermagridError
from permagrid.grid import Float, chord
from permagrid.validation.features import feature_space, known_points
from permagrid.validation.folds import Folds
from permagrid.validation.knndm import Space
from permagrid.validation.places import Index, places_of
from permagrid.validation.sphere import great_circles

_AT_A_TIME = 512
_NEAR = 64
_MOST_STEPS = 200

Distance = Callable[[Float, Float], Float]


@dataclass(frozen=True, eq=False)
class FoldDistances:
    """Distances to the nearest row of the kind in question, under one fold scheme.

    A scheme is like the making of the map where test rows are as far from training rows as cells of the map
    are from all rows: where `wasserstein` is small.
    """

    name: str
    """Name of the scheme."""
    space: Space
    """``geographic`` or ``feature``."""
    unit: str
    """``m``, ``standard deviations`` or ``Gower``."""
    sample_to_sample: Float = field(repr=False)
    """Of each row to the nearest row of another place, shape ``(n,)``."""
    test_to_train: Float = field(repr=False)
    """Of each tested row to the nearest row that its fold trains on, one fold after the other."""
    prediction_to_sample: Float = field(repr=False)
    """Of each prediction point to the nearest row, shape ``(m,)``."""
    wasserstein: float
    """Distance W between the distributions of the latter two: the area between their curves."""
    all_tested: bool
    """Whether the scheme tests each row."""

    def curves(self) -> pd.DataFrame:
        """Return the distribution functions of the three kinds of distances, to be drawn as steps.

        Returns
        -------
        pandas.DataFrame
            ``kind``, ``distance`` and ``share`` of the distances that are no longer, at most 201 steps of
            each kind, from 0.

        Examples
        --------
        >>> near, far = np.array([1.0, 3.0]), np.array([4.0])
        >>> distances = FoldDistances("site", "geographic", "m", near, near, far, 2.0, True)
        >>> distances.curves().query("kind == 'test_to_train'")["share"].tolist()
        [0.0, 0.5, 1.0]
        """
        parts = []
        for kind in ("sample_to_sample", "test_to_train", "prediction_to_sample"):
            values = np.sort(getattr(self, kind))
            steps = np.unique(
                np.linspace(0, len(values) - 1, min(len(values), _MOST_STEPS)).round().astype(int)
            )
            distance = np.concatenate([[0.0], values[steps]])
            share = np.concatenate([[0.0], (steps + 1) / len(values)])
            parts.append(pd.DataFrame({"kind": kind, "distance": distance, "share": share}))
        return pd.concat(parts, ignore_index=True)

    def __str__(self) -> str:
        kinds = {
            "sample to sample": self.sample_to_sample,
            "test to train": self.test_to_train,
            "prediction to sample": self.prediction_to_sample,
        }
        middles = ", ".join(f"{name} {self._written(np.median(found))}" for name, found in kinds.items())
        untested = "" if self.all_tested else "; not all rows are tested"
        return f"{self.name}: W = {self._written(self.wasserstein)} (median {middles}){untested}"

    def _written(self, distance: float | np.floating) -> str:
        if self.unit == "m":
            return f"{distance / 1000:.4g} km"
        return f"{distance:.3g}" if self.unit == "Gower" else f"{distance:.3g} sd"


def fold_distances(
    sites: pd.DataFrame,
    folds: Folds,
    domain: pd.DataFrame,
    *,
    space: Space = "geographic",
    covariates: Sequence[str] | None = None,
    classes: Sequence[str] = (),
) -> FoldDistances:
    """Return how far tested rows are from training rows, beside how far the map is from all rows.

    Each tested row counts once in each round, as it does in the score, and each prediction point once. A row
    whose own site is trained on has a neighbour at no distance. Rows of one place are no neighbours of each
    other when samples are compared among themselves.

    Parameters
    ----------
    sites
        One row per site and epoch, with coordinates, ``site_group`` and, for the feature space, the
        covariates.
    folds
        Folds of these rows.
    domain
        Prediction points, drawn from the map in proportion to area.
    space
        ``geographic`` or ``feature``, as in `permagrid.validation.knndm`.
    covariates, classes
        Covariates of the feature space, all that `domain` has if left out, and those that hold classes.

    Raises
    ------
    PermagridError
        If the folds are of other rows, there is only one place, or covariates are missing.

    Examples
    --------
    >>> from permagrid.validation import site
    >>> rows = pd.DataFrame({"site_group": list("abcd"), "longitude": 0.0, "latitude": [60.0, 61, 62, 63]})
    >>> print(fold_distances(rows, site(rows, n_folds=4), rows))
    site: W = 111.2 km (median sample to sample 111.2 km, test to train 111.2 km, prediction to sample 0 km)
    """
    if len(folds.groups) != len(sites):
        raise PermagridError(
            f"folds: {folds.name} is of {len(folds.groups)} rows, and there are {len(sites)}"
        )
    place = places_of(sites).place
    if place.max() == 0:
        raise PermagridError("folds: all rows lie at one place; they have no neighbours")
    if space == "geographic":
        points = known_points(domain, None)
        here, there = (
            chord(table["longitude"].to_numpy(float), table["latitude"].to_numpy(float))
            for table in (sites, points)
        )
        unit, apart = "m", great_circles
    else:
        features = feature_space(sites, domain, covariates=covariates, classes=classes)
        points = known_points(domain, features)
        here, there = features.coordinates(sites), features.coordinates(points)
        unit, apart = features.unit, features.distances
    sampled, tested = _of_rows(here, place, folds, apart)
    predicted = [
        apart(there[start : start + _AT_A_TIME], here).min(axis=1)
        for start in range(0, len(there), _AT_A_TIME)
    ]
    to_map = np.concatenate(predicted)
    distance = float(wasserstein_distance(tested, to_map))
    return FoldDistances(folds.name, space, unit, sampled, tested, to_map, distance, folds.all_tested)


def _of_rows(here: Float, place: Index, folds: Folds, apart: Distance) -> tuple[Float, Float]:
    """Return the distance of each row to another place, and of each tested row to what its fold trains on."""
    n = len(here)
    sampled = np.empty(n)
    tests = [np.sort(test) for _, test in folds.pairs]
    tested = [np.empty(len(test)) for test in tests]
    trained = np.zeros(n, dtype=bool)
    for start in range(0, n, _AT_A_TIME):
        end = min(start + _AT_A_TIME, n)
        distances = apart(here[start:end], here)
        near = np.argpartition(distances, min(_NEAR, n) - 1, axis=1)[:, :_NEAR]
        near = np.take_along_axis(near, np.take_along_axis(distances, near, 1).argsort(axis=1), 1)
        for number, (train, _) in enumerate(folds.pairs):
            first, last = np.searchsorted(tests[number], [start, end])
            if first == last:
                continue
            trained[train] = True
            tested[number][first:last] = _least(distances, near, tests[number][first:last] - start, trained)
            trained[train] = False
        same = place[start:end, np.newaxis] == place
        sampled[start:end] = np.where(same, np.inf, distances).min(axis=1)
    return sampled, np.concatenate(tested)


def _least(distances: Float, near: Index, rows: Index, allowed: NDArray[np.bool_]) -> Float:
    """Return the least distance of some rows to what is allowed, looked for among the nearest at first."""
    hit = allowed[near[rows]]
    out = distances[rows, near[rows, hit.argmax(axis=1)]]
    far = ~hit.any(axis=1)
    if far.any():
        out[far] = distances[np.ix_(rows[far], np.flatnonzero(allowed))].min(axis=1)
    return np.asarray(out)


def recommended(distances: Mapping[str, FoldDistances]) -> str:
    """Return the fold scheme whose score is to be quoted for the map: the one with the smallest W.

    Only schemes that test each row take part: what is left out may be what is hard. Of equal ones the first
    is taken.

    Parameters
    ----------
    distances
        Scheme -> its distances, all in one space and to the same prediction points.

    Raises
    ------
    PermagridError
        If no scheme tests each row.

    Notes
    -----
    The rule of Linnenbrink et al. (2024), doi:10.5194/gmd-17-5897-2024, for a choice among kinds of folds.

    Examples
    --------
    >>> one = np.array([1.0])
    >>> schemes = {
    ...     name: FoldDistances(name, "geographic", "m", one, one, one, w, all_tested=name != "holdout")
    ...     for name, w in {"random": 90e3, "holdout": 1e3, "knndm": 20e3, "site": 20e3}.items()
    ... }
    >>> recommended(schemes)
    'knndm'
    """
    whole = {name: found.wasserstein for name, found in distances.items() if found.all_tested}
    if not whole:
        raise PermagridError("folds: no scheme tests each row, so that none has a score to quote for the map")
    return min(whole, key=lambda name: whole[name])
