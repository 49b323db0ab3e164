"""Readers of daily data of RIHMI-WDC (RosHydromet): soil and air temperature at Siberian stations."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.sites.readers.annual import annual_means
from permagrid.sites.readers.reader import READERS, Provenance, observations, one_of
from permagrid.sites.readers.stations import station_places
from permagrid.sites.readers.text_files import decode, read_member

PROVENANCE = Provenance(
    "rihmi",
    "RIHMI-WDC (RosHydromet)",
    "All-Russian Research Institute of Hydrometeorological Information - World Data Centre (RIHMI-WDC), "
    "daily data of meteorological stations, aisori.meteo.ru",
    "free for research with citation of RIHMI-WDC",
)

STATIONS: dict[str, tuple[str, float, float, float]] = {
    "24266": ("Verkhoyansk", 67.567, 133.4, 138.0),
    "24343": ("Zhigansk", 66.767, 123.4, 92.0),
    "24688": ("Oymyakon", 63.25, 143.15, 741.0),
    "24944": ("Olekminsk", 60.4, 120.417, 226.0),
    "24959": ("Yakutsk", 62.017, 129.717, 101.0),
    "30230": ("Kirensk", 57.767, 108.067, 258.0),
}
"""WMO number -> name, latitude, longitude [degree], elevation [m], as in WMO's list of stations."""

_SOIL = re.compile(r"Температура\s+на\s+глубине\s+(?P<depth>\d+)\s*см")
_AIR = "Средняя температура воздуха"
_NO_SOIL_VALUE = 999.9

Bytes = NDArray[np.bytes_]


class _Field(NamedTuple):
    """One field of a line: where it stands and what it is."""

    start: int
    end: int
    title: str


@READERS.register
def rihmi_soil(
    path: Path,
    *,
    variable: str = "soil_temperature",
    min_days: int = 350,
    quality: Sequence[int] = (0,),
    stations_path: str | Path | None = None,
) -> gpd.GeoDataFrame:
    """Read daily soil temperature (a zip file as served by aisori.meteo.ru) as annual means.

    The zip holds the data in fixed width (``wr*.txt``) and a list of its fields (``fld*.txt``, Russian,
    cp1251). A quality digit follows every value: 0 good, 9 missing; a missing value reads 999.9.
    Shallow thermometers are out of the ground in winter, so their years are not complete.

    Parameters
    ----------
    path
        The zip file.
    variable
        What to call it: ``soil_temperature`` or ``ground_temperature``.
    min_days
        Fewest days for an annual mean.
    quality
        Quality digits of values that are used.
    stations_path
        Coordinates of stations other than the six known ones, as a table like NOAA's inventory
        (``STNID``, ``NAME``, ``LAT``, ``LON``, ``ELEV(M)``). Stations not found keep no coordinates.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table [degC] with ``depth`` [m]; ``site_id`` is ``rihmi:{WMO number}``.

    Raises
    ------
    PermagridError
        If the file cannot be read, its list of fields has no soil depth, or a line does not fit it.
    """
    path = Path(path)
    one_of(variable, ("soil_temperature", "ground_temperature"), option="variable")
    fields, lines = _fixed_width(path)
    depths = {field.title: found for field in fields if (found := _SOIL.search(field.title))}
    if not depths:
        raise PermagridError(f"{path.name}: its list of fields names no soil depth ({_SOIL.pattern})")
    daily = _daily(path.name, fields, lines, list(depths), quality)
    annual = annual_means(daily.replace(_NO_SOIL_VALUE, np.nan), ["original_id", "year"], minimum=min_days)
    depth = annual["sensor"].map({title: float(found["depth"]) / 100.0 for title, found in depths.items()})
    frame = _with_places(annual.assign(depth=depth), stations_path)
    return observations(frame, PROVENANCE, path, variable=variable, method="mean of daily means")


@READERS.register
def rihmi_air(
    path: Path,
    *,
    min_days: int = 350,
    quality: Sequence[int] = (0,),
    stations_path: str | Path | None = None,
) -> gpd.GeoDataFrame:
    """Read daily mean air temperature (a zip file as served by aisori.meteo.ru) as annual means.

    Parameters
    ----------
    path
        The zip file.
    min_days, quality, stations_path
        As in `rihmi_soil`.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``air_temperature`` [degC]; ``site_id`` is ``rihmi:{WMO number}``.

    Raises
    ------
    PermagridError
        If the file cannot be read, its list of fields has no mean air temperature, or a line does not
        fit it.
    """
    path = Path(path)
    fields, lines = _fixed_width(path)
    if _AIR not in [field.title for field in fields]:
        raise PermagridError(f"{path.name}: its list of fields names no mean air temperature ({_AIR})")
    daily = _daily(path.name, fields, lines, [_AIR], quality)
    annual = annual_means(daily, ["original_id", "year"], minimum=min_days)
    frame = _with_places(annual, stations_path)
    return observations(frame, PROVENANCE, path, variable="air_temperature", method="mean of daily means")


def _fixed_width(path: Path) -> tuple[list[_Field], Bytes]:
    """Return the fields of a line, and the lines as a matrix of single bytes."""
    titles = decode(read_member(path, "fld"), f"{path.name}, field list", encoding="cp1251")
    fields: list[_Field] = []
    for line in titles.splitlines():
        # Number, column, width ("5,1" is five characters, one of them a decimal), title.
        found = re.match(r"\s*\d+\s+\S+\s+(?P<width>\d+)(?:,\d+)?\s+(?P<title>.*\S)", line)
        if found:
            start = fields[-1].end + 1 if fields else 0
            fields.append(_Field(start, start + int(found["width"]), found["title"]))
    if not fields:
        raise PermagridError(f"{path.name}: its list of fields is empty")
    content = read_member(path, "wr").replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
    length = fields[-1].end
    for number, row in enumerate(content.splitlines(), start=1):
        if len(row) != length:
            raise PermagridError(
                f"{path.name}: line {number} has {len(row)} characters, its list of fields {length}"
            )
    return fields, np.frombuffer(content, dtype="S1").reshape(-1, length + 1)


def _daily(
    name: str, fields: list[_Field], lines: Bytes, titles: list[str], quality: Sequence[int]
) -> pd.DataFrame:
    """Return station, year and the good values of the fields called `titles`; the index is the line."""
    good = [str(digit).encode() for digit in quality]
    columns: dict[str, object] = {
        "original_id": pd.Series(_text(lines, fields[0]), dtype="object").map(
            lambda code: code.decode().strip()
        ),
        "year": _values(name, lines, fields[1]).astype(int),
    }
    for place, field in enumerate(fields):
        if field.title in titles:
            trusted = np.isin(_text(lines, fields[place + 1]), good)
            columns[field.title] = np.where(trusted, _values(name, lines, field), np.nan)
    return pd.DataFrame(columns).set_axis(np.arange(1, len(lines) + 1))


def _text(lines: Bytes, field: _Field) -> Bytes:
    width = field.end - field.start
    return np.ascontiguousarray(lines[:, field.start : field.end]).view(f"S{width}").ravel()


def _values(name: str, lines: Bytes, field: _Field) -> NDArray[np.float64]:
    text = _text(lines, field)
    blank = np.char.strip(text) == b""
    try:
        return np.where(blank, b"nan", text).astype(np.float64)
    except ValueError as error:
        raise PermagridError(f"{name}: field {field.title!r} holds what is not a number ({error})") from error


def _with_places(annual: pd.DataFrame, stations_path: str | Path | None) -> pd.DataFrame:
    columns = ["name", "latitude", "longitude", "elevation"]
    known = (
        pd.DataFrame.from_dict(STATIONS, orient="index", columns=columns)
        .rename_axis("original_id")
        .reset_index()
    )
    if stations_path is not None:
        given = station_places(Path(stations_path))
        known = pd.concat([given, known[~known["original_id"].isin(given["original_id"])]], ignore_index=True)
    return annual.merge(known, on="original_id", how="left")
