"""Areas and accuracy from a probability sample of places, as good practice asks for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from permagrid.errors import PermagridError, did_you_mean
from permagrid.grid import Float
from permagrid.inventory.totals import check_level

DESIGNS: dict[str, str] = {
    "stratified_random": "places drawn at random within each class of the map",
    "simple_random": "places drawn at random from the whole map, then sorted by its classes",
}
"""Sampling designs that the estimator is for."""
_REFUSED: dict[str, str] = {
    "boreholes": "boreholes stand where roads, mines and camps are",
    "stations": "stations stand where people are",
    "convenience": "places that were at hand do not speak for the others",
    "compilation": "a compilation holds what others happened to measure",
    "purposive": "places that somebody chose do not speak for the others",
}


@dataclass(frozen=True, eq=False)
class SampleAreas:
    """Areas and accuracies with standard errors, and half-widths of their intervals."""

    classes: pd.DataFrame
    """One row per class: ``area`` and ``mapped_area`` in the unit given, ``users_accuracy``,
    ``producers_accuracy``, each but the mapped area with ``_se`` and ``_margin``; ``n`` places of that class
    of the map; ``note``, why an interval says less than it seems."""
    overall: float
    """Share of the map that is right."""
    overall_se: float
    """Its standard error."""
    overall_margin: float
    """Half the width of its interval."""
    proportions: pd.DataFrame
    """Estimated share of the whole of each class of the map (rows) and of the reference (columns)."""


def stratified_areas(
    mapped: Sequence[str],
    reference: Sequence[str],
    areas: Mapping[str, float],
    *,
    design: str,
    level: float = 0.95,
) -> SampleAreas:
    """Return areas of classes from places whose true class was found out.

    Parameters
    ----------
    mapped, reference
        Class of each place on the map, and in truth.
    areas
        Class -> its area on the map, in any unit.
    design
        How places were chosen: ``stratified_random`` or ``simple_random``. Whoever calls must say so; no
        other choice of places lets a sample speak for the map.
    level
        Of the intervals.

    Raises
    ------
    PermagridError
        If the design is no probability sample, a class is not on the map, has no area, or fewer than two of
        its places.

    Notes
    -----
    Olofsson et al. (2014), doi:10.1016/j.rse.2014.02.015, equations 1 to 11, with the classes of the map as
    strata; for other strata Stehman (2014), doi:10.1080/01431161.2014.930207, which is not done here.

    Examples
    --------
    >>> found = stratified_areas(list("aaaabbbb"), list("aaabbbbb"), {"a": 100.0, "b": 100.0},
    ...                          design="stratified_random")
    >>> found.classes["area"].tolist(), found.overall
    ([75.0, 125.0], 0.875)
    """
    check_level(level)
    check_design(design)
    names = list(areas)
    counts = _matrix(mapped, reference, names)
    sizes = np.array([float(areas[name]) for name in names])
    if not (np.isfinite(sizes) & (sizes > 0.0)).all():
        raise PermagridError("sample: every class of the map needs an area above 0")
    places = counts.sum(axis=1)
    few = [name for name, number in zip(names, places, strict=True) if number < 2]
    if few:
        raise PermagridError(f"sample: class {few[0]} has fewer than two places, of which no spread is known")
    factor = float(norm.ppf((1.0 + level) / 2.0))
    weights, within = sizes / sizes.sum(), counts / places[:, np.newaxis]
    shares = weights[:, np.newaxis] * within
    spread = within * (1.0 - within) / (places - 1.0)[:, np.newaxis]
    total = shares.sum(axis=0)
    area_se = sizes.sum() * np.sqrt((weights[:, np.newaxis] ** 2 * spread).sum(axis=0))
    users, users_se = np.diag(within), np.sqrt(np.diag(spread))
    with np.errstate(invalid="ignore", divide="ignore"):
        producers = np.where(total > 0.0, np.diag(shares) / total, np.nan)
    producers_se = _producers_se(within, places, sizes, producers)
    overall_se = float(np.sqrt((weights**2 * np.diag(spread)).sum()))
    table = pd.DataFrame({"class": names, "mapped_area": sizes, "n": places.astype(int)})
    told = {
        "area": (sizes.sum() * total, area_se),
        "users_accuracy": (users, users_se),
        "producers_accuracy": (producers, producers_se),
    }
    for name, (value, error) in told.items():
        table[name], table[f"{name}_se"], table[f"{name}_margin"] = value, error, factor * error
    table["note"] = [
        "no error among its places: the interval does not know how rare they are" if share == 1.0 else ""
        for share in users
    ]
    return SampleAreas(
        table,
        float(np.diag(shares).sum()),
        overall_se,
        factor * overall_se,
        pd.DataFrame(shares, index=names, columns=names),
    )


def check_design(design: str) -> None:
    """Refuse a choice of places that is no probability sample.

    Raises
    ------
    PermagridError
        With the reason, and what to do instead.

    Examples
    --------
    >>> check_design("stratified_random")
    """
    if design in DESIGNS:
        return
    reason = _REFUSED.get(design)
    if reason is None:
        raise PermagridError(f"sample: no such design {design!r}: {did_you_mean(design, DESIGNS)}")
    raise PermagridError(
        f"sample: {reason}, so that areas with intervals cannot be estimated from their counts; use the sum "
        "of probability times area with its range over members"
    )


def _matrix(mapped: Sequence[str], reference: Sequence[str], names: Sequence[str]) -> Float:
    if len(mapped) != len(reference) or not len(mapped):
        raise PermagridError(f"sample: {len(mapped)} mapped and {len(reference)} true classes are no pairs")
    number = {name: place for place, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)))
    for here, truth in zip(mapped, reference, strict=True):
        for found in (here, truth):
            if found not in number:
                raise PermagridError(
                    f"sample: class {found!r} has no area on the map: {did_you_mean(found, names)}"
                )
        counts[number[here], number[truth]] += 1.0
    return counts


def _producers_se(within: Float, places: Float, sizes: Float, producers: Float) -> Float:
    """Return standard errors of producer's accuracies (equation 7), with estimated true areas."""
    right = np.diag(within)
    area = (sizes[:, np.newaxis] * within).sum(axis=0)
    own = sizes**2 * (1.0 - producers) ** 2 * right * (1.0 - right) / (places - 1.0)
    each = sizes[:, np.newaxis] ** 2 * within * (1.0 - within) / (places - 1.0)[:, np.newaxis]
    np.fill_diagonal(each, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (own + producers**2 * each.sum(axis=0)) / area**2
    return np.asarray(np.sqrt(variance))
