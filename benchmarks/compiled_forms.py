"""Compiled means, forests of quantiles and process models with a learner, against the learners themselves.

Processor time of one thread in one run, rounds in turn, medians. Covariates are those of `compiled_trees.py`,
of which four become a climate that TTOP reads. The learners get complete rows along the curve of neighbours,
in chunks of 20,000.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from compiled_trees import Landscape, landscape
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from permagrid.compiled import CompiledQuantiles, compile_estimator
from permagrid.learners import build_learner

NAMES = ("air", "amplitude", "snow", *(f"c{number}" for number in range(3, 20)))
LEVELS = [0.05, 0.5, 0.95]
CHUNK = 20_000
TTOP = {
    "name": "ttop",
    "air_temperature": "air",
    "temperature_amplitude": "amplitude",
    "snow_depth": "snow",
    "freezing_n_factor": 0.9,
}


def climatic(rows: NDArray[Any]) -> NDArray[Any]:
    """Return rows whose first columns are air temperature, its amplitude and snow."""
    made = rows.copy()
    made[:, 0], made[:, 1] = 5.0 * rows[:, 0] - 5.0, 15.0 + rows[:, 1]
    made[:, 2] = np.abs(0.3 * rows[:, 2])
    return made


def cases(trees: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    forest = {"name": "random_forest", "n_estimators": trees}
    boosted = {"name": "lightgbm", "n_estimators": trees // 2}
    yield "quantile forest", "quantile_forest", {"n_estimators": trees // 2}
    members = [forest, boosted, {"name": "support_vectors"}, {"name": "additive_model"}]
    yield "mean of four", "average", {"learners": members}
    yield "TTOP", "ttop", {key: value for key, value in TTOP.items() if key != "name"}
    for name, learner in (("LightGBM", boosted), ("random forest", forest)):
        for use in ("residual", "feature"):
            keywords = {"process": TTOP, "learner": learner, "use": use}
            yield f"TTOP with {name}, {use}", "process_residual", keywords


def rate(work: Callable[[], Any], cells: int) -> float:
    """Return cells per second of processor time."""
    start = time.process_time()
    work()
    return cells / (time.process_time() - start)


def compare(
    name: str,
    ours: Callable[[NDArray[Any]], NDArray[Any]],
    own: Callable[[NDArray[Any]], NDArray[Any]],
    rows: NDArray[np.float32],
    options: argparse.Namespace,
) -> str:
    few = rows[: options.cells].astype(float)
    apart = np.abs(ours(few[:5000]) - own(few[:5000])).max()
    rates: tuple[list[float], list[float]] = ([], [])
    for _ in range(options.rounds):
        rates[0].append(rate(lambda: ours(rows), len(rows)))
        chunks = [few[at : at + CHUNK] for at in range(0, len(few), CHUNK)]
        rates[1].append(rate(lambda chunks=chunks: [own(chunk) for chunk in chunks], len(few)))
    fast, slow = (float(np.median(each)) for each in rates)
    return f"| {name} | {fast:,.0f} | {slow:,.0f} | {fast / slow:.1f} | {apart:.0e} |"


def told(world: Landscape, options: argparse.Namespace) -> Iterator[str]:
    train, rows = climatic(world.rows), climatic(world.cells[world.land])
    for label, name, keywords in cases(options.trees):
        if options.only not in label:
            continue
        learner = build_learner(name, "value", 0, keywords, covariates=NAMES).fit(train, world.values)
        compiled = compile_estimator(learner, "value")
        if compiled is None:
            raise SystemExit(f"{label} is not compiled")
        yield compare(label, compiled.predict, learner.predict, rows, options)
        if isinstance(compiled, CompiledQuantiles):
            yield compare(
                f"{label}, three quantiles",
                lambda asked, made=compiled: made.quantiles(asked, LEVELS),
                lambda asked, made=learner: made.predict_quantiles(asked, LEVELS),
                rows,
                options,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=384, help="cells along a side of the map")
    parser.add_argument("--cells", type=int, default=20_000, help="cells that the learners predict")
    parser.add_argument("--trees", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="part of the names of what is compared")
    options = parser.parse_args()
    print("| | compiled, cells/s | its own predict, cells/s | ratio | apart |")
    print("|---|---:|---:|---:|---:|")
    with threadpool_limits(1):
        for line in told(landscape(options.side, 2.0, 0.0, 20, 1749), options):
            print(line, flush=True)


if __name__ == "__main__":
    main()
