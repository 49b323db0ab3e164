"""What must hold of the audit for any leak, any folds and any small table."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_evidence import AIR, GEOLOGY, SLOPE, by, evidence, presence, rows, with_covariate

from permagrid.audit import AUDIT, CovariateFacts, Evidence, FoldFacts, audit

SHAPES = {
    "line": lambda y, a: a * y,
    "cube": lambda y, a: (y / 10.0) ** 3 * a,
    "exponential": lambda y, a: np.exp(y / 10.0) * a,
    "steps": lambda y, a: np.round(y, 1) * a,
}


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(SHAPES)), st.floats(0.01, 100), st.booleans(), st.integers(0, 2**32 - 1))
def test_no_monotone_leak_escapes(shape: str, scale: float, turned: bool, seed: int) -> None:
    sign = -1.0 if turned else 1.0
    order = np.random.default_rng(seed).permutation(240)
    sound = with_covariate(lambda t: sign * SHAPES[shape](t["value"], scale), CovariateFacts("leak"))
    shuffled = evidence(
        sound.training.iloc[order].reset_index(drop=True), covariates=sound.covariates, folds=()
    )
    (found,) = AUDIT["covariate_is_target"](shuffled)
    assert (found.severity, found.where) == ("fatal", "covariates.leak")


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_noise_is_no_leak(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(size=240)
    sound = with_covariate(lambda _: noise, CovariateFacts("noise"))
    assert list(AUDIT["covariate_is_target"](sound)) == []
    assert list(AUDIT["covariates_hold_target"](sound)) == []
    assert list(AUDIT["site_known_by_covariate"](sound)) == []


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 8))
def test_folds_of_whole_sites_share_none_and_one_moved_row_is_found(seed: int, number: int) -> None:
    random = np.random.default_rng(seed)
    fold = random.integers(0, number, 120)
    fold[:number] = np.arange(number)
    of_row = np.concatenate([fold, fold])
    assert list(AUDIT["same_site_across_folds"](evidence(folds=(by("site", of_row),)))) == []
    of_row[random.integers(0, 240)] = number + 1
    (found,) = AUDIT["same_site_across_folds"](evidence(folds=(by("site", of_row),)))
    assert found.severity == "fatal"
    assert "(2 of 240 rows tested)" in found.what


def test_rounds_are_counted_together() -> None:
    once, again = by("site", np.arange(240) % 120 % 5), by("site", np.arange(240) % 120 % 7)
    twice = FoldFacts("site", (*once.pairs, *again.pairs))
    assert list(AUDIT["same_site_across_folds"](evidence(folds=(twice,)))) == []


@pytest.mark.parametrize("n", [1, 2, 3, 5, 12])
@pytest.mark.parametrize("kind", [evidence, presence])
def test_small_tables_are_no_trouble(n: int, kind) -> None:
    table = rows().iloc[:n]
    whole = by("site", np.arange(n))
    for folds in ((), (whole,)):
        found = audit(kind(table, folds=folds, correlation_range=None))
        assert all(finding.what for finding in found)


def test_a_study_of_which_nothing_is_known_is_no_trouble() -> None:
    bare = Evidence(rows(), evidence().target)
    assert audit(bare) == []


def test_constant_covariates_are_no_trouble() -> None:
    table = rows().assign(air=1.0, slope=0.0, geology=2.0)
    found = audit(evidence(table, covariates=(AIR, SLOPE, GEOLOGY), domain=None))
    assert "covariate_is_target" not in {finding.rule for finding in found}
