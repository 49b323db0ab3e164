"""Units of values: conversion between those the field writes, and what is plausible in each."""

import re
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from permagrid.errors import PermagridError, did_you_mean

Values = TypeVar("Values", float, NDArray[np.float64])

UNITS: dict[str, tuple[str, float, float]] = {
    "degC": ("temperature", 1.0, 0.0),
    "K": ("temperature", 1.0, -273.15),
    "degF": ("temperature", 5.0 / 9.0, -160.0 / 9.0),
    "m": ("length", 1.0, 0.0),
    "ft": ("length", 0.3048, 0.0),
    "km": ("length", 1000.0, 0.0),
    "cm": ("length", 0.01, 0.0),
    "mm": ("length", 0.001, 0.0),
    "m2": ("area", 1.0, 0.0),
    "km2": ("area", 1e6, 0.0),
    "1": ("fraction", 1.0, 0.0),
    "%": ("fraction", 0.01, 0.0),
    "g/kg": ("fraction", 0.001, 0.0),
    "dg/kg": ("fraction", 0.0001, 0.0),
    "cg/kg": ("fraction", 0.00001, 0.0),
    "cm3/dm3": ("fraction", 0.001, 0.0),
    "1/m": ("curvature", 1.0, 0.0),
    "degree": ("angle", 1.0, 0.0),
    "radian": ("angle", 180.0 / np.pi, 0.0),
    "degC day": ("degree days", 1.0, 0.0),
    "day": ("time", 1.0, 0.0),
    "delta degC": ("temperature difference", 1.0, 0.0),
    "delta K": ("temperature difference", 1.0, 0.0),
    "kg/m3": ("density", 1.0, 0.0),
    "g/cm3": ("density", 1000.0, 0.0),
    "cg/cm3": ("density", 10.0, 0.0),
    "hg/m3": ("density", 0.1, 0.0),
    "kg/m2": ("mass per area", 1.0, 0.0),
    "t/ha": ("mass per area", 0.1, 0.0),
    "pH": ("acidity", 1.0, 0.0),
    "mm/day": ("precipitation rate", 1.0, 0.0),
    "m/day": ("precipitation rate", 1000.0, 0.0),
    "kg/m2/s": ("precipitation rate", 86400.0, 0.0),
    "kg m-2 s-1": ("precipitation rate", 86400.0, 0.0),
    "kg m**-2 s**-1": ("precipitation rate", 86400.0, 0.0),
    "class": ("class", 1.0, 0.0),
    "code": ("class", 1.0, 0.0),
}
"""Unit -> (dimension, factor, offset) towards the first unit of its dimension."""

PLAUSIBLE: dict[str, tuple[float, float]] = {
    "degC": (-95.0, 65.0),
    "K": (178.0, 338.0),
    "delta degC": (-100.0, 100.0),
    "%": (0.0, 100.0),
    "1": (-10.0, 10.0),
    "mm": (0.0, 20000.0),
    "m": (-11000.0, 9000.0),
    "degC day": (0.0, 25000.0),
    "g/kg": (0.0, 1000.0),
    "pH": (0.0, 14.0),
    "degree": (-180.0, 360.0),
    "day": (0.0, 366.0),
    # What numbers packed in 16 bits leave of a dry month may lie below zero.
    "mm/day": (-0.01, 2000.0),
}
"""Unit -> what any covariate of the cold regions can be in it."""

_SCALED = re.compile(r"^\s*(?P<factor>\d*\.?\d+(?:[eE][-+]?\d+)?)\s+(?P<unit>\S.*)$")


def parse_unit(unit: str) -> tuple[str, float, float]:
    """Return dimension, factor and offset of a unit such as ``K``, ``cm`` or ``0.1 degC``.

    Raises
    ------
    PermagridError
        If the unit is unknown.

    Examples
    --------
    >>> parse_unit("0.1 degC")
    ('temperature', 0.1, 0.0)
    """
    if unit in UNITS:
        return UNITS[unit]
    scaled = _SCALED.match(unit)
    if scaled and scaled["unit"].strip() in UNITS:
        dimension, factor, offset = UNITS[scaled["unit"].strip()]
        return dimension, factor * float(scaled["factor"]), offset
    raise PermagridError(
        f"unknown unit {unit!r}: {did_you_mean(unit, UNITS)}, or a multiple such as '0.1 degC'"
    )


def conversion(source: str, target: str) -> tuple[float, float]:
    """Return factor and offset that turn values in `source` into `target`.

    Raises
    ------
    PermagridError
        If a unit is unknown or the two measure different things.

    Examples
    --------
    >>> conversion("0.1 degC", "degC")
    (0.1, 0.0)
    >>> factor, offset = conversion("K", "degC")
    >>> 273.15 * factor + offset
    0.0
    """
    if source == target:
        return 1.0, 0.0
    from_dimension, from_factor, from_offset = parse_unit(source)
    to_dimension, to_factor, to_offset = parse_unit(target)
    if from_dimension != to_dimension:
        raise PermagridError(
            f"unit {source!r} ({from_dimension}) cannot be turned into {target!r} ({to_dimension})"
        )
    return from_factor / to_factor, (from_offset - to_offset) / to_factor


def convert(values: Values, source: str, target: str) -> Values:
    """Return `values` in another unit.

    Raises
    ------
    PermagridError
        As `conversion`.

    Examples
    --------
    >>> round(convert(32.0, "degF", "degC"), 9)
    0.0
    >>> convert(1.5, "m", "cm")
    150.0
    """
    factor, offset = conversion(source, target)
    return values if (factor, offset) == (1.0, 0.0) else values * factor + offset


def implausible(low: float, high: float, unit: str) -> str | None:
    """Return why values from `low` to `high` cannot be in `unit`, with a likely cause, or None.

    Examples
    --------
    >>> implausible(-31.0, 24.0, "degC") is None
    True
    >>> implausible(231.0, 301.0, "degC")
    "values 231 to 301 do not fit unit 'degC' (-95 to 65); they look like K: set stored_unit: K"
    """
    allowed = PLAUSIBLE.get(unit)
    if allowed is None or (low >= allowed[0] and high <= allowed[1]):
        return None
    message = f"values {low:g} to {high:g} do not fit unit {unit!r} ({allowed[0]:g} to {allowed[1]:g})"
    if low == -1.0 and allowed[0] == 0.0 and high <= allowed[1]:
        return f"{message}; -1 often stands for no data: set nodata: -1"
    for candidate in _likely_sources(unit):
        factor, offset = conversion(candidate, unit)
        if allowed[0] <= low * factor + offset and high * factor + offset <= allowed[1]:
            return f"{message}; they look like {candidate}: set stored_unit: {candidate}"
    return message


def _likely_sources(unit: str) -> list[str]:
    dimension = parse_unit(unit)[0]
    same = [name for name, entry in UNITS.items() if entry[0] == dimension and name != unit]
    whole = {"temperature": ["K"]}.get(dimension, same)
    return [*whole, f"0.1 {unit}", f"0.01 {unit}", f"0.001 {unit}", f"0.0001 {unit}"]
