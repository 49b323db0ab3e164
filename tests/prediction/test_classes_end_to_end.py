"""Classes through a whole run: an unknown one is blank in the map, and counted wherever a reader may look."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio

from permagrid.check import check_study
from permagrid.files import sha256_of
from permagrid.grid import cells_of, make_geobox
from permagrid.run import run
from permagrid.study import parse_study
from small_study import BOUNDS, EPOCHS, small_study

NOWHERE_SAMPLED, AT_ONE_SITE = 77, 78
LAYER = "mean_annual_ground_temperature"


def study(**learner):
    made = small_study(lean=True)
    whole = small_study()
    made["covariates"] += [part for part in whole["covariates"] if part["name"] == "geology"]
    made["learners"] = [{**part, **learner} for part in whole["learners"]]
    made["learners"][2]["covariates"] = ["bio1", "geology", "depth"]
    return made


def carry_out(made, world, out, **keywords):
    run(parse_study(made), out, data=world, **keywords)
    return json.loads((out / "summary.json").read_text())


def mapped(out, epoch=EPOCHS[0]):
    with rasterio.open(out / "maps" / f"small_{LAYER}_{epoch}.tif") as raster:
        return raster.read(1), raster.tags()


@pytest.fixture(scope="module")
def world(small_world, tmp_path_factory):
    """Return a world with a class where no site is, and one that a single site has to itself."""
    folder = Path(shutil.copytree(small_world, tmp_path_factory.mktemp("classes") / "world"))
    sites = pd.read_csv(folder / "boreholes.csv")
    lonlat = [
        sites[next(c for c in sites if c.lower().startswith(name))].to_numpy(float) for name in ("lon", "lat")
    ]
    row, column = cells_of(make_geobox("EPSG:3995", 10000, bounds=BOUNDS), *lonlat)
    inside = (row >= 0) & (row < 80) & (column >= 0) & (column < 80)
    row, column = row[inside].astype(int), column[inside].astype(int)
    with rasterio.open(folder / "geology.tif", "r+") as raster:
        codes = raster.read(1)
        near = np.zeros(codes.shape, dtype=bool)
        for r, c in zip(row, column, strict=True):
            near[max(r - 2, 0) : r + 3, max(c - 2, 0) : c + 3] = True
        far = np.argwhere(~near & (codes != 255))[:40]
        codes[far[:, 0], far[:, 1]] = NOWHERE_SAMPLED
        places = pd.Series(list(zip(row, column, strict=True))).value_counts()
        alone = next(
            place
            for place in places.index
            if codes[place] != 255
            and not any(0 < max(abs(place[0] - r), abs(place[1] - c)) < 3 for r, c in places.index)
        )
        codes[alone] = AT_ONE_SITE
        raster.write(codes, 1)
    return folder


@pytest.fixture(scope="module")
def finished(world, tmp_path_factory, unpainted):
    out = tmp_path_factory.mktemp("classes") / "out"
    return out, carry_out(study(), world, out)


def test_cells_of_a_class_without_sites_are_blank_and_no_others(finished, world):
    out, summary = finished
    with rasterio.open(world / "geology.tif") as raster:
        strange = raster.read(1) == NOWHERE_SAMPLED
    assert AT_ONE_SITE in set(pd.read_parquet(out / "training.parquet")["geology"])
    products = [product for product in summary["products"] if product["variable"] == LAYER]
    for epoch, product in zip(EPOCHS, products, strict=True):
        values, tags = mapped(out, epoch)
        with rasterio.open(world / "truth" / f"{LAYER}_{epoch}.tif") as raster:
            land = np.isfinite(raster.read(1))
        assert np.isnan(values[strange]).all()
        assert np.isfinite(values[land & ~strange]).mean() > 0.9
        assert product["unseen_class_cells"] == 40 == strange.sum()
        assert product["unseen_classes"] == {"geology": {"77": 40}}
        assert product["cells"] == np.isfinite(values).sum()
        assert tags["unseen_class_cells"] == "40"
        assert json.loads(tags["unseen_classes"]) == product["unseen_classes"]
    said = f"40 of {product['cells'] + 40} cells that have all covariates are left blank"
    page = (out / "report.html").read_text()
    assert said in page
    assert "geology 77 (40 cells)" in page


def test_rows_whose_class_is_not_in_their_training_folds_are_scored_and_counted(finished):
    out, summary = finished
    training = pd.read_parquet(out / "training.parquet")
    geology = training.loc[training["excluded"] == "", "geology"].to_numpy()
    predictions = pd.read_parquet(out / "predictions.parquet")
    counts = {(s["learner"], s["folds"]): s["n_unseen_class"] for s in summary["scores"]}
    for (learner, folds), counted in counts.items():
        mine = predictions[(predictions["learner"] == learner) & (predictions["folds"] == folds)]
        fold = mine["fold"].to_numpy()
        elsewhere = [set(geology[fold != one]) for one in range(fold.max() + 1)]
        assert counted == sum(code not in elsewhere[one] for code, one in zip(geology, fold, strict=True))
    by_site = counts["random_forest", "site"]
    assert by_site >= (geology == AT_ONE_SITE).sum() > 0
    assert np.isfinite(predictions["predicted"]).all()
    assert len(predictions) == sum(s["n"] for s in summary["scores"])
    assert f"{by_site} of {summary['scores'][0]['n']} (by site)" in (out / "report.html").read_text()
    assert (pd.read_csv(out / "scores.csv")["n_unseen_class"] == list(counts.values())).all()


def test_blocks_and_workers_change_no_byte_and_a_second_run_still_knows_the_counts(finished, world, tmp_path):
    out, summary = finished
    other = carry_out(study(), world, tmp_path, block=16, workers=4)
    assert other["products"] == summary["products"]
    assert sha256_of(tmp_path / "report.html") == sha256_of(out / "report.html")
    again = carry_out(study(), world, tmp_path)
    assert again["products"] == summary["products"]


def test_codes_are_numbers_and_no_number_is_unknown(world, finished, tmp_path):
    made = study(classes="codes")
    summary = carry_out(made, world, tmp_path)
    values, tags = mapped(tmp_path)
    assert summary["products"][0]["unseen_class_cells"] == 0
    assert "unseen_classes" not in tags
    assert {s["n_unseen_class"] for s in summary["scores"]} == {0}
    assert np.isfinite(values).sum() == finished[1]["products"][0]["cells"] + 40
    assert "left blank" not in (tmp_path / "report.html").read_text()


def test_a_class_that_becomes_a_number_is_learned_anew(world, finished, tmp_path):
    """The values of the layer stay what they were; only what they mean to the learner has changed."""
    out = Path(shutil.copytree(finished[0], tmp_path / "out"))
    made = study()
    geology = next(part for part in made["covariates"] if part["name"] == "geology")
    geology |= {"kind": "continuous", "unit": "m", "resampling": "nearest"}
    summary = carry_out(made, world, out)
    assert summary["reused"]["folds"] == 0
    assert summary["products"][0]["unseen_class_cells"] == 0


def test_a_learner_that_cannot_is_told_so_before_the_run(world):
    faults = check_study(parse_study(study(classes="native")), world)
    said = [(fault.place, fault.message) for fault in faults]
    assert [place for place, _ in said] == ["learners[0] (random_forest)", "learners[2] (climate_linear)"]
    why = "has no way of its own for classes; allowed for classes: one_hot, codes"
    assert said[0][1] == f"random_forest {why}"
