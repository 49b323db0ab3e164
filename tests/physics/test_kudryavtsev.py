"""Kudryavtsev's model against quadrature, its limits, and heat conduction with melting solved numerically."""

from itertools import pairwise

import numpy as np
import pytest
from heat_conduction import thaw_and_mean
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq

from permagrid.physics import (
    LATENT_HEAT,
    YEAR_SECONDS,
    Cover,
    Soil,
    Wave,
    active_layer_depth,
    below_cover,
    degree_days,
    permafrost_temperature,
    stefan_depth,
    ttop,
)

MEAN, SWING = st.floats(-20, 12), st.floats(1, 35)
CONDUCTS = st.floats(0.1, 3)
DEPTH = st.floats(0, 3)
D = 4e-7
YEARS = [(-10.0, 25.0), (-2.0, 15.0), (0.0, 12.0), (3.0, 18.0), (-14.9, 15.0), (-20.0, 15.0), (9.0, 4.0)]


def crossings(mean, swing):
    half = np.arccos(np.clip(-mean / swing, -1, 1))
    return [half, 2 * np.pi - half]


def mean_over_the_year(function, mean, swing):
    """Return the year's mean of a function of the angle, by quadrature between the zeros."""
    edges = [0.0, *crossings(mean, swing), 2 * np.pi]
    parts = [quad(function, a, b, epsabs=1e-12)[0] for a, b in pairwise(edges)]
    return sum(parts) / (2 * np.pi)


@pytest.mark.parametrize(("mean", "swing"), YEARS)
@pytest.mark.parametrize(("thawed", "frozen"), [(1.0, 2.0), (1.5, 1.5), (0.2, 1.1), (1.8, 1.2)])
def test_the_temperature_of_permafrost_is_the_mean_of_conductivity_times_temperature(
    mean, swing, thawed, frozen
):
    def flux(angle):
        temperature = mean + swing * np.cos(angle)
        return (thawed if temperature > 0 else frozen) * temperature

    whole = mean_over_the_year(flux, mean, swing)
    expected = whole / (frozen if whole <= 0 else thawed)
    found = permafrost_temperature(Wave(mean, swing), thawed_conductivity=thawed, frozen_conductivity=frozen)
    assert found == pytest.approx(expected, abs=1e-9)


@given(MEAN, SWING, CONDUCTS, CONDUCTS)
def test_it_is_ttop_of_the_degree_days_of_the_sinusoid(mean, swing, thawed, frozen):
    found = permafrost_temperature(Wave(mean, swing), thawed_conductivity=thawed, frozen_conductivity=frozen)
    other = ttop(*degree_days(Wave(mean, swing)), conductivity_ratio=thawed / frozen)
    assert found == pytest.approx(other, abs=1e-8)


@given(MEAN, st.floats(0, 35), CONDUCTS)
def test_equal_conductivities_keep_the_mean(mean, swing, k):
    found = permafrost_temperature(Wave(mean, swing), thawed_conductivity=k, frozen_conductivity=k)
    assert found == pytest.approx(mean, abs=1e-9)


def test_a_value_worked_by_hand():
    """With T = 0 the brackets hold 0 * 0 + 1: (kt - kf) A / pi over kf, or -10 / pi for 1, 2 and A = 20."""
    found = permafrost_temperature(Wave(0.0, 20.0), thawed_conductivity=1.0, frozen_conductivity=2.0)
    assert found == pytest.approx(-10 / np.pi)


@given(MEAN, SWING, CONDUCTS, CONDUCTS, st.floats(0, 5))
def test_a_warmer_surface_never_cools_permafrost(mean, swing, thawed, frozen, warmer):
    keys = {"thawed_conductivity": thawed, "frozen_conductivity": frozen}
    here = permafrost_temperature(Wave(mean, swing), **keys)
    assert permafrost_temperature(Wave(mean + warmer, swing), **keys) >= here - 1e-9


def damped(mean, swing, winter, summer):
    """Return mean and first harmonic of a sinusoid of which each side is multiplied by what is left of it."""

    def wave(angle):
        temperature = mean + swing * np.cos(angle)
        return temperature * (winter if temperature < 0 else summer)

    first = 2 * mean_over_the_year(lambda angle: wave(angle) * np.cos(angle), mean, swing)
    return mean_over_the_year(wave, mean, swing), first


@pytest.mark.parametrize(("mean", "swing"), YEARS)
def test_a_cover_damps_each_side_of_the_sinusoid(mean, swing):
    share = crossings(mean, swing)[0] / np.pi
    left = [
        np.exp(-z * np.sqrt(np.pi / (2 * part * YEAR_SECONDS * D))) if part > 0 else 1.0
        for z, part in ((0.4, 1 - share), (0.1, share))
    ]
    found = below_cover(Wave(mean, swing), winter=Cover(0.4, D), summer=Cover(0.1, D))
    np.testing.assert_allclose(found, damped(mean, swing, *left), atol=1e-8)


@pytest.mark.parametrize(("mean", "swing"), YEARS[:5])
def test_half_waves_are_those_of_their_durations(mean, swing):
    """The mean of a half wave is that of a sin over half its period."""
    share = crossings(mean, swing)[0] / np.pi
    half = quad(np.sin, 0, np.pi)[0] / np.pi
    winter, summer = (
        1 - np.exp(-z * np.sqrt(np.pi / (2 * part * YEAR_SECONDS * D)))
        for z, part in ((0.4, 1 - share), (0.1, share))
    )
    cold, warm = (swing - mean) * winter * (1 - share), (swing + mean) * summer * share
    found = below_cover(Wave(mean, swing), winter=Cover(0.4, D), summer=Cover(0.1, D), parts="half_waves")
    np.testing.assert_allclose(found, [mean + half * (cold - warm), swing - cold - warm], atol=1e-9)


def test_half_waves_and_parts_of_the_sinusoid_are_near_each_other():
    mean = np.linspace(-10.0, 10.0, 41)
    for cover in ({"winter": Cover(50.0, D)}, {"summer": Cover(50.0, D)}):
        one, two = (below_cover(Wave(mean, 20.0), **cover, parts=p) for p in ("sinusoid", "half_waves"))
        assert np.abs(one.mean - two.mean).max() < 0.03 * 20.0
        assert one.mean[20] == pytest.approx(two.mean[20])


@given(MEAN, SWING)
def test_no_cover_changes_nothing(mean, swing):
    for cover in (None, Cover(0.0, D)):
        for parts in ("sinusoid", "half_waves"):
            found = below_cover(Wave(mean, swing), winter=cover, summer=cover, parts=parts)
            np.testing.assert_allclose(found, [mean, swing], atol=1e-9)


@given(MEAN, SWING, DEPTH, DEPTH)
def test_snow_warms_vegetation_in_summer_cools_and_both_damp(mean, swing, depth, more):
    air = Wave(mean, swing)
    for season, sign in (("winter", 1), ("summer", -1)):
        here, deeper = (below_cover(air, **{season: Cover(z, D)}) for z in (depth, depth + more))
        assert sign * (deeper.mean - here.mean) >= -1e-9
        assert deeper.amplitude <= here.amplitude + 1e-9 <= swing + 1e-8


@given(MEAN, SWING)
def test_the_deepest_snow_leaves_the_summer(mean, swing):
    found = below_cover(Wave(mean, swing), winter=Cover(1e4, D)).mean
    assert found == pytest.approx(float(degree_days(Wave(mean, swing), days=1.0).thawing), abs=1e-8)


SOIL = Soil(1.2, 1.2, 2.3e6, LATENT_HEAT * 0.3)


def romanovsky_osterkamp(swing, cold, soil):
    """Return the depth of the active layer, term by term as it is printed."""
    k, _, c, latent = soil
    p, t = YEAR_SECONDS, abs(cold)
    aps = (swing - t) / np.log((swing + latent / (2 * c)) / (t + latent / (2 * c))) - latent / (2 * c)
    zc = 2 * (swing - t) * np.sqrt(k * p * c / np.pi) / (2 * aps * c + latent)
    below = 2 * aps * c * zc + latent * zc + (2 * aps * c + latent) * np.sqrt(k * p / (np.pi * c))
    more = (2 * aps * c * zc + latent * zc) * latent * np.sqrt(k * p / (np.pi * c)) / below
    return (2 * (swing - t) * np.sqrt(k * p * c / np.pi) + more) / (2 * aps * c + latent)


@given(st.floats(3, 25), st.floats(0.01, 0.99), CONDUCTS, st.floats(1e6, 4e6), st.floats(0.01, 0.9))
def test_the_active_layer_is_the_printed_formula(swing, share, k, c, water):
    soil = Soil(k, 2.0, c, LATENT_HEAT * water)
    found = active_layer_depth(Wave(-3.0, swing), -share * swing, soil)
    assert found == pytest.approx(romanovsky_osterkamp(swing, share * swing, soil), rel=1e-6)


@given(st.floats(3, 25), st.floats(0.01, 0.99), CONDUCTS, st.floats(1e6, 4e6))
def test_without_ice_the_wave_is_damped_to_the_mean(swing, share, k, c):
    """The depth where A exp(-z sqrt(pi c / (k P))) is |T|."""
    found = active_layer_depth(Wave(-3.0, swing), -share * swing, Soil(k, k, c, 0.0))
    depth = brentq(
        lambda z: swing * np.exp(-z * np.sqrt(np.pi * c / (k * YEAR_SECONDS))) - share * swing, 0.0, 100.0
    )
    assert found == pytest.approx(depth, rel=1e-6)


def test_a_thickness_worked_by_hand():
    """Without ice, with k P / (pi C) = 4 m2 and A / |T| = e, the depth is 2 m."""
    soil = Soil(4.0 * np.pi * 2e6 / YEAR_SECONDS, 1.0, 2e6, 0.0)
    assert active_layer_depth(Wave(-5.0, 10.0), -10.0 / np.e, soil) == pytest.approx(2.0)


@given(st.floats(3, 25), st.floats(0.01, 0.9), CONDUCTS, st.floats(0.02, 0.8), st.floats(1, 2))
def test_the_active_layer_goes_the_way_of_its_parts(swing, share, k, water, more):
    def depth(*, swing=swing, cold=share * swing, k=k, water=water):
        return active_layer_depth(Wave(-3.0, swing), -cold, Soil(k, 2.0, 2.3e6, LATENT_HEAT * water))

    here = depth()
    assert here > 0
    assert depth(swing=swing * more) >= here
    assert depth(k=k * more) >= here
    assert depth(water=water * more) <= here * (1 + 1e-9)
    assert depth(cold=min(share * swing * more, swing)) <= here
    assert depth(cold=swing) == 0.0


def test_there_is_no_active_layer_without_permafrost_and_none_without_thaw():
    found = active_layer_depth(Wave([1.0, -20.0, -1.0], [10.0, 5.0, 10.0]), [0.5, -20.0, 0.0], SOIL)
    assert np.isnan(found[0])
    assert found[1] == 0.0
    assert found[2] > 1.0


@given(MEAN, SWING, st.floats(0, 1), st.floats(-20, 5))
def test_the_last_digit_does_not_hang_on_the_shape(mean, swing, depth, cold):
    assume(swing > 1.5)
    wave = Wave(np.full(5, mean), np.full(5, swing))
    many = below_cover(wave, winter=Cover(np.full(5, depth), D))
    one = below_cover(Wave(mean, swing), winter=Cover(depth, D))
    assert (many.mean == one.mean).all()
    assert (many.amplitude == one.amplitude).all()
    deep = active_layer_depth(many, np.full(5, cold), SOIL)
    np.testing.assert_array_equal(deep, np.full(5, active_layer_depth(one, cold, SOIL)))


@pytest.mark.parametrize(
    ("mean", "swing", "water", "thawed", "frozen"),
    [
        (-5.0, 13.0, 0.3, 1.2, 1.2),
        (-2.0, 10.0, 0.45, 1.0, 1.0),
        (-8.0, 16.0, 0.2, 1.5, 1.5),
        (-3.0, 12.0, 0.35, 1.1, 1.8),
    ],
)
def test_heat_conduction_with_melting_gives_nearly_the_same(mean, swing, water, thawed, frozen):
    """An independent solution of the full equations: temperature to 0.1 °C, depth to 20 %."""
    soil = Soil(thawed, frozen, 2.3e6, LATENT_HEAT * water)
    surface = Wave(mean, swing)
    cold = permafrost_temperature(surface, thawed_conductivity=thawed, frozen_conductivity=frozen)
    deepest, means = thaw_and_mean(tuple(surface), tuple(soil), float(cold))
    assert cold == pytest.approx(means[int(deepest / 0.05) + 2], abs=0.1)
    assert active_layer_depth(surface, cold, soil) == pytest.approx(deepest, rel=0.2)
    dry = stefan_depth(degree_days(surface).thawing, conductivity=thawed, water_content=water)
    assert deepest < dry < 1.6 * deepest
