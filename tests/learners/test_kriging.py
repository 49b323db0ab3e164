"""Regression kriging: through the points without a nugget, back to the trend far away, and better than it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone, is_regressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from threadpoolctl import threadpool_limits

from permagrid.errors import PermagridError
from permagrid.grid import chord
from permagrid.learners import LEARNERS, build_learner, traits_of
from permagrid.learners.kriging_field import RADIUS, Variogram, empirical_variogram, fit_variogram, krige

NAMES = ("air", "longitude", "latitude", "wet")
LINEAR = {"name": "climate_linear"}
FOREST = {"name": "random_forest", "n_estimators": 15, "min_samples_leaf": 3}
SHAPES = ("exponential", "spherical", "matern")
IN_SAMPLE = {"learner": LINEAR, "residuals": "in_sample", "nugget": 0.0}


@pytest.fixture(autouse=True)
def one_core():
    """Keep OpenMP from starting threads for a handful of rows."""
    with threadpool_limits(1):
        yield


def places(n, *, seed=0):
    """Return longitude and latitude in a region that the antimeridian crosses."""
    random = np.random.default_rng(seed)
    longitude = (random.uniform(150, 210, n) + 180) % 360 - 180
    return longitude, random.uniform(58, 75, n)


def points(longitude, latitude):
    return chord(longitude, latitude) * RADIUS


def field(n, *, seed=0, length=400_000.0, sill=4.0, shape="exponential", noise=0.0):
    """Return rows, values with a trend and a simulated field, and the trend alone."""
    random = np.random.default_rng(seed)
    longitude, latitude = places(n, seed=seed)
    where = points(longitude, latitude)
    apart = np.linalg.norm(where[:, None] - where[None], axis=-1)
    covariance = sill * Variogram(shape, 0.0, sill, length).correlation(apart)
    simulated = np.linalg.cholesky(covariance + 1e-9 * np.eye(n)) @ random.normal(size=n)
    air, wet = random.normal(size=n), random.normal(size=n)
    trend = 2.0 * air - wet
    rows = np.stack([air, longitude, latitude, wet], axis=1)
    return rows, trend + simulated + random.normal(0, noise or 1e-12, n), trend


def built(keywords, *, names=NAMES, seed=0, classes=()):
    return build_learner("regression_kriging", "value", seed, keywords, covariates=names, classes=classes)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mean", ["zero", "unknown"])
def test_without_a_nugget_it_goes_through_the_points(shape, mean):
    rows, y, _ = field(120)
    model = built({**IN_SAMPLE, "variogram": shape, "mean": mean}).fit(rows, y)
    np.testing.assert_allclose(model.predict(rows), y, atol=1e-5)
    assert is_regressor(model)


@pytest.mark.parametrize("shape", SHAPES)
def test_far_away_only_the_trend_is_left(shape):
    rows, y, _ = field(120)
    model = built({"learner": LINEAR, "variogram": shape, "length": 200_000.0}).fit(rows, y)
    far = rows.copy()
    far[:, 1], far[:, 2] = 20.0, -40.0
    np.testing.assert_allclose(model.predict(far), model.trend_.predict(far[:, [0, 3]]), atol=1e-9)
    assert np.abs(model.predict(rows) - model.trend_.predict(rows[:, [0, 3]])).max() > 0.5


def test_ordinary_kriging_keeps_the_mean_of_the_residuals_far_away():
    rows, y, _ = field(120)
    model = built({"learner": LINEAR, "mean": "unknown", "length": 100_000.0}).fit(rows, y)
    far = np.array([[0.0, 20.0, -40.0, 0.0]])
    left = model.predict(far) - model.trend_.predict(far[:, [0, 3]])
    assert left == pytest.approx(model.field_.level)
    assert model.field_.level != 0.0


def test_ordinary_kriging_is_sum_of_weights_that_add_up_to_one():
    """The primal equations with a Lagrange multiplier give the same values as the dual ones."""
    where, values = points(*places(40)), np.random.default_rng(1).normal(3.0, 1.0, 40)
    variogram = Variogram("exponential", 0.5, 2.0, 500_000.0)
    kriged = krige(where, values, np.full(40, 0.5), variogram, ordinary=True)
    wanted = points(*places(7, seed=5))

    def covariance(one, other):
        apart = np.linalg.norm(one[:, None] - other[None], axis=-1)
        return 2.0 * np.exp(-apart / 500_000.0)

    system = np.ones((41, 41))
    system[:40, :40] = covariance(where, where) + 0.5 * np.eye(40)
    system[40, 40] = 0.0
    weights = np.linalg.solve(system, np.vstack([covariance(where, wanted), np.ones(7)]))[:40]
    np.testing.assert_allclose(weights.sum(axis=0), 1.0)
    np.testing.assert_allclose(kriged.at(wanted), weights.T @ values, atol=1e-7)


@pytest.mark.parametrize(("shape", "nu"), [("exponential", 0.5), ("matern", 1.5)])
def test_simple_kriging_is_the_gaussian_process_of_scikit_learn(shape, nu):
    where, values = points(*places(60)) / 1e5, np.random.default_rng(1).normal(size=60)
    kernel = ConstantKernel(2.0) * Matern(5.0, nu=nu) + WhiteKernel(0.3)
    theirs = GaussianProcessRegressor(kernel, optimizer=None).fit(where, values)
    mine = krige(where * 1e5, values, np.full(60, 0.3), Variogram(shape, 0.3, 2.0, 5e5), ordinary=False)
    wanted = points(*places(20, seed=3))
    np.testing.assert_allclose(mine.at(wanted), theirs.predict(wanted / 1e5), atol=1e-7)


@pytest.mark.parametrize("learner", [LINEAR, FOREST])
def test_it_beats_its_trend_where_residuals_hang_together(learner):
    rows, y, _ = field(400, seed=3, noise=0.3)
    model = built({"learner": learner, "n_folds": 5}).fit(rows[:250], y[:250])
    trend = model.trend_.predict(rows[250:][:, [0, 3]])
    error, alone = (np.sqrt(np.mean((each - y[250:]) ** 2)) for each in (model.predict(rows[250:]), trend))
    assert error < 0.8 * alone


def test_where_residuals_are_noise_it_leaves_the_trend_alone():
    rows, _, trend = field(400, seed=3)
    y = trend + np.random.default_rng(4).normal(size=400)
    model = built({"learner": LINEAR}).fit(rows[:250], y[:250])
    away = model.predict(rows[250:]) - model.trend_.predict(rows[250:][:, [0, 3]])
    assert np.sqrt(np.mean(away**2)) < 0.35


@pytest.mark.parametrize("shape", SHAPES)
def test_the_variogram_is_found(shape):
    """Of many draws together, as one field of a correlated region says little of its own variance."""
    found = []
    for seed in range(12):
        random = np.random.default_rng(seed)
        where = points(*places(300, seed=seed))
        apart = np.linalg.norm(where[:, None] - where[None], axis=-1)
        covariance = 4.0 * Variogram(shape, 0.0, 4.0, 300_000.0).correlation(apart) + np.eye(300)
        values = np.linalg.cholesky(covariance) @ random.normal(size=300)
        found.append(fit_variogram(where, values, shape))
    assert np.median([each.length for each in found]) == pytest.approx(300_000.0, rel=0.5)
    assert np.median([each.nugget + each.sill for each in found]) == pytest.approx(5.0, rel=0.3)
    assert np.median([each.nugget for each in found]) < 2.5


def test_the_empirical_variogram_is_that_of_all_pairs():
    where, values = points(*places(80)), np.random.default_rng(2).normal(size=80)
    pairs, distance, unlike = empirical_variogram(where, values)
    one, other = np.triu_indices(80, 1)
    apart = np.linalg.norm(where[one] - where[other], axis=-1)
    half = 0.5 * (values[one] - values[other]) ** 2
    reach = 0.5 * np.ptp(where, axis=0).max()
    inside = apart < reach
    assert pairs.sum() == inside.sum()
    assert (pairs * unlike).sum() == pytest.approx(half[inside].sum())
    assert (np.diff(distance) > 0).all()
    assert pairs[:-1].min() >= 20


def test_correlations_worked_by_hand():
    """At half a length the spherical one is 1 - 0.75 + 0.0625."""
    at = np.array([0.0, 0.5, 1.0, 2.0])
    exponential, spherical, matern = (Variogram(shape, 0.0, 1.0, 1.0).correlation(at) for shape in SHAPES)
    np.testing.assert_allclose(exponential, [1.0, np.exp(-0.5), np.exp(-1.0), np.exp(-2.0)])
    np.testing.assert_allclose(spherical, [1.0, 0.3125, 0.0, 0.0])
    assert matern[2] == pytest.approx((1 + np.sqrt(3)) * np.exp(-np.sqrt(3)))


@pytest.mark.parametrize(
    "keywords", [{}, {"mean": "unknown"}, {"residuals": "in_sample"}, {"variogram": "matern"}]
)
def test_the_order_of_the_rows_does_not_matter(keywords):
    rows, y, _ = field(150, noise=0.5)
    rows, y = np.repeat(rows, 2, axis=0), np.repeat(y, 2) + np.random.default_rng(1).normal(0, 0.3, 300)
    order = np.random.default_rng(2).permutation(300)
    one = built({"learner": LINEAR, **keywords}).fit(rows, y)
    other = built({"learner": LINEAR, **keywords}).fit(rows[order], y[order])
    np.testing.assert_allclose(one.predict(rows), other.predict(rows), atol=1e-9)


@pytest.mark.parametrize("learner", [LINEAR, FOREST])
def test_a_fit_is_repeated_by_a_clone_and_predicts_row_by_row(learner):
    rows, y, _ = field(150, noise=0.5)
    model = built({"learner": learner, "n_folds": 3})
    one, two = clone(model).fit(rows, y), clone(model).fit(rows, y)
    whole = one.predict(rows)
    assert two.predict(rows).tobytes() == whole.tobytes()
    assert one.predict(np.asfortranarray(rows)).tobytes() == whole.tobytes()
    for size in (1, 2, 3, 7, 33, 149):
        parts = np.concatenate([one.predict(rows[at : at + size]) for at in range(0, 150, size)])
        assert parts.tobytes() == whole.tobytes()


def test_rows_of_one_place_are_their_mean():
    rows, y, _ = field(100)
    twice, both = np.repeat(rows, 2, axis=0), np.repeat(y, 2)
    both[::2] += 0.7
    both[1::2] -= 0.7
    model = built(IN_SAMPLE).fit(twice, both)
    np.testing.assert_allclose(model.predict(rows), y, atol=1e-5)
    assert len(model.field_.places) == 100


def test_a_place_with_many_rows_counts_more():
    """Where rows of one place scatter, a mean of many is followed more closely than one of few."""
    rows, y, _ = field(100, noise=1.0)
    many = np.repeat(np.arange(100), [12, *[2] * 99])
    values = y[many] + np.random.default_rng(3).normal(0, 2.0, len(many))
    model = built({"learner": LINEAR, "residuals": "in_sample"}).fit(rows[many], values)
    assert model.variogram_.nugget > 0
    counts = np.bincount(many)
    means = np.bincount(many, values) / counts
    left = np.abs(means - model.predict(rows))
    assert left[0] < np.median(left[1:])


def test_the_trend_does_not_see_the_coordinates():
    rows, y, _ = field(100)
    model = built({"learner": LINEAR}).fit(rows, y)
    assert model.columns == (0, 3)
    assert model.trend_.n_features_in_ == 2
    names = ("east", "north", "air", "wet")
    other = built({"learner": LINEAR, "coordinates": ["east", "north"]}, names=names)
    turned = rows[:, [1, 2, 0, 3]]
    np.testing.assert_allclose(other.fit(turned, y).predict(turned), model.predict(rows), atol=1e-9)


def test_longitudes_are_the_same_around_the_globe():
    rows, y, _ = field(100)
    around = rows.copy()
    around[:, 1] = np.where(around[:, 1] < 0, around[:, 1] + 360.0, around[:, 1])
    one, other = (built({"learner": LINEAR}).fit(each, y).predict(rows) for each in (rows, around))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_process_model_may_be_the_trend():
    rows, y, _ = field(150)
    climate = np.column_stack([rows, np.random.default_rng(1).uniform(10, 20, 150)])
    trend = {"name": "frost_number", "air_temperature": "air", "temperature_amplitude": "swing"}
    model = built({"learner": trend}, names=(*NAMES, "swing")).fit(climate, y)
    assert "edaphic_factor" in model.trend_.parameters_
    assert np.isfinite(model.predict(climate)).all()


def test_weights_are_rows():
    rows, y, _ = field(80, noise=0.5)
    wrong = y.copy()
    wrong[:20] += 100.0
    weights = np.where(np.arange(80) < 20, 0.0, 1.0)
    forest = {"learner": FOREST, "n_folds": 4}
    heard = built(forest).fit(rows, wrong, sample_weight=weights)
    assert len(heard.field_.places) == 60
    np.testing.assert_allclose(
        heard.predict(rows), built(forest).fit(rows[20:], y[20:], sample_weight=np.ones(60)).predict(rows)
    )


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 12), seed=st.integers(0, 1000), equal=st.booleans())
def test_few_places_are_no_special_case(n, seed, equal):
    rows, y, _ = field(n, seed=seed)
    y = np.full(n, 3.0) if equal else y
    model = built({"learner": LINEAR}).fit(rows, y)
    assert np.isfinite(model.predict(rows)).all()


WRONG = [
    ({}, "needs the keyword 'learner'"),
    ({"learner": LINEAR, "n_folds": 1}, "n_folds must be at least 2, found 1"),
    ({"learner": LINEAR, "nugget": 1.5}, "nugget is a share of 0 to 1, found 1.5"),
    ({"learner": LINEAR, "length": 0.0}, "length must be above 0, found 0"),
    (
        {"learner": LINEAR, "coordinates": ["lon", "latitude"]},
        "coordinates names 'lon', a covariate that it does not see",
    ),
    ({"learner": {"name": "linear"}}, "learner: unknown learner 'linear'"),
    ({"learner": LINEAR, "variogram": "gaussian"}, "variogram"),
]


@pytest.mark.parametrize(("keywords", "message"), WRONG)
def test_a_mistake_is_told_in_one_sentence(keywords, message):
    faults = LEARNERS.faults("regression_kriging", keywords)
    if faults:
        assert message in faults[0]
    else:
        with pytest.raises(PermagridError, match=message) as error:
            built(keywords)
        assert str(error.value).startswith("regression_kriging: ")


def test_what_is_no_place_is_refused():
    rows, y, _ = field(30)
    model = built({"learner": LINEAR, "coordinates": ["latitude", "longitude"]})
    with pytest.raises(PermagridError, match="the second of coordinates is the latitude"):
        model.fit(rows, y)
    rows[3, 1] = np.nan
    with pytest.raises(PermagridError, match="has no longitude or latitude"):
        built({"learner": LINEAR}).fit(rows, y)
    assert traits_of("regression_kriging").by_name
    with pytest.raises(PermagridError, match="regression_kriging is for values"):
        build_learner("regression_kriging", "class", 0, {"learner": LINEAR}, covariates=NAMES)
