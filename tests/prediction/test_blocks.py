"""A map has the same bytes for any block size and worker count, keeps nodata, and counts what it clips."""

import threading
from collections import Counter

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from odc.geo.xr import xr_coords

from every_learner import FEW
from permagrid.errors import PermagridError
from permagrid.grid import make_geobox
from permagrid.learners import build_learner
from permagrid.prediction import predict_blocks, row_wise

ROWS, COLUMNS = 181, 119
NAMES = ("cold", "wet", "high")
SOME = (
    *("random_forest", "gradient_boosting", "climate_linear"),
    *("support_vectors", "additive_model", "nearest_neighbours"),
)
"""One learner of each kind of arithmetic; that none looks at the rows beside a row is tested of all."""
TASKS = [("value", None), ("class", 2), ("class", 3)]


@pytest.fixture(scope="module")
def stack():
    geobox = make_geobox("EPSG:3995", 1000, bounds=(0, 0, COLUMNS * 1000, ROWS * 1000))
    random = np.random.default_rng(0)
    layers = {}
    for name in NAMES:
        values = random.normal(0, 1, (ROWS, COLUMNS)).astype("float32")
        values[random.random((ROWS, COLUMNS)) < 0.05] = np.nan
        values[20:110, 10:100] = np.nan if name == "wet" else values[20:110, 10:100]
        layers[name] = (geobox.dimensions, da.from_array(values, chunks=(64, 50)))
    return xr.Dataset(layers).assign_coords(xr_coords(geobox))


def fitted(name, task, n_classes):
    random = np.random.default_rng(1)
    X = random.normal(0, 1, (200, 3))
    y = X @ [2.0, 1.0, 0.5] + random.normal(0, 0.2, 200)
    if n_classes is not None:
        y = np.digitize(y, np.linspace(-1.5, 1.5, n_classes - 1)).astype(float)
    return build_learner(name, task, 0, FEW.get(name, {})).fit(X, y)


def whole_map(predict, stack, **keywords):
    outputs = keywords.get("outputs", 1)
    out = np.full((outputs, ROWS, COLUMNS), -99.0, dtype="float32")
    seen = np.zeros((ROWS, COLUMNS), dtype=int)
    valid = clipped = 0
    for part in predict_blocks(predict, stack, NAMES, **keywords):
        out[:, *part.window] = part.values
        seen[part.window] += 1
        valid, clipped = valid + part.valid, clipped + part.clipped
    assert (seen == 1).all()
    return out, valid, clipped


@pytest.mark.parametrize(("task", "n_classes"), TASKS)
@pytest.mark.parametrize("name", SOME)
def test_blocks_and_workers_change_no_byte(name, task, n_classes, stack):
    model = fitted(name, task, n_classes)
    keywords = {"outputs": n_classes or 1, "valid_range": (-2.0, 1.0)}
    predict = row_wise(model, task=task)
    found = {
        (block, workers): whole_map(predict, stack, block=block, workers=workers, **keywords)
        for block, workers in [(37, 1), (37, 4), (128, 2), (512, 1)]
    }
    first, *others = found.values()
    for other in others:
        assert other[0].tobytes() == first[0].tobytes()
        assert other[1:] == first[1:]

    values = np.stack([stack[covariate].values.ravel() for covariate in NAMES], axis=1)
    here = np.isfinite(values).all(axis=1)
    by_hand = np.full((n_classes or 1, ROWS * COLUMNS), np.nan, dtype="float32")
    by_hand[:, here] = np.atleast_2d(predict(values[here].astype(float)).T).clip(-2.0, 1.0)
    assert by_hand.tobytes() == first[0].tobytes()


def test_nodata_of_any_covariate_is_nodata_of_the_map(stack):
    out, valid, _ = whole_map(lambda rows: rows.sum(axis=1), stack, block=50)
    missing = np.isnan(np.stack([stack[name].values for name in NAMES])).any(axis=0)
    assert (np.isnan(out[0]) == missing).all()
    assert valid == (~missing).sum()


def test_predictions_are_brought_into_the_valid_range_and_counted(stack):
    free, valid, none = whole_map(lambda rows: rows[:, 0] * 3, stack, block=64)
    out, _, clipped = whole_map(lambda rows: rows[:, 0] * 3, stack, block=64, valid_range=(-1.0, 2.0))
    outside = (free < -1.0) | (free > 2.0)
    assert none == 0
    assert 0 < clipped == outside.sum() < valid
    assert (np.nanmin(out), np.nanmax(out)) == (-1.0, 2.0)
    assert (out[~outside & ~np.isnan(out)] == free[~outside & ~np.isnan(out)]).all()


def test_a_stack_without_data_gives_a_map_without_data(stack):
    empty = stack.assign(wet=stack["wet"] * np.nan)
    out, valid, clipped = whole_map(lambda rows: 1 / 0, empty, block=100)
    assert np.isnan(out).all()
    assert valid == clipped == 0


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_no_more_than_two_results_a_worker_exist_however_slowly_they_are_taken(workers, stack):
    lock, begun, taken, most = threading.Lock(), 0, 0, 0

    def predict(rows):
        nonlocal begun
        with lock:
            begun += 1
        return rows[:, 0]

    # Every block of this size holds data in the covariates that are left.
    full = stack.fillna(0.0)
    for _ in predict_blocks(predict, full, NAMES, block=40, workers=workers):
        taken += 1
        # A while for the threads to run ahead as far as they may.
        threading.Event().wait(0.005)
        with lock:
            most = max(most, begun - taken + 1)
    assert taken == begun == 5 * 3
    assert 1 < most <= 2 * workers


def test_a_failure_in_a_block_is_not_swallowed(stack):
    def predict(rows):
        raise PermagridError("the learner cannot")

    with pytest.raises(PermagridError, match="the learner cannot"):
        list(predict_blocks(predict, stack, NAMES, workers=2))


def test_a_missing_covariate_is_named(stack):
    with pytest.raises(PermagridError, match="the stack lacks slope, ndvi"):
        next(predict_blocks(lambda rows: rows[:, 0], stack, ["cold", "slope", "ndvi"]))


def test_a_stack_of_epochs_is_refused(stack):
    epochs = stack.assign(wet=stack["wet"].expand_dims(epoch=["1980-1984"]))
    with pytest.raises(PermagridError, match="choose one epoch of the stack first"):
        next(predict_blocks(lambda rows: rows[:, 0], epochs, NAMES))


KNOWN = {"cold": np.array([0.0, 1.0, 2.0]), "wet": np.array([0.0, 1.0])}


@pytest.fixture(scope="module")
def classed(stack):
    """Return the stack with two covariates of classes, 0 to 4 and 0 to 2."""
    random = np.random.default_rng(4)
    codes = {name: random.integers(0, most, (ROWS, COLUMNS)) for name, most in {"cold": 5, "wet": 3}.items()}
    return stack.assign(
        {name: (stack[name] * 0 + values).astype("float32") for name, values in codes.items()}
    )


@pytest.mark.parametrize(("block", "workers"), [(37, 1), (37, 4), (128, 2), (512, 1)])
def test_cells_of_an_unknown_class_are_left_out_and_counted(classed, block, workers):
    out = np.full((ROWS, COLUMNS), -99.0, dtype="float32")
    valid, unseen, classes = 0, 0, Counter()
    for part in predict_blocks(
        lambda rows: rows.sum(axis=1), classed, NAMES, block=block, workers=workers, known=KNOWN
    ):
        out[part.window] = part.values[0]
        valid, unseen = valid + part.valid, unseen + part.unseen
        classes.update(part.unseen_classes)
    layers = {name: classed[name].values for name in NAMES}
    complete = np.isfinite(np.stack(list(layers.values()))).all(axis=0)
    strange = {name: complete & ~np.isin(layers[name], codes) for name, codes in KNOWN.items()}
    unknown = strange["cold"] | strange["wet"]
    assert (np.isnan(out) == (~complete | unknown)).all()
    assert (valid, unseen) == ((complete & ~unknown).sum(), unknown.sum())
    assert classes == {
        (name, code): (strange[name] & (layers[name] == code)).sum()
        for name, code in [("cold", 3.0), ("cold", 4.0), ("wet", 2.0)]
    }
    assert unknown.sum() < sum(classes.values())


@pytest.mark.parametrize("encoding", ["one_hot", None])
@pytest.mark.parametrize("name", SOME)
def test_blocks_and_workers_change_no_byte_of_a_map_of_classes(name, encoding, classed):
    random = np.random.default_rng(1)
    X = np.stack(
        [random.choice(KNOWN["cold"], 200), random.choice(KNOWN["wet"], 200), random.normal(0, 1, 200)], 1
    )
    kinds = {"covariates": NAMES, "classes": ("cold", "wet"), "encoding": encoding}
    model = build_learner(name, "value", 0, FEW.get(name, {}), **kinds).fit(X, X @ [2.0, 1.0, 0.5])
    predict = row_wise(model, task="value")
    first, *others = (
        whole_map(predict, classed, block=block, workers=workers, known=KNOWN)
        for block, workers in [(37, 1), (37, 4), (1000, 2)]
    )
    for other in others:
        assert other[0].tobytes() == first[0].tobytes()


def test_where_every_class_is_known_none_is_counted(classed):
    everything = {name: np.arange(5.0) for name in KNOWN}
    parts = list(predict_blocks(lambda rows: rows[:, 0], classed, NAMES, known=everything))
    assert all(part.unseen == 0 and not part.unseen_classes for part in parts)
