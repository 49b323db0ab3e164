"""Step: what the covariates are worth to the learner of the map, kept until something changes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from permagrid.files import write_text
from permagrid.products.legend import unit_label
from permagrid.rundir import RunDir, digest
from permagrid.steps.code import code_digest
from permagrid.steps.learners import mapped_part
from permagrid.steps.scores import Ground, table_digest
from permagrid.study import Study
from permagrid.validation import Candidate, Comparison, Folds, fit
from permagrid.validation.importance import permutation_importance
from permagrid.validation.importance_fitted import fitted_importance
from permagrid.validation.importance_groups import correlated_groups

_NAME = "work/importance.csv"
REPEATS = 5
"""How often the values of a covariate are dealt anew."""
_UNITS = {"squared error": "mean squared error", "Brier score": "Brier score"}


def importance_of(
    study: Study, ground: Ground, learner: Candidate, comparison: Comparison, quote: str, rundir: RunDir
) -> pd.DataFrame:
    """Return what covariates are worth to the learner of the map.

    By permutation in the folds to quote, each covariate by itself and those that say the same together; and
    by what the learner fitted to all rows uses.

    Parameters
    ----------
    study, ground
        The study, and all rows.
    learner
        The learner of the map, which has nothing left to choose.
    comparison
        The comparison, for its folds.
    quote
        The fold scheme to quote.
    rundir
        Folder in which the result is kept.

    Returns
    -------
    pandas.DataFrame
        ``covariate``, ``members`` (separated by commas), ``method``, ``folds``, ``importance``, ``low``,
        ``high``, ``rank`` and ``unit_text``.
    """
    scheme = next(scheme for scheme in comparison.folds if scheme.name == quote)
    table, names = ground.table, learner.covariates
    classes = np.unique(table["value"].to_numpy(float)) if study.target.kind == "class" else None

    def write(path: Path) -> None:
        groups = correlated_groups(table, names, classes=learner.classes)
        parts = [
            permutation_importance(
                learner,
                table,
                scheme,
                classes=classes,
                groups=some,
                repeats=REPEATS,
                seed=study.seed,
                workers=ground.workers,
            )
            for some in ([None, groups] if any(len(held) > 1 for held in groups.values()) else [None])
        ]
        with threadpool_limits(1):
            parts.append(fitted_importance(fit(learner, table), table, groups=groups, seed=study.seed))
        found = pd.concat(parts, ignore_index=True)
        single = [len(parts[0]), *(len(part) for part in parts[1:])]
        found["by"] = np.repeat(["covariate", *["group"] * (len(parts) - 1)], single)
        write_text(path, found.to_csv(index=False, lineterminator="\n", float_format="%.17g"))

    path = rundir.keep(_NAME, _ingredients(study, ground, learner, scheme), write)
    return _told(pd.read_csv(path, keep_default_na=True), study)


def is_known(study: Study, ground: Ground, learner: Candidate, scheme: Folds, rundir: RunDir) -> bool:
    """Return whether `importance_of` has its result already; parameters as there, but the folds to quote."""
    return rundir.is_kept(_NAME, _ingredients(study, ground, learner, scheme))


def _ingredients(study: Study, ground: Ground, learner: Candidate, scheme: Folds) -> dict[str, Any]:
    return {
        "code": code_digest(__name__),
        "learner": mapped_part(study).model_dump(mode="json"),
        "keywords": dict(learner.keywords),
        "covariates": list(learner.covariates),
        "seed": study.seed,
        "task": study.target.kind,
        "data": table_digest(ground.table, [*learner.covariates, "value"]),
        "where": ground.where if learner.weigh else "",
        "folds": digest([[part.tolist() for part in pair] for pair in scheme]),
    }


def weights_of(worth: pd.DataFrame, covariates: tuple[str, ...]) -> pd.Series:
    """Return the importance of each covariate by itself, from a table of `importance_of`."""
    alone = worth[(worth["by"] == "covariate") & (worth["method"] == "permutation")]
    return alone.set_index("covariate")["importance"].reindex(list(covariates)).astype(float)


def _told(found: pd.DataFrame, study: Study) -> pd.DataFrame:
    unit = unit_label(study.target.unit)
    squared = f" [({unit})\N{SUPERSCRIPT TWO}]" if unit else ""

    def unit_text(row: pd.Series) -> str:
        if row["method"] == "permutation":
            measure = str(row["measure"])
            return f"increase of {_UNITS[measure]}{squared if measure == 'squared error' else ''}"
        if row["method"] == "impurity":
            return "share of what all splits brought [1]"
        plain = f" [{unit}]" if unit and study.target.kind == "value" else " [1]"
        return f"mean absolute Shapley value{plain}"

    found = found.rename(columns={"group": "covariate", "covariates": "members"})
    found["unit_text"] = found.apply(unit_text, axis=1)
    columns = [
        "covariate",
        "members",
        "method",
        "by",
        "folds",
        "importance",
        "low",
        "high",
        "rank",
        "unit_text",
    ]
    return found[columns]
