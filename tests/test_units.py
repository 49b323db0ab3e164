"""Units: conversion there and back, and values that cannot be in a unit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from permagrid.errors import PermagridError
from permagrid.units import PLAUSIBLE, conversion, convert, implausible, parse_unit

UNITS = (
    *("degC", "K", "degF", "delta degC", "degC day", "day", "m", "km", "cm", "mm"),
    *("1", "%", "g/kg", "dg/kg", "cg/kg", "cm3/dm3", "kg/m3", "g/cm3", "cg/cm3", "hg/m3"),
    *("kg/m2", "t/ha", "pH", "degree", "radian"),
)


def _pairs():
    return [(a, b) for a in UNITS for b in UNITS if parse_unit(a)[0] == parse_unit(b)[0]]


@given(pair=st.sampled_from(_pairs()), value=st.floats(-1e4, 1e4), factor=st.sampled_from([1, 0.1, 0.001]))
def test_there_and_back_is_the_same(pair, value, factor):
    source, target = pair
    source = source if factor == 1 else f"{factor} {source}"
    assert convert(convert(value, source, target), target, source) == pytest.approx(value, abs=1e-6 / factor)


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (273.15, "K", "degC", 0.0),
        (32.0, "degF", "degC", 0.0),
        (212.0, "degF", "K", 373.15),
        (-85, "0.1 degC", "degC", -8.5),
        (2731.5, "0.1 K", "degC", 0.0),
        (150, "cm", "m", 1.5),
        (0.4, "1", "%", 40.0),
        (250, "g/kg", "%", 25.0),
        # As SoilGrids 2.0 stores organic carbon, nitrogen, bulk density, carbon density, stocks and pH.
        (340, "dg/kg", "g/kg", 34.0),
        (340, "cg/kg", "g/kg", 3.4),
        (145, "cg/cm3", "g/cm3", 1.45),
        (145, "cg/cm3", "kg/m3", 1450.0),
        (300, "hg/m3", "kg/m3", 30.0),
        (55, "t/ha", "kg/m2", 5.5),
        (62, "0.1 pH", "pH", 6.2),
        (120, "cm3/dm3", "%", 12.0),
        (np.pi, "radian", "degree", 180.0),
        (12, "0.1 delta degC", "delta degC", 1.2),
        (10, "delta K", "delta degC", 10.0),
        (7, "1e-1 mm", "mm", 0.7),
    ],
)
def test_known_values(value, source, target, expected):
    assert convert(float(value), source, target) == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose(
        convert(np.array([value, value], dtype=float), source, target), expected, atol=1e-9
    )


def test_the_same_unit_leaves_values_alone():
    values = np.array([1.0, np.nan])
    assert convert(values, "degC", "degC") is values


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("degC", "delta degC", r"'degC' \(temperature\) cannot be turned into 'delta degC'"),
        ("m", "degC", r"'m' \(length\) cannot be turned into 'degC' \(temperature\)"),
        ("Celsius", "degC", "unknown unit 'Celsius'"),
        ("degCC", "K", "did you mean 'degC'"),
        ("0.1 parsec", "m", "unknown unit '0.1 parsec'"),
        ("-1 m", "m", "unknown unit '-1 m'"),
    ],
)
def test_what_cannot_be_converted_is_refused(source, target, message):
    with pytest.raises(PermagridError, match=message):
        conversion(source, target)


@pytest.mark.parametrize(
    ("low", "high", "unit", "cause"),
    [
        (231, 301, "degC", "they look like K: set stored_unit: K"),
        (-300, 250, "degC", "they look like 0.1 degC"),
        (0, 255, "%", None),
        (-9999, 20, "degC", None),
        (0, 1000, "%", "they look like g/kg"),
        (0, 5000, "g/kg", "they look like dg/kg"),
        (40, 82, "pH", "they look like 0.1 pH"),
        (-1, 99, "%", "-1 often stands for no data: set nodata: -1"),
        (-1, 990, "%", None),
        (-5, 400, "mm", None),
    ],
)
def test_values_that_cannot_be_in_a_unit_are_told_with_a_cause(low, high, unit, cause):
    message = implausible(low, high, unit)
    assert message is not None
    assert message.startswith(f"values {low:g} to {high:g} do not fit unit {unit!r}")
    if cause is not None:
        assert cause in message


@given(unit=st.sampled_from(sorted(PLAUSIBLE)), share=st.floats(0, 1))
def test_plausible_values_are_let_through(unit, share):
    low, high = PLAUSIBLE[unit]
    assert implausible(low + share * (high - low), high, unit) is None


def test_of_a_unit_without_bounds_nothing_is_said():
    assert implausible(-1e9, 1e9, "kg/m3") is None
