"""Step: predictions within the training rows of every fold, from which an ensemble learns its weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.rundir import RunDir
from permagrid.steps.learners import candidate, folds_spec
from permagrid.steps.scores import Ground, Kept
from permagrid.study import Ensemble, LearnerPart, Study
from permagrid.validation import Comparison, Folds, predict_all
from permagrid.validation.inner_folds import FoldsSpec

Float = NDArray[np.float64]

NESTED_FOLDER = "work/nested"
"""Where these predictions are kept."""
MAP = "map"
"""What stands in place of an outer fold for the folds of all rows, on which the map rests."""


@dataclass(frozen=True)
class Nested:
    """Predictions of the learners that are joined, within the training rows of every outer fold."""

    said: Mapping[str, Float]
    """Name of an outer fold, or `MAP` -> predictions, shape ``(n, learners)`` or ``(n, learners, classes)``;
    NaN for rows that the fold tests, and for those that no inner fold tests."""
    schemes: Mapping[str, Folds]
    """The inner folds, by the same names."""

    def parts(self, name: str) -> NDArray[np.int_]:
        """Return the inner fold that tests each row, shape ``(n,)``; -1 where none does."""
        found = np.full(len(self.said[name]), -1)
        for number, (_, tested) in enumerate(self.schemes[name].rounds[0]):
            found[tested] = number
        return found


def joined_parts(study: Study, ensemble: Ensemble) -> dict[str, LearnerPart]:
    """Return the learners that are joined, by label, in the order of the study's ensemble."""
    parts = {part.label: part for part in study.learners}
    return {label: parts[label] for label in ensemble.learners}


def fold_name(scheme: Folds, number: int) -> str:
    """Return the name of an outer fold; folds are counted through all rounds."""
    return f"{scheme.name}_{number}"


def nested_schemes(ground: Ground, study: Study, ensemble: Ensemble, outer: list[Folds]) -> dict[str, Folds]:
    """Return the inner folds of the training rows of every outer fold, and of all rows.

    Raises
    ------
    PermagridError
        If the training rows of a fold cannot be split again.
    """
    spec = folds_spec(ensemble.inner or study.validation.inner, study, ground.domain)
    every = np.arange(len(ground.table))
    found = {MAP: _within(every, ground, spec, MAP)}
    for scheme in outer:
        for number, (train, _) in enumerate(scheme.pairs):
            name = fold_name(scheme, number)
            found[name] = _within(train, ground, spec, name)
    return found


def _within(train: NDArray[np.int_], ground: Ground, spec: FoldsSpec, name: str) -> Folds:
    made, why = spec.made(ground.table.iloc[train].reset_index(drop=True))
    if made is None:
        raise PermagridError(f"ensemble.inner: the training rows of {name} cannot be split again; {why}")
    pairs = tuple((train[known], train[tested]) for known, tested in made.rounds[0])
    groups = np.full(len(ground.table), -1)
    groups[train] = np.unique(made.groups, return_inverse=True)[1].ravel()
    return Folds(name, f"{made.method}, of the training rows of {name}", pairs, groups, spatial=made.spatial)


def nested_predictions(
    ground: Ground,
    study: Study,
    ensemble: Ensemble,
    comparison: Comparison,
    rundir: RunDir,
    *,
    advance: Callable[[int, int], None],
) -> Nested:
    """Return what the joined learners say of rows that train, each said by a fit that did not see the row.

    Parameters
    ----------
    ground, study, ensemble
        All rows, the study, and what it joins.
    comparison
        The outer folds.
    rundir
        Folder in which predictions are kept.
    advance
        Told how many fits of how many are done.

    Raises
    ------
    PermagridError
        If the training rows of a fold cannot be split again.
    """
    schemes = nested_schemes(ground, study, ensemble, list(comparison.folds))
    parts = joined_parts(study, ensemble)
    kept = Kept(ground, study, rundir, "all", parts, list(schemes.values()), folder=NESTED_FOLDER)
    values = ground.table["value"].to_numpy(float)
    raw = predict_all(
        {label: candidate(part, study, ground.domain) for label, part in parts.items()},
        ground.table,
        list(schemes.values()),
        classes=np.unique(values) if study.target.kind == "class" else None,
        workers=ground.workers,
        memory=kept,
        advance=advance,
    )
    rundir.forget(NESTED_FOLDER, kept.names)
    said = {name: np.stack([raw[label, name].values[0] for label in parts], axis=1) for name in schemes}
    return Nested(said, schemes)
