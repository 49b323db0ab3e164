"""Years and latitudes between which well-known data sets exist, and how they are told by name."""

import re
from dataclasses import dataclass

from permagrid.catalogue.table import SOURCES

Years = tuple[int, int | None]


@dataclass(frozen=True)
class Extent:
    """When and where a data set exists."""

    title: str
    """What people call it."""
    pattern: str
    """Regular expression that finds it in names of methods and files, and in citations."""
    years: Years | None = None
    """First year and last year; None in place of the last where it goes on, and where time has no say."""
    latitudes: tuple[float, float] | None = None
    """Southern and northern end [degree]; None where it covers the globe."""

    @property
    def span(self) -> str:
        """The years as a sentence says them."""
        if self.years is None:
            return "at all times"
        first, last = self.years
        return f"from {first} on" if last is None else f"from {first} to {last}"


def _word(text: str) -> str:
    """Return a pattern of a name that is no part of a longer word; digits and underscores may follow."""
    return rf"(?<![a-z0-9]){text}(?![a-z])"


EXTENTS: tuple[Extent, ...] = (
    # Products that are made of others come first: their citations name what they are made of.
    Extent("MERIT DEM", _word("merit"), latitudes=(-60.0, 90.0)),
    Extent("ESA CCI Land Cover", r"cci[ _-]?(?:lc|land[ _-]?cover)", (1992, None)),
    Extent("GlobSnow", _word("globsnow"), (1979, None)),
    Extent("GIMMS NDVI", _word("gimms"), (1981, None)),
    Extent("Global Surface Water", r"global[ _-]?surface[ _-]?water", (1984, None)),
    Extent("Global Forest Change", r"global[ _-]?forest[ _-]?change", (2000, None)),
    Extent("SRTM", r"(?<![a-z])(?:srtm|nasadem)", latitudes=(-56.0, 60.0)),
    Extent("ASTER GDEM", r"(?<![a-z])(?:astgtm|aster[ _-]?gdem)", latitudes=(-83.0, 83.0)),
    Extent("AW3D30", r"(?<![a-z])(?:aw3d|alos[ _-]?world)", latitudes=(-82.0, 82.0)),
    Extent("GEDI", _word("gedi"), (2019, None), (-51.6, 51.6)),
    Extent("MODIS on Aqua", r"(?<![a-z])myd\d\d", (2002, None)),
    Extent("MODIS", r"(?<![a-z])(?:modis|mod\d\d|mcd\d\d)", (2000, None)),
    Extent("VIIRS", r"(?<![a-z])(?:viirs|vnp\d\d)", (2012, None)),
    Extent("AVHRR", _word("avhrr"), (1978, None)),
    Extent("Landsat 9", r"(?<![a-z])(?:landsat[ _-]?9|lc09)", (2021, None)),
    Extent("Landsat 8", r"(?<![a-z])(?:landsat[ _-]?8|lc08)", (2013, None)),
    Extent("Landsat 7", r"(?<![a-z])(?:landsat[ _-]?7|le07)", (1999, None)),
    Extent("Landsat 5", r"(?<![a-z])(?:landsat[ _-]?5|lt05)", (1984, 2013)),
    Extent("Landsat Level 2", r"landsat_(?:index|surface_temperature)|landsat-c2-l2", (1982, None)),
    Extent("Landsat", _word("landsat"), (1972, None)),
    Extent("Sentinel-1", r"(?<![a-z])sentinel[ _-]?1(?!\d)", (2014, None)),
    Extent("Sentinel-2", r"(?<![a-z])sentinel[ _-]?2(?!\d)", (2015, None)),
    Extent("SMOS", _word("smos"), (2010, None)),
    Extent("SMAP", _word("smap"), (2015, None)),
    Extent("AMSR-E", r"(?<![a-z])amsr[ _-]?e(?![a-z])", (2002, 2011)),
    Extent("GRACE", _word("grace"), (2002, None)),
    Extent("ERA5-Land", r"(?<![a-z])era5[ _-]?land", (1950, None)),
    Extent("ERA5", r"(?<![a-z])era5", (1940, None)),
    Extent("ERA-Interim", r"(?<![a-z])era[ _-]?interim", (1979, 2019)),
    Extent("MERRA-2", r"(?<![a-z])merra[ _-]?2", (1980, None)),
    Extent("NCEP-NCAR Reanalysis", r"ncep[ _/-]?ncar", (1948, None)),
    Extent("TerraClimate", _word("terraclimate"), (1958, None)),
    Extent("CALM", _word("calm"), (1990, None)),
)
"""Data sets by name; of several that fit, the first one is meant."""


def extent_of(*texts: str) -> Extent | None:
    """Return the data set that texts name, the first text that names one deciding; None if none does.

    A citation as `permagrid fetch` and named sources write it is known by its title, with the years of the
    catalogue; otherwise names of files, methods and citations are searched for words of `EXTENTS`.

    Parameters
    ----------
    texts
        Names of methods and files, and citations.

    Examples
    --------
    >>> extent_of("dem/srtm_90m.tif").latitudes
    (-56.0, 60.0)
    >>> extent_of("MODIS/Terra Vegetation Indices", "ndvi.tif").span
    'from 2000 on'
    >>> extent_of("elevation.tif") is None
    True
    """
    for text in texts:
        for source in SOURCES.values():
            if source.years is not None and not source.static and text.startswith(f"{source.title}. "):
                return Extent(source.title, "", source.years)
        for known in EXTENTS:
            if re.search(known.pattern, text, re.IGNORECASE):
                return known
    return None
