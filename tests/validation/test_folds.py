"""Folds never split what they keep together, depend on neither labels nor the order of rows, and are a cv."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from made_sites import METHODS, clustered, domain, sites, split
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import check_cv, cross_val_predict, cross_val_score

from permagrid.errors import PermagridError
from permagrid.validation import FOLDS, Folds

REPEATED = ("random", "holdout", "site", "block")
SPATIAL = ("site", "block", "buffered_leave_one_out", "region", "knndm")
WHOLE = ("site", "buffered_leave_one_out", "knndm", "region", "block")
DRAWN = {**{method: METHODS[method] for method in REPEATED}, "buffered_leave_one_out": {"n_folds": 40}}


def test_every_scheme_of_the_table_is_tested_here():
    assert set(FOLDS) == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_each_row_is_tested_once_and_never_trained_on_in_that_fold(method):
    table = sites()
    folds = FOLDS[method](table, domain(), seed=3, **METHODS[method])
    found = split(folds)
    assert set(np.unique(found)) <= {0, 1, 2}
    tested = (found == 2).sum(axis=0)
    assert set(tested) == ({0, 1} if method == "holdout" else {1})
    assert folds.all_tested == (method != "holdout")
    assert folds.spatial == (method in SPATIAL)
    if method != "buffered_leave_one_out":
        assert (found > 0).all()


@pytest.mark.parametrize("method", REPEATED)
def test_repeats_are_rounds_that_each_test_all_again_in_another_deal(method):
    table = sites()
    keywords = {**METHODS[method], "repeats": 3}
    folds = FOLDS[method](table, seed=3, **keywords)
    once = FOLDS[method](table, seed=3, **METHODS[method])
    assert [len(part) for part in folds.rounds] == [len(once)] * 3
    assert (folds.numbers(0) == once.numbers()).all()
    assert (folds.numbers(1) != once.numbers()).any()
    for number in range(3):
        tested = np.sort(np.concatenate([test for _, test in folds.rounds[number]]))
        assert len(np.unique(tested)) == len(tested) == (120 if method == "holdout" else 400)
    assert folds.name != once.name


@pytest.mark.parametrize("method", WHOLE)
def test_a_place_is_never_in_train_and_test(method):
    table = sites()
    # Rows of one place lie on two sides of the edge of a block.
    table["longitude"] += np.tile([-0.5, 0.5], len(table) // 2)
    for train, test in FOLDS[method](table, domain(), **METHODS[method]):
        assert not set(table["site_group"].iloc[train]) & set(table["site_group"].iloc[test])


def test_folds_of_sites_share_groups_with_the_bootstrap():
    table = sites()
    for method in ("random", "site", "holdout", "epoch", "buffered_leave_one_out"):
        groups = FOLDS[method](table, **METHODS[method]).groups
        assert len(set(zip(groups, table["site_group"], strict=True))) == table["site_group"].nunique()


@pytest.mark.parametrize("method", DRAWN)
def test_the_same_seed_gives_the_same_folds_and_another_seed_others(method):
    table, keywords = sites(), {**METHODS[method], **DRAWN[method]}
    one, two, three = (FOLDS[method](table, seed=seed, **keywords) for seed in (1, 1, 2))
    assert (split(one) == split(two)).all()
    assert (split(one) != split(three)).any()


@st.composite
def small_tables(draw):
    """Return sites of one to three rows at places of their own, with covariates."""
    places = draw(
        st.lists(
            st.tuples(st.floats(-180, 179.99).map(lambda x: round(x, 2)), st.floats(-85, 85)),
            min_size=8,
            max_size=20,
            unique_by=lambda place: place[0],
        )
    )
    rows = np.repeat(
        np.arange(len(places)), draw(st.lists(st.integers(1, 3), min_size=20)).__getitem__(slice(len(places)))
    )
    longitude, latitude = np.array(places).T
    random = np.random.default_rng(draw(st.integers(0, 99)))
    return pd.DataFrame(
        {
            "site_group": rows,
            "longitude": longitude[rows],
            "latitude": latitude[rows],
            "epoch": pd.Series(rows).groupby(rows).cumcount().map("{:d}".format),
            "value": random.integers(0, 2, len(rows)).astype(float),
            "air": random.normal(0, 1, len(rows)).round(3),
            "snow": longitude[rows],
        }
    )


SMALL = {
    **METHODS,
    "random": {"n_folds": 3, "repeats": 2},
    "site": {"n_folds": 3, "repeats": 2},
    "block": {"size": 2e6, "n_folds": 3, "balance": True, "repeats": 2},
    "buffered_leave_one_out": {"radius": 1e4, "n_folds": 4},
    "knndm": {"n_folds": 3, "max_share": 0.9},
    "knndm feature": {"n_folds": 3, "max_share": 0.9, "space": "feature"},
    "knndm kmeans": {"n_folds": 3, "max_share": 0.9, "clustering": "kmeans"},
}


@pytest.mark.parametrize("name", SMALL)
@settings(max_examples=15, deadline=None)
@given(table=small_tables(), seed=st.integers(0, 50), points=st.integers(0, 5))
def test_neither_the_order_of_rows_nor_the_names_of_sites_change_a_fold(name, table, seed, points):
    method, keywords = name.split()[0], SMALL[name]
    try:
        folds = FOLDS[method](table, domain(60, seed=points), seed=seed, **keywords)
    except PermagridError:
        reject()
    random = np.random.default_rng(seed)
    order = random.permutation(len(table))
    names = random.permutation(1000)[:100]
    moved = table.iloc[order].reset_index(drop=True)
    moved["site_group"] = [f"s{names[group]}" for group in moved["site_group"]]
    again = FOLDS[method](moved, domain(60, seed=points)[::-1], seed=seed, **keywords)
    assert again.method == folds.method
    assert again.record == folds.record
    assert (split(again) == split(folds)[:, order]).all()
    assert (again.groups == folds.groups[order]).all()


@pytest.mark.parametrize("method", ["random", "holdout"])
def test_stratified_folds_hold_equal_shares_of_the_classes(method):
    table = sites()
    table["value"] = (np.arange(len(table)) % 10 == 0).astype(float)
    folds = FOLDS[method](table, stratified=True)
    share = {"random": 4, "holdout": 12}[method]
    for _, test in folds:
        assert table["value"].iloc[test].sum() == share
        assert len(test) == 10 * share


def test_stratified_folds_of_a_quantity_hold_equal_shares_of_its_tenths():
    table = sites()
    table["value"] = np.random.default_rng(1).normal(0, 1, len(table))
    tenth = table["value"].rank().sub(1).floordiv(40)
    for _, test in FOLDS["random"](table, n_folds=5, stratified=True):
        assert tenth.iloc[test].value_counts().tolist() == [8] * 10


def test_a_holdout_of_all_rows_is_drawn_without_regard_to_classes_where_asked():
    folds = FOLDS["holdout"](sites(), test_share=0.25, stratified=False, repeats=4)
    assert [len(test) for _, test in folds] == [100] * 4
    assert len(folds.rounds) == folds.repeats == 4


def test_epochs_are_held_out_whole_with_sites_on_both_sides():
    table = sites()
    folds = FOLDS["epoch"](table)
    for train, test in folds:
        assert table["epoch"].iloc[test].nunique() == 1
        assert not set(table["epoch"].iloc[train]) & set(table["epoch"].iloc[test])
        assert set(table["site_group"].iloc[train]) == set(table["site_group"].iloc[test])
    assert "with the sites that are trained on" in folds.method


@pytest.mark.parametrize("method", METHODS)
def test_folds_are_a_cv_of_scikit_learn(method):
    table = sites()
    folds = FOLDS[method](table, domain(), **METHODS[method])
    X, y = table[["longitude", "latitude"]].to_numpy(), table["latitude"].to_numpy() ** 2
    assert check_cv(folds, y).get_n_splits(X, y) == len(folds)
    assert len(cross_val_score(LinearRegression(), X, y, cv=folds)) == len(folds)
    if folds.all_tested:
        predicted = cross_val_predict(LinearRegression(), X, y, cv=folds)
        by_hand = np.empty(len(y))
        for train, test in folds:
            by_hand[test] = LinearRegression().fit(X[train], y[train]).predict(X[test])
        np.testing.assert_allclose(predicted, by_hand)


@pytest.mark.parametrize(
    ("method", "keywords", "message"),
    [
        ("random", {"n_folds": 500}, "400 rows cannot make 500 folds"),
        ("random", {"n_folds": 1}, "n_folds must be 2 or more, found 1"),
        ("random", {"repeats": 0}, "repeats must be 1 or more, found 0"),
        ("random", {"n_folds": 250, "stratified": True}, "rows of the rarest class cannot make 250 folds"),
        ("holdout", {"test_share": 1.0}, "test_share must be above 0 and below 1, found 1.0"),
        ("holdout", {"test_share": 0.001}, "400 rows cannot be held out by a share of 0.001"),
        ("holdout", {"repeats": 0}, "repeats must be 1 or more"),
        ("site", {"n_folds": 0}, "n_folds must be 2 or more, found 0"),
        ("site", {"n_folds": 101}, "100 sites cannot make 101 folds"),
        ("block", {"size": 1e8}, "blocks of 100000 km cannot make 2 folds"),
        ("block", {"size": 0.0}, "block size must be above 0 m"),
        ("block", {"size": float("nan")}, "block size must be above 0 m"),
        ("block", {"size": 1e6, "n_folds": 0}, "n_folds must be 2 or more"),
        ("block", {"size": 1e6, "n_folds": 3, "repeats": -1}, "repeats must be 1 or more"),
        ("block", {"size": 1e6, "repeats": 2}, "repeats and balance need n_folds"),
        ("block", {"size": 1e6, "balance": True}, "repeats and balance need n_folds"),
        ("block", {"size": "residual_variogram"}, "needs residuals of a learner"),
        ("block", {"size": 1e6, "n_folds": 3, "buffer": 9e6}, "use a smaller buffer"),
        ("block", {"size": 1e6, "n_folds": 3, "buffer": -1.0}, "buffer must be above 0 m, found -1"),
        ("buffered_leave_one_out", {"radius": 0.0}, "radius must be above 0 m, found 0"),
        ("buffered_leave_one_out", {"radius": 2.1e7}, "use a smaller radius"),
        ("buffered_leave_one_out", {"radius": 1e5, "n_folds": 101}, "100 sites cannot make 101 folds"),
        ("knndm", {"max_share": 0.1}, "max_share must be above 1 / n_folds = 0.1 and below 1, found 0.1"),
        ("knndm", {"n_folds": 0}, "max_share must be above"),
        ("knndm", {"n_folds": 1, "max_share": 0.9}, "max_share must be above"),
    ],
)
def test_folds_that_cannot_be_made_are_refused_in_one_sentence(method, keywords, message):
    with pytest.raises(PermagridError, match=message):
        FOLDS[method](sites(), domain(), **keywords)


def test_rows_without_a_place_or_an_epoch_are_refused():
    table = sites()
    with pytest.raises(PermagridError, match="2 of 400 rows have no coordinates"):
        FOLDS["site"](table.assign(longitude=table["longitude"].where(table.index > 1)))
    with pytest.raises(PermagridError, match="no epochs that could be held out"):
        FOLDS["epoch"](table.drop(columns="epoch"))
    with pytest.raises(PermagridError, match="1 epochs cannot make 2 folds"):
        FOLDS["epoch"](table[table["epoch"] == "1980"])


def test_folds_that_leak_are_refused():
    rows, groups = np.arange(4), np.array([0, 0, 1, 1])
    pairs = ((rows[[0, 2]], rows[[1, 3]]),)
    with pytest.raises(PermagridError, match="trains and tests on one group in fold 0"):
        Folds("own", "by hand", pairs, groups)
    assert len(Folds("random", "by hand", pairs, groups, spatial=False)) == 1
    with pytest.raises(PermagridError, match="trains and tests on one row in fold 0"):
        Folds("random", "by hand", ((rows[:3], rows[2:]),), groups, spatial=False)


def test_rounds_that_are_none_are_refused():
    rows, groups = np.arange(4), np.arange(4)
    twice = ((rows[2:], rows[:2]), (rows[[0, 3]], rows[[1, 2]]))
    with pytest.raises(PermagridError, match="own tests a row more than once in round 0"):
        Folds("own", "by hand", twice, groups)
    assert [len(part) for part in Folds("own", "by hand", twice, groups, repeats=2).rounds] == [1, 1]
    with pytest.raises(PermagridError, match="has 2 folds, which are not 3 equal rounds"):
        Folds("own", "by hand", twice, groups, repeats=3)
    with pytest.raises(PermagridError, match="has 0 folds"):
        Folds("own", "by hand", (), groups)
    with pytest.raises(PermagridError, match="has no training rows in fold 0"):
        Folds("own", "by hand", ((rows[:0], rows),), groups)
    with pytest.raises(PermagridError, match="has no test rows in fold 0"):
        Folds("own", "by hand", ((rows, rows[:0]),), groups)


def test_folds_print_what_they_are():
    told = str(FOLDS["site"](sites(), n_folds=3, repeats=2))
    assert told.splitlines() == [
        "site_2x3: 2 times 3 folds of whole sites",
        "3 folds in each of 2 rounds, 400 rows, 100 groups that are never split",
        "rows tested per fold: 132 to 136",
        "rows trained on per fold: 264 to 268",
    ]
    matched = FOLDS["knndm"](clustered(), domain(), n_folds=5)
    assert f"wasserstein: {matched.record['wasserstein']:.6g}" in str(matched)
    assert f"clusters: {matched.record['clusters']}" in str(matched)
