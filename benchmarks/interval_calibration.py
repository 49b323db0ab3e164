"""Which intervals hold on the map: stated and calibrated ones, calibrated by several schemes of folds.

In each world a target hangs on four covariates that vary over some hundred kilometres, on one that nobody
knows, and on chance. Sites lie in clusters, as boreholes do; a quantile forest learns from them. Intervals of
90 % are held against observations at places spread evenly over the map.
"""

import argparse
from collections import defaultdict

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from permagrid.learners.quantile_forest import QuantileForest
from permagrid.prediction.applicability import fit_applicability
from permagrid.validation import FOLDS
from permagrid.validation.conformal import (
    absolute_scores,
    binned_margins,
    cv_plus,
    interval_scores,
    margin,
    margins_at,
    widened,
)
from permagrid.validation.interval_evidence import index_bins, index_edges

NAMES = ["a", "b", "c", "d"]
ENDS = [0.05, 0.5, 0.95]
LEVEL = 0.9
SCHEMES = {
    "random": {"n_folds": 5},
    "block": {"size": 800_000.0, "n_folds": 5},
    "knndm": {"n_folds": 5},
}


def field(rng, length):
    """Return a random field of unit variance over longitude and latitude, with this length [km]."""
    waves, phases = rng.normal(0, 1 / length, (200, 2)), rng.uniform(0, 2 * np.pi, 200)

    def at(places):
        x = places["longitude"].to_numpy() * 111.0 * np.cos(np.radians(62.0))
        y = places["latitude"].to_numpy() * 111.0
        return np.sqrt(2 / 200) * np.cos(np.stack([x, y], axis=1) @ waves.T + phases).sum(axis=1)

    return at


def world(seed, clusters, each):
    """Return sites and places of the map, with covariates and observed values."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform([60, 54], [140, 70], (clusters, 2))
    sites = np.repeat(centres, each, axis=0) + rng.normal(0, 0.3, (clusters * each, 2))
    even = rng.uniform([60, 54], [140, 70], (2000, 2))
    tables = [pd.DataFrame(at, columns=["longitude", "latitude"]) for at in (sites, even)]
    fields, unknown = {name: field(rng, 500.0) for name in NAMES}, field(rng, 400.0)
    for table in tables:
        for name, at in fields.items():
            table[name] = at(table)
        signal = 2 * table["a"] + np.sin(2 * table["b"]) + table["c"] * (table["a"] > 0)
        noise = rng.normal(0, 0.4, len(table)) * (1 + (table["d"] > 0))
        table["value"] = signal + 0.7 * unknown(table) + noise
        table["site_group"], table["epoch"] = np.arange(len(table)), "2000-2004"
    return tables


def intervals(sites, places, folds, trees):
    """Yield the name of a method with lower and upper ends on the map, calibrated by folds."""
    X, y, new = sites[NAMES].to_numpy(), sites["value"].to_numpy(), places[NAMES].to_numpy()
    forest = QuantileForest(trees).fit(X, y)
    low, middle, high = forest.predict_quantiles(new, ENDS).T
    said, number = np.full((len(X), 3), np.nan), folds.numbers()
    spoken = np.zeros((len(new), len(folds)))
    for place, (train, test) in enumerate(folds):
        part = QuantileForest(trees).fit(X[train], y[train])
        said[test], spoken[:, place] = (
            part.predict_quantiles(X[test], ENDS),
            part.predict_quantiles(new, [0.5])[:, 0],
        )
    residuals, scores = absolute_scores(said[:, 1], y), interval_scores(said[:, 0], said[:, 2], y)
    area = fit_applicability(X, forest.feature_importances_, folds.pairs, covariates=NAMES)
    edges = index_edges(area.training.di, area.threshold)
    binned = binned_margins(scores, index_bins(area.training.di, edges), LEVEL)
    yield "stated", low, high
    yield "split", *widened(middle, middle, margin(residuals, LEVEL))
    yield "CQR", *widened(low, high, margin(scores, LEVEL))
    yield "CQR by DI bin", *widened(low, high, margins_at(binned, index_bins(area.di(new), edges)))
    yield "CV+", *cv_plus(residuals, number, spoken, spoken, LEVEL)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=30)
    parser.add_argument("--clusters", type=int, default=40)
    parser.add_argument("--each", type=int, default=8)
    parser.add_argument("--trees", type=int, default=100)
    given = parser.parse_args()
    found = defaultdict(list)
    with threadpool_limits(1):
        for seed in range(given.worlds):
            sites, places = world(seed, given.clusters, given.each)
            truth = places["value"].to_numpy()
            for name, keywords in SCHEMES.items():
                folds = FOLDS[name](sites, places, seed=seed, **keywords)
                for method, low, high in intervals(sites, places, folds, given.trees):
                    bounded = np.isfinite(high - low)
                    held = np.mean((low <= truth) & (truth <= high))
                    found[name, method].append((held, (high - low)[bounded].mean(), 1 - bounded.mean()))
    sites = given.clusters * given.each
    print(f"{given.worlds} worlds, {sites} sites, {100 * LEVEL:g} % intervals on the map")
    print("folds   method         coverage  worlds: 5 to 95 %  width  endless")
    for (name, method), values in found.items():
        held, width, endless = np.array(values).T
        low, high = np.quantile(held, [0.05, 0.95])
        spread = f"{low:.3f} to {high:.3f}"
        print(
            f"{name:7} {method:15} {held.mean():7.3f}  {spread:17}  {width.mean():5.2f}  {endless.mean():.3f}"
        )


if __name__ == "__main__":
    main()
