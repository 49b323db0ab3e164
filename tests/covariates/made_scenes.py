"""Small satellite scenes for the tests: Landsat with its MTL, Sentinel-2 in a SAFE folder, MODIS layers."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from made_rasters import write_tif
from odc.geo.geobox import GeoBox

from permagrid.covariates import Covariate
from permagrid.grid import make_geobox

CLEAR = 21824
"""QA_PIXEL of clear land: bit 6, and low confidence of cloud, shadow, snow and cirrus."""

OLI = {"blue": 2, "green": 3, "red": 4, "nir": 5, "swir1": 6, "swir2": 7}
TM = {"blue": 1, "green": 2, "red": 3, "nir": 4, "swir1": 5, "swir2": 7}
SOIL = {"blue": 0.06, "green": 0.09, "red": 0.12, "nir": 0.3, "swir1": 0.25, "swir2": 0.2}
S2_BANDS = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08", "swir1": "B11"}


SCENES = (
    Covariate(
        "landsat_index",
        "landsat_index",
        "1",
        {"path": "landsat", "index": "ndvi", "season": ["06-01", "09-15"]},
        years=(1980, 2019),
    ),
    Covariate(
        "landsat_surface_temperature",
        "landsat_surface_temperature",
        "K",
        {"path": "landsat", "composite": "maximum"},
        years=(1980, 2019),
    ),
    Covariate("sentinel2_index", "sentinel2_index", "1", {"path": "sentinel2", "index": "ndwi_gao"}),
    Covariate(
        "modis_vegetation_index",
        "modis_vegetation_index",
        "1",
        {"path": "ndvi_{month}.tif", "quality_path": "reliability_{month}.tif", "minimum_months": 2},
    ),
    Covariate(
        "modis_land_surface_temperature",
        "modis_land_surface_temperature",
        "degC",
        {"day_path": "lst_day_{month}.tif", "night_path": "lst_night_{month}.tif", "months": [6, 7, 8]},
    ),
)
"""Covariates of the files that `write_scenes` writes."""


def landsat_bands(satellite: int) -> dict[str, int]:
    """Return the bands of a Landsat satellite by colour."""
    return OLI if satellite >= 8 else TM


def write_landsat(
    folder: Path,
    geobox: GeoBox,
    *,
    day: str = "2018-07-15",
    satellite: int = 8,
    reflectance: dict[str, Any] | None = None,
    numbers: dict[str, Any] | None = None,
    kelvin: Any = 283.15,
    quality: Any = CLEAR,
    saturation: Any = 0,
    as_json: bool = False,
    leave_out: tuple[str, ...] = (),
) -> Path:
    """Write a Level-2 scene of Collection 2 and return its MTL file.

    `reflectance` and `kelvin` are made to digital numbers; `numbers` gives those of a colour themselves.
    `leave_out` names groups, keys and files (``QA_PIXEL``) that are not written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    letter = "C" if satellite >= 8 else ("E" if satellite == 7 else "T")
    zone = (geobox.crs.to_epsg() or 0) % 100
    name = f"L{letter}{satellite:02d}_L2SP_0{zone:02d}012_{day.replace('-', '')}_20200101_02_T1"
    thermal = "ST_B10" if satellite >= 8 else "ST_B6"
    bands = landsat_bands(satellite)
    layers: dict[str, Any] = {}
    for colour, value in (SOIL | (reflectance or {})).items():
        layers[f"SR_B{bands[colour]}"] = np.round((np.asarray(value) + 0.2) / 2.75e-5)
    for colour, value in (numbers or {}).items():
        layers[f"SR_B{bands[colour]}"] = value
    layers[thermal] = np.round((np.asarray(kelvin) - 149.0) / 0.00341802)
    layers |= {"QA_PIXEL": quality, "QA_RADSAT": saturation}
    contents = {
        "LANDSAT_PRODUCT_ID": name,
        "PROCESSING_LEVEL": "L2SP",
        "COLLECTION_NUMBER": "02",
        **{f"FILE_NAME_BAND_{n}": f"{name}_SR_B{n}.TIF" for n in bands.values()},
        f"FILE_NAME_BAND_{thermal}": f"{name}_{thermal}.TIF",
        "FILE_NAME_QUALITY_L1_PIXEL": f"{name}_QA_PIXEL.TIF",
        "FILE_NAME_QUALITY_L1_RADIOMETRIC_SATURATION": f"{name}_QA_RADSAT.TIF",
    }
    groups = {
        "PRODUCT_CONTENTS": contents,
        "IMAGE_ATTRIBUTES": {
            "SPACECRAFT_ID": f"LANDSAT_{satellite}",
            "SENSOR_ID": {"C": "OLI_TIRS", "E": "ETM", "T": "TM"}[letter],
            "DATE_ACQUIRED": day,
            "SUN_ELEVATION": "40.0",
        },
        "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS": {
            **{f"REFLECTANCE_MULT_BAND_{n}": "2.75e-05" for n in bands.values()},
            **{f"REFLECTANCE_ADD_BAND_{n}": "-0.2" for n in bands.values()},
        },
        "LEVEL2_SURFACE_TEMPERATURE_PARAMETERS": {
            f"TEMPERATURE_MULT_BAND_{thermal}": "0.00341802",
            f"TEMPERATURE_ADD_BAND_{thermal}": "149.0",
        },
        # The Level-1 scene beneath has the same keys with other values, as real files do.
        "LEVEL1_RADIOMETRIC_RESCALING": {
            **{f"REFLECTANCE_MULT_BAND_{n}": "2.0000E-05" for n in bands.values()},
            **{f"REFLECTANCE_ADD_BAND_{n}": "-0.100000" for n in bands.values()},
        },
    }
    for layer, values in layers.items():
        if layer not in leave_out:
            full = np.broadcast_to(np.asarray(values), geobox.shape).astype("uint16")
            write_tif(folder / f"{name}_{layer}.TIF", full, geobox)
    groups = {
        group: {key: value for key, value in pairs.items() if key not in leave_out}
        for group, pairs in groups.items()
        if group not in leave_out
    }
    path = folder / f"{name}_MTL.{'json' if as_json else 'txt'}"
    path.write_text(json.dumps({"LANDSAT_METADATA_FILE": groups}) if as_json else mtl_text(groups))
    return path


def mtl_text(groups: dict[str, dict[str, str]], root: str = "LANDSAT_METADATA_FILE") -> str:
    """Return groups in the notation of an MTL file."""
    lines = [f"GROUP = {root}"]
    for group, pairs in groups.items():
        lines.append(f"  GROUP = {group}")
        for key, value in pairs.items():
            plain = value.replace(".", "", 1).replace("-", "").replace("e", "").replace("E", "").isdigit()
            lines.append(f"    {key} = {value}" if plain else f'    {key} = "{value}"')
        lines.append(f"  END_GROUP = {group}")
    return "\n".join([*lines, f"END_GROUP = {root}", "END", ""])


def write_sentinel2(
    folder: Path,
    geobox: GeoBox,
    *,
    day: str = "2020-07-15",
    reflectance: dict[str, Any] | None = None,
    classes: Any = 4,
    baseline: str = "05.00",
    driver: str = "JP2OpenJPEG",
    leave_out: tuple[str, ...] = (),
) -> Path:
    """Write a SAFE folder of Level 2A with bands of 10 m on `geobox`, and B11 and SCL of 20 m; return it."""
    stamp, tile = f"{day.replace('-', '')}T101559", f"T{(geobox.crs.to_epsg() or 0) % 100:02d}WFD"
    safe = folder / f"S2A_MSIL2A_{stamp}_N{baseline.replace('.', '')}_R065_{tile}_{stamp}.SAFE"
    images = safe / "GRANULE" / f"L2A_{tile}_A026450_{stamp}" / "IMG_DATA"
    coarse = geobox.zoom_out(2)
    offset = -1000 if float(baseline) >= 4 else 0
    lossless = {"QUALITY": 100, "REVERSIBLE": "YES"} if driver == "JP2OpenJPEG" else {}
    suffix = "jp2" if driver == "JP2OpenJPEG" else "tif"
    for colour, band in (*S2_BANDS.items(), ("classes", "SCL")):
        box, metres = (coarse, 20) if band in ("B11", "SCL") else (geobox, 10)
        value = classes if band == "SCL" else (SOIL | (reflectance or {}))[colour]
        stored = np.asarray(value) if band == "SCL" else np.round(np.asarray(value) * 10000 - offset)
        full = np.broadcast_to(stored, box.shape).astype("uint8" if band == "SCL" else "uint16")
        place = images / f"R{metres}m"
        place.mkdir(parents=True, exist_ok=True)
        if band not in leave_out:
            write_tif(
                place / f"{tile}_{stamp}_{band}_{metres}m.{suffix}", full, box, driver=driver, **lossless
            )
    values = "".join(f'<BOA_ADD_OFFSET band_id="{n}">{offset}</BOA_ADD_OFFSET>' for n in range(13))
    said = f"<BOA_ADD_OFFSET_VALUES_LIST>{values}</BOA_ADD_OFFSET_VALUES_LIST>" if offset else ""
    if "MTD_MSIL2A.xml" not in leave_out:
        (safe / "MTD_MSIL2A.xml").write_text(
            '<?xml version="1.0"?>'
            '<n1:Level-2A_User_Product xmlns:n1="https://example.org/PSD"><n1:General_Info>'
            f"<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>"
            "<SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME>"
            f"<DATATAKE_SENSING_START>{day}T10:15:59.024Z</DATATAKE_SENSING_START>"
            '<BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>'
            f"{said}</n1:General_Info></n1:Level-2A_User_Product>"
        )
    return safe


def write_scenes(folder: Path) -> None:
    """Write the scenes of the tests of every covariate, whose grid lies in north-west Alaska."""
    random = np.random.default_rng(5)
    for zone, year, satellite in ((3, 1984, 5), (2, 1983, 5), (3, 2017, 8), (2, 2018, 9)):
        west = 150_000 if zone == 3 else 350_000
        box = make_geobox(f"EPSG:326{zone:02d}", 22_000, bounds=(west, 7_100_000, west + 880_000, 7_980_000))
        nir = random.uniform(0.2, 0.5, box.shape)
        write_landsat(
            folder / "landsat" / str(year),
            box,
            day=f"{year}-07-1{satellite}",
            satellite=satellite,
            reflectance={"nir": nir},
            kelvin=random.uniform(275, 295, box.shape),
            quality=np.where(random.uniform(size=box.shape) < 0.2, 22280, CLEAR),
        )
    fine = make_geobox("EPSG:32603", 22_000, bounds=(150_000, 7_100_000, 1_030_000, 7_980_000))
    for day in (date(2019, 7, 1), date(2020, 8, 2)):
        write_sentinel2(
            folder / "sentinel2",
            fine,
            day=str(day),
            reflectance={"nir": random.uniform(0.2, 0.5, fine.shape)},
        )
    sinusoidal = make_geobox(
        "+proj=sinu +R=6371007.181 +units=m +type=crs", 25_000, bounds=(-7.6e6, 7.1e6, -6.2e6, 8.1e6)
    )
    for month in (6, 7, 8):
        index = random.integers(1000, 8000, sinusoidal.shape).astype("int16")
        write_tif(folder / f"ndvi_{month:02d}.tif", index, sinusoidal, nodata=-3000)
        good = random.integers(0, 2, sinusoidal.shape).astype("int8")
        write_tif(folder / f"reliability_{month:02d}.tif", good, sinusoidal, nodata=-1)
        for view, kelvin in (("day", 285.0), ("night", 275.0)):
            lst = np.round((kelvin + random.uniform(0, 8, sinusoidal.shape)) / 0.02).astype("uint16")
            write_tif(folder / f"lst_{view}_{month:02d}.tif", lst, sinusoidal, nodata=0)
