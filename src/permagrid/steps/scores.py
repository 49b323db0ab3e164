"""Step: every learner under every fold scheme, its out-of-fold predictions kept by digest."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.progress import Advance
from permagrid.rundir import RunDir, digest
from permagrid.steps.code import code_digest
from permagrid.steps.folds import distances_of, fold_schemes
from permagrid.steps.learners import candidate, grouped_part, inner_folds
from permagrid.study import LearnerPart, Study, Subset
from permagrid.validation import (
    Comparison,
    Folds,
    Piece,
    Problem,
    comparison_of,
    group_gains,
    predict_all,
    refuse_or_classes,
    without_groups,
)
from permagrid.validation.inner_folds import FoldsSpec

Float = NDArray[np.float64]

FOLDS_FOLDER = "work/folds"
"""Where out-of-fold predictions are kept."""


@dataclass(frozen=True)
class Ground:
    """What a comparison stands on."""

    table: pd.DataFrame
    """One row per site and epoch."""
    domain: pd.DataFrame | None
    """Points of the map; None where there is none."""
    root: Path
    """Folder from which the study's paths start."""
    inner: FoldsSpec
    """Folds by which learners choose."""
    workers: int = 1
    """Folds in work at a time."""

    @cached_property
    def where(self) -> str:
        """Digest of what learners choose and weigh by, beside covariates: places, epochs, inner folds."""
        rows, points = self.table, self.inner.domain
        inner = [self.inner.method, dict(self.inner.keywords)]
        seen = "" if points is None else table_digest(points, [str(c) for c in points if c != "epoch"])
        others = [rows[name].tolist() for name in ("site_group", "epoch", "n_years") if name in rows]
        return digest([inner, seen, others, table_digest(rows, ["longitude", "latitude"])])

    @classmethod
    def of(
        cls, table: pd.DataFrame, domain: pd.DataFrame | None, study: Study, root: Path, workers: int
    ) -> Self:
        """Return the ground of a study."""
        return cls(table, domain, root, inner_folds(study, domain), workers)


def parts_of(ground: Ground, study: Study) -> list[tuple[Subset, Ground, list[Folds]]]:
    """Return all sites, and each subset, with their rows and the fold schemes of these.

    Raises
    ------
    PermagridError
        If folds cannot be made or a subset is empty.
    """
    parts = []
    for subset in (Subset(name="all"), *study.validation.subsets):
        inside = (ground.table["value"] >= subset.minimum) & (ground.table["value"] < subset.maximum)
        rows = ground.table[inside].reset_index(drop=True)
        if rows.empty:
            raise PermagridError(f"validation.subsets: no site-epoch has a value in subset {subset.name}")
        schemes = fold_schemes(rows, study, ground.root, ground.domain, workers=ground.workers)
        parts.append((subset, replace(ground, table=rows), schemes))
    return parts


def compare_learners(ground: Ground, study: Study, rundir: RunDir, *, advance: Advance) -> Comparison:
    """Return the comparison of all learners, for all sites and for each subset fitted to itself.

    Raises
    ------
    PermagridError
        If folds cannot be made or a subset is empty.
    """
    parts = parts_of(ground, study)
    variants = group_variants(study)
    spatial = [scheme for scheme in parts[0][2] if scheme.spatial]
    count = _Count(advance, sum(len(study.learners) * sum(map(len, schemes)) for _, _, schemes in parts))
    count.total += (len(variants) - 1) * sum(map(len, spatial)) if variants else 0
    results, names = [], set[str]()
    for subset, part, schemes in parts:
        learners = {learner.label: learner for learner in study.learners}
        kept = Kept(part, study, rundir, subset.name, learners, schemes)
        problem = Problem(study.target.variable, study.target.kind, subset.name)
        candidates = {name: candidate(learner, study, ground.domain) for name, learner in learners.items()}
        raw = predict_all(
            candidates,
            part.table,
            schemes,
            classes=refuse_or_classes(part.table, schemes, problem),
            workers=ground.workers,
            memory=kept,
            advance=count.part(),
        )
        draws = {"draws": study.validation.bootstrap, "seed": study.seed}
        results.append(comparison_of(part.table, candidates, schemes, raw, problem=problem, **draws))
        names |= kept.names
    gains = pd.DataFrame()
    if variants:
        kept = Kept(ground, study, rundir, "all", variants, spatial)
        gains = _gains(ground, study, results[0], kept, advance=count.part())
        names |= kept.names
    rundir.forget(FOLDS_FOLDER, names)
    return Comparison(
        pd.concat([result.predictions for result in results], ignore_index=True),
        pd.concat([result.scores for result in results], ignore_index=True),
        results[0].folds,
        gains,
        results[0].raw,
        distances_of(ground.table, list(results[0].folds), ground.domain),
    )


class _Count:
    """Shows the progress of several parts as one."""

    def __init__(self, advance: Advance, total: int) -> None:
        self._advance, self._before, self.total = advance, 0, total

    def part(self) -> Callable[[int, int], None]:
        """Return what the next part tells its progress to."""
        before = self._before

        def advance(done: int, total: int) -> None:
            self._before = before + total
            self._advance(before + done, self.total)

        return advance


def group_variants(study: Study) -> dict[str, LearnerPart]:
    """Return the learner of the groups, and the same without the covariates of each group, by name.

    Empty where the study names no groups.
    """
    part = grouped_part(study)
    if part is None or not study.validation.groups:
        return {}
    groups = {group.name: group.covariates for group in study.validation.groups}
    rest = without_groups(candidate(part, study).covariates, groups)
    without = {
        _variant_name(part, name): part.model_copy(update={"covariates": tuple(left)})
        for name, left in rest.items()
    }
    return {part.label: part} | without


def _gains(
    ground: Ground,
    study: Study,
    whole: Comparison,
    kept: "Kept",
    *,
    advance: Callable[[int, int], None],
) -> pd.DataFrame:
    """Return what groups of covariates bring under the folds that hold out sites or blocks."""
    part, *_ = group_variants(study).values()
    variants = {name: p for name, p in group_variants(study).items() if name != part.label}
    schemes = [scheme for scheme in whole.folds if scheme.spatial]
    values = ground.table["value"].to_numpy(float)
    without = predict_all(
        {name: candidate(variant, study, ground.domain) for name, variant in variants.items()},
        ground.table,
        schemes,
        classes=np.unique(values) if study.target.kind == "class" else None,
        workers=ground.workers,
        memory=kept,
        advance=advance,
    )
    groups = {group.name: group.covariates for group in study.validation.groups}
    names = list(without_groups(candidate(part, study).covariates, groups))

    def predicted(group: str | None, scheme: Folds) -> Float:
        if group is None:
            return whole.raw[part.label, scheme.name].values
        return without[_variant_name(part, group), scheme.name].values

    gains = group_gains(
        values,
        names,
        schemes,
        predicted,
        task=study.target.kind,
        draws=study.validation.bootstrap,
        seed=study.seed,
    )
    members = {name: ", ".join(covariates) for name, covariates in groups.items()}
    return gains.assign(covariates=gains["group"].map(members).fillna(""))


def _variant_name(part: LearnerPart, group: str) -> str:
    return f"{part.label}_without_{group.replace(' ', '_')}"


class Kept:
    """Keeps pieces of out-of-fold predictions in the folder of the run, by all that they depend on."""

    def __init__(
        self,
        ground: Ground,
        study: Study,
        rundir: RunDir,
        subset: str,
        learners: dict[str, LearnerPart],
        schemes: list[Folds],
        *,
        folder: str = FOLDS_FOLDER,
    ) -> None:
        self._rundir, self._subset, self._folder = rundir, subset, folder
        self.names: set[str] = set()
        table = ground.table
        folds = {scheme.name: digest([[t.tolist() for t in pair] for pair in scheme]) for scheme in schemes}
        data = {name: table_digest(table, [name]) for name in _columns(table, study)}
        self._ingredients = {}
        for name, part in learners.items():
            chosen = candidate(part, study)
            # What a learner chooses by folds of its own depends on where its rows lie.
            where = ground.where if chosen.choose or chosen.weigh else ""
            for scheme in schemes:
                self._ingredients[name, scheme.name] = {
                    "code": code_digest(__name__),
                    "learner": part.model_dump(mode="json"),
                    "classes": chosen.classes,
                    "seed": study.seed,
                    "task": study.target.kind,
                    "folds": folds[scheme.name],
                    "data": [data[column] for column in (*chosen.covariates, "value")],
                    "where": where,
                }

    def get(self, learner: str, folds: str, piece: int) -> Piece | None:
        """Return a piece that is kept and was made from the same."""
        values, choices = self._files(learner, folds, piece)
        ingredients = self._ingredients[learner, folds]
        if not all(self._rundir.is_kept(name, ingredients) for name in (values, choices)):
            return None
        self._rundir.reused.append(values)
        found = json.loads((self._rundir.path / choices).read_text(encoding="utf-8"))
        return Piece(np.asarray(np.load(self._rundir.path / values, allow_pickle=False)), found)

    def put(self, learner: str, folds: str, piece: int, found: Piece) -> None:
        """Keep a piece."""
        values, choices = self._files(learner, folds, piece)

        def write_values(path: Path) -> None:
            with path.open("wb") as stream:
                np.save(stream, found.values)

        def write_choices(path: Path) -> None:
            path.write_text(json.dumps(found.choices), encoding="utf-8")

        ingredients = self._ingredients[learner, folds]
        self._rundir.keep(values, ingredients, write_values)
        self._rundir.keep(choices, ingredients, write_choices)

    def _files(self, learner: str, folds: str, piece: int) -> tuple[str, str]:
        stem = f"{self._folder}/{self._subset}_{folds}_{learner}_{piece}"
        names = f"{stem}.npy", f"{stem}.json"
        self.names.update(names)
        return names


def _columns(table: pd.DataFrame, study: Study) -> list[str]:
    return [*(c.name for c in study.covariates if c.name in table), "value"]


def table_digest(table: pd.DataFrame, columns: list[str]) -> str:
    """Return the digest of some columns of numbers, exact to the last bit."""
    return digest([[name, [float(v).hex() for v in table[name].to_numpy(float)]] for name in columns])
