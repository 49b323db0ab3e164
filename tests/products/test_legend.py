"""Legends: one per variable, usable by every style, readable by colour-blind people."""

import pytest

from permagrid.errors import PermagridError
from permagrid.products.legend import LEGENDS, Legend, LegendStop, difference_legend, legend_for
from permagrid.products.styles import rgb


def lightness(colour: str) -> float:
    """Return the CIE lightness of a colour, 0..100."""
    linear = [
        c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb(colour)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance


def test_ground_temperature_is_centred_at_zero_and_lightest_there():
    shade = {s.value: lightness(s.colour) for s in LEGENDS["mean_annual_ground_temperature"].stops}
    assert max(shade, key=lambda value: shade[value]) == 0
    cold, warm = [shade[v] for v in sorted(shade) if v <= 0], [shade[v] for v in sorted(shade) if v >= 0]
    assert cold == sorted(cold)
    assert warm == sorted(warm, reverse=True)
    for value in (2, 4, 6):
        assert shade[value] == pytest.approx(shade[-value], abs=1.0)
        assert shade[0] - shade[value] == pytest.approx(8 * value, abs=2.0)


def test_temperature_and_thaw_depth_are_resolved_where_most_values_lie_and_open_beyond():
    ends = {"mean_annual_ground_temperature": (-10, 6), "active_layer_thickness": (25, 300)}
    for name, (low, high) in ends.items():
        legend = LEGENDS[name]
        assert (legend.stops[0].value, legend.stops[-1].value) == (low, high)
        assert legend.open_ends == "both"


@pytest.mark.parametrize(
    "name",
    [
        "active_layer_thickness",
        "volumetric_ice_content",
        "permafrost_probability",
        "dissimilarity_index",
        "local_point_density",
    ],
)
def test_sequential_legends_differ_in_lightness_and_not_in_hue_only(name):
    shades = [lightness(stop.colour) for stop in LEGENDS[name].stops]
    assert shades in (sorted(shades), sorted(shades, reverse=True))
    assert abs(shades[0] - shades[-1]) > 40


@pytest.mark.parametrize("name", ["permafrost_presence", "area_of_applicability"])
def test_two_classes_are_far_apart_in_lightness(name):
    first, second = LEGENDS[name].stops
    assert abs(lightness(first.colour) - lightness(second.colour)) > 30


def test_what_says_where_a_map_may_be_believed_has_a_legend():
    assert LEGENDS["area_of_applicability"].class_names == ("outside", "inside")
    for name in ("dissimilarity_index", "local_point_density"):
        legend = LEGENDS[name]
        assert (legend.unit, legend.stops[0].value, legend.open_ends) == ("1", 0.0, "max")


@pytest.mark.parametrize("highest", [1e-6, 0.003, 0.21, 1.0, 1.3437, 49.9, 50.0, 873.0])
def test_an_expected_error_has_a_legend_in_round_steps_that_holds_it(highest):
    legend = legend_for("expected_error", unit="cm", valid_range=(0.0, highest))
    assert legend.label == "Expected error [cm]"
    assert highest <= legend.stops[-1].value <= 1.6 * highest
    assert all(len(stop.label.replace("0", "").replace(".", "").split("e")[0]) <= 2 for stop in legend.stops)


def test_probability_breaks_at_the_limits_of_the_zones():
    assert [stop.value for stop in LEGENDS["permafrost_probability"].stops] == [0.1, 0.5, 0.9, 1.0]


def test_an_uncertainty_is_named_after_its_variable():
    legend = legend_for("mean_annual_ground_temperature_standard_error", unit="degC", valid_range=(0.0, 4.0))
    assert legend.label == "Mean annual ground temperature: standard error [°C]"
    assert (legend.stops[0].value, legend.stops[-1].value) == (0.0, 4.0)


def test_a_known_variable_in_another_unit_needs_its_range():
    assert legend_for("active_layer_thickness", unit="m", valid_range=(0, 3)).unit == "m"
    with pytest.raises(PermagridError, match=r"active_layer_thickness' in 'm'.*valid range"):
        legend_for("active_layer_thickness", unit="m")


@pytest.mark.parametrize("valid_range", [(1.0, 1.0), (2.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_an_unusable_range_is_refused(valid_range):
    with pytest.raises(PermagridError, match="two rising numbers"):
        legend_for("snow_depth", unit="m", valid_range=valid_range)


def test_a_difference_is_symmetric():
    stops = difference_legend(LEGENDS["active_layer_thickness"], limit=30).stops
    assert (stops[0].value, stops[len(stops) // 2].value, stops[-1].value) == (-30, 0, 30)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("continuous", [1.0], "two stops"),
        ("continuous", [2.0, 1.0], "increasing"),
        ("classes", [0.0, 255.0], "0..254"),
    ],
)
def test_a_faulty_legend_is_refused(kind, values, message):
    stops = tuple(LegendStop(value, "#000000", "x") for value in values)
    with pytest.raises(PermagridError, match=message):
        Legend("x", "X", "1", kind, stops)


def test_ends_of_an_interval_have_the_colours_of_what_they_are_of():
    whole = legend_for("active_layer_thickness", unit="cm")
    end = legend_for("active_layer_thickness_lower_95", unit="cm")
    assert end.stops == whole.stops
    assert end.title == "Active-layer thickness: lower end of the 95 % interval"
    assert legend_for("snow_depth_upper_99_5", unit="m", valid_range=(0.0, 3.0)).title.endswith(
        "upper end of the 99.5 % interval"
    )
