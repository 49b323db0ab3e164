"""Importances find what a target is made of, add up, and depend neither on row order nor on workers."""

from dataclasses import replace
from functools import partial
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsRegressor

from permagrid.errors import PermagridError
from permagrid.learners import build_learner
from permagrid.validation import (
    Candidate,
    Choice,
    Folds,
    correlated_groups,
    fit,
    fitted_importance,
    out_of_fold,
    permutation_importance,
    site,
)
from permagrid.validation.importance import COLUMNS, canonical_order
from permagrid.validation.importance_fitted import impurity, shapley_values
from permagrid.validation.importance_groups import associations

COVARIATES = ("air", "snow", "noise")


def rows_of(n=200, *, seed=0):
    random = np.random.default_rng(seed)
    table = pd.DataFrame({name: random.normal(size=n) for name in COVARIATES})
    table["value"] = 3.0 * table["air"] + table["snow"] + random.normal(0, 0.5, n)
    table["site_id"] = table["site_group"] = np.arange(n) // 2
    table["longitude"] = random.uniform(-180, 180, n // 2).repeat(2)
    table["latitude"] = random.uniform(60, 80, n // 2).repeat(2)
    table["epoch"] = np.tile(["1990", "2000"], n // 2)
    return table


def linear(covariates=COVARIATES):
    return Candidate.of(LinearRegression(), covariates)


def test_what_matters_ranks_first_and_noise_is_worth_nothing():
    table = rows_of()
    found = permutation_importance(linear(), table, site(table, n_folds=5), seed=1)
    assert list(found.columns) == COLUMNS
    assert found["group"].tolist() == ["air", "snow", "noise"]
    assert found["rank"].tolist() == [1, 2, 3]
    assert set(found["folds"]) == {"site"}
    assert set(found["measure"]) == {"squared error"}
    assert (found["low"] <= found["importance"]).all()
    assert (found["importance"] <= found["high"]).all()
    assert (found["low"][:2] > 0).all()
    assert found.loc[2, "low"] < 0.05
    assert abs(found.loc[2, "importance"]) < 0.05


def test_a_linear_learner_loses_twice_the_variance_that_a_covariate_explains():
    table = rows_of(600)
    found = permutation_importance(linear(), table, site(table, n_folds=5), repeats=20)
    wanted = {"air": 2 * 9.0 * table["air"].var(), "snow": 2 * table["snow"].var()}
    for name, value in wanted.items():
        assert found.set_index("group").loc[name, "importance"] == pytest.approx(value, rel=0.1)


def test_values_come_from_tested_rows_and_predictions_from_learners_that_did_not_see_them():
    """The same by hand: every fold fitted, its test rows given the values of a row of the round."""
    table = rows_of(40)
    scheme = site(table, n_folds=4)
    found = permutation_importance(linear(), table, scheme, repeats=1, seed=3).set_index("group")
    order = canonical_order(table, COVARIATES)
    source = np.arange(40)
    source[order] = np.random.default_rng([3, 0, 0]).permutation(order)
    losses = {}
    for name in (None, *COVARIATES):
        loss = np.empty(40)
        for train, test in scheme:
            model = LinearRegression().fit(
                table.loc[train, [*COVARIATES]].to_numpy(), table.loc[train, "value"]
            )
            rows = table.loc[test, [*COVARIATES]].copy()
            if name:
                rows[name] = table[name].to_numpy()[source[test]]
            loss[test] = (model.predict(rows.to_numpy()) - table.loc[test, "value"]) ** 2
        losses[name] = loss
    for name in COVARIATES:
        assert found.loc[name, "importance"] == pytest.approx(np.mean(losses[name] - losses[None]))


def test_covariates_that_stand_in_for_one_another_are_worth_more_together():
    table = rows_of(300)
    table["air_again"] = table["air"] + np.random.default_rng(9).normal(0, 0.05, 300)
    names = ("air", "air_again", "snow")
    forest = Candidate.of(RandomForestRegressor(40, max_features=1, random_state=0), names)
    scheme = site(table, n_folds=3)
    groups = correlated_groups(table, names)
    assert groups == {"air + 1": ("air", "air_again"), "snow": ("snow",)}
    alone = permutation_importance(forest, table, scheme).set_index("group")["importance"]
    together = permutation_importance(forest, table, scheme, groups=groups).set_index("group")
    assert together.loc["air + 1", "covariates"] == "air, air_again"
    assert together.loc["air + 1", "importance"] > 1.3 * (alone["air"] + alone["air_again"])
    # The deal is the same whatever else is dealt.
    assert together.loc["snow", "importance"] == alone["snow"]


def test_classes_lose_in_brier_score():
    table = rows_of()
    table["value"] = (table["value"] > 0).astype(float)
    scheme, classes = site(table, n_folds=4), np.array([0.0, 1.0])
    candidate = Candidate.of(LogisticRegression(), COVARIATES)
    found = permutation_importance(candidate, table, scheme, classes=classes)
    assert found["group"].tolist()[:2] == ["air", "snow"]
    assert set(found["measure"]) == {"Brier score"}
    # Of all permutations of two values, predictions cannot get worse than always wrong.
    assert found["importance"].between(-0.1, 1.0).all()
    shares = {**{name: (name,) for name in COVARIATES}, "all": COVARIATES}
    every = permutation_importance(candidate, table, scheme, classes=classes, groups=shares, repeats=20)
    brier = ((out_of_fold(candidate, table, scheme, classes=classes)[0, :, 1] - table["value"]) ** 2).mean()
    everything = every.set_index("group").loc["all", "importance"]
    # Two independent draws of presence differ in half of all cases, and sharp predictions err in these.
    assert 0.35 < everything + brier < 0.5


def test_folds_of_one_row_tell_as_much_as_folds_of_many():
    table = rows_of(80)
    wide = permutation_importance(linear(), table, site(table, n_folds=5), repeats=10)
    narrow = permutation_importance(linear(), table, site(table, n_folds=40), repeats=10)
    assert narrow["importance"].tolist() == pytest.approx(wide["importance"].tolist(), rel=0.1, abs=0.05)


def test_rows_that_no_fold_tests_have_no_part():
    table = rows_of(60)
    train, test = np.arange(20, 60), np.arange(20)
    scheme = Folds("holdout", "a third", ((train, test),), table["site_group"].to_numpy())
    plain = permutation_importance(linear(), table, scheme)
    assert plain["importance"].notna().all()
    assert plain["low"].notna().all()
    wild = table.copy()
    # What the rest is dealt would change if its covariates had a part in it; what is learned stays.
    wild.loc[train, "longitude"] = wild.loc[train, "longitude"] * 0.5
    assert permutation_importance(linear(), wild, scheme)["importance"].tolist() == (
        plain["importance"].tolist()
    )


def test_a_fold_of_one_class_loses_nothing():
    table = rows_of(20)
    table["value"] = (np.arange(20) < 4).astype(float)
    first, rest = np.arange(4), np.arange(4, 20)
    scheme = Folds("site", "two", ((rest, first), (first, rest)), table["site_group"].to_numpy())
    candidate = Candidate.of(LogisticRegression(), COVARIATES)
    found = permutation_importance(candidate, table, scheme, classes=np.array([0.0, 1.0]))
    assert found[["importance", "low", "high"]].to_numpy().tolist() == [[0.0] * 3] * 3


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_nothing(seed):
    table = rows_of(60)
    scheme = site(table, n_folds=3, repeats=2)
    order = np.random.default_rng(seed).permutation(60)
    place = np.argsort(order)
    pairs = tuple((np.sort(place[train]), np.sort(place[test])) for train, test in scheme)
    mixed = Folds(scheme.name, "the same", pairs, scheme.groups[order], repeats=2)
    shuffled = table.iloc[order].reset_index(drop=True)
    # Neighbours by distance: no sums whose last digit depends on the order of training rows.
    candidate = Candidate.of(KNeighborsRegressor(3), COVARIATES)
    plain = permutation_importance(candidate, table, scheme)
    other = permutation_importance(candidate, shuffled, mixed)
    pd.testing.assert_frame_equal(plain, other, rtol=1e-12)
    fitted = fit(candidate, table)
    pd.testing.assert_frame_equal(
        fitted_importance(fitted, table, rows=20), fitted_importance(fitted, shuffled, rows=20), rtol=1e-12
    )


def chooses_air(candidate, rows):
    """Choose a single covariate, the one that goes best with the value."""
    best = max(candidate.covariates, key=lambda name: abs(np.corrcoef(rows[name], rows["value"])[0, 1]))
    return Choice(candidate.keywords, (best,))


def test_workers_change_nothing():
    table = rows_of(80)
    scheme = site(table, n_folds=4)
    forest = Candidate.of(RandomForestRegressor(5, random_state=0), COVARIATES)
    for candidate in (forest, linear()):
        one, two = (permutation_importance(candidate, table, scheme, workers=each) for each in (1, 2))
        pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_what_a_learner_does_not_choose_is_worth_nothing():
    table = rows_of(80)
    candidate = replace(linear(), choose=chooses_air)
    found = permutation_importance(candidate, table, site(table, n_folds=4)).set_index("group")
    assert found.loc["air", "importance"] > 5
    assert found.loc[["snow", "noise"], ["importance", "low", "high"]].eq(0).all(axis=None)


def test_learners_that_choose_are_worked_on_by_processes_with_the_same_answer():
    table = rows_of(60)
    scheme = site(table, n_folds=2)
    candidate = replace(linear(), choose=partial(chooses_air))
    one, two = (permutation_importance(candidate, table, scheme, workers=each) for each in (1, 2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"groups": {"climate": ("air", "snw")}}, "group climate names 'snw'.*snow"),
        ({"groups": {"empty": ()}}, "group empty has no covariates"),
        ({"repeats": 0}, "repeats must be 1 or more"),
    ],
)
def test_what_cannot_be_told_is_refused(keywords, said):
    table = rows_of(20)
    with pytest.raises(PermagridError, match=said):
        permutation_importance(linear(), table, site(table, n_folds=2), **keywords)


def test_folds_of_other_rows_are_refused():
    with pytest.raises(PermagridError, match="site folds are of 20 rows, and there are 30"):
        permutation_importance(linear(), rows_of(30), site(rows_of(20), n_folds=2))


def test_groups_hold_only_what_any_two_of_share():
    random = np.random.default_rng(3)
    base = random.normal(size=300)
    table = pd.DataFrame({"a": base, "b": -np.exp(base), "c": random.normal(size=300), "flat": 1.0})
    # A chain: d goes with e and e with f, but d hardly with f.
    table["d"], table["f"] = random.normal(size=(2, 300))
    table["e"] = table["d"] + table["f"]
    names = ["a", "c", "b", "d", "e", "f", "flat"]
    assert correlated_groups(table, names, 0.9)["a + 1"] == ("a", "b")
    chained = correlated_groups(table, names, 0.6)
    assert all(len(members) < 3 for members in chained.values())
    assert sorted(name for members in chained.values() for name in members) == sorted(names)
    assert ("flat",) in chained.values()
    alike = associations(table, names)
    for members in chained.values():
        at = [names.index(name) for name in members]
        assert (alike[np.ix_(at, at)] >= 0.6).all()


def test_classes_go_with_classes_by_cramers_v_and_never_with_quantities():
    random = np.random.default_rng(4)
    soil = random.integers(0, 4, 400)
    table = pd.DataFrame({"soil": soil, "rock": soil * 10 + 7, "cover": random.integers(0, 5, 400)})
    table["quantity"] = soil.astype(float)
    kinds = ("soil", "rock", "cover")
    groups = correlated_groups(table, [*kinds, "quantity"], classes=kinds)
    assert groups == {"soil + 1": ("soil", "rock"), "cover": ("cover",), "quantity": ("quantity",)}
    alike = associations(table, kinds, classes=kinds)
    assert alike[0, 1] == pytest.approx(1.0)
    # Without its bias, V of independent classes is about 0.
    assert alike[0, 2] < 0.1
    half = np.where(random.random(400) < 0.5, soil, random.integers(0, 4, 400))
    assert 0.3 < associations(table.assign(cover=half), kinds, classes=kinds)[0, 2] < 0.7


def test_thresholds_and_names_that_are_none_are_refused():
    with pytest.raises(PermagridError, match=r"above 0 to 1, found 1\.5"):
        correlated_groups(rows_of(20), COVARIATES, 1.5)
    with pytest.raises(PermagridError, match="no covariate ice"):
        correlated_groups(rows_of(20), ("air", "ice"))
    assert correlated_groups(rows_of(20), ("air",)) == {"air": ("air",)}


def test_shapley_values_add_up_to_what_is_predicted():
    table = rows_of(120)
    model = RandomForestRegressor(20, random_state=0).fit(table[[*COVARIATES]].to_numpy(), table["value"])
    rows, others = table[[*COVARIATES]].to_numpy()[:30], table[[*COVARIATES]].to_numpy()[90:95]
    found, mean = shapley_values(
        lambda asked: model.predict(asked)[:, np.newaxis], rows, others, [[0], [1], [2]], seed=0
    )
    np.testing.assert_allclose(found[:, :, 0].sum(axis=1) + mean[0], model.predict(rows), atol=1e-12)
    assert mean[0] == pytest.approx(model.predict(others).mean())


def test_shapley_values_of_a_sum_are_its_terms():
    random = np.random.default_rng(5)
    rows, others = random.normal(size=(8, 4)), random.normal(size=(6, 4))
    slopes = np.array([1.0, -2.0, 0.0, 5.0])
    found, _ = shapley_values(
        lambda asked: (asked * slopes).sum(axis=1)[:, None], rows, others, [[0], [1], [2], [3]], 0
    )
    np.testing.assert_allclose(found[:, :, 0], slopes * (rows - others.mean(axis=0)), atol=1e-12)
    pairs, _ = shapley_values(
        lambda asked: (asked * slopes).sum(axis=1)[:, None], rows, others, [[0, 3], [1, 2]], 0
    )
    np.testing.assert_allclose(pairs[:, 0, 0], found[:, [0, 3], 0].sum(axis=1), atol=1e-12)


def curved(rows):
    return np.stack([rows[:, 0] * rows[:, 1] + np.sin(rows[:, 2]) * rows[:, 0], rows.max(axis=1)], axis=1)


def all_orders(rows, others, count):
    """Return exact Shapley values: the mean over all orders and all rows of the background."""
    out = np.zeros((len(rows), count, 2))
    orders = list(permutations(range(count)))
    for index, row in enumerate(rows):
        for other in others:
            for order in orders:
                known = other.copy()
                before = curved(known[np.newaxis])[0]
                for unit in order:
                    known[unit] = row[unit]
                    after = curved(known[np.newaxis])[0]
                    out[index, unit] += after - before
                    before = after
    return out / (len(orders) * len(others))


def test_shapley_values_of_two_covariates_are_exact():
    random = np.random.default_rng(6)
    rows, others = random.normal(size=(5, 4)), random.normal(size=(3, 4))
    rows[:, 2:] = others[:, 2:] = others[0, 2:]
    exact = all_orders(rows, others, 4)
    # The other two are alike in all rows, and an order and its reverse are all orders of two.
    found, _ = shapley_values(curved, rows, others, [[0], [1]], 0)
    np.testing.assert_allclose(found, exact[:, :2], atol=1e-12)
    every, _ = shapley_values(curved, rows, others, [[0], [1], [2], [3]], 0)
    assert (every[:, 2:] == 0).all()


def test_shapley_values_by_chance_come_near_those_of_all_orders():
    random = np.random.default_rng(7)
    rows, others = random.normal(size=(6, 4)), random.normal(size=(20, 4))
    exact = all_orders(rows, others, 4)
    found, _ = shapley_values(curved, rows, np.tile(others, (20, 1)), [[0], [1], [2], [3]], 0)
    assert np.abs(found - exact).max() < 0.06
    once, _ = shapley_values(curved, rows, others, [[0], [1], [2], [3]], 0)
    assert np.sqrt(np.mean((once - exact) ** 2)) < 0.1


def test_a_fitted_learner_is_told_by_shapley_values_and_by_its_splits():
    table = rows_of()
    fitted = fit(Candidate.of(RandomForestRegressor(20, random_state=0), COVARIATES), table)
    found = fitted_importance(fitted, table)
    assert list(found.columns) == COLUMNS
    assert found["method"].tolist() == ["shap"] * 3 + ["impurity"] * 3
    assert found["rank"].tolist() == [1, 2, 3] * 2
    assert found["group"].tolist() == ["air", "snow", "noise"] * 2
    shap, shares = found[:3], found[3:]
    # The mean absolute value of a normal variable times 3.
    assert shap.loc[0, "importance"] == pytest.approx(3 * np.sqrt(2 / np.pi), rel=0.25)
    assert ((shap["low"] < shap["importance"]) & (shap["importance"] < shap["high"])).all()
    assert shares["importance"].sum() == pytest.approx(1.0)
    assert shares["low"].isna().all()
    assert set(shap["measure"]) == {"value"}


def test_all_columns_of_a_class_covariate_count_for_it():
    table = rows_of()
    table["soil"] = np.random.default_rng(8).integers(0, 5, len(table)).astype(float)
    table["value"] = ((table["soil"] == 3) | (table["air"] > 1.5)).astype(float)
    names = ("soil", "air", "snow")
    forest = partial(build_learner, "random_forest", "class", 0, {"n_estimators": 20})
    candidate = Candidate(
        lambda keywords, covariates: forest(covariates=covariates, classes=("soil",)), names
    )
    fitted = fit(candidate, table)
    told = impurity(fitted, table)
    assert len(told) == 3
    assert sum(told) == pytest.approx(1.0)
    found = fitted_importance(fitted, table)
    assert found.loc[found["rank"] == 1, "group"].tolist() == ["soil", "soil"]
    assert set(found["measure"]) == {"probability", "share"}
    out = permutation_importance(candidate, table, site(table, n_folds=3), classes=np.array([0.0, 1.0]))
    assert out.loc[0, "group"] == "soil"


def test_several_classes_are_told_by_the_mean_of_their_probabilities():
    table = rows_of()
    table["value"] = np.digitize(table["air"], [-0.5, 0.5]).astype(float)
    fitted = fit(Candidate.of(RandomForestClassifier(15, random_state=0), COVARIATES), table)
    found = fitted_importance(fitted, table).query("method == 'shap'").set_index("group")["importance"]
    assert found["air"] > 5 * found["snow"]
    # Shares of three classes cannot move by more than 2/3 on average.
    assert 0.1 < found["air"] < 2 / 3


def test_a_learner_that_knows_no_splits_is_told_by_shapley_values_alone():
    table = rows_of(40)
    found = fitted_importance(
        fit(linear(), table), table, groups={"both": ("air", "snow"), "noise": ("noise",)}
    )
    assert found["method"].tolist() == ["shap"] * 2
    assert found["covariates"].tolist() == ["air, snow", "noise"]


def test_fitted_importances_need_rows():
    table = rows_of(40)
    with pytest.raises(PermagridError, match="at least one row is to be explained"):
        fitted_importance(fit(linear(), table), table, rows=0)
