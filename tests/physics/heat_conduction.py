"""Heat conduction with melting and freezing, solved by finite differences: what closed forms approximate."""

import numba
import numpy as np

YEAR = 365.25 * 86400.0


@numba.njit
def thaw_and_mean(surface, soil, begin, years=12, step=0.05, bottom=15.0):
    """Return the deepest thaw [m] and the mean temperature at each depth of the last year.

    Enthalpy on an even lattice, explicit in time; the ground melts at 0 °C; no flux at the bottom.
    """
    mean, amplitude = surface
    thawed, frozen, capacity, latent = soil
    n = int(bottom / step)
    heat = np.empty(n)
    temperature = np.empty(n)
    for i in range(n):
        temperature[i] = begin
        heat[i] = capacity * begin
    steps = int(YEAR / (0.4 * capacity * step**2 / max(thawed, frozen))) + 1
    dt = YEAR / steps
    sums = np.zeros(n)
    deepest = 0.0
    flux = np.zeros(n + 1)
    for year in range(years):
        for t in range(steps):
            surface = mean + amplitude * np.sin(2.0 * np.pi * t / steps)
            k = thawed if surface > 0 else frozen
            flux[0] = k * (surface - temperature[0]) / (0.5 * step)
            for i in range(1, n):
                upper = thawed if heat[i - 1] > 0.5 * latent else frozen
                lower = thawed if heat[i] > 0.5 * latent else frozen
                flux[i] = 2.0 / (1.0 / upper + 1.0 / lower) * (temperature[i - 1] - temperature[i]) / step
            for i in range(n):
                heat[i] += dt * (flux[i] - flux[i + 1]) / step
                if heat[i] < 0.0:
                    temperature[i] = heat[i] / capacity
                elif heat[i] > latent:
                    temperature[i] = (heat[i] - latent) / capacity
                else:
                    temperature[i] = 0.0
            if year == years - 1:
                i = 0
                while i < n and heat[i] >= latent:
                    i += 1
                depth = i * step
                if i < n and heat[i] > 0.0:
                    depth += step * heat[i] / latent
                deepest = max(deepest, depth)
                for j in range(n):
                    sums[j] += temperature[j]
    return deepest, sums / steps
