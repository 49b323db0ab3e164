"""Names of files: placeholders of a data set filled in, for its addresses and for paths in studies."""

import re
from collections.abc import Mapping

from permagrid.catalogue.records import Source, Variable

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def folder_of(source: Source, resolution: str) -> str:
    """Return the folder of a source within a data folder.

    Examples
    --------
    >>> from permagrid.catalogue import find_source
    >>> folder_of(find_source("worldclim2.1/bio"), "10m")
    'worldclim2.1/bio/10m'
    """
    return f"{source.name}/{resolution}" if resolution else source.name


def file_of(source: Source, variable: Variable | None, resolution: str, **others: str) -> str:
    """Return the name of a variable's file within the folder of its source.

    Parameters
    ----------
    source, variable, resolution
        The data set, one of its variables, and the resolution.
    others
        Values of further placeholders; those that are not given, such as ``{year}``, stay.

    Examples
    --------
    >>> from permagrid.catalogue import find_source
    >>> source = find_source("worldclim2.1/bio")
    >>> file_of(source, source.variables[0], "10m")
    'wc2.1_10m_bio_1.tif'
    """
    return filled(source.layout_at(resolution).file, variable, resolution, others)


def url_of(source: Source, variable: Variable | None, resolution: str, **others: str) -> str:
    """Return the address of a variable's file, or of its archive, after the base of the source."""
    return filled(source.layout_at(resolution).url, variable, resolution, others)


def filled(
    pattern: str, variable: Variable | None, resolution: str, others: Mapping[str, str] | None = None
) -> str:
    """Return a pattern with its placeholders filled in; those that are not known stay.

    Examples
    --------
    >>> filled("{variable}_{dashed}_{year}.tif", Variable("bio1", "degC", ""), "2.5m")
    'bio1_2-5m_{year}.tif'
    """
    known = {
        "resolution": resolution,
        "dashed": resolution.replace(".", "-"),
        "metres": resolution.removesuffix("m"),
    }
    if variable is not None:
        known |= {"variable": variable.name, **variable.fills}
    known |= others or {}
    return _PLACEHOLDER.sub(lambda found: known.get(found[1], found[0]), pattern)
