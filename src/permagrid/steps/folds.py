"""Step: the fold schemes of a study, and how much each is like the making of the map."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from permagrid.errors import PermagridError
from permagrid.sites.domain import draw_domain
from permagrid.steps.inputs import predictors
from permagrid.steps.learners import mapped
from permagrid.study import FoldsPart, Study
from permagrid.validation import FOLDS, FoldDistances, Folds, fold_distances, out_of_fold, recommended

_BY_RESIDUALS = "residual_variogram"


def domain_of(study: Study, stack: xr.Dataset) -> pd.DataFrame | None:
    """Return points of the map of a study, in proportion to area, with what learners see there.

    None where the study makes no map.
    """
    if study.is_tabular:
        return None
    return draw_domain(stack, predictors(study), study.validation.domain, seed=study.seed)


def looks_at_the_map(part: FoldsPart) -> bool:
    """Return whether a scheme can only be made once there are layers of the map, or a fitted learner."""
    return part.method == "knndm" or _BY_RESIDUALS in part.keywords.values()


def wants_residuals(study: Study) -> bool:
    """Return whether a scheme is made of what the mapped learner leaves unexplained."""
    return any(_BY_RESIDUALS in part.keywords.values() for part in study.validation.folds)


def residual_folds(table: pd.DataFrame, study: Study, domain: pd.DataFrame | None) -> Folds:
    """Return the folds by which residuals of the mapped learner are found: each site predicted by others."""
    return FOLDS["site"](table, domain, seed=study.seed)


def fold_schemes(
    table: pd.DataFrame,
    study: Study,
    root: Path,
    domain: pd.DataFrame | None = None,
    *,
    workers: int = 1,
) -> list[Folds]:
    """Return the fold schemes of a study for a table; random folds of classes are stratified.

    Parameters
    ----------
    table
        Rows with ``value``, coordinates, ``site_group`` and covariates.
    study, root
        The study, and the folder from which its paths start.
    domain
        Points of the map.
    workers
        Folds in work at a time, where residuals are wanted.

    Raises
    ------
    PermagridError
        If folds cannot be made.
    """
    if wants_residuals(study):
        table = table.assign(residual=_residuals(table, study, domain, workers))
    schemes = []
    for part in study.validation.folds:
        keywords = {"seed": study.seed, **part.keywords}
        if part.method == "random" and study.target.kind == "class":
            keywords.setdefault("stratified", True)
        if part.method == "holdout" and study.target.kind == "value":
            keywords.setdefault("stratified", False)
        if part.method == "knndm" and keywords.get("space") == "feature":
            keywords.setdefault("covariates", predictors(study))
            keywords.setdefault("classes", _classes(study))
        if keywords.get("path"):
            keywords["path"] = str(root / str(keywords["path"]))
        schemes.append(FOLDS[part.method](table, domain, **keywords))
    return schemes


def distances_of(
    table: pd.DataFrame, schemes: list[Folds], domain: pd.DataFrame | None
) -> dict[str, FoldDistances]:
    """Return scheme -> how far its test rows are from what was trained on, beside how far the map is.

    Empty where there is no map.
    """
    if domain is None:
        return {}
    return {scheme.name: fold_distances(table, scheme, domain) for scheme in schemes}


def to_quote(schemes: list[Folds], distances: dict[str, FoldDistances]) -> str:
    """Return the scheme whose score is to be quoted: of those that hold sites out, the nearest to the map.

    Random folds never take part, as they are not of whole sites. Without a map, to which no distance is
    known then, it is the first that tests each row.

    Raises
    ------
    PermagridError
        If no scheme tests each row.
    """
    if not distances:
        whole = [scheme.name for scheme in schemes if scheme.spatial and scheme.all_tested]
        if not whole:
            raise PermagridError(
                "folds: no scheme holds whole sites out and tests each row, so that none has a score to quote"
            )
        return whole[0]
    spatial = {scheme.name: distances[scheme.name] for scheme in schemes if scheme.spatial}
    return recommended(spatial)


def _classes(study: Study) -> list[str]:
    return [part.name for part in study.covariates if part.kind == "class" and part.predictor]


def _residuals(
    table: pd.DataFrame, study: Study, domain: pd.DataFrame | None, workers: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return observed minus predicted by the mapped learner."""
    values = table["value"].to_numpy(float)
    classes = np.unique(values) if study.target.kind == "class" else None
    folds = residual_folds(table, study, domain)
    (found,) = out_of_fold(mapped(study, domain), table, folds, classes=classes, workers=workers)
    return np.asarray(values - (found if classes is None else found @ classes))
