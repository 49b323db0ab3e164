"""Reader of any plain table (CSV, Excel, GeoParquet, GeoPackage) by a map of its columns."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from permagrid.errors import PermagridError, did_you_mean
from permagrid.sites.readers.reader import READERS, Provenance, observations
from permagrid.sites.readers.spreadsheets import sheet_table
from permagrid.sites.readers.text_files import (
    BLANKS,
    delimited,
    listed,
    numbers,
    read_bytes,
    require,
    split_limit,
    stripped,
)
from permagrid.sites.table import COLUMNS, VARIABLES
from permagrid.units import conversion

_TEXT = (".csv", ".txt", ".tsv", ".tab", ".dat")
_EXCEL = (".xlsx", ".xlsm", ".xls")
_PARQUET = (".parquet", ".geoparquet")
_PACKAGE = (".gpkg",)
_DEPTHS = ("depth", "observation_limit")
_OWN = ("file", "row", "citation", "licence")
_PRESENCE = {"true": "1", "yes": "1", "present": "1", "false": "0", "no": "0", "absent": "0"}


@READERS.register
def table(  # noqa: PLR0913 - a study sets these keywords, and they are what its file needs
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    variable: str | None = None,
    unit: str | None = None,
    depth_unit: str = "m",
    crs: str | None = None,
    delimiter: str = ",",
    decimal: str = ".",
    encoding: str = "utf-8-sig",
    missing: Sequence[str | float] = (),
    source: str | None = None,
    citation: str = "",
    licence: str = "",
    sheet: str | int = 0,
    keep: Sequence[str] = (),
) -> gpd.GeoDataFrame:
    """Read a plain table (text, Excel, GeoParquet, GeoPackage) with one observation in each row.

    Parameters
    ----------
    path
        A file whose suffix tells its kind: ``.csv`` (also ``.gz``), ``.xlsx``, ``.parquet``, ``.gpkg`` ...
    columns
        Column of the site table -> column of the file, such as ``{"value": "MAGT", "depth": "z"}``.
        Columns not named are taken where the file has one of the site table's own name.
    variable
        What was observed, if no column says so.
    unit
        Unit of the values, if not the site table's own.
    depth_unit
        Unit of ``depth`` and ``observation_limit``.
    crs
        Reference system of ``longitude`` (x) and ``latitude`` (y), if they are not degrees in WGS84.
    delimiter
        Sign between the columns of a text file.
    decimal
        Decimal sign of numbers written as text.
    encoding
        Encoding of a text file.
    missing
        Codes for "no value" besides blanks and NA.
    source
        Short name of the source, by default that of the file; prefixes ``site_id``.
    citation
        How to cite the source.
    licence
        Licence of the source.
    sheet
        Name or number (from 0) of the sheet or layer to read.
    keep
        Further columns of the file that covariates of a study without grid are read from. Such a table may
        have no coordinates.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table, and the columns to `keep`: numbers where all of a column are, else texts. Values such as
        ``>260`` become censored.

    Raises
    ------
    PermagridError
        If the file or a value cannot be read, or a column, unit, variable or `crs` is not known.
    """
    path = Path(path)
    raw, own_crs = _read(path, delimiter, encoding, sheet)
    kept = _kept(raw, keep, path.name, (decimal, missing))
    if keep:
        raw = raw.assign(**{name: "" for name in ("latitude", "longitude") if name not in raw})
    frame = _observed(raw, dict(columns or {}), variable, path.name, (decimal, missing))
    frame = _in_degrees(_in_own_units(frame, unit, depth_unit, path.name), crs or own_crs, path.name)
    prefix = source or path.name.split(".")[0]
    if source is not None or "source" not in frame:
        frame = frame.assign(source=prefix)
    sites = observations(_named(frame, prefix), Provenance(prefix, prefix, citation, licence), path)
    return sites.assign(**{name: column.loc[sites["row"]].to_numpy() for name, column in kept.items()})


def _kept(
    raw: pd.DataFrame, names: Sequence[str], file: str, written: tuple[str, Sequence[str | float]]
) -> dict[str, pd.Series]:
    """Return further columns as numbers, or as texts where any of a column is none."""
    require(raw, names, file)
    taken = [name for name in names if name in COLUMNS]
    if taken:
        raise PermagridError(
            f"{file}: keep: {taken[0]!r} is a column of the site table, which is read anyway"
        )
    found: dict[str, pd.Series] = {}
    for name in names:
        texts = stripped(raw, name)
        try:
            found[name] = numbers(texts.to_frame(name), name, file, decimal=written[0], missing=written[1])
        except PermagridError:
            lost = texts.isin([str(code) for code in written[1]])
            found[name] = texts.mask(lost | texts.isin(BLANKS), "")
    return found


def _read(path: Path, delimiter: str, encoding: str, sheet: str | int) -> tuple[pd.DataFrame, str | None]:
    """Return the file as a table indexed by row, and the CRS that it states."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    suffix = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else "".join(suffixes[-1:])
    if suffix in _TEXT:
        return delimited(path, delimiter=delimiter, encoding=encoding), None
    if suffix in _EXCEL:
        return sheet_table(path, sheet), None
    if suffix in (*_PARQUET, *_PACKAGE):
        return _geographic(path, suffix, sheet)
    allowed = ", ".join((*_TEXT, *_EXCEL, *_PARQUET, *_PACKAGE))
    raise PermagridError(f"{path.name}: unknown kind of table {suffix!r}; allowed: {allowed}")


def _geographic(path: Path, suffix: str, sheet: str | int) -> tuple[pd.DataFrame, str | None]:
    content = read_bytes(path)
    try:
        if suffix in _PACKAGE:
            # The driver is chosen by content: nothing but a GeoPackage may come in under its name.
            if not content.startswith(b"SQLite format 3\0"):
                raise PermagridError(f"{path.name}: not a GeoPackage")
            frame = gpd.read_file(path, layer=sheet, engine="pyogrio")
        else:
            frame = pd.read_parquet(path)
            if "geometry" in frame:
                frame = gpd.read_parquet(path)
    except PermagridError:
        raise
    # The errors of pyogrio are RuntimeErrors.
    except (ValueError, OSError, RuntimeError) as error:
        raise PermagridError(f"{path.name}: cannot be read ({error})") from error
    crs = None
    if isinstance(frame, gpd.GeoDataFrame):
        points = frame.geometry
        if not points.geom_type.dropna().eq("Point").all():
            raise PermagridError(f"{path.name}: geometries must be points")
        crs = frame.crs.to_string() if frame.crs is not None else None
        frame = pd.DataFrame(frame.drop(columns=points.name)).assign(latitude=points.y, longitude=points.x)
    if frame.empty:
        raise PermagridError(f"{path.name}: the file is empty")
    texts = frame.astype("object").where(frame.notna(), "").astype(str)
    return texts.set_axis(range(1, len(texts) + 1)), crs


def _taken(raw: pd.DataFrame, columns: dict[str, str], name: str) -> dict[str, str]:
    """Return column of the site table -> column of the file, for all columns to be read."""
    allowed = [column for column in COLUMNS if column not in _OWN]
    for key in columns:
        if key not in allowed:
            raise PermagridError(f"{name}: columns: unknown column {key!r}: {did_you_mean(key, allowed)}")
    require(raw, columns.values(), name)
    own = {column: column for column in allowed if column in raw and column not in columns}
    return {**own, **columns}


def _observed(
    raw: pd.DataFrame,
    columns: dict[str, str],
    variable: str | None,
    name: str,
    written: tuple[str, Sequence[str | float]],
) -> pd.DataFrame:
    """Return the columns of the site table that the file holds, as it writes its numbers."""
    taken = _taken(raw, columns, name)
    texts = pd.DataFrame({key: stripped(raw, column) for key, column in taken.items()}, index=raw.index)
    if variable is not None:
        texts["variable"] = variable
    needed = [key for key in ("variable", "value", "latitude", "longitude") if key not in texts]
    if needed:
        found = listed([str(column) for column in raw.columns])
        raise PermagridError(f"{name}: no column for {', '.join(needed)}; name it in columns; found: {found}")
    decimal, missing = written
    return _typed(texts, name, decimal, missing, taken)


def _typed(
    texts: pd.DataFrame, name: str, decimal: str, missing: Sequence[str | float], taken: dict[str, str]
) -> pd.DataFrame:
    """Return the columns with their types; messages name the columns of the file."""
    bare, limit = split_limit(texts["value"])
    presence = texts["variable"] == "permafrost_presence"
    words = bare.str.lower().map(_PRESENCE)
    texts = texts.assign(value=bare.mask(presence & words.notna(), words))
    if "year" in texts:
        # A date stands where the year is asked for: its first four digits are the year.
        texts = texts.assign(year=texts["year"].str.replace(r"^(\d{4})-\d\d.*$", r"\1", regex=True))
    typed: dict[str, pd.Series] = {}
    for column in texts:
        key = str(column)
        if COLUMNS[key] == "str":
            typed[key] = texts[key]
        else:
            shown = taken[key]
            typed[key] = numbers(
                texts.rename(columns={key: shown}), shown, name, decimal=decimal, missing=missing
            )
    if "limit" not in typed:
        typed["limit"] = limit
    return pd.DataFrame(typed, index=texts.index)


def _in_own_units(frame: pd.DataFrame, unit: str | None, depth_unit: str, name: str) -> pd.DataFrame:
    """Return `frame` with values and depths in the units of the site table."""
    unknown = sorted(set(frame["variable"]) - set(VARIABLES))
    if unknown:
        raise PermagridError(
            f"{name}: unknown variable {unknown[0]!r}: {did_you_mean(unknown[0], VARIABLES)}"
        )
    value = frame["value"].copy()
    for variable in sorted(set(frame["variable"])) if unit else []:
        factor, offset = conversion(str(unit), VARIABLES[variable])
        rows = frame["variable"] == variable
        value[rows] = value[rows] * factor + offset
    factor, offset = conversion(depth_unit, "m")
    depths = {key: frame[key] * factor + offset for key in _DEPTHS if key in frame}
    return frame.assign(value=value, **depths)


def _in_degrees(frame: pd.DataFrame, crs: str | None, name: str) -> pd.DataFrame:
    if crs is None:
        return frame
    try:
        transformer = Transformer.from_crs(CRS.from_user_input(crs), "EPSG:4326", always_xy=True)
    except CRSError as error:
        raise PermagridError(f"{name}: unknown coordinate reference system {crs!r}") from error
    known = frame["longitude"].notna() & frame["latitude"].notna()
    x, y = transformer.transform(frame["longitude"][known].to_numpy(), frame["latitude"][known].to_numpy())
    degrees = frame[["longitude", "latitude"]].copy()
    degrees.loc[known, "longitude"], degrees.loc[known, "latitude"] = x, y
    return frame.assign(longitude=degrees["longitude"], latitude=degrees["latitude"])


def _named(frame: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """Return `frame` with ``site_id``: from the id, the name, or else the coordinates of a row."""
    columns = [frame[column] for column in ("site_id", "original_id", "name") if column in frame]
    place = frame["latitude"].map("{:.4f}".format) + "," + frame["longitude"].map("{:.4f}".format)
    label = place
    for column in reversed(columns):
        label = column.where(column != "", label)
    bare = label.str.removeprefix(f"{prefix}:")
    original = (
        frame["original_id"].where(frame["original_id"] != "", bare) if "original_id" in frame else bare
    )
    return frame.assign(site_id=f"{prefix}:" + bare, original_id=original)
