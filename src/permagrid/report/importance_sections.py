"""The section of a report on what the learner of the maps goes by."""

from collections.abc import Mapping, Sequence
from typing import Any

from permagrid.report.canvas import words
from permagrid.report.fold_names import fold_phrase
from permagrid.report.importance_figures import MOST_BARS, importance_figure, importance_label
from permagrid.report.page import Cell, Folded, Grid, Part, Picture, Row, Section, number

_METHODS = {
    "permutation": (
        "Shuffling",
        "A covariate matters as much as predictions of rows that the learner has not seen grow worse when "
        "its values are shuffled among these rows (Breiman 2001, doi:10.1023/A:1010933404324). Covariates "
        "that tell the same are to be shuffled together, or each would seem needless beside the others.",
    ),
    "impurity": (
        "Splits of the trees",
        "What the splits on a covariate bring to the trees, on the rows that train. It favours covariates of "
        "many values, whether they say anything or not (Strobl et al. 2007, doi:10.1186/1471-2105-8-25): "
        "read it beside shuffling.",
    ),
    "shap": (
        "Shapley values",
        "Mean size of what each covariate adds to a prediction (Štrumbelj and Kononenko 2014, "
        "doi:10.1007/s10115-013-0679-x): what moves the predictions, right or wrong.",
    ),
}
"""Method -> its title, and what it says."""
_Kind = tuple[str, str, str]


def importance_section(summary: Mapping[str, Any], study: Mapping[str, Any]) -> Section | None:
    """Return which covariates the learner of the maps goes by: by shuffling open, other ways on demand.

    Parameters
    ----------
    summary, study
        The run's ``summary.json`` and the resolved study; a summary without ``importance`` has no section.
    """
    found: Sequence[Mapping[str, Any]] = summary.get("importance") or []
    if not found:
        return None
    learner = (summary.get("quote") or {}).get("learner") or (study.get("products") or {}).get("learner")
    name = words(str(learner)) if learner else "learner of the maps"
    kinds = sorted(dict.fromkeys(_kind(item) for item in found), key=_place)
    shown = [[item for item in found if _kind(item) == kind] for kind in kinds]
    text = (
        f"What the {name} goes by says how it predicts, and nothing of what makes ground freeze: covariates "
        "that are alike stand in for each other.",
        _METHODS[kinds[0][0]][1],
    )
    folded = tuple(
        Folded(_title(kind), (_picture(rows, name),), (_grid(rows, _METHODS[kind[0]][1]),))
        for kind, rows in zip(kinds[1:], shown[1:], strict=True)
    )
    numbers = Folded("The numbers", tables=(_grid(shown[0]),))
    part = Part(_title(kinds[0]), text, (_picture(shown[0], name),), (), (numbers, *folded))
    return Section("importance", "What the learner goes by", (part,))


def _kind(item: Mapping[str, Any]) -> _Kind:
    """Return the method, of what it tells, and under which folds."""
    return str(item["method"]), str(item.get("by") or "covariate"), str(item.get("folds") or "all rows")


def _place(kind: _Kind) -> tuple[int, bool]:
    """Return a key that sorts: shuffling first, and groups of like covariates before each by itself."""
    return list(_METHODS).index(kind[0]), kind[1] != "group"


def _title(kind: _Kind) -> str:
    method, by, folds = kind
    unit = "covariates that are alike together" if by == "group" else "each covariate by itself"
    where = "" if folds == "all rows" else f", {fold_phrase(folds)}"
    return f"{_METHODS[method][0]}: {unit}{where}"


def _picture(rows: Sequence[Mapping[str, Any]], learner: str) -> Picture:
    ordered = sorted(rows, key=lambda item: int(item["rank"]))
    named = ", ".join(importance_label(item) for item in ordered[:3])
    more = len(ordered) - MOST_BARS
    fewer = f" The {MOST_BARS} first of {len(ordered)}." if more > 0 else ""
    intervals = " Lines: 95 % intervals." if any(item.get("interval") for item in ordered) else ""
    return Picture(
        importance_figure(ordered),
        f"Bars of what the {learner} goes by; first come {named}. The table holds the numbers.",
        f"{str(ordered[0]['unit_text'])[:1].upper()}{str(ordered[0]['unit_text'])[1:]}.{intervals}{fewer}",
    )


def _grid(rows: Sequence[Mapping[str, Any]], caption: str = "") -> Grid:
    lines = []
    for item in sorted(rows, key=lambda item: int(item["rank"])):
        members = [words(str(one)) for one in item.get("members") or []]
        ends = item.get("interval")
        interval = " to ".join(number(one) for one in ends) if ends and None not in ends else ""
        cells = (
            Cell(number(int(item["rank"]))),
            Cell(importance_label(item), ", ".join(members) if len(members) > 2 else ""),
            Cell(number(float(item["importance"])), interval),
        )
        lines.append(Row(cells))
    unit = str(rows[0]["unit_text"])
    heads = ("Rank", "Covariate", f"{unit[:1].upper()}{unit[1:]}")
    return Grid(heads, tuple(lines), frozenset({0, 2}), caption)
