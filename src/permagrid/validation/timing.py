"""What a learner costs, known before a comparison: its fits are counted, and a few of them timed."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from permagrid.validation.candidate import Candidate, Choose, Fitted, fit
from permagrid.validation.pieces import Pieces
from permagrid.validation.ranked import Ranked
from permagrid.validation.selection import Chained, Combinations, Forward
from permagrid.validation.shared_work import combinations as of_space
from permagrid.validation.shared_work import together, told
from permagrid.validation.trials import Task, Trials, predicted
from permagrid.validation.tuning import Search

Float = NDArray[np.float64]

FEWEST, MOST = 3, 8
"""Fits that are timed of each choice, at least and at most."""
_PATIENCE = 5.0
"""Time after which no more than the fewest are timed [s]."""


@dataclass(frozen=True)
class Cost:
    """What something takes."""

    fits: int
    """Fits of the learner, at most."""
    seconds: float
    """Time of one core [s]."""


@dataclass(frozen=True)
class FoldCost:
    """What one fold of a comparison takes."""

    fit: float
    """Time of one core for a fit that chooses nothing [s]."""
    predict: float
    """And for the prediction of the test rows [s]."""
    choice: Cost
    """What choosing takes; nothing where the learner does not choose."""
    fitted: Fitted
    """The fit that was timed."""

    @property
    def whole(self) -> Cost:
        """All together."""
        return Cost(1 + self.choice.fits, self.fit + self.predict + self.choice.seconds)


def fold_cost(
    candidate: Candidate, train: pd.DataFrame, test: pd.DataFrame, *, classes: Float | None = None
) -> FoldCost:
    """Return what one fold takes, by fits on its rows that are timed.

    The fits are those of `permagrid.validation.predict_all` on one core. A choice is not made: its fits are
    counted, and some of them timed, spread over what it would try.

    Parameters
    ----------
    candidate
        The learner.
    train, test
        Rows of the fold, with ``value`` and what the learner and its choice ask for.
    classes
        Sorted classes, for a class problem.

    Raises
    ------
    PermagridError
        If a keyword is out of its range.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> rows = pd.DataFrame({"air": [0.0, 1.0, 2.0], "value": [1.0, 2.0, 3.0]})
    >>> fold_cost(Candidate.of(LinearRegression(), ["air"]), rows, rows).whole.fits
    1
    """
    rows = train.reset_index(drop=True)
    plain = Candidate(
        candidate.build, candidate.covariates, candidate.keywords, candidate.classes, weigh=candidate.weigh
    )
    with threadpool_limits(1):
        seconds, fitted = _least(lambda: fit(plain, rows))
        if classes is None:
            predict, _ = _least(lambda: fitted.predict(test))
        else:
            predict, _ = _least(lambda: fitted.predict_proba(test, classes))
        choice = Cost(0, 0.0) if candidate.choose is None else choice_cost(candidate.choose, plain, rows)
    return FoldCost(seconds, predict, choice, fitted)


def choice_cost(choose: Choose, candidate: Candidate, rows: pd.DataFrame) -> Cost:
    """Return what one choice takes, at most, by a few of its fits that are timed.

    Parameters
    ----------
    choose
        A search, a selection, or several one after the other.
    candidate
        The learner.
    rows
        Rows that train.

    Raises
    ------
    PermagridError
        If a keyword is out of its range.
    TypeError
        If it is another way to choose.
    """
    if isinstance(choose, Chained):
        parts = [choice_cost(part, candidate, rows) for part in choose.parts]
        return Cost(sum(part.fits for part in parts), sum(part.seconds for part in parts))
    if not isinstance(choose, Search | Forward | Combinations | Ranked):
        raise TypeError(f"{type(choose).__name__} does not tell what it costs")
    start = time.process_time()
    trials = Trials(candidate, rows, choose.judge)
    if trials.folds is None:
        return Cost(0, time.process_time() - start)
    seconds = time.process_time() - start + _clocked(lambda: trials.bench)
    n_folds = len(trials.inner)
    fits = choose.fits(n_folds, len(candidate.covariates))
    if isinstance(choose, Ranked):
        pieces = Pieces(candidate.covariates, choose.units, choose.start)
        order = _clocked(lambda: choose.order(candidate, trials.rows, pieces))
        seconds += (1 + n_folds) * order
        scored = fits - choose.rank.fits * (1 + n_folds)
    else:
        scored = fits
    tasks = list(_tasks(choose, candidate))
    first, each, score = _timed(trials, tasks)
    seconds += n_folds * first + (scored - n_folds) * each
    per_fit = np.mean([len(keywords) for _, keywords in tasks])
    return Cost(fits, float(seconds + scored / n_folds * per_fit * score))


def _tasks(
    choose: Search | Forward | Combinations | Ranked, candidate: Candidate
) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Yield covariates and keywords of some fits, spread over what a choice tries."""
    if isinstance(choose, Search):
        for group in _spread(choose):
            yield candidate.covariates, [{**candidate.keywords, **each} for each in group]
        return
    for covariates in _sets(choose, candidate):
        yield covariates, [candidate.keywords]


def _spread(search: Search) -> list[list[dict[str, Any]]]:
    """Return combinations by the fit that they share: values drawn evenly, as in a Latin square."""
    found = of_space(search.space)
    groups = [[found[number] for number in group] for group in together(found, search.judge.grown)]
    if len(groups) <= FEWEST:
        return groups
    values = {
        key: {told(each[key]): None for each in found} for key in search.space if key != search.judge.grown
    }
    count = min(max(FEWEST, *map(len, values.values())), MOST)
    random = np.random.default_rng(0)
    places = np.arange(count)
    drawn = {
        key: np.array(list(known))[random.permutation(places * len(known) // count)]
        for key, known in values.items()
    }
    by_values = {tuple(told(group[0][key]) for key in values): group for group in groups}
    return [by_values[tuple(drawn[key][place] for key in values)] for place in places]


def _sets(choose: Forward | Combinations | Ranked, candidate: Candidate) -> list[tuple[str, ...]]:
    """Return sets of covariates of the sizes that a selection tries, each as often as it does."""
    if isinstance(choose, Combinations):
        inside = set(chain.from_iterable(choose.groups.values()))
        kept = [name for name in candidate.covariates if name not in inside]
        pieces = Pieces(candidate.covariates, choose.groups, kept)
        smallest = 0 if kept else 1
        sets = [
            names
            for size in range(smallest, len(pieces.names) + 1)
            for names in combinations(pieces.names, size)
        ]
        return [pieces.covariates(names) for names in _evenly(sets)]
    pieces = Pieces(candidate.covariates, choose.units, choose.start)
    free = len(pieces.names)
    if isinstance(choose, Ranked):
        sizes = list(range(1, free + 1)) if choose.sizes is None else [min(s, free) for s in choose.sizes]
    else:
        first = 0 if choose.start else min(2, free)
        last = free if choose.most is None else min(choose.most, free)
        sizes = [first] * comb(free, first)
        sizes += [size + 1 for size in range(first, last) for _ in range(free - size)]
    random = np.random.default_rng(0)
    return [pieces.covariates(random.permutation(pieces.names)[:size].tolist()) for size in _evenly(sizes)]


def _evenly(things: Sequence[Any]) -> list[Any]:
    """Return a few of many things, from the first to the last."""
    places = np.linspace(0, len(things) - 1, min(len(things), MOST)).round().astype(int)
    # Where patience ends early, those timed are of all sizes too.
    return [things[place] for place in np.random.default_rng(0).permutation(places)]


def _timed(trials: Trials, tasks: Sequence[tuple[tuple[str, ...], list[Any]]]) -> tuple[float, float, float]:
    """Return the time of the first fit in an inner fold, that of one after it, and that of a score."""
    spent, score = list[float](), 0.0
    bench, pairs = trials.bench, trials.inner.pairs
    for number, (covariates, keywords) in enumerate(tasks):
        if number >= FEWEST and sum(spent) > _PATIENCE:
            break
        # What members said in other trials is taken over within a fold; without any, all folds are seen.
        task: Task = (0 if bench.said else number % len(pairs), covariates, keywords)
        start = time.process_time()
        found = predicted(bench, task)[0]
        spent.append(time.process_time() - start)
        if score == 0.0 and not isinstance(found, str):
            # Any predictions of the right shape take as long to score.
            parts = [np.resize(found, (len(test), *found.shape[1:])) for _, test in pairs]
            score, _ = _least(partial(trials.score, parts))
    if bench.said and len(spent) > 1:
        return spent[0], float(np.mean(spent[1:])), score
    return float(np.mean(spent)), float(np.mean(spent)), score


def _clocked(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _least(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the least time that some work takes, as the first time may load or compile, and its result."""
    spent = list[float]()
    while len(spent) < 2 or (len(spent) < 5 and sum(spent) < 1.0):
        start = time.process_time()
        found = work()
        spent.append(time.process_time() - start)
    return min(spent), found
