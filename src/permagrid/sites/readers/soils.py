"""Readers of soil inventories: permafrost found or not found in pits, cores and pedons."""

from pathlib import Path

import geopandas as gpd
import pandas as pd

from permagrid.sites.readers.reader import READERS, Provenance, join_words, observations, one_of
from permagrid.sites.readers.text_files import delimited, numbers, refuse, require, stripped

JORGENSON = Provenance(
    "jorgenson",
    "Alaska Permafrost Soils Inventory 2024",
    "Jorgenson, M. T., Kanevskiy, M. (2025): Alaska Permafrost Soils Inventory and Thermokarst Monitoring "
    "Database, 2024 Update. Arctic Data Center, doi:10.18739/A27P8TG0G",
    "CC0",
)
NCSS = Provenance(
    "ncss",
    "USDA-NRCS NCSS Lab Data Mart",
    "National Cooperative Soil Survey, USDA-NRCS: Soil Characterization Database (Lab Data Mart), pedons "
    "with and without frozen horizons",
    "public domain",
)

# The inventory writes "no data" as 99, 999 or 9999, by column: 99 cm is a real depth, 999 and 9999 are not.
_MISSING = {
    "SoilThawDep_cm": (999.0, 9999.0),
    "SoilObsDep_cm": (999.0, 9999.0),
    "ElevEllip_m": (999.0, 9999.0),
    "ElevOrtho_m": (999.0, 9999.0),
    "LatWGS84": (99.0, 999.0, 9999.0),
    "LonWGS84": (999.0, 9999.0),
    "Year": (99.0, 999.0, 9999.0),
}
_VARIABLES = ("permafrost_presence", "active_layer_thickness", "thaw_depth")
_FIRST_LATE_MONTH = 8


@READERS.register
def jorgenson_plots(path: Path, *, variable: str = "permafrost_presence") -> gpd.GeoDataFrame:
    """Read the plots of the Alaska permafrost soil inventory (``tbl_Site_2024.csv``, latin-1).

    "P" and "A" in ``SoilPFrost``, in either case, mean present and absent; "U" (unknown) is no
    observation. An absence holds only down to the depth that was looked at: ``observation_limit``, where
    it is known (neither 999, 9999 nor 0). Coordinates are taken as they stand: at least one latitude
    holds a longitude, and some longitudes lack their sign; the quality tests flag them.

    Parameters
    ----------
    path
        The table.
    variable
        ``permafrost_presence``, or the thaw depth on the day of the visit as ``thaw_depth`` (all plots)
        or ``active_layer_thickness`` (only plots with permafrost: elsewhere it is seasonal frost that
        was probed). Visits before August, and without a date, are marked ``early_season`` and
        ``unknown_season`` in ``site_flags``.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table; ``site_id`` is ``jorgenson:{SiteID}``, shared by repeated visits, ``original_id`` the
        visit.

    Raises
    ------
    PermagridError
        If the file cannot be read, lacks a column, or holds another letter in ``SoilPFrost``.
    """
    path = Path(path)
    one_of(variable, _VARIABLES, option="variable")
    table = delimited(path, encoding="latin-1")
    texts = ["SiteIDYear", "SiteID", "Date", "SoilPFrost", "SoilMethod", "LocLandmark"]
    require(table, [*texts, *_MISSING], path.name)
    plots = _plots(table, path.name)
    presence = _letters(table, path.name)
    if variable == "permafrost_presence":
        plots = plots.assign(value=presence)
    else:
        thaw = numbers(table, "SoilThawDep_cm", path.name, missing=_MISSING["SoilThawDep_cm"])
        over_permafrost = (presence == 1.0) | (variable == "thaw_depth")
        flags = stripped(table, "Date").map(_season)
        plots = plots.assign(value=thaw.where(over_permafrost), site_flags=flags)
    return observations(plots, JORGENSON, path, variable=variable)


def _plots(table: pd.DataFrame, name: str) -> pd.DataFrame:
    number = {column: numbers(table, column, name, missing=codes) for column, codes in _MISSING.items()}
    # An orthometric height of 0 fills many rows: not surveyed. The ellipsoidal one is some 10 m off.
    surveyed = number["ElevOrtho_m"].where(number["ElevOrtho_m"] != 0.0)
    return pd.DataFrame(
        {
            "original_id": stripped(table, "SiteIDYear"),
            "site_id": JORGENSON.key + ":" + stripped(table, "SiteID"),
            "name": stripped(table, "LocLandmark"),
            "latitude": number["LatWGS84"],
            "longitude": number["LonWGS84"],
            "elevation": surveyed.fillna(number["ElevEllip_m"]),
            "observation_limit": number["SoilObsDep_cm"].where(number["SoilObsDep_cm"] > 0.0) / 100.0,
            "year": number["Year"],
            "method": "soil description, method " + stripped(table, "SoilMethod"),
        }
    )


def _letters(table: pd.DataFrame, name: str) -> pd.Series:
    letter = stripped(table, "SoilPFrost").str.upper()
    strange = ~letter.isin(["P", "A", "U", ""])
    refuse(strange, letter, f"{name}: column 'SoilPFrost'", "is none of P, A, U")
    return letter.map({"P": 1.0, "A": 0.0})


def _season(date: str) -> str:
    """Return the flag of a visit on `date`, written month/day/year."""
    month = date.partition("/")[0]
    if not month.isdigit():
        return "unknown_season"
    return "early_season" if int(month) < _FIRST_LATE_MONTH else ""


@READERS.register
def ncss_pedons(path: Path) -> gpd.GeoDataFrame:
    """Read pedons with and without frozen horizons (``raw_ncss_permafrost_domain_pedons.csv``).

    Absence means none within the described depth, ``observation_limit``. The pedons are worldwide, some
    of them in the southern hemisphere.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``permafrost_presence`` (1 present, 0 absent); ``site_id`` is ``ncss:{pedon_key}``.
        An absence with frozen horizons in its description has the word ``frozen_horizons`` in
        ``site_flags``.

    Raises
    ------
    PermagridError
        If the file cannot be read, lacks a column, or `candidate_type` holds another word.
    """
    path = Path(path)
    table = delimited(path)
    text = ["candidate_type", "pedon_key", "usiteid", "site_obsdate"]
    need = ["lat", "lon", "pf_depth_cm", "obs_limit_cm", "n_frozen_layers"]
    require(table, [*text, *need], path.name)
    number = {name: numbers(table, name, path.name) for name in need}
    kind = stripped(table, "candidate_type")
    value = kind.map({"presence": 1.0, "absence": 0.0})
    where = f"{path.name}: column 'candidate_type'"
    refuse(value.isna() & (kind != ""), kind, where, "is neither presence nor absence")
    contradictory = (value == 0.0) & (number["n_frozen_layers"] > 0.0)
    frozen = number["pf_depth_cm"].map("frozen from {:g} cm".format, na_action="ignore").fillna("")
    layers = contradictory.map({True: "listed as absence, yet frozen horizons are described", False: ""})
    frame = pd.DataFrame(
        {
            "original_id": stripped(table, "pedon_key"),
            "name": stripped(table, "usiteid"),
            "latitude": number["lat"],
            "longitude": number["lon"],
            "variable": "permafrost_presence",
            "value": value,
            # A described depth of 0 cm stands for "not stated".
            "observation_limit": number["obs_limit_cm"].where(number["obs_limit_cm"] > 0.0) / 100.0,
            "year": pd.to_numeric(stripped(table, "site_obsdate").str[:4], errors="coerce"),
            "site_flags": contradictory.map({True: "frozen_horizons", False: ""}),
            "remark": join_words(pd.DataFrame({"frozen": frozen, "layers": layers}), "; "),
        }
    )
    return observations(frame, NCSS, path, method="pedon description")
