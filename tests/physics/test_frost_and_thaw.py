"""Frost number, TTOP and Stefan: values worked by hand, limits, and how they hang together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from permagrid.physics import (
    LATENT_HEAT,
    Wave,
    degree_days,
    edaphic_depth,
    edaphic_factor,
    edaphic_ratio,
    frost_number,
    snow_n_factor,
    stefan_depth,
    ttop,
)
from permagrid.world.truth import ttop as ttop_of_the_world

INDEX = st.floats(1, 9000)
FACTOR = st.floats(0.05, 2)
RATIO = st.floats(0.2, 1.5)


def test_frost_numbers_worked_by_hand():
    """30 / (30 + 60) is a third, 60 / (60 + 30) two thirds; with E = 2 the latter is a half."""
    assert frost_number(900.0, 3600.0) == pytest.approx(1 / 3)
    assert frost_number(3600.0, 900.0) == pytest.approx(2 / 3)
    assert frost_number(3600.0, 900.0, edaphic=2.0) == pytest.approx(0.5)
    assert edaphic_ratio(3600.0, 900.0, edaphic=2.0) == pytest.approx(1.0)
    np.testing.assert_array_equal(frost_number([0.0, 10.0, 0.0], [10.0, 0.0, 0.0]), [0.0, 1.0, 0.5])
    assert np.isnan(frost_number([-1.0, np.nan], 3.0)).all()


@given(INDEX, INDEX, FACTOR)
def test_the_two_forms_of_the_frost_number_say_the_same(freezing, thawing, edaphic):
    number = frost_number(freezing, thawing, edaphic=edaphic)
    ratio = edaphic_ratio(freezing, thawing, edaphic=edaphic)
    assert number == pytest.approx(1 / (1 + ratio))
    assert 0 < number < 1


@given(INDEX, INDEX, FACTOR, FACTOR, RATIO)
def test_ttop_and_the_frost_number_agree_on_permafrost(freezing, thawing, winter, summer, ratio):
    edaphic = edaphic_factor(freezing_n_factor=winter, thawing_n_factor=summer, conductivity_ratio=ratio)
    temperature = ttop(
        freezing, thawing, freezing_n_factor=winter, thawing_n_factor=summer, conductivity_ratio=ratio
    )
    number = frost_number(freezing, thawing, edaphic=edaphic)
    if abs(number - 0.5) > 1e-9:
        assert (number > 0.5) == (temperature < 0)


def test_ttop_worked_by_hand():
    """Frozen branch: (0.5 * 0.8 * 1000 - 0.5 * 4000) / 365 = -1600 / 365.

    Thawed branch: (0.8 * 3000 - 0.5 * 1000 / 0.5) / 365 = 1400 / 365.
    """
    factors = {"freezing_n_factor": 0.5, "thawing_n_factor": 0.8, "conductivity_ratio": 0.5, "days": 365.0}
    np.testing.assert_allclose(ttop([4000.0, 1000.0], [1000.0, 3000.0], **factors), [-1600 / 365, 1400 / 365])


@given(INDEX, INDEX, RATIO)
def test_ttop_is_that_of_the_virtual_world(freezing, thawing, ratio):
    world = ttop_of_the_world(np.array([freezing]), np.array([thawing]), np.array([ratio]))[0]
    assert ttop(freezing, thawing, conductivity_ratio=ratio) == pytest.approx(world, abs=1e-10)


@given(st.floats(-30, 20), st.floats(0.5, 35))
def test_without_snow_vegetation_and_contrast_ttop_is_the_mean_of_the_air(mean, swing):
    assert ttop(*degree_days(Wave(mean, swing))) == pytest.approx(mean, abs=1e-9)


@given(INDEX, INDEX, FACTOR, FACTOR, RATIO, st.floats(1, 1.5))
def test_ttop_goes_the_way_of_what_it_is_made_of(freezing, thawing, winter, summer, ratio, more):
    keys = {"freezing_n_factor": winter, "thawing_n_factor": summer, "conductivity_ratio": ratio}
    here = ttop(freezing, thawing, **keys)
    assert ttop(freezing * more, thawing, **keys) <= here + 1e-9
    assert ttop(freezing, thawing * more, **keys) >= here - 1e-9
    assert ttop(freezing, thawing, **{**keys, "freezing_n_factor": winter * more}) <= here + 1e-9
    assert ttop(freezing, thawing, **{**keys, "conductivity_ratio": ratio * more}) >= here - 1e-9


@given(INDEX, RATIO)
def test_the_branches_of_ttop_meet_at_zero(freezing, ratio):
    at = freezing / ratio
    below, above = ttop(freezing, [at * (1 - 1e-9), at * (1 + 1e-9)], conductivity_ratio=ratio)
    assert below <= 0 <= above
    assert above - below < 1e-4


@given(st.floats(0, 3), st.floats(0, 1), st.floats(0.05, 1), st.floats(0.3, 1), st.floats(0, 0.3))
def test_deeper_snow_never_lets_more_frost_in(depth, more, scale, bare, deep):
    here, deeper = snow_n_factor([depth, depth + more], bare=bare, deep=deep, scale=scale)
    assert deep <= deeper <= here <= bare
    assert snow_n_factor(0.0, bare=bare, deep=deep, scale=scale) == pytest.approx(bare)


def test_stefan_worked_by_hand():
    """2 * 1.67 * 0.5 * 1000 * 86400 / (3.34e8 * 0.432) = 1, so that the depth is 1 m."""
    found = stefan_depth(1000.0, conductivity=1.67, water_content=0.432, thawing_n_factor=0.5)
    assert found == pytest.approx(1.0)
    np.testing.assert_array_equal(
        stefan_depth([0.0, 1.0, -1.0], conductivity=1.0, water_content=[0.0, 0.0, 0.3]), [0.0, np.inf, np.nan]
    )


def test_stefan_solves_the_equation_that_it_comes_from():
    """All heat that is led through the thawed layer melts ice at its base: L w dz/dt = k T(t) / z."""
    conducts, water, mean, swing = 1.2, 0.35, -6.0, 17.0
    begin, end = (np.arccos(-mean / swing) * sign for sign in (-1, 1))
    year = 365.25 * 86400.0

    def grows(angle, depth):
        return (
            conducts * (mean + swing * np.cos(angle)) * year / (2 * np.pi) / (LATENT_HEAT * water * depth[0])
        )

    solved = solve_ivp(
        lambda a, z: [grows(a, z)], (begin, end), [1e-6], rtol=1e-9, atol=1e-12, method="LSODA"
    )
    thawing = degree_days(Wave(mean, swing)).thawing
    found = stefan_depth(thawing, conductivity=conducts, water_content=water)
    assert found == pytest.approx(solved.y[0, -1], rel=1e-5)
    heat, _ = quad(lambda a: (mean + swing * np.cos(a)) * 365.25 / (2 * np.pi), begin, end)
    assert thawing == pytest.approx(heat)


@given(INDEX, st.floats(0.1, 3), st.floats(0.01, 0.9), FACTOR, st.floats(1, 2))
def test_stefan_is_the_edaphic_form_and_goes_the_way_of_its_parts(thawing, k, water, factor, more):
    keys = {"conductivity": k, "water_content": water, "thawing_n_factor": factor}
    here = stefan_depth(thawing, **keys)
    edaphic = np.sqrt(2 * k * factor * 86400 / (LATENT_HEAT * water))
    assert edaphic_depth(thawing, edaphic=edaphic) == pytest.approx(here)
    assert stefan_depth(4 * thawing, **keys) == pytest.approx(2 * here)
    assert stefan_depth(thawing, **{**keys, "water_content": water * more}) <= here
    assert stefan_depth(thawing, **{**keys, "conductivity": k * more}) >= here
