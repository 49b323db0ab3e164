"""Readers of the ESA Permafrost_cci in-situ set: ground temperature, active layer, presence."""

from pathlib import Path

import geopandas as gpd
import pandas as pd

from permagrid.sites.readers.calm import site_code
from permagrid.sites.readers.reader import READERS, Provenance, join_words, observations
from permagrid.sites.readers.text_files import delimited, numbers, refuse, require, stripped

_CITATION = (
    "Heim, B., Lisovski, S., Wieczorek, M. et al. (2021): ESA Permafrost_cci Product Validation and "
    "Intercomparison Report (PVIR) D4.1, in-situ data set"
)
_LICENCE = (
    "none stated; compiled from openly published data of RosHydromet, GTN-P, USGS, Nordicana-D, NASA ABoVE"
)
PROVENANCE = Provenance("cci", "ESA Permafrost_cci in situ", _CITATION, _LICENCE)

DEEPEST_BOREHOLE = 150.0
"""A stated borehole depth beyond this [m] is a typing error: one site of the table says 334.8 m."""

SAME_PLACE = 0.1
"""Flags are taken from a site of the same number no farther off than this [degree] in each coordinate."""

_FLAG_COLUMNS = {
    "Infrastructure": "infrastructure",
    "Urban": "urban",
    "Water": "water",
    "Coast": "coast",
    "Mountain": "mountain",
    "low.coord.quality": "low_coordinate_quality",
    "landscape.mismatch": "landscape_mismatch",
    "high.bias": "high_bias",
}


@READERS.register
def cci_temperature(
    path: Path,
    *,
    min_depth: float | None = None,
    max_depth: float | None = None,
    flags_path: str | Path | None = None,
) -> gpd.GeoDataFrame:
    """Read annual means of ground temperature at discrete depths (``MAGT_inSitu_v3_2020.csv``).

    Separated by semicolons, with decimal commas, in latin-1. The borehole depth is the
    ``observation_limit``. Temperatures are not those at the depth of zero annual amplitude.

    Parameters
    ----------
    path
        The table.
    min_depth, max_depth
        Read only sensors from and to these depths [m], inclusive.
    flags_path
        Version 2 of the table (``v2Dat_matchup.csv.gz``) with elevation and flags: "Y" becomes a word
        such as ``water`` in ``site_flags``, "P" ``possible_water``.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``ground_temperature`` [degC]; ``site_id`` is ``cci:{cci_ID}``.

    Raises
    ------
    PermagridError
        If a file cannot be read or lacks a column, or no row lies between the depths.
    """
    path = Path(path)
    table = delimited(path, delimiter=";", encoding="latin-1")
    needed = ["cci_ID", "Name", "Source", "Year", "maxDepth", "Depth", "Temp", "Latitude", "Longitude"]
    require(table, needed, path.name)
    number = {name: numbers(table, name, path.name, decimal=",") for name in needed[3:]}
    limit = number["maxDepth"] / 100.0
    mistyped = limit > DEEPEST_BOREHOLE
    frame = pd.DataFrame(
        {
            "original_id": stripped(table, "cci_ID"),
            # The letters "NA" were lost from names when the table was made ("ryan-Mar" for Naryan-Mar):
            # the number identifies a site, the name only describes it.
            "name": stripped(table, "Name"),
            "latitude": number["Latitude"],
            "longitude": number["Longitude"],
            "variable": "ground_temperature",
            "value": number["Temp"],
            "depth": number["Depth"] / 100.0,
            "observation_limit": limit.mask(mistyped),
            "year": number["Year"],
            "source": PROVENANCE.source + ": " + stripped(table, "Source"),
            "remark": mistyped.map({True: "borehole depth mistyped in the source", False: ""}),
        }
    )
    frame = _between(frame, min_depth, max_depth)
    if flags_path is not None:
        frame = _with_flags(frame, Path(flags_path))
    return observations(frame, PROVENANCE, path)


def _between(frame: pd.DataFrame, min_depth: float | None, max_depth: float | None) -> pd.DataFrame:
    if min_depth is not None:
        frame = frame[frame["depth"] >= min_depth]
    return frame if max_depth is None else frame[frame["depth"] <= max_depth]


def _with_flags(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Join the flags of version 2 by site number: names and some coordinates were changed since."""
    table = delimited(path)
    require(table, ["cci_ID", "Latitude", "Longitude", "ETOPO..m.", *_FLAG_COLUMNS], path.name)
    first = table[~stripped(table, "cci_ID").duplicated()]
    words = pd.DataFrame(
        {
            word: stripped(first, column).map({"Y": word, "P": f"possible_{word}"}).fillna("")
            for column, word in _FLAG_COLUMNS.items()
        }
    )
    flags = pd.DataFrame(
        {
            "original_id": stripped(first, "cci_ID"),
            "flags_latitude": numbers(first, "Latitude", path.name),
            "flags_longitude": numbers(first, "Longitude", path.name),
            "elevation": numbers(first, "ETOPO..m.", path.name),
            "site_flags": join_words(words, ","),
        }
    )
    joined = frame.merge(flags, on="original_id", how="left").set_axis(frame.index)
    # A number that was given anew to another site must not carry its flags over.
    same = (joined["latitude"] - joined["flags_latitude"]).abs().le(SAME_PLACE) & (
        joined["longitude"] - joined["flags_longitude"]
    ).abs().le(SAME_PLACE)
    return joined.drop(columns=["flags_latitude", "flags_longitude"]).assign(
        elevation=joined["elevation"].where(same), site_flags=joined["site_flags"].where(same, "")
    )


@READERS.register
def cci_active_layer(path: Path) -> gpd.GeoDataFrame:
    """Read annual active-layer thickness (``ALT_inSitu_v3_2020.csv``).

    The file is separated by semicolons, has decimal commas, non-breaking blanks in names and empty
    columns at its end, and is in latin-1. Twenty rows have no coordinates; they are kept.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``active_layer_thickness`` [cm]; ``site_id`` is ``calm:{CALM code}``, as in the
        other editions of the CALM data.

    Raises
    ------
    PermagridError
        If the file cannot be read or lacks a column.
    """
    path = Path(path)
    table = delimited(path, delimiter=";", encoding="latin-1")
    require(table, ["Source", "Code", "Name", "Method", "year", "Depth", "Latitude", "Longitude"], path.name)
    name = stripped(table, "Name").str.replace(r"\s+", " ", regex=True)
    code = stripped(table, "Code").map(site_code)
    # "56 Mile" bears U31, the code of Marsh Creek; in all other editions it is U56.
    code = code.mask((code == "U31") & (name == "56 Mile"), "U56")
    # Six rows (Janssonhaugen) have neither code nor source.
    original = code.where(code != "", name)
    # A sheet was filled to the right in one row: the values of other years stand in unnamed columns.
    spilled = [column for column in table.columns if str(column).startswith("unnamed ")]
    beside = join_words(table[spilled].map(str.strip), " ")
    frame = pd.DataFrame(
        {
            "original_id": original,
            "site_id": "calm:" + original,
            # Names of one code may count up ("ZEROCALM 2, 3, 4 ..."), an accident of dragging cells.
            "name": name,
            "latitude": numbers(table, "Latitude", path.name, decimal=","),
            "longitude": numbers(table, "Longitude", path.name, decimal=","),
            "variable": "active_layer_thickness",
            "value": numbers(table, "Depth", path.name, decimal=","),
            "year": numbers(table, "year", path.name),
            "method": stripped(table, "Method"),
            "remark": beside.map(lambda text: f"unnamed columns hold {text}" if text else ""),
        }
    )
    return observations(frame, PROVENANCE, path, source=f"{PROVENANCE.source}: CALM")


@READERS.register
def cci_presence(path: Path) -> gpd.GeoDataFrame:
    """Read permafrost presence by place and year (``inSitu_pe.csv``).

    The rule of the set: present if any annual mean above 2.4 m depth is at most 0.5 degC (so up to half
    a degree too warm), or any active layer is thinner than 300 cm. After 2015 the warm stations end, and
    almost only "present" remains.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``permafrost_presence`` (1 present, 0 absent). Names are not unique, so a site is
        a pair of coordinates: ``cci_presence:{latitude},{longitude}``.

    Raises
    ------
    PermagridError
        If the file cannot be read, lacks a column, or `pe` holds other words than True and False.
    """
    path = Path(path)
    table = delimited(path)
    require(table, ["Name", "Year", "pe", "type", "Longitude", "Latitude"], path.name)
    word = stripped(table, "pe").str.lower()
    value = word.map({"true": 1.0, "false": 0.0})
    refuse(value.isna() & (word != ""), word, f"{path.name}: column 'pe'", "is neither True nor False")
    rules = {
        "MAGT": "any annual mean above 2.4 m at most 0.5 degC",
        "ALT": "active layer thinner than 300 cm",
    }
    kind = stripped(table, "type")
    frame = pd.DataFrame(
        {
            "original_id": stripped(table, "Name"),
            "site_id": "cci_presence:" + stripped(table, "Latitude") + "," + stripped(table, "Longitude"),
            "name": stripped(table, "Name"),
            "latitude": numbers(table, "Latitude", path.name),
            "longitude": numbers(table, "Longitude", path.name),
            "variable": "permafrost_presence",
            "value": value,
            "year": numbers(table, "Year", path.name),
            "method": kind.map(rules).fillna(kind),
        }
    )
    return observations(frame, PROVENANCE, path, source=f"{PROVENANCE.source}: presence")
