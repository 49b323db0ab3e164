"""Step: observations read, flagged, reduced to site and epoch, and joined to covariates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr

from permagrid.covariates import Covariate
from permagrid.errors import PermagridError
from permagrid.sites.fates import FATES, row_fates
from permagrid.sites.identity import site_groups
from permagrid.sites.labels import epoch_labels, presence_labels, station_absences
from permagrid.sites.quality import flag_sites
from permagrid.sites.readers import READERS
from permagrid.sites.reduce import reduce_sites
from permagrid.sites.sample import sample_stack
from permagrid.steps.inputs import predictors, rooted
from permagrid.study import Labels, SourceTable, Study

OBSERVED: dict[str, tuple[str, ...]] = {
    "mean_annual_ground_temperature": ("ground_temperature", "soil_temperature"),
    "active_layer_thickness": ("active_layer_thickness",),
    "permafrost_presence": ("permafrost_presence",),
    "volumetric_ice_content": ("volumetric_ice_content",),
}
"""Target -> observed variables that it is learned from; another target is looked for under its own name."""

BY_DEPTH = frozenset({"mean_annual_ground_temperature"})
"""Targets observed at a depth, which the study may name as a covariate."""


def read_sources(sources: tuple[SourceTable, ...], root: Path) -> gpd.GeoDataFrame:
    """Return all rows of the tables that a study names.

    Raises
    ------
    PermagridError
        If a table cannot be read.
    """
    tables = [READERS[part.reader](root / part.path, **rooted(part, root)) for part in sources]
    return gpd.GeoDataFrame(pd.concat(tables, ignore_index=True), crs="EPSG:4326")


def flag_observations(observations: gpd.GeoDataFrame, study: Study, stack: xr.Dataset) -> gpd.GeoDataFrame:
    """Return observations with the verdict of each quality test of the study; none is deleted."""
    tests: dict[str, Mapping[str, Any]] = dict(study.sites.quality)
    if study.sites.region is not None:
        tests = {"inside_study_region": {"region": study.sites.region}, **tests}
    layers = {str(name) for name in stack.data_vars}
    # Under a name of their own: the table has columns, such as elevation, that a covariate may be called too.
    pointed = {
        test: {key: _joined_name(value) if str(value) in layers else value for key, value in keywords.items()}
        for test, keywords in tests.items()
        if keywords
    }
    wanted = sorted(
        {str(value) for keywords in tests.values() for value in (keywords or {}).values()} & layers
    )
    joined = _with_covariates(observations, stack[wanted]) if wanted else observations
    exclude = (3, 4, 9) if study.sites.exclude_suspect else (4, 9)
    flagged = flag_sites(joined, {**tests, **pointed}, exclude=exclude)
    return flagged.drop(columns=[_joined_name(name) for name in wanted])


def _joined_name(covariate: object) -> str:
    return f"covariate {covariate}"


def _with_covariates(observations: gpd.GeoDataFrame, stack: xr.Dataset) -> gpd.GeoDataFrame:
    """Return rows with covariates at their places; of those that vary, the mean over the epochs."""
    usual = stack.mean("epoch", keep_attrs=True) if "epoch" in stack.dims else stack
    places = observations[["longitude", "latitude"]].drop_duplicates().dropna()
    places = places[places["latitude"].abs() <= 90]
    sampled = sample_stack(usual, places)[[str(name) for name in stack.data_vars]]
    values = pd.concat([places, sampled.rename(columns=_joined_name)], axis=1)
    merged = observations.merge(values, on=["longitude", "latitude"], how="left")
    return gpd.GeoDataFrame(merged, crs=observations.crs)


def rows_of_target(flagged: gpd.GeoDataFrame, study: Study) -> gpd.GeoDataFrame:
    """Return the observations from which the target is learned; for labels, all of them."""
    if study.sites.labels is not None:
        return flagged
    return flagged[flagged["variable"].isin(OBSERVED.get(study.target.variable, (study.target.variable,)))]


def reduce_observations(flagged: gpd.GeoDataFrame, study: Study, root: Path) -> gpd.GeoDataFrame:
    """Return one row per site and epoch (and depth, by rule ``each``) of the target.

    Raises
    ------
    PermagridError
        If no row is left, with how many were read and why they fell away.
    """
    rule, variable = study.sites.reduce, study.target.variable
    names = OBSERVED.get(variable, (variable,))
    if study.sites.labels is not None:
        reduced = _labelled(flagged, study, study.sites.labels, root)
    else:
        mine = flagged[flagged["variable"].isin(names)]
        if mine.empty:
            found = ", ".join(sorted(set(flagged["variable"])))
            raise PermagridError(
                f"target {variable} needs rows of {' or '.join(names)}; the tables hold {found}"
            )
        keywords: dict[str, Any] = {
            "epochs": study.epochs,
            "min_years": rule.minimum_years,
            "normals": rule.normals,
        }
        if variable in BY_DEPTH:
            keywords |= {"depth_rule": rule.depth_rule, "depth_range": rule.depth_range, "depth": rule.depth}
        mine = gpd.GeoDataFrame(mine.assign(variable=names[0]), crs=flagged.crs)
        reduced = reduce_sites(mine, **keywords)
        if reduced.empty:
            fates = row_fates(mine, **keywords).value_counts()
            why = "; ".join(f"{count} rows: {FATES[str(fate)]}" for fate, count in fates.items())
            raise PermagridError(f"no site is left for {variable} in {', '.join(study.epoch_names)}: {why}")
    if reduced.empty:
        kept = int(flagged["kept"].sum())
        raise PermagridError(
            f"no site is left for {variable} in {', '.join(study.epoch_names)}: {len(flagged)} rows read, "
            f"{kept} kept by the quality tests, none in an epoch"
        )
    return reduced


def _labelled(flagged: gpd.GeoDataFrame, study: Study, labels: Labels, root: Path) -> gpd.GeoDataFrame:
    rule = study.sites.reduce
    parts = [
        epoch_labels(
            presence_labels(
                flagged,
                temperature_threshold=labels.temperature_threshold,
                depth_range=labels.depth_range,
                active_layer_max=labels.active_layer_maximum,
                min_absence_depth=labels.minimum_absence_depth,
            ),
            epochs=study.epochs,
            min_years=rule.minimum_years,
            normals=rule.normals,
        )
    ]
    if labels.station_absences:
        stations = read_sources(study.sites.stations, root)
        tests: dict[str, Mapping[str, Any]] = {"coordinates": {}}
        if study.sites.region is not None:
            tests["inside_study_region"] = {"region": study.sites.region}
        absences = station_absences(flag_sites(stations, tests))
        parts.append(epoch_labels(absences, epochs=study.epochs, normals=True))
    return gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), crs=flagged.crs)


def training_table(
    reduced: gpd.GeoDataFrame, study: Study, stack: xr.Dataset, covariates: Mapping[str, Covariate]
) -> gpd.GeoDataFrame:
    """Return reduced rows with covariates, ``site_group`` and ``excluded``: empty, or why a row is not used.

    Raises
    ------
    PermagridError
        If no row, one epoch or, for classes, one class is left to learn from.
    """
    of_observation = {
        name: str(c.keywords["column"]) for name, c in covariates.items() if c.method == "observation"
    }
    seen = predictors(study)
    gridded = stack[[str(name) for name in stack.data_vars if name in seen and name not in of_observation]]
    sampled = sample_stack(gridded, reduced, rule=study.sampling.rule, distance=study.sampling.distance)
    table = reduced.drop(columns=[name for name in sampled if name in reduced]).join(sampled)
    for name, column in of_observation.items():
        if column not in reduced:
            allowed = ", ".join(c for c in reduced.columns if pd.api.types.is_numeric_dtype(reduced[c]))
            raise PermagridError(f"covariates: {name} needs the column {column!r}; allowed: {allowed}")
        table[name] = reduced[column].to_numpy(float)
    table["site_group"] = site_groups(table, distance=study.sites.same_place)
    low, high = study.target.valid_range
    value = table["value"]
    incomplete = table[seen].isna().any(axis=1)
    table["excluded"] = np.select(
        [
            table["limit"] != "exact",
            (value < low) | (value > high),
            table["sampling_fault"] != "",
            incomplete,
        ],
        [
            "censored value",
            f"outside the valid range {low:g} to {high:g} {study.target.unit}",
            "covariates: " + table["sampling_fault"],
            "covariates: no depth",
        ],
        default="",
    )
    used = table[table["excluded"] == ""]
    if used.empty:
        reasons = "; ".join(f"{n} {why}" for why, n in table["excluded"].value_counts().items())
        raise PermagridError(f"no site is left to learn from: of {len(table)} site-epochs {reasons}")
    return gpd.GeoDataFrame(table, crs=reduced.crs)
