"""Rules for studies without grid, and for what only they may say."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from permagrid.covariates import COVARIATES
from permagrid.errors import PermagridError
from permagrid.steps.inputs import covariates_of
from permagrid.steps.tabular import column_values
from permagrid.study import Finding, FoldsPart, Location, Reduction, Sampling, Study

NEED_PLACES = frozenset({"coordinates", "inside_study_region", "near_duplicates"})
"""Quality tests that look at where a site lies."""
NEED_LAYERS = frozenset({"climate_consistency", "elevation_mismatch"})
"""Quality tests that compare with a layer of the grid."""
_OWN = frozenset({"epoch", "excluded", "limit", "site_group", "site_id", "value", "longitude", "latitude"})
_EXAMPLE = "grid: {crs: EPSG:3995, resolution: 10000, region: [-180, 60, 180, 90]}"
_FOLDS_OF_PLACES = frozenset({"block", "buffered_leave_one_out"})
_MOST_NAMED = 3


def tabular_faults(study: Study) -> Iterator[Finding]:
    """Yield what a study without grid cannot have: whatever speaks of maps or of more than one epoch."""
    if not study.is_tabular:
        return
    others = [part.name for part in study.covariates if part.method != "observation"]
    if others:
        named = ", ".join(others[:_MOST_NAMED])
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        are = "is no column" if len(others) == 1 else "are no columns"
        yield Finding(
            ("grid",),
            f"is missing; without one every covariate must be a column of the table of sites (method: "
            f"observation), and {named}{more} {are} of it; give a grid such as {_EXAMPLE}",
        )
        return
    for place, why in _without_meaning(study):
        yield Finding(place, f"{why}, and this study has no grid; leave it out, or give a grid")
    if len(study.epochs) > 1:
        yield Finding(
            ("epochs",),
            f"holds {len(study.epochs)} epochs; a study without grid has one, to which rows without a year "
            "belong too",
        )
    rule = study.sites.reduce
    if rule.depth_rule not in ("mean", "each") or rule.minimum_years != Reduction().minimum_years:
        key = "minimum_years" if rule.depth_rule in ("mean", "each") else "depth_rule"
        yield Finding(
            ("sites", "reduce", key),
            "has no effect without a grid, where each observation is a row of its own; only depth_range is "
            "for it",
        )


def _without_meaning(study: Study) -> Iterator[tuple[Location, str]]:
    """Yield each part that needs maps, with what it is for."""
    if study.sampling != Sampling():
        yield ("sampling",), "says how covariates are read from the cells of a grid"
    if study.products.variables:
        yield ("products", "variables"), "names maps"
    if study.references:
        yield ("references",), "are maps with which maps are compared"
    if study.truth is not None:
        yield ("truth",), "is the true map"
    if study.sites.labels is not None:
        yield ("sites", "labels"), "makes one label for each site and epoch of a map"
    for test in study.sites.quality:
        if test in NEED_LAYERS:
            yield ("sites", "quality", test), "compares sites with a layer of the grid"
    for index, folds in enumerate(study.validation.folds):
        if folds.method == "knndm":
            yield ("validation", "folds", index), "knndm follows the distances of a map"
    ensemble = study.ensemble
    for section, inner in (
        ("validation", study.validation.inner),
        ("ensemble", None if ensemble is None else ensemble.inner),
    ):
        if inner is not None and inner.method == "knndm":
            yield (section, "inner"), "knndm follows the distances of a map"


def observation_faults(study: Study) -> Iterator[Finding]:
    """Yield keywords of the observation's own covariates that belong to the other kind of study."""
    for index, part in enumerate(study.covariates):
        place: Location = ("covariates", index)
        if part.method != "observation" or COVARIATES.faults(part.method, part.keywords):
            continue
        given = {key for key in ("at", "codes") if part.keywords.get(key) is not None}
        if study.is_tabular:
            if "at" in given:
                yield Finding(
                    (*place, "at"), "has no effect without a grid: it is the value in maps; leave it out"
                )
            if "codes" in given and part.kind != "class":
                yield Finding((*place, "codes"), "are for classes; set kind: class")
            if part.name in _OWN:
                yield Finding(
                    (*place, "name"),
                    f"{part.name!r} is a column that every table of sites has; choose another",
                )
            if not part.predictor:
                yield Finding(
                    (*place, "predictor"),
                    "has no effect without a grid, where nothing is made from a covariate; leave it out",
                )
            continue
        if "at" not in given:
            yield Finding(place, "covariate method observation needs the keyword 'at', its value in maps")
        if "codes" in given:
            yield Finding(
                (*place, "codes"),
                "is for a study without grid: where there are maps, observations of a site are averaged",
            )


def has_places(rows: pd.DataFrame) -> bool:
    """Return whether any row says where its site lies."""
    return bool(np.isfinite(rows[["longitude", "latitude"]].to_numpy(float)).all(axis=1).any())


def of_places(part: FoldsPart) -> bool:
    """Return whether folds are made of where sites lie.

    Examples
    --------
    >>> parts = [FoldsPart(method="block", size=5e5), FoldsPart(method="region", column="deposit")]
    >>> list(map(of_places, parts))
    [True, False]
    """
    return part.method in _FOLDS_OF_PLACES or (part.method == "region" and not part.keywords.get("column"))


def place_faults(study: Study, rows: pd.DataFrame) -> Iterator[Finding]:
    """Yield what needs to know where sites lie, where no observation says so.

    Parameters
    ----------
    study
        A study without grid.
    rows
        Its observations.
    """
    if has_places(rows):
        return
    none = f"none of {len(rows)} observations has coordinates"
    for test in study.sites.quality:
        if test in NEED_PLACES:
            yield Finding(("sites", "quality", test), f"looks at where sites lie, and {none}; leave it out")
    if study.sites.region is not None:
        yield Finding(("sites", "region"), f"keeps sites by where they lie, and {none}; leave it out")
    schemes: list[tuple[Location, FoldsPart]] = [
        (("validation", "folds", index), part) for index, part in enumerate(study.validation.folds)
    ]
    schemes.append((("validation", "inner"), study.validation.inner))
    if study.ensemble is not None and study.ensemble.inner is not None:
        schemes.append((("ensemble", "inner"), study.ensemble.inner))
    for place, part in schemes:
        if of_places(part):
            yield Finding(
                place,
                f"{part.method} folds are made of where sites lie, and {none}; use {{method: site}}, which "
                "keeps the observations of a site together",
            )
    for index, learner in enumerate(study.learners):
        if learner.weights is not None and learner.weights.rule == "inverse_density":
            yield Finding(("learners", index, "weights"), f"inverse_density counts places nearby, and {none}")


def column_faults(study: Study, rows: pd.DataFrame) -> Iterator[Finding]:
    """Yield covariates whose column is missing, is empty, or does not hold what they say.

    Parameters
    ----------
    study
        A study without grid.
    rows
        Its observations that can be learned from.
    """
    for index, covariate in enumerate(covariates_of(study).values()):
        if covariate.method != "observation" or COVARIATES.faults(covariate.method, covariate.keywords):
            continue
        place: Location = ("covariates", index, "column")
        try:
            values, _ = column_values(rows, covariate)
        except PermagridError as error:
            yield Finding(place, str(error).removeprefix(f"covariate {covariate.name}: "))
            continue
        if np.isnan(values).all():
            column = covariate.keywords["column"]
            yield Finding(place, f"the column {column!r} of the table of sites is empty in every row")
