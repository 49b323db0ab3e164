"""Folds of rows, of whole sites and of epochs: what is drawn without regard to where it lies."""

import numpy as np
import pandas as pd

from permagrid.errors import PermagridError
from permagrid.validation.folds import FOLDS, Folds, called, deal, dealt_as, enough, of_labels
from permagrid.validation.places import Index, Places, places_of, strata


@FOLDS.register
def random(
    sites: pd.DataFrame,
    domain: pd.DataFrame | None = None,
    *,
    n_folds: int = 10,
    repeats: int = 1,
    stratified: bool = False,
    seed: int = 0,
) -> Folds:
    """Return folds of rows drawn at random.

    Rows of one site, and sites beside each other, fall into different folds: the score says how well
    gaps between known rows are filled, and is too good for a map. It never stands alone.

    Parameters
    ----------
    sites
        One row per site and epoch, with coordinates, ``site_group`` and ``value``.
    domain
        Not used.
    n_folds
        Number of folds.
    repeats
        Rounds, each dealt anew.
    stratified
        Whether the classes in ``value`` have equal shares in all folds; the tenths of a quantity.
    seed
        Seed of the deal.

    Raises
    ------
    PermagridError
        If there are fewer rows, or rows of the rarest class, than folds, or fewer than two folds.

    Examples
    --------
    >>> rows = pd.DataFrame({"site_group": range(6), "longitude": range(6), "latitude": 60.0})
    >>> folds = random(rows, n_folds=3, repeats=2)
    >>> folds.name, len(folds), [len(test) for _, test in folds.rounds[0]]
    ('random_2x3', 6, [2, 2, 2])
    """
    del domain
    places = places_of(sites, located=False)
    enough(len(sites), n_folds, "rows", repeats=repeats)
    if stratified:
        codes = strata(sites["value"].to_numpy(float))
        enough(int(np.bincount(codes).min()), n_folds, "rows of the rarest class")
    else:
        codes = np.zeros(len(sites), dtype=int)
    pairs: list[tuple[Index, Index]] = []
    for turn in range(repeats):
        labels = np.empty(len(sites), dtype=int)
        labels[_shuffled(places, codes, seed, turn)] = np.arange(len(sites)) % n_folds
        pairs += of_labels(labels)
    shares = " with equal shares of the classes" if stratified else ""
    method = f"{dealt_as(n_folds, repeats)} of rows drawn at random{shares}"
    name = called("random", n_folds, repeats)
    return Folds(name, method, tuple(pairs), places.place, spatial=False, repeats=repeats)


@FOLDS.register
def holdout(
    sites: pd.DataFrame,
    domain: pd.DataFrame | None = None,
    *,
    test_share: float = 0.3,
    stratified: bool = True,
    repeats: int = 1,
    seed: int = 0,
) -> Folds:
    """Return one training and one test set of rows drawn at random, such as 70 and 30 %.

    As with `random`, rows of one site fall on both sides, and the score is too good for a map. Rows that are
    not drawn are never tested.

    Parameters
    ----------
    sites
        One row per site and epoch, with coordinates, ``site_group`` and ``value``.
    domain
        Not used.
    test_share
        Share of the rows that is tested, above 0 and below 1.
    stratified
        Whether the classes in ``value`` have equal shares on both sides; the tenths of a quantity.
    repeats
        How often both sets are drawn.
    seed
        Seed of the draw.

    Raises
    ------
    PermagridError
        If the share is not between 0 and 1, or so few rows are there that a side would be empty.
    """
    del domain
    if not 0.0 < test_share < 1.0:
        raise PermagridError(f"folds: test_share must be above 0 and below 1, found {test_share}")
    if repeats < 1:
        raise PermagridError(f"folds: repeats must be 1 or more, found {repeats}")
    places = places_of(sites, located=False)
    values = sites["value"].to_numpy(float) if stratified else np.zeros(len(sites))
    codes = strata(values)
    # Of each class the nearest whole number of rows, which also keeps the sum close to the share.
    ends = np.cumsum(np.bincount(codes))
    drawn = np.round(ends * test_share).astype(int)
    pairs = []
    for turn in range(repeats):
        rows = _shuffled(places, codes, seed, turn)
        tested = np.zeros(len(sites), dtype=bool)
        for start, end, count in zip(ends - np.bincount(codes), ends, np.diff(drawn, prepend=0), strict=True):
            tested[rows[start : min(start + count, end)]] = True
        if tested.all() or not tested.any():
            raise PermagridError(f"folds: {len(sites)} rows cannot be held out by a share of {test_share:g}")
        pairs.append((np.flatnonzero(~tested), np.flatnonzero(tested)))
    times = "" if repeats == 1 else f", drawn {repeats} times"
    shares = " with equal shares of the classes" if stratified else ""
    method = f"{100 * test_share:g} % of the rows held out at random{shares}{times}"
    name = "holdout" if repeats == 1 else f"holdout_{repeats}x"
    return Folds(name, method, tuple(pairs), places.place, spatial=False, repeats=repeats)


@FOLDS.register
def site(
    sites: pd.DataFrame,
    domain: pd.DataFrame | None = None,
    *,
    n_folds: int = 10,
    repeats: int = 1,
    seed: int = 0,
) -> Folds:
    """Return folds of whole sites: all rows of a site, in all epochs, are held out together.

    Parameters
    ----------
    sites
        One row per site and epoch, with coordinates and ``site_group``.
    domain
        Not used.
    n_folds
        Number of folds.
    repeats
        Rounds, each dealt anew.
    seed
        Seed of the deal.

    Raises
    ------
    PermagridError
        If there are fewer sites than folds, or fewer than two folds.

    Examples
    --------
    >>> rows = pd.DataFrame({"site_group": ["a", "a", "b"], "longitude": [9.0, 9.0, 8.0], "latitude": 60.0})
    >>> [test.tolist() for _, test in site(rows, n_folds=2)]
    [[2], [0, 1]]
    """
    del domain
    places = places_of(sites, located=False)
    enough(len(places), n_folds, "sites", repeats=repeats)
    pairs = [
        pair
        for turn in range(repeats)
        for pair in of_labels(deal(len(places), n_folds, seed, turn)[places.place])
    ]
    method = f"{dealt_as(n_folds, repeats)} of whole sites"
    return Folds(called("site", n_folds, repeats), method, tuple(pairs), places.place, repeats=repeats)


@FOLDS.register
def epoch(sites: pd.DataFrame, domain: pd.DataFrame | None = None, *, seed: int = 0) -> Folds:
    """Return folds of whole epochs, each held out in turn.

    The same sites are trained on and tested, at other times: the score says how well a known site is
    predicted at another time, and nothing of places without a site.

    Parameters
    ----------
    sites
        One row per site and epoch, with coordinates, ``site_group`` and ``epoch``.
    domain
        Not used.
    seed
        Not used; there is nothing to draw.

    Raises
    ------
    PermagridError
        If there are no epochs, or there is only one.
    """
    del domain, seed
    if "epoch" not in sites:
        raise PermagridError("folds: the rows have no epochs that could be held out")
    numbers, epochs = pd.factorize(sites["epoch"].astype(str), sort=True)
    enough(len(epochs), 2, "epochs")
    method = f"each of {len(epochs)} epochs held out in turn, with the sites that are trained on in others"
    return Folds(
        "epoch", method, of_labels(np.asarray(numbers)), places_of(sites, located=False).place, spatial=False
    )


def _shuffled(places: Places, codes: Index, seed: int, turn: int) -> Index:
    """Return all row numbers, those of a class together, each class in an order drawn at random."""
    rows = places.order[np.random.default_rng([seed, turn]).permutation(len(places.order))]
    return np.asarray(rows[np.argsort(codes[rows], kind="stable")])
