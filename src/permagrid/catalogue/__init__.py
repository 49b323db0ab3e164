"""Known data sets: where they lie, how their files are named, what is in them, and under which licence."""

from permagrid.catalogue.layout import file_of, filled, folder_of, url_of
from permagrid.catalogue.records import (
    CREDENTIALS,
    VERSION,
    Credential,
    Layout,
    Licence,
    Source,
    Stac,
    Variable,
)
from permagrid.catalogue.table import SOURCES, find_source, pangaea_source

__all__ = [
    "CREDENTIALS",
    "SOURCES",
    "VERSION",
    "Credential",
    "Layout",
    "Licence",
    "Source",
    "Stac",
    "Variable",
    "file_of",
    "filled",
    "find_source",
    "folder_of",
    "pangaea_source",
    "url_of",
]
