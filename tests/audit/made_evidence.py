"""A made-up sample of which the audit has nothing bad to say, to be spoilt by tests."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from permagrid.audit import CovariateFacts, Evidence, FoldFacts, LearnerFacts, TargetFacts

EPOCHS = ((2000, 2004), (2005, 2009))
SITES = 120

AIR = CovariateFacts("air", unit="degC", years=(2000, 2009), varies=True, paths=("air_{epoch}.tif",))
SLOPE = CovariateFacts("slope", method="slope", unit="degree", made_from=("elevation",))
ELEVATION = CovariateFacts("elevation", unit="m", paths=("dem.tif",), predictor=False)
GEOLOGY = CovariateFacts("geology", unit="class", kind="class", paths=("geology.tif",))
TARGET = TargetFacts("mean_annual_ground_temperature", "degC", "value", (-25.0, 15.0))
PRESENCE = TargetFacts("permafrost_presence", "1", "class", (0.0, 1.0))


def rows(seed: int = 3) -> pd.DataFrame:
    """Return two epochs of sites spread over Siberia, each in every year of both epochs."""
    random = np.random.default_rng(seed)
    number = np.arange(SITES)
    one = pd.DataFrame(
        {
            "site_id": [f"s{i:03d}" for i in number],
            "site_group": [f"s{i:03d}" for i in number],
            "longitude": 70.0 + 60.0 * random.random(SITES),
            "latitude": 60.0 + 12.0 * random.random(SITES),
            "elevation": random.uniform(0.0, 900.0, SITES),
            "slope": random.gamma(2.0, 3.0, SITES),
            "geology": random.integers(1, 5, SITES).astype(float),
        }
    )
    weather = np.sin(np.radians(one["longitude"] * 7.0)) * 3.0 + random.normal(0.0, 1.0, SITES)
    one["air"] = -(one["latitude"] - 55.0) + weather
    two = [one.assign(epoch="2000-2004"), one.assign(epoch="2005-2009", air=one["air"] + 0.5)]
    table = pd.concat(two, ignore_index=True)
    noise = random.normal(0.0, 1.0, len(table))
    return table.assign(value=(0.6 * table["air"] + noise).clip(-19.0, 14.0), n_years=5, source="made up")


def folds(table: pd.DataFrame) -> tuple[FoldFacts, ...]:
    """Return folds by site and by strips of longitude."""
    group = pd.factorize(table["site_group"], sort=True)[0]
    strip = (table["longitude"].to_numpy() // 20.0).astype(int)
    return (by("site", group % 5), by("block_500km", strip))


def by(name: str, fold: Any, *, spatial: bool = True) -> FoldFacts:
    """Return folds by the number of the fold of each row."""
    fold = np.asarray(fold)
    pairs = tuple((np.flatnonzero(fold != n), np.flatnonzero(fold == n)) for n in np.unique(fold))
    return FoldFacts(name, pairs, spatial)


def domain(table: pd.DataFrame, n: int = 500) -> pd.DataFrame:
    """Return places of the map with the covariates that sites have, well within them."""
    random = np.random.default_rng(4)
    drawn = table.sample(n, replace=True, random_state=5)[["epoch", "air", "slope", "geology"]]
    middle = drawn[["air", "slope"]].mean()
    drawn[["air", "slope"]] = middle + 0.9 * (drawn[["air", "slope"]] - middle)
    places = {"longitude": 70.0 + 60.0 * random.random(n), "latitude": 60.0 + 12.0 * random.random(n)}
    return drawn.reset_index(drop=True).assign(**places)


def evidence(table: pd.DataFrame | None = None, **changes: Any) -> Evidence:
    """Return a sound sample, but for what is changed; folds and map are those of the table."""
    table = rows() if table is None else table
    sound = Evidence(
        training=table,
        target=TARGET,
        covariates=(AIR, SLOPE, ELEVATION, GEOLOGY),
        epochs=EPOCHS,
        folds=folds(table),
        learners=(LearnerFacts("random_forest"),),
        domain=domain(rows()),
        site_files=("boreholes.csv",),
        reference_files=("other_map.tif",),
        cell=1_000.0,
        same_place=100.0,
        correlation_range=50_000.0,
    )
    return replace(sound, **changes)


def presence(table: pd.DataFrame | None = None, **changes: Any) -> Evidence:
    """Return a sound sample of presence and absence."""
    table = rows() if table is None else table
    random = np.random.default_rng(6)
    label = (table["air"] + random.normal(0.0, 3.0, len(table)) < table["air"].median()).astype(float)
    return evidence(table.assign(value=label), target=PRESENCE, **changes)


def with_covariate(values: Any, facts: CovariateFacts, **changes: Any) -> Evidence:
    """Return a sound sample with one more covariate at its sites."""
    table = rows()
    added = table.assign(**{facts.name: values(table)})
    return evidence(added, covariates=(AIR, SLOPE, ELEVATION, GEOLOGY, facts), **changes)
