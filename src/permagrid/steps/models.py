"""Step: learners and ensembles fitted to all rows, kept as the folders of models by which maps are drawn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from permagrid.grid import Float
from permagrid.models import Column, Learner, Model, Target, load_model
from permagrid.models.folder import write_model
from permagrid.models.forms import learner_of
from permagrid.rundir import RunDir
from permagrid.steps.code import code_digest
from permagrid.steps.ensemble import Joined
from permagrid.steps.inputs import covariates_of
from permagrid.steps.learners import candidate, mapped_part
from permagrid.steps.nested import joined_parts
from permagrid.steps.scores import Ground, table_digest
from permagrid.steps.versions import versions
from permagrid.study import Ensemble, Study
from permagrid.validation import Candidate, Fitted, fit

FOLDER = "models"
"""Where models are kept, within the folder of a run."""


class Source(Protocol):
    """Where maps have their model from."""

    @property
    def ingredients(self) -> object:
        """All that the model depends on, as plain values."""

    @property
    def model(self) -> Model:
        """The model; it is fitted or read when it is first needed."""


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A model that was fitted elsewhere."""

    model: Model
    """The model."""
    ingredients: str
    """Hash of its folder."""


@dataclass(frozen=True, eq=False)
class KeptModel:
    """A model that is fitted to the rows of a run, and kept in its folder."""

    rundir: RunDir
    """The folder of the run."""
    name: str
    """Of the model."""
    ingredients: Mapping[str, Any]
    """All that it depends on, as plain values."""
    make: Callable[[], Model]
    """Fits it."""

    @property
    def path(self) -> str:
        """Where it is kept, within the folder of the run."""
        return f"{FOLDER}/{self.name}"

    def keep(self) -> None:
        """Fit the model and write its folder, unless it is kept.

        Raises
        ------
        PermagridError
            If it cannot be fitted or written; in a shard also if it is not kept.
        """
        self.rundir.keep(self.path, self.ingredients, lambda path: write_model(path, self.make()))

    @cached_property
    def model(self) -> Model:
        """The model, as it is read from its folder: by it the maps of every run are drawn."""
        self.keep()
        return load_model(self.rundir.path / self.path)


def keep_models(models: Sequence[KeptModel], rundir: RunDir) -> None:
    """Fit and write the models that are not kept, and forget those of other studies."""
    for each in models:
        each.keep()
    rundir.forget(FOLDER, {each.path for each in models})


def learner_model(study: Study, learner: Candidate, ground: Ground, rundir: RunDir) -> KeptModel:
    """Return the model of the learner whose maps are written.

    Parameters
    ----------
    study, learner
        The study, and its learner, which has nothing left to choose.
    ground
        The rows it is fitted to.
    rundir
        Folder in which it is kept.
    """
    part = mapped_part(study)
    names = [*learner.covariates, "value"]

    def make() -> Model:
        with threadpool_limits(1):
            fitted = fit(learner, ground.table)
        return _model(study, part.label, {part.label: fitted}, ground.table, None, _rows(ground.table, names))

    ingredients = {
        **_shared(study, learner.covariates),
        "learner": part.model_dump(mode="json"),
        "data": [
            table_digest(ground.table, names),
            dict(learner.keywords),
            list(learner.covariates),
            *([ground.where] if learner.weigh else []),
        ],
    }
    return KeptModel(rundir, part.label, ingredients, make)


@dataclass(frozen=True, eq=False)
class FittedEnsemble:
    """The learners of an ensemble fitted to all rows, and the mixture that joins what they say."""

    learners: tuple[Fitted, ...]
    """In the order of the study."""
    joined: Joined
    """The mixture, and what it was learned from."""

    @cached_property
    def covariates(self) -> tuple[str, ...]:
        """All covariates that any of them sees."""
        return tuple(dict.fromkeys(name for each in self.learners for name in each.covariates))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class covariates of which an unknown class cannot be predicted."""
        return tuple(dict.fromkeys(name for each in self.learners for name in each.classes))

    def columns(self, number: int) -> list[int]:
        """Return the places, among `covariates`, of those that one learner sees."""
        return [self.covariates.index(name) for name in self.learners[number].covariates]


@dataclass(frozen=True, eq=False)
class EnsembleFit:
    """An ensemble that is fitted to all rows when it is first needed, and its model."""

    study: Study
    """The study."""
    ensemble: Ensemble
    """What it joins."""
    ground: Ground
    """The rows that the learners are fitted to."""
    joined: Joined
    """The mixture."""

    @cached_property
    def fitted(self) -> FittedEnsemble:
        """The learners and the mixture."""
        ground, study = self.ground, self.study
        with threadpool_limits(1):
            learners = [
                fit(candidate(part, study, ground.domain), ground.table)
                for part in joined_parts(study, self.ensemble).values()
            ]
        return FittedEnsemble(tuple(learners), self.joined)

    def kept(self, rundir: RunDir, coverage: tuple[str, float] | None) -> KeptModel:
        """Return the model of the ensemble.

        Parameters
        ----------
        rundir
            Folder in which it is kept.
        coverage
            Share of observed values within the mapped interval: fold scheme to quote, and share.
        """
        study, ensemble, table = self.study, self.ensemble, self.ground.table
        parts = joined_parts(study, ensemble)
        sees = [candidate(part, study).covariates for part in parts.values()]
        names = list(dict.fromkeys(name for covariates in sees for name in covariates))
        level = max(ensemble.intervals)

        def make() -> Model:
            fitted = dict(zip(parts, self.fitted.learners, strict=True))
            told = {"level": level, "coverage": None if coverage is None else list(coverage)}
            rows = _rows(table, [*names, "value"])
            return _model(study, ensemble.label, fitted, table, self.joined, rows | {"interval": told})

        ingredients = {
            **_shared(study, names),
            "ensemble": ensemble.model_dump(mode="json", exclude={"members", "block"}),
            "learners": [part.model_dump(mode="json") for part in parts.values()],
            "data": table_digest(table, [*names, "value"]),
            "where": self.ground.where,
            "mixture": self.joined.mixture.plain(),
            "coverage": None if coverage is None else list(coverage),
        }
        return KeptModel(rundir, ensemble.label, ingredients, make)


def known_classes(classes: Sequence[str], table: pd.DataFrame) -> dict[str, Float]:
    """Return the classes of each class covariate in the rows that a learner is fitted to."""
    return {name: np.unique(table[name].to_numpy(float)) for name in classes}


def _shared(study: Study, names: Sequence[str]) -> dict[str, Any]:
    """Return what a model of any kind depends on."""
    covariates = covariates_of(study)
    told = {
        name: [covariates[name].unit, covariates[name].kind, covariates[name].long_name] for name in names
    }
    return {
        "code": code_digest(__name__),
        "seed": study.seed,
        "target": study.target.model_dump(mode="json"),
        "study": [study.study, study.metadata.title, study.metadata.licence, list(study.epochs)],
        "covariates": told,
    }


def _model(
    study: Study,
    name: str,
    learners: Mapping[str, Fitted],
    table: pd.DataFrame,
    joined: Joined | None,
    rows: Mapping[str, Any],
) -> Model:
    target, covariates = study.target, covariates_of(study)
    apart = known_classes([each for fitted in learners.values() for each in fitted.classes], table)
    seen = dict.fromkeys(each for fitted in learners.values() for each in fitted.covariates)
    columns = tuple(
        Column(
            each,
            covariates[each].unit,
            covariates[each].kind,
            covariates[each].long_name or "",
            tuple(apart[each].tolist()) if each in apart else None,
        )
        for each in seen
    )
    classes = np.unique(table["value"].to_numpy(float)).tolist() if target.kind == "class" else []
    made: tuple[Learner, ...] = tuple(
        learner_of(label, fitted.covariates, fitted.estimator, task=target.kind)
        for label, fitted in learners.items()
    )
    origin = {
        "study": study.study,
        "title": study.metadata.title,
        "licence": study.metadata.licence,
        "epochs": study.epoch_names,
        "seed": study.seed,
        "learners": {
            label: {"learner": _part(study, label).name, "keywords": dict(fitted.choice.keywords)}
            for label, fitted in learners.items()
        },
        "fitted_to": dict(rows),
        "versions": versions(),
    }
    return Model(
        name,
        Target(target.variable, target.kind, target.unit, target.valid_range, target.depth, tuple(classes)),
        columns,
        made,
        None if joined is None else joined.mixture,
        origin,
    )


def _part(study: Study, label: str) -> Any:
    return next(part for part in study.learners if part.label == label)


def _rows(table: pd.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    """Return what a model says of the rows it was fitted to, which it does not hold."""
    found: dict[str, Any] = {"rows": len(table), "sha256": table_digest(table, list(names))}
    return found | ({"sites": int(table["site_group"].nunique())} if "site_group" in table else {})
