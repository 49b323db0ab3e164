"""The score that the rule says to quote against the true error of the map, on worlds with clustered sites.

Each world is sampled as field campaigns do, around towns and along roads, and a random forest learns its
ground temperature. The score of each fold scheme is compared with the error of the map of all sites, in every
cell and epoch. Scores count the errors of observations too, such as what a borehole differs from its cell by:
their mean square, over the rows of all worlds, is added to that of the map.
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from odc.geo.geobox import GeoBox
from threadpoolctl import threadpool_limits

from permagrid.learners import build_learner
from permagrid.prediction.applicability import fit_applicability
from permagrid.report.canvas import INK, QUIET, new_figure, plain, styled
from permagrid.report.fold_names import fold_label, fold_order
from permagrid.sites.domain import draw_domain
from permagrid.sites.sample import sample_stack
from permagrid.steps.folds import distances_of, to_quote
from permagrid.validation import (
    FOLDS,
    Candidate,
    Folds,
    fit,
    out_of_fold,
    permutation_importance,
    scored,
)
from permagrid.validation.map_error import map_error
from permagrid.world import make_world, sample_sites
from permagrid.world.surface import CLASS_NODATA

TRUTH = "truth_mean_annual_ground_temperature"
CLASSES = ("geology",)
COVARIATES = (
    *("bio1", "bio10", "bio11", "bio12", "freezing_index", "thawing_index", "snow_depth"),
    *("elevation", "ndvi", "soil_sand", "soil_organic_carbon", *CLASSES),
)
CELLS, CELL = 100, 15_000.0
DOMAIN = 2000
DEPTHS = (3.0, 10.0)
QUOTED = "quoted"


class World(NamedTuple):
    """A virtual world as a study sees it, and its truth."""

    stack: xr.Dataset
    """Covariates and the truth."""
    table: pd.DataFrame
    """One row per borehole and epoch, with the covariates and the truth of the cell."""
    domain: pd.DataFrame
    """Points of the map."""


def equal_area_grid() -> GeoBox:
    """Return the default region of the virtual worlds in cells of one area, so that each counts alike."""
    half = CELLS * CELL / 2.0
    crs = "+proj=laea +lat_0=66 +lon_0=-170 +datum=WGS84"
    return GeoBox.from_bbox((-half, -half, half, half), crs, shape=(CELLS, CELLS), tight=True)


def made(seed: int) -> World:
    world = make_world(equal_area_grid(), seed=seed)
    stack = world[[*COVARIATES, TRUTH]]
    for name in CLASSES:
        stack[name] = stack[name].where(stack[name] != CLASS_NODATA).astype("float32")
    rows = boreholes(sample_sites(world, seed=seed, n_active_layer=0, n_stations=0), world)
    table = rows.join(sample_stack(stack, rows).drop(columns=["sampling_fault", "sampled_distance"]))
    return World(stack, table, draw_domain(stack, COVARIATES, DOMAIN, seed=seed))


def boreholes(observations: pd.DataFrame, world: xr.Dataset) -> pd.DataFrame:
    """Return the mean of the deepest sensor of each borehole, down to 10 m, in each epoch."""
    deep = observations[observations["variable"] == "ground_temperature"]
    deep = deep[deep["depth"].between(*DEPTHS)]
    deep = deep[deep["depth"] == deep.groupby("site_id")["depth"].transform("max")]
    epochs = {
        year: epoch for epoch in world["epoch"].values for year in range(int(epoch[:4]), int(epoch[5:]) + 1)
    }
    deep = deep.assign(epoch=deep["year"].map(epochs), site_group=deep["site_id"])
    keys = ["site_id", "site_group", "longitude", "latitude", "epoch"]
    return deep.groupby(keys, as_index=False)["value"].mean()


def schemes_of(world: World, seed: int) -> list[Folds]:
    """Return the fold schemes of the demo study."""
    keywords = {"random": {}, "site": {}, "knndm": {}, "block": {"size": 250_000.0}}
    return [
        FOLDS[name](world.table, world.domain, n_folds=10, seed=seed, **more)
        for name, more in keywords.items()
    ]


def forest(seed: int) -> Candidate:
    settings = {"n_estimators": 100, "max_features": 0.5, "min_samples_leaf": 2}

    def build(_: object, covariates: tuple[str, ...]) -> object:
        return build_learner("random_forest", "value", seed, settings, covariates=covariates, classes=CLASSES)

    return Candidate(build, COVARIATES, classes=CLASSES)


class Truth(NamedTuple):
    """What is wrong with the map of all sites, over all cells and epochs."""

    everywhere: float
    """Mean squared error."""
    inside: float
    """Mean squared error inside the area of applicability of the quoted folds."""
    share: float
    """Share of the map that lies inside."""


def truth_of(world: World, learner: Candidate, quoted: Folds) -> Truth:
    fitted = fit(learner, world.table)
    worth = permutation_importance(learner, world.table, quoted, repeats=2).set_index("group")["importance"]
    area = fit_applicability(
        world.table[list(COVARIATES)].to_numpy(float),
        worth[list(COVARIATES)].to_numpy(float),
        quoted.rounds[0],
        covariates=COVARIATES,
        classes=CLASSES,
    )
    squares, inside = [], []
    for epoch in world.stack["epoch"].values:
        layer = world.stack.sel(epoch=epoch)
        cells = pd.DataFrame({name: layer[name].values.ravel() for name in (*COVARIATES, TRUTH)}).dropna()
        cells = cells.astype(float)
        squares.append((fitted.predict(cells) - cells[TRUTH].to_numpy()) ** 2)
        inside.append(area.inside(cells[list(COVARIATES)].to_numpy()))
    error, within = np.concatenate(squares), np.concatenate(inside)
    return Truth(float(error.mean()), float(error[within].mean()), float(within.mean()))


def results_of(seed: int) -> pd.DataFrame:
    """Return scores of one world: a row per scheme."""
    world, learner = made(seed), forest(seed)
    observed = world.table["value"].to_numpy(float)
    schemes = schemes_of(world, seed)
    distances = distances_of(world.table, schemes, world.domain)
    quoted = to_quote(schemes, distances)
    truth = truth_of(world, learner, next(scheme for scheme in schemes if scheme.name == quoted))
    noise = float(np.mean((observed - world.table[TRUTH].to_numpy(float)) ** 2))
    rows = []
    for scheme in schemes:
        predicted = out_of_fold(learner, world.table, scheme)
        score = scored(observed, predicted, None, scheme, draws=1000, seed=seed)
        error = map_error(world.table, predicted, scheme, world.domain)
        rows.append(
            {
                "seed": seed,
                "scheme": scheme.name,
                "quoted": scheme.name == quoted,
                "wasserstein": distances[scheme.name].wasserstein,
                "score": error.rmse,
                "low": error.low,
                "high": error.high,
                "of_sites": error.of_sites,
                "of_map": error.of_map,
                "bootstrap_low": score["rmse_low"],
                "bootstrap_high": score["rmse_high"],
                "map": truth.everywhere**0.5,
                "map_inside": truth.inside**0.5,
                "share_inside": truth.share,
                "noise": noise**0.5,
                "rows": len(observed),
            }
        )
    return pd.DataFrame(rows)


def told(results: pd.DataFrame) -> pd.DataFrame:
    """Return results with the true error, as observations would have it, and the quoted ones once more."""
    noise = np.average(results["noise"] ** 2, weights=results["rows"])
    results = results.assign(true=np.hypot(results["map"], noise**0.5))
    results = pd.concat([results, results[results["quoted"]].assign(scheme=QUOTED)])
    inside = (results["low"] <= results["true"]) & (results["true"] <= results["high"])
    applicable = np.hypot(results["map_inside"], noise**0.5)
    by_bootstrap = results["true"].between(results["bootstrap_low"], results["bootstrap_high"])
    return results.assign(
        ratio=results["score"] / results["true"],
        inside=inside,
        above=results["true"] > results["high"],
        below=results["true"] < results["low"],
        inside_bootstrap=by_bootstrap,
        inside_area=applicable.between(results["low"], results["high"]),
        ratio_area=results["score"] / applicable,
        inside_cells=results["map"].between(results["low"], results["high"]),
        width=np.log(results["high"] / results["low"]) / 2.0,
    )


def order(scheme: str) -> tuple[bool, tuple[int, float, str]]:
    return scheme == QUOTED, fold_order(scheme)


def label(scheme: str) -> str:
    return "quoted (smallest W)" if scheme == QUOTED else fold_label(scheme)


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Return a row per scheme, all as it is written."""
    rows = []
    for scheme in sorted(results["scheme"].unique(), key=order):
        part = results[results["scheme"] == scheme]
        low, middle, high = part["ratio"].quantile([0.05, 0.5, 0.95])
        rows.append(
            {
                "folds": label(scheme),
                "W [km]": f"{part['wasserstein'].median() / 1000:.0f}",
                "quoted": f"{part['quoted'].sum()}",
                "score / true error": f"{middle:.2f} ({low:.2f} to {high:.2f})",
                "true error inside": f"{part['inside'].mean():.0%}",
                "of the area of applicability": f"{part['inside_area'].mean():.0%}",
                "above": f"{part['above'].mean():.0%}",
                "below": f"{part['below'].mean():.0%}",
                "half-width": f"{part['width'].median():.0%}",
                "inside bootstrap": f"{part['inside_bootstrap'].mean():.0%}",
                "cells' own error inside": f"{part['inside_cells'].mean():.0%}",
            }
        )
    return pd.DataFrame(rows)


def as_markdown(table: pd.DataFrame) -> str:
    lines = [table.columns, ["---", *["---:"] * (len(table.columns) - 1)], *table.to_numpy()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@styled
def figure(results: pd.DataFrame) -> Figure:
    """Return the ratio of score and true error of each world by scheme, with medians, as PNG."""
    schemes = sorted(results["scheme"].unique(), key=order)
    drawn = new_figure(7.4, 0.62 * len(schemes) + 1.1)
    axes = drawn.subplots()
    plain(axes)
    axes.grid(False, axis="y")
    axes.axvline(1.0, color=INK, linewidth=1.0, zorder=1)
    for place, scheme in enumerate(schemes):
        part = results[results["scheme"] == scheme]
        # Spread by the order of worlds, so that the picture is the same each time.
        beside = place + 0.3 * (2.0 * ((np.arange(len(part)) * 0.618034) % 1.0) - 1.0)
        inside = part["inside"].to_numpy()
        for chosen, colour in ((inside, "#0072b2"), (~inside, "#d55e00")):
            axes.scatter(part["ratio"][chosen], beside[chosen], s=12, color=colour, alpha=0.6, linewidths=0)
        middle = part["ratio"].median()
        axes.plot([middle] * 2, [place - 0.4, place + 0.4], color=INK, linewidth=2.2, zorder=4)
        text = f"{part['inside'].mean():.0%}"
        axes.annotate(
            text, (1.02, place), xycoords=axes.get_yaxis_transform(), va="center", color=INK, weight="bold"
        )
    axes.annotate("inside", (1.02, -0.62), xycoords=axes.get_yaxis_transform(), va="center", color=QUIET)
    axes.set_yticks(range(len(schemes)), [label(scheme) for scheme in schemes])
    axes.set_ylim(len(schemes) - 0.45, -0.75)
    axes.set_xlabel("score / true error of the map (RMSE of ground temperature); bar: median")
    worlds = results["seed"].nunique()
    axes.set_title(f"{worlds} virtual worlds; true error inside the interval (blue) or not (orange)")
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the first world")
    parser.add_argument("--out", type=Path, help="write the figure here")
    parser.add_argument("--table", type=Path, help="write the results of all worlds here, as CSV")
    parser.add_argument("--markdown", action="store_true", help="write the summary as Markdown")
    options = parser.parse_args()
    start, found = time.process_time(), []
    with threadpool_limits(1):
        for seed in range(options.seed, options.seed + options.worlds):
            found.append(results_of(seed))
            if not options.markdown:
                parts = (f"{row.scheme} {row.score:.2f}" for row in found[-1].itertuples())
                print(f"world {seed}: map {found[-1]['map'].iloc[0]:.2f}, {', '.join(parts)}", flush=True)
    results = told(pd.concat(found, ignore_index=True))
    if options.table:
        results.to_csv(options.table, index=False)
    if options.out:
        options.out.write_bytes(figure(results))
    table = summary(results)
    print(as_markdown(table) if options.markdown else table.to_string(index=False))
    noise = np.sqrt(np.average(results["noise"] ** 2, weights=results["rows"]))
    middle = results[["map", "true", "share_inside"]].median()
    spent = (time.process_time() - start) / options.worlds
    print(
        f"\nMedian error of the map {middle['map']:.2f} degC, of observations {noise:.2f} degC, both "
        f"{middle['true']:.2f} degC; area of applicability {middle['share_inside']:.0%} of the map; "
        f"{spent:.1f} s of CPU a world"
    )


if __name__ == "__main__":
    main()
