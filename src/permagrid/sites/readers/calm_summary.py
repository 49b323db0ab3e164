"""Reader of the CALM summary sheet, an Excel workbook laid out for the eye."""

import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from permagrid.errors import PermagridError
from permagrid.sites.readers.calm import site_code
from permagrid.sites.readers.reader import READERS, Provenance, observations
from permagrid.sites.readers.spreadsheets import sheet_cells
from permagrid.sites.readers.text_files import numbers, split_limit

PROVENANCE = Provenance(
    "calm",
    "CALM summary sheet",
    "Circumpolar Active Layer Monitoring (CALM) Network, George Washington University: summary of site "
    "averages of the annual end-of-season thaw depth; see Nelson, Shiklomanov & Nyland (2021), Polar "
    "Geography 44, 155-166, doi:10.1080/1088937X.2021.1988001",
    "none stated; free for research with citation of CALM",
)

_FIRST_YEAR_COLUMN = 5
_METRES_BELOW = 5.0
_NO_VALUE = ("", "-", "*", "inactive")


@READERS.register
def calm_summary(path: Path, *, sheet: str = "north") -> gpd.GeoDataFrame:
    """Read the CALM summary sheet (``CALM_Summary_table.xls``), one row a site, one column a year.

    Every region repeats the header. Some years are shown as ``###``; they are counted on from their
    neighbours. ``-``, a lone ``*``, blanks and "inactive" mean no value; ``>`` and ``<`` mark censored
    values; a ``*`` behind a number (a disturbed site) is kept in the remark. The meaning of the cell
    colours (method) is lost, the column of methods is not.

    Parameters
    ----------
    path
        The workbook.
    sheet
        Name of the sheet.

    Returns
    -------
    geopandas.GeoDataFrame
        Site table of ``active_layer_thickness`` [cm]; ``site_id`` is ``calm:{code}``.

    Raises
    ------
    PermagridError
        If the workbook cannot be read, the sheet has no row of years, or a cell is no number.
    """
    path = Path(path)
    years: list[int] = []
    found: list[tuple[object, ...]] = []
    for row, cells in enumerate(sheet_cells(path, sheet), start=1):
        texts = [cell.replace("\xa0", " ").strip() for cell in cells]
        if len(texts) > _FIRST_YEAR_COLUMN and texts[2].upper() == "LAT":
            years = _years(texts[_FIRST_YEAR_COLUMN:], path.name, row)
        elif years and re.search(r"\d", texts[0]) and any(texts[1:]):
            values = texts[_FIRST_YEAR_COLUMN : _FIRST_YEAR_COLUMN + len(years)]
            found += [(row, *texts[:_FIRST_YEAR_COLUMN], *pair) for pair in zip(years, values, strict=False)]
    if not years:
        raise PermagridError(f"{path.name}: sheet {sheet!r} has no row of years (LAT, LONG, 1990, ...)")
    columns = ["row", "code", "name", "latitude", "longitude", "method", "year", "value"]
    return observations(_cells_to_rows(pd.DataFrame(found, columns=columns), path.name), PROVENANCE, path)


def _years(header: list[str], name: str, row: int) -> list[int]:
    """Return the year of each column, those shown as ### being counted on from their neighbours."""
    shown = [(place, int(text)) for place, text in enumerate(header) if re.fullmatch(r"(19|20)\d\d", text)]
    if not shown:
        raise PermagridError(f"{name}: row {row} holds no year; found: {', '.join(header[:8])}")
    first = shown[0][1] - shown[0][0]
    if any(year - place != first for place, year in shown):
        raise PermagridError(f"{name}: row {row}: the years do not follow one another column by column")
    return list(range(first, shown[-1][1] + 1))


def _cells_to_rows(cells: pd.DataFrame, name: str) -> pd.DataFrame:
    cells = cells[~cells["value"].str.lower().isin(_NO_VALUE)].set_index("row", drop=False)
    starred = cells["value"].str.endswith("*")
    bare, limit = split_limit(cells["value"].str.rstrip("*"))
    # Messages name the row by the index, which here is the row of the sheet.
    value = numbers(cells.assign(value=bare), "value", name).to_numpy()
    # One cell holds 1.45 among values of 146 and 150: metres. The PANGAEA edition says 145 as well.
    metres = (value > 0.0) & (value < _METRES_BELOW)
    marks = starred.map({True: "marked * in the sheet", False: ""}).to_numpy()
    return pd.DataFrame(
        {
            "row": cells["row"].to_numpy(),
            "original_id": cells["code"].map(site_code).to_numpy(),
            "name": cells["name"].to_numpy(),
            "latitude": numbers(cells, "latitude", name).to_numpy(),
            "longitude": numbers(cells, "longitude", name).to_numpy(),
            "variable": "active_layer_thickness",
            "value": np.where(metres, 100.0 * value, value),
            "limit": limit.to_numpy(),
            "year": cells["year"].to_numpy(),
            "method": cells["method"].to_numpy(),
            "remark": np.where(metres, "written in metres in the sheet", marks),
        }
    )
