"""Cells of a map in a second of one core: compiled estimators against their peers.

All in one run, on one thread, by processor time: rounds in turn, medians of rounds. Covariates are synthetic
and correlated in space, 40 % of the cells have none (see `compiled_trees.py`). The peers are handed complete
rows along the curve of neighbours, in chunks of 1,000, 20,000 and 40,000; the best size counts.
sklearn-raster, where it is installed (`pip install permagrid[bench]`), gets a block of the map with its gaps.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import lightgbm
import numpy as np
from compiled_trees import Landscape, landscape
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler
from sklearn.svm import SVC, SVR
from threadpoolctl import threadpool_limits

from permagrid.compiled import compile_estimator
from permagrid.ensemble import fit_copula_mixture
from permagrid.learners import build_learner

try:
    from sklearn_raster import FeatureArrayEstimator
except ImportError:
    FeatureArrayEstimator = None

Float = NDArray[np.float64]
CHUNKS = (1_000, 20_000, 40_000)
SIDE = 208
"""Cells along a side of the block that sklearn-raster gets."""


class Case(NamedTuple):
    """An estimator, and what scikit-learn has for the same, where the estimator is not its own."""

    name: str
    model: Any
    peer: Callable[[NDArray[Any]], Any] | None = None


def rate(work: Callable[[], Any], cells: int) -> float:
    """Return cells per second of processor time."""
    start = time.process_time()
    work()
    return cells / (time.process_time() - start)


def said(model: Any) -> Callable[[NDArray[Any]], Any]:
    return model.predict_proba if is_classifier(model) else model.predict  # type: ignore[no-any-return]


def cases(world: Landscape, trees: int) -> Iterator[Case]:
    rows, values = world.rows, world.values
    known, third = values > 0, 1 / 3
    boosted = {"n_estimators": trees // 2, "n_jobs": 1, "verbose": -1}
    plain = [
        ("random forest, classes", RandomForestClassifier(trees, random_state=0), known),
        ("random forest, values", RandomForestRegressor(trees, max_features=third, random_state=0), values),
        ("extra trees, values", ExtraTreesRegressor(trees, max_features=third, random_state=0), values),
        ("LightGBM, values", lightgbm.LGBMRegressor(**boosted), values),
        ("LightGBM, classes", lightgbm.LGBMClassifier(**boosted), known),
        (
            "support vectors, values",
            TransformedTargetRegressor(make_pipeline(StandardScaler(), SVR()), transformer=StandardScaler()),
            values,
        ),
    ]
    for name, model, target in plain:
        model.fit(rows, target)
        yield Case(name, model)
    # permagrid's machines are scikit-learn's with sums of their own: the peer is scikit-learn's decision.
    machine = build_learner("support_vectors", "class", 0, {}).fit(rows, known)
    scale, inner = machine.steps[0][1], machine.steps[1][1].machines_[0]
    yield Case(
        "support vectors, classes",
        machine,
        lambda asked: SVC.decision_function(inner, scale.transform(asked)),
    )
    curves = make_pipeline(
        StandardScaler(), SplineTransformer(8, extrapolation="linear"), RidgeCV(np.logspace(-2, 4, 7))
    )
    curves.fit(rows, values)
    additive = build_learner("additive_model", "value", 0, {}).fit(rows, values)
    yield Case("additive model, values", additive, curves.predict)


def by_raster(model: Any, world: Landscape, side: int) -> tuple[Callable[[], Any], int] | None:
    """Return what predicts a block by sklearn-raster, and how many of its cells have data."""
    if FeatureArrayEstimator is None:
        return None
    block = world.cells.reshape(side, side, -1)[:SIDE, :SIDE]
    bands = np.ascontiguousarray(np.moveaxis(block, -1, 0))
    wrapped = FeatureArrayEstimator(clone(model))
    # It forgets what an estimator has learned: a few rows teach it its columns, then it gets the fitted one.
    few = world.rows[:200]
    wrapped.fit(few, world.values[:200] > 0 if is_classifier(model) else world.values[:200])
    wrapped.wrapped_estimator = model
    ask = wrapped.predict_proba if is_classifier(model) else wrapped.predict
    return lambda: ask(bands, allow_cast=True), int(np.isfinite(block[..., 0]).sum())


def compare(case: Case, world: Landscape, options: argparse.Namespace) -> str:
    compiled = compile_estimator(case.model, "class" if is_classifier(case.model) else "value")
    if compiled is None:
        raise SystemExit(f"{case.name} is not compiled")
    own = world.cells[world.land[: options.cells]]
    asked = own[:5000].astype(float)
    apart = np.abs(compiled.predict(asked) - said(case.model)(asked)).max()
    apart /= 1.0 if is_classifier(case.model) else world.values.std()
    raster = by_raster(case.model, world, options.side)
    compiled.predict(world.cells[world.land[:100]])
    peers = {"its own": said(case.model)} | ({} if case.peer is None else {"scikit-learn": case.peer})
    rates: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        found = {"ours": rate(lambda: compiled.predict(world.cells, world.order), len(world.land))}
        for size in (size for size in CHUNKS if size <= len(own)):
            parts = [own[at : at + size] for at in range(0, len(own), size)]
            for name, work in peers.items():
                spent = rate(lambda parts=parts, work=work: [work(part) for part in parts], len(own))
                found[f"{name} {size}"] = spent
        if raster is not None:
            found["raster"] = rate(*raster)
        for key, value in found.items():
            rates.setdefault(key, []).append(value)
    middle = {key: float(np.median(value)) for key, value in rates.items()}
    told = []
    for name in ("its own", "scikit-learn"):
        best = max(CHUNKS, key=lambda size, name=name: middle.get(f"{name} {size}", 0.0))
        peer = middle.get(f"{name} {best}")
        told.append(f"{peer:,.0f} in {best:,} ({middle['ours'] / peer:.1f})" if peer is not None else "-")
    told.append(f"{middle['raster']:,.0f}" if raster is not None else "-")
    return f"| {case.name} | {middle['ours']:,.0f} | {' | '.join(told)} | {apart:.0e} |"


def mixture(world: Landscape, options: argparse.Namespace) -> str:
    """Compare mean and 95 % interval of COP-BMA by tables with its closed form."""
    random = np.random.default_rng(0)
    noise = random.normal(0, 1, (len(world.values), 4)) * [0.5, 0.6, 0.7, 0.8]
    joined = fit_copula_mixture(world.values[:, np.newaxis] * [0.9, 1.0, 0.8, 1.1] + noise, world.values)
    tables = joined.tables()
    asked = random.choice(world.values, options.cells)[:, np.newaxis] + random.normal(
        0, 0.6, (options.cells, 4)
    )
    few = asked[: max(1, len(asked) // 50)]

    def told(form: Any, rows: Float) -> Float:
        return np.column_stack([form.mean(rows), form.quantiles(rows, [0.025, 0.975])])

    apart = np.abs(told(tables, few) - told(joined, few)).max() / world.values.std()
    ours, closed = [], []
    for _ in range(options.rounds):
        ours.append(rate(lambda: told(tables, asked), len(asked)))
        closed.append(rate(lambda: told(joined, few), len(few)))
    ratio = float(np.median(ours) / np.median(closed))
    return (
        f"| COP-BMA of four, mean and 95 % interval | {np.median(ours):,.0f} | {np.median(closed):,.0f} "
        f"({ratio:.0f}) | - | - | {apart:.0e} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=512, help="cells along a side of the map")
    parser.add_argument("--cells", type=int, default=40_000, help="cells that the peers predict")
    parser.add_argument("--trees", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="part of the names of what is compared")
    options = parser.parse_args()
    world = landscape(options.side, 2.0, 0.0, 20, 1749)
    if FeatureArrayEstimator is None:
        print("sklearn-raster is not installed, and is left out: pip install permagrid[bench]")
    print(f"{len(world.order):,} cells, {len(world.land):,} with data; cells/s; apart in standard deviations")
    print("| | compiled | its own predict (ratio) | scikit-learn's (ratio) | sklearn-raster | apart |")
    print("|---|---:|---:|---:|---:|---:|")
    with threadpool_limits(1):
        for case in cases(world, options.trees):
            if options.only in case.name:
                print(compare(case, world, options), flush=True)
        print(mixture(world, options))


if __name__ == "__main__":
    main()
