"""Fitting: the family and parameter that made the pairs are found, and what does not fit is told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from permagrid.ensemble import copula_fit
from permagrid.ensemble.copula_fit import fit_copula, goodness_of_fit
from permagrid.ensemble.copulas import FAMILIES, ROTATIONS, Copula
from permagrid.errors import PermagridError

TRUTHS = [
    Copula("gaussian", 0, (0.8,)),
    Copula("gaussian", 0, (-0.6,)),
    Copula("student_t", 0, (0.6, 2.5)),
    Copula("clayton", 0, (2.0,)),
    Copula("clayton", 90, (3.0,)),
    Copula("clayton", 180, (2.0,)),
    Copula("clayton", 270, (2.5,)),
    Copula("gumbel", 0, (2.0,)),
    Copula("gumbel", 90, (1.8,)),
    Copula("gumbel", 180, (1.8,)),
    Copula("gumbel", 270, (2.0,)),
    Copula("frank", 0, (6.0,)),
    Copula("frank", 0, (-9.0,)),
]


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_the_copula_that_made_the_pairs_is_found(truth):
    found = fit_copula(*truth.draw(1500, seed=11))
    assert (found.copula.family, found.copula.rotation) == (truth.family, truth.rotation)
    assert found.copula.tau == pytest.approx(truth.tau, abs=0.05)
    if truth.family == "student_t":
        assert found.copula.parameters[1] == pytest.approx(2.5, abs=0.8)


def test_pairs_that_have_nothing_to_do_with_each_other_are_independent():
    found = fit_copula(*np.random.default_rng(2).random((2, 400)))
    assert found.copula == Copula("independence")
    assert (found.loglik, found.aic) == (0.0, 0.0)


def test_what_was_tried_is_told_best_first():
    u, v = TRUTHS[3].draw(300, seed=1)
    found = fit_copula(u, v)
    tried = found.tried
    assert list(tried.columns) == ["family", "rotation", "parameters", "loglik", "aic"]
    assert len(tried) == 8
    assert set(tried["family"]) == set(FAMILIES)
    assert tried["aic"].is_monotonic_increasing
    assert found.aic == tried["aic"].iloc[0]
    for row in tried.itertuples():
        copula = Copula(row.family, row.rotation, row.parameters)
        assert copula.logpdf(u, v).sum() == pytest.approx(row.loglik, abs=1e-9)
        assert row.aic == pytest.approx(2.0 * len(row.parameters) - 2.0 * row.loglik)
    some = fit_copula(u, v, families=("frank", "gaussian"))
    assert set(some.tried["family"]) == {"frank", "gaussian"}


@settings(max_examples=25, deadline=None)
@given(
    truth=st.sampled_from([*TRUTHS, Copula("clayton", 0, (20.0,)), Copula("gumbel", 0, (12.0,))]),
    seed=st.integers(0, 999),
    count=st.integers(20, 300),
)
def test_no_parameter_near_or_far_is_more_likely(truth, seed, count):
    u, v = truth.draw(count, seed)
    for row in fit_copula(u, v).tried.itertuples():
        if row.family == "independence":
            continue
        best = row.parameters
        others = [best[0] + step for step in (-1.0, -0.1, -1e-3, -1e-4, 1e-4, 1e-3, 0.1, 1.0)]
        reach = {"gaussian": (-0.999, 0.999), "student_t": (-0.999, 0.999), "clayton": (1e-5, 90.0)}
        low, high = reach.get(row.family, (1.0, 49.0) if row.family == "gumbel" else (-99.0, 99.0))
        likely = [
            Copula(row.family, row.rotation, (other, *best[1:])).logpdf(u, v).sum()
            for other in others
            if low <= other <= high and other != 0.0
        ]
        assert max(likely) <= row.loglik + 1e-5


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_an_independent_library_finds_no_likelier_parameters(truth):
    library = pytest.importorskip("pyvinecopulib")
    names = {"independence": "indep", "student_t": "student"}
    u, v = truth.draw(200, seed=5)
    for row in fit_copula(u, v).tried.itertuples():
        if row.family == "independence":
            continue
        family = getattr(library.BicopFamily, names.get(row.family, row.family))
        theirs = library.Bicop.from_family(family, row.rotation)
        theirs.fit(np.column_stack([u, v]), library.FitControlsBicop(family_set=[family], num_threads=1))
        assert row.loglik >= theirs.loglik(np.column_stack([u, v])) - 1e-4
        if row.family == truth.family and row.rotation == truth.rotation:
            assert row.parameters == pytest.approx(theirs.parameters.ravel(), rel=1e-3)


def test_weights_count_as_rows_given_as_often():
    u, v = Copula("student_t", 0, (0.5, 4.0)).draw(200, seed=4)
    often = np.random.default_rng(4).integers(0, 4, 200)
    weighted = fit_copula(u, v, weights=often.astype(float) * 3.0)
    repeated = fit_copula(np.repeat(u, often), np.repeat(v, often))
    assert weighted.copula.family == repeated.copula.family
    assert weighted.copula.parameters == pytest.approx(repeated.copula.parameters, rel=1e-3)
    rows = (often > 0).sum() / often.sum()
    assert weighted.loglik == pytest.approx(repeated.loglik * rows, rel=1e-6)


def test_the_same_pairs_give_the_same_copula_to_the_bit():
    u, v = TRUTHS[2].draw(300, seed=9)
    first, second = fit_copula(u, v), fit_copula(u.copy(), v.copy())
    assert first.copula == second.copula
    assert first.tried.equals(second.tried)


@pytest.mark.parametrize("turn", [1.0, -1.0])
def test_a_perfect_prediction_does_not_break_the_fit(turn):
    u = (np.arange(200) + 0.5) / 200.0
    found = fit_copula(u, u if turn > 0 else 1.0 - u)
    assert turn * found.copula.tau > 0.95
    assert np.isfinite(found.loglik)


def test_goodness_of_fit_is_even_over_0_to_1_for_the_right_family():
    for truth in (Copula("clayton", 0, (2.0,)), Copula("gumbel", 90, (1.7,))):
        found = [goodness_of_fit(truth, *truth.draw(50, seed), draws=19, seed=seed) for seed in range(30)]
        assert 0.3 < np.mean(found) < 0.7
        assert np.mean(np.array(found) < 0.11) < 0.3


def test_goodness_of_fit_tells_a_family_that_is_wrong():
    u, v = Copula("clayton", 0, (3.0,)).draw(400, seed=2)
    wrong = fit_copula(u, v, families=("gumbel",)).tried.query("rotation == 0").iloc[0]
    assert goodness_of_fit(Copula("gumbel", 0, wrong["parameters"]), u, v, draws=60, seed=0) < 0.05
    assert goodness_of_fit(Copula("independence"), u, v, draws=60, seed=0) < 0.05
    assert goodness_of_fit(Copula("clayton", 0, (3.0,)), u, v, draws=60, seed=0) > 0.1


def test_goodness_of_fit_is_the_same_for_the_same_seed_and_looks_at_few_rows(monkeypatch):
    u, v = Copula("gaussian", 0, (0.5,)).draw(300, seed=2)
    copula = Copula("gaussian", 0, (0.5,))
    found = [goodness_of_fit(copula, u, v, draws=20, seed=seed) for seed in (1, 1, 2, 3, 4)]
    assert found[0] == found[1]
    assert len(set(found)) > 1
    seen = []
    real = copula_fit._distance
    monkeypatch.setattr(copula_fit, "_MOST_ROWS", 80)
    monkeypatch.setattr(copula_fit, "_distance", lambda c, pair: seen.append(pair.shape[1]) or real(c, pair))
    goodness_of_fit(copula, u, v, draws=3, seed=1)
    assert seen == [80, 80, 80, 80]


def test_student_keeps_its_degrees_of_freedom_in_the_test():
    truth = Copula("student_t", 0, (0.5, 4.0))
    assert goodness_of_fit(truth, *truth.draw(60, seed=3), draws=20, seed=0) > 0.02


@pytest.mark.parametrize(
    ("u", "v", "keywords", "said"),
    [
        (np.full(9, 0.5), np.full(9, 0.5), {}, "9 rows with weight are too few, 10 are the least"),
        (np.full(20, 0.5), np.full(19, 0.5), {}, "20 ranks of observations, but 19"),
        (np.full(20, 0.5), np.r_[np.full(19, 0.5), 1.0], {}, "between 0 and 1, neither"),
        (np.full(20, 0.5), np.r_[np.full(19, 0.5), np.nan], {}, "between 0 and 1, neither"),
        (np.full(20, 0.5), np.full(20, 0.5), {"families": ("joe",)}, "no family 'joe'"),
        (np.full(20, 0.5), np.full(20, 0.5), {"families": ()}, "no family is named"),
        (np.full(20, 0.5), np.full(20, 0.5), {"weights": np.full(20, -1.0)}, "weights of the 20 rows"),
        (np.full(20, 0.5), np.full(20, 0.5), {"weights": np.ones(3)}, "weights of the 20 rows"),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_one_sentence(u, v, keywords, said):
    with pytest.raises(PermagridError, match=said):
        fit_copula(u, v, **keywords)


def test_goodness_of_fit_needs_a_draw():
    with pytest.raises(PermagridError, match="one draw or more, not 0"):
        goodness_of_fit(Copula("independence"), np.full(20, 0.5), np.full(20, 0.5), draws=0, seed=1)


def test_every_rotation_is_tried_on_the_side_that_the_pairs_lie():
    for rotation in ROTATIONS["clayton"]:
        u, v = Copula("clayton", rotation, (1.0,)).draw(300, seed=6)
        tried = fit_copula(u, v, families=("clayton",)).tried
        assert sorted(tried["rotation"]) == ([0, 180] if rotation in (0, 180) else [90, 270])
