"""Dissimilarity, area of applicability and point density are those of the published rule, to the last bit."""

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from applicability_by_hand import by_hand, cases, euclidean, gower, usable
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from permagrid.errors import PermagridError
from permagrid.prediction.applicability import fit_applicability, threshold_of
from permagrid.prediction.applicability_space import euclidean_space
from permagrid.prediction.applicability_tree import all_sums, make_tree, nearest_sums

CASES = cases()
RULES = {"euclidean": euclidean, "gower": gower}
TIGHT = {"rtol": 1e-10, "atol": 1e-12}


def fitted(case, distance=None, **changed):
    given = {"rows": case.rows, "weights": np.array(case.weights), "pairs": case.pairs} | changed
    classes = [case.names[k] for k in case.classes]
    return fit_applicability(**given, covariates=case.names, classes=classes, distance=distance)


def fold_pairs(numbers):
    return [(np.flatnonzero(numbers != k), np.flatnonzero(numbers == k)) for k in np.unique(numbers)]


FITTED = {distance: fitted(CASES["plain"], distance) for distance in RULES}


@pytest.mark.parametrize("distance", RULES)
@pytest.mark.parametrize("name", CASES)
def test_it_is_the_published_rule(name, distance):
    case = CASES[name]
    found, expected = fitted(case, distance), by_hand(case, RULES[distance](case))
    # Weights are over the largest of them, which is nothing to Gower's distance and to the index.
    scale = max(usable(case)) if distance == "euclidean" else 1.0
    assert found.mean_distance == pytest.approx(expected.mean / scale, rel=1e-12)
    assert found.threshold == pytest.approx(expected.threshold, rel=1e-11)
    np.testing.assert_allclose(found.training.di, expected.training_di, **TIGHT)
    np.testing.assert_allclose(found.di(case.new), expected.di, **TIGHT)
    # Where many pairs are just as far apart, whether they are near hangs on how sums are rounded.
    if name not in ("repeated", "only_classes"):
        assert found.training.density.tolist() == expected.training_density
        assert found.density(case.new).tolist() == expected.density
        assert found.inside(case.new).tolist() == [d <= expected.threshold for d in expected.di]


def test_gower_is_the_choice_where_there_are_classes():
    assert fitted(CASES["plain"]).distance == "euclidean"
    assert fitted(CASES["classes"]).distance == "gower"
    same = fitted(CASES["classes"], "gower").di(CASES["classes"].new)
    assert (fitted(CASES["classes"]).di(CASES["classes"].new) == same).all()


R_CODE = """
read <- function(name) as.matrix(read.csv(name, header = FALSE))
rows <- read("rows.csv"); new <- read("new.csv")
weights <- read("weights.csv")[1, ]; folds <- read("folds.csv")[, 1]; classes <- read("classes.csv")[1, ]
weights[weights < 0] <- 0
if (all(weights == 0)) weights[] <- 1
dummies <- function(x) do.call(cbind, lapply(seq_len(ncol(rows)), function(k) {
  if (classes[k] == 0) return(x[, k, drop = FALSE])
  sapply(sort(unique(rows[, k])), function(code) as.numeric(x[, k] == code))
}))
spread <- unlist(lapply(seq_len(ncol(rows)), function(k) {
  rep(weights[k], if (classes[k] == 0) 1 else length(unique(rows[, k])))
}))
scaled <- scale(dummies(rows))
centre <- attr(scaled, "scaled:center"); deviation <- attr(scaled, "scaled:scale")
train <- sweep(scaled, 2, spread, "*")
other <- sweep(scale(dummies(new), center = centre, scale = deviation), 2, spread, "*")
between <- as.matrix(dist(train)); diag(between) <- NA
average <- mean(apply(between, 1, mean, na.rm = TRUE))
masked <- between
for (i in seq_len(nrow(masked))) masked[i, folds == folds[i]] <- NA
training <- apply(masked, 1, min, na.rm = TRUE) / average
threshold <- min(quantile(training, 0.75) + 1.5 * IQR(training), max(training))
all <- as.matrix(dist(rbind(train, other))) / average
outer <- all[nrow(train) + seq_len(nrow(other)), seq_len(nrow(train))]
write.table(format(c(threshold, training), digits = 17), "training.txt", quote = FALSE, row.names = FALSE,
            col.names = FALSE)
write.table(format(cbind(apply(outer, 1, min), rowSums(outer < threshold)), digits = 17), "found.txt",
            quote = FALSE, row.names = FALSE, col.names = FALSE)
"""


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
@pytest.mark.parametrize("name", ["plain", "clustered", "outlier", "classes", "wide"])
def test_r_finds_the_same_with_its_own_functions(name, tmp_path):
    case = CASES[name]
    marks = [int(k in case.classes) for k in range(case.rows.shape[1])]
    tables = {
        "rows": case.rows,
        "new": case.new,
        "weights": np.array([case.weights]),
        "folds": np.array(case.folds)[:, np.newaxis],
        "classes": np.array([marks]),
    }
    for table, values in tables.items():
        np.savetxt(tmp_path / f"{table}.csv", values, delimiter=",", fmt="%.17g")
    (tmp_path / "rule.R").write_text(R_CODE, encoding="utf-8")
    subprocess.run(["Rscript", "--vanilla", "rule.R"], cwd=tmp_path, check=True, capture_output=True)
    threshold, *training = np.loadtxt(tmp_path / "training.txt")
    di, density = np.loadtxt(tmp_path / "found.txt").T
    found = fitted(case, "euclidean")
    assert found.threshold == pytest.approx(threshold, rel=1e-10)
    np.testing.assert_allclose(found.training.di, training, **TIGHT)
    np.testing.assert_allclose(found.di(case.new), di, **TIGHT)
    assert found.density(case.new).tolist() == density.tolist()


@pytest.mark.parametrize("distance", RULES)
@pytest.mark.parametrize("name", CASES)
def test_opening_few_boxes_and_comparing_all_pairs_give_the_same_bits(name, distance):
    case = CASES[name]
    found = fitted(case, distance)
    points, codes = found._space.place(case.new)
    every = found._space.distance(all_sums(found._tree, points, codes)) / found.mean_distance
    assert found.di(case.new).tobytes() == every.min(axis=1).tobytes()
    assert (found.density(case.new) == (every < found.threshold).sum(axis=1)).all()
    assert (found.inside(case.new) == (every.min(axis=1) <= found.threshold)).all()


def test_scipys_tree_finds_the_same():
    random = np.random.default_rng(2)
    rows, new = random.normal(0, 1, (700, 20)), random.normal(0, 1.5, (400, 20))
    weights = random.exponential(1, 20)
    found = fit_applicability(
        rows, weights, fold_pairs(np.arange(700) % 7), covariates=[f"c{k}" for k in range(20)]
    )
    used = weights / weights.max()
    space = euclidean_space(rows, used, ())
    tree = cKDTree(space.place(rows)[0])
    np.testing.assert_allclose(
        found.di(new), tree.query(space.place(new)[0])[0] / found.mean_distance, rtol=1e-12
    )
    reach = np.nextafter(found.threshold * found.mean_distance, 0)
    counts = tree.query_ball_point(space.place(new)[0], reach, return_length=True)
    assert (found.density(new) == counts).all()
    assert counts.max() > 0


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_boxes_are_exact_whatever_the_points(data):
    seed, n, dimensions = (data.draw(st.integers(1, most)) for most in (10**6, 400, 20))
    classes, squared = data.draw(st.integers(0, 2)), data.draw(st.booleans())
    random = np.random.default_rng(seed)
    # Coarse values, so that ties and points on the edge of boxes are common.
    points, codes = random.integers(-3, 4, (n, dimensions)) / 4, random.integers(0, 3, (n, classes)) * 1.0
    other, others = random.normal(0, 1, (25, dimensions)), random.integers(0, 4, (25, classes)) * 1.0
    other[:5] = random.integers(-3, 4, (5, dimensions)) / 4
    penalties = random.uniform(0, 1, classes)
    tree = make_tree(points, codes, penalties, squared=squared)
    every = all_sums(tree, other, others)
    gaps = np.abs(other[:, np.newaxis] - points)
    plain = (gaps**2 if squared else gaps).sum(axis=2)
    plain += ((others[:, np.newaxis] != codes) * penalties).sum(axis=2)
    np.testing.assert_allclose(every, plain, rtol=1e-12, atol=1e-13)
    for most in (-1.0, 0.0, float(np.median(every)), float(every.max())):
        nearest, near = nearest_sums(tree, other, others, most=most)
        assert nearest.tobytes() == every.min(axis=1).tobytes()
        assert (near == (every <= most).sum(axis=1)).all()


@pytest.mark.parametrize("distance", RULES)
def test_the_rows_beside_a_row_change_no_bit(distance):
    case = CASES["clustered"]
    found = fitted(case, distance)
    whole = found.neighbours(case.new)
    order = np.random.default_rng(0).permutation(len(case.new))
    shuffled = found.neighbours(case.new[order])
    one_by_one = [found.neighbours(case.new[i : i + 1]) for i in range(len(case.new))]
    for k in range(2):
        assert shuffled[k].tobytes() == whole[k][order].tobytes()
        assert np.concatenate([each[k] for each in one_by_one]).tobytes() == whole[k].tobytes()


@pytest.mark.parametrize("name", ["plain", "classes", "clustered", "repeated"])
def test_the_order_of_the_training_rows_changes_no_bit(name):
    case = CASES[name]
    order = np.random.default_rng(3).permutation(len(case.rows))
    again = fitted(
        case, rows=case.rows[order], pairs=case._replace(folds=np.array(case.folds)[order].tolist()).pairs
    )
    first = fitted(case)
    assert (again.threshold, again.mean_distance) == (first.threshold, first.mean_distance)
    assert again.training.di.tobytes() == first.training.di[order].tobytes()
    assert again.di(case.new).tobytes() == first.di(case.new).tobytes()
    assert again.density(case.new).tobytes() == first.density(case.new).tobytes()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    factors=st.lists(st.floats(0.01, 1000) | st.floats(-1000, -0.01), min_size=4, max_size=4),
    shifts=st.lists(st.floats(-1000, 1000), min_size=4, max_size=4),
    distance=st.sampled_from(["euclidean", "gower"]),
    importance=st.floats(1e-3, 1e3),
)
def test_units_of_covariates_and_of_importance_do_not_matter(seed, factors, shifts, distance, importance):
    random = np.random.default_rng(seed)
    rows, new, weights = random.normal(0, 1, (45, 4)), random.normal(0, 2, (30, 4)), random.exponential(1, 4)
    pairs, names = fold_pairs(np.arange(45) % 4), list("abcd")
    first = fit_applicability(rows, weights, pairs, covariates=names, distance=distance)
    rescaled = fit_applicability(
        rows * factors + shifts, weights * importance, pairs, covariates=names, distance=distance
    )
    di = first.di(new)
    np.testing.assert_allclose(rescaled.di(new * factors + shifts), di, rtol=1e-7)
    assert rescaled.threshold == pytest.approx(first.threshold, rel=1e-7)
    clear = np.abs(di - first.threshold) > 1e-6
    assert (rescaled.inside(new * factors + shifts) == first.inside(new))[clear].all()


@pytest.mark.parametrize("distance", RULES)
@pytest.mark.parametrize("name", CASES)
def test_a_training_row_is_no_way_from_itself_and_near_means_inside(name, distance):
    case = CASES[name]
    found = fitted(case, distance)
    assert (found.di(case.rows) == 0.0).all()
    for rows in (case.rows, case.new):
        di, density = found.neighbours(rows)
        assert ((density > 0) == (di < found.threshold)).all()
        assert (found.inside(rows) == (di <= found.threshold)).all()


def test_a_row_on_the_threshold_is_inside_and_has_no_near_row():
    rows = np.array([[0.0], [1.0], [2.0], [3.0]])
    found = fit_applicability(rows, None, [(np.array([0, 1]), np.array([2, 3]))], covariates=["cold"])
    assert found.threshold == found.training.di[3]
    edge = found.neighbours(np.array([[5.0]]))
    assert edge.di[0] == found.threshold
    assert found.inside(np.array([[5.0]])).all()
    assert edge.density[0] == 0


@settings(max_examples=200, deadline=None)
@given(
    threshold=st.floats(1e-6, 1e3),
    mean=st.floats(1e-6, 1e3),
    distance=st.sampled_from(["euclidean", "gower"]),
)
def test_the_largest_sum_that_is_near_is_known_to_the_last_bit(threshold, mean, distance):
    found = replace(FITTED[distance], threshold=threshold, mean_distance=mean)
    most = found._most()
    for total, near in [(most, True), (np.nextafter(most, np.inf), False)]:
        assert (found._space.distance(np.array([total]))[0] / mean < threshold) == near


def test_repeated_rows_over_folds_leave_no_room_for_anything_new():
    rows = np.repeat(np.random.default_rng(0).normal(0, 1, (20, 2)), 3, axis=0)
    found = fit_applicability(rows, None, fold_pairs(np.arange(60) % 3), covariates=["a", "b"])
    assert found.threshold == 0.0
    assert found.inside(rows).all()
    assert not found.density(rows).any()
    assert not found.inside(rows + 0.1).any()


@pytest.mark.parametrize("distance", RULES)
@pytest.mark.parametrize("name", ["plain", "clustered", "constant", "repeated", "classes", "wide"])
def test_fifty_standard_deviations_away_nothing_is_inside(name, distance):
    case = CASES[name]
    found = fitted(case, distance)
    numbers = [k for k in range(case.rows.shape[1]) if k not in case.classes]
    away = case.rows.copy()
    away[:, numbers] += 50 * case.rows[:, numbers].std(axis=0, ddof=1)
    assert found.inside(away).mean() == 0.0
    assert found.density(away).max() == 0.0
    heaviest = max(numbers, key=lambda k: found.weights[k])
    for sign in (-1, 1):
        alone = case.rows.copy()
        alone[:, heaviest] += sign * 50 * case.rows[:, heaviest].std(ddof=1)
        assert found.inside(alone).mean() == 0.0


def test_a_covariate_without_importance_or_variation_does_not_count():
    case = CASES["constant"]
    found = fitted(case)
    assert found.constant == ("c1",)
    assert found.weights.tolist() == [0.5, 0.0, 1.0]
    moved = case.new.copy()
    moved[:, 1] += 1e6
    assert (found.di(moved) == found.di(case.new)).all()
    light = fitted(case, weights=np.array([1.0, 0.0, -3.0]))
    moved[:, 2] -= 1e6
    assert (light.di(moved) == light.di(case.new)).all()


def test_without_any_importance_all_covariates_count_alike():
    case = CASES["plain"]
    alike = fitted(case, weights=np.ones(4)).di(case.new)
    for weights in (None, np.zeros(4), np.array([-1.0, 0.0, -2.0, -0.5])):
        assert (fitted(case, weights=weights).di(case.new) == alike).all()


def test_a_class_of_no_training_row_is_as_far_as_any_other_class():
    case = CASES["classes"]
    found = fitted(case, "gower")
    row, unknown = case.rows[:1].copy(), case.rows[:1].copy()
    unknown[0, 3] = 99.0
    assert found.di(row)[0] == 0.0
    expected = min(gower(case)(unknown[0], known) for known in case.rows)
    assert found.di(unknown)[0] * found.mean_distance == pytest.approx(expected)
    # Every class is unlike it: the nearest row is that without this covariate, and a step of its weight.
    assert expected == pytest.approx(1.3 / sum(case.weights))


def test_of_several_rounds_the_first_is_taken():
    case = CASES["plain"]
    other = fold_pairs(np.random.default_rng(9).integers(0, 5, len(case.rows)))
    assert fitted(case, pairs=case.pairs + other).threshold == fitted(case).threshold
    assert fitted(case, pairs=other + case.pairs).threshold != fitted(case).threshold


def test_rows_that_no_fold_tests_take_no_part_in_the_threshold():
    case = CASES["plain"]
    part = case.pairs[:2]
    found = fitted(case, pairs=part)
    tested = np.concatenate([test for _, test in part])
    assert (np.isfinite(found.training.di) == np.isin(np.arange(90), tested)).all()
    assert (np.isfinite(found.training.density) == np.isfinite(found.training.di)).all()
    assert (found.training.di[tested] == fitted(case).training.di[tested]).all()
    assert found.threshold == threshold_of(fitted(case).training.di[tested])


def test_only_the_rows_that_trained_for_a_row_count():
    rows = np.array([[0.0], [1.0], [2.0], [10.0]])
    # A buffer: row 1 is neither tested nor trained on where row 0 is tested.
    found = fit_applicability(
        rows, None, [(np.array([2, 3]), np.array([0])), (np.array([0]), np.array([3]))], covariates=["cold"]
    )
    distances = found.training.di[[0, 3]] * found.mean_distance * rows.std(ddof=1)
    assert distances == pytest.approx([2.0, 10.0])
    assert np.isnan(found.training.di[[1, 2]]).all()


def test_without_folds_a_row_is_compared_with_all_others():
    case = CASES["plain"]
    alone = fitted(case, pairs=fold_pairs(np.arange(90)))
    free = fitted(case, pairs=None)
    assert free.training.di.tobytes() == alone.training.di.tobytes()
    assert free.training.density.tobytes() == alone.training.density.tobytes()
    assert free.threshold == alone.threshold


def test_other_folds_are_asked_without_fitting_again():
    case = CASES["clustered"]
    found = fitted(case)
    other = fold_pairs(np.arange(len(case.rows)) % 10)
    random_folds = found.across(other)
    assert random_folds.di.tobytes() == fitted(case, pairs=other).training.di.tobytes()
    assert random_folds.di.mean() < 0.5 * found.training.di.mean()
    same = found.across(case.pairs)
    assert same.di.tobytes() == found.training.di.tobytes()
    assert same.density.tobytes() == found.training.density.tobytes()


ROWS = np.arange(12.0).reshape(6, 2)
HALVES = fold_pairs(np.arange(6) % 2)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rows": ROWS[:1], "pairs": None}, "at least 2 training rows are needed, found 1"),
        ({"rows": np.where(ROWS == 3, np.nan, ROWS)}, "covariate wet has no value in 1 rows"),
        ({"rows": ROWS[:, :1]}, "rows of shape \\(6, 1\\), and 2 covariates"),
        ({"rows": ROWS * 0}, "every covariate is constant"),
        ({"weights": np.ones(3)}, "3 weights for 2 covariates"),
        ({"weights": np.array([1.0, np.nan])}, "weight of covariate wet is nan"),
        ({"classes": ["snow"]}, "class covariate snow"),
        ({"pairs": []}, "the folds test no row"),
        ({"pairs": [(np.arange(0), np.arange(6))]}, "fold 0 trains on no row"),
        ({"pairs": [(np.arange(3), np.arange(2, 6))]}, "fold 0 trains and tests on one row"),
        ({"pairs": [*HALVES[:1], (np.array([0]), np.array([7]))]}, "fold 1 names rows beyond the 6"),
    ],
)
def test_bad_input_is_named(changed, message):
    given = {"rows": ROWS, "weights": None, "pairs": HALVES, "covariates": ["cold", "wet"]} | changed
    with pytest.raises(PermagridError, match=message):
        fit_applicability(**given)


def test_new_rows_are_looked_at_too():
    found = fit_applicability(ROWS, None, HALVES, covariates=["cold", "wet"])
    with pytest.raises(PermagridError, match="covariate cold has no value in 2 rows"):
        found.di(np.array([[np.nan, 1.0], [np.inf, 1.0], [0.0, 0.0]]))
    with pytest.raises(PermagridError, match="these folds test a row twice"):
        found.across([*HALVES, *HALVES])
    assert found.di(np.empty((0, 2))).shape == (0,)
