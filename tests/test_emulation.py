"""Maps against the published map that they emulate: only cells that were not drawn count."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from sklearn.metrics import accuracy_score, cohen_kappa_score, confusion_matrix

from permagrid.grid import make_geobox
from permagrid.sites.readers.raster_cells import drawn_cells, known_cells
from permagrid.steps.emulation import against_emulated
from permagrid.steps.layers import Map
from permagrid.study import Study

GRID = make_geobox("EPSG:6931", 10_000, bounds=(-100_000, 900_000, 100_000, 1_100_000))
ICE = {1: 25.0, 5: 15.0, 9: 5.0}
CODES = np.random.default_rng(3).choice([1, 5, 9, 24], size=(20, 20)).astype("uint8")


def write(path: Path, values: np.ndarray, geobox: GeoBox = GRID) -> Path:
    shape = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype.name}
    place = {
        "crs": str(geobox.crs),
        "transform": geobox.affine,
        "nodata": 0 if values.dtype == np.uint8 else np.nan,
    }
    with rasterio.open(path, "w", driver="GTiff", **shape, **place) as raster:
        raster.write(values, 1)
    return path


def made(path: Path, variable: str = "excess_ice_content") -> Map:
    return Map(path, variable, "1960-1990", "%", "", 1, 0, 0, {})


def study(**inventory: object) -> Study:
    reader = {
        "reader": "raster_cells",
        "path": "map.tif",
        "variable": "excess_ice_content",
        "n": 60,
        "seed": 2,
    }
    return Study.model_validate(
        {
            "study": "emulation",
            "metadata": {"title": "An emulation"},
            "target": {"variable": "excess_ice_content", "unit": "%", "valid_range": [0, 100]},
            "epochs": ["1960-1990"],
            "grid": {
                "crs": "EPSG:6931",
                "resolution": 10_000,
                "bounds": [-100_000, 900_000, 100_000, 1_100_000],
            },
            "sites": {"sources": [{**reader, "values": ICE, "source": "A map"}]},
            "covariates": [{"name": "share", "path": "share.tif", "unit": "1", "predictor": False}],
            "learners": [{"name": "random_forest"}],
            "validation": {"folds": [{"method": "site"}]},
            "products": {"learner": "random_forest"},
            **({"inventory": inventory} if inventory else {}),
        }
    )


def cube(share: float = 0.5) -> xr.Dataset:
    values = np.full(GRID.shape, share, dtype="float32")
    return xr.Dataset({"share": (GRID.dimensions, values)}, xr_coords(GRID))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "map.tif", CODES)
    return tmp_path


def truth() -> np.ndarray:
    return np.select([code == CODES for code in ICE], list(ICE.values()), np.nan)


def left_out(folder: Path) -> np.ndarray:
    cells = known_cells(folder / "map.tif", values=ICE)
    mask = np.zeros(CODES.shape, dtype=bool)
    mask[cells.row, cells.column] = True
    drawn = drawn_cells(cells, 60, seed=2, stratified=False)
    mask[cells.row[drawn], cells.column[drawn]] = False
    return mask


def test_a_perfect_map_agrees_in_all_cells_that_were_not_drawn(folder):
    ours = write(folder / "ours.tif", truth().astype("float32"))
    (found,) = against_emulated([made(ours)], study(), cube(), folder)
    assert (found["accuracy"], found["kappa"], found["rmse"]) == (1.0, 1.0, 0.0)
    assert found["n"] == left_out(folder).sum() == found["cells"] - 60
    assert found["map"] == "A map"
    assert found["classes"] == [5.0, 15.0, 25.0]


def test_what_drawn_cells_hold_does_not_matter(folder):
    spoiled = np.where(left_out(folder), truth(), 99.0).astype("float32")
    (found,) = against_emulated([made(write(folder / "ours.tif", spoiled))], study(), cube(), folder)
    assert found["accuracy"] == 1.0


def test_scores_are_those_of_scikit_learn(folder):
    ours = (np.nan_to_num(truth()) + np.random.default_rng(0).normal(0, 8, CODES.shape)).astype("float32")
    ours[0, :] = np.nan
    (found,) = against_emulated([made(write(folder / "ours.tif", ours))], study(), cube(), folder)
    tested = left_out(folder) & np.isfinite(ours)
    classes = [np.searchsorted([10, 20], grid[tested], side="right") for grid in (truth(), ours)]
    assert found["n"] == tested.sum()
    assert found["not_mapped"] == left_out(folder)[0].sum()
    assert found["accuracy"] == pytest.approx(accuracy_score(*classes))
    assert found["kappa"] == pytest.approx(cohen_kappa_score(*classes))
    assert found["confusion"] == confusion_matrix(*classes).tolist()
    assert found["rmse"] == pytest.approx(np.sqrt(((truth() - ours)[tested] ** 2).mean()), rel=1e-6)


def test_a_finer_grid_is_compared_at_the_middles_of_the_cells(folder):
    fine = GRID.zoom_out(1 / 3)
    ours = np.kron(truth(), np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])).astype("float32")
    (found,) = against_emulated([made(write(folder / "ours.tif", ours, fine))], study(), cube(), folder)
    assert found["accuracy"] == 1.0


def test_interval_and_area_of_applicability_are_told(folder):
    inside = np.zeros(CODES.shape, dtype="float32")
    inside[:10] = 1
    ours = np.where(inside == 1, truth(), 99).astype("float32")
    maps = [
        made(write(folder / "ours.tif", ours)),
        made(write(folder / "low.tif", np.full_like(ours, 10)), "excess_ice_content_lower_95"),
        made(write(folder / "high.tif", np.full_like(ours, 99)), "excess_ice_content_upper_95"),
        made(write(folder / "area.tif", inside), "area_of_applicability"),
    ]
    (found,) = against_emulated(maps, study(), cube(), folder)
    assert found["inside"]["accuracy"] == 1.0
    assert found["accuracy"] < 1.0
    assert found["inside"]["n"] == left_out(folder)[:10].sum()
    tested = truth()[left_out(folder)]
    assert found["coverage"] == {"95": {"n": len(tested), "share": pytest.approx((tested > 10).mean())}}


def test_the_total_is_that_of_the_published_map_where_ours_is_known(folder):
    ours = truth().astype("float32")
    ours[:5] = np.nan
    asked = study(storage={"thickness": 5, "ice": "excess", "presence": "share"})
    (found,) = against_emulated([made(write(folder / "ours.tif", ours))], asked, cube(), folder)
    total = np.nansum(truth()[5:]) / 100 * 5 * 0.5 * 10_000**2 / 1e9
    assert found["storage"] == {"ice": "excess", "unit": "km3", "total": pytest.approx(total, rel=1e-9)}


def test_studies_of_observations_have_nothing_of_it(folder):
    plain = study()
    other = plain.sites.sources[0].model_copy(update={"reader": "table"})
    sites = plain.sites.model_copy(update={"sources": (other,)})
    assert against_emulated([], plain.model_copy(update={"sites": sites}), cube(), folder) == []
