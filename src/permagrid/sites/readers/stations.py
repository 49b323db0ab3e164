"""Readers of air temperature at weather stations: GHCN-Monthly version 3 and gridded normals."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from permagrid.sites.readers.reader import READERS, Provenance, observations
from permagrid.sites.readers.text_files import delimited, numbers, read_text, refuse, require, stripped

GHCN = Provenance(
    "ghcn",
    "GHCN-Monthly version 3",
    "Lawrimore, J. H., Menne, M. J., Gleason, B. E. et al. (2011): An overview of the Global Historical "
    "Climatology Network monthly mean temperature data set, version 3. JGR Atmospheres 116, D19121, "
    "doi:10.1029/2011JD016187",
    "public domain (NOAA)",
)
NORMALS = Provenance(
    "gsod",
    "CRU CL 2.0 at NOAA ISD/GSOD stations",
    "New, M., Lister, D., Hulme, M., Makin, I. (2002): A high-resolution data set of surface climate over "
    "global land areas. Climate Research 21, 1-25, doi:10.3354/cr021001; station inventory: NOAA ISD/GSOD",
    "MIT (GSODR.data); NOAA data public domain",
)

_GHCN_LINE = 115
_MONTHS = 12
_CRU = "CRU_CL_2_0_tmp_{:02d}"


@READERS.register
def ghcn_monthly_v3(path: Path, *, inventory_path: str | Path | None = None) -> gpd.GeoDataFrame:
    """Read monthly means (``.dat``) as annual means of years with twelve good months.

    Values are hundredths of a degree, -9999 missing, each with three flags: measurement, quality,
    source. A month with a quality flag is not used.

    Parameters
    ----------
    path
        The file of values, in fixed width.
    inventory_path
        The stations; by default the file of the same name that ends in ``.inv``.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``air_temperature`` [degC]; ``site_id`` is ``ghcn:{station}``.

    Raises
    ------
    PermagridError
        If a file cannot be read, or a line is not in the format.
    """
    path = Path(path)
    lines = pd.Series(read_text(path, encoding="latin-1").splitlines(), dtype="object")
    lines.index = lines.index + 1
    lines = lines[lines.str.strip() != ""]
    refuse(lines.str.len() != _GHCN_LINE, lines.str[:30], path.name, f"begins a line not {_GHCN_LINE} long")
    lines = lines[lines.str[15:19] == "TAVG"]
    fields = {"original_id": lines.str[:11], "year": lines.str[11:15]}
    for month in range(_MONTHS):
        start = 19 + 8 * month
        fields[f"month {month + 1}"] = lines.str[start : start + 5]
        fields[f"quality {month + 1}"] = lines.str[start + 6]
    table = pd.DataFrame(fields)
    months = [numbers(table, f"month {m}", path.name, missing=[-9999.0]) for m in range(1, _MONTHS + 1)]
    good = [month.where(table[f"quality {m}"] == " ") for m, month in enumerate(months, start=1)]
    frame = pd.DataFrame(
        {
            "original_id": table["original_id"],
            "year": numbers(table, "year", path.name),
            # skipna=False: a mean of fewer than twelve months is no annual mean.
            "value": pd.concat(good, axis=1).mean(axis=1, skipna=False) / 100.0,
        }
    )
    inventory = Path(inventory_path) if inventory_path else path.with_suffix(".inv")
    frame = frame.assign(row=frame.index).merge(_ghcn_stations(inventory), on="original_id", how="left")
    return observations(
        frame,
        GHCN,
        path,
        variable="air_temperature",
        n_observations=_MONTHS,
        method="mean of 12 monthly means",
    )


def _ghcn_stations(path: Path) -> pd.DataFrame:
    lines = pd.Series(read_text(path, encoding="latin-1").splitlines(), dtype="object")
    lines.index = lines.index + 1
    lines = lines[lines.str.strip() != ""]
    columns = {"original_id": (0, 11), "latitude": (12, 20), "longitude": (21, 30), "elevation": (31, 37)}
    table = pd.DataFrame({name: lines.str[start:end] for name, (start, end) in columns.items()})
    number = {name: numbers(table, name, path.name, missing=[-999.0]) for name in list(columns)[1:]}
    return pd.DataFrame({"original_id": table["original_id"], "name": lines.str[38:68].str.strip(), **number})


@READERS.register
def gsod_normals(path: Path) -> gpd.GeoDataFrame:
    """Read the annual mean of gridded monthly normals at stations (``stations_north25.csv.gz``).

    The values are CRU CL 2.0 (1961-1990, 10 arc-minutes) at the place of the station, not means of its
    own readings; the remark says so. The join repeats some lines exactly; they are kept.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``air_temperature`` [degC] without a year; ``site_id`` is ``gsod:{STNID}``.

    Raises
    ------
    PermagridError
        If the file cannot be read or lacks a column.
    """
    path = Path(path)
    table = delimited(path)
    months = [_CRU.format(month) for month in range(1, _MONTHS + 1)]
    require(table, ["STNID", "NAME", "LAT", "LON", "ELEV(M)", *months], path.name)
    normals = np.column_stack([numbers(table, month, path.name) for month in months])
    frame = pd.DataFrame(
        {
            "original_id": stripped(table, "STNID"),
            "name": stripped(table, "NAME"),
            "latitude": numbers(table, "LAT", path.name),
            "longitude": numbers(table, "LON", path.name),
            "elevation": numbers(table, "ELEV(M)", path.name),
            "value": normals.mean(axis=1),
        },
        index=table.index,
    )
    return observations(
        frame,
        NORMALS,
        path,
        variable="air_temperature",
        n_observations=_MONTHS,
        method="mean of 12 monthly normals",
        remark="gridded normals sampled at stations (CRU CL 2.0, 1961-1990)",
    )


def station_places(path: Path) -> pd.DataFrame:
    """Return latitude, longitude and elevation of stations by WMO number (five digits).

    Parameters
    ----------
    path
        A table like NOAA's station inventory: ``STNID``, ``LAT``, ``LON``, ``ELEV(M)``. ``STNID`` is the
        WMO number with a zero behind it and a dash, as in ``249590-99999``.

    Raises
    ------
    PermagridError
        If the file cannot be read or lacks a column.
    """
    table = delimited(path)
    require(table, ["STNID", "NAME", "LAT", "LON", "ELEV(M)"], path.name)
    places = pd.DataFrame(
        {
            "original_id": stripped(table, "STNID").str[:5],
            "name": stripped(table, "NAME"),
            "latitude": numbers(table, "LAT", path.name),
            "longitude": numbers(table, "LON", path.name),
            "elevation": numbers(table, "ELEV(M)", path.name),
        }
    )
    # Only numbers that end in 0 before the dash are WMO stations; others are counted differently.
    return places[stripped(table, "STNID").str[5:7] == "0-"].drop_duplicates("original_id")
