"""Bad input of every kind: each gives clear sentences and status 2, and leaves no product behind."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import rasterio

from command_line import air, call, made_up_study, sites, write_data, write_raster, write_study

Study = dict[str, Any]
PRODUCTS = ("*.tif", "*.qml", "scores.csv", "summary.json", "report.html", "*.parquet", "*partial*")


class Bad(NamedTuple):
    """One kind of bad input."""

    name: str
    """What is wrong."""
    fragment: str
    """What the message must say."""
    spoil: Callable[[Study, Path], object]
    """Spoils a sound study and the data in its folder."""


TABLE: list[Bad] = []


def bad(fragment: str) -> Callable[[Callable[[Study, Path], object]], Callable[[Study, Path], object]]:
    """Put a kind of bad input in the table, under the name of the function that spoils."""

    def note(spoil: Callable[[Study, Path], object]) -> Callable[[Study, Path], object]:
        TABLE.append(Bad(spoil.__name__.replace("_", " "), fragment, spoil))
        return spoil

    return note


def rewrite(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    change(sites()).to_csv(folder / "sites.csv", index=False)


def study_text(study: Study, folder: Path, text: str | bytes) -> None:
    """Have the study file hold a text of its own."""
    study.clear()
    content = text.encode() if isinstance(text, str) else text
    (folder / "study.yaml").write_bytes(content)


def sound_text(folder: Path) -> str:
    return write_study(folder, made_up_study()).read_text(encoding="utf-8")


# --- rasters


@bad("misses the grid of the study")
def raster_of_another_part_of_the_world(study: Study, folder: Path) -> None:
    write_raster(folder / "elevation.tif", np.ones((30, 30), "float32"), crs="EPSG:3031")


@bad("its CRS is in degrees, but it covers x")
def raster_in_metres_that_says_degrees(study: Study, folder: Path) -> None:
    write_raster(folder / "elevation.tif", np.ones(air().shape, "float32"), crs="EPSG:4326")


@bad("has no CRS; state it with the keyword crs")
def raster_without_crs(study: Study, folder: Path) -> None:
    write_raster(folder / "elevation.tif", np.ones(air().shape, "float32"), crs=None)


@bad("the file is empty: ")
def empty_raster(study: Study, folder: Path) -> None:
    (folder / "elevation.tif").write_bytes(b"")


@bad("elevation.tif: cannot be")
def truncated_geotiff(study: Study, folder: Path) -> None:
    path = folder / "elevation.tif"
    path.write_bytes(path.read_bytes()[:600])


@bad("elevation.tif: cannot be")
def header_of_a_geotiff_only(study: Study, folder: Path) -> None:
    path = folder / "elevation.tif"
    path.write_bytes(path.read_bytes()[:6])


@bad("elevation.tif: cannot be")
def text_with_the_name_of_a_raster(study: Study, folder: Path) -> None:
    (folder / "elevation.tif").write_text("not a raster\n" * 50)


@bad("allowed: GTiff, EHdr, ENVI, AAIGrid, HFA")
def virtual_raster(study: Study, folder: Path) -> None:
    (folder / "elevation.tif").write_text(
        '<VRTDataset rasterXSize="2" rasterYSize="2"><SRS>EPSG:3995</SRS>'
        "<GeoTransform>0,1,0,0,0,-1</GeoTransform><VRTRasterBand dataType='Byte' band='1'><SimpleSource>"
        "<SourceFilename>/etc/passwd</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )


@bad("variable is the number of a band")
def band_by_name(study: Study, folder: Path) -> None:
    study["covariates"][1]["variable"] = "height"


@bad("has no band 7; bands: 1 to 1")
def band_that_is_not_there(study: Study, folder: Path) -> None:
    study["covariates"][1]["variable"] = 7


@bad("they look like K: set stored_unit: K")
def kelvin_taken_for_celsius(study: Study, folder: Path) -> None:
    for epoch in study["epochs"]:
        write_raster(folder / f"air_{epoch}.tif", air() + np.float32(273.15))


@bad("they look like 0.1 degC: set stored_unit: 0.1 degC")
def tenths_of_a_degree(study: Study, folder: Path) -> None:
    for epoch in study["epochs"]:
        write_raster(folder / f"air_{epoch}.tif", (air() * 10).astype("int16"))


@bad("the file gives its unit as 'm', not 'mm'; set stored_unit: m")
def metres_of_rain_taken_for_millimetres(study: Study, folder: Path) -> None:

    study["covariates"].append({"name": "rain", "path": "rain.tif", "unit": "mm"})
    write_raster(folder / "rain.tif", np.full(air().shape, 0.4, "float32"))
    with rasterio.open(folder / "rain.tif", "r+") as raster:
        raster.set_band_unit(1, "m")


@bad("the file gives its unit as 'US survey foot', not 'm'; set stored_unit: ft")
def elevation_in_feet(study: Study, folder: Path) -> None:
    with rasterio.open(folder / "elevation.tif", "r+") as raster:
        raster.set_band_unit(1, "US survey foot")


@bad("they look like ft: set stored_unit: ft")
def elevation_in_feet_that_the_file_does_not_tell(study: Study, folder: Path) -> None:
    heights = np.linspace(0, 14_400, air().size, dtype="float32")
    write_raster(folder / "elevation.tif", heights.reshape(air().shape))


@bad("elevation.tif has 1 x 30 cells (rows x columns); the shape of the ground needs at least 3 x 3")
def elevation_of_one_row(study: Study, folder: Path) -> None:
    write_raster(folder / "elevation.tif", np.ones((1, 30), "float32"))


@bad("(relief): a radius of 2000 m reaches no neighbour where cells are")
def radius_within_a_cell(study: Study, folder: Path) -> None:
    study["covariates"].append({"name": "relief", "method": "relief_amplitude", "radius": 2000})


@bad("(slope): air is in 'degC', but the shape of the ground is made of heights")
def slope_of_temperature(study: Study, folder: Path) -> None:
    study["covariates"][2]["input"] = "air"


@bad("-9999 looks like an undeclared nodata value; set nodata: -9999")
def undeclared_nodata(study: Study, folder: Path) -> None:
    values = np.full(air().shape, 100.0, "float32")
    values[:3] = -9999
    write_raster(folder / "elevation.tif", values)


@bad("kind is class, but values such as 1.5 are no codes")
def classes_with_fractions(study: Study, folder: Path) -> None:
    write_raster(folder / "geology.tif", np.full(air().shape, 1.5, "float32"))


@bad("holds no data, only nodata")
def raster_of_nodata_only(study: Study, folder: Path) -> None:
    write_raster(folder / "elevation.tif", np.full(air().shape, np.nan, "float32"), nodata=float("nan"))


@bad("no site is left to learn from: of 80 site-epochs 80 covariates: nodata")
def nodata_at_every_site(study: Study, folder: Path) -> None:
    values = np.full(air().shape, np.nan, "float32")
    values[0, 0] = 5.0
    write_raster(folder / "elevation.tif", values, nodata=float("nan"))


@bad("the truth must lie on the grid of the study")
def truth_on_another_grid(study: Study, folder: Path) -> None:
    study["truth"] = {"path": "air_{epoch}.tif"}
    study["grid"]["resolution"] = 50000


@bad("no such file")
def missing_raster(study: Study, folder: Path) -> None:
    (folder / "elevation.tif").unlink()


@bad("and 1 more of 2 files")
def missing_series(study: Study, folder: Path) -> None:
    study["covariates"][0]["path"] = "elsewhere/air_{epoch}.tif"


@bad("truth.path: no such file")
def missing_truth(study: Study, folder: Path) -> None:
    study["truth"] = {"path": "truth_{epoch}.tif"}


@bad("references[0].path (a map): no such file")
def missing_reference(study: Study, folder: Path) -> None:
    study["references"] = [{"name": "a map", "path": "map.tif", "epoch": "2000-2004"}]


# --- tables of observations


@bad("latitude and longitude are probably swapped")
def swapped_coordinates(study: Study, folder: Path) -> None:
    rewrite(folder, lambda t: t.rename(columns={"latitude": "longitude", "longitude": "latitude"}))


@bad("the sign of the longitude is probably wrong")
def longitudes_with_the_wrong_sign(study: Study, folder: Path) -> None:
    rewrite(folder, lambda t: t.assign(longitude=-t["longitude"]))


@bad("100% of 40 sites lie outside the grid")
def sites_of_another_continent(study: Study, folder: Path) -> None:
    rewrite(folder, lambda t: t.assign(latitude=-20.0, longitude=20.0))


@bad("no row has coordinates")
def sites_without_coordinates(study: Study, folder: Path) -> None:
    rewrite(folder, lambda t: t.assign(latitude=np.nan, longitude=np.nan))


@bad("no such file")
def missing_table(study: Study, folder: Path) -> None:
    (folder / "sites.csv").unlink()


@bad("the file is empty")
def empty_table(study: Study, folder: Path) -> None:
    (folder / "sites.csv").write_text("")


@bad("no rows below the header")
def table_with_a_header_only(study: Study, folder: Path) -> None:
    rewrite(folder, lambda t: t.head(0))


@bad("no column for value")
def missing_column(study: Study, folder: Path) -> None:
    rewrite(folder, lambda t: t.rename(columns={"value": "measured"}))


@bad("missing column MAGT")
def column_that_the_map_of_columns_invents(study: Study, folder: Path) -> None:
    study["sites"]["sources"][0]["columns"] = {"value": "MAGT"}


@bad("duplicate column names: value")
def duplicate_column(study: Study, folder: Path) -> None:
    rewrite(folder, lambda t: pd.concat([t, t["value"]], axis=1))


@bad("is not utf-8-sig text")
def encoding_that_cannot_be_read(study: Study, folder: Path) -> None:
    path = folder / "sites.csv"
    path.write_bytes(path.read_text().replace("b00", "Tromsø").encode("latin-1"))


@bad("unknown encoding 'latin-0'")
def unknown_encoding(study: Study, folder: Path) -> None:
    study["sites"]["sources"][0]["encoding"] = "latin-0"


@bad("column 'value', row 2: 'cold' is not a number")
def value_that_is_no_number(study: Study, folder: Path) -> None:
    rewrite(folder, lambda t: t.assign(value=["cold", *t["value"].astype(str)[1:]]))


@bad("ground_temperature: values 2")
def temperatures_of_the_ground_in_kelvin(study: Study, folder: Path) -> None:
    rewrite(folder, lambda t: t.assign(value=t["value"] + 273.15))


@bad("needs rows of ground_temperature or soil_temperature; the tables hold thaw_depth")
def table_without_the_target(study: Study, folder: Path) -> None:
    rewrite(folder, lambda t: t.assign(variable="thaw_depth", value=80))


@bad("unknown variable 'ground_temprature': did you mean 'ground_temperature'?")
def table_of_a_variable_that_nobody_knows(study: Study, folder: Path) -> None:
    rewrite(folder, lambda t: t.assign(variable="ground_temprature"))


@bad("no site is left for mean_annual_ground_temperature in 2000-2004, 2005-2009")
def no_observation_in_any_epoch(study: Study, folder: Path) -> None:
    rewrite(folder, lambda t: t.assign(year=1979))


@bad("no site is left: all values lie outside 20 to 30 degC")
def valid_range_that_excludes_all(study: Study, folder: Path) -> None:
    study["target"]["valid_range"] = [20, 30]


@bad("no site is left")
def quality_tests_that_fail_all(study: Study, folder: Path) -> None:
    study["sites"]["quality"]["gross_range"] = {"ranges": {"ground_temperature": [100, 200]}}


@bad("are censored; none can be learned from")
def censored_values_only(study: Study, folder: Path) -> None:
    rewrite(folder, lambda t: t.assign(value=">" + t["value"].astype(str)))


def of_presence(study: Study) -> None:
    study["target"] = {
        "variable": "permafrost_presence",
        "kind": "class",
        "unit": "1",
        "valid_range": [0, 1],
    }
    study["sites"]["labels"] = {}


@bad("are of the one class 1; a map of classes needs two")
def one_class_only(study: Study, folder: Path) -> None:
    of_presence(study)
    rewrite(folder, lambda t: t.assign(variable="permafrost_presence", value=1).drop(columns="depth"))


@bad("sites.labels: is missing; the target permafrost_presence needs")
def presence_without_labels(study: Study, folder: Path) -> None:
    of_presence(study)
    del study["sites"]["labels"]


@bad("sites.labels: belongs to the target permafrost_presence only")
def labels_without_the_target(study: Study, folder: Path) -> None:
    study["sites"]["labels"] = {"temperature_threshold": 0}


@bad("needs tables of weather stations")
def absences_without_stations(study: Study, folder: Path) -> None:
    of_presence(study)
    study["sites"]["labels"] = {"station_absences": True}


@bad("the site table has no column 'snow'")
def covariate_from_a_column_that_no_table_has(study: Study, folder: Path) -> None:
    study["covariates"].append(
        {"name": "snow", "method": "observation", "column": "snow", "at": 1, "unit": "m"}
    )


@bad("40 sites cannot make 50 folds")
def more_folds_than_sites(study: Study, folder: Path) -> None:
    study["validation"]["folds"][1]["n_folds"] = 50


@bad("no site-epoch has a value from 12 to inf")
def empty_subset(study: Study, folder: Path) -> None:
    study["validation"]["subsets"] = [{"name": "warm", "minimum": 12}]


# --- the study file


@bad("unknown key 'colour': Allowed: ")
def unknown_key(study: Study, folder: Path) -> None:
    study["colour"] = "blue"


@bad("covariates[0].path (air): keyword 'path' of covariate method raster: needs a text, found the number 5")
def wrong_type_of_a_keyword(study: Study, folder: Path) -> None:
    study["covariates"][0]["path"] = 5


@bad("unknown key 'validaton': did you mean 'validation'?")
def misspelt_key(study: Study, folder: Path) -> None:
    study["validaton"] = study.pop("validation")


@bad("study.yaml:5 target.unit: needs a text, found the number 1; write it in quotes")
def wrong_type(study: Study, folder: Path) -> None:
    study["target"]["unit"] = 1


@bad("grid.resolution: needs a number, found '10 km'")
def text_for_a_number(study: Study, folder: Path) -> None:
    study["grid"]["resolution"] = "10 km"


@bad("grid.resolution: must be above 0, found -5")
def resolution_below_zero(study: Study, folder: Path) -> None:
    study["grid"]["resolution"] = -5


@bad("target: is missing; it must be given")
def missing_section(study: Study, folder: Path) -> None:
    del study["target"]


@bad("covariates[1].unit (elevation): is missing; raster has no unit of its own")
def missing_key(study: Study, folder: Path) -> None:
    del study["covariates"][1]["unit"]


@bad("needs at least 1 item, found []")
def no_learner(study: Study, folder: Path) -> None:
    study["learners"] = []


@bad("seed: stands twice, in lines 1 and")
def duplicate_key(study: Study, folder: Path) -> None:
    study_text(study, folder, "seed: 1\n" + sound_text(folder) + "seed: 2\n")


@bad("study.yaml:9: YAML anchors and aliases (&g) are not allowed")
def yaml_anchor(study: Study, folder: Path) -> None:
    study_text(study, folder, sound_text(folder).replace("grid:", "grid: &g"))


@bad("study.yaml:1: YAML anchors and aliases (&a0) are not allowed")
def yaml_that_expands_without_end(study: Study, folder: Path) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 20))]
    study_text(study, folder, "\n".join(lines))


@bad("is not valid YAML")
def not_yaml(study: Study, folder: Path) -> None:
    study_text(study, folder, "study: [small\nmetadata: }")


@bad("is not valid YAML")
def yaml_that_runs_code(study: Study, folder: Path) -> None:
    study_text(study, folder, 'study: !!python/object/apply:os.system ["echo pwned"]')


@bad("is nested too deeply")
def yaml_nested_without_end(study: Study, folder: Path) -> None:
    study_text(study, folder, "[" * 100_000)


@bad("is not UTF-8 text")
def binary_study(study: Study, folder: Path) -> None:
    study_text(study, folder, b"\xff\xfe\x00study")


@bad("holds no study; it needs keys such as study, target, grid, sites")
def empty_study(study: Study, folder: Path) -> None:
    study_text(study, folder, "# nothing yet\n")


@bad("holds no study")
def study_that_is_a_list(study: Study, folder: Path) -> None:
    study_text(study, folder, "- study\n- grid\n")


@bad("a study file has at most 1000000")
def huge_study(study: Study, folder: Path) -> None:
    study_text(study, folder, "# " + "x" * 1_000_001)


@bad("cannot be read (No such file or directory)")
def missing_study(study: Study, folder: Path) -> None:
    study.clear()


@bad("cannot be read (Is a directory)")
def folder_for_a_study(study: Study, folder: Path) -> None:
    study.clear()
    (folder / "study.yaml").mkdir()


@bad("epochs[0]: years 2004-2000 run backwards; the first year comes first")
def years_backwards(study: Study, folder: Path) -> None:
    study["epochs"] = ["2004-2000"]


@bad("'the nineties' is no span of years; write first-last, such as 1980-1984")
def epoch_in_words(study: Study, folder: Path) -> None:
    study["epochs"].append("the nineties")


@bad("the epoch 2000-2004 stands twice")
def epoch_twice(study: Study, folder: Path) -> None:
    study["epochs"].append("2000-2004")


@bad("covariates[0].years (air): covers 2000-2009, which does not hold the epoch 2010-2014")
def epoch_without_covariates(study: Study, folder: Path) -> None:
    study["epochs"].append("2010-2014")
    shutil.copy(folder / "air_2000-2004.tif", folder / "air_2010-2014.tif")


@bad("changes with time, so years must say which years the data cover")
def series_without_years(study: Study, folder: Path) -> None:
    del study["covariates"][0]["years"]


@bad("unknown CRS 'EPSG:39955'")
def unknown_crs(study: Study, folder: Path) -> None:
    study["grid"]["crs"] = "EPSG:39955"


@bad("is no CRS for maps")
def vertical_crs(study: Study, folder: Path) -> None:
    study["grid"]["crs"] = "EPSG:5773"


@bad("grid.resolution: 100000 degree cannot be a cell")
def metres_in_a_grid_of_degrees(study: Study, folder: Path) -> None:
    study["grid"]["crs"] = "EPSG:4326"


@bad("cells are allowed")
def grid_too_large(study: Study, folder: Path) -> None:
    study["grid"]["resolution"] = 1


@bad("at least 2 x 2 are needed")
def bounds_in_degrees_of_a_grid_in_metres(study: Study, folder: Path) -> None:
    study["grid"]["bounds"] = study["grid"].pop("region")


@bad("empty extent")
def empty_extent(study: Study, folder: Path) -> None:
    del study["grid"]["region"]
    study["grid"]["bounds"] = [500000, 0, -500000, 100000]


@bad("write [west, south, east, north] in degrees")
def region_in_another_order(study: Study, folder: Path) -> None:
    study["grid"]["region"] = [62, 100, 76, 140]


@bad("grid: give either bounds (in the CRS) or region (lon/lat)")
def bounds_and_region(study: Study, folder: Path) -> None:
    study["grid"]["bounds"] = [0, 0, 1, 1]


@bad("target.valid_range: [5, -5] is empty; write [lowest, highest]")
def valid_range_backwards(study: Study, folder: Path) -> None:
    study["target"]["valid_range"] = [5, -5]


@bad("unknown variable 'mean_annual_ground_temprature': did you mean")
def unknown_target(study: Study, folder: Path) -> None:
    study["target"]["variable"] = "mean_annual_ground_temprature"


@bad("is mapped in 'degC', not in 'K'")
def target_in_another_unit(study: Study, folder: Path) -> None:
    study["target"]["unit"] = "K"


@bad("mean_annual_ground_temperature is a value, not a class")
def class_of_values(study: Study, folder: Path) -> None:
    study["target"]["kind"] = "class"


@bad("unknown reader 'tabel': did you mean 'table'?")
def unknown_reader(study: Study, folder: Path) -> None:
    study["sites"]["sources"][0]["reader"] = "tabel"


@bad("unknown keyword 'delimeter' of reader table: did you mean 'delimiter'?")
def unknown_keyword_of_a_reader(study: Study, folder: Path) -> None:
    study["sites"]["sources"][0]["delimeter"] = ";"


@bad("covariates[1].method (elevation): unknown covariate method 'rastre': did you mean 'raster'?")
def unknown_covariate_method(study: Study, folder: Path) -> None:
    study["covariates"][1]["method"] = "rastre"


@bad("covariates[1].resample (elevation): unknown keyword 'resample' of covariate method raster")
def unknown_keyword_of_a_covariate(study: Study, folder: Path) -> None:
    study["covariates"][1]["resample"] = "bilinear"


@bad("covariate method raster needs the keyword 'path'")
def missing_keyword_of_a_covariate(study: Study, folder: Path) -> None:
    del study["covariates"][1]["path"]


@bad("unknown learner 'randm_forest': did you mean 'random_forest'?")
def unknown_learner(study: Study, folder: Path) -> None:
    study["learners"][0]["name"] = "randm_forest"


@bad("unknown keyword 'trees' of learner random_forest")
def unknown_keyword_of_a_learner(study: Study, folder: Path) -> None:
    study["learners"][0]["trees"] = 100


@bad("keyword 'n_estimators' of learner random_forest: ")
def wrong_type_of_a_learners_keyword(study: Study, folder: Path) -> None:
    study["learners"][0]["n_estimators"] = "many"


@bad("n_estimators")
def forest_without_trees(study: Study, folder: Path) -> None:
    study["learners"][0]["n_estimators"] = 0


@bad("unknown folds 'blocks': did you mean 'block'?")
def unknown_fold_method(study: Study, folder: Path) -> None:
    study["validation"]["folds"][1] = {"method": "blocks"}


@bad("unknown keyword 'k' of folds site")
def unknown_keyword_of_folds(study: Study, folder: Path) -> None:
    study["validation"]["folds"][1] = {"method": "site", "k": 5}


@bad("size")
def blocks_of_no_size(study: Study, folder: Path) -> None:
    study["validation"]["folds"].append({"method": "block", "size": 0})


@bad("n_folds")
def one_fold(study: Study, folder: Path) -> None:
    study["validation"]["folds"][1]["n_folds"] = 1


@bad("unknown quality test 'gros_range': did you mean 'gross_range'?")
def unknown_quality_test(study: Study, folder: Path) -> None:
    study["sites"]["quality"] = {"gros_range": {}}


@bad("unknown keyword 'limit' of quality test gross_range")
def unknown_keyword_of_a_quality_test(study: Study, folder: Path) -> None:
    study["sites"]["quality"] = {"gross_range": {"limit": 5}}


@bad("air_temperature must name a covariate to compare with, found 'bio1'")
def quality_test_against_no_covariate(study: Study, folder: Path) -> None:
    study["sites"]["quality"]["climate_consistency"] = {"air_temperature": "bio1"}


@bad("unknown unit 'Celsius'")
def unknown_unit(study: Study, folder: Path) -> None:
    study["covariates"][0]["unit"] = "Celsius"


@bad("unit 'm' (length) cannot be turned into 'degC' (temperature)")
def unit_that_cannot_be_converted(study: Study, folder: Path) -> None:
    study["covariates"][0]["stored_unit"] = "m"


@bad("covariates[2].input (slope): 'slope' is made from itself")
def covariate_made_from_itself(study: Study, folder: Path) -> None:
    study["covariates"][2]["input"] = "slope"


@bad("is made from itself, through")
def covariates_in_a_circle(study: Study, folder: Path) -> None:
    study["covariates"][2] = {"name": "a", "method": "sum_of", "inputs": ["b"], "unit": "m"}
    study["covariates"].append({"name": "b", "method": "sum_of", "inputs": ["a"], "unit": "m"})


@bad("is made from 'dem', which is no covariate")
def covariate_made_from_what_is_not_there(study: Study, folder: Path) -> None:
    study["covariates"][2]["input"] = "dem"


@bad("is made from 'elevation', which is no covariate")
def slope_without_elevation(study: Study, folder: Path) -> None:
    del study["covariates"][1]


@bad("the covariate 'air' stands twice")
def covariate_twice(study: Study, folder: Path) -> None:
    study["covariates"].append(dict(study["covariates"][0]))


@bad("unknown covariate 'airr': did you mean 'air'?")
def learner_with_an_unknown_covariate(study: Study, folder: Path) -> None:
    study["learners"][1]["covariates"] = ["airr"]


@bad("learners[1].covariates[0] (climate_linear): 'air' says predictor: false, so that no learner sees it: ")
def learner_with_a_covariate_that_is_no_predictor(study: Study, folder: Path) -> None:
    study["covariates"][0]["predictor"] = False


@bad(
    "validation.groups[0].covariates[1] (terrain): 'elevation' says predictor: false, so that no learner "
    "sees it: Allowed: air, slope, geology"
)
def group_with_a_covariate_that_is_no_predictor(study: Study, folder: Path) -> None:
    study["covariates"][1]["predictor"] = False
    study["validation"]["groups"] = [{"name": "terrain", "covariates": ["slope", "elevation"]}]


@bad("'hills' is no covariate of random_forest: Allowed: air, elevation, slope, geology")
def group_with_an_unknown_covariate(study: Study, folder: Path) -> None:
    study["validation"]["groups"] = [{"name": "terrain", "covariates": ["slope", "hills"]}]


@bad("validation.group_learner: 'random_forests' is not among the learners of this study: did you mean")
def groups_of_a_learner_that_is_not_there(study: Study, folder: Path) -> None:
    study["validation"]["groups"] = [{"name": "terrain", "covariates": ["slope"]}]
    study["validation"]["group_learner"] = "random_forests"


@bad("validation.inner.n_folds: n_folds must be 2 or more, found 1")
def one_inner_fold(study: Study, folder: Path) -> None:
    study["validation"]["inner"] = {"method": "site", "n_folds": 1}


@bad("validation.inner.size: residual_variogram is not for inner folds, as rows that train have no residuals")
def inner_blocks_as_wide_as_residuals(study: Study, folder: Path) -> None:
    study["validation"]["inner"] = {"method": "block", "size": "residual_variogram"}


@bad("validation.inner: 1 blocks of 90000 km cannot make 2 folds")
def inner_blocks_of_the_whole_world(study: Study, folder: Path) -> None:
    study["learners"][0]["search"] = {}
    study["validation"]["inner"] = {"method": "block", "size": 90_000_000}


@bad("validation.folds[2]: would be called site in scores and files, as validation.folds[1] is; keep one")
def folds_of_one_name(study: Study, folder: Path) -> None:
    study["validation"]["folds"].append({"method": "site", "n_folds": 5})


@bad("validation.folds[2].max_share: max_share must be above 1 / n_folds = 0.2 and below 1, found 0.1")
def share_that_folds_cannot_keep_to(study: Study, folder: Path) -> None:
    study["validation"]["folds"].append({"method": "knndm", "n_folds": 5, "max_share": 0.1})


@bad("validation.folds[2].path: no such file: ")
def folds_of_regions_without_their_file(study: Study, folder: Path) -> None:
    study["validation"]["folds"].append({"method": "region", "path": "lands.gpkg", "field": "name"})


@bad(
    "learners[0].search.space.max_features[1] (random_forest): random_forest: max_features is a share above 0"
)
def value_out_of_range_in_a_search_space(study: Study, folder: Path) -> None:
    study["learners"][0]["search"] = {"space": {"max_features": [0.5, 1.5]}}


@bad("learners[2].search.space.learners[1] (average): average: learners[0]: unknown learner 'rigde'")
def unknown_learner_in_a_search_space(study: Study, folder: Path) -> None:
    search = {"space": {"learners": [[{"name": "ridge"}], [{"name": "rigde"}]]}}
    study["learners"].append({"name": "average", "learners": [{"name": "ridge"}], "search": search})


@bad("learners[1].selection.rank (climate_linear): impurity is for learners of trees that tell importances")
def ranking_by_importances_that_are_not_told(study: Study, folder: Path) -> None:
    study["learners"][1]["selection"] = {"method": "ranking", "rank": "impurity"}


@bad("learners[0].search.metric (random_forest): 'kappa' is a metric of classes, and the target is a value: ")
def metric_of_another_kind(study: Study, folder: Path) -> None:
    study["learners"][0]["search"] = {"metric": "kappa"}


@bad("learners[0].search.draws (random_forest): has no effect: method grid tries all combinations")
def draws_of_a_grid(study: Study, folder: Path) -> None:
    study["learners"][0]["search"] = {"draws": 5}


@bad("learners[0].search.trials.trees (random_forest): ")
def unknown_keyword_of_trials(study: Study, folder: Path) -> None:
    study["learners"][0]["search"] = {"trials": {"trees": 10}}


@bad("min_samples_leaf is searched, and cannot be held in all trials")
def keyword_that_is_searched_and_held(study: Study, folder: Path) -> None:
    study["learners"][0]["search"] = {"trials": {"min_samples_leaf": 5}}


@bad("learners[2].air_temperature (ttop): ttop reads it in degC, and the covariate 'elevation' is in m; name")
def process_model_with_a_covariate_in_a_wrong_unit(study: Study, folder: Path) -> None:
    study["learners"].append(
        {"name": "ttop", "air_temperature": "elevation", "temperature_amplitude": "slope", "offset": 0}
    )


@bad("learners[2].process.air_temperature (process_residual): ttop reads it in degC, and the covariate")
def process_model_within_a_learner_with_a_covariate_in_a_wrong_unit(study: Study, folder: Path) -> None:
    process = {
        "name": "ttop",
        "air_temperature": "elevation",
        "warmest_quarter": "air",
        "coldest_quarter": "air",
    }
    study["learners"].append({"name": "process_residual", "process": process, "learner": {"name": "ridge"}})


@bad("stefan says a quantity in m, and the target")
def process_model_of_another_target(study: Study, folder: Path) -> None:
    quarters = {"warmest_quarter": "air", "coldest_quarter": "air"}
    study["learners"].append({"name": "stefan", "air_temperature": "air", **quarters})


@bad("channel_order is 40, which nothing in a grid of ")
def order_that_no_stream_can_have(study: Study, folder: Path) -> None:
    study["covariates"].append({"name": "above", "method": "channel_network_distance", "channel_order": 40})


@bad("a radius of 1e+09 m is more than half of the longer side of the DEM, ")
def radius_wider_than_the_dem(study: Study, folder: Path) -> None:
    study["covariates"].append({"name": "relief", "method": "relief_amplitude", "radius": 1e9})


@bad("a distance of 50 m reaches no other cell, as these are ")
def distance_smaller_than_a_cell(study: Study, folder: Path) -> None:
    study["covariates"].append(
        {"name": "whole", "method": "filled", "input": "elevation", "distance": 50, "unit": "m"}
    )


@bad("'gradient_boosting' is not among the learners of this study")
def maps_by_a_learner_that_is_not_there(study: Study, folder: Path) -> None:
    study["products"]["learner"] = "gradient_boosting"


@bad("'ice' cannot be mapped")
def map_of_what_is_not_learned(study: Study, folder: Path) -> None:
    study["products"]["variables"] = ["ice"]


@bad("random folds never stand alone")
def random_folds_only(study: Study, folder: Path) -> None:
    study["validation"]["folds"] = [{"method": "random"}]


@bad("references[0].epoch (a map): 1990-1994 is no epoch of the study")
def reference_of_another_epoch(study: Study, folder: Path) -> None:
    study["references"] = [{"name": "a map", "path": "elevation.tif", "epoch": "1990-1994"}]


# --- the folder of the run


@bad("out: cannot be written to (")
def file_in_place_of_the_folder(study: Study, folder: Path) -> None:
    (folder / "out").write_text("in the way")


@bad("cannot be written to (")
def file_in_place_of_the_folder_above(study: Study, folder: Path) -> None:
    (folder / "out").symlink_to(folder / "sites.csv" / "below")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with sound data."""
    folder = tmp_path_factory.mktemp("sound")
    write_data(folder)
    return folder


def products_in(folder: Path) -> list[str]:
    out = folder / "out"
    return sorted(str(p) for pattern in PRODUCTS for p in out.rglob(pattern) if p.is_file())


def run_spoilt(spoil: Callable[[Study, Path], object], sound: Path, folder: Path) -> Path:
    shutil.copytree(sound, folder, dirs_exist_ok=True)
    study = made_up_study()
    spoil(study, folder)
    return write_study(folder, study) if study else folder / "study.yaml"


def test_the_table_is_long_and_names_are_unique() -> None:
    assert len({each.name for each in TABLE}) == len(TABLE) >= 35


@pytest.mark.parametrize("case", TABLE, ids=[each.name for each in TABLE])
def test_bad_input_is_told_in_one_sentence_and_leaves_nothing(
    case: Bad, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run_spoilt(case.spoil, sound, tmp_path)
    outcome = call(capsys, "run", path, "--out", tmp_path / "out", "--workers", 1)
    assert outcome.status == 2, outcome.err
    lines = outcome.err.splitlines()
    assert lines
    assert all(line.startswith("error: ") for line in lines), outcome.err
    assert case.fragment in outcome.err
    assert len(set(lines)) == len(lines) <= 3
    assert outcome.out == ""
    assert products_in(tmp_path) == []


@pytest.mark.usefixtures("unpainted")
def test_the_sound_study_runs(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = run_spoilt(lambda study, folder: None, sound, tmp_path)
    outcome = call(capsys, "run", path, "--out", tmp_path / "out", "--workers", 1)
    assert (outcome.status, outcome.err) == (0, "")
    assert (tmp_path / "out" / "summary.json").is_file()


@pytest.fixture
def other_process(tmp_path: Path) -> Iterator[Path]:
    """Hold the lock of a run folder in another process."""
    folder = tmp_path / "out"
    (folder / "work").mkdir(parents=True)
    code = (
        "import sys; from pathlib import Path; from permagrid.rundir import RunDir\n"
        "with RunDir(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"held"
        yield folder
        process.communicate(b"")


def test_a_second_run_in_the_same_folder_is_refused(
    other_process: Path, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run_spoilt(lambda study, folder: None, sound, tmp_path)
    outcome = call(capsys, "run", path, "--out", other_process)
    assert outcome.status == 2
    assert outcome.err.startswith(f"error: {other_process}: another run is at work in this folder")
    assert products_in(tmp_path) == []
