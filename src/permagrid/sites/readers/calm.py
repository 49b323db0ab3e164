"""Readers of the CALM active-layer data as published at PANGAEA, and what the CALM editions share."""

import re
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd

from permagrid.errors import PermagridError
from permagrid.sites.readers.reader import READERS, Provenance, join_words, observations
from permagrid.sites.readers.text_files import (
    numbers,
    parse_delimited,
    read_text,
    require,
    split_limit,
    stripped,
)

PROVENANCE = Provenance(
    "calm",
    "CALM (PANGAEA 972777)",
    "Streletskiy, D. A., CALM, GTN-P, Wieczorek, M., Heim, B., Bartsch, A. (2025): GTN-P CALM: 35 years of "
    "Active Layer Thickness (ALT) across latitudinal and elevational gradients in the Northern Hemisphere. "
    "PANGAEA, doi:10.1594/PANGAEA.972777",
    "CC-BY-4.0",
)

_EARLY = re.compile(r"\b(early|earlier|july)\b|not yet the max|max.*not (yet )?reached", re.IGNORECASE)
_DISTURBED = {"burned": re.compile(r"\bburn(ed|ing)\b", re.I), "flooded": re.compile(r"\bflooded\b", re.I)}
_END_OF_HEADER = "*/"


def site_code(code: str) -> str:
    """Return a CALM code without its blanks, so that all editions name a site alike.

    Examples
    --------
    >>> site_code("U7 A ")
    'U7A'
    """
    return re.sub(r"\s+", "", code)


class _Event(NamedTuple):
    """What the header tells of one site."""

    elevation: float
    method: str


@READERS.register
def calm_pangaea(path: Path) -> gpd.GeoDataFrame:
    """Read the CALM series at PANGAEA (``GTN-P_CALM_1990-2024.tab``).

    A comment of several hundred lines precedes the tab-separated table; it holds elevation and method of
    each site. ``>260`` means that thaw went deeper than the instrument (limit ``above``), ``<460`` that
    it stayed above the sensor (``below``). Readings too early in the season get the word
    ``early_season`` in ``site_flags``, disturbed sites ``burned`` or ``flooded``.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``active_layer_thickness`` [cm]; ``site_id`` is ``calm:{code}``.

    Raises
    ------
    PermagridError
        If the file cannot be read, its header does not end, or a column is missing.
    """
    path = Path(path)
    text = read_text(path)
    header, events = _header(text, path.name)
    table = parse_delimited(text, path.name, delimiter="\t", quoted=False, skip=header)
    needed = ["Event", "Site", "Name", "Latitude", "Longitude", "Date/Time", "ALD [cm]"]
    require(table, [*needed, "Sample comment", "Comment"], path.name)
    bare, limit = split_limit(table["ALD [cm]"])
    event = stripped(table, "Event")
    known = event.map(lambda label: events.get(label, _Event(np.nan, "")))
    remark = join_words(table[["Sample comment", "Comment"]].map(str.strip), "; ")
    frame = pd.DataFrame(
        {
            "original_id": stripped(table, "Site").map(site_code),
            "name": stripped(table, "Name"),
            "latitude": numbers(table, "Latitude", path.name),
            "longitude": numbers(table, "Longitude", path.name),
            "elevation": known.map(lambda entry: entry.elevation),
            "variable": "active_layer_thickness",
            "value": numbers(table.assign(**{"ALD [cm]": bare}), "ALD [cm]", path.name),
            "limit": limit,
            "year": numbers(table, "Date/Time", path.name),
            "method": known.map(lambda entry: entry.method),
            "site_flags": remark.map(season_and_disturbance),
            "remark": remark,
        }
    )
    return observations(frame, PROVENANCE, path)


def season_and_disturbance(remark: str) -> str:
    """Return the flag words that a remark calls for.

    Examples
    --------
    >>> season_and_disturbance("measurements end of July; value after burning not used")
    'early_season,burned'
    >>> season_and_disturbance("inactive")
    ''
    """
    words = ["early_season"] if _EARLY.search(remark) else []
    return ",".join(words + [word for word, pattern in _DISTURBED.items() if pattern.search(remark)])


def _header(text: str, name: str) -> tuple[int, dict[str, _Event]]:
    """Return the number of lines before the table, and the events they list."""
    if not text.lstrip().startswith("/*"):
        return 0, {}
    events: dict[str, _Event] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() == _END_OF_HEADER:
            return number, events
        found = re.match(r"(?:Event\(s\):)?\s*(?P<label>\S+).*?\* LATITUDE:", line)
        if found:
            elevation = re.search(r"\* ELEVATION: (-?[\d.]+) m", line)
            method = re.search(r"Method: (.+)$", line)
            events[found["label"]] = _Event(
                float(elevation[1]) if elevation else np.nan, method[1].strip() if method else ""
            )
    raise PermagridError(f"{name}: the header that begins with /* does not end: no line {_END_OF_HEADER}")
