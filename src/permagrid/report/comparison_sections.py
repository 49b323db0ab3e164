"""The section of a report that compares learners with the one that made the maps, on the same folds."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from permagrid.products.legend import unit_label
from permagrid.report.canvas import words
from permagrid.report.comparison_figures import difference_figure, ordered_learners
from permagrid.report.comparison_words import (
    LEVEL,
    VERDICTS,
    better_sign,
    metric_of_tests,
    p_text,
    spreads_needed,
    verdict,
)
from permagrid.report.fold_names import fold_order, fold_phrase, fold_title
from permagrid.report.map_sections import makes_maps
from permagrid.report.metrics import METRICS, ScoreFormat, main_metric, score_format
from permagrid.report.page import Cell, Folded, Grid, Part, Picture, Row, Section
from permagrid.report.scores_text import quoted_folds

Pairs = Sequence[Mapping[str, Any]]

_MOST_SPREADS = 1.5
"""Standard deviations of folds that learners may have to differ by before a test is called weak."""


def comparison_section(summary: Mapping[str, Any], study: Mapping[str, Any]) -> Section | None:
    """Return which learners are better or worse than the mapped one, and by how much.

    Parameters
    ----------
    summary, study
        The run's ``summary.json`` and the resolved study; a summary without ``paired`` has no section.
    """
    pairs: Pairs = summary.get("paired") or []
    if not any(item["difference"] is not None for item in pairs):
        return None
    unit = str((study.get("target") or {}).get("unit", ""))
    metric, reference = metric_of_tests(pairs), words(str(pairs[0]["reference"]))
    maps = makes_maps(summary)
    schemes = sorted({str(item["folds"]) for item in pairs}, key=fold_order)
    quote = quoted_folds(summary.get("quote"))
    first = quote if quote in schemes else schemes[-1]
    picture = Picture(
        difference_figure(pairs, metric=metric, unit=unit, quote=first),
        f"Differences of {METRICS[metric][0]} between each learner and the {reference}, one panel per fold "
        "scheme; the tables below hold the numbers.",
        f"{METRICS[metric][0]} of each learner minus that of the {reference}{_which(maps)} with 95 % "
        "intervals of the difference. Arrows at an edge lead to differences beyond it.",
    )
    text = (
        *rank_sentences(pairs, metric, first, reference, maps=maps),
        *_method(metric, reference, pairs, maps),
        *power_sentences(summary, pairs, metric, first),
        *verdict_sentences(pairs, metric, first, reference, unit),
    )
    part = Part(
        text=text,
        figures=(picture,),
        tables=(_grid(pairs, metric, first, unit),),
        folded=tuple(
            Folded(
                f"The same under {fold_phrase(folds)}",
                tables=(_grid(pairs, metric, folds, unit),),
            )
            for folds in reversed(schemes)
            if folds != first
        ),
    )
    return Section("comparison", "Learners compared", (part,))


def _which(maps: bool) -> str:
    """Return what the learner is with which the others are compared, as an apposition."""
    return ", which made the maps," if maps else ","


def _method(metric: str, reference: str, pairs: Pairs, maps: bool) -> tuple[str, ...]:
    text = (
        f"Every learner is compared with the {reference}{_which(maps)} on the same rows of the same "
        "folds. The intervals are those of the difference, from a bootstrap of whole sites or blocks that "
        "draws the same for both."
    )
    if all(item.get("p") is None for item in pairs):
        return (text,)
    return (
        f"{text} p is that of the corrected resampled t test of the losses of the folds (Nadeau and Bengio "
        "2003, doi:10.1023/A:1024068626366), which allows for training sets that overlap, and below it p "
        f"adjusted for the number of learners under one scheme (Holm 1979). Better or worse is said where "
        f"the interval does not hold zero and the adjusted p is below {LEVEL:g}; what the interval says "
        "alone is called so. A learner that is chosen by this table is flattered by it.",
    )


def rank_sentences(
    pairs: Pairs, metric: str, folds: str, reference: str, *, maps: bool = True
) -> tuple[str, ...]:
    """Return which rank the learner of the maps has among all under one scheme.

    Parameters
    ----------
    pairs, metric, folds, reference
        As in `verdict_sentences`; where the main metric is another one, the rank by it is told too.
    maps
        Whether that learner made maps.

    Examples
    --------
    >>> one = {"learner": "ridge", "folds": "site", "metric": "rmse", "score": 1.2, "reference_score": 1.5}
    >>> rank_sentences([one], "rmse", "site", "mean")
    ('Of 2 learners under folds by site the mean, which made the maps, is number 2 by RMSE.',)
    """
    rows = [item for item in pairs if item["folds"] == folds]
    main = main_metric({str(item["metric"]): 1.0 for item in rows})
    said, learners = [], 0
    for name in dict.fromkeys((metric, main)):
        own, sign = _reference_score(rows, name), better_sign(name)
        others = [
            float(item["score"]) for item in rows if item["metric"] == name and item["score"] is not None
        ]
        if own is None or not others:
            continue
        learners = max(learners, len(others) + 1)
        better = sum(sign * (other - own) > 0.0 for other in others)
        said.append(f"number {better + 1} by {METRICS[name][0]}")
    if not said:
        return ()
    ranks = " and ".join(said)
    return (
        f"Of {learners} learners under {fold_phrase(folds)} the {reference}"
        f"{_which(maps) if maps else ''} is {ranks}.",
    )


def power_sentences(summary: Mapping[str, Any], pairs: Pairs, metric: str, folds: str) -> tuple[str, ...]:
    """Return how little the test can tell under one scheme, where folds are few or learners many.

    Parameters
    ----------
    summary
        The run's summary, whose ``folds`` say how many there are.
    pairs, metric, folds
        As in `verdict_sentences`.

    Examples
    --------
    >>> one = {"learner": "ridge", "folds": "site", "metric": "rmse", "p": 0.2}
    >>> said, = power_sentences({"folds": [{"name": "site", "n_folds": 5}]}, [one], "rmse", "site")
    >>> said.split(": ")[0]
    'With 5 folds this test tells little'
    """
    tested = [i for i in pairs if i["folds"] == folds and i["metric"] == metric and i.get("p") is not None]
    schemes: list[Mapping[str, Any]] = [i for i in summary.get("folds") or [] if i.get("name") == folds]
    scheme = schemes[0] if schemes else {}
    count_, repeats = int(scheme.get("n_folds") or 0), int(scheme.get("repeats") or 1)
    if not tested or count_ < 2:
        return ()
    needed = spreads_needed(count_, repeats, len(tested))
    if needed <= _MOST_SPREADS:
        return ()
    rounds = f" in {repeats} rounds" if repeats > 1 else ""
    others = f" and {len(tested)} learners to compare" if len(tested) > 1 else ""
    return (
        f"With {count_} folds{rounds}{others} this test tells little: the adjusted p is below {LEVEL:g} only "
        f"where the mean difference of the folds is {needed:.1f} times their standard deviation or more. "
        "Repeats or more folds would tell more; until then go by the intervals.",
    )


def verdict_sentences(pairs: Pairs, metric: str, folds: str, reference: str, unit: str) -> tuple[str, ...]:
    """Return which learners are better, worse and not to be told apart under one scheme.

    Parameters
    ----------
    pairs
        Entries ``paired`` of a summary.
    metric
        The score by which they are told apart.
    folds
        The scheme.
    reference
        The learner of the maps, as people read it.
    unit
        Unit of the target.

    Examples
    --------
    >>> one = {"learner": "ridge", "folds": "site", "metric": "rmse", "difference": 0.25, "reason": "",
    ...        "score": 1.25, "difference_interval": [0.1, 0.4], "p_holm": 0.01}
    >>> said, = verdict_sentences([one], "rmse", "site", "mean", "1")
    >>> said
    'Under folds by site no learner is better than the mean by more than chance. Worse: ridge (+0.250).'
    """
    rows = [item for item in pairs if item["metric"] == metric and item["folds"] == folds]
    form = _form(rows, unit)
    said: dict[str, list[str]] = {name: [] for name in VERDICTS}
    by_name = {str(item["learner"]): item for item in rows}
    for learner in ordered_learners(rows, metric, folds):
        item = by_name[learner]
        found = verdict(item)
        change = _signed(form, item["difference"], metric)
        told = {"untold": str(item.get("reason") or ""), "alike": ""}.get(found, change)
        said[found].append(words(learner) + (f" ({told})" if told else ""))
    start = f"Under {fold_phrase(folds)}"
    better = said["better"]
    opening = (
        f"{start} better than the {reference} by more than chance: {', '.join(better)}."
        if better
        else f"{start} no learner is better than the {reference} by more than chance."
    )
    rest = (
        ("worse", "Worse"),
        ("leans_better", "Better by the interval, not by the test"),
        ("leans_worse", "Worse by the interval, not by the test"),
        ("alike", "Not to be told apart from it"),
        ("untold", "Not compared"),
    )
    return (" ".join([opening, *(f"{title}: {', '.join(said[k])}." for k, title in rest if said[k])]),)


def _grid(pairs: Pairs, metric: str, folds: str, unit: str) -> Grid:
    """Return scores, differences and p of all learners under one scheme, the best first."""
    rows = [item for item in pairs if item["folds"] == folds]
    other = main_metric({str(item["metric"]): 1.0 for item in rows})
    metrics = [metric] if other == metric else [metric, other]
    found = {(str(item["learner"]), str(item["metric"])): item for item in rows}
    form = _form([item for item in rows if item["metric"] == metric], unit)
    tested = any(item.get("p") is not None for item in rows)
    lines = []
    for learner in ordered_learners([item for item in rows if item["metric"] == metric], metric, folds):
        item = found[learner, metric]
        cells = [Cell(words(learner)), Cell(form.number(item["score"], metric))]
        for name in metrics:
            one = found.get((learner, name))
            cells.append(_difference_cell(one, form, name) if one else Cell("–"))
        if tested:
            cells.append(Cell(p_text(item.get("p")), p_text(item.get("p_holm"))))
        verdict_, reason = verdict(item), str(item.get("reason") or "")
        cells.append(Cell(VERDICTS[verdict_], reason))
        lines.append(Row(tuple(cells), "random" if verdict_ == "alike" else ""))
    shown = {name: _in_unit(name, unit) for name in metrics}
    heads = ["Learner", f"{METRICS[metric][0]}{shown[metric]}"]
    heads += [f"Difference of {METRICS[name][0]}{shown[name]}" for name in metrics]
    numeric = frozenset(range(1, len(heads) + tested))
    heads += ["p, adjusted below"] if tested else []
    caption = (
        f"{fold_title(folds)}: the {words(str(rows[0]['reference']))} "
        f"has {METRICS[metric][0]} {form.text(_reference_score(rows, metric), metric)}. 95 % intervals below "
        "the differences."
    )
    return Grid((*heads, "It is"), tuple(lines), numeric, caption)


def _reference_score(rows: Pairs, metric: str) -> float | None:
    told = [item["reference_score"] for item in rows if item["metric"] == metric]
    return next((float(score) for score in told if score is not None), None)


def _difference_cell(item: Mapping[str, Any], form: ScoreFormat, metric: str) -> Cell:
    low, high = item["difference_interval"]
    interval = form.interval({f"{metric}_low": low, f"{metric}_high": high}, metric)
    return Cell(_signed(form, item["difference"], metric, with_unit=False), interval)


def _signed(form: ScoreFormat, value: float | None, metric: str, *, with_unit: bool = True) -> str:
    text = form.text(value, metric) if with_unit else form.number(value, metric)
    return f"+{text}" if value is not None and value > 0 and text != "–" else text


def _form(rows: Pairs, unit: str) -> ScoreFormat:
    scores = [item["score"] for item in rows if item["score"] is not None]
    return score_format(pd.DataFrame({"rmse": scores}, dtype=float), unit)


def _in_unit(metric: str, unit: str) -> str:
    return f" [{unit_label(unit)}]" if METRICS[metric][1] and unit_label(unit) else ""
