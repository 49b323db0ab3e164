"""Quality tests of the value itself: possible range, unit mix-ups, and jumps within a series."""

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from permagrid.errors import PermagridError, did_you_mean
from permagrid.sites.quality.flags import (
    FAIL,
    MISSING,
    NOT_EVALUATED,
    QUALITY,
    SUSPECT,
    Flags,
    Mask,
    Verdicts,
    numbers,
    wording,
)
from permagrid.sites.table import VARIABLES

RANGES: dict[str, tuple[float, float]] = {
    "ground_temperature": (-30.0, 20.0),
    "active_layer_thickness": (0.0, 2500.0),
    "permafrost_presence": (0.0, 1.0),
    "air_temperature": (-45.0, 35.0),
    "soil_temperature": (-35.0, 35.0),
    "volumetric_ice_content": (0.0, 100.0),
    "excess_ice_content": (0.0, 100.0),
    "thaw_depth": (0.0, 2500.0),
    "visible_ice_class": (0.0, 254.0),
    "ground_ice_class": (0.0, 254.0),
}
"""Variable -> what its value can be, in the unit of `VARIABLES`; temperatures are annual means."""

_KELVIN = 273.15
_JUMPS: dict[str, float] = {"degC": 3.0, "cm": 60.0, "%": 30.0}


@QUALITY.register
def gross_range(
    sites: gpd.GeoDataFrame,
    *,
    ranges: Mapping[str, Sequence[float]] | None = None,
    depth_range: Sequence[float] = (0.0, 200.0),
    years: Sequence[int] = (1850, 2100),
    metres_below: float = 15.0,
) -> Flags:
    """Flag values that cannot be, and name the unit mix-up or the missing-value code behind them.

    A missing value is code 9. A value out of range, a negative depth and an impossible year fail. Suspect
    are a sensor below the second number of `depth_range`, and a site whose every active layer is thinner
    than `metres_below`: its values are probably metres.

    Parameters
    ----------
    sites
        Site table.
    ranges
        Variable -> [least, greatest] possible value, in place of the default ones (`RANGES`).
    depth_range
        Least possible and greatest expected depth of a sensor [m].
    years
        First and last possible year.
    metres_below
        Active-layer thickness [cm] that no site stays below in all its years; 0 switches this off.

    Raises
    ------
    PermagridError
        If `ranges` names an unknown variable, or a range is not a pair of rising numbers.

    Examples
    --------
    >>> rows = gpd.GeoDataFrame({"site_id": ["a"], "variable": ["ground_temperature"], "value": [268.4]})
    >>> gross_range(rows).reasons.tolist()
    ['268.4 degC is out of range: probably kelvin']
    """
    limits = _checked_ranges(ranges)
    variable = sites["variable"].astype(str)
    value = numbers(sites, "value")
    least, greatest = (
        variable.map({name: pair[end] for name, pair in limits.items()}).to_numpy(dtype=float)
        for end in (0, 1)
    )
    found = Verdicts(sites)
    found.mark(np.isnan(value), MISSING, "no value")
    out = (value < least) | (value > greatest)
    unit = variable.map(VARIABLES).to_numpy(dtype=object)
    cause = _causes(value, unit, (least, greatest))
    text = wording("{:g} {} is out of range{}", value, unit, cause, where=out)
    found.mark(out, FAIL, text)
    _mark_metres(found, sites, metres_below)
    _mark_depths(found, sites, _pair("depth_range", depth_range))
    first, last = _pair("years", years)
    year = numbers(sites, "year")
    impossible = (year < first) | (year > last)
    found.mark(impossible, FAIL, wording("impossible year {:.0f}", year, where=impossible))
    return found.flags()


def _checked_ranges(ranges: Mapping[str, Sequence[float]] | None) -> dict[str, tuple[float, float]]:
    limits = dict(RANGES)
    for name, pair in (ranges or {}).items():
        if name not in VARIABLES:
            raise PermagridError(
                f"gross_range: unknown variable {name!r} in ranges: {did_you_mean(name, VARIABLES)}"
            )
        limits[name] = _pair(f"range of {name}", pair)
    return limits


def _pair(what: str, pair: Sequence[float]) -> tuple[float, float]:
    if len(pair) != 2 or not pair[0] <= pair[1]:
        raise PermagridError(f"gross_range: {what} must be [least, greatest]; found {list(pair)}")
    return float(pair[0]), float(pair[1])


def _causes(
    value: NDArray[np.float64],
    unit: NDArray[np.object_],
    limits: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.object_]:
    """Return the likely cause of each value, were it out of range, as an ending of its reason."""

    def would_fit(candidate: NDArray[np.float64]) -> Mask:
        return (candidate >= limits[0]) & (candidate <= limits[1])

    warm, length = unit == "degC", unit == "cm"
    code = (value == -999.99) | (np.isin(np.abs(value), [999.0, 999.9, 6999.0, 9999.0, 99999.0, 32768.0]))
    cause: NDArray[np.object_] = np.select(
        [
            code,
            warm & (value > 200.0) & would_fit(value - _KELVIN),
            warm & would_fit(value / 10.0),
            warm & would_fit(value / 100.0),
            length & would_fit(value / 10.0),
        ],
        [
            ": probably a code for a missing value",
            ": probably kelvin",
            ": perhaps tenths of a degree",
            ": perhaps hundredths of a degree",
            ": perhaps millimetres",
        ],
        default="",
    ).astype(object)
    return cause


def _mark_metres(found: Verdicts, sites: gpd.GeoDataFrame, metres_below: float) -> None:
    is_thickness = (sites["variable"] == "active_layer_thickness").to_numpy(dtype=bool)
    thickness = np.where(is_thickness, numbers(sites, "value"), np.nan)
    largest = (
        pd.Series(thickness).groupby(sites["site_id"].astype(str).to_numpy()).transform("max").to_numpy()
    )
    tiny = is_thickness & ~np.isnan(thickness) & (largest < metres_below)
    text = wording("site's thickest active layer is {:g} cm: probably metres", largest, where=tiny)
    found.mark(tiny, SUSPECT, text)


def _mark_depths(found: Verdicts, sites: gpd.GeoDataFrame, depth_range: tuple[float, float]) -> None:
    depth = numbers(sites, "depth")
    above = depth < depth_range[0]
    found.mark(above, FAIL, wording("sensor depth {:g} m is above the surface", depth, where=above))
    deep = depth > depth_range[1]
    found.mark(deep, SUSPECT, wording("sensor depth {:g} m: perhaps centimetres", depth, where=deep))


@QUALITY.register
def series_jump(
    sites: gpd.GeoDataFrame,
    *,
    jumps: Mapping[str, float] | None = None,
    spreads: float = 6.0,
    min_rows: int = 5,
) -> Flags:
    """Flag as suspect a value far from the median of its own series (same site, variable and depth).

    A value is far when its distance from the median exceeds both `spreads` times the robust spread of the
    series (1.4826 times the median absolute deviation) and the jump of its unit.

    Parameters
    ----------
    sites
        Site table.
    jumps
        Unit -> distance from the median that is never suspect, in that unit. Default: 3 degC, 60 cm, 30 %.
    spreads
        Robust spreads of the series beyond which a value is suspect.
    min_rows
        Series with fewer values are not evaluated.

    Raises
    ------
    PermagridError
        If `jumps` names a unit that no variable has.

    Examples
    --------
    >>> rows = gpd.GeoDataFrame({"site_id": "a", "variable": "ground_temperature", "depth": 10.0,
    ...                          "value": [-5.0, -5.1, -4.9, -5.0, 5.0]})
    >>> series_jump(rows).codes.tolist()
    [1, 1, 1, 1, 3]
    """
    strange = sorted(set(jumps or {}) - set(_JUMPS))
    if strange:
        raise PermagridError(
            f"series_jump: unknown unit {strange[0]!r} in jumps; {did_you_mean(strange[0], _JUMPS)}"
        )
    unit = sites["variable"].map(VARIABLES)
    value = pd.Series(numbers(sites, "value"))
    keys = [
        sites["site_id"].astype(str).to_numpy(),
        sites["variable"].astype(str).to_numpy(),
        np.nan_to_num(numbers(sites, "depth").round(3), nan=-1.0),
    ]
    median = value.groupby(keys).transform("median")
    distance = (value - median).abs()
    spread = 1.4826 * distance.groupby(keys).transform("median")
    rows = value.groupby(keys).transform("count").to_numpy()
    floor = unit.map(_JUMPS | dict(jumps or {})).to_numpy(dtype=float)
    found = Verdicts(sites)
    found.mark((rows < min_rows) | np.isnan(value.to_numpy()) | np.isnan(floor), NOT_EVALUATED, "")
    far = (rows >= min_rows) & (distance.to_numpy() > np.fmax(spreads * spread.to_numpy(), floor))
    text = wording(
        "{:g} where its series has a median of {:g}", value.to_numpy(), median.to_numpy(), where=far
    )
    found.mark(far & ~np.isnan(floor), SUSPECT, text)
    return found.flags()
