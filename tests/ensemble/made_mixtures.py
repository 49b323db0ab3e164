"""Made rows that mixtures are fitted to: four learners of unlike skill, plain or with many zeros."""

import numpy as np

from permagrid.ensemble import CopulaMixture, GaussianMixture, fit_copula_mixture, fit_gaussian_mixture

SKILL = np.array([4.0, 6.0, 9.0, 14.0])


def plain_rows(count: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions (n, 4) and observations that go with them as normal variables do."""
    draw = np.random.default_rng(seed)
    observed = 30.0 + 10.0 * draw.normal(size=count)
    return 5.0 + 0.7 * observed[:, None] + draw.normal(size=(count, 4)) * SKILL, observed


def icy_rows(count: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions (n, 4) and ice contents [%], of both many are zero; one learner passes below it."""
    draw = np.random.default_rng(seed)
    truth = 12.0 + 20.0 * draw.normal(size=count)
    predictions = np.clip(4.0 + 0.8 * truth[:, None] + draw.normal(size=(count, 4)) * SKILL, 0.0, 100.0)
    predictions[:, 3] = 3.0 + 0.8 * truth + 14.0 * draw.normal(size=count)
    return predictions, np.clip(truth + 4.0 * draw.normal(size=count), 0.0, 100.0)


def icy_mixture() -> CopulaMixture:
    """Return the mixture of copulas of `icy_rows`."""
    return fit_copula_mixture(*icy_rows(), lower=0.0, upper=100.0)


def icy_normal() -> GaussianMixture:
    """Return the mixture of normal distributions of `icy_rows`."""
    return fit_gaussian_mixture(*icy_rows(), lower=0.0, upper=100.0)
