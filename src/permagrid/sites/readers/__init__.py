"""Readers of site tables: one function for each format, in the table `READERS`.

A reader takes a path and keyword options and returns a site table (`permagrid.sites.table`). Importing
this package fills `READERS`; the functions live in the modules of their families.
"""

from permagrid.sites.readers import (
    alaska,
    calm,
    calm_summary,
    cci,
    columns,
    cryostratigraphy,
    gtnp,
    permos,
    raster_cells,
    rihmi,
    soils,
    stations,
    tibet,
)
from permagrid.sites.readers.reader import READERS

__all__ = [
    "READERS",
    "alaska",
    "calm",
    "calm_summary",
    "cci",
    "columns",
    "cryostratigraphy",
    "gtnp",
    "permos",
    "raster_cells",
    "rihmi",
    "soils",
    "stations",
    "tibet",
]
