"""Totals of an inventory as people read them: units, digits that their ranges deserve, names of rows."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from permagrid.report.page import number

Record = Mapping[str, Any]
Records = Sequence[Record]

_UNITS = {"km2": "km²", "km3": "km³", "m2": "m²", "m3": "m³"}
_AMOUNTS = (
    *("mean", "median", "low", "high", "sd", "estimate"),
    *("independent_low", "independent_high", "correlated_low", "correlated_high"),
)
_MILLION = 1e6
_MANY = 5e5
"""Size from which on totals are told in millions."""
_MOST_DIGITS = 6


def readable(records: Records, unit: str | None = None) -> list[dict[str, Any]]:
    """Return records in a unit that keeps numbers short, the same for all of them.

    Parameters
    ----------
    records
        Of one quantity.
    unit
        That of records which do not bear one.

    Examples
    --------
    >>> readable([{"mean": 2e6, "low": None, "unit": "km2"}])
    [{'mean': 2.0, 'low': None, 'unit': 'million km²'}]
    """
    largest = max((abs(float(item["mean"])) for item in records), default=0.0)
    scale = _MILLION if largest >= _MANY else 1.0
    out = []
    for item in records:
        found = str(item.get("unit", unit))
        shown = _UNITS.get(found, found)
        values: dict[str, Any] = {
            name: item[name] if item[name] is None else item[name] / scale
            for name in _AMOUNTS
            if name in item
        }
        if item.get("water"):
            values["water"] = [None if end is None else end / scale for end in item["water"]]
        out.append({**item, **values, "unit": f"million {shown}" if scale == _MILLION else shown})
    return out


def region_title(region: str) -> str:
    """Return the name of a region as it begins a row.

    Examples
    --------
    >>> region_title("all"), region_title("elsewhere"), region_title("Alaska")
    ('Whole map', 'Elsewhere', 'Alaska')
    """
    return {"all": "Whole map", "elsewhere": "Elsewhere"}.get(region, region)


def years(epoch: object) -> str:
    """Return an epoch as people read it.

    Examples
    --------
    >>> years("2000-2004")
    '2000–2004'
    """
    return str(epoch).replace("-", "–")


def level_text(item: Record) -> str:
    """Return the share of members that a range holds.

    Examples
    --------
    >>> level_text({"level": 0.95})
    '95 %'
    """
    return f"{100.0 * float(item['level']):g} %"


def rounded(value: float | None, item: Record) -> str:
    """Return a number with as many digits as the range of its record deserves: two of half its width.

    Examples
    --------
    >>> rounded(54621.7, {"mean": 54621.7, "low": 47800.0, "high": 62300.0}).split()
    ['54', '600']
    >>> rounded(0.1234, {"mean": 0.1234, "low": 0.1, "high": 0.15})
    '0.123'
    """
    if value is None or not math.isfinite(value):
        return "–"
    low, high = item.get("low"), item.get("high")
    width = (high - low) / 2.0 if low is not None and high is not None else 0.0
    size = width if width > 0.0 else abs(float(item["mean"])) / 100.0
    places = min(1 - math.floor(math.log10(size)), _MOST_DIGITS) if size > 0.0 else 2
    shown = round(value, places) + 0.0
    if places <= 0:
        return number(int(shown))
    return f"{shown:.{places}f}".replace("-", "\N{MINUS SIGN}")


def amount(value: float | None, item: Record) -> str:
    """Return a number as `rounded` does, with its unit."""
    return f"{rounded(value, item)}\N{NO-BREAK SPACE}{item['unit']}"


def between(low: float | None, high: float | None, item: Record) -> str:
    """Return a range, or nothing where there is none.

    Examples
    --------
    >>> item = {"mean": 2.0, "low": 1.0, "high": 3.0}
    >>> between(1.0, 3.0, item), between(None, None, item)
    ('1.0 to 3.0', '')
    """
    return "" if low is None or high is None else f"{rounded(low, item)} to {rounded(high, item)}"


def ends_text(item: Record) -> str:
    """Return the range of a record, or nothing where it has none."""
    return between(item["low"], item["high"], item)


def half_width(item: Record, bound: str) -> float | None:
    """Return half the width that a range would have under one of the bounds, or None.

    Examples
    --------
    >>> half_width({"independent_low": 2.0, "independent_high": 3.0}, "independent")
    0.5
    """
    low, high = item.get(f"{bound}_low"), item.get(f"{bound}_high")
    return None if low is None or high is None else (high - low) / 2.0


def brief(value: float | None) -> str:
    """Return a number in two digits.

    Examples
    --------
    >>> brief(3.456), brief(None)
    ('3.5', '–')
    """
    return number(value, 2)


def row_names(rows: Records) -> list[str]:
    """Return what rows of a figure are: regions, with epochs where there are several.

    Examples
    --------
    >>> row_names([{"region": "all", "epoch": "2000"}, {"region": "all", "epoch": "2010"}])
    ['Whole map, 2000', 'Whole map, 2010']
    """
    several = len({(item.get("epoch"), item.get("from"), item.get("to")) for item in rows}) > 1
    names = []
    for item in rows:
        title = region_title(str(item["region"]))
        span = years(item["epoch"]) if "epoch" in item else f"{years(item['from'])} to {years(item['to'])}"
        names.append(f"{title}, {span}" if several else title)
    return names


def largest_first(records: Records, most: int) -> list[Record]:
    """Return records of regions, without the whole map: the largest first, what lies elsewhere last.

    Examples
    --------
    >>> rows = [{"region": name, "mean": size} for name, size in (("all", 9), ("a", 1), ("b", -2))]
    >>> [row["region"] for row in largest_first(rows, 5)]
    ['b', 'a']
    """
    rows = [item for item in records if item["region"] != "all"]
    sizes: dict[str, float] = {}
    for item in rows:
        name = str(item["region"])
        sizes[name] = max(sizes.get(name, 0.0), abs(float(item["mean"])))
    order = sorted(sizes, key=lambda name: (name == "elsewhere", -sizes[name]))
    return [item for name in order for item in rows if item["region"] == name][:most]
