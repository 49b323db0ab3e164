"""The section of a report on what learners chose: keywords and covariates, and how stable the choice is."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from permagrid.report.canvas import words
from permagrid.report.choice_figures import differing, selection_figure
from permagrid.report.fold_names import fold_order, fold_phrase
from permagrid.report.map_sections import makes_maps
from permagrid.report.page import Cell, Folded, Grid, Part, Picture, Row, Section, count, number
from permagrid.report.scores_text import quoted_folds

Choices = Sequence[Mapping[str, Any]]

_MOST_VALUES = 4


def choice_section(summary: Mapping[str, Any]) -> Section | None:
    """Return what each learner chose in the folds of the scheme to quote, other schemes on demand.

    Parameters
    ----------
    summary
        The run's summary; one without ``choices`` has no section.

    Examples
    --------
    >>> choice_section({"choices": []}) is None
    True
    """
    choices: Choices = summary.get("choices") or []
    if not choices:
        return None
    schemes = sorted({str(item["folds"]) for item in choices}, key=fold_order)
    quote = quoted_folds(summary.get("quote"))
    first = quote if quote in schemes else schemes[-1]
    text = (
        "These learners chose keywords or covariates for themselves, in every fold anew and from the rows "
        "that train alone: their scores hold the price of choosing. A choice that differs from fold to fold "
        "is not to be read as knowledge of the ground; the score is that of the way of choosing.",
        *final_sentences([item for item in choices if item["folds"] == first], maps=makes_maps(summary)),
    )
    figures, tables = _shown([item for item in choices if item["folds"] == first])
    folded = []
    for folds in reversed(schemes):
        if folds != first:
            pictures, grids = _shown([item for item in choices if item["folds"] == folds])
            folded.append(Folded(f"The same under {fold_phrase(folds)}", pictures, grids))
    part = Part(f"Under {fold_phrase(first)}", text, figures, tables, tuple(folded))
    return Section("choices", "What learners chose", (part,))


def final_sentences(choices: Choices, *, maps: bool = True) -> tuple[str, ...]:
    """Return what the learner of the maps chose from all rows, and how often folds chose the same.

    Parameters
    ----------
    choices
        Entries ``choices`` of a summary, of one fold scheme.
    maps
        Whether that learner made maps.

    Examples
    --------
    >>> one = {"learner": "ridge", "folds": "site", "n_folds": 5,
    ...        "covariates": [{"name": "slope", "share": 1.0}],
    ...        "keywords": [{"keyword": "alpha", "value": 0.1, "share": 0.6}],
    ...        "final": {"keywords": {"alpha": 0.1}, "covariates": ["slope"]}}
    >>> final_sentences([one])
    ('From all rows the ridge, which made the maps, chose alpha 0.1 (as 3 of 5 folds); covariates: slope.',)
    """
    said = []
    for item in choices:
        final = item.get("final")
        if not final:
            continue
        shares = {(one["keyword"], _same(one["value"])): float(one["share"]) for one in item["keywords"]}
        keywords = [
            f"{words(str(name))} {_written(value)} "
            f"(as {_of(shares.get((name, _same(value)), 0.0), item)} folds)"
            for name, value in final["keywords"].items()
        ]
        covariates = ", ".join(words(str(name)) for name in final["covariates"])
        chosen = "; ".join(filter(None, [", ".join(keywords), f"covariates: {covariates}"]))
        name = words(str(item["learner"]))
        which = ", which made the maps," if maps else ""
        said.append(f"From all rows the {name}{which} chose {chosen}.")
    return tuple(said)


def untried_sentences(choices: Choices) -> tuple[str, ...]:
    """Return in how many folds learners could try nothing, and why.

    Parameters
    ----------
    choices
        Entries ``choices`` of a summary, of one fold scheme.

    Examples
    --------
    >>> few = {"reason": "2 sites cannot make 5 folds", "n_folds": 3}
    >>> (sentence,) = untried_sentences([{"learner": "ridge", "n_folds": 20, "untried": [few]}])
    >>> sentence.partition(". ")[0]
    'In 3 of 20 folds the ridge could try nothing: 2 sites cannot make 5 folds (3 folds)'
    """
    said = []
    for item in choices:
        reasons = item.get("untried") or []
        if not reasons:
            continue
        folds = sum(int(one["n_folds"]) for one in reasons)
        told = [f"{one['reason']} ({count(int(one['n_folds']), 'fold')})" for one in reasons[:_MOST_VALUES]]
        if len(reasons) > _MOST_VALUES:
            told.append(f"{number(len(reasons) - _MOST_VALUES)} other reasons")
        said.append(
            f"In {number(folds)} of {number(int(item['n_folds']))} folds the {words(str(item['learner']))} "
            f"could try nothing: {'; '.join(told)}. There it has the first of its values and all its "
            "covariates, which are counted as chosen."
        )
    return tuple(said)


def _shown(choices: Choices) -> tuple[tuple[Picture, ...], tuple[Grid, ...]]:
    chosen = differing(choices)
    pictures: tuple[Picture, ...] = ()
    if chosen:
        ringed = " Rings: what the learner of the maps chose from all rows." if _with_final(chosen) else ""
        pictures = (
            Picture(
                selection_figure(chosen),
                f"In which share of the folds {count(len(chosen), 'learner')} chose each covariate; the "
                "table below tells the same in words.",
                "Covariates that were chosen in some folds and not in others: the larger the dot, the more "
                f"folds.{ringed}",
            ),
        )
    return pictures, (_grid(choices),)


def _with_final(choices: Choices) -> bool:
    return any((item.get("final") or {}).get("covariates") for item in choices)


def _grid(choices: Choices) -> Grid:
    """Return what each learner chose and in how many folds."""
    rows = []
    for item in choices:
        by_keyword: dict[str, list[Mapping[str, Any]]] = {}
        for one in item["keywords"]:
            by_keyword.setdefault(str(one["keyword"]), []).append(one)
        keywords = "; ".join(f"{words(name)} {_values(values, item)}" for name, values in by_keyword.items())
        cells = (Cell(words(str(item["learner"]))), Cell(keywords or "–"), Cell(_covariates(item)))
        rows.append(Row(cells))
    caption = ("In brackets: folds that chose so, where not all did.", *untried_sentences(choices))
    return Grid(("Learner", "Keywords", "Covariates"), tuple(rows), frozenset(), " ".join(caption))


def _values(values: Sequence[Mapping[str, Any]], item: Mapping[str, Any]) -> str:
    ordered = sorted(values, key=lambda one: -float(one["share"]))
    told = [f"{_written(one['value'])}{_bracket(one['share'], item)}" for one in ordered[:_MOST_VALUES]]
    more = len(ordered) - len(told)
    return " or ".join([*told, *([f"{number(more)} other values"] if more else [])])


def _covariates(item: Mapping[str, Any]) -> str:
    """Return the covariates that a learner chose, those of most folds first."""
    by_share: dict[float, list[str]] = {}
    for one in item["covariates"]:
        by_share.setdefault(float(one["share"]), []).append(words(str(one["name"])))
    parts = [
        f"{', '.join(by_share[share])}{_bracket(share, item)}" for share in sorted(by_share, reverse=True)
    ]
    return "; ".join(parts) or "–"


def _bracket(share: float, item: Mapping[str, Any]) -> str:
    return "" if float(share) >= 1.0 else f" ({_of(float(share), item)})"


def _of(share: float, item: Mapping[str, Any]) -> str:
    folds = int(item["n_folds"])
    return f"{number(round(share * folds))} of {number(folds)}"


def _same(value: Any) -> str:
    """Return a text that is the same for values that are, in whatever order their keys come."""
    return json.dumps(value, sort_keys=True, default=str)


def _written(value: Any) -> str:
    """Return the value of a keyword as a study states it, so that it can be copied into one."""
    if isinstance(value, Mapping):
        named = sorted(value, key=lambda key: key != "name")
        return "{" + ", ".join(f"{key}: {_written(value[key])}" for key in named) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_written(one) for one in value) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)
