"""Step: how much there is, from the members of an ensemble, as plain values: totals, zones, change, trend."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr

from permagrid.inventory import (
    ZONES,
    ErrorSums,
    MemberTotals,
    change_records,
    false_discovery,
    mann_kendall,
    summarise,
    total_records,
)
from permagrid.steps.layers import Map
from permagrid.steps.map_totals import area_thresholds, true_totals
from permagrid.steps.member_maps import CHANGE_P
from permagrid.steps.tallies import PERMAFROST, Tally
from permagrid.study import Study

Plain = dict[str, Any]

LEVEL = 0.95
"""Of all ranges over members."""
RATE = 0.1
"""Share of places of change that may be there by chance."""
_FEWEST_EPOCHS = 8
"""Epochs from which a trend is told."""
_TITLES = {PERMAFROST: ("Permafrost area", "km2")}


def inventory_record(
    study: Study, tally: Tally, how: Plain, maps: Sequence[Map], stack: xr.Dataset, root: Path
) -> Plain:
    """Return totals with ranges, zones, changes and trends, as plain values.

    Parameters
    ----------
    study, tally
        The study, and what was counted.
    how
        How the members were made.
    maps, stack
        Finished maps and the covariates, for what is told of them beside the members.
    root
        Folder from which the study's paths start.
    """
    epochs = study.epoch_names
    quantities = [
        name for name in ([tally.storage.name] if tally.storage else []) + [PERMAFROST] if _has(tally, name)
    ]
    trend = [record for name in quantities for record in _trends(tally, name, study)]
    changed = _changed(maps)
    return {
        "level": LEVEL,
        "how": how,
        "notes": [*_notes(study, how), *_trend_notes(trend), *_changed_notes(changed)],
        "truth": true_totals(study, tally, maps, stack, root),
        "thresholds": area_thresholds(maps, stack.odc.geobox),
        "totals": [record for name in quantities for record in _totals(tally, name, epochs)],
        "zones": _zones(tally, epochs),
        "changes": [record for name in quantities for record in _changes(tally, name, epochs)],
        "trend": trend,
        "changed": changed,
    }


def _notes(study: Study, how: Plain) -> list[str]:
    """Return how the members were made, in sentences."""
    alike = (
        f"errors are taken to be alike up to {how['errors_range_m'] / 1000:.0f} km, by "
        f"{how['errors_shared']:.0%} of their variance; the rest each cell has for itself"
    )
    notes = [
        f"Each of {how['members']} members is one plausible world: blocks of sites of "
        f"{how['block_m'] / 1000:.0f} km are drawn with replacement, learners and their weights are those "
        f"of the sites drawn, and one field of errors runs through all cells and epochs; {alike}.",
        "Members of each learner: "
        + "; ".join(f"{label.replace('_', ' ')}: {scheme}" for label, scheme in how["learners"].items())
        + ".",
    ]
    if study.inventory is not None and study.inventory.storage is not None:
        storage = study.inventory.storage
        share = "all of every cell"
        if storage.presence is not None:
            share = f"the share of a cell that {storage.presence.replace('_', ' ')} tells"
        notes.append(
            f"Storage is {storage.ice} ice in {storage.thickness:g} m of {share}, with cell areas of the "
            "ellipsoid."
        )
    return notes


def _trend_notes(trend: Sequence[Plain]) -> list[str]:
    return [
        f"{record['title']} over {record['epochs']} epochs: slope {record['mean']:,.0f} {record['unit']} "
        f"({record['low']:,.0f} to {record['high']:,.0f} over members; Sen), p of the mean "
        f"{record['p_of_mean']:.2g} (Mann and Kendall, corrected as by Hamed and Rao)."
        for record in trend
    ]


def _changed_notes(changed: Sequence[Plain]) -> list[str]:
    return [
        f"Over {record['epoch']} a change is taken for real on {record['share']:.0%} of {record['cells']:,} "
        f"cells: those with p up to {record['p_threshold']:.2g}, of which no more than "
        f"{record['false_discovery_rate']:.0%} may be there by chance (Benjamini and Hochberg)."
        for record in changed
        if record["share"] is not None
    ]


def _has(tally: Tally, quantity: str) -> bool:
    return any(name == quantity for name, _ in tally.totals)


def _words(tally: Tally, quantity: str) -> tuple[str, str]:
    if tally.storage is not None and quantity == tally.storage.name:
        return tally.storage.title, "km3"
    return _TITLES[quantity]


def _totals(tally: Tally, quantity: str, epochs: Sequence[str]) -> list[Plain]:
    title, unit = _words(tally, quantity)
    found: list[Plain] = []
    for epoch in epochs:
        totals: MemberTotals | None = tally.totals.get((quantity, epoch))
        errors: ErrorSums | None = tally.errors.get((quantity, epoch))
        if totals is not None:
            found += total_records(
                totals, quantity=quantity, title=title, unit=unit, epoch=epoch, level=LEVEL, errors=errors
            )
    return found


def _zones(tally: Tally, epochs: Sequence[str]) -> list[Plain]:
    return [
        {
            "epoch": epoch,
            "region": region,
            "zone": zone,
            "level": LEVEL,
            **summarise(tally.totals[zone, epoch].of(region), LEVEL).plain(),
        }
        for epoch in epochs
        if (ZONES[0], epoch) in tally.totals
        for region in tally.totals[ZONES[0], epoch].names
        for zone in reversed(ZONES)
    ]


def _changes(tally: Tally, quantity: str, epochs: Sequence[str]) -> list[Plain]:
    """Return the change between neighbouring epochs, and from the first to the last."""
    spans = list(pairwise(epochs))
    if len(epochs) > 2:
        spans.append((epochs[0], epochs[-1]))
    title, unit = _words(tally, quantity)
    found: list[Plain] = []
    for first, last in spans:
        before, after = tally.totals.get((quantity, first)), tally.totals.get((quantity, last))
        if before is None or after is None or before.cells() != after.cells():
            # Of other cells the difference would be that of the masks.
            continue
        found += change_records(
            before, after, quantity=quantity, title=title, unit=unit, epochs=(first, last), level=LEVEL
        )
    return found


def _trends(tally: Tally, quantity: str, study: Study) -> list[Plain]:
    """Return the trend of the totals over epochs, Sen's slope with its range over members."""
    epochs = [epoch for epoch in study.epoch_names if (quantity, epoch) in tally.totals]
    if len(epochs) < _FEWEST_EPOCHS:
        return []
    totals = np.stack([tally.totals[quantity, epoch].of() for epoch in epochs])
    times = np.array([sum(map(int, epoch.split("-"))) / 2.0 for epoch in epochs])
    each = mann_kendall(totals, times)
    whole = mann_kendall(totals.mean(axis=1), times)
    title, unit = _words(tally, quantity)
    return [
        {
            "quantity": quantity,
            "title": title,
            "unit": f"{unit} per year",
            "epochs": len(epochs),
            "level": LEVEL,
            "slope_of_mean": float(whole.slope[0]),
            "p_of_mean": float(whole.p[0]),
            **summarise(each.slope, LEVEL).plain(),
        }
    ]


def _changed(maps: Sequence[Map]) -> list[Plain]:
    """Return on which share of the cells a change is taken for real, and below which p."""
    found = []
    for made in maps:
        if not made.variable.endswith(f"_{CHANGE_P}"):
            continue
        with rasterio.open(made.path) as raster:
            told = false_discovery(raster.read(1).astype(float), RATE)
        found.append(
            {
                "map": made.path.name,
                "epoch": made.epoch,
                "false_discovery_rate": RATE,
                "p_threshold": told.threshold,
                "cells": told.tested,
                "share": float(told.found.sum() / told.tested) if told.tested else None,
            }
        )
    return found
