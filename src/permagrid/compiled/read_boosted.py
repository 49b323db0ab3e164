"""Boosted trees of LightGBM as tables of trees, read from the text in which it stores them."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from permagrid.compiled.nodes import Tree

_CATEGORICAL, _MISSING_IS_ZERO = 1, 4
"""Bits of the type of a decision."""
_SUMS = ("regression", "regression_l1", "huber", "fair", "quantile", "mape")
"""Objectives whose prediction is the sum over trees."""


Set = tuple[int, tuple[int, ...]]
"""A column, and numbers of classes in it."""


@dataclass(frozen=True)
class Boosted:
    """Trees of a booster, and what it makes of their sums."""

    trees: list[Tree]
    columns: int
    """With those that tell sets of classes."""
    sets: tuple[Set, ...]
    """What is asked by splits by sets of classes, each of which has a column of its own behind the others: 0
    where the class is in the set, 1 elsewhere."""
    a_round: int
    """Trees that are grown at a time, one for each class of more than two."""
    link: str
    steepness: float


def boosted_trees(booster: Any, rounds: int | None) -> Boosted | None:
    """Return the trees of a booster; None where its predictions are not those of thresholds and sets.

    Parameters
    ----------
    booster
        A `lightgbm.Booster`.
    rounds
        How many rounds of trees are taken; those that it would predict with if left out.
    """
    text = booster.model_to_string(num_iteration=rounds)
    head, *parts = re.split(r"^Tree=\d+$", text.split("end of trees")[0], flags=re.MULTILINE)
    said = _lines(head)
    link = _link(said.get("objective", ""))
    if link is None or "average_output" in head.splitlines():
        return None
    columns, sets = int(said["max_feature_idx"]) + 1, dict[Set, int]()
    trees = [_tree(_lines(part), columns, sets) for part in parts]
    found = [tree for tree in trees if tree is not None]
    if len(found) < len(trees) or not found:
        return None
    a_round = int(said["num_tree_per_iteration"])
    return Boosted(found, columns + len(sets), tuple(sets), a_round, *link)


def _lines(text: str) -> dict[str, str]:
    return {key: value for key, _, value in (line.partition("=") for line in text.splitlines())}


def _link(objective: str) -> tuple[str, float] | None:
    kind, *settings = objective.split()
    known = dict(setting.split(":", 1) for setting in settings if ":" in setting)
    if kind in _SUMS and "sqrt" not in settings:
        return "sum", 1.0
    if kind == "binary":
        return "logistic", float(known.get("sigmoid", 1.0))
    return ("shares", 1.0) if kind == "multiclass" else None


def _tree(said: dict[str, str], columns: int, sets: dict[Set, int]) -> Tree | None:
    """Return a tree, and note its sets; None if it asks for missing values, or has lines in its leaves."""
    count = int(said["num_leaves"])
    value = np.array(said["leaf_value"].split(), dtype=float)[:, np.newaxis]
    if said.get("is_linear", "0") != "0":
        return None
    if count == 1:
        alone = np.full(1, -1, dtype=np.int32)
        return Tree(alone, np.zeros(1), alone, alone, np.zeros(1, dtype=np.int32), value)
    kinds, feature, left, right = (
        np.array(said[key].split(), dtype=np.int32)
        for key in ("decision_type", "split_feature", "left_child", "right_child")
    )
    if (kinds & _MISSING_IS_ZERO).any():
        return None
    threshold = np.array(said["threshold"].split(), dtype=float)
    for split in np.flatnonzero(kinds & _CATEGORICAL):
        asked = int(feature[split]), _classes(said, int(threshold[split]))
        feature[split], threshold[split] = columns + sets.setdefault(asked, len(sets)), 0.5
    # Leaves are told by numbers below zero: -1, -2 and so on. Here they follow the splits.
    splits = count - 1
    none, numbers = np.full(count, -1, dtype=np.int32), np.arange(count, dtype=np.int32)
    return Tree(
        np.append(feature, none),
        np.append(threshold, np.zeros(count)),
        np.append(np.where(left < 0, splits - 1 - left, left), none).astype(np.int32),
        np.append(np.where(right < 0, splits - 1 - right, right), none).astype(np.int32),
        np.append(none[:splits], numbers).astype(np.int32),
        np.concatenate([np.zeros((splits, 1)), value]),
    )


def _classes(said: dict[str, str], number: int) -> tuple[int, ...]:
    """Return the classes of a set, which are bits of words of 32."""
    first, last = map(int, said["cat_boundaries"].split()[number : number + 2])
    words = map(int, said["cat_threshold"].split()[first:last])
    return tuple(32 * at + bit for at, word in enumerate(words) for bit in range(32) if word >> bit & 1)
