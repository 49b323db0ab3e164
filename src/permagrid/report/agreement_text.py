"""How the maps agree with other maps, in words and tables: with references, and with the known truth."""

import math
from collections.abc import Mapping
from typing import Any

from permagrid.products.legend import unit_label
from permagrid.report.canvas import capitalised, words
from permagrid.report.metrics import ScoreFormat
from permagrid.report.page import Cell, Grid, number, table

_MORE_PERMAFROST = {
    "mean_annual_ground_temperature": ("warmer", "colder"),
    "active_layer_thickness": ("thicker", "thinner"),
    "permafrost_presence": ("more often of permafrost", "less often of permafrost"),
    "permafrost_probability": ("higher", "lower"),
}
"""Variable -> what its map is where a reference has more permafrost, if ranks agree or are opposed."""
_PERFECT = {"mean_annual_ground_temperature": -1, "permafrost_presence": 1, "permafrost_probability": 1}
"""Variable -> the rank correlation with an amount of permafrost that perfect agreement has."""
_AMOUNTS = ("fraction", "extent", "probability", "zone", "zonation", "occurrence", "cover")


def rank_words(item: Mapping[str, Any]) -> str:
    """Return what a rank correlation with a reference means for the map.

    Parameters
    ----------
    item
        One agreement of a run: ``reference``, ``variable``, ``value``.

    Examples
    --------
    >>> rank_words({"reference": "permafrost fraction", "value": -0.9,
    ...             "variable": "mean_annual_ground_temperature"})
    'colder where the reference has more permafrost'
    >>> rank_words({"reference": "another map", "value": 0.8, "variable": "snow_depth"})
    'higher where the reference is higher'
    """
    value = item.get("value")
    if not isinstance(value, int | float) or not math.isfinite(value):
        return "no correlation could be computed"
    if abs(value) < 0.2:
        return "ranks of map and reference are hardly related"
    pair = _MORE_PERMAFROST.get(str(item.get("variable"))) if _is_amount(item) else None
    if pair:
        return f"{pair[value < 0]} where the reference has more permafrost"
    return f"{'higher' if value > 0 else 'lower'} where the reference is higher"


def agreement_sentences(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Return one sentence on each reference map.

    Examples
    --------
    >>> said = {"reference": "Permafrost fraction", "statistic": "spearman", "value": -0.886, "n": 900,
    ...         "variable": "mean_annual_ground_temperature", "epoch": "2010-2014"}
    >>> agreement_sentences({"agreement": [said]})[0]
    'Permafrost fraction: Spearman −0.89 over 900 cells ...: the map is colder where ... agreement.'
    """
    sentences = []
    for item in summary.get("agreement") or []:
        perfect = _PERFECT.get(str(item.get("variable"))) if _is_amount(item) else None
        ideal = (
            f" A value of {number(perfect)} would be perfect agreement." if perfect and _finite(item) else ""
        )
        is_said = _finite(item) and abs(float(item["value"])) >= 0.2
        sentences.append(
            f"{item.get('reference', 'Reference')}: {_statistic(item)} {rank_value(item)} over "
            f"{number(item.get('n'))} cells in {_years(item)}: {'the map is ' if is_said else ''}"
            f"{rank_words(item)}.{ideal}"
        )
    return tuple(sentences)


def rank_value(item: Mapping[str, Any]) -> str:
    """Return a rank correlation with two decimals.

    Examples
    --------
    >>> rank_value({"value": -0.886})
    '−0.89'
    """
    return f"{item['value']:.2f}".replace("-", "\N{MINUS SIGN}") if _finite(item) else "–"


def agreement_grid(summary: Mapping[str, Any]) -> Grid | None:
    """Return the agreement of the maps with independent reference maps."""
    rows = [
        [
            Cell(str(item.get("reference", "–")), str(item.get("citation") or "")),
            words(str(item.get("variable", "–"))),
            _years(item),
            _statistic(item),
            item.get("value"),
            item.get("n"),
        ]
        for item in summary.get("agreement") or []
    ]
    heads = ["Reference map", "Variable", "Epoch", "Statistic", "Value", "Cells compared"]
    return table(heads, rows) if rows else None


def truth_grid(summary: Mapping[str, Any], units: Mapping[str, str]) -> Grid | None:
    """Return the scores of the maps against the known truth."""
    rows = [
        [
            words(str(item.get("variable", "–"))),
            _years(item),
            unit_label(units.get(str(item.get("variable")), "")) or "–",
            item.get("rmse"),
            item.get("bias"),
            item.get("r2"),
            item.get("n"),
        ]
        for item in summary.get("truth") or []
    ]
    heads = ["Variable", "Epoch", "Unit", "RMSE", "Bias", "R²", "Cells"]
    return table(heads, rows) if rows else None


def truth_sentences(summary: Mapping[str, Any], variable: str, form: ScoreFormat) -> tuple[str, ...]:
    """Return whether the known error of the maps lies outside the interval that is quoted for it.

    Parameters
    ----------
    summary
        The run's summary.
    variable
        The target.
    form
        How its errors are written.

    Examples
    --------
    >>> found = {"truth": [{"variable": "t", "epoch": "2000-2004", "rmse": 1.75, "n": 900}],
    ...          "quote": {"learner": "forest", "folds": "site", "rmse_interval": [1.0, 1.5]}}
    >>> said, = truth_sentences(found, "t", ScoreFormat("1", 2))
    >>> said.partition(" (")[0]
    'The maps err by 1.750'
    >>> truth_sentences(found | {"quote": {"rmse_interval": [1.0, 2.0]}}, "t", ScoreFormat("1", 2))
    ()
    """
    known = [
        (float(item["rmse"]), int(item["n"]))
        for item in summary.get("truth") or []
        if item.get("variable") == variable and item.get("rmse") is not None and item.get("n")
    ]
    low, high = _quoted_interval(summary, variable)
    if not known or low is None or high is None:
        return ()
    error = math.sqrt(sum(rmse**2 * n for rmse, n in known) / sum(n for _, n in known))
    if low <= error <= high:
        return ()
    interval = form.interval({"rmse_low": low, "rmse_high": high}, "rmse")
    why = (
        "more than scores at sites let expect"
        if error > high
        else "less than scores at sites let expect, which hold the errors of observations as well"
    )
    return (
        f"The maps err by {form.text(error, 'rmse')} (RMSE over all cells and epochs), outside the quoted "
        f"95 % interval of {interval}: {why}.",
    )


def _quoted_interval(summary: Mapping[str, Any], variable: str) -> tuple[float | None, float | None]:
    """Return the interval of the RMSE that is quoted: for the error of the map, or else for the score."""
    quote = summary.get("quote") or {}
    told = quote.get("rmse_interval")
    if not told:
        wanted = {
            "target": variable,
            "subset": "all",
            **{key: quote.get(key) for key in ("learner", "folds")},
        }
        told = next(
            (
                row.get("rmse_interval")
                for row in summary.get("scores") or []
                if all(row.get(key) == value for key, value in wanted.items())
            ),
            None,
        )
    low, high = told or (None, None)
    return low, high


def _is_amount(item: Mapping[str, Any]) -> bool:
    """Return whether the reference says how much permafrost there is."""
    name = str(item.get("reference", "")).lower()
    return "permafrost" in name and any(word in name for word in _AMOUNTS)


def _finite(item: Mapping[str, Any]) -> bool:
    value = item.get("value")
    return isinstance(value, int | float) and math.isfinite(value)


def _statistic(item: Mapping[str, Any]) -> str:
    return capitalised(str(item.get("statistic", "–")))


def _years(item: Mapping[str, Any]) -> str:
    """Return the years of an epoch with a dash at which no line breaks."""
    return str(item.get("epoch", "–")).replace("-", "\N{WORD JOINER}–\N{WORD JOINER}")
