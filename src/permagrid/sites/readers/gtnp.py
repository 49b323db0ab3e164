"""Reader of active-layer grids as exported by the GTN-P database, one survey a column."""

import csv
import io
import logging
import re
from collections import Counter
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError
from permagrid.sites.readers.calm import site_code
from permagrid.sites.readers.reader import READERS, Provenance, observations, one_of
from permagrid.sites.readers.text_files import listed, read_text

PROVENANCE = Provenance(
    "gtnp",
    "GTN-P database, active layer",
    "GTN-P (2016): Global Terrestrial Network for Permafrost Database: Active Layer Thickness Data (CALM - "
    "Circumpolar Active Layer Monitoring). Akureyri, Iceland. ISSN 2410-2385",
    "open with citation; contact the principal investigators before publication",
)

_LOG = logging.getLogger(__name__)

_FIRST_LATE_MONTH = 8
_SURVEYS = ("last", "max")
_NOT_THAW = "Ground_Subsidence"

Floats = NDArray[np.float64]


@READERS.register
def gtnp_active_layer(path: Path, *, survey: str = "last") -> gpd.GeoDataFrame:
    """Read GTN-P grids (``Activelayer_*.timeserie.csv``) as one mean over the grid nodes for each year.

    Coordinates and CALM code come from the ``*.metadata.txt`` beside each file. Negative numbers are
    codes (-999, but also -888 and -900). "Ground_Subsidence" files hold no thaw depth: a folder is read
    without them, such a file alone is refused.

    The export drops blanks, so in some files lines differ in length. Where a grid was re-surveyed, each
    node has two lines whose lengths add up to the number of dates: the lines that come first in the
    file hold the earlier dates (the means agree with CALM's own). Other lines of wrong length cannot
    be dated; they are left out and counted in the remark.

    Parameters
    ----------
    path
        A file, or a folder of them.
    survey
        Which survey of a year counts: the ``last``, or the one with the ``max`` mean. If it lies before
        August, ``site_flags`` says ``early_season``.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``active_layer_thickness`` [cm]; ``n_observations`` counts the nodes, ``row`` is the
        column of the survey. ``site_id`` is ``calm:{code}``, or ``gtnp:{Id}`` without a CALM code.

    Raises
    ------
    PermagridError
        If there is no such file, metadata are missing, or a header or value cannot be read.
    """
    path = Path(path)
    one_of(survey, _SURVEYS, option="survey")
    if path.is_dir():
        files = sorted(path.glob("Activelayer_*.timeserie.csv"))
        for file in files:
            if _NOT_THAW in file.name:
                _LOG.info("%s holds subsidence, not thaw depth: left out", file.name)
        files = [file for file in files if _NOT_THAW not in file.name]
        if not files:
            raise PermagridError(f"{path}: no Activelayer_*.timeserie.csv with thaw depth in this folder")
    elif _NOT_THAW in path.name:
        raise PermagridError(f"{path.name}: ground subsidence is not thaw depth")
    else:
        files = [path]
    frame = pd.concat([_yearly(file, survey) for file in files], ignore_index=True)
    return observations(frame, PROVENANCE, path, method="mechanical probing, mean of grid nodes")


def _yearly(path: Path, survey: str) -> pd.DataFrame:
    dates, depths, left_out = _surveys(path)
    nodes = np.isfinite(depths).sum(axis=0)
    total = np.where(np.isfinite(depths), depths, 0.0).sum(axis=0)
    surveys = pd.DataFrame(
        {
            "date": dates,
            "year": dates.dt.year,
            "value": np.divide(total, nodes, out=np.full(len(nodes), np.nan), where=nodes > 0),
            "n_observations": nodes,
            "row": np.arange(3, len(dates) + 3),
        }
    ).dropna(subset="value")
    order = surveys.sort_values("value" if survey == "max" else "date", kind="stable")
    yearly = order.groupby("year", sort=True).tail(1).sort_values("year")
    early = yearly["date"].dt.month < _FIRST_LATE_MONTH
    lost = f"; {left_out} lines whose length does not fit the dates left out" if left_out else ""
    described = yearly.assign(
        variable="active_layer_thickness",
        file=path.name,
        site_flags=early.map({True: "early_season", False: ""}),
        remark=yearly["date"].dt.strftime("survey of %Y-%m-%d") + lost,
    )
    site = pd.DataFrame([_metadata(path)] * len(described), index=described.index)
    return pd.concat([described, site], axis=1)


def _surveys(path: Path) -> tuple[pd.Series, Floats, int]:
    """Return the dates, the depths [cm] by node and date, and how many lines could not be dated."""
    rows = list(csv.reader(io.StringIO(read_text(path))))
    header = rows[0]
    if header[:2] != ["offset_x", "offset_y"] or len(header) < 3:
        raise PermagridError(
            f"{path.name}: must begin with offset_x, offset_y, dates; found: {listed(header)}"
        )
    dates = pd.Series(pd.to_datetime(header[2:], errors="coerce", format="%Y-%m-%d %H:%M:%S"))
    if dates.isna().any():
        wrong = header[2 + int(dates.isna().to_numpy().argmax())]
        raise PermagridError(f"{path.name}: column {wrong!r} is no date such as 2005-08-17 00:00:00")
    lines = [(number, row[2:]) for number, row in enumerate(rows[1:], start=2) if row]
    first, second = _resurveyed([len(fields) for _, fields in lines], len(dates))
    depths = np.full((len(lines), len(dates)), np.nan)
    left_out = 0
    for place, (number, fields) in enumerate(lines):
        values = _depths(fields, path.name, number)
        if len(values) in (len(dates), first):
            depths[place, : len(values)] = values
        elif len(values) == second:
            depths[place, -len(values) :] = values
        else:
            left_out += 1
    return dates, depths, left_out


def _resurveyed(lengths: list[int], dates: int) -> tuple[int, int]:
    """Return the lengths of the earlier and the later half-lines of a re-surveyed grid, or (-1, -1)."""
    count = Counter(lengths)
    # Nodes that kept their place have one whole line, so the two kinds need not be equally many.
    for length in dict.fromkeys(lengths):
        if length < dates and count[length] > 1 and count[dates - length] > 1:
            return length, dates - length
    return -1, -1


def _depths(fields: list[str], name: str, line: int) -> Floats:
    try:
        values = np.array([float(field) if field.strip() else np.nan for field in fields])
    except ValueError as error:
        raise PermagridError(f"{name}: line {line} holds what is not a number ({error})") from error
    return np.where(values < 0.0, np.nan, values)


def _metadata(path: Path) -> dict[str, object]:
    """Return name and place from the metadata file whose name begins as that of the series."""
    found = re.match(r"(?P<site>Activelayer_\d+-.+?)-Dataset_", path.name)
    beside = path.with_name(f"{found['site'] if found else path.name.split('.')[0]}.metadata.txt")
    text = read_text(beside)
    # Only what stands at the left margin describes the site; indented lines describe people and data sets.
    entries = dict(re.findall(r"^(\S[^:\n]*?)\s*:[ \t]*(.*?)\s*$", text, flags=re.MULTILINE))
    absent = [key for key in ("Id", "Latitude", "Longitude") if key not in entries]
    if absent:
        raise PermagridError(f"{beside.name}: no line {listed(absent)}")
    code = site_code(entries.get("Ancillary Code", ""))
    return {
        "original_id": entries["Id"],
        "site_id": f"calm:{code}" if code else f"gtnp:{entries['Id']}",
        "name": entries.get("Name", ""),
        "latitude": _number(entries["Latitude"], beside.name),
        "longitude": _number(entries["Longitude"], beside.name),
        "elevation": _number(entries.get("Elevation", ""), beside.name),
    }


def _number(text: str, name: str) -> float:
    try:
        return float(text) if text else np.nan
    except ValueError as error:
        raise PermagridError(f"{name}: {text!r} is not a number") from error
