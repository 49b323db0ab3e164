"""Selection of covariates: forward, or among combinations of groups, scored in inner folds alone."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, combinations
from math import comb
from typing import Protocol, Self

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError
from permagrid.validation.candidate import Candidate, Choice
from permagrid.validation.pieces import Pieces, Units, among
from permagrid.validation.trail import nothing_tried, trail_of
from permagrid.validation.trials import Judge, Trial, Trials
from permagrid.validation.tuning import best_of

MOST_GROUPS = 12
"""So many groups have 4096 combinations."""


class Chooses(Protocol):
    """A choice whose cost is known before it is made."""

    def __call__(self, candidate: Candidate, rows: pd.DataFrame) -> Choice:
        """Return what is chosen from rows that train."""

    def fits(self, n_folds: int, n_covariates: int) -> int:
        """Return how many fits it takes, at most."""


@dataclass(frozen=True, eq=False)
class Forward:
    """Forward selection of covariates: see `forward_selection`."""

    judge: Judge
    """How sets of covariates are scored."""
    start: tuple[str, ...] = ()
    """Units that are always kept."""
    units: Units = field(default_factory=dict)
    """Covariates that come and go together."""
    most: int | None = None
    """Most units that are added."""

    def __call__(self, candidate: Candidate, rows: pd.DataFrame) -> Choice:
        """Return the covariates chosen from rows that train; all of them where nothing can be tried."""
        pieces = Pieces(candidate.covariates, self.units, self.start)
        trials = Trials(candidate, rows, self.judge)
        if trials.folds is None:
            return nothing_tried(candidate, trials, "forward")
        with threadpool_limits(1):
            return self._chosen(candidate, trials, pieces)

    def _chosen(self, candidate: Candidate, trials: Trials, pieces: Pieces) -> Choice:
        def tried(sets: Sequence[Sequence[str]]) -> list[Trial]:
            return [Trial(candidate.keywords, pieces.covariates(names)) for names in sets]

        begin: list[list[str]] = [[]]
        if not pieces.start:
            begin = [list(names) for names in combinations(pieces.names, min(2, len(pieces.names)))]
        current = begin[best_of(trials, tried(begin), simplest=False)]
        stages = [("start" if pieces.start else "pairs", tried(begin))]
        limit = len(pieces.names) if self.most is None else min(self.most, len(pieces.names))
        while len(current) < limit:
            longer = [[*current, name] for name in pieces.names if name not in current]
            stages.append(
                (f"{len(current) + 1} added" if pieces.start else f"{len(current) + 1}", tried(longer))
            )
            before = trials.scored(tried([current]))[0]
            scores = trials.scored(stages[-1][1])
            best = int(np.argmin([score.loss for score in scores]))
            needed = before.standard_error if self.judge.one_standard_error else 0.0
            if not before.loss - scores[best].loss > (needed if np.isfinite(needed) else 0.0):
                break
            current = longer[best]
        chosen = tried([current])[0]
        parts = [trail_of(trials, f"forward, {stage}", each, chosen) for stage, each in stages]
        return Choice(candidate.keywords, chosen.covariates, pd.concat(parts, ignore_index=True))

    def among(self, left: Sequence[str], gone: Collection[str]) -> Self | None:
        """Return this selection for what another left; None where there is nothing to select."""
        found = among(self.units, self.start, left, gone)
        return None if found is None else replace(self, units=found[0], start=found[1])

    def fits(self, n_folds: int, n_covariates: int) -> int:
        """Return how many fits one choice takes, at most.

        Parameters
        ----------
        n_folds
            Inner folds, in all rounds together.
        n_covariates
            Covariates of the learner.
        """
        joined = sum(len(members) - 1 for members in self.units.values())
        free = n_covariates - joined - len(self.start)
        first = 0 if self.start else min(2, free)
        last = free if self.most is None else min(self.most, free)
        return n_folds * (comb(free, first) + sum(free - size for size in range(first, last)))


def forward_selection(
    judge: Judge,
    *,
    start: Sequence[str] = (),
    units: Units | None = None,
    most: int | None = None,
) -> Forward:
    """Return a forward selection of covariates, as `ffs` of CAST does it (Meyer et al. 2018).

    All pairs are tried, then the covariate is added that brings most, until none brings anything, or none
    more than one standard error of the score where the judge asks for that. With p units these are
    p (p - 1) / 2 pairs: put covariates that say the same into one unit.

    Parameters
    ----------
    judge
        How sets of covariates are scored.
    start
        Units or covariates that are always kept; then single units are added to them from the first.
    units
        Name -> covariates that come and go together; every other covariate is a unit of its own.
    most
        Most units that are selected, besides those of `start`; not limited if left out.

    Raises
    ------
    PermagridError
        If no unit may be selected.

    Notes
    -----
    Meyer et al. (2018), doi:10.1016/j.envsoft.2017.12.001.
    """
    if most is not None and most < (1 if start else 2):
        raise PermagridError(f"selection: most must be 2 or more, or 1 beside a start, found {most}")
    return Forward(judge, tuple(start), dict(units or {}), most)


@dataclass(frozen=True, eq=False)
class Combinations:
    """Selection among all combinations of groups of covariates: see `combination_selection`."""

    judge: Judge
    """How combinations are scored."""
    groups: Units
    """Name -> covariates that come and go together; those in no group are always kept."""

    def __call__(self, candidate: Candidate, rows: pd.DataFrame) -> Choice:
        """Return the covariates chosen from rows that train; all of them where nothing can be tried."""
        inside = set(chain.from_iterable(self.groups.values()))
        kept = [name for name in candidate.covariates if name not in inside]
        pieces = Pieces(candidate.covariates, self.groups, kept)
        trials = Trials(candidate, rows, self.judge)
        if trials.folds is None:
            return nothing_tried(candidate, trials, "combinations")
        sizes = range(0 if kept else 1, len(pieces.names) + 1)
        sets = chain.from_iterable(combinations(pieces.names, size) for size in sizes)
        tried = [Trial(candidate.keywords, pieces.covariates(names)) for names in sets]
        with threadpool_limits(1):
            chosen = tried[best_of(trials, tried)]
        return Choice(candidate.keywords, chosen.covariates, trail_of(trials, "combinations", tried, chosen))

    def among(self, left: Sequence[str], gone: Collection[str]) -> Self | None:
        """Return this selection for what another left; None where there is nothing to select."""
        found = among(self.groups, (), left, gone)
        return None if found is None or not found[0] else replace(self, groups=found[0])

    def fits(self, n_folds: int, n_covariates: int) -> int:
        """Return how many fits one choice takes, at most; parameters as those of `Forward.fits`."""
        alone = sum(map(len, self.groups.values())) == n_covariates
        return n_folds * ((1 << len(self.groups)) - (1 if alone else 0))


def combination_selection(judge: Judge, groups: Units) -> Combinations:
    """Return a selection among all combinations of groups of covariates, the fewest groups first.

    Covariates in no group are always kept. For combinations of single covariates each is a group of its own.

    Parameters
    ----------
    judge
        How combinations are scored. With its one-standard-error rule the fewest groups are taken that are no
        more than one standard error worse than the best.
    groups
        Name -> covariates.

    Raises
    ------
    PermagridError
        If there are no groups, or more than twelve.
    """
    if not 1 <= len(groups) <= MOST_GROUPS:
        raise PermagridError(
            f"selection: combinations are of 1 to {MOST_GROUPS} groups of covariates, found {len(groups)}"
        )
    return Combinations(judge, dict(groups))


@dataclass(frozen=True, eq=False)
class Chained:
    """Choices one after the other: see `chained`."""

    parts: tuple[Chooses, ...]
    """The choices, in order."""

    def __call__(self, candidate: Candidate, rows: pd.DataFrame) -> Choice:
        """Return what the last chooses, after the others, from rows that train."""
        trails, untried = [], list[str]()
        first, choice = candidate, Choice(candidate.keywords, candidate.covariates)
        for part in self.parts:
            candidate = replace(candidate, keywords=choice.keywords, covariates=choice.covariates)
            gone = [name for name in first.covariates if name not in choice.covariates]
            left = _among(part, choice.covariates, gone)
            if left is not None:
                choice = left(candidate, rows)
                trails.append(choice.trail)
                untried.append(choice.untried)
        why = "; ".join(filter(None, dict.fromkeys(untried)))
        return replace(choice, trail=pd.concat(trails, ignore_index=True), untried=why)

    def among(self, left: Sequence[str], gone: Collection[str]) -> Self | None:
        """Return these choices for what another left; None where there is nothing to choose."""
        parts = [_among(part, left, gone) for part in self.parts]
        kept = tuple(part for part in parts if part is not None)
        return replace(self, parts=kept) if kept else None

    def fits(self, n_folds: int, n_covariates: int) -> int:
        """Return how many fits one choice takes, at most; parameters as those of `Forward.fits`."""
        return sum(_most_fits(part, n_folds, n_covariates) for part in self.parts)


def _among(part: Chooses, left: Sequence[str], gone: Collection[str]) -> Chooses | None:
    """Return a choice without covariates that were dropped before it."""
    narrow = getattr(part, "among", None)
    if narrow is None or not gone:
        return part
    found: Chooses | None = narrow(left, gone)
    return found


def _most_fits(part: Chooses, n_folds: int, n_covariates: int) -> int:
    most = part.fits(n_folds, n_covariates)
    if isinstance(part, Forward) and part.start:
        # Pairs are tried where all of the start was dropped before.
        most = max(most, replace(part, start=()).fits(n_folds, n_covariates - len(part.start)))
    return most


def chained(*parts: Chooses) -> Chained:
    """Return choices one after the other: covariates with the usual keywords, then keywords for these.

    Parameters
    ----------
    parts
        Searches and selections; each starts from what the one before it chose, from the same rows. What one
        selection dropped, the units and the start of the next do without.

    Raises
    ------
    PermagridError
        If there are none.
    """
    if not parts:
        raise PermagridError("chained: there is nothing to choose by")
    return Chained(parts)
