"""A virtual world on disk, as the files that a user has: rasters, tables, planted faults, the truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rasterio.errors import RasterioError

from permagrid.errors import PermagridError
from permagrid.files import write_text
from permagrid.world.climate import EPOCHS
from permagrid.world.faults import plant_faults
from permagrid.world.rasters import (
    Written,
    write_grid_rasters,
    write_monthly_series,
    write_other_rasters,
)
from permagrid.world.region import make_world
from permagrid.world.sites import sample_sites
from permagrid.world.terrain import default_geobox

TABLES: dict[str, str] = {
    "boreholes.csv": "ground_temperature",
    "active_layer.csv": "active_layer_thickness",
    "stations.csv": "air_temperature",
    "ground_ice.csv": "volumetric_ice_content",
}
"""Table of sites -> the variable in it."""

_CONTENTS = {
    "boreholes.csv": ("degC", "annual mean ground temperature by site, depth [m] and year"),
    "active_layer.csv": ("cm", "active-layer thickness by site and year; '>' where the probe was too short"),
    "stations.csv": ("degC", "annual mean air temperature by station and year"),
    "ground_ice.csv": ("%", "volumetric ice content of cores of the upper permafrost"),
}
TABLE_COLUMNS = [
    *("site_id", "name", "latitude", "longitude", "elevation", "variable", "value", "depth"),
    *("observation_limit", "year", "n_observations", "method", "site_flags"),
]
"""Columns of the tables on disk."""


def write_world(
    folder: str | Path,
    *,
    seed: int = 0,
    size: int = 300,
    resolution: float = 5000.0,
    epochs: Sequence[str] = EPOCHS,
    n_boreholes: int = 250,
    fault_share: float = 0.05,
) -> Path:
    """Write a virtual world to a folder, as the files that a user has; ``README.txt`` lists them.

    Terrain, climate, geology and the truth lie on the study grid in EPSG:3995; soils are coarser, in
    EPSG:6931; vegetation is in longitude and latitude with longitudes beyond 180 E; palaeoclimate covers
    the whole zone in half degrees; monthly temperatures are one coarse NetCDF series in Kelvin. The same
    arguments give the same bytes.

    Parameters
    ----------
    folder
        Made if it is not there; files of the same names are replaced.
    seed
        What the world is made from, 0 or more.
    size
        Cells along each side of the study grid.
    resolution
        Cell size of the study grid [m].
    epochs
        Periods written as first and last year, such as `1980-1984`.
    n_boreholes
        Sites with ground temperatures; there are half as many active-layer sites, a quarter as many
        stations, and an ice core at two fifths of those with permafrost.
    fault_share
        Share of sites with a planted fault, 0-1.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    PermagridError
        If the folder cannot be written or holds another world, the grid has no cells, or as `make_world`,
        `sample_sites` and `plant_faults` do.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = write_world(folder, size=20, resolution=50_000.0, epochs=["2015-2019"], n_boreholes=8)
    ...     sorted(path.name for path in Path(folder).glob("*.csv"))
    ['active_layer.csv', 'boreholes.csv', 'ground_ice.csv', 'planted_faults.csv', 'stations.csv']
    """
    if size < 1 or resolution <= 0.0:
        raise PermagridError(f"size and resolution must be above 0, found {size} and {resolution:g}")
    folder, geobox = Path(folder), default_geobox(size, resolution)
    title = f"A virtual permafrost world: seed {seed}, {size} x {size} cells of {resolution:g} m, EPSG:3995"
    refuse_another(folder, title)
    world = make_world(geobox, seed=seed, epochs=epochs)
    counts = {"n_active_layer": n_boreholes // 2, "n_stations": n_boreholes // 4}
    sites = sample_sites(world, seed=seed, n_boreholes=n_boreholes, **counts)
    faulty, record = plant_faults(sites, seed=seed, share=fault_share)
    try:
        (folder / "truth").mkdir(parents=True, exist_ok=True)
        written = write_grid_rasters(folder, world)
        written += write_other_rasters(folder, geobox, seed=seed)
        written += write_monthly_series(folder, geobox, epochs, seed=seed)
        written += _write_tables(folder, faulty, record)
        write_text(folder / "README.txt", readme(title, list(epochs), written))
    except (OSError, RasterioError) as error:
        raise PermagridError(f"{folder}: the virtual world cannot be written there ({error})") from error
    return folder


def refuse_another(folder: Path, title: str) -> None:
    """Refuse to write over a world that runs may rest on; the same world may be written again.

    Raises
    ------
    PermagridError
        If the folder holds another world.
    """
    readme = folder / "README.txt"
    if not readme.is_file():
        return
    first = readme.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0].strip()
    if first != title:
        found = first[:80] or "an empty README.txt"
        raise PermagridError(f"{folder}: holds something else already ({found}); choose another folder")


def _write_tables(folder: Path, sites: pd.DataFrame, record: pd.DataFrame) -> list[Written]:
    """Write the tables of sites, and the record of faults by file and line."""
    line = pd.Series(0, index=sites.index)
    file = pd.Series("", index=sites.index, dtype=object)
    for name, variable in TABLES.items():
        rows = sites[sites["variable"] == variable]
        # The header is line 1.
        line[rows.index] = np.arange(2, len(rows) + 2)
        file[rows.index] = name
        mark = rows["limit"].map({"exact": "", "above": ">", "below": "<"})
        text = mark + rows["value"].map("{:.10g}".format)
        write_text(
            folder / name, rows.assign(value=text)[TABLE_COLUMNS].to_csv(index=False, lineterminator="\n")
        )
    where = {"file": file[record["row"]].to_numpy(), "line": line[record["row"]].to_numpy()}
    faults = record.drop(columns="row").assign(**where)[["file", "line", *record.columns.drop("row")]]
    write_text(folder / "planted_faults.csv", faults.to_csv(index=False, lineterminator="\n"))
    planted = Written(
        "planted_faults.csv", "-", "what is wrong in the tables, by file and line (header: line 1)"
    )
    return [*(Written(name, *_CONTENTS[name]) for name in TABLES), planted]


def readme(title: str, epochs: list[str], written: list[Written]) -> str:
    """Return the text of ``README.txt``: what the world is, and each file with its unit and content."""
    width, units = max(len(row.file) for row in written), max(len(row.units) for row in written)
    lines = [f"{row.file:{width}}  {row.units:{units}}  {row.content}" for row in written]
    note = "Nothing in it is real: coasts, mountains and places belong to the seed alone."
    header = f"{'file':{width}}  {'unit':{units}}  content"
    return "\n".join([title, note, f"Epochs: {', '.join(epochs)}", "", header, *lines, ""])
