"""The table of data sets by name, and the data sets of PANGAEA, of which any can be named."""

import re

from permagrid.catalogue.climate import CLIMATE
from permagrid.catalogue.records import Layout, Licence, Source
from permagrid.catalogue.surface import SURFACE
from permagrid.errors import PermagridError, did_you_mean

_PANGAEA = re.compile(r"^(?:https?://doi\.(?:org|pangaea\.de)/)?(?:10\.1594/)?(?:PANGAEA\.)?(\d{1,9})$", re.I)

_CALM_CITATION = (
    "Streletskiy, D. A., CALM, GTN-P, Wieczorek, M., Heim, B., Bartsch, A. (2025). GTN-P CALM: 35 years of "
    "Active Layer Thickness (ALT) across latitudinal and elevational gradients in the Northern Hemisphere. "
    "PANGAEA"
)


def pangaea_source(number: str) -> Source:
    """Return a data set of PANGAEA, by its number or DOI.

    Its licence and citation stand at the head of the table that is fetched.

    Raises
    ------
    PermagridError
        If that is no number of PANGAEA.

    Examples
    --------
    >>> pangaea_source("10.1594/PANGAEA.972777").name
    'pangaea/972777'
    """
    found = _PANGAEA.match(number)
    if not found:
        raise PermagridError(f"pangaea/{number} is no data set of PANGAEA; write pangaea/972777, its number")
    return _pangaea(
        f"pangaea/{found[1]}", f"PANGAEA data set {found[1]}", found[1], f"pangaea_{found[1]}.tab"
    )


def _pangaea(name: str, title: str, number: str, file: str, licence: str = "", citation: str = "") -> Source:
    return Source(
        name,
        title,
        (),
        Licence(licence or "as the head of the table says"),
        citation or "as the head of the table says",
        doi=f"10.1594/PANGAEA.{number}",
        home=f"https://doi.org/10.1594/PANGAEA.{number}",
        base="https://doi.pangaea.de",
        layout=Layout(f"10.1594/PANGAEA.{number}?format=textfile", file, "pangaea"),
        covariates=False,
        notes=("Where the table lists files, --variables names those to fetch with it.",),
    )


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        *CLIMATE,
        *SURFACE,
        _pangaea(
            "calm",
            "CALM active layer thickness, 263 series of 1990-2024",
            "972777",
            "GTN-P_CALM_1990-2024.tab",
            "CC BY 4.0",
            _CALM_CITATION,
        ),
    )
}
"""Name -> data set."""


def find_source(name: str) -> Source:
    """Return the data set of a name; ``pangaea/NUMBER`` names any of PANGAEA.

    Raises
    ------
    PermagridError
        If there is none of this name.
    """
    if name in SOURCES:
        return SOURCES[name]
    if name.lower().startswith("pangaea/"):
        return pangaea_source(name.partition("/")[2])
    raise PermagridError(f"unknown source {name!r}: {did_you_mean(name, [*SOURCES, 'pangaea/NUMBER'])}")
