"""One legend per variable, from which styles, colour tables and figures all derive."""

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from permagrid.errors import PermagridError

CLASS_NODATA = 255
"""Code of "no data" in rasters of classes."""


@dataclass(frozen=True)
class LegendStop:
    """One colour of a legend."""

    value: float
    """A point of the colour ramp (continuous), an upper bound (zones) or a class code (classes)."""
    colour: str
    """Colour as ``#rrggbb``."""
    label: str
    """What a reader sees beside the colour."""


@dataclass(frozen=True)
class Legend:
    """How the values of one variable are coloured and named.

    Raises
    ------
    PermagridError
        If there are fewer than two stops, their values do not increase, or a class code does not
        fit 0..254.
    """

    variable: str
    """Name of the variable in files and tables."""
    title: str
    """Name of the variable as people read it, without the unit."""
    unit: str
    """Unit as in files: ``degC``, ``cm``, ``%``, or ``1`` for pure numbers."""
    kind: Literal["continuous", "zones", "classes"]
    """``continuous``: colours between stops are interpolated; ``zones``: one colour up to each stop;
    ``classes``: one colour and name per code."""
    stops: tuple[LegendStop, ...]
    """The colours, by increasing value."""
    cf_standard_name: str | None = None
    """Standard name of the CF conventions, where one fits."""
    open_ends: Literal["neither", "min", "max", "both"] = "neither"
    """Ends beyond which values are to be expected; they are drawn in the outermost colour."""

    def __post_init__(self) -> None:
        values = [stop.value for stop in self.stops]
        if len(values) < 2 or any(b <= a for a, b in itertools.pairwise(values)):
            raise PermagridError(
                f"legend {self.variable!r}: needs at least two stops of increasing value, found {values}"
            )
        if self.kind == "classes" and not all(v == int(v) and 0 <= v < CLASS_NODATA for v in values):
            raise PermagridError(f"legend {self.variable!r}: class codes must be 0..254, found {values}")

    @property
    def label(self) -> str:
        """Title with unit, for axes and colour bars: ``Active-layer thickness [cm]``."""
        shown = unit_label(self.unit)
        return f"{self.title} [{shown}]" if shown else self.title

    @property
    def inline(self) -> str:
        """The label within a sentence: ``active-layer thickness [cm]``."""
        return self.label[:1].lower() + self.label[1:]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by code from 0 to the highest code, empty where a code is unused."""
        names = {int(stop.value): stop.label for stop in self.stops}
        return tuple(names.get(code, "") for code in range(max(names) + 1))


def unit_label(unit: str) -> str:
    """Return `unit` as people read it; pure numbers have none.

    Examples
    --------
    >>> unit_label("degC"), unit_label("cm"), unit_label("1")
    ('°C', 'cm', '')
    """
    return {"degC": "°C", "1": "", "": ""}.get(unit, unit)


_COLD_TO_WARM = [
    "#001261",
    "#033d7c",
    "#1b6a9a",
    "#5595b7",
    "#97bfd3",
    "#ece5e0",
    "#ddaf94",
    "#c77b4f",
    "#a6481e",
]
"""From -10 to +6 degC: the colours of "vik" (Crameri et al., 2020, doi:10.1038/s41467-020-19160-7), so
placed that CIE lightness falls by 8 for every degree away from 0 degC, on either side alike."""
_UNDER_TO_OVER = ["#2d004b", "#70589f", "#bfbbda", "#f6f6f7", "#fdc57f", "#d0730f", "#7f3b08"]
"""Diverging purple to orange, so that an error is not mistaken for a temperature (ColorBrewer PuOr)."""
_SEQUENTIAL = ["#440154", "#443983", "#31688e", "#21918c", "#35b779", "#90d743", "#fde725"]
"""Viridis, perceptually uniform."""
_ICE = ["#eaf2f6", "#a8cee1", "#6ca9cd", "#3d82b8", "#235a9e", "#203479"]
"""Pale to deep blue at even steps of CIE lightness."""
_UNCERTAINTY = ["#f8f0e5", "#eac19d", "#df8e6f", "#c55d5b", "#993758", "#5c2258"]
"""Pale sand to plum at even steps of CIE lightness."""

_NEARNESS = ["#f4f1e7", "#c3d3c3", "#8eb6a8", "#599993", "#317982", "#1e5870", "#163958"]
"""Pale sand over green to deep blue at even steps of CIE lightness."""

_UNCERTAINTY_WORDS = {
    "standard_error": "standard error",
    "standard_deviation": "standard deviation",
    "uncertainty": "uncertainty",
    "interval_width": "width of the prediction interval",
    "expected_error": "expected error",
}
_INTERVAL_END = re.compile(r"^(?P<of>.+)_(?P<end>lower|upper)_(?P<percent>\d+(_\d+)?)$")
"""Names of the ends of prediction intervals, such as ``active_layer_thickness_lower_95``."""
_CHANGE, _INCREASE = "_change", "_increase_probability"
"""What maps of change end in."""
_UNCERTAINTY_TOP = {"degC": 3.0, "K": 3.0, "cm": 100.0, "m": 1.0, "%": 30.0, "1": 0.5}


def _ramp(values: Sequence[float], colours: Sequence[str]) -> tuple[LegendStop, ...]:
    """Return one stop for each pair of value and colour, labelled by its value."""
    return tuple(
        LegendStop(float(value), colour, f"{value:g}".replace("-", "\N{MINUS SIGN}"))
        for value, colour in zip(values, colours, strict=True)
    )


def _spread(low: float, high: float, colours: Sequence[str]) -> tuple[LegendStop, ...]:
    """Return stops at even steps from `low` to `high`."""
    steps = len(colours) - 1
    return _ramp([round(low + (high - low) * i / steps, 10) for i in range(steps + 1)], colours)


LEGENDS: dict[str, Legend] = {
    legend.variable: legend
    for legend in (
        Legend(
            "mean_annual_ground_temperature",
            "Mean annual ground temperature",
            "degC",
            "continuous",
            _ramp((-10, -8, -6, -4, -2, 0, 2, 4, 6), _COLD_TO_WARM),
            "temperature_in_ground",
            "both",
        ),
        Legend(
            "active_layer_thickness",
            "Active-layer thickness",
            "cm",
            "continuous",
            _ramp((25, 50, 75, 100, 150, 200, 300), _SEQUENTIAL),
            "permafrost_active_layer_thickness",
            "both",
        ),
        Legend(
            "permafrost_presence",
            "Permafrost presence",
            "1",
            "classes",
            (LegendStop(0, "#e9d8a6", "no permafrost"), LegendStop(1, "#1f5f99", "permafrost")),
        ),
        Legend(
            "permafrost_probability",
            "Permafrost probability",
            "1",
            "zones",
            (
                LegendStop(0.1, "#f3eee3", "0–10 %: isolated patches or none"),
                LegendStop(0.5, "#a9cbdc", "10–50 %: sporadic"),
                LegendStop(0.9, "#4b8dbd", "50–90 %: discontinuous"),
                LegendStop(1.0, "#1b2f72", "90–100 %: continuous"),
            ),
            "permafrost_area_fraction",
        ),
        Legend(
            "permafrost_zone",
            "Permafrost zone",
            "1",
            "classes",
            (
                LegendStop(0, "#e9d8a6", "no permafrost"),
                LegendStop(1, "#f3eee3", "isolated"),
                LegendStop(2, "#a9cbdc", "sporadic"),
                LegendStop(3, "#4b8dbd", "discontinuous"),
                LegendStop(4, "#1b2f72", "continuous"),
            ),
        ),
        Legend(
            "visible_ice_class",
            "Visible ice",
            "1",
            "classes",
            (
                LegendStop(0, "#e9d8a6", "none"),
                LegendStop(1, "#a8cee1", "low"),
                LegendStop(2, "#3d82b8", "medium to high"),
                LegendStop(3, "#203479", "high"),
            ),
        ),
        Legend(
            "ground_ice_class",
            "Ground ice",
            "1",
            "classes",
            (
                LegendStop(0, "#e9d8a6", "no permafrost"),
                LegendStop(1, "#a8cee1", "low: up to 10 %"),
                LegendStop(2, "#235a9e", "medium to high: more than 10 %"),
            ),
        ),
        Legend(
            "excess_ice_content",
            "Excess ice content",
            "%",
            "continuous",
            _spread(0, 100, _ICE),
        ),
        Legend(
            "volumetric_ice_content",
            "Volumetric ice content",
            "%",
            "continuous",
            _spread(0, 100, _ICE),
            "volume_fraction_of_frozen_water_in_soil",
        ),
        Legend(
            "dissimilarity_index",
            "Dissimilarity index",
            "1",
            "continuous",
            _ramp((0, 0.1, 0.2, 0.4, 0.6, 1), _UNCERTAINTY),
            open_ends="max",
        ),
        Legend(
            "area_of_applicability",
            "Area of applicability",
            "1",
            "classes",
            (LegendStop(0, "#c2502e", "outside"), LegendStop(1, "#d5e7df", "inside")),
        ),
        Legend(
            "local_point_density",
            "Local point density",
            "1",
            "continuous",
            _ramp((0, 1, 3, 10, 30, 100, 300), _NEARNESS),
            open_ends="max",
        ),
    )
}
"""Variable -> its legend. Ranges are fixed, so that maps of different epochs and studies compare;
values beyond a range take the outermost colour. Thaw depths are resolved where most of them lie."""


def legend_for(variable: str, *, unit: str, valid_range: tuple[float, float] | None = None) -> Legend:
    """Return the legend of `variable`, or a sequential one over its range.

    Parameters
    ----------
    variable
        A name in `LEGENDS`, ``expected_error``, one that ends in ``_standard_error``,
        ``_standard_deviation``, ``_uncertainty`` or ``_interval_width``, or any other.
    unit
        Unit of the values.
    valid_range
        Lowest and highest value; needed only for variables that `LEGENDS` does not hold in `unit`. Of an
        expected error the legend goes on to the next round number.

    Raises
    ------
    PermagridError
        If the variable is unknown in `unit` and no usable `valid_range` is given.

    Examples
    --------
    >>> legend_for("active_layer_thickness", unit="cm").label
    'Active-layer thickness [cm]'
    >>> legend_for("snow_depth", unit="m", valid_range=(0.0, 3.0)).stops[-1].value
    3.0
    >>> legend_for("active_layer_thickness_standard_error", unit="cm").title
    'Active-layer thickness: standard error'
    """
    known = LEGENDS.get(variable)
    if known is not None and known.unit == unit:
        return known
    end = _INTERVAL_END.match(variable)
    if end is not None:
        whole = legend_for(end["of"], unit=unit, valid_range=valid_range)
        told = f"{whole.title}: {end['end']} end of the {end['percent'].replace('_', '.')} % interval"
        return replace(whole, variable=variable, title=told)
    if variable.endswith(_INCREASE):
        of = _title(variable.removesuffix(_INCREASE))
        return Legend(
            variable, f"{of}: probability of an increase", unit, "continuous", _spread(0, 1, _UNDER_TO_OVER)
        )
    if variable.endswith(_CHANGE) and valid_range is not None:
        of = _title(variable.removesuffix(_CHANGE))
        limit = _round_above(max(map(abs, valid_range)))
        stops = _spread(-limit, limit, _UNDER_TO_OVER)
        return Legend(variable, f"{of}: change", unit, "continuous", stops, None, "both")
    for ending, words in _UNCERTAINTY_WORDS.items():
        if variable.endswith(ending):
            of = variable.removesuffix(ending).rstrip("_")
            title = f"{_title(of)}: {words}" if of else words.capitalize()
            low, high = _range(variable, valid_range or (0.0, _UNCERTAINTY_TOP.get(unit, 1.0)))
            if variable == "expected_error" or words == _UNCERTAINTY_WORDS["interval_width"]:
                high = low + _round_above(high - low)
            return Legend(variable, title, unit, "continuous", _spread(low, high, _UNCERTAINTY))
    if valid_range is None:
        raise PermagridError(
            f"no legend for {variable!r} in {unit!r}: give its valid range, or use one of "
            + ", ".join(f"{legend.variable} [{legend.unit}]" for legend in LEGENDS.values())
        )
    low, high = _range(variable, valid_range)
    return Legend(variable, _title(variable), unit, "continuous", _spread(low, high, _SEQUENTIAL))


def difference_legend(legend: Legend, *, limit: float, title: str = "Error (map − truth)") -> Legend:
    """Return a diverging legend, centred at zero, for differences of the variable of `legend`.

    Parameters
    ----------
    legend
        Legend of the values that are compared.
    limit
        Largest absolute difference [unit of `legend`] that has its own colour.
    title
        What the difference is.

    Raises
    ------
    PermagridError
        If `limit` is not a positive number.

    Examples
    --------
    >>> d = difference_legend(LEGENDS["active_layer_thickness"], limit=60.0)
    >>> d.label, d.stops[3].value
    ('Error (map − truth) [cm]', 0.0)
    """
    low, high = _range(legend.variable, (-limit, limit))
    stops = _spread(low, high, _UNDER_TO_OVER)
    return Legend(f"{legend.variable}_difference", title, legend.unit, "continuous", stops, None, "both")


def _title(variable: str) -> str:
    if variable in LEGENDS:
        return LEGENDS[variable].title
    return variable.replace("_", " ").capitalize()


def _round_above(value: float) -> float:
    """Return a number not below `value` that five steps divide into round numbers."""
    magnitude = 10.0 ** math.floor(math.log10(value / 5.0))
    steps = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
    return next((5.0 * s * magnitude for s in steps if 5.0 * s * magnitude >= value), 50.0 * magnitude)


def _range(variable: str, valid_range: tuple[float, float]) -> tuple[float, float]:
    low, high = (float(bound) for bound in valid_range)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise PermagridError(f"legend {variable!r}: the range must be two rising numbers, not {valid_range}")
    return low, high
