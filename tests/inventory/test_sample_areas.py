"""Areas from probability samples, by the worked example of Olofsson et al. (2014), and what is no sample."""

import numpy as np
import pytest

from permagrid.errors import PermagridError
from permagrid.inventory import stratified_areas

NAMES = ("deforestation", "forest gain", "stable forest", "stable non-forest")
COUNTS = ((66, 0, 5, 4), (0, 55, 8, 12), (1, 0, 153, 11), (2, 1, 9, 313))
PIXELS = dict(zip(NAMES, (200_000, 150_000, 3_200_000, 6_450_000), strict=True))
HECTARES = 0.09


def example(**more):
    pairs = [
        (NAMES[i], NAMES[j])
        for i, row in enumerate(COUNTS)
        for j, count in enumerate(row)
        for _ in range(count)
    ]
    mapped, reference = zip(*pairs, strict=True)
    return stratified_areas(mapped, reference, PIXELS, design="stratified_random", **more)


def test_the_worked_example_of_the_paper():
    found = example()
    table = found.classes.set_index("class")
    hectares = (table["area"] * HECTARES).round().tolist()
    assert hectares == [21_158, 11_686, 285_770, 581_386]
    margins = (table["area_margin"] * HECTARES).to_numpy()
    # The paper rounds on its way.
    np.testing.assert_allclose(margins, [6_158, 3_756, 15_510, 16_282], rtol=2e-4)
    assert table["users_accuracy"].round(2).tolist() == [0.88, 0.73, 0.93, 0.96]
    assert table["users_accuracy_margin"].round(2).tolist() == [0.07, 0.10, 0.04, 0.02]
    assert table["producers_accuracy"].round(2).tolist() == [0.75, 0.85, 0.93, 0.96]
    # By hand from equation 7: of forest gain 1.96 sqrt(1.39e6 + 0.7177 * 3.939e8) / 129 846.
    assert table["producers_accuracy_margin"].round(3).tolist() == [0.213, 0.254, 0.034, 0.018]
    assert (round(found.overall, 2), round(found.overall_margin, 2)) == (0.95, 0.02)
    assert found.proportions.to_numpy().sum() == pytest.approx(1.0)
    assert found.proportions.loc["stable non-forest", "deforestation"].round(4) == 0.0040


def test_areas_add_up_whatever_the_level():
    narrow, wide = example(level=0.5), example(level=0.99)
    assert narrow.classes["area"].sum() == pytest.approx(10_000_000)
    assert (narrow.classes["area_margin"] < wide.classes["area_margin"]).all()


def test_a_class_without_errors_says_so():
    found = stratified_areas(list("aaabbb"), list("aaabba"), {"a": 1.0, "b": 1.0}, design="simple_random")
    assert "does not know" in found.classes["note"][0]
    assert found.classes["note"][1] == ""
    assert found.classes["users_accuracy_margin"][0] == 0.0


@pytest.mark.parametrize(
    ("design", "message"),
    [
        ("boreholes", "roads, mines and camps .* probability times area"),
        ("convenience", "at hand"),
        ("compilation", "happened to measure"),
        ("stratified", "did you mean 'stratified_random'"),
    ],
)
def test_what_is_no_probability_sample_is_refused_with_the_reason(design, message):
    with pytest.raises(PermagridError, match=message):
        stratified_areas(list("aabb"), list("aabb"), {"a": 1.0, "b": 1.0}, design=design)


@pytest.mark.parametrize(
    ("mapped", "reference", "areas", "message"),
    [
        ("aab", "aab", {"a": 1.0, "b": 1.0}, "class b has fewer than two places"),
        ("aabb", "aabc", {"a": 1.0, "b": 1.0}, "class 'c' has no area"),
        ("aabb", "aabb", {"a": 1.0, "b": 0.0}, "area above 0"),
        ("aab", "aabb", {"a": 1.0, "b": 1.0}, "no pairs"),
    ],
)
def test_samples_that_do_not_do_are_named(mapped, reference, areas, message):
    with pytest.raises(PermagridError, match=message):
        stratified_areas(list(mapped), list(reference), areas, design="stratified_random")
