"""Machines fitted by a kernel that is kept are, to the last bit, those of libsvm."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import SVC, SVR

from permagrid.learners import radial_kernel as kernels
from permagrid.learners.support_vectors import RowWiseSVC, RowWiseSVR

LEARNED = ("support_", "support_vectors_", "dual_coef_", "intercept_", "n_iter_", "n_support_", "shape_fit_")


def made(n: int, columns: int, seed: int = 0) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, columns))
    return rows, rows[:, 0] + np.sin(2 * rows[:, -1]) + random.normal(0, 0.5, n)


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in LEARNED)


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(8, 90),
    columns=st.integers(1, 70),
    C=st.sampled_from([0.01, 1.0, 30.0]),
    gamma=st.sampled_from([0.001, 0.05, 0.7, "auto", "scale"]),
    weighed=st.booleans(),
    balance=st.booleans(),
)
def test_fits_are_those_of_libsvm(
    n: int, columns: int, C: float, gamma: Any, *, weighed: bool, balance: bool
) -> None:
    rows, values = made(n, columns, n)
    weights = np.random.default_rng(n).choice([0.0, 0.5, 2.0], n) if weighed else None
    classes = values > np.median(values)
    for turn in range(2):
        target = values if turn == 0 else values + 1
        one = RowWiseSVR(C=C, gamma=gamma).fit(rows, target, weights)
        assert same(one, SVR(C=C, gamma=gamma).fit(rows, target, weights))
    if weights is None or len(np.unique(classes[weights > 0])) == 2:
        balanced = "balanced" if balance else None
        one = RowWiseSVC(C=C, gamma=gamma, class_weight=balanced).fit(rows, classes, weights)
        other = SVC(C=C, gamma=gamma, class_weight=balanced).fit(rows, classes, weights)
        assert same(one, other)
        assert np.array_equal(one.predict(rows), other.predict(rows))
        np.testing.assert_allclose(one.decision_function(rows), other.decision_function(rows), atol=1e-9)


def test_a_kernel_is_computed_once_and_a_changed_row_makes_another(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, values = made(40, 3)
    filled = []
    fill = kernels._fill
    monkeypatch.setattr(kernels, "_fill", lambda *given: filled.append(1) or fill(*given))
    for C in (0.1, 1.0, 10.0):
        RowWiseSVR(C=C, gamma=0.31).fit(rows, values)
    assert len(filled) == 1
    rows[7, 1] += 1e-9
    assert same(RowWiseSVR(gamma=0.31).fit(rows, values), SVR(gamma=0.31).fit(rows, values))
    # The same bytes in another shape are other rows.
    wide, tall = np.arange(12.0).reshape(3, 4) / 9, np.arange(12.0).reshape(4, 3) / 9
    assert kernels.radial_kernel(wide, 0.1).shape != kernels.radial_kernel(tall, 0.1).shape


def test_no_more_is_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_MOST_BYTES", 3 * 8 * 20**2)
    for seed in range(8):
        kernels.radial_kernel(made(20, 2, seed)[0], 0.2)
    assert sum(each.nbytes for each in kernels._kept.values()) <= 3 * 8 * 20**2


def test_many_rows_are_left_to_libsvm(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, values = made(30, 2)
    expected = RowWiseSVR(gamma=0.2).fit(rows, values)
    monkeypatch.setattr(kernels, "MOST_ROWS", 20)
    monkeypatch.setattr(kernels, "_fill", None)
    assert same(RowWiseSVR(gamma=0.2).fit(rows, values), expected)


def test_threads_share_kernels_and_no_result() -> None:
    cases = [(made(60, 4, seed % 3), C) for seed in range(12) for C in (0.3, 3.0)]

    def fitted(case: Any) -> Any:
        (rows, values), C = case
        return RowWiseSVR(C=C, gamma=0.1).fit(rows, values)

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(fitted, cases))
    for machine, ((rows, values), C) in zip(found, cases, strict=True):
        assert same(machine, SVR(C=C, gamma=0.1).fit(rows, values))
