"""A bad case and a sound one for each rule of the audit."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from made_evidence import (
    AIR,
    ELEVATION,
    SITES,
    SLOPE,
    by,
    domain,
    evidence,
    folds,
    presence,
    rows,
    with_covariate,
)

from permagrid.audit import CovariateFacts, Evidence, LearnerFacts, Screen, TargetFacts


@dataclass(frozen=True)
class Case:
    """What a rule must find, and in what it must find nothing."""

    bad: Callable[[], Evidence]
    severity: str
    said: str
    """Part of the sentence."""
    sound: Callable[[], Evidence] = evidence


def site_number(table: pd.DataFrame) -> np.ndarray:
    return pd.factorize(table["site_group"])[0]


def changed(**columns: object) -> Callable[[], Evidence]:
    return lambda: evidence(rows().assign(**columns))


def neighbours() -> Evidence:
    """Return sites in pairs some 300 m apart, each of its own name."""
    table = rows()
    even = (site_number(table) // 2) * 2
    first = table.drop_duplicates("site_group").set_index(np.arange(SITES))
    for name in ("longitude", "latitude"):
        table[name] = first[name].to_numpy()[even]
    table.loc[site_number(table) % 2 == 1, "latitude"] += 0.003
    return evidence(table, folds=(by("site", site_number(table) % 5),))


def copies() -> Evidence:
    """Return sites in pairs with the same covariates."""
    table = rows()
    twin = (site_number(table) // 2) * 2
    for name in ("air", "slope", "geology"):
        table[name] = table[name].to_numpy()[np.where(table["epoch"] == "2000-2004", twin, SITES + twin)]
    return evidence(table, folds=(by("site", site_number(table) % 5),))


def station_labels(share: float) -> Callable[[], Evidence]:
    def made() -> Evidence:
        table = rows()
        count = round(share * len(table))
        basis = ["station_climate"] * count + ["temperature"] * (len(table) - count)
        return presence(table.assign(label_basis=basis))

    return made


def clustered() -> Evidence:
    table = rows()
    near = site_number(table) % 10 > 0
    table.loc[near, "longitude"] = 100.0 + (table.loc[near, "longitude"] - 100.0) / 30.0
    table.loc[near, "latitude"] = 66.0 + (table.loc[near, "latitude"] - 66.0) / 30.0
    return evidence(table)


def class_of_the_target() -> Evidence:
    sound = presence()
    codes = np.where(sound.training["value"] == 1, 7.0, 3.0)
    facts = CovariateFacts("leak", kind="class")
    return replace(sound, training=sound.training.assign(leak=codes), covariates=(*sound.covariates, facts))


def one_class() -> Evidence:
    sound = presence()
    return replace(sound, training=sound.training.assign(value=1.0))


def one_class_in_a_block() -> Evidence:
    sound = presence()
    table = sound.training.assign(value=0.0)
    table.loc[table["longitude"] < 75.0, "value"] = 1.0
    strips = (table["longitude"] >= 76.0).to_numpy().astype(int)
    return replace(sound, training=table, folds=(by("block_500km", strips),))


def two_sites_of_a_class() -> Evidence:
    sound = presence()
    number = site_number(sound.training)
    table = sound.training.assign(value=(number < 3).astype(float))
    return replace(sound, training=table, folds=(by("site", number % 5),))


def lost() -> Evidence:
    gone = rows().head(60).assign(excluded="covariates: nodata", air=np.nan)
    return evidence(unused=gone)


def modis(**others: object) -> Callable[[], Evidence]:
    facts = CovariateFacts("lst", unit="degC", paths=("MOD11A2/lst_{year}.tif",), **others)
    epochs = ((1996, 2000), (2001, 2005))
    return lambda: with_covariate(lambda t: t["slope"], facts, epochs=epochs)


def cropped_to(south: float, north: float) -> Evidence:
    facts = CovariateFacts("dem", unit="m", paths=("srtm/srtm_90m.tif",))
    table = rows()
    place = south + (north - south) * (table["latitude"] - 60.0) / 12.0
    there = domain(rows()).assign(latitude=lambda d: south + (north - south) * (d["latitude"] - 60.0) / 12.0)
    return evidence(
        table.assign(latitude=place, dem=table["elevation"]), covariates=(AIR, facts), domain=there
    )


CASES: dict[str, list[Case]] = {
    "labels_made_from_climate": [
        Case(station_labels(0.4), "fatal", "96 of 240 labels (40 %)", station_labels(0.0)),
        Case(station_labels(0.005), "severe", "1 of 240 labels", presence),
    ],
    "labels_screened_by_covariate": [
        Case(
            lambda: evidence(screens=(Screen("climate_consistency", ("air",), True, 40, 400),)),
            "severe",
            "left out 40 of 400 observations (10 %) that disagree with air, and learners see air",
            lambda: evidence(
                screens=(
                    Screen("climate_consistency", ("air",), True, 0, 400),
                    Screen("elevation_mismatch", ("elevation",), False, 40, 400),
                    Screen("climate_consistency", ("geology_of_the_moon",), True, 40, 400),
                )
            ),
        ),
        # Through what a predictor is made from.
        Case(
            lambda: evidence(screens=(Screen("own_test", ("elevation",), True, 1, 400),)),
            "caution",
            "learners see slope",
        ),
    ],
    "covariate_is_target": [
        Case(
            lambda: with_covariate(lambda t: 3.0 * t["value"] + 7.0, CovariateFacts("leak")),
            "fatal",
            "rank correlation of leak with the target is 1.0000",
        ),
        Case(
            lambda: with_covariate(lambda t: (t["value"] - t["value"].mean()) ** 2, CovariateFacts("square")),
            "none",
            "",
        ),
        Case(
            lambda: with_covariate(lambda t: (t["value"] + 30.0) % 9.0 * 1.0, CovariateFacts("wave")),
            "none",
            "",
        ),
        # Pieces of the target in another order: no rank tells it, a tree does.
        Case(
            lambda: with_covariate(
                lambda t: t["value"] + 100.0 * (t["value"] < -5.0), CovariateFacts("pieces")
            ),
            "fatal",
            "A tree on pieces alone predicts places it has not seen with R2 0.99",
        ),
        Case(
            lambda: with_covariate(lambda t: -np.exp(t["value"] / 5.0), CovariateFacts("leak")),
            "fatal",
            "rank correlation of leak with the target is -1.0000",
        ),
        Case(
            lambda: with_covariate(
                lambda t: t["value"] + np.random.default_rng(1).normal(0, 0.3, len(t)), CovariateFacts("near")
            ),
            "caution",
            "near",
        ),
        Case(
            class_of_the_target,
            "fatal",
            "A tree on leak alone predicts places it has not seen with balanced accuracy 1.0000",
            presence,
        ),
    ],
    "covariates_hold_target": [
        Case(
            lambda: evidence(
                rows().assign(half=lambda t: t["value"] - t["air"] * 2.0),
                covariates=(AIR, SLOPE, CovariateFacts("half", unit="degC")),
            ),
            "fatal",
            "R2 1.0000",
        ),
    ],
    "covariate_of_target_source": [
        Case(
            lambda: with_covariate(lambda t: t["slope"], CovariateFacts("table", paths=("boreholes.csv",))),
            "fatal",
            "from which the observations come",
        ),
        Case(
            lambda: with_covariate(lambda t: t["slope"], CovariateFacts("map", paths=("other_map.tif",))),
            "severe",
            "with which the maps are compared",
        ),
        Case(
            lambda: with_covariate(
                lambda t: t["slope"], CovariateFacts("extent", paths=("esa-cci-pfr-14km/pfr.tif",))
            ),
            "severe",
            "made from a map of permafrost",
            # Elevation of WorldClim is called alt.tif, and a formula of climate is no map.
            lambda: with_covariate(
                lambda t: t["slope"],
                CovariateFacts("stefan", long_name="Active layer by Stefan", made_from=("air",)),
                site_files=("alt.csv",),
            ),
        ),
    ],
    "position_as_covariate": [
        Case(
            lambda: with_covariate(lambda t: t["latitude"], CovariateFacts("north", method="latitude")),
            "severe",
            "Learners see their position: north",
        ),
        Case(
            lambda: with_covariate(
                lambda t: 5.0 - 2.0 * t["longitude"], CovariateFacts("mystery", paths=("m.tif",))
            ),
            "severe",
            "mystery is longitude in disguise",
        ),
    ],
    "site_known_by_covariate": [
        Case(
            lambda: with_covariate(lambda t: site_number(t) + 1000.0, CovariateFacts("number")),
            "severe",
            "whole numbers one after the other from 1000 to 1119",
        ),
        Case(
            lambda: with_covariate(
                lambda t: np.random.default_rng(2).permutation(90_000)[site_number(t)].astype(float),
                CovariateFacts("code"),
            ),
            "severe",
            "not alike at neighbouring sites",
            # Heights in whole metres are alike at neighbours, though nearly each site has its own.
            lambda: with_covariate(
                lambda t: np.round(200.0 * (t["latitude"] + t["longitude"] / 5.0)), CovariateFacts("height")
            ),
        ),
        Case(
            lambda: with_covariate(
                lambda t: np.random.default_rng(2).random(SITES)[site_number(t)],
                CovariateFacts("hole", method="observation", column="total_depth"),
            ),
            "severe",
            "it is the column total_depth of the table of sites",
            lambda: with_covariate(
                lambda t: 10.0 * (1 + site_number(t) % 3),
                CovariateFacts("depth", method="observation", column="depth"),
            ),
        ),
        Case(
            lambda: with_covariate(lambda t: site_number(t) // 1.5, CovariateFacts("soil", kind="class")),
            "severe",
            "soil has 80 classes at 120 sites",
        ),
    ],
    "same_site_across_folds": [
        Case(
            lambda: evidence(folds=(by("site", np.arange(2 * SITES) % 7),)),
            "fatal",
            "though these folds are to keep sites apart",
        ),
        Case(
            lambda: evidence(folds=(by("random", np.arange(2 * SITES) % 7, spatial=False),)),
            "severe",
            "gaps in known series",
        ),
        Case(
            lambda: evidence(folds=(*folds(rows()), by("random", np.arange(2 * SITES) % 7, spatial=False))),
            "note",
            "gaps in known series",
        ),
        Case(
            lambda: evidence(
                folds=(*folds(rows()), by("epoch", np.arange(2 * SITES) // SITES, spatial=False))
            ),
            "note",
            "known sites in years without data",
        ),
    ],
    "copies_across_folds": [Case(copies, "caution", "of such pairs of sites 0 of 60 have the same value")],
    "neighbours_across_folds": [Case(neighbours, "caution", "lie within 1 km of a training site")],
    "settings_by_hand": [
        Case(
            lambda: evidence(
                learners=(
                    LearnerFacts("random_forest", ("max_features",)),
                    LearnerFacts("ridge", covariates=("air",)),
                )
            ),
            "note",
            "keywords of random_forest (max_features) and covariates of ridge",
            lambda: evidence(learners=(LearnerFacts("random_forest", ("n_estimators",), searches=True),)),
        )
    ],
    "best_of_several": [
        Case(lambda: evidence(learners=(LearnerFacts("a"), LearnerFacts("b"))), "note", "2 learners")
    ],
    "choice_by_random_folds": [
        Case(
            lambda: evidence(learners=(LearnerFacts("ridge", searches=True),), inner="random"),
            "caution",
            "ridge chooses by inner folds that part rows of a site (random)",
            lambda: evidence(learners=(LearnerFacts("ridge", searches=True),), inner="site"),
        )
    ],
    "climatology_for_series": [
        Case(
            lambda: evidence(covariates=(replace(AIR, varies=False, static=True, years=(1960, 1990)), SLOPE)),
            "severe",
            "1 of 2 covariates (50 %) are means of 1960-1990",
            # Within the years of the climatology it is no stand-in.
            lambda: evidence(covariates=(replace(AIR, varies=False, static=True, years=(1991, 2020)), SLOPE)),
        ),
        Case(
            lambda: with_covariate(
                lambda t: t["slope"], CovariateFacts("rain", unit="mm", years=(1960, 1990), static=True)
            ),
            "caution",
            "all 2 epochs (2000-2004 to 2005-2009) lie wholly outside; only air changes between epochs",
        ),
    ],
    "nothing_changes_with_time": [
        Case(
            lambda: evidence(covariates=(SLOPE, ELEVATION)),
            "severe",
            "2 epochs are mapped",
            lambda: evidence(covariates=(SLOPE, ELEVATION), epochs=((2000, 2004),)),
        )
    ],
    "undated_covariate": [
        Case(
            lambda: with_covariate(
                lambda t: t["geology"], CovariateFacts("land_cover", kind="class", paths=("land.tif",))
            ),
            "note",
            "land_cover states no years and stands for 2000 to 2009",
        )
    ],
    "years_missing_in_windows": [
        Case(
            lambda: evidence(
                covariates=(
                    replace(AIR, made_from=("series",)),
                    CovariateFacts(
                        "series",
                        predictor=False,
                        valid_years="2000-2004: 5 of 5: 2000-2004; 2005-2009: 3 of 5: 2005-2007",
                    ),
                )
            ),
            "caution",
            "series, of which air is made, lacks years: 2005-2009 has 3 of 5 years",
            lambda: evidence(covariates=(replace(AIR, valid_years="5 of 5: 2000-2004"), SLOPE)),
        )
    ],
    "few_years_behind_values": [
        Case(changed(n_years=1), "caution", "240 of 240 site-epochs (100 %)"),
        Case(changed(n_years=[1, 5] * SITES), "note", "120 on a single year", changed(n_years=0)),
    ],
    "epochs_without_sites": [
        Case(
            lambda: evidence(epochs=((1990, 1994), (2000, 2004), (2005, 2009))),
            "caution",
            "1 of 3 epochs: 1990-1994",
        ),
        Case(
            lambda: evidence(rows().iloc[: SITES + 3]),
            "note",
            "2005-2009 has 3 sites",
        ),
    ],
    "outside_years_of_source": [
        Case(
            modis(years=(1996, 2005), varies=True),
            "severe",
            "lst is made from MODIS, which is there from 2000 on, taken for 1996-2000",
            # A stated climatology is told by another rule.
            modis(years=(2000, 2010), static=True),
        ),
        Case(modis(), "caution", "standing unchanged for 1996-2000"),
        Case(
            lambda: evidence(rows().assign(source="CALM", years=["1988,1990", "1991"] * SITES)),
            "caution",
            "120 of 240 site-epochs (50 %) of CALM are older than 1990",
            lambda: evidence(rows().assign(source="CALM", years="1990,1991")),
        ),
    ],
    "outside_latitudes_of_source": [
        Case(
            lambda: cropped_to(55.0, 65.0),
            "severe",
            "dem is made from SRTM, which ends at 56 S and 60 N",
            lambda: cropped_to(48.0, 59.0),
        )
    ],
    "target_out_of_range": [
        Case(
            lambda: evidence(rows().assign(value=lambda t: t["value"].where(t.index != 5, -41.0))),
            "fatal",
            "1 of 240 values (0.4 %) lie outside -30 to 30 degC, which cannot be: -41",
        ),
        Case(
            lambda: evidence(
                target=TargetFacts("mean_annual_ground_temperature", "degC", "value", (-90, 90))
            ),
            "caution",
            "Maps may hold -90 to 90 degC",
        ),
        Case(
            lambda: evidence(
                rows().assign(value=lambda t: 50.0 + t["air"].abs() + 1300.0 * (t.index == 3)),
                target=TargetFacts("active_layer_thickness", "cm", "value", (0.0, 2000.0)),
            ),
            "note",
            "which is rare: 13",
        ),
    ],
    "target_in_other_unit": [
        Case(lambda: evidence(rows().assign(value=lambda t: t["value"] + 273.15)), "fatal", "look like K"),
        Case(
            lambda: evidence(
                rows().assign(value=lambda t: 0.5 + t["air"].abs() / 30.0),
                target=TargetFacts("active_layer_thickness", "cm", "value", (0.0, 2000.0)),
            ),
            "fatal",
            "look like m, not cm",
            lambda: evidence(
                rows().assign(value=lambda t: 0.5 + t["air"].abs() / 30.0),
                target=TargetFacts("active_layer_thickness", "m", "value", (0.0, 20.0)),
            ),
        ),
        Case(
            lambda: evidence(presence().training.assign(value=50.0), target=presence().target), "fatal", "%"
        ),
    ],
    "few_independent_samples": [
        Case(
            lambda: evidence(correlation_range=5_000_000.0),
            "severe",
            "120 sites in 1 independent block stand against 5 columns (0.2 per column)",
        ),
        Case(lambda: evidence(correlation_range=1_200_000.0), "caution", "per column); residuals hang"),
        Case(
            lambda: evidence(learners=(LearnerFacts("quadratic_discriminant", parameters=500),)),
            "caution",
            "quadratic_discriminant estimates 500 numbers from 120 sites",
            lambda: evidence(learners=(LearnerFacts("quadratic_discriminant", parameters=30),)),
        ),
    ],
    "rare_class": [
        Case(one_class_in_a_block, "severe", "is not in each training set of block_500km", presence),
        Case(two_sites_of_a_class, "caution", "Class 1 has 3 sites for 5 folds", presence),
        Case(
            one_class,
            "fatal",
            "All 240 rows have the class 1",
            presence,
        ),
    ],
    "clustered_sites": [Case(clustered, "caution", "of the sites lie in 10 % of the area")],
    "rows_lost_to_gaps": [
        Case(
            lost,
            "caution",
            "60 of 300 site-epochs (20 %) at 60 sites are not used, as covariates have no value there; "
            "without value there: air (60)",
            lambda: evidence(unused=rows().head(60).assign(excluded="censored value")),
        )
    ],
    "unseen_covariate_values": [
        Case(
            lambda: evidence(domain=domain(rows()).assign(air=lambda d: d["air"] + 8.0)),
            "caution",
            "of the map lies outside what sites show in some covariate: air",
        ),
        Case(
            lambda: evidence(domain=domain(rows()).assign(geology=9.0)),
            "caution",
            "geology (100 %)",
        ),
    ],
}
"""Rule -> cases."""
