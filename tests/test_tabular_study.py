"""Studies without grid: covariates are columns of the table, boreholes are held out whole, no map is made."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from command_line import call, made_up_study, write_data, write_study
from permagrid import check_study
from permagrid.check import check_file
from permagrid.covariates import Covariate
from permagrid.errors import PermagridError, StudyError
from permagrid.run import run
from permagrid.sites.readers import READERS
from permagrid.sites.rows import observation_rows
from permagrid.sites.table import site_table
from permagrid.steps.inputs import covariates_of
from permagrid.steps.sites import flag_observations, read_sources
from permagrid.steps.tabular import column_values, rows_of, training_table
from permagrid.study import Study, parse_study, read_study, resolved
from permagrid.validation import FOLDS

STUDIES = Path(__file__).resolve().parents[1] / "studies"
SAMPLES, BOREHOLES = 8, 12
Spoilt = dict[str, Any]

pytestmark = pytest.mark.usefixtures("unpainted")


def samples() -> pd.DataFrame:
    """Return samples of boreholes: ice by material and depth, none of it in most."""
    random = np.random.default_rng(11)
    n = SAMPLES * BOREHOLES
    borehole = np.repeat(np.arange(BOREHOLES), SAMPLES)
    material = random.choice(["Coarse", "Fine", "Organics"], n, p=[0.4, 0.4, 0.2])
    # Two samples of each borehole come from the same depth.
    depth = np.tile([0.5, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0], BOREHOLES)
    rich = np.where(material == "Fine", 30.0, np.where(material == "Organics", 15.0, 0.0))
    ice = (
        rich
        + 3.0 * depth * (rich > 0)
        + random.normal(0.0, 4.0, n)
        + random.normal(0, 5, BOREHOLES)[borehole]
    )
    ice = np.clip(np.where(rich > 0, ice, 0.0), 0.0, 100.0)
    return pd.DataFrame(
        {
            "site_id": [f"bh-{number:02d}" for number in borehole],
            "depth": depth,
            "value": ice.round(3),
            "material": material,
            "wet": random.normal(0.0, 1.0, n).round(3),
            "deposit": np.where(borehole % 3 == 0, "moraine", "lake"),
        }
    )


def table_study() -> dict[str, Any]:
    """Return a study of the samples, without any fault."""
    source = {"reader": "table", "path": "ice.csv", "variable": "excess_ice_content", "source": "made_up"}
    return {
        "study": "cores",
        "metadata": {"title": "Ice of cores"},
        "target": {"variable": "excess_ice_content", "unit": "%", "valid_range": [0, 100]},
        "epochs": ["2010-2019"],
        "sites": {"sources": [{**source, "keep": ["material", "wet", "deposit"]}]},
        "covariates": [
            {"name": "depth", "method": "observation", "column": "depth", "unit": "m"},
            {"name": "material", "method": "observation", "column": "material", "kind": "class"},
            {"name": "wet", "method": "observation", "column": "wet", "unit": "1"},
        ],
        "learners": [{"name": "random_forest", "n_estimators": 10}, {"name": "ridge"}],
        "validation": {
            "folds": [{"method": "random", "n_folds": 4}, {"method": "site", "n_folds": 4}],
            "bootstrap": 50,
        },
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the table."""
    samples().to_csv(tmp_path / "ice.csv", index=False)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of the study, its data beside it."""
    folder = tmp_path_factory.mktemp("cores")
    samples().to_csv(folder / "ice.csv", index=False)
    return run(write_study(folder, table_study()), folder / "out", workers=1)


def summary_of(folder: Path) -> dict[str, Any]:
    """Return what a run says of itself."""
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


# --- the run


def test_each_sample_is_a_row_of_its_borehole_and_two_of_one_depth_stay_two(finished: Path) -> None:
    table = gpd.read_parquet(finished / "training.parquet")
    assert len(table) == SAMPLES * BOREHOLES
    assert table["site_group"].nunique() == BOREHOLES
    assert (table["site_group"] == table["site_id"]).all()
    assert table.duplicated(["site_id", "depth"]).sum() == BOREHOLES
    assert sorted(table["value"]) == sorted(samples()["value"])
    assert (table["epoch"] == "2010-2019").all()
    assert table["longitude"].isna().all()


def test_no_borehole_is_trained_on_and_tested_and_every_sample_is_tested_once(finished: Path) -> None:
    predictions = pd.read_parquet(finished / "predictions.parquet")
    mine = predictions[(predictions["folds"] == "site") & (predictions["learner"] == "ridge")]
    assert len(mine) == SAMPLES * BOREHOLES
    assert (mine.groupby("site_id")["fold"].nunique() == 1).all()


def test_texts_become_codes_that_the_record_tells(finished: Path) -> None:
    material = next(one for one in summary_of(finished)["covariates"] if one["name"] == "material")
    assert material["notes"] == {"codes": "1 Coarse, 2 Fine, 3 Organics"}
    table = gpd.read_parquet(finished / "training.parquet").sort_values(["site_id", "row"])
    said = samples()["material"].map({"Coarse": 1.0, "Fine": 2.0, "Organics": 3.0})
    np.testing.assert_array_equal(table["material"], said)
    assert "1 Coarse, 2 Fine, 3 Organics" in (finished / "report.html").read_text()


def test_the_record_holds_scores_and_importance_and_no_map(finished: Path) -> None:
    told = summary_of(finished)
    assert told["products"] == [] == list((finished / "maps").iterdir())
    assert (told["quote"]["learner"], told["quote"]["folds"]) == ("random_forest", "site")
    assert told["quote"]["wasserstein_km"] is None
    forest = {row["folds"]: row for row in told["scores"] if row["learner"] == "random_forest"}
    assert forest["site"]["n_sites"] == BOREHOLES
    # The material decides: it can be learned from other boreholes.
    assert forest["site"]["r2"] > 0.5
    ranks = {row["covariate"]: row["rank"] for row in told["importance"] if row["method"] == "permutation"}
    assert ranks["material"] == 1
    assert ranks["wet"] > 1
    assert told["applicability"]["inside_share"] == {}
    assert told["paired"]


def test_the_report_speaks_of_no_map(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    said = re.sub(r"<[^>]+>", " ", re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL))
    said = said.partition("The study file, resolved")[0]
    assert "a table, without maps" in said
    assert "It is the score of the learner that the study names" in said
    assert "96 rows are the observations of these sites, each for itself" in said
    assert "made the maps" not in said
    assert "Where the map may be believed" not in said


def test_a_run_is_shown_in_a_few_lines(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = call(capsys, "show", finished)
    assert shown.status == 0
    assert "to quote: RMSE" in shown.out
    assert "folds site\n" in shown.out
    assert "maps" not in shown.out


def test_what_a_run_would_cost_is_told_and_is_nothing_after_it(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = finished.parent / "study.yaml"
    told = call(capsys, "run", study, "--out", finished, "--dry-run", "--data", finished.parent)
    assert told.status == 0
    assert "no map, as the study has no grid" in told.out
    assert re.search(r"random_forest\s+site\s+4\s+4\s+4\s+0 s", told.out)


def test_the_same_study_gives_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    again = run(finished / "study.resolved.yaml", tmp_path / "out", data=finished.parent, workers=2)
    for name in ("scores.csv", "training.parquet", "predictions.parquet"):
        assert (again / name).read_bytes() == (finished / name).read_bytes()


def test_a_class_is_learned_from_columns_with_holdout_beside_boreholes(folder: Path) -> None:
    rows = samples()
    rows.assign(value=np.digitize(rows["value"], [1.0, 30.0])).to_csv(folder / "ice.csv", index=False)
    study = table_study()
    study["target"] = {"variable": "visible_ice_class", "kind": "class", "unit": "1", "valid_range": [0, 3]}
    study["sites"]["sources"][0]["variable"] = "visible_ice_class"
    study["learners"] = [{"name": "random_forest", "n_estimators": 10, "class_weight": "balanced"}]
    study["validation"]["folds"] = [{"method": "holdout"}, {"method": "site", "n_folds": 4}]
    study["products"] = {"learner": "random_forest", "applicability": False}
    told = summary_of(run(write_study(folder, study), folder / "out", workers=1))
    scores = {row["folds"]: row for row in told["scores"]}
    assert set(scores) == {"holdout", "site"}
    assert scores["holdout"]["n"] == round(0.3 * len(rows))
    assert scores["site"]["kappa"] > 0.4
    assert told["quote"]["folds"] == "site"
    assert told["applicability"] is None


def test_what_goes_without_saying_is_written_out(folder: Path) -> None:
    study = read_study(write_study(folder, table_study()))
    assert study.is_tabular
    assert study.products.learner == "random_forest"
    assert study.sites.quality == {"gross_range": {}}
    assert parse_study(resolved(study)) == study


def test_regions_of_a_column_are_held_out_and_places_are_used_where_there_are_any(folder: Path) -> None:
    study = table_study()
    study["validation"]["folds"] += [{"method": "region", "column": "deposit"}]
    assert faults(study, folder) == []
    study["validation"]["folds"] += [{"method": "block", "size": 100000.0}]
    rows = samples()
    at = pd.factorize(rows["site_id"])[0]
    rows.assign(longitude=at * 3.0, latitude=65.0).to_csv(folder / "ice.csv", index=False)
    assert faults(study, folder) == []


def test_rows_of_other_years_and_depths_and_censored_ones_fall_away(folder: Path) -> None:
    rows = samples().astype({"value": str}).assign(year="2012")
    rows.loc[0, "year"], rows.loc[1, "year"] = "1999", ""
    rows.loc[2, "value"] = ">80"
    rows.loc[3, "material"] = ""
    rows.to_csv(folder / "ice.csv", index=False)
    study = table_study()
    study["sites"]["reduce"] = {"depth_rule": "each", "depth_range": [0, 3]}
    read = parse_study(study)
    observations = flag_observations(read_sources(read.sites.sources, folder), read, xr.Dataset())
    table, _ = training_table(rows_of(observations, read), read, covariates_of(read))
    why = table["excluded"].value_counts().to_dict()
    assert why == {"": 6 * BOREHOLES - 3, "censored value": 1, "covariates: no material": 1}


# --- rows and columns


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(6)))
def test_rows_are_the_same_in_any_order_of_the_table(order: list[int]) -> None:
    table = site_table(
        pd.DataFrame(
            {
                "site_id": ["a", "a", "b", "b", "c", "c"],
                "latitude": np.nan,
                "longitude": np.nan,
                "variable": "excess_ice_content",
                "depth": [1.0, 1.0, 2.0, np.nan, 0.5, 0.1],
                "value": [0.0, 5.0, 5.0, 7.0, 90.0, 0.0],
                "row": range(2, 8),
            }
        )
    )
    here, there = (
        observation_rows(rows, epoch=(2000, 2009))
        for rows in (table, table.iloc[order].reset_index(drop=True))
    )
    pd.testing.assert_frame_equal(pd.DataFrame(here), pd.DataFrame(there))


def test_codes_that_are_stated_may_join_classes_and_blanks_are_missing() -> None:
    soil = Covariate(
        "soil",
        "observation",
        "class",
        {"column": "m", "codes": {"Fine": 5, "Till": 5, "Coarse": 2}},
        kind="class",
    )
    values, note = column_values(pd.DataFrame({"m": ["Till", "Fine", None, "Coarse"]}), soil)
    np.testing.assert_array_equal(values, [5.0, 5.0, np.nan, 2.0])
    assert note == "2 Coarse, 5 Fine, 5 Till"


@pytest.mark.parametrize(
    ("column", "kind", "keywords", "said"),
    [
        (["Fine", "Till"], "continuous", {}, "holds texts such as 'Fine'; set kind: class"),
        (["Fine", "Peat"], "class", {"codes": {"Fine": 1}}, "codes has none for 'Peat'; it has Fine"),
        ([1.0, 2.5], "class", {}, "kind is class, but values such as 2.5 are no codes"),
        ([1.0, 2.0], "class", {"codes": {"Fine": 1}}, "holds numbers, and codes are for texts"),
    ],
)
def test_a_column_that_does_not_hold_what_is_said_is_refused(
    column: list[Any], kind: Any, keywords: dict[str, Any], said: str
) -> None:
    one = Covariate("soil", "observation", "1", {"column": "m", **keywords}, kind=kind)
    with pytest.raises(PermagridError, match=f"covariate soil: .*{re.escape(said)}"):
        column_values(pd.DataFrame({"m": column}), one)


def test_further_columns_are_read_as_numbers_or_texts_and_tables_may_lack_coordinates(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,value,soil,wet\na,1,Fine,2.5\nb,,Till,3\nc,3,NA,-9\n", encoding="utf-8")
    keywords: dict[str, Any] = {"variable": "excess_ice_content", "columns": {"site_id": "id"}}
    rows = READERS["table"](path, **keywords, keep=["soil", "wet"], missing=[-9])
    assert rows["site_id"].tolist() == ["t:a", "t:c"]
    assert rows["soil"].tolist() == ["Fine", ""]
    np.testing.assert_array_equal(rows["wet"], [2.5, np.nan])
    assert rows["latitude"].isna().all()
    with pytest.raises(PermagridError, match="no column for latitude, longitude"):
        READERS["table"](path, **keywords)
    with pytest.raises(PermagridError, match="keep: 'value' is a column of the site table"):
        READERS["table"](path, **keywords, keep=["value"])


def test_folds_that_need_no_place_do_without_and_the_others_refuse() -> None:
    rows = pd.DataFrame({"site_group": list("aabbccdd"), "longitude": np.nan, "latitude": np.nan})
    rows["value"], rows["deposit"] = np.arange(8.0), list("xxxxyyyy")
    for method, keywords in (
        ("random", {"n_folds": 2}),
        ("site", {"n_folds": 4}),
        ("holdout", {"stratified": False}),
        ("region", {"column": "deposit"}),
    ):
        assert len(FOLDS[method](rows, **keywords).groups) == 8
        # The names of boreholes have no say, nor has the order of rows.
        shuffled = rows.iloc[::-1].reset_index(drop=True)
        here, there = (FOLDS[method](table, **keywords).numbers() for table in (rows, shuffled))
        np.testing.assert_array_equal(here, there[::-1])
    for method, more in (("block", {"size": 1e5}), ("region", {"boxes": {"a": (0, 0, 9, 9)}})):
        with pytest.raises(PermagridError, match="8 of 8 rows have no coordinates"):
            FOLDS[method](rows, **more)


# --- bad input


def faults(study: Spoilt, folder: Path) -> list[str]:
    """Return what a check says of a study, without the path of its file."""
    found = check_file(write_study(folder, study), folder)
    return [re.sub(r"^\S+?study.yaml(:\d+)? ", "", str(fault)) for fault in found]


def no_grid_for_a_raster(study: Spoilt, folder: Path) -> None:
    study["covariates"] += [{"name": name, "method": name} for name in ("latitude", "longitude")]


def blocks(study: Spoilt, folder: Path) -> None:
    study["validation"]["folds"].append({"method": "block", "size": 500000})


def hexagons(study: Spoilt, folder: Path) -> None:
    study["validation"]["folds"].append({"method": "block", "size": "residual_variogram", "shape": "hexagon"})


def buffers(study: Spoilt, folder: Path) -> None:
    study["validation"]["folds"].append({"method": "buffered_leave_one_out", "radius": 1000.0})


def inner_blocks(study: Spoilt, folder: Path) -> None:
    study["validation"]["inner"] = {"method": "block", "size": 500000, "n_folds": 3}


def knndm(study: Spoilt, folder: Path) -> None:
    study["validation"]["folds"].append({"method": "knndm"})


def random_alone(study: Spoilt, folder: Path) -> None:
    study["validation"]["folds"] = study["validation"]["folds"][:1]


def epoch_folds(study: Spoilt, folder: Path) -> None:
    study["validation"]["folds"].append({"method": "epoch"})


def sampling(study: Spoilt, folder: Path) -> None:
    study["sampling"] = {"rule": "bilinear"}


def references(study: Spoilt, folder: Path) -> None:
    study["references"] = [{"name": "a map", "path": "ice.csv", "epoch": "2010-2019"}]


def truth(study: Spoilt, folder: Path) -> None:
    study["truth"] = {"path": "ice.csv"}


def variables(study: Spoilt, folder: Path) -> None:
    study["products"] = {"learner": "ridge", "variables": ["excess_ice_content"]}


def members(study: Spoilt, folder: Path) -> None:
    study["ensemble"] = {"learners": ["ridge"], "members": 20}


def two_epochs(study: Spoilt, folder: Path) -> None:
    study["epochs"] = ["2000-2009", "2010-2019"]


def deepest(study: Spoilt, folder: Path) -> None:
    study["sites"]["reduce"] = {"depth_rule": "deepest"}


def coordinates(study: Spoilt, folder: Path) -> None:
    study["sites"]["quality"] = {"coordinates": {}}


def elevations(study: Spoilt, folder: Path) -> None:
    study["sites"]["quality"] = {"elevation_mismatch": {"dem_elevation": "depth"}}


def region(study: Spoilt, folder: Path) -> None:
    study["sites"]["region"] = [100, 60, 140, 70]


def density(study: Spoilt, folder: Path) -> None:
    study["learners"][0]["weights"] = {"rule": "inverse_density"}


def value_in_maps(study: Spoilt, folder: Path) -> None:
    study["covariates"][0]["at"] = 5.0


def unknown_column(study: Spoilt, folder: Path) -> None:
    study["covariates"][2]["column"] = "wett"


def texts_as_numbers(study: Spoilt, folder: Path) -> None:
    study["covariates"][1] |= {"kind": "continuous", "unit": "1"}


def own_name(study: Spoilt, folder: Path) -> None:
    study["covariates"][2]["name"] = "value"


def no_class(study: Spoilt, folder: Path) -> None:
    study["target"] = {"variable": "visible_ice_class", "kind": "class", "unit": "1", "valid_range": [0, 100]}
    study["sites"]["sources"][0]["variable"] = "visible_ice_class"
    study["learners"] = study["learners"][:1]
    samples().assign(value=lambda rows: (rows["value"] > 0) / 2.0).to_csv(folder / "ice.csv", index=False)


def column_not_in_the_file(study: Spoilt, folder: Path) -> None:
    study["sites"]["sources"][0]["keep"] = ["material", "wett"]


def empty_column(study: Spoilt, folder: Path) -> None:
    samples().assign(wet="").to_csv(folder / "ice.csv", index=False)


def years_outside(study: Spoilt, folder: Path) -> None:
    samples().assign(year=1990).to_csv(folder / "ice.csv", index=False)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (no_grid_for_a_raster, "grid: is missing; without one every covariate must be a column of the table"),
        (blocks, "validation.folds[2]: block folds are made of where sites lie, and none of 96 observations"),
        (hexagons, "validation.folds[2]: block folds are made of where sites lie, and none of 96"),
        (buffers, "validation.folds[2]: buffered_leave_one_out folds are made of where sites lie"),
        (inner_blocks, "validation.inner: block folds are made of where sites lie"),
        (knndm, "validation.folds[2]: knndm follows the distances of a map, and this study has no grid"),
        (
            random_alone,
            "validation.folds: random folds never stand alone, as they flatter a table; add {method: site}",
        ),
        (epoch_folds, "validation.folds[2]: 1 epochs cannot make 2 folds"),
        (
            sampling,
            "sampling: says how covariates are read from the cells of a grid, and this study has no grid",
        ),
        (references, "references: are maps with which maps are compared, and this study has no grid"),
        (truth, "truth: is the true map, and this study has no grid"),
        (variables, "products.variables: names maps, and this study has no grid"),
        (members, "ensemble.members: has no effect: members are drawn over a map, and this study has"),
        (two_epochs, "epochs: holds 2 epochs; a study without grid has one"),
        (deepest, "sites.reduce.depth_rule: has no effect without a grid, where each observation is a row"),
        (coordinates, "sites.quality.coordinates: looks at where sites lie, and none of 96 observations has"),
        (elevations, "sites.quality.elevation_mismatch: compares sites with a layer of the grid"),
        (region, "sites.region: keeps sites by where they lie, and none of 96 observations has coordinates"),
        (
            density,
            "learners[0].weights (random_forest): inverse_density counts places nearby, and none of 96",
        ),
        (value_in_maps, "covariates[0].at (depth): has no effect without a grid"),
        (unknown_column, "covariates[2].column (wet): the tables have no column 'wett': did you mean 'wet'?"),
        (
            texts_as_numbers,
            "covariates[1].column (material): the column 'material' holds texts such as 'Coarse'",
        ),
        (own_name, "covariates[2].name (value): 'value' is a column that every table of sites has"),
        (no_class, "target.kind: is class, but values such as"),
        (column_not_in_the_file, "sites.sources[0]: ice.csv: missing column wett"),
        (empty_column, "covariates[2].column (wet): the column 'wet' of the table of sites is empty"),
        (
            years_outside,
            "sites.sources: no observation is left in 2010-2019: 96 rows: the year lies in no epoch",
        ),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    folder: Path, spoil: Callable[[Spoilt, Path], None], said: str
) -> None:
    study = table_study()
    spoil(study, folder)
    found = faults(study, folder)
    assert len(found) == 1, found
    assert found[0].startswith(said)


def test_a_sound_study_has_no_fault(folder: Path) -> None:
    assert faults(table_study(), folder) == []
    assert check_study(parse_study(table_study()), folder) == []


def test_a_misspelt_grid_is_not_taken_for_none(tmp_path: Path) -> None:
    write_data(tmp_path)
    study = made_up_study()
    study["gird"] = study.pop("grid")
    assert [fault.split(":")[0] for fault in faults(study, tmp_path)] == ["gird"]
    study = made_up_study()
    study["grid"]["resolution"] = "coarse"
    assert [fault.split(":")[0] for fault in faults(study, tmp_path)] == ["grid.resolution"]


def test_a_study_with_a_grid_still_needs_a_value_for_its_maps(tmp_path: Path) -> None:
    write_data(tmp_path)
    study = made_up_study()
    study["covariates"] += [{"name": "z", "method": "observation", "column": "depth", "unit": "m"}]
    assert (
        "covariates[4] (z): covariate method observation needs the keyword 'at'" in faults(study, tmp_path)[0]
    )
    study["covariates"][4] |= {"at": 10.0, "codes": {"a": 1}}
    assert faults(study, tmp_path)[0].startswith("covariates[4].codes (z): is for a study without grid")


def test_a_grid_that_is_forgotten_is_told_once_and_names_what_needs_it(tmp_path: Path) -> None:
    write_data(tmp_path)
    study = made_up_study()
    del study["grid"]
    found = faults(study, tmp_path)
    assert found[0].startswith("grid: is missing")
    assert "air, elevation, slope and 1 more are no columns of it" in found[0]


def test_a_run_refuses_what_the_check_refuses(folder: Path) -> None:
    study = table_study()
    blocks(study, folder)
    with pytest.raises(StudyError, match="block folds are made of where sites lie"):
        run(parse_study(study), folder / "out", data=folder)
    assert not (folder / "out").exists()


# --- real data


def shortened(name: str) -> dict[str, Any]:
    """Return a shipped study with few trees and folds."""
    study: dict[str, Any] = YAML(typ="safe").load(STUDIES / f"{name}.yaml")
    study["learners"] = [{"name": "random_forest", "n_estimators": 40, "min_samples_leaf": 3}]
    study["products"] = {"learner": "random_forest", "applicability": False}
    study.pop("ensemble", None)
    study["validation"] = {"folds": study["validation"]["folds"][:2], "bootstrap": 50}
    study["validation"]["folds"][1]["n_folds"] = 5
    return study


def test_real_excess_ice_is_harder_in_a_borehole_that_nobody_sampled(real_data: Path, tmp_path: Path) -> None:
    study = shortened("excess_ice")
    study["validation"]["folds"][0] = {"method": "random", "n_folds": 5}
    told = summary_of(run(parse_study(study), tmp_path / "out", data=real_data, workers=1))
    assert (told["sites"]["site_epochs"], told["sites"]["kept"]) == (354, 15)
    table = gpd.read_parquet(tmp_path / "out" / "training.parquet")
    assert table.duplicated(["site_id", "depth"]).sum() == 14
    assert 0.6 < (table["value"] == 0.0).mean() < 0.63
    scores = {row["folds"]: row for row in told["scores"]}
    assert 15.0 < scores["random"]["rmse"] < scores["site"]["rmse"] < 30.0


def test_real_studies_of_tables_have_no_fault(real_data: Path) -> None:
    for name in ("excess_ice", "visible_ice_classes"):
        study: Study = read_study(STUDIES / f"{name}.yaml")
        assert study.is_tabular
        assert check_study(study, real_data) == []
