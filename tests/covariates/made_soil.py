"""Small soil layers for the tests, stored as SoilGrids 2.0 does: in homolosine projection and odd units."""

from pathlib import Path
from typing import Any

import numpy as np
from made_rasters import smooth, write_tif
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from permagrid.covariates import Covariate
from permagrid.grid import lonlat, make_geobox

IGH = "+proj=igh +lat_0=0 +lon_0=0 +datum=WGS84 +units=m +no_defs"
HOMOLOSINE = make_geobox(IGH, 25_000, bounds=(-20_050_000, 5_000_000, 20_050_000, 8_600_000))
"""The north of the globe, interrupted along the meridian of 40 W, which crosses Greenland."""
NODATA = -32768
TOPSOIL = ((0, 5), (5, 15), (15, 30))

TEXTURE = {f"{name}_path": f"{name}_{{depth}}cm.tif" for name in ("sand", "silt", "clay")}

SOIL = (
    Covariate(
        "soil_layers",
        "soil_layers",
        "%",
        {"path": "sand_{depth}cm.tif", "between": [0, 20], "stored_unit": "g/kg"},
    ),
    Covariate(
        "soil_texture",
        "soil_texture",
        "%",
        {**TEXTURE, "fraction": "clay", "between": [0, 30], "stored_unit": "g/kg", "normalise": True},
    ),
)


def texture(geobox: GeoBox, depth: float) -> dict[str, NDArray[Any]]:
    """Return sand, silt and clay at a depth [cm], which sum to 1000 g/kg, rounded one by one."""
    longitude, latitude = (np.where(np.isfinite(angle), angle, np.nan) for angle in lonlat(geobox))
    field = smooth(longitude, latitude)
    sand, clay = 450 + 20 * field - 3 * depth, 200 - 10 * field + 2 * depth
    return {"sand": np.round(sand), "silt": np.round(1000 - sand - clay), "clay": np.round(clay)}


def write_soil(folder: Path, geobox: GeoBox = HOMOLOSINE) -> None:
    """Write sand, silt and clay of the topsoil, which get finer with depth."""
    for top, bottom in TOPSOIL:
        for name, values in texture(geobox, (top + bottom) / 2).items():
            stored = np.where(np.isfinite(values), values, NODATA).astype("int16")
            write_tif(folder / f"{name}_{top}-{bottom}cm.tif", stored, geobox, nodata=NODATA)
