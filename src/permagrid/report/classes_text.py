"""Classes that a learner had never met, in words: cells left blank in maps, and rows of held-out folds."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from permagrid.report.canvas import words
from permagrid.report.fold_names import fold_label
from permagrid.report.page import count, number

_MOST_CLASSES = 8


def unseen_cells(summary: Mapping[str, Any], study: Mapping[str, Any]) -> tuple[str, ...]:
    """Return one sentence for each count of cells that were left blank for their class.

    Parameters
    ----------
    summary
        The run's figures.
    study
        The resolved study.

    Examples
    --------
    >>> one = {"variable": "t", "epoch": "2000-2004", "cells": 900, "unseen_class_cells": 100,
    ...        "unseen_classes": {"geology": {"7": 90, "9": 10}}}
    >>> unseen_cells({"products": [one]}, {"target": {"variable": "t"}})[0]
    '100 of 1000 cells ... blank: no training site has their class: geology 7 (90 cells) and 9 (10 cells).'
    """
    target = (study.get("target") or {}).get("variable")
    found: dict[str, list[str]] = {}
    for item in summary.get("products") or []:
        blank = int(item.get("unseen_class_cells") or 0)
        if blank and item.get("variable") == target:
            text = (
                f"{number(blank)} of {number(blank + int(item['cells']))} cells that have all covariates are "
                f"left blank: no training site has their class: {_classes(item['unseen_classes'])}."
            )
            found.setdefault(text, []).append(str(item.get("epoch")).replace("-", "–"))
    if len(found) == 1:
        return tuple(found)
    return tuple(f"{', '.join(epochs)}: {text}" for text, epochs in found.items())


def _classes(cells: Mapping[str, Mapping[str, int]]) -> str:
    return "; ".join(f"{words(name)} {_listed(codes)}" for name, codes in cells.items())


def _listed(codes: Mapping[str, int]) -> str:
    most = sorted(codes.items(), key=lambda item: -item[1])
    said = [f"{code} ({count(cells, 'cell')})" for code, cells in most[:_MOST_CLASSES]]
    if len(most) > _MOST_CLASSES:
        said.append(f"{len(most) - _MOST_CLASSES} more")
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def unseen_rows(scores: pd.DataFrame, *, maps: bool = True) -> str:
    """Return a sentence on rows whose class their training folds lack; empty where there are none.

    Parameters
    ----------
    scores
        Scores of one target and one subset.
    maps
        Whether maps were made.

    Examples
    --------
    >>> table = pd.DataFrame({"folds": ["site", "site"], "learner": ["a", "b"], "n": [300, 300],
    ...                       "n_unseen_class": [12, 0]})
    >>> unseen_rows(table)
    'Some rows have a class that no row of their training folds has: 12 of 300 (by site). ...'
    """
    if "n_unseen_class" not in scores or not scores["n_unseen_class"].any():
        return ""
    worst = scores.groupby("folds", sort=False)[["n_unseen_class", "n"]].max()
    said = [
        f"{number(int(row['n_unseen_class']))} of {number(int(row['n']))} ({fold_label(str(folds))})"
        for folds, row in worst.iterrows()
        if row["n_unseen_class"]
    ]
    blank = "; the maps leave such cells blank" if maps else ""
    return (
        f"Some rows have a class that no row of their training folds has: {', '.join(said)}. They are "
        f"predicted as of no known class and scored with the others{blank}."
    )
