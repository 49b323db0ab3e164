"""Made sites for the tests of folds, several rows each, around the pole and across the antimeridian."""

import numpy as np
import pandas as pd

METHODS = {
    "random": {},
    "holdout": {},
    "site": {},
    "epoch": {},
    "block": {"size": 500_000.0, "n_folds": 5},
    "buffered_leave_one_out": {"radius": 200_000.0},
    "region": {"boxes": {"east": (90, -90, -90, 90)}},
    "knndm": {"n_folds": 5},
}
"""Fold method -> keywords with which it splits the sites below."""


def sites(n=400, *, seed=0, rows_per_site=4):
    """Return sites around the pole and on both sides of the antimeridian, each with several rows."""
    random = np.random.default_rng(seed)
    site = np.repeat(np.arange(n // rows_per_site), rows_per_site)
    longitude = random.uniform(-180, 180, n // rows_per_site)[site]
    latitude = random.uniform(60, 90, n // rows_per_site)[site]
    return pd.DataFrame(
        {
            "site_group": site,
            "longitude": longitude,
            "latitude": latitude,
            "epoch": np.tile([f"{1980 + 5 * turn}" for turn in range(rows_per_site)], n // rows_per_site),
            "value": random.integers(0, 2, n).astype(float),
            "air": random.normal(0, 1, n),
            "snow": np.hypot(latitude, random.normal(0, 3, n)),
        }
    )


def clustered(n=60, clusters=6, *, rows_per_site=1, seed=0):
    """Return sites in a few clusters, some of them on both sides of the antimeridian."""
    random = np.random.default_rng(seed)
    table = sites(n * rows_per_site, seed=seed, rows_per_site=rows_per_site)
    middle = np.stack([random.uniform(150, 230, clusters), random.uniform(60, 75, clusters)], axis=1)
    own = random.integers(0, clusters, n)
    at = middle[own] + random.normal(0, [0.9, 0.3], (n, 2))
    site = table["site_group"].to_numpy()
    longitude = (at[site, 0] + 180) % 360 - 180
    return table.assign(longitude=longitude, latitude=at[site, 1], air=own[site] + table["air"] / 9)


def domain(n=300, *, seed=9):
    """Return prediction points of equal density north of 55 degrees."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "longitude": random.uniform(-180, 180, n),
            "latitude": np.degrees(np.arcsin(random.uniform(np.sin(np.radians(55)), 1, n))),
            "epoch": "1990",
            "air": random.normal(0, 2, n),
            "snow": random.uniform(55, 90, n),
        }
    )


def great_circle(longitude, latitude, other_longitude, other_latitude):
    """Return great-circle distances [m] by the haversine formula."""
    one, other = np.radians([longitude, latitude]), np.radians([other_longitude, other_latitude])
    half = np.sin((other[1] - one[1]) / 2) ** 2
    half = half + np.cos(one[1]) * np.cos(other[1]) * np.sin((other[0] - one[0]) / 2) ** 2
    return 2 * 6_371_008.8 * np.arcsin(np.sqrt(np.clip(half, 0, 1)))


def split(folds):
    """Return for each fold and row whether it trains (1), is tested (2) or neither (0)."""
    out = np.zeros((len(folds), len(folds.groups)), dtype=int)
    for number, (train, test) in enumerate(folds):
        out[number, train] += 1
        out[number, test] += 2
    return out
