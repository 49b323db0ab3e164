"""Ranks of covariates for a selection: by what their shuffling costs, or by what their splits bring."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.validation.candidate import Candidate, Fitted, fit
from permagrid.validation.importance_fitted import impurity
from permagrid.validation.inner_folds import FoldsSpec
from permagrid.validation.objective import Objective
from permagrid.validation.pieces import Pieces
from permagrid.validation.trials import Bench, Judge, Trials, predict_with

Float = NDArray[np.float64]


class Rank(Protocol):
    """Tells what units of covariates are worth to a learner, from rows that train."""

    @property
    def fits(self) -> int:
        """How many fits it takes."""

    def __call__(self, candidate: Candidate, rows: pd.DataFrame, pieces: Pieces) -> dict[str, float]:
        """Return unit -> importance; more is more important."""


@dataclass(frozen=True)
class Permutation:
    """Ranks by how much worse a learner predicts when the rows of a unit are shuffled (Breiman 2001).

    Shuffled are rows that the learner did not see: the sites are split, and each part is predicted from the
    others. The covariates of a unit are shuffled together.
    """

    objective: Objective
    """By which predictions are scored."""
    splits: int = 3
    """Parts into which the sites are split."""
    repeats: int = 5
    """Shuffles of each unit in each part."""
    seed: int = 0
    """Seed of the split and of the shuffles."""
    in_trials: Mapping[str, Any] = field(default_factory=dict)
    """As in `permagrid.validation.trials.Judge`."""

    @property
    def fits(self) -> int:
        """How many fits it takes."""
        return self.splits

    def __call__(self, candidate: Candidate, rows: pd.DataFrame, pieces: Pieces) -> dict[str, float]:
        """Return unit -> importance, the mean increase of the loss; all 0 where nothing can be told."""
        spec = FoldsSpec("site", {"n_folds": self.splits, "seed": self.seed})
        trials = Trials(candidate, rows, Judge(spec, self.objective, in_trials=self.in_trials))
        if trials.folds is None:
            return dict.fromkeys(pieces.names, 0.0)
        parts = [self._shuffled(trials.bench, pair, pieces) for pair in range(len(trials.inner))]
        losses = [trials.score([part[number] for part in parts]).loss for number in range(len(parts[0]))]
        shuffled = np.array(losses[1:]).reshape(len(pieces.names), self.repeats)
        with np.errstate(invalid="ignore"):
            found = np.nan_to_num(shuffled.mean(axis=1) - losses[0])
        return dict(zip(pieces.names, found.tolist(), strict=True))

    def _shuffled(self, bench: Bench, pair: int, pieces: Pieces) -> list[Float]:
        """Return predictions of the test rows as they are, and with each unit shuffled as often as asked."""
        covariates = bench.candidate.covariates
        tested = bench.rows[bench.pairs[pair][1]]
        random = np.random.default_rng([self.seed, pair])
        versions = [tested]
        for name in pieces.names:
            columns = [covariates.index(member) for member in pieces.members[name]]
            for _ in range(self.repeats):
                other = tested.copy()
                other[:, columns] = tested[random.permutation(len(tested))][:, columns]
                versions.append(other)
        # All at once, as most of the time of a prediction goes before its first row.
        found = predict_with(bench, pair, np.concatenate(versions))
        return np.split(found, len(versions))


@dataclass(frozen=True)
class Impurity:
    """Ranks by what the splits on a covariate bring to the trees of a learner (Breiman 2001).

    It favours covariates of many values, whether they say anything or not; shuffling does not.
    """

    fits: int = 1
    """How many fits it takes."""

    def __call__(self, candidate: Candidate, rows: pd.DataFrame, pieces: Pieces) -> dict[str, float]:
        """Return unit -> importance.

        Raises
        ------
        PermagridError
            If the learner tells no importances of its covariates.
        """
        plain = Candidate(
            candidate.build,
            candidate.covariates,
            candidate.keywords,
            candidate.classes,
            weigh=candidate.weigh,
        )
        told = _importances(fit(plain, rows), rows)
        worth = dict(zip(candidate.covariates, told, strict=True))
        return {name: float(sum(worth[each] for each in pieces.members[name])) for name in pieces.names}


def _importances(fitted: Fitted, rows: pd.DataFrame) -> list[float]:
    told = impurity(fitted, rows)
    if told is None:
        raise PermagridError(
            "ranking by impurity is for learners of trees that tell importances of their covariates, which "
            "this one does not; rank by permutation"
        )
    return told
