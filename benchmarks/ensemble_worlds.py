"""Intervals and the range of total ice storage against the truth, on virtual hemispheres with ground ice.

Each world is sampled by clustered boreholes; support vectors, an additive model, a random forest and gradient
boosting are joined by COP-BMA on folds that are as far from their sites as the map is. In every cell of
permafrost the 95 % interval is compared with the true ice content, and the range of the members' totals with
the true storage. Beside it stand plain Bayesian model averaging, a quantile regression forest by itself, and
totals whose errors are taken to be independent from cell to cell.
"""

import argparse
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from scipy.special import ndtr, ndtri
from threadpoolctl import threadpool_limits

from permagrid.ensemble import (
    CopulaMixture,
    CorrelatedField,
    block_weights,
    em_weights,
    fit_copula_mixture,
    fit_gaussian_mixture,
    keep_what_holds,
)
from permagrid.grid import lonlat
from permagrid.learners import build_learner
from permagrid.learners.resampled import resampled
from permagrid.prediction.applicability import fit_applicability
from permagrid.report.canvas import INK, QUIET, new_figure, plain, styled
from permagrid.sites.domain import draw_domain
from permagrid.sites.sample import sample_stack
from permagrid.steps.members import likeness_of
from permagrid.validation import FOLDS, Candidate, Folds, fit, fit_variogram, predict_all
from permagrid.validation.distributions import crps, pit
from permagrid.validation.levels import LEVELS
from permagrid.world import make_ice_world

TRUTH, PRESENCE = "truth_volumetric_ice_content", "permafrost_fraction"
CLASSES = ("geology",)
COVARIATES = (
    *("bio1", "bio4", "bio10", "bio11", "bio12", "freezing_index", "thawing_index", "snow_depth"),
    *("elevation", "ndvi", "ndwi", "soil_sand", "soil_silt", "soil_organic_carbon", "palaeo_temperature"),
    *CLASSES,
)
LEARNERS: dict[str, tuple[str, dict[str, Any]]] = {
    "support_vectors": ("support_vectors", {"C": 10.0}),
    "additive_model": ("additive_model", {"gamma": 4.0}),
    "random_forest": ("random_forest", {"n_estimators": 200, "max_features": 0.4, "min_samples_leaf": 2}),
    "lightgbm": ("lightgbm", {"n_estimators": 150, "num_leaves": 8, "learning_rate": 0.05}),
}
FOREST = ("quantile_forest", {"n_estimators": 200, "max_features": 0.4, "min_samples_leaf": 5})
RESOLUTION, BOREHOLES, MEMBERS = 100_000.0, 400, 200
ENDS = np.array([0.025, 0.975])
NOISE = 3.0


class World(NamedTuple):
    """A virtual hemisphere as a study sees it, and its truth."""

    table: pd.DataFrame
    """One row per borehole."""
    cells: pd.DataFrame
    """All cells of permafrost."""
    domain: pd.DataFrame
    """Points of the map."""
    storage: float
    """Ice that there is [km3]."""
    area: float
    """Area of a cell [km2]."""


def made(seed: int, boreholes: int, resolution: float) -> World:
    world = make_ice_world(seed, boreholes, resolution)
    grid = world.grid
    names = [*COVARIATES, PRESENCE, TRUTH]
    stack = xr.Dataset({name: grid[name].astype("float32") for name in names})
    for name in CLASSES:
        stack[name] = stack[name].where(stack[name] < 255)
    stack = stack.where(grid[PRESENCE] > 0).assign_coords(grid.coords)
    kept = ["site_id", "longitude", "latitude", "value"]
    rows = world.boreholes[kept].assign(site_group=world.boreholes["site_id"], epoch="2000-2019")
    table = rows.join(sample_stack(stack, rows)).dropna(subset=list(COVARIATES)).reset_index(drop=True)
    longitude, latitude = lonlat(grid.odc.geobox)
    cells = pd.DataFrame({name: stack[name].values.ravel().astype(float) for name in names})
    cells = cells.assign(longitude=longitude.ravel(), latitude=latitude.ravel()).dropna()
    domain = draw_domain(stack[[*COVARIATES]], COVARIATES, 1000, seed=seed)
    return World(table, cells, domain, world.storage, (resolution / 1000.0) ** 2)


def candidate(name: str, keywords: dict[str, Any], seed: int) -> Candidate:
    def build(_: object, covariates: tuple[str, ...]) -> Any:
        return build_learner(name, "value", seed, keywords, covariates=covariates, classes=CLASSES)

    return Candidate(build, COVARIATES, classes=CLASSES)


def stacked(raw: Any, folds: str, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
    return np.stack([raw[name, folds].values[0][rows] for name in LEARNERS], axis=1)


def joined(
    said: np.ndarray, observed: np.ndarray, folds: Folds, rows: np.ndarray, seed: int
) -> CopulaMixture:
    """Return COP-BMA of some rows, as a study fits it."""
    fold = np.full(len(observed), -1)
    for number, (_, test) in enumerate(folds):
        fold[test] = number
    fitted = fit_copula_mixture(said[rows], observed[rows], lower=0.0, upper=100.0, seed=seed)
    return keep_what_holds(fitted, said[rows], observed[rows], fold[rows])


def held_out_scores(said: np.ndarray, observed: np.ndarray, folds: Folds, seed: int) -> np.ndarray:
    """Return normal scores of each row in the distribution that was learned without its fold."""
    found = np.full(len(observed), np.nan)
    for train, test in folds:
        known = train[np.isfinite(said[train]).all(axis=1)]
        mixture = joined(said, observed, folds, known, seed)
        found[test] = pit(mixture.quantiles(said[test], LEVELS), observed[test], seed)
    return np.asarray(ndtri(np.clip(found, 1e-3, 1 - 1e-3)))


def storage(values: np.ndarray, world: World) -> np.ndarray:
    """Return the ice in 5 m of permafrost [km3] of values [%] in each cell, by column."""
    share = world.cells[PRESENCE].to_numpy() * world.area * 0.005 / 100.0
    return np.asarray((values * share[:, np.newaxis]).sum(axis=0))


def result_of(
    seed: int,
    boreholes: int = BOREHOLES,
    resolution: float = RESOLUTION,
    members: int = MEMBERS,
    fewer: int = 1,
) -> dict[str, float]:
    """Return what the intervals and ranges of one world hold; with `fewer` times fewer trees."""
    world = made(seed, boreholes, resolution)
    observed = world.table["value"].to_numpy(float)
    learners = {
        name: candidate(given, _fewer(keywords, fewer), seed) for name, (given, keywords) in LEARNERS.items()
    }
    folds = FOLDS["knndm"](world.table, world.domain, n_folds=5, seed=seed)
    said = stacked(predict_all(learners, world.table, [folds]), folds.name)
    known = np.isfinite(said).all(axis=1)
    copulas = joined(said, observed, folds, np.flatnonzero(known), seed)
    normals = fit_gaussian_mixture(said[known], observed[known], lower=0.0, upper=100.0)
    fitted = {name: fit(each, world.table) for name, each in learners.items()}
    forest = fit(candidate(FOREST[0], _fewer(FOREST[1], fewer), seed), world.table)
    cells, truth = world.cells, world.cells[TRUTH].to_numpy()
    spoken = np.stack([each.predict(cells) for each in fitted.values()], axis=1)
    area = fit_applicability(
        world.table[list(COVARIATES)].to_numpy(float),
        None,
        folds.rounds[0],
        covariates=COVARIATES,
        classes=CLASSES,
    )
    inside = area.inside(cells[list(COVARIATES)].to_numpy())
    drill = np.random.default_rng(seed).normal(0.0, NOISE, len(cells))
    found: dict[str, float] = {"seed": seed, "inside": float(inside.mean()), "truth": world.storage}
    quantiles = {
        "copula_bma": copulas.tables().quantiles(spoken, ENDS),
        "plain_bma": normals.quantiles(spoken, ENDS),
        "forest": forest.predict_quantiles(cells, ENDS),
    }
    for name, (low, high) in {key: value.T for key, value in quantiles.items()}.items():
        for what, value in (("cell", truth), ("borehole", truth + drill)):
            held = (low <= value) & (value <= high)
            found[f"{name}_{what}"] = float(held[inside].mean())
            found[f"{name}_{what}_everywhere"] = float(held.mean())
        found[f"{name}_width"] = float((high - low)[inside].mean())
    scores = held_out_scores(said, observed, folds, seed)
    densities = copulas.component_densities(said[known], observed[known])
    found |= totals(world, fitted, copulas, (scores, densities, known), seed, members)
    found["rmse_map"] = float(np.sqrt(np.mean((copulas.tables().mean(spoken) - truth) ** 2)))
    found["crps_map"] = float(crps(copulas.tables().quantiles(spoken, LEVELS), truth).mean())
    return found


def _fewer(keywords: dict[str, Any], fewer: int) -> dict[str, Any]:
    return {key: value // fewer if key == "n_estimators" else value for key, value in keywords.items()}


def totals(
    world: World,
    fitted: dict[str, Any],
    mixture: Any,
    held_out: tuple[np.ndarray, np.ndarray, np.ndarray],
    seed: int,
    members: int,
) -> dict[str, float]:
    """Return ranges of the total storage: of members, and of draws with independent errors."""
    (scores, densities, known), table, cells = held_out, world.table, world.cells
    place = [table[name].to_numpy(float) for name in ("longitude", "latitude")]
    # Boreholes of one cell share its covariates and so its error: they are one place of the map.
    cell = table.groupby(list(COVARIATES)).ngroup().to_numpy()
    errors = fit_variogram(*place, scores, cell)
    likeness = likeness_of(table, errors)
    structures, nugget = [(likeness.shared, likeness.range_)], 1.0 - likeness.shared
    size = likeness.range_
    counts = block_weights(*place, table["site_group"].to_numpy(), size=size, members=members, seed=seed)
    observed = table["value"].to_numpy(float)
    rows, trained = (part[list(COVARIATES)].to_numpy(float) for part in (cells, table))
    made = [resampled(each.estimator, trained, observed, counts) for each in fitted.values()]
    said = np.stack([each.predict(rows) for each in made], axis=2)
    where = (cells["longitude"].to_numpy(), cells["latitude"].to_numpy(), np.arange(len(cells)))
    weights = np.stack([em_weights(densities, row_weights=column) for column in counts[known].T])
    tables, found = mixture.tables(), {}
    fixed = np.repeat(
        np.stack([each.predict(cells) for each in fitted.values()], axis=1)[:, None], members, 1
    )
    for name, spoken, shared, alone in (
        ("members", said, structures, nugget),
        ("field_only", fixed, structures, nugget),
        ("independent", fixed, [], 1.0),
    ):
        field = CorrelatedField.of(shared, alone, members=members, seed=seed)
        drawn = tables.draw(spoken.astype(np.float32), ndtr(field.normal(*where)), weights)
        sums = storage(drawn.astype(float), world)
        found[f"{name}_low"], found[f"{name}_high"] = np.quantile(sums, ENDS)
        found[f"{name}_mean"] = float(sums.mean())
    return found | {"range_km": size / 1000.0, "nugget": nugget}


NAMES = {
    "copula_bma": "COP-BMA",
    "plain_bma": "plain BMA",
    "forest": "quantile regression forest alone",
}
TOTALS = {
    "members": "200 members: refits and correlated errors",
    "field_only": "correlated errors alone",
    "independent": "errors independent from cell to cell",
}


def summary(results: pd.DataFrame) -> str:
    """Return what all worlds say, as Markdown."""
    lines = [
        "| 95 % interval | boreholes in the area of applicability | cells in it | all cells | width [%] |"
    ]
    lines.append("|---|---:|---:|---:|---:|")
    for name, label in NAMES.items():
        shares = [results[f"{name}_{what}"].mean() for what in ("borehole", "cell", "cell_everywhere")]
        told = " | ".join(f"{share:.1%}" for share in shares)
        lines.append(f"| {label} | {told} | {results[f'{name}_width'].mean():.1f} |")
    lines += ["", "| Range of the total | holds the truth | width over the truth |", "|---|---:|---:|"]
    for name, label in TOTALS.items():
        held = results["truth"].between(results[f"{name}_low"], results[f"{name}_high"])
        width = (results[f"{name}_high"] - results[f"{name}_low"]) / results["truth"]
        lines.append(f"| {label} | {held.sum()} of {len(results)} | {width.median():.0%} |")
    middle = results[["inside", "rmse_map", "range_km", "nugget"]].median()
    lines.append(
        f"\nMedians: {middle['inside']:.0%} of the permafrost inside the area of applicability, error of the "
        f"map {middle['rmse_map']:.1f} %, errors alike up to {middle['range_km']:.0f} km, nugget "
        f"{middle['nugget']:.2f}."
    )
    return "\n".join(lines)


@styled
def figure(results: pd.DataFrame) -> Figure:
    """Return coverage of each world by method, and the ranges of the total over its truth, as PNG."""
    drawn = new_figure(9.0, 5.2)
    left, right = drawn.subplots(1, 2, gridspec_kw={"width_ratios": [1.0, 1.25]})
    for axes in (left, right):
        plain(axes)
    left.axvspan(93, 97, color="#d5e7df", linewidth=0)
    for place, (name, label) in enumerate(NAMES.items()):
        shares = 100.0 * results[f"{name}_borehole"]
        beside = place + 0.3 * (2.0 * ((np.arange(len(shares)) * 0.618034) % 1.0) - 1.0)
        left.scatter(shares, beside, s=12, color="#0072b2", alpha=0.6, linewidths=0)
        left.plot([shares.mean()] * 2, [place - 0.4, place + 0.4], color=INK, linewidth=2.2)
        left.annotate(label, (0.0, place - 0.44), xycoords=left.get_yaxis_transform(), color=QUIET)
    left.set_yticks([])
    left.set_ylim(len(NAMES) - 0.4, -0.65)
    left.set_xlabel("boreholes held by the 95 % interval [%]; bar: mean")
    order = np.argsort(results["truth"].to_numpy())
    for shift, (name, colour) in zip(
        (-0.2, 0.2), (("members", "#0072b2"), ("independent", "#d55e00")), strict=True
    ):
        low, high = (results[f"{name}_{end}"].to_numpy()[order] / 1000.0 for end in ("low", "high"))
        right.vlines(
            np.arange(len(order)) + shift, low, high, color=colour, linewidth=1.4, label=TOTALS[name]
        )
    truth = results["truth"].to_numpy()[order] / 1000.0
    right.plot(np.arange(len(order)), truth, ".", color=INK, markersize=4, label="true storage")
    right.legend(loc="upper left", frameon=False)
    right.set_xlabel("virtual world, by its true storage")
    right.set_ylabel("ice in 5 m below the permafrost table [1000 km³]")
    left.set_title("Inside the area of applicability")
    right.set_title("95 % ranges of the total")
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the first world")
    parser.add_argument("--boreholes", type=int, default=BOREHOLES)
    parser.add_argument("--out", type=Path, help="write the figure here")
    parser.add_argument("--table", type=Path, help="write the results of all worlds here, as CSV")
    options = parser.parse_args()
    start, found = time.process_time(), []
    with threadpool_limits(1):
        for seed in range(options.seed, options.seed + options.worlds):
            found.append(result_of(seed, options.boreholes))
            last = found[-1]
            print(
                f"world {seed}: held {last['copula_bma_borehole']:.3f} (cells {last['copula_bma_cell']:.3f}) "
                f"total {last['truth']:.0f} in {last['members_low']:.0f} to {last['members_high']:.0f}",
                flush=True,
            )
            if options.table:
                pd.DataFrame(found).to_csv(options.table, index=False)
    results = pd.DataFrame(found)
    if options.out:
        options.out.write_bytes(figure(results))
    print(summary(results))
    print(f"\n{(time.process_time() - start) / len(results):.1f} s of CPU a world")


if __name__ == "__main__":
    main()
