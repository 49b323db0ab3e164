"""Sheets of Excel workbooks, old and new, as tables of text."""

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import pandas as pd
import xlrd
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException
from xlrd import XLRDError

from permagrid.errors import PermagridError
from permagrid.sites.readers.text_files import as_table, listed, read_bytes

Cells = Sequence[Sequence[object]]

_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"


def sheet_cells(path: Path, sheet: str | int = 0) -> list[list[str]]:
    """Return the cells of one sheet as rows of text; a whole number is written without ``.0``.

    Parameters
    ----------
    path
        A workbook, ``.xlsx`` or the older ``.xls``.
    sheet
        Name of the sheet, or its place from 0.

    Raises
    ------
    PermagridError
        If the file is missing, is no workbook, or has no such sheet.
    """
    return _parse(path, [sheet])[0][1]


def sheet_table(path: Path, sheet: str | int = 0) -> pd.DataFrame:
    """Return one sheet, its first filled row being the header, as a table of text indexed by row.

    Raises
    ------
    PermagridError
        As `sheet_cells`, and if the columns are faulty.
    """
    return _table(sheet_cells(path, sheet), path.name)


def sheet_tables(path: Path) -> dict[str, pd.DataFrame]:
    """Return all sheets of a workbook by their names, as `sheet_table` does one.

    Raises
    ------
    PermagridError
        As `sheet_table`.
    """
    return {name: _table(cells, f"{path.name}, sheet {name}") for name, cells in _parse(path, None)}


def _table(cells: list[list[str]], name: str) -> pd.DataFrame:
    filled = [(line, row) for line, row in enumerate(cells, start=1) if any(row)]
    return as_table([row for _, row in filled], [line for line, _ in filled], name)


def _parse(path: Path, sheets: list[str | int] | None) -> list[tuple[str, list[list[str]]]]:
    """Return name and cells of the wanted sheets; the kind of workbook is told by its first bytes."""
    content = read_bytes(path)
    read = _old_sheets if content.startswith(_OLD_WORKBOOK) else _new_sheets
    try:
        names, cells = read(content)
        wanted = names if sheets is None else [_sheet_name(sheet, names, path.name) for sheet in sheets]
        return [(name, _texts(cells(name))) for name in wanted]
    except PermagridError:
        raise
    except (BadZipFile, InvalidFileException, XLRDError, LookupError, ValueError, OSError) as error:
        raise PermagridError(f"{path.name}: not a readable Excel workbook ({error})") from error


def _sheet_name(sheet: str | int, names: list[str], file: str) -> str:
    if isinstance(sheet, int) and 0 <= sheet < len(names):
        return names[sheet]
    if sheet in names:
        return str(sheet)
    raise PermagridError(f"{file}: no sheet {sheet!r}; found: {listed(names)}")


def _new_sheets(content: bytes) -> tuple[list[str], Callable[[str], Cells]]:
    book = load_workbook(BytesIO(content), read_only=True, data_only=True)
    return list(book.sheetnames), lambda name: list(book[name].iter_rows(values_only=True))


def _old_sheets(content: bytes) -> tuple[list[str], Callable[[str], Cells]]:
    book = xlrd.open_workbook(file_contents=content)
    return list(book.sheet_names()), lambda name: list(book.sheet_by_name(name).get_rows())


def _texts(rows: Cells) -> list[list[str]]:
    texts = [[_cell_text(cell) for cell in row] for row in rows]
    width = max((len(row) for row in texts), default=0)
    return [row + [""] * (width - len(row)) for row in texts]


def _cell_text(cell: object) -> str:
    value = getattr(cell, "value", cell)
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    return str(value).replace("\xa0", " ").strip()
