"""The stack: what is stored is what was computed, and nothing half-made is ever seen."""

import numpy as np
import pytest
import xarray as xr
from made_rasters import grid_of, write_tif

from permagrid.covariates import Covariate, at_epoch, build, open_stack, stack_layers, store_layers
from permagrid.covariates import stack as stack_module
from permagrid.covariates.resample import onto
from permagrid.errors import PermagridError
from permagrid.grid import inside_region, lonlat, make_geobox

GRID = make_geobox("EPSG:3995", 50_000, bounds=(-1_500_000, -1_000_000, 1_500_000, 1_500_000))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(stack_module, "CHUNK", 16)


@pytest.fixture
def layers():
    random = np.random.default_rng(0)
    values = {name: random.normal(size=GRID.shape).astype("float32") for name in "abc"}
    values["a"][3, 4] = np.nan
    return values


def _lazy(values):
    return onto(grid_of(values, GRID), GRID, resampling="nearest")


@pytest.mark.parametrize("workers", [1, 3])
def test_what_is_stored_is_opened_again(tmp_path, layers, workers):
    stores = {
        ("a", None): tmp_path / "a.zarr",
        ("t", "1980-1984"): tmp_path / "b.zarr",
        ("t", "1985-1989"): tmp_path / "c.zarr",
    }
    calls = []
    store_layers(
        dict(zip(stores.values(), map(_lazy, layers.values()), strict=True)),
        GRID,
        workers=workers,
        progress=lambda done, total: calls.append((done, total)),
    )
    covariates = {
        "a": Covariate("a", "raster", "m", long_name="Height", kind="class"),
        "t": Covariate("t", "raster", "degC", years=(1980, 1989)),
    }
    stack = open_stack(stores, covariates, GRID)
    np.testing.assert_array_equal(stack["a"].values, layers["a"])
    np.testing.assert_array_equal(stack["t"].sel(epoch="1985-1989").values, layers["c"])
    assert stack["a"].attrs == {"units": "m", "long_name": "Height", "kind": "class"}
    assert stack.odc.geobox == GRID
    assert calls[-1] == (16, 16)
    assert [done for done, _ in calls] == list(range(1, 17))
    one = at_epoch(stack, "1980-1984")
    np.testing.assert_array_equal(one["t"].values, layers["b"])
    assert one["a"].ndim == 2
    with pytest.raises(
        PermagridError, match="no covariates for epoch 1990-1994; the stack has 1980-1984, 1985-1989"
    ):
        at_epoch(stack, "1990-1994")


def test_bytes_do_not_depend_on_the_number_of_workers(tmp_path, layers):
    for workers in (1, 4):
        store_layers({tmp_path / f"{workers}" / "a.zarr": _lazy(layers["a"])}, GRID, workers=workers)
    one, other = (sorted(p for p in (tmp_path / n).rglob("*") if p.is_file()) for n in ("1", "4"))
    assert [p.relative_to(tmp_path / "1") for p in one] == [p.relative_to(tmp_path / "4") for p in other]
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in other]


@pytest.mark.parametrize("region", [(-180, 75, 180, 90), (170, 60, -150, 80), (20, 70, 100, 85)])
def test_outside_the_region_cells_are_nodata(tmp_path, layers, region):
    store_layers({tmp_path / "b.zarr": _lazy(layers["b"])}, GRID, region=region)
    stored = open_stack({("b", None): tmp_path / "b.zarr"}, {"b": Covariate("b", "raster", "m")}, GRID)[
        "b"
    ].values
    inside = inside_region(*lonlat(GRID), region)
    assert 0 < inside.sum() < inside.size
    np.testing.assert_array_equal(np.isfinite(stored), inside)
    np.testing.assert_array_equal(stored[inside], layers["b"][inside])


def test_what_fails_leaves_no_store_and_keeps_the_old_one(tmp_path, layers):
    path = tmp_path / "a.zarr"
    store_layers({path: _lazy(layers["a"])}, GRID)
    source = make_geobox("EPSG:3995", 2000, bounds=(-1_500_000, -1_000_000, 1_500_000, 1_500_000))
    broken = write_tif(tmp_path / "broken.tif", np.random.default_rng(0).normal(size=source.shape), source)
    bad = build(
        "x", {"x": Covariate("x", "raster", "m", {"path": "broken.tif"})}, GRID, epoch=None, root=tmp_path
    )
    broken.write_bytes(broken.read_bytes()[:-1_000_000])
    seen = []
    with pytest.raises(PermagridError, match=r"broken\.tif"):
        store_layers(
            {path: _lazy(layers["b"]), tmp_path / "x.zarr": bad},
            GRID,
            workers=2,
            progress=lambda d, _: seen.append(d),
        )
    assert not (tmp_path / "x.zarr").exists()
    assert len(seen) < 16
    kept = open_stack({("a", None): path}, {"a": Covariate("a", "raster", "m")}, GRID)
    np.testing.assert_array_equal(kept["a"].values, layers["a"])
    # What was left half-made does not disturb the next try.
    store_layers({path: _lazy(layers["b"])}, GRID)
    np.testing.assert_array_equal(
        open_stack({("a", None): path}, {"a": Covariate("a", "raster", "m")}, GRID)["a"].values, layers["b"]
    )


def test_while_a_store_is_written_it_has_another_name(tmp_path, layers):
    path = tmp_path / "a.zarr"
    seen = []
    store_layers({path: _lazy(layers["a"])}, GRID, progress=lambda *_: seen.append(path.exists()))
    assert seen == [False] * 16
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]


def test_a_damaged_or_foreign_store_is_named(tmp_path, layers):
    path = tmp_path / "a.zarr"
    covariates = {"a": Covariate("a", "raster", "m")}
    with pytest.raises(PermagridError, match=r"a\.zarr: the stored layer is damaged"):
        open_stack({("a", None): path}, covariates, GRID)
    store_layers({path: _lazy(layers["a"])}, GRID)
    with pytest.raises(PermagridError, match=r"a\.zarr: has .* cells, the grid has"):
        open_stack({("a", None): path}, covariates, GRID[:10, :10])
    chunk = max((p for p in path.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    chunk.write_bytes(chunk.read_bytes()[:20])
    stack = open_stack({("a", None): path}, covariates, GRID)
    with pytest.raises(PermagridError, match=r"a\.zarr: the stored layer is damaged"):
        stack["a"].compute(scheduler="synchronous")


def test_layers_are_listed_for_what_varies(tmp_path):
    still = Covariate("elevation", "raster", "m", {"path": "a.tif"})
    moving = Covariate("anomaly", "zonal_anomaly", "delta degC", years=(1980, 1989))
    climate = Covariate("bio1", "raster", "degC", years=(1960, 1990), static=True)
    total = Covariate("air", "sum_of", "degC", {"inputs": ["bio1", "anomaly"]})
    named = {one.name: one for one in (still, moving, climate, total)}
    epochs = ["1980-1984", "1985-1989"]
    assert stack_layers(named, iter(epochs)) == [
        ("elevation", None),
        *[("anomaly", epoch) for epoch in epochs],
        ("bio1", None),
        *[("air", epoch) for epoch in epochs],
    ]
    assert stack_layers({}, epochs) == []
    store_layers({}, GRID)


def test_a_stack_without_epochs_is_itself_at_any_epoch():
    stack = xr.Dataset({"a": (GRID.dimensions, np.zeros(GRID.shape))})
    assert at_epoch(stack, "1980-1984") is stack


def test_masked_cells_become_nodata_in_every_layer(tmp_path, layers):
    left_out = np.zeros(GRID.shape, dtype="float32")
    left_out[2, 3] = 1
    stores = {(name, None): tmp_path / f"{name}.zarr" for name in "ab"}
    written = {path: _lazy(layers[name]) for (name, _), path in stores.items()}
    store_layers(written, GRID, mask=_lazy(left_out))
    stack = open_stack(stores, {name: Covariate(name, "raster", "m") for name in "ab"}, GRID)
    for name in "ab":
        expected = np.where(left_out > 0, np.nan, layers[name])
        np.testing.assert_array_equal(stack[name].values, expected)


def test_what_layers_say_of_how_they_were_made_is_kept(tmp_path, layers):
    stores = {("t", "1980-1984"): tmp_path / "b.zarr", ("t", "1985-1989"): tmp_path / "c.zarr"}
    said = [{"season": "July to June", "valid_years": count} for count in (5, 4)]
    made = [_lazy(layers[name]).assign_attrs(attrs) for name, attrs in zip("bc", said, strict=True)]
    store_layers(dict(zip(stores.values(), made, strict=True)), GRID)
    attrs = open_stack(stores, {"t": Covariate("t", "raster", "degC", years=(1980, 1989))}, GRID)["t"].attrs
    assert attrs["season"] == "July to June"
    assert attrs["valid_years"] == "1980-1984: 5; 1985-1989: 4"
    assert attrs["units"] == "degC"
