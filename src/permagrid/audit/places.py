"""Rules on covariates that tell a learner where it is, or at which site."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import KDTree

from permagrid.audit.evidence import CovariateFacts, Evidence
from permagrid.audit.findings import AUDIT, Finding, listed, share
from permagrid.audit.spheres import points_of

Float = NDArray[np.float64]

_POSITIONS = frozenset({"longitude", "latitude", "sine_of_longitude", "cosine_of_longitude"})
_FEWEST_SITES = 10
_NEIGHBOURS = 5


@AUDIT.register
def position_as_covariate(evidence: Evidence, *, same: float = 0.999) -> Iterator[Finding]:
    """Find longitude, latitude, and rasters that equal one of them, among the covariates.

    A position causes nothing: a learner that sees it can know regions by heart, which folds drawn at random
    reward (Meyer et al. 2019, doi:10.1016/j.ecolmodel.2019.108815; Milà et al. 2024,
    doi:10.5194/gmd-17-6007-2024).

    Parameters
    ----------
    evidence
        What is looked at.
    same
        Correlation with a coordinate from which on a covariate is that coordinate.
    """
    stated = {c.name for c in evidence.predictors if any(e.method in _POSITIONS for e in evidence.lineage(c))}
    if stated:
        yield Finding(
            "severe",
            f"Learners see their position: {listed(sorted(stated))}",
            ", ".join(f"covariates.{name}" for name in sorted(stated)),
            "Leave position out, or show on folds of whole regions that it helps where there are no sites.",
        )
    if len(evidence.sites) < _FEWEST_SITES:
        return
    if not np.isfinite(evidence.training[["longitude", "latitude"]].to_numpy(float)).all():
        return
    coordinates = _coordinates(evidence.values("longitude"), evidence.values("latitude"))
    for covariate in evidence.predictors:
        if covariate.name in stated or covariate.kind == "class":
            continue
        correlation, name = _nearest_coordinate(evidence.values(covariate.name), coordinates)
        if correlation >= same:
            yield Finding(
                "severe",
                f"{covariate.name} is {name} in disguise: their correlation at sites is {correlation:.5f}",
                f"covariates.{covariate.name}",
                "Leave it out, or show on folds of whole regions that it helps where there are no sites.",
            )


def _coordinates(longitude: Float, latitude: Float) -> dict[str, Float]:
    """Return what a raster of positions may hold: degrees, or metres of a usual projection."""
    east, pole = np.radians(longitude), np.radians(90.0 - latitude)
    return {
        "latitude": latitude,
        "longitude": longitude,
        "longitude from 0 to 360": longitude % 360.0,
        "the sine of longitude": np.sin(east),
        "the cosine of longitude": np.cos(east),
        "x of a polar projection": np.sin(pole) * np.sin(east),
        "y of a polar projection": np.sin(pole) * np.cos(east),
    }


def _nearest_coordinate(column: Float, coordinates: dict[str, Float]) -> tuple[float, str]:
    """Return the greatest correlation, without its sign, of a column with a coordinate, and its name."""
    known = np.isfinite(column)
    best = (0.0, "")
    for name, values in coordinates.items():
        if known.sum() < _FEWEST_SITES or np.ptp(column[known]) == 0 or np.ptp(values[known]) == 0:
            continue
        correlation = abs(float(np.corrcoef(column[known], values[known])[0, 1]))
        # The same but for rounding is no better: the plainer name comes first.
        if correlation > best[0] + 1e-9:
            best = (correlation, name)
    return best


@AUDIT.register
def site_known_by_covariate(
    evidence: Evidence, *, own: float = 0.98, alike: float = 0.2, classes: float = 0.5
) -> Iterator[Finding]:
    """Find covariates that identify the site: a running number, a code, or a class of nearly one site each.

    A raster's values differ from site to site as well, but they are no whole numbers that come one after the
    other, and neighbours have similar ones.

    Parameters
    ----------
    evidence
        What is looked at.
    own
        Share of sites that have a value of their own from which on whole numbers may be a code.
    alike
        Correlation with neighbouring sites below which whole numbers are a code.
    classes
        Classes, or combinations of classes, per site from which on they identify it.
    """
    rows = evidence.training
    if len(evidence.sites) < _FEWEST_SITES:
        return
    for covariate in evidence.predictors:
        if covariate.kind == "class":
            continue
        why = _code(evidence, covariate, own=own, alike=alike)
        if why:
            yield Finding(
                "severe",
                f"{covariate.name} looks like a number of the site: {why}",
                f"covariates.{covariate.name}",
                "Leave it out: it lets a learner recognise a site, and means nothing elsewhere.",
            )
    sites = rows["site_group"].nunique()
    names = evidence.classes
    many = [name for name in names if _combinations(rows, [name]) > classes * sites]
    for name in many:
        yield Finding(
            "severe",
            f"{name} has {_combinations(rows, [name])} classes at {sites} sites: nearly one for each",
            f"covariates.{name}",
            "Join its classes to a few that mean something, or leave it out.",
        )
    if not many and len(names) > 1 and _combinations(rows, names) > classes * sites:
        yield Finding(
            "caution",
            f"Together {listed(names)} have {_combinations(rows, names)} combinations at {sites} sites: "
            "nearly one for each",
            ", ".join(f"covariates.{name}" for name in names),
            "Join their classes to fewer.",
        )


def _combinations(rows: pd.DataFrame, names: list[str]) -> int:
    return len(rows[names].drop_duplicates())


def _code(evidence: Evidence, covariate: CovariateFacts, *, own: float, alike: float) -> str | None:
    """Return why a covariate looks like a code of sites, or None."""
    first = evidence.training.groupby("site_group", sort=True)[covariate.name].agg(["first", "nunique"])
    values = first["first"].to_numpy(dtype=float)
    known = np.isfinite(values)
    values, sites = values[known], int(known.sum())
    if sites < _FEWEST_SITES or (first["nunique"] > 1).mean() > 1.0 - own:
        return None
    distinct = len(np.unique(values))
    whole = bool(np.all(values == np.round(values)))
    if distinct < own * sites or not (whole or covariate.column):
        return None
    said = share(distinct, sites, "sites have a value of their own")
    if covariate.column:
        return f"it is the column {covariate.column} of the table of sites, and {said}"
    if np.ptp(values) + 1 <= 1.1 * sites:
        return f"{said}, whole numbers one after the other from {values.min():g} to {values.max():g}"
    places = evidence.sites[known]
    points = points_of(places["longitude"].to_numpy(float), places["latitude"].to_numpy(float))
    nearest = KDTree(points).query(points, k=min(_NEIGHBOURS + 1, sites))[1][:, 1:]
    correlation = float(np.corrcoef(values, values[nearest].mean(axis=1))[0, 1])
    if correlation < alike:
        return (
            f"{said}, whole numbers that are not alike at neighbouring sites (correlation {correlation:.2f})"
        )
    return None
