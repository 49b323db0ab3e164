"""How many sites were read, kept and used, and why other sections count otherwise."""

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import pandas as pd

from permagrid.report.metrics import on_all_sites
from permagrid.report.page import count, number


def site_counts(
    summary: Mapping[str, Any],
    sites: gpd.GeoDataFrame,
    predictions: pd.DataFrame,
    study: Mapping[str, Any],
) -> tuple[str, ...]:
    """Return how many sites were read, passed the tests and were used, as sentences; none if not known.

    Parameters
    ----------
    summary, study
        The run's ``summary.json`` and the resolved study.
    sites
        Site table with ``kept``.
    predictions
        Out-of-fold predictions, from which the sites of each epoch are counted.

    Examples
    --------
    >>> counted = {"sites": {"read": 9, "kept": 4, "site_epochs": 6}}
    >>> site_counts(counted, gpd.GeoDataFrame(), pd.DataFrame(), {})[1]
    'Other sections count otherwise: 6 site-epochs are the values of one site in one epoch each.'
    """
    counts = summary.get("sites") or {}
    if counts.get("read") is None or counts.get("kept") is None:
        return ()
    text = f"{count(counts['read'], 'site')} were read"
    if len(sites) and "kept" in sites:
        passed = int(sites.loc[sites["kept"].astype(bool), "site_id"].nunique())
        text += f", {number(passed)} have observations that passed the quality tests"
    text += (
        f", and {number(counts['kept'])} have what the study asks for ({_wanted(study)}) and were "
        "used for training and scoring."
    )
    left_out = [
        f"{count(int(rows), 'site-epoch')} ({reason})"
        for reason, rows in (counts.get("not_used") or {}).items()
    ]
    sentences = (text, f"Left out: {', '.join(left_out)}." if left_out else "")
    return tuple(filter(None, (*sentences, _other_counts(summary, predictions, study))))


def _wanted(study: Mapping[str, Any]) -> str:
    """Return what an observation must have to be used, in words."""
    rule = study.get("sites") or {}
    if rule.get("labels"):
        return "presence or absence in an epoch, covariates"
    if study.get("grid", rule) is None:
        return "a value, covariates"
    span = (rule.get("reduce") or {}).get("depth_range")
    depth = f"a depth of {span[0]:g} to {span[1]:g} m, " if span else ""
    return f"{depth}a year in an epoch, covariates"


def _other_counts(summary: Mapping[str, Any], predictions: pd.DataFrame, study: Mapping[str, Any]) -> str:
    """Return in one sentence why site-epochs, places and sites of an epoch are other numbers."""
    used, rule = summary["sites"]["kept"], study.get("sites") or {}
    rows = summary["sites"].get("site_epochs")
    places = max((score.get("n_sites") or 0 for score in summary.get("scores") or []), default=0)
    by_epoch = _sites_by_epoch(predictions, (study.get("target") or {}).get("variable"))
    said = []
    if rows not in (None, used) and study.get("grid", rule) is None:
        said.append(f"{number(rows)} rows are the observations of these sites, each for itself")
    elif rows not in (None, used):
        each = (rule.get("reduce") or {}).get("depth_rule") == "each"
        said.append(
            f"{number(rows)} site-epochs are the values of one site in one epoch"
            f"{' and at one depth' if each else ''} each"
        )
    if places and places != used:
        near = rule.get("same_place")
        within = "" if near is None else f" nearer than {near:g} m to each other"
        said.append(f"{number(places)} places are the sites, with those{within} taken as one")
    if len(by_epoch) > 1:
        listed = ", ".join(f"{epoch.replace('-', '–')} {number(n)}" for epoch, n in by_epoch.items())
        said.append(f"an epoch has only the sites that were observed in it ({listed})")
    return f"Other sections count otherwise: {'; '.join(said)}." if said else ""


def _sites_by_epoch(predictions: pd.DataFrame, variable: str | None) -> dict[str, int]:
    """Return epoch -> sites of the target observed in it."""
    if not {"site_id", "epoch", "target"} <= set(predictions):
        return {}
    mine = on_all_sites(predictions)
    mine = mine[mine["target"] == variable]
    numbers = mine.groupby("epoch", sort=True)["site_id"].nunique()
    return {str(epoch): int(n) for epoch, n in numbers.items()}
