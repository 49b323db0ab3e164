"""Step: the parts of the map for which totals and coverage are told by themselves."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from permagrid.inventory import Regions
from permagrid.study import Study

_SECTOR = 60.0
"""Width of the sectors that stand in for regions where a study names none [degree]."""


def region_of_rows(table: pd.DataFrame, study: Study, root: Path) -> NDArray[np.object_] | None:
    """Return the region of each row, None outside all; sectors of longitude where the study names none.

    None where rows have no coordinates.
    """
    longitude, latitude = (table[name].to_numpy(float) for name in ("longitude", "latitude"))
    if not np.isfinite(longitude).any():
        return None
    if study.inventory is not None and study.inventory.regions is not None:
        part = study.inventory.regions
        polygons = gpd.read_file(root / part.path).to_crs("EPSG:4326")
        points = gpd.GeoSeries(gpd.points_from_xy(longitude, latitude), crs="EPSG:4326")
        found = np.full(len(table), None, dtype=object)
        for name, shape in zip(polygons[part.name], polygons.geometry, strict=True):
            found[pd.isna(found) & points.within(shape).to_numpy()] = str(name)
        return found
    start = np.floor((longitude + 180.0) / _SECTOR) * _SECTOR - 180.0
    names = [
        f"{_degrees(west)} to {_degrees(west + _SECTOR)}" if np.isfinite(west) else None for west in start
    ]
    return np.array(names, dtype=object)


def region_of_cells(geobox: GeoBox, study: Study, root: Path) -> Regions | None:
    """Return the parts of a grid that the study names; None where it names none.

    Raises
    ------
    PermagridError
        If they cannot be read, overlap, or one holds no cell of the grid.
    """
    if study.inventory is None or study.inventory.regions is None:
        return None
    part = study.inventory.regions
    found = Regions.read(root / part.path, part.name)
    found.check(geobox)
    return found


def _degrees(longitude: float) -> str:
    east = (longitude + 180.0) % 360.0 - 180.0
    return f"{abs(east):g}\N{DEGREE SIGN}{'' if east in (0.0, -180.0) else 'E' if east > 0 else 'W'}"
