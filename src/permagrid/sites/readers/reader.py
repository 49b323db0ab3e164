"""The table of site readers, and the provenance that each of their rows carries."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import pandas as pd

from permagrid.errors import PermagridError, did_you_mean
from permagrid.registry import Table
from permagrid.sites.table import site_table

READERS: Table[Callable[..., gpd.GeoDataFrame]] = Table("reader")
"""Name -> reader, as a study file names them."""


class Provenance(NamedTuple):
    """Where the rows of a reader come from."""

    key: str
    """Short name; a site is called ``{key}:{original id}``."""
    source: str
    """Name of the data set."""
    citation: str
    """What to cite: the original source."""
    licence: str
    """Terms of use, as stated by the source."""


def observations(
    frame: pd.DataFrame, provenance: Provenance, path: Path, **constants: object
) -> gpd.GeoDataFrame:
    """Return the rows of `frame` that hold a value as a site table with provenance.

    Parameters
    ----------
    frame
        Columns of the site table; the index is the 1-based row in the file unless there is a column
        ``row``. ``site_id`` is made from ``original_id`` where it is absent.
    provenance
        What all rows have in common.
    path
        The file that was read; its base name goes into ``file`` where the frame has no such column.
    constants
        Further columns that hold one value for all rows.

    Raises
    ------
    PermagridError
        If no row holds a value.
    """
    found = frame[frame["value"].notna()]
    if found.empty:
        raise PermagridError(f"{path.name}: holds no observation that can be read with these options")
    own: dict[str, object] = {
        "citation": provenance.citation,
        "licence": provenance.licence,
        "file": path.name,
        "source": provenance.source,
    }
    own = {name: value for name, value in own.items() if name not in found}
    if "row" not in found:
        found = found.assign(row=found.index)
    if "site_id" not in found:
        found = found.assign(site_id=provenance.key + ":" + found["original_id"].astype(str))
    return site_table(found, constants={**own, **constants})


def one_of(word: str, allowed: tuple[str, ...], *, option: str) -> str:
    """Return `word`, the value given for a reader's `option`, if it is allowed.

    Raises
    ------
    PermagridError
        If it is not.

    Examples
    --------
    >>> one_of("last", ("last", "max"), option="survey")
    'last'
    """
    if word not in allowed:
        raise PermagridError(f"unknown {option} {word!r}: {did_you_mean(word, allowed)}")
    return word


def join_words(frame: pd.DataFrame, separator: str) -> pd.Series:
    """Return the words of each row of `frame` in one text, leaving out the empty ones.

    Examples
    --------
    >>> join_words(pd.DataFrame({"a": ["x", ""], "b": ["y", "z"]}), ",").tolist()
    ['x,y', 'z']
    """
    joined = [separator.join(word for word in words if word) for words in frame.to_numpy().tolist()]
    return pd.Series(joined, index=frame.index, dtype="object")
