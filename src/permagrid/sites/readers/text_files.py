"""Delimited text as tables of text: decoding, columns, numbers and the mistakes found in them."""

import csv
import gzip
import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from permagrid.errors import PermagridError

BLANKS = ("", "NA", "NaN", "nan", "null")
"""Texts that mean "no value" in every format."""


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file, unpacked if its name ends in ``.gz``.

    Raises
    ------
    PermagridError
        If the file is missing, cannot be read or is empty.
    """
    try:
        raw = path.read_bytes()
        content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except FileNotFoundError as error:
        raise PermagridError(f"file not found: {path}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise PermagridError(f"{path.name}: cannot be read ({error})") from error
    if not content.strip():
        raise PermagridError(f"{path.name}: the file is empty")
    return content


def decode(content: bytes, name: str, *, encoding: str) -> str:
    """Return `content` as text.

    Raises
    ------
    PermagridError
        If the encoding is unknown or does not fit, with the line.
    """
    try:
        text = content.decode(encoding)
    except LookupError as error:
        raise PermagridError(f"{name}: unknown encoding {encoding!r}") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PermagridError(
            f"{name}: line {line} is not {encoding} text ({error.reason}): state its encoding"
        ) from error
    # An 8-bit encoding decodes anything, so a NUL is the only sign of UTF-16 or of a binary file.
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise PermagridError(f"{name}: line {line} holds NUL characters: not a text file in {encoding}")
    return text


def read_text(path: Path, *, encoding: str = "utf-8-sig") -> str:
    """Return a file as text.

    Raises
    ------
    PermagridError
        As `read_bytes` and `decode`.
    """
    return decode(read_bytes(path), path.name, encoding=encoding)


def read_member(path: Path, prefix: str) -> bytes:
    """Return the one member of a zip file whose name begins with `prefix`.

    Raises
    ------
    PermagridError
        If the file is missing or no zip file, or has no such member or several.
    """
    read_bytes(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if Path(name).name.startswith(prefix)]
            if len(names) != 1:
                raise PermagridError(
                    f"{path.name}: needs one member {prefix}*; found: {listed(archive.namelist())}"
                )
            return archive.read(names[0])
    # An encrypted member is a RuntimeError.
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError) as error:
        raise PermagridError(f"{path.name}: not a readable zip file ({error})") from error


def delimited(path: Path, *, delimiter: str = ",", encoding: str = "utf-8-sig") -> pd.DataFrame:
    """Return a delimited file as a table of text; the index is the 1-based line.

    Raises
    ------
    PermagridError
        As `read_text` and `parse_delimited`.
    """
    return parse_delimited(read_text(path, encoding=encoding), path.name, delimiter=delimiter)


def parse_delimited(
    text: str, name: str, *, delimiter: str = ",", quoted: bool = True, skip: int = 0
) -> pd.DataFrame:
    r"""Return delimited text as a table of text; the index is the 1-based line in the file.

    Parameters
    ----------
    text
        The whole file, its header being the first line after `skip` lines.
    name
        Name of the file, for messages.
    delimiter
        One character between fields.
    quoted
        Whether double quotes enclose fields.
    skip
        Lines before the header.

    Raises
    ------
    PermagridError
        If a line is longer or shorter than the header, or the columns are faulty (`as_table`).

    Examples
    --------
    >>> parse_delimited("a;b\n1;x\n2;y\n", "f.csv", delimiter=";").loc[3].tolist()
    ['2', 'y']
    """
    rows: list[list[str]] = []
    lines: list[int] = []
    stream = io.StringIO(text, newline="")
    for _ in range(skip):
        stream.readline()
    try:
        reader = csv.reader(
            stream, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
        )
        before = 0
        for row in reader:
            if any(field.strip() for field in row):
                rows.append(row)
                lines.append(skip + before + 1)
            before = reader.line_num
    except (csv.Error, TypeError) as error:
        raise PermagridError(f"{name}: cannot be split at {delimiter!r} ({error})") from error
    return as_table(rows, lines, name)


def as_table(rows: Sequence[Sequence[str]], lines: Sequence[int], name: str) -> pd.DataFrame:
    """Return rows of text, the first being the header, as a table indexed by line.

    Raises
    ------
    PermagridError
        If there is no row below the header, two columns have one name, or a row is longer or shorter
        than the header.
    """
    if not rows:
        raise PermagridError(f"{name}: the file is empty")
    header = [field.strip() for field in rows[0]]
    twice = [field for field, count in Counter(header).items() if field and count > 1]
    if twice:
        raise PermagridError(f"{name}: duplicate column names: {listed(twice)}")
    if len(rows) == 1:
        raise PermagridError(f"{name}: no rows below the header ({listed(header)})")
    for line, row in zip(lines[1:], rows[1:], strict=True):
        if len(row) != len(header):
            hint = _delimiter_hint(header)
            raise PermagridError(f"{name}: row {line} has {len(row)} fields, the header {len(header)}{hint}")
    columns = [field or f"unnamed {place}" for place, field in enumerate(header)]
    return pd.DataFrame(rows[1:], columns=columns, index=list(lines[1:]), dtype="object")


def _delimiter_hint(header: Sequence[str]) -> str:
    """Return what to state where a header of one field holds another delimiter."""
    for delimiter, written in ((";", "';'"), ("\t", '"\\t"'), (",", "','")):
        if len(header) == 1 and delimiter in header[0]:
            return f"; it is separated by {written}: set delimiter: {written}"
    return ""


def require(frame: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """Raise unless `frame` has all `columns`.

    Raises
    ------
    PermagridError
        With the missing columns and those that were found.
    """
    absent = [column for column in columns if column not in frame]
    if not absent:
        return
    found = [str(column) for column in frame.columns]
    hint = ""
    if len(found) == 1:
        other = next((mark for mark in ";\t,|" if mark in found[0]), None)
        hint = f"; is {other!r} the delimiter?" if other else ""
    raise PermagridError(f"{name}: missing column {listed(absent)}; found: {listed(found)}{hint}")


def listed(names: Sequence[str], most: int = 15) -> str:
    """Return names in a row, shortened if there are many.

    Examples
    --------
    >>> listed(["a", "b", "c"], most=2)
    'a, b, ... (3 in all)'
    """
    shown = ", ".join(str(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown}, ... ({len(names)} in all)"


def stripped(frame: pd.DataFrame, column: str) -> pd.Series:
    """Return a column of text without blanks around it, non-breaking ones included."""
    return frame[column].astype("object").map(lambda text: str(text).replace("\xa0", " ").strip())


def numbers(
    frame: pd.DataFrame,
    column: str,
    name: str,
    *,
    decimal: str = ".",
    missing: Iterable[str | float] = (),
) -> pd.Series:
    r"""Return a column of text as numbers.

    Parameters
    ----------
    frame
        A table of text indexed by row.
    column
        The column to read.
    name
        Name of the file, for messages.
    decimal
        The decimal mark, "." or ",".
    missing
        Codes for "no value", besides `BLANKS`: texts, or numbers however they are written.

    Raises
    ------
    PermagridError
        If a value is no finite number, with its row.

    Examples
    --------
    >>> table = parse_delimited("t\n-1,5\n-999,0\n", "f.csv", delimiter=";")
    >>> numbers(table, "t", "f.csv", decimal=",", missing=[-999]).tolist()
    [-1.5, nan]
    """
    codes = list(missing)
    text = stripped(frame, column)
    text = text.mask(text.isin([*BLANKS, *(code for code in codes if isinstance(code, str))]))
    # A point in a file with decimal commas may separate thousands: it is refused, not guessed at.
    written = text if decimal == "." else text.str.replace(".", "?").str.replace(decimal, ".")
    values = pd.to_numeric(written, errors="coerce").astype("float64")
    strange = text.notna() & ~np.isfinite(values)
    commas = decimal == "." and text[strange].str.fullmatch(r"-?\d+,\d+").any()
    why = "is not a number; set decimal: ','" if commas else "is not a number"
    refuse(strange, text, f"{name}: column {column!r}", why)
    return values.mask(values.isin([float(code) for code in codes if not isinstance(code, str)]))


def split_limit(text: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return texts without their mark ``>`` or ``<``, and how to read them: exact, above or below.

    Examples
    --------
    >>> bare, limit = split_limit(pd.Series([">260", "71", "< 460"]))
    >>> bare.tolist(), limit.tolist()
    (['260', '71', '460'], ['above', 'exact', 'below'])
    """
    trimmed = text.astype("object").map(lambda value: str(value).replace("\xa0", " ").strip())
    limit = trimmed.str[:1].map({">": "above", "<": "below"}).fillna("exact")
    return trimmed.str.lstrip("<>").str.strip(), limit


def refuse(wrong: pd.Series, text: pd.Series, where: str, reason: str) -> None:
    """Raise for the first row that is `wrong`, if any is.

    Parameters
    ----------
    wrong
        True where a row is faulty; its index is the row in the file.
    text
        What was found in each row.
    where
        File and column.
    reason
        What is the matter with it.

    Raises
    ------
    PermagridError
        With place, row and what was found there.
    """
    if wrong.any():
        place = int(wrong.to_numpy(dtype=bool).argmax())
        raise PermagridError(f"{where}, row {wrong.index[place]}: {text.iloc[place]!r} {reason}")
