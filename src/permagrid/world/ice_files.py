"""A virtual hemisphere with ground ice on disk: rasters, boreholes, and the truth with its total."""

import json
from pathlib import Path

import numpy as np
from rasterio.errors import RasterioError

from permagrid.errors import PermagridError
from permagrid.files import write_text
from permagrid.world.files import TABLE_COLUMNS, readme, refuse_another
from permagrid.world.ice import EPOCH, ICE_VARIABLES, THICKNESS, IceWorld, make_ice_world
from permagrid.world.rasters import Written, write_raster
from permagrid.world.region import CLASSES, VARIABLES
from permagrid.world.surface import CLASS_NODATA

_NAMES = {"elevation": "dem.tif", "truth_volumetric_ice_content": "truth/volumetric_ice_content.tif"}
_PRESENCE = CLASSES["truth_permafrost_presence"]
_STORAGE = f"ice in the {THICKNESS:g} m below the permafrost table: share of permafrost x ice content x area"


def write_ice_world(
    folder: str | Path, *, seed: int = 0, n_boreholes: int = 1178, resolution: float = 25_000.0
) -> Path:
    """Write a virtual hemisphere with ground ice to a folder; ``README.txt`` lists its files.

    All rasters lie on one equal-area grid in EPSG:6931. ``truth/storage.json`` holds the true total. The
    same arguments give the same bytes.

    Parameters
    ----------
    folder
        Made if it is not there; files of the same names are replaced.
    seed, n_boreholes, resolution
        As of `permagrid.world.make_ice_world`.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    PermagridError
        If the folder cannot be written or holds another world, or as `make_ice_world` does.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = write_ice_world(folder, n_boreholes=10, resolution=400_000.0)
    ...     sorted(path.name for path in (Path(folder) / "truth").iterdir())
    ['storage.json', 'volumetric_ice_content.tif']
    """
    folder = Path(folder)
    title = (
        f"A virtual hemisphere with ground ice: seed {seed}, {n_boreholes} boreholes, cells of "
        f"{resolution:g} m, EPSG:6931"
    )
    refuse_another(folder, title)
    world = make_ice_world(seed, n_boreholes, resolution)
    try:
        (folder / "truth").mkdir(parents=True, exist_ok=True)
        written = _write_rasters(folder, world)
        written += _write_tables(folder, world)
        write_text(folder / "README.txt", readme(title, [EPOCH], written))
    except (OSError, RasterioError) as error:
        raise PermagridError(f"{folder}: the virtual world cannot be written there ({error})") from error
    return folder


def _write_rasters(folder: Path, world: IceWorld) -> list[Written]:
    known = {**VARIABLES, **ICE_VARIABLES}
    geobox, written = world.grid.odc.geobox, []
    for key, layer in world.grid.data_vars.items():
        name, classes = str(key), CLASSES.get(str(key))
        file = _NAMES.get(name, f"{name}.tif")
        write_raster(folder / file, layer.values, geobox, described=known[name], classes=classes)
        units, content = known[name]
        if classes:
            labels = ", ".join(f"{code} {label}" for code, label in classes.items())
            content = f"{content} ({labels})"
        written.append(Written(file, units, content))
    share = world.grid["permafrost_fraction"].values
    found = np.where(np.isnan(share), CLASS_NODATA, share > 0.0)
    units, content = "1", "permafrost in any part of the cell"
    write_raster(folder / "permafrost.tif", found, geobox, described=(units, content), classes=_PRESENCE)
    labels = ", ".join(f"{code} {label}" for code, label in _PRESENCE.items())
    return [*written, Written("permafrost.tif", units, f"{content} ({labels})")]


def _write_tables(folder: Path, world: IceWorld) -> list[Written]:
    rows = world.boreholes[[*TABLE_COLUMNS, "source"]]
    write_text(folder / "ground_ice.csv", rows.to_csv(index=False, lineterminator="\n"))
    storage = {"total_ice_km3": round(world.storage, 3), "thickness_m": THICKNESS, "what": _STORAGE}
    write_text(folder / "truth" / "storage.json", json.dumps(storage, indent=2) + "\n")
    return [
        Written("ground_ice.csv", "%", "volumetric ice content of boreholes; source is the drilled field"),
        Written("truth/storage.json", "km3", _STORAGE),
    ]
