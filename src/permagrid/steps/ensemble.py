"""Step: learners joined into one distribution, scored by weights that were learned without the fold."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.ensemble import (
    FAMILIES,
    ClassMixture,
    CopulaMixture,
    Mixture,
    fit_class_mixture,
    fit_copula_mixture,
    fit_gaussian_mixture,
    keep_what_holds,
)
from permagrid.errors import PermagridError
from permagrid.rundir import RunDir, digest
from permagrid.steps.code import code_digest
from permagrid.steps.learners import candidate
from permagrid.steps.nested import MAP, Nested, fold_name, joined_parts
from permagrid.steps.scores import Ground
from permagrid.study import Ensemble, Study
from permagrid.validation import Candidate, Comparison, Folds, Predicted, Problem, comparison_of
from permagrid.validation.levels import LEVELS

Float = NDArray[np.float64]

JOINED_FOLDER = "work/joined"
"""Where the nested predictions of ensembles are kept."""
_GOODNESS = f"{JOINED_FOLDER}/goodness.json"
PLAIN = "plain_bma"
"""Name of the mean of normal distributions that stands beside one of copulas."""


@dataclass(frozen=True)
class Joined:
    """An ensemble: what it says of rows that it did not learn from, and what it is for the map."""

    comparison: Comparison
    """The comparison, with the ensemble as one more learner."""
    quantiles: Mapping[tuple[str, str], Float]
    """Ensemble, plain mean, and each learner by itself; fold scheme -> quantiles at `LEVELS`, shape
    ``(repeats, n, levels)``; NaN where a row was not tested. None for classes."""
    mixture: Mixture | ClassMixture
    """What it is for the map, learned on inner folds of all rows."""
    said: Float
    """What that was learned from: predictions of all rows, shape ``(n, learners)`` or
    ``(n, learners, classes)``; NaN where a row was not tested."""
    goodness: tuple[float, ...] = ()
    """Of the copula of each learner, how often chance alone would set pairs as far from it."""


def fit_mixture(
    ensemble: Ensemble,
    study: Study,
    said: Float,
    observed: Float,
    *,
    parts: NDArray[np.int_],
    method: str | None = None,
) -> Mixture:
    """Return the mixture of learners that fits out-of-fold predictions; rows without them are left out.

    Parameters
    ----------
    ensemble, study
        How, and of what.
    said
        Shape ``(n, learners)``.
    observed
        Shape ``(n,)``.
    parts
        Fold of each row, by which is judged how much of a copula's correction is kept.
    method
        As in the study if left out.
    """
    told = np.isfinite(said).all(axis=1)
    lower, upper = study.target.valid_range
    if (method or ensemble.method) == "gaussian":
        return fit_gaussian_mixture(said[told], observed[told], lower=lower, upper=upper)
    families = ensemble.families or FAMILIES
    fitted = fit_copula_mixture(
        said[told], observed[told], lower=lower, upper=upper, families=families, seed=study.seed
    )
    return keep_what_holds(fitted, said[told], observed[told], parts[told])


def fit_classes(said: Float, observed: Float) -> ClassMixture:
    """Return the mixture of learners that fits out-of-fold probabilities; rows without them are left out.

    Parameters
    ----------
    said
        Shape ``(n, learners, classes)``.
    observed
        Classes, shape ``(n,)``.
    """
    told = np.isfinite(said).all(axis=(1, 2))
    return fit_class_mixture(said[told], observed[told], np.unique(observed))


def variants_of(ensemble: Ensemble) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return what is scored: name -> method, and places of the learners that take part."""
    every = tuple(range(len(ensemble.learners)))
    found: dict[str, tuple[str, tuple[int, ...]]] = {ensemble.label: (ensemble.method, every)}
    if ensemble.method == "copula":
        found[PLAIN] = ("gaussian", every)
    if len(every) > 1:
        found |= {label: (ensemble.method, (place,)) for place, label in enumerate(ensemble.learners)}
    return found


def joined(
    ground: Ground,
    study: Study,
    comparison: Comparison,
    nested: Nested,
    rundir: RunDir,
    *,
    advance: Callable[[int, int], None],
) -> Joined:
    """Return the ensemble of a study, its scores beside those of the learners.

    In every outer fold, marginals, copulas and weights are learned from what the learners say of rows that
    train, each said by a fit without it; the learners fitted to all of these rows then speak of those tested.

    Parameters
    ----------
    ground, study, comparison
        All rows, the study, and the comparison of its learners.
    nested
        What the learners say within the training rows.
    rundir
        Folder in which the result is kept.
    advance
        Told how many folds of how many are done.

    Raises
    ------
    PermagridError
        If the study has no ensemble, or a mixture cannot be fitted.
    """
    ensemble = study.ensemble
    if ensemble is None:
        raise PermagridError("ensemble: the study has none")
    observed = ground.table["value"].to_numpy(float)
    total, done = sum(map(len, comparison.folds)), 0
    found: dict[str, Float] = {}
    names = set[str]()
    for scheme in comparison.folds:
        work = _Scheme(ensemble, study, comparison, nested, scheme, observed)
        name = f"{JOINED_FOLDER}/{scheme.name}.npy"
        names.add(name)

        def write(path: Path, work: _Scheme = work, done: int = done) -> None:
            _write(path, work.made(lambda number: advance(done + number, total)))

        path = rundir.keep(name, work.ingredients(), write)
        found[scheme.name] = np.load(path, allow_pickle=False)
        done += len(scheme)
        advance(done, total)
    said, is_class = nested.said[MAP], study.target.kind == "class"
    parts = nested.parts(MAP)
    mixture = (
        fit_classes(said, observed) if is_class else fit_mixture(ensemble, study, said, observed, parts=parts)
    )
    goodness = _goodness(mixture, said, observed, study.seed, rundir)
    rundir.forget(JOINED_FOLDER, names | {_GOODNESS})
    return Joined(
        _with_ensemble(comparison, ground, study, ensemble, found),
        _quantiles(ensemble, study, found),
        mixture,
        said,
        goodness,
    )


def _goodness(
    mixture: Mixture | ClassMixture, said: Float, observed: Float, seed: int, rundir: RunDir
) -> tuple[float, ...]:
    """Return how well the copulas fit, kept until what they are fitted to changes; none without copulas."""
    if not isinstance(mixture, CopulaMixture):
        return ()
    told = np.isfinite(said).all(axis=1)

    def write(path: Path) -> None:
        found = mixture.goodness(said[told], observed[told], seed=seed)
        path.write_text(json.dumps(found), encoding="utf-8")

    ingredients = [code_digest(__name__), mixture.plain(), _array_digest(said[told]), seed]
    kept = rundir.keep(_GOODNESS, ingredients, write)
    return tuple(json.loads(kept.read_text(encoding="utf-8")))


def _write(path: Path, values: Float) -> None:
    with path.open("wb") as stream:
        np.save(stream, values)


@dataclass(frozen=True)
class _Scheme:
    """The ensemble and what stands beside it, under one fold scheme."""

    ensemble: Ensemble
    study: Study
    comparison: Comparison
    nested: Nested
    scheme: Folds
    observed: Float

    def ingredients(self) -> dict[str, Any]:
        """Return all that the result depends on, as plain values."""
        names = [fold_name(self.scheme, number) for number in range(len(self.scheme))]
        return {
            "code": code_digest(__name__),
            "ensemble": self.ensemble.model_dump(mode="json", exclude={"members", "block", "intervals"}),
            "target": self.study.target.model_dump(mode="json"),
            "seed": self.study.seed,
            "observed": digest([value.hex() for value in self.observed.tolist()]),
            "said": [_array_digest(self.nested.said[name]) for name in names],
            "parts": [_array_digest(self.nested.parts(name)) for name in names],
            "outer": [
                _array_digest(self.comparison.raw[label, self.scheme.name].values)
                for label in self.ensemble.learners
            ],
        }

    def made(self, step: Callable[[int], None]) -> Float:
        """Return predictions, shape ``(variants, repeats, n, 1 + levels)``, the mean and then quantiles.

        Of classes, probabilities of shape ``(1, repeats, n, classes)``.
        """
        is_class = self.study.target.kind == "class"
        variants = variants_of(self.ensemble)
        width = len(np.unique(self.observed)) if is_class else 1 + len(LEVELS)
        shape = (1 if is_class else len(variants), self.scheme.repeats, len(self.observed), width)
        out = np.full(shape, np.nan)
        per_round = len(self.scheme) // self.scheme.repeats
        for number, (_, test) in enumerate(self.scheme.pairs):
            name = fold_name(self.scheme, number)
            inner, parts = self.nested.said[name], self.nested.parts(name)
            here = number // per_round
            outer = np.stack(
                [
                    self.comparison.raw[label, self.scheme.name].values[here, test]
                    for label in self.ensemble.learners
                ],
                axis=1,
            )
            if is_class:
                out[0, here, test] = fit_classes(inner, self.observed).proba(outer)
            else:
                out[:, here, test] = self._values(inner, parts, outer)
            step(number + 1)
        return out

    def _values(self, inner: Float, parts: NDArray[np.int_], outer: Float) -> Float:
        found = []
        whole: Mixture | None = None
        for method, places in variants_of(self.ensemble).values():
            if isinstance(whole, CopulaMixture) and len(places) == 1 and method == "copula":
                mixture: Mixture = whole.alone(places[0])
            else:
                some = inner[:, list(places)]
                mixture = fit_mixture(
                    self.ensemble, self.study, some, self.observed, parts=parts, method=method
                )
            whole = whole or mixture
            said, tables = outer[:, list(places)], mixture.tables()
            found.append(np.column_stack([tables.mean(said), tables.quantiles(said, LEVELS)]))
        return np.stack(found)


def _array_digest(values: NDArray[Any]) -> str:
    return digest([list(values.shape), values.tobytes().hex()])


def _quantiles(ensemble: Ensemble, study: Study, found: Mapping[str, Float]) -> dict[tuple[str, str], Float]:
    if study.target.kind == "class":
        return {}
    return {
        (name, scheme): values[place, ..., 1:]
        for scheme, values in found.items()
        for place, name in enumerate(variants_of(ensemble))
    }


def _with_ensemble(
    comparison: Comparison, ground: Ground, study: Study, ensemble: Ensemble, found: Mapping[str, Float]
) -> Comparison:
    """Return a comparison with the ensemble as one more learner, and plain averaging beside copulas."""
    is_class = study.target.kind == "class"
    names = [ensemble.label] if is_class else [n for n in variants_of(ensemble) if n not in ensemble.learners]
    raw = {
        (name, scheme): Predicted(values[place] if is_class else values[place, ..., 0])
        for scheme, values in found.items()
        for place, name in enumerate(names)
    }
    sees = [candidate(part, study) for part in joined_parts(study, ensemble).values()]
    covariates = tuple(dict.fromkeys(name for each in sees for name in each.covariates))
    classes = tuple(dict.fromkeys(name for each in sees for name in each.classes))
    own = comparison_of(
        ground.table,
        dict.fromkeys(names, Candidate(lambda keywords, names: None, covariates, classes=classes)),
        comparison.folds,
        raw,
        problem=Problem(study.target.variable, study.target.kind),
        draws=study.validation.bootstrap,
        seed=study.seed,
    )
    return replace(
        comparison,
        predictions=pd.concat([comparison.predictions, own.predictions], ignore_index=True),
        scores=pd.concat([comparison.scores, own.scores], ignore_index=True),
        raw={**comparison.raw, **raw},
    )
