"""Kudryavtsev's model: a year's wave through snow and vegetation, to permafrost and the active layer."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from permagrid.physics.sinusoid import YEAR_SECONDS, Float, Wave, broadcast


class Cover(NamedTuple):
    """A layer on the ground, such as snow or moss."""

    thickness: ArrayLike
    """[m]"""
    diffusivity: ArrayLike
    """Thermal diffusivity [m2 s-1]."""


class Soil(NamedTuple):
    """Properties of the ground, each a number or an array."""

    thawed_conductivity: ArrayLike
    """Thermal conductivity when thawed [W m-1 K-1]."""
    frozen_conductivity: ArrayLike
    """Thermal conductivity when frozen [W m-1 K-1]."""
    heat_capacity: ArrayLike
    """Heat capacity of a volume when thawed [J m-3 K-1]."""
    latent_heat: ArrayLike
    """Heat that melts the ice of a volume [J m-3]: `LATENT_HEAT` times the volumetric water content."""


def below_cover(
    above: Wave,
    *,
    winter: Cover | None = None,
    summer: Cover | None = None,
    parts: Literal["sinusoid", "half_waves"] = "sinusoid",
    period: float = YEAR_SECONDS,
) -> Wave:
    """Return the wave of temperature below a layer that damps winter and summer differently.

    A layer of thickness z and diffusivity D takes the share ``1 - exp(-z sqrt(pi / (2 t D)))`` of the part of
    the year below 0 °C, of duration t, and its own share of the part above. What it takes from winter warms
    the mean, what from summer cools it; the amplitude is that of the first harmonic of what is left.

    Snow lies in winter only: ``below_cover(air, winter=Cover(depth, diffusivity))``. It can take no more than
    the winter away, whereas to take a share of the whole amplitude, as is done elsewhere, would warm the
    ground below deep snow to the warmest day of summer.

    Parameters
    ----------
    above
        Mean and amplitude of the temperature above the layer.
    winter, summer
        The layer in the frozen and in the thawed part of the year; no layer if left out.
    parts
        ``sinusoid`` damps the parts of the sinusoid below and above zero as they are. ``half_waves`` takes
        half waves of amplitude ``A - T`` and ``A + T`` for them, as Kudryavtsev did: the same for a mean
        of 0 °C, within 0.03 amplitudes of it for means up to half an amplitude from there, and up to 0.27
        beyond.
    period
        Length of the year [s].

    Returns
    -------
    Wave
        Mean [degC] and amplitude [delta degC] below the layer.

    Notes
    -----
    Kudryavtsev et al. (1974), as in Romanovsky and Osterkamp (1997), Permafrost and Periglacial Processes
    8, 1-22.

    Examples
    --------
    >>> below = below_cover(Wave(-10.0, 20.0), winter=Cover([0.0, 0.4], 4e-7))
    >>> below.mean.round(2), below.amplitude.round(2)
    (array([-10.  ,  -8.07]), array([20.  , 17.45]))
    """
    mean, swing = broadcast(above.mean, above.amplitude)
    crosses = swing > np.abs(mean)
    within = np.where(crosses, mean / np.where(crosses, swing, 1.0), np.sign(mean))
    # Half the angle of the year that is above zero.
    half = np.arccos(-within)
    share = half / np.pi
    if parts == "half_waves":
        warm, warm_swing = (swing + mean) * share * (2.0 / np.pi), (swing + mean) * share
        cold, cold_swing = (swing - mean) * (1.0 - share) * (2.0 / np.pi), (swing - mean) * (1.0 - share)
    else:
        warm = np.where(crosses, (mean * half + swing * np.sin(half)) / np.pi, np.maximum(mean, 0.0))
        warm_swing = np.where(crosses, (mean * np.sin(half) + swing * half) / np.pi, swing * (mean > 0))
        cold, cold_swing = warm - mean, swing - warm_swing
    less_cold, less_warm = (
        0.0 if cover is None else _damping(cover, part * period)
        for cover, part in ((winter, 1.0 - share), (summer, share))
    )
    return Wave(
        mean + less_cold * cold - less_warm * warm,
        swing - less_cold * cold_swing - less_warm * warm_swing,
    )


def _damping(cover: Cover, duration: Float) -> Float:
    thickness, diffusivity, seconds = broadcast(cover.thickness, cover.diffusivity, duration)
    lasts = seconds > 0
    steepness = np.sqrt(np.pi / (2.0 * np.where(lasts, seconds, 1.0) * diffusivity))
    return np.where(lasts, -np.expm1(-np.maximum(thickness, 0.0) * steepness), 0.0)


def permafrost_temperature(
    surface: Wave, *, thawed_conductivity: ArrayLike, frozen_conductivity: ArrayLike
) -> Float:
    """Return the mean temperature at the depth to which the year's thaw or frost goes.

    The year's mean of ``k(T) T`` at the surface, with the conductivity of frozen ground below 0 °C and of
    thawed ground above, is the same at that depth, where only one of the two is left:

    ``T k = T0 (kf + kt) / 2 + A (kt - kf) / pi [T0/A arcsin(T0/A) + sqrt(1 - (T0/A)^2)]``,

    with k that of frozen ground where the right side is not above 0, else that of thawed ground.

    Parameters
    ----------
    surface
        Mean T0 and amplitude A of the temperature of the ground surface.
    thawed_conductivity, frozen_conductivity
        [W m-1 K-1]

    Returns
    -------
    array
        [degC]

    Notes
    -----
    Romanovsky and Osterkamp (1997), Permafrost and Periglacial Processes 8, 1-22. It is
    the TTOP model with the degree days of a sinusoid.

    Examples
    --------
    >>> permafrost_temperature(
    ...     Wave(-2.0, 15.0), thawed_conductivity=[1.5, 1.0], frozen_conductivity=[1.5, 2.0]
    ... ).round(3)
    array([-2.   , -3.909])
    """
    mean, swing, thawed, frozen = broadcast(
        surface.mean, surface.amplitude, thawed_conductivity, frozen_conductivity
    )
    crosses = swing > np.abs(mean)
    within = np.where(crosses, mean / np.where(crosses, swing, 1.0), np.sign(mean))
    both = mean * np.arcsin(within) + np.maximum(swing, 0.0) * np.sqrt(1.0 - within**2)
    flux = 0.5 * mean * (frozen + thawed) + (thawed - frozen) / np.pi * both
    temperature: Float = flux / np.where(flux <= 0, frozen, thawed)
    return temperature[()]


def active_layer_depth(
    surface: Wave, temperature: ArrayLike, soil: Soil, *, period: float = YEAR_SECONDS
) -> Float:
    """Return the depth of the active layer above permafrost.

    With C heat capacity, L latent heat, k thawed conductivity, P the period and D ``sqrt(k P / (pi C))``:
    the mean amplitude in the layer is ``Am = (A - |T|) / ln[(A + L/2C) / (|T| + L/2C)] - L/2C``; heat and
    ice of the layer go down to ``Zc = 2 (A - |T|) C D / (2 Am C + L)``, and a second term adds to it:
    ``Z = Zc + Zc L D / [(2 Am C + L) (Zc + D)]``. Beside heat conduction with melting, solved numerically,
    it is 0 to 20 % too thin; the Stefan equation is 10 to 40 % too thick.

    Parameters
    ----------
    surface
        Mean and amplitude of the temperature of the ground surface.
    temperature
        Mean temperature at the top of permafrost, as of `permafrost_temperature` [degC].
    soil
        Properties of the ground.
    period
        Length of the year [s].

    Returns
    -------
    array
        [m]; 0 where the ground does not thaw, NaN where `temperature` is above 0 °C.

    Notes
    -----
    Kudryavtsev et al. (1974), as in Romanovsky and Osterkamp (1997),
    Permafrost and Periglacial Processes 8, 1-22. Without latent heat it is the depth at
    which a wave of amplitude A has been damped to ``|T|``.

    Examples
    --------
    >>> soil = Soil(1.2, 2.0, 2.5e6, 3.34e8 * 0.3)
    >>> active_layer_depth(Wave(-5.0, 13.0), [-6.2, -0.5], soil).round(2)
    array([0.79, 1.58])
    """
    swing, cold, conducts, capacity, latent = broadcast(
        surface.amplitude, temperature, soil.thawed_conductivity, soil.heat_capacity, soil.latent_heat
    )
    lowest = np.abs(cold)
    excess = np.maximum(swing - lowest, 0.0)
    scale = np.sqrt(conducts * period / (np.pi * capacity))
    # Am + L/2C, the logarithmic mean of A + L/2C and |T| + L/2C; near each other, it is either.
    base = lowest + latent / (2.0 * capacity)
    step = np.divide(excess, base, out=np.full(base.shape, np.inf), where=base > 0)
    grows = (step > 0) & np.isfinite(step)
    mean = np.where(grows, excess / np.log1p(np.where(grows, step, 1.0)), np.where(step > 0, 0.0, base))
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = np.where(excess > 0, excess * scale / mean, 0.0)
        share = np.where(latent > 0, latent / (2.0 * capacity * mean), 0.0)
        depth = inner + np.where(np.isfinite(inner), inner * scale * share / (inner + scale), 0.0)
    return np.where(cold <= 0, depth, np.nan)[()]
