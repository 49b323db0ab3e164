"""Cells that repeat the covariates of others are computed once, and get the same bits."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from permagrid.compiled import patch_order
from permagrid.prediction.blocks import Prediction
from permagrid.prediction.repeats import of_distinct, repeats

SPECIAL = np.array([0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, 1e-45, 1.0, 1.0000001], dtype=np.float32)


def said(rows: np.ndarray) -> np.ndarray:
    """Return what tells even 0 from -0, and is none for a missing value."""
    with np.errstate(all="ignore"):
        return np.stack([np.arctan2(rows[:, 0], -1.0) * 3.0 + rows.sum(axis=1), 1.0 / rows[:, -1]], axis=1)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(2048, 6000),
    columns=st.integers(1, 4),
    kinds=st.sampled_from([1, 2, 30, 2000, 6000]),
    run=st.sampled_from([1, 2, 10]),
    kind=st.sampled_from([np.float32, np.float64, np.int16]),
)
def test_what_is_said_of_distinct_rows_and_spread_is_what_is_said_of_all(
    seed, count, columns, kinds, run, kind
):
    random = np.random.default_rng(seed)
    pool = random.normal(size=(kinds, columns)).astype(np.float32)
    special = random.random(pool.shape) < 0.3
    pool[special] = random.choice(SPECIAL, special.sum())
    picked = np.repeat(random.integers(0, kinds, count // run + 1), run)[:count]
    with np.errstate(all="ignore"):
        rows = (
            np.nan_to_num(pool * 100).astype(kind)[picked] if kind is np.int16 else pool[picked].astype(kind)
        )
    assert of_distinct(said, rows).tobytes() == said(rows).tobytes()
    found = repeats(rows)
    distinct = len(np.unique(np.ascontiguousarray(rows).view(f"V{rows.itemsize * columns}")))
    if found is None:
        # Nothing is looked at twice unless a part of the rows promises it, as few kinds do in any part.
        assert kinds > 30
        return
    assert len(found.first) == distinct
    assert (np.diff(found.first) > 0).all()
    assert rows[found.first][found.number].tobytes() == rows.tobytes()


def test_nothing_is_made_of_few_rows_or_of_rows_that_differ():
    random = np.random.default_rng(0)
    assert repeats(random.normal(size=(50_000, 3))) is None
    assert repeats(np.zeros((0, 3))) is None
    assert repeats(np.zeros((100, 3))) is None
    assert repeats(np.zeros((5000, 0))) is None
    assert len(repeats(np.zeros((5000, 3))).first) == 1


@pytest.mark.parametrize("order", [None, patch_order])
def test_a_block_of_a_coarse_stack_is_the_same_bits_and_asks_for_few_rows(order):
    random = np.random.default_rng(1)
    coarse = random.normal(size=(3, 12, 14)).astype(np.float32)
    coarse[1] = np.round(coarse[1])
    coarse[0, 2:4, 5:8] = np.nan
    fine = np.repeat(np.repeat(coarse, 10, axis=1), 10, axis=2)
    fine[2, 3, 4] = np.nan
    stack = xr.Dataset({name: (("y", "x"), layer) for name, layer in zip("abc", fine, strict=True)})
    counted = []

    def predict(rows):
        counted.append(len(rows))
        return np.sin(rows[:, 0]) + rows[:, 1] * rows[:, 2]

    window = slice(5, 107), slice(3, 121)
    block = Prediction(predict, stack, tuple("abc"), valid_range=(-1.0, 1.0), order=order).block(window)
    part = fine[:, window[0], window[1]].astype(float)
    whole = predict(part.reshape(3, -1).T).reshape(part.shape[1:])
    whole[np.isnan(part).any(axis=0)] = np.nan
    np.testing.assert_array_equal(block.values[0], np.clip(whole, -1.0, 1.0).astype(np.float32))
    assert block.clipped == (np.abs(whole) > 1.0).sum()
    assert block.valid == np.isfinite(whole).sum()
    assert counted[0] <= 12 * 14
