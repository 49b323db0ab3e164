"""Faults planted in the tables of a virtual world are flagged, by the right test, and clean rows are not."""

from pathlib import Path

import pandas as pd
import pytest

from permagrid.grid import make_geobox
from permagrid.rundir import RunDir
from permagrid.steps import sites, stack
from permagrid.steps.inputs import Hashes
from permagrid.study import parse_study
from permagrid.world import write_world
from permagrid.world.climate import EPOCHS
from small_study import BOUNDS, small_study

CAUGHT_BY = {
    "swapped_coordinates": ("coordinates", 4),
    "flipped_longitude": ("coordinates", 3),
    "missing_coordinates": ("coordinates", 9),
    "kelvin_for_celsius": ("gross_range", 4),
    "metres_for_centimetres": ("gross_range", 3),
    "near_duplicate": ("near_duplicates", 4),
    "impossible_value": ("gross_range", 4),
    "infrastructure": ("site_flags", 4),
    "elevation_mismatch": ("elevation_mismatch", 3),
}
"""Fault -> the test that finds it, and its least verdict: 3 suspect, 4 fail, 9 missing."""
STILL_KEPT = {"metres_for_centimetres", "elevation_mismatch"}
"""Faults that are only suspicious: their rows stay unless the study says exclude_suspect."""


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("faulty") / "world"
    return write_world(folder, seed=5, size=80, resolution=10000.0, n_boreholes=160, fault_share=0.3)


@pytest.fixture(scope="module")
def flagged(world, tmp_path_factory) -> pd.DataFrame:
    """Return all rows with the verdicts of the shipped study, and the fault planted in each, if any."""
    content = small_study(lean=True) | {"epochs": list(EPOCHS)}
    content["sites"]["sources"].append({"reader": "table", "path": "active_layer.csv", "source": "virtual"})
    study = parse_study(content)
    geobox = make_geobox("EPSG:3995", 10000, bounds=BOUNDS)
    with RunDir(tmp_path_factory.mktemp("flags") / "out") as folder:
        hashes = Hashes(folder.work / "hashes.json")
        stores = stack.layer_stores(study, geobox, hashes, world, folder.work / "stack")
        cube = stack.build_stack(
            study, geobox, folder, stores, world, hashes=hashes, workers=2, advance=lambda done, total: None
        )
        observations = sites.read_sources(study.sites.sources, world)
        rows = pd.DataFrame(sites.flag_observations(observations, study, cube))
    rows["table"] = [Path(name).name for name in rows["file"]]
    planted = pd.read_csv(world / "planted_faults.csv").drop_duplicates(["file", "line"])
    planted = planted.rename(columns={"file": "table", "line": "row"})[["table", "row", "fault"]]
    return rows.merge(planted, on=["table", "row"], how="left")


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_a_planted_fault_is_caught_by_its_test(flagged, fault):
    test, verdict = CAUGHT_BY[fault]
    rows = flagged[flagged["fault"] == fault]
    assert rows["site_id"].nunique() >= 5
    caught = rows[f"flag_{test}"].isin({3: (3, 4), 4: (4,), 9: (9,)}[verdict])
    assert caught.groupby(rows["site_id"]).any().mean() >= 0.9
    assert caught.mean() >= 0.9
    assert rows.loc[caught, "flag_reason"].str.contains(f"{test}: ").all()
    assert rows.loc[caught, "kept"].any() == (fault in STILL_KEPT)


def test_every_kind_of_fault_is_planted(flagged):
    assert set(flagged["fault"].dropna()) == set(CAUGHT_BY)


def test_clean_rows_are_rarely_flagged_and_hardly_ever_fail(flagged):
    clean = flagged[flagged["fault"].isna()]
    assert len(clean) > 3000
    assert clean["kept"].mean() > 0.99
    assert (clean["flag_reason"] == "").mean() > 0.97


def test_no_row_is_deleted(flagged, world):
    lines = sum(
        len((world / name).read_text().splitlines()) - 1 for name in ("boreholes.csv", "active_layer.csv")
    )
    assert len(flagged) == lines
