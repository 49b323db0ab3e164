"""Readers of the Qinghai-Tibet active-layer observations (Zhao et al. 2021)."""

import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from permagrid.errors import PermagridError
from permagrid.sites.readers.annual import annual_means
from permagrid.sites.readers.reader import READERS, Provenance, observations
from permagrid.sites.readers.spreadsheets import sheet_tables
from permagrid.sites.readers.text_files import delimited, numbers, require, stripped

PROVENANCE = Provenance(
    "zhao_tibet",
    "Zhao et al. 2021, Qinghai-Tibet Plateau",
    "Zhao, L., Zou, D., Hu, G. et al. (2021): A synthesis dataset of permafrost thermal state for the "
    "Qinghai-Tibet (Xizang) Plateau, China. Earth System Science Data 13, 4207-4218, "
    "doi:10.5194/essd-13-4207-2021",
    "CC-BY-4.0",
)

LOCATIONS_FILE = "Site_Location_Info_Structured.csv"

_MISSING = (-6999.0,)
_DEPTH = re.compile(r"^\s*(?P<depth>\d+(?:\.\d+)?)\s*cm", re.IGNORECASE)
_LATITUDE, _LONGITUDE = "Latitude (°N)", "Longitude (°E)"


@READERS.register
def zhao_tibet(
    path: Path, *, min_days: int = 350, locations_path: str | Path | None = None
) -> gpd.GeoDataFrame:
    """Read daily temperatures of the active layer as annual means.

    The workbook (``Active layer of ground temperature.xlsx``) has one sheet for each site. The depth
    stands in the column name, ``120cmGT`` or ``140 cm``; -6999 means "no value".

    Parameters
    ----------
    path
        The workbook.
    min_days
        Fewest days for an annual mean.
    locations_path
        Coordinates of the sites; by default ``Site_Location_Info_Structured.csv`` beside the workbook.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``ground_temperature`` [degC]; ``site_id`` is ``zhao_tibet:{sheet}``.

    Raises
    ------
    PermagridError
        If a file cannot be read, or a sheet has no year or no column with a depth.
    """
    path = Path(path)
    means = [_sheet_means(path.name, sheet, table, min_days) for sheet, table in sheet_tables(path).items()]
    annual = pd.concat(means, ignore_index=True)
    places = _places(Path(locations_path) if locations_path else path.with_name(LOCATIONS_FILE))
    frame = _with_places(annual, places).assign(variable="ground_temperature")
    return observations(frame, PROVENANCE, path, method="mean of daily means")


def _sheet_means(file: str, sheet: str, table: pd.DataFrame, min_days: int) -> pd.DataFrame:
    where = f"{file}, sheet {sheet}"
    require(table, ["Year"], where)
    depths = {name: float(found["depth"]) / 100.0 for name in table if (found := _DEPTH.match(str(name)))}
    if not depths:
        raise PermagridError(f"{where}: no column names a depth such as '120cmGT'")
    readings = {name: numbers(table, str(name), where, missing=_MISSING) for name in depths}
    daily = pd.DataFrame({"year": numbers(table, "Year", where), **readings})
    annual = annual_means(daily, ["year"], minimum=min_days)
    return annual.assign(original_id=sheet, depth=annual["sensor"].map(depths))


@READERS.register
def zhao_thaw_depth(path: Path, *, locations_path: str | Path | None = None) -> gpd.GeoDataFrame:
    """Read annual thaw depths that were derived from the temperature series (``thaw_depth_summary.csv``).

    A value is the depth of the deepest thawed sensor. Where all sensors thawed (``pf_observed`` is 0) the
    truth lies deeper: limit ``above``, and the depth of the deepest sensor is the ``observation_limit``.
    Elsewhere the truth lies between this sensor and the next.

    Parameters
    ----------
    path
        The table.
    locations_path
        Coordinates of the sites that have none in the table (it knows them by another name); by default
        ``Site_Location_Info_Structured.csv`` beside it, if there is one.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``active_layer_thickness`` [cm]; ``site_id`` as in `zhao_tibet`.

    Raises
    ------
    PermagridError
        If a file cannot be read or lacks a column.
    """
    path = Path(path)
    table = delimited(path)
    require(table, ["site", "year", "thaw_depth_cm", "pf_observed"], path.name)
    value = numbers(table, "thaw_depth_cm", path.name, missing=_MISSING)
    all_thawed = numbers(table, "pf_observed", path.name) == 0.0
    site = stripped(table, "site")
    deepest = value.where(all_thawed).groupby(site).transform("max")
    frame = pd.DataFrame(
        {
            "row": table.index,
            "original_id": site,
            "variable": "active_layer_thickness",
            "value": value,
            "limit": all_thawed.map({True: "above", False: "exact"}),
            "observation_limit": deepest / 100.0,
            "year": numbers(table, "year", path.name),
            "remark": "depth of the deepest thawed sensor",
        }
    )
    given = {
        name: column
        for name, column in (("latitude", _LATITUDE), ("longitude", _LONGITUDE))
        if column in table
    }
    frame = frame.assign(**{name: numbers(table, column, path.name) for name, column in given.items()})
    beside = Path(locations_path) if locations_path else path.with_name(LOCATIONS_FILE)
    places = _places(beside) if locations_path or beside.is_file() else {}
    return observations(_with_places(frame, places), PROVENANCE, path, method="from daily temperatures")


def _places(path: Path) -> dict[str, tuple[float, float]]:
    """Return latitude and longitude by every name that a site has.

    A site appears under two names, such as "QT09 (XDT)"; sheets of three deep boreholes add "AL", for
    active layer, to the name in the list (ZNHAL is ZNH).
    """
    table = delimited(path)
    require(table, ["Site Name", _LATITUDE, _LONGITUDE], path.name)
    latitude, longitude = (numbers(table, column, path.name) for column in (_LATITUDE, _LONGITUDE))
    places: dict[str, tuple[float, float]] = {}
    for text, north, east in zip(stripped(table, "Site Name"), latitude, longitude, strict=True):
        for name in re.findall(r"[^\s()]+", text):
            places[name] = places[f"{name}AL"] = (north, east)
    return places


def _with_places(frame: pd.DataFrame, places: dict[str, tuple[float, float]]) -> pd.DataFrame:
    unknown = (np.nan, np.nan)
    known = frame["original_id"].map(lambda name: places.get(name, unknown))
    listed = {"latitude": known.map(lambda pair: pair[0]), "longitude": known.map(lambda pair: pair[1])}
    own = {name: frame[name].fillna(column) if name in frame else column for name, column in listed.items()}
    return frame.assign(name=frame["original_id"], **own)
