"""COP-BMA of four learners on virtual hemispheres of 1,178 boreholes, beside each learner and plain BMA.

Each world is that of studies/nh_ground_ice.yaml with another seed; the four learners and their settings are
those of the study, with fewer trees. Ten folds of blocks of 500 km are left out in turn; marginals, copulas,
weights and the part of each correction that is kept are learned on five folds of blocks within the others.
Differences are paired by world: the interval is that of the mean over worlds (Student's t).
"""

import argparse
import csv
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from ensemble_worlds import candidate, made
from scipy.stats import t as student
from threadpoolctl import threadpool_limits

from permagrid.ensemble import fit_copula_mixture, fit_gaussian_mixture, keep_what_holds
from permagrid.validation import FOLDS, Folds, predict_all
from permagrid.validation.distributions import crps
from permagrid.validation.levels import LEVELS

LEARNERS: dict[str, dict[str, Any]] = {
    "support_vectors": {"C": 3, "gamma": 0.003},
    "additive_model": {},
    "random_forest": {"n_estimators": 200, "max_features": 0.5, "min_samples_leaf": 2},
    "lightgbm": {"n_estimators": 400, "num_leaves": 15, "learning_rate": 0.04},
}
WAYS = ("copula_bma", "full_correction", "plain_bma", *LEARNERS)
BOREHOLES, RESOLUTION, BLOCK = 1178, 25_000.0, 500e3


def predictions(seed: int) -> dict[str, Any]:
    """Return what is observed, the outer folds, inner folds of rows, and nested predictions of a world."""
    world = made(seed, BOREHOLES, RESOLUTION)
    table = world.table
    outer = FOLDS["block"](table, world.domain, size=BLOCK, n_folds=10, seed=seed)
    schemes, parts = [outer], []
    for number, (train, _) in enumerate(outer.pairs):
        rows = table.iloc[train].reset_index(drop=True)
        inner = FOLDS["block"](rows, world.domain, size=BLOCK, n_folds=5, seed=seed)
        part, groups = np.full((2, len(table)), -1)
        groups[train] = inner.groups
        for fold, (_, tested) in enumerate(inner.rounds[0]):
            part[train[tested]] = fold
        parts.append(part)
        pairs = tuple((train[known], train[tested]) for known, tested in inner.rounds[0])
        schemes.append(Folds(f"in{number}", inner.method, pairs, groups, spatial=True))
    learners = {name: candidate(name, keywords, seed) for name, keywords in LEARNERS.items()}
    raw = predict_all(learners, table, schemes)
    said = {s.name: np.stack([raw[name, s.name].values[0] for name in learners], axis=1) for s in schemes}
    observed = table["value"].to_numpy(float)
    return {"y": observed, "outer": outer.pairs, "parts": parts, "name": outer.name, "said": said}


def compared(found: dict[str, Any]) -> dict[str, float]:
    """Return RMSE and CRPS of each way in blocks that were left out, and what 95 % intervals hold."""
    observed, outer = found["y"], found["said"][found["name"]]
    means = {way: np.empty(len(observed)) for way in WAYS}
    quantiles = {way: np.empty((len(observed), len(LEVELS))) for way in WAYS}
    for number, (train, test) in enumerate(found["outer"]):
        inner = found["said"][f"in{number}"][train]
        told = np.isfinite(inner).all(axis=1)
        rows = inner[told], observed[train][told]
        full = fit_copula_mixture(*rows, lower=0.0, upper=100.0)
        kept = keep_what_holds(full, *rows, found["parts"][number][train][told])
        plain = fit_gaussian_mixture(*rows, lower=0.0, upper=100.0)
        for way, mixture in (("copula_bma", kept), ("full_correction", full), ("plain_bma", plain)):
            means[way][test] = mixture.mean(outer[test])
            quantiles[way][test] = mixture.quantiles(outer[test], LEVELS)
        for place, name in enumerate(LEARNERS):
            means[name][test] = outer[test, place]
            quantiles[name][test] = kept.alone(place).quantiles(outer[test, [place]][:, None], LEVELS)
    low, high = (int(np.argmin(np.abs(LEVELS - level))) for level in (0.025, 0.975))
    scores = {}
    for way in WAYS:
        scores[f"rmse {way}"] = float(np.sqrt(np.mean((means[way] - observed) ** 2)))
        scores[f"crps {way}"] = float(np.mean(crps(quantiles[way], observed)))
        inside = (quantiles[way][:, low] <= observed) & (observed <= quantiles[way][:, high])
        scores[f"cover {way}"] = float(np.mean(inside))
    return scores


def of_world(seed: int) -> dict[str, float]:
    """Return the scores of a world."""
    with threadpool_limits(1):
        return compared(predictions(seed))


def report(results: list[dict[str, float]]) -> None:
    """Print means over worlds, and what COP-BMA has less than each other way."""
    count = len(results)
    reach = float(student.ppf(0.975, count - 1)) / count**0.5
    print(
        f"\n{count} worlds, blocks of 500 km left out; above COP-BMA: mean, its 95 % interval, worlds above"
    )
    print(f"{'':18}{'RMSE':>7}{'CRPS':>7}{'95 %':>7}{'RMSE above COP-BMA':>33}{'CRPS above COP-BMA':>31}")
    for way in WAYS:
        cells = [np.mean([r[f"{score} {way}"] for r in results]) for score in ("rmse", "crps", "cover")]
        words = ""
        for score in ("rmse", "crps"):
            apart = np.array([r[f"{score} {way}"] - r[f"{score} copula_bma"] for r in results])
            middle, half = apart.mean(), reach * apart.std(ddof=1)
            told = f"{middle:+.3f} ({middle - half:+.3f} to {middle + half:+.3f})"
            words += f" {told:>26}" if way != "copula_bma" else ""
            words += f" {int((apart > 0).sum()):3}" if way != "copula_bma" else ""
        print(f"{way:18}{cells[0]:7.2f}{cells[1]:7.2f}{100 * cells[2]:7.1f}  {words}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--first", type=int, default=100, help="seed of the first world")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="table of all scores, CSV")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.worlds)
    results = []
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as processes:
        for seed, scores in zip(seeds, processes.map(of_world, seeds), strict=True):
            results.append(scores)
            told = " ".join(f"{way} {scores[f'rmse {way}']:.2f}/{scores[f'crps {way}']:.2f}" for way in WAYS)
            print(f"world {seed}: RMSE/CRPS {told}", flush=True)
    report(results)
    if options.out:
        with options.out.open("w", newline="", encoding="utf-8") as stream:
            table = csv.DictWriter(stream, ["seed", *results[0]])
            table.writeheader()
            table.writerows({"seed": seed, **scores} for seed, scores in zip(seeds, results, strict=True))


if __name__ == "__main__":
    main()
