"""Search for the keywords of a learner: by grid, at random or by Bayesian search, in inner folds alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError
from permagrid.validation.candidate import Candidate, Choice
from permagrid.validation.objective import Score
from permagrid.validation.proposals import encoded, next_proposal
from permagrid.validation.shared_work import Space, combinations, together
from permagrid.validation.trail import trail_of
from permagrid.validation.trials import Judge, Trial, Trials

Combination = dict[str, Any]
Walk = Callable[["Search", Trials, Sequence[Trial]], list[int]]
"""``(search, trials, all trials in order) -> those that were scored``, in order."""


@dataclass(frozen=True, eq=False)
class Search:
    """Chooses the keywords of a learner from the rows that train, by scores on inner folds of these rows.

    It is a `permagrid.validation.Choose`, and can be sent to another process.
    """

    space: Space
    """Keyword -> the values to try, the simplest first; the first keyword changes slowest."""
    judge: Judge
    """How combinations are scored."""
    walk: Walk
    """Which combinations are scored."""
    draws: int = 0
    """How many of them, where not all are."""
    seed: int = 0
    """Seed of what is drawn by chance."""

    def __call__(self, candidate: Candidate, rows: pd.DataFrame) -> Choice:
        """Return the best combination for rows that train.

        Of equals the first is taken, and of those within one standard error where that is asked for. Where
        nothing can be tried, for want of sites or of a second class, it is the first of all.

        Parameters
        ----------
        candidate
            The learner; its keywords hold for all that the space does not name.
        rows
            Rows that train, with ``value`` and what the inner folds ask for.

        Raises
        ------
        PermagridError
            If a keyword is out of its range, or no combination can be fitted.
        """
        found = [
            Trial({**candidate.keywords, **each}, candidate.covariates) for each in combinations(self.space)
        ]
        with threadpool_limits(1):
            trials = Trials(candidate, rows, self.judge)
            if trials.folds is None:
                tried, best = [0], 0
            else:
                tried = self.walk(self, trials, found)
                best = tried[best_of(trials, [found[number] for number in tried])]
        chosen = found[best]
        trail = trail_of(trials, "search", [found[number] for number in tried], chosen)
        return Choice(chosen.keywords, chosen.covariates, trail, trials.untried)

    def fits(self, n_folds: int, n_covariates: int = 0) -> int:
        """Return how many fits one choice takes, at most.

        Parameters
        ----------
        n_folds
            Inner folds, in all rounds together.
        n_covariates
            Not used: a search keeps all covariates.
        """
        del n_covariates
        return cost(self.space, n_folds, self.judge.grown, draws=self.draws or None)


def cost(space: Space, n_folds: int, grown: str | None = None, *, draws: int | None = None) -> int:
    """Return how many fits a search takes, at most.

    Parameters
    ----------
    space
        Keyword -> the values to try.
    n_folds
        Inner folds, in all rounds together.
    grown
        Keyword of which one fit serves all values.
    draws
        Combinations that are drawn, where not all are.

    Examples
    --------
    >>> cost({"n_estimators": [100, 200, 500, 1000], "min_samples_leaf": [1, 5]}, 5)
    40
    >>> cost({"n_estimators": [100, 200, 500, 1000], "min_samples_leaf": [1, 5]}, 5, "n_estimators")
    10
    """
    groups = len(together(combinations(space), grown))
    return n_folds * (groups if draws is None else min(draws, groups))


def grid_search(space: Space, judge: Judge) -> Search:
    """Return a choice among all combinations of values.

    Parameters
    ----------
    space
        Keyword -> the values to try, the simplest first.
    judge
        How combinations are scored.

    Raises
    ------
    PermagridError
        If there is nothing to choose from.
    """
    return _search(space, judge, _everything, 0, 0)


def random_search(space: Space, judge: Judge, *, draws: int, seed: int) -> Search:
    """Return a choice among combinations drawn at random, none twice (Bergstra and Bengio 2012).

    Combinations that share a fit are drawn together, as the others cost nothing.

    Parameters
    ----------
    space, judge
        As in `grid_search`.
    draws
        Fits in each inner fold.
    seed
        Seed of the draw.

    Raises
    ------
    PermagridError
        If there is nothing to choose from, or nothing is drawn.
    """
    return _search(space, judge, _at_random, _at_least_one(draws), seed)


def bayesian_search(space: Space, judge: Judge, *, draws: int, seed: int) -> Search:
    """Return a choice among combinations of which each promises most after those before it.

    A third of them, at least four, are drawn at random; then a Gaussian process over the combinations says
    what each may score, and the one with the largest expected improvement over the best is next (Jones et al.
    1998, doi:10.1023/A:1008306431147; Snoek et al. 2012, arXiv:1206.2944). Combinations that share a fit are
    scored together.

    Parameters and errors as in `random_search`.
    """
    return _search(space, judge, _by_promise, _at_least_one(draws), seed)


def best_of(trials: Trials, tried: Sequence[Trial], *, simplest: bool = True) -> int:
    """Return the number of the best of some trials that are in order of preference.

    Parameters
    ----------
    trials
        Scores them.
    tried
        What is tried, the simplest first.
    simplest
        Whether the one-standard-error rule holds, where the judge asks for it; not among equally simple ones.

    Raises
    ------
    PermagridError
        If none of them has a score.
    """
    rule = simplest and trials.judge.one_standard_error
    best = best_score(trials.scored(tried), one_standard_error=rule)
    if best is None:
        raise PermagridError(f"no combination has a score on the inner folds: {trials.why(tried[0])}")
    return best


def best_score(scores: Sequence[Score], *, one_standard_error: bool) -> int | None:
    """Return the number of the best score, the first of equals; None where there is none.

    Parameters
    ----------
    scores
        In order of preference.
    one_standard_error
        Whether the first is taken that is no more than one standard error worse than the best.

    Examples
    --------
    >>> scores = [Score(1.2, 0.1, 1.2), Score(1.05, 0.1, 1.05), Score(1.0, 0.1, 1.0)]
    >>> best_score(scores, one_standard_error=False), best_score(scores, one_standard_error=True)
    (2, 1)
    """
    losses = np.array([score.loss for score in scores])
    if not np.isfinite(losses).any():
        return None
    best = int(np.argmin(losses))
    spread = scores[best].standard_error
    if one_standard_error and np.isfinite(spread):
        best = int(np.argmax(losses <= losses[best] + spread))
    return best


def _search(space: Space, judge: Judge, walk: Walk, draws: int, seed: int) -> Search:
    if not space:
        raise PermagridError("search space: there is no keyword to search")
    held = sorted(set(space) & set(judge.in_trials))
    if held:
        raise PermagridError(f"search space: {held[0]} is searched, and cannot be held in all trials")
    combinations(space)
    return Search(space, judge, walk, draws, seed)


def _at_least_one(draws: int) -> int:
    if draws < 1:
        raise PermagridError(f"search: draws must be 1 or more, found {draws}")
    return draws


def _everything(search: Search, trials: Trials, found: Sequence[Trial]) -> list[int]:
    trials.scored(found)
    return list(range(len(found)))


def _at_random(search: Search, trials: Trials, found: Sequence[Trial]) -> list[int]:
    groups = together([trial.keywords for trial in found], search.judge.grown)
    drawn = np.random.default_rng(search.seed).permutation(len(groups))[: search.draws]
    tried = sorted(number for group in drawn for number in groups[group])
    trials.scored([found[number] for number in tried])
    return tried


def _by_promise(search: Search, trials: Trials, found: Sequence[Trial]) -> list[int]:
    groups = together([trial.keywords for trial in found], search.judge.grown)
    places = encoded([_without(search, found[group[0]]) for group in groups])
    order = np.random.default_rng(search.seed).permutation(len(groups))
    tried, losses = list[int](), list[float]()
    while len(tried) < min(search.draws, len(groups)):
        first = len(tried) < max(4, search.draws // 3)
        chosen = int(order[len(tried)]) if first else next_proposal(places, tried, losses)
        scores = trials.scored([found[number] for number in groups[chosen]])
        tried.append(chosen)
        losses.append(min(score.loss for score in scores))
    return sorted(number for group in tried for number in groups[group])


def _without(search: Search, trial: Trial) -> Combination:
    return {key: trial.keywords[key] for key in search.space if key != search.judge.grown}
