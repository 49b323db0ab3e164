"""Layers of applicability have the same bytes for any block size, and say what the rows of cells say."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from permagrid.prediction import predict_blocks
from permagrid.prediction.applicability import fit_applicability
from permagrid.prediction.applicability_layers import APPLICABILITY_LAYERS, applicability_outputs
from permagrid.prediction.error_model import HeldOut, fit_error_model

NAMES = ("cold", "wet", "high", "soil")
SHAPE = (143, 97)


@pytest.fixture(scope="module")
def stack():
    random = np.random.default_rng(0)
    layers = {}
    for name in NAMES:
        values = random.normal(0, 1.3, SHAPE) if name != "soil" else random.integers(0, 5, SHAPE)
        values = values.astype("float32")
        values[random.random(SHAPE) < 0.05] = np.nan
        layers[name] = (("y", "x"), da.from_array(values, chunks=(50, 60)))
    return xr.Dataset(layers)


@pytest.fixture(scope="module", params=["euclidean", "gower"])
def applicability(request):
    random = np.random.default_rng(1)
    rows = np.column_stack([random.normal(0, 1, (180, 3)), random.integers(0, 4, 180)])
    pairs = [
        (np.flatnonzero(np.arange(180) % 6 != k), np.flatnonzero(np.arange(180) % 6 == k)) for k in range(6)
    ]
    weights = np.array([2.0, 1.0, 0.2, 0.6])
    return fit_applicability(rows, weights, pairs, covariates=NAMES, classes=["soil"], distance=request.param)


def error_by(applicability, by):
    random = np.random.default_rng(2)
    nearness = getattr(applicability.training, by)
    return fit_error_model([HeldOut(random.normal(0, 1, 180), np.zeros(180), nearness)], by=by)


def layers(predict, stack, **keywords):
    out = np.full((4, *SHAPE), -99.0, dtype="float32")
    for part in predict_blocks(predict, stack, NAMES, outputs=4, **keywords):
        out[:, *part.window] = part.values
    return out


@pytest.mark.parametrize("by", ["di", "density"])
def test_blocks_and_workers_change_no_byte(by, stack, applicability):
    model = error_by(applicability, by)
    predict = applicability_outputs(applicability, model)
    first, *others = (
        layers(predict, stack, block=block, workers=workers)
        for block, workers in [(512, 1), (13, 1), (13, 3), (40, 2), (97, 2)]
    )
    for other in others:
        assert other.tobytes() == first.tobytes()

    assert APPLICABILITY_LAYERS == ("di", "aoa", "lpd", "expected_error")
    values = np.stack([stack[name].values.ravel() for name in NAMES], axis=1).astype(float)
    complete = np.isfinite(values).all(axis=1)
    assert np.isnan(first[:3]).reshape(3, -1).any(axis=0).tolist() == (~complete).tolist()
    di, aoa, lpd, error = first.reshape(4, -1)[:, complete]
    rows = values[complete]
    assert (di == applicability.di(rows).astype("float32")).all()
    assert (aoa == applicability.inside(rows)).all()
    assert (lpd == applicability.density(rows)).all()
    expected = model.expected_error(getattr(applicability, by)(rows)).astype("float32")
    np.testing.assert_array_equal(error, expected)
    assert 0.0 < aoa.mean() < 1.0
    assert (np.isfinite(error) == (aoa == 1 if by == "di" else lpd >= model.reach)).all()


def test_without_an_error_model_no_error_is_stated(stack, applicability):
    found = layers(applicability_outputs(applicability), stack)
    assert np.isnan(found[3]).all()
    assert np.isfinite(found[:3]).any()
