"""What the classes of another covariate stand for, cell by cell."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from permagrid.covariates import Covariate, build
from permagrid.covariates.raster import class_mask
from permagrid.errors import PermagridError
from permagrid.grid import make_geobox

GRID = make_geobox("EPSG:6931", 1000, bounds=(0, 0, 3000, 2000))
CODES = np.array([[1, 2, 9], [2, 0, 1]], dtype="uint8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = {"crs": "EPSG:6931", "transform": GRID.affine, "nodata": 0}
    with rasterio.open(
        tmp_path / "zones.tif", "w", driver="GTiff", height=2, width=3, count=1, dtype="uint8", **place
    ) as raster:
        raster.write(CODES, 1)
    return tmp_path


def values_of(folder: Path, kind: str = "class", **keywords: object) -> np.ndarray:
    zones = Covariate(
        "zones", "raster", "class" if kind == "class" else "1", {"path": "zones.tif"}, kind=kind
    )
    share = Covariate("share", "class_values", "1", {"input": "zones", **keywords})
    return build("share", {"zones": zones, "share": share}, GRID, epoch=None, root=folder).values


def test_each_code_gets_its_value_and_others_none(folder):
    found = values_of(folder, values={1: 0.95, 2: 0.7})
    np.testing.assert_allclose(found, [[0.95, 0.7, np.nan], [0.7, np.nan, 0.95]], rtol=1e-6)


def test_others_may_have_a_value_but_nodata_stays(folder):
    found = values_of(folder, values={"2": 0.7}, other=0)
    np.testing.assert_allclose(found, [[0, 0.7, 0], [0.7, np.nan, 0]], rtol=1e-6)


def test_a_covariate_without_classes_is_refused(folder):
    with pytest.raises(PermagridError, match="'zones' has no classes"):
        values_of(folder, kind="continuous", values={1: 0.95})
    with pytest.raises(PermagridError, match="gives no code a value"):
        values_of(folder, values={})


def test_a_mask_leaves_out_nodata_where_its_code_is_named(folder):
    path = str(folder / "zones.tif")
    assert class_mask(path, [9], GRID).values.tolist() == [[0, 0, 1], [0, 0, 0]]
    assert class_mask(path, [0, 9], GRID).values.tolist() == [[0, 0, 1], [0, 1, 0]]
