"""Readers of the Swiss permafrost boreholes (PERMOS): active layer and daily temperatures."""

import io
import re
import zipfile
import zlib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from pyproj import Transformer

from permagrid.errors import PermagridError
from permagrid.sites.readers.annual import annual_means
from permagrid.sites.readers.calm import season_and_disturbance
from permagrid.sites.readers.reader import READERS, Provenance, join_words, observations
from permagrid.sites.readers.text_files import (
    decode,
    delimited,
    numbers,
    parse_delimited,
    read_bytes,
    refuse,
    require,
    stripped,
)

PROVENANCE = Provenance(
    "permos",
    "PERMOS Database release 2024",
    "PERMOS (2024): PERMOS Database. Swiss Permafrost Monitoring Network, Davos and Fribourg, Switzerland. "
    "doi:10.13093/permos-2024-01",
    "free use with citation (PERMOS Data Policy)",
)

_BOUND = re.compile(r"\balt\s*(?P<sign>[<>])\s*(?P<metres>\d+(?:\.\d+)?)\s*m\b", re.IGNORECASE)
_SWISS_NORTHINGS = (60_000.0, 310_000.0)


@READERS.register
def permos_active_layer(path: Path, *, boreholes_path: str | Path | None = None) -> gpd.GeoDataFrame:
    """Read annual active-layer thickness (``alt_*.csv``), which the file gives in metres.

    Some years have no value but a remark such as "ALT < 1m" or "ALT>13 m": the bound becomes the value,
    with limit ``below`` or ``above``. A talik has no active layer and so no value.

    Parameters
    ----------
    path
        The table.
    boreholes_path
        The boreholes; by default ``borehole_*.csv`` beside the table.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``active_layer_thickness`` [cm]; ``site_id`` is ``permos:{borehole}``.

    Raises
    ------
    PermagridError
        If a file cannot be read or lacks a column, or there is no table of boreholes.
    """
    path = Path(path)
    table = delimited(path)
    columns = ["borehole_id", "year", "alt", "guess", "upper_therm", "lower_therm", "comment"]
    require(table, columns, path.name)
    beside = Path(boreholes_path) if boreholes_path else _boreholes_beside(path)
    if beside is None:
        raise PermagridError(f"{path.name}: no borehole_*.csv beside it; set boreholes_path")
    comment = stripped(table, "comment")
    bound = comment.str.extract(_BOUND)
    metres = numbers(table, "alt", path.name).fillna(pd.to_numeric(bound["metres"]))
    guess = stripped(table, "guess").eq("true").map({True: "guess", False: ""})
    frame = pd.DataFrame(
        {
            "row": table.index,
            "id": stripped(table, "borehole_id"),
            "variable": "active_layer_thickness",
            "value": metres * 100.0,
            "limit": bound["sign"].map({"<": "below", ">": "above"}).fillna("exact"),
            "year": numbers(table, "year", path.name),
            "method": "interpolated between thermistors at "
            + stripped(table, "upper_therm")
            + " and "
            + stripped(table, "lower_therm")
            + " m",
            "site_flags": comment.map(season_and_disturbance),
            "remark": join_words(pd.DataFrame({"guess": guess, "comment": comment}), "; "),
        }
    )
    boreholes = _boreholes(delimited(beside), beside.name)
    return observations(frame.merge(boreholes, on="id", how="left"), PROVENANCE, path)


@READERS.register
def permos_temperature(
    path: Path, *, min_days: int = 350, boreholes_path: str | Path | None = None
) -> gpd.GeoDataFrame:
    """Read daily ground temperatures (``borehole_daily_series.zip``) as annual means.

    Each member ``NAME.csv`` holds one borehole, a column for each thermistor depth [m], gaps blank. In
    an inclined borehole (0 is vertical) the depth is measured along it; the remark says so.

    Parameters
    ----------
    path
        The zip file.
    min_days
        Fewest days for an annual mean.
    boreholes_path
        The boreholes; by default ``borehole_*.csv`` beside the zip file, else ``meta.csv`` in it.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``ground_temperature`` [degC]; ``site_id`` is ``permos:{borehole}``.

    Raises
    ------
    PermagridError
        If a file cannot be read, or a column is no depth.
    """
    path = Path(path)
    members = _members(path)
    meta = parse_delimited(
        decode(members.pop("meta.csv"), "meta.csv", encoding="utf-8-sig"), "meta.csv", delimiter=";"
    )
    boreholes = _boreholes_of_meta(meta)
    beside = Path(boreholes_path) if boreholes_path else _boreholes_beside(path)
    if beside is not None:
        newer = _boreholes(delimited(beside), beside.name).drop(columns="id")
        known = boreholes["original_id"].isin(newer["original_id"])
        boreholes = pd.concat([newer, boreholes[~known]], ignore_index=True)
    means = [
        _annual(content, f"{path.name}, {name}", min_days).assign(member=name)
        for name, content in members.items()
    ]
    annual = pd.concat(means, ignore_index=True)
    annual = annual.assign(
        original_id=annual["member"].str.removesuffix(".csv").map(_borehole_name),
        variable="ground_temperature",
        depth=annual["sensor"].astype(float),
    )
    frame = annual.merge(boreholes, on="original_id", how="left")
    inclined = frame["inclination"].map(
        lambda angle: f"inclined by {angle:g} degrees; depth along the borehole"
    )
    return observations(
        frame.assign(remark=inclined.where(frame["inclination"] > 0.0, "")),
        PROVENANCE,
        path,
        method="mean of daily means",
    )


def _members(path: Path) -> dict[str, bytes]:
    read_bytes(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {
                Path(name).name: archive.read(name) for name in archive.namelist() if name.endswith(".csv")
            }
    # An encrypted member is a RuntimeError.
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError) as error:
        raise PermagridError(f"{path.name}: not a readable zip file ({error})") from error
    if "meta.csv" not in members:
        raise PermagridError(f"{path.name}: no meta.csv in it; found: {', '.join(members) or 'nothing'}")
    return dict(sorted(members.items()))


def _annual(content: bytes, name: str, min_days: int) -> pd.DataFrame:
    """Return annual means of one borehole; numbers are parsed at once, as the series are long."""
    try:
        daily = pd.read_csv(io.BytesIO(content))
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise PermagridError(f"{name}: cannot be read ({error})") from error
    require(daily, ["Time"], name)
    strange = [str(column) for column in daily.columns if column != "Time" and not _is_depth(str(column))]
    if strange:
        raise PermagridError(f"{name}: column {strange[0]!r} is no thermistor depth [m]")
    daily.index = pd.RangeIndex(2, len(daily) + 2)
    for column in daily.columns.drop("Time"):
        read = pd.to_numeric(daily[column], errors="coerce")
        refuse(
            read.isna() & daily[column].notna(),
            daily[column],
            f"{name}: column {column!r}",
            "is not a number",
        )
    time = daily["Time"].astype(str)
    year = pd.to_numeric(time.str[:4], errors="coerce")
    refuse(year.isna(), time, f"{name}: column 'Time'", "does not begin with a year")
    daily = daily.assign(year=year)
    return annual_means(daily.drop(columns="Time"), ["year"], minimum=min_days)


def _is_depth(column: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", column) is not None


def _borehole_name(name: str) -> str:
    # Muot da Barba Peider is MB_ in the daily series and MBP_ in the database.
    return re.sub(r"^MB_", "MBP_", name)


def _boreholes_beside(path: Path) -> Path | None:
    return next(iter(sorted(path.parent.glob("borehole_*.csv"))), None)


def _boreholes(table: pd.DataFrame, name: str) -> pd.DataFrame:
    require(table, ["id", "name", "e", "n", "h", "depth", "inc"], name)
    number = {column: numbers(table, column, name) for column in ("e", "n", "h", "depth", "inc")}
    return _placed(stripped(table, "name"), **number).assign(id=stripped(table, "id"))


def _boreholes_of_meta(meta: pd.DataFrame) -> pd.DataFrame:
    names = {"cooE": "e", "cooN": "n", "cooU": "h", "depth": "depth", "inclination": "inc"}
    require(meta, ["name", *names], "meta.csv")
    number = {to: numbers(meta, column, "meta.csv") for column, to in names.items()}
    # One northing has a digit too many; half a place is worse than none.
    number["n"] = number["n"].where(number["n"].between(*_SWISS_NORTHINGS))
    return _placed(stripped(meta, "name").map(_borehole_name), **number)


def _placed(
    name: pd.Series, *, e: pd.Series, n: pd.Series, h: pd.Series, depth: pd.Series, inc: pd.Series
) -> pd.DataFrame:
    """Return boreholes with coordinates from LV03: one stated longitude (MUR_0499) is another borehole's."""
    to_degrees = Transformer.from_crs("EPSG:21781", "EPSG:4326", always_xy=True)
    known = (e.notna() & n.notna()).to_numpy()
    longitude, latitude = np.full(len(e), np.nan), np.full(len(e), np.nan)
    longitude[known], latitude[known] = to_degrees.transform(e.to_numpy()[known], n.to_numpy()[known])
    return pd.DataFrame(
        {
            "original_id": name,
            "name": name,
            "latitude": latitude,
            "longitude": longitude,
            "elevation": h,
            "observation_limit": depth,
            "inclination": inc.fillna(0.0),
        }
    )
