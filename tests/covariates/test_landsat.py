"""Composites of Landsat scenes: which are chosen, how they are combined, and what is told of faulty ones."""

import numpy as np
import pytest
import rasterio
from made_rasters import made, write_tif
from made_scenes import CLEAR, write_landsat

from permagrid.covariates import Covariate, build, resample
from permagrid.covariates.surface import composite
from permagrid.covariates.traits import traits_of
from permagrid.errors import PermagridError
from permagrid.grid import cells_of, lonlat, make_geobox

SCENE = make_geobox("EPSG:32652", 30, bounds=(500_000, 7_000_000, 501_200, 7_001_200))
GRID = make_geobox("EPSG:32652", 150, bounds=(500_000, 7_000_000, 501_200, 7_001_200))
CLOUD = 22280
"""QA_PIXEL of a cloud."""


def _covariate(method="landsat_index", **keywords):
    unit, usual = ("1", {"path": ".", "index": "ndvi"}) if "index" in method else ("degC", {"path": "."})
    years = keywords.pop("years", None)
    return Covariate("x", method, unit, {**usual, **keywords}, years=years)


def _made(root, grid=GRID, *, epoch=None, **keywords):
    return made(_covariate(**keywords), grid, root, epoch=epoch)


def _ndvi(value):
    """Return reflectances of which the NDVI is a value, as the numbers of the product round them."""
    nir = 0.2 * (1 + value) / (1 - value)
    red, nir = (round((part + 0.2) / 2.75e-5) * 2.75e-5 - 0.2 for part in (0.2, nir))
    return {"red": red, "nir": nir}, (nir - red) / (nir + red)


def _series(root, values, *, year=2018, quality=None, **keywords):
    """Write a scene per day whose NDVI is a value everywhere, and return the values as they are stored."""
    stored = []
    for day, value in enumerate(values, start=1):
        reflectance, exact = _ndvi(value)
        masks = {} if quality is None else {"quality": quality[day - 1]}
        write_landsat(
            root / f"{year}-{day}",
            SCENE,
            day=f"{year}-07-{day:02d}",
            reflectance=reflectance,
            **masks,
            **keywords,
        )
        stored.append(exact)
    return stored


def test_the_median_and_the_maximum_of_scenes(tmp_path):
    low, middle, high = _series(tmp_path, [0.2, 0.5, 0.6])
    np.testing.assert_allclose(_made(tmp_path), middle, atol=1e-6)
    np.testing.assert_allclose(_made(tmp_path, composite="maximum"), high, atol=1e-6)
    assert low < middle


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two(tmp_path):
    values = _series(tmp_path, [0.6, 0.2, 0.3, 0.5])
    np.testing.assert_allclose(_made(tmp_path), (values[2] + values[3]) / 2, atol=1e-6)


def test_clouds_are_left_out_and_valid_observations_counted(tmp_path):
    cloudy = np.full(SCENE.shape, CLEAR)
    cloudy[:, :20] = CLOUD
    values = _series(tmp_path, [0.2, 0.6, 0.4], quality=[CLEAR, cloudy, cloudy])
    result = _made(tmp_path)
    np.testing.assert_allclose(result[:, :4], values[0], atol=1e-6)
    np.testing.assert_allclose(result[:, 4:], values[2], atol=1e-6)
    count = _made(tmp_path, statistic="observations")
    np.testing.assert_array_equal(count[:, :4], 1)
    np.testing.assert_array_equal(count[:, 4:], 3)
    strict = _made(tmp_path, minimum_observations=2)
    assert np.isnan(strict[:, :4]).all()
    np.testing.assert_array_equal(strict[:, 4:], result[:, 4:])


def test_cells_are_masked_before_they_are_averaged(tmp_path):
    """A grid cell has the mean of its clear cells, if those are half of it, and the index is made before."""
    random = np.random.default_rng(1)
    red, nir = random.uniform(0.05, 0.2, SCENE.shape), random.uniform(0.2, 0.5, SCENE.shape)
    quality = np.where(random.uniform(size=SCENE.shape) < 0.45, CLOUD, CLEAR)
    write_landsat(tmp_path, SCENE, reflectance={"red": red, "nir": nir}, quality=quality)
    red, nir = (np.round((part + 0.2) / 2.75e-5) * 2.75e-5 - 0.2 for part in (red, nir))
    index = np.where(quality == CLEAR, (nir - red) / (nir + red), np.nan).reshape(8, 5, 8, 5)
    clear = np.isfinite(index).sum(axis=(1, 3))
    expected = np.where(2 * clear >= 25, np.nanmean(index, axis=(1, 3)), np.nan)
    assert 0.05 < np.isnan(expected).mean() < 0.6
    result = _made(tmp_path)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    # The index of mean reflectances would be another one.
    means = [part.reshape(8, 5, 8, 5).mean(axis=(1, 3)) for part in (red, nir)]
    assert np.nanmax(np.abs((means[1] - means[0]) / (means[1] + means[0]) - expected)) > 0.01
    assert "at its own resolution, masked (" in result.analysis
    assert "then brought to the grid; median" in result.analysis


def test_scenes_are_chosen_by_epoch_and_season(tmp_path):
    first = _series(tmp_path, [0.2], year=1994, satellite=5)
    second = _series(tmp_path, [0.4], year=1998, satellite=5)
    write_landsat(tmp_path / "winter", SCENE, day="1998-12-03", reflectance=_ndvi(0.1)[0], satellite=5)
    for epoch, season, expected in (
        ((1990, 1994), None, first[0]),
        ((1995, 1999), ["06-01", "09-15"], second[0]),
        ((1995, 1999), ["11-15", "02-28"], _ndvi(0.1)[1]),
        ((1990, 1999), ["07-01", "07-01"], (first[0] + second[0]) / 2),
    ):
        result = _made(tmp_path, epoch=epoch, years=(1984, 2011), season=season)
        np.testing.assert_allclose(result, expected, atol=1e-6)
    result = _made(tmp_path, epoch=(1995, 1999), years=(1984, 2011), months=[12])
    np.testing.assert_allclose(result, _ndvi(0.1)[1], atol=1e-6)
    assert result.valid_years == "1998"
    assert result.scenes == "1 of Landsat 5"
    # Without years of its own a covariate takes them all.
    result = _made(tmp_path, months=[7])
    np.testing.assert_allclose(result, (first[0] + second[0]) / 2, atol=1e-6)
    assert result.valid_years == "1994, 1998"
    # One that stands for every epoch takes those of its years.
    static = Covariate(
        "x",
        "landsat_index",
        "1",
        {"path": ".", "index": "ndvi", "months": [7]},
        years=(1996, 2000),
        static=True,
    )
    np.testing.assert_allclose(made(static, GRID, tmp_path, epoch=(1990, 1994)), second[0], atol=1e-6)


def test_scenes_of_two_zones_are_brought_to_the_grid_each_on_its_own(tmp_path):
    """One side of 132 E is zone 52, the other 53; the grid lies across."""
    grid = make_geobox("EPSG:4326", 0.01, bounds=(131.9, 63.0, 132.1, 63.1))
    values = []
    for zone, value in ((52, 0.3), (53, 0.5)):
        reflectance, exact = _ndvi(value)
        box = make_geobox(f"EPSG:326{zone}", 200, region=(131.88, 62.98, 132.12, 63.12))
        half = np.broadcast_to(np.arange(box.shape[1]) < box.shape[1] // 2, box.shape)
        shown = half if zone == 52 else ~half
        write_landsat(
            tmp_path / str(zone),
            box,
            day=f"2018-07-{zone - 40}",
            reflectance=reflectance,
            quality=np.where(shown, CLEAR, 1),
        )
        values.append(exact)
    result = _made(tmp_path, grid).values
    np.testing.assert_allclose(result[:, :8], values[0], atol=1e-6)
    np.testing.assert_allclose(result[:, -8:], values[1], atol=1e-6)
    assert np.isfinite(result).mean() > 0.9


@pytest.mark.parametrize("region", [(179.9, 66.0, -179.9, 66.1), (179.8, 66.0, -179.8, 66.1)])
def test_scenes_on_either_side_of_the_antimeridian(tmp_path, region):
    grid = make_geobox("EPSG:4326", 0.01, region=region)
    values = {}
    for zone, value, (west, east) in ((60, 0.3, (179.7, 180.0)), (1, 0.5, (-180.0, -179.7))):
        reflectance, values[zone] = _ndvi(value)
        box = make_geobox(f"EPSG:326{zone:02d}", 200, region=(west, 65.95, east, 66.15))
        write_landsat(tmp_path / str(zone), box, day=f"2018-07-{zone % 30 + 1:02d}", reflectance=reflectance)
    result = _made(tmp_path, grid).values
    middle = grid.shape[1] // 2
    np.testing.assert_allclose(result[:, : middle - 2], values[60], atol=1e-6)
    np.testing.assert_allclose(result[:, middle + 2 :], values[1], atol=1e-6)
    assert np.isfinite(result).all()


def test_neighbours_along_one_orbit_are_one_observation(tmp_path):
    """The same day and satellite: where the scenes overlap, their mean counts once."""
    one, other, late = _ndvi(0.2), _ndvi(0.4), _ndvi(0.5)
    write_landsat(tmp_path / "row 12", SCENE, day="2018-07-01", reflectance=one[0])
    shifted = make_geobox("EPSG:32652", 30, bounds=(500_000, 6_999_400, 501_200, 7_000_600))
    write_landsat(tmp_path / "row 13", shifted, day="2018-07-01", reflectance=other[0])
    write_landsat(tmp_path / "late", SCENE, day="2018-08-01", reflectance=late[0])
    count = _made(tmp_path, statistic="observations").values
    np.testing.assert_array_equal(count, 2)
    np.testing.assert_allclose(_made(tmp_path).values[:4], (one[1] + late[1]) / 2, atol=1e-6)
    both = (one[1] + other[1]) / 2
    np.testing.assert_allclose(_made(tmp_path).values[4:], (both + late[1]) / 2, atol=1e-6)


def test_surface_temperature_is_in_the_unit_of_the_covariate(tmp_path):
    kelvin = np.linspace(270.0, 300.0, SCENE.shape[0] * SCENE.shape[1]).reshape(SCENE.shape)
    write_landsat(tmp_path, SCENE, kelvin=kelvin)
    celsius = made(_covariate("landsat_surface_temperature"), GRID, tmp_path)
    expected = kelvin.reshape(8, 5, 8, 5).mean(axis=(1, 3))
    np.testing.assert_allclose(celsius, expected - 273.15, atol=0.002)
    warm = Covariate("x", "landsat_surface_temperature", "K", {"path": "."})
    np.testing.assert_allclose(made(warm, GRID, tmp_path), expected, atol=0.002)


def test_scenes_without_a_temperature_are_left_alone(tmp_path):
    write_landsat(tmp_path / "a", SCENE, kelvin=280.0)
    bare = write_landsat(tmp_path / "b", SCENE, day="2018-07-20", leave_out=("FILE_NAME_BAND_ST_B10",))
    result = made(_covariate("landsat_surface_temperature"), GRID, tmp_path)
    np.testing.assert_allclose(result, 280.0 - 273.15, atol=0.002)
    assert result.scenes == "1 of Landsat 8"
    with pytest.raises(PermagridError, match="none of its 1 scenes holds a surface temperature"):
        made(_covariate("landsat_surface_temperature", path=str(bare.parent)), GRID, tmp_path)


def test_cells_outside_all_scenes_are_nodata_with_no_observation(tmp_path):
    _series(tmp_path, [0.4])
    wide = make_geobox("EPSG:32652", 150, bounds=(499_400, 6_999_400, 501_800, 7_001_800))
    inside = np.zeros(wide.shape, dtype=bool)
    inside[4:12, 4:12] = True
    np.testing.assert_array_equal(np.isfinite(_made(tmp_path, wide).values), inside)
    np.testing.assert_array_equal(_made(tmp_path, wide, statistic="observations").values, inside)


@pytest.mark.parametrize("name", ["median", "maximum"])
def test_neither_chunks_nor_parts_nor_memory_change_a_value(tmp_path, monkeypatch, name):
    random = np.random.default_rng(2)
    for day in range(1, 6):
        west = 500_000 + 120 * day
        box = make_geobox("EPSG:32652", 30, bounds=(west, 7_000_000, west + 900, 7_001_200))
        write_landsat(
            tmp_path / str(day),
            box,
            day=f"2018-07-{day:02d}",
            reflectance={"nir": random.uniform(0.1, 0.6, box.shape)},
            quality=np.where(random.uniform(size=box.shape) < 0.3, CLOUD, CLEAR),
        )
    grid = make_geobox("EPSG:6931", 80, region=(129.0, 63.125, 129.02, 63.135))
    first = _made(tmp_path, grid, composite=name).values
    assert 0.1 < np.isfinite(first).mean() < 1
    monkeypatch.setattr(composite, "STACK_BYTES", 100)
    monkeypatch.setattr(composite, "_SMALLEST", 10)
    np.testing.assert_array_equal(_made(tmp_path, grid, composite=name).values, first)
    monkeypatch.setattr(resample, "CHUNK", 12)
    covariate = _covariate(composite=name)
    for window in (np.s_[:, :], np.s_[5:17, 3:11]):
        part = build("x", {"x": covariate}, grid[window], epoch=None, root=tmp_path, whole=grid)
        np.testing.assert_array_equal(part.compute(scheduler="threads", num_workers=3).values, first[window])


def test_only_scenes_near_a_part_are_read(tmp_path, monkeypatch):
    """Chunks on the other side of the grid must not open a scene: it may be one of thousands."""
    monkeypatch.setattr(resample, "CHUNK", 16)
    _series(tmp_path, [0.4])
    wide = make_geobox("EPSG:32652", 150, bounds=(500_000, 7_000_000, 510_000, 7_010_000))
    lazy = build("x", {"x": _covariate()}, wide, epoch=None, root=tmp_path)
    for file in tmp_path.rglob("*.TIF"):
        file.unlink()
    assert np.isnan(lazy[:16, 32:48].compute(scheduler="synchronous").values).all()
    with pytest.raises(PermagridError, match="cannot be read"):
        lazy[-16:, :16].compute(scheduler="synchronous")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"season": ["06-01", "09-15"], "months": [7]}, "give season or months, not both"),
        ({"season": ["06-01"]}, r"season is its first and last day .* found \['06-01'\]"),
        ({"season": ["6-1", "9-15"]}, "season is its first and last day"),
        ({"season": ["06-31", "09-15"]}, "season is its first and last day"),
        ({"months": []}, r"months are numbers from 1 to 12, found \[\]"),
        ({"months": [0, 7]}, "months are numbers from 1 to 12"),
        ({"minimum_observations": 0}, "minimum_observations must be at least 1, found 0"),
        ({"season": ["01-01", "05-31"]}, r"covariate x: no scene in 01-01 to 05-31 among the 1 in \."),
        ({"months": [1]}, r"no scene in months 1 among the 1 in \., 2018-07-01 to 2018-07-01"),
        (
            {"level": "top_of_atmosphere"},
            r"\.: holds no scene of the top of atmosphere \(Level 1\), but 1 of the surface \(Level 2\): set "
            "level: surface",
        ),
        ({"path": "elsewhere"}, "elsewhere: no such file or folder"),
        ({"path": "https://example.org/"}, "scenes are read from folders; fetch them first"),
    ],
)
def test_what_is_asked_wrong_is_told_when_it_is_built(tmp_path, keywords, message):
    _series(tmp_path, [0.4])
    with pytest.raises(PermagridError, match=message):
        build("x", {"x": _covariate(**keywords)}, GRID, epoch=None, root=tmp_path)


def test_no_scene_of_the_epoch_is_told(tmp_path):
    _series(tmp_path, [0.4])
    message = (
        r"covariate x: no scene of 1990-1994 in the whole year among the 1 in \., 2018-07-01 to 2018-07-01"
    )
    with pytest.raises(PermagridError, match=message):
        _made(tmp_path, epoch=(1990, 1994), years=(1984, 2020))


@pytest.mark.parametrize(
    ("leave_out", "mask", "message"),
    [
        (
            ("FILE_NAME_QUALITY_L1_PIXEL",),
            ["cloud", "snow"],
            "no QA_PIXEL of Collection 2 to mask cloud, snow by",
        ),
        (
            ("FILE_NAME_QUALITY_L1_RADIOMETRIC_SATURATION",),
            ["saturation"],
            "no QA_RADSAT .* to mask saturation by",
        ),
        (("QA_PIXEL",), ["cloud"], r"_QA_PIXEL\.TIF: no such file"),
        (("SR_B5",), [], r"_SR_B5\.TIF: no such file"),
        (("FILE_NAME_BAND_5",), [], "names no file of the nir band"),
    ],
)
def test_a_scene_that_lacks_a_band_is_named_at_once_and_by_the_check(tmp_path, leave_out, mask, message):
    write_landsat(tmp_path, SCENE, leave_out=leave_out)
    covariate = _covariate(mask=mask)
    with pytest.raises(PermagridError, match=message):
        build("x", {"x": covariate}, GRID, epoch=None, root=tmp_path)
    told = _faults(covariate, tmp_path)
    assert len(told) == 1
    assert "MTL.txt" in told[0] or "no such file" in told[0]
    # Without the mask the scene can be used.
    if mask:
        assert np.isfinite(_made(tmp_path, mask=[])).all()


def _files(covariate, root):
    return traits_of(covariate.method).files(covariate.settings, [(2000, 2004)], root)


def _faults(covariate, root):
    return list(traits_of(covariate.method).faults(covariate.settings, _files(covariate, root)))


def test_the_files_are_those_that_are_read(tmp_path):
    _series(tmp_path, [0.4])
    write_landsat(tmp_path / "winter", SCENE, day="2018-12-03")
    covariate = _covariate(season=["06-01", "09-15"], mask=["cloud"])
    names = sorted(path.name.removeprefix("LC08_L2SP_052012_") for path in _files(covariate, tmp_path))
    july = "20180701_20200101_02_T1_"
    assert names == sorted(
        [f"{july}{part}" for part in ("MTL.txt", "QA_PIXEL.TIF", "SR_B4.TIF", "SR_B5.TIF")]
        # What a scene is, and when it was taken, is read of all.
        + ["20181203_20200101_02_T1_MTL.txt"]
    )
    assert _faults(covariate, tmp_path) == []
    thermal = {path.name[-10:] for path in _files(_covariate("landsat_surface_temperature"), tmp_path)}
    assert {"ST_B10.TIF", "RADSAT.TIF"} <= thermal


def test_the_check_tells_what_cannot_be_found(tmp_path):
    assert _files(_covariate(path="nowhere"), tmp_path) == [tmp_path / "nowhere"]
    assert _files(_covariate(path="no*where"), tmp_path) == [tmp_path / "no*where"]
    (tmp_path / "empty").mkdir()
    assert _faults(_covariate(path="empty"), tmp_path) == [
        f"{tmp_path / 'empty'}: holds no Landsat scene (no file ..._MTL.txt)"
    ]
    write_landsat(tmp_path / "lost", SCENE).unlink()
    (told,) = _faults(_covariate(path="lost"), tmp_path)
    assert "the scene has no MTL file" in told
    assert _faults(_covariate(path="https://example.org/x"), tmp_path) == [
        "https://example.org/x: scenes are read from folders; fetch them first"
    ]
    # Keywords that are wrong are told of elsewhere, and must not stop the check.
    assert _files(_covariate(index="ndwi"), tmp_path) == [tmp_path]
    assert _files(Covariate("x", "landsat_index", "1", {"index": "ndvi"}), tmp_path) == []


def test_bands_of_another_grid_or_scaled_already_are_named(tmp_path):
    path = write_landsat(tmp_path, SCENE)
    red = next(tmp_path.glob("*_SR_B4.TIF"))
    write_tif(red, np.full((20, 20), 9000, "uint16"), SCENE.zoom_out(2))
    build("x", {"x": _covariate()}, GRID, epoch=None, root=tmp_path)
    write_tif(red, np.full((20, 30), 9000, "uint16"), make_geobox("EPSG:32652", 40, bounds=(0, 0, 1200, 800)))
    with pytest.raises(PermagridError, match=r"band \w+ does not lie on the grid of the others"):
        build("x", {"x": _covariate()}, GRID, epoch=None, root=tmp_path)
    write_tif(red, np.full(SCENE.shape, 0.12, "float32"), SCENE)
    with pytest.raises(PermagridError, match=r"holds fractions such as 0\.12 .* it is scaled already"):
        build("x", {"x": _covariate()}, GRID, epoch=None, root=tmp_path)
    assert path.exists()


def test_whatever_scale_a_band_declares_its_numbers_are_taken(tmp_path):
    (value,) = _series(tmp_path, [0.4])
    plain = _made(tmp_path).values
    red = next(tmp_path.rglob("*_SR_B4.TIF"))
    with rasterio.open(red, "r+") as raster:
        raster.scales, raster.offsets = (2.75e-5,), (-0.2,)
    np.testing.assert_array_equal(_made(tmp_path).values, plain)
    np.testing.assert_allclose(plain, value, atol=1e-6)


SOURCES = {
    "UTM": make_geobox("EPSG:32601", 5000, region=(-180.0, 66.0, -176.0, 69.0)),
    "sinusoidal tile": make_geobox(
        "+proj=sinu +R=6371007.181 +units=m +type=crs", 20_000, bounds=(-3.4e6, 6.6e6, -2.2e6, 7.8e6)
    ),
    "over the pole": make_geobox("EPSG:3413", 20_000, bounds=(-300_000, -300_000, 500_000, 400_000)),
    "over the antimeridian": make_geobox("EPSG:4326", 0.2, region=(175.0, 60.0, -175.0, 70.0)),
}
TARGETS = {
    "polar": make_geobox("EPSG:3995", 30_000, bounds=(-3_000_000, -3_000_000, 3_000_000, 3_000_000)),
    "lon/lat": make_geobox("EPSG:4326", 0.5, region=(-180, 55, 180, 90)),
    "lon/lat beyond 180": make_geobox("EPSG:4326", 0.25, region=(160, 55, -150, 90)),
    "UTM": make_geobox("EPSG:32601", 10_000, bounds=(0, 7_000_000, 1_000_000, 8_500_000)),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", SOURCES)
def test_no_cell_of_a_source_lies_outside_its_reach(source, target):
    image, grid = SOURCES[source], TARGETS[target]
    ((top, bottom), (left, right)) = composite.reach(image, grid)
    row, column = cells_of(grid, *lonlat(image))
    known = np.isfinite(row) & np.isfinite(column)
    assert known.any()
    inside = known & (row >= 0) & (row < grid.shape[0]) & (column >= 0) & (column < grid.shape[1])
    assert (row[inside] > top).all()
    assert (row[inside] < bottom).all()
    assert (column[inside] > left).all()
    assert (column[inside] < right).all()
