"""Made-up distributions of four learners under three fold schemes, and the record of their intervals."""

from functools import cache

import numpy as np
from scipy.stats import norm

from permagrid.validation.distributions import LEVELS
from permagrid.validation.folds import Folds
from permagrid.validation.interval_evidence import (
    DI_BIN,
    conformal_intervals,
    conformal_table,
    index_bins,
    index_edges,
    interval_evidence,
    plain_records,
)

REFERENCE = "copula_bma"
SCHEMES = {"random": 1.0, "site": 1.15, "block_500km": 1.35}
"""Scheme -> by how much errors are larger than stated."""
LEARNERS = {
    REFERENCE: (1.0, 1.0),
    "plain_bma": (1.0, 1.35),
    "random_forest": (1.2, 0.75),
    "ridge": (1.6, 1.0),
}
"""Learner -> size of its errors, and of what it states them to be."""


def made_folds(name, n):
    groups = np.arange(n) // 4
    fold = (groups * 7919) % 5
    pairs = tuple((np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5))
    return Folds(name, "made up", pairs, groups)


@cache
def made_record(n=400, seed=3):
    """Return what `interval_section` takes."""
    rng = np.random.default_rng(seed)
    index = rng.uniform(0, 1, n)
    region = np.array(["Alaska", "Siberia", "Svalbard"])[(3 * rng.uniform(0, 1, n) ** 1.5).astype(int)]
    size = 1.0 + 1.5 * index
    truth = rng.normal(-3, 4, n)
    noise = {learner: np.repeat(rng.normal(0, 1, n // 4), 4) for learner in LEARNERS}
    schemes, quantiles, labels = [], {}, index_bins(index, index_edges(index, 0.8))
    for name, factor in SCHEMES.items():
        schemes.append(made_folds(name, n))
        for learner, (error, stated) in LEARNERS.items():
            together = (0.6 * noise[learner] + 0.8 * rng.normal(0, 1, n)) * error * size * factor
            spread = (size * error * stated)[:, np.newaxis] * norm.ppf(LEVELS)
            quantiles[learner, name] = ((truth + together)[:, np.newaxis] + spread)[np.newaxis]
    parts = {name: {"region": region, DI_BIN: labels} for name in SCHEMES}
    found = interval_evidence(truth, quantiles, schemes, reference=REFERENCE, parts=parts, draws=100)
    own = quantiles[REFERENCE, "block_500km"]
    intervals = conformal_intervals(truth, own, schemes[-1], nominal=(0.8, 0.95), bins=labels)
    table = conformal_table(truth, intervals, schemes[-1], {DI_BIN: labels}, learner=REFERENCE, draws=100)
    told = {"reference": REFERENCE, "quote": "block_500km", "unit": "degC", **found.plain()}
    return told | {"conformal": plain_records(table)}
