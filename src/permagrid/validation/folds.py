"""Folds: pairs of training and test rows, what is never split, and the table of methods that make them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.registry import Table

Index = NDArray[np.int_]


@dataclass(frozen=True, eq=False)
class Folds:
    """Train and test row numbers; iterable, so that it is a scikit-learn ``cv``.

    Raises
    ------
    PermagridError
        If a row, or for spatial folds a group, lies in the training and the test set of one fold, if a
        round tests a row twice, or if a training or test set is empty.
    """

    name: str
    """``random``, ``site``, ``block_500km``, ..."""
    method: str
    """How the folds were made, in one sentence."""
    pairs: tuple[tuple[Index, Index], ...] = field(repr=False)
    """Row numbers of train and test set of each fold, round after round."""
    groups: Index = field(repr=False)
    """For each row the unit that is never split, and that the bootstrap draws."""
    spatial: bool = True
    """Whether test sites are kept apart from training sites."""
    repeats: int = 1
    """Rounds, each with the same number of folds; a row is tested at most once in each."""
    record: Mapping[str, float | int | str] = field(default_factory=dict)
    """What the method found on its way, such as the range of a variogram or a distance W."""

    def __post_init__(self) -> None:
        if self.repeats < 1 or not self.pairs or len(self.pairs) % self.repeats:
            raise PermagridError(
                f"folds: {self.name} has {len(self.pairs)} folds, which are not {self.repeats} equal rounds"
            )
        units = self.groups if self.spatial else np.arange(len(self.groups))
        units = np.unique(units, return_inverse=True)[1].ravel()
        for number, (train, test) in enumerate(self.pairs):
            if not len(train) or not len(test):
                empty = "test" if len(train) else "training"
                raise PermagridError(f"folds: {self.name} has no {empty} rows in fold {number}")
            tested = np.zeros(len(units), dtype=bool)
            tested[units[test]] = True
            if tested[units[train]].any():
                what = "group" if self.spatial else "row"
                raise PermagridError(f"folds: {self.name} trains and tests on one {what} in fold {number}")
        for number, pairs in enumerate(self.rounds):
            if np.bincount(np.concatenate([test for _, test in pairs])).max() > 1:
                raise PermagridError(f"folds: {self.name} tests a row more than once in round {number}")

    @property
    def rounds(self) -> list[tuple[tuple[Index, Index], ...]]:
        """The folds of each round, in which a row is tested at most once."""
        size = len(self.pairs) // self.repeats
        return [self.pairs[start : start + size] for start in range(0, len(self.pairs), size)]

    @property
    def all_tested(self) -> bool:
        """Whether each row is tested in some fold."""
        return len(np.unique(np.concatenate([test for _, test in self.pairs]))) == len(self.groups)

    def numbers(self, number: int = 0) -> Index:
        """Return for each row the fold of one round that tests it, from 0; -1 where none does."""
        out = np.full(len(self.groups), -1)
        for fold, (_, test) in enumerate(self.rounds[number]):
            out[test] = fold
        return out

    def __str__(self) -> str:
        folds = len(self.pairs) // self.repeats
        rounds = f" in each of {self.repeats} rounds" if self.repeats > 1 else ""
        lines = [
            f"{self.name}: {self.method}",
            f"{folds} fold{'s' if folds > 1 else ''}{rounds}, {len(self.groups)} rows, "
            f"{len(np.unique(self.groups))} groups that are never split",
            f"rows tested per fold: {_span([len(test) for _, test in self.pairs])}",
            f"rows trained on per fold: {_span([len(train) for train, _ in self.pairs])}",
        ]
        lines += [f"{key}: {_written(value)}" for key, value in self.record.items()]
        return "\n".join(lines)

    def __iter__(self) -> Iterator[tuple[Index, Index]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def split(
        self, X: object = None, y: object = None, groups: object = None
    ) -> Iterator[tuple[Index, Index]]:
        """Yield train and test row numbers; the arguments are ignored."""
        del X, y, groups
        return iter(self.pairs)

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Return the number of folds; the arguments are ignored."""
        del X, y, groups
        return len(self.pairs)


def _span(counts: Sequence[int]) -> str:
    return f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else f"{min(counts)}"


def _written(value: float | int | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


FoldMethod = Callable[..., Folds]
FOLDS: Table[FoldMethod] = Table("folds")
"""Fold methods ``(sites, domain=None, *, seed, ...) -> Folds``.

`sites` has a row per site and epoch: longitude, latitude, site_group, epoch, value, the covariates, and
``residual`` where those of a learner are known. `domain` has prediction points drawn from the map in
proportion to area: longitude, latitude, epoch and the covariates."""


def of_labels(labels: Index) -> tuple[tuple[Index, Index], ...]:
    """Return the pairs of one round in which each fold is tested against all other rows.

    Parameters
    ----------
    labels
        Fold of each row, from 0, shape ``(n,)``.

    Examples
    --------
    >>> [(train.tolist(), test.tolist()) for train, test in of_labels(np.array([0, 1, 0]))]
    [([1], [0, 2]), ([0, 2], [1])]
    """
    numbers = range(int(labels.max(initial=-1)) + 1)
    return tuple((np.flatnonzero(labels != fold), np.flatnonzero(labels == fold)) for fold in numbers)


def deal(count: int, n_folds: int, seed: int, turn: int = 0) -> Index:
    """Return the fold of each of `count` things that are shuffled and dealt in turn.

    Parameters
    ----------
    count
        How many there are.
    n_folds
        Number of folds.
    seed, turn
        Seed of the study, and the round for which they are dealt.

    Examples
    --------
    >>> np.bincount(deal(7, 3, seed=0)).tolist()
    [3, 2, 2]
    """
    folds = np.empty(count, dtype=int)
    folds[np.random.default_rng([seed, turn]).permutation(count)] = np.arange(count) % n_folds
    return folds


def enough(found: int, needed: int, what: str, *, repeats: int = 1) -> None:
    """Raise if there are too few of something to be dealt into folds.

    Raises
    ------
    PermagridError
        If there are fewer things than folds, fewer than two folds, or less than one round.
    """
    if needed < 2:
        raise PermagridError(f"folds: n_folds must be 2 or more, found {needed}")
    if repeats < 1:
        raise PermagridError(f"folds: repeats must be 1 or more, found {repeats}")
    if found < needed:
        raise PermagridError(
            f"folds: {found} {what} cannot make {needed} folds; use fewer folds or larger data"
        )


def called(name: str, n_folds: int, repeats: int) -> str:
    """Return the name of a scheme, with its rounds where there are several: ``random_40x5``."""
    return name if repeats == 1 else f"{name}_{repeats}x{n_folds}"


def dealt_as(n_folds: int, repeats: int) -> str:
    """Return the number of folds and rounds in words: ``5 folds``, ``40 times 5 folds``."""
    return f"{n_folds} folds" if repeats == 1 else f"{repeats} times {n_folds} folds"
