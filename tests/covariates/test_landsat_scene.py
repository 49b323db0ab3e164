"""Landsat scenes: what MTL files say, and numbers made reflectance and temperature, against hand-work."""

import math
import re

import numpy as np
import pytest
import rasterio
from made_rasters import made
from made_scenes import mtl_text, write_landsat

from permagrid.covariates import Covariate
from permagrid.covariates.surface.landsat_scene import mtl_files, read_scene, read_scenes
from permagrid.covariates.surface.mtl import read_mtl
from permagrid.errors import PermagridError
from permagrid.grid import make_geobox

SCENE = make_geobox("EPSG:32652", 30, bounds=(500_000, 7_000_000, 500_300, 7_000_300))

LEVEL_1 = {
    "PRODUCT_CONTENTS": {
        "PROCESSING_LEVEL": "L1TP",
        "COLLECTION_NUMBER": "02",
        **{f"FILE_NAME_BAND_{n}": f"x_B{n}.TIF" for n in (2, 3, 4, 5, 6, 10)},
    },
    "IMAGE_ATTRIBUTES": {
        "SPACECRAFT_ID": "LANDSAT_8",
        "SENSOR_ID": "OLI_TIRS",
        "DATE_ACQUIRED": "2018-08-24",
        "SUN_ELEVATION": "30.0",
    },
    "LEVEL1_MIN_MAX_RADIANCE": {
        "RADIANCE_MAXIMUM_BAND_10": "22.00180",
        "RADIANCE_MINIMUM_BAND_10": "0.10033",
    },
    "LEVEL1_MIN_MAX_PIXEL_VALUE": {
        "QUANTIZE_CAL_MAX_BAND_4": "65535",
        "QUANTIZE_CAL_MIN_BAND_4": "1",
        "QUANTIZE_CAL_MAX_BAND_10": "65535",
        "QUANTIZE_CAL_MIN_BAND_10": "1",
    },
    "LEVEL1_RADIOMETRIC_RESCALING": {
        "REFLECTANCE_MULT_BAND_4": "2.0000E-05",
        "REFLECTANCE_ADD_BAND_4": "-0.100000",
    },
    "LEVEL1_THERMAL_CONSTANTS": {
        "K1_CONSTANT_BAND_10": "774.8853",
        "K2_CONSTANT_BAND_10": "1321.0789",
    },
}


def _level_1(folder, *, without=(), **groups):
    """Write the MTL file of a Level-1 scene with some groups changed, and read the scene."""
    changed = {name: {**pairs, **groups.get(name, {})} for name, pairs in LEVEL_1.items()}
    path = folder / "x_MTL.txt"
    kept = {n: {k: v for k, v in pairs.items() if k not in without} for n, pairs in changed.items()}
    path.write_text(mtl_text(kept))
    return read_scene(path)


def _value(scene, colour, number):
    return float(scene.calibration(colour).values(np.array([float(number)]))[0])


@pytest.mark.parametrize("as_json", [False, True])
def test_text_and_json_say_the_same(tmp_path, as_json):
    scene = read_scene(write_landsat(tmp_path, SCENE, as_json=as_json))
    assert (scene.satellite, str(scene.day), scene.level) == ("Landsat 8", "2018-07-15", "surface")
    assert scene.name == "LC08_L2SP_052012_20180715_20200101_02_T1"
    assert scene.file("red").name.endswith("_SR_B4.TIF")
    assert scene.file("thermal").name.endswith("_ST_B10.TIF")
    assert scene.quality.name.endswith("_QA_PIXEL.TIF")


def test_of_a_text_and_a_json_file_one_is_read(tmp_path):
    write_landsat(tmp_path, SCENE)
    write_landsat(tmp_path, SCENE, as_json=True)
    assert [path.suffix for path in mtl_files(str(tmp_path))] == [".txt"]


@pytest.mark.parametrize(
    ("satellite", "bands"),
    [
        (4, ["SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "ST_B6"]),
        (5, ["SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "ST_B6"]),
        (7, ["SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "ST_B6"]),
        (8, ["SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6", "ST_B10"]),
        (9, ["SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6", "ST_B10"]),
    ],
)
def test_each_satellite_has_its_own_bands(tmp_path, satellite, bands):
    scene = read_scene(write_landsat(tmp_path, SCENE, satellite=satellite))
    for colour, band in zip(("blue", "green", "red", "nir", "swir1", "thermal"), bands, strict=True):
        assert scene.file(colour).name.endswith(f"_{band}.TIF")


def test_collection_2_by_hand(tmp_path):
    scene = read_scene(write_landsat(tmp_path, SCENE))
    assert _value(scene, "red", 20_000) == pytest.approx(20_000 * 2.75e-5 - 0.2)
    # The valid range that the USGS states for surface reflectance: 7273 to 43636.
    assert [math.isnan(_value(scene, "red", n)) for n in (0, 7272, 7273, 43636, 43637)] == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert _value(scene, "thermal", 39_248) == pytest.approx(283.15, abs=0.002)
    assert [math.isnan(_value(scene, "thermal", n)) for n in (0, 292, 293, 65535)] == [
        True,
        True,
        False,
        False,
    ]


def test_factors_are_those_of_the_mtl_file_and_else_those_of_the_collection(tmp_path):
    path = write_landsat(tmp_path, SCENE)
    text = path.read_text()
    group = "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"
    path.write_text(text.replace("REFLECTANCE_MULT_BAND_4 = 2.75e-05", "REFLECTANCE_MULT_BAND_4 = 1e-4", 1))
    assert _value(read_scene(path), "red", 5000) == pytest.approx(0.3)
    bare = re.sub(f"GROUP = {group}.*?END_GROUP = {group}", "", text, flags=re.DOTALL)
    path.write_text(bare)
    # Not the factors of Level 1, which are in the file too.
    assert _value(read_scene(path), "red", 20_000) == pytest.approx(0.35)
    path.write_text(bare.replace("TEMPERATURE_MULT", "X").replace("TEMPERATURE_ADD", "Y"))
    assert _value(read_scene(path), "thermal", 39_248) == pytest.approx(283.15, abs=0.002)


def test_level_1_of_landsat_8_by_hand(tmp_path):
    scene = _level_1(tmp_path)
    assert scene.level == "top_of_atmosphere"
    # (2e-5 * 15000 - 0.1) / sin(30 degrees)
    assert _value(scene, "red", 15_000) == pytest.approx(0.4)
    gain = (22.00180 - 0.10033) / 65534
    radiance = 0.10033 + gain * (27_000 - 1)
    assert _value(scene, "thermal", 27_000) == pytest.approx(1321.0789 / math.log(774.8853 / radiance + 1))
    assert 280 < _value(scene, "thermal", 27_000) < 300
    assert math.isnan(_value(scene, "red", 0))
    assert math.isnan(_value(scene, "red", 65535))


def test_level_1_of_landsat_7_has_a_thermal_band_of_low_gain(tmp_path):
    groups = {
        "PRODUCT_CONTENTS": {"FILE_NAME_BAND_6_VCID_1": "x_B6_VCID_1.TIF"},
        "IMAGE_ATTRIBUTES": {"SPACECRAFT_ID": "LANDSAT_7", "SENSOR_ID": "ETM"},
        "LEVEL1_MIN_MAX_RADIANCE": {
            "RADIANCE_MAXIMUM_BAND_6_VCID_1": "17.04",
            "RADIANCE_MINIMUM_BAND_6_VCID_1": "0.0",
        },
        "LEVEL1_MIN_MAX_PIXEL_VALUE": {
            "QUANTIZE_CAL_MAX_BAND_6_VCID_1": "255",
            "QUANTIZE_CAL_MIN_BAND_6_VCID_1": "1",
        },
    }
    scene = _level_1(tmp_path, **groups)
    assert scene.file("thermal").name == "x_B6_VCID_1.TIF"
    radiance = 17.04 / 254 * (131 - 1)
    assert _value(scene, "thermal", 131) == pytest.approx(1282.71 / math.log(666.09 / radiance + 1))


def test_mtl_files_from_before_2012(tmp_path):
    """Keys had other names then: LMAX_BAND3, BAND3_FILE_NAME, ACQUISITION_DATE."""
    pairs = {
        "PRODUCT_METADATA": {
            "PRODUCT_TYPE": "L1T",
            "SPACECRAFT_ID": "Landsat5",
            "SENSOR_ID": "TM",
            "ACQUISITION_DATE": "2009-07-04",
            "BAND3_FILE_NAME": "L5_B30.TIF",
        },
        "MIN_MAX_RADIANCE": {"LMAX_BAND3": "264.000", "LMIN_BAND3": "-1.170"},
        "MIN_MAX_PIXEL_VALUE": {"QCALMAX_BAND3": "255.0", "QCALMIN_BAND3": "1.0"},
        "PRODUCT_PARAMETERS": {"SUN_ELEVATION": "90.0"},
    }
    path = tmp_path / "L5_MTL.txt"
    path.write_text(mtl_text(pairs, "L1_METADATA_FILE") + "\0" * 500)
    scene = read_scene(path)
    assert (scene.file("red").name, scene.level) == ("L5_B30.TIF", "top_of_atmosphere")
    # Earth is farthest from the sun on the fourth of July: 1 + 0.01672 astronomical units.
    assert scene.sun_distance == pytest.approx(1.01672, abs=2e-5)
    radiance = -1.17 + (264 + 1.17) / 254 * (101 - 1)
    assert _value(scene, "red", 101) == pytest.approx(math.pi * radiance * scene.sun_distance**2 / 1536.0)


def _folder(root):
    return root / "landsat5-subset"


def _real(root, band):
    (path,) = _folder(root).glob(f"LT5*_B{band}.TIF")
    with rasterio.open(path) as raster:
        return raster.read(1).astype(float)


def _reflectance(root, band, solar):
    """Return reflectance at the top of the atmosphere by the equations of Chander et al. (2009)."""
    (path,) = _folder(root).glob("LT5*_MTL.txt")
    text = path.read_text(errors="replace")
    low, high, height = (
        float(re.search(rf"{key} = (\S+)", text)[1])
        for key in (f"RADIANCE_MINIMUM_BAND_{band}", f"RADIANCE_MAXIMUM_BAND_{band}", "SUN_ELEVATION")
    )
    radiance = (high - low) / (255 - 1) * (_real(root, band) - 1) + low
    distance = 1 - 0.01672 * math.cos(math.radians(0.9856 * (227 - 4)))
    return math.pi * radiance * distance**2 / (solar * math.cos(math.radians(90 - height)))


def test_the_real_landsat_5_scene_by_hand(real_data):
    blue, green, red, nir, swir = (
        _reflectance(real_data, band, solar)
        for band, solar in ((1, 1983.0), (2, 1796.0), (3, 1536.0), (4, 1031.0), (5, 220.0))
    )
    by_hand = {
        "ndvi": (nir - red) / (nir + red),
        "evi": 2.5 * (nir - red) / (nir + 6 * red - 7.5 * blue + 1),
        "ndwi_mcfeeters": (green - nir) / (green + nir),
        "ndwi_gao": (nir - swir) / (nir + swir),
        "ndsi": (green - swir) / (green + swir),
    }
    grid = make_geobox("EPSG:32622", 30, bounds=(619_395, -419_505, 628_005, -410_205))
    assert grid.shape == blue.shape == (310, 287)
    for name, expected in by_hand.items():
        values = _landsat(name, grid, real_data, resampling="nearest").values
        known = np.abs(expected) <= 1
        np.testing.assert_allclose(values[known], expected[known], atol=2e-6)
        assert np.isnan(values[~known]).all()
    # A river in a forest: what a leaf and what water look like.
    forest, water = by_hand["ndvi"] > 0.6, by_hand["ndvi"] < 0
    assert forest.mean() > 0.5
    assert 0.005 < water.mean() < 0.3
    assert by_hand["ndwi_mcfeeters"][water].mean() > 0 > by_hand["ndwi_mcfeeters"][forest].mean()
    assert by_hand["ndwi_gao"][forest].mean() > 0.2


def test_a_coarse_cell_of_the_real_scene_has_the_mean_of_its_indices(real_data):
    red, nir = _reflectance(real_data, 3, 1536.0), _reflectance(real_data, 4, 1031.0)
    ndvi = ((nir - red) / (nir + red))[:300, :280]
    grid = make_geobox("EPSG:32622", 300, bounds=(619_395, -419_205, 627_795, -410_205))
    values = _landsat("ndvi", grid, real_data).values
    np.testing.assert_allclose(values, ndvi.reshape(30, 10, 28, 10).mean(axis=(1, 3)), atol=2e-6)


def test_the_brightness_temperature_of_the_real_scene(real_data):
    radiance = 1.238 + (15.303 - 1.238) / 254 * (_real(real_data, 6) - 1)
    by_hand = 1260.56 / np.log(607.76 / radiance + 1) - 273.15
    grid = make_geobox("EPSG:32622", 30, bounds=(619_395, -419_505, 628_005, -410_205))
    keywords = {"path": "landsat5-subset/LT5*_MTL.txt", "level": "top_of_atmosphere", "mask": []}
    covariate = Covariate("t", "landsat_surface_temperature", "degC", keywords | {"resampling": "nearest"})
    values = made(covariate, grid, real_data).values
    np.testing.assert_allclose(values, by_hand, atol=1e-4)
    assert 15 < values.min() < values.max() < 35


def _landsat(index, grid, root, **keywords):
    keywords = {
        "path": "landsat5-subset/LT5*_MTL.txt",
        "index": index,
        "level": "top_of_atmosphere",
        "mask": [],
        **keywords,
    }
    array = made(Covariate(index, "landsat_index", "1", keywords), grid, root)
    assert "top of atmosphere" in array.level
    return array


def test_the_real_mtl_files_are_read(real_data):
    files = mtl_files(str(_folder(real_data)))
    five, eight = sorted((read_scene(path) for path in files), key=lambda scene: scene.day)
    assert (five.satellite, str(five.day), five.quality) == ("Landsat 5", "1988-08-14", None)
    assert (eight.satellite, str(eight.day), eight.level) == ("Landsat 8", "2018-08-24", "top_of_atmosphere")
    assert eight.sun_distance == 1.0110014
    assert eight.calibration("nir").factor == pytest.approx(2e-5 / math.sin(math.radians(47.03107233)))
    assert eight.calibration("thermal").planck == (774.8853, 1321.0789)
    # The old scene tells no distance: the formula is good to half a part in a thousand.
    assert five.sun_distance == pytest.approx(1.0128, abs=5e-4)


def test_the_real_old_scene_has_no_quality_band(real_data):
    message = r"LT5\S+_MTL\.txt: the scene has no QA_PIXEL of Collection 2 to mask cloud by"
    with pytest.raises(PermagridError, match=message):
        _landsat("ndvi", SCENE, real_data, mask=["cloud"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"IMAGE_ATTRIBUTES": {"SUN_ELEVATION": "-3.0"}}, "reflectance needs SUN_ELEVATION, found -3"),
        ({"IMAGE_ATTRIBUTES": {"SUN_ELEVATION": "high"}}, "SUN_ELEVATION must be a number, found 'high'"),
        (
            {"IMAGE_ATTRIBUTES": {"DATE_ACQUIRED": "24.8.2018"}},
            "DATE_ACQUIRED must be a day, found '24.8.2018'",
        ),
        ({"IMAGE_ATTRIBUTES": {"SENSOR_ID": "MSS"}}, "sensor MSS of LANDSAT_8 is not read"),
        ({"IMAGE_ATTRIBUTES": {"SPACECRAFT_ID": "LANDSAT_3"}}, "sensor OLI_TIRS of LANDSAT_3 is not read"),
    ],
)
def test_what_an_mtl_file_says_wrong_is_named(tmp_path, change, message):
    with pytest.raises(PermagridError, match=message):
        _level_1(tmp_path, **change).calibration("red")


@pytest.mark.parametrize(
    ("key", "colour", "message"),
    [
        ("SENSOR_ID", "red", "has no SENSOR_ID"),
        ("SUN_ELEVATION", "red", "reflectance needs SUN_ELEVATION, found None"),
        ("REFLECTANCE_MULT_BAND_4", "red", "has no REFLECTANCE_MULT_BAND_4"),
        ("K1_CONSTANT_BAND_10", "thermal", "has no K1_CONSTANT_BAND_10"),
        ("RADIANCE_MAXIMUM_BAND_10", "thermal", "has no RADIANCE_MULT_BAND_10"),
    ],
)
def test_what_an_mtl_file_lacks_is_named(tmp_path, key, colour, message):
    with pytest.raises(PermagridError, match=message):
        _level_1(tmp_path, without=(key,)).calibration(colour)


def test_a_band_that_is_not_named_is_named(tmp_path):
    with pytest.raises(PermagridError, match=r"names no file of the nir band \(FILE_NAME_BAND_5\)"):
        _level_1(tmp_path, without=("FILE_NAME_BAND_5",)).file("nir")


@pytest.mark.parametrize(
    ("name", "text"), [("a_MTL.txt", "hello"), ("a_MTL.json", "[1"), ("a_MTL.json", "[]")]
)
def test_what_is_no_mtl_file_is_refused(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(PermagridError, match=r"is no (MTL file of a Landsat scene|JSON)"):
        read_mtl(path)


def test_a_file_name_cannot_lead_out_of_the_folder(tmp_path):
    scene = _level_1(tmp_path, PRODUCT_CONTENTS={"FILE_NAME_BAND_4": "../../etc/x_B4.TIF"})
    assert scene.file("red") == tmp_path / "x_B4.TIF"


def test_a_scene_without_its_mtl_file_is_named(tmp_path):
    write_landsat(tmp_path / "whole", SCENE, day="2018-07-01")
    lost = write_landsat(tmp_path / "lost", SCENE)
    lost.unlink()
    message = r"_SR_B2\.TIF: the scene has no MTL file; LC08_L2SP_052012_20180715_20200101_02_T1_MTL\.txt"
    with pytest.raises(PermagridError, match=message):
        read_scenes(str(tmp_path))
    assert len(read_scenes(str(tmp_path / "whole"))) == 1


def test_folders_without_scenes_are_named(tmp_path):
    with pytest.raises(PermagridError, match=r"nowhere: no such file or folder"):
        read_scenes(str(tmp_path / "nowhere"))
    with pytest.raises(PermagridError, match="holds no Landsat scene"):
        read_scenes(str(tmp_path))
    (tmp_path / "LC08_L2SP.tar").write_bytes(b"")
    with pytest.raises(PermagridError, match=r"unpack LC08_L2SP\.tar and the like first"):
        read_scenes(str(tmp_path))
    with pytest.raises(PermagridError, match="scenes are read from folders"):
        read_scenes("https://example.org/scenes/")
