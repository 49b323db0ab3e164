"""Styles beside a map, from its legend: QGIS (QML), map servers (SLD) and class names (PAM)."""

from pathlib import Path
from xml.etree import ElementTree

from permagrid.errors import PermagridError
from permagrid.files import write_text
from permagrid.products.legend import Legend, LegendStop, unit_label

_SLD = "http://www.opengis.net/sld"
_OPAQUE = "255"


def write_styles(tif: Path, legend: Legend) -> list[Path]:
    """Write the styles of `tif` beside it and return their paths.

    ``map.qml`` is loaded by QGIS with ``map.tif``; ``map.sld`` is for map servers; classes also get
    ``map.tif.aux.xml`` with their names and colours, which GDAL, QGIS and R's terra show.

    Parameters
    ----------
    tif
        The map; it need not exist yet.
    legend
        Legend of its variable.

    Raises
    ------
    PermagridError
        If a style cannot be written.
    """
    tif = Path(tif)
    styles = {tif.with_suffix(".qml"): qml(legend), tif.with_suffix(".sld"): sld(legend)}
    if legend.kind == "classes":
        styles[tif.with_name(f"{tif.name}.aux.xml")] = class_names_xml(legend)
    for path, text in styles.items():
        write_text(path, text)
    return list(styles)


def qml(legend: Legend) -> str:
    """Return `legend` as a raster style of QGIS 3.

    Examples
    --------
    >>> from permagrid.products.legend import LEGENDS
    >>> 'colorRampType="DISCRETE"' in qml(LEGENDS["permafrost_probability"])
    True
    """
    root = ElementTree.Element(
        "qgis", {"version": "3.22.0", "styleCategories": "Symbology", "maxScale": "0", "minScale": "1e+08"}
    )
    pipe = ElementTree.SubElement(root, "pipe")
    if legend.kind == "classes":
        _qml_classes(pipe, legend)
    else:
        _qml_ramp(pipe, legend)
    ElementTree.SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    ElementTree.SubElement(pipe, "huesaturation", saturation="0", grayscaleMode="0")
    ElementTree.SubElement(pipe, "rasterresampler", maxOversampling="2")
    ElementTree.SubElement(root, "blendMode").text = "0"
    return _text(root, "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n")


def _qml_classes(pipe: ElementTree.Element, legend: Legend) -> None:
    renderer = ElementTree.SubElement(
        pipe, "rasterrenderer", type="paletted", band="1", opacity="1", alphaBand="-1", nodataColor=""
    )
    palette = ElementTree.SubElement(renderer, "colorPalette")
    for stop in legend.stops:
        ElementTree.SubElement(
            palette,
            "paletteEntry",
            value=f"{stop.value:g}",
            color=stop.colour,
            label=stop.label,
            alpha=_OPAQUE,
        )


def _qml_ramp(pipe: ElementTree.Element, legend: Legend) -> None:
    low, high = f"{legend.stops[0].value:.10g}", f"{legend.stops[-1].value:.10g}"
    renderer = ElementTree.SubElement(
        pipe,
        "rasterrenderer",
        type="singlebandpseudocolor",
        band="1",
        opacity="1",
        alphaBand="-1",
        nodataColor="",
        classificationMin=low,
        classificationMax=high,
    )
    shader = ElementTree.SubElement(renderer, "rastershader")
    ramp = ElementTree.SubElement(
        shader,
        "colorrampshader",
        colorRampType="INTERPOLATED" if legend.kind == "continuous" else "DISCRETE",
        classificationMode="1",
        clip="0",
        minimumValue=low,
        maximumValue=high,
        labelPrecision="2",
    )
    for stop in legend.stops:
        last = legend.kind == "zones" and stop is legend.stops[-1]
        ElementTree.SubElement(
            ramp,
            "item",
            value="inf" if last else f"{stop.value:.10g}",
            color=stop.colour,
            alpha=_OPAQUE,
            label=_with_unit(stop, legend),
        )


def _with_unit(stop: LegendStop, legend: Legend) -> str:
    unit = unit_label(legend.unit)
    return f"{stop.label} {unit}" if unit and legend.kind == "continuous" else stop.label


def sld(legend: Legend) -> str:
    """Return `legend` as an OGC Styled Layer Descriptor 1.0.

    Examples
    --------
    >>> from permagrid.products.legend import LEGENDS
    >>> sld(LEGENDS["permafrost_presence"]).count("ColorMapEntry")
    2
    """
    root = ElementTree.Element("StyledLayerDescriptor", {"version": "1.0.0", "xmlns": _SLD})
    layer = ElementTree.SubElement(root, "NamedLayer")
    ElementTree.SubElement(layer, "Name").text = legend.variable
    style = ElementTree.SubElement(layer, "UserStyle")
    ElementTree.SubElement(style, "Name").text = legend.variable
    ElementTree.SubElement(style, "Title").text = legend.label
    rule = ElementTree.SubElement(ElementTree.SubElement(style, "FeatureTypeStyle"), "Rule")
    symbolizer = ElementTree.SubElement(rule, "RasterSymbolizer")
    ElementTree.SubElement(symbolizer, "Opacity").text = "1"
    kinds = {"continuous": "ramp", "zones": "intervals", "classes": "values"}
    colours = ElementTree.SubElement(symbolizer, "ColorMap", type=kinds[legend.kind])
    for stop in legend.stops:
        # "intervals" excludes its upper bound: the last one must still hold the value itself
        last = legend.kind == "zones" and stop is legend.stops[-1]
        ElementTree.SubElement(
            colours,
            "ColorMapEntry",
            color=stop.colour,
            quantity=f"{stop.value * (1.000001 if last else 1.0):.10g}",
            label=_with_unit(stop, legend),
        )
    return _text(root)


def class_names_xml(legend: Legend) -> str:
    """Return the names and colours of classes as GDAL's auxiliary file (``.aux.xml``) holds them.

    Raises
    ------
    PermagridError
        If `legend` has no classes.

    Examples
    --------
    >>> from permagrid.products.legend import LEGENDS
    >>> "<Category>permafrost</Category>" in class_names_xml(LEGENDS["permafrost_presence"])
    True
    """
    if legend.kind != "classes":
        raise PermagridError(f"legend {legend.variable!r} is {legend.kind}: only classes have names")
    root = ElementTree.Element("PAMDataset")
    band = ElementTree.SubElement(root, "PAMRasterBand", band="1")
    names = ElementTree.SubElement(band, "CategoryNames")
    for name in legend.class_names:
        ElementTree.SubElement(names, "Category").text = name
    table = ElementTree.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    fields = (("Value", 0, 5), ("Class", 2, 2), ("Red", 0, 6), ("Green", 0, 7), ("Blue", 0, 8))
    for index, (name, kind, usage) in enumerate(fields):
        field = ElementTree.SubElement(table, "FieldDefn", index=str(index))
        ElementTree.SubElement(field, "Name").text = name
        ElementTree.SubElement(field, "Type").text = str(kind)
        ElementTree.SubElement(field, "Usage").text = str(usage)
    for index, stop in enumerate(legend.stops):
        row = ElementTree.SubElement(table, "Row", index=str(index))
        for cell in (int(stop.value), stop.label, *rgb(stop.colour)):
            ElementTree.SubElement(row, "F").text = str(cell)
    return _text(root)


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue [0..255] of a colour written as ``#rrggbb``.

    Examples
    --------
    >>> rgb("#1f5f99")
    (31, 95, 153)
    """
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _text(root: ElementTree.Element, doctype: str = "") -> str:
    ElementTree.indent(root)
    return doctype + ElementTree.tostring(root, encoding="unicode") + "\n"
