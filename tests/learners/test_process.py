"""Process models as learners: they find the numbers that made the data, and stay within the physical."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_process import (
    FACTORS,
    INDICES,
    NAMES,
    QUARTERS,
    SNOWY,
    TRUE_TTOP,
    WAVE,
    climate,
    column,
    ground_temperature,
    kudryavtsev_of,
    thaw_depth,
)
from sklearn.base import clone, is_classifier, is_regressor

from permagrid.errors import PermagridError
from permagrid.learners import LEARNERS, build_learner, traits_of
from permagrid.physics import frost_number

ROWS = climate()
MODELS = {
    "frost_number": ("frost_number", WAVE),
    "frost_number of indices": ("frost_number", INDICES),
    "frost_number by soil": ("frost_number", {**WAVE, "soil_class": "soil"}),
    "ttop": ("ttop", SNOWY),
    "ttop of quarters": ("ttop", QUARTERS),
    "ttop by soil": ("ttop", {**SNOWY, "soil_class": "soil", "offset": None}),
    "ttop given": (
        "ttop",
        {**WAVE, "freezing_n_factor": 0.5, "thawing_n_factor": 0.9, "conductivity_ratio": 0.8},
    ),
    "kudryavtsev": ("kudryavtsev", {**WAVE, "winter_precipitation": "rain"}),
}
DEPTHS = {
    "stefan": ("stefan", {"thawing_index": "thawing", "soil_class": "soil"}),
    "stefan of heat": ("stefan", {**WAVE, "form": "physical"}),
    "kudryavtsev": ("kudryavtsev", {**SNOWY, "output": "active_layer", "soil_class": "soil"}),
}
EVERY = [(*model, task) for model in MODELS.values() for task in ("value", "class")]
EVERY += [(*model, "depth") for model in DEPTHS.values()]


def built(name, keywords, task="value", *, names=NAMES):
    return build_learner(name, task, 0, keywords, covariates=names, classes=["soil"])


def fitted(name, keywords, y, task="value", *, rows=ROWS, weights=None):
    return built(name, keywords, task).fit(rows, y, sample_weight=weights)


def target(task, *, rows=ROWS, seed=1):
    noise = np.random.default_rng(seed).normal(0, 0.7, len(rows))
    if task == "depth":
        return thaw_depth(rows, by_soil=True) * np.exp(0.2 * noise)
    values = ground_temperature(rows, by_soil=True) + noise
    return values if task == "value" else (values <= 0).astype(float)


@pytest.mark.parametrize(("name", "keywords", "task"), EVERY)
def test_a_process_model_learns(name, keywords, task):
    y = target(task)
    model = built(name, keywords, "class" if task == "class" else "value").fit(ROWS, y)
    assert is_classifier(model) if task == "class" else is_regressor(model)
    assert model.score(ROWS, y) > {"value": 0.3, "class": 0.8, "depth": 0.5}[task]
    assert np.isfinite(model.predict(ROWS)).all()
    free = {each.name for each in model.process.free}
    for each in model.process.parameters:
        value = model.parameters_[each.name]
        assert each.low <= value <= each.high if each.name in free else value == each.value


@pytest.mark.parametrize(("name", "keywords", "task"), EVERY)
def test_a_row_is_predicted_alike_alone_and_among_others(name, keywords, task):
    kind = "class" if task == "class" else "value"
    model = built(name, keywords, kind).fit(ROWS, target(task))
    predict = model.predict_proba if kind == "class" else model.predict
    whole = predict(ROWS)
    order = np.random.default_rng(2).permutation(len(ROWS))
    assert predict(ROWS[order]).tobytes() == whole[order].tobytes()
    assert predict(np.asfortranarray(ROWS)).tobytes() == whole.tobytes()
    for size in (1, 2, 3, 7, 33, 399):
        parts = np.concatenate([predict(ROWS[at : at + size]) for at in range(0, len(ROWS), size)])
        assert parts.tobytes() == whole.tobytes()


@pytest.mark.parametrize(("name", "keywords", "task"), EVERY)
def test_a_fit_is_repeated_by_a_clone_and_does_not_hang_on_the_order_of_rows(name, keywords, task):
    kind, y = "class" if task == "class" else "value", target(task)
    model = built(name, keywords, kind)
    order = np.random.default_rng(3).permutation(len(ROWS))
    one, two = model.fit(ROWS, y), clone(model).fit(ROWS, y)
    turned = clone(model).fit(ROWS[order], y[order])
    ask = "predict_proba" if kind == "class" else "predict"
    first = getattr(one, ask)(ROWS)
    assert getattr(two, ask)(ROWS).tobytes() == first.tobytes()
    np.testing.assert_allclose(getattr(turned, ask)(ROWS), first, rtol=1e-3, atol=1e-3)


def test_ttop_finds_the_numbers_that_made_the_data():
    model = fitted("ttop", SNOWY, ground_temperature(ROWS))
    for name, value in TRUE_TTOP.items():
        assert model.parameters_[name] == pytest.approx(value, abs=0.01), name


def test_ttop_finds_an_offset_if_it_may():
    cold = ground_temperature(ROWS) - 1.5
    model = fitted("ttop", {**SNOWY, "offset": None}, cold)
    assert model.parameters_["offset"] == pytest.approx(-1.5, abs=0.05)
    # Without the offset it lies beside the data.
    assert fitted("ttop", SNOWY, cold).score(ROWS, cold) < model.score(ROWS, cold)


def test_precipitation_stands_for_snow_of_its_density():
    """250 mm at 250 kg/m3 are a metre."""
    keywords = {**WAVE, "winter_precipitation": "rain", "snow_density": 250.0}
    y = ground_temperature(ROWS)
    snow, rain = (fitted("ttop", each, y).predict(ROWS) for each in (SNOWY, keywords))
    np.testing.assert_allclose(rain, snow, atol=1e-6)


def test_quarters_and_indices_stand_for_the_sinusoid():
    y = ground_temperature(ROWS)
    wave, *others = (fitted("ttop", each, y).predict(ROWS) for each in (WAVE, QUARTERS, INDICES))
    for other in others:
        np.testing.assert_allclose(other, wave, atol=1e-3)


def test_outliers_do_not_move_it():
    y = ground_temperature(ROWS) + np.random.default_rng(5).normal(0, 0.3, len(ROWS))
    y[::20] += 25.0
    model = fitted("ttop", SNOWY, y)
    assert np.sqrt(np.mean((model.predict(ROWS) - ground_temperature(ROWS)) ** 2)) < 0.2


def test_kudryavtsev_finds_the_numbers_that_made_the_data():
    cold, deep = kudryavtsev_of(ROWS)
    model = fitted("kudryavtsev", SNOWY, cold)
    assert model.score(ROWS, cold) > 0.9999
    assert model.parameters_["snow_diffusivity"] == pytest.approx(3e-7, rel=0.05)
    assert model.parameters_["conductivity_ratio"] == pytest.approx(0.7, abs=0.02)
    assert model.parameters_["vegetation_thickness"] == pytest.approx(0.1, abs=0.01)
    thick = fitted("kudryavtsev", {**SNOWY, "output": "active_layer"}, deep)
    assert thick.score(ROWS, deep) > 0.999
    assert thick.parameters_["thawed_conductivity"] == pytest.approx(1.3, rel=0.1)


@pytest.mark.parametrize(("unit", "factor"), [("cm", 1.0), ("m", 0.01)])
@pytest.mark.parametrize("name", ["stefan", "kudryavtsev"])
def test_the_unit_of_the_target_changes_no_parameter(name, unit, factor):
    keywords = {**WAVE, "unit": unit} | ({"output": "active_layer"} if name == "kudryavtsev" else {})
    model = fitted(name, keywords, factor * thaw_depth(ROWS))
    np.testing.assert_allclose(model.predict(ROWS) / factor, thaw_depth(ROWS), rtol=0.2, atol=20)
    if name == "stefan":
        # sqrt(2 * 1.1 * 86400 / (3.34e8 * 0.3))
        assert model.parameters_["edaphic_factor"] == pytest.approx(0.04355, rel=1e-3)


def test_the_two_forms_of_stefan_say_the_same():
    y = target("depth")
    edaphic = fitted("stefan", WAVE, y)
    physical = fitted("stefan", {**WAVE, "form": "physical", "water_content": 0.4}, y)
    np.testing.assert_allclose(physical.predict(ROWS), edaphic.predict(ROWS), rtol=1e-3)
    wet = np.column_stack([ROWS, np.full(len(ROWS), 0.4)])
    keywords = {**WAVE, "form": "physical", "water_content": "wet"}
    covariate = built("stefan", keywords, names=(*NAMES, "wet")).fit(wet, y)
    np.testing.assert_allclose(covariate.predict(wet), physical.predict(ROWS), rtol=1e-6)


def test_soils_have_factors_of_their_own():
    keywords = {"soil_class": "soil", "shrinkage": 1.0}
    model = fitted("stefan", {**WAVE, **keywords}, thaw_depth(ROWS, by_soil=True))
    found = model.parameters_["edaphic_factor"] * np.array(list(model.class_factors_.values()))
    np.testing.assert_allclose(found, 0.04355 * FACTORS, rtol=0.03)
    temperature = fitted("ttop", {**SNOWY, **keywords}, ground_temperature(ROWS, by_soil=True))
    found = temperature.parameters_["thawing_n_factor"] * np.array(list(temperature.class_factors_.values()))
    np.testing.assert_allclose(found, 0.85 * FACTORS, rtol=0.03)


def test_a_soil_that_few_rows_have_leans_on_all():
    few = ROWS.copy()
    few[:, NAMES.index("soil")] = 1.0
    few[:8, NAMES.index("soil")] = 5.0
    y = thaw_depth(few, by_soil=True) * np.exp(np.random.default_rng(7).normal(0, 0.2, len(few)))

    def factor(shrinkage):
        keywords = {**WAVE, "soil_class": "soil", "shrinkage": shrinkage}
        found = fitted("stefan", keywords, y, rows=few).class_factors_
        return found[5.0] / found[1.0]

    own, leaning, common = (factor(each) for each in (0.0, 10.0, 1e6))
    assert own == pytest.approx(1.3 / 0.7, rel=0.2)
    assert common == pytest.approx(1.0, abs=0.01)
    assert 1.05 < leaning < 0.9 * own


def test_a_soil_that_no_training_row_has_is_as_all():
    model = fitted("stefan", {**WAVE, "soil_class": "soil"}, target("depth"))
    strange = ROWS.copy()
    for code in (0.0, 9.0, np.nan):
        strange[:, NAMES.index("soil")] = code
        expected = 100.0 * model.parameters_["edaphic_factor"] * np.sqrt(column(ROWS, "thawing"))
        np.testing.assert_allclose(model.predict(strange), expected)


def test_presence_is_even_where_the_model_says_so():
    y = target("class")
    for name, keywords, even in (("ttop", SNOWY, 0.0), ("frost_number", WAVE, 0.5)):
        model = fitted(name, keywords, y, "class")
        said, probability = model.say(ROWS), model.predict_proba(ROWS)[:, 1]
        cold = said < even if name == "ttop" else said > even
        np.testing.assert_array_equal(probability > 0.5, cold)
        np.testing.assert_allclose(model.predict_proba(ROWS).sum(axis=1), 1.0)
        order = np.argsort(said)
        steps = np.diff(probability[order])
        assert (steps <= 0).all() if name == "ttop" else (steps >= 0).all()


def test_a_level_is_learned_where_the_model_is_given():
    """Permafrost from a frost number of 0.6 on."""
    number = frost_number(column(ROWS, "freezing"), column(ROWS, "thawing"))
    y = (number + np.random.default_rng(6).normal(0, 0.02, len(ROWS)) > 0.6).astype(float)
    model = fitted("frost_number", {**WAVE, "edaphic_factor": 1.0}, y, "class")
    probability = model.predict_proba(ROWS)[:, 1]
    assert (probability[number > 0.66] > 0.8).all()
    assert (probability[number < 0.54] < 0.2).all()


def test_an_edaphic_factor_moves_the_limit():
    number = frost_number(column(ROWS, "freezing"), column(ROWS, "thawing"), edaphic=1.7)
    y = (number + np.random.default_rng(6).normal(0, 0.02, len(ROWS)) > 0.5).astype(float)
    assert fitted("frost_number", WAVE, y, "class").parameters_["edaphic_factor"] == pytest.approx(
        1.7, rel=0.05
    )


def test_more_than_two_classes_and_one():
    y = np.digitize(ground_temperature(ROWS), [-6.0, 0.0]).astype(float) + 10.0
    model = fitted("ttop", SNOWY, y, "class")
    assert model.classes_.tolist() == [10.0, 11.0, 12.0]
    assert model.predict_proba(ROWS).shape == (len(ROWS), 3)
    assert model.score(ROWS, y) > 0.85
    one = fitted("ttop", SNOWY, np.ones(len(ROWS)), "class")
    np.testing.assert_array_equal(one.predict_proba(ROWS), 1.0)


@pytest.mark.parametrize(("name", "keywords", "task"), EVERY)
def test_a_weight_of_two_is_the_row_twice(name, keywords, task):
    rows = ROWS[:150]
    kind, y = "class" if task == "class" else "value", target(task)[:150]
    weights = 1.0 + (np.arange(150) % 3 == 0)
    twice = np.repeat(np.arange(150), weights.astype(int))
    # Weights are relative: 150 rows of these weights are held by as many rows as 200 without.
    held = {"shrinkage": 7.5} if "soil_class" in keywords else {}
    one = built(name, {**keywords, **held}, kind).fit(rows, y, sample_weight=weights)
    two = built(name, keywords, kind).fit(rows[twice], y[twice])
    ask = "predict_proba" if kind == "class" else "predict"
    wide = {"class": 0.01, "value": 0.02, "depth": 1.0}[task]
    if "offset" in keywords and kind == "class":
        # Twelve numbers for 150 rows of two classes: other ones are nearly as good.
        wide = 0.15
    np.testing.assert_allclose(getattr(one, ask)(rows), getattr(two, ask)(rows), atol=wide)


def test_no_weight_is_no_row():
    y = target("value")
    weights = np.ones(len(ROWS))
    weights[:50] = 0.0
    spoilt = y.copy()
    spoilt[:50] = 1000.0
    one = fitted("ttop", SNOWY, spoilt, weights=weights).predict(ROWS)
    np.testing.assert_allclose(one, fitted("ttop", SNOWY, y, weights=weights).predict(ROWS), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    air=st.floats(-25, 10),
    swing=st.floats(1, 30),
    warmer=st.floats(0, 8),
    snow=st.floats(0, 3),
    soil=st.floats(0, 9),
)
def test_colder_air_never_warms_the_ground(air, swing, warmer, snow, soil):
    for model in COLD_TO_WARM:
        rows = np.zeros((2, len(NAMES)))
        rows[:, NAMES.index("swing")], rows[:, NAMES.index("snow")] = swing, snow
        rows[:, NAMES.index("air")] = air, air + warmer
        rows[:, NAMES.index("soil")] = soil
        cold, warm = model.predict(rows)
        assert warm >= cold - 1e-9


COLD_TO_WARM = [
    fitted("ttop", {**SNOWY, "soil_class": "soil"}, target("value")),
    fitted("stefan", {**WAVE, "soil_class": "soil"}, target("depth")),
]

WRONG = {
    "no climate": ("ttop", {}, "ttop: climate is missing; set freezing_index and thawing_index, or air_temp"),
    "two amplitudes": ("ttop", {**WAVE, "warmest_quarter": "warm"}, "say the same; one of them is allowed"),
    "two snows": ("ttop", {**SNOWY, "winter_precipitation": "rain"}, "both stand for snow; one of them"),
    "a wild factor": (
        "ttop",
        {**WAVE, "freezing_n_factor": 3.0},
        "freezing_n_factor must be 0.02 to 1.2, found 3",
    ),
    "snow without snow": ("ttop", {**WAVE, "snow_scale": 0.3}, "snow_scale needs a covariate of snow"),
    "a typing error": (
        "ttop",
        {**WAVE, "air_temperature": "airs"},
        "air_temperature names 'airs', .* did you mean 'air'",
    ),
    "a strange soil": ("stefan", {**WAVE, "soil_class": "sol"}, "soil_class names 'sol'"),
    "given and by class": (
        "stefan",
        {**WAVE, "soil_class": "soil", "edaphic_factor": 0.03},
        "classes of soil_class differ in edaphic_factor",
    ),
    "below zero": (
        "stefan",
        {**WAVE, "soil_class": "soil", "shrinkage": -1.0},
        "shrinkage must be at least 0, found -1",
    ),
    "of the other form": ("stefan", {**WAVE, "conductivity": 1.0}, "conductivity belongs to form: physical"),
    "of no form": (
        "stefan",
        {**WAVE, "form": "physical", "edaphic_factor": 0.1},
        "edaphic_factor belongs to form: edaphic",
    ),
    "half a sinusoid": ("kudryavtsev", {"air_temperature": "air"}, "kudryavtsev: set air_temperature with"),
    "of the other output": (
        "kudryavtsev",
        {**WAVE, "thawed_conductivity": 1.0},
        "belongs to output: active_layer",
    ),
    "a class of the other output": (
        "kudryavtsev",
        {**WAVE, "soil_class": "soil", "class_parameter": "water_content"},
        "class_parameter: water_content belongs to output: active_layer",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_in_one_sentence(case):
    name, keywords, message = WRONG[case]
    assert LEARNERS.faults(name, keywords) == []
    with pytest.raises(PermagridError, match=message) as error:
        built(name, keywords)
    assert str(error.value).startswith(f"{name}: ")


def test_a_depth_is_no_class():
    with pytest.raises(PermagridError, match="stefan is for values"):
        built("stefan", WAVE, "class")
    with pytest.raises(PermagridError, match="output: active_layer is for values"):
        built("kudryavtsev", {**WAVE, "output": "active_layer"}, "class")


def test_they_know_columns_by_name():
    assert all(traits_of(name).by_name for name in ("frost_number", "ttop", "stefan", "kudryavtsev"))
    unnamed = build_learner("ttop", "value", 0, SNOWY)
    with pytest.raises(PermagridError, match="ttop knows its covariates by name"):
        unnamed.fit(ROWS, target("value"))
    order = np.random.default_rng(8).permutation(len(NAMES))
    turned = built("ttop", SNOWY, names=[NAMES[place] for place in order]).fit(
        ROWS[:, order], target("value")
    )
    np.testing.assert_array_equal(
        turned.predict(ROWS[:, order]), fitted("ttop", SNOWY, target("value")).predict(ROWS)
    )
    with pytest.raises(PermagridError, match="10 names for rows of shape"):
        turned.predict(ROWS[:, :5])
