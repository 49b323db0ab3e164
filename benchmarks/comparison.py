"""Grid search of permagrid against that of scikit-learn: the same grid, folds and answers, in one run.

Both have two processes of one thread each. Then searches are run by one worker and by two, and once by two
that are left all threads they want: without oversubscription two take no more time of the cores than one.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import psutil
from lightgbm import LGBMClassifier
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from permagrid.learners.platt import PlattScaled
from permagrid.learners.quick_forests import QuickExtraTreesClassifier, QuickForestClassifier
from permagrid.learners.support_vectors import RowWiseSVC
from permagrid.validation import FOLDS, Candidate
from permagrid.validation.inner_folds import FoldsSpec
from permagrid.validation.objective import Objective
from permagrid.validation.shared_work import combinations
from permagrid.validation.trials import Judge
from permagrid.validation.tuning import Search, cost, grid_search
from permagrid.validation.workers import Workers

SAME = 1e-12
"""How far scores of both sides may be apart."""


class ByLibsvm(RowWiseSVC):  # type: ignore[misc]
    """Support vectors that libsvm computes the kernel of, anew for every fit."""

    fit = SVC.fit


class Case(NamedTuple):
    """A learner with its grid."""

    estimator: Any
    space: dict[str, list[Any]]
    grown: str | None = None
    here: Any = None
    """The estimator that permagrid has in its place, if it has another."""
    shared: tuple[str, ...] = ()
    """Keywords whose values share a part of a fit here."""


class Side(NamedTuple):
    """What one side found, and what it took."""

    best: dict[str, Any]
    scores: list[float]
    seconds: float
    cpu: float


def cases(size: float) -> dict[str, Case]:
    """Return learners with grids as the studies that permagrid reproduces would have them.

    Parameters
    ----------
    size
        Share of the trees; 1 is the full benchmark.
    """

    def trees(*numbers: int) -> list[int]:
        return [max(2, round(number * size)) for number in numbers]

    forest = {"min_samples_leaf": [1, 5], "max_features": ["sqrt", 0.3]}
    return {
        "random forest": Case(
            RandomForestClassifier(random_state=0, n_jobs=1),
            {"n_estimators": trees(100, 200, 300, 500, 1000), **forest},
            "n_estimators",
            QuickForestClassifier(random_state=0, n_jobs=1),
        ),
        "extremely randomised trees": Case(
            ExtraTreesClassifier(random_state=0, n_jobs=1),
            {"n_estimators": trees(100, 200, 300, 500, 1000), **forest},
            "n_estimators",
            QuickExtraTreesClassifier(random_state=0, n_jobs=1),
        ),
        "gradient boosting": Case(
            HistGradientBoostingClassifier(early_stopping=False, random_state=0),
            {
                "max_iter": trees(50, 100, 200, 300, 500),
                "learning_rate": [0.03, 0.1],
                "max_leaf_nodes": [7, 15],
            },
            "max_iter",
        ),
        "LightGBM": Case(
            LGBMClassifier(random_state=0, n_jobs=1, verbose=-1),
            {
                "n_estimators": trees(50, 100, 200, 300, 500),
                "learning_rate": [0.03, 0.1],
                "num_leaves": [7, 15],
            },
            "n_estimators",
        ),
        "support vectors": Case(
            make_pipeline(StandardScaler(), PlattScaled(ByLibsvm())),
            {
                "plattscaled__machine__C": [0.1, 1.0, 10.0, 100.0],
                "plattscaled__machine__gamma": [0.01, 0.05, 0.2],
            },
            here=make_pipeline(StandardScaler(), PlattScaled(RowWiseSVC())),
            shared=("plattscaled__machine__C",),
        ),
        "logistic regression": Case(
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
            {"logisticregression__C": [0.001, 0.01, 0.1, 1.0, 10.0, 100.0]},
        ),
        "nearest neighbours": Case(
            make_pipeline(StandardScaler(), KNeighborsClassifier()),
            {
                "kneighborsclassifier__n_neighbors": [3, 5, 10, 20, 40],
                "kneighborsclassifier__weights": ["uniform", "distance"],
            },
        ),
    }


def made_rows(n: int, columns: int) -> pd.DataFrame:
    """Return rows of two classes with noisy labels, by a few of the covariates."""
    random = np.random.default_rng(7)
    site = np.repeat(np.arange(n // 2), 2)
    table = pd.DataFrame({f"covariate_{number}": random.normal(size=n) for number in range(columns)})
    score = (
        table["covariate_0"] + table["covariate_1"] * table["covariate_2"] + 0.5 * table["covariate_3"] ** 2
    )
    return table.assign(
        value=(score + random.logistic(0.0, 0.4, n) > score.median()).astype(float),
        site_group=site,
        longitude=random.uniform(-180, 180, n // 2)[site],
        latitude=random.uniform(50, 80, n // 2)[site],
        epoch="2000-2008",
    )


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return a result, the seconds it took, and those of all processors."""
    before, start = processor_seconds(), time.perf_counter()
    found = work()
    return found, time.perf_counter() - start, processor_seconds() - before


def processor_seconds() -> float:
    """Return the time of processors used by this process and by those that it has started and not ended."""
    own = psutil.Process()
    total = 0.0
    for process in [own, *own.children(recursive=True)]:
        try:
            used = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += used.user + used.system
    return total


def theirs(case: Case, table: pd.DataFrame, seen: Sequence[str], folds: Any, workers: int) -> Side:
    search = GridSearchCV(
        case.estimator, case.space, scoring="neg_log_loss", cv=folds, n_jobs=workers, refit=False
    )
    rows, values = table[list(seen)].to_numpy(), table["value"].to_numpy()
    fitted, seconds, cpu = timed(lambda: search.fit(rows, values))
    # scikit-learn goes through keywords by name, permagrid as they are given.
    scores = {
        repr(sorted(keywords.items())): -float(score)
        for keywords, score in zip(
            fitted.cv_results_["params"], fitted.cv_results_["mean_test_score"], strict=True
        )
    }
    ordered = [scores[repr(sorted(keywords.items()))] for keywords in combinations(case.space)]
    return Side(dict(fitted.best_params_), ordered, seconds, cpu)


def ours(case: Case, table: pd.DataFrame, seen: Sequence[str], spec: FoldsSpec, workers: Workers) -> Side:
    objective = Objective("log_loss", pooled=False)
    judge = Judge(spec, objective, case.grown, workers=workers, shared=case.shared)
    search: Search = grid_search(case.space, judge)
    # A forest not yet grown is neither true nor false.
    estimator = case.estimator if case.here is None else case.here
    choice, seconds, cpu = timed(lambda: search(Candidate.of(estimator, seen), table))
    return Side(dict(choice.keywords), choice.trail["score"].tolist(), seconds, cpu)


def compared(one: Side, other: Side) -> str:
    apart = float(np.abs(np.array(one.scores) - np.array(other.scores)).max())
    best = "same" if one.best == other.best else f"{one.best} and {other.best}"
    return f"{best}, {apart:.0e}" if apart <= SAME else f"{best}, SCORES DIFFER BY {apart:.1e}"


def thread_seconds() -> dict[tuple[int, int], float]:
    """Return the time of processors used by each thread of the processes that this one has started."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        try:
            for thread in process.threads():
                found[process.pid, thread.id] = thread.user_time + thread.system_time
        except psutil.NoSuchProcess:
            continue
    return found


def at_work(work: Callable[[], Side]) -> tuple[float, int]:
    """Return the time of processors that a search took, and the most threads at work in a process."""
    before = thread_seconds()
    side = work()
    spent = {key: seconds - before.get(key, 0.0) for key, seconds in thread_seconds().items()}
    by_process: dict[int, list[float]] = {}
    for (process, _), seconds in spent.items():
        by_process.setdefault(process, []).append(seconds)
    busy = [sum(one > 0.1 * sum(each) for one in each) for each in by_process.values() if sum(each) > 0.1]
    return side.cpu, max(busy, default=1)


def crowded(table: pd.DataFrame, seen: Sequence[str], spec: FoldsSpec, options: argparse.Namespace) -> None:
    """Print what two workers take beside one, and what LightGBM takes if its threads are left to it."""
    print("\n| learner | one worker [s] | two [s] | ratio, time of the cores | threads at work in a worker |")
    print("| --- | ---: | ---: | ---: | ---: |")
    size = 0.3 * options.size
    for name, case in cases(size).items():
        if options.only and name not in options.only:
            continue
        with Workers(1) as alone, Workers(2, preloaded=["permagrid.learners"]) as two:
            # What is loaded and compiled first is no part of a search.
            for workers in (alone, two):
                ours(cases(0.01)[name], table, seen, spec, workers)
            single = ours(case, table, seen, spec, alone).cpu
            double, threads = at_work(lambda case=case, two=two: ours(case, table, seen, spec, two))
        print(f"| {name} | {single:.1f} | {double:.1f} | {double / single:.2f} | {threads} |", flush=True)
    case = cases(size)["LightGBM"]
    free = case._replace(estimator=LGBMClassifier(random_state=0, n_jobs=os.cpu_count(), verbose=-1))
    folds = FOLDS["site"](table, n_folds=5, seed=1)
    single = theirs(case, table, seen, folds, 2).cpu
    double, threads = at_work(lambda: theirs(free, table, seen, folds, 2))
    print(
        f"| LightGBM in GridSearchCV, one thread and all threads in two processes | {single:.1f} "
        f"| {double:.1f} | {double / single:.2f} | {threads} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=float, default=1.0, help="share of the trees")
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--covariates", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--rounds", type=int, default=1, help="how often each side runs; the least time counts"
    )
    parser.add_argument("--only", nargs="*", help="learners")
    options = parser.parse_args()
    # Each fit has one thread on both sides: more would contend for the cores that the workers use.
    os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})
    table = made_rows(options.rows, options.covariates)
    seen = [name for name in table if name.startswith("covariate_")]
    spec = FoldsSpec("site", {"n_folds": 5, "seed": 1})
    folds = FOLDS["site"](table, n_folds=5, seed=1)
    print(
        "| learner | fits of GridSearchCV | fits here | GridSearchCV [s] | here [s] | faster "
        "| faster by CPU time | best, largest difference of scores |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    total = np.zeros(4)
    with Workers(options.workers, preloaded=["permagrid.learners"]) as workers:
        warm = cases(0.01)["logistic regression"]
        theirs(warm, table, seen, folds, options.workers)
        ours(warm, table, seen, spec, workers)
        for name, case in cases(options.size).items():
            if options.only and name not in options.only:
                continue
            pairs = [
                (theirs(case, table, seen, folds, options.workers), ours(case, table, seen, spec, workers))
                for _ in range(options.rounds)
            ]
            least = np.array([[a.seconds, b.seconds, a.cpu, b.cpu] for a, b in pairs]).min(axis=0)
            total += least
            print(
                f"| {name} | {cost(case.space, 5)} | {cost(case.space, 5, case.grown)} | {least[0]:.1f} "
                f"| {least[1]:.1f} | {least[0] / least[1]:.2f} | {least[2] / least[3]:.2f} "
                f"| {compared(*pairs[0])} |",
                flush=True,
            )
    print(
        f"| all | | | {total[0]:.1f} | {total[1]:.1f} | {total[0] / total[1]:.2f} "
        f"| {total[2] / total[3]:.2f} | |"
    )
    crowded(table, seen, spec, options)


if __name__ == "__main__":
    main()
