"""Sentinel-2 scenes of Level 2A: SAFE folders and flat ones, offsets, scene classes, two resolutions."""

import numpy as np
import pytest
from made_rasters import made, write_tif
from made_scenes import write_sentinel2

from permagrid.covariates import Covariate, build
from permagrid.covariates.surface.sentinel2_scene import BANDS, CLASSES, hidden, read_scenes
from permagrid.covariates.traits import traits_of
from permagrid.errors import PermagridError
from permagrid.grid import make_geobox

SCENE = make_geobox("EPSG:32652", 10, bounds=(500_000, 7_000_000, 500_400, 7_000_400))
GRID = make_geobox("EPSG:32652", 40, bounds=(500_000, 7_000_000, 500_400, 7_000_400))


def _covariate(**keywords):
    return Covariate("x", "sentinel2_index", "1", {"path": ".", "index": "ndvi", **keywords})


def _made(root, grid=GRID, **keywords):
    return made(_covariate(**keywords), grid, root)


def _flat(folder, *, day="20200715", prefix="", bands=("B04", "B08"), offset=0):
    folder.mkdir(parents=True, exist_ok=True)
    for band, value in (("B02", 0.06), ("B03", 0.09), ("B04", 0.1), ("B08", 0.3), ("B11", 0.2), ("SCL", 4)):
        if band in bands:
            coarse = band in ("B11", "SCL")
            box = SCENE.zoom_out(2) if coarse else SCENE
            number = value if band == "SCL" else round(value * 10000) - offset
            write_tif(folder / f"{prefix}{band}.tif", np.full(box.shape, number, "uint16"), box)
    return day


@pytest.mark.parametrize(
    ("baseline", "offset"), [("02.14", 0.0), ("03.01", 0.0), ("04.00", -1000.0), ("05.10", -1000.0)]
)
def test_the_offset_of_a_baseline_is_taken_off(tmp_path, baseline, offset):
    """Numbers of a reflectance are 1000 larger since January 2022; without it NDVI would be too small."""
    write_sentinel2(tmp_path, SCENE, baseline=baseline, reflectance={"red": 0.1, "nir": 0.4})
    (scene,) = read_scenes(str(tmp_path))
    assert set(scene.offsets.values()) == {offset}
    np.testing.assert_allclose(_made(tmp_path), 0.6, atol=1e-6)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ("ndvi", 0.28 / 0.40),
        ("evi", 0.5),
        ("ndwi_mcfeeters", -0.26 / 0.42),
        ("ndwi_gao", 0.14 / 0.54),
        ("ndsi", -0.12 / 0.28),
    ],
)
def test_indices_by_hand(tmp_path, index, expected):
    reflectance = {"blue": 0.04, "green": 0.08, "red": 0.06, "nir": 0.34, "swir1": 0.20}
    write_sentinel2(tmp_path, SCENE, reflectance=reflectance)
    np.testing.assert_allclose(_made(tmp_path, index=index), expected, atol=1e-6)


def test_bands_of_10_m_are_averaged_where_one_of_20_m_is_needed(tmp_path):
    random = np.random.default_rng(4)
    nir = np.round(random.uniform(0.2, 0.5, SCENE.shape), 4)
    swir = np.round(random.uniform(0.1, 0.3, SCENE.zoom_out(2).shape), 4)
    write_sentinel2(tmp_path, SCENE, reflectance={"nir": nir, "swir1": swir})
    coarse = nir.reshape(20, 2, 20, 2).mean(axis=(1, 3))
    expected = ((coarse - swir) / (coarse + swir)).reshape(10, 2, 10, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(_made(tmp_path, index="ndwi_gao"), expected, atol=1e-6)
    fine = (nir - 0.12) / (nir + 0.12)
    np.testing.assert_allclose(_made(tmp_path), fine.reshape(10, 4, 10, 4).mean(axis=(1, 3)), atol=1e-6)


@pytest.mark.parametrize("code", range(12))
def test_each_scene_class_is_masked_by_its_name(tmp_path, code):
    """A class holds one of twelve columns; of 20 m, it hides two columns of 10 m."""
    classes = np.broadcast_to(np.arange(20) % 12, (20, 20))
    write_sentinel2(tmp_path, SCENE, classes=classes, driver="GTiff")
    result = _made(tmp_path, SCENE, mask=[CLASSES[code]], resampling="nearest").values
    expected = np.repeat(np.repeat(classes == code, 2, axis=0), 2, axis=1)
    np.testing.assert_array_equal(np.isnan(result), expected)


def test_classes_have_the_codes_of_the_product():
    by_code = {0: "no_data", 1: "saturated", 3: "cloud_shadow", 4: "vegetation", 6: "water", 11: "snow"}
    by_code |= {2: "dark", 5: "bare", 7: "unclassified", 8: "cloud_medium", 9: "cloud_high", 10: "cirrus"}
    assert dict(enumerate(CLASSES)) == by_code
    np.testing.assert_array_equal(hidden(np.array([0.0, 11.0, np.nan]), ["no_data"]), [1, 0, 1])


def test_by_default_clouds_shadows_and_defects_are_masked(tmp_path):
    write_sentinel2(tmp_path, SCENE, classes=np.broadcast_to(np.arange(20) % 12, (20, 20)), driver="GTiff")
    seen = np.isfinite(_made(tmp_path, SCENE, resampling="nearest").values)[0, ::2][:12]
    assert [code for code in range(12) if seen[code]] == [2, 4, 5, 6, 7, 11]


def test_numbers_without_a_meaning_are_nodata(tmp_path):
    """0 is no data, 65535 is saturated, and a reflectance below zero gives no index."""
    nir = np.full(SCENE.shape, 0.4)
    write_sentinel2(tmp_path, SCENE, reflectance={"nir": nir}, driver="GTiff")
    (path,) = tmp_path.rglob("*_B08_10m.tif")
    stored = np.full(SCENE.shape, 5000, "uint16")
    stored[0, 0], stored[0, 1], stored[0, 2] = 0, 65535, 900
    write_tif(path, stored, SCENE)
    result = _made(tmp_path, SCENE, mask=[], resampling="nearest").values
    assert np.isnan(result[0, :3]).all()
    assert np.isfinite(result[0, 3:]).all()


def test_tiles_of_one_day_are_one_observation_and_days_are_two(tmp_path):
    write_sentinel2(tmp_path, SCENE, reflectance={"red": 0.1, "nir": 0.3})
    neighbour = make_geobox("EPSG:32653", 10, region=(128.998, 63.12, 129.012, 63.13))
    write_sentinel2(tmp_path, neighbour, reflectance={"red": 0.1, "nir": 0.3})
    count = _made(tmp_path, statistic="observations")
    assert (count.max(), count.attrs["scenes"]) == (1, "2 of Sentinel-2A")
    write_sentinel2(tmp_path, SCENE, day="2020-08-20", reflectance={"red": 0.1, "nir": 0.5})
    assert _made(tmp_path, statistic="observations").max() == 2
    middle = (0.5 + 0.4 / 0.6) / 2
    np.testing.assert_allclose(_made(tmp_path).values[2:8, 2:8], middle, atol=1e-6)
    np.testing.assert_allclose(_made(tmp_path, months=[8]), 0.4 / 0.6, atol=1e-6)


@pytest.mark.parametrize("prefix", ["", "T52WDS_20200715T032529_"])
def test_flat_folders_need_a_day_and_an_offset(tmp_path, prefix):
    folder = tmp_path / ("S2B_52WDS_20200715_0_L2A" if not prefix else "scene")
    _flat(folder, prefix=prefix, bands=("B04", "B08", "SCL"), offset=-1000)
    with pytest.raises(
        PermagridError, match=r"has no MTD_MSIL2A\.xml .* set boa_add_offset: 0 for processing"
    ):
        _made(tmp_path)
    result = _made(tmp_path, boa_add_offset=-1000.0)
    np.testing.assert_allclose(result, 0.5, atol=1e-6)
    (scene,) = read_scenes(str(tmp_path), boa_add_offset=-1000.0)
    assert str(scene.day) == "2020-07-15"
    assert scene.satellite == ("Sentinel-2" if prefix else "Sentinel-2B")


def test_a_stated_offset_takes_the_place_of_that_of_the_metadata(tmp_path):
    write_sentinel2(tmp_path, SCENE, baseline="02.14", reflectance={"red": 0.2, "nir": 0.5})
    np.testing.assert_allclose(_made(tmp_path, boa_add_offset=-1000.0), 0.3 / 0.5, atol=1e-6)


def test_a_folder_may_hold_the_bands_of_several_days(tmp_path):
    for day in ("20200715", "20200820"):
        _flat(tmp_path, prefix=f"T52WDS_{day}T032529_")
    scenes = read_scenes(str(tmp_path), boa_add_offset=0)
    assert sorted(str(scene.day) for scene in scenes) == ["2020-07-15", "2020-08-20"]


def test_the_finest_file_of_a_band_is_taken_and_masks_are_no_bands(tmp_path):
    safe = write_sentinel2(tmp_path, SCENE)
    images = next(safe.glob("GRANULE/*")) / "IMG_DATA"
    fine = next((images / "R10m").glob("*_B04_10m.jp2"))
    (images / "R20m" / fine.name.replace("_10m", "_20m")).write_bytes(b"")
    (images.parent / "QI_DATA").mkdir()
    (images.parent / "QI_DATA" / "MSK_DETFOO_B04.jp2").write_bytes(b"")
    (scene,) = read_scenes(str(tmp_path))
    assert scene.files["B04"] == fine
    assert set(scene.files) == {*BANDS.values(), "SCL"}


@pytest.mark.parametrize(
    ("leave_out", "keywords", "message"),
    [
        (
            ("SCL",),
            {},
            "has no file of the band SCL to mask no_data, saturated, .* leave that out of mask if it may",
        ),
        (("B11",), {"index": "ndsi"}, "has no file of the band B11"),
        (("MTD_MSIL2A.xml",), {}, r"has no MTD_MSIL2A\.xml to tell the offset"),
    ],
)
def test_a_scene_that_lacks_something_is_named_at_once_and_by_the_check(
    tmp_path, leave_out, keywords, message
):
    write_sentinel2(tmp_path, SCENE, leave_out=leave_out)
    covariate = _covariate(**keywords)
    with pytest.raises(PermagridError, match=message):
        build("x", {"x": covariate}, GRID, epoch=None, root=tmp_path)
    known = traits_of("sentinel2_index")
    files = known.files(covariate.settings, [(2020, 2020)], tmp_path)
    (told,) = known.faults(covariate.settings, files)
    assert "has no" in told


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<BOA_ADD_OFFSET ", "<OTHER ", "does not tell how numbers become reflectance"),
        (
            "<PROCESSING_BASELINE>05.00</PROCESSING_BASELINE>",
            "",
            "does not tell how numbers become reflectance",
        ),
        ('unit="none">10000', 'unit="none">many', "does not tell how numbers become reflectance"),
        ("</n1:General_Info>", "", "cannot be read as XML"),
    ],
)
def test_metadata_that_tell_too_little_are_named(tmp_path, old, new, message):
    metadata = write_sentinel2(tmp_path, SCENE) / "MTD_MSIL2A.xml"
    text = metadata.read_text()
    assert old in text
    metadata.write_text(
        text.replace(old, new).replace(
            "</BOA_ADD_OFFSET>", "</OTHER>" if "OTHER" in new else "</BOA_ADD_OFFSET>"
        )
    )
    with pytest.raises(PermagridError, match=message):
        _made(tmp_path)


def test_folders_without_scenes_are_named(tmp_path):
    with pytest.raises(PermagridError, match="holds no Sentinel-2 scene of Level 2A"):
        _made(tmp_path)
    level_1 = tmp_path / "S2A_MSIL1C_20200715.SAFE"
    images = level_1 / "GRANULE" / "L1C_T52" / "IMG_DATA"
    images.mkdir(parents=True)
    (level_1 / "MTD_MSIL1C.xml").write_text("<a/>")
    (images / "T52_20200715T101559_B04.jp2").write_bytes(b"")
    with pytest.raises(
        PermagridError, match="what is there is Level 1C: correct it for the atmosphere first"
    ):
        _made(tmp_path)
    with pytest.raises(PermagridError, match="no such file or folder"):
        _made(tmp_path, path="nowhere")
    _flat(tmp_path / "undated")
    with pytest.raises(PermagridError, match="tells its day"):
        _made(tmp_path, boa_add_offset=0.0)


def test_the_files_are_those_that_are_read_and_a_sound_scene_has_no_fault(tmp_path):
    write_sentinel2(tmp_path, SCENE)
    write_sentinel2(tmp_path, SCENE, day="2020-12-15")
    covariate, known = _covariate(season=["06-01", "09-15"]), traits_of("sentinel2_index")
    files = known.files(covariate.settings, [(2020, 2020)], tmp_path)
    ends = {"_B04_10m.jp2", "_B08_10m.jp2", "_SCL_20m.jp2", "MTD_MSIL2A.xml"}
    assert len(files) == 4
    assert all(any(file.name.endswith(end) for file in files) for end in ends)
    assert list(known.faults(covariate.settings, files)) == []
    assert known.files(_covariate(path="nowhere").settings, [(2020, 2020)], tmp_path) == [
        tmp_path / "nowhere"
    ]
