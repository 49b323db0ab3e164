"""Selection of the best-ranked covariates: ranks, drops what repeats a better one, and chooses how many."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError
from permagrid.validation.candidate import Candidate, Choice
from permagrid.validation.objective import Score
from permagrid.validation.pieces import Pieces, Units, among
from permagrid.validation.ranking import Permutation, Rank
from permagrid.validation.trail import COLUMNS, nothing_tried, row
from permagrid.validation.trials import NO_SCORE, Bench, Judge, Trial, Trials, predicted
from permagrid.validation.tuning import best_score

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ranked:
    """Selection of the best-ranked covariates: see `ranking_selection`."""

    judge: Judge
    """How numbers of covariates are scored."""
    rank: Rank
    """How covariates are ranked."""
    most_alike: float | None = None
    """Rank correlation above which a covariate is dropped beside a better one."""
    start: tuple[str, ...] = ()
    """Units that are always kept."""
    units: Units = field(default_factory=dict)
    """Covariates that come and go together."""
    sizes: tuple[int, ...] | None = None
    """Numbers of units that are tried."""

    def __call__(self, candidate: Candidate, rows: pd.DataFrame) -> Choice:
        """Return the covariates chosen from rows that train; all of them where nothing can be tried."""
        pieces = Pieces(candidate.covariates, self.units, self.start)
        trials = Trials(candidate, rows, self.judge)
        if trials.folds is None:
            return nothing_tried(candidate, trials, "ranking")
        sizes = self._sizes(len(pieces.names))
        with threadpool_limits(1):
            order = self.order(candidate, trials.rows, pieces)
            scores, notes = self._scores(trials, pieces, sizes)
        best = best_score(scores, one_standard_error=self.judge.one_standard_error)
        if best is None:
            raise PermagridError(f"no number of covariates has a score on the inner folds: {notes[0]}")
        tops = [Trial(candidate.keywords, pieces.covariates(order[:size])) for size in sizes]
        trail = [
            row(
                trials,
                f"ranking, first {size}: {', '.join(order[:size])}",
                top,
                score,
                chosen=number == best,
                note=note,
            )
            for number, (size, top, score, note) in enumerate(zip(sizes, tops, scores, notes, strict=True))
        ]
        return Choice(candidate.keywords, tops[best].covariates, pd.DataFrame(trail, columns=list(COLUMNS)))

    def among(self, left: Sequence[str], gone: Collection[str]) -> Self | None:
        """Return this selection for what another left; None where there is nothing to select."""
        found = among(self.units, self.start, left, gone)
        return None if found is None else replace(self, units=found[0], start=found[1])

    def order(self, candidate: Candidate, rows: pd.DataFrame, pieces: Pieces) -> list[str]:
        """Return units from the most to the least important, without those that repeat a better one."""
        worth = self.rank(candidate, rows, pieces)
        order = sorted(pieces.names, key=lambda name: -worth[name])
        if self.most_alike is None:
            return order
        alike = _alike(candidate, rows)
        kept = list[str]()
        for name in order:
            beside = [member for other in (*pieces.start, *kept) for member in pieces.members[other]]
            own = alike.loc[list(pieces.members[name]), beside].to_numpy()
            if not beside or not (own.max(axis=1) > self.most_alike).all():
                kept.append(name)
        return kept

    def _sizes(self, free: int) -> list[int]:
        sizes = range(1, free + 1) if self.sizes is None else {min(size, free) for size in self.sizes}
        return sorted(sizes)

    def _scores(self, trials: Trials, pieces: Pieces, sizes: Sequence[int]) -> tuple[list[Score], list[str]]:
        shared = (self, trials.bench, trials.rows, pieces, sizes)
        pairs = list(range(len(trials.inner)))
        workers = self.judge.workers
        if workers is None:
            folds = [_ranked_and_predicted(shared, pair) for pair in pairs]
        else:
            # The copy that travels has no processes of its own.
            alone = replace(self, judge=Judge(self.judge.folds, self.judge.objective))
            folds = list(workers.run(_ranked_and_predicted, pairs, shared=(alone, *shared[1:])))
        scores, notes = [], []
        for number in range(len(sizes)):
            parts = [fold[number] for fold in folds]
            failed = next((part for part in parts if isinstance(part, str)), None)
            values = [part for part in parts if not isinstance(part, str)]
            scores.append(trials.score(values) if failed is None else NO_SCORE)
            notes.append("" if failed is None else f"could not be fitted: {failed}")
        return scores, notes

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
        sizes = self._sizes(n_covariates - joined - len(self.start))
        return self.rank.fits + n_folds * (self.rank.fits + len(sizes))


def _ranked_and_predicted(
    shared: tuple[Ranked, Bench, pd.DataFrame, Pieces, Sequence[int]], pair: int
) -> list[Float | str]:
    """Rank the units by the training rows of one inner fold, and predict its test rows from the first few."""
    selection, bench, rows, pieces, sizes = shared
    train = rows.iloc[bench.pairs[pair][0]].reset_index(drop=True)
    order = selection.order(bench.candidate, train, pieces)
    found: dict[tuple[str, ...], Float | str] = {}
    out = []
    for size in sizes:
        covariates = pieces.covariates(order[:size])
        if covariates not in found:
            found[covariates] = predicted(bench, (pair, covariates, [bench.candidate.keywords]))[0]
        out.append(found[covariates])
    return out


def _alike(candidate: Candidate, rows: pd.DataFrame) -> pd.DataFrame:
    """Return absolute rank correlations between covariates; classes, which have no ranks, are like none."""
    alike = rows[list(candidate.covariates)].astype(float).corr(method="spearman").abs().fillna(0.0)
    classes = list(candidate.classes)
    alike.loc[classes, :] = 0.0
    alike.loc[:, classes] = 0.0
    return alike


def ranking_selection(
    judge: Judge,
    *,
    rank: Rank | None = None,
    most_alike: float | None = None,
    start: Sequence[str] = (),
    units: Units | None = None,
    sizes: Sequence[int] | None = None,
    seed: int = 0,
) -> Ranked:
    """Return a selection of the best-ranked covariates, as many as predict best on inner folds.

    In each inner fold the covariates are ranked by its training rows alone, and its test rows are predicted
    from the first one, two and so on: so the score of a number of covariates knows nothing of the rows that
    it is measured on (Ambroise and McLachlan 2002, doi:10.1073/pnas.102102699). Then that many are taken by
    the rank from all rows.

    Parameters
    ----------
    judge
        How numbers of covariates are scored. With its one-standard-error rule the fewest are taken that are
        no more than one standard error worse than the best.
    rank
        How covariates are ranked; by permutation if left out.
    most_alike
        Absolute rank correlation above which a covariate is dropped beside a better ranked one; none is
        dropped if left out.
    start
        Units or covariates that are always kept.
    units
        Name -> covariates that come and go together; every other covariate is a unit of its own.
    sizes
        Numbers of units that are tried, besides those of `start`; all if left out.
    seed
        Seed of the ranking by permutation.

    Raises
    ------
    PermagridError
        If a number is out of its range.
    """
    if most_alike is not None and not 0.0 < most_alike <= 1.0:
        raise PermagridError(f"selection: most_alike is a correlation above 0 to 1, found {most_alike:g}")
    if sizes is not None and (not len(sizes) or min(sizes) < 1):
        raise PermagridError(f"selection: sizes are numbers of covariates from 1, found {list(sizes)}")
    chosen = rank or Permutation(judge.objective, seed=seed, in_trials=judge.in_trials)
    tried = None if sizes is None else tuple(sizes)
    return Ranked(judge, chosen, most_alike, tuple(start), dict(units or {}), tried)
