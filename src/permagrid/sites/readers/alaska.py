"""Reader of the synthesis of near-surface permafrost conditions in Alaska (Wang et al. 2018)."""

from pathlib import Path

import geopandas as gpd
import pandas as pd

from permagrid.sites.readers.annual import annual_means
from permagrid.sites.readers.reader import READERS, Provenance, observations, one_of
from permagrid.sites.readers.text_files import delimited, numbers, require, stripped

PROVENANCE = Provenance(
    "wang_alaska",
    "Wang et al. 2018, Alaska",
    "Wang, K., Jafarov, E., Overeem, I. et al. (2018): A synthesis dataset of permafrost-affected soil "
    "thermal conditions for Alaska, USA. Earth System Science Data 10, 2311-2328; doi:10.18739/A2KG55",
    "CC0",
)

_MISSING = (-999.99,)
_SENSORS: dict[str, dict[str, float | None]] = {
    "ground_temperature": {"Ts25cm": 0.25, "Ts50cm": 0.5, "Ts75cm": 0.75, "Ts100cm": 1.0},
    "air_temperature": {"Tair": None},
}


@READERS.register
def wang_alaska(path: Path, *, variable: str = "ground_temperature") -> gpd.GeoDataFrame:
    """Read monthly means (``PF_AK_v0.1.csv``) as annual means of years with all twelve months.

    The file writes -999.99 for "no value". Its soil water (below 0, up to 2.1) is not read.

    Parameters
    ----------
    path
        The table.
    variable
        ``ground_temperature`` (at 0.25, 0.5, 0.75 and 1.0 m) or ``air_temperature``.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table [degC]; ``site_id`` is ``wang_alaska:{Code}``.

    Raises
    ------
    PermagridError
        If the file cannot be read, lacks a column, or `variable` is another.
    """
    path = Path(path)
    one_of(variable, tuple(_SENSORS), option="variable")
    sensors = _SENSORS[variable]
    table = delimited(path)
    require(table, ["Name", "Code", "Lat", "Lon", "Year", "Month", *sensors], path.name)
    readings = pd.DataFrame(
        {
            "original_id": stripped(table, "Code"),
            "name": stripped(table, "Name"),
            "latitude": numbers(table, "Lat", path.name, missing=_MISSING),
            "longitude": numbers(table, "Lon", path.name, missing=_MISSING),
            "year": numbers(table, "Year", path.name),
            **{name: numbers(table, name, path.name, missing=_MISSING) for name in sensors},
        }
    )
    places = readings.drop_duplicates("original_id")[["original_id", "name", "latitude", "longitude"]]
    monthly = readings[["original_id", "year", *sensors]]
    annual = annual_means(monthly, ["original_id", "year"], minimum=12).merge(places, on="original_id")
    annual = annual.assign(depth=annual["sensor"].map(sensors), variable=variable)
    return observations(annual, PROVENANCE, path, method="mean of 12 monthly means")
