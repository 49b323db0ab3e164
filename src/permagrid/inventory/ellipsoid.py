"""Areas on an ellipsoid of revolution by its authalic sphere, which has the same areas everywhere."""

from dataclasses import dataclass

import numpy as np
from pyproj import CRS

from permagrid.errors import PermagridError
from permagrid.grid import Float

_TERMS = 6
"""Terms of the series of the authalic latitude: its error is below the last digit where f < 1/150."""
_NODES = 32


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid of revolution."""

    semi_major: float
    """Equatorial radius [m]."""
    flattening: float
    """``(a - b) / a``; 0 of a sphere."""

    @classmethod
    def of(cls, crs: CRS) -> "Ellipsoid":
        """Return the ellipsoid of a CRS.

        Raises
        ------
        PermagridError
            If it has none.

        Examples
        --------
        >>> wgs84 = Ellipsoid.of(CRS("EPSG:3995"))
        >>> wgs84.semi_major, round(1.0 / wgs84.flattening, 9)
        (6378137.0, 298.257223563)
        """
        shape = crs.ellipsoid
        if shape is None:
            raise PermagridError(f"cell areas: {crs.name} has no ellipsoid")
        inverse = float(shape.inverse_flattening)
        return cls(float(shape.semi_major_metre), 1.0 / inverse if inverse else 0.0)

    @property
    def radius(self) -> float:
        """Radius of the sphere of the same area [m].

        Examples
        --------
        >>> round(4.0 * np.pi * Ellipsoid(6378137.0, 1.0 / 298.257223563).radius ** 2 / 1e6)
        510065622
        """
        return float(self.semi_major * np.sqrt(self._q(np.array([1.0]))[0] / 2.0))

    def _q(self, sine: Float) -> Float:
        """Return Snyder's q, to which the area from the equator to a latitude is proportional."""
        square = self.flattening * (2.0 - self.flattening)
        if square == 0.0:
            return 2.0 * sine
        root = np.sqrt(square)
        return np.asarray((1.0 - square) * (sine / (1.0 - square * sine**2) + np.arctanh(root * sine) / root))

    @property
    def coefficients(self) -> Float:
        """Coefficients of sin(2 k latitude) in authalic less geodetic latitude, k from 1 [radian].

        They are found by quadrature of Snyder's closed form (1987, Map projections: a working manual, eq.
        3-11 and 3-12), as its arcsine loses half of the digits at the poles where the series loses none.
        """
        if self.flattening == 0.0:
            return np.zeros(_TERMS)
        latitude = np.pi * ((np.arange(_NODES) + 0.5) / _NODES - 0.5)
        authalic = np.arcsin(self._q(np.sin(latitude)) / self._q(np.array([1.0]))[0])
        order = np.arange(1, _TERMS + 1)[:, np.newaxis]
        return np.asarray(2.0 * ((authalic - latitude) * np.sin(2.0 * order * latitude)).mean(axis=1))

    def authalic(self, latitude: Float) -> Float:
        """Return the authalic latitude [radian] of geodetic ones [radian].

        Examples
        --------
        >>> wgs84 = Ellipsoid(6378137.0, 1.0 / 298.257223563)
        >>> wgs84.authalic(np.radians([0.0, 45.0, 90.0])).round(8).tolist()
        [0.0, 0.78315896, 1.57079633]
        """
        orders = range(1, _TERMS + 1)
        terms = zip(orders, self.coefficients, strict=True)
        out: Float = latitude + sum(each * np.sin(2.0 * k * latitude) for k, each in terms)
        return out
