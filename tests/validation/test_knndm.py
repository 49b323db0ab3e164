"""kNNDM as published: against R's CAST, against a plain program of the rule, and with whole sites."""

import json
import math
import time
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sites import clustered, domain, great_circle, sites, split
from scipy.spatial.distance import cdist
from scipy.stats import ks_2samp

from permagrid.errors import PermagridError
from permagrid.validation import FOLDS, fold_distances
from permagrid.validation.knndm import first_component
from permagrid.validation.matching import closer_p_value, match, tree_clusters

CAST = json.loads((Path(__file__).parent / "knndm_reference" / "cases.json").read_text(encoding="utf-8"))


def situation(case):
    """Return distances among sites, those of prediction points to the nearest, and coordinates."""
    here, there = np.array(case["sites"]), np.array(case["domain"])
    if case["space"] == "feature":
        mean, spread = here.mean(axis=0), here.std(axis=0, ddof=1)
        here, there = (here - mean) / spread, (there - mean) / spread
    if case["space"] == "great_circle":
        among = great_circle(*here.T[:, :, np.newaxis], *here.T[:, np.newaxis])
        return among, great_circle(*there.T[:, :, np.newaxis], *here.T[:, np.newaxis]).min(axis=1), here
    return cdist(here, here), cdist(there, here).min(axis=1), here


def same_parts(one, other):
    return len(set(zip(one, other, strict=True))) == len(set(one)) == len(set(other))


@pytest.mark.parametrize("name", CAST)
def test_folds_and_distance_are_those_of_cast(name):
    case, expected = CAST[name], CAST[name]["expected"]
    among, to_map, here = situation(case)
    nearest = np.where(np.eye(len(among)) > 0, np.inf, among).min(axis=1)
    assert closer_p_value(nearest, to_map) == pytest.approx(expected["p"], abs=1e-12)
    assert expected["random"] == (name in ("regular", "random"))
    if expected["random"]:
        return
    score = (here - here.mean(axis=0)) @ np.array(expected["loadings"])
    # The sign of a component is its library's own; all else is ours.
    np.testing.assert_allclose(np.abs(first_component(here)), np.abs(score), atol=1e-9 * np.abs(score).max())
    rule = {"n_folds": case["n_folds"], "max_share": case["max_share"], "rows": np.ones(len(here), dtype=int)}
    found = match(among, to_map, score, tree_clusters(among), **rule)
    assert found.clusters.max() + 1 == expected["clusters"]
    assert same_parts(found.labels.tolist(), expected["folds"])
    # sf takes a sphere that is larger by two parts in ten million.
    tolerance = 1e-6 if case["space"] == "great_circle" else 1e-12
    assert found.wasserstein == pytest.approx(expected["wasserstein"], rel=tolerance)


def plain_ward(apart, count):
    """Return clusters by joining, again and again, the two whose join adds least to the squares within."""
    members = [[i] for i in range(len(apart))]
    square = [[apart[i][j] ** 2 for j in range(len(apart))] for i in range(len(apart))]
    while len(members) > count:
        pairs = [(square[i][j], i, j) for i in range(len(members)) for j in range(i)]
        least, i, j = min(pairs)
        a, b = len(members[i]), len(members[j])
        for k in range(len(members)):
            c = len(members[k])
            joined = ((a + c) * square[i][k] + (b + c) * square[j][k] - c * least) / (a + b + c)
            square[j][k] = square[k][j] = joined
        members[j] += members[i]
        del members[i], square[i]
        for row in square:
            del row[i]
    return [next(number for number, own in enumerate(members) if i in own) for i in range(len(apart))]


def plain_area(one, other, weights):
    """Return the area between two distribution functions, the first one weighted."""
    ends = sorted({*one, *other})
    total = 0.0
    for low, high in pairwise(ends):
        here = sum(w for x, w in zip(one, weights, strict=True) if x <= low) / sum(weights)
        there = sum(x <= low for x in other) / len(other)
        total += abs(here - there) * (high - low)
    return total


def plain_rule(among, to_map, score, rows, n_folds, max_share):
    """Return folds and W of the published rule, number of clusters by number of clusters."""
    n, best = len(among), (math.inf, None, 0)
    step = (math.log(n - 2) - math.log(n_folds)) / 99
    for count in sorted({round(math.exp(math.log(n_folds) + step * turn)) for turn in range(100)}):
        clusters = plain_ward(among, count)
        own = {c: [i for i in range(n) if clusters[i] == c] for c in set(clusters)}
        along = sorted(own, key=lambda c: sum(score[i] for i in own[c]) / len(own[c]))
        large = [c for c in along if sum(rows[i] for i in own[c]) >= sum(rows) / n_folds]
        fold = {c: number for number, c in enumerate(large)}
        free = [number for number in range(n_folds) if number not in fold.values()]
        for turn, c in enumerate(c for c in along if c not in large):
            fold[c] = free[turn % len(free)]
        labels = [fold[c] for c in clusters]
        sizes = [sum(rows[i] for i in range(n) if labels[i] == number) for number in range(n_folds)]
        if max(sizes) > max_share * sum(rows):
            continue
        apart = [min(among[i][j] for j in range(n) if labels[j] != labels[i]) for i in range(n)]
        distance = plain_area(apart, to_map, rows)
        if distance < best[0] * (1 - 1e-12):
            best = distance, labels, count
    return best


def plain_component(points):
    """Return the first principal component by multiplying with the covariance again and again."""
    centred = np.asarray(points) - np.mean(points, axis=0)
    covariance, vector = centred.T @ centred, np.array([0.3, 0.5, 0.7][: len(points[0])])
    for _ in range(20_000):
        vector = covariance @ vector
        vector /= np.linalg.norm(vector)
    return centred @ vector * np.sign(vector[np.abs(vector).argmax()])


def cloud(kind):
    random = np.random.default_rng(5)
    n = 36
    if kind == "clustered":
        middle = np.stack([random.uniform(60, 100, 6), random.uniform(60, 75, 6)], axis=1)
        at = middle[np.arange(n) % 6] + random.normal(0, [0.8, 0.3], (n, 2))
    elif kind == "regular":
        grid = np.stack(np.meshgrid(np.arange(6), np.arange(6)), axis=-1).reshape(-1, 2)
        at = [60, 60] + grid * [2.0, 0.8] + random.normal(0, 0.02, (n, 2))
    elif kind == "random":
        at = np.stack([random.uniform(60, 75, n), random.uniform(60, 66, n)], axis=1)
    elif kind == "two clusters far apart":
        at = np.where(np.arange(n)[:, np.newaxis] % 2, [-120.0, 65.0], [100.0, 70.0]) + random.normal(
            0, 0.7, (n, 2)
        )
    else:
        middle = np.stack([random.uniform(165, 200, 5), random.uniform(62, 70, 5)], axis=1)
        at = middle[np.arange(n) % 5] + random.normal(0, [0.8, 0.3], (n, 2))
    return (at[:, 0] + 180) % 360 - 180, at[:, 1]


@pytest.mark.parametrize(("rows_per_site", "n_folds", "max_share"), [(1, 4, 0.6), (3, 3, 0.4), (2, 5, 0.3)])
@pytest.mark.parametrize(
    "kind", ["clustered", "regular", "random", "two clusters far apart", "over the dateline"]
)
def test_folds_are_those_of_a_plain_program_of_the_rule(kind, rows_per_site, n_folds, max_share):
    longitude, latitude = cloud(kind)
    n, points = len(longitude), domain(120)
    counts = np.ones(n, dtype=int) if rows_per_site == 1 else 1 + np.arange(n) % rows_per_site
    of = np.repeat(np.arange(n), counts)
    table = pd.DataFrame({"site_group": of, "longitude": longitude[of], "latitude": latitude[of]})
    folds = FOLDS["knndm"](table, points, n_folds=n_folds, max_share=max_share)
    among = great_circle(longitude[:, np.newaxis], latitude[:, np.newaxis], longitude, latitude)
    there = great_circle(
        points["longitude"].to_numpy()[:, np.newaxis],
        points["latitude"].to_numpy()[:, np.newaxis],
        longitude,
        latitude,
    )
    x = np.cos(np.radians(latitude)) * np.cos(np.radians(longitude))
    y = np.cos(np.radians(latitude)) * np.sin(np.radians(longitude))
    score = plain_component(np.stack([x, y, np.sin(np.radians(latitude))], axis=1).tolist())
    order = np.lexsort([latitude, longitude])
    listed = among[np.ix_(order, order)].tolist()
    situation = (listed, there.min(axis=1).tolist(), score[order].tolist(), counts[order].tolist())
    distance, labels, count = plain_rule(*situation, n_folds, max_share)
    assert folds.record["clusters"] == count
    assert folds.record["wasserstein"] == pytest.approx(distance, rel=1e-6)
    by_row = np.empty(n, dtype=int)
    by_row[order] = labels
    assert same_parts(folds.numbers().tolist(), by_row[of].tolist())
    told = fold_distances(table, folds, points)
    assert told.wasserstein == pytest.approx(distance, rel=1e-6)


def test_a_hundred_numbers_of_clusters_are_tried_evenly_in_their_logarithm():
    table, tried = clustered(300, 20), []
    places = table[["longitude", "latitude"]].to_numpy()
    among = cdist(places, places)
    cut = tree_clusters(among)

    def watched(count):
        tried.append(count)
        return cut(count)

    rule = {"rows": np.ones(300, dtype=int), "n_folds": 5, "max_share": 0.5}
    match(among, among[0], places[:, 1], watched, **rule)
    steps = [5 * (298 / 5) ** (turn / 99) for turn in range(100)]
    assert tried == sorted({round(step) for step in steps})
    assert [len(np.unique(cut(count))) for count in tried] == tried


def test_sites_that_fill_the_map_evenly_are_dealt_at_random():
    table = domain(200, seed=3).assign(site_group=range(200), value=0.0)
    folds = FOLDS["knndm"](table, domain(400), n_folds=5)
    assert folds.record["p_value"] >= 0.05
    assert "clusters" not in folds.record
    assert "dealt at random" in folds.method
    assert [len(test) for _, test in folds] == [40] * 5
    assert (split(folds) != split(FOLDS["knndm"](table, domain(400), n_folds=5, seed=1))).any()
    told = fold_distances(table, folds, domain(400))
    assert told.wasserstein == pytest.approx(folds.record["wasserstein"], rel=1e-9)


def permuted_p_value(here, there):
    """Return the one-sided p-value by all ways of calling the values of two small samples."""
    both = np.concatenate([here, there])

    def above(first):
        one = both[list(first)]
        two = np.delete(both, list(first))
        return max((one <= x).mean() - (two <= x).mean() for x in both)

    found = above(range(len(here)))
    drawn = [above(first) for first in combinations(range(len(both)), len(here))]
    return np.mean(np.array(drawn) >= found - 1e-9)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 8), min_size=2, max_size=5), st.lists(st.integers(0, 8), min_size=2, max_size=5)
)
def test_small_samples_are_tested_exactly_ties_and_all(here, there):
    one, two = np.array(here, dtype=float), np.array(there, dtype=float)
    assert closer_p_value(one, two) == pytest.approx(permuted_p_value(one, two), abs=1e-9)


def test_samples_without_ties_are_tested_as_by_scipy():
    random = np.random.default_rng(2)
    for n, m, shift in [(20, 30, 0.3), (60, 90, 0.2), (40, 200, -0.1)]:
        one, two = random.normal(0, 1, n), random.normal(shift, 1, m)
        exact = ks_2samp(one, two, alternative="greater", method="exact").pvalue
        assert closer_p_value(one, two) == pytest.approx(exact, rel=1e-7)
    one, two = random.normal(0, 1, 200), random.normal(0.1, 1, 1000)
    statistic = ks_2samp(one, two, alternative="greater").statistic
    assert closer_p_value(one, two) == pytest.approx(np.exp(-2 * statistic**2 * 200 * 1000 / 1200))


@pytest.mark.parametrize("space", ["geographic", "feature"])
@pytest.mark.parametrize("clustering", ["hierarchical", "kmeans"])
def test_clusters_stay_together_and_folds_resemble_the_map(space, clustering):
    table, points = clustered(80, 10, rows_per_site=3), domain(500)
    points["air"] = np.random.default_rng(1).uniform(-9, 19, 500)
    keywords = {"space": space, "clustering": clustering, "covariates": ["air", "snow"]}
    folds = FOLDS["knndm"](table, points, n_folds=5, **keywords)
    assert "clusters" in folds.record
    assert 5 <= folds.record["clusters"] == len(np.unique(folds.groups))
    assert max(len(test) for _, test in folds) <= 0.5 * len(table)
    assert (
        folds.name
        == f"knndm{'_feature' if space == 'feature' else ''}{'_kmeans' if clustering == 'kmeans' else ''}"
    )
    distances = [
        fold_distances(table, scheme, points, space=space, covariates=["air", "snow"]).wasserstein
        for scheme in (folds, FOLDS["site"](table, n_folds=5), FOLDS["random"](table, n_folds=5))
    ]
    assert distances == sorted(distances)
    random = np.random.default_rng(0)
    order = random.permutation(len(table))
    moved = table.iloc[order].assign(site_group=-table["site_group"])
    again = FOLDS["knndm"](moved, points, n_folds=5, **keywords)
    assert again.record == folds.record
    assert (split(again) == split(folds)[:, order]).all()


def test_classes_are_told_apart_by_gower():
    table, points = clustered(50, 5), domain(200)
    soil = {name: np.sign(t["air"] - 1).to_numpy() * 3 for name, t in {"sites": table, "map": points}.items()}
    table, points = table.assign(soil=soil["sites"]), points.assign(soil=soil["map"])
    keywords = {"space": "feature", "covariates": ["air", "soil"], "classes": ["soil"], "n_folds": 4}
    folds = FOLDS["knndm"](table, points, **keywords)
    assert "Gower" in folds.method
    # Other codes are the same classes.
    again = FOLDS["knndm"](
        table.assign(soil=-table["soil"] * 7), points.assign(soil=-points["soil"] * 7), **keywords
    )
    assert again.record["p_value"] == folds.record["p_value"]
    with pytest.raises(PermagridError, match="k-means has no means of classes"):
        FOLDS["knndm"](table, points, clustering="kmeans", **keywords)


def test_the_map_has_a_say():
    table = clustered(60, 6)
    near = table[["longitude", "latitude", "air", "snow"]].assign(epoch="1990")
    near["latitude"] += 0.01
    close, far = (FOLDS["knndm"](table, points, n_folds=5) for points in (near, domain()))
    assert "clusters" not in close.record
    assert "clusters" in far.record


@pytest.mark.parametrize(
    ("change", "keywords", "message"),
    [
        (lambda t, d: (t, None), {}, "knndm needs prediction points of the map to be made"),
        (lambda t, d: (t, d[:0]), {}, "none of 0 prediction points has all of longitude, latitude"),
        (lambda t, d: (t[:6], d), {"n_folds": 5}, "kNNDM into 5 folds needs 7 sites, found 6"),
        (lambda t, d: (t, d), {"n_folds": 3, "max_share": 0.334}, "use a larger max_share or fewer folds"),
        (lambda t, d: (t, d), {"space": "feature", "covariates": ["rain"]}, "no covariate 'rain'"),
        (lambda t, d: (t, d), {"space": "feature", "classes": ["soil"]}, "no covariate 'soil'"),
        (lambda t, d: (t.assign(air=np.nan), d), {"space": "feature"}, "60 of 60 rows lack a covariate"),
        (lambda t, d: (t.assign(air=1.0, snow=2.0), d), {"space": "feature"}, "all covariates are constant"),
        (lambda t, d: (t, d.assign(air=np.nan)), {"space": "feature"}, "none of 300 prediction points has"),
    ],
)
def test_what_cannot_be_matched_is_refused_in_one_sentence(change, keywords, message):
    table, points = change(clustered(60, 6), domain())
    with pytest.raises(PermagridError, match=message):
        FOLDS["knndm"](table, points, **keywords)


def test_prediction_points_without_a_covariate_are_left_out():
    table, points = clustered(60, 6), domain(300)
    holes = points.assign(air=points["air"].where(points.index % 2 == 0))
    folds = FOLDS["knndm"](table, holes, space="feature", n_folds=5)
    assert folds.record == FOLDS["knndm"](table, points[::2], space="feature", n_folds=5).record


def test_two_thousand_sites_take_seconds():
    table, points = sites(2000, rows_per_site=1), domain(1000)
    begin = time.perf_counter()
    folds = FOLDS["knndm"](table.assign(longitude=table["longitude"].round(-1) + table["air"] / 50), points)
    assert folds.record["clusters"] > 10
    assert time.perf_counter() - begin < 30
