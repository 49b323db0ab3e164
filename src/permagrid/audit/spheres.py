"""Distances and blocks on the globe, and how far what is left of the target hangs together."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist
from scipy.stats import norm, rankdata
from sklearn.linear_model import Ridge

from permagrid.audit.evidence import Evidence
from permagrid.grid import chord, transformed

Float = NDArray[np.float64]
Index = NDArray[np.int_]

EARTH_RADIUS = 6_371_008.8
"""Mean radius of the Earth [m] (IUGG)."""

_LAGS = 20
_MOST_SITES = 2000
_PAIRS = 30
_FOLDS = 5
_FEWEST_SITES = 20
_LEAST_SILL = 0.05


def points_of(longitude: Float, latitude: Float) -> Float:
    """Return points as x, y, z [m], shape ``(n, 3)``: straight distances without pole or antimeridian."""
    return np.asarray(EARTH_RADIUS * chord(longitude, latitude))


def reach_of(distance: float) -> float:
    """Return the straight length of a distance along the globe [m]."""
    return float(2.0 * EARTH_RADIUS * np.sin(min(distance / EARTH_RADIUS, np.pi) / 2.0))


def beside(test: Float, train: Float, distance: float) -> NDArray[np.bool_]:
    """Return which test points have a training point within a distance [m].

    Parameters
    ----------
    test, train
        Points from `points_of`.
    distance
        Along the globe [m]; half a centimetre more counts as well.
    """
    away = KDTree(train).query(test, distance_upper_bound=reach_of(distance) + 0.005)[0]
    return np.asarray(np.isfinite(away))


def blocks_at(longitude: Float, latitude: Float, size: float) -> Index:
    """Return the number of the square block of equal area in which each point lies.

    The squares lie in a Lambert azimuthal equal-area projection centred on the points.

    Examples
    --------
    >>> blocks_at(np.array([179.9, -179.9, 100.0]), np.array([68.0, 68.0, 60.0]), 500e3).tolist()
    [1, 1, 0]
    """
    middle = chord(longitude, latitude).mean(axis=0)
    middle = middle / max(float(np.linalg.norm(middle)), 1e-12)
    centre = np.degrees([np.arctan2(middle[1], middle[0]), np.arcsin(np.clip(middle[2], -1.0, 1.0))])
    equal_area = f"+proj=laea +lat_0={centre[1]:.1f} +lon_0={centre[0]:.1f} +datum=WGS84"
    x, y = transformed(longitude, latitude, "EPSG:4326", equal_area)
    cells = np.stack([np.floor(x / size + 0.5), np.floor(y / size + 0.5)], axis=1)
    return np.asarray(np.unique(cells, axis=0, return_inverse=True)[1]).ravel()


def residuals(evidence: Evidence) -> Float:
    """Return observed less predicted for each training row.

    They are those of the column ``residual`` where the table has it; else of a ridge regression on all
    covariates, each place predicted by the others.
    """
    if "residual" in evidence.training:
        return evidence.values("residual")
    value = evidence.values("value")
    columns = [evidence.values(name) for name in evidence.continuous]
    for name in evidence.classes:
        codes = evidence.values(name)
        columns += [(codes == code).astype(float) for code in np.unique(codes)[1:]]
    if not columns:
        return np.asarray(value - value.mean())
    table = np.nan_to_num(np.column_stack(columns))
    spread = table.std(axis=0)
    table = (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    folds, predicted = evidence.groups % _FOLDS, np.full(len(value), value.mean())
    for fold in np.unique(folds):
        test = folds == fold
        if (~test).any():
            predicted[test] = Ridge(1.0).fit(table[~test], value[~test]).predict(table[test])
    return np.asarray(value - predicted)


def correlation_range(longitude: Float, latitude: Float, values: Float) -> float:
    """Return the distance beyond which values at places are independent [m]; 0 if they are at any distance.

    It is the range of a spherical variogram with a nugget, fitted to normal scores of the values by least
    squares, weighted by pairs over squared distance as in gstat (Pebesma 2004,
    doi:10.1016/j.cageo.2004.03.012).

    Parameters
    ----------
    longitude, latitude
        Places [degree].
    values
        A value at each place.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> lon, lat = random.uniform(60, 120, 400), random.uniform(60, 70, 400)
    >>> 3e5 < correlation_range(lon, lat, np.sin(np.radians(lat) * 20)) < 3e6
    True
    """
    step = max(1, -(-len(values) // _MOST_SITES))
    points, values = points_of(longitude, latitude)[::step], values[::step]
    if len(values) < _FEWEST_SITES or np.ptp(values) == 0.0:
        return 0.0
    scores = norm.ppf(rankdata(values) / (len(values) + 1.0))
    away = 2.0 * EARTH_RADIUS * np.arcsin(np.minimum(pdist(points) / (2.0 * EARTH_RADIUS), 1.0))
    half = 0.5 * pdist(scores[:, np.newaxis]) ** 2
    first, last = max(float(np.quantile(away, 0.001)), 1_000.0), float(away.max()) / 2.0
    if last <= 2.0 * first:
        return 0.0
    lag = np.digitize(away, np.geomspace(first, last, _LAGS))
    pairs = np.bincount(lag, minlength=_LAGS + 1)[:_LAGS]
    used = np.flatnonzero(pairs >= _PAIRS)
    if len(used) < 4:
        return 0.0
    distance, gamma = (np.bincount(lag, part)[used] / pairs[used] for part in (away, half))
    weight = np.sqrt(pairs[used]) / distance
    fits = [_fitted(distance, gamma, weight, reach) for reach in np.geomspace(first, last, 4 * _LAGS)]
    _, reach, nugget, sill = min(fits)
    return reach if sill > _LEAST_SILL * (nugget + sill) else 0.0


def _fitted(distance: Float, gamma: Float, weight: Float, reach: float) -> tuple[float, float, float, float]:
    """Return misfit, range, nugget and sill of the spherical variogram of a range that fits best."""
    near = np.minimum(distance / reach, 1.0)
    model = np.stack([np.ones(len(distance)), 1.5 * near - 0.5 * near**3], axis=1)
    (nugget, sill), misfit = nnls(model * weight[:, np.newaxis], gamma * weight)
    return float(misfit), float(reach), float(nugget), float(sill)
