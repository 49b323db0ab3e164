"""What the report says of intervals: enough or not, where, and whose distributions are the better ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from permagrid.report.canvas import words
from permagrid.report.fold_names import fold_order, fold_phrase
from permagrid.report.metrics import ScoreFormat, score_format
from permagrid.report.page import number


def coverage_sentences(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the intervals of the reference hold under the scheme to quote, and whether that is enough.

    Parameters
    ----------
    record
        As in `interval_section`.

    Examples
    --------
    >>> row = {"learner": "forest", "folds": "site", "by": "all", "part": "all", "level": 0.9, "n": 900,
    ...        "groups": 90, "coverage": 0.81, "low": 0.77, "high": 0.85, "width": 4.0, "unbounded": 0.0}
    >>> said, = coverage_sentences({"reference": "forest", "coverage": [row], "unit": "degC"})
    >>> said.replace("\N{NO-BREAK SPACE}", " ").split(": ")[0]
    'Under folds by site the 90 % intervals of the forest hold 81.0 % of 900 rows (77.0 to 85.0 %)'
    >>> said.split(": ")[1].replace("\N{NO-BREAK SPACE}", " ")
    'they are too narrow. From end to end they are 4.00 °C wide in the mean.'
    """
    row = widest(record)
    if row is None:
        return ()
    level, form = percent(row["level"]), form_of(record)
    told = f"hold {percent(row['coverage'], 1)} of {number(row['n'])} rows"
    verdict = ""
    if row["low"] is not None:
        told += f" ({ends_text(row)})"
        verdict = f": {_VERDICTS[_told(row)]}"
    wide = ""
    if row["width"] is not None:
        wide = f" From end to end they are {form.text(row['width'], 'rmse')} wide in the mean."
    start = (
        f"Under {fold_phrase(str(row['folds']))} the {level} intervals of the {words(record['reference'])}"
    )
    said = [f"{start} {told}{verdict}.{wide}"]
    off = [
        item
        for item in of_reference(record)
        if item["by"] != "all"
        and item["folds"] == row["folds"]
        and item["level"] == row["level"]
        and _told(item) == "narrow"
    ]
    # Where they are too narrow on the whole, parts that are so too say nothing new.
    if off and _told(row) != "narrow":
        names = ", ".join(f"{part_name(item)} ({percent(item['coverage'], 1)})" for item in off)
        said.append(f"They are too narrow in parts: {names}.")
    return tuple(said)


_VERDICTS = {"narrow": "they are too narrow", "wide": "they are too wide", "right": "as they should"}


def _told(row: Mapping[str, Any]) -> str:
    """Return whether a stated coverage lies within the interval of the measured one, or on which side."""
    if row["low"] is None:
        return "untold"
    if row["high"] < row["level"]:
        return "narrow"
    return "wide" if row["low"] > row["level"] else "right"


def crps_sentences(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return whose distributions are worse or better than those of the reference under the scheme to quote.

    Parameters
    ----------
    record
        As in `interval_section`.

    Examples
    --------
    >>> pair = {"learner": "ridge", "reference": "forest", "folds": "site", "difference": 0.2,
    ...         "difference_low": 0.1, "difference_high": 0.3}
    >>> coverage = [{"learner": "forest", "folds": "site", "by": "all"}]
    >>> crps_sentences({"reference": "forest", "coverage": coverage, "paired": [pair]})
    ('Under folds by site the CRPS of the forest is lower than that of: ridge.',)
    """
    folds, said = first_scheme(record), []
    pairs = [i for i in record.get("paired") or [] if i["folds"] == folds and i["difference_low"] is not None]
    worse = [words(item["learner"]) for item in pairs if item["difference_low"] > 0.0]
    better = [words(item["learner"]) for item in pairs if item["difference_high"] < 0.0]
    alike = [
        words(item["learner"]) for item in pairs if item["difference_low"] <= 0.0 <= item["difference_high"]
    ]
    if worse:
        said.append(f"lower than that of: {', '.join(worse)}")
    if better:
        said.append(f"higher than that of: {', '.join(better)}")
    if alike:
        said.append(f"not to be told apart from that of: {', '.join(alike)}")
    if not said:
        return ()
    return (f"Under {fold_phrase(folds)} the CRPS of the {words(record['reference'])} is {'; '.join(said)}.",)


def of_reference(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the records ``coverage`` of the reference."""
    rows: Sequence[Mapping[str, Any]] = record.get("coverage") or []
    return [item for item in rows if item["learner"] == record.get("reference")]


def first_scheme(record: Mapping[str, Any]) -> str:
    """Return the scheme to quote, or the most severe one where there is none."""
    schemes = sorted({str(item["folds"]) for item in of_reference(record)}, key=fold_order)
    quote = record.get("quote")
    return str(quote) if quote in schemes else schemes[-1]


def widest(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the record of the widest intervals of the reference, all rows, under the first scheme."""
    rows = [item for item in of_reference(record) if item["by"] == "all"]
    mine = [item for item in rows if item["folds"] == first_scheme(record) and item["coverage"] is not None]
    return max(mine, key=lambda item: float(item["level"]), default=None)


def part_name(item: Mapping[str, Any]) -> str:
    """Return the part of a record as people read it.

    Examples
    --------
    >>> part_name({"by": "di_bin", "part": "above 0.60"}), part_name({"by": "region", "part": "Alaska"})
    ('dissimilarity index above 0.60', 'Alaska')
    """
    if item["by"] == "all":
        return "all rows"
    part = str(item["part"])
    return f"dissimilarity index {part}" if item["by"] == "di_bin" else part


def form_of(record: Mapping[str, Any]) -> ScoreFormat:
    """Return how CRPS and widths of a record are written: as RMSE is."""
    sizes = [item["crps"] for item in record.get("crps") or [] if item["crps"] is not None]
    sizes = sizes or [item["width"] / 4.0 for item in of_reference(record) if item.get("width") is not None]
    return score_format(pd.DataFrame({"rmse": sizes}, dtype=float), str(record.get("unit") or ""))


def ends_text(row: Mapping[str, Any]) -> str:
    """Return the interval of a coverage in per cent."""
    return f"{100 * row['low']:.1f} to {100 * row['high']:.1f}\N{NO-BREAK SPACE}%"


def percent(share: float, decimals: int = 0) -> str:
    """Return a share in per cent, with as many decimals as it needs if none are asked for."""
    text = f"{100 * share:.{decimals}f}" if decimals else f"{100 * share:g}"
    return f"{text}\N{NO-BREAK SPACE}%"
