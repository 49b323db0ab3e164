"""Step: the audit of a study on its training table, folds and map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from odc.geo.geobox import GeoBox
from pyproj import CRS

from permagrid.audit import (
    CovariateFacts,
    Evidence,
    Finding,
    FoldFacts,
    LearnerFacts,
    Screen,
    TargetFacts,
    audit,
)
from permagrid.covariates import Covariate
from permagrid.covariates.table import varies
from permagrid.grid import Float
from permagrid.learners import LEARNERS
from permagrid.sites.quality import FAIL, NOT_EVALUATED, SUSPECT
from permagrid.steps.inputs import covariates_of, path_patterns, predictors
from permagrid.steps.sites import rows_of_target
from permagrid.study import LearnerPart, Study
from permagrid.validation import Comparison, Folds

_BY_PLACE = frozenset({"coordinates", "elevation_mismatch", "inside_study_region"})
"""Quality tests whose verdict depends on the place, not on the value."""


@dataclass(frozen=True)
class Sample:
    """What a run knows of its sites when the audit begins."""

    flagged: gpd.GeoDataFrame
    """All observations with their flags."""
    table: gpd.GeoDataFrame
    """One row per site and epoch, and in ``excluded`` why a row is not used."""
    folds: Sequence[Folds]
    """Fold schemes on the rows that are used, in their order."""
    domain: pd.DataFrame | None = None
    """Places drawn from the map, with covariates; what is said of the map needs them."""
    residual: "pd.Series[float] | None" = None
    """Observed less predicted out of fold, of the rows that are used; estimated if None."""
    correlation_range: float | None = None
    """Range of the residuals [m]; estimated if None."""


def residuals(study: Study, observed: Float, comparison: Comparison, folds: str) -> "pd.Series[float]":
    """Return observed less predicted by the learner of the map, out of fold; NaN where not tested."""
    raw = comparison.raw[study.products.learner, folds].values[0]
    predicted = raw if study.target.kind == "value" else raw @ np.unique(observed)
    return pd.Series(observed - predicted)


def audit_of(
    study: Study,
    stack: xr.Dataset,
    sample: Sample,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Finding]:
    """Return what a sceptical reviewer would find in a study, the worst first.

    Parameters
    ----------
    study
        The study.
    stack
        Its covariates.
    sample
        Its sites, as far as a run has come: no learner need be fitted.
    settings
        Rule -> keywords that differ from their defaults.

    Raises
    ------
    PermagridError
        If a rule or a keyword is unknown.
    """
    return audit(evidence_of(study, stack, sample), settings)


def evidence_of(study: Study, stack: xr.Dataset, sample: Sample) -> Evidence:
    """Return a study and its sites as the facts that the rules look at."""
    covariates = covariates_of(study)
    kept = sample.table["excluded"] == ""
    used = pd.DataFrame(sample.table[kept].drop(columns="geometry", errors="ignore")).reset_index(drop=True)
    if sample.residual is not None:
        used["residual"] = sample.residual.to_numpy(dtype=float)
    return Evidence(
        training=used,
        target=TargetFacts(
            study.target.variable, study.target.unit, study.target.kind, study.target.valid_range
        ),
        covariates=tuple(_facts(name, covariates, stack, _seen(study)) for name in covariates),
        epochs=tuple(study.epochs),
        folds=tuple(FoldFacts(f.name, tuple(f.pairs), f.spatial) for f in sample.folds),
        learners=tuple(_learner(part, study, used) for part in study.learners),
        inner=study.validation.inner.method,
        screens=tuple(_screens(study, sample.flagged, covariates)),
        unused=pd.DataFrame(sample.table[~kept]),
        domain=sample.domain,
        site_files=tuple(_plain(part.path) for part in (*study.sites.sources, *study.sites.stations)),
        reference_files=tuple(_plain(part.path) for part in _compared(study)),
        cell=0.0 if study.is_tabular else cell_side(stack.odc.geobox),
        same_place=study.sites.same_place,
        correlation_range=sample.correlation_range,
    )


def cell_side(geobox: GeoBox) -> float:
    """Return the side of a cell [m], of one in degrees that from south to north.

    Examples
    --------
    >>> from permagrid.grid import make_geobox
    >>> round(cell_side(make_geobox("EPSG:4326", 0.1, region=(0, 60, 10, 70))))
    11132
    """
    crs = CRS.from_user_input(str(geobox.crs))
    metres = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
    if crs.is_geographic:
        radius = crs.ellipsoid.semi_major_metre if crs.ellipsoid is not None else 6_378_137.0
        metres *= radius
    return float(abs(geobox.affine.e) * metres)


def _seen(study: Study) -> set[str]:
    """Return the covariates that some learner sees."""
    named = [predictors(study) if part.covariates is None else part.covariates for part in study.learners]
    return {name for names in named for name in names}


def _facts(
    name: str, covariates: Mapping[str, Covariate], stack: xr.Dataset, seen: set[str]
) -> CovariateFacts:
    covariate = covariates[name]
    is_observed = covariate.method == "observation"
    return CovariateFacts(
        name,
        method=covariate.method,
        unit=covariate.unit,
        kind=covariate.kind,
        years=covariate.years,
        static=covariate.static,
        varies=varies(name, covariates),
        long_name=covariate.long_name,
        citation=covariate.source,
        paths=tuple(map(_plain, path_patterns(covariate.settings))),
        made_from=covariate.inputs,
        predictor=name in seen,
        column=str(covariate.keywords.get("column", "")) if is_observed else "",
        valid_years=str(stack[name].attrs.get("valid_years", "")) if name in stack else "",
    )


def _plain(path: str) -> str:
    """Return a path as it is written in one way only."""
    return path if "://" in path else PurePosixPath(path).as_posix()


def _compared(study: Study) -> list[Any]:
    return [*study.references, *([study.truth] if study.truth is not None else [])]


def _learner(part: LearnerPart, study: Study, used: pd.DataFrame) -> LearnerFacts:
    seen = predictors(study) if part.covariates is None else part.covariates
    classes = {c.name for c in study.covariates if c.kind == "class"}
    columns = sum(used[name].nunique() if name in classes else 1 for name in seen)
    return LearnerFacts(
        part.label,
        keywords=tuple(part.keywords),
        covariates=part.covariates,
        searches=part.search is not None,
        selects=part.selection is not None,
        parameters=_parameters(part, columns, used["value"].nunique() if study.target.kind == "class" else 1),
    )


def _parameters(part: LearnerPart, columns: int, classes: int) -> int | None:
    """Return how many numbers a learner estimates, where that is more than the covariates and is known."""
    if part.name == "quadratic_discriminant":
        return classes * (columns + columns * (columns + 1) // 2)
    if part.name == "multilayer_perceptron":
        hidden = part.keywords.get("hidden", LEARNERS.keywords(part.name)["hidden"].default)
        widths = [columns, *hidden, classes if classes > 2 else 1]
        return int(sum((before + 1) * after for before, after in pairwise(widths)))
    return None


def _screens(study: Study, flagged: gpd.GeoDataFrame, covariates: Mapping[str, Covariate]) -> list[Screen]:
    """Return the quality tests that compare observations of the target with covariates."""
    rows = rows_of_target(flagged, study)
    found = []
    for test, keywords in study.sites.quality.items():
        compared = tuple(str(value) for value in keywords.values() if str(value) in covariates)
        column = f"flag_{test}"
        if not compared or column not in rows:
            continue
        code = rows[column]
        dropped = (code == FAIL) | ((code == SUSPECT) if study.sites.exclude_suspect else False)
        judged = int((code != NOT_EVALUATED).sum())
        found.append(Screen(test, compared, test not in _BY_PLACE, int(dropped.sum()), judged))
    return found
