"""What an inventory found, as plain values for the summary of a run and its report."""

from typing import Any

import numpy as np
from scipy.stats import norm

from permagrid.errors import PermagridError
from permagrid.inventory.change import total_change
from permagrid.inventory.correlated import ErrorSums, effective_samples
from permagrid.inventory.presence import ZONES, PresenceTotals
from permagrid.inventory.totals import ALL, ICE_DENSITY_RATIO, MemberTotals, summarise

Record = dict[str, Any]


def total_records(
    totals: MemberTotals,
    *,
    quantity: str,
    title: str,
    unit: str,
    epoch: str,
    level: float = 0.95,
    errors: ErrorSums | None = None,
    estimate: MemberTotals | None = None,
) -> list[Record]:
    """Return the totals of one quantity in one epoch: of the whole map first, then of each region.

    Parameters
    ----------
    totals
        Of all members.
    quantity, title, unit, epoch
        Name, words, unit and epoch; a name that ends in ``ice_storage`` gets its water as well.
    level
        Of the range.
    errors
        Standard deviations of the cells, for the bounds.
    estimate
        Total of the map itself, of one member.

    Returns
    -------
    list of dict
        Each with ``quantity title unit epoch region level members cells area_km2``, the range ``mean median
        low high sd``; with ``errors`` also ``independent_low independent_high correlated_low
        correlated_high``, the mean less and plus so many standard deviations as the level is of, and
        ``effective_samples``; with ``estimate`` also ``estimate``; for ice ``water``, its mean, low and high.
        What is not known is None.

    Raises
    ------
    PermagridError
        If errors or the estimate are of other regions.

    Examples
    --------
    >>> totals = MemberTotals([], 3)
    >>> totals.add(np.array([[1.0, 2.0, 3.0]]), np.array([10.0]))
    >>> found, = total_records(totals, quantity="x", title="X", unit="m3", epoch="2000-2004")
    >>> found["region"], found["mean"], found["sd"]
    ('all', 20.0, 10.0)
    """
    for other in (errors, estimate):
        if other is not None and other.regions != totals.regions:
            raise PermagridError("inventory: totals and their errors are of different regions")
    factor, out = float(norm.ppf((1.0 + level) / 2.0)), []
    for name in totals.names:
        found = summarise(totals.of(name), level)
        record: Record = {
            "quantity": quantity,
            "title": title,
            "unit": unit,
            "epoch": epoch,
            "region": name,
            "level": level,
            "members": totals.members,
            "cells": totals.cells(name),
            "area_km2": totals.area(name) / 1e6,
            **found.plain(),
        }
        if estimate is not None:
            record["estimate"] = float(estimate.of(name)[0])
        if errors is not None:
            for bound, sd in (
                ("independent", errors.independent(name)),
                ("correlated", errors.correlated(name)),
            ):
                record[f"{bound}_low"] = found.mean - factor * sd
                record[f"{bound}_high"] = found.mean + factor * sd
            count = effective_samples(errors.correlated(name), found.sd) if found.sd is not None else np.nan
            record["effective_samples"] = float(count) if np.isfinite(count) else None
        if quantity.endswith("ice_storage"):
            ends = (found.mean, found.low, found.high)
            record["water"] = [None if end is None else ICE_DENSITY_RATIO * end for end in ends]
        out.append(record)
    return out


def zone_records(totals: PresenceTotals, *, epoch: str, level: float = 0.95) -> list[Record]:
    """Return the area of each zone [km2] in one epoch, of the whole map and of each region.

    Returns
    -------
    list of dict
        Each with ``epoch region zone level mean median low high sd``, from continuous to none.
    """
    return [
        {
            "epoch": epoch,
            "region": name,
            "zone": zone,
            "level": level,
            **summarise(totals.zones[zone].of(name), level).plain(),
        }
        for name in totals.permafrost.names
        for zone in reversed(ZONES)
    ]


def change_records(
    before: MemberTotals,
    after: MemberTotals,
    *,
    quantity: str,
    title: str,
    unit: str,
    epochs: tuple[str, str],
    level: float = 0.95,
) -> list[Record]:
    """Return how totals changed between two epochs, member by member.

    Returns
    -------
    list of dict
        Each with ``quantity title unit from to region level mean median low high sd``, ``increase``, the
        probability that the total grew, and ``share``, the mean change as a share of the earlier mean.

    Raises
    ------
    PermagridError
        If the epochs have different regions, members or cells.
    """
    if before.regions != after.regions or before.members != after.members:
        raise PermagridError("inventory: two epochs have different regions or members")
    out = []
    for name in (ALL, *(name for name in before.names if name in after.names and name != ALL)):
        if before.cells(name) != after.cells(name):
            raise PermagridError(
                f"inventory: {name} has {before.cells(name)} cells in {epochs[0]} and {after.cells(name)} in "
                f"{epochs[1]}; what is compared must be the same cells"
            )
        first, second = before.of(name), after.of(name)
        found = total_change(first, second, level=level)
        mean = float(first.mean())
        out.append(
            {
                "quantity": quantity,
                "title": title,
                "unit": unit,
                "from": epochs[0],
                "to": epochs[1],
                "region": name,
                "level": level,
                **found.range.plain(),
                "increase": found.increase,
                "share": found.range.mean / mean if mean else None,
            }
        )
    return out
