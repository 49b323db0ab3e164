"""Spectral indices of reflectances, where two things called NDWI have each its own name."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from permagrid.grid import Float

IndexName = Literal["ndvi", "evi", "ndwi_mcfeeters", "ndwi_gao", "ndsi"]
"""Names of the indices that can be asked for."""


def ndvi(nir: Float, red: Float) -> Float:
    """Return the normalised difference vegetation index, (N - R) / (N + R) [1].

    Rouse et al. (1974), Third Earth Resources Technology Satellite-1 Symposium, NASA SP-351, 309-317.
    Parameters and nodata as `normalised_difference`.

    Examples
    --------
    >>> ndvi(np.array([0.4, 0.3]), np.array([0.1, np.nan])).round(6)
    array([0.6, nan])
    """
    return normalised_difference(nir, red)


def evi(nir: Float, red: Float, blue: Float) -> Float:
    """Return the enhanced vegetation index, 2.5 (N - R) / (N + 6 R - 7.5 B + 1) [1].

    Huete et al. (2002), Remote Sensing of Environment 83, 195-213. It has no bounds of its own: over bright
    snow and cloud the denominator passes through zero. What falls outside -1 to 1, or has a denominator that
    is not above zero, is nodata.

    Parameters
    ----------
    nir, red, blue
        Reflectances, NaN as nodata [1].

    Examples
    --------
    >>> evi(np.array([0.4, 0.9]), np.array([0.1, 0.2]), np.array([0.05, 0.4])).round(6)
    array([0.461538, nan])
    """
    return _bounded(2.5 * (nir - red), nir + 6.0 * red - 7.5 * blue + 1.0)


def ndwi_mcfeeters(green: Float, nir: Float) -> Float:
    """Return the NDWI of McFeeters, (G - N) / (G + N) [1]: open water is above zero.

    McFeeters (1996), International Journal of Remote Sensing 17, 1425-1432. Parameters and nodata as
    `normalised_difference`.

    Examples
    --------
    >>> ndwi_mcfeeters(np.array([0.08]), np.array([0.02])).round(6)
    array([0.6])
    """
    return normalised_difference(green, nir)


def ndwi_gao(nir: Float, swir1: Float) -> Float:
    """Return the NDWI of Gao, (N - SWIR1) / (N + SWIR1) [1]: the water in leaves; others call it NDMI.

    Gao (1996), Remote Sensing of Environment 58, 257-266. Parameters and nodata as `normalised_difference`.

    Examples
    --------
    >>> ndwi_gao(np.array([0.3]), np.array([0.2])).round(6)
    array([0.2])
    """
    return normalised_difference(nir, swir1)


def ndsi(green: Float, swir1: Float) -> Float:
    """Return the normalised difference snow index, (G - SWIR1) / (G + SWIR1) [1].

    Hall et al. (1995), Remote Sensing of Environment 54, 127-140. Parameters and nodata as
    `normalised_difference`.

    Examples
    --------
    >>> ndsi(np.array([0.8]), np.array([0.1])).round(6)
    array([0.777778])
    """
    return normalised_difference(green, swir1)


def normalised_difference(one: Float, other: Float) -> Float:
    """Return (one - other) / (one + other) [1].

    Parameters
    ----------
    one, other
        Reflectances, NaN as nodata [1]. Where atmospheric correction went too far and left one of them below
        zero the result is outside -1 to 1, or has no sense if both are: nodata, as where both are zero.

    Examples
    --------
    >>> normalised_difference(np.array([0.0, 0.3, -0.01]), np.array([0.0, -0.01, -0.02]))
    array([nan, nan, nan])
    """
    return _bounded(one - other, one + other)


def _bounded(numerator: Float, denominator: Float) -> Float:
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        values = numerator / denominator
        known = (denominator > 0) & (np.abs(values) <= 1.0)
    return np.where(known, values, np.nan)


class Index(NamedTuple):
    """A spectral index and the bands that it is made of."""

    bands: tuple[str, ...]
    """Colours, in the order in which the formula takes them."""
    formula: Callable[..., Float]
    """From reflectances to the index."""


INDICES: dict[str, Index] = {
    "ndvi": Index(("nir", "red"), ndvi),
    "evi": Index(("nir", "red", "blue"), evi),
    "ndwi_mcfeeters": Index(("green", "nir"), ndwi_mcfeeters),
    "ndwi_gao": Index(("nir", "swir1"), ndwi_gao),
    "ndsi": Index(("green", "swir1"), ndsi),
}
"""Name -> bands and formula."""
