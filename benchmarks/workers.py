"""Threads against processes: out-of-fold fits of all classifiers of the table, side by side on the cores."""

import argparse
import time
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from permagrid.learners import LEARNERS, build_learner
from permagrid.learners.traits import traits_of
from permagrid.validation.workers import Workers

LEFT_OUT = ("frost_number", "ttop", "stefan", "kudryavtsev", "regression_kriging", "climate_linear")
"""Learners that need covariates of their own, or are another one with other defaults."""


def classifiers() -> list[str]:
    return [
        name
        for name in LEARNERS
        if "class" in traits_of(name).tasks and not traits_of(name).by_name and name not in LEFT_OUT
    ]


def made(rows: int, covariates: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    columns = random.normal(size=(rows, covariates))
    score = columns[:, 0] + 0.5 * columns[:, 1] + random.normal(0.0, 0.7, rows)
    return columns, (score > 0).astype(float)


def fold(data: tuple[np.ndarray, np.ndarray], task: tuple[str, int]) -> float:
    """Return a sum of the predictions of a fold by a learner that did not see it."""
    (columns, classes), (name, number) = data, task
    tested = np.arange(len(classes)) % 10 == number
    model = build_learner(name, "class", 0, {}).fit(columns[~tested], classes[~tested])
    return float(model.predict_proba(columns[tested])[:, 1].sum())


def timed(work: Callable[[], Iterable[float]]) -> tuple[list[float], float]:
    start = time.perf_counter()
    return list(work()), time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--covariates", type=int, default=20)
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    data = made(options.rows, options.covariates)
    tasks = [(name, number) for name in classifiers() for number in range(options.folds)]
    least: dict[str, float] = {}
    with (
        threadpool_limits(1),
        Workers(options.workers, preloaded=["permagrid.learners"]) as workers,
        ThreadPoolExecutor(options.workers, initializer=threadpool_limits, initargs=(1, "openmp")) as threads,
    ):
        start = time.perf_counter()
        warm = list(workers.run(fold, tasks, shared=data))
        print(f"{len(classifiers())} classifiers; started and warm in {time.perf_counter() - start:.1f} s")
        for name in classifiers():
            _, seconds = timed(lambda name=name: [fold(data, (name, 0))])
            print(f"  {name}: {1000.0 * seconds:.0f} ms")
        ways = {
            "one after the other": lambda: [fold(data, task) for task in tasks],
            f"{options.workers} threads": lambda: threads.map(lambda task: fold(data, task), tasks),
            f"{options.workers} processes": lambda: workers.run(fold, tasks, shared=data),
        }
        for _ in range(options.rounds):
            for way, work in ways.items():
                found, seconds = timed(work)
                if found != warm:
                    raise SystemExit(f"{way}: other predictions")
                least[way] = min(seconds, least.get(way, np.inf))
    for way, seconds in least.items():
        print(f"{way}: {seconds:.2f} s, {least['one after the other'] / seconds:.2f} times as fast")


if __name__ == "__main__":
    main()
