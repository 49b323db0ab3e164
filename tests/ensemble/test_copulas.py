"""Copulas against their definitions: derivatives, integrals, limits, and an independent library."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import kendalltau, multivariate_normal

from permagrid.ensemble.copulas import FAMILIES, ROTATIONS, Copula
from permagrid.errors import PermagridError

PARAMETERS = {
    "independence": [()],
    "gaussian": [(0.5,), (-0.9,), (0.99,)],
    "student_t": [(0.5, 3.0), (-0.9, 4.5), (0.97, 2.2), (0.3, 30.0)],
    "clayton": [(0.01,), (2.0,), (25.0,)],
    "gumbel": [(1.0,), (1.3,), (2.0,), (25.0,)],
    "frank": [(0.01,), (-8.0,), (30.0,)],
}
EVERY = [
    Copula(family, rotation, parameters)
    for family in FAMILIES
    for rotation in ROTATIONS[family]
    for parameters in PARAMETERS[family]
]
NAMES = {"independence": "indep", "student_t": "student"}


def pairs(count=400, edge=1e-3, seed=0):
    return np.random.default_rng(seed).uniform(edge, 1.0 - edge, (2, count))


@st.composite
def copulas(draw):
    family = draw(st.sampled_from(FAMILIES))
    rotation = draw(st.sampled_from(ROTATIONS[family]))
    correlation = st.floats(-0.995, 0.995)
    parameters = {
        "independence": st.just(()),
        "gaussian": st.tuples(correlation),
        "student_t": st.tuples(correlation, st.floats(1.0, 100.0)),
        "clayton": st.tuples(st.floats(1e-6, 40.0)),
        "gumbel": st.tuples(st.floats(1.0, 40.0)),
        "frank": st.tuples(st.floats(-60.0, 60.0).filter(lambda theta: abs(theta) > 1e-9)),
    }[family]
    return Copula(family, rotation, draw(parameters))


ranks = st.floats(1e-6, 1.0 - 1e-6)


@pytest.mark.parametrize("copula", EVERY, ids=str)
def test_density_distribution_h_inverse_and_tau_are_those_of_an_independent_library(copula):
    library = pytest.importorskip("pyvinecopulib")
    family = getattr(library.BicopFamily, NAMES.get(copula.family, copula.family))
    theirs = library.Bicop.from_family(family, copula.rotation, np.array(copula.parameters).reshape(-1, 1))
    u, v = pairs()
    both = np.column_stack([u, v])
    # Theirs takes a difference of near numbers there: our h is held against derivatives below.
    rough = 1e-3 if copula.parameters == (30.0,) else 1e-8
    assert copula.pdf(u, v) == pytest.approx(theirs.pdf(both), rel=max(rough, 1e-10))
    assert copula.h(u, v) == pytest.approx(theirs.hfunc2(both), abs=rough)
    assert copula.h_inverse(u, v) == pytest.approx(theirs.hinv2(both), abs=rough)
    assert copula.tau == pytest.approx(theirs.tau, abs=1e-8)
    # Their distribution of Student's t is for whole degrees of freedom only, and interpolated.
    whole = copula.family != "student_t" or copula.parameters[1] == round(copula.parameters[1])
    assert copula.cdf(u, v) == pytest.approx(theirs.cdf(both), abs=rough if whole else 2e-4)


@pytest.mark.parametrize("copula", EVERY, ids=str)
def test_h_is_the_derivative_of_the_distribution_and_the_density_that_of_h(copula):
    u, v = pairs(edge=0.02)
    step = 1e-6
    slope = (copula.cdf(u, v + step) - copula.cdf(u, v - step)) / (2.0 * step)
    assert copula.h(u, v) == pytest.approx(slope, abs=1e-6)
    steep = (copula.h(u + step, v) - copula.h(u - step, v)) / (2.0 * step)
    assert copula.pdf(u, v) == pytest.approx(steep, rel=1e-4, abs=1e-5)


@settings(max_examples=150, deadline=None)
@given(copula=copulas(), q=ranks, v=ranks)
def test_the_inverse_undoes_h(copula, q, v):
    u = copula.h_inverse(q, v)
    assert 0.0 <= u <= 1.0
    if 1e-11 < u < 1.0 - 1e-11:
        # A rank near 1 is told to 1e-16 only, and h may rise steeply there.
        within = 1e-9 + 4e-16 * float(copula.pdf(u, v))
        assert copula.h(u, v) == pytest.approx(q, abs=within)


@settings(max_examples=100, deadline=None)
@given(copula=copulas(), v=st.floats(0.0, 1.0))
def test_h_rises_from_0_to_1_and_the_distribution_keeps_within_its_bounds(copula, v):
    u = np.concatenate([[0.0, 1e-15], np.linspace(1e-9, 1.0 - 1e-9, 101), [1.0 - 1e-15, 1.0]])
    h = copula.h(u, v)
    assert (np.diff(h) >= -1e-12).all()
    assert (h[0], h[-1]) == (0.0, 1.0)
    assert np.isfinite(copula.logpdf(u, v)).all()
    below = copula.cdf(u, v)
    assert (below >= np.maximum(u + v - 1.0, 0.0) - 2e-12).all()
    assert (below <= np.minimum(u, v) + 2e-12).all()
    assert (below[0], below[-1]) == (0.0, v)


@pytest.mark.parametrize("copula", [c for c in EVERY if abs(c.tau) < 0.6], ids=str)
def test_the_density_holds_all_probability(copula):
    at, weight = np.polynomial.legendre.leggauss(200)
    # Steep at the corners, so that nodes are crowded there.
    x = (at + 1.0) / 2.0
    place, width = x**3 * (10.0 - 15.0 * x + 6.0 * x * x), 30.0 * x * x * (1.0 - x) ** 2 * weight / 2.0
    total = width @ copula.pdf(place[:, None], place[None, :]) @ width
    assert total == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("copula", EVERY, ids=str)
def test_pairs_drawn_have_the_rank_correlation_told(copula):
    u, v = copula.draw(1500, seed=3)
    assert kendalltau(u, v).statistic == pytest.approx(copula.tau, abs=0.05)
    assert np.array_equal(copula.draw(1500, seed=3), (u, v))


def test_the_first_argument_is_what_is_told_and_the_second_what_is_known():
    # Turned by 90 degrees, Clayton's has its narrow end where u is high and v is low.
    copula = Copula("clayton", 90, (5.0,))
    assert copula.h_inverse(np.array([0.25, 0.75]), 0.01) == pytest.approx([0.99, 1.0], abs=0.01)
    assert np.ptp(copula.h_inverse(np.array([0.25, 0.75]), 0.99)) > 0.1


def test_rotations_mirror_the_density():
    u, v = pairs()
    for family, theta in (("clayton", 2.0), ("gumbel", 1.7)):
        plain, *turned = (Copula(family, rotation, (theta,)) for rotation in (0, 90, 180, 270))
        places = ((1.0 - u, v), (1.0 - u, 1.0 - v), (u, 1.0 - v))
        for copula, place in zip(turned, places, strict=True):
            assert copula.pdf(u, v) == pytest.approx(plain.pdf(*place), rel=1e-12)
    frank = Copula("frank", 0, (-4.0,))
    assert frank.pdf(u, v) == pytest.approx(Copula("frank", 0, (4.0,)).pdf(1.0 - u, v), rel=1e-12)


def test_families_meet_where_they_should():
    u, v = pairs()
    independent = Copula("independence")
    near = [
        Copula("gaussian", 0, (0.0,)),
        Copula("clayton", 0, (1e-9,)),
        Copula("gumbel", 180, (1.0,)),
        Copula("frank", 0, (1e-9,)),
    ]
    for copula, ask in itertools.product(near, ("h", "h_inverse", "cdf", "pdf")):
        assert getattr(copula, ask)(u, v) == pytest.approx(getattr(independent, ask)(u, v), abs=1e-6)
    many = Copula("student_t", 0, (0.6, 1000.0))
    assert many.cdf(u, v) == pytest.approx(Copula("gaussian", 0, (0.6,)).cdf(u, v), abs=1e-3)
    normal = multivariate_normal([0.0, 0.0], [[1.0, 0.6], [0.6, 1.0]])
    at = np.array([[0.3, -0.8], [0.0, 0.0], [0.0, 1.2], [-1.0, -1.0]])
    assert Copula("gaussian", 0, (0.6,)).cdf(*ndtr(at).T) == pytest.approx(normal.cdf(at), abs=1e-6)


@pytest.mark.parametrize("copula", EVERY, ids=str)
def test_a_value_does_not_depend_on_those_beside_it(copula):
    u, v = pairs(count=97)
    for ask in ("logpdf", "cdf", "h", "h_inverse"):
        together = getattr(copula, ask)(u, v)
        alone = np.array([float(getattr(copula, ask)(*each)) for each in zip(u, v, strict=True)])
        assert np.array_equal(together[::-1], getattr(copula, ask)(u[::-1], v[::-1]))
        if ask != "logpdf":
            assert np.array_equal(together, alone)


def test_arguments_of_shapes_that_go_together_give_a_table():
    copula = Copula("gumbel", 270, (1.5,))
    u, v = pairs(count=7)
    table = copula.h(u[:, None], v[None, :])
    assert table.shape == (7, 7)
    assert table[2, 5] == copula.h(u[2], v[5])
    assert np.isnan(copula.h(np.array([0.5, np.nan]), 0.5)).tolist() == [False, True]


@pytest.mark.parametrize("copula", EVERY, ids=str)
def test_plain_values_make_the_copula_again(copula):
    assert Copula.of(json.loads(json.dumps(copula.plain()))) == copula


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (("joe", 0, (2.0,)), "no family 'joe'; known: independence, gaussian"),
        (("gaussian", 90, (0.5,)), "rotation 90 is none of 0"),
        (("clayton", 45, (0.5,)), "rotation 45 is none of 0, 90, 180, 270"),
        (("gaussian", 0, (1.0,)), "are not a correlation between -1 and 1"),
        (("gaussian", 0, (0.5, 4.0)), "are not a correlation"),
        (("student_t", 0, (0.5,)), "degree of freedom"),
        (("clayton", 0, (0.0,)), "theta above 0"),
        (("gumbel", 0, (float("nan"),)), "theta from 1"),
        (("frank", 0, (0.0,)), "not 0"),
    ],
)
def test_what_is_no_copula_is_refused_in_one_sentence(given_, said):
    with pytest.raises(PermagridError, match=said):
        Copula(*given_)
