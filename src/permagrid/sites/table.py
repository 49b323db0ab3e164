"""The site table: its columns, their units, and the guard that every reader's result passes."""

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from permagrid.errors import PermagridError

VARIABLES: dict[str, str] = {
    "ground_temperature": "degC",
    "active_layer_thickness": "cm",
    "permafrost_presence": "1",
    "air_temperature": "degC",
    "soil_temperature": "degC",
    "volumetric_ice_content": "%",
    "excess_ice_content": "%",
    "visible_ice_class": "1",
    "ground_ice_class": "1",
    "thaw_depth": "cm",
}
"""Observed variable -> unit of its ``value`` column. Temperatures are annual means."""

CLASSES = ("permafrost_presence", "visible_ice_class", "ground_ice_class")
"""Variables whose values are codes of classes."""

LIMITS = ("exact", "above", "below")
"""How a value is to be read: measured, or the truth lies above or below it (censored)."""

COLUMNS: dict[str, str] = {
    "site_id": "str",
    "original_id": "str",
    "name": "str",
    "latitude": "float64",
    "longitude": "float64",
    "elevation": "float64",
    "variable": "str",
    "value": "float64",
    "limit": "str",
    "depth": "float64",
    "observation_limit": "float64",
    "year": "Int64",
    "n_observations": "Int64",
    "method": "str",
    "site_flags": "str",
    "remark": "str",
    "source": "str",
    "citation": "str",
    "licence": "str",
    "file": "str",
    "row": "Int64",
}
"""Column -> type of the site table, in order. One row is one observation.

``elevation`` [m], ``depth`` of the sensor below the surface [m], ``observation_limit`` the depth down
to which the observer could look [m], ``year`` the calendar year (missing for climate normals),
``n_observations`` the readings behind the value, ``site_flags`` words separated by commas such as
``infrastructure,water``, ``row`` the 1-based row or line in ``file``.
"""

_DEFAULTS: dict[str, object] = {"limit": "exact", "n_observations": 1}


def site_table(frame: pd.DataFrame, *, constants: dict[str, Any] | None = None) -> gpd.GeoDataFrame:
    """Return `frame` as a site table: all columns, in order, typed, with a point geometry.

    Parameters
    ----------
    frame
        Rows with at least ``site_id``, ``latitude``, ``longitude``, ``variable`` and ``value``. Columns
        that are absent are filled with "missing" (an empty string, NaN or NA).
    constants
        Values that hold for all rows, such as ``source`` and ``licence``.

    Returns
    -------
    geopandas.GeoDataFrame
        The table in EPSG:4326. Rows without coordinates keep an empty point: they are flagged
        later, never dropped.

    Raises
    ------
    PermagridError
        If a required column is absent, a column cannot take its type, or `check_sites` objects.

    Examples
    --------
    >>> rows = pd.DataFrame({"site_id": ["a:1"], "latitude": [71.3], "longitude": [-156.6],
    ...                      "variable": ["ground_temperature"], "value": [-8.9], "depth": [10.0]})
    >>> site_table(rows)[["value", "limit"]].values.tolist()
    [[-8.9, 'exact']]
    """
    table = frame.assign(**(constants or {})).reset_index(drop=True)
    required = ("site_id", "latitude", "longitude", "variable", "value")
    absent = [name for name in required if name not in table]
    if absent:
        raise PermagridError(f"site table: missing column {', '.join(absent)}; needed: {', '.join(required)}")
    typed = {name: _column(table, name, dtype) for name, dtype in COLUMNS.items()}
    typed["longitude"] = wrap_longitude(typed["longitude"])
    columns = pd.DataFrame(typed, index=table.index)
    geometry = gpd.points_from_xy(columns["longitude"], columns["latitude"])
    sites = gpd.GeoDataFrame(columns, geometry=geometry, crs="EPSG:4326")
    check_sites(sites)
    return sites


def wrap_longitude(longitude: pd.Series) -> pd.Series:
    """Return longitudes of 180..360 as -180..0, leaving impossible ones for the quality tests.

    Examples
    --------
    >>> wrap_longitude(pd.Series([190.0, -170.0, 720.0])).tolist()
    [-170.0, -170.0, 720.0]
    """
    eastern = (longitude > 180.0) & (longitude <= 360.0)
    return longitude.where(~eastern, longitude - 360.0)


def _column(table: pd.DataFrame, name: str, dtype: str) -> Any:
    if name not in table:
        default = _DEFAULTS.get(name, "" if dtype == "str" else np.nan)
        return pd.Series(default, index=table.index).astype(_pandas_type(dtype))
    try:
        column = table[name]
        if dtype == "str":
            return column.astype("object").where(column.notna(), "").astype(str).str.strip()
        return pd.to_numeric(column).astype(_pandas_type(dtype))
    except (TypeError, ValueError) as error:
        raise PermagridError(f"site table: column {name!r} must hold {dtype} values ({error})") from error


def _pandas_type(dtype: str) -> Any:
    return "object" if dtype == "str" else dtype


def check_sites(sites: gpd.GeoDataFrame) -> None:
    """Raise `PermagridError` unless `sites` has the columns, variables, limits and CRS of a site table.

    Raises
    ------
    PermagridError
        With all objections in one sentence.
    """
    faults: list[str] = []
    absent = [name for name in COLUMNS if name not in sites]
    if absent:
        faults.append(f"missing column {', '.join(absent)}")
    if sites.crs is None or sites.crs.to_epsg() != 4326:
        faults.append(f"coordinates must be EPSG:4326, found {sites.crs}")
    faults += _strange_words(sites, "variable", list(VARIABLES))
    faults += _strange_words(sites, "limit", LIMITS)
    if faults:
        raise PermagridError("site table: " + "; ".join(faults))


def _strange_words(sites: gpd.GeoDataFrame, column: str, allowed: Sequence[str]) -> list[str]:
    if column not in sites:
        return []
    strange = sorted(set(sites[column]) - set(allowed))
    if not strange:
        return []
    return [f"unknown {column} {', '.join(map(repr, strange))}; allowed: {', '.join(allowed)}"]
