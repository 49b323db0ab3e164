"""Quality tests of site tables: they flag rows with QARTOD codes and a reason, and delete nothing.

A test is a function ``(sites, *, keywords with defaults) -> Flags`` in the table `QUALITY`; `Flags` holds a
code and a short reason for each row. `Verdicts` is the easy way to write one:

>>> import geopandas as gpd
>>> from permagrid.sites.quality import SUSPECT, Flags, Verdicts
>>> def no_name(sites: gpd.GeoDataFrame) -> Flags:
...     found = Verdicts(sites)
...     found.mark((sites["name"] == "").to_numpy(), SUSPECT, "site without a name")
...     return found.flags()
>>> no_name(gpd.GeoDataFrame({"name": ["Tiksi", ""]})).codes.tolist()
[1, 3]
"""

from permagrid.sites.quality.apply import flag_counts, flag_sites, flagged_rows, tests_of
from permagrid.sites.quality.duplicates import near_duplicates
from permagrid.sites.quality.flags import (
    FAIL,
    GOOD,
    MISSING,
    NOT_EVALUATED,
    QUALITY,
    SUSPECT,
    VERDICTS,
    Flags,
    Verdicts,
    numbers,
    wording,
)
from permagrid.sites.quality.plausibility import climate_consistency, site_flags
from permagrid.sites.quality.position import coordinates, elevation_mismatch
from permagrid.sites.quality.region import inside_study_region
from permagrid.sites.quality.values import RANGES, gross_range, series_jump

__all__ = [
    "FAIL",
    "GOOD",
    "MISSING",
    "NOT_EVALUATED",
    "QUALITY",
    "RANGES",
    "SUSPECT",
    "VERDICTS",
    "Flags",
    "Verdicts",
    "climate_consistency",
    "coordinates",
    "elevation_mismatch",
    "flag_counts",
    "flag_sites",
    "flagged_rows",
    "gross_range",
    "inside_study_region",
    "near_duplicates",
    "numbers",
    "series_jump",
    "site_flags",
    "tests_of",
    "wording",
]
