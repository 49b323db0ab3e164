"""Step: every learner under every fold scheme, its out-of-fold predictions kept by digest."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.learners import build_learner
from permagrid.progress import Advance
from permagrid.rundir import RunDir, digest
from permagrid.steps.inputs import code_digest, predictors
from permagrid.study import LearnerPart, Study, Subset
from permagrid.validation import (
    FOLDS,
    Candidate,
    Comparison,
    Folds,
    Problem,
    compare,
    group_gains,
    out_of_fold,
    without_groups,
)

Float = NDArray[np.float64]


def candidate(part: LearnerPart, study: Study) -> Candidate:
    """Return a learner of the study with the covariates it sees."""
    names = tuple(predictors(study)) if part.covariates is None else part.covariates
    classes = tuple(c.name for c in study.covariates if c.kind == "class" and c.name in names)
    kinds: dict[str, Any] = {"covariates": names, "classes": classes, "encoding": part.classes}
    estimator = build_learner(part.name, study.target.kind, study.seed, part.keywords, **kinds)
    return Candidate(estimator, tuple(names), () if part.classes == "codes" else classes)


def fold_schemes(table: pd.DataFrame, study: Study) -> list[Folds]:
    """Return the fold schemes of the study for a table; random folds of classes are stratified."""
    schemes = []
    for part in study.validation.folds:
        keywords = {"seed": study.seed, **part.keywords}
        if part.method == "random" and study.target.kind == "class":
            keywords.setdefault("stratified", True)
        schemes.append(FOLDS[part.method](table, **keywords))
    return schemes


def compare_learners(
    table: pd.DataFrame, study: Study, rundir: RunDir, *, workers: int, advance: Advance
) -> Comparison:
    """Return the comparison of all learners, for all sites and for each subset fitted to itself.

    Raises
    ------
    PermagridError
        If folds cannot be made or a subset is empty.
    """
    subsets = [Subset(name="all"), *study.validation.subsets]
    variants = _group_variants(study)
    one_part = len(study.validation.folds) * len(study.learners)
    total = len(subsets) * one_part + len(variants) * len(study.validation.folds)
    results, names = [], set[str]()
    for number, subset in enumerate(subsets):
        inside = (table["value"] >= subset.minimum) & (table["value"] < subset.maximum)
        part = table[inside].reset_index(drop=True)
        if part.empty:
            raise PermagridError(f"validation.subsets: no site-epoch has a value in subset {subset.name}")
        kept = _Remembered(part, study, rundir, subset.name, advance, (number * one_part, total))
        results.append(
            compare(
                part,
                {learner.name: candidate(learner, study) for learner in study.learners},
                fold_schemes(part, study),
                problem=Problem(study.target.variable, study.target.kind, subset.name),
                draws=study.validation.bootstrap,
                seed=study.seed,
                workers=workers,
                remember=kept,
            )
        )
        names |= kept.names
    gains = pd.DataFrame()
    if variants:
        kept = _Remembered(table, study, rundir, "all", advance, (len(subsets) * one_part, total))
        gains = _gains(table, study, results[0].folds, kept, workers=workers)
        names |= kept.names
    rundir.forget("work/folds", names)
    return Comparison(
        pd.concat([result.predictions for result in results], ignore_index=True),
        pd.concat([result.scores for result in results], ignore_index=True),
        results[0].folds,
        gains,
    )


def _group_variants(study: Study) -> dict[str | None, LearnerPart]:
    """Return group -> the mapped learner without its covariates, and None -> the learner itself.

    Empty where the study names no groups.
    """
    part = next((p for p in study.learners if p.name == study.products.learner), None)
    if part is None or not study.validation.groups:
        return {}
    groups = {group.name: group.covariates for group in study.validation.groups}
    rest = without_groups(candidate(part, study).covariates, groups)
    without = {name: part.model_copy(update={"covariates": tuple(left)}) for name, left in rest.items()}
    variants: dict[str | None, LearnerPart] = {None: part}
    return variants | without


def _gains(
    table: pd.DataFrame, study: Study, folds: tuple[Folds, ...], kept: "_Remembered", *, workers: int
) -> pd.DataFrame:
    """Return what groups of covariates bring under the folds that hold out sites or blocks."""
    variants = _group_variants(study)
    values = table["value"].to_numpy(float)
    classes = np.unique(values) if study.target.kind == "class" else None

    def predicted(group: str | None, scheme: Folds) -> Float:
        one = candidate(variants[group], study)
        make = partial(out_of_fold, one, table, scheme, classes=classes, workers=workers)
        return kept(_variant_name(variants[group], group), scheme.name, make)

    members = {group.name: ", ".join(group.covariates) for group in study.validation.groups}
    gains = group_gains(
        values,
        [group for group in variants if group is not None],
        [scheme for scheme in folds if scheme.spatial],
        predicted,
        task=study.target.kind,
        draws=study.validation.bootstrap,
        seed=study.seed,
    )
    return gains.assign(covariates=gains["group"].map(members).fillna(""))


def _variant_name(part: LearnerPart, group: str | None) -> str:
    return part.name if group is None else f"{part.name}_without_{group.replace(' ', '_')}"


class _Remembered:
    """Keeps out-of-fold predictions of a learner and a scheme, and shows progress."""

    def __init__(
        self,
        table: pd.DataFrame,
        study: Study,
        rundir: RunDir,
        subset: str,
        advance: Advance,
        place: tuple[int, int],
    ) -> None:
        self._study, self._rundir, self._subset = study, rundir, subset
        self._advance, self._done, self._total = advance, *place
        self.names: set[str] = set()
        self._data = {name: table_digest(table, [name]) for name in _columns(table, study)}
        self._learners = {learner.name: learner for learner in study.learners}
        self._learners |= {_variant_name(part, group): part for group, part in _group_variants(study).items()}
        self._folds = {
            scheme.name: digest([[t.tolist() for t in pair] for pair in scheme])
            for scheme in fold_schemes(table, study)
        }

    def __call__(self, learner: str, folds: str, make: Callable[[], Float]) -> Float:
        part = self._learners[learner]
        chosen = candidate(part, self._study)
        columns = [*chosen.covariates, "value"]
        ingredients = {
            "code": code_digest(),
            "learner": part.model_dump(mode="json"),
            "classes": chosen.classes,
            "seed": self._study.seed,
            "task": self._study.target.kind,
            "folds": self._folds[folds],
            "data": [self._data[name] for name in columns],
        }

        def write(path: Path) -> None:
            with path.open("wb") as stream:
                np.save(stream, make())

        name = f"work/folds/{self._subset}_{folds}_{learner}.npy"
        path = self._rundir.keep(name, ingredients, write)
        self.names.add(name)
        self._done += 1
        self._advance(self._done, self._total)
        return np.asarray(np.load(path, allow_pickle=False))


def _columns(table: pd.DataFrame, study: Study) -> list[str]:
    return [*(c.name for c in study.covariates if c.name in table), "value"]


def table_digest(table: pd.DataFrame, columns: list[str]) -> str:
    """Return the digest of some columns of numbers, exact to the last bit."""
    return digest([[name, [float(v).hex() for v in table[name].to_numpy(float)]] for name in columns])
