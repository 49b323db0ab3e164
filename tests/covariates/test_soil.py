"""Soil layers are averaged by thickness, lobes of a projection leave no gap, textures sum to 100 %."""

import re
from itertools import pairwise

import numpy as np
import pytest
import rasterio
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rasters import GRIDS, made, smooth, write_tif
from made_soil import NODATA, TEXTURE, write_soil

from permagrid.check import check_study
from permagrid.covariates import Covariate, build
from permagrid.covariates.surface.soil_profile import STANDARD_DEPTHS, overlaps
from permagrid.errors import PermagridError
from permagrid.grid import lonlat, make_geobox
from permagrid.steps.inputs import files_for
from permagrid.study import parse_study
from small_study import small_study

BOX = make_geobox("EPSG:3995", 50_000, bounds=(-400_000, -300_000, 400_000, 300_000))
GREENLAND = make_geobox("EPSG:3413", 50_000, bounds=(-600_000, -3_300_000, 900_000, -700_000))


def layers(**keywords):
    return Covariate("soil", "soil_layers", keywords.pop("unit", "%"), keywords)


@pytest.fixture
def profile(tmp_path):
    """Write the six layers of SoilGrids, each of one value, and return those values."""
    values = dict(zip(STANDARD_DEPTHS, (60, 50, 40, 30, 20, 10), strict=True))
    for (top, bottom), value in values.items():
        write_tif(
            tmp_path / f"sand_{top}-{bottom}cm.tif", np.full(BOX.shape, value, "int16"), BOX, nodata=NODATA
        )
    return tmp_path


SPANS = {
    (0, 5): 60.0,
    (0, 30): (5 * 60 + 10 * 50 + 15 * 40) / 30,
    (10, 20): (5 * 50 + 5 * 40) / 10,
    (30, 100): (30 * 30 + 40 * 20) / 70,
}


@pytest.mark.parametrize("between", SPANS)
def test_layers_count_by_their_thickness_in_the_span(between, profile):
    found = made(layers(path="sand_{depth}cm.tif", between=list(between)), BOX, profile).values
    np.testing.assert_allclose(found, SPANS[between], rtol=1e-6)


@settings(max_examples=60)
@given(
    cuts=st.lists(st.integers(1, 250), min_size=2, max_size=8, unique=True),
    span=st.tuples(st.integers(0, 249), st.integers(1, 250)),
    data=st.data(),
)
def test_the_mean_is_the_integral_over_the_span(cuts, span, data):
    edges = [0, *sorted(cuts)]
    depths = list(pairwise(edges))
    order = data.draw(st.permutations(depths))
    values = data.draw(st.lists(st.floats(0, 100), min_size=len(depths), max_size=len(depths)))
    top, bottom = span
    if not top < bottom <= edges[-1]:
        with pytest.raises(PermagridError, match=r"no layer covers|is no span"):
            overlaps(order, span)
        return
    thickness = overlaps(order, span)
    assert sum(thickness) == pytest.approx(bottom - top)
    held = dict(zip(order, values, strict=True))
    fine = np.arange(top, bottom, 0.25) + 0.125
    along = [next(held[layer] for layer in depths if layer[0] <= z < layer[1]) for z in fine]
    mean = np.dot(thickness, values) / sum(thickness)
    assert mean == pytest.approx(np.mean(along), abs=1e-9)


def test_files_may_be_listed_and_layers_stand_in_one_file(profile):
    by_name = made(layers(path="sand_{depth}cm.tif", between=[0, 60]), BOX, profile).values
    paths = [f"sand_{top}-{bottom}cm.tif" for top, bottom in STANDARD_DEPTHS]
    depths = [list(depth) for depth in STANDARD_DEPTHS]
    listed = made(layers(paths=paths[::-1], depths=depths[::-1], between=[0, 60]), BOX, profile).values
    np.testing.assert_array_equal(listed, by_name)
    stacked = np.stack([rasterio.open(profile / path).read(1).astype(float) for path in paths])
    x, y = (
        np.arange(size) * step + start
        for size, step, start in ((16, 50_000, -375_000), (12, -50_000, 275_000))
    )
    dims = ("depth", "y", "x")
    xr.Dataset({"sand": (dims, stacked)}, coords={"depth": range(6), "y": y, "x": x}).to_netcdf(
        profile / "all.nc"
    )
    one_file = layers(path="all.nc", between=[0, 60], crs="EPSG:3995")
    np.testing.assert_array_equal(made(one_file, BOX, profile).values, by_name)
    with pytest.raises(PermagridError, match=r"all\.nc: holds 6 layers where 2 layers are looked for"):
        made(
            layers(path="all.nc", between=[0, 60], depths=[[0, 30], [30, 60]], crs="EPSG:3995"), BOX, profile
        )
    with pytest.raises(PermagridError, match=r"cm\.tif: holds 1 layer where 6 layers are looked for"):
        made(layers(path="sand_0-5cm.tif", between=[0, 60]), BOX, profile)


def test_a_layer_says_its_depth_and_its_files(profile):
    paths = one_layer(profile, 50, 30, 20)
    one = made(layers(path="sand_{depth}cm.tif", between=[0, 60]), BOX, profile)
    other = made(Covariate("soil", "soil_texture", "%", {**paths, "fraction": "sand"}), BOX, profile)
    assert (one.attrs["depth"], one.attrs["source"]) == ("0-60 cm", "sand_{depth}cm.tif")
    assert ("depth" in other.attrs, other.attrs["source"]) == (False, "sand.tif, silt.tif, clay.tif")
    stated = Covariate("soil", "soil_texture", "%", {**paths, "fraction": "sand"}, source="HWSD 1.2")
    assert made(stated, BOX, profile).attrs["source"] == "HWSD 1.2"


def test_only_the_layers_of_the_span_are_needed(profile):
    (profile / "sand_60-100cm.tif").unlink()
    covariate = layers(path="sand_{depth}cm.tif", between=[0, 20])
    assert np.isfinite(made(covariate, BOX, profile).values).all()
    assert [file.name for file in files_for(covariate, [], profile)] == [
        "sand_0-5cm.tif",
        "sand_15-30cm.tif",
        "sand_5-15cm.tif",
    ]


def test_a_cell_that_lacks_a_layer_is_nodata(profile):
    with rasterio.open(profile / "sand_5-15cm.tif", "r+") as raster:
        values = raster.read(1)
        values[3, 4] = NODATA
        raster.write(values, 1)
    found = made(layers(path="sand_{depth}cm.tif", between=[0, 30]), BOX, profile).values
    assert np.argwhere(np.isnan(found)).tolist() == [[3, 4]]
    assert np.isfinite(made(layers(path="sand_{depth}cm.tif", between=[15, 30]), BOX, profile).values).all()


@pytest.mark.parametrize(
    ("stored_unit", "unit", "factor"),
    [("g/kg", "%", 0.1), ("dg/kg", "g/kg", 0.1), ("cg/cm3", "g/cm3", 0.01), ("0.1 pH", "pH", 0.1)],
)
def test_stored_units_of_soilgrids_are_understood(stored_unit, unit, factor, profile):
    keywords = {"path": "sand_{depth}cm.tif", "between": [0, 5]}
    found = made(layers(**keywords, stored_unit=stored_unit, unit=unit), BOX, profile).values
    np.testing.assert_allclose(found, 60 * factor, rtol=1e-6)


FAULTS = {
    "a hole": (
        {"between": [0, 30], "depths": [[0, 5], [15, 30]]},
        "no layer covers 5 to 15 cm, and between is",
    ),
    "too deep": ({"between": [100, 300]}, "no layer covers 200 to 300 cm"),
    "too shallow": ({"between": [0, 30], "depths": [[5, 30]]}, "no layer covers 0 to 5 cm"),
    "overlap": ({"between": [0, 30], "depths": [[0, 10], [5, 30]]}, "two layers overlap from 5 to 10 cm"),
    "backwards": ({"between": [30, 0]}, r"between: \[30, 0\] is no span; write \[top, bottom\] in cm"),
    "metres": ({"between": [0, 0.3]}, r"thinner than 1 cm; depths are in cm, not in m"),
    "an empty layer": ({"between": [0, 5], "depths": [[5, 5]]}, r"\[5, 5\] is no layer"),
    "no file": ({"between": [0, 5], "path": None}, "either path.* or paths is needed"),
    "no depths": ({"between": [0, 5], "path": None, "paths": ["sand_0-5cm.tif"]}, "depths is missing"),
    "numbers differ": (
        {"between": [0, 5], "path": None, "paths": ["sand_0-5cm.tif"], "depths": [[0, 5], [5, 15]]},
        "paths names 1 files, and depths 2 layers",
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_keywords_that_contradict_each_other_are_named_when_built_and_by_check(what, profile):
    keywords, message = {"path": "sand_{depth}cm.tif", **FAULTS[what][0]}, FAULTS[what][1]
    keywords = {key: value for key, value in keywords.items() if value is not None}
    with pytest.raises(PermagridError, match=f"covariate soil: .*{message}"):
        build("soil", {"soil": layers(**keywords)}, BOX, epoch=None, root=profile)
    assert told(profile, {"method": "soil_layers", "unit": "%", **keywords}, message)


def told(folder, covariate, message):
    """Return whether check says so, once, of the last covariate of a study whose files lie in a folder."""
    study = small_study(lean=True)
    study["grid"]["bounds"] = list(BOX.boundingbox.bbox)
    study["covariates"].append({"name": "soil", **covariate})
    found = [f.message for f in check_study(parse_study(study), folder) if "(soil)" in f.place]
    return sum(re.search(message, text) is not None for text in found) == 1


def test_layers_of_another_grid_are_named(profile):
    other = make_geobox("EPSG:3995", 25_000, bounds=(-400_000, -300_000, 400_000, 300_000))
    write_tif(profile / "sand_5-15cm.tif", np.full(other.shape, 50, "int16"), other)
    message = r"sand_5-15cm\.tif: lies on another grid than sand_0-5cm\.tif; they must share one"
    with pytest.raises(PermagridError, match=message):
        made(layers(path="sand_{depth}cm.tif", between=[0, 30]), BOX, profile)
    assert told(
        profile,
        {"method": "soil_layers", "unit": "%", "path": "sand_{depth}cm.tif", "between": [0, 30]},
        message,
    )


def test_classes_have_no_mean(profile):
    kind = Covariate(
        "soil", "soil_layers", "class", {"path": "sand_{depth}cm.tif", "between": [0, 30]}, kind="class"
    )
    with pytest.raises(PermagridError, match="codes of several layers have no mean"):
        made(kind, BOX, profile)


def test_numbers_in_the_wrong_unit_are_named_by_check(tmp_path):
    box = make_geobox("EPSG:3995", 50_000, bounds=(-400_000, -300_000, 400_000, 300_000))
    for unit, low, high, message in [
        ("%", 100, 800, "they look like g/kg: set stored_unit: g/kg"),
        ("g/kg", 0, 3000, "they look like dg/kg: set stored_unit: dg/kg"),
        ("%", -1, 99, "-1 often stands for no data: set nodata: -1"),
    ]:
        values = np.linspace(low, high, box.shape[0] * box.shape[1]).reshape(box.shape).astype("int16")
        write_tif(tmp_path / "sand_0-5cm.tif", values, box)
        covariate = {"method": "soil_layers", "unit": unit, "path": "sand_{depth}cm.tif", "between": [0, 5]}
        assert told(tmp_path, covariate, message)


@pytest.mark.parametrize("name", [*GRIDS, "Greenland"])
def test_interruptions_of_the_homolosine_projection_leave_no_gap(name, tmp_path):
    geobox = {**GRIDS, "Greenland": GREENLAND}[name]
    write_soil(tmp_path)
    found = made(
        layers(path="sand_{depth}cm.tif", between=[0, 30], stored_unit="g/kg"), geobox, tmp_path
    ).values
    longitude, latitude = lonlat(geobox)
    reached = (latitude > 47) & (latitude < 83)
    # Along the interruption at 40 W half of a cell may lie in the other lobe: it still has its value.
    assert np.isfinite(found[reached]).all()
    expected = (450 + 20 * smooth(longitude, latitude) - 3 * 15) / 10
    assert np.abs(found - expected)[reached].max() < 0.15
    assert np.isnan(found[latitude > 88]).all()


def test_a_seam_of_the_homolosine_projection_is_no_edge(tmp_path):
    """Cells on either side of 40 W are as near to the truth as cells in the middle of a lobe."""
    write_soil(tmp_path)
    box = make_geobox("EPSG:4326", 0.1, bounds=(-45, 60, -35, 80))
    found = made(layers(path="sand_{depth}cm.tif", between=[0, 5], stored_unit="g/kg"), box, tmp_path).values
    expected = (450 + 20 * smooth(*lonlat(box)) - 7.5) / 10
    off = np.abs(found - expected).max(axis=0)
    assert off.max() < 0.15
    assert rasterio.open(tmp_path / "sand_0-5cm.tif").crs.to_proj4().startswith("+proj=igh")


def soil_texture(fraction="sand", **keywords):
    return Covariate("soil", "soil_texture", "%", {**TEXTURE, "fraction": fraction, **keywords})


def one_layer(folder, sand, silt, clay, box=BOX):
    for name, values in {"sand": sand, "silt": silt, "clay": clay}.items():
        write_tif(folder / f"{name}.tif", np.broadcast_to(np.float32(values), box.shape), box, nodata=-1)
    return {f"{name}_path": f"{name}.tif" for name in ("sand", "silt", "clay")}


def test_normalised_fractions_sum_to_100_and_others_are_as_stored(tmp_path):
    write_soil(tmp_path)
    keywords = {"between": [0, 30], "stored_unit": "g/kg"}
    plain, normal = (
        [
            made(soil_texture(f, normalise=n, **keywords), GREENLAND, tmp_path).values.astype(float)
            for f in ("sand", "silt", "clay")
        ]
        for n in (False, True)
    )
    np.testing.assert_allclose(sum(normal), 100.0, atol=2e-5)
    assert 1e-3 < np.abs(sum(plain) - 100.0).max() < 0.2
    alone = layers(path="clay_{depth}cm.tif", **keywords)
    np.testing.assert_allclose(plain[2], made(alone, GREENLAND, tmp_path).values, rtol=2e-7)


def test_cells_whose_fractions_do_not_sum_to_100_are_nodata(tmp_path):
    sand = np.full(BOX.shape, 50.0)
    sand[2, 3], sand[4, 5], sand[6, 7] = 40.0, 51.0, 90.0
    paths = one_layer(tmp_path, sand, 30, 20)
    found = made(Covariate("soil", "soil_texture", "%", {**paths, "fraction": "sand"}), BOX, tmp_path).values
    assert np.argwhere(np.isnan(found)).tolist() == [[2, 3], [6, 7]]
    normal = Covariate("soil", "soil_texture", "%", {**paths, "fraction": "sand", "normalise": True})
    assert made(normal, BOX, tmp_path).values[4, 5] == np.float32(5100 / 101)
    wide = Covariate("soil", "soil_texture", "%", {**paths, "fraction": "silt", "tolerance": 50})
    assert (made(wide, BOX, tmp_path).values == 30).all()


def test_check_says_where_and_in_how_many_cells_the_sum_is_wrong(tmp_path):
    sand = np.full(BOX.shape, 50.0)
    sand[2, 3], sand[6, 7] = 40.0, 90.0
    paths = one_layer(tmp_path, sand, 30, 20)
    longitude, latitude = (axis[6, 7] for axis in lonlat(BOX))
    place = f"sum to 140 % at latitude {latitude:.2f}, longitude {longitude:.2f}, "
    message = f"{place}and are farther than tolerance 2 from 100 % in 2 of {sand.size} cells looked at$"
    assert told(tmp_path, {"method": "soil_texture", **paths, "fraction": "clay"}, message)
    assert not told(
        tmp_path, {"method": "soil_texture", **paths, "fraction": "clay", "tolerance": 50}, "sum to"
    )


@pytest.mark.parametrize(("factor", "unit"), [(10, "g/kg"), (0.01, "1")])
def test_check_tells_the_unit_that_a_wrong_sum_looks_like(factor, unit, tmp_path):
    paths = one_layer(tmp_path, 50 * factor, 30 * factor, 20 * factor)
    covariate = {"method": "soil_texture", **paths, "fraction": "clay"}
    assert told(
        tmp_path, covariate, f"sand, silt and clay sum to .*; they look like {unit}: set stored_unit: {unit}"
    )
    assert not told(tmp_path, {**covariate, "stored_unit": unit}, ".")


def test_where_all_three_are_0_there_is_no_soil_and_no_fault(tmp_path):
    rock = np.ones(BOX.shape)
    rock[:6, :8] = 0.0
    paths = one_layer(tmp_path, 50 * rock, 30 * rock, 20 * rock)
    covariate = Covariate("soil", "soil_texture", "%", {**paths, "fraction": "sand"})
    assert (np.isnan(made(covariate, BOX, tmp_path).values) == (rock == 0)).all()
    assert not told(tmp_path, {"method": "soil_texture", **paths, "fraction": "sand"}, ".")
    # A cell of which a part is rock has the texture of its soil, not a diluted one.
    coarse = make_geobox("EPSG:3995", 150_000, bounds=(-400_000, -300_000, 400_000, 300_000))
    values = made(covariate, coarse, tmp_path).values
    assert set(np.unique(values[np.isfinite(values)])) == {50.0}


def test_texture_keywords_that_contradict_each_other_are_named(tmp_path):
    paths = one_layer(tmp_path, 50, 30, 20)
    for keywords, message in [
        ({**TEXTURE}, "between is missing"),
        ({**paths, "tolerance": -1}, "tolerance is 0 to 100 %, found -1"),
    ]:
        with pytest.raises(PermagridError, match=f"covariate soil: .*{message}"):
            made(Covariate("soil", "soil_texture", "%", {"fraction": "sand", **keywords}), BOX, tmp_path)
        assert told(tmp_path, {"method": "soil_texture", "fraction": "sand", **keywords}, message)


def test_hwsd_topsoil_has_its_textures_and_no_soil_on_glaciers(real_data):
    folder = real_data / "hwsd-topsoil-3min"
    box = make_geobox("EPSG:3995", 50_000, bounds=(-1_000_000, -4_000_000, 1_000_000, -2_000_000))
    paths = {f"{name}_path": f"T_{name.upper()}.nc4" for name in ("sand", "silt", "clay")}
    fractions = {
        name: made(Covariate(name, "soil_texture", "%", {**paths, "fraction": name}), box, folder).values
        for name in ("sand", "silt", "clay")
    }
    seen = np.isfinite(fractions["sand"])
    assert 0.2 < seen.mean() < 1
    np.testing.assert_allclose(sum(fractions.values())[seen], 100.0, atol=2.0)
    plain = made(Covariate("sand", "raster", "%", {"path": "T_SAND.nc4"}), box, folder).values
    both = seen & np.isfinite(plain)
    # Rock, ice and water stand in the file as soil of 0 % of everything: only the texture knows better.
    assert (plain[both] <= fractions["sand"][both] + 1e-4).all()
    assert (np.isfinite(plain) & ~seen).any()
    top = Covariate(
        "sand", "soil_layers", "%", {"paths": ["T_SAND.nc4"], "depths": [[0, 30]], "between": [0, 30]}
    )
    np.testing.assert_array_equal(made(top, box, folder).values, plain)
    with pytest.raises(PermagridError, match="no layer covers 30 to 100 cm"):
        made(Covariate("sand", "soil_layers", "%", {**top.keywords, "between": [0, 100]}), box, folder)
