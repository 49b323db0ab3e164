"""Two hundred bootstrap members of four learners on a map, mixed and drawn, against 200 predictions of each.

Ours: support vectors, additive model, random forest of 500 trees and LightGBM, each with all its members;
the field that ties cells together; the draw from the copula mixture, with the probability of a value below a
threshold; and what is counted of them: areas and zones, in exact sums. The naive way: 200 times the
predictions of one member of each by scikit-learn, LightGBM and our additive model, and nothing else. Both by
the processor time of the thread that computes, in one run, so that other work on the machine hardly matters.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr
from sklearn.ensemble import RandomForestRegressor
from sklearn.svm import SVR
from threadpoolctl import threadpool_limits

from permagrid.ensemble.block_bootstrap import block_weights
from permagrid.ensemble.copula_mixture import fit_copula_mixture
from permagrid.ensemble.field import CorrelatedField
from permagrid.ensemble.tables import MixtureTables
from permagrid.learners import build_learner
from permagrid.learners.resampled import Resampled, resampled
from permagrid.steps.tallies import Tally, Worlds
from permagrid.threads import pool

Float = NDArray[np.float64]
LEARNERS: dict[str, dict[str, Any]] = {
    "support_vectors": {},
    "additive_model": {},
    "random_forest": {"n_estimators": 500},
    "lightgbm": {},
}
BLOCK = 4096


@dataclass(frozen=True)
class World:
    """A map of covariates, where its cells lie, and boreholes on it."""

    cells: Float
    longitude: Float
    latitude: Float
    sites: NDArray[np.int_]
    values: Float


@dataclass
class Spent:
    """Processor time of the parts of the work, summed over threads."""

    seconds: dict[str, float] = field(default_factory=dict)

    def timed(self, part: str, work: Callable[[], Any]) -> Any:
        """Return what work returns, and keep its time."""
        start = time.thread_time()
        found = work()
        self.seconds[part] = self.seconds.get(part, 0.0) + time.thread_time() - start
        return found


def made(cells: int, sites: int, covariates: int) -> World:
    """Return a smooth map, clustered boreholes, and what they observe of it."""
    random, side = np.random.default_rng(0), round(cells**0.5)

    def smooth(reach: float) -> Float:
        values = gaussian_filter(random.normal(0, 1, (side, side)), reach, mode="wrap")
        return np.asarray(values / values.std()).ravel()

    patterns = np.stack([smooth(side * share) for share in (0.08, 0.04, 0.02, 0.01, 0.005)], axis=1)
    mixed = patterns @ random.normal(0, 0.5, (5, covariates))
    columns = mixed + 0.3 * np.stack([smooth(2.0) for _ in range(covariates)], axis=1)
    row, column = np.divmod(np.arange(side * side), side)
    clusters = random.integers(0, side, (sites // 8, 2))
    near = clusters[random.integers(0, len(clusters), sites)] + random.normal(0, 0.02 * side, (sites, 2))
    at = np.clip(np.rint(near), 0, side - 1).astype(int) @ [side, 1]
    truth = columns[at, 0] + np.sin(2 * columns[at, 1]) + 0.5 * columns[at, 2] * columns[at, 3]
    values = truth + 0.4 * smooth(0.03 * side)[at] + random.normal(0, 0.5, sites)
    return World(columns, 60.0 + 80.0 * column / side, 75.0 - 25.0 * row / side, at, values)


def out_of_fold(models: dict[str, Any], rows: Float, values: Float) -> Float:
    """Return predictions of rows by learners that have not seen them, shape ``(n, learners)``."""
    fold, said = np.arange(len(rows)) % 3, np.empty((len(rows), len(models)))
    for number in range(3):
        tested = fold == number
        for column, name in enumerate(models):
            learner = build_learner(name, "value", 0, LEARNERS[name]).fit(rows[~tested], values[~tested])
            said[tested, column] = learner.predict(rows[tested])
    return said


def mapped(
    world: World,
    part: slice,
    members: dict[str, Resampled],
    fields: CorrelatedField,
    tables: MixtureTables,
) -> tuple[Float, Float, Spent]:
    """Return mean and standard deviation over members of each cell, and what they took."""
    spent, rows = Spent(), world.cells[part]
    said = [spent.timed(name, lambda one=one: one.predict(rows)) for name, one in members.items()]
    numbers = np.arange(part.start, part.start + len(rows))
    where = world.longitude[part], world.latitude[part], numbers
    levels = spent.timed("field", lambda: ndtr(fields.normal(*where).astype(float)))
    worlds = Worlds(*spent.timed("draw", lambda: tables.draw_with_cdf(np.stack(said, axis=2), levels, 0.0)))
    tally = Tally(None, 0.0, True, (), worlds.values.shape[1])
    spent.timed("tally", lambda: tally.add("now", worlds, np.full(len(rows), 1e8), None, None))
    drawn = worlds.values.astype(float)
    return drawn.mean(axis=1), drawn.std(axis=1), spent


def naive(world: World, models: dict[str, Any], few: int) -> dict[str, float]:
    """Return seconds that one prediction of each learner takes a cell, by the library's own predict."""
    rows, values = world.cells[world.sites], world.values
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    target = (values - values.mean()) / values.std()
    forest = RandomForestRegressor(500, max_features=1 / 3, random_state=0).fit(rows, values)
    ways = {
        "support_vectors": SVR(gamma="auto").fit(scaled, target).predict,
        "additive_model": models["additive_model"].predict,
        "random_forest": forest.predict,
        "lightgbm": models["lightgbm"].predict,
    }
    asked, found = world.cells[:few], {}
    for name, predict in ways.items():
        predict(asked[:64])
        start = time.thread_time()
        predict(asked)
        found[name] = (time.thread_time() - start) / len(asked)
    return found


def report(spent: dict[str, float], alone: dict[str, float], cells: int, members: int) -> None:
    print(f"\n  {'':18}{'ours':>10}{'naive':>12}   microseconds a cell, one core")
    for part, seconds in spent.items():
        other = f"{1e6 * members * alone[part]:12,.0f}" if part in alone else f"{'-':>12}"
        print(f"  {part:18}{1e6 * seconds / cells:10.1f}{other}")
    ours, theirs = sum(spent.values()) / cells, members * sum(alone.values())
    learners = sum(spent[name] for name in alone) / cells
    print(f"  {'together':18}{1e6 * ours:10.1f}{1e6 * theirs:12,.0f}")
    print(f"{theirs / ours:,.0f} x less work with field and draw, {theirs / learners:,.0f} x without")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--members", type=int, default=200)
    parser.add_argument("--sites", type=int, default=1178)
    parser.add_argument("--covariates", type=int, default=15)
    parser.add_argument("--few", type=int, default=20_000, help="cells predicted the naive way")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    world = made(options.cells, options.sites, options.covariates)
    cells = len(world.cells)
    with threadpool_limits(1):
        rows, values, spent = world.cells[world.sites], world.values, Spent()
        place = world.longitude[world.sites], world.latitude[world.sites]
        weights = block_weights(*place, world.sites, size=300e3, members=options.members, seed=0)
        members, models = {}, {}
        for name, keywords in LEARNERS.items():
            models[name] = build_learner(name, "value", 0, keywords).fit(rows, values)
            members[name] = spent.timed(
                name, lambda name=name: resampled(models[name], rows, values, weights)
            )
            print(f"{name}: members made in {spent.seconds[name]:.1f} s; {members[name].scheme}")
        mixture = fit_copula_mixture(out_of_fold(models, rows, values), values)
        tables = spent.timed("tables", mixture.tables)
        fields = CorrelatedField.of([(0.9, 500e3)], 0.1, members=options.members, seed=0)
        mapped(world, slice(0, 64), members, fields, tables)
        alone = naive(world, models, options.few)
    parts = [slice(start, start + BLOCK) for start in range(0, cells, BLOCK)]
    start, total = time.perf_counter(), Spent()
    with pool(options.workers) as threads:
        tasks: list[Future[tuple[Float, Float, Spent]]] = [
            threads.submit(mapped, world, part, members, fields, tables) for part in parts
        ]
        for task in tasks:
            for part, seconds in task.result()[2].seconds.items():
                total.seconds[part] = total.seconds.get(part, 0.0) + seconds
    wall = time.perf_counter() - start
    other = mapped(world, slice(0, 1000), members, fields, tables)
    same = all(np.array_equal(a, b[:1000]) for a, b in zip(other[:2], tasks[0].result()[:2], strict=True))
    report(total.seconds, alone, cells, options.members)
    unit = 1024 if sys.platform != "darwin" else 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
    print(
        f"{cells:,} cells x {options.members} members in {wall:.0f} s, {options.workers} threads; "
        f"peak memory {peak:.2f} GiB; blocks of other sizes give the same: {same}"
    )


if __name__ == "__main__":
    main()
