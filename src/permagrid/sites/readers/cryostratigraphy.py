"""Readers of ice in drill cores: excess ice of samples, and visible ice of the layers of a log."""

from pathlib import Path

import geopandas as gpd
import pandas as pd

from permagrid.errors import PermagridError
from permagrid.sites.readers.reader import READERS, Provenance, join_words, observations
from permagrid.sites.readers.text_files import BLANKS, delimited, numbers, refuse, require, stripped

CASTAGNER = Provenance(
    "castagner",
    "Excess ice, Tuktoyaktuk Coastlands and Anderson Plain",
    "Castagner, A., Brenning, A., Gruber, S., Kokelj, S. V. (2022): Vertical distribution of excess ice in "
    "icy sediments and its statistical estimation from geotechnical data (Tuktoyaktuk Coastlands and "
    "Anderson Plain, Northwest Territories). Arctic Science",
    "CC-BY-4.0",
)

VISIBLE_ICE = ("No visible ice", "Low", "Medium to high", "High")
"""Classes of visible ice in the order of their codes 0, 1, 2, 3: none, up to 15 %, up to 74 %, more."""

_SAMPLES = {
    "depth_top": "From (m)",
    "depth_bottom": "To (m)",
    "visible_ice": "VI num 1",
    "material": "Material.simplified",
    "visible_ice_class": "Visible ice 1",
    "holocene_deposit": "Holocene deposit",
    "deposit": "Deposit.type",
}
_LAYERS = {
    "depth_top": "Top.depth",
    "depth_bottom": "Bottom.depth",
    "organic_cover": "Organic.cover..m.",
    "material": "Material.simplified",
    "ruggedness": "VRM",
    "relief": "Slope",
    "surficial_deposit": "Surficial.materials..Rampton.1987.map.",
    "holocene_deposit": "Holocene.deposits",
    "deposit": "Deposit.type",
}
_NUMBERS = ("depth_top", "depth_bottom", "visible_ice", "organic_cover")


@READERS.register
def castagner_excess_ice(path: Path) -> gpd.GeoDataFrame:
    """Read the excess ice of core samples (``SentinelBHdata.csv``); most of them have none.

    Nothing has coordinates: the samples are for studies without grid, whose covariates are the columns
    beside those of the site table: ``depth_top`` and ``depth_bottom`` [m], ``visible_ice`` as the logger
    saw it [%], and the texts ``material``, ``visible_ice_class``, ``holocene_deposit`` and ``deposit``.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``excess_ice_content`` [%]; a site is a borehole, ``depth`` the middle of the sample
        [m].

    Raises
    ------
    PermagridError
        If the file cannot be read or lacks a column, or a share of ice is outside 0 to 1.
    """
    path = Path(path)
    table = delimited(path)
    require(table, ["Site ID", "SampleID", "EI", *_SAMPLES.values()], path.name)
    share = numbers(table, "EI", path.name)
    refuse((share < 0) | (share > 1), table["EI"], f"{path.name}: column 'EI'", "is no share of 0 to 1")
    rows = {"original_id": stripped(table, "SampleID"), "site_id": stripped(table, "Site ID")}
    frame = pd.DataFrame({**rows, "value": 100.0 * share, "method": "core sample, excess ice"})
    return _with_columns(frame, table, path, _SAMPLES, "excess_ice_content")


@READERS.register
def castagner_visible_ice(path: Path) -> gpd.GeoDataFrame:
    """Read classes of visible ice of frozen layers (``CryostratigraphyBHdata.csv``).

    Classes are 0 no visible ice, 1 low (up to 15 %), 2 medium to high (up to 74 %) and 3 high. As with
    `castagner_excess_ice` nothing has coordinates. Covariates are ``depth_top`` and ``depth_bottom`` [m],
    ``organic_cover`` [m], and the texts ``material``, ``ruggedness``, ``relief``, ``surficial_deposit``,
    ``holocene_deposit`` and ``deposit``; where no Holocene deposit is stated, it is ``None``.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``visible_ice_class``; a site is a borehole, ``depth`` the middle of the layer [m].

    Raises
    ------
    PermagridError
        If the file cannot be read or lacks a column, or holds another class.
    """
    path = Path(path)
    table = delimited(path)
    require(table, ["Borehole.ID", "Visible.ice", *_LAYERS.values()], path.name)
    said = stripped(table, "Visible.ice")
    known = {name: float(code) for code, name in enumerate(VISIBLE_ICE)}
    allowed = ", ".join(VISIBLE_ICE)
    refuse(~said.isin([*known, *BLANKS]), said, f"{path.name}: column 'Visible.ice'", f"is none of {allowed}")
    borehole = stripped(table, "Borehole.ID")
    layer = pd.DataFrame({"borehole": borehole, "top": stripped(table, "Top.depth") + " m"})
    rows = {"original_id": join_words(layer, " "), "site_id": borehole}
    frame = pd.DataFrame({**rows, "value": said.map(known), "method": "drill log, visible ice"})
    return _with_columns(frame, table, path, _LAYERS, "visible_ice_class")


def _with_columns(
    frame: pd.DataFrame, table: pd.DataFrame, path: Path, columns: dict[str, str], variable: str
) -> gpd.GeoDataFrame:
    """Return a site table of `frame` with the columns of the file that covariates may be read from."""
    unnamed = frame["site_id"] == ""
    refuse(unnamed, frame["site_id"], f"{path.name}: borehole", "is no name")
    own = {
        name: numbers(table, column, path.name) if name in _NUMBERS else stripped(table, column)
        for name, column in columns.items()
    }
    # In the logs NA means that there is none of it.
    own |= {name: own[name].mask(own[name].isin(BLANKS), "None") for name in own if name not in _NUMBERS}
    beside = pd.DataFrame(own, index=frame.index)
    upside = beside["depth_bottom"] < beside["depth_top"]
    if upside.any():
        row = beside.index[upside.to_numpy(dtype=bool)][0]
        raise PermagridError(f"{path.name}, row {row}: the bottom of the layer lies above its top")
    middle = (beside["depth_top"] + beside["depth_bottom"]) / 2.0
    site = CASTAGNER.key + ":" + frame["site_id"]
    placed = frame.assign(
        site_id=site,
        name=frame["site_id"],
        depth=middle,
        observation_limit=beside["depth_bottom"],
        latitude=float("nan"),
        longitude=float("nan"),
    )
    sites = observations(placed, CASTAGNER, path, variable=variable)
    return sites.assign(**{name: beside[name].loc[sites["row"]].to_numpy() for name in columns})
