"""Compiled forests of quantiles say the learner's own means and quantiles, in any order, also at ties."""

import json
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permagrid.compiled import CompiledQuantiles, compile_estimator, compiled_of, plain
from permagrid.errors import PermagridError
from permagrid.learners import build_learner
from permagrid.learners.quantile_forest import QuantileForest

NAMES = ("air", "snow", "soil", "slope")
LEVELS = [0.95, 0.05, 0.5, 0.25, 0.5]


def covariates(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    rows = random.normal(0, 1, (count, len(NAMES))) * [8.0, 0.3, 1.0, 20.0]
    rows[:, 2] = random.choice([3.0, 7.0, 12.0], count)
    return rows


def neighbours(count: int, seed: int) -> np.ndarray:
    """Return rows that change little from one to the next, so that weights are carried on."""
    rows = np.repeat(covariates(count // 20, seed), 20, axis=0)
    return rows + np.cumsum(np.random.default_rng(seed).normal(0, 0.02, rows.shape), axis=0) * [1, 0.1, 0, 1]


@lru_cache
def learned(*, encoded: bool, weighed: bool):
    rows, random = covariates(300, 0), np.random.default_rng(1)
    values = np.round(rows[:, 0] + 4 * (rows[:, 2] == 7) + random.normal(0, 2, len(rows)), 1)
    weights = random.choice([0.0, 0.7, 1.0, 3.0], len(rows)) if weighed else None
    kept = ("soil",) if encoded else ()
    forest = build_learner(
        "quantile_forest", "value", 0, {"n_estimators": 20}, covariates=NAMES, classes=kept
    )
    return forest.fit(rows, values, sample_weight=weights)


@pytest.fixture(params=[(False, False), (True, False), (True, True)], ids=["plain", "classes", "weights"])
def forest(request):
    return learned(encoded=request.param[0], weighed=request.param[1])


def test_means_and_quantiles_are_the_learners_own(forest):
    compiled = compile_estimator(forest, "value")
    assert isinstance(compiled, CompiledQuantiles)
    for rows in (neighbours(1000, 5), covariates(300, 6), covariates(1, 7)):
        for asked in (rows, rows.astype(np.float32), np.asfortranarray(rows)):
            own = asked.astype(float)
            assert np.array_equal(compiled.predict(asked), forest.predict(own))
            assert np.array_equal(compiled.quantiles(asked, LEVELS), forest.predict_quantiles(own, LEVELS))
        order = np.random.default_rng(3).permutation(len(rows))
        whole = compiled.quantiles(rows, LEVELS)
        assert np.array_equal(compiled.quantiles(rows, LEVELS, order), whole)
        assert np.array_equal(compiled.quantiles(rows[order], LEVELS), whole[order])


def test_rows_beyond_a_tile_and_with_gaps(forest):
    compiled, rows = compile_estimator(forest, "value"), neighbours(5000, 8)
    whole, holed = compiled.quantiles(rows, [0.1, 0.9]), rows.copy()
    holed[::7, 2], holed[3::11, 0] = np.nan, np.nan
    lacking, found = np.isnan(holed).any(axis=1), compiled.quantiles(holed, [0.1, 0.9])
    assert np.isnan(found[lacking]).all()
    assert np.array_equal(found[~lacking], whole[~lacking])
    assert np.array_equal(whole, forest.predict_quantiles(rows, [0.1, 0.9]))
    assert compiled.quantiles(rows[:0], [0.5]).shape == (0, 1)
    assert compiled.quantiles(rows, []).shape == (5000, 0)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99),
    trees=st.sampled_from([1, 4, 10]),
    leaf=st.sampled_from([1, 4, 40]),
    nudge=st.sampled_from([0.0, 1e-12, -1e-12, 1e-13, 2e-12, 1e-12 + 2e-16, 1e-12 - 2e-16]),
)
def test_sums_that_reach_a_level_to_the_last_digit_are_decided_as_the_learner_does(seed, trees, leaf, nudge):
    random = np.random.default_rng(seed)
    rows, values = random.normal(size=(40, 2)), random.integers(0, 9, 40).astype(float)
    forest = QuantileForest(trees, min_samples_leaf=leaf, random_state=seed).fit(rows, values)
    asked = random.normal(size=(30, 2))
    shares = np.concatenate([forest.predict_cdf(asked, value) for value in (2.0, 4.0)])
    levels = np.unique(np.append(shares, np.arange(1, 10) / 10) + nudge)
    levels = levels[(levels > 0) & (levels < 1)]
    compiled = compile_estimator(forest, "value")
    assert np.array_equal(compiled.quantiles(asked, levels), forest.predict_quantiles(asked, levels))


def test_levels_and_rows_that_do_not_fit_are_refused(forest):
    compiled = compile_estimator(forest, "value")
    for levels in ([0.0], [1.0], [np.nan], [[0.5]]):
        with pytest.raises(PermagridError, match="levels of quantiles lie above 0 and below 1"):
            compiled.quantiles(covariates(3, 0), levels)
    with pytest.raises(PermagridError, match="columns"):
        compiled.quantiles(np.zeros((3, 2)), [0.5])


def test_they_are_kept_as_arrays_and_text(forest, tmp_path):
    compiled, rows = compile_estimator(forest, "value"), covariates(60, 5)
    header, arrays = plain(compiled)
    np.savez(tmp_path / "compiled.npz", **arrays)
    with np.load(tmp_path / "compiled.npz", allow_pickle=False) as stored:
        back = compiled_of(json.loads(json.dumps(header)), dict(stored))
    assert np.array_equal(back.predict(rows), compiled.predict(rows))
    assert np.array_equal(back.quantiles(rows, LEVELS), compiled.quantiles(rows, LEVELS))
    for name in arrays:
        with pytest.raises(PermagridError, match=f"lack {name}"):
            compiled_of(header, {key: array for key, array in arrays.items() if key != name})
        if len(arrays[name]):
            with pytest.raises(PermagridError, match="fit together"):
                compiled_of(header, {**arrays, name: arrays[name][:-1]})
    for name, wrong in (
        ("rows_members", arrays["rows_members"] + len(arrays["rows_values"])),
        ("rows_totals", arrays["rows_totals"] * 0),
        ("rows_weights", -arrays["rows_weights"]),
        ("rows_starts", arrays["rows_starts"][::-1]),
        ("leaves", arrays["leaves"] + len(arrays["rows_totals"])),
    ):
        with pytest.raises(PermagridError, match="fit together: rows of leaves"):
            compiled_of(header, {**arrays, name: wrong})
    for key, wrong in (("link", "sum"), ("is_class", True)):
        with pytest.raises(PermagridError, match="fit together"):
            compiled_of({**header, key: wrong}, arrays)
