"""Tables of mixtures: near the closed form, rising, the same bits for any rows beside, atoms, gaps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_mixtures import icy_mixture, icy_normal, icy_rows, plain_rows

from permagrid.ensemble import CopulaMixture, fit_copula_mixture
from permagrid.ensemble.copula_member import CopulaMember
from permagrid.ensemble.copulas import Copula
from permagrid.errors import PermagridError

LEVELS = np.array([0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975])
MIXTURES = {"copula": icy_mixture(), "gaussian": icy_normal()}
TABLES = {name: mixture.tables() for name, mixture in MIXTURES.items()}
BOTH = pytest.mark.parametrize("kind", MIXTURES)


def drawn(rows: int, members: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return predictions of members, levels and weights."""
    draw = np.random.default_rng(seed)
    predictions = icy_rows(rows)[0][:, None, :] + draw.normal(size=(rows, members, 4))
    weights = draw.dirichlet(np.ones(4), members)
    weights[0] = [0.5, 0.0, 0.5, 0.0]
    return predictions.astype(np.float32), draw.random((rows, members)).astype(np.float32), weights


@BOTH
def test_tables_are_within_a_thousandth_of_the_spread_of_the_closed_form(kind):
    predictions, observed = icy_rows(200)
    mixture, tables = MIXTURES[kind], TABLES[kind]
    apart = (tables.quantiles(predictions, LEVELS) - mixture.quantiles(predictions, LEVELS)) / observed.std()
    assert np.abs(apart).max() < 1.5e-3
    assert np.sqrt(np.mean(apart**2)) < 3e-4
    means = tables.mean(predictions) - mixture.mean(predictions)
    assert np.abs(means).max() / observed.std() < 1e-3
    assert np.abs(tables.cdf(predictions, observed) - mixture.cdf(predictions, observed)).max() < 2e-3


@pytest.mark.parametrize(
    "copula",
    [
        Copula("gaussian", 0, (0.97,)),
        Copula("student_t", 0, (0.6, 2.5)),
        Copula("clayton", 0, (6.0,)),
        Copula("clayton", 90, (1.0,)),
        Copula("gumbel", 180, (4.0,)),
        Copula("frank", 0, (-12.0,)),
        Copula("independence"),
    ],
    ids=str,
)
def test_every_family_is_tabled_as_well(copula):
    predictions, observed = plain_rows(150)
    fitted = fit_copula_mixture(predictions[:, :1], observed, families=("independence",))
    member = CopulaMember(copula, fitted.members[0].marginal, fitted.members[0].edge)
    mixture = CopulaMixture(np.ones(1), (member,), fitted.marginal)
    tables, said = mixture.tables(), predictions[:, :1]
    apart = (tables.quantiles(said, LEVELS) - mixture.quantiles(said, LEVELS)) / observed.std()
    # The worst is the far tail of a strong Clayton copula.
    assert np.abs(apart).max() < 3e-3
    assert np.sqrt(np.mean(apart**2)) < 5e-4
    assert np.abs(tables.mean(said) - mixture.mean(said)).max() / observed.std() < 1e-3


@BOTH
def test_a_row_does_not_depend_on_the_rows_beside_it(kind):
    tables = TABLES[kind]
    predictions, u, weights = drawn(60, 7)
    whole = tables.draw(predictions, u, weights)
    order = np.random.default_rng(1).permutation(60)
    np.testing.assert_array_equal(tables.draw(predictions[order], u[order], weights), whole[order])
    np.testing.assert_array_equal(tables.draw(predictions[11:17], u[11:17], weights), whole[11:17])
    np.testing.assert_array_equal(tables.draw(predictions[:, 2:4], u[:, 2:4], weights[2:4]), whole[:, 2:4])
    rows = predictions[:, 0].astype(float)
    for ask in (lambda rows: tables.quantiles(rows, LEVELS), tables.mean, lambda rows: tables.cdf(rows, 7.0)):
        np.testing.assert_array_equal(ask(rows[order]), ask(rows)[order])
        np.testing.assert_array_equal(ask(rows[5:6]), ask(rows)[5:6])
    again = MIXTURES[kind].tables()
    np.testing.assert_array_equal(again.draw(predictions, u, weights), whole)


@BOTH
def test_draws_are_the_quantiles_of_the_mixture_with_the_weights_of_the_member(kind):
    tables, mixture = TABLES[kind], MIXTURES[kind]
    predictions, u, weights = drawn(40, 5)
    found = tables.draw(predictions, u, weights)
    assert found.dtype == np.float32
    for member, own in enumerate(weights):
        fields = {**vars(mixture), "weights": own}
        fields.pop("_nodes", None)
        exact = type(mixture)(**fields).quantile_at(predictions[:, member].astype(float), u[:, member])
        np.testing.assert_allclose(found[:, member], exact, atol=0.06)
    shared = tables.draw(predictions, u)
    rows = predictions[:, 3].astype(float)
    expected = [tables.quantiles(rows[[i]], [u[i, 3]])[0, 0] for i in range(40)]
    np.testing.assert_array_equal(shared[:, 3], np.float32(expected))


@BOTH
@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-300.0, 300.0, width=32), min_size=4, max_size=4),
    st.lists(st.floats(0.0, 1.0), min_size=2, max_size=8),
)
def test_quantiles_rise_within_the_bounds_for_any_prediction(kind, said, levels):
    tables = TABLES[kind]
    quantiles = tables.quantiles([said], np.sort(levels))[0]
    assert np.all(np.diff(quantiles) >= 0.0)
    assert quantiles.min() >= 0.0
    assert quantiles.max() <= 100.0
    heights = tables.cdf(np.repeat([said], 50, axis=0), np.linspace(-5.0, 105.0, 50))
    assert np.all(np.diff(heights) >= 0.0)
    assert heights[0] == 0.0
    assert heights[-1] == 1.0
    assert 0.0 <= tables.mean([said])[0] <= 100.0


@BOTH
def test_levels_within_the_mass_at_zero_are_zero_itself(kind):
    tables = TABLES[kind]
    predictions, _ = icy_rows(100)
    mass = tables.cdf(predictions, 0.0)
    assert mass.min() > 0.0
    np.testing.assert_allclose(mass, MIXTURES[kind].cdf(predictions, 0.0), atol=1e-3)
    u = np.stack([0.99 * mass, np.minimum(1.01 * mass + 1e-3, 1.0)], axis=1)
    drawn_values = tables.draw(np.repeat(predictions[:, None, :], 2, axis=1).astype(np.float32), u)
    assert np.all(drawn_values[:, 0] == 0.0)
    assert np.all(drawn_values[:, 1] > 0.0)


@BOTH
def test_missing_predictions_are_missing_results_but_for_learners_without_weight(kind):
    tables = TABLES[kind]
    predictions, u, weights = drawn(6, 3)
    predictions[2, :, 1] = np.nan
    found = tables.draw(predictions, u, weights)
    # The first member gives this learner no weight.
    assert np.isnan(found).tolist() == [[False, i == 2, i == 2] for i in range(6)]
    rows = predictions[:, 0].astype(float)
    rows[:, np.argmax(tables.weights)] = np.nan
    assert np.isnan(tables.mean(rows)).all()
    assert np.isnan(tables.cdf(rows, 3.0)).all()
    assert np.isnan(tables.quantiles(rows, [0.5])).all()
    u[4, 1] = np.nan
    assert np.isnan(tables.draw(predictions, u, weights)[4, 1])


@BOTH
@pytest.mark.parametrize("y", [-1.0, 0.0, 7.3, 60.0, 100.0, 101.0])
def test_a_draw_with_a_probability_is_both_to_the_bit(kind, y):
    tables = TABLES[kind]
    predictions, u, weights = drawn(40, 5)
    predictions[2, :, 1] = np.nan
    values, chance = tables.draw_with_cdf(predictions, u, y, weights)
    np.testing.assert_array_equal(values, tables.draw(predictions, u, weights))
    plain = tables.cdf(predictions.reshape(-1, 4).astype(float), y).reshape(u.shape)
    assert chance.dtype == np.float32
    np.testing.assert_array_equal(chance, plain.astype(np.float32))


def test_what_does_not_go_together_is_refused():
    tables = TABLES["copula"]
    predictions, u, weights = drawn(4, 3)
    with pytest.raises(PermagridError, match=r"needed are\s+\(n, members, 4\)"):
        tables.draw(predictions[:, :, :3], u, weights[:, :3])
    with pytest.raises(PermagridError, match="levels"):
        tables.draw(predictions, u[:2], weights)
    with pytest.raises(PermagridError, match=r"weights have the shape \(2, 4\)"):
        tables.draw(predictions, u, weights[:2])
    with pytest.raises(PermagridError, match="not shares that sum to 1"):
        tables.draw(predictions, u, 2.0 * weights)
    with pytest.raises(PermagridError, match="asked for is missing"):
        tables.draw_with_cdf(predictions, u, np.nan, weights)
    with pytest.raises(PermagridError, match="of 4 learners"):
        tables.mean(predictions[:, 0, :2])
