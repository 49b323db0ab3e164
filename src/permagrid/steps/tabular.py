"""Step: the rows of a study without grid, whose covariates are columns of its own table."""

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr

from permagrid.covariates import Covariate
from permagrid.covariates.table import attributes
from permagrid.errors import PermagridError, did_you_mean
from permagrid.grid import Float
from permagrid.sites.rows import observation_rows
from permagrid.steps.inputs import predictors
from permagrid.steps.sites import OBSERVED, rows_of_target
from permagrid.study import Study

CODES = "codes"
"""Note on a covariate of texts: which code stands for which text."""


def rows_of(flagged: gpd.GeoDataFrame, study: Study) -> gpd.GeoDataFrame:
    """Return one row per observation of the target, with all columns of its table.

    Raises
    ------
    PermagridError
        If no row is left, with how many were read and why they fell away.
    """
    variable, rule = study.target.variable, study.sites.reduce
    mine = rows_of_target(flagged, study)
    names = OBSERVED.get(variable, (variable,))
    if mine.empty:
        found = ", ".join(sorted(set(flagged["variable"])))
        raise PermagridError(f"target {variable} needs rows of {' or '.join(names)}; the tables hold {found}")
    mine = gpd.GeoDataFrame(mine.assign(variable=names[0]), crs=flagged.crs)
    return observation_rows(
        mine, epoch=study.epochs[0], depth_range=rule.depth_range, same_place=study.sites.same_place
    )


def training_table(
    rows: gpd.GeoDataFrame, study: Study, covariates: Mapping[str, Covariate]
) -> tuple[gpd.GeoDataFrame, dict[str, str]]:
    """Return rows with covariates and ``excluded``, and the classes of covariates of texts.

    Parameters
    ----------
    rows
        From `rows_of`.
    study, covariates
        The study, and its covariates by name.

    Raises
    ------
    PermagridError
        If a column is missing or does not hold what its covariate says, or no row is left to learn from.
    """
    values, notes = {}, {}
    for name, covariate in covariates.items():
        values[name], note = column_values(rows, covariate)
        if note:
            notes[name] = note
    table = rows.drop(columns=[name for name in values if name in rows]).assign(**values)
    low, high = study.target.valid_range
    value = table["value"]
    reasons = {
        "censored value": table["limit"] != "exact",
        f"outside the valid range {low:g} to {high:g} {study.target.unit}": (value < low) | (value > high),
        **{f"covariates: no {name}": table[name].isna() for name in predictors(study)},
    }
    table["excluded"] = np.select(list(reasons.values()), list(reasons), default="")
    if not (table["excluded"] == "").any():
        told = "; ".join(f"{n} {why}" for why, n in table["excluded"].value_counts().items())
        raise PermagridError(f"no row is left to learn from: of {len(table)} {told}")
    return gpd.GeoDataFrame(table, crs=rows.crs), notes


def column_values(rows: pd.DataFrame, covariate: Covariate) -> tuple[Float, str]:
    """Return the values of a covariate by row, and for one of texts which code stands for which.

    Texts get the codes that the study states, or 1, 2, ... in alphabetical order; blank ones are missing.

    Parameters
    ----------
    rows
        Rows with the column that the covariate names.
    covariate
        One of method ``observation``.

    Raises
    ------
    PermagridError
        If the column is missing, or does not hold what the covariate says.

    Examples
    --------
    >>> soil = Covariate("soil", "observation", "class", {"column": "material"}, kind="class")
    >>> values, note = column_values(pd.DataFrame({"material": ["Till", "Fine", "", "Till"]}), soil)
    >>> values.tolist(), note
    ([2.0, 1.0, nan, 2.0], '1 Fine, 2 Till')
    """
    column, codes = str(covariate.keywords["column"]), covariate.keywords.get("codes")
    said = f"covariate {covariate.name}"
    if column not in rows or column == "geometry":
        names = [str(name) for name in rows.columns if name != "geometry"]
        raise PermagridError(f"{said}: the tables have no column {column!r}: {did_you_mean(column, names)}")
    found = rows[column]
    if pd.api.types.is_numeric_dtype(found):
        numbers = found.to_numpy(dtype=float, na_value=np.nan)
        broken = numbers[np.isfinite(numbers) & (numbers != np.round(numbers))]
        if codes is not None:
            raise PermagridError(f"{said}: the column {column!r} holds numbers, and codes are for texts")
        if covariate.kind == "class" and broken.size:
            raise PermagridError(f"{said}: kind is class, but values such as {broken[0]:g} are no codes")
        return np.asarray(numbers), ""
    texts = found.astype(object).where(found.notna(), "").astype(str).str.strip()
    different = sorted(set(texts) - {""})
    if covariate.kind != "class" and different:
        raise PermagridError(
            f"{said}: the column {column!r} holds texts such as {different[0]!r}; set kind: class, or read "
            "numbers"
        )
    known = dict(codes) if codes is not None else {text: code for code, text in enumerate(different, 1)}
    strange = [text for text in different if text not in known]
    if strange:
        raise PermagridError(f"{said}: codes has none for {strange[0]!r}; it has {', '.join(known)}")
    told = ", ".join(f"{code} {text}" for text, code in sorted(known.items(), key=lambda pair: pair[1]))
    return texts.map(known).to_numpy(dtype=float), told


def columns_of(
    table: pd.DataFrame, covariates: Mapping[str, Covariate], notes: Mapping[str, str]
) -> xr.Dataset:
    """Return covariates by row as a dataset, with what is known of each, as a stack on a grid has it."""
    return xr.Dataset(
        {
            name: (
                "row",
                table[name].to_numpy(float),
                attributes(covariate) | ({CODES: notes[name]} if name in notes else {}),
            )
            for name, covariate in covariates.items()
        }
    )
