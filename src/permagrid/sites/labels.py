"""Labels of permafrost presence and absence by a stated rule, each with the reason in words."""

from collections.abc import Sequence
from typing import Literal

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError, did_you_mean
from permagrid.sites.quality.flags import numbers, wording
from permagrid.sites.reduce import reduce_sites

BASES: dict[str, str] = {
    "temperature": "annual mean ground temperatures",
    "active_layer": "a measured active layer",
    "observation": "reported presence or absence",
    "station_climate": "the mean annual air temperature of a weather station; not observed",
}
"""What a label stands on (column ``label_basis``)."""

_NOT_REACHED = "permafrost not reached: no absence"


def presence_labels(
    sites: gpd.GeoDataFrame,
    *,
    temperature_threshold: float = 0.0,
    depth_range: tuple[float, float] = (0.0, 20.0),
    sensors: Literal["any", "every"] = "any",
    active_layer_max: float | None = None,
    min_absence_depth: float = 2.0,
) -> gpd.GeoDataFrame:
    """Return presence (1), absence (0) or no label (NaN) for each site, year and kind of evidence.

    *Temperatures* (ground and soil) show presence when any sensor, or every sensor, of the year within
    `depth_range` has an annual mean at or below `temperature_threshold`; else absence, if the deepest of
    them lies at `min_absence_depth` or below. A measured *active layer* shows presence; one that was only
    found to be thicker than the probe reaches, or is thicker than `active_layer_max`, gives no label.
    *Reported* presence and absence are taken over, but an absence that was observed to less than
    `min_absence_depth` is right-censored ("not within the observation limit") and gives no label.

    Parameters
    ----------
    sites
        Site table; rows whose ``kept`` (see `flag_sites`) is false are left out.
    temperature_threshold
        Warmest annual mean that shows permafrost [degC]. The ESA CCI validation set allows 0.5.
    depth_range
        Least and greatest depth [m] of the sensors that count. Those of unknown depth can show presence.
    sensors
        Whether any sensor suffices or every one must be cold.
    active_layer_max
        Thickest active layer [cm] that shows presence; none: any.
    min_absence_depth
        Depth [m] to which one must have looked to call it absence. Reports of absence without a known
        observation limit count, and say so in ``label_rule``.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of the variable ``permafrost_presence``. Each row is the observation that decided, with
        its provenance; ``observation_limit`` [m] is the deepest sensor where temperatures decided;
        ``label_basis`` is a word of `BASES` and ``label_rule`` says why. Rows without label stay, with
        value NaN, so that they can be counted; the reduction leaves them out.

    Raises
    ------
    PermagridError
        If a keyword makes no sense, or no row can give a label.

    Examples
    --------
    >>> from permagrid.sites.table import site_table
    >>> rows = site_table(pd.DataFrame({"site_id": ["a", "a", "b"], "latitude": 66.0, "longitude": 66.0,
    ...     "variable": "ground_temperature", "year": 2001, "depth": [0.8, 3.2, 0.8],
    ...     "value": [1.1, -0.2, 2.0]}))
    >>> presence_labels(rows)[["site_id", "value", "label_rule"]].values.tolist()
    [['a', 1.0, '-0.20 degC at 3.2 m; any sensor at or below 0 degC'],
     ['b', nan, 'no sensor at or below 0 degC, deepest at 0.8 m; permafrost not reached: no absence']]
    """
    _check_rule(depth_range, sensors, active_layer_max, min_absence_depth)
    rows = _kept(sites)
    parts = [
        _from_temperatures(rows, temperature_threshold, depth_range, sensors, min_absence_depth),
        _from_active_layers(rows, active_layer_max),
        _from_reports(rows, min_absence_depth),
    ]
    if all(part.empty for part in parts):
        found = ", ".join(sorted(set(rows["variable"].astype(str)))) or "no row that passed the quality tests"
        raise PermagridError(
            "labels need rows of ground_temperature, soil_temperature, active_layer_thickness or "
            f"permafrost_presence; found {found}"
        )
    labels = pd.concat([part for part in parts if not part.empty]).sort_index(kind="stable")
    return labels.assign(variable="permafrost_presence", limit="exact").reset_index(drop=True)


def _check_rule(
    depth_range: tuple[float, float], sensors: str, active_layer_max: float | None, min_absence_depth: float
) -> None:
    if len(depth_range) != 2 or not 0.0 <= depth_range[0] <= depth_range[1]:
        raise PermagridError(
            f"labels: depth_range must be (least, greatest) in m; found {tuple(depth_range)}"
        )
    if sensors not in ("any", "every"):
        raise PermagridError(
            f"labels: unknown sensors rule {sensors!r}: {did_you_mean(sensors, ['any', 'every'])}"
        )
    if active_layer_max is not None and not active_layer_max > 0.0:
        raise PermagridError(f"labels: active_layer_max must be above 0 cm; found {active_layer_max}")
    if not min_absence_depth >= 0.0:
        raise PermagridError(f"labels: min_absence_depth must be 0 m or more; found {min_absence_depth}")


def _kept(sites: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the rows that passed quality control and have a value, numbered, without their flags."""
    mask = ~np.isnan(numbers(sites, "value"))
    if "kept" in sites:
        mask &= sites["kept"].to_numpy(dtype=bool)
    columns = [name for name in sites.columns if not name.startswith("flag_") and name != "kept"]
    return sites.loc[mask, columns].reset_index(drop=True)


def _from_temperatures(
    rows: gpd.GeoDataFrame, threshold: float, depth_range: tuple[float, float], sensors: str, min_depth: float
) -> gpd.GeoDataFrame:
    usable = rows["variable"].isin(["ground_temperature", "soil_temperature"]) & (rows["limit"] == "exact")
    usable &= rows["depth"].isna() | rows["depth"].between(*depth_range)
    observed = rows[usable]
    # Sorting decides between equal candidates by what they hold, not by where they stand in the table.
    keys = ["site_id", "year"]
    ordered = observed.sort_values([*keys, "value", "depth", "source", "row"], kind="stable")
    groups = ordered.groupby(keys, dropna=False)["value"]
    decisive = groups.idxmin() if sensors == "any" else groups.idxmax()
    deepest = (
        ordered.assign(known=ordered["depth"].fillna(-1.0)).groupby(keys, dropna=False)["known"].idxmax()
    )
    present = observed.loc[decisive, "value"].to_numpy() <= threshold
    chosen = observed.loc[np.where(present, decisive.to_numpy(), deepest.to_numpy())]
    limit = observed.loc[deepest, "depth"].to_numpy(dtype=float)
    absent = ~present & (limit >= min_depth)
    rule = f"at or below {threshold:g} degC"
    value, where = chosen["value"].to_numpy(), _depth_words(chosen["depth"].to_numpy(dtype=float))
    cold = wording(f"{{:.2f}} degC at {{}}; {sensors} sensor {rule}", value, where, where=present)
    said = "no sensor" if sensors == "any" else "not every sensor"
    warm = wording(f"{said} {rule}, deepest at {{}}", _depth_words(limit), where=~present)
    ending = np.where(~present & ~absent, f"; {_NOT_REACHED}", "")
    return chosen.assign(
        value=np.select([present, absent], [1.0, 0.0], default=np.nan),
        observation_limit=limit,
        label_basis="temperature",
        label_rule=np.where(present, cold, warm).astype(object) + ending.astype(object),
    )


def _depth_words(depth: NDArray[np.float64]) -> NDArray[np.object_]:
    return np.array(["unknown depth" if np.isnan(d) else f"{d:g} m" for d in depth], dtype=object)


def _from_active_layers(rows: gpd.GeoDataFrame, thickest: float | None) -> gpd.GeoDataFrame:
    layers = rows[rows["variable"] == "active_layer_thickness"]
    value, limit = layers["value"].to_numpy(dtype=float), layers["limit"].to_numpy(dtype=object)
    beyond = limit == "above"
    thick = ~beyond & (value > (np.inf if thickest is None else thickest))
    everywhere = np.ones(len(layers), dtype=bool)
    word = np.where(limit == "below", "less than ", "")
    rule = wording("active layer of {}{:g} cm", word, value, where=everywhere)
    rule[beyond] = wording(f"thaw beyond {{:g}} cm; {_NOT_REACHED}", value, where=beyond)[beyond]
    rule[thick] = rule[thick] + f", thicker than {thickest or 0:g} cm; no label"
    return layers.assign(
        value=np.where(beyond | thick, np.nan, 1.0), depth=np.nan, label_basis="active_layer", label_rule=rule
    )


def _from_reports(rows: gpd.GeoDataFrame, min_depth: float) -> gpd.GeoDataFrame:
    reports = rows[rows["variable"] == "permafrost_presence"]
    present = reports["value"].to_numpy(dtype=float) >= 0.5
    seen = numbers(reports, "observation_limit")
    shallow = ~present & (seen < min_depth)
    unknown = ~present & np.isnan(seen)
    rule = np.where(present, "reported present", "reported absent").astype(object)
    rule[unknown] = "reported absent, observed to unknown depth"
    known = ~present & ~unknown
    rule[known] = wording("reported absent, observed to {:g} m", seen, where=known)[known]
    rule[shallow] = rule[shallow] + f"; {_NOT_REACHED}"
    value = np.where(shallow, np.nan, present.astype(float))
    return reports.assign(value=value, label_basis="observation", label_rule=rule)


def station_absences(stations: gpd.GeoDataFrame, *, low: float = 2.0, high: float = 10.0) -> gpd.GeoDataFrame:
    """Return absences for the weather stations whose mean annual air temperature lies in `low` to `high`.

    Such labels are made from climate, not observed. A model with temperature among its predictors then
    scores too well (label leakage), and the true boundary, -2 to 2 degC, is left out: ``label_basis`` is
    ``station_climate`` and ``remark`` says so, for every audit and score to tell them apart.

    Parameters
    ----------
    stations
        Site table with rows of the variable ``air_temperature``: one a year, or a normal without year.
        Rows whose ``kept`` is false are left out.
    low, high
        Bounds of the station's mean over its rows [degC], both included.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``permafrost_presence`` 0: each row of those stations, with its year, if it has one.

    Raises
    ------
    PermagridError
        If `low` is not below `high`, or there is no air temperature.

    Examples
    --------
    >>> from permagrid.sites.table import site_table
    >>> rows = site_table(pd.DataFrame({"site_id": ["a", "b"], "latitude": 55.0, "longitude": 40.0,
    ...                                 "variable": "air_temperature", "value": [4.2, -3.0]}))
    >>> station_absences(rows)[["site_id", "value", "label_rule"]].values.tolist()
    [['a', 0.0, 'mean annual air temperature 4.2 degC in 2 to 10 degC; not observed']]
    """
    if not low < high:
        raise PermagridError(f"station absences: low must be below high; found {low} and {high} degC")
    rows = _kept(stations)
    air = rows[(rows["variable"] == "air_temperature") & (rows["limit"] == "exact")]
    if air.empty:
        raise PermagridError(
            "station absences need rows of air_temperature; found none that passed the tests"
        )
    # One weight a year: a year that came in twice must not pull the mean.
    annual = air.groupby(["site_id", "year"], dropna=False)["value"].mean()
    mean = air["site_id"].map(annual.groupby("site_id").mean())
    warm = mean.between(low, high)
    told = mean[warm].to_numpy(dtype=float)
    rule = wording(
        f"mean annual air temperature {{:.1f}} degC in {low:g} to {high:g} degC; not observed",
        told,
        where=np.ones(len(told), dtype=bool),
    )
    remark = "label made from climate: " + pd.Series(rule, dtype=object)
    labels = air[warm].assign(
        variable="permafrost_presence",
        value=0.0,
        depth=np.nan,
        remark=remark.to_numpy(dtype=object),
        label_basis="station_climate",
        label_rule=rule,
    )
    return labels.reset_index(drop=True)


def epoch_labels(
    labels: gpd.GeoDataFrame,
    *,
    epochs: Sequence[tuple[int, int]],
    min_years: int = 1,
    ties: Literal["drop", "undecided", "present", "absent"] = "drop",
    normals: bool = False,
) -> gpd.GeoDataFrame:
    """Return one label per site and epoch, by the majority of its years.

    Labels of one year that disagree (two kinds of evidence) count as that share of a year.

    Parameters
    ----------
    labels
        Rows from `presence_labels` or `station_absences`.
    epochs
        First and last year of each, both included; they may overlap.
    min_years
        Fewest labelled years behind an epoch's label.
    ties
        What becomes of a site that is present in half of its years: no row, a row with the value NaN
        (``undecided``), or one of the labels.
    normals
        Whether labels without a year count in every epoch in which their site has no labelled years.

    Returns
    -------
    geopandas.GeoDataFrame
        As `reduce_sites`, with value 1 or 0, ``present_share`` (share of years with presence, 0-1),
        ``label_basis`` and ``label_rule``.

    Raises
    ------
    PermagridError
        If `labels` holds another variable, `ties` is unknown, or an epoch makes no sense.

    Examples
    --------
    >>> from permagrid.sites.table import site_table
    >>> rows = site_table(pd.DataFrame({"site_id": "a", "latitude": 66.0, "longitude": 66.0,
    ...     "variable": "permafrost_presence", "year": [1999, 2000, 2001], "value": [1, 1, 0]}))
    >>> epoch_labels(rows, epochs=[(1998, 2002)])[["value", "label_rule"]].values.tolist()
    [[1.0, 'present in 67 % of 3 years']]
    """
    choice = {"drop": np.nan, "undecided": np.nan, "present": 1.0, "absent": 0.0}
    if ties not in choice:
        raise PermagridError(f"labels: unknown rule for ties {ties!r}: {did_you_mean(ties, choice)}")
    others = sorted(set(labels["variable"].astype(str)) - {"permafrost_presence"})
    if others:
        raise PermagridError(
            f"labels must be rows of permafrost_presence (see presence_labels); found {', '.join(others)}"
        )
    reduced = reduce_sites(labels, epochs=epochs, min_years=min_years, normals=normals)
    # Shares are fractions of few years: rounding takes away what binary fractions add.
    share = reduced["value"].round(9)
    value = np.select([share > 0.5, share < 0.5], [1.0, 0.0], default=choice[ties])
    years, percent = reduced["n_years"].to_numpy(), (100.0 * share).to_numpy()
    dated = years > 0
    rule = wording("present in {:.0f} % of {} years", percent, years, where=dated)
    rule[~dated] = "label without year"
    table = reduced.assign(value=value, present_share=share, label_rule=rule)
    return table[share != 0.5].reset_index(drop=True) if ties == "drop" else table
