"""Spectral indices against numbers worked out by hand, and what they do with impossible reflectances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from permagrid.covariates.surface.spectral import (
    INDICES,
    evi,
    ndsi,
    ndvi,
    ndwi_gao,
    ndwi_mcfeeters,
    normalised_difference,
)

BLUE, GREEN, RED, NIR, SWIR1 = (np.array([value]) for value in (0.04, 0.08, 0.06, 0.34, 0.20))
COLOURS = {"blue": BLUE, "green": GREEN, "red": RED, "nir": NIR, "swir1": SWIR1}

reflectances = st.one_of(
    st.floats(-0.2, 1.6),
    st.sampled_from([0.0, -0.0, 1.0, np.nan]),
)


def test_by_hand():
    assert ndvi(NIR, RED)[0] == pytest.approx(0.28 / 0.40)
    # 2.5 * 0.28 / (0.34 + 0.36 - 0.30 + 1)
    assert evi(NIR, RED, BLUE)[0] == pytest.approx(0.70 / 1.40)
    assert ndwi_mcfeeters(GREEN, NIR)[0] == pytest.approx(-0.26 / 0.42)
    assert ndwi_gao(NIR, SWIR1)[0] == pytest.approx(0.14 / 0.54)
    assert ndsi(GREEN, SWIR1)[0] == pytest.approx(-0.12 / 0.28)


def test_the_table_hands_each_formula_its_own_bands():
    by_name = {name: index.formula(*(COLOURS[c] for c in index.bands))[0] for name, index in INDICES.items()}
    by_hand = {
        "ndvi": 0.7,
        "evi": 0.5,
        "ndwi_mcfeeters": -0.26 / 0.42,
        "ndwi_gao": 0.14 / 0.54,
        "ndsi": -0.12 / 0.28,
    }
    assert by_name == pytest.approx(by_hand)


def test_the_two_ndwi_are_not_the_same():
    """Open water is wet to McFeeters, a green leaf to Gao."""
    water = {"green": np.array([0.06]), "nir": np.array([0.02]), "swir1": np.array([0.03])}
    leaf = {"green": np.array([0.05]), "nir": np.array([0.4]), "swir1": np.array([0.15])}
    assert ndwi_mcfeeters(water["green"], water["nir"]) > 0 > ndwi_gao(water["nir"], water["swir1"])
    assert ndwi_mcfeeters(leaf["green"], leaf["nir"]) < 0 < ndwi_gao(leaf["nir"], leaf["swir1"])


@given(reflectances, reflectances)
def test_a_normalised_difference_is_bounded_or_nodata_and_turns_its_sign(one, other):
    value = normalised_difference(np.array([one]), np.array([other]))[0]
    turned = normalised_difference(np.array([other]), np.array([one]))[0]
    if np.isnan(value):
        assert np.isnan(turned)
        return
    assert -1.0 <= value <= 1.0
    assert value == -turned
    assert one + other > 0


@given(st.floats(0.001, 1.6), st.floats(0.001, 1.6), st.floats(0.1, 10))
def test_a_normalised_difference_knows_no_brightness(one, other, gain):
    plain = normalised_difference(np.array([one]), np.array([other]))
    bright = normalised_difference(np.array([one * gain]), np.array([other * gain]))
    np.testing.assert_allclose(bright, plain, atol=1e-12)


@given(reflectances, reflectances, reflectances)
def test_evi_is_bounded_or_nodata(nir, red, blue):
    value = evi(*(np.array([v]) for v in (nir, red, blue)))[0]
    assert np.isnan(value) or -1.0 <= value <= 1.0
    if not np.isfinite([nir, red, blue]).all():
        assert np.isnan(value)


@pytest.mark.parametrize(
    ("one", "other"), [(0.0, 0.0), (-0.01, -0.02), (0.3, -0.01), (-0.01, 0.3), (np.nan, 0.3)]
)
def test_reflectances_that_cannot_be_are_nodata(one, other):
    assert np.isnan(normalised_difference(np.array([one]), np.array([other])))[0]


def test_evi_of_a_cloud_is_nodata_where_its_denominator_vanishes():
    # 0.8 + 6 * 0.78 - 7.5 * 0.86 + 1 = 0.03, and below zero with 0.87.
    nir, red = np.array([0.8, 0.8]), np.array([0.78, 0.78])
    assert np.isnan(evi(nir, red, np.array([0.86, 0.87]))).all()
