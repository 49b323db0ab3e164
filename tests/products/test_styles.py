"""Styles: well-formed, complete, and all from the same legend."""

from xml.etree import ElementTree

import pytest

from permagrid.errors import PermagridError
from permagrid.products.legend import LEGENDS, legend_for
from permagrid.products.styles import class_names_xml, qml, sld, write_styles

ALL = [*LEGENDS.values(), legend_for("snow_depth", unit="m", valid_range=(0, 3))]


@pytest.mark.parametrize("legend", ALL, ids=lambda legend: legend.variable)
def test_qml_and_sld_are_well_formed_and_hold_every_colour(legend):
    items = {"classes": "paletteEntry"}.get(legend.kind, "item")
    found = [item.get("color") for item in ElementTree.fromstring(qml(legend)).iter(items)]
    assert found == [stop.colour for stop in legend.stops]
    entries = ElementTree.fromstring(sld(legend)).iter("{http://www.opengis.net/sld}ColorMapEntry")
    assert [entry.get("color") for entry in entries] == [stop.colour for stop in legend.stops]


def test_renderers_suit_the_kind_of_legend():
    assert 'colorRampType="INTERPOLATED"' in qml(LEGENDS["mean_annual_ground_temperature"])
    assert 'type="paletted"' in qml(LEGENDS["permafrost_presence"])
    zones = qml(LEGENDS["permafrost_probability"])
    assert 'colorRampType="DISCRETE"' in zones
    assert 'value="inf"' in zones


def test_labels_of_continuous_styles_carry_the_unit():
    assert 'label="150 cm"' in qml(LEGENDS["active_layer_thickness"])
    assert 'label="−10 °C"' in sld(LEGENDS["mean_annual_ground_temperature"])


def test_styles_stand_beside_the_map_with_class_names_for_classes_only(tmp_path):
    written = write_styles(tmp_path / "a.tif", LEGENDS["permafrost_presence"])
    assert sorted(path.name for path in written) == ["a.qml", "a.sld", "a.tif.aux.xml"]
    written = write_styles(tmp_path / "b.tif", LEGENDS["active_layer_thickness"])
    assert sorted(path.name for path in written) == ["b.qml", "b.sld"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.qml",
        "a.sld",
        "a.tif.aux.xml",
        "b.qml",
        "b.sld",
    ]


def test_only_classes_have_names():
    with pytest.raises(PermagridError, match="only classes"):
        class_names_xml(LEGENDS["active_layer_thickness"])


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(PermagridError, match=r"cannot write .*absent"):
        write_styles(tmp_path / "absent" / "a.tif", LEGENDS["active_layer_thickness"])
